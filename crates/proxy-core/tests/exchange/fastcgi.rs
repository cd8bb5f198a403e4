//! FastCGI: what an application gets, and what becomes of what it says.

use proxy_core::downstream::ClientNext;
use proxy_core::response::Source;

use crate::case::{Outcome, Upstream, check, get, server, whole, with_body};

const PASS: &str = "location / { fastcgi_pass app; }";
const KEEP: &str = "location / { fastcgi_pass app; fastcgi_keep_conn on; }";

/// A record with so much padding, all of whose bytes are text.
fn record(kind: u8, content: &str, padding: u8) -> String {
    let length = u8::try_from(content.len()).unwrap();
    assert!(length < 128, "lengths are text, too");
    let head = [1, kind, 0, 1, 0, length, padding, 0].map(char::from);
    let padding = "\0".repeat(usize::from(padding));
    head.iter().collect::<String>() + content + &padding
}

fn out(content: &str) -> String {
    record(6, content, 3)
}

fn end() -> String {
    record(3, "\0\0\0\0\0\0\0\0", 0)
}

fn answered(content: &str, answer: &str) -> Outcome {
    check(&server(content), &get("/"), Upstream::Says(answer))
}

/// The answer to a GET: its status line, its content, and whether the connection is kept.
fn told(content: &str, answer: &str) -> (String, String, bool) {
    let outcome = answered(content, answer);
    let line = outcome.to_client.lines().next().unwrap_or_default();
    (line.trim_start_matches("HTTP/1.1 ").to_owned(), outcome.body(), outcome.kept)
}

fn is(line: &str, body: &str, kept: bool) -> (String, String, bool) {
    (line.to_owned(), body.to_owned(), kept)
}

#[test]
fn an_answer_comes_out_of_its_records() {
    let answer = out("Content-Type: a/b\r\n\r\nhel") + &out("lo") + &out("") + &end();
    assert_eq!(told(PASS, &answer), is("200 OK", "hello whole", false));
    assert_eq!(told(KEEP, &answer), is("200 OK", "hello whole", true));
    // The head in several records, cut within a word.
    let answer = out("Sta") + &out("tus: 404 Gone For Good\r\nA: ") + &out("b\n\nx") + &end();
    assert_eq!(told(KEEP, &answer), is("404 Gone For Good", "x whole", true));
    assert_eq!(answered(KEEP, &answer).field("A"), ["b"]);
    assert!(answered(KEEP, &answer).field("Status").is_empty());
    let moved = out("Location: /x\r\n\r\n") + &end();
    assert_eq!(told(PASS, &moved), is("302 Moved Temporarily", " whole", false));
    assert_eq!(answered(PASS, &moved).field("Location"), ["/x"]);
}

#[test]
fn the_end_of_an_answer_is_its_end_and_no_other() {
    let head = "Content-Type: a/b\r\n\r\n";
    let whole = [out(head) + &out("abc") + &end(), out(head) + &out("abc") + &out("") + &end()];
    for answer in whole {
        assert_eq!(told(KEEP, &answer), is("200 OK", "abc whole", true));
    }
    let say = |content, answer: &str| {
        let outcome = check(&server(content), &get("/"), Upstream::SaysAndCloses(answer));
        (outcome.body(), outcome.next)
    };
    let open = out(head) + &out("abc");
    // nginx: an application that was not asked to keep the connection may end with it.
    assert_eq!(say(PASS, &open), ("abc whole".into(), ClientNext::KeepAlive));
    assert_eq!(say(KEEP, &open), ("abc cut off".into(), ClientNext::Abort));
    let cut = &open[..open.len() - 4];
    assert_eq!(say(PASS, cut), ("ab cut off".into(), ClientNext::Abort));
    let breaks = check(&server(PASS), &get("/"), Upstream::SaysAndBreaks(&open));
    assert_eq!((breaks.body().as_str(), breaks.next), ("abc cut off", ClientNext::Abort));
}

