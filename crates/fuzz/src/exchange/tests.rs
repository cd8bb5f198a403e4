//! That the operations do what they say, and that the oracle sees what is wrong with a record.

use std::panic::catch_unwind;

use super::oracle::check;
use super::run;
use super::world::Record;

const GET: &str = "c0GET /one HTTP/1.1\r\nHost: a\r\n\r\n";
const OK: &str = "u0HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const PUT: &str = "c0PUT /one HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc";

fn record(operations: &[&str]) -> Record {
    run(operations.join("\x1e").as_bytes())
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn requests_go_to_an_upstream_and_its_answers_back() {
    let record = record(&["0", "C0", GET, OK, GET, OK]);
    assert_eq!(text(&record.clients[0].1).matches("\r\n\r\nok").count(), 2);
    assert_eq!(record.links.len(), 1);
    assert_eq!(text(&record.links[0]).matches("GET /one HTTP/1.1\r\n").count(), 2);
    assert_eq!(text(&record.lines), "1 1 200\n1 2 200\n");
}

#[test]
fn a_tunnel_passes_bytes_and_ends() {
    let upgrade = "c0GET /ws HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n";
    let switch =
        "u0HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nhi";
    for first in ["0", "0q"] {
        let record = record(&[first, "C0", upgrade, switch, "c0there", "e0", "u0bye"]);
        assert!(text(&record.clients[0].1).ends_with("\r\n\r\nhibye"));
        assert!(text(&record.links[0]).ends_with("there"));
        assert_eq!(text(&record.lines), "1 1 101\n");
    }
}

#[test]
fn doors_close_and_resets_break() {
    let status = |operations: &[&str]| text(&record(operations).lines);
    assert_eq!(status(&["0", "d1", "C0", GET]), "1 1 502\n");
    assert_eq!(status(&["0q", "d2", "C0", GET]), "1 1 504\n");
    assert_eq!(status(&["0", "d4", "C0", GET]), "1 1 503\n");
    assert_eq!(status(&["0", "C0", GET, "x0"]).lines().count(), 1);
    assert_eq!(status(&["0", "C0", GET, "r0", OK]), "1 1 499\n");
    assert_eq!(status(&["1q", "C0", "c0GET"]), "1 1 408\n");
}

#[test]
fn a_reload_moves_the_listeners() {
    let record = record(&["0", "C0", "l2", "C1", "c1GET /text HTTP/1.1\r\nHost: a\r\n\r\n"]);
    assert!(text(&record.clients[1].1).starts_with("HTTP/1.1 404 "));
}

/// A good record that is spoilt is seen to be.
fn check_spoilt(spoil: fn(&mut Record)) {
    let mut record = record(&["0", "C0", PUT, OK, GET, OK]);
    check(&record);
    spoil(&mut record);
    assert!(catch_unwind(|| check(&record)).is_err(), "not seen: {}", text(&record.links[0]));
}

fn replace(bytes: &mut Vec<u8>, from: &str, to: &str) {
    assert!(text(bytes).contains(from));
    *bytes = text(bytes).replacen(from, to, 1).into_bytes();
}

#[test]
fn the_oracle_sees_what_is_wrong() {
    check_spoilt(|record| record.lines.extend_from_slice(b"1 2 200\n"));
    check_spoilt(|record| record.lines.extend_from_slice(b"1 3 200\n"));
    check_spoilt(|record| record.lines.extend_from_slice(b"2 1 200\n"));
    check_spoilt(|record| record.lines.truncate("1 1 200\n".len()));
    check_spoilt(|record| replace(&mut record.links[0], "abc", "abd"));
    check_spoilt(|record| replace(&mut record.links[0], "Content-Length: 3", "Content-Length: 2"));
    check_spoilt(|record| replace(&mut record.links[0], "PUT", "POST"));
    check_spoilt(|record| replace(&mut record.links[0], "/one", "/on"));
    check_spoilt(|record| replace(&mut record.links[0], "1-2", "1-1"));
    check_spoilt(|record| replace(&mut record.links[0], "1-2", "1-3"));
    check_spoilt(|record| replace(&mut record.links[0], "Host: one", "Keep-Alive: 1"));
    check_spoilt(|record| record.links[0].extend_from_slice(b"\0"));
    check_spoilt(|record| record.clients[0].1.extend_from_slice(b"x"));
    check_spoilt(|record| {
        let again = record.clients[0].1.clone();
        record.clients[0].1.extend(again);
    });
    check_spoilt(|record| record.clients[0].0.clear());
}
