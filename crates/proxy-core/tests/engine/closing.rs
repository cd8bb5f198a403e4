//! How connections end: never so that a part of an answer looks like the whole, and never so that
//! a reset overtakes it.

use crate::net::{Fate, Peer};
use crate::world::{World, answer, get, passing, statuses, with_body};

const CLOSING: &str = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
const OLD: &str = "GET / HTTP/1.0\r\nHost: a\r\n\r\n";

fn own(settings: &str) -> World {
    World::new(&format!("server {{ listen 8080; {settings} location / {{ return 200 own; }} }}"))
}

#[test]
fn an_answer_without_length_that_its_server_resets_never_ends_cleanly() {
    let mut world = World::new(&passing(""));
    for (request, fate) in [(&get("/")[..], Fate::Closed), (OLD, Fate::Reset)] {
        let client = world.ask(request);
        world.say(&world.server(), "HTTP/1.1 200 OK\r\n\r\nhalf of");
        world.reset(&world.server());
        let heard = client.heard();
        assert!(heard.contains("half of") && !heard.contains("\r\n0\r\n"), "{heard}");
        assert_eq!(client.fate(), fate, "{request}");
        assert_eq!(
            world.lines(),
            [format!("{}|200|10.0.0.5:5000|200|", request.lines().next().unwrap())]
        );
        assert!(world.notices()[0].starts_with("connection to the upstream broke: "));
        world.pass(1_000);
    }
}

#[test]
fn an_answer_whose_servers_reset_meets_a_write_first_never_ends_cleanly_either() {
    let mut world = World::new(&passing(""));
    for version in ["1.1", "1.0"] {
        let request = with_body("PUT", "/", &"x".repeat(1_000)).replace("1.1", version);
        let client = world.ask(&request[..500]);
        let server = world.server();
        world.say(&server, "HTTP/1.1 200 OK\r\n\r\nhalf of");
        // The write of the rest takes the error: what reads after it finds an end.
        client.say(&request[500..]);
        server.reset();
        world.settle();
        let heard = client.heard();
        assert!(heard.contains("half of") && !heard.contains("\r\n0\r\n"), "{heard}");
        assert!(matches!(client.fate(), Fate::Closed | Fate::Reset), "{version}");
        let lines = world.lines();
        assert!(lines[0].ends_with("|200|10.0.0.5:5000|200|"), "{version}: {lines:?}");
        world.pass(1_000);
    }
}

#[test]
fn an_answer_without_length_that_its_server_ends_is_whole() {
    let mut world = World::new(&passing(""));
    for (request, fate) in [(&get("/")[..], Fate::Open), (OLD, Fate::Ended)] {
        let client = world.ask(request);
        world.say(&world.server(), "HTTP/1.1 200 OK\r\n\r\nall of");
        world.end(&world.server());
        assert!(client.heard().contains("all of"));
        assert_eq!(client.fate(), fate, "{request}");
    }
}

#[test]
fn what_a_server_said_before_its_reset_is_passed_on() {
    let mut world = World::new(&passing(""));
    let client = world.ask(get("/"));
    let server = world.server();
    server.say(answer("hello"));
    server.reset();
    world.settle();
    assert!(client.heard().ends_with("hello"));
    assert_eq!((client.fate(), server.fate()), (Fate::Open, Fate::Closed));
}

/// A client whose connection is about to be closed after its answer, still open for reading.
fn lingering(world: &mut World) -> Peer {
    let client = world.ask(CLOSING);
    assert!(client.heard().ends_with("own"));
    assert_eq!(client.fate(), Fate::Ended);
    client
}

#[test]
fn a_close_that_follows_an_answer_waits_for_the_clients_end() {
    let mut world = own("");
    let client = lingering(&mut world);
    world.say(&client, "what nobody asked for");
    world.pass(4_000);
    assert_eq!(client.fate(), Fate::Ended);
    world.end(&client);
    assert_eq!((client.fate(), world.engine.clients()), (Fate::Closed, 0));
}

#[test]
fn a_lingering_close_ends_after_a_quiet_time_and_in_any_case() {
    let mut world = own("lingering_timeout 2s; lingering_time 5s;");
    let quiet = lingering(&mut world);
    let busy = lingering(&mut world);
    for _ in 0..2 {
        world.pass(1_500);
        world.say(&busy, "more");
    }
    assert_eq!((quiet.fate(), busy.fate()), (Fate::Closed, Fate::Ended));
    world.pass(1_500);
    world.say(&busy, "and more");
    world.pass(499);
    assert_eq!(busy.fate(), Fate::Ended);
    world.pass(1);
    assert_eq!(busy.fate(), Fate::Closed);
}

#[test]
fn no_client_is_lingered_for_where_the_file_says_off() {
    let mut world = own("lingering_close off;");
    let client = world.ask(CLOSING);
    assert_eq!((statuses(&client.heard()), client.fate()), (vec![200], Fate::Closed));
}

#[test]
fn a_client_that_has_ended_is_not_lingered_for() {
    let mut world = own("");
    let client = world.client();
    client.say(CLOSING);
    client.end();
    world.settle();
    assert_eq!((statuses(&client.heard()), client.fate()), (vec![200], Fate::Closed));
}

