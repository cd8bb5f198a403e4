//! Connections come in, within the worker's bounds.

use super::{Client, Engine, Mode};
use crate::connection::{Connection, Kin, State};
use crate::exchange::Exchange;
use crate::generation::At;
use crate::listeners::ListenerId;
use crate::net::{Cause, Net, Socket, Token};
use crate::request::ClientInfo;
use crate::slab::Key;
use crate::stream::Stream;

/// Connections closed at once when room is needed: looking for the oldest costs a walk.
const DROPPED_AT_ONCE: usize = 32;
/// How long a connection may take to begin, or to send a head, before it may give way to others.
const HEAD_GRACE_MS: u64 = 1_000;
/// How soon room is looked for again while there is none.
pub(super) const FULL_RETRY_MS: u64 = 100;

impl<N: Net> Engine<N> {
    /// A client has connected by this listener. An error says that it cannot be watched.
    pub fn accepted(
        &mut self,
        socket: N::Socket,
        remote: std::net::SocketAddr,
        listener: ListenerId,
        net: &mut N,
    ) -> Result<(), Cause> {
        // A listener that a reload has closed may still have given this connection.
        let Some(address) = self.generation.address(listener) else { return Ok(()) };
        let mut local = address;
        let mut is_local_known = !address.ip().is_unspecified();
        if !is_local_known && self.generation.needs_local_address() {
            local = socket.local_address().unwrap_or(address);
            is_local_known = true;
        }
        let Some(at) = At::of(&self.generation, listener, local) else { return Ok(()) };
        let key = self.clients.reserve();
        if let Err(cause) = net.watch(&socket, Token::Client(key)) {
            self.clients.release(key);
            return Err(cause);
        }
        let counters = &mut self.output.counters;
        counters.accepted += 1;
        counters.connections += 1;
        counters.connections_idle += 1;
        // nginx: no name is known yet, so that the address's default server says how long.
        let header_timeout_ms = at.server(at.default_place()).client.header_timeout_ms;
        let info = ClientInfo {
            remote,
            local,
            since_ms: self.now.ms,
            serial: self.ids.next_serial,
            requests: 0,
            is_pipelined: false,
            proxied: None,
            path: None,
        };
        self.ids.next_serial += 1;
        let until_ms = self.now.ms.saturating_add(header_timeout_ms);
        let state = match at.listen().proxy_protocol {
            true => State::Preface { until_ms },
            false => State::Idle { until_ms },
        };
        let client = Connection {
            key,
            stream: Stream::new(socket, true),
            info,
            is_local_known,
            listener,
            at,
            state,
            since_ms: self.now.ms,
            head_bytes: 0,
            kin: Kin::Client,
            exchange: None,
            link: None,
        };
        self.park(Box::new(client));
        Ok(())
    }

    /// An exchange of a client's that has no connection: it goes on by itself.
    pub(super) fn begin_aside(
        &mut self,
        client: &Client<N>,
        stream: Stream<N::Socket>,
        kin: Kin,
        exchange: Box<Exchange>,
    ) -> Key {
        debug_assert!(matches!(kin, Kin::Part { .. } | Kin::Mirror { .. }), "it is a subrequest");
        let key = self.clients.reserve();
        self.park(Box::new(Connection {
            key,
            stream,
            info: client.info.clone(),
            is_local_known: true,
            listener: client.listener,
            at: client.at.clone(),
            state: State::Active,
            since_ms: self.now.ms,
            head_bytes: 0,
            kin,
            exchange: Some(exchange),
            link: None,
        }));
        self.ready.push(key);
        key
    }

    /// Whether there is no room for another connection. nginx: `worker_connections`; idle ones
    /// give way first, and connections wait in the listener's queue as long as there is none to
    /// give way.
    pub fn is_full(&mut self) -> bool {
        self.room.is_full = self.is_at_bound();
        // Looking for who gives way costs a walk: in vain it is not done at every turn.
        if self.room.is_full && self.now.ms >= self.room.look_again_ms {
            let before = self.clients.len() + self.pool.len();
            self.drop_oldest_idle();
            self.room.is_full = self.is_at_bound();
            if self.clients.len() + self.pool.len() == before {
                self.room.look_again_ms = self.now.ms + FULL_RETRY_MS;
            }
        }
        self.room.is_full
    }

