//! The shell around tiny_http: accepting, workers, bodies, ending. The only file that names it.
//!
//! tiny_http 0.12 has faults that a server on an open port must not have. What can be mended from
//! outside is mended here; the rest is why the application listens on loopback behind the proxy,
//! which refuses all of these before they get here.
//!
//! | fault | here |
//! |---|---|
//! | an unread body is dropped through a buffer of its whole announced length, so that `Content-Length: 9223372036854775807` aborts the process | answered 413 and kept aside, undropped; [`ABANDONED_MAX`] of them end the program in order |
//! | no time limit: a body that never comes blocks whoever drops the request | such requests get a thread of their own, at most [`BODY_THREADS_MAX`] |
//! | bytes of an unread chunked body run as the next request | read before the answer, up to [`BODY_BYTES_MAX`] |
//! | the first failed accept ends accepting for ever | begun again after a pause, [`LISTEN_RESTARTS_MAX`] times |
//! | of connections opened together some are never served | [`Nudge`] |
//! | nothing can be done, for it does not reach this code, nor the log: | |
//! | `HTTP/2.0` in a request leaks a thread, or aborts with a length as above | |
//! | a thread per connection, and an abort when there is no thread or descriptor left | |
//! | a connection that is reset before it is accepted, its request sent, aborts | |
//! | header lines without limit of length or time; heads it should refuse | |

use std::io::{self, Read, Write};
use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use log::{error, warn};
use signal_hook::consts::SIGTERM;
use tiny_http::{Header, Request, Response, Server, StatusCode};

use crate::answer::{self, Answer};
use crate::app_log::{AppLog, Entry};
use crate::nudge::Nudge;

/// Threads that answer. The work is a write to a file and one to a socket.
const WORKERS: usize = 4;
/// Requests that wait for a worker before the one who received them waits too.
const QUEUE_MAX: usize = 64;
/// Largest body taken and thrown away: nginx's default `client_max_body_size`.
const BODY_BYTES_MAX: usize = 1 << 20;
/// tiny_http reads a body up to this length itself, before it hands over the request.
const BODY_BYTES_READ_AHEAD: usize = 1024;
/// Requests whose body may be on its way at once.
const BODY_THREADS_MAX: usize = 32;
/// Requests that may be kept aside for ever: each holds a descriptor and a thread.
const ABANDONED_MAX: u32 = 64;
/// How often accepting is begun again; each leaves one idle thread behind.
const LISTEN_RESTARTS_MAX: u32 = 64;
/// Before accepting is begun again: connections need time to end.
const LISTEN_PAUSE: Duration = Duration::from_secs(1);
/// At the end: no request for this long means that none is on its way any more.
const QUIET: Duration = Duration::from_millis(50);
/// At the end: how long requests are still taken if they keep coming.
const LINGER: Duration = Duration::from_millis(300);
/// At the end: how long requests in hand may still take. With `LINGER` under a second.
const LAST_ANSWERS: Duration = Duration::from_millis(500);

/// What all threads see.
#[derive(Debug)]
pub(crate) struct Shared {
    log: Mutex<AppLog>,
    nudge: Nudge,
    /// Requests received and not yet answered.
    in_flight: AtomicUsize,
    /// Requests ever received: a change means that it is not quiet.
    received: AtomicUsize,
    is_closing: AtomicBool,
    has_failed: AtomicBool,
    body_threads: AtomicUsize,
    abandoned: AtomicU32,
    listen_restarts: AtomicU32,
}

impl Shared {
    /// Nothing received yet.
    pub(crate) fn new(log: AppLog, nudge: Nudge) -> Shared {
        Shared {
            log: Mutex::new(log),
            nudge,
            in_flight: AtomicUsize::new(0),
            received: AtomicUsize::new(0),
            is_closing: AtomicBool::new(false),
            has_failed: AtomicBool::new(false),
            body_threads: AtomicUsize::new(0),
            abandoned: AtomicU32::new(0),
            listen_restarts: AtomicU32::new(0),
        }
    }

    /// The log file, locked.
    pub(crate) fn log(&self) -> MutexGuard<'_, AppLog> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the end is due to a fault and not to a person.
    pub(crate) fn has_failed(&self) -> bool {
        self.has_failed.load(Ordering::SeqCst)
    }

