//! Servers of the upstreams as one worker sees them: whose turn it is, who is left alone for a
//! while, and at which addresses each is reached.
//!
//! It opens no connection; it says where to and remembers how it went (nginx:
//! `ngx_http_upstream_round_robin`).

use std::sync::Arc;

use super::address::Address;
use super::link::ServerId;
use crate::clock::Millis;
use crate::config::model::{Config, Upstream, UpstreamServer};

#[derive(Debug)]
struct Peer {
    current_weight: i64,
    /// Less than the weight for a while after failures.
    effective_weight: i64,
    fails: u32,
    /// When it last failed.
    failed_at: Millis,
    /// When it last failed, or was tried again after its time out.
    checked_at: Millis,
    addresses: Arc<[Address]>,
    /// Which address answered last: `localhost` with a dead `::1` costs one attempt ever.
    preferred: usize,
    /// Its name is to be looked up again.
    is_wanted: bool,
    /// It has been seen to keep connections open between requests, as it says it does.
    keeps_connections: bool,
}

/// The worker's view of all upstreams of one configuration.
#[derive(Debug)]
pub struct Peers {
    groups: Vec<Vec<Peer>>,
    /// Some name is to be looked up again.
    has_wanted: bool,
}

impl Peers {
    /// All servers good, at the addresses that the load has found.
    pub fn new(config: &Config) -> Peers {
        let peer = |server: &UpstreamServer| Peer {
            current_weight: 0,
            effective_weight: i64::from(server.weight),
            fails: 0,
            failed_at: 0,
            checked_at: 0,
            addresses: server.addresses.as_slice().into(),
            preferred: 0,
            is_wanted: server.addresses.is_empty(),
            keeps_connections: false,
        };
        let group = |upstream: &Upstream| upstream.servers.iter().map(peer).collect();
        let groups: Vec<Vec<Peer>> = config.upstreams.iter().map(group).collect();
        let has_wanted = groups.iter().flatten().any(|peer| peer.is_wanted);
        Peers { groups, has_wanted }
    }

    /// The server whose turn it is: smooth weighted round robin over those that are up, backup
    /// servers when no other is left. `tried` has the servers that this request is done with.
    pub fn pick(
        &mut self,
        config: &Config,
        upstream: usize,
        tried: &[usize],
        now: Millis,
    ) -> Option<ServerId> {
        let settings = config.upstreams.get(upstream)?;
        let server = match settings.servers.as_slice() {
            // nginx: max_fails is ignored where there is only one server.
            [only] => (tried.is_empty() && !only.down).then_some(0),
            _ => self
                .pick_among(settings, upstream, tried, now, false)
                .or_else(|| self.pick_among(settings, upstream, tried, now, true)),
        };
        Some(ServerId { upstream, server: server? })
    }

