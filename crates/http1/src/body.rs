//! Bodies: a reader that follows the framing and gives the data, a writer that frames data.
//!
//! ```text
//! Size -> SizePad -> Extension -> SizeEnd -> Data -> DataEnd -> DataEndLf -> Size
//!    \________________________________/ |
//!                                       + size 0: TrailerStart -> TrailerName -> TrailerValue -> TrailerLf -> TrailerStart
//!                                                      \-> LastLf -> Done
//! ```
//! Trailer fields are checked and told apart: none of them may be merged into a head by a proxy that
//! does not know them (RFC 9110 §6.5.1).

use alloc::vec::Vec;

use crate::emit::push_chunk_start;
use crate::framing::{BodyLength, LENGTH_MAX};
use crate::grammar::{is_token_byte, is_value_byte};
use crate::line::{CR, LF};
use crate::reject::Reject;

/// Follows one body. Holds no data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BodyReader {
    state: State,
}

/// A run of data and the bytes that were consumed to get at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BodyPart<'i> {
    /// Data of the body without its framing; may be empty.
    pub data: &'i [u8],
    /// Bytes of the input that are done with, `data` and framing around it.
    pub used: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Done,
    Failed(Reject),
    Exact(u64),
    UntilClose,
    /// In a chunk's size: its value and bytes of the line so far.
    Size {
        size: u64,
        line_bytes: u16,
    },
    /// White space after the size.
    SizePad {
        size: u64,
        line_bytes: u16,
    },
    /// After the semicolon.
    Extension {
        size: u64,
        line_bytes: u16,
    },
    /// The line feed of the size line is due.
    SizeEnd {
        size: u64,
    },
    /// So many bytes of data are left, never 0.
    Data(u64),
    DataEnd,
    DataEndLf,
    /// At the start of a trailer line or the last empty line; bytes of the section so far.
    TrailerStart {
        bytes: u16,
    },
    TrailerName {
        bytes: u16,
    },
    TrailerValue {
        bytes: u16,
    },
    TrailerLf {
        bytes: u16,
    },
    /// The line feed of the last empty line is due.
    LastLf,
}

/// Bound of a chunk's size line with its extensions, without its line end. No server in use sends
/// extensions; the bound stops a peer from hiding unlimited bytes in them.
const CHUNK_LINE_BYTES_MAX: u16 = 256;

/// Bound of a trailer section, line ends included: one field buffer of nginx.
const TRAILER_BYTES_MAX: u16 = 8 * 1024;

impl BodyReader {
    /// A reader at the start of a body of that length.
    pub fn new(length: BodyLength) -> Self {
        let state = match length {
            BodyLength::None | BodyLength::Exact(0) => State::Done,
            BodyLength::Exact(count) => State::Exact(count),
            BodyLength::Chunked => State::Size { size: 0, line_bytes: 0 },
            BodyLength::UntilClose => State::UntilClose,
        };
        BodyReader { state }
    }

    /// Whether the body is complete. What follows in the input is another message.
    pub fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// Bytes still to come of a body of declared length; 0 once it is done, `None` where the
    /// framing does not tell.
    pub fn remaining_exact(&self) -> Option<u64> {
        match self.state {
            State::Exact(left) => Some(left),
            State::Done => Some(0),
            _ => None,
        }
    }

