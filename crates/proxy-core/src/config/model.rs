//! The configuration as the proxy runs it: every directive resolved, inherited and typed.
//!
//! Plain data, made once by a load and never changed afterwards; the event loop shares it by `Arc`.
//! It holds no socket and reads no file. Look-ups live in `lookup`.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::ops::Deref;
use std::path::PathBuf;
use std::sync::Arc;

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
    /// nginx: `error_log` level, as far as simplelog knows it.
    pub error_level: Option<log::LevelFilter>,
}

impl Config {
    /// Whether a variable stands in any text of the configuration.
    pub fn uses(&self, variable: &Variable) -> bool {
        let in_template = |template: &Template| {
            template.0.iter().any(|part| matches!(part, Part::Variable(known) if known == variable))
        };
        let in_location = |location: &Location| {
            let added = location.add_headers.iter().any(|field| in_template(&field.value));
            let handled = match &location.handler {
                Handler::Proxy(pass) => pass.set_headers.iter().any(|f| in_template(&f.value)),
                Handler::Return(answer) => answer.text.as_ref().is_some_and(in_template),
                Handler::SlashRedirect | Handler::NotFound => false,
            };
            added || handled
        };
        self.log_formats.iter().any(|format| in_template(&format.template))
            || self.servers.iter().any(|server| {
                let early = server.early_return.as_ref().and_then(|answer| answer.text.as_ref());
                early.is_some_and(in_template)
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
    /// Server for requests whose Host no name matches.
    pub default_server: usize,
    /// Exact names, lower case.
    pub exact: HashMap<Vec<u8>, usize>,
    /// `*.example.com` as `.example.com`, longest first, lower case.
    pub suffixes: Vec<(Vec<u8>, usize)>,
    /// `www.*` as `www.`, longest first, lower case.
    pub prefixes: Vec<(Vec<u8>, usize)>,
    /// `file:line:column` of the directive, for the message when it cannot be bound.
    pub origin: String,
    /// For a specific address: the `listen` on all addresses of the same port. Its socket takes
    /// the connections (Linux refuses a second one); `Config::listen_for` tells them apart.
    pub bound_by: Option<usize>,
}

/// A `server` block.
#[derive(Debug)]
pub struct Server {
    /// nginx: `$server_name`, the first name, or empty.
    pub name: Vec<u8>,
    /// What the server level itself answers (`return` at server level), before locations are looked at.
    pub early_return: Option<Return>,
    /// `=` locations by path.
    pub exact: HashMap<Vec<u8>, usize>,
    /// Prefix locations (`^~` among them), longest first.
    pub prefixes: Vec<(Vec<u8>, usize)>,
    /// All locations, nested ones too; `exact` and `prefixes` index them.
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
}

/// A `location` with all that it inherits.
#[derive(Debug)]
pub struct Location {
    /// The prefix or the exact path as written.
    pub path: Vec<u8>,
    /// What answers.
    pub handler: Handler,
    /// nginx: `client_max_body_size` in bytes, 1m by default; `None` is unlimited (0 in the file).
    pub body_bytes_max: Option<u64>,
    /// nginx: `client_body_timeout`, 60 s, between two reads.
    pub body_timeout_ms: u64,
    /// nginx: `send_timeout`, 60 s, between two writes.
    pub send_timeout_ms: u64,
    /// nginx: `keepalive_timeout`, 75 s; 0 closes after each answer.
    pub keepalive_timeout_ms: u64,
    /// nginx: second argument of `keepalive_timeout`, seconds for the `Keep-Alive` field.
    pub keepalive_field_s: Option<u64>,
    /// nginx: `keepalive_requests`, 1000.
    pub keepalive_requests: u64,
    /// nginx: `add_header`.
    pub add_headers: Shared<AddHeader>,
    /// nginx: `access_log`; empty when off.
    pub access_logs: Shared<AccessLog>,
    /// nginx: `server_tokens`; off leaves the version out.
    pub server_tokens: bool,
    /// nginx: `default_type`, text/plain. `Location::content_type` chooses.
    pub default_type: Vec<u8>,
    /// nginx: `types`: the type by the ending, lower case. Holds for what `return` answers.
    pub types: Arc<HashMap<Vec<u8>, Vec<u8>>>,
    /// Locations inside this one, if there are any.
    pub nested: Option<Box<Locations>>,
    /// nginx: `absolute_redirect`, on.
    pub absolute_redirect: bool,
    /// nginx: `port_in_redirect`, on.
    pub port_in_redirect: bool,
}

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

/// Locations of one level; both index `Server::locations`.
#[derive(Debug, Default)]
pub struct Locations {
    /// `=` locations by path.
    pub exact: HashMap<Vec<u8>, usize>,
    /// Prefix locations, longest first.
    pub prefixes: Vec<(Vec<u8>, usize)>,
}

/// What a location does with a request.
#[derive(Debug)]
pub enum Handler {
    /// nginx: `return`.
    Return(Return),
    /// nginx: `proxy_pass`.
    Proxy(Box<ProxyPass>),
    /// A prefix location ending in `/` with a pass answers its path without the slash by 301.
    SlashRedirect,
    /// Nothing serves here: 404, since static files are not this kit's yet.
    NotFound,
}

/// nginx: `return CODE [text]`, `return CODE URL`, `return URL`.
#[derive(Debug)]
pub struct Return {
    /// Status; 444 closes the connection without an answer.
    pub status: u16,
    /// Text of the body, or the URL of a redirect (301, 302, 303, 307, 308).
    pub text: Option<Template>,
}

/// nginx: `proxy_pass` and what belongs to it.
#[derive(Debug)]
pub struct ProxyPass {
    /// Index into `Config::upstreams`.
    pub upstream: usize,
    /// nginx: `$proxy_host`, the host (with a port other than 80) as written.
    pub host: Vec<u8>,
    /// nginx: `$proxy_port`.
    pub port: Vec<u8>,
    /// URI part: the matched prefix is replaced by it. `None` passes the raw request target.
    pub uri: Option<Vec<u8>>,
    /// Fields set towards the upstream, nginx's defaults (`Host $proxy_host`) included unless set;
    /// an empty value removes the field. `Connection`, `Keep-Alive`, `TE`, `Transfer-Encoding` and
    /// `Content-Length` are the framing's own: `Connection` is kept here only for `upgrade`.
    pub set_headers: Shared<SetHeader>,
    /// nginx: `proxy_http_version`; 1.1 by default here.
    pub http11: bool,
    /// nginx: `proxy_connect_timeout`, 60 s.
    pub connect_timeout_ms: u64,
    /// nginx: `proxy_read_timeout`, 60 s, between two reads.
    pub read_timeout_ms: u64,
    /// nginx: `proxy_send_timeout`, 60 s, between two writes.
    pub send_timeout_ms: u64,
    /// nginx: `proxy_redirect`: pairs (prefix to find, what replaces it); empty when off.
    pub redirects: Vec<(Vec<u8>, Vec<u8>)>,
    /// Response fields not passed on, lower case: nginx's own list (`Date`, `Server`, `X-Pad`,
    /// `X-Accel-…`) less `proxy_pass_header`, plus `proxy_hide_header`.
    pub hidden: Shared<Vec<u8>>,
}

/// A field set towards the upstream.
#[derive(Debug, Clone)]
pub struct SetHeader {
    /// As written.
    pub name: Vec<u8>,
    /// Evaluated for each request; empty removes the field.
    pub value: Template,
}

/// nginx: `add_header`.
#[derive(Debug, Clone)]
pub struct AddHeader {
    /// As written.
    pub name: Vec<u8>,
    /// Evaluated for each response; an empty value is not sent.
    pub value: Template,
    /// nginx: `always`: on any status, not only the good ones.
    pub always: bool,
}

/// A group of servers.
#[derive(Debug)]
pub struct Upstream {
    /// As in the file.
    pub name: Vec<u8>,
    /// In file order.
    pub servers: Vec<UpstreamServer>,
    /// nginx: `keepalive`, idle connections kept by a worker; 32 where the file says nothing
    /// (nginx before 1.29.7: none).
    pub keepalive: usize,
    /// nginx: `keepalive_timeout` of an upstream, 60 s in nginx, 4 s here where the file says nothing.
    pub keepalive_timeout_ms: u64,
    /// nginx: `keepalive_requests` of an upstream, 1000.
    pub keepalive_requests: u64,
}

/// A `server` line of an upstream.
#[derive(Debug, Clone)]
pub struct UpstreamServer {
    /// Host as written: a name, an address, `localhost`.
    pub host: String,
    /// Port, 80 where none is written.
    pub port: u16,
    /// Addresses at load time, in the order to try; empty when the name did not resolve.
    pub addresses: Vec<SocketAddr>,
    /// nginx: `weight`, 1.
    pub weight: u32,
    /// nginx: `max_fails`, 1; 0 never marks it down.
    pub max_fails: u32,
    /// nginx: `fail_timeout`, 10 s.
    pub fail_timeout_ms: u64,
    /// nginx: `backup`.
    pub backup: bool,
    /// nginx: `down`.
    pub down: bool,
}

impl UpstreamServer {
    /// Whether every address is on this pod's loopback.
    pub fn is_loopback(&self) -> bool {
        !self.addresses.is_empty()
            && self.addresses.iter().all(|address| address.ip().is_loopback())
    }
}

/// Where access lines go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogFile {
    /// Standard output; also nginx's image path `/var/log/nginx/access.log`.
    Stdout,
    /// Standard error.
    Stderr,
    /// A file, opened for appending, reopened on USR1.
    Path(PathBuf),
}

/// nginx: `access_log FILE FORMAT`.
#[derive(Debug, Clone, Copy)]
pub struct AccessLog {
    /// Index into `Config::log_files`.
    pub file: usize,
    /// Index into `Config::log_formats`.
    pub format: usize,
}

/// nginx: `log_format`.
#[derive(Debug)]
pub struct LogFormat {
    /// How values are escaped.
    pub escape: Escape,
    /// The line, without its end.
    pub template: Template,
}

/// nginx: `log_format … escape=`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Escape {
    /// `"`, `\` and bytes outside 0x20-0x7e as `\xHH`.
    Default,
    /// JSON string escapes.
    Json,
    /// None.
    None,
}

/// Text with variables.
#[derive(Debug, Clone, Default)]
pub struct Template(pub Vec<Part>);

/// A piece of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// Bytes as they are.
    Literal(Vec<u8>),
    /// A variable's value at that time.
    Variable(Variable),
}

