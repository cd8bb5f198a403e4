//! What answers which request.

use super::*;
use crate::test_case::{self, Case};

const GET: &str = "GET /a HTTP/1.1\r\nHost: a\r\n\r\n";
const LONG: &str = "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n";
const CHUNKED: &str = "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";

fn check(content: &str, head: &str, expected: Content) {
    assert_eq!(Case::new(content, head).content, expected, "{content} {head}");
}

#[test]
fn the_servers_own_return_goes_before_all_else() {
    check("return 403; location / { return 200; }", GET, Content::ServerReturn);
    check("return 403; client_max_body_size 10;", LONG, Content::ServerReturn);
}

#[test]
fn a_location_answers_by_what_it_has() {
    check("location /a { return 200; }", GET, Content::LocationReturn);
    check("location /a { return 200; proxy_pass http://app; }", GET, Content::LocationReturn);
    check("location /a { proxy_pass http://app; }", GET, Content::Call);
    check("location /a/ { proxy_pass http://app; }", GET, Content::SlashRedirect);
    check("location /a { }", GET, Content::Status(404));
    check("location /b { return 200; }", GET, Content::Status(404));
}

#[test]
fn a_declared_length_is_looked_at_before_anybody_answers() {
    let small = "client_max_body_size 10;";
    let too_large = Content::Fault(Fault::BodyTooLarge);
    check(&format!("location / {{ {small} return 200; }}"), LONG, too_large);
    check(&format!("location / {{ {small} proxy_pass http://app; }}"), LONG, too_large);
    check("location / { client_max_body_size 11; return 200; }", LONG, Content::LocationReturn);
    check("location / { client_max_body_size 0; return 200; }", LONG, Content::LocationReturn);
    check(&format!("location / {{ {small} return 200; }}"), CHUNKED, Content::LocationReturn);
}

#[test]
fn a_chunked_body_does_not_go_to_an_upstream_in_http_1_0() {
    let old = "location / { proxy_http_version 1.0; proxy_pass http://app; }";
    check(old, CHUNKED, Content::Fault(Fault::LengthRequired));
    check(old, LONG, Content::Call);
    check("location / { proxy_pass http://app; }", CHUNKED, Content::Call);
}

#[test]
fn each_redirect_finds_its_place_anew_and_there_are_ten_of_them() {
    let content = "location /a { proxy_pass http://app; } location /b { return 200; }";
    let mut case = Case::new(content, CHUNKED);
    for turn in 1..=REDIRECTS_MAX {
        let path: &[u8] = if turn % 2 == 1 { b"/b" } else { b"/a" };
        case.request.redirect(path, b"");
        let expected = if turn % 2 == 1 { Content::LocationReturn } else { Content::Call };
        assert_eq!(run(&mut case.request), expected, "{turn}");
    }
    case.request.redirect(b"/b", b"");
    assert_eq!(run(&mut case.request), Content::Fault(Fault::RedirectCycle));
}

#[test]
fn a_body_that_stayed_behind_keeps_no_upstream_in_http_1_0_from_being_asked() {
    let content = "location /a { return 200; } \
                   location /b { proxy_http_version 1.0; proxy_pass http://app; }";
    let mut case = Case::at(test_case::server(content), CHUNKED);
    case.request.redirect(b"/b", b"");
    assert_eq!(run(&mut case.request), Content::Call);
}
