//! The value and each of its filters, by the head that comes out.

use http1::BodyWriter;

use super::*;
use crate::test_case::{Case, answer, lines};

const PASS: &str = "location / { proxy_pass http://app; }";
const OLD: &str = "GET / HTTP/1.0\r\nHost: main.test\r\n\r\n";

/// An answer that has passed one filter, as a head.
fn through(filter: Filter, content: &str, path: &str, head: &str) -> Vec<String> {
    let case = Case::get(content, path);
    let mut response = answer(head);
    filter(&mut response, &case.context(true, false));
    lines(&response)
}

/// The head with these lines between the status and the end.
fn with(head_lines: &str) -> String {
    format!("HTTP/1.1 200 OK\r\n{head_lines}\r\n")
}

// The value.

#[test]
fn an_upstreams_answer_is_written_in_its_words() {
    let response =
        answer("HTTP/1.0 299 Any  Thing\r\nx-a:b\r\nX-A: c\r\nConnection: close\r\n\r\n");
    assert_eq!(lines(&response), ["HTTP/1.1 299 Any  Thing", "x-a: b", "X-A: c"]);
    assert_eq!((response.status, response.source), (299, Source::Upstream));
    assert_eq!(response.from_upstream().count(), 3);
    assert_eq!(response.upstream_field(b"CONNECTION"), Some(&b"close"[..]));
}

#[test]
fn an_own_answer_has_the_words_of_its_status() {
    let mut response = Response::default();
    response.begin_own(404);
    response.push(b"X-A", b"1");
    assert_eq!(lines(&response), ["HTTP/1.1 404 Not Found", "X-A: 1"]);
    response.begin_own(299);
    assert_eq!(lines(&response), ["HTTP/1.1 299 "], "what was begun before is gone");
}

#[test]
fn an_own_answer_after_an_upstreams_hides_its_fields_and_remembers_them() {
    let mut response = answer(&with("X-A: 1\r\n"));
    response.push(b"X-B", b"2");
    response.begin_own(502);
    assert_eq!(lines(&response), ["HTTP/1.1 502 Bad Gateway"]);
    assert_eq!(response.upstream_field(b"x-a"), Some(&b"1"[..]));
    assert_eq!(response.upstream_field(b"x-b"), None, "that was never said by it");
    response.clear();
    assert_eq!((response.status, response.from_upstream().count()), (0, 0));
}

#[test]
fn a_value_never_ends_its_line() {
    let mut response = Response::default();
    response.begin_own(200);
    response.push(b"X-A", b"a\r\nX-Evil: 1\0");
    response.push(b"X-B", b"\n");
    assert_eq!(lines(&response), ["HTTP/1.1 200 OK", "X-A: a  X-Evil: 1 ", "X-B:  "]);
}

#[test]
fn a_large_answer_leaves_no_large_buffers_behind() {
    let head = with(&format!("X-A: {}\r\n{}", "a".repeat(9_000), "X-B: 1\r\n".repeat(300)));
    let mut response = answer(&head);
    response.body = vec![0; 9_000];
    response.clear();
    response.shrink(4_096);
    let held = [response.bytes.capacity(), response.body.capacity()];
    assert!(held.iter().all(|bytes| *bytes <= 4_096), "{held:?}");
    assert!(response.fields.capacity() * size_of::<Field>() <= 4_096);
}

// What of an upstream's answer goes on.

#[test]
fn hidden_fields_do_not_go_on_whatever_their_case() {
    let content = "location / { proxy_pass http://app; proxy_hide_header X-Secret; \
                   proxy_pass_header X-Pad; }";
    let head = with(
        "SERVER: a\r\ndate: b\r\nx-secret: c\r\nX-Pad: d\r\nX-Accel-Charset: e\r\nX-Ok: f\r\n",
    );
    let kept = through(rewrite::filter, content, "/", &head);
    assert_eq!(kept, ["HTTP/1.1 200 OK", "X-Pad: d", "X-Ok: f"]);
}

#[test]
fn own_answers_are_not_rewritten() {
    let case = Case::get(PASS, "/");
    let mut response = Response::default();
    response.begin_own(302);
    response.push(b"Server", b"mine");
    response.push(b"Location", b"http://app/x");
    rewrite::filter(&mut response, &case.context(true, false));
    assert_eq!(lines(&response)[1..], ["Server: mine", "Location: http://app/x"]);
}

