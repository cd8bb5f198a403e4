//! A connection's bytes on their way: what is readable, what waits to be written.
//!
//! One type for client and upstream alike. It moves bytes and remembers readiness; what the bytes
//! mean is not its affair.

use crate::canary::{Canary, is_planted};
use crate::files::{File, FileSent};
use crate::net::{Cause, Read, Readiness, Socket, Written};

/// A socket with its readiness and the bytes that wait on either side of it.
pub struct Stream<S> {
    /// None where nobody is at the other end.
    socket: Option<S>,
    readable: bool,
    writable: bool,
    ended: bool,
    broken: bool,
    /// The peer's end came in its order, before anything was wrong.
    has_clean_end: bool,
    is_writing_ended: bool,
    write_fault: Option<Cause>,
    /// Bytes read and not used yet.
    pub(crate) unread: Vec<u8>,
    pending: Vec<u8>,
    /// How many of `pending` are written.
    pending_done: usize,
    /// How many more bytes may be written now; any where there is no bound.
    allowance: Option<u64>,
}

impl<S: Socket> Stream<S> {
    /// An accepted connection takes bytes at once; a dialled one does once it is connected.
    pub fn new(socket: S, is_connected: bool) -> Self {
        Stream { socket: Some(socket), ..Stream::to_nobody(is_connected) }
    }

    /// The end of a connection that there is none of: nothing comes, and nothing may be sent.
    pub fn nobody() -> Self {
        Stream::to_nobody(false)
    }

    /// The same; bytes may be taken.
    pub(crate) fn to_nobody(is_connected: bool) -> Self {
        Stream {
            socket: None,
            readable: false,
            writable: is_connected,
            ended: false,
            broken: false,
            has_clean_end: false,
            is_writing_ended: false,
            write_fault: None,
            unread: Vec::new(),
            pending: Vec::new(),
            pending_done: 0,
            allowance: None,
        }
    }

    /// Takes a report in.
    pub fn note(&mut self, ready: Readiness) {
        self.has_clean_end |= ready.ended && !ready.broken && !self.is_broken();
        self.readable |= ready.readable || ready.ended || ready.broken;
        self.writable |= ready.writable || ready.broken;
        self.ended |= ready.ended || ready.broken;
        self.broken |= ready.broken;
    }

    /// Reads once. A short read has emptied the socket: nothing more is readable until the next
    /// report, unless the peer has ended, when its end is still to be read. Where a write has met a
    /// reset it has taken the system's error with it, and what follows reads like a clean end: it
    /// is none, unless one had been reported before.
    pub fn read(&mut self, buffer: &mut [u8]) -> Read {
        if !self.readable {
            return Read::Nothing;
        }
        let Some(socket) = &mut self.socket else { return Read::Nothing };
        let read = match socket.read(buffer) {
            Read::End if self.is_broken() && !self.has_clean_end => {
                Read::Broken(self.write_fault.unwrap_or(Cause::RESET))
            }
            read => read,
        };
        self.readable = match read {
            Read::Bytes(count) => {
                debug_assert!((1..=buffer.len()).contains(&count));
                count == buffer.len() || self.ended
            }
            _ => false,
        };
        self.ended |= matches!(read, Read::End | Read::Broken(_));
        read
    }

    /// Forgets bytes that were used; what is used up holds no memory, for it may stay for long.
    pub(crate) fn use_unread(&mut self, used: usize) {
        debug_assert!(used <= self.unread.len());
        if used >= self.unread.len() {
            self.unread = Vec::new();
        } else {
            self.unread.drain(..used);
        }
    }

    /// Whether something may be read: bytes, an end, or a fault.
    pub fn is_readable(&self) -> bool {
        self.readable
    }

    /// Whether a connect has ended or bytes are taken.
    pub fn is_writable(&self) -> bool {
        self.writable
    }

    /// Whether the peer is known to have ended its stream, though bytes of it may be unread.
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    /// Whether all that the peer sent has been read, and its end.
    pub fn is_read_to_end(&self) -> bool {
        self.ended && !self.readable
    }

    /// Whether the connection is known to be gone.
    pub fn is_broken(&self) -> bool {
        self.broken || self.write_fault.is_some()
    }

    /// Why a write failed, once.
    pub fn take_write_fault(&mut self) -> Option<Cause> {
        self.write_fault.take()
    }

    /// Bytes wait for the peer to take some.
    pub fn is_blocked(&self) -> bool {
        debug_assert!(self.pending_done <= self.pending.len());
        self.pending_done < self.pending.len()
    }

    /// How many bytes wait to be written.
    pub fn waiting_bytes(&self) -> usize {
        self.pending.len() - self.pending_done
    }

    /// Bounds what is written from now on, or takes the bound away.
    pub fn allow(&mut self, allowance: Option<u64>) {
        self.allowance = allowance;
    }

