//! Files through the real program, where time and the system play a part: a slow client, a file that
//! changes, the end of the program.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on ends there")]

mod common;

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::TcpStream;

use common::{DEADLINE, Folder, Proxy, wait_until};
use rustix::process::Signal;

/// More than the system holds of a connection that is not read.
const LARGE: u64 = 64 << 20;

/// A proxy in front of a folder with one large file, of NULs.
fn serving(folder: &Folder) -> Proxy {
    File::create(folder.path().join("large")).unwrap().set_len(LARGE).unwrap();
    let root = folder.path().display();
    Proxy::start(&format!(
        "events {{}} http {{ log_format t '$status $request_completion.'; \
         access_log /dev/stdout t; server {{ listen 127.0.0.1:PORT; root {root}; }} }}"
    ))
}

/// A client that has asked for it, and has read the head.
fn asking(proxy: &Proxy) -> TcpStream {
    let mut client = TcpStream::connect(("127.0.0.1", proxy.port)).unwrap();
    client.set_read_timeout(Some(DEADLINE)).unwrap();
    client.write_all(b"GET /large HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        client.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    assert!(head.contains(&format!("Content-Length: {LARGE}\r\n")), "{head}");
    client
}

/// How many bytes still come until the connection ends.
fn rest(client: &mut TcpStream) -> u64 {
    let (mut buffer, mut sum) = (vec![0; 256 << 10], 0);
    loop {
        match client.read(&mut buffer) {
            Ok(0) | Err(_) => return sum,
            Ok(count) => sum += count as u64,
        }
    }
}

#[test]
fn a_large_file_takes_no_memory_however_slowly_it_is_read() {
    let folder = Folder::new();
    let proxy = serving(&folder);
    let before = proxy.resident_bytes();
    let mut clients: Vec<TcpStream> = (0..20).map(|_| asking(&proxy)).collect();
    // All of them wait now.
    assert!(proxy.get("/none").starts_with("HTTP/1.1 404 "));
    let grown = proxy.resident_bytes().saturating_sub(before);
    assert!(grown < 4 << 20, "{grown} bytes for 20 clients");
    for client in &mut clients[..2] {
        assert_eq!(rest(client), LARGE);
    }
}

#[test]
fn a_file_that_is_cut_under_way_ends_the_connection_short_and_is_not_told_as_whole() {
    let folder = Folder::new();
    let proxy = serving(&folder);
    let mut client = asking(&proxy);
    File::options().write(true).open(folder.path().join("large")).unwrap().set_len(1).unwrap();
    assert!(rest(&mut client) < LARGE);
    wait_until("it is logged", || proxy.stdout().contains("200 .\n"));
    // The one stream may be read before the other.
    wait_until("it is told", || proxy.stderr().contains("a file was cut while it was sent"));
    // What is there now is served.
    assert!(proxy.get("/large").ends_with("\r\n\r\n\0"));
}

#[test]
fn a_file_that_is_removed_or_replaced_under_way_comes_whole() {
    let folder = Folder::new();
    let proxy = serving(&folder);
    let mut client = asking(&proxy);
    fs::write(folder.path().join("new"), "new").unwrap();
    fs::rename(folder.path().join("new"), folder.path().join("large")).unwrap();
    assert!(proxy.get("/large").ends_with("\r\n\r\nnew"));
    fs::remove_file(folder.path().join("large")).unwrap();
    assert!(proxy.get("/large").starts_with("HTTP/1.1 404 "));
    assert_eq!(rest(&mut client), LARGE);
}

#[test]
fn a_file_under_way_is_sent_to_its_end_before_the_program_ends() {
    let folder = Folder::new();
    let mut proxy = serving(&folder);
    let mut client = asking(&proxy);
    proxy.signal(Signal::TERM);
    assert_eq!(rest(&mut client), LARGE);
    assert!(proxy.wait().success());
    assert_eq!(proxy.stdout(), "200 OK.\n");
}
