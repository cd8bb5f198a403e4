//! Directives of which a level has several, or one that says `off`.

use nginx_conf::Directive;

use super::Lower;

/// Rules of one level: what changes an answer is looked for among all of them.
const RULES_MAX: usize = 64;

/// What one level says with such a directive.
pub(super) struct Rules<T> {
    rules: Vec<T>,
    is_off: bool,
}

impl<T> Default for Rules<T> {
    fn default() -> Self {
        Rules { rules: Vec::new(), is_off: false }
    }
}

impl<T> Rules<T> {
    /// Takes a directive, which `read` reads unless it says `off`; what is wrong is told, and
    /// `help` with a single word that means nothing.
    pub(super) fn take<'t>(
        &mut self,
        lower: &mut Lower<'t>,
        directive: &Directive,
        help: &str,
        read: fn(&mut Lower<'t>, &Directive) -> Option<T>,
    ) {
        let name = &directive.name;
        let first = directive.arg(0).unwrap_or_default();
        let is_off = first == "off" && directive.args.len() == 1;
        if self.is_off || (is_off && !self.rules.is_empty()) {
            lower.error(name.span, format!("\"{}\" directive is duplicate", name.text));
        } else if is_off {
            self.is_off = true;
        } else if self.rules.len() >= RULES_MAX {
            let message = format!("more than {RULES_MAX} \"{}\" in a block", name.text);
            lower.error(name.span, message);
        } else if let Some(rule) = read(lower, directive) {
            self.rules.push(rule);
        } else if directive.args.len() == 1 {
            let message = format!("invalid parameter \"{first}\"");
            lower.error_with_help(directive.arg_span(0), message, help);
        }
    }

    /// The rules that hold from this level on; none where it says nothing.
    pub(super) fn list(self) -> Option<Vec<T>> {
        (self.is_off || !self.rules.is_empty()).then_some(self.rules)
    }
}
