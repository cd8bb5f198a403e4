//! Files that were cut, and files that are over.
//!
//! Owns the proof that a file was cut, and the retirement of files that were read to their end.
//! Where the copies of what was cut are is [`crate::look`]'s business.

use crate::checkpoint::Known;
use crate::content::{at_end, beginning_of, likeness};
use crate::engine::{Engine, Pass};
use crate::fs::{FileId, Fs, Probe};
use crate::gap::has_more;
use crate::position::{Position, Verdict};
use crate::read::Step;
use crate::report::Notice;
use crate::rotation::Likeness;
use crate::stream::{Generation, Look, Stream};

/// A file must look cut for this long before it is believed: a network file system may show an
/// old size for a moment.
pub(crate) const SUSPECT_MS: u64 = 20;
/// How long, and how many tries, a consistent look around a file that was cut is waited for. Many,
/// for the time may have passed while the process was stopped.
const CUT_LOOK_MS: u64 = 5000;
const CUT_LOOKS: u32 = 100;
/// A rotated file is kept open this long after its last byte: its writer may not know yet.
const RETIRED_IDLE_MS: u64 = 10_000;
/// The same for a file that was deleted and has no successor.
const DELETED_IDLE_MS: u64 = 60_000;
/// How often it is looked whether files are over, and how much there is to be read.
const RETIRE_MS: u64 = 250;
/// A file that is longer is not believed to have been written anew with the same text.
const ANEW_BYTES_MAX: u64 = 64 << 10;

impl Engine {
    /// Other bytes, or none, are where the guard was. Believed when it lasts.
    pub(crate) fn suspect(
        &mut self,
        fs: &mut dyn Fs,
        at: usize,
        place: usize,
        judged: Verdict,
        now_ms: u64,
    ) -> Step {
        let stream = &mut self.streams[at];
        let one = &mut stream.generations[place];
        if one.is_packed() {
            return self.meet_mistaken(at, place, judged);
        }
        let size = fs.probe(one.file).map_or(u64::MAX, |probe| probe.size);
        if judged == Verdict::Shorter && size >= one.written.frontier {
            // Size and content contradict each other: one of them is out of date.
            one.suspect_since_ms = None;
            return Step::Suspect;
        }
        let since_ms = *one.suspect_since_ms.get_or_insert(now_ms);
        if now_ms < since_ms + SUSPECT_MS && !self.ending {
            return Step::Suspect;
        }
        let id = one.id();
        if stream.live != Some(id) || place + 1 != stream.generations.len() {
            return self.cut_elsewhere(fs, at, place);
        }
        let snapshot = self.snapshot(fs, at, now_ms);
        let before = (self.streams[at].generations.len(), self.streams[at].live);
        let known: Vec<_> = self.streams[at].generations.iter().map(Generation::source).collect();
        let (mut scene, streams) = self.scene(fs, now_ms);
        let look = streams[at].look_after_cut(&mut scene, snapshot);
        let is_short = streams[at].too_many_open;
        self.note_settled(at, before);
        let is_cut = |one: &&Generation| one.id() == id;
        let cut = self.streams[at].generations.iter().find(is_cut).cloned();
        cut.iter().for_each(|cut| self.go_on_in_copy(at, cut, &known));
        let stream = &mut self.streams[at];
        let tries = stream.generations.last_mut().map_or(0, |one| {
            one.cut_looks += 1;
            one.cut_looks
        });
        // A copy that no descriptor is left for is there, and would be taken for another file later.
        let lasts = !is_short && now_ms >= since_ms + CUT_LOOK_MS && tries >= CUT_LOOKS;
        if look == Look::Again && !lasts {
            return Step::Suspect;
        }
        self.begin_anew(at, id)
    }

    /// A file is read from its beginning.
    fn begin_anew(&mut self, at: usize, id: FileId) -> Step {
        let stream = &mut self.streams[at];
        if let Some(one) = stream.generations.iter_mut().find(|one| one.id() == id) {
            if !one.at_end {
                // What else there was of a line is gone; what comes is the beginning of another.
                self.outgoing.break_off(stream.key, id);
            }
            one.move_to(one.written.cut());
            one.look_first = stream.live == Some(id);
        }
        stream.proven = stream.proven.filter(|proven| *proven != id);
        self.notices.push(Notice::Truncated(stream.path.clone()));
        self.stats.truncations += 1;
        self.note_changed(at);
        Step::Restarted
    }

