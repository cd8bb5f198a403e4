//! Messages that are rejected. Each case is the bytes up to the one at which the rejection is
//! due, then bytes that must not change it; each is fed in every cut.

mod common;

use common::Side::{self, Requests, Responses, ResponsesToHead};
use common::check_reject;
use http1::Reject;

/// What could follow to make it look well.
const REST: &[u8] = b"\r\nHost: a\r\nContent-Length: 1\r\n\r\nxGET / HTTP/1.1\r\nHost: a\r\n\r\n";

fn check(side: Side, upto: &[u8], expected: Reject) {
    check_reject(side, upto, REST, expected);
}

/// In the fields of a request that has its Host.
fn check_field(fields: &[u8], expected: Reject) {
    check(Requests, &[b"POST / HTTP/1.1\r\nHost: a\r\n", fields].concat(), expected);
}

/// In the body of a chunked message, from either side.
fn check_chunks(chunks: &[u8], expected: Reject) {
    let request = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    check(Requests, &[request, chunks].concat(), expected);
    let response = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    check(Responses, &[response, chunks].concat(), expected);
}

#[test]
fn methods_of_other_bytes() {
    check(Requests, b"g", Reject::MethodMalformed);
    check(Requests, b"GEt", Reject::MethodMalformed);
    check(Requests, b" ", Reject::MethodMalformed);
    check(Requests, b"G\0", Reject::MethodMalformed);
    check(Requests, b"GET\t", Reject::MethodMalformed);
    check(Requests, b"\x80", Reject::MethodMalformed);
    check(Requests, b"\x16", Reject::MethodMalformed);
    check(Requests, b"GET\r", Reject::MethodMalformed);
    check(Requests, b"{", Reject::MethodMalformed);
}

#[test]
fn carriage_returns_before_a_request_that_end_no_line() {
    check_reject(Requests, b"\rG", b"ET / HTTP/1.1\r\n", Reject::BareCarriageReturn);
    check_reject(Requests, b"\r\r", b"\nGET / HTTP/1.1\r\n", Reject::BareCarriageReturn);
    check_reject(Requests, b"\r\n\n\rG", b"ET / HTTP/1.1\r\n", Reject::BareCarriageReturn);
    check(Requests, b"\r\n ", Reject::MethodMalformed);
}

#[test]
fn targets_with_spaces_or_control_bytes() {
    check(Requests, b"GET  ", Reject::TargetMalformed);
    check(Requests, b"GET \t", Reject::TargetMalformed);
    check(Requests, b"GET /\0", Reject::TargetMalformed);
    check(Requests, b"GET /\x1f", Reject::TargetMalformed);
    check(Requests, b"GET /\x7f", Reject::TargetMalformed);
    check(Requests, b"GET /a\t", Reject::TargetMalformed);
    check(Requests, b"GET /a b", Reject::VersionMalformed);
}

#[test]
fn versions_that_are_none_or_not_ours() {
    check(Requests, b"GET /\r", Reject::VersionMalformed);
    check(Requests, b"GET / \r", Reject::VersionMalformed);
    check(Requests, b"GET / h", Reject::VersionMalformed);
    check(Requests, b"GET / HTTP/0", Reject::VersionMalformed);
    check(Requests, b"GET / HTTP/1\r", Reject::VersionMalformed);
    check(Requests, b"GET / HTTP/1.x", Reject::VersionMalformed);
    check(Requests, b"GET / HTTP/1.1 ", Reject::VersionMalformed);
    check(Requests, b"GET / HTTP/1.10", Reject::VersionMalformed);
    check(Requests, b"GET / HTTP/+", Reject::VersionMalformed);
    check(Requests, b"GET / HTTP/2", Reject::VersionUnsupported);
    check(Requests, b"GET / HTTP/9", Reject::VersionUnsupported);
    check_reject(Requests, b"GET / HTTP/1.1\rH", b"ost: a", Reject::BareCarriageReturn);
    check(Responses, b"HTTP/2", Reject::VersionUnsupported);
}

