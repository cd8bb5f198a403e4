//! Places for connections, found by a key that is never reused for another connection.
//!
//! It owns the numbering only; a value may be taken out while it is worked on and put back.

/// A slot's index with the number of times it has been used: an event for a connection that is
/// gone finds nothing, though its slot may be taken again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    index: u32,
    turn: u32,
}

/// Keys travel through epoll as `u64`; the top four bits are left to the caller.
pub const KEY_BITS: u32 = 60;
const TURN_MAX: u32 = (1 << (KEY_BITS - 32)) - 1;

impl Key {
    /// For epoll.
    pub fn to_u64(self) -> u64 {
        (u64::from(self.turn) << 32) | u64::from(self.index)
    }

    /// Its place in a table beside the slab.
    pub fn slot(self) -> usize {
        self.index as usize
    }

    /// From epoll; the caller's bits are ignored.
    pub fn from_u64(bits: u64) -> Key {
        let low = bits & ((1 << KEY_BITS) - 1);
        Key {
            index: u32::try_from(low & u64::from(u32::MAX)).unwrap_or(0),
            turn: u32::try_from(low >> 32).unwrap_or(0),
        }
    }
}

struct Slot<T> {
    turn: u32,
    used: bool,
    value: Option<T>,
}

/// The places.
pub struct Slab<T> {
    slots: Vec<Slot<T>>,
    free: Vec<u32>,
}

impl<T> Default for Slab<T> {
    fn default() -> Slab<T> {
        Slab::new()
    }
}

impl<T> Slab<T> {
    /// No places yet.
    pub fn new() -> Slab<T> {
        Slab { slots: Vec::new(), free: Vec::new() }
    }

    /// How many places are in use.
    pub fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Reserves a place, empty until `put`.
    pub fn reserve(&mut self) -> Key {
        let index = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot { turn: 0, used: false, value: None });
            u32::try_from(self.slots.len() - 1).unwrap_or(u32::MAX)
        });
        let Some(slot) = self.slots.get_mut(index as usize) else {
            return Key { index, turn: 0 };
        };
        debug_assert!(!slot.used && slot.value.is_none(), "a free place is empty");
        slot.turn = (slot.turn + 1) & TURN_MAX;
        slot.used = true;
        Key { index, turn: slot.turn }
    }

    fn slot(&mut self, key: Key) -> Option<&mut Slot<T>> {
        self.slots.get_mut(key.index as usize).filter(|slot| slot.used && slot.turn == key.turn)
    }

    /// Puts a value in its place.
    pub fn put(&mut self, key: Key, value: T) {
        let slot = self.slot(key);
        debug_assert!(slot.is_some(), "a place is reserved first");
        if let Some(slot) = slot {
            slot.value = Some(value);
        }
    }

    /// Takes a value out, to be put back or to be followed by `release`.
    pub fn take(&mut self, key: Key) -> Option<T> {
        self.slot(key)?.value.take()
    }

    /// The value in its place.
    pub fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        self.slot(key)?.value.as_mut()
    }

    /// The value in its place.
    pub fn get(&self, key: Key) -> Option<&T> {
        let slot = self.slots.get(key.index as usize)?;
        slot.value.as_ref().filter(|_| slot.used && slot.turn == key.turn)
    }

    /// Whether no place is in use.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The values in their places, with their keys.
    pub fn iter(&self) -> impl Iterator<Item = (Key, &T)> {
        self.slots.iter().enumerate().filter_map(|(index, slot)| {
            let key = Key { index: u32::try_from(index).unwrap_or(u32::MAX), turn: slot.turn };
            slot.value.as_ref().map(|value| (key, value))
        })
    }

    /// Gives the place up.
    pub fn release(&mut self, key: Key) {
        if let Some(slot) = self.slot(key) {
            slot.used = false;
            slot.value = None;
            self.free.push(key.index);
        }
        debug_assert!(self.free.len() <= self.slots.len(), "a place is given up once");
    }

    /// Keys of all places in use, at this moment.
    pub fn keys(&self) -> Vec<Key> {
        let used = self.slots.iter().enumerate().filter(|(_, slot)| slot.used);
        used.map(|(index, slot)| Key {
            index: u32::try_from(index).unwrap_or(u32::MAX),
            turn: slot.turn,
        })
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_of_a_released_place_finds_nothing() {
        let mut slab = Slab::new();
        let old = slab.reserve();
        slab.put(old, 'a');
        slab.release(old);
        let new = slab.reserve();
        slab.put(new, 'b');
        assert_eq!(slab.get_mut(old), None);
        assert_eq!(slab.get_mut(new), Some(&mut 'b'));
        assert_eq!(slab.len(), 1);
    }

    #[test]
    fn a_key_survives_its_way_through_epoll() {
        let mut slab = Slab::<u8>::new();
        let first = slab.reserve();
        let second = slab.reserve();
        for key in [first, second] {
            assert_eq!(Key::from_u64(key.to_u64() | (7 << KEY_BITS)), key);
        }
    }
}
