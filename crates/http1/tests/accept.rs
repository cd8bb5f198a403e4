//! Messages that are taken, with what is understood of them: `<data>` in angle brackets, one
//! message a line, `last` where the connection does not go on. Each is fed in every cut.

mod common;

use common::Side::{Requests, Responses, ResponsesToHead};
use common::check;

#[test]
fn requests_without_body() {
    check(Requests, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET / Http11 host=a None");
    check(
        Requests,
        b"DELETE /x?y=z HTTP/1.1\r\nhOsT:a:8080\r\nAccept:\t*/* \t\r\n\r\n",
        "DELETE /x?y=z Http11 host=a:8080 [Accept=*/*] None",
    );
    check(Requests, b"GET / HTTP/1.0\r\n\r\n", "GET / Http10 None last");
    check(
        Requests,
        b"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n",
        "GET / Http10 [Connection=Keep-Alive] None",
    );
    check(
        Requests,
        b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        "GET / Http11 host=a [Connection=close] None last",
    );
    check(Requests, b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "OPTIONS * Http11 host=a None");
    check(
        Requests,
        b"GET http://b/c HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET http://b/c Http11 host=a None",
    );
    check(Requests, b"M-SEARCH_X / HTTP/1.0\r\n\r\n", "M-SEARCH_X / Http10 None last");
    check(
        Requests,
        "GET /ü?ß HTTP/1.1\r\nHost: a\r\nX: ü\r\n\r\n".as_bytes(),
        "GET /ü?ß Http11 host=a [X=ü] None",
    );
}

#[test]
fn a_later_minor_version_is_read_as_the_latest_known() {
    check(Requests, b"GET / HTTP/1.2\r\nHost: a\r\n\r\n", "GET / Http11 host=a None");
    check(Responses, b"HTTP/1.9 204 x\r\n\r\n", "Http11 204 x None");
}

#[test]
fn empty_lines_before_a_request_are_let_pass() {
    for lines in ["\r\n", "\n", "\r\n\r\n", "\n\n\r\n\n", &"\r\n".repeat(300)] {
        let wire = format!("{lines}GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        check(Requests, wire.as_bytes(), "GET / Http11 host=a None");
    }
    check(Requests, b"\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET / Http11 host=a None");
    check(
        Requests,
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx\r\nGET / HTTP/1.1\r\nHost: b\r\n\r\n",
        "POST / Http11 host=a [Content-Length=1] Exact(1) <x>\nGET / Http11 host=b None",
    );
}

#[test]
fn unusual_fields_are_kept_as_they_are() {
    check(
        Requests,
        b"GET / HTTP/1.1\r\nHost: a\r\nX-Empty:\r\nX-Space:   \r\nX-Two: 1\r\nX-Two: 2\r\n\r\n",
        "GET / Http11 host=a [X-Empty=] [X-Space=] [X-Two=1] [X-Two=2] None",
    );
    check(
        Requests,
        b"GET / HTTP/1.1\r\nHost: a\r\n!#$%&'*+-.^_`|~: a\tb:c\x80\r\n\r\n",
        "GET / Http11 host=a [!#$%&'*+-.^_`|~=a\tb:c\u{fffd}]? None",
    );
}

/// All are what nginx 1.22.1 takes, and drops unless `ignore_invalid_headers` is off.
#[test]
fn odd_names_are_taken_and_classed() {
    for name in [
        "X@y", "(x)", "X-A[0]", "{x}", "\"x\"", "x,y", "x;y", "x/y", "x\\y", "x=y", "x?", "<x>",
        "x.y", "x_y.z", "ü", "HTTP/1.1",
    ] {
        let wire = format!("GET / HTTP/1.1\r\nHost: a\r\n{name}: 1\r\nX_y: 2\r\n\r\n");
        check(Requests, wire.as_bytes(), &format!("GET / Http11 host=a [{name}=1]? [X_y=2]_ None"));
    }
    check(
        Requests,
        b"GET / HTTP/1.0\r\n\xff\x80: 1\r\n\r\n",
        "GET / Http10 [\u{fffd}\u{fffd}=1]? None last",
    );
}

#[test]
fn nominated_fields_are_classed_with_the_connection() {
    check(
        Requests,
        b"GET / HTTP/1.1\r\nHost: a\r\nX-One: 1\r\nConnection: x-one, (y)\r\n(y): 2\r\nX_z: 3\r\n\r\n",
        "GET / Http11 host=a [X-One=1]- [Connection=x-one, (y)] [(y)=2]- [X_z=3]_ None",
    );
    check(
        Responses,
        b"HTTP/1.1 204 x\r\nX_y: 1\r\nConnection: close,x_y\r\n\r\n",
        "Http11 204 x [X_y=1]- [Connection=close,x_y] None last",
    );
}

#[test]
fn names_that_only_resemble_framing_frame_nothing() {
    check(
        Requests,
        b"GET / HTTP/1.1\r\nHost: a\r\nContent_Length: 5\r\nX-Transfer-Encoding: chunked\r\n\r\n",
        "GET / Http11 host=a [Content_Length=5]_ [X-Transfer-Encoding=chunked] None",
    );
}

#[test]
fn requests_with_a_length() {
    check(
        Requests,
        b"POST / HTTP/1.1\r\nHost: a\r\ncontent-LENGTH: 0005\r\n\r\nhello",
        "POST / Http11 host=a [content-LENGTH=0005] Exact(5) <hello>",
    );
    check(
        Requests,
        b"POST / HTTP/1.0\r\nContent-Length: 0\r\n\r\n",
        "POST / Http10 [Content-Length=0] Exact(0) last",
    );
    check(
        Requests,
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhiGET /2 HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / Http11 host=a [Content-Length=2] Exact(2) <hi>\nGET /2 Http11 host=a None",
    );
    check(
        Requests,
        b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 9223372036854775806\r\n\r\nabc",
        "PUT / Http11 host=a [Content-Length=9223372036854775806] Exact(9223372036854775806) <abc",
    );
}

#[test]
fn requests_in_chunks() {
    let head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    let told = "POST / Http11 host=a [Transfer-Encoding=chunked] Chunked";
    let check_chunks = |chunks: &str, data: &str| {
        check(Requests, format!("{head}{chunks}").as_bytes(), &format!("{told}{data}"));
    };
    check_chunks("0\r\n\r\n", "");
    check_chunks("5\r\nhello\r\n0\r\n\r\n", " <hello>");
    check_chunks("1\r\na\r\n00A\r\n0123456789\r\n000\r\n\r\n", " <a0123456789>");
    check_chunks("2\r\n\r\n\r\n0\r\n\r\n", " <\r\n>");
    check_chunks("3;a=b;c=\"d\"\r\nxyz\r\n0;last\r\n\r\n", " <xyz>");
    check_chunks("3 \t\r\nxyz\r\n0 ;a\r\n\r\n", " <xyz>");
    check_chunks("1\r\na\r\n0\r\nX-Sum: 1\r\nEmpty:\r\n\r\n", " <a>");
    check_chunks("fF\r\n", "");
    check_chunks("7ffffffffffffffe\r\nab", " <ab");
    check_chunks("1\r\na\r\n0\r\n", " <a");
    let after = "0\r\n\r\nGET / HTTP/1.1\r\nHost: b\r\n\r\n";
    check_chunks(after, "\nGET / Http11 host=b None");
}

#[test]
fn the_coding_is_known_in_any_case() {
    check(
        Requests,
        b"POST / HTTP/1.1\r\nHost: a\r\ntransfer-encoding:  CHUNKED \r\n\r\n0\r\n\r\n",
        "POST / Http11 host=a [transfer-encoding=CHUNKED] Chunked",
    );
}

#[test]
fn pipelined_requests_are_read_one_after_the_other() {
    check(
        Requests,
        b"GET /1 HTTP/1.1\r\nHost: a\r\n\r\nPOST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc\
          POST /3 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n\
          GET /4 HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /1 Http11 host=a None\n\
         POST /2 Http11 host=a [Content-Length=3] Exact(3) <abc>\n\
         POST /3 Http11 host=a [Transfer-Encoding=chunked] Chunked <x>\n\
         GET /4 Http11 host=a None",
    );
}

#[test]
fn upgrades_and_expectations_are_told() {
    check(
        Requests,
        b"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
        "GET /ws Http11 host=a upgrade=websocket [Connection=Upgrade] [Upgrade=websocket] None",
    );
    check(
        Requests,
        b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\nContent-Length: 1\r\n\r\nx",
        "POST / Http11 host=a expects-continue [Expect=100-Continue] [Content-Length=1] Exact(1) <x>",
    );
    check(
        Requests,
        b"POST / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n",
        "POST / Http10 [Expect=100-continue] None last",
    );
}

#[test]
fn hosts_of_several_kinds() {
    for host in ["a.example.", "127.0.0.1:5000", "[::1]:8080", "a_b", "a:"] {
        let wire = format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n");
        check(Requests, wire.as_bytes(), &format!("GET / Http11 host={host} None"));
    }
}

#[test]
fn responses_with_a_length_in_chunks_or_until_close() {
    check(
        Responses,
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhelloHTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
        "Http11 200 OK [Content-Length=5] Exact(5) <hello>\n\
         Http11 404 Not Found [Content-Length=0] Exact(0)",
    );
    check(
        Responses,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX: y\r\n\r\nHTTP/1.1 500 \r\n\r\n",
        "Http11 200 OK [Transfer-Encoding=chunked] Chunked <abc>\nHttp11 500  UntilClose last",
    );
    check(Responses, b"HTTP/1.1 200 OK\r\n\r\nall", "Http11 200 OK UntilClose last <all");
    check(
        Responses,
        b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx",
        "Http10 200 OK [Content-Length=1] Exact(1) last <x>",
    );
    check(
        Responses,
        b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\nx",
        "Http10 200 OK [Connection=keep-alive] [Content-Length=1] Exact(1) <x>",
    );
}

#[test]
fn status_lines_with_and_without_reason() {
    check(Responses, b"HTTP/1.1 204\r\n\r\n", "Http11 204  None");
    check(Responses, b"HTTP/1.1 204 \r\n\r\n", "Http11 204  None");
    check(Responses, "HTTP/1.1 204 Nö \t x\r\n\r\n".as_bytes(), "Http11 204 Nö \t x None");
    check(
        Responses,
        b"HTTP/1.1 999 x\r\nContent-Length: 0\r\n\r\n",
        "Http11 999 x [Content-Length=0] Exact(0)",
    );
}

#[test]
fn interim_responses_come_before_the_final_one() {
    check(Responses, b"HTTP/1.1 199 x\r\n\r\n", "Http11 199 x None");
    check(
        Responses,
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\ny",
        "Http11 100 Continue None\nHttp11 103 Early Hints [Link=x] None\n\
         Http11 200 OK [Content-Length=1] Exact(1) <y>",
    );
    check(
        Responses,
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
        "Http11 101 Switching Protocols [Connection=upgrade] [Upgrade=websocket] None",
    );
}

#[test]
fn statuses_and_methods_without_body_have_none_whatever_is_declared() {
    check(
        Responses,
        b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\nHTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n",
        "Http11 304 Not Modified [Content-Length=5] None\nHttp11 204 No Content [Content-Length=0] None",
    );
    check(
        ResponsesToHead,
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
        "Http11 200 OK [Content-Length=5] None\nHttp11 200 OK [Transfer-Encoding=chunked] None\n\
         Http11 200 OK None",
    );
}

#[test]
fn a_body_declared_where_none_can_be_ends_the_connection() {
    check(
        Responses,
        b"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n",
        "Http11 204 No Content [Transfer-Encoding=chunked] None last",
    );
    check(
        Responses,
        b"HTTP/1.1 204 No Content\r\nContent-Length: 3\r\n\r\n",
        "Http11 204 No Content [Content-Length=3] None last",
    );
}
