//! `location`, `return` and `proxy_pass`.
//!
//! Owns: what a location answers with, and the levels of locations. Choosing among them for a
//! request is `lookup`.

use std::collections::HashSet;

use nginx_conf::{Directive, units};

use super::Lower;
use super::scope::{MINUTE_MS, RedirectRule, Redirects, Scope};
use crate::config::address::{HostPort, host_port};
use crate::config::model::{Handler, Location, Locations, ProxyPass, Return, Template};
use crate::config::template::literal;

/// How a location is matched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Match {
    /// `=`
    Exact,
    /// None, or `^~`, which is the same as long as there are no regular expressions.
    Prefix,
}

/// The location around a level.
#[derive(Clone, Copy)]
pub(super) struct Around<'t> {
    path: &'t str,
    is_exact: bool,
}

impl Lower<'_> {
    /// All locations of a level, into `out`; nested ones too.
    pub(super) fn locations(
        &mut self,
        block: &[Directive],
        scope: &Scope,
        around: Option<Around<'_>>,
        out: &mut Vec<Location>,
    ) -> Locations {
        let mut level = Locations::default();
        let mut prefixes: HashSet<Vec<u8>> = HashSet::new();
        let mut redirects: Vec<(Vec<u8>, Location)> = Vec::new();
        for directive in block.iter().filter(|d| d.name.text == "location") {
            let Some((kind, path)) = self.location_match(directive) else { continue };
            self.check_around(directive, path, around);
            let own = directive.block.as_deref().unwrap_or_default();
            let scope = scope.with(self, own);
            self.inner_error_log(own);
            let handler = self.handler(own, &scope, path, directive);
            // nginx: a pass to a location that ends in a slash sends its name without it there.
            if let (Handler::Proxy(_), Some(bare)) = (&handler, path.strip_suffix('/'))
                && !bare.is_empty()
            {
                let location = scope.location(self, bare, Handler::SlashRedirect);
                redirects.push((bare.into(), location));
            }
            let index = out.len();
            out.push(scope.location(self, path, handler));
            let inside = Around { path, is_exact: kind == Match::Exact };
            let nested = self.locations(own, &scope, Some(inside), out);
            if !nested.exact.is_empty() || !nested.prefixes.is_empty() {
                out[index].nested = Some(Box::new(nested));
            }
            let key = path.as_bytes().to_vec();
            let is_new = match kind {
                Match::Exact => level.exact.insert(key, index).is_none(),
                Match::Prefix => {
                    level.prefixes.push((key.clone(), index));
                    prefixes.insert(key)
                }
            };
            if !is_new {
                self.error(directive.name.span, format!("duplicate location \"{path}\""));
            }
        }
        for (bare, location) in redirects {
            if !level.exact.contains_key(&bare) && !prefixes.contains(&bare) {
                level.exact.insert(bare, out.len());
                out.push(location);
            }
        }
        level.prefixes.sort_by_key(|(prefix, _)| std::cmp::Reverse(prefix.len()));
        level
    }

    /// The modifier, also where it is written without a space, and the path.
    fn location_match<'d>(&mut self, directive: &'d Directive) -> Option<(Match, &'d str)> {
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
        match modifier {
            "=" => Some((Match::Exact, path)),
            "" | "^~" if !path.starts_with('@') => Some((Match::Prefix, path)),
            "" | "^~" => {
                let message = format!("named location \"{path}\" is not supported yet");
                self.error(span, message);
                None
            }
            "~" | "~*" => {
                let message = "regular expressions in \"location\" are not supported yet";
                self.error_with_help(span, message, "a prefix, \"=\" or \"^~\" location is");
                None
            }
            _ => {
                let message = format!("invalid location modifier \"{modifier}\"");
                self.error_with_help(span, message, "expected \"=\" or \"^~\"");
                None
            }
        }
    }

    fn check_around(&mut self, directive: &Directive, path: &str, around: Option<Around<'_>>) {
        let span = directive.name.span;
        match around {
            Some(outer) if outer.is_exact => {
                let outer = outer.path;
                let message =
                    format!("location \"{path}\" cannot be inside the exact location \"{outer}\"");
                self.error(span, message);
            }
            Some(outer) if !path.starts_with(outer.path) => {
                let message = format!("location \"{path}\" is outside location \"{}\"", outer.path);
                self.error(span, message);
            }
            None if !path.starts_with('/') => {
                let message = format!("location \"{path}\" never matches, paths begin with \"/\"");
                self.warn(directive.arg_span(0), message);
            }
            _ => {}
        }
    }

    /// What a location answers with. nginx: `return` runs before anything passes on.
    fn handler(
        &mut self,
        block: &[Directive],
        scope: &Scope,
        path: &str,
        location: &Directive,
    ) -> Handler {
        let first = |name: &str| block.iter().find(|directive| directive.name.text == name);
        let answer = self.first_return(block);
        if let Some(directive) = first("proxy_pass")
            && let Some(pass) = self.proxy_pass(directive, scope, path)
        {
            return answer.map_or(Handler::Proxy(Box::new(pass)), Handler::Return);
        }
        if let Some(answer) = answer {
            return Handler::Return(answer);
        }
        if first("proxy_pass").is_none() && first("return").is_none() && first("location").is_none()
        {
            let message = format!(
                "location \"{path}\" has neither \"proxy_pass\" nor \"return\", it answers 404"
            );
            self.warn(location.name.span, message);
        }
        Handler::NotFound
    }

    /// nginx: the first `return` of a level holds; the others are checked all the same.
    pub(super) fn first_return(&mut self, block: &[Directive]) -> Option<Return> {
        let mut first = None;
        for directive in block.iter().filter(|directive| directive.name.text == "return") {
            let answer = self.return_of(directive);
            first = first.or(answer);
        }
        first
    }

    /// nginx: `return CODE`, `return CODE TEXT`, `return CODE URL`, `return URL`.
    fn return_of(&mut self, directive: &Directive) -> Option<Return> {
        let code = directive.arg(0)?;
        let span = directive.arg_span(0);
        let Some(status) = units::number(code) else {
            let is_url = ["http://", "https://", "$scheme"].iter().any(|p| code.starts_with(p));
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

    /// nginx: `proxy_pass URL` with what belongs to it. `path` is the location's.
    fn proxy_pass(
        &mut self,
        directive: &Directive,
        scope: &Scope,
        path: &str,
    ) -> Option<ProxyPass> {
        let url = directive.arg(0)?;
        let span = directive.arg_span(0);
        let Url { host, port, uri } = match parse_url(url) {
            Ok(parsed) => parsed,
            Err(message) => {
                self.error(span, message);
                return None;
            }
        };
        let upstream = self.upstream_of(host, port, span);
        let port_text = port.map_or("80".to_owned(), |port| port.to_string());
        let host_text = match port {
            Some(port) if port != 80 => format!("{host}:{port}"),
            _ => host.to_owned(),
        };
        Some(ProxyPass {
            upstream,
            host: host_text.into(),
            port: port_text.into(),
            uri: uri.map(Into::into),
            set_headers: scope.set_headers.clone(),
            http11: !scope.http10.unwrap_or(false),
            connect_timeout_ms: scope.connect_timeout_ms.unwrap_or(MINUTE_MS),
            read_timeout_ms: scope.read_timeout_ms.unwrap_or(MINUTE_MS),
            send_timeout_ms: scope.proxy_send_timeout_ms.unwrap_or(MINUTE_MS),
            redirects: redirects(scope, url, uri.is_some(), path),
            hidden: scope.hidden.clone(),
        })
    }

    /// nginx: `proxy_redirect`; `off` gives `Some(None)`, nothing where it is wrong.
    pub(super) fn redirect(&mut self, directive: &Directive) -> Option<Option<RedirectRule>> {
        let span = directive.arg_span(0);
        let first = directive.arg(0)?;
        if directive.args.len() == 1 {
            return match first {
                "off" => Some(None),
                "default" => Some(Some(RedirectRule::Default)),
                _ => {
                    let message = format!("invalid parameter \"{first}\"");
                    self.error_with_help(
                        span,
                        message,
                        "expected \"off\", \"default\" or two texts",
                    );
                    None
                }
            };
        }
        if first.starts_with('~') {
            let message = "regular expressions in \"proxy_redirect\" are not supported yet";
            self.error(span, message);
            return None;
        }
        let from = self.literal(directive, 0)?;
        let to = self.literal(directive, 1)?;
        Some(Some(RedirectRule::Pair(from, to)))
    }

    fn literal(&mut self, directive: &Directive, index: usize) -> Option<Vec<u8>> {
        let template: Template = self.template(directive, index)?;
        let text = literal(&template);
        if text.is_none() {
            let message = "variables in \"proxy_redirect\" are not supported yet";
            self.error(directive.arg_span(index), message);
        }
        text
    }
}

/// nginx: what replaces what in `Location` fields. Where nothing is written it is `default`.
fn redirects(scope: &Scope, url: &str, has_uri: bool, path: &str) -> Vec<(Vec<u8>, Vec<u8>)> {
    let default = || match has_uri {
        true => (url.as_bytes().to_vec(), path.as_bytes().to_vec()),
        false => (format!("{url}/").into_bytes(), b"/".to_vec()),
    };
    let rules = match &scope.redirects {
        None => return vec![default()],
        Some(Redirects::Off) => return Vec::new(),
        Some(Redirects::Rules(rules)) => rules,
    };
    let pair = |rule: &RedirectRule| match rule {
        RedirectRule::Default => default(),
        RedirectRule::Pair(from, to) => (from.clone(), to.clone()),
    };
    rules.iter().map(pair).collect()
}

/// The parts of a `proxy_pass` URL.
#[derive(Debug, PartialEq, Eq)]
struct Url<'a> {
    host: &'a str,
    port: Option<u16>,
    /// From the first slash after the host, if there is one.
    uri: Option<&'a str>,
}

fn parse_url(url: &str) -> Result<Url<'_>, String> {
    const SCHEME: &str = "http://";
    if url.contains('$') {
        return Err("variables in \"proxy_pass\" are not supported yet".to_owned());
    }
    let starts = |scheme: &str| {
        url.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    };
    if starts("https://") {
        return Err("\"https://\" in \"proxy_pass\" is not supported yet".to_owned());
    }
    if !starts(SCHEME) {
        return Err(format!("invalid URL prefix in \"{url}\"; expected \"http://\""));
    }
    let rest = &url[SCHEME.len()..];
    if rest.starts_with("unix:") {
        return Err("unix sockets are not supported yet".to_owned());
    }
    let (authority, uri) = match rest.find('/') {
        Some(slash) => (&rest[..slash], Some(&rest[slash..])),
        None => (rest, None),
    };
    if uri.is_some_and(|uri| uri.bytes().any(|byte| byte <= b' ' || byte == 0x7f)) {
        return Err("space or control character in the URI of \"proxy_pass\"".to_owned());
    }
    let parsed = host_port(authority);
    let HostPort { host, port } =
        parsed.map_err(|problem| format!("{problem} in upstream \"{authority}\""))?;
    Ok(Url { host, port, uri })
}
