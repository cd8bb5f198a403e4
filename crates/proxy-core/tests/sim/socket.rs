//! The simulated network behind the traits that the core asks for.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::rc::Rc;

use proxy_core::net::{Cause, DialFault, Net, Read, Socket, Token, Written};
use proxy_core::upstream::address::Address;

use crate::files::SimFiles;
use crate::network::{Got, Happening, Network, Party};
use crate::site::server_at;
use crate::trace;

/// How often connecting to a server goes wrong: once in so many times, 0 for never.
#[derive(Clone, Copy, Debug, Default)]
pub struct Door {
    pub refuses: u64,
    pub hangs: u64,
    pub is_unreachable: u64,
    pub lacks: u64,
}

/// What went wrong at a server, to hold against what the proxy says of it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Blame {
    /// Connects refused, answers broken off, malformed or missing.
    pub faults: u64,
    /// Times at which it, or the way to it, was silent for long.
    pub silences: u64,
    /// Connects that failed for want of something here.
    pub shortages: u64,
}

/// What the sockets share.
pub struct Shared {
    pub network: Network,
    pub doors: BTreeMap<SocketAddr, Door>,
    pub blames: BTreeMap<SocketAddr, Blame>,
    /// Watching an accepted socket fails once in so many times; 0 for never.
    pub watch_fails: u64,
    pub files: SimFiles,
}

impl Shared {
    pub fn blame(&mut self, address: SocketAddr) -> &mut Blame {
        self.blames.entry(address).or_default()
    }
}

pub type Link = Rc<RefCell<Shared>>;

/// The proxy's end of a connection.
pub struct SimSocket {
    pub shared: Link,
    pub conn: usize,
}

impl Socket for SimSocket {
    fn read(&mut self, buffer: &mut [u8]) -> Read {
        let got = self.shared.borrow_mut().network.read(self.conn, Party::Proxy, buffer.len());
        trace(|| match &got {
            Got::Bytes(bytes) => format!("c{} proxy reads {} bytes", self.conn, bytes.len()),
            other => format!("c{} proxy reads {other:?}", self.conn),
        });
        match got {
            Got::Bytes(bytes) => {
                buffer[..bytes.len()].copy_from_slice(&bytes);
                Read::Bytes(bytes.len())
            }
            Got::Nothing => Read::Nothing,
            Got::End => Read::End,
            Got::Reset => Read::Broken(Cause(104)),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> Written {
        let done = self.shared.borrow_mut().network.write(self.conn, Party::Proxy, bytes);
        trace(|| format!("c{} proxy writes {} bytes: {done:?}", self.conn, bytes.len()));
        match done {
            Ok(0) => Written::Nothing,
            Ok(count) => Written::Bytes(count),
            Err(cause) => Written::Broken(Cause(cause)),
        }
    }

    fn end_writing(&mut self) {
        self.shared.borrow_mut().network.end(self.conn, Party::Proxy);
    }

    fn is_delivered(&mut self) -> bool {
        self.shared.borrow().network.is_delivered(self.conn)
    }

    fn reset_when_dropped(&mut self) {
        self.shared.borrow_mut().network.reset_on_close(self.conn, Party::Proxy);
    }

    fn connect_result(&mut self) -> Result<(), Cause> {
        self.shared.borrow_mut().network.connect_result(self.conn).map_err(Cause)
    }

    fn is_quiet(&mut self) -> bool {
        self.shared.borrow().network.is_quiet(self.conn)
    }

    fn local_address(&self) -> Option<SocketAddr> {
        Some(self.shared.borrow().network.conns[self.conn].local)
    }
}

impl Drop for SimSocket {
    fn drop(&mut self) {
        self.shared.borrow_mut().network.close(self.conn, Party::Proxy);
    }
}

/// One worker's way to the network.
pub struct SimNet {
    pub shared: Link,
    pub worker: usize,
}

impl Net for SimNet {
    type Socket = SimSocket;

    fn watch(&mut self, socket: &SimSocket, token: Token) -> Result<(), Cause> {
        let mut shared = self.shared.borrow_mut();
        let fails = shared.watch_fails;
        if fails > 0 && shared.network.rng.once_in(fails) {
            return Err(Cause(28));
        }
        shared.network.watch(socket.conn, self.worker, token);
        Ok(())
    }

    fn dial(
        &mut self,
        at: &Address,
        _: Option<SocketAddr>,
        token: Token,
    ) -> Result<SimSocket, DialFault> {
        let mut guard = self.shared.borrow_mut();
        let shared = &mut *guard;
        let address = server_at(&at.to_string()).expect("a server's address");
        let door = shared.doors.get(&address).copied().unwrap_or_default();
        let rng = &mut shared.network.rng;
        let mut happens = |once_in: u64| once_in > 0 && rng.once_in(once_in);
        if happens(door.lacks) {
            trace(|| format!("no descriptor to dial {address}"));
            shared.blame(address).shortages += 1;
            return Err(DialFault::Own(Cause(24)));
        }
        if happens(door.is_unreachable) {
            trace(|| format!("{address} is unreachable"));
            if shared.network.rng.once_in(2) {
                return Err(DialFault::Unusable(Cause(99)));
            }
            shared.blame(address).faults += 1;
            return Err(DialFault::Peer(Cause(113)));
        }
        if matches!(at, Address::Unix(_)) && happens(door.refuses) {
            // Such a connect ends at once: nothing is there, nobody listens, or the queue is full.
            shared.blame(address).faults += 1;
            return Err(DialFault::Peer(Cause(shared.network.rng.pick(&[2, 111, 11]))));
        }
        let is_hanging = happens(door.hangs);
        let here = SocketAddr::from(([10, 0, 0, 1], 1));
        let conn = shared.network.connect(here, address, false);
        trace(|| format!("c{conn} dials {address} for {token:?}, hangs: {is_hanging}"));
        shared.network.watch(conn, self.worker, token);
        if is_hanging {
            shared.blame(address).silences += 1;
        } else {
            let when = shared.network.now + shared.network.rng.between(1, 3);
            shared.network.at(when, Happening::Connects(conn));
        }
        drop(guard);
        Ok(SimSocket { shared: Rc::clone(&self.shared), conn })
    }
}

/// Whether a connect that ends now is refused.
pub fn is_refused(shared: &mut Shared, conn: usize) -> bool {
    let address = shared.network.conns[conn].local;
    let refuses = shared.doors.get(&address).map_or(0, |door| door.refuses);
    let is_refused = refuses > 0 && shared.network.rng.once_in(refuses);
    if is_refused {
        shared.blame(address).faults += 1;
    }
    is_refused
}
