//! The table applied to a tree: names, contexts, number and kind of arguments, duplicates.
//!
//! Owns: which directive may stand where, and the messages about it. Must not judge what a
//! directive's arguments mean together; that belongs to the program that carries it out.

use crate::diag::{Diag, Diags};
use crate::lex::Word;
use crate::parse::{Directive, Tree, shorten};
use crate::source::{Sources, Span};
use crate::suggest::nearest;
use crate::table::{ANY, Block, Class, Context, Contexts, Kind, Lookup, Row, find, is_name, rows};
use crate::units;

/// Words of one directive that are searched for a place where `;` is missing.
const SPLIT_WORDS_MAX: usize = 64;

/// Every problem of a tree whose main level is `root`: errors, and one warning for each directive
/// that has no effect here.
pub fn check(tree: &Tree, root: Context) -> Vec<Diag> {
    let mut checker = Checker {
        sources: &tree.sources,
        diags: Diags::default(),
        warned: Vec::new(),
        seen: Vec::new(),
    };
    checker.list(&tree.directives, root);
    checker.diags.into_list()
}

struct Checker<'t> {
    sources: &'t Sources,
    diags: Diags,
    warned: Vec<&'static str>,
    /// Where directives stand that may stand once in their block, of each block that is being
    /// checked: the last ones are those of the innermost.
    seen: Vec<(&'static str, Span)>,
}

/// A directive, or the part of one that stands before or behind a missing `;`.
#[derive(Clone, Copy)]
struct View<'t> {
    name: &'t Word,
    args: &'t [Word],
    block: Option<&'t [Directive]>,
}

