//! The head that a server gets.

use super::*;
use crate::response::Response;
use crate::test_case::{Case, answer};

/// The head for a request, line by line.
fn head(content: &str, request: &str, body: BodyLength) -> Vec<String> {
    head_of(&Case::new(content, request), body)
}

fn head_of(case: &Case, body: BodyLength) -> Vec<String> {
    let mut out = Vec::new();
    push_request(&case.view(&Response::default()), case.pass(), body, &mut out);
    let text = String::from_utf8(out).unwrap();
    text.strip_suffix("\r\n\r\n").unwrap().split("\r\n").map(str::to_owned).collect()
}

const PASS: &str = "location / { proxy_pass http://app; }";
const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

#[test]
fn a_body_is_announced_by_what_follows() {
    for (body, expected) in [
        (BodyLength::None, &[][..]),
        (BodyLength::Exact(0), &["Content-Length: 0"]),
        (BodyLength::Exact(u64::MAX), &["Content-Length: 18446744073709551615"]),
        (BodyLength::Chunked, &["Transfer-Encoding: chunked"]),
    ] {
        assert_eq!(head(PASS, GET, body)[2..], *expected);
    }
}

#[test]
fn the_clients_framing_never_goes_on() {
    let request = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTE: trailers\r\n\
                   Connection: keep-alive\r\nExpect: 100-continue\r\nX-A: 1\r\n\r\n";
    let sent = head(PASS, request, BodyLength::Exact(7));
    assert_eq!(sent, ["POST / HTTP/1.1", "Host: app", "Content-Length: 7", "X-A: 1"]);
}

#[test]
fn a_target_is_what_the_client_wrote_or_what_the_location_makes_of_it() {
    let content = "location /a/ { proxy_pass http://app/b/; } \
                   location /q { proxy_pass http://app/?x=; } \
                   location / { proxy_pass http://app; }";
    for (target, expected) in [
        ("/x/../y//z?q#f", "/x/../y//z?q#f"),
        ("/%7e", "/%7e"),
        ("http://other/p?q", "/p?q"),
        ("/a/%20?q", "/b/%20?q"),
        ("/a/x/../y", "/b/y"),
        ("/a//y", "/b/y"),
        ("/a/%e2%82%ac", "/b/%E2%82%AC"),
        ("/a/\u{20ac}", "/b/\u{20ac}"),
        ("/q/1", "/?x=/1"),
    ] {
        let request = format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n");
        let sent = head(content, &request, BodyLength::None);
        assert_eq!(sent[0], format!("GET {expected} HTTP/1.1"), "{target}");
    }
}

#[test]
fn after_a_redirect_the_target_is_the_new_path_encoded() {
    let mut case = Case::new(PASS, "POST /old HTTP/1.1\r\nHost: a\r\n\r\n");
    case.request.redirect(b"/new path/\xff", b"a=b");
    case.request.course.become_get();
    case.run();
    assert_eq!(head_of(&case, BodyLength::None)[0], "GET /new%20path/%FF?a=b HTTP/1.1");
}

#[test]
fn fields_are_set_replaced_and_left_out_as_the_file_says() {
    let content = "location / { proxy_pass http://app; proxy_set_header HOST $http_host; \
                   proxy_set_header x-b $arg_none; proxy_set_header X-C \"c $remote_addr\"; \
                   proxy_set_header Upgrade x; proxy_set_header Keep-Alive 5; }";
    let request = "GET / HTTP/1.1\r\nHost: A:1\r\nX-B: 1\r\nX-C: 2\r\nX-D: 3\r\n\r\n";
    let sent = head(content, request, BodyLength::None);
    assert_eq!(sent, ["GET / HTTP/1.1", "HOST: A:1", "X-C: c 10.0.0.9", "X-D: 3"]);
}

#[test]
fn an_upgrade_goes_on_over_http_1_1_alone() {
    let request =
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x, h2c, y/2\r\n\r\n";
    let sent = head(PASS, request, BodyLength::None);
    assert_eq!(sent[1..3], ["Connection: upgrade", "Upgrade: x, y/2"]);
    let old = "location / { proxy_pass http://app; proxy_http_version 1.0; }";
    let sent = head(old, request, BodyLength::None);
    assert_eq!(sent, ["GET / HTTP/1.0", "Connection: close", "Host: app"]);
}

#[test]
fn line_ends_in_values_become_spaces() {
    let mut value = *b"a\rb\nc\0d";
    neutralise_line_ends(&mut value);
    assert_eq!(&value, b"a b c d");
    let mut good = *b"all good";
    neutralise_line_ends(&mut good);
    assert_eq!(&good, b"all good");
}

#[test]
fn an_answers_head_may_be_large_and_larger_where_the_file_says() {
    let bound = |settings: &str| {
        let case = Case::new(&format!("{settings} {PASS}"), GET);
        head_bytes_max(case.pass())
    };
    assert_eq!(bound(""), 64 << 10);
    assert_eq!(bound("proxy_buffer_size 4k;"), 64 << 10);
    assert_eq!(bound("proxy_buffer_size 100k;"), 100 << 10);
}

#[test]
fn variables_of_an_answer_that_is_not_there_set_nothing() {
    let content = "location / { proxy_pass http://app; proxy_set_header X-A $upstream_http_x; \
                   proxy_set_header X-B $sent_http_x; proxy_set_header X-S $status; }";
    let case = Case::new(content, GET);
    assert_eq!(head_of(&case, BodyLength::None)[2..], ["X-S: 000"]);
    let mut out = Vec::new();
    let response = answer("HTTP/1.1 200 OK\r\nX: 1\r\n\r\n");
    push_request(&case.view(&response), case.pass(), BodyLength::None, &mut out);
    assert!(String::from_utf8(out).unwrap().contains("X-A: 1\r\n"));
}
