//! Answers that come while a request is still being sent.
//!
//! A store that finds a request too large, or its sender unknown, says so at once and closes, and what
//! is sent after that fails: the answer is there all the same, and tells more than the failure. Owns
//! that it is read. A success of which the request was not sent whole is none.

use std::io;

use ureq::Error;
use ureq::unversioned::transport::{Buffers, ConnectionDetails, Connector, NextTimeout, Transport};

/// Where the status code begins in a status line (RFC 9112 §4): `HTTP/1.1 413`.
const STATUS_AT: usize = 9;

/// Wraps connections.
#[derive(Debug)]
pub(crate) struct EarlyAnswers;

impl<In: Transport> Connector<In> for EarlyAnswers {
    type Out = Connection<In>;

    fn connect(
        &self,
        _: &ConnectionDetails<'_>,
        chained: Option<In>,
    ) -> Result<Option<Connection<In>>, Error> {
        Ok(chained.map(|inner| Connection { inner, broken: None }))
    }
}

/// A connection.
#[derive(Debug)]
pub(crate) struct Connection<T> {
    inner: T,
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
