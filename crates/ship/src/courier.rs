//! The courier: takes records, makes requests of them, and says which records are safe.
//!
//! Owns the two batches there are at a time, one that is sent and one that is filled; what is made
//! of an answer; and when the next request is due. It sends nothing itself and knows no clock.
//!
//! ```text
//!            room, time or the end is up        each of its records is settled
//!  filling ─────────────────────────▶ sent ──────────────────────────────▶ acknowledged
//!                                     │  ▲ too large, refused: in halves
//!                                     └──┘ failed: the same, later
//! ```

use std::borrow::Cow;
use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;

use tail::envelope;
use tail::format::Record;

#[cfg(test)]
use crate::answer::Partial;
use crate::answer::{Answer, Verdict, judge, judge_item};
use crate::backoff::{Backoff, FIRST_MS};
pub use crate::batch::Parcel;
use crate::batch::{Batch, Part};
use crate::format::{Entry, Format, Shape, Writer};
use crate::identity::Identity;
use crate::items::Item;
use crate::long::{Long, mark};
#[cfg(test)]
use crate::planted::Bug;
use crate::success;
use crate::text::{clean, is_same};
use crate::told::{Health, Stats, Told};

/// Requests in a row that may be refused without a pause: more than it takes to find one record
/// among all of a batch.
const REFUSALS_MAX: u32 = 32;

/// What a courier is asked to do.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What requests look like.
    pub shape: Shape,
    /// Bytes of records in a request at most, unless one record alone is larger.
    pub batch_bytes: usize,
    /// A record waits for others for so long at most.
    pub batch_ms: u64,
    /// Bytes of a record's text at most, at least 4.
    pub record_bytes: usize,
    /// What becomes of longer ones.
    pub long: Long,
    /// What tells this sender from all others: the same whenever it is started.
    pub sender: String,
    /// For the jitter of waits.
    pub seed: u64,
}

/// What is to be done next.
#[derive(Debug)]
pub enum Next {
    /// To send this. No other one is given until [`Courier::answered`].
    Send(Parcel),
    /// To ask again at this time, or when a record was offered.
    At(u64),
    /// To wait for an answer, or for records.
    Wait,
}

/// The batch that is sent.
#[derive(Debug)]
struct Sent {
    body: Arc<Vec<u8>>,
    ends: Vec<u32>,
    offers: Vec<u64>,
    /// What is not settled yet; the last part is sent next, or under way.
    todo: Vec<Part>,
    /// Records that were refused by themselves before the store took any at all.
    aside: Part,
    /// What was said of them.
    words: String,
    is_under_way: bool,
    /// Before that nothing is sent.
    at_ms: u64,
}

/// Takes records to a store.
#[derive(Debug)]
pub struct Courier {
    settings: Settings,
    writer: Writer,
    sender: Identity,
    /// The file of the last record, and how that is written.
    place: (PathBuf, Vec<u8>),
    filling: Batch,
    /// Memory of the batch that was sent last.
    spare: Batch,
    sent: Option<Sent>,
    backoff: Backoff,
    /// Requests that were refused since the last one that was taken.
    refusals: u32,
    has_taken: bool,
    is_ending: bool,
    last_ns: u64,
    acknowledged: VecDeque<u64>,
    told: Vec<Told>,
    stats: Stats,
    #[cfg(test)]
    planted: Option<Bug>,
}

impl Courier {
    /// One that has nothing to send yet.
    pub fn new(settings: Settings) -> Courier {
        let writer = Writer::new(&settings.shape);
        Courier {
            place: (PathBuf::new(), writer.place("")),
            writer,
            sender: Identity::of_sender(settings.sender.as_bytes()),
            backoff: Backoff::new(settings.seed),
            settings,
            filling: Batch::default(),
            spare: Batch::default(),
            sent: None,
            refusals: 0,
            has_taken: false,
            is_ending: false,
            last_ns: 0,
            acknowledged: VecDeque::new(),
            told: Vec::new(),
            stats: Stats::default(),
            #[cfg(test)]
            planted: None,
        }
    }

    #[cfg(test)]
    pub(crate) fn plant(&mut self, bug: Option<Bug>) {
        self.planted = bug;
    }

    /// The format of the requests.
    pub fn format(&self) -> Format {
        self.settings.shape.format
    }