    /// Ends the program in order, as SIGTERM does, but with an exit code that says it failed.
    fn fail(&self, reason: &str) {
        if !self.has_failed.swap(true, Ordering::SeqCst) {
            error!("{reason}; ending, to be started afresh");
            let _ = signal_hook::low_level::raise(SIGTERM);
        }
    }
}

/// Serves `listener` on threads of its own, until the process ends.
///
/// # Errors
/// When the system gives no descriptor or thread.
pub(crate) fn start(listener: TcpListener, shared: &Arc<Shared>) -> io::Result<()> {
    let (sender, receiver) = sync_channel(QUEUE_MAX);
    let receiver = Arc::new(Mutex::new(receiver));
    for _ in 0..WORKERS {
        let (receiver, shared) = (Arc::clone(&receiver), Arc::clone(shared));
        thread::Builder::new().name("worker".into()).spawn(move || work(&receiver, &shared))?;
    }
    listen(listener, sender, Arc::clone(shared))
}

/// Waits until what has begun is answered, then takes nothing more. Within a second.
pub(crate) fn finish(shared: &Shared) {
    let is_idle = || shared.in_flight.load(Ordering::SeqCst) == 0;
    let linger_until = Instant::now() + LINGER;
    loop {
        let received = shared.received.load(Ordering::SeqCst);
        thread::sleep(QUIET);
        let is_quiet = is_idle() && received == shared.received.load(Ordering::SeqCst);
        if is_quiet || Instant::now() >= linger_until {
            break;
        }
    }
    shared.is_closing.store(true, Ordering::SeqCst);
    let end = Instant::now() + LAST_ANSWERS;
    while !is_idle() && Instant::now() < end {
        thread::sleep(Duration::from_millis(2));
    }
}

/// Starts accepting on `listener`, and a thread that receives what comes of it.
fn listen(
    listener: TcpListener,
    sender: SyncSender<Request>,
    shared: Arc<Shared>,
) -> io::Result<()> {
    let server = Server::from_listener(listener.try_clone()?, None).map_err(io::Error::other)?;
    let receive = move || {
        let mut spare_listener = Some(listener);
        loop {
            match server.recv() {
                Ok(request) => dispatch(request, &sender, &shared),
                // Said once per server, by its accepting thread as it ends. Connections that it
                // has go on, so this thread does too.
                Err(reason) => {
                    let Some(listener) = spare_listener.take() else {
                        continue;
                    };
                    restart(listener, sender.clone(), Arc::clone(&shared), &reason);
                }
            }
        }
    };
    thread::Builder::new().name("receiver".into()).spawn(receive)?;
    Ok(())
}

fn restart(
    listener: TcpListener,
    sender: SyncSender<Request>,
    shared: Arc<Shared>,
    reason: &io::Error,
) {
    let restarts = shared.listen_restarts.fetch_add(1, Ordering::SeqCst) + 1;
    if restarts > LISTEN_RESTARTS_MAX {
        return shared.fail(&format!("cannot accept connections: {reason}"));
    }
    warn!("cannot accept connections: {reason}; trying again in {} s", LISTEN_PAUSE.as_secs());
    let again = move || {
        thread::sleep(LISTEN_PAUSE);
        let for_failure = Arc::clone(&shared);
        if let Err(error) = listen(listener, sender, shared) {
            for_failure.fail(&format!("cannot begin to accept again: {error}"));
        }
    };
    // On a thread of its own: the caller has connections to receive from.
    let _ = thread::Builder::new().name("restart".into()).spawn(again);
}

/// What a request's body asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Body {
    /// There is none, or it is in memory.
    Here,
    /// It may still be on its way: whoever handles the request may wait for the client.
    Coming { is_chunked: bool },
    /// It announces more than is taken; dropping the request would allocate all of it.
    TooLarge,
}

