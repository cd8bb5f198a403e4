//! A connection at an upstream server: reads requests, holds them against the book, and answers as
//! it was drawn to, or does not.

use std::collections::VecDeque;
use std::net::SocketAddr;

use crate::fastcgi::{self, Gateway};
use crate::features::Feature;
use crate::ledger::{Answer, Arrival, Ask, Body, Ledger};
use crate::network::{Got, Millis, Party};
use crate::pattern::{self, Owner};
use crate::plan::{self, Piece, Plan, When};
use crate::reader::{Framing, Head, Item, Reader, Role};
use crate::site::{COPY, Place, QUESTION};
use crate::socket::Shared;
use crate::trace;

pub struct Server {
    pub conn: usize,
    pub address: SocketAddr,
    pub is_over: bool,
    has: crate::features::Features,
    reader: Reader,
    served: u64,
    last_answer: Option<usize>,
    /// The request that is being read or answered.
    now_at: Option<Request>,
    out: VecDeque<Piece>,
    next_out_ms: Millis,
    next_read_ms: Millis,
    is_tunnel: bool,
    /// The proxy has ended its way.
    has_end: bool,
    is_ambush: bool,
    gateway: Option<Gateway>,
}

struct Request {
    ask: usize,
    /// Index into the ask's arrivals; none where it is only asked about.
    arrival: Option<usize>,
    is_read: bool,
    body: u64,
    plan: Option<Plan>,
    is_answered: bool,
}

impl Server {
    pub fn new(conn: usize, address: SocketAddr, has: crate::features::Features) -> Server {
        Server {
            conn,
            address,
            is_over: false,
            gateway: has.has(Feature::FastCgi).then(Gateway::default),
            has,
            reader: Reader::new(Role::Requests),
            served: 0,
            last_answer: None,
            now_at: None,
            out: VecDeque::new(),
            next_out_ms: 0,
            next_read_ms: 0,
            is_tunnel: false,
            has_end: false,
            is_ambush: false,
        }
    }

    pub fn act(&mut self, shared: &mut Shared, ledger: &mut Ledger) {
        if self.is_over {
            return;
        }
        if self.is_ambush && shared.network.has_bytes(self.conn, Party::Actor) {
            return self.finish(shared);
        }
        self.read(shared, ledger);
        while !self.is_over && self.answer(shared, ledger) {}
    }

    fn finish(&mut self, shared: &mut Shared) {
        self.is_over = true;
        shared.network.close(self.conn, Party::Actor);
    }

    fn read(&mut self, shared: &mut Shared, ledger: &mut Ledger) {
        while !self.is_over {
            if self.next_read_ms > shared.network.now {
                return shared.network.wake(self.conn, self.next_read_ms);
            }
            let most = if self.has.has(Feature::SmallWrites) { 700 } else { 64 << 10 };
            match shared.network.read(self.conn, Party::Actor, most) {
                Got::Nothing => return,
                Got::Bytes(bytes) => {
                    trace(|| format!("c{} server reads {} bytes", self.conn, bytes.len()));
                    let http = match &mut self.gateway {
                        Some(gateway) => gateway.push(&bytes),
                        None => Ok(bytes),
                    };
                    let http = http.map(|bytes| self.reader.push(&bytes));
                    if let Err(wrong) = http.and_then(|()| self.follow(shared, ledger)) {
                        ledger.fail(format!("c{} at {}: {wrong}", self.conn, self.address));
                        return self.finish(shared);
                    }
                    if self.has.has(Feature::NotReading) && shared.network.rng.once_in(4) {
                        let rest = shared.network.rng.pick(&[20, 100, 2_000]);
                        self.silent(rest, shared);
                        self.next_read_ms = shared.network.now + rest;
                    }
                }
                Got::End if self.is_tunnel => {
                    trace(|| format!("c{} server sees the tunnel's end", self.conn));
                    self.has_end = true;
                    return;
                }
                Got::End | Got::Reset => return self.finish(shared),
            }
        }
    }

    /// A silence that a timeout may end.
    fn silent(&mut self, ms: Millis, shared: &mut Shared) {
        if ms >= plan::LONG_MS {
            shared.blame(self.address).silences += 1;
        }
    }

