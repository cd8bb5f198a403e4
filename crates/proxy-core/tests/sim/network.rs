//! TCP as the proxy meets it, without a system: connections with latency and bounded room, ends
//! and resets, a queue of what is to happen, and readiness reported by its edges as epoll does.
//!
//! It knows nothing of HTTP. What oracles want to know of a connection is noted in [`Seen`].

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::SocketAddr;

use proxy_core::net::{Readiness, Token};

use crate::conn::{End, Packet, Way};
use crate::prng::Prng;
use crate::trace;

pub use crate::conn::{Conn, Millis, Party, Seen, Stage};

/// What comes next in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Happening {
    /// Something of this sender arrives.
    Arrives(usize, Party),
    /// A begun connect of the proxy ends.
    Connects(usize),
    /// A client's connection reaches the listener.
    Knocks(usize),
    /// An actor has something to do.
    Wakes(usize),
}

/// What an actor's read came to.
#[derive(Debug, PartialEq, Eq)]
pub enum Got {
    Bytes(Vec<u8>),
    Nothing,
    End,
    Reset,
}

/// All connections.
pub struct Network {
    pub now: Millis,
    pub conns: Vec<Conn>,
    /// The generation that the worker at work has in force.
    pub generation: usize,
    /// Bytes and ends that have moved.
    pub moved: u64,
    pub latency_max: Millis,
    pub room: (u64, u64),
    /// A reset takes away what the actor has not read yet.
    pub discards: bool,
    pub rng: Prng,
    pub pending: Vec<Vec<usize>>,
    pub faults: Vec<String>,
    queue: BinaryHeap<Reverse<(Millis, u64, Happening)>>,
    order: u64,
}

impl Network {
    pub fn new(rng: Prng, workers: usize) -> Network {
        Network {
            now: 0,
            conns: Vec::new(),
            generation: 0,
            moved: 0,
            latency_max: 3,
            room: (64 << 10, 256 << 10),
            discards: false,
            rng,
            pending: vec![Vec::new(); workers],
            faults: Vec::new(),
            queue: BinaryHeap::new(),
            order: 0,
        }
    }

    pub fn at(&mut self, when: Millis, what: Happening) {
        self.order += 1;
        self.queue.push(Reverse((when.max(self.now), self.order, what)));
    }

    pub fn next_due(&self) -> Option<Millis> {
        self.queue.peek().map(|Reverse((at, _, _))| *at)
    }

    /// What is due now, in order. Arrivals are dealt with here and give nothing.
    pub fn pop_due(&mut self) -> Option<Happening> {
        loop {
            let Reverse((at, _, _)) = self.queue.peek()?;
            if *at > self.now {
                return None;
            }
            let Reverse((at, _, what)) = self.queue.pop()?;
            match what {
                Happening::Arrives(conn, sender) => self.arrive(conn, sender),
                // An earlier one has taken its place: whoever is woken says again when next.
                Happening::Wakes(conn) if self.conns[conn].wakes != Some(at) => continue,
                Happening::Wakes(conn) => self.conns[conn].wakes = None,
                _ => {}
            }
            return Some(what);
        }
    }

    pub fn wake(&mut self, conn: usize, when: Millis) {
        let when = when.max(self.now);
        if self.conns[conn].wakes.is_none_or(|at| at > when) {
            self.conns[conn].wakes = Some(when);
            self.at(when, Happening::Wakes(conn));
        }
    }

    /// A new connection that nobody has accepted yet.
    pub fn connect(&mut self, remote: SocketAddr, local: SocketAddr, is_client: bool) -> usize {
        let latency = (1, self.rng.between(1, self.latency_max));
        let mut way = || Way {
            room_max: self.rng.between(self.room.0, self.room.1) as usize,
            ..Way::default()
        };
        let ways = [way(), way()];
        self.conns.push(Conn {
            stage: Stage::Connecting,
            remote,
            local,
            is_client,
            worker: 0,
            seen: Seen::default(),
            ways,
            ends: [End::default(), End::default()],
            watch: None,
            is_pending: false,
            latency,
            wakes: None,
        });
        self.conns.len() - 1
    }

