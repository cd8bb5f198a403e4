//! The checkpoint's way to and from its file.
//!
//! Owns when something is written and what is made of what is read at the start. The bytes are
//! the business of [`crate::checkpoint`] and its log.

use std::path::PathBuf;

use crate::checkpoint::{Damage, Entries, HEADER_BYTES, PLACE_BYTES, Place, RECORD_HEAD_BYTES};
use crate::checkpoint_log::Log;
use crate::checkpoint_v1::{self, SLOT_BYTES_MAX};
use crate::engine::Engine;
use crate::fs::{Fault, Fs};
use crate::pattern;
use crate::report::Notice;

/// What is in the checkpoint file.
#[derive(Debug, Default)]
struct Found {
    /// What it says; nothing if nothing of it can be believed.
    entries: Option<Entries>,
    /// What is wrong with it, nothing twice.
    damage: Vec<Damage>,
    /// Where the next log begins: never over the only one that is whole.
    log: Log,
}

impl Engine {
    /// Reads the checkpoint and makes a stream of each path.
    pub(crate) fn start(&mut self, fs: &mut dyn Fs, now_ms: u64) {
        self.checkpoint_at_ms = now_ms;
        self.ending |= self.options.exit_on_eof;
        let found = match self.options.checkpoint {
            true => read_checkpoint(fs),
            false => Found::default(),
        };
        let Found { entries, damage, log } = found;
        self.log = log;
        self.first_start = entries.is_none() && damage.is_empty();
        // What is left is older: what it does not know may have been cut since.
        let damaged = !damage.is_empty();
        self.notices.extend(damage.into_iter().map(Notice::BadCheckpoint));
        if damaged && entries.is_none() {
            self.notices.push(Notice::Recovering);
        }
        for path in self.options.paths.clone() {
            if !pattern::is_pattern(&path) {
                self.add_stream(path, true);
            }
        }
        for (path, known) in entries.unwrap_or_default() {
            // As paths are given to the engine; older programs kept the dot.
            let path = path.strip_prefix(".").map(PathBuf::from).unwrap_or(path);
            // Those that are followed already are named, and added but once.
            let followed = self.finder.index.by_path.contains_key(&path);
            if !followed && !self.is_wanted(&path) {
                continue;
            }
            let at = self.add_stream(path, false);
            self.streams[at].closed = known;
            self.streams[at].restored = true;
        }
    }

    /// Writes what changed since the last checkpoint, for an end that the engine does not see.
    pub fn save(&mut self, fs: &mut dyn Fs, now_ms: u64) {
        if self.started && self.changed {
            self.write_checkpoint(fs, now_ms);
        }
    }

    /// What is to be remembered of a stream is other than it was.
    pub(crate) fn note_changed(&mut self, at: usize) {
        self.changed = true;
        self.note_unsaved(at);
    }

    /// The same where it need not be written soon.
    pub(crate) fn note_unsaved(&mut self, at: usize) {
        if !std::mem::replace(&mut self.streams[at].unsaved, true) {
            self.unsaved.push(at);
        }
    }

    pub(crate) fn write_checkpoint(&mut self, fs: &mut dyn Fs, now_ms: u64) {
        self.checkpoint_at_ms = now_ms;
        // What is not acknowledged is not in it.
        self.bytes_since_checkpoint = self.outgoing.ledger.bytes();
        if !self.options.checkpoint {
            self.note_saved();
            return;
        }
        let mut written = self.write_log(fs);
        if written == Err(Fault::Missing) {
            // Somebody took the file away, and what was in it: all of it, then.
            written = self.write_log(fs);
        }
        match written {
            Ok(()) => {
                self.note_saved();
                self.reclaimer.is_saved = true;
                self.reclaimer.is_due = true;
            }
            Err(fault) => {
                self.reclaimer.is_saved = false;
                self.stats.checkpoint_failures += 1;
                self.notices.push(Notice::CheckpointFailed(fault));
            }
        }
    }

    fn note_saved(&mut self) {
        self.changed = false;
        self.forgotten = Vec::new();
        for at in self.unsaved.drain(..) {
            self.streams[at].unsaved = false;
        }
    }

