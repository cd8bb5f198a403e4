//! What of a request goes on to the server, and in which words.

use proxy_core::downstream::ClientNext;
use proxy_core::response::Source;

use crate::case::{HELLO, Outcome, Upstream, check, get, server};

const PASS: &str = "location / { proxy_pass http://app; } add_header X-Kit yes;";

/// What a server gets of a request.
fn sent(content: &str, request: &str) -> String {
    check(&server(content), request, Upstream::Says(HELLO)).to_upstream
}

/// The request line that a server gets for a target.
fn line(content: &str, target: &str) -> String {
    let sent = sent(content, &get(target));
    sent.split("\r\n").next().unwrap_or_default().to_owned()
}

#[test]
fn a_get_is_passed_on_and_answered() {
    let outcome = check(&server(PASS), &get("/a?b=c"), Upstream::Says(HELLO));
    assert_eq!(outcome.to_upstream, "GET /a?b=c HTTP/1.1\r\nHost: app\r\n\r\n");
    let version = env!("CARGO_PKG_VERSION");
    let expected = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\
         Server: sidecar-kit/{version}\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\n\
         Content-Length: 5\r\nConnection: keep-alive\r\nX-Kit: yes\r\n\r\nhello"
    );
    assert_eq!(outcome.to_client, expected);
    let Outcome { status, source, next, kept, .. } = outcome;
    assert_eq!((status, source, next, kept), (200, Source::Upstream, ClientNext::KeepAlive, true));
}

#[test]
fn fields_of_the_clients_connection_do_not_pass() {
    let content = "location / { proxy_pass http://app; proxy_set_header Host $host; \
                   proxy_set_header X-Real-IP $remote_addr; proxy_set_header X-Gone \"\"; }";
    let request = "GET / HTTP/1.1\r\nHost: Main.Test:8080\r\nConnection: close, X-Hop\r\n\
                   X-Hop: 1\r\nX-Gone: 1\r\nTE: trailers\r\nKeep-Alive: 5\r\nbad_name: 1\r\n\
                   od.d: 1\r\nX-Kept: 1\r\n\r\n";
    let outcome = check(&server(content), request, Upstream::Says(HELLO));
    let expected = "GET / HTTP/1.1\r\nHost: main.test\r\nX-Real-IP: 10.0.0.9\r\nX-Kept: 1\r\n\r\n";
    assert_eq!(outcome.to_upstream, expected);
    assert_eq!((outcome.next, outcome.field("Connection")), (ClientNext::Close, vec!["close"]));
}

#[test]
fn fields_with_odd_names_pass_only_where_the_file_says_so() {
    let request = "GET / HTTP/1.1\r\nHost: a\r\nunder_score: 1\r\nod.d: 2\r\n\r\n";
    for (settings, expected) in [
        ("", ""),
        ("underscores_in_headers on;", "under_score: 1\r\n"),
        ("ignore_invalid_headers off;", "under_score: 1\r\nod.d: 2\r\n"),
    ] {
        let sent = sent(&format!("{settings} {PASS}"), request);
        assert_eq!(sent, format!("GET / HTTP/1.1\r\nHost: app\r\n{expected}\r\n"), "{settings}");
    }
}

#[test]
fn a_field_that_the_file_sets_replaces_the_clients() {
    let content = "location / { proxy_pass http://app; proxy_set_header x-a mine; \
                   proxy_set_header Content-Length 5; proxy_set_header Connection upgrade; }";
    let request = "GET / HTTP/1.1\r\nHost: a\r\nX-A: theirs\r\nX-A: theirs too\r\n\r\n";
    assert_eq!(sent(content, request), "GET / HTTP/1.1\r\nHost: app\r\nx-a: mine\r\n\r\n");
}

#[test]
fn a_value_made_of_decoded_parts_begins_no_new_line() {
    let content = "location / { proxy_pass http://app; proxy_set_header X-Path $uri; }";
    let sent = sent(content, &get("/a%0d%0aX-Evil:%201"));
    assert!(sent.contains("X-Path: /a  X-Evil: 1\r\n"), "{sent}");
    assert_eq!(sent.matches("\r\n").count(), 4, "{sent}");
}

#[test]
fn a_pass_with_an_uri_replaces_what_the_location_matched() {
    let content = "location /strip/ { proxy_pass http://app/; } \
                   location /moved/ { proxy_pass http://app/new/; } \
                   location / { proxy_pass http://app; }";
    for (target, expected) in [
        ("/strip/x%20y?q=1", "/x%20y?q=1"),
        ("/strip/", "/"),
        ("/strip/x?", "/x"),
        ("/moved/a/../b", "/new/b"),
        ("/moved//c", "/new/c"),
        ("/a%2Fb", "/a%2Fb"),
        ("/a/./b?q", "/a/./b?q"),
    ] {
        assert_eq!(line(content, target), format!("GET {expected} HTTP/1.1"), "{target}");
    }
}

#[test]
fn an_absolute_target_without_a_path_goes_out_with_one() {
    for (target, expected) in [
        ("http://main.test", "/"),
        ("http://main.test?q=1", "/?q=1"),
        ("http://main.test/", "/"),
        ("http://other.test:90/a?b", "/a?b"),
    ] {
        assert_eq!(line(PASS, target), format!("GET {expected} HTTP/1.1"), "{target}");
    }
}

