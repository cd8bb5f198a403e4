//! The directives that hold for a pass, most of which begin with `proxy_`.
//!
//! Owns: what they mean, and how a level inherits them. `proxy_pass` itself is `pass`'s.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;

use http1::FieldClass;

use nginx_conf::{Directive, units};

use super::Lower;
use super::changes::ChangeLists;
use super::fastcgi::{FastcgiLists, FastcgiScope};
use super::rules::Rules;
use super::scope::{count, flag, millis, set};
use crate::config::model::{
    IgnoredFields, NextConditions, NextUpstream, Part, PassUrl, ProxyPass, ProxyRedirect,
    ProxyTimeouts, Resolving, Sending, SetHeader, Shared, Steering, Template, Variable,
};

/// The settings of one level that hold for its passes.
#[derive(Clone)]
pub(super) struct ProxyScope {
    /// The last pass of this level without an URI part, by its URL: a file may have it thousands of
    /// times.
    pub(super) last: RefCell<Option<(String, Arc<ProxyPass>)>>,
    /// The settings of a pass that leads nowhere yet.
    pass: ProxyPass,
    /// nginx: `proxy_redirect`; `default` where nothing is written.
    redirects: Option<Arc<[RedirectRule]>>,
    hidden: Hidden,
    /// Who is asked for names that variables make.
    pub(super) resolving: Resolving,
    /// The same for `fastcgi_pass`, but in that itself.
    pub(super) fastcgi: Option<Rc<FastcgiScope>>,
}

/// Response fields that are not passed on.
#[derive(Clone)]
struct Hidden {
    /// What is hidden where the file says nothing, lower case.
    built_in: &'static [&'static str],
    own: Shared<Vec<u8>>,
    passed: Shared<Vec<u8>>,
}

/// One `proxy_redirect`.
#[derive(Clone)]
enum RedirectRule {
    /// `default`: made from the `proxy_pass` of the location.
    Default,
    /// What to find, and what replaces it.
    Written(ProxyRedirect),
}

/// Shortest head of an answer that is taken whatever the file says: nginx's buffer of 4k or 8k
/// turns ordinary sets of cookies into a 502.
const BUFFER_BYTES_MIN: usize = 64 << 10;
/// Longest head of an answer that is taken whatever the file says.
pub(super) const BUFFER_BYTES_MAX: usize = 1 << 20;
/// nginx: default of `client_body_buffer_size` on 64 bit.
const REPLAY_BYTES: usize = 16 << 10;
/// Most of a body that is kept whatever the file says.
pub(super) const REPLAY_BYTES_MAX: usize = 1 << 20;

/// The words of `proxy_next_upstream`. What concerns a cache means nothing here.
pub(in crate::config) const NEXT_CONDITIONS: &[(&str, NextConditions)] = &[
    ("error", NextConditions::ERROR),
    ("timeout", NextConditions::TIMEOUT),
    ("invalid_header", NextConditions::INVALID_HEADER),
    ("non_idempotent", NextConditions::NON_IDEMPOTENT),
    ("http_500", NextConditions::HTTP_500),
    ("http_502", NextConditions::HTTP_502),
    ("http_503", NextConditions::HTTP_503),
    ("http_504", NextConditions::HTTP_504),
    ("http_403", NextConditions::HTTP_403),
    ("http_404", NextConditions::HTTP_404),
    ("http_429", NextConditions::HTTP_429),
    ("updating", NextConditions::NONE),
    ("off", NextConditions::NONE),
];

/// The words of `proxy_ignore_headers`, lower case. What concerns a cache means nothing here.
pub(in crate::config) const IGNORED_FIELDS: &[(&str, IgnoredFields)] = &[
    ("x-accel-redirect", IgnoredFields::REDIRECT),
    ("x-accel-expires", IgnoredFields::EXPIRES),
    ("x-accel-limit-rate", IgnoredFields::LIMIT_RATE),
    ("x-accel-buffering", IgnoredFields::BUFFERING),
    ("x-accel-charset", IgnoredFields::CHARSET),
    ("expires", IgnoredFields::NONE),
    ("cache-control", IgnoredFields::NONE),
    ("set-cookie", IgnoredFields::NONE),
    ("vary", IgnoredFields::NONE),
];

