//! A client: writes what its script says, reads what comes, and holds it against the book.

use std::collections::VecDeque;

use crate::files;
use crate::ledger::{Got as GotAnswer, Ledger};
use crate::network::{Got, Millis, Network, Party};
use crate::parts;
use crate::pattern::{self, Owner};
use crate::reader::{Framing, Item, Reader, Role};
use crate::site::Place;
use crate::trace;
use crate::unpack::Unpacker;

/// One thing that a client does.
#[derive(Clone, Debug)]
pub enum Step {
    Send(Vec<u8>),
    Wait(Millis),
    /// Until so many answers are whole.
    Answers(usize),
    /// Until `100 Continue` or an answer comes for the nth request, at most for a time.
    Continue(usize, Millis),
    /// Until the nth request is a tunnel; the rest of the script is left out if it is none.
    Tunnel(usize),
    /// Reads nothing for a time.
    Deaf(Millis),
    Fin,
    Close,
    Reset,
    /// Until the proxy ends the connection.
    Hold,
}

/// How it goes about it.
#[derive(Clone, Copy, Debug)]
pub struct Temper {
    pub write_max: usize,
    pub read_max: usize,
    /// Between two writes, and between two reads.
    pub gap_ms: Millis,
    /// Stops its script where an answer says that the connection closes.
    pub obeys: bool,
}

/// What a client did that excuses the proxy for what it did not get.
#[derive(Clone, Copy, Debug, Default)]
pub struct Conduct {
    /// Ended its stream, closed, or reset, before it had all it asked for.
    pub left: bool,
    /// Kept the proxy waiting for bytes for long, or for room.
    pub dawdled: bool,
    pub was_deaf: bool,
    /// Left out what it had to say before its first request.
    pub says_nothing: bool,
}

pub struct Client {
    pub conn: usize,
    pub asks: Vec<usize>,
    pub conduct: Conduct,
    /// The ask whose answer is awaited, as an index into `asks`.
    pub at: usize,
    pub script: VecDeque<Step>,
    pub temper: Temper,
    /// What the connection has come to.
    pub is_over: bool,
    pub was_reset: bool,
    pub got_end: bool,
    told_close: bool,
    is_tunnel: bool,
    reader: Reader,
    next_step_ms: Millis,
    next_read_ms: Millis,
    waits_since: Option<Millis>,
    own_body: Vec<u8>,
    /// Reads the content, where it is packed.
    unpacker: Option<Unpacker>,
}

impl Client {
    pub fn new(conn: usize, asks: Vec<usize>, script: VecDeque<Step>, temper: Temper) -> Client {
        Client {
            conn,
            asks,
            conduct: Conduct::default(),
            at: 0,
            script,
            temper,
            is_over: false,
            was_reset: false,
            got_end: false,
            told_close: false,
            is_tunnel: false,
            reader: Reader::new(Role::Answers),
            next_step_ms: 0,
            next_read_ms: 0,
            waits_since: None,
            own_body: Vec::new(),
            unpacker: None,
        }
    }

    /// Goes on as far as it can.
    pub fn act(&mut self, net: &mut Network, ledger: &mut Ledger) {
        if self.is_over {
            return;
        }
        self.read(net, ledger);
        while !self.is_over && self.step(net, ledger) {}
    }

    fn read(&mut self, net: &mut Network, ledger: &mut Ledger) {
        while !self.is_over {
            if self.next_read_ms > net.now {
                return net.wake(self.conn, self.next_read_ms);
            }
            match net.read(self.conn, Party::Actor, self.temper.read_max) {
                Got::Nothing => return,
                Got::Bytes(bytes) => {
                    trace(|| format!("c{} client reads {} bytes", self.conn, bytes.len()));
                    self.reader.push(&bytes);
                    if let Err(wrong) = self.follow(ledger) {
                        ledger.fail(format!("c{}: {wrong}", self.conn));
                        return self.finish(net);
                    }
                    if self.temper.gap_ms > 0 {
                        self.next_read_ms = net.now + net.rng.below(self.temper.gap_ms + 1);
                    }
                }
                Got::End if self.is_tunnel => {
                    // The other way is still open.
                    if !self.got_end {
                        self.end(ledger, false);
                    }
                    return;
                }
                Got::End => {
                    // A write may have met the reset before.
                    let is_reset = net.conns[self.conn].is_gone(Party::Actor);
                    self.end(ledger, is_reset);
                    return self.finish(net);
                }
                Got::Reset => {
                    self.end(ledger, true);
                    return self.finish(net);
                }
            }
        }
    }

