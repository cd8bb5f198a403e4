//! nginx: `gzip`: content becomes a gzip stream (RFC 1952).
//!
//! Owns: the stream's bytes, and the compressors' state, which is large: it is lent by a [`Pool`],
//! reset and used again, and bounded in number.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

use zlib_rs::{Deflate, DeflateFlush, Status, crc32::crc32};

use super::Mode;
use super::loans::{Loan, Loans};
use crate::canary::{Canary, is_planted};

/// Compressors of one worker that are in use at a time: each takes up to 320 KB.
pub const LENT_MAX: usize = 128;
/// Those that wait for use are kept, so many: to make one takes ten times as long as to reset it.
const KEPT_MAX: usize = 4;
/// The compressor's first level is far less thorough than zlib's: the second one is in its place.
const FASTEST: u8 = 2;
/// Bytes behind which the fastest compressor begins anew, less than two windows: when it has had two,
/// it moves its tables by a window, which takes a fifth of its time and gains a fortieth of its room.
const STRETCH_BYTES: usize = 64_000;
/// Room for what is packed, at a time, in bytes.
const ROOM_BYTES: usize = 8 << 10;
/// Magic, deflate, no flags, no time.
const HEAD: [u8; 8] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0];
/// With how thorough it is, and the system.
const HEAD_BYTES: usize = HEAD.len() + 2;
const UNIX: u8 = 3;

/// The compressors of a worker.
#[derive(Debug)]
pub struct Pool {
    kept: RefCell<Vec<Compressor>>,
    /// How many are lent.
    pub loans: Rc<Loans>,
}

impl Default for Pool {
    fn default() -> Self {
        Pool { kept: RefCell::default(), loans: Rc::new(Loans::new(LENT_MAX)) }
    }
}

/// How thoroughly, and how far back is looked: what a compressor is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Effort {
    level: u8,
    window_bits: u8,
}

impl Effort {
    /// nginx: `gzip_comp_level`, and a window as large as content of that length needs.
    fn new(level: u8, content_bytes: Option<u64>) -> Effort {
        let level = level.clamp(FASTEST, 9);
        let needed = |bits: &u8| {
            content_bytes.is_none_or(|bytes| bytes.saturating_add(262) >= 1 << (bits - 1))
        };
        let window_bits = (9..=15).rev().find(needed).unwrap_or(9);
        Effort { level, window_bits }
    }

    /// Bytes until the compressor begins anew.
    fn stretch_bytes(self) -> usize {
        if self.level == FASTEST { STRETCH_BYTES } else { usize::MAX }
    }
}

struct Compressor {
    effort: Effort,
    deflate: Deflate,
}

impl fmt::Debug for Compressor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.effort.fmt(f)
    }
}

impl Pool {
    /// Lends a compressor for that level, and for content of that length; none where too many are
    /// lent.
    pub fn lend(self: &Rc<Pool>, level: u8, content_bytes: Option<u64>) -> Option<Packer> {
        let loan = self.loans.take()?;
        let lent = Lent { pool: Rc::clone(self), compressor: None, _loan: loan };
        let effort = Effort::new(level, content_bytes);
        let (crc, stage, is_clean, totals) = (0, Stage::Fresh, true, (0, 0));
        let left = effort.stretch_bytes();
        Some(Packer { level, effort, lent, left, crc, stage, is_clean, totals })
    }

    fn take(&self, effort: Effort) -> Compressor {
        let is_fit = |one: &Compressor| {
            one.effort.level == effort.level && one.effort.window_bits >= effort.window_bits
        };
        let mut kept = self.kept.borrow_mut();
        if let Some(index) = kept.iter().position(is_fit) {
            let mut found = kept.swap_remove(index);
            if !is_planted(Canary::PackerNotReset) {
                found.deflate.reset();
            }
            return found;
        }
        let Effort { level, window_bits } = effort;
        Compressor { effort, deflate: Deflate::new(i32::from(level), false, window_bits) }
    }

    fn take_back(&self, compressor: Option<Compressor>) {
        let mut kept = self.kept.borrow_mut();
        if kept.len() < KEPT_MAX {
            kept.extend(compressor);
        }
    }
}

/// A compressor until it is given back, made once it is needed.
#[derive(Debug)]
struct Lent {
    pool: Rc<Pool>,
    compressor: Option<Compressor>,
    /// Held for its end.
    _loan: Loan,
}

