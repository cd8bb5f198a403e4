//! Deadlines of connections, kept lazily.
//!
//! A deadline that moves later costs nothing: its entry fires at the old time, and the caller,
//! seeing that the deadline has moved, enters it anew. Only a deadline that moves earlier adds an
//! entry at once.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::slab::Key;
use crate::exchange::clock::Millis;

/// Entries, the earliest first.
#[derive(Default)]
pub struct Timers {
    entries: BinaryHeap<Reverse<(Millis, Key)>>,
}

impl Timers {
    /// Enters a deadline. `entered` is the time of the entry this connection has already, if any;
    /// the returned value replaces it.
    #[must_use]
    pub fn enter(&mut self, key: Key, deadline: Millis, entered: Option<Millis>) -> Option<Millis> {
        if entered.is_some_and(|at| at <= deadline) {
            return entered;
        }
        self.entries.push(Reverse((deadline, key)));
        Some(deadline)
    }

    /// The next entry whose time has come, with that time.
    pub fn pop_due(&mut self, now: Millis) -> Option<(Millis, Key)> {
        let Reverse((at, _)) = self.entries.peek()?;
        if *at > now {
            return None;
        }
        self.entries.pop().map(|Reverse(entry)| entry)
    }

    /// Entries, those of closed connections included.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Drops the entries of connections that are gone.
    pub fn retain(&mut self, mut lives: impl FnMut(Key) -> bool) {
        self.entries.retain(|Reverse((_, key))| lives(*key));
    }

    /// When the next entry is due.
    pub fn next_due(&self) -> Option<Millis> {
        self.entries.peek().map(|Reverse((at, _))| *at)
    }
}

#[cfg(test)]
mod tests {
    use super::super::slab::Slab;
    use super::*;

    #[test]
    fn only_an_earlier_deadline_adds_an_entry() {
        let key = Slab::<u8>::new().reserve();
        let mut timers = Timers::default();
        let entered = timers.enter(key, 100, None);
        let entered = timers.enter(key, 200, entered);
        assert_eq!(entered, Some(100));
        let entered = timers.enter(key, 50, entered);
        assert_eq!(entered, Some(50));
        assert_eq!(timers.next_due(), Some(50));
        assert_eq!(timers.pop_due(49), None);
        assert_eq!(timers.pop_due(50), Some((50, key)));
        assert_eq!(timers.pop_due(99), None);
    }
}
