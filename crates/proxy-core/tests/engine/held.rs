//! Nothing that a peer does, or leaves undone, holds a connection for ever.

use proxy_core::engine::Limits;

use crate::net::{Fate, Peer};
use crate::world::{GENEROUS, World, get, passing, statuses};

/// Steps of some seconds, at each of which `nudge` is given, until `ended` holds; more than enough
/// for any timeout of these files.
fn check(world: &mut World, ended: impl Fn(&World) -> bool, mut nudge: impl FnMut(&mut World)) {
    for _ in 0..50 {
        world.pass(4_000);
        if ended(world) {
            return;
        }
        nudge(world);
    }
    panic!("it stands after 200 s");
}

#[test]
fn a_tunnel_into_a_server_that_is_gone_ends_although_its_client_goes_on() {
    let mut world = World::new(&passing("proxy_read_timeout 20s;"));
    let client =
        world.ask("GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n");
    let server = world.server();
    world.say(
        &server,
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n",
    );
    world.end(&server);
    world.reset(&server);
    check(&mut world, |_| client.fate() != Fate::Open, |world| world.say(&client, "ping"));
}

#[test]
fn a_client_that_speaks_does_not_renew_the_time_of_a_silent_server() {
    let mut world = World::new(&passing("proxy_read_timeout 20s;"));
    let client = world.ask(get("/"));
    world.say(&world.server(), "HTTP/1.1 200 OK\r\n");
    for _ in 0..5 {
        world.pass(4_000);
        world.say(&client, "x");
    }
    // What it said is read as its next request.
    assert_eq!(statuses(&client.heard()).first(), Some(&504));
}

#[test]
fn connections_that_are_lingered_for_give_way_to_new_ones() {
    let limits = Limits { connections_max: 4, ..GENEROUS };
    let mut world = World::bounded("server { listen 8080; location / { return 204; } }", limits);
    let clients: Vec<Peer> = (0..4).map(|_| world.ask("BAD\r\n\r\n")).collect();
    assert!(clients.iter().all(|client| client.fate() == Fate::Ended));
    world.pass(1_000);
    assert!(!world.engine.is_full());
}

#[test]
fn a_client_that_takes_nothing_and_sends_for_ever_is_given_up() {
    let mut world = World::new("server { listen 8080; location / { return 200 text; } }");
    let client = world.client();
    world.take(&client, 10);
    world.say(&client, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    let ended = |world: &World| world.engine.clients() == 0 || client.fate() != Fate::Open;
    check(&mut world, ended, |world| world.say(&client, "1\r\nx\r\n"));
}

#[test]
fn line_ends_behind_a_request_are_no_request_that_could_be_late() {
    let mut world = World::new("server { listen 8080; location / { return 204; } }");
    let client = world.ask(format!("{}\r\n", get("/")));
    assert_eq!(statuses(&client.heard()), [204]);
    world.pass(74_999);
    assert_eq!((client.heard().as_str(), client.fate()), ("", Fate::Open));
    world.pass(1);
    assert_eq!((client.heard().as_str(), client.fate()), ("", Fate::Closed));
}
