//! From a connection's bytes to the beginning of an exchange.

use http1::{Limits, Parsed};

use super::{Client, Engine, Step};
use crate::canary::{Canary, is_planted};
use crate::connection::{Connection, State};
use crate::exchange::{Exchange, Opening};
use crate::generation::At;
use crate::net::{Net, Read, Socket};
use crate::request::split_mix;

/// One read while a head is waited for: what comes behind it waits in the system's memory, where
/// it is bounded, and not in ours.
const HEAD_READ_BYTES: usize = 8 << 10;

impl<N: Net> Engine<N> {
    /// Reads on while a head is waited for.
    pub(super) fn step_head(&mut self, client: &mut Client<N>) -> Step {
        if matches!(client.state, State::Idle { .. }) {
            let is_here = !client.stream.unread.is_empty();
            client.info.is_pipelined = is_here && client.info.requests > 0;
            if is_here {
                // What came behind the last request, or behind who the client is.
                let bytes = std::mem::take(&mut client.stream.unread);
                return self.head_bytes(client, &bytes);
            }
        }
        let mut scratch = std::mem::take(&mut self.buffers.scratch);
        let room_bytes = HEAD_READ_BYTES.min(scratch.len());
        let room = scratch.get_mut(..room_bytes).unwrap_or_default();
        let step = match client.stream.read(room) {
            Read::Nothing => Step::Wait,
            Read::End | Read::Broken(_) if matches!(client.state, State::Head { .. }) => {
                // nginx: 400 in the log.
                self.give_head_up(client, |bytes| Opening::CutOff(bytes));
                Step::Progress
            }
            Read::End | Read::Broken(_) => Step::Close,
            Read::Bytes(count) => {
                let new = scratch.get(..count).unwrap_or_default();
                if client.stream.unread.is_empty() {
                    self.head_bytes(client, new)
                } else {
                    let mut bytes = std::mem::take(&mut client.stream.unread);
                    bytes.extend_from_slice(new);
                    self.head_bytes(client, &bytes)
                }
            }
        };
        self.buffers.scratch = scratch;
        step
    }

    /// Bytes that begin with a head, perhaps with a part of one.
    fn head_bytes(&mut self, client: &mut Client<N>, bytes: &[u8]) -> Step {
        debug_assert!(!bytes.is_empty(), "a head begins with its first byte");
        // nginx: line ends before a request are no part of it, and begin none.
        if matches!(client.state, State::Idle { .. }) && http1::is_empty_lines(bytes) {
            return Step::Progress;
        }
        if let State::Idle { .. } = client.state {
            client.state = State::Head { begun: self.now };
            self.output.counters.heads += 1;
            client.since_ms = self.now.ms;
        }
        let is_served = self.update_place(client);
        let limits = head_limits(client);
        let mut exchange = self.spare_exchange(client);
        let opening = match http1::parse_request(bytes, &limits, exchange.head_mut()) {
            Parsed::NeedMore => {
                self.give_back(exchange);
                client.stream.unread = bytes.to_vec();
                let is_held = self.hold_head(client, bytes.len());
                return if is_held { Step::Progress } else { Step::Close };
            }
            Parsed::Done { used, .. } => {
                let rest = bytes.get(used..).unwrap_or_default();
                let is_lost = is_planted(Canary::PipelineForgotten);
                client.stream.unread = if is_lost { Vec::new() } else { rest.to_vec() };
                if exchange.head_mut().host.is_none() {
                    // The address is the name by which a redirect leads back here.
                    client.know_local_address();
                }
                Opening::Head(bytes.get(..used).unwrap_or_default())
            }
            Parsed::Reject(reject) => Opening::Broken(bytes, reject),
        };
        self.begin(client, exchange, opening, is_served);
        Step::Progress
    }

    /// New requests get the newest configuration. False where the listener that the connection
    /// came by serves no more: the request is answered by the old one, and is the last.
    pub(super) fn update_place(&mut self, client: &mut Client<N>) -> bool {
        if is_planted(Canary::OldGeneration) {
            return true;
        }
        if self.generation.needs_local_address() {
            client.know_local_address();
        }
        match At::of(&self.generation, client.listener, client.info.local) {
            Some(at) => {
                client.at = at;
                true
            }
            None => false,
        }
    }

    fn begin(
        &mut self,
        client: &mut Client<N>,
        mut exchange: Box<Exchange>,
        opening: Opening<'_>,
        is_served: bool,
    ) {
        debug_assert!(client.exchange.is_none() && client.link.is_none());
        self.release_head(client);
        // nginx: a request begins with its first byte.
        let began = match client.state {
            State::Head { begun } => begun,
            _ => self.now,
        };
        client.info.requests += 1;
        if client.at.generation().tells_paths() {
            client.info.path = client.stream.socket().and_then(|socket| socket.path());
        }
        let counters = &mut self.output.counters;
        counters.connections_idle -= 1;
        counters.heads -= u64::from(matches!(client.state, State::Head { .. }));
        client.state = State::Active;
        counters.begun += 1;
        self.generation.host().boards.show(counters);
        self.ids.seed = split_mix(self.ids.seed);
        let is_draining = self.is_draining() || !is_served;
        let place = (client.at.clone(), client.info.clone());
        let out = &mut self.buffers.out;
        exchange.begin(place, (self.ids.seed, is_draining), opening, (began, self.now), out);
        client.exchange = Some(exchange);
        self.write_out(client);
    }

    /// nginx: 408 where something came, in `client_header_timeout` for the whole head.
    pub(super) fn head_timed_out(&mut self, client: &mut Client<N>) {
        self.give_head_up(client, |bytes| Opening::TooLate(bytes));
    }

    /// The rest of a head will not come.
    fn give_head_up(&mut self, client: &mut Client<N>, opening: fn(&[u8]) -> Opening<'_>) {
        debug_assert!(!client.stream.unread.is_empty(), "a part of a head is here");
        let is_served = self.update_place(client);
        let mut exchange = self.spare_exchange(client);
        let bytes = std::mem::take(&mut client.stream.unread);
        // What is understood of it is told in the log.
        let _ = http1::parse_request(&bytes, &head_limits(client), exchange.head_mut());
        self.begin(client, exchange, opening(&bytes), is_served);
    }

    pub(super) fn spare_exchange(&mut self, client: &Client<N>) -> Box<Exchange> {
        let spare = self.buffers.spare.pop();
        spare.unwrap_or_else(|| Box::new(Exchange::new(client.at.clone(), client.info.clone())))
    }

    /// An exchange is kept for use again, without large buffers, and not beyond its configuration.
    pub(super) fn give_back(&mut self, mut exchange: Box<Exchange>) {
        let is_current = std::rc::Rc::ptr_eq(exchange.request.at.generation(), &self.generation);
        if is_current && self.buffers.spare.len() < super::SPARE_EXCHANGES_MAX {
            exchange.shrink();
            self.buffers.spare.push(exchange);
        }
    }
}

/// nginx: no name is known yet, so that the address's default server says how large a head may be.
fn head_limits<S>(client: &Connection<S>) -> Limits {
    let limits = &client.at.server(client.at.default_place()).client;
    Limits {
        line_bytes_max: limits.line_bytes_max,
        field_bytes_max: limits.line_bytes_max,
        head_bytes_max: limits.head_bytes_max,
        fields_max: limits.fields_max,
    }
}
