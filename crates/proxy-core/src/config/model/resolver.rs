//! Who is asked for names that requests bring.

use std::sync::Arc;

use super::Template;

/// nginx: `resolver`. Two of the same settings are the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolver {
    /// Host and port of each name server, in the order of the file; at least one.
    pub servers: Vec<(String, u16)>,
    /// nginx: `valid`: how long an answer holds, whatever it says itself.
    pub valid_ms: Option<u64>,
    /// nginx: `ipv4`, on: whether addresses of IPv4 are asked for.
    pub ipv4: bool,
    /// nginx: `ipv6`, on: whether addresses of IPv6 are asked for.
    pub ipv6: bool,
}

/// nginx: `resolver` and `resolver_timeout` of a level.
#[derive(Clone, Debug)]
pub struct Resolving {
    /// Nobody is asked where the file names none.
    pub resolver: Option<Arc<Resolver>>,
    /// nginx: `resolver_timeout`, 30 s: how long a request waits for an answer.
    pub timeout_ms: u64,
}

impl Default for Resolving {
    fn default() -> Self {
        Resolving { resolver: None, timeout_ms: 30_000 }
    }
}

/// A place to pass to that variables make for each request.
#[derive(Clone, Debug)]
pub struct MadePlace {
    /// The whole text.
    pub text: Template,
    /// Who is asked where it names a host that the file does not have.
    pub resolving: Resolving,
}
