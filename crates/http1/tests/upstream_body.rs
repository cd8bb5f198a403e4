//! Odd framing of answers; see `upstream_head.rs`. nginx 1.22.1 takes a length or a coding that it
//! cannot read for none, and the last of several; from 1.23 on it answers 502 to most of these, as
//! we do: the end of the body would be a guess, and two readers guess two ends.

mod common;

use common::sent::{otherwise, refused_here, same, sent};
use http1::{BodyLength, Parsed, Reject, ResponseHead, parse_response};

const CHUNKS: &str = "2\r\nok\r\n0\r\n\r\n";

/// An answer with these fields.
fn answer(fields: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\n{fields}\r\n\r\n{body}").into_bytes()
}

const OK: &str = "HTTP/1.1 200 OK | ok";

#[test]
fn lengths_that_are_a_number() {
    for length in ["2", " 2", "  2  ", " 02", " 0000000000000000000000002"] {
        same(&answer(&format!("Content-Length:{length}"), "ok"), OK);
    }
    same(&answer("Content-Length: 1", "ok"), "HTTP/1.1 200 OK | o");
    same(&answer("Content-Length: 0", "ok"), "HTTP/1.1 200 OK | ");
    same(&answer("Content-Length: 3", "ok"), "HTTP/1.1 200 OK | ok...");
    same(&answer("Content-Length: 9223372036854775806", "ok"), "HTTP/1.1 200 OK | ok...");
    same(&answer("Content_Length: 1", "ok"), "HTTP/1.1 200 OK | Content_Length: 1 | ok");
    // To nginx a tab makes it no number.
    otherwise(&answer("Content-Length:\t2", "ok\n"), OK, "HTTP/1.1 200 OK | ok\n");
    otherwise(&answer("Content-Length: 2\t", "ok\n"), OK, "HTTP/1.1 200 OK | ok\n");
}

#[test]
fn lengths_that_are_no_number() {
    for length in [
        "+2", "-2", "2x", "x2", "2, 2", "2,2", "2 2", "0x2", "2.0", "2;", "\"2\"", "", "\u{662}",
        "2\x01", "2\x0b", "\x0b2",
    ] {
        let wire = answer(&format!("Content-Length: {length}"), "ok");
        refused_here(&wire, Reject::LengthMalformed, "as until close");
        assert_eq!(sent(&wire, true), Err(Reject::LengthMalformed));
    }
    refused_here(&answer("Content-Length", "ok"), Reject::LengthMalformed, "as until close");
    for length in ["9223372036854775808", "18446744073709551618", "99999999999999999999999"] {
        let wire = answer(&format!("Content-Length: {length}"), "ok");
        refused_here(&wire, Reject::LengthTooLarge, "as until close");
    }
    // One less is the bound here.
    let wire = answer("Content-Length: 9223372036854775807", "ok");
    refused_here(&wire, Reject::LengthTooLarge, "HTTP/1.1 200 OK | ok...");
}

#[test]
fn lengths_given_twice() {
    let twice = |one, other| {
        answer(&format!("Content-Length: {one}\r\nX: y\r\nContent-Length: {other}"), "ok")
    };
    same(&twice("2", "2"), "HTTP/1.1 200 OK | X: y | ok");
    same(&twice("2", "02"), "HTTP/1.1 200 OK | X: y | ok");
    same(&answer("Content-Length: 2\r\nContent-Length: 2\r\nContent-Length: 2", "ok"), OK);
    refused_here(&twice("2", "3"), Reject::LengthConflicting, "X: y | ok...");
    refused_here(&twice("3", "2"), Reject::LengthConflicting, "X: y | ok");
    refused_here(&twice("2", "x"), Reject::LengthMalformed, "as until close");
    refused_here(&twice("x", "2"), Reject::LengthMalformed, "X: y | ok");
    refused_here(&twice("2", ""), Reject::LengthMalformed, "as until close");
}

