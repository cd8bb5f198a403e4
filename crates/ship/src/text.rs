//! The text of a record: what of its bytes is sent, and quick answers about bytes.
//!
//! Owns what is left out of a line and what stands for bytes that are no UTF-8. Most of what is asked here
//! of every record is asked of eight or sixteen bytes at once, however the code is optimised.

use std::borrow::Cow;
use std::ops::Range;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use tail::format::Record;

/// Whether two paths are the same bytes, by words: of one file come many records, and where the C library
/// compares byte by byte, as musl's does, that takes longer than a copy of the record.
pub(crate) fn is_same(one: &Path, other: &Path) -> bool {
    let [one, other] = [one, other].map(|path| path.as_os_str().as_bytes());
    let ((words, rest), (others, other_rest)) = (one.as_chunks::<8>(), other.as_chunks::<8>());
    let word = |word: &[u8; 8]| u64::from_ne_bytes(*word);
    one.len() == other.len()
        && words.iter().zip(others).fold(0, |all, pair| all | word(pair.0) ^ word(pair.1)) == 0
        && rest.iter().zip(other_rest).fold(0, |all, pair| all | pair.0 ^ pair.1) == 0
}

/// The text of a piece: no byte order mark, no carriage return at the line's end, and no bytes that
/// are not UTF-8, in whose place stands U+FFFD.
pub(crate) fn clean<'a>(record: &Record<'a>, piece: &Range<usize>) -> Cow<'a, [u8]> {
    let mut text = &record.text[piece.clone()];
    if record.offset == 0 && piece.start == 0 {
        text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    }
    let ends_line = piece.end == record.text.len() && record.part.is_none_or(|part| !part.goes_on);
    if ends_line {
        text = text.strip_suffix(b"\r").unwrap_or(text);
    }
    // Most are, and most of these are ASCII: what is there for the others takes longer.
    match is_ascii(text) || std::str::from_utf8(text).is_ok() {
        true => Cow::Borrowed(text),
        false => Cow::Owned(String::from_utf8_lossy(text).into_owned().into_bytes()),
    }
}

/// The standard library's own is quick only where a program is built for speed as a whole.
fn is_ascii(text: &[u8]) -> bool {
    const HIGH: u128 = (u128::MAX / 255) << 7;
    let (blocks, rest) = text.as_chunks();
    let blocks = blocks.iter().fold(0, |all, block| all | u128::from_ne_bytes(*block));
    blocks & HIGH == 0 && rest.iter().fold(0, |all, byte| all | byte) < 0x80
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_byte_makes_the_difference_wherever_it_is() {
        for len in 1..40 {
            for at in 0..len {
                let with = |byte| {
                    let mut text = vec![0x7f; len];
                    text[at] = byte;
                    text
                };
                assert!(is_ascii(&with(0)) && !is_ascii(&with(0x80)) && !is_ascii(&with(0xff)));
                let path = |text: &[u8]| Path::new(std::ffi::OsStr::from_bytes(text)).to_owned();
                let [one, same, other] = [with(1), with(1), with(2)].map(|text| path(&text));
                assert!(is_same(&one, &same) && !is_same(&one, &other), "{at} of {len}");
                assert!(!is_same(&one, &path(&with(1)[1..])));
            }
        }
        assert!(is_ascii(b"") && is_same(Path::new(""), Path::new("")));
    }
}