    /// Takes bytes from the front of `input` up to the end of the next run of data, and the
    /// framing after it as far as it is there. Call again with what is left until the body is
    /// done or nothing was used. A rejection is final: it is repeated on each later call.
    pub fn read<'i>(&mut self, input: &'i [u8]) -> Result<BodyPart<'i>, Reject> {
        self.read_all(input).map(|(part, _)| part)
    }

    /// The same, with what of the framing is lines of the trailer, as far as they are there, and
    /// the empty line behind them. All of it together is at most 8 KB.
    pub fn read_all<'i>(&mut self, input: &'i [u8]) -> Result<(BodyPart<'i>, &'i [u8]), Reject> {
        let part = match self.state {
            State::Done => BodyPart { data: &[], used: 0 },
            State::Failed(reject) => return Err(reject),
            State::UntilClose => BodyPart { data: input, used: input.len() },
            State::Exact(left) => {
                let (data, left) = take(input, left);
                self.state = if left == 0 { State::Done } else { State::Exact(left) };
                BodyPart { data, used: data.len() }
            }
            _ => return self.read_chunked(input),
        };
        Ok((part, &[]))
    }

    fn read_chunked<'i>(&mut self, input: &'i [u8]) -> Result<(BodyPart<'i>, &'i [u8]), Reject> {
        let mut data: &[u8] = &[];
        let mut rest = input;
        let mut trailer = None;
        loop {
            if self.is_in_trailer() {
                trailer.get_or_insert(rest);
            }
            match (self.state, rest) {
                (State::Done, _) | (_, []) => break,
                (State::Data(count), _) => {
                    if !data.is_empty() {
                        break;
                    }
                    let left;
                    (data, left) = take(rest, count);
                    rest = rest.get(data.len()..).unwrap_or_default();
                    self.state = if left == 0 { State::DataEnd } else { State::Data(left) };
                }
                (state, [byte, after @ ..]) => match step(state, *byte) {
                    Ok(next) => (self.state, rest) = (next, after),
                    // The data before it is good: it goes out first, the next call rejects.
                    Err(_) if !data.is_empty() => break,
                    Err(reject) => {
                        self.state = State::Failed(reject);
                        return Err(reject);
                    }
                },
            }
        }
        debug_assert!(rest.len() <= input.len());
        let trailer = trailer.unwrap_or_default();
        let trailer = trailer.get(..trailer.len().saturating_sub(rest.len())).unwrap_or_default();
        Ok((BodyPart { data, used: input.len() - rest.len() }, trailer))
    }

    fn is_in_trailer(&self) -> bool {
        matches!(
            self.state,
            State::TrailerStart { .. }
                | State::TrailerName { .. }
                | State::TrailerValue { .. }
                | State::TrailerLf { .. }
                | State::LastLf
        )
    }

    /// The peer closed. Good if the body was complete or ends thus, else [`Reject::Truncated`]
    /// (RFC 9112 §8).
    pub fn eof(&mut self) -> Result<(), Reject> {
        match self.state {
            State::Done => Ok(()),
            State::UntilClose => {
                self.state = State::Done;
                Ok(())
            }
            State::Failed(reject) => Err(reject),
            _ => {
                self.state = State::Failed(Reject::Truncated);
                Err(Reject::Truncated)
            }
        }
    }
}

/// At most `left` bytes from the front of `input`, and how many are left then.
fn take(input: &[u8], left: u64) -> (&[u8], u64) {
    let count = usize::try_from(left).unwrap_or(usize::MAX).min(input.len());
    (input.get(..count).unwrap_or_default(), left - count as u64)
}

/// One byte of chunked framing; never called where data is due.
fn step(state: State, byte: u8) -> Result<State, Reject> {
    match state {
        State::Size { .. } | State::SizePad { .. } | State::Extension { .. } => {
            step_size_line(state, byte)
        }
        State::SizeEnd { size } => match byte {
            LF if size == 0 => Ok(State::TrailerStart { bytes: 0 }),
            LF => Ok(State::Data(size)),
            _ => Err(Reject::BareCarriageReturn),
        },
        State::DataEnd if byte == CR => Ok(State::DataEndLf),
        State::DataEndLf if byte == LF => Ok(State::Size { size: 0, line_bytes: 0 }),
        State::DataEnd | State::DataEndLf => Err(Reject::ChunkEndMissing),
        State::TrailerStart { bytes }
        | State::TrailerName { bytes }
        | State::TrailerValue { bytes }
        | State::TrailerLf { bytes } => step_trailer(state, bytes, byte),
        State::LastLf if byte == LF => Ok(State::Done),
        State::LastLf => Err(Reject::BareCarriageReturn),
        State::Done | State::Failed(_) | State::Exact(_) | State::UntilClose | State::Data(_) => {
            debug_assert!(false, "no framing is due here");
            Err(Reject::ChunkSizeMalformed)
        }
    }
}

