//! The configuration as the proxy runs it: every directive resolved, inherited and typed.
//!
//! Plain data, made once by a load and never changed afterwards; the event loop shares it by `Arc`.
//! It holds no socket and reads no file. Look-ups live in `lookup`. Where a directive is not
//! written its value is that of `Default`, which is nginx's unless the field says another.

mod access;
mod bodies;
mod changes;
mod expression;
mod fastcgi;
mod files;
mod guard;
mod location;
mod log;
mod map;
mod pass;
mod resolver;
mod rewrite;
mod template;
mod upstream;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::ops::Deref;
use std::path::PathBuf;
use std::sync::Arc;

pub use access::{Access, AccessRule, LimitExcept, RealIp, Whom};
pub use bodies::{
    Bodies, Charset, CharsetMap, CharsetName, Gzip, GzipClients, Proxied, Substitutes, TypeList,
};
pub use changes::{Changes, CookieFlags, CookieName, CookieRules};
pub use expression::{Expression, OwnSource, OwnVariable};
pub use fastcgi::{FastCgi, Param, Scheme, Script};
pub use files::{
    Alias, Files, LinksSeen, Listing, ListingFormat, ModifiedSince, Packed, PackedRule, Root,
    TryFiles, TryLast, TryName,
};
pub use guard::{ConnectionLimit, Guard, Limits, Referers, RequestLimit, SecureLink};
pub use location::{
    AddHeader, ClientSide, ContentTypes, ErrorPage, ErrorPages, Handler, Keepalive, Lingering,
    LingeringClose, Location, Locations, Mirrors, NewStatus, RedirectForm, Return, Search,
    Settings, Types,
};
pub use log::{
    AccessFile, AccessLog, ErrorLevel, ErrorLog, ErrorLogs, Escape, LogFile, LogFormat, Logs,
    MadeFile, Notice, Syslog, SyslogServer,
};
pub use map::{Geo, Map, Split};
pub use pass::{
    IgnoredFields, NextConditions, NextUpstream, PassUrl, ProxyPass, ProxyRedirect, ProxyTimeouts,
    Sending, SetHeader, Steering,
};
pub use resolver::{MadePlace, Resolver, Resolving};
pub use rewrite::{FileTest, Program, Rewrite, Step, Telling, Test, Then};
pub use template::{Part, Template};
pub use upstream::{Method, Upstream, UpstreamServer};

pub use super::variable::Variable;
use crate::zones::Zone;

/// One loaded configuration.
#[derive(Debug, Default)]
pub struct Config {
    /// Sockets to listen on, unique by address.
    pub listens: Vec<Listen>,
    /// Every `server` block in file order.
    pub servers: Vec<Server>,
    /// Named `upstream` blocks, and one implicit upstream for each `proxy_pass` to a host.
    pub upstreams: Vec<Upstream>,
    /// Destinations of access logs, unique; `AccessLog::file` indexes them.
    pub log_files: Vec<LogFile>,
    /// Log formats in use; `AccessLog::format` indexes them.
    pub log_formats: Vec<LogFormat>,
    /// Variables that the file makes.
    pub own_variables: Vec<OwnVariable>,
    /// nginx: `map`; `OwnSource` indexes them, and those that follow.
    pub maps: Vec<Map>,
    /// nginx: `geo`.
    pub geos: Vec<Geo>,
    /// nginx: `split_clients`.
    pub splits: Vec<Split>,
    /// nginx: `limit_req_zone` and `limit_conn_zone`.
    pub zones: Vec<Zone>,
    /// nginx: `error_log` of the main level, and all files of those below.
    pub error_logs: ErrorLogs,
    /// What the program itself is told.
    pub process: Process,
}

/// Settings of the program itself.
#[derive(Debug, Default)]
pub struct Process {
    /// nginx: `pid`; no file where none is written.
    pub pid: Option<PathBuf>,
    /// nginx: `worker_connections`: connections of one worker, those to upstreams included; `None`
    /// where the file has none.
    pub worker_connections: Option<usize>,
}

impl Config {
    /// Goes on with what zones of another configuration know that are still the same.
    pub fn go_on_with(&mut self, old: &Config) {
        for zone in &mut self.zones {
            old.zones.iter().for_each(|old| zone.go_on_with(old));
        }
    }

    /// Whether a variable stands in any text of the configuration.
    pub fn uses(&self, variable: &Variable) -> bool {
        let in_template = |template: &Template| {
            template.0.iter().any(|part| matches!(part, Part::Variable(known) if known == variable))
        };
        let in_program = |program: &Program| {
            program.templates().any(in_template) || program.variables().any(|one| one == variable)
        };
        let in_location = |location: &Location| {
            let added = location.add_headers.iter().any(|field| in_template(&field.value));
            let handled = match &location.handler {
                Handler::Proxy(pass) => {
                    let params = pass.fastcgi().into_iter().flat_map(|to| to.params.iter());
                    let changes = pass.changes.iter().flat_map(|changes| changes.templates());
                    let texts = pass.redirects.iter().flat_map(ProxyRedirect::templates);
                    let texts =
                        texts.chain(pass.url.by_variables.as_deref().map(|made| &made.text));
                    let texts = texts.chain(params.map(|param| &param.value)).chain(changes);
                    pass.set_headers.iter().map(|field| &field.value).chain(texts).any(in_template)
                }
                Handler::SlashRedirect | Handler::StubStatus | Handler::Files => false,
            };
            let pages = location.errors.pages.iter().any(|page| in_template(&page.to));
            let files = location.files.templates().any(in_template);
            let mut guards = location.access.guard.iter().flat_map(|guard| guard.templates());
            let guarded = guards.any(in_template);
            let mut bodies = location.client.bodies.templates();
            let guarded = guarded || bodies.any(in_template);
            let logged =
                location.logs.access.iter().flat_map(AccessLog::templates).any(in_template);
            logged || added || handled || pages || files || guarded || in_program(&location.program)
        };
        let in_map = |map: &Map| {
            let values = map.values.iter().chain([&map.subject, &map.default]);
            values.into_iter().any(in_template)
        };
        self.log_formats.iter().any(|format| in_template(&format.template))
            || self.maps.iter().any(in_map)
            || self.zones.iter().any(|zone| in_template(&zone.key))
            || self.upstreams.iter().any(|one| one.method.template().is_some_and(in_template))
            || self.geos.iter().any(|geo| geo.subject.as_ref() == Some(variable))
            || self.splits.iter().any(|split| in_template(&split.subject))
            || self.servers.iter().any(|server| {
                in_program(&server.program)
                    || in_location(&server.fallback)
                    || server.locations.iter().any(in_location)
            })
    }
}