#[test]
fn the_host_is_the_targets_before_the_fields() {
    let content = "location / { proxy_pass http://app; proxy_set_header Host $host; }";
    for (request, expected) in [
        ("GET http://Abs.Test:81/ HTTP/1.1\r\nHost: field.test\r\n\r\n", "abs.test"),
        ("GET / HTTP/1.1\r\nHost: Field.Test.:81\r\n\r\n", "field.test"),
        ("GET / HTTP/1.1\r\nHost: [::1]:81\r\n\r\n", "[::1]"),
        ("GET / HTTP/1.0\r\n\r\n", "main.test"),
    ] {
        let sent = sent(content, request);
        assert!(sent.contains(&format!("\r\nHost: {expected}\r\n")), "{request}: {sent}");
    }
}

#[test]
fn an_asterisk_is_no_target_and_a_fragment_is_none_of_the_path() {
    // nginx: `OPTIONS *` is a bad request.
    let asterisk = "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n";
    let outcome = check(&server(PASS), asterisk, Upstream::Says(HELLO));
    assert_eq!((outcome.status, outcome.source), (400, Source::Proxy));
    let content = "location = /a { proxy_pass http://app; proxy_set_header X-U $uri$is_args; }";
    let sent = sent(content, &get("/a#b?c"));
    assert_eq!(sent, "GET /a#b?c HTTP/1.1\r\nHost: app\r\nX-U: /a\r\n\r\n");
}

#[test]
fn empty_lines_before_a_request_are_let_pass() {
    let sent = sent(PASS, "\r\n\r\nGET /a HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(sent, "GET /a HTTP/1.1\r\nHost: app\r\n\r\n");
}

#[test]
fn several_cookie_fields_go_on_and_every_cookie_of_them_is_seen() {
    let content = "location / { proxy_pass http://app; proxy_set_header X-B $cookie_b; \
                   proxy_set_header X-All $http_cookie; }";
    let request = "GET / HTTP/1.1\r\nHost: m\r\nCookie: a=1\r\nCookie: b=2; c=3\r\n\r\n";
    let expected = "GET / HTTP/1.1\r\nHost: app\r\nX-B: 2\r\nX-All: a=1; b=2; c=3\r\n\
                    Cookie: a=1\r\nCookie: b=2; c=3\r\n\r\n";
    assert_eq!(sent(content, request), expected);
}

#[test]
fn fields_of_the_same_name_are_one_list_in_a_variable() {
    let content = "location / { proxy_pass http://app; proxy_set_header X-All $http_x_a; \
                   proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; }";
    let request = "GET / HTTP/1.1\r\nHost: m\r\nX-A: 1\r\nx-a: 2\r\nX-Forwarded-For: 192.0.2.1\r\n\
                   X-Forwarded-For: 192.0.2.2\r\n\r\n";
    let sent = sent(content, request);
    assert!(sent.contains("X-All: 1, 2\r\n"), "{sent}");
    assert!(sent.contains("X-Forwarded-For: 192.0.2.1, 192.0.2.2, 10.0.0.9\r\n"), "{sent}");
}

#[test]
fn an_upstream_in_http_1_0_is_told_to_close() {
    let content = "location / { proxy_pass http://app; proxy_http_version 1.0; }";
    let outcome = check(&server(content), &get("/a"), Upstream::Says(HELLO));
    assert_eq!(outcome.to_upstream, "GET /a HTTP/1.0\r\nConnection: close\r\nHost: app\r\n\r\n");
    assert!(!outcome.kept && outcome.next == ClientNext::KeepAlive);
}

#[test]
fn h2c_is_not_offered_on_but_what_stands_beside_it_is() {
    let upgrade = |offered: &str| {
        let request = format!(
            "GET / HTTP/1.1\r\nHost: m\r\nConnection: Upgrade, HTTP2-Settings\r\n\
             Upgrade: {offered}\r\nHTTP2-Settings: x\r\n\r\n"
        );
        sent(PASS, &request)
    };
    let none = "GET / HTTP/1.1\r\nHost: app\r\n\r\n";
    assert_eq!(upgrade("h2c"), none);
    assert_eq!(upgrade("H2C , "), none);
    let some = "GET / HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: x/1, y\r\nHost: app\r\n\r\n";
    assert_eq!(upgrade("x/1, h2c,y"), some);
}

#[test]
fn an_upgrade_is_asked_for_only_by_a_client_that_says_so_in_connection() {
    for request in [
        "GET / HTTP/1.1\r\nHost: m\r\nUpgrade: websocket\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: m\r\nConnection: upgrade\r\n\r\n",
        "GET / HTTP/1.0\r\nHost: m\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
    ] {
        assert_eq!(sent(PASS, request), "GET / HTTP/1.1\r\nHost: app\r\n\r\n", "{request}");
    }
}

#[test]
fn the_place_of_a_request_is_found_by_host_and_path() {
    let generation = crate::case::http(
        "server { listen 8080 default_server; return 200 default; } \
         server { listen 8080; server_name other.test *.wild.test; \
         location = /x { return 200 exact; } location /x { return 200 prefix; } }",
    );
    for (host, path, expected) in [
        ("other.test", "/x", "exact"),
        ("OTHER.test:99", "/xy", "prefix"),
        ("a.wild.test", "/x/../x", "exact"),
        ("none.test", "/x", "default"),
    ] {
        let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n");
        let outcome = check(&generation, &request, Upstream::Refuses);
        assert_eq!(outcome.body(), expected, "{host}{path}");
    }
}
