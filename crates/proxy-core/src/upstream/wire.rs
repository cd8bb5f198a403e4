//! The state of one exchange of bytes with an upstream server.

use http1::{BodyLength, BodyReader, BodyWriter, ResponseHead};

use super::fastcgi::{self, Records};
use super::replay::Replay;
use crate::clock::Millis;

/// Fields of answers for which room is kept.
const FIELDS_KEPT_MAX: usize = 128;

/// What has passed on the connection that a call has at the moment.
#[derive(Debug)]
pub struct Wire {
    /// The head of the answer is parsed into this.
    pub head: ResponseHead,
    /// Follows the answer's content.
    pub body: BodyReader,
    /// The request's body as this call sends it.
    pub request_body: BodyLength,
    /// The method that the server is asked by has no answer with content.
    pub is_head: bool,
    /// What was sent of it, in case that it is to be sent once more.
    pub replay: Replay,
    /// The connection had served before.
    pub is_reused: bool,
    /// Something of the request was sent.
    pub has_sent: bool,
    /// Something came.
    pub has_spoken: bool,
    /// So many bytes of a head have come that is not whole.
    pub held_bytes: usize,
    /// Bytes wait for the server to take some.
    pub is_blocked: bool,
    /// When the server last gave or took something.
    pub since_ms: Millis,
    /// FastCGI is spoken, and not HTTP.
    pub fastcgi: Option<Box<FastcgiWire>>,
}

/// What has come of an application's answer by FastCGI.
#[derive(Debug, Default)]
pub struct FastcgiWire {
    /// Reads its records.
    pub records: Records,
    /// The head of the answer as far as it is there.
    pub head: Vec<u8>,
    /// The line for the error log that is under way.
    pub error: Vec<u8>,
    /// So many bytes of such lines were told.
    pub told_bytes: usize,
    /// The application is done with the request.
    pub has_ended: bool,
}

impl Default for Wire {
    fn default() -> Self {
        Wire {
            head: ResponseHead::default(),
            body: BodyReader::new(BodyLength::None),
            request_body: BodyLength::None,
            is_head: false,
            replay: Replay::default(),
            is_reused: false,
            has_sent: false,
            has_spoken: false,
            held_bytes: 0,
            is_blocked: false,
            since_ms: 0,
            fastcgi: None,
        }
    }
}

impl Wire {
    /// Gives large buffers back.
    pub fn shrink(&mut self) {
        self.replay = Replay::default();
        self.fastcgi = None;
        if self.head.fields.capacity() > FIELDS_KEPT_MAX {
            self.head = ResponseHead::default();
        }
    }

    /// A connection is there; nothing has passed on it for this request.
    pub fn begin(&mut self, is_reused: bool, now: Millis) {
        self.body = BodyReader::new(BodyLength::None);
        if let Some(fastcgi) = &mut self.fastcgi {
            **fastcgi = FastcgiWire::default();
        }
        self.is_reused = is_reused;
        self.has_sent = true;
        self.has_spoken = false;
        self.held_bytes = 0;
        self.is_blocked = false;
        self.since_ms = now;
    }

    /// Frames the request's body for HTTP; what is not to be sent is dropped.
    pub fn writer(&self) -> BodyWriter {
        match self.request_body {
            _ if self.replay.own().is_some() || self.fastcgi.is_some() => BodyWriter::None,
            BodyLength::Chunked => BodyWriter::Chunked,
            BodyLength::Exact(_) => BodyWriter::Exact,
            BodyLength::None | BodyLength::UntilClose => BodyWriter::None,
        }
    }

    /// Frames data of the request's body.
    pub fn write_body(&self, data: &[u8], out: &mut Vec<u8>) {
        match self.fastcgi {
            Some(_) if self.request_body != BodyLength::None => fastcgi::push_body(data, out),
            Some(_) => {}
            None => self.writer().write(data, out),
        }
    }

    /// Writes what ends the request's body.
    pub fn end_body(&self, out: &mut Vec<u8>) {
        match self.fastcgi {
            // Where there is no body its end went out with the head.
            Some(_) if self.request_body != BodyLength::None => fastcgi::push_body_end(out),
            Some(_) => {}
            None => self.writer().finish(out),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_begins_with_nothing_of_the_one_before() {
        let mut wire = Wire { request_body: BodyLength::Chunked, ..Wire::default() };
        wire.begin(true, 5);
        wire.body = BodyReader::new(BodyLength::Chunked);
        (wire.has_spoken, wire.is_blocked, wire.held_bytes) = (true, true, 7);
        wire.begin(false, 9);
        assert!(wire.has_sent && !wire.is_reused && !wire.has_spoken && !wire.is_blocked);
        assert!(wire.body.is_done());
        assert_eq!((wire.held_bytes, wire.since_ms, wire.writer()), (0, 9, BodyWriter::Chunked));
    }

    #[test]
    fn a_body_is_framed_as_it_was_declared() {
        for (declared, writer) in [
            (BodyLength::None, BodyWriter::None),
            (BodyLength::Exact(3), BodyWriter::Exact),
            (BodyLength::Chunked, BodyWriter::Chunked),
        ] {
            let mut wire = Wire { request_body: declared, ..Wire::default() };
            wire.begin(false, 0);
            assert_eq!(wire.writer(), writer);
        }
    }
}
