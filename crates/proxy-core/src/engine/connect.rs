//! Getting an upstream connection for an exchange, and giving it back.

use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;

use super::{Client, Engine, LinkPlace, Mode, NameWanted};
use crate::canary::{Canary, is_planted};
use crate::fault::{Fault, UpstreamFault};
use crate::net::{DialFault, Net, Socket, Token};
use crate::resolver::wire::NameFault;
use crate::slab::Key;
use crate::stream::Stream;
use crate::upstream::call::Step;
use crate::upstream::link::{Link, ServerId};

/// A connection that is open after it has been idle for so long shows that its server keeps them.
const PROOF_MS: u64 = 1_000;

impl<N: Net> Engine<N> {
    /// Gets on with connecting: an idle connection, or a new one, from server to server until one
    /// is there or under way.
    pub(super) fn connect(&mut self, client: &mut Client<N>, net: &mut N) {
        loop {
            let Some(exchange) = &mut client.exchange else { return };
            let Some(step) = exchange.step(self.now, &mut self.buffers.out) else { return };
            match step {
                Step::TakeIdle(id) => {
                    if let Some(link) = self.idle_link(client, id) {
                        return self.attach(client, link, true);
                    }
                }
                Step::Dial(server, address) => {
                    debug_assert!(client.link.is_none(), "one connection at a time");
                    let key = self.links.reserve();
                    let from = exchange.from();
                    match net.dial(&address, from, Token::Link(key)) {
                        Ok(socket) => {
                            self.links.put(key, LinkPlace::Client(client.key));
                            client.link = Some(Box::new(Link {
                                stream: Stream::new(socket, false),
                                key,
                                server,
                                address,
                                from,
                                requests: 0,
                                is_connecting: true,
                                idle_since: 0,
                                began_ms: self.now.ms,
                                held: exchange.hold(),
                            }));
                            return;
                        }
                        Err(fault) => {
                            self.links.release(key);
                            match fault {
                                DialFault::Peer(cause) => {
                                    exchange.dial_failed(UpstreamFault::Connect(cause), self.now);
                                }
                                DialFault::Unusable(cause) => {
                                    exchange.dial_failed(UpstreamFault::Unusable(cause), self.now);
                                }
                                DialFault::Own(cause)
                                    if is_planted(Canary::ShortageBlamesServer) =>
                                {
                                    exchange.dial_failed(UpstreamFault::Connect(cause), self.now);
                                }
                                DialFault::Own(cause) => {
                                    let out = &mut self.buffers.out;
                                    return exchange.shortage(
                                        Fault::Shortage(cause),
                                        self.now,
                                        out,
                                    );
                                }
                                DialFault::Bind(cause) => {
                                    let out = &mut self.buffers.out;
                                    return exchange.shortage(Fault::Bind(cause), self.now, out);
                                }
                            }
                        }
                    }
                }
                Step::GiveUp(_) => return,
            }
        }
    }

    /// Has the name looked up that a request waits for.
    pub(super) fn want_name(&mut self, client: &Client<N>) {
        let wanted = client.exchange.as_ref().and_then(|exchange| exchange.name_wanted());
        if let Some((resolver, name)) = wanted {
            let (resolver, name) = (Arc::clone(resolver), name.to_owned());
            self.output.lookups.push(NameWanted { client: client.key, resolver, name });
        }
    }

    /// What a name has come to that a client's request has waited for; it may not any more. Addresses
    /// are tried in their order.
    pub fn resolved(
        &mut self,
        (key, name): (Key, &str),
        outcome: Result<Vec<IpAddr>, NameFault>,
        net: &mut N,
    ) {
        let Some(mut client) = self.clients.take(key) else { return };
        if let Some(exchange) = &mut client.exchange {
            exchange.resolved(name, outcome, self.now, &mut self.buffers.out);
            self.write_out(&mut client);
        }
        self.clients.put(key, client);
        self.drive(key, net);
    }

