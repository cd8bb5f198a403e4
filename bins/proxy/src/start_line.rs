//! The line that an operator sees when the process begins to serve.

use std::net::SocketAddr;

use proxy_core::config::model::{Config, Upstream};

/// Upstreams and addresses that are named; of more only the number is.
const NAMED_MAX: usize = 16;

/// Version, addresses listened on, workers, upstreams with their addresses.
pub fn start_line(config: &Config, listening: &[SocketAddr], workers: usize) -> String {
    let version = env!("CARGO_PKG_VERSION");
    let on = list(listening.iter().map(ToString::to_string));
    let plural = if workers == 1 { "" } else { "s" };
    let upstreams = match list(config.upstreams.iter().map(upstream)) {
        none if none.is_empty() => "no upstreams".into(),
        some => format!("upstreams {some}"),
    };
    format!("sidecar-kit proxy/{version}: listening on {on}; {workers} worker{plural}; {upstreams}")
}

fn upstream(upstream: &Upstream) -> String {
    let addresses = upstream.servers.iter().flat_map(|server| &server.addresses);
    let addresses = match list(addresses.map(ToString::to_string)) {
        none if none.is_empty() => "no address yet".into(),
        some => some,
    };
    format!("{} ({addresses})", String::from_utf8_lossy(&upstream.name))
}

fn list(items: impl Iterator<Item = String>) -> String {
    let mut items: Vec<String> = items.collect();
    if items.len() > NAMED_MAX {
        let more = items.len() - NAMED_MAX;
        items.truncate(NAMED_MAX);
        items.push(format!("and {more} more"));
    }
    items.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_upstream;

    fn upstream(name: &str, addresses: &[&str]) -> Upstream {
        test_upstream::upstream(name, vec![test_upstream::server("localhost", addresses)])
    }

    fn check(upstreams: Vec<Upstream>, workers: usize, expected: &str) {
        let config = Config { upstreams, ..Config::default() };
        let listening = ["0.0.0.0:8080", "[::]:8080"].map(|address| address.parse().unwrap());
        let line = start_line(&config, &listening, workers);
        let head = concat!("sidecar-kit proxy/", env!("CARGO_PKG_VERSION"), ": ");
        assert_eq!(line.strip_prefix(head), Some(expected));
    }

    #[test]
    fn it_names_addresses_workers_and_upstreams() {
        let listening = "listening on 0.0.0.0:8080, [::]:8080";
        check(vec![], 2, &format!("{listening}; 2 workers; no upstreams"));
        let upstreams =
            vec![upstream("app", &["127.0.0.1:5000", "[::1]:5000"]), upstream("b", &[])];
        let named = "upstreams app (127.0.0.1:5000, [::1]:5000), b (no address yet)";
        check(upstreams, 1, &format!("{listening}; 1 worker; {named}"));
    }

    #[test]
    fn it_stays_a_line_with_a_thousand_upstreams() {
        let upstreams = (0..1000).map(|_| upstream("u", &["127.0.0.1:1"])).collect();
        let config = Config { upstreams, ..Config::default() };
        let line = start_line(&config, &[], 1);
        assert!(line.len() < 1000 && line.ends_with(", and 984 more"), "{line}");
    }
}
