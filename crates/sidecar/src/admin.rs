//! The admin endpoint: a small HTTP server for probes and metrics, on one thread of its own.
//!
//! It answers GET and HEAD and closes. Other pods can reach its port, so it trusts nobody: heads
//! are parsed strictly and bounded, connections are few and short-lived, and when all places are
//! taken the oldest connection makes room, so that a crowd of idle ones cannot keep a probe out.
//! What is answered is the caller's; it must answer at once, for everybody waits meanwhile.
//!
//! ```text
//! accept -> Reading -> Writing -> Leaving -> closed
//!    each at most CONNECTION_S_MAX after accept, or when it is the oldest and a place is needed
//! ```

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime};

use http1::{Limits, Parsed, Reject, RequestHead, Version};
use sys::poller::{Events, Interest, Poller};

use crate::logging::{More, Throttle};
use crate::metrics;

/// What a path answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// 200 to 599, one whose answers may have a body.
    pub status: u16,
    /// Plain text, one line at least by custom.
    pub body: String,
}

impl Answer {
    /// 200 and `ok`: alive, or ready.
    pub fn ok() -> Self {
        Answer { status: 200, body: "ok\n".to_owned() }
    }

    /// 503 and a line that says why not.
    pub fn unavailable(reason: &str) -> Self {
        Answer { status: 503, body: format!("{reason}\n") }
    }
}

/// Places for connections. A kubelet and a few metric readers need no more than a handful.
const CONNECTIONS_MAX: usize = 64;

/// From accept to close, whatever is going on: beyond any sensible probe's or scrape's timeout on
/// a healthy node, short enough that idle ones go soon.
const CONNECTION_TIME_MAX: Duration = Duration::from_secs(5);

/// A pause in accepting after it has failed, for instance for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Bytes taken and thrown away after the answer, so that closing does not reset the connection
/// before the answer is read.
const LEAVING_BYTES_MAX: usize = 64 * 1024;

/// Bounds of a request: probes and scrapes send a few hundred bytes.
const LIMITS: Limits =
    Limits { line_bytes_max: 2048, field_bytes_max: 4096, head_bytes_max: 8192, fields_max: 64 };

const LISTENER: u64 = u64::MAX;

/// Serves on `listener` until the process ends. `handle` gets the path of a target, without its
/// query and as it was sent, and gives `None` for one that it does not know, which becomes 404.
/// Fails if the listener cannot be watched or no thread can be had.
pub fn serve(
    listener: TcpListener,
    handle: impl Fn(&str) -> Option<Answer> + Send + 'static,
) -> io::Result<JoinHandle<()>> {
    listener.set_nonblocking(true)?;
    let poller = Poller::new()?;
    poller.add(&listener, LISTENER, Interest::Readable)?;
    let mut places = Vec::new();
    places.resize_with(CONNECTIONS_MAX, || None);
    let throttle = Throttle::per_minute();
    let mut endpoint = Endpoint { listener, poller, places, paused_until: None, throttle };
    thread::Builder::new().name("admin".to_owned()).spawn(move || {
        let mut events = Events::with_capacity(CONNECTIONS_MAX + 1);
        loop {
            if let Err(error) = endpoint.turn(&mut events, &handle) {
                log::error!("the admin endpoint has ended: {error}");
                return;
            }
        }
    })
}

struct Endpoint {
    listener: TcpListener,
    poller: Poller,
    /// The index is the connection's key.
    places: Vec<Option<Connection>>,
    /// Set while the listener is not watched.
    paused_until: Option<Instant>,
    /// For the line that says that accepting fails.
    throttle: Throttle,
}

impl Endpoint {
    /// Waits for something and deals with it. Only a broken poller is an error.
    fn turn(
        &mut self,
        events: &mut Events,
        handle: &dyn Fn(&str) -> Option<Answer>,
    ) -> io::Result<()> {
        let timeout = self.deadline().map(|at| at.saturating_duration_since(Instant::now()));
        self.poller.wait(events, timeout)?;
        let now = Instant::now();
        for event in events.iter().filter(|event| event.key != LISTENER) {
            self.advance(event.key, handle);
        }
        for place in &mut self.places {
            if place.as_ref().is_some_and(|connection| connection.deadline <= now) {
                *place = None;
            }
        }
        if self.paused_until.is_some_and(|until| until <= now) {
            self.paused_until = None;
            self.poller.add(&self.listener, LISTENER, Interest::Readable)?;
        }
        if events.iter().any(|event| event.key == LISTENER) {
            self.accept(now)?;
        }
        Ok(())
    }

    fn deadline(&self) -> Option<Instant> {
        let connections = self.places.iter().flatten().map(|connection| connection.deadline);
        connections.chain(self.paused_until).min()
    }

