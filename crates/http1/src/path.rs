//! A path as nginx sees it: decoded and resolved for routing, escaped again for sending.

use alloc::vec::Vec;

use crate::grammar::is_target_byte;
use crate::reject::Reject;

/// Where in a segment the walk is, as in nginx's `ngx_http_parse_complex_uri`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Usual,
    AfterSlash,
    AfterDot,
    AfterDotDot,
}

/// Decodes `%XX`, resolves `.` and `..`, and merges slashes, into `out`, which is emptied first.
/// `path` is a target's path without query; an empty one gives `/`. A byte that was escaped counts
/// as the byte it stands for (`%2e%2e` goes up, `%2F` separates), and is not looked at twice: `%25`,
/// `%23` and `%3F` begin no escape, fragment or query. Rejected as by nginx, which answers 400:
/// escapes without two digits, `%00`, and `..` above the root.
pub fn normalize(path: &[u8], out: &mut Vec<u8>) -> Result<(), Reject> {
    normalize_with(path, true, out)
}

/// The same; slashes that follow each other stay where `merges_slashes` is false (nginx:
/// `merge_slashes off`).
pub fn normalize_with(path: &[u8], merges_slashes: bool, out: &mut Vec<u8>) -> Result<(), Reject> {
    out.clear();
    if path.is_empty() {
        out.push(b'/');
        return Ok(());
    }
    let mut place = Place::Usual;
    let mut rest = path;
    while let [first, after @ ..] = rest {
        let (byte, after) = next_byte(*first, after)?;
        rest = after;
        place = match (place, byte) {
            (Place::Usual, b'/') => {
                out.push(b'/');
                Place::AfterSlash
            }
            (Place::AfterSlash, b'/') => {
                if !merges_slashes {
                    out.push(b'/');
                }
                Place::AfterSlash
            }
            (Place::AfterSlash, b'.') => {
                out.push(b'.');
                Place::AfterDot
            }
            (Place::AfterDot, b'/') => {
                out.pop();
                Place::AfterSlash
            }
            (Place::AfterDot, b'.') => {
                out.push(b'.');
                Place::AfterDotDot
            }
            (Place::AfterDotDot, b'/') => {
                go_up(out)?;
                Place::AfterSlash
            }
            _ => {
                out.push(byte);
                Place::Usual
            }
        };
    }
    match place {
        Place::Usual | Place::AfterSlash => {}
        Place::AfterDot => {
            out.pop();
        }
        Place::AfterDotDot => go_up(out)?,
    }
    debug_assert!(out.len() <= path.len(), "decoding never makes it longer");
    Ok(())
}

/// The byte that `first` or the escape it begins stands for, and what follows.
fn next_byte(first: u8, rest: &[u8]) -> Result<(u8, &[u8]), Reject> {
    if first != b'%' {
        return Ok((first, rest));
    }
    match rest {
        [high, low, rest @ ..] => match (hex_value(*high), hex_value(*low)) {
            (Some(0), Some(0)) | (None, _) | (_, None) => Err(Reject::PathEscapeMalformed),
            (Some(high), Some(low)) => Ok((high << 4 | low, rest)),
        },
        _ => Err(Reject::PathEscapeMalformed),
    }
}

/// Takes `/segment/..` from the end of `out`, all but the first slash.
fn go_up(out: &mut Vec<u8>) -> Result<(), Reject> {
    debug_assert!(out.ends_with(b"/.."));
    out.truncate(out.len().saturating_sub(3));
    match out.iter().rposition(|&byte| byte == b'/') {
        Some(slash) => {
            out.truncate(slash + 1);
            Ok(())
        }
        None => Err(Reject::PathOutsideRoot),
    }
}

