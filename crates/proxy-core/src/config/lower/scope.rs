//! Inheritance: what a level of the file gets from the level above, and what it changes.
//!
//! Owns: nginx's rules of it. Single values are inherited one by one; `proxy_set_header`,
//! `add_header`, `access_log`, `proxy_redirect` and `types` as a whole, by a level that has none
//! of its own. The order of directives inside a level does not matter.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use nginx_conf::{Directive, units};

use super::Lower;
use crate::config::model::{
    AccessLog, AddHeader, ClientLimits, Handler, Location, Part, SetHeader, Shared, Template,
    Variable,
};

/// The settings of one level. `None` is nginx's default.
#[derive(Clone, Default)]
pub(super) struct Scope {
    pub(super) body_bytes_max: Option<u64>,
    pub(super) body_timeout_ms: Option<u64>,
    pub(super) send_timeout_ms: Option<u64>,
    pub(super) keepalive: Option<(u64, Option<u64>)>,
    pub(super) keepalive_requests: Option<u64>,
    pub(super) server_tokens: Option<bool>,
    pub(super) default_type: Option<String>,
    pub(super) absolute_redirect: Option<bool>,
    pub(super) port_in_redirect: Option<bool>,
    pub(super) header_timeout_ms: Option<u64>,
    pub(super) header_buffers: Option<(u64, u64)>,
    pub(super) underscores_in_headers: Option<bool>,
    pub(super) http10: Option<bool>,
    pub(super) connect_timeout_ms: Option<u64>,
    pub(super) read_timeout_ms: Option<u64>,
    pub(super) proxy_send_timeout_ms: Option<u64>,
    pub(super) types: Arc<Types>,
    /// nginx: the level's own, and `Host $proxy_host` unless it sets one.
    pub(super) set_headers: Shared<SetHeader>,
    pub(super) add_headers: Shared<AddHeader>,
    pub(super) access_logs: Option<Shared<AccessLog>>,
    pub(super) redirects: Option<Redirects>,
    /// Response fields that are not passed on, made from the two below.
    pub(super) hidden: Shared<Vec<u8>>,
    hidden_own: Shared<Vec<u8>>,
    passed_own: Shared<Vec<u8>>,
}

/// The types by ending, lower case.
pub(super) type Types = HashMap<Vec<u8>, Vec<u8>>;

/// nginx: what holds where no `types` is written.
const DEFAULT_TYPES: [(&str, &str); 3] =
    [("html", "text/html"), ("gif", "image/gif"), ("jpg", "image/jpeg")];

/// nginx: `proxy_redirect` of one level.
#[derive(Clone)]
pub(super) enum Redirects {
    /// `off`
    Off,
    /// In file order.
    Rules(Arc<[RedirectRule]>),
}

/// One `proxy_redirect`.
#[derive(Clone)]
pub(super) enum RedirectRule {
    /// `default`: made from the `proxy_pass` of the location.
    Default,
    /// What to find, and what replaces it.
    Pair(Vec<u8>, Vec<u8>),
}

/// Longest head taken whatever the file says: `large_client_header_buffers` beyond it is bounded,
/// since each connection may hold as much.
const HEAD_BYTES_MAX: u64 = 1 << 20;

impl Scope {
    /// The settings above `http`.
    pub(super) fn root() -> Scope {
        let types = DEFAULT_TYPES.map(|(ending, name)| (ending.into(), name.into()));
        Scope {
            types: Arc::new(types.into_iter().collect()),
            set_headers: with_host(Vec::new()),
            hidden: hidden(&[], &[]),
            ..Scope::default()
        }
    }

    /// The settings of a level below with these directives.
    pub(super) fn with(&self, lower: &mut Lower<'_>, directives: &[Directive]) -> Scope {
        let mut scope = self.clone();
        let mut lists = Lists::default();
        for directive in directives {
            if directive.name.text == "large_client_header_buffers" {
                check_header_buffers(lower, directive);
            }
            if !scope.take_value(directive) && !scope.take_proxy_value(directive) {
                lists.take(lower, directive);
            }
        }
        lists.replace(&mut scope);
        scope
    }

