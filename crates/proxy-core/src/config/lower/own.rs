//! Regular expressions, and the variables that the file makes.
//!
//! Owns: which names are the file's own, and what all expressions together may cost. A variable
//! may be used before the line that makes it, so that names are gathered first.

use nginx_conf::{Directive, Span};

use super::Lower;
use super::told_names::ToldTexts;
use crate::config::model::{Expression, Geo, Map, OwnSource, OwnVariable, Split};
use crate::config::pattern::{self, Pattern};
use crate::config::variable::{OwnNames, is_built_in};

/// What all expressions of a configuration may take of memory, in bytes.
const PATTERNS_BYTES_MAX: usize = 128 << 20;
/// Variables that a file may make.
const OWN_VARIABLES_MAX: usize = 10_000;

/// What the file makes of its own.
#[derive(Default)]
pub(super) struct Own {
    pub(super) names: OwnNames,
    /// What the file gives variables.
    pub(super) texts: ToldTexts,
    /// What all expressions take of memory so far.
    pattern_bytes: usize,
}

impl Lower<'_> {
    /// Gathers the names of all variables that directives and those inside them make.
    pub(super) fn own_names(&mut self, directives: &[Directive]) {
        for directive in directives {
            let tilde = |text: &str| text.starts_with('~');
            self.own.texts.note(directive);
            match directive.name.text.as_str() {
                "location" if directive.arg(0).is_some_and(tilde) => {
                    for word in &directive.args {
                        self.own_groups(&word.text, word.span);
                    }
                }
                "server_name" | "proxy_redirect" => {
                    for word in directive.args.iter().filter(|word| tilde(&word.text)) {
                        self.own_groups(&word.text, word.span);
                    }
                }
                "rewrite" => {
                    self.own_groups(directive.arg(0).unwrap_or_default(), directive.arg_span(0));
                }
                "if" if directive.args.iter().any(|word| is_match(&word.text)) => {
                    for word in directive.args.iter().skip(1) {
                        self.own_groups(&word.text, word.span);
                    }
                }
                "set" => self.set_name(directive),
                // nginx: while nobody was asked there is none.
                "auth_request_set" => self.own_name(directive, OwnSource::Group),
                "map" => {
                    let index = self.config.maps.len();
                    self.config.maps.push(Map::default());
                    self.lookup_name(directive, OwnSource::Map(index));
                    for line in directive.block.iter().flatten() {
                        if tilde(&line.name.text) {
                            self.own_groups(&line.name.text, line.name.span);
                        }
                    }
                    continue;
                }
                "geo" => {
                    let index = self.config.geos.len();
                    self.config.geos.push(Geo::default());
                    self.lookup_name(directive, OwnSource::Geo(index));
                    continue;
                }
                "split_clients" => {
                    let index = self.config.splits.len();
                    self.config.splits.push(Split::default());
                    self.lookup_name(directive, OwnSource::Split(index));
                    continue;
                }
                // What stands in it are no directives.
                "types" => continue,
                _ => {}
            }
            self.own_names(directive.block.as_deref().unwrap_or_default());
        }
    }

    /// nginx: `set` of a variable that something else makes changes nothing of that.
    fn set_name(&mut self, directive: &Directive) {
        self.own_name(directive, OwnSource::Set);
    }

    fn own_name(&mut self, directive: &Directive, source: OwnSource) {
        let name = directive.arg(0).and_then(|text| text.strip_prefix('$')).unwrap_or_default();
        let is_own = self.own.names.contains_key(&name.to_ascii_lowercase());
        if !name.is_empty() && !is_own && !is_settable(name) {
            self.own_variable(name, source, directive.arg_span(0));
        }
    }

    fn own_groups(&mut self, text: &str, span: Span) {
        for name in pattern::names(text) {
            self.own_variable(name, OwnSource::Group, span);
        }
    }

    /// Makes a variable. nginx: one that is its own already cannot be made.
    pub(super) fn own_variable(&mut self, name: &str, source: OwnSource, span: Span) {
        let name = name.to_ascii_lowercase();
        if is_built_in(&name) {
            return self.error(span, format!("the duplicate \"{name}\" variable"));
        }
        let variables = &mut self.config.own_variables;
        if let Some(known) = self.own.names.get(&name).and_then(|index| variables.get_mut(*index)) {
            known.source = source;
        } else if variables.len() < OWN_VARIABLES_MAX {
            self.own.names.insert(name.clone(), variables.len());
            variables.push(OwnVariable { name, source });
        } else {
            self.error(span, format!("more than {OWN_VARIABLES_MAX} variables"));
        }
    }

    /// Compiles an expression; what is wrong with it is told.
    pub(super) fn expression(
        &mut self,
        text: &str,
        is_caseless: bool,
        span: Span,
    ) -> Option<Expression> {
        if self.own.pattern_bytes > PATTERNS_BYTES_MAX {
            // It is told already, and to compile more would take time.
            return None;
        }
        let pattern = match Pattern::new(text, is_caseless) {
            Ok(pattern) => pattern,
            Err(reason) => {
                let shown = nginx_conf::parse::shorten(text);
                self.error(span, format!("invalid regular expression \"{shown}\": {reason}"));
                return None;
            }
        };
        self.own.pattern_bytes = self.own.pattern_bytes.saturating_add(pattern.memory_bytes());
        if self.own.pattern_bytes > PATTERNS_BYTES_MAX {
            let shown = PATTERNS_BYTES_MAX >> 20;
            self.error(span, format!("all regular expressions together take more than {shown}m"));
            return None;
        }
        let own = &self.own.names;
        let variable = |name: &str| own.get(&name.to_ascii_lowercase()).copied();
        let groups = pattern.named_groups();
        let named = groups.filter_map(|(name, group)| Some((group, variable(name)?))).collect();
        Some(Expression { pattern, named })
    }

    /// An expression written as `~text` or `~*text`, the tilde taken off.
    pub(super) fn tilde_expression(&mut self, text: &str, span: Span) -> Option<Expression> {
        match text.strip_prefix('*') {
            Some(text) => self.expression(text, true, span),
            None => self.expression(text, false, span),
        }
    }
}

/// nginx: variables of its own that `set` gives another value.
fn is_settable(name: &str) -> bool {
    ["args", "limit_rate"].iter().any(|known| name.eq_ignore_ascii_case(known))
}

/// Whether a word of a condition says that an expression follows.
fn is_match(word: &str) -> bool {
    matches!(word, "~" | "~*" | "!~" | "!~*")
}
