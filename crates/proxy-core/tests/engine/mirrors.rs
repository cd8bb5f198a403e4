//! Requests that go to another place too: what becomes of that is nothing to the client.

use crate::net::{Dial, Fate, Peer, REFUSED};
use crate::world::{World, answer, get, passing, statuses, with_body};

const BOTH: &str = "upstream app { server 10.0.0.5:5000; } upstream copy { server 10.0.0.5:6000; }";

fn world(settings: &str) -> World {
    let copy = "location = /copy { internal; proxy_pass http://copy$request_uri; }";
    World::new(&format!("{BOTH} {}", passing(&format!("mirror /copy; {settings} {copy}"))))
}

/// The connections to both.
fn both(world: &mut World) -> (Peer, Peer) {
    assert_eq!(world.dialled(), [5000, 6000]);
    let links = &world.net.links;
    (links[links.len() - 2].clone(), links[links.len() - 1].clone())
}

#[test]
fn both_get_it_and_the_next_request_does_not_wait_for_a_mirror_that_hangs() {
    let mut world = world("proxy_read_timeout 2s;");
    let client = world.ask(get("/x?y"));
    let (app, copy) = both(&mut world);
    assert_eq!(copy.heard(), "GET /x?y HTTP/1.1\r\nHost: copy\r\n\r\n");
    world.say(&app, answer("hello"));
    assert!(client.heard().ends_with("hello"));
    assert_eq!(world.lines(), ["GET /x?y HTTP/1.1|200|10.0.0.5:5000|200|OK"]);
    world.say(&client, get("/next"));
    assert!(app.heard().contains("GET /next "));
    world.say(&app, answer("again"));
    assert_eq!((statuses(&client.heard()), copy.fate()), (vec![200], Fate::Open));
    world.pass(2_000);
    assert!(matches!(copy.fate(), Fate::Closed | Fate::Reset));
    assert_eq!((world.engine.mirrors(), world.engine.clients()), (0, 1));
    let notices = world.notices().join("\n");
    assert!(
        notices.contains("timed out") && notices.contains("subrequest: \"/copy\""),
        "{notices}"
    );
}

#[test]
fn a_body_is_there_before_anybody_gets_it() {
    let mut world = world("");
    let request = with_body("POST", "/x", "abcdef");
    let (start, rest) = request.split_at(request.len() - 3);
    let client = world.ask(start);
    assert!(world.dialled().is_empty());
    world.say(&client, rest);
    let (app, copy) = both(&mut world);
    assert!(app.heard().ends_with("Content-Length: 6\r\n\r\nabcdef"));
    assert!(copy.heard().ends_with("Content-Length: 6\r\n\r\nabcdef"));
    world.say(&copy, answer("nobody reads this"));
    assert_eq!((client.heard(), copy.fate()), (String::new(), Fate::Open));
    world.say(&app, answer("hello"));
    assert_eq!(statuses(&client.heard()), [200]);
    // Both connections are used again.
    world.say(&client, get("/y"));
    assert_eq!(world.dialled(), []);
    assert!(copy.heard().starts_with("GET /y "));
}

#[test]
fn a_client_that_stops_or_leaves_in_the_middle_of_its_body_reaches_nobody() {
    let mut world = world("client_body_timeout 1s;");
    let request = with_body("POST", "/x", "abcdef");
    let start = &request[..request.len() - 3];
    let (slow, gone) = (world.ask(start), world.ask(start));
    world.end(&gone);
    world.pass(1_000);
    assert_eq!((statuses(&slow.heard()), world.dialled()), (vec![408], vec![]));
    world.end(&slow);
    assert_eq!(world.lines(), ["POST /x HTTP/1.1|400|-|-|", "POST /x HTTP/1.1|408|-|-|OK"]);
    assert_eq!((world.engine.links(), world.engine.mirrors()), (0, 0));
}

