//! Who is asked before a request goes on, what waits for its turn, and what is told of connections.

use crate::net::{Dial, Fate, REFUSED};
use crate::world::{World, answer, get, passing, statuses, with_body};

const BOTH: &str = "upstream app { server 10.0.0.5:5000; } upstream door { server 10.0.0.5:6000; } \
                    limit_req_zone $uri zone=turn:1m rate=10r/s; \
                    limit_conn_zone $uri zone=one:1m;";

fn world(settings: &str) -> World {
    let door = "location = /door { internal; proxy_pass http://door; }";
    World::new(&format!("{BOTH} {}", passing(&format!("{settings} {door}"))))
}

const YES: &str = "HTTP/1.1 204 No Content\r\n\r\n";
const NO: &str = "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n";

#[test]
fn a_request_goes_on_when_the_door_says_yes_and_its_body_has_waited() {
    let mut world = world("auth_request /door;");
    let client = world.ask(with_body("POST", "/x", "abc"));
    assert_eq!(world.dialled(), [6000]);
    let door = world.server();
    assert_eq!(door.heard(), "GET /door HTTP/1.1\r\nHost: door\r\n\r\n");
    world.say(&door, YES);
    assert_eq!((world.dialled(), door.fate()), (vec![5000], Fate::Open));
    assert!(world.server().heard().ends_with("\r\n\r\nabc"));
    world.say(&world.server(), answer("hello"));
    assert!(client.heard().ends_with("hello"));
    assert_eq!(world.lines(), ["POST /x HTTP/1.1|200|10.0.0.5:5000|200|OK"]);
    // The door's connection is used again, and a body that is there at once does not hinder that.
    world.say(&client, get("/y"));
    assert_eq!(door.heard(), "GET /door HTTP/1.1\r\nHost: door\r\n\r\n");
    world.say(&door, answer("yes"));
    assert_eq!((world.dialled(), door.fate()), (vec![], Fate::Open));
    world.say(&world.server(), answer("again"));
    assert!(client.heard().ends_with("again"));
}

