//! nginx: `addition`: parts of an answer, each an exchange without a client, whose content goes
//! through the answer's.
//!
//! A client has one part at a time. It stops where the client does, and ends with it.

use super::{Client, Engine};
use crate::connection::Kin;
use crate::exchange::Out;
use crate::net::Net;
use crate::slab::Key;
use crate::stream::Stream;

impl<N: Net> Engine<N> {
    /// Begins the part that a client's answer asks for.
    pub(super) fn begin_part(&mut self, client: &mut Client<N>) {
        debug_assert_eq!(client.kin, Kin::Client, "one part at a time, and a part has none");
        let request = client.exchange.as_mut().and_then(|exchange| exchange.take_part());
        let Some(request) = request else { return };
        let mut part = self.spare_exchange(client);
        let mut out = Out::default();
        part.begin_part(*request, self.now, &mut out);
        debug_assert!(out.upstream.is_empty(), "no server is there yet");
        if let Some(exchange) = &mut client.exchange {
            exchange.add(&out.client, &mut self.buffers.out);
        }
        self.room.parts += 1;
        let kin = Kin::Part { of: client.key };
        let part = self.begin_aside(client, Stream::to_nobody(true), kin, part);
        client.kin = Kin::Whole { part };
    }

    /// What a part has to say goes to its server, and to the client whose answer it is for. True
    /// where there may be more to do.
    pub(super) fn write_part(&mut self, client: &mut Client<N>, of: Key) -> bool {
        let mut data = std::mem::take(&mut self.buffers.out.client);
        let (progress, link_blocked) = self.write_upstream(client);
        let is_behind = self.hand_over(&data, of);
        data.clear();
        self.buffers.out.client = data;
        let Some(exchange) = &mut client.exchange else { return progress };
        let was_behind = exchange.down.is_blocked;
        exchange.flowed(is_behind, link_blocked, self.now);
        progress || was_behind && !is_behind
    }

    /// Content of a part goes to its client; whether that one is behind.
    fn hand_over(&mut self, data: &[u8], of: Key) -> bool {
        let Some(mut whole) = self.clients.take(of) else { return false };
        if let Some(exchange) = whole.exchange.as_mut().filter(|_| !data.is_empty()) {
            exchange.add(data, &mut self.buffers.out);
            self.write_out(&mut whole);
            // What its filters hold back leaves with its next pause.
            self.ready.push(of);
        }
        let is_behind = whole.stream.is_blocked() || whole.stream.is_held();
        self.park(whole);
        is_behind
    }

    /// A part that has waited for its client goes on.
    pub(super) fn wake_part(&mut self, client: &Client<N>) {
        let Kin::Whole { part } = client.kin else { return };
        let is_behind = client.stream.is_blocked() || client.stream.is_held();
        let exchange = self.clients.get(part).and_then(|part| part.exchange.as_ref());
        if !is_behind && exchange.is_some_and(|exchange| exchange.down.is_blocked) {
            self.ready.push(part);
        }
    }

    /// A part has ended: its client's answer goes on, or is cut off.
    pub(super) fn end_part(&mut self, of: Key, is_whole: bool) {
        let Some(mut whole) = self.clients.take(of) else { return };
        whole.kin = Kin::Client;
        if let Some(exchange) = &mut whole.exchange {
            exchange.added(is_whole, self.now, &mut self.buffers.out);
        }
        self.write_out(&mut whole);
        self.park(whole);
        self.ready.push(of);
    }

    /// A client's answer is over: so is its part.
    pub(super) fn drop_part(&mut self, client: &mut Client<N>) {
        let Kin::Whole { part } = client.kin else { return };
        client.kin = Kin::Client;
        let Some(mut part) = self.clients.take(part) else { return };
        if let Some(exchange) = &mut part.exchange {
            exchange.abandon(self.now, &mut Out::default());
        }
        self.finish(&mut part);
        self.dismiss(part);
    }
}