#[test]
fn of_several_types_the_last_one_holds_and_an_empty_one_is_none() {
    for (types, expected) in [
        ("Content-Type: a\r\nX: 1\r\ncontent-type: b\r\n", &["X: 1", "Content-Type: b"][..]),
        ("Content-Type: a\r\n", &["Content-Type: a"]),
        ("Content-Type:\r\n", &[]),
        ("Content-Type: a\r\nContent-Type:\r\n", &[]),
    ] {
        assert_eq!(through(rewrite::filter, PASS, "/", &with(types))[1..], *expected, "{types}");
    }
}

#[test]
fn the_first_rule_whose_prefix_is_found_rewrites_a_redirect() {
    let content = "location / { proxy_pass http://app; proxy_redirect http://a/ /one/; \
                   proxy_redirect http://a/b /two; proxy_redirect http://c http://d; }";
    for (line, expected) in [
        ("Location: http://a/b", "Location: http://main.test:8080/one/b"),
        ("LOCATION: http://c/x", "LOCATION: http://d/x"),
        ("Location: http://e/", "Location: http://e/"),
        ("Location: x http://a/", "Location: x http://a/"),
        ("Refresh: 3; url=http://a/b", "Refresh: 3; url=/one/b"),
        ("Refresh: url=http://c", "Refresh: url=http://d"),
        ("Refresh: 3; http://a/b", "Refresh: 3; http://a/b"),
        ("X-Location: http://a/b", "X-Location: http://a/b"),
    ] {
        let head = with(&format!("{line}\r\n"));
        assert_eq!(through(rewrite::filter, content, "/", &head)[1..], [expected], "{line}");
    }
}

#[test]
fn a_path_becomes_an_address_of_this_server_as_the_file_says() {
    let check = |settings: &str, head: &str, expected: &str| {
        let case = Case::new(&format!("{settings} return 200;"), head);
        let made = absolute(b"/x".to_vec(), &case.request);
        assert_eq!(String::from_utf8(made).unwrap(), expected, "{settings} {head}");
        assert_eq!(absolute(b"y".to_vec(), &case.request), b"y");
    };
    let named = "GET / HTTP/1.1\r\nHost: A.test:99\r\n\r\n";
    check("", named, "http://a.test:8080/x");
    check("port_in_redirect off;", named, "http://a.test/x");
    check("absolute_redirect off;", named, "/x");
    check("", "GET / HTTP/1.0\r\n\r\n", "http://10.0.0.1:8080/x");
}

#[test]
fn an_address_of_version_6_stands_in_brackets() {
    let mut case = Case::new("return 200;", "GET / HTTP/1.0\r\n\r\n");
    case.request.client.local = "[2001:db8::1]:80".parse().unwrap();
    assert_eq!(absolute(b"/".to_vec(), &case.request), b"http://[2001:db8::1]/");
    case.request.client.local = "[::ffff:10.0.0.7]:81".parse().unwrap();
    assert_eq!(absolute(b"/".to_vec(), &case.request), b"http://10.0.0.7:81/");
}

// What the file adds.

#[test]
fn fields_are_added_to_good_answers_and_to_all_where_the_file_says_always() {
    let content = "location / { proxy_pass http://app; add_header X-Good 1; \
                   add_header X-All 1 always; }";
    let all = [200, 201, 204, 206, 301, 302, 303, 304, 307, 308];
    for status in [200, 201, 202, 204, 206, 300, 301, 302, 303, 304, 305, 307, 308, 400, 404, 500] {
        let head = format!("HTTP/1.1 {status} X\r\n\r\n");
        let added = through(add_header::filter, content, "/", &head);
        let expected: &[&str] =
            if all.contains(&status) { &["X-Good: 1", "X-All: 1"] } else { &["X-All: 1"] };
        assert_eq!(added[1..], *expected, "{status}");
    }
}

#[test]
fn an_added_field_without_a_text_is_not_sent() {
    let content = "location / { proxy_pass http://app; add_header X-Empty $arg_none; \
                   add_header X-Some a$arg_none; }";
    let added = through(add_header::filter, content, "/", &with(""));
    assert_eq!(added[1..], ["X-Some: a"]);
}

// Who this is.

#[test]
fn server_and_date_are_this_proxys_unless_they_stand_there() {
    let check = |content: &str, head_lines: &str, expected: &[&str]| {
        let case = Case::get(content, "/");
        let mut response = answer(&with(head_lines));
        rewrite::filter(&mut response, &case.context(true, false));
        identity::filter(&mut response, &case.context(true, false));
        assert_eq!(lines(&response)[1..], *expected, "{content}");
    };
    let product = concat!("Server: sidecar-kit/", env!("CARGO_PKG_VERSION"));
    let date = "Date: Mon, 23 Nov 2026 20:53:09 GMT";
    check(PASS, "Server: a\r\nDate: b\r\n", &[product, date]);
    check(&format!("server_tokens off; {PASS}"), "", &["Server: sidecar-kit", date]);
    let passing = format!("proxy_pass_header Server; proxy_pass_header Date; {PASS}");
    check(&passing, "Server: a\r\nDate: b\r\n", &["Server: a", "Date: b"]);
    // It speaks for itself, even if it says nothing.
    check(&passing, "", &[date]);
}

