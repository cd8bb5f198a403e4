//! What an upstream server does with a request: drawn when its head is there.

use std::collections::VecDeque;

use crate::features::{Feature, Features};
use crate::ledger::{Answer, Ledger};
use crate::network::Millis;
use crate::pattern::{self, Owner};
use crate::prng::Prng;
use crate::reader::Framing;
use crate::server::record;
use crate::site::Place;

/// A silence of so long may run into a timeout; nothing else that happens takes so long.
pub const LONG_MS: Millis = 190;

/// When the plan is taken up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum When {
    Head,
    Body(u64),
    #[default]
    End,
}

/// One thing that a server does.
#[derive(Clone, PartialEq, Eq)]
pub enum Piece {
    Bytes(Vec<u8>),
    Wait(Millis),
    Hang,
    /// All of the answer is written.
    Whole(usize),
    /// Another request may come.
    Answered,
    /// What follows nobody asked for.
    Unasked,
    Fin,
    /// Goes on when the proxy has ended its way.
    AfterPeer,
    Close,
    Reset,
    /// Closes when the next request comes, without a look at it.
    Ambush,
}

impl std::fmt::Debug for Piece {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Piece::Bytes(bytes) => write!(f, "{} bytes", bytes.len()),
            Piece::Wait(ms) => write!(f, "wait {ms}"),
            Piece::Hang => f.write_str("hang"),
            Piece::Whole(answer) => write!(f, "answer {answer} whole"),
            Piece::Answered => f.write_str("answered"),
            Piece::Unasked => f.write_str("unasked"),
            Piece::Fin => f.write_str("fin"),
            Piece::AfterPeer => f.write_str("after the peer"),
            Piece::Close => f.write_str("close"),
            Piece::Reset => f.write_str("reset"),
            Piece::Ambush => f.write_str("ambush"),
        }
    }
}

/// What a server does with a request.
#[derive(Debug, Default)]
pub struct Plan {
    pub when: When,
    pub pieces: VecDeque<Piece>,
    pub answer: Option<usize>,
    /// The proxy may say 502 for it, or 504.
    pub is_fault: bool,
    pub is_silent: bool,
    pub is_tunnel: bool,
    pub tunnel_bytes: u64,
}

/// Draws what becomes of a request.
pub fn draw(
    rng: &mut Prng,
    has: &Features,
    (ask, conn, is_redirected, is_asked): (usize, usize, bool, bool),
    ledger: &mut Ledger,
) -> Plan {
    let mut plan = Plan::default();
    let body = ledger.asks[ask].body.bytes();
    if has.has(Feature::EarlyAnswer) && rng.once_in(2) {
        plan.when = rng.pick(&[When::Head, When::Body(body / 2)]);
    }
    if has.has(Feature::SlowAnswer) {
        let ms = rng.pick(&[5, 50, 250, 1_000]);
        plan.pieces.push_back(Piece::Wait(ms));
        plan.is_silent |= ms >= LONG_MS;
    }
    let upgrades = ledger.asks[ask].upgrades;
    if draw_failure(rng, has, upgrades, &mut plan) {
        return plan;
    }
    if has.has(Feature::Interim) {
        for _ in 0..rng.below(3) {
            let interim: &[u8] = rng.pick(&[
                b"HTTP/1.1 100 Continue\r\n\r\n",
                b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n",
            ]);
            plan.pieces.push_back(Piece::Bytes(interim.to_vec()));
        }
    }
    let record = &ledger.asks[ask];
    if is_asked && record.upgrades && record.method == "GET" && !is_redirected && !rng.once_in(4) {
        draw_tunnel(rng, (ask, conn), ledger, &mut plan);
    } else if has.has(Feature::AccelRedirect)
        && record.place != Place::Accel
        && !is_redirected
        && rng.once_in(2)
    {
        push_redirect((ask, conn), ledger, &mut plan);
    } else {
        draw_answer(rng, has, (ask, conn), ledger, &mut plan);
    }
    plan
}

