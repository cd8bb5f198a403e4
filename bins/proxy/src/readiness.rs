//! The verdict on readiness: what was found last, what is said about it, and when it is too old.
//!
//! Whoever asks reads it and never waits. A verdict that nobody renews does not stay good. Who
//! finds out is the prober.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How old a verdict may be that says ready. More than a thread that has little of a processor
/// takes for its turn.
const STALE: Duration = Duration::from_secs(10);
/// How long it is not ready before that is told.
const TOLD_AFTER: Duration = Duration::from_secs(5);

/// What asking the application has come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// Each upstream of the pod's own has a server that accepts.
    Ready,
    /// One has none, and this is why.
    NotReady(String),
    /// Nobody could be asked, for want of something of our own, and that is no fault of theirs.
    Unknown(String),
}

/// The last verdict.
#[derive(Debug, Default)]
pub struct Readiness {
    state: Mutex<State>,
    wanted: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Why it is not ready, or when it was found to be; nothing before the first answer.
    verdict: Option<Result<Instant, String>>,
    /// Why nobody could be asked the last time.
    hindrance: Option<String>,
    /// Somebody wants a fresh verdict.
    look_now: bool,
    /// It has been ready once.
    was_ready: bool,
}

impl Readiness {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Plain values, each good by itself.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Why it is not ready, without waiting.
    pub fn fault(&self, now: Instant) -> Option<String> {
        let state = self.lock();
        let otherwise = match &state.verdict {
            Some(Err(fault)) => return Some(fault.clone()),
            Some(Ok(at)) if now.saturating_duration_since(*at) <= STALE => return None,
            Some(Ok(_)) => "the application was not asked lately",
            None => "starting",
        };
        Some(match &state.hindrance {
            Some(why) => format!("the application cannot be asked: {why}"),
            None => otherwise.into(),
        })
    }

    /// Whether it has ever been ready.
    pub fn was_ready(&self) -> bool {
        self.lock().was_ready
    }

    /// Takes in what was found.
    pub fn set(&self, found: &Found, now: Instant) {
        let mut state = self.lock();
        let verdict = match found {
            Found::Ready => Ok(now),
            Found::NotReady(fault) => Err(fault.clone()),
            Found::Unknown(why) => return state.hindrance = Some(why.clone()),
        };
        state.was_ready |= verdict.is_ok();
        state.verdict = Some(verdict);
        state.hindrance = None;
    }

    /// Has the application asked at once: there is a new configuration.
    pub fn look_now(&self) {
        self.lock().look_now = true;
        self.wanted.notify_one();
    }

    /// Waits until a fresh verdict is wanted, or `limit` has passed.
    pub fn wait(&self, limit: Duration) {
        let end = Instant::now() + limit;
        let mut state = self.lock();
        while !std::mem::take(&mut state.look_now) {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            let waited = self.wanted.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// What there is to say about readiness.
#[derive(Debug, PartialEq, Eq)]
pub enum Line {
    /// It has not been ready for some time, for this reason.
    NotReady(String),
    /// It is ready again, after a line that said it was not.
    ReadyAgain,
}

/// Says once that it is not ready, when that has lasted, and once that it is again.
#[derive(Debug, Default)]
pub struct Told {
    since: Option<Instant>,
    has_told: bool,
}

impl Told {
    /// Takes in why it is not ready, or that it is; the line to say, if there is one.
    pub fn observe(&mut self, fault: Option<String>, now: Instant) -> Option<Line> {
        let Some(fault) = fault else {
            let has_told = std::mem::take(self).has_told;
            return has_told.then_some(Line::ReadyAgain);
        };
        let since = *self.since.get_or_insert(now);
        let is_due = !self.has_told && now.saturating_duration_since(since) >= TOLD_AFTER;
        self.has_told |= is_due;
        is_due.then_some(Line::NotReady(fault))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_is_starting_then_what_was_found_and_never_good_for_ever() {
        let now = Instant::now();
        let readiness = Readiness::default();
        let fault = |at: Instant| readiness.fault(at).unwrap_or_default();
        assert_eq!((fault(now), readiness.was_ready()), ("starting".into(), false));
        readiness.set(&Found::NotReady("no".into()), now);
        assert!(!readiness.was_ready());
        readiness.set(&Found::Ready, now);
        assert_eq!((fault(now), fault(now + STALE)), (String::new(), String::new()));
        let late = now + STALE + Duration::from_millis(1);
        assert_eq!(fault(late), "the application was not asked lately");
        readiness.set(&Found::Unknown("too many open files".into()), now);
        assert_eq!(fault(now), "", "what is of our own blames nobody at once");
        assert_eq!(fault(late), "the application cannot be asked: too many open files");
        readiness.set(&Found::NotReady("no".into()), now);
        assert_eq!((fault(now), fault(late)), ("no".into(), "no".into()));
        assert!(readiness.was_ready(), "that is for ever");
        readiness.set(&Found::Ready, late);
        assert_eq!(fault(late), "");
    }

    #[test]
    fn not_ready_is_told_once_after_five_seconds_and_ready_again_once() {
        let start = Instant::now();
        let mut told = Told::default();
        // Seconds, and what is wrong then.
        let seen = [
            (0, "a"),
            (4, "a"),
            (5, "b"),
            (6, "b"),
            (60, "c"),
            (61, ""),
            (62, ""),
            (63, "a"),
            (64, ""),
            (65, "a"),
            (70, "a"),
        ];
        let mut lines = Vec::new();
        for (seconds, fault) in seen {
            let fault = Some(fault.to_owned()).filter(|fault| !fault.is_empty());
            if let Some(line) = told.observe(fault, start + Duration::from_secs(seconds)) {
                lines.push((seconds, line));
            }
        }
        let expected = [
            (5, Line::NotReady("b".into())),
            (61, Line::ReadyAgain),
            (70, Line::NotReady("a".into())),
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn a_wait_ends_at_once_when_a_fresh_verdict_is_wanted() {
        let readiness = Readiness::default();
        readiness.look_now();
        let begun = Instant::now();
        readiness.wait(Duration::from_secs(60));
        assert!(begun.elapsed() < Duration::from_secs(30));
    }
}