    fn take_value(&mut self, directive: &Directive) -> bool {
        let number = || directive.arg(0).and_then(units::number);
        match directive.name.text.as_str() {
            "client_max_body_size" => {
                self.body_bytes_max = directive.arg(0).and_then(units::offset);
            }
            "client_body_timeout" => self.body_timeout_ms = millis(directive),
            "client_header_timeout" => self.header_timeout_ms = millis(directive),
            "send_timeout" => self.send_timeout_ms = millis(directive),
            "keepalive_timeout" => {
                let field = directive.arg(1).and_then(units::seconds).map(|time| time.as_secs());
                // nginx: a second value of 0 sends no field.
                self.keepalive = millis(directive).map(|ms| (ms, field.filter(|s| *s > 0)));
            }
            "keepalive_requests" => self.keepalive_requests = number(),
            "large_client_header_buffers" => {
                let size = directive.arg(1).and_then(units::size);
                self.header_buffers = number().zip(size);
            }
            "underscores_in_headers" => self.underscores_in_headers = Some(flag(directive)),
            "server_tokens" => {
                self.server_tokens =
                    Some(!directive.arg(0).is_some_and(|text| text.eq_ignore_ascii_case("off")))
            }
            "default_type" => self.default_type = directive.arg(0).map(ToOwned::to_owned),
            "absolute_redirect" => self.absolute_redirect = Some(flag(directive)),
            "port_in_redirect" => self.port_in_redirect = Some(flag(directive)),
            _ => return false,
        }
        true
    }

    fn take_proxy_value(&mut self, directive: &Directive) -> bool {
        match directive.name.text.as_str() {
            "proxy_http_version" => self.http10 = Some(directive.arg(0) == Some("1.0")),
            "proxy_connect_timeout" => self.connect_timeout_ms = millis(directive),
            "proxy_read_timeout" => self.read_timeout_ms = millis(directive),
            "proxy_send_timeout" => self.proxy_send_timeout_ms = millis(directive),
            _ => return false,
        }
        true
    }

    /// nginx: what holds before a location is known.
    pub(super) fn client_limits(&self) -> ClientLimits {
        let (count, size) = self.header_buffers.unwrap_or((4, 8 << 10));
        let bytes = |value: u64| usize::try_from(value.clamp(1, HEAD_BYTES_MAX)).unwrap_or(1 << 20);
        ClientLimits {
            header_timeout_ms: self.header_timeout_ms.unwrap_or(MINUTE_MS),
            line_bytes_max: bytes(size),
            head_bytes_max: bytes(count.saturating_mul(size)),
            underscores_in_headers: self.underscores_in_headers.unwrap_or(false),
        }
    }

