//! Runs of NULs: holes and zeros that are not data yet.
//!
//! Owns what is passed over, what is waited at and what is data. A hole is passed in one step
//! whatever its size, zeros up to the end of the file may still be written to and are waited at,
//! and NULs at the start of a file are what a writer left that does not append. Where space is
//! freed in files, so long a run is the copy of what was freed. All other NULs are data.

use crate::fs::{Fault, Fs, Probe};
use crate::position::{GUARD_BYTES_MAX, Position};
use crate::stream::Generation;

/// A run at the start of a file that is shorter may be text, in an encoding of wide characters.
const LEADING_NULS_MIN: u64 = 4;
/// Holes are of whole blocks, of this many bytes at least.
const BLOCK_BYTES: u64 = 4096;
/// What passing over a hole counts in a turn's budget.
const HOLE_COST_BYTES: usize = 4096;

/// What is to become of the bytes behind the guard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gap {
    /// The first ones of them are data: up to this place in the buffer.
    Data(usize),
    /// The first ones of them are to be passed over: up to this place in the buffer.
    Pass(usize),
    /// A hole is to be passed over, the bytes in the buffer and those up to this offset.
    Hole(u64),
    /// The frontier stays; so many bytes were looked at.
    Search(usize),
    /// Nothing but NULs up to the end of the file.
    Zeros,
}

/// Looks at what `seen` has behind the guard, which is not empty. Where space is freed in files,
/// it is so much at a time, at least.
pub(crate) fn judge(
    fs: &mut dyn Fs,
    one: &mut Generation,
    seen: &mut [u8],
    filled: usize,
    freed_bytes_min: u64,
    ending: bool,
) -> Result<Gap, Fault> {
    let guard_len = one.written.guard.bytes();
    let fresh = &seen[guard_len..filled];
    let run = fresh.iter().position(|byte| *byte != 0).unwrap_or(fresh.len());
    if run == 0 {
        one.gap = false;
        let last = fresh.iter().rposition(|byte| *byte != 0).unwrap_or(0);
        return Ok(Gap::Data(guard_len + last + 1));
    }
    // The program may have begun anew while it passed over what was freed.
    one.gap |= freed_bytes_min < u64::MAX && one.written.is_amid_nuls();
    if one.is_packed() && run == fresh.len() {
        // Nobody writes there any more: what is not text in wide characters was never data.
        let before = seen[..guard_len].iter().rev().take(LEADING_NULS_MIN as usize);
        let wide = run < LEADING_NULS_MIN as usize && before.into_iter().any(is_nul);
        // Those before it were passed over: a run may be read in any pieces.
        let goes_on = one.gap_to > 0 && one.gap_to == one.written.frontier;
        if wide && !goes_on {
            return Ok(Gap::Data(filled));
        }
        one.gap_to = one.written.frontier + run as u64;
        return Ok(Gap::Pass(filled));
    }
    let end = one.written.frontier + run as u64;
    let is_leading = one.written.is_nuls();
    if run < fresh.len() {
        let is_gap = one.gap && end <= one.gap_to.max(one.written.frontier + BLOCK_BYTES)
            || is_leading && end >= LEADING_NULS_MIN
            || has_hole(fs, one, end)?;
        return Ok(match is_gap {
            true => Gap::Pass(guard_len + run),
            false => Gap::Data(end_of_data(seen, guard_len, filled)),
        });
    }
    if end <= one.gap_to && is_followed(fs, one)? {
        return Ok(if one.gap { Gap::Pass(filled) } else { Gap::Data(filled) });
    }
    let size = fs.probe(one.file)?.size;
    match fs.data_from(one.file, end)? {
        None => {
            one.nul_to = one.nul_to.max(size);
            // At the end of text in wide characters, or of no text at all, a NUL is part of it.
            let wide = seen[..guard_len].iter().rev().take(LEADING_NULS_MIN as usize).any(is_nul);
            let is_data = ending && wide && run < LEADING_NULS_MIN as usize && size == end;
            Ok(if is_data { Gap::Data(filled) } else { Gap::Zeros })
        }
        Some(data) if data > end => {
            one.gap = true;
            Ok(Gap::Hole(data))
        }
        Some(_) => search(fs, one, seen, end, if is_leading { 0 } else { freed_bytes_min }),
    }
}

