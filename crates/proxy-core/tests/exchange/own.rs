//! What the proxy answers by itself.

use proxy_core::downstream::ClientNext;
use proxy_core::response::Source;

use crate::case::{Outcome, Upstream, check, get, http, server};

fn own(content: &str, request: &str) -> Outcome {
    let outcome = check(&server(content), request, Upstream::Refuses);
    assert_eq!(outcome.source, Source::Proxy);
    outcome
}

#[test]
fn a_return_answers_with_its_text() {
    let outcome = own("location = /exact { return 200 \"exactly $uri\"; }", &get("/exact"));
    assert_eq!((outcome.status, outcome.body().as_str()), (200, "exactly /exact"));
    assert_eq!(outcome.field("Content-Type"), ["text/plain"]);
    assert_eq!(outcome.field("Content-Length"), ["14"]);
    assert_eq!(outcome.next, ClientNext::KeepAlive);
}

#[test]
fn the_type_of_a_text_goes_by_the_ending_of_its_path() {
    let content = "types { text/css css; } default_type x/y; location / { return 200 text; }";
    for (path, expected) in
        [("/a.css", "text/css"), ("/a.CSS", "text/css"), ("/a.b", "x/y"), ("/css", "x/y")]
    {
        assert_eq!(own(content, &get(path)).field("Content-Type"), [expected], "{path}");
    }
}

#[test]
fn a_status_without_a_text_has_its_page_or_nothing() {
    let content = "location /forbidden { return 403; } location /teapot { return 418; } \
                   location /empty { return 204; }";
    let forbidden = own(content, &get("/forbidden"));
    let product = concat!("sidecar-kit/", env!("CARGO_PKG_VERSION"));
    let page = format!(
        "<html>\r\n<head><title>403 Forbidden</title></head>\r\n<body>\r\n\
         <center><h1>403 Forbidden</h1></center>\r\n<hr><center>{product}</center>\r\n\
         </body>\r\n</html>\r\n"
    );
    assert_eq!(forbidden.body(), page);
    assert_eq!(forbidden.field("Content-Type"), ["text/html"]);
    let teapot = own(content, &get("/teapot"));
    assert!(teapot.to_client.starts_with("HTTP/1.1 418 "));
    assert_eq!((teapot.body().as_str(), teapot.field("Content-Length")), ("", vec!["0"]));
    let empty = own(content, &get("/empty"));
    assert_eq!((empty.status, empty.body().as_str()), (204, ""));
    assert_eq!((empty.field("Content-Length"), empty.field("Content-Type")), (vec![], vec![]));
}

#[test]
fn a_redirect_tells_where_to_go_by_a_whole_address() {
    let content = "location /go { return 301 /there?$args; } \
                   location /away { return https://other.test$request_uri; } \
                   location /short { absolute_redirect off; return 302 /x; } \
                   location /bare { port_in_redirect off; return 303 /x; }";
    for (path, status, expected) in [
        ("/go?x=1", 301, "http://main.test:8080/there?x=1"),
        ("/away?q", 302, "https://other.test/away?q"),
        ("/short", 302, "/x"),
        ("/bare", 303, "http://main.test/x"),
    ] {
        let outcome = own(content, &get(path));
        assert_eq!((outcome.status, outcome.field("Location")), (status, vec![expected]), "{path}");
        assert!(outcome.body().contains(&format!("<h1>{status} ")), "{path}");
    }
}

#[test]
fn a_pass_to_a_path_with_a_slash_answers_the_path_without_it() {
    let content = "location /app/ { proxy_pass http://app; }";
    let outcome = own(content, &get("/app?a=b"));
    let expected = "http://main.test:8080/app/?a=b";
    assert_eq!((outcome.status, outcome.field("Location")), (301, vec![expected]));
}

#[test]
fn status_444_closes_the_connection_without_an_answer() {
    let outcome = own("location / { return 444; }", &get("/"));
    assert_eq!((outcome.to_client.as_str(), outcome.next), ("", ClientNext::Abort));
}

#[test]
fn an_answer_to_head_tells_the_length_of_what_is_not_sent() {
    let head = "HEAD / HTTP/1.1\r\nHost: main.test\r\n\r\n";
    let outcome = own("location / { return 200 hello; }", head);
    assert_eq!((outcome.field("Content-Length"), outcome.body().as_str()), (vec!["5"], ""));
}

#[test]
fn a_servers_own_return_goes_before_its_locations() {
    let generation =
        http("server { listen 8080 default_server; return 403; location / { return 200 never; } }");
    assert_eq!(check(&generation, &get("/"), Upstream::Refuses).status, 403);
}

#[test]
fn what_no_location_serves_is_not_found() {
    assert_eq!(own("location /a { return 200; }", &get("/b")).status, 404);
    assert_eq!(own("location /a { }", &get("/a")).status, 404);
}

#[test]
fn a_broken_head_is_refused_and_the_connection_closed() {
    for (request, status) in [
        ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\n\r\n", 400),
        ("GET /../x HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("GET / HTTP/3.0\r\nHost: a\r\n\r\n", 505),
        ("TRACE / HTTP/1.1\r\nHost: a\r\n\r\n", 405),
        ("CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", 405),
        ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            400,
        ),
    ] {
        let outcome = own("location / { proxy_pass http://app; }", request);
        assert_eq!((outcome.status, outcome.next), (status, ClientNext::Close), "{request}");
        assert_eq!(outcome.field("Connection"), ["close"], "{request}");
        assert_eq!(outcome.to_upstream, "", "{request}");
    }
}

#[test]
fn an_upstream_out_of_reach_is_a_502() {
    let outcome = own("location / { proxy_pass http://app; }", &get("/"));
    assert_eq!((outcome.status, outcome.next), (502, ClientNext::KeepAlive));
    let unknown = own("location / { proxy_pass http://no.such.name; }", &get("/"));
    assert_eq!((unknown.status, unknown.next), (502, ClientNext::KeepAlive));
}

#[test]
fn fields_that_were_sent_are_seen_by_those_that_are_added() {
    let content = "add_header X-Type \"$sent_http_content_type/$status\" always; \
                   location / { return 200 x; } location /no { return 404; }";
    assert_eq!(own(content, &get("/")).field("X-Type"), ["text/plain/200"]);
    assert_eq!(own(content, &get("/no")).field("X-Type"), ["text/html/404"]);
}

#[test]
fn the_identifier_of_a_request_is_the_same_wherever_it_stands() {
    let content = "add_header X-A $request_id; location / { return 200 $request_id; }";
    let outcome = own(content, &get("/"));
    assert_eq!(outcome.field("X-A"), [outcome.body()]);
    let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    assert!(outcome.body().len() == 32 && outcome.body().bytes().all(is_hex));
}

#[test]
fn keepalive_is_told_as_the_file_says() {
    for (settings, connection, field) in [
        ("", "keep-alive", vec![]),
        ("keepalive_timeout 65 60;", "keep-alive", vec!["timeout=60"]),
        ("keepalive_timeout 0;", "close", vec![]),
        ("keepalive_requests 1;", "close", vec![]),
    ] {
        let outcome = own(&format!("{settings} location / {{ return 200; }}"), &get("/"));
        assert_eq!(outcome.field("Connection"), [connection], "{settings}");
        assert_eq!(outcome.field("Keep-Alive"), field, "{settings}");
    }
}
