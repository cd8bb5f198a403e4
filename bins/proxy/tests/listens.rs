//! Reloads that add, remove and exchange addresses, against the running program.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends there")]

mod common;

use common::{Client, Proxy, wait_until};
use rustix::process::Signal;

/// A file that listens on each of these, and answers with its version.
fn file(listens: &[String], version: usize) -> String {
    let server =
        |at: &String| format!("server {{ listen {at}; return 200 \"v{version} at {at};\"; }}");
    let servers: String = listens.iter().map(server).collect();
    format!("events {{}} http {{ access_log off; {servers} }}")
}

fn ask(host: &str, port: u16) -> Option<String> {
    use std::io::{Read, Write};
    let mut stream = std::net::TcpStream::connect((host, port)).ok()?;
    stream.set_read_timeout(Some(std::time::Duration::from_secs(10))).unwrap();
    stream.write_all(b"GET / HTTP/1.0\r\nHost: a\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    answer.split("\r\n\r\n").nth(1).map(ToOwned::to_owned)
}

#[test]
fn every_address_of_the_file_answers_by_the_file_after_any_sequence_of_reloads() {
    let (a, b) = (common::free_port(), common::free_port());
    let one = |port: u16| format!("127.0.0.1:{port}");
    let all = |port: u16| format!("0.0.0.0:{port}");
    let six = |port: u16| format!("[::]:{port}");
    let sequence: Vec<Vec<String>> = vec![
        vec![one(a)],
        vec![one(b)],
        vec![one(a)],
        vec![one(a)],
        vec![one(b), one(a)],
        vec![all(a), one(b)],
        vec![one(a), all(b)],
        vec![all(a), one(a)],
        vec![one(a), six(a), all(b)],
        vec![all(b), all(a)],
        vec![one(b)],
        vec![all(b), six(b)],
        vec![one(b), one(a)],
    ];
    let conf = |version: usize| file(&sequence[version], version);
    let proxy = Proxy::start_with(
        &conf(0).replace(&one(a), "127.0.0.1:PORT"),
        &["--reload-interval=0", "--workers=2"],
    );
    for (version, listens) in sequence.iter().enumerate() {
        proxy.folder.write("nginx.conf", conf(version));
        proxy.signal(Signal::HUP);
        for at in listens {
            let host = if at.starts_with('[') { "::1" } else { "127.0.0.1" };
            let port = at.rsplit(':').next().unwrap().parse().unwrap();
            // A special address goes before the wildcard of its port.
            let special = one(port);
            let by = if host != "::1" && listens.contains(&special) { &special } else { at };
            let expected = format!("v{version} at {by};");
            wait_until(&format!("{at} answers {expected}"), || {
                ask(host, port).as_deref() == Some(&expected)
            });
        }
    }
    assert!(!proxy.stderr().contains("refused"), "{}", proxy.stderr());
}

#[test]
fn a_reload_that_cannot_listen_is_refused_as_a_whole() {
    let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = format!("127.0.0.1:{}", other.local_addr().unwrap().port());
    let first =
        "events {} http { access_log off; server { listen 127.0.0.1:PORT; return 200 old; } }";
    let proxy = Proxy::start_with(first, &["--reload-interval=0"]);
    let free = format!("127.0.0.1:{}", common::free_port());
    proxy.folder.write("nginx.conf", file(&[free.clone(), taken.clone()], 1));
    proxy.signal(Signal::HUP);
    wait_until("the refusal is said", || proxy.stderr().contains("another process listens there"));
    assert!(std::net::TcpStream::connect(&free).is_err(), "nothing of it is in force");
    assert!(proxy.get("/").ends_with("old"));
}

#[test]
fn a_kept_connection_to_an_address_that_goes_gets_its_answer_and_word_that_it_is_the_last() {
    let port = common::free_port();
    let both = format!(
        "events {{}} http {{ access_log off; server {{ listen 127.0.0.1:PORT; return 200 kept; }} \
         server {{ listen 127.0.0.1:{port}; return 200 gone; }} }}"
    );
    let proxy = Proxy::start_with(&both, &["--reload-interval=0"]);
    let mut client = Client::connect(port);
    let request = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    client.send(request);
    assert!(client.answer().contains("Connection: keep-alive"));
    let conf = std::fs::read_to_string(proxy.folder.path().join("nginx.conf")).unwrap();
    let start = conf.find("server {").unwrap();
    let end = conf[start + 1..].find("server {").unwrap() + start + 1;
    proxy.folder.write("nginx.conf", format!("{} }}", &conf[..end]));
    proxy.signal(Signal::HUP);
    wait_until("nobody listens there", || {
        std::net::TcpStream::connect(("127.0.0.1", port)).is_err()
    });
    client.send(request);
    let answer = client.answer();
    assert!(answer.ends_with("gone") && answer.contains("Connection: close"), "{answer}");
    assert!(client.is_closed());
}
