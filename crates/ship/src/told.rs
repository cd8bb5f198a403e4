//! What is told of a store: counters, its state, and sentences for the operator.
//!
//! Owns the names and words. How often a sentence is said is decided by the program that logs it,
//! by [`Told::topic`].

use std::fmt;

/// Longest part of a store's words that is repeated, in characters.
const SHOWN_CHARS_MAX: usize = 200;

/// The first characters of a text on one line.
pub(crate) fn short(text: &str) -> String {
    let text = text.trim();
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    let mut shown: String = text.chars().take(SHOWN_CHARS_MAX).map(plain).collect();
    if text.chars().nth(SHOWN_CHARS_MAX).is_some() {
        shown.push('…');
    }
    shown
}

/// Something an operator may want to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// A request failed and is made again; with what was said.
    Again(String),
    /// The store takes nothing until somebody changes something.
    Misconfigured(String),
    /// The store refused every record so far, one by one.
    AllRefused(String),
    /// So many records were refused for good and are left out.
    Refused(u64, String),
    /// A record is larger than the store takes, and is left out.
    TooLarge(String),
    /// The store takes records again.
    Recovered,
}

impl Told {
    /// Whether it tells of trouble.
    pub fn is_fault(&self) -> bool {
        *self != Told::Recovered
    }

    /// What to throttle by.
    pub fn topic(&self) -> &'static str {
        match self {
            Told::Again(_) => "again",
            Told::Misconfigured(_) | Told::AllRefused(_) => "misconfigured",
            Told::Refused(..) => "refused",
            Told::TooLarge(_) => "too-large",
            Told::Recovered => "recovered",
        }
    }
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Told::Again(words) => write!(f, "store: {words}; trying again, nothing is lost"),
            Told::Misconfigured(words) => {
                write!(f, "store: {words}; trying again, but --url or the credentials are wrong")
            }
            Told::AllRefused(words) => write!(
                f,
                "store: every record so far was refused: {words}; trying again, but --url or \
                 --output is likely to be wrong"
            ),
            Told::Refused(count, words) => {
                write!(f, "store: refused {count} record(s), which are left out: {words}")
            }
            Told::TooLarge(words) => {
                write!(f, "store: a record is too large and is left out: {words}")
            }
            Told::Recovered => f.write_str("store: takes records again"),
        }
    }
}

/// How the store is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Health {
    /// It took the last request, or none was made yet.
    #[default]
    Well,
    /// It is away, or too busy.
    Away,
    /// It takes nothing until somebody changes something.
    Misconfigured,
}

/// Counters since the start, and gauges.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Batches of which every record is settled.
    pub batches: u64,
    /// Records that the store took.
    pub records: u64,
    /// Requests that were made.
    pub requests: u64,
    /// Requests that were made again after they had failed.
    pub retries: u64,
    /// Answers of success that were no store's, and so acknowledged nothing.
    pub foreign: u64,
    /// Records that the store refused for good.
    pub refused: u64,
    /// Records, or single pieces of one, that were larger than the store takes.
    pub too_large: u64,
    /// Records that were cut off or left out for their length, as was asked for.
    pub shortened: u64,
    /// Records with bytes that are not UTF-8, which were replaced.
    pub not_utf8: u64,
    /// Gauge: bytes of requests that the store has not acknowledged yet.
    pub waiting_bytes: u64,
    /// Gauge: how the store is.
    pub health: Health,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_s_words_are_one_short_line() {
        let check = |text: &str, expected: &str| assert_eq!(short(text), expected);
        check(" a\r\nb\0\u{1b}[1m ", "a  b  [1m");
        check(&"ä".repeat(SHOWN_CHARS_MAX), &"ä".repeat(SHOWN_CHARS_MAX));
        let cut = "ä".repeat(SHOWN_CHARS_MAX) + "…";
        check(&"ä".repeat(SHOWN_CHARS_MAX + 1), &cut);
    }
}
