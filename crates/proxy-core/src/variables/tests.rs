//! The value of each variable, and where there is none.

use crate::net::Path;
use std::net::IpAddr;

use super::*;
use crate::config::model::Variable as V;
use crate::test_case::{Case, NOW, answer, at, server};

const REQUEST: &str = "POST /a%20b?x=1&y=&X=2 HTTP/1.1\r\nHost: Main.test:99\r\nX-A: 1\r\nx-a: 2\r\n\
                       Content-Type: t/u\r\nContent-Length: 3\r\nCookie: c=d\r\n\
                       Authorization: Basic YWxpY2U6c2VjcmV0\r\nX-Empty:\r\n\r\n";

fn case() -> Case {
    Case::new("location / { proxy_pass http://app; }", REQUEST)
}

fn name(text: &str) -> Vec<u8> {
    text.as_bytes().to_vec()
}

fn check(case: &Case, variable: V, expected: Option<&str>) {
    assert_eq!(case.value(&variable).as_deref(), expected, "{variable:?}");
}

#[test]
fn names_of_variables_match_fields_with_dashes() {
    assert!(matches_variable(b"X-Forwarded-For", b"x-forwarded-for"));
    assert!(matches_variable(b"X-Forwarded-For", b"x_forwarded_for"));
    assert!(!matches_variable(b"X-Forwarded", b"x_forwarded_for"));
}

#[test]
fn a_request_is_told_in_all_its_parts() {
    let case = case();
    for (variable, expected) in [
        (V::Host, "main.test"),
        (V::HttpHost, "Main.test:99"),
        (V::ContentLength, "3"),
        (V::ContentType, "t/u"),
        (V::RemoteUser, "alice"),
        (V::Http(name("x_a")), "1, 2"),
        (V::Http(name("x_empty")), ""),
        (V::Cookie(name("c")), "d"),
        (V::Arg(name("x")), "1"),
        (V::Arg(name("y")), ""),
        (V::Args, "x=1&y=&X=2"),
        (V::QueryString, "x=1&y=&X=2"),
        (V::IsArgs, "?"),
        (V::Request, "POST /a%20b?x=1&y=&X=2 HTTP/1.1"),
        (V::RequestMethod, "POST"),
        (V::RequestUri, "/a%20b?x=1&y=&X=2"),
        (V::Uri, "/a b"),
        (V::ServerProtocol, "HTTP/1.1"),
        (V::ProxyAddXForwardedFor, "10.0.0.9"),
        (V::RequestLength, &REQUEST.len().to_string()),
    ] {
        check(&case, variable, Some(expected));
    }
}

#[test]
fn the_port_is_that_of_the_host_that_the_client_told() {
    let check = |head: &str, port: &str| {
        let case = Case::new("return 200;", head);
        let value = |variable: V| case.value(&variable).unwrap();
        let colon = if port.is_empty() { "" } else { ":" };
        assert_eq!(
            (value(V::RequestPort), value(V::IsRequestPort)),
            (port.into(), colon.into()),
            "{head}"
        );
    };
    check("GET / HTTP/1.1\r\nHost: a:81\r\n\r\n", "81");
    check("GET / HTTP/1.1\r\nHost: a\r\n\r\n", "");
    check("GET / HTTP/1.1\r\nHost: [::1]:82\r\n\r\n", "82");
    check("GET / HTTP/1.1\r\nHost: [::1]\r\n\r\n", "");
    check("GET http://b:83/ HTTP/1.1\r\nHost: b:83\r\n\r\n", "83");
    check("GET / HTTP/1.0\r\n\r\n", "");
}

#[test]
fn what_a_request_does_not_have_is_not_there() {
    let case = Case::new("return 200;", "GET / HTTP/1.0\r\n\r\n");
    for variable in [
        V::HttpHost,
        V::ContentLength,
        V::ContentType,
        V::RemoteUser,
        V::Http(name("x_a")),
        V::Cookie(name("c")),
        V::Arg(name("x")),
        V::Args,
        V::QueryString,
        V::ProxyHost,
        V::ProxyPort,
        V::Absent,
        V::UpstreamAddr,
        V::UpstreamStatus,
        V::UpstreamHttp(name("x")),
        V::SentHttp(name("x")),
    ] {
        check(&case, variable, None);
    }
    check(&case, V::IsArgs, Some(""));
    check(&case, V::Empty, Some(""));
    check(&case, V::Host, Some("main.test"));
    check(&case, V::ServerProtocol, Some("HTTP/1.0"));
}

