//! What a comparison came to, and the table that is shown at the end.

use std::collections::BTreeSet;

use crate::refusals::Refusals;

/// What comparing ours with nginx on one case came to.
pub enum Verdict {
    /// Nothing that matters differs.
    Same,
    /// Ours refuses, or does something that a list may state.
    Differs {
        /// As the list writes it.
        ours: String,
        nginx: String,
    },
    /// Ours lets through what nginx does not, or something else than it does. No list helps.
    Wrong { why: String, ours: String, nginx: String },
}

impl Verdict {
    /// Whether ours was still waiting where nginx was not.
    pub fn ours_waits(&self) -> bool {
        match self {
            Verdict::Same => false,
            Verdict::Differs { ours, .. } | Verdict::Wrong { ours, .. } => ours.ends_with(WAITS),
        }
    }
}

/// What a proxy does that neither answers nor closes.
pub const WAITS: &str = "waits";

/// All verdicts on one kind of cases, held against its list.
pub struct Tally {
    compared: usize,
    stated: usize,
    bad: BTreeSet<String>,
    stale: Vec<String>,
}

impl Tally {
    pub fn of(found: Vec<(String, Verdict)>, mut list: Refusals) -> Tally {
        let (compared, mut stated, mut bad) = (found.len(), 0, BTreeSet::new());
        for (name, verdict) in found {
            match verdict {
                Verdict::Same => {}
                Verdict::Differs { ours, .. } if list.states(&name, &ours) => stated += 1,
                Verdict::Differs { ours, nginx } => {
                    bad.insert(row(&name, &ours, &nginx, "not in the list"));
                }
                Verdict::Wrong { why, ours, nginx } => {
                    bad.insert(row(&name, &ours, &nginx, &why));
                }
            }
        }
        Tally { compared, stated, bad, stale: list.stale() }
    }

    /// Fails with a table of all that is not as it should be; `with_stale` if a line that is not
    /// true any more is not.
    pub fn conclude(self, what: &str, with_stale: bool) {
        let Tally { compared, stated, bad, stale } = self;
        let summary = format!(
            "{what}: {compared} compared with nginx, {stated} differ as stated, {} otherwise, \
             {} stale lines",
            bad.len(),
            stale.len()
        );
        let stale = stale.into_iter().filter(|_| with_stale).map(|line| format!("stale: {line}"));
        let lines: Vec<String> = bad.into_iter().chain(stale).collect();
        assert!(lines.is_empty(), "{summary}\n{}", lines.join("\n"));
        eprintln!("{summary}");
    }
}

fn row(name: &str, ours: &str, nginx: &str, why: &str) -> String {
    format!("{name} | ours: {ours} | nginx: {nginx} | {why}")
}

/// For a table: without line ends and not endlessly long.
pub fn shown(bytes: &[u8]) -> String {
    const BYTES_MAX: usize = 60;
    let front = bytes.get(..BYTES_MAX).unwrap_or(bytes).escape_ascii();
    if bytes.len() > BYTES_MAX {
        format!("{front}... ({})", bytes.len())
    } else {
        front.to_string()
    }
}
