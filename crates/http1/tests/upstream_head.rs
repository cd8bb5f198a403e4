//! Odd heads of answers. Each was sent to nginx 1.22.1 by an upstream, and what it made of it was
//! looked at: `same` and `refused` are as there. What it takes and we do not, or otherwise, stands
//! with the reason; `raw` means that it took the bytes for HTTP/0.9 and sent them on without a
//! head of its own, which no client of today understands and which lets an application write
//! whole answers past the proxy.

mod common;

use common::sent::{otherwise, refused, refused_here, same};
use http1::Reject;

/// As the status line of a good answer.
fn line(line: &[u8]) -> Vec<u8> {
    [line, b"\r\nContent-Length: 2\r\n\r\nok"].concat()
}

/// In the fields of a good answer.
fn fields(fields: &[u8]) -> Vec<u8> {
    [b"HTTP/1.1 200 OK\r\n", fields, b"\r\nContent-Length: 2\r\n\r\nok"].concat()
}

/// A head with this field is read by nginx as by us: with that one.
fn same_field(field: &[u8], expected: &str) {
    same(&fields(field), &format!("HTTP/1.1 200 OK | {expected} | ok"));
}

#[test]
fn status_lines_with_any_minor_version_and_many_spaces() {
    for version in [
        "1.0", "1.1", "1.2", "1.9", "1.10", "1.11", "1.99", "1.100", "1.999", "1.00", "1.01",
        "1.0001",
    ] {
        same(&line(format!("HTTP/{version} 200 OK").as_bytes()), "HTTP/1.1 200 OK | ok");
    }
    same(&line(b"HTTP/1.1  200 OK"), "HTTP/1.1 200 OK | ok");
    same(&line(b"HTTP/1.1   200   OK"), "HTTP/1.1 200   OK | ok");
    same(&line(b"HTTP/1.1 200  OK"), "HTTP/1.1 200  OK | ok");
    same(&line(b"HTTP/1.1 200 OK "), "HTTP/1.1 200 OK  | ok");
    same(&line(b"HTTP/1.1 200 "), "HTTP/1.1 200  | ok");
    same(&line(b"HTTP/1.1 200  "), "HTTP/1.1 200   | ok");
    same(&line(b"HTTP/1.1 299 OK"), "HTTP/1.1 299 OK | ok");
    same(&line(b"HTTP/1.1 600 OK"), "HTTP/1.1 600 OK | ok");
    same(&line(b"HTTP/1.1 999 OK"), "HTTP/1.1 999 OK | ok");
    // RFC 9112 §4: the space is due, so it is written.
    otherwise(&line(b"HTTP/1.1 200"), "HTTP/1.1 200  | ok", "HTTP/1.1 200 | ok");
}

#[test]
fn reasons_with_any_byte_that_does_not_end_the_line() {
    same(&line(b"HTTP/1.1 200 \tOK"), "HTTP/1.1 200 \tOK | ok");
    for byte in [0x01, 0x08, 0x0b, 0x0c, 0x1b, 0x1f, 0x7f, 0x80, 0xff] {
        let reason = [b'O', byte, b'K'];
        let told: String = reason.iter().map(|&byte| char::from(byte)).collect();
        let wire = line(&[b"HTTP/1.1 200 ", &reason[..]].concat());
        same(&wire, &format!("HTTP/1.1 200 {told} | ok"));
    }
    let long = "x".repeat(9_000);
    same(&line(format!("HTTP/1.1 200 {long}").as_bytes()), &format!("HTTP/1.1 200 {long} | ok"));
    // It ends the string for many readers of a log or a header.
    refused_here(&line(b"HTTP/1.1 200 O\0K"), Reject::ReasonMalformed, "HTTP/1.1 200 O\0K | ok");
}

