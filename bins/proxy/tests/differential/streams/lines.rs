//! First lines, line ends, and bytes of protocols that are none of HTTP/1.

use super::{Stream, get_with, request, slug};

const METHODS: [&str; 44] = [
    "GET",
    "HEAD",
    "POST",
    "PUT",
    "DELETE",
    "OPTIONS",
    "PATCH",
    "TRACE",
    "CONNECT",
    "PROPFIND",
    "PROPPATCH",
    "MKCOL",
    "COPY",
    "MOVE",
    "LOCK",
    "UNLOCK",
    "PURGE",
    "LINK",
    "SEARCH",
    "QUERY",
    "FOO",
    "G",
    "GETT",
    "GE",
    "GET_X",
    "GET-X",
    "-",
    "_",
    "get",
    "Get",
    "gET",
    "head",
    "G3T",
    "GET1",
    "G.T",
    "G!T",
    "G\"T",
    "G(T",
    "G:T",
    "G\tT",
    "G\x01T",
    "G\0T",
    "G\u{fc}T",
    "*",
];

/// Methods that may come with a body, and some that should not.
const METHODS_WITH_BODY: [&str; 9] =
    ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "FOO"];

const VERSIONS: [&str; 40] = [
    "HTTP/1.0",
    "HTTP/1.1",
    "HTTP/1.2",
    "HTTP/1.9",
    "HTTP/1.10",
    "HTTP/1.11",
    "HTTP/1.00",
    "HTTP/1.01",
    "HTTP/1.99",
    "HTTP/1.100",
    "HTTP/1.999",
    "HTTP/1.1000",
    "HTTP/0.9",
    "HTTP/0.8",
    "HTTP/00.9",
    "HTTP/01.1",
    "HTTP/2.0",
    "HTTP/2",
    "HTTP/3.0",
    "HTTP/9.9",
    "HTTP/10.1",
    "HTTP/1",
    "HTTP/1.",
    "HTTP/.1",
    "HTTP/",
    "HTTP",
    "http/1.1",
    "Http/1.1",
    "HTTP/1,1",
    "HTTP/-1.1",
    "HTTP/1.-1",
    "HTTP/+1.1",
    "HTTP/1.1x",
    "HTTP/1.1 x",
    "HTTP/ 1.1",
    "HTTP /1.1",
    "HTTPS/1.1",
    "XTTP/1.1",
    "HTTP/1.1\0",
    "\u{ff}TTP/1.1",
];

/// First lines with white space in odd places.
const SPACED: [&str; 22] = [
    "GET  / HTTP/1.1",
    "GET /  HTTP/1.1",
    "GET / HTTP/1.1 ",
    "GET / HTTP/1.1  ",
    " GET / HTTP/1.1",
    "\tGET / HTTP/1.1",
    "GET\t/ HTTP/1.1",
    "GET /\tHTTP/1.1",
    "GET / HTTP/1.1\t",
    "GET / \tHTTP/1.1",
    "GET \t/ HTTP/1.1",
    "GET\x0b/ HTTP/1.1",
    "GET /\x0cHTTP/1.1",
    "GET / HTTP/1.1\x0b",
    "GET\r/ HTTP/1.1",
    "GET /\rHTTP/1.1",
    "GET / HTTP/1.1\r",
    "GET/ HTTP/1.1",
    "GET /HTTP/1.1",
    "GET   /   HTTP/1.1   ",
    "GET / x HTTP/1.1",
    "GET / HTTP/1.1 HTTP/1.1",
];

/// No three words.
const SHORT: [&str; 14] = [
    "",
    "GET",
    "GET ",
    "GET /",
    "GET / ",
    "GET  ",
    "GET HTTP/1.1",
    "GET  HTTP/1.1",
    " / HTTP/1.1",
    "/ HTTP/1.1",
    "HTTP/1.1",
    "HTTP/1.1 200 OK",
    "GET /x\0",
    ":",
];

/// What stands before a good request.
const LEADING: [&str; 20] = [
    "\r\n",
    "\r\n\r\n",
    "\r\n\r\n\r\n",
    "\n",
    "\n\n",
    "\r",
    "\r\r\n",
    "\n\r",
    "\r\n\n",
    "\n\r\n",
    " ",
    "  ",
    " \r\n",
    "\t\r\n",
    "\0",
    "\0\r\n",
    "\u{feff}",
    "x",
    "x\r\n",
    ";",
];

