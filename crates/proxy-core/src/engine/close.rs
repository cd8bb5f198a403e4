//! The end of an exchange, and of a connection.

use std::rc::Rc;

use super::{Client, Engine, Mode, Step};
use crate::canary::{Canary, is_planted};
use crate::config::model::{ErrorLevel, Lingering, LingeringClose, Notice};
use crate::connection::{Kin, State};
use crate::downstream::ClientNext;
use crate::exchange::Exchange;
use crate::fault::Fault;
use crate::net::{Net, Read, Socket};
use crate::upstream::address::Address;

/// How long a connection without a request is kept once no more are accepted: its first request,
/// or one that it was told it might send, may be on its way.
const LAST_REQUEST_GRACE_MS: u64 = 1_000;

impl<N: Net> Engine<N> {
    /// Whether nothing of the answer waits any more, or nobody is there to take it.
    pub(super) fn is_flushed(&self, client: &Client<N>) -> bool {
        let gives_up = client.exchange.as_ref().is_some_and(|exchange| {
            matches!(exchange.client_next(), ClientNext::Abort | ClientNext::Reset)
        });
        gives_up || !client.stream.is_blocked() || client.stream.is_broken()
    }

    /// The exchange is over and all of it is sent: its line is written, and the connection goes on.
    pub(super) fn finish(&mut self, client: &mut Client<N>) -> Step {
        self.drop_link(client);
        self.drop_part(client);
        let Some(mut exchange) = client.exchange.take() else { return Step::Close };
        debug_assert!(exchange.is_complete());
        if exchange.request.at.generation().tells_paths() {
            exchange.request.client.path = client.stream.socket().and_then(|socket| socket.path());
        }
        if exchange.is_part() {
            exchange.tell_part(self.now);
        }
        self.output.lines.append(&mut exchange.down.errands.lines);
        // In the order of the events: what rewriting came to, then how it failed.
        self.tell_notes(&mut exchange);
        self.tell_faults(&exchange);
        if client.kin != Kin::Client {
            return self.finish_subrequest(client.kin, exchange);
        }
        self.count(&exchange);
        // It may give way from now on.
        self.room.look_again_ms = 0;
        let next = exchange.client_next();
        let has_announced_end = exchange.fault().is_none() && !exchange.request.head.persistent();
        let keepalive_ms = exchange.location().client.keepalive.timeout_ms;
        let lingering = exchange.location().client.lingering;
        self.give_back(exchange);
        if !Rc::ptr_eq(client.at.generation(), &self.generation) {
            // The connection does not hold a configuration longer than its requests do.
            self.update_place(client);
        }
        client.state = State::Idle { until_ms: self.now.ms.saturating_add(keepalive_ms) };
        client.since_ms = self.now.ms;
        match next {
            ClientNext::KeepAlive
                if is_planted(Canary::PromiseBroken) && self.mode != Mode::Serving =>
            {
                Step::Close
            }
            ClientNext::KeepAlive => {
                if self.mode == Mode::Finishing {
                    client.state = State::Idle { until_ms: self.now.ms + LAST_REQUEST_GRACE_MS };
                }
                Step::Progress
            }
            ClientNext::Close if lingering.close == LingeringClose::Off => Step::Close,
            ClientNext::Close if is_planted(Canary::NoLinger) => Step::Close,
            ClientNext::Close if client.stream.is_broken() => Step::Close,
            ClientNext::Close if client.stream.is_read_to_end() => Step::Close,
            ClientNext::Close if has_announced_end && lingering.close == LingeringClose::On => {
                self.close_or_linger(client, lingering)
            }
            ClientNext::Close => self.linger(client, lingering),
            ClientNext::Abort => Step::Close,
            ClientNext::Reset => {
                client.stream.socket().map(Socket::reset_when_dropped);
                Step::Close
            }
        }
    }

    /// Nobody's connection ends with its exchange.
    fn finish_subrequest(&mut self, kin: Kin, exchange: Box<Exchange>) -> Step {
        if let Kin::Part { of } = kin {
            self.end_part(of, exchange.down.sent.is_whole);
        }
        self.give_back(exchange);
        Step::Close
    }

    /// A client's exchange is over: its lines, and what is counted of it.
    fn count(&mut self, exchange: &Exchange) {
        if exchange.fault().is_none() || !is_planted(Canary::FailureUnlogged) {
            self.push_log_lines(exchange);
        }
        if is_planted(Canary::LoggedTwice) {
            self.push_log_lines(exchange);
        }
        let response = &exchange.down.response;
        let counters = &mut self.output.counters;
        counters.count_request(response.status, response.source);
        counters.retries += exchange.retries();
        counters.connections_idle += 1;
        self.output.left_unpacked += u64::from(response.packing.is_left_unpacked);
    }

    /// A client that has said that this request is its last sends nothing more, as a rule. Once all
    /// of the answer has arrived at its system nothing can be lost to one that does.
    fn close_or_linger(&mut self, client: &mut Client<N>, lingering: Lingering) -> Step {
        let is_silent = client.stream.unread.is_empty() && !client.stream.is_readable();
        if is_silent && client.stream.socket().is_some_and(Socket::is_delivered) {
            return Step::Close;
        }
        self.linger(client, lingering)
    }

