//! The looks that find a path's files: at the path, around it, and where they are known to be.
//!
//! Owns how what is on the disk is brought together with what is known of one path. What a file
//! is taken for is decided in [`crate::rotation`]; whose file it is, in [`crate::discover`].

use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};

use crate::checkpoint::Known;
use crate::compressed::is_compressed;
use crate::content::{begins_as, likeness, open_same, read_exact};
use crate::folder::{Folders, Moving};
use crate::fs::{Fault, FileId, Fs, Probe};
use crate::pattern::RotatedNames;
use crate::position::{GUARD_BYTES_MAX, Position, Verdict, verdict};
use crate::report::{Notice, Stats};
use crate::rotation::{Decision, Likeness, Situation, Snapshot, admit, number};
use crate::stream::{Generation, Look, Stream, same_file};
use crate::unpack::UNPACKS;

/// What a look at one path needs of everything else.
pub(crate) struct Scene<'a> {
    pub(crate) fs: &'a mut dyn Fs,
    pub(crate) folders: &'a mut Folders,
    pub(crate) templates: &'a [String],
    pub(crate) paths: Paths<'a>,
    pub(crate) now_ms: u64,
    /// Each write is told of: a time that changed without one is no write.
    pub(crate) hears_writes: bool,
    pub(crate) notices: &'a mut Vec<Notice>,
    pub(crate) stats: &'a mut Stats,
}

/// Whose a path may be.
#[derive(Clone, Copy)]
pub(crate) struct Paths<'a> {
    /// The stream of each followed path.
    pub(crate) followed: &'a HashMap<PathBuf, usize>,
    /// Streams that a pattern led to and that have found no file yet.
    pub(crate) unseen: &'a BTreeSet<usize>,
}

impl Stream {
    /// A first, cheap look. True if it settles all there is to see.
    pub(crate) fn glance(&mut self, scene: &mut Scene<'_>, around: bool) -> bool {
        let seen = scene.fs.probe_path(&self.path);
        self.note_fault(seen.as_ref().err().copied(), scene.notices);
        let Ok(seen) = seen else { return false };
        let open = self.generations.last().is_some_and(|newest| newest.id() == seen.id);
        // One that was none of ours is at the path now, or has its number only.
        let is_parked = |known: &Known| !known.foreign && is_at_end(known, &seen);
        let parked = || self.closed.iter().any(is_parked);
        if !open && !parked() || self.restored {
            return false;
        }
        let names = if around { self.rotated_names(scene.templates) } else { Vec::new() };
        if around && !self.knows_all(scene, &names) {
            return false;
        }
        self.live = Some(seen.id);
        self.unread = !self.is_read_to(&seen);
        self.written_to |= self.unread && !scene.hears_writes;
        if around && names.iter().all(|names| scene.folders.is_listed_anew(&names.dir)) {
            self.note_proven();
        }
        true
    }

    /// All around is accounted for.
    fn note_proven(&mut self) {
        let proves = self.live_generation().filter(|one| one.written.proves_something());
        self.proven = proves.map(Generation::id);
    }

    /// Whether every rotated file is accounted for, by a listing that may be a moment old: what it
    /// does not have yet is told of by a later hint.
    fn knows_all(&self, scene: &mut Scene<'_>, names: &[RotatedNames]) -> bool {
        let of = scene.paths;
        let mut closed_seen = HashSet::new();
        for names in names {
            let Ok(paths) = scene.folders.rotated(scene.fs, names) else { return false };
            for path in paths.iter().filter(|path| self.may_rotate_to(path, of.followed)) {
                let probe = match scene.fs.probe_path(path) {
                    Ok(probe) => probe,
                    Err(Fault::Missing) if !scene.fs.is_link(path) => return false,
                    Err(_) => continue,
                };
                if self.closed.iter().any(|known| is_at_end(known, &probe)) {
                    closed_seen.insert(probe.id);
                } else if self.place_of(probe.id).is_none() {
                    return false;
                }
            }
            let Ok(paths) = scene.folders.packed(scene.fs, names) else { return false };
            for path in paths.iter().filter(|path| self.may_pack_to(path, &of)) {
                let Ok(probe) = scene.fs.probe_path(path) else { return false };
                if self.is_done(&probe) {
                    closed_seen.insert(probe.id);
                } else if !self.generations.iter().any(|one| one.id() == probe.id) {
                    return false;
                }
            }
        }
        let parked = self.closed.iter().filter(|known| Some(known.position.id) == self.live);
        // What is gone is remembered as such by a full look.
        closed_seen.len() + parked.count() == self.closed.len()
    }

