//! HTTP/1 messages on a socket, read by rules of their own: what the programs under test decide must
//! not be what judges them.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// How long a side may be silent before that is the result.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// A connection with what was read ahead.
pub struct Wire {
    stream: TcpStream,
    buffer: Vec<u8>,
    /// How reading stopped, if it did.
    pub stopped: Option<Stop>,
}

/// Why no more bytes came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    Ended,
    Reset,
    Silent,
}

/// A start line and its fields, as they came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Head {
    pub line: String,
    pub fields: Vec<(String, String)>,
    pub bytes: usize,
}

/// How the end of a body is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    Length(usize),
    Chunked,
    ToEnd,
}

/// A body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Body {
    pub data: Vec<u8>,
    /// Chunk lines counted.
    pub wire_bytes: usize,
    pub is_whole: bool,
}

impl Wire {
    pub fn new(stream: TcpStream) -> Wire {
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Wire { stream, buffer: Vec::new(), stopped: None }
    }

    /// The other side may have closed: what it said before is what counts.
    pub fn send(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes);
    }

    /// Ends the connection by a reset.
    pub fn reset(self) {
        let at_once = Some(Duration::ZERO);
        let _ = rustix::net::sockopt::set_socket_linger(&self.stream, at_once);
    }

    fn fill(&mut self) -> bool {
        if self.stopped.is_some() {
            return false;
        }
        let mut bytes = [0; 16 << 10];
        self.stopped = match self.stream.read(&mut bytes) {
            Ok(0) => Some(Stop::Ended),
            Ok(count) => {
                self.buffer.extend_from_slice(&bytes[..count]);
                None
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                Some(Stop::Silent)
            }
            Err(_) => Some(Stop::Reset),
        };
        self.stopped.is_none()
    }

    /// Everything until the other side ends.
    pub fn rest(&mut self) -> Vec<u8> {
        while self.fill() {}
        std::mem::take(&mut self.buffer)
    }

    /// The byte that comes next, which stays.
    pub fn first_byte(&mut self) -> Option<u8> {
        while self.buffer.is_empty() && self.fill() {}
        self.buffer.first().copied()
    }

    /// Waits for a head; `None` where the connection stops before its end.
    pub fn head(&mut self) -> Option<Head> {
        let end = loop {
            if let Some(at) = find(&self.buffer, b"\r\n\r\n") {
                break at + 4;
            }
            if !self.fill() {
                return None;
            }
        };
        let bytes: Vec<u8> = self.buffer.drain(..end).collect();
        let text = latin1(&bytes[..end - 4]);
        let mut lines = text.split("\r\n");
        let line = lines.next().unwrap_or_default().to_owned();
        let field = |line: &str| match line.split_once(": ").or(line.split_once(':')) {
            Some((name, value)) => (name.to_owned(), value.to_owned()),
            None => (line.to_owned(), "(no colon)".to_owned()),
        };
        Some(Head { line, fields: lines.map(field).collect(), bytes: end })
    }

    pub fn body(&mut self, framing: Framing) -> Body {
        match framing {
            Framing::Length(length) => {
                while self.buffer.len() < length && self.fill() {}
                let is_whole = self.buffer.len() >= length;
                let data: Vec<u8> = self.buffer.drain(..length.min(self.buffer.len())).collect();
                Body { wire_bytes: data.len(), data, is_whole }
            }
            Framing::ToEnd => {
                let data = self.rest();
                let is_whole = self.stopped == Some(Stop::Ended);
                Body { wire_bytes: data.len(), data, is_whole }
            }
            Framing::Chunked => self.chunked(),
        }
    }

    fn chunked(&mut self) -> Body {
        let mut body = Body::default();
        loop {
            let Some(line) = self.line() else { return body };
            body.wire_bytes += line.len() + 2;
            let size = line.split(';').next().unwrap_or_default().trim();
            let Ok(size) = usize::from_str_radix(size, 16) else { return body };
            let part = self.body(Framing::Length(size));
            body.wire_bytes += part.data.len();
            body.data.extend_from_slice(&part.data);
            if size == 0 {
                while let Some(line) = self.line() {
                    body.wire_bytes += line.len() + 2;
                    if line.is_empty() {
                        body.is_whole = true;
                        break;
                    }
                }
                return body;
            }
            match self.line() {
                Some(line) if line.is_empty() && part.is_whole => body.wire_bytes += 2,
                _ => return body,
            }
        }
    }

    fn line(&mut self) -> Option<String> {
        loop {
            if let Some(at) = find(&self.buffer, b"\r\n") {
                let line: Vec<u8> = self.buffer.drain(..at + 2).collect();
                return Some(latin1(&line[..at]));
            }
            if !self.fill() {
                return None;
            }
        }
    }
}

impl Head {
    pub fn get(&self, name: &str) -> Option<&str> {
        let found = self.fields.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// What the fields say of the body; `otherwise` where they say nothing.
    pub fn framing(&self, otherwise: Framing) -> Framing {
        if self.get("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked"))
        {
            return Framing::Chunked;
        }
        let length = self.get("content-length").and_then(|value| value.trim().parse().ok());
        length.map_or(otherwise, Framing::Length)
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

/// Bytes one by one, so that no two differ and look the same.
pub fn latin1(bytes: &[u8]) -> String {
    bytes.iter().map(|&byte| char::from(byte)).collect()
}
