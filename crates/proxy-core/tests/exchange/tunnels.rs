//! Connections that leave HTTP with a 101.

use std::rc::Rc;

use proxy_core::downstream::ClientNext;
use proxy_core::exchange::{Action, Side};
use proxy_core::fault::{Fault, UpstreamFault};
use proxy_core::generation::Generation;
use proxy_core::net::Cause;

use crate::case::{NOW, after, server, with_body};
use crate::waiting::Waiting;

const ASKS: &str = "GET /chat HTTP/1.1\r\nHost: main.test\r\nConnection: Upgrade\r\n\
                    Upgrade: websocket\r\nSec-WebSocket-Key: k\r\n\r\n";
const AGREES: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
                      Connection: Upgrade\r\nSec-WebSocket-Accept: a\r\n\r\n";

fn chat() -> Rc<Generation> {
    server("proxy_read_timeout 20s; location / { proxy_pass http://app; }")
}

/// A tunnel on which nothing was said yet.
fn tunnel() -> Waiting {
    let mut tunnel = Waiting::sent(&chat(), ASKS, false);
    tunnel.server_heard();
    tunnel.server_says(AGREES);
    tunnel.client_heard();
    tunnel
}

#[test]
fn after_101_both_sides_speak_freely() {
    let mut waiting = Waiting::sent(&chat(), ASKS, false);
    assert!(waiting.server_heard().contains("Connection: upgrade\r\nUpgrade: websocket\r\n"));
    assert_eq!(waiting.client_says("early"), 0, "nothing passes before the server agrees");
    waiting.server_says(&format!("{AGREES}frame"));
    let told = waiting.client_heard();
    assert!(told.starts_with("HTTP/1.1 101 Switching Protocols\r\n") && told.ends_with("frame"));
    assert!(told.contains("Connection: upgrade\r\nUpgrade: websocket\r\n"));
    assert!(!told.contains("Content-Length") && !told.contains("Transfer-Encoding"));
    assert_eq!(waiting.client_says("early hello"), 11);
    assert_eq!(waiting.server_heard(), "early hello");
    assert_eq!(waiting.exchange.down.sent.body_bytes, 5);
}

#[test]
fn a_client_that_ends_its_half_still_hears_the_other() {
    let mut tunnel = tunnel();
    assert!(!tunnel.exchange.ends_writing_to(Side::Upstream));
    tunnel.exchange.ended(Side::Client, NOW, &mut tunnel.out);
    assert!(tunnel.exchange.ends_writing_to(Side::Upstream));
    assert!(!tunnel.exchange.ends_writing_to(Side::Client));
    assert!(!tunnel.exchange.is_complete() && !tunnel.exchange.wants(Side::Client));
    tunnel.server_says("last words");
    assert_eq!(tunnel.client_heard(), "last words");
    tunnel.exchange.ended(Side::Upstream, NOW, &mut tunnel.out);
    tunnel.exchange.flowed(false, false, NOW);
    assert_eq!(tunnel.exchange.client_next(), ClientNext::Close);
    assert_eq!(tunnel.exchange.poll_action(), Some(Action::DropLink));
}

#[test]
fn a_server_that_ends_its_half_still_hears_the_other() {
    let mut tunnel = tunnel();
    tunnel.exchange.ended(Side::Upstream, NOW, &mut tunnel.out);
    assert!(tunnel.exchange.ends_writing_to(Side::Client));
    assert!(!tunnel.exchange.is_complete() && !tunnel.exchange.wants(Side::Upstream));
    assert_eq!(tunnel.client_says("last words"), 10);
    assert_eq!(tunnel.server_heard(), "last words");
    tunnel.exchange.ended(Side::Client, NOW, &mut tunnel.out);
    tunnel.exchange.flowed(false, false, NOW);
    assert_eq!(tunnel.exchange.client_next(), ClientNext::Close);
}

#[test]
fn what_was_read_for_the_server_is_delivered_before_its_connection_is_closed() {
    let mut tunnel = tunnel();
    tunnel.client_says("more than it takes now");
    tunnel.exchange.flowed(false, true, NOW);
    tunnel.exchange.ended(Side::Client, NOW, &mut tunnel.out);
    tunnel.exchange.ended(Side::Upstream, NOW, &mut tunnel.out);
    assert!(!tunnel.exchange.is_complete(), "bytes wait for the server");
    tunnel.exchange.flowed(false, false, after(1));
    assert!(tunnel.exchange.is_complete());
    assert_eq!(tunnel.exchange.poll_action(), Some(Action::DropLink));
}

