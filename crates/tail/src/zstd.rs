//! Zstandard, taken apart as it comes: one block at a time, of one frame or several.
//!
//! Owns where frames and blocks end (RFC 8878); [`ruzstd`] decodes them. Pure, as [`crate::gzip`].
//! Memory is a frame's window, which is bounded, and two blocks.

use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};
use ruzstd::io::Read;

use crate::fs::Fault;
use crate::unpack::Step;

const MAGIC: u32 = 0xfd2f_b528;
/// Frames with other data begin with one of 16.
const SKIPPED: u32 = 0x184d_2a50;
/// What a frame may refer back to; `zstd -19` needs so much, `zstd --ultra` and `--long` need more.
const WINDOW_BYTES_MAX: u64 = 8 << 20;
const BLOCK_BYTES_MAX: usize = 128 << 10;
const BLOCK_HEAD_BYTES: usize = 3;
const CHECKSUM_BYTES: usize = 4;
/// Bits of the byte that describes a frame.
const HAS_CHECKSUM: u8 = 4;
const IS_SINGLE: u8 = 32;

/// What is gathered at present.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// The first bytes of a frame, which say how long its header is.
    Magic,
    Header,
    /// Bytes that are none of ours, of which so many are left.
    Skipped(u64),
    BlockHead,
    Block,
    /// All blocks of a frame were decoded, and not all that is in them came out.
    Rest,
}

/// A file that is being taken apart.
pub(crate) struct Zstd {
    decoder: FrameDecoder,
    part: Part,
    held: Vec<u8>,
    /// How many bytes the part needs.
    needed: usize,
    has_checksum: bool,
    frames: u64,
}

impl Zstd {
    pub(crate) fn new() -> Zstd {
        let mut decoder = FrameDecoder::new();
        decoder.set_max_window_size(WINDOW_BYTES_MAX);
        let (held, has_checksum, frames) = (Vec::new(), false, 0);
        Zstd { decoder, part: Part::Magic, held, needed: 5, has_checksum, frames }
    }

    /// Whether the file may end here.
    pub(crate) fn is_whole(&self) -> bool {
        self.frames > 0 && self.part == Part::Magic && self.held.is_empty()
    }

    /// Takes from `input` and gives to `output`, until one of them is used up.
    pub(crate) fn step(&mut self, input: &[u8], output: &mut [u8]) -> Result<Step, Fault> {
        let mut step = Step::default();
        loop {
            let room = &mut output[step.made..];
            if matches!(self.part, Part::BlockHead | Part::Rest) && self.held.is_empty() {
                step.made += self.decoder.read(room).map_err(|_| Fault::Damaged)?;
                if step.made == output.len() {
                    return Ok(step);
                }
                if self.part == Part::Rest {
                    self.end_frame()?;
                }
            }
            let rest = &input[step.taken..];
            if rest.is_empty() {
                return Ok(step);
            }
            if let Part::Skipped(left) = self.part {
                let taken = usize::try_from(left).map_or(rest.len(), |left| left.min(rest.len()));
                step.taken += taken;
                match left - taken as u64 {
                    0 => self.enter(Part::Magic, 5),
                    left => self.part = Part::Skipped(left),
                }
                continue;
            }
            let taken = rest.len().min(self.needed - self.held.len());
            self.held.extend_from_slice(&rest[..taken]);
            step.taken += taken;
            if self.held.len() == self.needed {
                self.go_on()?;
            }
        }
    }

    fn enter(&mut self, part: Part, needed: usize) {
        self.held.clear();
        (self.part, self.needed) = (part, needed);
    }

    /// All bytes of a part are there.
    fn go_on(&mut self) -> Result<(), Fault> {
        match self.part {
            Part::Magic => self.read_magic(),
            Part::Header if self.needed == 8 && self.is_skipped() => {
                let len = word(&self.held[4..]);
                match len {
                    0 => self.enter(Part::Magic, 5),
                    len => self.enter(Part::Skipped(len.into()), 0),
                }
                self.frames += 1;
                Ok(())
            }
            Part::Header => {
                self.decoder.init(&self.held[..]).map_err(|_| Fault::Packed)?;
                self.enter(Part::BlockHead, BLOCK_HEAD_BYTES);
                Ok(())
            }
            Part::BlockHead => {
                let head = u32::from_le_bytes([self.held[0], self.held[1], self.held[2], 0]);
                let (is_last, kind, size) = (head & 1 != 0, head >> 1 & 3, (head >> 3) as usize);
                let size = if kind == 1 { 1 } else { size };
                if kind == 3 || size > BLOCK_BYTES_MAX {
                    return Err(Fault::Damaged);
                }
                let checksum = if is_last && self.has_checksum { CHECKSUM_BYTES } else { 0 };
                self.part = Part::Block;
                self.needed = BLOCK_HEAD_BYTES + size + checksum;
                if self.needed == self.held.len() { self.go_on() } else { Ok(()) }
            }
            Part::Block => {
                let one = BlockDecodingStrategy::UptoBlocks(1);
                let is_last = self.decoder.decode_blocks(&self.held[..], one);
                match is_last.map_err(|_| Fault::Damaged)? {
                    true => self.enter(Part::Rest, 0),
                    false => self.enter(Part::BlockHead, BLOCK_HEAD_BYTES),
                }
                Ok(())
            }
            Part::Skipped(_) | Part::Rest => Ok(()),
        }
    }

