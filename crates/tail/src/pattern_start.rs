//! The pattern of a record's first line.
//!
//! Owns what is allowed in it: a regular expression over bytes, that is matched in time linear in
//! the line's length and has no look-around. Pure.

use std::error::Error;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use regex_automata::Input;
use regex_automata::nfa::thompson;
use regex_automata::nfa::thompson::pikevm::{Cache, PikeVM};
use regex_automata::util::syntax;

/// Bytes that a compiled pattern may have; `(a{1000}){1000}` is refused.
const PATTERN_BYTES_MAX: usize = 1 << 20;

/// A compiled pattern.
#[derive(Clone)]
pub struct Start {
    compiled: Arc<(PikeVM, Mutex<Cache>)>,
}

impl Start {
    /// Compiles a pattern.
    ///
    /// # Errors
    /// A sentence that says what is wrong with it.
    pub fn new(pattern: &str) -> Result<Start, String> {
        let syntax = syntax::Config::new().unicode(false).utf8(false);
        let limits = thompson::Config::new().utf8(false).nfa_size_limit(Some(PATTERN_BYTES_MAX));
        let machine = PikeVM::builder().syntax(syntax).thompson(limits).build(pattern);
        let machine = machine.map_err(|error| match error.source() {
            Some(cause) => one_line(&cause.to_string()),
            None => error.to_string(),
        })?;
        let cache = Mutex::new(machine.create_cache());
        Ok(Start { compiled: Arc::new((machine, cache)) })
    }

    /// Whether a line begins a record.
    pub(crate) fn is_match(&self, line: &[u8]) -> bool {
        let (machine, cache) = &*self.compiled;
        let mut cache = cache.lock().unwrap_or_else(PoisonError::into_inner);
        machine.is_match(&mut cache, Input::new(line))
    }
}

impl fmt::Debug for Start {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Start")
    }
}

/// The last line of a message that shows the place in the pattern above it.
fn one_line(message: &str) -> String {
    let last = message.lines().rfind(|line| !line.trim().is_empty()).unwrap_or(message);
    last.trim().trim_start_matches("error: ").to_owned()
}
