//! `proxy_pass` and the directives that begin with `proxy_`.
//!
//! Owns: what they mean, and how a level inherits them. Speaks to no upstream.

use std::collections::BTreeSet;
use std::sync::Arc;

use nginx_conf::Directive;

use super::Lower;
use super::scope::{millis, set};
use crate::config::address::{HostPort, host_port};
use crate::config::model::{
    IgnoredFields, NextUpstream, Part, PassUrl, ProxyPass, ProxyTimeouts, SetHeader, Shared,
    Template, Variable,
};
use crate::config::template::literal;

/// The settings of one level that hold for its passes.
#[derive(Clone)]
pub(super) struct ProxyScope {
    /// nginx: the level's own, and `Host $proxy_host` unless it sets one.
    set_headers: Shared<SetHeader>,
    http11: bool,
    timeouts: ProxyTimeouts,
    redirects: Option<Redirects>,
    hidden: Hidden,
    next_upstream: NextUpstream,
    buffer_bytes: usize,
    ignored: IgnoredFields,
    ignore_client_abort: bool,
    replay_bytes_max: usize,
}

/// Response fields that are not passed on.
#[derive(Clone)]
struct Hidden {
    /// Made from the two below.
    names: Shared<Vec<u8>>,
    own: Shared<Vec<u8>>,
    passed: Shared<Vec<u8>>,
}

/// nginx: `proxy_redirect` of one level.
#[derive(Clone)]
enum Redirects {
    /// `off`
    Off,
    /// In file order.
    Rules(Arc<[RedirectRule]>),
}

/// One `proxy_redirect`.
#[derive(Clone)]
enum RedirectRule {
    /// `default`: made from the `proxy_pass` of the location.
    Default,
    /// What to find, and what replaces it.
    Pair(Vec<u8>, Vec<u8>),
}

/// Shortest head of an answer that is taken whatever the file says: nginx's buffer of 4k or 8k
/// turns ordinary sets of cookies into a 502.
const BUFFER_BYTES_MIN: usize = 64 << 10;
/// nginx: default of `client_body_buffer_size` on 64 bit.
const REPLAY_BYTES: usize = 16 << 10;
/// Rules of one level: each location that inherits them has its own copy, made for its path.
const REDIRECTS_MAX: usize = 64;

impl Default for ProxyScope {
    /// The settings above `http`.
    fn default() -> Self {
        let (own, passed) = (Shared::default(), Shared::default());
        ProxyScope {
            set_headers: with_host(Vec::new()),
            http11: true,
            timeouts: ProxyTimeouts::default(),
            redirects: None,
            hidden: Hidden { names: hidden(&own, &passed), own, passed },
            next_upstream: NextUpstream::default(),
            buffer_bytes: BUFFER_BYTES_MIN,
            ignored: IgnoredFields::default(),
            ignore_client_abort: false,
            replay_bytes_max: REPLAY_BYTES,
        }
    }
}

impl ProxyScope {
    /// Takes a directive of one value, if it is one of these.
    pub(super) fn take_value(&mut self, directive: &Directive) -> bool {
        match directive.name.text.as_str() {
            "proxy_http_version" => self.http11 = directive.arg(0) != Some("1.0"),
            "proxy_connect_timeout" => set(&mut self.timeouts.connect_ms, millis(directive)),
            "proxy_read_timeout" => set(&mut self.timeouts.read_ms, millis(directive)),
            "proxy_send_timeout" => set(&mut self.timeouts.send_ms, millis(directive)),
            _ => return false,
        }
        true
    }
}

/// What one level says itself of the settings that are inherited as a whole.
#[derive(Default)]
pub(super) struct ProxyLists {
    set_headers: Vec<SetHeader>,
    redirects: Vec<RedirectRule>,
    redirect_off: bool,
    hidden: Vec<Vec<u8>>,
    passed: Vec<Vec<u8>>,
}

impl ProxyLists {
    /// Takes a directive of a list, if it is one of these.
    pub(super) fn take(&mut self, lower: &mut Lower<'_>, directive: &Directive) -> bool {
        let lower_case = || directive.arg(0).unwrap_or_default().to_ascii_lowercase().into_bytes();
        match directive.name.text.as_str() {
            "proxy_set_header" => {
                let field = lower.field(directive);
                self.set_headers.extend(field.map(|(name, value)| SetHeader { name, value }));
            }
            "proxy_redirect" => self.take_redirect(lower, directive),
            "proxy_hide_header" => self.hidden.push(lower_case()),
            "proxy_pass_header" => self.passed.push(lower_case()),
            _ => return false,
        }
        true
    }

