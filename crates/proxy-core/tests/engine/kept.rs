//! Upstream connections that were kept and turn out to be dead: whose request is sent again, and
//! whose is not.

use crate::net::{Fate, Peer};
use crate::world::{World, answer, get, passing, statuses, with_body};

/// A world with a kept upstream connection, and a client that has had its first answers; the
/// second showed that the server keeps its connections.
fn kept(settings: &str) -> (World, Peer, Peer) {
    let mut world = World::new(&passing(settings));
    let client = world.client();
    for _ in 0..2 {
        world.say(&client, get("/first"));
        world.say(&world.server(), answer("first"));
        assert!(client.heard().ends_with("first"));
    }
    let server = world.server();
    server.heard();
    assert_eq!((world.dialled(), world.lines().len()), (vec![5000], 2));
    (world, client, server)
}

/// The request that is sent on a connection whose server closes it at the same moment comes out
/// right, by a second connection.
fn check_sent_again(request: &str, close: fn(&Peer)) {
    let (mut world, client, dead) = kept("");
    // The client's bytes are seen before the server's end is.
    client.say(request);
    close(&dead);
    world.settle();
    assert_eq!(world.dialled(), [5000], "{request}");
    assert!(matches!(dead.fate(), Fate::Closed | Fate::Reset));
    let body = request.split_once("\r\n\r\n").unwrap().1;
    let heard = world.server().heard();
    assert!(heard.ends_with(&format!("\r\n\r\n{body}")), "{heard}");
    world.say(&world.server(), answer("second"));
    assert!(client.heard().ends_with("second"), "{request}");
    assert_eq!(world.counters().retries, 1);
    let line = request.lines().next().unwrap();
    let twice = "10.0.0.5:5000, 10.0.0.5:5000|502, 200";
    assert_eq!(world.lines(), [format!("{line}|200|{twice}|OK")]);
    assert_eq!(world.notices(), Vec::<String>::new(), "that is nobody's fault");
}

#[test]
fn a_request_without_a_body_is_sent_again() {
    for close in [Peer::end, Peer::reset] {
        check_sent_again(&get("/second"), close);
        check_sent_again("OPTIONS /second HTTP/1.1\r\nHost: a\r\n\r\n", close);
    }
}

#[test]
fn a_request_with_a_small_body_is_sent_again_with_it() {
    for method in ["PUT", "DELETE", "OPTIONS"] {
        for close in [Peer::end, Peer::reset] {
            check_sent_again(&with_body(method, "/second", &"b".repeat(2_000)), close);
        }
    }
}

#[test]
fn a_body_that_came_in_pieces_is_sent_again_whole() {
    let (mut world, client, dead) = kept("");
    let request = with_body("PUT", "/", "0123456789");
    let (first, rest) = request.split_at(request.len() - 5);
    world.say(&client, first);
    assert!(dead.heard().ends_with("01234"));
    world.end(&dead);
    let server = world.server();
    assert!(server.heard().ends_with("\r\n\r\n01234"));
    world.say(&client, rest);
    assert_eq!(server.heard(), "56789");
    world.say(&server, answer("second"));
    assert!(client.heard().ends_with("second"));
}

#[test]
fn a_chunked_body_is_sent_again_in_chunks() {
    let (mut world, client, dead) = kept("");
    let head = "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    world.say(&client, format!("{head}3\r\nabc\r\n"));
    world.end(&dead);
    world.say(&client, "2\r\nde\r\n0\r\n\r\n");
    assert!(world.server().heard().ends_with("\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"));
}

#[test]
fn a_body_larger_than_its_buffer_is_not_sent_again() {
    let (mut world, client, dead) = kept("client_body_buffer_size 1k;");
    let request = with_body("PUT", "/", &"b".repeat(1_025));
    world.say(&client, &request);
    world.end(&dead);
    assert_eq!((statuses(&client.heard()), world.dialled()), (vec![502], vec![]));
    let (mut world, client, dead) = kept("client_body_buffer_size 1k;");
    world.say(&client, with_body("PUT", "/", &"b".repeat(1_024)));
    world.end(&dead);
    world.say(&world.server(), answer("second"));
    assert_eq!(statuses(&client.heard()), [200]);
}

#[test]
fn a_post_is_not_sent_again() {
    for method in ["POST", "PATCH"] {
        let (mut world, client, dead) = kept("");
        // It has lasted, so that it is trusted; and dies all the same.
        world.pass(1_000);
        world.say(&client, with_body(method, "/", "abc"));
        assert!(dead.heard().ends_with("abc"));
        world.end(&dead);
        assert_eq!((statuses(&client.heard()), world.dialled()), (vec![502], vec![]), "{method}");
    }
}

#[test]
fn a_post_is_sent_again_where_the_file_allows_it() {
    let (mut world, client, dead) = kept("proxy_next_upstream error timeout non_idempotent;");
    world.say(&client, with_body("POST", "/", "abc"));
    world.end(&dead);
    assert!(world.server().heard().ends_with("abc"));
    world.say(&world.server(), answer("second"));
    assert_eq!(statuses(&client.heard()), [200]);
}

