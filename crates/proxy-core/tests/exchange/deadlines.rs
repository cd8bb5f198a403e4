//! Which side is waited for, for how long, and what renews the time.

use std::rc::Rc;

use proxy_core::clock::Moment;
use proxy_core::downstream::ClientNext;
use proxy_core::exchange::{Action, Side};
use proxy_core::fault::{Fault, UpstreamFault};
use proxy_core::generation::Generation;

use crate::case::{HELLO, NOW, after, get, server, with_body};
use crate::waiting::Waiting;

/// Every time is another, so that the one that runs can be told by its end.
fn timed() -> Rc<Generation> {
    server(
        "proxy_connect_timeout 1s; proxy_read_timeout 2s; proxy_send_timeout 3s; \
         client_body_timeout 5s; send_timeout 7s; lingering_timeout 11s; lingering_time 13s; \
         location /own { return 200 own; } location / { proxy_pass http://app; }",
    )
}

/// Half a request with a body of ten bytes.
fn half() -> Waiting {
    let request = with_body("POST", "/", "0123456789");
    Waiting::sent(&timed(), &request[..request.len() - 5], false)
}

fn due(waiting: &Waiting) -> u64 {
    waiting.exchange.deadline().map_or(u64::MAX, |at| at - NOW.ms)
}

fn expire(waiting: &mut Waiting, at: Moment) {
    waiting.exchange.expired(at, &mut waiting.out);
}

#[test]
fn a_connect_is_waited_for_as_long_as_the_file_says() {
    let (mut waiting, _) = Waiting::begun(&timed(), &get("/"));
    assert_eq!(waiting.exchange.poll_action(), Some(Action::Connect));
    while !matches!(
        waiting.exchange.step(NOW, &mut waiting.out),
        Some(proxy_core::upstream::call::Step::Dial(..))
    ) {}
    assert_eq!(due(&waiting), 1_000);
    expire(&mut waiting, after(1_000));
    assert_eq!(waiting.exchange.poll_action(), Some(Action::DropLink));
    assert_eq!(waiting.exchange.poll_action(), Some(Action::Connect));
    assert_eq!(waiting.exchange.step(after(1_000), &mut waiting.out), None);
    assert_eq!(waiting.status(), 504);
}

#[test]
fn a_silent_upstream_times_out_at_its_deadline_and_not_before() {
    let mut waiting = Waiting::sent(&timed(), &get("/"), false);
    assert_eq!(due(&waiting), 2_000);
    expire(&mut waiting, after(1_999));
    assert!(!waiting.exchange.is_complete());
    expire(&mut waiting, after(2_000));
    assert_eq!(waiting.status(), 504);
    assert_eq!(waiting.exchange.client_next(), ClientNext::KeepAlive);
}

#[test]
fn a_client_that_owes_its_body_is_waited_for_and_not_the_server() {
    let mut waiting = half();
    assert_eq!(due(&waiting), 5_000);
    waiting.exchange.heard(Side::Client, after(4_000));
    waiting.exchange.bytes(Side::Client, b"5", after(4_000), &mut waiting.out);
    assert_eq!(due(&waiting), 9_000, "each piece renews the time");
    expire(&mut waiting, after(9_000));
    assert_eq!((waiting.status(), waiting.exchange.fault()), (408, Some(Fault::ClientTooSlow)));
    assert_eq!(waiting.exchange.client_next(), ClientNext::Close);
}

#[test]
fn the_servers_time_begins_when_it_has_the_whole_request() {
    let mut waiting = half();
    waiting.exchange.heard(Side::Client, after(4_000));
    waiting.exchange.bytes(Side::Client, b"56789", after(4_000), &mut waiting.out);
    assert_eq!(due(&waiting), 6_000);
    expire(&mut waiting, after(6_000));
    assert_eq!(waiting.status(), 504);
}