    /// Before anything is written out of a file that was cut: looks for what it held meanwhile, with
    /// the bytes at hand. `None` if there is nothing else.
    pub(crate) fn look_first(&mut self, fs: &mut dyn Fs, at: usize, now_ms: u64) -> Option<Step> {
        let before: Vec<_> = self.streams[at].generations.iter().map(Generation::id).collect();
        let Some(snapshot) = self.snapshot(fs, at, now_ms) else { return Some(Step::Suspect) };
        if self.bring_together(fs, at, snapshot, now_ms) == Look::Again {
            return Some(Step::Suspect);
        }
        let stream = &mut self.streams[at];
        if !stream.generations.iter().map(Generation::id).eq(before) {
            return Some(Step::Restarted);
        }
        let live = stream.live;
        let newest = stream.generations.last_mut().filter(|one| Some(one.id()) == live);
        newest.into_iter().for_each(|one| one.look_first = false);
        None
    }

    /// A file that is not at the path was cut. It may have been written over with a copy of the one
    /// that is, which has all of it.
    fn cut_elsewhere(&mut self, fs: &mut dyn Fs, at: usize, place: usize) -> Step {
        let stream = &self.streams[at];
        let id = stream.generations[place].id();
        let mut others = self.finder.index.open.iter().filter(|other| **other != at);
        let is_theirs = others.any(|other| self.streams[*other].place_of(id).is_some());
        if stream.live != Some(id) && is_theirs {
            // All that they had in common was a number: it is another path's, which reads it.
            self.outgoing.break_off(stream.key, id);
            return self.let_go(fs, at, place);
        }
        let step = self.begin_anew(at, id);
        if let Some(one) = self.streams[at].generations.get_mut(place) {
            one.may_be_copy = true;
        }
        match self.wait_for_copy(fs, at, place) {
            true => Step::End,
            false => step,
        }
    }

    /// Of a file that may be a copy of the one at the path: whether it is to be left alone, because
    /// it is one (then it is given up) or because that cannot be told yet.
    pub(crate) fn wait_for_copy(&mut self, fs: &mut dyn Fs, at: usize, place: usize) -> bool {
        let stream = &mut self.streams[at];
        let Some(live) = stream.live_generation() else {
            // It is read then, and goes on being read when there is a file at the path again.
            stream.generations[place].may_be_copy = false;
            return false;
        };
        let (position, whole) = (live.written, live.file);
        let one = &mut stream.generations[place];
        let proves = position.proves_something();
        let mut alike = match proves.then(|| likeness(fs, one.file, &position)) {
            // That it cannot be read says nothing.
            Some(None) => return true,
            seen => seen.flatten(),
        };
        if alike.is_none_or(|alike| alike == Likeness::None) {
            // Half a copy is like nothing but what is at the path now.
            alike = beginning_of(fs, one.file, whole);
            if proves && likeness(fs, whole, &position) != Some(Likeness::Copy) {
                // That was cut: a look for copies is about to come.
                alike = None;
            }
        }
        let is_empty = fs.probe(one.file).is_ok_and(|probe| probe.size == 0);
        match alike {
            _ if is_empty => true,
            None => true,
            Some(Likeness::Copy | Likeness::ShorterCopy) if proves => {
                let id = one.id();
                let position = at_end(fs, one.file, id).unwrap_or(Position::start(id));
                let one = stream.generations.remove(place);
                fs.close(one.file);
                stream.closed.push(Known::foreign(position));
                self.open_files -= 1;
                self.note_state(at);
                self.note_changed(at);
                true
            }
            Some(Likeness::Copy | Likeness::ShorterCopy) => true,
            Some(Likeness::None) => {
                one.may_be_copy = false;
                false
            }
        }
    }

