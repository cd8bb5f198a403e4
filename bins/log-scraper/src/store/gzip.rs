//! gzip (RFC 1952) of a request's body.
//!
//! Owns the wrapper around the deflated bytes, and one compressor that is used again: a new one
//! costs more than a small body.

use zlib_rs::{Deflate, DeflateFlush};

/// Looked back at most, in bits.
const WINDOW_BITS: u8 = 15;
/// Bytes behind which the compressor begins anew, less than two windows: when it has had two, it moves
/// its tables by a window, in loops that a program built for size does not do several numbers at a
/// time, and that costs more than looking back beyond a beginning gains.
const STRETCH_BYTES: usize = 64_000;
/// Room for what is deflated, at a time, in bytes.
const ROOM_BYTES: usize = 8 << 10;
/// Deflated, no name, no time, of unknown origin.
const HEAD: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];

/// Compresses one body after the other.
pub(crate) struct Gzip {
    deflate: Deflate,
    room: Box<[u8; ROOM_BYTES]>,
    /// Room that is left before the compressor begins anew.
    left: usize,
}

impl Gzip {
    /// One that is as thorough as `level` has it, from 1 to 9.
    pub(crate) fn new(level: u8) -> Gzip {
        Gzip {
            deflate: Deflate::new(i32::from(level), false, WINDOW_BITS),
            room: Box::new([0; ROOM_BYTES]),
            left: STRETCH_BYTES,
        }
    }

    /// Puts the gzip of all pieces into `out`.
    pub(crate) fn compress<'a>(
        &mut self,
        pieces: impl Iterator<Item = &'a [u8]>,
        out: &mut Vec<u8>,
    ) {
        out.clear();
        out.extend_from_slice(&HEAD);
        self.begin();
        let (mut crc, mut len) = (crc32fast::Hasher::new(), 0_u32);
        for mut piece in pieces {
            len = len.wrapping_add(piece.len() as u32);
            // What was summed is near when it is compressed.
            while let Some((stretch, rest)) = piece.split_at_checked(self.left) {
                crc.update(stretch);
                self.push(stretch, DeflateFlush::SyncFlush, out);
                self.begin();
                piece = rest;
            }
            self.left -= piece.len();
            crc.update(piece);
            self.push(piece, DeflateFlush::NoFlush, out);
        }
        self.push(b"", DeflateFlush::Finish, out);
        out.extend_from_slice(&crc.finalize().to_le_bytes());
        out.extend_from_slice(&len.to_le_bytes());
    }

    fn begin(&mut self) {
        self.deflate.reset();
        self.left = STRETCH_BYTES;
    }

    fn push(&mut self, mut bytes: &[u8], flush: DeflateFlush, out: &mut Vec<u8>) {
        loop {
            let before = (self.deflate.total_in(), self.deflate.total_out());
            let status = self.deflate.compress(bytes, &mut self.room[..], flush);
            debug_assert!(status.is_ok(), "it is used as it is meant to be");
            let used = self.deflate.total_in() - before.0;
            let made = (self.deflate.total_out() - before.1) as usize;
            out.extend_from_slice(&self.room[..made]);
            bytes = &bytes[used as usize..];
            // Room that is left says that all has left.
            if made < ROOM_BYTES {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bytes behind the head, inflated, whose sum and length must be right.
    fn inflate(bytes: &[u8]) -> Vec<u8> {
        let (deflated, end) = bytes[HEAD.len()..].split_at(bytes.len() - HEAD.len() - 8);
        let plain = miniz_oxide::inflate::decompress_to_vec(deflated).unwrap();
        assert_eq!(end[..4], crc32fast::hash(&plain).to_le_bytes());
        assert_eq!(end[4..], (plain.len() as u32).to_le_bytes());
        plain
    }

    fn check(gzip: &mut Gzip, pieces: &[&[u8]]) {
        let mut out = vec![0xff];
        gzip.compress(pieces.iter().copied(), &mut out);
        let lens: Vec<usize> = pieces.iter().map(|one| one.len()).collect();
        assert!(inflate(&out) == pieces.concat(), "{lens:?}");
    }

    #[test]
    fn what_is_inflated_is_what_was_compressed_time_and_again() {
        let long: Vec<u8> = (0..300_000_u32).flat_map(|i| (i % 1000).to_le_bytes()).collect();
        // No two words of it are the same.
        let dense: Vec<u8> =
            (0..100_000_u32).flat_map(|i| i.wrapping_mul(0x9e37_79b1).to_le_bytes()).collect();
        for level in 1..=9 {
            let mut gzip = Gzip::new(level);
            for pieces in [&[&b""[..]][..], &[b"a", b"bc", b""], &[&long, b"x", &long], &[b"z"]] {
                check(&mut gzip, pieces);
            }
            check(&mut gzip, &[&dense]);
        }
        let mut gzip = Gzip::new(1);
        for len in (0..40).chain(STRETCH_BYTES - 3..STRETCH_BYTES + 3).chain(ROOM_BYTES - 99..8300)
        {
            check(&mut gzip, &[&dense[..len]]);
            check(&mut gzip, &[&dense[..len], &long[..STRETCH_BYTES], b"\n"]);
        }
    }

    #[test]
    fn lines_become_a_fraction_of_what_they_were() {
        let line = |i: u32| format!("{{\"time\":{i},\"message\":\"GET /orders/{i} 200\"}}\n");
        let lines: String = (0..10_000).map(line).collect();
        let mut len_before = lines.len() / 4;
        for level in [1, 2, 6] {
            let mut out = Vec::new();
            Gzip::new(level).compress([lines.as_bytes()].into_iter(), &mut out);
            assert!(out.len() < len_before, "{level}: {} of {}", out.len(), lines.len());
            len_before = out.len();
        }
    }
}