#[test]
fn each_piece_of_an_answer_renews_the_servers_time() {
    let mut waiting = Waiting::sent(&timed(), &get("/"), false);
    let (head, body) = HELLO.split_at(HELLO.len() - 5);
    waiting.exchange.heard(Side::Upstream, after(1_500));
    waiting.exchange.bytes(Side::Upstream, head.as_bytes(), after(1_500), &mut waiting.out);
    assert_eq!(due(&waiting), 3_500);
    waiting.exchange.heard(Side::Upstream, after(3_000));
    waiting.exchange.bytes(Side::Upstream, &body.as_bytes()[..2], after(3_000), &mut waiting.out);
    assert_eq!(due(&waiting), 5_000);
    expire(&mut waiting, after(5_000));
    let fault = Fault::Upstream(UpstreamFault::ReadTimedOut);
    assert_eq!(waiting.exchange.fault(), Some(fault));
    assert_eq!(waiting.exchange.client_next(), ClientNext::Abort, "a part is not the whole");
}

#[test]
fn a_piece_that_passes_as_it_is_renews_the_servers_time_too() {
    let mut waiting = Waiting::sent(&timed(), &get("/"), false);
    waiting.server_says("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n");
    assert_eq!(waiting.exchange.relay(Side::Upstream, b"abc", after(1_000)), 3);
    assert_eq!(due(&waiting), 3_000);
}

#[test]
fn an_early_answer_leaves_the_clients_bytes_renew_the_time() {
    let mut waiting = half();
    waiting.server_says("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n");
    assert_eq!(due(&waiting), 2_000);
    waiting.exchange.heard(Side::Client, after(1_000));
    waiting.exchange.bytes(Side::Client, b"5", after(1_000), &mut waiting.out);
    assert_eq!(due(&waiting), 3_000);
    waiting.exchange.heard(Side::Upstream, after(1_500));
    waiting.exchange.bytes(Side::Upstream, b"a", after(1_500), &mut waiting.out);
    assert_eq!(due(&waiting), 3_500);
}

#[test]
fn a_server_that_takes_nothing_is_waited_for_as_long_as_the_file_says() {
    let mut waiting = half();
    waiting.exchange.flowed(false, true, after(1_000));
    assert_eq!(due(&waiting), 4_000);
    assert!(!waiting.exchange.wants(Side::Client), "nothing more is read for it");
    waiting.exchange.progressed(Side::Upstream, after(2_000));
    assert_eq!(due(&waiting), 5_000, "what it takes renews the time");
    expire(&mut waiting, after(5_000));
    let fault = Fault::Upstream(UpstreamFault::SendTimedOut);
    assert_eq!((waiting.status(), waiting.exchange.fault()), (504, Some(fault)));
}

#[test]
fn a_client_has_its_time_again_after_a_server_that_was_slow() {
    let mut waiting = half();
    waiting.exchange.flowed(false, true, after(1_000));
    waiting.exchange.flowed(false, false, after(3_500));
    assert_eq!(due(&waiting), 8_500);
}

#[test]
fn a_client_that_takes_nothing_is_cut_off() {
    let mut waiting = Waiting::sent(&timed(), &get("/"), false);
    waiting.server_says("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc");
    waiting.exchange.flowed(true, false, after(1_000));
    assert_eq!(due(&waiting), 8_000);
    assert!(!waiting.exchange.wants(Side::Upstream), "nothing more is read for it");
    waiting.exchange.progressed(Side::Client, after(2_000));
    assert_eq!(due(&waiting), 9_000, "what it takes renews the time");
    expire(&mut waiting, after(9_000));
    assert_eq!(waiting.exchange.fault(), Some(Fault::ClientStalled));
    assert_eq!(waiting.exchange.client_next(), ClientNext::Abort);
    assert_eq!(waiting.exchange.poll_action(), Some(Action::DropLink));
}

