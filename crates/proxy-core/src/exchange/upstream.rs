//! What upstream servers do.

use http1::{BodyReader, BodyWriter, Parsed};

use super::{Action, Exchange, Out, Phase, Then, pass_of};
use crate::canary::{Canary, is_planted};
use crate::clock::Moment;
use crate::config::model::NextConditions;
use crate::downstream::ClientNext;
use crate::fault::{Fault, UpstreamFault};
use crate::net::Cause;
use crate::response::Context;
use crate::upstream::address::Address;
use crate::upstream::call::Step;
use crate::upstream::link::ServerId;
use crate::upstream::{self, h1};

impl Exchange {
    /// How to get on with connecting; `None` where it is over, and the client has its answer.
    pub fn step(&mut self, now: Moment, out: &mut Out) -> Option<Step> {
        self.wants_connect = false;
        if self.phase != Phase::Connecting {
            return None;
        }
        let generation = self.request.at.generation().clone();
        let mut peers = generation.peers.borrow_mut();
        match self.call.step(generation.config(), &mut peers, &mut self.attempts, now.ms) {
            Step::GiveUp(fault) => {
                self.fail(Fault::Upstream(fault), now, out);
                None
            }
            step => Some(step),
        }
    }

    /// A connect has failed; `step` again.
    pub fn dial_failed(&mut self, fault: UpstreamFault, now: Moment) {
        self.call.dial_failed(fault, &mut self.attempts, now.ms);
        self.wants_connect = true;
    }

    /// No connection can be made for want of something here: no server is to blame.
    pub fn shortage(&mut self, fault: Fault, now: Moment, out: &mut Out) {
        self.call.choice.let_go();
        self.attempts.end(Some(fault.status()), now.ms);
        self.fail(fault, now, out);
    }

    /// A connection to a server is there: the request goes out.
    pub fn attached(
        &mut self,
        server: (ServerId, &Address),
        is_reused: bool,
        now: Moment,
        out: &mut Out,
    ) {
        debug_assert_eq!(self.phase, Phase::Connecting);
        debug_assert!(out.upstream.is_empty(), "the request is the first on its connection");
        let at = self.request.at.clone();
        let Some(pass) = pass_of(at.location(self.request.place)) else { return };
        let mut peers = at.generation().peers.borrow_mut();
        self.call.attached(server, is_reused, &mut peers, &mut self.attempts, now.ms);
        drop(peers);
        let is_first = !self.wire.has_sent && !self.wire.replay.is_ahead();
        self.wire.begin(is_reused, now.ms);
        if is_first && self.wire.replay.own().is_none() {
            let is_worth_keeping = self.may_be_resent(is_reused) || self.may_go_to_named();
            self.wire.replay.begin(is_worth_keeping);
        }
        self.down.since_ms = now.ms;
        self.phase = Phase::Exchanging;
        let view = self.view(now);
        upstream::push_request(&view, pass, self.wire.request_body, &mut out.upstream);
        // The method is `proxy_method`'s, where there is one.
        self.wire.is_head = match pass.fastcgi() {
            None => out.upstream.starts_with(b"HEAD "),
            Some(_) => self.request.method() == b"HEAD",
        };
        self.count_sent(out.upstream.len());
        self.resend_body(out);
        if std::mem::take(&mut self.down.owes_continue) && !self.down.has_request() {
            // RFC 9110 §10.1.1: the client waits for this before it sends its body.
            self.down.push_continue(&mut out.client);
        }
    }

    /// The server has failed before its answer began: the next one is tried, or the client told.
    pub(super) fn upstream_failed(&mut self, fault: UpstreamFault, now: Moment, out: &mut Out) {
        debug_assert!(!self.down.is_begun && self.phase == Phase::Exchanging);
        let held = std::mem::take(&mut self.wire.held_bytes);
        self.count_received(held, 0);
        let resend = self.resend();
        let generation = self.request.at.generation().clone();
        let mut peers = generation.peers.borrow_mut();
        if let Some(id) = self.call.server().filter(|_| resend.is_stale) {
            peers.note_keeping(id, false);
        }
        let place = (generation.config(), &mut *peers);
        let goes_on = self.call.failed(fault, resend, place, &mut self.attempts, now.ms);
        drop(peers);
        if !goes_on {
            return self.fail(Fault::Upstream(fault), now, out);
        }
        out.upstream.clear();
        self.phase = Phase::Connecting;
        self.link_action = Some(Action::DropLink);
        self.wants_connect = true;
    }

