//! Finding files: when names are looked at, which paths are followed, and whose a file is.
//!
//! Owns the list of streams and the looks that are due. What is found for one path is
//! [`crate::look`]'s business. Nothing here asks every stream about every path: a hint finds the
//! streams it concerns by the [`Index`], and a look at many streams is one listing of each folder.

use std::collections::{BTreeSet, HashSet, VecDeque};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::compressed::without_ending;
use crate::engine::Engine;
use crate::expand::hash_of;
use crate::folder::{Folders, dir_of, join};
use crate::fs::{Fault, Fs};
use crate::index::Index;
use crate::pattern::RotatedNames;
use crate::stream::{Closeness, Look, Stream};

/// Wait between two looks while files are being moved; it doubles as long as that lasts.
pub(crate) const LOOK_AGAIN_MS: u64 = 5;
/// The longest such wait.
const LOOK_AGAIN_MS_MAX: u64 = 320;
/// How often directories are listed although nothing was said to have changed.
const LIST_INTERVAL_MS: u64 = 10_000;
/// The same with very many files, for each of them: the looks cost a small share of the time.
const LIST_MS_PER_STREAM: u64 = 10;
/// Wait between two expansions of patterns.
pub(crate) const EXPAND_INTERVAL_MS: u64 = 100;
/// Streams that one turn looks at, so that the files already open are read in between.
pub(crate) const LOOKS_PER_TURN: usize = 512;
/// Streams that one turn looks at but cheaply.
pub(crate) const GLANCES_PER_TURN: usize = 4096;
/// Files that one tick of the poll looks at; of more, each tick looks at the next.
const POLLED_MAX: usize = 1000;
/// The same of those of which a look finds nothing, for it is a look at all around them.
const POLLED_VAIN_MAX: usize = 64;
/// Names hinted at between two turns; of more, everything is listed.
const HINTS_MAX: usize = 4096;
/// Looks in a row for two that agree, where one file was cut.
pub(crate) const LOOKS_MAX: usize = 8;

/// What is due to be looked at, and the indexes to find it by.
#[derive(Debug, Default)]
pub(crate) struct Finder {
    pub(crate) folders: Folders,
    pub(crate) index: Index,
    pub(crate) queue: VecDeque<usize>,
    hints: Vec<PathBuf>,
    /// Where the poll goes on.
    poll_next: usize,
    poll_vain_next: usize,
    /// Everything is to be listed and looked at.
    relist: bool,
    /// Patterns are to be looked up.
    pub(crate) expand: bool,
    /// A look at everything is under way.
    around: bool,
    /// A look at everything is over, and nothing was written out since.
    pub(crate) around_done: bool,
    /// What is known of is not read to its end: until it is, no look is the last one.
    pub(crate) reads_on: bool,
    pub(crate) look_at_ms: u64,
    list_at_ms: u64,
    pub(crate) expand_at_ms: u64,
    /// Hashes of paths that a pattern leads to and that are left out for want of room.
    pub(crate) left_out: HashSet<u64>,
    /// Directories that were listed for patterns.
    pub(crate) pattern_dirs: BTreeSet<PathBuf>,
}

impl Finder {
    pub(crate) fn next_look_ms(&self) -> u64 {
        match self.expand {
            true => self.look_at_ms.min(self.expand_at_ms),
            false => self.look_at_ms,
        }
    }
}

impl Engine {
    /// Names may have changed: files appeared, vanished or were moved.
    pub fn hint_names(&mut self) {
        self.finder.relist = true;
    }

    /// This name came, went, or leads to another file now.
    pub fn hint_name(&mut self, path: &Path) {
        match self.finder.hints.len() < HINTS_MAX {
            true => self.finder.hints.push(path.to_owned()),
            false => self.finder.relist = true,
        }
    }

    /// A file was written to.
    pub fn hint_data(&mut self, path: &Path) {
        match self.finder.index.at(path) {
            Some(at) => {
                self.streams[at].written_to = true;
                self.set_dirty(at);
                if self.streams[at].live_generation().is_none() {
                    self.queue(at, Closeness::Path);
                }
            }
            None => {
                for at in self.rotated_of(path) {
                    self.set_dirty(at);
                    self.queue(at, Closeness::Around);
                }
            }
        }
    }

    /// Everything may have changed: hints were lost.
    pub fn hint_all(&mut self) {
        self.finder.relist = true;
        (0..self.streams.len()).for_each(|at| self.set_dirty(at));
    }

    /// The same, and writes were among what was not told of.
    pub fn hints_lost(&mut self) {
        self.hint_all();
        self.streams.iter_mut().for_each(|stream| stream.written_to = true);
    }

    pub(crate) fn set_dirty(&mut self, at: usize) {
        if !std::mem::replace(&mut self.streams[at].dirty, true) {
            self.dirty.push_back(at);
        }
    }

    pub(crate) fn queue(&mut self, at: usize, due: Closeness) {
        let stream = &mut self.streams[at];
        if stream.due == Closeness::None {
            self.finder.queue.push_back(at);
        }
        stream.due = stream.due.max(due);
    }

    /// Streams of which a path may be a rotated file, compressed or not.
    fn rotated_of(&self, path: &Path) -> Vec<usize> {
        match path.file_name().and_then(without_ending) {
            Some(plain) => {
                let mut found = self.rotated_as(&path.with_file_name(plain));
                found.extend(
                    path.parent()
                        .and_then(|_| self.finder.index.by_path.get(&path.with_file_name(plain))),
                );
                found
            }
            None => self.rotated_as(path),
        }
    }

