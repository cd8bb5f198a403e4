//! Regular expressions as nginx's files have them, matched in linear time.
//!
//! Owns: compiling a text of PCRE's language, and what a match is. `dialect` says what of that
//! language has another spelling in the engine's, and what has none, `ahead` where look-ahead can be
//! had. Paths are bytes here, as in
//! nginx without `(*UTF)`.

mod ahead;
mod dialect;

use std::sync::{Arc, OnceLock};

use regex_automata::Input;
use regex_automata::meta::{Config, Regex};
use regex_automata::util::primitives::NonMaxUsize;
use regex_automata::util::syntax;

use ahead::Ahead;
use dialect::AtEnd;
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
    engine: Engine,
    /// For subjects that end with a line: PCRE's `$` matches before the end of the last one too.
    /// Such subjects are rare, so that it is made for the first one.
    for_line: OnceLock<Option<Engine>>,
    groups: usize,
}

/// What a text is compiled to.
#[derive(Debug)]
enum Engine {
    Plain(Regex),
    Ahead(Box<Ahead>),
}

impl Engine {
    fn new(text: &str, is_caseless: bool, at_end: AtEnd) -> Result<Engine, String> {
        if let Some(text) = ahead::split(text)? {
            return Ok(Engine::Ahead(Box::new(text.compile(is_caseless, at_end)?)));
        }
        compile(&dialect::translate(text, at_end)?, is_caseless).map(Engine::Plain)
    }

    /// Its expressions, whose groups follow each other.
    fn parts(&self) -> Vec<&Regex> {
        match self {
            Engine::Plain(regex) => vec![regex],
            Engine::Ahead(ahead) => ahead.parts().collect(),
        }
    }

    fn groups(&self) -> usize {
        self.parts().into_iter().map(|part| part.captures_len() - 1).sum()
    }

    fn is_match(&self, subject: &[u8]) -> bool {
        match self {
            Engine::Plain(regex) => regex.is_match(subject),
            Engine::Ahead(ahead) => ahead.find(subject).is_some(),
        }
    }

    /// The places of the groups; false where nothing is found.
    fn capture(&self, subject: &[u8], slots: &mut [Option<NonMaxUsize>]) -> bool {
        match self {
            Engine::Plain(regex) => regex.search_slots(&Input::new(subject), slots).is_some(),
            Engine::Ahead(ahead) => {
                let found = ahead.find(subject);
                found.inspect(|found| ahead.capture(subject, *found, slots)).is_some()
            }
        }
    }
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
        let engine = Engine::new(text, is_caseless, AtEnd::Exactly)?;
        let groups = engine.groups();
        let (text, for_line) = (text.to_owned(), OnceLock::new());
        let pattern = Pattern(Arc::new(Inner { text, is_caseless, engine, for_line, groups }));
        let mut names: Vec<&str> = pattern.named_groups().map(|(name, _)| name).collect();
        names.sort_unstable();
        match names.windows(2).any(|pair| pair.first() == pair.last()) {
            true => Err("duplicate capture group name".to_owned()),
            false => Ok(pattern),
        }
    }

    /// As written.
    pub fn text(&self) -> &str {
        &self.0.text
    }

    /// What it holds in memory, in bytes, without what each thread adds.
    pub fn memory_bytes(&self) -> usize {
        self.0.engine.parts().into_iter().map(Regex::memory_usage).sum::<usize>()
            + self.0.text.len()
            + size_of::<Inner>()
    }

    /// Its named groups, with their numbers.
    pub fn named_groups(&self) -> impl Iterator<Item = (&str, usize)> {
        let mut before = 0;
        self.0.engine.parts().into_iter().flat_map(move |part| {
            let first = before;
            before += part.captures_len() - 1;
            let groups = part.group_info().pattern_names(regex_automata::PatternID::ZERO);
            groups.enumerate().filter_map(move |(number, name)| Some((name?, first + number)))
        })
    }

    /// How many groups it has.
    pub fn groups(&self) -> usize {
        self.0.groups
    }

    /// Whether it is found in the subject.
    pub fn is_match(&self, subject: &[u8]) -> bool {
        self.engine_for(subject).is_match(subject)
    }

    /// Whether it is found in the subject; if so, what it captured is there and what was captured
    /// before is gone.
    pub fn captures(&self, subject: &[u8], captures: &mut Captures) -> bool {
        let engine = self.engine_for(subject);
        if !engine.is_match(subject) {
            return false;
        }
        captures.clear();
        if self.0.groups > 0 {
            captures.subject.extend_from_slice(subject);
            captures.slots.resize(self.0.groups * 2 + 2, None);
            engine.capture(subject, &mut captures.slots);
        }
        true
    }

    fn engine_for(&self, subject: &[u8]) -> &Engine {
        if subject.last() != Some(&b'\n') {
            return &self.0.engine;
        }
        let (text, is_caseless) = (&self.0.text, self.0.is_caseless);
        let make = || Engine::new(text, is_caseless, AtEnd::OrBeforeLineEnd).ok();
        // It differs by a few states: should it be too large for that, `$` is the very end.
        self.0.for_line.get_or_init(make).as_ref().unwrap_or(&self.0.engine)
    }
}

fn language() -> syntax::Config {
    syntax::Config::new().unicode(false).utf8(false)
}

/// The least and the most bytes that a translated text matches, where there is a most.
fn lengths(text: &str) -> Result<(usize, Option<usize>), String> {
    let parsed = syntax::parse_with(text, &language());
    let parsed = parsed.map_err(|error| reason(&error.to_string()))?;
    let properties = parsed.properties();
    Ok((properties.minimum_len().unwrap_or(0), properties.maximum_len()))
}

/// The last line of a drawing.
fn reason(told: &str) -> String {
    told.rsplit("error: ").next().unwrap_or(told).trim().to_owned()
}

fn compile(text: &str, is_caseless: bool) -> Result<Regex, String> {
    let config = Config::new()
        .utf8_empty(false)
        .nfa_size_limit(Some(PROGRAM_BYTES_MAX))
        .onepass_size_limit(Some(CACHE_BYTES_MAX))
        .hybrid_cache_capacity(CACHE_BYTES_MAX);
    let syntax = language().case_insensitive(is_caseless);
    Regex::builder().configure(config).syntax(syntax).build(text).map_err(|error| {
        if error.size_limit().is_some() {
            return "it is too large".to_owned();
        }
        reason(&error.syntax_error().map(ToString::to_string).unwrap_or(error.to_string()))
    })
}

#[cfg(test)]
mod tests;
