//! A store with moods: it takes a request, or a part of it, and says so, or something else, or nothing.

use std::collections::{BTreeMap, BTreeSet};

use super::Prng;
use crate::answer::{Answer, Head, Reading};
use crate::format::Format;

/// Requests with more bytes are too large for a store that is in that mood.
const SMALL_BYTES: usize = 1500;

/// How it takes one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mood {
    Well,
    /// Nothing is taken.
    Status(u16),
    /// It takes all, and nobody hears of it.
    Unheard,
    /// It takes a first part, and nobody hears of it.
    Half,
    Small,
    /// Somebody else answers in its place, who takes nothing and calls it a success.
    Foreign,
}

impl Mood {
    /// Well, or with so many chances in eight another one.
    pub(crate) fn drawn(rng: &mut Prng, faults: u64) -> Mood {
        if rng.below(8) >= faults {
            return Mood::Well;
        }
        let moods = [
            Mood::Status(500),
            Mood::Status(429),
            Mood::Status(302),
            Mood::Status(403),
            Mood::Unheard,
            Mood::Half,
            Mood::Small,
            Mood::Foreign,
        ];
        moods[rng.below(moods.len() as u64) as usize]
    }
}

/// What it has: each record's text, or its name and text, and how often.
#[derive(Debug)]
pub(crate) struct Store {
    format: Format,
    records: BTreeMap<String, u32>,
    /// Texts in the order in which they came for the first time.
    order: Vec<String>,
}

impl Store {
    pub(crate) fn new(format: Format) -> Store {
        Store { format, records: BTreeMap::new(), order: Vec::new() }
    }

    pub(crate) fn has(&self, text: &str) -> bool {
        self.records.contains_key(text)
    }

    /// Texts of all records that it has.
    pub(crate) fn texts_taken(&self) -> BTreeSet<String> {
        self.records.keys().cloned().collect()
    }

    /// Texts of the records in a request.
    pub(crate) fn texts(body: &str) -> Vec<&str> {
        let starts = body.match_indices("\"record-");
        starts.map(|(at, _)| body[at + 1..].split('"').next().unwrap_or_default()).collect()
    }

    fn take(&mut self, texts: &[&str]) {
        for text in texts {
            if !self.has(text) {
                self.order.push((*text).to_owned());
            }
            *self.records.entry((*text).to_owned()).or_default() += 1;
        }
    }

    /// The first records, as far as none of them is poison.
    fn take_before_poison(&mut self, texts: &[&str]) {
        let end = texts.iter().position(|text| text.ends_with("poison")).unwrap_or(texts.len());
        self.take(&texts[..end]);
    }

    fn says(&self, status: u16, body: &str) -> Answer {
        let head = Head { status, retry_after: Some("1"), location: Some("/x"), ..Head::default() };
        let mut reading = Reading::new(self.format, 1000, &head, 0);
        reading.feed(body.as_bytes());
        reading.done()
    }

    /// Takes what it takes. The error is a request that is none.
    pub(crate) fn answer(
        &mut self,
        body: &[u8],
        records: usize,
        mood: Mood,
        rng: &mut Prng,
    ) -> Result<Answer, String> {
        let body = std::str::from_utf8(body).map_err(|_| "a request is not UTF-8")?;
        let texts = Store::texts(body);
        if texts.len() != records || body.contains("[,") {
            return Err(format!("not a request of {records} records: {body}"));
        }
        Ok(match mood {
            Mood::Status(status) => self.says(status, "as I said"),
            Mood::Unheard => {
                let good: Vec<_> = texts.into_iter().filter(|t| !t.ends_with("poison")).collect();
                self.take(&good);
                Answer::failed("timed out")
            }
            Mood::Half => {
                self.take_before_poison(&texts[..texts.len() / 2]);
                Answer::failed("reset")
            }
            Mood::Foreign => self.says(200, "<html>Welcome</html>"),
            Mood::Small if body.len() > SMALL_BYTES && records > 1 => self.says(413, "large"),
            _ if self.format == Format::Elasticsearch => self.bulk(&texts, rng),
            _ if texts.iter().any(|text| text.ends_with("poison")) => self.refuse(&texts, rng),
            _ => {
                self.take(&texts);
                self.says(200, "")
            }
        })
    }

    /// As the formats do: all together, or the good ones and a count.
    fn refuse(&mut self, texts: &[&str], rng: &mut Prng) -> Answer {
        let good: Vec<_> = texts.iter().copied().filter(|t| !t.ends_with("poison")).collect();
        let bad = texts.len() - good.len();
        match self.format {
            Format::Loki if rng.once_in(2) && !good.is_empty() => {
                self.take(&good);
                self.says(400, &format!("total ignored: {bad} out of {}", texts.len()))
            }
            Format::OtlpJson if rng.once_in(2) && !good.is_empty() => {
                self.take(&good);
                let partial = format!("{{\"rejectedLogRecords\":\"{bad}\"}}");
                self.says(200, &format!("{{\"partialSuccess\":{partial}}}"))
            }
            _ => {
                if rng.once_in(3) {
                    self.take_before_poison(texts);
                }
                self.says(400, "poison")
            }
        }
    }

    fn bulk(&mut self, texts: &[&str], rng: &mut Prng) -> Answer {
        let mut items = Vec::new();
        for text in texts {
            let status = match text {
                text if text.ends_with("poison") => 400,
                _ if rng.once_in(9) => 429,
                text if self.has(text) => 409,
                _ => 201,
            };
            if status == 201 {
                self.take(&[text]);
            }
            items.push(format!("{{\"create\":{{\"status\":{status},\"error\":\"x\"}}}}"));
        }
        self.says(200, &format!("{{\"errors\":true,\"items\":[{}]}}", items.join(",")))
    }

    /// A request that is taken is not overtaken by a later one, unless a part of it was refused.
    pub(crate) fn in_order(&self) -> Result<(), String> {
        self.in_order_of("")
    }

    /// The same of those that begin so.
    pub(crate) fn in_order_of(&self, start: &str) -> Result<(), String> {
        let is_whole = self.format != Format::Elasticsearch;
        let order = self.order.iter().filter(|text| text.starts_with(start));
        match is_whole && !order.is_sorted() {
            true => Err(format!("not in order: {:?}", self.order)),
            false => Ok(()),
        }
    }
}
