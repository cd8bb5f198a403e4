//! nginx: `error_page` and `rewrite_log` with real connections behind them.

use crate::net::{Dial, Fate, REFUSED};
use crate::world::{World, answer, get, passing, statuses, with_body};

const OTHER: &str =
    "upstream app { server 10.0.0.5:5000; } upstream other { server 10.0.0.5:6000; }";

fn world(content: &str) -> World {
    World::new(&format!("{OTHER} {}", passing(content)))
}

#[test]
fn another_upstream_answers_for_one_that_is_out_of_reach() {
    let mut world = world("error_page 502 = @other; location @other { proxy_pass http://other; }");
    world.rule(5000, Dial::Fails(REFUSED));
    let client = world.ask(with_body("POST", "/a%20b", "abc"));
    assert_eq!(world.dialled(), [5000, 6000]);
    let heard = world.server().heard();
    assert!(
        heard.starts_with("POST /a%20b HTTP/1.1\r\n") && heard.ends_with("\r\n\r\nabc"),
        "{heard}"
    );
    world.say(&world.server(), answer("new"));
    assert!(client.heard().ends_with("\r\n\r\nnew"));
    assert_eq!(world.engine.links(), 1, "the second one's is kept");
    let line = "POST /a%20b HTTP/1.1|200|10.0.0.5:5000 : 10.0.0.5:6000|502 : 200|OK";
    assert_eq!(world.lines(), [line]);
    assert!(world.notices()[0].starts_with("cannot connect to the upstream"));
}

#[test]
fn an_answer_that_is_given_up_for_a_page_leaves_no_connection_behind() {
    let mut world =
        world("error_page 404 /own; proxy_intercept_errors on; location /own { return 200 own; }");
    let client = world.ask([get("/"), get("/own")].concat());
    let server = world.server();
    world.say(&server, "HTTP/1.1 404 Not Found\r\nContent-Length: 3\r\n\r\nold");
    assert!(matches!(server.fate(), Fate::Closed | Fate::Reset));
    assert_eq!(statuses(&client.heard()), [404, 200]);
    assert_eq!((world.engine.links(), client.fate()), (0, Fate::Open));
}

#[test]
fn a_page_that_leads_to_its_own_error_ends_after_ten_redirects() {
    let mut world =
        world("recursive_error_pages on; error_page 403 /loop; location /loop { return 403; }");
    let client = world.ask(get("/loop"));
    assert_eq!(statuses(&client.heard()), [500]);
    assert!(world.notices()[0].starts_with("rewrites or internal redirects lead in a circle"));
}

#[test]
fn what_rewrites_do_is_told_with_the_request_that_they_were_done_for() {
    let mut world = world("rewrite_log on; rewrite ^/a(.*)$ /own$1; location /own { return 200; }");
    let client = world.ask(get("/a%22b%0A"));
    assert_eq!(statuses(&client.heard()), [200]);
    let notices = world.notices();
    assert_eq!(notices.len(), 2, "{notices:?}");
    assert!(
        notices[0].starts_with("\"^/a(.*)$\" matches \"/a\\\"b\\n\", client: "),
        "{}",
        notices[0]
    );
    assert!(
        notices[1].contains("rewritten data: \"/own\\\"b\", args: \"\", client: "),
        "{}",
        notices[1]
    );
}
