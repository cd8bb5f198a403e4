//! The phases of the serving process, and what each signal does in each of them.
//!
//! Pure: it is told what has come and what time it is, and says what is to be done. It sends
//! nothing and reads no clock.
//!
//! ```text
//! Serving ── USR2 ──► Draining ── TERM, QUIT ──► Finishing ── workers done, time up ──► end
//!    │  └────────────── QUIT, TERM without a delay ──┘  ▲
//!    └── TERM ──► Delaying ────── QUIT, delay over ─────┘      INT ends in each of them
//! ```

use std::time::{Duration, Instant};

/// How long the parts of an end may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// `--drain-delay`: connections are still accepted so long after SIGTERM.
    pub delay: Duration,
    /// `--drain-timeout`: what is under way may take so long after that.
    pub finish: Duration,
}

/// Where the process is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// From the start.
    Serving,
    /// `Connection: close` on each answer; SIGTERM is still to come.
    Draining,
    /// SIGTERM came first: listeners close at that time.
    Delaying(Instant),
    /// Listeners are closed; what is left is cut off at that time.
    Finishing(Instant),
}

/// What has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// nginx: SIGHUP reads the configuration again.
    Hup,
    /// nginx: SIGUSR1 opens the logs again.
    Usr1,
    /// SIGUSR2, the kit's own: drain, and go on serving.
    Usr2,
    /// nginx: SIGQUIT finishes what has begun.
    Quit,
    /// SIGTERM, as the kubelet sends it: as SIGQUIT, after the delay.
    Term,
    /// nginx: SIGINT ends at once.
    Int,
    /// Time has passed.
    Tick,
    /// The last worker has ended by itself.
    WorkersDone,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Nothing.
    Nothing,
    /// Read the configuration again.
    Reload,
    /// Open the logs again.
    Reopen,
    /// Answer with `Connection: close` from now on.
    Drain,
    /// The same, and say that the process is to end.
    DrainToEnd,
    /// Accept no more.
    Finish,
    /// End: all is done, or somebody is in a hurry.
    End,
    /// End, though requests are still under way.
    CutOff,
}

impl Phase {
    /// The phase that follows and what is to be done for it.
    pub fn on(self, event: Event, now: Instant, limits: &Limits) -> (Phase, Step) {
        let finish = || (Phase::Finishing(now + limits.finish), Step::Finish);
        match (self, event) {
            (_, Event::Int) => (self, Step::End),
            (_, Event::Usr1) => (self, Step::Reopen),
            (Phase::Serving | Phase::Draining, Event::Hup) => (self, Step::Reload),
            // A new configuration would open again what has been closed.
            (Phase::Delaying(_) | Phase::Finishing(_), Event::Hup) => (self, Step::Nothing),
            (Phase::Serving, Event::Usr2) => (Phase::Draining, Step::Drain),
            (Phase::Serving, Event::Term) if !limits.delay.is_zero() => {
                (Phase::Delaying(now + limits.delay), Step::DrainToEnd)
            }
            (Phase::Serving | Phase::Draining, Event::Term | Event::Quit) => finish(),
            (Phase::Delaying(_), Event::Quit) => finish(),
            (Phase::Delaying(until), Event::Tick) if now >= until => finish(),
            (Phase::Finishing(until), Event::Tick) if now >= until => (self, Step::CutOff),
            (Phase::Finishing(_), Event::WorkersDone) => (self, Step::End),
            _ => (self, Step::Nothing),
        }
    }

    /// Whether it has been told to end.
    pub fn is_ending(self) -> bool {
        matches!(self, Phase::Delaying(_) | Phase::Finishing(_))
    }

