//! Looks that are due, many paths at a time, and whose file is whose.
//!
//! Owns the order of a look: twice at each path with one new listing of each folder in between,
//! then the giving over of files between paths, then what each path makes of what it has.

use std::path::Path;

use crate::content::{is_compressed_text, open_same};
use crate::discover::{GLANCES_PER_TURN, LOOKS_MAX, LOOKS_PER_TURN};
use crate::engine::Engine;
use crate::fs::{Fault, FileId, Fs};
use crate::look::{Paths, Scene};
use crate::report::Notice;
use crate::rotation::Snapshot;
use crate::stream::{Closeness, Generation, Look, Stream, same_file};

/// Who reads the file at a stream's path.
enum Owner {
    This,
    Other,
    Unclear,
}

impl Engine {
    /// Looks at the streams that are due, as many as one turn may.
    pub(crate) fn look_at_queued(&mut self, fs: &mut dyn Fs, now_ms: u64) -> Look {
        let count = self.finder.queue.len();
        let mut batch = Vec::new();
        // Where few may be open, files are read before more of them are looked at.
        let looks_max = LOOKS_PER_TURN.min(self.open_files_max);
        for _ in 0..count.min(GLANCES_PER_TURN) {
            if batch.len() >= looks_max {
                break;
            }
            let Some(at) = self.finder.queue.pop_front() else { break };
            let due = std::mem::replace(&mut self.streams[at].due, Closeness::None);
            let (mut scene, streams) = self.scene(fs, now_ms);
            let is_settled = streams[at].glance(&mut scene, due == Closeness::Around);
            self.note_state(at);
            if !is_settled {
                batch.push(at);
            }
            // A look that finds no rest for long does not keep the files from being read.
            if !is_settled || self.streams[at].unread {
                self.set_dirty(at);
            }
        }
        let mut look = match self.finder.queue.is_empty() {
            true => Look::Settled,
            false => Look::More,
        };
        if batch.is_empty() {
            return look;
        }
        for (at, snapshot) in self.look_twice(fs, &batch, now_ms) {
            let settled = match snapshot {
                // What is open is read to its end first, and closed then.
                Some(snapshot) if !self.make_room(fs) => {
                    self.no_room = true;
                    self.streams[at].halted = false;
                    snapshot.live.iter().for_each(|live| self.note_owed(at, live.id));
                    Look::Again
                }
                Some(snapshot) => self.bring_together(fs, at, snapshot, now_ms),
                None => Look::Again,
            };
            if settled == Look::Again {
                self.queue(at, Closeness::Around);
            }
            look = look.and(settled);
        }
        look
    }

