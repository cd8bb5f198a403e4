//! A new configuration while connections are there in every state.

use std::sync::{Arc, Weak};

use proxy_core::config::model::Config;

use crate::net::Fate;
use crate::world::{GENEROUS, World, answer, config, get, passing, statuses, with_body};

const OTHER_FIRST: &str = "server { listen 8081; return 200 other; } \
                           server { listen 8080; client_header_timeout 5s; return 200 new; }";
const ONE: &str = "server { listen 8080; client_header_timeout 5s; return 200 old; }";

#[test]
fn a_half_sent_head_survives_a_reload_that_puts_another_listen_first() {
    let mut world = World::new(ONE);
    let waits = world.ask("GET / HTTP/1.1\r\n");
    let goes_on = world.ask("GET / HTTP/1.1\r\n");
    world.reload(OTHER_FIRST);
    world.say(&goes_on, "Host: a\r\n\r\n");
    assert!(goes_on.heard().ends_with("new"));
    world.pass(5_000);
    assert_eq!(statuses(&waits.heard()), [408]);
    assert_eq!(waits.fate(), Fate::Ended);
}

#[test]
fn a_listen_that_goes_and_comes_back_serves_again() {
    let two = "server { listen 8081; return 200 other; }";
    let mut world = World::new(ONE);
    for _ in 0..3 {
        let before = world.client();
        world.reload(two);
        world.reload(ONE);
        world.reload(ONE);
        // The socket of old is not the one that listens there now.
        world.say(&before, get("/"));
        let heard = before.heard();
        assert!(heard.contains("Connection: close\r\n") && heard.ends_with("old"), "{heard}");
        assert!(world.ask(get("/")).heard().ends_with("old"));
    }
}

#[test]
fn a_kept_connection_to_a_listen_that_is_gone_gets_its_answer_and_is_closed() {
    let mut world = World::new(ONE);
    let client = world.ask(get("/"));
    assert!(client.heard().contains("Connection: keep-alive\r\n"));
    world.reload("server { listen 8081; return 200 other; }");
    assert_eq!(client.fate(), Fate::Open);
    world.say(&client, get("/"));
    let heard = client.heard();
    assert!(heard.contains("Connection: close\r\n") && heard.ends_with("old"), "{heard}");
    assert_eq!(client.fate(), Fate::Ended);
}

#[test]
fn a_kept_connection_gets_the_newest_configuration_with_its_next_request() {
    let mut world = World::new(ONE);
    let client = world.ask(get("/"));
    client.heard();
    world.reload(OTHER_FIRST);
    world.say(&client, get("/"));
    let heard = client.heard();
    assert!(heard.contains("Connection: keep-alive\r\n") && heard.ends_with("new"), "{heard}");
}

#[test]
fn a_request_under_way_keeps_its_configuration_to_its_end() {
    let mut world = World::new(&passing("add_header X-Kit old;"));
    let client = world.ask(get("/"));
    let server = world.server();
    world.reload(&passing("add_header X-Kit new;"));
    world.say(&server, answer("x"));
    assert!(client.heard().contains("X-Kit: old\r\n"));
    // Its link leads to a server of a configuration that is gone.
    assert!(matches!(server.fate(), Fate::Closed | Fate::Reset));
    world.say(&client, get("/"));
    world.say(&world.server(), answer("x"));
    assert!(client.heard().contains("X-Kit: new\r\n"));
    assert_eq!(world.dialled().len(), 2);
}

#[test]
fn idle_upstream_connections_of_the_old_configuration_are_closed() {
    let mut world = World::new(&passing(""));
    world.ask(get("/"));
    let server = world.server();
    world.say(&server, answer("x"));
    assert_eq!((server.fate(), world.engine.links()), (Fate::Open, 1));
    world.reload(&passing(""));
    assert_eq!((server.fate(), world.engine.links()), (Fate::Closed, 0));
}

#[test]
fn a_request_of_the_old_configuration_that_fails_is_sent_again_by_its_own_servers() {
    let two = "upstream app { server 10.0.0.5:5001; server 10.0.0.5:5002; }";
    let mut world = World::new(&format!("{two} {}", passing("")));
    let client = world.ask(get("/"));
    world.reload(&passing(""));
    world.reset(&world.server());
    assert_eq!(world.dialled(), [5001, 5002]);
    world.say(&world.server(), answer("x"));
    assert_eq!(statuses(&client.heard()), [200]);
}

/// A world whose configuration is seen as long as anything holds it.
fn watched(http: &str) -> (World, Weak<Config>) {
    let mut world = World::of(config(http), GENEROUS);
    let watched = Arc::new(config(http));
    let weak = Arc::downgrade(&watched);
    world.reload_to(watched);
    (world, weak)
}

