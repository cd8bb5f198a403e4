//! The bodies of requests: how they go on, how far they may, and what answers those that may not.

use proxy_core::downstream::ClientNext;
use proxy_core::exchange::Side;
use proxy_core::response::Source;

use crate::case::{HELLO, Outcome, Upstream, check, get, run, server, unchunked, whole, with_body};
use crate::waiting::Waiting;

const SMALL: &str = "client_max_body_size 10; location / { proxy_pass http://app; }";

const CHUNKED: &str = "POST / HTTP/1.1\r\nHost: main.test\r\nTransfer-Encoding: chunked\r\n\r\n";
const EXPECTING: &str = "Host: main.test\r\nExpect: 100-continue\r\n";

fn answered(content: &str, request: &str) -> Outcome {
    check(&server(content), request, Upstream::Says(HELLO))
}

#[test]
fn a_body_is_passed_on_with_its_length() {
    let outcome = answered(SMALL, &with_body("POST", "/", "0123456789"));
    let expected = "POST / HTTP/1.1\r\nHost: app\r\nContent-Length: 10\r\n\r\n0123456789";
    assert_eq!(outcome.to_upstream, expected);
    assert_eq!((outcome.next, outcome.kept), (ClientNext::KeepAlive, true));
}

#[test]
fn a_body_of_no_bytes_keeps_its_length() {
    let outcome = answered(SMALL, &with_body("POST", "/", ""));
    assert!(outcome.to_upstream.ends_with("\r\nContent-Length: 0\r\n\r\n"));
}

#[test]
fn a_chunked_body_is_passed_on_in_chunks_without_extensions_and_trailers() {
    let body = "5;ext=1\r\n01234\r\n5\r\n56789\r\n0\r\nX-Trailer: 1\r\n\r\n";
    let outcome = answered(SMALL, &format!("{CHUNKED}{body}"));
    assert!(outcome.to_upstream.contains("Transfer-Encoding: chunked\r\n"));
    assert!(outcome.to_upstream.ends_with("5\r\n01234\r\n5\r\n56789\r\n0\r\n\r\n"));
    assert_eq!(outcome.next, ClientNext::KeepAlive);
}

#[test]
fn a_body_whose_length_is_declared_too_large_is_refused_unread() {
    let outcome = answered(SMALL, &with_body("POST", "/", "0123456789x"));
    assert_eq!((outcome.status, outcome.source), (413, Source::Proxy));
    assert_eq!((outcome.next, outcome.field("Connection")), (ClientNext::Close, vec!["close"]));
    assert_eq!(outcome.to_upstream, "");
}

#[test]
fn a_chunked_body_is_refused_where_it_grows_too_large_and_never_ends_whole() {
    let request = format!("{CHUNKED}6\r\n012345\r\n5\r\nABCDE\r\n0\r\n\r\n");
    for piece in [1, 3, 1_000] {
        let generation = server(SMALL);
        let cut = &mut |_, left: usize| left.min(piece);
        let outcome = run(&generation, &request, Upstream::Says(""), cut, false);
        assert_eq!((outcome.status, outcome.next), (413, ClientNext::Close), "{piece}");
        assert!(!unchunked(&outcome.to_upstream).ends_with("whole"), "{piece}");
        let body = unchunked(&outcome.to_upstream);
        assert!(!body.contains("ABCDE"), "{piece}: {body}");
    }
}

#[test]
fn a_body_as_large_as_allowed_passes_and_zero_allows_all() {
    assert_eq!(answered(SMALL, &with_body("PUT", "/", "0123456789")).status, 200);
    let unlimited = "client_max_body_size 0; location / { proxy_pass http://app; }";
    assert_eq!(answered(unlimited, &with_body("PUT", "/", &"x".repeat(300))).status, 200);
}

#[test]
fn a_chunked_body_for_an_upstream_in_http_1_0_asks_for_its_length() {
    let old = "location / { proxy_pass http://app; proxy_http_version 1.0; }";
    let outcome = answered(old, &format!("{CHUNKED}0\r\n\r\n"));
    assert_eq!(
        (outcome.status, outcome.source, outcome.next),
        (411, Source::Proxy, ClientNext::KeepAlive)
    );
    assert_eq!(answered(old, &with_body("POST", "/", "abc")).status, 200);
}

#[test]
fn a_malformed_chunk_in_the_middle_of_a_body_is_a_400() {
    let outcome = answered(SMALL, &format!("{CHUNKED}3\r\nabc\r\nx\r\n"));
    assert_eq!((outcome.status, outcome.source), (400, Source::Proxy));
    assert_eq!((outcome.next, outcome.kept), (ClientNext::Close, false));
    assert!(!unchunked(&outcome.to_upstream).ends_with("whole"));
}

#[test]
fn a_client_that_ends_in_the_middle_of_its_body_is_not_answered_for_the_whole() {
    let request = with_body("POST", "/", "01234");
    let mut waiting = Waiting::sent(&server(SMALL), &request[..request.len() - 2], false);
    waiting.exchange.ended(Side::Client, crate::case::NOW, &mut waiting.out);
    assert_eq!((waiting.status(), waiting.exchange.client_next()), (400, ClientNext::Abort));
    assert_eq!(waiting.client_heard(), "");
}

// Expect: 100-continue.