/// What becomes of a connection whose last answer is known to have arrived.
fn fate_once_delivered(settings: &str, request: &str) -> Fate {
    let mut world = own(settings);
    let client = world.client();
    client.acknowledge();
    world.say(&client, request);
    assert_eq!(statuses(&client.heard()).len(), 1);
    client.fate()
}

#[test]
fn a_client_that_announced_its_end_and_has_its_answer_is_not_lingered_for() {
    assert_eq!(fate_once_delivered("", CLOSING), Fate::Closed);
    assert_eq!(fate_once_delivered("", OLD), Fate::Closed);
    assert_eq!(fate_once_delivered("lingering_close always;", CLOSING), Fate::Ended);
    // It may be sending: what it sends would turn the answer into a reset.
    assert_eq!(fate_once_delivered("", &format!("{CLOSING}x")), Fate::Ended);
    assert_eq!(fate_once_delivered("keepalive_timeout 0;", &get("/")), Fate::Ended);
    assert_eq!(fate_once_delivered("", "GET / HTTP/1.1\r\n\r\n"), Fate::Ended);
}

#[test]
fn bytes_behind_the_last_request_do_not_turn_its_answer_into_a_reset() {
    for request in [
        format!("{CLOSING}{}", get("/unread")),
        "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\nunread".to_owned(),
        format!("{}unread", with_body("POST", "/", "")).replace("/ HTTP/1.1", "/ HTTP/1.0"),
    ] {
        let mut world = own("");
        let client = world.ask(&request);
        assert_eq!(statuses(&client.heard()).len(), 1, "{request}");
        assert_eq!(client.fate(), Fate::Ended, "{request}");
        world.say(&client, "unread too");
        world.end(&client);
        assert_eq!(client.fate(), Fate::Closed, "{request}");
    }
}

#[test]
fn a_client_that_uploads_for_long_gets_its_413() {
    let mut world = World::new(&passing("client_max_body_size 10;"));
    let client = world.ask(&with_body("POST", "/", &"x".repeat(1_000))[..200]);
    assert_eq!(statuses(&client.heard()), [413]);
    // It does not look for an answer before it has sent all.
    for _ in 0..7 {
        world.pass(4_000);
        world.say(&client, "x".repeat(100));
        assert_eq!(client.fate(), Fate::Ended);
    }
    world.end(&client);
    assert_eq!(client.fate(), Fate::Closed);
    assert_eq!(world.dialled(), Vec::<u16>::new());
}

#[test]
fn a_chunked_upload_that_grows_too_large_gets_its_413_too() {
    let mut world = World::new(&passing("client_max_body_size 10;"));
    let head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    let client = world.ask(format!("{head}8\r\n01234567\r\n"));
    world.say(&client, "8\r\n01234567\r\n");
    assert_eq!(statuses(&client.heard()), [413]);
    assert!(matches!(world.server().fate(), Fate::Closed | Fate::Reset));
    world.say(&client, "8\r\n01234567\r\n0\r\n\r\n");
    world.end(&client);
    assert_eq!(client.fate(), Fate::Closed);
}

#[test]
fn an_early_answer_reaches_a_client_that_still_uploads() {
    let mut world = World::new(&passing(""));
    let request = with_body("POST", "/", &"x".repeat(1_000));
    let client = world.ask(&request[..600]);
    world.say(&world.server(), answer("no"));
    let heard = client.heard();
    assert!(heard.contains("Connection: close\r\n") && heard.ends_with("no"), "{heard}");
    world.say(&client, &request[600..]);
    assert_eq!(client.fate(), Fate::Ended);
    world.end(&client);
    assert_eq!(client.fate(), Fate::Closed);
}

#[test]
fn an_answer_waits_for_a_slow_client_before_the_connection_is_ended() {
    let mut world = own("");
    let client = world.client();
    world.take(&client, 10);
    world.say(&client, CLOSING);
    assert_eq!(client.fate(), Fate::Open);
    let mut heard = client.heard();
    while client.fate() == Fate::Open {
        world.take(&client, 50);
        heard.push_str(&client.heard());
    }
    assert!(heard.ends_with("own"));
    assert_eq!(client.fate(), Fate::Ended);
}

#[test]
fn a_client_that_takes_no_whole_answer_in_time_is_given_up() {
    let mut world = own("send_timeout 3s;");
    let client = world.client();
    world.take(&client, 10);
    world.say(&client, get("/"));
    world.pass(2_000);
    world.take(&client, 10);
    world.pass(2_999);
    assert_eq!(client.fate(), Fate::Open);
    world.pass(1);
    assert!(matches!(client.fate(), Fate::Closed | Fate::Reset));
    assert_eq!(world.lines(), ["GET / HTTP/1.1|200|-|-|"]);
    assert!(world.notices()[0].starts_with("the client timed out while its answer was sent"));
}

#[test]
fn status_444_closes_at_once() {
    let mut world = World::new("server { listen 8080; return 444; }");
    let client = world.ask(get("/"));
    assert_eq!((client.heard().as_str(), client.fate()), ("", Fate::Closed));
    assert_eq!(world.lines(), ["GET / HTTP/1.1|444|-|-|"]);
}
