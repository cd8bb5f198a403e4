//! `fastcgi_pass` and the directives that hold for it.
//!
//! Owns: what they mean, and how a level inherits them. Most mean for FastCGI what the directive of
//! the same name means for `proxy_pass`: they are taken as that one, into settings apart.

use std::sync::Arc;

use nginx_conf::Directive;

use super::Lower;
use super::proxy::{ProxyLists, ProxyScope};
use super::scope::flag;
use crate::config::address::HostPort;
use crate::config::model::{FastCgi, Param, PassUrl, ProxyPass, Scheme, Script};
use crate::config::url::{self, SCHEME};

/// The settings of one level that hold for its FastCGI passes.
#[derive(Clone)]
pub(super) struct FastcgiScope {
    /// What is as with `proxy_pass`.
    shared: ProxyScope,
    own: Arc<FastCgi>,
    /// `None` where no level says anything of it.
    script: Option<Arc<Script>>,
}

/// nginx: fields of an application's answer that steer nginx itself.
const HIDDEN: &[&str] = &[
    "status",
    "x-accel-expires",
    "x-accel-redirect",
    "x-accel-limit-rate",
    "x-accel-buffering",
    "x-accel-charset",
];

impl Default for FastcgiScope {
    fn default() -> Self {
        FastcgiScope { shared: ProxyScope::hiding(HIDDEN), own: Arc::default(), script: None }
    }
}

impl ProxyScope {
    /// The settings that hold for FastCGI passes.
    pub(super) fn fastcgi(&self) -> Option<&FastcgiScope> {
        self.fastcgi.as_deref()
    }

    /// How paths are taken apart on this level.
    pub(super) fn script(&self) -> Option<Arc<Script>> {
        self.fastcgi()?.script.clone()
    }
}

impl FastcgiScope {
    /// Takes a directive of one value, if it is one of these.
    pub(super) fn take_value(&mut self, directive: &Directive) -> bool {
        match directive.name.text.as_str() {
            "fastcgi_keep_conn" => Arc::make_mut(&mut self.own).keep_conn = flag(directive),
            "fastcgi_index" => {
                let index = directive.arg(0).unwrap_or_default();
                self.script_mut().index = index.as_bytes().to_vec();
            }
            "client_body_buffer_size" => return self.shared.take_value(directive),
            _ => {
                return as_proxys(directive).is_some_and(|same| self.shared.take_value(&same));
            }
        }
        true
    }

    fn script_mut(&mut self) -> &mut Script {
        Arc::make_mut(self.script.get_or_insert_default())
    }
}

/// What one level says itself of the settings that are inherited as a whole.
#[derive(Default)]
pub(super) struct FastcgiLists {
    shared: ProxyLists,
    params: Vec<Param>,
    caught: Vec<Vec<u8>>,
    script: Script,
}

impl FastcgiLists {
    /// Takes a directive of a list, if it is one of these.
    pub(super) fn take(&mut self, lower: &mut Lower<'_>, directive: &Directive) -> bool {
        match directive.name.text.as_str() {
            "fastcgi_param" => self.params.extend(lower.param(directive)),
            "fastcgi_catch_stderr" => {
                self.caught.push(directive.arg(0).unwrap_or_default().as_bytes().to_vec());
            }
            "fastcgi_split_path_info" => lower.split_path_info(directive, &mut self.script),
            _ => {
                return as_proxys(directive).is_some_and(|same| self.shared.take(lower, &same));
            }
        }
        true
    }

    /// Puts the lists that the level has in the place of those above it.
    pub(super) fn replace(self, scope: &mut FastcgiScope) {
        if !self.params.is_empty() {
            Arc::make_mut(&mut scope.own).params = self.params.into();
        }
        if !self.caught.is_empty() {
            Arc::make_mut(&mut scope.own).caught = self.caught.into();
        }
        if self.script.split.is_some() {
            scope.script_mut().split = self.script.split;
        }
        self.shared.replace(&mut scope.shared);
    }
}

/// The directive as `proxy_pass` has it.
fn as_proxys(directive: &Directive) -> Option<Directive> {
    let rest = directive.name.text.strip_prefix("fastcgi_")?;
    let mut same = directive.clone();
    same.name.text = format!("proxy_{rest}");
    Some(same)
}

impl Lower<'_> {
    /// nginx: `fastcgi_pass ADDRESS` with what belongs to it.
    pub(super) fn fastcgi_pass(
        &mut self,
        directive: &Directive,
        around: &ProxyScope,
    ) -> Option<ProxyPass> {
        let (scope, resolving) = (around.fastcgi()?, &around.resolving);
        let text = directive.arg(0)?;
        let span = directive.arg_span(0);
        let scheme = Scheme::FastCgi(Arc::clone(&scope.own));
        if text.contains('$') {
            let made = self.made_place(directive, resolving)?;
            self.told_names(&format!("{SCHEME}{text}"), span, resolving);
            let url = PassUrl { by_variables: Some(made), scheme, ..PassUrl::default() };
            let pass = scope.shared.pass(usize::MAX, url, Vec::new());
            return Some(ProxyPass { http11: false, ..pass });
        }
        let HostPort { host, port } = match url::place(text) {
            Ok(place) => place,
            Err(message) => {
                self.error(span, message);
                return None;
            }
        };
        if port.is_none() && !self.is_upstream(host) {
            self.error(span, format!("no port in upstream \"{text}\""));
            return None;
        }
        let upstream = self.upstream_of(host, port, span);
        let url = PassUrl { host: text.into(), scheme, ..PassUrl::default() };
        // HTTP is not spoken: nothing that holds for one of its versions does.
        Some(ProxyPass { http11: false, ..scope.shared.pass(upstream, url, Vec::new()) })
    }

    /// nginx: `fastcgi_param NAME VALUE [if_not_empty]`.
    fn param(&mut self, directive: &Directive) -> Option<Param> {
        let if_not_empty = match directive.arg(2) {
            None => false,
            Some("if_not_empty") => true,
            Some(other) => {
                let message = format!("invalid parameter \"{other}\"");
                self.error_with_help(directive.arg_span(2), message, "expected \"if_not_empty\"");
                return None;
            }
        };
        let name = directive.arg(0)?.as_bytes().to_vec();
        Some(Param { name, value: self.template(directive, 1)?, if_not_empty })
    }

    /// nginx: `fastcgi_split_path_info EXPRESSION`.
    fn split_path_info(&mut self, directive: &Directive, script: &mut Script) {
        let (text, span) = (directive.arg(0).unwrap_or_default(), directive.arg_span(0));
        let Some(expression) = self.expression(text, false, span) else { return };
        if expression.pattern.groups() != 2 {
            let shown = nginx_conf::parse::shorten(text);
            return self.error(span, format!("pattern \"{shown}\" must have 2 captures"));
        }
        script.split = Some(expression.pattern);
    }
}
