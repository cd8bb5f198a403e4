//! One request's life, from its head to the line in the access log, as a state machine.
//!
//! It owns the decisions: where a request goes, what is sent to either side, when the upstream
//! connection may be used again, what the client is told when something fails. It touches no
//! socket and reads no clock: bytes and times come in as events, bytes go out into buffers of the
//! caller, and what only the caller can do is asked for as an [`Action`].
//!
//! ```text
//!            begin                    Connected            response done, all flushed
//!  (head) ─┬───────▶ Connecting ─────────────▶ Forwarding ───────────────▶ Complete
//!          │             │ ▲ retry                 │  │ 101
//!          │             │ └───────────────────────┘  └──────▶ Tunnel ───▶ Complete
//!          │             ▼ Failed                  ▼ fault
//!          └───────▶ Complete (an answer of our own, or an abort)
//! ```
//!
//! The caller's part, in order: `begin` or `reject`; then for each thing that happens `handle`,
//! write out what was produced, `flowed`, and take actions by `poll_action` until there is none;
//! `deadline` says when to call `expired`. `is_complete` and empty buffers end the exchange.

pub mod access_log;
pub mod answer;
pub mod clock;
mod fault;
mod interface;
pub mod request;
pub mod response;
pub mod variables;

#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use http1::{BodyLength, BodyReader, BodyWriter, RequestHead, ResponseHead, Version};

use clock::{Millis, Moment};
pub use fault::{ConnectFault, Fault};
pub use interface::{Action, ClientInfo, ClientNext, Event, Out, Source};
use proxy_core::config::model::{Config, Location, ProxyPass};

/// The configuration an exchange began with; it keeps that one to its end.
pub type Snapshot = Rc<Arc<Config>>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Connecting,
    Forwarding,
    Tunnel,
    Complete,
}

/// Where the settings of an exchange are found in its configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) server: usize,
    /// `None` is the server's fallback.
    pub(crate) location: Option<usize>,
}

impl Place {
    /// The settings there. It borrows the configuration only, so that the exchange can change
    /// while they are at hand.
    pub(crate) fn location(self, config: &Config) -> &Location {
        let server = &config.servers[self.server];
        self.location.map_or(&server.fallback, |index| &server.locations[index])
    }
}

/// One request's life.
pub struct Exchange {
    pub(crate) config: Snapshot,
    pub(crate) place: Place,
    pub(crate) client: ClientInfo,
    pub(crate) began: Moment,

    /// The head's bytes; spans of `head` point into it.
    pub(crate) head_bytes: Vec<u8>,
    pub(crate) head: RequestHead,
    /// Host in lower case without port, or the server's name.
    pub(crate) host: Vec<u8>,
    /// nginx: `$uri`, decoded and resolved.
    pub(crate) path: Vec<u8>,
    pub(crate) query: http1::Span,
    pub(crate) target: http1::Span,
    pub(crate) request_id: Option<[u8; 32]>,
    pub(crate) request_seed: u64,

    phase: Phase,
    request_body: BodyReader,
    request_writer: BodyWriter,
    request_sent_bytes: u64,
    pub(crate) request_body_bytes: u64,
    continue_owed: bool,

    pub(crate) response_bytes: Vec<u8>,
    pub(crate) response: ResponseHead,
    response_body: BodyReader,
    response_writer: BodyWriter,
    response_begun: bool,
    upstream_spoke: bool,

    /// Status sent to the client; 0 while there is none.
    pub(crate) status: u16,
    pub(crate) source: Source,
    pub(crate) client_head_bytes: u64,
    pub(crate) client_body_bytes: u64,
    pub(crate) upstream_addresses: Vec<SocketAddr>,
    pub(crate) upstream_status: u16,
    pub(crate) upstream_times: UpstreamTimes,
    pub(crate) upstream_body_bytes: u64,

    reused: bool,
    retries: u32,
    draining: bool,
    next: ClientNext,
    /// Why the proxy itself answered or gave up, for the error log.
    fault: Option<Fault>,

