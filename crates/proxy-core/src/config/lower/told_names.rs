//! Names that the variables of a `proxy_pass` come to, as far as the file itself tells them: by
//! `set`, `map` and `split_clients`. They are looked up as those are that are written in it.
//!
//! Owns: which texts those are. What a request brings into a name is told to nobody here.

use std::collections::HashMap;

use nginx_conf::{Directive, Span};

use super::Lower;
use super::upstream::is_name;
use crate::config::address::{is_host, is_localhost};
use crate::config::model::Resolving;
use crate::config::url::{SCHEME, Url};

/// Texts that are looked at for one URL.
const TEXTS_MAX: usize = 1_000;
/// nginx: variables that begin with a slash or a question mark, or are nothing.
const URI: [&str; 5] = ["request_uri", "uri", "document_uri", "is_args", "fastcgi_script_name"];

/// What the file says that variables are, by their names in lower case.
#[derive(Default)]
pub(super) struct ToldTexts(HashMap<String, Vec<String>>);

impl ToldTexts {
    /// Notes what a directive gives a variable, if it is one that does.
    pub(super) fn note(&mut self, directive: &Directive) {
        let (variable, texts): (_, Vec<&str>) = match directive.name.text.as_str() {
            "set" => (directive.arg(0), directive.arg(1).into_iter().collect()),
            "map" | "split_clients" => {
                let lines = directive.block.iter().flatten();
                let lines = lines.filter(|line| line.name.text != "include");
                (directive.arg(1), lines.filter_map(|line| line.arg(0)).collect())
            }
            _ => return,
        };
        let Some(name) = variable.and_then(|text| text.strip_prefix('$')) else { return };
        let known = self.0.entry(name.to_ascii_lowercase()).or_default();
        known.extend(texts.into_iter().map(str::to_owned));
    }

    /// Adds what a URL comes to, up to its URI; false where a part of its host is not told.
    fn expand(&self, url: &str, left: &mut usize, out: &mut Vec<String>) -> bool {
        let Some(fewer) = left.checked_sub(1) else { return false };
        *left = fewer;
        let Some((before, behind)) = url.split_once('$') else {
            out.push(url.to_owned());
            return true;
        };
        let has_host = before.get(SCHEME.len()..).is_some_and(|rest| rest.contains(['/', '?']));
        let (name, after) = variable(behind);
        if has_host || (!before.is_empty() && URI.contains(&name)) {
            out.push(before.to_owned());
            return true;
        }
        let Some(texts) = self.0.get(&name.to_ascii_lowercase()) else { return false };
        let mut is_told = true;
        for text in texts {
            if *left == 0 {
                return false;
            }
            is_told &= self.expand(&format!("{before}{text}{after}"), left, out);
        }
        is_told
    }
}

/// The name of a variable behind its `$`, and what follows it.
fn variable(text: &str) -> (&str, &str) {
    if let Some((name, after)) = text.strip_prefix('{').and_then(|text| text.split_once('}')) {
        return (name, after);
    }
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.split_at(text.find(|c| !is_part(c)).unwrap_or(text.len()))
}

impl Lower<'_> {
    /// Makes groups of the names that the variables of a URL come to. Where there is a resolver, names
    /// are its to look up for each request, but for `localhost`, which needs nobody.
    pub(super) fn told_names(&mut self, url: &str, span: Span, resolving: &Resolving) {
        let is_own = |host: &str| resolving.resolver.is_none() || is_localhost(host);
        let mut urls = Vec::new();
        let is_told = self.own.texts.expand(url, &mut { TEXTS_MAX }, &mut urls);
        for url in urls {
            let Some((scheme, rest)) = url.split_at_checked(SCHEME.len()) else { continue };
            let Ok(parts) = Url::split(rest.as_bytes(), b"/?") else { continue };
            let is_http = scheme.eq_ignore_ascii_case(SCHEME);
            if is_http
                && is_host(parts.host)
                && is_own(parts.host)
                && is_name(parts.host, parts.port)
                && !self.is_upstream(parts.host)
            {
                let group = self.upstream_of(parts.host, parts.port, span);
                let groups = self.config.upstreams.get_mut(group).into_iter();
                groups.flat_map(|one| &mut one.servers).for_each(|one| one.is_watched = true);
            }
        }
        if !is_told && resolving.resolver.is_none() {
            let message = "names that a request brings are not looked up without a \"resolver\": \
                           they are answered by 502; those that \"set\" and \"map\" say are";
            self.warn(span, message);
        }
    }
}
