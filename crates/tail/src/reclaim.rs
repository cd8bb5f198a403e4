//! Giving disk space back: rotated files that are over, and the part of a file at its path that
//! was read.
//!
//! Owns what may go, and when. Nothing goes that is not in a checkpoint which is safe: this is
//! asked for right after one was written, or while nothing changed since. What is freed within a
//! file lies between the head and the guard that it is known by, from one line's beginning to
//! another's, so that whoever reads the file from its start finds whole lines around the hole.
//!
//! ```text
//!   0      head             freed                 tail         settled   written
//!   ├──────────┼──────────────────────────────┼───────────────────┼─────────┤
//!              └ behind a line's end          └ behind a line's end
//! ```

use std::cmp::Ordering;
use std::path::PathBuf;

use crate::checkpoint::Known;
use crate::content::{likeness, open_same, read_exact};
use crate::engine::Engine;
use crate::fs::{Fault, FileId, Fs, Handle, Probe};
use crate::position::HEAD_BYTES_MAX;
use crate::report::Notice;
use crate::rotation::{Likeness, drain_order};
use crate::stream::{Generation, Stream, same_file};

/// A rotated file that was closed must be unchanged for so long before it is removed, and is read
/// for so long after: its writer may not know yet that it was rotated.
pub(crate) const QUIET_MS: u64 = 10_000;
/// How often it is looked for rotated files that may go.
const LOOK_MS: u64 = 1000;
/// Wait after a file could not be removed, or space in it not freed.
const RETRY_MS: u64 = 60_000;
/// Files that are removed in one turn, and files in which space is freed, at most.
const REMOVED_MAX: usize = 32;
const FREED_MAX: usize = 8;
/// Streams of which rotated files are looked at in one turn, at most.
const LOOKED_AT_MAX: usize = 64;

/// What may be given back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reclaim {
    /// Rotated files are removed once they are delivered, but for so many of the newest; none is
    /// removed without this.
    pub keep_rotated: Option<usize>,
    /// Space is freed within the file at the path, in such steps.
    pub freeing: Option<Steps>,
}

/// What is freed of a file at a time, and what stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Steps {
    /// Kept at the beginning: at least [`HEAD_BYTES_MAX`].
    pub head_bytes: u64,
    /// Kept before the frontier: at least [`crate::position::GUARD_BYTES_MAX`].
    pub tail_bytes: u64,
    /// Less is not worth the call; without an edge more than one read.
    pub step_bytes: u64,
    /// A line's end is looked for in so many bytes, less than a step.
    pub edge_bytes: u64,
    /// The unit in which space is freed: a part of one that was emptied goes with the next step.
    pub block_bytes: u64,
}

impl Default for Steps {
    /// The first block stays, which is what other agents know a file by, too, and a screenful for
    /// people. A step is as much as a checkpoint waits for.
    fn default() -> Steps {
        Steps {
            head_bytes: 4096,
            tail_bytes: 64 << 10,
            step_bytes: 1 << 20,
            edge_bytes: 64 << 10,
            block_bytes: 4096,
        }
    }
}

impl Steps {
    /// The least that is freed at a time.
    pub(crate) fn freed_min(&self) -> u64 {
        self.step_bytes - self.edge_bytes
    }

    /// What may be freed of a file that is settled up to `settled`, and of which what is before
    /// `freed_to` was freed already. `None` if it is not worth it yet.
    fn range(&self, freed_to: u64, settled: u64) -> Option<(u64, u64)> {
        let from = self.head_bytes.max(freed_to);
        let to = settled.saturating_sub(self.tail_bytes);
        (to >= from.saturating_add(self.step_bytes)).then_some((from, to))
    }
}

/// What is to be given back next.
#[derive(Debug, Default)]
pub(crate) struct Reclaimer {
    /// The last checkpoint is written, and safe.
    pub(crate) is_saved: bool,
    /// Space may be freed that was not looked at since the last checkpoint.
    pub(crate) is_due: bool,
    /// The stream whose space is freed next.
    next_freed: usize,
    /// The stream whose rotated files are looked at next, and when.
    next_looked_at: usize,
    look_at_ms: u64,
    /// Devices that cannot do it.
    unable: Vec<u64>,
}

