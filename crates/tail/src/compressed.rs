//! What tells a compressed file from a log: its name, and what it begins with.
//!
//! Owns the endings and the first bytes of the usual formats. A compressor may give its work
//! another name until it is whole, so both count for what was rotated.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

/// Endings of the names that compressors give.
const ENDINGS: [&str; 18] = [
    ".gz", ".zst", ".xz", ".bz2", ".lz4", ".zip", ".Z", ".br", ".lz", ".lzma", ".lzo", ".7z",
    ".sz", ".gzip", ".zstd", ".bzip2", ".tgz", ".zz",
];

/// How a file is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Packing {
    Gzip,
    Zstd,
    /// In a way that is known and not read: xz, lz4, zip, compress, bzip2.
    Other,
}

const BEGINNINGS: [(&[u8], Packing); 7] = [
    (&[0x1f, 0x8b, 8], Packing::Gzip),
    (&[0x28, 0xb5, 0x2f, 0xfd], Packing::Zstd),
    (&[0xfd, b'7', b'z', b'X', b'Z', 0], Packing::Other),
    (&[4, 0x22, 0x4d, 0x18], Packing::Other),
    (b"PK\x03\x04", Packing::Other),
    (&[0x1f, 0x9d, 0x90], Packing::Other),
    (b"BZh91AY&SY", Packing::Other),
];

impl Packing {
    /// By what a file begins with; `None` if that is none of the usual ways.
    pub(crate) fn of(first: &[u8]) -> Option<Packing> {
        let found = BEGINNINGS.iter().find(|(beginning, _)| first.starts_with(beginning));
        found.map(|(_, packing)| *packing)
    }
}

/// Bytes of a beginning that tell.
pub(crate) const BEGINNING_BYTES: usize = 10;

/// Whether a name is that of a compressed file.
pub fn is_compressed(name: &OsStr) -> bool {
    without_ending(name).is_some()
}

/// The name that a compressed file had before, if it is the name of one.
pub(crate) fn without_ending(name: &OsStr) -> Option<&OsStr> {
    let name = name.as_bytes();
    let plain = ENDINGS.iter().find_map(|ending| name.strip_suffix(ending.as_bytes()))?;
    (!plain.is_empty()).then(|| OsStr::from_bytes(plain))
}

/// Whether a file that begins so is compressed.
pub(crate) fn begins_compressed(first: &[u8]) -> bool {
    Packing::of(first).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compressed_files_are_told_by_their_names() {
        let check = |name: &str, expected: Option<&str>| {
            assert_eq!(without_ending(OsStr::new(name)), expected.map(OsStr::new), "{name}");
        };
        check("app.log.1.gz", Some("app.log.1"));
        check("app.log-20261125.zst", Some("app.log-20261125"));
        check("app.log.2.bzip2", Some("app.log.2"));
        check("app.log.1", None);
        check("app.gz.1", None);
        check(".gz", None);
    }

    #[test]
    fn compressed_files_are_told_by_what_they_begin_with() {
        let check = |first: &[u8], expected| assert_eq!(begins_compressed(first), expected);
        check(&[0x1f, 0x8b, 8, 0, 0, 0], true);
        check(&[0x28, 0xb5, 0x2f, 0xfd, 4], true);
        check(b"BZh91AY&SY..", true);
        check(b"BZhello", false);
        check(&[0x1f], false);
        check(b"", false);
        check(b"2026-11-25 a line\n", false);
    }
}
