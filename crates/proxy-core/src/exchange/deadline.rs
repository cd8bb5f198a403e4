//! What is waited for, and for how long.

use super::{Action, Exchange, Out, Phase, Side};
use crate::canary::{Canary, is_planted};
use crate::clock::{Millis, Moment};
use crate::downstream::ClientNext;
use crate::fault::{Fault, UpstreamFault};
use crate::phases::Stage;
use crate::resolver::wire::NameFault;

/// Who is waited for, and what for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Waiting {
    /// The client to take bytes (nginx: `send_timeout`).
    ClientToTake,
    /// The client to send the rest of its body (nginx: `client_body_timeout`).
    ClientToSend,
    /// The client to send what is thrown away (nginx: `lingering_timeout`, `lingering_time`).
    Rest,
    /// A name to be looked up (nginx: `resolver_timeout`).
    Name,
    /// A connect to end (nginx: `proxy_connect_timeout`).
    Connect,
    /// The server to take bytes (nginx: `proxy_send_timeout`).
    ServerToTake,
    /// The server to say something (nginx: `proxy_read_timeout`).
    ServerToSend,
    /// Either end of a tunnel to say something.
    Tunnel,
    /// Its turn to come.
    Turn(Stage),
    /// The time for more of the answer to come (nginx: `limit_rate`).
    Pace,
}

impl Exchange {
    /// Whom the exchange waits for, and since when and for how long at most.
    fn waiting(&self) -> Option<(Waiting, Millis)> {
        let location = self.location();
        let client = &location.client;
        let taken = self.down.taken_ms.saturating_add(client.send_timeout_ms);
        let pace = self.request.values.borrow().pace;
        let pace = pace.filter(|pace| pace.is_waiting && self.down.is_blocked);
        let paced = pace.map(|pace| (Waiting::Pace, pace.next_ms()));
        if let (Phase::Discarding { .. }, Some(paced)) = (self.phase, paced) {
            return Some(paced);
        }
        if let Phase::Discarding { until_ms } = self.phase {
            let quiet = self.down.since_ms.saturating_add(client.lingering.timeout_ms);
            let taken = if self.down.is_blocked { taken } else { until_ms };
            return Some((Waiting::Rest, until_ms.min(quiet).min(taken)));
        }
        if let Phase::Pausing { until_ms, then } = self.phase {
            return Some((Waiting::Turn(then), until_ms));
        }
        if let Phase::Resolving { until_ms } = self.phase {
            return Some((Waiting::Name, until_ms));
        }
        if paced.is_some() {
            return paced;
        }
        // Whom a part is for waits by itself.
        if self.down.is_blocked {
            return (!self.is_part()).then_some((Waiting::ClientToTake, taken));
        }
        if let Phase::Gathering { .. } = self.phase {
            let until = self.down.since_ms.saturating_add(client.body_timeout_ms);
            return Some((Waiting::ClientToSend, until));
        }
        let timeouts = self.pass()?.timeouts;
        let wire = |timeout_ms| self.wire.since_ms.saturating_add(timeout_ms);
        Some(match self.phase {
            Phase::Starting
            | Phase::Pausing { .. }
            | Phase::Gathering { .. }
            | Phase::Resolving { .. }
            | Phase::Discarding { .. }
            | Phase::Sending
            | Phase::Adding { .. }
            | Phase::Complete => return None,
            Phase::Connecting => {
                let began = self.attempts.iter().next_back()?.began_ms;
                (Waiting::Connect, began.saturating_add(timeouts.connect_ms))
            }
            _ if self.wire.is_blocked => (Waiting::ServerToTake, wire(timeouts.send_ms)),
            Phase::Tunnel { .. } => (Waiting::Tunnel, wire(timeouts.read_ms)),
            // As long as the client owes something the server is not to blame for its silence.
            Phase::Exchanging
                if !self.down.has_request()
                    && !self.down.is_begun
                    && !is_planted(Canary::ServerTimedForClient) =>
            {
                let until = self.down.since_ms.saturating_add(client.body_timeout_ms);
                (Waiting::ClientToSend, until)
            }
            Phase::Exchanging => {
                let is_ours = self.down.has_request() || is_planted(Canary::ServerTimedForClient);
                let since = if is_ours { 0 } else { self.down.since_ms };
                let until = since.max(self.wire.since_ms).saturating_add(timeouts.read_ms);
                (Waiting::ServerToSend, until)
            }
        })
    }

