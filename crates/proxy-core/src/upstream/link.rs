//! A connection to a server of an upstream.

use std::net::SocketAddr;

use super::address::Address;
use super::balance::Held;
use crate::clock::Millis;
use crate::slab::Key;
use crate::stream::Stream;

/// The server that a link leads to, in the configuration that it was made under.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerId {
    /// Index into `Config::upstreams`.
    pub upstream: usize,
    /// Index into `Upstream::servers`.
    pub server: usize,
}

/// A connection to a server.
pub struct Link<S> {
    /// The bytes.
    pub stream: Stream<S>,
    /// Its place among the links.
    pub key: Key,
    /// The server.
    pub server: ServerId,
    /// Where it goes.
    pub address: Address,
    /// The address here that it was bound to.
    pub from: Option<SocketAddr>,
    /// Requests it has carried.
    pub requests: u64,
    /// The connect has not ended yet.
    pub is_connecting: bool,
    /// When it became idle.
    pub idle_since: Millis,
    /// When it was made.
    pub began_ms: Millis,
    /// While it carries a request that counts for its server.
    pub held: Option<Held>,
}
