//! How far into which file: the frontier, and the checksums that prove it is still that file.
//!
//! Owns [`Position`] and the pure decisions about content at and before a frontier. It reads
//! nothing itself: whoever asks brings the bytes.

use crate::fs::FileId;

/// Bytes of a file's beginning that identify it, at most. The same as the agents it replaces take.
pub const HEAD_BYTES_MAX: usize = 1024;
/// Bytes before the frontier that are checked before anything after it is believed, at most.
pub const GUARD_BYTES_MAX: usize = 256;
/// Beyond this cuts are counted from 0 again.
pub const CUTS_MAX: u8 = 64;

/// Length and CRC-32 of a run of bytes. An empty run matches anything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum {
    /// How many bytes.
    pub len: u16,
    /// Their CRC-32.
    pub crc: u32,
}

impl Sum {
    /// The sum of `bytes`, which are at most 64 KiB.
    pub fn of(bytes: &[u8]) -> Sum {
        debug_assert!(bytes.len() <= usize::from(u16::MAX), "a sum is over a short run");
        Sum { len: bytes.len() as u16, crc: crc32fast::hash(bytes) }
    }

    /// Whether `bytes` are the ones that were summed.
    pub fn is_of(self, bytes: &[u8]) -> bool {
        usize::from(self.len) == bytes.len() && crc32fast::hash(bytes) == self.crc
    }

    /// The length as a count of bytes.
    pub fn bytes(self) -> usize {
        usize::from(self.len)
    }

    fn extended(self, bytes: &[u8]) -> Sum {
        let mut hasher = crc32fast::Hasher::new_with_initial_len(self.crc, u64::from(self.len));
        hasher.update(bytes);
        Sum { len: self.len + bytes.len() as u16, crc: hasher.finalize() }
    }
}

/// A place in a file, and what is needed to recognise it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// The file.
    pub id: FileId,
    /// The first bytes of the file, as far as they were read, at most [`HEAD_BYTES_MAX`].
    pub head: Sum,
    /// The last bytes before the frontier: `min(frontier, GUARD_BYTES_MAX)` of them.
    pub guard: Sum,
    /// The first byte that is not safe yet.
    pub frontier: u64,
    /// How often the file was cut as far as is known, below [`CUTS_MAX`]: with the offset it tells
    /// a record from one of the same text that was at its place before a cut.
    pub cuts: u8,
}

impl Position {
    /// The beginning of a file.
    pub fn start(id: FileId) -> Position {
        Position { id, ..Position::default() }
    }

    /// The beginning of the same file once it was cut.
    pub fn cut(&self) -> Position {
        Position { cuts: (self.cuts + 1) % CUTS_MAX, ..Position::start(self.id) }
    }

    /// Where the guard begins: reading from here gives the guard and what follows it in one go.
    pub fn guard_start(&self) -> u64 {
        self.frontier - u64::from(self.guard.len)
    }

    /// Whether all that was passed is NULs, as far as can be told: the hole at the start of a file
    /// that was cut under a writer which does not append. True at the beginning of a file.
    pub fn is_nuls(&self) -> bool {
        self.head_is_nuls() && self.guard.is_of(&[0; GUARD_BYTES_MAX][..self.guard.bytes()])
    }

    /// Whether the file begins with a hole, as any file may. True at the beginning of a file.
    pub(crate) fn head_is_nuls(&self) -> bool {
        self.head.is_of(&[0; HEAD_BYTES_MAX][..self.head.bytes()])
    }

    /// Whether the frontier is in a run of NULs, or behind one, that is as long as a guard.
    pub(crate) fn is_amid_nuls(&self) -> bool {
        self.guard.bytes() == GUARD_BYTES_MAX && self.guard.is_of(&[0; GUARD_BYTES_MAX])
    }

    /// Whether the file's content can show that it is another one, or was cut: where nothing was
    /// read, or NULs only, anything fits.
    pub fn proves_something(&self) -> bool {
        !self.is_nuls()
    }

    /// Moves the frontier over `count` NULs of a hole, which are at least [`GUARD_BYTES_MAX`].
    pub fn pass_nuls(&mut self, count: u64) {
        debug_assert!(count >= GUARD_BYTES_MAX as u64, "the guard is within what is passed");
        let behind = (self.frontier + count).min(HEAD_BYTES_MAX as u64) as usize;
        if self.frontier <= u64::from(self.head.len) && behind > self.head.bytes() {
            self.head = self.head.extended(&[0; HEAD_BYTES_MAX][self.head.bytes()..behind]);
        }
        self.frontier += count;
        self.guard = Sum::of(&[0; GUARD_BYTES_MAX]);
    }

    /// Takes bytes that were read behind the frontier into what the file is known by: of a few that
    /// are safe another file may well have the same.
    pub(crate) fn look_ahead(&mut self, behind: &[u8]) {
        let known = u64::from(self.head.len).saturating_sub(self.frontier) as usize;
        let is_next = self.frontier <= u64::from(self.head.len);
        let end = behind.len().min(known + HEAD_BYTES_MAX - self.head.bytes());
        if let Some(fresh) = behind.get(known..end).filter(|_| is_next) {
            self.head = self.head.extended(fresh);
        }
    }

