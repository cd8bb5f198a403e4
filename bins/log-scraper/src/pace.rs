//! How soon a change is looked at.
//!
//! Owns one decision: at once while changes are few, and in company while they come so thick that
//! a turn for each would cost more than it brings. It knows no clock; time is an argument.

/// Least time between two turns while changes are few. A line that comes alone does not wait: the
/// last turn was long ago.
const SOON_US: u64 = 250;
/// The same while they come thick.
const THICK_US: u64 = 3000;
/// What comes is counted over this time.
const WINDOW_US: u64 = 20_000;
/// Turns and lines in a window beyond which changes come thick: three a millisecond.
const THICK_COUNT: u64 = 3 * WINDOW_US / 1000;

/// Remembers how thick changes came.
#[derive(Debug)]
pub(crate) struct Pace {
    soon_us: u64,
    thick_us: u64,
    began_us: u64,
    lines: u64,
    turns: u64,
    thick: bool,
    turned_us: u64,
}

impl Pace {
    /// Turns are so far apart at least: where nobody waits for a line, a change need not be looked at
    /// at once.
    pub(crate) fn new(least_us: u64) -> Pace {
        Pace {
            soon_us: SOON_US.max(least_us),
            thick_us: THICK_US.max(least_us),
            began_us: 0,
            lines: 0,
            turns: 0,
            thick: false,
            turned_us: 0,
        }
    }

    /// A turn was begun, with this many lines written out by all turns before it.
    pub(crate) fn turned(&mut self, now_us: u64, lines: u64) {
        self.turned_us = now_us;
        self.turns += 1;
        let elapsed_us = now_us.saturating_sub(self.began_us);
        if elapsed_us >= WINDOW_US {
            let count = self.turns + lines.saturating_sub(self.lines);
            self.thick = count.saturating_mul(WINDOW_US) > elapsed_us.saturating_mul(THICK_COUNT);
            (self.began_us, self.turns, self.lines) = (now_us, 0, lines);
        }
    }

    /// Whether changes came so thick that another one is to be expected before its turn.
    pub(crate) fn is_thick(&self) -> bool {
        self.thick
    }

    /// How long the next turn that a change asks for has to wait.
    pub(crate) fn wait_us(&self, now_us: u64) -> u64 {
        let gap_us = if self.thick { self.thick_us } else { self.soon_us };
        (self.turned_us + gap_us).saturating_sub(now_us)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A second of lines that come in bursts of `burst` every `every_us`, 5 us after one another:
    /// turns there are, and the longest wait of a line.
    fn check(burst: u64, every_us: u64, turns_expected: std::ops::Range<u64>, wait_max_us: u64) {
        let bursts = (1000..1_001_000).step_by(every_us as usize);
        let lines: Vec<u64> =
            bursts.flat_map(|at_us| (0..burst).map(move |line| at_us + line * 5)).collect();
        let (mut pace, mut turns, mut longest_us) = (Pace::new(0), 0, 0);
        let (mut now_us, mut done) = (0, 0);
        while let Some(at_us) = lines.get(done) {
            now_us = now_us.max(*at_us);
            now_us += pace.wait_us(now_us);
            pace.turned(now_us, done as u64);
            longest_us = longest_us.max(now_us - at_us);
            done = lines.partition_point(|at_us| *at_us <= now_us);
            turns += 1;
        }
        assert!(turns_expected.contains(&turns), "{turns} turns");
        assert!(longest_us <= wait_max_us, "{longest_us} us");
    }

    #[test]
    fn few_changes_are_looked_at_at_once() {
        check(1, 100_000, 10..11, 0);
        check(1, 1000, 1000..1002, 0);
        check(2, 2500, 400..802, SOON_US);
    }

    #[test]
    fn thick_changes_share_turns_and_wait_a_little() {
        check(1, 100, 300..500, THICK_US);
        check(10, 1000, 300..500, THICK_US);
        check(100, 1000, 300..500, THICK_US);
    }

    #[test]
    fn where_nobody_waits_for_a_line_turns_are_far_apart() {
        let mut pace = Pace::new(50_000);
        pace.turned(100_000, 0);
        assert_eq!(pace.wait_us(110_000), 40_000);
        assert_eq!(pace.wait_us(150_000), 0);
    }

    #[test]
    fn one_large_burst_makes_the_next_line_wait_for_a_moment_only() {
        let mut pace = Pace::new(0);
        pace.turned(100_000, 0);
        pace.turned(200_000, 0);
        pace.turned(220_000, 100_000);
        assert_eq!((pace.is_thick(), pace.wait_us(220_000)), (true, THICK_US));
        pace.turned(300_000, 100_000);
        assert_eq!((pace.is_thick(), pace.wait_us(300_000)), (false, SOON_US));
    }
}
