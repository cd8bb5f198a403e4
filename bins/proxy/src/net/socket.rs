//! Stream sockets as the core drives them.

use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use proxy_core::files::{File, FileSent};
use proxy_core::net::{Cause, DialFault, Net, Path, Read, Socket, Token, Written, copy_file};
use proxy_core::slab::KEY_BITS;
use proxy_core::upstream::address::Address;
use rustix::io::Errno;
use sys::poller::Interest;
use sys::socket::{self, Outcome};

use super::files::SystemFile;
use super::{Mailbox, TAG_CLIENT, TAG_LINK};

/// A connection.
pub struct Tcp(pub OwnedFd);

fn errno(error: &std::io::Error) -> Errno {
    error.raw_os_error().map_or(Errno::IO, Errno::from_raw_os_error)
}

fn cause(errno: Errno) -> Cause {
    Cause(errno.raw_os_error())
}

fn written(outcome: Outcome) -> Written {
    match outcome {
        Outcome::Bytes(count) => Written::Bytes(count),
        Outcome::WouldBlock | Outcome::End => Written::Nothing,
        Outcome::Gone(errno) => Written::Broken(cause(errno)),
    }
}

impl Socket for Tcp {
    #[inline]
    fn read(&mut self, buffer: &mut [u8]) -> Read {
        match socket::read(&self.0, buffer) {
            Outcome::Bytes(count) => Read::Bytes(count),
            Outcome::WouldBlock => Read::Nothing,
            Outcome::End => Read::End,
            Outcome::Gone(errno) => Read::Broken(cause(errno)),
        }
    }

    #[inline]
    fn write(&mut self, bytes: &[u8]) -> Written {
        written(socket::write(&self.0, bytes))
    }

    fn write_before_more(&mut self, bytes: &[u8]) -> Written {
        written(socket::write_before_more(&self.0, bytes))
    }

    fn send_file(&mut self, file: &dyn File, offset: u64, bytes: usize) -> FileSent {
        let Some(SystemFile(from)) = file.as_any().downcast_ref() else {
            return copy_file(self, file, offset, bytes);
        };
        match socket::send_file(&self.0, from, offset, bytes) {
            Outcome::Bytes(count) => FileSent::Bytes(count),
            Outcome::WouldBlock => FileSent::Nothing,
            Outcome::End => FileSent::Cut,
            // Not every file system has it.
            Outcome::Gone(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
                copy_file(self, file, offset, bytes)
            }
            Outcome::Gone(errno @ (Errno::IO | Errno::STALE | Errno::OVERFLOW)) => {
                FileSent::Unreadable(cause(errno))
            }
            Outcome::Gone(errno) => FileSent::Broken(cause(errno)),
        }
    }

    fn end_writing(&mut self) {
        socket::shutdown_write(&self.0);
    }

    fn is_delivered(&mut self) -> bool {
        socket::is_delivered(&self.0)
    }

    fn reset_when_dropped(&mut self) {
        socket::reset_on_close(&self.0);
    }

    fn connect_result(&mut self) -> Result<(), Cause> {
        socket::connect_result(&self.0).map_err(|error| cause(errno(&error)))
    }

    fn is_quiet(&mut self) -> bool {
        socket::is_quiet(&self.0)
    }

    fn local_address(&self) -> Option<SocketAddr> {
        socket::local_address(&self.0).ok()
    }

    fn path(&self) -> Option<Path> {
        let socket::Path { rtt_us, rttvar_us, snd_cwnd, rcv_space } = socket::path(&self.0)?;
        Some(Path { rtt_us, rttvar_us, snd_cwnd, rcv_space })
    }
}

/// Makes connections, watched by a worker's poller.
pub struct System(pub Arc<Mailbox>);

impl System {
    fn watch_as(&self, socket: &Tcp, token: Token) -> Result<(), Errno> {
        let key = match token {
            Token::Client(key) => key.to_u64() | (TAG_CLIENT << KEY_BITS),
            Token::Link(key) => key.to_u64() | (TAG_LINK << KEY_BITS),
        };
        self.0.poller.add(&socket.0, key, Interest::Edges).map_err(|error| errno(&error))
    }
}

impl Net for System {
    type Socket = Tcp;

    fn watch(&mut self, socket: &Tcp, token: Token) -> Result<(), Cause> {
        self.watch_as(socket, token).map_err(cause)
    }

    fn dial(
        &mut self,
        address: &Address,
        from: Option<SocketAddr>,
        token: Token,
    ) -> Result<Tcp, DialFault> {
        let socket = match (address, from) {
            (Address::Tcp(to), Some(from)) => connect_from(*to, from)?,
            // No such address is one of the file system's.
            (Address::Unix(_), Some(_)) => return Err(DialFault::Bind(cause(Errno::INVAL))),
            (_, None) => connect(address).map_err(|error| match (address, errno(&error)) {
                // nginx: the server's doing, as is all but a want of ours.
                (Address::Unix(_), errno @ (Errno::ACCESS | Errno::PERM)) => {
                    DialFault::Peer(cause(errno))
                }
                (_, errno) => blame(errno),
            })?,
        };
        let socket = Tcp(socket);
        self.watch_as(&socket, token).map_err(blame)?;
        Ok(socket)
    }
}

/// Begins to connect.
///
/// # Errors
/// The system's.
pub fn connect(address: &Address) -> std::io::Result<OwnedFd> {
    match address {
        Address::Tcp(address) => socket::connect(*address),
        Address::Unix(path) => socket::connect_unix(path.as_bytes()),
    }
}

fn connect_from(to: SocketAddr, from: SocketAddr) -> Result<OwnedFd, DialFault> {
    let socket = socket::bound(to, from).map_err(|error| match blame(errno(&error)) {
        fault @ DialFault::Own(_) => fault,
        _ => DialFault::Bind(cause(errno(&error))),
    })?;
    socket::begin_connect(&socket, to).map_err(|error| blame(errno(&error)))?;
    Ok(socket)
}

/// Whose doing it is that a connect could not begin.
fn blame(errno: Errno) -> DialFault {
    match errno {
        Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM | Errno::NOSPC => {
            DialFault::Own(cause(errno))
        }
        Errno::ADDRNOTAVAIL | Errno::AFNOSUPPORT | Errno::ACCESS | Errno::PERM => {
            DialFault::Unusable(cause(errno))
        }
        _ => DialFault::Peer(cause(errno)),
    }
}
