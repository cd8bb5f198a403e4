//! How an answer's body is framed, where it stops short, and what comes after its end.

use super::Case;
use crate::lane::Then;
use crate::streams::{CHUNKS, slug};

/// With `hello` behind the head.
const LENGTHS: [&str; 36] = [
    "5",
    "05",
    "00000000000000000005",
    " 5",
    "5 ",
    "\t5",
    "5\t",
    "+5",
    "-5",
    "5.0",
    "0x5",
    "5x",
    "x5",
    "5 5",
    "5,5",
    "5, 5",
    "5;",
    "\"5\"",
    "",
    " ",
    "-0",
    "5\0",
    "5\x0b",
    "5\r",
    "five",
    "1e1",
    "4294967301",
    "18446744073709551621",
    "9223372036854775807",
    "9223372036854775808",
    "99999999999999999999999999999999",
    "0",
    "4",
    "6",
    "3",
    "10",
];

const LENGTH_FIELDS: [&str; 9] = [
    "Content-Length: 5\r\nContent-Length: 5\r\n",
    "Content-Length: 5\r\nContent-Length: 4\r\n",
    "Content-Length: 4\r\nContent-Length: 5\r\n",
    "Content-Length:\r\nContent-Length: 5\r\n",
    "Content-Length: 5\r\nContent_Length: 4\r\n",
    "Content-Length : 5\r\n",
    "Content-Length:5\r\n",
    "content-length: 5\r\n",
    "Content-Length:\r\n 5\r\n",
];

/// With one chunk `hello` behind the head.
const CODINGS: [&str; 30] = [
    "chunked",
    "Chunked",
    "CHUNKED",
    " chunked",
    "chunked ",
    "\tchunked",
    "chunked\t",
    "chunked,",
    ",chunked",
    "chunked;",
    "chunked;a=b",
    "\"chunked\"",
    "chunked,chunked",
    "chunked, chunked",
    "identity",
    "identity, chunked",
    "chunked, identity",
    "gzip",
    "gzip, chunked",
    "gzip,chunked",
    "chunked, gzip",
    "x",
    "",
    " ",
    "xchunked",
    "chunkedx",
    "chunked x",
    "chunked\0",
    "chunked\r",
    "\x0bchunked",
];

const CODING_FIELDS: [&str; 12] = [
    "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
    "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
    "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n",
    "Transfer-Encoding:\r\nTransfer-Encoding: chunked\r\n",
    "Transfer-Encoding : chunked\r\n",
    "Transfer-Encoding:chunked\r\n",
    "Transfer_Encoding: chunked\r\n",
    "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
    "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
    "Content-Length: 15\r\nTransfer-Encoding: chunked\r\n",
    "Content-Length: 15\r\nTransfer-Encoding: identity\r\n",
    "Transfer-Encoding: chunked\r\nTrailer: X-T\r\n",
];

