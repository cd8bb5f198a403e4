//! Fields that follow an upstream's answer.

use crate::world::{World, get, passing};

const ANSWER: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
                      2\r\nhi\r\n0\r\nGrpc-Status: 0\r\nSet-Cookie: a\r\nX-Pad: b\r\nA:  b \r\n\r\n";

/// What a client hears behind the head, and the line of the log.
fn check(settings: &str, request: &str, expected: &str, line: &str) {
    let http = format!(
        "log_format own \"$upstream_trailer_grpc_status|$upstream_trailer_a\"; {}",
        passing(&format!("access_log /dev/stdout own; {settings}"))
    );
    let mut world = World::new(&http);
    let client = world.ask(request);
    let server = world.server();
    let is_asked = server.heard().contains("\r\nConnection: te\r\nTE: trailers\r\n");
    assert_eq!(is_asked, settings.contains("trailers on"), "{settings}");
    world.say(&server, ANSWER);
    let heard = client.heard();
    assert_eq!(heard.split_once("\r\n\r\n").map(|(_, rest)| rest), Some(expected), "{settings}");
    assert_eq!(world.lines(), [line]);
}

#[test]
fn they_go_on_where_the_file_says_so_less_what_belongs_to_heads() {
    let plain = "2\r\nhi\r\n0\r\n\r\n";
    check("", &get("/"), plain, "-|-");
    check("proxy_pass_trailers off;", &get("/"), plain, "-|-");
    let passed = "2\r\nhi\r\n0\r\nGrpc-Status: 0\r\nA: b\r\n\r\n";
    check("proxy_pass_trailers on;", &get("/"), passed, "0|b");
    let hidden = "proxy_pass_trailers on; proxy_hide_header A;";
    check(hidden, &get("/"), "2\r\nhi\r\n0\r\nGrpc-Status: 0\r\n\r\n", "0|b");
    let added = "proxy_pass_trailers on; add_trailer B $upstream_trailer_a;";
    let both = "2\r\nhi\r\n0\r\nGrpc-Status: 0\r\nA: b\r\nB: b\r\n\r\n";
    check(added, &get("/"), both, "0|b");
}

#[test]
fn who_has_no_chunks_gets_none() {
    let old = "GET / HTTP/1.0\r\nHost: a\r\n\r\n";
    check("proxy_pass_trailers on;", old, "hi", "0|b");
    let settings = "proxy_pass_trailers on; chunked_transfer_encoding off;";
    check(settings, &get("/"), "hi", "0|b");
}

#[test]
fn those_of_one_answer_do_not_follow_the_next() {
    let mut world = World::new(&passing("proxy_pass_trailers on;"));
    let client = world.ask(get("/"));
    let server = world.server();
    for piece in ANSWER.as_bytes().chunks(1) {
        world.say(&server, piece);
    }
    assert!(client.heard().ends_with("\r\n0\r\nGrpc-Status: 0\r\nA: b\r\n\r\n"));
    world.say(&client, get("/next"));
    world.say(&server, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
    assert!(client.heard().ends_with("\r\n\r\n0\r\n\r\n"));
}
