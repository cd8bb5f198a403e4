//! Line ends, fields and the size of heads.

use super::{Case, ok_with};
use crate::lane::Then;
use crate::streams::{LINE_ENDS, slug};

const NAME_BYTES: &[u8] = b"!\"#$%&'()*+,-./09;<=>?@AZ[\\]^_`az{|}~\t\x01\x0b\x1f\x7f\x80\xff\0\r ";

const NAMES: [&str; 24] = [
    "X-A",
    "x-a",
    "X_A",
    "_X",
    "X.A",
    "X A",
    " X",
    "X ",
    "X\t",
    "\tX",
    "",
    " ",
    "-",
    "1",
    "X-A:X-B",
    "\u{fc}",
    "\0",
    "Content_Length",
    "Content-Length ",
    "Transfer-Encoding ",
    "Transfer_Encoding",
    "X-",
    "X[0]",
    "\u{200b}X",
];

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
    "{",
    "X;1",
    "<html>",
];

const VALUES: [&str; 36] = [
    "",
    " ",
    "\t",
    " 1",
    "1 ",
    "  1  ",
    "\t1\t",
    "1 2",
    "1\t2",
    ":",
    ",",
    "\"",
    "\\",
    "<>",
    "a=b",
    "%0d%0a",
    "\u{fc}",
    "\u{2028}",
    "\x01",
    "a\x01b",
    "a\x08b",
    "a\x0bb",
    "a\x0cb",
    "a\x1bb",
    "a\x1fb",
    "a\x7fb",
    "a\u{80}b",
    "a\0b",
    "\0",
    "a\0",
    "a\rb",
    "\r",
    "1\r",
    "\u{feff}1",
    "'",
    ";",
];

const FOLDED: [&str; 9] = [
    "X-A: 1\r\n 2\r\n",
    "X-A: 1\r\n\t2\r\n",
    "X-A:\r\n 1\r\n",
    "X-A: 1\r\n \r\n",
    "X-A: 1\n 2\r\n",
    "X-A: 1\r\n X-B: 2\r\n",
    "X-A: 1\r\n Content-Length: 9\r\n",
    " X-A: 1\r\n",
    "X-A: 1\r\n\x0b2\r\n",
];

/// Fields of which there should be one, several times; and some that nginx looks into.
const KNOWN: [&str; 56] = [
    "Set-Cookie: a=1\r\nSet-Cookie: b=2\r\n",
    "set-cookie: a=1\r\nSET-COOKIE: b=2\r\n",
    "X-A: 1\r\nX-A: 2\r\n",
    "Vary: a\r\nVary: b\r\n",
    "Cache-Control: a\r\nCache-Control: b\r\n",
    "Link: <a>\r\nLink: <b>\r\n",
    "Content-Type: text/plain\r\n",
    "Content-Type: text/html; charset=utf-8\r\n",
    "Content-Type:\r\n",
    "Content-Type: a/b\r\nContent-Type: c/d\r\n",
    "Content-Type: text/html;charset=\"utf-8\"\r\n",
    "Content-Type: TEXT/HTML; Charset=UTF-8\r\n",
    "Content-Type: x; charset=\r\n",
    "content-type: text/plain\r\n",
    "Location: http://b/c\r\n",
    "Location: /c\r\n",
    "Location: c\r\n",
    "Location:\r\n",
    "Location: http://b/\r\nLocation: http://c/\r\n",
    "Refresh: 5; url=http://b/\r\n",
    "Refresh: 5\r\n",
    "ETag: \"a\"\r\n",
    "ETag: W/\"a\"\r\n",
    "ETag: a\r\n",
    "ETag: \"a\"\r\nETag: \"b\"\r\n",
    "Last-Modified: Thu, 01 Jan 1970 00:00:00 GMT\r\n",
    "Last-Modified: x\r\n",
    "Last-Modified: x\r\nLast-Modified: y\r\n",
    "Expires: 0\r\n",
    "Expires: x\r\nExpires: y\r\n",
    "Date: x\r\n",
    "Date: x\r\nDate: y\r\n",
    "Server: x\r\n",
    "Server: x\r\nServer: y\r\n",
    "Content-Encoding: gzip\r\n",
    "Content-Encoding: a\r\nContent-Encoding: b\r\n",
    "Accept-Ranges: bytes\r\n",
    "Accept-Ranges: none\r\n",
    "Content-Range: bytes 0-1/2\r\n",
    "X-Powered-By: x\r\n",
    "Via: 1.1 x\r\n",
    "Age: 5\r\n",
    "Pragma: no-cache\r\n",
    "X-Pad: a\r\n",
    "X-Accel-Expires: 0\r\n",
    "X-Accel-Buffering: no\r\n",
    "X-Accel-Charset: utf-8\r\n",
    "Status: 404 Not Found\r\n",
    "Host: b\r\n",
    "Cookie: a=1\r\n",
    "Content-Location: /b\r\n",
    "Content-Disposition: attachment; filename=\"\u{fc}\"\r\n",
    "Trailer: X-T\r\n",
    "Strict-Transport-Security: max-age=1\r\n",
    "WWW-Authenticate: Basic\r\n",
    "Content-MD5: x\r\n",
];

