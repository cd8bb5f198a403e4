//! `rewrite`, `set`, `break`, `if` and `return`.
//!
//! Owns: the steps of a level. What a step does is `phases::rewrite`'s.

use std::sync::Arc;

use nginx_conf::{Directive, Span, units};

use super::Lower;
use super::location::Written;
use super::scope::Scope;
use crate::config::model::{
    FileTest, Handler, Location, Program, Return, Rewrite, Step, Template, Test, Then, Variable,
};
use crate::config::variable::variable;

/// Where the steps of a location stand: what its `if` blocks need.
pub(super) struct Inside<'a, 't> {
    pub(super) scope: &'a Scope,
    pub(super) written: Written<'t>,
    /// It among the others. What answers there does so too where an `if` has nothing of its own.
    pub(super) location: usize,
    pub(super) out: &'a mut Vec<Location>,
}

/// Beginnings of a text that is an URL and not a path.
const SCHEMES: [&str; 3] = ["http://", "https://", "$scheme"];

impl Lower<'_> {
    /// The steps of a server, or of a location where `inside` is there.
    pub(super) fn program(
        &mut self,
        block: &[Directive],
        scope: &Scope,
        mut inside: Option<Inside<'_, '_>>,
    ) -> Program {
        let mut program = scope.program();
        self.steps(block, &mut inside, &mut program.steps);
        program
    }

    fn steps(
        &mut self,
        block: &[Directive],
        inside: &mut Option<Inside<'_, '_>>,
        steps: &mut Vec<Step>,
    ) {
        for directive in block {
            match directive.name.text.as_str() {
                "rewrite" => steps.extend(self.rewrite(directive)),
                "return" => steps.extend(self.returned(directive).map(Step::Return)),
                "set" => steps.extend(self.set(directive)),
                "break" => steps.push(Step::Break),
                "if" => self.if_block(directive, inside, steps),
                _ => {}
            }
        }
    }

    fn if_block(
        &mut self,
        directive: &Directive,
        inside: &mut Option<Inside<'_, '_>>,
        steps: &mut Vec<Step>,
    ) {
        let block = directive.block.as_deref().unwrap_or_default();
        let condition = self.condition(directive);
        let location = inside.as_mut().map(|inside| self.hidden(block, inside));
        let at = steps.len();
        if let Some((subject, test, is_negated)) = condition {
            steps.push(Step::If { subject, test, is_negated, location, inner: 0 });
        }
        // What is wrong inside is told even where the condition is wrong.
        self.steps(block, &mut None, steps);
        let count = steps.len().saturating_sub(at + 1);
        if let Some(Step::If { inner, .. }) = steps.get_mut(at) {
            *inner = count;
        }
    }

    /// nginx: the location that an `if` or a `limit_except` is: that around it, with what the block
    /// has of its own.
    pub(super) fn hidden(&mut self, block: &[Directive], inside: &mut Inside<'_, '_>) -> usize {
        let scope = inside.scope.with(self, block);
        let named = |name| block.iter().find(|directive| directive.name.text == name);
        let own = match (named("proxy_pass"), named("fastcgi_pass")) {
            (Some(directive), _) => Some(self.proxy_pass(directive, &scope.proxy, None)),
            (None, Some(directive)) => {
                Some(self.fastcgi_pass(directive, &scope.proxy).map(Arc::new))
            }
            (None, None) => None,
        };
        let handler = match own {
            Some(pass) => pass.map_or(Handler::Files, Handler::Proxy),
            None => {
                let around = inside.out.get(inside.location);
                around.map_or(Handler::Files, |around| around.handler.clone())
            }
        };
        let path = inside.written.prefix().unwrap_or_default();
        let location = scope.location(self, path, handler);
        inside.out.push(location);
        inside.out.len() - 1
    }

    fn rewrite(&mut self, directive: &Directive) -> Option<Step> {
        let text = directive.arg(1)?;
        if text.is_empty() {
            self.error(directive.arg_span(1), "empty replacement");
            return None;
        }
        let from = self.expression(directive.arg(0)?, false, directive.arg_span(0));
        let is_url = SCHEMES.iter().any(|scheme| text.starts_with(scheme));
        let then = match directive.arg(2) {
            None if is_url => Then::Redirect(302),
            None => Then::Next,
            // nginx: a scheme sends the client there whatever the flag says.
            Some("last" | "break") if is_url => Then::Redirect(302),
            Some("last") => Then::Last,
            Some("break") => Then::Break,
            Some("redirect") => Then::Redirect(302),
            Some("permanent") => Then::Redirect(301),
            Some(flag) => {
                let help = "expected \"last\", \"break\", \"redirect\" or \"permanent\"";
                let message = format!("invalid parameter \"{flag}\"");
                self.error_with_help(directive.arg_span(2), message, help);
                return None;
            }
        };
        let (text, keeps_args) = match text.strip_suffix('?') {
            Some(text) => (text, false),
            None => (text, true),
        };
        let to = self.text(text, directive.arg_span(1))?;
        Some(Step::Rewrite(Box::new(Rewrite { from: from?, to, keeps_args, then })))
    }

    fn set(&mut self, directive: &Directive) -> Option<Step> {
        let name = directive.arg(0)?;
        let value = self.template(directive, 1);
        let Some(name) = name.strip_prefix('$').filter(|name| !name.is_empty()) else {
            self.error(directive.arg_span(0), format!("invalid variable name \"{name}\""));
            return None;
        };
        let name = name.to_ascii_lowercase();
        if name == "args" {
            return Some(Step::SetArgs { value: value? });
        }
        if name == "limit_rate" {
            return Some(Step::SetRate { value: value? });
        }
        // One that could not be made is told where names are gathered.
        let variable = *self.own.names.get(&name)?;
        Some(Step::Set { variable, value: value? })
    }

    /// nginx: `(variable)`, `(variable = text)`, `(variable ~ expression)`, `(-f path)` and their
    /// negations.
    fn condition(&mut self, directive: &Directive) -> Option<(Option<Variable>, Test, bool)> {
        let (words, span) = match condition_words(directive) {
            Ok(words) => words,
            Err((text, span)) => {
                self.error(span, format!("invalid condition \"{text}\""));
                return None;
            }
        };
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let (name, rest) = words.split_first()?;
        if let Some((what, is_negated)) = file_test(name) {
            let [path] = rest else {
                self.error(span, format!("invalid condition \"{name}\""));
                return None;
            };
            let path = self.text(path, directive.args.last()?.span)?;
            return Some((None, Test::Stands(what, path), is_negated));
        }
        let is_variable = name.starts_with('$') && name.len() > 1;
        if !is_variable || !matches!(rest.len(), 0 | 2) {
            self.error(span, format!("invalid condition \"{name}\""));
            return None;
        }
        let subject = self.subject(&name[1..], span);
        let (is_negated, test) = match rest {
            [] => (false, Test::Holds),
            [operator, text] => {
                let bare = operator.strip_prefix('!');
                let test = match bare.unwrap_or(operator) {
                    "=" => Test::Equals(self.text(text, directive.args.last()?.span)?),
                    "~" => {
                        Test::Matches(self.expression(text, false, directive.args.last()?.span)?)
                    }
                    "~*" => {
                        Test::Matches(self.expression(text, true, directive.args.last()?.span)?)
                    }
                    _ => {
                        let message = format!("unexpected \"{operator}\" in condition");
                        let help = "expected \"=\", \"!=\", \"~\", \"~*\", \"!~\" or \"!~*\"";
                        self.error_with_help(span, message, help);
                        return None;
                    }
                };
                (bare.is_some(), test)
            }
            _ => return None,
        };
        Some((Some(subject?), test, is_negated))
    }

    /// A variable that stands by itself. nginx: `$1` is none there.
    pub(super) fn subject(&mut self, name: &str, span: Span) -> Option<Variable> {
        match variable(name, &self.own.names) {
            Ok(variable) => Some(variable),
            Err(message) => {
                self.error(span, message);
                None
            }
        }
    }

    /// A text with its variables compiled; what is wrong with them is told.
    pub(super) fn text(&mut self, text: &str, span: Span) -> Option<Template> {
        match crate::config::template::compile(text, &self.own.names) {
            Ok(template) => Some(template),
            Err(message) => {
                self.error(span, message);
                None
            }
        }
    }

    /// nginx: `return CODE`, `return CODE TEXT`, `return CODE URL`, `return URL`.
    fn returned(&mut self, directive: &Directive) -> Option<Return> {
        let code = directive.arg(0)?;
        let span = directive.arg_span(0);
        let Some(status) = units::number(code) else {
            let is_url = SCHEMES.iter().any(|scheme| code.starts_with(scheme));
            if directive.args.len() == 1 && is_url {
                return Some(Return { status: 302, text: Some(self.template(directive, 0)?) });
            }
            let help = "expected a status, or an URL that begins with http://, https:// or $scheme";
            self.error_with_help(span, format!("invalid return code \"{code}\""), help);
            return None;
        };
        // Below 200 there is no final answer (RFC 9110 §15.2); above 999 nginx refuses too.
        let status = u16::try_from(status).ok().filter(|status| (200..=999).contains(status));
        let Some(status) = status else {
            let message = format!("invalid return code \"{code}\"");
            self.error_with_help(span, message, "expected 200 to 999");
            return None;
        };
        let text =
            if directive.args.len() == 2 { Some(self.template(directive, 1)?) } else { None };
        Some(Return { status, text })
    }
}