impl Checker<'_> {
    fn list(&mut self, directives: &[Directive], context: Context) {
        let before = self.seen.len();
        for directive in directives {
            let mut view = View {
                name: &directive.name,
                args: &directive.args,
                block: directive.block.as_deref(),
            };
            while !self.diags.is_full() {
                match self.directive(view, context, before) {
                    Some(rest) => view = rest,
                    None => break,
                }
            }
        }
        self.seen.truncate(before);
    }

    /// Checks one directive of the block of which those are that are seen from `block` on. Where a
    /// `;` is missing inside it, checks what stands before and gives back what stands behind.
    fn directive<'t>(
        &mut self,
        view: View<'t>,
        context: Context,
        block: usize,
    ) -> Option<View<'t>> {
        let name = view.name.text.as_str();
        let row = match find(name, context) {
            Lookup::Here(row) => row,
            Lookup::NotHere(_, allowed) => {
                self.not_here(view.name, context, allowed);
                return None;
            }
            Lookup::Unknown => {
                self.unknown(view.name, context);
                return None;
            }
        };
        let is_already_so = row.is_already_so(view.args.iter().map(|word| word.text.as_str()));
        if let Class::Refused(reason) = row.class
            && !is_already_so
        {
            let message = format!("\"{}\" directive is refused: {reason}", shorten(name));
            self.diags.push(self.sources.error(view.name.span, message));
            return None;
        }
        if let Some(fault) = self.fault(view, row) {
            let Some((before, behind)) = self.split(view) else {
                self.diags.push(fault);
                return None;
            };
            let last = before.args.last().unwrap_or(before.name);
            let help =
                format!("expected \";\" after \"{}\", before \"{}\"", last.text, behind.name.text);
            let message = format!("directive \"{name}\" is not terminated by \";\"");
            self.diags.push(self.sources.error(last.span.after(), message).with_help(help));
            match self.fault(before, row) {
                Some(fault) => self.diags.push(fault),
                None => self.accepted(before, row, block, is_already_so),
            }
            return Some(behind);
        }
        self.accepted(view, row, block, is_already_so);
        None
    }

    /// Notes where a directive of a block stands, and tells where it stood before.
    fn saw(&mut self, name: &'static str, span: Span, block: usize) -> Option<Span> {
        let known = self.seen.iter_mut().skip(block).find(|(known, _)| *known == name);
        if let Some((_, known)) = known {
            return Some(std::mem::replace(known, span));
        }
        self.seen.push((name, span));
        None
    }

    /// A directive without fault: duplicates, warnings, and what stands in its block.
    fn accepted(&mut self, view: View<'_>, row: &'static Row, block: usize, is_quiet: bool) {
        let span = view.name.span;
        if !row.is_repeatable
            && let Some(first) = self.saw(row.name, span, block)
        {
            let (line, _) = self.sources.line_and_column(first);
            let file = self.sources.file(first.file).map_or("", |source| source.name.as_str());
            let message = format!("\"{}\" directive is duplicate", row.name);
            let help = format!("the first one is at {file}:{line}");
            self.diags.push(self.sources.error(span, message).with_help(help));
        }
        let is_stock = self.sources.file(span.file).is_some_and(|source| source.is_stock);
        if !is_stock {
            self.swallowed(view, row);
        }
        if !is_stock && !is_quiet && row.class != Class::Implemented {
            self.without_effect(span, row);
        }
        if let (Block::Of(context), Some(block)) = (row.shape.block, view.block) {
            self.list(block, context);
        }
    }

    /// One warning for each directive without effect, at its first place.
    fn without_effect(&mut self, span: Span, row: &'static Row) {
        if self.warned.contains(&row.name) {
            return;
        }
        self.warned.push(row.name);
        let message =
            format!("\"{}\" directive has no effect here: {}", row.name, row.class.reason());
        self.diags.push(self.sources.warning(span, message));
    }

    /// A directive of any number of arguments that has swallowed the next line: nginx takes it.
    fn swallowed(&mut self, view: View<'_>, row: &'static Row) {
        if row.shape.max != ANY || !self.diags.takes_warnings() {
            return;
        }
        let Some((before, behind)) = self.split(view) else { return };
        let last = before.args.last().unwrap_or(before.name);
        let message = format!(
            "\"{}\" at the start of a line is an argument of \"{}\"",
            behind.name.text, row.name
        );
        let help = format!("is \";\" missing after \"{}\"?", shorten(&last.text));
        self.diags.push(self.sources.warning(behind.name.span, message).with_help(help));
    }

    /// What is wrong with a directive by itself, if anything is.
    fn fault(&self, view: View<'_>, row: &Row) -> Option<Diag> {
        let name = view.name;
        let quoted = || shorten(&name.text);
        if row.shape.block == Block::Absent && view.block.is_some() {
            let last = view.args.last().unwrap_or(name);
            let message = format!("directive \"{}\" is not terminated by \";\"", quoted());
            let help = format!("expected \";\" after \"{}\"", shorten(&last.text));
            return Some(self.sources.error(last.span.after(), message).with_help(help));
        }
        if row.shape.block != Block::Absent && view.block.is_none() {
            let message = format!("directive \"{}\" has no opening \"{{\"", quoted());
            return Some(self.sources.error(name.span, message));
        }
        let count = view.args.len();
        let is_unbounded = row.shape.max == ANY;
        let (min, max) = (usize::from(row.shape.min), usize::from(row.shape.max));
        if count < min || (count > max && !is_unbounded) {
            let help = match (min, max) {
                (0, 0) => "expected none".to_owned(),
                (1, _) if is_unbounded => "expected at least 1".to_owned(),
                (_, _) if is_unbounded => format!("expected at least {min}"),
                (min, max) if min == max => format!("expected {min}"),
                (min, max) => format!("expected {min} to {max}"),
            };
            let message = format!("invalid number of arguments in \"{}\" directive", quoted());
            return Some(self.sources.error(name.span, message).with_help(help));
        }
        let kinds = row.shape.kinds.iter().chain(std::iter::repeat(row.shape.kinds.last()?));
        view.args.iter().zip(kinds).find_map(|(word, kind)| self.kind_fault(name, word, *kind))
    }

    fn kind_fault(&self, name: &Word, word: &Word, kind: Kind) -> Option<Diag> {
        let help = expected(&word.text, kind)?;
        let message = match kind {
            Kind::Flag => format!(
                "invalid value \"{}\" in \"{}\" directive, it must be \"on\" or \"off\"",
                shorten(&word.text),
                name.text
            ),
            _ => {
                format!("invalid value \"{}\" in \"{}\" directive", shorten(&word.text), name.text)
            }
        };
        let diag = self.sources.error(word.span, message);
        Some(if help.is_empty() { diag } else { diag.with_help(help) })
    }

    fn unknown(&mut self, name: &Word, context: Context) {
        let allowed = |row: &&Row| row.contexts.contains(context);
        let exact = || rows().filter(|row| !row.is_family());
        let near = nearest(&name.text, exact().filter(allowed).map(|row| row.name))
            .or_else(|| nearest(&name.text, exact().map(|row| row.name)));
        let message = format!("unknown directive \"{}\"", shorten(&name.text));
        let diag = self.sources.error(name.span, message);
        self.diags.push(match near {
            Some(near) => diag.with_help(format!("did you mean \"{near}\"?")),
            None => diag,
        });
    }

    fn not_here(&mut self, name: &Word, context: Context, allowed: Contexts) {
        let message = format!("\"{}\" directive is not allowed here", shorten(&name.text));
        let place = if context == Context::Main {
            "outside all blocks".to_owned()
        } else {
            format!("in \"{context}\"")
        };
        let help = format!("this is {place}, it belongs in {allowed}");
        self.diags.push(self.sources.error(name.span, message).with_help(help));
    }

    /// Cuts a directive before the first argument that starts a line and is a directive's name.
    fn split<'t>(&self, view: View<'t>) -> Option<(View<'t>, View<'t>)> {
        let at = view.args.iter().take(SPLIT_WORDS_MAX).position(|word| {
            !word.is_quoted && is_name(&word.text) && self.is_first_on_line(word.span)
        })?;
        let (before, behind) = view.args.split_at(at);
        let (name, args) = behind.split_first()?;
        let before = View { args: before, block: None, ..view };
        Some((before, View { name, args, block: view.block }))
    }

    fn is_first_on_line(&self, span: Span) -> bool {
        let Some(source) = self.sources.file(span.file) else { return false };
        let before = source.bytes.get(..span.start as usize).unwrap_or_default();
        let blank = |byte: &&u8| **byte == b' ' || **byte == b'\t';
        before.iter().rev().find(|byte| !blank(byte)) == Some(&b'\n')
    }
}

