//! Files that nobody accounts for yet: which ones are taken in, and where they begin.
//!
//! Owns the evidence, from the files' content, for what is decided in [`crate::rotation`].

use std::path::{Path, PathBuf};

use crate::checkpoint::Known;
use crate::content::{
    UNREAD, at_end, beginning_of, is_compressed_text, likeness, open_same, surely_like,
};
use crate::fs::{Fault, FileId, Fs, Handle, Probe};
use crate::look::{Scene, is_at_end};
use crate::position::{HEAD_BYTES_MAX, Position};
use crate::report::Notice;
use crate::rotation::{
    Decision, Likeness, Situation, Snapshot, admit, is_same_text, is_telling, sort_by_age,
};
use crate::stream::{GENERATIONS_MAX, Generation, Look, Stream, same_file};
use crate::unpack::UNPACKS;

impl Stream {
    /// Files with a rotated name that are accounted for by nothing, the oldest first. Where the
    /// newest generation's past is in doubt, those that are known are looked at again: one may be
    /// the copy that was made before a cut, even of a file that was written over.
    pub(crate) fn strays(
        &self,
        snapshot: &Snapshot,
        situation: Situation,
    ) -> Vec<(PathBuf, Probe)> {
        let in_doubt = matches!(situation, Situation::Cut | Situation::Unproven);
        let is_known = |probe: &Probe| {
            let closed = self.closed.iter().any(|known| same_file(known.position.id, probe.id));
            let open = self.place_of(probe.id).is_some();
            closed || open
        };
        let room = GENERATIONS_MAX.saturating_sub(self.generations.len()).max(1);
        let of_interest = |(_, probe): &&(PathBuf, Probe)| in_doubt || !is_known(probe);
        let is_cut = UNPACKS && situation == Situation::Cut;
        let may_be_copy = |probe: &Probe| !is_known(probe) || is_cut && self.is_done(probe);
        let packed = snapshot.packed.iter().filter(|(_, probe)| may_be_copy(probe));
        let strays = snapshot.rotated.iter().filter(of_interest).chain(packed);
        let mut strays: Vec<_> = strays.take(room).cloned().collect();
        let all = snapshot.rotated.iter().chain(&snapshot.packed);
        let known = all.filter(|(_, probe)| is_known(probe));
        let known: Vec<_> = known.map(|(path, _)| path.as_path()).collect();
        sort_by_age(&mut strays, &known);
        strays
    }

    /// Decides about one stray, and opens it if it is to be read. `Err(None)` if it was moved, or
    /// could not be judged.
    pub(crate) fn take_in(
        &mut self,
        scene: &mut Scene<'_>,
        path: &Path,
        probe: &Probe,
        situation: Situation,
        live: Option<Probe>,
    ) -> Result<Option<Generation>, Option<Fault>> {
        if let Some(at) = self.place_of(probe.id) {
            return self.judge_open(scene.fs, at, situation).map(|()| None).ok_or(None);
        }
        let file = open_same(scene.fs, path, probe.id)?;
        match is_compressed_text(scene.fs, file) {
            Some(false) => {}
            // It has another name than it will have: its bytes are no lines.
            is_compressed => {
                scene.fs.close(file);
                return if is_compressed.is_some() { Ok(None) } else { Err(Some(UNREAD)) };
            }
        }
        let is_new = matches!(situation, Situation::Changed | Situation::First);
        let is_copy = match is_new {
            true => self.is_copy_of(scene.fs, file, probe, live),
            false => Ok(false),
        };
        if is_copy != Ok(false) {
            scene.fs.close(file);
            return is_copy.map(|_| None);
        }
        let known = self.closed.iter().find(|known| same_file(known.position.id, probe.id));
        let known = known.copied();
        let Some(decision) = self.judge(scene.fs, file, probe, situation, known) else {
            scene.fs.close(file);
            return Err(None);
        };
        let position = match decision {
            Decision::Later => None,
            Decision::Foreign => {
                let position = at_end(scene.fs, file, probe.id);
                let position = position.unwrap_or(Position::start(probe.id));
                self.closed.retain(|known| !same_file(known.position.id, probe.id));
                self.closed.push(Known::foreign(position));
                None
            }
            Decision::Remainder => {
                self.generations.last().map(|cut| Position { id: probe.id, ..cut.written })
            }
            Decision::Generation => Some(self.past_of(scene.fs, file, probe)),
        };
        let Some(position) = position else {
            scene.fs.close(file);
            return Ok(None);
        };
        self.closed.retain(|known| !same_file(known.position.id, probe.id));
        Ok(Some(Generation::new(file, position, scene.now_ms)))
    }

