//! Clients as they are drawn: what they ask, in which bytes, and how they behave.

use std::collections::VecDeque;
use std::net::SocketAddr;

use crate::client::{Client, Step, Temper};
use crate::features::{Feature, Features};
use crate::ledger::{Ask, Body, Defect, Ledger};
use crate::parts;
use crate::pattern::{self, Owner};
use crate::preface;
use crate::prng::Prng;
use crate::site::{ADDRESSES, PLACES, Place, address};

/// Waits of so long may run into one of the proxy's timeouts.
const LONG_MS: u64 = 150;

/// Where a drawn client connects to.
pub fn draw_address(rng: &mut Prng) -> SocketAddr {
    let text = rng.pick(&ADDRESSES);
    // The wildcard is reached by whatever address this host has.
    let text = if text.starts_with("0.0.0.0") { "127.0.0.9:8082" } else { text };
    address(text)
}

fn draw_method(rng: &mut Prng, has: &Features) -> &'static str {
    if has.any(&[Feature::Head, Feature::HeadWithBody]) && rng.once_in(3) {
        return "HEAD";
    }
    match has.has(Feature::OtherMethods) {
        true => rng.pick(&["GET", "PUT", "POST", "DELETE", "PATCH", "OPTIONS"]),
        false => rng.pick(&["GET", "GET", "POST", "PUT"]),
    }
}

fn draw_body(rng: &mut Prng, has: &Features, method: &str) -> Body {
    let is_bare = matches!(method, "GET" | "HEAD" | "OPTIONS");
    if is_bare && !rng.once_in(8) {
        return Body::None;
    }
    let bytes = match rng.below(6) {
        0 => 0,
        1 if has.has(Feature::LargeBodies) => rng.between(20_000, 150_000),
        2 if has.has(Feature::TooLargeBodies) => rng.between(3_000, 9_000),
        _ => rng.pick(&[1, 30, 400, 2_000]),
    };
    if rng.once_in(3) { Body::Chunked(bytes) } else { Body::Length(bytes) }
}

/// A request, not yet placed in its stream.
fn draw_ask(rng: &mut Prng, has: &Features, client: usize, nth: usize, id: usize) -> Ask {
    let method = draw_method(rng, has);
    let mut place = match rng.once_in(3) {
        true => rng.pick(&PLACES),
        false => rng.pick(&[Place::Pass, Place::Uri]),
    };
    if rng.once_in(30) {
        place = Place::Nowhere;
    }
    let query = if rng.once_in(3) { "?a=%20b" } else { "" };
    let is_http10 = has.has(Feature::Http10Client) && rng.once_in(2);
    let mut body = draw_body(rng, has, method);
    if is_http10 && let Body::Chunked(bytes) = body {
        body = Body::Length(bytes);
    }
    Ask {
        client,
        nth,
        method,
        host: rng.pick(&["s0.sim", "s1.sim", "other.sim"]).to_owned(),
        place,
        target: format!("{}{id}{query}", place.path()),
        is_http10,
        wants_close: is_http10 || rng.once_in(8),
        body,
        parts: Vec::new(),
        expects: has.has(Feature::Expect) && body != Body::None && !is_http10 && rng.once_in(2),
        upgrades: false,
        defect: None,
        start: 0,
        head_end: 0,
        end: 0,
        continues: 0,
        got: None,
        arrivals: Vec::new(),
        words: Vec::new(),
        copies: 0,
        tunnel_up: (0, 0),
        tunnel_down: (0, 0),
        tunnel_ends: (false, false),
    }
}

fn head_bytes(rng: &mut Prng, has: &Features, ask: &Ask, id: usize) -> Vec<u8> {
    let version = if ask.is_http10 { "1.0" } else { "1.1" };
    let mut head = format!(
        "{} {} HTTP/{version}\r\nHost: {}\r\nX-Id: {id}\r\n",
        ask.method, ask.target, ask.host
    );
    match (ask.wants_close, ask.is_http10, ask.upgrades) {
        (_, _, true) => head += "Connection: upgrade\r\nUpgrade: sim\r\n",
        (true, false, _) => head += "Connection: close\r\n",
        (false, true, _) => head += "Connection: keep-alive\r\n",
        _ if rng.once_in(4) => head += "Connection: keep-alive, x-drop\r\nX-Drop: 1\r\n",
        _ => {}
    }
    match ask.body {
        Body::None => {}
        Body::Length(bytes) => head += &format!("Content-Length: {bytes}\r\n"),
        Body::Chunked(_) => head += "Transfer-Encoding: chunked\r\n",
    }
    head += &parts::field(&ask.parts);
    if ask.expects {
        head += "Expect: 100-continue\r\n";
    }
    if has.has(Feature::TakesGzip) && rng.once_in(2) {
        head += "Accept-Encoding: gzip\r\n";
    }
    if rng.once_in(6) {
        head += &format!("X-Fill: {}\r\n", "f".repeat(rng.between(1, 3_000) as usize));
    }
    head += "\r\n";
    head.into_bytes()
}

