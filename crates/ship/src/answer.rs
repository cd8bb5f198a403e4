//! What a store answers, and what that means for the records of the request.
//!
//! Owns the one table of answers. Pure: the program hands over the status, two header fields and
//! the body piece by piece, of which a bounded part is kept.

use crate::format::Format;
use crate::items::{Item, Items};
use crate::{loki, success, told};

/// Bytes of a body that are kept, of an answer to a bulk request beside what it says of each item.
const KEPT_BYTES: usize = 1024;

/// The head of an answer: its status and the values of those fields that mean something.
#[derive(Clone, Copy, Debug, Default)]
pub struct Head<'a> {
    /// The status code.
    pub status: u16,
    /// `Content-Type`.
    pub content_type: Option<&'a str>,
    /// `Retry-After`.
    pub retry_after: Option<&'a str>,
    /// `Location`.
    pub location: Option<&'a str>,
}

/// An answer while it is read.
#[derive(Debug)]
pub struct Reading {
    status: u16,
    content_type: String,
    retry_after_ms: Option<u64>,
    location: Option<String>,
    kept: Vec<u8>,
    items: Option<Items>,
    /// Records in the request.
    records: usize,
}

impl Reading {
    /// Begins with the head of the answer to so many records; `unix_ms` is the time of day.
    pub fn new(format: Format, records: usize, head: &Head, unix_ms: u64) -> Reading {
        let is_bulk = format == Format::Elasticsearch && (200..300).contains(&head.status);
        Reading {
            status: head.status,
            content_type: head.content_type.map(told::short).unwrap_or_default(),
            retry_after_ms: head.retry_after.and_then(|text| retry_after_ms(text, unix_ms)),
            location: head.location.map(told::short),
            kept: Vec::new(),
            items: is_bulk.then(Items::new),
            records,
        }
    }

    /// Takes in a piece of the body. False once the rest is of no interest.
    pub fn feed(&mut self, bytes: &[u8]) -> bool {
        let room = KEPT_BYTES - self.kept.len();
        self.kept.extend_from_slice(&bytes[..bytes.len().min(room)]);
        match &mut self.items {
            Some(items) => {
                items.feed(bytes);
                items.count <= self.records
            }
            None => self.kept.len() < KEPT_BYTES,
        }
    }

    /// The body is over, or what is left of it is of no interest.
    pub fn done(self) -> Answer {
        Answer(Outcome::Answered(self))
    }
}

/// What became of a request.
#[derive(Debug)]
pub struct Answer(Outcome);

#[derive(Debug)]
enum Outcome {
    Failed(String),
    Answered(Reading),
}

impl Answer {
    /// There was none: no connection, or it broke, or it took too long.
    pub fn failed(words: &str) -> Answer {
        Answer(Outcome::Failed(told::short(words)))
    }
}

/// What a partial success says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Partial {
    /// Records that were refused for good.
    pub(crate) refused: u64,
    pub(crate) words: String,
}

/// What an answer means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Every record is safe, but for those that were refused for good.
    Taken(Partial),
    /// Every record is safe but for these.
    Items(Vec<Item>),
    /// The same again, later.
    Again { after_ms: Option<u64>, words: String },
    /// The same again, later; it will not do until somebody changes something.
    Misconfigured { words: String },
    /// The same again, later: it was no store that called it a success.
    Foreign { words: String },
    /// In smaller requests.
    TooLarge { words: String },
    /// Something is wrong with one of the records, or with several.
    Refused { words: String },
}

/// The table: what an answer to a request of so many records means.
pub(crate) fn judge(format: Format, answer: Answer, count: usize) -> Verdict {
    let reading = match answer.0 {
        Outcome::Failed(words) => return Verdict::Again { after_ms: None, words },
        Outcome::Answered(reading) => reading,
    };
    let Reading { status, content_type, retry_after_ms: after_ms, location, kept, items, .. } =
        reading;
    let body = told::short(&String::from_utf8_lossy(&kept));
    let words = format!("HTTP {status}{}{body}", if body.is_empty() { "" } else { ": " });
    let places = success::places(format);
    match status {
        200..=299 => match items {
            Some(items) if items.is_whole(count) => Verdict::Items(items.failed),
            // It did something, and which records are meant is not known; they have names.
            Some(items) if items.has_begun() && !success::is_page(&content_type, &kept) => {
                Verdict::Again { after_ms, words: format!("{words}: not a whole bulk answer") }
            }
            Some(_) => foreign(&words, &content_type, "not a bulk answer", places),
            None => {
                let is_cut = kept.len() == KEPT_BYTES;
                match success::partial(format, &content_type, &kept, is_cut) {
                    Some(partial) => {
                        let words = told::short(&partial.words);
                        Verdict::Taken(Partial { words, ..partial })
                    }
                    None => foreign(&words, &content_type, "not a store's answer", places),
                }
            }
        },
        300..=399 => {
            let location = location.unwrap_or_default();
            let words = format!("HTTP {status}: redirects are not followed: {location}");
            Verdict::Misconfigured { words: format!("{words} ({places})") }
        }
        404 | 405 => Verdict::Misconfigured { words: format!("{words} ({places})") },
        // Who may write, and what: nothing is wrong with the records.
        401 | 403 | 407 | 415 => Verdict::Misconfigured { words },
        408 | 425 | 429 | 500..=599 => Verdict::Again { after_ms, words },
        413 => Verdict::TooLarge { words },
        400..=499 => match loki::ignored(&body).filter(|_| format == Format::Loki) {
            Some(refused) => Verdict::Taken(Partial { refused, words }),
            None => Verdict::Refused { words },
        },
        _ => Verdict::Again { after_ms, words },
    }
}

