//! What can go wrong with a request, who is to blame, and the status that nginx gives it.
//!
//! It names and words; what is done about a fault is decided elsewhere.

use std::fmt;

use http1::Reject;

use crate::clock::Millis;
use crate::config::model::{ErrorLevel, NextConditions};
use crate::net::Cause;
use crate::resolver::wire::NameFault;
use crate::upstream::fastcgi::Flaw;

/// Why the proxy answered itself or gave up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The client broke HTTP.
    Client(Reject),
    /// The client left before it had its answer (nginx: 499).
    ClientLeft,
    /// The client was too slow with its head or body.
    ClientTooSlow,
    /// The client did not take the answer in time.
    ClientStalled,
    /// The body is larger than `client_max_body_size`.
    BodyTooLarge,
    /// A chunked body for an upstream that is spoken to in HTTP/1.0.
    LengthRequired,
    /// More internal redirects and rewrites than nginx makes.
    RedirectCycle,
    /// nginx: `deny`.
    Denied,
    /// A rewrite leaves nothing of the path.
    EmptyPath,
    /// nginx: an `if` that leads to an upstream was entered, and then one that knows none.
    NoPass,
    /// The variables of a `proxy_pass` make no URL.
    NoUrl,
    /// They make a name, and nobody looks one up for them.
    NoResolver,
    /// The name servers have no address of the name that the variables make.
    Name(NameFault),
    /// A variable's value is longer than any may be.
    ValueTooLong,
    /// There is no named location of that name.
    NoSuchName,
    /// A named location was to get a body that has gone elsewhere.
    BodyGone,
    /// A file has become shorter while it was sent.
    FileCut,
    /// A file cannot be read any more.
    FileUnreadable(Cause),
    /// The content that was to be unpacked is no gzip stream, or a part of one.
    NotGzip,
    /// No descriptor, port or memory here for a connection to the upstream.
    Shortage(Cause),
    /// Connections to the upstream cannot come from the address that the file says.
    Bind(Cause),
    /// An upstream failed.
    Upstream(UpstreamFault),
}

/// How an upstream failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UpstreamFault {
    /// Every server is down, marked so, or tried.
    NoneLive,
    /// The server's name has no address yet.
    Unresolved,
    /// The connection was refused, or its way is broken.
    Connect(Cause),
    /// Its address cannot be reached from here, which is not its fault.
    Unusable(Cause),
    /// `proxy_connect_timeout` is over.
    ConnectTimedOut,
    /// `proxy_send_timeout` is over.
    SendTimedOut,
    /// `proxy_read_timeout` is over.
    ReadTimedOut,
    /// It closed before it had answered.
    Closed,
    /// The connection broke before it had answered.
    Broken(Cause),
    /// It broke HTTP.
    Malformed(Reject),
    /// It broke FastCGI.
    FastCgi(Flaw),
    /// It changes to a protocol that nobody asked for.
    UnaskedUpgrade,
    /// It answered with this status, and the next server was to be tried.
    Status(u16),
}

impl UpstreamFault {
    /// nginx: which condition of `proxy_next_upstream` this is; none where no other server helps.
    pub fn condition(self) -> Option<NextConditions> {
        match self {
            UpstreamFault::NoneLive | UpstreamFault::UnaskedUpgrade => None,
            UpstreamFault::Unresolved
            | UpstreamFault::Connect(_)
            | UpstreamFault::Unusable(_)
            | UpstreamFault::Closed
            | UpstreamFault::Broken(_) => Some(NextConditions::ERROR),
            UpstreamFault::ConnectTimedOut
            | UpstreamFault::SendTimedOut
            | UpstreamFault::ReadTimedOut => Some(NextConditions::TIMEOUT),
            UpstreamFault::Malformed(_) | UpstreamFault::FastCgi(_) => {
                Some(NextConditions::INVALID_HEADER)
            }
            UpstreamFault::Status(status) => NextConditions::for_status(status),
        }
    }

    /// nginx: the status of the attempt, and of the answer if it was the last one.
    pub fn status(self) -> u16 {
        match self {
            UpstreamFault::ConnectTimedOut
            | UpstreamFault::SendTimedOut
            | UpstreamFault::ReadTimedOut => 504,
            UpstreamFault::Status(status) => status,
            UpstreamFault::Unusable(_) => 503,
            _ => 502,
        }
    }

