//! Disk space that the engine gives back, on the model disk.
//!
//! Oracle: in the moment when a rotated file is removed, or space in a file is freed, all lines in
//! it are out and acknowledged, and the checkpoint as a restart would read it says so; no writer
//! has a removed file open; lines are freed whole, and neither what a file is known by nor what
//! lies behind the checkpoint's position is; in the end no file takes more than was promised.

use std::collections::BTreeSet;
use std::path::Path;

use super::prng::Prng;
use super::store::lines_of_records;
use super::world::{World, trace};
use super::{Run, lines_of, numbers, set_up};
use crate::checkpoint::{Entries, HEADER_BYTES, Known, Place, RECORD_HEAD_BYTES};
use crate::engine::{Engine, OPEN_FILES_MIN};
use crate::fs::{Fault, FileId};
use crate::planted::Bug;
use crate::position::{GUARD_BYTES_MAX, HEAD_BYTES_MAX};
use crate::reclaim::{Reclaim, Steps};

/// Longest line in these worlds, and where its end is looked for.
const LINE_BYTES_MAX: u64 = 100;
const EDGE_BYTES: u64 = 128;
/// One rotation in so many that there are in other worlds: files grow so large that space in them
/// is worth to be freed.
const CALM: u64 = 4;
/// A world in which nothing is ever given back proves nothing.
const GIVEN_BACK_MIN: u64 = 300;

/// What was given back in a world, and what must not be.
#[derive(Clone, Debug, Default)]
pub(crate) struct Given {
    /// Files are removed, space is freed.
    pub(crate) removed: u64,
    pub(crate) freed: u64,
    /// Some call was refused.
    refused: bool,
    /// The output is JSON.
    json: bool,
    /// Lines of this life that are out and acknowledged, and up to where of the output they were
    /// looked for.
    out: BTreeSet<(usize, u64)>,
    pub(crate) looked_to: usize,
}

impl Run {
    /// Has disk space given back in this world.
    fn give_back(&mut self, rng: &mut Prng) {
        let steps = Steps {
            head_bytes: HEAD_BYTES_MAX as u64,
            tail_bytes: GUARD_BYTES_MAX as u64 + rng.below(200),
            step_bytes: (self.read_bytes + GUARD_BYTES_MAX) as u64 + EDGE_BYTES + 1,
            edge_bytes: EDGE_BYTES,
            block_bytes: 16,
        };
        let keep_rotated = (!rng.once_in(3)).then(|| rng.below(3) as usize);
        let freeing = (keep_rotated.is_none() || rng.once_in(2)).then_some(steps);
        self.options.reclaim = Reclaim { keep_rotated, freeing };
        self.line_bytes_max = LINE_BYTES_MAX;
        let mut world = self.world.borrow_mut();
        world.line_bytes_max = LINE_BYTES_MAX;
        world.calm = CALM;
        world.given.json = !self.options.format.is_raw();
    }

    /// That files take no more space than they may, once all is quiet.
    pub(crate) fn check_space(&self, engine: &Engine) -> Result<(), String> {
        let Some(steps) = self.options.reclaim.freeing else { return Ok(()) };
        let world = self.world.borrow();
        if engine.changed
            || engine.ending
            || world.given.refused
            || self.options.open_files_max < 2 * OPEN_FILES_MIN
        {
            return Ok(());
        }
        let at_paths = engine.streams.iter().filter_map(|stream| stream.live_generation());
        for one in at_paths.filter(|one| one.at_end && one.settled == one.written) {
            let file = &world.disk.inodes[world.disk.open[&one.file.0]];
            let read = (one.written.frontier as usize).min(file.data.len());
            let used = file.used_bytes(read) as u64;
            let kept = steps.head_bytes + steps.tail_bytes + steps.step_bytes;
            let allowed = kept + 2 * EDGE_BYTES + 64;
            if used > allowed {
                return Err(format!("{used} bytes of a file are in use, allowed {allowed}"));
            }
        }
        Ok(())
    }
}

impl World {
    /// A call that removes a file: whether it was the one that was meant.
    pub(crate) fn remove(&mut self, path: &Path, id: FileId, size: u64) -> Result<bool, Fault> {
        if self.dead {
            return Err(EIO);
        }
        let lives = self.enter();
        // Death comes before or after it.
        if !lives && self.rng.once_in(2) {
            return Err(EIO);
        }
        if self.fault(8) {
            self.given.refused = true;
            return Err(Fault::Denied);
        }
        if self.disk.links.contains_key(path) {
            return Ok(false);
        }
        let file = *self.disk.names.get(path).ok_or(Fault::Missing)?;
        let seen = self.disk.probe(file);
        if (seen.id, seen.size) != (id, size) {
            return Ok(false);
        }
        trace(|| format!("  removes {} {file}", path.display()));
        self.look_what_is_out();
        let known = self.known_of(file);
        let data = &self.disk.inodes[file].data;
        let rest = |known: &Known| data.get(known.position.frontier as usize..);
        let is_whole = known.iter().filter_map(rest).any(|rest| rest.iter().all(|byte| *byte == 0));
        let live = self.writers.iter().any(|one| self.disk.lookup(&one.path) == Some(file));
        let why = match () {
            () if live => Some("at its path"),
            () if self.disk.inodes[file].writers > 0 => Some("under its writer"),
            () if !is_whole => Some("ahead of the checkpoint"),
            () if !self.is_out(file, 0, size as usize) => Some("with lines that are not out"),
            () => None,
        };
        if let Some(why) = why {
            self.output.breach = Some(format!("{} is removed {why}", path.display()));
        }
        self.disk.unlink(path);
        self.touched.push(path.to_owned());
        self.given.removed += 1;
        if lives { Ok(true) } else { Err(EIO) }
    }

