//! How a request's body is framed: lengths, codings, both, and chunks. Behind each stands what
//! would be a request of its own if the end were seen elsewhere.

use super::{Stream, post, slug};

/// With `hello` behind the head.
const LENGTHS: [&str; 50] = [
    "5",
    "05",
    "005",
    "00000000000000000005",
    " 5",
    "5 ",
    "\t5",
    "5\t",
    " 5 ",
    "+5",
    "-5",
    "--5",
    "5.0",
    "5.",
    ".5",
    "5e0",
    "0x5",
    "5x",
    "x5",
    "5 5",
    "5,5",
    "5, 5",
    "5,6",
    "5;5",
    "5;",
    "\"5\"",
    "'5'",
    "",
    " ",
    "0",
    "00",
    "-0",
    "+0",
    "5\0",
    "5\x0b",
    "5\x0c",
    "5\r",
    "5\u{a0}",
    "\u{665}",
    "five",
    "0b101",
    "5_",
    "5h",
    "0",
    "NaN",
    "1e1",
    "18446744073709551616",
    "18446744073709551621",
    "9223372036854775808",
    "99999999999999999999999999999999",
];

const LENGTH_FIELDS: [&str; 14] = [
    "Content-Length: 5\r\nContent-Length: 5\r\n",
    "Content-Length: 5\r\nContent-Length: 6\r\n",
    "Content-Length: 0\r\nContent-Length: 5\r\n",
    "Content-Length: 5\r\nContent-Length: 0\r\n",
    "Content-Length:\r\nContent-Length: 5\r\n",
    "Content-Length: 5\r\nX: 1\r\ncontent-length: 5\r\n",
    "Content-Length: 5\r\nContent_Length: 0\r\n",
    "Content_Length: 0\r\nContent-Length: 5\r\n",
    "Content-Length : 5\r\n",
    "Content-Length\t: 5\r\n",
    "Content-Length:5\r\n",
    "Content-Length:\r\n 5\r\n",
    " Content-Length: 5\r\n",
    "X: 1\r\n Content-Length: 5\r\n",
];

/// With one chunk `hello` behind the head.
const CODINGS: [&str; 54] = [
    "chunked",
    "Chunked",
    "CHUNKED",
    "chunKed",
    " chunked",
    "chunked ",
    "\tchunked",
    "chunked\t",
    " chunked ",
    "chunked,",
    ",chunked",
    ", chunked",
    "chunked, ",
    "chunked;",
    "chunked;a=b",
    "chunked; q=1",
    "\"chunked\"",
    "'chunked'",
    "chunked chunked",
    "chunked,chunked",
    "chunked, chunked",
    "identity",
    "Identity",
    "identity, chunked",
    "chunked, identity",
    "gzip",
    "gzip, chunked",
    "gzip,chunked",
    "chunked, gzip",
    "deflate",
    "compress",
    "br",
    "x",
    "",
    " ",
    "xchunked",
    "chunkedx",
    "x chunked",
    "chunked x",
    "chunk",
    "chunke",
    "chunked\0",
    "\0chunked",
    "chunked\x0b",
    "\x0bchunked",
    "\x0cchunked",
    "chunked\r",
    "\u{ff}chunked",
    "chunked\u{a0}",
    "ch\u{fc}nked",
    "chun ked",
    "0",
    "chunked:",
    "trailers",
];

const CODING_FIELDS: [&str; 18] = [
    "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
    "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
    "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n",
    "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n",
    "Transfer-Encoding:\r\nTransfer-Encoding: chunked\r\n",
    "Transfer-Encoding: chunked\r\nTransfer-Encoding:\r\n",
    "Transfer-Encoding: x\r\nTransfer-Encoding: chunked\r\n",
    "Transfer-Encoding : chunked\r\n",
    "Transfer-Encoding\t: chunked\r\n",
    "Transfer-Encoding:chunked\r\n",
    "Transfer-Encoding:\tchunked\r\n",
    "Transfer-Encoding:\r\n chunked\r\n",
    "X: 1\r\n Transfer-Encoding: chunked\r\n",
    "transfer-encoding: chunked\r\n",
    "TRANSFER-ENCODING: chunked\r\n",
    "Transfer_Encoding: chunked\r\n",
    "Transfer-Encoding: chunked\r\nTransfer_Encoding: x\r\n",
    "Transfer-Encoding: chunked\r\nTE: trailers\r\n",
];

