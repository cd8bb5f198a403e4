//! HTTP on the wire, through the real program: what is refused, what passes, and how.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on ends there")]

mod common;

use std::io::{Read, Write};
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use common::{Origin, Proxy, Reply, hello};

/// Each is refused with this status, wherever the bytes are cut, and never reaches the upstream.
#[test]
fn requests_that_break_http_are_refused_at_every_split_point() {
    let origin = Origin::hello();
    let proxy = Proxy::before(&origin, "");
    let cases: [(&str, &str); 24] = [
        (
            "400",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        ),
        (
            "400",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        ),
        ("400", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +3\r\n\r\nabc"),
        ("400", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3x\r\n\r\nabc"),
        ("400", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd"),
        ("400", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3, 4\r\n\r\nabcd"),
        ("400", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n"),
        ("400", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n"),
        ("501", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n"),
        ("501", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n"),
        ("400", "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        ("400", "GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n folded\r\n\r\n"),
        ("400", "GET / HTTP/1.1\r\nHost: a\nX: 1\r\n\r\n"),
        ("400", "GET / HTTP/1.1\nHost: a\n\n"),
        ("400", "GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n"),
        ("400", "GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n"),
        ("400", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"),
        ("400", "GET / HTTP/1.1\r\n\r\n"),
        ("400", "GET / HTTP/1.1\r\nHost: a\r\nX : 1\r\n\r\n"),
        ("400", "GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n"),
        ("400", "GET /../etc HTTP/1.1\r\nHost: a\r\n\r\n"),
        ("400", "GET /%00 HTTP/1.1\r\nHost: a\r\n\r\n"),
        ("405", "CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n"),
        ("400", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    ];
    for (status, request) in cases {
        for cut in 1..request.len() {
            let mut client = proxy.connect();
            client.send(&request.as_bytes()[..cut]);
            // What is wrong already needs no more: both ways must end the same.
            if cut % 8 == 0 {
                thread::sleep(Duration::from_micros(300));
            }
            client.send(&request.as_bytes()[cut..]);
            let answer = client.rest();
            assert!(
                answer.starts_with(&format!("HTTP/1.1 {status} ")),
                "{request:?} cut at {cut}: {answer:?}"
            );
            assert!(answer.contains("\r\nConnection: close\r\n"));
        }
    }
    assert_eq!(origin.requests(), Vec::<String>::new());
}

#[test]
fn a_length_beyond_reason_is_refused_and_harms_nobody() {
    let origin = Origin::hello();
    let proxy = Proxy::before(&origin, "client_max_body_size 0;");
    for length in ["9223372036854775807", "9223372036854775808", "18446744073709551616"] {
        let answer =
            proxy.ask(&format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n"));
        assert!(answer.starts_with("HTTP/1.1 400 "), "{length}: {answer}");
    }
    assert!(proxy.get("/").ends_with("Hello, World!"));
}

#[test]
fn heads_at_their_limits_pass_and_one_byte_more_does_not() {
    let origin = Origin::hello();
    let proxy = Proxy::before(&origin, "");
    let line = |bytes: usize| {
        let path = "a".repeat(bytes - "GET / HTTP/1.1".len());
        format!("GET /{path} HTTP/1.1\r\nHost: a\r\n\r\n")
    };
    let field = |bytes: usize| {
        let value = "a".repeat(bytes - "X: ".len());
        format!("GET / HTTP/1.1\r\nHost: a\r\nX: {value}\r\n\r\n")
    };
    let fields = |count: usize| {
        let fields: String = (1..count).map(|n| format!("X-{n}: 1\r\n")).collect();
        format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n")
    };
    for (request, status) in [
        (line(8_000), "200"),
        (line(9_000), "414"),
        (field(8_000), "200"),
        (field(9_000), "431"),
        (fields(1000), "200"),
        (fields(1001), "431"),
    ] {
        let answer = proxy.ask(&request);
        let start = &answer[..answer.len().min(40)];
        assert!(
            start.starts_with(&format!("HTTP/1.1 {status} ")),
            "{} bytes: {start}",
            request.len()
        );
    }
}

#[test]
fn one_connection_carries_many_requests_on_both_sides() {
    let origin = Origin::hello();
    let proxy = Proxy::before(&origin, "");
    let mut client = proxy.connect();
    for n in 0..50 {
        client.send(format!("GET /{n} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes());
        assert!(client.answer().ends_with("Hello, World!"));
    }
    assert_eq!(origin.requests().len(), 50);
    assert_eq!(origin.connections.load(Ordering::SeqCst), 1);
}

#[test]
fn pipelined_requests_are_answered_in_their_order() {
    let origin = Origin::new(|request| {
        let path = request.split(' ').nth(1).unwrap().to_owned();
        let length = path.len();
        Reply::Say(
            format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{path}").into_bytes(),
        )
    });
    let proxy = Proxy::before(&origin, "");
    let mut client = proxy.connect();
    let requests: String = (0..100)
        .map(|n| {
            format!(
                "POST /{n} HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc\
                     GET /{n}b HTTP/1.1\r\nHost: a\r\n\r\n"
            )
        })
        .collect();
    client.send(requests.as_bytes());
    for n in 0..100 {
        assert!(client.answer().ends_with(&format!("\r\n\r\n/{n}")));
        assert!(client.answer().ends_with(&format!("\r\n\r\n/{n}b")));
    }
    assert_eq!(origin.requests().len(), 200);
}

#[test]
fn a_closing_client_is_answered_and_closed() {
    let origin = Origin::hello();
    let proxy = Proxy::before(&origin, "");
    for request in
        ["GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "GET / HTTP/1.0\r\n\r\n"]
    {
        let mut client = proxy.connect();
        client.send(request.as_bytes());
        let answer = client.rest();
        assert!(answer.contains("\r\nConnection: close\r\n") && answer.ends_with("Hello, World!"));
    }
    let mut client = proxy.connect();
    client.send(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    assert!(client.answer().contains("\r\nConnection: keep-alive\r\n"));
    client.send(b"GET / HTTP/1.0\r\n\r\n");
    assert!(client.rest().ends_with("Hello, World!"));
}

#[test]
fn large_bodies_pass_whole_both_ways_in_bounded_memory() {
    const BYTES: usize = 32 << 20;
    let body: Vec<u8> = (0..BYTES).map(|n| u8::try_from(n % 251).unwrap()).collect();
    let answer_body = body.clone();
    let origin = Origin::new(move |request| {
        let chunked = request.starts_with("GET");
        let mut answer = format!("HTTP/1.1 200 OK\r\nX-Got: {}\r\n", request.len()).into_bytes();
        if chunked {
            answer.extend_from_slice(b"Transfer-Encoding: chunked\r\n\r\n");
            for piece in answer_body.chunks(100_000) {
                answer.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
                answer.extend_from_slice(piece);
                answer.extend_from_slice(b"\r\n");
            }
            answer.extend_from_slice(b"0\r\n\r\n");
        } else {
            answer.extend_from_slice(format!("Content-Length: {BYTES}\r\n\r\n").as_bytes());
            answer.extend_from_slice(&answer_body);
        }
        Reply::Say(answer)
    });
    let proxy = Proxy::before(&origin, "client_max_body_size 0;");
    for method in ["POST", "GET"] {
        let mut client = proxy.connect();
        let mut stream = client.stream.try_clone().unwrap();
        let upload = body.clone();
        let posting = method == "POST";
        let sender = thread::spawn(move || {
            let length = if posting { BYTES } else { 0 };
            let head =
                format!("{method} / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n");
            stream.write_all(head.as_bytes()).unwrap();
            stream.write_all(&upload[..length]).unwrap();
        });
        let mut received = Vec::new();
        let mut bytes = vec![0; 256 << 10];
        let expected_end = BYTES;
        let mut peak = 0;
        let end = Instant::now() + common::DEADLINE;
        while Instant::now() < end {
            let count = client.stream.read(&mut bytes).unwrap();
            received.extend_from_slice(&bytes[..count]);
            peak = peak.max(proxy.resident_bytes());
            if received.ends_with(b"0\r\n\r\n") || (posting && received.len() > expected_end + 100)
            {
                break;
            }
        }
        sender.join().unwrap();
        let head_end = received.windows(4).position(|w| w == b"\r\n\r\n").unwrap() + 4;
        let got = &received[head_end..];
        if posting {
            assert!(got == body.as_slice(), "the download differs: {} bytes", got.len());
        } else {
            let mut reader = http1::BodyReader::new(http1::BodyLength::Chunked);
            let (mut data, mut at) = (Vec::new(), 0);
            while !reader.is_done() {
                let part = reader.read(&got[at..]).unwrap();
                data.extend_from_slice(part.data);
                at += part.used;
                assert!(part.used > 0 || reader.is_done());
            }
            assert!(data == body, "the chunked download differs: {} bytes", data.len());
        }
        assert!(peak < 12 << 20, "peak of {peak} bytes for bodies of {BYTES}");
    }
}

#[test]
fn a_body_past_the_limit_is_413_and_never_reaches_the_upstream_whole() {
    let origin = Origin::hello();
    let proxy = Proxy::before(&origin, "client_max_body_size 1k;");
    let just = "x".repeat(1024);
    let over = "x".repeat(1025);
    let post = |body: &str| {
        format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{body}", body.len())
    };
    assert!(proxy.ask(&post(&just)).starts_with("HTTP/1.1 200 "));
    assert!(proxy.ask(&post(&over)).starts_with("HTTP/1.1 413 "));
    let chunked = |body: &str| {
        format!(
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n",
            body.len()
        )
    };
    assert!(proxy.ask(&chunked(&just)).starts_with("HTTP/1.1 200 "));
    assert!(proxy.ask(&chunked(&over)).starts_with("HTTP/1.1 413 "));
    assert_eq!(origin.requests().len(), 2);
}

#[test]
fn a_413_is_read_by_a_client_that_is_still_sending() {
    let origin = Origin::hello();
    let proxy = Proxy::before(&origin, "");
    let mut client = proxy.connect();
    let length = 8 << 20;
    client
        .send(format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n").as_bytes());
    client.send(&vec![b'x'; 1 << 20]);
    assert!(client.answer().starts_with("HTTP/1.1 413 "));
}

#[test]
fn a_stream_of_events_is_not_held_back() {
    let pause = Duration::from_millis(200);
    let origin = Origin::new(move |_| {
        let head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\
                     Transfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n";
        Reply::Slowly(vec![
            (Duration::ZERO, head.to_vec()),
            (pause * 5, b"4\r\nlast\r\n0\r\n\r\n".to_vec()),
        ])
    });
    let proxy = Proxy::before(&origin, "");
    let mut client = proxy.connect();
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let asked = Instant::now();
    let mut bytes = [0; 4096];
    let mut seen = String::new();
    while !seen.contains("first") {
        let count = client.stream.read(&mut bytes).unwrap();
        seen.push_str(&common::lossy(&bytes[..count]));
    }
    assert!(asked.elapsed() < pause * 5, "the first event waited for the second");
    assert!(client.answer().contains("last"));
}

#[test]
fn a_stale_upstream_connection_costs_no_request() {
    let origin = Origin::new(|_| {
        Reply::SayAndClose(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok".to_vec())
    });
    let proxy = Proxy::before(&origin, "");
    let mut client = proxy.connect();
    for n in 0..200 {
        let method = if n % 2 == 0 { "GET" } else { "DELETE" };
        client.send(format!("{method} /{n} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes());
        let answer = client.answer();
        assert!(answer.starts_with("HTTP/1.1 200 "), "request {n}: {answer}");
    }
}

#[test]
fn clients_that_trickle_leave_the_others_alone() {
    let origin = Origin::hello();
    let proxy = Proxy::before(&origin, "");
    let request = b"GET / HTTP/1.1\r\nHost: a\r\nX-Slow: aaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n\r\n";
    let mut slow: Vec<_> = (0..200).map(|_| proxy.connect()).collect();
    let sent = 3;
    for byte in 0..sent {
        for client in &mut slow {
            client.send(&request[byte..=byte]);
        }
        // As many as keepalive_requests on each connection; each has to come within the client's patience.
        for _ in 0..3 {
            let mut client = proxy.connect();
            for _ in 0..100 {
                client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
                assert!(client.answer().ends_with("Hello, World!"));
            }
        }
    }
    assert!(proxy.resident_bytes() < 12 << 20);
    for client in &mut slow {
        client.send(&request[sent..]);
        assert!(client.answer().ends_with("Hello, World!"));
    }
}

#[test]
fn a_client_too_slow_with_its_head_is_told_so() {
    let origin = Origin::hello();
    let upstream = origin.address;
    let proxy = Proxy::start(&format!(
        "http {{ server {{ listen 127.0.0.1:PORT; client_header_timeout 200ms; \
         client_body_timeout 200ms; location / {{ proxy_pass http://{upstream}; \
         proxy_read_timeout 200ms; }} }} }} events {{}}"
    ));
    let mut head = proxy.connect();
    head.send(b"GET / HTT");
    assert!(head.rest().starts_with("HTTP/1.1 408 "));
    let mut body = proxy.connect();
    body.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc");
    let answer = body.rest();
    assert!(answer.starts_with("HTTP/1.1 408 ") || answer.starts_with("HTTP/1.1 504 "));
}

#[test]
fn an_upstream_too_slow_or_absent_is_504_or_502() {
    let origin = Origin::new(|_| Reply::Slowly(vec![(Duration::from_secs(2), b"late".to_vec())]));
    let slow = Proxy::before(&origin, "proxy_read_timeout 100ms;");
    assert!(slow.get("/").starts_with("HTTP/1.1 504 Gateway Time-out\r\n"));
    let gone = Origin::hello();
    let absent = common::free_port();
    let proxy = Proxy::start(&format!(
        "events {{}} http {{ server {{ listen 127.0.0.1:PORT; \
         location / {{ proxy_pass http://127.0.0.1:{absent}; }} \
         location /name/ {{ proxy_pass http://no-such-host.invalid; }} }} }}"
    ));
    drop(gone);
    let mut client = proxy.connect();
    for _ in 0..2 {
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        assert!(client.answer().starts_with("HTTP/1.1 502 Bad Gateway\r\n"));
    }
    assert!(proxy.get("/name/").starts_with("HTTP/1.1 502 "));
}

#[test]
fn several_servers_share_and_one_that_is_down_costs_nothing() {
    let (first, second) = (Origin::hello(), Origin::hello());
    let down = common::free_port();
    let (a, b) = (first.address, second.address);
    let proxy = Proxy::start(&format!(
        "events {{}} http {{ upstream app {{ server {a} weight=2; server 127.0.0.1:{down}; server {b}; }} \
         server {{ listen 127.0.0.1:PORT; location / {{ proxy_pass http://app; }} }} }}"
    ));
    for _ in 0..30 {
        assert!(proxy.get("/").ends_with("Hello, World!"));
    }
    let (a, b) = (first.requests().len(), second.requests().len());
    assert!(a + b == 30 && a > b && b > 0, "{a} and {b}");
}

#[test]
fn an_early_answer_is_read_during_an_upload() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        // A connection without a byte is one that asks whether anybody listens.
        let mut bytes = [0; 1024];
        let mut stream = loop {
            let (mut stream, _) = listener.accept().unwrap();
            if matches!(stream.read(&mut bytes), Ok(count) if count > 0) {
                break stream;
            }
        };
        let _ = stream.write_all(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno");
        thread::sleep(Duration::from_millis(500));
    });
    let proxy = Proxy::start(&format!(
        "events {{}} http {{ server {{ listen 127.0.0.1:PORT; client_max_body_size 0; \
         location / {{ proxy_pass http://{address}; }} }} }}"
    ));
    let mut client = proxy.connect();
    client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nabc");
    assert!(client.answer().starts_with("HTTP/1.1 403 "));
}

#[test]
fn access_lines_are_in_combined_format_on_stdout() {
    let origin = Origin::new(|_| hello());
    let proxy = Proxy::before(&origin, "");
    proxy.ask("GET /x?y=1 HTTP/1.1\r\nHost: a\r\nReferer: r\r\nUser-Agent: \"u\"\r\n\r\n");
    common::wait_until("the line is written", || proxy.stdout().contains("/x?y=1"));
    let log = proxy.stdout();
    let line = log.lines().find(|line| line.contains("/x?y=1")).unwrap();
    assert!(line.starts_with("127.0.0.1 - - ["), "{line}");
    assert!(line.ends_with("\"GET /x?y=1 HTTP/1.1\" 200 13 \"r\" \"\\x22u\\x22\""), "{line}");
}