fn body_of(request: &Request) -> Body {
    let field = |name: &'static str| {
        request.headers().iter().find(|header| header.field.equiv(name)).map(|h| h.value.as_str())
    };
    // With `Connection: upgrade` tiny_http sets no body apart and reads no further request.
    if field("Connection").is_some_and(|value| value.to_ascii_lowercase().contains("upgrade")) {
        return Body::Here;
    }
    let is_expecting = field("Expect").is_some();
    match request.body_length() {
        _ if field("Transfer-Encoding").is_some() => Body::Coming { is_chunked: true },
        None | Some(0) => Body::Here,
        Some(length) if length > BODY_BYTES_MAX => Body::TooLarge,
        Some(length) if length > BODY_BYTES_READ_AHEAD || is_expecting => {
            Body::Coming { is_chunked: false }
        }
        Some(_) => Body::Here,
    }
}

/// Hands the request to whoever may wait for its body as long as that takes.
fn dispatch(request: Request, sender: &SyncSender<Request>, shared: &Arc<Shared>) {
    shared.in_flight.fetch_add(1, Ordering::SeqCst);
    shared.received.fetch_add(1, Ordering::SeqCst);
    shared.nudge.seen(request.remote_addr());
    match body_of(&request) {
        Body::Here => {
            // Fails only if all workers are gone, and they never end.
            let _ = sender.send(request);
        }
        Body::TooLarge => {
            abandon(request, answer::CONTENT_TOO_LARGE, shared);
            shared.in_flight.fetch_sub(1, Ordering::SeqCst);
        }
        Body::Coming { is_chunked } => {
            if shared.body_threads.fetch_add(1, Ordering::SeqCst) >= BODY_THREADS_MAX {
                shared.body_threads.fetch_sub(1, Ordering::SeqCst);
                abandon(request, answer::UNAVAILABLE, shared);
                shared.in_flight.fetch_sub(1, Ordering::SeqCst);
                return;
            }
            let shared = Arc::clone(shared);
            thread::spawn(move || {
                receive_body(request, is_chunked, &shared);
                shared.body_threads.fetch_sub(1, Ordering::SeqCst);
                shared.in_flight.fetch_sub(1, Ordering::SeqCst);
            });
        }
    }
}