    /// When `expired` is to be called if nothing happens before.
    pub fn deadline(&self) -> Option<Millis> {
        self.waiting().map(|(_, until)| until)
    }

    /// More of the answer has its time. As long as it is not out, what is left of the request is
    /// not waited for.
    fn more_may_go(&mut self, now: Moment) {
        self.down.taken_ms = now.ms;
        let rest_ms = now.ms.saturating_add(self.location().client.lingering.time_ms);
        if let Phase::Discarding { until_ms } = &mut self.phase {
            *until_ms = rest_ms;
            self.down.since_ms = now.ms;
        }
    }

    /// The deadline has passed.
    pub fn expired(&mut self, now: Moment, out: &mut Out) {
        let Some((waiting, until)) = self.waiting() else { return };
        if until > now.ms {
            return;
        }
        match waiting {
            Waiting::ClientToTake => {
                self.fault = Some(Fault::ClientStalled);
                if !self.is_complete() {
                    self.attempts.end(None, now.ms);
                }
                self.cut_off();
            }
            Waiting::Pace => self.more_may_go(now),
            Waiting::Turn(then) => self.resume(then, now, out),
            Waiting::Rest => self.complete(ClientNext::Close),
            Waiting::Name => self.fail(Fault::Name(NameFault::TimedOut), now, out),
            Waiting::ClientToSend => {
                self.request.head.connection.close = true;
                self.attempts.end(None, now.ms);
                self.fail(Fault::ClientTooSlow, now, out);
            }
            Waiting::Connect => {
                let fault = UpstreamFault::ConnectTimedOut;
                self.call.dial_failed(fault, &mut self.attempts, now.ms);
                self.link_action = Some(Action::DropLink);
                self.wants_connect = true;
            }
            Waiting::ServerToTake => self.server_late(UpstreamFault::SendTimedOut, now, out),
            Waiting::ServerToSend => self.server_late(UpstreamFault::ReadTimedOut, now, out),
            Waiting::Tunnel => {
                self.fault = Some(Fault::Upstream(UpstreamFault::ReadTimedOut));
                self.end_tunnel(now);
            }
        }
    }

    fn server_late(&mut self, fault: UpstreamFault, now: Moment, out: &mut Out) {
        if let Phase::Tunnel { .. } = self.phase {
            self.fault = Some(Fault::Upstream(fault));
            self.end_tunnel(now);
        } else if self.down.is_begun {
            self.fail(Fault::Upstream(fault), now, out);
        } else {
            self.upstream_failed(fault, now, out);
        }
    }

    /// Tells whether bytes wait to be written to either side, after all that was produced has been
    /// written as far as it goes.
    pub fn flowed(&mut self, client_blocked: bool, upstream_blocked: bool, now: Moment) {
        if client_blocked != self.down.is_blocked {
            self.down.is_blocked = client_blocked;
            self.down.since_ms = now.ms;
            self.down.taken_ms = now.ms;
            // While the client was slow nothing was read: the server is not to blame.
            self.wire.since_ms = now.ms;
        }
        if upstream_blocked != self.wire.is_blocked {
            self.wire.is_blocked = upstream_blocked;
            self.wire.since_ms = now.ms;
            self.down.since_ms = now.ms;
        }
        // Both have ended: it is over once the server has taken what the client said last. What
        // the client is to get of the server waits for it beyond the exchange's end.
        let has_ended = Phase::Tunnel { client_ended: true, upstream_ended: true };
        if self.phase == has_ended && !upstream_blocked {
            self.end_tunnel(now);
        }
    }

    /// A side that was behind took some bytes.
    pub fn progressed(&mut self, side: Side, now: Moment) {
        match side {
            Side::Client => self.down.taken_ms = now.ms,
            Side::Upstream => self.wire.since_ms = now.ms,
        }
    }
}