fn body_bytes(rng: &mut Prng, ask: &Ask, id: usize) -> Vec<u8> {
    let content = pattern::bytes(Owner::Ask(id), 0, ask.body.bytes());
    if !matches!(ask.body, Body::Chunked(_)) {
        return content;
    }
    let mut out = chunks(rng, &content);
    let trailer = if rng.once_in(5) { "X-Trailer: t\r\n" } else { "" };
    out.extend_from_slice(format!("0\r\n{trailer}\r\n").as_bytes());
    out
}

fn chunks(rng: &mut Prng, content: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = content;
    while !rest.is_empty() {
        let count = (rng.between(1, 3_000) as usize).max(rest.len() / 5).min(rest.len());
        let extension = if rng.once_in(5) { ";x=y" } else { "" };
        out.extend_from_slice(format!("{count:X}{extension}\r\n").as_bytes());
        out.extend_from_slice(&rest[..count]);
        out.extend_from_slice(b"\r\n");
        rest = &rest[count..];
    }
    out
}

/// A head that breaks a rule, with the rule's status; the request's own fields come first, so that
/// the log can tell whose it is.
fn break_head(rng: &mut Prng, ask: &mut Ask, id: usize) -> Vec<u8> {
    let (method, target, host) = (ask.method, &ask.target, &ask.host);
    let start = format!("{method} {target} HTTP/1.1\r\nHost: {host}\r\nX-Id: {id}\r\n");
    let (status, text) = match rng.below(7) {
        0 => (400, format!("{start}Bad Name: x\r\n\r\n")),
        1 => (400, format!("{start}Content-Length: 1\r\nContent-Length: 1\r\n\r\n")),
        2 => (400, format!("{start}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n")),
        3 => (501, format!("{start}Transfer-Encoding: gzip\r\n\r\n")),
        4 => (505, format!("{method} {target} HTTP/3.0\r\nHost: {host}\r\n\r\n")),
        5 => (
            414,
            format!("{method} {target}{} HTTP/1.1\r\nHost: {host}\r\n\r\n", "l".repeat(9_000)),
        ),
        _ => (431, format!("{start}{}\r\n", format!("X-F: {}\r\n", "f".repeat(2_000)).repeat(20))),
    };
    ask.defect = Some(Defect::Head(status));
    ask.body = Body::None;
    text.into_bytes()
}

/// The bytes of a request, head and body, with its defect if it has one.
fn ask_bytes(rng: &mut Prng, has: &Features, ask: &mut Ask, id: usize) -> (Vec<u8>, Vec<u8>) {
    if !has.has(Feature::BadRequests) || !rng.once_in(3) {
        return (head_bytes(rng, has, ask, id), body_bytes(rng, ask, id));
    }
    match rng.below(4) {
        0 if matches!(ask.body, Body::Chunked(_)) => {
            let head = head_bytes(rng, has, ask, id);
            let sent = rng.below(ask.body.bytes() + 1);
            let mut body = chunks(rng, &pattern::bytes(Owner::Ask(id), 0, sent));
            body.extend_from_slice(b"\x01\x01");
            ask.defect = Some(Defect::Chunks);
            (head, body)
        }
        1 if ask.body.bytes() > 0 => {
            let head = head_bytes(rng, has, ask, id);
            let mut body = body_bytes(rng, ask, id);
            body.truncate(rng.index(body.len()));
            ask.defect = Some(Defect::CutBody);
            (head, body)
        }
        2 => {
            let mut head = head_bytes(rng, has, ask, id);
            head.truncate(rng.between(1, head.len() as u64 - 1) as usize);
            ask.defect = Some(Defect::CutHead);
            (head, Vec::new())
        }
        _ => (break_head(rng, ask, id), Vec::new()),
    }
}

