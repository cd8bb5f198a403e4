//! Lines and bytes: where a line ends, which bytes may stand where. Knows no field by name.

use crate::head::Version;
use crate::reject::Reject;

pub(crate) const CR: u8 = b'\r';
pub(crate) const LF: u8 = b'\n';

/// What stands at the front of some bytes, up to a line end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Line<'i> {
    /// The bytes of the line without its line end.
    pub content: &'i [u8],
    pub end: LineEnd,
}

/// How a line ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LineEnd {
    /// CRLF: the line takes `content.len() + 2` bytes.
    Whole,
    /// A carriage return, after which only a line feed may come.
    Return,
    /// A line feed alone.
    Bare,
    /// The end has not come yet.
    Open,
}

impl LineEnd {
    /// Whether the content is all there is, if anything good is to come of it.
    pub(crate) fn is_settled(self) -> bool {
        matches!(self, LineEnd::Whole | LineEnd::Return)
    }
}

/// The first line of `bytes`.
pub(crate) fn first_line(bytes: &[u8]) -> Line<'_> {
    let Some(at) = memchr::memchr(LF, bytes) else {
        return match bytes.strip_suffix(&[CR]) {
            Some(content) => Line { content, end: LineEnd::Return },
            None => Line { content: bytes, end: LineEnd::Open },
        };
    };
    let before = bytes.get(..at).unwrap_or_default();
    match before.strip_suffix(&[CR]) {
        Some(content) => Line { content, end: LineEnd::Whole },
        None => Line { content: before, end: LineEnd::Bare },
    }
}

/// The part of `content` within `max` bytes, and whether there is more of it. A line is judged
/// by the bytes within its bound first, so that a verdict never depends on how much has arrived.
pub(crate) fn bounded(content: &[u8], max: usize) -> (&[u8], bool) {
    match content.get(..max) {
        Some(within) => (within, content.len() > max),
        None => (content, false),
    }
}

/// Whether `byte` may stand in a token (RFC 9110 §5.6.2).
pub(crate) fn is_token_byte(byte: u8) -> bool {
    TOKEN.get(usize::from(byte)).copied().unwrap_or(false)
}

/// Whether `byte` may stand in a field's value or a reason phrase: tab, space, visible, or
/// beyond ASCII (RFC 9110 §5.5).
pub(crate) fn is_value_byte(byte: u8) -> bool {
    byte == b'\t' || (byte >= b' ' && byte != 0x7f)
}

/// Whether all of `bytes` may stand in a value. Without branches per byte, so that it is
/// compiled to vector instructions.
pub(crate) fn are_value_bytes(bytes: &[u8]) -> bool {
    !bytes.iter().fold(false, |bad, &byte| bad | !is_value_byte(byte))
}

/// The rule that the first bad byte of `bytes` breaks: a stray carriage return, or else `other`.
pub(crate) fn bad_value(bytes: &[u8], other: Reject) -> Reject {
    match bytes.iter().find(|&&byte| !is_value_byte(byte)) {
        Some(&CR) => Reject::BareCarriageReturn,
        _ => other,
    }
}

/// `bytes` without spaces and tabs at both ends (OWS, RFC 9110 §5.6.3).
pub(crate) fn trim(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = bytes {
        bytes = rest;
    }
    while let [rest @ .., b' ' | b'\t'] = bytes {
        bytes = rest;
    }
    bytes
}

/// Where the colon of a field line stands. `Ok(None)`: not reached within `content`.
pub(crate) fn field_colon(content: &[u8]) -> Result<Option<usize>, Reject> {
    match content.iter().position(|&byte| !is_token_byte(byte)) {
        None => Ok(None),
        Some(at) => match (at, content.get(at)) {
            (0, Some(b' ' | b'\t')) => Err(Reject::ObsFold),
            // An empty line could have ended here.
            (0, Some(&CR)) => Err(Reject::BareCarriageReturn),
            (1.., Some(b':')) => Ok(Some(at)),
            _ => Err(Reject::FieldNameMalformed),
        },
    }
}

/// Reads `HTTP/1.x` from the front of `content`, and gives what follows. `Ok(None)`: cut short.
pub(crate) fn scan_version(content: &[u8]) -> Result<Option<(Version, &[u8])>, Reject> {
    const NAME: &[u8] = b"HTTP/";
    if content.iter().zip(NAME).any(|(byte, expected)| byte != expected) {
        return Err(Reject::VersionMalformed);
    }
    match content.get(NAME.len()..).unwrap_or_default() {
        [] | [b'1'] | [b'1', b'.'] => Ok(None),
        [b'1', b'.', b'0', rest @ ..] => Ok(Some((Version::Http10, rest))),
        // RFC 9110 §2.5: a later minor version is read as the latest one known.
        [b'1', b'.', b'1'..=b'9', rest @ ..] => Ok(Some((Version::Http11, rest))),
        [b'2'..=b'9', ..] => Err(Reject::VersionUnsupported),
        _ => Err(Reject::VersionMalformed),
    }
}

const TOKEN: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        #[allow(clippy::indexing_slicing, reason = "evaluated while compiling")]
        {
            table[byte] = matches!(byte as u8,
                b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.'
                | b'^' | b'_' | b'`' | b'|' | b'~'
                | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z');
        }
        byte += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_ends_with_crlf_only() {
        let check = |bytes: &'static [u8], content: &[u8], end| {
            assert_eq!(first_line(bytes), Line { content, end }, "{bytes:?}");
        };
        check(b"", b"", LineEnd::Open);
        check(b"ab", b"ab", LineEnd::Open);
        check(b"ab\r", b"ab", LineEnd::Return);
        check(b"ab\r\n", b"ab", LineEnd::Whole);
        check(b"ab\r\r\n", b"ab\r", LineEnd::Whole);
        check(b"ab\ncd\r\n", b"ab", LineEnd::Bare);
        check(b"\r\nx", b"", LineEnd::Whole);
        check(b"\n", b"", LineEnd::Bare);
    }

    #[test]
    fn a_field_name_is_a_token_with_a_colon_at_once() {
        let check = |content: &[u8], expected| assert_eq!(field_colon(content), expected);
        check(b"Host: a", Ok(Some(4)));
        check(b"Host", Ok(None));
        check(b"", Ok(None));
        check(b": a", Err(Reject::FieldNameMalformed));
        check(b"Host : a", Err(Reject::FieldNameMalformed));
        check(b"Ho\0st: a", Err(Reject::FieldNameMalformed));
        check(b"Ho\rst: a", Err(Reject::FieldNameMalformed));
        check(b" Host: a", Err(Reject::ObsFold));
        check(b"\tHost: a", Err(Reject::ObsFold));
    }

    #[test]
    fn trim_takes_spaces_and_tabs_at_both_ends() {
        assert_eq!(trim(b" \t a b\t "), b"a b");
        assert_eq!(trim(b" \t "), b"");
    }
}
