//! Driving one connection: bytes from its sockets to the exchange, what the exchange produced to
//! the sockets, until neither can go on.

use std::rc::Rc;
use std::time::Instant;

use http1::{Limits, Parsed};
use sys::socket;

use super::client::{Client, Read, State, Writer, read_once};
use super::slab::Key;
use super::upstream::Link;
use super::{Mode, Worker};
use crate::exchange::clock::Millis;
use crate::exchange::{Action, ClientInfo, ClientNext, Event, Exchange};
use crate::metrics;
use proxy_core::config::model::AccessLog;

/// Steps of one connection before the others have their turn.
const STEPS_MAX: usize = 16;
/// nginx: lingering_timeout 5 s, lingering_time 30 s.
const LINGER_MS: Millis = 5_000;
/// A head may have this many fields; nginx has no bound but the size of the head.
const FIELDS_MAX: usize = 100;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Progress,
    Idle,
    Close,
}

impl Client {
    fn writer(&mut self) -> Writer<'_> {
        Writer {
            socket: &self.socket,
            writable: &mut self.writable,
            closed: &mut self.closed,
            pending: &mut self.pending,
        }
    }
}

impl Link {
    fn writer(&mut self) -> Writer<'_> {
        Writer {
            socket: &self.socket,
            writable: &mut self.writable,
            closed: &mut self.closed,
            pending: &mut self.pending,
        }
    }
}

impl Worker {
    pub(super) fn info(&self, client: &Client) -> ClientInfo {
        ClientInfo {
            remote: client.remote,
            local: client.local,
            serial: client.serial,
            requests: client.requests,
            draining: self.mode != Mode::Serving,
        }
    }

    /// Goes on with a connection as far as it can go now.
    pub(super) fn drive(&mut self, key: Key) {
        let Some(mut client) = self.clients.take(key) else { return };
        for _ in 0..STEPS_MAX {
            let step = self.step(&mut client);
            // The buffers are shared by all connections: nothing of one may be left for another.
            debug_assert!(self.out.client.is_empty() && self.out.upstream.is_empty());
            match step {
                Step::Progress => {}
                Step::Idle => return self.park(client),
                Step::Close => return self.dismiss(client),
            }
        }
        self.ready.push(key);
        self.park(client);
    }

    fn park(&mut self, mut client: Box<Client>) {
        let header_timeout_ms = self.header_timeout_ms(&client.generation, client.listener);
        if let Some(deadline) = client.deadline(header_timeout_ms) {
            client.entered = self.timers.enter(client.key, deadline, client.entered);
        }
        self.clients.put(client.key, client);
    }

    fn dismiss(&mut self, mut client: Box<Client>) {
        self.drop_link(&mut client);
        if let Some(exchange) = client.exchange.take() {
            self.give_back(exchange);
        }
        metrics::sub(&self.counters.connections, 1);
        if client.state != State::Active {
            metrics::sub(&self.counters.connections_idle, 1);
        }
        self.clients.release(client.key);
    }

    pub(super) fn close_client(&mut self, key: Key) {
        if let Some(client) = self.clients.take(key) {
            self.dismiss(client);
        }
    }

    fn step(&mut self, client: &mut Client) -> Step {
        match client.state {
            State::Head { .. } => self.step_head(client),
            State::Active => self.step_active(client),
            State::Lingering { .. } => self.step_lingering(client),
        }
    }

    fn step_head(&mut self, client: &mut Client) -> Step {
        if std::mem::take(&mut client.input_unseen) && !client.input.is_empty() {
            let input = std::mem::take(&mut client.input);
            return self.head_bytes(client, &input);
        }
        let mut scratch = std::mem::take(&mut self.scratch);
        let read = read_once(&client.socket, &mut client.readable, client.closed, &mut scratch);
        let step = match read {
            Read::Nothing => Step::Idle,
            Read::Ended => Step::Close,
            Read::Bytes(count) if client.input.is_empty() => {
                self.head_bytes(client, &scratch[..count])
            }
            Read::Bytes(count) => {
                let mut input = std::mem::take(&mut client.input);
                input.extend_from_slice(&scratch[..count]);
                self.head_bytes(client, &input)
            }
        };
        self.scratch = scratch;
        step
    }