    /// nginx: 403 and 404 of a server do not count against it.
    pub fn counts_against_server(self) -> bool {
        !matches!(
            self,
            UpstreamFault::NoneLive
                | UpstreamFault::UnaskedUpgrade
                | UpstreamFault::Unusable(_)
                | UpstreamFault::Status(403 | 404)
        )
    }
}

impl Fault {
    /// nginx's status for it.
    pub fn status(self) -> u16 {
        match self {
            Fault::Client(reject) => reject.status(),
            Fault::ClientLeft => 499,
            Fault::ClientTooSlow | Fault::ClientStalled => 408,
            Fault::BodyTooLarge => 413,
            Fault::Denied => 403,
            Fault::LengthRequired => 411,
            Fault::RedirectCycle | Fault::EmptyPath | Fault::ValueTooLong | Fault::NoUrl => 500,
            Fault::NoResolver | Fault::Name(_) => 502,
            Fault::NoSuchName | Fault::BodyGone | Fault::NoPass => 500,
            Fault::FileCut | Fault::FileUnreadable(_) | Fault::Bind(_) => 500,
            Fault::NotGzip => 502,
            Fault::Shortage(_) => 503,
            Fault::Upstream(fault) => fault.status(),
        }
    }

    /// Faults of one kind share a throttle in the log.
    pub fn kind(self) -> usize {
        match self {
            Fault::Client(_) => 0,
            Fault::ClientLeft => 1,
            Fault::ClientTooSlow => 2,
            Fault::ClientStalled => 3,
            Fault::BodyTooLarge => 4,
            Fault::LengthRequired => 5,
            Fault::RedirectCycle => 6,
            Fault::Shortage(_) => 7,
            Fault::Bind(_) => 29,
            Fault::NotGzip => 30,
            Fault::Upstream(UpstreamFault::NoneLive) => 8,
            Fault::Upstream(UpstreamFault::Unresolved) => 9,
            Fault::Upstream(UpstreamFault::Connect(_)) => 10,
            Fault::Upstream(UpstreamFault::ConnectTimedOut) => 11,
            Fault::Upstream(UpstreamFault::SendTimedOut) => 12,
            Fault::Upstream(UpstreamFault::ReadTimedOut) => 13,
            Fault::Upstream(UpstreamFault::Closed) => 14,
            Fault::Upstream(UpstreamFault::Broken(_)) => 15,
            Fault::Upstream(UpstreamFault::Malformed(_) | UpstreamFault::FastCgi(_)) => 16,
            Fault::Upstream(UpstreamFault::UnaskedUpgrade) => 17,
            Fault::Upstream(UpstreamFault::Status(_)) => 18,
            Fault::Upstream(UpstreamFault::Unusable(_)) => 19,
            Fault::EmptyPath => 20,
            Fault::ValueTooLong => 21,
            Fault::NoSuchName => 22,
            Fault::BodyGone => 23,
            Fault::Denied => 24,
            Fault::FileCut => 25,
            Fault::FileUnreadable(_) => 26,
            Fault::NoUrl | Fault::NoPass => 27,
            Fault::NoResolver => 28,
            Fault::Name(_) => 31,
        }
    }

    /// nginx tells of what clients do at its level info, of the rest as errors.
    pub fn level(self) -> ErrorLevel {
        match self {
            Fault::Client(_)
            | Fault::ClientLeft
            | Fault::ClientTooSlow
            | Fault::ClientStalled
            | Fault::LengthRequired => ErrorLevel::Info,
            _ => ErrorLevel::Error,
        }
    }
}

