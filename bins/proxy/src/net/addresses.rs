//! Addresses of the upstreams' servers, shared by the workers and by who looks names up.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use proxy_core::config::model::{Config, Upstream};
use proxy_core::upstream::address::Address;
use proxy_core::upstream::link::ServerId;

/// What look-ups have found since the configuration was loaded, and which are wanted.
pub struct Addresses {
    /// What the load has found.
    loaded: Vec<Vec<Vec<Address>>>,
    found: Mutex<Vec<(ServerId, Vec<Address>)>>,
    /// Counts the changes of `found`.
    version: AtomicU64,
    wanted: Vec<Vec<AtomicBool>>,
}

impl Addresses {
    /// Nothing new yet; names that the load did not find are wanted.
    pub fn new(config: &Config) -> Addresses {
        let group = |upstream: &Upstream| {
            let servers = upstream.servers.iter();
            servers.map(|server| AtomicBool::new(server.addresses.is_empty())).collect()
        };
        let addresses = |upstream: &Upstream| {
            upstream.servers.iter().map(|server| server.addresses.clone()).collect()
        };
        Addresses {
            loaded: config.upstreams.iter().map(addresses).collect(),
            found: Mutex::default(),
            version: AtomicU64::new(0),
            wanted: config.upstreams.iter().map(group).collect(),
        }
    }

    /// The addresses of a server now.
    pub fn list(&self, upstream: usize, server: usize) -> Vec<Address> {
        let id = ServerId { upstream, server };
        let found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, addresses)) = found.iter().find(|(known, _)| *known == id) {
            return addresses.clone();
        }
        let loaded = self.loaded.get(upstream).and_then(|servers| servers.get(server));
        loaded.cloned().unwrap_or_default()
    }

    /// Asks for another look-up of a server's name.
    pub fn want(&self, upstream: usize, server: usize) {
        if let Some(wanted) = self.wanted.get(upstream).and_then(|group| group.get(server)) {
            wanted.store(true, Ordering::Relaxed);
        }
    }

    /// Servers whose names are to be looked up, each told once.
    pub fn take_wanted(&self) -> Vec<(usize, usize)> {
        let mut taken = Vec::new();
        for (upstream, servers) in self.wanted.iter().enumerate() {
            for (server, wanted) in servers.iter().enumerate() {
                if wanted.swap(false, Ordering::Relaxed) {
                    taken.push((upstream, server));
                }
            }
        }
        taken
    }

    /// Sets what a look-up has found; nothing found keeps what was known.
    pub fn set(&self, upstream: usize, server: usize, addresses: &[Address]) {
        if addresses.is_empty() {
            return;
        }
        let id = ServerId { upstream, server };
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        found.retain(|(known, _)| *known != id);
        found.push((id, addresses.to_vec()));
        self.version.fetch_add(1, Ordering::Release);
    }

    /// Everything found, if it has changed since `seen`, which is brought up to date.
    pub fn changed_since(&self, seen: &mut u64) -> Option<Vec<(ServerId, Vec<Address>)>> {
        let version = self.version.load(Ordering::Acquire);
        if version == std::mem::replace(seen, version) {
            return None;
        }
        Some(self.found.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }
}