/// What was expected in place of a text, or nothing if the text is of that kind. The answer may be
/// empty where the message says it already.
fn expected(text: &str, kind: Kind) -> Option<String> {
    let one_of = |words: &[&str]| {
        let list: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
        format!("expected {}", list.join(", "))
    };
    let (is_right, help) = match kind {
        Kind::Word => (true, String::new()),
        // nginx compares these without regard to case.
        Kind::Flag => {
            let is_flag = text.eq_ignore_ascii_case("on") || text.eq_ignore_ascii_case("off");
            (is_flag, String::new())
        }
        Kind::Size => (units::size(text).is_some(), "expected a size as 512, 8k or 1m".to_owned()),
        Kind::Offset => {
            (units::offset(text).is_some(), "expected a size as 512, 8k, 1m or 2g".to_owned())
        }
        Kind::SizeOrOff => {
            (text == "off" || units::size(text).is_some(), "expected a size or \"off\"".to_owned())
        }
        Kind::Time => {
            (units::time(text).is_some(), "expected a time as 500ms, 60s or 1h30m".to_owned())
        }
        Kind::Seconds => {
            (units::seconds(text).is_some(), "expected a time as 60s or 1h30m".to_owned())
        }
        Kind::Number => (units::number(text).is_some(), "expected a number".to_owned()),
        Kind::NumberOrAuto => (
            text == "auto" || units::number(text).is_some(),
            "expected a number or \"auto\"".to_owned(),
        ),
        // nginx compares these without regard to case too.
        Kind::OneOf(words) => {
            (words.iter().any(|word| word.eq_ignore_ascii_case(text)), one_of(words))
        }
    };
    if is_right { None } else { Some(help) }
}
