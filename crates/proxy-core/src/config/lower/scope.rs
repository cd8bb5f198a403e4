//! Inheritance: what a level of the file gets from the level above, and what it changes.
//!
//! Owns: nginx's rules of it, and the client's side of the settings. Single values are inherited
//! one by one; `proxy_set_header`, `add_header`, `error_page`, `access_log`, `proxy_redirect` and `types` as a
//! whole, by a level that has none of its own. The order of directives inside a level does not
//! matter.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::sync::Arc;

use nginx_conf::{Directive, units};

use super::Lower;
use super::bodies::{BodyLists, own};
use super::guard::GuardLists;
use super::proxy::{BUFFER_BYTES_MAX, ProxyLists, ProxyScope, REPLAY_BYTES_MAX};
use crate::config::model::{
    Access, AccessLog, AccessRule, AddHeader, Charset, ClientLimits, ClientSide, ErrorPage,
    ErrorPages, Files, Handler, LingeringClose, Location, Logs, Program, RedirectForm, Search,
    Settings, Shared, Telling, Template, Types,
};

use crate::config::network::Network;

/// The settings of one level, with all that it inherits.
#[derive(Clone)]
pub(super) struct Scope {
    settings: Settings,
    /// The same as locations have it, once one has asked for it.
    made: OnceCell<Arc<Settings>>,
    /// `None` where no level says anything.
    access_logs: Option<Shared<AccessLog>>,
    limits: ClientLimits,
    /// Whether a level has a `root` or an `alias`.
    pub(super) has_root: bool,
    telling: Telling,
    pub(super) proxy: ProxyScope,
}

/// Longest head taken whatever the file says: `large_client_header_buffers` beyond it is bounded,
/// since each connection may hold as much.
const HEAD_BYTES_MAX: usize = 1 << 20;
/// Most fields of a head that are taken whatever `max_headers` says: each costs more than its
/// bytes.
const FIELDS_MAX: usize = 10_000;

/// Directives of a level that say what is done there, and nothing that is inherited.
const NO_SETTINGS: &[&str] = &[
    "alias",
    "break",
    "fastcgi_pass",
    "if",
    "internal",
    "limit_except",
    "listen",
    "location",
    "proxy_pass",
    "return",
    "rewrite",
    "server_name",
    "set",
    "stub_status",
    "try_files",
];

impl Scope {
    /// The settings above `http`.
    pub(super) fn root(folder: &[u8]) -> Scope {
        let settings = Settings {
            client: ClientSide::default(),
            add_headers: Shared::default(),
            logs: Logs { access: Shared::default(), errors: Shared::default() },
            files: Arc::new(Files::in_folder(folder)),
            redirect: RedirectForm::default(),
            server_tokens: true,
            errors: ErrorPages::default(),
            access: Access::default(),
        };
        Scope {
            settings,
            made: OnceCell::new(),
            access_logs: None,
            limits: ClientLimits::default(),
            has_root: false,
            telling: Telling::default(),
            proxy: ProxyScope::default(),
        }
    }

