//! The checkpoint's bytes: a log in one of two places of a file, whole up to its first bad checksum.
//!
//! Owns the format and how it is read. Pure: the engine reads and writes the bytes.
//! [`crate::checkpoint_log`] makes what is written, [`crate::checkpoint_v1`] reads what version 1
//! wrote.
//!
//! ```text
//! place 0 at 0, place 1 at PLACE_BYTES; little endian
//! 0   8  magic "logscrap"
//! 8   2  format version      10  2  zero      12  4  CRC-32 of the generation
//! 16  8  generation, one higher whenever a log is begun; the higher one of two is the newer
//! 24  -  records: the first has everything, each other one what changed since the one before
//!
//! record: length of the body (4), its number in the log from 1 (4), body, CRC-32 over generation,
//! length, number and body (4). Where the next one would be: eight zeros.
//! body: changes; each a path and what is known of its files, or that it is followed no more
//! ```
//!
//! A log is added to until it is twice what everything takes; then the other place gets a new one.
//! Until that is whole the old one stays as it is.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::fs::{FileId, Probe};
use crate::position::{GUARD_BYTES_MAX, HEAD_BYTES_MAX, Position, Sum};

/// Room for one log; the file is sparse. About half a million files fit.
pub const PLACE_BYTES: u64 = 64 << 20;
/// Bytes at the beginning of a place.
pub const HEADER_BYTES: usize = 24;
/// Bytes of a record before its body.
pub const RECORD_HEAD_BYTES: usize = 8;
/// Bytes of a checksum.
pub const CRC_BYTES: usize = 4;
/// What a version to come may call itself; beyond it the file is something else.
const VERSIONS_MAX: u16 = 255;

pub(crate) const MAGIC: &[u8; 8] = b"logscrap";
pub(crate) const VERSION: u16 = 2;
/// Kinds of changes in a body.
pub(crate) const FOLLOWED: u8 = 1;
pub(crate) const FORGOTTEN: u8 = 2;
/// Kinds of files; any other one is foreign.
pub(crate) const OURS: u8 = 0;
pub(crate) const FOREIGN: u8 = 1;
pub(crate) const DELIVERED: u8 = 2;

/// A generation known to the checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// How far it was written out.
    pub position: Position,
    /// It carries a rotated file's name, yet is none of this path's generations: never read.
    pub foreign: bool,
    /// It is not read, for all its bytes were written out: they were those of another file.
    pub delivered: bool,
    /// Its size and the time of its last write when it was closed, read to its end: a file that was
    /// cut may well have grown to the size it had. Not in the checkpoint.
    pub left: Option<(u64, u64)>,
    /// An older file that was still open when it was closed. The order in the checkpoint says it, too.
    pub(crate) after: Option<FileId>,
}

impl Known {
    /// A generation of the path.
    pub fn ours(position: Position) -> Known {
        Known { position, foreign: false, delivered: false, left: None, after: None }
    }

    /// None of its generations.
    pub fn foreign(position: Position) -> Known {
        Known { foreign: true, ..Known::ours(position) }
    }

    /// None of its generations, with the bytes of one that was written out.
    pub(crate) fn delivered(position: Position) -> Known {
        Known { delivered: true, ..Known::foreign(position) }
    }

    /// Whether what is before its position was written out, and is not only none of ours.
    pub(crate) fn is_out(&self) -> bool {
        !self.foreign || self.delivered
    }

    /// Whether all of a file was read that is as `probe` says.
    pub(crate) fn is_all_of(&self, probe: &Probe) -> bool {
        match self.left {
            Some(left) => left == (probe.size, probe.written_ns),
            None => self.position.frontier == probe.size,
        }
    }
}

/// Followed paths and what is known of their files, oldest first.
pub type Entries = BTreeMap<PathBuf, Vec<Known>>;

/// Why something in the checkpoint is not believed.
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
    /// There is a file, and nothing but zeros in it.
    Zeroed,
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
            Damage::Zeroed => f.write_str("there is nothing but zeros in it"),
        }
    }
}

