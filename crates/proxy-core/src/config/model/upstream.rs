//! Groups of servers.

use std::sync::Arc;

use super::{Resolver, Template};
use crate::upstream::address::Address;
use crate::upstream::balance::Load;
use crate::upstream::points::Points;

/// A group of servers.
#[derive(Debug)]
pub struct Upstream {
    /// As in the file.
    pub name: Vec<u8>,
    /// The port of what a `proxy_pass` to a host has made; none where the file has a block.
    pub port: Option<u16>,
    /// In file order.
    pub servers: Vec<UpstreamServer>,
    /// nginx: `keepalive`, idle connections kept by a worker; 32 where the file says nothing
    /// (nginx before 1.29.7: none).
    pub keepalive: usize,
    /// nginx: `keepalive_timeout` of an upstream, 60 s in nginx, 4 s here where the file says nothing.
    pub keepalive_timeout_ms: u64,
    /// nginx: `keepalive_requests` of an upstream, 1000.
    pub keepalive_requests: u64,
    /// nginx: `keepalive_time` of an upstream, 1 h: an older connection is not kept.
    pub keepalive_time_ms: u64,
    /// How a server is chosen.
    pub method: Method,
}

/// How a server of a group is chosen for a request.
#[derive(Clone, Debug, Default)]
pub enum Method {
    /// By turns and weight.
    #[default]
    RoundRobin,
    /// nginx: `least_conn`.
    LeastConn,
    /// nginx: `ip_hash`.
    IpHash,
    /// nginx: `hash KEY`.
    Hash {
        /// What is hashed.
        key: Template,
        /// nginx: `consistent`.
        points: Option<Points>,
    },
    /// nginx: `random`.
    Random {
        /// Of two the one with fewer requests.
        two: bool,
    },
}

impl Method {
    /// Whether it goes by something of the request.
    pub fn has_key(&self) -> bool {
        !matches!(self, Method::RoundRobin | Method::LeastConn)
    }

    /// The text in it.
    pub fn template(&self) -> Option<&Template> {
        match self {
            Method::Hash { key, .. } => Some(key),
            _ => None,
        }
    }

    /// Whether it goes by how many requests each server has under way.
    pub fn counts(&self) -> bool {
        matches!(self, Method::LeastConn | Method::Random { two: true })
    }
}

/// A `server` line of an upstream.
#[derive(Debug, Clone)]
pub struct UpstreamServer {
    /// Host as written: a name, an address, `localhost`, `unix:PATH`.
    pub host: String,
    /// Port, 80 where none is written.
    pub port: u16,
    /// Addresses at load time, in the order to try; empty when the name did not
    /// resolve.
    pub addresses: Vec<Address>,
    /// nginx: `weight`, 1.
    pub weight: u32,
    /// nginx: `max_fails`, 1; 0 never marks it down.
    pub max_fails: u32,
    /// nginx: `fail_timeout`, 10 s.
    pub fail_timeout_ms: u64,
    /// nginx: `max_conns`, 0: requests under way at a time; 0 has no bound.
    pub max_conns: u32,
    /// Requests under way, where somebody asks for them.
    pub load: Option<Load>,
    /// nginx: `resolve`: the name is looked up again from time to time.
    pub is_watched: bool,
    /// Who is asked for the name then; the system where the file names nobody.
    pub resolver: Option<Arc<Resolver>>,
    /// nginx: `backup`.
    pub backup: bool,
    /// nginx: `down`.
    pub down: bool,
}

#[cfg(test)]
impl Upstream {
    /// A group of so many servers on loopback, with nginx's defaults.
    pub(crate) fn for_tests(servers: usize) -> Upstream {
        let server = |n: usize| UpstreamServer {
            host: "127.0.0.1".into(),
            port: 80,
            addresses: vec![Address::literal("127.0.0.1", 8_000 + n as u16).unwrap()],
            weight: 1,
            max_fails: 1,
            fail_timeout_ms: 10_000,
            max_conns: 0,
            load: None,
            is_watched: false,
            resolver: None,
            backup: false,
            down: false,
        };
        Upstream {
            name: b"app".to_vec(),
            port: None,
            servers: (0..servers).map(server).collect(),
            keepalive: 32,
            keepalive_timeout_ms: 60_000,
            keepalive_requests: 1_000,
            keepalive_time_ms: 3_600_000,
            method: Method::RoundRobin,
        }
    }
}

impl UpstreamServer {
    /// Whether every address is in this pod.
    pub fn is_local(&self) -> bool {
        !self.addresses.is_empty() && self.addresses.iter().all(Address::is_local)
    }
}
