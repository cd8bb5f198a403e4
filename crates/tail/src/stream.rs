//! One followed path: its generations, open or remembered.
//!
//! Owns what is known of a path. It writes nothing out and moves no frontier: the engine does.
//! How it learns of files is [`crate::look`]'s business.
//!
//! ```text
//!            rename, delete              at its end, unchanged for a while
//!   live ───────────────────▶ retired ─────────────────────────────────────▶ closed (remembered)
//!    ▲ │ cut: from 0                ◀───────────────────────────────────────     │      ▲
//!    └─┘                              it has grown after all, or a restart       ▼ away │ back
//!                                                                              gone (the last few)
//! ```

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::checkpoint::Known;
use crate::folder::dir_of;
use crate::format::Part;
use crate::fs::{Fault, FileId, Fs, Handle, Probe};
use crate::pattern::RotatedNames;
use crate::position::Position;
use crate::reclaim::QUIET_MS;
use crate::unpack::UNPACKS;

/// Generations one path may hold open; a limit against a directory full of rotated files.
pub const GENERATIONS_MAX: usize = 512;
/// Files of one path that are remembered although they are nowhere to be found.
pub const GONE_MAX: usize = 16;
/// Places a path's links led to that are looked at: the present one and those before it.
const TARGETS_MAX: usize = 4;

/// A file of a path, held open.
#[derive(Clone, Debug)]
pub struct Generation {
    /// The open file.
    pub file: Handle,
    /// Behind the last byte that was handed on: taken by the sink, or in the batch it gets next.
    pub written: Position,
    /// Where a restart may begin once that is acknowledged: there, or where its line begins.
    pub resume: Position,
    /// Where a restart begins: `resume`, as of the last offer that was acknowledged.
    pub settled: Position,
    /// How often it was cut.
    pub cuts: u32,
    /// From the frontier up to here there was nothing but NULs when it was last looked at.
    pub nul_to: u64,
    /// NULs that are followed by data end here: they are passed over, or are data themselves.
    pub gap_to: u64,
    /// The gap before [`Generation::gap_to`] is one, not data.
    pub gap: bool,
    /// It was cut and is not at the path: what it holds may be a copy of the file that is.
    pub may_be_copy: bool,
    /// It was cut, and before anything of it is written out again it is looked for what the file
    /// held meanwhile.
    pub look_first: bool,
    /// Though the guard holds, it does not begin as it did: it was cut.
    pub head_differs: bool,
    /// When it was first seen with other bytes than were read before.
    pub suspect_since_ms: Option<u64>,
    /// How often it was looked for copies of what was cut, in vain.
    pub cut_looks: u32,
    /// Since when an unfinished line or record is held back, and where it begins.
    pub partial: Option<(u64, u64)>,
    /// The last part that was handed on of a line whose end was not.
    pub part: Option<Part>,
    /// When its reads began to fail, and how many did.
    pub failing: Option<(u64, u32)>,
    /// When bytes of it last became safe, or it was opened.
    pub moved_ms: u64,
    /// Time of the last write when it was read to its end; 0 while that is not known.
    pub seen_ns: u64,
    /// The last read met its end.
    pub at_end: bool,
    /// Space before this offset was freed by this process; 0 if none was.
    pub freed_to: u64,
    /// Before that no space is freed in it: it could not be.
    pub free_at_ms: u64,
    /// It was read to its end and removed; whatever its writer adds meanwhile is still read.
    pub is_removed: bool,
    /// It was compressed, under this name: its bytes, and its end, are those that were.
    pub packed: Option<Box<Path>>,
    /// Nothing more of it is read.
    pub given_up: bool,
}

