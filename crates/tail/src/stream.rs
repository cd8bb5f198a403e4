//! One followed path: its generations held open, and the looks that find new ones.
//!
//! Owns which file is read next and from where. It writes nothing out and moves no frontier:
//! the engine does. What it decides is decided in [`crate::rotation`].
//!
//! ```text
//!            rename, delete              at its end, unchanged for a while
//!   live ───────────────────▶ retired ─────────────────────────────────────▶ closed (remembered)
//!    ▲ │ cut: from 0                ◀───────────────────────────────────────
//!    └─┘                              it has grown after all, or a restart
//! ```

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::checkpoint::Known;
use crate::content::{likeness, open_same, read_exact, renumber};
use crate::fs::{Fault, FileId, Fs, Handle, Probe};
use crate::pattern::RotatedNames;
use crate::position::{GUARD_BYTES_MAX, Position, Verdict, verdict};
use crate::report::Notice;
use crate::rotation::{Decision, Likeness, Situation, Snapshot, admit, drain_order};

/// Generations one path may hold open; a limit against a directory full of rotated files.
pub const GENERATIONS_MAX: usize = 512;
/// Tries for two looks in a row that agree.
const LOOKS_MAX: usize = 8;

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
    /// It was cut: NULs at its start are the hole a writer left that does not append.
    pub skip_nuls: bool,
    /// When it was first seen with other bytes than were read before.
    pub suspect_since_ms: Option<u64>,
    /// How often it was looked for copies of what was cut, in vain.
    pub cut_looks: u32,
    /// Since when an unfinished line or record is held back, and where it begins.
    pub partial: Option<(u64, u64)>,
    /// When its reads began to fail, and how many did.
    pub failing: Option<(u64, u32)>,
    /// When bytes of it last became safe, or it was opened.
    pub moved_ms: u64,
    /// The last read met its end.
    pub at_end: bool,
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
            skip_nuls: false,
            suspect_since_ms: None,
            cut_looks: 0,
            partial: None,
            failing: None,
            moved_ms: now_ms,
            at_end: false,
        }
    }

    /// Which file it is.
    pub fn id(&self) -> FileId {
        self.written.id
    }

    /// Goes back to the file's beginning after it was cut.
    pub fn restart(&mut self) {
        let fresh = Generation::new(self.file, Position::start(self.id()), self.moved_ms);
        *self = Generation { skip_nuls: true, cuts: self.cuts + 1, failing: self.failing, ..fresh };
    }
}

/// Names in directories, as of one pass over all paths.
pub type Listings = BTreeMap<PathBuf, Vec<OsString>>;

/// What a look came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// All that was seen is accounted for.
    Settled,
    /// Files were moved meanwhile, or one could not be opened: look again soon.
    Again,
}

/// A followed path.
#[derive(Debug)]
pub struct Stream {
    /// Names it for the engine, whatever becomes of its place in a list.
    pub key: u64,
    /// The path.
    pub path: PathBuf,
    /// It was named, not found by a pattern: never given up.
    pub named: bool,
    /// Open files, oldest first. The last one is at the path if `live` says so.
    pub generations: Vec<Generation>,
    /// Files not held open: read to their end, or not ours. Oldest first.
    pub closed: Vec<Known>,
    /// What was at the path at the last look.
    pub live: Option<FileId>,
    /// Something may be there to be read.
    pub dirty: bool,
    /// Why the path cannot be read at present.
    pub fault: Option<Fault>,
    /// Nothing is known of the past: the program starts for the first time.
    pub first: bool,
    /// The file that is there at the first look is read from its end.
    pub from_end: bool,
    /// The positions come from a checkpoint and were not compared with the files yet.
    pub restored: bool,
    /// The checkpoint was lost: whether a file was cut before cannot be known.
    pub recovering: bool,
    #[cfg(test)]
    pub(crate) planted: Option<crate::planted::Bug>,
    /// The newest file had the first identity before the last look, and has the second.
    pub(crate) renumbered: Option<(FileId, FileId)>,
    /// It was said that nothing is there.
    waiting: bool,
    rotated_names: Vec<RotatedNames>,
}