#[test]
fn spare_exchanges_and_idle_connections_hold_no_configuration_that_is_gone() {
    let (mut world, old) = watched(&passing("location /own { return 200; }"));
    let idle = world.ask(get("/"));
    world.say(&world.server(), answer("x"));
    let half = world.ask("GET /");
    let many: Vec<_> = (0..80).map(|_| world.ask(get("/own"))).collect();
    assert!(old.upgrade().is_some());
    world.reload(ONE);
    assert!(old.upgrade().is_none(), "nothing is under way");
    for client in [&idle, &half].into_iter().chain(&many) {
        assert_eq!(client.fate(), Fate::Open);
    }
}

#[test]
fn a_request_under_way_holds_its_configuration_until_it_ends_and_no_longer() {
    let (mut world, old) = watched(&passing(""));
    let client = world.ask(get("/"));
    let server = world.server();
    world.reload(ONE);
    assert!(old.upgrade().is_some());
    world.say(&server, answer("x"));
    assert_eq!(statuses(&client.heard()), [200]);
    assert!(old.upgrade().is_none());
}

#[test]
fn a_connection_to_a_listen_that_is_gone_holds_its_configuration_until_it_ends() {
    let (mut world, old) = watched(ONE);
    let client = world.ask(get("/"));
    world.reload("server { listen 8081; return 200 other; }");
    assert!(old.upgrade().is_some(), "its next request is answered by it");
    world.end(&client);
    assert!(old.upgrade().is_none());
}

#[test]
fn a_specific_address_goes_before_the_wildcard_that_takes_its_connections() {
    let both = "server { listen 8080; return 200 any; } \
                server { listen 10.0.0.7:8080; return 200 seven; }";
    let mut world = World::new(both);
    for (local, expected) in [("10.0.0.7:8080", "seven"), ("10.0.0.8:8080", "any")] {
        let client = world.client_at(local.parse().unwrap());
        world.say(&client, get("/"));
        assert!(client.heard().ends_with(expected), "{local}");
    }
}

#[test]
fn the_address_of_a_connection_is_asked_for_when_a_reload_first_needs_it() {
    let any = "server { listen 8080; return 200 any; }";
    let both = "server { listen 10.0.0.7:8080; return 200 seven; } \
                server { listen 8080; return 200 $server_addr; }";
    let mut world = World::new(any);
    let seven = world.client_at("10.0.0.7:8080".parse().unwrap());
    let eight = world.client_at("10.0.0.8:8080".parse().unwrap());
    world.say(&seven, get("/"));
    assert!(seven.heard().ends_with("any"));
    for client in [&seven, &eight] {
        assert_eq!(client.0.borrow().addresses_asked, 0, "it did not matter yet");
    }
    world.reload(both);
    for (client, expected) in [(&seven, "seven"), (&eight, "10.0.0.8")] {
        for _ in 0..3 {
            world.say(client, get("/"));
            assert!(client.heard().ends_with(expected), "{expected}");
        }
        assert_eq!(client.0.borrow().addresses_asked, 1);
    }
    // Where it matters from the start it is asked for once as well.
    let later = world.client_at("10.0.0.7:8080".parse().unwrap());
    world.say(&later, [get("/"), get("/")].concat());
    assert_eq!(later.0.borrow().addresses_asked, 1);
}

#[test]
fn no_address_is_asked_for_where_it_does_not_matter() {
    let mut world = World::new("server { listen 8080; return 200 $server_port; }");
    let client = world.ask([get("/"), get("/")].concat());
    assert_eq!((statuses(&client.heard()).len(), client.0.borrow().addresses_asked), (2, 0));
}

#[test]
fn a_connection_that_a_closed_listener_had_taken_is_dropped() {
    let mut world = World::new(ONE);
    let listener = world.listener(8080);
    world.reload("server { listen 8081; return 200 other; }");
    let (peer, end) = crate::net::Peer::new("10.0.0.1:8080".parse().unwrap(), true);
    let remote = "10.0.0.9:1".parse().unwrap();
    world.engine.accepted(end, remote, listener, &mut world.net).unwrap();
    assert_eq!((peer.fate(), world.engine.clients()), (Fate::Closed, 0));
}

#[test]
fn a_body_under_way_is_passed_on_through_a_reload() {
    let mut world = World::new(&passing(""));
    let request = with_body("POST", "/", "0123456789");
    let client = world.ask(&request[..request.len() - 5]);
    let server = world.server();
    world.reload(OTHER_FIRST);
    world.say(&client, "56789");
    assert!(server.heard().ends_with("0123456789"));
    world.say(&server, answer("x"));
    assert_eq!(statuses(&client.heard()), [200]);
}