/// `%` stands for one line end in turn of a small request.
pub const LINE_ENDS: [(&str, [&str; 3]); 26] = [
    ("all lf", ["\n", "\n", "\n"]),
    ("line lf", ["\n", "\r\n", "\r\n"]),
    ("field lf", ["\r\n", "\n", "\r\n"]),
    ("last lf", ["\r\n", "\r\n", "\n"]),
    ("line and field lf", ["\n", "\n", "\r\n"]),
    ("field and last lf", ["\r\n", "\n", "\n"]),
    ("all cr", ["\r", "\r", "\r"]),
    ("line cr", ["\r", "\r\n", "\r\n"]),
    ("field cr", ["\r\n", "\r", "\r\n"]),
    ("last cr", ["\r\n", "\r\n", "\r"]),
    ("line crcrlf", ["\r\r\n", "\r\n", "\r\n"]),
    ("field crcrlf", ["\r\n", "\r\r\n", "\r\n"]),
    ("last crcrlf", ["\r\n", "\r\n", "\r\r\n"]),
    ("line lfcr", ["\n\r", "\r\n", "\r\n"]),
    ("field lfcr", ["\r\n", "\n\r", "\r\n"]),
    ("last lfcr", ["\r\n", "\r\n", "\n\r"]),
    ("line nul", ["\0\r\n", "\r\n", "\r\n"]),
    ("field nul", ["\r\n", "\0\r\n", "\r\n"]),
    ("last nul", ["\r\n", "\r\n", "\0\r\n"]),
    ("line crlf space", ["\r\n ", "\r\n", "\r\n"]),
    ("line crlf tab", ["\r\n\t", "\r\n", "\r\n"]),
    ("line twice", ["\r\n\r\n", "\r\n", "\r\n"]),
    ("line vertical tab", ["\x0b", "\r\n", "\r\n"]),
    ("line unicode", ["\u{2028}", "\r\n", "\r\n"]),
    ("field nel", ["\r\n", "\u{85}", "\r\n"]),
    ("last space", ["\r\n", "\r\n", " \r\n"]),
];

const FOREIGN: [(&str, &[u8]); 16] = [
    ("http2 preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    ("http2 preface and settings", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0"),
    ("http2 preface cut", b"PRI * HTTP/2.0\r\n\r\n"),
    ("http2 preface of a kind", b"PRI / HTTP/2.0\r\nHost: a\r\n\r\n"),
    ("tls hello", b"\x16\x03\x01\x00\x2f\x01\x00\x00\x2b\x03\x03abcdefghijklmnopqrstuvwxyz012345\0\0\x02\x13\x01\x01\0\r\n\r\n"),
    ("ssl 2 hello", b"\x80\x2e\x01\x03\x01\0\x15\0\0\0\x10\x01\0\x80\r\n\r\n"),
    ("proxy protocol 1", b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("proxy protocol 2", b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x7f\0\0\x01\x7f\0\0\x01\0\x01\0\x02GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("ssh", b"SSH-2.0-OpenSSH_9.2\r\n"),
    ("smtp", b"EHLO a\r\nMAIL FROM:<a@a>\r\n"),
    ("socks 5", b"\x05\x01\0\r\n\r\n"),
    ("rtsp", b"OPTIONS rtsp://a/ RTSP/1.0\r\nCSeq: 1\r\n\r\n"),
    ("sip", b"OPTIONS sip:a SIP/2.0\r\nVia: x\r\n\r\n"),
    ("an answer", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
    ("zeros", &[0; 64]),
    ("high bytes", &[0xff; 64]),
];

pub(super) fn add(streams: &mut Vec<Stream>) {
    let mut add = |group: &str, what: &str, bytes: Vec<u8>| {
        streams.push(Stream::new(format!("{group}/{}", slug(what.as_bytes())), bytes));
    };
    for method in METHODS {
        add("method", method, request(&format!("{method} / HTTP/1.1")));
    }
    for method in METHODS_WITH_BODY {
        let head = format!("{method} / HTTP/1.1\r\nHost: a\r\n");
        let length = format!("{head}Content-Length: 5\r\n\r\nhello");
        let chunks = format!("{head}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n");
        add("method-length", method, length.into());
        add("method-chunked", method, chunks.into());
    }
    for version in VERSIONS {
        add("version", version, request(&format!("GET / {version}")));
    }
    for line in SPACED {
        add("spaced", line, request(line));
    }
    for line in SHORT {
        add("short", line, request(line));
    }
    add("short", "simple request", b"GET /simple\r\n".to_vec());
    add("short", "simple request lf", b"GET /simple\n".to_vec());
    for leading in LEADING {
        add("leading", leading, [leading.as_bytes(), &get_with("")].concat());
    }
    add("leading", "many empty lines", ["\r\n".repeat(100).as_bytes(), &get_with("")].concat());
    for (name, [line, field, last]) in LINE_ENDS {
        let bytes = format!("GET / HTTP/1.1{line}Host: a{field}X-A: 1\r\n{last}");
        add("line-end", name, bytes.into());
    }
    for (name, bytes) in FOREIGN {
        add("foreign", name, bytes.to_vec());
    }
}
