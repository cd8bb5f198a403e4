//! Where the output goes: a pipe that has what it took, or a store that acknowledges later.
//!
//! The store takes a few offers at a time, of each perhaps a part only, and acknowledges them late,
//! in any order and some of them twice. With the process die acknowledgements that were not told,
//! and offers that had not arrived: each such gap is one NUL byte in what is judged.

use std::collections::BTreeMap;

use super::prng::Prng;
use super::world::{Hands, trace};
use crate::fs::{Fault, Sink, SinkFault, Taken};

/// What one life of the process got out.
#[derive(Clone, Debug, Default)]
pub(crate) struct Output {
    /// Offers under way at a time; none is a pipe.
    pub(crate) late_max: Option<usize>,
    /// What was taken, by the number of its offer.
    offers: BTreeMap<u64, Offer>,
    taken_bytes: usize,
    /// How much of it goes before the first offer whose acknowledgement was not told.
    told_bytes: usize,
    first_untold: u64,
    /// How much that was when the last checkpoint of this life was written.
    told_at_checkpoint: Option<usize>,
    /// How much may be out beyond that; none where no promise holds: a checkpoint failed.
    pub(crate) promised_bytes: Option<usize>,
    /// What was offered last and not taken: it must be offered next.
    refused: Option<Vec<u8>>,
    /// A promise was broken.
    pub(crate) breach: Option<String>,
}

#[derive(Clone, Debug, Default)]
struct Offer {
    bytes: Vec<u8>,
    arrived: bool,
    told: bool,
}

impl Output {
    /// Nothing yet, with so many offers under way at a time, and so much allowed.
    pub(crate) fn new(late_max: Option<usize>, promised_bytes: Option<usize>) -> Output {
        Output { late_max, promised_bytes, ..Output::default() }
    }

    /// A checkpoint was written.
    pub(crate) fn note_checkpoint(&mut self) {
        self.told_at_checkpoint = Some(self.told_bytes);
    }

    /// How much was taken that the checkpoint does not have.
    pub(crate) fn beyond_checkpoint(&self) -> usize {
        self.taken_bytes - self.told_at_checkpoint.unwrap_or(0)
    }

    /// All that arrived, in the order of the offers, when the process is gone.
    pub(crate) fn arrived(&mut self, rng: &mut Prng) -> Vec<u8> {
        let mut bytes = Vec::new();
        for offer in self.offers.values_mut() {
            offer.arrived = offer.arrived || rng.once_in(2);
            match offer.arrived {
                true => bytes.extend_from_slice(&offer.bytes),
                false if bytes.last() == Some(&0) => {}
                false => bytes.push(0),
            }
        }
        bytes
    }

    /// All that was acknowledged, in the order of the offers.
    pub(crate) fn told(&self) -> Vec<u8> {
        let told = self.offers.values().filter(|offer| offer.told);
        told.flat_map(|offer| offer.bytes.iter().copied()).collect()
    }

    /// All that was acknowledged before the first offer that was not.
    pub(crate) fn told_first(&self) -> Vec<u8> {
        let told = self.offers.range(..self.first_untold);
        told.flat_map(|(_, offer)| offer.bytes.iter().copied()).collect()
    }

    /// Offers that were taken and not acknowledged.
    pub(crate) fn under_way(&self) -> usize {
        self.offers.range(self.first_untold..).filter(|(_, offer)| !offer.told).count()
    }

    fn take(&mut self, number: u64, bytes: &[u8]) -> bool {
        let safe = self.late_max.is_none();
        let offer = Offer { bytes: bytes.to_vec(), arrived: safe, told: safe };
        assert!(self.offers.insert(number, offer).is_none(), "each offer has its own number");
        self.taken_bytes += bytes.len();
        self.count_told();
        let beyond = self.beyond_checkpoint();
        let is_too_much = self.promised_bytes.is_some_and(|promised| beyond > promised);
        if self.told_at_checkpoint.is_some() && is_too_much {
            self.breach = Some(format!("{beyond} bytes are out beyond the last checkpoint"));
        }
        safe
    }

    fn count_told(&mut self) {
        while let Some(offer) = self.offers.get(&self.first_untold).filter(|offer| offer.told) {
            self.told_bytes += offer.bytes.len();
            self.first_untold += 1;
        }
    }

