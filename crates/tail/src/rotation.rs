//! What became of a path's files: which ones are its generations, and in what order.
//!
//! Owns the pure decisions about files with a rotated generation's name that nobody accounts for
//! yet ("strays"). Looking at them is [`crate::look`]'s business.
//!
//! Two facts carry all of it. A file does not come back to a path it was rotated away from, so
//! while the newest generation is still at the path, and provably so, no stray can be newer than
//! it, and those that were older were seen before it was begun. And what a cut file held is in
//! the copy that was made before the cut, and begins as the file did.

use std::cmp::Ordering;
use std::path::{Path, PathBuf};

use crate::compressed::{is_compressed, without_ending};
use crate::fs::{FileId, Probe};
use crate::position::{HEAD_BYTES_MAX, Position};
use crate::unpack::UNPACKS;

/// A copy that took the place of its original is told from the same text written anew by having
/// at least so much of it, and so are one path's lines from another one's.
const SAME_TEXT_BYTES_MIN: u64 = 32;

/// The state of the path in the moment the strays were seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Situation {
    /// Something else is at the path, or nothing, or the past is not known.
    Changed,
    /// The newest generation is at the path and was cut.
    Cut,
    /// The first start ever: what was rotated before is not ours.
    First,
    /// The newest generation is still at the path, and its guard holds.
    Unchanged,
    /// The newest generation is at the path, and nothing of it was read that could tell whether
    /// it was cut.
    Unproven,
}

/// What a stray's content says about the newest generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Likeness {
    /// Head and guard are the same, at the same places: a copy that has all that was read.
    Copy,
    /// The head is the same, and it ends before the frontier: a copy of what was read already.
    ShorterCopy,
    /// None, or it was not looked at.
    None,
}

/// What a stray is taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// None of the path's generations.
    Foreign,
    /// A generation of the path, to be read from its start.
    Generation,
    /// It cannot be told yet.
    Later,
    /// The copy of a generation that was cut, to be read from that one's frontier.
    Remainder,
}

/// Decides about one stray. In doubt it is read: rather a line twice than a line lost.
pub fn admit(situation: Situation, likeness: Likeness) -> Decision {
    match (situation, likeness) {
        (Situation::First | Situation::Unchanged, _) => Decision::Foreign,
        (Situation::Cut, Likeness::Copy) => Decision::Remainder,
        (Situation::Cut, Likeness::ShorterCopy) => Decision::Foreign,
        // All that it holds is at the path still, and will be read there.
        (Situation::Unproven, Likeness::Copy | Likeness::ShorterCopy) => Decision::Later,
        (Situation::Changed, _) | (Situation::Cut | Situation::Unproven, Likeness::None) => {
            Decision::Generation
        }
    }
}

/// Whether a file of `size` bytes, which has the bytes of `old` at their places, is a copy of it
/// that took its place, and not the same text written anew: a line or two may well be the same.
pub fn is_same_text(old: &Position, size: u64) -> bool {
    old.proves_something()
        && (old.frontier >= HEAD_BYTES_MAX as u64 || is_telling(old) && size > old.frontier)
}

/// Whether more was read of a file than the line or two that any two files may have in common.
pub(crate) fn is_telling(position: &Position) -> bool {
    position.frontier >= SAME_TEXT_BYTES_MIN
}

/// Orders strays as they were written, the oldest first. `known` are the paths of files that are
/// known, hence older: where all are numbered, their numbers tell which way the numbers run, and
/// no clock is asked.
pub fn sort_by_age(strays: &mut [(PathBuf, Probe)], known: &[&Path]) {
    let new = strays.iter().filter(|(path, _)| !known.contains(&path.as_path()));
    let numbers: Option<Vec<u64>> = new.map(|(path, _)| number(path)).collect();
    let older = known.iter().filter_map(|path| number(path));
    let (low, high) = older.fold((u64::MAX, 0), |(low, high), n| (low.min(n), high.max(n)));
    let numbers = numbers.unwrap_or_default();
    match (numbers.iter().min(), numbers.iter().max()) {
        (Some(_), Some(last)) if high > *last => {
            strays.sort_by_key(|(path, _)| std::cmp::Reverse(number(path)));
        }
        (Some(first), Some(_)) if low < *first => strays.sort_by_key(|(path, _)| number(path)),
        // A compressed file is young whatever is in it, but has the time of the last write.
        _ if UNPACKS && strays.iter().any(|(path, _)| is_packed(path)) => {
            let written = |one: &(PathBuf, Probe)| one.1.written_ns;
            strays.sort_by(|a, b| written(a).cmp(&written(b)).then_with(|| by_name(&a.0, &b.0)));
        }
        _ => strays.sort_by(|a, b| drain_order((&a.0, &a.1), (&b.0, &b.1))),
    }
}

/// By birth, else by last write, else by name.
pub(crate) fn drain_order(a: (&Path, &Probe), b: (&Path, &Probe)) -> Ordering {
    let born = match (a.1.id.born_ns, b.1.id.born_ns) {
        (0, _) | (_, 0) => Ordering::Equal,
        (a, b) => a.cmp(&b),
    };
    born.then(a.1.written_ns.cmp(&b.1.written_ns)).then_with(|| by_name(a.0, b.0))
}

/// `log.10`, `log.9` in this order: the higher number was rotated earlier. Without numbers the
/// lower name is the earlier one, as with dates.
fn by_name(a: &Path, b: &Path) -> Ordering {
    match (number(a), number(b)) {
        (Some(a), Some(b)) => b.cmp(&a),
        _ => a.cmp(b),
    }
}

fn is_packed(path: &Path) -> bool {
    path.file_name().is_some_and(is_compressed)
}