    fn pick_among(
        &mut self,
        settings: &Upstream,
        upstream: usize,
        tried: &[usize],
        now: Millis,
        backup: bool,
    ) -> Option<usize> {
        let peers = self.groups.get_mut(upstream)?;
        let mut total = 0;
        let mut best: Option<(usize, i64)> = None;
        for (index, (server, peer)) in settings.servers.iter().zip(peers.iter_mut()).enumerate() {
            let is_out = server.down || server.backup != backup || tried.contains(&index);
            if is_out || peer.is_resting(server, now) {
                continue;
            }
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
        debug_assert!(!tried.contains(&best), "no server is tried twice");
        let (peer, server) = (peers.get_mut(best)?, settings.servers.get(best)?);
        debug_assert!(peer.effective_weight >= 0);
        debug_assert!(peer.effective_weight <= i64::from(server.weight));
        peer.current_weight -= total;
        if now.saturating_sub(peer.checked_at) > server.fail_timeout_ms {
            peer.checked_at = now;
        }
        Some(best)
    }

    fn peer(&mut self, id: ServerId) -> Option<&mut Peer> {
        self.groups.get_mut(id.upstream)?.get_mut(id.server)
    }

    /// The `nth` address to try of a server, the one that answered last first. Where there is
    /// none its name is looked up.
    pub fn address(&mut self, id: ServerId, nth: usize) -> Option<Address> {
        let peer = self.peer(id)?;
        let count = peer.addresses.len();
        debug_assert!(peer.preferred < count.max(1));
        if nth < count {
            return peer.addresses.get((peer.preferred + nth) % count).cloned();
        }
        peer.is_wanted |= count == 0;
        self.has_wanted |= count == 0;
        None
    }

    /// A connection to this address came to be.
    pub fn connected(&mut self, id: ServerId, address: &Address) {
        if let Some(peer) = self.peer(id)
            && let Some(at) = peer.addresses.iter().position(|known| known == address)
        {
            peer.preferred = at;
        }
    }

    /// The server has answered.
    pub fn succeeded(&mut self, id: ServerId) {
        if let Some(peer) = self.peer(id)
            && peer.failed_at < peer.checked_at
        {
            peer.fails = 0;
        }
    }

    /// The server has kept a connection open for longer than one request, or has not.
    pub fn note_keeping(&mut self, id: ServerId, keeps_connections: bool) {
        if let Some(peer) = self.peer(id) {
            peer.keeps_connections = keeps_connections;
        }
    }

    /// Whether a request that cannot be sent again may go out on a connection that has been idle:
    /// some applications say that they keep it, and close it with the request unread.
    pub fn keeps_connections(&mut self, id: ServerId) -> bool {
        self.peer(id).is_some_and(|peer| peer.keeps_connections)
    }

    /// The server has failed. True when that takes it out for its `fail_timeout`.
    pub fn failed(&mut self, config: &Config, id: ServerId, now: Millis) -> bool {
        let servers = config.upstreams.get(id.upstream).map(|upstream| &upstream.servers);
        let Some(settings) = servers.and_then(|servers| servers.get(id.server)) else {
            return false;
        };
        let is_single = servers.is_some_and(|servers| servers.len() == 1);
        self.has_wanted = true;
        let Some(peer) = self.peer(id) else { return false };
        // A name's address may have changed.
        peer.is_wanted = true;
        if is_single || settings.max_fails == 0 {
            return false;
        }
        peer.fails += 1;
        (peer.failed_at, peer.checked_at) = (now, now);
        let less = i64::from(settings.weight / settings.max_fails);
        peer.effective_weight = (peer.effective_weight - less).max(0);
        peer.fails == settings.max_fails
    }

    /// Servers whose names are to be looked up, each told once.
    pub fn take_wanted(&mut self) -> Vec<ServerId> {
        let mut wanted = Vec::new();
        if !std::mem::take(&mut self.has_wanted) {
            return wanted;
        }
        for (upstream, peers) in self.groups.iter_mut().enumerate() {
            for (server, peer) in peers.iter_mut().enumerate() {
                if std::mem::take(&mut peer.is_wanted) {
                    wanted.push(ServerId { upstream, server });
                }
            }
        }
        wanted
    }

    /// What a look-up has found; nothing found keeps what was known.
    pub fn set_addresses(&mut self, id: ServerId, found: &[Address]) {
        let Some(peer) = self.peer(id) else { return };
        if found.is_empty() || *peer.addresses == *found {
            return;
        }
        peer.addresses = found.into();
        peer.preferred = 0;
    }
}

impl Peer {
    fn is_resting(&self, server: &UpstreamServer, now: Millis) -> bool {
        server.max_fails > 0
            && self.fails >= server.max_fails
            && now.saturating_sub(self.checked_at) <= server.fail_timeout_ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(servers: &[(u32, bool)]) -> Config {
        let mut upstream = Upstream::for_tests(servers.len());
        for (server, (weight, backup)) in upstream.servers.iter_mut().zip(servers) {
            (server.weight, server.backup) = (*weight, *backup);
        }
        Config { upstreams: vec![upstream], ..Config::default() }
    }

    fn pick(peers: &mut Peers, config: &Config, tried: &[usize], now: Millis) -> Option<usize> {
        peers.pick(config, 0, tried, now).map(|id| id.server)
    }

    const FIRST: ServerId = ServerId { upstream: 0, server: 0 };

    #[test]
    fn servers_take_turns_by_weight() {
        let config = config(&[(5, false), (1, false), (1, false)]);
        let mut peers = Peers::new(&config);
        let picks: Vec<_> = (0..7).filter_map(|_| pick(&mut peers, &config, &[], 0)).collect();
        // The sequence that nginx's documentation of the algorithm gives.
        assert_eq!(picks, [0, 0, 1, 0, 2, 0, 0]);
    }

    #[test]
    fn a_failed_server_rests_and_the_backup_takes_over() {
        let config = config(&[(1, false), (1, true)]);
        let mut peers = Peers::new(&config);
        assert_eq!(pick(&mut peers, &config, &[], 20_000), Some(0));
        assert!(peers.failed(&config, FIRST, 20_000));
        assert_eq!(pick(&mut peers, &config, &[], 20_001), Some(1));
        assert_eq!(pick(&mut peers, &config, &[1], 20_001), None);
        assert_eq!(pick(&mut peers, &config, &[], 30_000), Some(1));
        assert_eq!(pick(&mut peers, &config, &[], 30_001), Some(0));
        // It was tried again and answered: it is as good as before.
        peers.succeeded(FIRST);
        assert!(peers.failed(&config, FIRST, 30_002));
    }

    #[test]
    fn the_only_server_is_never_taken_out() {
        let config = config(&[(1, false)]);
        let mut peers = Peers::new(&config);
        assert!(!peers.failed(&config, FIRST, 0));
        assert_eq!(pick(&mut peers, &config, &[], 1), Some(0));
        assert_eq!(pick(&mut peers, &config, &[0], 1), None);
    }

    #[test]
    fn more_servers_than_a_word_has_bits_take_turns() {
        let config = config(&[(1, false); 100]);
        let mut peers = Peers::new(&config);
        let mut picks: Vec<_> =
            (0..100).filter_map(|_| pick(&mut peers, &config, &[], 0)).collect();
        picks.sort_unstable();
        assert_eq!(picks, (0..100).collect::<Vec<_>>());
    }

    #[test]
    fn the_address_that_answered_comes_first_and_new_ones_replace_the_old() {
        let config = config(&[(1, false)]);
        let mut peers = Peers::new(&config);
        let [a, b] = ["10.0.0.1", "10.0.0.2"].map(|ip| Address::literal(ip, 1).unwrap());
        peers.set_addresses(FIRST, &[a.clone(), b.clone()]);
        peers.connected(FIRST, &b);
        let order: Vec<_> = (0..3).map(|nth| peers.address(FIRST, nth)).collect();
        assert_eq!(order, [Some(b.clone()), Some(a.clone()), None]);
        peers.set_addresses(FIRST, &[]);
        assert_eq!(peers.address(FIRST, 0), Some(b));
        peers.set_addresses(FIRST, std::slice::from_ref(&a));
        assert_eq!((peers.address(FIRST, 0), peers.address(FIRST, 1)), (Some(a), None));
        assert_eq!(peers.take_wanted(), []);
    }
}
