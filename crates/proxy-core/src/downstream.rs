//! What the client still gives and gets: its body, the answer, and what it was told.
//!
//! The wire on the client's side. It knows nothing of where the answer comes from.

use http1::{BodyLength, BodyReader, BodyWriter};

use crate::body::{Chain, Mode};
use crate::canary::{Canary, is_planted};
use crate::clock::Millis;
use crate::exchange::{Aside, Mirror, Sending};
use crate::log::Lines;
use crate::request::Request;
use crate::response::Response;
use crate::variables::Sent;

/// What becomes of the client's connection after the exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientNext {
    /// It waits for the next request.
    KeepAlive,
    /// It is closed once all is sent, and read for a while, so that the client gets the answer and
    /// not a reset (nginx: `lingering_close`).
    Close,
    /// It is closed at once: the answer cannot be completed.
    Abort,
    /// It is reset: the end of the connection would look like the answer's.
    Reset,
}

/// The client's side of an exchange.
#[derive(Debug)]
pub struct Downstream {
    /// The answer.
    pub response: Response,
    /// How much of it is sent.
    pub sent: Sent,
    /// Follows the request's body.
    pub body: BodyReader,
    /// Frames the answer's content.
    pub writer: BodyWriter,
    /// The client waits for `100 Continue` before it sends its body.
    pub owes_continue: bool,
    /// Whether the head of the answer is out.
    pub is_begun: bool,
    /// What the client was told of its connection. It is told once and kept to.
    pub is_persistent: bool,
    /// Bytes wait for the client to take some.
    pub is_blocked: bool,
    /// When the client last gave something, or was first waited for.
    pub since_ms: Millis,
    /// When it last took something, or began not to.
    pub taken_ms: Millis,
    /// What becomes of the connection.
    pub next: ClientNext,
    /// What the exchange does by itself.
    pub errands: Errands,
}

/// What an exchange does by itself: one of them at a time.
#[derive(Debug, Default)]
pub struct Errands {
    /// What of the answer's content is still to come out of a file.
    pub sending: Option<Box<Sending>>,
    /// The exchange itself, while it is its own subrequest.
    pub aside: Option<Box<Aside>>,
    /// Requests that are to be sent to other places too.
    pub mirrors: Vec<Mirror>,
    /// What stands around the answer's content is to be asked for.
    pub part: Option<Box<Request>>,
    /// Lines about subrequests for the access log.
    pub lines: Lines,
}

impl Default for Downstream {
    fn default() -> Self {
        Downstream {
            response: Response::default(),
            sent: Sent::default(),
            body: BodyReader::new(BodyLength::None),
            writer: BodyWriter::None,
            owes_continue: false,
            is_begun: false,
            is_persistent: false,
            is_blocked: false,
            since_ms: 0,
            taken_ms: 0,
            next: ClientNext::Close,
            errands: Errands::default(),
        }
    }
}

impl Downstream {
    /// Forgets the last exchange.
    pub fn begin(&mut self, now: Millis) {
        self.response.clear();
        self.sent = Sent::default();
        self.body = BodyReader::new(BodyLength::None);
        self.writer = BodyWriter::None;
        self.owes_continue = false;
        self.is_begun = false;
        self.is_persistent = false;
        self.is_blocked = false;
        self.since_ms = now;
        self.taken_ms = now;
        self.next = ClientNext::Close;
        self.errands = Errands::default();
    }

    /// Tells a client that waits for it to go on with its body (RFC 9110 §15.2.1).
    pub fn push_continue(&mut self, out: &mut Vec<u8>) {
        const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";
        out.extend_from_slice(CONTINUE);
        self.sent.head_bytes += CONTINUE.len() as u64;
    }

    /// Writes the head of the answer.
    pub fn push_head(&mut self, out: &mut Vec<u8>) {
        debug_assert!(!self.is_begun, "an answer has one head");
        debug_assert!(self.sent.body_bytes == 0, "and it comes before its content");
        let start = out.len();
        self.response.push_head(out);
        self.sent.head_bytes += (out.len() - start) as u64;
        self.is_begun = true;
    }

    /// Writes content.
    pub fn push_data(&mut self, data: &[u8], out: &mut Vec<u8>) {
        debug_assert!(self.is_begun, "content follows its head");
        if data.is_empty() {
            return;
        }
        if self.response.packing.chain.is_some() {
            self.pass(data, Mode::More, out);
        } else {
            let before = out.len();
            self.writer.write(data, out);
            self.sent.body_bytes += (out.len() - before) as u64;
        }
    }

    /// Writes what has become of content on its way through the filters.
    fn pass(&mut self, data: &[u8], mode: Mode, out: &mut Vec<u8>) {
        let Some(chain) = &mut self.response.packing.chain else { return };
        let before = out.len();
        self.writer.write(chain.pass(data, mode), out);
        self.sent.packed = chain.packed();
        self.sent.body_bytes += (out.len() - before) as u64;
    }

    /// Writes content that stands around the answer's own.
    pub fn push_added(&mut self, data: &[u8], out: &mut Vec<u8>) {
        debug_assert!(self.is_begun && !self.sent.is_whole, "it is a part of the content");
        let Some(chain) = self.response.packing.chain.as_deref_mut() else { return };
        let before = out.len();
        self.writer.write(chain.pass_added(data), out);
        self.sent.body_bytes += (out.len() - before) as u64;
    }

