//! What one worker counts. Plain numbers; the program publishes them.

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