impl Generation {
    /// Begins, or goes on, at a position.
    pub fn new(file: Handle, position: Position, now_ms: u64) -> Generation {
        Generation {
            file,
            written: position,
            resume: position,
            settled: position,
            cuts: 0,
            nul_to: 0,
            gap_to: 0,
            gap: false,
            may_be_copy: false,
            look_first: false,
            head_differs: false,
            suspect_since_ms: None,
            cut_looks: 0,
            partial: None,
            part: None,
            failing: None,
            moved_ms: now_ms,
            seen_ns: 0,
            at_end: false,
            freed_to: 0,
            free_at_ms: 0,
            is_removed: false,
            packed: None,
            given_up: false,
        }
    }

    /// Which file it is.
    pub fn id(&self) -> FileId {
        self.written.id
    }

    /// Goes on at another position, of which nothing is known but the position.
    pub fn move_to(&mut self, position: Position) {
        let fresh = Generation::new(self.file, position, self.moved_ms);
        let packed = self.packed.take();
        *self = Generation { cuts: self.cuts + 1, failing: self.failing, packed, ..fresh };
    }
}

/// What a look came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// All that was seen is accounted for.
    Settled,
    /// Not everything was looked at yet: go on in the next turn.
    More,
    /// Files were moved meanwhile, or one could not be opened: look again soon.
    Again,
}

impl Look {
    /// Settled only if both are.
    #[must_use]
    pub fn and(self, other: Look) -> Look {
        match (self, other) {
            (Look::Again, _) | (_, Look::Again) => Look::Again,
            (Look::More, _) | (_, Look::More) => Look::More,
            (Look::Settled, Look::Settled) => Look::Settled,
        }
    }
}

/// How closely a path is to be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Closeness {
    /// Not at all.
    None,
    /// What is at the path.
    Path,
    /// What is at the path and around it.
    Around,
}

/// A followed path.
#[derive(Debug)]
pub struct Stream {
    /// Names it for the engine, whatever becomes of its place in a list.
    pub key: u64,
    /// The path.
    pub path: PathBuf,
    /// Where links in the path lead to and led to, the present place last; empty without links.
    pub targets: Vec<PathBuf>,
    /// It was named, not found by a pattern: never given up.
    pub named: bool,
    /// Open files, oldest first. The last one is at the path if `live` says so.
    pub generations: Vec<Generation>,
    /// Files not held open: read to their end, or not ours. Oldest first.
    pub closed: Vec<Known>,
    /// Files that were found nowhere, the last few: they may come back.
    pub gone: Vec<Known>,
    /// What was at the path at the last look.
    pub live: Option<FileId>,
    /// The file at the path of which something was read when the last look was settled: should it
    /// still have that, it was not cut since then.
    pub proven: Option<FileId>,
    /// Something may be there to be read.
    pub dirty: bool,
    /// The checkpoint may say something else of it.
    pub(crate) unsaved: bool,
    /// The last glance showed something that was not read.
    pub(crate) unread: bool,
    /// It was said that the file was written to.
    pub written_to: bool,
    /// The newest file had the first identity before the last look, and has the second.
    pub(crate) renumbered: Option<Box<(FileId, FileId)>>,
    /// The file at the path replaced this one, of which it is a longer copy.
    pub replaced: Option<Box<Generation>>,
    /// From when on a closed file may be removed, should it not change until then.
    pub(crate) quiet_at: Vec<(FileId, u64)>,
    /// A file could not be opened for want of descriptors.
    pub too_many_open: bool,
    /// A file was seen at the path that no look has taken in yet: should it be compressed by then, that
    /// is this path's.
    pub(crate) owed: bool,
    /// A compressed file that may be older than what is open could not be judged yet: nothing is read.
    pub(crate) halted: bool,
    /// When looks into a compressed file began to fail, and how many did.
    pub(crate) packed_failing: Option<(u64, u32)>,
    /// The look that is due.
    pub due: Closeness,
    /// Why the path cannot be read at present.
    pub fault: Option<Fault>,
    /// Nothing is known of the past: the program starts for the first time.
    pub first: bool,
    /// The file that is there at the first look is read from its end.
    pub from_end: bool,
    /// A file came from another path, or back from one, since the last look was settled: others may
    /// have been here before it.
    pub moved_in: bool,
    /// The positions come from a checkpoint and were not compared with the files yet.
    pub restored: bool,
    #[cfg(test)]
    pub(crate) planted: Option<crate::planted::Bug>,
    /// It was said that nothing is there.
    pub(crate) waiting: bool,
}

