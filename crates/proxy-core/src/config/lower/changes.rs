//! `proxy_method`, `proxy_set_body`, `proxy_limit_rate`, and what becomes of an answer's cookies.

use nginx_conf::Directive;

use super::Lower;
use super::rules::Rules;
use super::scope::set;
use crate::config::address;
use crate::config::model::{Changes, CookieFlags, CookieName, ProxyRedirect, Template};
use crate::config::template;

/// What one level says of it.
#[derive(Default)]
pub(super) struct ChangeLists {
    method: Option<Template>,
    body: Option<Template>,
    rate: Option<Template>,
    domains: Rules<ProxyRedirect>,
    paths: Rules<ProxyRedirect>,
    flags: Rules<CookieFlags>,
    /// `Some(None)` where it is off.
    bind: Option<Option<Template>>,
}

impl ChangeLists {
    /// Takes a directive, if it is one of these.
    pub(super) fn take(&mut self, lower: &mut Lower<'_>, directive: &Directive) -> bool {
        const HELP: &str = "expected \"off\" or two texts";
        const FLAGS: &str = "expected \"off\", or a cookie's name and flags";
        match directive.name.text.as_str() {
            "proxy_method" => self.method = lower.template(directive, 0),
            "proxy_set_body" => self.body = lower.template(directive, 0),
            "proxy_limit_rate" => self.rate = lower.template(directive, 0),
            "proxy_bind" => self.bind = lower.comes_from(directive),
            "proxy_cookie_domain" => {
                self.domains.take(lower, directive, HELP, Lower::cookie_domain);
            }
            "proxy_cookie_path" => self.paths.take(lower, directive, HELP, Lower::replacement),
            "proxy_cookie_flags" => self.flags.take(lower, directive, FLAGS, Lower::cookie_flags),
            _ => return false,
        }
        true
    }

    /// Puts what the level says in the place of what those above it say.
    pub(super) fn replace(self, changes: &mut Changes) {
        set(&mut changes.method, self.method.map(Some));
        set(&mut changes.body, self.body.map(Some));
        set(&mut changes.rate, self.rate.map(Some));
        set(&mut changes.bind, self.bind);
        set(&mut changes.cookies.domains, self.domains.list());
        set(&mut changes.cookies.paths, self.paths.list());
        set(&mut changes.cookies.flags, self.flags.list());
    }
}

impl Lower<'_> {
    /// nginx: `proxy_bind ADDRESS [transparent] | off`.
    fn comes_from(&mut self, directive: &Directive) -> Option<Option<Template>> {
        let text = directive.arg(0)?;
        if let Some(word) = directive.arg(1) {
            let span = directive.arg_span(1);
            if word != "transparent" {
                self.error(span, format!("invalid parameter \"{word}\""));
                return None;
            }
            let help = "the application learns who the client is by \"X-Forwarded-For\" or \
                        \"X-Real-IP\"";
            let message = "\"transparent\" is not supported: it takes a right over the network \
                           that this program's container has not";
            self.error_with_help(span, message, help);
            return None;
        }
        if text == "off" {
            return Some(None);
        }
        if !text.contains('$') && address::bindable(text.as_bytes()).is_none() {
            let help = "expected an address of this host, with or without a port";
            let message = format!("invalid address \"{text}\"");
            self.error_with_help(directive.arg_span(0), message, help);
            return None;
        }
        self.template(directive, 0).map(Some)
    }

    /// nginx: what is found and what replaces it: a text, or an expression that begins with `~`.
    pub(super) fn replacement(&mut self, directive: &Directive) -> Option<ProxyRedirect> {
        let span = directive.arg_span(0);
        directive.arg(1)?;
        let to = self.template(directive, 1);
        Some(match directive.arg(0)?.strip_prefix('~') {
            Some(text) => {
                ProxyRedirect::Pattern { from: self.tilde_expression(text, span)?, to: to? }
            }
            None => ProxyRedirect::Prefix { from: self.template(directive, 0)?, to: to? },
        })
    }

    /// nginx: `proxy_cookie_domain FROM TO`: a dot in front of either means nothing, and the case
    /// of an expression neither.
    fn cookie_domain(&mut self, directive: &Directive) -> Option<ProxyRedirect> {
        let to = self.bare_template(directive, 1)?;
        let span = directive.arg_span(0);
        Some(match directive.arg(0)?.strip_prefix('~') {
            Some(text) => ProxyRedirect::Pattern { from: self.expression(text, true, span)?, to },
            None => ProxyRedirect::Prefix { from: self.bare_template(directive, 0)?, to },
        })
    }

    fn bare_template(&mut self, directive: &Directive, index: usize) -> Option<Template> {
        let text = directive.arg(index)?;
        let text = text.strip_prefix('.').unwrap_or(text);
        self.compiled(template::compile(text, &self.own.names), directive, index)
    }

    /// nginx: `proxy_cookie_flags NAME FLAG…`.
    fn cookie_flags(&mut self, directive: &Directive) -> Option<CookieFlags> {
        directive.arg(1)?;
        let name = match directive.arg(0)?.strip_prefix('~') {
            Some(text) => CookieName::Has(self.expression(text, true, directive.arg_span(0))?),
            None => CookieName::Is(self.template(directive, 0)?),
        };
        let flags = (1..directive.args.len()).filter_map(|index| self.template(directive, index));
        Some(CookieFlags { name, flags: flags.collect() })
    }
}
