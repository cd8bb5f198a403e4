//! How long to wait before a request is made again.
//!
//! Owns the growth from [`FIRST_MS`] to [`LAST_MS`] and the jitter: the wait is drawn from the whole
//! span, so that the pods of a cluster do not come back together. Pure; the seed is brought.

/// The shortest wait.
pub(crate) const FIRST_MS: u64 = 500;
/// The longest wait that is not asked for by the store.
pub(crate) const LAST_MS: u64 = 30_000;
/// The longest wait that a store may ask for.
pub(crate) const ASKED_MS_MAX: u64 = 300_000;

/// The waits of one series of failures.
#[derive(Clone, Debug)]
pub(crate) struct Backoff {
    ceiling_ms: u64,
    state: u64,
}

impl Backoff {
    /// Nothing has failed yet.
    pub(crate) fn new(seed: u64) -> Backoff {
        Backoff { ceiling_ms: FIRST_MS, state: seed }
    }

    /// Something succeeded: the next wait is short again.
    pub(crate) fn reset(&mut self) {
        self.ceiling_ms = FIRST_MS;
    }

    /// The next wait, at least as long as the store asked for.
    pub(crate) fn next_ms(&mut self, asked_ms: Option<u64>) -> u64 {
        self.ceiling_ms = (self.ceiling_ms * 2).min(LAST_MS);
        let drawn_ms = FIRST_MS + self.draw() % (self.ceiling_ms - FIRST_MS + 1);
        asked_ms.map_or(drawn_ms, |asked_ms| asked_ms.min(ASKED_MS_MAX).max(drawn_ms))
    }

    /// SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators").
    fn draw(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.state ^ self.state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_stay_within_their_bounds() {
        for seed in 0..100 {
            let mut backoff = Backoff::new(seed);
            for ceiling_ms in [1000, 2000, 4000, 8000, 16_000, 30_000, 30_000] {
                assert!((FIRST_MS..=ceiling_ms).contains(&backoff.next_ms(None)), "{ceiling_ms}");
            }
            backoff.reset();
            assert!(backoff.next_ms(None) <= 1000);
        }
    }

    #[test]
    fn they_are_spread_over_the_whole_span() {
        let mut waits: Vec<u64> = (0..1000)
            .map(|seed| {
                let mut backoff = Backoff::new(seed);
                let last_ms = (0..9).map(|_| backoff.next_ms(None)).last();
                assert!(last_ms <= Some(LAST_MS));
                backoff.next_ms(None)
            })
            .collect();
        waits.sort_unstable();
        assert!(waits[100] < 5000 && waits[500] > 13_000 && waits[900] > 26_000, "{waits:?}");
    }

    #[test]
    fn the_store_may_ask_for_more_but_not_for_ever() {
        let mut backoff = Backoff::new(1);
        assert_eq!(backoff.next_ms(Some(7000)), 7000);
        assert!(backoff.next_ms(Some(0)) >= FIRST_MS);
        assert_eq!(backoff.next_ms(Some(u64::MAX)), ASKED_MS_MAX);
    }
}
