//! Sockets for unit tests: one that never says or takes anything, and one that does as it is told.

use std::collections::VecDeque;
use std::net::SocketAddr;

use crate::net::{Cause, Read, Socket, Written};

pub(crate) struct Mute;

impl Socket for Mute {
    fn read(&mut self, _: &mut [u8]) -> Read {
        Read::Nothing
    }
    fn write(&mut self, _: &[u8]) -> Written {
        Written::Nothing
    }
    fn end_writing(&mut self) {}
    fn is_delivered(&mut self) -> bool {
        true
    }
    fn reset_when_dropped(&mut self) {}
    fn connect_result(&mut self) -> Result<(), Cause> {
        Ok(())
    }
    fn is_quiet(&mut self) -> bool {
        true
    }
    fn local_address(&self) -> Option<SocketAddr> {
        None
    }
}

/// Reads and writes come out as they were put in; then there is nothing more.
#[derive(Default)]
pub(crate) struct Scripted {
    /// What reads come to. The bytes are `x`.
    pub reads: VecDeque<Read>,
    /// What writes come to, of what is asked at most.
    pub writes: VecDeque<Written>,
    /// What was taken.
    pub taken: Vec<u8>,
    /// How many of the writes said that more follows.
    pub before_more: usize,
    /// How often the stream was ended.
    pub ends: usize,
}

impl Socket for Scripted {
    fn read(&mut self, buffer: &mut [u8]) -> Read {
        let read = self.reads.pop_front().unwrap_or(Read::Nothing);
        if let Read::Bytes(count) = read {
            buffer[..count].fill(b'x');
        }
        read
    }
    fn write(&mut self, bytes: &[u8]) -> Written {
        let written = match self.writes.pop_front().unwrap_or(Written::Nothing) {
            Written::Bytes(count) => Written::Bytes(count.min(bytes.len())),
            other => other,
        };
        if let Written::Bytes(count) = written {
            self.taken.extend_from_slice(&bytes[..count]);
        }
        written
    }
    fn write_before_more(&mut self, bytes: &[u8]) -> Written {
        self.before_more += 1;
        self.write(bytes)
    }
    fn end_writing(&mut self) {
        self.ends += 1;
    }
    fn is_delivered(&mut self) -> bool {
        true
    }
    fn reset_when_dropped(&mut self) {}
    fn connect_result(&mut self) -> Result<(), Cause> {
        Ok(())
    }
    fn is_quiet(&mut self) -> bool {
        self.reads.is_empty()
    }
    fn local_address(&self) -> Option<SocketAddr> {
        None
    }
}
