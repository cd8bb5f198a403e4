//! What the admin endpoint says: alive, ready, metrics. Every answer is made from what is known
//! already: nobody is asked, and nothing is waited for but, by who says so, the first time ready.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sidecar::admin::{Answer, Asked, Reply};

use crate::metrics::{self, ProcessCounters, WorkerCounters};
use crate::net::Runtime;
use crate::readiness::Readiness;

/// How long `/readyz?wait` waits for the first time ready: less than the second that is the shortest
/// time limit and the shortest period of a kubelet's probe.
const WAIT_MAX: Duration = Duration::from_millis(900);

/// What the answers are made from.
pub struct Status {
    /// Counters of each worker.
    pub workers: Vec<Arc<WorkerCounters>>,
    /// Counters of the process.
    pub process: Arc<ProcessCounters>,
    /// Whether the application takes connections.
    pub readiness: Readiness,
    ending: AtomicBool,
    runtime: Mutex<Arc<Runtime>>,
}

impl Status {
    /// Of a process that has just begun to serve with `runtime`.
    pub fn new(
        workers: Vec<Arc<WorkerCounters>>,
        process: Arc<ProcessCounters>,
        runtime: Arc<Runtime>,
    ) -> Status {
        Status {
            workers,
            process,
            readiness: Readiness::default(),
            ending: AtomicBool::new(false),
            runtime: Mutex::new(runtime),
        }
    }

    /// The configuration in force.
    pub fn runtime(&self) -> Arc<Runtime> {
        Arc::clone(&self.runtime.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Another configuration is in force.
    pub fn set_runtime(&self, runtime: Arc<Runtime>) {
        *self.runtime.lock().unwrap_or_else(PoisonError::into_inner) = runtime;
    }

    /// Whether the process has been told to end.
    pub fn is_ending(&self) -> bool {
        self.ending.load(Ordering::Relaxed)
    }

    /// The process has been told to end.
    pub fn set_ending(&self) {
        self.ending.store(true, Ordering::Relaxed);
    }

    /// What there is to say to a request.
    ///
    /// A kubelet asks once a second at best. With `/readyz?wait` it hears of the application as soon
    /// as that takes connections, and the pod is in its Service up to a second sooner. Once it was
    /// ready the answer is always at once, so that an application that is gone is known as soon as ever.
    pub fn answer(&self, asked: &Asked<'_>) -> Reply {
        match asked.path {
            "/livez" => Reply::Now(Answer::ok()),
            "/readyz" => match self.reason_not_ready() {
                None => Reply::Now(Answer::ok()),
                Some(_) if asked.query == "wait" && self.may_wait(asked.waited) => Reply::Later,
                Some(reason) => Reply::Now(Answer::unavailable(&format!("not ready: {reason}"))),
            },
            "/metrics" => {
                let is_ready = self.reason_not_ready().is_none();
                let body = metrics::render(&self.workers, &self.process, is_ready);
                Reply::Now(Answer { status: 200, body })
            }
            _ => Reply::Unknown,
        }
    }

    fn may_wait(&self, waited: Duration) -> bool {
        waited < WAIT_MAX && !self.is_ending() && !self.readiness.was_ready()
    }

    /// Ready until told to end, while the pod's own applications accept connections. Draining
    /// alone leaves it ready: where a Service has no other pod, Kubernetes goes on with a
    /// terminating one for as long as that is ready.
    fn reason_not_ready(&self) -> Option<String> {
        if self.is_ending() {
            return Some("ending".into());
        }
        self.readiness.fault(Instant::now())
    }
}
