//! Status lines, what stands in their place, and statuses that say something about the body.

use super::Case;
use crate::lane::Then;
use crate::streams::slug;

const STATUS_LINES: [&str; 64] = [
    "HTTP/1.1 200 OK",
    "HTTP/1.1 200",
    "HTTP/1.1 200 ",
    "HTTP/1.1 200  OK",
    "HTTP/1.1  200 OK",
    "HTTP/1.1   200   OK",
    "HTTP/1.1\t200 OK",
    "HTTP/1.1 200\tOK",
    " HTTP/1.1 200 OK",
    "HTTP/1.1200 OK",
    "HTTP/1.1 200OK",
    "HTTP/1.1 200 OK ",
    "HTTP/1.1 200 O\u{fc}",
    "HTTP/1.1 200 O\x01K",
    "HTTP/1.1 200 O\x7fK",
    "HTTP/1.1 200 O\0K",
    "HTTP/1.1 200 O\rK",
    "HTTP/1.1 200 OK\r",
    "HTTP/1.1 200 \"OK\"",
    "HTTP/1.1 200 200 OK",
    "HTTP/1.0 200 OK",
    "HTTP/1.2 200 OK",
    "HTTP/1.9 200 OK",
    "HTTP/1.10 200 OK",
    "HTTP/1.01 200 OK",
    "HTTP/1.00 200 OK",
    "HTTP/0.9 200 OK",
    "HTTP/2.0 200 OK",
    "HTTP/2 200",
    "HTTP/3 200",
    "HTTP/1 200 OK",
    "HTTP/1. 200 OK",
    "HTTP/ 200 OK",
    "HTTP 200 OK",
    "http/1.1 200 OK",
    "Http/1.1 200 OK",
    "ICY 200 OK",
    "HTTPS/1.1 200 OK",
    "SIP/2.0 200 OK",
    "200 OK",
    "OK",
    "",
    "GET / HTTP/1.1",
    "HTTP/1.1",
    "HTTP/1.1 ",
    "HTTP/1.1 OK",
    "HTTP/1.1 OK 200",
    "HTTP/1.1 0",
    "HTTP/1.1 2",
    "HTTP/1.1 20 OK",
    "HTTP/1.1 2000 OK",
    "HTTP/1.1 0200 OK",
    "HTTP/1.1 +200 OK",
    "HTTP/1.1 -200 OK",
    "HTTP/1.1 2x0 OK",
    "HTTP/1.1 20x OK",
    "HTTP/1.1 0x1 OK",
    "HTTP/1.1 000 OK",
    "HTTP/1.1 001 OK",
    "HTTP/1.1 099 OK",
    "HTTP/1.1 600 OK",
    "HTTP/1.1 999 OK",
    "HTTP/1.1 200,200 OK",
    "HTTP/1.1 \u{b2}00 OK",
];

const STATUSES: [u16; 38] = [
    200, 201, 202, 203, 206, 207, 226, 299, 300, 301, 302, 303, 305, 307, 308, 399, 400, 401, 403,
    404, 405, 407, 408, 409, 410, 411, 413, 414, 416, 418, 421, 426, 429, 499, 500, 503, 504, 599,
];

