//! Counters of the workers and their Prometheus text.
//!
//! Each worker adds to counters of its own; the admin thread sums them up when asked. Label sets
//! are fixed: nothing that a client sends becomes a label.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use sidecar::metrics::{Kind, Text};

use crate::exchange::Source;

/// Counters of one worker.
#[derive(Debug, Default)]
pub struct WorkerCounters {
    /// By source (upstream, proxy) and class of status (1xx to 5xx).
    requests: [[AtomicU64; 5]; 2],
    /// Requests that broke HTTP.
    pub rejected: AtomicU64,
    /// Client connections open now.
    pub connections: AtomicU64,
    /// Client connections that wait for a request.
    pub connections_idle: AtomicU64,
    /// Client connections accepted so far.
    pub accepted: AtomicU64,
    /// Upstream connections newly made.
    pub upstream_new: AtomicU64,
    /// Requests on an upstream connection that had served before.
    pub upstream_reused: AtomicU64,
    /// Requests sent again.
    pub retries: AtomicU64,
    /// Accepts that failed for want of file descriptors.
    pub accept_failures: AtomicU64,
}

/// Adds to a counter.
pub fn add(counter: &AtomicU64, amount: u64) {
    counter.fetch_add(amount, Relaxed);
}

/// Takes from a gauge.
pub fn sub(counter: &AtomicU64, amount: u64) {
    counter.fetch_sub(amount, Relaxed);
}

impl WorkerCounters {
    /// Counts a finished request.
    pub fn count_request(&self, status: u16, source: Source) {
        let class = usize::from(status / 100).clamp(1, 5) - 1;
        add(&self.requests[usize::from(source == Source::Proxy)][class], 1);
    }
}

/// Counters of the process.
#[derive(Debug, Default)]
pub struct ProcessCounters {
    /// Configurations taken up after the first.
    pub reloads_ok: AtomicU64,
    /// Configurations refused.
    pub reloads_failed: AtomicU64,
    /// Access log lines dropped, their destination being too slow.
    pub log_dropped: AtomicU64,
    /// 1 when the last load succeeded.
    pub last_reload_failed: AtomicU64,
}

fn total<'w>(
    workers: impl Iterator<Item = &'w WorkerCounters>,
    counter: impl Fn(&WorkerCounters) -> &AtomicU64,
) -> u64 {
    workers.map(|worker| counter(worker).load(Relaxed)).sum()
}

/// Prometheus text of everything.
pub fn render<'w>(
    workers: impl Iterator<Item = &'w WorkerCounters> + Clone,
    process: &ProcessCounters,
) -> String {
    let sum = |counter: fn(&WorkerCounters) -> &AtomicU64| total(workers.clone(), counter);
    let mut text = Text::new();
    text.family(
        "sidecar_proxy_requests_total",
        "Requests answered, by class of status and by who made it.",
        Kind::Counter,
    );
    for (source, source_label) in ["upstream", "proxy"].into_iter().enumerate() {
        for (class, class_label) in ["1xx", "2xx", "3xx", "4xx", "5xx"].into_iter().enumerate() {
            let value = total(workers.clone(), |worker| &worker.requests[source][class]);
            let labels = [("status", class_label), ("source", source_label)];
            text.sample("sidecar_proxy_requests_total", &labels, value);
        }
    }
    let open = sum(|w| &w.connections);
    let idle = sum(|w| &w.connections_idle).min(open);
    text.family("sidecar_proxy_connections", "Client connections open now.", Kind::Gauge);
    text.sample("sidecar_proxy_connections", &[("state", "active")], open - idle);
    text.sample("sidecar_proxy_connections", &[("state", "idle")], idle);
    text.family(
        "sidecar_proxy_upstream_connections_total",
        "Requests by whether their upstream connection was new.",
        Kind::Counter,
    );
    let name = "sidecar_proxy_upstream_connections_total";
    text.sample(name, &[("kind", "new")], sum(|w| &w.upstream_new));
    text.sample(name, &[("kind", "reused")], sum(|w| &w.upstream_reused));
    text.family(
        "sidecar_proxy_config_reloads_total",
        "Configurations taken up or refused after the first.",
        Kind::Counter,
    );
    let name = "sidecar_proxy_config_reloads_total";
    text.sample(name, &[("result", "success")], process.reloads_ok.load(Relaxed));
    text.sample(name, &[("result", "failure")], process.reloads_failed.load(Relaxed));
    let singles: [(&str, &str, Kind, u64); 7] = [
        (
            "sidecar_proxy_config_last_reload_successful",
            "Whether the last configuration read was taken up.",
            Kind::Gauge,
            1 - process.last_reload_failed.load(Relaxed).min(1),
        ),
        (
            "sidecar_proxy_accepted_connections_total",
            "Client connections accepted.",
            Kind::Counter,
            sum(|w| &w.accepted),
        ),
        (
            "sidecar_proxy_rejected_requests_total",
            "Requests that broke HTTP.",
            Kind::Counter,
            sum(|w| &w.rejected),
        ),
        (
            "sidecar_proxy_retries_total",
            "Requests sent again on another upstream connection.",
            Kind::Counter,
            sum(|w| &w.retries),
        ),
        (
            "sidecar_proxy_accept_failures_total",
            "Connections refused for want of file descriptors.",
            Kind::Counter,
            sum(|w| &w.accept_failures),
        ),
        (
            "sidecar_proxy_access_log_dropped_total",
            "Access log lines dropped because their destination was too slow.",
            Kind::Counter,
            process.log_dropped.load(Relaxed),
        ),
        ("sidecar_proxy_workers", "Worker threads.", Kind::Gauge, workers.clone().count() as u64),
    ];
    for (name, help, kind, value) in singles {
        text.family(name, help, kind);
        text.sample(name, &[], value);
    }
    text.family("sidecar_proxy_build_info", "The running version.", Kind::Gauge);
    text.sample("sidecar_proxy_build_info", &[("version", env!("CARGO_PKG_VERSION"))], 1_u64);
    text.finish()
}
