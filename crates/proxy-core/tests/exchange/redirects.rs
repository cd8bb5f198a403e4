//! nginx: `X-Accel-Redirect`: the answer of an upstream sends the request to another location.

use proxy_core::config::model::Variable;
use proxy_core::downstream::ClientNext;
use proxy_core::exchange::{Action, Side};
use proxy_core::fault::Fault;

use crate::case::{HELLO, NOW, Upstream, check, get, server, with_body};
use crate::waiting::Waiting;

const TWO: &str = "location / { proxy_pass http://app; } \
                   location /own { add_header X-At $uri$is_args$args; return 200 own; } \
                   location /other/ { proxy_pass http://app/inner/; }";

/// An answer that redirects to this target, with these lines beside.
fn to(target: &str, lines: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nX-Accel-Redirect: {target}\r\n{lines}Content-Length: 4\r\n\r\nold!")
}

#[test]
fn another_location_answers() {
    let answer = to("/own/./x/../y%20z?a=b", "");
    let outcome = check(&server(TWO), &get("/"), Upstream::Says(&answer));
    assert_eq!((outcome.status, outcome.body().as_str()), (200, "own"));
    assert_eq!(outcome.field("X-At"), ["/own/y z?a=b"]);
    assert_eq!(outcome.field("X-Accel-Redirect"), Vec::<&str>::new());
    assert_eq!((outcome.next, outcome.kept), (ClientNext::KeepAlive, false));
}

#[test]
fn fields_that_nginx_carries_along_stand_in_the_other_answer() {
    let lines = "Content-Type: a/b\r\nSet-Cookie: c=1\r\nSet-Cookie: d=2\r\n\
                 Content-Disposition: inline\r\nCache-Control: private\r\nExpires: 0\r\n\
                 Accept-Ranges: bytes\r\nX-Left: 1\r\n";
    let outcome = check(&server(TWO), &get("/"), Upstream::Says(&to("/own", lines)));
    assert_eq!(outcome.field("Content-Type"), ["a/b"]);
    assert_eq!(outcome.field("Set-Cookie"), ["c=1", "d=2"]);
    for (name, value) in [
        ("Content-Disposition", "inline"),
        ("Cache-Control", "private"),
        ("Expires", "0"),
        ("Accept-Ranges", "bytes"),
    ] {
        assert_eq!(outcome.field(name), [value]);
    }
    assert_eq!(outcome.field("X-Left"), Vec::<&str>::new());
    assert_eq!(outcome.body(), "own");
}

/// A request that was sent, answered by a redirect, and sent to where that leads.
fn redirected(request: &str, target: &str, lines: &str) -> Waiting {
    let mut waiting = Waiting::sent(&server(TWO), request, false);
    waiting.server_heard();
    let answer = to(target, lines);
    let head_bytes = answer.len() - 4;
    assert_eq!(waiting.server_says(&answer), head_bytes, "what follows is of no use");
    assert_eq!(waiting.exchange.poll_action(), Some(Action::DropLink));
    assert_eq!(waiting.client_heard(), "");
    waiting.attach(false, NOW);
    waiting
}

#[test]
fn another_upstream_is_asked_by_get_without_the_body() {
    let request = with_body("POST", "/", "abc");
    let mut waiting = redirected(&request, "/other/x%20y?q=1", "Set-Cookie: a=1\r\n");
    assert_eq!(waiting.server_heard(), "GET /inner/x%20y?q=1 HTTP/1.1\r\nHost: app\r\n\r\n");
    waiting.server_says("HTTP/1.1 201 Created\r\nSet-Cookie: b=2\r\nContent-Length: 3\r\n\r\nnew");
    let told = waiting.client_heard();
    assert!(told.starts_with("HTTP/1.1 201 Created\r\n") && told.ends_with("\r\n\r\nnew"));
    assert!(told.contains("Set-Cookie: b=2\r\n") && told.contains("Set-Cookie: a=1\r\n"));
    assert_eq!(waiting.exchange.poll_action(), Some(Action::KeepLink));
    assert_eq!(waiting.exchange.retries(), 0, "a redirect is no retry");
}