#[test]
fn codings_that_are_chunked() {
    for coding in [" chunked", "chunked", " CHUNKED", " Chunked ", "\tchunked", " chunked\t"] {
        same(&answer(&format!("Transfer-Encoding:{coding}"), CHUNKS), OK);
    }
    // Said twice by an application and the framework around it; it cannot be applied twice
    // (RFC 9112 §6.1).
    same(&answer("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", CHUNKS), OK);
    same(
        &answer("Transfer_Encoding: chunked", "ok"),
        "HTTP/1.1 200 OK | Transfer_Encoding: chunked | ok",
    );
    let wire = b"HTTP/1.2 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n";
    same(wire, OK);
}

#[test]
fn chunks_in_http10_are_read_and_then_the_connection_is_not_trusted() {
    for connection in ["", "Connection: keep-alive\r\n"] {
        let fields = format!("{connection}Transfer-Encoding: chunked\r\n{connection}");
        let wire = format!("HTTP/1.0 200 OK\r\n{fields}\r\n{CHUNKS}");
        same(wire.as_bytes(), OK);
        let mut head = ResponseHead::new();
        let parsed = parse_response(wire.as_bytes(), 1_000, false, &mut head);
        assert!(matches!(parsed, Parsed::Done { .. }));
        assert_eq!((head.body, head.persistent()), (BodyLength::Chunked, false));
    }
    let wire = b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nok";
    same(wire, "HTTP/1.1 200 OK | chunk_size_malformed");
}

#[test]
fn codings_that_are_not_exactly_chunked() {
    // nginx takes what has `chunked` in it for that, and all else for no coding.
    for coding in [
        "identity",
        "gzip",
        "deflate",
        "compress",
        "gzip, chunked",
        "chunked, gzip",
        "chunked, chunked",
        "chunked,",
        ",chunked",
        "chunked;q=1",
        "\"chunked\"",
        "xchunked",
        "chunkedx",
        "chun ked",
        "",
        "chunked\x01",
        "\x0bchunked",
        "chunked\u{a0}",
    ] {
        let wire = answer(&format!("Transfer-Encoding: {coding}"), CHUNKS);
        refused_here(&wire, Reject::TransferEncodingUnsupported, "either");
        assert_eq!(sent(&wire, true), Err(Reject::TransferEncodingUnsupported));
    }
    for fields in [
        "Transfer-Encoding",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
        "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: gzip",
        "Content-Length: 2\r\nTransfer-Encoding: identity",
    ] {
        refused_here(&answer(fields, CHUNKS), Reject::TransferEncodingUnsupported, "either");
    }
}

#[test]
fn a_length_together_with_a_coding() {
    // RFC 9112 §6.3: ought to be handled as an error. nginx believes the chunks.
    for length in ["2", "12", "999"] {
        for fields in [
            format!("Transfer-Encoding: chunked\r\nContent-Length: {length}"),
            format!("Content-Length: {length}\r\nTransfer-Encoding: chunked"),
        ] {
            refused_here(&answer(&fields, CHUNKS), Reject::LengthAndChunked, OK);
            assert_eq!(sent(&answer(&fields, ""), true), Err(Reject::LengthAndChunked));
        }
    }
    let wire = answer("Transfer-Encoding: chunked\r\nContent-Length: x", CHUNKS);
    refused_here(&wire, Reject::LengthMalformed, OK);
}

