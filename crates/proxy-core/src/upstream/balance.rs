//! Which server of a group gets a request: nginx's methods, to the letter, so that ours and nginx
//! choose the same.
//!
//! It knows how servers are doing and remembers for a request what was chosen for it before. It
//! opens nothing and knows no address.

use std::cmp::Ordering;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use super::peers::Peer;
use super::points::{Points, crc32_on};
use crate::canary::{Canary, is_planted};
use crate::clock::Millis;
use crate::config::model::{Method, Upstream, UpstreamServer};
use crate::request::split_mix;
use crate::variables::View;

/// After so many servers that were none a method gives up, and servers take turns.
const MISSES_MAX: u32 = 20;

/// Requests that a server has under way, those of all workers.
#[derive(Clone, Debug, Default)]
pub struct Load(Arc<AtomicU32>);

/// One of them; it is over when this is dropped.
#[derive(Debug)]
pub struct Held(Load);

impl Load {
    /// How many there are.
    pub fn count(&self) -> u32 {
        self.0.load(Relaxed)
    }

    /// One more, if there are fewer than that.
    fn take(&self, most: u32) -> Option<Held> {
        let more = |count| (count < most).then_some(count + 1);
        self.0.fetch_update(Relaxed, Relaxed, more).ok().map(|_| Held(self.clone()))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Relaxed);
    }
}

impl UpstreamServer {
    /// nginx: `max_conns` are under way.
    fn is_full(&self) -> bool {
        let has_bound = self.max_conns > 0 && !is_planted(Canary::OverMaxConns);
        has_bound && self.count() >= self.max_conns
    }

    fn count(&self) -> u32 {
        self.load.as_ref().map_or(0, Load::count)
    }
}

/// What is remembered for a request while servers are chosen for it.
#[derive(Debug, Default)]
pub struct Choice {
    /// Servers that the request is done with.
    pub(super) tried: Vec<usize>,
    /// What the method goes by.
    key: Vec<u8>,
    hash: u32,
    misses: u32,
    draws: u32,
    /// The server that was chosen has one more.
    held: Option<Held>,
}

impl Choice {
    /// Nothing is chosen yet.
    pub fn clear(&mut self) {
        self.tried.clear();
        self.key.clear();
        (self.hash, self.misses, self.draws, self.held) = (0, 0, 0, None);
    }

    /// What the method of a group goes by for this request.
    pub fn set_key(&mut self, method: &Method, view: &View<'_>) {
        match method {
            Method::RoundRobin | Method::LeastConn => {}
            Method::IpHash => {
                self.hash = 89;
                match view.request.client.remote.ip() {
                    IpAddr::V4(ip) => {
                        let [a, b, c, _] = ip.octets();
                        self.key.extend_from_slice(&[a, b, c]);
                    }
                    IpAddr::V6(ip) => self.key.extend_from_slice(&ip.octets()),
                }
            }
            Method::Hash { key, points } => {
                view.push_template(key, &mut self.key);
                let point = points.as_ref().map_or(0, |points| points.find(&self.key));
                self.hash = u32::try_from(point).unwrap_or(0);
            }
            Method::Random { .. } => self.key.extend_from_slice(&view.request.id()),
        }
    }

    /// The request as one of the chosen server's: whoever carries it keeps this.
    pub fn take_held(&mut self, server: &UpstreamServer) -> Option<Held> {
        // A second connection to the same server counts as the first one did.
        self.held.take().or_else(|| server.load.as_ref()?.take(u32::MAX))
    }

    /// The request goes to no server.
    pub fn let_go(&mut self) {
        self.held = None;
    }

    /// The request is done with a server.
    pub(super) fn leave(&mut self, server: usize) {
        self.tried.push(server);
        self.held = None;
    }

    /// One more for a server; false where it has all that it may.
    fn hold(&mut self, server: &UpstreamServer) -> bool {
        let Some(load) = &server.load else { return true };
        let has_bound = server.max_conns > 0 && !is_planted(Canary::OverMaxConns);
        self.held = load.take(if has_bound { server.max_conns } else { u32::MAX });
        self.held.is_some()
    }

