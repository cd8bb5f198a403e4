//! What of an upstream's answer goes on, how its end is told, and what is no answer.

use proxy_core::downstream::ClientNext;
use proxy_core::response::Source;

use crate::case::{HELLO, Outcome, Upstream, check, get, server, unchunked, whole};

const PASS: &str = "location / { proxy_pass http://app; }";
const OLD_CLIENT: &str = "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n";

fn answered(upstream: Upstream<'_>) -> Outcome {
    check(&server(PASS), &get("/"), upstream)
}

/// The head that a client gets, line by line, without those that every answer has.
fn fields(content: &str, answer: &str) -> Vec<String> {
    let outcome = check(&server(content), &get("/"), Upstream::Says(answer));
    let head = outcome.to_client.split("\r\n\r\n").next().unwrap().to_owned();
    let is_usual = |line: &str| {
        ["HTTP/1.1 ", "Server: ", "Date: ", "Connection: keep-alive", "Content-Length: 0"]
            .iter()
            .any(|usual| line.starts_with(usual))
    };
    head.lines().filter(|line| !is_usual(line)).map(str::to_owned).collect()
}

/// An empty answer with these lines in its head.
fn with(lines: &str) -> String {
    format!("HTTP/1.1 200 OK\r\n{lines}Content-Length: 0\r\n\r\n")
}

#[test]
fn an_answer_without_length_is_chunked_for_http_1_1_and_closed_for_1_0() {
    let answer = Upstream::SaysAndCloses("HTTP/1.1 200 OK\r\n\r\nuntil the end");
    let modern = answered(answer);
    assert_eq!(modern.body(), "until the end whole");
    assert_eq!((modern.next, modern.kept), (ClientNext::KeepAlive, false));
    let old = check(&server(PASS), OLD_CLIENT, answer);
    assert!(old.to_client.ends_with("\r\n\r\nuntil the end"));
    assert_eq!((old.next, old.field("Connection")), (ClientNext::Close, vec!["close"]));
}

#[test]
fn a_chunked_answer_stays_chunked_and_is_unchunked_for_http_1_0() {
    let answer = Upstream::Says(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
    );
    let modern = answered(answer);
    assert_eq!(modern.body(), "abcde whole");
    assert_eq!((modern.next, modern.kept), (ClientNext::KeepAlive, true));
    let old = check(&server(PASS), OLD_CLIENT, answer);
    assert!(old.to_client.ends_with("\r\n\r\nabcde"));
    assert_eq!((old.next, old.kept), (ClientNext::Close, true));
    assert_eq!(old.field("Transfer-Encoding"), Vec::<&str>::new());
}

#[test]
fn a_client_of_http_1_0_keeps_its_connection_where_the_length_is_known() {
    let kept = check(&server(PASS), OLD_CLIENT, Upstream::Says(HELLO));
    assert_eq!((kept.next, kept.field("Connection")), (ClientNext::KeepAlive, vec!["keep-alive"]));
    let plain = check(&server(PASS), "GET / HTTP/1.0\r\n\r\n", Upstream::Says(HELLO));
    assert_eq!((plain.next, plain.field("Connection")), (ClientNext::Close, vec!["close"]));
}

#[test]
fn a_cut_off_answer_is_never_taken_for_whole() {
    for answer in [
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n",
    ] {
        for upstream in [Upstream::SaysAndCloses(answer), Upstream::SaysAndBreaks(answer)] {
            let outcome = answered(upstream);
            assert_eq!((outcome.next, outcome.kept), (ClientNext::Abort, false), "{answer}");
            assert!(!outcome.body().ends_with("whole"), "{answer}");
        }
    }
}

#[test]
fn an_answer_without_length_that_breaks_off_never_ends_cleanly() {
    let answer = Upstream::SaysAndBreaks("HTTP/1.1 200 OK\r\n\r\nhalf of");
    let modern = answered(answer);
    // No last chunk: the client sees that something is missing.
    assert_eq!((modern.body(), modern.next), ("half of cut off".to_owned(), ClientNext::Abort));
    // The end of the connection is the end of the answer here: it must not come as one.
    let old = check(&server(PASS), OLD_CLIENT, answer);
    assert_eq!((old.body(), old.next), ("half of".to_owned(), ClientNext::Reset));
}

#[test]
fn a_chunk_that_is_malformed_in_the_middle_breaks_the_answer_off() {
    let answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n-1\r\n";
    let outcome = answered(Upstream::Says(answer));
    assert_eq!(outcome.body(), "abc cut off");
    assert_eq!((outcome.next, outcome.kept), (ClientNext::Abort, false));
    assert_eq!(check(&server(PASS), OLD_CLIENT, Upstream::Says(answer)).next, ClientNext::Reset);
}