    pub(super) fn upstream_bytes(&mut self, bytes: &[u8], now: Moment, out: &mut Out) -> usize {
        self.wire.has_spoken |= !bytes.is_empty();
        if self.wire.fastcgi.is_some() {
            return self.fastcgi_bytes(bytes, now, out);
        }
        let mut used = 0;
        while self.phase == Phase::Exchanging && !self.down.is_begun {
            let rest = bytes.get(used..).unwrap_or_default();
            // Counted when it is used, or when it is known that it will not be.
            self.wire.held_bytes = rest.len();
            match self.answer_head(rest, now, out) {
                0 => return used,
                count => used += count,
            }
        }
        let rest = bytes.get(used..).unwrap_or_default();
        match self.phase {
            Phase::Tunnel { .. } => {
                self.down.since_ms = now.ms;
                self.count_received(rest.len(), 0);
                self.down.sent.body_bytes += rest.len() as u64;
                out.client.extend_from_slice(rest);
                bytes.len()
            }
            Phase::Exchanging => used + self.answer_body(rest, now, out),
            _ => used,
        }
    }

    pub(super) fn count_received(&mut self, bytes: usize, body_bytes: usize) {
        if let Some(attempt) = self.attempts.last() {
            attempt.bytes_received += bytes as u64;
            attempt.body_bytes += body_bytes as u64;
            debug_assert!(attempt.body_bytes <= attempt.bytes_received);
        }
    }

    /// Returns the bytes used; 0 asks for more or means that the exchange has failed.
    fn answer_head(&mut self, bytes: &[u8], now: Moment, out: &mut Out) -> usize {
        let Some(pass) = self.pass() else { return 0 };
        let (bytes_max, is_head) = (h1::head_bytes_max(pass), self.wire.is_head);
        match http1::parse_response(bytes, bytes_max, is_head, &mut self.wire.head) {
            Parsed::NeedMore => 0,
            Parsed::Reject(reject) => {
                self.upstream_failed(UpstreamFault::Malformed(reject), now, out);
                0
            }
            Parsed::Done { used, .. } => {
                self.wire.held_bytes = bytes.len() - used;
                self.count_received(used, 0);
                let head = bytes.get(..used).unwrap_or_default();
                match self.wire.head.status {
                    101 if self.is_upgrade_asked() => self.begin_tunnel(head, now, out),
                    101 => {
                        self.upstream_failed(UpstreamFault::UnaskedUpgrade, now, out);
                        return 0;
                    }
                    // RFC 9110 §15.2: an interim answer; the client was told to go on already.
                    100..=199 => {}
                    _ => {
                        let rest = bytes.get(used..).unwrap_or_default();
                        return used + self.begin_answer((head, rest), now, out);
                    }
                }
                used
            }
        }
    }

    /// A body that is under way cannot turn into a tunnel.
    fn is_upgrade_asked(&self) -> bool {
        let is_passed_on = self.pass().is_some_and(|pass| pass.http11);
        is_passed_on && self.down.has_request() && self.request.upgrade().is_some()
    }

    fn note_answer(&mut self) {
        let generation = self.request.at.generation().clone();
        if let Some(id) = self.call.server() {
            let mut peers = generation.peers.borrow_mut();
            peers.succeeded(id);
            if self.wire.is_reused {
                peers.note_keeping(id, true);
            }
        }
        let status = self.wire.head.status;
        if let Some(attempt) = self.attempts.last() {
            attempt.status = Some(status);
        }
    }

    fn begin_tunnel(&mut self, head: &[u8], now: Moment, out: &mut Out) {
        self.note_head_time(now);
        self.note_answer();
        self.take_answer_head(head, true);
        self.send_answer_head(true, now, out);
        self.down.sent.is_whole = true;
        self.phase = Phase::Tunnel { client_ended: false, upstream_ended: false };
    }

    /// Returns how many bytes of what follows the head are used already.
    pub(super) fn begin_answer(
        &mut self,
        (head, rest): (&[u8], &[u8]),
        now: Moment,
        out: &mut Out,
    ) -> usize {
        let status = self.wire.head.status;
        debug_assert!(status >= 200, "interim answers are none");
        self.note_head_time(now);
        if NextConditions::for_status(status).is_some()
            && self.call.would_try_next(status, self.resend(), now.ms)
        {
            self.upstream_failed(UpstreamFault::Status(status), now, out);
            return 0;
        }
        self.note_answer();
        if self.intercepts(status) {
            self.intercept(head, now, out);
            return 0;
        }
        if self.redirect_internally(head, now, out) {
            return 0;
        }
        if self.request.course.has_no_answer() {
            return self.hear_answer((head, rest), now, out);
        }
        self.wire.body = BodyReader::new(self.wire.head.body);
        self.take_answer_head(head, false);
        if !self.choose_part(now, out) {
            return 0;
        }
        self.send_answer_head(false, now, out);
        if !self.begin_before(Then::Upstream, now, out) {
            self.end_if_whole(now, out);
        }
        0
    }

