//! The record framer: where the first record of some bytes ends.
//!
//! Owns what a record is: a line, a part of a line that is too long or too slow, or several lines
//! that belong together. Pure: unfinished records stay in their file, so nothing is kept here; how
//! long one is waited for, counted from its beginning, is the caller's decision.

use crate::multiline::{Multiline, Record};

/// A record, as a first part of the bytes it was looked for in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Bytes of its text: all but the last line end.
    pub text_len: usize,
    /// All its bytes.
    pub len: usize,
    /// It ends with a line end. If not, its line goes on in the next record.
    pub is_whole: bool,
}

/// The first record of `data`, which begins where a record begins. `None` as long as it is not
/// finished, or may go on, unless it is `over`: then it is what there is of it.
pub fn first_record(multiline: &Multiline, data: &[u8], over: bool) -> Option<Piece> {
    let Some(line_len) = memchr::memchr(b'\n', data) else {
        let piece = Piece { text_len: data.len(), len: data.len(), is_whole: false };
        return (over && !data.is_empty()).then_some(piece);
    };
    let mut len = line_len + 1;
    let mut record = Record::new(multiline, &data[..line_len]);
    loop {
        match record.go_on(&data[len..]) {
            Some(0) => break,
            Some(more) => len += more,
            None if over => break,
            None => return None,
        }
    }
    Some(Piece { text_len: len - 1, len, is_whole: true })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Texts of all records, with `…` behind one whose line goes on, and what is left.
    fn check(multiline: &Multiline, data: &str, over: bool, expected: &[&str], left: &str) {
        let mut rest = data.as_bytes();
        let mut seen = Vec::new();
        while let Some(piece) = first_record(multiline, rest, over) {
            let text = String::from_utf8_lossy(&rest[..piece.text_len]);
            seen.push(format!("{text}{}", if piece.is_whole { "" } else { "…" }));
            assert!(piece.len > 0 && piece.text_len <= piece.len);
            rest = &rest[piece.len..];
        }
        assert_eq!(seen, expected, "{data:?}");
        assert_eq!(String::from_utf8_lossy(rest), left, "{data:?}");
    }

    #[test]
    fn every_line_is_a_record_and_the_unfinished_one_is_left() {
        let off = &Multiline::Off;
        check(off, "", false, &[], "");
        check(off, "a\n\nb\r\n c\nd", false, &["a", "", "b\r", " c"], "d");
        check(off, "a\nd", true, &["a", "d…"], "");
        check(off, "", true, &[], "");
    }

    #[test]
    fn indented_lines_go_on_and_the_last_record_waits_for_the_next() {
        let indent = &Multiline::Indent;
        check(indent, "a\n b\n\tc\nd\n", false, &["a\n b\n\tc"], "d\n");
        check(indent, "a\n b\n\tc\nd\n", true, &["a\n b\n\tc", "d"], "");
        check(indent, "a\nunfinished", false, &[], "a\nunfinished");
        check(indent, " a\n\nb\n", true, &[" a", "", "b"], "");
    }
}
