//! The thread that talks to the store: one request at a time, and its answer.
//!
//! Owns the connection. It decides nothing: what is sent, when, and what an answer means is the
//! courier's business. Nobody waits for it; when the process ends, a request that waits ends with it,
//! and before that it can be broken off.

use std::io::{self, Read};
use std::os::fd::BorrowedFd;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
#[cfg(feature = "tls")]
use std::time::Instant;
use std::time::{SystemTime, UNIX_EPOCH};

#[cfg(feature = "tls")]
use log::warn;
use ship::answer::{Answer, Head, Reading};
use ship::courier::Parcel;
use ship::format::Format;
#[cfg(feature = "tls")]
use sidecar::logging::Throttle;
use sys::wake::Waker;
use ureq::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, LOCATION, RETRY_AFTER};
use ureq::http::{HeaderMap, HeaderName, HeaderValue, Response};
use ureq::{Agent, Body, SendBody};

use crate::store::credentials::Credentials;
use crate::store::early::Kept;
use crate::store::gzip::Gzip;
use crate::store::names::Found;
#[cfg(feature = "tls")]
use crate::store::tls::Trust;

/// Bytes of an answer that are read at once.
const PIECE_BYTES: usize = 8 << 10;

/// Where requests go, and what they carry beside their body.
pub(crate) struct Route {
    pub(crate) url: String,
    pub(crate) format: Format,
    pub(crate) credentials: Credentials,
    /// gzip's level, where requests are compressed.
    pub(crate) level: Option<u8>,
    /// Where the store's name leads.
    pub(crate) found: Found,
    /// What became of the last request's connection.
    pub(crate) kept: Kept,
    /// Whom to trust, for https.
    #[cfg(feature = "tls")]
    pub(crate) trust: Option<Arc<Trust>>,
    /// How often it is said that a file of it cannot be read.
    #[cfg(feature = "tls")]
    pub(crate) told: Throttle,
}

/// Makes whatever makes connections.
pub(crate) type Connect = Arc<dyn Fn() -> Agent + Send + Sync>;

/// The caller's side.
pub(crate) struct Sender {
    shared: Arc<Shared>,
    connect: Connect,
}

struct Shared {
    slot: Mutex<Slot>,
    /// For the next request.
    agent: Mutex<Agent>,
    changed: Condvar,
    answered: Waker,
}

enum Slot {
    Idle,
    Asked(Parcel),
    UnderWay,
    Answered(Answer),
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Slot> {
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn agent(&self) -> MutexGuard<'_, Agent> {
        self.agent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sender {
    /// Starts the thread, which lives as long as the process.
    ///
    /// # Errors
    /// When the system has no thread or descriptor left.
    pub(crate) fn start(mut route: Route, connect: Connect) -> io::Result<Sender> {
        let shared = Arc::new(Shared {
            slot: Mutex::new(Slot::Idle),
            agent: Mutex::new(connect()),
            changed: Condvar::new(),
            answered: Waker::new()?,
        });
        let (theirs, renewed) = (Arc::clone(&shared), Arc::clone(&connect));
        let mut gzip = route.level.map(Gzip::new);
        let mut packed = Vec::new();
        std::thread::Builder::new().name("store".to_owned()).spawn(move || {
            loop {
                let parcel = take_parcel(&theirs);
                if route.is_changed() {
                    // What is there was made with what files said before.
                    *theirs.agent() = renewed();
                }
                let agent = theirs.agent().clone();
                let answer = route.send(&agent, &parcel, gzip.as_mut(), &mut packed);
                // Whoever hears of the answer has the records for itself.
                drop(parcel);
                *theirs.lock() = Slot::Answered(answer);
                theirs.answered.wake();
            }
        })?;
        Ok(Sender { shared, connect })
    }

    /// Breaks off the request that is under way, which then failed, and its connection.
    pub(crate) fn break_off(&self) {
        let old = std::mem::replace(&mut *self.shared.agent(), (self.connect)());
        old.shutdown();
    }

    /// Readable once there is an answer.
    pub(crate) fn answered(&self) -> BorrowedFd<'_> {
        self.shared.answered.fd()
    }

    /// Has a request be sent. No other one is under way.
    pub(crate) fn send(&self, parcel: Parcel) {
        *self.shared.lock() = Slot::Asked(parcel);
        self.shared.changed.notify_all();
    }

    /// The answer, once.
    pub(crate) fn take_answer(&self) -> Option<Answer> {
        let mut slot = self.shared.lock();
        match std::mem::replace(&mut *slot, Slot::Idle) {
            Slot::Answered(answer) => {
                self.shared.answered.clear();
                Some(answer)
            }
            other => {
                *slot = other;
                None
            }
        }
    }
}

fn take_parcel(shared: &Shared) -> Parcel {
    let mut slot = shared.lock();
    loop {
        match std::mem::replace(&mut *slot, Slot::UnderWay) {
            Slot::Asked(parcel) => return parcel,
            other => *slot = other,
        }
        slot = shared.changed.wait(slot).unwrap_or_else(PoisonError::into_inner);
    }
}

impl Route {
    /// Whether connections are to be made another way than before.
    #[cfg(feature = "tls")]
    fn is_changed(&mut self) -> bool {
        match self.trust.as_ref().map(|trust| trust.refresh()) {
            Some(Ok(is_changed)) => is_changed,
            Some(Err(error)) => {
                if self.told.allow(Instant::now()).is_some() {
                    warn!("store: {error}; what was read before stays in force");
                }
                false
            }
            None => false,
        }
    }