/// Fields of the application's connection.
const CONNECTIONS: [&str; 14] = [
    "Connection: close\r\n",
    "Connection: Close\r\n",
    "Connection: keep-alive\r\n",
    "Connection: close, keep-alive\r\n",
    "Connection: keep-alive\r\nConnection: close\r\n",
    "Connection:\r\n",
    "Connection: upgrade\r\nUpgrade: x\r\n",
    "Upgrade: h2c\r\n",
    "Keep-Alive: timeout=1\r\n",
    "Keep-Alive: x\r\n",
    "Proxy-Connection: close\r\n",
    "Connection: xclose\r\n",
    "TE: trailers\r\n",
    "Proxy-Authenticate: Basic\r\n",
];

pub(super) fn add(cases: &mut Vec<Case>) {
    for (name, [line, field, last]) in LINE_ENDS {
        let bytes = format!("HTTP/1.1 200 OK{line}X-A: 1{field}Content-Length: 2\r\n{last}ok");
        cases.push(Case::new(format!("line-end/{name}"), bytes, Then::Close));
    }
    let mut add = |group: &str, what: &[u8], bytes: Vec<u8>| {
        cases.push(Case::new(format!("{group}/{}", slug(what)), bytes, Then::Keep));
    };
    for &byte in NAME_BYTES {
        let line = [b"X-".as_slice(), &[byte], b"A: 1\r\n"].concat();
        let bytes =
            [b"HTTP/1.1 200 OK\r\n".as_slice(), &line, b"Content-Length: 2\r\n\r\nok"].concat();
        add("name-byte", &[byte], bytes);
    }
    for name in NAMES {
        add("name", name.as_bytes(), ok_with(&format!("{name}: 2\r\n")));
    }
    for line in NO_FIELDS {
        add("no-field", line.as_bytes(), ok_with(&format!("{line}\r\n")));
    }
    for value in VALUES {
        add("value", value.as_bytes(), ok_with(&format!("X-A: {value}\r\n")));
    }
    for fields in FOLDED {
        add("folded", fields.as_bytes(), ok_with(fields));
    }
    for fields in KNOWN {
        add("known", fields.as_bytes(), ok_with(fields));
    }
    for fields in CONNECTIONS {
        add("connection", fields.as_bytes(), ok_with(fields));
    }
    add_large(&mut add);
}

/// The file says `proxy_buffer_size 64k`.
fn add_large(add: &mut impl FnMut(&str, &[u8], Vec<u8>)) {
    for count in [50, 99, 100, 101, 199, 200, 201, 500, 900] {
        let fields: String = (0..count).map(|n| format!("X-{n}: 1\r\n")).collect();
        add("fields", count.to_string().as_bytes(), ok_with(&fields));
        let cookies: String = (0..count).map(|n| format!("Set-Cookie: {n}=1\r\n")).collect();
        add("cookies", count.to_string().as_bytes(), ok_with(&cookies));
    }
    for bytes in
        [1_000, 4_000, 4_096, 4_200, 8_000, 8_192, 8_300, 12_000, 16_400, 40_000, 60_000, 100_000]
    {
        let field = format!("Set-Cookie: {}\r\n", "c".repeat(bytes));
        add("field-bytes", bytes.to_string().as_bytes(), ok_with(&field));
        let reason = format!("HTTP/1.1 200 {}\r\nContent-Length: 2\r\n\r\nok", "r".repeat(bytes));
        add("reason-bytes", bytes.to_string().as_bytes(), reason.into());
    }
    for bytes in [2_000, 8_000, 16_000, 32_000, 60_000, 100_000] {
        let line = format!("X-A: {}\r\n", "a".repeat(93));
        add("head-bytes", bytes.to_string().as_bytes(), ok_with(&line.repeat(bytes / line.len())));
    }
}
