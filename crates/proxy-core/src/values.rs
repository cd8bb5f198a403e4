//! What a request remembers for variables: the groups of the last match, and the values of the
//! file's own variables.
//!
//! It keeps values; which variable there is and what makes it is the configuration's to say.

use crate::config::model::Expression;
use crate::config::pattern::Captures;

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
}

impl Values {
    /// Forgets the last request.
    pub fn clear(&mut self) {
        self.captures.clear();
        self.own.clear();
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

    /// Gives large buffers back.
    pub fn shrink(&mut self, kept_bytes_max: usize) {
        self.captures.shrink(kept_bytes_max);
        self.own = Vec::new();
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
