//! `proxy_pass` and what belongs to it.

use std::sync::Arc;

use super::{Changes, Expression, FastCgi, MINUTE_MS, MadePlace, Scheme, Shared, Template};

/// nginx: `proxy_pass` and what belongs to it.
#[derive(Clone, Debug)]
pub struct ProxyPass {
    /// Index into `Config::upstreams`.
    pub upstream: usize,
    /// The URL as written.
    pub url: PassUrl,
    /// Fields set towards the upstream, nginx's defaults (`Host $proxy_host`) included unless set;
    /// an empty value removes the field. `Connection`, `Keep-Alive`, `TE`, `Transfer-Encoding` and
    /// `Content-Length` are the framing's own: `Connection` is kept here only for `upgrade`.
    pub set_headers: Shared<SetHeader>,
    /// nginx: `proxy_http_version`; 1.1 by default here.
    pub http11: bool,
    /// How long the upstream is waited for.
    pub timeouts: ProxyTimeouts,
    /// nginx: `proxy_redirect`, for `Location` and `Refresh`; empty when off.
    pub redirects: Vec<ProxyRedirect>,
    /// Response fields not passed on, lower case: nginx's own list (`Date`, `Server`, `X-Pad`,
    /// `X-Accel-…`) less `proxy_pass_header`, plus `proxy_hide_header`.
    pub hidden: Shared<Vec<u8>>,
    /// When the next server is tried.
    pub next_upstream: NextUpstream,
    /// nginx: `proxy_buffer_size`: longest head of an answer, in bytes.
    pub buffer_bytes: usize,
    /// What an answer steers.
    pub steering: Steering,
    /// What of a request goes on.
    pub sending: Sending,
    /// What is made of the request and the answer beyond that, if anything is.
    pub changes: Option<Arc<Changes>>,
}

impl ProxyPass {
    /// What a FastCGI application is told, where the upstream is one.
    pub fn fastcgi(&self) -> Option<&FastCgi> {
        match &self.url.scheme {
            Scheme::Http => None,
            Scheme::FastCgi(to) => Some(to),
        }
    }
}

/// What of a request goes to an upstream.
#[derive(Clone, Copy, Debug)]
pub struct Sending {
    /// nginx: `client_body_buffer_size`, 16k: what of a request's body is kept, in bytes, so that
    /// it can be sent to the next server.
    pub replay_bytes_max: usize,
    /// nginx: `proxy_pass_request_headers`, on.
    pub fields: bool,
    /// nginx: `proxy_pass_request_body`, on.
    pub body: bool,
    /// nginx: `proxy_ignore_client_abort`, off: whether the exchange with the upstream goes on
    /// when the client has gone.
    pub outlives_client: bool,
}

/// nginx: one `proxy_redirect`: what is found, and what is put in its place.
#[derive(Clone, Debug)]
pub enum ProxyRedirect {
    /// A text at the front; the rest stays.
    Prefix {
        /// What is found.
        from: Template,
        /// What replaces it.
        to: Template,
    },
    /// An expression anywhere; nothing stays.
    Pattern {
        /// What is found.
        from: Expression,
        /// What replaces the whole, which may name the expression's groups.
        to: Template,
    },
}

impl ProxyRedirect {
    /// The texts in it.
    pub fn templates(&self) -> impl Iterator<Item = &Template> {
        let (from, to) = match self {
            ProxyRedirect::Prefix { from, to } => (Some(from), to),
            ProxyRedirect::Pattern { to, .. } => (None, to),
        };
        from.into_iter().chain([to])
    }
}

/// What an upstream's answer may steer here.
#[derive(Clone, Copy, Debug, Default)]
pub struct Steering {
    /// nginx: `proxy_ignore_headers`, none: fields of the answer that steer nothing.
    pub ignored: IgnoredFields,
    /// nginx: `proxy_intercept_errors`, off: whether an `error_page` takes the place of an answer.
    pub intercepts_errors: bool,
    /// nginx: `proxy_force_ranges`, off: whether a part of an answer is sent where the client asks
    /// for one, whatever the upstream says.
    pub forces_ranges: bool,
    /// nginx: `proxy_pass_trailers`, off: whether fields that follow an answer go on, and are asked
    /// for.
    pub passes_trailers: bool,
}

/// The URL of a `proxy_pass`, taken apart.
#[derive(Clone, Debug, Default)]
pub struct PassUrl {
    /// nginx: `$proxy_host`, the host (with a port other than 80) as written.
    pub host: Vec<u8>,
    /// nginx: `$proxy_port`.
    pub port: Vec<u8>,
    /// The whole where variables make it for each request; then there is no more of it, and the
    /// pass's group is none.
    pub by_variables: Option<Arc<MadePlace>>,
    /// URI part: the matched prefix is replaced by it. `None` passes the raw request target.
    pub uri: Option<Vec<u8>>,
    /// How the upstream is spoken to.
    pub scheme: Scheme,
}

/// How long an upstream is waited for.
#[derive(Clone, Copy, Debug)]
pub struct ProxyTimeouts {
    /// nginx: `proxy_connect_timeout`, 60 s.
    pub connect_ms: u64,
    /// nginx: `proxy_read_timeout`, 60 s, between two reads.
    pub read_ms: u64,
    /// nginx: `proxy_send_timeout`, 60 s, between two writes.
    pub send_ms: u64,
}