    fn is_skipped(&self) -> bool {
        word(&self.held) & !15 == SKIPPED
    }

    fn read_magic(&mut self) -> Result<(), Fault> {
        self.part = Part::Header;
        if self.is_skipped() {
            self.needed = 8;
            return Ok(());
        }
        if word(&self.held) != MAGIC {
            return Err(Fault::Damaged);
        }
        let about = self.held[4];
        self.has_checksum = about & HAS_CHECKSUM != 0;
        let is_single = about & IS_SINGLE != 0;
        let dictionary = [0, 1, 2, 4][usize::from(about & 3)];
        let len = match about >> 6 {
            0 => usize::from(is_single),
            bits => 1 << bits,
        };
        self.needed = 5 + usize::from(!is_single) + dictionary + len;
        Ok(())
    }

    fn end_frame(&mut self) -> Result<(), Fault> {
        if self.has_checksum
            && self.decoder.get_checksum_from_data() != self.decoder.get_calculated_checksum()
        {
            return Err(Fault::Damaged);
        }
        self.frames += 1;
        self.enter(Part::Magic, 5);
        Ok(())
    }
}

fn word(bytes: &[u8]) -> u32 {
    bytes.iter().take(4).rev().fold(0, |word, byte| word << 8 | u32::from(*byte))
}

#[cfg(test)]
mod tests {
    use ruzstd::encoding::{CompressionLevel, compress_to_vec};

    use super::*;

    fn text(len: usize) -> Vec<u8> {
        (0..len).map(|at| b"a line of some length\n"[at * at % 22]).collect()
    }

    /// What comes out if input and output are given in pieces of these lengths.
    fn unpack(bytes: &[u8], piece: usize, room: usize) -> Result<(Vec<u8>, bool), Fault> {
        let (mut zstd, mut plain, mut at) = (Zstd::new(), Vec::new(), 0);
        loop {
            let mut out = vec![0; room];
            let step = zstd.step(&bytes[at..bytes.len().min(at + piece)], &mut out)?;
            plain.extend_from_slice(&out[..step.made]);
            at += step.taken;
            if step == Step::default() {
                return Ok((plain, zstd.is_whole()));
            }
        }
    }

    #[test]
    fn what_was_compressed_comes_out_whatever_the_pieces() {
        for len in [0, 1, 100, 5000, 400_000] {
            let plain = text(len);
            let one = compress_to_vec(&plain[..], CompressionLevel::Fastest);
            for (piece, room) in [(1, 1000), (7, 100), (4096, 30_000), (1 << 20, 1 << 20)] {
                assert!(unpack(&one, piece, room) == Ok((plain.clone(), true)), "{len} {piece}");
            }
            let skipped = [&[0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 9, 9, 9], &one[..], &one].concat();
            assert!(unpack(&skipped, 100, 1000) == Ok((plain.repeat(2), true)), "{len}");
        }
    }

    #[test]
    fn a_part_of_a_file_is_told_from_a_whole_one_and_gives_what_it_has() {
        let plain = text(300_000);
        let whole = compress_to_vec(&plain[..], CompressionLevel::Fastest);
        for end in [0, 1, 5, 7, 12, 100, whole.len() / 2, whole.len() - 1] {
            let (made, is_whole) = unpack(&whole[..end], 1000, 1000).unwrap();
            assert!(!is_whole && plain.starts_with(&made), "{end}");
        }
    }

    #[test]
    fn damage_is_found_and_too_large_a_window_is_told_from_it() {
        let whole = compress_to_vec(&text(3000)[..], CompressionLevel::Fastest);
        // A block of bytes as they are, and their checksum, which is in no frame of that encoder.
        let plain = text(100);
        let mut frame = [&[0x28, 0xb5, 0x2f, 0xfd, 0x24, 100, 0x21, 3, 0][..], &plain].concat();
        let mut decoder = FrameDecoder::new();
        decoder.init(&[&[0x28, 0xb5, 0x2f, 0xfd, 0x20, 100][..]].concat()[..]).unwrap();
        decoder.decode_blocks(&frame[6..], BlockDecodingStrategy::All).unwrap();
        assert_eq!(decoder.read(&mut [0; 100]).unwrap(), 100);
        frame.extend(decoder.get_calculated_checksum().unwrap().to_le_bytes());
        assert_eq!(unpack(&frame, 500, 500), Ok((plain, true)));
        for at in (0..4).chain(9..frame.len()) {
            let mut bytes = frame.clone();
            bytes[at] ^= 0x80;
            assert!(!matches!(unpack(&bytes, 500, 500), Ok((_, true))), "byte {at}");
        }
        let mut large = whole.clone();
        large.splice(4..6, [0, 0x88]);
        assert_eq!(unpack(&large, 500, 500), Err(Fault::Packed));
    }
}
