//! What the admin endpoint says: alive, ready, metrics.

use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sidecar::admin::Answer;

use crate::metrics::{self, ProcessCounters, WorkerCounters};
use crate::net::Runtime;

/// How long the application may take to accept when readiness is asked for; the kubelet waits one
/// second by default.
const READY_CONNECT_TIMEOUT: Duration = Duration::from_millis(500);

/// What the answers are made from.
pub struct Status {
    /// Counters of each worker.
    pub workers: Vec<Arc<WorkerCounters>>,
    /// Counters of the process.
    pub process: Arc<ProcessCounters>,
    /// The process has been told to end.
    pub ending: AtomicBool,
    /// The configuration in force.
    pub runtime: Mutex<Arc<Runtime>>,
}

impl Status {
    /// The answer to a path; `None` is 404.
    pub fn answer(&self, path: &str) -> Option<Answer> {
        match path {
            "/livez" => Some(Answer { status: 200, body: "ok\n".into() }),
            "/readyz" => Some(match self.reason_not_ready() {
                None => Answer { status: 200, body: "ok\n".into() },
                Some(reason) => Answer { status: 503, body: format!("{reason}\n") },
            }),
            "/metrics" => {
                let body = metrics::render(&self.workers, &self.process);
                Some(Answer { status: 200, body })
            }
            _ => None,
        }
    }

    /// Ready until told to end, while the pod's own applications accept connections; what runs in
    /// other pods has readiness of its own. Draining alone leaves it ready: where a Service has no
    /// other pod, Kubernetes goes on with a terminating one for as long as that is ready.
    fn reason_not_ready(&self) -> Option<String> {
        if self.ending.load(Ordering::Relaxed) {
            return Some("ending".into());
        }
        let runtime = Arc::clone(&self.runtime.lock().unwrap_or_else(PoisonError::into_inner));
        for upstream in &runtime.config.upstreams {
            let mut local =
                upstream.servers.iter().filter(|server| server.is_loopback()).peekable();
            let accepts =
                |address| TcpStream::connect_timeout(address, READY_CONNECT_TIMEOUT).is_ok();
            if local.peek().is_some() && !local.any(|server| server.addresses.iter().any(accepts)) {
                let name = String::from_utf8_lossy(&upstream.name);
                return Some(format!("upstream {name} accepts no connection"));
            }
        }
        None
    }
}