    pub(crate) fn may_rotate_to(&self, path: &Path, followed: &HashMap<PathBuf, usize>) -> bool {
        !followed.contains_key(path) && self.spots().all(|spot| spot != path)
    }

    pub(crate) fn note_fault(&mut self, fault: Option<Fault>, notices: &mut Vec<Notice>) {
        let fault = fault.filter(|fault| *fault != Fault::Missing);
        if fault != self.fault {
            notices.push(match fault {
                Some(fault) => Notice::Unreadable(self.path.clone(), fault),
                None => Notice::Following(self.path.clone()),
            });
        }
        self.fault = fault;
    }

    /// Rotated names first, the path last: what is found under a rotated name while the newest
    /// generation is still at the path cannot be newer than it. `None` on an error.
    pub(crate) fn look_once(&mut self, scene: &mut Scene<'_>) -> Option<Snapshot> {
        let target = match self.targets.is_empty() {
            true => scene.folders.resolve(scene.fs, &self.path),
            false => scene.fs.resolve(&self.path),
        };
        if let Ok(target) = target {
            self.note_target(target);
        }
        let of = scene.paths;
        let mut snapshot = Snapshot::default();
        for names in self.rotated_names(scene.templates) {
            let paths = match scene.folders.rotated(scene.fs, &names) {
                Ok(paths) => paths,
                Err(fault) => {
                    // It may be that only names that are known can be opened there.
                    snapshot.unlisted = true;
                    if fault == Fault::Missing {
                        continue;
                    }
                    scene.notices.push(Notice::Unreadable(names.dir.clone(), fault));
                    if fault == Fault::Denied {
                        continue;
                    }
                    return None;
                }
            };
            for path in paths.into_iter().filter(|path| self.may_rotate_to(path, of.followed)) {
                match scene.fs.probe_path(&path) {
                    Ok(probe) => snapshot.rotated.push((path, probe)),
                    Err(Fault::Missing) => snapshot.missing.push(path),
                    Err(_) => {}
                }
            }
            for path in scene.folders.packed(scene.fs, &names).unwrap_or_default() {
                if self.may_pack_to(&path, &of) {
                    let probe = scene.fs.probe_path(&path).ok();
                    snapshot.packed.extend(probe.map(|probe| (path, probe)));
                }
            }
        }
        snapshot.live = scene.fs.probe_path(&self.path).ok();
        let mut seen: HashSet<FileId> = snapshot.live.iter().map(|live| live.id).collect();
        // Of second names of one file one with a number: that tells its age.
        for files in [&mut snapshot.packed, &mut snapshot.rotated] {
            files.sort_by_cached_key(|(path, _)| {
                (number(path).is_none(), path.as_os_str().to_owned())
            });
            files.retain(|(_, probe)| seen.insert(probe.id));
        }
        Some(snapshot)
    }

    /// Brings together what was seen, twice the same, and what is known.
    pub(crate) fn settle(&mut self, scene: &mut Scene<'_>, snapshot: &mut Snapshot) -> Look {
        let live = snapshot.live.map(|live| live.id);
        if live != self.live {
            // Its writer may not know yet that it was moved, however long it was silent.
            let moved = self.generations.iter_mut().filter(|one| Some(one.id()) == self.live);
            moved.for_each(|one| one.moved_ms = scene.now_ms);
        }
        self.live = live;
        self.halted = false;
        self.note_what_is_back(snapshot);
        if self.locate(scene, snapshot).is_err() {
            return Look::Again;
        }
        if self.reopen(scene, snapshot) == Look::Again {
            return Look::Again;
        }
        let Some(situation) = self.situation(scene.fs, snapshot) else { return Look::Again };
        let look = self.reconcile(scene, snapshot, situation);
        let is_empty = self.generations.is_empty() && self.closed.is_empty();
        if is_empty && self.fault.is_none() && !self.waiting {
            scene.notices.push(Notice::Waiting(self.path.clone()));
        }
        self.waiting = is_empty;
        look
    }

