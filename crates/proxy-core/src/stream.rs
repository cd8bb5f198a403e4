//! A connection's bytes on their way: what is readable, what waits to be written.
//!
//! One type for client and upstream alike. It moves bytes and remembers readiness; what the bytes
//! mean is not its affair.

use crate::canary::{Canary, is_planted};
use crate::files::{File, FileSent};
use crate::net::{Cause, Read, Readiness, Socket, Written};

/// A socket with its readiness and the bytes that wait on either side of it.
pub struct Stream<S> {
    socket: S,
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
        Stream {
            socket,
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
        let read = match self.socket.read(buffer) {
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

    /// Writes as much as the socket takes now; the rest waits.
    pub fn send(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        debug_assert!(!self.is_writing_ended, "nothing follows the end of a stream");
        let taken = if self.is_blocked() { 0 } else { self.write_some(bytes) };
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
        let taken = self.write_some(pending.get(self.pending_done..).unwrap_or_default());
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

    fn write_some(&mut self, bytes: &[u8]) -> usize {
        let mut taken = 0;
        while self.writable {
            let rest = bytes.get(taken..).unwrap_or_default();
            let most = self.allowance.map_or(rest.len(), |most| {
                rest.len().min(usize::try_from(most).unwrap_or(usize::MAX))
            });
            let Some(rest) = rest.get(..most).filter(|rest| !rest.is_empty()) else { break };
            match self.socket.write(rest) {
                Written::Bytes(count) => {
                    debug_assert!((1..=rest.len()).contains(&count));
                    taken += count;
                    self.allowance = self.allowance.map(|most| most.saturating_sub(count as u64));
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
        let bytes = self
            .allowance
            .map_or(bytes, |most| bytes.min(usize::try_from(most).unwrap_or(usize::MAX)));
        let sent = self.socket.send_file(file, offset, bytes);
        match sent {
            FileSent::Bytes(count) => {
                self.allowance = self.allowance.map(|most| most.saturating_sub(count as u64));
            }
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
        if !std::mem::replace(&mut self.is_writing_ended, true) {
            self.socket.end_writing();
        }
    }

    /// Whether the peer was told that nothing more comes.
    pub fn is_writing_ended(&self) -> bool {
        self.is_writing_ended
    }

    /// The socket itself.
    pub fn socket(&mut self) -> &mut S {
        &mut self.socket
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_socket::Scripted;

    const READABLE: Readiness =
        Readiness { readable: true, writable: false, ended: false, broken: false };
    const WRITABLE: Readiness =
        Readiness { readable: false, writable: true, ended: false, broken: false };
    const ENDED: Readiness =
        Readiness { readable: true, writable: false, ended: true, broken: false };

    fn reading(reads: &[Read]) -> Stream<Scripted> {
        let reads = reads.iter().copied().collect();
        Stream::new(Scripted { reads, ..Scripted::default() }, true)
    }

    fn writing(writes: &[Written]) -> Stream<Scripted> {
        let writes = writes.iter().copied().collect();
        Stream::new(Scripted { writes, ..Scripted::default() }, true)
    }

    #[test]
    fn nothing_is_read_before_it_is_reported() {
        let mut stream = reading(&[Read::Bytes(2)]);
        assert_eq!(stream.read(&mut [0; 4]), Read::Nothing);
        stream.note(READABLE);
        assert_eq!(stream.read(&mut [0; 4]), Read::Bytes(2));
    }

    #[test]
    fn a_short_read_has_emptied_the_socket_and_a_full_one_has_not() {
        let mut stream = reading(&[Read::Bytes(4), Read::Bytes(3)]);
        stream.note(READABLE);
        assert_eq!((stream.read(&mut [0; 4]), stream.is_readable()), (Read::Bytes(4), true));
        assert_eq!((stream.read(&mut [0; 4]), stream.is_readable()), (Read::Bytes(3), false));
        assert_eq!(stream.read(&mut [0; 4]), Read::Nothing);
    }

    #[test]
    fn an_end_that_was_reported_is_read_behind_the_bytes_before_it() {
        let mut stream = reading(&[Read::Bytes(1), Read::End]);
        stream.note(ENDED);
        assert!(stream.has_ended() && !stream.is_read_to_end());
        assert_eq!((stream.read(&mut [0; 4]), stream.is_readable()), (Read::Bytes(1), true));
        assert_eq!((stream.read(&mut [0; 4]), stream.is_read_to_end()), (Read::End, true));
        assert_eq!(stream.read(&mut [0; 4]), Read::Nothing, "it is told once");
    }

    #[test]
    fn an_end_is_known_when_it_was_read_without_a_report() {
        for end in [Read::End, Read::Broken(Cause::RESET)] {
            let mut stream = reading(&[end]);
            stream.note(READABLE);
            assert_eq!((stream.read(&mut [0; 4]), stream.is_read_to_end()), (end, true));
        }
    }

    #[test]
    fn what_is_broken_can_still_be_read() {
        let mut stream = reading(&[Read::Bytes(1), Read::Broken(Cause::RESET)]);
        stream.note(Readiness { broken: true, ..Readiness::default() });
        assert!(stream.is_broken() && stream.is_writable());
        assert_eq!(stream.read(&mut [0; 4]), Read::Bytes(1));
        assert_eq!(stream.read(&mut [0; 4]), Read::Broken(Cause::RESET));
    }

    #[test]
    fn what_the_peer_does_not_take_waits_and_is_not_overtaken() {
        let mut stream = writing(&[Written::Bytes(2), Written::Bytes(1), Written::Bytes(9)]);
        stream.send(b"abcd");
        assert!(stream.is_blocked() && !stream.is_writable());
        stream.send(b"ef");
        assert_eq!((stream.socket().taken.clone(), stream.flush()), (b"ab".to_vec(), false));
        stream.note(WRITABLE);
        assert!(stream.flush() && stream.is_blocked());
        assert_eq!(stream.socket().taken, b"abc");
        stream.note(WRITABLE);
        assert!(stream.flush() && !stream.is_blocked());
        assert_eq!(stream.socket().taken, b"abcdef");
        assert!(!stream.flush(), "nothing waits");
    }

    #[test]
    fn a_peer_that_takes_all_is_asked_for_more_at_once() {
        let mut stream = writing(&[Written::Bytes(9), Written::Bytes(9)]);
        stream.send(b"abc");
        stream.send(b"");
        stream.send(b"def");
        assert_eq!(stream.socket().taken, b"abcdef");
        assert!(!stream.is_blocked() && stream.is_writable());
    }

    #[test]
    fn a_dialled_connection_takes_nothing_before_it_is_connected() {
        let writes = [Written::Bytes(9)].into();
        let mut stream = Stream::new(Scripted { writes, ..Scripted::default() }, false);
        stream.send(b"abc");
        assert!(stream.is_blocked() && stream.socket().taken.is_empty());
        stream.note(WRITABLE);
        assert!(stream.flush());
        assert_eq!(stream.socket().taken, b"abc");
    }

    #[test]
    fn a_write_that_fails_is_told_once_and_leaves_the_peers_words_to_be_read() {
        let mut stream = writing(&[Written::Broken(Cause(32))]);
        stream.send(b"abc");
        // Nothing more is written, and nothing waits for it.
        assert!(!stream.is_blocked() && stream.is_broken() && stream.is_readable());
        assert_eq!(stream.take_write_fault(), Some(Cause(32)));
        assert_eq!(stream.take_write_fault(), None);
    }

    #[test]
    fn an_end_behind_a_write_that_failed_is_no_clean_one() {
        // As Linux has it after a reset: the write takes the error, and reads find an end.
        for (report, expected) in [
            (None, Read::Broken(Cause(32))),
            (Some(Readiness { broken: true, ..ENDED }), Read::Broken(Cause(32))),
            (Some(ENDED), Read::End),
        ] {
            let (reads, writes) = ([Read::End].into(), [Written::Broken(Cause(32))].into());
            let mut stream = Stream::new(Scripted { reads, writes, ..Scripted::default() }, true);
            report.into_iter().for_each(|report| stream.note(report));
            stream.send(b"rest of a body");
            assert_eq!(stream.read(&mut [0; 4]), expected, "{report:?}");
        }
    }

    #[test]
    fn bytes_that_were_read_and_are_used_up_hold_no_memory() {
        let mut stream = reading(&[]);
        stream.unread = b"abcde".to_vec();
        stream.use_unread(2);
        assert_eq!(stream.unread, b"cde");
        stream.use_unread(0);
        stream.use_unread(3);
        assert_eq!((stream.unread.len(), stream.unread.capacity()), (0, 0));
    }

    #[test]
    fn bytes_that_waited_and_are_written_hold_no_memory() {
        let mut stream = writing(&[Written::Bytes(1), Written::Bytes(9)]);
        stream.send(b"abc");
        stream.note(WRITABLE);
        stream.flush();
        assert_eq!(stream.pending.capacity(), 0);
    }

    #[test]
    fn a_stream_is_ended_once() {
        let mut stream = writing(&[]);
        assert!(!stream.is_writing_ended());
        stream.end_writing();
        stream.end_writing();
        assert!(stream.is_writing_ended());
        assert_eq!(stream.socket().ends, 1);
    }
}
