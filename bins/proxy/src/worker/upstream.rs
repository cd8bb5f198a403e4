//! Servers of the upstreams as one worker sees them: whose turn it is, which are failing, and the
//! idle connections to each.
//!
//! It opens no connection; it says where to and remembers how it went (nginx: upstream).

#![expect(clippy::vec_box, reason = "a link moves between client and pool as a pointer")]

use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use super::slab::Key;
use crate::exchange::clock::Millis;
use proxy_core::config::model::{Config, Upstream};

/// More servers than this are not tried for one request.
pub const SERVERS_TRIED_MAX: usize = 64;

/// A connection to a server.
pub struct Link {
    /// The socket, registered with the poller under `key`.
    pub socket: OwnedFd,
    /// Its place among the links.
    pub key: Key,
    /// Index into `Config::upstreams`.
    pub upstream: usize,
    /// Index into `Upstream::servers`.
    pub server: usize,
    /// Where it goes.
    pub address: SocketAddr,
    /// Requests it has carried.
    pub requests: u64,
    /// The connect has not ended yet.
    pub connecting: bool,
    /// Something may be read.
    pub readable: bool,
    /// Something may be written.
    pub writable: bool,
    /// The server has closed, or an error is pending.
    pub closed: bool,
    /// Bytes read and not used yet.
    pub input: Vec<u8>,
    /// Bytes to be written.
    pub pending: Vec<u8>,
    /// When it became idle.
    pub idle_since: Millis,
}

/// Addresses of each server of each upstream; names are looked up again by the main thread.
pub struct Addresses {
    entries: Vec<Vec<Entry>>,
}

struct Entry {
    list: RwLock<Arc<[SocketAddr]>>,
    wanted: AtomicBool,
}

impl Addresses {
    /// What the load has resolved.
    pub fn new(config: &Config) -> Addresses {
        let entry = |addresses: &[SocketAddr]| Entry {
            list: RwLock::new(addresses.into()),
            wanted: AtomicBool::new(addresses.is_empty()),
        };
        let group =
            |u: &Upstream| u.servers.iter().map(|server| entry(&server.addresses)).collect();
        Addresses { entries: config.upstreams.iter().map(group).collect() }
    }

