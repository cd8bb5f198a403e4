//! One exchange from its first byte to its last: a client that sends what it sends, a server that
//! does what it does, and pieces of drawn sizes between them.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use http1::{Limits, Parsed};
use proxy_core::clock::Moment;
use proxy_core::downstream::ClientNext;
use proxy_core::exchange::{Action, Exchange, Opening, Out, Side};
use proxy_core::generation::{At, Generation};
use proxy_core::listeners::Table;
use proxy_core::net::Cause;
use proxy_core::request::ClientInfo;
use proxy_core::response::Source;
use proxy_core::upstream::call::Step;

use crate::config;

/// A configuration whose upstream `app` is one server, with this inside its `http`.
pub fn http(content: &str) -> Rc<Generation> {
    let text = format!("http {{ upstream app {{ server 127.0.0.1:5000; }} {content} }}");
    config::generation(Arc::new(config::config(&text)), &mut Table::default())
}

/// One server with this content.
pub fn server(content: &str) -> Rc<Generation> {
    http(&format!("server {{ listen 8080; server_name main.test; {content} }}"))
}

/// Where a request to the first `listen` is.
pub fn at(generation: &Rc<Generation>) -> At {
    let mut table = Table::default();
    let plan = table.plan(generation.config());
    table.commit(generation.config(), &plan, &[]);
    At::of(generation, plan.open[0].id, client().local).unwrap()
}

/// The first request of a client.
pub fn client() -> ClientInfo {
    ClientInfo {
        since_ms: 0,
        remote: SocketAddr::from(([10, 0, 0, 9], 40_000)),
        local: SocketAddr::from(([10, 0, 0, 1], 8080)),
        serial: 7,
        requests: 1,
        is_pipelined: false,
        proxied: None,
        path: None,
    }
}

/// A time when nothing is late.
pub const NOW: Moment = Moment { ms: 1_000, unix_ms: 0 };

/// So many milliseconds after `NOW`.
pub fn after(ms: u64) -> Moment {
    Moment { ms: NOW.ms + ms, unix_ms: 0 }
}

/// What the server does once it has the request's head.
#[derive(Clone, Copy)]
pub enum Upstream<'t> {
    /// Says this and keeps the connection.
    Says(&'t str),
    /// Says this and closes.
    SaysAndCloses(&'t str),
    /// Says this, and then the connection breaks.
    SaysAndBreaks(&'t str),
    /// Refuses the connection.
    Refuses,
}

impl<'t> Upstream<'t> {
    fn says(self) -> &'t str {
        match self {
            Upstream::Says(text)
            | Upstream::SaysAndCloses(text)
            | Upstream::SaysAndBreaks(text) => text,
            Upstream::Refuses => "",
        }
    }
}

/// How an exchange came out.
#[derive(Debug, PartialEq, Eq)]
pub struct Outcome {
    pub to_client: String,
    pub to_upstream: String,
    pub status: u16,
    pub source: Source,
    pub next: ClientNext,
    /// The server's connection can carry another exchange.
    pub kept: bool,
}

impl Outcome {
    /// The content of the answer.
    pub fn body(&self) -> String {
        let unchunked = unchunked(&self.to_client);
        unchunked.split_once("\r\n\r\n").map_or("", |(_, body)| body).to_owned()
    }

    /// The values of the answer's fields of that name.
    pub fn field(&self, name: &str) -> Vec<&str> {
        let head = self.to_client.split("\r\n\r\n").next().unwrap_or_default();
        let fields = head.lines().filter_map(|line| line.split_once(": "));
        fields.filter(|(known, _)| *known == name).map(|(_, value)| value).collect()
    }
}

/// Bytes that arrive piece by piece.
struct Arriving<'t> {
    bytes: &'t [u8],
    used: usize,
    here: usize,
}

