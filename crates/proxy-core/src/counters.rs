//! What one worker counts. Plain numbers; the program publishes them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::response::Source;

/// Counts since the start, and gauges where it says so.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Counters {
    /// Finished exchanges by source (upstream, proxy) and class of status (1xx to 5xx).
    pub requests: [[u64; 5]; 2],
    /// Requests that broke HTTP.
    pub rejected: u64,
    /// Gauge: client connections open now.
    pub connections: u64,
    /// Gauge: client connections that wait for a request.
    pub connections_idle: u64,
    /// Client connections accepted so far.
    pub accepted: u64,
    /// Upstream connections newly made.
    pub upstream_new: u64,
    /// Requests on an upstream connection that had served before.
    pub upstream_reused: u64,
    /// Requests sent to another server, or again.
    pub retries: u64,
    /// Connections closed with an unfinished head, to make room for others' heads.
    pub heads_dropped: u64,
    /// Idle connections closed to make room for new ones.
    pub idle_dropped: u64,
    /// Requests begun so far.
    pub begun: u64,
    /// Gauge: client connections with a part of a head.
    pub heads: u64,
}

/// What all workers show each other of their connections.
#[derive(Clone, Debug, Default)]
pub struct Boards {
    all: Arc<[Board]>,
    own: usize,
}

/// nginx: connections that are open, that wait, and that begin a request; connections and requests
/// so far.
#[derive(Debug, Default)]
struct Board([AtomicU64; 5]);

/// nginx: what `stub_status` shows, of all workers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Open connections.
    pub active: u64,
    /// Those that wait for a request.
    pub waiting: u64,
    /// Those with a part of a head.
    pub reading: u64,
    /// Connections so far.
    pub accepted: u64,
    /// Requests so far.
    pub requests: u64,
}

impl Totals {
    /// Those that are answered.
    pub fn writing(&self) -> u64 {
        self.active.saturating_sub(self.waiting + self.reading)
    }
}

impl Boards {
    /// Those of so many workers.
    pub fn new(workers: usize) -> Boards {
        Boards { all: (0..workers).map(|_| Board::default()).collect(), own: 0 }
    }

    /// The same, for the worker of this number to write on its own.
    pub fn of(&self, own: usize) -> Boards {
        Boards { all: Arc::clone(&self.all), own }
    }

    /// Shows what this worker has counted.
    pub fn show(&self, counters: &Counters) {
        let Some(Board(places)) = self.all.get(self.own) else { return };
        let Counters { connections, connections_idle, heads, accepted, begun, .. } = *counters;
        let waiting = connections_idle.saturating_sub(heads);
        let counts = [connections, waiting, heads, accepted, begun];
        places.iter().zip(counts).for_each(|(place, count)| place.store(count, Relaxed));
    }

    /// What all have shown.
    pub fn totals(&self) -> Totals {
        let mut sums = [0; 5];
        for Board(places) in self.all.iter() {
            sums.iter_mut().zip(places).for_each(|(sum, place)| *sum += place.load(Relaxed));
        }
        let [active, waiting, reading, accepted, requests] = sums;
        Totals { active, waiting, reading, accepted, requests }
    }
}

impl Counters {
    /// Counts a finished exchange.
    pub fn count_request(&mut self, status: u16, source: Source) {
        debug_assert!(status < 1_000);
        let class = usize::from(status / 100).clamp(1, 5) - 1;
        let by_source = self.requests.get_mut(usize::from(source == Source::Proxy));
        if let Some(count) = by_source.and_then(|classes| classes.get_mut(class)) {
            *count += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_workers_show_is_added_up() {
        let boards = Boards::new(2);
        let counters = |connections| Counters {
            connections,
            connections_idle: 2,
            heads: 1,
            accepted: 7,
            begun: 9,
            ..Counters::default()
        };
        boards.of(0).show(&counters(3));
        boards.of(1).show(&counters(9));
        boards.of(1).show(&counters(4));
        // One that is none of them shows nothing.
        boards.of(2).show(&counters(4));
        let totals = boards.totals();
        let expected = Totals { active: 7, waiting: 2, reading: 2, accepted: 14, requests: 18 };
        assert_eq!((totals, totals.writing()), (expected, 3));
        assert_eq!(Boards::default().totals(), Totals::default());
    }

    #[test]
    fn exchanges_are_counted_by_source_and_class() {
        let mut counters = Counters::default();
        for status in [101, 200, 299, 304, 404, 499, 504] {
            counters.count_request(status, Source::Upstream);
        }
        // One without an answer, and one beyond the classes that HTTP knows.
        for status in [0, 999] {
            counters.count_request(status, Source::Proxy);
        }
        assert_eq!(counters.requests, [[1, 2, 1, 2, 1], [1, 0, 0, 0, 1]]);
    }
}
