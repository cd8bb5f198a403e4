//! nginx: `ngx_http_limit_req_module`: how each has asked of late, as a bucket that leaks.
//!
//! Counts are thousandths of a request, times milliseconds: nginx's own arithmetic. Memory has its
//! bound; who has not asked for longest leaves.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, BuildHasherDefault, Hasher};

use crate::clock::Millis;

/// What was looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// So much above the rate, this one counted in; it is within the burst, and counted.
    Counted(u64),
    /// It is within the burst; whether it counts is still to be said by `count` or `let_go`.
    Open,
    /// So much above the rate is beyond the burst; it does not count.
    Beyond(u64),
    /// There is no room for another key.
    Full,
}

/// Nobody.
const NONE: u32 = u32::MAX;

/// A key. A short one lies in its entry: with many keys a request costs as many looks into memory
/// as there are places to look at.
#[derive(Debug)]
enum Key {
    Short([u8; SHORT_MAX], u8),
    Long(Box<[u8]>),
}

/// As much as an address takes, and what [`Key`] has room for beside a longer one.
const SHORT_MAX: usize = 22;

impl Key {
    fn new(text: &[u8]) -> Key {
        let mut short = [0; SHORT_MAX];
        match short.get_mut(..text.len()) {
            Some(place) => {
                place.copy_from_slice(text);
                Key::Short(short, u8::try_from(text.len()).unwrap_or(0))
            }
            None => Key::Long(text.into()),
        }
    }

    fn text(&self) -> &[u8] {
        match self {
            Key::Short(text, len) => text.get(..usize::from(*len)).unwrap_or_default(),
            Key::Long(text) => text,
        }
    }
}

/// What a key is known by: its number is one already.
#[derive(Default)]
struct Same(u64);

impl Hasher for Same {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        debug_assert!(bytes.is_empty(), "numbers are written as such");
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }
}

#[derive(Debug)]
struct Entry {
    key: Key,
    /// What it is known by.
    number: u64,
    /// Less than none for one that has not asked yet.
    excess: i64,
    last_ms: Millis,
    /// Requests that have it open.
    open: u32,
    older: u32,
    newer: u32,
}

/// How each has asked.
#[derive(Debug)]
pub struct Rates {
    /// By a number that nobody outside can foretell; two keys that come to the same one, of which
    /// there are none in practice, follow each other.
    known: HashMap<u64, u32, BuildHasherDefault<Same>>,
    numbers: RandomState,
    entries: Vec<Entry>,
    free: Vec<u32>,
    newest: u32,
    oldest: u32,
    bytes: u64,
    bytes_max: u64,
}

impl Rates {
    /// Nobody has asked; all keys take no more than so many bytes.
    pub fn new(bytes_max: u64) -> Rates {
        Rates {
            known: HashMap::default(),
            numbers: RandomState::new(),
            entries: Vec::new(),
            free: Vec::new(),
            newest: NONE,
            oldest: NONE,
            bytes: 0,
            bytes_max,
        }
    }

    /// The entry of a key, or the number of one that has none.
    fn find(&self, key: &[u8]) -> Result<u32, u64> {
        let mut number = self.numbers.hash_one(key);
        while let Some(index) = self.known.get(&number).copied() {
            let entry = self.entries.get(index as usize);
            if entry.is_some_and(|entry| entry.key.text() == key) {
                return Ok(index);
            }
            number = number.wrapping_add(1);
        }
        Err(number)
    }

    /// A request of this key. Unless it `counts` at once, it is left open.
    pub fn look(
        &mut self,
        key: &[u8],
        (rate, burst): (u64, u64),
        counts: bool,
        now: Millis,
    ) -> Found {
        let index = match self.find(key) {
            Ok(index) => index,
            Err(number) => return self.enter((key, number), rate, counts, now),
        };
        self.unlink(index);
        self.link(index);
        let Some(entry) = self.entries.get_mut(index as usize) else { return Found::Full };
        let excess = entry.excess(rate, now, REQUEST).max(0);
        let above = u64::try_from(excess).unwrap_or(0);
        if above > burst {
            return Found::Beyond(above);
        }
        if !counts {
            entry.open += 1;
            return Found::Open;
        }
        entry.settle(excess, now);
        Found::Counted(above)
    }

