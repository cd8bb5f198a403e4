//! nginx: `charset_map`: content of one charset becomes the same text in another.
//!
//! Owns: the tables of such a map, and what becomes of bytes. A character that is cut waits for its
//! rest; nginx: one that never gets it is left out.

use std::sync::Arc;

/// What stands for a character that is not there.
const NO_CHARACTER: u8 = b'?';

/// A table from one charset to another.
#[derive(Debug)]
pub enum Table {
    /// Each byte is another.
    Bytes(Box<[u8; 256]>),
    /// To UTF-8.
    ToUtf8(Box<[Encoded; 256]>),
    /// From UTF-8: code points above those of ASCII, in order, with their bytes.
    FromUtf8(Vec<(u16, u8)>),
}

/// A character in UTF-8.
#[derive(Clone, Copy, Debug)]
pub struct Encoded {
    len: u8,
    bytes: [u8; 3],
}

/// Both directions of a `charset_map`.
#[derive(Debug)]
pub struct Tables {
    /// From the first charset to the second.
    pub forth: Table,
    /// And back.
    pub back: Table,
}

impl Table {
    /// Whether content changes its length.
    pub fn changes_length(&self) -> bool {
        !matches!(self, Table::Bytes(_))
    }
}

impl Tables {
    /// Those of a map that says nothing. nginx: ASCII stays as it is, nothing else is known.
    pub fn new(is_to_utf8: bool) -> Tables {
        let byte = |at: usize| u8::try_from(at).ok().filter(u8::is_ascii).unwrap_or(NO_CHARACTER);
        if !is_to_utf8 {
            let bytes = || Table::Bytes(Box::new(std::array::from_fn(byte)));
            return Tables { forth: bytes(), back: bytes() };
        }
        let encoded = |at| Encoded { len: 1, bytes: [byte(at), 0, 0] };
        Tables {
            forth: Table::ToUtf8(Box::new(std::array::from_fn(encoded))),
            back: Table::FromUtf8(Vec::new()),
        }
    }

    /// A byte of the first charset is this of the second: a byte, or one character of UTF-8 with at
    /// most three, else it is not taken, which is false. nginx: the last line about a byte counts,
    /// and bytes that follow the character are a part of it on the way forth.
    #[must_use]
    pub fn add(&mut self, byte: u8, value: &[u8]) -> bool {
        match (&mut self.forth, &mut self.back) {
            (Table::Bytes(forth), Table::Bytes(back)) => {
                let &[other] = value else { return false };
                put(forth.as_mut_slice(), byte, other);
                put(back.as_mut_slice(), other, byte);
                true
            }
            (Table::ToUtf8(forth), Table::FromUtf8(back)) => {
                let mut bytes = [0; 3];
                let Some(room) = bytes.get_mut(..value.len()) else { return false };
                room.copy_from_slice(value);
                let Some((Some(point), _)) = decode(value) else { return false };
                let Ok(point) = u16::try_from(point) else { return false };
                put(forth.as_mut_slice(), byte, Encoded { len: room.len() as u8, bytes });
                match back.binary_search_by_key(&point, |(point, _)| *point) {
                    Ok(at) => put(back.as_mut_slice(), at, (point, byte)),
                    Err(at) => back.insert(at, (point, byte)),
                }
                true
            }
            _ => false,
        }
    }
}

fn put<T>(places: &mut [T], at: impl Into<usize>, value: T) {
    if let Some(place) = places.get_mut(at.into()) {
        *place = value;
    }
}

/// Converts the content of one answer.
#[derive(Debug)]
pub struct Recoder {
    table: Arc<Table>,
    /// The beginning of a character, three bytes at most.
    held: Vec<u8>,
}

impl Recoder {
    /// By this table.
    pub fn new(table: Arc<Table>) -> Recoder {
        Recoder { table, held: Vec::new() }
    }

    /// Adds to `out` what leaves now.
    pub fn pass(&mut self, data: &[u8], out: &mut Vec<u8>) {
        match &*self.table {
            Table::Bytes(table) => {
                out.extend(data.iter().filter_map(|byte| table.get(usize::from(*byte))));
            }
            Table::ToUtf8(table) => {
                for encoded in data.iter().filter_map(|byte| table.get(usize::from(*byte))) {
                    let bytes = encoded.bytes.get(..usize::from(encoded.len));
                    out.extend_from_slice(bytes.unwrap_or_default());
                }
            }
            Table::FromUtf8(points) => from_utf8(points, &mut self.held, data, out),
        }
        debug_assert!(self.held.len() <= 3, "no character is longer");
    }
}

fn from_utf8(points: &[(u16, u8)], held: &mut Vec<u8>, data: &[u8], out: &mut Vec<u8>) {
    let mut known = std::mem::take(held);
    let mut rest = if known.is_empty() {
        data
    } else {
        known.extend_from_slice(data);
        &known
    };
    loop {
        let ascii = rest.iter().position(|byte| !byte.is_ascii()).unwrap_or(rest.len());
        let (plain, other) = rest.split_at_checked(ascii).unwrap_or_default();
        out.extend_from_slice(plain);
        if other.is_empty() {
            return;
        }
        let Some((point, used)) = decode(other) else { return held.extend_from_slice(other) };
        match point {
            None => out.push(NO_CHARACTER),
            Some(point) => push(points, point, out),
        }
        rest = other.get(used..).unwrap_or_default();
    }
}

