//! Upstream groups for unit tests, with nginx's defaults where a test says nothing.

use proxy_core::config::model::{Method, Upstream, UpstreamServer};

pub(crate) fn server(host: &str, addresses: &[&str]) -> UpstreamServer {
    UpstreamServer {
        host: host.into(),
        port: 80,
        addresses: addresses
            .iter()
            .map(|address| address.parse::<std::net::SocketAddr>().unwrap().into())
            .collect(),
        weight: 1,
        max_fails: 1,
        fail_timeout_ms: 10_000,
        max_conns: 0,
        load: None,
        is_watched: false,
        resolver: None,
        backup: false,
        down: false,
    }
}

pub(crate) fn upstream(name: &str, servers: Vec<UpstreamServer>) -> Upstream {
    Upstream {
        name: name.as_bytes().to_vec(),
        port: None,
        servers,
        keepalive: 32,
        keepalive_timeout_ms: 4000,
        keepalive_requests: 1000,
        keepalive_time_ms: 3_600_000,
        method: Method::default(),
    }
}