/// Whole answers, and what the application does after them.
const ENDS: [(&str, &str, Then); 40] = [
    ("nothing", "", Then::Close),
    ("nothing, reset", "", Then::Reset),
    ("junk", "junk", Then::Close),
    ("html", "<html>hello</html>", Then::Close),
    ("part of a line", "HTTP/1.1 20", Then::Close),
    ("part of a line, reset", "HTTP/1.1 20", Then::Reset),
    ("line only", "HTTP/1.1 200 OK\r\n", Then::Close),
    ("part of a head", "HTTP/1.1 200 OK\r\nX-A: 1\r\n", Then::Close),
    ("part of a head, reset", "HTTP/1.1 200 OK\r\nX-A: 1\r\n", Then::Reset),
    ("head without body", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", Then::Close),
    ("short body", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel", Then::Close),
    ("short body, reset", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel", Then::Reset),
    ("whole body", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", Then::Close),
    ("whole body, reset", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", Then::Reset),
    ("no length", "HTTP/1.1 200 OK\r\n\r\nhello", Then::Close),
    ("no length, reset", "HTTP/1.1 200 OK\r\n\r\nhello", Then::Reset),
    ("no length, empty", "HTTP/1.1 200 OK\r\n\r\n", Then::Close),
    ("no length, empty, reset", "HTTP/1.1 200 OK\r\n\r\n", Then::Reset),
    ("no length, close", "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello", Then::Close),
    (
        "no length, looks like another",
        "HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
        Then::Close,
    ),
    (
        "close field, length",
        "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello",
        Then::Close,
    ),
    (
        "close field, kept",
        "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello",
        Then::Keep,
    ),
    ("extra", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhelloEVIL", Then::Keep),
    ("extra line end", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello\r\n", Then::Keep),
    (
        "extra answer",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhelloHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nEVIL",
        Then::Keep,
    ),
    ("extra after nothing", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nEVIL", Then::Keep),
    ("extra, close", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhelloEVIL", Then::Close),
    (
        "extra after chunks",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nEVIL",
        Then::Keep,
    ),
    (
        "extra answer after chunks",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nEVIL",
        Then::Keep,
    ),
    (
        "extra answer after 204",
        "HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nEVIL",
        Then::Keep,
    ),
    (
        "extra answer after 304",
        "HTTP/1.1 304 Not Modified\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nEVIL",
        Then::Keep,
    ),
    ("old, length", "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", Then::Close),
    ("old, length, kept", "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", Then::Keep),
    (
        "old, keep-alive",
        "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\nhello",
        Then::Keep,
    ),
    ("old, no length", "HTTP/1.0 200 OK\r\n\r\nhello", Then::Close),
    ("old, no length, reset", "HTTP/1.0 200 OK\r\n\r\nhello", Then::Reset),
    ("old, short", "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhel", Then::Close),
    (
        "old, chunks",
        "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        Then::Close,
    ),
    ("old, extra", "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhelloEVIL", Then::Close),
    ("error, no length", "HTTP/1.1 500 Oops\r\n\r\nhello", Then::Close),
];

/// Chunked bodies that stop short.
const SHORT_CHUNKS: [&str; 14] = [
    "",
    "5",
    "5\r",
    "5\r\n",
    "5\r\nhel",
    "5\r\nhello",
    "5\r\nhello\r",
    "5\r\nhello\r\n",
    "5\r\nhello\r\n0",
    "5\r\nhello\r\n0\r",
    "5\r\nhello\r\n0\r\n",
    "5\r\nhello\r\n0\r\n\r",
    "5\r\nhello\r\n0\r\nX-T: 1",
    "5\r\nhello\r\n0\r\nX-T: 1\r\n",
];

/// Answers to HEAD by applications that send the body too, after the head has gone.
const TO_HEAD: [(&str, &str, &str); 6] = [
    ("length", "Content-Length: 5\r\n", "hello"),
    ("an answer", "Content-Length: 42\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nEVIL"),
    ("chunks", "Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\n\r\n"),
    ("no length", "", "hello"),
    ("length 0", "Content-Length: 0\r\n", ""),
    ("length without body", "Content-Length: 5\r\n", ""),
];

pub(super) fn add(cases: &mut Vec<Case>) {
    let mut add = |group: &str, what: &str, bytes: String, then: Then| {
        let case = Case::new(format!("{group}/{}", slug(what.as_bytes())), bytes, then);
        if !cases.iter().any(|known| known.name == case.name) {
            cases.push(case);
        }
    };
    for length in LENGTHS {
        let bytes = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\nhello");
        add("length", length, bytes, Then::Close);
    }
    for fields in LENGTH_FIELDS {
        add("length-fields", fields, format!("HTTP/1.1 200 OK\r\n{fields}\r\nhello"), Then::Close);
    }
    for coding in CODINGS {
        let bytes = format!(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: {coding}\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
        );
        add("coding", coding, bytes, Then::Close);
    }
    for fields in CODING_FIELDS {
        let bytes = format!("HTTP/1.1 200 OK\r\n{fields}\r\n5\r\nhello\r\n0\r\n\r\n");
        add("coding-fields", fields, bytes, Then::Close);
    }
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    for chunks in CHUNKS {
        add("chunks", chunks, format!("{chunked}{chunks}"), Then::Close);
    }
    for chunks in SHORT_CHUNKS {
        add("short-chunks", chunks, format!("{chunked}{chunks}"), Then::Close);
        let name = format!("{chunks} reset");
        add("short-chunks", &name, format!("{chunked}{chunks}"), Then::Reset);
    }
    for (name, bytes, then) in ENDS {
        add("end", name, bytes.into(), then);
    }
    for bytes in [0, 1, 16_384, 100_000, 1_000_000] {
        let data = "d".repeat(bytes);
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {bytes}\r\n\r\n");
        add("large", &format!("{bytes} by length"), format!("{head}{data}"), Then::Keep);
        let chunk = if bytes > 0 { format!("{bytes:x}\r\n{data}\r\n") } else { String::new() };
        add(
            "large",
            &format!("{bytes} in a chunk"),
            format!("{chunked}{chunk}0\r\n\r\n"),
            Then::Keep,
        );
        add(
            "large",
            &format!("{bytes} to the end"),
            format!("HTTP/1.1 200 OK\r\n\r\n{data}"),
            Then::Close,
        );
    }
    add_to_head(cases);
}

fn add_to_head(cases: &mut Vec<Case>) {
    for (name, fields, body) in TO_HEAD {
        let head = format!("HTTP/1.1 200 OK\r\n{fields}\r\n");
        let bytes = format!("{head}{body}");
        // To GET the end of this one is where the connection ends.
        let then = if fields.is_empty() || body.is_empty() { Then::Close } else { Then::Keep };
        let case = Case::new(format!("late-body/{name}"), bytes, then);
        let late = fields.is_empty() || body.is_empty();
        cases.push(Case { head_bytes: (!late).then_some(head.len()), ..case });
    }
}