/// A listening address and the servers behind it.
#[derive(Debug, Clone)]
pub struct Listen {
    /// Address and port; an unspecified address listens on all of its family.
    pub address: SocketAddr,
    /// nginx: `listen … ipv6only=`, on by default.
    pub ipv6_only: bool,
    /// nginx: `listen … backlog=`, 511 by default.
    pub backlog: i32,
    /// nginx: `listen … proxy_protocol`: connections begin with who their client is.
    pub proxy_protocol: bool,
    /// Server for requests whose Host no name matches.
    pub default_server: usize,
    /// Exact names, lower case.
    pub exact: HashMap<Vec<u8>, usize>,
    /// `*.example.com` as `.example.com`, longest first, lower case.
    pub suffixes: Vec<(Vec<u8>, usize)>,
    /// `www.*` as `www.`, longest first, lower case.
    pub prefixes: Vec<(Vec<u8>, usize)>,
    /// `~expression`, in file order.
    pub expressions: Vec<(Expression, usize)>,
    /// `file:line:column` of the directive, for the message when it cannot be bound.
    pub origin: String,
    /// For a specific address: the `listen` on all addresses of the same port. Its socket takes
    /// the connections (Linux refuses a second one); `Config::listen_for` tells them apart.
    pub bound_by: Option<usize>,
}

#[cfg(test)]
impl Listen {
    /// A listen of the first server.
    pub(crate) fn for_tests() -> Listen {
        Listen {
            address: SocketAddr::from(([127, 0, 0, 1], 80)),
            ipv6_only: true,
            backlog: 511,
            proxy_protocol: false,
            default_server: 0,
            exact: HashMap::new(),
            suffixes: Vec::new(),
            prefixes: Vec::new(),
            expressions: Vec::new(),
            origin: "nginx.conf:1:1".into(),
            bound_by: None,
        }
    }
}

/// A `server` block.
#[derive(Debug)]
pub struct Server {
    /// nginx: `$server_name`, the first name, or empty.
    pub name: Vec<u8>,
    /// What is done before locations are looked at.
    pub program: Program,
    /// Those of the server's own level.
    pub top: Locations,
    /// nginx: `location @name`.
    pub named: HashMap<Vec<u8>, usize>,
    /// All locations, nested ones too; `Locations` and `named` index them.
    pub locations: Vec<Location>,
    /// Settings where no location matches, and for errors before one is chosen.
    pub fallback: Location,
    /// Limits on the request's head.
    pub client: ClientLimits,
}

/// nginx: directives that apply before a location is known.
#[derive(Debug, Clone)]
pub struct ClientLimits {
    /// nginx: `client_header_timeout`, 60 s, for the whole head.
    pub header_timeout_ms: u64,
    /// nginx: `large_client_header_buffers` size, 8k: longest request line and longest field.
    pub line_bytes_max: usize,
    /// nginx: `large_client_header_buffers` number × size, 32k.
    pub head_bytes_max: usize,
    /// nginx: `underscores_in_headers`, off.
    pub underscores_in_headers: bool,
    /// nginx: `ignore_invalid_headers`, on: a field with an odd name is left out; off makes it a
    /// 400.
    pub ignore_invalid_headers: bool,
    /// nginx: `merge_slashes`, on.
    pub merges_slashes: bool,
    /// nginx: `max_headers`, 1000: how many fields a head may have.
    pub fields_max: usize,
}

impl Default for ClientLimits {
    fn default() -> Self {
        ClientLimits {
            header_timeout_ms: MINUTE_MS,
            line_bytes_max: 8 << 10,
            head_bytes_max: 32 << 10,
            underscores_in_headers: false,
            ignore_invalid_headers: true,
            merges_slashes: true,
            fields_max: 1000,
        }
    }
}

/// nginx: default of the times that have one minute.
const MINUTE_MS: u64 = 60_000;

/// A list that many locations inherit: kept once, however many there are.
#[derive(Debug)]
pub struct Shared<T>(Arc<[T]>);

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        Shared(Arc::clone(&self.0))
    }
}

impl<T> Default for Shared<T> {
    fn default() -> Self {
        Vec::new().into()
    }
}

impl<T> From<Vec<T>> for Shared<T> {
    fn from(list: Vec<T>) -> Self {
        Shared(list.into())
    }
}

impl<T> Deref for Shared<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<'a, T> IntoIterator for &'a Shared<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}
