//! Request targets (RFC 9112 §3.2) and the form of Host.

use crate::head::Span;
use crate::reject::Reject;

/// The parts of a target, as spans of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Target {
    /// Begins with `/`, or is `*` for OPTIONS, or is empty where an absolute form has no path
    /// (which means `/`). Not decoded; see [`path::normalize`](crate::path::normalize).
    pub path: Span,
    /// What follows the first `?`; `Some` but empty for `/a?`.
    pub query: Option<Span>,
    /// Host and port of an absolute form. It takes the place of Host (RFC 9112 §3.2.2).
    pub authority: Option<Span>,
}

/// Takes a target apart. Forms: `/path?query` for any method, `http://host:port/path?query`
/// (`https` too) for any, `*` for OPTIONS. CONNECT has none here. A fragment is rejected: nginx
/// cuts it for its own routing but passes it on, so that the two sides may see two paths.
pub fn split(method: &[u8], target: &[u8]) -> Result<Target, Reject> {
    if method == b"CONNECT" {
        return Err(Reject::MethodConnect);
    }
    if let Some(bad) = target.iter().find(|&&byte| byte <= b' ' || byte == 0x7f || byte == b'#') {
        return Err(match bad {
            b'#' => Reject::TargetFragment,
            _ => Reject::TargetMalformed,
        });
    }
    match target {
        [b'/', ..] => Ok(split_query(target, 0, None)),
        b"*" if method == b"OPTIONS" => Ok(Target { path: Span::new(0, 1), ..Target::default() }),
        _ => split_absolute(target),
    }
}

fn split_absolute(target: &[u8]) -> Result<Target, Reject> {
    let scheme_len = [&b"http://"[..], b"https://"]
        .iter()
        .find(|scheme| {
            target.get(..scheme.len()).is_some_and(|front| front.eq_ignore_ascii_case(scheme))
        })
        .map(|scheme| scheme.len())
        .ok_or(Reject::TargetMalformed)?;
    let rest = target.get(scheme_len..).unwrap_or_default();
    let len = rest.iter().position(|byte| matches!(byte, b'/' | b'?')).unwrap_or(rest.len());
    let authority = rest.get(..len).unwrap_or_default();
    if !is_host(authority) {
        return Err(Reject::TargetMalformed);
    }
    Ok(split_query(target, scheme_len + len, Some(Span::new(scheme_len, len))))
}

/// Path and query of what follows `start`.
fn split_query(target: &[u8], start: usize, authority: Option<Span>) -> Target {
    let rest = target.get(start..).unwrap_or_default();
    match memchr::memchr(b'?', rest) {
        Some(mark) => Target {
            path: Span::new(start, mark),
            query: Some(Span::new(start + mark + 1, rest.len() - mark - 1)),
            authority,
        },
        None => Target { path: Span::new(start, rest.len()), query: None, authority },
    }
}

