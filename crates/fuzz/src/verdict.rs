//! What holds for every reader of heads: a verdict on some bytes never changes when more follow.

use std::fmt::Debug;

use http1::{Field, Parsed, Span};

use crate::draw::Draw;

/// Inputs of up to so many bytes are tried with every end.
const ALL_ENDS_MAX: usize = 160;
/// So many ends of longer ones.
const DRAWN_ENDS: usize = 24;

/// Reads `data` whole and cut short, and holds the verdicts against each other. Gives that on the
/// whole.
pub(crate) fn stable<H: Debug + PartialEq>(
    data: &[u8],
    parse: impl Fn(&[u8]) -> (Parsed<()>, H),
) -> (Parsed<()>, H) {
    let whole = parse(data);
    let mut draw = Draw::of(data);
    let ends: Vec<usize> = match data.len() {
        0..=ALL_ENDS_MAX => (0..data.len()).collect(),
        len => (0..DRAWN_ENDS).map(|_| draw.below(len)).collect(),
    };
    for end in ends {
        let short = parse(&data[..end]);
        match short.0 {
            Parsed::NeedMore => {}
            Parsed::Done { .. } => assert_eq!(short, whole, "cut at {end}"),
            Parsed::Reject(_) => assert_eq!(short.0, whole.0, "cut at {end}"),
        }
    }
    if let Parsed::Done { used, .. } = whole.0 {
        assert!((1..=data.len()).contains(&used), "{used} bytes of {}", data.len());
        assert_eq!(parse(&data[..used]), whole, "with nothing behind it");
        assert_eq!(parse(&data[..used - 1]).0, Parsed::NeedMore, "without its last byte");
    }
    whole
}

/// Spans of fields are within the head's `used` bytes, in order, and do not overlap.
pub(crate) fn check_spans(first: usize, fields: &[Field], used: usize) {
    let mut at = first;
    for field in fields {
        assert!(!field.name.is_empty());
        for span in [field.name, field.value] {
            // An empty value may be written down as being anywhere.
            if !span.is_empty() {
                assert!(span.start as usize >= at, "{span:?} begins before {at}");
                at = end_of(span);
            }
        }
    }
    assert!(at <= used, "{at} is beyond {used}");
}

pub(crate) fn end_of(span: Span) -> usize {
    span.start as usize + span.len as usize
}

/// The values of the fields of that name.
pub(crate) fn values<'b>(fields: &[Field], bytes: &'b [u8], name: &str) -> Vec<&'b [u8]> {
    let named = |field: &&Field| field.name.of(bytes).eq_ignore_ascii_case(name.as_bytes());
    fields.iter().filter(named).map(|field| field.value.of(bytes)).collect()
}

/// The number that a value of digits is.
pub(crate) fn number(value: &[u8]) -> Option<u64> {
    let is_number = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
    let text = std::str::from_utf8(value).ok().filter(|_| is_number)?;
    text.parse().ok()
}

/// Fields as text, for comparison across two inputs.
pub(crate) fn texts<'b>(fields: &'b [Field], bytes: &'b [u8]) -> Vec<(&'b [u8], &'b [u8])> {
    fields.iter().map(|field| (field.name.of(bytes), field.value.of(bytes))).collect()
}

/// Whether the other parser takes such a field: it knows no name that is not a token, no line
/// without a colon, no control byte in a value, and no carriage return before a line end.
pub(crate) fn is_plain(field: &Field, bytes: &[u8]) -> bool {
    let is_token = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    let rest = bytes.get(end_of(field.value)..).unwrap_or_default();
    field.name.of(bytes).iter().all(is_token)
        && bytes.get(end_of(field.name)) == Some(&b':')
        && field.value.of(bytes).iter().all(|&byte| byte == b'\t' || !byte.is_ascii_control())
        && !rest.iter().skip_while(|byte| matches!(byte, b' ' | b'\t')).take(2).eq(b"\r\r")
}

/// The other parser knows no version but these two.
pub(crate) fn is_known_version(version: &[u8]) -> bool {
    version == b"HTTP/1.0" || version == b"HTTP/1.1"
}