/// Whether a file is no checkpoint and must not be written to. `read` fills a buffer from an
/// offset and returns how much there was. Of the magic a few bytes may be wrong, and a file of
/// zeros was a checkpoint before the machine went down.
pub fn is_foreign(mut read: impl FnMut(u64, &mut [u8]) -> usize) -> bool {
    let mut first = [0; HEADER_BYTES];
    let filled = read(0, &mut first);
    let first = &first[..filled];
    if first.iter().all(|byte| *byte == 0) {
        return false;
    }
    let alike = first.iter().zip(MAGIC).filter(|(byte, magic)| byte == magic).count();
    let is_text = filled > 11 && first[9..12].iter().all(|byte| *byte != 0);
    let mut elsewhere = |at| {
        let mut magic = [0; MAGIC.len()];
        read(at, &mut magic) == MAGIC.len() && magic == *MAGIC
    };
    (is_text || alike < filled.min(4))
        && !elsewhere(crate::checkpoint_v1::SLOT_BYTES_MAX as u64)
        && !elsewhere(PLACE_BYTES)
}

/// The log of one place as far as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The higher one of two is the newer.
    pub generation: u64,
    /// Everything it says.
    pub entries: Entries,
    records: u32,
}

impl Place {
    /// From the bytes at a place's beginning; `None` if there is nothing at all (no byte, or zeros
    /// only, as in the part of a sparse file that was never written).
    ///
    /// # Errors
    /// What is there instead, [`Damage::Newer`] for any other version.
    pub fn begin(header: &[u8]) -> Result<Option<Place>, Damage> {
        if header.iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        let mut reader = Reader { rest: header };
        if reader.take(8)? != MAGIC {
            return Err(Damage::NotACheckpoint);
        }
        match (reader.u16()?, reader.u16()?) {
            (VERSION, 0) => {}
            // Of version 1, and not read here.
            (1, 0) => return Ok(None),
            (newer @ 3..=VERSIONS_MAX, 0) => return Err(Damage::Newer(newer)),
            _ => return Err(Damage::NotACheckpoint),
        }
        let crc = reader.u32()?;
        let generation = reader.u64()?;
        if crc != crc32fast::hash(&generation.to_le_bytes()) {
            return Err(Damage::Torn);
        }
        // Of which none could be newer.
        if generation == u64::MAX {
            return Err(Damage::Inconsistent);
        }
        Ok(Some(Place { generation, entries: Entries::new(), records: 0 }))
    }

    /// Length of the record that begins with `head`, checksum included; `None` behind the last.
    ///
    /// # Errors
    /// [`Damage::Torn`] if it cannot be one.
    pub fn record_len(&self, head: &[u8]) -> Result<Option<usize>, Damage> {
        if head.len() == RECORD_HEAD_BYTES && head.iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        let mut reader = Reader { rest: head };
        let (len, number) = (reader.u32()?, reader.u32()?);
        if number != self.records + 1 || u64::from(len) > PLACE_BYTES {
            return Err(Damage::Torn);
        }
        Ok(Some(RECORD_HEAD_BYTES + len as usize + CRC_BYTES))
    }

    /// Takes in a whole record.
    ///
    /// # Errors
    /// Why it is not believed. What was there before it stays.
    pub fn add(&mut self, record: &[u8]) -> Result<(), Damage> {
        let at = record.len().checked_sub(CRC_BYTES).ok_or(Damage::Torn)?;
        let (record, crc) = record.split_at_checked(at).ok_or(Damage::Torn)?;
        if record_crc(self.generation, record).to_le_bytes() != crc {
            return Err(Damage::Torn);
        }
        let body = record.get(RECORD_HEAD_BYTES..).ok_or(Damage::Torn)?;
        let changes = decode_body(body).map_err(|_| Damage::Inconsistent)?;
        for (path, known) in changes {
            match known {
                Some(known) => self.entries.insert(path, known),
                None => self.entries.remove(&path),
            };
        }
        self.records += 1;
        Ok(())
    }

