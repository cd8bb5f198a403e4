//! `location`.
//!
//! Owns: how locations are matched, their levels, and what answers. Choosing among them for a
//! request is `lookup`.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use nginx_conf::Directive;

use super::Lower;
use super::rewrite::Inside;
use super::scope::Scope;
use crate::config::model::{Handler, Location, Locations};
use crate::config::prefixes::Prefixes;

/// How a location is matched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Match {
    /// `=`
    Exact,
    /// None.
    Prefix,
    /// `^~`
    FinalPrefix,
    /// `@name`
    Named,
    /// `~`, or `~*` where case does not matter.
    Expression {
        /// `~*`
        is_caseless: bool,
    },
}

/// A location as it is written: how it is matched, its path or expression, and who may ask for it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Written<'t> {
    pub(super) kind: Match,
    pub(super) path: &'t str,
    /// nginx: `internal`, its own or that of a location around it.
    is_internal: bool,
}

impl Written<'_> {
    /// nginx: what an URI of a pass takes the place of; nothing where an expression matched.
    pub(super) fn prefix(&self) -> Option<&str> {
        let is_prefix = !matches!(self.kind, Match::Named | Match::Expression { .. });
        is_prefix.then_some(self.path)
    }
}

impl Lower<'_> {
    /// All locations of a level, into `out`; nested ones too.
    pub(super) fn locations(
        &mut self,
        block: &[Directive],
        scope: &Scope,
        around: Option<Written<'_>>,
        (out, named): (&mut Vec<Location>, &mut HashMap<Vec<u8>, usize>),
    ) -> Locations {
        let mut level = Locations::default();
        let mut prefixes: HashMap<Vec<u8>, usize> = HashMap::new();
        let mut redirects: Vec<(Vec<u8>, Location)> = Vec::new();
        for directive in block.iter().filter(|d| d.name.text == "location") {
            let Some(mut written) = self.location_match(directive) else { continue };
            self.check_around(directive, written, around);
            let own = directive.block.as_deref().unwrap_or_default();
            written.is_internal = around.is_some_and(|around| around.is_internal)
                || own.iter().any(|line| line.name.text == "internal");
            let mut scope = scope.with(self, own);
            if let Some(root) = self.alias(own, written) {
                scope = Cow::Owned(scope.rooted(root));
            }
            let handler = self.handler(own, &scope, written, directive);
            redirects.extend(self.slash_redirect(written, &handler, &scope));
            let inner = inherited(&scope, &handler, own);
            let index = out.len();
            let mut location = scope.location(self, written.prefix().unwrap_or_default(), handler);
            location.search.is_final = written.kind == Match::FinalPrefix;
            location.search.is_internal = written.is_internal;
            self.try_files(own, &mut location);
            out.push(location);
            let mut inside = Inside { scope: &inner, written, location: index, out };
            let limit_except = self.limit_except(own, &mut inside);
            let program = self.program(own, &scope, Some(inside));
            if let Some(location) = out.get_mut(index) {
                location.program = program;
                if limit_except.is_some() {
                    Arc::make_mut(&mut location.settings).access.limit_except = limit_except;
                }
            }
            let nested = self.locations(own, &inner, Some(written), (out, named));
            if let Some(outer) = out.get_mut(index)
                && !nested.is_empty()
            {
                outer.search.nested = Some(Box::new(nested));
            }
            let key = written.path.as_bytes().to_vec();
            let is_new = match written.kind {
                Match::Exact => level.exact.insert(key, index).is_none(),
                Match::Prefix | Match::FinalPrefix => prefixes.insert(key, index).is_none(),
                Match::Named => named.insert(key, index).is_none(),
                Match::Expression { is_caseless } => {
                    let span = directive.args.last().map_or(directive.name.span, |word| word.span);
                    let expression = self.expression(written.path, is_caseless, span);
                    level.expressions.extend(expression.map(|expression| (expression, index)));
                    true
                }
            };
            if !is_new {
                let message = format!("duplicate location \"{}\"", written.path);
                self.error(directive.name.span, message);
            }
        }
        for (bare, location) in redirects {
            if !level.exact.contains_key(&bare) && !prefixes.contains_key(&bare) {
                level.exact.insert(bare, out.len());
                out.push(location);
            }
        }
        level.prefixes = Prefixes::new(prefixes.into_iter().collect());
        level
    }

    /// nginx: a pass to a location that ends in a slash sends its name without it there.
    fn slash_redirect(
        &mut self,
        written: Written<'_>,
        handler: &Handler,
        scope: &Scope,
    ) -> Option<(Vec<u8>, Location)> {
        let bare = written.prefix()?.strip_suffix('/').filter(|bare| !bare.is_empty())?;
        if !matches!(handler, Handler::Proxy(_)) {
            return None;
        }
        let mut location = scope.location(self, bare, Handler::SlashRedirect);
        location.search.is_internal = written.is_internal;
        Some((bare.into(), location))
    }

    /// The modifier, also where it is written without a space, and the path.
    fn location_match<'d>(&mut self, directive: &'d Directive) -> Option<Written<'d>> {
        let first = directive.arg(0)?;
        let (modifier, path) = match directive.arg(1) {
            Some(path) => (first, path),
            None => {
                let modifiers = ["^~", "~*", "~", "="];
                let glued = modifiers.iter().find(|modifier| first.starts_with(**modifier));
                glued.map_or(("", first), |modifier| (*modifier, &first[modifier.len()..]))
            }
        };
        let span = directive.arg_span(0);
        let kind = match modifier {
            "=" => Match::Exact,
            "" | "^~" if directive.args.len() == 1 && path.starts_with('@') => Match::Named,
            "" => Match::Prefix,
            "^~" => Match::FinalPrefix,
            "~" => Match::Expression { is_caseless: false },
            "~*" => Match::Expression { is_caseless: true },
            _ => {
                let message = format!("invalid location modifier \"{modifier}\"");
                let help = "expected \"=\", \"^~\", \"~\" or \"~*\"";
                self.error_with_help(span, message, help);
                return None;
            }
        };
        Some(Written { kind, path, is_internal: false })
    }

    fn check_around(
        &mut self,
        directive: &Directive,
        written: Written<'_>,
        around: Option<Written<'_>>,
    ) {
        let (span, path) = (directive.name.span, written.path);
        match around {
            Some(outer) if outer.kind == Match::Exact => {
                let outer = outer.path;
                let message =
                    format!("location \"{path}\" cannot be inside the exact location \"{outer}\"");
                self.error(span, message);
            }
            Some(outer) if outer.kind == Match::Named => {
                let outer = outer.path;
                let message =
                    format!("location \"{path}\" cannot be inside the named location \"{outer}\"");
                self.error(span, message);
            }
            Some(_) if written.kind == Match::Named => {
                let message = format!("named location \"{path}\" can be on the server level only");
                self.error(span, message);
            }
            // nginx: a path inside an expression has to begin with that one's text, too.
            Some(outer) if written.prefix().is_some_and(|path| !path.starts_with(outer.path)) => {
                let message = format!("location \"{path}\" is outside location \"{}\"", outer.path);
                self.error(span, message);
            }
            None if written.prefix().is_some_and(|path| !path.starts_with('/')) => {
                let message = format!("location \"{path}\" never matches, paths begin with \"/\"");
                self.warn(directive.arg_span(0), message);
            }
            _ => {}
        }
    }

    /// What a location answers with where its program says nothing.
    fn handler(
        &mut self,
        block: &[Directive],
        scope: &Scope,
        written: Written<'_>,
        location: &Directive,
    ) -> Handler {
        let first = |name: &str| block.iter().find(|directive| directive.name.text == name);
        if let Some(directive) = first("proxy_pass") {
            let pass = self.proxy_pass(directive, &scope.proxy, written.prefix());
            return pass.map_or(Handler::Files, Handler::Proxy);
        }
        if let Some(directive) = first("fastcgi_pass") {
            let pass = self.fastcgi_pass(directive, &scope.proxy);
            return pass.map_or(Handler::Files, |pass| Handler::Proxy(Arc::new(pass)));
        }
        if first("stub_status").is_some() {
            return Handler::StubStatus;
        }
        let goes_elsewhere = ["return", "rewrite", "if", "location", "try_files"];
        if !scope.has_root() && goes_elsewhere.iter().all(|name| first(name).is_none()) {
            let path = written.path;
            let message = format!(
                "location \"{path}\" has neither \"proxy_pass\" nor \"return\" nor a \"root\", it \
                 serves the files of \"html\" beside the file"
            );
            self.warn(location.name.span, message);
        }
        Handler::Files
    }
}

/// What the blocks in a location inherit. nginx: the rules of `proxy_redirect default` too, as the
/// location's own `proxy_pass` makes them, whatever theirs is.
fn inherited<'s>(scope: &'s Scope, handler: &Handler, block: &[Directive]) -> Cow<'s, Scope> {
    let Handler::Proxy(pass) = handler else { return Cow::Borrowed(scope) };
    let is_own = block.iter().any(|directive| directive.name.text == "proxy_pass");
    let has_blocks = block.iter().any(|directive| directive.block.is_some());
    match is_own && has_blocks && !pass.redirects.is_empty() {
        true => {
            let mut inner = scope.own();
            inner.proxy.set_redirects(&pass.redirects);
            Cow::Owned(inner)
        }
        false => Cow::Borrowed(scope),
    }
}
