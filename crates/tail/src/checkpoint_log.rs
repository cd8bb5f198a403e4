//! The checkpoint's log as it is written: what changed since the last write, and where it goes.
//!
//! Owns when all is written instead. Pure: the engine says what changed, writes the bytes, and
//! tells whether that went well. The format is [`crate::checkpoint`]'s.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::checkpoint::{
    DELIVERED, FOLLOWED, FOREIGN, FORGOTTEN, Known, MAGIC, OURS, PLACE_BYTES, RECORD_HEAD_BYTES,
    VERSION, record_crc,
};

/// A log is not begun anew for less.
const ADDED_BYTES_MIN: usize = if cfg!(test) { 512 } else { 64 << 10 };
/// Memory that an unusually long record took is given back down to this.
const RECORD_BYTES_KEPT: usize = 64 << 10;

/// What is to be written, and where.
#[derive(Debug)]
pub struct Write<'a> {
    /// Offset in the file.
    pub offset: u64,
    /// All of it at once.
    pub bytes: &'a [u8],
}

/// The log being written.
#[derive(Debug, Default)]
pub struct Log {
    generation: u64,
    place: u64,
    /// A new log is to be begun, in the other place.
    anew: bool,
    /// Bytes of the log that are written, the zeros at its end not counted.
    len: usize,
    /// Bytes of its first record and header.
    first_len: usize,
    records: u32,
    bytes: Vec<u8>,
}

impl Log {
    /// Goes on after what was found: the next write begins a log at `place`, newer than
    /// `generation`.
    pub fn after(generation: u64, place: usize) -> Log {
        // The place is changed by the first write.
        Log { generation, place: 1 - (place as u64).min(1), anew: true, ..Log::default() }
    }

    /// Whether the next write is to be of everything, not only of what changed.
    pub fn is_due_anew(&self) -> bool {
        self.anew || self.len > self.first_len + self.first_len.max(ADDED_BYTES_MIN)
    }

    /// What has to be written so that the file says this of these paths and nothing of the
    /// forgotten ones, if anything. The caller writes it and says what became of it by
    /// [`Log::written`]. `Err` if it does not fit.
    pub fn write<'a, K: Iterator<Item = Known>>(
        &mut self,
        entries: impl Iterator<Item = (&'a Path, K)>,
        forgotten: impl Iterator<Item = &'a Path>,
    ) -> Result<Option<Write<'_>>, TooLarge> {
        if self.is_due_anew() {
            (self.len, self.records) = (0, 0);
            self.generation += 1;
            self.place = 1 - self.place;
            self.anew = true;
        }
        self.bytes.clear();
        if self.anew {
            self.bytes.extend_from_slice(MAGIC);
            self.bytes.extend_from_slice(&u32::from(VERSION).to_le_bytes());
            let generation = self.generation.to_le_bytes();
            self.bytes.extend_from_slice(&crc32fast::hash(&generation).to_le_bytes());
            self.bytes.extend_from_slice(&generation);
        }
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&[0; RECORD_HEAD_BYTES]);
        if !self.add_changes(entries, forgotten) {
            self.written(false);
            return Err(TooLarge);
        }
        let body_len = self.bytes.len() - start - RECORD_HEAD_BYTES;
        if body_len == 0 && !self.anew {
            return Ok(None);
        }
        let record = &mut self.bytes[start..];
        record[..4].copy_from_slice(&(body_len as u32).to_le_bytes());
        record[4..8].copy_from_slice(&(self.records + 1).to_le_bytes());
        let crc = record_crc(self.generation, record);
        self.bytes.extend_from_slice(&crc.to_le_bytes());
        self.bytes.extend_from_slice(&[0; RECORD_HEAD_BYTES]);
        if (self.len + self.bytes.len()) as u64 > PLACE_BYTES {
            self.written(false);
            return Err(TooLarge);
        }
        let offset = self.place * PLACE_BYTES + self.len as u64;
        Ok(Some(Write { offset, bytes: &self.bytes }))
    }

    /// Whether the bytes of the last [`Log::write`] are in the file. What is not known to be there
    /// is written anew, elsewhere.
    pub fn written(&mut self, is_whole: bool) {
        if !is_whole {
            // The next one takes the same place again: the other has all that is sure.
            self.place = if self.anew { 1 - self.place } else { self.place };
            self.anew = true;
            return;
        }
        self.len += self.bytes.len() - RECORD_HEAD_BYTES;
        self.first_len = if self.anew { self.len } else { self.first_len };
        self.records += 1;
        self.anew = false;
        if self.bytes.capacity() > RECORD_BYTES_KEPT {
            self.bytes = Vec::new();
        }
    }

    /// Adds what has changed. False if a path is too long.
    fn add_changes<'a, K: Iterator<Item = Known>>(
        &mut self,
        entries: impl Iterator<Item = (&'a Path, K)>,
        forgotten: impl Iterator<Item = &'a Path>,
    ) -> bool {
        let mut fits = true;
        // First: a path may have come back since.
        for path in forgotten.take_while(|_| !self.anew) {
            fits &= encode_path(FORGOTTEN, path, &mut self.bytes);
        }
        for (path, known) in entries {
            fits &= encode_path(FOLLOWED, path, &mut self.bytes);
            encode_all_known(known, &mut self.bytes);
        }
        fits
    }
}

