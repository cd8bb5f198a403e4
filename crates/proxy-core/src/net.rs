//! What the engine asks of the world: sockets that never block, and somebody who makes and watches
//! them.
//!
//! Traits and plain answers only. The program's are real sockets, the simulator's are pipes of
//! bytes with faults.

use std::fmt;
use std::net::SocketAddr;

use crate::files::{File, FileSent};
use crate::slab::Key;
use crate::upstream::address::Address;

/// Why the system refused something, as its error number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cause(pub i32);

impl Cause {
    /// The peer has reset the connection: `ECONNRESET` of Linux.
    pub const RESET: Cause = Cause(104);
    /// There is nothing of that name: `ENOENT`.
    pub const NO_ENTRY: Cause = Cause(2);
    /// It may not be read, or the way to it not be gone: `EACCES`.
    pub const NO_ACCESS: Cause = Cause(13);
    /// What is on the way is no folder: `ENOTDIR`.
    pub const NO_FOLDER: Cause = Cause(20);
    /// It is a folder: `EISDIR`.
    pub const FOLDER: Cause = Cause(21);
    /// It is of a kind that has no bytes to read: `EINVAL`.
    pub const UNFIT: Cause = Cause(22);
    /// It is too large: `EFBIG`.
    pub const TOO_LARGE: Cause = Cause(27);
    /// A name is too long: `ENAMETOOLONG`.
    pub const NAME_TOO_LONG: Cause = Cause(36);
    /// A name has too many links: `EMLINK`.
    pub const MANY_LINKS: Cause = Cause(31);
    /// A link that may not be followed, or too many: `ELOOP`.
    pub const LINK: Cause = Cause(40);
}

impl fmt::Display for Cause {
    /// nginx: `(111: Connection refused)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = std::io::Error::from_raw_os_error(self.0).to_string();
        let words = text.split(" (os error").next().unwrap_or(&text);
        write!(f, "{words} ({})", self.0)
    }
}

/// What a read came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Read {
    /// So many bytes are in the buffer, at least one.
    Bytes(usize),
    /// Nothing now.
    Nothing,
    /// The peer has ended its stream: all it sent has been read.
    End,
    /// The connection is gone: something that was sent may be missing.
    Broken(Cause),
}

/// What a write came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// So many bytes went, at least one.
    Bytes(usize),
    /// None now.
    Nothing,
    /// The connection is gone.
    Broken(Cause),
}

/// One end of a connection. No call waits; dropping it closes the connection.
pub trait Socket {
    /// Reads what is there.
    fn read(&mut self, buffer: &mut [u8]) -> Read;
    /// Writes what is taken now.
    fn write(&mut self, bytes: &[u8]) -> Written;
    /// The same where more is written at once, with which the last of it may travel.
    fn write_before_more(&mut self, bytes: &[u8]) -> Written {
        self.write(bytes)
    }
    /// Writes of a file what is taken now, at most `bytes` of it from `offset` on.
    fn send_file(&mut self, file: &dyn File, offset: u64, bytes: usize) -> FileSent {
        copy_file(self, file, offset, bytes)
    }
    /// Ends the stream to the peer; what was written before arrives before.
    fn end_writing(&mut self);
    /// Whether the peer's system has acknowledged all that was written.
    fn is_delivered(&mut self) -> bool;
    /// When dropped, the connection is reset: the peer must not take what it got for the whole.
    fn reset_when_dropped(&mut self);
    /// How a begun connect has ended, once it has.
    fn connect_result(&mut self) -> Result<(), Cause>;
    /// Whether the peer has neither sent anything nor closed, as far as is known at this moment.
    fn is_quiet(&mut self) -> bool;
    /// The address that the client connected to.
    fn local_address(&self) -> Option<SocketAddr>;
    /// What the system knows of the way to the peer, where it does.
    fn path(&self) -> Option<Path> {
        None
    }
}

/// What the system knows of the way to a client (nginx: `$tcpinfo_…`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Path {
    /// Time to the client and back, in microseconds.
    pub rtt_us: u32,
    /// How much that varies, in microseconds.
    pub rttvar_us: u32,
    /// Window of what may be under way, in segments.
    pub snd_cwnd: u32,
    /// Room for what comes, in bytes.
    pub rcv_space: u32,
}

/// Sends a part of a file by way of memory.
pub fn copy_file<S: Socket + ?Sized>(
    socket: &mut S,
    file: &dyn File,
    offset: u64,
    bytes: usize,
) -> FileSent {
    let mut buffer = [0; 16 << 10];
    let room = bytes.min(buffer.len());
    match file.read_at(buffer.get_mut(..room).unwrap_or_default(), offset) {
        Ok(0) => FileSent::Cut,
        Err(cause) => FileSent::Unreadable(cause),
        Ok(count) => match socket.write(buffer.get(..count).unwrap_or_default()) {
            Written::Bytes(count) => FileSent::Bytes(count),
            Written::Nothing => FileSent::Nothing,
            Written::Broken(cause) => FileSent::Broken(cause),
        },
    }
}

/// Which of the engine's connections a report of readiness is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Token {
    /// A client's.
    Client(Key),
    /// An upstream's.
    Link(Key),
}

/// What a connection is ready for. Each is reported once when it begins to be so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Readiness {
    /// Bytes or an end can be read.
    pub readable: bool,
    /// Bytes are taken, or a connect has ended.
    pub writable: bool,
    /// The peer has ended its stream, perhaps behind bytes that are still to be read.
    pub ended: bool,
    /// The connection is gone in both directions.
    pub broken: bool,
}

/// Why a connection could not be begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DialFault {
    /// The other side's doing, or the network's.
    Peer(Cause),
    /// This address cannot be reached from here: no port is left towards it, this host has none
    /// of its family, or it may not be asked. No server is to blame; another address may do.
    Unusable(Cause),
    /// The address here that it is to come from cannot be had: no server is to blame.
    Bind(Cause),
    /// For want of descriptors or memory here: no server is to blame, and none could be asked.
    Own(Cause),
}

/// Makes and watches sockets.
pub trait Net {
    /// The sockets.
    type Socket: Socket;
    /// Begins to report the readiness of an accepted socket. An error leaves it unwatched.
    fn watch(&mut self, socket: &Self::Socket, token: Token) -> Result<(), Cause>;
    /// Begins to connect, from an address of this host where one is given; the outcome is told by
    /// readiness.
    fn dial(
        &mut self,
        address: &Address,
        from: Option<SocketAddr>,
        token: Token,
    ) -> Result<Self::Socket, DialFault>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_told_in_the_systems_words_with_its_number() {
        assert_eq!(Cause::RESET.to_string(), "Connection reset by peer (104)");
        assert_eq!(Cause(111).to_string(), "Connection refused (111)");
        assert!(Cause(-5).to_string().ends_with(" (-5)"));
    }
}
