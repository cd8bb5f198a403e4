//! The index: the ways to a stream that do not ask every stream.
//!
//! Owns which stream has a path or a file, which ones somebody has to think of at each turn, and
//! the folders of all. It decides nothing: what it says of a stream is a reason to look at that one
//! closely. A stream is entered anew by whoever changed it.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use crate::checkpoint::Known;
use crate::content::{open_same, surely_like};
use crate::engine::Engine;
use crate::fs::{FileId, Fs};
use crate::position::Position;
use crate::rotation::Likeness;
use crate::stream::{Closeness, Stream, same_file};

/// Paths found by a pattern that are remembered although their files are gone.
const GONE_STREAMS_MAX: usize = 256;
/// Of so many streams one may be kept that nothing is known of any more: without them all others
/// change their places.
const STREAMS_PER_EMPTY: usize = 64;

/// Streams, by their places in the list.
#[derive(Debug, Default)]
pub(crate) struct Index {
    /// The stream of each followed path.
    pub(crate) by_path: HashMap<PathBuf, usize>,
    /// The stream of each place that a path's links lead to.
    by_target: HashMap<PathBuf, usize>,
    /// The stream that last had a file; whether it still has is to be asked.
    owners: HashMap<(u64, u64), usize>,
    /// All with open files, perhaps others.
    pub(crate) open: BTreeSet<usize>,
    /// All with an open file that is not at their path, perhaps others.
    pub(crate) old: BTreeSet<usize>,
    /// All whose path cannot be read.
    pub(crate) faulty: BTreeSet<usize>,
    /// All that a look finds nothing of: they cannot be read, or a pattern led to them and there is
    /// no file any more.
    pub(crate) vain: BTreeSet<usize>,
    /// All that a pattern led to and that have found no file yet.
    pub(crate) unseen: BTreeSet<usize>,
    /// Directories whose changes are worth a hint.
    dirs: BTreeSet<PathBuf>,
    dirs_changed: bool,
}

impl Index {
    /// The stream of a path, or of the place that its links lead to.
    pub(crate) fn at(&self, path: &Path) -> Option<usize> {
        let [by_path, by_target] = self.both_at(path);
        by_path.or(by_target)
    }

    /// The stream of a path, and the one whose links lead to it.
    pub(crate) fn both_at(&self, path: &Path) -> [Option<usize>; 2] {
        [self.by_path.get(path).copied(), self.by_target.get(path).copied()]
    }

    fn note_state(&mut self, at: usize, stream: &Stream) {
        let mut enter = |set: fn(&mut Index) -> &mut BTreeSet<usize>, is_in: bool| match is_in {
            true => set(self).insert(at),
            false => set(self).remove(&at),
        };
        enter(|index| &mut index.open, !stream.generations.is_empty());
        enter(|index| &mut index.old, stream.has_old());
        enter(|index| &mut index.faulty, stream.fault.is_some());
        enter(|index| &mut index.vain, stream.is_vain());
        enter(|index| &mut index.unseen, stream.is_unseen());
    }
}

impl Engine {
    /// Directories whose changes are worth a hint.
    pub fn dirs(&self) -> &BTreeSet<PathBuf> {
        &self.finder.index.dirs
    }

    /// Whether these are others than when this was asked last.
    pub fn take_dirs_changed(&mut self) -> bool {
        std::mem::take(&mut self.finder.index.dirs_changed)
    }

    /// Something about a stream may be other than it was.
    pub(crate) fn note_state(&mut self, at: usize) {
        self.finder.index.note_state(at, &self.streams[at]);
    }

    /// A file is at a path that no look has taken in yet. One that another path had is that one's;
    /// without a time of birth it may have no more than the number.
    pub(crate) fn note_owed(&mut self, at: usize, id: FileId) {
        if id.born_ns == 0 || !self.finder.index.owners.contains_key(&(id.ino, id.born_ns)) {
            self.streams[at].owed = true;
            self.note_state(at);
        }
    }

    pub(crate) fn owner_of(&self, id: FileId) -> Option<usize> {
        let at = *self.finder.index.owners.get(&(id.ino, id.born_ns))?;
        self.streams.get(at).is_some_and(|stream| stream.has(id)).then_some(at)
    }

    /// What another stream remembers of a file that is gone is what `at` knows of it from now on, if
    /// that is what is at `path`: without a time of birth its content has to say so, for its number
    /// may have been given to another file.
    pub(crate) fn take_back(&mut self, fs: &mut dyn Fs, at: usize, path: &Path, id: FileId) {
        let from = self.finder.index.owners.get(&(id.ino, id.born_ns)).copied();
        let Some(from) = from.filter(|from| *from != at && *from < self.streams.len()) else {
            return;
        };
        let gone = &mut self.streams[from].gone;
        let is_it = |known: &Known| !known.foreign && same_file(known.position.id, id);
        let Some(place) = gone.iter().position(is_it) else { return };
        if id.born_ns == 0 && !is_content_of(fs, path, id, &gone[place].position) {
            return;
        }
        let known = gone.remove(place);
        self.streams[at].closed.push(known);
        self.note_changed(from);
        self.note_changed(at);
    }