    /// Bytes that begin with a head, perhaps with a part of one.
    fn head_bytes(&mut self, client: &mut Client, bytes: &[u8]) -> Step {
        if client.state == (State::Head { begun: None }) {
            client.state = State::Head { begun: Some(self.now.ms) };
        }
        client.generation = Rc::clone(&self.generation);
        let Some(bound) = self.listeners[client.listener].listen else { return Step::Close };
        let generation = Rc::clone(&client.generation);
        let config = generation.config();
        let listen = config.listen_for(bound, client.local);
        let server = &config.servers[config.listens[listen].default_server];
        let limits = Limits {
            line_bytes_max: server.client.line_bytes_max,
            field_bytes_max: server.client.line_bytes_max,
            head_bytes_max: server.client.head_bytes_max,
            fields_max: FIELDS_MAX,
        };
        let mut exchange = self.spare_exchange(client);
        let parsed = http1::parse_request(bytes, &limits, exchange.head_mut());
        if matches!(parsed, Parsed::NeedMore) {
            self.give_back(exchange);
            client.input = bytes.to_vec();
            return Step::Progress;
        }
        client.requests += 1;
        client.state = State::Active;
        metrics::sub(&self.counters.connections_idle, 1);
        let snapshot = Rc::clone(&generation.snapshot);
        match parsed {
            Parsed::Done { used, .. } => {
                let info = self.info(client);
                exchange.begin(snapshot, listen, info, &bytes[..used], self.now, &mut self.out);
                client.input = bytes[used..].to_vec();
            }
            Parsed::Reject(reject) => {
                let broken = (bytes, reject);
                let info = self.info(client);
                exchange.reject(snapshot, listen, info, broken, self.now, &mut self.out);
            }
            Parsed::NeedMore => {}
        }
        client.exchange = Some(exchange);
        self.write_out(client);
        Step::Progress
    }

    fn step_active(&mut self, client: &mut Client) -> Step {
        let mut progress = self.poll_connect(client);
        progress |= self.read_client(client);
        progress |= self.read_upstream(client);
        progress |= self.write_out(client);
        progress |= self.act(client);
        let Some(exchange) = &client.exchange else { return Step::Close };
        if exchange.is_complete() {
            let aborted = exchange.client_next() == ClientNext::Abort;
            if aborted || client.pending.is_empty() || client.closed && !client.writable {
                return self.finish(client);
            }
        }
        if progress { Step::Progress } else { Step::Idle }
    }

    /// Body bytes (or the tunnel's), or word that the client has left.
    fn read_client(&mut self, client: &mut Client) -> bool {
        let Some(exchange) = &mut client.exchange else { return false };
        let blocked = client.link.as_ref().is_some_and(|link| !link.pending.is_empty());
        if !exchange.wants_client() || blocked {
            // nginx: a client that closes while it is served has left (epoll tells at once).
            let left = client.closed && !exchange.is_complete();
            if left {
                exchange.handle(Event::ClientEnd, self.now, &mut self.out);
            }
            return left;
        }
        if !client.input.is_empty() {
            let used = exchange.handle(Event::ClientBytes(&client.input), self.now, &mut self.out);
            client.input.drain(..used);
            if used > 0 {
                return true;
            }
        }
        let mut scratch = std::mem::take(&mut self.scratch);
        let read = read_once(&client.socket, &mut client.readable, client.closed, &mut scratch);
        match read {
            Read::Nothing => {}
            Read::Ended => {
                exchange.handle(Event::ClientEnd, self.now, &mut self.out);
            }
            Read::Bytes(count) if client.input.is_empty() => {
                let mut bytes = &scratch[..count];
                if self.out.upstream.is_empty()
                    && let Some(link) = &mut client.link
                {
                    let relayed = exchange.relay_client(bytes, self.now);
                    link.writer().send(&bytes[..relayed]);
                    bytes = &bytes[relayed..];
                }
                let used = exchange.handle(Event::ClientBytes(bytes), self.now, &mut self.out);
                client.input.extend_from_slice(&bytes[used..]);
            }
            Read::Bytes(count) => {
                client.input.extend_from_slice(&scratch[..count]);
                let used =
                    exchange.handle(Event::ClientBytes(&client.input), self.now, &mut self.out);
                client.input.drain(..used);
            }
        }
        self.scratch = scratch;
        read != Read::Nothing
    }

