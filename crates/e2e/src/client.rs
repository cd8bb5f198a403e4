//! A strict HTTP/1.1 client for tests: one connection, one GET at a time, a deadline on each.
//!
//! It knows nothing of the proxy's own HTTP crate, so that the two cannot share a mistake. It
//! follows no redirect, repeats no request and hides no fault: what the peer did is in [`Fault`].

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

/// Largest response, head and body, that a test may ask for.
const RESPONSE_BYTES_MAX: usize = 1024 * 1024;
/// Most header fields of one response.
const HEADERS_MAX: usize = 64;

/// Where a request goes: the parts of an `http://` URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    /// Name or address, without the brackets of an IPv6 literal.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// Path and query, beginning with a slash.
    pub(crate) path: String,
}

impl Target {
    /// Takes `http://HOST[:PORT][/PATH]` apart.
    pub(crate) fn parse(url: &str) -> Result<Target, String> {
        let wrong = || format!("`{url}` is not http://HOST[:PORT][/PATH]");
        let rest = url.strip_prefix("http://").ok_or_else(wrong)?;
        let cut = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(cut);
        let (host, port) = match authority.strip_prefix('[') {
            Some(literal) => {
                let (host, after) = literal.split_once(']').ok_or_else(wrong)?;
                (host, after.strip_prefix(':'))
            }
            None => match authority.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (authority, None),
            },
        };
        let port = port.map_or(Ok(80), str::parse).map_err(|_| wrong())?;
        if host.is_empty() {
            return Err(wrong());
        }
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        Ok(Target { host: host.to_owned(), port, path })
    }

    /// The first address of the host. Done once per run: a load is not a test of the name server.
    pub(crate) fn resolve(&self) -> Result<SocketAddr, String> {
        (self.host.as_str(), self.port)
            .to_socket_addrs()
            .map_err(|error| format!("cannot resolve {}: {error}", self.host))?
            .next()
            .ok_or_else(|| format!("{} has no address", self.host))
    }

    /// The bytes of a GET for `path`; `fields` are whole `Name: value` lines without their end.
    pub(crate) fn request(&self, path: &str, fields: &[String]) -> Vec<u8> {
        let host = match (self.host.contains(':'), self.port) {
            (true, port) => format!("[{}]:{port}", self.host),
            (false, 80) => self.host.clone(),
            (false, port) => format!("{}:{port}", self.host),
        };
        let mut text = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n");
        for field in fields {
            text.push_str(field);
            text.push_str("\r\n");
        }
        text.push_str("\r\n");
        text.into_bytes()
    }
}

/// One whole response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Response {
    pub(crate) status: u16,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// The server announced that it closes after this response.
    pub(crate) closes: bool,
}

/// Why a request has no whole response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// No connection came about.
    Connect(String),
    /// The connection ended before the response did; how many bytes of it had come.
    EndedEarly { bytes: usize, how: String },
    /// Bytes that are no HTTP/1.1 response.
    Malformed(String),
    /// The deadline passed; how many bytes had come.
    TimedOut { bytes: usize },
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Fault::Connect(how) => write!(f, "connect: {how}"),
            Fault::EndedEarly { bytes, how } => {
                write!(f, "ended after {bytes} bytes of the response: {how}")
            }
            Fault::Malformed(how) => write!(f, "malformed response: {how}"),
            Fault::TimedOut { bytes } => write!(f, "timed out after {bytes} bytes of the response"),
        }
    }
}

/// What a connection between two requests is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Idle {
    /// Nothing has come: a request may be sent.
    Open,
    /// The server has closed it since the last response, which it may at any time (RFC 9112 §9.5).
    Closed,
    /// Bytes have come that answer no request.
    Unasked,
}

