//! What a file's bytes say of it: opening the file that was meant, reading, comparing.
//!
//! It draws no conclusion; [`crate::rotation`] does.

use std::path::Path;

use crate::compressed::{BEGINNING_BYTES, begins_compressed};
use crate::fs::{Fault, FileId, Fs, Handle};
use crate::position::{GUARD_BYTES_MAX, HEAD_BYTES_MAX, Position, Sum};
use crate::rotation::Likeness;

/// A read that failed: an input/output error.
pub(crate) const UNREAD: Fault = Fault::Other(5);
/// Tries to read a file that may be a copy.
pub(crate) const READS_MAX: u32 = 4;

/// Opens a path if it still leads to `id`. `Err(None)` if it does not.
pub(crate) fn open_same(fs: &mut dyn Fs, path: &Path, id: FileId) -> Result<Handle, Option<Fault>> {
    let file = match fs.open(path) {
        Ok(file) => file,
        Err(Fault::Missing) => return Err(None),
        Err(fault) => return Err(Some(fault)),
    };
    match fs.probe(file) {
        Ok(probe) if probe.id == id => Ok(file),
        other => {
            fs.close(file);
            Err(other.err())
        }
    }
}

/// Reads as much as there is, up to the buffer's length. `None` on an error.
pub(crate) fn read_exact(
    fs: &mut dyn Fs,
    file: Handle,
    offset: u64,
    buf: &mut [u8],
) -> Option<usize> {
    let mut filled = 0;
    while filled < buf.len() {
        match fs.read_at(file, offset + filled as u64, &mut buf[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(_) => return None,
        }
    }
    Some(filled)
}

/// Whether a file's first bytes say that it is compressed, with some patience: what is compressed is
/// no plain file for a moment, either. `None` if it cannot be read.
pub(crate) fn is_compressed_text(fs: &mut dyn Fs, file: Handle) -> Option<bool> {
    let mut first = [0; BEGINNING_BYTES];
    let filled = (0..READS_MAX).find_map(|_| read_exact(fs, file, 0, &mut first))?;
    Some(begins_compressed(&first[..filled]))
}

/// Whether a file begins with the bytes that were summed. `None` if it cannot be read.
pub(crate) fn begins_as(fs: &mut dyn Fs, file: Handle, head: Sum) -> Option<bool> {
    let mut seen = [0; HEAD_BYTES_MAX];
    let filled = read_exact(fs, file, 0, &mut seen[..head.bytes()])?;
    Some(head.is_of(&seen[..filled]))
}

/// Compares a file's content with what is known of a generation that was cut. `None` if it cannot
/// be read.
pub(crate) fn likeness(fs: &mut dyn Fs, file: Handle, cut: &Position) -> Option<Likeness> {
    if !begins_as(fs, file, cut.head)? || cut.head.bytes() == 0 {
        return Some(Likeness::None);
    }
    let mut seen = [0; GUARD_BYTES_MAX];
    let guard = &mut seen[..cut.guard.bytes()];
    let filled = read_exact(fs, file, cut.guard_start(), guard)?;
    Some(match filled < guard.len() {
        // Any file may begin with a hole.
        true if cut.head_is_nuls() => Likeness::None,
        true => Likeness::ShorterCopy,
        false if cut.guard.is_of(guard) => Likeness::Copy,
        false => Likeness::None,
    })
}

/// [`likeness`] with some patience: a file at the path is not closed again, it may be deleted.
pub(crate) fn surely_like(fs: &mut dyn Fs, file: Handle, known: &Position) -> Likeness {
    (0..READS_MAX).find_map(|_| likeness(fs, file, known)).unwrap_or(Likeness::None)
}

/// Whether all of a file is what another one begins with: a copy of what is there still. An empty
/// file is no evidence of anything, so it counts as one. `None` if one cannot be read.
pub(crate) fn beginning_of(fs: &mut dyn Fs, copy: Handle, whole: Handle) -> Option<Likeness> {
    let size = fs.probe(copy).ok()?.size;
    let text = text_from(fs, copy)?;
    if text >= size {
        return Some(Likeness::ShorterCopy);
    }
    let (mut seen, mut expected) = ([0; HEAD_BYTES_MAX], [0; HEAD_BYTES_MAX]);
    let filled = read_exact(fs, copy, text, &mut seen)?;
    let there = read_exact(fs, whole, text, &mut expected)?;
    let is_within = size <= fs.probe(whole).ok()?.size && text == text_from(fs, whole)?;
    let alike = expected[..there].starts_with(&seen[..filled]);
    Some(if is_within && alike { Likeness::Copy } else { Likeness::None })
}

/// Where the first byte is that is no NUL, or the file's end; the search is bounded.
fn text_from(fs: &mut dyn Fs, file: Handle) -> Option<u64> {
    let mut seen = [0; HEAD_BYTES_MAX];
    let mut from = 0;
    for _ in 0..TEXT_READS_MAX {
        let Some(data) = fs.data_from(file, from).ok()? else {
            return Some(fs.probe(file).ok()?.size);
        };
        from = data;
        let filled = read_exact(fs, file, from, &mut seen)?;
        if let Some(at) = seen[..filled].iter().position(|byte| *byte != 0) {
            return Some(from + at as u64);
        }
        from += filled as u64;
        if filled == 0 {
            break;
        }
    }
    Some(from)
}

/// The position at a file's end, of a file that is not to be read: it proves what the file was.
pub(crate) fn at_end(fs: &mut dyn Fs, file: Handle, id: FileId) -> Option<Position> {
    let mut seen = [0; HEAD_BYTES_MAX];
    let filled = read_exact(fs, file, 0, &mut seen)?;
    let head = Sum::of(&seen[..filled]);
    let is_short = filled < HEAD_BYTES_MAX;
    let frontier =
        if is_short { filled as u64 } else { fs.probe(file).ok()?.size.max(filled as u64) };
    let mut seen = [0; GUARD_BYTES_MAX];
    let guard = &mut seen[..frontier.min(GUARD_BYTES_MAX as u64) as usize];
    let filled = read_exact(fs, file, frontier - guard.len() as u64, guard)?;
    let position = Position { head, guard: Sum::of(guard), frontier, ..Position::start(id) };
    (filled == guard.len()).then_some(position)
}

/// Reads for the first byte that is no NUL.
const TEXT_READS_MAX: u32 = 256;
