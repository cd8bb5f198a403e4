//! Whole exchanges without a socket: each case is fed in one piece, cut at every point, and byte
//! by byte, and must come out the same.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on ends there")]

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use http1::{Limits, Parsed};

use super::clock::Moment;
use super::{Action, ClientInfo, ClientNext, ConnectFault, Event, Exchange, Out, Snapshot, Source};
use crate::config::{self, LoadOptions};

const CONF: &str = r#"
events {}
http {
    upstream app { server 127.0.0.1:5000; }
    server {
        listen 8080 default_server;
        server_name main.test;
        client_max_body_size 10;
        add_header X-Kit yes;
        location / { proxy_pass http://app; }
        location /host/ { proxy_pass http://app; proxy_set_header Host $host; proxy_set_header X-Real-IP $remote_addr; proxy_set_header X-Gone ""; }
        location /strip/ { proxy_pass http://app/; }
        location /moved/ { proxy_pass http://app/new/; }
        location /old/ { proxy_pass http://app; proxy_http_version 1.0; }
        location = /exact { return 200 "exactly $uri"; }
        location ^~ /teapot { return 418; }
        location /go { return 301 /there?$args; }
        location /cut { return 444; }
        location /big/ { proxy_pass http://app; client_max_body_size 0; }
    }
    server { listen 8080; server_name other.test *.wild.test; return 403; }
}
"#;

fn snapshot(text: &str) -> Snapshot {
    use std::sync::atomic::{AtomicU32, Ordering};
    static SERIAL: AtomicU32 = AtomicU32::new(0);
    let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
    let path = std::env::temp_dir().join(format!("exchange-{}-{serial}.conf", std::process::id()));
    std::fs::write(&path, text).unwrap();
    let options = LoadOptions { path: Some(path.clone()), prefix: None, globals: String::new() };
    let loaded = config::load(&options).unwrap_or_else(|problems| panic!("{problems:#?}"));
    std::fs::remove_file(path).unwrap();
    Rc::new(Arc::new(loaded.config))
}

fn client() -> ClientInfo {
    ClientInfo {
        remote: SocketAddr::from(([10, 0, 0, 9], 40_000)),
        local: SocketAddr::from(([10, 0, 0, 1], 8080)),
        serial: 7,
        requests: 1,
        draining: false,
    }
}

/// What the upstream does once it has the request's head.
#[derive(Clone, Copy)]
enum Upstream<'t> {
    /// Says this and keeps the connection.
    Says(&'t [u8]),
    /// Says this and closes.
    SaysAndCloses(&'t [u8]),
    /// Cannot be reached.
    Unreachable(ConnectFault),
}

#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    to_client: String,
    to_upstream: String,
    status: u16,
    source: Source,
    next: ClientNext,
    kept: bool,
}

/// A time when nothing is late.
const NOW: Moment = Moment { ms: 1_000, unix_ms: 0 };

/// Bytes that arrive piece by piece.
struct Arriving<'t> {
    bytes: &'t [u8],
    used: usize,
    here: usize,
}

impl<'t> Arriving<'t> {
    fn new(bytes: &'t [u8]) -> Arriving<'t> {
        Arriving { bytes, used: 0, here: 0 }
    }

    fn is_over(&self) -> bool {
        self.used == self.here && self.here == self.bytes.len()
    }

    /// What is here and not used, after another piece has come.
    fn more(&mut self, cut: &mut dyn FnMut(usize) -> usize) -> &'t [u8] {
        self.here = (self.here + cut(self.bytes.len() - self.here)).min(self.bytes.len());
        &self.bytes[self.used..self.here]
    }
}

/// Parses the head as it arrives and begins the exchange.
fn begin(
    exchange: &mut Exchange,
    snapshot: &Snapshot,
    request: &mut Arriving<'_>,
    cut: &mut dyn FnMut(usize) -> usize,
    out: &mut Out,
) {
    loop {
        let bytes = request.more(cut);
        match http1::parse_request(bytes, &Limits::default(), exchange.head_mut()) {
            Parsed::NeedMore => assert!(bytes.len() < request.bytes.len(), "not a whole request"),
            Parsed::Done { used, .. } => {
                request.used = used;
                return exchange.begin(Rc::clone(snapshot), 0, client(), &bytes[..used], NOW, out);
            }
            Parsed::Reject(reject) => {
                request.used = bytes.len();
                let broken = (bytes, reject);
                return exchange.reject(Rc::clone(snapshot), 0, client(), broken, NOW, out);
            }
        }
    }
}

/// Does what the exchange asks for; true when there was something.
fn act(exchange: &mut Exchange, upstream: Upstream<'_>, kept: &mut bool, out: &mut Out) -> bool {
    let mut acted = false;
    while let Some(action) = exchange.poll_action() {
        acted = true;
        match (action, upstream) {
            (Action::Connect { .. }, Upstream::Unreachable(fault)) => {
                exchange.handle(Event::ConnectFailed(fault), NOW, out);
            }
            (Action::Connect { .. }, _) => {
                let address = SocketAddr::from(([127, 0, 0, 1], 5000));
                exchange.handle(Event::Connected { address, reused: false }, NOW, out);
            }
            (Action::KeepUpstream, _) => *kept = true,
            (Action::DropUpstream, _) => {}
        }
    }
    acted
}

/// Runs one exchange; `cut` says how many bytes the next piece has.
fn run(
    snapshot: &Snapshot,
    request: &[u8],
    upstream: Upstream<'_>,
    mut cut: impl FnMut(usize) -> usize,
) -> Outcome {
    let mut exchange = Exchange::new(Rc::clone(snapshot), client());
    let mut out = Out::default();
    let mut request = Arriving::new(request);
    begin(&mut exchange, snapshot, &mut request, &mut cut, &mut out);
    let (answer, closes): (&[u8], bool) = match upstream {
        Upstream::Says(answer) => (answer, false),
        Upstream::SaysAndCloses(answer) => (answer, true),
        Upstream::Unreachable(_) => (b"", false),
    };
    let mut answer = Arriving::new(answer);
    let (mut to_client, mut to_upstream, mut kept) = (Vec::new(), Vec::new(), false);
    loop {
        let mut moved = act(&mut exchange, upstream, &mut kept, &mut out);
        if exchange.wants_client() && !request.is_over() {
            let event = Event::ClientBytes(request.more(&mut cut));
            request.used += exchange.handle(event, NOW, &mut out);
            moved = true;
        } else if exchange.wants_upstream() && !answer.is_over() {
            let event = Event::UpstreamBytes(answer.more(&mut cut));
            answer.used += exchange.handle(event, NOW, &mut out);
            moved = true;
        } else if exchange.wants_upstream() && closes {
            exchange.handle(Event::UpstreamEnd, NOW, &mut out);
            moved = true;
        }
        to_client.append(&mut out.client);
        to_upstream.append(&mut out.upstream);
        if !moved {
            break;
        }
    }
    assert!(exchange.is_complete(), "the exchange hangs");
    let (status, source) = exchange.outcome();
    Outcome {
        to_client: String::from_utf8(to_client).unwrap(),
        to_upstream: String::from_utf8(to_upstream).unwrap(),
        status,
        source,
        next: exchange.client_next(),
        kept,
    }
}

/// The outcome, the same however the bytes arrive.
fn check(request: &str, upstream: Upstream<'_>) -> Outcome {
    let snapshot = snapshot(CONF);
    let whole = run(&snapshot, request.as_bytes(), upstream, |left| left);
    let bytewise = run(&snapshot, request.as_bytes(), upstream, |left| left.min(1));
    assert_eq!(unchunked(&bytewise.to_client), unchunked(&whole.to_client), "byte by byte");
    assert_eq!((bytewise.status, bytewise.next), (whole.status, whole.next));
    for point in 1..request.len().max(200) {
        let mut first = Some(point);
        let cut = run(&snapshot, request.as_bytes(), upstream, |left| {
            first.take().map_or(left, |point| point.min(left))
        });
        assert_eq!(unchunked(&cut.to_client), unchunked(&whole.to_client), "cut at {point}");
        assert_eq!(cut.next, whole.next, "cut at {point}");
    }
    whole
}

/// Where chunks are cut is free: they are compared by what they carry.
fn unchunked(answer: &str) -> String {
    let Some((head, body)) = answer.split_once("\r\n\r\n") else { return answer.into() };
    if !head.contains("Transfer-Encoding: chunked") {
        return answer.into();
    }
    let mut reader = http1::BodyReader::new(http1::BodyLength::Chunked);
    let (mut data, mut at) = (Vec::new(), 0);
    while let Ok(part) = reader.read(&body.as_bytes()[at..]) {
        data.extend_from_slice(part.data);
        at += part.used;
        if part.used == 0 {
            break;
        }
    }
    let end = if reader.is_done() { "whole" } else { "cut off" };
    format!("{head}\r\n\r\n{} {end}", String::from_utf8(data).unwrap())
}

const HELLO: &[u8] = b"HTTP/1.1 200 OK\r\nServer: app\r\nDate: now\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello";

#[test]
fn a_get_is_passed_on_and_answered() {
    let outcome = check("GET /a?b=c HTTP/1.1\r\nHost: main.test\r\n\r\n", Upstream::Says(HELLO));
    assert_eq!(outcome.to_upstream, "GET /a?b=c HTTP/1.1\r\nHost: app\r\n\r\n");
    assert_eq!(
        outcome.to_client,
        format!(
            "HTTP/1.1 200 OK\r\nServer: sidecar-kit/{}\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\n\
             Content-Length: 5\r\nConnection: keep-alive\r\nContent-Type: text/plain\r\n\
             X-Kit: yes\r\n\r\nhello",
            env!("CARGO_PKG_VERSION")
        )
    );
    assert_eq!(
        (outcome.status, outcome.source, outcome.next, outcome.kept),
        (200, Source::Upstream, ClientNext::KeepAlive, true)
    );
}

#[test]
fn fields_of_the_clients_connection_do_not_pass() {
    let outcome = check(
        "GET /host/ HTTP/1.1\r\nHost: Main.Test:8080\r\nConnection: close, X-Hop\r\nX-Hop: 1\r\n\
         X-Gone: 1\r\nTE: trailers\r\nKeep-Alive: 5\r\nbad_name: 1\r\nX-Kept: 1\r\n\r\n",
        Upstream::Says(HELLO),
    );
    assert_eq!(
        outcome.to_upstream,
        "GET /host/ HTTP/1.1\r\nHost: main.test\r\nX-Real-IP: 10.0.0.9\r\nX-Kept: 1\r\n\r\n"
    );
    assert_eq!(outcome.next, ClientNext::Close);
    assert!(outcome.to_client.contains("\r\nConnection: close\r\n"));
}

#[test]
fn a_pass_with_an_uri_replaces_what_the_location_matched() {
    for (target, expected) in [
        ("/strip/x%20y?q=1", "/x%20y?q=1"),
        ("/strip/", "/"),
        ("/moved/a/../b", "/new/b"),
        ("/moved//c", "/new/c"),
        ("/a%2Fb", "/a%2Fb"),
    ] {
        let request = format!("GET {target} HTTP/1.1\r\nHost: main.test\r\n\r\n");
        let outcome = check(&request, Upstream::Says(HELLO));
        let line = format!("GET {expected} HTTP/1.1\r\n");
        assert!(outcome.to_upstream.starts_with(&line), "{target}: {}", outcome.to_upstream);
    }
}

#[test]
fn a_body_is_passed_on_with_its_length() {
    let outcome = check(
        "POST / HTTP/1.1\r\nHost: main.test\r\nContent-Length: 10\r\n\r\n0123456789",
        Upstream::Says(HELLO),
    );
    assert!(outcome.to_upstream.ends_with("Content-Length: 10\r\n\r\n0123456789"));
    assert_eq!((outcome.next, outcome.kept), (ClientNext::KeepAlive, true));
}

#[test]
fn a_chunked_body_is_passed_on_in_chunks() {
    let outcome = check(
        "POST / HTTP/1.1\r\nHost: main.test\r\nTransfer-Encoding: chunked\r\n\r\n\
         5;ext=1\r\n01234\r\n5\r\n56789\r\n0\r\nX-Trailer: 1\r\n\r\n",
        Upstream::Says(HELLO),
    );
    assert!(outcome.to_upstream.contains("Transfer-Encoding: chunked\r\n"));
    assert!(outcome.to_upstream.ends_with("5\r\n01234\r\n5\r\n56789\r\n0\r\n\r\n"));
}

#[test]
fn a_body_past_its_limit_never_reaches_the_upstream() {
    let declared = check(
        "POST / HTTP/1.1\r\nHost: main.test\r\nContent-Length: 11\r\n\r\n0123456789x",
        Upstream::Says(HELLO),
    );
    assert_eq!((declared.status, declared.next), (413, ClientNext::Linger));
    assert_eq!(declared.to_upstream, "");
    let snapshot = snapshot(CONF);
    let chunked = b"POST / HTTP/1.1\r\nHost: main.test\r\nTransfer-Encoding: chunked\r\n\r\n\
                    6\r\n012345\r\n5\r\nABCDE\r\n0\r\n\r\n";
    let outcome = run(&snapshot, chunked, Upstream::Says(b""), |left| left.min(1));
    assert_eq!((outcome.status, outcome.next), (413, ClientNext::Linger));
    assert!(!outcome.to_upstream.contains('E') || !outcome.to_upstream.ends_with("0\r\n\r\n"));
}

#[test]
fn an_unlimited_body_passes() {
    let body = "x".repeat(100);
    let request =
        format!("PUT /big/ HTTP/1.1\r\nHost: main.test\r\nContent-Length: 100\r\n\r\n{body}");
    assert_eq!(check(&request, Upstream::Says(HELLO)).status, 200);
}

#[test]
fn an_answer_without_length_is_chunked_for_http_1_1_and_closed_for_1_0() {
    let answer = Upstream::SaysAndCloses(b"HTTP/1.1 200 OK\r\n\r\nuntil the end");
    let modern = check("GET / HTTP/1.1\r\nHost: main.test\r\n\r\n", answer);
    assert!(unchunked(&modern.to_client).ends_with("until the end whole"));
    assert_eq!((modern.next, modern.kept), (ClientNext::KeepAlive, false));
    let old = check("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", answer);
    assert!(old.to_client.ends_with("\r\n\r\nuntil the end"));
    assert!(old.to_client.contains("Connection: close"));
    assert_eq!(old.next, ClientNext::Close);
}

#[test]
fn a_chunked_answer_stays_chunked() {
    let answer =
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
    let outcome = check("GET / HTTP/1.1\r\nHost: main.test\r\n\r\n", Upstream::Says(answer));
    assert!(unchunked(&outcome.to_client).ends_with("abcde whole"));
    assert_eq!((outcome.next, outcome.kept), (ClientNext::KeepAlive, true));
}

#[test]
fn a_cut_off_answer_is_never_taken_for_whole() {
    for answer in [
        &b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello"[..],
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
    ] {
        let outcome =
            check("GET / HTTP/1.1\r\nHost: main.test\r\n\r\n", Upstream::SaysAndCloses(answer));
        assert_eq!(outcome.next, ClientNext::Abort);
        assert!(!outcome.to_client.ends_with("0\r\n\r\n"));
    }
}

#[test]
fn answers_without_a_body_have_none() {
    let length = Upstream::Says(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
    let head = check("HEAD / HTTP/1.1\r\nHost: main.test\r\n\r\n", length);
    assert!(
        head.to_client.contains("Content-Length: 5\r\n") && head.to_client.ends_with("\r\n\r\n")
    );
    let empty = Upstream::Says(b"HTTP/1.1 204 No Content\r\n\r\n");
    let empty = check("GET / HTTP/1.1\r\nHost: main.test\r\n\r\n", empty);
    assert!(!empty.to_client.contains("Content-Length"));
    let unmodified = Upstream::Says(b"HTTP/1.1 304 Not Modified\r\nETag: x\r\n\r\n");
    let unmodified = check("GET / HTTP/1.1\r\nHost: main.test\r\n\r\n", unmodified);
    assert!(unmodified.to_client.contains("ETag: x\r\n") && unmodified.kept);
}

#[test]
fn interim_answers_are_not_taken_for_the_answer() {
    let answer = Upstream::Says(
        b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    );
    assert_eq!(check("GET / HTTP/1.1\r\nHost: main.test\r\n\r\n", answer).status, 200);
}

#[test]
fn a_broken_answer_is_a_502_and_the_connection_is_not_used_again() {
    for answer in [
        &b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"[..],
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    ] {
        let outcome = check("GET / HTTP/1.1\r\nHost: main.test\r\n\r\n", Upstream::Says(answer));
        assert_eq!((outcome.status, outcome.source), (502, Source::Proxy));
        assert!(!outcome.kept && outcome.next == ClientNext::KeepAlive);
    }
    let silent = Upstream::SaysAndCloses(b"");
    assert_eq!(check("GET / HTTP/1.1\r\nHost: main.test\r\n\r\n", silent).status, 502);
}

#[test]
fn an_upstream_out_of_reach_is_502_or_504() {
    let request = "GET / HTTP/1.1\r\nHost: main.test\r\n\r\n";
    let refused = check(request, Upstream::Unreachable(ConnectFault::Refused));
    assert_eq!((refused.status, refused.next), (502, ClientNext::KeepAlive));
    let slow = check(request, Upstream::Unreachable(ConnectFault::TimedOut));
    assert_eq!(slow.status, 504);
}

#[test]
fn the_proxys_own_answers_are_nginxs() {
    let exact = check("GET /exact HTTP/1.1\r\nHost: main.test\r\n\r\n", Upstream::Says(b""));
    assert!(exact.to_client.ends_with("\r\n\r\nexactly /exact"));
    assert!(exact.to_client.contains("Content-Type: text/plain\r\n"));
    let teapot = check("GET /teapot/x HTTP/1.1\r\nHost: main.test\r\n\r\n", Upstream::Says(b""));
    assert!(
        teapot.to_client.starts_with("HTTP/1.1 418 ") && teapot.to_client.ends_with("\r\n\r\n")
    );
    let go = check("GET /go?x=1 HTTP/1.1\r\nHost: main.test\r\n\r\n", Upstream::Says(b""));
    assert!(go.to_client.contains("\r\nLocation: http://main.test:8080/there?x=1\r\n"));
    let cut = check("GET /cut HTTP/1.1\r\nHost: main.test\r\n\r\n", Upstream::Says(b""));
    assert_eq!((cut.to_client.as_str(), cut.next), ("", ClientNext::Abort));
    let other = check("GET / HTTP/1.1\r\nHost: a.wild.test\r\n\r\n", Upstream::Says(b""));
    assert_eq!((other.status, other.source), (403, Source::Proxy));
    assert!(other.to_client.contains("<h1>403 Forbidden</h1>"));
}

#[test]
fn a_broken_head_is_refused_and_the_connection_closed() {
    let outcome = check("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", Upstream::Says(b""));
    assert_eq!((outcome.status, outcome.next), (400, ClientNext::Linger));
    assert!(outcome.to_client.contains("\r\nConnection: close\r\n"));
    assert_eq!(outcome.to_upstream, "");
    let above = check("GET /../x HTTP/1.1\r\nHost: a\r\n\r\n", Upstream::Says(b""));
    assert_eq!(above.status, 400);
}

#[test]
fn a_chunked_body_for_an_upstream_in_http_1_0_asks_for_its_length() {
    let request =
        "POST /old/ HTTP/1.1\r\nHost: main.test\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    assert_eq!(check(request, Upstream::Says(HELLO)).status, 411);
    let plain = check("GET /old/ HTTP/1.1\r\nHost: main.test\r\n\r\n", Upstream::Says(HELLO));
    assert!(plain.to_upstream.starts_with("GET /old/ HTTP/1.0\r\nConnection: close\r\n"));
    assert!(!plain.kept);
}

#[test]
fn a_client_that_expects_100_is_told_to_go_on_once_the_upstream_is_there() {
    let outcome = check(
        "POST / HTTP/1.1\r\nHost: main.test\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nok",
        Upstream::Says(HELLO),
    );
    assert!(outcome.to_client.starts_with("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n"));
    assert!(!outcome.to_upstream.contains("Expect"));
}

/// An exchange that has sent `request` and waits for the answer, with its buffers.
fn waiting(request: &[u8], reused: bool) -> (Exchange, Out) {
    let snapshot = snapshot(CONF);
    let mut exchange = Exchange::new(Rc::clone(&snapshot), client());
    let mut out = Out::default();
    let parsed = http1::parse_request(request, &Limits::default(), exchange.head_mut());
    let Parsed::Done { used, .. } = parsed else { panic!("not a request") };
    exchange.begin(snapshot, 0, client(), &request[..used], NOW, &mut out);
    assert!(matches!(exchange.poll_action(), Some(Action::Connect { fresh: false, .. })));
    let address = SocketAddr::from(([127, 0, 0, 1], 5000));
    exchange.handle(Event::Connected { address, reused }, NOW, &mut out);
    exchange.handle(Event::ClientBytes(&request[used..]), NOW, &mut out);
    (exchange, out)
}

#[test]
fn only_a_repeatable_request_on_a_used_connection_is_sent_again() {
    let get = b"GET / HTTP/1.1\r\nHost: main.test\r\n\r\n";
    let post = b"POST / HTTP/1.1\r\nHost: main.test\r\nContent-Length: 2\r\n\r\nok";
    for (request, reused, again) in
        [(&get[..], true, true), (get, false, false), (post, true, false)]
    {
        let (mut exchange, mut out) = waiting(request, reused);
        exchange.handle(Event::UpstreamEnd, Moment { ms: 1_001, unix_ms: 0 }, &mut out);
        assert_eq!(exchange.poll_action(), Some(Action::DropUpstream));
        let next = exchange.poll_action();
        assert_eq!(matches!(next, Some(Action::Connect { fresh: true, .. })), again);
        assert_eq!(exchange.is_complete(), !again);
    }
}

#[test]
fn a_silent_upstream_times_out_at_its_deadline_and_not_before() {
    let (mut exchange, mut out) = waiting(b"GET / HTTP/1.1\r\nHost: main.test\r\n\r\n", false);
    assert_eq!(exchange.deadline(), Some(61_000));
    exchange.expired(Moment { ms: 60_999, unix_ms: 0 }, &mut out);
    assert!(!exchange.is_complete());
    exchange.expired(Moment { ms: 61_000, unix_ms: 0 }, &mut out);
    assert_eq!(exchange.outcome(), (504, Source::Proxy));
}

#[test]
fn a_client_that_leaves_takes_its_upstream_connection_with_it() {
    let (mut exchange, mut out) = waiting(b"GET / HTTP/1.1\r\nHost: main.test\r\n\r\n", false);
    exchange.handle(Event::ClientEnd, Moment::default(), &mut out);
    assert_eq!(exchange.poll_action(), Some(Action::DropUpstream));
    assert_eq!((exchange.outcome().0, exchange.client_next()), (499, ClientNext::Abort));
}

#[test]
fn a_draining_proxy_says_so_with_the_answer() {
    let (mut exchange, mut out) = waiting(b"GET / HTTP/1.1\r\nHost: main.test\r\n\r\n", false);
    exchange.drain();
    exchange.handle(Event::UpstreamBytes(HELLO), Moment::default(), &mut out);
    assert!(String::from_utf8(out.client).unwrap().contains("\r\nConnection: close\r\n"));
    assert_eq!(exchange.client_next(), ClientNext::Close);
    assert_eq!(exchange.poll_action(), Some(Action::KeepUpstream));
}

#[test]
fn after_101_both_sides_speak_freely() {
    let request = b"GET /chat HTTP/1.1\r\nHost: main.test\r\nConnection: Upgrade\r\n\
                    Upgrade: websocket\r\nSec-WebSocket-Key: k\r\n\r\n";
    let (mut exchange, mut out) = waiting(request, false);
    let sent = String::from_utf8(std::mem::take(&mut out.upstream)).unwrap();
    assert!(sent.contains("Connection: upgrade\r\nUpgrade: websocket\r\n"));
    assert_eq!(exchange.handle(Event::ClientBytes(b"early"), Moment::default(), &mut out), 0);
    let answer = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
                   Connection: Upgrade\r\nSec-WebSocket-Accept: a\r\n\r\nframe";
    exchange.handle(Event::UpstreamBytes(answer), Moment::default(), &mut out);
    let told = String::from_utf8(std::mem::take(&mut out.client)).unwrap();
    assert!(told.starts_with("HTTP/1.1 101 Switching Protocols\r\n") && told.ends_with("frame"));
    assert!(told.contains("Connection: upgrade\r\nUpgrade: websocket\r\n"));
    exchange.handle(Event::ClientBytes(b"hello"), Moment::default(), &mut out);
    assert_eq!(out.upstream, b"hello");
    exchange.handle(Event::UpstreamEnd, Moment::default(), &mut out);
    assert!(exchange.is_complete() && exchange.client_next() == ClientNext::Close);
}

#[test]
fn h2c_is_not_offered_on() {
    let request = b"GET / HTTP/1.1\r\nHost: main.test\r\nConnection: Upgrade, HTTP2-Settings\r\n\
                    Upgrade: h2c\r\nHTTP2-Settings: x\r\n\r\n";
    let (_, out) = waiting(request, false);
    assert_eq!(out.upstream, b"GET / HTTP/1.1\r\nHost: app\r\n\r\n");
}