    /// Streams of which a path may be a plain rotated file: its name begins with their stem.
    fn rotated_as(&self, path: &Path) -> Vec<usize> {
        let (dir, Some(name)) = (dir_of(path), path.file_name()) else { return Vec::new() };
        let name = name.as_bytes();
        let ext = name.iter().rposition(|byte| *byte == b'.').map_or(&[][..], |at| &name[at..]);
        let mut found = BTreeSet::new();
        for end in 1..name.len() {
            for ext in [&[][..], ext] {
                let of = [&name[..end], ext].concat();
                let of = join(dir, std::ffi::OsStr::from_bytes(&of));
                let ats = self.finder.index.both_at(&of);
                let is_rotated = || {
                    let names = self.options.rotated.iter();
                    names
                        .filter_map(|template| RotatedNames::new(template, &of))
                        .any(|names| names.contains_path(path))
                };
                if ats.iter().any(Option::is_some) && is_rotated() {
                    found.extend(ats.into_iter().flatten());
                }
            }
        }
        found.into_iter().collect()
    }

    pub(crate) fn add_stream(&mut self, path: PathBuf, named: bool) -> usize {
        if let Some(at) = self.finder.index.by_path.get(&path) {
            return *at;
        }
        let mut stream = Stream::new(self.next_key, path.clone(), named);
        stream.first = self.first_start && !self.started;
        stream.from_end = stream.first && self.options.from_end;
        #[cfg(test)]
        {
            stream.planted = self.planted;
        }
        self.next_key += 1;
        self.streams.push(stream);
        let at = self.streams.len() - 1;
        self.finder.index.by_path.insert(path, at);
        self.note_state(at);
        self.note_dirs(at);
        self.queue(at, Closeness::Around);
        at
    }

    /// Looks at names if that is due.
    pub(crate) fn look(&mut self, fs: &mut dyn Fs, now_ms: u64) -> Look {
        self.finder.folders.begin_look();
        if now_ms >= self.finder.look_at_ms {
            self.finder.look_at_ms = now_ms + self.options.poll_ms;
            self.drop_empty_streams();
            self.poll();
        }
        let is_due = !self.finder.around && !self.finder.around_done && !self.finder.reads_on;
        let ends = self.ending && is_due;
        if self.finder.relist || ends || now_ms >= self.finder.list_at_ms {
            self.finder.relist = false;
            self.try_more_open();
            let interval_ms = LIST_INTERVAL_MS.max(self.streams.len() as u64 * LIST_MS_PER_STREAM);
            self.finder.list_at_ms = now_ms + interval_ms;
            self.finder.folders.forget();
            self.finder.hints.clear();
            self.finder.expand = true;
            self.finder.around = true;
            self.index_anew();
            for at in 0..self.streams.len() {
                self.queue(at, Closeness::Around);
                if self.ending {
                    self.set_dirty(at);
                }
            }
        }
        self.take_hints(fs);
        if self.finder.expand && (now_ms >= self.finder.expand_at_ms || self.ending) {
            self.expand(fs, now_ms);
        }
        let mut look = self.look_at_queued(fs, now_ms);
        if self.finder.expand {
            look = look.and(Look::Again);
        }
        self.finder.around_done |= self.finder.around && look == Look::Settled;
        self.finder.around &= look != Look::Settled;
        self.look_again_ms = match look {
            Look::Settled | Look::More => LOOK_AGAIN_MS,
            Look::Again => (self.look_again_ms * 2).min(LOOK_AGAIN_MS_MAX),
        };
        look
    }

    /// Looks at the next files, whatever was hinted.
    fn poll(&mut self) {
        let count = self.streams.len();
        let first = self.finder.poll_next % count.max(1);
        for i in 0..count.min(POLLED_MAX) {
            // What is there to be read, the look tells.
            let at = (first + i) % count;
            if !self.streams[at].is_vain() {
                self.queue(at, Closeness::Path);
            }
        }
        self.finder.poll_next = first + count.min(POLLED_MAX);
        let (vain, from) = (&self.finder.index.vain, self.finder.poll_vain_next);
        let next = vain.range(from..).chain(vain.range(..from)).take(POLLED_VAIN_MAX);
        for at in Vec::from_iter(next.copied()) {
            self.finder.poll_vain_next = at + 1;
            self.queue(at, Closeness::Path);
        }
    }

    /// Finds out whom the hinted names concern.
    fn take_hints(&mut self, fs: &mut dyn Fs) {
        let mut hints = std::mem::take(&mut self.finder.hints);
        hints.sort();
        hints.dedup();
        for path in hints {
            let Some(name) = path.file_name() else { continue };
            let seen = fs.probe_path(&path);
            let is_there = seen != Err(Fault::Missing);
            self.finder.folders.hint(dir_of(&path), name, is_there);
            let ats = self.finder.index.both_at(&path);
            let followed = ats[0].is_some();
            let mut concerned = self.rotated_of(&path);
            concerned.extend(ats.into_iter().flatten());
            if let Ok(probe) = seen {
                concerned.extend(self.owner_of(probe.id));
            }
            for at in concerned {
                self.set_dirty(at);
                self.queue(at, Closeness::Around);
            }
            let is_file = matches!(seen, Ok(_) | Err(Fault::Denied));
            if !is_file && self.finder.left_out.remove(&hash_of(&path)) {
                self.stats.left_out = self.finder.left_out.len() as u64;
            }
            match is_file {
                true if !followed && self.is_wanted(&path) => {
                    let before = self.finder.left_out.len();
                    self.follow_found(fs, &[path]);
                    self.note_left_out(before);
                }
                false if self.finder.wild_dirs(&self.options.paths) => self.finder.expand = true,
                _ => {}
            }
        }
    }
}