/// Draws what is said of a request that is guarded.
pub fn draw_word(rng: &mut Prng, has: &Features, ask: usize, ledger: &mut Ledger) -> Plan {
    let (plan, status) = draw_aside(rng, has, false);
    ledger.asks[ask].words.extend(status);
    plan
}

/// Draws an answer of no client: what a subrequest gets, and its status if there is one.
pub fn draw_aside(rng: &mut Prng, has: &Features, is_head: bool) -> (Plan, Option<u16>) {
    let mut plan = Plan::default();
    if has.has(Feature::SlowAnswer) && rng.once_in(2) {
        let ms = rng.pick(&[5, 50, 250]);
        plan.pieces.push_back(Piece::Wait(ms));
        plan.is_silent |= ms >= LONG_MS;
    }
    if draw_failure(rng, has, false, &mut plan) {
        return (plan, None);
    }
    let status = rng.pick(&[200, 200, 200, 202, 204, 401, 403, 500, 302]);
    let body = if status == 204 { 0 } else { rng.pick(&[0, 7, 3_000]) };
    let closes = rng.once_in(4);
    let connection = if closes { "Connection: close\r\n" } else { "" };
    let length = if status == 204 { String::new() } else { format!("Content-Length: {body}\r\n") };
    let mut text = format!("HTTP/1.1 {status} Word\r\n{connection}{length}\r\n").into_bytes();
    let content = if is_head { 0 } else { body };
    text.extend(std::iter::repeat_n(b'w', content as usize));
    push_pieces(rng, &text, 4, &mut plan);
    push_after(rng, has, (is_head, body), closes, &mut plan);
    (plan, Some(status))
}

