//! Field lines: names, values, white space, and fields that say what the connection does.

use super::{Stream, get_with, post, slug};
use crate::lane::After;

/// Bytes that may not stand in a token, and those of nginx that are letters to nobody.
const NAME_BYTES: &[u8] = b"!\"#$%&'()*+,-./09;<=>?@AZ[\\]^_`az{|}~\t\x01\x0b\x1f\x7f\x80\xff\0\r ";

const NAMES: [&str; 34] = [
    "X-A",
    "x-a",
    "X--A",
    "-X",
    "X-",
    "-",
    "--",
    "1",
    "X1",
    "a",
    "X_A",
    "_X",
    "_",
    "X-A_B",
    "Content_Length",
    "Content-Length_",
    "Transfer_Encoding",
    "Transfer-Encoding-",
    "Host_",
    "X.A",
    "X A",
    " X",
    "X ",
    "\tX",
    "X\t",
    "",
    " ",
    "X-A:X-B",
    "\u{fc}",
    "X-\u{fc}",
    "\0",
    "X\0",
    "Content-Length ",
    "Transfer-Encoding\t",
];

/// Whole lines that are no field.
const NO_FIELDS: [&str; 12] = [
    "junk",
    ":",
    ": 1",
    ":1",
    "=",
    "GET / HTTP/1.1",
    "HTTP/1.1 200 OK",
    "X",
    "X\t",
    "\"X\": 1",
    "{",
    "X;1",
];

const VALUES: [&str; 50] = [
    "", " ", "  ", "\t", "1", " 1", "1 ", "  1  ", "\t1\t", "1 2", "1\t2", "1  2", ":", "::",
    ": 1", ",", ",,", "1,2", "1, 2", ";", "\"", "\"1\"", "\"1", "'", "\\", "\\\"", "<>", "{}",
    "()", "a=b", "a=b; c=d", "%00", "%0d%0a", "\\r\\n", "\u{fc}", "\u{2028}", "\x01", "a\x01b",
    "a\x02b", "a\x08b", "a\x0bb", "a\x0cb", "a\x1bb", "a\x1fb", "a\x7fb", "a\0b", "\0", "a\0",
    "a\rb", "\r",
];

/// Field lines that go over more than one line, or seem to.
const FOLDED: [&str; 13] = [
    "X-A: 1\r\n 2\r\n",
    "X-A: 1\r\n\t2\r\n",
    "X-A: 1\r\n  2\r\n",
    "X-A:\r\n 1\r\n",
    "X-A: 1\r\n \r\n",
    "X-A: 1\r\n\t\r\n",
    "X-A: 1\r\n 2\r\n 3\r\n",
    "X-A: 1\n 2\r\n",
    "X-A: 1\r 2\r\n",
    "X-A: 1\r\n X-B: 2\r\n",
    "X-A: 1\r\n Content-Length: 5\r\n",
    "X-A: 1\r\n Transfer-Encoding: chunked\r\n",
    "X-A: 1\r\n\x0b2\r\n",
];

/// Fields that come twice or more.
const REPEATED: [&str; 25] = [
    "If-Unmodified-Since: a\r\nIf-Unmodified-Since: b\r\n",
    "If-Match: a\r\nIf-Match: b\r\n",
    "If-None-Match: a\r\nIf-None-Match: b\r\n",
    "TE: trailers\r\nTE: trailers\r\n",
    "Expect: 100-continue\r\nExpect: 100-continue\r\n",
    "Upgrade: a\r\nUpgrade: b\r\n",
    "Content-Range: a\r\nContent-Range: b\r\n",
    "Accept-Language: a\r\nAccept-Language: b\r\n",
    "Keep-Alive: a\r\nKeep-Alive: b\r\n",
    "X-A: 1\r\nX-A: 2\r\n",
    "X-A: 1\r\nx-a: 2\r\n",
    "X-A: 1\r\nX-B: 2\r\nX-A: 3\r\n",
    "Cookie: a=1\r\nCookie: b=2\r\n",
    "Accept: a\r\nAccept: b\r\n",
    "Authorization: a\r\nAuthorization: b\r\n",
    "User-Agent: a\r\nUser-Agent: b\r\n",
    "Content-Type: a\r\nContent-Type: b\r\n",
    "X-Forwarded-For: a\r\nX-Forwarded-For: b\r\n",
    "Referer: a\r\nReferer: b\r\n",
    "If-Modified-Since: a\r\nIf-Modified-Since: b\r\n",
    "Range: bytes=0-1\r\nRange: bytes=2-3\r\n",
    "Via: 1.1 a\r\nVia: 1.1 b\r\n",
    "Cookie:\r\nCookie:\r\n",
    "If-Range: a\r\nIf-Range: b\r\n",
    "Accept-Encoding: a\r\nAccept-Encoding: b\r\n",
];

