//! nginx: `ngx_http_limit_req_module`: how each has asked of late, as a bucket that leaks.
//!
//! Counts are thousandths of a request, times milliseconds: nginx's own arithmetic. Memory has its
//! bound; who has not asked for longest leaves.

use std::collections::HashMap;
use std::sync::Arc;

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

#[derive(Debug)]
struct Entry {
    key: Arc<[u8]>,
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
    known: HashMap<Arc<[u8]>, u32>,
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
        let (known, entries, free) = (HashMap::new(), Vec::new(), Vec::new());
        Rates { known, entries, free, newest: NONE, oldest: NONE, bytes: 0, bytes_max }
    }

    /// A request of this key. Unless it `counts` at once, it is left open.
    pub fn look(
        &mut self,
        key: &[u8],
        (rate, burst): (u64, u64),
        counts: bool,
        now: Millis,
    ) -> Found {
        let Some(index) = self.known.get(key).copied() else {
            return self.enter(key, rate, counts, now);
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

    fn enter(&mut self, key: &[u8], rate: u64, counts: bool, now: Millis) -> Found {
        self.expire(false, rate, now);
        if self.bytes.saturating_add(cost(key)) > self.bytes_max {
            self.expire(true, rate, now);
        }
        let bytes = self.bytes.saturating_add(cost(key));
        if bytes > self.bytes_max {
            return Found::Full;
        }
        self.bytes = bytes;
        let key: Arc<[u8]> = key.into();
        let (excess, open) = if counts { (0, 0) } else { (-REQUEST, 1) };
        let entry =
            Entry { key: Arc::clone(&key), excess, last_ms: now, open, older: NONE, newer: NONE };
        let index = match self.free.pop() {
            Some(index) => index,
            None => u32::try_from(self.entries.len()).unwrap_or(NONE),
        };
        match self.entries.get_mut(index as usize) {
            Some(place) => *place = entry,
            None => self.entries.push(entry),
        }
        self.known.insert(key, index);
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
        let entry = self.entries.get_mut(*self.known.get(key)? as usize)?;
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
            let (index, key) = (self.oldest, Arc::clone(&entry.key));
            self.unlink(index);
            self.known.remove(&key);
            self.free.push(index);
            self.bytes -= cost(&key);
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