    fn enter(
        &mut self,
        (key, number): (&[u8], u64),
        rate: u64,
        counts: bool,
        now: Millis,
    ) -> Found {
        self.expire(false, rate, now);
        if self.bytes.saturating_add(cost(key)) > self.bytes_max {
            self.expire(true, rate, now);
        }
        let bytes = self.bytes.saturating_add(cost(key));
        if bytes > self.bytes_max {
            return Found::Full;
        }
        self.bytes = bytes;
        let (excess, open) = if counts { (0, 0) } else { (-REQUEST, 1) };
        let (key, last_ms, older, newer) = (Key::new(key), now, NONE, NONE);
        let entry = Entry { key, number, excess, last_ms, open, older, newer };
        let index = match self.free.pop() {
            Some(index) => index,
            None => u32::try_from(self.entries.len()).unwrap_or(NONE),
        };
        match self.entries.get_mut(index as usize) {
            Some(place) => *place = entry,
            None => self.entries.push(entry),
        }
        self.known.insert(number, index);
        self.link(index);
        debug_assert_eq!(self.known.len() + self.free.len(), self.entries.len());
        if counts { Found::Counted(0) } else { Found::Open }
    }

    /// One that was left open counts; how much it is above the rate.
    pub fn count(&mut self, key: &[u8], rate: u64, now: Millis) -> u64 {
        let Some(entry) = self.open(key) else { return 0 };
        let excess = entry.excess(rate, now, REQUEST).max(0);
        entry.settle(excess, now);
        entry.open -= 1;
        u64::try_from(excess).unwrap_or(0)
    }

    /// One that was left open does not count.
    pub fn let_go(&mut self, key: &[u8]) {
        if let Some(entry) = self.open(key) {
            entry.open -= 1;
        }
    }

    fn open(&mut self, key: &[u8]) -> Option<&mut Entry> {
        let index = self.find(key).ok()?;
        let entry = self.entries.get_mut(index as usize)?;
        debug_assert!(entry.open > 0, "it was left open");
        (entry.open > 0).then_some(entry)
    }

    /// Up to two who have asked for nothing of late leave; if it `must` be, the one before them
    /// whatever it asked.
    fn expire(&mut self, must: bool, rate: u64, now: Millis) {
        for nth in u32::from(!must)..3 {
            let Some(entry) = self.entries.get(self.oldest as usize) else { return };
            let is_quiet =
                now.abs_diff(entry.last_ms) >= QUIET_MS && entry.excess(rate, now, 0) <= 0;
            if entry.open > 0 || nth > 0 && !is_quiet {
                return;
            }
            let (index, number, cost) = (self.oldest, entry.number, cost(entry.key.text()));
            self.unlink(index);
            self.known.remove(&number);
            self.free.push(index);
            self.bytes -= cost;
        }
    }

    /// Takes an entry out of the row.
    fn unlink(&mut self, index: u32) {
        let Some(entry) = self.entries.get(index as usize) else { return };
        let (older, newer) = (entry.older, entry.newer);
        match self.entries.get_mut(older as usize) {
            Some(entry) => entry.newer = newer,
            None => self.oldest = newer,
        }
        match self.entries.get_mut(newer as usize) {
            Some(entry) => entry.older = older,
            None => self.newest = older,
        }
    }

    /// Puts an entry at the row's end.
    fn link(&mut self, index: u32) {
        let older = std::mem::replace(&mut self.newest, index);
        if let Some(entry) = self.entries.get_mut(index as usize) {
            (entry.older, entry.newer) = (older, NONE);
        }
        match self.entries.get_mut(older as usize) {
            Some(entry) => entry.newer = index,
            None => self.oldest = index,
        }
    }
}

/// One request, in thousandths.
const REQUEST: i64 = 1_000;
/// nginx: who has asked since is not quiet; times that go back further than that are no times.
const QUIET_MS: Millis = 60_000;

impl Entry {
    fn elapsed_ms(&self, now: Millis) -> Millis {
        let is_far_back = now.saturating_add(QUIET_MS) < self.last_ms;
        if is_far_back { 1 } else { now.saturating_sub(self.last_ms) }
    }

    /// How much is above the rate, with so much more.
    fn excess(&self, rate: u64, now: Millis, more: i64) -> i64 {
        let leaked = rate.saturating_mul(self.elapsed_ms(now)) / 1_000;
        let leaked = i64::try_from(leaked).unwrap_or(i64::MAX);
        self.excess.saturating_sub(leaked).saturating_add(more)
    }

    fn settle(&mut self, excess: i64, now: Millis) {
        self.excess = excess;
        if self.elapsed_ms(now) > 0 {
            self.last_ms = now;
        }
    }
}

/// How long who is so much above the rate has to wait, where so much does not wait.
pub fn delay_ms(excess: u64, delay: u64, rate: u64) -> Millis {
    excess.saturating_sub(delay).saturating_mul(1_000) / rate.max(1)
}

/// nginx: what a key takes of a zone on 64 bit, a power of two.
fn cost(key: &[u8]) -> u64 {
    (80 + key.len() as u64).next_power_of_two().max(128)
}

#[cfg(test)]
mod tests;