    action_connect: Option<bool>,
    action_upstream: Option<Action>,

    upstream_since: Millis,
    client_since: Millis,
    client_blocked: bool,
    upstream_blocked: bool,
}

/// When the upstream did what, for `$upstream_…_time`.
#[derive(Debug, Clone, Copy, Default)]
pub struct UpstreamTimes {
    /// The connection was asked for.
    pub began: Option<Millis>,
    /// It was there.
    pub connected: Option<Millis>,
    /// The response's head was complete.
    pub head: Option<Millis>,
    /// The last byte came.
    pub ended: Option<Millis>,
}

impl Exchange {
    /// An exchange without a request yet, to be used again and again.
    pub fn new(config: Snapshot, client: ClientInfo) -> Exchange {
        Exchange {
            config,
            place: Place { server: 0, location: None },
            client,
            began: Moment::default(),
            head_bytes: Vec::new(),
            head: RequestHead::default(),
            host: Vec::new(),
            path: Vec::new(),
            query: http1::Span::default(),
            target: http1::Span::default(),
            request_id: None,
            request_seed: 0,
            phase: Phase::Complete,
            request_body: BodyReader::new(BodyLength::None),
            request_writer: BodyWriter::None,
            request_sent_bytes: 0,
            request_body_bytes: 0,
            continue_owed: false,
            response_bytes: Vec::new(),
            response: ResponseHead::default(),
            response_body: BodyReader::new(BodyLength::None),
            response_writer: BodyWriter::None,
            response_begun: false,
            upstream_spoke: false,
            status: 0,
            source: Source::Proxy,
            client_head_bytes: 0,
            client_body_bytes: 0,
            upstream_addresses: Vec::new(),
            upstream_status: 0,
            upstream_times: UpstreamTimes::default(),
            upstream_body_bytes: 0,
            reused: false,
            retries: 0,
            draining: false,
            next: ClientNext::Close,
            fault: None,
            action_connect: None,
            action_upstream: None,
            upstream_since: 0,
            client_since: 0,
            client_blocked: false,
            upstream_blocked: false,
        }
    }

    /// Clears what the last request left, keeping the memory of its buffers.
    fn reset(&mut self, config: Snapshot, client: ClientInfo, now: Moment) {
        let mut fresh = Exchange::new(config, client);
        fresh.began = now;
        fresh.draining = client.draining;
        fresh.request_seed = self.request_seed;
        fresh.head_bytes = std::mem::take(&mut self.head_bytes);
        fresh.host = std::mem::take(&mut self.host);
        fresh.path = std::mem::take(&mut self.path);
        fresh.response_bytes = std::mem::take(&mut self.response_bytes);
        fresh.upstream_addresses = std::mem::take(&mut self.upstream_addresses);
        fresh.head = std::mem::take(&mut self.head);
        fresh.response = std::mem::take(&mut self.response);
        for buffer in [&mut fresh.head_bytes, &mut fresh.host, &mut fresh.path] {
            buffer.clear();
        }
        fresh.response_bytes.clear();
        fresh.upstream_addresses.clear();
        fresh.response.fields.clear();
        *self = fresh;
    }

    /// The settings in force.
    pub fn location(&self) -> &Location {
        self.place.location(&self.config)
    }

    pub(crate) fn pass(&self) -> Option<&ProxyPass> {
        match &self.location().handler {
            proxy_core::config::model::Handler::Proxy(pass) => Some(pass),
            _ => None,
        }
    }

    /// Whether nothing more will be produced or asked for.
    pub fn is_complete(&self) -> bool {
        self.phase == Phase::Complete
    }

    /// What becomes of the client's connection; meaningful once complete.
    pub fn client_next(&self) -> ClientNext {
        self.next
    }

    /// The status for metrics and logs, and who made it.
    pub fn outcome(&self) -> (u16, Source) {
        (self.status, self.source)
    }