/// A character in the other charset, or for browsers where that has none.
fn push(points: &[(u16, u8)], point: u32, out: &mut Vec<u8>) {
    let short = u16::try_from(point).ok();
    let at = short.and_then(|short| points.binary_search_by_key(&short, |(known, _)| *known).ok());
    // nginx: what becomes the byte 0 is not in the map.
    match at.and_then(|at| points.get(at)).filter(|(_, byte)| *byte != 0) {
        Some((_, byte)) => out.push(*byte),
        None => {
            out.extend_from_slice(b"&#");
            http1::push_decimal(out, u64::from(point));
            out.push(b';');
        }
    }
}

/// The character at the front of what does not begin with ASCII, and how many bytes it has; one
/// that is none has those that show it. Nothing where more bytes are needed.
///
/// nginx: `ngx_utf8_decode`. Any byte that is not of ASCII goes on with a character, and the halves
/// of UTF-16 are characters.
fn decode(bytes: &[u8]) -> Option<(Option<u32>, usize)> {
    let first = *bytes.first()?;
    let (more, bits, least) = match first {
        0xc2..=0xdf => (1, first & 0x1f, 0x80),
        0xe0..=0xef => (2, first & 0x0f, 0x800),
        0xf0..=0xf7 => (3, first & 0x07, 0x1_0000),
        _ => return Some((None, 1)),
    };
    let mut point = u32::from(bits);
    for (at, byte) in bytes.get(1..=more)?.iter().enumerate() {
        if byte.is_ascii() {
            return Some((None, at + 2));
        }
        point = point << 6 | u32::from(byte & 0x3f);
    }
    let is_one = (least..=0x10_ffff).contains(&point);
    Some((is_one.then_some(point), more + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn koi8() -> Tables {
        let mut tables = Tables::new(true);
        for (byte, character) in [(0xc1, "а"), (0xc2, "б"), (0x80, "€"), (0xa3, "ё")] {
            assert!(tables.add(byte, character.as_bytes()), "{character}");
        }
        tables
    }

    /// What content becomes, cut at every two places.
    fn check(table: Table, content: &[u8], expected: &[u8]) {
        let table = Arc::new(table);
        for first in 0..=content.len() {
            for second in first..=content.len() {
                let mut recoder = Recoder::new(Arc::clone(&table));
                let mut out = Vec::new();
                let (one, rest) = content.split_at(first);
                let (two, three) = rest.split_at(second - first);
                for piece in [one, two, three] {
                    recoder.pass(piece, &mut out);
                }
                assert_eq!(
                    String::from_utf8_lossy(&out),
                    String::from_utf8_lossy(expected),
                    "{content:x?} cut at {first} and {second}"
                );
                assert_eq!(out, expected);
            }
        }
    }

    #[test]
    fn to_utf_8_each_byte_is_a_character() {
        check(koi8().forth, b"x \xc1\xc2\x80", "x аб€".as_bytes());
        check(koi8().forth, b"\xff\x81", b"??");
    }

    #[test]
    fn from_utf_8_what_the_other_has_not_is_a_number() {
        check(koi8().back, "x аб€ё".as_bytes(), b"x \xc1\xc2\x80\xa3");
        check(koi8().back, "é/ж/😀".as_bytes(), b"&#233;/&#1078;/&#128512;");
        check(koi8().back, "\u{10ffff}".as_bytes(), b"&#1114111;");
    }

    #[test]
    fn what_is_no_utf_8_is_a_question_mark() {
        check(koi8().back, b"a\x80b\xc0\xafc\xffd", b"a?b??c?d");
        check(koi8().back, b"\xe2\x82x", b"?");
        check(koi8().back, b"\xe2xy", b"?y");
        check(koi8().back, b"\xe0\x80\x80-\xf4\x90\x80\x80-\xf8", b"?-?-?");
        check(koi8().back, b"\xed\xa0\x80", b"&#55296;");
    }

    #[test]
    fn what_ends_within_a_character_loses_it() {
        for cut in [&b"\xe2"[..], b"\xe2\x82", b"\xf0\x9f\x98", b"\xd0"] {
            check(koi8().back, &[b"abc", cut].concat(), b"abc");
        }
    }

    #[test]
    fn between_single_bytes_each_is_another_in_both_directions() {
        let tables = || {
            let mut tables = Tables::new(false);
            assert!(tables.add(0xe0, &[0xc1]) && tables.add(b'a', b"b"));
            tables
        };
        check(tables().forth, b"a\xe0z\xe1", b"b\xc1z?");
        check(tables().back, b"b\xc1z\xe1", b"a\xe0z?");
        assert!(!tables().forth.changes_length() && koi8().forth.changes_length());
    }

    #[test]
    fn the_last_line_about_a_character_counts() {
        let mut tables = koi8();
        assert!(tables.add(0x81, "а".as_bytes()) && tables.add(0xc2, "в".as_bytes()));
        check(tables.forth, b"\x81\xc1\xc2", "аав".as_bytes());
        let mut tables = koi8();
        assert!(tables.add(0x81, "а".as_bytes()) && tables.add(0, "б".as_bytes()));
        check(tables.back, "аб".as_bytes(), b"\x81&#1073;");
    }

    #[test]
    fn a_line_has_a_byte_or_a_character_of_three() {
        for value in [&b""[..], b"a", b"\xe2", b"\xe2\x82", "😀".as_bytes(), b"\xe2\x82\xac\x41"]
        {
            assert!(!Tables::new(true).add(0x80, value), "{value:x?}");
        }
        assert!(Tables::new(true).add(0x80, b"\xc3\xa9\xff"));
        assert!(!Tables::new(false).add(0x80, b"") && !Tables::new(false).add(0x80, b"ab"));
    }
}