fn draw_temper(rng: &mut Prng, has: &Features) -> Temper {
    let is_small = has.has(Feature::SmallWrites) && rng.once_in(2);
    Temper {
        write_max: if is_small { rng.pick(&[1, 7, 200]) } else { 64 << 10 },
        read_max: if is_small { rng.pick(&[40, 500, 5_000]) } else { 64 << 10 },
        gap_ms: if is_small { rng.pick(&[0, 0, 2, 6]) } else { 0 },
        obeys: !rng.once_in(4),
    }
}

/// Draws one client with all it will ask.
pub fn draw(rng: &mut Prng, has: &Features, conn: usize, ledger: &mut Ledger) -> Client {
    let mut script: VecDeque<Step> = VecDeque::new();
    let mut temper = draw_temper(rng, has);
    let mut asks = Vec::new();
    let mut conduct = crate::client::Conduct::default();
    let mut offset = 0;
    if has.has(Feature::Proxied) {
        offset = preface::push(rng, &mut script);
        conduct.says_nothing = offset == 0;
    }
    let count = rng.between(1, 4) as usize;
    for nth in 0..count {
        let id = ledger.asks.len();
        let mut ask = draw_ask(rng, has, conn, nth, id);
        let is_tunnel = has.has(Feature::Tunnel) && nth + 1 == count && rng.once_in(2);
        if is_tunnel && !ask.is_http10 {
            (ask.upgrades, ask.method, ask.body, ask.expects) = (true, "GET", Body::None, false);
            (ask.place, ask.target) = (Place::Pass, format!("/p/{id}"));
        }
        if has.has(Feature::Ranges) && ask.place == Place::File && !rng.once_in(4) {
            ask.parts = parts::draw(rng, id);
        }
        let (head, body) = ask_bytes(rng, has, &mut ask, id);
        (ask.start, ask.head_end) = (offset, offset + head.len() as u64);
        ask.end = ask.head_end + body.len() as u64;
        offset = ask.end;
        if has.has(Feature::StallReading) && rng.once_in(3) {
            let ms = rng.pick(&[50, 300, 1_200, 70_000]);
            conduct.was_deaf |= ms >= LONG_MS;
            script.push_back(Step::Deaf(ms));
        }
        push_request(rng, has, (head, body), &ask, &mut script, &mut conduct);
        asks.push(id);
        let is_last = ask.defect.is_some() || ask.upgrades;
        let upgrades = ask.upgrades;
        ledger.asks.push(ask);
        if upgrades {
            push_tunnel(rng, has, (id, nth), ledger, &mut script);
        }
        if is_last {
            break;
        }
        if !has.has(Feature::Pipeline) || rng.once_in(2) {
            script.push_back(Step::Answers(nth + 1));
            let wait = match has.has(Feature::Dawdle) && rng.once_in(3) {
                true => rng.pick(&[200, 500, 1_200]),
                false => rng.below(20),
            };
            script.push_back(Step::Wait(wait));
        }
    }
    let last = &ledger.asks[asks[asks.len() - 1]];
    let is_tunnel = last.upgrades;
    if has.has(Feature::TrailingBytes) && last.defect.is_none() && !is_tunnel && rng.once_in(2) {
        asks.push(push_trailing(rng, has, (conn, asks.len(), offset), ledger, &mut script));
    }
    push_end(rng, has, asks.len(), is_tunnel, &mut script);
    leave_midway(rng, has, &mut script);
    // Byte by byte is for those who have little to say or to hear.
    let said = script.iter().map(|step| if let Step::Send(bytes) = step { bytes.len() } else { 0 });
    temper.write_max = temper.write_max.max(said.sum::<usize>() / 1_000);
    if has.has(Feature::LargeBodies) || is_tunnel {
        temper.read_max = temper.read_max.max(2_000);
    }
    let mut client = Client::new(conn, asks, script, temper);
    client.conduct = conduct;
    client
}