    fn take_redirect(&mut self, lower: &mut Lower<'_>, directive: &Directive) {
        let is_off = directive.arg(0) == Some("off");
        if self.redirect_off || (is_off && !self.redirects.is_empty()) {
            lower.error(directive.name.span, "\"proxy_redirect\" directive is duplicate");
            return;
        }
        match lower.redirect(directive) {
            Some(None) => self.redirect_off = true,
            Some(Some(_)) if self.redirects.len() >= REDIRECTS_MAX => {
                let message = format!("more than {REDIRECTS_MAX} \"proxy_redirect\" in a block");
                lower.error(directive.name.span, message);
            }
            Some(Some(rule)) => self.redirects.push(rule),
            None => {}
        }
    }

    /// Puts the lists that the level has in the place of those above it.
    pub(super) fn replace(self, scope: &mut ProxyScope) {
        if !self.set_headers.is_empty() {
            scope.set_headers = with_host(self.set_headers);
        }
        if self.redirect_off {
            scope.redirects = Some(Redirects::Off);
        } else if !self.redirects.is_empty() {
            scope.redirects = Some(Redirects::Rules(self.redirects.into()));
        }
        let has_fields = !self.hidden.is_empty() || !self.passed.is_empty();
        if !self.hidden.is_empty() {
            scope.hidden.own = self.hidden.into();
        }
        if !self.passed.is_empty() {
            scope.hidden.passed = self.passed.into();
        }
        if has_fields {
            scope.hidden.names = hidden(&scope.hidden.own, &scope.hidden.passed);
        }
    }
}

impl Lower<'_> {
    /// nginx: `proxy_pass URL` with what belongs to it. `path` is the location's.
    pub(super) fn proxy_pass(
        &mut self,
        directive: &Directive,
        scope: &ProxyScope,
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
        let url_parts =
            PassUrl { host: host_text.into(), port: port_text.into(), uri: uri.map(Into::into) };
        Some(ProxyPass {
            upstream,
            redirects: redirects(scope, url, uri.is_some(), path),
            url: url_parts,
            set_headers: scope.set_headers.clone(),
            http11: scope.http11,
            timeouts: scope.timeouts,
            hidden: scope.hidden.names.clone(),
            next_upstream: scope.next_upstream,
            buffer_bytes: scope.buffer_bytes,
            ignored: scope.ignored,
            ignore_client_abort: scope.ignore_client_abort,
            replay_bytes_max: scope.replay_bytes_max,
        })
    }

    /// nginx: `proxy_redirect`; `off` gives `Some(None)`, nothing where it is wrong.
    fn redirect(&mut self, directive: &Directive) -> Option<Option<RedirectRule>> {
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

/// nginx: `Host $proxy_host` is set by every level that sets no Host itself.
fn with_host(mut fields: Vec<SetHeader>) -> Shared<SetHeader> {
    if !fields.iter().any(|field| field.name.eq_ignore_ascii_case(b"host")) {
        let value = Template(vec![Part::Variable(Variable::ProxyHost)]);
        fields.insert(0, SetHeader { name: b"Host".to_vec(), value });
    }
    fields.into()
}

/// nginx: response fields that are not passed on: its own and the hidden ones less the passed.
fn hidden(own: &[Vec<u8>], passed: &[Vec<u8>]) -> Shared<Vec<u8>> {
    let built_in = HIDDEN.iter().map(|name| name.as_bytes().to_vec());
    let mut names: BTreeSet<Vec<u8>> = built_in.chain(own.iter().cloned()).collect();
    for name in passed {
        names.remove(name);
    }
    names.into_iter().collect::<Vec<_>>().into()
}

/// nginx: fields of the upstream's answer that belong to the hop or steer nginx itself.
const HIDDEN: &[&str] = &[
    "date",
    "server",
    "x-pad",
    "x-accel-expires",
    "x-accel-redirect",
    "x-accel-limit-rate",
    "x-accel-buffering",
    "x-accel-charset",
];
/// nginx: what replaces what in `Location` fields. Where nothing is written it is `default`.
fn redirects(scope: &ProxyScope, url: &str, has_uri: bool, path: &str) -> Vec<(Vec<u8>, Vec<u8>)> {
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