/// Fields of the client that must not take the place of what the file sets.
const TAKEN: [&str; 5] = [
    "X-Host: evil\r\n",
    "x-host: evil\r\n",
    "X-Host:\r\n",
    "X-Host: a\r\nX-Host: b\r\n",
    "X_Host: evil\r\n",
];

/// Connection and the fields that go with it; in brackets what they nominate.
const CONNECTIONS: [(&str, &[&str]); 38] = [
    ("Connection: close\r\n", &[]),
    ("Connection: Close\r\n", &[]),
    ("Connection: CLOSE\r\n", &[]),
    ("Connection: keep-alive\r\n", &[]),
    ("Connection: Keep-Alive\r\n", &[]),
    ("Connection: close, keep-alive\r\n", &[]),
    ("Connection: keep-alive, close\r\n", &[]),
    ("Connection: close\r\nConnection: keep-alive\r\n", &[]),
    ("Connection: keep-alive\r\nConnection: close\r\n", &[]),
    ("Connection: xclose\r\n", &[]),
    ("Connection: closed\r\n", &[]),
    ("Connection: \"close\"\r\n", &[]),
    ("Connection: close;\r\n", &[]),
    ("Connection: close x\r\n", &[]),
    ("Connection: ,close\r\n", &[]),
    ("Connection: close,\r\n", &[]),
    ("Connection:\r\n", &[]),
    ("Connection: ,\r\n", &[]),
    ("Connection: x-a\r\nX-A: 1\r\n", &["x-a"]),
    ("Connection: X-A\r\nx-a: 1\r\n", &["x-a"]),
    ("X-A: 1\r\nConnection: x-a\r\n", &["x-a"]),
    ("Connection: x-a, x-b\r\nX-A: 1\r\nX-B: 2\r\n", &["x-a", "x-b"]),
    ("Connection: x-a\r\nConnection: x-b\r\nX-A: 1\r\nX-B: 2\r\n", &["x-a", "x-b"]),
    ("Connection: x-a\r\nX-AB: 1\r\n", &[]),
    ("Connection: \tx-a\t\r\nX-A: 1\r\n", &["x-a"]),
    ("Connection: host\r\n", &[]),
    ("Connection: content-length\r\n", &[]),
    ("Connection: transfer-encoding\r\n", &[]),
    ("Connection: cookie\r\nCookie: a=1\r\n", &["cookie"]),
    ("Connection: authorization\r\nAuthorization: x\r\n", &["authorization"]),
    ("Connection: x-forwarded-for\r\nX-Forwarded-For: 192.0.2.1\r\n", &["x-forwarded-for"]),
    ("Connection: x-host\r\nX-Host: evil\r\n", &[]),
    ("Proxy-Connection: keep-alive\r\n", &[]),
    ("Keep-Alive: timeout=5\r\n", &[]),
    ("TE: trailers\r\n", &[]),
    ("Connection: TE\r\nTE: trailers, deflate\r\n", &[]),
    ("Trailer: X-A\r\n", &[]),
    ("Connection: close, x-a\r\nX-A: 1\r\n", &["x-a"]),
];

/// What asks for another protocol, which an application that answers 200 does not give.
const UPGRADES: [&str; 16] = [
    "Connection: upgrade\r\nUpgrade: websocket\r\n",
    "Connection: Upgrade\r\nUpgrade: WebSocket\r\n",
    "Upgrade: websocket\r\n",
    "Connection: upgrade\r\n",
    "Connection: upgrade\r\nUpgrade:\r\n",
    "Connection: upgrade\r\nUpgrade: h2c\r\n",
    "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n",
    "Connection: upgrade\r\nUpgrade: websocket, h2c\r\n",
    "Connection: upgrade\r\nUpgrade: x\r\n",
    "Connection: upgrade\r\nUpgrade: TLS/1.0\r\n",
    "Connection: upgrade, close\r\nUpgrade: websocket\r\n",
    "Connection: upgrade\r\nUpgrade: websocket\r\nUpgrade: h2c\r\n",
    "Connection: upgrade\r\nUpgrade: h2c, websocket\r\n",
    "HTTP2-Settings: AAMAAABk\r\n",
    "Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n",
    "Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: eA==\r\nSec-WebSocket-Version: 13\r\n",
];

