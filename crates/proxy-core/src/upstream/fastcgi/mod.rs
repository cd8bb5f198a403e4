//! FastCGI on the wire: records written, and an application's records read back.
//!
//! One request at a time on a connection, as all servers of today have it. It touches no socket,
//! and knows nothing of what the records carry (the FastCGI specification 1.0, §3.3).

mod params;

use std::fmt;

pub use params::push_request;

/// The one version that there is.
const VERSION: u8 = 1;
/// The number of the one request.
const REQUEST: u8 = 1;
/// Bytes of a record before its content.
const HEADER_BYTES: usize = 8;
/// Most content of a record that is written: a multiple of eight.
const CONTENT_BYTES_MAX: usize = 32 << 10;

/// Kinds of records that are written.
#[derive(Clone, Copy, Debug)]
pub(super) enum Sent {
    Begin = 1,
    Params = 4,
    Stdin = 5,
}

/// Kinds of records that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    End,
    Stdout,
    Stderr,
}

/// Writes one record. nginx: padded to a multiple of eight.
pub(super) fn push_record(kind: Sent, content: &[u8], out: &mut Vec<u8>) {
    debug_assert!(content.len() <= usize::from(u16::MAX), "a record is bounded");
    let [high, low] = u16::try_from(content.len()).unwrap_or(u16::MAX).to_be_bytes();
    let padding = content.len().wrapping_neg() % 8;
    let padding_byte = u8::try_from(padding).unwrap_or(0);
    out.extend_from_slice(&[VERSION, kind as u8, 0, REQUEST, high, low, padding_byte, 0]);
    out.extend_from_slice(content);
    out.resize(out.len() + padding, 0);
}

/// Writes a part of the request's body.
pub fn push_body(data: &[u8], out: &mut Vec<u8>) {
    data.chunks(CONTENT_BYTES_MAX).for_each(|part| push_record(Sent::Stdin, part, out));
}

/// Writes the end of the request's body.
pub fn push_body_end(out: &mut Vec<u8>) {
    push_record(Sent::Stdin, &[], out);
}

/// What an application says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'i> {
    /// More of the answer.
    Answer(&'i [u8]),
    /// The answer is at its end.
    AnswerEnd,
    /// More of a line for the error log.
    Error(&'i [u8]),
    /// The line is at its end.
    ErrorEnd,
    /// The request is over, and the connection free for another.
    End,
}

/// What breaks the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// nginx: upstream sent unsupported FastCGI protocol version.
    Version(u8),
    /// nginx: upstream sent invalid FastCGI record type.
    Kind(u8),
    /// nginx: upstream sent unexpected FastCGI request id.
    Request(u8),
    /// nginx: upstream prematurely closed FastCGI stdout, before the head of its answer was whole.
    AnswerCut,
    /// nginx: `fastcgi_catch_stderr` was found.
    Caught,
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Flaw::Version(byte) => write!(f, "FastCGI of version {byte}"),
            Flaw::Kind(byte) => write!(f, "a FastCGI record of kind {byte}"),
            Flaw::Request(_) => write!(f, "a FastCGI record of another request"),
            Flaw::AnswerCut => write!(f, "the end of its FastCGI answer before a whole head"),
            Flaw::Caught => write!(f, "an error that fastcgi_catch_stderr catches"),
        }
    }
}

/// Reads records, of which any part may come at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Records(State);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// So many bytes of a header have come: what it says so far.
    Header {
        at: usize,
        kind: Kind,
        length: u16,
        padding: u8,
    },
    /// So much content is to come, and padding behind it.
    Content {
        kind: Kind,
        left: u16,
        padding: u8,
    },
    Padding {
        kind: Kind,
        left: u8,
    },
}

/// Before the first byte of a record.
const BETWEEN: State = State::Header { at: 0, kind: Kind::End, length: 0, padding: 0 };

impl Default for Records {
    fn default() -> Self {
        Records(BETWEEN)
    }
}

impl Records {
    /// Whether the last record is whole.
    pub fn is_between(&self) -> bool {
        self.0 == BETWEEN
    }

    /// The next event, and how many bytes of the input lead to it; all of them where there is
    /// none.
    ///
    /// # Errors
    /// The first byte that no record has where it stands.
    pub fn read<'i>(&mut self, input: &'i [u8]) -> Result<(Option<Event<'i>>, usize), Flaw> {
        let mut used = 0;
        loop {
            let rest = input.get(used..).unwrap_or_default();
            match self.0 {
                State::Content { kind, left: 0, padding } => {
                    self.0 = State::Padding { kind, left: padding };
                    if kind == Kind::Stderr {
                        return Ok((Some(Event::ErrorEnd), used));
                    }
                }
                State::Padding { kind, left } if usize::from(left) <= rest.len() => {
                    self.0 = BETWEEN;
                    used += usize::from(left);
                    if kind == Kind::End {
                        return Ok((Some(Event::End), used));
                    }
                }
                _ if rest.is_empty() => return Ok((None, used)),
                State::Padding { kind, left } => {
                    let more = u8::try_from(rest.len()).unwrap_or(left);
                    self.0 = State::Padding { kind, left: left - more };
                    used += rest.len();
                }
                State::Content { kind, left, padding } => {
                    let data = rest.get(..usize::from(left)).unwrap_or(rest);
                    let count = u16::try_from(data.len()).unwrap_or(left);
                    self.0 = State::Content { kind, left: left - count, padding };
                    used += data.len();
                    match kind {
                        Kind::Stdout => return Ok((Some(Event::Answer(data)), used)),
                        Kind::Stderr => return Ok((Some(Event::Error(data)), used)),
                        Kind::End => {}
                    }
                }
                State::Header { .. } => {
                    let Some(byte) = rest.first() else { return Ok((None, used)) };
                    used += 1;
                    if self.header_byte(*byte)? {
                        return Ok((Some(Event::AnswerEnd), used));
                    }
                }
            }
        }
    }

    /// One byte of a header; true for the last one of an empty part of an answer, which ends it.
    fn header_byte(&mut self, byte: u8) -> Result<bool, Flaw> {
        let State::Header { at, mut kind, mut length, mut padding } = self.0 else {
            return Ok(false);
        };
        match (at, byte) {
            (0, VERSION) | (2, 0) | (3, REQUEST) | (7, _) => {}
            (0, _) => return Err(Flaw::Version(byte)),
            (1, 3) => kind = Kind::End,
            (1, 6) => kind = Kind::Stdout,
            (1, 7) => kind = Kind::Stderr,
            (1, _) => return Err(Flaw::Kind(byte)),
            (2 | 3, _) => return Err(Flaw::Request(byte)),
            (4, _) => length = u16::from(byte) << 8,
            (5, _) => length |= u16::from(byte),
            _ => padding = byte,
        }
        if at + 1 < HEADER_BYTES {
            self.0 = State::Header { at: at + 1, kind, length, padding };
            return Ok(false);
        }
        let is_last = kind == Kind::Stdout && length == 0;
        self.0 = match is_last {
            true => State::Padding { kind, left: padding },
            false => State::Content { kind, left: length, padding },
        };
        Ok(is_last)
    }
}

#[cfg(test)]
mod tests;