    fn take_answer_head(&mut self, head: &[u8], is_tunnel: bool) {
        let response = &mut self.down.response;
        response.begin_upstream(&mut self.wire.head, head);
        if let Some(status) = self.request.course.status.filter(|_| !is_tunnel) {
            response.restate(status);
        }
        for (name, value) in &self.carried {
            if !name.eq_ignore_ascii_case(b"content-type") {
                response.push(name, value);
            }
        }
        response.push_challenges(&self.request);
    }

    fn send_answer_head(&mut self, is_tunnel: bool, now: Moment, out: &mut Out) {
        // An answer that comes before the whole request leaves the rest of it in the way, and one
        // that ends with its connection cannot be followed by another.
        let is_persistent = self.client_may_persist() && self.down.has_request();
        // Field by field, since the answer changes while the rest is looked at.
        let (request, attempts) = (&self.request, &self.attempts);
        let context = Context { request, attempts, is_persistent, is_tunnel, now };
        self.down.writer = self.down.response.filter(&context);
        self.down.is_persistent =
            is_persistent && !matches!(self.down.writer, BodyWriter::UntilClose);
        if !is_tunnel {
            self.settle_pace(now);
        }
        self.push_answer_head(out);
    }

    fn answer_body(&mut self, bytes: &[u8], now: Moment, out: &mut Out) -> usize {
        let bytes = self.piece(bytes);
        let mut used = 0;
        while !self.wire.body.is_done() {
            match self.wire.body.read_all(bytes.get(used..).unwrap_or_default()) {
                Ok((part, trailer)) => {
                    used += part.used;
                    self.take_trailer(trailer);
                    self.count_received(part.used, part.used);
                    self.down.push_data(part.data, &mut out.client);
                    if self.down.is_content_bad() {
                        self.fail(Fault::NotGzip, now, out);
                        return used;
                    }
                    if part.used == 0 && !self.wire.body.is_done() {
                        return used;
                    }
                }
                Err(reject) => {
                    self.fail(Fault::Upstream(UpstreamFault::Malformed(reject)), now, out);
                    return used;
                }
            }
        }
        if self.phase == Phase::Exchanging {
            self.finish_answer(now, out);
        }
        used
    }

    /// The whole answer is there: its end is written and both connections are settled.
    pub(super) fn finish_answer(&mut self, now: Moment, out: &mut Out) {
        debug_assert!(self.wire.body.is_done(), "only what is whole is ended as such");
        if !self.push_own_end(now, out) {
            return self.fail(Fault::NotGzip, now, out);
        }
        self.attempts.end(None, now.ms);
        let is_kept = self.keeps_link();
        self.link_action = Some(if is_kept { Action::KeepLink } else { Action::DropLink });
        match self.has_after() {
            true => self.begin_after(now),
            false if self.down.is_persistent => self.complete(ClientNext::KeepAlive),
            false => self.complete(ClientNext::Close),
        }
    }

    /// The server has ended its stream, or its connection is gone by a cause.
    pub(super) fn upstream_ended(&mut self, cause: Option<Cause>, now: Moment, out: &mut Out) {
        match &mut self.phase {
            Phase::Tunnel { upstream_ended, .. } => {
                *upstream_ended = true;
                if cause.is_some() {
                    self.end_tunnel(now);
                }
            }
            Phase::Exchanging => {
                let fault = cause.map_or(UpstreamFault::Closed, UpstreamFault::Broken);
                if !self.down.is_begun {
                    self.upstream_failed(fault, now, out);
                } else if (cause.is_none() || is_planted(Canary::ResetEndsAnswer))
                    && self.ends_with_link()
                {
                    // RFC 9112 §8: only an end that was meant as one completes a body without a
                    // length.
                    self.finish_answer(now, out);
                } else {
                    self.fail(Fault::Upstream(fault), now, out);
                }
            }
            _ => {}
        }
    }
}
