//! Deadlines of connections: the next of them, and at most one entry a connection.
//!
//! A binary heap that knows where each connection's entry stands. A deadline that moves later costs
//! nothing: the entry fires at the old time and is entered anew by who sees that it has moved.

use crate::clock::Millis;
use crate::slab::Key;

const ABSENT: u32 = u32::MAX;

/// Entries, the earliest first.
#[derive(Default)]
pub struct Timers {
    heap: Vec<(Millis, Key)>,
    /// Where the entry of a slot stands in the heap.
    places: Vec<u32>,
}

impl Timers {
    /// Makes sure that the connection's entry is not later than `deadline`.
    pub fn enter(&mut self, key: Key, deadline: Millis) {
        let slot = key.slot();
        if slot >= self.places.len() {
            self.places.resize(slot + 1, ABSENT);
        }
        match self.place(slot) {
            Some(at) => {
                let Some(entry) = self.heap.get_mut(at) else { return };
                // An entry of the slot's connection before this one counts for nothing.
                if entry.1 == key && entry.0 <= deadline {
                    return;
                }
                let is_earlier = deadline < entry.0;
                *entry = (deadline, key);
                if is_earlier { self.rise(at) } else { self.sink(at) }
            }
            None => {
                self.heap.push((deadline, key));
                self.rise(self.heap.len() - 1);
            }
        }
        debug_assert!(self.place(slot).is_some());
        debug_assert!(self.heap.first().is_some_and(|first| first.0 <= deadline), "none is later");
    }

    /// Removes the connection's entry.
    pub fn leave(&mut self, key: Key) {
        if let Some(at) = self.place(key.slot())
            && self.heap.get(at).is_some_and(|entry| entry.1 == key)
        {
            self.remove(at);
        }
    }

    /// The next connection whose entry is due; the entry is gone.
    pub fn pop_due(&mut self, now: Millis) -> Option<Key> {
        let (at, key) = *self.heap.first()?;
        if at > now {
            return None;
        }
        self.remove(0);
        debug_assert!(self.heap.first().is_none_or(|next| next.0 >= at), "the earliest is first");
        debug_assert!(self.place(key.slot()).is_none(), "an entry fires once");
        Some(key)
    }

    /// When the next entry is due.
    pub fn next_due(&self) -> Option<Millis> {
        self.heap.first().map(|(at, _)| *at)
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.heap.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.heap.is_empty()
    }

    fn place(&self, slot: usize) -> Option<usize> {
        self.places.get(slot).filter(|at| **at != ABSENT).map(|at| *at as usize)
    }

    fn note(&mut self, at: usize) {
        let Some((_, key)) = self.heap.get(at) else { return };
        if let Some(place) = self.places.get_mut(key.slot()) {
            *place = u32::try_from(at).unwrap_or(ABSENT);
        }
    }

    fn remove(&mut self, at: usize) {
        let (_, key) = self.heap.swap_remove(at);
        if let Some(place) = self.places.get_mut(key.slot()) {
            *place = ABSENT;
        }
        if at < self.heap.len() {
            self.note(at);
            self.rise(at);
            self.sink(at);
        }
    }

    fn is_before(&self, a: usize, b: usize) -> bool {
        match (self.heap.get(a), self.heap.get(b)) {
            (Some(a), Some(b)) => a.0 < b.0,
            _ => false,
        }
    }

    fn rise(&mut self, mut at: usize) {
        while at > 0 {
            let parent = (at - 1) / 2;
            if !self.is_before(at, parent) {
                break;
            }
            self.heap.swap(at, parent);
            self.note(at);
            at = parent;
        }
        self.note(at);
    }

    fn sink(&mut self, mut at: usize) {
        loop {
            let left = 2 * at + 1;
            let child = if self.is_before(left + 1, left) { left + 1 } else { left };
            if !self.is_before(child, at) {
                break;
            }
            self.heap.swap(at, child);
            self.note(at);
            at = child;
        }
        self.note(at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::slab::Slab;

    #[test]
    fn a_connection_has_one_entry_the_earliest_asked_for() {
        let key = Slab::<u8>::new().reserve();
        let mut timers = Timers::default();
        for deadline in [100, 200, 50, 70] {
            timers.enter(key, deadline);
            assert_eq!(timers.len(), 1);
        }
        assert_eq!(timers.next_due(), Some(50));
        assert_eq!(timers.pop_due(49), None);
        assert_eq!(timers.pop_due(50), Some(key));
        assert_eq!((timers.pop_due(99), timers.len()), (None, 0));
    }

    #[test]
    fn an_entry_of_a_connection_that_is_gone_gives_way() {
        let mut slab = Slab::<u8>::new();
        let old = slab.reserve();
        let mut timers = Timers::default();
        timers.enter(old, 10);
        slab.release(old);
        let new = slab.reserve();
        timers.enter(new, 90);
        timers.leave(old);
        assert_eq!((timers.len(), timers.pop_due(89), timers.pop_due(90)), (1, None, Some(new)));
    }

    #[test]
    fn entries_come_out_in_order_whatever_was_done_before() {
        let mut slab = Slab::<u8>::new();
        let keys: Vec<Key> = (0..64).map(|_| slab.reserve()).collect();
        let mut timers = Timers::default();
        let mut model: Vec<Option<Millis>> = vec![None; keys.len()];
        let mut state: u64 = 1;
        for _ in 0..20_000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let index = (state >> 33) as usize % keys.len();
            let deadline = (state >> 45) % 1_000;
            match state >> 62 {
                0 => {
                    timers.leave(keys[index]);
                    model[index] = None;
                }
                1 => {
                    let due = timers.pop_due(Millis::MAX);
                    let least = model.iter().flatten().min().copied();
                    let popped = due.map(|key| keys.iter().position(|k| *k == key).unwrap());
                    assert_eq!(popped.and_then(|at| model[at]), least);
                    if let Some(at) = popped {
                        model[at] = None;
                    }
                }
                _ => {
                    timers.enter(keys[index], deadline);
                    model[index] = Some(model[index].map_or(deadline, |at| at.min(deadline)));
                }
            }
            assert_eq!(timers.len(), model.iter().flatten().count());
            assert_eq!(timers.next_due(), model.iter().flatten().min().copied());
        }
    }
}