    /// A client with a request under way may need a second connection, to an upstream.
    pub(super) fn is_at_bound(&self) -> bool {
        let max = self
            .generation
            .config()
            .process
            .worker_connections
            .unwrap_or(self.room.limits.connections_max);
        let idle = usize::try_from(self.output.counters.connections_idle).unwrap_or(0);
        let clients = self.clients.len();
        // A subrequest has no client, and one connection.
        let active = clients.saturating_sub(idle + self.room.mirrors.count + self.room.parts);
        clients + active + self.pool.len() >= max.max(2)
    }

    /// Makes room: connections that are kept for later first, then those whose request has not
    /// come within a time in which it should have.
    fn drop_oldest_idle(&mut self) {
        let dropped = self.drop_first(
            |client| match client.state {
                State::Idle { until_ms } if client.info.requests > 0 => Some(until_ms),
                State::Lingering { quiet_ms, .. } => Some(quiet_ms),
                _ => None,
            },
            DROPPED_AT_ONCE,
        );
        self.output.counters.idle_dropped += dropped as u64;
        if dropped > 0 {
            return;
        }
        if let Some(link) = self.pool.take_oldest() {
            return self.links.release(link.key);
        }
        let young = self.now.ms.saturating_sub(HEAD_GRACE_MS);
        let dropped = self.drop_first(
            |client| {
                match client.state {
                    State::Preface { .. } | State::Head { .. } | State::Idle { .. } => {
                        Some(client.since_ms)
                    }
                    _ => None,
                }
                .filter(|since| *since <= young)
            },
            DROPPED_AT_ONCE,
        );
        self.output.counters.heads_dropped += dropped as u64;
    }

    /// Closes the connections for which `order` gives the least; how many that were.
    fn drop_first(&mut self, order: impl Fn(&Client<N>) -> Option<u64>, most: usize) -> usize {
        let all = self.clients.iter();
        let mut found: Vec<(u64, Key)> =
            all.filter_map(|(key, client)| Some((order(client)?, key))).collect();
        if found.len() > most {
            found.select_nth_unstable(most);
            found.truncate(most);
        }
        for (_, key) in &found {
            self.close(*key);
        }
        found.len()
    }

    pub(super) fn close(&mut self, key: Key) {
        if let Some(client) = self.clients.take(key) {
            self.dismiss(client);
        }
    }

    /// A head under way has grown to so many bytes: if all of them together are too many, the
    /// oldest give way. False where it is the oldest itself.
    pub(super) fn hold_head(&mut self, client: &mut Client<N>, bytes: usize) -> bool {
        debug_assert!(client.head_bytes <= self.room.heads_bytes);
        self.room.heads_bytes = self.room.heads_bytes - client.head_bytes + bytes;
        client.head_bytes = bytes;
        let own_ms = client.since_ms;
        while self.room.heads_bytes > self.room.limits.heads_bytes_max {
            let begun = |client: &Client<N>| match client.state {
                State::Head { begun } => Some(begun.ms).filter(|ms| *ms <= own_ms),
                _ => None,
            };
            let dropped = self.drop_first(begun, DROPPED_AT_ONCE);
            self.output.counters.heads_dropped += dropped as u64;
            if dropped == 0 {
                // One that is alone may be as large as the file lets it.
                let is_alone = self.room.heads_bytes == client.head_bytes;
                self.output.counters.heads_dropped += u64::from(!is_alone);
                return is_alone;
            }
        }
        true
    }

    pub(super) fn release_head(&mut self, client: &mut Client<N>) {
        debug_assert!(client.head_bytes <= self.room.heads_bytes);
        self.room.heads_bytes -= client.head_bytes;
        client.head_bytes = 0;
    }

    pub(super) fn is_draining(&self) -> bool {
        self.mode != Mode::Serving
    }
}