#[test]
fn a_connection_is_told_with_its_ends() {
    let mut case = case();
    case.request.client.requests = 3;
    for (variable, expected) in [
        (V::Connection, "7"),
        (V::ConnectionRequests, "3"),
        (V::ConnectionTime, "2.500"),
        (V::RemoteAddr, "10.0.0.9"),
        (V::RemotePort, "40000"),
        (V::Scheme, "http"),
        (V::ServerAddr, "10.0.0.1"),
        (V::ServerPort, "8080"),
        (V::ServerName, "main.test"),
        (V::Pipe, "."),
        (V::Hostname, "pod-1"),
        (V::Pid, "42"),
        (V::NginxVersion, env!("CARGO_PKG_VERSION")),
        (V::ProxyHost, "app"),
        (V::ProxyPort, "80"),
    ] {
        check(&case, variable, Some(expected));
    }
    case.request.client.is_pipelined = true;
    check(&case, V::Pipe, Some("p"));
    check(&case, V::TcpinfoRtt, None);
    let path = Path { rtt_us: 51, rttvar_us: 25, snd_cwnd: 10, rcv_space: 65_483 };
    case.request.client.path = Some(path);
    for (variable, expected) in [
        (V::TcpinfoRtt, "51"),
        (V::TcpinfoRttvar, "25"),
        (V::TcpinfoSndCwnd, "10"),
        (V::TcpinfoRcvSpace, "65483"),
    ] {
        check(&case, variable, Some(expected));
    }
    let mut out = Vec::new();
    case.view(&Response::default()).push_variable(&V::BinaryRemoteAddr, &mut out);
    assert_eq!(out, [10, 0, 0, 9]);
    case.request.client.remote = "[::1]:1".parse().unwrap();
    out.clear();
    case.view(&Response::default()).push_variable(&V::BinaryRemoteAddr, &mut out);
    assert_eq!(out.len(), 16);
}

#[test]
fn times_are_those_of_the_moment_and_of_the_request() {
    let case = case();
    check(&case, V::Msec, Some("1795467189.123"));
    check(&case, V::DateGmt, Some("Monday, 23-Nov-2026 20:53:09 GMT"));
    check(&case, V::DateLocal, Some("Monday, 23-Nov-2026 20:53:09 UTC"));
    check(&case, V::TimeLocal, Some("23/Nov/2026:20:53:09 +0000"));
    check(&case, V::TimeIso8601, Some("2026-11-23T20:53:09+00:00"));
    // It began one second before.
    check(&case, V::RequestTime, Some("1.000"));
}

#[test]
fn an_answer_is_told_as_it_is_sent_and_as_it_came() {
    let case = case();
    let mut response =
        answer("HTTP/1.1 206 X\r\nServer: s\r\nSet-Cookie: c=1; d=2\r\nX-A: 1\r\nX-A: 2\r\n\r\n");
    response.filter(&case.context(true, false));
    let sent = Sent { head_bytes: 100, body_bytes: 20, is_whole: true, packed: Some((2125, 1000)) };
    let view = View { sent, ..case.view(&response) };
    let value = |variable: &V| {
        let mut out = Vec::new();
        view.push_variable(variable, &mut out).then(|| String::from_utf8(out).unwrap())
    };
    for (variable, expected) in [
        (V::Status, Some("206")),
        (V::BodyBytesSent, Some("20")),
        (V::BytesSent, Some("120")),
        (V::GzipRatio, Some("2.13")),
        (V::RequestCompletion, Some("OK")),
        (V::SentHttp(name("x_a")), Some("1, 2")),
        (V::SentHttp(name("connection")), Some("keep-alive")),
        (V::SentHttp(name("date")), Some("Mon, 23 Nov 2026 20:53:09 GMT")),
        (V::UpstreamHttp(name("server")), Some("s")),
        (V::UpstreamHttp(name("x_a")), Some("1, 2")),
        (V::UpstreamHttp(name("date")), None),
        (V::UpstreamCookie(name("c")), Some("1")),
        (V::UpstreamCookie(name("d")), None),
    ] {
        assert_eq!(value(&variable).as_deref(), expected, "{variable:?}");
    }
    check(&case, V::Status, Some("000"));
    check(&case, V::RequestCompletion, Some(""));
}

