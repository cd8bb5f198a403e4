//! Rotated files that were compressed before they were read to their end.
//!
//! Owns which compressed file is which known one, and which one holds what nobody has seen. A
//! compressed file is known by the first bytes that were compressed, and by how many they were;
//! whether the bytes before a frontier are the same shows when it is read. Only the beginning is
//! looked at here: a look is short, however large the file.

use std::path::{Path, PathBuf};

use crate::checkpoint::Known;
use crate::compressed::{is_compressed, without_ending};
use crate::content::open_same;
use crate::engine::Engine;
use crate::folder::{Moving, join};
use crate::fs::{Fault, Fs, Handle, Probe};
use crate::look::{Paths, Scene};
use crate::peek::{Len, Peek, has_frontier};
use crate::position::{Position, Verdict};
use crate::read::{Step, lasts};
use crate::report::Notice;
use crate::rotation::{Situation, Snapshot};
use crate::stream::{Generation, Stream, same_file};
use crate::unpack::UNPACKS;

/// Compressed files of other names than rotated ones have that are looked at after a restart.
const OTHER_NAMES_MAX: usize = 256;
/// What a step of unpacking that gave nothing counts in a turn's budget.
const UNPACK_COST_BYTES: usize = 64 << 10;

/// What a compressed file is taken for.
enum Fate {
    /// Nothing of it is to be read: what it has was written out, or is none of ours.
    Done(Known),
    /// It is to be read from here.
    From(Position),
    /// It cannot be told yet, or there is nothing to be told.
    Later,
    /// It is to be read and cannot be.
    Unread(Fault),
}

impl Stream {
    /// Known files that were found nowhere may have been compressed. `seen` says of each whether it
    /// was found; those that are found compressed go on by that file's identity.
    pub(crate) fn find_packed(
        &self,
        scene: &mut Scene<'_>,
        snapshot: &mut Snapshot,
        seen: &mut [(Known, bool)],
    ) {
        let is_lost = |(known, found): &(Known, bool)| !found && known.position.proves_something();
        if !UNPACKS || !seen.iter().any(is_lost) {
            return;
        }
        let mut peeks = Vec::new();
        let mut files = self.packed_files(scene, snapshot);
        let is_found =
            |id| seen.iter().any(|(known, found)| *found && same_file(known.position.id, id));
        let is_open = |id| self.generations.iter().any(|one| same_file(one.id(), id));
        files.retain(|(_, probe)| !is_found(probe.id) && !is_open(probe.id));
        for (path, probe) in files {
            let Ok(file) = open_same(scene.fs, &path, probe.id) else { continue };
            let peek = Peek::at(scene.fs, file);
            scene.fs.close(file);
            // What it is made of is there still, and is none of them.
            let is_made = snapshot.plain_of(&path).is_some();
            peeks.extend(peek.ok().map(|peek| (path, probe, peek, is_made)));
        }
        // Those whose length is right first: they take nobody else's place.
        for is_exact in [true, false] {
            for one in seen.iter_mut().filter(|one| is_lost(one)) {
                let (known, found) = one;
                let mut has_frontier = |path: &Path, probe: &Probe| {
                    let Ok(file) = open_same(scene.fs, path, probe.id) else { return true };
                    let has_frontier = has_frontier(scene.fs, file, known);
                    scene.fs.close(file);
                    has_frontier
                };
                let at = peeks.iter().position(|(path, probe, peek, is_made)| match is_exact {
                    true => peek.is_all_of(&known.position),
                    false => !is_made && peek.goes_on(known) && has_frontier(path, probe),
                });
                let Some(at) = at else { continue };
                let (path, probe, ..) = peeks.remove(at);
                known.position.id = probe.id;
                known.delivered |= is_exact && !known.foreign;
                known.foreign |= is_exact;
                *found = true;
                snapshot.others.push((path, probe));
            }
        }
    }

    /// Whether a known file's number was given to a compressed file that it was not made of. With a
    /// time of birth that does not happen.
    pub(crate) fn is_renumbered_packed(
        &self,
        fs: &mut dyn Fs,
        snapshot: &Snapshot,
        known: &Known,
    ) -> Result<bool, Moving> {
        let position = &known.position;
        let is_it = |(_, probe): &&(PathBuf, Probe)| same_file(position.id, probe.id);
        let Some((path, probe)) = snapshot.packed.iter().find(is_it) else { return Ok(false) };
        if !UNPACKS || position.id.born_ns != 0 {
            return Ok(false);
        }
        if !position.proves_something() {
            // The number is all that is known of what is to be read.
            return Ok(!known.foreign);
        }
        match Peek::of(fs, path, probe) {
            Ok(peek) => Ok(!peek.fits(position)),
            Err(Fault::Missing | Fault::TooManyOpen) => Err(Moving),
            Err(fault) => Ok(matches!(fault, Fault::Damaged | Fault::Packed)),
        }
    }

