//! How far an exchange has come.

use crate::clock::Millis;
use crate::phases::Stage;

/// What goes on once the content of another place is out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Then {
    /// An upstream's content, which has waited.
    Upstream,
    /// A content that is made here.
    Own,
    /// Nothing: all of it is out.
    End,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Nothing is decided yet.
    Starting,
    /// Its turn, or its refusal, is waited for.
    Pausing {
        until_ms: Millis,
        then: Stage,
    },
    /// A body is held until all of it is there.
    Gathering {
        is_for_mirrors: bool,
    },
    /// The name of the server is looked up.
    Resolving {
        until_ms: Millis,
    },
    /// A connection to a server is looked for.
    Connecting,
    /// Request and answer pass.
    Exchanging,
    /// Bytes pass both ways; what has ended of the two.
    Tunnel {
        client_ended: bool,
        upstream_ended: bool,
    },
    /// The answer's head is out, and what another place answers stands around its content.
    Adding {
        then: Then,
    },
    /// The answer's head is out, and its content is sent out of a file.
    Sending,
    /// The answer is out; the rest of the request is read away until then.
    Discarding {
        until_ms: Millis,
    },
    Complete,
}