fn hex_value(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

/// Whether a target's path holds an escape. nginx 1.22 escapes what it sends upstream after a
/// rewrite of the prefix (`proxy_pass` with a URI) only if so, or if the URI came of an internal
/// redirect; else it sends the normalised bytes as they are.
pub fn has_escapes(path: &[u8]) -> bool {
    memchr::memchr(b'%', path).is_some()
}

/// Adds `path`, a normalised one, to `out` with `%XX` for each byte that may not stand in a
/// target as it is: nginx's `ngx_escape_uri` with `NGX_ESCAPE_URI`. Those are control bytes, the
/// space, all beyond ASCII, and ``" # % < > ? \ ^ ` { | }``.
pub fn escape(path: &[u8], out: &mut Vec<u8>) {
    out.reserve(path.len());
    for &byte in path {
        if is_escaped(byte) {
            out.extend_from_slice(&[b'%', upper_hex(byte >> 4), upper_hex(byte & 0xf)]);
        } else {
            out.push(byte);
        }
    }
}

/// Adds what came out of a path to a query: nginx's `ngx_escape_uri` with `NGX_ESCAPE_ARGS`, which
/// is as [`escape`], and `& + ;` too.
pub fn escape_argument(text: &[u8], out: &mut Vec<u8>) {
    for &byte in text {
        if is_escaped(byte) || matches!(byte, b'&' | b'+' | b';') {
            out.extend_from_slice(&[b'%', upper_hex(byte >> 4), upper_hex(byte & 0xf)]);
        } else {
            out.push(byte);
        }
    }
}

/// Adds the text of a redirect with those escapes of its path undone that need not be: of bytes
/// between `%` and DEL, without both. What begins no escape loses its `%`, and so does an escape that
/// is cut short. From the first `?` on, escaped or not, it stays as it is: nginx's
/// `ngx_unescape_uri` with `NGX_UNESCAPE_REDIRECT`.
pub fn unescape_redirect(text: &[u8], out: &mut Vec<u8>) {
    let mut rest = text;
    while let [first, after @ ..] = rest {
        rest = after;
        match *first {
            b'?' => {
                out.push(b'?');
                break;
            }
            b'%' => {
                let [high, after @ ..] = rest else { break };
                rest = after;
                let Some(high_value) = hex_value(*high) else {
                    out.push(*high);
                    continue;
                };
                let [low, after @ ..] = rest else { break };
                rest = after;
                let Some(low_value) = hex_value(*low) else { continue };
                match high_value << 4 | low_value {
                    b'?' => {
                        out.push(b'?');
                        break;
                    }
                    byte @ 0x26..0x7f => out.push(byte),
                    _ => out.extend_from_slice(&[b'%', *high, *low]),
                }
            }
            byte => out.push(byte),
        }
    }
    out.extend_from_slice(rest);
}

/// Adds a query to `out`, with `%XX` for each byte that may not stand in a target at all: control
/// bytes and the space. A client's query has none; one that an upstream wrote may, and nginx sends
/// it as it is.
pub fn push_query(query: &[u8], out: &mut Vec<u8>) {
    out.reserve(query.len());
    for &byte in query {
        if is_target_byte(byte) {
            out.push(byte);
        } else {
            out.extend_from_slice(&[b'%', upper_hex(byte >> 4), upper_hex(byte & 0xf)]);
        }
    }
}

fn is_escaped(byte: u8) -> bool {
    matches!(byte, 0..=b' ' | 0x7f.. | b'"' | b'#' | b'%' | b'<' | b'>' | b'?' | b'\\' | b'^'
        | b'`' | b'{' | b'|' | b'}')
}

fn upper_hex(value: u8) -> u8 {
    match value {
        0..=9 => b'0' + value,
        _ => b'A' + (value - 10),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each expectation was taken from nginx 1.22.1: `$uri`, and what an upstream behind
    /// `proxy_pass http://upstream/` got.
    fn check(path: &str, normal: &[u8], escaped: &str) {
        let (mut out, mut sent) = (Vec::new(), Vec::new());
        assert_eq!(normalize(path.as_bytes(), &mut out), Ok(()), "{path}");
        assert_eq!(out, normal, "{path}");
        escape(&out, &mut sent);
        assert_eq!(core::str::from_utf8(&sent), Ok(escaped), "{path}");
    }

    #[test]
    fn a_query_is_sent_as_it_is_but_for_what_would_end_the_target() {
        let mut out = Vec::new();
        push_query(b"a=%20?#\xc3\xbc\"{}", &mut out);
        assert_eq!(out, b"a=%20?#\xc3\xbc\"{}");
        out.clear();
        push_query(b"x HTTP/1.1\t\x01\x7f\r\n", &mut out);
        assert_eq!(out, b"x%20HTTP/1.1%09%01%7F%0D%0A");
    }

    #[test]
    fn slashes_stay_where_they_are_not_merged() {
        // Taken from nginx 1.22.1 with `merge_slashes off`.
        for (path, expected) in [
            ("//", "//"),
            ("//a///b", "//a///b"),
            ("/a//../b", "/a/b"),
            ("//..", "/"),
            ("/a/.//b", "/a//b"),
            ("/%2Fa%2f/b", "//a//b"),
        ] {
            let mut out = Vec::new();
            assert_eq!(normalize_with(path.as_bytes(), false, &mut out), Ok(()), "{path}");
            assert_eq!(core::str::from_utf8(&out), Ok(expected), "{path}");
        }
        let outside = normalize_with(b"//../..", false, &mut Vec::new());
        assert_eq!(outside, Err(Reject::PathOutsideRoot));
    }

    #[test]
    fn dots_and_slashes_are_resolved() {
        check("/", b"/", "/");
        check("/a/b", b"/a/b", "/a/b");
        check("//a///b//", b"/a/b/", "/a/b/");
        check("/.", b"/", "/");
        check("/./a/./", b"/a/", "/a/");
        check("/a/.", b"/a/", "/a/");
        check("/a/..", b"/", "/");
        check("/a/b/../c", b"/a/c", "/a/c");
        check("/a/b/../../c", b"/c", "/c");
        check("/a//../b", b"/b", "/b");
        check("/...", b"/...", "/...");
        check("/.a/..b/c.", b"/.a/..b/c.", "/.a/..b/c.");
        check("/a/./../b", b"/b", "/b");
    }

    #[test]
    fn escapes_count_as_the_bytes_they_stand_for() {
        check("/%41%7e", b"/A~", "/A~");
        check("/a/%2e%2E/b", b"/b", "/b");
        check("/a%2F%2fb", b"/a/b", "/a/b");
        check("/a/.%2e/b", b"/b", "/b");
        check("/%20%09%7f%c3%BC", b"/ \t\x7f\xc3\xbc", "/%20%09%7F%C3%BC");
        check("/%22%3c%3e%5c%5E%60%7b%7c%7d", b"/\"<>\\^`{|}", "/%22%3C%3E%5C%5E%60%7B%7C%7D");
        check("/%21%24%26%27%28%2a%2b%2c%3a%3b%3d%40%5b%5d", b"/!$&'(*+,:;=@[]", "/!$&'(*+,:;=@[]");
    }

    #[test]
    fn an_escaped_percent_hash_or_question_mark_begins_nothing() {
        check("/%2541", b"/%41", "/%2541");
        check("/a%3fb%23c", b"/a?b#c", "/a%3Fb%23c");
        check("/a/%3f/../b", b"/a/b", "/a/b");
        check("/.%25./", b"/.%./", "/.%25./");
    }

    #[test]
    fn an_empty_path_is_the_root() {
        check("", b"/", "/");
    }

    #[test]
    fn what_nginx_answers_with_400_is_rejected() {
        let check = |path: &str, reject| {
            let mut out = b"old".to_vec();
            assert_eq!(normalize(path.as_bytes(), &mut out), Err(reject), "{path}");
        };
        for path in ["/..", "/../a", "/a/../..", "/a/../../b", "/%2e%2e", "/.%2e/", "//.."] {
            check(path, Reject::PathOutsideRoot);
        }
        for path in ["/%", "/%4", "/%zz", "/%4g", "/%%41", "/%00", "/a%", "/%+1"] {
            check(path, Reject::PathEscapeMalformed);
        }
    }

    #[test]
    fn drawn_paths_are_normal_after_one_pass() {
        let pieces = ["/", "/", ".", "..", "a", "%2e", "%2F", "b"];
        let mut state: u64 = 1;
        for _ in 0..20_000 {
            let mut path = alloc::string::String::from("/");
            for _ in 0..8 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                path.push_str(pieces[(state >> 61) as usize]);
            }
            let (mut once, mut twice) = (Vec::new(), Vec::new());
            if normalize(path.as_bytes(), &mut once).is_ok() {
                assert_eq!(normalize(&once, &mut twice), Ok(()), "{path}");
                assert_eq!(once, twice, "{path}");
                assert!(once.starts_with(b"/") && !once.windows(2).any(|pair| pair == b"//"));
            }
        }
    }
}