    /// When a [`Event::Tick`] is due.
    pub fn deadline(self) -> Option<Instant> {
        match self {
            Phase::Serving | Phase::Draining => None,
            Phase::Delaying(until) | Phase::Finishing(until) => Some(until),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits =
        Limits { delay: Duration::from_secs(5), finish: Duration::from_secs(30) };

    const EVENTS: [Event; 8] = [
        Event::Hup,
        Event::Usr1,
        Event::Usr2,
        Event::Quit,
        Event::Term,
        Event::Int,
        Event::Tick,
        Event::WorkersDone,
    ];

    /// What each event, in the order of `EVENTS`, does at `now`.
    fn check(phase: Phase, now: Instant, limits: &Limits, expected: [(Phase, Step); 8]) {
        for (event, expected) in EVENTS.into_iter().zip(expected) {
            assert_eq!(phase.on(event, now, limits), expected, "{event:?} in {phase:?}");
        }
    }

    #[test]
    fn while_it_serves_each_signal_does_what_the_table_says() {
        use Step::{Drain, DrainToEnd, End, Finish, Nothing, Reload, Reopen};
        let now = Instant::now();
        let serving = Phase::Serving;
        let draining = Phase::Draining;
        let delaying = Phase::Delaying(now + LIMITS.delay);
        let finishing = Phase::Finishing(now + LIMITS.finish);
        //                  HUP, USR1, USR2, QUIT, TERM, INT, time, workers done
        check(
            serving,
            now,
            &LIMITS,
            [
                (serving, Reload),
                (serving, Reopen),
                (draining, Drain),
                (finishing, Finish),
                (delaying, DrainToEnd),
                (serving, End),
                (serving, Nothing),
                (serving, Nothing),
            ],
        );
        check(
            draining,
            now,
            &LIMITS,
            [
                (draining, Reload),
                (draining, Reopen),
                (draining, Nothing),
                (finishing, Finish),
                (finishing, Finish),
                (draining, End),
                (draining, Nothing),
                (draining, Nothing),
            ],
        );
    }

    #[test]
    fn while_it_ends_each_signal_does_what_the_table_says() {
        use Step::{CutOff, End, Finish, Nothing, Reopen};
        let now = Instant::now();
        let delaying = Phase::Delaying(now + LIMITS.delay);
        let finishing = Phase::Finishing(now + LIMITS.finish);
        check(
            delaying,
            now,
            &LIMITS,
            [
                (delaying, Nothing),
                (delaying, Reopen),
                (delaying, Nothing),
                (finishing, Finish),
                (delaying, Nothing),
                (delaying, End),
                (delaying, Nothing),
                (delaying, Nothing),
            ],
        );
        check(
            finishing,
            now,
            &LIMITS,
            [
                (finishing, Nothing),
                (finishing, Reopen),
                (finishing, Nothing),
                (finishing, Nothing),
                (finishing, Nothing),
                (finishing, End),
                (finishing, Nothing),
                (finishing, End),
            ],
        );
        let later = now + LIMITS.delay;
        let then = Phase::Finishing(later + LIMITS.finish);
        assert_eq!(delaying.on(Event::Tick, later, &LIMITS), (then, Finish));
        let late = now + LIMITS.finish;
        assert_eq!(finishing.on(Event::Tick, late, &LIMITS), (finishing, CutOff));
    }

    #[test]
    fn without_a_delay_sigterm_finishes_at_once() {
        let now = Instant::now();
        let limits = Limits { delay: Duration::ZERO, ..LIMITS };
        let expected = (Phase::Finishing(now + limits.finish), Step::Finish);
        assert_eq!(Phase::Serving.on(Event::Term, now, &limits), expected);
    }

    #[test]
    fn whatever_comes_an_end_that_has_begun_is_not_taken_back_and_never_put_off() {
        // Every sequence of four events, a second apart.
        for number in 0..8_usize.pow(4) {
            let mut phase = Phase::Serving;
            let mut now = Instant::now();
            for digit in 0..4 {
                let event = EVENTS[number / 8_usize.pow(digit) % 8];
                let (next, _) = phase.on(event, now, &LIMITS);
                assert!(next.is_ending() || !phase.is_ending(), "{phase:?} {event:?}");
                if let (Phase::Finishing(until), Phase::Finishing(then)) = (phase, next) {
                    assert_eq!(until, then, "{event:?} puts off the end");
                }
                phase = next;
                now += Duration::from_secs(1);
            }
        }
    }
}
