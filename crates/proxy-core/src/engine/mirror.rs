//! nginx: `mirror`: exchanges without a client, within bounds of their own.
//!
//! What a mirror does, or does not, is nothing to the client whose request it has: in nginx that
//! one's next request waits for it. So there is a bound on those that are under way here.

use super::{Client, Engine};
use crate::clock::Millis;
use crate::config::model::ErrorLevel;
use crate::connection::Kin;
use crate::exchange::{Mirror, Out};
use crate::net::Net;
use crate::stream::Stream;

/// Mirrors of one worker under way at most.
const MIRRORS_MAX: usize = 512;
/// What all of them hold of their requests at most, in bytes.
const HELD_BYTES_MAX: usize = 16 << 20;
/// Those that were left out are told so often at most.
const TOLD_EACH_MS: Millis = 10_000;

/// What mirrors take of the worker's room.
#[derive(Default)]
pub(super) struct Mirrors {
    pub(super) count: usize,
    held_bytes: usize,
    /// Left out since it was last told.
    left_out: u64,
    tell_again_ms: Millis,
}

impl Mirrors {
    fn take(&mut self, bytes: usize) -> bool {
        let has_room =
            self.count < MIRRORS_MAX && self.held_bytes.saturating_add(bytes) <= HELD_BYTES_MAX;
        if has_room {
            self.count += 1;
            self.held_bytes += bytes;
        }
        has_room
    }

    pub(super) fn release(&mut self, bytes: usize) {
        debug_assert!(self.count > 0 && self.held_bytes >= bytes, "taken before");
        self.count = self.count.saturating_sub(1);
        self.held_bytes = self.held_bytes.saturating_sub(bytes);
    }
}

impl<N: Net> Engine<N> {
    /// Begins what a client's exchange asks for beside itself.
    pub(super) fn send_mirrors(&mut self, client: &mut Client<N>) {
        let Some(exchange) = &mut client.exchange else { return };
        for mirror in exchange.take_mirrors() {
            match self.room.mirrors.take(mirror.held_bytes()) {
                true => self.send_mirror(client, mirror),
                false => self.leave_out(client),
            }
        }
    }

    fn send_mirror(&mut self, client: &Client<N>, mirror: Mirror) {
        let held_bytes = mirror.held_bytes();
        debug_assert!(held_bytes > 0, "a request has a head");
        let mut exchange = self.spare_exchange(client);
        let mut out = Out::default();
        exchange.begin_mirror(mirror, self.now, &mut out);
        debug_assert!(out.client.is_empty() && out.upstream.is_empty(), "nothing is sent yet");
        self.begin_aside(client, Stream::nobody(), Kin::Mirror { held_bytes }, exchange);
    }

    /// There is no room for another one: a server that hangs costs no more than that.
    fn leave_out(&mut self, client: &mut Client<N>) {
        let mirrors = &mut self.room.mirrors;
        mirrors.left_out += 1;
        if self.now.ms < mirrors.tell_again_ms {
            return;
        }
        mirrors.tell_again_ms = self.now.ms + TOLD_EACH_MS;
        let count = std::mem::take(&mut mirrors.left_out);
        if let Some(exchange) = &mut client.exchange {
            let line = format!(
                "as many requests are mirrored as a worker mirrors at a time, and this one is not; \
                 {count} since the last line"
            );
            exchange.request.values.get_mut().note(ErrorLevel::Error, line);
        }
    }
}
