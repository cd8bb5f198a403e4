//! Finding files: when names are looked at, which paths are followed, and whose a file is.
//!
//! Owns the list of streams. What is found for one path is [`crate::stream`]'s business.

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::begin::is_excluded;
use crate::engine::Engine;
use crate::fs::{Fault, Fs};
use crate::pattern;
use crate::report::Notice;
use crate::stream::{Listings, Look, Stream};

/// Wait between two looks while files are being moved; it doubles as long as that lasts.
pub(crate) const LOOK_AGAIN_MS: u64 = 5;
/// The longest such wait.
const LOOK_AGAIN_MS_MAX: u64 = 320;
/// How often directories are listed although nothing was said to have changed.
const LIST_INTERVAL_MS: u64 = 10_000;
/// Wait between two expansions of patterns.
const EXPAND_INTERVAL_MS: u64 = 100;

impl Look {
    /// Settled only if both are.
    #[must_use]
    pub fn and(self, other: Look) -> Look {
        if self == Look::Again { self } else { other }
    }
}

/// Who reads the file at a stream's path.
enum Owner {
    This,
    Other,
    Unclear,
}

impl Engine {
    /// Whether a path may be one that a pattern leads to.
    pub(crate) fn is_wanted(&self, path: &Path) -> bool {
        let is_wanted = |wanted: &PathBuf| pattern::matches_path(wanted, path);
        self.options.paths.iter().any(is_wanted) && !is_excluded(&self.options.exclude, path)
    }

    pub(crate) fn add_stream(&mut self, path: PathBuf, named: bool) -> usize {
        if let Some(at) = self.streams.iter().position(|stream| stream.path == path) {
            return at;
        }
        let mut stream = Stream::new(self.next_key, path, named, &self.options.rotated);
        stream.first = self.first_start && !self.started;
        stream.from_end = stream.first && self.options.from_end;
        stream.recovering = self.recovering;
        #[cfg(test)]
        {
            stream.planted = self.planted;
        }
        self.next_key += 1;
        self.streams.push(stream);
        self.streams.len() - 1
    }

    /// Looks at names if that is due.
    pub(crate) fn look(&mut self, fs: &mut dyn Fs, now_ms: u64) -> Look {
        let tick = now_ms >= self.look_at_ms;
        if !tick && !self.names_hinted && !self.ending {
            return Look::Settled;
        }
        let around = self.names_hinted || self.ending || now_ms >= self.list_at_ms;
        if around {
            self.list_at_ms = now_ms + LIST_INTERVAL_MS;
        }
        let mut look = Look::Settled;
        if now_ms >= self.expand_at_ms || self.ending {
            self.expand(fs, now_ms);
        } else if self.names_hinted && self.options.paths.iter().any(|p| pattern::is_pattern(p)) {
            look = Look::Again;
        }
        if tick {
            self.look_at_ms = now_ms + self.options.poll_ms;
            self.streams.iter_mut().for_each(|stream| stream.dirty = true);
        }
        let mut listings = Listings::new();
        for at in 0..self.streams.len() {
            match self.give_over(fs, at) {
                Owner::This => {}
                Owner::Other => continue,
                Owner::Unclear => {
                    look = Look::Again;
                    continue;
                }
            }
            let stream = &mut self.streams[at];
            let files = (stream.generations.len(), stream.live);
            let shared = around.then_some(&mut listings);
            let one = stream.look(fs, shared, now_ms, &mut self.notices);
            let renumbered = stream.renumbered.take();
            if let Some((old, new)) = renumbered {
                self.outgoing.renumber(stream.key, old, new);
            }
            let rotated = renumbered.is_none()
                && files.1.is_some()
                && stream.live.is_some()
                && files.1 != stream.live;
            if rotated {
                let more = stream.generations.len().saturating_sub(files.0).max(1);
                self.stats.rotations += more as u64;
            }
            self.changed |= files != (stream.generations.len(), stream.live);
            look = look.and(one);
        }
        self.drop_empty_streams();
        self.names_hinted = look == Look::Again;
        self.look_again_ms = match look {
            Look::Settled => LOOK_AGAIN_MS,
            Look::Again => (self.look_again_ms * 2).min(LOOK_AGAIN_MS_MAX),
        };
        look
    }