#[test]
fn the_preface_of_http2_has_its_own_name() {
    check_reject(Requests, b"PRI * HTTP/2", b".0\r\n\r\nSM\r\n\r\n", Reject::Http2Preface);
}

#[test]
fn lines_that_end_with_a_line_feed_alone() {
    check(Requests, b"GET / HTTP/1.1\n", Reject::BareLineFeed);
    check(Requests, b"GET / HTTP/1.1\r\nHost: a\n", Reject::BareLineFeed);
    check(Requests, b"GET / HTTP/1.1\r\nHost: a\r\n\n", Reject::BareLineFeed);
    check_field(b"X: a\n", Reject::BareLineFeed);
    check_field(b"X:\n", Reject::BareLineFeed);
}

#[test]
fn carriage_returns_that_end_no_line() {
    check_reject(
        Requests,
        b"POST / HTTP/1.1\r\nHost: a\r\nX: a\rT",
        b"ransfer-Encoding: chunked\r\n\r\n",
        Reject::BareCarriageReturn,
    );
    check_reject(
        Requests,
        b"GET / HTTP/1.1\r\nHost: a\r\n\rX",
        b": a\r\n\r\n",
        Reject::BareCarriageReturn,
    );
    check_field(b"X: a\r\r", Reject::BareCarriageReturn);
    check_field(b"X:\rY", Reject::BareCarriageReturn);
    check_reject(Responses, b"HTTP/1.1 200 O\rK", b"\r\n\r\n", Reject::BareCarriageReturn);
}

#[test]
fn names_of_fields_with_white_space_or_control_bytes_or_none() {
    check_field(b":", Reject::FieldNameMalformed);
    check_field(b"Content-Length ", Reject::FieldNameMalformed);
    check_field(b"Transfer-Encoding\t", Reject::FieldNameMalformed);
    check_field(b"X@ ", Reject::FieldNameMalformed);
    check_field(b"X\0", Reject::FieldNameMalformed);
    check_field(b"X\x0b", Reject::FieldNameMalformed);
    check_field(b"X\x7f", Reject::FieldNameMalformed);
    check_field(b"\xc3\x01", Reject::FieldNameMalformed);
    check_field(b"NoColon\r", Reject::FieldNameMalformed);
    check_field(b"NoColon\n", Reject::FieldNameMalformed);
    check_field(b"\0", Reject::FieldNameMalformed);
    check_field(b"\x1f", Reject::FieldNameMalformed);
}

#[test]
fn values_of_fields_with_control_bytes() {
    check_field(b"X: a\0", Reject::FieldValueMalformed);
    check_field(b"X: \x01", Reject::FieldValueMalformed);
    check_field(b"X: a\x7f", Reject::FieldValueMalformed);
    check_field(b"X:\x1b", Reject::FieldValueMalformed);
    check_field(b"X: a\x0bb"[..5].as_ref(), Reject::FieldValueMalformed);
}

#[test]
fn folded_lines() {
    check_field(b" ", Reject::ObsFold);
    check_field(b"X: a\r\n ", Reject::ObsFold);
    check_field(b"Transfer-Encoding: chunked\r\n\t", Reject::ObsFold);
    check(Requests, b"GET / HTTP/1.1\r\n ", Reject::ObsFold);
    check(Responses, b"HTTP/1.1 200 OK\r\nX: a\r\n ", Reject::ObsFold);
}

#[test]
fn fields_that_a_request_has_once() {
    for name in [
        "Authorization",
        "Content-Range",
        "Expect",
        "If-Match",
        "If-Modified-Since",
        "If-None-Match",
        "If-Range",
        "If-Unmodified-Since",
    ] {
        let twice = format!("{name}: a\r\nX: y\r\n{}: b\r\n", name.to_uppercase());
        check_field(twice.as_bytes(), Reject::FieldRepeated);
    }
}

