//! stdout beside a store: the same lines, so that `kubectl logs` shows them.
//!
//! Owns what stdout has not taken yet of the last offer. Both get every line at least once, and the
//! position is that of the slower one.

use tail::envelope;
use tail::fs::{Fault, Sink, SinkFault};

use crate::stdout::Stdout;

/// A write that failed, to a full disk for instance, is tried again after so long: such an output is
/// ready at any time.
const RETRY_MS: u64 = 1000;

/// Standard output, and what is to be written there.
pub(crate) struct Tee {
    stdout: Stdout,
    lines: Vec<u8>,
    written: usize,
    /// The offer that these lines are of.
    number: u64,
    /// The last write failed, and the next one is due then.
    again_ms: Option<u64>,
    /// Why it failed, until somebody is told.
    fault: Option<Fault>,
}

impl Tee {
    pub(crate) fn new(stdout: Stdout) -> Tee {
        Tee { stdout, lines: Vec::new(), written: 0, number: 0, again_ms: None, fault: None }
    }

    /// Takes the lines of an offer, all of what was taken before being out, and writes what it can.
    ///
    /// # Errors
    /// When nobody reads stdout any more.
    pub(crate) fn take(
        &mut self,
        number: u64,
        envelopes: &[u8],
        now_ms: u64,
    ) -> Result<(), SinkFault> {
        self.number = number;
        self.lines.clear();
        self.written = 0;
        let mut rest = envelopes;
        while let Some((record, len)) = envelope::first(rest) {
            self.lines.extend_from_slice(record.text);
            if record.part.is_none_or(|part| !part.goes_on) {
                self.lines.push(b'\n');
            }
            rest = &rest[len..];
        }
        match self.flush(now_ms) {
            // What is left waits: the offer is taken.
            Err(SinkFault::Blocked) => Ok(()),
            outcome => outcome,
        }
    }

    /// Writes what is left.
    ///
    /// # Errors
    /// Blocked where not all of it could be, whatever the reason, or that nobody reads any more.
    pub(crate) fn flush(&mut self, now_ms: u64) -> Result<(), SinkFault> {
        while self.written < self.lines.len() {
            if self.again_ms.is_some_and(|again_ms| now_ms < again_ms) {
                return Err(SinkFault::Blocked);
            }
            match self.stdout.offer(0, &self.lines[self.written..]) {
                Ok(taken) => (self.written, self.again_ms) = (self.written + taken.bytes, None),
                Err(SinkFault::Failed(fault)) => {
                    self.again_ms = Some(now_ms + RETRY_MS);
                    self.fault = Some(fault);
                }
                Err(other) => return Err(other),
            }
        }
        Ok(())
    }

    /// Whether stdout has all lines of an offer.
    pub(crate) fn has(&mut self, number: u64, now_ms: u64) -> bool {
        number < self.number || self.flush(now_ms).is_ok()
    }

    /// Why the last write failed, once.
    pub(crate) fn take_fault(&mut self) -> Option<Fault> {
        self.fault.take()
    }

    /// When the next write is due, where the last one failed.
    pub(crate) fn again_ms(&self) -> Option<u64> {
        self.again_ms
    }

    /// Whether something is left to be written as soon as there is room.
    pub(crate) fn waits_for_room(&self) -> bool {
        self.again_ms.is_none() && self.written < self.lines.len()
    }

    pub(crate) fn stdout(&self) -> &Stdout {
        &self.stdout
    }
}
