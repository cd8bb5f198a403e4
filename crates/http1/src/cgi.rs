//! The head of a CGI program's answer (RFC 3875 §6): fields without a status line before them.

use crate::field::{Field, Known};
use crate::framing::{BodyLength, parse_length};
use crate::grammar::{Peer, Version};
use crate::head::{self, Limits, Parsed, Step};
use crate::reject::Reject;
use crate::response::ResponseHead;

/// Reads the head of a CGI program's answer from the start of `input`, under the bound that
/// [`parse_response`](crate::parse_response) has. The status is that of the field `Status`; where
/// there is none it is 302 with a `Location` and else 200, as in nginx, and the reason is empty.
/// What follows is as long as `Content-Length` says, else it goes on until its end: framing of
/// HTTP's own (`Transfer-Encoding`, `Connection`) means nothing here.
pub fn parse_cgi_response(
    input: &[u8],
    head_bytes_max: usize,
    request_was_head: bool,
    head: &mut ResponseHead,
) -> Parsed<()> {
    head.clear();
    let (window, cut) = head::window(input, head_bytes_max);
    head::answer(read(window, request_was_head, head), cut)
}

fn read(window: &[u8], request_was_head: bool, head: &mut ResponseHead) -> Step<usize> {
    let (mut status, mut length, mut is_moved) = (None, None, false);
    let take = |known, value: &[u8], field: Field| {
        match known {
            Known::ContentLength => {
                let told = parse_length(value)?;
                if length.is_some_and(|before| before != told) {
                    return Err(Reject::LengthConflicting);
                }
                length = Some(told);
            }
            // nginx: of several the first one holds.
            _ if status.is_none() && field.is_named(b"status", window) => {
                status = Some((parse_status(value)?, field.value));
            }
            _ => is_moved |= field.is_named(b"location", window),
        }
        Ok(())
    };
    let fields = &mut head.fields;
    let Some(end) = head::read_fields(window, 0, &Limits::NONE, Peer::Upstream, fields, take)?
    else {
        return Ok(None);
    };
    head.version = Version::Http11;
    if let Some((number, value)) = status {
        head.status = number;
        // The number, and the space after it.
        let skipped = value.len.min(4);
        head.reason = value;
        head.reason.start += skipped;
        head.reason.len -= skipped;
    } else {
        head.status = if is_moved { 302 } else { 200 };
    }
    head.body = match (head.status, length) {
        _ if request_was_head => BodyLength::None,
        (204 | 304, _) => BodyLength::None,
        (_, Some(bytes)) => BodyLength::Exact(bytes),
        (_, None) => BodyLength::UntilClose,
    };
    Ok(Some(end))
}

/// nginx: three digits, whatever follows; an interim status is none that an answer ends with.
fn parse_status(value: &[u8]) -> Result<u16, Reject> {
    let [a @ b'2'..=b'9', b @ b'0'..=b'9', c @ b'0'..=b'9', rest @ ..] = value else {
        return Err(Reject::StatusMalformed);
    };
    if !matches!(rest.first(), None | Some(b' ' | b'\t')) {
        return Err(Reject::StatusMalformed);
    }
    let digits = [a, b, c].map(|digit| u16::from(digit - b'0'));
    Ok(digits.into_iter().fold(0, |number, digit| number * 10 + digit))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::string::String;

    /// What a head comes to, the same wherever it is cut.
    fn check(input: &str, expected: &str) {
        assert_eq!(read_as(input, false), expected, "{input:?}");
        let mut head = ResponseHead::default();
        for cut in 0..input.len() {
            let part = input.as_bytes().get(..cut).unwrap_or_default();
            match parse_cgi_response(part, 1_000, false, &mut head) {
                Parsed::NeedMore => {}
                Parsed::Reject(reject) => assert_eq!(format!("{reject:?}"), expected, "at {cut}"),
                Parsed::Done { .. } => assert!(input.contains("\n\nbody"), "{input:?} at {cut}"),
            }
        }
    }

    fn read_as(input: &str, is_head: bool) -> String {
        let mut head = ResponseHead::default();
        match parse_cgi_response(input.as_bytes(), 1_000, is_head, &mut head) {
            Parsed::NeedMore => "more".into(),
            Parsed::Reject(reject) => format!("{reject:?}"),
            Parsed::Done { used, .. } => {
                let reason = String::from_utf8_lossy(head.reason.of(input.as_bytes())).into_owned();
                format!("{} {reason:?} {:?} {}", head.status, head.body, input.len() - used)
            }
        }
    }

    #[test]
    fn the_status_is_told_or_follows_from_the_location() {
        check("Status: 404 Not Found\r\n\r\n", "404 \"Not Found\" UntilClose 0");
        check("sTATUS: 500\r\n\r\n", "500 \"\" UntilClose 0");
        check("Status: 404 \r\n\r\n", "404 \"\" UntilClose 0");
        check("A: b\r\nStatus: 201 Made\r\nLocation: /x\r\n\r\n", "201 \"Made\" UntilClose 0");
        check("Location: /x\r\n\r\n", "302 \"\" UntilClose 0");
        check("Content-Type: a/b\n\nbody", "200 \"\" UntilClose 4");
        check("\r\n", "200 \"\" UntilClose 0");
        check("Status: 404 A\r\nStatus: 500 B\r\n\r\n", "404 \"A\" UntilClose 0");
    }

    #[test]
    fn a_bad_status_is_told() {
        for bad in ["", "20", "abc", "1xx", "100 Continue", "099", "2000", "200OK"] {
            check(&format!("Status: {bad}\r\n\r\n"), "StatusMalformed");
        }
    }

    #[test]
    fn only_the_length_frames() {
        check("Content-Length: 3\r\n\r\n", "200 \"\" Exact(3) 0");
        check("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", "200 \"\" Exact(3) 0");
        check("Connection: x\r\nTransfer-Encoding: odd\r\n\r\n", "200 \"\" UntilClose 0");
        check("Content-Length: 3\r\nContent-Length: 3\r\n\r\n", "200 \"\" Exact(3) 0");
        check("Content-Length: 3\r\nContent-Length: 4\r\n\r\n", "LengthConflicting");
        check("Content-Length: x\r\n\r\n", "LengthMalformed");
        check("Status: 304\r\nContent-Length: 3\r\n\r\n", "304 \"\" None 0");
        check("Status: 204\r\n\r\n", "204 \"\" None 0");
        assert_eq!(read_as("Content-Length: 3\r\n\r\n", true), "200 \"\" None 0");
    }

    #[test]
    fn a_head_has_its_bound() {
        let long = |bytes: usize| format!("A: {}\r\n\r\n", "b".repeat(bytes - 7));
        check(&long(1_000), "200 \"\" UntilClose 0");
        check(&long(1_001), "HeadTooLarge");
        check("A: b", "more");
    }
}