/// The number a rotated file's name ends with, before it was compressed; a date is none.
pub(crate) fn number(path: &Path) -> Option<u64> {
    let name = path.file_name()?;
    let name = Path::new(without_ending(name).unwrap_or(name));
    let number = name.extension()?.to_str()?.parse().ok()?;
    (number < 1_000_000).then_some(number)
}

/// One consistent look at a path and the rotated names around it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// What is at the path, if a regular file is.
    pub live: Option<Probe>,
    /// What has a rotated name, those with a number first, in byte order of the names; the live file
    /// is not among them.
    pub rotated: Vec<(PathBuf, Probe)>,
    /// Compressed files with a rotated name, in the same order.
    pub packed: Vec<(PathBuf, Probe)>,
    /// Known files under other names.
    pub others: Vec<(PathBuf, Probe)>,
    /// Rotated names that lead nowhere.
    pub missing: Vec<PathBuf>,
    /// A directory could not be listed: what was not seen may be there all the same.
    pub unlisted: bool,
}

impl Snapshot {
    /// Whether two looks saw the same files under the same names.
    pub fn same_files(&self, other: &Snapshot) -> bool {
        fn rotated(snapshot: &Snapshot) -> impl Iterator<Item = (&Path, FileId)> {
            let all = snapshot.rotated.iter().chain(&snapshot.packed);
            all.map(|(path, probe)| (path.as_path(), probe.id))
        }
        self.live.map(|live| live.id) == other.live.map(|live| live.id)
            && self.unlisted == other.unlisted
            && self.missing == other.missing
            && rotated(self).eq(rotated(other))
    }

    /// Whether a file was seen at all.
    pub fn has(&self, wanted: impl Fn(FileId) -> bool) -> bool {
        self.find(Path::new(""), wanted).is_some()
    }

    /// Where a file was seen, `live_path` being the path that is followed.
    pub fn find(
        &self,
        live_path: &Path,
        wanted: impl Fn(FileId) -> bool,
    ) -> Option<(PathBuf, Probe)> {
        if let Some(live) = self.live.filter(|live| wanted(live.id)) {
            return Some((live_path.to_owned(), live));
        }
        let mut all = self.rotated.iter().chain(&self.packed).chain(&self.others);
        all.find(|(_, probe)| wanted(probe.id)).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn probe(born_ns: u64, written_ns: u64) -> Probe {
        let id = FileId { dev: 1, ino: 1, born_ns };
        Probe { id, size: 1, written_ns, changed_ns: written_ns, linked: true }
    }

    #[test]
    fn strays_are_read_unless_they_cannot_be_generations() {
        use {Decision::*, Situation::*};
        let check = |situation, likeness, expected| {
            assert_eq!(admit(situation, likeness), expected, "{situation:?} {likeness:?}");
        };
        check(First, Likeness::None, Foreign);
        check(Unchanged, Likeness::None, Foreign);
        check(Unproven, Likeness::None, Generation);
        check(Unproven, Likeness::Copy, Later);
        check(Unproven, Likeness::ShorterCopy, Later);
        check(Cut, Likeness::Copy, Remainder);
        check(Cut, Likeness::ShorterCopy, Foreign);
        check(Cut, Likeness::None, Generation);
        check(Changed, Likeness::None, Generation);
        check(Changed, Likeness::Copy, Generation);
    }

    #[test]
    fn drain_order_is_birth_then_last_write_then_name() {
        let check = |a: (&str, Probe), b: (&str, Probe)| {
            let (a, b) = ((Path::new(a.0), &a.1), (Path::new(b.0), &b.1));
            assert_eq!(drain_order(a, b), Ordering::Less);
            assert_eq!(drain_order(b, a), Ordering::Greater);
        };
        check(("l.1", probe(1, 9)), ("l.2", probe(2, 3)));
        check(("l.1", probe(0, 3)), ("l.2", probe(0, 9)));
        check(("l.1", probe(5, 3)), ("l.2", probe(5, 9)));
        check(("l.10", probe(0, 3)), ("l.9", probe(0, 3)));
        check(("l.20260101", probe(0, 3)), ("l.20260102", probe(0, 3)));
        check(("l.a", probe(0, 3)), ("l.b", probe(0, 3)));
    }

    #[test]
    fn known_files_tell_which_way_the_numbers_run_whatever_the_clock_said() {
        let check = |known: &[&str], strays: &[(&str, u64)], expected: &[&str]| {
            let known: Vec<_> = known.iter().map(Path::new).collect();
            let strays = strays.iter().map(|(path, born)| (PathBuf::from(path), probe(*born, 1)));
            let mut strays: Vec<_> = strays.collect();
            sort_by_age(&mut strays, &known);
            let sorted: Vec<_> = strays.iter().filter_map(|(path, _)| path.to_str()).collect();
            assert_eq!(sorted, expected);
        };
        check(&["l.3"], &[("l.1", 1), ("l.2", 2)], &["l.2", "l.1"]);
        check(&["l.1"], &[("l.3", 1), ("l.2", 2)], &["l.2", "l.3"]);
        check(&[], &[("l.1", 1), ("l.2", 2)], &["l.1", "l.2"]);
        check(&["l.3"], &[("l.1", 1), ("l.b", 2)], &["l.1", "l.b"]);
    }

    #[test]
    fn a_copy_in_place_is_longer_or_has_a_whole_head() {
        let check = |frontier: usize, size: u64, expected: bool| {
            let mut old = Position::start(FileId::default());
            old.advance(&vec![7; frontier], frontier);
            assert_eq!(is_same_text(&old, size), expected, "{frontier} {size}");
        };
        check(0, 100, false);
        check(31, 100, false);
        check(32, 32, false);
        check(32, 33, true);
        check(1023, 1023, false);
        check(1024, 1024, true);
    }
}