#[test]
fn a_mirror_goes_on_when_the_client_has_gone_and_ends_with_its_answer() {
    let mut world = world("");
    let client = world.ask(get("/"));
    let (app, copy) = both(&mut world);
    world.end(&client);
    assert_eq!(world.lines(), ["GET / HTTP/1.1|499|10.0.0.5:5000|-|"]);
    assert!(matches!(app.fate(), Fate::Closed | Fate::Reset));
    assert_eq!(copy.fate(), Fate::Open);
    world.say(&copy, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nyes");
    assert!(matches!(copy.fate(), Fate::Closed | Fate::Reset));
    assert_eq!((world.engine.links(), world.engine.mirrors()), (0, 0));
}

#[test]
fn mirrors_that_die_are_told_and_nothing_else() {
    let mut world = world("");
    world.rule(6000, Dial::Fails(REFUSED));
    let client = world.ask(get("/"));
    world.say(&world.net.links[0].clone(), answer("hello"));
    assert_eq!(statuses(&client.heard()), [200]);
    let notices = world.notices().join("\n");
    assert!(notices.contains("refused") && notices.contains("subrequest: \"/copy\""), "{notices}");
    world.rule(6000, Dial::Connects);
    world.say(&client, get("/x"));
    world.reset(&world.server());
    world.say(&world.net.links[0].clone(), answer("hello"));
    assert_eq!((statuses(&client.heard()), world.engine.clients()), (vec![200], 1));
    assert_eq!(world.engine.mirrors(), 0);
}

#[test]
fn a_server_that_hangs_holds_no_more_mirrors_than_the_bound() {
    let mut world = world("");
    let client = world.ask(get("/0"));
    let (app, _) = both(&mut world);
    for index in 1..520 {
        world.say(&app, answer("x"));
        world.say(&client, get(&format!("/{index}")));
    }
    assert_eq!((world.engine.links(), world.engine.mirrors()), (513, 512));
    world.say(&app, answer("last"));
    assert!(client.heard().ends_with("last"));
    let notices = world.notices();
    assert_eq!(notices.len(), 1);
    assert!(notices[0].contains("and this one is not; 1 since"), "{notices:?}");
    let one = world.net.links[1].clone();
    world.say(&one, answer(""));
    world.say(&client, get("/again"));
    assert!(one.heard().contains("GET /again "));
}

#[test]
fn a_body_that_is_too_long_to_be_held_goes_to_its_server_alone() {
    const PIECE: usize = 64 << 10;
    let mut world = world("client_max_body_size 0;");
    let head = "POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    let client = world.ask(head);
    let piece = format!("{PIECE:x}\r\n{}\r\n", "x".repeat(PIECE));
    for index in 0..20 {
        world.say(&client, &piece);
        assert_eq!(world.engine.links(), usize::from(index >= 16), "{index}");
    }
    world.say(&client, "0\r\n\r\n");
    assert_eq!(world.dialled(), [5000]);
    let app = world.server();
    let heard = app.heard();
    assert_eq!(heard.matches('x').count(), 20 * PIECE + 1, "and the one of the path");
    assert!(heard.ends_with("0\r\n\r\n"));
    world.say(&app, answer("hello"));
    assert_eq!(statuses(&client.heard()), [200]);
    assert!(world.notices().join("\n").contains("the request is not mirrored: its body"));
    let told = format!("POST /y HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\nabc", 2 << 20);
    world.ask(told);
    assert!(world.server().heard().ends_with("\r\n\r\nabc"));
    assert_eq!(world.engine.mirrors(), 0);
}

#[test]
fn what_drains_waits_for_mirrors() {
    let mut world = world("");
    let client = world.ask(get("/"));
    let (app, copy) = both(&mut world);
    world.engine.finish_all(&mut world.net);
    world.say(&app, answer("hello"));
    world.end(&client);
    assert!(!world.engine.has_finished());
    world.say(&copy, answer(""));
    assert!(world.engine.has_finished());
}

#[test]
fn a_connection_that_a_mirrored_head_went_by_is_not_used_again() {
    let mut world = world("");
    let client = world.ask("HEAD /x HTTP/1.1\r\nHost: a\r\n\r\n");
    let (app, copy) = both(&mut world);
    world.say(&app, answer(""));
    world.say(&copy, answer(""));
    assert_eq!(statuses(&client.heard()), [200]);
    assert!(matches!(copy.fate(), Fate::Closed | Fate::Reset), "{:?}", copy.fate());
}