fn step_size_line(state: State, byte: u8) -> Result<State, Reject> {
    let (size, line_bytes) = match state {
        State::Size { size, line_bytes }
        | State::SizePad { size, line_bytes }
        | State::Extension { size, line_bytes } => (size, line_bytes),
        _ => return Err(Reject::ChunkSizeMalformed),
    };
    if byte == LF {
        return Err(Reject::BareLineFeed);
    }
    if byte == CR && line_bytes > 0 {
        return Ok(State::SizeEnd { size });
    }
    if line_bytes >= CHUNK_LINE_BYTES_MAX {
        return Err(Reject::ChunkLineTooLong);
    }
    let line_bytes = line_bytes + 1;
    match (state, byte) {
        // RFC 9112 §7.1: digits alone, no sign and no 0x.
        (State::Size { .. }, byte) if byte.is_ascii_hexdigit() => {
            let digit = match byte {
                b'0'..=b'9' => byte - b'0',
                _ => (byte | 0x20) - b'a' + 10,
            };
            let size = size.saturating_mul(16).saturating_add(u64::from(digit));
            match size {
                0..=LENGTH_MAX => Ok(State::Size { size, line_bytes }),
                _ => Err(Reject::ChunkSizeTooLarge),
            }
        }
        (State::Size { .. }, _) if line_bytes == 1 => Err(Reject::ChunkSizeMalformed),
        // RFC 9112 §7.1.1: white space before an extension is bad but to be expected.
        (State::Size { .. } | State::SizePad { .. }, b' ' | b'\t') => {
            Ok(State::SizePad { size, line_bytes })
        }
        (State::Size { .. } | State::SizePad { .. }, b';') => {
            Ok(State::Extension { size, line_bytes })
        }
        (State::Extension { .. }, byte) if is_value_byte(byte) => {
            Ok(State::Extension { size, line_bytes })
        }
        _ => Err(Reject::ChunkSizeMalformed),
    }
}

fn step_trailer(state: State, bytes: u16, byte: u8) -> Result<State, Reject> {
    if let (State::TrailerStart { .. }, CR) = (state, byte) {
        return Ok(State::LastLf);
    }
    if bytes >= TRAILER_BYTES_MAX {
        return Err(Reject::TrailersTooLarge);
    }
    let bytes = bytes + 1;
    match (state, byte) {
        (State::TrailerLf { .. }, LF) => Ok(State::TrailerStart { bytes }),
        (State::TrailerLf { .. }, _) => Err(Reject::BareCarriageReturn),
        (_, LF) => Err(Reject::BareLineFeed),
        (State::TrailerStart { .. } | State::TrailerName { .. }, byte) if is_token_byte(byte) => {
            Ok(State::TrailerName { bytes })
        }
        (State::TrailerName { .. }, b':') => Ok(State::TrailerValue { bytes }),
        (State::TrailerValue { .. }, CR) => Ok(State::TrailerLf { bytes }),
        (State::TrailerValue { .. }, byte) if is_value_byte(byte) => {
            Ok(State::TrailerValue { bytes })
        }
        _ => Err(Reject::TrailerMalformed),
    }
}

/// Frames data for one body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyWriter {
    /// Nothing may be written; data is dropped.
    None,
    /// Data as it is; that it adds up to the declared length is the caller's to see to.
    Exact,
    /// Each piece as a chunk.
    Chunked,
    /// Data as it is, until the connection is closed.
    UntilClose,
}

impl BodyWriter {
    /// The writer for a body of that length.
    pub fn new(length: BodyLength) -> Self {
        match length {
            BodyLength::None => BodyWriter::None,
            BodyLength::Exact(_) => BodyWriter::Exact,
            BodyLength::Chunked => BodyWriter::Chunked,
            BodyLength::UntilClose => BodyWriter::UntilClose,
        }
    }

    /// Adds `data` to `out`. No data adds nothing, above all no last chunk.
    pub fn write(&self, data: &[u8], out: &mut Vec<u8>) {
        match self {
            _ if data.is_empty() => {}
            BodyWriter::None => {}
            BodyWriter::Exact | BodyWriter::UntilClose => out.extend_from_slice(data),
            BodyWriter::Chunked => {
                push_chunk_start(out, data.len());
                out.extend_from_slice(data);
                out.extend_from_slice(b"\r\n");
            }
        }
    }

    /// Adds what ends the body. Once, and not if the body was cut short: then the connection is
    /// closed instead, so that the other side can tell.
    pub fn finish(&self, out: &mut Vec<u8>) {
        match self {
            BodyWriter::None | BodyWriter::Exact | BodyWriter::UntilClose => {}
            BodyWriter::Chunked => out.extend_from_slice(b"0\r\n\r\n"),
        }
    }
}