    /// The compressed files: those with a rotated name, and after a restart all of the folders.
    fn packed_files(&self, scene: &mut Scene<'_>, snapshot: &Snapshot) -> Vec<(PathBuf, Probe)> {
        let mut files = snapshot.packed.clone();
        let dirs = if self.restored { self.dirs(scene.templates) } else { Default::default() };
        let mut others = Vec::new();
        for dir in dirs {
            let Ok(names) = scene.folders.names(scene.fs, &dir) else { continue };
            let names = names.iter().filter(|name| is_compressed(name));
            others.extend(names.map(|name| join(&dir, name)));
        }
        others.retain(|path| !snapshot.packed.iter().any(|(known, _)| known == path));
        for path in others.into_iter().take(OTHER_NAMES_MAX) {
            files.extend(scene.fs.probe_path(&path).ok().map(|probe| (path, probe)));
        }
        files
    }

    /// Decides about one compressed file with a rotated name that nothing accounts for, and opens it
    /// if it is to be read. `Err(None)` if it was moved.
    pub(crate) fn take_in_packed(
        &mut self,
        scene: &mut Scene<'_>,
        snapshot: &Snapshot,
        (path, probe): (&Path, &Probe),
        situation: Situation,
    ) -> Result<Option<Generation>, Option<Fault>> {
        if situation == Situation::First {
            self.closed.push(Known::foreign(Position::start(probe.id)));
            return Ok(None);
        }
        let file = match open_same(scene.fs, path, probe.id) {
            // What may not be read was read before it was compressed, as far as anybody knows.
            Err(Some(Fault::Denied)) if !self.restored => return Ok(None),
            opened => opened?,
        };
        let peek = if UNPACKS { Peek::at(scene.fs, file) } else { Err(Fault::Packed) };
        let fate = match peek {
            Ok(peek) if UNPACKS => {
                self.judge_packed(scene.fs, snapshot, (path, probe, file), &peek, situation)
            }
            Err(Fault::Damaged | Fault::Packed) if self.is_done(probe) => Ok(Fate::Later),
            Err(fault @ (Fault::Damaged | Fault::Packed)) => {
                let len = Len::told(scene.fs, file).unwrap_or(Len::Unknown);
                let is_missed =
                    self.restored && situation != Situation::Unchanged && !self.has_read(len);
                Ok(match snapshot.plain_of(path).is_some() {
                    true => Fate::Later,
                    false if is_missed => Fate::Unread(fault),
                    false => Fate::Done(Known::foreign(Position::start(probe.id))),
                })
            }
            // Nobody writes to it yet, and nothing is in it.
            Err(Fault::CutShort) => Ok(Fate::Later),
            Ok(_) => Ok(Fate::Later),
            Err(fault) => Err(Some(fault)),
        };
        let fate = match fate {
            Err(_) if self.may_pass(scene.now_ms) => {
                // None of its successors before it.
                scene.fs.close(file);
                return Err(None);
            }
            Err(fault) => fault.map_or(Fate::Later, Fate::Unread),
            Ok(fate) => {
                self.packed_failing = None;
                fate
            }
        };
        let done = match fate {
            Fate::From(position) if UNPACKS => {
                let position = Position { id: probe.id, ..position };
                self.closed.retain(|known| !same_file(known.position.id, probe.id));
                return Ok(Some(Generation::packed(file, position, path, scene.now_ms)));
            }
            Fate::Done(known) => {
                Some(Known { position: Position { id: probe.id, ..known.position }, ..known })
            }
            Fate::Unread(fault) => {
                scene.notices.push(Notice::Unpackable(path.to_owned(), fault, probe.size));
                scene.stats.packed_lost += 1;
                Some(Known::foreign(Position::start(probe.id)))
            }
            Fate::Later | Fate::From(_) => None,
        };
        scene.fs.close(file);
        self.closed.extend(done);
        Ok(None)
    }