    /// Whether it has a first record: without one it says nothing.
    pub fn is_begun(&self) -> bool {
        self.records > 0
    }
}

pub(crate) fn record_crc(generation: u64, record: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(&generation.to_le_bytes());
    crc.update(record);
    crc.finalize()
}

/// One path and what is known of it; nothing if it is followed no more.
type Change = (PathBuf, Option<Vec<Known>>);

fn decode_body(body: &[u8]) -> Result<Vec<Change>, Damage> {
    let mut reader = Reader { rest: body };
    let mut changes = Vec::new();
    while !reader.rest.is_empty() {
        let kind = reader.take(1)?[0];
        let path_len = usize::from(reader.u16()?);
        let path = Path::new(OsStr::from_bytes(reader.take(path_len)?)).to_owned();
        let known = match kind {
            FOLLOWED => Some(decode_all_known(&mut reader)?),
            FORGOTTEN => None,
            _ => return Err(Damage::Inconsistent),
        };
        changes.push((path, known));
    }
    Ok(changes)
}

pub(crate) fn decode_all_known(reader: &mut Reader) -> Result<Vec<Known>, Damage> {
    (0..reader.u32()?).map(|_| decode_known(reader)).collect()
}

fn decode_known(reader: &mut Reader) -> Result<Known, Damage> {
    let flags = reader.take(1)?[0];
    let (kind, cuts) = (flags & 3, flags >> 2);
    let id = FileId { dev: reader.u64()?, ino: reader.u64()?, born_ns: reader.u64()? };
    let frontier = reader.u64()?;
    let head = Sum { len: reader.u16()?, crc: reader.u32()? };
    let guard = Sum { len: reader.u16()?, crc: reader.u32()? };
    let head_len_min = frontier.min(HEAD_BYTES_MAX as u64) as usize;
    let guard_len = frontier.min(GUARD_BYTES_MAX as u64) as usize;
    if guard.bytes() != guard_len || !(head_len_min..=HEAD_BYTES_MAX).contains(&head.bytes()) {
        return Err(Damage::Inconsistent);
    }
    let position = Position { id, head, guard, frontier, cuts };
    let (foreign, delivered) = (kind != OURS, kind == DELIVERED);
    Ok(Known { foreign, delivered, ..Known::ours(position) })
}

/// Takes numbers from the front of bytes.
pub(crate) struct Reader<'a> {
    pub(crate) rest: &'a [u8],
}