fn work(receiver: &Mutex<Receiver<Request>>, shared: &Shared) {
    loop {
        let received = receiver.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(request) = received else { return };
        if shared.is_closing.load(Ordering::SeqCst) {
            // Too late to be answered: dropping it would answer 500.
            std::mem::forget(request);
        } else {
            respond(request, shared);
        }
        shared.in_flight.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Answers a request whose body may still be on its way.
fn receive_body(mut request: Request, is_chunked: bool, shared: &Shared) {
    if is_chunked {
        let mut rest = request.as_reader().take(BODY_BYTES_MAX as u64 + 1);
        match io::copy(&mut rest, &mut io::sink()) {
            Ok(count) if count <= BODY_BYTES_MAX as u64 => {}
            // Where the next request begins is unknown: never read from this client again.
            _ => return abandon(request, answer::CONTENT_TOO_LARGE, shared),
        }
    }
    // A body of known length is read and thrown away by tiny_http after the answer.
    respond(request, shared);
}

/// Logs first: a client that has its answer finds the line.
fn respond(request: Request, shared: &Shared) {
    let answer = answer::answer(request.method().as_str(), request.url());
    write_entry(&request, answer, shared);
    let mut fields = vec![field("Content-Type", "text/plain; charset=utf-8")];
    fields.extend(answer.allow.map(|methods| field("Allow", methods)));
    let response = Response::new(
        StatusCode(answer.status),
        fields.into_iter().flatten().collect(),
        answer.body.as_bytes(),
        Some(answer.body.len()),
        None,
    );
    // A client that has gone is its own business.
    let _ = request.respond(response);
}

fn field(name: &str, value: &str) -> Option<Header> {
    Header::from_bytes(name, value).ok()
}

/// Answers without dropping the request's body, at the price of its descriptor and thread.
fn abandon(request: Request, answer: Answer, shared: &Shared) {
    write_entry(&request, answer, shared);
    // `upgrade` is the one way to a writer that leaves the reader alive. It insists on a head of
    // its own, so that is an interim one, which a client skips (RFC 9110 §15.2).
    let mut client = request.upgrade("none", Response::empty(100));
    let Answer { status, body, .. } = answer;
    let reason = StatusCode(status).default_reason_phrase();
    let length = body.len();
    let _ = write!(
        client,
        "HTTP/1.1 {status} {reason}\r\nContent-Type: text/plain; charset=utf-8\r\n\
         Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    );
    let _ = client.flush();
    std::mem::forget(client);
    if shared.abandoned.fetch_add(1, Ordering::SeqCst) + 1 >= ABANDONED_MAX {
        shared.fail(&format!("{ABANDONED_MAX} requests had bodies that cannot be thrown away"));
    }
}

fn write_entry(request: &Request, answer: Answer, shared: &Shared) {
    let client = client_of(request);
    shared.log().append(&Entry {
        method: request.method().as_str(),
        target: request.url(),
        status: answer.status,
        client: &client,
    });
}

/// The first name in `X-Forwarded-For`, else the peer's address.
fn client_of(request: &Request) -> String {
    let forwarded = request
        .headers()
        .iter()
        .find(|header| header.field.equiv("X-Forwarded-For"))
        .and_then(|header| header.value.as_str().split(',').next())
        .map(str::trim)
        .filter(|first| !first.is_empty());
    match (forwarded, request.remote_addr()) {
        (Some(first), _) => first.to_owned(),
        (None, Some(peer)) => peer.ip().to_canonical().to_string(),
        (None, None) => "-".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app_log::Limits;
    use tiny_http::TestRequest;

    fn request(fields: &[&str]) -> Request {
        let mut request = TestRequest::new();
        for field in fields {
            request = request.with_header(field.parse().unwrap());
        }
        request.into()
    }

    #[track_caller]
    fn check(fields: &[&str], expected: Body) {
        let request = request(fields);
        let body = body_of(&request);
        // A body of this length must not be dropped, which is the point of it all.
        std::mem::forget(request);
        assert_eq!(body, expected, "{fields:?}");
    }

    #[test]
    fn bodies_are_told_apart_by_what_they_may_cost() {
        check(&[], Body::Here);
        check(&["Content-Length: 0"], Body::Here);
        check(&["Content-Length: 1025"], Body::Coming { is_chunked: false });
        check(&["Content-Length: 9", "Expect: 100-continue"], Body::Coming { is_chunked: false });
        check(&["Content-Length: 1048577"], Body::TooLarge);
        check(&["Content-Length: 9223372036854775807"], Body::TooLarge);
        check(&["Transfer-Encoding: chunked"], Body::Coming { is_chunked: true });
        check(&["Content-Length: 5", "Transfer-Encoding: x"], Body::Coming { is_chunked: true });
        check(&["Connection: Upgrade", "Content-Length: 9999999999"], Body::Here);
    }

    #[test]
    fn the_client_is_the_forwarded_one_if_there_is_one() {
        let client = |fields: &[&str]| client_of(&request(fields));
        assert_eq!(client(&["X-Forwarded-For: 10.0.0.1, 10.0.0.2"]), "10.0.0.1");
        assert_eq!(client(&["x-forwarded-for:  2001:db8::1 "]), "2001:db8::1");
        assert_eq!(client(&["X-Forwarded-For: , 10.0.0.2"]), "127.0.0.1");
        assert_eq!(client(&[]), "127.0.0.1");
    }
    #[test]
    fn accepting_is_begun_again_after_it_failed() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (same, bound) = (listener.try_clone().unwrap(), listener.local_addr().unwrap());
        let limits = Limits { file_bytes_max: None, rotated_count_max: 1 };
        let log = AppLog::open("/dev/null".into(), limits);
        let shared = Arc::new(Shared::new(log, Nudge::start(bound).unwrap()));
        // A listener that does not block fails at once with EAGAIN, as if out of descriptors.
        listener.set_nonblocking(true).unwrap();
        start(listener, &shared).unwrap();
        while shared.listen_restarts.load(Ordering::SeqCst) == 0 {
            thread::sleep(Duration::from_millis(1));
        }
        same.set_nonblocking(false).unwrap();
        let mut client = std::net::TcpStream::connect(bound).unwrap();
        client.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).unwrap();
        assert!(answer.ends_with("Hello, World!"), "{answer}");
    }
}
