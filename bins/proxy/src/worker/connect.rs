//! Getting an upstream connection for a request: an idle one, or a new one, from server to server
//! until one answers; and giving it back.

use std::rc::Rc;

use http1::Reject;
use sys::poller::{Interest, Readiness};
use sys::socket;

use super::client::{Attempt, Client};
use super::slab::{KEY_BITS, Key};
use super::upstream::{Link, SERVERS_TRIED_MAX};
use super::{Generation, LinkPlace, TAG_LINK, Worker};
use crate::exchange::{ConnectFault, Event, Fault};
use crate::metrics;

impl Worker {
    /// Begins to look for a connection. The exchange hears of the outcome, perhaps at once.
    pub(super) fn connect(&mut self, client: &mut Client, upstream: usize, fresh: bool) {
        let attempt = Attempt {
            upstream,
            tried: 0,
            server: 0,
            addresses_tried: usize::MAX,
            fresh,
            deadline: 0,
            fault: ConnectFault::NoneLive,
        };
        self.next_server(client, attempt);
    }

    /// Goes on with the next server; tells the exchange when there is none left.
    fn next_server(&mut self, client: &mut Client, mut attempt: Attempt) {
        let generation = Rc::clone(&client.generation);
        loop {
            let picked = generation.peers.borrow_mut().pick(
                generation.config(),
                attempt.upstream,
                attempt.tried,
                self.now.ms,
            );
            let Some(server) = picked else {
                let event = Event::ConnectFailed(attempt.fault);
                return self.tell(client, event);
            };
            attempt.server = server;
            attempt.tried |= 1 << server.min(SERVERS_TRIED_MAX - 1);
            attempt.addresses_tried = 0;
            if !attempt.fresh
                && let Some(link) = self.idle_link(client, &generation, attempt.upstream, server)
            {
                return self.attach(client, link, true);
            }
            if self.next_address(client, &generation, &mut attempt) {
                client.attempt = Some(Box::new(attempt));
                return;
            }
        }
    }

    /// An idle connection that is good as far as one can know.
    fn idle_link(
        &mut self,
        client: &Client,
        generation: &Generation,
        upstream: usize,
        server: usize,
    ) -> Option<Box<Link>> {
        let repeatable = client.exchange.as_ref().is_some_and(|exchange| exchange.may_repeat());
        loop {
            let link = generation.peers.borrow_mut().take_idle(upstream, server)?;
            // A request that cannot be repeated looks first whether the server has closed.
            let good =
                !link.closed && !link.readable && (repeatable || socket::is_quiet(&link.socket));
            if good {
                return Some(link);
            }
            self.links.release(link.key);
        }
    }

    /// Begins a connect to the next address of the server at hand; false when none is left.
    fn next_address(
        &mut self,
        client: &mut Client,
        generation: &Generation,
        attempt: &mut Attempt,
    ) -> bool {
        let (upstream, server) = (attempt.upstream, attempt.server);
        let addresses = generation.runtime.addresses.list(upstream, server);
        if addresses.is_empty() {
            generation.runtime.addresses.want(upstream, server);
            attempt.fault = ConnectFault::Unresolved;
            return false;
        }
        let preferred = generation.peers.borrow().preferred(upstream, server);
        while attempt.addresses_tried < addresses.len() {
            let index = (preferred + attempt.addresses_tried) % addresses.len();
            attempt.addresses_tried += 1;
            let address = addresses[index];
            let Ok(socket) = socket::connect(address) else {
                attempt.fault = ConnectFault::Refused;
                continue;
            };
            let key = self.links.reserve();
            let tagged = key.to_u64() | (TAG_LINK << KEY_BITS);
            if self.poller.add(&socket, tagged, Interest::Edges).is_err() {
                self.links.release(key);
                attempt.fault = ConnectFault::Refused;
                continue;
            }
            self.links.put(key, LinkPlace::Client(client.key));
            let timeout_ms = client
                .exchange
                .as_ref()
                .and_then(|exchange| exchange.pass())
                .map_or(60_000, |pass| pass.timeouts.connect_ms);
            attempt.deadline = self.now.ms + timeout_ms;
            client.link = Some(Box::new(Link {
                socket,
                key,
                upstream,
                server,
                address,
                requests: 0,
                connecting: true,
                readable: false,
                writable: false,
                closed: false,
                input: Vec::new(),
                pending: Vec::new(),
                idle_since: 0,
            }));
            return true;
        }
        generation.peers.borrow_mut().failed(generation.config(), upstream, server, self.now.ms);
        // A name's address may have changed: it is looked up again, in the background.
        generation.runtime.addresses.want(upstream, server);
        false
    }

    /// The connect at hand has failed.
    fn connect_failed(&mut self, client: &mut Client, fault: ConnectFault) {
        self.drop_link(client);
        let Some(mut attempt) = client.attempt.take() else { return };
        attempt.fault = fault;
        let generation = Rc::clone(&client.generation);
        if self.next_address(client, &generation, &mut attempt) {
            client.attempt = Some(attempt);
        } else {
            self.next_server(client, *attempt);
        }
    }

