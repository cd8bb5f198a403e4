//! Which parts of a file a client asks for, and how several of them are told.
//!
//! nginx: its range filter, which is stricter than RFC 9110 §14 in some places and laxer in others.

use crate::request::Request;
use crate::response::Response;

/// Bytes from one place up to another, never none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// The first byte.
    pub from: u64,
    /// The one behind the last.
    pub to: u64,
}

/// What of the content is to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// All of it.
    Whole,
    /// These parts, at least one.
    Parts(Vec<Range>),
    /// Nothing that there is: 416.
    Unsatisfiable,
}

/// What a request asks for of so many bytes that were last modified then. `parts_max` is nginx's
/// `max_ranges`.
pub fn asked(
    request: &Request,
    response: &Response,
    modified_s: i64,
    (bytes, parts_max): (u64, u64),
) -> Asked {
    let field = |name: &str| http1::find(&request.head.fields, &request.bytes, name);
    let Some(text) = field("range").and_then(ranges_of) else { return Asked::Whole };
    if let Some(condition) = field("if-range") {
        let is_same = match condition {
            [_, .., b'"'] => response.sent_value(b"etag") == Some(condition),
            date => http1::parse_date(date) == Some(modified_s),
        };
        if !is_same {
            return Asked::Whole;
        }
    }
    parse(text, bytes, parts_max)
}

/// What follows `bytes=`.
fn ranges_of(field: &[u8]) -> Option<&[u8]> {
    let (unit, ranges) = field.split_at_checked(6)?;
    (unit.eq_ignore_ascii_case(b"bytes=") && !ranges.is_empty()).then_some(ranges)
}

fn parse(text: &[u8], bytes: u64, parts_max: u64) -> Asked {
    let mut parts: Vec<Range> = Vec::new();
    let mut sum = 0_u64;
    for range in text.split(|byte| *byte == b',') {
        let Some((from, to)) = limits(range, bytes) else { return Asked::Unsatisfiable };
        if from < to {
            if parts.len() as u64 >= parts_max {
                return Asked::Whole;
            }
            parts.push(Range { from, to });
            sum = sum.saturating_add(to - from);
        } else if from == 0 {
            return Asked::Whole;
        }
    }
    match parts.is_empty() {
        true => Asked::Unsatisfiable,
        // Those that overlap would be more than all of it.
        false if sum > bytes => Asked::Whole,
        false => Asked::Parts(parts),
    }
}

/// `FROM-LAST`, `FROM-` or `-COUNT` as places in so many bytes.
fn limits(range: &[u8], bytes: u64) -> Option<(u64, u64)> {
    let spaced = |text: &[u8]| {
        let start = text.iter().take_while(|byte| **byte == b' ').count();
        let rest = text.get(start..).unwrap_or_default();
        let end = rest.iter().rposition(|byte| *byte != b' ').map_or(0, |at| at + 1);
        rest.get(..end).unwrap_or_default().to_vec()
    };
    let dash = range.iter().position(|byte| *byte == b'-')?;
    let (first, last) = range.split_at_checked(dash)?;
    let (first, last) = (spaced(first), spaced(last.get(1..)?));
    if first.is_empty() {
        let count = number(&last)?;
        return Some((bytes.saturating_sub(count), bytes));
    }
    let from = number(&first)?;
    if last.is_empty() {
        return Some((from, bytes));
    }
    Some((from, number(&last)?.saturating_add(1).min(bytes)))
}

