//! What the admin endpoint answers: /livez, /readyz, /metrics.
//!
//! Owns the state the main loop shares with it, and the names of the metrics. It never touches a
//! file and never waits for the loop longer than the copy of that state takes.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sidecar::admin::{Answer, Asked, Reply};
use sidecar::metrics::Kind::{self, Counter, Gauge};
use sidecar::metrics::Text;
use tail::report::Stats;

/// A main loop that did not turn for so long is stuck; it turns every second, stdout blocked or
/// not, unless a volume or a terminal holds it up.
const STUCK: Duration = Duration::from_secs(60);

/// What the main loop tells after each turn.
#[derive(Clone, Debug, Default)]
pub(crate) struct State {
    /// Counters and gauges.
    pub(crate) stats: Stats,
    /// When the last turn ended.
    pub(crate) turned: Option<Instant>,
    /// Only what is left is read.
    pub(crate) ending: bool,
    /// Why a file cannot be read at present.
    pub(crate) fault: Option<String>,
    /// Counters of the log store, where there is one.
    #[cfg(feature = "stores")]
    pub(crate) store: Option<ship::told::Stats>,
}

/// What there is to say to a request.
pub(crate) fn reply(state: &Arc<Mutex<State>>, asked: Asked<'_>) -> Reply {
    answer(state, asked.path, Instant::now()).into()
}

/// Answers for one path; `None` for one that is not known.
fn answer(state: &Arc<Mutex<State>>, path: &str, now: Instant) -> Option<Answer> {
    let state = state.lock().unwrap_or_else(PoisonError::into_inner).clone();
    match path {
        "/livez" => Some(livez(&state, now)),
        "/readyz" => Some(readyz(&state)),
        "/metrics" => Some(Answer { status: 200, body: metrics(&state) }),
        _ => None,
    }
}

fn livez(state: &State, now: Instant) -> Answer {
    match state.turned {
        Some(turned) if now.saturating_duration_since(turned) > STUCK => {
            Answer::unavailable("the main loop is stuck")
        }
        _ => Answer::ok(),
    }
}

fn readyz(state: &State) -> Answer {
    match (&state.turned, &state.fault) {
        (None, _) => Answer::unavailable("starting"),
        _ if state.ending => Answer::unavailable("ending"),
        (_, Some(fault)) => Answer::unavailable(fault),
        _ => Answer::ok(),
    }
}

/// Every counter and gauge: its name, what it counts, and its value.
fn families(stats: &Stats) -> [(&'static str, &'static str, Kind, u64); 16] {
    [
        ("log_scraper_lines_total", "Line ends written out.", Counter, stats.lines),
        ("log_scraper_bytes_total", "Bytes of files written out.", Counter, stats.bytes),
        ("log_scraper_lag_bytes", "Bytes in files, not written out yet.", Gauge, stats.lag_bytes),
        ("log_scraper_rotations_total", "Files that took over a path.", Counter, stats.rotations),
        ("log_scraper_truncations_total", "Files that were cut.", Counter, stats.truncations),
        ("log_scraper_files", "Files held open.", Gauge, stats.files),
        (
            "log_scraper_checkpoint_failures_total",
            "Checkpoints that could not be written.",
            Counter,
            stats.checkpoint_failures,
        ),
        (
            "log_scraper_read_errors_total",
            "Reads and listings that failed.",
            Counter,
            stats.read_errors,
        ),
        (
            "log_scraper_nul_bytes_skipped_total",
            "NUL bytes left out: holes, and where a file was cut under its writer.",
            Counter,
            stats.nul_bytes_skipped,
        ),
        (
            "log_scraper_files_left_out",
            "Files a pattern leads to, not followed for want of room.",
            Gauge,
            stats.left_out,
        ),
        (
            "log_scraper_rotated_files_removed_total",
            "Rotated files removed, delivered.",
            Counter,
            stats.removed_files,
        ),
        (
            "log_scraper_remove_failures_total",
            "Rotated files that could not be removed.",
            Counter,
            stats.remove_failures,
        ),
        (
            "log_scraper_reclaimed_bytes_total",
            "Bytes of followed files whose disk space was given back.",
            Counter,
            stats.freed_bytes,
        ),
        (
            "log_scraper_reclaim_failures_total",
            "Disk space that could not be given back.",
            Counter,
            stats.free_failures,
        ),
        (
            "log_scraper_folders_left_out",
            "Folders a pattern leads to, not listed for want of room.",
            Gauge,
            stats.folders_left_out,
        ),
        (
            "log_scraper_compressed_files_lost_total",
            "Compressed files of which something could not be read.",
            Counter,
            stats.packed_lost,
        ),
    ]
}

fn metrics(state: &State) -> String {
    let mut text = Text::new();
    for (name, help, kind, value) in families(&state.stats) {
        text.family(name, help, kind);
        text.sample(name, &[], value);
    }
    #[cfg(feature = "stores")]
    if let Some(stats) = &state.store {
        crate::store::metrics::push(&mut text, stats);
    }
    text.family("log_scraper_build_info", "The program's version.", Gauge);
    text.sample("log_scraper_build_info", &[("version", env!("CARGO_PKG_VERSION"))], 1);
    text.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(state: State, path: &str, status: Option<u16>) {
        let now = Instant::now() + STUCK + Duration::from_secs(1);
        let answer = answer(&Arc::new(Mutex::new(state.clone())), path, now);
        assert_eq!(answer.map(|answer| answer.status), status, "{path} {state:?}");
    }

    #[test]
    fn it_is_alive_while_it_turns_and_ready_while_it_can_read() {
        let starting = State::default();
        let turned = Some(Instant::now() + STUCK);
        let running = State { turned, ..State::default() };
        let stuck = State { turned: Some(Instant::now()), ..State::default() };
        let ending = State { ending: true, ..running.clone() };
        let unreadable = State { fault: Some("a: permission denied".into()), ..running.clone() };
        check(starting.clone(), "/livez", Some(200));
        check(starting, "/readyz", Some(503));
        check(running.clone(), "/livez", Some(200));
        check(running.clone(), "/readyz", Some(200));
        check(stuck, "/livez", Some(503));
        check(ending.clone(), "/livez", Some(200));
        check(ending, "/readyz", Some(503));
        check(unreadable.clone(), "/livez", Some(200));
        check(unreadable, "/readyz", Some(503));
        check(running, "/", None);
    }

    #[test]
    fn every_counter_is_in_the_metrics() {
        let stats = Stats {
            lines: 1,
            bytes: 2,
            lag_bytes: 3,
            rotations: 4,
            truncations: 5,
            files: 6,
            checkpoint_failures: 7,
            read_errors: 8,
            nul_bytes_skipped: 9,
            left_out: 10,
            removed_files: 11,
            remove_failures: 12,
            freed_bytes: 13,
            free_failures: 14,
            folders_left_out: 15,
            packed_lost: 16,
        };
        let text = metrics(&State { stats, ..State::default() });
        for value in 1..=16 {
            assert!(text.lines().any(|line| line.ends_with(&format!(" {value}"))), "{value}");
        }
        assert!(text.contains("log_scraper_build_info{version=\""));
    }
}
