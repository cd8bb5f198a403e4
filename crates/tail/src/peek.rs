//! What one look tells of a compressed file: its beginning and, where that is told, its length.
//!
//! Owns the comparison of a compressed file with positions and open files. What follows from it is
//! [`crate::packed`]'s business.

use std::path::Path;

use crate::checkpoint::Known;
use crate::content::{UNREAD, open_same, read_exact};
use crate::fs::{Fault, Fs, Handle, Probe};
use crate::position::Position;
use crate::unpack::{Reader, has_guard};

/// Bytes of the beginning that are compared.
pub(crate) const PEEK_BYTES: usize = 32 << 10;
/// Reads for them.
const PEEK_READS_MAX: u32 = 8;
/// Tries to read it.
const PEEK_TRIES_MAX: u32 = 4;
/// A gzip file that is smaller than this has no more than 4 GiB in it.
const SMALL_BYTES: u64 = 4 << 20;

/// What a compressed file has.
#[derive(Debug)]
pub(crate) struct Peek {
    pub(crate) head: Vec<u8>,
    /// How many bytes were compressed, as far as that can be told.
    pub(crate) len: Len,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Len {
    Exact(u64),
    /// The lower 32 bits of it, as a gzip file of this size says.
    Low(u32, u64),
    Unknown,
}

impl Len {
    /// What the end of a gzip file says, whether it can be unpacked or not.
    pub(crate) fn told(fs: &mut dyn Fs, file: Handle) -> Result<Len, Fault> {
        let (mut first, mut last) = ([0; 2], [0; 4]);
        let read = read_exact(fs, file, 0, &mut first).ok_or(UNREAD)?;
        let is_gzip = read == 2 && first == [0x1f, 0x8b];
        // It may be longer than it was when it was found.
        let size = fs.probe(file)?.size;
        let read = read_exact(fs, file, size.saturating_sub(4), &mut last).ok_or(UNREAD)?;
        Ok(if is_gzip && read == 4 {
            Len::Low(u32::from_le_bytes(last), size)
        } else {
            Len::Unknown
        })
    }

    pub(crate) fn is(self, frontier: u64) -> bool {
        match self {
            Len::Exact(len) => len == frontier,
            Len::Low(low, _) => low == frontier as u32,
            Len::Unknown => false,
        }
    }

    fn is_less_than(self, frontier: u64) -> bool {
        match self {
            Len::Exact(len) => len < frontier,
            Len::Low(low, size) => size < SMALL_BYTES && u64::from(low) < frontier,
            Len::Unknown => false,
        }
    }
}

impl Peek {
    /// Looks at a compressed file. One that was moved is missing.
    pub(crate) fn of(fs: &mut dyn Fs, path: &Path, probe: &Probe) -> Result<Peek, Fault> {
        let file =
            open_same(fs, path, probe.id).map_err(|fault| fault.unwrap_or(Fault::Missing))?;
        let peek = Peek::surely_at(fs, file);
        fs.close(file);
        peek
    }

    /// Looks at an open compressed file, with some patience where it cannot be read.
    fn surely_at(fs: &mut dyn Fs, file: Handle) -> Result<Peek, Fault> {
        let is_clear = |peek: &Result<Peek, Fault>| !matches!(peek, Err(Fault::Other(_)));
        let mut peeks = (0..PEEK_TRIES_MAX).map(|_| Peek::at(fs, file));
        peeks.find(is_clear).unwrap_or(Err(UNREAD))
    }

    /// Whether all that was compressed is what was written out of a known file.
    pub(crate) fn is_delivered_by(&self, known: &Known) -> bool {
        known.is_out() && self.is_all_of(&known.position)
    }

    /// Whether a known file may be what was compressed, or have its beginning.
    pub(crate) fn goes_on(&self, known: &Known) -> bool {
        let position = &known.position;
        !known.foreign && self.fits(position) && !self.len.is_less_than(position.frontier)
    }