impl Default for ProxyTimeouts {
    fn default() -> Self {
        ProxyTimeouts { connect_ms: MINUTE_MS, read_ms: MINUTE_MS, send_ms: MINUTE_MS }
    }
}

/// When a request that failed at one server of a group goes to the next.
#[derive(Clone, Copy, Debug)]
pub struct NextUpstream {
    /// nginx: `proxy_next_upstream`, `error timeout`; empty when off.
    pub conditions: NextConditions,
    /// nginx: `proxy_next_upstream_tries`, 0: how many servers are tried, the first one included;
    /// 0 has no bound.
    pub tries: u32,
    /// nginx: `proxy_next_upstream_timeout`, 0: how long after its first try a request may still
    /// go to a next server; 0 has no bound.
    pub timeout_ms: u64,
}

impl Default for NextUpstream {
    fn default() -> Self {
        let conditions = NextConditions::ERROR.and(NextConditions::TIMEOUT);
        NextUpstream { conditions, tries: 0, timeout_ms: 0 }
    }
}

/// A set of what nginx's `proxy_next_upstream` lists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NextConditions(u16);

impl NextConditions {
    /// Nothing: nginx's `off`.
    pub const NONE: NextConditions = NextConditions(0);
    /// The connection could not be made, or broke before the head of the answer was read.
    pub const ERROR: NextConditions = NextConditions(1);
    /// A time ran out before the head of the answer was read.
    pub const TIMEOUT: NextConditions = NextConditions(1 << 1);
    /// The answer was empty or its head malformed.
    pub const INVALID_HEADER: NextConditions = NextConditions(1 << 2);
    /// The answer was 500.
    pub const HTTP_500: NextConditions = NextConditions(1 << 3);
    /// The answer was 502.
    pub const HTTP_502: NextConditions = NextConditions(1 << 4);
    /// The answer was 503.
    pub const HTTP_503: NextConditions = NextConditions(1 << 5);
    /// The answer was 504.
    pub const HTTP_504: NextConditions = NextConditions(1 << 6);
    /// The answer was 403.
    pub const HTTP_403: NextConditions = NextConditions(1 << 7);
    /// The answer was 404.
    pub const HTTP_404: NextConditions = NextConditions(1 << 8);
    /// The answer was 429.
    pub const HTTP_429: NextConditions = NextConditions(1 << 9);
    /// A request that has reached a server is sent again even if its method is POST, LOCK or
    /// PATCH.
    pub const NON_IDEMPOTENT: NextConditions = NextConditions(1 << 10);

    /// Both sets together.
    pub const fn and(self, others: NextConditions) -> NextConditions {
        NextConditions(self.0 | others.0)
    }

    /// Whether all of `others`, of which there is at least one, are in the set.
    pub const fn contains(self, others: NextConditions) -> bool {
        others.0 != 0 && self.0 & others.0 == others.0
    }

    /// The condition that an answer of this status meets, if there is one.
    pub const fn for_status(status: u16) -> Option<NextConditions> {
        Some(match status {
            500 => NextConditions::HTTP_500,
            502 => NextConditions::HTTP_502,
            503 => NextConditions::HTTP_503,
            504 => NextConditions::HTTP_504,
            403 => NextConditions::HTTP_403,
            404 => NextConditions::HTTP_404,
            429 => NextConditions::HTTP_429,
            _ => return None,
        })
    }
}

/// A set of the fields that nginx's `proxy_ignore_headers` lists and that mean something here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IgnoredFields(u8);

impl IgnoredFields {
    /// Nothing.
    pub const NONE: IgnoredFields = IgnoredFields(0);
    /// `X-Accel-Redirect`: the answer is another location's.
    pub const REDIRECT: IgnoredFields = IgnoredFields(1);
    /// `X-Accel-Limit-Rate`: bytes a second of the answer.
    pub const LIMIT_RATE: IgnoredFields = IgnoredFields(1 << 1);
    /// `X-Accel-Buffering`: whether the answer is buffered.
    pub const BUFFERING: IgnoredFields = IgnoredFields(1 << 2);
    /// `X-Accel-Charset`: the charset of the answer.
    pub const CHARSET: IgnoredFields = IgnoredFields(1 << 3);
    /// `X-Accel-Expires`: how long the answer may be cached.
    pub const EXPIRES: IgnoredFields = IgnoredFields(1 << 4);

    /// Both sets together.
    pub const fn and(self, others: IgnoredFields) -> IgnoredFields {
        IgnoredFields(self.0 | others.0)
    }

    /// Whether all of `others`, of which there is at least one, are in the set.
    pub const fn contains(self, others: IgnoredFields) -> bool {
        others.0 != 0 && self.0 & others.0 == others.0
    }
}

/// A field set towards the upstream.
#[derive(Debug, Clone)]
pub struct SetHeader {
    /// As written.
    pub name: Vec<u8>,
    /// Evaluated for each request; empty removes the field.
    pub value: Template,
    /// The proxy writes the field itself, by what the connection is: this one is not sent.
    pub is_framing: bool,
}
