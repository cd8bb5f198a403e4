//! nginx: `limit_rate`: how much of an answer may be out at a time.
//!
//! Arithmetic alone; it counts whole seconds, as nginx does.

use crate::clock::Millis;

/// How fast an answer goes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Bytes a second, at least one.
    pub rate: u64,
    /// nginx: `limit_rate_after`: so many bytes go at once.
    pub after: u64,
    /// When the request began.
    pub began_ms: Millis,
    /// Bytes of the answer that are out.
    pub sent: u64,
    /// Bytes wait for their time, and not for the client.
    pub is_waiting: bool,
}

impl Pace {
    /// How many more bytes may go now.
    pub fn allowance(&self, now: Millis) -> u64 {
        let seconds = now.saturating_sub(self.began_ms) / 1_000 + 1;
        let most = self.rate.saturating_mul(seconds).saturating_add(self.after);
        most.saturating_sub(self.sent)
    }

    /// When another byte may go.
    pub fn next_ms(&self) -> Millis {
        let seconds = self.sent.saturating_sub(self.after) / self.rate.max(1);
        self.began_ms.saturating_add(seconds.saturating_mul(1_000))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_much_may_be_out_by_each_second() {
        let pace = |sent| Pace { rate: 100, after: 50, began_ms: 7_000, sent, is_waiting: false };
        for (sent, now, allowance, next_ms) in [
            (0, 7_000, 150, 7_000),
            (149, 7_999, 1, 7_000),
            (150, 7_999, 0, 8_000),
            (150, 8_000, 100, 8_000),
            (249, 8_999, 1, 8_000),
            (250, 8_999, 0, 9_000),
            (1_000, 8_000, 0, 16_000),
            (0, 6_000, 150, 7_000),
        ] {
            let found = (pace(sent).allowance(now), pace(sent).next_ms());
            assert_eq!(found, (allowance, next_ms), "{sent} {now}");
            // What is waited for comes.
            assert!(pace(sent).allowance(pace(sent).next_ms()) > 0);
        }
    }
}