    /// Whether as many bytes were compressed as a position has before it, and they may be those.
    pub(crate) fn is_all_of(&self, position: &Position) -> bool {
        self.len.is(position.frontier) && self.fits(position)
    }

    /// Looks at an open compressed file.
    pub(crate) fn at(fs: &mut dyn Fs, file: Handle) -> Result<Peek, Fault> {
        let (mut reader, mut head, mut filled) = (Reader::default(), vec![0; PEEK_BYTES], 0);
        let mut len = Len::Unknown;
        for _ in 0..PEEK_READS_MAX {
            let rest = &mut head[filled..];
            match reader.read_at(fs, file, filled as u64, rest) {
                Ok(0) if filled < PEEK_BYTES => {
                    len = Len::Exact(filled as u64);
                    break;
                }
                Ok(0) => break,
                Err(Fault::CutShort) => {
                    // Its last bytes say nothing yet.
                    head.truncate(filled);
                    return Ok(Peek { head, len });
                }
                Ok(count) => filled += count,
                Err(Fault::More) => {}
                Err(Fault::Damaged | Fault::Packed) if filled > 0 => break,
                Err(fault) => return Err(fault),
            }
        }
        head.truncate(filled);
        if matches!(len, Len::Unknown) && !reader.has_members() {
            len = Len::told(fs, file)?;
            // Of several members it is the last one's.
            len = if len.is_less_than(filled as u64) { Len::Unknown } else { len };
        }
        Ok(Peek { head, len })
    }

    /// Whether it was made of an open file: as many bytes were compressed, which begin as that does.
    /// `None` if that cannot be read.
    pub(crate) fn is_made_of(&self, fs: &mut dyn Fs, plain: Handle) -> Option<bool> {
        let size = fs.probe(plain).ok()?.size;
        if size == 0 || !self.len.is(size) {
            return Some(false);
        }
        (0..PEEK_TRIES_MAX).find_map(|_| self.is_like(fs, plain, false))
    }

    /// Whether it may be what a position is of, as far as its beginning tells.
    pub(crate) fn fits(&self, position: &Position) -> bool {
        let head = self.head.get(..position.head.bytes());
        if !position.proves_something() || !head.is_some_and(|head| position.head.is_of(head)) {
            return false;
        }
        let start = usize::try_from(position.guard_start()).unwrap_or(usize::MAX);
        let guard = self.head.get(start..).and_then(|rest| rest.get(..position.guard.bytes()));
        match guard {
            Some(guard) => position.guard.is_of(guard),
            // Any file may begin with a hole.
            None => !(position.head_is_nuls() && self.len.is_less_than(position.frontier)),
        }
    }

    /// Whether it begins with a hole, as any file may.
    pub(crate) fn is_nuls(&self) -> bool {
        self.head.iter().all(|byte| *byte == 0)
    }

    /// Whether an open file begins with the same bytes, or has no more than some of them. `None` if
    /// it cannot be read. Of what begins with a hole the length tells; where that is not known, it
    /// may be any file that is not at its path and begins so, as long as that is open.
    pub(crate) fn is_like(&self, fs: &mut dyn Fs, file: Handle, is_live: bool) -> Option<bool> {
        let is_nuls = self.is_nuls();
        if is_nuls && self.len.is(fs.probe(file).ok()?.size) {
            return Some(true);
        }
        if is_nuls && (is_live || !matches!(self.len, Len::Unknown)) {
            return Some(false);
        }
        let mut seen = vec![0; self.head.len()];
        let filled = read_exact(fs, file, 0, &mut seen)?;
        Some(filled > 0 && self.head.starts_with(&seen[..filled]))
    }
}

/// Whether an open compressed file may be what a known one was, as far as what is before the frontier
/// tells. That is asked only of what begins with a hole, as any file may: to unpack it takes long.
pub(crate) fn has_frontier(fs: &mut dyn Fs, file: Handle, known: &Known) -> bool {
    !known.position.head_is_nuls() || has_guard(fs, file, &known.position) != Some(false)
}