#[test]
fn a_client_that_expects_100_is_told_to_go_on_once_the_upstream_is_there() {
    let request = format!("POST / HTTP/1.1\r\n{EXPECTING}Content-Length: 2\r\n\r\nok");
    let outcome = answered(SMALL, &request);
    assert!(outcome.to_client.starts_with("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n"));
    assert!(!outcome.to_upstream.contains("Expect"));
    let (mut waiting, _) = Waiting::begun(&server(SMALL), &request);
    assert_eq!(waiting.client_heard(), "", "no server is there yet");
    waiting.attach(false, crate::case::NOW);
    assert_eq!(waiting.client_heard(), "HTTP/1.1 100 Continue\r\n\r\n");
}

#[test]
fn a_client_that_expects_100_without_a_body_gets_its_answer_alone() {
    for request in [
        format!("POST / HTTP/1.1\r\n{EXPECTING}Content-Length: 0\r\n\r\n"),
        format!("GET / HTTP/1.1\r\n{EXPECTING}\r\n"),
        "POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nok".to_owned(),
    ] {
        let outcome = answered(SMALL, &request);
        assert!(outcome.to_client.starts_with("HTTP/1.1 200 OK\r\n"), "{request}");
    }
}

#[test]
fn a_client_that_expects_100_for_what_is_answered_here_is_told_to_go_on_and_lives_on() {
    let own = "location / { return 200 own; }";
    let request = format!("POST / HTTP/1.1\r\n{EXPECTING}Content-Length: 2\r\n\r\nok");
    let outcome = answered(own, &request);
    assert!(outcome.to_client.starts_with("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n"));
    assert_eq!(outcome.next, ClientNext::KeepAlive);
}

#[test]
fn a_client_that_expects_100_for_too_large_a_body_is_told_no_and_the_connection_ends() {
    let request = format!("POST / HTTP/1.1\r\n{EXPECTING}Content-Length: 11\r\n\r\n");
    let (mut waiting, _) = Waiting::begun(&server(SMALL), &request);
    let told = waiting.client_heard();
    assert!(told.starts_with("HTTP/1.1 413 ") && told.contains("\r\nConnection: close\r\n"));
    assert_eq!(waiting.exchange.client_next(), ClientNext::Close);
}

#[test]
fn a_client_that_expects_100_and_finds_no_server_is_not_told_to_go_on() {
    let request = format!("POST / HTTP/1.1\r\n{EXPECTING}Content-Length: 2\r\n\r\n");
    let outcome = whole(&server(SMALL), &request, Upstream::Refuses);
    assert!(outcome.to_client.starts_with("HTTP/1.1 502 "), "{}", outcome.to_client);
    // Whether the body comes cannot be known: nothing after it may be taken for a request.
    assert_eq!((outcome.next, outcome.field("Connection")), (ClientNext::Close, vec!["close"]));
}

#[test]
fn an_interim_answer_of_the_upstream_is_not_told_twice() {
    let request = format!("POST / HTTP/1.1\r\n{EXPECTING}Content-Length: 2\r\n\r\nok");
    let answer = format!("HTTP/1.1 100 Continue\r\n\r\n{HELLO}");
    let outcome = check(&server(SMALL), &request, Upstream::Says(&answer));
    assert_eq!(outcome.to_client.matches("100 Continue").count(), 1);
    assert_eq!(outcome.status, 200);
}

// Bodies for answers that are made here.

#[test]
fn a_body_for_an_answer_made_here_is_read_away_and_the_connection_lives_on() {
    let own = "location / { return 200 own; }";
    for request in
        [with_body("POST", "/", "0123456789"), format!("{CHUNKED}5\r\n01234\r\n0\r\n\r\n")]
    {
        let outcome = answered(own, &request);
        assert_eq!((outcome.status, outcome.body().as_str()), (200, "own"));
        assert_eq!(outcome.next, ClientNext::KeepAlive, "{request}");
    }
}

#[test]
fn a_body_that_is_read_away_is_checked_all_the_same() {
    let own = server("location / { return 200 own; }");
    let request = format!("{CHUNKED}zz\r\n");
    let outcome = check(&own, &request, Upstream::Refuses);
    assert_eq!((outcome.status, outcome.next), (200, ClientNext::Close));
}

#[test]
fn what_follows_a_body_that_is_read_away_is_left_for_the_next_request() {
    let own = server("location / { return 200 own; }");
    let (mut waiting, _) = Waiting::begun(&own, &with_body("POST", "/", "abc"));
    assert_eq!(waiting.client_says(&format!("abc{}", get("/next"))), 3);
    assert!(waiting.exchange.is_complete());
    assert_eq!(waiting.exchange.client_next(), ClientNext::KeepAlive);
}

#[test]
fn an_upstream_that_fails_in_the_middle_of_a_body_does_not_end_the_clients_connection() {
    let generation = server(SMALL);
    let request = with_body("POST", "/", "01234");
    let mut waiting = Waiting::sent(&generation, &request[..request.len() - 2], false);
    waiting.exchange.ended(Side::Upstream, crate::case::NOW, &mut waiting.out);
    assert!(waiting.client_heard().starts_with("HTTP/1.1 502 "));
    assert!(waiting.exchange.wants(Side::Client), "the rest is read away");
    assert_eq!(waiting.client_says("34GET "), 2);
    assert_eq!(waiting.exchange.client_next(), ClientNext::KeepAlive);
}
