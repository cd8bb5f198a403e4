//! Groups of servers.

use crate::upstream::address::Address;

/// A group of servers.
#[derive(Debug)]
pub struct Upstream {
    /// As in the file.
    pub name: Vec<u8>,
    /// In file order.
    pub servers: Vec<UpstreamServer>,
    /// nginx: `keepalive`, idle connections kept by a worker; 32 where the file says nothing
    /// (nginx before 1.29.7: none).
    pub keepalive: usize,
    /// nginx: `keepalive_timeout` of an upstream, 60 s in nginx, 4 s here where the file says nothing.
    pub keepalive_timeout_ms: u64,
    /// nginx: `keepalive_requests` of an upstream, 1000.
    pub keepalive_requests: u64,
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
            backup: false,
            down: false,
        };
        Upstream {
            name: b"app".to_vec(),
            servers: (0..servers).map(server).collect(),
            keepalive: 32,
            keepalive_timeout_ms: 60_000,
            keepalive_requests: 1_000,
        }
    }
}

impl UpstreamServer {
    /// Whether every address is in this pod.
    pub fn is_local(&self) -> bool {
        !self.addresses.is_empty() && self.addresses.iter().all(Address::is_local)
    }
}
