//! A field of a head: where it stands, and whether it may pass from one connection to the next.
//! The names that mean something to this crate are known here and nowhere else.

use crate::grammar::{ODD, UNDERSCORE};
use crate::reject::Reject;
use crate::scan;

/// A part of the input, as offset and length in bytes from the input's start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// First byte.
    pub start: u32,
    /// Count of bytes.
    pub len: u32,
}

impl Span {
    #[inline]
    pub(crate) fn new(start: usize, len: usize) -> Self {
        debug_assert!(start.saturating_add(len) <= u32::MAX as usize, "heads are bounded");
        Span { start: start as u32, len: len as u32 }
    }

    /// The bytes of this span; empty if `bytes` is too short to hold it.
    #[inline]
    pub fn of(self, bytes: &[u8]) -> &[u8] {
        let start = self.start as usize;
        bytes.get(start..start + self.len as usize).unwrap_or_default()
    }

    /// Whether there is no byte in it.
    pub fn is_empty(self) -> bool {
        self.len == 0
    }
}

/// One field line. The value is without white space around it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Field {
    /// As the peer spelt it, never empty: any bytes but the colon, white space and control bytes.
    pub name: Span,
    /// May be empty. From a client no control byte but tab; from an upstream none of NUL, CR, LF.
    pub value: Span,
    /// Decided while the head is parsed, so that nobody need look at the name again.
    pub class: FieldClass,
}

impl Field {
    /// Whether it has that name, in any case. The lengths are compared first, for most names are
    /// of another one.
    #[inline]
    pub fn is_named(&self, name: &[u8], bytes: &[u8]) -> bool {
        self.name.len as usize == name.len() && self.name.of(bytes).eq_ignore_ascii_case(name)
    }
}

/// How far a field may go. `Hop` wins over the others; they go by the bytes of the name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FieldClass {
    /// Letters, digits and `-`, and nothing against passing it on.
    #[default]
    EndToEnd,
    /// Letters, digits, `-` and at least one `_`; nginx: `underscores_in_headers`.
    Underscored,
    /// Any other byte is in the name; nginx: `ignore_invalid_headers`, which drops such fields of
    /// a client. Those of an upstream nginx passes on.
    Odd,
    /// It belongs to this connection and must not pass: the fields of RFC 9110 §7.6.1; Trailer
    /// (trailers are dropped here); HTTP2-Settings, which goes with `Upgrade: h2c`; what a
    /// Connection field names; Content-Length and Transfer-Encoding, which each connection has
    /// anew from the parsed length.
    Hop,
}

impl FieldClass {
    /// The class of a field of that name which no Connection field names. A name that no field
    /// can have is odd.
    pub fn of_name(name: &[u8]) -> Self {
        let (len, seen) = scan::name(name);
        match name.is_empty() || len < name.len() {
            true => FieldClass::Odd,
            false => Self::new(Known::new(name, seen), seen),
        }
    }

    /// `seen` is what [`scan::name`] says of the name.
    #[inline]
    pub(crate) fn new(known: Known, seen: u8) -> Self {
        match known {
            _ if seen & ODD != 0 => FieldClass::Odd,
            _ if seen & UNDERSCORE != 0 => FieldClass::Underscored,
            Known::Expect | Known::Host | Known::Once(_) | Known::Other => FieldClass::EndToEnd,
            _ => FieldClass::Hop,
        }
    }
}

/// The field by its name, so far as it means something here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    Connection,
    ContentLength,
    Expect,
    Host,
    /// One of those that belong to the connection and are not looked into.
    Hop,
    /// One that a request has once and that is not looked into; each has a bit of its own.
    Once(u8),
    Other,
    TransferEncoding,
    Upgrade,
}