#[test]
fn the_rest_of_what_the_door_says_is_not_waited_for() {
    let mut world = world("auth_request /door;");
    let client = world.ask(get("/"));
    let door = world.server();
    world.say(&door, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nyes");
    assert!(matches!(door.fate(), Fate::Closed | Fate::Reset));
    assert_eq!(world.dialled(), [6000, 5000]);
    world.say(&world.server(), answer("hello"));
    assert_eq!(statuses(&client.heard()), [200]);
}

#[test]
fn who_is_refused_reaches_nobody_else_and_the_next_request_is_asked_about_anew() {
    let mut world = world("auth_request /door;");
    let client = world.ask([with_body("POST", "/", "abc"), get("/next")].concat());
    world.say(&world.server(), NO);
    assert_eq!(statuses(&client.heard()), [403]);
    assert_eq!(world.lines(), ["POST / HTTP/1.1|403|-|-|OK"]);
    world.say(&world.server(), YES);
    assert_eq!(world.dialled(), [6000, 5000]);
}

#[test]
fn a_door_that_does_not_answer_lets_nobody_in() {
    let mut world = world("auth_request /door; proxy_read_timeout 2s;");
    let client = world.ask(get("/"));
    world.pass(2_000);
    assert_eq!(statuses(&client.heard()), [500]);
    assert_eq!(world.lines(), ["GET / HTTP/1.1|500|-|-|OK"]);
    let notices = world.notices().join("\n");
    assert!(notices.contains("timed out while reading from the upstream"), "{notices}");
    assert!(notices.contains("auth request unexpected status: 504"), "{notices}");
    world.rule(6000, Dial::Fails(REFUSED));
    let client = world.ask(get("/"));
    assert_eq!((statuses(&client.heard()), world.engine.links()), (vec![500], 0));
    let notices = world.notices().join("\n");
    assert!(notices.contains("auth request unexpected status: 502"), "{notices}");
}

#[test]
fn a_client_that_leaves_meanwhile_is_logged_by_what_it_asked_for() {
    let mut world = world("auth_request /door;");
    let client = world.ask(get("/x"));
    world.end(&client);
    assert_eq!(world.lines(), ["GET /x HTTP/1.1|499|-|-|"]);
    assert_eq!((world.engine.links(), world.engine.clients()), (0, 0));
    let client = world.ask(with_body("POST", "/y", "abc"));
    world.reset(&client);
    assert_eq!(world.lines(), ["POST /y HTTP/1.1|499|-|-|"]);
}

#[test]
fn a_client_that_waits_with_its_body_is_told_to_go_on_once_it_is_let_in() {
    let mut world = world("auth_request /door;");
    let request =
        with_body("POST", "/x", "abc").replacen("Host", "Expect: 100-continue\r\nHost", 1);
    let (head, body) = request.split_at(request.len() - 3);
    let client = world.ask(head);
    let door = world.server();
    assert_eq!(client.heard(), "");
    world.say(&door, YES);
    assert_eq!(client.heard(), "HTTP/1.1 100 Continue\r\n\r\n");
    world.say(&client, body);
    assert!(world.server().heard().ends_with("abc"));
    let other = world.ask(head);
    world.say(&door, NO);
    assert_eq!(statuses(&other.heard()).last(), Some(&403));
}

#[test]
fn who_asks_too_soon_waits_for_its_turn() {
    let mut world = world("limit_req zone=turn burst=5;");
    let first = world.ask(get("/a"));
    let server = world.server();
    assert!(server.heard().starts_with("GET /a "));
    world.say(&server, answer("one"));
    assert_eq!(statuses(&first.heard()), [200]);
    let second = world.ask(get("/a"));
    let other = world.ask(get("/b"));
    assert_eq!(world.lines().len(), 1);
    assert!(world.server().heard().starts_with("GET /b "), "another's turn is its own");
    world.say(&world.server(), answer("b"));
    assert!(other.heard().ends_with('b'));
    world.pass(99);
    assert_eq!(world.server().heard(), "");
    world.pass(1);
    assert!(world.server().heard().starts_with("GET /a "));
    world.say(&world.server(), answer("two"));
    assert!(second.heard().ends_with("two"));
    assert!(
        world.notices().join("\n").contains("delaying request, excess: 1.000, by zone \"turn\"")
    );
}

#[test]
fn a_client_that_leaves_before_its_turn_comes_is_forgotten() {
    let mut world = world("limit_req zone=turn burst=5;");
    world.ask(get("/a"));
    let waiting = world.ask(get("/a"));
    world.end(&waiting);
    assert_eq!(world.lines(), ["GET /a HTTP/1.1|499|-|-|"]);
    world.pass(1_000);
    assert_eq!(world.dialled(), [5000]);
}

#[test]
fn one_at_a_time_is_counted_until_its_answer_is_out() {
    let mut world = world("limit_conn one 1;");
    let first = world.ask(get("/a"));
    let second = world.ask(get("/a"));
    assert_eq!(statuses(&second.heard()), [503]);
    let server = world.server();
    world.say(&server, answer("one"));
    assert_eq!(statuses(&first.heard()), [200]);
    let third = world.ask(get("/a"));
    world.say(&world.server(), answer("two"));
    assert_eq!(statuses(&third.heard()), [200]);
    // One that leaves gives back what it held.
    let fourth = world.ask(get("/a"));
    world.reset(&fourth);
    let fifth = world.ask(get("/a"));
    world.say(&world.server(), answer("three"));
    assert_eq!(statuses(&fifth.heard()), [200]);
    assert!(world.notices().join("\n").contains("limiting connections by zone \"one\""));
}

#[test]
fn an_answer_goes_out_at_its_rate_and_its_client_is_not_to_blame() {
    let mut world = world("limit_rate 1000; limit_rate_after 500; send_timeout 1s;");
    let client = world.ask(get("/a"));
    let server = world.server();
    world.say(&server, answer(&"x".repeat(4_000)));
    let mut heard = client.heard();
    assert_eq!(heard.len(), 1_500);
    world.pass(999);
    assert_eq!(client.heard(), "");
    world.pass(1);
    heard += &client.heard();
    assert_eq!(heard.len(), 2_500);
    world.pass(5_000);
    heard += &client.heard();
    let (_, body) = heard.split_once("\r\n\r\n").unwrap();
    assert_eq!((body.len(), client.fate()), (4_000, Fate::Open));
    assert_eq!(world.lines(), ["GET /a HTTP/1.1|200|10.0.0.5:5000|200|OK"]);
}

#[test]
fn connections_and_requests_are_told_as_exporters_read_them() {
    let mut world = World::new("server { listen 8080; location / { stub_status; } }");
    let waits = world.ask(get("/"));
    world.client();
    world.ask("GET / HTT");
    waits.heard();
    world.say(&waits, get("/"));
    let heard = waits.heard();
    assert!(heard.contains("\r\nContent-Type: text/plain\r\n"), "{heard}");
    let (_, text) = heard.split_once("\r\n\r\n").unwrap();
    let expected = "Active connections: 3 \nserver accepts handled requests\n 3 3 2 \n\
                    Reading: 1 Writing: 1 Waiting: 1 \n";
    assert_eq!(text, expected);
}
