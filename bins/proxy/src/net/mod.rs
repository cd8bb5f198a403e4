//! The only sockets of the proxy's traffic: threads that move bytes and ask the core what to do.
//!
//! It decides nothing about HTTP. Workers share listening sockets, the configuration and nothing
//! else; commands come through a mailbox.

pub mod addresses;
mod files;
pub mod limits;
pub mod socket;
pub mod worker;

use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError};

use proxy_core::config::model::Config;
use proxy_core::listeners::{Binding, ListenerId};
use proxy_core::slab::Key;
use sys::poller::{Interest, Poller};
use sys::wake::Waker;

use crate::resolver::Outcome;
use addresses::Addresses;

/// What the main thread hands to every worker.
pub struct Runtime {
    /// The configuration.
    pub config: Arc<Config>,
    /// Addresses of its upstreams.
    pub addresses: Addresses,
}

/// A bound socket and the `listen` it serves.
#[derive(Clone)]
pub struct ListenSocket {
    /// The socket, shared by all workers.
    pub socket: Arc<OwnedFd>,
    /// Which `listen` of the configuration it serves.
    pub binding: Binding,
}

/// Orders of the main thread.
pub enum Command {
    /// Serve with this configuration and these sockets from now on; each is watched already.
    Reload(Arc<Runtime>, Vec<ListenSocket>),
    /// Go on accepting, but answer with `Connection: close`.
    Drain,
    /// Accept no more, finish what has begun, then end.
    Finish,
    /// End at once.
    Stop,
    /// What a name has come to that a client's request waits for.
    Resolved(Key, String, Outcome),
}

/// Where commands wait for a worker, and where its sockets are watched.
pub struct Mailbox {
    commands: Mutex<Vec<Command>>,
    waker: Waker,
    poller: Poller,
}

/// What a report of the poller is about: the top four bits of its key.
const TAG_WAKE: u64 = 0;
const TAG_LISTENER: u64 = 1;
const TAG_CLIENT: u64 = 2;
const TAG_LINK: u64 = 3;

fn listener_key(id: ListenerId) -> u64 {
    id.to_u64() | (TAG_LISTENER << proxy_core::slab::KEY_BITS)
}

impl Mailbox {
    /// An empty one.
    pub fn new() -> io::Result<Mailbox> {
        let mailbox =
            Mailbox { commands: Mutex::default(), waker: Waker::new()?, poller: Poller::new()? };
        let key = TAG_WAKE << proxy_core::slab::KEY_BITS;
        mailbox.poller.add(mailbox.waker.fd(), key, Interest::Readable)?;
        Ok(mailbox)
    }

    /// Leaves a command and wakes the worker.
    pub fn send(&self, command: Command) {
        self.commands.lock().unwrap_or_else(PoisonError::into_inner).push(command);
        self.waker.wake();
    }

    /// Has the worker watch a new listening socket. Until a command tells it what the socket is
    /// for it leaves connections in the queue.
    pub fn watch(&self, socket: &OwnedFd, id: ListenerId) -> io::Result<()> {
        self.poller.add(socket, listener_key(id), Interest::Accept)
    }

    /// The other way round, for a reload that is refused after all.
    pub fn unwatch(&self, socket: &OwnedFd) {
        let _ = self.poller.remove(socket);
    }

    fn take(&self) -> Vec<Command> {
        self.waker.clear();
        std::mem::take(&mut *self.commands.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