    fn write_log(&mut self, fs: &mut dyn Fs) -> Result<(), Fault> {
        let all = if self.log.is_due_anew() { 0..self.streams.len() } else { 0..0 };
        let some = if all.is_empty() { &self.unsaved[..] } else { &[] };
        let streams = all.chain(some.iter().copied()).map(|at| &self.streams[at]);
        let entries = streams.map(|stream| {
            for one in &stream.generations {
                // A checkpoint ahead of the output loses lines with certainty, and silently.
                assert!(one.settled.frontier <= one.written.frontier, "checkpoint is behind");
            }
            (stream.path.as_path(), stream.known())
        });
        let forgotten = self.forgotten.iter().map(PathBuf::as_path);
        let written = match self.log.write(entries, forgotten) {
            Ok(None) => return Ok(()),
            Ok(Some(write)) => fs.write_checkpoint(write.offset, write.bytes),
            Err(_) => return Err(Fault::Full),
        };
        self.log.written(written.is_ok());
        written
    }
}

fn read_checkpoint(fs: &mut dyn Fs) -> Found {
    let mut damage = Vec::new();
    let mut places = Vec::new();
    for number in 0..2 {
        let (place, wrong) = read_place(fs, number as u64 * PLACE_BYTES);
        places.extend(place.map(|place| (place, number)));
        damage.extend(wrong);
    }
    if let Some((newest, number)) = places.into_iter().max_by_key(|(place, _)| place.generation) {
        damage.dedup();
        let log = Log::after(newest.generation, 1 - number);
        return Found { entries: Some(newest.entries), damage, log };
    }
    let mut slots = Vec::new();
    for number in 0..2 {
        match read_slot(fs, number * SLOT_BYTES_MAX as u64) {
            Ok(slot) => slots.extend(slot),
            Err(wrong) => damage.push(wrong),
        }
    }
    let mut some = [0];
    if damage.is_empty() && slots.is_empty() && read_part(fs, 0, &mut some) == Ok(1) {
        damage.push(Damage::Zeroed);
    }
    damage.dedup();
    let newest = slots.into_iter().max_by_key(|(sequence, _)| *sequence);
    let entries = newest.map(|(_, entries)| entries);
    // Both slots of version 1 are in the first place.
    let log = Log::after(0, usize::from(entries.is_some()));
    Found { entries, damage, log }
}

/// Reads the log at `start`, as far as it is whole.
fn read_place(fs: &mut dyn Fs, start: u64) -> (Option<Place>, Option<Damage>) {
    let mut header = [0; HEADER_BYTES];
    let begun =
        read_part(fs, start, &mut header).and_then(|filled| Place::begin(&header[..filled]));
    let mut place = match begun {
        Ok(Some(place)) => place,
        Ok(None) => return (None, None),
        Err(damage) => return (None, Some(damage)),
    };
    let mut at = start + HEADER_BYTES as u64;
    let damage = loop {
        match read_record(fs, at, &mut place) {
            Ok(Some(len)) => at += len as u64,
            Ok(None) => break None,
            Err(damage) => break Some(damage),
        }
    };
    (place.is_begun().then_some(place), damage)
}

/// Takes in the record at `at` and gives its length; `None` behind the last one.
fn read_record(fs: &mut dyn Fs, at: u64, place: &mut Place) -> Result<Option<usize>, Damage> {
    let mut head = [0; RECORD_HEAD_BYTES];
    let filled = read_part(fs, at, &mut head)?;
    let Some(len) = place.record_len(&head[..filled])? else { return Ok(None) };
    let mut record = vec![0; len];
    if read_part(fs, at, &mut record)? < len {
        return Err(Damage::Torn);
    }
    place.add(&record)?;
    Ok(Some(len))
}

fn read_slot(fs: &mut dyn Fs, start: u64) -> Result<Option<(u64, Entries)>, Damage> {
    let mut header = [0; HEADER_BYTES];
    let filled = read_part(fs, start, &mut header)?;
    let Some(len) = checkpoint_v1::slot_len(&header[..filled]) else { return Ok(None) };
    let mut bytes = vec![0; len];
    let filled = read_part(fs, start, &mut bytes)?;
    checkpoint_v1::decode(&bytes[..filled]).map(Some)
}