#[test]
fn tabs_around_values_that_say_where_a_message_ends_or_whom_it_is_for() {
    for (around, expected) in [
        ("Content-Length:{}1{}\r\n", Reject::LengthMalformed),
        ("Transfer-Encoding:{}chunked{}\r\n", Reject::TransferEncodingUnsupported),
    ] {
        for (before, after) in [("\t", ""), (" \t ", ""), ("", "\t"), (" ", " \t ")] {
            let field = around.replacen("{}", before, 1).replacen("{}", after, 1);
            check_field(field.as_bytes(), expected);
        }
    }
    check(Requests, b"GET / HTTP/1.1\r\nHost:\ta\r\n", Reject::HostMalformed);
    check(Requests, b"GET / HTTP/1.1\r\nHost: a\t\r\n", Reject::HostMalformed);
}

#[test]
fn hosts_that_are_missing_repeated_or_malformed() {
    check(Requests, b"GET / HTTP/1.1\r\n\r\n", Reject::HostMissing);
    check(Requests, b"GET http://a/ HTTP/1.1\r\n\r\n", Reject::HostMissing);
    check(Requests, b"GET / HTTP/1.1\r\nH-ost: a\r\n\r\n", Reject::HostMissing);
    check_field(b"Host: b\r\n", Reject::HostRepeated);
    check_field(b"hOST: a\r\n", Reject::HostRepeated);
    check(Requests, b"GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n", Reject::HostRepeated);
    for host in ["", "a b", "a/b", "a@b", "a:b", "a:99999", "a..b", ":80", "a,b c", "[::1", "a\tb"]
    {
        let wire = format!("GET / HTTP/1.1\r\nHost: {host}\r\n");
        check(Requests, wire.as_bytes(), Reject::HostMalformed);
        let wire = format!("GET / HTTP/1.0\r\nHost: {host}\r\n");
        check(Requests, wire.as_bytes(), Reject::HostMalformed);
    }
}

#[test]
fn lengths_that_are_no_number() {
    let bad = [
        "", "+3", "-3", "3x", "x3", "3, 4", "3, 3", "3,3", "3 3", "0x3", "3.0", "3;", "\"3\"",
        "\u{663}",
    ];
    for length in bad {
        check_field(format!("Content-Length: {length}\r\n").as_bytes(), Reject::LengthMalformed);
        let wire = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n");
        check(Responses, wire.as_bytes(), Reject::LengthMalformed);
        check(ResponsesToHead, wire.as_bytes(), Reject::LengthMalformed);
    }
}

#[test]
fn lengths_beyond_the_bound() {
    for length in [
        "9223372036854775807",
        "9223372036854775808",
        "18446744073709551615",
        "18446744073709551616",
        "18446744073709551619",
        "100000000000000000000000000000000000000",
    ] {
        check_field(format!("Content-Length: {length}\r\n").as_bytes(), Reject::LengthTooLarge);
        let wire = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n");
        check(Responses, wire.as_bytes(), Reject::LengthTooLarge);
    }
}

#[test]
fn lengths_given_twice() {
    check_field(b"Content-Length: 3\r\nContent-Length: 4\r\n", Reject::LengthConflicting);
    check_field(b"Content-Length: 3\r\nX: y\r\ncontent-length: 3\r\n", Reject::LengthRepeated);
    check_field(b"Content-Length: 3\r\nContent-Length: 003\r\n", Reject::LengthRepeated);
    check(
        Responses,
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n",
        Reject::LengthConflicting,
    );
}

