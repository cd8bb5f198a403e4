//! The whole way of a line: files on a model disk, the engine, the courier and a store with moods, and
//! death at any call.
//!
//! Replay one seed with `SIM_SEED=n`, run more with `SIM_SEEDS=n`. Oracle: in the end the store has
//! every record of every file, and in the order of the file; those that are poison are left out, alone,
//! and counted; after a death nothing but one batch comes again, and under the same names.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use tail::engine::{Engine, FILES_MAX, Options, Outcome, ROTATED};
use tail::format::Format as Frames;
use tail::fs::{Sink, SinkFault, Taken};
use tail::multiline::Multiline;
use tail::reclaim::Reclaim;

use super::disk::{Disk, Fuse};
use super::store::{Mood, Store};
use super::{FORMATS, Prng};
use crate::answer::{Answer, Head, Reading};
use crate::courier::{Courier, Next, Settings};
use crate::format::Format;
use crate::format::tests::shape;
use crate::long::Long;
use crate::planted::Bug;

/// Worlds in a test, a fourth of them in each format.
const WORLDS: u64 = 512;
/// Turns of a life after which something must be stuck.
const TURNS_MAX: u64 = 4000;
/// With batches of so many bytes no offer is larger than one.
const ROOMY_BYTES: u64 = 30_000;
/// The day that it is in the world.
const UNIX_MS: u64 = 1_764_100_800_000;

/// A bug that is planted: in the courier, or in whoever brings it together with the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wrong {
    Courier(Bug),
    /// What the courier took counts as safe.
    TakenIsSafe,
    /// The next request is made before a checkpoint says what was acknowledged.
    SentBeforeSaved,
}

/// A writer's file: how many lines are in it, and how often it was rotated.
#[derive(Clone, Copy, Debug, Default)]
struct Writer {
    lines: u64,
    rotations: u64,
}

/// A request under way.
struct Flight {
    body: Vec<u8>,
    records: usize,
    mood: Mood,
    /// What is answered, once the store has got it.
    answer: Option<Answer>,
    at_ms: u64,
}

/// The engine's sink, as the program has it.
struct Desk {
    courier: Courier,
    fuse: Fuse,
    is_unsaved: bool,
    now_ms: u64,
    wrong: Option<Wrong>,
    /// Most records in an offer.
    offer_max: usize,
}

impl Sink for Desk {
    fn offer(&mut self, number: u64, envelopes: &[u8]) -> Result<Taken, SinkFault> {
        if !self.fuse.burn() {
            return Err(SinkFault::Blocked);
        }
        let mut rest = envelopes;
        let mut count = 0;
        while let Some((_, len)) = tail::envelope::first(rest) {
            (rest, count) = (&rest[len..], count + 1);
        }
        self.offer_max = self.offer_max.max(count);
        match self.courier.offer(number, envelopes, self.now_ms) {
            0 => Err(SinkFault::Blocked),
            bytes => Ok(Taken { bytes, safe: self.wrong == Some(Wrong::TakenIsSafe) }),
        }
    }

    fn acknowledged(&mut self) -> Option<u64> {
        if self.fuse.is_out() {
            return None;
        }
        let number = self.courier.acknowledged()?;
        self.is_unsaved = true;
        Some(number)
    }
}

struct World {
    rng: Prng,
    format: Format,
    wrong: Option<Wrong>,
    disk: Disk,
    store: Store,
    writers: Vec<Writer>,
    batch_bytes: u64,
    now_ms: u64,
    requests: u64,
    /// Most records in a request, and in an offer.
    batch_max: usize,
    offer_max: usize,
    refused: u64,
    deaths: u64,
    /// What the store had when this life began, and what of it came again.
    before: BTreeSet<String>,
    again: BTreeSet<String>,
    /// Names of records, where they have some.
    names: BTreeMap<String, String>,
}

fn path(writer: usize) -> PathBuf {
    PathBuf::from(format!("/log/w{writer}.log"))
}