#[test]
fn no_byte_of_the_new_query_ends_the_request_line() {
    let mut waiting = redirected(&get("/"), "/other/?a b HTTP/1.1\t\u{1}#", "");
    let line = "GET /inner/?a%20b%20HTTP/1.1%09%01# HTTP/1.1\r\n";
    assert!(waiting.server_heard().starts_with(line));
}

#[test]
fn head_stays_head() {
    let request = "HEAD / HTTP/1.1\r\nHost: main.test\r\n\r\n";
    let mut waiting = redirected(request, "/other/", "");
    assert!(waiting.server_heard().starts_with("HEAD /inner/ HTTP/1.1\r\n"));
}

#[test]
fn the_other_location_may_redirect_again_ten_times_in_all() {
    let mut waiting = Waiting::sent(&server(TWO), &get("/"), false);
    for turn in 1..=10 {
        waiting.server_heard();
        waiting.server_says(&to(&format!("/other/{turn}"), ""));
        assert_eq!(waiting.exchange.poll_action(), Some(Action::DropLink));
        waiting.attach(false, NOW);
        assert!(waiting.server_heard().starts_with(&format!("GET /inner/{turn} ")));
    }
    waiting.server_says(&to("/other/11", ""));
    assert_eq!((waiting.status(), waiting.exchange.fault()), (500, Some(Fault::RedirectCycle)));
    assert_eq!(waiting.exchange.attempts.iter().len(), 11);
}

#[test]
fn a_target_that_is_no_path_is_not_found() {
    for target in ["nowhere", "http://x/y", "/../up", "/%zz"] {
        let outcome = check(&server(TWO), &get("/"), Upstream::Says(&to(target, "")));
        assert_eq!(outcome.status, 404, "{target}");
    }
}

#[test]
fn a_field_that_the_file_ignores_steers_nothing() {
    let content = "location / { proxy_pass http://app; proxy_ignore_headers X-Accel-Redirect; }";
    let outcome = check(&server(content), &get("/"), Upstream::Says(&to("/own", "")));
    assert_eq!((outcome.status, outcome.body().as_str(), outcome.kept), (200, "old!", true));
    let empty = check(&server(TWO), &get("/"), Upstream::Says(&to("", "")));
    assert_eq!(empty.body(), "old!");
}

#[test]
fn the_attempts_of_both_upstreams_are_told_with_a_colon_between() {
    let mut waiting = redirected(&get("/"), "/other/", "");
    waiting.server_says(HELLO);
    let view = waiting.exchange.view(NOW);
    let mut told = Vec::new();
    for variable in [Variable::UpstreamAddr, Variable::UpstreamStatus] {
        view.push_variable(&variable, &mut told);
        told.push(b'\n');
    }
    let told = String::from_utf8(told).unwrap();
    assert_eq!(told, "127.0.0.1:5000 : 127.0.0.1:5000\n200 : 200\n");
}

#[test]
fn a_body_that_was_still_to_come_is_read_away_before_the_connection_goes_on() {
    let request = with_body("POST", "/", "0123456789");
    let mut waiting = Waiting::sent(&server(TWO), &request[..request.len() - 4], false);
    waiting.server_says(&to("/own", ""));
    assert!(waiting.client_heard().ends_with("own"));
    assert!(!waiting.exchange.is_complete() && waiting.exchange.wants(Side::Client));
    assert_eq!(waiting.client_says("6789GET"), 4);
    assert_eq!(waiting.exchange.client_next(), ClientNext::KeepAlive);
}

#[test]
fn a_declared_body_is_measured_by_the_other_location_too() {
    let generation = server(
        "location / { proxy_pass http://app; } \
         location /small { client_max_body_size 2; return 200 own; }",
    );
    let request = with_body("POST", "/", "abc");
    let outcome = check(&generation, &request, Upstream::Says(&to("/small", "")));
    // nginx: the length that the client declared is looked at in each location.
    assert_eq!(outcome.status, 413);
}
