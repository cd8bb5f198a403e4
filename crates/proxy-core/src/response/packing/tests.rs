//! Which answers are packed for whom, and what their heads say.

use super::*;
use crate::body::Mode;
use crate::body::gzip::LENT_MAX;
use crate::test_case::{Case, answer, lines};

#[test]
fn gzip_is_taken_where_it_is_named_and_weighs_something() {
    for (field, expected) in [
        ("gzip", true),
        ("GZIP", true),
        ("deflate, gzip", true),
        ("br,gzip;q=0.5", true),
        ("gzip;q=0.001", true),
        ("gzip; Q=1", true),
        ("gzip;q=0", false),
        ("gzip;q=0.000", false),
        ("xgzip, gzipx", false),
        ("*;q=1", true),
        ("*;q=0", false),
        ("*, gzip;q=0", false),
        ("identity", false),
        ("", false),
    ] {
        assert_eq!(accepts_gzip(field.as_bytes()), expected, "{field}");
    }
}

/// A request with these fields beside those that ask for gzip.
fn asked(content: &str, line: &str, fields: &str) -> Case {
    let always = "Host: main.test\r\nAccept-Encoding: gzip\r\n";
    Case::new(content, &format!("{line}\r\n{always}{fields}\r\n"))
}

/// What is told of an upstream's answer, in the words that stand after its status.
fn check_for(case: &Case, answer_lines: &str, expected: &[&str]) {
    let mut response = answer(&format!("HTTP/1.1 {answer_lines}\r\n"));
    framing::filter(&mut response, &case.context(true, false));
    filter(&mut response, &case.context(true, false));
    let told: Vec<String> = lines(&response).drain(1..).collect();
    let is_about = |line: &&String| !line.starts_with("Content-Type");
    let told: Vec<&str> = told.iter().filter(is_about).map(String::as_str).collect();
    assert_eq!(told, expected, "{answer_lines}");
}

const HTML: &str = "200 OK\r\nContent-Type: text/html\r\n";
const PACKED: [&str; 2] = ["Content-Encoding: gzip", "Transfer-Encoding: chunked"];

fn check(directives: &str, answer_lines: &str, expected: &[&str]) {
    let case = asked(&format!("gzip on; {directives} return 200;"), "GET / HTTP/1.1", "");
    check_for(&case, answer_lines, expected);
}

#[test]
fn what_is_packed_has_neither_a_length_nor_parts_and_a_weak_tag() {
    let with = |lines: &str| format!("{HTML}{lines}");
    check("", &with("Content-Length: 20\r\n"), &PACKED);
    check("", &with("Content-Length: 19\r\n"), &["Content-Length: 19"]);
    check("gzip_min_length 0;", &with("Content-Length: 1\r\n"), &PACKED);
    check("", &with("Transfer-Encoding: chunked\r\n"), &PACKED);
    check("", &with("Accept-Ranges: bytes\r\nContent-Length: 99\r\n"), &PACKED);
    let tagged = |tag: &str| with(&format!("ETag: {tag}\r\nContent-Length: 99\r\n"));
    let weak = ["Content-Encoding: gzip", "ETag: W/\"a\"", "Transfer-Encoding: chunked"];
    check("", &tagged("\"a\""), &weak);
    check("", &tagged("a"), &PACKED);
    let already = ["ETag: W/\"a\"", "Content-Encoding: gzip", "Transfer-Encoding: chunked"];
    check("", &tagged("W/\"a\""), &already);
}

#[test]
fn some_answers_are_packed_and_others_are_not() {
    for (head, expected) in [
        ("200 OK\r\nContent-Type: text/html\r\n", true),
        ("403 No\r\nContent-Type: TEXT/HTML;charset=x\r\n", true),
        ("404 No\r\nContent-Type: text/html; charset=x\r\n", true),
        ("200 OK\r\nContent-Type: text/html; a=b\r\n", false),
        ("200 OK\r\nContent-Type: text/html ; charset=x\r\n", false),
        ("200 OK\r\nContent-Type: text/css\r\n", false),
        ("200 OK\r\n", false),
        ("201 OK\r\nContent-Type: text/html\r\n", false),
        ("206 OK\r\nContent-Type: text/html\r\n", false),
        ("500 No\r\nContent-Type: text/html\r\n", false),
        ("200 OK\r\nContent-Type: text/html\r\nContent-Encoding: br\r\n", false),
    ] {
        let case = asked("gzip on; return 200;", "GET / HTTP/1.1", "");
        let response = answer(&format!("HTTP/1.1 {head}\r\n"));
        assert_eq!(response.is_gzip_meant(&case.request), expected, "{head}");
    }
}

#[test]
fn vary_is_told_whether_or_not_this_client_gets_it_packed() {
    let content = "gzip on; gzip_vary on; return 200;";
    let head = format!("{HTML}Vary: Origin\r\nContent-Length: 99\r\n");
    let vary = ["Vary: Accept-Encoding", "Vary: Origin"];
    let packed = asked(content, "GET / HTTP/1.1", "");
    let expected = [&vary[..], &PACKED].concat();
    check_for(&packed, &head, &expected);
    let plain = Case::get(content, "/");
    check_for(&plain, &head, &["Content-Length: 99", vary[0], vary[1]]);
    let other = "200 OK\r\nContent-Type: a/b\r\nContent-Length: 99\r\n";
    check_for(&packed, other, &["Content-Length: 99"]);
}