impl Engine {
    /// Gives back what may go.
    pub(crate) fn reclaim(&mut self, fs: &mut dyn Fs, now_ms: u64) {
        let Reclaim { keep_rotated, freeing } = self.options.reclaim;
        let is_safe = self.options.checkpoint && self.reclaimer.is_saved && !self.changed;
        #[cfg(test)]
        let is_safe = is_safe || self.planted == Some(crate::planted::Bug::RemoveAhead);
        if !is_safe || self.ending {
            return;
        }
        if let Some(steps) = freeing.filter(|_| self.reclaimer.is_due) {
            self.free_space(fs, &steps, now_ms);
        }
        if let Some(keep) = keep_rotated.filter(|_| now_ms >= self.reclaimer.look_at_ms) {
            self.reclaimer.look_at_ms = now_ms + LOOK_MS;
            self.remove_rotated(fs, keep, now_ms);
        }
    }

    /// Frees space in files at their paths, in turn.
    fn free_space(&mut self, fs: &mut dyn Fs, steps: &Steps, now_ms: u64) {
        let count = self.streams.len();
        let mut freed = 0;
        for _ in 0..count {
            if freed >= FREED_MAX {
                return;
            }
            let at = self.reclaimer.next_freed % count;
            self.reclaimer.next_freed = at + 1;
            freed += usize::from(self.free_space_of(fs, at, steps, now_ms));
        }
        self.reclaimer.is_due = false;
    }

    /// Frees what is worth it in one file. True if there was something to be done.
    fn free_space_of(&mut self, fs: &mut dyn Fs, at: usize, steps: &Steps, now_ms: u64) -> bool {
        let stream = &mut self.streams[at];
        let live = stream.live;
        let newest = stream.generations.last_mut().filter(|one| Some(one.id()) == live);
        let Some(one) = newest.filter(|one| now_ms >= one.free_at_ms) else { return false };
        let is_clear = one.suspect_since_ms.is_none() && !one.head_differs;
        let is_clear = is_clear && !one.look_first && !one.may_be_copy;
        let dev = one.id().dev;
        if !is_clear || self.reclaimer.unable.contains(&dev) {
            return false;
        }
        let safe = one.settled;
        #[cfg(test)]
        let safe = match self.planted {
            Some(crate::planted::Bug::FreeAhead) => one.written,
            _ => safe,
        };
        if steps.range(one.freed_to, safe.frontier).is_none() {
            return false;
        }
        let Some((from, to)) = edges(fs, one, safe.frontier, steps) else { return true };
        // What lost its name is over soon, and what took its place is compared with it.
        let is_linked = fs.probe(one.file).is_ok_and(|probe| probe.linked);
        // The proof comes last: a file that was cut and has grown again has other bytes there.
        if !is_linked || likeness(fs, one.file, &safe) != Some(Likeness::Copy) {
            return true;
        }
        // What is freed is lost for good: never what is not safe, nor what the file is known by.
        assert!(
            from >= HEAD_BYTES_MAX as u64 && to <= safe.guard_start(),
            "only what is settled is freed"
        );
        match fs.free(one.file, from, to) {
            Ok(()) => {
                self.stats.freed_bytes += to - from.max(one.freed_to);
                one.freed_to = to;
                // Freeing changes the time of the last write, and says nothing about the writer.
                one.seen_ns = 0;
            }
            Err(fault) => {
                self.stats.free_failures += 1;
                one.free_at_ms = now_ms + RETRY_MS;
                if fault == Fault::Unsupported {
                    self.reclaimer.unable.push(dev);
                }
                self.notices.push(Notice::NotFreed(stream.path.clone(), fault));
            }
        }
        true
    }

    /// Removes rotated files of some streams, in turn.
    fn remove_rotated(&mut self, fs: &mut dyn Fs, keep: usize, now_ms: u64) {
        let count = self.streams.len();
        let (mut looked_at, mut left) = (0, REMOVED_MAX);
        for _ in 0..count {
            if looked_at >= LOOKED_AT_MAX || left == 0 {
                return;
            }
            let at = self.reclaimer.next_looked_at % count;
            self.reclaimer.next_looked_at = at + 1;
            let stream = &mut self.streams[at];
            if !stream.may_have_more_than(keep) {
                continue;
            }
            looked_at += 1;
            for (path, probe) in self.removable(fs, at, keep, now_ms) {
                if left == 0 {
                    // The rest of them comes next.
                    self.reclaimer.next_looked_at = at;
                    return;
                }
                left -= 1;
                self.remove(fs, at, path, &probe, now_ms);
            }
        }
    }

