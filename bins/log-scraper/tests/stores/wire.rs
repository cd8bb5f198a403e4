//! Stores that do what HTTP allows: answers of every shape, connections that end whenever they like, and
//! answers that do not wait for the request's end.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use crate::common::{Scraper, append, line, wait_until};
use crate::script::{Reply, Request, Store};
use crate::{arguments, folder_with};

/// Every request is answered so: each line comes once, at once, and nothing is said of the store.
fn check(name: &str, address: &str, url: impl Fn(&str) -> String, reply: &Reply) {
    let reply = reply.clone();
    let store = Store::start_at(address, Box::new(move |_, _| reply.clone()));
    let folder = folder_with(1);
    let (url, log) = (url(&store.address), folder.argument("app.log"));
    let scraper = Scraper::start(&arguments("ndjson", &url, &[&log]));
    for number in 1..4 {
        wait_until(name, || store.count() as u64 >= number);
        // Whatever becomes of the connection becomes of it meanwhile.
        thread::sleep(Duration::from_millis(150));
        append(&folder.path("app.log"), line(number).as_bytes());
    }
    wait_until(name, || store.count() >= 4);
    let messages = scraper.messages();
    scraper.terminate();
    let seen: Vec<u64> = store.requests().iter().flat_map(Request::numbers).collect();
    assert_eq!(seen, [0, 1, 2, 3], "{name}: {messages}");
    assert!(!messages.contains("store: "), "{name}: {messages}");
}

#[test]
fn whatever_shape_an_answer_has_and_whenever_the_connection_ends_lines_come_once_and_at_once() {
    let chunked =
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nA: b\r\n\r\n";
    let close = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    let cases = [
        ("in chunks, with a trailer", Reply::Bytes(chunked, true)),
        (
            "100 before it",
            Reply::Bytes("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No\r\n\r\n", true),
        ),
        ("103 before it", Reply::Bytes("HTTP/1.1 103 Early\r\n\r\nHTTP/1.1 204 No\r\n\r\n", true)),
        ("HTTP/1.0, up to the end", Reply::Bytes("HTTP/1.0 200 OK\r\n\r\n{}", false)),
        ("no reason", Reply::Bytes("HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", true)),
        ("bare line feeds", Reply::Bytes("HTTP/1.1 204 No\n\n", true)),
        ("more than an answer", Reply::Bytes("HTTP/1.1 204 No\r\n\r\nrubbish", true)),
        ("that it closes", Reply::Bytes(close, false)),
        ("closed unsaid", Reply::Bytes("HTTP/1.1 204 No\r\n\r\n", false)),
    ];
    let url = |address: &str| format!("http://{address}/");
    let named = |address: &str| format!("http://localhost:{}/", &address["127.0.0.1:".len()..]);
    thread::scope(|scope| {
        for (name, reply) in &cases {
            scope.spawn(move || check(name, "127.0.0.1:0", url, reply));
        }
        scope.spawn(|| check("by name", "127.0.0.1:0", named, &Reply::status(204)));
        if TcpListener::bind("[::1]:0").is_ok() {
            scope.spawn(|| check("IPv6", "[::1]:0", url, &Reply::status(204)));
        }
    });
}

#[test]
fn a_kept_connection_that_ends_without_an_answer_costs_no_wait_and_a_new_one_does() {
    // The second request's connection was kept, the third one's is new.
    for ends in [vec![1], vec![1, 2]] {
        let (cut, count) = (ends.clone(), 3 + ends.len());
        let store = Store::start(move |number, _| match cut.contains(&number) {
            true => Reply::Resets,
            false => Reply::status(204),
        });
        let folder = folder_with(1);
        let (url, log) = (store.url("/"), folder.argument("app.log"));
        let scraper = Scraper::start(&arguments("ndjson", &url, &[&log]));
        wait_until("the first", || store.count() >= 1);
        append(&folder.path("app.log"), line(1).as_bytes());
        wait_until("the second", || store.count() > 1 + ends.len());
        append(&folder.path("app.log"), line(2).as_bytes());
        wait_until("the third", || store.count() >= count);
        let messages = scraper.messages();
        scraper.terminate();
        let requests = store.requests();
        assert_eq!(requests.len(), count);
        let seen: Vec<u64> = requests.iter().flat_map(Request::numbers).collect();
        let again = vec![1; ends.len() + 1];
        assert_eq!(seen, [&[0][..], &again, &[2]].concat());
        let at_once = requests[2].at - requests[1].at;
        assert!(at_once < Duration::from_millis(400), "{at_once:?}");
        assert_eq!(messages.contains("store: "), ends.len() > 1, "{messages}");
        if ends.len() > 1 {
            let later = requests[3].at - requests[2].at;
            assert!(later >= Duration::from_millis(500), "{later:?}");
        }
    }
}

/// Reads a request's head, and says how many bytes follow.
fn read_head(reader: &mut impl BufRead) -> Option<usize> {
    let mut len = None;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|count| *count > 0)?;
        let line = line.trim_end().to_ascii_lowercase();
        if line.is_empty() {
            return len;
        }
        len = line.strip_prefix("content-length:").map_or(len, |text| text.trim().parse().ok());
    }
}

/// Refuses a request of more than 20,000 bytes once it knows how long it is, unread, with that answer.
fn serve_small(stream: &TcpStream, early: &str, taken: &Mutex<String>) -> Option<()> {
    // A small buffer, so that next to nothing of the body is taken in.
    let mut reader = BufReader::with_capacity(64, stream);
    let mut stream = stream;
    loop {
        let len = read_head(&mut reader)?;
        if len > 20_000 {
            return stream.write_all(early.as_bytes()).ok();
        }
        let mut body = String::new();
        reader.by_ref().take(len as u64).read_to_string(&mut body).ok()?;
        taken.lock().unwrap().push_str(&body);
        stream.write_all(b"HTTP/1.1 204 No\r\n\r\n").ok()?;
    }
}

/// A store that answers large requests so before it read them; the lines that it took of others, and
/// what was said.
fn early(answer: &'static str, until: impl Fn(&str, &str) -> bool) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let taken = Arc::new(Mutex::new(String::new()));
    let theirs = Arc::clone(&taken);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let _ = serve_small(&stream, answer, &theirs);
        }
    });
    let folder = folder_with(20_000);
    let log = folder.argument("app.log");
    let more = ["--shutdown-timeout", "100ms", &log];
    let scraper = Scraper::start(&arguments("ndjson", &url, &more));
    wait_until(answer, || until(&taken.lock().unwrap(), &scraper.messages()));
}

#[test]
fn an_answer_that_does_not_wait_for_the_request_is_read_though_sending_fails() {
    let lines = |taken: &str| taken.matches("line 0").count();
    early("HTTP/1.1 413 No\r\nContent-Length: 3\r\n\r\nbig", |taken, _| lines(taken) == 20_000);
    early("HTTP/1.1 401 No\r\nContent-Length: 3\r\n\r\nwho", |taken, said| {
        lines(taken) == 0 && said.contains("HTTP 401: who")
    });
}