    fn follow(&mut self, shared: &mut Shared, ledger: &mut Ledger) -> Result<(), String> {
        while let Some(item) = self.reader.next(false)? {
            match item {
                Item::Head(head, framing) => self.head(head, framing, shared, ledger)?,
                Item::Data(at, data) => self.data(at, &data, ledger)?,
                Item::End(_) => self.request_end(ledger)?,
            }
            self.begin_answer(shared, ledger);
        }
        Ok(())
    }

    fn head(
        &mut self,
        mut head: Head,
        framing: Framing,
        shared: &mut Shared,
        ledger: &mut Ledger,
    ) -> Result<(), String> {
        if self.now_at.as_ref().is_some_and(|one| !one.is_answered || !one.is_read) {
            return Err(format!("{} before the last request is over", head.line));
        }
        if let Some(last) = self.last_answer.filter(|last| ledger.answers[*last].says_close) {
            return Err(format!("{} after answer {last}, which said close", head.line));
        }
        if let Some(start) = self.gateway.as_mut().and_then(Gateway::take_start) {
            head.start = start;
        }
        let id = head.one("X-Id")?.and_then(|id| id.parse::<usize>().ok());
        let id = id.filter(|id| *id < ledger.asks.len()).ok_or(format!("X-Id of {head:?}"))?;
        if head.words()[1] == QUESTION {
            return self.question(id, &head, framing, shared, ledger);
        }
        if head.words()[1].split('?').next() == Some(COPY) {
            return self.copy(id, &head, framing, shared, ledger);
        }
        let is_redirected = head.words()[1].starts_with(Place::Accel.path());
        let is_gathered = self.gateway.is_some();
        check_request(id, &ledger.asks[id], &head, framing, (is_redirected, is_gathered))?;
        trace(|| format!("c{} server gets ask {id}: {}", self.conn, head.line));
        let record = &ledger.asks[id];
        let is_let_in = record.words.iter().any(|word| (200..300).contains(word));
        if record.place == Place::Guarded && !is_let_in {
            return Err(format!("ask {id} comes, but nobody has let it in: {:?}", record.words));
        }
        let at_ms = shared.network.now;
        let ask = &mut ledger.asks[id];
        ask.arrivals.push(Arrival {
            conn: self.conn,
            at_ms,
            address: self.address,
            start: head.start,
            is_redirected,
            before: self.served,
            body: 0,
            is_whole: false,
            answer: None,
        });
        let arrival = ask.arrivals.len() - 1;
        self.wake(shared);
        let mut request = Request {
            ask: id,
            arrival: Some(arrival),
            is_read: false,
            body: 0,
            plan: None,
            is_answered: false,
        };
        let about = (id, self.conn, is_redirected, head.one("Upgrade")?.is_some());
        let rng = &mut shared.network.rng;
        let planned = plan::draw(rng, &self.has, about, ledger);
        self.blame(&planned, shared);
        ledger.asks[id].arrivals[arrival].answer = planned.answer;
        self.last_answer = planned.answer;
        request.plan = Some(planned);
        self.now_at = Some(request);
        Ok(())
    }

    /// A request has come. What was still to be done with the idle connection is forgotten.
    fn wake(&mut self, shared: &mut Shared) {
        self.served += 1;
        self.out.clear();
        self.next_out_ms = shared.network.now;
        let conn = &mut shared.network.conns[self.conn];
        if conn.seen.unasked_from == Some(conn.sent(Party::Actor)) {
            conn.seen.unasked_from = None;
        }
    }

    fn blame(&self, plan: &Plan, shared: &mut Shared) {
        if plan.is_fault {
            shared.blame(self.address).faults += 1;
        }
        if plan.is_silent {
            shared.blame(self.address).silences += 1;
        }
    }

    /// Whether a request is let in is asked.
    fn question(
        &mut self,
        id: usize,
        head: &Head,
        framing: Framing,
        shared: &mut Shared,
        ledger: &mut Ledger,
    ) -> Result<(), String> {
        let is_bare = framing == Framing::None && head.one("Upgrade")?.is_none();
        if head.words()[0] != "GET" || !is_bare || ledger.asks[id].place != Place::Guarded {
            return Err(format!("ask {id} is asked about by {head:?}"));
        }
        trace(|| format!("c{} server is asked about ask {id}", self.conn));
        self.wake(shared);
        let plan = plan::draw_word(&mut shared.network.rng, &self.has, id, ledger);
        self.take_up(id, plan, shared);
        Ok(())
    }

