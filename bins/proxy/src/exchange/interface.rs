//! What passes between an exchange and its caller: events in, actions and bytes out.

use std::net::SocketAddr;

use super::fault::ConnectFault;

/// The client's connection, as far as requests and log lines speak of it.
#[derive(Debug, Clone, Copy)]
pub struct ClientInfo {
    /// The client's address.
    pub remote: SocketAddr,
    /// The address it connected to.
    pub local: SocketAddr,
    /// nginx: `$connection`.
    pub serial: u64,
    /// nginx: `$connection_requests`, this one included.
    pub requests: u64,
    /// The proxy is draining: the answer says `Connection: close`.
    pub draining: bool,
}

/// What has happened.
#[derive(Debug)]
pub enum Event<'i> {
    /// Bytes of the request's body (or of the tunnel); those not taken come again.
    ClientBytes(&'i [u8]),
    /// The client has ended its stream.
    ClientEnd,
    /// An upstream connection is there.
    Connected {
        /// Its address.
        address: SocketAddr,
        /// Whether it has carried a request before.
        reused: bool,
    },
    /// No server of the upstream could be connected to.
    ConnectFailed(ConnectFault),
    /// Bytes of the response; those not taken come again.
    UpstreamBytes(&'i [u8]),
    /// The upstream has ended its stream, or the connection is gone.
    UpstreamEnd,
}

/// What only the caller can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Get a connection to a server of this upstream.
    Connect {
        /// Index into `Config::upstreams`.
        upstream: usize,
        /// Not one that has been idle: the last of those was dead.
        fresh: bool,
    },
    /// The upstream connection can carry another request.
    KeepUpstream,
    /// Close the upstream connection.
    DropUpstream,
}

/// What becomes of the client's connection after the exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientNext {
    /// It waits for the next request.
    KeepAlive,
    /// It is closed once all is sent.
    Close,
    /// It is closed once all is sent, but read for a while, so that the client gets the answer
    /// and not a reset (nginx: `lingering_close`).
    Linger,
    /// It is closed at once: the answer cannot be completed.
    Abort,
}

/// Who made the status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The upstream.
    Upstream,
    /// This proxy.
    Proxy,
}

/// Buffers that an exchange writes to.
#[derive(Debug, Default)]
pub struct Out {
    /// Bytes for the client.
    pub client: Vec<u8>,
    /// Bytes for the upstream.
    pub upstream: Vec<u8>,
}