/// One TCP connection to a server.
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    /// Connects within `timeout`.
    pub(crate) fn open(address: SocketAddr, timeout: Duration) -> Result<Connection, Fault> {
        let stream = TcpStream::connect_timeout(&address, timeout)
            .map_err(|error| Fault::Connect(error.to_string()))?;
        stream.set_nodelay(true).map_err(|error| Fault::Connect(error.to_string()))?;
        Ok(Connection { stream, buffer: Vec::new() })
    }

    /// Looks, without waiting, at what happened since the last response.
    pub(crate) fn idle(&self) -> Idle {
        if !self.buffer.is_empty() {
            return Idle::Unasked;
        }
        if self.stream.set_nonblocking(true).is_err() {
            return Idle::Closed;
        }
        let seen = self.stream.peek(&mut [0]);
        if self.stream.set_nonblocking(false).is_err() {
            return Idle::Closed;
        }
        match seen {
            Ok(0) => Idle::Closed,
            Ok(_) => Idle::Unasked,
            Err(error) if error.kind() == ErrorKind::WouldBlock => Idle::Open,
            Err(_) => Idle::Closed,
        }
    }

    /// Sends a request and reads its whole response within `timeout`.
    pub(crate) fn exchange(
        &mut self,
        request: &[u8],
        timeout: Duration,
    ) -> Result<Response, Fault> {
        let deadline = Instant::now() + timeout;
        let ended = |bytes, error: &std::io::Error| match error.kind() {
            ErrorKind::WouldBlock | ErrorKind::TimedOut => Fault::TimedOut { bytes },
            _ => Fault::EndedEarly { bytes, how: error.to_string() },
        };
        self.stream
            .set_write_timeout(Some(timeout))
            .and_then(|()| self.stream.write_all(request))
            .map_err(|error| ended(0, &error))?;
        let mut piece = [0; 16 * 1024];
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Fault::TimedOut { bytes: self.buffer.len() });
            }
            let read = self
                .stream
                .set_read_timeout(Some(left))
                .and_then(|()| self.stream.read(&mut piece));
            let at_end = match read {
                Ok(0) => true,
                Ok(count) => {
                    self.buffer.extend_from_slice(&piece[..count]);
                    false
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(ended(self.buffer.len(), &error)),
            };
            if let Some((response, used)) = parse(&self.buffer, at_end).map_err(Fault::Malformed)? {
                self.buffer.drain(..used);
                return Ok(response);
            }
            if at_end {
                let how = "end of stream".to_owned();
                return Err(Fault::EndedEarly { bytes: self.buffer.len(), how });
            }
        }
    }
}

/// One GET on a connection of its own.
pub(crate) fn get(
    target: &Target,
    fields: &[String],
    timeout: Duration,
) -> Result<Response, Fault> {
    let address = target.resolve().map_err(Fault::Connect)?;
    let mut fields = fields.to_vec();
    fields.push("Connection: close".to_owned());
    Connection::open(address, timeout)?.exchange(&target.request(&target.path, &fields), timeout)
}

/// The response at the start of `input` and its length, or nothing while bytes are missing.
/// `at_end`: no more bytes follow. Interim responses are skipped (RFC 9110 §15.2).
fn parse(input: &[u8], at_end: bool) -> Result<Option<(Response, usize)>, String> {
    if input.len() > RESPONSE_BYTES_MAX {
        return Err(format!("more than {RESPONSE_BYTES_MAX} bytes"));
    }
    let mut start = 0;
    loop {
        let mut fields = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let mut head = httparse::Response::new(&mut fields);
        let httparse::Status::Complete(length) =
            head.parse(&input[start..]).map_err(|error| error.to_string())?
        else {
            return Ok(None);
        };
        start += length;
        let status = head.code.unwrap_or(0);
        if (100..200).contains(&status) && status != 101 {
            continue;
        }
        let headers: Vec<(String, String)> = head
            .headers
            .iter()
            .map(|field| {
                let value = String::from_utf8_lossy(field.value).trim().to_owned();
                (field.name.to_ascii_lowercase(), value)
            })
            .collect();
        let old = head.version == Some(0);
        return Ok(body(&input[start..], status, &headers, at_end)?.map(
            |(body, used, delimited)| {
                let says = |token| has_token(&headers, "connection", token);
                let closes = !delimited || says("close") || (old && !says("keep-alive"));
                (Response { status, headers, body, closes }, start + used)
            },
        ));
    }
}

/// A body, the bytes it took, and whether something other than the end of stream delimits it.
type Body = (Vec<u8>, usize, bool);

/// Frames a body as RFC 9112 §6.3 says for the response to a GET.
fn body(
    input: &[u8],
    status: u16,
    headers: &[(String, String)],
    at_end: bool,
) -> Result<Option<Body>, String> {
    if matches!(status, 204 | 304) {
        return Ok(Some((Vec::new(), 0, true)));
    }
    let lengths: Vec<&str> = headers
        .iter()
        .filter(|(name, _)| name == "content-length")
        .map(|(_, value)| value.as_str())
        .collect();
    if has_token(headers, "transfer-encoding", "chunked") {
        if !lengths.is_empty() {
            return Err("both Content-Length and Transfer-Encoding".to_owned());
        }
        return Ok(dechunk(input)?.map(|(body, used)| (body, used, true)));
    }
    match lengths.as_slice() {
        [] if at_end => Ok(Some((input.to_vec(), input.len(), false))),
        [] => Ok(None),
        [length] => {
            let length: usize = length.parse().map_err(|_| format!("Content-Length `{length}`"))?;
            Ok(input.get(..length).map(|body| (body.to_vec(), length, true)))
        }
        _ => Err("more than one Content-Length".to_owned()),
    }
}

