//! A connection to a server of an upstream.

use super::address::Address;
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
    /// Requests it has carried.
    pub requests: u64,
    /// The connect has not ended yet.
    pub is_connecting: bool,
    /// When it became idle.
    pub idle_since: Millis,
}
