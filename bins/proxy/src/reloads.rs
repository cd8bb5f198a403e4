//! When the configuration is read again, and which of its warnings are news.
//!
//! It reads and compares; what is done with a configuration is `lifecycle`'s.

use std::time::{Duration, Instant};

use crate::config::{self, LastGood, Load, LoadOptions, Loaded, Snapshot, Warning, Watch};

/// The configuration's file, watched.
pub struct Reloads {
    options: LoadOptions,
    /// `--reload-interval`; `None` never looks.
    interval: Option<Duration>,
    due: Instant,
    watch: Watch,
    last_good: Option<LastGood>,
    /// What the last load has read, until it is kept.
    taken: Option<Snapshot>,
    /// Topics of the warnings of the configuration in force.
    told: Vec<String>,
}

impl Reloads {
    /// Nothing is read yet.
    pub fn new(options: LoadOptions, interval: Duration, last_good: Option<LastGood>) -> Reloads {
        Reloads {
            options,
            interval: (!interval.is_zero()).then_some(interval),
            due: Instant::now() + interval,
            watch: Watch::default(),
            last_good,
            taken: None,
            told: Vec::new(),
        }
    }

    /// Reads the configuration. From now on a change of anything it looked at is one, whether it
    /// could be used or not.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub fn load(&mut self) -> Result<Loaded, Vec<String>> {
        let Load { outcome, watch, taken } = config::load(&self.options);
        (self.watch, self.taken) = (watch, taken.filter(|_| outcome.is_ok()));
        outcome
    }

    /// The last configuration that was in force, in a process before this one. What is on the disk
    /// goes on being watched.
    ///
    /// # Errors
    /// Why it cannot be had, if one was kept.
    pub fn load_last_good(&self) -> Result<Option<Loaded>, Vec<String>> {
        let Some(last_good) = &self.last_good else { return Ok(None) };
        let Some(kept) = last_good.read().map_err(|problem| vec![problem])? else {
            return Ok(None);
        };
        let load = config::load_kept(&self.options, kept);
        load.outcome.map(Some)
    }

    /// The configuration that was loaded last is in force: it is kept for the next start.
    pub fn keep(&mut self) {
        let (Some(last_good), Some(taken)) = (&self.last_good, self.taken.take()) else { return };
        if let Err(error) = last_good.keep(&taken) {
            let path = last_good.path();
            log::warn!("{}: the configuration cannot be kept: {error}", path.display());
        }
    }

    /// The configuration with these warnings is taken up: those that were not told with the one
    /// before.
    pub fn news(&mut self, warnings: Vec<Warning>) -> Vec<String> {
        let before = std::mem::take(&mut self.told);
        self.told = warnings.iter().map(|warning| warning.topic.clone()).collect();
        let news = warnings.into_iter().filter(|warning| !before.contains(&warning.topic));
        news.map(|warning| warning.text).collect()
    }

    /// When files are to be looked at.
    pub fn due(&self) -> Option<Instant> {
        self.interval.map(|_| self.due)
    }

    /// Whether it is time to look, and something has changed.
    pub fn is_wanted(&mut self, now: Instant) -> bool {
        let Some(interval) = self.interval.filter(|_| now >= self.due) else { return false };
        self.due = now + interval;
        self.watch.has_changed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn warnings(lines: &[(&str, &str)]) -> Vec<Warning> {
        let one = |(text, topic): &(&str, &str)| Warning {
            text: (*text).to_owned(),
            topic: (*topic).to_owned(),
        };
        lines.iter().map(one).collect()
    }

    #[test]
    fn a_warning_is_told_again_only_after_it_was_gone() {
        let mut reloads = Reloads::new(LoadOptions::default(), Duration::ZERO, None);
        assert_eq!(
            reloads.news(warnings(&[("a:1: x", "x"), ("a:2: y", "y")])),
            ["a:1: x", "a:2: y"]
        );
        assert_eq!(reloads.news(warnings(&[("a:7: x", "x")])), [""; 0]);
        assert_eq!(reloads.news(warnings(&[("a:8: x", "x"), ("a:9: y", "y")])), ["a:9: y"]);
    }

    #[test]
    fn without_an_interval_nothing_is_looked_at() {
        let mut reloads = Reloads::new(LoadOptions::default(), Duration::ZERO, None);
        let later = Instant::now() + Duration::from_secs(3600);
        assert_eq!((reloads.due(), reloads.is_wanted(later)), (None, false));
    }
}