impl fmt::Display for UpstreamFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            UpstreamFault::NoneLive => write!(f, "no live servers in the upstream"),
            UpstreamFault::Unresolved => write!(f, "the upstream's name does not resolve"),
            UpstreamFault::Connect(cause) => write!(f, "cannot connect to the upstream: {cause}"),
            UpstreamFault::Unusable(cause) => {
                write!(f, "no connection to the upstream can be made from here: {cause}")
            }
            UpstreamFault::ConnectTimedOut => write!(f, "timed out while connecting to upstream"),
            UpstreamFault::SendTimedOut => write!(f, "timed out while sending to the upstream"),
            UpstreamFault::ReadTimedOut => write!(f, "timed out while reading from the upstream"),
            UpstreamFault::Closed => write!(f, "the upstream closed before its answer ended"),
            UpstreamFault::Broken(cause) => write!(f, "connection to the upstream broke: {cause}"),
            UpstreamFault::Malformed(reject) => {
                write!(f, "the upstream sent an invalid answer: {}", reject.label())
            }
            UpstreamFault::FastCgi(flaw) => write!(f, "the upstream sent {flaw}"),
            UpstreamFault::UnaskedUpgrade => write!(f, "the upstream sent 101 without being asked"),
            UpstreamFault::Status(status) => write!(f, "the upstream answered {status}"),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Client(reject) => write!(f, "the client sent {}", reject.label()),
            Fault::ClientLeft => write!(f, "the client left before it had its answer"),
            Fault::ClientTooSlow => write!(f, "the client timed out while its request was read"),
            Fault::ClientStalled => write!(f, "the client timed out while its answer was sent"),
            Fault::BodyTooLarge => write!(f, "the client intended to send too large a body"),
            Fault::LengthRequired => {
                write!(f, "a chunked body cannot go to an upstream in HTTP/1.0")
            }
            Fault::RedirectCycle => write!(f, "rewrites or internal redirects lead in a circle"),
            Fault::Denied => write!(f, "access forbidden by rule"),
            Fault::EmptyPath => write!(f, "the rewritten URI has a zero length"),
            Fault::NoPass => write!(f, "no upstream configuration in the last \"if\""),
            Fault::NoUrl => write!(f, "the variables of \"proxy_pass\" make no valid URL"),
            Fault::NoResolver => write!(f, "no resolver defined to resolve the upstream's name"),
            Fault::Name(fault) => write!(f, "the upstream's name could not be resolved ({fault})"),
            Fault::ValueTooLong => write!(f, "the value of a variable is too long"),
            Fault::NoSuchName => write!(f, "could not find the named location"),
            Fault::BodyGone => write!(f, "a body that has gone to an upstream is not sent again"),
            Fault::FileCut => write!(f, "a file was cut while it was sent"),
            Fault::FileUnreadable(cause) => write!(f, "a file cannot be read any more: {cause}"),
            Fault::NotGzip => write!(f, "content that says it is gzip is not, or is cut"),
            Fault::Shortage(cause) => {
                write!(f, "no connection to the upstream can be made here: {cause}")
            }
            Fault::Bind(cause) => write!(f, "bind() for the upstream failed: {cause}"),
            Fault::Upstream(fault) => fault.fmt(f),
        }
    }
}

/// Kinds of faults, see [`Fault::kind`].
const KINDS: usize = 32;
/// A fault of one kind is told so often at most.
const INTERVAL_MS: Millis = 1_000;

/// Says which faults are told: one of a kind in a second, with the count of the others.
#[derive(Debug, Default)]
pub struct Throttle {
    kinds: [(Option<Millis>, u64); KINDS],
}