fn read_part(fs: &mut dyn Fs, start: u64, buf: &mut [u8]) -> Result<usize, Damage> {
    let mut filled = 0;
    while filled < buf.len() {
        match fs.read_checkpoint(start + filled as u64, &mut buf[filled..]) {
            Ok(0) | Err(Fault::Missing) => break,
            Ok(count) => filled += count,
            Err(_) => return Err(Damage::Unreadable),
        }
    }
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;
    use std::path::Path;

    use super::*;
    use crate::checkpoint::tests::entries;
    use crate::engine::Options;
    use crate::fs::{Handle, Probe};

    /// A file system that has nothing but a checkpoint, by places.
    #[derive(Default)]
    struct Memory {
        places: [Vec<u8>; 2],
        written: Vec<(u64, usize)>,
        /// What the next writes come to.
        faults: Vec<Fault>,
    }

    fn split(offset: u64) -> (usize, usize) {
        ((offset / PLACE_BYTES) as usize, (offset % PLACE_BYTES) as usize)
    }

    impl Fs for Memory {
        fn resolve(&mut self, _path: &Path) -> Result<PathBuf, Fault> {
            Err(Fault::Missing)
        }
        fn is_link(&mut self, _path: &Path) -> bool {
            false
        }
        fn data_from(&mut self, _file: Handle, offset: u64) -> Result<Option<u64>, Fault> {
            Ok(Some(offset))
        }
        fn list(&mut self, _: &Path) -> Result<Vec<OsString>, Fault> {
            Err(Fault::Missing)
        }
        fn probe_path(&mut self, _: &Path) -> Result<Probe, Fault> {
            Err(Fault::Missing)
        }
        fn open(&mut self, _: &Path) -> Result<Handle, Fault> {
            Err(Fault::Missing)
        }
        fn probe(&mut self, _: Handle) -> Result<Probe, Fault> {
            Err(Fault::Missing)
        }
        fn read_at(&mut self, _: Handle, _: u64, _: &mut [u8]) -> Result<usize, Fault> {
            Err(Fault::Missing)
        }
        fn remove(&mut self, _: &Path, _: FileId, _: u64) -> Result<bool, Fault> {
        Err(Fault::Unsupported)
    }
    fn free(&mut self, _: Handle, _: u64, _: u64) -> Result<(), Fault> {
        Err(Fault::Unsupported)
    }
    fn close(&mut self, _: Handle) {}
        fn read_checkpoint(&mut self, offset: u64, buf: &mut [u8]) -> Result<usize, Fault> {
            let (place, at) = split(offset);
            let rest = self.places[place].get(at..).unwrap_or_default();
            // In small pieces.
            let count = rest.len().min(buf.len()).min(100);
            buf[..count].copy_from_slice(&rest[..count]);
            Ok(count)
        }
        fn write_checkpoint(&mut self, offset: u64, bytes: &[u8]) -> Result<(), Fault> {
            if let Some(fault) = self.faults.pop() {
                return Err(fault);
            }
            let (place, at) = split(offset);
            let place = &mut self.places[place];
            place.resize(place.len().max(at + bytes.len()), 0);
            place[at..at + bytes.len()].copy_from_slice(bytes);
            self.written.push((offset, bytes.len()));
            Ok(())
        }
    }

    /// An engine that follows the paths of `entries` and was started on what `memory` has.
    fn started(memory: &mut Memory, entries: &Entries) -> Engine {
        let mut engine = Engine::new(Options {
            paths: entries.keys().cloned().collect(),
            exclude: Vec::new(),
            from_end: false,
            ignore_older_ms: None,
            files_max: 2000,
            open_files_max: usize::MAX,
            rotated: Vec::new(),
            checkpoint: true,
            checkpoint_interval_ms: 1000,
            checkpoint_bytes: 1 << 20,
            partial_line_ms: 1000,
            format: crate::format::Format::Raw,
            poll_ms: 1000,
            exit_on_eof: false,
            reclaim: crate::reclaim::Reclaim::default(),
        });
        engine.start(memory, 0);
        engine
    }

    fn said(engine: &Engine) -> Entries {
        let streams = engine.streams.iter();
        streams.map(|stream| (stream.path.clone(), stream.known().collect())).collect()
    }

    /// A checkpoint that says `entries`, and where its log is.
    fn saved(memory: &mut Memory, entries: &Entries) {
        let mut engine = started(memory, entries);
        for stream in &mut engine.streams {
            stream.closed = entries[&stream.path].clone();
        }
        engine.write_checkpoint(memory, 0);
    }

    #[test]
    fn what_is_saved_is_there_after_each_start_and_nothing_is_wrong_with_it() {
        let (mut memory, all) = (Memory::default(), entries(5));
        saved(&mut memory, &all);
        for round in 0..4 {
            let mut engine = started(&mut memory, &all);
            assert_eq!(said(&engine), all, "round {round}");
            assert!(!engine.first_start);
            assert_eq!(engine.take_notices(), []);
            engine.write_checkpoint(&mut memory, 0);
        }
        let places: Vec<_> = memory.written.iter().map(|(at, _)| at / PLACE_BYTES).collect();
        assert_eq!(places, [0, 1, 0, 1, 0], "each start begins a log beside the last one");
    }

    #[test]
    fn of_a_thousand_files_only_the_one_that_changed_is_written() {
        let (mut memory, all) = (Memory::default(), entries(3));
        let path = |number| PathBuf::from(format!("/var/log/many/{number}.log"));
        let known = all.values().find_map(|known| known.first().copied());
        let many: Entries =
            (0..1000).map(|number| (path(number), known.into_iter().collect())).collect();
        saved(&mut memory, &many);
        let mut engine = started(&mut memory, &many);
        engine.write_checkpoint(&mut memory, 0);
        engine.streams[500].closed[0].position.id.ino += 1;
        engine.note_changed(500);
        engine.write_checkpoint(&mut memory, 0);
        engine.write_checkpoint(&mut memory, 0);
        let sizes: Vec<_> = memory.written.iter().map(|(_, len)| *len).collect();
        assert!(sizes.len() == 3 && sizes[1] > 50_000 && sizes[2] < 120, "{sizes:?}");
        assert_eq!(said(&started(&mut memory, &many)), said(&engine));
    }

    #[test]
    fn version_1_is_read_and_left_alone_until_the_next_log_is_whole() {
        let (mut memory, all) = (Memory::default(), entries(5));
        let (older, newer) = (entries(4), all.clone());
        memory.places[0] = checkpoint_v1::encode(7, &newer);
        memory.places[0].resize(SLOT_BYTES_MAX, 0);
        memory.places[0].extend(checkpoint_v1::encode(6, &older));
        let before = memory.places[0].clone();
        let mut engine = started(&mut memory, &all);
        assert_eq!(said(&engine), newer);
        assert_eq!(engine.take_notices(), []);
        engine.write_checkpoint(&mut memory, 0);
        assert!(memory.places[0] == before && !memory.places[1].is_empty());
        assert_eq!(said(&started(&mut memory, &all)), newer);
        // Its newer slot is torn: the other one is believed, and it is said.
        memory.places[1].clear();
        memory.places[0][30] ^= 1;
        let mut engine = started(&mut memory, &all);
        assert_eq!(engine.take_notices(), [Notice::BadCheckpoint(Damage::Torn)]);
        assert_eq!(said(&engine).values().filter(|known| !known.is_empty()).count(), 3);
    }

    #[test]
    fn each_damage_is_said_once_and_what_is_whole_is_believed() {
        let all = entries(5);
        let check = |spoil: fn(&mut Memory), expected: &[Notice], is_known: bool| {
            let mut memory = Memory::default();
            saved(&mut memory, &all);
            saved(&mut memory, &all);
            spoil(&mut memory);
            let mut engine = started(&mut memory, &all);
            assert_eq!(engine.take_notices(), expected);
            assert_eq!(said(&engine) == all, is_known);
        };
        let bad = Notice::BadCheckpoint;
        let nothing = Notice::Recovering;
        check(|_| {}, &[], true);
        check(|memory| memory.places[1].clear(), &[], true);
        check(|memory| memory.places[1][40] ^= 1, &[bad(Damage::Torn)], true);
        check(|memory| memory.places[0][0] ^= 1, &[bad(Damage::NotACheckpoint)], true);
        let torn = |memory: &mut Memory| memory.places.iter_mut().for_each(|at| at[40] ^= 1);
        check(torn, &[bad(Damage::Torn), nothing.clone()], false);
        let newer = |memory: &mut Memory| memory.places.iter_mut().for_each(|at| at[8] = 3);
        check(newer, &[bad(Damage::Newer(3)), nothing.clone()], false);
        let zeroed = |memory: &mut Memory| memory.places.iter_mut().for_each(|at| at.fill(0));
        check(zeroed, &[bad(Damage::Zeroed), nothing], false);
        check(|memory| *memory = Memory::default(), &[], false);
    }

    #[test]
    fn a_file_that_was_taken_away_gets_everything_at_once_and_a_full_disk_later() {
        let (mut memory, all) = (Memory::default(), entries(5));
        saved(&mut memory, &all);
        let mut engine = started(&mut memory, &all);
        engine.write_checkpoint(&mut memory, 0);
        engine.streams[4].closed[0].position.id.ino += 1;
        engine.note_changed(4);
        memory.places = Default::default();
        memory.faults = vec![Fault::Missing];
        engine.write_checkpoint(&mut memory, 0);
        assert_eq!(engine.take_notices(), []);
        assert_eq!(said(&started(&mut memory, &all)), said(&engine));

        memory.faults = vec![Fault::Full];
        engine.streams[4].closed[0].position.id.ino += 1;
        engine.note_changed(4);
        engine.write_checkpoint(&mut memory, 0);
        assert_eq!(engine.take_notices(), [Notice::CheckpointFailed(Fault::Full)]);
        assert!(engine.changed, "it is tried again");
        engine.write_checkpoint(&mut memory, 0);
        assert_eq!(said(&started(&mut memory, &all)), said(&engine));
    }
}
