//! Requests in a row on one connection, and what is counted and logged of them.

use proxy_core::net::Cause;

use crate::net::{Dial, Fate, REFUSED};
use crate::world::{World, answer, get, passing, statuses, with_body};

#[test]
fn a_request_goes_to_the_server_and_its_answer_back() {
    let mut world = World::new(&passing(""));
    let client = world.ask(get("/a"));
    assert_eq!(world.server().heard(), "GET /a HTTP/1.1\r\nHost: app\r\n\r\n");
    world.say(&world.server(), answer("hello"));
    let heard = client.heard();
    assert!(heard.starts_with("HTTP/1.1 200 OK\r\n") && heard.ends_with("\r\n\r\nhello"));
    assert_eq!(world.lines(), ["GET /a HTTP/1.1|200|10.0.0.5:5000|200|OK"]);
    assert_eq!((client.fate(), world.server().fate()), (Fate::Open, Fate::Open));
}

#[test]
fn requests_in_a_row_use_one_connection_on_each_side() {
    let mut world = World::new(&passing(""));
    let client = world.client();
    for turn in 0..50 {
        // The second shows that the server keeps the connection, so that POST may trust it.
        let method = if turn < 2 { "PUT" } else { "POST" };
        world.say(&client, with_body(method, "/", &"x".repeat(turn)));
        assert!(world.server().heard().ends_with(&"x".repeat(turn)));
        world.say(&world.server(), answer(&"y".repeat(turn)));
        assert!(client.heard().ends_with(&"y".repeat(turn)));
    }
    assert_eq!((world.dialled(), world.engine.links()), (vec![5000], 1));
    let counters = world.counters();
    assert_eq!((counters.upstream_new, counters.upstream_reused), (1, 49));
    assert_eq!((counters.connections, counters.connections_idle, counters.accepted), (1, 1, 1));
    assert_eq!(counters.requests[0][1], 50);
}

#[test]
fn pipelined_requests_are_answered_in_their_order() {
    let mut world = World::new(&passing("location /own { return 200 own; }"));
    let client = world.ask([get("/1"), with_body("PUT", "/own", "abc"), get("/2")].concat());
    assert_eq!(world.server().heard().lines().next(), Some("GET /1 HTTP/1.1"));
    assert_eq!(client.heard(), "");
    world.say(&world.server(), answer("one"));
    let heard = client.heard();
    assert_eq!(statuses(&heard), [200, 200], "{heard}");
    assert!(heard.contains("\r\n\r\none") && heard.ends_with("own"), "{heard}");
    assert_eq!(world.server().heard().lines().next(), Some("GET /2 HTTP/1.1"));
    world.say(&world.server(), answer("two"));
    assert!(client.heard().ends_with("two"));
    assert_eq!(world.lines().len(), 3);
}

#[test]
fn line_ends_before_a_request_mean_the_same_however_they_are_cut() {
    for (before, status) in [
        ("\r\n", 200),
        ("\n", 200),
        ("\r\n\n\r\n", 200),
        ("\r", 400),
        ("\n\r", 400),
        ("\r\r\n", 400),
    ] {
        let bytes = [before, &get("/")].concat();
        for cut in 0..=before.len() {
            let mut world = World::new("server { listen 8080; return 200 ok; }");
            let client = world.client();
            world.say(&client, &bytes[..cut]);
            world.say(&client, &bytes[cut..]);
            assert_eq!(statuses(&client.heard()), [status], "{before:?} cut at {cut}");
        }
    }
}

#[test]
fn large_bodies_pass_both_ways_at_once_however_slow_the_sides_are() {
    let mut world = World::new(&passing("client_max_body_size 0;"));
    let body: String = (0..60_000).map(|n| char::from(b'a' + (n % 26) as u8)).collect();
    let client = world.ask(&with_body("PUT", "/", &body)[..40_000]);
    let server = world.server();
    world.take(&server, 0);
    world.say(&client, &with_body("PUT", "/", &body)[40_000..]);
    let mut sent = server.heard();
    while world.server().fate() == Fate::Open && !sent.ends_with(&body) {
        world.take(&server, 700);
        sent.push_str(&server.heard());
    }
    world.take(&client, 0);
    let answer = answer(&body);
    world.say(&server, &answer[..30_000]);
    world.say(&server, &answer[30_000..]);
    let mut heard = client.heard();
    while client.fate() == Fate::Open && !heard.ends_with(&body) {
        world.take(&client, 900);
        heard.push_str(&client.heard());
    }
    assert!(sent.ends_with(&body) && heard.ends_with(&body));
    assert_eq!(world.lines(), ["PUT / HTTP/1.1|200|10.0.0.5:5000|200|OK"]);
}

