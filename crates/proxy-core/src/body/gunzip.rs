//! nginx: `gunzip`: a gzip stream (RFC 1952) becomes the content that it was made of.
//!
//! What was unpacked leaves at once, so that there is no pause to be told of. The state of one takes
//! 45 KB; how many there are at a time is bounded.

use std::fmt;

use super::loans::Loan;
use zlib_rs::{Inflate, InflateFlush, Status};

/// Answers of one worker that are unpacked at a time.
pub const LENT_MAX: usize = 512;
/// Packed bytes to be given at a time at most: each may become a thousand.
pub const PIECE_BYTES: usize = 4 << 10;
/// Room for what is unpacked, at a time, in bytes.
const ROOM_BYTES: usize = 16 << 10;
/// A gzip stream, with any window.
const GZIP_WINDOW: u8 = 16 + 15;

fn fresh() -> Inflate {
    Inflate::new(true, GZIP_WINDOW)
}

/// Unpacks the content of one answer.
pub struct Unpacker {
    /// Held for its end.
    _loan: Loan,
    inflate: Inflate,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// More of the stream follows.
    Within,
    /// It has ended; another one may follow.
    Between,
    /// It is none, or its end is missing.
    Bad,
}

impl fmt::Debug for Unpacker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.stage.fmt(f)
    }
}

impl Unpacker {
    /// Begins to unpack an answer.
    pub fn new(loan: Loan) -> Unpacker {
        Unpacker { _loan: loan, inflate: fresh(), stage: Stage::Within }
    }

    /// Adds to `out` what leaves now; `is_end` where nothing follows.
    pub fn pass(&mut self, mut data: &[u8], is_end: bool, out: &mut Vec<u8>) {
        while !data.is_empty() && self.stage != Stage::Bad {
            if self.stage == Stage::Between {
                // RFC 1952 §2.2: members follow each other.
                self.inflate = fresh();
                self.stage = Stage::Within;
            }
            let used = self.inflate(data, out);
            data = data.get(used..).unwrap_or_default();
        }
        if is_end && self.stage == Stage::Within {
            self.stage = Stage::Bad;
        }
    }

    /// Unpacks up to the end of a stream; how many bytes were used.
    fn inflate(&mut self, data: &[u8], out: &mut Vec<u8>) -> usize {
        let mut used = 0;
        loop {
            let rest = data.get(used..).unwrap_or_default();
            let (start, before) = (out.len(), (self.inflate.total_in(), self.inflate.total_out()));
            out.resize(start + ROOM_BYTES, 0);
            let room = out.get_mut(start..).unwrap_or_default();
            let status = self.inflate.decompress(rest, room, InflateFlush::SyncFlush);
            let taken = usize::try_from(self.inflate.total_in() - before.0).unwrap_or(0);
            let made = usize::try_from(self.inflate.total_out() - before.1).unwrap_or(0);
            out.truncate(start + made);
            used += taken;
            match status {
                Ok(Status::StreamEnd) => {
                    self.stage = Stage::Between;
                    return used;
                }
                // Room that is left says that all has left.
                Ok(_) if made < ROOM_BYTES => {
                    debug_assert!(used == data.len(), "all of it is used");
                    return data.len();
                }
                Ok(_) => {}
                Err(_) => {
                    self.stage = Stage::Bad;
                    return data.len();
                }
            }
        }
    }

    /// Whether what came is no gzip stream, or a part of one.
    pub fn is_bad(&self) -> bool {
        self.stage == Stage::Bad
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;
    use crate::body::Mode;
    use crate::body::gzip::Pool;
    use crate::body::loans::Loans;

    fn unpacker() -> Unpacker {
        Unpacker::new(Rc::new(Loans::new(1)).take().unwrap())
    }

    fn packed(content: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut packer = Rc::new(Pool::default()).lend(6, None).unwrap();
        packer.pass(content, Mode::End, &mut out);
        out
    }

    /// What a stream becomes in pieces of this size, and whether it was bad.
    fn check(stream: &[u8], piece: usize, expected: &[u8], is_bad: bool) {
        let (mut unpacker, mut out) = (unpacker(), Vec::new());
        for data in stream.chunks(piece) {
            unpacker.pass(data, false, &mut out);
        }
        unpacker.pass(b"", true, &mut out);
        assert_eq!((out == expected, unpacker.is_bad()), (true, is_bad), "{piece} {stream:?}");
    }

    #[test]
    fn what_was_packed_comes_out_however_it_is_cut() {
        let text: Vec<u8> = (0..40_000_u32).flat_map(|n| (n % 977).to_le_bytes()).collect();
        for content in [&b""[..], b"hello", &text, &vec![b'x'; 3_000_000]] {
            let stream = packed(content);
            for piece in [1, 7, 1_000, usize::MAX] {
                check(&stream, piece, content, false);
            }
        }
    }

    #[test]
    fn streams_that_follow_each_other_are_one_content() {
        let both = [packed(b"hello, "), packed(b"world")].concat();
        check(&both, 1, b"hello, world", false);
        check(&both, usize::MAX, b"hello, world", false);
    }

    #[test]
    fn what_is_no_stream_or_a_part_of_one_is_bad() {
        let stream = packed(b"hello");
        for cut in 0..stream.len() {
            let mut unpacker = unpacker();
            unpacker.pass(&stream[..cut], true, &mut Vec::new());
            assert!(unpacker.is_bad(), "{cut}");
        }
        check(b"hello", 1, b"", true);
        check(&[&stream[..], b"more"].concat(), usize::MAX, b"hello", true);
        let mut wrong = stream;
        let at = wrong.len() - 6;
        wrong[at] ^= 1;
        check(&wrong, usize::MAX, b"hello", true);
    }

    #[test]
    fn a_piece_becomes_no_more_than_deflate_allows() {
        let stream = packed(&vec![0; 20 << 20]);
        let mut unpacker = unpacker();
        for data in stream.chunks(PIECE_BYTES) {
            let mut out = Vec::new();
            unpacker.pass(data, false, &mut out);
            assert!(out.len() <= PIECE_BYTES * 1_040, "{}", out.len());
        }
    }
}