#[test]
fn answers_without_a_body_have_none() {
    let head = "HEAD / HTTP/1.1\r\nHost: main.test\r\n\r\n";
    let length = Upstream::Says("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
    let outcome = check(&server(PASS), head, length);
    assert_eq!((outcome.field("Content-Length"), outcome.body().as_str()), (vec!["5"], ""));
    let empty = answered(Upstream::Says("HTTP/1.1 204 No Content\r\n\r\n"));
    assert_eq!((empty.field("Content-Length"), empty.kept), (vec![], true));
    assert_eq!(empty.field("Transfer-Encoding"), Vec::<&str>::new());
    let unmodified = answered(Upstream::Says(
        "HTTP/1.1 304 Not Modified\r\nETag: x\r\nContent-Length: 7\r\n\r\n",
    ));
    assert_eq!((unmodified.field("ETag"), unmodified.kept), (vec!["x"], true));
    assert_eq!((unmodified.field("Content-Length"), unmodified.body().as_str()), (vec!["7"], ""));
}

#[test]
fn a_connection_whose_application_answers_head_with_a_body_is_not_used_again() {
    let head = "HEAD / HTTP/1.1\r\nHost: main.test\r\n\r\n";
    let outcome = check(&server(PASS), head, Upstream::Says(HELLO));
    assert_eq!((outcome.body().as_str(), outcome.kept), ("", false));
    assert_eq!(outcome.next, ClientNext::KeepAlive);
    // The body may come later than the head and still be taken for the next answer.
    let late = Upstream::Says("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
    assert!(!check(&server(PASS), head, late).kept);
}

#[test]
fn a_connection_is_not_used_again_where_its_server_says_so_or_cannot_be_trusted() {
    for answer in [
        "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n",
    ] {
        let outcome = answered(Upstream::Says(answer));
        assert_eq!((outcome.kept, outcome.next), (false, ClientNext::KeepAlive), "{answer}");
    }
    let old = "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n";
    assert!(answered(Upstream::Says(old)).kept);
}

#[test]
fn interim_answers_are_not_taken_for_the_answer() {
    let answer = "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n\
                  HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    let outcome = answered(Upstream::Says(answer));
    assert_eq!((outcome.status, outcome.kept), (200, true));
    assert!(!outcome.to_client.contains("Link"));
}

#[test]
fn what_is_no_answer_is_a_502_and_the_connection_is_not_used_again() {
    for answer in [
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        "SSH-2.0-OpenSSH_9.2\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    ] {
        let outcome = answered(Upstream::Says(answer));
        assert_eq!((outcome.status, outcome.source), (502, Source::Proxy), "{answer}");
        assert!(!outcome.kept && outcome.next == ClientNext::KeepAlive, "{answer}");
    }
    for cut in ["", "HTTP/1.1 200", "HTTP/1.1 200 OK\r\nA: b\r\n"] {
        for upstream in [Upstream::SaysAndCloses(cut), Upstream::SaysAndBreaks(cut)] {
            assert_eq!(answered(upstream).status, 502, "{cut}");
        }
    }
}

#[test]
fn what_nginx_tolerates_of_an_application_is_tolerated() {
    let bare = "HTTP/1.1 200 OK\nX-A: 1\nContent-Length: 0\n\n";
    assert_eq!(fields(PASS, bare), ["X-A: 1"]);
    assert_eq!(fields(PASS, &with("X-A: a\u{1}b\u{7f}c\r\n")), ["X-A: a\u{1}b\u{7f}c"]);
    let many: String = (0..400).map(|n| format!("X-{n}: {n}\r\n")).collect();
    let answer = with(&many);
    let outcome = whole(&server(PASS), &get("/"), Upstream::Says(&answer));
    assert_eq!(outcome.field("X-399"), ["399"]);
    let cookie = format!("Set-Cookie: a={}\r\n", "c".repeat(40_000));
    let generation = server(PASS);
    let answer = with(&cookie);
    let upstream = Upstream::Says(&answer);
    let outcome = whole(&generation, &get("/"), upstream);
    assert_eq!(outcome.field("Set-Cookie")[0].len(), 40_002);
}

#[test]
fn the_head_of_an_answer_may_be_as_long_as_the_buffer_for_it() {
    let generation = server("location / { proxy_pass http://app; proxy_buffer_size 100k; }");
    for (bytes, status) in [(90_000, 200), (110_000, 502)] {
        let answer = with(&format!("X-A: {}\r\n", "a".repeat(bytes)));
        let upstream = Upstream::Says(&answer);
        let outcome = whole(&generation, &get("/"), upstream);
        assert_eq!(outcome.status, status, "{bytes}");
    }
}

#[test]
fn fields_of_the_upstreams_connection_do_not_pass() {
    let lines = "Connection: X-Hop, keep-alive\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\n\
                 Proxy-Connection: x\r\nUpgrade: h2\r\nTrailer: x\r\nX-Kept: 1\r\n";
    assert_eq!(fields(PASS, &with(lines)), ["X-Kept: 1"]);
}

#[test]
fn server_and_date_stand_once_and_are_the_upstreams_where_they_are_let_through() {
    let lines = "Server: app\r\nDate: now\r\nX-Pad: x\r\n";
    let answer = with(lines);
    let ours = check(&server(PASS), &get("/"), Upstream::Says(&answer));
    let product = concat!("sidecar-kit/", env!("CARGO_PKG_VERSION"));
    assert_eq!(ours.field("Server"), [product]);
    assert_eq!(ours.field("Date"), ["Thu, 01 Jan 1970 00:00:00 GMT"]);
    assert_eq!(ours.field("X-Pad"), Vec::<&str>::new());
    let content = format!("proxy_pass_header Server; proxy_pass_header Date; {PASS}");
    let theirs = check(&server(&content), &get("/"), Upstream::Says(&answer));
    assert_eq!((theirs.field("Server"), theirs.field("Date")), (vec!["app"], vec!["now"]));
    let content = format!("server_tokens off; {PASS}");
    let short = check(&server(&content), &get("/"), Upstream::Says(&answer));
    assert_eq!(short.field("Server"), ["sidecar-kit"]);
}

#[test]
fn fields_are_hidden_and_added_as_the_file_says() {
    let content = format!(
        "proxy_hide_header X-Secret; add_header X-Good 1; add_header X-All $status always; \
         add_header X-Empty $http_none; add_header X-App $upstream_http_x_app; {PASS}"
    );
    let lines = "X-Secret: 1\r\nX-App: a\r\nX-Accel-Expires: 0\r\n";
    let all = ["X-App: a", "X-Good: 1", "X-All: 200", "X-App: a"];
    assert_eq!(fields(&content, &with(lines)), all);
    let bad = "HTTP/1.1 404 Not Found\r\nX-App: a\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(fields(&content, bad), ["X-App: a", "X-All: 404"]);
}

#[test]
fn the_upgrade_of_a_426_passes() {
    let answer = "HTTP/1.1 426 Upgrade Required\r\nUpgrade: h2, TLS/1.2\r\nConnection: upgrade\r\n\
                  Content-Length: 0\r\n\r\n";
    assert_eq!(fields(PASS, answer), ["Upgrade: h2, TLS/1.2"]);
}

#[test]
fn location_and_refresh_are_rewritten_alike() {
    let content = "location /new/ { proxy_pass http://app/old/; } \
                   location / { proxy_pass http://app; \
                   proxy_redirect http://inner/ http://outer/; proxy_redirect / /sub/; }";
    let rewritten = |path: &str, line: &str| {
        let answer = with(&format!("{line}\r\n"));
        let outcome = check(&server(content), &get(path), Upstream::Says(&answer));
        let head = outcome
            .to_client
            .lines()
            .find(|found| found.starts_with("Location: ") || found.starts_with("Refresh: "));
        head.unwrap().to_owned()
    };
    for (path, line, expected) in [
        ("/new/", "Location: http://app/old/x", "Location: http://main.test:8080/new/x"),
        ("/new/", "Location: http://else/", "Location: http://else/"),
        ("/new/", "Refresh: 5; url=http://app/old/x", "Refresh: 5; url=/new/x"),
        ("/new/", "Refresh: 5;URL=http://app/old/", "Refresh: 5;URL=/new/"),
        ("/new/", "Refresh: 5", "Refresh: 5"),
        ("/", "Location: http://inner/a", "Location: http://outer/a"),
        ("/", "Location: /a", "Location: http://main.test:8080/sub/a"),
        ("/", "Refresh: 0; url=http://inner/a", "Refresh: 0; url=http://outer/a"),
    ] {
        assert_eq!(rewritten(path, line), expected, "{path} {line}");
    }
}

#[test]
fn a_redirect_stays_as_it_is_where_the_file_says_off() {
    let content = "location / { proxy_pass http://app; proxy_redirect off; }";
    assert_eq!(fields(content, &with("Location: http://app/x\r\n")), ["Location: http://app/x"]);
}

#[test]
fn an_early_answer_passes_at_once_and_the_connection_ends_with_it() {
    let generation = server(PASS);
    let request = crate::case::with_body("POST", "/", "0123456789");
    let cut = request.len() - 5;
    let mut waiting = crate::waiting::Waiting::sent(&generation, &request[..cut], false);
    waiting.server_says(HELLO);
    let told = waiting.client_heard();
    assert!(told.contains("\r\nConnection: close\r\n") && told.ends_with("hello"), "{told}");
    assert_eq!(waiting.exchange.client_next(), ClientNext::Close);
    let action = waiting.exchange.poll_action();
    assert_eq!(action, Some(proxy_core::exchange::Action::DropLink), "half a request is on it");
}

#[test]
fn unknown_statuses_and_reasons_pass_as_they_are() {
    let outcome = answered(Upstream::Says("HTTP/1.1 299 Quite\tFine\r\nContent-Length: 0\r\n\r\n"));
    assert!(outcome.to_client.starts_with("HTTP/1.1 299 Quite\tFine\r\n"));
    let bare = answered(Upstream::Says("HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n"));
    assert!(bare.to_client.starts_with("HTTP/1.1 200 \r\n"));
    assert_eq!(unchunked(&bare.to_client), bare.to_client);
}
