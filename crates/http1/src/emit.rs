//! Writing heads. What is written must have been parsed or checked before: these functions put
//! bytes together and check nothing in release builds.

use alloc::vec::Vec;

use crate::grammar::{Version, is_name_byte, is_target_byte, is_token_byte, is_written_byte};

/// Adds `METHOD target HTTP/1.x` with its line end.
pub fn push_request_line(out: &mut Vec<u8>, method: &[u8], target: &[u8], version: Version) {
    debug_assert!(!method.is_empty() && method.iter().all(|&byte| is_token_byte(byte)));
    debug_assert!(!target.is_empty() && target.iter().all(|&byte| is_target_byte(byte)));
    out.reserve(method.len() + target.len() + 12);
    out.extend_from_slice(method);
    out.push(b' ');
    out.extend_from_slice(target);
    out.push(b' ');
    out.extend_from_slice(version_bytes(version));
    out.extend_from_slice(b"\r\n");
}

/// Adds `HTTP/1.x status reason` with its line end; the space after the status stands even when
/// there is no reason (RFC 9112 §4). A reason that was parsed may be written: NUL, CR and LF are
/// not in it.
pub fn push_status_line(out: &mut Vec<u8>, version: Version, status: u16, reason: &[u8]) {
    debug_assert!((100..1000).contains(&status));
    debug_assert!(reason.iter().all(|&byte| is_written_byte(byte)));
    out.reserve(reason.len() + 15);
    out.extend_from_slice(version_bytes(version));
    out.push(b' ');
    push_decimal(out, u64::from(status));
    out.push(b' ');
    out.extend_from_slice(reason);
    out.extend_from_slice(b"\r\n");
}

/// Adds one field line. Names and values that were parsed may be written: in a name there is no
/// colon, white space or control byte, in a value no NUL, CR or LF.
pub fn push_field(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    debug_assert!(!name.is_empty() && name.iter().all(|&byte| is_name_byte(byte)));
    debug_assert!(value.iter().all(|&byte| is_written_byte(byte)));
    out.reserve(name.len() + value.len() + 4);
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// Adds the empty line that ends a head.
pub fn push_end(out: &mut Vec<u8>) {
    out.extend_from_slice(b"\r\n");
}

/// Adds a chunk's size line. The data follows, then CRLF. `count` must not be 0, for that is the
/// last chunk.
pub fn push_chunk_start(out: &mut Vec<u8>, count: usize) {
    debug_assert!(count > 0, "an empty chunk ends the body");
    let mut shift = (usize::BITS - 1 - (count | 1).leading_zeros()) / 4 * 4;
    loop {
        out.push(hex_digit((count >> shift) as u8 & 0xf));
        if shift == 0 {
            break;
        }
        shift -= 4;
    }
    out.extend_from_slice(b"\r\n");
}

/// Adds a number in decimal digits.
pub fn push_decimal(out: &mut Vec<u8>, number: u64) {
    let (mut digits, mut len, mut left) = ([0; 20], 0, number);
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (left % 10) as u8;
        (len, left) = (len + 1, left / 10);
        if left == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(digits.len() - len..).unwrap_or_default());
}

/// The digit of a value below 16, in lower case.
fn hex_digit(value: u8) -> u8 {
    match value {
        0..=9 => b'0' + value,
        _ => b'a' + (value - 10),
    }
}

fn version_bytes(version: Version) -> &'static [u8] {
    match version {
        Version::Http10 => b"HTTP/1.0",
        Version::Http11 => b"HTTP/1.1",
    }
}

/// The reason phrase of a status in nginx's words, which are those of RFC 9110 but for a few;
/// empty for one that has none.
pub fn reason(status: u16) -> &'static str {
    match status {
        100 => "Continue",
        101 => "Switching Protocols",
        103 => "Early Hints",
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        203 => "Non-Authoritative Information",
        204 => "No Content",
        205 => "Reset Content",
        206 => "Partial Content",
        300 => "Multiple Choices",
        301 => "Moved Permanently",
        302 => "Moved Temporarily",
        303 => "See Other",
        304 => "Not Modified",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        402 => "Payment Required",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Not Allowed",
        406 => "Not Acceptable",
        407 => "Proxy Authentication Required",
        408 => "Request Time-out",
        409 => "Conflict",
        410 => "Gone",
        411 => "Length Required",
        412 => "Precondition Failed",
        413 => "Request Entity Too Large",
        414 => "Request-URI Too Large",
        415 => "Unsupported Media Type",
        416 => "Requested Range Not Satisfiable",
        417 => "Expectation Failed",
        418 => "I'm a teapot",
        421 => "Misdirected Request",
        422 => "Unprocessable Content",
        425 => "Too Early",
        426 => "Upgrade Required",
        428 => "Precondition Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        451 => "Unavailable For Legal Reasons",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Temporarily Unavailable",
        504 => "Gateway Time-out",
        505 => "HTTP Version Not Supported",
        507 => "Insufficient Storage",
        511 => "Network Authentication Required",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(expected: &[u8], write: impl FnOnce(&mut Vec<u8>)) {
        let mut out = Vec::new();
        write(&mut out);
        assert_eq!(out, expected, "{}", alloc::string::String::from_utf8_lossy(&out));
    }

    #[test]
    fn heads_are_written_with_single_spaces_and_crlf() {
        check(b"GET /a?b HTTP/1.0\r\n", |out| {
            push_request_line(out, b"GET", b"/a?b", Version::Http10);
        });
        check(b"HTTP/1.1 200 OK\r\n", |out| push_status_line(out, Version::Http11, 200, b"OK"));
        check(b"HTTP/1.1 299 \r\n", |out| {
            push_status_line(out, Version::Http11, 299, reason(299).as_bytes());
        });
        check(b"A: b\r\n", |out| push_field(out, b"A", b"b"));
        // As an upstream may send it.
        check(b"HTTP/1.1 200 O\x01K\r\n", |out| {
            push_status_line(out, Version::Http11, 200, b"O\x01K");
        });
        check(b"(\xff): \x01\t\x7f\r\n", |out| push_field(out, b"(\xff)", b"\x01\t\x7f"));
        check(b"\r\n", push_end);
    }

    #[test]
    fn numbers_have_no_leading_zeros() {
        for (number, expected) in [(0, "0"), (9, "9"), (10, "10"), (1_000_000, "1000000")] {
            check(expected.as_bytes(), |out| push_decimal(out, number));
        }
        check(b"18446744073709551615", |out| push_decimal(out, u64::MAX));
        for (count, expected) in [(1, "1\r\n"), (15, "f\r\n"), (16, "10\r\n"), (0xabcd, "abcd\r\n")]
        {
            check(expected.as_bytes(), |out| push_chunk_start(out, count));
        }
        check(b"ffffffffffffffff\r\n", |out| push_chunk_start(out, usize::MAX));
    }
}
