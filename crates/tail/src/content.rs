//! What a file's bytes say of it: opening the file that was meant, reading, comparing.
//!
//! It draws no conclusion; [`crate::rotation`] does.

use std::path::Path;

use crate::fs::{Fault, FileId, Fs, Handle};
use crate::position::{GUARD_BYTES_MAX, HEAD_BYTES_MAX, Position};
use crate::rotation::Likeness;
use crate::stream::Generation;

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

/// Compares a file's content with what is known of a generation that was cut. `None` if it cannot
/// be read.
pub(crate) fn likeness(fs: &mut dyn Fs, file: Handle, cut: &Position) -> Option<Likeness> {
    let mut seen = [0; HEAD_BYTES_MAX];
    let head = &mut seen[..cut.head.bytes()];
    let filled = read_exact(fs, file, 0, head)?;
    if head.is_empty() || filled < head.len() || !cut.head.is_of(head) {
        return Some(Likeness::None);
    }
    let mut seen = [0; GUARD_BYTES_MAX];
    let guard = &mut seen[..cut.guard.bytes()];
    let filled = read_exact(fs, file, cut.guard_start(), guard)?;
    Some(match filled < guard.len() {
        true => Likeness::ShorterCopy,
        false if cut.guard.is_of(guard) => Likeness::Copy,
        false => Likeness::None,
    })
}

/// Notes that a generation's file is `seen` now, if it is; then its old identity and the new one.
/// An overlay gives a file another one when it is written to for the first time, and whoever has
/// it open sees that, too.
pub(crate) fn renumber(
    fs: &mut dyn Fs,
    one: &mut Generation,
    seen: FileId,
) -> Option<(FileId, FileId)> {
    let old = one.id();
    if old == seen || !fs.probe(one.file).is_ok_and(|probe| probe.id == seen) {
        return None;
    }
    for position in [&mut one.written, &mut one.resume, &mut one.settled] {
        position.id = seen;
    }
    Some((old, seen))
}
