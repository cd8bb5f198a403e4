//! Owns reading answers as they come in pieces: the status, where each answer ends, and whether the
//! connection ends with it.
//! For a known upstream whose answers have a `Content-Length`, or are chunked where a proxy has
//! changed them; not a reader for general use.

use http1::{BodyLength, BodyReader};

use crate::Fault;

/// Longest head expected; the upstream's is some hundred bytes.
const HEAD_BYTES_MAX: usize = 16 * 1024;

/// What is said of a whole answer.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Whole {
    pub(crate) status: u16,
    /// Whether the server ends the connection (`Connection: close`).
    pub(crate) closes: bool,
}

/// A head as it was read: how long it is, and what it says.
#[derive(Clone, Copy, Debug, Default)]
struct Head {
    whole: Whole,
    head_bytes: usize,
    /// How many bytes the body has; none where it is chunked.
    body_bytes: Option<usize>,
}

/// What of a body is still to come.
#[derive(Debug)]
enum Rest {
    Bytes(usize),
    Chunks(BodyReader),
}

impl Head {
    fn rest(&self) -> Rest {
        match self.body_bytes {
            Some(bytes) => Rest::Bytes(bytes),
            None => Rest::Chunks(BodyReader::new(BodyLength::Chunked)),
        }
    }
}

/// The head that the last answer had. Within one second most answers have the very same one, and a
/// comparison costs the load generator less than reading it again.
#[derive(Debug, Default)]
pub(crate) struct LastHead {
    bytes: Vec<u8>,
    head: Head,
}

/// One answer that may come in any number of pieces.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    /// What has come of a head, or of a chunk's line, whose end has not.
    begun: Vec<u8>,
    /// Once the head is whole: what will be said, and what of the body is still to come.
    body: Option<(Whole, Rest)>,
}

impl Answer {
    /// Takes the next piece; gives the answer when it has its last byte.
    ///
    /// # Errors
    /// If this is no HTTP/1 answer whose end is told, or more comes than that.
    pub(crate) fn take(
        &mut self,
        bytes: &[u8],
        last: &mut LastHead,
    ) -> Result<Option<Whole>, Fault> {
        match self.body.take() {
            Some((whole, rest)) => self.finish(whole, rest, bytes),
            None => self.take_head(bytes, last),
        }
    }

    fn take_head(&mut self, bytes: &[u8], last: &mut LastHead) -> Result<Option<Whole>, Fault> {
        if self.begun.is_empty() && !last.bytes.is_empty() && bytes.starts_with(&last.bytes) {
            let came = bytes.get(last.head.head_bytes..).unwrap_or_default();
            return self.finish(last.head.whole, last.head.rest(), came);
        }
        self.begun.extend_from_slice(bytes);
        let Some(head) = read_head(&self.begun)? else {
            return match self.begun.len() {
                HEAD_BYTES_MAX.. => Err(Fault::new("the answer's head does not end")),
                _ => Ok(None),
            };
        };
        last.head = head;
        last.bytes.clear();
        last.bytes.extend_from_slice(self.begun.get(..head.head_bytes).unwrap_or_default());
        let came = self.begun.split_off(head.head_bytes);
        self.begun.clear();
        self.finish(head.whole, head.rest(), &came)
    }

    fn finish(&mut self, whole: Whole, rest: Rest, came: &[u8]) -> Result<Option<Whole>, Fault> {
        let left = match rest {
            Rest::Bytes(left) => match left.checked_sub(came.len()) {
                None => return Err(Fault::new("more came than the answer's length")),
                Some(0) => None,
                Some(left) => Some(Rest::Bytes(left)),
            },
            Rest::Chunks(reader) => self.chunks(reader, came)?,
        };
        self.body = left.map(|left| (whole, left));
        Ok(if self.body.is_none() { Some(whole) } else { None })
    }

    /// Reads chunks; nothing is left once the last has come.
    fn chunks(&mut self, mut reader: BodyReader, came: &[u8]) -> Result<Option<Rest>, Fault> {
        self.begun.extend_from_slice(came);
        let mut used = 0;
        loop {
            let rest = self.begun.get(used..).unwrap_or_default();
            let part =
                reader.read(rest).map_err(|fault| Fault::new(format!("chunks: {fault:?}")))?;
            used += part.used;
            if reader.is_done() {
                let is_all = used == self.begun.len();
                self.begun.clear();
                return if is_all {
                    Ok(None)
                } else {
                    Err(Fault::new("more came than its chunks"))
                };
            }
            if part.used == 0 {
                self.begun.drain(..used);
                return Ok(Some(Rest::Chunks(reader)));
            }
        }
    }
}

