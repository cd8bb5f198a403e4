//! Drawn worlds: a courier, records of which some are poison, and a store with every kind of fault.
//!
//! A world is judged by what the store has in the end, and at every acknowledgement. Bugs are planted
//! in the courier, to prove that each kind of them is found.

mod disk;
mod joint;
mod store;

use std::path::Path;

use tail::envelope;
use tail::format::{Origin, Record};

use crate::courier::{Courier, Next, Settings};
use crate::format::Format;
use crate::format::tests::shape;
use crate::long::Long;
use crate::planted::Bug;
use store::{Mood, Store};

/// Worlds in a test.
const WORLDS: u64 = 400;

/// SplitMix64, as in the courier's waits, with another seed.
#[derive(Debug)]
pub(crate) struct Prng(u64);

impl Prng {
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ mixed >> 31) % bound
    }

    pub(crate) fn once_in(&mut self, count: u64) -> bool {
        self.below(count) == 0
    }
}

/// The text of a record.
fn text(number: u64, is_poison: bool) -> String {
    format!("record-{number:06}{}", if is_poison { "-poison" } else { "" })
}

/// A world as it goes.
struct World {
    rng: Prng,
    courier: Courier,
    store: Store,
    now_ms: u64,
    /// Which records are poison.
    poison: Vec<bool>,
    /// Records before this one were offered.
    offered: u64,
    /// Of each offer the first record and the one behind its last, and whether it was acknowledged.
    offers: Vec<(u64, u64, bool)>,
    requests: u64,
}

impl World {
    fn new(seed: u64, format: Format, bug: Option<Bug>) -> World {
        let mut rng = Prng(seed);
        let count = 1 + rng.below(120);
        let poison_in = [u64::MAX, 30, 4, 2][rng.below(4) as usize];
        let poison = (0..count).map(|_| poison_in < 99 && rng.once_in(poison_in)).collect();
        let settings = Settings {
            shape: shape(format),
            batch_bytes: 200 + rng.below(8000) as usize,
            batch_ms: rng.below(2000),
            record_bytes: 1000,
            long: Long::Split,
            sender: "sim".to_owned(),
            seed,
        };
        let mut courier = Courier::new(settings);
        courier.plant(bug);
        let (store, offers) = (Store::new(format), Vec::new());
        World { rng, courier, store, now_ms: 0, poison, offered: 0, offers, requests: 0 }
    }

    /// Offers some records, of which some may be taken.
    fn offer(&mut self) {
        let count = (1 + self.rng.below(20)).min(self.poison.len() as u64 - self.offered);
        let mut envelopes = Vec::new();
        let mut ends = vec![0];
        for number in self.offered..self.offered + count {
            let text = text(number, self.poison[number as usize]);
            let record = Record {
                text: text.as_bytes(),
                offset: number * 20,
                time_ms: self.now_ms,
                file: Origin { ino: 1, ..Origin::default() },
                source: Path::new("/log/a"),
                part: None,
            };
            envelope::push(&mut envelopes, &record);
            ends.push(envelopes.len());
        }
        let number = self.offers.len() as u64;
        let used = self.courier.offer(number, &envelopes, self.now_ms);
        let taken = ends.iter().position(|end| *end == used).expect("whole records are taken");
        if taken > 0 {
            self.offers.push((self.offered, self.offered + taken as u64, false));
            self.offered += taken as u64;
        }
    }

    /// Takes acknowledgements; what they promise must be true.
    fn acknowledge(&mut self) -> Result<(), String> {
        while let Some(number) = self.courier.acknowledged() {
            let offer = self.offers.get_mut(number as usize).ok_or("of no offer")?;
            if std::mem::replace(&mut offer.2, true) {
                return Err(format!("offer {number} is acknowledged twice"));
            }
            for record in offer.0..offer.1 {
                let is_poison = self.poison[record as usize];
                let is_there = self.store.has(&text(record, is_poison));
                if is_there == is_poison {
                    return Err(format!("record {record} is acknowledged and not settled"));
                }
            }
        }
        Ok(())
    }

