//! A socket for unit tests that never says or takes anything.

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