#[test]
fn attempts_are_told_in_their_order_with_what_is_not_known_as_a_dash() {
    let mut case = case();
    let mut call = crate::upstream::call::Call::default();
    let config = case.generation().config();
    let mut peers = crate::upstream::peers::Peers::new(config);
    call.begin(case.pass(), config, 0, 1_000);
    let dial = |call: &mut crate::upstream::call::Call, peers: &mut _, attempts: &mut _, now| loop {
        if let crate::upstream::call::Step::Dial(id, address) =
            call.step(config, peers, attempts, now)
        {
            return (id, address);
        }
    };
    let mut attempts = Attempts::default();
    dial(&mut call, &mut peers, &mut attempts, 1_000);
    call.dial_failed(crate::fault::UpstreamFault::ConnectTimedOut, &mut attempts, 3_000);
    let (id, address) = dial(&mut call, &mut peers, &mut attempts, 3_000);
    call.attached((id, &address), false, &mut peers, &mut attempts, 3_005);
    if let Some(attempt) = attempts.last() {
        (attempt.bytes_sent, attempt.bytes_received, attempt.body_bytes) = (10, 20, 5);
    }
    case.attempts = attempts;
    for (variable, expected) in [
        (V::UpstreamAddr, "10.0.0.5:5001, 10.0.0.5:5002"),
        (V::UpstreamStatus, "504, -"),
        (V::UpstreamConnectTime, "-, 0.005"),
        (V::UpstreamHeaderTime, "-, -"),
        (V::UpstreamResponseTime, "2.000, -"),
        (V::UpstreamBytesSent, "0, 10"),
        (V::UpstreamBytesReceived, "0, 20"),
        (V::UpstreamResponseLength, "0, 5"),
    ] {
        check(&case, variable, Some(expected));
    }
}

#[test]
fn a_template_is_its_texts_and_values() {
    let at = at("http { server { listen 8080; return 200 \"a${uri}b$arg_none-$args\"; } }");
    let case = Case::at(at, "GET /x?y HTTP/1.1\r\nHost: a\r\n\r\n");
    let answer = case.request.at.server(case.request.place).program.returned(0).unwrap();
    let mut out = Vec::new();
    case.view(&Response::default()).push_template(answer.text.as_ref().unwrap(), &mut out);
    assert_eq!(out, b"a/xb-y");
}

#[test]
fn addresses_are_written_as_they_are_known() {
    let check = |address: &str, expected: &str| {
        let mut out = Vec::new();
        push_address(address.parse().unwrap(), &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    };
    for address in ["0.0.0.0:0", "255.255.255.255:65535", "1.20.100.9:80", "[2001:db8::1]:443"] {
        check(address, address);
    }
    let check = |ip: &str, expected: &str| {
        let mut out = Vec::new();
        push_ip(ip.parse::<IpAddr>().unwrap(), &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    };
    check("10.0.0.100", "10.0.0.100");
    check("::ffff:10.0.0.1", "10.0.0.1");
    check("fe80::1", "fe80::1");
}

#[test]
fn what_is_computed_twice_is_the_same() {
    let generation = server("return 200;").generation().clone();
    let date = generation.date(NOW.unix_ms / 1_000);
    assert_eq!(date, generation.date(NOW.unix_ms / 1_000));
    assert_ne!(date, generation.date(NOW.unix_ms / 1_000 + 1));
    assert_eq!(&generation.date(0), b"Thu, 01 Jan 1970 00:00:00 GMT");
}