/// A number of bytes.
pub fn number(digits: &[u8]) -> Option<u64> {
    let number = digits.iter().try_fold(0_u64, |number, digit| {
        let digit = digit.is_ascii_digit().then(|| u64::from(digit - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    })?;
    (!digits.is_empty() && i64::try_from(number).is_ok()).then_some(number)
}

/// How several parts are told apart.
#[derive(Debug)]
pub struct Multipart {
    boundary: [u8; 20],
    content_type: Vec<u8>,
    bytes: u64,
}

impl Multipart {
    /// For a file of that type and so many bytes.
    pub fn new(request: &Request, content_type: &[u8], bytes: u64) -> Multipart {
        let mut boundary = [b'0'; 20];
        for (digit, random) in boundary.iter_mut().zip(request.id()) {
            *digit += random % 10;
        }
        Multipart { boundary, content_type: content_type.to_vec(), bytes }
    }

    /// The type of the whole.
    pub fn content_type(&self) -> Vec<u8> {
        [b"multipart/byteranges; boundary=".as_slice(), &self.boundary].concat()
    }

    /// What stands before a part.
    pub fn push_head(&self, range: Range, out: &mut Vec<u8>) {
        out.extend_from_slice(b"\r\n--");
        out.extend_from_slice(&self.boundary);
        out.extend_from_slice(b"\r\n");
        if !self.content_type.is_empty() {
            http1::push_field(out, b"Content-Type", &self.content_type);
        }
        let mut place = Vec::new();
        push_place(range, self.bytes, &mut place);
        http1::push_field(out, b"Content-Range", &place);
        out.extend_from_slice(b"\r\n");
    }

    /// What stands behind the last one.
    pub fn push_end(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"\r\n--");
        out.extend_from_slice(&self.boundary);
        out.extend_from_slice(b"--\r\n");
    }

    /// How long all of it is.
    pub fn length(&self, parts: &[Range]) -> u64 {
        let mut text = Vec::new();
        self.push_end(&mut text);
        let mut length = text.len() as u64;
        for range in parts {
            text.clear();
            self.push_head(*range, &mut text);
            length += text.len() as u64 + (range.to - range.from);
        }
        length
    }
}

/// The value of `Content-Range`: `bytes 0-4/10`.
pub fn push_place(range: Range, bytes: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(b"bytes ");
    http1::push_decimal(out, range.from);
    out.push(b'-');
    http1::push_decimal(out, range.to.saturating_sub(1));
    out.push(b'/');
    http1::push_decimal(out, bytes);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_case::Case;

    fn check(text: &str, parts_max: u64, expected: Option<&[(u64, u64)]>) {
        let found = parse(text.as_bytes(), 10, parts_max);
        let part = |&(from, to): &(u64, u64)| Range { from, to };
        let expected = match expected {
            None => Asked::Unsatisfiable,
            Some([]) => Asked::Whole,
            Some(parts) => Asked::Parts(parts.iter().map(part).collect()),
        };
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn parts_are_read_as_nginx_reads_them() {
        for (text, expected) in [
            ("0-4", Some(&[(0, 5)][..])),
            ("0-", Some(&[(0, 10)])),
            ("-3", Some(&[(7, 10)])),
            ("-30", Some(&[(0, 10)])),
            ("9-9", Some(&[(9, 10)])),
            ("5-99", Some(&[(5, 10)])),
            (" 1 - 2 ", Some(&[(1, 3)])),
            ("0-1,4-5", Some(&[(0, 2), (4, 6)])),
            ("0-1, 20-, -2", Some(&[(0, 2), (8, 10)])),
            ("0-9,0-0", Some(&[])),
            ("0-5,3-9", Some(&[])),
            ("10-", None),
            ("10-12", None),
            ("-0", None),
            ("5-3", None),
            ("0-1,a", None),
            ("0-1,", None),
            ("-", None),
            ("", None),
            ("1", None),
            ("1-2-3", None),
            ("--1", None),
            ("0x1-2", None),
            ("9223372036854775807-", None),
            ("9223372036854775808-", None),
            ("0-18446744073709551616", None),
            ("0-9223372036854775807", Some(&[(0, 10)])),
        ] {
            check(text, u64::MAX, expected);
        }
    }

    #[test]
    fn more_parts_than_the_file_allows_are_all_of_it() {
        check("0-0,1-1", 2, Some(&[(0, 1), (1, 2)]));
        check("0-0,1-1", 1, Some(&[]));
        check("0-0,20-", 1, Some(&[(0, 1)]));
    }

    #[test]
    fn parts_are_sent_of_what_the_client_has_the_beginning_of() {
        const SAME: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
        let check = |range: &str, condition: &str, is_part: bool| {
            let head = format!("GET / HTTP/1.1\r\nHost: a\r\nRange: {range}\r\n{condition}\r\n");
            let case = Case::new("", &head);
            let mut response = Response::default();
            response.begin_own(200);
            response.push(b"ETag", b"\"a\"");
            let found = asked(&case.request, &response, 784_111_777, (10, 9));
            assert_eq!(matches!(found, Asked::Parts(_)), is_part, "{range} {condition}");
        };
        check("bytes=0-0", "", true);
        check("BYTES=0-0", "", true);
        check("lines=0-0", "", false);
        check("bytes=", "", false);
        check("bytes=0-0", "If-Range: \"a\"\r\n", true);
        check("bytes=0-0", "If-Range: \"b\"\r\n", false);
        check("bytes=0-0", "If-Range: W/\"a\"\r\n", false);
        check("bytes=0-0", &format!("If-Range: {SAME}\r\n"), true);
        check("bytes=0-0", "If-Range: Sun, 06 Nov 1994 08:49:38 GMT\r\n", false);
        check("bytes=0-0", "If-Range: never\r\n", false);
    }

    #[test]
    fn the_length_of_several_parts_is_that_of_what_is_written() {
        let case = Case::get("", "/");
        let parts = [Range { from: 0, to: 2 }, Range { from: 8, to: 10 }];
        for content_type in ["text/plain", ""] {
            let multipart = Multipart::new(&case.request, content_type.as_bytes(), 10);
            let mut out = Vec::new();
            for range in parts {
                multipart.push_head(range, &mut out);
                out.extend_from_slice(b"xx");
            }
            multipart.push_end(&mut out);
            assert_eq!(out.len() as u64, multipart.length(&parts));
            let text = String::from_utf8(out).unwrap();
            assert!(text.contains("\r\nContent-Range: bytes 8-9/10\r\n\r\nxx\r\n--"), "{text}");
            assert_eq!(text.contains("Content-Type"), !content_type.is_empty());
            let boundary = String::from_utf8(multipart.content_type()).unwrap();
            let boundary = boundary.rsplit('=').next().unwrap();
            assert!(text.ends_with(&format!("--{boundary}--\r\n")), "{text}");
            assert!(boundary.len() == 20 && boundary.bytes().all(|byte| byte.is_ascii_digit()));
        }
    }
}
