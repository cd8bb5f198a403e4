//! The engine's sink over a log store.
//!
//! Owns the courier and the thread that sends for it, and stdout beside them where both get the
//! lines. What the store acknowledged is told to the engine, and only after that is in a checkpoint
//! the next request is made: whenever the process dies, no more than one batch comes twice.

mod connect;
mod credentials;
mod early;
mod gzip;
pub(crate) mod metrics;
mod names;
mod proxy;
mod sender;
pub(crate) mod setup;
mod stamp;
mod tee;
#[cfg(feature = "tls")]
mod tls;

use std::os::fd::BorrowedFd;
use std::time::Instant;

use log::{info, warn};
use ship::courier::{Courier, Next};
use ship::told::Stats;
use sidecar::logging::Throttles;
use tail::fs::{Sink, SinkFault, Taken};

use crate::store::sender::Sender;
use crate::store::tee::Tee;

/// A request that is under way for so long when all is to end is made again on another connection:
/// the one that it went by may lead to where nobody is any more, which shows only by its time-out.
const STALE_MS: u64 = 3000;

/// A store, and how records get there.
pub(crate) struct Store {
    courier: Courier,
    sender: Sender,
    tee: Option<Tee>,
    now_ms: u64,
    /// When there is something to do, whatever else happens.
    at_ms: u64,
    /// Something was acknowledged that no checkpoint says yet.
    unsaved: bool,
    /// The next number to tell, which stdout has not got yet.
    held: Option<u64>,
    throttles: Throttles<&'static str>,
    /// A request that is under way then is broken off, once.
    stale_ms: Option<u64>,
}

impl Store {
    /// Takes the answer to the last request, if there is one.
    pub(crate) fn listen(&mut self, now_ms: u64) {
        self.now_ms = now_ms;
        if let Some(tee) = &mut self.tee {
            // Whoever reads stdout has made room, perhaps; that nobody does shows at the next offer.
            let _ = tee.flush(now_ms);
            if let Some(fault) = tee.take_fault()
                && let Some(more) = self.throttles.allow("stdout", Instant::now())
            {
                warn!("stdout: {fault}; trying again{more}");
            }
        }
        if let Some(answer) = self.sender.take_answer() {
            self.courier.answered(answer, now_ms);
        }
        for told in self.courier.take_told() {
            let Some(more) = self.throttles.allow(told.topic(), Instant::now()) else { continue };
            match told.is_fault() {
                true => warn!("{told}{more}"),
                false => info!("{told}{more}"),
            }
        }
    }

    /// Whether something was acknowledged since this was last asked.
    pub(crate) fn take_unsaved(&mut self) -> bool {
        std::mem::take(&mut self.unsaved)
    }

    /// Makes the next request if one is due.
    pub(crate) fn act(&mut self, now_ms: u64) {
        self.at_ms = match self.courier.next(now_ms) {
            Next::Send(parcel) => {
                self.sender.send(parcel);
                u64::MAX
            }
            Next::At(at_ms) => at_ms,
            Next::Wait => u64::MAX,
        };
        let again_ms = self.tee.as_ref().and_then(Tee::again_ms);
        self.at_ms = self.at_ms.min(again_ms.unwrap_or(u64::MAX));
        match self.stale_ms {
            Some(stale_ms) if now_ms < stale_ms => self.at_ms = self.at_ms.min(stale_ms),
            Some(_) => {
                self.stale_ms = None;
                self.sender.break_off();
            }
            None => {}
        }
    }

    /// When there is something to do, whatever else happens.
    pub(crate) fn at_ms(&self) -> u64 {
        self.at_ms
    }

    /// Nothing is waited for any more.
    pub(crate) fn end(&mut self) {
        self.courier.end();
        self.stale_ms = Some(self.now_ms.saturating_add(STALE_MS));
    }

    /// Readable once there is an answer.
    pub(crate) fn answered(&self) -> BorrowedFd<'_> {
        self.sender.answered()
    }

    /// stdout, where it gets the lines as well.
    pub(crate) fn tee(&self) -> Option<&Tee> {
        self.tee.as_ref()
    }

    /// Counters and gauges.
    pub(crate) fn stats(&self) -> Stats {
        self.courier.stats()
    }
}

impl Sink for Store {
    fn offer(&mut self, number: u64, envelopes: &[u8]) -> Result<Taken, SinkFault> {
        // stdout has one offer to write out at a time.
        self.tee.as_mut().map_or(Ok(()), |tee| tee.flush(self.now_ms))?;
        let bytes = self.courier.offer(number, envelopes, self.now_ms);
        if bytes == 0 {
            return Err(SinkFault::Blocked);
        }
        if let Some(tee) = &mut self.tee {
            tee.take(number, &envelopes[..bytes], self.now_ms)?;
        }
        Ok(Taken { bytes, safe: false })
    }

    fn acknowledged(&mut self) -> Option<u64> {
        let number = self.held.take().or_else(|| self.courier.acknowledged())?;
        if let Some(tee) = &mut self.tee
            && !tee.has(number, self.now_ms)
        {
            self.held = Some(number);
            return None;
        }
        self.unsaved = true;
        Some(number)
    }
}