impl Stream {
    /// Follows `path`, of which nothing is known.
    pub fn new(key: u64, path: PathBuf, named: bool) -> Stream {
        Stream {
            key,
            path,
            targets: Vec::new(),
            named,
            // Hardly any has more than one: room for four of them would be most of its memory.
            generations: Vec::with_capacity(1),
            closed: Vec::new(),
            gone: Vec::new(),
            live: None,
            proven: None,
            dirty: false,
            unsaved: false,
            unread: false,
            written_to: false,
            renumbered: None,
            replaced: None,
            quiet_at: Vec::new(),
            too_many_open: false,
            owed: false,
            halted: false,
            packed_failing: None,
            due: Closeness::None,
            fault: None,
            first: false,
            from_end: false,
            moved_in: false,
            restored: false,
            #[cfg(test)]
            planted: None,
            waiting: false,
        }
    }

    /// The followed path, and where its links lead to.
    pub fn spots(&self) -> impl DoubleEndedIterator<Item = &Path> {
        self.targets.iter().map(PathBuf::as_path).chain([self.path.as_path()])
    }

    /// Remembers where the path's links lead to. True if that is new.
    pub(crate) fn note_target(&mut self, target: PathBuf) -> bool {
        let is_plain = target.as_os_str() == self.path.as_os_str();
        if self.targets.last() == Some(&target) || is_plain && self.targets.is_empty() {
            return false;
        }
        self.targets.retain(|known| *known != target);
        self.targets.push(target);
        if self.targets.len() > TARGETS_MAX {
            self.targets.remove(0);
        }
        true
    }

    /// The names of its rotated files, wherever its links lead to.
    pub(crate) fn rotated_names(&self, templates: &[String]) -> Vec<RotatedNames> {
        let spots = self.spots();
        let names = spots.flat_map(|spot| templates.iter().map(move |one| (one, spot)));
        names.filter_map(|(template, spot)| RotatedNames::new(template, spot)).collect()
    }

    /// Directories in which a change may concern this path.
    pub(crate) fn dirs(&self, templates: &[String]) -> BTreeSet<PathBuf> {
        let rotated = self.rotated_names(templates).into_iter().map(|names| names.dir);
        rotated.chain(self.spots().map(|spot| dir_of(spot).to_owned())).collect()
    }