    /// A request is mirrored: with its method and fields, and here without its body.
    fn copy(
        &mut self,
        id: usize,
        head: &Head,
        framing: Framing,
        shared: &mut Shared,
        ledger: &mut Ledger,
    ) -> Result<(), String> {
        let ask = &mut ledger.asks[id];
        let is_same = head.words()[0] == ask.method && ask.place == Place::Named;
        // A body of nothing is no less there than another, and told.
        let is_bare = match framing {
            Framing::Length(0) => ask.body == Body::Length(0),
            framing => framing == Framing::None,
        };
        if !is_same || !is_bare {
            return Err(format!("ask {id} is mirrored as {head:?}"));
        }
        trace(|| format!("c{} server gets a copy of ask {id}", self.conn));
        ask.copies += 1;
        let is_head = ask.method == "HEAD";
        self.wake(shared);
        let (plan, _) = plan::draw_aside(&mut shared.network.rng, &self.has, is_head);
        self.take_up(id, plan, shared);
        Ok(())
    }

    /// What a subrequest gets of a server.
    fn take_up(&mut self, ask: usize, plan: Plan, shared: &mut Shared) {
        self.blame(&plan, shared);
        self.last_answer = None;
        let (plan, arrival) = (Some(plan), None);
        self.now_at =
            Some(Request { ask, arrival, is_read: false, body: 0, plan, is_answered: false });
    }

    fn data(&mut self, at: u64, data: &[u8], ledger: &mut Ledger) -> Result<(), String> {
        let Some(request) = &mut self.now_at else { return Err("content of nothing".to_owned()) };
        let ask = &mut ledger.asks[request.ask];
        if self.is_tunnel {
            ask.tunnel_up.0 += data.len() as u64;
            return pattern::check(Owner::TunnelUp(request.ask), at, data);
        }
        request.body += data.len() as u64;
        let Some(arrival) = request.arrival.and_then(|at| ask.arrivals.get_mut(at)) else {
            return Err(format!("a subrequest of ask {} has content", request.ask));
        };
        arrival.body = request.body;
        if request.body > ask.body.bytes() {
            return Err(format!("ask {} has {:?}, more came", request.ask, ask.body));
        }
        pattern::check(Owner::Ask(request.ask), at, data)
            .map_err(|wrong| format!("ask {}: {wrong}", request.ask))
    }

    fn request_end(&mut self, ledger: &mut Ledger) -> Result<(), String> {
        let Some(request) = &mut self.now_at else { return Err("an end of nothing".to_owned()) };
        let ask = &mut ledger.asks[request.ask];
        request.is_read = true;
        let Some(arrival) = request.arrival.and_then(|at| ask.arrivals.get_mut(at)) else {
            return Ok(());
        };
        arrival.is_whole = true;
        let is_redirected = arrival.is_redirected;
        if request.body != ask.body.bytes() && !is_redirected {
            return Err(format!("ask {}: {} of {:?}", request.ask, request.body, ask.body));
        }
        Ok(())
    }

    /// The plan is taken up when it is time.
    fn begin_answer(&mut self, shared: &mut Shared, ledger: &mut Ledger) {
        let Some(request) = &mut self.now_at else { return };
        let is_due = match request.plan.as_ref().map(|plan| plan.when) {
            None => return,
            Some(When::Head) => true,
            Some(When::Body(bytes)) => request.is_read || request.body >= bytes,
            Some(When::End) => request.is_read,
        };
        if !is_due {
            return;
        }
        let Some(plan) = request.plan.take() else { return };
        trace(|| format!("c{} server begins {plan:?}", self.conn));
        let is_head = request.arrival.is_some() && ledger.asks[request.ask].method == "HEAD";
        self.out = match self.gateway {
            Some(_) => fastcgi::answer(plan.pieces, is_head),
            None => plan.pieces,
        };
        if plan.is_tunnel {
            let ask = &mut ledger.asks[request.ask];
            self.is_tunnel = true;
            self.reader.leave_http();
            ask.tunnel_down.1 = plan.tunnel_bytes;
        }
        self.next_out_ms = shared.network.now;
    }