    /// Why the proxy answered itself or gave up.
    pub fn fault(&self) -> Option<Fault> {
        self.fault
    }

    /// How often the request was sent again.
    pub fn retries(&self) -> u32 {
        self.retries
    }

    /// From now on the answer says `Connection: close`.
    pub fn drain(&mut self) {
        self.draining = true;
    }

    /// Whether bytes of the client are of use now.
    pub fn wants_client(&self) -> bool {
        match self.phase {
            Phase::Tunnel => !self.upstream_blocked,
            Phase::Forwarding => !self.request_body.is_done() && !self.upstream_blocked,
            _ => false,
        }
    }

    /// Whether bytes of the upstream are of use now.
    pub fn wants_upstream(&self) -> bool {
        matches!(self.phase, Phase::Forwarding | Phase::Tunnel) && !self.client_blocked
    }

    /// What only the caller can do, the next of it.
    pub fn poll_action(&mut self) -> Option<Action> {
        if let Some(action) = self.action_upstream.take() {
            return Some(action);
        }
        let fresh = self.action_connect.take()?;
        let upstream = self.pass()?.upstream;
        Some(Action::Connect { upstream, fresh })
    }

    /// Takes an event in; returns how many of its bytes were used.
    pub fn handle(&mut self, event: Event<'_>, now: Moment, out: &mut Out) -> usize {
        match event {
            Event::ClientBytes(bytes) => self.on_client_bytes(bytes, now, out),
            Event::ClientEnd => {
                self.on_client_end(out);
                0
            }
            Event::Connected { address, reused } => {
                self.on_connected(address, reused, now, out);
                0
            }
            Event::ConnectFailed(fault) => {
                self.fail(Fault::Connect(fault), now, out);
                0
            }
            Event::UpstreamBytes(bytes) => self.on_upstream_bytes(bytes, now, out),
            Event::UpstreamEnd => {
                self.on_upstream_end(now, out);
                0
            }
        }
    }

    fn on_connected(&mut self, address: SocketAddr, reused: bool, now: Moment, out: &mut Out) {
        debug_assert_eq!(self.phase, Phase::Connecting);
        self.phase = Phase::Forwarding;
        self.reused = reused;
        self.upstream_spoke = false;
        self.upstream_since = now.ms;
        self.client_since = now.ms;
        self.upstream_times.connected = Some(now.ms);
        self.upstream_addresses.push(address);
        self.push_request_head(now, out);
        if std::mem::take(&mut self.continue_owed) && !self.request_body.is_done() {
            // RFC 9110 §10.1.1: the client waits for this before it sends its body.
            out.client.extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
        }
    }

    fn on_client_bytes(&mut self, bytes: &[u8], now: Moment, out: &mut Out) -> usize {
        self.client_since = now.ms;
        if self.phase == Phase::Tunnel {
            self.request_sent_bytes += bytes.len() as u64;
            self.upstream_since = now.ms;
            out.upstream.extend_from_slice(bytes);
            return bytes.len();
        }
        let mut used_total = 0;
        while self.phase == Phase::Forwarding && !self.request_body.is_done() {
            match self.request_body.read(&bytes[used_total..]) {
                Ok(part) => {
                    used_total += part.used;
                    if !self.count_request_body(part.data.len()) {
                        self.fail(Fault::BodyTooLarge, now, out);
                        return used_total;
                    }
                    if !part.data.is_empty() {
                        self.request_writer.write(part.data, &mut out.upstream);
                        self.request_sent_bytes += part.data.len() as u64;
                    }
                    if part.used == 0 && !self.request_body.is_done() {
                        return used_total;
                    }
                }
                Err(reject) => {
                    self.fail(Fault::Client(reject), now, out);
                    return used_total;
                }
            }
            if self.request_body.is_done() {
                self.request_writer.finish(&mut out.upstream);
                self.upstream_since = now.ms;
            }
        }
        used_total
    }