    /// The settings of a level below with these directives: these here, where none of them is one.
    pub(super) fn with(&self, lower: &mut Lower<'_>, directives: &[Directive]) -> Cow<'_, Scope> {
        if directives.iter().all(|directive| NO_SETTINGS.contains(&directive.name.text.as_str())) {
            return Cow::Borrowed(self);
        }
        let mut scope = self.own();
        let mut lists = Lists::default();
        for directive in directives {
            check_value(lower, directive);
            let is_taken = scope.take_value(directive)
                || scope.proxy.take_value(directive)
                || lower.take_resolver(directive, &mut scope.proxy.resolving)
                || lower.take_files_value(directive, &mut scope)
                || lower.body_value(
                    &mut scope.settings.client.bodies,
                    &mut lists.bodies,
                    directive,
                )
                || lower.guard_value(&mut scope.settings.access.guard, &mut lists.guard, directive);
            if !is_taken {
                lists.take(lower, directive);
            }
        }
        let guard = std::mem::take(&mut lists.guard);
        guard.replace(lower, &mut scope.settings.access.guard);
        lists.replace(lower, &mut scope);
        let errors = lower.error_logs(directives);
        if !errors.is_empty() {
            lower.config.error_logs.note(&errors);
            scope.settings.logs.errors = errors.into();
        }
        Cow::Owned(scope)
    }

    /// A copy that is to be changed.
    pub(super) fn own(&self) -> Scope {
        Scope { made: OnceCell::new(), proxy: self.proxy.own(), ..self.clone() }
    }

    fn take_value(&mut self, directive: &Directive) -> bool {
        let number = || directive.arg(0).and_then(units::number);
        let (settings, limits) = (&mut self.settings, &mut self.limits);
        let client = &mut settings.client;
        match directive.name.text.as_str() {
            "client_max_body_size" => {
                let bytes = directive.arg(0).and_then(units::offset);
                set(&mut client.body_bytes_max, bytes.map(|max| Some(max).filter(|max| *max > 0)));
            }
            "client_body_timeout" => set(&mut client.body_timeout_ms, millis(directive)),
            "client_header_timeout" => set(&mut limits.header_timeout_ms, millis(directive)),
            "lingering_close" => client.lingering.close = lingering_close(directive),
            "lingering_time" => set(&mut client.lingering.time_ms, millis(directive)),
            "lingering_timeout" => set(&mut client.lingering.timeout_ms, millis(directive)),
            "send_timeout" => set(&mut client.send_timeout_ms, millis(directive)),
            "keepalive_timeout" => {
                set(&mut client.keepalive.timeout_ms, millis(directive));
                let field = directive.arg(1).and_then(units::seconds).map(|time| time.as_secs());
                // nginx: a second value of 0 sends no field.
                client.keepalive.field_s = field.filter(|seconds| *seconds > 0);
            }
            "keepalive_requests" => set(&mut client.keepalive.requests, number()),
            "large_client_header_buffers" => {
                let size = directive.arg(1).and_then(units::size);
                if let Some((number, size)) = number().zip(size) {
                    let bytes = |bytes: u64| count(bytes.max(1), HEAD_BYTES_MAX);
                    limits.line_bytes_max = bytes(size);
                    limits.head_bytes_max = bytes(number.saturating_mul(size));
                }
            }
            "max_headers" => {
                set(&mut limits.fields_max, number().map(|max| count(max, FIELDS_MAX)))
            }
            "ignore_invalid_headers" => limits.ignore_invalid_headers = flag(directive),
            "merge_slashes" => limits.merges_slashes = flag(directive),
            "underscores_in_headers" => limits.underscores_in_headers = flag(directive),
            "server_tokens" => {
                settings.server_tokens =
                    !directive.arg(0).is_some_and(|text| text.eq_ignore_ascii_case("off"));
            }
            "mirror_request_body" => client.mirrors.takes_body = flag(directive),
            "uninitialized_variable_warn" => self.telling.unset = flag(directive),
            "recursive_error_pages" => settings.errors.are_recursive = flag(directive),
            "real_ip_recursive" => settings.access.real_ip.is_recursive = flag(directive),
            "log_subrequest" => self.telling.subrequests = flag(directive),
            "rewrite_log" => self.telling.steps = flag(directive),
            "absolute_redirect" => settings.redirect.absolute = flag(directive),
            "server_name_in_redirect" => settings.redirect.by_name = flag(directive),
            "port_in_redirect" => settings.redirect.port = flag(directive),
            _ => return false,
        }
        true
    }

    /// What of it is about charsets, to be changed for this level.
    pub(super) fn charset_mut(&mut self) -> &mut Charset {
        &mut own(&mut self.settings.client.bodies).charset
    }

    /// What of it is about files, to be changed for this level.
    pub(super) fn files_mut(&mut self) -> &mut Files {
        Arc::make_mut(&mut self.settings.files)
    }

    /// nginx: what holds before a location is known.
    pub(super) fn client_limits(&self) -> ClientLimits {
        self.limits.clone()
    }

    /// A program of this level that does nothing yet.
    pub(super) fn program(&self) -> Program {
        Program { steps: Vec::new(), telling: self.telling }
    }

    /// A location of this level's settings, whose program does nothing yet.
    pub(super) fn location(&self, lower: &mut Lower<'_>, path: &str, handler: Handler) -> Location {
        Location {
            path: path.as_bytes().to_vec(),
            program: self.program(),
            handler,
            search: Search { script: self.proxy.script(), ..Search::default() },
            settings: Arc::clone(self.made.get_or_init(|| Arc::new(self.settings(lower)))),
        }
    }

    fn settings(&self, lower: &mut Lower<'_>) -> Settings {
        let access = match &self.access_logs {
            Some(logs) => logs.clone(),
            None => lower.default_access_log(),
        };
        let settings = self.settings.clone();
        Settings { logs: Logs { access, ..settings.logs }, ..settings }
    }
}

/// nginx: compares these without regard to case.
fn lingering_close(directive: &Directive) -> LingeringClose {
    match directive.arg(0).unwrap_or_default().to_ascii_lowercase().as_str() {
        "off" => LingeringClose::Off,
        "always" => LingeringClose::Always,
        _ => LingeringClose::On,
    }
}

/// A number of the file as far as it is taken.
pub(super) fn count(number: u64, max: usize) -> usize {
    usize::try_from(number).unwrap_or(max).min(max)
}

/// Who tells who the client is, and where.
#[derive(Default)]
struct RealIpLists {
    from: Option<Vec<Network>>,
    field: Option<Vec<u8>>,
}

/// What one level says itself of the settings that are inherited as a whole.
#[derive(Default)]
struct Lists {
    add_headers: Vec<AddHeader>,
    error_pages: Vec<ErrorPage>,
    mirrors: Option<Vec<Vec<u8>>>,
    rules: Vec<AccessRule>,
    real_ip: RealIpLists,
    access_logs: Option<Vec<AccessLog>>,
    access_log_off: bool,
    types: Option<Types>,
    index: Vec<Template>,
    proxy: ProxyLists,
    guard: GuardLists,
    bodies: BodyLists,
}

impl Lists {
    fn take(&mut self, lower: &mut Lower<'_>, directive: &Directive) {
        match directive.name.text.as_str() {
            "add_header" => {
                let always = directive.args.len() == 3;
                let field = lower.field(directive);
                let header = |(name, value)| AddHeader { name, value, always };
                self.add_headers.extend(field.map(header));
            }
            "error_page" => self.error_pages.extend(lower.error_page(directive)),
            "mirror" => self.take_mirror(lower, directive),
            "allow" | "deny" => self.rules.extend(lower.access_rule(directive)),
            "set_real_ip_from" => {
                let from = lower.real_ip_from(directive);
                self.real_ip.from.get_or_insert_default().extend(from);
            }
            "real_ip_header" => self.real_ip.field = lower.real_ip_field(directive),
            "access_log" => match lower.access_log(directive) {
                Some(None) => self.access_log_off = true,
                Some(Some(log)) => self.access_logs.get_or_insert_default().push(log),
                None => {}
            },
            "index" => lower.index(directive, &mut self.index),
            "types" => lower.types(directive, self.types.get_or_insert_default()),
            _ => {
                self.proxy.take(lower, directive);
            }
        }
    }