/// nginx: `-f`, `!-f` and their like.
fn file_test(word: &str) -> Option<(FileTest, bool)> {
    let bare = word.strip_prefix('!');
    let what = match bare.unwrap_or(word) {
        "-f" => FileTest::File,
        "-d" => FileTest::Folder,
        "-e" => FileTest::Either,
        "-x" => FileTest::Executable,
        _ => return None,
    };
    Some((what, bare.is_some()))
}

/// The words between the brackets, and where they stand. The error is nginx's: the word that is
/// wrong.
fn condition_words(directive: &Directive) -> Result<(Vec<String>, Span), (String, Span)> {
    let mut words: Vec<String> = directive.args.iter().map(|word| word.text.clone()).collect();
    let span = directive.arg_span(0);
    let first = words.first_mut().ok_or_else(|| (String::new(), span))?;
    let inner = first.strip_prefix('(').ok_or_else(|| (first.clone(), span))?;
    *first = inner.to_owned();
    let last_span = directive.args.last().map_or(span, |word| word.span);
    let last = words.last_mut().ok_or_else(|| (String::new(), span))?;
    let inner = last.strip_suffix(')').ok_or_else(|| (last.clone(), last_span))?;
    *last = inner.to_owned();
    // A bracket may stand by itself.
    if words.len() > 1 && words.first().is_some_and(String::is_empty) {
        words.remove(0);
    }
    if words.len() > 1 && words.last().is_some_and(String::is_empty) {
        words.pop();
    }
    Ok((words, span))
}