    /// What a checkpoint has to say about it, oldest first.
    pub fn known(&self) -> impl Iterator<Item = Known> + '_ {
        let open = self.generations.iter();
        let open = open.map(|one| one.known(one.settled));
        // As long as not all are open again that are to be, those that are not are the newer ones.
        let older = if self.restored { 0 } else { self.closed.len() };
        let (older, newer) = self.closed.split_at(older);
        let is_behind = |known: &&Known| known.after.is_some_and(|id| self.place_of(id).is_some());
        let open = open.flat_map(move |one| {
            let id = one.position.id;
            let behind = older.iter().filter(move |known| known.after == Some(id));
            std::iter::once(one).chain(behind.copied())
        });
        let older = older.iter().filter(move |known| !is_behind(known));
        self.gone.iter().chain(older).copied().chain(open).chain(newer.iter().copied())
    }

    /// Every file it knows, by what it is.
    pub(crate) fn ids(&self) -> impl Iterator<Item = FileId> + '_ {
        let closed = self.closed.iter().map(|known| known.position.id);
        self.generations.iter().map(Generation::id).chain(closed)
    }

    /// Whether it has no file, open or closed.
    pub(crate) fn is_empty(&self) -> bool {
        self.generations.is_empty() && self.closed.is_empty()
    }

    /// Whether all that a look at the path shows was read.
    pub(crate) fn is_read_to(&self, seen: &Probe) -> bool {
        match (self.live_generation(), self.generations.len()) {
            (Some(one), 1) => {
                let is_at_end = one.at_end && one.written.frontier == seen.size;
                is_at_end && !one.head_differs && one.seen_ns == seen.written_ns
            }
            (_, count) => count == 0,
        }
    }

    /// Whether there is nothing to be found at the path, as far as is known.
    pub(crate) fn is_vain(&self) -> bool {
        self.fault.is_some() || self.is_empty() && !self.named
    }

    /// Whether a pattern led to it and it has found no file yet.
    pub(crate) fn is_unseen(&self) -> bool {
        self.is_empty() && self.gone.is_empty() && !self.named && !self.owed
    }

    /// Whether it has an open file that is not at the path.
    pub(crate) fn has_old(&self) -> bool {
        self.generations.iter().any(|one| self.live != Some(one.id()))
    }

    /// Whether a file is one that it knows.
    pub(crate) fn has(&self, id: FileId) -> bool {
        self.ids().any(|known| same_file(known, id))
    }

    /// The place of an open file among the generations.
    pub(crate) fn place_of(&self, id: FileId) -> Option<usize> {
        self.generations.iter().position(|one| one.id() == id)
    }

    /// The open file at the path.
    pub(crate) fn live_generation(&self) -> Option<&Generation> {
        self.generations.last().filter(|newest| self.live == Some(newest.id()))
    }

    /// Closes a file that was read to its end, and is as `probe` says. It is remembered, and when it
    /// may be removed if such files are.
    pub(crate) fn retire(&mut self, fs: &mut dyn Fs, place: usize, probe: &Probe, removes: bool) {
        let one = self.generations.remove(place);
        fs.close(one.file);
        if !probe.linked {
            let known = one.known(one.written);
            // What was removed does not come back, but somebody may have been compressing it: its
            // bytes are known then, whatever file they are in.
            let bytes = Position { id: FileId::default(), ..known.position };
            match one.is_removed {
                false => self.note_gone(known),
                true if UNPACKS => self.note_gone(Known::delivered(bytes)),
                true => {}
            }
            return;
        }
        // Of the time when its content was looked at, if that is known.
        let written_ns = if one.seen_ns == 0 { probe.written_ns } else { one.seen_ns };
        let left = Some((probe.size, written_ns));
        let after = place.checked_sub(1).map(|place| self.generations[place].id());
        self.closed.push(Known { left, after, ..one.known(one.written) });
        if removes {
            self.note_quiet(one.id(), one.moved_ms + QUIET_MS);
        }
    }

    /// Remembers a file that is nowhere to be found.
    pub(crate) fn note_gone(&mut self, known: Known) {
        if self.gone.len() >= GONE_MAX {
            self.gone.remove(0);
        }
        self.gone.push(known);
    }
}

/// Whether a file may be the one of old; content has the last word. Device numbers of some
/// volumes change with a restart of the machine, the time of birth does not.
pub(crate) fn same_file(known: FileId, seen: FileId) -> bool {
    known.ino == seen.ino
        && known.born_ns == seen.born_ns
        && (known.dev == seen.dev || known.born_ns != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_are_not_open_again_yet_are_the_newer_ones() {
        let mut stream = Stream::new(1, "/log/a.log".into(), true);
        let position = |ino: u64| Position::start(FileId { ino, ..FileId::default() });
        stream.closed.push(Known::ours(position(2)));
        stream.generations.push(Generation::new(Handle(1), position(1), 0));
        let mut check = |restored: bool, expected: [u64; 2]| {
            stream.restored = restored;
            let seen: Vec<u64> = stream.known().map(|known| known.position.id.ino).collect();
            assert_eq!(seen, expected, "{restored}");
        };
        check(true, [1, 2]);
        check(false, [2, 1]);
    }
}