#[test]
fn a_server_has_its_time_again_after_a_client_that_was_slow() {
    let mut waiting = Waiting::sent(&timed(), &get("/"), false);
    waiting.server_says("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc");
    waiting.exchange.flowed(true, false, after(1_000));
    waiting.exchange.flowed(false, false, after(6_000));
    assert_eq!(due(&waiting), 8_000);
}

#[test]
fn a_whole_answer_that_a_client_does_not_take_is_given_up_too() {
    let mut waiting = Waiting::sent(&timed(), &get("/"), false);
    waiting.server_says(HELLO);
    waiting.exchange.flowed(true, false, NOW);
    assert!(waiting.exchange.is_complete());
    assert_eq!(due(&waiting), 7_000);
    expire(&mut waiting, after(7_000));
    assert_eq!(waiting.exchange.client_next(), ClientNext::Abort);
    assert_eq!(waiting.exchange.fault(), Some(Fault::ClientStalled));
}

#[test]
fn the_end_of_a_connection_is_no_end_of_an_answer_that_was_not_taken() {
    let request = "GET / HTTP/1.0\r\nHost: main.test\r\n\r\n";
    let mut waiting = Waiting::sent(&timed(), request, false);
    waiting.server_says("HTTP/1.1 200 OK\r\n\r\nabc");
    waiting.exchange.ended(Side::Upstream, NOW, &mut waiting.out);
    waiting.exchange.flowed(true, false, NOW);
    expire(&mut waiting, after(7_000));
    assert_eq!(waiting.exchange.client_next(), ClientNext::Reset);
}

#[test]
fn the_rest_of_a_body_is_waited_for_piece_by_piece_and_not_for_ever() {
    let request = with_body("POST", "/own", "0123456789");
    let (mut waiting, used) = Waiting::begun(&timed(), &request);
    assert_eq!(due(&waiting), 11_000);
    waiting.exchange.heard(Side::Client, after(1_000));
    waiting.exchange.bytes(
        Side::Client,
        &request.as_bytes()[used..used + 1],
        after(1_000),
        &mut waiting.out,
    );
    assert_eq!(due(&waiting), 12_000);
    waiting.exchange.heard(Side::Client, after(6_000));
    waiting.exchange.bytes(Side::Client, b"1", after(6_000), &mut waiting.out);
    assert_eq!(due(&waiting), 13_000, "the whole has its bound");
    expire(&mut waiting, after(13_000));
    assert_eq!(waiting.exchange.client_next(), ClientNext::Close);
}

#[test]
fn nothing_is_waited_for_when_all_is_over() {
    let mut waiting = Waiting::sent(&timed(), &get("/"), false);
    waiting.server_says(HELLO);
    assert_eq!(waiting.exchange.deadline(), None);
    expire(&mut waiting, after(1_000_000));
    assert_eq!(waiting.exchange.client_next(), ClientNext::KeepAlive);
}

#[test]
fn the_rest_of_a_request_is_waited_for_once_its_answer_had_its_time() {
    let generation = server(
        "lingering_timeout 2s; lingering_time 3s; \
         location / { limit_rate 1; return 200 0123456789; }",
    );
    let request = with_body("POST", "/", "0123456789");
    let (mut waiting, used) = Waiting::begun(&generation, &request);
    waiting.client_says(&request[used..request.len() - 5]);
    let made = waiting.client_heard().len();
    waiting.exchange.paced(made - 1, true);
    waiting.exchange.flowed(true, false, NOW);
    assert_eq!(due(&waiting), 1_000);
    let at = |ms| Moment { ms: NOW.ms + ms, ..NOW };
    for second in [1_000, 4_000] {
        expire(&mut waiting, at(second));
        assert!(!waiting.exchange.is_complete());
    }
    waiting.exchange.paced(0, false);
    waiting.exchange.flowed(false, false, at(4_500));
    assert_eq!(due(&waiting), 6_500);
    expire(&mut waiting, at(6_500));
    assert!(waiting.exchange.is_complete());
}
