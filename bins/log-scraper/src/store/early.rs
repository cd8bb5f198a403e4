//! Connections, and what their ends mean: an answer that came first, or a connection that was over.
//!
//! A store that finds a request too large, or its sender unknown, says so at once and closes, and what
//! is sent after that fails: the answer is there all the same, and tells more than the failure. Owns
//! that it is read. A success of which the request was not sent whole is none.
//!
//! Owns as well whether a request went by a connection that was kept and that ended without a byte of
//! an answer: the store closed it as the request was on its way, and nothing is wrong with either.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ureq::Error;
use ureq::unversioned::transport::{Buffers, ConnectionDetails, Connector, NextTimeout, Transport};

/// Where the status code begins in a status line (RFC 9112 §4): `HTTP/1.1 413`.
const STATUS_AT: usize = 9;

/// What became of the connection of the last request, for whoever makes requests.
#[derive(Clone, Debug, Default)]
pub(crate) struct Kept(Arc<Seen>);

#[derive(Debug, Default)]
struct Seen {
    is_new: AtomicBool,
    is_answered: AtomicBool,
}

impl Kept {
    /// A request begins.
    pub(crate) fn begin(&self) {
        self.0.is_new.store(false, Ordering::Relaxed);
        self.0.is_answered.store(false, Ordering::Relaxed);
    }

    /// Whether this is how a request ends whose connection was kept and was closed before an answer:
    /// it may be made again at once, on another connection (RFC 9112 §9.3.1), for a record may come
    /// twice. One that ran out of time may not.
    pub(crate) fn was_over(&self, error: &Error) -> bool {
        let is_closed = match error {
            Error::Io(error) => is_over(error.kind()) || is_end(error.kind()),
            _ => false,
        };
        is_closed
            && !self.0.is_new.load(Ordering::Relaxed)
            && !self.0.is_answered.load(Ordering::Relaxed)
    }
}

/// Wraps connections.
#[derive(Debug)]
pub(crate) struct EarlyAnswers(pub(crate) Kept);

impl<In: Transport> Connector<In> for EarlyAnswers {
    type Out = Connection<In>;

    fn connect(
        &self,
        _: &ConnectionDetails<'_>,
        chained: Option<In>,
    ) -> Result<Option<Connection<In>>, Error> {
        self.0.0.is_new.store(true, Ordering::Relaxed);
        let kept = self.0.clone();
        Ok(chained.map(|inner| Connection { inner, kept, broken: None }))
    }
}

/// A connection.
#[derive(Debug)]
pub(crate) struct Connection<T> {
    inner: T,
    kept: Kept,
    /// Why no more can be sent.
    broken: Option<io::ErrorKind>,
}

impl<T: Transport> Transport for Connection<T> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.inner.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        if self.broken.is_some() {
            return Ok(());
        }
        match self.inner.transmit_output(amount, timeout) {
            Err(Error::Io(error)) if is_over(error.kind()) => {
                self.broken = Some(error.kind());
                Ok(())
            }
            outcome => outcome,
        }
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        let outcome = self.inner.await_input(timeout);
        if !self.inner.buffers().input().is_empty() {
            self.kept.0.is_answered.store(true, Ordering::Relaxed);
        }
        let Some(kind) = self.broken else { return outcome };
        match outcome {
            Ok(true) if is_refusal(self.inner.buffers().input()) => Ok(true),
            _ => Err(Error::Io(kind.into())),
        }
    }

    fn is_open(&mut self) -> bool {
        self.broken.is_none() && self.inner.is_open()
    }

    fn is_tls(&self) -> bool {
        self.inner.is_tls()
    }
}

/// Whether the other side takes no more.
fn is_over(kind: io::ErrorKind) -> bool {
    matches!(kind, io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset)
}

/// Whether the other side was done.
fn is_end(kind: io::ErrorKind) -> bool {
    matches!(kind, io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionAborted)
}

/// Whether these are the first bytes of an answer that is no success, or of more of one.
fn is_refusal(input: &[u8]) -> bool {
    !input.starts_with(b"HTTP/") || matches!(input.get(STATUS_AT), Some(b'3'..=b'5'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_no_success_counts_for_a_request_that_was_cut() {
        assert!(is_refusal(b"HTTP/1.1 413 Too Large") && is_refusal(b"HTTP/1.1 401"));
        assert!(is_refusal(b"HTTP/1.0 503 Busy\r\n") && is_refusal(b"HTTP/1.1 302"));
        for other in ["HTTP/1.1 200 OK", "HTTP/1.1 204", "HTTP/1.1 100 Continue", "HTTP/1.1 "] {
            assert!(!is_refusal(other.as_bytes()), "{other}");
        }
    }
}
