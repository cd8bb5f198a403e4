//! Patterns: the paths that they lead to become streams, and what is left out is counted.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

use crate::begin::is_excluded;
use crate::compressed::is_compressed;
use crate::discover::{EXPAND_INTERVAL_MS, Finder};
use crate::engine::Engine;
use crate::fs::{Fault, Fs};
use crate::pattern::{self, RotatedNames};
use crate::report::Notice;

/// Directories that patterns may be looked for in, however few files may be followed.
const DIRS_MAX: usize = 4096;

impl Finder {
    /// Whether a new or lost directory may change what the patterns lead to.
    pub(crate) fn wild_dirs(&self, patterns: &[PathBuf]) -> bool {
        let has_wild_dir = |path: &PathBuf| path.parent().is_some_and(pattern::is_pattern);
        patterns.iter().any(has_wild_dir)
    }
}

impl Engine {
    /// Whether a path is one that was named or that a pattern leads to.
    pub(crate) fn is_wanted(&self, path: &Path) -> bool {
        let is_found = |one: &PathBuf| pattern::matches_path(one, path);
        !is_left_out(&self.options.exclude, path) && self.options.paths.iter().any(is_found)
    }

    /// Looks up all patterns.
    pub(crate) fn expand(&mut self, fs: &mut dyn Fs, now_ms: u64) {
        self.finder.expand = false;
        self.finder.expand_at_ms = now_ms + EXPAND_INTERVAL_MS;
        let mut found: Vec<PathBuf> = Vec::new();
        let mut dirs = BTreeSet::new();
        let dirs_max = self.options.files_max.max(DIRS_MAX);
        let mut dirs_left_out = 0;
        for wanted in self.options.paths.clone() {
            if !pattern::is_pattern(&wanted) {
                continue;
            }
            let expansion = pattern::expand(fs, &mut self.finder.folders, &wanted, dirs_max);
            dirs.extend(expansion.dirs);
            dirs_left_out += expansion.dirs_left_out;
            found.extend(expansion.paths);
            if let Some((dir, fault)) = expansion.fault {
                self.stats.read_errors += 1;
                self.notices.push(Notice::Unreadable(dir, fault));
            }
        }
        let excludes = &self.options.exclude;
        found.retain(|path| !is_left_out(excludes, path));
        if dirs != self.finder.pattern_dirs {
            self.finder.pattern_dirs = dirs;
            self.collect_dirs();
        }
        if dirs_left_out > self.stats.folders_left_out as usize {
            self.notices.push(Notice::FoldersLeftOut(dirs_left_out, dirs_max));
        }
        self.stats.folders_left_out = dirs_left_out as u64;
        found.sort_unstable_by(|a, b| a.as_os_str().cmp(b.as_os_str()));
        found.dedup();
        let before = std::mem::take(&mut self.finder.left_out).len();
        self.follow_found(fs, &found);
        self.note_left_out(before);
    }

    /// Says it when there are more of them than there were.
    pub(crate) fn note_left_out(&mut self, before: usize) {
        let count = self.finder.left_out.len();
        if count > before {
            self.notices.push(Notice::LeftOut(count, self.options.files_max));
        }
        self.stats.left_out = count as u64;
    }

    /// Follows what a pattern led to, but for rotated files of what is followed, as far as there
    /// is room. The paths are in byte order.
    pub(crate) fn follow_found(&mut self, fs: &mut dyn Fs, found: &[PathBuf]) {
        for path in found {
            if self.finder.index.by_path.contains_key(path) || self.is_rotated(path, found) {
                continue;
            }
            if self.streams.len() >= self.options.files_max {
                self.finder.left_out.insert(hash_of(path));
                continue;
            }
            let seen = fs.probe_path(path);
            if seen != Err(Fault::NotAFile) && !self.is_too_old(fs, path) {
                let at = self.add_stream(path.clone(), false);
                seen.iter().for_each(|seen| self.note_owed(at, seen.id));
            }
        }
    }

    /// Whether a name is one for a rotated file of a path that is followed, or found as well. Only
    /// names that begin with a whole path's are: `app-1.log` may be another program's log.
    fn is_rotated(&self, path: &Path, found: &[PathBuf]) -> bool {
        let Some(name) = path.file_name() else { return false };
        let bytes = path.as_os_str().as_encoded_bytes();
        let name_at = bytes.len() - name.len();
        let templates = self.options.rotated.iter().filter(|one| one.starts_with("{path}"));
        let templates: Vec<_> = templates.collect();
        let may_end = |end: &usize| templates.iter().any(|one| may_follow(one, bytes[*end]));
        (name_at + 1..bytes.len()).filter(may_end).any(|end| {
            use std::os::unix::ffi::OsStrExt;
            let of = Path::new(std::ffi::OsStr::from_bytes(&bytes[..end]));
            let followed = || {
                self.finder.index.by_path.contains_key(of)
                    || found.binary_search_by(|one| one.as_os_str().cmp(of.as_os_str())).is_ok()
            };
            let names = |template: &&String| {
                let names = RotatedNames::new(template, of);
                names.is_some_and(|names| names.contains_path(path))
            };
            followed() && templates.iter().any(names)
        })
    }
}

/// Whether in a name that the template gives this byte may come first behind the path.
fn may_follow(template: &str, byte: u8) -> bool {
    let first = template.strip_prefix("{path}").and_then(|rest| rest.bytes().next());
    first.is_some_and(|first| first == byte || matches!(first, b'*' | b'?' | b'[' | b'{'))
}

/// Stands for a path where only their number matters.
pub(crate) fn hash_of(path: &Path) -> u64 {
    let mut hasher = DefaultHasher::new();
    path.hash(&mut hasher);
    hasher.finish()
}

/// Whether what a pattern leads to is not followed: what is excluded, and compressed files, whose
/// bytes are no lines.
fn is_left_out(excludes: &[PathBuf], path: &Path) -> bool {
    path.file_name().is_some_and(is_compressed) || is_excluded(excludes, path)
}
