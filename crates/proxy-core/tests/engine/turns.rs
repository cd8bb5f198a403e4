//! Turns of the worker: who has its turn when, what is due when, and reports that come too late.

use proxy_core::net::{Readiness, Token};

use crate::net::{Dial, Fate, Peer, REFUSED};
use crate::world::{World, answer, get, passing, statuses, with_body};

const OWN: &str = "server { listen 8080; keepalive_requests 100000; return 200 own; }";

#[test]
fn one_connection_does_not_keep_the_others_from_their_turn() {
    let mut world = World::new(OWN);
    let greedy = world.client();
    let modest = world.client();
    greedy.say(get("/").repeat(5_000));
    modest.say(get("/"));
    world.turn();
    assert_eq!(statuses(&modest.heard()), [200]);
    let first = statuses(&greedy.heard()).len();
    assert!(first < 100, "{first} answers in one turn");
    // It goes on by itself, without a report.
    assert_eq!(world.engine.wait_until_ms(), Some(world.moment().ms));
    world.settle();
    assert_eq!(first + statuses(&greedy.heard()).len(), 5_000);
}

#[test]
fn a_large_body_does_not_keep_the_others_from_their_turn() {
    let mut world = World::new(&passing("client_max_body_size 0; location /own { return 204; }"));
    let greedy = world.ask(get("/"));
    let modest = world.client();
    let server = world.server();
    server.say("HTTP/1.1 200 OK\r\nContent-Length: 9000000\r\n\r\n");
    server.say("x".repeat(9_000_000));
    modest.say(get("/own"));
    world.turn();
    assert_eq!(statuses(&modest.heard()), [204]);
    let first = greedy.heard().len();
    assert!(first < 3_000_000, "{first} bytes in one turn");
    world.settle();
    assert!(first + greedy.heard().len() > 9_000_000);
}

#[test]
fn a_deadline_that_moves_nearer_is_kept() {
    let mut world = World::new(&passing("client_body_timeout 60s; proxy_read_timeout 1s;"));
    let request = with_body("POST", "/", "abc");
    let client = world.ask(&request[..request.len() - 1]);
    world.pass(10_000);
    world.say(&client, "c");
    world.pass(999);
    assert_eq!(client.heard(), "");
    world.pass(1);
    assert_eq!(statuses(&client.heard()), [504]);
}

#[test]
fn a_deadline_that_moves_away_costs_nothing_before_its_time() {
    let mut world = World::new(&passing("proxy_read_timeout 2s;"));
    let client = world.ask(get("/"));
    let server = world.server();
    world.say(&server, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n");
    for _ in 0..99 {
        world.pass(1_999);
        world.say(&server, "x");
    }
    assert_eq!(client.fate(), Fate::Open);
    world.pass(1_999);
    world.say(&server, "x");
    assert!(client.heard().ends_with(&"x".repeat(100)));
}

#[test]
fn reports_for_what_is_gone_find_nothing() {
    let mut world = World::new(&passing(""));
    let client = world.ask(get("/"));
    let server = world.server();
    let tokens = [&client, &server].map(|peer| peer.0.borrow().token.unwrap());
    world.reset(&client);
    assert_eq!((world.engine.clients(), world.engine.links()), (0, 0));
    // Their places are taken by others, whose affair it is not.
    let other = world.ask(get("/"));
    let other_server = world.server();
    let all = Readiness { readable: true, writable: true, ended: true, broken: true };
    for token in tokens {
        world.engine.event(token, all, &mut world.net);
    }
    world.settle();
    assert_eq!((other.fate(), other_server.fate()), (Fate::Open, Fate::Open));
    world.say(&other_server, answer("x"));
    assert_eq!(statuses(&other.heard()), [200]);
}

#[test]
fn a_report_of_a_link_does_not_reach_who_has_given_it_up() {
    let mut world = World::new(&passing("proxy_connect_timeout 1s;"));
    world.rule(5000, Dial::Hangs);
    let client = world.ask(get("/"));
    let token = world.server().0.borrow().token.unwrap();
    assert!(matches!(token, Token::Link(_)));
    world.pass(1_000);
    assert_eq!(statuses(&client.heard()), [504]);
    let ready = Readiness { writable: true, ..Readiness::default() };
    world.engine.event(token, ready, &mut world.net);
    world.settle();
    assert_eq!((client.fate(), world.engine.links()), (Fate::Open, 0));
}

#[test]
fn an_answer_and_its_end_in_one_report_are_both_seen() {
    let mut world = World::new(&passing(""));
    let client = world.ask(get("/"));
    let server = world.server();
    // More than one read takes, and then the end.
    server.say("HTTP/1.1 200 OK\r\n\r\n");
    server.say("x".repeat(200_000));
    server.end();
    world.settle();
    let heard = client.heard();
    assert_eq!(heard.matches('x').count(), 200_000);
    assert!(heard.ends_with("\r\n0\r\n\r\n"));
    assert_eq!(world.engine.links(), 0);
}

#[test]
fn a_request_that_comes_with_its_connection_is_read_without_another_report() {
    let mut world = World::new(OWN);
    let listener = world.listener(8080);
    let local = "10.0.0.1:8080".parse().unwrap();
    let (peer, end) = Peer::new(local, true);
    peer.say(get("/"));
    let remote = "10.0.0.9:1".parse().unwrap();
    world.engine.begin_turn(world.moment());
    world.engine.accepted(end, remote, listener, &mut world.net).unwrap();
    // The system reports what was there before the socket was watched.
    world.adopt(peer.clone());
    world.settle();
    assert_eq!(statuses(&peer.heard()), [200]);
}

#[test]
fn connections_in_every_state_end_in_bounded_time_once_both_sides_are_quiet() {
    let mut world = World::new(&passing("location /own { return 200 own; }"));
    let request = with_body("POST", "/", "0123456789");
    world.client();
    world.ask("GET / HT");
    world.ask(get("/own"));
    world.ask("GET /own HTTP/1.0\r\n\r\n");
    world.ask(&request[..request.len() - 5]);
    world.ask(&with_body("POST", "/own", "0123456789")[..50]);
    world.ask(get("/"));
    let begun = world.server();
    world.say(&begun, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf");
    let slow = world.client();
    world.take(&slow, 5);
    world.say(&slow, get("/own"));
    world.rule(5000, Dial::Hangs);
    world.ask(get("/"));
    world.rule(5000, Dial::Fails(REFUSED));
    world.ask(get("/"));
    world.pass(300_000);
    assert_eq!((world.engine.clients(), world.engine.links()), (0, 0));
    assert_eq!(world.engine.wait_until_ms(), None);
}

#[test]
fn a_thousand_connections_come_and_go_and_leave_nothing_behind() {
    let mut world = World::new(&passing("location /own { return 200 own; }"));
    for turn in 0..1_000 {
        let client = world.ask(get(if turn % 2 == 0 { "/" } else { "/own" }));
        if turn % 2 == 0 && turn % 3 == 0 {
            let server = world.net.links.iter().rev().find(|link| link.fate() == Fate::Open);
            let server = server.cloned().unwrap();
            world.say(&server, answer("x"));
        }
        match turn % 5 {
            0 => world.reset(&client),
            _ => world.end(&client),
        }
    }
    world.pass(300_000);
    assert_eq!((world.engine.clients(), world.engine.links()), (0, 0));
    assert_eq!(world.lines().len(), 1_000);
    let counters = world.counters();
    assert_eq!((counters.connections, counters.connections_idle, counters.accepted), (0, 0, 1_000));
}
