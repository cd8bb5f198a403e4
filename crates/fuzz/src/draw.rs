//! A small generator of draws, so that a failing input fails again.

/// A linear congruential generator (Knuth's MMIX constants), of which the high bits are used.
#[derive(Clone, Debug)]
pub struct Draw(u64);

impl Draw {
    /// Draws that depend on `seed` only.
    pub fn new(seed: u64) -> Draw {
        Draw(seed ^ 0x9e37_79b9_7f4a_7c15)
    }

    /// Draws that depend on these bytes only.
    pub fn of(bytes: &[u8]) -> Draw {
        let mix = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
        Draw::new(bytes.iter().fold(0xcbf2_9ce4_8422_2325, mix))
    }

    /// A number below `bound`; 0 where `bound` is 0.
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap_or(0).checked_rem(bound).unwrap_or(0)
    }

    /// Cuts of `len` bytes into pieces: where each ends, the last one at `len`.
    pub fn cuts(&mut self, len: usize) -> Vec<usize> {
        let mut ends = Vec::new();
        let mut at = 0;
        while at < len {
            at = (at + 1 + self.below(1 + len / 3)).min(len);
            ends.push(at);
        }
        ends
    }
}
