//! The engine's sink over standard output.
//!
//! Owns how stdout is written to: whole buffers, no copy in between where that can be had, and
//! never waiting, so that files go on being watched and signals heard while nobody reads.

use std::io::{self, IsTerminal};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::PollFlags;
use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::{Errno, retry_on_intr};
use tail::fs::{Sink, SinkFault, Taken};

use crate::os_fs::fault;
use crate::writer::Writer;

/// Room asked for in the pipe. With the usual 64 KiB writer and reader wait for each other at every
/// other call; beyond this they no longer share the processor's cache.
const PIPE_BYTES: usize = 256 << 10;

/// How to write without waiting.
#[derive(Debug)]
enum Way {
    /// To the same pipe or terminal, opened anew: to be non-blocking is a property of the opening,
    /// and the one inherited is shared with whoever started the program.
    Reopened(OwnedFd),
    /// To the one inherited, and each call says that it does not wait: a pipe that another user
    /// made cannot be opened.
    Now,
    /// The same for a socket.
    Send,
    /// A file does not make its writer wait for a reader.
    Plain,
    /// Nothing of that can be had: a thread waits.
    Thread(Writer),
}

/// Standard output.
#[derive(Debug)]
pub(crate) struct Stdout {
    way: Way,
}

impl Stdout {
    /// Standard output as it was inherited.
    ///
    /// # Errors
    /// When it is closed, or a thread that is needed cannot be had.
    pub(crate) fn new() -> io::Result<Stdout> {
        if sys::stdout::is_unusable() {
            return Err(io::Error::other("stdout is closed: there is nowhere to write lines to"));
        }
        let mode = rustix::fs::fstat(sys::stdout::fd())?.st_mode;
        let way = match FileType::from_raw_mode(mode) {
            FileType::Fifo => reopen().map_or(Way::Now, Way::Reopened),
            FileType::Socket => Way::Send,
            FileType::CharacterDevice if sys::stdout::fd().is_terminal() => match reopen() {
                Some(terminal) => Way::Reopened(terminal),
                None => Way::Thread(Writer::start()?),
            },
            _ => Way::Plain,
        };
        if let Way::Reopened(_) | Way::Now = way {
            // A system that allows less has the size it had, and a terminal has none.
            let _ = rustix::pipe::fcntl_setpipe_size(sys::stdout::fd(), PIPE_BYTES);
        }
        Ok(Stdout { way })
    }

    /// What to wait for when it has no room: a descriptor, and what of it.
    pub(crate) fn room(&self) -> (BorrowedFd<'_>, PollFlags) {
        match &self.way {
            Way::Thread(writer) => (writer.done(), PollFlags::IN),
            _ => (self.as_fd(), PollFlags::OUT),
        }
    }

    fn write_once(&mut self, bytes: &[u8]) -> Result<usize, Errno> {
        match &mut self.way {
            Way::Reopened(fd) => retry_on_intr(|| rustix::io::write(&*fd, bytes)),
            Way::Plain => retry_on_intr(|| rustix::io::write(sys::stdout::fd(), bytes)),
            Way::Send => sys::stdout::send_now(bytes),
            Way::Now => sys::stdout::write_now(bytes),
            Way::Thread(writer) => writer.write(bytes),
        }
    }
}

impl AsFd for Stdout {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.way {
            Way::Reopened(reopened) => reopened.as_fd(),
            _ => sys::stdout::fd(),
        }
    }
}

impl Sink for Stdout {
    fn offer(&mut self, _number: u64, bytes: &[u8]) -> Result<Taken, SinkFault> {
        let mut outcome = self.write_once(bytes);
        if let (Way::Now, Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::PERM)) = (&self.way, outcome)
        {
            // A system older than Linux 6.4.
            let writer = Writer::start().map_err(|error| SinkFault::Failed(fault(error)))?;
            self.way = Way::Thread(writer);
            outcome = self.write_once(bytes);
        }
        match outcome {
            // The system has them now, whatever becomes of this process.
            Ok(count) => Ok(Taken { bytes: count, safe: true }),
            Err(Errno::AGAIN) => Err(SinkFault::Blocked),
            Err(Errno::PIPE | Errno::CONNRESET) => Err(SinkFault::Closed),
            Err(errno) => Err(SinkFault::Failed(fault(errno.into()))),
        }
    }
}

/// A file opened anew would be written from its start, so only pipes and terminals are.
fn reopen() -> Option<OwnedFd> {
    let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
    rustix::fs::open("/proc/self/fd/1", flags, Mode::empty()).ok()
}