impl Default for ProxyScope {
    /// The settings above `http`.
    fn default() -> Self {
        ProxyScope { fastcgi: Some(Rc::default()), ..ProxyScope::hiding(HIDDEN) }
    }
}

impl ProxyScope {
    /// The settings above `http` of a pass that does not pass these fields of an answer on.
    pub(super) fn hiding(built_in: &'static [&'static str]) -> ProxyScope {
        let (own, passed) = (Shared::default(), Shared::default());
        let pass = ProxyPass {
            upstream: usize::MAX,
            url: PassUrl::default(),
            // nginx: the level's own, and `Host $proxy_host` unless it sets one.
            set_headers: with_host(Vec::new()),
            http11: true,
            timeouts: ProxyTimeouts::default(),
            redirects: Vec::new(),
            hidden: hidden(built_in, &own, &passed),
            next_upstream: NextUpstream::default(),
            buffer_bytes: BUFFER_BYTES_MIN,
            steering: Steering::default(),
            sending: Sending {
                replay_bytes_max: REPLAY_BYTES,
                fields: true,
                body: true,
                outlives_client: false,
            },
            changes: None,
        };
        ProxyScope {
            last: RefCell::default(),
            pass,
            redirects: None,
            hidden: Hidden { built_in, own, passed },
            resolving: Resolving::default(),
            fastcgi: None,
        }
    }

    /// A copy that is to be changed.
    pub(super) fn own(&self) -> ProxyScope {
        ProxyScope { last: RefCell::default(), ..self.clone() }
    }

    /// A pass with the settings of this level.
    pub(super) fn pass(
        &self,
        upstream: usize,
        url: PassUrl,
        redirects: Vec<ProxyRedirect>,
    ) -> ProxyPass {
        ProxyPass { upstream, url, redirects, ..self.pass.clone() }
    }

    /// Whether `proxy_redirect default` is written.
    pub(super) fn has_default_redirect(&self) -> bool {
        let rules = self.redirects.iter().flat_map(|rules| rules.iter());
        rules.into_iter().any(|rule| matches!(rule, RedirectRule::Default))
    }

    /// These are the rules of `proxy_redirect`, whatever is written.
    pub(super) fn set_redirects(&mut self, redirects: &[ProxyRedirect]) {
        self.redirects = Some(redirects.iter().cloned().map(RedirectRule::Written).collect());
    }

    /// The rules of `proxy_redirect` that are written.
    pub(super) fn written_redirects(&self) -> Vec<ProxyRedirect> {
        if self.redirects.is_some() { self.redirects("", false, "") } else { Vec::new() }
    }

    /// nginx: what replaces what in `Location` and `Refresh` fields. Where nothing is written it is
    /// `default`.
    pub(super) fn redirects(&self, url: &str, has_uri: bool, path: &str) -> Vec<ProxyRedirect> {
        let literal = |text: &str| Template::literal(text.as_bytes());
        let default = || match has_uri {
            true => ProxyRedirect::Prefix { from: literal(url), to: literal(path) },
            false => ProxyRedirect::Prefix { from: literal(&format!("{url}/")), to: literal("/") },
        };
        let Some(rules) = &self.redirects else { return vec![default()] };
        let redirect = |rule: &RedirectRule| match rule {
            RedirectRule::Default => default(),
            RedirectRule::Written(redirect) => redirect.clone(),
        };
        rules.iter().map(redirect).collect()
    }

    /// Takes a directive of one value, if it is one of these.
    pub(super) fn take_value(&mut self, directive: &Directive) -> bool {
        let number = || directive.arg(0).and_then(units::number);
        let size = || directive.arg(0).and_then(units::size);
        let pass = &mut self.pass;
        match directive.name.text.as_str() {
            "proxy_http_version" => pass.http11 = directive.arg(0) != Some("1.0"),
            "proxy_connect_timeout" => set(&mut pass.timeouts.connect_ms, millis(directive)),
            "proxy_read_timeout" => set(&mut pass.timeouts.read_ms, millis(directive)),
            "proxy_send_timeout" => set(&mut pass.timeouts.send_ms, millis(directive)),
            "proxy_next_upstream_tries" => {
                let tries = number().map(|tries| u32::try_from(tries).unwrap_or(u32::MAX));
                set(&mut pass.next_upstream.tries, tries);
            }
            "proxy_next_upstream_timeout" => {
                set(&mut pass.next_upstream.timeout_ms, millis(directive));
            }
            "proxy_buffer_size" => {
                let bytes = size().map(|bytes| count(bytes, BUFFER_BYTES_MAX));
                set(&mut pass.buffer_bytes, bytes.map(|bytes| bytes.max(BUFFER_BYTES_MIN)));
            }
            "proxy_pass_request_headers" => pass.sending.fields = flag(directive),
            "proxy_pass_request_body" => pass.sending.body = flag(directive),
            "proxy_intercept_errors" => pass.steering.intercepts_errors = flag(directive),
            "proxy_force_ranges" => pass.steering.forces_ranges = flag(directive),
            "proxy_pass_trailers" => pass.steering.passes_trailers = flag(directive),
            "proxy_ignore_client_abort" => pass.sending.outlives_client = flag(directive),
            "client_body_buffer_size" => {
                self.fastcgi.iter_mut().for_each(|one| _ = Rc::make_mut(one).take_value(directive));
                set(&mut pass.sending.replay_bytes_max, size().map(|b| count(b, REPLAY_BYTES_MAX)));
            }
            name if name.starts_with("fastcgi_") => {
                let taken =
                    |one: &mut Rc<_>| FastcgiScope::take_value(Rc::make_mut(one), directive);
                return self.fastcgi.as_mut().is_some_and(taken);
            }
            _ => return false,
        }
        true
    }
}

