//! The checkpoint's bytes: two slots in one file, each whole or worthless by its checksum.
//!
//! Owns the format and the choice between slots. Pure: the engine reads and writes the bytes.
//!
//! ```text
//! slot 0 at 0, slot 1 at SLOT_BYTES_MAX; little endian
//! 0   8  magic "logscrap"
//! 8   2  format version      10  2  zero
//! 12  4  length of the body  16  8  sequence number, one higher at each write
//! 24  -  body: a count of files, then for each its path and its known generations
//! end 4  CRC-32 of all before it
//! ```

use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::fs::FileId;
use crate::position::{GUARD_BYTES_MAX, HEAD_BYTES_MAX, Position, Sum};

/// Room for one slot; the file is sparse. About twenty thousand generations fit.
pub const SLOT_BYTES_MAX: usize = 2 << 20;
/// Bytes of a slot that tell its length.
pub const HEADER_BYTES: usize = 24;

const MAGIC: &[u8; 8] = b"logscrap";
const VERSION: u16 = 1;
const CRC_BYTES: usize = 4;

/// A generation known to the checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// How far it was written out.
    pub position: Position,
    /// It carries a rotated file's name, yet is none of this path's generations: never read.
    pub foreign: bool,
}

/// One followed path and its generations, oldest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The path as it is followed.
    pub path: PathBuf,
    /// What is known of it.
    pub known: Vec<Known>,
}

/// A slot that was read and found whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// The higher one of two slots is the newer.
    pub sequence: u64,
    /// The followed paths.
    pub entries: Vec<Entry>,
}

/// Why a slot is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damage {
    /// The checksum is right and the content makes no sense.
    Inconsistent,
    /// Written by a version of this program to come.
    Newer(u16),
    /// It begins with something else than a checkpoint.
    NotACheckpoint,
    /// Cut short or changed.
    Torn,
    /// It could not be read.
    Unreadable,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Damage::Inconsistent => f.write_str("its content makes no sense"),
            Damage::Newer(version) => {
                write!(f, "it is of format {version}, this program knows {VERSION}")
            }
            Damage::NotACheckpoint => f.write_str("it is not a checkpoint"),
            Damage::Torn => f.write_str("it is torn"),
            Damage::Unreadable => f.write_str("it cannot be read"),
        }
    }
}

/// What is in a slot's place.
pub type Found = Result<Option<Slot>, Damage>;

/// What both slots amount to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The newest whole slot.
    pub slot: Option<Slot>,
    /// The slot to write next: never the only whole one.
    pub next: usize,
    /// What is wrong with the first slot, with the second.
    pub damage: [Option<Damage>; 2],
}

/// Chooses between the two slots.
pub fn choose_slot(first: Found, second: Found) -> Choice {
    let damage = [first.as_ref().err().copied(), second.as_ref().err().copied()];
    let (first, second) = (first.unwrap_or(None), second.unwrap_or(None));
    let second_is_newer = match (&first, &second) {
        (Some(first), Some(second)) => second.sequence > first.sequence,
        (None, Some(_)) => true,
        (_, None) => false,
    };
    let (slot, next) = match second_is_newer {
        true => (second, 0),
        false => (first.or(second), 1),
    };
    let next = if slot.is_none() { 0 } else { next };
    Choice { slot, next, damage }
}

/// Encodes a slot into `out`, which is emptied first. False if it would not fit.
pub fn encode<'a>(
    sequence: u64,
    entries: impl Iterator<Item = (&'a Path, &'a mut dyn Iterator<Item = Known>)>,
    out: &mut Vec<u8>,
) -> bool {
    out.clear();
    out.extend_from_slice(MAGIC);
    out.extend_from_slice(&VERSION.to_le_bytes());
    out.extend_from_slice(&[0; 6]);
    out.extend_from_slice(&sequence.to_le_bytes());
    out.extend_from_slice(&[0; 4]);
    let mut entry_count = 0_u32;
    for (path, known) in entries {
        let path = path.as_os_str().as_bytes();
        let Ok(path_len) = u16::try_from(path.len()) else { return false };
        out.extend_from_slice(&path_len.to_le_bytes());
        out.extend_from_slice(path);
        let count_at = out.len();
        out.extend_from_slice(&[0; 4]);
        let mut count = 0_u32;
        for one in known {
            encode_known(&one, out);
            count += 1;
        }
        out[count_at..count_at + 4].copy_from_slice(&count.to_le_bytes());
        entry_count += 1;
        if out.len() > SLOT_BYTES_MAX - CRC_BYTES {
            return false;
        }
    }
    out[HEADER_BYTES..HEADER_BYTES + 4].copy_from_slice(&entry_count.to_le_bytes());
    let body_len = (out.len() - HEADER_BYTES) as u32;
    out[12..16].copy_from_slice(&body_len.to_le_bytes());
    let crc = crc32fast::hash(out);
    out.extend_from_slice(&crc.to_le_bytes());
    true
}

