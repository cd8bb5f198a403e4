//! A client's connection: its socket, what is read and not used, what is to be written.
//!
//! It moves bytes between socket and memory and knows the connection's state between requests;
//! what the bytes mean is the exchange's affair.

use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::rc::Rc;

use sys::socket::{self, Outcome};

use super::Generation;
use super::slab::Key;
use super::upstream::Link;
use crate::exchange::Exchange;
use crate::exchange::clock::Millis;

/// Where a connection is between and within requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Waiting for a head. `begun` is when its first byte came.
    Head {
        /// None while nothing of the head is here.
        begun: Option<Millis>,
    },
    /// An exchange is going on.
    Active,
    /// All is sent; what the client still sends is read away until this time.
    Lingering {
        /// The end of it whatever comes.
        until: Millis,
    },
}

/// A begun attempt to get an upstream connection.
pub struct Attempt {
    /// Index into `Config::upstreams`.
    pub upstream: usize,
    /// A bit for each server tried.
    pub tried: u64,
    /// The server at hand and how many of its addresses have been tried.
    pub server: usize,
    /// Addresses of it tried so far.
    pub addresses_tried: usize,
    /// No idle connection is to be used.
    pub fresh: bool,
    /// When the connect at hand is given up.
    pub deadline: Millis,
    /// Why the last one failed.
    pub fault: crate::exchange::ConnectFault,
}

/// A client's connection.
pub struct Client {
    pub(super) key: Key,
    pub(super) socket: OwnedFd,
    pub(super) remote: SocketAddr,
    pub(super) local: SocketAddr,
    pub(super) serial: u64,
    pub(super) requests: u64,
    /// Which of the worker's listeners it came by.
    pub(super) listener: usize,
    pub(super) readable: bool,
    pub(super) writable: bool,
    pub(super) closed: bool,
    /// Bytes read and not used yet.
    pub(super) input: Vec<u8>,
    /// `input` has not been looked at since the last request ended.
    pub(super) input_unseen: bool,
    /// Bytes to be written.
    pub(super) pending: Vec<u8>,
    pub(super) state: State,
    /// When the connection is closed if no request comes.
    pub(super) idle_until: Millis,
    pub(super) exchange: Option<Box<Exchange>>,
    pub(super) generation: Rc<Generation>,
    pub(super) link: Option<Box<Link>>,
    pub(super) attempt: Option<Box<Attempt>>,
    /// Time of this connection's entry among the timers.
    pub(super) entered: Option<Millis>,
}

impl Client {
    /// When something must happen at the latest.
    pub(super) fn deadline(&self, header_timeout_ms: Millis) -> Option<Millis> {
        match self.state {
            State::Head { begun: Some(begun) } => Some(begun + header_timeout_ms),
            State::Head { begun: None } => Some(self.idle_until),
            State::Lingering { until } => Some(until),
            State::Active => match &self.attempt {
                Some(attempt) => Some(attempt.deadline),
                None => self.exchange.as_ref().and_then(|exchange| exchange.deadline()),
            },
        }
    }
}

/// A socket with its readiness and the bytes that wait to be written to it.
pub(super) struct Writer<'c> {
    pub(super) socket: &'c OwnedFd,
    pub(super) writable: &'c mut bool,
    pub(super) closed: &'c mut bool,
    pub(super) pending: &'c mut Vec<u8>,
}

impl Writer<'_> {
    /// Writes what waits. True when the peer took some of it.
    pub(super) fn flush(&mut self) -> bool {
        if self.pending.is_empty() || !*self.writable {
            return false;
        }
        let bytes = std::mem::take(self.pending);
        let taken = self.write_some(&bytes);
        if taken < bytes.len() {
            *self.pending = bytes;
            self.pending.drain(..taken);
        }
        taken > 0
    }

    /// Writes as much as the socket takes now; the rest waits.
    pub(super) fn send(&mut self, bytes: &[u8]) {
        let taken = if self.pending.is_empty() { self.write_some(bytes) } else { 0 };
        self.pending.extend_from_slice(&bytes[taken..]);
    }

    fn write_some(&mut self, bytes: &[u8]) -> usize {
        let mut taken = 0;
        while *self.writable && taken < bytes.len() {
            match socket::write(self.socket, &bytes[taken..]) {
                Outcome::Bytes(count) => {
                    taken += count;
                    // The send buffer is full: the poller tells when there is room.
                    *self.writable = taken == bytes.len();
                }
                Outcome::WouldBlock => *self.writable = false,
                // The reading side learns of it and decides.
                Outcome::Gone(_) | Outcome::End => {
                    *self.closed = true;
                    return bytes.len();
                }
            }
        }
        taken
    }
}

/// What a read came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Read {
    /// That many bytes are in the buffer.
    Bytes(usize),
    /// Nothing now.
    Nothing,
    /// The peer has ended, or is gone.
    Ended,
}

/// Reads once. A short read has emptied the socket: readiness is over until the poller tells of
/// more, unless the peer has closed, when the end is still to be read.
pub(super) fn read_once(
    socket: &OwnedFd,
    readable: &mut bool,
    closed: bool,
    buffer: &mut [u8],
) -> Read {
    if !*readable {
        return Read::Nothing;
    }
    match socket::read(socket, buffer) {
        Outcome::Bytes(count) => {
            *readable = count == buffer.len() || closed;
            Read::Bytes(count)
        }
        Outcome::WouldBlock => {
            *readable = false;
            Read::Nothing
        }
        Outcome::End | Outcome::Gone(_) => {
            *readable = false;
            Read::Ended
        }
    }
}