/// Whether what was found behind NULs is there still: the file may have been cut since.
fn is_followed(fs: &mut dyn Fs, one: &mut Generation) -> Result<bool, Fault> {
    let mut seen = [0; BLOCK_BYTES as usize];
    let count = fs.read_at(one.file, one.gap_to, &mut seen)?;
    if count == 0 {
        (one.gap, one.gap_to, one.nul_to) = (false, 0, 0);
    }
    Ok(!seen[..count].iter().all(is_nul))
}

/// Reads on behind a run of NULs that are no hole, for what follows them.
fn search(
    fs: &mut dyn Fs,
    one: &mut Generation,
    seen: &mut [u8],
    end: u64,
    gap_bytes_min: u64,
) -> Result<Gap, Fault> {
    let from = one.nul_to.max(end);
    let count = fs.read_at(one.file, from, seen)?;
    if count == 0 {
        one.nul_to = from;
        return Ok(Gap::Zeros);
    }
    match seen[..count].iter().position(|byte| *byte != 0) {
        None => one.nul_to = from + count as u64,
        Some(at) => {
            one.gap_to = from + at as u64;
            one.gap |= one.gap_to - one.written.frontier >= gap_bytes_min;
            one.nul_to = 0;
        }
    }
    Ok(Gap::Search(count))
}

fn is_nul(byte: &u8) -> bool {
    *byte == 0
}

/// Whether a hole is among the NULs from the frontier to `end`.
fn has_hole(fs: &mut dyn Fs, one: &Generation, end: u64) -> Result<bool, Fault> {
    let block = one.written.frontier.next_multiple_of(BLOCK_BYTES);
    if block + BLOCK_BYTES > end {
        return Ok(false);
    }
    Ok(fs.data_from(one.file, block)?.is_none_or(|data| data > block))
}

/// Up to the last byte that is no NUL: what follows may not be data yet.
fn end_of_data(seen: &[u8], guard_len: usize, filled: usize) -> usize {
    let last = seen[guard_len..filled].iter().rposition(|byte| *byte != 0);
    last.map_or(filled, |last| guard_len + last + 1)
}

impl Generation {
    /// Passes over NULs in the buffer.
    pub(crate) fn pass(&mut self, seen: &[u8]) {
        let (before, count) = (self.written, seen.len() - self.written.guard.bytes());
        self.written.advance(seen, count);
        self.note_passed(before);
    }

    /// NULs that were passed over are settled once all before them is.
    fn note_passed(&mut self, before: Position) {
        if self.resume == before {
            self.resume = self.written;
            if self.settled == before {
                self.settled = self.written;
            }
        }
    }

    /// Passes over a hole, of which the buffer has the first bytes, up to `data`. Returns what that
    /// counts in the budget.
    pub(crate) fn pass_hole(&mut self, seen: &[u8], data: u64) -> usize {
        self.pass(seen);
        let left = data.saturating_sub(self.written.frontier);
        if left >= GUARD_BYTES_MAX as u64 {
            let before = self.written;
            self.written.pass_nuls(left);
            self.note_passed(before);
        }
        self.gap_to = data;
        HOLE_COST_BYTES
    }
}

/// Whether a file that is as `probe` says has bytes that were not looked at, or data where there were
/// NULs.
pub(crate) fn has_more(fs: &mut dyn Fs, one: &Generation, probe: &Probe) -> Result<bool, Fault> {
    if one.is_packed() {
        return Ok(!one.at_end);
    }
    if one.nul_to <= one.written.frontier {
        return Ok(probe.size > one.written.frontier);
    }
    let mut first = [0];
    let read = fs.read_at(one.file, one.written.frontier, &mut first)?;
    Ok(probe.size > one.nul_to || read == 1 && first != [0])
}
