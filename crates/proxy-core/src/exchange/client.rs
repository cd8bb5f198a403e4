//! What the client does.

use http1::BodyWriter;

use super::{Exchange, Out, Phase, Side, Then};
use crate::canary::{Canary, is_planted};
use crate::clock::Moment;
use crate::downstream::ClientNext;
use crate::fault::Fault;
use crate::upstream::replay::Replay;

impl Exchange {
    /// Whether bytes of a side are of use now.
    pub fn wants(&self, side: Side) -> bool {
        match (side, self.phase) {
            (Side::Client, Phase::Tunnel { client_ended, .. }) => {
                !client_ended && !self.wire.is_blocked
            }
            (Side::Client, Phase::Exchanging) => !self.down.has_request() && !self.wire.is_blocked,
            (Side::Client, Phase::Adding { then: Then::Upstream }) => false,
            (
                Side::Client,
                Phase::Gathering { .. }
                | Phase::Discarding { .. }
                | Phase::Sending
                | Phase::Adding { .. },
            ) => !self.down.has_request(),
            (Side::Upstream, Phase::Exchanging) => !self.down.is_blocked,
            (Side::Upstream, Phase::Tunnel { upstream_ended, .. }) => {
                !upstream_ended && !self.down.is_blocked
            }
            _ => false,
        }
    }

    /// Something came from a side just now (nginx: what renews its timers).
    pub fn heard(&mut self, side: Side, now: Moment) {
        let is_tunnel = matches!(self.phase, Phase::Tunnel { .. });
        if side == Side::Client || is_tunnel {
            self.down.since_ms = now.ms;
        }
        if side == Side::Upstream || is_tunnel {
            self.wire.since_ms = now.ms;
        }
    }

    /// Bytes of a side; returns how many were used, the others come again.
    pub fn bytes(&mut self, side: Side, bytes: &[u8], now: Moment, out: &mut Out) -> usize {
        let used = match side {
            Side::Client => self.client_bytes(bytes, now, out),
            Side::Upstream => self.upstream_bytes(bytes, now, out),
        };
        debug_assert!(used <= bytes.len());
        if self.is_orphan {
            out.client.clear();
        }
        used
    }

    fn client_bytes(&mut self, bytes: &[u8], now: Moment, out: &mut Out) -> usize {
        match self.phase {
            Phase::Tunnel { .. } => {
                self.count_sent(bytes.len());
                out.upstream.extend_from_slice(bytes);
                bytes.len()
            }
            Phase::Exchanging => self.client_body(bytes, now, out),
            Phase::Gathering { .. } => self.gather(bytes, now, out),
            Phase::Discarding { .. } => self.discard(bytes),
            Phase::Adding { then: Then::Upstream } => 0,
            Phase::Sending | Phase::Adding { .. } => self.throw_away(bytes),
            Phase::Starting
            | Phase::Pausing { .. }
            | Phase::Resolving { .. }
            | Phase::Connecting
            | Phase::Complete => 0,
        }
    }

    /// The request's body on its way to the upstream.
    fn client_body(&mut self, bytes: &[u8], now: Moment, out: &mut Out) -> usize {
        let mut used = 0;
        while self.phase == Phase::Exchanging && !self.down.has_request() {
            let rest = bytes.get(used..).unwrap_or_default();
            match self.down.body.read(rest) {
                Ok(part) => {
                    used += part.used;
                    self.request.body_wire_bytes += part.used as u64;
                    if !self.count_request_body(part.data.len()) {
                        self.fail(Fault::BodyTooLarge, now, out);
                        return used;
                    }
                    self.pass_on(part.data, out);
                    if part.used == 0 && !self.down.has_request() {
                        return used;
                    }
                }
                Err(reject) => {
                    self.request.head.connection.close = true;
                    self.fail(Fault::Client(reject), now, out);
                    return used;
                }
            }
            if self.down.has_request() {
                let before = out.upstream.len();
                self.wire.end_body(&mut out.upstream);
                self.count_sent(out.upstream.len() - before);
                self.wire.since_ms = now.ms;
            }
        }
        used
    }