    /// A stream's rotated files that may go now, with their names: all but the newest.
    fn removable(
        &mut self,
        fs: &mut dyn Fs,
        at: usize,
        keep: usize,
        now_ms: u64,
    ) -> Vec<(PathBuf, Probe)> {
        let (mut scene, streams) = self.scene(fs, now_ms);
        let stream = &mut streams[at];
        let rotated = stream.rotated_ours(&mut scene);
        let mut removable: Vec<_> = rotated.into_iter().skip(keep).collect();
        removable.retain(|(_, probe)| stream.is_quiet(probe, now_ms));
        // The oldest one first, so that none is missing in between.
        removable.reverse();
        removable
    }

    /// Removes one file, and reads on in it for a while.
    fn remove(&mut self, fs: &mut dyn Fs, at: usize, path: PathBuf, probe: &Probe, now_ms: u64) {
        if self.open_files + 1 >= self.open_files_max {
            return;
        }
        let stream = &mut self.streams[at];
        let is_it = |known: &Known| !known.foreign && same_file(known.position.id, probe.id);
        let Some(place) = stream.closed.iter().position(is_it) else { return };
        let position = stream.closed[place].position;
        let removed = open_same(fs, &path, probe.id).and_then(|file| {
            let removed = match is_whole(fs, file, &stream.closed[place]) {
                true => fs.remove(&path, probe.id, probe.size),
                false => Ok(false),
            };
            if removed != Ok(true) {
                fs.close(file);
            }
            removed.map(|is_gone| is_gone.then_some(file)).map_err(Some)
        });
        match removed {
            Ok(Some(file)) => {
                stream.closed.remove(place);
                let mut one = Generation::new(file, position, now_ms);
                for position in [&mut one.written, &mut one.resume, &mut one.settled] {
                    position.id = probe.id;
                }
                one.is_removed = true;
                stream.generations.insert(0, one);
                self.open_files += 1;
                self.stats.removed_files += 1;
                self.note_state(at);
                self.note_changed(at);
                self.notices.push(Notice::Removed(path));
                self.set_dirty(at);
            }
            // Somebody else moved, changed or removed it: the next look will tell.
            Ok(None) | Err(None | Some(Fault::Missing | Fault::TooManyOpen)) => {}
            Err(Some(fault)) => {
                stream.quiet_at.retain(|(id, _)| *id != probe.id);
                stream.quiet_at.push((probe.id, now_ms + RETRY_MS));
                self.stats.remove_failures += 1;
                self.notices.push(Notice::NotRemoved(path, stream.path.clone(), fault));
            }
        }
    }
}

impl Stream {
    /// A file was closed that may be removed from `at_ms` on, should it stay as it is.
    pub(crate) fn note_quiet(&mut self, id: FileId, at_ms: u64) {
        let closed = &self.closed;
        let is_closed = |id| closed.iter().any(|known| same_file(known.position.id, id));
        self.quiet_at.retain(|(known, _)| *known != id && is_closed(*known));
        self.quiet_at.push((id, at_ms));
    }

    /// Whether it is worth a look if a rotated file may go. Nothing goes while the path has no
    /// file: the writer may still be at the last one.
    fn may_have_more_than(&self, keep: usize) -> bool {
        let Some(live) = self.live.filter(|_| !self.restored && self.fault.is_none()) else {
            return false;
        };
        let ours = |known: &&Known| !known.foreign && !same_file(known.position.id, live);
        let closed = self.closed.iter().filter(ours).count();
        let open = self.generations.iter().filter(|one| one.id() != live && !one.is_removed);
        closed > 0 && closed + open.count() > keep
    }

    /// Rotated files that are this stream's own, open or closed, by one name each, the newest first.
    /// A name that is a link is none of the file's own.
    fn rotated_ours(&self, scene: &mut crate::look::Scene<'_>) -> Vec<(PathBuf, Probe)> {
        let mut ours: Vec<(PathBuf, Probe)> = Vec::new();
        for names in self.rotated_names(scene.templates) {
            let Ok(paths) = scene.folders.rotated(scene.fs, &names) else { return Vec::new() };
            for path in paths {
                if !self.may_rotate_to(&path, scene.paths.followed) || scene.fs.is_link(&path) {
                    continue;
                }
                let Ok(probe) = scene.fs.probe_path(&path) else { continue };
                let id = probe.id;
                let is_closed = |known: &Known| !known.foreign && same_file(known.position.id, id);
                let is_ours = self.closed.iter().any(is_closed) || self.place_of(id).is_some();
                let is_live = self.live.is_some_and(|live| same_file(live, id));
                if is_ours && !is_live && ours.iter().all(|(_, known)| known.id != id) {
                    let is_newer = |one: &(PathBuf, Probe)| {
                        drain_order((&one.0, &one.1), (&path, &probe)) == Ordering::Greater
                    };
                    ours.insert(ours.partition_point(is_newer), (path, probe));
                }
            }
        }
        ours
    }