    fn finish(&mut self, net: &mut Network) {
        self.is_over = true;
        net.close(self.conn, Party::Actor);
    }

    fn ask(&self) -> Option<usize> {
        self.asks.get(self.at).copied()
    }

    fn follow(&mut self, ledger: &mut Ledger) -> Result<(), String> {
        loop {
            let ask = self.ask();
            let is_head = ask.is_some_and(|ask| ledger.asks[ask].method == "HEAD");
            match self.reader.next(is_head)? {
                None => return Ok(()),
                Some(Item::Head(head, framing)) => self.head(ask, head, framing, ledger)?,
                Some(Item::Data(at, data)) => self.data(ask, at, &data, ledger)?,
                Some(Item::End(place)) => self.whole(ask, place, ledger)?,
            }
        }
    }

    fn head(
        &mut self,
        ask: Option<usize>,
        head: crate::reader::Head,
        framing: Framing,
        ledger: &mut Ledger,
    ) -> Result<(), String> {
        let status = head.status();
        trace(|| format!("c{} client gets {status} for {ask:?} {framing:?}", self.conn));
        if self.told_close {
            return Err(format!("{status} after an answer that said close"));
        }
        let ask = ask.ok_or(format!("{status} without a request"))?;
        let record = &mut ledger.asks[ask];
        if status == 100 {
            record.continues += 1;
            let is_due = record.expects && record.continues == 1 && record.got.is_none();
            return if is_due {
                Ok(())
            } else {
                Err(format!("100 that ask {ask} does not expect"))
            };
        }
        if status < 200 && status != 101 {
            return Err(format!("interim {status} is passed on"));
        }
        let connection = head.one("Connection")?.unwrap_or("none").to_owned();
        let keeps = match (status, connection.as_str()) {
            (101, "upgrade") if record.upgrades => {
                self.is_tunnel = true;
                self.reader.leave_http();
                false
            }
            (101, _) => return Err(format!("101 with {connection} for ask {ask}")),
            (_, "keep-alive") => true,
            (_, "close") => false,
            _ => return Err(format!("Connection: {connection} in {head:?}")),
        };
        let number = |name: &str| -> Result<Option<usize>, String> {
            let value = head.one(name)?;
            value.map(|text| text.parse().map_err(|_| format!("{name}: {text}"))).transpose()
        };
        let answer = number("X-Answer")?;
        let is_packed = head.one("Content-Encoding")? == Some("gzip");
        self.unpacker = is_packed.then(Unpacker::new);
        if is_packed && matches!(framing, Framing::Length(_)) {
            return Err(format!("what is packed has a length: {head:?}"));
        }
        if let Some(id) = answer {
            let is_changed = is_packed || ledger.asks[ask].place == Place::Uri;
            check_head(ask, id, &head, (framing, is_changed), ledger)?;
        }
        let mark = head.one("X-Place")?.map(str::to_owned);
        let place = mark.as_deref().map(parse_mark).transpose()?;
        ledger.asks[ask].got = Some(GotAnswer {
            status,
            answer,
            place,
            keeps,
            framing,
            body: 0,
            is_whole: status == 101,
            cut: None,
            start: head.start,
            end: head.end,
        });
        self.own_body.clear();
        self.told_close = !keeps && framing == Framing::None && status != 101;
        Ok(())
    }

    fn data(
        &mut self,
        ask: Option<usize>,
        at: u64,
        data: &[u8],
        ledger: &mut Ledger,
    ) -> Result<(), String> {
        let ask = ask.ok_or("content without a request")?;
        if self.is_tunnel {
            let record = &mut ledger.asks[ask];
            record.tunnel_down.0 += data.len() as u64;
            return pattern::check(Owner::TunnelDown(ask), at, data);
        }
        let unpacked;
        let (mut at, mut data) = (at, data);
        if let Some(unpacker) = &mut self.unpacker {
            at = unpacker.count;
            unpacked = unpacker.push(data)?;
            data = &unpacked;
        }
        let is_file = ledger.asks[ask].place == Place::File;
        let Some(got) = &mut ledger.asks[ask].got else { return Err("no head".to_owned()) };
        got.body += data.len() as u64;
        match got.answer {
            Some(answer) => ledger.check_answer(answer, at, data),
            None if got.status == 200 && is_file => {
                return pattern::check(Owner::File(ask), at, data);
            }
            None => self.own_body.extend_from_slice(data),
        }
        Ok(())
    }

