//! Connections that have left HTTP, closed from either side.

use crate::net::{Fate, Peer};
use crate::world::{World, passing};

const ASKS: &str = "GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n";
const AGREES: &str =
    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n";

/// A tunnel between a client and a server.
fn tunnel() -> (World, Peer, Peer) {
    let mut world = World::new(&passing("proxy_read_timeout 20s;"));
    let client = world.ask(ASKS);
    let server = world.server();
    server.heard();
    world.say(&server, AGREES);
    assert!(client.heard().starts_with("HTTP/1.1 101 "));
    (world, client, server)
}

fn check_gone(world: &mut World, client: &Peer, server: &Peer) {
    world.end_all(client);
    assert!(matches!(client.fate(), Fate::Closed | Fate::Reset), "{:?}", client.fate());
    assert!(matches!(server.fate(), Fate::Closed | Fate::Reset), "{:?}", server.fate());
    assert_eq!((world.engine.clients(), world.engine.links()), (0, 0));
    assert_eq!(world.lines(), ["GET /chat HTTP/1.1|101|10.0.0.5:5000|101|OK"]);
}

#[test]
fn both_sides_speak_as_they_like() {
    let (mut world, client, server) = tunnel();
    for turn in 0..10 {
        world.say(&client, format!("from client {turn}"));
        world.say(&server, format!("from server {turn}"));
        assert_eq!(server.heard(), format!("from client {turn}"));
        assert_eq!(client.heard(), format!("from server {turn}"));
    }
    world.end(&server);
    check_gone(&mut world, &client, &server);
}

#[test]
fn what_a_client_sent_behind_its_request_goes_to_the_server_after_the_101() {
    let mut world = World::new(&passing(""));
    let client = world.ask(format!("{ASKS}early"));
    let server = world.server();
    assert!(server.heard().ends_with("\r\n\r\n"));
    world.say(&server, format!("{AGREES}hello"));
    assert_eq!(server.heard(), "early");
    assert!(client.heard().ends_with("\r\n\r\nhello"));
}

#[test]
fn a_client_that_ends_its_half_hears_the_server_to_its_end() {
    let (mut world, client, server) = tunnel();
    client.say("last");
    client.end();
    world.settle();
    assert_eq!((server.heard().as_str(), server.fate()), ("last", Fate::Ended));
    world.say(&server, "and so on");
    assert_eq!((client.heard().as_str(), client.fate()), ("and so on", Fate::Open));
    server.say("the end");
    server.end();
    world.settle();
    assert_eq!(client.heard(), "the end");
    check_gone(&mut world, &client, &server);
}

#[test]
fn a_server_that_ends_its_half_hears_the_client_to_its_end() {
    let (mut world, client, server) = tunnel();
    server.say("last");
    server.end();
    world.settle();
    assert_eq!((client.heard().as_str(), client.fate()), ("last", Fate::Ended));
    world.say(&client, "and so on");
    assert_eq!((server.heard().as_str(), server.fate()), ("and so on", Fate::Open));
    client.say("the end");
    client.end();
    world.settle();
    assert_eq!(server.heard(), "the end");
    check_gone(&mut world, &client, &server);
}

#[test]
fn what_was_read_of_a_client_is_delivered_before_its_servers_connection_is_closed() {
    let (mut world, client, server) = tunnel();
    world.take(&server, 3);
    client.say("more than it takes at once");
    client.end();
    server.end();
    world.settle();
    assert_eq!((server.heard().as_str(), server.fate()), ("mor", Fate::Open));
    world.take(&server, usize::MAX);
    assert_eq!(server.heard(), "e than it takes at once");
    check_gone(&mut world, &client, &server);
}

#[test]
fn what_was_read_of_a_server_is_delivered_before_its_clients_connection_is_closed() {
    let (mut world, client, server) = tunnel();
    world.take(&client, 3);
    server.say("more than it takes at once");
    server.end();
    client.end();
    world.settle();
    assert_eq!((client.heard().as_str(), client.fate()), ("mor", Fate::Open));
    world.take(&client, usize::MAX);
    assert_eq!(client.heard(), "e than it takes at once");
    check_gone(&mut world, &client, &server);
}

#[test]
fn a_reset_of_either_side_ends_both_at_once() {
    let (mut world, client, server) = tunnel();
    world.reset(&client);
    check_gone(&mut world, &client, &server);
    let (mut world, client, server) = tunnel();
    world.reset(&server);
    check_gone(&mut world, &client, &server);
}

#[test]
fn a_half_that_was_ended_does_not_keep_a_silent_tunnel_for_ever() {
    let (mut world, client, server) = tunnel();
    world.end(&client);
    world.pass(19_999);
    assert_eq!(server.fate(), Fate::Ended);
    world.pass(1);
    check_gone(&mut world, &client, &server);
}

#[test]
fn a_drain_leaves_tunnels_alone() {
    let (mut world, client, server) = tunnel();
    world.engine.drain();
    world.engine.finish_all(&mut world.net);
    world.pass(10_000);
    world.say(&client, "still here");
    assert_eq!(server.heard(), "still here");
    assert!(!world.engine.has_finished());
    world.end(&server);
    check_gone(&mut world, &client, &server);
    assert!(world.engine.has_finished());
}