    /// Moves the frontier over the end of `seen`: the guard's bytes as far as they are before the
    /// frontier, then the `count` bytes that became safe.
    pub fn advance(&mut self, seen: &[u8], count: usize) {
        debug_assert!(count <= seen.len(), "the bytes that became safe were seen");
        let fresh = &seen[seen.len() - count..];
        let head_missing = HEAD_BYTES_MAX - self.head.bytes();
        if head_missing > 0 && self.frontier + count as u64 > u64::from(self.head.len) {
            // A position taken back to the start of its line knows more of the head than it passed.
            let known = (u64::from(self.head.len) - self.frontier) as usize;
            let end = fresh.len().min(known + head_missing);
            self.head = self.head.extended(&fresh[known..end]);
        }
        self.frontier += count as u64;
        let guard_len = self.frontier.min(GUARD_BYTES_MAX as u64) as usize;
        debug_assert!(guard_len <= seen.len(), "the guard's bytes are at hand");
        self.guard = Sum::of(&seen[seen.len() - guard_len.min(seen.len())..]);
    }
}

/// What the bytes read from a guard's start say about the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The guard holds and nothing follows it.
    Same,
    /// The guard holds and this many bytes follow it.
    Grown(usize),
    /// The file ends before the frontier: it was cut.
    Shorter,
    /// Other bytes are where the guard was: it was cut and has grown again, or is another file.
    Different,
}

/// Judges `seen`, read from [`Position::guard_start`]. A short read of the guard looks like
/// [`Verdict::Shorter`]; that verdict needs a second look anyway.
pub fn verdict(position: &Position, seen: &[u8]) -> Verdict {
    let guard_len = position.guard.bytes();
    if seen.len() < guard_len {
        return Verdict::Shorter;
    }
    if guard_len > 0 && !position.guard.is_of(&seen[..guard_len]) {
        return Verdict::Different;
    }
    match seen.len() - guard_len {
        0 => Verdict::Same,
        more => Verdict::Grown(more),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(bytes: &[u8], steps: &[usize]) -> Position {
        let mut position = Position::start(FileId::default());
        let mut end = 0;
        for step in steps {
            let start = position.guard_start() as usize;
            end += step;
            position.advance(&bytes[start..end], *step);
        }
        position
    }

    fn bytes(len: usize) -> Vec<u8> {
        (0..len).map(|i| (i * 7 + i / 251) as u8).collect()
    }

    #[test]
    fn position_does_not_depend_on_the_steps_that_led_there() {
        let all = bytes(5000);
        for steps in [&[5000][..], &[1, 4999], &[255, 1, 1, 4743], &[1023, 1, 1, 3975], &[300; 1]] {
            let end: usize = steps.iter().sum();
            let position = at(&all, steps);
            assert_eq!(position.frontier, end as u64);
            assert_eq!(position.head, Sum::of(&all[..end.min(HEAD_BYTES_MAX)]));
            assert_eq!(position.guard, Sum::of(&all[end - end.min(GUARD_BYTES_MAX)..end]));
        }
    }

    #[test]
    fn a_position_that_knows_more_of_the_head_than_it_passed_adds_only_the_rest() {
        let all = bytes(2000);
        for count in [5, 20, 21, 1000, 1014, 1015, 1500] {
            let mut position = Position { head: Sum::of(&all[..30]), ..at(&all, &[10]) };
            position.advance(&all[..10 + count], count);
            let head_len = (10 + count).clamp(30, HEAD_BYTES_MAX);
            assert_eq!(position.head, Sum::of(&all[..head_len]), "{count}");
        }
    }

    #[test]
    fn what_was_read_behind_the_frontier_is_part_of_the_head_once() {
        let all = bytes(2000);
        let check = |steps: &[usize], ahead: usize, expected: usize| {
            let mut position = at(&all, steps);
            let from = position.frontier as usize;
            position.look_ahead(&all[from..from + ahead]);
            position.look_ahead(&all[from..from + ahead / 2]);
            assert_eq!(position.head, Sum::of(&all[..expected]), "{steps:?} {ahead}");
            position.advance(&all[position.guard_start() as usize..from + 1], 1);
            assert_eq!(position.head, Sum::of(&all[..expected.max(from + 1).min(1024)]));
        };
        check(&[4], 0, 4);
        check(&[4], 100, 104);
        check(&[4], 1500, 1024);
        check(&[1000], 24, 1024);
        check(&[1000], 25, 1024);
        check(&[1100], 25, 1024);
    }

    #[test]
    fn verdict_tells_the_four_cases_apart() {
        let all = bytes(1000);
        let position = at(&all, &[600]);
        let seen = &all[position.guard_start() as usize..];
        let mut other = seen.to_vec();
        other[3] ^= 1;
        assert_eq!(verdict(&position, &seen[..256]), Verdict::Same);
        assert_eq!(verdict(&position, seen), Verdict::Grown(400));
        assert_eq!(verdict(&position, &seen[..255]), Verdict::Shorter);
        assert_eq!(verdict(&position, &[]), Verdict::Shorter);
        assert_eq!(verdict(&position, &other), Verdict::Different);
    }

    #[test]
    fn a_hole_is_told_from_data() {
        assert!(Position::start(FileId::default()).is_nuls());
        assert!(at(&[0; 3000], &[700, 2000]).is_nuls());
        assert!(!at(&[[0; 1000], [1; 1000]].concat(), &[2000]).is_nuls());
        assert!(!at(&[[1; 1000], [0; 1000]].concat(), &[2000]).is_nuls());
    }

    #[test]
    fn cuts_are_counted_in_six_bits() {
        let mut position = Position::start(FileId { ino: 7, ..FileId::default() });
        for cuts in (1..CUTS_MAX).chain([0, 1]) {
            position.frontier = 5;
            position = position.cut();
            assert_eq!((position.cuts, position.id.ino, position.frontier), (cuts, 7, 0));
        }
    }

    #[test]
    fn a_position_at_the_start_believes_any_content() {
        let position = Position::start(FileId::default());
        assert_eq!(verdict(&position, b""), Verdict::Same);
        assert_eq!(verdict(&position, b"abc"), Verdict::Grown(3));
    }
}