#[test]
fn status_lines_that_nginx_takes_for_http09() {
    let check = |text: &str, expected| refused_here(&line(text.as_bytes()), expected, "raw");
    for text in [
        "HTTP/1.1000 200 OK",
        "HTTP/01.1 200 OK",
        "HTTP/0.9 200 OK",
        "HTTP/1. 200 OK",
        "HTTP/1 200 OK",
        "HTTP/.1 200 OK",
        "HTTP/1.x 200 OK",
        "HTTP/1.1x 200 OK",
        "http/1.1 200 OK",
        "Http/1.1 200 OK",
        "HTTP 200 OK",
        "HTTP/1.1\t200 OK",
        " HTTP/1.1 200 OK",
        "HTTP /1.1 200 OK",
        "HTTPS/1.1 200 OK",
        "ICY 200 OK",
        "",
        "\r\nHTTP/1.1 200 OK",
        "\nHTTP/1.1 200 OK",
        "Content-Type: text/plain",
        "hello",
        "<html>",
        "\x16\x03\x01",
    ] {
        check(text, Reject::VersionMalformed);
    }
    check("HTTP/2 200 OK", Reject::VersionUnsupported);
    for text in [
        "HTTP/1.1",
        "HTTP/1.1 ",
        "HTTP/1.1 20 OK",
        "HTTP/1.1 2 OK",
        "HTTP/1.1 2000 OK",
        "HTTP/1.1 200OK",
        "HTTP/1.1 20x OK",
        "HTTP/1.1 -200 OK",
        "HTTP/1.1 +200 OK",
        "HTTP/1.1 0200 OK",
        "HTTP/1.1 200\tOK",
    ] {
        check(text, Reject::StatusMalformed);
    }
    for text in ["HTTP/1.1 200 O\rK", "HTTP/1.1 200 OK\r", "HTTP/1.1 200\r"] {
        check(text, Reject::BareCarriageReturn);
    }
    refused_here(b"hello world", Reject::VersionMalformed, "raw");
}

#[test]
fn status_lines_that_nginx_takes_and_we_do_not() {
    let check = |text: &str, expected, nginx| refused_here(&line(text.as_bytes()), expected, nginx);
    // RFC 9110 §2.5 lets a later minor version be read as ours, no other major one: its framing
    // is another.
    for text in ["HTTP/2.0 200 OK", "HTTP/3.0 200 OK", "HTTP/9.9 200 OK", "HTTP/99.1 200 OK"] {
        check(text, Reject::VersionUnsupported, "HTTP/1.1 200 OK | ok");
    }
    for text in ["HTTP/10.1 200 OK", "HTTP/100.1 200 OK"] {
        check(text, Reject::VersionMalformed, "HTTP/1.1 200 OK | ok");
    }
    // RFC 9110 §15: a status has a class, and there is none below 100.
    check("HTTP/1.1 000 OK", Reject::StatusMalformed, "HTTP/1.1 000 OK | ok");
    check("HTTP/1.1 001 OK", Reject::StatusMalformed, "HTTP/1.1 001 OK | ok");
    check("HTTP/1.1 099 OK", Reject::StatusMalformed, "HTTP/1.1 099 OK | ok");
    // A sub-status, as a server of 1997 sent it: no client takes that.
    check("HTTP/1.1 403.1 Forbidden", Reject::StatusMalformed, "HTTP/1.1 403.1 Forbidden | ok");
    check("HTTP/1.1 200.", Reject::StatusMalformed, "HTTP/1.1 200. | ok");
}