    /// A call that frees space of a file.
    pub(crate) fn free(&mut self, handle: u64, from: u64, to: u64) -> Result<(), Fault> {
        if self.dead {
            return Err(EIO);
        }
        // It follows the proof so closely that nobody copies and cuts in between.
        let acts_left = std::mem::take(&mut self.acts_left);
        let lives = self.enter();
        self.acts_left = acts_left;
        if !lives && self.rng.once_in(2) {
            return Err(EIO);
        }
        if self.fault(8) {
            self.given.refused = true;
            return Err(Fault::Denied);
        }
        let file = self.disk.open[&handle];
        // A copy that is made meanwhile may have the first part of a line and NULs for its rest.
        self.finish_copy(file);
        trace(|| format!("  frees {file} from {from} to {to}"));
        self.look_what_is_out();
        let known = self.known_of(file);
        let is_before = |known: &Known| known.position.guard_start() >= to;
        let data = &self.disk.inodes[file].data;
        let (start, end) = (from as usize, to as usize);
        // Behind what was freed before, too.
        let is_edge = |at: usize| matches!(data[at - 1], 0 | b'\n');
        let why = match () {
            () if end > data.len() => Some("behind its end"),
            () if from < HEAD_BYTES_MAX as u64 => Some("within its head"),
            () if !known.iter().any(is_before) => Some("behind the checkpoint's position"),
            () if !is_edge(start) || !is_edge(end) => Some("in the middle of a line"),
            () if !self.is_out(file, start, end) => Some("with lines that are not out"),
            () => None,
        };
        if let Some(why) = why {
            self.output.breach = Some(format!("space is freed {why}: {from} to {to}"));
        }
        self.disk.free(file, start, end);
        self.given.freed += 1;
        if lives { Ok(()) } else { Err(EIO) }
    }

    /// Whether all lines in a part of a file were written out and acknowledged, or written out by
    /// an earlier life.
    fn is_out(&self, file: usize, from: usize, to: usize) -> bool {
        let out = &self.given.out;
        let part = self.disk.inodes[file].data[from..to].iter();
        let part: Vec<u8> = part.copied().filter(|byte| *byte != 0).collect();
        lines_of(&part).all(|line| {
            let is_out = numbers(line)
                .is_some_and(|line| out.contains(&line) || self.delivered.contains(&line));
            if !is_out {
                trace(|| format!("  not out: {:?}", String::from_utf8_lossy(line)));
            }
            is_out
        })
    }

    /// Notes which lines are out and acknowledged.
    fn look_what_is_out(&mut self) {
        let mut told = self.output.told_first();
        if self.given.json {
            told = lines_of_records(&told, true);
            self.given.looked_to = 0;
        }
        let fresh = &told[self.given.looked_to..];
        let whole = fresh.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
        self.given.looked_to += whole;
        self.given.out.extend(lines_of(&fresh[..whole]).filter_map(numbers));
    }

    /// What the checkpoint knows of a file, as a restart would read it.
    fn known_of(&self, file: usize) -> Vec<Known> {
        let id = self.disk.probe(file).id;
        let known = self.checkpoint().into_values().flatten();
        known.filter(|known| known.position.id == id && !known.foreign).collect()
    }

    fn checkpoint(&self) -> Entries {
        let places = self.disk.slots.iter().filter_map(|slot| place(slot));
        let newest = places.max_by_key(|place| place.generation);
        newest.map(|place| place.entries).unwrap_or_default()
    }
}

/// The log in one half of the checkpoint file, as far as it is whole.
fn place(slot: &[u8]) -> Option<Place> {
    let mut place = Place::begin(slot.get(..HEADER_BYTES)?).ok()??;
    let mut at = HEADER_BYTES;
    while let Some(head) = slot.get(at..at + RECORD_HEAD_BYTES)
        && let Ok(Some(len)) = place.record_len(head)
        && let Some(record) = slot.get(at..at + len)
        && place.add(record).is_ok()
    {
        at += len;
    }
    place.is_begun().then_some(place)
}

const EIO: Fault = Fault::Other(5);

/// One world in which space is given back. How much was.
fn simulate(seed: u64, planted: Option<Bug>) -> Result<Given, String> {
    let mut rng = Prng::new(seed);
    let mut run = set_up(&mut rng, planted);
    run.give_back(&mut Prng::new(seed ^ 0x5EED));
    run.tell(|run| run.all_lives(&mut rng))?;
    let given = run.world.borrow().given.clone();
    Ok(given)
}

#[test]
fn no_line_is_lost_where_space_is_given_back() {
    let seeds = match super::env("SIM_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..super::env("SIM_SEEDS").unwrap_or(256),
    };
    let (mut removed, mut freed, mut failures) = (0, 0, Vec::new());
    let all = seeds.end - seeds.start >= 256;
    for seed in seeds {
        match simulate(seed, None) {
            Ok(given) => {
                removed += given.removed;
                freed += given.freed;
            }
            Err(failure) => failures.push(format!("SIM_SEED={seed}: {failure}")),
        }
        if failures.len() >= 10 {
            break;
        }
    }
    println!("{removed} files removed, space freed {freed} times");
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(!all || removed.min(freed) >= GIVEN_BACK_MIN, "{removed} {freed}");
}

fn finds(bug: Bug) {
    let found = (0..500).find(|seed| simulate(*seed, Some(bug)).is_err());
    assert!(found.is_some(), "{bug:?} was not found within 500 seeds");
}

#[test]
fn space_that_is_freed_up_to_what_is_not_acknowledged_is_found() {
    finds(Bug::FreeAhead);
}

#[test]
fn a_file_that_is_removed_before_the_checkpoint_is_found() {
    finds(Bug::RemoveAhead);
}
