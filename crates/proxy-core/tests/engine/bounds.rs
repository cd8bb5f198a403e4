//! What a worker takes in all: bytes of heads under way, and connections.

use proxy_core::engine::Limits;

use crate::config;
use crate::net::{Dial, Fate, Peer};
use crate::world::{GENEROUS, World, answer, get, passing, statuses, with_body};

const OWN: &str = "server { listen 8080; location / { return 204; } location /up { \
                   proxy_pass http://app; } }";

fn heads(bytes: usize) -> World {
    World::bounded(OWN, Limits { heads_bytes_max: bytes, ..GENEROUS })
}

/// The beginning of a head, of so many bytes.
fn unfinished(bytes: usize) -> String {
    let start = "GET / HTTP/1.1\r\nHost: a\r\nX: ";
    format!("{start}{}", "x".repeat(bytes - start.len()))
}

#[test]
fn heads_under_way_have_a_budget_and_the_oldest_is_closed_first_and_counted() {
    let mut world = heads(10_000);
    let clients: Vec<Peer> = (0..10)
        .map(|_| {
            world.pass(1);
            world.ask(unfinished(1_000))
        })
        .collect();
    assert!(clients.iter().all(|client| client.fate() == Fate::Open));
    assert_eq!(world.counters().heads_dropped, 0);
    world.pass(1);
    let newest = world.ask(unfinished(1_000));
    assert_eq!(clients[0].fate(), Fate::Closed);
    assert!(world.counters().heads_dropped > 0);
    world.say(&newest, "\r\n\r\n");
    assert_eq!(statuses(&newest.heard()), [204]);
    assert_eq!(world.lines().len(), 1, "what never was a request is not logged as one");
}

#[test]
fn an_old_head_that_grows_gives_way_itself_and_not_those_after_it() {
    let mut world = heads(10_000);
    let old = world.ask(unfinished(1_000));
    let young: Vec<Peer> = (0..8)
        .map(|_| {
            world.pass(1);
            world.ask(unfinished(1_000))
        })
        .collect();
    world.say(&old, "x".repeat(3_000));
    assert_eq!((old.fate(), world.counters().heads_dropped), (Fate::Closed, 1));
    for client in &young {
        world.say(client, "\r\n\r\n");
        assert_eq!(statuses(&client.heard()), [204]);
    }
}

#[test]
fn a_head_that_grows_counts_once() {
    let mut world = heads(10_000);
    let client = world.ask(unfinished(100));
    for _ in 0..80 {
        world.say(&client, "x".repeat(100));
    }
    assert_eq!((client.fate(), world.counters().heads_dropped), (Fate::Open, 0));
    // Its bytes are given back when it becomes a request.
    world.say(&client, "\r\n\r\n");
    assert_eq!(statuses(&client.heard()), [204]);
    for _ in 0..3 {
        world.ask(unfinished(3_000));
    }
    assert_eq!(world.counters().heads_dropped, 0);
}

#[test]
fn heads_that_end_in_any_way_give_their_bytes_back() {
    let mut world = heads(10_000);
    for _ in 0..5 {
        let ended = world.ask(unfinished(3_000));
        world.end(&ended);
        let reset = world.ask(unfinished(3_000));
        world.reset(&reset);
        let late = world.ask(unfinished(3_000));
        world.pass(60_000);
        assert_eq!(statuses(&late.heard()), [408]);
    }
    assert_eq!(world.counters().heads_dropped, 0);
}

#[test]
fn a_head_larger_than_the_budget_does_not_take_others_with_it_for_nothing() {
    let mut world = heads(1_000);
    let client = world.ask(unfinished(3_000));
    assert_eq!(client.fate(), Fate::Open, "there is nobody else to give way");
    world.say(&client, "\r\n\r\n");
    assert_eq!(statuses(&client.heard()), [204]);
}

fn connections(count: usize) -> World {
    let text = format!(
        "events {{ worker_connections {count}; }} http {{ access_log off; \
                        upstream app {{ server 10.0.0.5:5000; }} {OWN} }}"
    );
    World::of(config::config(&text), GENEROUS)
}

#[test]
fn worker_connections_counts_clients_and_those_that_their_requests_need() {
    let mut world = connections(6);
    assert!(!world.engine.is_full());
    let busy: Vec<Peer> = (0..3).map(|_| world.ask(get("/up"))).collect();
    assert!(world.engine.is_full(), "three clients and their three upstream connections");
    world.say(&world.server(), answer("x"));
    assert_eq!(statuses(&busy[2].heard()), [200]);
    // One client is idle now, and so is one upstream connection.
    assert!(!world.engine.is_full());
}