#[test]
fn a_declared_length_holds() {
    let say = |bytes: u8| {
        let answer = format!("Content-Length: {bytes}\r\n\r\n");
        answered(KEEP, &(out(&answer) + &out("abc") + &end()))
    };
    let (right, short) = (say(3), say(4));
    assert_eq!((right.body().as_str(), right.kept), ("abc", true));
    assert_eq!((short.body().as_str(), short.next), ("abc", ClientNext::Abort));
    // nginx: what there is more of it is dropped.
    let long = say(2);
    assert_eq!((long.body().as_str(), long.next, long.kept), ("ab", ClientNext::KeepAlive, true));
}

#[test]
fn answers_without_a_body_have_none() {
    for status in [204, 304] {
        let answer = out(&format!("Status: {status}\r\n\r\n")) + &out("abc") + &end();
        let outcome = answered(KEEP, &answer);
        assert_eq!((outcome.status, outcome.body().as_str()), (status, ""));
        assert!(outcome.kept, "{status}");
    }
    let head = "HEAD / HTTP/1.1\r\nHost: main.test\r\n\r\n";
    let answer = out("Content-Length: 3\r\n\r\nabc") + &end();
    let outcome = check(&server(PASS), head, Upstream::Says(&answer));
    assert_eq!((outcome.field("Content-Length"), outcome.body().as_str()), (vec!["3"], ""));
}

#[test]
fn what_is_no_answer_is_a_502() {
    for answer in [
        end(),
        out("") + &end(),
        out("Status: 200\r\n") + &end(),
        out("Status: 99\r\n\r\n") + &end(),
        out("Content-Length: x\r\n\r\n") + &end(),
        "HTTP/1.1 200 OK\r\n\r\n".to_owned(),
        record(11, "what", 0),
    ] {
        let outcome = answered(KEEP, &answer);
        assert_eq!((outcome.status, outcome.source, outcome.kept), (502, Source::Proxy, false));
    }
    let after = out("A: b\r\n\r\nabc") + "\u{2}";
    assert_eq!(answered(PASS, &after).body(), "abc cut off");
}

#[test]
fn an_application_gets_parameters_and_the_clients_fields() {
    let content = "fastcgi_param A $uri; fastcgi_param B $arg_b if_not_empty; fastcgi_param C \"\";
                   fastcgi_param HTTP_X_SET mine; fastcgi_param HTTP_X_NONE \"\";
                   location / { fastcgi_pass app; }";
    let request = "GET /a%0Ab?c HTTP/1.1\r\nHost: main.test\r\nX-Two: 1\r\nx-set: his\r\nX-None: 1\r\n\
                   Cookie: a=b\r\nx-two: 2\r\nCookie: c=d\r\n\r\n";
    let outcome = whole(&server(content), request, Upstream::Says(&(out("\r\n") + &end())));
    let pairs = "\u{1}\u{4}A/a\nb\u{1}\0C\u{a}\u{4}HTTP_X_SETmine\u{9}\u{9}HTTP_HOSTmain.test\
                 \u{a}\u{4}HTTP_X_TWO1, 2\u{b}\u{8}HTTP_COOKIEa=b; c=d";
    assert_eq!(
        outcome.to_upstream,
        record(1, "\0\u{1}\0\0\0\0\0\0", 0)
            + &record(4, pairs, u8::try_from(pairs.len().wrapping_neg() % 8).unwrap())
            + &record(4, "", 0)
            + &record(5, "", 0)
    );
    let kept = whole(&server(KEEP), &get("/"), Upstream::Says(&(out("\r\n") + &end())));
    assert!(kept.to_upstream.starts_with("\u{1}\u{1}\0\u{1}\0\u{8}\0\0\0\u{1}\u{1}"));
}

/// What the application gets behind the parameters, and what it is told of its length.
fn body_of(content: &str, request: &str) -> (String, String) {
    let content = format!(
        "fastcgi_param CONTENT_LENGTH $content_length; fastcgi_pass_request_headers off; {content}"
    );
    let answer = out("\r\n") + &end();
    let outcome = check(&server(&content), request, Upstream::Says(&answer));
    let (params, body) = outcome.to_upstream.split_once(&record(4, "", 0)).unwrap();
    let length = params.split_once("CONTENT_LENGTH").unwrap().1;
    (length.trim_end_matches('\0').to_owned(), body.to_owned())
}

