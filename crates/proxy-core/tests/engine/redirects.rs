//! nginx: `X-Accel-Redirect` with real connections behind it.

use crate::net::{Dial, Fate, REFUSED};
use crate::world::{World, answer, get, passing, statuses, with_body};

const OTHER: &str =
    "upstream app { server 10.0.0.5:5000; } upstream other { server 10.0.0.5:6000; }";

fn world() -> World {
    World::new(&format!(
        "{OTHER} {}",
        passing(
            "location /own { return 200 own; } location /other/ { proxy_pass http://other/; } \
             location = /gone/ { proxy_pass http://other/; }"
        )
    ))
}

fn to(target: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nX-Accel-Redirect: {target}\r\nContent-Length: 3\r\n\r\nold")
}

#[test]
fn the_first_servers_connection_is_given_up_and_the_seconds_is_made() {
    let mut world = world();
    let client = world.ask(with_body("POST", "/", "abc"));
    let first = world.server();
    world.say(&first, to("/other/x?y"));
    assert!(matches!(first.fate(), Fate::Closed | Fate::Reset));
    assert_eq!(world.dialled(), [5000, 6000]);
    assert_eq!(world.server().heard(), "GET /x?y HTTP/1.1\r\nHost: other\r\n\r\n");
    world.say(&world.server(), answer("new"));
    assert!(client.heard().ends_with("\r\n\r\nnew"));
    assert_eq!(world.engine.links(), 1);
    assert_eq!(world.lines(), ["POST / HTTP/1.1|200|10.0.0.5:5000 : 10.0.0.5:6000|200 : 200|OK"]);
    assert_eq!(world.counters().retries, 0);
    world.say(&client, get("/other/again"));
    assert!(world.server().heard().starts_with("GET /again "), "the link is used again");
}

#[test]
fn a_location_that_answers_here_leaves_no_connection_behind() {
    let mut world = world();
    let client = world.ask([get("/"), get("/own")].concat());
    world.say(&world.server(), to("/own"));
    assert_eq!(statuses(&client.heard()), [200, 200]);
    assert_eq!((world.engine.links(), client.fate()), (0, Fate::Open));
}

#[test]
fn the_other_server_that_is_out_of_reach_is_the_answer() {
    let mut world = world();
    world.rule(6000, Dial::Fails(REFUSED));
    let client = world.ask(get("/"));
    world.say(&world.server(), to("/other/"));
    assert_eq!(statuses(&client.heard()), [502]);
    assert_eq!(world.lines(), ["GET / HTTP/1.1|502|10.0.0.5:5000 : 10.0.0.5:6000|200 : 502|OK"]);
}

#[test]
fn a_circle_ends_after_ten_redirects() {
    let mut world = world();
    let client = world.ask(get("/other/"));
    let mut turns = 0;
    while statuses(&client.heard()).is_empty() {
        world.say(&world.server(), to("/other/"));
        turns += 1;
    }
    // nginx: a connection does not outlive a 500.
    assert_eq!((turns, world.engine.links(), client.fate()), (11, 0, Fate::Ended));
    let lines = world.lines();
    assert!(lines[0].starts_with("GET /other/ HTTP/1.1|500|"), "{lines:?}");
    assert_eq!(lines[0].matches("6000").count(), 11);
    assert!(world.notices()[0].starts_with("rewrites or internal redirects lead in a circle"));
}

#[test]
fn a_body_under_way_is_read_away_and_the_other_server_does_not_get_it() {
    let mut world = world();
    let request = with_body("POST", "/", "0123456789");
    let client = world.ask(&request[..request.len() - 5]);
    world.say(&world.server(), to("/other/x"));
    let second = world.server();
    assert_eq!(second.heard(), "GET /x HTTP/1.1\r\nHost: other\r\n\r\n");
    world.say(&client, "56789");
    assert_eq!(second.heard(), "");
    world.say(&second, answer("new"));
    assert!(client.heard().ends_with("new"));
    world.say(&client, get("/own"));
    assert!(client.heard().ends_with("own"));
}