    /// One step; false when there is nothing more to do.
    fn step(&mut self) -> Result<bool, String> {
        if self.offered < self.poison.len() as u64 && self.rng.once_in(2) {
            self.offer();
        }
        match self.courier.next(self.now_ms) {
            Next::Send(parcel) => {
                self.requests += 1;
                let body = parcel.pieces().collect::<Vec<_>>().concat();
                let records = parcel.records;
                drop(parcel);
                if !matches!(self.courier.next(self.now_ms), Next::Wait) {
                    return Err("two requests are under way".to_owned());
                }
                // The store is well in the end.
                let faults = if self.requests < 150 { 3 } else { 0 };
                let mood = Mood::drawn(&mut self.rng, faults);
                self.now_ms += self.rng.below(300);
                let answer = self.store.answer(&body, records, mood, &mut self.rng)?;
                self.courier.answered(answer, self.now_ms);
            }
            Next::At(at_ms) => {
                let ahead_ms = at_ms.checked_sub(self.now_ms).filter(|ahead_ms| *ahead_ms > 0);
                self.now_ms += ahead_ms.ok_or("a wait until what is past")?;
            }
            Next::Wait if self.offered == self.poison.len() as u64 => return Ok(false),
            Next::Wait => self.offer(),
        }
        self.acknowledge()?;
        Ok(true)
    }

    /// Whether nothing else was offered yet: two batches are all that there is room for.
    fn is_all_poison(&self) -> bool {
        self.poison[..self.offered as usize].iter().all(|poison| *poison)
    }

    fn run(mut self) -> Result<(), String> {
        let mut steps = 0;
        while self.step()? {
            steps += 1;
            if steps > 5000 && self.is_all_poison() {
                // It was not believed that they are.
                return if self.courier.stats().refused == 0 { Ok(()) } else { Err("lost".into()) };
            } else if steps > 5000 {
                return Err("it never ends".to_owned());
            }
        }
        let is_open = self.offers.iter().any(|(_, _, acknowledged)| !acknowledged);
        let poison = self.poison.iter().filter(|poison| **poison).count() as u64;
        let stats = self.courier.stats();
        match stats.refused {
            _ if is_open => Err("an offer was never acknowledged".to_owned()),
            refused if refused != poison => Err(format!("{refused} of {poison} poisonous")),
            _ if stats.waiting_bytes > 0 => Err("something is left".to_owned()),
            _ if stats.requests != self.requests => Err("requests are counted".to_owned()),
            _ => self.store.in_order(),
        }
    }
}

const FORMATS: [Format; 4] =
    [Format::Ndjson, Format::Loki, Format::OtlpJson, Format::Elasticsearch];

#[test]
fn every_record_gets_to_the_store_whatever_it_answers_and_poison_alone_is_left_out() {
    for format in FORMATS {
        for seed in 0..WORLDS {
            let outcome = World::new(seed, format, None).run();
            assert!(outcome.is_ok(), "{format:?} {seed}: {outcome:?}");
        }
    }
}

/// Runs worlds until one of them shows the bug.
fn check(bug: Bug, format: Format) {
    let found = (0..WORLDS).find_map(|seed| World::new(seed, format, Some(bug)).run().err());
    assert!(found.is_some(), "{bug:?} is not found");
}

#[test]
fn an_acknowledgement_before_the_store_s_own_is_found() {
    FORMATS.into_iter().for_each(|format| check(Bug::AcknowledgedWhenSent, format));
}

#[test]
fn a_success_that_is_no_store_s_and_is_believed_is_found() {
    FORMATS.into_iter().for_each(|format| check(Bug::AnySuccessIsTaken, format));
}

#[test]
fn a_lost_half_of_a_batch_that_was_split_is_found() {
    check(Bug::LostHalf, Format::Ndjson);
    check(Bug::LostHalf, Format::Loki);
}

#[test]
fn a_poisonous_record_that_takes_its_neighbour_along_is_found() {
    check(Bug::PoisonTakesNeighbour, Format::Ndjson);
    check(Bug::PoisonTakesNeighbour, Format::OtlpJson);
}

#[test]
fn an_item_that_is_to_come_again_and_does_not_is_found() {
    check(Bug::BusyIsRefused, Format::Elasticsearch);
}