/// A success that counts for nothing.
fn foreign(words: &str, content_type: &str, what: &str, places: &str) -> Verdict {
    let kind = if content_type.is_empty() { "of no type" } else { content_type };
    Verdict::Foreign { words: format!("{words}: {what} ({kind}; {places})") }
}

/// What one item's status means: `None` for one that is refused for good.
pub(crate) fn judge_item(item: &Item) -> Option<Verdict> {
    let words = format!("HTTP {}: {}", item.status, told::short(&item.words));
    match item.status {
        401 | 403 | 404 => Some(Verdict::Misconfigured { words }),
        408 | 429 | 500..=599 | 0..=199 => Some(Verdict::Again { after_ms: None, words }),
        _ => None,
    }
}

/// `Retry-After` (RFC 9110 §10.2.3): seconds, or a date.
fn retry_after_ms(text: &str, unix_ms: u64) -> Option<u64> {
    let text = text.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(text.parse::<u64>().unwrap_or(u64::MAX).saturating_mul(1000));
    }
    Some((date_s(text)? * 1000).saturating_sub(unix_ms))
}

/// `Sun, 06 Nov 1994 08:49:37 GMT` in seconds since 1970 (RFC 9110 §5.6.7).
fn date_s(text: &str) -> Option<u64> {
    const MONTHS: &str = "JanFebMarAprMayJunJulAugSepOctNovDec";
    let rest = text.split_once(", ")?.1.strip_suffix(" GMT")?;
    let mut fields = rest.split([' ', ':']);
    let day: u64 = fields.next()?.parse().ok().filter(|day| (1..32).contains(day))?;
    let month = MONTHS.find(fields.next().filter(|name| name.len() == 3)?)?;
    let year: u64 = fields.next()?.parse().ok().filter(|year| (1970..10_000).contains(year))?;
    let mut clock = fields.map(|field| field.parse::<u64>().ok().filter(|part| *part < 61));
    let (hour, minute, second) = (clock.next()??, clock.next()??, clock.next()??);
    // The year begins in March, so that the leap day ends it.
    let month = month as u64 / 3;
    let (year, month) = if month < 2 { (year - 1, month + 10) } else { (year, month - 2) };
    let leap_days = year / 4 - year / 100 + year / 400;
    let days = 365 * year + leap_days + (153 * month + 2) / 5 + day - 1;
    let s = days.checked_sub(719_468)? * 86_400 + hour * 3600 + minute * 60 + second;
    (hour < 24 && minute < 60).then_some(s)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(format: Format, status: u16, retry_after: Option<&str>, body: &str) -> Answer {
        let head = Head { status, retry_after, location: Some("http://x/"), ..Head::default() };
        let mut reading = Reading::new(format, 2, &head, 0);
        body.as_bytes().chunks(7).for_each(|piece| assert!(reading.feed(piece)));
        reading.done()
    }

    fn check(format: Format, status: u16, body: &str, expected: &Verdict) {
        assert_eq!(judge(format, answer(format, status, None, body), 2), *expected, "{status}");
    }

    #[test]
    fn every_status_has_its_place_in_the_table() {
        for status in 100..600 {
            for format in [Format::Otlp, Format::OtlpJson, Format::Loki, Format::Ndjson] {
                let body = if (200..300).contains(&status) { "" } else { "why" };
                let (words, places) = (format!("HTTP {status}: why"), success::places(format));
                let expected = match status {
                    200..=299 => Verdict::Taken(Partial::default()),
                    300..=399 => Verdict::Misconfigured {
                        words: format!(
                            "HTTP {status}: redirects are not followed: http://x/ ({places})"
                        ),
                    },
                    404 | 405 => Verdict::Misconfigured { words: format!("{words} ({places})") },
                    401 | 403 | 407 | 415 => Verdict::Misconfigured { words },
                    413 => Verdict::TooLarge { words },
                    100..=199 | 408 | 425 | 429 | 500.. => Verdict::Again { after_ms: None, words },
                    _ => Verdict::Refused { words },
                };
                check(format, status, body, &expected);
            }
        }
        let none = Verdict::Again { after_ms: None, words: "refused".into() };
        assert_eq!(judge(Format::Ndjson, Answer::failed("refused"), 1), none);
    }

    #[test]
    fn loki_s_refusal_that_took_the_others_is_a_partial_success() {
        let body = "entry ignored, total ignored: 3 out of 10";
        let words = format!("HTTP 400: {body}");
        check(
            Format::Loki,
            400,
            body,
            &Verdict::Taken(Partial { refused: 3, words: words.clone() }),
        );
        check(Format::Ndjson, 400, body, &Verdict::Refused { words });
    }

    #[test]
    fn a_partial_success_is_one() {
        let partial = Partial { refused: 3, words: "old".into() };
        check(Format::Otlp, 200, "\n\x07\x08\x03\x12\x03old", &Verdict::Taken(partial.clone()));
        let body = r#"{"partialSuccess":{"rejectedLogRecords":"3","errorMessage":"old"}}"#;
        check(Format::OtlpJson, 200, body, &Verdict::Taken(partial));
    }

    #[test]
    fn a_bulk_answer_is_judged_item_by_item_and_another_one_is_none() {
        let body = r#"{"items":[{"create":{"status":201}},{"create":{"status":400}}]}"#;
        let item = Item { number: 1, status: 400, words: String::new() };
        check(Format::Elasticsearch, 200, body, &Verdict::Items(vec![item]));
        let seen =
            |body| judge(Format::Elasticsearch, answer(Format::Elasticsearch, 200, None, body), 2);
        for body in ["{", r#"{"took":1"#, r#"{"items":[{"create":{"status":201}}]}"#] {
            assert!(matches!(seen(body), Verdict::Again { .. }), "{body}: {:?}", seen(body));
        }
        for body in ["", "ok", "<html>", "{}", r#"{"acknowledged":true}"#] {
            assert!(matches!(seen(body), Verdict::Foreign { .. }), "{body}: {:?}", seen(body));
        }
        let item = |status| judge_item(&Item { number: 0, status, words: "x".into() });
        for status in [429, 503, 0] {
            assert!(matches!(item(status), Some(Verdict::Again { .. })), "{status}");
        }
        for status in [401, 403, 404] {
            assert!(matches!(item(status), Some(Verdict::Misconfigured { .. })), "{status}");
        }
        assert_eq!(item(400), None);
    }

    #[test]
    fn a_success_that_is_no_store_s_says_what_came_and_where_it_should_have_gone() {
        let content_type = Some("text/html; charset=utf-8");
        let page = Head { status: 200, content_type, ..Head::default() };
        for format in [Format::Otlp, Format::Loki, Format::Ndjson, Format::Elasticsearch] {
            let mut reading = Reading::new(format, 2, &page, 0);
            reading.feed(b"<h2>VictoriaLogs</h2>");
            let seen = judge(format, reading.done(), 2);
            let Verdict::Foreign { words } = seen else { panic!("{format:?}: {seen:?}") };
            assert!(words.starts_with("HTTP 200: <h2>VictoriaLogs</h2>: not a "), "{words}");
            assert!(words.contains("(text/html; charset=utf-8; the path for"), "{words}");
            assert!(words.contains(format.usual_path()) && words.contains("/insert/"), "{words}");
        }
    }

    #[test]
    fn an_endless_body_is_kept_in_part() {
        let head = |status| Head { status, ..Head::default() };
        let mut reading = Reading::new(Format::Ndjson, 1, &head(400), 0);
        assert!(reading.feed(&[b'x'; KEPT_BYTES - 1]));
        assert!(!reading.feed(&[b'x'; 1 << 20]));
        assert_eq!(reading.kept.len(), KEPT_BYTES);
        let mut reading = Reading::new(Format::Elasticsearch, 2, &head(200), 0);
        assert!(reading.feed(b"{\"items\":["));
        let item = b"{\"create\":{\"status\":400}},";
        assert!(reading.feed(item) && reading.feed(item) && !reading.feed(item));
    }

    #[test]
    fn the_store_says_when_to_come_back() {
        let check = |text: &str, expected: Option<u64>| {
            assert_eq!(retry_after_ms(text, 784_111_770_000), expected, "{text}");
        };
        check("0", Some(0));
        check(" 120 ", Some(120_000));
        check("99999999999999999999999", Some(u64::MAX));
        check("Sun, 06 Nov 1994 08:49:37 GMT", Some(7000));
        check("Sun, 06 Nov 1994 08:49:29 GMT", Some(0));
        for wrong in [
            "",
            "-1",
            "1.5",
            "soon",
            "Sun, 06 Xov 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994",
            "Sun, 32 Nov 1994 08:49:37 GMT",
            "Sun, 644444444444444444 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 5444444444444444444:49:37 GMT",
            "Sun, 06 Nov 1994 08:49:61 GMT",
        ] {
            check(wrong, None);
        }
        assert_eq!(date_s("Thu, 29 Feb 2024 23:59:59 GMT"), Some(1_709_251_199));
        assert_eq!(date_s("Thu, 01 Jan 1970 00:00:00 GMT"), Some(0));
    }
}
