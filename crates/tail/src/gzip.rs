//! gzip, taken apart as it comes: headers, deflated bytes and checksums of one member or several.
//!
//! Owns the framing of RFC 1952; [`miniz_oxide`] inflates. Pure: it is given bytes in pieces of any
//! length and gives bytes back. Memory is the window of 32 KiB and the tables of one block.

use miniz_oxide::inflate::stream::{InflateState, inflate};
use miniz_oxide::{DataFormat, MZError, MZFlush, MZStatus};

use crate::fs::Fault;
use crate::unpack::Step;

const MAGIC: [u8; 2] = [0x1f, 0x8b];
const HEADER_BYTES: usize = 10;
const TRAILER_BYTES: usize = 8;
const DEFLATE: u8 = 8;
/// Bits of the flags in a header.
const HAS_CRC: u8 = 2;
const HAS_EXTRA: u8 = 4;
const HAS_NAME: u8 = 8;
const HAS_COMMENT: u8 = 16;
const RESERVED: u8 = 0xe0;

/// Where in a member it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// Before the first member, or behind a whole one: with nothing of the next.
    Between,
    /// Within the fixed part of a header.
    Header,
    /// Within the length of the extra field.
    ExtraLen,
    /// Within the extra field, of which so much is left.
    Extra(usize),
    /// Within a text that ends with a NUL.
    Text,
    /// Within the checksum of the header.
    HeaderCrc,
    Body,
    Trailer,
    /// Behind the last member: what is there is none of it.
    Over,
}

/// A file that is being taken apart.
pub(crate) struct Gzip {
    part: Part,
    /// The part's bytes, where they are few and needed together.
    held: [u8; HEADER_BYTES],
    held_len: usize,
    /// Parts of the header that are to come, as its flags say.
    flags: u8,
    inflate: Box<InflateState>,
    crc: crc32fast::Hasher,
    len: u32,
    members: u64,
}

impl Gzip {
    pub(crate) fn new() -> Gzip {
        Gzip {
            part: Part::Between,
            held: [0; HEADER_BYTES],
            held_len: 0,
            flags: 0,
            inflate: InflateState::new_boxed(DataFormat::Raw),
            crc: crc32fast::Hasher::new(),
            len: 0,
            members: 0,
        }
    }

    /// Whether the file may end here.
    pub(crate) fn is_whole(&self) -> bool {
        self.members > 0 && matches!(self.part, Part::Between | Part::Over)
    }

    /// Whether a member is over.
    pub(crate) fn has_members(&self) -> bool {
        self.members > 0
    }

    /// Takes from `input` and gives to `output`, until one of them is used up.
    pub(crate) fn step(&mut self, input: &[u8], output: &mut [u8]) -> Result<Step, Fault> {
        let mut step = Step::default();
        loop {
            let rest = &input[step.taken..];
            if self.part == Part::Body {
                let room = &mut output[step.made..];
                if room.is_empty() {
                    return Ok(step);
                }
                let (taken, made) = self.inflate_some(rest, room)?;
                step.taken += taken;
                step.made += made;
                if taken == 0 && made == 0 {
                    return Ok(step);
                }
                continue;
            }
            if rest.is_empty() {
                return Ok(step);
            }
            step.taken += self.take(rest)?;
        }
    }

    fn inflate_some(&mut self, input: &[u8], room: &mut [u8]) -> Result<(usize, usize), Fault> {
        let result = inflate(&mut self.inflate, input, room, MZFlush::None);
        let made = &room[..result.bytes_written];
        self.crc.update(made);
        self.len = self.len.wrapping_add(made.len() as u32);
        match result.status {
            Ok(MZStatus::StreamEnd) => {
                self.part = Part::Trailer;
                self.held_len = 0;
            }
            // It wants more than there is.
            Ok(_) | Err(MZError::Buf) => {}
            Err(_) => return Err(Fault::Damaged),
        }
        Ok((result.bytes_consumed, made.len()))
    }

    /// Takes some of what is around the deflated bytes; `input` is not empty.
    fn take(&mut self, input: &[u8]) -> Result<usize, Fault> {
        match self.part {
            Part::Between => {
                match input[0] {
                    first if first == MAGIC[0] => self.enter(Part::Header),
                    // Tapes are padded with zeros; anything else behind a member is not gzip's.
                    0 if self.members > 0 => return Ok(1),
                    _ if self.members > 0 => self.enter(Part::Over),
                    _ => return Err(Fault::Damaged),
                }
                Ok(0)
            }
            Part::Header => {
                let taken = self.hold(input, HEADER_BYTES);
                if self.held_len == HEADER_BYTES {
                    self.flags = self.held[3];
                    let is_header = self.held.starts_with(&MAGIC) && self.held[2] == DEFLATE;
                    if !is_header || self.flags & RESERVED != 0 {
                        return Err(Fault::Damaged);
                    }
                    self.go_on_in_header();
                }
                Ok(taken)
            }
            Part::ExtraLen => {
                let taken = self.hold(input, 2);
                if self.held_len == 2 {
                    self.part =
                        Part::Extra(u16::from_le_bytes([self.held[0], self.held[1]]).into());
                }
                Ok(taken)
            }
            Part::Extra(left) => {
                let taken = left.min(input.len());
                match left - taken {
                    0 => self.go_on_in_header(),
                    left => self.part = Part::Extra(left),
                }
                Ok(taken)
            }
            Part::Text => match memchr::memchr(0, input) {
                Some(end) => {
                    self.go_on_in_header();
                    Ok(end + 1)
                }
                None => Ok(input.len()),
            },
            Part::HeaderCrc => {
                let taken = self.hold(input, 2);
                if self.held_len == 2 {
                    self.go_on_in_header();
                }
                Ok(taken)
            }
            Part::Trailer => {
                let taken = self.hold(input, TRAILER_BYTES);
                if self.held_len == TRAILER_BYTES {
                    self.end_member()?;
                }
                Ok(taken)
            }
            Part::Body | Part::Over => Ok(input.len()),
        }
    }