#[test]
fn who_comes_through_others_gets_what_the_file_lets_them() {
    let takes = |proxied: &str, fields: &str, lines: &str| {
        let via = format!("Via: 1.1 x\r\n{fields}");
        let case = asked(&format!("gzip_proxied {proxied}; return 200;"), "GET / HTTP/1.1", &via);
        let response = answer(&format!("HTTP/1.1 200 OK\r\n{lines}\r\n"));
        takes_gzip(&case.request, &response, 1_795_467_189)
    };
    const PAST: &str = "Expires: Thu, 01 Jan 1970 00:00:01 GMT\r\n";
    const FUTURE: &str = "Expires: Thu, 31 Dec 2037 23:55:55 GMT\r\n";
    for (proxied, fields, lines, expected) in [
        ("off", "", "", false),
        ("off any", "", "", false),
        ("any", "", "", true),
        ("auth", "Authorization: x\r\n", "ETag: a\r\n", true),
        ("expired", "", PAST, true),
        ("expired", "", FUTURE, false),
        ("expired", "", "Expires: 0\r\n", false),
        ("no-cache", "", PAST, false),
        ("no-cache", "", "Cache-Control: a\r\nCache-Control: b, No-Cache\r\n", true),
        ("no-cache", "", "Cache-Control: no-store\r\n", false),
        ("no-store", "", "Cache-Control: no-store\r\n", true),
        ("private", "", "Cache-Control: max-age=1, private\r\n", true),
        ("private", "", "Cache-Control: max-age=1, privately\r\n", false),
        ("no_last_modified", "", "Last-Modified: x\r\n", false),
        ("no_last_modified", "", "ETag: a\r\n", true),
        ("no_etag", "", "ETag: a\r\n", false),
        // nginx: where nothing is said any word lets it pass.
        ("expired", "", "ETag: a\r\n", true),
    ] {
        assert_eq!(takes(proxied, fields, lines), expected, "{proxied} {fields} {lines}");
    }
}

#[test]
fn old_clients_and_named_ones_get_it_as_it_is() {
    let takes = |directives: &str, line: &str, fields: &str| {
        let case = asked(&format!("{directives} return 200;"), line, fields);
        takes_gzip(&case.request, &Response::default(), 0)
    };
    const IE6: &str = "User-Agent: Mozilla/4.0 (compatible; MSIE 6.0; Windows)\r\n";
    const SV1: &str = "User-Agent: Mozilla/4.0 (compatible; MSIE 6.0; Windows; SV1)\r\n";
    for (directives, line, fields, expected) in [
        ("", "GET / HTTP/1.1", "", true),
        ("", "GET / HTTP/1.0", "", false),
        ("gzip_http_version 1.0;", "GET / HTTP/1.0", "", true),
        ("", "GET / HTTP/1.1", IE6, true),
        ("gzip_disable msie6;", "GET / HTTP/1.1", IE6, false),
        ("gzip_disable msie6;", "GET / HTTP/1.1", SV1, true),
        ("gzip_disable msie6;", "GET / HTTP/1.1", "User-Agent: MSIE 7.0;\r\n", true),
        ("gzip_disable \"MSIE [4-6]\\.\";", "GET / HTTP/1.1", SV1, false),
        ("gzip_disable ^msie;", "GET / HTTP/1.1", "User-Agent: MSIE 7.0;\r\n", false),
        ("gzip_disable ^$;", "GET / HTTP/1.1", "", true),
    ] {
        assert_eq!(takes(directives, line, fields), expected, "{directives} {line} {fields}");
    }
}

#[test]
fn an_old_client_that_would_go_on_sees_the_end_of_its_answer() {
    let content = "gzip on; gzip_http_version 1.0; return 200;";
    let case = asked(content, "GET / HTTP/1.0", "Connection: keep-alive\r\n");
    let mut response = answer(&format!("HTTP/1.1 {HTML}Content-Length: 99\r\n\r\n"));
    let writer = response.filter(&case.context(true, false));
    assert_eq!(writer, http1::BodyWriter::UntilClose);
    let told = lines(&response);
    assert!(told.contains(&"Connection: close".to_owned()), "{told:?}");
    assert!(!told.iter().any(|line| line.contains("keep-alive") || line.contains("Length")));
}

#[test]
fn where_too_many_are_packed_one_goes_out_as_it_is_and_that_is_told_once() {
    let case = asked("gzip on; gzip_vary on; return 200;", "GET / HTTP/1.1", "");
    let pool = &case.generation().packers;
    let lent: Vec<_> = (0..LENT_MAX).filter_map(|_| pool.lend(1, None)).collect();
    let expected = ["Content-Length: 99", "Vary: Accept-Encoding"];
    let head = format!("{HTML}Content-Length: 99\r\n");
    check_for(&case, &head, &expected);
    check_for(&case, &head, &expected);
    assert_eq!(case.request.values.borrow_mut().take_notes().len(), 1);
    drop(lent);
    let mut response = answer(&format!("HTTP/1.1 {head}\r\n"));
    filter(&mut response, &case.context(true, false));
    let chain = response.chain.as_mut().expect("there is room again");
    assert!(chain.pass(b"x", Mode::End).starts_with(&[0x1f, 0x8b]));
}
