//! The programs' own log: one line per event on stderr, never on stdout.
//!
//! Owns the format (RFC 3339 UTC time with milliseconds, level, message, no colours) and
//! [`Throttle`], which keeps a lasting fault from filling a node's disk with the same line.

use std::io::{self, LineWriter};
use std::time::{Duration, Instant, SystemTime};

use log::LevelFilter;
use simplelog::{ConfigBuilder, FormatItem, WriteLogger};
use time::OffsetDateTime;
use time::macros::format_description;

/// Longest line that leaves in one write(2); a longer one is cut into several writes, not lost.
const LINE_BYTES_MAX: usize = 4096;

/// RFC 3339 with exactly three digits of a second, so that lines sort as text.
const TIME_FORMAT: &[FormatItem<'static>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");

/// Starts logging to stderr. A second call has no effect: the first one stands.
pub fn init(level: LevelFilter) {
    let config = ConfigBuilder::new()
        .set_time_format_custom(TIME_FORMAT)
        .set_thread_level(LevelFilter::Off)
        .set_target_level(LevelFilter::Off)
        .set_location_level(LevelFilter::Off)
        .build();
    // Line by line, so that one event is one write(2) and lines of several threads or of the
    // sidecars that share a terminal do not mix.
    let stderr = LineWriter::with_capacity(LINE_BYTES_MAX, io::stderr());
    let _ = WriteLogger::init(level, config, stderr);
}

/// `time` as `2026-11-23T21:07:03.123Z`: UTC, milliseconds cut off, not rounded.
pub fn rfc3339_millis(time: SystemTime) -> String {
    // Only years past 9999 cannot be written; a line without its time is better than none.
    OffsetDateTime::from(time).format(TIME_FORMAT).unwrap_or_else(|_| "-".to_owned())
}

/// Lets an event be said once per interval, and counts what was held back.
#[derive(Debug)]
pub struct Throttle {
    interval: Duration,
    said: Option<Instant>,
    suppressed: u64,
}

impl Throttle {
    /// Once per `interval`, beginning with the first event.
    pub fn new(interval: Duration) -> Throttle {
        Throttle { interval, said: None, suppressed: 0 }
    }

    /// Once a minute, the kit's measure for a fault that lasts.
    pub fn per_minute() -> Throttle {
        Throttle::new(Duration::from_secs(60))
    }

    /// Whether to say it now: `Some(n)` with the number of events held back since it was last
    /// said, or `None` (and this event is counted as held back).
    pub fn allow(&mut self, now: Instant) -> Option<u64> {
        if let Some(said) = self.said
            && now.saturating_duration_since(said) < self.interval
        {
            self.suppressed += 1;
            return None;
        }
        self.said = Some(now);
        Some(std::mem::take(&mut self.suppressed))
    }

    /// Forgets the past, so that the next event is said at once: call it when the fault is over.
    pub fn reset(&mut self) {
        self.said = None;
        self.suppressed = 0;
    }
}

impl Default for Throttle {
    fn default() -> Throttle {
        Throttle::per_minute()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::UNIX_EPOCH;

    fn check(millis: u64, expected: &str) {
        assert_eq!(rfc3339_millis(UNIX_EPOCH + Duration::from_millis(millis)), expected);
    }

    #[test]
    fn times_are_written_as_rfc_3339_with_milliseconds() {
        check(0, "1970-01-01T00:00:00.000Z");
        check(951_782_399_999, "2000-02-28T23:59:59.999Z");
        check(951_782_400_000, "2000-02-29T00:00:00.000Z");
        check(1_709_251_199_001, "2024-02-29T23:59:59.001Z");
        check(1_735_689_599_000, "2024-12-31T23:59:59.000Z");
        check(4_107_542_400_000, "2100-03-01T00:00:00.000Z");
    }

    #[test]
    fn an_event_is_said_once_per_interval_with_what_was_held_back() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut throttle = Throttle::per_minute();
        assert_eq!(throttle.allow(at(0)), Some(0));
        assert_eq!(throttle.allow(at(1)), None);
        assert_eq!(throttle.allow(at(59)), None);
        assert_eq!(throttle.allow(at(60)), Some(2));
        assert_eq!(throttle.allow(at(61)), None);
        throttle.reset();
        assert_eq!(throttle.allow(at(62)), Some(0));
    }
}