impl Drop for Lent {
    fn drop(&mut self) {
        self.pool.take_back(self.compressor.take());
    }
}

/// Packs the content of one answer.
#[derive(Debug)]
pub struct Packer {
    /// As the file has it.
    level: u8,
    effort: Effort,
    lent: Lent,
    /// Bytes until it begins anew.
    left: usize,
    crc: u32,
    stage: Stage,
    /// Everything that was given is out.
    is_clean: bool,
    /// Bytes in, and bytes out.
    totals: (u64, u64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Nothing is out.
    Fresh,
    /// The head is out.
    Begun,
    /// All is out.
    Ended,
}

impl Packer {
    /// Adds to `out` what leaves now.
    pub fn pass(&mut self, data: &[u8], mode: Mode, out: &mut Vec<u8>) {
        debug_assert!(self.stage != Stage::Ended, "nothing follows the end");
        if data.is_empty() && (mode == Mode::More || mode == Mode::Pause && self.is_clean) {
            return;
        }
        self.is_clean = mode == Mode::Pause;
        let start = out.len();
        if self.stage == Stage::Fresh {
            out.extend_from_slice(&HEAD);
            // RFC 1952 §2.3.1: the fastest, or the most thorough.
            let told = [(1, 4), (9, 2)].iter().find(|(level, _)| *level == self.level);
            out.extend_from_slice(&[told.map_or(0, |(_, hint)| *hint), UNIX]);
        }
        self.crc = crc32(self.crc, data);
        let flush = match mode {
            Mode::More => DeflateFlush::NoFlush,
            Mode::Pause => DeflateFlush::SyncFlush,
            Mode::End => DeflateFlush::Finish,
        };
        self.deflate(data, flush, out);
        if mode == Mode::End {
            out.extend_from_slice(&self.crc.to_le_bytes());
            // RFC 1952 §2.3.1: the length modulo 2^32.
            out.extend_from_slice(&(self.totals.0 as u32).to_le_bytes());
            self.stage = Stage::Ended;
        } else if self.stage == Stage::Fresh && out.len() == start + HEAD_BYTES {
            // The head goes with the first of the content.
            out.truncate(start);
        } else {
            self.stage = Stage::Begun;
        }
        self.totals.1 += (out.len() - start) as u64;
    }

    fn deflate(&mut self, mut data: &[u8], flush: DeflateFlush, out: &mut Vec<u8>) {
        while let Some((stretch, rest)) = data.split_at_checked(self.left) {
            self.deflate_stretch(stretch, DeflateFlush::SyncFlush, out);
            self.lent.compressor.iter_mut().for_each(|compressor| compressor.deflate.reset());
            self.left = self.effort.stretch_bytes();
            data = rest;
        }
        self.left -= data.len();
        self.deflate_stretch(data, flush, out);
    }

    fn deflate_stretch(&mut self, mut data: &[u8], flush: DeflateFlush, out: &mut Vec<u8>) {
        let effort = self.effort;
        let Lent { pool, compressor, .. } = &mut self.lent;
        let deflate = &mut compressor.get_or_insert_with(|| pool.take(effort)).deflate;
        self.totals.0 += data.len() as u64;
        loop {
            let (start, before) = (out.len(), (deflate.total_in(), deflate.total_out()));
            out.resize(start + ROOM_BYTES, 0);
            let room = out.get_mut(start..).unwrap_or_default();
            let status = deflate.compress(data, room, flush);
            let used = deflate.total_in() - before.0;
            let made = usize::try_from(deflate.total_out() - before.1).unwrap_or(0);
            out.truncate(start + made);
            data = data.get(usize::try_from(used).unwrap_or(0)..).unwrap_or_default();
            debug_assert!(status.is_ok(), "it is used as it is meant to be");
            // Room that is left says that all has left.
            if made < ROOM_BYTES || !matches!(status, Ok(Status::Ok)) {
                return;
            }
        }
    }