    /// Whether a file is a copy of the one at the path: it was made later, and all of it is there.
    /// `Err(None)` if that cannot be told.
    fn is_copy_of(
        &self,
        fs: &mut dyn Fs,
        file: Handle,
        probe: &Probe,
        live: Option<Probe>,
    ) -> Result<bool, Option<Fault>> {
        let Some(live) = live.filter(|live| (1..probe.id.born_ns).contains(&live.id.born_ns))
        else {
            return Ok(false);
        };
        let whole = match open_same(fs, &self.path, live.id) {
            Ok(whole) => whole,
            Err(fault @ (None | Some(Fault::TooManyOpen))) => return Err(fault),
            Err(_) => return Ok(false),
        };
        let alike = beginning_of(fs, file, whole);
        fs.close(whole);
        Ok(alike.ok_or(None)? != Likeness::None)
    }

    /// What a stray is taken for. `None` if it cannot be read.
    fn judge(
        &self,
        fs: &mut dyn Fs,
        file: Handle,
        probe: &Probe,
        situation: Situation,
        known: Option<Known>,
    ) -> Option<Decision> {
        let newest = self.generations.last();
        let mut likeness_seen = Likeness::None;
        if let (Situation::Cut, Some(newest)) = (situation, newest) {
            if newest.written.proves_something() {
                likeness_seen = likeness(fs, file, &newest.written)?;
            }
            // A copy of what was written after the cut is at the path still.
            let is_new = likeness_seen == Likeness::None;
            if is_new && beginning_of(fs, file, newest.file)? != Likeness::None {
                return Some(Decision::Later);
            }
        } else if let (Situation::Unproven, Some(newest)) = (situation, newest) {
            if newest.written.proves_something() {
                likeness_seen = likeness(fs, file, &newest.written)?;
            }
            if likeness_seen == Likeness::None {
                likeness_seen = beginning_of(fs, file, newest.file)?;
            }
            let is_intact = |fs| likeness(fs, newest.file, &newest.written) == Some(Likeness::Copy);
            if likeness_seen == Likeness::None
                && newest.written.proves_something()
                && !is_intact(fs)
            {
                // It was cut just now: what the copy is like will be asked again.
                return None;
            }
        }
        if let Some(known) = known {
            let intact = !known.position.proves_something() && known.foreign
                || likeness(fs, file, &known.position)? == Likeness::Copy;
            let remainder = known.foreign && likeness_seen == Likeness::Copy;
            if intact && !(remainder && situation == Situation::Cut) {
                return Some(Decision::Later);
            }
        }
        // The first bytes of a first line may well be those of every file.
        let proves =
            newest.is_some_and(|one| is_telling(&one.written) && one.written.proves_something());
        match admit(situation, likeness_seen) {
            Decision::Later if !proves => Some(Decision::Later),
            Decision::Later | Decision::Foreign if self.may_be_needed(fs, file, probe)? => {
                Some(Decision::Later)
            }
            Decision::Later => Some(Decision::Foreign),
            decision => Some(decision),
        }
    }

    /// Whether a file is a copy of the one at the path that has more than was acknowledged: should
    /// that be cut and the process die, the copy is all there is. `None` if it cannot be read.
    fn may_be_needed(&self, fs: &mut dyn Fs, file: Handle, probe: &Probe) -> Option<bool> {
        let Some(newest) = self.live_generation() else { return Some(false) };
        if probe.size > 0 && probe.size <= newest.settled.frontier {
            return Some(false);
        }
        let is_copy = beginning_of(fs, file, newest.file)? != Likeness::None;
        // Should it be cut by now, what the copy is like will be asked again.
        let is_intact = likeness(fs, newest.file, &newest.written)? == Likeness::Copy;
        (is_copy || is_intact).then_some(is_copy)
    }

    /// After a cut: a file that is open may have become the copy that was made before it. `None` if
    /// it cannot be read.
    pub(crate) fn judge_open(
        &mut self,
        fs: &mut dyn Fs,
        at: usize,
        situation: Situation,
    ) -> Option<()> {
        let Some(cut) = self.generations.last().map(|newest| newest.written) else {
            return Some(());
        };
        let one = &mut self.generations[at];
        if situation != Situation::Cut || !cut.proves_something() || one.id() == cut.id {
            return Some(());
        }
        let is_intact = one.written.proves_something()
            && likeness(fs, one.file, &one.written)? != Likeness::None;
        if !is_intact && likeness(fs, one.file, &cut)? == Likeness::Copy {
            one.move_to(Position { id: one.id(), ..cut });
        }
        Some(())
    }