    /// `Err` with its fault if it cannot be read, without one if another file cannot or was moved.
    fn judge_packed(
        &mut self,
        fs: &mut dyn Fs,
        snapshot: &Snapshot,
        (path, probe, file): (&Path, &Probe, Handle),
        peek: &Peek,
        situation: Situation,
    ) -> Result<Fate, Option<Fault>> {
        let none = Known::foreign(Position::start(probe.id));
        if peek.head.is_empty() {
            return Ok(if peek.len.is(0) { Fate::Done(none) } else { Fate::Later });
        }
        let newest = self.generations.last();
        let is_settled = newest.is_none_or(|one| one.settled.frontier == one.written.frontier);
        let newest = newest.map(|newest| newest.written);
        let cut = newest.filter(|_| situation == Situation::Cut).filter(|cut| peek.fits(cut));
        // What was no concern of ours while all of it was at the path has the rest of it now, or what
        // is not acknowledged yet.
        let is_rest = cut.is_some_and(|cut| !peek.len.is(cut.frontier) || !is_settled);
        let is_this = |known: &&Known| same_file(known.position.id, probe.id);
        if self.closed.iter().find(is_this).is_some_and(|known| known.delivered || !is_rest) {
            return Ok(Fate::Later);
        }
        let is_all =
            |known: &&Known| peek.is_all_of(&known.position) && (known.is_out() || !is_rest);
        if let Some(known) = self.closed.iter().chain(&self.gone).find(is_all) {
            let delivered = known.is_out();
            return Ok(Fate::Done(Known { delivered, ..Known::foreign(known.position) }));
        }
        if self.is_of_open(fs, snapshot, path, peek, situation)? {
            return Ok(Fate::Later);
        }
        let is_part = |known: &Known| peek.goes_on(known) && has_frontier(fs, file, known);
        if let Some(at) = self.gone.iter().rposition(is_part) {
            return Ok(Fate::From(self.gone.remove(at).position));
        }
        Ok(match (situation, cut) {
            (_, Some(cut)) if !is_rest => Fate::Done(Known::delivered(cut)),
            (_, Some(cut)) => Fate::From(cut),
            (Situation::First | Situation::Unchanged, _) => Fate::Done(none),
            (Situation::Changed | Situation::Cut | Situation::Unproven, _) => {
                Fate::From(none.position)
            }
        })
    }

    /// Whether a file that is open, or the one that it is made of, has the same bytes still.
    fn is_of_open(
        &mut self,
        fs: &mut dyn Fs,
        snapshot: &Snapshot,
        path: &Path,
        peek: &Peek,
        situation: Situation,
    ) -> Result<bool, Option<Fault>> {
        let in_place = matches!(situation, Situation::Unchanged | Situation::Unproven);
        let live = self.live.filter(|_| !in_place);
        for at in 0..self.generations.len() {
            let one = &self.generations[at];
            let is_other = one.packed.is_none() && Some(one.id()) != live;
            let is_live = Some(one.id()) == self.live;
            if is_other && peek.is_like(fs, one.file, is_live).ok_or(None)? {
                return self.judge_open(fs, at, situation).map(|()| true).ok_or(None);
            }
        }
        let plain = plain_path(path).unwrap_or_default();
        let opened = match snapshot.plain_of(path) {
            // Names go on while this is judged: another file may have that one by now.
            Some((_, probe)) => open_same(fs, &plain, probe.id),
            None => fs.open(&plain).map_err(Some),
        };
        match opened {
            Ok(file) => {
                let is_like = peek.is_like(fs, file, false);
                fs.close(file);
                Ok(is_like.ok_or(None)? || peek.is_nuls())
            }
            Err(None | Some(Fault::TooManyOpen)) => Err(None),
            Err(Some(_)) => Ok(false),
        }
    }

    /// Whether a compressed file was read here, or its beginning.
    pub(crate) fn knows(&self, peek: &Peek) -> bool {
        let is_known = |known: &Known| peek.is_delivered_by(known) || peek.goes_on(known);
        self.generations.iter().any(|one| peek.is_all_of(&one.written))
            || self.closed.iter().chain(&self.gone).any(is_known)
    }

    /// Whether a file of this length was read to its end: of one that cannot be unpacked nothing
    /// else is known.
    fn has_read(&self, len: Len) -> bool {
        let open = self.generations.iter().map(|one| one.written.frontier);
        let others = self.closed.iter().chain(&self.gone).map(|known| known.position.frontier);
        open.chain(others).any(|frontier| frontier > 0 && len.is(frontier))
    }

    /// A compressed file cannot be judged: whether that may pass.
    pub(crate) fn may_pass(&mut self, now_ms: u64) -> bool {
        let (since_ms, count) = self.packed_failing.unwrap_or((now_ms, 0));
        self.packed_failing = Some((since_ms, count.saturating_add(1)));
        let may_pass = !lasts(self.packed_failing, now_ms);
        self.packed_failing = self.packed_failing.filter(|_| may_pass);
        may_pass
    }