#[test]
fn a_body_has_its_length_also_where_the_client_tells_none() {
    let last = record(5, "", 0);
    let sent = |content: &str| record(5, content, u8::try_from(8 - content.len() % 8).unwrap());
    assert_eq!(body_of(PASS, &get("/")), (String::new(), last.clone()));
    assert_eq!(body_of(PASS, &with_body("PUT", "/", "")), ("0".into(), last.clone()));
    let chunked = "POST / HTTP/1.1\r\nHost: main.test\r\nTransfer-Encoding: chunked\r\n\r\n\
                   3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
    assert_eq!(body_of(PASS, chunked), ("5".into(), sent("abcde") + &last));
    let none = "location / { fastcgi_pass app; fastcgi_pass_request_body off; }";
    assert_eq!(body_of(none, chunked), (String::new(), last.clone()));
    assert_eq!(body_of(none, &with_body("PUT", "/", "abc")), (String::new(), last));
}

#[test]
fn a_body_is_sent_as_it_comes() {
    let answer = out("\r\n") + &end();
    let outcome = whole(&server(PASS), &with_body("POST", "/", "abc"), Upstream::Says(&answer));
    assert!(outcome.to_upstream.ends_with(&(record(5, "abc", 5) + &record(5, "", 0))));
    assert_eq!(outcome.status, 200);
}

#[test]
fn a_body_of_unknown_length_has_its_bound() {
    let chunk = |bytes: usize| format!("{bytes:x}\r\n{}\r\n", "a".repeat(bytes));
    let request = |bytes: usize| {
        let head = "POST / HTTP/1.1\r\nHost: main.test\r\nTransfer-Encoding: chunked\r\n\r\n";
        format!("{head}{}{}0\r\n\r\n", chunk(1 << 19), chunk(bytes - (1 << 19)))
    };
    let content = "client_max_body_size 2m; location / { fastcgi_pass app; }";
    // The application is looked for once the body is whole.
    let status = |bytes| whole(&server(content), &request(bytes), Upstream::Refuses).status;
    assert_eq!((status(1 << 20), status((1 << 20) + 1)), (502, 413));
}

#[test]
fn fields_that_steer_are_obeyed_and_hidden() {
    let content = "location / { fastcgi_pass app; fastcgi_hide_header X-A; }
                   location /inner { return 200 \"of $uri\"; }";
    let answer = out("X-Accel-Redirect: /inner\r\nX-Accel-Limit-Rate: 9\r\n\r\nabc") + &end();
    assert_eq!(answered(content, &answer).body(), "of /inner");
    let answer = out("X-A: 1\r\nX-Accel-Expires: 9\r\nX-B: 2\r\nServer: mine\r\n\r\n") + &end();
    let outcome = answered(content, &answer);
    assert!(outcome.field("X-A").is_empty() && outcome.field("X-Accel-Expires").is_empty());
    assert_eq!((outcome.field("X-B"), outcome.field("Server")), (vec!["2"], vec!["mine"]));
    assert_eq!(answered(content, &(out("\r\n") + &end())).field("Server").len(), 1);
    let pages =
        "location / { fastcgi_pass app; fastcgi_intercept_errors on; error_page 404 /inner; }
                 location /inner { return 200 page; }";
    let answer = out("Status: 404 No\r\n\r\nabc") + &end();
    let outcome = answered(pages, &answer);
    assert_eq!((outcome.status, outcome.body().as_str()), (404, "page"));
}

#[test]
fn an_error_that_is_caught_makes_the_answer_a_bad_one() {
    let content = "location / { fastcgi_pass app; fastcgi_catch_stderr \"PHP Fatal\"; }";
    let answer = |line: &str| record(7, line, 1) + &out("A: b\r\n\r\n") + &end();
    assert_eq!(answered(content, &answer("PHP Fatal error:  x")).status, 502);
    assert_eq!(answered(content, &answer("PHP Warning:  x")).status, 200);
    let late = out("A: b\r\n\r\n") + &record(7, "PHP Fatal", 0) + &end();
    assert_eq!(answered(content, &late).status, 200);
}