impl Known {
    /// `seen` is what [`scan::name`] says of `name`. Length and first letter are looked at first,
    /// for most fields are none of these.
    #[inline]
    pub(crate) fn new(name: &[u8], seen: u8) -> Self {
        let Some(first) = name.first().filter(|_| seen & (ODD | UNDERSCORE) == 0) else {
            return Known::Other;
        };
        match (name.len(), first | 0x20) {
            (2, b't') => Known::Hop.if_named(name, b"te"),
            (4, b'h') => Known::Host.if_named(name, b"host"),
            (6, b'e') => Known::Expect.if_named(name, b"expect"),
            (7, b't') => Known::Hop.if_named(name, b"trailer"),
            (7, b'u') => Known::Upgrade.if_named(name, b"upgrade"),
            (8, b'i') => match Known::Once(1).if_named(name, b"if-match") {
                Known::Other => Known::Once(2).if_named(name, b"if-range"),
                known => known,
            },
            (10, b'c') => Known::Connection.if_named(name, b"connection"),
            (10, b'k') => Known::Hop.if_named(name, b"keep-alive"),
            (13, b'a') => Known::Once(4).if_named(name, b"authorization"),
            (13, b'c') => Known::Once(8).if_named(name, b"content-range"),
            (13, b'i') => Known::Once(16).if_named(name, b"if-none-match"),
            (14, b'c') => Known::ContentLength.if_named(name, b"content-length"),
            (14, b'h') => Known::Hop.if_named(name, b"http2-settings"),
            (16, b'p') => Known::Hop.if_named(name, b"proxy-connection"),
            (17, b'i') => Known::Once(32).if_named(name, b"if-modified-since"),
            (19, b'i') => Known::Once(64).if_named(name, b"if-unmodified-since"),
            (17, b't') => Known::TransferEncoding.if_named(name, b"transfer-encoding"),
            _ => Known::Other,
        }
    }

    /// Whether it says where a message ends or whom it is for.
    #[inline]
    pub(crate) fn is_decisive(self) -> bool {
        matches!(self, Known::ContentLength | Known::Host | Known::TransferEncoding)
    }

    /// What is wrong with a value that is none of this field's.
    #[cold]
    pub(crate) fn malformed(self) -> Reject {
        match self {
            Known::ContentLength => Reject::LengthMalformed,
            Known::Host => Reject::HostMalformed,
            Known::TransferEncoding => Reject::TransferEncodingUnsupported,
            _ => Reject::FieldValueMalformed,
        }
    }

    /// Itself if `name` is `lower` in any case. Of the bytes of a plain name only letters change
    /// with the bit that is set here, and no two become one.
    #[inline]
    fn if_named<const N: usize>(self, name: &[u8], lower: &[u8; N]) -> Self {
        let Ok(name) = <&[u8; N]>::try_from(name) else {
            return Known::Other;
        };
        let pairs = name.iter().zip(lower);
        let differing = pairs.fold(0, |differing, (&byte, &low)| differing | ((byte | 0x20) ^ low));
        if differing == 0 { self } else { Known::Other }
    }
}

/// The value of the first field of that name, in any case.
pub fn find<'b>(fields: &[Field], bytes: &'b [u8], name: &str) -> Option<&'b [u8]> {
    fields
        .iter()
        .find(|field| field.is_named(name.as_bytes(), bytes))
        .map(|field| field.value.of(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(names: &[&str], expected: FieldClass) {
        for name in names {
            assert_eq!(FieldClass::of_name(name.as_bytes()), expected, "{name:?}");
        }
    }

    #[test]
    fn fields_of_one_connection_are_known_in_any_case() {
        check(
            &[
                "Connection",
                "Content-Length",
                "HTTP2-Settings",
                "keep-alive",
                "Proxy-Connection",
                "TE",
                "Trailer",
                "TRANSFER-ENCODING",
                "upgradE",
            ],
            FieldClass::Hop,
        );
        check(
            &["Host", "Expect", "Date", "Cookie", "X-Upgrade", "Te-", "Uppercase1", "a", "-"],
            FieldClass::EndToEnd,
        );
    }

    #[test]
    fn names_are_classed_by_their_bytes() {
        check(&["X_y", "_", "content_length", "transfer_encoding"], FieldClass::Underscored);
        check(
            &["a.b", "a_b.c", "X@y", "(x)", "X-A[0]", "ü", "trailer!", "~", "\"x\""],
            FieldClass::Odd,
        );
        // No field can have these.
        check(&["", "a b", "a:", "a\0"], FieldClass::Odd);
    }
}
