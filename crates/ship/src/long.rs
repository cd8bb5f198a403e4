//! What becomes of records that are longer than a store takes.
//!
//! Owns how a record is cut into pieces, and what is left out where it is not to be. Pure; a line
//! that came in several parts, because it was too long or too slow to be read at once, is one line
//! here as well.

use std::ops::Range;

use tail::format::Record;

/// What becomes of a record that is too long.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Long {
    /// It is sent in several pieces, which say what they belong to: nothing is lost.
    #[default]
    Split,
    /// Its beginning is sent.
    Truncate,
    /// It is left out. Of one that is too long to be read at once, what was read before it had
    /// become too long is out.
    Drop,
}

/// A piece of a record, and where it belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    /// File and offset at which the line begins: the same in all pieces of it.
    pub(crate) of: (u64, u64),
    /// How far from there this piece is, in bytes.
    pub(crate) at: u64,
    /// Another piece follows.
    pub(crate) goes_on: bool,
}

/// What is sent of a record.
#[derive(Clone, Debug)]
pub(crate) struct Cut<'a> {
    /// What of its text, in order.
    pub(crate) pieces: Pieces<'a>,
    /// Something was left out.
    pub(crate) is_short: bool,
}

/// The pieces of a text, found one by one.
#[derive(Clone, Debug)]
pub(crate) struct Pieces<'a> {
    text: &'a [u8],
    max: usize,
    /// Where the next one begins; none behind the last one.
    start: Option<usize>,
}

impl Iterator for Pieces<'_> {
    type Item = Range<usize>;

    fn next(&mut self) -> Option<Range<usize>> {
        let start = self.start?;
        let rest = &self.text[start..];
        let is_last = rest.len() <= self.max;
        let len = if is_last { rest.len() } else { whole_chars(rest, self.max).max(1) };
        self.start = (!is_last).then_some(start + len);
        Some(start..start + len)
    }
}

impl Long {
    /// Cuts a record into pieces of at most `max` bytes, which is at least 4; characters stay whole.
    pub(crate) fn cut<'a>(self, record: &Record<'a>, max: usize) -> Cut<'a> {
        let text = record.text;
        let len = text.len();
        // Bytes of the line before this record.
        let before = record.part.map_or(0, |part| record.offset.saturating_sub(part.offset));
        let before = usize::try_from(before).unwrap_or(usize::MAX);
        if self != Long::Split && before.saturating_add(len) > max {
            let room = max.saturating_sub(before).min(len);
            let kept = if self == Long::Drop { 0 } else { whole_chars(text, room) };
            let start = (kept > 0).then_some(0);
            return Cut { pieces: Pieces { text: &text[..kept], max, start }, is_short: true };
        }
        Cut { pieces: Pieces { text, max, start: Some(0) }, is_short: false }
    }
}

/// What marks a piece of a record: nothing, where it is all of a line.
pub(crate) fn mark(record: &Record, piece: &Range<usize>) -> Option<Piece> {
    let is_last = piece.end == record.text.len();
    let (of, before, goes_on) = match record.part {
        Some(part) => {
            ((part.ino, part.offset), record.offset.saturating_sub(part.offset), part.goes_on)
        }
        None if piece.start == 0 && is_last => return None,
        None => ((record.file.ino, record.offset), 0, false),
    };
    Some(Piece { of, at: before + piece.start as u64, goes_on: goes_on || !is_last })
}

/// The most of `max` bytes at the beginning that ends with a whole character, if it is UTF-8.
fn whole_chars(text: &[u8], max: usize) -> usize {
    let Some(next) = text.get(max) else { return text.len() };
    let is_inner = |byte: &u8| byte & 0xc0 == 0x80;
    if !is_inner(next) {
        return max;
    }
    let back = text[..max].iter().rev().take(3).take_while(|byte| is_inner(byte)).count();
    // Of other bytes a cut may be anywhere.
    if back == 3 { max } else { max - back - 1 }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use tail::format::{Origin, Part};

    fn record(text: &str, before: u64, part: Option<bool>) -> Record<'_> {
        let part = part.map(|goes_on| Part { ino: 7, offset: 100, number: 2, goes_on });
        let file = Origin { ino: 7, ..Origin::default() };
        let source = Path::new("/a");
        Record { text: text.as_bytes(), offset: 100 + before, time_ms: 0, file, source, part }
    }

    /// The pieces with their marks, `…` behind one after which another one follows.
    fn check(long: Long, record: &Record, max: usize, expected: &[&str], is_short: bool) {
        let cut = long.cut(record, max);
        let seen: Vec<_> = cut
            .pieces
            .map(|piece| {
                let text = std::str::from_utf8(&record.text[piece.clone()]).unwrap();
                match mark(record, &piece) {
                    None => text.to_owned(),
                    Some(Piece { of: (ino, offset), at, goes_on }) => {
                        assert_eq!((ino, offset), (7, 100));
                        format!("{at}:{text}{}", if goes_on { "…" } else { "" })
                    }
                }
            })
            .collect();
        assert_eq!(
            (seen, cut.is_short),
            (expected.iter().map(|s| s.to_string()).collect(), is_short)
        );
    }

    #[test]
    fn short_records_are_sent_as_they_are() {
        for long in [Long::Split, Long::Truncate, Long::Drop] {
            check(long, &record("", 0, None), 4, &[""], false);
            check(long, &record("abcd", 0, None), 4, &["abcd"], false);
            check(long, &record("ab", 0, Some(true)), 4, &["0:ab…"], false);
            check(long, &record("ab", 2, Some(false)), 4, &["2:ab"], false);
        }
    }

    #[test]
    fn long_ones_are_split_between_characters() {
        check(Long::Split, &record("abcde", 0, None), 4, &["0:abcd…", "4:e"], false);
        check(Long::Split, &record("abcäöü", 0, None), 4, &["0:abc…", "3:äö…", "7:ü"], false);
        check(Long::Split, &record("🦀🦀", 0, None), 5, &["0:🦀…", "4:🦀"], false);
        check(Long::Split, &record("abcde", 6, Some(true)), 4, &["6:abcd…", "10:e…"], false);
    }

    #[test]
    fn bytes_that_are_no_characters_are_cut_anywhere() {
        let text = [0x80; 11];
        let source = Path::new("/a");
        let file = Origin::default();
        let record = Record { text: &text, offset: 0, time_ms: 0, file, source, part: None };
        let cut = Long::Split.cut(&record, 4);
        assert_eq!(cut.pieces.collect::<Vec<_>>(), [0..4, 4..8, 8..11]);
    }

    #[test]
    fn or_cut_off_or_left_out_however_they_came() {
        check(Long::Truncate, &record("abcäö", 0, None), 4, &["0:abc…"], true);
        check(Long::Truncate, &record("abc", 2, Some(false)), 4, &["2:ab…"], true);
        check(Long::Truncate, &record("abc", 4, Some(false)), 4, &[], true);
        check(Long::Drop, &record("abcde", 0, None), 4, &[], true);
        check(Long::Drop, &record("abc", 2, Some(true)), 4, &[], true);
    }
}
