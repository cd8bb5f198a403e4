//! When following turns into reading what is left.
//!
//! Owns that decision: at once on a signal, or, where a grace period was given, once the files
//! were quiet for a while. It knows no clock; time is an argument.

/// Files that nobody wrote to for so long are quiet.
const QUIET_MS: u64 = 1000;

/// How far the end has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Following,
    /// Told to end at the first time; going on until the second at the latest.
    Grace(u64, u64),
    /// To begin with the next question.
    Due,
    /// Begun.
    Ending,
}

/// Whether to go on following.
#[derive(Debug)]
pub(crate) struct Ending {
    phase: Phase,
    grace_ms: u64,
    bytes: u64,
    moved_ms: u64,
}

impl Ending {
    /// Follows, and after a signal for `grace_ms` more as long as files are written to.
    pub(crate) fn new(grace_ms: u64) -> Ending {
        Ending { phase: Phase::Following, grace_ms, bytes: 0, moved_ms: 0 }
    }

    /// A signal came. True if the grace period begins with it; a second one ends it.
    pub(crate) fn told(&mut self, now_ms: u64) -> bool {
        let begins = self.phase == Phase::Following && self.grace_ms > 0;
        self.phase = match self.phase {
            Phase::Following if begins => {
                Phase::Grace(now_ms, now_ms.saturating_add(self.grace_ms))
            }
            Phase::Ending => Phase::Ending,
            _ => Phase::Due,
        };
        begins
    }

    /// It is to end whatever the files do.
    pub(crate) fn force(&mut self) {
        if self.phase != Phase::Ending {
            self.phase = Phase::Due;
        }
    }

    /// A turn is over, and so many bytes were written out by then.
    pub(crate) fn turned(&mut self, now_ms: u64, bytes: u64) {
        if bytes != std::mem::replace(&mut self.bytes, bytes) {
            self.moved_ms = now_ms;
        }
    }

    /// Whether to begin to end now; true once.
    pub(crate) fn begins(&mut self, now_ms: u64) -> bool {
        let is_due = match self.phase {
            Phase::Grace(..) => self.at_ms().is_some_and(|at_ms| now_ms >= at_ms),
            phase => phase == Phase::Due,
        };
        if is_due {
            self.phase = Phase::Ending;
        }
        is_due
    }

    /// Whether it ends.
    pub(crate) fn is_ending(&self) -> bool {
        self.phase == Phase::Ending
    }

    /// When the question is worth asking again, if it is a matter of time.
    pub(crate) fn at_ms(&self) -> Option<u64> {
        match self.phase {
            Phase::Grace(since_ms, by_ms) => {
                Some(by_ms.min(self.moved_ms.max(since_ms).saturating_add(QUIET_MS)))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Told to end at 1 s, with bytes that move at these times: when the end begins.
    fn check(grace_ms: u64, moves_ms: &[u64], expected_ms: u64) {
        let mut ending = Ending::new(grace_ms);
        for now_ms in (0..60_000).step_by(100) {
            let moved = moves_ms.iter().filter(|at_ms| **at_ms <= now_ms).count();
            ending.turned(now_ms, moved as u64);
            if now_ms == 1000 {
                assert_eq!(ending.told(now_ms), grace_ms > 0);
            }
            if ending.begins(now_ms) {
                assert_eq!(now_ms, expected_ms);
                assert!(ending.is_ending() && !ending.begins(now_ms), "once");
                return;
            }
        }
        panic!("it never ends");
    }

    #[test]
    fn it_ends_at_once_or_when_the_files_are_quiet_or_when_the_grace_is_over() {
        check(0, &[900], 1000);
        check(10_000, &[], 2000);
        check(10_000, &[900, 1500, 2400, 3300], 4300);
        check(1500, &[900, 1500, 2400], 2500);
    }

    #[test]
    fn a_second_signal_ends_the_grace_period() {
        let mut ending = Ending::new(10_000);
        assert!(ending.told(0));
        assert!(!ending.begins(500));
        assert!(!ending.told(600));
        assert!(ending.begins(600));
        assert!(!ending.told(700) && !ending.begins(700), "and a third one does nothing");
    }

    #[test]
    fn it_can_be_made_to_end_without_a_signal() {
        let mut ending = Ending::new(10_000);
        assert!(!ending.begins(0));
        ending.force();
        assert!(ending.begins(0));
        ending.force();
        assert!(!ending.begins(0));
    }
}