    fn whole(&mut self, ask: Option<usize>, place: u64, ledger: &mut Ledger) -> Result<(), String> {
        let ask = ask.ok_or("an end without a request")?;
        let record = &mut ledger.asks[ask];
        // What ends an interim answer.
        let Some(got) = &mut record.got else { return Ok(()) };
        got.is_whole = true;
        got.end = place;
        if let Some(unpacker) = self.unpacker.take().filter(|_| got.framing != Framing::None) {
            unpacker.end().map_err(|wrong| format!("ask {ask}: {wrong}"))?;
        }
        self.told_close = !got.keeps;
        trace(|| format!("c{} answer to ask {ask} is whole", self.conn));
        if got.answer.is_none() && got.status == 200 && record.place == Place::Own {
            let expected = format!("own {}", record.target);
            let is_good = record.method == "HEAD" || self.own_body == expected.as_bytes();
            if !is_good {
                let body = String::from_utf8_lossy(&self.own_body);
                return Err(format!("{body:?} in the place of {expected:?}"));
            }
        }
        if got.status == 206 && record.method != "HEAD" {
            parts::check(ask, &record.parts, &self.own_body)?;
        }
        if got.status == 200 && record.place == Place::File && record.method != "HEAD" {
            let size = files::size(ask);
            if got.body != size {
                return Err(format!("{} bytes of a file of {size}", got.body));
            }
        }
        self.at += 1;
        Ok(())
    }

    /// The proxy has ended the connection.
    fn end(&mut self, ledger: &mut Ledger, is_reset: bool) {
        trace(|| format!("c{} client sees the end, reset: {is_reset}", self.conn));
        (self.got_end, self.was_reset) = (!is_reset, is_reset);
        if self.told_close {
            // A head that was given up in its first line was not known to be one of HEAD.
            let last = self.asks.get(self.at.wrapping_sub(1));
            let may_have_body = last.is_some_and(|ask| ledger.asks[*ask].method == "HEAD");
            if !self.reader.rest().is_empty() && !may_have_body {
                ledger.fail(format!("c{}: bytes behind the last answer", self.conn));
            }
            return;
        }
        let Some(ask) = self.ask() else { return };
        if self.is_tunnel {
            ledger.asks[ask].tunnel_ends.1 = !is_reset;
            return;
        }
        let record = &mut ledger.asks[ask];
        let cut = if is_reset { "reset" } else { "end" };
        let Some(got) = record.got.as_mut().filter(|got| !got.is_whole) else {
            if !self.reader.rest().is_empty() {
                record.got = Some(GotAnswer::part_of_head(cut));
            }
            return;
        };
        if self.reader.ends_with_stream() && !is_reset {
            got.is_whole = true;
            got.end = got.start;
            self.at += 1;
            let keeps = got.keeps;
            if let Some(Err(wrong)) = self.unpacker.take().map(|unpacker| unpacker.end()) {
                ledger.fail(format!("ask {ask}: {wrong}"));
            }
            if keeps {
                ledger.fail(format!("ask {ask}: keep-alive, but only the end shows the end"));
            }
            return;
        }
        got.cut = Some(cut);
    }