    /// The guard holds and nothing follows it: the end, unless the same text was written anew. That
    /// is believed when it lasts: a write's time is seen before its bytes are.
    pub(crate) fn meet_end(
        &mut self,
        fs: &mut dyn Fs,
        at: usize,
        place: usize,
        now_ms: u64,
    ) -> Step {
        let stream = &mut self.streams[at];
        let is_live = stream.live == Some(stream.generations[place].id());
        let written_to = is_live && std::mem::take(&mut stream.written_to);
        let one = &mut stream.generations[place];
        let suspect_since_ms = one.suspect_since_ms.take();
        one.partial = None;
        one.at_end = true;
        if !written_to && one.seen_ns != 0 {
            return Step::End;
        }
        let Ok(probe) = fs.probe(one.file) else { return Step::End };
        if probe.size != one.written.frontier {
            return Step::End;
        }
        let is_anew = one.seen_ns != 0 && probe.written_ns != one.seen_ns;
        if !is_anew || !(1..=ANEW_BYTES_MAX).contains(&probe.size) {
            one.seen_ns = probe.written_ns;
            return Step::End;
        }
        let since_ms = *one.suspect_since_ms.insert(suspect_since_ms.unwrap_or(now_ms));
        if now_ms < since_ms + SUSPECT_MS {
            stream.written_to = true;
            return Step::Suspect;
        }
        let id = one.id();
        self.begin_anew(at, id)
    }

    /// Closes what was read to its end and will hardly grow again; it is remembered.
    pub(crate) fn retire(&mut self, fs: &mut dyn Fs, now_ms: u64) {
        if now_ms < self.retire_at_ms && !self.ending {
            return;
        }
        self.retire_at_ms = now_ms + RETIRE_MS;
        let removes = self.options.reclaim.keep_rotated.is_some();
        for at in Vec::from_iter(self.finder.index.old.iter().copied()) {
            let mut place = 0;
            while place < self.streams[at].generations.len() {
                let stream = &mut self.streams[at];
                let one = &stream.generations[place];
                let busy = self.outgoing.is_busy(one.file);
                let over = if busy { None } else { over(stream, place, fs, now_ms) };
                let Some(probe) = over else {
                    place += 1;
                    continue;
                };
                stream.retire(fs, place, &probe, removes);
                self.open_files -= 1;
                self.note_state(at);
                self.note_changed(at);
            }
        }
    }

    /// Brings the gauges up to date.
    pub(crate) fn measure_lag(&mut self, fs: &mut dyn Fs, pass: Pass, now_ms: u64) {
        self.stats.files = self.open_files as u64;
        let unacknowledged = self.outgoing.unacknowledged_bytes();
        if pass == Pass::Ends {
            self.stats.lag_bytes = unacknowledged;
        } else if now_ms >= self.lag_at_ms || self.ending {
            // Each file is asked: of very many, less often.
            self.lag_at_ms = now_ms + RETIRE_MS.max(self.dirty.len() as u64);
            let dirty = self.dirty.iter().map(|at| &self.streams[*at]);
            let generations = dirty.flat_map(|stream| &stream.generations);
            let lags = generations.map(|one| {
                let size = fs.probe(one.file).map_or(0, |probe| probe.size);
                size.saturating_sub(one.written.frontier.max(one.nul_to))
            });
            self.stats.lag_bytes = lags.sum::<u64>() + unacknowledged;
        }
    }
}

/// What a generation that may be closed is like: what is written to it from now on is seen by that.
fn over(stream: &Stream, place: usize, fs: &mut dyn Fs, now_ms: u64) -> Option<Probe> {
    let one = &stream.generations[place];
    if !one.at_end || stream.live == Some(one.id()) {
        return None;
    }
    if one.is_packed() {
        // Nobody writes to it any more.
        return fs.probe(one.file).ok();
    }
    let idle_ms = now_ms.saturating_sub(one.moved_ms);
    let has_successor = place + 1 < stream.generations.len();
    if idle_ms < if has_successor { RETIRED_IDLE_MS } else { DELETED_IDLE_MS } {
        return None;
    }
    // The last read may be long ago, and what came since then would be gone with a deleted file.
    let probe = fs.probe(one.file).ok()?;
    let is_left = has_successor || !probe.linked;
    (is_left && has_more(fs, one, &probe) == Ok(false)).then_some(probe)
}
