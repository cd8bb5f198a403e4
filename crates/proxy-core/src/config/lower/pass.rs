//! `proxy_pass`: its URL taken apart.
//!
//! Owns: what the URL names, and its messages. Looks no name up.

use std::sync::Arc;

use nginx_conf::Directive;

use super::Lower;
use super::proxy::ProxyScope;
use crate::config::address::is_host;
use crate::config::model::{MadePlace, PassUrl, ProxyPass, Resolving};
use crate::config::url::{SCHEME, UNIX_PORT, Url};

impl Lower<'_> {
    /// nginx: `proxy_pass URL` with what belongs to it. `path` is the location's, if it has one that
    /// an URI can take the place of.
    pub(super) fn proxy_pass(
        &mut self,
        directive: &Directive,
        scope: &ProxyScope,
        path: Option<&str>,
    ) -> Option<Arc<ProxyPass>> {
        let url = directive.arg(0)?;
        let span = directive.arg_span(0);
        if let Some((_, pass)) = scope.last.borrow().as_ref().filter(|(last, _)| last == url) {
            return Some(Arc::clone(pass));
        }
        if url.contains('$') {
            if scope.has_default_redirect() {
                let message = "\"proxy_redirect default\" cannot be used with \"proxy_pass\" \
                               directive with variables";
                self.error(span, message);
            }
            let made = self.made_place(directive, &scope.resolving)?;
            self.told_names(url, span, &scope.resolving);
            let url = PassUrl { by_variables: Some(made), ..PassUrl::default() };
            return Some(Arc::new(scope.pass(usize::MAX, url, scope.written_redirects())));
        }
        let parsed = match parse_url(url) {
            Ok(parsed) => parsed,
            Err(message) => {
                self.error(span, message);
                return None;
            }
        };
        let Url { host, port, uri } = parsed;
        if uri.is_some() && path.is_none() {
            self.error(span, NO_URI);
            return None;
        }
        let is_anyones = uri.is_none();
        let upstream = self.upstream_of(host, port, span);
        let redirects = scope.redirects(url, uri.is_some(), path.unwrap_or_default());
        let pass = Arc::new(scope.pass(upstream, parsed.passed(), redirects));
        // What is wrong with one is told at each place where it is written.
        if is_anyones && !self.diags.has_errors() {
            *scope.last.borrow_mut() = Some((url.to_owned(), Arc::clone(&pass)));
        }
        Some(pass)
    }

    /// A place that variables make.
    pub(super) fn made_place(
        &mut self,
        directive: &Directive,
        resolving: &Resolving,
    ) -> Option<Arc<MadePlace>> {
        let text = self.template(directive, 0)?;
        Some(Arc::new(MadePlace { text, resolving: resolving.clone() }))
    }
}

/// nginx's message.
const NO_URI: &str = "\"proxy_pass\" cannot have URI part in location given by regular expression, \
                      or inside named location, or inside \"if\" statement, or inside \
                      \"limit_except\" block";

/// The parts of a URL that is written without variables.
fn parse_url(url: &str) -> Result<Url<'_>, String> {
    let starts = |scheme: &str| {
        url.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    };
    if starts("https://") {
        return Err("\"https://\" in \"proxy_pass\" is not supported yet".to_owned());
    }
    if !starts(SCHEME) {
        return Err(format!("invalid URL prefix in \"{url}\"; expected \"http://\""));
    }
    let url = Url::split(url.as_bytes().get(SCHEME.len()..).unwrap_or_default(), b"/")?;
    if url.port != Some(UNIX_PORT) && !is_host(url.host) {
        return Err(format!("invalid host in upstream \"{}\"", url.host));
    }
    if url.uri.is_some_and(|uri| uri.iter().any(|byte| *byte <= b' ' || *byte == 0x7f)) {
        return Err("space or control character in the URI of \"proxy_pass\"".to_owned());
    }
    Ok(url)
}
