//! Driving one connection: bytes from its sockets to the exchange, what the exchange produced to
//! the sockets, until neither can go on.

use super::{Client, Engine, Step, end_writing};
use crate::connection::{Connection, Kin, State};
use crate::exchange::{Action, Side};
use crate::net::{Cause, Net, Read, Socket};
use crate::slab::Key;
use crate::stream::Stream;

/// Steps of one connection before the others have their turn.
const STEPS_MAX: usize = 16;

impl<N: Net> Engine<N> {
    /// Goes on with a connection as far as it can go now.
    pub(super) fn drive(&mut self, key: Key, net: &mut N) {
        let Some(mut client) = self.clients.take(key) else { return };
        for _ in 0..STEPS_MAX {
            let step = match client.state {
                State::Preface { .. } => self.step_preface(&mut client),
                State::Idle { .. } | State::Head { .. } => self.step_head(&mut client),
                State::Active => self.step_active(&mut client, net),
                State::Lingering { .. } => self.step_lingering(&mut client),
            };
            // The buffers are shared by all connections: nothing of one may be left for another.
            debug_assert!(self.buffers.out.client.is_empty());
            debug_assert!(self.buffers.out.upstream.is_empty());
            match step {
                Step::Progress => {}
                Step::Wait => return self.park(client),
                Step::Close => return self.dismiss(client),
            }
        }
        self.ready.push(key);
        self.park(client);
    }

    fn step_active(&mut self, client: &mut Client<N>, net: &mut N) -> Step {
        let mut progress = self.poll_connect(client);
        progress |= self.pump(client, Side::Client);
        progress |= self.pump(client, Side::Upstream);
        progress |= self.write_out(client);
        self.wake_part(client);
        progress |= self.send_file(client);
        progress |= self.act(client, net);
        let Some(exchange) = &client.exchange else { return Step::Close };
        if exchange.is_complete() && self.is_flushed(client) {
            return self.finish(client);
        }
        if progress && can_go_on(client) {
            return Step::Progress;
        }
        self.pause(client);
        Step::Wait
    }

    /// Nothing more comes for now: what filters of content hold back leaves.
    fn pause(&mut self, client: &mut Client<N>) {
        let Some(exchange) = &mut client.exchange else { return };
        if exchange.has_held_content() && !client.stream.is_blocked() {
            exchange.down.push_held(&mut self.buffers.out.client);
            self.write_out(client);
        }
    }

    /// Moves bytes of one side to the exchange, and from there towards the other.
    fn pump(&mut self, client: &mut Client<N>, side: Side) -> bool {
        let Some(exchange) = &mut client.exchange else { return false };
        if exchange.is_complete() {
            return false;
        }
        let (now, out) = (self.now, &mut self.buffers.out);
        let link = client.link.as_mut().filter(|link| !link.is_connecting);
        let (from, to) = match (side, link) {
            (Side::Client, link) => (&mut client.stream, link.map(|link| &mut link.stream)),
            (Side::Upstream, Some(link)) => (&mut link.stream, Some(&mut client.stream)),
            (Side::Upstream, None) => return false,
        };
        if side == Side::Client && !exchange.is_orphan() {
            // nginx: a client that is gone is noticed although nothing is read from it.
            if let Some(cause) = from.take_write_fault() {
                exchange.broken(side, cause, now, out);
                return true;
            }
            if from.is_broken() {
                exchange.broken(side, Cause::RESET, now, out);
                return true;
            }
            if from.has_ended() && exchange.leaves_with_end() {
                exchange.ended(side, now, out);
                return true;
            }
        }
        if exchange.has_ended(side) && from.is_broken() {
            // Nothing more would be read of it that could tell.
            exchange.broken(side, Cause::RESET, now, out);
            return true;
        }
        if !exchange.wants(side) {
            return false;
        }
        if !from.unread.is_empty() {
            let used = exchange.bytes(side, &from.unread, now, out);
            from.use_unread(used);
            if used > 0 {
                return true;
            }
        }
        match from.read(&mut self.buffers.scratch) {
            Read::Nothing => return false,
            Read::End => exchange.ended(side, now, out),
            Read::Broken(cause) => exchange.broken(side, cause, now, out),
            Read::Bytes(count) => {
                exchange.heard(side, now);
                let mut bytes = self.buffers.scratch.get(..count).unwrap_or_default();
                if !from.unread.is_empty() {
                    from.unread.extend_from_slice(bytes);
                    let used = exchange.bytes(side, &from.unread, now, out);
                    from.use_unread(used);
                    return true;
                }
                let other = if side == Side::Client { Side::Upstream } else { Side::Client };
                if let Some(to) = to.filter(|_| out.to(other).is_empty()) {
                    let relayed = exchange.relay(side, bytes, now);
                    to.send(bytes.get(..relayed).unwrap_or_default());
                    bytes = bytes.get(relayed..).unwrap_or_default();
                }
                let used = exchange.bytes(side, bytes, now, out);
                from.unread.extend_from_slice(bytes.get(used..).unwrap_or_default());
            }
        }
        true
    }