    /// Counts body bytes; false when there are more than `client_max_body_size`.
    fn count_request_body(&mut self, bytes: usize) -> bool {
        self.request_body_bytes += bytes as u64;
        self.location().client.body_bytes_max.is_none_or(|max| self.request_body_bytes <= max)
    }

    /// How many of the client's bytes may go to the upstream as they are; they count as gone.
    pub fn relay_client(&mut self, bytes: &[u8], now: Moment) -> usize {
        let as_is = matches!(self.request_writer, BodyWriter::Exact);
        if self.phase != Phase::Forwarding || !as_is {
            return 0;
        }
        let count = self.request_body.read(bytes).map_or(0, |part| part.data.len());
        self.request_body_bytes += count as u64;
        self.request_sent_bytes += count as u64;
        self.client_since = now.ms;
        self.upstream_since = now.ms;
        count
    }

    /// How many of the upstream's bytes may go to the client as they are; they count as gone.
    pub fn relay_upstream(&mut self, bytes: &[u8], now: Moment, out: &mut Out) -> usize {
        let as_is = matches!(self.response_writer, BodyWriter::Exact);
        if self.phase != Phase::Forwarding || !self.response_begun || !as_is {
            return 0;
        }
        let count = self.response_body.read(bytes).map_or(0, |part| part.data.len());
        self.client_body_bytes += count as u64;
        self.upstream_body_bytes += count as u64;
        self.upstream_since = now.ms;
        if self.response_body.is_done() {
            self.complete_response(now, &mut out.client);
        }
        count
    }

    fn on_client_end(&mut self, out: &mut Out) {
        match self.phase {
            Phase::Complete => {}
            Phase::Tunnel => self.complete(ClientNext::Close, false),
            Phase::Connecting | Phase::Forwarding => {
                // nginx: proxy_ignore_client_abort off.
                out.client.clear();
                self.fault = Some(Fault::ClientLeft);
                if !self.response_begun {
                    self.status = Fault::ClientLeft.status();
                    self.source = Source::Proxy;
                }
                self.complete(ClientNext::Abort, false);
            }
        }
    }

    fn on_upstream_end(&mut self, now: Moment, out: &mut Out) {
        match self.phase {
            Phase::Tunnel => self.complete(ClientNext::Close, false),
            Phase::Forwarding if self.response_begun => {
                if self.response_body.eof().is_ok() {
                    self.complete_response(now, &mut out.client);
                } else {
                    self.fail(Fault::UpstreamClosed, now, out);
                }
            }
            Phase::Forwarding if self.may_retry() => {
                self.retries += 1;
                self.phase = Phase::Connecting;
                self.upstream_since = now.ms;
                out.upstream.clear();
                self.request_sent_bytes = 0;
                self.action_upstream = Some(Action::DropUpstream);
                self.action_connect = Some(true);
            }
            Phase::Forwarding => self.fail(Fault::UpstreamClosed, now, out),
            Phase::Connecting | Phase::Complete => {}
        }
    }

    /// Only what is safe is sent again: a connection that had been idle died before it said
    /// anything, the request can be repeated (RFC 9110 §9.2.2) and no byte of a body is gone.
    fn may_retry(&self) -> bool {
        let idempotent = matches!(
            self.head.method.of(&self.head_bytes),
            b"GET" | b"HEAD" | b"PUT" | b"DELETE" | b"OPTIONS" | b"TRACE"
        );
        self.reused
            && self.retries == 0
            && !self.upstream_spoke
            && self.request_body_bytes == 0
            && idempotent
    }

    /// Whether the method may be sent on a connection that could have died while idle without
    /// looking first; others cannot be repeated if it has.
    pub fn may_repeat(&self) -> bool {
        self.request_body.is_done()
            && matches!(self.head.method.of(&self.head_bytes), b"GET" | b"HEAD" | b"OPTIONS")
    }

