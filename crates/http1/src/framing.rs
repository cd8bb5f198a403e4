//! The body length that a head declares (RFC 9112 §6) and what it says about its connection.
//! Every doubt about where a message ends is a rejection here; nothing is guessed.

use crate::head::Version;
use crate::line::trim;
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

/// The options of the Connection fields (RFC 9110 §7.6.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Connection {
    /// `close` was among them.
    pub close: bool,
    /// `keep-alive` was among them.
    pub keep_alive: bool,
    /// `upgrade` was among them.
    pub upgrade: bool,
    /// Something else was among them, so fields may be nominated; see
    /// [`is_connection_nominated`](crate::is_connection_nominated).
    pub nominates: bool,
}

impl Connection {
    fn take(&mut self, value: &[u8]) {
        for option in value.split(|&byte| byte == b',') {
            let option = trim(option);
            if option.eq_ignore_ascii_case(b"close") {
                self.close = true;
            } else if option.eq_ignore_ascii_case(b"keep-alive") {
                self.keep_alive = true;
            } else if option.eq_ignore_ascii_case(b"upgrade") {
                self.upgrade = true;
            } else if !option.is_empty() {
                self.nominates = true;
            }
        }
    }

    /// Whether the connection goes on after this message (RFC 9112 §9.3).
    pub(crate) fn persists(&self, version: Version) -> bool {
        match version {
            _ if self.close => false,
            Version::Http11 => true,
            Version::Http10 => self.keep_alive,
        }
    }
}

/// The framing fields seen so far in one head.
#[derive(Debug, Default)]
pub(crate) struct Framing {
    pub length: Option<u64>,
    pub chunked: bool,
    pub connection: Connection,
}

impl Framing {
    /// Takes a field if it is one of framing. The length of the name is looked at first, for most
    /// fields are none of these.
    pub(crate) fn take(
        &mut self,
        version: Version,
        name: &[u8],
        value: &[u8],
    ) -> Result<(), Reject> {
        match name.len() {
            10 if name.eq_ignore_ascii_case(b"connection") => self.connection.take(value),
            14 if name.eq_ignore_ascii_case(b"content-length") => self.take_length(value)?,
            17 if name.eq_ignore_ascii_case(b"transfer-encoding") => {
                self.take_coding(version, value)?;
            }
            _ => {}
        }
        Ok(())
    }

    fn take_length(&mut self, value: &[u8]) -> Result<(), Reject> {
        let length = parse_length(value)?;
        match self.length {
            Some(before) if before != length => return Err(Reject::LengthConflicting),
            Some(_) => return Err(Reject::LengthRepeated),
            None => {}
        }
        // RFC 9112 §6.1: together they are a sign of smuggling, from either side.
        if self.chunked {
            return Err(Reject::LengthAndChunked);
        }
        self.length = Some(length);
        Ok(())
    }

    fn take_coding(&mut self, version: Version, value: &[u8]) -> Result<(), Reject> {
        // RFC 9112 §6.1: its presence in HTTP/1.0 means that the framing is faulty.
        if version == Version::Http10 {
            return Err(Reject::TransferEncodingOnHttp10);
        }
        if self.chunked {
            return Err(Reject::TransferEncodingRepeated);
        }
        if !value.eq_ignore_ascii_case(b"chunked") {
            return Err(Reject::TransferEncodingUnsupported);
        }
        if self.length.is_some() {
            return Err(Reject::LengthAndChunked);
        }
        self.chunked = true;
        Ok(())
    }

    /// What the framing fields declare, where they declare anything.
    pub(crate) fn declared(&self) -> Option<BodyLength> {
        debug_assert!(!(self.chunked && self.length.is_some()), "rejected when it was seen");
        match self.length {
            _ if self.chunked => Some(BodyLength::Chunked),
            Some(length) => Some(BodyLength::Exact(length)),
            None => None,
        }
    }
}

/// The greatest length that is taken, of a body and of a chunk: one less than 2^63-1, so that
/// neither a sum with a small constant nor a signed offset can overflow.
pub(crate) const LENGTH_MAX: u64 = i64::MAX as u64 - 1;

/// `1*DIGIT` (RFC 9110 §8.6): no sign, no list, no space within.
fn parse_length(value: &[u8]) -> Result<u64, Reject> {
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return Err(Reject::LengthMalformed);
    }
    let mut length: u64 = 0;
    for digit in value {
        length = length.saturating_mul(10).saturating_add(u64::from(digit - b'0'));
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

    #[test]
    fn connection_options_are_a_list_in_any_case() {
        let mut connection = Connection::default();
        connection.take(b"Keep-Alive , ,UPGRADE");
        assert!(connection.keep_alive && connection.upgrade);
        assert!(!connection.close && !connection.nominates);
        connection.take(b"x-secret,\tclose");
        assert!(connection.close && connection.nominates);
    }

    #[test]
    fn persistence_follows_version_and_options() {
        let check = |version, value: &[u8], expected| {
            let mut connection = Connection::default();
            connection.take(value);
            assert_eq!(connection.persists(version), expected, "{version:?} {value:?}");
        };
        check(Version::Http11, b"", true);
        check(Version::Http11, b"close", false);
        check(Version::Http11, b"close, keep-alive", false);
        check(Version::Http10, b"", false);
        check(Version::Http10, b"keep-alive", true);
        check(Version::Http10, b"keep-alive, close", false);
    }
}