/// What one level says itself of the settings that are inherited as a whole.
#[derive(Default)]
pub(super) struct ProxyLists {
    set_headers: Vec<SetHeader>,
    redirects: Rules<RedirectRule>,
    hidden: Vec<Vec<u8>>,
    passed: Vec<Vec<u8>>,
    next: Words<NextConditions>,
    ignored: Words<IgnoredFields>,
    changes: ChangeLists,
    has_changes: bool,
    fastcgi: Option<Box<FastcgiLists>>,
}

/// What directives that list some of a few words say: each word once, with what it stands for.
/// nginx adds up the directives of one level.
#[derive(Default)]
struct Words<T>(Vec<(&'static str, T)>);

impl<T: Copy> Words<T> {
    fn take(
        &mut self,
        lower: &mut Lower<'_>,
        directive: &Directive,
        meaning: &[(&'static str, T)],
    ) {
        for word in &directive.args {
            // Words that are not known are told by the table.
            let known = meaning.iter().find(|(name, _)| name.eq_ignore_ascii_case(&word.text));
            match known {
                Some(known) if !self.0.iter().any(|(name, _)| *name == known.0) => {
                    self.0.push(*known);
                }
                Some(_) => lower.warn(word.span, format!("duplicate value \"{}\"", word.text)),
                None => {}
            }
        }
    }
}

impl ProxyLists {
    /// Takes a directive of a list, if it is one of these.
    pub(super) fn take(&mut self, lower: &mut Lower<'_>, directive: &Directive) -> bool {
        let lower_case = || directive.arg(0).unwrap_or_default().to_ascii_lowercase().into_bytes();
        match directive.name.text.as_str() {
            "proxy_set_header" => {
                let field = lower.field(directive);
                self.set_headers.extend(field.map(|(name, value)| set_header(name, value)));
            }
            "proxy_redirect" => {
                let help = "expected \"off\", \"default\" or two texts";
                self.redirects.take(lower, directive, help, Lower::redirect);
            }
            "proxy_next_upstream" => self.next.take(lower, directive, NEXT_CONDITIONS),
            "proxy_ignore_headers" => self.ignored.take(lower, directive, IGNORED_FIELDS),
            "proxy_hide_header" => self.hidden.push(lower_case()),
            "proxy_pass_header" => self.passed.push(lower_case()),
            name if name.starts_with("fastcgi_") => {
                return self.fastcgi.get_or_insert_default().take(lower, directive);
            }
            _ => {
                let is_taken = self.changes.take(lower, directive);
                self.has_changes |= is_taken;
                return is_taken;
            }
        }
        true
    }

    /// Puts the lists that the level has in the place of those above it.
    pub(super) fn replace(self, scope: &mut ProxyScope) {
        if !self.set_headers.is_empty() {
            scope.pass.set_headers = with_host(self.set_headers);
        }
        if let Some(redirects) = self.redirects.list() {
            scope.redirects = Some(redirects.into());
        }
        if self.has_changes {
            self.changes.replace(Arc::make_mut(scope.pass.changes.get_or_insert_default()));
        }
        if !self.next.0.is_empty() {
            // nginx: `off` among others goes before them.
            let is_off = self.next.0.iter().any(|(word, _)| *word == "off");
            let listed = self.next.0.iter().map(|(_, condition)| *condition);
            let all = listed.fold(NextConditions::NONE, NextConditions::and);
            scope.pass.next_upstream.conditions = if is_off { NextConditions::NONE } else { all };
        }
        if !self.ignored.0.is_empty() {
            let listed = self.ignored.0.iter().map(|(_, field)| *field);
            scope.pass.steering.ignored = listed.fold(IgnoredFields::NONE, IgnoredFields::and);
        }
        let has_fields = !self.hidden.is_empty() || !self.passed.is_empty();
        if !self.hidden.is_empty() {
            scope.hidden.own = self.hidden.into();
        }
        if !self.passed.is_empty() {
            scope.hidden.passed = self.passed.into();
        }
        if has_fields {
            let Hidden { built_in, own, passed } = &scope.hidden;
            scope.pass.hidden = hidden(built_in, own, passed);
        }
        if let Some((own, scope)) = self.fastcgi.zip(scope.fastcgi.as_mut()) {
            own.replace(Rc::make_mut(scope));
        }
    }
}

impl Lower<'_> {
    /// nginx: `proxy_redirect` that does not say `off`.
    fn redirect(&mut self, directive: &Directive) -> Option<RedirectRule> {
        let is_default = directive.args.len() == 1 && directive.arg(0) == Some("default");
        if is_default {
            return Some(RedirectRule::Default);
        }
        self.replacement(directive).map(RedirectRule::Written)
    }
}

fn set_header(name: Vec<u8>, value: Template) -> SetHeader {
    let is_framing = FieldClass::of_name(&name) == FieldClass::Hop;
    SetHeader { name, value, is_framing }
}

/// nginx: `Host $proxy_host` is set by every level that sets no Host itself.
fn with_host(mut fields: Vec<SetHeader>) -> Shared<SetHeader> {
    if !fields.iter().any(|field| field.name.eq_ignore_ascii_case(b"host")) {
        let value = Template(vec![Part::Variable(Variable::ProxyHost)]);
        fields.insert(0, set_header(b"Host".to_vec(), value));
    }
    fields.into()
}

/// nginx: response fields that are not passed on: its own and the hidden ones less the passed.
fn hidden(built_in: &[&str], own: &[Vec<u8>], passed: &[Vec<u8>]) -> Shared<Vec<u8>> {
    let built_in = built_in.iter().map(|name| name.as_bytes().to_vec());
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