    /// Whether a closed file was unchanged for so long that it may go.
    fn is_quiet(&mut self, probe: &Probe, now_ms: u64) -> bool {
        let is_it = |known: &&Known| !known.foreign && same_file(known.position.id, probe.id);
        let Some(known) = self.closed.iter().find(is_it) else { return false };
        if !known.is_all_of(probe) {
            self.quiet_at.retain(|(id, _)| *id != probe.id);
            return false;
        }
        match self.quiet_at.iter().find(|(id, _)| *id == probe.id) {
            Some((_, at_ms)) => now_ms >= *at_ms,
            None => {
                self.quiet_at.push((probe.id, now_ms + QUIET_MS));
                false
            }
        }
    }
}

/// Whether a file is the known one by its content, and has nothing that was not read.
fn is_whole(fs: &mut dyn Fs, file: Handle, known: &Known) -> bool {
    let position = &known.position;
    let is_it = position.frontier == 0 || likeness(fs, file, position) == Some(Likeness::Copy);
    is_it && fs.probe(file).is_ok_and(|probe| known.is_all_of(&probe))
}

/// What is to be freed of a file: from the beginning of a line, or of a block that is partly free,
/// to the beginning of another line. `None` if it cannot be read, or is not worth it.
fn edges(fs: &mut dyn Fs, one: &Generation, settled: u64, steps: &Steps) -> Option<(u64, u64)> {
    let from = match one.freed_to {
        0 => {
            let head = steps.head_bytes;
            let ends = line_ends(fs, one.file, head, head + steps.edge_bytes)?;
            let first = ends.first.unwrap_or(head);
            // What is a hole already was freed before the program began anew.
            fs.data_from(one.file, first).ok()??
        }
        freed_to => freed_to / steps.block_bytes * steps.block_bytes,
    };
    let (from, to) = steps.range(from, settled)?;
    let last = line_ends(fs, one.file, to - steps.edge_bytes, to)?.last;
    Some((from, last.unwrap_or(to)))
}

/// Where lines end in a part of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct LineEnds {
    /// Behind the first line end.
    first: Option<u64>,
    /// Behind the last one.
    last: Option<u64>,
}

/// Looks for line ends. `None` if the part cannot be read.
fn line_ends(fs: &mut dyn Fs, file: Handle, from: u64, to: u64) -> Option<LineEnds> {
    let mut seen = vec![0; usize::try_from(to.checked_sub(from)?).ok()?];
    let filled = read_exact(fs, file, from, &mut seen)?;
    let behind = |at: usize| from + at as u64 + 1;
    Some(LineEnds {
        first: memchr::memchr(b'\n', &seen[..filled]).map(behind),
        // Behind what was freed in the file that this is a copy of a line begins, too.
        last: memchr::memrchr2(b'\n', 0, &seen[..filled]).map(behind),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::position::GUARD_BYTES_MAX;

    #[test]
    fn what_is_kept_at_both_ends_is_never_in_the_range() {
        let steps = Steps { tail_bytes: 1000, step_bytes: 5000, ..Steps::default() };
        let check = |freed_to, settled, expected| {
            assert_eq!(steps.range(freed_to, settled), expected, "{freed_to} {settled}");
        };
        check(0, 0, None);
        check(0, 999, None);
        check(0, 4096 + 5000 + 1000 - 1, None);
        check(0, 4096 + 5000 + 1000, Some((4096, 9096)));
        check(9000, 14_999, None);
        check(9000, 15_000, Some((9000, 14_000)));
        check(u64::MAX, 1 << 40, None);
    }

    #[test]
    fn the_usual_steps_keep_what_a_file_is_known_by() {
        let steps = Steps::default();
        assert!(steps.head_bytes >= HEAD_BYTES_MAX as u64);
        assert!(steps.tail_bytes >= GUARD_BYTES_MAX as u64);
        assert!(steps.edge_bytes < steps.step_bytes);
        assert!(steps.freed_min() > crate::engine::READ_BYTES_MAX as u64 + GUARD_BYTES_MAX as u64);
    }
}
