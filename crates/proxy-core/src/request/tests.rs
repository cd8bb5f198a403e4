//! What is understood of a head, and of what is none.

use http1::{Limits, Parsed};

use super::*;
use crate::test_case::{self, Case, NOW, at, client};

const TWO: &str = "http { server { listen 8080; server_name first.test; return 200; } \
                   server { listen 8080; server_name other.test; return 200; } }";

fn case(head: &str) -> Case {
    Case::at(at(TWO), head)
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// The path and the arguments of a target, what goes on of it, and how the client wrote it.
fn check_target(target: &str, path: &str, args: &str, sent: &str, raw: &str) {
    let case = case(&format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n"));
    let uri = &case.request.uri;
    let found = (text(&uri.path), text(&uri.args), text(&uri.target), text(case.request.raw_uri()));
    assert_eq!(found, (path, args, sent, raw), "{target}");
}

#[test]
fn a_target_is_decoded_resolved_and_kept_as_it_was_written() {
    check_target("/", "/", "", "/", "/");
    check_target(
        "/a%20b/./c/../d//e?x=%20",
        "/a b/d/e",
        "x=%20",
        "/a%20b/./c/../d//e?x=%20",
        "/a%20b/./c/../d//e?x=%20",
    );
    check_target("/a?", "/a", "", "/a?", "/a?");
    check_target("/a?b?c", "/a", "b?c", "/a?b?c", "/a?b?c");
    check_target("/a#b?c", "/a", "", "/a#b?c", "/a#b?c");
    check_target("http://h:1/a?b", "/a", "b", "/a?b", "/a?b");
    check_target("HTTP://h", "/", "", "/", "/");
    check_target("http://h?b", "/", "b", "/?b", "?b");
}

#[test]
fn a_target_that_means_nothing_is_refused() {
    for (target, expected) in [
        ("/..", Reject::PathOutsideRoot),
        ("/a/%2e%2e/../x", Reject::PathOutsideRoot),
        ("/%0", Reject::PathEscapeMalformed),
        ("/%00", Reject::PathEscapeMalformed),
        ("x", Reject::TargetMalformed),
        ("*", Reject::TargetMalformed),
    ] {
        let head = format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n");
        let mut request = Request::new(at(TWO), client());
        test_case::parse(&head, &mut request.head);
        assert_eq!(request.take_head(head.as_bytes()), Err(expected), "{target}");
    }
}

#[test]
fn the_host_is_found_without_port_and_case_and_finds_the_server() {
    for (line, field, host, server, is_told) in [
        ("/", "Other.TEST:81", "other.test", 1, true),
        ("/", "other.test.", "other.test", 1, true),
        ("/", "[::1]:80", "[::1]", 0, true),
        ("/", "none.test", "none.test", 0, true),
        ("http://other.test/", "first.test", "other.test", 1, true),
    ] {
        let case = case(&format!("GET {line} HTTP/1.1\r\nHost: {field}\r\n\r\n"));
        let Request { uri, place, .. } = &case.request;
        let found = (text(&uri.host), place.server, uri.is_host_told);
        assert_eq!(found, (host, server, is_told), "{line} {field}");
    }
    let old = case("GET / HTTP/1.0\r\n\r\n");
    assert_eq!((text(&old.request.uri.host), old.request.uri.is_host_told), ("first.test", false));
}

#[test]
fn a_request_has_nothing_of_the_one_before() {
    let mut case = case("POST /a?b HTTP/1.1\r\nHost: other.test\r\nX-A: 1\r\n\r\n");
    case.request.body_bytes = 5;
    case.request.redirect(b"/c", b"d");
    let at = case.request.at.clone();
    case.request.begin(at, client(), 2, NOW);
    let head = "GET / HTTP/1.0\r\n\r\n";
    test_case::parse(head, &mut case.request.head);
    case.request.take_head(head.as_bytes()).unwrap();
    let Request { uri, place, course, body_bytes, .. } = &case.request;
    assert_eq!((text(&uri.path), text(&uri.args), text(&uri.host)), ("/", "", "first.test"));
    assert_eq!((place.server, course.redirects, *body_bytes, case.request.length()), (0, 0, 0, 18));
    assert_eq!(case.request.fields().count(), 0);
}

/// The line and the path that are kept of what is no head.
fn scraps(bytes: &str) -> (String, String) {
    let mut request = Request::new(at(TWO), client());
    let found = http1::parse_request(bytes.as_bytes(), &Limits::default(), &mut request.head);
    let reject = match found {
        Parsed::Reject(reject) => Some(reject),
        _ => None,
    };
    request.take_scraps(bytes.as_bytes(), reject);
    assert!(!request.head.persistent(), "nothing more is read as a request");
    assert_eq!(request.uri.host, b"first.test");
    (text(request.line()).to_owned(), text(&request.uri.path).to_owned())
}

#[test]
fn of_what_is_no_head_the_line_is_kept_and_what_was_understood() {
    for (bytes, line, path) in [
        ("GET /a%20b HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "GET /a%20b HTTP/1.1", "/a b"),
        ("GET /a HTTP/1.1\r\nbad\r\n\r\n", "GET /a HTTP/1.1", "/a"),
        ("GET /a HTTP/1.1\r\nHost: a", "GET /a HTTP/1.1", "/a"),
        ("GET /a HT", "GET /a HT", ""),
        ("\r\n\r\nnonsense\r\nmore\r\n", "nonsense", ""),
        ("", "", ""),
    ] {
        assert_eq!(scraps(bytes), (line.to_owned(), path.to_owned()), "{bytes}");
    }
    assert_eq!(scraps(&"x".repeat(9_000)).0.len(), 1_024);
}

#[test]
fn a_redirect_makes_another_request_of_it_and_an_errors_page_a_get() {
    for (method, expected) in [("POST", "GET"), ("GET", "GET"), ("HEAD", "HEAD")] {
        let mut case = case(&format!("{method} /a?b HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert!(!case.request.is_escaping());
        case.request.redirect(b"/c", b"d=e");
        assert_eq!(text(case.request.method()), method);
        case.request.course.become_get();
        let Request { uri, .. } = &case.request;
        assert_eq!(text(case.request.method()), expected);
        assert_eq!((text(&uri.path), text(&uri.args), text(&uri.target)), ("/c", "d=e", ""));
        assert!(case.request.is_escaping(), "nobody has encoded it yet");
        assert_eq!(case.request.is_head(), method == "HEAD");
        assert_eq!(text(case.request.raw_uri()), "/a?b", "the client wrote that");
    }
}

#[test]
fn a_path_had_escapes_where_its_client_wrote_one_before_the_arguments() {
    for (target, expected) in [("/a", false), ("/a%20", true), ("/a?%20", false), ("/%41?b", true)]
    {
        let case = case(&format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert_eq!(case.request.is_escaping(), expected, "{target}");
    }
}

#[test]
fn an_upgrade_is_asked_for_with_both_fields_in_http_1_1() {
    let check = |version: &str, fields: &str, expected: Option<&str>| {
        let case = case(&format!("GET / HTTP/1.{version}\r\nHost: a\r\n{fields}\r\n"));
        let offered = case.request.upgrade();
        assert_eq!(offered.as_deref(), expected.map(str::as_bytes), "{fields}");
    };
    let both = "Connection: keep-alive, Upgrade\r\nUpgrade: x\r\n";
    check("1", both, Some("x"));
    check("0", both, None);
    check("1", "Upgrade: x\r\n", None);
    check("1", "Connection: upgrade\r\n", None);
    check("1", "Connection: upgrade\r\nUpgrade: , h2c ,H2C/1, a/b , c\r\n", Some("a/b, c"));
    check("1", "Connection: upgrade\r\nUpgrade: h2c\r\n", None);
}

#[test]
fn the_fields_that_are_seen_are_those_that_the_server_lets_through() {
    for (settings, expected) in [
        ("", &["Host", "a-b"][..]),
        ("underscores_in_headers on;", &["Host", "a-b", "a_b"]),
        ("ignore_invalid_headers off;", &["Host", "a-b", "a_b", "a.b"]),
    ] {
        let head = "GET / HTTP/1.1\r\nHost: a\r\na-b: 1\r\na_b: 2\r\na.b: 3\r\n\r\n";
        let case = Case::new(&format!("{settings} return 200;"), head);
        let names: Vec<_> = case.request.fields().map(|(name, _, _)| text(name)).collect();
        assert_eq!(names, expected, "{settings}");
    }
}

#[test]
fn the_length_is_what_was_read_without_the_empty_lines_before() {
    let mut case = case("\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(case.request.length(), 27);
    case.request.body_wire_bytes = 10;
    assert_eq!(case.request.length(), 37);
    assert_eq!(case.request.line(), b"GET / HTTP/1.1");
}

#[test]
fn identifiers_are_the_same_for_one_request_and_differ_between_all_others() {
    let at = at(TWO);
    let id = |seed, serial, requests| {
        let mut request = Request::new(at.clone(), client());
        let info = ClientInfo { serial, requests, ..client() };
        request.begin(at.clone(), info, seed, NOW);
        assert_eq!(request.id(), request.id());
        request.id()
    };
    let mut seen = Vec::new();
    for seed in 0..10 {
        for serial in 0..10 {
            seen.extend((1..10).map(|requests| id(seed, serial, requests)));
        }
    }
    let count = seen.len();
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), count);
    assert!(seen.iter().flatten().all(|digit| digit.is_ascii_hexdigit()));
}

#[test]
fn the_generator_is_the_known_one() {
    // The first outputs of SplitMix64 from 1234567, as its author's program prints them.
    let mut state: u64 = 1_234_567;
    let expected: [u64; 3] =
        [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423];
    for value in expected {
        assert_eq!(split_mix(state), value);
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    }
}