fn encode_known(known: &Known, out: &mut Vec<u8>) {
    let position = &known.position;
    out.push(u8::from(known.foreign));
    for number in [position.id.dev, position.id.ino, position.id.born_ns, position.frontier] {
        out.extend_from_slice(&number.to_le_bytes());
    }
    for sum in [position.head, position.guard] {
        out.extend_from_slice(&sum.len.to_le_bytes());
        out.extend_from_slice(&sum.crc.to_le_bytes());
    }
}

/// How many bytes the slot that begins with `header` has, checksum included; `None` if there is
/// nothing at all (no byte, or zeros only, as in the sparse file's unwritten part).
pub fn slot_len(header: &[u8]) -> Result<Option<usize>, Damage> {
    if header.iter().all(|byte| *byte == 0) {
        return Ok(None);
    }
    let mut reader = Reader { rest: header };
    if reader.take(8)? != MAGIC {
        return Err(Damage::NotACheckpoint);
    }
    let version = reader.u16()?;
    reader.u16()?;
    let body_len = reader.u32()? as usize;
    reader.u64()?;
    if body_len > SLOT_BYTES_MAX - HEADER_BYTES - CRC_BYTES {
        return Err(if version > VERSION { Damage::Newer(version) } else { Damage::Torn });
    }
    Ok(Some(HEADER_BYTES + body_len + CRC_BYTES))
}

/// Decodes a slot of which `bytes` were read.
pub fn decode(bytes: &[u8]) -> Found {
    let header = &bytes[..bytes.len().min(HEADER_BYTES)];
    let Some(len) = slot_len(header)? else { return Ok(None) };
    if bytes.len() < len {
        return Err(Damage::Torn);
    }
    let (body, crc) = bytes[..len].split_at(len - CRC_BYTES);
    if crc32fast::hash(body).to_le_bytes() != crc {
        return Err(Damage::Torn);
    }
    let mut reader = Reader { rest: &body[8..] };
    match reader.u16()? {
        VERSION => {}
        newer => return Err(Damage::Newer(newer)),
    }
    reader.take(6)?;
    let sequence = reader.u64()?;
    let entries = decode_body(reader).map_err(|_| Damage::Inconsistent)?;
    Ok(Some(Slot { sequence, entries }))
}

fn decode_body(mut reader: Reader) -> Result<Vec<Entry>, Damage> {
    let mut entries = Vec::new();
    for _ in 0..reader.u32()? {
        let path_len = usize::from(reader.u16()?);
        let path = Path::new(OsStr::from_bytes(reader.take(path_len)?)).to_owned();
        let mut known = Vec::new();
        for _ in 0..reader.u32()? {
            known.push(decode_known(&mut reader)?);
        }
        entries.push(Entry { path, known });
    }
    if !reader.rest.is_empty() {
        return Err(Damage::Inconsistent);
    }
    Ok(entries)
}

