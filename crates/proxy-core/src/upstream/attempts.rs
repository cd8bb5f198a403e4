//! How the attempts of one request went, for the log and its variables.

use super::address::Address;
use crate::clock::Millis;

/// How one attempt went.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Attempt {
    /// Index into `Config::upstreams`.
    pub upstream: usize,
    /// The server's address; `None` where there was none to try.
    pub address: Option<Address>,
    /// The internal redirects before it.
    pub redirects: u32,
    /// When it began.
    pub began_ms: Millis,
    /// The status that it came to.
    pub status: Option<u16>,
    /// How long connecting took.
    pub connect_ms: Option<Millis>,
    /// How long until the answer's head was there.
    pub head_ms: Option<Millis>,
    /// How long until all was over.
    pub response_ms: Option<Millis>,
    /// Bytes that were sent, head and body.
    pub bytes_sent: u64,
    /// Bytes that came, head and body.
    pub bytes_received: u64,
    /// Bytes of the answer's content with the framing around it.
    pub body_bytes: u64,
}

/// The attempts of one request, for `$upstream_…`.
#[derive(Debug, Default)]
pub struct Attempts(Vec<Attempt>);

impl Attempts {
    /// The attempts, in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Attempt> {
        self.0.iter()
    }

    /// The attempt that is under way, or the last one.
    pub fn last(&mut self) -> Option<&mut Attempt> {
        self.0.last_mut()
    }

    pub(super) fn begin(&mut self, attempt: Attempt) {
        // Nearly all requests have one, and each that waits holds its memory.
        self.0.reserve_exact(1);
        self.0.push(attempt);
    }

    /// Forgets them.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// The last attempt is given up, unless it has come to its end already.
    pub fn end_if_open(&mut self, now: Millis) {
        if self.0.last().is_some_and(|attempt| attempt.response_ms.is_none()) {
            self.end(None, now);
        }
    }

    /// The last attempt has come to its end.
    pub fn end(&mut self, status: Option<u16>, now: Millis) {
        if let Some(attempt) = self.0.last_mut() {
            attempt.status = attempt.status.or(status);
            attempt.response_ms = Some(now.saturating_sub(attempt.began_ms));
        }
    }
}