    /// A path found by a pattern may be a file that another path had before. What is known of it
    /// moves over then. Two paths that lead to one file: the first has it.
    fn give_over(&mut self, fs: &mut dyn Fs, at: usize) -> Owner {
        if self.streams.len() < 2 {
            return Owner::This;
        }
        let Ok(probe) = fs.probe_path(&self.streams[at].path) else { return Owner::This };
        let has = |stream: &Stream| {
            let open = stream.generations.iter().any(|one| one.id() == probe.id);
            open || stream.closed.iter().any(|known| known.position.id == probe.id)
        };
        if has(&self.streams[at]) {
            return Owner::This;
        }
        let others = (0..self.streams.len()).filter(|other| *other != at);
        let Some(other) = others.into_iter().find(|other| has(&self.streams[*other])) else {
            return Owner::This;
        };
        let theirs = fs.probe_path(&self.streams[other].path).map(|theirs| theirs.id);
        if theirs == Ok(probe.id) {
            self.notices.push(Notice::SameFile(self.streams[at].path.clone()));
            return Owner::Other;
        }
        if self.streams[other].live == Some(probe.id) {
            return Owner::Unclear;
        }
        let (key, other) = (self.streams[at].key, &mut self.streams[other]);
        let open = other.generations.iter().position(|one| one.id() == probe.id);
        let closed = other.closed.iter().position(|known| known.position.id == probe.id);
        let open = open.map(|place| other.generations.remove(place));
        let closed = closed.map(|place| other.closed.remove(place));
        self.streams[at].generations.extend(open);
        // Without a time of birth a number says little about a file that is not open.
        let believed = closed.filter(|known| !known.foreign && probe.id.born_ns != 0);
        self.streams[at].closed.extend(believed);
        self.streams[at].dirty = true;
        if let Some(pending) =
            self.outgoing.pending.as_mut().filter(|pending| pending.id == probe.id)
        {
            pending.key = key;
        }
        Owner::This
    }

    fn expand(&mut self, fs: &mut dyn Fs, now_ms: u64) {
        self.expand_at_ms = now_ms + EXPAND_INTERVAL_MS;
        let mut dirs = Vec::new();
        let mut found = Vec::new();
        for wanted in self.options.paths.clone() {
            if !pattern::is_pattern(&wanted) {
                continue;
            }
            let expansion = pattern::expand(fs, &wanted);
            dirs.extend(expansion.dirs);
            found.extend(expansion.paths);
            if let Some((dir, fault)) = expansion.fault {
                self.stats.read_errors += 1;
                self.notices.push(Notice::Unreadable(dir, fault));
            }
        }
        found.sort();
        found.dedup();
        found.retain(|path| !is_excluded(&self.options.exclude, path));
        for path in &found {
            let known =
                self.streams.iter().any(|stream| stream.path.as_os_str() == path.as_os_str());
            if known || self.streams.len() >= pattern::MATCHES_MAX {
                continue;
            }
            let rotated = self.streams.iter().any(|stream| stream.rotates_to(path));
            let of_found = || found.iter().any(|other| self.is_rotated_name(other, path));
            if !rotated
                && !of_found()
                && fs.probe_path(path) != Err(Fault::NotAFile)
                && !self.is_too_old(fs, path)
            {
                self.add_stream(path.clone(), false);
            }
        }
        for stream in &self.streams {
            dirs.extend(stream.dirs());
        }
        dirs.sort();
        dirs.dedup();
        self.dirs = dirs;
    }

    fn is_rotated_name(&self, of: &Path, path: &Path) -> bool {
        let (path_bytes, of_bytes) = (path.as_os_str().as_bytes(), of.as_os_str().as_bytes());
        path_bytes != of_bytes
            && self.options.rotated.iter().any(|template| {
                let may_be = !template.starts_with("{path}") || path_bytes.starts_with(of_bytes);
                may_be
                    && pattern::RotatedNames::new(template, of)
                        .is_some_and(|names| names.contains_path(path))
            })
    }

    fn drop_empty_streams(&mut self) {
        let pending = self.outgoing.pending.map(|pending| pending.key);
        self.streams.retain(|stream| {
            let empty = stream.generations.is_empty() && stream.closed.is_empty();
            stream.named
                || !empty
                || stream.live.is_some()
                || pending == Some(stream.key)
                || stream.fault.is_some()
        });
    }
}