fn decode_known(reader: &mut Reader) -> Result<Known, Damage> {
    let foreign = reader.take(1)?[0] != 0;
    let id = FileId { dev: reader.u64()?, ino: reader.u64()?, born_ns: reader.u64()? };
    let frontier = reader.u64()?;
    let head = Sum { len: reader.u16()?, crc: reader.u32()? };
    let guard = Sum { len: reader.u16()?, crc: reader.u32()? };
    let head_len_min = frontier.min(HEAD_BYTES_MAX as u64) as usize;
    let guard_len = frontier.min(GUARD_BYTES_MAX as u64) as usize;
    if guard.bytes() != guard_len || !(head_len_min..=HEAD_BYTES_MAX).contains(&head.bytes()) {
        return Err(Damage::Inconsistent);
    }
    Ok(Known { position: Position { id, head, guard, frontier }, foreign })
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], Damage> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(Damage::Torn)?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Damage> {
        self.take(N)?.try_into().map_err(|_| Damage::Torn)
    }

    fn u16(&mut self) -> Result<u16, Damage> {
        self.array().map(u16::from_le_bytes)
    }

    fn u32(&mut self) -> Result<u32, Damage> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Result<u64, Damage> {
        self.array().map(u64::from_le_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(ino: u64, foreign: bool) -> Known {
        let id = FileId { dev: 7, ino, born_ns: 99 };
        let mut position = Position::start(id);
        let bytes = vec![ino as u8; 1500];
        position.advance(&bytes, 1500);
        Known { position, foreign }
    }

    fn slot(sequence: u64) -> Slot {
        let entries = vec![
            Entry { path: "/var/log/app/logs.txt".into(), known: vec![known(1, false)] },
            Entry { path: "/b".into(), known: vec![known(2, true), known(3, false)] },
            Entry { path: "/c".into(), known: vec![] },
        ];
        Slot { sequence, entries }
    }

    fn encoded(slot: &Slot) -> Vec<u8> {
        let mut out = Vec::new();
        let mut known: Vec<_> =
            slot.entries.iter().map(|entry| entry.known.iter().copied()).collect();
        let entries = slot.entries.iter().zip(&mut known);
        let entries = entries
            .map(|(entry, known)| (entry.path.as_path(), known as &mut dyn Iterator<Item = Known>));
        assert!(encode(slot.sequence, entries, &mut out));
        out
    }

    #[test]
    fn what_was_encoded_is_decoded_and_bytes_behind_it_do_not_matter() {
        let mut bytes = encoded(&slot(5));
        assert_eq!(decode(&bytes), Ok(Some(slot(5))));
        bytes.extend_from_slice(b"left over from a longer slot");
        assert_eq!(decode(&bytes), Ok(Some(slot(5))));
    }

    #[test]
    fn every_prefix_and_every_changed_byte_is_refused() {
        let bytes = encoded(&slot(5));
        assert_eq!(decode(&[]), Ok(None));
        assert_eq!(decode(&[0; 100]), Ok(None));
        for end in 1..bytes.len() {
            assert!(decode(&bytes[..end]).is_err(), "prefix of {end}");
        }
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut changed = bytes.clone();
                changed[at] ^= 1 << bit;
                assert!(decode(&changed).is_err(), "byte {at} bit {bit}");
            }
        }
    }

    #[test]
    fn a_newer_format_and_a_foreign_file_are_named() {
        let mut newer = encoded(&slot(5));
        newer[8] = 2;
        let end = newer.len() - CRC_BYTES;
        let crc = crc32fast::hash(&newer[..end]).to_le_bytes();
        newer[end..].copy_from_slice(&crc);
        assert_eq!(decode(&newer), Err(Damage::Newer(2)));
        assert_eq!(decode(b"root:x:0:0:root:/root:/bin/bash\n"), Err(Damage::NotACheckpoint));
    }

    #[test]
    fn lengths_that_contradict_the_frontier_are_inconsistent() {
        let mut bad = slot(5);
        bad.entries[0].known[0].position.guard.len = 100;
        assert_eq!(decode(&encoded(&bad)), Err(Damage::Inconsistent));
        bad = slot(5);
        bad.entries[0].known[0].position.head.len = 1023;
        assert_eq!(decode(&encoded(&bad)), Err(Damage::Inconsistent));
    }

    #[test]
    fn the_newest_whole_slot_is_chosen_and_never_overwritten_next() {
        let check = |first: Found, second: Found, chosen: Option<u64>, next: usize| {
            let choice = choose_slot(first, second);
            assert_eq!(choice.slot.map(|slot| slot.sequence), chosen);
            assert_eq!(choice.next, next);
        };
        check(Ok(None), Ok(None), None, 0);
        check(Ok(Some(slot(1))), Ok(None), Some(1), 1);
        check(Ok(None), Ok(Some(slot(1))), Some(1), 0);
        check(Ok(Some(slot(1))), Ok(Some(slot(2))), Some(2), 0);
        check(Ok(Some(slot(3))), Ok(Some(slot(2))), Some(3), 1);
        check(Err(Damage::Torn), Ok(Some(slot(2))), Some(2), 0);
        check(Ok(Some(slot(2))), Err(Damage::Newer(9)), Some(2), 1);
        check(Err(Damage::Torn), Ok(None), None, 0);
    }
}