    /// The connect at hand takes too long.
    pub(super) fn connect_timed_out(&mut self, client: &mut Client) {
        self.connect_failed(client, ConnectFault::TimedOut);
    }

    /// Looks whether a begun connect has ended.
    pub(super) fn poll_connect(&mut self, client: &mut Client) -> bool {
        let Some(link) = &mut client.link else { return false };
        if !link.connecting || !(link.writable || link.closed) {
            return false;
        }
        if socket::connect_result(&link.socket).is_err() {
            self.connect_failed(client, ConnectFault::Refused);
            return true;
        }
        link.connecting = false;
        let (upstream, server, address) = (link.upstream, link.server, link.address);
        let generation = Rc::clone(&client.generation);
        let addresses = generation.runtime.addresses.list(upstream, server);
        let index = addresses.iter().position(|known| *known == address).unwrap_or(0);
        generation.peers.borrow_mut().succeeded(upstream, server, index);
        if let Some(link) = client.link.take() {
            self.attach(client, link, false);
        }
        true
    }

    fn attach(&mut self, client: &mut Client, mut link: Box<Link>, reused: bool) {
        let counter = match reused {
            true => &self.counters.upstream_reused,
            false => &self.counters.upstream_new,
        };
        metrics::add(counter, 1);
        link.requests += 1;
        self.links.put(link.key, LinkPlace::Client(client.key));
        let address = link.address;
        client.link = Some(link);
        client.attempt = None;
        self.tell(client, Event::Connected { address, reused });
    }

    pub(super) fn tell(&mut self, client: &mut Client, event: Event<'_>) {
        if let Some(exchange) = &mut client.exchange {
            exchange.handle(event, self.now, &mut self.out);
        }
    }

    /// The link goes back among the idle ones, if it is as it should be between requests.
    pub(super) fn keep_link(&mut self, client: &mut Client) {
        let Some(mut link) = client.link.take() else { return };
        let current = Rc::ptr_eq(&client.generation, &self.generation);
        // Bytes after the answer's end belong to no request.
        let clean = !link.closed && link.input.is_empty() && link.pending.is_empty();
        if !current || !clean || self.mode == super::Mode::Finishing {
            return self.links.release(link.key);
        }
        link.idle_since = self.now.ms;
        let place = LinkPlace::Idle { upstream: link.upstream, server: link.server };
        self.links.put(link.key, place);
        let surplus = self.generation.peers.borrow_mut().keep_idle(self.generation.config(), link);
        if let Some(link) = surplus {
            self.links.release(link.key);
        }
    }

    /// Closes the link.
    pub(super) fn drop_link(&mut self, client: &mut Client) {
        if let Some(link) = client.link.take() {
            self.links.release(link.key);
        }
    }

    /// Readiness of an upstream connection.
    pub(super) fn link_event(&mut self, key: Key, event: Readiness) {
        let Some(place) = self.links.get_mut(key) else { return };
        match *place {
            LinkPlace::Client(owner) => {
                let Some(client) = self.clients.get_mut(owner) else { return };
                if let Some(link) = client.link.as_mut().filter(|link| link.key == key) {
                    link.readable |= event.readable;
                    link.writable |= event.writable;
                    link.closed |= event.closed;
                    self.drive(owner);
                }
            }
            LinkPlace::Idle { upstream, server } => {
                // A new connection's first report of being writable may come late.
                if !event.readable && !event.closed {
                    return;
                }
                let generation = Rc::clone(&self.generation);
                let removed = generation.peers.borrow_mut().remove_idle(upstream, server, key);
                if removed.is_some() {
                    self.links.release(key);
                }
            }
        }
    }

    /// Says why a request failed, at most once a second with a count of the others.
    pub(super) fn log_fault(&mut self, client: &Client) {
        let Some(exchange) = &client.exchange else { return };
        let Some(fault) = exchange.fault() else { return };
        if matches!(fault, Fault::Client(_)) {
            metrics::add(&self.counters.rejected, 1);
        }
        // nginx tells of a client that left at its level info, which nobody reads here.
        if matches!(fault, Fault::ClientLeft) {
            return;
        }
        let Some(suppressed) = self.fault_throttle.allow(self.instant()) else { return };
        if let Fault::Client(reject) = fault {
            let (status, remote, rule) = (reject.status(), client.remote, reject.label());
            return log::info!("{status} for {remote}: {rule} ({suppressed} more since the last)");
        }
        let upstream = exchange.pass().map_or(&b"-"[..], |pass| &pass.url.host);
        let detail = match fault {
            Fault::Upstream(reject) => Reject::label(reject),
            _ => "",
        };
        log::error!(
            "{} {detail} (client {}, upstream {}, status {}; {suppressed} more since the last)",
            fault.text(),
            client.remote,
            String::from_utf8_lossy(upstream),
            exchange.outcome().0,
        );
    }
}
