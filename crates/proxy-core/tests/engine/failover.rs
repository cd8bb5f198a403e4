//! nginx: `proxy_next_upstream` and what belongs to it: which failure sends a request to the next
//! server, and which does not.

use crate::net::{Dial, Peer, REFUSED};
use crate::world::{World, answer, get, passing, statuses, with_body};

/// Servers at the ports 5001 and up, and what a location says of the next one.
pub fn servers(lines: &[&str], settings: &str) -> World {
    let lines: String = lines
        .iter()
        .zip(5001..)
        .map(|(line, port)| format!("server 10.0.0.5:{port} {line};"))
        .collect();
    World::new(&format!("upstream app {{ {lines} }} {}", passing(settings)))
}

pub fn two(settings: &str) -> World {
    servers(&["", ""], settings)
}

/// A bad answer of this status.
pub fn bad(status: u16) -> String {
    format!("HTTP/1.1 {status} Bad\r\nContent-Length: 3\r\n\r\nbad")
}

/// The first server does this, and the second answers well if it is asked: the statuses that the
/// client gets, and the servers that were asked.
fn outcome(
    settings: &str,
    request: &str,
    first: impl Fn(&mut World, &Peer),
) -> (Vec<u16>, Vec<u16>) {
    let mut world = two(settings);
    let client = world.ask(request);
    let server = world.server();
    first(&mut world, &server);
    if world.net.links.len() == 2 {
        world.say(&world.server(), answer("good"));
    }
    (statuses(&client.heard()), world.dialled())
}

const GOOD: (&[u16], &[u16]) = (&[200], &[5001, 5002]);

fn check(settings: &str, expected: (&[u16], &[u16]), first: impl Fn(&mut World, &Peer)) {
    let (heard, asked) = outcome(settings, &get("/"), first);
    assert_eq!((heard.as_slice(), asked.as_slice()), expected, "{settings}");
}

#[test]
fn a_server_that_refuses_closes_or_resets_is_an_error() {
    let mut world = two("");
    world.rule(5001, Dial::Fails(REFUSED));
    let client = world.ask(get("/"));
    world.say(&world.server(), answer("good"));
    assert_eq!((statuses(&client.heard()), world.dialled()), (vec![200], vec![5001, 5002]));
    check("", GOOD, |world, server| world.end(server));
    check("", GOOD, |world, server| world.reset(server));
    check("", GOOD, |world, server| {
        world.say(server, "HTTP/1.1 200 OK\r\nContent-");
        world.end(server);
    });
    check("proxy_next_upstream timeout;", (&[502], &[5001]), |world, server| world.end(server));
}

#[test]
fn a_server_that_hangs_is_a_timeout() {
    let settings = "proxy_read_timeout 2s;";
    check(settings, GOOD, |world, _| world.pass(2_000));
    let error = format!("{settings} proxy_next_upstream error;");
    check(&error, (&[504], &[5001]), |world, _| world.pass(2_000));
    let mut world = two("proxy_connect_timeout 1s;");
    world.rule(5001, Dial::Hangs);
    let client = world.ask(get("/"));
    world.pass(999);
    assert_eq!(world.dialled(), [5001]);
    world.pass(1);
    world.say(&world.server(), answer("good"));
    assert_eq!((statuses(&client.heard()), world.dialled()), (vec![200], vec![5002]));
    assert_eq!(world.lines(), ["GET / HTTP/1.1|200|10.0.0.5:5001, 10.0.0.5:5002|504, 200|OK"]);
}

#[test]
fn a_server_that_takes_no_request_is_a_timeout_too() {
    let request = with_body("PUT", "/", &"x".repeat(3_000));
    let (heard, asked) = outcome("proxy_send_timeout 2s;", &request, |world, server| {
        world.pass(1);
        world.take(server, 0);
        world.pass(2_000);
    });
    // It had taken all before: it is the answer that is waited for.
    assert_eq!((heard, asked), (vec![], vec![5001]));
    let mut world = two("proxy_send_timeout 2s;");
    let client = world.ask(&request[..100]);
    world.take(&world.server(), 0);
    world.say(&client, &request[100..]);
    world.pass(2_000);
    let second = world.server();
    assert!(second.heard().ends_with(&"x".repeat(3_000)));
    world.say(&second, answer("good"));
    assert_eq!((statuses(&client.heard()), world.dialled()), (vec![200], vec![5001, 5002]));
}

#[test]
fn an_answer_that_is_none_is_an_invalid_header() {
    let nonsense = |world: &mut World, server: &Peer| world.say(server, "SSH-2.0\r\n");
    check("", (&[502], &[5001]), nonsense);
    check("proxy_next_upstream invalid_header;", GOOD, nonsense);
}

#[test]
fn each_status_that_the_file_names_sends_the_request_on() {
    for status in [500, 502, 503, 504, 403, 404, 429] {
        let says = |world: &mut World, server: &Peer| world.say(server, bad(status));
        check("", (&[status], &[5001]), says);
        check(&format!("proxy_next_upstream http_{status};"), GOOD, says);
        let other = if status == 500 { 502 } else { 500 };
        check(&format!("proxy_next_upstream http_{other};"), (&[status], &[5001]), says);
    }
}

#[test]
fn the_last_servers_bad_answer_is_the_clients() {
    let mut world = two("proxy_next_upstream http_503;");
    let client = world.ask(get("/"));
    for _ in 0..2 {
        world.say(&world.server(), bad(503));
    }
    assert!(client.heard().ends_with("\r\n\r\nbad"));
    assert_eq!(world.dialled(), [5001, 5002]);
    assert_eq!(world.lines(), ["GET / HTTP/1.1|503|10.0.0.5:5001, 10.0.0.5:5002|503, 503|OK"]);
}