#[test]
fn lines_that_end_with_a_line_feed_alone() {
    let head = "HTTP/1.1 200 OK | ";
    let check = |wire: &[u8], expected: &str| same(wire, &format!("{head}{expected}"));
    check(b"HTTP/1.1 200 OK\nContent-Length: 2\nX: y\n\nok", "X: y | ok");
    check(b"HTTP/1.1 200 OK\n\nok", "ok");
    check(b"HTTP/1.1 200 OK\nX: y\r\nContent-Length: 2\r\n\r\nok", "X: y | ok");
    check(b"HTTP/1.1 200 OK\r\nX: y\nY: z\r\nContent-Length: 2\r\n\r\nok", "X: y | Y: z | ok");
    check(b"HTTP/1.1 200 OK\r\nX:\nY: \nZ: z\nContent-Length: 2\n\nok", "X:  | Y:  | Z: z | ok");
    check(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\nok", "ok");
    check(b"HTTP/1.1 200 OK\nContent-Length: 2\n\r\nok", "ok");
    check(b"HTTP/1.1 200 OK\r\nContent-Length: 2\n\r\n\rok", "\ro");
    check(b"HTTP/1.1 200 OK\r\njunk\nContent-Length: 2\n\nok", "junk:  | ok");
    check(b"HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n2\r\nok\r\n0\r\n\r\n", "ok");
    same(b"HTTP/1.1 200 \nContent-Length: 2\n\nok", "HTTP/1.1 200  | ok");
    otherwise(b"HTTP/1.1 200\nContent-Length: 2\n\nok", "HTTP/1.1 200  | ok", "HTTP/1.1 200 | ok");
    refused(b"HTTP/1.1 200 OK\nX: y\n z\nContent-Length: 2\n\nok", Reject::ObsFold);
}

#[test]
fn carriage_returns_that_do_not_belong() {
    let check = same_field;
    check(b"X: a\r", "X: a");
    check(b"X: a\r\r", "X: a");
    check(b"X: \r", "X: ");
    check(b"X\r", "X: ");
    let nginx = "HTTP/1.1 200 OK | X: a \t | ok";
    otherwise(&fields(b"X: a \t\r"), "HTTP/1.1 200 OK | X: a | ok", nginx);
    for field in [&b"X: a\rb"[..], b"X: a\r b", b"X\r: 1", b"X: a\r\rb"] {
        refused(&fields(field), Reject::BareCarriageReturn);
    }
    refused(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\r\nok", Reject::BareCarriageReturn);
    refused_here(
        b"HTTP/1.1 200 OK\r\r\nContent-Length: 2\r\r\n\r\r\nok",
        Reject::BareCarriageReturn,
        "raw",
    );
}

#[test]
fn names_of_any_visible_bytes() {
    for name in [
        "X", "X_y", "_", "-", "X.y", "X@y", "(x)", "X-A[0]", "{x}", "\"x\"", "x,y", "x;y", "x/y",
        "x?", "x\\y", "x=y", "x<y>", "x#", "Xttp/1.1",
    ] {
        let wire = fields(format!("{name}: 1").as_bytes());
        same(&wire, &format!("HTTP/1.1 200 OK | {name}: 1 | ok"));
    }
    same(&fields(b"x\x80: 1"), "HTTP/1.1 200 OK | x\u{80}: 1 | ok");
    let long = "y".repeat(9_000);
    let wire = fields(format!("{long}: 1").as_bytes());
    same(&wire, &format!("HTTP/1.1 200 OK | {long}: 1 | ok"));
    // nginx loses a field whose name has no letter, digit, hyphen or underscore at all: its hash
    // is 0, which there means that the field was deleted.
    for (name, told) in [(&b"\xc3\xbc"[..], "\u{c3}\u{bc}"), (b"\xff", "\u{ff}")] {
        let wire = fields(&[name, b": 1"].concat());
        let expected = format!("HTTP/1.1 200 OK | {told}: 1 | ok");
        otherwise(&wire, &expected, "HTTP/1.1 200 OK | ok");
    }
}

#[test]
fn names_with_white_space_or_control_bytes_or_none() {
    for field in [
        &b"X : 1"[..],
        b"X\t: 1",
        b": 1",
        b":",
        b"X\x01: 1",
        b"X\x7f: 1",
        b"X\0: 1",
        b"X\x0b: 1",
        b"X y: 1",
        b"\x01: 1",
        b"\0",
        b"two words",
        b"Content-Length : 2",
        b"http/1.1 200 OK",
    ] {
        refused(&fields(field), Reject::FieldNameMalformed);
    }
    for field in [&b" X: 1"[..], b"\tX: 1", b"X: a\r\n b", b"X: a\r\n\tb", b"X: a\r\n  "] {
        refused(&fields(field), Reject::ObsFold);
    }
}

#[test]
fn lines_without_a_colon_are_names_without_a_value() {
    same(&fields(b"X"), "HTTP/1.1 200 OK | X:  | ok");
    same(&fields(b"garbage"), "HTTP/1.1 200 OK | garbage:  | ok");
}

#[test]
fn a_second_status_line_among_the_fields() {
    // nginx drops a line that begins with `HTTP/`, for an old server that sent its status line
    // twice. It is two answers in one as well, so it is none here.
    for field in ["HTTP/1.1 200 OK", "HTTP/1.1 500 Again: x"] {
        let wire = fields(field.as_bytes());
        refused_here(&wire, Reject::FieldNameMalformed, "HTTP/1.1 200 OK | ok");
    }
    // These are fields like others.
    let nginx = "HTTP/1.1 200 OK | ok";
    otherwise(&fields(b"HTTP/1.1"), "HTTP/1.1 200 OK | HTTP/1.1:  | ok", nginx);
    otherwise(&fields(b"HTTP/: x"), "HTTP/1.1 200 OK | HTTP/: x | ok", nginx);
}

#[test]
fn values_with_any_byte_that_does_not_end_the_line() {
    let check = same_field;
    check(b"X:1", "X: 1");
    check(b"X:  1  ", "X: 1");
    check(b"X:", "X: ");
    check(b"X: ", "X: ");
    check(b"X: a\tb", "X: a\tb");
    check(b"X: \x01", "X: \u{1}");
    for byte in (1..=8).chain([0x0b, 0x0c, 0x0e, 0x1b, 0x1f, 0x7f, 0x80, 0x85, 0xff]) {
        check(&[b'X', b':', b' ', b'a', byte, b'b'], &format!("X: a{}b", char::from(byte)));
    }
    check("X: ü".as_bytes(), "X: \u{c3}\u{bc}");
    let long = "y".repeat(40_000);
    check(format!("X: {long}").as_bytes(), &format!("X: {long}"));
    for field in [&b"X: a\0b"[..], b"X: \0", b"X:\0"] {
        refused(&fields(field), Reject::FieldValueMalformed);
    }
    // RFC 9110 §5.5: tabs around a value are no part of it.
    let expected = "HTTP/1.1 200 OK | X: 1 | ok";
    otherwise(&fields(b"X:\t1\t"), expected, "HTTP/1.1 200 OK | X: \t1\t | ok");
    otherwise(&fields(b"X: \t 1 \t "), expected, "HTTP/1.1 200 OK | X: \t 1 \t | ok");
}

#[test]
fn many_fields_and_repeated_ones() {
    for count in [300, 3_000] {
        let many: Vec<String> = (0..count).map(|number| format!("a{number}: 1")).collect();
        let wire = fields(many.join("\r\n").as_bytes());
        same(&wire, &format!("HTTP/1.1 200 OK | {} | ok", many.join(" | ")));
    }
    let wire = fields(b"Location: /a\r\nLocation: /b");
    same(&wire, "HTTP/1.1 200 OK | Location: /a | Location: /b | ok");
}

#[test]
fn fields_of_the_connection() {
    let expected = "HTTP/1.1 200 OK | ok";
    for field in ["Connection: a,b,c", "Connection: close\x01", "Connection: ü", "Keep-Alive: 5"] {
        same(&fields(field.as_bytes()), expected);
    }
    // RFC 9110 §7.6.1: not ours to pass on, nor what Connection names.
    for (field, name) in [
        ("Connection: X-One\r\nX-One: 1", "X-One: 1"),
        ("TE: x", "TE: x"),
        ("Trailer: y", "Trailer: y"),
        ("Upgrade: h2", "Upgrade: h2"),
        ("Proxy-Connection: z", "Proxy-Connection: z"),
        ("HTTP2-Settings: q", "HTTP2-Settings: q"),
    ] {
        let nginx = format!("HTTP/1.1 200 OK | {name} | ok");
        otherwise(&fields(field.as_bytes()), expected, &nginx);
    }
}