// How the end is found.

/// The lines about the content, and how it is written.
fn framed(head: &str, request: &str) -> (Vec<String>, BodyWriter) {
    let case = Case::new(PASS, request);
    let mut response = answer(head);
    let context = case.context(true, false);
    framing::filter(&mut response, &context);
    (lines(&response)[1..].to_vec(), framing::writer(&response, &case.request))
}

#[test]
fn the_end_of_the_content_is_told_in_the_words_of_the_client() {
    let get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    let head = "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n";
    let chunked = with("Transfer-Encoding: chunked\r\n");
    let length = "Content-Length: 5".to_owned();
    let coding = "Transfer-Encoding: chunked".to_owned();
    let cases = [
        (with("Content-Length: 5\r\n"), get, Some(&length), BodyWriter::Exact),
        (with("Content-Length: 5\r\n"), OLD, Some(&length), BodyWriter::Exact),
        (with("Content-Length: 5\r\n"), head, Some(&length), BodyWriter::None),
        (chunked.clone(), get, Some(&coding), BodyWriter::Chunked),
        (chunked.clone(), OLD, None, BodyWriter::UntilClose),
        (chunked, head, None, BodyWriter::None),
        (with(""), get, Some(&coding), BodyWriter::Chunked),
        (with(""), OLD, None, BodyWriter::UntilClose),
    ];
    for (answer, request, line, writer) in cases {
        let expected: Vec<String> = line.into_iter().cloned().collect();
        assert_eq!(framed(&answer, request), (expected, writer), "{request} {answer}");
    }
}

#[test]
fn an_answer_without_content_tells_a_length_only_where_it_may() {
    let get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    for (status, told, expected) in [
        (304, "Content-Length: 007\r\n", &["Content-Length: 7"][..]),
        (304, "Content-Length: 000\r\n", &["Content-Length: 0"]),
        (304, "", &[]),
        (204, "Content-Length: 0\r\n", &[]),
    ] {
        let (lines, writer) = framed(&format!("HTTP/1.1 {status} X\r\n{told}\r\n"), get);
        assert_eq!(
            (lines.as_slice(), writer),
            (
                &expected.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>()[..],
                BodyWriter::None
            ),
            "{status} {told}"
        );
    }
}

// What becomes of the connection.

#[test]
fn the_client_is_told_what_becomes_of_its_connection() {
    let told = |content: &str, is_persistent: bool, is_tunnel: bool, head: &str| {
        let case = Case::get(content, "/");
        let mut response = answer(head);
        connection::filter(&mut response, &case.context(is_persistent, is_tunnel));
        lines(&response)[1..].to_vec()
    };
    assert_eq!(told(PASS, true, false, &with("")), ["Connection: keep-alive"]);
    assert_eq!(told(PASS, false, false, &with("")), ["Connection: close"]);
    let timed = format!("keepalive_timeout 60 30; {PASS}");
    let expected = ["Connection: keep-alive", "Keep-Alive: timeout=30"];
    assert_eq!(told(&timed, true, false, &with("")), expected);
    assert_eq!(told(&timed, false, false, &with("")), ["Connection: close"]);
    let upgrade = "HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: chat/2\r\n\r\n";
    let expected = ["Connection: upgrade", "Upgrade: chat/2"];
    assert_eq!(told(PASS, false, true, upgrade), expected);
}

#[test]
fn the_filters_come_in_an_order_in_which_each_sees_what_it_speaks_of() {
    let content = "location / { proxy_pass http://app; \
                   add_header X-Seen \"$sent_http_server|$sent_http_connection|$sent_http_x_app\"; }";
    let case = Case::get(content, "/");
    let mut response = answer(&with("X-App: 1\r\nContent-Length: 0\r\n"));
    let writer = response.filter(&case.context(false, false));
    let product = concat!("sidecar-kit/", env!("CARGO_PKG_VERSION"));
    assert_eq!(lines(&response).last(), Some(&format!("X-Seen: {product}|close|1")));
    assert_eq!(writer, BodyWriter::Exact);
}
