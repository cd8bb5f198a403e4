//! The admin endpoint over real loopback sockets, with friendly and hostile clients.

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use sidecar::admin::{Answer, Reply, serve};

/// Longer than any answer takes, shorter than the endpoint's own deadline of 5 s.
const SOON: Duration = Duration::from_secs(3);

/// How long `/later` has nothing to say.
const LATER: Duration = Duration::from_millis(300);

fn start() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    serve(listener, |asked| {
        Reply::Now(match asked.path {
            "/livez" => Answer::ok(),
            "/readyz" => Answer::unavailable("draining"),
            "/metrics" => Answer { status: 200, body: "a 1\n".to_owned() },
            "/large" => Answer { status: 200, body: "x".repeat(8 << 20) },
            "/later" if asked.waited < LATER => return Reply::Later,
            "/later" => Answer { status: 200, body: format!("{}\n", asked.query) },
            _ => return Reply::Unknown,
        })
    })
    .unwrap();
    address
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    stream.set_write_timeout(Some(SOON)).unwrap();
    stream
}

/// All that comes back until the endpoint closes, without the Date line.
fn exchange(address: SocketAddr, request: &[u8]) -> String {
    let mut stream = connect(address);
    stream.write_all(request).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let lines = answer.split_inclusive('\n').filter(|line| !line.starts_with("Date: "));
    lines.collect()
}

fn status(address: SocketAddr, request: &[u8]) -> String {
    let answer = exchange(address, request);
    answer.split(' ').nth(1).unwrap_or("none").to_owned()
}