    fn read_upstream(&mut self, client: &mut Client) -> bool {
        let Some(exchange) = &mut client.exchange else { return false };
        if !exchange.wants_upstream() || !client.pending.is_empty() {
            return false;
        }
        let Some(link) = &mut client.link else { return false };
        let mut scratch = std::mem::take(&mut self.scratch);
        let read = read_once(&link.socket, &mut link.readable, link.closed, &mut scratch);
        match read {
            Read::Nothing => {}
            Read::Ended => {
                exchange.handle(Event::UpstreamEnd, self.now, &mut self.out);
            }
            Read::Bytes(count) if link.input.is_empty() => {
                let mut bytes = &scratch[..count];
                if self.out.client.is_empty() {
                    let relayed = exchange.relay_upstream(bytes, self.now, &mut self.out);
                    let mut writer = Writer {
                        socket: &client.socket,
                        writable: &mut client.writable,
                        closed: &mut client.closed,
                        pending: &mut client.pending,
                    };
                    writer.send(&bytes[..relayed]);
                    bytes = &bytes[relayed..];
                }
                let used = exchange.handle(Event::UpstreamBytes(bytes), self.now, &mut self.out);
                link.input.extend_from_slice(&bytes[used..]);
            }
            Read::Bytes(count) => {
                link.input.extend_from_slice(&scratch[..count]);
                let used =
                    exchange.handle(Event::UpstreamBytes(&link.input), self.now, &mut self.out);
                link.input.drain(..used);
            }
        }
        self.scratch = scratch;
        read != Read::Nothing
    }

    /// What waits, then what is new, to both sides.
    fn write_out(&mut self, client: &mut Client) -> bool {
        let mut progress = client.writer().flush();
        if !self.out.client.is_empty() {
            client.writer().send(&self.out.client);
            self.out.client.clear();
        }
        if let Some(link) = &mut client.link {
            progress |= link.writer().flush();
            link.writer().send(&self.out.upstream);
            if link.closed && !link.readable {
                // A write that failed: what the upstream said before, or its end, is to be read.
                link.readable = true;
                progress = true;
            }
        }
        self.out.upstream.clear();
        let client_blocked = !client.pending.is_empty();
        let upstream_blocked = client.link.as_ref().is_some_and(|link| !link.pending.is_empty());
        if let Some(exchange) = &mut client.exchange {
            if progress {
                exchange.progressed(self.now);
            }
            exchange.flowed(client_blocked, upstream_blocked, self.now);
        }
        progress
    }

    fn act(&mut self, client: &mut Client) -> bool {
        let mut progress = false;
        while let Some(action) =
            client.exchange.as_mut().and_then(|exchange| exchange.poll_action())
        {
            progress = true;
            match action {
                Action::Connect { upstream, fresh } => self.connect(client, upstream, fresh),
                Action::KeepUpstream => self.keep_link(client),
                Action::DropUpstream => self.drop_link(client),
            }
            self.write_out(client);
        }
        progress
    }