/// Whether `value` is `uri-host [":" port]` (RFC 3986 §3.2.2) with a host that is not empty. As
/// in nginx no `..` and not `.` alone; beyond nginx no user information and no other sign that
/// could end a host for somebody else.
pub(crate) fn is_host(value: &[u8]) -> bool {
    let (host, port) = match value {
        [b'[', rest @ ..] => {
            let Some(end) = memchr::memchr(b']', rest) else {
                return false;
            };
            let (literal, after) = rest.split_at_checked(end).unwrap_or_default();
            let is_literal =
                literal.iter().all(|&byte| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.'));
            // An address of version 6 has two colons at least.
            if !is_literal || literal.iter().filter(|&&byte| byte == b':').count() < 2 {
                return false;
            }
            (literal, after.get(1..).unwrap_or_default())
        }
        _ => value
            .split_at_checked(memchr::memchr(b':', value).unwrap_or(value.len()))
            .unwrap_or_default(),
    };
    is_port(port)
        && !matches!(host, b"" | b".")
        && (value.first() == Some(&b'[') || host.iter().all(|&byte| is_reg_name_byte(byte)))
        && !host.windows(2).any(|pair| pair == b"..")
}

/// Empty, or a colon with up to five digits, at most 65535. RFC 3986 §3.2.3 lets them be missing.
fn is_port(port: &[u8]) -> bool {
    match port {
        [] => true,
        [b':', digits @ ..] if digits.len() <= 5 && digits.iter().all(u8::is_ascii_digit) => {
            let number =
                digits.iter().fold(0u32, |number, digit| number * 10 + u32::from(digit - b'0'));
            number <= 65_535
        }
        _ => false,
    }
}

/// A byte of a registered name (RFC 3986 §3.2.2).
fn is_reg_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'-' | b'.'
                | b'_'
                | b'~'
                | b'%'
                | b'!'
                | b'$'
                | b'&'
                | b'\''
                | b'('
                | b')'
                | b'*'
                | b'+'
                | b','
                | b';'
                | b'='
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_taken_apart_by_form() {
        let check = |method: &str, target: &str, expected: (&str, Option<&str>, Option<&str>)| {
            let found = split(method.as_bytes(), target.as_bytes()).expect(target);
            let text = |span: Span| core::str::from_utf8(span.of(target.as_bytes())).unwrap();
            let found = (text(found.path), found.query.map(text), found.authority.map(text));
            assert_eq!(found, expected, "{target}");
        };
        check("GET", "/", ("/", None, None));
        check("GET", "/a/b?c=d?e", ("/a/b", Some("c=d?e"), None));
        check("GET", "/a?", ("/a", Some(""), None));
        check("GET", "//host/a", ("//host/a", None, None));
        check("GET", "/http://x/", ("/http://x/", None, None));
        check("OPTIONS", "*", ("*", None, None));
        check("GET", "http://a.b:80/c?d", ("/c", Some("d"), Some("a.b:80")));
        check("GET", "HTTPS://a", ("", None, Some("a")));
        check("GET", "http://a?d", ("", Some("d"), Some("a")));
        check("GET", "http://[::1]:8080/x", ("/x", None, Some("[::1]:8080")));
        check("GET", "/ü", ("/ü", None, None));
    }

    #[test]
    fn targets_of_no_form_are_rejected() {
        let check = |method: &str, target: &[u8], reject| {
            assert_eq!(split(method.as_bytes(), target), Err(reject), "{target:?}");
        };
        check("CONNECT", b"a:443", Reject::MethodConnect);
        for target in [
            &b"*"[..],
            b"",
            b"a:443",
            b"a/b",
            b"ftp://a/",
            b"http:/a",
            b"http://",
            b"http:///a",
            b"http://u@a/",
            b"http://a:x/",
            b"/a b",
            b"/a\tb",
            b"/\x7f",
            b"/\0",
            b"?a",
            b"**",
        ] {
            check("GET", target, Reject::TargetMalformed);
        }
        check("OPTIONS", b"**", Reject::TargetMalformed);
        check("GET", b"/a#b", Reject::TargetFragment);
        check("GET", b"/a?b#c", Reject::TargetFragment);
    }

    #[test]
    fn hosts_are_names_or_addresses_with_an_optional_port() {
        for host in [
            "a",
            "a.b.",
            "A-1_b.example",
            "a:80",
            "a:",
            "a:65535",
            "127.0.0.1:5000",
            "[::1]",
            "[::1]:80",
            "[2001:db8::1.2.3.4]",
            "a%20b",
            "*",
        ] {
            assert!(is_host(host.as_bytes()), "{host}");
        }
        for host in [
            "", ".", "a..b", ":80", "a:65536", "a:123456", "a:8x", "a:-1", "a b", "a/b", "a@b",
            "a?b", "a#b", "a\\b", "[::1", "[]", "[1]", "[::g]", "[::1]x", "[::1]80", "a,b c",
            "::1", "a\tb", "ü", "a]", "<a>", "\"a\"",
        ] {
            assert!(!is_host(host.as_bytes()), "{host}");
        }
    }
}
