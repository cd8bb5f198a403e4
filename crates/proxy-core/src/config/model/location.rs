//! What a location is: the client's side of its settings and what it answers with.

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::Arc;

use super::{
    Access, Bodies, Expression, Files, Logs, MINUTE_MS, Program, ProxyPass, Script, Shared,
    Template,
};
use crate::config::prefixes::Prefixes;

/// A `location` with all that it inherits.
#[derive(Debug)]
pub struct Location {
    /// The prefix or the exact path as written; empty for a regular expression.
    pub path: Vec<u8>,
    /// What is done once it is found.
    pub program: Program,
    /// What answers.
    pub handler: Handler,
    /// How it is found, and what is found in it.
    pub search: Search,
    /// What its level says, or those around it.
    pub settings: Arc<Settings>,
}

impl Deref for Location {
    type Target = Settings;

    fn deref(&self) -> &Settings {
        &self.settings
    }
}

/// What holds in a location. Levels that say nothing of it have those of the level around them,
/// and not a copy: there may be ten thousand.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What the client is allowed and given time for.
    pub client: ClientSide,
    /// nginx: `add_header`.
    pub add_headers: Shared<AddHeader>,
    /// What is written down of its requests.
    pub logs: Logs,
    /// Where files are, and what they and other answers made here are said to be.
    pub files: Arc<Files>,
    /// How a redirect to a path is written.
    pub redirect: RedirectForm,
    /// nginx: `server_tokens`, on; off leaves the version out.
    pub server_tokens: bool,
    /// Pages of the file's own for errors.
    pub errors: ErrorPages,
    /// Who may ask for what of it.
    pub access: Access,
}

/// What the search for a location has to know of one, and what paths in it are made of.
#[derive(Debug, Default)]
pub struct Search {
    /// nginx: `^~`: where this is the longest prefix, no regular expression beside it is tried.
    pub is_final: bool,
    /// nginx: `internal`, its own or one around it: no client may ask for it.
    pub is_internal: bool,
    /// Locations inside this one, if there are any.
    pub nested: Option<Box<Locations>>,
    /// nginx: `fastcgi_split_path_info` and `fastcgi_index`.
    pub script: Option<Arc<Script>>,
}

/// The client's side of an exchange: bounds and times.
#[derive(Clone, Debug)]
pub struct ClientSide {
    /// nginx: `client_max_body_size` in bytes, 1m; `None` is unlimited (0 in the file).
    pub body_bytes_max: Option<u64>,
    /// nginx: `client_body_timeout`, 60 s, between two reads.
    pub body_timeout_ms: u64,
    /// nginx: `send_timeout`, 60 s, between two writes.
    pub send_timeout_ms: u64,
    /// How long its connection is kept.
    pub keepalive: Keepalive,
    /// What is read after the last answer of a connection.
    pub lingering: Lingering,
    /// What becomes of the content that it gets.
    pub bodies: Arc<Bodies>,
    /// Who else gets its requests.
    pub mirrors: Mirrors,
}

/// nginx: `mirror`: paths of subrequests like the request, whose answers nobody gets.
#[derive(Clone, Debug)]
pub struct Mirrors {
    /// As written.
    pub paths: Shared<Vec<u8>>,
    /// nginx: `mirror_request_body`, on: the body is read first, and goes with them.
    pub takes_body: bool,
}

impl Default for Mirrors {
    fn default() -> Self {
        Mirrors { paths: Shared::default(), takes_body: true }
    }
}

impl Default for ClientSide {
    fn default() -> Self {
        ClientSide {
            body_bytes_max: Some(1 << 20),
            body_timeout_ms: MINUTE_MS,
            send_timeout_ms: MINUTE_MS,
            keepalive: Keepalive::default(),
            lingering: Lingering::default(),
            bodies: Arc::default(),
            mirrors: Mirrors::default(),
        }
    }
}

/// How a connection is closed while the client may still be sending: what it sends is read away,
/// so that no reset overtakes the answer.
#[derive(Clone, Copy, Debug)]
pub struct Lingering {
    /// nginx: `lingering_close`, on.
    pub close: LingeringClose,
    /// nginx: `lingering_time`, 30 s: the longest that is read.
    pub time_ms: u64,
    /// nginx: `lingering_timeout`, 5 s: the longest between two reads.
    pub timeout_ms: u64,
}