/// Both a length and a coding, before `0\r\n\r\n` and the rest of a request.
const BOTH: [&str; 16] = [
    "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
    "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
    "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n",
    "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n",
    "Content-Length: 5\r\nTransfer-Encoding: identity\r\n",
    "Content-Length: 5\r\nTransfer-Encoding: x\r\n",
    "Content-Length: 5\r\nTransfer-Encoding:\r\n",
    "Content-Length: 5\r\nTransfer_Encoding: chunked\r\n",
    "Content-Length: 5\r\nTransfer-Encoding : chunked\r\n",
    "Content-Length: 5\r\nTransfer-Encoding: xchunked\r\n",
    "Content-Length: x\r\nTransfer-Encoding: chunked\r\n",
    "Content-Length:\r\nTransfer-Encoding: chunked\r\n",
    "Content-Length: 5\r\nX: 1\r\nTransfer-Encoding: chunked\r\n",
    "Content_Length: 0\r\nTransfer-Encoding: chunked\r\n",
    "Content-Length: 5\r\n Transfer-Encoding: chunked\r\n",
    "Content-Length: 5\r\nTransfer-Encoding: \"chunked\"\r\n",
];

/// Whole chunked bodies.
pub const CHUNKS: [&str; 85] = [
    "0\r\n\r\n",
    "5\r\nhello\r\n0\r\n\r\n",
    "1\r\na\r\n2\r\nbc\r\n0\r\n\r\n",
    "a\r\n0123456789\r\n0\r\n\r\n",
    "A\r\n0123456789\r\n0\r\n\r\n",
    "05\r\nhello\r\n0\r\n\r\n",
    "00000005\r\nhello\r\n0\r\n\r\n",
    "0000000000000000000000005\r\nhello\r\n0\r\n\r\n",
    "5\r\nhello\r\n00\r\n\r\n",
    "5\r\nhello\r\n000000\r\n\r\n",
    "5\nhello\r\n0\r\n\r\n",
    "5\r\nhello\n0\r\n\r\n",
    "5\r\nhello\r\n0\n\r\n",
    "5\r\nhello\r\n0\r\n\n",
    "5\nhello\n0\n\n",
    "5\rhello\r\n0\r\n\r\n",
    "5\r\nhello\r0\r\n\r\n",
    "5\r\nhello\r\n0\r\r\n",
    "5\r\r\nhello\r\n0\r\n\r\n",
    "5\n\rhello\r\n0\r\n\r\n",
    " 5\r\nhello\r\n0\r\n\r\n",
    "5 \r\nhello\r\n0\r\n\r\n",
    "5\t\r\nhello\r\n0\r\n\r\n",
    "\t5\r\nhello\r\n0\r\n\r\n",
    "5  \r\nhello\r\n0  \r\n\r\n",
    "5\r\nhello\r\n0 \r\n\r\n",
    "5;\r\nhello\r\n0\r\n\r\n",
    "5;a\r\nhello\r\n0\r\n\r\n",
    "5;a=b\r\nhello\r\n0\r\n\r\n",
    "5; a=b\r\nhello\r\n0\r\n\r\n",
    "5 ;a=b\r\nhello\r\n0\r\n\r\n",
    "5;a=\"b\"\r\nhello\r\n0\r\n\r\n",
    "5;a=\"\r\n\"\r\nhello\r\n0\r\n\r\n",
    "5;a=b;c=d\r\nhello\r\n0;e=f\r\n\r\n",
    "5;a\nb\r\nhello\r\n0\r\n\r\n",
    "5;a\rb\r\nhello\r\n0\r\n\r\n",
    "5;\0\r\nhello\r\n0\r\n\r\n",
    "5;\x01\r\nhello\r\n0\r\n\r\n",
    "5,\r\nhello\r\n0\r\n\r\n",
    "5:\r\nhello\r\n0\r\n\r\n",
    "5 a\r\nhello\r\n0\r\n\r\n",
    "5 5\r\nhello\r\n0\r\n\r\n",
    "0x5\r\nhello\r\n0\r\n\r\n",
    "0X5\r\nhello\r\n0\r\n\r\n",
    "x5\r\nhello\r\n0\r\n\r\n",
    "5x\r\nhello\r\n0\r\n\r\n",
    "5h\r\nhello\r\n0\r\n\r\n",
    "+5\r\nhello\r\n0\r\n\r\n",
    "-5\r\nhello\r\n0\r\n\r\n",
    "5.0\r\nhello\r\n0\r\n\r\n",
    "5_\r\nhello\r\n0\r\n\r\n",
    "\"5\"\r\nhello\r\n0\r\n\r\n",
    "g\r\nhello\r\n0\r\n\r\n",
    "\r\nhello\r\n0\r\n\r\n",
    "\r\n5\r\nhello\r\n0\r\n\r\n",
    ";\r\nhello\r\n0\r\n\r\n",
    "5\0\r\nhello\r\n0\r\n\r\n",
    "\u{665}\r\nhello\r\n0\r\n\r\n",
    "4\r\nhello\r\n0\r\n\r\n",
    "6\r\nhello\r\n0\r\n\r\n",
    "5\r\nhello0\r\n\r\n",
    "5\r\nhello\r\n\r\n0\r\n\r\n",
    "5\r\nhello\r\n5\r\nhello\r\n0\r\n\r\n",
    "5\r\nhelloxx\r\n0\r\n\r\n",
    "5hello\r\n0\r\n\r\n",
    "5\r\nhello\r\n-0\r\n\r\n",
    "5\r\nhello\r\n0x0\r\n\r\n",
    "5\r\nhello\r\n0;a=b\r\n\r\n",
    "10000000000000005\r\nhello\r\n0\r\n\r\n",
    "ffffffffffffffff\r\nhello\r\n0\r\n\r\n",
    "7fffffffffffffff\r\nhello\r\n0\r\n\r\n",
    "8000000000000000\r\nhello\r\n0\r\n\r\n",
    "fffffffffffffffff\r\nhello\r\n0\r\n\r\n",
    "0\r\nX-T: 1\r\n\r\n",
    "0\r\nX-T: 1\r\nX-U: 2\r\n\r\n",
    "0\r\nContent-Length: 5\r\n\r\n",
    "0\r\nTransfer-Encoding: chunked\r\n\r\n",
    "0\r\nHost: b\r\n\r\n",
    "0\r\njunk\r\n\r\n",
    "0\r\n X-T: 1\r\n\r\n",
    "0\r\nX-T : 1\r\n\r\n",
    "0\r\nX-T: 1\n\r\n",
    "0\r\nX-T: a\0b\r\n\r\n",
    "0\r\nX-T: a\x01b\r\n\r\n",
    "0\r\n: 1\r\n\r\n",
];