    /// Data of the body to the server.
    fn pass_on(&mut self, data: &[u8], out: &mut Out) {
        if data.is_empty() {
            return;
        }
        let bytes_max = self.pass().map_or(0, |pass| pass.sending.replay_bytes_max);
        self.wire.replay.push(data, bytes_max);
        if self.request.at.generation().tells_bodies() {
            let body = self.request.values.get_mut().body.get_or_insert_default();
            body.push(data, bytes_max);
        }
        let before = out.upstream.len();
        self.wire.write_body(data, &mut out.upstream);
        self.count_sent(out.upstream.len() - before);
    }

    /// Whether the log tells the body, and it is not longer yet than may be kept.
    fn keeps_body(&self) -> bool {
        let is_wanted = self.request.at.generation().tells_bodies();
        is_wanted && self.request.values.borrow().body.as_ref().is_none_or(Replay::is_keeping)
    }

    pub(super) fn count_sent(&mut self, bytes: usize) {
        if let Some(attempt) = self.attempts.last() {
            attempt.bytes_sent += bytes as u64;
        }
    }

    /// Counts body bytes; false when there are more than `client_max_body_size`.
    pub(super) fn count_request_body(&mut self, bytes: usize) -> bool {
        self.request.body_bytes += bytes as u64;
        self.location().client.body_bytes_max.is_none_or(|max| self.request.body_bytes <= max)
    }

    /// The rest of a request that is answered already. nginx: what was meant for an upstream
    /// counts as read, what nobody wanted does not.
    fn discard(&mut self, bytes: &[u8]) -> usize {
        debug_assert!(self.down.sent.is_whole, "the answer is out");
        let was_wanted = self.attempts.last().is_some();
        let mut used = 0;
        while !self.down.has_request() {
            match self.down.body.read(bytes.get(used..).unwrap_or_default()) {
                Ok(part) => {
                    used += part.used;
                    self.request.body_wire_bytes += if was_wanted { part.used as u64 } else { 0 };
                    if part.used == 0 && !self.down.has_request() {
                        return used;
                    }
                }
                Err(reject) => {
                    self.fault = Some(Fault::Client(reject));
                    self.complete(ClientNext::Close);
                    return used;
                }
            }
        }
        self.complete(ClientNext::KeepAlive);
        used
    }

    /// How many of a side's bytes may go to the other as they are; they count as gone.
    pub fn relay(&mut self, side: Side, bytes: &[u8], now: Moment) -> usize {
        if self.phase != Phase::Exchanging || self.is_orphan || self.wire.fastcgi.is_some() {
            return 0;
        }
        match side {
            Side::Client => {
                // What has to be kept, or is bounded, is counted piece by piece.
                let is_exact = matches!(self.wire.writer(), BodyWriter::Exact);
                if !is_exact || self.wire.replay.is_keeping() || self.keeps_body() {
                    return 0;
                }
                let count = self.down.body.read(bytes).map_or(0, |part| part.data.len());
                self.request.body_bytes += count as u64;
                self.request.body_wire_bytes += count as u64;
                self.count_sent(count);
                self.down.since_ms = now.ms;
                self.wire.since_ms = now.ms;
                count
            }
            Side::Upstream => {
                let is_exact = matches!(self.down.writer, BodyWriter::Exact);
                // The last bytes bring the end with them, which is not for here.
                let left = self.wire.body.remaining_exact().unwrap_or(0);
                let is_changed = self.down.response.packing.chain.is_some();
                if !self.down.is_begun || !is_exact || is_changed || left <= bytes.len() as u64 {
                    return 0;
                }
                let count = self.wire.body.read(bytes).map_or(0, |part| part.data.len());
                self.count_received(count, count);
                debug_assert!((count as u64) < left, "the end is still to come");
                self.down.sent.body_bytes += count as u64;
                self.wire.since_ms = now.ms;
                count
            }
        }
    }