    /// nginx: `mirror PATH | off`, which is `off` or paths.
    fn take_mirror(&mut self, lower: &mut Lower<'_>, directive: &Directive) {
        let path = directive.arg(0).unwrap_or_default();
        let is_off = path == "off";
        match &mut self.mirrors {
            Some(paths) if is_off || paths.is_empty() => {
                let help = "a level has \"mirror off\" alone, or any number of paths";
                let message = "\"mirror\" directive is duplicate";
                lower.error_with_help(directive.name.span, message, help);
            }
            Some(paths) => paths.push(path.as_bytes().to_vec()),
            None if is_off => self.mirrors = Some(Vec::new()),
            None => self.mirrors = Some(vec![path.as_bytes().to_vec()]),
        }
    }

    fn replace(self, lower: &mut Lower<'_>, scope: &mut Scope) {
        let settings = &mut scope.settings;
        if !self.add_headers.is_empty() {
            settings.add_headers = self.add_headers.into();
        }
        if !self.error_pages.is_empty() {
            settings.errors.pages = self.error_pages.into();
        }
        if let Some(mirrors) = self.mirrors {
            settings.client.mirrors.paths = mirrors.into();
        }
        if !self.rules.is_empty() {
            settings.access.rules = self.rules.into();
        }
        if let Some(from) = self.real_ip.from {
            settings.access.real_ip.from = from.into();
        }
        set(&mut settings.access.real_ip.field, self.real_ip.field.map(Into::into));
        if self.access_log_off {
            scope.access_logs = Some(Shared::default());
        } else if let Some(logs) = self.access_logs {
            scope.access_logs = Some(logs.into());
        }
        if let Some(types) = self.types {
            scope.files_mut().content_types.types = Arc::new(types);
        }
        if !self.index.is_empty() {
            scope.files_mut().index = self.index.into();
        }
        self.proxy.replace(&mut scope.proxy);
        self.bodies.replace(lower, &mut scope.settings.client.bodies);
    }
}

/// What the table cannot say of one value: nginx's own bounds, and those of this kit.
fn check_value(lower: &mut Lower<'_>, directive: &Directive) {
    let size = |index| directive.arg(index).and_then(units::size);
    let number = directive.arg(0).and_then(units::number);
    let (value, max, shown) = match directive.name.text.as_str() {
        "large_client_header_buffers" => {
            check_header_buffers(lower, directive);
            let all = number.zip(size(1)).map(|(number, size)| number.saturating_mul(size));
            (all, HEAD_BYTES_MAX, "1m")
        }
        "max_headers" => (number, FIELDS_MAX, "10000"),
        "proxy_buffer_size" | "fastcgi_buffer_size" => (size(0), BUFFER_BYTES_MAX, "1m"),
        "client_body_buffer_size" => (size(0), REPLAY_BYTES_MAX, "1m"),
        _ => return,
    };
    if value.is_some_and(|value| value > max as u64) {
        let name = &directive.name.text;
        lower.warn(directive.arg_span(0), format!("\"{name}\" is taken as {shown}, the most here"));
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

/// Puts in a value that was read; what could not be read is told by the table.
pub(super) fn set<T>(place: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *place = value;
    }
}

/// A time argument that the table has checked.
pub(super) fn millis(directive: &Directive) -> Option<u64> {
    let time = directive.arg(0).and_then(units::time)?;
    u64::try_from(time.as_millis()).ok()
}

/// A flag argument that the table has checked.
pub(super) fn flag(directive: &Directive) -> bool {
    directive.arg(0).is_some_and(|text| text.eq_ignore_ascii_case("on"))
}