/// A failure before there is an answer. True where that is all.
fn draw_failure(rng: &mut Prng, has: &Features, upgrades: bool, plan: &mut Plan) -> bool {
    let mut happens = |feature| has.has(feature) && rng.once_in(4);
    let end = if happens(Feature::CloseBefore) {
        Piece::Close
    } else if happens(Feature::ResetBefore) {
        Piece::Reset
    } else if happens(Feature::Hang) {
        Piece::Hang
    } else if happens(Feature::Malformed) {
        let bad: &[u8] = rng.pick(&[
            b"HTTP/1.1 2x0 OK\r\n\r\n",
            b"nonsense\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        ]);
        plan.pieces.push_back(Piece::Bytes(bad.to_vec()));
        Piece::Close
    } else if !upgrades && happens(Feature::UnaskedUpgrade) {
        let bad = b"HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n";
        plan.pieces.push_back(Piece::Bytes(bad.to_vec()));
        Piece::Hang
    } else {
        return false;
    };
    if rng.once_in(4) && plan.pieces.is_empty() {
        // A part of a head is no answer.
        plan.pieces.push_back(Piece::Bytes(b"HTTP/1.1 200 OK\r\nX-Proof: a".to_vec()));
        plan.pieces.push_back(Piece::Wait(rng.below(10)));
    }
    plan.is_silent |= end == Piece::Hang;
    plan.is_fault = true;
    plan.pieces.push_back(end);
    true
}

fn push_redirect((ask, conn): (usize, usize), ledger: &mut Ledger, plan: &mut Plan) {
    let answer = Answer {
        ask,
        conn,
        status: 200,
        framing: Framing::Length(5),
        body: 5,
        is_final: false,
        whole_at: None,
        needs_end: false,
        says_close: false,
    };
    plan.answer = Some(record(ledger, answer));
    let text = format!(
        "HTTP/1.1 200 OK\r\nX-Accel-Redirect: /accel/{ask}?for={ask}\r\nSet-Cookie: a=b\r\n\
         Content-Length: 5\r\n\r\nnever"
    );
    plan.pieces.push_back(Piece::Bytes(text.into_bytes()));
    plan.pieces.push_back(Piece::Answered);
}

fn draw_tunnel(rng: &mut Prng, (ask, conn): (usize, usize), ledger: &mut Ledger, plan: &mut Plan) {
    let answer = Answer {
        ask,
        conn,
        status: 101,
        framing: Framing::None,
        body: 0,
        is_final: true,
        whole_at: None,
        needs_end: false,
        says_close: true,
    };
    let id = record(ledger, answer);
    plan.answer = Some(id);
    let head = format!(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: sim\r\n\
         X-Answer: {id}\r\nX-Proof: proof-{id}\r\n\r\n"
    );
    let mut bytes = head.into_bytes();
    plan.is_tunnel = true;
    plan.tunnel_bytes = rng.pick(&[0, 10, 3_000, 40_000]);
    let said = pattern::bytes(Owner::TunnelDown(ask), 0, plan.tunnel_bytes);
    let with_head = rng.index(said.len() + 1);
    bytes.extend_from_slice(&said[..with_head]);
    plan.pieces.push_back(Piece::Bytes(bytes));
    push_pieces(rng, &said[with_head..], 5, plan);
    let ends_first = rng.once_in(2);
    if ends_first {
        plan.pieces.push_back(Piece::Fin);
    }
    plan.pieces.push_back(Piece::AfterPeer);
}

fn push_pieces(rng: &mut Prng, bytes: &[u8], gap_ms: Millis, plan: &mut Plan) {
    let mut rest = bytes;
    while !rest.is_empty() {
        let most = rng.pick(&[10, 1_000, 60_000]).min(rest.len() as u64);
        let count = rng.between(1, most) as usize;
        // A long body is not cut into more pieces than a world has patience for.
        let count = count.max(rest.len() / 8).max(1);
        plan.pieces.push_back(Piece::Bytes(rest[..count].to_vec()));
        rest = &rest[count..];
        if gap_ms > 0 && !rest.is_empty() && rng.once_in(3) {
            plan.pieces.push_back(Piece::Wait(rng.below(gap_ms)));
        }
    }
}

fn draw_status(rng: &mut Prng, has: &Features) -> u16 {
    match has.has(Feature::BadStatus) && rng.once_in(2) {
        true => rng.pick(&[204, 304, 301, 403, 404, 500, 500, 503, 503]),
        false => 200,
    }
}

fn draw_framing(rng: &mut Prng, has: &Features, body: u64) -> Framing {
    match rng.below(4) {
        0 => Framing::Chunked,
        1 if has.has(Feature::UntilClose) => Framing::UntilClose,
        _ => Framing::Length(body),
    }
}

/// An ordinary answer, perhaps one that breaks off.
fn draw_answer(
    rng: &mut Prng,
    has: &Features,
    (ask, conn): (usize, usize),
    ledger: &mut Ledger,
    plan: &mut Plan,
) {
    let status = draw_status(rng, has);
    let is_head = ledger.asks[ask].method == "HEAD";
    let body = match rng.below(8) {
        0 => 0,
        1 if has.has(Feature::LargeBodies) => rng.between(50_000, 200_000),
        _ => rng.pick(&[1, 20, 500, 3_000]),
    };
    let mut framing = draw_framing(rng, has, body);
    if matches!(status, 204 | 304) {
        framing = Framing::None;
    }
    let has_body = !is_head && framing != Framing::None;
    // An answer may say that it is the last, or be cut off.
    let mut closes = framing == Framing::UntilClose && !is_head;
    let says_close = closes || has.has(Feature::CloseAfterAnswer) && rng.once_in(2);
    closes |= says_close;
    let cut = draw_cut(rng, has, has_body, body);
    let sent = cut.as_ref().map_or(body, |(sent, _)| *sent);
    // An end that comes early looks like the end where nothing else tells it.
    let is_cut_whole = matches!(&cut, Some((_, Piece::Close))) && framing == Framing::UntilClose;
    let answer = Answer {
        ask,
        conn,
        status,
        framing,
        body: if is_cut_whole { sent } else { body },
        is_final: true,
        whole_at: None,
        needs_end: framing == Framing::UntilClose && has_body,
        says_close,
    };
    let id = record(ledger, answer);
    plan.answer = Some(id);
    let mut head = format!(
        "HTTP/1.1 {status} Sim\r\nX-Answer: {id}\r\nX-Proof: proof-{id}\r\n{}",
        if says_close { "Connection: close\r\n" } else { "" }
    );
    match framing {
        Framing::Length(bytes) => head += &format!("Content-Length: {bytes}\r\n"),
        Framing::Chunked => head += "Transfer-Encoding: chunked\r\n",
        Framing::None | Framing::UntilClose => {}
    }
    head += "\r\n";
    let gap_ms = if has.has(Feature::SlowAnswer) { 40 } else { 4 };
    let content = pattern::bytes(Owner::Answer(id), 0, if has_body { sent } else { 0 });
    let is_whole = cut.is_none() || is_cut_whole;
    push_content(rng, (head.into_bytes(), &content), (framing, is_whole && has_body), gap_ms, plan);
    if is_whole {
        plan.pieces.push_back(Piece::Whole(id));
    }
    if let Some((_, end)) = cut {
        plan.is_silent |= end == Piece::Hang;
        plan.is_fault = true;
        return plan.pieces.push_back(end);
    }
    push_after(rng, has, (is_head, body), closes, plan);
}

/// Where an answer breaks off, and how.
fn draw_cut(rng: &mut Prng, has: &Features, has_body: bool, body: u64) -> Option<(u64, Piece)> {
    if !has_body || body == 0 {
        return None;
    }
    let mut happens = |feature| has.has(feature) && rng.once_in(3);
    let end = if happens(Feature::CloseMidway) {
        Piece::Close
    } else if happens(Feature::ResetMidway) {
        Piece::Reset
    } else if happens(Feature::Hang) {
        Piece::Hang
    } else {
        return None;
    };
    Some((rng.below(body), end))
}

fn push_content(
    rng: &mut Prng,
    (head, content): (Vec<u8>, &[u8]),
    (framing, is_whole): (Framing, bool),
    gap_ms: Millis,
    plan: &mut Plan,
) {
    let mut wire = head;
    if framing == Framing::Chunked && (is_whole || !content.is_empty()) {
        let mut rest = content;
        while !rest.is_empty() {
            let count = (rng.between(1, 4_000) as usize).max(rest.len() / 6).min(rest.len());
            wire.extend_from_slice(format!("{count:x}\r\n").as_bytes());
            wire.extend_from_slice(&rest[..count]);
            wire.extend_from_slice(b"\r\n");
            rest = &rest[count..];
        }
        if is_whole {
            wire.extend_from_slice(b"0\r\n\r\n");
        }
    } else {
        wire.extend_from_slice(content);
    }
    push_pieces(rng, &wire, gap_ms, plan);
}

/// What a server does when it has answered.
fn push_after(
    rng: &mut Prng,
    has: &Features,
    (is_head, body): (bool, u64),
    closes: bool,
    plan: &mut Plan,
) {
    if is_head && has.has(Feature::HeadWithBody) && body > 0 && body < 4_000 {
        plan.pieces.push_back(Piece::Unasked);
        plan.pieces.push_back(Piece::Wait(rng.pick(&[0, 10, 60])));
        plan.pieces.push_back(Piece::Bytes(vec![b'h'; body as usize]));
    }
    plan.pieces.push_back(Piece::Answered);
    if closes {
        if rng.once_in(2) {
            plan.pieces.push_back(Piece::Wait(rng.below(30)));
        }
        return plan.pieces.push_back(Piece::Close);
    }
    if has.has(Feature::ExtraBytes) && rng.once_in(2) {
        plan.pieces.push_back(Piece::Unasked);
        if rng.once_in(2) {
            plan.pieces.push_back(Piece::Wait(rng.below(60)));
        }
        plan.is_fault = true;
        plan.pieces.push_back(Piece::Bytes(b"unasked\r\n\r\n".to_vec()));
    }
    if has.has(Feature::DieIdle) && rng.once_in(2) {
        plan.is_fault = true;
        if rng.once_in(2) {
            return plan.pieces.push_back(Piece::Ambush);
        }
        plan.pieces.push_back(Piece::Wait(rng.below(100)));
        plan.pieces.push_back(rng.pick_one(&[Piece::Close, Piece::Reset]));
    }
}

impl Prng {
    fn pick_one(&mut self, pieces: &[Piece]) -> Piece {
        pieces[self.index(pieces.len())].clone()
    }
}
