//! The metrics of a log store: their names, and what they count.

use ship::told::{Health, Stats};
use sidecar::metrics::Kind::{self, Counter, Gauge};
use sidecar::metrics::Text;

/// Every state by its name.
const STATES: [(&str, Health); 3] =
    [("well", Health::Well), ("away", Health::Away), ("misconfigured", Health::Misconfigured)];

/// Adds them.
pub(crate) fn push(text: &mut Text, stats: &Stats) {
    let plain: [(&str, &str, Kind, u64); 8] = [
        ("log_scraper_store_batches_total", "Batches the log store has.", Counter, stats.batches),
        ("log_scraper_store_records_total", "Records the log store has.", Counter, stats.records),
        ("log_scraper_store_requests_total", "Requests made.", Counter, stats.requests),
        (
            "log_scraper_store_retries_total",
            "Requests that failed and were made again.",
            Counter,
            stats.retries,
        ),
        (
            "log_scraper_store_foreign_answers_total",
            "Answers of success that are no log store's, and so acknowledged nothing.",
            Counter,
            stats.foreign,
        ),
        (
            "log_scraper_records_shortened_total",
            "Records cut off or left out for their length, as asked for.",
            Counter,
            stats.shortened,
        ),
        (
            "log_scraper_records_not_utf8_total",
            "Records of which bytes were replaced.",
            Counter,
            stats.not_utf8,
        ),
        (
            "log_scraper_store_waiting_bytes",
            "Bytes of records in memory that the log store has not acknowledged.",
            Gauge,
            stats.waiting_bytes,
        ),
    ];
    for (name, help, kind, value) in plain {
        text.family(name, help, kind);
        text.sample(name, &[], value);
    }
    let name = "log_scraper_records_dropped_total";
    text.family(name, "Records the log store refused for good.", Counter);
    text.sample(name, &[("reason", "refused")], stats.refused);
    text.sample(name, &[("reason", "too_large")], stats.too_large);
    let name = "log_scraper_store_state";
    text.family(name, "How the log store is: 1 for the state it is in.", Gauge);
    for (state, health) in STATES {
        text.sample(name, &[("state", state)], u64::from(stats.health == health));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_counter_and_the_state_are_in_them() {
        let mut text = Text::new();
        let stats = Stats {
            batches: 11,
            records: 12,
            requests: 13,
            retries: 14,
            refused: 15,
            too_large: 16,
            shortened: 17,
            not_utf8: 18,
            waiting_bytes: 19,
            foreign: 20,
            health: Health::Away,
        };
        push(&mut text, &stats);
        let text = text.finish();
        for value in 11..=20 {
            assert!(text.lines().any(|line| line.ends_with(&format!(" {value}"))), "{value}");
        }
        assert!(text.contains("log_scraper_store_state{state=\"away\"} 1"), "{text}");
        assert!(text.contains("log_scraper_store_state{state=\"well\"} 0"), "{text}");
    }
}
