//! Room among the open files: which ones are closed when there are too few descriptors.
//!
//! A file at the path that is closed is remembered like a rotated one, and opened again when its
//! name says that it has grown.

use crate::engine::{Engine, OPEN_FILES_MIN};
use crate::fs::Fs;
use crate::gap::has_more;
use crate::stream::Generation;

/// Open files that one look at one path may add, but for rotated ones in great number.
const ROOM_MIN: usize = 2;

impl Engine {
    /// Sees to it that a look at a stream can open files. False if none can be closed for them now.
    pub(crate) fn make_room(&mut self, fs: &mut dyn Fs) -> bool {
        let max = self.open_files_max;
        if self.open_files + ROOM_MIN <= max {
            return true;
        }
        let mut idle = Vec::new();
        for at in self.finder.index.open.iter().copied() {
            let stream = &self.streams[at];
            let idle_here = stream.generations.iter().filter(|one| self.is_idle(stream.key, one));
            idle.extend(idle_here.map(|one| (one.moved_ms, at, one.id())));
        }
        idle.sort_unstable();
        let mut closed = 0;
        for (_, at, id) in idle {
            // An eighth at once: the search is dear where there are many.
            if closed > max / 8 {
                break;
            }
            let generations = &mut self.streams[at].generations;
            let Some(place) = generations.iter().position(|one| one.id() == id) else { continue };
            let Ok(probe) = fs.probe(generations[place].file) else { continue };
            let is_read = has_more(fs, &generations[place], &probe) == Ok(false);
            // What has no name cannot be opened again; at the end nobody waits for more of it.
            if !is_read || !probe.linked && !self.ending {
                continue;
            }
            let removes = self.options.reclaim.keep_rotated.is_some();
            self.streams[at].retire(fs, place, &probe, removes);
            self.open_files -= 1;
            self.note_state(at);
            self.note_changed(at);
            closed += 1;
        }
        // Where nothing is left to be read, waiting makes no room: more are opened then.
        self.open_files + ROOM_MIN <= max || self.dirty.is_empty()
    }

    /// The system has no descriptor left: so many as are open now, less a few, must be enough.
    pub(crate) fn note_too_many_open(&mut self) {
        let fewer = self.open_files.saturating_sub(ROOM_MIN).max(OPEN_FILES_MIN);
        self.open_files_max = self.open_files_max.min(fewer);
    }

    /// Others may have given descriptors back since then.
    pub(crate) fn try_more_open(&mut self) {
        let more = self.open_files_max.saturating_add(self.open_files_max / 8 + 1);
        self.open_files_max = more.min(self.options.open_files_max);
    }

    fn is_idle(&self, key: u64, one: &Generation) -> bool {
        let busy = self.outgoing.is_busy(one.file) || self.outgoing.is_open(key, one.id());
        let whole = one.settled.frontier == one.written.frontier;
        one.at_end && whole && !busy && one.suspect_since_ms.is_none()
    }
}