#[test]
fn a_side_that_breaks_ends_the_tunnel() {
    for side in [Side::Client, Side::Upstream] {
        let mut tunnel = tunnel();
        tunnel.exchange.broken(side, Cause(104), NOW, &mut tunnel.out);
        assert!(tunnel.exchange.is_complete(), "{side:?}");
        assert_eq!(tunnel.exchange.poll_action(), Some(Action::DropLink), "{side:?}");
    }
}

#[test]
fn a_side_that_does_not_take_bytes_is_not_read_for() {
    let mut tunnel = tunnel();
    tunnel.exchange.flowed(true, false, NOW);
    assert!(tunnel.exchange.wants(Side::Client) && !tunnel.exchange.wants(Side::Upstream));
    tunnel.exchange.flowed(false, true, NOW);
    assert!(!tunnel.exchange.wants(Side::Client) && tunnel.exchange.wants(Side::Upstream));
}

#[test]
fn a_tunnel_on_which_nobody_speaks_ends_and_bytes_of_either_side_renew_it() {
    let mut tunnel = tunnel();
    assert_eq!(tunnel.exchange.deadline(), Some(after(20_000).ms));
    tunnel.exchange.heard(Side::Client, after(5_000));
    tunnel.exchange.bytes(Side::Client, b"a", after(5_000), &mut tunnel.out);
    assert_eq!(tunnel.exchange.deadline(), Some(after(25_000).ms));
    tunnel.exchange.heard(Side::Upstream, after(7_000));
    tunnel.exchange.bytes(Side::Upstream, b"b", after(7_000), &mut tunnel.out);
    assert_eq!(tunnel.exchange.deadline(), Some(after(27_000).ms));
    tunnel.exchange.expired(after(26_999), &mut tunnel.out);
    assert!(!tunnel.exchange.is_complete());
    tunnel.exchange.expired(after(27_000), &mut tunnel.out);
    assert_eq!(tunnel.exchange.client_next(), ClientNext::Close);
    let fault = Fault::Upstream(UpstreamFault::ReadTimedOut);
    assert_eq!(tunnel.exchange.fault(), Some(fault));
}

#[test]
fn a_101_that_nobody_asked_for_or_in_the_middle_of_a_body_is_a_502() {
    let asks = "POST / HTTP/1.1\r\nHost: main.test\r\nConnection: Upgrade\r\n\
                Upgrade: websocket\r\nContent-Length: 5\r\n\r\nab";
    for request in [crate::case::get("/"), with_body("POST", "/", "abc"), asks.to_owned()] {
        let mut waiting = Waiting::sent(&chat(), &request, false);
        waiting.server_says(AGREES);
        assert_eq!(waiting.status(), 502, "{request}");
        let fault = Fault::Upstream(UpstreamFault::UnaskedUpgrade);
        assert_eq!(waiting.exchange.fault(), Some(fault), "{request}");
    }
}

#[test]
fn a_101_of_a_server_that_was_asked_in_http_1_0_is_a_502() {
    let old = server("location / { proxy_pass http://app; proxy_http_version 1.0; }");
    let mut waiting = Waiting::sent(&old, ASKS, false);
    assert!(!waiting.server_heard().contains("Upgrade"), "it was not asked for anything");
    waiting.server_says(AGREES);
    let fault = Fault::Upstream(UpstreamFault::UnaskedUpgrade);
    assert_eq!((waiting.status(), waiting.exchange.fault()), (502, Some(fault)));
}

#[test]
fn a_server_that_does_not_agree_answers_as_ever() {
    let mut waiting = Waiting::sent(&chat(), ASKS, false);
    waiting.server_says("HTTP/1.1 426 Upgrade Required\r\nContent-Length: 2\r\n\r\nno");
    assert!(waiting.client_heard().ends_with("\r\n\r\nno"));
    assert_eq!(waiting.exchange.client_next(), ClientNext::KeepAlive);
    assert_eq!(waiting.exchange.poll_action(), Some(Action::KeepLink));
}