    fn linger(&mut self, client: &mut Client<N>, lingering: Lingering) -> Step {
        client.stream.unread = Vec::new();
        client.stream.end_writing();
        client.state = State::Lingering {
            until_ms: self.now.ms.saturating_add(lingering.time_ms),
            quiet_ms: self.now.ms.saturating_add(lingering.timeout_ms),
            timeout_ms: lingering.timeout_ms,
        };
        Step::Progress
    }

    /// Reads away what a client still sends after its answer.
    pub(super) fn step_lingering(&mut self, client: &mut Client<N>) -> Step {
        match client.stream.read(&mut self.buffers.scratch) {
            Read::Bytes(_) => {
                if let State::Lingering { quiet_ms, timeout_ms, .. } = &mut client.state {
                    *quiet_ms = self.now.ms.saturating_add(*timeout_ms);
                }
                Step::Progress
            }
            Read::Nothing => Step::Wait,
            Read::End | Read::Broken(_) => Step::Close,
        }
    }

    /// Closes the connection.
    pub(super) fn dismiss(&mut self, mut client: Box<Client<N>>) {
        self.drop_link(&mut client);
        self.release_head(&mut client);
        debug_assert!(client.exchange.is_none(), "every exchange is logged");
        self.timers.leave(client.key);
        self.clients.release(client.key);
        match client.kin {
            Kin::Client | Kin::Whole { .. } => {}
            Kin::Mirror { held_bytes } => return self.room.mirrors.release(held_bytes),
            Kin::Part { .. } => return self.room.parts -= 1,
        }
        let counters = &mut self.output.counters;
        debug_assert!(
            counters.connections > 0 && counters.connections_idle <= counters.connections
        );
        counters.connections -= 1;
        if client.state != State::Active {
            counters.connections_idle -= 1;
            counters.heads -= u64::from(matches!(client.state, State::Head { .. }));
        }
    }

    /// Idle connections have had their time once no more are accepted.
    pub(super) fn hurry(&mut self) {
        let until_max = self.now.ms + LAST_REQUEST_GRACE_MS;
        let all: Vec<_> = self.clients.iter().map(|(key, _)| key).collect();
        for key in all {
            let Some(client) = self.clients.get_mut(key) else { continue };
            if let State::Idle { until_ms } | State::Preface { until_ms } = &mut client.state {
                *until_ms = (*until_ms).min(until_max);
                let deadline = *until_ms;
                self.timers.enter(key, deadline);
            }
        }
    }

    fn push_log_lines(&mut self, exchange: &Exchange) {
        exchange.view(self.now).push_log_lines(&mut self.output.lines);
    }

    /// Says why a request failed, and which servers were passed over for it.
    fn tell_faults(&mut self, exchange: &Exchange) {
        if matches!(exchange.fault(), Some(Fault::Client(_))) {
            self.output.counters.rejected += 1;
        }
        let mut passed_over = exchange.passed_over();
        // The last of them may be the exchange's own fault, which is told below.
        if let Some(((last, _), others)) = passed_over.split_last()
            && exchange.fault() == Some(Fault::Upstream(*last))
        {
            passed_over = others;
        }
        for (fault, address) in passed_over {
            self.tell_fault(exchange, Fault::Upstream(*fault), address.as_ref());
        }
        if let Some(fault) = exchange.fault() {
            let address = exchange.attempts.iter().next_back().and_then(|one| one.address.as_ref());
            self.tell_fault(exchange, fault, address);
        }
    }

    /// What the request has noted for the error log. What it holds of zones is given back.
    fn tell_notes(&mut self, exchange: &mut Exchange) {
        let values = exchange.request.values.get_mut();
        values.let_go();
        for (level, note) in values.take_notes() {
            let text = self.about(exchange, &note);
            self.note(exchange, level, text);
        }
    }

    /// A line of the error log about a request.
    fn about(&self, exchange: &Exchange, what: &str) -> String {
        let request = &exchange.request;
        let line = String::from_utf8_lossy(request.line());
        let mut text = format!(
            "{what}, client: {}, server: {}, request: {line:?}",
            request.client.remote.ip().to_canonical(),
            String::from_utf8_lossy(&request.at.server(request.place).name),
        );
        if exchange.request.course.is_sub() {
            let path = String::from_utf8_lossy(&request.uri.path);
            text.push_str(&format!(", subrequest: {path:?}"));
        }
        text
    }

    fn tell_fault(&mut self, exchange: &Exchange, fault: Fault, address: Option<&Address>) {
        let level = fault.level();
        if fault == Fault::ClientLeft {
            return;
        }
        let Some(others) = self.output.throttle.allow(fault, self.now.ms) else { return };
        let mut text = self.about(exchange, &exchange.words(fault));
        text.push_str(&format!(", status: {}", exchange.down.response.status));
        if let Some(address) = address {
            text.push_str(&format!(", upstream: {address}"));
        }
        if others > 0 {
            text.push_str(&format!(" ({others} more of this kind since the last)"));
        }
        self.note(exchange, level, text);
    }

    /// A line for the error log of the request's location.
    fn note(&mut self, exchange: &Exchange, level: ErrorLevel, text: String) {
        let logs = exchange.location().logs.errors.clone();
        self.output.notices.push(Notice { level, text, logs });
    }
}
