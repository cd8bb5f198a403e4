//! Which fields belong to one connection only, and which names are plain.

use crate::head::Field;
use crate::line::trim;

/// Whether a field of that name must not pass from one connection to the next: those of RFC 9110
/// §7.6.1, Trailer (trailers are dropped here), and HTTP2-Settings, which goes with `Upgrade: h2c`.
/// Content-Length is not one, but is always to be written afresh from the parsed length.
pub fn is_hop_by_hop(name: &[u8]) -> bool {
    let is = |other: &[u8]| name.eq_ignore_ascii_case(other);
    match name.len() {
        2 => is(b"te"),
        7 => is(b"trailer") || is(b"upgrade"),
        10 => is(b"connection") || is(b"keep-alive"),
        14 => is(b"http2-settings"),
        16 => is(b"proxy-connection"),
        17 => is(b"transfer-encoding"),
        _ => false,
    }
}

/// Whether the message's Connection fields name this field, so that it must not pass either
/// (RFC 9110 §7.6.1). Host, Content-Length and Cache-Control are end-to-end whatever they say:
/// a client must not be able to make them vanish. Look at
/// [`Connection::nominates`](crate::Connection::nominates) first; it is false for most messages.
pub fn is_connection_nominated(name: &[u8], fields: &[Field], bytes: &[u8]) -> bool {
    let is_end_to_end = [&b"host"[..], b"content-length", b"cache-control"]
        .iter()
        .any(|kept| name.eq_ignore_ascii_case(kept));
    !is_end_to_end
        && fields
            .iter()
            .filter(|field| field.name.of(bytes).eq_ignore_ascii_case(b"connection"))
            .flat_map(|field| field.value.of(bytes).split(|&byte| byte == b','))
            .any(|option| trim(option).eq_ignore_ascii_case(name))
}

/// Whether a name is made of letters, digits and hyphens: what nginx takes with
/// `ignore_invalid_headers on` and `underscores_in_headers off`. Others are the caller's to drop;
/// as framing or Host they never counted.
pub fn is_plain_name(name: &[u8]) -> bool {
    !name.is_empty() && name.iter().all(|&byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Limits, Parsed, RequestHead, parse_request};

    #[test]
    fn fields_of_one_connection_are_known_in_any_case() {
        for name in [
            "Connection",
            "keep-alive",
            "TE",
            "Trailer",
            "TRANSFER-ENCODING",
            "Upgrade",
            "Proxy-Connection",
            "HTTP2-Settings",
        ] {
            assert!(is_hop_by_hop(name.as_bytes()), "{name}");
        }
        for name in ["Host", "Content-Length", "Date", "Cookie", "X-Upgrade", ""] {
            assert!(!is_hop_by_hop(name.as_bytes()), "{name}");
        }
    }

    #[test]
    fn a_nominated_field_is_found_in_every_connection_field() {
        let input = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: X-One\r\nX-One: 1\r\nX-Two: 2\r\n\
            Connection: close ,\tx-two, host\r\n\r\n";
        let mut head = RequestHead::new();
        let parsed = parse_request(input, &Limits::default(), &mut head);
        assert!(matches!(parsed, Parsed::Done { .. }));
        let check = |name: &str, expected| {
            let found = is_connection_nominated(name.as_bytes(), &head.fields, input);
            assert_eq!(found, expected, "{name}");
        };
        check("x-one", true);
        check("X-Two", true);
        check("X-Three", false);
        check("Host", false);
        assert!(head.connection.nominates && head.connection.close);
    }

    #[test]
    fn names_with_underscores_or_other_signs_are_not_plain() {
        for (name, expected) in [
            ("X-Request-ID", true),
            ("a1", true),
            ("Content_Length", false),
            ("a.b", false),
            ("", false),
            ("a b", false),
        ] {
            assert_eq!(is_plain_name(name.as_bytes()), expected, "{name}");
        }
    }
}