    /// What the method says next (nginx: `ngx_http_upstream_get_ip_hash_peer`, that of `hash`,
    /// which is Cache::Memcached's, and `ngx_http_upstream_peek_random_peer`).
    fn draw(&mut self, method: &Method) -> u64 {
        if let Method::IpHash = method {
            let step = |hash: u32, byte: &u8| (hash * 113 + u32::from(*byte)) % 6271;
            self.hash = self.key.iter().fold(self.hash, step);
            return u64::from(self.hash);
        }
        let nth = self.draws;
        self.draws += 1;
        if let Method::Random { .. } = method {
            let mix = |state: u64, byte: &u8| split_mix(state ^ u64::from(*byte));
            return self.key.iter().fold(u64::from(nth), mix);
        }
        let again = if nth > 0 { nth.to_string() } else { String::new() };
        let crc = ![again.as_bytes(), &self.key].into_iter().fold(!0, crc32_on);
        self.hash = self.hash.wrapping_add((crc >> 16) & 0x7fff);
        u64::from(self.hash)
    }
}

/// The servers of a group as they are for a request.
struct Group<'g> {
    settings: &'g Upstream,
    peers: &'g mut [Peer],
    now: Millis,
}

/// The server that is to get a request, which counts for it from now on.
pub(super) fn choose(
    settings: &Upstream,
    peers: &mut [Peer],
    choice: &mut Choice,
    now: Millis,
) -> Option<usize> {
    if let [only] = settings.servers.as_slice() {
        // nginx: max_fails is ignored where there is only one server.
        let is_free = choice.tried.is_empty() && !only.down;
        return (is_free && choice.hold(only)).then_some(0);
    }
    let mut group = Group { settings, peers, now };
    loop {
        let best = group.choose(choice)?;
        debug_assert!(!choice.tried.contains(&best), "no server is tried twice");
        let (peer, server) = (group.peers.get_mut(best)?, settings.servers.get(best)?);
        // Another worker may have been faster: then it is full now.
        if choice.hold(server) {
            if now.saturating_sub(peer.checked_at) > server.fail_timeout_ms {
                peer.checked_at = now;
            }
            return Some(best);
        }
    }
}

