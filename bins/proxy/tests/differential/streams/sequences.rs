//! Several requests on one connection, requests that the file answers itself, and bytes that stop
//! short.

use super::{Stream, get_with, post, request, slug};

const PARTS: [(&str, &str); 12] = [
    ("get", "GET /get HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("head", "HEAD /head HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("post", "POST /post HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"),
    ("empty post", "POST /empty HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"),
    (
        "chunks",
        "POST /chunks HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    ),
    (
        "trailers",
        "POST /trailers HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-T: 1\r\n\r\n",
    ),
    ("own", "GET /own/ HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("own post", "POST /own/ HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"),
    ("old", "GET /old HTTP/1.0\r\nHost: a\r\n\r\n"),
    ("old kept", "GET /kept HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n"),
    (
        "expects",
        "POST /expects HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc",
    ),
    ("bad", "GET /bad HTTP/1.1\r\nHost: a\r\nX : 1\r\n\r\n"),
];

/// What stands between a request with a body and the next one.
const BETWEEN: [&str; 12] = [
    "\r\n",
    "\r\n\r\n",
    "\n",
    "\r",
    "\r\n\r\n\r\n",
    " ",
    "\0",
    "x",
    "\r\nx\r\n",
    "GET",
    "0\r\n\r\n",
    "abc\r\n",
];

/// Bodies for a location that answers by itself.
const OWN_BODIES: [(&str, &str, &str); 14] = [
    ("length", "Content-Length: 5\r\n", "hello"),
    ("length 0", "Content-Length: 0\r\n", ""),
    ("chunks", "Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\n\r\n"),
    ("no chunks", "Transfer-Encoding: chunked\r\n", "0\r\n\r\n"),
    ("trailers", "Transfer-Encoding: chunked\r\n", "0\r\nX-T: 1\r\n\r\n"),
    ("a request", "Content-Length: 33\r\n", "GET /in HTTP/1.1\r\nHost: evil\r\n\r\nx"),
    ("bad size", "Transfer-Encoding: chunked\r\n", "x\r\nhello\r\n0\r\n\r\n"),
    ("bad end", "Transfer-Encoding: chunked\r\n", "5\r\nhelloxx0\r\n\r\n"),
    ("bad length", "Content-Length: x\r\n", "hello"),
    ("both", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
    ("expects", "Expect: 100-continue\r\nContent-Length: 5\r\n", "hello"),
    (
        "expects chunks",
        "Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n",
        "5\r\nhello\r\n0\r\n\r\n",
    ),
    ("close", "Connection: close\r\nContent-Length: 5\r\n", "hello"),
    ("unknown coding", "Transfer-Encoding: gzip\r\n", "hello"),
];

/// Old clients and how their connections go on.
const OLD: [(&str, &str); 14] = [
    ("plain", "GET / HTTP/1.0\r\n\r\n"),
    ("host", "GET / HTTP/1.0\r\nHost: a\r\n\r\n"),
    ("keep-alive", "GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n"),
    ("Keep-Alive", "GET / HTTP/1.0\r\nHost: a\r\nConnection: Keep-Alive\r\n\r\n"),
    ("close", "GET / HTTP/1.0\r\nHost: a\r\nConnection: close\r\n\r\n"),
    ("both", "GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive, close\r\n\r\n"),
    ("head", "HEAD / HTTP/1.0\r\nHost: a\r\n\r\n"),
    ("head kept", "HEAD / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n"),
    ("post", "POST / HTTP/1.0\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"),
    (
        "post kept",
        "POST / HTTP/1.0\r\nHost: a\r\nContent-Length: 3\r\nConnection: keep-alive\r\n\r\nabc",
    ),
    ("post without length", "POST / HTTP/1.0\r\nHost: a\r\n\r\nabc"),
    (
        "expect",
        "POST / HTTP/1.0\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc",
    ),
    ("upgrade", "GET / HTTP/1.0\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"),
    ("absolute", "GET http://a/ HTTP/1.0\r\n\r\n"),
];

/// Requests that are cut off at several places: all that stands before, and the answers to it.
const WHOLE: [(&str, &str, usize); 4] = [
    ("get", "GET /abc?d HTTP/1.1\r\nHost: a\r\nX-A: 1\r\n\r\n", 0),
    ("post", "POST /abc HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n0123456789", 0),
    (
        "chunks",
        "POST /abc HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        0,
    ),
    (
        "second",
        "GET / HTTP/1.1\r\nHost: a\r\n\r\nPOST /abc HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
        1,
    ),
];

pub(super) fn add(streams: &mut Vec<Stream>) {
    for (first, bytes) in PARTS {
        for (second, more) in PARTS {
            let name = format!("pair/{first}+{second}");
            streams.push(Stream::new(name, format!("{bytes}{more}")));
        }
    }
    for between in BETWEEN {
        let slug = slug(between.as_bytes());
        let length = post("Content-Length: 3\r\n", &format!("abc{between}"));
        let chunks = post("Transfer-Encoding: chunked\r\n", &format!("0\r\n\r\n{between}"));
        let get = [&get_with(""), between.as_bytes()].concat();
        streams.push(Stream::new(format!("after-length/{slug}"), length));
        streams.push(Stream::new(format!("after-chunks/{slug}"), chunks));
        streams.push(Stream::new(format!("after-get/{slug}"), get));
    }
    for (name, fields, body) in OWN_BODIES {
        let request = format!("POST /own/ HTTP/1.1\r\nHost: a\r\n{fields}\r\n{body}");
        streams.push(Stream::new(format!("own/{name}"), request));
    }
    for (name, bytes) in OLD {
        streams.push(Stream::new(format!("old/{name}"), bytes));
    }
    let many = request("GET /many HTTP/1.1").repeat(50);
    streams.push(Stream::new("pipeline/50 gets", many));
    let many = post("Content-Length: 3\r\n", "abc").repeat(50);
    streams.push(Stream::new("pipeline/50 posts", many));
    let many = post("Transfer-Encoding: chunked\r\n", "1\r\na\r\n0\r\n\r\n").repeat(50);
    streams.push(Stream::new("pipeline/50 chunked posts", many));
    add_short(streams);
}

/// Cut off after every few bytes: no prefix is taken for a whole.
fn add_short(streams: &mut Vec<Stream>) {
    const STEP: usize = 7;
    for (name, bytes, answers) in WHOLE {
        let begin = if answers > 0 { bytes.find("POST").unwrap() } else { 0 };
        for end in (begin + 1..bytes.len()).step_by(STEP) {
            let stream = Stream::new(format!("cut-off/{name} {end}"), &bytes.as_bytes()[..end]);
            streams.push(stream.ending_early(answers));
        }
        streams.push(Stream::new(format!("cut-off/{name} not"), bytes).ending_early(answers + 1));
    }
}