/// The head at the start of `bytes`; nothing while it is not whole.
fn read_head(bytes: &[u8]) -> Result<Option<Head>, Fault> {
    let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else {
        return Ok(None);
    };
    let text = String::from_utf8_lossy(bytes.get(..end).unwrap_or_default()).to_lowercase();
    let mut lines = text.split("\r\n");
    let first = lines.next().unwrap_or_default();
    let status = first
        .strip_prefix("http/1.")
        .and_then(|rest| rest.split(' ').nth(1))
        .filter(|digits| digits.len() == 3)
        .and_then(|digits| digits.parse().ok())
        .ok_or_else(|| Fault::new(format!("\"{first}\" is no status line")))?;
    let closes = lines.clone().any(|line| line == "connection: close");
    let is_chunked = lines.clone().any(|line| line == "transfer-encoding: chunked");
    let body_bytes = lines
        .find_map(|line| line.strip_prefix("content-length:"))
        .and_then(|length| length.trim().parse().ok());
    if body_bytes.is_some() == is_chunked {
        return Err(Fault::new(format!("the answer {status} does not tell its end, or twice")));
    }
    Ok(Some(Head { whole: Whole { status, closes }, head_bytes: end + 4, body_bytes }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &[u8] = b"HTTP/1.1 200 OK\r\nServer: x\r\nContent-Length: 5\r\n\r\nHello";

    /// Reads `answers` in pieces of every size; gives the statuses, the same for each size.
    fn check(answers: &[&[u8]], expected: &[u16]) {
        for size in 1..=WHOLE.len() {
            let mut last = LastHead::default();
            let mut answer = Answer::default();
            let mut statuses = Vec::new();
            for bytes in answers {
                for piece in bytes.chunks(size) {
                    let whole = answer.take(piece, &mut last).unwrap();
                    statuses.extend(whole.map(|whole| whole.status));
                }
            }
            assert_eq!(statuses, expected, "pieces of {size}");
        }
    }

    fn check_refused(answer: &[u8]) {
        let outcome = Answer::default().take(answer, &mut LastHead::default());
        assert!(outcome.is_err(), "{outcome:?}");
    }

    #[test]
    fn answer_is_done_at_its_last_byte_and_not_before() {
        let mut answer = Answer::default();
        let mut last = LastHead::default();
        for byte in &WHOLE[..WHOLE.len() - 1] {
            assert_eq!(answer.take(&[*byte], &mut last).unwrap(), None);
        }
        let whole = Whole { status: 200, closes: false };
        assert_eq!(answer.take(b"o", &mut last).unwrap(), Some(whole));
    }

    #[test]
    fn answers_that_follow_each_other_are_told_apart_in_any_pieces() {
        let other = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n";
        check(&[WHOLE, WHOLE, other, WHOLE], &[200, 200, 503, 200]);
    }

    #[test]
    fn chunks_are_read_to_the_last_in_any_pieces() {
        let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
                        3\r\nabc\r\n10\r\n0123456789abcdef\r\n0\r\n\r\n";
        check(&[chunked, chunked, WHOLE, chunked], &[200, 200, 200, 200]);
        check_refused(&[&chunked[..], b"!"].concat());
    }

    #[test]
    fn end_of_the_connection_is_read_from_its_field() {
        let bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        let whole = Answer::default().take(bytes, &mut LastHead::default()).unwrap();
        assert_eq!(whole, Some(Whole { status: 200, closes: true }));
    }

    #[test]
    fn what_is_no_answer_with_a_length_is_refused() {
        check_refused(b"HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n");
        check_refused(b"HTTP/1.1 200 OK\r\n\r\n");
        check_refused(b"GET / HTTP/1.1\r\n\r\n");
        check_refused(&[WHOLE, b"!"].concat());
        check_refused(&[b'x'; HEAD_BYTES_MAX]);
    }
}
