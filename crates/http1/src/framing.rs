//! The body length that a head declares (RFC 9112 §6). Every doubt about where a message ends is
//! a rejection here; nothing is guessed.

use crate::connection::Connection;
use crate::field::{Field, Known};
use crate::grammar::{Peer, Version};
use crate::reject::Reject;

/// How the end of a body is found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BodyLength {
    /// There is none.
    #[default]
    None,
    /// So many bytes, fewer than 2^63-1. `Exact(0)` when `Content-Length: 0` was sent.
    Exact(u64),
    /// Chunked coding (RFC 9112 §7.1).
    Chunked,
    /// It ends when the peer closes; responses only.
    UntilClose,
}

/// The framing fields seen so far in one head.
#[derive(Debug)]
pub(crate) struct Framing {
    peer: Peer,
    version: Version,
    length: Option<u64>,
    is_chunked: bool,
    pub connection: Connection,
    /// A Connection field has more in it than one known option.
    has_lists: bool,
}

impl Framing {
    pub(crate) fn new(peer: Peer, version: Version) -> Self {
        let connection = Connection::default();
        Framing { peer, version, length: None, is_chunked: false, connection, has_lists: false }
    }

    /// Takes a field if it is one of framing.
    #[inline]
    pub(crate) fn take(&mut self, known: Known, value: &[u8]) -> Result<(), Reject> {
        match known {
            // Most are one option.
            Known::Connection => self.has_lists |= !self.connection.take_option(value),
            Known::ContentLength => self.take_length(value)?,
            Known::TransferEncoding => self.take_coding(value)?,
            _ => {}
        }
        Ok(())
    }

    fn take_length(&mut self, value: &[u8]) -> Result<(), Reject> {
        let length = parse_length(value)?;
        match self.length {
            Some(before) if before != length => return Err(Reject::LengthConflicting),
            // RFC 9110 §8.6 lets a recipient take equal ones for one.
            Some(_) if self.peer == Peer::Client => return Err(Reject::LengthRepeated),
            _ => {}
        }
        // RFC 9112 §6.1: together they are a sign of smuggling, from either side.
        if self.is_chunked {
            return Err(Reject::LengthAndChunked);
        }
        self.length = Some(length);
        Ok(())
    }

    fn take_coding(&mut self, value: &[u8]) -> Result<(), Reject> {
        match (self.peer, self.version) {
            // RFC 9112 §6.1: its presence in HTTP/1.0 means that the framing is faulty.
            (Peer::Client, Version::Http10) => return Err(Reject::TransferEncodingOnHttp10),
            // An application that says so does so; but what follows the body is not to be trusted.
            (Peer::Upstream, Version::Http10) => self.connection.close = true,
            _ => {}
        }
        // From an upstream: it must not be applied twice (RFC 9112 §6.1), so it was only said
        // twice, by an application and by the framework around it.
        if self.is_chunked && self.peer == Peer::Client {
            return Err(Reject::TransferEncodingRepeated);
        }
        if !value.eq_ignore_ascii_case(b"chunked") {
            return Err(Reject::TransferEncodingUnsupported);
        }
        if self.length.is_some() {
            return Err(Reject::LengthAndChunked);
        }
        self.is_chunked = true;
        Ok(())
    }

    /// To be called when all fields have been taken: decides which of them are nominated.
    #[inline]
    pub(crate) fn take_lists(&mut self, fields: &mut [Field], bytes: &[u8]) -> Result<(), Reject> {
        if self.has_lists { self.connection.take_lists(fields, bytes) } else { Ok(()) }
    }

    /// What the framing fields declare, where they declare anything.
    pub(crate) fn declared(&self) -> Option<BodyLength> {
        debug_assert!(!(self.is_chunked && self.length.is_some()), "rejected when it was seen");
        match self.length {
            _ if self.is_chunked => Some(BodyLength::Chunked),
            Some(length) => Some(BodyLength::Exact(length)),
            None => None,
        }
    }
}

/// The greatest length that is taken, of a body and of a chunk: one less than 2^63-1, so that
/// neither a sum with a small constant nor a signed offset can overflow.
pub(crate) const LENGTH_MAX: u64 = i64::MAX as u64 - 1;

/// `1*DIGIT` (RFC 9110 §8.6): no sign, no list, no space within.
pub(crate) fn parse_length(value: &[u8]) -> Result<u64, Reject> {
    if value.is_empty() {
        return Err(Reject::LengthMalformed);
    }
    let mut length: u64 = 0;
    for byte in value {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return Err(Reject::LengthMalformed);
        }
        length = length.saturating_mul(10).saturating_add(u64::from(digit));
    }
    if length > LENGTH_MAX { Err(Reject::LengthTooLarge) } else { Ok(length) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_is_digits_below_the_bound() {
        let check = |value: &[u8], expected| assert_eq!(parse_length(value), expected, "{value:?}");
        check(b"0", Ok(0));
        check(b"0042", Ok(42));
        check(b"9223372036854775806", Ok(LENGTH_MAX));
        check(b"9223372036854775807", Err(Reject::LengthTooLarge));
        check(b"18446744073709551615", Err(Reject::LengthTooLarge));
        check(b"18446744073709551616", Err(Reject::LengthTooLarge));
        check(b"99999999999999999999999999999999", Err(Reject::LengthTooLarge));
        for bad in [&b""[..], b"+3", b"-3", b"3x", b"3, 4", b"3,3", b"0x3", b"3 4", b"3.0"] {
            check(bad, Err(Reject::LengthMalformed));
        }
    }
}