/// Bodies of which more is due than any client here sends, where the file sets no limit.
const ENDLESS: [(&str, &str); 9] = [
    ("Content-Length: 6\r\n", "hello"),
    ("Content-Length: 4294967301\r\n", "hello"),
    ("Content-Length: 9223372036854775806\r\n", "hello"),
    ("Content-Length: 9223372036854775807\r\n", "hello"),
    ("Transfer-Encoding: chunked\r\n", "6\r\nhello"),
    ("Transfer-Encoding: chunked\r\n", "100000005\r\nhello\r\n0\r\n\r\n"),
    ("Transfer-Encoding: chunked\r\n", "7ffffffffffffffe\r\nhello\r\n0\r\n\r\n"),
    ("Transfer-Encoding: chunked\r\n", "7fffffffffffffff\r\nhello\r\n0\r\n\r\n"),
    ("Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n"),
];

pub(super) fn add(streams: &mut Vec<Stream>) {
    let mut add = |group: &str, what: &str, bytes: Vec<u8>| {
        let stream = Stream::new(format!("{group}/{}", slug(what.as_bytes())), bytes);
        if !streams.iter().any(|known| known.name == stream.name) {
            streams.push(stream);
        }
    };
    for length in LENGTHS {
        add("length", length, post(&format!("Content-Length: {length}\r\n"), "hello"));
    }
    for fields in LENGTH_FIELDS {
        add("length-fields", fields, post(fields, "hello"));
    }
    for coding in CODINGS {
        let fields = format!("Transfer-Encoding: {coding}\r\n");
        add("coding", coding, post(&fields, "5\r\nhello\r\n0\r\n\r\n"));
    }
    for fields in CODING_FIELDS {
        add("coding-fields", fields, post(fields, "5\r\nhello\r\n0\r\n\r\n"));
    }
    for fields in BOTH {
        add("both", fields, post(fields, "0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"));
        let get = format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n0\r\n\r\n");
        add("both-get", fields, get.into());
    }
    for chunks in CHUNKS {
        add("chunks", chunks, post("Transfer-Encoding: chunked\r\n", chunks));
    }
    for (fields, rest) in ENDLESS {
        let bytes = format!("POST /any/ HTTP/1.1\r\nHost: a\r\n{fields}\r\n{rest}");
        let name = format!("endless/{}{}", slug(fields.as_bytes()), slug(rest.as_bytes()));
        streams.push(Stream::new(name, bytes).ending_early(0));
    }
    for (version, fields) in [
        ("1.0", "Transfer-Encoding: chunked\r\n"),
        ("1.0", "Transfer-Encoding: chunked\r\nConnection: keep-alive\r\n"),
        ("1.0", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"),
        ("1.0", "Transfer-Encoding: identity\r\n"),
        ("1.2", "Transfer-Encoding: chunked\r\n"),
    ] {
        let bytes = format!("POST / HTTP/{version}\r\nHost: a\r\n{fields}\r\n0\r\n\r\n");
        let name = format!("coding-version/{version} {}", slug(fields.as_bytes()));
        streams.push(Stream::new(name, bytes));
    }
}
