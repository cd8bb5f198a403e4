//! Request targets (RFC 9112 §3.2) and the form of Host.

use alloc::vec::Vec;

use crate::field::Span;
use crate::grammar::is_reg_name_byte;
use crate::reject::Reject;
use crate::scan;

/// The parts of a target, as spans of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Target {
    /// Begins with `/`, or is empty where an absolute form has no path (which means `/`). Not
    /// decoded; see [`path::normalize`](crate::path::normalize).
    pub path: Span,
    /// What follows the first `?`; `Some` but empty for `/a?`.
    pub query: Option<Span>,
    /// Host and port of an absolute form. It takes the place of Host (RFC 9112 §3.2.2).
    pub authority: Option<Span>,
    /// All that follows the authority, as the client wrote it: path, query, and a fragment, which
    /// is in neither. Empty, or begins with `/` or `?`. nginx: `$request_uri`, but for an empty
    /// one, where that is `/`.
    pub origin: Span,
}

/// Takes a target apart. Forms: `/path?query` and `http://host:port/path?query` (`https` too). As
/// in nginx there is no `*`, and CONNECT and TRACE have no target at all; and a fragment, which no
/// form may have (RFC 9112 §3.2), is taken: it is no part of what is routed by.
pub fn split(method: &[u8], target: &[u8]) -> Result<Target, Reject> {
    match method {
        b"CONNECT" => return Err(Reject::MethodConnect),
        b"TRACE" => return Err(Reject::MethodTrace),
        _ => {}
    }
    if scan::target(target) < target.len() {
        return Err(Reject::TargetMalformed);
    }
    match target {
        [b'/', ..] => Ok(split_origin(target, 0, None)),
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
    if !is_plain_host(authority) || !is_host(authority) {
        return Err(Reject::TargetMalformed);
    }
    Ok(split_origin(target, scheme_len + len, Some(Span::new(scheme_len, len))))
}

/// Whether the host, if it is a name, has no bytes but those that nginx takes in a target: fewer
/// than in Host.
fn is_plain_host(authority: &[u8]) -> bool {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-');
    authority.first() == Some(&b'[')
        || authority.iter().take_while(|&&byte| byte != b':').all(is_plain)
}

/// Path and query of what follows `start`. nginx: a fragment ends the one as well as the other.
fn split_origin(target: &[u8], start: usize, authority: Option<Span>) -> Target {
    let origin = target.get(start..).unwrap_or_default();
    let end = memchr::memchr(b'#', origin).unwrap_or(origin.len());
    let mark = memchr::memchr(b'?', origin.get(..end).unwrap_or_default());
    Target {
        path: Span::new(start, mark.unwrap_or(end)),
        query: mark.map(|mark| Span::new(start + mark + 1, end - mark - 1)),
        authority,
        origin: Span::new(start, origin.len()),
    }
}

/// Adds the target in origin form, which is never empty, as nginx sends it upstream where
/// `proxy_pass` has no URI: as it came, a fragment too, but without the authority. Where an
/// absolute form has no path it is `/`, and the query if there is one that is not empty.
pub fn push_origin_form(target: &[u8], split: &Target, out: &mut Vec<u8>) {
    if !split.path.is_empty() {
        return out.extend_from_slice(split.origin.of(target));
    }
    out.push(b'/');
    if let Some(query) = split.query.filter(|query| !query.is_empty()) {
        out.push(b'?');
        out.extend_from_slice(query.of(target));
    }
}

/// Whether `value` is `uri-host [":" port]` (RFC 3986 §3.2.2) with a host that is not empty. As
/// in nginx no `..` and not `.` alone; beyond nginx no user information and no other sign that
/// could end a host for somebody else.
#[inline]
pub(crate) fn is_host(value: &[u8]) -> bool {
    if value.first() == Some(&b'[') {
        return is_literal_host(value);
    }
    let (mut len, mut before) = (0, 0);
    for &byte in value {
        let is_empty_label = byte == b'.' && before == b'.';
        if is_empty_label || !is_reg_name_byte(byte) {
            break;
        }
        (len, before) = (len + 1, byte);
    }
    let (host, port) = value.split_at_checked(len).unwrap_or_default();
    !matches!(host, b"" | b".") && is_port(port)
}

/// The same for a value that begins with `[`.
fn is_literal_host(value: &[u8]) -> bool {
    let Some(end) = memchr::memchr(b']', value) else {
        return false;
    };
    let literal = value.get(1..end).unwrap_or_default();
    let is_address_byte = |&byte: &u8| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.');
    // An address of version 6 has two colons at least.
    literal.iter().filter(|&&byte| byte == b':').count() >= 2
        && literal.iter().all(is_address_byte)
        && !literal.windows(2).any(|pair| pair == b"..")
        && is_port(value.get(end + 1..).unwrap_or_default())
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Path, query, authority, and what goes upstream. What nginx 1.22.1 takes for `$uri` and
    /// `$args` and sends for each was looked at.
    #[test]
    fn targets_are_taken_apart_by_form() {
        let check = |target: &str, path, query, authority, sent: &str| {
            let split = split(b"GET", target.as_bytes()).expect(target);
            let text = |span: Span| core::str::from_utf8(span.of(target.as_bytes())).unwrap();
            let found = (text(split.path), split.query.map(text), split.authority.map(text));
            assert_eq!(found, (path, query, authority), "{target}");
            let mut out = b"GET ".to_vec();
            push_origin_form(target.as_bytes(), &split, &mut out);
            assert_eq!(core::str::from_utf8(&out), Ok(alloc::format!("GET {sent}").as_str()));
            assert!(target.ends_with(text(split.origin)), "{target}");
        };
        check("/", "/", None, None, "/");
        check("/a/b?c=d?e", "/a/b", Some("c=d?e"), None, "/a/b?c=d?e");
        check("/a?", "/a", Some(""), None, "/a?");
        check("/??x", "/", Some("?x"), None, "/??x");
        check("//host/a", "//host/a", None, None, "//host/a");
        check("/http://x/", "/http://x/", None, None, "/http://x/");
        check("/ü", "/ü", None, None, "/ü");
        check("/a/../b", "/a/../b", None, None, "/a/../b");

        check("http://a.b:80/c?d", "/c", Some("d"), Some("a.b:80"), "/c?d");
        check("http://[::1]:8080/x", "/x", None, Some("[::1]:8080"), "/x");
        check("http://h", "", None, Some("h"), "/");
        check("HTTPS://h:80", "", None, Some("h:80"), "/");
        check("http://h?x=1", "", Some("x=1"), Some("h"), "/?x=1");
        check("http://h?", "", Some(""), Some("h"), "/");
        check("http://h/?", "/", Some(""), Some("h"), "/?");

        check("/x#top", "/x", None, None, "/x#top");
        check("/#", "/", None, None, "/#");
        check("/x#top?q", "/x", None, None, "/x#top?q");
        check("/x?q#top", "/x", Some("q"), None, "/x?q#top");
        check("/?#", "/", Some(""), None, "/?#");
        check("/x?a#b#c?d", "/x", Some("a"), None, "/x?a#b#c?d");
        check("/x#../y", "/x", None, None, "/x#../y");
        check("/x%23y#z", "/x%23y", None, None, "/x%23y#z");
        check("http://h/p#f?x", "/p", None, Some("h"), "/p#f?x");
        check("http://h?a#f", "", Some("a"), Some("h"), "/?a");
        check("http://h?#f", "", Some(""), Some("h"), "/");
    }

    /// nginx 1.22.1 answers 400 to each, but for `ftp`, which it takes like `http`: other schemes
    /// are not for us to stand in for.
    #[test]
    fn targets_of_no_form_are_rejected() {
        for target in [
            &b"*"[..],
            b"",
            b"#",
            b"a:443",
            b"a/b",
            b"ftp://a/",
            b"http:/a",
            b"http://",
            b"http:///a",
            b"http://#f",
            b"http://h#f",
            b"http://h:80#f",
            b"http://u@a/",
            b"http://a_b/",
            b"http://a%2fb/",
            b"http://a;b/",
            b"http://a:x/",
            b"/a b",
            b"/a\tb",
            b"/\x7f",
            b"/\0",
            b"?a",
            b"**",
        ] {
            for method in [&b"GET"[..], b"OPTIONS"] {
                assert_eq!(split(method, target), Err(Reject::TargetMalformed), "{target:?}");
            }
        }
    }

    #[test]
    fn methods_that_nginx_answers_with_405_have_no_target() {
        for target in [&b"/"[..], b"a:443", b"http://h", b"*"] {
            assert_eq!(split(b"CONNECT", target), Err(Reject::MethodConnect), "{target:?}");
            assert_eq!(split(b"TRACE", target), Err(Reject::MethodTrace), "{target:?}");
        }
        assert_eq!((Reject::MethodConnect.status(), Reject::MethodTrace.status()), (405, 405));
        assert!(split(b"TRACES", b"/").is_ok());
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