    /// An idle connection that is good as far as one can know. Links of another generation are
    /// not in the pool.
    fn idle_link(&mut self, client: &Client<N>, id: ServerId) -> Option<Box<Link<N::Socket>>> {
        let exchange = client.exchange.as_ref()?;
        if !Rc::ptr_eq(exchange.request.at.generation(), &self.generation) {
            return None;
        }
        // A request that cannot be sent again looks first whether the server has closed, and does
        // not trust one that may be about to.
        let looks = !exchange.may_meet_dead_link();
        if looks && !self.keeps_connections(id) {
            return None;
        }
        let from = exchange.from();
        loop {
            let mut link = self.pool.take(id, from)?;
            let is_good = !link.stream.has_ended() && !link.stream.is_readable()
                || is_planted(Canary::EndedLinkKept);
            if is_good && (!looks || is_quiet(&mut link)) {
                return Some(link);
            }
            self.links.release(link.key);
        }
    }

    /// Whether the server has been seen to keep connections: an answer came on one that had been
    /// idle, or one has been idle for a while and is still open.
    fn keeps_connections(&mut self, id: ServerId) -> bool {
        let mut peers = self.generation.peers.borrow_mut();
        if peers.keeps_connections(id) {
            return true;
        }
        let old_since = self.now.ms.saturating_sub(PROOF_MS);
        let has_proved = self.pool.longest_idle(id).is_some_and(|link| {
            link.idle_since <= old_since && !link.stream.is_readable() && is_quiet(link)
        });
        if has_proved {
            peers.note_keeping(id, true);
        }
        has_proved
    }

    /// Looks whether a begun connect has ended.
    pub(super) fn poll_connect(&mut self, client: &mut Client<N>) -> bool {
        let Some(link) = client.link.as_mut().filter(|link| link.is_connecting) else {
            return false;
        };
        if !link.stream.is_writable() {
            return false;
        }
        if let Some(Err(cause)) = link.stream.socket().map(Socket::connect_result) {
            self.drop_link(client);
            if let Some(exchange) = &mut client.exchange {
                exchange.dial_failed(UpstreamFault::Connect(cause), self.now);
            }
            return true;
        }
        link.is_connecting = false;
        if let Some(link) = client.link.take() {
            self.attach(client, link, false);
        }
        true
    }

    fn attach(&mut self, client: &mut Client<N>, mut link: Box<Link<N::Socket>>, reused: bool) {
        debug_assert!(client.link.is_none() && !link.is_connecting);
        let counters = &mut self.output.counters;
        match reused {
            true => counters.upstream_reused += 1,
            false => counters.upstream_new += 1,
        }
        link.requests += 1;
        self.links.put(link.key, LinkPlace::Client(client.key));
        let link = client.link.insert(link);
        if let Some(exchange) = &mut client.exchange {
            if link.held.is_none() {
                link.held = exchange.hold();
            }
            exchange.attached(
                (link.server, &link.address),
                reused,
                self.now,
                &mut self.buffers.out,
            );
        }
    }

    /// The link goes back among the idle ones, if it is as it should be between requests.
    pub(super) fn keep_link(&mut self, client: &mut Client<N>) {
        let Some(link) = client.link.take() else { return };
        let is_current = client
            .exchange
            .as_ref()
            .is_some_and(|one| Rc::ptr_eq(one.request.at.generation(), &self.generation));
        let stream = &link.stream;
        // Bytes after the answer's end belong to no request.
        let is_clean = !stream.has_ended()
            && !stream.is_broken()
            && !stream.is_blocked()
            && (stream.unread.is_empty() || is_planted(Canary::LinkKeptWithBytes));
        if !is_current || !is_clean || self.mode == Mode::Finishing {
            return self.links.release(link.key);
        }
        self.links.put(link.key, LinkPlace::Idle(link.server));
        let config = self.generation.config();
        let is_proven = self.generation.peers.borrow_mut().keeps_connections(link.server);
        if let Some(surplus) = self.pool.keep(config, link, is_proven, self.now.ms) {
            self.links.release(surplus.key);
        }
    }

    /// Closes the link.
    pub(super) fn drop_link(&mut self, client: &mut Client<N>) {
        if let Some(link) = client.link.take() {
            self.links.release(link.key);
        }
    }
}

/// Whether its server has neither sent anything nor closed.
fn is_quiet<S: Socket>(link: &mut Link<S>) -> bool {
    link.stream.socket().is_some_and(Socket::is_quiet)
}
