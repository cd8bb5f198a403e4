//! The worker threads: started, sent commands, and missed when they end.
//!
//! It knows no signal and no configuration; what a worker does is the worker's.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use sidecar::signals::{Nudge, Signals};

use proxy_core::counters::Boards;

use crate::logs::LogSink;
use crate::metrics::WorkerCounters;
use crate::net::worker::Worker;
use crate::net::{Command, Mailbox, Runtime};

/// All workers.
pub struct Crew {
    mailboxes: Vec<Arc<Mailbox>>,
    farewells: Receiver<Farewell>,
    running: usize,
}

/// How a worker has ended: `None` as it was told to.
type Farewell = Option<String>;

/// Says farewell when it is dropped, so that a panic is one too.
struct Leaving {
    farewells: Sender<Farewell>,
    nudge: Nudge,
    farewell: Farewell,
}

impl Leaving {
    /// The worker has ended by itself.
    fn say(&mut self, ended: io::Result<()>) {
        self.farewell = ended.err().map(|error| error.to_string());
    }
}

impl Drop for Leaving {
    fn drop(&mut self) {
        // The main thread may have gone before.
        let _ = self.farewells.send(self.farewell.take());
        self.nudge.give();
    }
}

impl Crew {
    /// Starts a worker for each of `mailboxes` and `counters`, which are as many. `signals` are
    /// nudged when one ends.
    ///
    /// # Errors
    /// When the system refuses a thread or a descriptor.
    pub fn start(
        mailboxes: Vec<Arc<Mailbox>>,
        counters: &[Arc<WorkerCounters>],
        runtime: &Arc<Runtime>,
        sink: &Arc<LogSink>,
        signals: &Signals,
    ) -> io::Result<Crew> {
        let (sender, farewells) = channel();
        let mut crew = Crew { mailboxes, farewells, running: 0 };
        let workers = counters.len();
        let boards = Boards::new(workers);
        for (index, (mailbox, counters)) in crew.mailboxes.iter().zip(counters).enumerate() {
            let mut leaving = Leaving {
                farewells: sender.clone(),
                nudge: signals.nudge()?,
                farewell: Some("it panicked".into()),
            };
            let (inbox, counters) = (Arc::clone(mailbox), Arc::clone(counters));
            let (runtime, sink, boards) = (Arc::clone(runtime), Arc::clone(sink), boards.of(index));
            let seed = RandomState::new().build_hasher().finish();
            std::thread::Builder::new().name(format!("worker-{index}")).spawn(move || {
                let mut worker =
                    Worker::new(inbox, runtime, (sink, counters, boards), workers, seed);
                leaving.say(worker.run());
            })?;
            crew.running += 1;
        }
        Ok(crew)
    }

    /// Where the workers' sockets are watched.
    pub fn mailboxes(&self) -> &[Arc<Mailbox>] {
        &self.mailboxes
    }

    /// Sends each worker a command.
    pub fn send_all(&self, command: impl Fn() -> Command) {
        for mailbox in &self.mailboxes {
            mailbox.send(command());
        }
    }

    /// Takes note of those that have ended; the first error of one, if there is any.
    pub fn take_failure(&mut self) -> Option<String> {
        let mut failure = None;
        while let Ok(farewell) = self.farewells.try_recv() {
            self.running -= 1;
            failure = failure.or(farewell);
        }
        failure
    }

    /// Workers that have not ended.
    pub fn running(&self) -> usize {
        self.running
    }

    /// Has them end, and waits for it, but no longer than `limit`.
    pub fn stop(&mut self, limit: Duration) {
        self.send_all(|| Command::Stop);
        let end = Instant::now() + limit;
        while self.running > 0 {
            let left = end.saturating_duration_since(Instant::now());
            if self.farewells.recv_timeout(left).is_err() {
                return;
            }
            self.running -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is told of a worker that leaves like this.
    fn check(leave: impl FnOnce(&mut Leaving), expected: Option<&str>) {
        let mut signals = Signals::register(&[]).unwrap();
        let (sender, farewells) = channel();
        let mut crew = Crew { mailboxes: Vec::new(), farewells, running: 1 };
        let nudge = signals.nudge().unwrap();
        let mut leaving =
            Leaving { farewells: sender, nudge, farewell: Some("it panicked".into()) };
        leave(&mut leaving);
        drop(leaving);
        // The nudge has ended this wait.
        signals.wait(Some(Duration::from_secs(60))).unwrap();
        assert_eq!(crew.take_failure().as_deref(), expected);
        assert_eq!(crew.running(), 0);
    }

    #[test]
    fn a_worker_that_ends_is_missed_at_once_with_its_reason() {
        check(|leaving| leaving.say(Ok(())), None);
        let error = io::Error::other("the poller is broken");
        check(|leaving| leaving.say(Err(error)), Some("the poller is broken"));
        check(|_| {}, Some("it panicked"));
    }
}