    /// One acknowledgement, perhaps of what was told before.
    fn acknowledge(&mut self, rng: &mut Prng, at_once: bool) -> Option<u64> {
        self.late_max?;
        let again = rng.once_in(10);
        let recent = self.offers.range(self.first_untold.saturating_sub(20)..);
        let wanted = recent.filter(|(_, offer)| offer.told == again);
        let numbers: Vec<_> = wanted.map(|(number, _)| *number).collect();
        if numbers.is_empty() || !at_once && !rng.once_in(3) {
            return None;
        }
        let number = numbers[rng.below(numbers.len() as u64) as usize];
        let offer = self.offers.entry(number).or_default();
        offer.arrived = true;
        offer.told = true;
        self.count_told();
        Some(number)
    }
}

fn push_line(lines: &mut Vec<u8>, text: &str) {
    lines.extend(text.replace("\\n", "\n").into_bytes());
    lines.push(b'\n');
}

/// The lines that JSON records stand for, put together again from their parts. What lacks a part,
/// in a gap or before it, is left out.
pub(crate) fn lines_of_records(output: &[u8], died: bool) -> Vec<u8> {
    let mut lines = Vec::new();
    // A file that two paths read, without times of birth, comes twice at a time.
    let mut begun: BTreeMap<&str, Vec<(u32, String)>> = BTreeMap::new();
    let mut gap = false;
    for one in output.split_inclusive(|byte| *byte == b'\n') {
        if one.contains(&0) {
            gap = true;
            continue;
        }
        let record = std::str::from_utf8(one).ok().and_then(|one| one.strip_suffix("}\n"));
        let parts = record.and_then(|record| record.split_once("\",\"line\":\""));
        let Some((_, text)) = parts else {
            // Only what a life died in may be cut off.
            if !died || one.ends_with(b"\n") {
                lines.extend_from_slice(b"no record: ");
                lines.extend_from_slice(one);
            }
            continue;
        };
        let Some((text, part)) = text.split_once("\",\"part\":") else {
            push_line(&mut lines, text.strip_suffix('"').unwrap_or("no string"));
            continue;
        };
        let (number, of) = part.split_once(",\"part_of\":\"").unwrap_or_default();
        let (of, goes_on) = match of.strip_suffix("\",\"partial\":true") {
            Some(of) => (of, true),
            None => (of.trim_end_matches('"'), false),
        };
        let number: u32 = number.parse().unwrap_or_default();
        let those = begun.entry(of).or_default();
        let before = those.iter().position(|(last, _)| last + 1 == number);
        let before = before.map(|at| those.remove(at));
        let Some((_, line)) = before.or((number == 1).then(Default::default)) else {
            if !gap {
                push_line(&mut lines, "a part is missing");
            }
            continue;
        };
        match goes_on {
            true => those.push((number, line + text)),
            false => push_line(&mut lines, &(line + text)),
        }
    }
    lines
}

impl Sink for Hands {
    fn offer(&mut self, number: u64, bytes: &[u8]) -> Result<Taken, SinkFault> {
        let mut world = self.0.borrow_mut();
        if world.dead {
            return Err(SinkFault::Blocked);
        }
        if let Some(refused) = world.output.refused.take() {
            let len = refused.len().min(bytes.len());
            if refused[..len] != bytes[..len] {
                world.output.breach = Some("other bytes than those that were refused".to_owned());
            }
        }
        let full = world.output.late_max.is_some_and(|max| world.output.under_way() >= max);
        if full || world.fault(20) {
            world.output.refused = Some(bytes.to_vec());
            return Err(SinkFault::Blocked);
        }
        if world.fault(200) {
            world.output.refused = Some(bytes.to_vec());
            return Err(SinkFault::Failed(Fault::Full));
        }
        let mut count = bytes.len();
        if world.faults && world.rng.once_in(4) {
            count = world.rng.between(1, count as u64) as usize;
        }
        // Death in this call: the bytes are out, and nobody will know.
        let safe = world.output.take(number, &bytes[..count]);
        trace(|| format!("  out {number} {:?}", String::from_utf8_lossy(&bytes[..count])));
        if world.enter() { Ok(Taken { bytes: count, safe }) } else { Err(SinkFault::Blocked) }
    }

    fn acknowledged(&mut self) -> Option<u64> {
        let mut world = self.0.borrow_mut();
        if world.dead {
            return None;
        }
        let at_once = !world.busy;
        let world = &mut *world;
        let number = world.output.acknowledge(&mut world.rng, at_once)?;
        trace(|| format!("  acknowledged {number}"));
        Some(number)
    }
}