    /// Bytes in and bytes out, at the end.
    pub fn totals(&self) -> Option<(u64, u64)> {
        (self.stage == Stage::Ended).then_some(self.totals)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The content of a gzip stream, by another's reader; nothing where it is not whole.
    fn unpacked(stream: &[u8]) -> Option<Vec<u8>> {
        let body = stream.strip_prefix(&HEAD)?.get(2..)?;
        let (body, tail) = body.split_at_checked(body.len().checked_sub(8)?)?;
        let found = miniz_oxide::inflate::decompress_to_vec(body).ok()?;
        let (crc, length) = tail.split_at(4);
        assert_eq!(length, (found.len() as u32).to_le_bytes());
        assert_eq!(crc, crc32fast::hash(&found).to_le_bytes());
        Some(found)
    }

    fn content(bytes: usize) -> Vec<u8> {
        let line = |number: usize| format!("{{\"id\":{},\"name\":\"user\"}}\n", number * 7919);
        let mut text: Vec<u8> = (0..).flat_map(|n| line(n).into_bytes()).take(bytes).collect();
        text.iter_mut().step_by(97).for_each(|byte| *byte = byte.wrapping_mul(31));
        text
    }

    /// Packs content in pieces of this size, and looks at what has left at each pause.
    fn check(
        pool: &Rc<Pool>,
        (level, length): (u8, Option<u64>),
        content: &[u8],
        piece: usize,
        pauses: bool,
    ) {
        let mut packer = pool.lend(level, length).unwrap();
        let mut out = Vec::new();
        for (index, data) in content.chunks(piece).enumerate() {
            packer.pass(data, Mode::More, &mut out);
            if pauses {
                packer.pass(b"", Mode::Pause, &mut out);
                let given = &content[..content.len().min((index + 1) * piece)];
                let error = miniz_oxide::inflate::decompress_to_vec(&out[HEAD_BYTES..]);
                assert!(error.expect_err("it goes on").output.starts_with(given), "{piece}");
                let before = out.len();
                packer.pass(b"", Mode::Pause, &mut out);
                assert_eq!(out.len(), before, "a pause is made once");
            }
        }
        assert_eq!(packer.totals(), None);
        packer.pass(b"", Mode::End, &mut out);
        assert_eq!(unpacked(&out).as_deref(), Some(content), "{level} {piece}");
        assert_eq!(packer.totals(), Some((content.len() as u64, out.len() as u64)));
    }

    #[test]
    fn what_was_packed_is_whole_however_it_comes() {
        let pool = Rc::new(Pool::default());
        for level in [1, 2, 6, 9] {
            for bytes in [0, 1, 100, 20_000, STRETCH_BYTES, 70_000] {
                let effort = (level, Some(bytes as u64));
                for (piece, pauses) in [(usize::MAX, false), (1_000, true), (7, false)] {
                    check(&pool, effort, &content(bytes), piece, pauses);
                }
            }
        }
        assert_eq!(pool.kept.borrow().len(), KEPT_MAX);
    }

    #[test]
    fn content_that_does_not_shrink_leaves_whole() {
        let mut state = 1_u64;
        let mut random = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 56) as u8
        };
        let content: Vec<u8> = (0..200_000).map(|_| random()).collect();
        let pool = Rc::new(Pool::default());
        for level in [1, 6] {
            check(&pool, (level, None), &content, usize::MAX, false);
            check(&pool, (level, None), &content, 30_000, true);
        }
    }

    #[test]
    fn a_window_is_as_large_as_the_content_needs() {
        for (bytes, expected) in [
            (Some(0), 9),
            (Some(249), 9),
            (Some(250), 10),
            (Some(761), 10),
            (Some(762), 11),
            (Some(16_121), 14),
            (Some(16_122), 15),
            (None, 15),
        ] {
            assert_eq!(Effort::new(1, bytes).window_bits, expected, "{bytes:?}");
        }
        assert_eq!([1, 2, 9].map(|level| Effort::new(level, None).level), [2, 2, 9]);
    }

    #[test]
    fn no_more_are_lent_than_the_bound_and_those_given_back_are_lent_again() {
        let pool = Rc::new(Pool::default());
        let mut lent: Vec<Packer> = (0..LENT_MAX).filter_map(|_| pool.lend(1, None)).collect();
        assert_eq!(lent.len(), LENT_MAX);
        assert!(pool.lend(1, None).is_none());
        lent.pop();
        assert!(pool.lend(1, None).is_some());
    }

    #[test]
    fn a_larger_one_that_waits_is_taken_before_one_is_made() {
        let pool = Rc::new(Pool::default());
        check(&pool, (1, None), &content(100), 100, false);
        check(&pool, (1, Some(100)), &content(100), 100, false);
        assert_eq!(pool.kept.borrow().len(), 1);
        check(&pool, (6, None), &content(100), 100, false);
        assert_eq!(pool.kept.borrow().len(), 2);
    }
}
