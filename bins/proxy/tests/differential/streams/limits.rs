//! Heads and bodies on both sides of every limit. nginx counts a line with its end against one of
//! its buffers, so a head is either well within a limit here, or over it.

use super::{Stream, get_with, post, request};

const LINE_BYTES: [usize; 10] =
    [1_000, 1_023, 1_024, 1_025, 4_096, 8_000, 8_190, 8_300, 16_384, 70_000];
const FIELD_BYTES: [usize; 10] =
    [1_000, 1_023, 1_024, 1_025, 4_096, 8_000, 8_190, 8_300, 16_384, 70_000];
const FIELDS: [usize; 12] = [10, 50, 98, 99, 100, 101, 150, 200, 500, 990, 1_100, 2_000];
const HEAD_BYTES: [usize; 6] = [2_000, 8_000, 16_000, 24_000, 60_000, 100_000];
const BODY_BYTES: [usize; 9] = [0, 1, 99, 100, 1_000, 16_384, 65_536, 300_000, 1_048_576];
const SMALL_BYTES: [usize; 7] = [0, 1, 99, 100, 101, 1_000, 100_000];
const NAME_BYTES: [usize; 6] = [31, 32, 33, 256, 1_000, 8_000];

pub(super) fn add(streams: &mut Vec<Stream>) {
    let mut add = |group: &str, what: String, bytes: Vec<u8>| {
        streams.push(Stream::new(format!("{group}/{what}"), bytes));
    };
    for bytes in LINE_BYTES {
        let filler = bytes - "GET / HTTP/1.1".len();
        let path = "a".repeat(filler);
        add("line-bytes", bytes.to_string(), request(&format!("GET /{path} HTTP/1.1")));
        let query = "a".repeat(filler - 1);
        add("query-bytes", bytes.to_string(), request(&format!("GET /?{query} HTTP/1.1")));
        let host = "a".repeat(bytes - "GET http:/// HTTP/1.1".len());
        add("authority-bytes", bytes.to_string(), request(&format!("GET http://{host}/ HTTP/1.1")));
    }
    add_fields(&mut add);
    for bytes in BODY_BYTES {
        add_body(&mut add, "body-bytes", "/", bytes);
    }
    for bytes in SMALL_BYTES {
        add_body(&mut add, "small-bytes", "/small/", bytes);
    }
    for count in [1, 100, 1_000, 10_000] {
        let chunks = format!("{}0\r\n\r\n", "1\r\na\r\n".repeat(count));
        add("chunk-count", count.to_string(), post("Transfer-Encoding: chunked\r\n", &chunks));
    }
    for bytes in [10, 200, 250, 1_000, 20_000] {
        let chunks = format!("5;{}\r\nhello\r\n0\r\n\r\n", "a".repeat(bytes));
        add("extension-bytes", bytes.to_string(), post("Transfer-Encoding: chunked\r\n", &chunks));
        let trailers = format!("0\r\nX-T: {}\r\n\r\n", "a".repeat(bytes));
        add("trailer-bytes", bytes.to_string(), post("Transfer-Encoding: chunked\r\n", &trailers));
        let zeros = format!("{}5\r\nhello\r\n0\r\n\r\n", "0".repeat(bytes));
        add("size-zeros", bytes.to_string(), post("Transfer-Encoding: chunked\r\n", &zeros));
        let zeros = format!("Content-Length: {}5\r\n", "0".repeat(bytes.min(5_000)));
        add("length-zeros", bytes.to_string(), post(&zeros, "hello"));
    }
}

fn add_fields(add: &mut impl FnMut(&str, String, Vec<u8>)) {
    for bytes in [20, 100, 1_000, 8_000, 9_000] {
        add(
            "method-bytes",
            bytes.to_string(),
            request(&format!("{} / HTTP/1.1", "A".repeat(bytes))),
        );
    }
    for bytes in FIELD_BYTES {
        let value = "a".repeat(bytes - "X-A: ".len());
        add("field-bytes", bytes.to_string(), get_with(&format!("X-A: {value}\r\n")));
        let cookie = "a".repeat(bytes - "Cookie: ".len());
        add("cookie-bytes", bytes.to_string(), get_with(&format!("Cookie: {cookie}\r\n")));
    }
    for bytes in NAME_BYTES {
        add("name-bytes", bytes.to_string(), get_with(&format!("{}: 1\r\n", "a".repeat(bytes))));
        let odd = format!("{}[: 1\r\n", "a".repeat(bytes - 1));
        add("odd-name-bytes", bytes.to_string(), get_with(&odd));
    }
    for count in FIELDS {
        let many: String = (1..count).map(|n| format!("X-{n}: 1\r\n")).collect();
        add("fields", count.to_string(), get_with(&many));
        add("same-fields", count.to_string(), get_with(&"A: 1\r\n".repeat(count - 1)));
        add("odd-fields", count.to_string(), get_with(&"A[: 1\r\n".repeat(count - 1)));
    }
    for count in [1, 63, 64, 65, 1_000] {
        let names: Vec<String> = (0..count).map(|n| format!("x{n}")).collect();
        let connection = format!("Connection: {}\r\n", names.join(","));
        add("nominations", count.to_string(), get_with(&connection));
    }
    for count in [1_000, 10_000, 20_000] {
        let lines = "\r\n".repeat(count);
        add("empty-lines", count.to_string(), [lines.as_bytes(), &get_with("")].concat());
    }
    for bytes in HEAD_BYTES {
        let line = format!("X-A: {}\r\n", "a".repeat(93));
        add("head-bytes", bytes.to_string(), get_with(&line.repeat(bytes / line.len())));
    }
}

fn add_body(add: &mut impl FnMut(&str, String, Vec<u8>), group: &str, target: &str, bytes: usize) {
    let head = format!("POST {target} HTTP/1.1\r\nHost: a\r\n");
    let data = "b".repeat(bytes);
    let length = format!("{head}Content-Length: {bytes}\r\n\r\n{data}");
    add(group, format!("{bytes} by length"), length.into());
    let chunk = if bytes > 0 { format!("{bytes:x}\r\n{data}\r\n") } else { String::new() };
    let chunks = format!("{head}Transfer-Encoding: chunked\r\n\r\n{chunk}0\r\n\r\n");
    add(group, format!("{bytes} in chunks"), chunks.into());
}