impl<'a> Reader<'a> {
    #[inline]
    pub(crate) fn take(&mut self, count: usize) -> Result<&'a [u8], Damage> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(Damage::Torn)?;
        self.rest = rest;
        Ok(taken)
    }

    #[inline]
    fn array<const N: usize>(&mut self) -> Result<[u8; N], Damage> {
        self.take(N)?.try_into().map_err(|_| Damage::Torn)
    }

    #[inline]
    pub(crate) fn u16(&mut self) -> Result<u16, Damage> {
        self.array().map(u16::from_le_bytes)
    }

    #[inline]
    pub(crate) fn u32(&mut self) -> Result<u32, Damage> {
        self.array().map(u32::from_le_bytes)
    }

    #[inline]
    pub(crate) fn u64(&mut self) -> Result<u64, Damage> {
        self.array().map(u64::from_le_bytes)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::checkpoint_log::Log;

    fn known(ino: u64, foreign: bool) -> Known {
        let id = FileId { dev: 7, ino, born_ns: 99 };
        let mut position = Position { cuts: (ino % 64) as u8, ..Position::start(id) };
        let bytes = vec![ino as u8; 1500];
        position.advance(&bytes, 1500);
        let delivered = foreign && ino % 200 == 1;
        Known { foreign, delivered, ..Known::ours(position) }
    }

    /// This many paths, each with another number of files.
    pub(crate) fn entries(count: u64) -> Entries {
        let path = |number| PathBuf::from(format!("/var/log/app/{number}.log"));
        let known =
            |number| (0..number).map(|file| known(number * 100 + file, file == 1)).collect();
        (0..count).map(|number| (path(number), known(number))).collect()
    }

    /// What the log writes next, as (offset, bytes).
    fn written(log: &mut Log, entries: &Entries) -> Option<(u64, Vec<u8>)> {
        write(log, entries, &[])
    }

    fn write(log: &mut Log, entries: &Entries, forgotten: &[&Path]) -> Option<(u64, Vec<u8>)> {
        let entries = entries.iter().map(|(path, known)| (path.as_path(), known.iter().copied()));
        let write = log.write(entries, forgotten.iter().copied()).unwrap();
        let write = write.map(|write| (write.offset, write.bytes.to_vec()));
        if write.is_some() {
            log.written(true);
        }
        write
    }

    /// Reads a place as the engine does. The error comes with what was read before it.
    fn read(bytes: &[u8]) -> Result<Place, (Option<Place>, Damage)> {
        let header = &bytes[..bytes.len().min(HEADER_BYTES)];
        let mut place = match Place::begin(header) {
            Ok(place) => place.ok_or((None, Damage::Zeroed))?,
            Err(damage) => return Err((None, damage)),
        };
        let mut at = HEADER_BYTES;
        loop {
            let rest = &bytes[at.min(bytes.len())..];
            let head = &rest[..rest.len().min(RECORD_HEAD_BYTES)];
            let len = place.record_len(head);
            let record = match len {
                Ok(None) => return Ok(place),
                Ok(Some(len)) => rest.get(..len).ok_or(Damage::Torn),
                Err(damage) => Err(damage),
            };
            match record.and_then(|record| place.add(record)) {
                Ok(()) => at += record.map_or(0, <[u8]>::len),
                Err(damage) => return Err((Some(place), damage)),
            }
        }
    }

    /// A log of everything, and then of one change.
    fn two_records() -> (Vec<u8>, usize) {
        let mut log = Log::after(4, 0);
        let (offset, mut bytes) = written(&mut log, &entries(3)).unwrap();
        assert_eq!(offset, 0);
        let changed = Entries::from([("/new".into(), vec![known(9, false)])]);
        let forgotten = [Path::new("/var/log/app/1.log"), Path::new("/new")];
        let (offset, more) = write(&mut log, &changed, &forgotten).unwrap();
        let first_end = offset as usize;
        bytes.truncate(first_end);
        bytes.extend_from_slice(&more);
        (bytes, first_end)
    }

    #[test]
    fn what_was_written_in_pieces_is_read_as_a_whole() {
        let (mut bytes, _) = two_records();
        bytes.extend_from_slice(b"left over from a longer log");
        let place = read(&bytes).unwrap();
        assert_eq!(place.generation, 5);
        let mut expected = entries(3);
        expected.insert("/new".into(), vec![known(9, false)]);
        expected.remove(Path::new("/var/log/app/1.log"));
        assert_eq!(place.entries, expected);
    }

    #[test]
    fn of_a_torn_log_the_whole_records_are_read_and_no_changed_byte_is_believed() {
        let (bytes, first_end) = two_records();
        for end in 0..bytes.len() {
            let outcome = read(&bytes[..end]);
            let Err((place, _)) = outcome else { panic!("prefix of {end} is taken for whole") };
            let known = place.filter(Place::is_begun).map(|place| place.entries);
            let all = bytes.len() - RECORD_HEAD_BYTES;
            match end {
                _ if end < first_end => assert_eq!(known, None, "prefix of {end}"),
                _ if end < all => assert_eq!(known, Some(entries(3)), "prefix of {end}"),
                _ => assert!(known.is_some_and(|known| known.contains_key(Path::new("/new")))),
            }
        }
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut changed = bytes.clone();
                changed[at] ^= 1 << bit;
                assert!(read(&changed).is_err(), "byte {at} bit {bit}");
            }
        }
    }

    #[test]
    fn a_newer_format_zeros_and_another_version_are_told_apart() {
        let (bytes, _) = two_records();
        let check = |version: [u8; 4], expected: Result<bool, Damage>| {
            let mut header = bytes[..HEADER_BYTES].to_vec();
            header[8..12].copy_from_slice(&version);
            assert_eq!(Place::begin(&header).map(|place| place.is_some()), expected);
        };
        check([2, 0, 0, 0], Ok(true));
        check([1, 0, 0, 0], Ok(false));
        check([3, 0, 0, 0], Err(Damage::Newer(3)));
        check([255, 0, 0, 0], Err(Damage::Newer(255)));
        check([0, 1, 0, 0], Err(Damage::NotACheckpoint));
        check([2, 0, 1, 0], Err(Damage::NotACheckpoint));
        assert_eq!(Place::begin(&[]), Ok(None));
        assert_eq!(Place::begin(&[0; HEADER_BYTES]), Ok(None));
    }

    #[test]
    fn a_generation_that_none_can_follow_is_inconsistent() {
        for (before, expected) in
            [(u64::MAX - 1, Err(Damage::Inconsistent)), (u64::MAX - 2, Ok(true))]
        {
            let mut log = Log::after(before, 0);
            let (_, bytes) = written(&mut log, &entries(1)).unwrap();
            let place = Place::begin(&bytes[..HEADER_BYTES]);
            assert_eq!(place.map(|place| place.is_some()), expected, "after {before}");
        }
    }

    #[test]
    fn a_record_of_another_generation_is_not_believed() {
        let (old, _) = two_records();
        let mut log = Log::after(8, 0);
        let (_, new) = written(&mut log, &entries(1)).unwrap();
        // As if the zeros behind the new record had not reached the disk.
        let end = new.len() - RECORD_HEAD_BYTES;
        let mut mixed = old;
        mixed[..end].copy_from_slice(&new[..end]);
        let (place, damage) = read(&mixed).unwrap_err();
        assert_eq!(place.map(|place| place.entries), Some(entries(1)));
        assert_eq!(damage, Damage::Torn);
    }

    #[test]
    fn lengths_that_contradict_the_frontier_are_inconsistent() {
        let check = |spoil: fn(&mut Position)| {
            let mut bad = entries(2);
            let known = bad.values_mut().find_map(|known| known.first_mut()).unwrap();
            spoil(&mut known.position);
            let mut log = Log::after(0, 0);
            let (_, bytes) = written(&mut log, &bad).unwrap();
            assert_eq!(read(&bytes).unwrap_err().1, Damage::Inconsistent);
        };
        check(|position| position.guard.len = 100);
        check(|position| position.head.len = 1023);
    }

    #[test]
    fn a_foreign_file_is_told_from_a_spoilt_checkpoint() {
        let check = |bytes: &[u8], expected: bool| {
            let read = |at: u64, buf: &mut [u8]| {
                let rest = bytes.get(at as usize..).unwrap_or_default();
                let count = rest.len().min(buf.len());
                buf[..count].copy_from_slice(&rest[..count]);
                count
            };
            let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(20)]);
            assert_eq!(is_foreign(read), expected, "{shown:?}");
        };
        check(b"", false);
        check(&[0; 100], false);
        check(b"root:x:0:0:root:/root:/bin/bash\n", true);
        check(b"logscraper notes of last week\n", true);
        check(b"{}", true);
        check(b"\n", true);
        check(b"log", false);
        let (bytes, _) = two_records();
        check(&bytes, false);
        for at in 0..HEADER_BYTES {
            let mut changed = bytes.clone();
            changed[at] ^= 0x55;
            check(&changed, false);
        }
        check(&crate::checkpoint_v1::encode(1, &entries(2)), false);
        // The first place is unreadable, the second one proves whose file it is.
        let mut both = vec![b'x'; PLACE_BYTES as usize];
        both.extend_from_slice(&bytes);
        check(&both, false);
    }
}