/// Takes a chunked body off, trailers included (RFC 9112 §7.1).
fn dechunk(input: &[u8]) -> Result<Option<(Vec<u8>, usize)>, String> {
    let mut at = 0;
    let mut body = Vec::new();
    loop {
        let parsed = httparse::parse_chunk_size(&input[at..])
            .map_err(|_| "a chunk size that is none".to_owned())?;
        let httparse::Status::Complete((used, size)) = parsed else {
            return Ok(None);
        };
        at += used;
        if size == 0 {
            break;
        }
        let size = usize::try_from(size).map_err(|error| error.to_string())?;
        if size > RESPONSE_BYTES_MAX {
            return Err(format!("a chunk of {size} bytes"));
        }
        let Some(chunk) = input.get(at..at + size + 2) else {
            return Ok(None);
        };
        let (data, end) = chunk.split_at(size);
        if end != b"\r\n" {
            return Err("no end of line after a chunk".to_owned());
        }
        body.extend_from_slice(data);
        at += size + 2;
    }
    let mut trailers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    match httparse::parse_headers(&input[at..], &mut trailers) {
        Ok(httparse::Status::Complete((used, _))) => Ok(Some((body, at + used))),
        Ok(httparse::Status::Partial) => Ok(None),
        Err(error) => Err(error.to_string()),
    }
}

/// Whether a comma-separated header has this token, whatever its case.
fn has_token(headers: &[(String, String)], name: &str, token: &str) -> bool {
    headers
        .iter()
        .filter(|(own, _)| own == name)
        .flat_map(|(_, value)| value.split(','))
        .any(|own| own.trim().eq_ignore_ascii_case(token))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Parses the whole, and at every split point, and expects the same body or fault.
    fn check(input: &str, at_end: bool, expected: Result<(u16, &str, bool), &str>) {
        let whole = parse(input.as_bytes(), at_end);
        match expected {
            Err(words) => assert!(whole.clone().is_err_and(|why| why.contains(words)), "{whole:?}"),
            Ok((status, body, closes)) => {
                let (response, used) = whole.unwrap().expect("a whole response");
                assert_eq!(used, input.len());
                assert_eq!(response.status, status);
                assert_eq!(String::from_utf8(response.body).unwrap(), body);
                assert_eq!(response.closes, closes);
                for cut in 0..input.len() {
                    let part = parse(&input.as_bytes()[..cut], false);
                    assert_eq!(part, Ok(None), "at {cut}");
                }
            }
        }
    }

    #[test]
    fn responses_are_framed_as_the_standard_says() {
        check("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab", false, Ok((200, "ab", false)));
        check(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n",
            false,
            Ok((200, "abc", false)),
        );
        check(
            "HTTP/1.1 200 OK\r\nConnection: x, Close\r\nContent-Length: 0\r\n\r\n",
            false,
            Ok((200, "", true)),
        );
        check("HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx", false, Ok((200, "x", true)));
        check("HTTP/1.1 204 No Content\r\n\r\n", false, Ok((204, "", false)));
        check(
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
            false,
            Ok((404, "", false)),
        );
        check("HTTP/1.1 200 OK\r\n\r\nto the end", true, Ok((200, "to the end", true)));
    }

    #[test]
    fn a_response_that_breaks_framing_is_a_fault() {
        check("HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", false, Err("Content-Length"));
        check(
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na",
            false,
            Err("more than one"),
        );
        check(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc",
            false,
            Err("after a chunk"),
        );
        check(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n",
            false,
            Err("both"),
        );
        check("SSH-2.0-x\r\n", false, Err("version"));
    }

    #[test]
    fn urls_come_apart() {
        let target =
            |url| Target::parse(url).map(|target| (target.host, target.port, target.path)).ok();
        let parts = |host: &str, port, path: &str| Some((host.to_owned(), port, path.to_owned()));
        assert_eq!(target("http://a"), parts("a", 80, "/"));
        assert_eq!(target("http://a.b:8080/x?y=1"), parts("a.b", 8080, "/x?y=1"));
        assert_eq!(target("http://a?n=1"), parts("a", 80, "/?n=1"));
        assert_eq!(target("http://[::1]:81/"), parts("::1", 81, "/"));
        assert_eq!(target("https://a"), None);
        assert_eq!(target("http://:80/"), None);
        assert_eq!(target("http://a:port/"), None);
    }
}
