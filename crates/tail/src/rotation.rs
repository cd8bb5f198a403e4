//! What became of a path's files: which ones are its generations, and in what order.
//!
//! Owns the pure decisions about files with a rotated generation's name that nobody accounts for
//! yet ("strays"). Looking at them is [`crate::stream`]'s business.
//!
//! The one fact all of it rests on: a file never comes back to a path it was moved away from. So
//! while the newest generation is still at the path, nothing in the directory can be newer.

use std::cmp::Ordering;
use std::path::{Path, PathBuf};

use crate::fs::Probe;
use crate::position::Position;

/// The state of the path in the moment the strays were seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Situation {
    /// The first start ever: what was rotated before is not ours.
    First,
    /// The newest generation is still at the path, and its guard holds.
    Unchanged,
    /// The newest generation is at the path and was cut.
    Cut,
    /// Something else is at the path, or nothing, or the past is not known.
    Changed,
}

/// What a stray's content says about a generation that was cut.
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
    /// A generation of the path, to be read from its start.
    Generation,
    /// The copy of a generation that was cut, to be read from that one's frontier.
    Remainder,
    /// None of the path's generations.
    Foreign,
}

/// Decides about one stray. In doubt it is read: rather a line twice than a line lost.
pub fn admit(
    situation: Situation,
    newest: Option<&Position>,
    stray: &Probe,
    likeness: Likeness,
) -> Decision {
    match (situation, likeness) {
        (Situation::First, _) => Decision::Foreign,
        (Situation::Cut, Likeness::Copy) => Decision::Remainder,
        (Situation::Cut, Likeness::ShorterCopy) => Decision::Foreign,
        (Situation::Cut | Situation::Changed, _) => Decision::Generation,
        // Born before the file at the path: it was overlooked. Born after it: it cannot have been
        // at the path. Not known: looks are consistent, so it was not overlooked.
        (Situation::Unchanged, _) => {
            let newest_born_ns = newest.map_or(0, |newest| newest.id.born_ns);
            match stray.id.born_ns != 0 && stray.id.born_ns <= newest_born_ns {
                true => Decision::Generation,
                false => Decision::Foreign,
            }
        }
    }
}

/// Orders strays as they were written: by birth, else by last write, else by name.
pub fn drain_order(a: (&Path, &Probe), b: (&Path, &Probe)) -> Ordering {
    let born = match (a.1.id.born_ns, b.1.id.born_ns) {
        (0, _) | (_, 0) => Ordering::Equal,
        (a, b) => a.cmp(&b),
    };
    born.then(a.1.written_ns.cmp(&b.1.written_ns)).then_with(|| by_name(a.0, b.0))
}

/// `log.10`, `log.9` in this order: the higher number was rotated earlier. Without numbers the
/// lower name is the earlier one, as with dates.
fn by_name(a: &Path, b: &Path) -> Ordering {
    let number = |path: &Path| -> Option<u64> { path.extension()?.to_str()?.parse().ok() };
    match (number(a), number(b)) {
        (Some(a), Some(b)) if a < 1_000_000 && b < 1_000_000 => b.cmp(&a),
        _ => a.cmp(b),
    }
}

/// One consistent look at a path and the rotated names around it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// What is at the path, if a regular file is.
    pub live: Option<Probe>,
    /// What has a rotated name, in byte order of the names; the live file is not among them.
    pub rotated: Vec<(PathBuf, Probe)>,
    /// A directory could not be listed: what was not seen may be there all the same.
    pub unlisted: bool,
}

impl Snapshot {
    /// Whether two looks saw the same files under the same names.
    pub fn same_files(&self, other: &Snapshot) -> bool {
        let rotated = |snapshot: &Snapshot| {
            let files = snapshot.rotated.iter();
            files.map(|(path, probe)| (path.as_os_str().to_owned(), probe.id)).collect::<Vec<_>>()
        };
        self.live.map(|live| live.id) == other.live.map(|live| live.id)
            && self.unlisted == other.unlisted
            && rotated(self) == rotated(other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::FileId;

    fn probe(born_ns: u64, written_ns: u64) -> Probe {
        let id = FileId { dev: 1, ino: 1, born_ns };
        Probe { id, size: 1, written_ns, linked: true }
    }

    fn check(situation: Situation, born_ns: u64, likeness: Likeness, expected: Decision) {
        let newest = Position::start(FileId { dev: 1, ino: 2, born_ns: 100 });
        let decision = admit(situation, Some(&newest), &probe(born_ns, 0), likeness);
        assert_eq!(decision, expected, "{situation:?} born {born_ns} {likeness:?}");
    }

    #[test]
    fn strays_are_read_unless_they_cannot_be_generations() {
        use {Decision::*, Likeness::*, Situation::*};
        check(First, 50, None, Foreign);
        check(Unchanged, 50, None, Generation);
        check(Unchanged, 100, None, Generation);
        check(Unchanged, 101, None, Foreign);
        check(Unchanged, 0, None, Foreign);
        check(Cut, 101, Copy, Remainder);
        check(Cut, 101, ShorterCopy, Foreign);
        check(Cut, 101, None, Generation);
        check(Changed, 101, None, Generation);
        check(Changed, 50, None, Generation);
    }

    #[test]
    fn drain_order_is_birth_then_last_write_then_name() {
        let check = |a: (&str, Probe), b: (&str, Probe)| {
            let (a, b) = ((Path::new(a.0), &a.1), (Path::new(b.0), &b.1));
            assert_eq!(drain_order(a, b), Ordering::Less);
            assert_eq!(drain_order(b, a), Ordering::Greater);
        };
        check(("l.1", probe(1, 9)), ("l.2", probe(2, 3)));
        check(("l.1", probe(0, 3)), ("l.2", probe(2, 9)));
        check(("l.1", probe(5, 3)), ("l.2", probe(5, 9)));
        check(("l.10", probe(0, 3)), ("l.9", probe(0, 3)));
        check(("l.20260101", probe(0, 3)), ("l.20260102", probe(0, 3)));
        check(("l.a", probe(0, 3)), ("l.b", probe(0, 3)));
    }
}