#[test]
fn a_length_together_with_a_coding() {
    check_field(b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", Reject::LengthAndChunked);
    check_field(b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n", Reject::LengthAndChunked);
    check_field(
        b"Transfer-Encoding: chunked\r\nX: y\r\nContent-Length: 0\r\n",
        Reject::LengthAndChunked,
    );
    let wire = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n";
    check(Responses, wire, Reject::LengthAndChunked);
    check(ResponsesToHead, wire, Reject::LengthAndChunked);
}

#[test]
fn codings_that_are_not_exactly_chunked() {
    for coding in [
        "",
        "gzip",
        "identity",
        "xchunked",
        "chunkedx",
        "chunked, gzip",
        "gzip, chunked",
        "chunked, chunked",
        "chunked;q=1",
        "\"chunked\"",
        "chunked,",
        ", chunked",
        "chun ked",
        "chunked\u{a0}",
    ] {
        check_field(
            format!("Transfer-Encoding: {coding}\r\n").as_bytes(),
            Reject::TransferEncodingUnsupported,
        );
        let wire = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: {coding}\r\n");
        check(Responses, wire.as_bytes(), Reject::TransferEncodingUnsupported);
    }
    check_field(b"Transfer-Encoding: \x0bchunked"[..20].as_ref(), Reject::FieldValueMalformed);
    check_field(
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        Reject::TransferEncodingRepeated,
    );
    check_field(
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        Reject::TransferEncodingRepeated,
    );
}

#[test]
fn a_coding_in_http10() {
    check(
        Requests,
        b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n",
        Reject::TransferEncodingOnHttp10,
    );
}

#[test]
fn sizes_of_chunks_that_are_no_hexadecimal_number() {
    for size in [
        "+", "-", " ", "\t", ";", "g", "\0", "0x", "2+", "2 +", "1 1", "1g", "2\0", "2;a\0",
        "2;\x7f", "\r",
    ] {
        check_chunks(size.as_bytes(), Reject::ChunkSizeMalformed);
    }
    check_chunks(b"1\r\nx\r\n+", Reject::ChunkSizeMalformed);
    check_chunks(b"7fffffffffffffff", Reject::ChunkSizeTooLarge);
    check_chunks(b"8000000000000000", Reject::ChunkSizeTooLarge);
    check_chunks(b"ffffffffffffffff", Reject::ChunkSizeTooLarge);
}

#[test]
fn line_ends_of_chunks_that_are_not_crlf() {
    check_chunks(b"1\n", Reject::BareLineFeed);
    check_chunks(b"\n", Reject::BareLineFeed);
    check_chunks(b"1;a\n", Reject::BareLineFeed);
    check_chunks(b"1\rx", Reject::BareCarriageReturn);
    check_chunks(b"0\r\r", Reject::BareCarriageReturn);
    check_chunks(b"1\r\nxy", Reject::ChunkEndMissing);
    check_chunks(b"1\r\nx ", Reject::ChunkEndMissing);
    check_chunks(b"1\r\nx\n", Reject::ChunkEndMissing);
    check_chunks(b"1\r\nx\rx", Reject::ChunkEndMissing);
    check_chunks(b"0\r\n\n", Reject::BareLineFeed);
    check_chunks(b"0\r\n\rx", Reject::BareCarriageReturn);
}

#[test]
fn trailers_that_are_malformed() {
    check_chunks(b"0\r\n ", Reject::TrailerMalformed);
    check_chunks(b"0\r\n:", Reject::TrailerMalformed);
    check_chunks(b"0\r\nX ", Reject::TrailerMalformed);
    check_chunks(b"0\r\nX\r", Reject::TrailerMalformed);
    check_chunks(b"0\r\nX: a\0", Reject::TrailerMalformed);
    check_chunks(b"0\r\nX: a\r\n\t", Reject::TrailerMalformed);
    check_chunks(b"0\r\nX: a\n", Reject::BareLineFeed);
    check_chunks(b"0\r\nX\n", Reject::BareLineFeed);
    check_chunks(b"0\r\nX: a\rb", Reject::BareCarriageReturn);
    check_chunks(b"1\r\nx\r\n0\r\nGET ", Reject::TrailerMalformed);
}

#[test]
fn the_bound_of_chunk_lines_holds_on_both_sides() {
    let line = |count: usize| [b"1;".to_vec(), b"x".repeat(count - 2)].concat();
    common::check(
        Requests,
        &[
            b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
            &line(256)[..],
            b"\r\ny\r\n0\r\n\r\n",
        ]
        .concat(),
        "POST / Http11 host=a [Transfer-Encoding=chunked] Chunked <y>",
    );
    check_chunks(&line(257), Reject::ChunkLineTooLong);
    check_chunks(&b"0".repeat(257), Reject::ChunkLineTooLong);
}
