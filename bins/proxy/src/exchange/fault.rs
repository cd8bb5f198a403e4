//! What can go wrong with a request, who is to blame, and the status nginx gives it.

use http1::Reject;

/// Why there is no upstream connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectFault {
    /// The name has no address yet.
    Unresolved,
    /// Refused, unreachable or reset.
    Refused,
    /// `proxy_connect_timeout` is over.
    TimedOut,
    /// Every server is down or marked so.
    NoneLive,
}

/// Why the proxy answered itself or gave up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The client broke HTTP.
    Client(Reject),
    /// The client left before it had its answer (nginx: 499).
    ClientLeft,
    /// The client was too slow with its body.
    ClientTooSlow,
    /// The client did not take the answer in time.
    ClientStalled,
    /// The body is larger than `client_max_body_size`.
    BodyTooLarge,
    /// No connection to the upstream.
    Connect(ConnectFault),
    /// The upstream broke HTTP.
    Upstream(Reject),
    /// The upstream closed before it had answered.
    UpstreamClosed,
    /// The upstream was too slow.
    UpstreamTimedOut,
    /// The upstream changes to a protocol that nobody asked for.
    UnaskedUpgrade,
    /// A chunked body for an upstream that is spoken to in HTTP/1.0.
    LengthRequired,
}

impl Fault {
    /// nginx's status for it.
    pub fn status(self) -> u16 {
        match self {
            Fault::Client(reject) => reject.status(),
            Fault::ClientLeft => 499,
            Fault::ClientTooSlow | Fault::ClientStalled => 408,
            Fault::BodyTooLarge => 413,
            Fault::Connect(ConnectFault::TimedOut) | Fault::UpstreamTimedOut => 504,
            Fault::Connect(_) | Fault::Upstream(_) | Fault::UpstreamClosed => 502,
            Fault::UnaskedUpgrade => 502,
            Fault::LengthRequired => 411,
        }
    }

    /// For the error log.
    pub fn text(self) -> &'static str {
        match self {
            Fault::Client(reject) => reject.label(),
            Fault::ClientLeft => "client closed its connection before it had its answer",
            Fault::ClientTooSlow => "client timed out while its body was read",
            Fault::ClientStalled => "client timed out while the answer was sent to it",
            Fault::BodyTooLarge => "client intended to send too large a body",
            Fault::Connect(ConnectFault::Unresolved) => "the upstream's name does not resolve",
            Fault::Connect(ConnectFault::Refused) => "connection to the upstream failed",
            Fault::Connect(ConnectFault::TimedOut) => "timed out while connecting to the upstream",
            Fault::Connect(ConnectFault::NoneLive) => "no live servers in the upstream",
            Fault::Upstream(_) => "the upstream sent an invalid response",
            Fault::UpstreamClosed => "the upstream closed its connection before its answer ended",
            Fault::UpstreamTimedOut => "timed out while the upstream's answer was read",
            Fault::UnaskedUpgrade => "the upstream sent 101 without being asked to",
            Fault::LengthRequired => "a chunked body cannot go to an upstream in HTTP/1.0",
        }
    }
}