    /// Nothing may be written until more is allowed.
    pub fn is_held(&self) -> bool {
        self.allowance == Some(0)
    }

    /// How many of so many bytes may be written.
    fn allowed(&self, bytes: usize) -> usize {
        let most = self.allowance.map_or(bytes, |most| usize::try_from(most).unwrap_or(usize::MAX));
        bytes.min(most)
    }

    fn spend(&mut self, bytes: usize) {
        self.allowance = self.allowance.map(|most| most.saturating_sub(bytes as u64));
    }

    /// Writes as much as the socket takes now; the rest waits.
    pub fn send(&mut self, bytes: &[u8]) {
        self.send_by(bytes, S::write);
    }

    /// The same where [`Stream::send_file`] follows at once: what tells of the file travels with
    /// it, and wakes nobody before (nginx: `tcp_nopush`).
    pub fn send_before_file(&mut self, bytes: &[u8]) {
        self.send_by(bytes, S::write_before_more);
    }

    #[inline]
    fn send_by(&mut self, bytes: &[u8], write: impl Fn(&mut S, &[u8]) -> Written) {
        if bytes.is_empty() {
            return;
        }
        debug_assert!(!self.is_writing_ended, "nothing follows the end of a stream");
        debug_assert!(self.socket.is_some(), "somebody is there to be sent to");
        let taken = if self.is_blocked() { 0 } else { self.write_some(bytes, write) };
        let Some(rest) = bytes.get(taken..).filter(|rest| !rest.is_empty()) else { return };
        if !is_planted(Canary::BacklogLost) {
            self.pending.extend_from_slice(rest);
        }
    }

    /// Writes what waits. True when the peer took some of it.
    #[inline]
    pub fn flush(&mut self) -> bool {
        self.is_blocked() && self.writable && self.flush_pending()
    }

    fn flush_pending(&mut self) -> bool {
        let pending = std::mem::take(&mut self.pending);
        let rest = pending.get(self.pending_done..).unwrap_or_default();
        let taken = self.write_some(rest, S::write);
        self.pending_done += taken;
        debug_assert!(self.pending_done <= pending.len(), "no more is written than waited");
        if self.pending_done < pending.len() {
            self.pending = pending;
        } else {
            // A slow peer's backlog is not kept for the peers to come.
            self.pending_done = 0;
        }
        debug_assert!(
            !self.is_blocked() || !self.writable || self.is_held(),
            "what can be written is"
        );
        taken > 0
    }

    #[inline]
    fn write_some(&mut self, bytes: &[u8], write: impl Fn(&mut S, &[u8]) -> Written) -> usize {
        let mut taken = 0;
        while self.writable {
            let rest = bytes.get(taken..).unwrap_or_default();
            let Some(rest) = rest.get(..self.allowed(rest.len())).filter(|rest| !rest.is_empty())
            else {
                break;
            };
            let Some(socket) = &mut self.socket else { break };
            match write(socket, rest) {
                Written::Bytes(count) => {
                    debug_assert!((1..=rest.len()).contains(&count));
                    taken += count;
                    self.spend(count);
                    // The send buffer is full: the next report tells when there is room.
                    self.writable = count == rest.len();
                }
                Written::Nothing => self.writable = false,
                Written::Broken(cause) => {
                    self.write_fault = Some(cause);
                    // What the peer said before, or its end, is to be read all the same.
                    self.readable = true;
                    return bytes.len();
                }
            }
        }
        taken
    }

    /// Writes of a file what the socket takes now. To be called when nothing waits.
    pub fn send_file(&mut self, file: &dyn File, offset: u64, bytes: usize) -> FileSent {
        debug_assert!(!self.is_blocked() && !self.is_writing_ended, "bytes keep their order");
        debug_assert!(!self.is_held(), "to be called when something may be written");
        let allowed = self.allowed(bytes);
        let Some(socket) = &mut self.socket else { return FileSent::Nothing };
        let sent = socket.send_file(file, offset, allowed);
        match sent {
            FileSent::Bytes(count) => self.spend(count),
            FileSent::Nothing => self.writable = false,
            FileSent::Broken(cause) => {
                self.write_fault = Some(cause);
                self.readable = true;
            }
            FileSent::Cut | FileSent::Unreadable(_) => {}
        }
        sent
    }

    /// Tells the peer that nothing more comes. To be called when nothing waits.
    pub fn end_writing(&mut self) {
        debug_assert!(!self.is_blocked(), "an end must not overtake bytes");
        if !std::mem::replace(&mut self.is_writing_ended, true)
            && let Some(socket) = &mut self.socket
        {
            socket.end_writing();
        }
    }

    /// Whether the peer was told that nothing more comes.
    pub fn is_writing_ended(&self) -> bool {
        self.is_writing_ended
    }

    /// The socket itself.
    pub fn socket(&mut self) -> Option<&mut S> {
        self.socket.as_mut()
    }
}

#[cfg(test)]
mod tests;
