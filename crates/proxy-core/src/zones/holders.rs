//! nginx: `ngx_http_limit_conn_module`: how many requests each has under way.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use super::lock;

/// Who has how many under way. Who has none is not known.
#[derive(Debug)]
pub struct Holders {
    held: HashMap<Box<[u8]>, u32>,
    bytes: u64,
    bytes_max: u64,
}

/// What came of asking for one more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It is held.
    One,
    /// There are as many as there may be.
    TooMany,
    /// There is no room for another key.
    Full,
}

/// One that is held; it is given back when this is dropped.
#[derive(Debug)]
pub struct Hold {
    holders: Arc<Mutex<Holders>>,
    key: Box<[u8]>,
}

impl Holders {
    /// Nobody has any; all keys take no more than so many bytes.
    pub fn new(bytes_max: u64) -> Holders {
        Holders { held: HashMap::new(), bytes: 0, bytes_max }
    }

    /// Takes one more for a key, of `most`.
    pub fn take(holders: &Arc<Mutex<Holders>>, key: &[u8], most: u32) -> Result<Hold, Taken> {
        match lock(holders).count(key, most) {
            Taken::One => Ok(Hold { holders: Arc::clone(holders), key: key.into() }),
            refused => Err(refused),
        }
    }

    fn count(&mut self, key: &[u8], most: u32) -> Taken {
        if let Some(count) = self.held.get_mut(key) {
            if *count >= most {
                return Taken::TooMany;
            }
            *count += 1;
            return Taken::One;
        }
        let bytes = self.bytes.saturating_add(cost(key));
        if bytes > self.bytes_max {
            return Taken::Full;
        }
        self.bytes = bytes;
        self.held.insert(key.into(), 1);
        Taken::One
    }

    fn give_back(&mut self, key: &[u8]) {
        let Some(count) = self.held.get_mut(key) else { return };
        debug_assert!(*count > 0, "who holds none is not known");
        *count -= 1;
        if *count == 0 {
            self.held.remove(key);
            self.bytes -= cost(key);
        }
        debug_assert_eq!(self.bytes == 0, self.held.is_empty());
    }

    /// Whether nobody has any.
    pub fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// How many are under way for a key.
    pub fn of(&self, key: &[u8]) -> u32 {
        self.held.get(key).copied().unwrap_or(0)
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        lock(&self.holders).give_back(&self.key);
    }
}

/// nginx: what a key takes of a zone on 64 bit, a power of two.
fn cost(key: &[u8]) -> u64 {
    (36 + key.len() as u64).next_power_of_two().max(64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(bytes_max: u64) -> Arc<Mutex<Holders>> {
        Arc::new(Mutex::new(Holders::new(bytes_max)))
    }

    #[test]
    fn each_key_has_so_many_at_a_time_and_gets_them_back() {
        let zone = zone(1 << 20);
        let take = |key: &str| Holders::take(&zone, key.as_bytes(), 2);
        let (one, two) = (take("a").unwrap(), take("a").unwrap());
        assert_eq!(take("a").unwrap_err(), Taken::TooMany);
        let other = take("b").unwrap();
        drop(one);
        assert_eq!(lock(&zone).of(b"a"), 1);
        let three = take("a").unwrap();
        assert_eq!(take("a").unwrap_err(), Taken::TooMany);
        drop((two, three, other));
        let holders = lock(&zone);
        assert_eq!((holders.of(b"a"), holders.held.len(), holders.bytes), (0, 0, 0));
    }

    #[test]
    fn who_is_new_finds_no_room_in_a_full_zone_and_who_is_known_does() {
        let zone = zone(128);
        let take = |key: &str| Holders::take(&zone, key.as_bytes(), 5);
        let held = [take("a").unwrap(), take("b").unwrap(), take("a").unwrap()];
        assert_eq!(take("c").unwrap_err(), Taken::Full);
        drop(held);
        assert!(take("c").is_ok());
        let long = "x".repeat(29);
        assert_eq!((cost(&long.as_bytes()[1..]), cost(long.as_bytes())), (64, 128));
    }
}
