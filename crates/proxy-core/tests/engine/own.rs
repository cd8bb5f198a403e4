//! Requests that are answered here while their bodies come, and what is pipelined behind them.

use crate::net::{Dial, Fate, REFUSED};
use crate::world::{World, answer, get, passing, statuses, with_body};

const OWN: &str = "server { listen 8080; lingering_timeout 2s; lingering_time 5s; \
                   location / { return 200 own; } }";
const CHUNKED: &str = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";

#[test]
fn a_body_for_an_answer_made_here_is_read_away_and_the_next_request_answered() {
    let mut world = World::new(OWN);
    let body = "x".repeat(100_000);
    for request in [
        with_body("POST", "/", &body),
        format!("{CHUNKED}186a0\r\n{body}\r\n0\r\n\r\n"),
        format!("{CHUNKED}0\r\n\r\n"),
    ] {
        let client = world.ask([request, get("/next")].concat());
        let heard = client.heard();
        assert_eq!((statuses(&heard), client.fate()), (vec![200, 200], Fate::Open), "{heard}");
        assert!(!heard.contains("Connection: close"));
    }
}

#[test]
fn the_answer_does_not_wait_for_the_body_that_is_read_away() {
    let mut world = World::new(OWN);
    let request = with_body("POST", "/", "0123456789");
    let (first, rest) = request.split_at(request.len() - 5);
    let client = world.ask(first);
    assert_eq!(statuses(&client.heard()), [200]);
    assert_eq!(world.lines(), Vec::<String>::new(), "its request is still under way");
    world.say(&client, format!("{rest}{}", get("/next")));
    assert_eq!(statuses(&client.heard()), [200]);
    let lines = world.lines();
    assert_eq!(lines.len(), 2);
    assert!(lines[1].starts_with("GET /next "));
}

#[test]
fn a_body_that_does_not_come_is_waited_for_no_longer_than_the_file_says() {
    let mut world = World::new(OWN);
    let request = with_body("POST", "/", "0123456789");
    let silent = world.ask(&request[..request.len() - 9]);
    world.pass(1_999);
    assert_eq!(silent.fate(), Fate::Open);
    world.pass(1);
    assert_eq!(silent.fate(), Fate::Ended);
    assert_eq!(world.lines().len(), 1);
    let slow = world.ask(&request[..request.len() - 9]);
    for _ in 0..4 {
        world.pass(1_200);
        world.say(&slow, "x");
        assert_eq!(slow.fate(), Fate::Open);
    }
    world.pass(200);
    assert_eq!(slow.fate(), Fate::Ended, "however it goes on");
}

#[test]
fn a_malformed_body_that_is_read_away_ends_the_connection_and_nothing_behind_it_is_a_request() {
    let mut world = World::new(OWN);
    let client = world.ask(format!("{CHUNKED}zz\r\n{}", get("/smuggled")));
    assert_eq!((statuses(&client.heard()), client.fate()), (vec![200], Fate::Ended));
    assert_eq!(world.lines().len(), 1);
    assert_eq!(world.counters().rejected, 1);
    assert!(world.notices()[0].starts_with("the client sent chunk_size_malformed"));
}

#[test]
fn a_client_that_goes_in_the_middle_of_a_body_that_is_read_away_is_let_go() {
    for leave in [World::end, World::reset] {
        let mut world = World::new(OWN);
        let request = with_body("POST", "/", "0123456789");
        let client = world.ask(&request[..request.len() - 5]);
        leave(&mut world, &client);
        assert_eq!((client.fate(), world.engine.clients()), (Fate::Closed, 0));
        assert_eq!(world.lines().len(), 1);
    }
}

#[test]
fn a_body_behind_a_failed_upstream_is_read_away_too() {
    let mut world = World::new(&passing(""));
    world.rule(5000, Dial::Fails(REFUSED));
    let client = world.ask([with_body("POST", "/1", "abc"), with_body("POST", "/2", "d")].concat());
    let heard = client.heard();
    assert_eq!((statuses(&heard), client.fate()), (vec![502, 502], Fate::Open));
}

#[test]
fn a_client_that_expects_100_is_told_to_go_on_where_its_body_is_read_away() {
    let mut world = World::new(OWN);
    let head = "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n";
    let client = world.ask(head);
    assert_eq!(statuses(&client.heard()), [100, 200]);
    world.say(&client, format!("abc{}", get("/next")));
    assert_eq!(statuses(&client.heard()), [200]);
}

#[test]
fn a_client_that_expects_100_waits_for_a_server() {
    let mut world = World::new(&passing(""));
    world.rule(5000, Dial::Hangs);
    let head = "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n";
    let client = world.ask(head);
    assert_eq!(client.heard(), "");
    world.server().connect(Ok(()));
    world.settle();
    assert_eq!(statuses(&client.heard()), [100]);
    world.say(&client, "abc");
    assert!(world.server().heard().ends_with("\r\n\r\nabc"));
    world.say(&world.server(), answer("x"));
    assert_eq!(statuses(&client.heard()), [200]);
}

#[test]
fn an_answer_without_asking_for_the_body_ends_the_connection_of_who_expects_100() {
    let mut world = World::new(&passing("client_max_body_size 2;"));
    let head = "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n";
    let client = world.ask(head);
    let heard = client.heard();
    assert_eq!(statuses(&heard), [413]);
    assert!(heard.contains("Connection: close\r\n"));
    // What comes may be the body or a request: it is neither.
    world.say(&client, get("/"));
    assert_eq!((client.heard().as_str(), world.lines().len()), ("", 1));
}

#[test]
fn a_broken_request_is_answered_and_nothing_behind_it_is_read() {
    let mut world = World::new(OWN);
    let client = world.ask(format!("GET / HTTP/1.1\r\nHo st: a\r\n\r\n{}", get("/smuggled")));
    assert_eq!((statuses(&client.heard()), client.fate()), (vec![400], Fate::Ended));
    assert_eq!(world.lines(), ["GET / HTTP/1.1|400|-|-|OK"]);
    assert_eq!(world.counters().rejected, 1);
    let counters = world.counters();
    assert_eq!(counters.requests[1], [0, 0, 0, 1, 0]);
}

#[test]
fn what_is_no_http_at_all_is_a_400_with_a_line_that_shows_it() {
    let mut world = World::new(OWN);
    world.ask("\u{16}\u{3}\u{1}hello\"\\\r\n");
    assert_eq!(world.lines(), [r"\x16\x03\x01hello\x22\x5C|400|-|-|OK"]);
}

#[test]
fn heads_have_the_bounds_that_the_file_says() {
    let bounds = "large_client_header_buffers 2 1k; max_headers 5;";
    let mut world = World::new(&passing(bounds));
    for (request, status) in [
        (format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "a".repeat(1_100)), 414),
        (format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "a".repeat(1_100)), 431),
        (format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "X: 1\r\n".repeat(5)), 431),
        (
            format!(
                "GET / HTTP/1.1\r\nHost: a\r\n{}\r\n",
                format!("X: {}\r\n", "a".repeat(700)).repeat(3)
            ),
            431,
        ),
    ] {
        let client = world.ask(&request);
        assert_eq!(statuses(&client.heard()), [status], "{request}");
    }
}