    /// Where among the open files a compressed one belongs, of which only is known that it was
    /// written to last at this time. Nothing of them was read yet.
    pub(crate) fn place_by_time(&self, fs: &mut dyn Fs, written_ns: u64) -> usize {
        let is_later =
            |one: &Generation| fs.probe(one.file).is_ok_and(|seen| seen.written_ns > written_ns);
        self.generations.iter().position(is_later).unwrap_or(self.generations.len())
    }

    /// Whether a path is that of a compressed file of this stream, and of no other one. A stream that
    /// a pattern led to, and that has found no file yet, has none.
    pub(crate) fn may_pack_to(&self, path: &Path, paths: &Paths<'_>) -> bool {
        let plain = plain_path(path).unwrap_or_default();
        let is_own = self.spots().any(|spot| spot == plain);
        let other = paths.followed.get(&plain).filter(|at| !paths.unseen.contains(at));
        let may_be_ours = if is_own { !self.is_unseen() } else { other.is_none() };
        may_be_ours && !paths.followed.contains_key(path)
    }

    /// Whether a compressed file needs no look: nothing of it is to be read.
    pub(crate) fn is_done(&self, packed: &Probe) -> bool {
        let is_it = |known: &&Known| known.foreign && same_file(known.position.id, packed.id);
        self.closed.iter().any(|known| is_it(&known))
    }
}

/// The name that a compressed file had before.
fn plain_path(packed: &Path) -> Option<PathBuf> {
    Some(packed.with_file_name(without_ending(packed.file_name()?)?))
}

impl Snapshot {
    /// The plain file that a compressed one was made of, by its name.
    fn plain_of(&self, packed: &Path) -> Option<&(PathBuf, Probe)> {
        let plain = plain_path(packed)?;
        self.rotated.iter().chain(&self.others).find(|(path, _)| *path == plain)
    }
}

impl Generation {
    /// A compressed file, read from a position in what was compressed.
    pub(crate) fn packed(file: Handle, position: Position, path: &Path, now_ms: u64) -> Generation {
        let plain = Generation::new(file.unpacked(), position, now_ms);
        Generation { packed: Some(path.into()), ..plain }
    }

    /// Whether it is read as what was compressed.
    pub(crate) fn is_packed(&self) -> bool {
        UNPACKS && self.packed.is_some()
    }

    /// What is remembered of it once it is closed. What was compressed is not read again.
    pub(crate) fn known(&self, position: Position) -> Known {
        match self.packed.is_some() && self.at_end && position == self.written {
            true => Known::delivered(position),
            false => Known::ours(position),
        }
    }
}

impl Engine {
    /// A read of a compressed file gave nothing.
    pub(crate) fn meet_packed_fault(
        &mut self,
        fs: &mut dyn Fs,
        (at, place): (usize, usize),
        fault: Fault,
        now_ms: u64,
    ) -> Step {
        if fault == Fault::Crowded {
            // Those behind it wait for it: whoever of them came first gives way.
            let newer = &self.streams[at].generations[place + 1..];
            newer.iter().for_each(|one| fs.put_down(one.file));
            return Step::Held;
        }
        let one = &mut self.streams[at].generations[place];
        match fault {
            Fault::More => Step::Passed(UNPACK_COST_BYTES),
            Fault::Damaged | Fault::Packed => self.give_up_packed(at, place, fault),
            Fault::CutShort if !self.ending && lasts(one.failing, now_ms) => {
                self.give_up_packed(at, place, fault)
            }
            _ => {
                let path = one.packed.as_deref().map(Path::to_owned).unwrap_or_default();
                self.note_failed((at, place), path, fault, now_ms)
            }
        }
    }

    /// What is left of a compressed file is lost.
    fn give_up_packed(&mut self, at: usize, place: usize, fault: Fault) -> Step {
        let one = &mut self.streams[at].generations[place];
        let path = one.packed.as_deref().map(Path::to_owned).unwrap_or_default();
        (one.at_end, one.given_up) = (true, true);
        let frontier = one.written.frontier;
        self.notices.push(Notice::BrokenOff(path, fault, frontier));
        self.stats.packed_lost += 1;
        self.note_changed(at);
        Step::End
    }

    /// A compressed file began as a known one does, and goes on otherwise: it is another one. If it
    /// ends before the frontier, all that it has was written out, unless it began with a hole.
    pub(crate) fn meet_mistaken(&mut self, at: usize, place: usize, judged: Verdict) -> Step {
        self.note_changed(at);
        let one = &mut self.streams[at].generations[place];
        if judged == Verdict::Shorter && !one.written.head_is_nuls() {
            (one.at_end, one.given_up) = (true, true);
            return Step::End;
        }
        one.move_to(Position::start(one.id()));
        Step::Restarted
    }
}