    /// Takes an offer, whole envelopes of [`tail::envelope`], and says how many bytes of it: all, or
    /// 0 if there is no room, or less of one that is larger than a batch. What is left is another
    /// offer.
    pub fn offer(&mut self, number: u64, envelopes: &[u8], now_ms: u64) -> usize {
        if self.filling.is_full && !self.seal() {
            return 0;
        }
        let used = match self.fill_all(envelopes) {
            // It goes into the next batch as a whole: what is acknowledged is offers.
            used if used < envelopes.len() && !self.filling.is_empty() => {
                self.filling.is_full = true;
                if !self.seal() {
                    return 0;
                }
                self.fill_all(envelopes)
            }
            used => used,
        };
        if used > 0 {
            if self.filling.is_empty() {
                self.filling.begun_ms = now_ms;
            }
            self.filling.offers.push(number);
        }
        // The rest of an offer that is larger than a batch.
        self.filling.is_full |= used < envelopes.len();
        used
    }

    /// Puts all records of an offer into the batch: nothing if they do not fit beside what is there,
    /// as many as do if nothing is.
    fn fill_all(&mut self, envelopes: &[u8]) -> usize {
        let before = (self.filling.body.len(), self.filling.ends.len(), self.last_ns);
        let mut used = 0;
        while let Some((record, len)) = envelope::first(&envelopes[used..]) {
            if self.fill(&record) {
                used += len;
                continue;
            }
            if !self.filling.is_empty() {
                self.filling.body.truncate(before.0);
                self.filling.ends.truncate(before.1);
                self.last_ns = before.2;
                return 0;
            }
            break;
        }
        used
    }

    /// Puts a record into the batch. False if it does not fit.
    fn fill(&mut self, record: &Record) -> bool {
        let (start, count, last_ns) =
            (self.filling.body.len(), self.filling.ends.len(), self.last_ns);
        let cut = self.settings.long.cut(record, self.settings.record_bytes);
        if !is_same(record.source, &self.place.0) {
            let place = self.writer.place(&record.source.to_string_lossy());
            self.place = (record.source.to_owned(), place);
        }
        let mut is_utf8 = true;
        for piece in cut.pieces {
            let text = clean(record, &piece);
            is_utf8 &= matches!(text, Cow::Borrowed(_));
            // No two records of a sender are of one time: stores order by it, and Loki takes the
            // same line of the same time for the same record.
            self.last_ns = (record.time_ms.saturating_mul(1_000_000)).max(self.last_ns + 1);
            let entry = Entry {
                text: &text,
                time_ns: self.last_ns,
                place: &self.place.1,
                piece: mark(record, &piece),
                sender: self.sender,
                file: record.file,
                offset: record.offset + piece.start as u64,
            };
            self.writer.push(&mut self.filling.body, &entry);
            self.filling.ends.push(self.filling.body.len() as u32);
        }
        if self.filling.body.len() > self.settings.batch_bytes && count > 0 {
            self.filling.body.truncate(start);
            self.filling.ends.truncate(count);
            self.last_ns = last_ns;
            return false;
        }
        self.stats.shortened += u64::from(cut.is_short);
        self.stats.not_utf8 += u64::from(!is_utf8);
        true
    }

    /// Has what is filled be sent, unless something else is. True if there is room again.
    fn seal(&mut self) -> bool {
        if self.sent.is_some() {
            return false;
        }
        let spare = std::mem::take(&mut self.spare);
        let batch = std::mem::replace(&mut self.filling, spare);
        if batch.ends.is_empty() {
            // Every record of it was left out.
            self.acknowledged.extend(batch.offers);
            return true;
        }
        self.sent = Some(Sent {
            todo: vec![Part::first(batch.ends.len())],
            body: Arc::new(batch.body),
            ends: batch.ends,
            offers: batch.offers,
            aside: Part::default(),
            words: String::new(),
            is_under_way: false,
            at_ms: 0,
        });
        true
    }

    /// The number of an offer of which every record is settled; `None` if there is no more to tell.
    pub fn acknowledged(&mut self) -> Option<u64> {
        self.acknowledged.pop_front()
    }

    /// Nothing is waited for any more: not for more records, and for a store that is away as short as
    /// can be.
    pub fn end(&mut self) {
        self.is_ending = true;
        self.sent.as_mut().into_iter().for_each(|sent| sent.at_ms = 0);
    }