    /// Where a file is to be read from: it may be a known one that came back as a copy.
    fn past_of(&mut self, fs: &mut dyn Fs, file: Handle, probe: &Probe) -> Position {
        let is_same = |known: &Known, fs: &mut dyn Fs| {
            known.position.frontier >= HEAD_BYTES_MAX as u64
                && !known.foreign
                && surely_like(fs, file, &known.position) == Likeness::Copy
        };
        match self.gone.iter().position(|known| is_same(known, fs)) {
            Some(at) => Position { id: probe.id, ..self.gone.remove(at).position },
            None => Position::start(probe.id),
        }
    }

    pub(crate) fn open_live(&mut self, scene: &mut Scene<'_>, snapshot: &Snapshot) -> Look {
        let Some(live) = snapshot.live else { return Look::Settled };
        if self.place_of(live.id).is_some() {
            return Look::Settled;
        }
        if self.is_renumbered(scene.fs, live.id) {
            return Look::Settled;
        }
        if let Some(known) = self.closed.iter().find(|known| known.position.id == live.id)
            && !known.foreign
        {
            if !is_at_end(known, &live) {
                // It was read in part and could not be opened again: its position is not forgotten.
                self.note_fault(Some(Fault::Denied), scene.notices);
            }
            return Look::Settled;
        }
        let file = match open_same(scene.fs, &self.path, live.id) {
            Ok(file) => file,
            Err(fault @ (None | Some(Fault::TooManyOpen))) => {
                self.too_many_open |= fault.is_some();
                return Look::Again;
            }
            Err(fault) => {
                self.note_fault(fault, scene.notices);
                return Look::Settled;
            }
        };
        let verb = if self.generations.is_empty() { Notice::Following } else { Notice::Rotated };
        scene.notices.push(verb(self.path.clone()));
        // An old file may have had the number before.
        self.closed.retain(|known| known.position.id != live.id);
        let mut one = self.replaced(scene, file, &live);
        // Where files are copied and cut it may be so before anything of it was read.
        let are_rotated = !snapshot.rotated.is_empty() || !snapshot.packed.is_empty();
        one.look_first = are_rotated && !one.written.proves_something();
        self.generations.push(one);
        Look::Settled
    }

    /// Whether the file at the path is the newest one under another identity: an overlay gives it
    /// one when it is written to for the first time, and whoever has it open sees that, too.
    fn is_renumbered(&mut self, fs: &mut dyn Fs, live: FileId) -> bool {
        let Some(newest) = self.generations.last_mut() else { return false };
        let is_same = fs.probe(newest.file).is_ok_and(|probe| probe.id == live);
        if is_same {
            self.renumbered = Some(Box::new((newest.id(), live)));
            for position in [&mut newest.written, &mut newest.resume, &mut newest.settled] {
                position.id = live;
            }
        }
        is_same
    }

    /// The file at the path, from where it is to be read: behind what was read of the one that it replaced, if
    /// it is a longer copy of that.
    fn replaced(&mut self, scene: &mut Scene<'_>, file: Handle, live: &Probe) -> Generation {
        for at in 0..self.generations.len() {
            let one = &self.generations[at];
            if one.is_removed {
                continue;
            }
            let Ok(old) = scene.fs.probe(one.file) else { continue };
            // Made before the old one lost its name: it was put in its place, not written anew.
            let in_place = !old.linked && live.id.born_ns <= old.changed_ns;
            let whole = live.size >= old.size;
            if !in_place || !whole || !is_same_text(&one.written, live.size) {
                continue;
            }
            if surely_like(scene.fs, file, &one.written) != Likeness::Copy {
                continue;
            }
            let old = self.generations.remove(at);
            scene.fs.close(old.file);
            let position = Position { id: live.id, ..old.written };
            self.replaced = Some(Box::new(old));
            return Generation::new(file, position, scene.now_ms);
        }
        for at in (0..self.gone.len()).rev() {
            let known = self.gone[at];
            if known.foreign || !is_same_text(&known.position, live.size) {
                continue;
            }
            if surely_like(scene.fs, file, &known.position) == Likeness::Copy {
                self.gone.remove(at);
                let position = Position { id: live.id, ..known.position };
                return Generation::new(file, position, scene.now_ms);
            }
        }
        Generation::new(file, self.begin_at(scene.fs, file, live.id), scene.now_ms)
    }
}