    /// What waits, then what is new, to both sides.
    pub(super) fn write_out(&mut self, client: &mut Client<N>) -> bool {
        if let Kin::Part { of } = client.kin {
            return self.write_part(client, of);
        }
        let out = &mut self.buffers.out;
        let Some(exchange) = &mut client.exchange else { return false };
        let mut progress = false;
        let waiting = client.stream.waiting_bytes() + out.client.len();
        let allowance = exchange.allowance(waiting, self.now);
        client.stream.allow(allowance);
        if client.stream.flush() {
            progress = true;
            exchange.progressed(Side::Client, self.now);
        }
        if !out.client.is_empty() {
            match exchange.is_before_file() && allowance.is_none() {
                true => client.stream.send_before_file(&out.client),
                false => client.stream.send(&out.client),
            }
            out.client.clear();
        }
        if exchange.ends_writing_to(Side::Client) {
            end_writing(&mut client.stream);
        }
        let (has_written, link_blocked) = self.write_upstream(client);
        progress |= has_written;
        let Some(exchange) = &mut client.exchange else { return progress };
        let is_writable = client.stream.is_writable();
        // A file's next part waits for its time, or for the client.
        let is_held = exchange.is_sending() && client.stream.is_held();
        if allowance.is_some() {
            let waiting = client.stream.waiting_bytes();
            exchange.paced(waiting, (waiting > 0 || is_held) && is_writable);
        }
        let is_waiting = exchange.is_sending() && (is_held || !is_writable);
        exchange.flowed(client.stream.is_blocked() || is_waiting, link_blocked, self.now);
        progress
    }

    /// What waits, then what is new, to the server: whether something was done, and whether some of
    /// it waits.
    pub(super) fn write_upstream(&mut self, client: &mut Client<N>) -> (bool, bool) {
        let out = &mut self.buffers.out;
        let Some(exchange) = &mut client.exchange else { return (false, false) };
        let (mut progress, mut link_blocked) = (false, false);
        if let Some(link) = client.link.as_mut().filter(|link| !link.is_connecting) {
            if link.stream.flush() {
                progress = true;
                exchange.progressed(Side::Upstream, self.now);
            }
            let was_readable = link.stream.is_readable();
            link.stream.send(&out.upstream);
            // A write that failed: what the server said before, or its end, is to be read.
            progress |= !was_readable && link.stream.is_readable();
            link_blocked = link.stream.is_blocked();
            if exchange.ends_writing_to(Side::Upstream) {
                end_writing(&mut link.stream);
            }
        }
        out.upstream.clear();
        (progress, link_blocked)
    }

    /// Sends a part of a file, once all that was written before is gone.
    fn send_file(&mut self, client: &mut Client<N>) -> bool {
        let is_behind = is_behind(client);
        let Some(exchange) = &mut client.exchange else { return false };
        let stream = &client.stream;
        if stream.is_blocked() || stream.is_held() || !stream.is_writable() || is_behind {
            return false;
        }
        if exchange.passes_file() {
            exchange.send_on(self.now, &mut self.buffers.out);
            self.write_out(client);
            return true;
        }
        let Some(part) = exchange.file_part() else { return false };
        let sent = client.stream.send_file(part.file, part.from, part.bytes);
        exchange.file_sent(sent, self.now, &mut self.buffers.out);
        self.write_out(client);
        true
    }

    fn act(&mut self, client: &mut Client<N>, net: &mut N) -> bool {
        let mut progress = false;
        while let Some(action) = client.exchange.as_mut().and_then(|one| one.poll_action()) {
            progress = true;
            match action {
                Action::Connect => self.connect(client, net),
                Action::Resolve => self.want_name(client),
                Action::KeepLink => self.keep_link(client),
                Action::DropLink => self.drop_link(client),
                Action::Add => self.begin_part(client),
                Action::Mirror => self.send_mirrors(client),
            }
            self.write_out(client);
        }
        progress
    }
}

/// Whether it is a part whose client is behind.
fn is_behind<S: Socket>(client: &Connection<S>) -> bool {
    let exchange = client.exchange.as_ref();
    exchange.is_some_and(|exchange| exchange.is_part() && exchange.down.is_blocked)
}

/// Whether another step could do something, after one that did.
fn can_go_on<S: Socket>(client: &Connection<S>) -> bool {
    let Some(exchange) = &client.exchange else { return true };
    let has_bytes = |stream: &Stream<S>| stream.is_readable() || !stream.unread.is_empty();
    let link = client.link.as_ref();
    let is_gone = client.stream.has_ended() || client.stream.is_broken();
    exchange.is_complete()
        || is_gone
        || exchange.wants(Side::Client) && has_bytes(&client.stream)
        || exchange.is_sending()
            && client.stream.is_writable()
            && !client.stream.is_held()
            && !is_behind(client)
        || link.is_some_and(|link| {
            link.is_connecting && link.stream.is_writable()
                || exchange.wants(Side::Upstream) && has_bytes(&link.stream)
        })
}
