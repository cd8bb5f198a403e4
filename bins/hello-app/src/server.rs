//! The shell around tiny_http: accepting, bodies, ending. The only file that names it.
//!
//! A request gets a thread of its own, so that one whose body never comes holds up nobody. Each
//! answer says `Connection: close`: tiny_http may queue a connection behind another one's thread,
//! and serves it when one ends. What tiny_http cannot do is listed in the README.

use std::io::{self, Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use std::{mem, process, thread};

use log::error;
use sidecar::exit;
use tiny_http::{Method, Request, Response, Server, StatusCode};

use crate::answer;
use crate::app_log::{AppLog, message_of};

/// Largest body taken and thrown away: nginx's default `client_max_body_size`.
const BODY_BYTES_MAX: usize = 1 << 20;
/// At the end: how long requests are taken in any case, and how long those in hand may still take.
const LINGER: Duration = Duration::from_millis(100);
const LAST_ANSWERS: Duration = Duration::from_millis(600);

/// Serves `listener` on threads of its own, until the process ends. Fails for want of descriptors.
pub(crate) fn start(listener: TcpListener, log: AppLog) -> io::Result<Arc<Mutex<AppLog>>> {
    let server = Server::from_listener(listener, None).map_err(io::Error::other)?;
    let shared = Arc::new(Mutex::new(log));
    let log = Arc::clone(&shared);
    thread::spawn(move || {
        for request in server.incoming_requests() {
            let log = Arc::clone(&log);
            thread::spawn(move || respond(request, &log));
        }
        error!("no connection can be accepted any more; ending, to be started afresh");
        finish(&log);
        process::exit(exit::RUNTIME.into());
    });
    Ok(shared)
}

/// Waits until what has begun is answered, then takes nothing more. Within a second.
pub(crate) fn finish(log: &Arc<Mutex<AppLog>>) {
    thread::sleep(LINGER);
    let end = Instant::now() + LAST_ANSWERS;
    // Two are the main thread's and the receiving one's; each request in hand has another.
    while Arc::strong_count(log) > 2 && Instant::now() < end {
        thread::sleep(Duration::from_millis(1));
    }
    let mut log = lock(log);
    log.append("INFO", "shutting down");
    // Locked for good: no line follows the last one, and no answer goes without its line.
    mem::forget(log);
    // For those that have their line and not yet their answer.
    thread::sleep(LINGER);
}

/// The log, whatever happened to a thread that had it.
pub(crate) fn lock(log: &Mutex<AppLog>) -> MutexGuard<'_, AppLog> {
    log.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Logs first: a client that has its answer finds the line.
fn respond(mut request: Request, log: &Mutex<AppLog>) {
    let is_read = read_body(&mut request);
    let (method, target) = (request.method().as_str(), request.url());
    let (status, body) =
        if is_read { answer::to(method, target) } else { (413, "Content Too Large\n") };
    let message = message_of(method, target, status, &client_of(&request));
    lock(log).append(if status < 400 { "INFO" } else { "WARN" }, &message);

    let unix_s = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
    let text = format!(
        "HTTP/1.1 {status} {}\r\nDate: {}\r\nContent-Type: text/plain; charset=utf-8\r\n\
         Content-Length: {}\r\n{}Connection: close\r\n\r\n{}",
        StatusCode(status).default_reason_phrase(),
        String::from_utf8_lossy(&http1::imf_fixdate(unix_s)),
        body.len(),
        if status == 405 { "Allow: GET, HEAD\r\n" } else { "" },
        if *request.method() == Method::Head { "" } else { body },
    );
    let mut client: Box<dyn Write> = if is_read {
        request.into_writer()
    } else {
        // Dropping a body allocates its announced length, or leaves the rest to run as a request.
        // `upgrade` is the one way to a writer without; it insists on a head, so that is an
        // interim one, which a client skips (RFC 9110 §15.2). It costs the connection's thread.
        Box::new(Box::leak(request.upgrade("none", Response::empty(100))))
    };
    // A client that has gone is its own business.
    let _ = client.write_all(text.as_bytes()).and_then(|()| client.flush());
}

/// Reads the body and throws it away; `false` if there is more of it than is taken.
fn read_body(request: &mut Request) -> bool {
    // tiny_http takes all that follows an upgrade for its body.
    let connection = field(request, "Connection").unwrap_or_default();
    let is_upgrade = connection.to_ascii_lowercase().contains("upgrade");
    if is_upgrade || request.body_length().is_some_and(|length| length > BODY_BYTES_MAX) {
        return is_upgrade;
    }
    let mut body = request.as_reader().take(BODY_BYTES_MAX as u64 + 1);
    io::copy(&mut body, &mut io::sink()).map_or(true, |count| count <= BODY_BYTES_MAX as u64)
}

fn field<'a>(request: &'a Request, name: &'static str) -> Option<&'a str> {
    let found = request.headers().iter().find(|header| header.field.equiv(name));
    found.map(|header| header.value.as_str())
}

/// The first name in `X-Forwarded-For`, else the peer's address.
fn client_of(request: &Request) -> String {
    let names = field(request, "X-Forwarded-For").unwrap_or_default();
    let first = names.split(',').next().map(|name| name.trim().to_owned());
    let peer = || request.remote_addr().map(|peer| peer.ip().to_canonical().to_string());
    first.filter(|name| !name.is_empty()).or_else(peer).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tiny_http::TestRequest;

    fn request(fields: &[&str]) -> Request {
        let mut request = TestRequest::new();
        for field in fields {
            request = request.with_header(field.parse().unwrap());
        }
        request.into()
    }

    #[track_caller]
    fn check(fields: &[&str], is_read: bool) {
        let mut request = request(fields);
        assert_eq!(read_body(&mut request), is_read, "{fields:?}");
        // A body that is not read must not be dropped, which is the point of it all.
        mem::forget(request);
    }

    #[test]
    fn a_body_is_read_unless_it_is_larger_than_is_taken() {
        check(&[], true);
        check(&["Content-Length: 0"], true);
        check(&["Content-Length: 1048576"], true);
        check(&["Content-Length: 1048577"], false);
        check(&["Content-Length: 9223372036854775807"], false);
        check(&["Transfer-Encoding: chunked"], true);
        check(&["Connection: Upgrade", "Content-Length: 9999999999"], true);
    }

    #[test]
    fn the_client_is_the_forwarded_one_if_there_is_one() {
        let client = |fields: &[&str]| client_of(&request(fields));
        assert_eq!(client(&["X-Forwarded-For: 10.0.0.1, 10.0.0.2"]), "10.0.0.1");
        assert_eq!(client(&["x-forwarded-for:  2001:db8::1 "]), "2001:db8::1");
        assert_eq!(client(&["X-Forwarded-For: , 10.0.0.2"]), "127.0.0.1");
        assert_eq!(client(&[]), "127.0.0.1");
    }
}
