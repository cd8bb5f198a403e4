//! Counters of the workers and their Prometheus text.
//!
//! Each worker adds to counters of its own; the admin thread sums them up when asked. Label sets
//! are fixed: nothing that a client sends becomes a label.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use sidecar::metrics::{Kind, Text};

use proxy_core::engine::Output;

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
    /// Answers that would have been compressed, while too many were already.
    pub left_unpacked: AtomicU64,
    /// Connections closed with an unfinished head, to make room for others' heads.
    pub heads_dropped: AtomicU64,
    /// Idle connections closed to make room for new ones.
    pub idle_dropped: AtomicU64,
    /// Accepts that failed for want of file descriptors.
    pub accept_failures: AtomicU64,
}

/// Adds to a counter.
pub fn add(counter: &AtomicU64, amount: u64) {
    counter.fetch_add(amount, Relaxed);
}

impl WorkerCounters {
    /// Shows what the worker has counted to who asks.
    pub fn publish(&self, Output { counters, left_unpacked, .. }: &Output) {
        self.left_unpacked.store(*left_unpacked, Relaxed);
        for (class, counts) in self.requests.iter().zip(&counters.requests) {
            for (shown, count) in class.iter().zip(counts) {
                shown.store(*count, Relaxed);
            }
        }
        for (shown, count) in [
            (&self.rejected, counters.rejected),
            (&self.connections, counters.connections),
            (&self.connections_idle, counters.connections_idle),
            (&self.accepted, counters.accepted),
            (&self.upstream_new, counters.upstream_new),
            (&self.upstream_reused, counters.upstream_reused),
            (&self.retries, counters.retries),
            (&self.heads_dropped, counters.heads_dropped),
            (&self.idle_dropped, counters.idle_dropped),
        ] {
            shown.store(count, Relaxed);
        }
    }
}

/// Counters of the process.
#[derive(Debug, Default)]
pub struct ProcessCounters {
    /// Configurations taken up after the first.
    pub reloads_ok: AtomicU64,
    /// Configurations refused.
    pub reloads_failed: AtomicU64,
    /// Access log lines that their destination did not take.
    pub access_lines_dropped: AtomicU64,
    /// Error log lines that their destination did not take.
    pub error_lines_dropped: AtomicU64,
    last_load_failed: AtomicBool,
}

impl ProcessCounters {
    /// Whether the last configuration that was read was taken up.
    pub fn set_last_load(&self, is_good: bool) {
        self.last_load_failed.store(!is_good, Relaxed);
    }
}

/// What the text is made from.
struct Sources<'c> {
    workers: &'c [Arc<WorkerCounters>],
    process: &'c ProcessCounters,
}

impl Sources<'_> {
    fn sum(&self, counter: impl Fn(&WorkerCounters) -> &AtomicU64) -> u64 {
        self.workers.iter().map(|worker| counter(worker).load(Relaxed)).sum()
    }
}

/// Prometheus text of everything.
pub fn render(
    workers: &[Arc<WorkerCounters>],
    process: &ProcessCounters,
    is_ready: bool,
) -> String {
    let sources = Sources { workers, process };
    let mut text = Text::new();
    push_requests(&sources, &mut text);
    push_connections(&sources, &mut text);
    push_reloads(&sources, &mut text);
    push_faults(&sources, &mut text);
    push_logs(&sources, &mut text);
    let name = "sidecar_proxy_ready";
    text.family(name, "Whether /readyz says so.", Kind::Gauge);
    text.sample(name, &[], is_ready);
    let name = "sidecar_proxy_workers";
    text.family(name, "Worker threads.", Kind::Gauge);
    text.sample(name, &[], workers.len() as u64);
    let name = "sidecar_proxy_build_info";
    text.family(name, "The running version.", Kind::Gauge);
    text.sample(name, &[("version", env!("CARGO_PKG_VERSION"))], 1_u64);
    text.finish()
}

