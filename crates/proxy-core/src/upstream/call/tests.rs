//! Which server is tried next, and what becomes of the attempts before.

use super::*;
use crate::net::Cause;
use crate::test_case::{Case, at};

const REFUSED: UpstreamFault = UpstreamFault::Connect(Cause(111));
/// A request that may be sent again.
const AGAIN: Resend = Resend { is_stale: false, is_possible: true, is_idempotent: true };
/// The same on a connection that had been idle.
const STALE: Resend = Resend { is_stale: true, ..AGAIN };

/// A call at servers of one group, as it goes on.
struct Chain {
    case: Case,
    peers: Peers,
    call: Call,
    now: Millis,
}

impl Chain {
    /// So many servers at the ports 1 and up, with these settings.
    fn new(servers: u16, settings: &str) -> Chain {
        let lines: Vec<String> = (1..=servers).map(|n| format!("server 10.0.0.5:{n};")).collect();
        Chain::of(&lines.concat(), settings)
    }

    fn of(lines: &str, settings: &str) -> Chain {
        let text = format!(
            "http {{ upstream app {{ {lines} }} server {{ listen 8080; {settings} \
             location / {{ proxy_pass http://app; }} }} }}"
        );
        let case = Case::at(at(&text), "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        let peers = Peers::new(case.request.at.config());
        let mut chain = Chain { case, peers, call: Call::default(), now: 1_000 };
        chain.call.begin(chain.case.pass(), chain.case.request.at.config(), 0, chain.now);
        chain
    }

    fn step(&mut self) -> Step {
        let config = self.case.request.at.config();
        self.call.step(config, &mut self.peers, &mut self.case.attempts, self.now)
    }

    /// The port that is dialled next, no idle connection being there.
    fn dialled(&mut self) -> u16 {
        match self.step() {
            Step::TakeIdle(_) => self.dialled(),
            Step::Dial(_, Address::Tcp(address)) => address.port(),
            other => panic!("{other:?}"),
        }
    }

    fn given_up(&mut self) -> UpstreamFault {
        match self.step() {
            Step::GiveUp(fault) => fault,
            step => panic!("goes on: {step:?}"),
        }
    }

    fn attached(&mut self, is_reused: bool) {
        let id = self.call.server().unwrap();
        let address = self.peers.address(id, 0).unwrap();
        let attempts = &mut self.case.attempts;
        self.call.attached((id, &address), is_reused, &mut self.peers, attempts, self.now);
    }

    fn refused(&mut self) {
        self.call.dial_failed(REFUSED, &mut self.case.attempts, self.now);
    }

    fn failed(&mut self, fault: UpstreamFault, resend: Resend) -> bool {
        let config = self.case.request.at.generation().config();
        let place = (config, &mut self.peers);
        self.call.failed(fault, resend, place, &mut self.case.attempts, self.now)
    }

    /// Ports and statuses of the attempts.
    fn attempts(&self) -> Vec<(u16, Option<u16>)> {
        let port = |attempt: &Attempt| match attempt.address {
            Some(Address::Tcp(address)) => address.port(),
            _ => 0,
        };
        self.case.attempts.iter().map(|attempt| (port(attempt), attempt.status)).collect()
    }
}

#[test]
fn an_idle_connection_is_asked_for_before_a_new_one_at_each_server() {
    let mut chain = Chain::new(2, "");
    let (first, second) =
        (ServerId { upstream: 0, server: 0 }, ServerId { upstream: 0, server: 1 });
    assert_eq!(chain.step(), Step::TakeIdle(first));
    assert_eq!(chain.dialled(), 1);
    chain.refused();
    assert_eq!(chain.step(), Step::TakeIdle(second));
    assert_eq!(chain.dialled(), 2);
}

#[test]
fn connects_that_fail_go_from_server_to_server_until_none_is_left() {
    let mut chain = Chain::new(3, "");
    for port in 1..=3 {
        assert_eq!(chain.dialled(), port);
        chain.refused();
    }
    assert_eq!(chain.given_up(), REFUSED);
    assert_eq!(chain.attempts(), [(1, Some(502)), (2, Some(502)), (3, Some(502))]);
    assert_eq!(chain.call.passed_over().len(), 3);
}

#[test]
fn the_bounds_of_tries_and_time_hold_for_connects() {
    let mut chain = Chain::new(3, "proxy_next_upstream_tries 2;");
    chain.dialled();
    chain.refused();
    chain.dialled();
    chain.refused();
    assert_eq!(chain.given_up(), REFUSED);
    let mut chain = Chain::new(3, "proxy_next_upstream_timeout 2s;");
    chain.dialled();
    chain.now += 1_999;
    chain.refused();
    chain.dialled();
    chain.now += 1;
    chain.refused();
    assert_eq!(chain.given_up(), REFUSED);
}

#[test]
fn a_failure_after_the_connect_goes_on_only_where_the_file_names_it() {
    let all = "proxy_next_upstream error timeout invalid_header http_503;";
    let malformed = UpstreamFault::Malformed(http1::Reject::StatusMalformed);
    for (fault, by_default, named) in [
        (UpstreamFault::Closed, true, true),
        (UpstreamFault::Broken(Cause(104)), true, true),
        (UpstreamFault::ReadTimedOut, true, true),
        (UpstreamFault::SendTimedOut, true, true),
        (malformed, false, true),
        (UpstreamFault::Status(503), false, true),
        (UpstreamFault::Status(500), false, false),
        (UpstreamFault::UnaskedUpgrade, false, false),
    ] {
        for (settings, expected) in [("", by_default), (all, named)] {
            let mut chain = Chain::new(2, settings);
            chain.dialled();
            chain.attached(false);
            assert_eq!(chain.failed(fault, AGAIN), expected, "{fault} {settings}");
        }
    }
}

#[test]
fn a_request_goes_on_only_if_it_is_at_hand_and_may_be_repeated() {
    let lost = Resend { is_possible: false, ..AGAIN };
    let post = Resend { is_idempotent: false, ..AGAIN };
    for (resend, settings, expected) in [
        (AGAIN, "", true),
        (lost, "", false),
        (post, "", false),
        (post, "proxy_next_upstream error non_idempotent;", true),
        (Resend { is_possible: false, ..post }, "proxy_next_upstream error non_idempotent;", false),
    ] {
        let mut chain = Chain::new(2, settings);
        chain.dialled();
        chain.attached(false);
        assert_eq!(chain.failed(UpstreamFault::Closed, resend), expected, "{resend:?} {settings}");
    }
}

#[test]
fn a_dead_idle_connection_is_followed_by_a_new_one_to_the_same_server_without_blame() {
    let mut chain = Chain::new(1, "proxy_next_upstream off;");
    chain.step();
    chain.attached(true);
    assert!(chain.failed(UpstreamFault::Closed, STALE));
    assert_eq!(chain.dialled(), 1);
    chain.attached(false);
    assert_eq!(chain.attempts(), [(1, Some(502)), (1, None)]);
    assert!(chain.call.passed_over().is_empty());
    // The new one has no such excuse.
    assert!(!chain.failed(UpstreamFault::Closed, AGAIN));
}

#[test]
fn an_idle_connection_that_hangs_is_no_dead_one() {
    let mut chain = Chain::new(2, "");
    chain.step();
    chain.attached(true);
    assert!(chain.failed(UpstreamFault::ReadTimedOut, STALE));
    assert_eq!(chain.dialled(), 2);
    assert_eq!(chain.call.passed_over().len(), 1);
}

#[test]
fn a_bad_status_is_given_up_only_where_another_server_can_be_asked() {
    let chain = |servers, settings: &str| {
        let mut chain = Chain::new(servers, settings);
        chain.dialled();
        chain.attached(false);
        chain
    };
    let named = "proxy_next_upstream http_503;";
    assert!(chain(2, named).call.would_try_next(503, AGAIN, 1_000));
    assert!(!chain(1, named).call.would_try_next(503, AGAIN, 1_000));
    assert!(!chain(2, named).call.would_try_next(500, AGAIN, 1_000));
    assert!(!chain(2, named).call.would_try_next(200, AGAIN, 1_000));
    let lost = Resend { is_possible: false, ..AGAIN };
    assert!(!chain(2, named).call.would_try_next(503, lost, 1_000));
    let timed = chain(2, &format!("{named} proxy_next_upstream_timeout 1s;"));
    assert!(timed.call.would_try_next(503, AGAIN, 1_999));
    assert!(!timed.call.would_try_next(503, AGAIN, 2_000));
}

#[test]
fn all_addresses_of_a_server_belong_to_one_try() {
    let mut chain = Chain::new(2, "proxy_next_upstream_tries 1;");
    let id = ServerId { upstream: 0, server: 0 };
    let addresses: Vec<_> =
        (11..=13).map(|port| Address::literal("10.0.0.6", port).unwrap()).collect();
    chain.peers.set_addresses(id, &addresses);
    for port in 11..=13 {
        assert_eq!(chain.dialled(), port);
        chain.refused();
    }
    assert_eq!(chain.given_up(), REFUSED);
    assert_eq!(chain.call.passed_over().len(), 1);
}

#[test]
fn a_name_without_an_address_is_an_error_of_its_server() {
    let mut chain = Chain::of("server no.such.name:1; server 10.0.0.5:2;", "");
    assert_eq!(chain.dialled(), 2);
    assert_eq!(chain.attempts(), [(0, Some(502)), (2, None)]);
    assert_eq!(chain.call.passed_over(), [(UpstreamFault::Unresolved, None)]);
}

#[test]
fn a_group_whose_servers_are_down_has_nobody_to_ask() {
    let mut chain = Chain::of("server 10.0.0.5:1 down; server 10.0.0.5:2 down;", "");
    assert_eq!(chain.given_up(), UpstreamFault::NoneLive);
    assert_eq!(chain.attempts(), [(0, Some(502))]);
}

#[test]
fn an_attempt_knows_its_times() {
    let mut chain = Chain::new(1, "");
    chain.dialled();
    chain.now += 30;
    chain.attached(false);
    chain.now += 70;
    chain.case.attempts.end(Some(200), chain.now);
    chain.case.attempts.end(Some(500), chain.now);
    let attempt = chain.case.attempts.iter().next().unwrap();
    assert_eq!(attempt.status, Some(200), "what it came to first");
    assert_eq!((attempt.connect_ms, attempt.response_ms), (Some(30), Some(100)));
}

// What was sent of a body.