fn probe(address: SocketAddr) {
    let begun = Instant::now();
    assert_eq!(status(address, b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n"), "200");
    assert!(begun.elapsed() < Duration::from_secs(1), "a probe must not wait for others");
}

#[test]
fn what_is_answered_later_holds_up_nobody_else() {
    let address = start();
    let begun = Instant::now();
    let mut waiting: Vec<_> = (0..40).map(|_| connect(address)).collect();
    for stream in &mut waiting {
        stream.write_all(b"GET /later?a=1 HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    }
    // Behind this one they have all been read.
    probe(address);
    // Who goes meanwhile, and who talks on, is not waited with.
    drop(waiting.split_off(20));
    for stream in waiting.iter_mut().skip(10) {
        stream.write_all(b"GET /later HTTP/1.1\r\n").unwrap();
    }
    probe(address);
    for (index, mut stream) in waiting.into_iter().enumerate() {
        let mut answer = String::new();
        let read = stream.read_to_string(&mut answer);
        let is_answered = read.is_ok() && answer.ends_with("\r\n\r\na=1\n");
        assert_eq!(is_answered, index < 10, "{index}: {answer}");
    }
    assert!(begun.elapsed() >= LATER, "{:?}", begun.elapsed());
}

#[test]
fn known_paths_are_answered_and_closed() {
    let address = start();
    assert_eq!(
        exchange(address, b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n"),
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 3\r\n\
         Connection: close\r\n\r\nok\n"
    );
    assert_eq!(
        exchange(address, b"GET /readyz?x=y HTTP/1.1\r\nHost: a\r\n\r\n"),
        "HTTP/1.1 503 Service Temporarily Unavailable\r\nContent-Type: text/plain; charset=utf-8\r\n\
         Content-Length: 9\r\nConnection: close\r\n\r\ndraining\n"
    );
    assert_eq!(
        exchange(address, b"GET /metrics HTTP/1.0\r\n\r\n"),
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n\
         Content-Length: 4\r\nConnection: close\r\n\r\na 1\n"
    );
}

#[test]
fn head_has_the_fields_of_get_without_its_body() {
    assert_eq!(
        exchange(start(), b"HEAD /livez HTTP/1.1\r\nHost: a\r\n\r\n"),
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 3\r\n\
         Connection: close\r\n\r\n"
    );
}

#[test]
fn other_paths_and_methods_are_refused() {
    let address = start();
    assert_eq!(status(address, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"), "404");
    assert_eq!(status(address, b"GET /livez/ HTTP/1.1\r\nHost: a\r\n\r\n"), "404");
    assert_eq!(status(address, b"GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n"), "404");
    let answer =
        exchange(address, b"POST /livez HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi");
    assert!(answer.starts_with("HTTP/1.1 405 "), "{answer}");
    assert!(answer.contains("\r\nAllow: GET, HEAD\r\n"), "{answer}");
    assert_eq!(status(address, b"CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n"), "405");
}

#[test]
fn garbage_is_answered_with_its_status_and_nothing_more() {
    let address = start();
    let large =
        [b"GET /livez HTTP/1.1\r\nHost: a\r\n", "X: y\r\n".repeat(5000).as_bytes()].concat();
    let long = [b"GET /", "a".repeat(100_000).as_bytes()].concat();
    for (request, expected) in [
        (&b"\x16\x03\x01\x02\x00\x01\x00"[..], "400"),
        (b"GET /livez HTTP/1.1\r\n\r\n", "400"),
        (b"GET /livez HTTP/1.1\nHost: a\n\n", "400"),
        (b"GET /livez HTTP/1.1\r\nHost: a\r\nContent-Length: 9223372036854775807\r\n\r\n", "400"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "400"),
        (b"GET /livez HTTP/2.0\r\n\r\n", "505"),
        (&large, "431"),
        (&long, "414"),
    ] {
        let mut stream = connect(address);
        // It may be closed before all is written.
        let _ = stream.write_all(request);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let answer = String::from_utf8_lossy(&answer);
        assert_eq!(answer.split(' ').nth(1), Some(expected), "{answer}");
    }
    probe(address);
}

#[test]
fn slow_and_silent_clients_do_not_keep_a_probe_waiting() {
    let address = start();
    let mut idle: Vec<TcpStream> = (0..10).map(|_| connect(address)).collect();
    for stream in &mut idle {
        stream.write_all(b"GET /livez HTTP/1.1\r\nHo").unwrap();
    }
    // One that asks for much and reads nothing.
    let mut deaf = connect(address);
    deaf.write_all(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    probe(address);
    // A byte at a time is enough, as long as it is in time.
    let mut slow = connect(address);
    for byte in b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n" {
        slow.write_all(&[*byte]).unwrap();
    }
    let mut answer = String::new();
    slow.read_to_string(&mut answer).unwrap();
    assert!(answer.ends_with("\r\n\r\nok\n"), "{answer}");
    let mut large = Vec::new();
    deaf.read_to_end(&mut large).unwrap();
    assert!(large.len() > 8 << 20, "a large answer arrives whole: {}", large.len());
}

#[test]
fn more_connections_than_places_cannot_keep_a_probe_out() {
    let address = start();
    let mut idle = Vec::new();
    for _ in 0..5 {
        idle.extend((0..60).map(|_| connect(address)));
        probe(address);
    }
    // The newest are still served.
    let mut newest = idle.pop().unwrap();
    newest.write_all(b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    let mut answer = String::new();
    newest.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}

#[test]
fn clients_that_leave_early_do_no_harm() {
    let address = start();
    for request in ["", "GET", "GET /large HTTP/1.1\r\nHost: a\r\n\r\n"] {
        for _ in 0..20 {
            let mut stream = connect(address);
            stream.write_all(request.as_bytes()).unwrap();
            drop(stream);
        }
    }
    let mut half = connect(address);
    half.write_all(b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    half.shutdown(Shutdown::Write).unwrap();
    let mut answer = String::new();
    half.read_to_string(&mut answer).unwrap();
    assert!(answer.ends_with("ok\n"), "{answer}");
    probe(address);
}

#[test]
fn an_idle_connection_is_closed_after_its_time() {
    let address = start();
    let mut idle = connect(address);
    idle.set_read_timeout(Some(Duration::from_secs(9))).unwrap();
    idle.write_all(b"GET ").unwrap();
    let begun = Instant::now();
    match idle.read(&mut [0; 16]) {
        Ok(count) => assert_eq!(count, 0),
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
    }
    assert!(begun.elapsed() > Duration::from_secs(4), "{:?}", begun.elapsed());
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
}
