//! Idle connections to upstream servers: kept for the requests to come, within nginx's bounds.
//!
//! Holds connections of one generation only. It makes none and closes none: what is to be closed
//! is given back.

use std::net::SocketAddr;

use super::link::{Link, ServerId};
use crate::canary::{Canary, is_planted};
use crate::clock::Millis;
use crate::config::model::Config;
use crate::slab::Key;

/// Idle links by server, each list with the longest idle first.
struct Group<S> {
    servers: Vec<Vec<Box<Link<S>>>>,
    count: usize,
}

/// The idle links of one worker.
pub struct Pool<S> {
    groups: Vec<Group<S>>,
    /// No link expires before.
    expires_ms: Option<Millis>,
}

impl<S> Pool<S> {
    /// No link yet.
    pub fn new(config: &Config) -> Self {
        let group = |servers: usize| Group {
            servers: std::iter::repeat_with(Vec::new).take(servers).collect(),
            count: 0,
        };
        let groups = config.upstreams.iter().map(|upstream| group(upstream.servers.len()));
        Pool { groups: groups.collect(), expires_ms: None }
    }

    /// The link to a server, from this address, that was used last.
    pub fn take(&mut self, id: ServerId, from: Option<SocketAddr>) -> Option<Box<Link<S>>> {
        let group = self.groups.get_mut(id.upstream)?;
        let idle = group.servers.get_mut(id.server)?;
        let link = idle.remove(idle.iter().rposition(|link| link.from == from)?);
        debug_assert!(link.server == id && group.count > 0);
        group.count -= 1;
        Some(link)
    }

    /// Keeps a link from now on; gives back one that is to be closed where there are too many
    /// (nginx: `keepalive`,
    /// `keepalive_requests`, `keepalive_time`). Of a server that has not been seen to keep
    /// connections the old ones stay, to see whether it does.
    pub fn keep(
        &mut self,
        config: &Config,
        mut link: Box<Link<S>>,
        is_proven: bool,
        now: Millis,
    ) -> Option<Box<Link<S>>> {
        let id = link.server;
        let (Some(settings), Some(group)) =
            (config.upstreams.get(id.upstream), self.groups.get_mut(id.upstream))
        else {
            return Some(link);
        };
        let Some(idle) = group.servers.get_mut(id.server) else { return Some(link) };
        let held = link.held.take();
        if is_planted(Canary::LoadForgotten) {
            std::mem::forget(held);
        }
        let age_ms = now.saturating_sub(link.began_ms);
        if settings.keepalive == 0
            || link.requests >= settings.keepalive_requests
            || age_ms > settings.keepalive_time_ms
        {
            return Some(link);
        }
        if !is_proven && group.count >= settings.keepalive {
            return Some(link);
        }
        debug_assert!(!link.is_connecting, "only what has served is kept");
        debug_assert!(idle.last().is_none_or(|last| last.idle_since <= now), "the oldest is first");
        link.idle_since = now;
        idle.push(link);
        group.count += 1;
        let expires = now.saturating_add(settings.keepalive_timeout_ms);
        self.expires_ms = Some(self.expires_ms.map_or(expires, |at| at.min(expires)));
        if group.count <= settings.keepalive {
            return None;
        }
        // The longest idle of all servers goes, as in nginx's cache.
        let since = |idle: &&mut Vec<Box<Link<S>>>| idle.first().map(|link| link.idle_since);
        let oldest = group.servers.iter_mut().filter(|idle| !idle.is_empty()).min_by_key(since)?;
        group.count -= 1;
        debug_assert!(group.count <= settings.keepalive, "one makes room for one");
        Some(oldest.remove(0))
    }

    /// The link to a server that has been idle for longest.
    pub fn longest_idle(&mut self, id: ServerId) -> Option<&mut Link<S>> {
        let idle = self.groups.get_mut(id.upstream)?.servers.get_mut(id.server)?;
        idle.first_mut().map(|link| &mut **link)
    }

    /// Takes a certain link out: its server has closed it, or said something unasked.
    pub fn remove(&mut self, id: ServerId, key: Key) -> Option<Box<Link<S>>> {
        let group = self.groups.get_mut(id.upstream)?;
        let idle = group.servers.get_mut(id.server)?;
        let at = idle.iter().position(|link| link.key == key)?;
        debug_assert!(group.count > 0);
        group.count -= 1;
        Some(idle.remove(at))
    }

    /// Links idle for longer than `keepalive_timeout`.
    pub fn take_expired(&mut self, config: &Config, now: Millis) -> Vec<Box<Link<S>>> {
        let mut expired = Vec::new();
        if self.expires_ms.is_none_or(|at| at > now) {
            return expired;
        }
        self.expires_ms = None;
        for (group, settings) in self.groups.iter_mut().zip(&config.upstreams) {
            let expiry =
                |link: &Link<S>| link.idle_since.saturating_add(settings.keepalive_timeout_ms);
            for idle in &mut group.servers {
                let stale = idle.iter().take_while(|link| expiry(link) <= now).count();
                group.count -= stale;
                expired.extend(idle.drain(..stale));
                let next = idle.first().map(|link| expiry(link));
                self.expires_ms = [self.expires_ms, next].into_iter().flatten().min();
            }
        }
        expired
    }

