//! What requests know of the connection that they came by.

use std::net::SocketAddr;
use std::rc::Rc;

use crate::clock::Millis;
use crate::net::Path;
use crate::proxy_protocol::Told;

/// The client's connection, as far as requests and log lines speak of it.
#[derive(Debug, Clone)]
pub struct ClientInfo {
    /// The client's address.
    pub remote: SocketAddr,
    /// The address it connected to.
    pub local: SocketAddr,
    /// When it was accepted.
    pub since_ms: Millis,
    /// nginx: `$connection`.
    pub serial: u64,
    /// nginx: `$connection_requests`, this one included.
    pub requests: u64,
    /// This request's first byte was there when the last one ended (nginx: `$pipe`).
    pub is_pipelined: bool,
    /// nginx: `$proxy_protocol_…`: what was said of it before the first request.
    pub proxied: Option<Rc<Told>>,
    /// nginx: `$tcpinfo_…`, where the file has them, and the system tells.
    pub path: Option<Path>,
}
