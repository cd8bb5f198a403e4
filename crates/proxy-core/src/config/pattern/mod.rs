//! Regular expressions as nginx's files have them, matched in linear time.
//!
//! Owns: compiling a text of PCRE's language, and what a match is. `dialect` says what of that
//! language has another spelling in the engine's, and what has none. Paths are bytes here, as in
//! nginx without `(*UTF)`.

mod dialect;

use std::sync::{Arc, OnceLock};

use regex_automata::Input;
use regex_automata::meta::{Config, Regex};
use regex_automata::util::primitives::NonMaxUsize;
use regex_automata::util::syntax;

pub use dialect::names;

/// Longest text that is taken: a longer one is a mistake, or meant to take time.
const TEXT_BYTES_MAX: usize = 16 << 10;
/// What one may be compiled to at most, in bytes.
const PROGRAM_BYTES_MAX: usize = 1 << 20;
/// What each of its tables of states may grow to for each thread, in bytes.
const CACHE_BYTES_MAX: usize = 64 << 10;

/// A compiled regular expression; copies share it.
#[derive(Clone, Debug)]
pub struct Pattern(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// As written.
    text: String,
    is_caseless: bool,
    regex: Regex,
    /// For subjects that end with a line: PCRE's `$` matches before the end of the last one too.
    /// Such subjects are rare, so that it is made for the first one.
    for_line: OnceLock<Option<Regex>>,
    has_groups: bool,
}

/// What the last match captured. The vectors keep their room.
#[derive(Debug, Default)]
pub struct Captures {
    subject: Vec<u8>,
    slots: Vec<Option<NonMaxUsize>>,
}

impl Captures {
    /// Forgets the last match.
    pub fn clear(&mut self) {
        self.subject.clear();
        self.slots.clear();
    }

    /// The text of a group by its number; nothing where it took no part, or where there is none.
    pub fn group(&self, number: usize) -> Option<&[u8]> {
        let start = self.slots.get(number * 2).copied().flatten()?;
        let end = self.slots.get(number * 2 + 1).copied().flatten()?;
        self.subject.get(start.get()..end.get())
    }

    /// Gives a large buffer back.
    pub fn shrink(&mut self, kept_bytes_max: usize) {
        if self.subject.capacity() > kept_bytes_max {
            self.subject = Vec::new();
        }
    }
}

impl Pattern {
    /// Compiles a text. The error is a reason, without the text and its place.
    ///
    /// # Errors
    /// What is wrong with it, what it asks for that cannot be had in linear time, or that it is
    /// too large.
    pub fn new(text: &str, is_caseless: bool) -> Result<Pattern, String> {
        if text.len() > TEXT_BYTES_MAX {
            return Err(format!("it is longer than {TEXT_BYTES_MAX} bytes"));
        }
        let regex = compile(&dialect::translate(text, dialect::AtEnd::Exactly)?, is_caseless)?;
        let has_groups = regex.captures_len() > 1;
        let (text, for_line) = (text.to_owned(), OnceLock::new());
        Ok(Pattern(Arc::new(Inner { text, is_caseless, regex, for_line, has_groups })))
    }

    /// As written.
    pub fn text(&self) -> &str {
        &self.0.text
    }

    /// What it holds in memory, in bytes, without what each thread adds.
    pub fn memory_bytes(&self) -> usize {
        self.0.regex.memory_usage() + self.0.text.len() + size_of::<Inner>()
    }

    /// Its named groups, with their numbers.
    pub fn named_groups(&self) -> impl Iterator<Item = (&str, usize)> {
        let groups = self.0.regex.group_info().pattern_names(regex_automata::PatternID::ZERO);
        groups.enumerate().filter_map(|(number, name)| Some((name?, number)))
    }

    /// How many groups it has.
    pub fn groups(&self) -> usize {
        self.0.regex.captures_len() - 1
    }

    /// Whether it is found in the subject.
    pub fn is_match(&self, subject: &[u8]) -> bool {
        self.regex_for(subject).is_match(subject)
    }

    /// Whether it is found in the subject; if so, what it captured is there and what was captured
    /// before is gone.
    pub fn captures(&self, subject: &[u8], captures: &mut Captures) -> bool {
        let regex = self.regex_for(subject);
        if !regex.is_match(subject) {
            return false;
        }
        captures.clear();
        if self.0.has_groups {
            captures.subject.extend_from_slice(subject);
            captures.slots.resize(regex.captures_len() * 2, None);
            regex.search_slots(&Input::new(subject), &mut captures.slots);
        }
        true
    }

    fn regex_for(&self, subject: &[u8]) -> &Regex {
        if subject.last() != Some(&b'\n') {
            return &self.0.regex;
        }
        let make = || {
            let text = dialect::translate(&self.0.text, dialect::AtEnd::OrBeforeLineEnd).ok()?;
            compile(&text, self.0.is_caseless).ok()
        };
        // It differs by a few states: should it be too large for that, `$` is the very end.
        self.0.for_line.get_or_init(make).as_ref().unwrap_or(&self.0.regex)
    }
}

fn compile(text: &str, is_caseless: bool) -> Result<Regex, String> {
    let config = Config::new()
        .utf8_empty(false)
        .nfa_size_limit(Some(PROGRAM_BYTES_MAX))
        .onepass_size_limit(Some(CACHE_BYTES_MAX))
        .hybrid_cache_capacity(CACHE_BYTES_MAX);
    let syntax = syntax::Config::new().unicode(false).utf8(false).case_insensitive(is_caseless);
    Regex::builder().configure(config).syntax(syntax).build(text).map_err(|error| {
        if error.size_limit().is_some() {
            return "it is too large".to_owned();
        }
        // The reason is the last line of a drawing.
        let told = error.syntax_error().map(ToString::to_string).unwrap_or(error.to_string());
        told.rsplit("error: ").next().unwrap_or(&told).trim().to_owned()
    })
}

#[cfg(test)]
mod tests;