#[test]
fn nothing_more_is_read_for_a_side_that_takes_nothing() {
    let mut world = World::new(&passing(""));
    let client = world.ask(get("/"));
    world.take(&client, 0);
    let server = world.server();
    world.say(&server, "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n");
    world.say(&server, "x".repeat(900_000));
    world.take(&client, usize::MAX);
    let heard = client.heard();
    assert_eq!(heard.len() - heard.find("\r\n\r\n").unwrap() - 4, 900_000);
}

#[test]
fn bytes_behind_an_answer_belong_to_no_request() {
    let mut world = World::new(&passing(""));
    let client = world.ask(get("/1"));
    let first = world.server();
    world.say(&first, format!("{}HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil", answer("one")));
    assert!(client.heard().ends_with("one"));
    assert!(matches!(first.fate(), Fate::Closed | Fate::Reset));
    world.say(&client, get("/2"));
    world.say(&world.server(), answer("two"));
    assert!(client.heard().ends_with("two"));
    assert_eq!(world.dialled().len(), 2);
}

#[test]
fn an_idle_connection_on_which_a_server_speaks_is_closed() {
    let mut world = World::new(&passing(""));
    world.ask(get("/"));
    let server = world.server();
    world.say(&server, answer("one"));
    world.say(&server, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    assert_eq!((world.engine.links(), server.fate()), (0, Fate::Reset));
}

#[test]
fn a_body_that_answers_head_is_never_taken_for_the_next_answer() {
    let mut world = World::new(&passing(""));
    let client = world.ask("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
    let poisoned = world.server();
    world.say(&poisoned, "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n");
    assert_eq!(statuses(&client.heard()), [200]);
    assert!(matches!(poisoned.fate(), Fate::Closed | Fate::Reset));
    world.say(&client, get("/next"));
    world.say(&world.server(), answer("right"));
    assert!(client.heard().ends_with("right"));
}

#[test]
fn a_client_that_leaves_takes_its_upstream_connection_with_it() {
    for leave in [World::end, World::reset] {
        let mut world = World::new(&passing(""));
        let client = world.ask(get("/"));
        leave(&mut world, &client);
        assert!(matches!(world.server().fate(), Fate::Closed | Fate::Reset));
        assert_eq!((world.engine.clients(), world.engine.links()), (0, 0));
        assert_eq!(world.lines(), ["GET / HTTP/1.1|499|10.0.0.5:5000|-|"]);
        assert_eq!(world.notices(), Vec::<String>::new(), "that is no fault");
    }
}

#[test]
fn a_client_that_ends_its_half_is_answered_where_the_file_ignores_it() {
    let mut world = World::new(&passing("proxy_ignore_client_abort on;"));
    let client = world.ask(get("/"));
    world.end(&client);
    world.say(&world.server(), answer("hello"));
    assert!(client.heard().ends_with("hello"));
    assert_eq!(world.lines(), ["GET / HTTP/1.1|200|10.0.0.5:5000|200|OK"]);
    assert_eq!(world.engine.clients(), 0, "it has nothing more to say");
}

#[test]
fn an_answer_for_a_client_that_is_gone_is_read_to_its_end_where_the_file_says_so() {
    let mut world = World::new(&passing("proxy_ignore_client_abort on;"));
    let client = world.ask(get("/"));
    let server = world.server();
    world.say(&server, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe");
    world.reset(&client);
    assert_eq!(server.fate(), Fate::Open);
    world.say(&server, "llo");
    assert_eq!((server.fate(), world.engine.links(), world.engine.clients()), (Fate::Open, 1, 0));
    assert_eq!(world.lines(), ["GET / HTTP/1.1|200|10.0.0.5:5000|200|OK"]);
}

#[test]
fn a_client_that_took_nothing_before_it_went_holds_up_no_server() {
    let mut world = World::new(&passing("proxy_ignore_client_abort on;"));
    let client = world.ask(get("/"));
    let server = world.server();
    world.take(&client, 0);
    world.say(&server, "HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n");
    world.say(&server, "x".repeat(200_000));
    world.reset(&client);
    world.say(&server, "x".repeat(100_000));
    assert_eq!((server.unread(), world.engine.links(), world.engine.clients()), (0, 1, 0));
    assert_eq!(world.lines().len(), 1);
}

#[test]
fn a_connection_that_says_nothing_is_closed_without_a_word() {
    let mut world = World::new(&passing("client_header_timeout 3s;"));
    let client = world.client();
    world.pass(2_999);
    assert_eq!(client.fate(), Fate::Open);
    world.pass(1);
    assert_eq!((client.fate(), client.heard().as_str()), (Fate::Closed, ""));
    assert_eq!(world.lines(), Vec::<String>::new());
}

#[test]
fn a_head_that_does_not_come_to_its_end_is_a_408() {
    let mut world = World::new(&passing("client_header_timeout 3s;"));
    let client = world.ask("GET / HTTP/1.1\r\nHo");
    world.pass(2_000);
    world.say(&client, "st: a\r\n");
    world.pass(999);
    assert_eq!(client.heard(), "");
    world.pass(1);
    assert_eq!(statuses(&client.heard()), [408]);
    assert_eq!(world.lines(), ["GET / HTTP/1.1|408|-|-|OK"]);
}

#[test]
fn a_kept_connection_is_closed_when_its_time_is_over() {
    let mut world = World::new(&passing("keepalive_timeout 5s;"));
    let client = world.ask(get("/"));
    world.say(&world.server(), answer("x"));
    world.pass(4_999);
    assert_eq!(client.fate(), Fate::Open);
    world.pass(1);
    assert_eq!(client.fate(), Fate::Closed);
}

#[test]
fn an_idle_upstream_connection_is_closed_when_its_time_is_over() {
    let mut world = World::new(&format!(
        "upstream app {{ server 10.0.0.5:5000; keepalive_timeout 2s; }} {}",
        passing("")
    ));
    world.ask(get("/"));
    let server = world.server();
    world.say(&server, answer("x"));
    world.pass(1_999);
    assert_eq!((world.engine.links(), server.fate()), (1, Fate::Open));
    world.pass(1);
    assert_eq!((world.engine.links(), server.fate()), (0, Fate::Closed));
}

#[test]
fn a_connect_that_fails_is_told_with_its_cause_and_address() {
    let mut world = World::new(&passing(""));
    world.rule(5000, Dial::Fails(REFUSED));
    let client = world.ask(get("/a"));
    assert_eq!(statuses(&client.heard()), [502]);
    assert_eq!(world.lines(), ["GET /a HTTP/1.1|502|10.0.0.5:5000|502|OK"]);
    let expected = "cannot connect to the upstream: Connection refused (111), client: 10.0.0.9, \
                    server: , request: \"GET /a HTTP/1.1\", status: 502, upstream: 10.0.0.5:5000";
    assert_eq!(world.notices(), [expected]);
}

#[test]
fn a_socket_that_cannot_be_watched_is_closed_and_told_of() {
    let mut world = World::new(&passing(""));
    world.net.watch_fault = Some(Cause(28));
    let listener = world.listener(8080);
    let (peer, end) = crate::net::Peer::new("10.0.0.1:8080".parse().unwrap(), true);
    let remote = "10.0.0.9:1".parse().unwrap();
    let result = world.engine.accepted(end, remote, listener, &mut world.net);
    assert_eq!((result, peer.fate()), (Err(Cause(28)), Fate::Closed));
    assert_eq!(world.counters().accepted, 0);
    world.settle();
}

#[test]
fn a_thousand_requests_leave_one_entry_among_the_deadlines() {
    let mut world = World::new(&passing("keepalive_requests 10000; location /own { return 204; }"));
    let client = world.client();
    for _ in 0..1_000 {
        // The engine asserts that there are not more entries than connections.
        world.say(&client, get("/own"));
        world.pass(7);
    }
    assert_eq!(statuses(&client.heard()).len(), 1_000);
    world.pass(75_000);
    assert_eq!((client.fate(), world.engine.wait_until_ms()), (Fate::Closed, None));
}

#[test]
fn a_request_that_cannot_be_sent_again_trusts_a_kept_connection_once_one_has_lasted() {
    let mut world = World::new(&passing(""));
    let client = world.client();
    let post = |world: &mut World| {
        world.say(&client, with_body("POST", "/", "x"));
        world.say(&world.server(), answer("y"));
        assert!(client.heard().ends_with('y'));
    };
    post(&mut world);
    post(&mut world);
    assert_eq!(world.dialled().len(), 2, "nothing is known of the server yet");
    world.pass(1_000);
    post(&mut world);
    assert_eq!(world.dialled().len(), 0, "a connection was open for a second");
}