    /// The newest generation was cut: looks for what copies of it still hold.
    pub(crate) fn look_after_cut(
        &mut self,
        scene: &mut Scene<'_>,
        snapshot: Option<Snapshot>,
    ) -> Look {
        let Some(mut snapshot) = snapshot else { return Look::Again };
        let newest = self.generations.last().map(Generation::id);
        if snapshot.live.map(|live| live.id) != newest {
            // The path went on to another file: an ordinary look sorts that out.
            return Look::Settled;
        }
        self.note_what_is_back(&snapshot);
        // One that was compressed meanwhile is no copy of what was cut.
        let may_be_packed = UNPACKS && !snapshot.packed.is_empty();
        if may_be_packed && self.locate(scene, &mut snapshot).is_err() {
            return Look::Again;
        }
        self.reconcile(scene, &snapshot, Situation::Cut)
    }

    fn note_what_is_back(&mut self, snapshot: &Snapshot) {
        let is_back = |known: &Known| snapshot.has(|id| same_file(known.position.id, id));
        let (back, gone) = self.gone.drain(..).partition(is_back);
        self.gone = gone;
        self.closed.splice(0..0, Vec::into_iter(back));
    }

    /// Looks for closed files that have no name one would expect, among all files of the folders.
    /// What is not there is gone.
    fn locate(&mut self, scene: &mut Scene<'_>, snapshot: &mut Snapshot) -> Result<(), Moving> {
        if snapshot.unlisted {
            return Ok(());
        }
        let dirs = self.dirs(scene.templates);
        let mut seen = Vec::new();
        for known in self.closed.iter().copied() {
            let id = known.position.id;
            let open = self.generations.iter().any(|one| same_file(id, one.id()));
            if open {
                // Its number was given to another file, which is open: the old one is gone.
                continue;
            }
            let is_other = self.is_renumbered_packed(scene.fs, snapshot, &known)?;
            let mut found = !is_other && snapshot.has(|seen| same_file(id, seen));
            for dir in dirs.iter().filter(|_| !known.foreign) {
                if found {
                    break;
                }
                let at = scene.folders.find(scene.fs, dir, |seen| same_file(id, seen), id.ino)?;
                found = at.is_some();
                snapshot.others.extend(at);
            }
            seen.push((known, found));
        }
        self.find_packed(scene, snapshot, &mut seen);
        let (kept, gone): (Vec<_>, Vec<_>) = seen.into_iter().partition(|(_, found)| *found);
        self.closed = kept.into_iter().map(|(known, _)| known).collect();
        let gone: Vec<_> = gone.into_iter().map(|(known, _)| known).collect();
        let newest = gone.last().filter(|known| self.restored && !known.foreign);
        if newest.is_some() && self.closed.iter().all(|known| known.foreign) {
            scene.notices.push(Notice::Gone(self.path.clone()));
        }
        gone.into_iter().for_each(|known| self.note_gone(known));
        Ok(())
    }