    /// When `take_expired` is to be called next.
    pub fn next_expiry(&self) -> Option<Millis> {
        self.expires_ms
    }

    /// All links.
    pub fn take_all(&mut self) -> Vec<Box<Link<S>>> {
        self.expires_ms = None;
        let mut all = Vec::new();
        for group in &mut self.groups {
            group.count = 0;
            all.extend(group.servers.iter_mut().flat_map(std::mem::take));
        }
        all
    }

    /// How many links there are.
    pub fn len(&self) -> usize {
        self.groups.iter().map(|group| group.count).sum()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The longest idle link, to make room.
    pub fn take_oldest(&mut self) -> Option<Box<Link<S>>> {
        let oldest = |group: &Group<S>| {
            let firsts = group.servers.iter().filter_map(|idle| idle.first());
            firsts.map(|link| (link.idle_since, link.server, link.key)).min_by_key(|first| first.0)
        };
        let (_, id, key) = self.groups.iter().filter_map(oldest).min_by_key(|first| first.0)?;
        self.remove(id, key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::model::Upstream;
    use crate::slab::Slab;
    use crate::stream::Stream;
    use crate::test_socket::Mute;

    /// Two servers, at most two idle links for four seconds and three requests.
    fn config() -> Config {
        let upstream = Upstream {
            keepalive: 2,
            keepalive_timeout_ms: 4_000,
            keepalive_requests: 3,
            keepalive_time_ms: 20_000,
            ..Upstream::for_tests(2)
        };
        Config { upstreams: vec![upstream], ..Config::default() }
    }

    fn link(slab: &mut Slab<()>, server: usize, requests: u64) -> Box<Link<Mute>> {
        Box::new(Link {
            stream: Stream::new(Mute, true),
            key: slab.reserve(),
            server: ServerId { upstream: 0, server },
            address: SocketAddr::from(([127, 0, 0, 1], 80)).into(),
            from: None,
            requests,
            is_connecting: false,
            idle_since: 0,
            began_ms: 0,
            held: None,
        })
    }

    #[test]
    fn the_longest_idle_of_all_servers_makes_room() {
        let (config, mut slab) = (config(), Slab::new());
        let mut pool = Pool::new(&config);
        let first = link(&mut slab, 0, 1);
        let key = first.key;
        assert!(pool.keep(&config, first, true, 0).is_none());
        assert!(pool.keep(&config, link(&mut slab, 1, 1), true, 1).is_none());
        let surplus = pool.keep(&config, link(&mut slab, 1, 1), true, 2);
        assert_eq!(surplus.map(|link| link.key), Some(key));
        assert_eq!(pool.len(), 2);
        assert!(pool.take(ServerId { upstream: 0, server: 0 }, None).is_none());
        assert_eq!(pool.take_oldest().map(|link| link.idle_since), Some(1));
    }

    #[test]
    fn a_link_is_used_again_for_the_address_that_it_comes_from() {
        let (config, mut slab) = (config(), Slab::new());
        let mut pool = Pool::new(&config);
        let (id, from) =
            (ServerId { upstream: 0, server: 0 }, SocketAddr::from(([127, 0, 0, 2], 0)));
        let bound = Link { from: Some(from), ..*link(&mut slab, 0, 1) };
        assert!(pool.keep(&config, Box::new(bound), true, 0).is_none());
        assert!(pool.keep(&config, link(&mut slab, 0, 1), true, 0).is_none());
        assert!(pool.take(id, Some(from)).is_some_and(|link| link.from == Some(from)));
        assert!(pool.take(id, Some(from)).is_none());
        assert!(pool.take(id, None).is_some_and(|link| link.from.is_none()));
    }

    #[test]
    fn links_of_a_server_that_has_proved_nothing_grow_old() {
        let (config, mut slab) = (config(), Slab::new());
        let mut pool = Pool::new(&config);
        for now in 0..5 {
            let surplus = pool.keep(&config, link(&mut slab, 0, 1), false, now);
            assert_eq!(surplus.is_some(), now >= 2);
        }
        let id = ServerId { upstream: 0, server: 0 };
        assert_eq!(pool.longest_idle(id).map(|link| link.idle_since), Some(0));
    }

    #[test]
    fn a_link_is_kept_for_its_time_and_its_requests() {
        let (config, mut slab) = (config(), Slab::new());
        let mut pool = Pool::new(&config);
        assert!(pool.keep(&config, link(&mut slab, 0, 3), true, 0).is_some());
        assert!(pool.keep(&config, link(&mut slab, 0, 2), true, 0).is_none());
        assert!(pool.keep(&config, link(&mut slab, 0, 2), true, 10).is_none());
        assert_eq!(pool.next_expiry(), Some(4_000));
        assert_eq!(pool.take_expired(&config, 3_999).len(), 0);
        assert_eq!(pool.take_expired(&config, 4_000).len(), 1);
        assert_eq!((pool.next_expiry(), pool.len()), (Some(4_010), 1));
        assert_eq!(pool.take_expired(&config, 4_010).len(), 1);
        assert_eq!((pool.next_expiry(), pool.is_empty()), (None, true));
        assert!(pool.keep(&config, link(&mut slab, 0, 1), true, 20_000).is_none());
        assert!(pool.keep(&config, link(&mut slab, 0, 1), true, 20_001).is_some());
    }
}