#[test]
fn chunks_that_nginx_takes_too() {
    let check = |chunks: &str, expected: &str| {
        let wire = answer("Transfer-Encoding: chunked", chunks);
        same(&wire, &format!("HTTP/1.1 200 OK | {expected}"));
    };
    check("2 \r\nok\r\n0\r\n\r\n", "ok");
    check("2\t\r\nok\r\n0\r\n\r\n", "ok");
    check("2;a=b\r\nok\r\n0\r\n\r\n", "ok");
    check("02\r\nok\r\n0\r\n\r\n", "ok");
    check("2\r\nok\r\n0\r\nX: y\r\n\r\n", "ok");
    check("2\r\nok\r\n0\r\n\r\nHTTP/1.1 500 x\r\n\r\n", "ok");
    check("2\r\nok\r\n0\r\n", "ok...");
    check("2\r\nok\r\n", "ok...");
    // Both give up, and the client sees that it is not all.
    check("0x2\r\nok\r\n0\r\n\r\n", "chunk_size_malformed");
    check(" 2\r\nok\r\n0\r\n\r\n", "chunk_size_malformed");
    check("-2\r\nok\r\n0\r\n\r\n", "chunk_size_malformed");
    check("g\r\n", "chunk_size_malformed");
    check("\r\n2\r\nok\r\n0\r\n\r\n", "chunk_size_malformed");
    check("2\rok\r\n0\r\n\r\n", "bare_carriage_return");
    check("2\r\nokx\r\n0\r\n\r\n", "okchunk_end_missing");
    check("2\r\nok0\r\n\r\n", "okchunk_end_missing");
    check("FFFFFFFFFFFFFFFFF\r\nok", "chunk_size_too_large");
}

#[test]
fn chunks_that_nginx_takes_and_we_do_not() {
    // Where a chunk ends is where the next message begins: no two ways to write it.
    let check = |chunks: &str, expected: &str| {
        let wire = answer("Transfer-Encoding: chunked", chunks);
        otherwise(&wire, &format!("HTTP/1.1 200 OK | {expected}"), OK);
    };
    check("2\nok\n0\n\n", "bare_line_feed");
    check("2\nok\r\n0\r\n\r\n", "bare_line_feed");
    check("2\r\nok\n0\r\n\r\n", "okchunk_end_missing");
    check("2\r\nok\r\n0\r\n garbage\r\n\r\n", "oktrailer_malformed");
}

#[test]
fn answers_that_have_no_body_whatever_they_say() {
    for status in ["204 No Content", "304 Not Modified"] {
        for fields in ["", "Content-Length: 2\r\n", "Transfer-Encoding: chunked\r\n"] {
            let wire = format!("HTTP/1.1 {status}\r\n{fields}\r\n");
            same(wire.as_bytes(), &format!("HTTP/1.1 {status} | "));
        }
    }
    for status in ["100 Continue", "102 Processing", "103 Early Hints", "199 x"] {
        same(format!("HTTP/1.1 {status}\r\n\r\n").as_bytes(), &format!("HTTP/1.1 {status} | "));
        // RFC 9110 §15.2: nginx takes it for the answer, and what follows for its body.
        let wire = format!("HTTP/1.1 {status}\r\nContent-Length: 2\r\n\r\nok");
        let nginx = format!("HTTP/1.1 {status} | ok");
        otherwise(wire.as_bytes(), &format!("HTTP/1.1 {status} | "), &nginx);
    }
    same(b"HTTP/1.1 205 Reset\r\nContent-Length: 2\r\n\r\nok", "HTTP/1.1 205 Reset | ok");
    let to_head = |fields: &str| sent(&answer(fields, ""), true);
    assert_eq!(to_head("Content-Length: 2").as_deref(), Ok("HTTP/1.1 200 OK | "));
    assert_eq!(to_head("Transfer-Encoding: chunked").as_deref(), Ok("HTTP/1.1 200 OK | "));
    assert_eq!(
        to_head("Content-Length: 2\r\nContent-Length: 2").as_deref(),
        Ok("HTTP/1.1 200 OK | ")
    );
}

#[test]
fn heads_that_are_not_complete_ask_for_more() {
    for wire in ["", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\nContent-Le", "HTTP/1.", "HTTP/1.1 "]
    {
        assert_eq!(sent(wire.as_bytes(), false).as_deref(), Ok("..."), "{wire:?}");
    }
}