/// What is to be remembered does not fit into the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLarge;

fn encode_path(kind: u8, path: &Path, out: &mut Vec<u8>) -> bool {
    let path = path.as_os_str().as_bytes();
    let Ok(path_len) = u16::try_from(path.len()) else { return false };
    out.push(kind);
    out.extend_from_slice(&path_len.to_le_bytes());
    out.extend_from_slice(path);
    true
}

pub(crate) fn encode_all_known(known: impl Iterator<Item = Known>, out: &mut Vec<u8>) {
    let count_at = out.len();
    out.extend_from_slice(&[0; 4]);
    let mut count = 0_u32;
    for one in known {
        encode_known(&one, out);
        count += 1;
    }
    out[count_at..count_at + 4].copy_from_slice(&count.to_le_bytes());
}

fn encode_known(known: &Known, out: &mut Vec<u8>) {
    let position = &known.position;
    // Two bits, and six for the cuts: what knew no cuts wrote 0 or 1.
    let kind = match (known.foreign, known.delivered) {
        (false, _) => OURS,
        (true, false) => FOREIGN,
        (true, true) => DELIVERED,
    };
    out.push(kind | position.cuts << 2);
    for number in [position.id.dev, position.id.ino, position.id.born_ns, position.frontier] {
        out.extend_from_slice(&number.to_le_bytes());
    }
    for sum in [position.head, position.guard] {
        out.extend_from_slice(&sum.len.to_le_bytes());
        out.extend_from_slice(&sum.crc.to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use std::iter;

    use super::*;
    use crate::checkpoint::Entries;
    use crate::checkpoint::tests::entries;

    /// Writes, well or not, and gives where and how much. Of the entries only the one that changes
    /// is given if that is enough.
    fn write(log: &mut Log, entries: &Entries, is_whole: bool) -> Option<(u64, usize)> {
        let all = log.is_due_anew();
        let given = entries.iter().filter(|(path, _)| all || path.ends_with("changing"));
        let given = given.map(|(path, known)| (path.as_path(), known.iter().copied()));
        let write = log.write(given, iter::empty()).unwrap();
        let write = write.map(|write| (write.offset, write.bytes.len()));
        if write.is_some() {
            log.written(is_whole);
        }
        write
    }

    fn with(mut entries: Entries, number: u64) -> Entries {
        let known = entries.values().find_map(|known| known.first().copied()).unwrap();
        let mut known = known;
        known.position.id.ino = number;
        entries.insert("/changing".into(), vec![known]);
        entries
    }

    #[test]
    fn only_what_changed_is_written() {
        let mut log = Log::after(0, 0);
        let many = entries(40);
        let (_, all) = write(&mut log, &with(many.clone(), 0), true).unwrap();
        let (at, one) = write(&mut log, &with(many.clone(), 1), true).unwrap();
        assert_eq!(at, (all - RECORD_HEAD_BYTES) as u64, "behind what is there");
        assert!(one < 120, "{one} bytes of {all}");
        assert_eq!(write(&mut log, &many, true), None, "nothing changed");
    }

    #[test]
    fn a_log_twice_as_long_as_need_be_is_begun_anew_in_the_other_place() {
        let mut log = Log::after(0, 0);
        let (few, mut places) = (entries(3), Vec::new());
        let mut longest = 0;
        for number in 0..100 {
            let (at, len) = write(&mut log, &with(few.clone(), number), true).unwrap();
            longest = longest.max(at % PLACE_BYTES + len as u64);
            places.push(at / PLACE_BYTES);
        }
        places.dedup();
        assert!(places.len() > 5 && places[..3] == [0, 1, 0], "{places:?}");
        assert!(longest < 3 * ADDED_BYTES_MIN as u64, "{longest}");
    }

    #[test]
    fn after_a_failure_the_place_that_is_whole_is_left_alone() {
        let (mut log, few) = (Log::after(0, 0), entries(3));
        let place = |written: Option<(u64, usize)>| written.unwrap().0 / PLACE_BYTES;
        assert_eq!(place(write(&mut log, &with(few.clone(), 0), false)), 0);
        assert_eq!(place(write(&mut log, &with(few.clone(), 1), true)), 0, "the first one");
        let (at, _) = write(&mut log, &with(few.clone(), 2), false).unwrap();
        assert!(at > 0 && at < PLACE_BYTES, "added");
        for _ in 0..3 {
            let (at, _) = write(&mut log, &with(few.clone(), 3), false).unwrap();
            assert_eq!(at, PLACE_BYTES, "all of it, in the other place");
        }
        assert_eq!(place(write(&mut log, &with(few.clone(), 3), true)), 1);
        assert_eq!(place(write(&mut log, &with(few, 4), true)), 1, "and it goes on there");
    }

    #[test]
    fn a_path_that_is_too_long_is_an_error_and_the_next_write_is_whole() {
        let mut log = Log::after(0, 0);
        let few = entries(3);
        write(&mut log, &few, true);
        let mut long = few.clone();
        long.insert("x".repeat(70_000).into(), Vec::new());
        let all = long.iter().map(|(path, known)| (path.as_path(), known.iter().copied()));
        assert_eq!(log.write(all, iter::empty()).err(), Some(TooLarge));
        let (at, _) = write(&mut log, &few, true).unwrap();
        assert_eq!(at, PLACE_BYTES);
    }
}