#[test]
fn off_sends_nothing_on() {
    check("proxy_next_upstream off;", (&[502], &[5001]), |world, server| world.end(server));
    let mut world = two("proxy_next_upstream off;");
    world.rule(5001, Dial::Fails(REFUSED));
    let client = world.ask(get("/"));
    assert_eq!((statuses(&client.heard()), world.dialled()), (vec![502], vec![5001]));
}

#[test]
fn tries_bound_the_servers_that_are_asked() {
    for (settings, expected) in [
        ("", vec![5001, 5002, 5003]),
        ("proxy_next_upstream_tries 0;", vec![5001, 5002, 5003]),
        ("proxy_next_upstream_tries 2;", vec![5001, 5002]),
        ("proxy_next_upstream_tries 1;", vec![5001]),
    ] {
        let mut world = servers(&["", "", ""], settings);
        (5001..=5003).for_each(|port| world.rule(port, Dial::Fails(REFUSED)));
        let client = world.ask(get("/"));
        assert_eq!(
            (statuses(&client.heard()), world.dialled()),
            (vec![502], expected),
            "{settings}"
        );
    }
}

#[test]
fn the_time_for_it_all_bounds_the_servers_that_are_asked() {
    let settings = "proxy_read_timeout 2s; proxy_next_upstream_timeout 3s;";
    let mut world = servers(&["", "", ""], settings);
    let client = world.ask(get("/"));
    world.pass(4_000);
    assert_eq!((statuses(&client.heard()), world.dialled()), (vec![504], vec![5001, 5002]));
}

#[test]
fn a_post_that_reached_a_server_goes_to_no_other() {
    let post = with_body("POST", "/", "abc");
    let closes = |world: &mut World, server: &Peer| world.end(server);
    assert_eq!(outcome("", &post, closes), (vec![502], vec![5001]));
    let allowed = "proxy_next_upstream error non_idempotent;";
    assert_eq!(outcome(allowed, &post, closes), (vec![200], vec![5001, 5002]));
    // One that reached none does.
    let mut world = two("");
    world.rule(5001, Dial::Fails(REFUSED));
    let client = world.ask(&post);
    assert!(world.server().heard().ends_with("abc"));
    world.say(&world.server(), answer("good"));
    assert_eq!(statuses(&client.heard()), [200]);
}

#[test]
fn a_body_goes_on_to_the_next_server_whole_or_not_at_all() {
    for (bytes, expected) in [(1_024, vec![5001, 5002]), (1_025, vec![5001])] {
        let mut world = two("client_body_buffer_size 1k;");
        let body = "b".repeat(bytes);
        let client = world.ask(with_body("PUT", "/", &body));
        world.end(&world.server());
        assert_eq!(world.dialled(), expected, "{bytes}");
        if expected.len() == 2 {
            assert!(world.server().heard().ends_with(&format!("\r\n\r\n{body}")));
        } else {
            assert_eq!(statuses(&client.heard()), [502]);
        }
    }
}

#[test]
fn an_answer_that_breaks_off_later_does_not_go_to_another_server() {
    let (heard, asked) = outcome("", &get("/"), |world, server| {
        world.say(server, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
        world.end(server);
    });
    assert_eq!((heard, asked), (vec![200], vec![5001]));
}

#[test]
fn a_server_that_is_down_is_no_try() {
    let mut world = servers(&["", "down"], "proxy_read_timeout 2s;");
    let client = world.ask(get("/"));
    world.pass(2_000);
    // nginx: the failure of the only server that can be asked is the answer.
    assert_eq!((statuses(&client.heard()), world.dialled()), (vec![504], vec![5001]));
    assert_eq!(world.lines(), ["GET / HTTP/1.1|504|10.0.0.5:5001|504|OK"]);
}

#[test]
fn a_body_under_way_goes_on_to_the_next_server_from_its_beginning() {
    for fails in [(|world, server| world.end(server)) as fn(&mut World, &Peer), |world, server| {
        world.say(server, bad(503))
    }] {
        let mut world = two("proxy_next_upstream error http_503;");
        let request = with_body("PUT", "/", "0123456789");
        let client = world.ask(&request[..request.len() - 5]);
        let first = world.server();
        fails(&mut world, &first);
        assert_eq!((world.dialled(), client.heard().as_str()), (vec![5001, 5002], ""));
        world.say(&client, "56789");
        assert!(world.server().heard().ends_with("\r\n\r\n0123456789"));
        world.say(&world.server(), answer("good"));
        let heard = client.heard();
        assert_eq!(statuses(&heard), [200]);
        assert!(heard.contains("Connection: keep-alive\r\n"), "{heard}");
    }
}

#[test]
fn a_client_that_expects_100_is_told_once_however_many_servers_are_tried() {
    let mut world = two("");
    let head = "PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n";
    let client = world.ask(head);
    world.end(&world.server());
    world.say(&client, "abc");
    assert!(world.server().heard().ends_with("\r\n\r\nabc"));
    world.say(&world.server(), answer("good"));
    assert_eq!(statuses(&client.heard()), [100, 200]);
}

#[test]
fn an_address_to_come_from_that_is_none_is_told_once_however_many_servers_are_tried() {
    let mut world = two("proxy_bind $arg_from;");
    world.rule(5001, Dial::Fails(REFUSED));
    world.rule(5002, Dial::Fails(REFUSED));
    let client = world.ask(get("/?from=nonsense"));
    assert_eq!((statuses(&client.heard()), world.dialled().len()), (vec![502], 2));
    let notices = world.notices();
    let told = notices.iter().filter(|text| text.contains("invalid local address \"nonsense\""));
    assert_eq!(told.count(), 1, "{notices:?}");
}
