//! gzip (RFC 1952) of a request's body.
//!
//! Owns the wrapper around the deflated bytes, and one compressor that is used again: a new one
//! costs more than a small body.

use miniz_oxide::deflate::core::{
    CompressorOxide, TDEFLFlush, compress_to_output, create_comp_flags_from_zip_params,
};

/// The fastest: what there is to gain behind it is little, and it is the application's processor.
const LEVEL: i32 = 1;
/// Raw deflate, without zlib's wrapper.
const RAW: i32 = -15;
/// Deflated, no name, no time, of unknown origin.
const HEAD: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];

/// Compresses one body after the other.
pub(crate) struct Gzip {
    compressor: Box<CompressorOxide>,
}

impl Gzip {
    pub(crate) fn new() -> Gzip {
        let flags = create_comp_flags_from_zip_params(LEVEL, RAW, 0);
        Gzip { compressor: Box::new(CompressorOxide::new(flags)) }
    }

    /// Puts the gzip of all pieces into `out`.
    pub(crate) fn compress<'a>(
        &mut self,
        pieces: impl Iterator<Item = &'a [u8]>,
        out: &mut Vec<u8>,
    ) {
        out.clear();
        out.extend_from_slice(&HEAD);
        self.compressor.reset();
        let (mut crc, mut len) = (crc32fast::Hasher::new(), 0_u32);
        for piece in pieces {
            crc.update(piece);
            len = len.wrapping_add(piece.len() as u32);
            self.push(piece, TDEFLFlush::None, out);
        }
        self.push(b"", TDEFLFlush::Finish, out);
        out.extend_from_slice(&crc.finalize().to_le_bytes());
        out.extend_from_slice(&len.to_le_bytes());
    }

    fn push(&mut self, bytes: &[u8], flush: TDEFLFlush, out: &mut Vec<u8>) {
        compress_to_output(&mut self.compressor, bytes, flush, |deflated| {
            out.extend_from_slice(deflated);
            true
        });
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

    #[test]
    fn what_is_inflated_is_what_was_compressed_time_and_again() {
        let (mut gzip, mut out) = (Gzip::new(), Vec::new());
        let long: Vec<u8> = (0..300_000_u32).flat_map(|i| (i % 1000).to_le_bytes()).collect();
        for pieces in [&[&b""[..]][..], &[b"a", b"bc", b""], &[&long, b"x", &long], &[b"z"]] {
            gzip.compress(pieces.iter().copied(), &mut out);
            assert!(inflate(&out) == pieces.concat());
        }
    }

    #[test]
    fn lines_become_a_fraction_of_what_they_were() {
        let line = |i: u32| format!("{{\"time\":{i},\"message\":\"GET /orders/{i} 200\"}}\n");
        let lines: String = (0..10_000).map(line).collect();
        let (mut gzip, mut out) = (Gzip::new(), Vec::new());
        gzip.compress([lines.as_bytes()].into_iter(), &mut out);
        assert!(out.len() * 4 < lines.len(), "{} of {}", out.len(), lines.len());
    }
}
