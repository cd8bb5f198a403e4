//! What the sink took and has not acknowledged yet.
//!
//! Owns the numbers of offers and the order in which their acknowledgements count: an offer's
//! positions are released when it and all before it are acknowledged, whatever the order in which
//! the sink says so, and however often. It moves no position itself.

use std::collections::VecDeque;

use crate::fs::Handle;
use crate::position::Position;

/// Offers that may wait for their acknowledgement at a time.
pub(crate) const OFFERS_MAX: usize = 1024;

/// Whose bytes: an open file, from its beginning or from its last cut on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Source {
    /// The open file.
    pub(crate) file: Handle,
    /// How often it was cut before these bytes.
    pub(crate) cuts: u32,
}

/// Where an offer ends in one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct End {
    /// The stream that read it, at that time.
    pub(crate) key: u64,
    /// The file.
    pub(crate) source: Source,
    /// Where a restart begins once the offer is acknowledged.
    pub(crate) resume: Position,
}

/// One offer.
#[derive(Debug)]
struct Offer {
    number: u64,
    /// Bytes of files in it.
    bytes: u64,
    acknowledged: bool,
    ends: Vec<End>,
}

/// Offers that were taken, in their order.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    next: u64,
    offers: VecDeque<Offer>,
    bytes: u64,
}

impl Ledger {
    /// The number of the offer to be made next.
    pub(crate) fn next_number(&self) -> u64 {
        self.next
    }

    /// Notes that the next offer was taken, and ends there. One that is safe already counts as
    /// acknowledged; the ends it releases are the result.
    pub(crate) fn take(&mut self, ends: Vec<End>, bytes: u64, safe: bool) -> Vec<End> {
        let number = self.next;
        self.next += 1;
        if safe && self.offers.is_empty() {
            return ends;
        }
        self.bytes += bytes;
        self.offers.push_back(Offer { number, bytes, acknowledged: safe, ends });
        Vec::new()
    }

    /// Notes an acknowledgement; one that came before, or for what was never offered, is none.
    /// Returns the ends it releases, the earlier ones first.
    pub(crate) fn acknowledge(&mut self, number: u64) -> Vec<End> {
        if let Ok(at) = self.offers.binary_search_by_key(&number, |offer| offer.number) {
            self.offers[at].acknowledged = true;
        }
        let mut released = Vec::new();
        while self.offers.front().is_some_and(|first| first.acknowledged) {
            let Some(first) = self.offers.pop_front() else { break };
            self.bytes -= first.bytes;
            released.extend(first.ends);
        }
        released
    }

    /// Whether nothing waits for its acknowledgement.
    pub(crate) fn is_empty(&self) -> bool {
        self.offers.is_empty()
    }

    /// Whether no more may be offered.
    pub(crate) fn is_full(&self) -> bool {
        self.offers.len() >= OFFERS_MAX
    }

    /// Bytes of files that wait for their acknowledgement.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether bytes of a file wait for their acknowledgement.
    pub(crate) fn has(&self, file: Handle) -> bool {
        self.ends().any(|end| end.source.file == file)
    }

    /// The bytes of one file are found in another one from now on: its copy, made before a cut.
    pub(crate) fn hand_over(&mut self, from: Source, to: Source) {
        let ends = self.offers.iter_mut().flat_map(|offer| &mut offer.ends);
        ends.filter(|end| end.source == from).for_each(|end| end.source = to);
    }

    fn ends(&self) -> impl Iterator<Item = &End> {
        self.offers.iter().flat_map(|offer| &offer.ends)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(file: u64, frontier: u64) -> End {
        let source = Source { file: Handle(file), cuts: 0 };
        End { key: file, source, resume: Position { frontier, ..Position::default() } }
    }

    fn frontiers(ends: &[End]) -> Vec<(u64, u64)> {
        ends.iter().map(|end| (end.key, end.resume.frontier)).collect()
    }

    /// A ledger with three offers, numbered from 0: file 1, files 1 and 2, file 2.
    fn ledger() -> Ledger {
        let mut ledger = Ledger::default();
        for ends in [vec![end(1, 10)], vec![end(1, 20), end(2, 5)], vec![end(2, 9)]] {
            assert!(ledger.take(ends, 10, false).is_empty());
        }
        ledger
    }

    #[test]
    fn acknowledgements_in_order_release_one_offer_after_the_other() {
        let mut ledger = ledger();
        assert_eq!(ledger.bytes(), 30);
        assert_eq!(frontiers(&ledger.acknowledge(0)), [(1, 10)]);
        assert_eq!(frontiers(&ledger.acknowledge(1)), [(1, 20), (2, 5)]);
        assert!(ledger.has(Handle(2)) && !ledger.has(Handle(1)));
        assert_eq!(frontiers(&ledger.acknowledge(2)), [(2, 9)]);
        assert!(ledger.is_empty());
        assert_eq!(ledger.bytes(), 0);
    }

    #[test]
    fn an_acknowledgement_out_of_step_counts_when_all_before_it_have_come() {
        let mut ledger = ledger();
        assert!(ledger.acknowledge(2).is_empty());
        assert!(ledger.acknowledge(1).is_empty());
        assert_eq!(frontiers(&ledger.acknowledge(0)), [(1, 10), (1, 20), (2, 5), (2, 9)]);
    }

    #[test]
    fn repeated_and_unknown_acknowledgements_change_nothing() {
        let mut ledger = ledger();
        assert_eq!(ledger.acknowledge(0).len(), 1);
        assert!(ledger.acknowledge(0).is_empty());
        assert!(ledger.acknowledge(2).is_empty());
        assert!(ledger.acknowledge(2).is_empty());
        assert!(ledger.acknowledge(77).is_empty());
        assert_eq!(ledger.bytes(), 20);
    }

    #[test]
    fn what_is_safe_at_once_is_released_at_once_unless_something_earlier_is_not() {
        let mut ledger = Ledger::default();
        assert_eq!(frontiers(&ledger.take(vec![end(1, 10)], 10, true)), [(1, 10)]);
        assert!(ledger.take(vec![end(1, 20)], 10, false).is_empty());
        assert!(ledger.take(vec![end(1, 30)], 10, true).is_empty());
        assert_eq!(frontiers(&ledger.acknowledge(1)), [(1, 20), (1, 30)]);
    }

    #[test]
    fn what_was_cut_is_acknowledged_for_its_copy() {
        let mut ledger = ledger();
        let from = Source { file: Handle(1), cuts: 0 };
        let to = Source { file: Handle(9), cuts: 0 };
        ledger.hand_over(from, to);
        assert!(!ledger.has(Handle(1)) && ledger.has(Handle(9)));
        assert!(ledger.acknowledge(0).iter().all(|end| end.source == to));
    }

    #[test]
    fn it_is_full_at_its_limit() {
        let mut ledger = Ledger::default();
        (1..OFFERS_MAX).for_each(|_| drop(ledger.take(vec![], 1, false)));
        assert!(!ledger.is_full());
        ledger.take(vec![], 1, false);
        assert!(ledger.is_full());
    }
}