fn push_request(
    rng: &mut Prng,
    has: &Features,
    (head, body): (Vec<u8>, Vec<u8>),
    ask: &Ask,
    script: &mut VecDeque<Step>,
    conduct: &mut crate::client::Conduct,
) {
    let mut dawdle = |rng: &mut Prng, script: &mut VecDeque<Step>| {
        if has.has(Feature::Dawdle) && rng.once_in(4) {
            let ms = rng.pick(&[20, 100, 250, 700, 1_500]);
            conduct.dawdled |= ms >= LONG_MS;
            script.push_back(Step::Wait(ms));
        }
    };
    let cut = rng.index(head.len());
    if rng.once_in(2) {
        script.push_back(Step::Send(head[..cut].to_vec()));
        dawdle(rng, script);
        script.push_back(Step::Send(head[cut..].to_vec()));
    } else {
        script.push_back(Step::Send(head));
    }
    if ask.expects {
        script.push_back(Step::Continue(ask.nth, rng.pick(&[30, 100])));
    }
    let mut rest = body.as_slice();
    while !rest.is_empty() {
        dawdle(rng, script);
        let count =
            (rng.between(1, rest.len() as u64) as usize).max(body.len() / 4).min(rest.len());
        script.push_back(Step::Send(rest[..count].to_vec()));
        rest = &rest[count..];
    }
}

fn push_tunnel(
    rng: &mut Prng,
    has: &Features,
    (id, nth): (usize, usize),
    ledger: &mut Ledger,
    script: &mut VecDeque<Step>,
) {
    let bytes = rng.pick(&[0, 20, 5_000, 50_000]);
    ledger.asks[id].tunnel_up.1 = bytes;
    script.push_back(Step::Tunnel(nth));
    let said = pattern::bytes(Owner::TunnelUp(id), 0, bytes);
    for piece in said.chunks((bytes as usize / 3).max(1)) {
        script.push_back(Step::Send(piece.to_vec()));
        if has.has(Feature::Dawdle) && rng.once_in(3) {
            script.push_back(Step::Wait(rng.pick(&[10, 100, 600])));
        }
    }
    script.push_back(Step::Fin);
    script.push_back(Step::Hold);
}

/// Bytes behind the last request: they begin one that is none.
fn push_trailing(
    rng: &mut Prng,
    has: &Features,
    (conn, nth, offset): (usize, usize, u64),
    ledger: &mut Ledger,
    script: &mut VecDeque<Step>,
) -> usize {
    let id = ledger.asks.len();
    let mut ask = draw_ask(rng, has, conn, nth, id);
    (ask.body, ask.expects, ask.is_http10) = (Body::None, false, false);
    let bytes: &[u8] = if rng.once_in(2) { b"\x01\x02\r\n\r\n" } else { b"\r\n" };
    ask.defect = Some(if bytes.len() > 2 { Defect::Head(400) } else { Defect::CutHead });
    (ask.start, ask.head_end) = (offset, offset + bytes.len() as u64);
    ask.end = ask.head_end;
    ledger.asks.push(ask);
    script.push_back(Step::Send(bytes.to_vec()));
    id
}

/// How a client goes when it has all.
fn push_end(
    rng: &mut Prng,
    has: &Features,
    asks: usize,
    is_tunnel: bool,
    script: &mut VecDeque<Step>,
) {
    if has.has(Feature::HalfClose) && rng.once_in(3) && !is_tunnel {
        script.push_back(Step::Wait(rng.below(10)));
        script.push_back(Step::Fin);
    }
    script.push_back(Step::Answers(asks));
    if rng.once_in(2) {
        script.push_back(Step::Hold);
    } else {
        script.push_back(Step::Wait(rng.below(50)));
    }
}

/// A client that goes in the middle.
fn leave_midway(rng: &mut Prng, has: &Features, script: &mut VecDeque<Step>) {
    let end = if has.has(Feature::Leave) && rng.once_in(3) {
        Step::Close
    } else if has.has(Feature::ClientReset) && rng.once_in(3) {
        Step::Reset
    } else {
        return;
    };
    let at = rng.index(script.len());
    script.truncate(at);
    // The last of what it writes may be cut anywhere.
    if let Some(Step::Send(bytes)) = script.back_mut() {
        let kept = rng.index(bytes.len() + 1);
        bytes.truncate(kept);
    }
    script.retain(|step| !matches!(step, Step::Send(bytes) if bytes.is_empty()));
    script.push_back(Step::Wait(rng.below(30)));
    script.push_back(end);
}
