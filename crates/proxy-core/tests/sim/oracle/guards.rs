//! Who is let in was let in by whoever was asked, who is mirrored is, waits are waited, and what was
//! held of a zone or counted at a server is given back.

use proxy_core::zones::lock;

use super::Judge;
use crate::features::Feature;
use crate::ledger::Line;
use crate::site::{Place, RATE, TURN_MS};

/// Clocks are read in whole milliseconds.
const GRAIN_MS: u64 = 2;
/// What is more than a second's bytes takes a second.
const SECOND_MS: u64 = 1_000;

impl Judge<'_> {
    pub fn check_guards(&self) {
        for (generation, held) in self.ledger().held.iter().enumerate() {
            if !lock(held).is_empty() {
                self.fail(format!("generation {generation} holds what nobody uses any more"));
            }
        }
        if self.ledger().loads.iter().any(|(_, load)| load.count() > 0) {
            self.fail("a server counts requests that are over".to_owned());
        }
        for line in self.ledger().lines.iter().filter(|line| line.status == 200) {
            let Some(ask) = line.ask.map(|id| self.ask(id)) else { continue };
            let is_whole = ask.got.as_ref().is_some_and(|got| got.is_whole);
            if is_whole && ask.place == Place::Own && line.took_ms + GRAIN_MS < SECOND_MS {
                self.fail(format!("{line:?} went out faster than {RATE} bytes a second"));
            }
        }
        self.check_copies();
        for client in self.world.clients() {
            let remote = self.conn(client.conn).remote;
            let is_turn = |line: &&Line| {
                let ask = line.ask.map(|id| self.ask(id));
                line.status == 403 && ask.is_some_and(|ask| ask.place == Place::Turn)
            };
            let lines: Vec<&Line> = self.lines_from(remote).filter(is_turn).collect();
            for pair in lines.windows(2).filter(|pair| pair[0].generation == pair[1].generation) {
                let began_ms = pair[0].at_ms - pair[0].took_ms;
                if pair[1].at_ms + GRAIN_MS < began_ms + TURN_MS {
                    self.fail(format!(
                        "{:?} did not wait for its turn after {:?}",
                        pair[1], pair[0]
                    ));
                }
            }
        }
    }

    /// What is mirrored comes there, where nothing is in its way.
    fn check_copies(&self) {
        // A process that is over has not waited for it.
        if self.world.has.any(&[Feature::EarlyFinish, Feature::NotReading]) {
            return;
        }
        for line in self.ledger().lines.iter() {
            let Some(id) = line.ask else { continue };
            let ask = self.ask(id);
            let is_meant = ask.place == Place::Named
                && !ask.arrivals.is_empty()
                && self.settings_of(line, ask).is_some_and(|settings| settings.mirrors);
            if is_meant && ask.copies == 0 && !self.may_be_unanswered(ask) {
                self.fail(format!("ask {id} was not mirrored: {line:?}"));
            }
        }
    }
}
