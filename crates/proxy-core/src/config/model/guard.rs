//! What stands before a location beside `allow` and `deny`: passwords, another's word, and bounds
//! of rate and number; and the rate of its answers.

use std::collections::HashMap;
use std::sync::Arc;

use super::{ErrorLevel, Expression, Shared, Template};

/// What stands before a location.
#[derive(Clone, Debug, Default)]
pub struct Guard {
    /// nginx: `satisfy`, all: whether one of those who let in is enough.
    pub satisfies_any: bool,
    /// nginx: `auth_basic`; none where it is off.
    pub realm: Option<Template>,
    /// nginx: `auth_basic_user_file`.
    pub user_file: Option<Template>,
    /// nginx: `auth_request`: the path of the subrequest.
    pub ask: Option<Vec<u8>>,
    /// nginx: `auth_request_set`: an index into `Config::own_variables`, and what it becomes.
    pub answers: Shared<(usize, Template)>,
    /// nginx: `auth_delay`, 0: how long a 401 waits.
    pub refusal_delay_ms: u64,
    /// nginx: `limit_req`.
    pub requests: Limits<RequestLimit>,
    /// nginx: `valid_referers`.
    pub referers: Option<Arc<Referers>>,
    /// nginx: `secure_link`, `secure_link_md5` and `secure_link_secret`.
    pub link: SecureLink,
    /// nginx: `limit_rate`.
    pub rate: Option<Template>,
    /// nginx: `limit_rate_after`.
    pub rate_after: Option<Template>,
    /// nginx: `limit_conn`.
    pub connections: Limits<ConnectionLimit>,
}

impl Guard {
    /// The texts in it.
    pub fn templates(&self) -> impl Iterator<Item = &Template> {
        let answers = self.answers.iter().map(|(_, value)| value);
        let links = self.link.told.iter().chain(&self.link.hashed);
        let answers = answers.chain(links);
        let rates = self.rate.iter().chain(&self.rate_after);
        self.realm.iter().chain(&self.user_file).chain(rates).chain(answers)
    }
}

/// Bounds of one kind with what becomes of who is beyond.
#[derive(Clone, Debug)]
pub struct Limits<L> {
    /// All of them hold.
    pub list: Shared<L>,
    /// nginx: `limit_…_status`, 503.
    pub status: u16,
    /// nginx: `limit_…_log_level`, error.
    pub level: ErrorLevel,
    /// nginx: `limit_…_dry_run`, off: whether it is only told.
    pub is_dry_run: bool,
}

impl<L> Default for Limits<L> {
    fn default() -> Self {
        Limits { list: Shared::default(), status: 503, level: ErrorLevel::Error, is_dry_run: false }
    }
}

/// nginx: `limit_req`. Thousandths of a request, since rates are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestLimit {
    /// Index into `Config::zones`.
    pub zone: usize,
    /// nginx: `burst`, 0: more than that above the rate is refused.
    pub burst: u64,
    /// nginx: `delay`, 0: more than that above the rate waits; without bound for `nodelay`.
    pub delay: u64,
}

/// nginx: `limit_conn`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionLimit {
    /// Index into `Config::zones`.
    pub zone: usize,
    /// So many at a time at most.
    pub most: u32,
}

/// nginx: `valid_referers`. Names have the path that has to begin that of the referrer; an empty
/// one may be any.
#[derive(Debug, Default)]
pub struct Referers {
    /// `none`: one that is not told.
    pub none: bool,
    /// `blocked`: one that is no URL.
    pub blocked: bool,
    /// `server_names`: the server's own.
    pub own_names: bool,
    /// Names of hosts, lower case.
    pub exact: HashMap<Vec<u8>, Vec<u8>>,
    /// `*.example.com` as `.example.com`, longest first.
    pub suffixes: Vec<(Vec<u8>, Vec<u8>)>,
    /// `www.*` as `www.`, longest first.
    pub prefixes: Vec<(Vec<u8>, Vec<u8>)>,
    /// What is looked for behind the scheme.
    pub expressions: Vec<Expression>,
}

/// nginx: how a link shows that it was given out.
#[derive(Clone, Debug, Default)]
pub struct SecureLink {
    /// nginx: `secure_link`: the digest, and the time when it ends.
    pub told: Option<Template>,
    /// nginx: `secure_link_md5`: what the digest is of.
    pub hashed: Option<Template>,
    /// nginx: `secure_link_secret`.
    pub secret: Option<Vec<u8>>,
}