    #[cfg(not(feature = "tls"))]
    fn is_changed(&mut self) -> bool {
        false
    }

    fn send(
        &mut self,
        agent: &Agent,
        parcel: &Parcel,
        gzip: Option<&mut Gzip>,
        packed: &mut Vec<u8>,
    ) -> Answer {
        let fields = match self.credentials.fields() {
            Ok(fields) => fields,
            Err(why) => return Answer::failed(&why),
        };
        let body = gzip.map(|gzip| {
            gzip.compress(parcel.pieces(), packed);
            &packed[..]
        });
        self.kept.begin();
        let mut sent = self.ask(agent, &fields, parcel, body);
        if sent.as_ref().is_err_and(|error| self.kept.was_over(error)) {
            // Its name may lead elsewhere now.
            self.found.forget();
            sent = self.ask(agent, &fields, parcel, body);
        }
        match sent {
            Ok(answer) => read(self.format, parcel.records, answer),
            Err(error) => {
                self.found.forget();
                Answer::failed(&error.to_string())
            }
        }
    }

    /// Makes a request of a parcel, or of what it was compressed to.
    fn ask(
        &self,
        agent: &Agent,
        fields: &[(HeaderName, HeaderValue)],
        parcel: &Parcel,
        compressed: Option<&[u8]>,
    ) -> Result<Response<Body>, ureq::Error> {
        let mut request = agent.post(&self.url);
        // A type that was asked for is in place of the usual one.
        if fields.iter().all(|(name, _)| name != CONTENT_TYPE) {
            request = request.header(CONTENT_TYPE, self.format.content_type());
        }
        for (name, value) in fields {
            request = request.header(name, value);
        }
        match compressed {
            Some(bytes) => request.header(CONTENT_ENCODING, "gzip").send(bytes),
            None => {
                let mut pieces = Pieces { rest: &[], next: parcel.pieces() };
                let body = SendBody::from_reader(&mut pieces);
                request.header(CONTENT_LENGTH, parcel.len()).send(body)
            }
        }
    }
}

fn read(format: Format, records: usize, answer: Response<Body>) -> Answer {
    let (head, body) = answer.into_parts();
    let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let unix_ms = u64::try_from(unix.as_millis()).unwrap_or(u64::MAX);
    let told = Head {
        status: head.status.as_u16(),
        content_type: text(&head.headers, &CONTENT_TYPE),
        retry_after: text(&head.headers, &RETRY_AFTER),
        location: text(&head.headers, &LOCATION),
    };
    let mut reading = Reading::new(format, records, &told, unix_ms);
    let mut body = body.into_reader();
    let mut piece = [0; PIECE_BYTES];
    // A body that breaks off is judged by what there is of it.
    while let Ok(count @ 1..) = body.read(&mut piece) {
        if !reading.feed(&piece[..count]) {
            break;
        }
    }
    reading.done()
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// A parcel as a reader, without a copy of it.
struct Pieces<'a, T> {
    rest: &'a [u8],
    next: T,
}

impl<'a, T: Iterator<Item = &'a [u8]>> Read for Pieces<'a, T> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        while self.rest.is_empty() {
            let Some(piece) = self.next.next() else { return Ok(0) };
            self.rest = piece;
        }
        self.rest.read(buf)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_read_one_behind_the_other() {
        let mut pieces = Pieces { rest: &[], next: [&b"ab"[..], b"", b"c", b""].into_iter() };
        let mut all = Vec::new();
        pieces.read_to_end(&mut all).unwrap();
        assert_eq!(all, b"abc");
    }
}