/// Variables of nginx that the kit knows, by their names there.
#[allow(missing_docs, reason = "the names are nginx's")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Variable {
    /// One that nginx leaves unset where there is no TLS, cache or compression.
    Absent,
    Args,
    BinaryRemoteAddr,
    BodyBytesSent,
    BytesSent,
    Connection,
    ConnectionRequests,
    ContentLength,
    ContentType,
    Host,
    Hostname,
    HttpHost,
    IsArgs,
    Msec,
    NginxVersion,
    Pid,
    Pipe,
    ProxyAddXForwardedFor,
    ProxyHost,
    ProxyPort,
    QueryString,
    RemoteAddr,
    RemotePort,
    RemoteUser,
    Request,
    RequestCompletion,
    RequestId,
    RequestLength,
    RequestMethod,
    RequestTime,
    RequestUri,
    Scheme,
    ServerAddr,
    ServerName,
    ServerPort,
    ServerProtocol,
    Status,
    TimeIso8601,
    TimeLocal,
    UpstreamAddr,
    UpstreamBytesReceived,
    UpstreamBytesSent,
    UpstreamConnectTime,
    UpstreamHeaderTime,
    UpstreamResponseLength,
    UpstreamResponseTime,
    UpstreamStatus,
    Uri,
    /// `$http_NAME`: the name in lower case with dashes.
    Http(Vec<u8>),
    /// `$sent_http_NAME`.
    SentHttp(Vec<u8>),
    /// `$upstream_http_NAME`.
    UpstreamHttp(Vec<u8>),
    /// `$arg_NAME`.
    Arg(Vec<u8>),
    /// `$cookie_NAME`.
    Cookie(Vec<u8>),
}