    /// The exchange is over and all of it is sent: its line is written, and the connection goes on.
    fn finish(&mut self, client: &mut Client) -> Step {
        self.drop_link(client);
        client.attempt = None;
        self.log_fault(client);
        let Some(exchange) = client.exchange.take() else { return Step::Close };
        self.log_exchange(&exchange);
        let (status, source) = exchange.outcome();
        self.counters.count_request(status, source);
        metrics::add(&self.counters.retries, u64::from(exchange.retries()));
        let next = exchange.client_next();
        let keepalive_ms = exchange.location().keepalive.timeout_ms;
        self.give_back(exchange);
        metrics::add(&self.counters.connections_idle, 1);
        client.state = State::Head { begun: None };
        match next {
            ClientNext::KeepAlive if self.mode == Mode::Finishing && client.input.is_empty() => {
                Step::Close
            }
            ClientNext::KeepAlive => {
                client.idle_until = self.now.ms + keepalive_ms;
                client.input_unseen = true;
                Step::Progress
            }
            ClientNext::Linger => {
                socket::shutdown_write(&client.socket);
                client.input = Vec::new();
                client.state = State::Lingering { until: self.now.ms + LINGER_MS };
                Step::Progress
            }
            ClientNext::Close | ClientNext::Abort => Step::Close,
        }
    }

    /// Reads away what a client still sends after its answer.
    fn step_lingering(&mut self, client: &mut Client) -> Step {
        let mut scratch = std::mem::take(&mut self.scratch);
        let read = read_once(&client.socket, &mut client.readable, client.closed, &mut scratch);
        self.scratch = scratch;
        match read {
            Read::Bytes(_) => Step::Progress,
            Read::Nothing => Step::Idle,
            Read::Ended => Step::Close,
        }
    }

    /// A timer's entry has come due.
    pub(super) fn fire(&mut self, key: Key, at: Millis) {
        let Some(mut client) = self.clients.take(key) else { return };
        if client.entered == Some(at) {
            client.entered = None;
        }
        let header_timeout_ms = self.header_timeout_ms(&client.generation, client.listener);
        let due = client.deadline(header_timeout_ms).is_some_and(|when| when <= self.now.ms);
        if !due {
            return self.park(client);
        }
        match client.state {
            State::Head { begun: None } | State::Lingering { .. } => self.dismiss(client),
            State::Head { begun: Some(_) } => {
                self.head_timed_out(&mut client);
                self.clients.put(key, client);
                self.drive(key);
            }
            State::Active => {
                if client.attempt.is_some() {
                    self.connect_timed_out(&mut client);
                } else if let Some(exchange) = &mut client.exchange {
                    exchange.expired(self.now, &mut self.out);
                }
                self.write_out(&mut client);
                self.clients.put(key, client);
                self.drive(key);
            }
        }
    }

    fn head_timed_out(&mut self, client: &mut Client) {
        let listen = self.listeners[client.listener].listen.unwrap_or(0);
        let mut exchange = self.spare_exchange(client);
        client.requests += 1;
        client.state = State::Active;
        metrics::sub(&self.counters.connections_idle, 1);
        let snapshot = Rc::clone(&client.generation.snapshot);
        let info = self.info(client);
        let input = std::mem::take(&mut client.input);
        exchange.head_timed_out(snapshot, listen, info, &input, self.now, &mut self.out);
        client.exchange = Some(exchange);
        self.write_out(client);
    }

    fn log_exchange(&mut self, exchange: &Exchange) {
        let config = &exchange.config;
        for AccessLog { file, format } in &exchange.location().access_logs {
            let file = &config.log_files[*file];
            let index = match self.log_lines.iter().position(|(known, _)| known == file) {
                Some(index) => index,
                None => {
                    self.log_lines.push((file.clone(), Vec::new()));
                    self.log_lines.len() - 1
                }
            };
            let lines = &mut self.log_lines[index].1;
            exchange.push_log_line(&config.log_formats[*format], self.now, lines);
        }
    }

    /// For the throttles of the log.
    pub(super) fn instant(&self) -> Instant {
        self.origin + std::time::Duration::from_millis(self.now.ms)
    }
}