    /// The addresses of a server now.
    pub fn list(&self, upstream: usize, server: usize) -> Arc<[SocketAddr]> {
        let list = &self.entries[upstream][server].list;
        Arc::clone(&list.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Asks for another look-up of a server's name.
    pub fn want(&self, upstream: usize, server: usize) {
        self.entries[upstream][server].wanted.store(true, Ordering::Relaxed);
    }

    /// Servers whose names are to be looked up, each told once.
    pub fn take_wanted(&self) -> Vec<(usize, usize)> {
        let mut wanted = Vec::new();
        for (upstream, servers) in self.entries.iter().enumerate() {
            for (server, entry) in servers.iter().enumerate() {
                if entry.wanted.swap(false, Ordering::Relaxed) {
                    wanted.push((upstream, server));
                }
            }
        }
        wanted
    }

    /// Sets what a look-up has found; nothing found keeps what was known.
    pub fn set(&self, upstream: usize, server: usize, found: &[SocketAddr]) {
        let entry = &self.entries[upstream][server];
        if found.is_empty() {
            return;
        }
        *entry.list.write().unwrap_or_else(PoisonError::into_inner) = found.into();
    }
}

struct Peer {
    current_weight: i64,
    fails: u32,
    fails_since: Millis,
    down_until: Millis,
    /// Which of its addresses answered last: `localhost` with a dead `::1` costs one attempt ever.
    preferred: usize,
    idle: Vec<Box<Link>>,
}

struct Group {
    peers: Vec<Peer>,
    idle_count: usize,
}

/// The worker's view of all upstreams of one configuration.
pub struct Peers {
    groups: Vec<Group>,
}

impl Peers {
    /// All servers good, no connection.
    pub fn new(config: &Config) -> Peers {
        let peer = || Peer {
            current_weight: 0,
            fails: 0,
            fails_since: 0,
            down_until: 0,
            preferred: 0,
            idle: Vec::new(),
        };
        let group = |upstream: &Upstream| Group {
            peers: upstream.servers.iter().map(|_| peer()).collect(),
            idle_count: 0,
        };
        Peers { groups: config.upstreams.iter().map(group).collect() }
    }

    /// nginx: smooth weighted round robin over the servers that are up; backup servers when no
    /// other is left. `tried` has a bit for each server that this request has tried.
    pub fn pick(
        &mut self,
        config: &Config,
        upstream: usize,
        tried: u64,
        now: Millis,
    ) -> Option<usize> {
        let settings = &config.upstreams[upstream];
        let count = settings.servers.len();
        if count == 1 {
            // nginx: max_fails is ignored where there is only one server.
            return (tried & 1 == 0 && !settings.servers[0].down).then_some(0);
        }
        self.pick_among(settings, upstream, tried, now, false)
            .or_else(|| self.pick_among(settings, upstream, tried, now, true))
    }

    fn pick_among(
        &mut self,
        settings: &Upstream,
        upstream: usize,
        tried: u64,
        now: Millis,
        backup: bool,
    ) -> Option<usize> {
        let peers = &mut self.groups[upstream].peers;
        let mut total = 0;
        let mut best: Option<usize> = None;
        for (index, server) in settings.servers.iter().enumerate().take(SERVERS_TRIED_MAX) {
            let out = tried & (1 << index) != 0 || server.down || server.backup != backup;
            if out || peers[index].down_until > now {
                continue;
            }
            let weight = i64::from(server.weight);
            peers[index].current_weight += weight;
            total += weight;
            let better =
                best.is_none_or(|best| peers[index].current_weight > peers[best].current_weight);
            if better {
                best = Some(index);
            }
        }
        if let Some(best) = best {
            peers[best].current_weight -= total;
        }
        best
    }

    /// The address of a server to try first.
    pub fn preferred(&self, upstream: usize, server: usize) -> usize {
        self.groups[upstream].peers[server].preferred
    }

    /// A connection came to be: `address` is the index of the address that answered.
    pub fn succeeded(&mut self, upstream: usize, server: usize, address: usize) {
        let peer = &mut self.groups[upstream].peers[server];
        peer.preferred = address;
        peer.fails = 0;
        peer.down_until = 0;
    }

    /// nginx: max_fails within fail_timeout take a server out for fail_timeout.
    pub fn failed(&mut self, config: &Config, upstream: usize, server: usize, now: Millis) {
        let settings = &config.upstreams[upstream].servers[server];
        let peer = &mut self.groups[upstream].peers[server];
        if now.saturating_sub(peer.fails_since) > settings.fail_timeout_ms {
            peer.fails = 0;
            peer.fails_since = now;
        }
        peer.fails += 1;
        if settings.max_fails > 0 && peer.fails >= settings.max_fails {
            peer.down_until = now + settings.fail_timeout_ms;
        }
    }

    /// An idle connection to a server, the one used last.
    pub fn take_idle(&mut self, upstream: usize, server: usize) -> Option<Box<Link>> {
        let group = &mut self.groups[upstream];
        let link = group.peers[server].idle.pop()?;
        group.idle_count -= 1;
        Some(link)
    }

    /// Keeps a connection; gives back one that is to be closed when there are too many.
    pub fn keep_idle(&mut self, config: &Config, link: Box<Link>) -> Option<Box<Link>> {
        let settings = &config.upstreams[link.upstream];
        if settings.keepalive == 0 || link.requests >= settings.keepalive_requests {
            return Some(link);
        }
        let group = &mut self.groups[link.upstream];
        let server = link.server;
        group.peers[server].idle.push(link);
        group.idle_count += 1;
        if group.idle_count <= settings.keepalive {
            return None;
        }
        // The longest idle of all servers goes, as in nginx's cache.
        let oldest = group
            .peers
            .iter_mut()
            .filter(|peer| !peer.idle.is_empty())
            .min_by_key(|peer| peer.idle[0].idle_since)?;
        group.idle_count -= 1;
        Some(oldest.idle.remove(0))
    }

    /// Takes a certain idle connection out: its server has closed it.
    pub fn remove_idle(&mut self, upstream: usize, server: usize, key: Key) -> Option<Box<Link>> {
        let group = &mut self.groups[upstream];
        let idle = &mut group.peers[server].idle;
        let position = idle.iter().position(|link| link.key == key)?;
        group.idle_count -= 1;
        Some(idle.remove(position))
    }

    /// Connections idle for longer than `keepalive_timeout`.
    pub fn take_expired(&mut self, config: &Config, now: Millis) -> Vec<Box<Link>> {
        let mut expired = Vec::new();
        for (group, settings) in self.groups.iter_mut().zip(&config.upstreams) {
            for peer in &mut group.peers {
                let fresh = peer
                    .idle
                    .iter()
                    .position(|link| link.idle_since + settings.keepalive_timeout_ms > now)
                    .unwrap_or(peer.idle.len());
                group.idle_count -= fresh;
                expired.extend(peer.idle.drain(..fresh));
            }
        }
        expired
    }

    /// When `take_expired` finds something next.
    pub fn next_expiry(&self, config: &Config) -> Option<Millis> {
        self.groups
            .iter()
            .zip(&config.upstreams)
            .flat_map(|(group, settings)| {
                let first = |peer: &Peer| peer.idle.first().map(|link| link.idle_since);
                group
                    .peers
                    .iter()
                    .filter_map(first)
                    .map(|since| since + settings.keepalive_timeout_ms)
            })
            .min()
    }

    /// All idle connections.
    pub fn take_all(&mut self) -> Vec<Box<Link>> {
        let mut all = Vec::new();
        for group in &mut self.groups {
            group.idle_count = 0;
            all.extend(group.peers.iter_mut().flat_map(|peer| peer.idle.drain(..)));
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proxy_core::config::model::UpstreamServer;

    fn server(weight: u32, backup: bool) -> UpstreamServer {
        UpstreamServer {
            host: "127.0.0.1".into(),
            port: 80,
            addresses: vec![SocketAddr::from(([127, 0, 0, 1], 80))],
            weight,
            max_fails: 1,
            fail_timeout_ms: 10_000,
            backup,
            down: false,
        }
    }

    fn config(servers: Vec<UpstreamServer>) -> Config {
        let upstream = Upstream {
            name: b"app".to_vec(),
            servers,
            keepalive: 1,
            keepalive_timeout_ms: 4_000,
            keepalive_requests: 1_000,
        };
        Config { upstreams: vec![upstream], ..Config::default() }
    }

    #[test]
    fn servers_take_turns_by_weight() {
        let config = config(vec![server(2, false), server(1, false)]);
        let mut peers = Peers::new(&config);
        let picks: Vec<_> = (0..6).filter_map(|_| peers.pick(&config, 0, 0, 0)).collect();
        assert_eq!(picks, [0, 1, 0, 0, 1, 0]);
    }

    #[test]
    fn a_failed_server_rests_and_the_backup_takes_over() {
        let config = config(vec![server(1, false), server(1, true)]);
        let mut peers = Peers::new(&config);
        assert_eq!(peers.pick(&config, 0, 0, 0), Some(0));
        peers.failed(&config, 0, 0, 0);
        assert_eq!(peers.pick(&config, 0, 0, 1), Some(1));
        assert_eq!(peers.pick(&config, 0, 2, 1), None);
        assert_eq!(peers.pick(&config, 0, 0, 10_001), Some(0));
    }

    #[test]
    fn the_only_server_is_never_taken_out() {
        let config = config(vec![server(1, false)]);
        let mut peers = Peers::new(&config);
        peers.failed(&config, 0, 0, 0);
        assert_eq!(peers.pick(&config, 0, 0, 1), Some(0));
        assert_eq!(peers.pick(&config, 0, 1, 1), None);
    }
}