const EXPECTS: [&str; 11] = [
    "100-continue",
    "100-Continue",
    "100-CONTINUE",
    " 100-continue ",
    "100-continue, x",
    "100-continuex",
    "200-ok",
    "",
    "100",
    "100-continue;a=b",
    "\"100-continue\"",
];

pub(super) fn add(streams: &mut Vec<Stream>) {
    add_lines(streams);
    let mut add = |group: &str, what: &str, bytes: Vec<u8>| {
        streams.push(Stream::new(format!("{group}/{}", slug(what.as_bytes())), bytes));
    };
    for fields in REPEATED {
        add("repeated", fields, get_with(fields));
    }
    for fields in TAKEN {
        add("taken", fields, get_with(fields));
    }
    for fields in UPGRADES {
        add("upgrade", fields, get_with(fields));
        add("upgrade-post", fields, post(&format!("{fields}Content-Length: 3\r\n"), "abc"));
    }
    add_expecting(streams);
    for (fields, nominated) in CONNECTIONS {
        let name = slug(fields.as_bytes());
        for (group, bytes) in [
            ("connection", get_with(fields)),
            ("connection-post", post(&format!("{fields}Content-Length: 3\r\n"), "abc")),
        ] {
            streams.push(Stream::new(format!("{group}/{name}"), bytes).nominating(nominated));
        }
    }
}

/// With the body at once, and with one that waits to be asked for.
fn add_expecting(streams: &mut Vec<Stream>) {
    for value in EXPECTS {
        let slug = slug(value.as_bytes());
        let fields = format!("Expect: {value}\r\nContent-Length: 3\r\n");
        let (head, whole) = (post(&fields, ""), post(&fields, "abc"));
        streams.push(Stream::new(format!("expect/{slug}"), whole.clone()));
        let get = get_with(&format!("Expect: {value}\r\n"));
        streams.push(Stream::new(format!("expect-get/{slug}"), get));
        if value.trim().eq_ignore_ascii_case("100-continue") {
            let stream = Stream::new(format!("expect-wait/{slug}"), whole);
            streams.push(stream.waiting(head.len(), After::Anything));
        }
    }
}

fn add_lines(streams: &mut Vec<Stream>) {
    for &byte in NAME_BYTES {
        let line = [b"X-".as_slice(), &[byte], b"A: 1\r\n"].concat();
        let bytes = [b"GET / HTTP/1.1\r\nHost: a\r\n".as_slice(), &line, b"\r\n"].concat();
        streams.push(Stream::new(format!("name-byte/{}", slug(&[byte])), bytes));
    }
    let mut add = |group: &str, what: &str, bytes: Vec<u8>| {
        streams.push(Stream::new(format!("{group}/{}", slug(what.as_bytes())), bytes));
    };
    for name in NAMES {
        add("name", name, get_with(&format!("{name}: 5\r\n")));
    }
    for name in ["Content-Length", "content-length", "CONTENT-LENGTH", "Content-length"] {
        add("name-length", name, post(&format!("{name}: 5\r\n"), "hello"));
    }
    for line in NO_FIELDS {
        add("no-field", line, get_with(&format!("{line}\r\n")));
        add("no-field-first", line, format!("GET / HTTP/1.1\r\n{line}\r\nHost: a\r\n\r\n").into());
    }
    for value in VALUES {
        add("value", value, get_with(&format!("X-A: {value}\r\n")));
    }
    for name in ["Cookie", "User-Agent", "Authorization", "Referer", "X-Forwarded-For", "Range"] {
        add("value-tight", name, get_with(&format!("{name}:1\r\n")));
        add("value-empty", name, get_with(&format!("{name}:\r\n")));
        add("value-control", name, get_with(&format!("{name}: a\x01b\r\n")));
    }
    for fields in FOLDED {
        add("folded", fields, get_with(fields));
        let first = format!("GET / HTTP/1.1\r\n{fields}Host: a\r\n\r\n");
        add("folded-first", fields, first.into());
    }
}
