//! Connections that begin with who their client is.

use crate::net::Fate;
use crate::world::{World, get, statuses};

const LINE: &str = "PROXY TCP4 1.2.3.4 10.0.0.1 5000 80\r\n";

fn world(settings: &str) -> World {
    World::new(&format!(
        "server {{ listen 8080 proxy_protocol; {settings} \
         return 200 \"$proxy_protocol_addr:$proxy_protocol_port $proxy_protocol_server_addr:\
         $proxy_protocol_server_port $remote_addr:$remote_port $realip_remote_addr $pipe;\"; }}"
    ))
}

fn check(settings: &str, sent: &[&str], expected: &str) {
    let mut world = world(settings);
    let client = world.ask(sent[0]);
    for piece in &sent[1..] {
        assert_eq!((client.heard(), client.fate()), (String::new(), Fate::Open), "{sent:?}");
        world.say(&client, *piece);
    }
    let heard = client.heard();
    assert!(heard.contains(expected), "{sent:?} {heard}");
}

#[test]
fn what_is_said_before_the_first_request_is_in_the_variables_and_believed_of_whom_one_trusts() {
    let request = get("/");
    let told = "1.2.3.4:5000 10.0.0.1:80 ";
    let whole = format!("{LINE}{request}");
    check("", &[&whole], &format!("{told}10.0.0.9:40001 10.0.0.9 .;"));
    check("", &[&LINE[..9], &LINE[9..], &request], &format!("{told}10.0.0.9:40001"));
    check("", &["PROXY UNKNOWN\r\n", &request], ": : 10.0.0.9:40001 ");
    let trusts = "set_real_ip_from 10.0.0.0/24; real_ip_header proxy_protocol;";
    check(trusts, &[&whole], &format!("{told}1.2.3.4:5000 10.0.0.9 "));
    check(
        "set_real_ip_from 10.9.0.0/24; real_ip_header proxy_protocol;",
        &[&whole],
        "10.0.0.9:40001 ",
    );
    check(trusts, &["PROXY UNKNOWN\r\n", &request], " 10.0.0.9:40001 10.0.0.9 ");
}

#[test]
fn it_holds_for_all_requests_of_the_connection_and_is_said_once() {
    let mut world = world("");
    let client = world.ask(format!("{LINE}{}{}", get("/a"), get("/b")));
    let heard = client.heard();
    assert_eq!(statuses(&heard), [200, 200]);
    assert_eq!(heard.matches("1.2.3.4:5000").count(), 2, "{heard}");
    assert!(heard.contains(" .;") && heard.contains(" p;"), "{heard}");
    world.say(&client, format!("{LINE}{}", get("/c")));
    assert_eq!(statuses(&client.heard()), [400]);
}

#[test]
fn without_a_header_the_connection_is_closed_and_that_is_told() {
    for text in [get("/").to_string(), "PROXY TCP4 1.2.3.4\r\n".into(), "x".repeat(200)] {
        let mut world = world("");
        let client = world.ask(text.as_str());
        assert_eq!((client.heard(), client.fate()), (String::new(), Fate::Closed), "{text}");
        let notices = world.notices().join("\n");
        assert!(notices.contains("broken header: ") && notices.contains("10.0.0.9"), "{notices}");
        assert_eq!(world.engine.clients(), 0);
    }
}

#[test]
fn a_header_that_does_not_come_is_waited_for_as_long_as_a_request() {
    let mut world = world("client_header_timeout 3s;");
    let client = world.ask(&LINE[..9]);
    world.pass(2_999);
    assert_eq!(client.fate(), Fate::Open);
    world.pass(1);
    assert_eq!((client.heard(), client.fate()), (String::new(), Fate::Closed));
}