#[test]
fn a_post_looks_first_whether_its_server_has_closed() {
    let (mut world, client, dead) = kept("");
    client.say(with_body("POST", "/", "abc"));
    dead.end();
    world.settle();
    assert_eq!((world.dialled(), dead.heard().as_str()), (vec![5000], ""));
    world.say(&world.server(), answer("second"));
    assert_eq!(statuses(&client.heard()), [200]);
    assert_eq!(world.counters().retries, 0);
}

#[test]
fn a_post_does_not_trust_a_server_whose_kept_connection_has_just_died() {
    let (mut world, client, dead) = kept("");
    client.say(get("/"));
    dead.end();
    world.settle();
    world.say(&world.server(), answer("second"));
    assert!(client.heard().ends_with("second"));
    world.dialled();
    world.say(&client, with_body("POST", "/", "abc"));
    assert_eq!(world.dialled(), [5000], "a new connection");
}

#[test]
fn a_connection_that_was_seen_to_close_is_not_taken() {
    let (mut world, client, dead) = kept("");
    world.end(&dead);
    assert_eq!((dead.fate(), world.engine.links()), (Fate::Closed, 0));
    world.say(&client, get("/"));
    assert_eq!(world.dialled(), [5000]);
}

#[test]
fn a_connection_that_has_spoken_is_no_dead_one() {
    let (mut world, client, server) = kept("");
    world.say(&client, get("/"));
    world.say(&server, "HTTP/1.1 ");
    world.end(&server);
    assert_eq!((statuses(&client.heard()), world.dialled()), (vec![502], vec![]));
}

#[test]
fn a_new_connection_that_dies_is_not_tried_again_at_its_only_server() {
    let mut world = World::new(&passing(""));
    let client = world.ask(get("/"));
    world.end(&world.server());
    assert_eq!((statuses(&client.heard()), world.dialled()), (vec![502], vec![5000]));
    let told = world.notices();
    assert!(told[0].starts_with("the upstream closed before its answer ended"), "{told:?}");
}

#[test]
fn dead_connections_blame_no_server_however_many_there_are() {
    let two = "upstream app { server 10.0.0.5:5001; server 10.0.0.5:5002 backup; }";
    let mut world = World::new(&format!("{two} {}", passing("")));
    let clients: Vec<Peer> = (0..4).map(|_| world.ask(get("/"))).collect();
    let servers = world.net.links.clone();
    servers.iter().for_each(|server| world.say(server, answer("first")));
    world.dialled();
    for (client, server) in clients.iter().zip(servers.iter().rev()) {
        client.say(get("/"));
        server.end();
        world.settle();
        world.say(&world.server(), answer("second"));
        assert_eq!(statuses(&client.heard()), [200, 200]);
    }
    assert!(world.dialled().iter().all(|port| *port == 5001), "the backup was not needed");
}

#[test]
fn a_write_that_fails_leaves_what_the_server_said_before_to_be_read() {
    let mut world = World::new(&passing(""));
    let request = with_body("PUT", "/", &"x".repeat(1_000));
    let client = world.ask(&request[..500]);
    let server = world.server();
    // The server refuses the body and closes: the answer lies there when the next write fails.
    server.say(answer("too large"));
    client.say(&request[500..]);
    server.reset();
    world.settle();
    assert!(client.heard().ends_with("too large"));
}

#[test]
fn an_upstream_keeps_as_many_connections_and_requests_as_the_file_says() {
    let app = "upstream app { server 10.0.0.5:5000; keepalive 1; keepalive_requests 2; }";
    let mut world = World::new(&format!("{app} {}", passing("")));
    let clients = [world.ask(get("/")), world.ask(get("/"))];
    for server in world.net.links.clone() {
        world.say(&server, answer("x"));
    }
    assert_eq!(world.engine.links(), 1, "one is kept");
    world.say(&clients[0], get("/"));
    let kept = world.net.links.iter().find(|link| link.fate() == Fate::Open).cloned().unwrap();
    world.say(&kept, answer("x"));
    assert_eq!((kept.fate(), world.engine.links()), (Fate::Closed, 0), "for two requests");
}

#[test]
fn a_connection_is_used_again_for_the_address_that_it_comes_from() {
    let mut world = World::new(&passing("proxy_bind $arg_from;"));
    let client = world.client();
    for from in ["127.0.0.2", "127.0.0.3:81", "127.0.0.2", "", "name"] {
        world.say(&client, get(&format!("/?from={from}")));
        let server = world.net.links.iter().rev().find(|link| link.heard().contains("GET /?from"));
        let server = server.cloned().unwrap();
        world.say(&server, answer("x"));
    }
    let came: Vec<_> =
        world.net.came_from.iter().map(|from| from.map(|at| at.to_string())).collect();
    assert_eq!(came, [Some("127.0.0.2:0".into()), Some("127.0.0.3:81".into()), None]);
    let notices = world.notices();
    assert!(notices.len() == 1 && notices[0].contains("invalid local address"), "{notices:?}");
}