    pub(crate) fn scene<'a>(
        &'a mut self,
        fs: &'a mut dyn Fs,
        now_ms: u64,
    ) -> (Scene<'a>, &'a mut [Stream]) {
        let scene = Scene {
            fs,
            folders: &mut self.finder.folders,
            templates: &self.options.rotated,
            paths: Paths {
                followed: &self.finder.index.by_path,
                unseen: &self.finder.index.unseen,
            },
            now_ms,
            hears_writes: self.hears_writes,
            notices: &mut self.notices,
            stats: &mut self.stats,
        };
        (scene, &mut self.streams)
    }

    /// Two looks at each of the streams, with a listing of their folders in between. What they do
    /// not agree in was being moved.
    fn look_twice(
        &mut self,
        fs: &mut dyn Fs,
        batch: &[usize],
        now_ms: u64,
    ) -> Vec<(usize, Option<Snapshot>)> {
        let mut look = |engine: &mut Engine, at: usize| {
            let (mut scene, streams) = engine.scene(fs, now_ms);
            streams[at].look_once(&mut scene)
        };
        let first: Vec<_> = batch.iter().map(|at| look(self, *at)).collect();
        let templates = &self.options.rotated;
        let dirs = batch.iter().flat_map(|at| self.streams[*at].dirs(templates)).collect();
        self.finder.folders.forget_some(&dirs);
        let pairs = batch.iter().zip(first);
        let looks = pairs.map(|(at, first)| {
            let second = look(self, *at);
            let agree = matches!((&first, &second), (Some(a), Some(b)) if a.same_files(b));
            (*at, second.filter(|_| agree))
        });
        looks.collect()
    }

    /// Two looks at one stream that agree; `None` if there is too much movement or an error.
    pub(crate) fn snapshot(&mut self, fs: &mut dyn Fs, at: usize, now_ms: u64) -> Option<Snapshot> {
        (0..LOOKS_MAX).find_map(|_| {
            let dirs = self.streams[at].dirs(&self.options.rotated);
            self.finder.folders.forget_some(&dirs);
            self.look_twice(fs, &[at], now_ms).pop()?.1
        })
    }

    /// Brings together what was seen of one stream and what is known of it.
    pub(crate) fn bring_together(
        &mut self,
        fs: &mut dyn Fs,
        at: usize,
        mut snapshot: Snapshot,
        now_ms: u64,
    ) -> Look {
        match self.give_over(fs, at, &snapshot) {
            Owner::This => {}
            Owner::Other => return Look::Settled,
            Owner::Unclear => return Look::Again,
        }
        let mut theirs = Vec::new();
        for (path, probe) in &snapshot.rotated {
            // Without a time of birth a number says too little, unless the file is open.
            let is_open = |other: &Stream| other.place_of(probe.id).is_some();
            let sure = |other: &usize| probe.id.born_ns != 0 || is_open(&self.streams[*other]);
            let other = self.owner_of(probe.id).filter(|other| *other != at && sure(other));
            if self.streams[at].has(probe.id) {
                continue;
            }
            match other {
                // A link among this path's names makes another path's file none of this one's.
                Some(_) if fs.is_link(path) => theirs.push(probe.id),
                Some(other) => match leads_to_compressed(fs, path, probe.id) {
                    // A second name of another path's compressed file does not make it ours.
                    Some(true) => {}
                    Some(false) => self.move_over(other, at, probe.id),
                    // What is known of it is not forgotten on a suspicion.
                    None => return Look::Again,
                },
                None if probe.id.born_ns != 0 => self.take_back(fs, at, path, probe.id),
                None => {}
            }
        }
        snapshot.rotated.retain(|(_, probe)| !theirs.contains(&probe.id));
        if self.account_for_packed(fs, at, &mut snapshot, now_ms).is_err() {
            return Look::Again;
        }
        let stream = &self.streams[at];
        let is_there = |one: &&Generation| snapshot.live.is_some_and(|live| live.id == one.id());
        let live = stream.live_generation().filter(is_there);
        let unproven = live.filter(|one| !one.written.proves_something());
        let busy = self.outgoing.pending.map(|pending| pending.file);
        if unproven.is_some_and(|one| busy == Some(one.file)) {
            // What waits to be taken by the sink is what would prove something.
            return Look::Again;
        }
        let before = (self.streams[at].generations.len(), self.streams[at].live);
        let (mut scene, streams) = self.scene(fs, now_ms);
        let look = streams[at].settle(&mut scene, &mut snapshot);
        let doubtful = self.doubtful(at);
        self.note_settled(at, before);
        for (at, id) in doubtful {
            if let Some(place) = self.streams[at].place_of(id) {
                self.let_go(fs, at, place);
            }
        }
        look
    }

    /// Files of this stream that another one has open, too, without a time of birth or compressed, and
    /// who of the two has read nothing that shows that it is more than the number, or the name, that
    /// they have in common.
    fn doubtful(&self, at: usize) -> Vec<(usize, FileId)> {
        let shared = self.streams[at].generations.iter();
        let shared = shared.filter(|one| one.id().born_ns == 0 || one.is_packed());
        let shared = shared.map(Generation::id);
        let is_in_doubt = |at: usize, id: FileId| {
            let stream = &self.streams[at];
            let one = stream.place_of(id).map(|place| &stream.generations[place]);
            one.is_some_and(|one| stream.live != Some(id) && !one.written.proves_something())
        };
        let both = shared.filter_map(|id| {
            let other = self.owner_of(id).filter(|other| *other != at)?;
            self.streams[other].place_of(id)?;
            [at, other].into_iter().find(|at| is_in_doubt(*at, id)).map(|at| (at, id))
        });
        both.collect()
    }

    pub(crate) fn note_settled(&mut self, at: usize, before: (usize, Option<FileId>)) {
        self.note_unsaved(at);
        let stream = &mut self.streams[at];
        let after = (stream.generations.len(), stream.live);
        self.open_files = self.open_files + after.0 - before.0;
        let renumbered = stream.renumbered.take();
        self.changed |= before != after;
        if let Some(ids) = renumbered {
            self.outgoing.renumber(stream.key, ids.0, ids.1);
        } else if before.1.is_some() && after.1.is_some() && before.1 != after.1 {
            self.stats.rotations += after.0.saturating_sub(before.0).max(1) as u64;
        }
        let too_many = std::mem::take(&mut stream.too_many_open);
        let newest = stream.generations.last().map(|newest| (newest.id(), newest.file));
        if let (Some(old), Some((new, file))) = (stream.replaced.take(), newest) {
            // What of the old one is under way is in the new one, too.
            self.outgoing.take_from(&old, new, file);
            self.go_on_in_copy(at, &old, &[]);
        }
        if too_many {
            self.note_too_many_open();
        }
        self.note_owned(at);
        self.set_dirty(at);
    }

    /// A path may lead to a file that another path had before. What is known of it moves over
    /// then. Two paths that lead to one file: the first has it.
    fn give_over(&mut self, fs: &mut dyn Fs, at: usize, snapshot: &Snapshot) -> Owner {
        let Some(live) = snapshot.live else { return Owner::This };
        if self.streams[at].has(live.id) {
            return Owner::This;
        }
        let Some(other) = self.owner_of(live.id).filter(|other| *other != at) else {
            // It may have been moved away from another path before it came to this one.
            let path = self.streams[at].path.clone();
            self.take_back(fs, at, &path, live.id);
            return Owner::This;
        };
        let theirs = fs.probe_path(&self.streams[other].path).map(|theirs| theirs.id);
        if fs.probe_path(&self.streams[at].path).map(|ours| ours.id) != Ok(live.id) {
            // Should it be back at the other path, another file may have been there meanwhile.
            self.streams[other].moved_in = true;
            self.queue(other, Closeness::Around);
            return Owner::Unclear;
        }
        if theirs == Ok(live.id) {
            if self.streams[at].live != Some(live.id) {
                self.notices.push(Notice::SameFile(self.streams[at].path.clone()));
                self.streams[at].live = Some(live.id);
                self.note_state(at);
            }
            return Owner::Other;
        }
        self.move_over(other, at, live.id);
        Owner::This
    }

    /// What one stream knows of a file goes to the one among whose files it is now.
    pub(crate) fn move_over(&mut self, from: usize, to: usize, id: FileId) {
        let (key, giver) = (self.streams[to].key, &mut self.streams[from]);
        let open = giver.place_of(id);
        let closed = giver.closed.iter().position(|known| same_file(known.position.id, id));
        let open = open.map(|place| giver.generations.remove(place));
        let closed = closed.map(|place| giver.closed.remove(place));
        let (old_key, restored) = (giver.key, giver.restored);
        let taker = &mut self.streams[to];
        debug_assert!(taker.place_of(id).is_none(), "a path has a file open once");
        taker.moved_in = true;
        let live = usize::from(taker.live_generation().is_some());
        let place = taker.generations.len() - live;
        taker.generations.splice(place..place, open);
        // Should its number be all that they have in common, its content will say so.
        let believed = closed.filter(|known| !known.foreign);
        taker.restored |= restored && believed.is_some();
        taker.closed.extend(believed);
        self.outgoing.give_over(id, old_key, key);
        self.note_owned(to);
        self.note_state(from);
        self.note_changed(to);
        self.note_changed(from);
        self.queue(from, Closeness::Around);
    }
}

/// Whether a path leads to this file, and that is compressed, whatever the name says. `None` if it
/// was moved or cannot be read, or no descriptor is left for it.
fn leads_to_compressed(fs: &mut dyn Fs, path: &Path, id: FileId) -> Option<bool> {
    let file = match open_same(fs, path, id) {
        Ok(file) => file,
        Err(None | Some(Fault::TooManyOpen)) => return None,
        Err(Some(_)) => return Some(false),
    };
    let is_compressed = is_compressed_text(fs, file);
    fs.close(file);
    is_compressed
}