    /// Opens again what was closed and is not at its end, each at its position.
    fn reopen(&mut self, scene: &mut Scene<'_>, snapshot: &Snapshot) -> Look {
        let mut look = Look::Settled;
        let mut opened = Vec::new();
        let (mut kept, mut behind) = (Vec::new(), Vec::new());
        for known in std::mem::take(&mut self.closed) {
            let found = snapshot.find(&self.path, |id| same_file(known.position.id, id));
            let Some((path, probe)) = found.filter(|_| look == Look::Settled) else {
                kept.push(known);
                continue;
            };
            if opened.iter().any(|one: &Generation| one.id() == probe.id) {
                // Two had this number, one after the other; what is there now is a third one, or
                // content will say so.
                self.note_gone(known);
                continue;
            }
            let is_live = snapshot.live.is_some_and(|live| live.id == probe.id);
            // Another stream reads what is at its path.
            let theirs = !is_live && scene.paths.followed.contains_key(&path);
            let is_packed = !is_live && path.file_name().is_some_and(is_compressed);
            // Of a file at the path that proves nothing it must be seen whether it was cut.
            let needs_look = self.restored || is_live && !known.position.proves_something();
            let is_over = !is_packed && is_at_end(&known, &probe) && !needs_look;
            let is_unreadable = is_packed && !UNPACKS;
            if known.foreign && !is_live || theirs || is_over || is_unreadable {
                kept.push(known);
                continue;
            }
            let is_expected = snapshot.others.iter().all(|(other, _)| *other != path);
            match self.open_known(scene, &path, &probe, &known, is_live) {
                Ok(Some(one)) if !is_expected && is_another(scene.fs, &one) => {
                    // Its number was given to a file that nobody would take for it.
                    scene.fs.close(one.file);
                    self.note_gone(known);
                }
                Ok(Some(one)) => {
                    behind.extend(known.after.map(|after| (one.id(), after)));
                    opened.push(one);
                }
                Ok(None) => kept.push(known),
                Err(fault @ (None | Some(Fault::TooManyOpen))) => {
                    // None of its successors before it.
                    self.too_many_open |= fault.is_some();
                    look = Look::Again;
                    kept.push(known);
                }
                Err(Some(_)) => kept.push(known),
            }
        }
        self.closed = kept;
        let is_live = |one: &Generation| snapshot.live.is_some_and(|live| live.id == one.id());
        let (live, older): (Vec<_>, Vec<_>) = opened.into_iter().partition(is_live);
        // What was opened before in the same order is older; what has grown after all is, too.
        let open = usize::from(self.live_generation().is_some());
        let place = if self.restored { self.generations.len() - open } else { 0 };
        for one in older.into_iter().rev() {
            let after = behind.iter().find(|(id, _)| *id == one.id() && !self.restored);
            let after = after.and_then(|(_, after)| self.place_of(*after));
            self.generations.insert(after.map_or(place, |after| after + 1), one);
        }
        self.generations.extend(live);
        look
    }

    /// Opens a known file at its position. `None` if it is at its end, as its content proves.
    fn open_known(
        &self,
        scene: &mut Scene<'_>,
        path: &Path,
        probe: &Probe,
        known: &Known,
        is_live: bool,
    ) -> Result<Option<Generation>, Option<Fault>> {
        let file = open_same(scene.fs, path, probe.id)?;
        if UNPACKS && !is_live && path.file_name().is_some_and(is_compressed) {
            let one = Generation::packed(file, known.position, path, scene.now_ms);
            return Ok(Some(one));
        }
        let position = match known.foreign {
            true => Position::start(probe.id),
            false => Position { id: probe.id, ..known.position },
        };
        let proves = !is_live && position.frontier > 0 && known.is_all_of(probe);
        if proves && likeness(scene.fs, file, &position) == Some(Likeness::Copy) {
            scene.fs.close(file);
            return Ok(None);
        }
        let mut one = Generation::new(file, position, scene.now_ms);
        one.look_first = is_live && !known.foreign && !position.proves_something();
        Ok(Some(one))
    }