    /// The proxy answers itself if it still can, and else cuts the client off, so that a part is
    /// never taken for the whole.
    pub(crate) fn fail(&mut self, fault: Fault, now: Moment, out: &mut Out) {
        self.fault = Some(fault);
        out.upstream.clear();
        if self.response_begun {
            self.complete(ClientNext::Abort, false);
        } else {
            self.answer_error(fault.status(), now, out);
        }
    }

    /// Ends the exchange. An upstream connection still held is dropped unless it can be kept.
    pub(crate) fn complete(&mut self, next: ClientNext, keep_upstream: bool) {
        if matches!(self.phase, Phase::Forwarding | Phase::Tunnel) {
            let kept = if keep_upstream { Action::KeepUpstream } else { Action::DropUpstream };
            self.action_upstream = Some(kept);
        }
        self.action_connect = None;
        self.next = next;
        self.phase = Phase::Complete;
    }

    /// Tells whether bytes wait to be written, after a write; progress restarts the timeouts.
    pub fn flowed(&mut self, client_blocked: bool, upstream_blocked: bool, now: Moment) {
        if client_blocked != self.client_blocked {
            self.client_blocked = client_blocked;
            self.client_since = now.ms;
            // While the client was slow nothing was read: the upstream is not to blame.
            self.upstream_since = now.ms;
        }
        if upstream_blocked != self.upstream_blocked {
            self.upstream_blocked = upstream_blocked;
            self.upstream_since = now.ms;
            self.client_since = now.ms;
        }
    }

    /// A blocked client or upstream took some bytes.
    pub fn progressed(&mut self, now: Moment) {
        self.client_since = now.ms;
        self.upstream_since = now.ms;
    }

    /// When `expired` is to be called if nothing happens before.
    pub fn deadline(&self) -> Option<Millis> {
        let location = self.location();
        if self.client_blocked {
            return Some(self.client_since + location.client.send_timeout_ms);
        }
        let pass = self.pass()?;
        match self.phase {
            Phase::Complete => None,
            // The caller fails over between servers; each attempt has its own time.
            Phase::Connecting => None,
            Phase::Tunnel => Some(self.upstream_since + pass.timeouts.read_ms),
            Phase::Forwarding if self.upstream_blocked => {
                Some(self.upstream_since + pass.timeouts.send_ms)
            }
            Phase::Forwarding if !self.request_body.is_done() => {
                let body = self.client_since + location.client.body_timeout_ms;
                Some(body.min(self.upstream_since + pass.timeouts.read_ms))
            }
            Phase::Forwarding => Some(self.upstream_since + pass.timeouts.read_ms),
        }
    }

    /// The deadline has passed.
    pub fn expired(&mut self, now: Moment, out: &mut Out) {
        if self.deadline().is_none_or(|deadline| deadline > now.ms) {
            return;
        }
        if self.client_blocked {
            self.fault = Some(Fault::ClientStalled);
            self.complete(ClientNext::Abort, false);
            return;
        }
        let body_late = !self.request_body.is_done()
            && self.phase == Phase::Forwarding
            && !self.upstream_blocked
            && self.client_since + self.location().client.body_timeout_ms <= now.ms;
        let fault = if body_late { Fault::ClientTooSlow } else { Fault::UpstreamTimedOut };
        self.fail(fault, now, out);
    }

    /// Whether the client's side of this request may carry another one.
    pub(crate) fn client_may_persist(&self) -> bool {
        let location = self.location();
        self.head.persistent()
            && !self.draining
            && location.keepalive.timeout_ms > 0
            && self.client.requests < location.keepalive.requests
    }

    /// Whether the answer went out whole (nginx: `$request_completion`).
    pub(crate) fn completed(&self) -> bool {
        self.next != ClientNext::Abort
    }

    pub(crate) fn upstream_sent_bytes(&self) -> u64 {
        self.request_sent_bytes
    }

    pub(crate) fn client_version(&self) -> Version {
        self.head.version
    }
}