    /// A location of this level's settings.
    pub(super) fn location(&self, lower: &mut Lower<'_>, path: &str, handler: Handler) -> Location {
        let access_logs = match &self.access_logs {
            Some(logs) => logs.clone(),
            None => lower.default_access_log(),
        };
        let (keepalive_timeout_ms, keepalive_field_s) = self.keepalive.unwrap_or((75_000, None));
        let body_bytes_max = self.body_bytes_max.unwrap_or(1 << 20);
        Location {
            path: path.as_bytes().to_vec(),
            handler,
            body_bytes_max: Some(body_bytes_max).filter(|max| *max > 0),
            body_timeout_ms: self.body_timeout_ms.unwrap_or(MINUTE_MS),
            send_timeout_ms: self.send_timeout_ms.unwrap_or(MINUTE_MS),
            keepalive_timeout_ms,
            keepalive_field_s,
            keepalive_requests: self.keepalive_requests.unwrap_or(1000),
            add_headers: self.add_headers.clone(),
            access_logs,
            server_tokens: self.server_tokens.unwrap_or(true),
            default_type: self.default_type.as_deref().unwrap_or("text/plain").into(),
            types: Arc::clone(&self.types),
            nested: None,
            absolute_redirect: self.absolute_redirect.unwrap_or(true),
            port_in_redirect: self.port_in_redirect.unwrap_or(true),
        }
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

/// nginx: default of the timeouts that have one minute.
pub(super) const MINUTE_MS: u64 = 60_000;

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

/// Rules of one level: each location that inherits them has its own copy, made for its path.
const REDIRECTS_MAX: usize = 64;

/// What one level says itself of the settings that are inherited as a whole.
#[derive(Default)]
struct Lists {
    set_headers: Vec<SetHeader>,
    add_headers: Vec<AddHeader>,
    access_logs: Option<Vec<AccessLog>>,
    access_log_off: bool,
    redirects: Vec<RedirectRule>,
    redirect_off: bool,
    hidden: Vec<Vec<u8>>,
    passed: Vec<Vec<u8>>,
    types: Option<Types>,
}

impl Lists {
    fn take(&mut self, lower: &mut Lower<'_>, directive: &Directive) {
        let lower_case = || directive.arg(0).unwrap_or_default().to_ascii_lowercase().into_bytes();
        match directive.name.text.as_str() {
            "proxy_set_header" => {
                let field = lower.field(directive);
                self.set_headers.extend(field.map(|(name, value)| SetHeader { name, value }));
            }
            "add_header" => {
                let always = directive.args.len() == 3;
                let field = lower.field(directive);
                let header = |(name, value)| AddHeader { name, value, always };
                self.add_headers.extend(field.map(header));
            }
            "access_log" => match lower.access_log(directive) {
                Some(None) => self.access_log_off = true,
                Some(Some(log)) => self.access_logs.get_or_insert_default().push(log),
                None => {}
            },
            "proxy_redirect"
                if self.redirect_off
                    || (directive.arg(0) == Some("off") && !self.redirects.is_empty()) =>
            {
                lower.error(directive.name.span, "\"proxy_redirect\" directive is duplicate");
            }
            "proxy_redirect" => match lower.redirect(directive) {
                Some(None) => self.redirect_off = true,
                Some(Some(_)) if self.redirects.len() >= REDIRECTS_MAX => {
                    let message =
                        format!("more than {REDIRECTS_MAX} \"proxy_redirect\" in a block");
                    lower.error(directive.name.span, message);
                }
                Some(Some(rule)) => self.redirects.push(rule),
                None => {}
            },
            "proxy_hide_header" => self.hidden.push(lower_case()),
            "proxy_pass_header" => self.passed.push(lower_case()),
            "types" => lower.types(directive, self.types.get_or_insert_default()),
            _ => {}
        }
    }

    fn replace(self, scope: &mut Scope) {
        if !self.set_headers.is_empty() {
            scope.set_headers = with_host(self.set_headers);
        }
        if !self.add_headers.is_empty() {
            scope.add_headers = self.add_headers.into();
        }
        if self.access_log_off {
            scope.access_logs = Some(Shared::default());
        } else if let Some(logs) = self.access_logs {
            scope.access_logs = Some(logs.into());
        }
        if self.redirect_off {
            scope.redirects = Some(Redirects::Off);
        } else if !self.redirects.is_empty() {
            scope.redirects = Some(Redirects::Rules(self.redirects.into()));
        }
        let has_fields = !self.hidden.is_empty() || !self.passed.is_empty();
        if !self.hidden.is_empty() {
            scope.hidden_own = self.hidden.into();
        }
        if !self.passed.is_empty() {
            scope.passed_own = self.passed.into();
        }
        if has_fields {
            scope.hidden = hidden(&scope.hidden_own, &scope.passed_own);
        }
        if let Some(types) = self.types {
            scope.types = Arc::new(types);
        }
    }
}

/// nginx: at least one buffer, and none smaller than its `connection_pool_size`.
fn check_header_buffers(lower: &mut Lower<'_>, directive: &Directive) {
    let count = directive.arg(0).and_then(units::number).unwrap_or(1);
    let size = directive.arg(1).and_then(units::size).unwrap_or(HEADER_BUFFER_BYTES_MIN);
    if count < 1 || size < HEADER_BUFFER_BYTES_MIN {
        let message = "\"large_client_header_buffers\" directive invalid value";
        let help = "expected at least 1 buffer of at least 512 bytes";
        lower.error_with_help(directive.name.span, message, help);
    }
}

/// nginx: `connection_pool_size` of a 64-bit system.
const HEADER_BUFFER_BYTES_MIN: u64 = 512;

/// A time argument that the table has checked.
pub(super) fn millis(directive: &Directive) -> Option<u64> {
    let time = directive.arg(0).and_then(units::time)?;
    u64::try_from(time.as_millis()).ok()
}

fn flag(directive: &Directive) -> bool {
    directive.arg(0).is_some_and(|text| text.eq_ignore_ascii_case("on"))
}