/// Answers that may have no body, with one all the same, or with fields that promise one.
const BODILESS: [(&str, &str); 27] = [
    (
        "426 upgrade",
        "HTTP/1.1 426 No\r\nUpgrade: x\r\nConnection: upgrade\r\nContent-Length: 0\r\n\r\n",
    ),
    ("204", "HTTP/1.1 204 No Content\r\n\r\n"),
    ("204 length 0", "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n"),
    ("204 length 2", "HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\nok"),
    ("204 length 2 without", "HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\n"),
    ("204 chunks", "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ("204 body", "HTTP/1.1 204 No Content\r\n\r\nok"),
    ("204 type", "HTTP/1.1 204 No Content\r\nContent-Type: text/plain\r\n\r\n"),
    ("205", "HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n\r\n"),
    ("205 body", "HTTP/1.1 205 Reset Content\r\nContent-Length: 2\r\n\r\nok"),
    ("304", "HTTP/1.1 304 Not Modified\r\n\r\n"),
    ("304 length 0", "HTTP/1.1 304 Not Modified\r\nContent-Length: 0\r\n\r\n"),
    ("304 length 2", "HTTP/1.1 304 Not Modified\r\nContent-Length: 2\r\n\r\n"),
    ("304 length 2 with", "HTTP/1.1 304 Not Modified\r\nContent-Length: 2\r\n\r\nok"),
    ("304 chunks", "HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n"),
    ("304 chunks with", "HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ("304 fields", "HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\nLast-Modified: x\r\n\r\n"),
    ("204 close", "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"),
    ("204 old", "HTTP/1.0 204 No Content\r\n\r\n"),
    ("304 old", "HTTP/1.0 304 Not Modified\r\n\r\n"),
    ("404 empty", "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"),
    ("302 empty", "HTTP/1.1 302 Found\r\nLocation: http://b/\r\nContent-Length: 0\r\n\r\n"),
    (
        "206 range",
        "HTTP/1.1 206 Partial\r\nContent-Range: bytes 0-1/9\r\nContent-Length: 2\r\n\r\nok",
    ),
    (
        "401 basic",
        "HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm=\"x\"\r\nContent-Length: 0\r\n\r\n",
    ),
    (
        "401 two",
        "HTTP/1.1 401 No\r\nWWW-Authenticate: A\r\nWWW-Authenticate: B\r\nContent-Length: 0\r\n\r\n",
    ),
    ("416 range", "HTTP/1.1 416 No\r\nContent-Range: bytes */9\r\nContent-Length: 0\r\n\r\n"),
    ("503 retry", "HTTP/1.1 503 No\r\nRetry-After: 5\r\nContent-Length: 0\r\n\r\n"),
];

/// Interim answers, alone and before a final one.
const INTERIM: [(&str, &str, Then); 17] = [
    ("100", "HTTP/1.1 100 Continue\r\n\r\n%", Then::Close),
    ("100 twice", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n%", Then::Close),
    ("100 fields", "HTTP/1.1 100 Continue\r\nX-A: 1\r\n\r\n%", Then::Close),
    ("100 length", "HTTP/1.1 100 Continue\r\nContent-Length: 0\r\n\r\n%", Then::Close),
    ("102", "HTTP/1.1 102 Processing\r\n\r\n%", Then::Close),
    ("103", "HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n%", Then::Close),
    ("103 and 100", "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n%", Then::Close),
    ("199", "HTTP/1.1 199 Odd\r\n\r\n%", Then::Close),
    ("many", "MANY%", Then::Close),
    ("101", "HTTP/1.1 101 Switching Protocols\r\n\r\n", Then::Close),
    ("101 upgrade", "HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n", Then::Close),
    ("101 and more", "HTTP/1.1 101 Switching Protocols\r\n\r\n%", Then::Close),
    ("100 alone", "HTTP/1.1 100 Continue\r\n\r\n", Then::Close),
    ("103 alone", "HTTP/1.1 103 Early Hints\r\n\r\n", Then::Close),
    ("100 reset", "HTTP/1.1 100 Continue\r\n\r\n", Then::Reset),
    ("100 then junk", "HTTP/1.1 100 Continue\r\n\r\njunk\r\n\r\n", Then::Close),
    ("100 body", "HTTP/1.1 100 Continue\r\nContent-Length: 2\r\n\r\nok%", Then::Close),
];

pub(super) fn add(cases: &mut Vec<Case>) {
    for line in STATUS_LINES {
        let bytes = format!("{line}\r\nContent-Length: 2\r\n\r\nok");
        let name = format!("status-line/{}", slug(line.as_bytes()));
        // Where it is taken for a body without a head, that has to end.
        cases.push(Case::new(name, bytes, Then::Close));
    }
    for status in STATUSES {
        let bytes = format!("HTTP/1.1 {status} Reason\r\nContent-Length: 2\r\n\r\nok");
        cases.push(Case::new(format!("status/{status}"), bytes, Then::Keep));
    }
    for (name, bytes) in BODILESS {
        cases.push(Case::new(format!("bodiless/{name}"), bytes, Then::Keep));
    }
    for (name, bytes, then) in INTERIM {
        let last = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
        let many = "HTTP/1.1 100 Continue\r\n\r\n".repeat(100);
        let bytes = bytes.replace('%', last).replace("MANY", &many);
        cases.push(Case::new(format!("interim/{name}"), bytes, then));
    }
}
