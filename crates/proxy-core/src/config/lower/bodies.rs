//! `gzip`, `sub_filter`, `addition`, `charset` and their families, `add_trailer`: what becomes of an
//! answer's content on its way.
//!
//! Owns: what the directives say, and how a level inherits them. Which answers are changed is
//! `response::packing`'s.

use std::sync::Arc;

use nginx_conf::{Directive, Span, units};

use super::Lower;
use super::scope::{flag, set};
use crate::config::model::{AddHeader, Bodies, Proxied, Template, TypeList};
use crate::config::pattern::Pattern;

/// What one level says itself of what is inherited as a whole.
#[derive(Default)]
pub(super) struct BodyLists {
    gzip_types: Option<Types>,
    sub_types: Option<Types>,
    charset_types: Option<Types>,
    addition_types: Option<Types>,
    pairs: Vec<(Template, Template)>,
    trailers: Vec<AddHeader>,
    /// Where a charset is named.
    charset_at: Option<Span>,
    proxied: u16,
    disabled: Option<Vec<Pattern>>,
}

/// A list of types as far as it is read.
#[derive(Default)]
struct Types {
    is_any: bool,
    names: Vec<Vec<u8>>,
}

impl BodyLists {
    /// Puts them in the place of what is inherited.
    pub(super) fn replace(self, lower: &mut Lower<'_>, bodies: &mut Arc<Bodies>) {
        let BodyLists { gzip_types, proxied, disabled, pairs, trailers, charset_at, .. } = self;
        if let Some(types) = self.sub_types {
            own(bodies).substitutes.types = types.list();
        }
        if let Some(types) = self.addition_types {
            own(bodies).added.types = types.list();
        }
        if let Some(types) = self.charset_types {
            own(bodies).charset.types = types.list();
        }
        if !pairs.is_empty() {
            own(bodies).substitutes.pairs = pairs.into();
        }
        if !trailers.is_empty() {
            own(bodies).trailers = trailers.into();
        }
        if let Some(span) = charset_at {
            lower.check_charsets(span, &bodies.charset);
        }
        if let Some(types) = gzip_types {
            own(bodies).gzip.types = types.list();
        }
        if proxied != 0 {
            own(bodies).gzip.clients.proxied = Proxied(proxied);
        }
        if let Some(disabled) = disabled {
            own(bodies).gzip.clients.disabled = disabled.into();
        }
    }
}

impl Types {
    /// nginx: text/html is in every list.
    fn new() -> Types {
        Types { is_any: false, names: vec![b"text/html".to_vec()] }
    }

    fn list(self) -> TypeList {
        TypeList { is_any: self.is_any, names: self.names.into() }
    }

    fn take(&mut self, lower: &mut Lower<'_>, directive: &Directive) {
        for word in &directive.args {
            let name = word.text.to_ascii_lowercase();
            if name == "*" {
                self.is_any = true;
            } else if self.names.iter().any(|known| known == name.as_bytes()) {
                lower.warn(word.span, format!("duplicate MIME type \"{name}\""));
            } else {
                self.names.push(name.into_bytes());
            }
        }
    }
}

/// nginx: `sub_filter`: no more of a level.
const PAIRS_MAX: usize = 255;

/// This level's own copy.
#[inline(never)]
pub(super) fn own(bodies: &mut Arc<Bodies>) -> &mut Bodies {
    Arc::make_mut(bodies)
}

