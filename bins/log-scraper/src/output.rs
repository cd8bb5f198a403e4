//! Where lines go: stdout, or a log store.
//!
//! Owns what the main loop has to know of either: what to wait for, and what to do around a turn. In
//! a program without the feature `stores` there is stdout only.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use rustix::event::PollFlags;
use tail::fs::{Sink, SinkFault, Taken};

use crate::flags::Arguments;
use crate::stdout::Stdout;
#[cfg(feature = "stores")]
use crate::store::{Store, setup};

/// The engine's sink.
pub(crate) enum Output {
    Stdout(Stdout),
    #[cfg(feature = "stores")]
    Store(Box<Store>),
}

impl Output {
    /// The one that the flags name.
    ///
    /// # Errors
    /// When stdout is closed, or the system has no thread or descriptor left.
    pub(crate) fn new(arguments: &Arguments) -> io::Result<Output> {
        #[cfg(feature = "stores")]
        if let Some(store) = setup::store(arguments.output, &arguments.store)? {
            return Ok(Output::Store(Box::new(store)));
        }
        let _ = arguments;
        Stdout::new().map(Output::Stdout)
    }

    /// How long a line may well wait before it is looked at: where it waits for others anyway.
    pub(crate) fn patience_us(&self, arguments: &Arguments) -> u64 {
        let _ = arguments;
        match self {
            Output::Stdout(_) => 0,
            #[cfg(feature = "stores")]
            Output::Store(store) if store.tee().is_some() => 0,
            #[cfg(feature = "stores")]
            Output::Store(_) => setup::patience_us(&arguments.store),
        }
    }

    fn stdout(&self) -> Option<&Stdout> {
        match self {
            Output::Stdout(stdout) => Some(stdout),
            #[cfg(feature = "stores")]
            Output::Store(store) => store.tee().map(|tee| tee.stdout()),
        }
    }

    /// stdout, if anything is written there: that nobody reads it any more is to be known.
    pub(crate) fn reader(&self) -> Option<BorrowedFd<'_>> {
        self.stdout().map(AsFd::as_fd)
    }

    /// What to wait for when there is no room, or when stdout is behind.
    pub(crate) fn room(&self, is_blocked: bool) -> Option<(BorrowedFd<'_>, PollFlags)> {
        match self {
            Output::Stdout(stdout) => is_blocked.then(|| stdout.room()),
            #[cfg(feature = "stores")]
            Output::Store(store) => {
                let behind = store.tee().filter(|tee| tee.waits_for_room());
                behind.map(|tee| tee.stdout().room())
            }
        }
    }

    /// What to wait for always: a store's answers.
    pub(crate) fn answered(&self) -> Option<BorrowedFd<'_>> {
        match self {
            Output::Stdout(_) => None,
            #[cfg(feature = "stores")]
            Output::Store(store) => Some(store.answered()),
        }
    }

    /// Before a turn: takes what there is to hear.
    pub(crate) fn listen(&mut self, now_ms: u64) {
        match self {
            Output::Stdout(_) => {}
            #[cfg(feature = "stores")]
            Output::Store(store) => store.listen(now_ms),
        }
        let _ = now_ms;
    }

    /// Whether something became safe that is to be in a checkpoint before more is sent.
    pub(crate) fn take_unsaved(&mut self) -> bool {
        match self {
            Output::Stdout(_) => false,
            #[cfg(feature = "stores")]
            Output::Store(store) => store.take_unsaved(),
        }
    }

    /// After a turn: does what is due.
    pub(crate) fn act(&mut self, now_ms: u64) {
        match self {
            Output::Stdout(_) => {}
            #[cfg(feature = "stores")]
            Output::Store(store) => store.act(now_ms),
        }
        let _ = now_ms;
    }

    /// When something is due, whatever else happens.
    pub(crate) fn at_ms(&self) -> u64 {
        match self {
            Output::Stdout(_) => u64::MAX,
            #[cfg(feature = "stores")]
            Output::Store(store) => store.at_ms(),
        }
    }

    /// Nothing is to be waited for any more.
    pub(crate) fn end(&mut self) {
        match self {
            Output::Stdout(_) => {}
            #[cfg(feature = "stores")]
            Output::Store(store) => store.end(),
        }
    }

    /// Counters of the store.
    #[cfg(feature = "stores")]
    pub(crate) fn store_stats(&self) -> Option<ship::told::Stats> {
        match self {
            Output::Stdout(_) => None,
            Output::Store(store) => Some(store.stats()),
        }
    }
}

impl Sink for Output {
    fn offer(&mut self, number: u64, bytes: &[u8]) -> Result<Taken, SinkFault> {
        match self {
            Output::Stdout(stdout) => stdout.offer(number, bytes),
            #[cfg(feature = "stores")]
            Output::Store(store) => store.offer(number, bytes),
        }
    }

    fn acknowledged(&mut self) -> Option<u64> {
        match self {
            Output::Stdout(stdout) => stdout.acknowledged(),
            #[cfg(feature = "stores")]
            Output::Store(store) => store.acknowledged(),
        }
    }
}
