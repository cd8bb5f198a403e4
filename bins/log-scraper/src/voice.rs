//! The program's own messages: the engine's notices, and not too many of them.
//!
//! Owns how often one is said: a topic of a path once a minute, and of all paths together no more
//! than [`SAID_MAX`] times a minute. What is held back is counted and told with the next one.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use log::{info, warn};
use sidecar::logging::Throttle;
use tail::report::Notice;

/// Messages of one topic within a minute.
const SAID_MAX: u32 = 20;
/// Paths of one topic that are remembered; beyond it all are forgotten, and [`SAID_MAX`] holds.
const PATHS_MAX: usize = 256;
const MINUTE: Duration = Duration::from_secs(60);

/// Says notices, and says them not too often.
#[derive(Debug, Default)]
pub(crate) struct Voice {
    topics: BTreeMap<&'static str, Topic>,
}

#[derive(Debug, Default)]
struct Topic {
    paths: BTreeMap<Option<PathBuf>, Throttle>,
    began: Option<Instant>,
    said: u32,
    held_back: u64,
}

impl Voice {
    /// Says one, or counts it as held back.
    pub(crate) fn say(&mut self, notice: &Notice, now: Instant) {
        let (topic, path) = notice.topic();
        let topic = self.topics.entry(topic).or_default();
        let Some(more) = topic.allow(path.cloned(), now) else { return };
        match notice.is_fault() {
            true => warn!("{notice}{more}"),
            false => info!("{notice}{more}"),
        }
    }
}

impl Topic {
    /// Whether to say something of this path now; if so, what to end it with.
    fn allow(&mut self, path: Option<PathBuf>, now: Instant) -> Option<String> {
        if self.began.is_none_or(|began| now.saturating_duration_since(began) >= MINUTE) {
            (self.began, self.said) = (Some(now), 0);
        }
        if self.paths.len() >= PATHS_MAX {
            self.paths.clear();
        }
        if self.said >= SAID_MAX {
            self.held_back += 1;
            return None;
        }
        let again = self.paths.entry(path).or_default().allow(now)?;
        self.said += 1;
        let last = if self.said == SAID_MAX { "; more like this in a minute" } else { "" };
        let others = std::mem::take(&mut self.held_back);
        Some(match (again, others) {
            (0, 0) => last.to_owned(),
            (again, 0) => format!(" ({again} more times since this was last said){last}"),
            (_, others) => format!(" ({others} more like this were not said){last}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(number: u32) -> Option<PathBuf> {
        Some(PathBuf::from(format!("/log/{number}")))
    }

    #[test]
    fn the_same_of_one_path_is_said_once_a_minute_with_a_count() {
        let (start, mut topic) = (Instant::now(), Topic::default());
        assert_eq!(topic.allow(path(1), start), Some(String::new()));
        assert_eq!(topic.allow(path(1), start + MINUTE / 2), None);
        assert_eq!(topic.allow(path(2), start + MINUTE / 2), Some(String::new()));
        let said = topic.allow(path(1), start + MINUTE).unwrap();
        assert_eq!(said, " (1 more times since this was last said)");
    }

    #[test]
    fn many_paths_with_the_same_trouble_are_a_few_messages_a_minute() {
        let (start, mut topic) = (Instant::now(), Topic::default());
        let mut said = Vec::new();
        for second in 0..120 {
            for number in 0..1500 {
                said.extend(topic.allow(path(number), start + Duration::from_secs(second)));
            }
        }
        assert_eq!(said.len(), 2 * SAID_MAX as usize, "{said:?}");
        assert!(said[19].ends_with("more like this in a minute"));
        assert!(said[20].contains("89980 more like this were not said"), "{}", said[20]);
    }
}
