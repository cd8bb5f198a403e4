//! Signals as a readable file descriptor, for an event loop or a waiting main thread.
//!
//! Owns the registration and one socket pair that wakes the reader. A handler only sets a flag
//! and writes one byte, so several arrivals of one signal before a read are one, as with the
//! kernel's own pending set. What a signal means is the program's business.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec};
use signal_hook::{SigId, flag, low_level};

/// Registered signals and the descriptor that becomes readable when one has come, or a [`Nudge`].
///
/// Dropping it gives up the registration; the signals are then ignored, not reset to the
/// system's default.
#[derive(Debug)]
pub struct Signals {
    wake: UnixStream,
    wake_end: UnixStream,
    /// In the order of registration, which is the order [`Signals::pending`] reports in.
    watched: Vec<(i32, Arc<AtomicBool>)>,
    ids: Vec<SigId>,
}

impl Signals {
    /// Takes over the given signals (numbers as in `signal_hook::consts`), on the only
    /// thread that they may come to: one that comes before it is wholly registered would be
    /// swallowed, so they are held back from this thread meanwhile.
    ///
    /// # Errors
    /// When the system refuses a descriptor or one of the signals (SIGKILL, SIGSTOP).
    pub fn register(signals: &[i32]) -> io::Result<Signals> {
        let (wake, wake_end) = UnixStream::pair()?;
        wake.set_nonblocking(true)?;
        wake_end.set_nonblocking(true)?;
        let mut registered = Signals { wake, wake_end, watched: Vec::new(), ids: Vec::new() };
        let add_all = || signals.iter().try_for_each(|&signal| registered.add(signal));
        sys::signals::hold(signals, add_all)??;
        Ok(registered)
    }

    fn add(&mut self, signal: i32) -> io::Result<()> {
        let arrived = Arc::new(AtomicBool::new(false));
        // The flag first: whoever sees the byte must find the flag set.
        self.ids.push(flag::register(signal, Arc::clone(&arrived))?);
        self.ids.push(low_level::pipe::register(signal, self.wake_end.try_clone()?)?);
        self.watched.push((signal, arrived));
        Ok(())
    }

    /// For other threads of the program, to end a wait as a signal would.
    ///
    /// # Errors
    /// When the system refuses a descriptor.
    pub fn nudge(&self) -> io::Result<Nudge> {
        Ok(Nudge(self.wake_end.try_clone()?))
    }

    /// The signals that have come since the last call, each once. Never blocks.
    pub fn pending(&mut self) -> impl Iterator<Item = i32> + '_ {
        // Empty the socket before the flags are taken: in the other order a signal that comes in
        // between would leave its flag set and nothing to read, and be seen only with the next.
        let mut bytes = [0; 64];
        while matches!(self.wake.read(&mut bytes), Ok(count) if count > 0) {}
        self.watched
            .iter()
            .filter(|(_, arrived)| arrived.swap(false, Ordering::SeqCst))
            .map(|(signal, _)| *signal)
    }

    /// Waits until a signal has come (`true`) or `timeout` has passed (`false`; `None` waits for
    /// ever). Take what came with [`Signals::pending`]; it may be nothing.
    ///
    /// # Errors
    /// When poll(2) fails for another reason than an interruption, which counts as a wake-up.
    pub fn wait(&mut self, timeout: Option<Duration>) -> io::Result<bool> {
        let timeout = timeout.map(|left| Timespec {
            tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(left.subsec_nanos()),
        });
        let mut watched = [PollFd::new(&self.wake, PollFlags::IN)];
        match rustix::event::poll(&mut watched, timeout.as_ref()) {
            Ok(ready) => Ok(ready > 0),
            Err(rustix::io::Errno::INTR) => Ok(true),
            Err(errno) => Err(errno.into()),
        }
    }
}

/// Ends a wait for signals from another thread.
#[derive(Debug)]
pub struct Nudge(UnixStream);

impl Nudge {
    /// Never blocks: where there is no room for another byte, the wait ends anyway.
    pub fn give(&self) {
        let _ = (&self.0).write(b"!");
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        for id in self.ids.drain(..) {
            low_level::unregister(id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use signal_hook::consts::{SIGIO, SIGUSR1, SIGUSR2, SIGWINCH};

    // One signal per test: tests share the process, and so its signals.

    #[test]
    fn a_signal_is_reported_once_however_often_it_came() {
        let mut signals = Signals::register(&[SIGUSR1]).unwrap();
        assert!(!signals.wait(Some(Duration::ZERO)).unwrap());
        for _ in 0..3 {
            low_level::raise(SIGUSR1).unwrap();
        }
        assert!(signals.wait(Some(Duration::from_secs(5))).unwrap());
        assert_eq!(signals.pending().collect::<Vec<_>>(), [SIGUSR1]);
        assert_eq!(signals.pending().count(), 0);
        assert!(!signals.wait(Some(Duration::ZERO)).unwrap());
    }

    #[test]
    fn a_thousand_unread_signals_do_not_block_the_handler() {
        let mut signals = Signals::register(&[SIGUSR2]).unwrap();
        for _ in 0..1000 {
            low_level::raise(SIGUSR2).unwrap();
        }
        assert_eq!(signals.pending().collect::<Vec<_>>(), [SIGUSR2]);
    }

    #[test]
    fn a_signal_ends_a_wait_that_has_no_limit() {
        let mut signals = Signals::register(&[SIGWINCH]).unwrap();
        let raiser = std::thread::spawn(|| {
            std::thread::sleep(Duration::from_millis(20));
            low_level::raise(SIGWINCH).unwrap();
        });
        while !signals.wait(None).unwrap() {}
        raiser.join().unwrap();
        assert_eq!(signals.pending().collect::<Vec<_>>(), [SIGWINCH]);
    }

    #[test]
    fn a_signal_that_is_held_back_is_reported_afterwards() {
        let mut signals = Signals::register(&[SIGIO]).unwrap();
        sys::signals::hold(&[SIGIO], || {
            low_level::raise(SIGIO).unwrap();
            assert!(!signals.wait(Some(Duration::ZERO)).unwrap());
        })
        .unwrap();
        assert_eq!(signals.pending().collect::<Vec<_>>(), [SIGIO]);
        assert!(sys::signals::hold(&[1000], || ()).is_err(), "no signal has that number");
    }

    #[test]
    fn a_nudge_ends_a_wait_without_a_signal() {
        let mut signals = Signals::register(&[signal_hook::consts::SIGURG]).unwrap();
        let nudge = signals.nudge().unwrap();
        for _ in 0..100_000 {
            nudge.give();
        }
        assert!(signals.wait(Some(Duration::from_secs(5))).unwrap());
        while signals.wait(Some(Duration::ZERO)).unwrap() {
            assert_eq!(signals.pending().count(), 0);
        }
    }

    #[test]
    fn a_signal_nobody_may_catch_is_an_error() {
        assert!(
            std::panic::catch_unwind(|| Signals::register(&[signal_hook::consts::SIGKILL]))
                .map_or(true, |result| result.is_err())
        );
    }
}