    fn latency(&mut self, conn: usize) -> Millis {
        let (low, high) = self.conns[conn].latency;
        self.rng.between(low, high)
    }

    fn put(&mut self, conn: usize, sender: Party, packet: Packet) {
        let due = self.now + self.latency(conn);
        let way = &mut self.conns[conn].ways[sender as usize];
        let due = due.max(way.last_due);
        way.last_due = due;
        if let Packet::Data(data) = &packet {
            way.flight_bytes += data.len();
        }
        way.flight.push_back((due, packet));
        self.at(due, Happening::Arrives(conn, sender));
    }

    fn arrive(&mut self, conn: usize, sender: Party) {
        let receiver = sender.other();
        let now = self.now;
        let way = &mut self.conns[conn].ways[sender as usize];
        let Some((due, _)) = way.flight.front() else { return };
        if *due > now {
            return;
        }
        let Some((_, packet)) = way.flight.pop_front() else { return };
        trace(|| match &packet {
            Packet::Data(data) => format!("c{conn} {} bytes reach {receiver:?}", data.len()),
            other => format!("c{conn} {other:?} reaches {receiver:?}"),
        });
        let proxy_sent = self.conns[conn].sent(Party::Proxy);
        let Conn { ways, ends, seen, .. } = &mut self.conns[conn];
        let (way, end) = (&mut ways[sender as usize], &mut ends[receiver as usize]);
        let (is_closed, is_gone) = (end.closed.is_some(), end.is_gone);
        match packet {
            Packet::Data(data) => {
                way.flight_bytes -= data.len();
                if is_closed && !is_gone {
                    return self.send_reset(conn, receiver);
                }
                if !is_closed && !is_gone {
                    way.arrived_bytes += data.len() as u64;
                    way.arrived.extend(data);
                    let is_unasked = seen.unasked_from.is_some_and(|at| way.arrived_bytes > at);
                    if sender == Party::Actor && is_unasked {
                        seen.sent_at_unasked.get_or_insert(proxy_sent);
                    }
                }
            }
            Packet::Fin if is_closed || is_gone => {}
            Packet::Fin => way.has_end = true,
            Packet::Reset if is_closed || is_gone => end.is_gone = true,
            Packet::Reset => {
                (end.error, end.is_gone) = (Some(104), true);
                if receiver == Party::Actor && self.discards {
                    way.arrived.clear();
                }
                let back = &mut ways[receiver as usize];
                back.flight.clear();
                back.flight_bytes = 0;
            }
        }
        let conn_now = &mut self.conns[conn];
        let end = &conn_now.ends[receiver as usize];
        if receiver == Party::Proxy && (end.is_gone || conn_now.ways[0].has_end) {
            conn_now.seen.sent_at_end.get_or_insert(proxy_sent);
        }
        match receiver {
            Party::Proxy => self.edge(conn),
            Party::Actor => self.wake(conn, now),
        }
    }

    /// What is on its way may be lost with it, from some place on.
    fn send_reset(&mut self, conn: usize, party: Party) {
        trace(|| format!("c{conn} {party:?} sends a reset"));
        let len = self.conns[conn].ways[party as usize].flight.len();
        let kept = self.rng.index(len + 1);
        let now = self.now;
        let Conn { ways, ends, seen, .. } = &mut self.conns[conn];
        ends[party as usize].ended.get_or_insert(now);
        let way = &mut ways[party as usize];
        way.flight.truncate(kept);
        let bytes = way.flight.iter().map(|(_, packet)| match packet {
            Packet::Data(data) => data.len(),
            _ => 0,
        });
        way.flight_bytes = bytes.sum();
        ends[party as usize].is_gone = true;
        seen.has_reset |= party == Party::Proxy;
        self.put(conn, party, Packet::Reset);
    }