    /// Writes what is left of the answer's own content, where something else follows it. False
    /// where it is not what the answer says.
    #[must_use]
    pub fn push_own_end(&mut self, out: &mut Vec<u8>) -> bool {
        let Some(chain) = self.response.packing.chain.as_deref_mut() else { return true };
        let before = out.len();
        self.writer.write(chain.end_own(), out);
        self.sent.body_bytes += (out.len() - before) as u64;
        let is_good = !chain.is_bad();
        chain.leave_own();
        is_good
    }

    /// Nothing more comes for now: what the filters hold back is written.
    pub fn push_held(&mut self, out: &mut Vec<u8>) {
        if self.response.packing.chain.as_deref().is_some_and(Chain::is_holding) {
            self.pass(b"", Mode::Pause, out);
        }
    }

    /// Writes the end of the content, and what follows it: the answer is whole. A trailer is lines
    /// with their ends. False, and nothing that looks like an end, where the content is not what the
    /// answer says.
    #[must_use]
    pub fn push_end(&mut self, trailer: &[u8], out: &mut Vec<u8>) -> bool {
        debug_assert!(self.is_begun && !self.sent.is_whole, "an answer ends once");
        if self.response.packing.chain.is_some() && !is_planted(Canary::EndNotPassed) {
            self.pass(b"", Mode::End, out);
        }
        if self.is_content_bad() {
            return false;
        }
        self.response.packing.chain = None;
        let before = out.len();
        self.writer.finish(out);
        if !trailer.is_empty() && self.writer == BodyWriter::Chunked {
            // RFC 9112 §7.1: they stand before the line that ends all.
            out.truncate(out.len() - 2);
            out.extend_from_slice(trailer);
            out.extend_from_slice(b"\r\n");
        }
        self.sent.body_bytes += (out.len() - before) as u64;
        self.sent.is_whole = true;
        true
    }

    /// Whether content has come that is not what the answer says.
    pub fn is_content_bad(&self) -> bool {
        self.response.packing.chain.as_deref().is_some_and(Chain::is_bad)
    }

    /// Whether the whole request has been read.
    pub fn has_request(&self) -> bool {
        self.body.is_done()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begun(writer: BodyWriter) -> (Downstream, Vec<u8>) {
        let mut down = Downstream::default();
        let mut out = Vec::new();
        down.begin(5);
        down.response.begin_own(200);
        down.writer = writer;
        down.push_head(&mut out);
        (down, out)
    }

    #[test]
    fn what_is_sent_is_counted_with_its_framing() {
        for (writer, expected) in [
            (BodyWriter::Exact, &b"abcde"[..]),
            (BodyWriter::UntilClose, b"abcde"),
            (BodyWriter::Chunked, b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"),
            (BodyWriter::None, b""),
        ] {
            let (mut down, mut out) = begun(writer);
            let head_bytes = out.len();
            assert_eq!((down.sent.head_bytes, down.is_begun), (head_bytes as u64, true));
            for data in [&b"abc"[..], b"", b"de"] {
                down.push_data(data, &mut out);
            }
            assert!(!down.sent.is_whole);
            assert!(down.push_end(b"", &mut out));
            assert_eq!(&out[head_bytes..], expected);
            assert_eq!(down.sent.body_bytes, expected.len() as u64);
            assert!(down.sent.is_whole);
        }
    }

    #[test]
    fn a_trailer_stands_behind_the_last_chunk_and_nowhere_else() {
        for (writer, expected) in [
            (BodyWriter::Chunked, &b"1\r\na\r\n0\r\nA: b\r\n\r\n"[..]),
            (BodyWriter::UntilClose, b"a"),
            (BodyWriter::None, b""),
        ] {
            let (mut down, mut out) = begun(writer);
            let head_bytes = out.len();
            down.push_data(b"a", &mut out);
            assert!(down.push_end(b"A: b\r\n", &mut out));
            assert_eq!(
                (&out[head_bytes..], down.sent.body_bytes),
                (expected, expected.len() as u64)
            );
        }
    }

    #[test]
    fn a_client_that_waits_is_told_to_go_on_before_its_answer() {
        let mut down = Downstream::default();
        let mut out = Vec::new();
        down.push_continue(&mut out);
        assert_eq!(out, b"HTTP/1.1 100 Continue\r\n\r\n");
        assert_eq!((down.sent.head_bytes, down.is_begun), (25, false));
    }

    #[test]
    fn a_request_is_there_when_its_body_is() {
        let mut down = Downstream::default();
        assert!(down.has_request());
        down.body = BodyReader::new(BodyLength::Exact(3));
        assert!(!down.has_request());
        down.body.read(b"abc").unwrap();
        assert!(down.has_request());
    }

    #[test]
    fn the_next_exchange_begins_with_nothing_of_the_last() {
        let (mut down, mut out) = begun(BodyWriter::Chunked);
        down.push_data(b"abc", &mut out);
        down.body = BodyReader::new(BodyLength::Chunked);
        (down.is_persistent, down.is_blocked, down.owes_continue) = (true, true, true);
        down.next = ClientNext::KeepAlive;
        down.begin(9);
        assert_eq!(format!("{down:?}").len(), format!("{:?}", Downstream::default()).len());
        assert!(down.has_request() && !down.is_begun && !down.is_persistent);
        assert!(!down.is_blocked && !down.owes_continue && !down.sent.is_whole);
        assert_eq!((down.since_ms, down.sent.body_bytes, down.next), (9, 0, ClientNext::Close));
    }
}