    /// `None` if the newest generation is at the path and does not look as it should: the reader
    /// will find out what happened, and until then nothing can be said about strays.
    fn situation(&mut self, fs: &mut dyn Fs, snapshot: &Snapshot) -> Option<Situation> {
        if self.moved_in {
            return Some(Situation::Changed);
        }
        let live = snapshot.live.map(|live| live.id);
        let parked = self.closed.iter().find(|known| Some(known.position.id) == live);
        if let Some(parked) = parked.filter(|known| !known.foreign) {
            let at_end = snapshot.live.is_some_and(|live| is_at_end(parked, &live));
            return match parked.position.proves_something() && at_end && !self.restored {
                true => Some(Situation::Unchanged),
                false => self.fault.map(|_| Situation::Changed),
            };
        }
        let Some(newest) = self.generations.last_mut() else {
            return Some(if self.first { Situation::First } else { Situation::Changed });
        };
        if live != Some(newest.id()) {
            return Some(Situation::Changed);
        }
        let mut seen = [0; GUARD_BYTES_MAX];
        let guard = &mut seen[..newest.written.guard.bytes()];
        let filled = read_exact(fs, newest.file, newest.written.guard_start(), guard)?;
        let intact = verdict(&newest.written, &guard[..filled]) == Verdict::Same;
        // What was written anew may be the same before the frontier: then its beginning tells.
        let begins_alike = begins_as(fs, newest.file, newest.written.head)?;
        newest.head_differs = intact && !begins_alike;
        let intact = intact && begins_alike;
        // Nothing that was read before the last look was settled shows that it was not cut since.
        let proves = newest.written.proves_something() && self.proven == Some(newest.id());
        intact.then_some(if proves { Situation::Unchanged } else { Situation::Unproven })
    }

    /// Accounts for every file of a snapshot.
    fn reconcile(
        &mut self,
        scene: &mut Scene<'_>,
        snapshot: &Snapshot,
        situation: Situation,
    ) -> Look {
        let mut look = Look::Settled;
        for (path, probe) in self.strays(snapshot, situation) {
            #[cfg(test)]
            if self.planted == Some(crate::planted::Bug::ForgetRotated) {
                continue;
            }
            let is_packed = snapshot.packed.iter().any(|(_, packed)| packed.id == probe.id);
            let taken = match is_packed {
                true => self.take_in_packed(scene, snapshot, (&path, &probe), situation),
                false => self.take_in(scene, &path, &probe, situation, snapshot.live),
            };
            match taken {
                Ok(None) => {}
                Ok(Some(generation)) => {
                    // Behind what is older, before what is at the path.
                    let live = usize::from(self.live_generation().is_some());
                    let last = self.generations.len() - live;
                    let place = match UNPACKS && is_packed && self.restored {
                        true => self.place_by_time(scene.fs, probe.written_ns).min(last),
                        false => last,
                    };
                    self.generations.insert(place, generation);
                }
                Err(Some(fault)) if fault != Fault::TooManyOpen => {
                    // It is owed: to be read once it can be.
                    let position = Position::start(probe.id);
                    let foreign = admit(situation, Likeness::None) == Decision::Foreign;
                    if !self.has(probe.id) {
                        self.closed.push(Known { foreign, ..Known::ours(position) });
                    }
                    scene.notices.push(Notice::Unreadable(path, fault));
                }
                Err(fault) => {
                    self.too_many_open |= fault.is_some();
                    self.halted = is_packed && self.restored && fault.is_none();
                    scene.notices.extend(fault.map(|fault| Notice::Unreadable(path, fault)));
                    // None of its successors before it.
                    look = Look::Again;
                    break;
                }
            }
        }
        if look == Look::Settled {
            // Only now: what the older ones still hold comes first.
            look = self.open_live(scene, snapshot);
        }
        if look == Look::Settled {
            self.first = false;
            self.moved_in = false;
            self.owed = false;
            let newest = self.generations.last().map(Generation::id);
            let live = snapshot.live.map(|live| live.id);
            if live.is_none() || live == newest {
                self.restored = false;
            }
            self.note_proven();
        }
        look
    }
}

/// Whether a file is not the one that its position is of.
fn is_another(fs: &mut dyn Fs, one: &Generation) -> bool {
    one.written.proves_something() && likeness(fs, one.file, &one.written) == Some(Likeness::None)
}

/// Whether a closed file needs no look: it is not ours, or has nothing that was not read.
pub(crate) fn is_at_end(known: &Known, probe: &Probe) -> bool {
    let is_read = probe.id.born_ns != 0 && known.is_all_of(probe);
    known.position.id == probe.id && (known.foreign || is_read)
}