impl Stream {
    /// Follows `path`, of which nothing is known.
    pub fn new(key: u64, path: PathBuf, named: bool, templates: &[String]) -> Stream {
        let rotated_names =
            templates.iter().filter_map(|template| RotatedNames::new(template, &path)).collect();
        Stream {
            key,
            path,
            named,
            generations: Vec::new(),
            closed: Vec::new(),
            live: None,
            dirty: true,
            fault: None,
            first: false,
            from_end: false,
            restored: false,
            recovering: false,
            #[cfg(test)]
            planted: None,
            renumbered: None,
            waiting: false,
            rotated_names,
        }
    }

    /// Whether this is a name for one of the path's rotated files.
    pub fn rotates_to(&self, path: &Path) -> bool {
        self.rotated_names.iter().any(|names| names.contains_path(path))
    }

    /// Directories in which a change may concern this path.
    pub fn dirs(&self) -> impl Iterator<Item = PathBuf> + '_ {
        let own = match self.path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
            _ => PathBuf::from("."),
        };
        self.rotated_names.iter().map(|names| names.dir.clone()).chain([own])
    }

    /// What a checkpoint has to say about it, oldest first.
    pub fn known(&self) -> impl Iterator<Item = Known> + '_ {
        let open = self.generations.iter();
        let open = open.map(|one| Known { position: one.settled, foreign: false });
        self.closed.iter().copied().chain(open)
    }

    /// Looks at the path, and around it where that is needed, or asked for by a place for
    /// listings that several paths share.
    pub fn look(
        &mut self,
        fs: &mut dyn Fs,
        listings: Option<&mut Listings>,
        now_ms: u64,
        notices: &mut Vec<Notice>,
    ) -> Look {
        let seen = fs.probe_path(&self.path);
        self.note_fault(seen.as_ref().err().copied(), notices);
        let newest = self.generations.last_mut().zip(seen.ok());
        self.renumbered = newest.and_then(|(newest, seen)| renumber(fs, newest, seen.id));
        let newest = self.generations.last().map(Generation::id);
        if newest.is_some() && seen.ok().map(|probe| probe.id) == newest {
            let settled = match listings {
                None => true,
                Some(listings) => !self.restored && self.knows_all(fs, listings),
            };
            if settled {
                self.live = newest;
                return Look::Settled;
            }
        }
        let Some(snapshot) = self.snapshot(fs, notices) else { return Look::Again };
        let live = snapshot.live.map(|live| live.id);
        if live != self.live {
            // Its writer may not know yet that it was moved, however long it was silent.
            let moved = self.generations.iter_mut().filter(|one| Some(one.id()) == self.live);
            moved.for_each(|one| one.moved_ms = now_ms);
        }
        self.live = live;
        let before = self.generations.len();
        let reopened = self.reopen(fs, &snapshot, now_ms);
        self.dirty |= self.generations.len() != before;
        let Some(situation) = self.situation(fs, &snapshot) else {
            self.dirty = true;
            return Look::Again;
        };
        if reopened == Look::Again {
            return Look::Again;
        }
        let look = self.reconcile(fs, &snapshot, situation, now_ms, notices);
        if self.generations.is_empty() && self.fault.is_none() && !self.waiting {
            notices.push(Notice::Waiting(self.path.clone()));
        }
        self.waiting = self.generations.is_empty();
        self.dirty |= self.generations.len() != before;
        look
    }

    /// Whether every rotated file is accounted for, by listings that may be a moment old: what
    /// they do not have yet is told of by a later hint.
    fn knows_all(&self, fs: &mut dyn Fs, listings: &mut Listings) -> bool {
        let mut closed_seen = 0;
        for names in &self.rotated_names {
            if !listings.contains_key(&names.dir) {
                let Ok(listed) = fs.list(&names.dir) else { return false };
                listings.insert(names.dir.clone(), listed);
            }
            let listed = listings.get(&names.dir).into_iter().flatten();
            for name in listed.filter(|name| names.contains(name)) {
                let Ok(probe) = fs.probe_path(&names.dir.join(name)) else { return false };
                let at_end = |known: &Known| {
                    let unchanged = known.position.frontier == probe.size && probe.id.born_ns != 0;
                    known.position.id == probe.id && (known.foreign || unchanged)
                };
                if self.closed.iter().any(at_end) {
                    closed_seen += 1;
                } else if !self.generations.iter().any(|one| one.id() == probe.id) {
                    return false;
                }
            }
        }
        // What is gone is forgotten by a full look.
        closed_seen == self.closed.len()
    }

    /// The newest generation was cut: it begins anew, after what copies of it still hold.
    pub fn look_after_cut(
        &mut self,
        fs: &mut dyn Fs,
        now_ms: u64,
        notices: &mut Vec<Notice>,
    ) -> Look {
        let Some(snapshot) = self.snapshot(fs, notices) else { return Look::Again };
        let newest = self.generations.last().map(Generation::id);
        if snapshot.live.map(|live| live.id) != newest {
            // The path went on to another file: an ordinary look sorts that out.
            return Look::Settled;
        }
        self.reconcile(fs, &snapshot, Situation::Cut, now_ms, notices)
    }

    /// `None` if the newest generation is at the path and does not look as it should: the reader
    /// will find out what happened, and until then nothing can be said about strays.
    fn situation(&self, fs: &mut dyn Fs, snapshot: &Snapshot) -> Option<Situation> {
        let Some(newest) = self.generations.last() else {
            return Some(if self.first { Situation::First } else { Situation::Changed });
        };
        if snapshot.live.map(|live| live.id) != Some(newest.id()) {
            return Some(Situation::Changed);
        }
        let mut seen = [0; GUARD_BYTES_MAX];
        let guard = &mut seen[..newest.written.guard.bytes()];
        read_exact(fs, newest.file, newest.written.guard_start(), guard)?;
        let intact = verdict(&newest.written, guard) == Verdict::Same;
        intact.then_some(Situation::Unchanged)
    }

    fn note_fault(&mut self, fault: Option<Fault>, notices: &mut Vec<Notice>) {
        let fault = fault.filter(|fault| *fault != Fault::Missing);
        if let Some(fault) = fault {
            notices.push(Notice::Unreadable(self.path.clone(), fault));
        } else if self.fault.is_some() {
            notices.push(Notice::Following(self.path.clone()));
        }
        self.fault = fault;
    }

    /// Two looks in a row that agree; `None` if there is too much movement or an error.
    fn snapshot(&self, fs: &mut dyn Fs, notices: &mut Vec<Notice>) -> Option<Snapshot> {
        let mut last: Option<Snapshot> = None;
        for _ in 0..LOOKS_MAX {
            let next = self.look_once(fs, notices);
            match (last, next) {
                (Some(last), Some(next)) if last.same_files(&next) => return Some(next),
                (_, next) => last = next,
            }
        }
        None
    }

    /// Rotated names first, the path last: what is found under a rotated name while the newest
    /// generation is still at the path cannot be newer than it.
    fn look_once(&self, fs: &mut dyn Fs, notices: &mut Vec<Notice>) -> Option<Snapshot> {
        let mut snapshot = Snapshot::default();
        for names in &self.rotated_names {
            let mut listed = match fs.list(&names.dir) {
                Ok(listed) => listed,
                Err(Fault::Missing) => {
                    snapshot.unlisted = true;
                    continue;
                }
                Err(fault) => {
                    notices.push(Notice::Unreadable(names.dir.clone(), fault));
                    if fault != Fault::Denied {
                        return None;
                    }
                    // It may be that only names that are known can be opened there.
                    snapshot.unlisted = true;
                    continue;
                }
            };
            listed.retain(|name| names.contains(name));
            listed.sort();
            for name in listed {
                let path = names.dir.join(name);
                if path.as_os_str() == self.path.as_os_str() {
                    continue;
                }
                match fs.probe_path(&path) {
                    Ok(probe) => snapshot.rotated.push((path, probe)),
                    Err(Fault::Missing) => return None,
                    Err(_) => {}
                }
            }
        }
        if self.rotated_names.len() > 1 {
            snapshot.rotated.sort_by(|a, b| a.0.as_os_str().cmp(b.0.as_os_str()));
            snapshot.rotated.dedup_by(|a, b| a.0.as_os_str() == b.0.as_os_str());
        }
        snapshot.live = fs.probe_path(&self.path).ok();
        if let Some(live) = snapshot.live {
            // A second name of the file at the path.
            snapshot.rotated.retain(|(_, probe)| probe.id != live.id);
        }
        Some(snapshot)
    }

    /// Accounts for every file of a snapshot.
    fn reconcile(
        &mut self,
        fs: &mut dyn Fs,
        snapshot: &Snapshot,
        situation: Situation,
        now_ms: u64,
        notices: &mut Vec<Notice>,
    ) -> Look {
        let live = snapshot.live.map(|live| live.id);
        let cut = self.generations.last().map(|newest| newest.written);
        let mut look = Look::Settled;
        let mut found = Vec::new();
        for (path, probe) in self.strays(snapshot, situation) {
            #[cfg(test)]
            if self.planted == Some(crate::planted::Bug::ForgetRotated) {
                continue;
            }
            match self.take_in(fs, &path, &probe, situation, cut, now_ms) {
                Ok(generation) => found.extend(generation),
                Err(Some(fault)) if fault != Fault::TooManyOpen => {
                    notices.push(Notice::Unreadable(path, fault));
                }
                Err(fault) => {
                    notices.extend(fault.map(|fault| Notice::Unreadable(path, fault)));
                    // None of its successors before it.
                    look = Look::Again;
                    break;
                }
            }
        }
        self.insert(found.into_iter(), live);
        if look == Look::Settled {
            // Only now: what the older ones still hold comes first.
            look = self.open_live(fs, snapshot, now_ms, notices);
        }
        if look == Look::Settled {
            if !snapshot.unlisted {
                self.forget_what_is_gone(snapshot, notices);
            }
            self.first = false;
            let newest = self.generations.last().map(Generation::id);
            if live.is_none() || live == newest {
                self.restored = false;
                self.recovering = false;
            }
        }
        look
    }

    /// Decides about one stray, and opens it if it is to be read. `Err(None)` if it was moved, or
    /// could not be judged.
    fn take_in(
        &mut self,
        fs: &mut dyn Fs,
        path: &Path,
        probe: &Probe,
        situation: Situation,
        cut: Option<Position>,
        now_ms: u64,
    ) -> Result<Option<Generation>, Option<Fault>> {
        let mut decision = admit(situation, cut.as_ref(), probe, Likeness::None);
        if decision == Decision::Foreign {
            self.closed.push(foreign(probe.id));
            return Ok(None);
        }
        let file = open_same(fs, path, probe.id)?;
        if let (Situation::Cut, Some(cut)) = (situation, &cut) {
            let Some(likeness) = likeness(fs, file, cut) else {
                fs.close(file);
                return Err(None);
            };
            decision = admit(situation, Some(cut), probe, likeness);
        }
        let was_foreign = self.closed.iter().any(|known| known.position.id == probe.id);
        self.closed.retain(|known| known.position.id != probe.id);
        let position = match (decision, cut) {
            (Decision::Remainder, Some(cut)) => Position { id: probe.id, ..cut },
            (Decision::Generation, _) if !was_foreign => Position::start(probe.id),
            _ => {
                fs.close(file);
                self.closed.push(foreign(probe.id));
                return Ok(None);
            }
        };
        let mut generation = Generation::new(file, position, now_ms);
        // A copy has the holes of what it was copied from.
        let may_have_hole = situation == Situation::Cut || self.recovering;
        generation.skip_nuls = may_have_hole && position.frontier == 0;
        Ok(Some(generation))
    }

    /// Adds generations, in their order, behind the retired ones. The one at the path is the last;
    /// the others are in the order of their birth where that is known, for one of them may have
    /// been found later than its successors.
    fn insert(&mut self, found: impl Iterator<Item = Generation>, live: Option<FileId>) {
        self.generations.extend(found);
        let all_born = self.generations.iter().all(|one| one.id().born_ns != 0);
        self.generations.sort_by_key(|one| {
            let is_live = Some(one.id()) == live;
            (is_live, if all_born { one.id().born_ns } else { 0 })
        });
    }

    /// Opens again what was closed and is not at its end, each at its position.
    fn reopen(&mut self, fs: &mut dyn Fs, snapshot: &Snapshot, now_ms: u64) -> Look {
        let mut look = Look::Settled;
        let mut at = 0;
        let mut opened = Vec::new();
        while let Some(known) = self.closed.get(at).copied() {
            at += 1;
            let on_disk = snapshot.rotated.iter().map(|(path, probe)| (path, probe));
            let on_disk = on_disk.chain(snapshot.live.as_ref().map(|live| (&self.path, live)));
            let same = |probe: &Probe| same_file(known.position.id, probe.id);
            let Some((path, probe)) = on_disk.into_iter().find(|(_, probe)| same(probe)) else {
                continue;
            };
            let is_live = snapshot.live.is_some_and(|live| live.id == probe.id);
            if self.generations.iter().any(|one| one.id() == probe.id) {
                // Its number was given to another file, which is open: the old one is gone.
                at -= 1;
                self.closed.remove(at);
                continue;
            }
            // What was not one of the path's files may have become one.
            let foreign_still = known.foreign && !is_live;
            let sure = !self.restored && probe.id.born_ns != 0;
            let unchanged = sure && probe.size == known.position.frontier && !is_live;
            if foreign_still || unchanged {
                continue;
            }
            let position = match known.foreign {
                true => Position::start(probe.id),
                false => Position { id: probe.id, ..known.position },
            };
            match open_same(fs, path, probe.id) {
                Ok(file) => {
                    let mut one = Generation::new(file, position, now_ms);
                    let begun = self.restored || position.frontier > 0;
                    one.skip_nuls = begun && position.is_nuls();
                    opened.push((path.clone(), *probe, one));
                    at -= 1;
                    self.closed.remove(at);
                }
                Err(None | Some(Fault::TooManyOpen)) => {
                    // None of its successors before it.
                    look = Look::Again;
                    break;
                }
                Err(Some(_)) => {}
            }
        }
        opened.sort_by(|a, b| drain_order((&a.0, &a.1), (&b.0, &b.1)));
        let opened = opened.into_iter().map(|(_, _, one)| one);
        self.insert(opened, snapshot.live.map(|live| live.id));
        look
    }

    /// Files with a rotated name that are accounted for by nothing. After a cut those that were
    /// taken for foreign are looked at again: one may be the copy that was made before the cut.
    fn strays(&self, snapshot: &Snapshot, situation: Situation) -> Vec<(PathBuf, Probe)> {
        let is_stray = |probe: &Probe| {
            let open = self.generations.iter().any(|one| one.id() == probe.id);
            let closed = self.closed.iter().find(|known| same_file(known.position.id, probe.id));
            let settled =
                closed.is_some_and(|known| !(known.foreign && situation == Situation::Cut));
            let live = snapshot.live.is_some_and(|live| live.id == probe.id);
            !open && !settled && !live
        };
        let room = GENERATIONS_MAX.saturating_sub(self.generations.len());
        let strays = snapshot.rotated.iter().filter(|(_, probe)| is_stray(probe));
        let mut strays: Vec<_> = strays.take(room.max(1)).cloned().collect();
        strays.sort_by(|a, b| drain_order((&a.0, &a.1), (&b.0, &b.1)));
        strays
    }

    fn open_live(
        &mut self,
        fs: &mut dyn Fs,
        snapshot: &Snapshot,
        now_ms: u64,
        notices: &mut Vec<Notice>,
    ) -> Look {
        let Some(live) = snapshot.live else { return Look::Settled };
        if self.generations.iter().any(|one| one.id() == live.id) {
            return Look::Settled;
        }
        if self.closed.iter().any(|known| !known.foreign && known.position.id == live.id) {
            // It was read in part and could not be opened again: its position is not forgotten.
            self.note_fault(Some(Fault::Denied), notices);
            return Look::Settled;
        }
        match open_same(fs, &self.path, live.id) {
            Ok(file) => {
                let verb =
                    if self.generations.is_empty() { Notice::Following } else { Notice::Rotated };
                notices.push(verb(self.path.clone()));
                // An old file may have had the number before.
                self.closed.retain(|known| known.position.id != live.id);
                let mut one = Generation::new(file, self.begin_at(fs, file, live.id), now_ms);
                one.skip_nuls = self.recovering || self.restored;
                self.generations.push(one);
                Look::Settled
            }
            Err(None) => Look::Again,
            Err(fault) => {
                self.note_fault(fault, notices);
                Look::Settled
            }
        }
    }

    fn forget_what_is_gone(&mut self, snapshot: &Snapshot, notices: &mut Vec<Notice>) {
        let on_disk = |known: &Known| {
            let rotated = snapshot.rotated.iter().map(|(_, probe)| probe);
            rotated.chain(&snapshot.live).any(|probe| same_file(known.position.id, probe.id))
        };
        let before = self.closed.len();
        self.closed.retain(on_disk);
        if self.restored && self.closed.len() < before {
            notices.push(Notice::Gone(self.path.clone()));
        }
    }
}

/// Whether a file may be the one of old; content has the last word. Device numbers of some
/// volumes change with a restart of the machine, the time of birth does not.
fn same_file(known: FileId, seen: FileId) -> bool {
    known.ino == seen.ino
        && known.born_ns == seen.born_ns
        && (known.dev == seen.dev || known.born_ns != 0)
}

fn foreign(id: FileId) -> Known {
    Known { position: Position::start(id), foreign: true }
}
