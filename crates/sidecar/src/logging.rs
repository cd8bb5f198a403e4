//! The programs' own log: one line per event on stderr, never on stdout.
//!
//! Owns the format (RFC 3339 UTC time with milliseconds, level, message, no colours) and the
//! throttles, which keep a lasting fault from filling a node's disk with the same line. [`init`]
//! writes in the caller's thread, and waits for stderr; a program that must not wait brings a
//! logger of its own and takes the format from [`push_line`].

use std::fmt;
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

/// Adds `TIME [LEVEL] MESSAGE` and a line end.
pub fn push_line(out: &mut Vec<u8>, time: SystemTime, level: &str, message: &fmt::Arguments<'_>) {
    let line = format!("{} [{level}] {message}\n", rfc3339_millis(time));
    out.extend_from_slice(line.as_bytes());
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

/// Kinds that [`Throttles`] remembers at most.
const KINDS_MAX: usize = 64;

/// One [`Throttle`] per kind of event, so that a frequent fault never takes the place of a rare
/// one. `K` names the kind; nothing that a client chooses may be part of it.
#[derive(Debug)]
pub struct Throttles<K> {
    interval: Duration,
    by_kind: Vec<(K, Throttle)>,
}

impl<K: PartialEq> Throttles<K> {
    /// Each kind once per `interval`, beginning with its first event.
    pub fn new(interval: Duration) -> Throttles<K> {
        Throttles { interval, by_kind: Vec::new() }
    }

    /// Whether to say an event of this kind now; if so, what to end its line with.
    ///
    /// ```
    /// # use std::time::{Duration, Instant};
    /// use sidecar::logging::Throttles;
    ///
    /// let mut throttles = Throttles::new(Duration::from_secs(1));
    /// if let Some(more) = throttles.allow("refused", Instant::now()) {
    ///     assert_eq!(format!("connection refused{more}"), "connection refused");
    /// }
    /// ```
    pub fn allow(&mut self, kind: K, now: Instant) -> Option<More> {
        if let Some((_, throttle)) = self.by_kind.iter_mut().find(|(known, _)| *known == kind) {
            return throttle.allow(now).map(More);
        }
        if self.by_kind.len() >= KINDS_MAX {
            // The one that was silent for longest is the one that is missed least.
            let silent = self.by_kind.iter().enumerate().min_by_key(|(_, (_, t))| t.said);
            if let Some((index, _)) = silent {
                self.by_kind.swap_remove(index);
            }
        }
        let mut throttle = Throttle::new(self.interval);
        let more = throttle.allow(now).map(More);
        self.by_kind.push((kind, throttle));
        more
    }
}

/// Events of a kind that were held back since it was last said. As text it is empty for none,
/// else ` (12 more since the last)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct More(pub u64);

impl fmt::Display for More {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => Ok(()),
            count => write!(out, " ({count} more since the last)"),
        }
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
    fn a_line_is_time_level_and_message() {
        let mut line = Vec::new();
        push_line(&mut line, UNIX_EPOCH, "WARN", &format_args!("a {}", 1));
        assert_eq!(line, b"1970-01-01T00:00:00.000Z [WARN] a 1\n");
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

    #[test]
    fn a_frequent_kind_does_not_take_the_place_of_another() {
        let start = Instant::now();
        let mut throttles = Throttles::new(Duration::from_secs(1));
        let mut said = Vec::new();
        for tenth in 0..30_u32 {
            let now = start + Duration::from_millis(100) * tenth;
            for status in [400, 502] {
                if let Some(more) = throttles.allow(status, now) {
                    said.push(format!("{status}{more}"));
                }
            }
        }
        let nine = |status| format!("{status} (9 more since the last)");
        let first = ["400".to_owned(), "502".to_owned()];
        let later = [nine(400), nine(502), nine(400), nine(502)];
        assert_eq!(said, [&first[..], &later[..]].concat());
    }

    #[test]
    fn kinds_without_end_take_no_memory_without_end() {
        let start = Instant::now();
        let mut throttles = Throttles::new(Duration::from_secs(60));
        for kind in 0..1000 {
            assert_eq!(throttles.allow(kind, start + Duration::from_millis(kind)), Some(More(0)));
        }
        assert_eq!(throttles.by_kind.len(), KINDS_MAX);
        assert_eq!(throttles.allow(999, start + Duration::from_secs(1)), None);
    }
}
