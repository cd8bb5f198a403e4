//! The admin endpoint: a small HTTP server for probes and metrics, on one thread of its own.
//!
//! It answers GET and HEAD and closes. Other pods can reach its port, so it trusts nobody: heads
//! are parsed strictly and bounded, connections are few and short-lived, and when all places are
//! taken the oldest connection makes room, so that a crowd of idle ones cannot keep a probe out.
//! What is answered is the caller's; it must say at once what it has to say, for everybody waits
//! meanwhile, but that may be "later": it is then asked again and again.
//!
//! ```text
//! accept -> Reading -> Writing -> Leaving -> closed
//!              \-> Waiting -/
//!    each at most CONNECTION_TIME_MAX after accept, or when it is the oldest and a place is needed
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

/// A request, as far as an answer may depend on it.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The target's path, as it was sent.
    pub path: &'a str,
    /// What is behind the target's `?`, as it was sent; empty without one.
    pub query: &'a str,
    /// How long ago it was asked for the first time, if the reply was [`Reply::Later`].
    pub waited: Duration,
}

/// What there is to say to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// This.
    Now(Answer),
    /// Nothing yet: it is asked again within [`ASK_AGAIN`].
    Later,
    /// There is no such path: 404.
    Unknown,
}

impl From<Option<Answer>> for Reply {
    fn from(answer: Option<Answer>) -> Self {
        answer.map_or(Reply::Unknown, Reply::Now)
    }
}

/// How soon a request is asked again that is to be answered later: what it waits for is then told
/// as good as at once, and fifty short looks a second cost nothing that could be measured.
pub const ASK_AGAIN: Duration = Duration::from_millis(20);

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

/// Serves on `listener` until the process ends, with what `handle` has to say to each request.
/// Fails if the listener cannot be watched or no thread can be had.
pub fn serve(
    listener: TcpListener,
    handle: impl Fn(Asked<'_>) -> Reply + Send + 'static,
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

type Handle<'a> = &'a dyn Fn(Asked<'_>) -> Reply;

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
    fn turn(&mut self, events: &mut Events, handle: Handle<'_>) -> io::Result<()> {
        let timeout = self.deadline().map(|at| at.saturating_duration_since(Instant::now()));
        self.poller.wait(events, timeout)?;
        let now = Instant::now();
        for event in events.iter().filter(|event| event.key != LISTENER) {
            self.advance(event.key, handle);
        }
        for key in 0..self.places.len() {
            let Some(Some(connection)) = self.places.get_mut(key) else { continue };
            if connection.deadline <= now {
                self.places[key] = None;
            } else if connection.is_due(now) {
                self.advance(key as u64, handle);
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
        let connections = self.places.iter().flatten().map(Connection::next);
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

    fn advance(&mut self, key: u64, handle: Handle<'_>) {
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
    /// The request is read, and is to be answered later.
    Waiting,
    Writing,
    /// The answer is out and our side closed; the client is to close its own.
    Leaving,
}

struct Connection {
    stream: TcpStream,
    state: State,
    deadline: Instant,
    /// When it was asked for the first time and is to be asked again, while waiting.
    asked: Option<(Instant, Instant)>,
    /// The request while reading and waiting, the answer while writing; never more than a head's bound and
    /// one read, or one answer.
    buffer: Vec<u8>,
    /// Bytes of the answer that are out, or bytes thrown away while leaving.
    count: usize,
}

impl Connection {
    fn new(stream: TcpStream, deadline: Instant) -> Self {
        let (state, asked) = (State::Reading, None);
        Connection { stream, state, deadline, asked, buffer: Vec::new(), count: 0 }
    }

    /// When there is something to do for it, whatever comes from its socket.
    fn next(&self) -> Instant {
        self.asked.map_or(self.deadline, |(_, again)| again.min(self.deadline))
    }

    fn is_due(&self, now: Instant) -> bool {
        self.asked.is_some_and(|(_, again)| again <= now)
    }

    /// Goes on as far as the socket lets it; false when it is over.
    fn advance(&mut self, handle: Handle<'_>) -> io::Result<bool> {
        loop {
            let goes_on = match self.state {
                State::Reading => self.read(handle)?,
                State::Waiting => self.wait(handle)?,
                State::Writing => self.write()?,
                State::Leaving => self.leave()?,
            };
            if !goes_on {
                return Ok(false);
            }
        }
    }

    fn read(&mut self, handle: Handle<'_>) -> io::Result<bool> {
        let mut piece = [0; 2048];
        let count = self.stream.read(&mut piece)?;
        self.buffer.extend_from_slice(piece.get(..count).unwrap_or_default());
        self.reply(count > 0, handle)
    }

    /// Asks again, unless the client is gone or talks on, which no probe does before its answer.
    fn wait(&mut self, handle: Handle<'_>) -> io::Result<bool> {
        match self.stream.read(&mut [0; 1]) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => self.reply(true, handle),
            other => other.map(|_| false),
        }
    }

    /// Goes on to what there is to say to the request, if it is there whole; `is_open`: more may come.
    fn reply(&mut self, is_open: bool, handle: Handle<'_>) -> io::Result<bool> {
        let now = Instant::now();
        let first = self.asked.map_or(now, |(first, _)| first);
        let mut head = RequestHead::new();
        let answer = match http1::parse_request(&self.buffer, &LIMITS, &mut head) {
            Parsed::NeedMore => return Ok(is_open),
            Parsed::Reject(reject) => Some(encode(rejection(reject), "", false)),
            Parsed::Done { .. } => answer(&self.buffer, &head, now - first, handle),
        };
        let Some(answer) = answer else {
            (self.state, self.asked) = (State::Waiting, Some((first, now + ASK_AGAIN)));
            return Err(ErrorKind::WouldBlock.into());
        };
        (self.state, self.asked, self.buffer) = (State::Writing, None, answer);
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

/// The bytes that answer a good request; nothing if that is to be later.
fn answer(
    bytes: &[u8],
    head: &RequestHead,
    waited: Duration,
    handle: Handle<'_>,
) -> Option<Vec<u8>> {
    let method = head.method.of(bytes);
    let is_head = method == b"HEAD";
    let target = head.target.of(bytes);
    let parts = match http1::target::split(method, target) {
        Ok(parts) => parts,
        Err(reject) => return Some(encode(rejection(reject), "", is_head)),
    };
    let text = |span: http1::Span| std::str::from_utf8(span.of(target)).unwrap_or_default();
    let (path, query) = (text(parts.path), parts.query.map_or("", text));
    if !is_head && method != b"GET" {
        let answer = Answer { status: 405, body: "method not allowed\n".to_owned() };
        return Some(encode(answer, path, false));
    }
    let answer = match handle(Asked { path, query, waited }) {
        Reply::Now(answer) => answer,
        Reply::Later => return None,
        Reply::Unknown => Answer { status: 404, body: "not found\n".to_owned() },
    };
    Some(encode(answer, path, is_head))
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
