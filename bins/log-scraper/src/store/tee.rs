//! stdout beside a store: the same lines, so that `kubectl logs` shows them.
//!
//! Owns what stdout has not taken yet of the last offer. Both get every line at least once, and the
//! position is that of the slower one.

use tail::envelope;
use tail::fs::{Sink, SinkFault};

use crate::stdout::Stdout;

/// Standard output, and what is to be written there.
pub(crate) struct Tee {
    stdout: Stdout,
    lines: Vec<u8>,
    written: usize,
    /// The offer that these lines are of.
    number: u64,
}

impl Tee {
    pub(crate) fn new(stdout: Stdout) -> Tee {
        Tee { stdout, lines: Vec::new(), written: 0, number: 0 }
    }

    /// Takes the lines of an offer, all of what was taken before being out, and writes what it can.
    ///
    /// # Errors
    /// When nobody reads stdout any more.
    pub(crate) fn take(&mut self, number: u64, envelopes: &[u8]) -> Result<(), SinkFault> {
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
        match self.flush() {
            // What is left waits: the offer is taken.
            Err(SinkFault::Blocked | SinkFault::Failed(_)) => Ok(()),
            outcome => outcome,
        }
    }

    /// Writes what is left.
    ///
    /// # Errors
    /// Why not all of it could be.
    pub(crate) fn flush(&mut self) -> Result<(), SinkFault> {
        while self.written < self.lines.len() {
            self.written += self.stdout.offer(0, &self.lines[self.written..])?.bytes;
        }
        Ok(())
    }

    /// Whether stdout has all lines of an offer.
    pub(crate) fn has(&mut self, number: u64) -> bool {
        number < self.number || self.flush().is_ok()
    }

    /// Whether something is left to be written.
    pub(crate) fn is_behind(&self) -> bool {
        self.written < self.lines.len()
    }

    pub(crate) fn stdout(&self) -> &Stdout {
        &self.stdout
    }
}
