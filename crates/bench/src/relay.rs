//! Owns the bare relay: what a keep-alive proxy would cost that does nothing but its system calls.
//!
//! One thread, one epoll instance, one upstream connection kept for each client's. A request is
//! recv, send, recv, send and a share of an `epoll_wait`, as in the proxies that it is measured
//! beside; not one byte is looked at. It is for small messages only and closes a pair whose
//! reader is so slow that a message does not fit its socket's buffer.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;

use sys::poller::{Events, Interest, Poller};
use sys::socket::{self, Outcome};

use crate::Fault;
use crate::upstream::{BACKLOG, EVENTS_MAX, LISTENER};

/// Largest message that goes in one piece.
const MESSAGE_BYTES_MAX: usize = 16 * 1024;

/// One end of a pair: its socket, and the place of the other end.
struct End {
    socket: OwnedFd,
    other: usize,
}

struct Relay {
    poller: Poller,
    listener: OwnedFd,
    upstream: SocketAddr,
    /// Clients at even places, their upstream connections behind them. Places are not used again:
    /// a run opens its connections once.
    ends: Vec<Option<End>>,
}

/// Relays what connects to `listen` to `upstream`, for ever.
///
/// # Errors
/// If `listen` cannot be listened on, or the system is out of descriptors.
pub(crate) fn run(listen: SocketAddr, upstream: SocketAddr) -> Result<Infallible, Fault> {
    let broken = |error| Fault::new(format!("relay on {listen}: {error}"));
    let poller = Poller::new().map_err(broken)?;
    let listener = socket::listen(listen, false, BACKLOG).map_err(broken)?;
    poller.add(&listener, LISTENER, Interest::Readable).map_err(broken)?;
    let mut relay = Relay { poller, listener, upstream, ends: Vec::new() };
    let mut events = Events::with_capacity(EVENTS_MAX);
    let mut buffer = vec![0; MESSAGE_BYTES_MAX];
    loop {
        relay.poller.wait(&mut events, None).map_err(broken)?;
        for report in events.iter() {
            if report.key == LISTENER {
                relay.accept().map_err(broken)?;
            } else if report.readable {
                relay.forward(report.key as usize, &mut buffer);
            }
        }
    }
}

impl Relay {
    fn accept(&mut self) -> std::io::Result<()> {
        while let Some((client, _)) = socket::accept(&self.listener)? {
            socket::set_nodelay(&client);
            let upstream = socket::connect(self.upstream)?;
            let place = self.ends.len();
            self.poller.add(&client, place as u64, Interest::Edges)?;
            self.poller.add(&upstream, place as u64 + 1, Interest::Edges)?;
            self.ends.push(Some(End { socket: client, other: place + 1 }));
            self.ends.push(Some(End { socket: upstream, other: place }));
        }
        Ok(())
    }

    /// Reads once from the end at `place` and sends it to the other. A read that does not fill the
    /// buffer has emptied the socket, and the next bytes make the next report.
    fn forward(&mut self, place: usize, buffer: &mut [u8]) {
        let Some(End { socket, other }) = self.end(place) else {
            return;
        };
        let (other, outcome) = (*other, socket::read(socket, buffer));
        let is_done = match outcome {
            Outcome::Bytes(count) if count < buffer.len() => self.end(other).is_some_and(|end| {
                let message = buffer.get(..count).unwrap_or_default();
                socket::write(&end.socket, message) == Outcome::Bytes(count)
            }),
            Outcome::WouldBlock => true,
            Outcome::Bytes(_) | Outcome::End | Outcome::Gone(_) => false,
        };
        if !is_done {
            for place in [place, other] {
                if let Some(end) = self.ends.get_mut(place) {
                    *end = None;
                }
            }
        }
    }

    fn end(&self, place: usize) -> Option<&End> {
        self.ends.get(place)?.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::{Ipv4Addr, TcpListener, TcpStream};
    use std::thread;

    #[test]
    fn bytes_pass_both_ways_and_an_end_reaches_the_other_side() {
        let upstream = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let to = upstream.local_addr().unwrap();
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let listen = free.local_addr().unwrap();
        drop(free);
        thread::spawn(move || run(listen, to));
        let mut client = loop {
            match TcpStream::connect(listen) {
                Ok(client) => break client,
                Err(_) => thread::yield_now(),
            }
        };
        let (mut server, _) = upstream.accept().unwrap();
        let mut buffer = [0; 5];
        client.write_all(b"hello").unwrap();
        server.read_exact(&mut buffer).unwrap();
        assert_eq!(&buffer, b"hello");
        server.write_all(b"world").unwrap();
        client.read_exact(&mut buffer).unwrap();
        assert_eq!(&buffer, b"world");
        drop(client);
        assert_eq!(server.read(&mut buffer).unwrap(), 0);
    }
}