/// Of the first file every fourth record is poison: never two of them one behind the other, for a store
/// that takes none of two batches is believed of neither.
fn text(writer: usize, number: u64) -> String {
    let is_poison = writer == 0 && number % 4 == 3;
    format!("record-{writer}-{number:06}{}", if is_poison { "-poison" } else { "" })
}

impl World {
    fn new(seed: u64, wrong: Option<Wrong>) -> World {
        let mut rng = Prng(seed);
        let format = FORMATS[(seed % 4) as usize];
        let writers = vec![Writer::default(); 1 + rng.below(3) as usize];
        let least = if rng.once_in(2) { ROOMY_BYTES } else { 300 };
        World {
            disk: Disk::new(rng.below(u64::MAX)),
            batch_bytes: least + rng.below(least * 2),
            rng,
            format,
            wrong,
            store: Store::new(format),
            writers,
            now_ms: 0,
            requests: 0,
            batch_max: 0,
            offer_max: 0,
            refused: 0,
            deaths: 0,
            before: BTreeSet::new(),
            again: BTreeSet::new(),
            names: BTreeMap::new(),
        }
    }

    fn options(&mut self) -> Options {
        Options {
            paths: (0..self.writers.len()).map(path).collect(),
            exclude: Vec::new(),
            from_end: false,
            ignore_older_ms: None,
            rotated: ROTATED.map(str::to_owned).to_vec(),
            files_max: FILES_MAX,
            open_files_max: 1000,
            checkpoint: true,
            checkpoint_interval_ms: 1 + self.rng.below(5000),
            checkpoint_bytes: 2 * self.batch_bytes,
            partial_line_ms: 1 << 40,
            format: Frames::Enveloped { multiline: Multiline::Off },
            poll_ms: 1000,
            exit_on_eof: false,
            reclaim: Reclaim::default(),
        }
    }

    fn courier(&mut self) -> Courier {
        let mut courier = Courier::new(Settings {
            shape: shape(self.format),
            batch_bytes: self.batch_bytes as usize,
            batch_ms: self.rng.below(500),
            record_bytes: 1000,
            long: Long::Split,
            sender: "sim".to_owned(),
            seed: self.rng.below(u64::MAX),
        });
        if let Some(Wrong::Courier(bug)) = self.wrong {
            courier.plant(Some(bug));
        }
        courier
    }

    /// Somebody writes, or rotates what was written.
    fn act(&mut self) {
        let at = self.rng.below(self.writers.len() as u64) as usize;
        let writer = &mut self.writers[at];
        // What was rotated before the first look of all is none of ours.
        if self.disk.saves > 0 && self.rng.once_in(12) {
            writer.rotations += 1;
            let to = format!("/log/w{at}.log.{}", writer.rotations);
            self.disk.rename(&path(at), &PathBuf::from(to));
        }
        for _ in 0..self.rng.below(12) {
            let line = text(at, writer.lines) + "\n";
            self.disk.append(&path(at), line.as_bytes());
            writer.lines += 1;
        }
    }

    /// A request is made. What is in it must not be more than one batch of what the store has.
    fn send(&mut self, body: Vec<u8>, records: usize) -> Result<Flight, String> {
        let all = String::from_utf8(body.clone()).map_err(|_| "a request is not UTF-8")?;
        self.batch_max = self.batch_max.max(records);
        let texts = Store::texts(&all);
        let again = texts.iter().filter(|text| self.before.contains(**text));
        self.again.extend(again.map(|text| (*text).to_owned()));
        if self.format == Format::Elasticsearch {
            let ids = all.lines().step_by(2).filter_map(|line| line.split("\"_id\":\"").nth(1));
            for (text, id) in texts.iter().zip(ids) {
                let known = self.names.entry((*text).to_owned()).or_insert_with(|| id.to_owned());
                if known != id {
                    return Err(format!("{text} has two names"));
                }
            }
        }
        self.requests += 1;
        let faults = if self.requests < 40 { 3 } else { 0 };
        let mood = Mood::drawn(&mut self.rng, faults);
        let at_ms = self.now_ms + self.rng.below(300);
        let mut flight = Flight { body, records, mood, answer: None, at_ms };
        if self.rng.once_in(2) {
            self.arrive(&mut flight)?;
        }
        Ok(flight)
    }