    /// A stream may have other files than it had.
    pub(crate) fn note_owned(&mut self, at: usize) {
        self.note_state(at);
        let index = &mut self.finder.index;
        let stream = &self.streams[at];
        // Whoever has a file has the last word.
        for id in stream.gone.iter().map(|known| known.position.id) {
            index.owners.entry((id.ino, id.born_ns)).or_insert(at);
        }
        for id in stream.ids() {
            index.owners.insert((id.ino, id.born_ns), at);
        }
        let mut is_new = false;
        for target in &self.streams[at].targets {
            if !index.by_target.contains_key(target) {
                index.by_target.insert(target.clone(), at);
                is_new = true;
            }
        }
        if is_new {
            self.note_dirs(at);
        }
    }

    /// Streams, or what is known of them, may be in other places.
    pub(crate) fn index_anew(&mut self) {
        let index = &mut self.finder.index;
        index.owners.clear();
        index.by_target.clear();
        for set in [&mut index.open, &mut index.old, &mut index.faulty, &mut index.vain] {
            set.clear();
        }
        index.unseen.clear();
        (0..self.streams.len()).for_each(|at| self.note_owned(at));
    }

    /// Every stream that has to be thought of is known to the index.
    pub(crate) fn check_index(&self) {
        for (at, stream) in self.streams.iter().enumerate() {
            let index = &self.finder.index;
            let is_open = index.open.contains(&at) || stream.generations.is_empty();
            debug_assert!(is_open, "what is open is known");
            debug_assert!(
                index.old.contains(&at) || !stream.has_old(),
                "what may be over is known"
            );
            let is_faulty = index.faulty.contains(&at);
            debug_assert!(is_faulty == stream.fault.is_some(), "what cannot be read is known");
        }
    }

    /// A stream has folders of its own.
    pub(crate) fn note_dirs(&mut self, at: usize) {
        let index = &mut self.finder.index;
        for dir in self.streams[at].dirs(&self.options.rotated) {
            index.dirs_changed |= index.dirs.insert(dir);
        }
    }

    /// The folders of all streams, and no others.
    pub(crate) fn collect_dirs(&mut self) {
        let before = std::mem::take(&mut self.finder.index.dirs);
        self.finder.index.dirs = self.finder.pattern_dirs.clone();
        (0..self.streams.len()).for_each(|at| self.note_dirs(at));
        self.finder.index.dirs_changed |= self.finder.index.dirs != before;
    }

    /// Forgets paths that a pattern led to and that nothing is known of any more.
    pub(crate) fn drop_empty_streams(&mut self) {
        let pending = self.outgoing.pending.map(|pending| pending.key);
        let candidates = self.finder.index.vain.iter().map(|at| (*at, &self.streams[*at]));
        let empty = candidates.filter(|(_, stream)| {
            stream.is_empty()
                && !stream.named
                && stream.live.is_none()
                && !stream.owed
                && stream.due == Closeness::None
                && pending != Some(stream.key)
                && stream.fault.is_none()
        });
        let (gone, mut dropped): (Vec<_>, Vec<_>) =
            empty.partition(|(_, stream)| !stream.gone.is_empty());
        // The last ones of those whose file is gone are kept, unless others want their room: it may
        // come back.
        let has_room = self.finder.left_out.is_empty();
        let kept = if has_room { GONE_STREAMS_MAX } else { 0 };
        dropped.extend(&gone[..gone.len().saturating_sub(kept)]);
        let dropped: BTreeSet<usize> = dropped.into_iter().map(|(at, _)| at).collect();
        if dropped.is_empty() || has_room && dropped.len() <= self.streams.len() / STREAMS_PER_EMPTY
        {
            return;
        }
        self.finder.expand |= !has_room;
        let mut at = 0;
        self.streams.retain(|stream| {
            at += 1;
            let is_dropped = dropped.contains(&(at - 1));
            if is_dropped && self.options.checkpoint {
                self.forgotten.push(stream.path.clone());
            }
            !is_dropped
        });
        let paths = self.streams.iter().enumerate();
        self.finder.index.by_path = paths.map(|(at, stream)| (stream.path.clone(), at)).collect();
        self.index_anew();
        self.collect_dirs();
        let places = |is_in: fn(&Stream) -> bool| {
            let streams = self.streams.iter().enumerate();
            streams.filter(move |(_, stream)| is_in(stream)).map(|(at, _)| at)
        };
        self.finder.queue = places(|stream| stream.due != Closeness::None).collect();
        self.dirty = places(|stream| stream.dirty).collect();
        self.unsaved = places(|stream| stream.unsaved).collect();
    }
}

/// Whether all that was read of a file is in what is at a path.
fn is_content_of(fs: &mut dyn Fs, path: &Path, id: FileId, position: &Position) -> bool {
    if !position.proves_something() {
        return false;
    }
    let Ok(file) = open_same(fs, path, id) else { return false };
    let alike = surely_like(fs, file, position);
    fs.close(file);
    alike == Likeness::Copy
}
