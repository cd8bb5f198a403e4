//! Names of upstreams to addresses.
//!
//! Owns: the order of addresses, and that a dead name server cannot hold up a start. A name that is
//! not found is no error: it is served as 502 and looked up again (nginx would not start).

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use proxy_core::config::address::is_localhost;
use proxy_core::config::model::Config;
use proxy_core::upstream::address::Address;

/// Longest that a load waits for all names together; what is late is looked up again by the
/// running proxy. The common resolver gives up a dead server after 5 s.
const LOOKUP_MAX: Duration = Duration::from_secs(2);

/// The addresses of a host, in the order to try them; empty if there are none now. May take as
/// long as the system's resolver does.
pub fn resolve(host: &str, port: u16) -> Vec<Address> {
    if let Some(known) = without_lookup(host, port) {
        return known;
    }
    let mut found: Vec<Address> = Vec::new();
    for address in (host, port).to_socket_addrs().into_iter().flatten().map(Address::Tcp) {
        if !found.contains(&address) {
            found.push(address);
        }
    }
    found
}

/// The same of a host that is one: no path is.
pub(super) fn by_tcp(host: &str, port: u16) -> Vec<SocketAddr> {
    let tcp = |address| match address {
        Address::Tcp(address) => Some(address),
        Address::Unix(_) => None,
    };
    resolve(host, port).into_iter().filter_map(tcp).collect()
}

/// Addresses that need nobody to be asked: literal ones, and `localhost`, which is both families.
fn without_lookup(host: &str, port: u16) -> Option<Vec<Address>> {
    if is_localhost(host) {
        let both = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
        return Some(both.map(|ip| SocketAddr::new(ip, port).into()).to_vec());
    }
    Address::literal(host, port).map(|address| vec![address])
}

/// Fills in the addresses of every upstream's servers, and tells which names have none yet.
pub(super) fn fill(config: &mut Config) -> Vec<String> {
    let mut names: Vec<(String, u16)> = Vec::new();
    for server in config.upstreams.iter_mut().flat_map(|upstream| &mut upstream.servers) {
        let key = (server.host.clone(), server.port);
        match without_lookup(&server.host, server.port) {
            Some(addresses) => server.addresses = addresses,
            None if names.contains(&key) => {}
            None => names.push(key),
        }
    }
    if names.is_empty() {
        return Vec::new();
    }
    let found = look_up(&names, Instant::now() + LOOKUP_MAX);
    for server in config.upstreams.iter_mut().flat_map(|upstream| &mut upstream.servers) {
        if let Some(addresses) = found.get(&(server.host.clone(), server.port)) {
            server.addresses.clone_from(addresses);
        }
    }
    let is_missing = |key: &&(String, u16)| found.get(key).is_none_or(Vec::is_empty);
    let missing = names.iter().filter(is_missing);
    missing
        .map(|(host, _)| {
            format!("host not found in upstream \"{host}\": answered by 502 until it is found")
        })
        .collect()
}

/// Looks names up side by side, until the deadline. A look-up that hangs is left behind.
fn look_up(names: &[(String, u16)], deadline: Instant) -> HashMap<(String, u16), Vec<Address>> {
    let (sender, receiver) = mpsc::channel();
    let mut found = HashMap::new();
    let mut expected = 0usize;
    for (host, port) in names.iter().take(LOOKUPS_MAX).cloned() {
        let sender = sender.clone();
        let spawned = thread::Builder::new().name("lookup".into()).spawn(move || {
            let addresses = resolve(&host, port);
            // Nobody listens any more once the deadline has passed.
            let _ = sender.send(((host, port), addresses));
        });
        expected += usize::from(spawned.is_ok());
    }
    for _ in 0..expected {
        let left = deadline.saturating_duration_since(Instant::now());
        let Ok((key, addresses)) = receiver.recv_timeout(left) else { break };
        found.insert(key, addresses);
    }
    found
}

/// Most look-ups at a time; a sidecar has a handful of upstreams.
const LOOKUPS_MAX: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_upstream::{server, upstream};

    fn check(host: &str, expected: &[&str]) {
        let found: Vec<String> = resolve(host, 80).iter().map(ToString::to_string).collect();
        assert_eq!(found, expected, "{host}");
    }

    #[test]
    fn localhost_is_both_loopbacks_ipv4_first_without_a_lookup() {
        check("localhost", &["127.0.0.1:80", "[::1]:80"]);
        check("LOCALHOST", &["127.0.0.1:80", "[::1]:80"]);
    }

    #[test]
    fn literal_addresses_are_themselves() {
        check("10.0.0.1", &["10.0.0.1:80"]);
        check("[::1]", &["[::1]:80"]);
        check("unix:/run/app.sock", &["unix:/run/app.sock"]);
    }

    #[test]
    fn a_name_that_is_not_found_is_told_and_left_without_addresses() {
        let servers = vec![server("no-such-host.invalid", &[]), server("127.0.0.1", &[])];
        let upstream = upstream("u", servers);
        let mut config = Config { upstreams: vec![upstream], ..Config::default() };
        let start = Instant::now();
        let told = fill(&mut config);
        assert_eq!(told.len(), 1);
        assert!(told[0].starts_with("host not found in upstream \"no-such-host.invalid\""));
        assert!(start.elapsed() < LOOKUP_MAX + Duration::from_secs(2));
        assert_eq!(config.upstreams[0].servers[0].addresses, []);
        assert_eq!(config.upstreams[0].servers[1].addresses.len(), 1);
    }
}
