//! What an exchange holds when it waits for use.

use super::*;
use crate::test_case::{NOW, client, parse, server};
use crate::upstream::call::Step;

const PASS: &str = "client_body_buffer_size 1m; proxy_buffer_size 1m; client_max_body_size 0; \
                    location / { proxy_pass http://app; } location /own { return 200 own; }";

/// The most that a buffer of a spare exchange may hold, in bytes.
const HELD_MAX: usize = 4 << 10;

/// The buffers of an exchange, with their sizes in bytes.
fn buffers(exchange: &Exchange) -> Vec<(&'static str, usize)> {
    let Exchange { request, down, wire, carried, .. } = exchange;
    let field = size_of::<http1::Field>();
    vec![
        ("head", request.bytes.capacity()),
        ("fields", request.head.fields.capacity() * field),
        ("host", request.uri.host.capacity()),
        ("path", request.uri.path.capacity()),
        ("args", request.uri.args.capacity()),
        ("target", request.uri.target.capacity()),
        ("answer", down.response.held_bytes_max()),
        ("answer's fields", wire.head.fields.capacity() * field),
        ("body", wire.replay.held_bytes()),
        ("carried", carried.iter().map(|(name, value)| name.capacity() + value.capacity()).sum()),
    ]
}

/// Sends a large request to a server that says this, and ends.
fn run(answer: &str) -> Exchange {
    let at = server(PASS);
    let mut exchange = Exchange::new(at.clone(), client());
    let mut out = Out::default();
    let body = "b".repeat(200_000);
    let fields = "X-F: 1\r\n".repeat(400);
    let path = "a".repeat(7_000);
    let host = "h".repeat(5_000);
    let head = format!(
        "PUT /{path}?a=b HTTP/1.1\r\nHost: {host}\r\nContent-Length: {}\r\n{fields}\r\n",
        body.len()
    );
    parse(&head, exchange.head_mut());
    let opening = Opening::Head(head.as_bytes());
    exchange.begin((at, client()), (1, false), opening, (NOW, NOW), &mut out);
    let (id, address) = loop {
        if let Some(Step::Dial(id, address)) = exchange.step(NOW, &mut out) {
            break (id, address);
        }
    };
    exchange.attached((id, &address), false, NOW, &mut out);
    exchange.bytes(Side::Client, body.as_bytes(), NOW, &mut out);
    let large = buffers(&exchange).iter().filter(|(_, bytes)| *bytes > HELD_MAX).count();
    assert!(large >= 6, "the request was meant to be large: {:?}", buffers(&exchange));
    exchange.bytes(Side::Upstream, answer.as_bytes(), NOW, &mut out);
    if !exchange.is_complete() {
        exchange.ended(Side::Client, NOW, &mut out);
    }
    exchange
}

#[test]
fn an_exchange_that_waits_for_use_holds_no_large_buffer() {
    let fields = format!("X-A: {}\r\n{}", "a".repeat(9_000), "X-B: 1\r\n".repeat(2_000));
    let cookie = format!("Set-Cookie: {}\r\n", "c".repeat(9_000));
    for answer in [
        format!("HTTP/1.1 200 OK\r\n{fields}Content-Length: 0\r\n\r\n"),
        format!("HTTP/1.1 200 OK\r\nX-Accel-Redirect: /own\r\n{fields}{cookie}\r\n"),
        format!("HTTP/1.1 200 OK\r\n{fields}: bad\r\n\r\n"),
        String::new(),
    ] {
        let mut exchange = run(&answer);
        exchange.shrink();
        for (name, bytes) in buffers(&exchange) {
            assert!(bytes <= HELD_MAX, "{name}: {bytes}");
        }
    }
}

#[test]
fn an_exchange_that_was_made_small_is_as_good_as_new() {
    let mut exchange = run("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    exchange.shrink();
    let at = server(PASS);
    let mut out = Out::default();
    let head = "GET /own HTTP/1.1\r\nHost: a\r\n\r\n";
    parse(head, exchange.head_mut());
    let opening = Opening::Head(head.as_bytes());
    exchange.begin((at, client()), (2, false), opening, (NOW, NOW), &mut out);
    assert!(out.client.ends_with(b"\r\n\r\nown"));
    assert_eq!(exchange.client_next(), ClientNext::KeepAlive);
}
