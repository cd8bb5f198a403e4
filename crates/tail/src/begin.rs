//! Where following begins: which files a pattern led to are left out, and from where files that
//! were there before the program are read.
//!
//! Owns those decisions. It opens nothing; whoever does asks here.

use std::path::{Path, PathBuf};

use crate::content::read_exact;
use crate::engine::Engine;
use crate::fs::{FileId, Fs, Handle};
use crate::pattern;
use crate::position::{GUARD_BYTES_MAX, HEAD_BYTES_MAX, Position, Sum};
use crate::stream::Stream;

/// How far back from the end the last line's end is looked for; a file whose last line is longer
/// is read from its very end.
const TAIL_BYTES: u64 = 64 << 10;

impl Engine {
    /// Whether a path that a pattern led to is left out because of its age. It comes in once it
    /// is written to.
    pub(crate) fn is_too_old(&self, fs: &mut dyn Fs, path: &Path) -> bool {
        let Some(age_ms) = self.options.ignore_older_ms else { return false };
        let before_ms = self.unix_ms.saturating_sub(age_ms);
        fs.probe_path(path).is_ok_and(|probe| probe.written_ns / 1_000_000 < before_ms)
    }
}

impl Stream {
    /// Where a file is begun that was never seen before.
    pub(crate) fn begin_at(&self, fs: &mut dyn Fs, file: Handle, id: FileId) -> Position {
        let from_end = self.from_end && self.first;
        let end = from_end.then(|| behind_last_line(fs, file, id)).flatten();
        end.unwrap_or(Position::start(id))
    }
}

/// Whether one of the patterns describes the path, or, if there is no slash in it, the name.
pub(crate) fn is_excluded(patterns: &[PathBuf], path: &Path) -> bool {
    patterns.iter().any(|one| match one.components().count() {
        1 => path.file_name().is_some_and(|name| {
            pattern::matches(one.as_os_str().as_encoded_bytes(), name.as_encoded_bytes())
        }),
        _ => pattern::matches_path(one, path),
    })
}

/// Behind the last whole line of a file. `None` if it cannot be read.
fn behind_last_line(fs: &mut dyn Fs, file: Handle, id: FileId) -> Option<Position> {
    let size = fs.probe(file).ok()?.size;
    let start = size.saturating_sub(TAIL_BYTES);
    let mut seen = vec![0; (size - start) as usize];
    let filled = read_exact(fs, file, start, &mut seen)?;
    let frontier = match memchr::memrchr(b'\n', seen.get(..filled)?) {
        Some(last) => start + last as u64 + 1,
        None if start == 0 => 0,
        None => start + filled as u64,
    };
    let mut sum = |from: u64, len: u64| {
        let mut seen = [0; HEAD_BYTES_MAX];
        let seen = seen.get_mut(..len as usize)?;
        (read_exact(fs, file, from, seen)? == seen.len()).then(|| Sum::of(seen))
    };
    let guard_len = frontier.min(GUARD_BYTES_MAX as u64);
    let head = sum(0, frontier.min(HEAD_BYTES_MAX as u64))?;
    let guard = sum(frontier - guard_len, guard_len)?;
    Some(Position { head, guard, frontier, ..Position::start(id) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_excluded_is_told_by_the_name_or_by_the_whole_path() {
        let check = |pattern: &str, path: &str, expected: bool| {
            let patterns = [PathBuf::from("nothing"), PathBuf::from(pattern)];
            assert_eq!(is_excluded(&patterns, Path::new(path)), expected, "{pattern} {path}");
        };
        check("*.tmp", "/logs/a.tmp", true);
        check("*.tmp", "/logs/a.tmp.log", false);
        check("debug-?.log", "/logs/debug-1.log", true);
        check("/logs/*/debug.log", "/logs/web/debug.log", true);
        check("/logs/*/debug.log", "/logs/debug.log", false);
        check("/logs/*.log", "/other/a.log", false);
    }
}