fn push_requests(sources: &Sources<'_>, text: &mut Text) {
    let name = "sidecar_proxy_requests_total";
    let help = "Requests answered, by class of status and by who made it.";
    text.family(name, help, Kind::Counter);
    for (source, source_label) in ["upstream", "proxy"].into_iter().enumerate() {
        for (class, class_label) in ["1xx", "2xx", "3xx", "4xx", "5xx"].into_iter().enumerate() {
            let labels = [("status", class_label), ("source", source_label)];
            text.sample(name, &labels, sources.sum(|worker| &worker.requests[source][class]));
        }
    }
}

fn push_connections(sources: &Sources<'_>, text: &mut Text) {
    let open = sources.sum(|worker| &worker.connections);
    let idle = sources.sum(|worker| &worker.connections_idle).min(open);
    let name = "sidecar_proxy_connections";
    text.family(name, "Client connections open now.", Kind::Gauge);
    text.sample(name, &[("state", "active")], open - idle);
    text.sample(name, &[("state", "idle")], idle);
    let name = "sidecar_proxy_accepted_connections_total";
    text.family(name, "Client connections accepted.", Kind::Counter);
    text.sample(name, &[], sources.sum(|worker| &worker.accepted));
    let name = "sidecar_proxy_upstream_connections_total";
    let help = "Requests by whether their upstream connection was new.";
    text.family(name, help, Kind::Counter);
    text.sample(name, &[("kind", "new")], sources.sum(|worker| &worker.upstream_new));
    text.sample(name, &[("kind", "reused")], sources.sum(|worker| &worker.upstream_reused));
}

fn push_reloads(sources: &Sources<'_>, text: &mut Text) {
    let process = sources.process;
    let name = "sidecar_proxy_config_reloads_total";
    let help = "Configurations taken up or refused after the first.";
    text.family(name, help, Kind::Counter);
    text.sample(name, &[("result", "success")], process.reloads_ok.load(Relaxed));
    text.sample(name, &[("result", "failure")], process.reloads_failed.load(Relaxed));
    let name = "sidecar_proxy_config_last_load_success";
    text.family(name, "Whether the last configuration read was taken up.", Kind::Gauge);
    text.sample(name, &[], !process.last_load_failed.load(Relaxed));
}

fn push_faults(sources: &Sources<'_>, text: &mut Text) {
    let counters = [
        (
            "sidecar_proxy_rejected_requests_total",
            "Requests that broke HTTP.",
            sources.sum(|worker| &worker.rejected),
        ),
        (
            "sidecar_proxy_retries_total",
            "Requests sent again on another upstream connection.",
            sources.sum(|worker| &worker.retries),
        ),
        (
            "sidecar_proxy_left_uncompressed_total",
            "Answers sent as they are because as many as may be are compressed already.",
            sources.sum(|worker| &worker.left_unpacked),
        ),
        (
            "sidecar_proxy_heads_dropped_total",
            "Connections closed with an unfinished head to make room for others.",
            sources.sum(|worker| &worker.heads_dropped),
        ),
        (
            "sidecar_proxy_idle_connections_dropped_total",
            "Idle connections closed to make room for new ones.",
            sources.sum(|worker| &worker.idle_dropped),
        ),
        (
            "sidecar_proxy_accept_failures_total",
            "Connections refused for want of file descriptors.",
            sources.sum(|worker| &worker.accept_failures),
        ),
    ];
    for (name, help, value) in counters {
        text.family(name, help, Kind::Counter);
        text.sample(name, &[], value);
    }
}

fn push_logs(sources: &Sources<'_>, text: &mut Text) {
    let process = sources.process;
    let name = "sidecar_proxy_log_lines_dropped_total";
    let help = "Lines of logs dropped because their destination did not take them in time.";
    text.family(name, help, Kind::Counter);
    text.sample(name, &[("log", "access")], process.access_lines_dropped.load(Relaxed));
    text.sample(name, &[("log", "error")], process.error_lines_dropped.load(Relaxed));
}