    fn enter(&mut self, part: Part) {
        self.part = part;
        self.held_len = 0;
    }

    /// Holds bytes until there are `wanted` of them. Returns how many it took.
    fn hold(&mut self, input: &[u8], wanted: usize) -> usize {
        let taken = input.len().min(wanted - self.held_len);
        self.held[self.held_len..self.held_len + taken].copy_from_slice(&input[..taken]);
        self.held_len += taken;
        taken
    }

    /// The next part of the header that there is, else the body.
    fn go_on_in_header(&mut self) {
        for (flag, part) in [
            (HAS_EXTRA, Part::ExtraLen),
            (HAS_NAME, Part::Text),
            (HAS_COMMENT, Part::Text),
            (HAS_CRC, Part::HeaderCrc),
        ] {
            if self.flags & flag != 0 {
                self.flags &= !flag;
                return self.enter(part);
            }
        }
        self.inflate.reset(DataFormat::Raw);
        self.crc = crc32fast::Hasher::new();
        self.len = 0;
        self.enter(Part::Body);
    }

    fn end_member(&mut self) -> Result<(), Fault> {
        let word = |at: usize| {
            let held = &self.held;
            u32::from_le_bytes([held[at], held[at + 1], held[at + 2], held[at + 3]])
        };
        if word(0) != self.crc.clone().finalize() || word(4) != self.len {
            return Err(Fault::Damaged);
        }
        self.members += 1;
        self.enter(Part::Between);
        Ok(())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A member with a header that has everything.
    pub(crate) fn member(plain: &[u8], flags: u8) -> Vec<u8> {
        let mut bytes = vec![0x1f, 0x8b, DEFLATE, flags, 0, 0, 0, 0, 0, 3];
        if flags & HAS_EXTRA != 0 {
            bytes.extend([3, 0, 9, 0, 9]);
        }
        if flags & HAS_NAME != 0 {
            bytes.extend(b"app.log\0");
        }
        if flags & HAS_COMMENT != 0 {
            bytes.extend(b"a comment\0");
        }
        if flags & HAS_CRC != 0 {
            bytes.extend([7, 7]);
        }
        bytes.extend(miniz_oxide::deflate::compress_to_vec(plain, 6));
        bytes.extend(crc32fast::hash(plain).to_le_bytes());
        bytes.extend((plain.len() as u32).to_le_bytes());
        bytes
    }

    /// What comes out if input and output are given in pieces of these lengths.
    fn unpack(bytes: &[u8], piece: usize, room: usize) -> Result<(Vec<u8>, bool), Fault> {
        let (mut gzip, mut plain, mut at) = (Gzip::new(), Vec::new(), 0);
        loop {
            let mut out = vec![0; room];
            let step = gzip.step(&bytes[at..bytes.len().min(at + piece)], &mut out)?;
            plain.extend_from_slice(&out[..step.made]);
            at += step.taken;
            if step == Step::default() {
                return Ok((plain, gzip.is_whole()));
            }
        }
    }

    fn text(len: usize) -> Vec<u8> {
        (0..len).map(|at| b"a line of some length\n"[at * at % 22]).collect()
    }

    #[test]
    fn what_was_compressed_comes_out_whatever_the_pieces() {
        for (len, flags) in [(0, 0), (1, 2), (100, 8), (5000, 4), (200_000, 30)] {
            let plain = text(len);
            for (piece, room) in [(1, 1), (7, 100), (4096, 300), (1 << 20, 1 << 20)] {
                let outcome = unpack(&member(&plain, flags), piece, room);
                assert!(outcome == Ok((plain.clone(), true)), "{len} {flags} {piece} {room}");
            }
        }
    }

    #[test]
    fn several_members_are_one_file_and_what_follows_them_is_none_of_it() {
        let two = [member(b"one\n", 0), member(b"two\n", 8)].concat();
        let check = |behind: &[u8]| {
            let bytes = [&two, behind].concat();
            assert_eq!(unpack(&bytes, 5, 5), Ok((b"one\ntwo\n".to_vec(), true)), "{behind:?}");
        };
        check(b"");
        check(&[0; 512]);
        check(b"something else");
        assert_eq!(unpack(&[&two[..], &[0x1f]].concat(), 9, 9).map(|all| all.1), Ok(false));
    }

    #[test]
    fn a_part_of_a_file_is_told_from_a_whole_one_and_gives_what_it_has() {
        let plain = text(50_000);
        let whole = member(&plain, 8);
        for end in [0, 1, 5, 12, 100, whole.len() / 2, whole.len() - 8, whole.len() - 1] {
            let (made, is_whole) = unpack(&whole[..end], 1000, 1000).unwrap();
            assert!(!is_whole && plain.starts_with(&made), "{end}");
        }
    }

    #[test]
    fn damage_is_found_and_no_wrong_byte_passes_for_whole() {
        let plain = text(3000);
        let whole = member(&plain, 0);
        for at in [0, 1, 2, 3].into_iter().chain(HEADER_BYTES..whole.len()) {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x80;
            let outcome = unpack(&bytes, 500, 500);
            assert!(!matches!(outcome, Ok((_, true))), "byte {at}");
        }
        assert_eq!(unpack(b"a line\n", 100, 100), Err(Fault::Damaged));
    }
}
