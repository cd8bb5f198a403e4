//! A new configuration, and the end.

use std::rc::Rc;

use super::{Engine, Mode};
use crate::canary::{Canary, is_planted};
use crate::connection::State;
use crate::generation::{At, Generation};
use crate::net::Net;
use crate::upstream::address::Address;
use crate::upstream::link::ServerId;

impl<N: Net> Engine<N> {
    /// New requests get this configuration; exchanges under way keep theirs.
    pub fn reload(&mut self, generation: Rc<Generation>) {
        if !is_planted(Canary::PoolOutlivesReload) {
            for link in self.pool.take_all() {
                self.links.release(link.key);
            }
            self.pool = crate::upstream::pool::Pool::new(generation.config());
        }
        self.generation = generation;
        // Neither spares nor idle connections hold the old one.
        self.buffers.spare.clear();
        let waiting = |state: State| {
            matches!(state, State::Preface { .. } | State::Idle { .. } | State::Head { .. })
        };
        let keys: Vec<_> = self
            .clients
            .iter()
            .filter(|(_, client)| waiting(client.state))
            .map(|(key, _)| key)
            .collect();
        for key in keys {
            let Some(client) = self.clients.get_mut(key) else { continue };
            if self.generation.needs_local_address() {
                // If the next one does not serve it any more, this is the place of its last request.
                client.know_local_address();
            }
            if let Some(at) = At::of(&self.generation, client.listener, client.info.local) {
                client.at = at;
            }
            if let Some(deadline) = client.deadline() {
                self.timers.enter(key, deadline);
            }
        }
    }

    /// Names were looked up again.
    pub fn set_addresses(&mut self, found: &[(ServerId, Vec<Address>)]) {
        let mut peers = self.generation.peers.borrow_mut();
        for (id, addresses) in found {
            peers.set_addresses(*id, addresses);
        }
    }

    /// Servers whose names are to be looked up again, each told once.
    pub fn take_wanted(&mut self) -> Vec<ServerId> {
        self.generation.peers.borrow_mut().take_wanted()
    }

    /// From now on answers that have not begun say `Connection: close`.
    pub fn drain(&mut self) {
        if self.mode != Mode::Serving {
            return;
        }
        self.mode = Mode::Draining;
        let keys: Vec<_> = self.clients.iter().map(|(key, _)| key).collect();
        for key in keys {
            if let Some(exchange) =
                self.clients.get_mut(key).and_then(|client| client.exchange.as_mut())
            {
                exchange.drain();
            }
        }
    }

    /// No more connections come: what has begun is finished, and idle ones are closed soon.
    pub fn finish_all(&mut self, net: &mut N) {
        self.drain();
        if self.mode == Mode::Finishing {
            return;
        }
        self.mode = Mode::Finishing;
        self.room.is_full = false;
        for link in self.pool.take_all() {
            self.links.release(link.key);
        }
        // A request may have come with a connection, or just now: it is answered.
        let keys: Vec<_> = self.clients.iter().map(|(key, _)| key).collect();
        for key in keys {
            self.drive(key, net);
        }
        self.hurry();
    }
}