    /// True if the next one can be tried at once.
    fn answer(&mut self, shared: &mut Shared, ledger: &mut Ledger) -> bool {
        let net = &mut shared.network;
        if self.next_out_ms > net.now {
            net.wake(self.conn, self.next_out_ms);
            return false;
        }
        let Some(piece) = self.out.pop_front() else { return false };
        match piece {
            Piece::Bytes(bytes) => {
                let Ok(done) = net.write(self.conn, Party::Actor, &bytes) else {
                    self.out.clear();
                    return false;
                };
                if done < bytes.len() {
                    self.out.push_front(Piece::Bytes(bytes[done..].to_vec()));
                    return false;
                }
            }
            Piece::Wait(ms) => self.next_out_ms = net.now + ms,
            Piece::Hang => {
                self.out.clear();
                return false;
            }
            Piece::Whole(answer) => {
                ledger.answers[answer].whole_at = Some(net.conns[self.conn].sent(Party::Actor));
            }
            Piece::Answered => {
                if let Some(request) = &mut self.now_at {
                    request.is_answered = true;
                }
            }
            Piece::Unasked => {
                let sent = net.conns[self.conn].sent(Party::Actor);
                net.conns[self.conn].seen.unasked_from = Some(sent);
            }
            Piece::Fin => net.end(self.conn, Party::Actor),
            Piece::AfterPeer if self.has_end => {
                self.finish(shared);
                return false;
            }
            Piece::AfterPeer => {
                self.out.push_front(piece);
                return false;
            }
            Piece::Ambush => self.is_ambush = true,
            Piece::Close => {
                self.finish(shared);
                return false;
            }
            Piece::Reset => {
                net.reset_on_close(self.conn, Party::Actor);
                self.finish(shared);
                return false;
            }
        }
        true
    }
}

/// What a server gets is what the client asked, in the proxy's own words.
fn check_request(
    id: usize,
    ask: &Ask,
    head: &Head,
    framing: Framing,
    (is_redirected, is_gathered): (bool, bool),
) -> Result<(), String> {
    let words = head.words();
    let (method, target) = match is_redirected && ask.place != Place::Accel {
        true => {
            let method = if ask.method == "HEAD" { "HEAD" } else { "GET" };
            (method, format!("/accel/{id}?for={id}"))
        }
        false => (ask.method, ask.upstream_target()),
    };
    if words[0] != method || words[1] != target {
        return Err(format!("ask {id} is {method} {target}, the server got {}", head.line));
    }
    let host = head.one("Host")?;
    if !host.is_some_and(|host| host.starts_with("up")) {
        return Err(format!("Host {host:?} for ask {id}"));
    }
    let body = if is_redirected && ask.place != Place::Accel { Body::None } else { ask.body };
    let expected = match body {
        Body::None => Framing::None,
        Body::Length(bytes) => Framing::Length(bytes),
        Body::Chunked(bytes) if is_gathered => Framing::Length(bytes),
        Body::Chunked(_) => Framing::Chunked,
    };
    if framing != expected {
        return Err(format!("ask {id} has {body:?}, the server got {framing:?}"));
    }
    for hop in ["Keep-Alive", "Expect", "TE", "Proxy-Connection"] {
        if let Some(value) = head.one(hop)? {
            return Err(format!("{hop}: {value} for ask {id}"));
        }
    }
    let connection = head.one("Connection")?;
    let is_http10 = words[2] == "HTTP/1.0";
    let is_good = match connection {
        None => !is_http10,
        Some("close") => is_http10,
        Some("upgrade") => ask.upgrades && !is_http10,
        Some(_) => false,
    };
    if !is_good {
        return Err(format!("Connection {connection:?} in {}", head.line));
    }
    Ok(())
}

/// An answer in the book, to be sent.
pub fn record(ledger: &mut Ledger, answer: Answer) -> usize {
    ledger.answers.push(answer);
    ledger.answers.len() - 1
}