    /// The store gets a request.
    fn arrive(&mut self, flight: &mut Flight) -> Result<(), String> {
        let Flight { body, records, mood, .. } = flight;
        flight.answer = Some(self.store.answer(body, *records, *mood, &mut self.rng)?);
        Ok(())
    }

    /// One life: until death, or until all is delivered.
    fn live(&mut self, calls: u64) -> Result<(), String> {
        let fuse = Fuse::new(calls);
        self.disk.begin(&fuse);
        (self.before, self.again) = (self.store.texts_taken(), BTreeSet::new());
        let (mut engine, courier) = (Engine::new(self.options()), self.courier());
        let wrong = self.wrong;
        let mut desk = Desk { courier, fuse, is_unsaved: false, now_ms: 0, wrong, offer_max: 0 };
        let mut flight: Option<Flight> = None;
        let busy_turns = self.rng.below(30);
        for turn in 0..TURNS_MAX {
            if turn < busy_turns {
                self.act();
            } else if turn == busy_turns {
                (0..self.writers.len()).for_each(|at| self.disk.append(&path(at), b""));
            } else if turn == busy_turns + 20 && calls == u64::MAX {
                engine.end(u64::MAX);
                desk.courier.end();
            }
            let outcome = self.turn(&mut engine, &mut desk, &mut flight)?;
            self.offer_max = self.offer_max.max(desk.offer_max);
            if outcome != Outcome::Following || desk.fuse.is_out() {
                self.refused += desk.courier.stats().refused;
                return self.end(outcome, desk.fuse.is_out(), flight);
            }
        }
        let stats = (desk.courier.stats(), engine.stats());
        Err(format!("a life without end, {stats:?}"))
    }

    /// What the program's loop does around a turn of the engine.
    fn turn(
        &mut self,
        engine: &mut Engine,
        desk: &mut Desk,
        flight: &mut Option<Flight>,
    ) -> Result<Outcome, String> {
        let now_ms = self.now_ms;
        desk.now_ms = now_ms;
        engine.tell_time(UNIX_MS + now_ms);
        if let Some(mut back) = flight.take_if(|flight| flight.at_ms <= now_ms) {
            if back.answer.is_none() {
                self.arrive(&mut back)?;
            }
            back.answer.into_iter().for_each(|answer| desk.courier.answered(answer, now_ms));
            if self.rng.once_in(10) {
                // It is said twice, which means nothing.
                let head = Head { status: 200, ..Head::default() };
                desk.courier.answered(Reading::new(self.format, 1, &head, 0).done(), now_ms);
            }
        }
        if self.rng.once_in(2) {
            engine.hint_all();
        }
        let budget = 50 + self.rng.below(700) as usize;
        let wake = engine.turn(&mut self.disk, desk, now_ms, budget);
        let is_late = self.wrong == Some(Wrong::SentBeforeSaved);
        if std::mem::take(&mut desk.is_unsaved) && !is_late {
            engine.save(&mut self.disk, now_ms);
        }
        let mut due_ms = u64::MAX;
        if wake.outcome == Outcome::Following && desk.fuse.burn() {
            match desk.courier.next(now_ms) {
                Next::Send(parcel) => {
                    let body = parcel.pieces().collect::<Vec<_>>().concat();
                    *flight = Some(self.send(body, parcel.records)?);
                }
                Next::At(at_ms) => due_ms = at_ms,
                Next::Wait => {}
            }
        }
        due_ms = flight.as_ref().map_or(due_ms, |flight| flight.at_ms);
        self.now_ms = match self.rng.below(4) {
            0 => now_ms + self.rng.below(30),
            1 => wake.at_ms.min(due_ms),
            // The store's time is what takes long.
            _ if due_ms < u64::MAX => due_ms,
            _ => wake.at_ms,
        };
        self.now_ms = self.now_ms.max(now_ms) + self.rng.below(2);
        Ok(wake.outcome)
    }