    /// Takes waiting connections, at most as many as there are places in one turn.
    fn accept(&mut self, now: Instant) -> io::Result<()> {
        for _ in 0..CONNECTIONS_MAX {
            match self.listener.accept() {
                Ok((stream, _)) => self.admit(stream, now),
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock => return Ok(()),
                    ErrorKind::ConnectionAborted | ErrorKind::Interrupted => {}
                    _ => {
                        // The listener stays readable; without a pause this would be a busy loop.
                        if let Some(more) = self.throttle.allow(now).map(More) {
                            log::warn!("the admin endpoint cannot accept: {error}{more}");
                        }
                        self.poller.remove(&self.listener)?;
                        self.paused_until = Some(now + ACCEPT_PAUSE);
                        return Ok(());
                    }
                },
            }
        }
        Ok(())
    }

    fn admit(&mut self, stream: TcpStream, now: Instant) {
        let free = self.places.iter().position(Option::is_none);
        let oldest = || {
            let taken = self.places.iter().enumerate();
            taken.min_by_key(|(_, place)| place.as_ref().map(|c| c.deadline)).map(|(key, _)| key)
        };
        let Some(key) = free.or_else(oldest) else {
            return;
        };
        let is_watched = stream.set_nonblocking(true).is_ok()
            && self.poller.add(&stream, key as u64, Interest::Readable).is_ok();
        if let (true, Some(place)) = (is_watched, self.places.get_mut(key)) {
            *place = Some(Connection::new(stream, now + CONNECTION_TIME_MAX));
        }
    }

    fn advance(&mut self, key: u64, handle: &dyn Fn(&str) -> Option<Answer>) {
        let Some(place) = usize::try_from(key).ok().and_then(|key| self.places.get_mut(key)) else {
            return;
        };
        let Some(connection) = place else {
            return;
        };
        let was_writing = connection.state == State::Writing;
        let goes_on = match connection.advance(handle) {
            Ok(goes_on) => goes_on,
            Err(error) => matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted),
        };
        let is_writing = connection.state == State::Writing;
        let interest = if is_writing { Interest::Writable } else { Interest::Readable };
        let is_watched = is_writing == was_writing
            || self.poller.modify(&connection.stream, key, interest).is_ok();
        if !goes_on || !is_watched {
            *place = None;
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Reading,
    Writing,
    /// The answer is out and our side closed; the client is to close its own.
    Leaving,
}

struct Connection {
    stream: TcpStream,
    state: State,
    deadline: Instant,
    /// The request while reading, the answer while writing; never more than a head's bound and
    /// one read, or one answer.
    buffer: Vec<u8>,
    /// Bytes of the answer that are out, or bytes thrown away while leaving.
    count: usize,
}

impl Connection {
    fn new(stream: TcpStream, deadline: Instant) -> Self {
        Connection { stream, state: State::Reading, deadline, buffer: Vec::new(), count: 0 }
    }

    /// Goes on as far as the socket lets it; false when it is over.
    fn advance(&mut self, handle: &dyn Fn(&str) -> Option<Answer>) -> io::Result<bool> {
        loop {
            let goes_on = match self.state {
                State::Reading => self.read(handle)?,
                State::Writing => self.write()?,
                State::Leaving => self.leave()?,
            };
            if !goes_on {
                return Ok(false);
            }
        }
    }

    fn read(&mut self, handle: &dyn Fn(&str) -> Option<Answer>) -> io::Result<bool> {
        let mut piece = [0; 2048];
        let count = self.stream.read(&mut piece)?;
        self.buffer.extend_from_slice(piece.get(..count).unwrap_or_default());
        let mut head = RequestHead::new();
        let answer = match http1::parse_request(&self.buffer, &LIMITS, &mut head) {
            Parsed::NeedMore => return Ok(count > 0),
            Parsed::Reject(reject) => encode(rejection(reject), "", false),
            Parsed::Done { .. } => answer(&self.buffer, &head, handle),
        };
        (self.state, self.buffer) = (State::Writing, answer);
        Ok(true)
    }

    fn write(&mut self) -> io::Result<bool> {
        let rest = self.buffer.get(self.count..).unwrap_or_default();
        if rest.is_empty() {
            (self.state, self.buffer, self.count) = (State::Leaving, Vec::new(), 0);
            self.stream.shutdown(Shutdown::Write)?;
            return Ok(true);
        }
        let written = self.stream.write(rest)?;
        self.count += written;
        Ok(written > 0)
    }

    fn leave(&mut self) -> io::Result<bool> {
        let mut piece = [0; 2048];
        let count = self.stream.read(&mut piece)?;
        self.count += count;
        Ok(count > 0 && self.count < LEAVING_BYTES_MAX)
    }
}

/// The bytes that answer a good request.
fn answer(bytes: &[u8], head: &RequestHead, handle: &dyn Fn(&str) -> Option<Answer>) -> Vec<u8> {
    let method = head.method.of(bytes);
    let is_head = method == b"HEAD";
    let target = head.target.of(bytes);
    let path = match http1::target::split(method, target) {
        Ok(parts) => std::str::from_utf8(parts.path.of(target)).unwrap_or_default(),
        Err(reject) => return encode(rejection(reject), "", is_head),
    };
    if !is_head && method != b"GET" {
        return encode(
            Answer { status: 405, body: "method not allowed\n".to_owned() },
            path,
            false,
        );
    }
    let answer =
        handle(path).unwrap_or_else(|| Answer { status: 404, body: "not found\n".to_owned() });
    encode(answer, path, is_head)
}

fn rejection(reject: Reject) -> Answer {
    Answer { status: reject.status(), body: format!("{}\n", reject.label()) }
}

fn encode(answer: Answer, path: &str, is_head: bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(256 + answer.body.len());
    let reason = http1::reason(answer.status);
    http1::push_status_line(&mut out, Version::Http11, answer.status, reason.as_bytes());
    // A clock before 1970 gives no date, as a server without one (RFC 9110 §6.6.1).
    if let Ok(since_1970) = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH) {
        http1::push_field(&mut out, b"Date", &http1::imf_fixdate(since_1970.as_secs()));
    }
    let is_metrics = path == "/metrics" && answer.status == 200;
    let content_type = if is_metrics { metrics::CONTENT_TYPE } else { "text/plain; charset=utf-8" };
    http1::push_field(&mut out, b"Content-Type", content_type.as_bytes());
    http1::push_field(&mut out, b"Content-Length", answer.body.len().to_string().as_bytes());
    if answer.status == 405 {
        http1::push_field(&mut out, b"Allow", b"GET, HEAD");
    }
    http1::push_field(&mut out, b"Connection", b"close");
    http1::push_end(&mut out);
    if !is_head {
        out.extend_from_slice(answer.body.as_bytes());
    }
    out
}