impl<'t> Arriving<'t> {
    fn new(text: &'t str) -> Arriving<'t> {
        Arriving { bytes: text.as_bytes(), used: 0, here: 0 }
    }

    /// What is here and not used, after another piece has come.
    fn more(&mut self, side: Side, cut: &mut Cut<'_>) -> &'t [u8] {
        let left = self.bytes.len() - self.here;
        self.here += cut(side, left).min(left);
        &self.bytes[self.used..self.here]
    }
}

/// Of so many bytes of a side that are still to come, how many come next.
pub type Cut<'c> = dyn FnMut(Side, usize) -> usize + 'c;

struct Run<'t> {
    exchange: Exchange,
    out: Out,
    request: Arriving<'t>,
    answer: Arriving<'t>,
    upstream: Upstream<'t>,
    to_client: Vec<u8>,
    to_upstream: Vec<u8>,
    kept: bool,
}

impl<'t> Run<'t> {
    fn new(generation: &Rc<Generation>, request: &'t str, upstream: Upstream<'t>) -> Run<'t> {
        Run {
            exchange: Exchange::new(at(generation), client()),
            out: Out::default(),
            request: Arriving::new(request),
            answer: Arriving::new(upstream.says()),
            upstream,
            to_client: Vec::new(),
            to_upstream: Vec::new(),
            kept: false,
        }
    }

    /// Parses the head as it arrives and begins the exchange.
    fn begin(&mut self, at: At, cut: &mut Cut<'_>) {
        loop {
            let bytes = self.request.more(Side::Client, cut);
            let head = self.exchange.head_mut();
            let opening = match http1::parse_request(bytes, &Limits::default(), head) {
                Parsed::NeedMore => {
                    assert!(bytes.len() < self.request.bytes.len(), "not a whole request");
                    continue;
                }
                Parsed::Done { used, .. } => {
                    self.request.used = used;
                    Opening::Head(&bytes[..used])
                }
                Parsed::Reject(reject) => {
                    self.request.used = bytes.len();
                    Opening::Broken(bytes, reject)
                }
            };
            return self.exchange.begin(
                (at, client()),
                (1, false),
                opening,
                (NOW, NOW),
                &mut self.out,
            );
        }
    }

    /// Does what the exchange asks for; true when there was something.
    fn act(&mut self) -> bool {
        let mut acted = false;
        while let Some(action) = self.exchange.poll_action() {
            acted = true;
            match action {
                Action::Connect => self.connect(),
                Action::Resolve => panic!("no case has a resolver"),
                Action::KeepLink => self.kept = true,
                Action::DropLink => self.kept = false,
                Action::Add => drop(self.exchange.take_part()),
                Action::Mirror => drop(self.exchange.take_mirrors()),
            }
        }
        acted
    }

    fn connect(&mut self) {
        while let Some(step) = self.exchange.step(NOW, &mut self.out) {
            match (step, self.upstream) {
                (Step::TakeIdle(_), _) => {}
                (Step::Dial(..), Upstream::Refuses) => {
                    return self
                        .exchange
                        .dial_failed(proxy_core::fault::UpstreamFault::Connect(Cause(111)), NOW);
                }
                (Step::Dial(id, address), _) => {
                    return self.exchange.attached((id, &address), false, NOW, &mut self.out);
                }
                (Step::GiveUp(_), _) => panic!("told by no step"),
            }
        }
    }

    /// Gives a side its next piece: as much of it as may pass as it is, then the rest. False where
    /// there is none.
    fn give(&mut self, side: Side, cut: &mut Cut<'_>, relays: bool) -> bool {
        let arriving = match side {
            Side::Client => &mut self.request,
            Side::Upstream => &mut self.answer,
        };
        let before = (arriving.here, arriving.used);
        let mut bytes = arriving.more(side, cut);
        let (to, relayed) = match side {
            Side::Client => (&self.out.upstream, &mut self.to_upstream),
            Side::Upstream => (&self.out.client, &mut self.to_client),
        };
        if relays && to.is_empty() {
            let count = self.exchange.relay(side, bytes, NOW);
            relayed.extend_from_slice(&bytes[..count]);
            arriving.used += count;
            bytes = &bytes[count..];
        }
        arriving.used += self.exchange.bytes(side, bytes, NOW, &mut self.out);
        before != (arriving.here, arriving.used)
    }