impl Default for Lingering {
    fn default() -> Self {
        Lingering { close: LingeringClose::On, time_ms: 30_000, timeout_ms: 5_000 }
    }
}

/// nginx: `lingering_close`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LingeringClose {
    /// Never: the connection is closed at once.
    Off,
    /// Where the client may still be sending.
    On,
    /// On every close.
    Always,
}

/// How long a client's connection is kept between requests.
#[derive(Clone, Copy, Debug)]
pub struct Keepalive {
    /// nginx: `keepalive_timeout`, 75 s; 0 closes after each answer.
    pub timeout_ms: u64,
    /// nginx: second argument of `keepalive_timeout`, seconds for the `Keep-Alive` field.
    pub field_s: Option<u64>,
    /// nginx: `keepalive_requests`, 1000.
    pub requests: u64,
}

impl Default for Keepalive {
    fn default() -> Self {
        Keepalive { timeout_ms: 75_000, field_s: None, requests: 1000 }
    }
}

/// Types of answers that are made here.
#[derive(Clone, Debug)]
pub struct ContentTypes {
    /// nginx: `default_type`, text/plain.
    pub default_type: Vec<u8>,
    /// nginx: `types`. `Location::content_type` chooses.
    pub types: Arc<Types>,
}

impl Default for ContentTypes {
    fn default() -> Self {
        let types = [("html", "text/html"), ("gif", "image/gif"), ("jpg", "image/jpeg")];
        let types = types.map(|(ending, name)| (ending.into(), name.into()));
        ContentTypes {
            default_type: b"text/plain".to_vec(),
            types: Arc::new(types.into_iter().collect()),
        }
    }
}

/// The type by the ending, lower case.
pub type Types = HashMap<Vec<u8>, Vec<u8>>;

/// How a redirect to a path of this server is written.
#[derive(Clone, Copy, Debug)]
pub struct RedirectForm {
    /// nginx: `absolute_redirect`, on: with scheme and host.
    pub absolute: bool,
    /// nginx: `port_in_redirect`, on: with the port, if it is not 80.
    pub port: bool,
    /// nginx: `server_name_in_redirect`, off: the server's first name, not the client's Host.
    pub by_name: bool,
}

impl Default for RedirectForm {
    fn default() -> Self {
        RedirectForm { absolute: true, port: true, by_name: false }
    }
}

/// Locations of one level; both index `Server::locations`.
#[derive(Debug, Default)]
pub struct Locations {
    /// `=` locations by path.
    pub exact: HashMap<Vec<u8>, usize>,
    /// Prefix locations (`^~` among them).
    pub prefixes: Prefixes,
    /// `~` and `~*` locations in file order.
    pub expressions: Vec<(Expression, usize)>,
}

impl Locations {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.exact.is_empty() && self.prefixes.is_empty() && self.expressions.is_empty()
    }
}

/// What a location does with a request that its program has not answered.
#[derive(Clone, Debug)]
pub enum Handler {
    /// nginx: `proxy_pass` and `fastcgi_pass`.
    Proxy(Arc<ProxyPass>),
    /// A prefix location ending in `/` with a pass answers its path without the slash by 301.
    SlashRedirect,
    /// nginx: `stub_status`.
    StubStatus,
    /// nginx: where nothing else is said: `Location::files`.
    Files,
}

/// nginx: `return CODE [text]`, `return CODE URL`, `return URL`.
#[derive(Debug)]
pub struct Return {
    /// Status; 444 closes the connection without an answer.
    pub status: u16,
    /// Text of the body, or the URL of a redirect (301, 302, 303, 307, 308).
    pub text: Option<Template>,
}

/// Pages of the file's own for errors.
#[derive(Clone, Debug, Default)]
pub struct ErrorPages {
    /// nginx: `error_page`.
    pub pages: Shared<ErrorPage>,
    /// nginx: `recursive_error_pages`, off: a request has one page of the file's own.
    pub are_recursive: bool,
}

/// nginx: one status of an `error_page`.
#[derive(Clone, Debug)]
pub struct ErrorPage {
    /// The status that it is for.
    pub status: u16,
    /// The status of the answer.
    pub new_status: NewStatus,
    /// A path with its query, a named location, or an URL that the client is sent to.
    pub to: Template,
}

/// The status of a page's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NewStatus {
    /// That of the error.
    Same,
    /// nginx: `=`: that of whoever answers.
    Own,
    /// nginx: `=STATUS`.
    Other(u16),
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