    /// What to do now.
    pub fn next(&mut self, now_ms: u64) -> Next {
        if self.sent.is_none() && !self.filling.is_empty() {
            let due_ms = self.filling.begun_ms.saturating_add(self.settings.batch_ms);
            if !self.is_ending && !self.filling.is_full && now_ms < due_ms {
                return Next::At(due_ms);
            }
            self.seal();
        }
        let Some(sent) = &mut self.sent else { return Next::Wait };
        if sent.is_under_way {
            return Next::Wait;
        }
        if now_ms < sent.at_ms {
            return Next::At(sent.at_ms);
        }
        let Some(part) = sent.todo.last() else { return Next::Wait };
        sent.is_under_way = true;
        #[cfg(test)]
        if self.planted == Some(Bug::AcknowledgedWhenSent) {
            self.acknowledged.extend(sent.offers.drain(..));
        }
        self.stats.requests += 1;
        Next::Send(Parcel::new(&self.writer, &sent.body, &sent.ends, part))
    }

    /// What became of the request that was sent last.
    pub fn answered(&mut self, answer: Answer, now_ms: u64) {
        let Some(sent) = self.sent.as_mut().filter(|sent| sent.is_under_way) else { return };
        sent.is_under_way = false;
        let Some(part) = sent.todo.pop() else { return };
        let verdict = judge(self.format(), answer, part.count());
        #[cfg(test)]
        let verdict = match verdict {
            Verdict::Foreign { .. } if self.planted == Some(Bug::AnySuccessIsTaken) => {
                Verdict::Taken(Partial::default())
            }
            verdict => verdict,
        };
        match verdict {
            Verdict::Taken(partial) => {
                let refused = partial.refused.min(part.count() as u64);
                self.taken(part.count() as u64 - refused);
                if refused > 0 {
                    self.leave_out(refused, partial.words);
                }
            }
            Verdict::Items(failed) => self.items(&part, &failed, now_ms),
            Verdict::TooLarge { words } => self.refused(part, words, true, now_ms),
            Verdict::Refused { words } => self.refused(part, words, false, now_ms),
            verdict => self.failed(part, verdict, now_ms),
        }
        self.finish(now_ms);
    }

    /// So many records are safe. A store that takes nothing of a request said so otherwise.
    fn taken(&mut self, records: u64) {
        self.stats.records += records;
        self.has_taken = true;
        self.refusals = 0;
        self.backoff.reset();
        if std::mem::take(&mut self.stats.health) != Health::Well {
            self.told.push(Told::Recovered);
        }
    }

    fn leave_out(&mut self, records: u64, words: String) {
        self.stats.refused += records;
        self.told.push(Told::Refused(records, words));
    }

    /// The same request is to be made again.
    fn failed(&mut self, part: Part, verdict: Verdict, now_ms: u64) {
        let (health, after_ms, told) = match verdict {
            Verdict::Again { after_ms, words } => (Health::Away, after_ms, Told::Again(words)),
            Verdict::Misconfigured { words } => {
                (Health::Misconfigured, None, Told::Misconfigured(words))
            }
            Verdict::Foreign { words } => {
                self.stats.foreign += 1;
                (Health::Misconfigured, None, Told::Misconfigured(words))
            }
            Verdict::TooLarge { words } | Verdict::Refused { words } => {
                (Health::Misconfigured, None, self.all_refused(&words))
            }
            Verdict::Taken(_) | Verdict::Items(_) => return,
        };
        self.stats.health = health;
        self.stats.retries += 1;
        self.told.push(told);
        let at_ms = now_ms.saturating_add(self.wait_ms(after_ms));
        if let Some(sent) = &mut self.sent {
            sent.todo.push(part);
            sent.at_ms = at_ms;
        }
    }

    fn all_refused(&self, words: &str) -> Told {
        Told::AllRefused(format!("{words} ({})", success::places(self.format())))
    }

    fn wait_ms(&mut self, asked_ms: Option<u64>) -> u64 {
        let wait_ms = self.backoff.next_ms(asked_ms);
        if self.is_ending { FIRST_MS } else { wait_ms }
    }

