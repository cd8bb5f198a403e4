//! What a request remembers for variables: the groups of the last match, and the values of the
//! file's own variables.
//!
//! It keeps values; which variable there is and what makes it is the configuration's to say.

use crate::canary::{Canary, is_planted};
use crate::config::model::{ErrorLevel, Expression};
use crate::config::pattern::Captures;
use crate::pace::Pace;
use crate::upstream::replay::Replay;
use crate::zones::{Hold, Limited};

/// A value of one of the file's own variables.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Own {
    /// Nobody has made one for this request.
    #[default]
    Unset,
    /// It is this one.
    Is(Vec<u8>),
}

/// What one request remembers. The vectors keep their room.
#[derive(Debug, Default)]
pub struct Values {
    captures: Captures,
    own: Vec<Own>,
    /// How many values are being looked up, each for another.
    depth: u32,
    /// How many were looked up for this request.
    lookups: u32,
    /// What the error log is to tell of them.
    notes: Vec<(ErrorLevel, String)>,
    /// nginx: the `WWW-Authenticate` fields of the answer.
    pub challenges: Vec<Vec<u8>>,
    /// nginx: `$limit_req_status`.
    pub requests: Option<Limited>,
    /// nginx: `$limit_conn_status`.
    pub connections: Option<Limited>,
    /// nginx: `$limit_rate`, once something has set it.
    pub rate: Option<u64>,
    /// nginx: `$request_body`: what went to an upstream of it, where a log tells it.
    pub body: Option<Replay>,
    /// How fast the answer goes out.
    pub pace: Option<Pace>,
    /// What is held of zones until the request is over.
    pub held: Vec<Hold>,
}

/// Lines for the error log that are kept of one request: steps that go in a circle make no more of
/// use.
const NOTES_MAX: usize = 200;

/// Values that are looked up one for another at most: more are a circle.
///
/// nginx: `ngx_http_variable_depth` is 255; here each takes more of the stack.
const DEPTH_MAX: u32 = 50;
/// Values that are looked up for one request at most: volatile ones that ask for each other twice
/// would take for ever.
const LOOKUPS_MAX: u32 = 10_000;

impl Values {
    /// Forgets the last request.
    pub fn clear(&mut self) {
        self.captures.clear();
        self.own.clear();
        self.notes.clear();
        self.lookups = 0;
        self.challenges.clear();
        (self.requests, self.connections) = (None, None);
        (self.rate, self.pace, self.body) = (None, None, None);
        self.let_go();
    }

    /// Whether an expression is found in a text. What its groups are is remembered then, in the
    /// place of what was remembered before; named ones become variables. nginx: a named group that
    /// took no part in the match is an empty variable.
    pub fn matches(&mut self, expression: &Expression, text: &[u8]) -> bool {
        if !expression.pattern.captures(text, &mut self.captures) {
            return false;
        }
        for (group, variable) in &expression.named {
            let value = self.captures.group(*group).unwrap_or_default().to_vec();
            self.set(*variable, value);
        }
        true
    }

    /// The text of a group of the last match.
    pub fn group(&self, number: usize) -> Option<&[u8]> {
        self.captures.group(number)
    }

    /// nginx: after an expression of a `rewrite` or an `if` that was not found there are no groups.
    pub fn forget_groups(&mut self) {
        self.captures.clear();
    }

    /// Puts groups in the place of what the last match has left, which is returned.
    pub fn replace_groups(&mut self, groups: Captures) -> Captures {
        std::mem::replace(&mut self.captures, groups)
    }

    /// Begins to look a value up, which `leave` ends; false where that goes too deep, or has gone on
    /// for too long.
    pub fn enter(&mut self) -> bool {
        let may_enter = self.depth < DEPTH_MAX && self.lookups < LOOKUPS_MAX;
        self.depth += u32::from(may_enter);
        self.lookups += u32::from(may_enter);
        may_enter
    }

    /// A value was looked up.
    pub fn leave(&mut self) {
        debug_assert!(self.depth > 0, "entered first");
        self.depth = self.depth.saturating_sub(1);
    }

    /// One of the file's own variables, by its index in `Config::own_variables`.
    pub fn own(&self, variable: usize) -> &Own {
        self.own.get(variable).unwrap_or(&Own::Unset)
    }

    /// Gives one of the file's own variables a value.
    pub fn set(&mut self, variable: usize, value: Vec<u8>) {
        if self.own.len() <= variable {
            self.own.resize(variable + 1, Own::Unset);
        }
        if let Some(place) = self.own.get_mut(variable) {
            *place = Own::Is(value);
        }
    }

    /// What a subrequest knows that goes its own way: the file's variables as they are now, the
    /// body, and that bounds have let it in. nginx: it has no groups.
    pub fn for_mirror(&self) -> Values {
        Values {
            own: self.own.clone(),
            body: self.body.clone(),
            requests: self.requests,
            connections: self.connections,
            ..Values::default()
        }
    }

    /// Adds a line for the error log.
    pub fn note(&mut self, level: ErrorLevel, line: String) {
        if self.notes.len() < NOTES_MAX {
            self.notes.push((level, line));
        }
    }

    /// The lines for the error log, which are told once.
    pub fn take_notes(&mut self) -> Vec<(ErrorLevel, String)> {
        std::mem::take(&mut self.notes)
    }

    /// Gives back what is held of zones.
    pub fn let_go(&mut self) {
        let held = std::mem::take(&mut self.held);
        if is_planted(Canary::HoldForgotten) {
            std::mem::forget(held);
        }
    }

    /// Gives large buffers back.
    pub fn shrink(&mut self, kept_bytes_max: usize) {
        self.captures.shrink(kept_bytes_max);
        self.own = Vec::new();
        self.body = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::pattern::Pattern;

    fn expression(text: &str, named: Vec<(usize, usize)>) -> Expression {
        Expression { pattern: Pattern::new(text, false).unwrap(), named }
    }

    #[test]
    fn a_match_takes_the_place_of_the_one_before_and_a_failure_does_not() {
        let mut values = Values::default();
        assert!(values.matches(&expression("(a)(x)?", vec![(1, 3), (2, 0)]), b"ba"));
        assert_eq!((values.group(0), values.group(1)), (Some(&b"a"[..]), Some(&b"a"[..])));
        assert_eq!((values.group(2), values.group(3)), (None, None));
        assert_eq!((values.own(3), values.own(0)), (&Own::Is(b"a".into()), &Own::Is(b"".into())));
        assert_eq!((values.own(1), values.own(9)), (&Own::Unset, &Own::Unset));
        assert!(!values.matches(&expression("(c)", vec![(1, 3)]), b"ba"));
        assert_eq!((values.group(1), values.own(3)), (Some(&b"a"[..]), &Own::Is(b"a".into())));
        assert!(values.matches(&expression("b", vec![]), b"ba"));
        assert_eq!(values.group(1), None);
        values.clear();
        assert_eq!((values.group(0), values.own(3)), (None, &Own::Unset));
    }
}
