//! The program's own messages: the engine's notices, each topic of a path once a minute.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Instant;

use log::{info, warn};
use sidecar::logging::Throttle;
use tail::report::Notice;

/// Topics remembered; beyond it all are forgotten, which costs a repeated message.
const TOPICS_MAX: usize = 1024;

/// Says notices, and says them not too often.
#[derive(Debug, Default)]
pub(crate) struct Voice {
    topics: BTreeMap<(&'static str, Option<PathBuf>), Throttle>,
}

impl Voice {
    /// Says one, or counts it as held back.
    pub(crate) fn say(&mut self, notice: &Notice, now: Instant) {
        if self.topics.len() >= TOPICS_MAX {
            self.topics.clear();
        }
        let (topic, path) = notice.topic();
        let throttle = self.topics.entry((topic, path.cloned())).or_default();
        let Some(held_back) = throttle.allow(now) else { return };
        let again = match held_back {
            0 => String::new(),
            count => format!(" ({count} more times since this was last said)"),
        };
        match notice.is_fault() {
            true => warn!("{notice}{again}"),
            false => info!("{notice}{again}"),
        }
    }
}