    /// True if the next one can be tried at once.
    fn step(&mut self, net: &mut Network, ledger: &mut Ledger) -> bool {
        if self.next_step_ms > net.now {
            net.wake(self.conn, self.next_step_ms);
            return false;
        }
        if self.told_close && self.temper.obeys && !self.script.is_empty() {
            self.script = VecDeque::from([Step::Hold]);
        }
        let Some(step) = self.script.front().cloned() else {
            self.conduct.left |= self.at < self.asks.len() && !self.is_tunnel;
            self.finish(net);
            return false;
        };
        match step {
            Step::Send(bytes) => return self.send(bytes, net),
            Step::Wait(ms) => self.next_step_ms = net.now + ms,
            Step::Deaf(ms) => self.next_read_ms = net.now + ms,
            Step::Answers(count) if self.at < count => return false,
            Step::Answers(_) => {}
            Step::Continue(nth, most_ms) => {
                let record = &ledger.asks[self.asks[nth]];
                let since = *self.waits_since.get_or_insert(net.now);
                if record.continues == 0 && record.got.is_none() && net.now < since + most_ms {
                    net.wake(self.conn, since + most_ms);
                    return false;
                }
                self.waits_since = None;
            }
            Step::Tunnel(nth) => {
                if self.at == nth && !self.is_tunnel {
                    return false;
                }
                if !self.is_tunnel {
                    self.script.truncate(1);
                }
            }
            Step::Fin => {
                self.conduct.left |= !self.is_tunnel && self.at < self.asks.len();
                if self.is_tunnel {
                    ledger.asks[self.asks[self.at]].tunnel_ends.0 = true;
                }
                net.end(self.conn, Party::Actor);
            }
            Step::Close => {
                self.conduct.left = true;
                self.finish(net);
            }
            Step::Reset => {
                self.conduct.left = true;
                net.reset_on_close(self.conn, Party::Actor);
                self.finish(net);
            }
            Step::Hold => {
                if self.got_end {
                    self.finish(net);
                }
                return false;
            }
        }
        self.script.pop_front();
        true
    }

    fn send(&mut self, bytes: Vec<u8>, net: &mut Network) -> bool {
        let count = bytes.len().min(self.temper.write_max);
        let done = match net.write(self.conn, Party::Actor, &bytes[..count]) {
            Ok(done) => done,
            Err(_) => {
                // The end is read in its turn.
                self.script = VecDeque::from([Step::Hold]);
                return false;
            }
        };
        self.script.pop_front();
        if done < bytes.len() {
            self.script.push_front(Step::Send(bytes[done..].to_vec()));
        }
        if self.temper.gap_ms > 0 {
            self.next_step_ms = net.now + net.rng.below(self.temper.gap_ms + 1);
        }
        done > 0
    }
}

/// An answer that a client gets is one that an upstream gave to that very request.
fn check_head(
    ask: usize,
    id: usize,
    head: &crate::reader::Head,
    (framing, is_changed): (Framing, bool),
    ledger: &Ledger,
) -> Result<(), String> {
    let status = head.status();
    let Some(answer) = ledger.answers.get(id) else { return Err(format!("no answer {id}")) };
    if answer.ask != ask {
        return Err(format!("the answer to ask {} reaches ask {ask}", answer.ask));
    }
    if status != answer.status || !answer.is_final {
        return Err(format!("{status} for answer {id}, which was {answer:?}"));
    }
    let record = &ledger.asks[ask];
    let has_no_body = status == 101 || record.method == "HEAD" || matches!(status, 204 | 304);
    let is_good = match (framing, answer.framing) {
        (Framing::None, _) => has_no_body,
        (Framing::Length(bytes), Framing::Length(known)) => bytes == known,
        (Framing::Length(_), _) => false,
        (_, Framing::Length(_)) if !is_changed => false,
        (Framing::Chunked, _) => !record.is_http10,
        (Framing::UntilClose, _) => record.is_http10,
    };
    if !is_good {
        return Err(format!("answer {id} in {framing:?}, which was in {:?}", answer.framing));
    }
    let proof = head.one("X-Proof")?;
    if proof != Some(format!("proof-{id}").as_str()) {
        return Err(format!("answer {id} with X-Proof {proof:?}"));
    }
    Ok(())
}

fn parse_mark(mark: &str) -> Result<(usize, usize, String), String> {
    let bad = || format!("X-Place: {mark}");
    let parts: Vec<&str> = mark.split('/').collect();
    let [generation, server, place] = parts.as_slice() else { return Err(bad()) };
    let generation = generation.parse().map_err(|_| bad())?;
    let server = server.strip_prefix('s').and_then(|n| n.parse().ok()).ok_or_else(bad)?;
    Ok((generation, server, (*place).to_owned()))
}