    fn end(&mut self, outcome: Outcome, died: bool, flight: Option<Flight>) -> Result<(), String> {
        let deaths = self.deaths;
        if died {
            self.deaths += 1;
            if let Some(mut flight) = flight.filter(|flight| flight.answer.is_none())
                && self.rng.once_in(2)
            {
                // It was on its way, and nobody waits for the answer.
                self.arrive(&mut flight)?;
            }
        } else if outcome != (Outcome::Finished { incomplete: false }) {
            return Err(format!("ended with {outcome:?}"));
        }
        // What is acknowledged is whole offers: one that is larger than a batch comes whole.
        let is_roomy = self.batch_bytes >= ROOMY_BYTES;
        let by_death = self.batch_max + if is_roomy { 0 } else { self.offer_max };
        let allowed = by_death * deaths as usize;
        match self.again.len() {
            count if count > allowed => {
                let Self { batch_bytes, batch_max, offer_max, .. } = self;
                let of =
                    format!("{batch_max} in a batch of {batch_bytes}, {offer_max} in an offer");
                Err(format!("{count} records come again, of {allowed} at most: {of}"))
            }
            _ => Ok(()),
        }
    }

    fn run(mut self) -> Result<(), String> {
        (0..self.writers.len()).for_each(|at| self.disk.append(&path(at), b""));
        for _ in 0..self.rng.below(5) {
            let calls = 1 + self.rng.below(800);
            self.live(calls)?;
            self.now_ms += self.rng.below(20_000);
        }
        for at in 0..self.writers.len() {
            // Good ones at the end, for a store that never took any is not believed.
            while self.writers[at].lines % 4 != 3 {
                let line = text(at, self.writers[at].lines) + "\n";
                self.disk.append(&path(at), line.as_bytes());
                self.writers[at].lines += 1;
            }
        }
        self.live(u64::MAX)?;
        self.judge()
    }

    fn judge(&self) -> Result<(), String> {
        let (taken, mut poison) = (self.store.texts_taken(), 0);
        for (at, writer) in self.writers.iter().enumerate() {
            for text in (0..writer.lines).map(|number| text(at, number)) {
                let is_poison = text.ends_with("poison");
                poison += u64::from(is_poison);
                if taken.contains(&text) == is_poison {
                    return Err(format!("{text} is {}", if is_poison { "there" } else { "lost" }));
                }
            }
            self.store.in_order_of(&format!("record-{at}-"))?;
        }
        let refused = self.refused;
        match refused < poison || refused > poison && self.deaths == 0 {
            true => Err(format!("{refused} of {poison} poisonous records are counted")),
            false => Ok(()),
        }
    }
}

fn env(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn every_line_gets_from_its_file_to_the_store_whoever_dies() {
    let seeds = match env("SIM_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..env("SIM_SEEDS").unwrap_or(WORLDS),
    };
    let failures = seeds.filter_map(|seed| {
        let failure = World::new(seed, None).run().err()?;
        Some(format!("SIM_SEED={seed}: {failure}"))
    });
    let failures: Vec<_> = failures.take(10).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn each_planted_bug_is_found() {
    for wrong in [
        Wrong::TakenIsSafe,
        Wrong::SentBeforeSaved,
        Wrong::Courier(Bug::AcknowledgedWhenSent),
        Wrong::Courier(Bug::AnySuccessIsTaken),
        Wrong::Courier(Bug::BusyIsRefused),
        Wrong::Courier(Bug::LostHalf),
        Wrong::Courier(Bug::PoisonTakesNeighbour),
    ] {
        let found = (0..WORLDS).find_map(|seed| {
            let failure = World::new(seed, Some(wrong)).run().err()?;
            Some(format!("seed {seed}: {failure}"))
        });
        println!("{wrong:?}: {}", found.as_deref().unwrap_or("not found"));
        assert!(found.is_some(), "{wrong:?} is not found");
    }
}
