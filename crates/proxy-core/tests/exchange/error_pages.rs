//! nginx: `error_page`: a location of the file's own answers in the place of an error.

use proxy_core::downstream::ClientNext;
use proxy_core::exchange::{Action, Side};

use crate::case::{HELLO, NOW, Upstream, check, get, server, with_body};
use crate::waiting::Waiting;

const PAGES: &str = "error_page 404 /404; error_page 502 = @other; error_page 413 /large; \
                     location / { proxy_pass http://app; } \
                     location /404 { internal; return 200 \"no $request_uri\"; } \
                     location /large { return 200 large; } \
                     location /caught { proxy_intercept_errors on; proxy_pass http://app; } \
                     location /own { return 404; } \
                     location @other { add_header X-At $uri; return 201 other; }";

#[test]
fn a_page_has_the_errors_status_unless_another_is_written() {
    let outcome = check(&server(PAGES), &get("/own"), Upstream::Says(HELLO));
    assert_eq!((outcome.status, outcome.body().as_str()), (404, "no /own"));
    assert_eq!(outcome.next, ClientNext::KeepAlive);
    let outcome = check(&server(PAGES), &get("/x"), Upstream::Refuses);
    assert_eq!((outcome.status, outcome.body().as_str()), (201, "other"));
    assert_eq!(outcome.field("X-At"), ["/x"]);
}

#[test]
fn an_upstreams_error_passes_unless_it_is_intercepted() {
    let missing = "HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\n\r\ntheir";
    let outcome = check(&server(PAGES), &get("/x"), Upstream::Says(missing));
    assert_eq!((outcome.status, outcome.body().as_str()), (404, "their"));
    let outcome = check(&server(PAGES), &get("/caught"), Upstream::Says(missing));
    assert_eq!((outcome.status, outcome.body().as_str()), (404, "no /caught"));
    assert!(!outcome.kept, "what follows on the upstream's connection is nobody's");
}

#[test]
fn a_body_that_is_refused_is_read_away_and_the_page_goes_out() {
    let content = format!("client_max_body_size 3; {PAGES}");
    let request = with_body("POST", "/x", "four");
    let outcome = check(&server(&content), &request, Upstream::Says(HELLO));
    assert_eq!((outcome.status, outcome.body().as_str()), (413, "large"));
    assert_eq!(outcome.next, ClientNext::Close, "nginx trusts nothing that follows it");
}

/// A POST whose upstream goes away once so many bytes of its body have come.
fn left_alone(named: &str, body: &str, said: usize) -> Waiting {
    let pages = "client_body_buffer_size 8; error_page 502 = @again; \
                 location / { proxy_pass http://app; }";
    let content = format!("{pages} location @again {{ {named} }}");
    let request = with_body("POST", "/x", body);
    let cut = request.len() - body.len() + said;
    let mut waiting = Waiting::sent(&server(&content), &request[..cut], false);
    assert!(waiting.server_heard().ends_with(&body[..said]));
    waiting.exchange.ended(Side::Upstream, NOW, &mut waiting.out);
    assert_eq!(waiting.exchange.poll_action(), Some(Action::DropLink));
    waiting
}

#[test]
fn a_named_location_is_sent_a_body_once_more_that_has_gone_elsewhere() {
    let mut waiting = left_alone("proxy_pass http://app;", "abcdefgh", 8);
    waiting.attach(false, NOW);
    let heard = waiting.server_heard();
    assert!(heard.starts_with("POST /x HTTP/1.1\r\n"), "{heard}");
    assert!(heard.contains("Content-Length: 8\r\n") && heard.ends_with("\r\n\r\nabcdefgh"));
}

#[test]
fn a_body_that_is_too_long_or_not_whole_goes_to_no_named_location() {
    for (body, said) in [("abcdefghi", 9), ("abc", 2)] {
        let told = left_alone("proxy_pass http://app;", body, said).client_heard();
        assert!(told.starts_with("HTTP/1.1 502 Bad Gateway\r\n"), "{told}");
        let told = left_alone("return 201 own;", body, said).client_heard();
        assert!(told.starts_with("HTTP/1.1 201 Created\r\n"), "it needs none: {told}");
    }
}

#[test]
fn a_named_location_gets_the_body_that_nobody_has_read() {
    let content = "error_page 418 = @app; location / { return 418; } \
                   location @app { proxy_pass http://app; }";
    let request = with_body("POST", "/x%20y?z", "abc");
    let mut waiting = Waiting::sent(&server(content), &request, false);
    let heard = waiting.server_heard();
    assert!(
        heard.starts_with("POST /x%20y?z HTTP/1.1\r\n") && heard.ends_with("\r\n\r\nabc"),
        "{heard}"
    );
}
