//! The end: what was begun is finished, and what a client was told is kept to.

use crate::net::{Fate, Peer};
use crate::world::{World, answer, get, passing, statuses, with_body};

fn finish(world: &mut World) {
    world.engine.begin_turn(world.moment());
    world.engine.finish_all(&mut world.net);
    world.settle();
}

fn drain(world: &mut World) {
    world.engine.drain();
    world.settle();
}

#[test]
fn a_drain_between_head_and_end_of_an_answer_keeps_to_what_the_client_was_told() {
    let mut world = World::new(&passing(""));
    let client = world.ask(get("/1"));
    let server = world.server();
    world.say(&server, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe");
    drain(&mut world);
    world.say(&server, "llo");
    let heard = client.heard();
    assert!(heard.contains("Connection: keep-alive\r\n") && heard.ends_with("hello"), "{heard}");
    assert_eq!(client.fate(), Fate::Open, "it was told so");
    world.say(&client, get("/2"));
    world.say(&server, answer("last"));
    let heard = client.heard();
    assert!(heard.contains("Connection: close\r\n") && heard.ends_with("last"), "{heard}");
    assert_eq!(client.fate(), Fate::Ended);
}

#[test]
fn an_answer_that_has_not_begun_tells_of_the_drain() {
    let mut world = World::new(&passing(""));
    let client = world.ask(get("/"));
    drain(&mut world);
    world.say(&world.server(), answer("x"));
    assert!(client.heard().contains("Connection: close\r\n"));
    assert_eq!(client.fate(), Fate::Ended);
}

#[test]
fn connections_that_come_during_a_drain_are_served_once() {
    let mut world = World::new(&passing(""));
    drain(&mut world);
    let client = world.ask([get("/1"), get("/2")].concat());
    world.say(&world.server(), answer("x"));
    let heard = client.heard();
    assert_eq!(statuses(&heard), [200]);
    assert!(heard.contains("Connection: close\r\n"));
}

#[test]
fn the_end_waits_for_requests_under_way_and_not_for_idle_connections() {
    let mut world = World::new(&passing(""));
    let idle = world.ask(get("/"));
    let server = world.server();
    world.say(&server, answer("x"));
    let fresh = world.client();
    let busy = world.ask(with_body("POST", "/", "abc"));
    finish(&mut world);
    assert!(!world.engine.has_finished());
    world.pass(999);
    assert_eq!((idle.fate(), fresh.fate()), (Fate::Open, Fate::Open));
    world.pass(1);
    assert_eq!((idle.fate(), fresh.fate()), (Fate::Closed, Fate::Closed));
    assert_eq!(busy.fate(), Fate::Open);
    world.say(&world.server(), answer("last"));
    assert!(busy.heard().ends_with("last"));
    world.end(&busy);
    assert!(world.engine.has_finished());
    assert_eq!(world.engine.links(), 0, "no idle connection is kept");
}

#[test]
fn a_request_that_comes_just_before_the_end_is_answered() {
    let mut world = World::new(&passing("location /own { return 200 own; }"));
    let kept = world.ask(get("/own"));
    kept.heard();
    // It was told keep-alive: its next request is on its way when the end begins.
    kept.say(get("/own"));
    finish(&mut world);
    let heard = kept.heard();
    assert!(heard.contains("Connection: close\r\n") && heard.ends_with("own"), "{heard}");
    let told = world.ask(get("/own"));
    assert!(told.heard().ends_with("own"));
}

#[test]
fn a_client_that_was_told_keep_alive_has_a_moment_for_its_last_request() {
    let mut world = World::new(&passing(""));
    let client = world.ask(get("/1"));
    let server = world.server();
    world.say(&server, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe");
    finish(&mut world);
    world.say(&server, "llo");
    assert!(client.heard().contains("Connection: keep-alive\r\n"));
    world.pass(900);
    world.say(&client, get("/2"));
    world.say(&world.server(), answer("last"));
    assert!(client.heard().ends_with("last"));
    world.end(&client);
    assert!(world.engine.has_finished());
}

#[test]
fn a_half_sent_head_at_the_end_has_its_time() {
    let mut world = World::new(&passing("client_header_timeout 5s;"));
    let client = world.ask("GET / HT");
    finish(&mut world);
    world.pass(4_000);
    world.say(&client, "TP/1.1\r\nHost: a\r\n\r\n");
    world.say(&world.server(), answer("last"));
    assert!(client.heard().ends_with("last"));
}

#[test]
fn the_end_may_be_asked_for_again_and_again() {
    let mut world = World::new(&passing(""));
    let clients: Vec<Peer> = (0..3).map(|_| world.client()).collect();
    for _ in 0..3 {
        drain(&mut world);
        finish(&mut world);
    }
    world.pass(1_000);
    assert!(clients.iter().all(|client| client.fate() == Fate::Closed));
    assert!(world.engine.has_finished());
    assert_eq!(world.engine.wait_until_ms(), None);
}

#[test]
fn idle_upstream_connections_are_closed_at_the_end() {
    let mut world = World::new(&passing(""));
    let client = world.ask(get("/"));
    let server = world.server();
    world.say(&server, answer("x"));
    world.end(&client);
    finish(&mut world);
    assert_eq!((server.fate(), world.engine.links()), (Fate::Closed, 0));
    assert!(world.engine.has_finished());
}