    /// A request was refused as a whole: one of its records is to blame, and which one is found out
    /// by halves. One that is refused by itself is left out if the store takes others.
    fn refused(&mut self, part: Part, words: String, is_too_large: bool, now_ms: u64) {
        self.refusals += 1;
        if self.refusals > REFUSALS_MAX {
            let at_ms = now_ms.saturating_add(self.wait_ms(None));
            self.sent.as_mut().into_iter().for_each(|sent| sent.at_ms = at_ms);
            if !self.has_taken {
                // From here on it takes long until each was refused by itself.
                self.stats.health = Health::Misconfigured;
                self.told.push(self.all_refused(&words));
            }
        }
        let Some(sent) = &mut self.sent else { return };
        let [first, second] = part.halves();
        #[cfg(test)]
        let second = match self.planted {
            Some(Bug::LostHalf) if second.count() > 0 => {
                return sent.todo.push(first);
            }
            Some(Bug::PoisonTakesNeighbour) if part.count() == 2 => {
                return self.leave_out(1, words);
            }
            _ => second,
        };
        if second.count() > 0 {
            sent.todo.extend([second, first]);
        } else if self.has_taken && is_too_large {
            self.stats.too_large += 1;
            self.told.push(Told::TooLarge(words));
        } else if self.has_taken {
            self.leave_out(1, words);
        } else {
            first.numbers().for_each(|number| sent.aside.push(number));
            sent.words = words;
        }
    }

    /// Each record has an answer of its own.
    fn items(&mut self, part: &Part, failed: &[Item], now_ms: u64) {
        let taken = (part.count() - failed.len()) as u64;
        if taken > 0 {
            self.taken(taken);
        }
        let mut again = Part::default();
        let mut why = None;
        let mut refused = (0, String::new());
        let mut items = failed.iter().peekable();
        for (place, number) in part.numbers().enumerate() {
            let Some(item) = items.next_if(|item| item.number == place) else { continue };
            let verdict = judge_item(item);
            #[cfg(test)]
            let verdict = verdict.filter(|_| self.planted != Some(Bug::BusyIsRefused));
            match verdict {
                Some(verdict) => {
                    again.push(number);
                    why.get_or_insert(verdict);
                }
                None if self.has_taken => {
                    refused.0 += 1;
                    if refused.1.is_empty() {
                        refused.1 = format!("HTTP {}: {}", item.status, item.words);
                    }
                }
                None => {
                    let Some(sent) = &mut self.sent else { return };
                    sent.aside.push(number);
                    sent.words = format!("HTTP {}: {}", item.status, item.words);
                }
            }
        }
        if refused.0 > 0 {
            self.leave_out(refused.0, refused.1);
        }
        if let Some(verdict) = why {
            self.failed(again, verdict, now_ms);
        }
    }

    /// Ends the batch if each of its records is settled.
    fn finish(&mut self, now_ms: u64) {
        let Some(sent) = self.sent.as_mut().filter(|sent| sent.todo.is_empty()) else { return };
        if sent.aside.count() > 0 && self.has_taken {
            // Now that it takes others it is believed; it may have been mended meanwhile.
            return sent.todo.push(std::mem::take(&mut sent.aside));
        }
        let Some(Sent { body, ends, offers, aside, words, .. }) = self.sent.take() else { return };
        if aside.count() > 0 {
            return self.begin_again(body, ends, offers, words, now_ms);
        }
        self.stats.batches += 1;
        self.acknowledged.extend(offers);
        let memory = Arc::try_unwrap(body).unwrap_or_default();
        self.spare = Batch::with_memory(memory, ends);
    }

    /// Every record was refused by a store that never took one: it is not the records. They are sent
    /// again, with those that came since or behind them, of which one may be taken.
    fn begin_again(
        &mut self,
        body: Arc<Vec<u8>>,
        ends: Vec<u32>,
        offers: Vec<u64>,
        words: String,
        now_ms: u64,
    ) {
        let body = Arc::try_unwrap(body).unwrap_or_else(|shared| shared.to_vec());
        let mut later = std::mem::take(&mut self.filling);
        let mut batch = Batch { body, ends, offers, begun_ms: now_ms, is_full: true };
        if batch.body.len() + later.body.len() <= self.settings.batch_bytes {
            batch.absorb(&later);
            later = Batch::default();
        } else if !later.ends.is_empty() {
            // They go first, this once.
            later.is_full = true;
            std::mem::swap(&mut later, &mut batch);
        }
        self.filling = batch;
        self.seal();
        self.filling = later;
        let part = self.sent.as_mut().and_then(|sent| sent.todo.pop()).unwrap_or_default();
        self.failed(part, Verdict::Refused { words }, now_ms);
    }

    /// What there is to tell since the last call.
    pub fn take_told(&mut self) -> Vec<Told> {
        std::mem::take(&mut self.told)
    }

    /// Counters and gauges.
    pub fn stats(&self) -> Stats {
        let sent = self.sent.as_ref().map_or(0, |sent| sent.body.len());
        Stats { waiting_bytes: (sent + self.filling.body.len()) as u64, ..self.stats }
    }
}
