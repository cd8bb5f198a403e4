//! Compressed files among several paths: whose each of them is.
//!
//! Owns what a path learns from the others before it judges a compressed file that it does not
//! know: that it is another path's, that it was made of a file that another path has open, or that
//! another path wrote it out, or its beginning. What it is taken for is decided in [`crate::packed`].

use crate::checkpoint::Known;
use crate::engine::Engine;
use crate::folder::Moving;
use crate::fs::{Fault, FileId, Fs, Handle};
use crate::peek::Peek;
use crate::position::HEAD_BYTES_MAX;
use crate::rotation::{Snapshot, is_telling};
use crate::stream::same_file;
use crate::unpack::UNPACKS;

/// Paths with open files that are asked whose a compressed file may be: very many cost a look too much.
const OTHERS_ASKED_MAX: usize = 64;

impl Engine {
    /// Leaves of a snapshot's compressed files those that may be this path's, and brings to it what
    /// other paths know of them: paths may have exchanged their files, and who knows the plain one
    /// has seen it elsewhere last.
    pub(crate) fn account_for_packed(
        &mut self,
        fs: &mut dyn Fs,
        at: usize,
        snapshot: &mut Snapshot,
        now_ms: u64,
    ) -> Result<(), Moving> {
        let theirs = self.packed_of_others(fs, at, snapshot)?;
        snapshot.packed.retain(|(_, probe)| !theirs.contains(&probe.id));
        let strays = snapshot.packed.iter().filter(|(_, probe)| !self.streams[at].has(probe.id));
        let strays: Vec<_> = strays.collect();
        // Who reads alone has nobody to ask.
        if !UNPACKS || self.streams.len() == 1 || strays.is_empty() {
            return Ok(());
        }
        let nameless = self.nameless_of_others(fs, at);
        for (path, probe) in strays {
            let peek = match Peek::of(fs, path, probe) {
                Ok(peek) => peek,
                Err(Fault::Denied | Fault::Damaged | Fault::Packed) => continue,
                // That it cannot be read for a moment says nothing.
                Err(_) if self.streams[at].may_pass(now_ms) => return Err(Moving),
                Err(_) => continue,
            };
            for (other, id, file) in nameless.iter().copied() {
                match peek.is_made_of(fs, file) {
                    Some(true) => self.take_over_open(fs, other, at, id),
                    Some(false) => {}
                    None if self.streams[at].may_pass(now_ms) => return Err(Moving),
                    None => {}
                }
            }
            self.take_over_known(fs, at, &peek)?;
        }
        Ok(())
    }

    /// The compressed files of a snapshot that other paths have. Without a time of birth a number alone
    /// does not make one theirs: it may have been given to it since.
    fn packed_of_others(
        &self,
        fs: &mut dyn Fs,
        at: usize,
        snapshot: &Snapshot,
    ) -> Result<Vec<FileId>, Moving> {
        let mut theirs = Vec::new();
        for id in snapshot.packed.iter().map(|(_, probe)| probe.id) {
            let Some(other) = self.owner_of(id).filter(|other| *other != at) else { continue };
            let stream = &self.streams[other];
            let known = stream.closed.iter().find(|known| same_file(known.position.id, id));
            let is_another = match known.filter(|_| stream.place_of(id).is_none()) {
                Some(known) => stream.is_renumbered_packed(fs, snapshot, known)?,
                None => false,
            };
            theirs.extend((!is_another).then_some(id));
        }
        Ok(theirs)
    }

    /// Plain files that other paths have open, and that have no name any more: what was compressed
    /// goes like that.
    fn nameless_of_others(&self, fs: &mut dyn Fs, at: usize) -> Vec<(usize, FileId, Handle)> {
        let others = self.finder.index.open.iter().filter(|other| **other != at);
        let others = others.take(OTHERS_ASKED_MAX).copied();
        let files = others.flat_map(|other| {
            let open = self.streams[other].generations.iter().filter(|one| !one.is_packed());
            open.map(move |one| (other, one.id(), one.file))
        });
        let mut is_nameless = |file| fs.probe(file).is_ok_and(|seen| !seen.linked);
        files.filter(|(.., file)| is_nameless(*file)).collect()
    }

    /// What a file was compressed to that another path has open is among this path's files: then so
    /// is that file.
    fn take_over_open(&mut self, fs: &mut dyn Fs, from: usize, at: usize, id: FileId) {
        if self.streams[from].place_of(id).is_none() {
            // It was taken over already: another compressed file is like it, too.
            return;
        }
        // Both may have it open by its number: whoever has read of it knows it.
        if let Some(place) = self.streams[at].place_of(id) {
            if self.streams[at].generations[place].written.proves_something() {
                return;
            }
            self.let_go(fs, at, place);
        }
        self.move_over(from, at, id);
    }

    /// Another path may know a compressed file, or the beginning of it, and find what it was made of
    /// nowhere: then this path knows it.
    fn take_over_known(&mut self, fs: &mut dyn Fs, at: usize, peek: &Peek) -> Result<(), Moving> {
        // What this path has read itself it knows better.
        if self.streams[at].knows(peek) {
            return Ok(());
        }
        for is_all in [true, false] {
            for other in (0..self.streams.len()).filter(|other| *other != at) {
                let Some(known) = self.take_known(fs, other, peek, is_all)? else { continue };
                self.streams[at].note_gone(known);
                self.note_changed(at);
                self.note_state(other);
                self.note_changed(other);
                return Ok(());
            }
        }
        Ok(())
    }

    /// Takes from a path what it knows of a file that is nowhere to be found, and that has all bytes
    /// of a compressed one, all of which were written out, or has them to begin with.
    fn take_known(
        &mut self,
        fs: &mut dyn Fs,
        from: usize,
        peek: &Peek,
        is_all: bool,
    ) -> Result<Option<Known>, Moving> {
        let stream = &mut self.streams[from];
        // Other files may begin alike: more is asked for where the length does not tell.
        let is_it = |known: &Known| match is_all {
            true => peek.is_delivered_by(known) && is_telling(&known.position),
            false => peek.goes_on(known) && known.position.frontier >= HEAD_BYTES_MAX as u64,
        };
        if let Some(place) = stream.gone.iter().position(is_it) {
            return Ok(Some(stream.gone.remove(place)));
        }
        let Some(place) = stream.closed.iter().position(is_it) else { return Ok(None) };
        let id = stream.closed[place].position.id;
        for dir in stream.dirs(&self.options.rotated) {
            let is_it = |seen| same_file(id, seen);
            if self.finder.folders.find(fs, &dir, is_it, id.ino)?.is_some() {
                return Ok(None);
            }
        }
        Ok(Some(stream.closed.remove(place)))
    }
}
