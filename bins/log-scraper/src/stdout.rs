//! The engine's sink over standard output.
//!
//! Owns how stdout is written to: whole buffers, no copy in between, and without waiting where
//! that can be had, so that files go on being watched while nobody reads.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::{Errno, retry_on_intr};
use tail::fs::{Sink, SinkFault, Taken};

use crate::os_fs::fault;

/// Room asked for in the pipe. With the usual 64 KiB writer and reader wait for each other at every
/// other call; beyond this they no longer share the processor's cache.
const PIPE_BYTES: usize = 256 << 10;

/// Standard output.
#[derive(Debug)]
pub(crate) struct Stdout {
    /// The same pipe, opened anew: to be non-blocking is a property of the opening, and the one
    /// inherited is shared with whoever started the program.
    reopened: Option<OwnedFd>,
    inherited: io::Stdout,
}

impl Stdout {
    /// Standard output as it was inherited.
    pub(crate) fn new() -> Stdout {
        let inherited = io::stdout();
        let is_pipe = rustix::fs::fstat(&inherited)
            .is_ok_and(|seen| FileType::from_raw_mode(seen.st_mode) == FileType::Fifo);
        // A file opened anew would be written from its start, so only pipes are.
        let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let reopened = is_pipe
            .then(|| rustix::fs::open("/proc/self/fd/1", flags, Mode::empty()).ok())
            .flatten();
        if let Some(pipe) = &reopened {
            // A system that allows less has the size it had.
            let _ = rustix::pipe::fcntl_setpipe_size(pipe, PIPE_BYTES);
        }
        Stdout { reopened, inherited }
    }
}

impl AsFd for Stdout {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.reopened {
            Some(reopened) => reopened.as_fd(),
            None => self.inherited.as_fd(),
        }
    }
}

impl Sink for Stdout {
    fn offer(&mut self, _number: u64, bytes: &[u8]) -> Result<Taken, SinkFault> {
        match retry_on_intr(|| rustix::io::write(&*self, bytes)) {
            // The system has them now, whatever becomes of this process.
            Ok(count) => Ok(Taken { bytes: count, safe: true }),
            Err(Errno::AGAIN) => Err(SinkFault::Blocked),
            Err(Errno::PIPE) => Err(SinkFault::Closed),
            Err(errno) => Err(SinkFault::Failed(fault(errno.into()))),
        }
    }
}