    /// The server's end, where it comes to one.
    fn end(&mut self) -> bool {
        match self.upstream {
            Upstream::SaysAndCloses(_) => {
                self.exchange.ended(Side::Upstream, NOW, &mut self.out);
            }
            Upstream::SaysAndBreaks(_) => {
                self.exchange.broken(Side::Upstream, Cause(104), NOW, &mut self.out);
            }
            Upstream::Says(_) | Upstream::Refuses => return false,
        }
        true
    }

    fn turn(&mut self, cut: &mut Cut<'_>, relays: bool) -> bool {
        let mut moved = self.act();
        moved |= self.exchange.wants(Side::Client) && self.give(Side::Client, cut, relays);
        if self.exchange.wants(Side::Upstream) && !moved {
            moved = self.give(Side::Upstream, cut, relays) || self.end();
        }
        self.to_client.append(&mut self.out.client);
        self.to_upstream.append(&mut self.out.upstream);
        moved
    }
}

/// Runs one exchange; `relays` says whether bytes pass as they are where they may.
pub fn run(
    generation: &Rc<Generation>,
    request: &str,
    upstream: Upstream<'_>,
    cut: &mut Cut<'_>,
    relays: bool,
) -> Outcome {
    let mut run = Run::new(generation, request, upstream);
    run.begin(at(generation), cut);
    while run.turn(cut, relays) {}
    assert!(run.exchange.is_complete(), "the exchange hangs: {request:?}");
    Outcome {
        to_client: String::from_utf8(run.to_client).unwrap(),
        to_upstream: String::from_utf8(run.to_upstream).unwrap(),
        status: run.exchange.down.response.status,
        source: run.exchange.down.response.source,
        next: run.exchange.client_next(),
        kept: run.kept,
    }
}

/// The outcome where all comes in one piece.
pub fn whole(generation: &Rc<Generation>, request: &str, upstream: Upstream<'_>) -> Outcome {
    run(generation, request, upstream, &mut |_, left| left, false)
}

/// The outcome, the same however the bytes arrive.
pub fn check(generation: &Rc<Generation>, request: &str, upstream: Upstream<'_>) -> Outcome {
    let expected = whole(generation, request, upstream);
    let compare = |other: Outcome, how: &str| {
        assert_eq!(unchunked(&other.to_client), unchunked(&expected.to_client), "{how}");
        assert_eq!((other.status, other.next), (expected.status, expected.next), "{how}");
        // A request that fails in its middle may have come any way.
        if expected.source == Source::Upstream {
            assert_eq!(unchunked(&other.to_upstream), unchunked(&expected.to_upstream), "{how}");
            assert_eq!(other.kept, expected.kept, "{how}");
        }
    };
    compare(run(generation, request, upstream, &mut |_, left| left, true), "as it is");
    for relays in [false, true] {
        let bytewise = &mut |_, left: usize| left.min(1);
        compare(run(generation, request, upstream, bytewise, relays), "byte by byte");
    }
    let answer = upstream.says();
    for (cut_side, bytes) in [(Side::Client, request.len()), (Side::Upstream, answer.len())] {
        for point in 1..bytes {
            let mut first = Some(point);
            let cut = &mut |side, left| match side {
                side if side == cut_side => first.take().unwrap_or(left),
                _ => left,
            };
            let outcome = run(generation, request, upstream, cut, true);
            compare(outcome, &format!("{cut_side:?} cut at {point}"));
        }
    }
    expected
}

/// Where chunks are cut is free: they are compared by what they carry.
pub fn unchunked(message: &str) -> String {
    let Some((head, body)) = message.split_once("\r\n\r\n") else { return message.into() };
    if !head.contains("Transfer-Encoding: chunked") {
        return message.into();
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

/// A request of GET for a path.
pub fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: main.test\r\n\r\n")
}

/// A request with a body of a declared length.
pub fn with_body(method: &str, path: &str, body: &str) -> String {
    let length = body.len();
    format!("{method} {path} HTTP/1.1\r\nHost: main.test\r\nContent-Length: {length}\r\n\r\n{body}")
}

/// An answer with a body of a declared length.
pub const HELLO: &str = "HTTP/1.1 200 OK\r\nServer: app\r\nDate: now\r\nContent-Type: text/plain\r\n\
                         Content-Length: 5\r\n\r\nhello";