    /// Something has changed at the proxy's end: it is reported once.
    pub fn edge(&mut self, conn: usize) {
        let one = &mut self.conns[conn];
        let is_open = one.ends[Party::Proxy as usize].closed.is_none();
        if one.watch.is_some() && is_open && !one.is_pending {
            one.is_pending = true;
            self.pending[one.worker].push(conn);
        }
    }

    /// Takes the report of a connection; nothing if there is nothing to say any more.
    pub fn report(&mut self, conn: usize) -> Option<(Token, Readiness)> {
        let one = &mut self.conns[conn];
        one.is_pending = false;
        let token = one.watch.filter(|_| one.closed(Party::Proxy).is_none())?;
        let mask = one.mask();
        if !mask.writable {
            one.ends[Party::Proxy as usize].wants_room = true;
        }
        let is_empty = !mask.readable && !mask.writable && !mask.ended && !mask.broken;
        (!is_empty).then_some((token, mask))
    }

    /// The report reaches the engine.
    pub fn note_report(&mut self, conn: usize, mask: Readiness) {
        let one = &mut self.conns[conn];
        let sent = one.sent(Party::Proxy);
        if mask.ended {
            one.seen.sent_at_end_report.get_or_insert(sent);
        }
        let arrived = one.ways[Party::Actor as usize].arrived_bytes;
        if mask.readable && one.seen.unasked_from.is_some_and(|at| arrived > at) {
            one.seen.sent_at_unasked_report.get_or_insert(sent);
        }
    }

    pub fn watch(&mut self, conn: usize, worker: usize, token: Token) {
        let one = &mut self.conns[conn];
        (one.watch, one.worker) = (Some(token), worker);
        if one.stage != Stage::Connecting {
            self.edge(conn);
        }
    }

    /// The proxy's connect has ended.
    pub fn end_connect(&mut self, conn: usize, refusal: Option<i32>) {
        let one = &mut self.conns[conn];
        if one.closed(Party::Proxy).is_some() {
            return;
        }
        match refusal {
            None => one.stage = Stage::Open,
            Some(cause) => {
                one.stage = Stage::Refused(cause);
                let end = &mut one.ends[Party::Proxy as usize];
                (end.error, end.is_gone) = (Some(cause), true);
            }
        }
        self.edge(conn);
    }

    /// Bytes that the party's peer sent; `most` at once.
    pub fn read(&mut self, conn: usize, party: Party, most: usize) -> Got {
        let generation = self.generation;
        let now = self.now;
        let Conn { ways, ends, seen, stage, .. } = &mut self.conns[conn];
        let (way, end) = (&mut ways[party.other() as usize], &mut ends[party as usize]);
        if party == Party::Actor && matches!(stage, Stage::Refused(_)) {
            return Got::Reset;
        }
        if way.arrived.is_empty() {
            let got = match end.error.take() {
                Some(_) => Got::Reset,
                None if way.has_end || end.is_gone => Got::End,
                None => return Got::Nothing,
            };
            if party == Party::Proxy {
                seen.read_end |= got == Got::End && !end.is_gone;
                seen.broke |= got == Got::Reset;
            }
            self.moved += 1;
            return got;
        }
        let count = way.arrived.len().min(most);
        let bytes: Vec<u8> = way.arrived.drain(..count).collect();
        way.taken += count as u64;
        self.moved += count as u64;
        let taken = way.taken;
        if party == Party::Proxy {
            seen.reads.push((taken, now, generation));
            if seen.unasked_from.is_some_and(|at| taken > at) {
                seen.sent_at_unasked_report.get_or_insert(ways[Party::Proxy as usize].sent);
            }
        }
        self.tell_of_room(conn, party.other());
        Got::Bytes(bytes)
    }

    fn tell_of_room(&mut self, conn: usize, sender: Party) {
        let one = &mut self.conns[conn];
        let way = &one.ways[sender as usize];
        if !one.ends[sender as usize].wants_room || way.room() * 3 < way.room_max {
            return;
        }
        one.ends[sender as usize].wants_room = false;
        let when = self.now + self.latency(conn);
        match sender {
            Party::Proxy => self.edge(conn),
            Party::Actor => self.wake(conn, when),
        }
    }