    /// A side has ended its stream: all it sent has been given.
    pub fn ended(&mut self, side: Side, now: Moment, out: &mut Out) {
        let is_ignored = self.ignores_leaving();
        match side {
            Side::Upstream => self.upstream_ended(None, now, out),
            Side::Client => match &mut self.phase {
                Phase::Starting | Phase::Complete => {}
                Phase::Tunnel { client_ended, upstream_ended } => {
                    *client_ended = true;
                    *upstream_ended |= is_planted(Canary::TunnelEndsWithOneSide);
                }
                Phase::Discarding { .. } => self.complete(ClientNext::Close),
                // It may still be reading.
                Phase::Sending | Phase::Adding { then: Then::Own | Then::End } => {
                    self.down.is_persistent = false;
                }
                Phase::Resolving { .. } | Phase::Connecting | Phase::Exchanging if is_ignored => {}
                Phase::Pausing { .. }
                | Phase::Gathering { .. }
                | Phase::Resolving { .. }
                | Phase::Connecting
                | Phase::Exchanging
                | Phase::Adding { then: Then::Upstream } => {
                    self.client_left(now, out);
                }
            },
        }
    }

    /// A side's connection is gone.
    pub fn broken(&mut self, side: Side, cause: crate::net::Cause, now: Moment, out: &mut Out) {
        match side {
            Side::Upstream => self.upstream_ended(Some(cause), now, out),
            Side::Client => match self.phase {
                Phase::Starting | Phase::Complete => {}
                Phase::Tunnel { .. } => self.end_tunnel(now),
                Phase::Discarding { .. } => self.complete(ClientNext::Abort),
                Phase::Sending | Phase::Adding { .. } => self.leave(Fault::ClientLeft, now, out),
                Phase::Resolving { .. } | Phase::Connecting | Phase::Exchanging
                    if self.ignores_leaving() =>
                {
                    out.client.clear();
                    self.is_orphan = true;
                }
                Phase::Pausing { .. }
                | Phase::Gathering { .. }
                | Phase::Resolving { .. }
                | Phase::Connecting
                | Phase::Exchanging => {
                    self.client_left(now, out);
                }
            },
        }
    }

    /// nginx: `proxy_ignore_client_abort`: a client that has sent all of its request is not looked
    /// after any more. One that has ended its half gets its answer; one that is gone does not.
    fn ignores_leaving(&self) -> bool {
        self.down.has_request() && self.pass().is_some_and(|pass| pass.sending.outlives_client)
    }

    /// nginx: 499, or 400 in the middle of a body.
    fn client_left(&mut self, now: Moment, out: &mut Out) {
        let has_request = self.down.has_request();
        let fault =
            if has_request { Fault::ClientLeft } else { Fault::Client(http1::Reject::Truncated) };
        self.leave(fault, now, out);
    }

    /// Nobody is there to be answered: the fault is for the log.
    pub(super) fn leave(&mut self, fault: Fault, now: Moment, out: &mut Out) {
        debug_assert!(!self.down.sent.is_whole, "there is nothing to wait for");
        out.client.clear();
        self.fault = Some(fault);
        match self.down.errands.aside {
            Some(_) => self.be_main(),
            None => self.attempts.end_if_open(now.ms),
        }
        if !self.down.is_begun {
            self.down.response.begin_own(fault.status());
        }
        // It may have ended its own way only, and still be reading.
        self.cut_off();
    }

    /// Whether the client has gone and nothing is sent to it any more.
    pub fn is_orphan(&self) -> bool {
        self.is_orphan
    }

    /// Whether a side of a tunnel has said all that it had to say.
    pub fn has_ended(&self, side: Side) -> bool {
        match (self.phase, side) {
            (Phase::Tunnel { client_ended, .. }, Side::Client) => client_ended,
            (Phase::Tunnel { upstream_ended, .. }, Side::Upstream) => upstream_ended,
            _ => false,
        }
    }

    /// Whether a client that is known to have ended its stream counts as gone, although its bytes
    /// are not read to their end: it has nothing more to say that is of use (nginx:
    /// `proxy_ignore_client_abort off`).
    pub fn leaves_with_end(&self) -> bool {
        let is_called = self.is_calling() || matches!(self.phase, Phase::Pausing { .. });
        is_called && self.down.has_request() && !self.ignores_leaving()
    }
}