#[test]
fn idle_connections_give_way_the_longest_idle_first() {
    let mut world = connections(40);
    let idle: Vec<Peer> = (0..40)
        .map(|_| {
            world.pass(1);
            let client = world.ask(get("/"));
            client.heard();
            client
        })
        .collect();
    assert!(!world.engine.is_full());
    assert_eq!((idle[0].fate(), idle[39].fate()), (Fate::Closed, Fate::Open));
    let dropped = idle.iter().filter(|client| client.fate() == Fate::Closed).count() as u64;
    assert_eq!(world.counters().idle_dropped, dropped);
    assert!(dropped < 40, "no more than is useful");
}

#[test]
fn connections_wait_where_there_is_none_to_give_way() {
    let mut world = connections(8);
    let busy: Vec<Peer> = (0..4).map(|_| world.ask(get("/up"))).collect();
    // One that never had a request may have it on its way.
    assert!(world.engine.is_full() && world.engine.is_full());
    assert!(busy.iter().all(|client| client.fate() == Fate::Open));
    world.reset(&busy[0]);
    assert!(!world.engine.is_full());
}

#[test]
fn connections_whose_request_does_not_come_give_way_after_a_second() {
    let mut world = connections(4);
    let silent = world.client();
    let half = world.ask("GET / HTTP/1.1\r\n");
    let busy = world.ask(get("/up"));
    assert!(world.engine.is_full());
    // While it is full a worker comes back by itself.
    assert_eq!(world.engine.wait_until_ms(), Some(world.moment().ms + 100));
    world.pass(999);
    assert!(world.engine.is_full());
    // The next look may be a tenth of a second away.
    world.pass(100);
    assert!(!world.engine.is_full());
    let fates = [&silent, &half, &busy].map(Peer::fate);
    assert_eq!(fates, [Fate::Closed, Fate::Closed, Fate::Open]);
    assert_eq!(world.counters().heads_dropped, 2);
}

#[test]
fn idle_upstream_connections_give_way_where_no_client_is_idle() {
    let mut world = connections(5);
    let first = world.ask(get("/up"));
    let server = world.server();
    world.say(&server, answer("x"));
    world.end(&first);
    let busy: Vec<Peer> = (0..4).map(|_| world.client()).collect();
    assert_eq!((world.engine.links(), server.fate()), (1, Fate::Open));
    assert!(!world.engine.is_full());
    assert_eq!((world.engine.links(), server.fate()), (0, Fate::Closed));
    assert!(busy.iter().all(|client| client.fate() == Fate::Open));
}

#[test]
fn the_workers_own_bound_holds_where_the_file_has_none() {
    let mut world = World::bounded(OWN, Limits { connections_max: 4, ..GENEROUS });
    let _busy: Vec<Peer> = (0..2).map(|_| world.ask(get("/up"))).collect();
    assert!(world.engine.is_full());
    world.reload(OWN);
    assert!(world.engine.is_full());
}

#[test]
fn what_comes_behind_a_head_waits_in_the_systems_memory() {
    let mut world = World::new(&passing("location /own { return 200 own; }"));
    world.rule(5000, Dial::Hangs);
    // A body while there is no server, and requests while one is under way.
    let body = world.ask(with_body("POST", "/", &"x".repeat(60_000)));
    let many = world.ask([get("/"), get("/own").repeat(900)].concat());
    for client in [&body, &many] {
        assert!(client.unread() > 15_000, "{}", client.unread());
    }
    world.server().connect(Ok(()));
    world.settle();
    world.say(&world.server(), answer("x"));
    assert_eq!(statuses(&many.heard()).len(), 901);
    world.net.links[0].connect(Ok(()));
    world.settle();
    assert!(world.net.links[0].heard().ends_with(&"x".repeat(60_000)));
}

#[test]
fn a_burst_of_requests_is_served_as_far_as_there_is_room() {
    let mut world = World::new(&passing(""));
    let clients: Vec<Peer> = (0..500).map(|_| world.ask(get("/"))).collect();
    for server in world.net.links.clone() {
        server.say(answer("x"));
    }
    world.settle();
    assert!(clients.iter().all(|client| statuses(&client.heard()) == [200]));
    assert_eq!((world.engine.clients(), world.engine.links()), (500, 32));
}