    /// Writes what there is room for. The error is the system's number.
    pub fn write(&mut self, conn: usize, party: Party, bytes: &[u8]) -> Result<usize, i32> {
        let now = self.now;
        let Conn { ways, ends, seen, .. } = &mut self.conns[conn];
        let (way, end) = (&mut ways[party as usize], &mut ends[party as usize]);
        if end.closed.is_some() || way.is_ended {
            if party == Party::Proxy {
                self.faults.push(format!("c{conn}: bytes behind the proxy's own end"));
            }
            return Err(32);
        }
        if end.is_gone || end.error.is_some() {
            if party == Party::Proxy {
                seen.broke = true;
            }
            return Err(end.error.take().unwrap_or(32));
        }
        let count = way.room().min(bytes.len());
        if count < bytes.len() {
            end.wants_room = true;
            seen.was_blocked |= party == Party::Proxy;
        }
        if count == 0 {
            return Ok(0);
        }
        way.sent += count as u64;
        self.moved += count as u64;
        if party == Party::Proxy {
            let sent = way.sent;
            seen.writes.push((sent, now, self.moved));
        }
        let pieces = self.rng.between(1, 3) as usize;
        for piece in bytes[..count].chunks(count.div_ceil(pieces)) {
            self.put(conn, party, Packet::Data(piece.to_vec()));
        }
        Ok(count)
    }

    /// Nothing more comes from the party.
    pub fn end(&mut self, conn: usize, party: Party) {
        let now = self.now;
        let one = &mut self.conns[conn];
        one.ends[party as usize].ended.get_or_insert(now);
        let is_dead = one.is_gone(party) || one.closed(party).is_some();
        if !std::mem::replace(&mut one.ways[party as usize].is_ended, true) && !is_dead {
            self.moved += 1;
            self.put(conn, party, Packet::Fin);
        }
    }

    pub fn reset_on_close(&mut self, conn: usize, party: Party) {
        self.conns[conn].ends[party as usize].resets_on_close = true;
    }

    /// Closes an end. As Linux does: with bytes unread it is a reset.
    pub fn close(&mut self, conn: usize, party: Party) {
        let now = self.now;
        let one = &mut self.conns[conn];
        if one.closed(party).is_some() {
            return;
        }
        trace(|| format!("c{conn} {party:?} closes"));
        self.moved += 1;
        let end = &mut one.ends[party as usize];
        end.closed = Some(now);
        end.ended.get_or_insert(now);
        let input = &mut one.ways[party.other() as usize];
        let has_unread = !input.arrived.is_empty();
        input.arrived.clear();
        if end.is_gone || matches!(one.stage, Stage::Connecting | Stage::Refused(_)) {
            return;
        }
        if has_unread || end.resets_on_close {
            return self.send_reset(conn, party);
        }
        if !std::mem::replace(&mut one.ways[party as usize].is_ended, true) {
            self.put(conn, party, Packet::Fin);
        }
    }

    /// Whether the proxy's end has nothing to read and is open, as far as has arrived.
    pub fn is_quiet(&self, conn: usize) -> bool {
        !self.conns[conn].mask().readable
    }

    /// Whether the party has bytes to read.
    pub fn has_bytes(&self, conn: usize, party: Party) -> bool {
        !self.conns[conn].ways[party.other() as usize].arrived.is_empty()
    }

    /// Whether all that the proxy wrote has reached the actor's system.
    pub fn is_delivered(&self, conn: usize) -> bool {
        self.conns[conn].ways[Party::Proxy as usize].flight_bytes == 0
    }

    /// How a begun connect of the proxy has ended.
    pub fn connect_result(&mut self, conn: usize) -> Result<(), i32> {
        if self.conns[conn].stage == Stage::Connecting {
            self.faults.push(format!("c{conn}: the result of a connect was asked for too early"));
        }
        self.conns[conn].ends[Party::Proxy as usize].error.take().map_or(Ok(()), Err)
    }
}