impl Group<'_> {
    fn choose(&mut self, choice: &mut Choice) -> Option<usize> {
        let settings = self.settings;
        let found = match &settings.method {
            Method::RoundRobin => None,
            Method::LeastConn => {
                let ordinary = self.least_conn(choice, false);
                return ordinary.or_else(|| self.least_conn(choice, true));
            }
            _ if choice.key.is_empty() || settings.ordinary().nth(1).is_none() => None,
            Method::Hash { points: Some(points), .. } => self.on_ring(choice, points),
            method => self.drawn(choice, method),
        };
        found
            .or_else(|| self.in_turn(choice, &|server| !server.backup))
            .or_else(|| self.in_turn(choice, &|server| server.backup))
    }

    /// Whether the request can go to a server.
    fn is_free(&self, choice: &Choice, index: usize) -> bool {
        let (Some(server), Some(peer)) = (self.settings.servers.get(index), self.peers.get(index))
        else {
            return false;
        };
        let is_out = server.down || choice.tried.contains(&index);
        !is_out && !peer.is_resting(server, self.now) && !server.is_full()
    }

    /// nginx: smooth weighted round robin over those that are meant.
    fn in_turn(
        &mut self,
        choice: &Choice,
        is_meant: &dyn Fn(&UpstreamServer) -> bool,
    ) -> Option<usize> {
        let mut total = 0;
        let mut best: Option<(usize, i64)> = None;
        for (index, server) in self.settings.servers.iter().enumerate() {
            if !is_meant(server) || !self.is_free(choice, index) {
                continue;
            }
            let peer = self.peers.get_mut(index)?;
            peer.current_weight += peer.effective_weight;
            total += peer.effective_weight;
            if peer.effective_weight < i64::from(server.weight) {
                peer.effective_weight += 1;
            }
            if best.is_none_or(|(_, weight)| peer.current_weight > weight) {
                best = Some((index, peer.current_weight));
            }
        }
        let (best, _) = best?;
        let peer = self.peers.get_mut(best)?;
        debug_assert!(peer.effective_weight >= 0);
        peer.current_weight -= total;
        Some(best)
    }

    /// nginx: `ngx_http_upstream_get_least_conn_peer`: of those with the fewest requests for their
    /// weight the one whose turn it is.
    fn least_conn(&mut self, choice: &Choice, is_backup: bool) -> Option<usize> {
        let mut best: Option<(usize, &UpstreamServer)> = None;
        let mut is_tied = false;
        for (index, server) in self.settings.servers.iter().enumerate() {
            if server.backup != is_backup || !self.is_free(choice, index) {
                continue;
            }
            let against = best.map_or(Ordering::Less, |(_, best)| by_load(server, best));
            match against {
                Ordering::Less => (best, is_tied) = (Some((index, server)), false),
                Ordering::Equal => is_tied = true,
                Ordering::Greater => {}
            }
        }
        let (index, best) = best?;
        if !is_tied {
            return Some(index);
        }
        let is_equal =
            |server: &UpstreamServer| server.backup == is_backup && by_load(server, best).is_eq();
        self.in_turn(choice, &is_equal).or(Some(index))
    }

    /// nginx: `ngx_http_upstream_get_chash_peer`: servers that are written alike take turns.
    fn on_ring(&mut self, choice: &mut Choice, points: &Points) -> Option<usize> {
        while choice.misses <= MISSES_MAX {
            let point = usize::try_from(choice.hash).unwrap_or(0);
            let server = self.settings.servers.get(points.server(point)?)?;
            let is_alike = |other: &UpstreamServer| {
                !other.backup && (&other.host, other.port) == (&server.host, server.port)
            };
            if let Some(found) = self.in_turn(choice, &is_alike) {
                return Some(found);
            }
            choice.hash += 1;
            choice.misses += 1;
        }
        None
    }

    /// nginx: by weight the server of a number, and with `two` the one of two with fewer requests.
    fn drawn(&mut self, choice: &mut Choice, method: &Method) -> Option<usize> {
        let total: u64 = self.settings.ordinary().map(|(_, server)| u64::from(server.weight)).sum();
        let is_two = matches!(method, Method::Random { two: true });
        let mut first: Option<(usize, &UpstreamServer)> = None;
        while choice.misses <= MISSES_MAX {
            let number = choice.draw(method).checked_rem(total)?;
            let (index, server) = self.settings.at_weight(number)?;
            let is_first = first.is_some_and(|(first, _)| first == index);
            if is_first || !self.is_free(choice, index) {
                choice.misses += 1;
                continue;
            }
            match first {
                None if is_two => first = Some((index, server)),
                Some((first, other)) if by_load(server, other).is_gt() => return Some(first),
                _ => return Some(index),
            }
        }
        None
    }
}

/// Which has fewer requests for its weight.
fn by_load(one: &UpstreamServer, other: &UpstreamServer) -> Ordering {
    let load = |one: &UpstreamServer, other: &UpstreamServer| {
        u64::from(one.count()) * u64::from(other.weight)
    };
    load(one, other).cmp(&load(other, one))
}

impl Upstream {
    /// Servers that are no backup, with their places.
    fn ordinary(&self) -> impl Iterator<Item = (usize, &UpstreamServer)> {
        self.servers.iter().enumerate().filter(|(_, server)| !server.backup)
    }

    /// The server at a number below the sum of all weights.
    fn at_weight(&self, mut number: u64) -> Option<(usize, &UpstreamServer)> {
        self.ordinary().find(|(_, server)| {
            let weight = u64::from(server.weight);
            let is_here = number < weight;
            number = number.saturating_sub(weight);
            is_here
        })
    }
}

#[cfg(test)]
mod tests;
