//! Where a line ends, and what stands around its content.

use crate::grammar::Peer;
use crate::reject::Reject;

pub(crate) const CR: u8 = b'\r';
pub(crate) const LF: u8 = b'\n';

/// Reads the line end at the front of `bytes`, and gives its length. `Ok(None)`: it may still
/// come. With any other byte there `other` was broken. From an upstream a line feed alone ends a
/// line (RFC 9112 §2.2).
#[inline]
pub(crate) fn read_end(bytes: &[u8], peer: Peer, other: Reject) -> Result<Option<usize>, Reject> {
    match bytes {
        [CR, LF, ..] => Ok(Some(2)),
        [] | [CR] => Ok(None),
        [LF, ..] if peer == Peer::Upstream => Ok(Some(1)),
        [LF, ..] => Err(Reject::BareLineFeed),
        [CR, ..] => Err(Reject::BareCarriageReturn),
        _ => Err(other),
    }
}

/// The bytes of `input` within `max`, and whether there are more of them. What is over a bound is
/// out of sight, so that it cannot change the verdict on what is not.
pub(crate) fn bounded(input: &[u8], max: usize) -> (&[u8], bool) {
    match input.get(..max) {
        Some(within) => (within, input.len() > max),
        None => (input, false),
    }
}

/// `bytes` without spaces and tabs at both ends (OWS, RFC 9110 §5.6.3).
pub(crate) fn trim(bytes: &[u8]) -> &[u8] {
    trim_end(trim_start(bytes))
}

/// `bytes` without spaces and tabs at its front.
#[inline]
pub(crate) fn trim_start(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = bytes {
        bytes = rest;
    }
    bytes
}

/// `bytes` without spaces and tabs at its end.
#[inline]
pub(crate) fn trim_end(mut bytes: &[u8]) -> &[u8] {
    while let [rest @ .., b' ' | b'\t'] = bytes {
        bytes = rest;
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_ends_with_crlf_and_from_an_upstream_with_lf_too() {
        let check = |bytes: &[u8], client, upstream| {
            let other = Reject::FieldValueMalformed;
            assert_eq!(read_end(bytes, Peer::Client, other), client, "{bytes:?}");
            assert_eq!(read_end(bytes, Peer::Upstream, other), upstream, "{bytes:?}");
        };
        let both = |bytes: &[u8], expected| check(bytes, expected, expected);
        both(b"", Ok(None));
        both(b"\r", Ok(None));
        both(b"\r\n", Ok(Some(2)));
        both(b"\r\nx", Ok(Some(2)));
        both(b"\rx", Err(Reject::BareCarriageReturn));
        both(b"\r\r\n", Err(Reject::BareCarriageReturn));
        both(b"\0", Err(Reject::FieldValueMalformed));
        check(b"\n", Err(Reject::BareLineFeed), Ok(Some(1)));
        check(b"\n\r\n", Err(Reject::BareLineFeed), Ok(Some(1)));
    }

    #[test]
    fn what_is_over_a_bound_is_out_of_sight() {
        assert_eq!(bounded(b"abc", 2), (&b"ab"[..], true));
        assert_eq!(bounded(b"abc", 3), (&b"abc"[..], false));
        assert_eq!(bounded(b"abc", 4), (&b"abc"[..], false));
    }

    #[test]
    fn trim_takes_spaces_and_tabs_at_both_ends() {
        assert_eq!(trim(b" \t a b\t "), b"a b");
        assert_eq!(trim(b" \t "), b"");
    }
}