impl Lower<'_> {
    /// Takes a directive up if it is one of those here.
    pub(super) fn body_value(
        &mut self,
        bodies: &mut Arc<Bodies>,
        lists: &mut BodyLists,
        directive: &Directive,
    ) -> bool {
        let text = directive.arg(0).unwrap_or_default();
        match directive.name.text.as_str() {
            "gzip" => own(bodies).gzip.is_on = flag(directive),
            "gunzip" => own(bodies).unpacks = flag(directive),
            "gzip_types" => lists.gzip_types.get_or_insert_with(Types::new).take(self, directive),
            "gzip_min_length" => set(&mut own(bodies).gzip.bytes_min, units::size(text)),
            "gzip_comp_level" => match units::number(text) {
                Some(level @ 1..=9) => own(bodies).gzip.level = level as u8,
                _ => self.error(directive.arg_span(0), "value must be between 1 and 9"),
            },
            "gzip_http_version" => own(bodies).gzip.clients.takes_http10 = text == "1.0",
            "gzip_proxied" => self.gzip_proxied(directive, &mut lists.proxied),
            "gzip_disable" => self.gzip_disable(directive, bodies, lists),
            "sub_filter" => self.substitute(directive, &mut lists.pairs),
            "sub_filter_once" => own(bodies).substitutes.is_once = flag(directive),
            "sub_filter_types" => {
                lists.sub_types.get_or_insert_with(Types::new).take(self, directive);
            }
            "sub_filter_last_modified" => {
                own(bodies).substitutes.keeps_modified = flag(directive);
            }
            "add_before_body" => own(bodies).added.before = text.as_bytes().to_vec(),
            "add_after_body" => own(bodies).added.after = text.as_bytes().to_vec(),
            "addition_types" => {
                lists.addition_types.get_or_insert_with(Types::new).take(self, directive);
            }
            "charset" => {
                lists.charset_at = Some(directive.arg_span(0));
                own(bodies).charset.told =
                    if text == "off" { None } else { self.charset_name(directive) };
            }
            "source_charset" => {
                lists.charset_at = Some(directive.arg_span(0));
                own(bodies).charset.source = self.charset_name(directive);
            }
            "override_charset" => own(bodies).charset.overrides = flag(directive),
            "charset_types" => {
                lists.charset_types.get_or_insert_with(Types::new).take(self, directive);
            }
            "chunked_transfer_encoding" => own(bodies).is_never_chunked = !flag(directive),
            "add_trailer" => lists.trailers.extend(self.trailer(directive)),
            _ => return false,
        }
        true
    }

    /// nginx: `add_trailer NAME VALUE [always]`.
    fn trailer(&mut self, directive: &Directive) -> Option<AddHeader> {
        let always = directive.arg(2) == Some("always");
        if directive.args.len() == 3 && !always {
            let word = directive.arg(2).unwrap_or_default();
            self.error(directive.arg_span(2), format!("invalid parameter \"{word}\""));
            return None;
        }
        let (name, value) = self.field(directive)?;
        Some(AddHeader { name, value, always })
    }

    fn substitute(&mut self, directive: &Directive, pairs: &mut Vec<(Template, Template)>) {
        if directive.arg(0) == Some("") {
            return self.error(directive.arg_span(0), "empty search pattern");
        }
        if pairs.len() == PAIRS_MAX {
            return self.error(directive.name.span, "number of search patterns exceeds 255");
        }
        pairs.extend(self.template(directive, 0).zip(self.template(directive, 1)));
    }

    fn gzip_proxied(&mut self, directive: &Directive, proxied: &mut u16) {
        for arg in &directive.args {
            let word = arg.text.as_str();
            let known = Proxied::WORDS.iter().find(|(known, _)| *known == word);
            match known {
                Some((_, bit)) if Proxied(*proxied).has(*bit) => {
                    self.warn(arg.span, format!("duplicate value \"{word}\""));
                }
                Some((_, bit)) => *proxied |= bit.0,
                None => {
                    let words = Proxied::WORDS.map(|(known, _)| known).join(", ");
                    let message = format!("invalid value \"{word}\"");
                    self.error_with_help(arg.span, message, format!("expected one of {words}"));
                }
            }
        }
    }

    /// nginx: `gzip_disable msie6 | EXPRESSION …`. What `degradation` asks for there is nothing
    /// where memory is bounded otherwise.
    fn gzip_disable(
        &mut self,
        directive: &Directive,
        bodies: &mut Arc<Bodies>,
        lists: &mut BodyLists,
    ) {
        for arg in &directive.args {
            match arg.text.as_str() {
                "msie6" => own(bodies).gzip.clients.disables_msie6 = true,
                "degradation" => {}
                text => {
                    let expression = self.expression(text, true, arg.span);
                    let disabled = lists.disabled.get_or_insert_default();
                    disabled.extend(expression.map(|expression| expression.pattern));
                }
            }
        }
    }
}
