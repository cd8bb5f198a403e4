//! Readiness of file descriptors (epoll).
//!
//! A descriptor is registered once with a key of the caller's; the poller owns neither the
//! descriptor nor what the key means.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::event::epoll;

/// What a descriptor is watched for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interest {
    /// Level-triggered: readable.
    Readable,
    /// Level-triggered: writable.
    Writable,
    /// Edge-triggered: readable, writable and closed by the peer, each reported once per change.
    Edges,
    /// Level-triggered: readable, and only one of several pollers is woken (`EPOLLEXCLUSIVE`).
    Accept,
}

impl Interest {
    fn flags(self) -> epoll::EventFlags {
        use epoll::EventFlags as F;
        match self {
            Interest::Readable => F::IN,
            Interest::Writable => F::OUT,
            Interest::Edges => F::IN | F::OUT | F::RDHUP | F::ET,
            Interest::Accept => F::IN | F::EXCLUSIVE,
        }
    }
}

/// One report of readiness.
#[derive(Debug, Clone, Copy)]
pub struct Readiness {
    /// The key given at registration.
    pub key: u64,
    /// Bytes, a connection or the end of the stream can be read.
    pub readable: bool,
    /// The descriptor takes bytes.
    pub writable: bool,
    /// The peer has closed its side, or an error is pending.
    pub closed: bool,
    /// An error is pending: the connection is gone.
    pub broken: bool,
}

/// Room for the reports of one wait.
pub struct Events(Vec<epoll::Event>);

impl Events {
    /// Room for at most `count` reports a wait.
    pub fn with_capacity(count: usize) -> Events {
        Events(Vec::with_capacity(count))
    }

    /// The reports of the last wait.
    pub fn iter(&self) -> impl Iterator<Item = Readiness> + '_ {
        use epoll::EventFlags as F;
        self.0.iter().map(|event| {
            let flags = event.flags;
            let closed = flags.intersects(F::RDHUP | F::HUP | F::ERR);
            Readiness {
                key: event.data.u64(),
                readable: closed || flags.contains(F::IN),
                writable: flags.intersects(F::OUT | F::HUP | F::ERR),
                closed,
                broken: flags.contains(F::ERR),
            }
        })
    }
}

/// An epoll instance.
pub struct Poller(OwnedFd);

impl Poller {
    /// A new instance, closed on exec.
    pub fn new() -> io::Result<Poller> {
        Ok(Poller(epoll::create(epoll::CreateFlags::CLOEXEC)?))
    }

    /// Watches a descriptor. It is forgotten when the last duplicate of it is closed.
    pub fn add(&self, fd: impl AsFd, key: u64, interest: Interest) -> io::Result<()> {
        Ok(epoll::add(&self.0, fd, epoll::EventData::new_u64(key), interest.flags())?)
    }

    /// Changes what a descriptor is watched for.
    pub fn modify(&self, fd: impl AsFd, key: u64, interest: Interest) -> io::Result<()> {
        Ok(epoll::modify(&self.0, fd, epoll::EventData::new_u64(key), interest.flags())?)
    }

    /// Stops watching a descriptor.
    pub fn remove(&self, fd: impl AsFd) -> io::Result<()> {
        Ok(epoll::delete(&self.0, fd)?)
    }

    /// Waits for reports, for at most `timeout` (for ever with `None`), rounded up to nanoseconds.
    /// An interrupting signal ends the wait with no report.
    pub fn wait(&self, events: &mut Events, timeout: Option<Duration>) -> io::Result<()> {
        let timeout = timeout.map(|t| rustix::event::Timespec {
            tv_sec: i64::try_from(t.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(t.subsec_nanos()),
        });
        events.0.clear();
        match epoll::wait(&self.0, rustix::buffer::spare_capacity(&mut events.0), timeout.as_ref())
        {
            Ok(_) => Ok(()),
            Err(rustix::io::Errno::INTR) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::unix::net::UnixStream;

    #[test]
    fn a_written_byte_makes_the_other_end_readable() {
        let (mut near, far) = UnixStream::pair().unwrap();
        let poller = Poller::new().unwrap();
        poller.add(&far, 7, Interest::Readable).unwrap();
        let mut events = Events::with_capacity(4);
        poller.wait(&mut events, Some(Duration::ZERO)).unwrap();
        assert_eq!(events.iter().count(), 0);
        near.write_all(b"x").unwrap();
        poller.wait(&mut events, Some(Duration::from_secs(5))).unwrap();
        let report = events.iter().next().unwrap();
        assert!(report.key == 7 && report.readable && !report.closed);
    }

    #[test]
    fn an_edge_is_reported_once_and_a_close_as_closed() {
        let (mut near, far) = UnixStream::pair().unwrap();
        let poller = Poller::new().unwrap();
        poller.add(&far, 1, Interest::Edges).unwrap();
        let mut events = Events::with_capacity(4);
        near.write_all(b"x").unwrap();
        poller.wait(&mut events, Some(Duration::from_secs(5))).unwrap();
        assert!(events.iter().next().unwrap().readable);
        poller.wait(&mut events, Some(Duration::ZERO)).unwrap();
        assert_eq!(events.iter().count(), 0);
        drop(near);
        poller.wait(&mut events, Some(Duration::from_secs(5))).unwrap();
        assert!(events.iter().next().unwrap().closed);
    }
}