impl Throttle {
    /// `Some(n)` to tell this one, `n` of its kind having been held back since the last.
    pub fn allow(&mut self, fault: Fault, now: Millis) -> Option<u64> {
        debug_assert!(fault.kind() < KINDS, "each kind has its place");
        let (told, held_back) = self.kinds.get_mut(fault.kind())?;
        if told.is_some_and(|at| now < at.saturating_add(INTERVAL_MS)) {
            *held_back += 1;
            return None;
        }
        *told = Some(now);
        Some(std::mem::take(held_back))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_of_one_kind_never_takes_anothers_place() {
        let bad = Fault::Client(Reject::HostMissing);
        let refused = Fault::Upstream(UpstreamFault::Connect(Cause(111)));
        let mut throttle = Throttle::default();
        assert_eq!(throttle.allow(bad, 0), Some(0));
        assert_eq!(throttle.allow(bad, 999), None);
        assert_eq!(throttle.allow(refused, 999), Some(0));
        assert_eq!(throttle.allow(bad, 1_000), Some(1));
        assert_eq!(throttle.allow(bad, 2_000), Some(0));
    }

    /// Every kind once, but for the words that depend on a cause.
    const UPSTREAM: [UpstreamFault; 13] = [
        UpstreamFault::NoneLive,
        UpstreamFault::Unresolved,
        UpstreamFault::Connect(Cause(111)),
        UpstreamFault::Unusable(Cause(99)),
        UpstreamFault::ConnectTimedOut,
        UpstreamFault::SendTimedOut,
        UpstreamFault::ReadTimedOut,
        UpstreamFault::Closed,
        UpstreamFault::Broken(Cause(104)),
        UpstreamFault::Malformed(Reject::StatusMalformed),
        UpstreamFault::UnaskedUpgrade,
        UpstreamFault::Status(503),
        UpstreamFault::Status(404),
    ];

    #[test]
    fn each_fault_of_an_upstream_has_nginxs_status_and_condition() {
        use NextConditions as N;
        let error = Some(N::ERROR);
        let timeout = Some(N::TIMEOUT);
        let expected = [
            (502, None, false),
            (502, error, true),
            (502, error, true),
            (503, error, false),
            (504, timeout, true),
            (504, timeout, true),
            (504, timeout, true),
            (502, error, true),
            (502, error, true),
            (502, Some(N::INVALID_HEADER), true),
            (502, None, false),
            (503, Some(N::HTTP_503), true),
            (404, Some(N::HTTP_404), false),
        ];
        for (fault, expected) in UPSTREAM.into_iter().zip(expected) {
            let found = (fault.status(), fault.condition(), fault.counts_against_server());
            assert_eq!(found, expected, "{fault}");
            assert_eq!(Fault::Upstream(fault).status(), fault.status());
        }
        assert_eq!(UpstreamFault::Status(418).condition(), None);
    }

    #[test]
    fn each_fault_has_its_status_and_level_and_a_kind_of_its_own() {
        use ErrorLevel::{Error, Info};
        let own = [
            (Fault::Client(Reject::HostMissing), 400, Info),
            (Fault::ClientLeft, 499, Info),
            (Fault::NoUrl, 500, Error),
            (Fault::NoPass, 500, Error),
            (Fault::NoResolver, 502, Error),
            (Fault::Name(NameFault::NotFound), 502, Error),
            (Fault::ClientTooSlow, 408, Info),
            (Fault::ClientStalled, 408, Info),
            (Fault::BodyTooLarge, 413, Error),
            (Fault::LengthRequired, 411, Info),
            (Fault::RedirectCycle, 500, Error),
            (Fault::Denied, 403, Error),
            (Fault::EmptyPath, 500, Error),
            (Fault::ValueTooLong, 500, Error),
            (Fault::NoSuchName, 500, Error),
            (Fault::BodyGone, 500, Error),
            (Fault::FileCut, 500, Error),
            (Fault::FileUnreadable(Cause(5)), 500, Error),
            (Fault::Shortage(Cause(24)), 503, Error),
            (Fault::Bind(Cause(99)), 500, Error),
            (Fault::NotGzip, 502, Error),
        ];
        for (fault, status, level) in own {
            assert_eq!((fault.status(), fault.level()), (status, level), "{fault}");
        }
        let all = own.map(|(fault, _, _)| fault).into_iter();
        let mut kinds: Vec<usize> =
            all.chain(UPSTREAM.into_iter().map(Fault::Upstream)).map(Fault::kind).collect();
        kinds.sort_unstable();
        kinds.dedup();
        // Statuses are one kind, whichever they are.
        assert_eq!(kinds, (0..KINDS).collect::<Vec<_>>());
    }

    #[test]
    fn faults_are_told_with_their_cause() {
        let told = Fault::Upstream(UpstreamFault::Connect(Cause(111))).to_string();
        assert_eq!(told, "cannot connect to the upstream: Connection refused (111)");
        let mut told: Vec<String> = UPSTREAM.iter().map(ToString::to_string).collect();
        told.sort();
        told.dedup();
        assert_eq!(told.len(), UPSTREAM.len(), "each in words of its own");
    }
}
