//! Limits, on both sides: what meets a bound exactly passes, one byte or field more is rejected,
//! at that byte, however the bytes are cut.

mod common;

use common::Side::{Requests, Responses};
use common::{check_reject_within, read, read_all_ways};
use http1::{Limits, Reject};

const SMALL: Limits =
    Limits { line_bytes_max: 40, field_bytes_max: 30, head_bytes_max: 120, fields_max: 4 };

fn passes(side: common::Side, limits: Limits, wire: &[u8]) {
    let (told, rejected) = read_all_ways(side, limits, wire);
    assert_eq!(rejected, None, "{}", String::from_utf8_lossy(wire));
    assert!(told.contains("None") || told.contains("UntilClose"), "not complete: {told}");
}

/// A request line of exactly so many bytes.
fn request_line(bytes: usize) -> String {
    format!("GET /{} HTTP/1.1", "a".repeat(bytes - 14))
}

#[test]
fn a_request_line_is_bounded() {
    passes(Requests, SMALL, format!("{}\r\nHost: a\r\n\r\n", request_line(40)).as_bytes());
    // The last byte of the version is one too many.
    let upto = request_line(41);
    check_reject_within(Requests, SMALL, upto.as_bytes(), b"\r\n", Reject::TargetTooLong);
    let upto = format!("GET /{}", "a".repeat(36));
    check_reject_within(Requests, SMALL, upto.as_bytes(), b"aaaa", Reject::TargetTooLong);
    let upto = "G".repeat(41);
    check_reject_within(Requests, SMALL, upto.as_bytes(), b" /", Reject::TargetTooLong);
}

#[test]
fn empty_lines_before_the_request_count_for_the_head_only() {
    passes(Requests, SMALL, format!("\r\n{}\r\nHost: a\r\n\r\n", request_line(40)).as_bytes());
    let upto = format!("\r\n{}", request_line(41));
    check_reject_within(Requests, SMALL, upto.as_bytes(), b"\r\n", Reject::TargetTooLong);
    let lines = "\n".repeat(120 - 27);
    passes(Requests, SMALL, format!("{lines}GET / HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes());
    let upto = format!("\n{lines}GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    check_reject_within(Requests, SMALL, upto.as_bytes(), b"", Reject::HeadTooLarge);
    let upto = "\r\n".repeat(60) + "\r";
    check_reject_within(Requests, SMALL, upto.as_bytes(), b"\n", Reject::HeadTooLarge);
}

#[test]
fn the_head_of_a_response_is_bounded_as_a_whole_and_in_no_other_way() {
    let wire = |bytes: usize| format!("HTTP/1.1 200 {}\r\n\r\n", "x".repeat(bytes - 17));
    passes(Responses, SMALL, wire(120).as_bytes());
    check_reject_within(Responses, SMALL, wire(121).as_bytes(), b"", Reject::HeadTooLarge);
    let many = "a:\n".repeat(33);
    let wire = |bytes: usize| format!("HTTP/1.1 200 OK\n{many}b:{}\n\n", "b".repeat(bytes - 119));
    passes(Responses, SMALL, wire(120).as_bytes());
    check_reject_within(Responses, SMALL, wire(121).as_bytes(), b"", Reject::HeadTooLarge);

    let limits = Limits { head_bytes_max: 64 * 1024, ..Limits::default() };
    let cookie = format!("HTTP/1.1 204 x\r\nSet-Cookie: a={}\r\n\r\n", "c".repeat(40_000));
    let fields = format!("HTTP/1.1 204 x\r\n{}\r\n", "a: b\r\n".repeat(5_000));
    for wire in [cookie, fields] {
        assert_eq!(read(Responses, limits, wire.as_bytes(), &[30_000]).1, None);
    }
}

#[test]
fn a_field_line_is_bounded() {
    let wire = |bytes: usize| format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}", "b".repeat(bytes - 3));
    passes(Requests, SMALL, format!("{}\r\n\r\n", wire(30)).as_bytes());
    check_reject_within(Requests, SMALL, wire(31).as_bytes(), b"\r\n", Reject::FieldTooLarge);
    // White space counts, and so does a name without end.
    let upto = format!("GET / HTTP/1.1\r\nHost: a\r\nX:{}", " ".repeat(29));
    check_reject_within(Requests, SMALL, upto.as_bytes(), b"\r\n", Reject::FieldTooLarge);
    let upto = format!("GET / HTTP/1.1\r\nHost: a\r\n{}", "X".repeat(31));
    check_reject_within(Requests, SMALL, upto.as_bytes(), b": a\r\n", Reject::FieldTooLarge);
}

#[test]
fn a_bad_byte_before_a_bound_comes_first() {
    let upto = format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\0", "b".repeat(26));
    check_reject_within(Requests, SMALL, upto.as_bytes(), b"bb", Reject::FieldValueMalformed);
    let upto = format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}", "b".repeat(28));
    check_reject_within(Requests, SMALL, upto.as_bytes(), b"\0", Reject::FieldTooLarge);
}

#[test]
fn the_whole_head_is_bounded() {
    // 16 + 9 + two fields of 30 + ... adds up to 120 with the empty line.
    let wire = |last: usize| {
        let field = format!("X: {}\r\n", "b".repeat(27));
        let end = format!("Y: {}\r\n\r\n", "c".repeat(last));
        format!("GET / HTTP/1.1\r\nHost: a\r\n{field}{field}{end}")
    };
    let exact = 120 - wire(0).len();
    assert_eq!(wire(exact).len(), 120);
    passes(Requests, SMALL, wire(exact).as_bytes());
    let long = wire(exact + 1);
    check_reject_within(Requests, SMALL, long.as_bytes(), b"", Reject::HeadTooLarge);
}

#[test]
fn the_number_of_fields_is_bounded() {
    let fields =
        |count: usize| format!("GET / HTTP/1.1\r\nHost: a\r\n{}", "X: b\r\n".repeat(count));
    passes(Requests, SMALL, format!("{}\r\n", fields(3)).as_bytes());
    check_reject_within(Requests, SMALL, fields(4).as_bytes(), b"\r\n", Reject::TooManyFields);
}

/// 14,500 options and 300 fields: a step for each pair of them would be four million.
#[test]
fn nominating_the_same_names_again_costs_a_step_for_each_option() {
    let limits = Limits { field_bytes_max: 32 * 1024, ..Limits::default() };
    let options = &"a,B,".repeat(7_250)[..29_000];
    let fields = "c: 1\r\n".repeat(300);
    let wire = format!("GET / HTTP/1.0\r\nConnection: {options}\r\n{fields}\r\n");
    let mut head = http1::RequestHead::new();
    let began = std::time::Instant::now();
    for _ in 0..20 {
        let parsed = http1::parse_request(wire.as_bytes(), &limits, &mut head);
        assert!(matches!(parsed, http1::Parsed::Done { .. }));
    }
    assert!(began.elapsed().as_millis() < 2_000, "{} ms", began.elapsed().as_millis());
}

#[test]
fn the_default_limits_are_those_of_nginx() {
    let limits = Limits::default();
    let wire = |bytes| format!("{}\r\nHost: a\r\n\r\n", request_line(bytes));
    assert_eq!(read(Requests, limits, wire(8192).as_bytes(), &[]).1, None);
    assert_eq!(read(Requests, limits, wire(8193).as_bytes(), &[]).1, Some(Reject::TargetTooLong));
    let wire = |bytes: usize| format!("GET / HTTP/1.0\r\nX: {}\r\n\r\n", "b".repeat(bytes - 3));
    assert_eq!(read(Requests, limits, wire(8192).as_bytes(), &[]).1, None);
    assert_eq!(read(Requests, limits, wire(8193).as_bytes(), &[]).1, Some(Reject::FieldTooLarge));
    let wire = |count| format!("GET / HTTP/1.0\r\n{}\r\n", "X: b\r\n".repeat(count));
    assert_eq!(read(Requests, limits, wire(1_000).as_bytes(), &[]).1, None);
    assert_eq!(read(Requests, limits, wire(1_001).as_bytes(), &[]).1, Some(Reject::TooManyFields));
    let field = format!("X: {}\r\n", "b".repeat(1021));
    let wire = |count, rest| {
        format!("GET / HTTP/1.0\r\n{}X: {}\r\n\r\n", field.repeat(count), "b".repeat(rest))
    };
    let exact = 32 * 1024 - wire(31, 0).len();
    assert_eq!(read(Requests, limits, wire(31, exact).as_bytes(), &[]).1, None);
    let over = wire(31, exact + 1);
    assert_eq!(read(Requests, limits, over.as_bytes(), &[]).1, Some(Reject::HeadTooLarge));
}

#[test]
fn trailers_are_bounded() {
    let head = "POST / HTTP/1.0\r\n".replace("1.0", "1.1")
        + "Host: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n";
    let wire = |bytes: usize| {
        let line = format!("X: {}\r\n", "b".repeat(1019));
        let last = format!("X: {}\r\n", "b".repeat(bytes - 7 * 1024 - 5));
        format!("{head}{}{last}\r\n", line.repeat(7))
    };
    let check = |bytes, expected| {
        let wire = wire(bytes);
        let all: Vec<usize> = (1..wire.len()).collect();
        for cuts in [&[][..], &[wire.len() - 3], &all] {
            let (_, rejected) = read(Requests, Limits::default(), wire.as_bytes(), cuts);
            assert_eq!(rejected, expected);
        }
    };
    check(8192, None);
    check(8193, Some(Reject::TrailersTooLarge));
}

#[test]
fn parsing_again_needs_no_new_memory() {
    let wire = b"GET / HTTP/1.1\r\nHost: a\r\nA: 1\r\nB: 2\r\nC: 3\r\n\r\n";
    let mut head = http1::RequestHead::new();
    http1::parse_request(wire, &Limits::default(), &mut head);
    let (room, place) = (head.fields.capacity(), head.fields.as_ptr());
    for _ in 0..100 {
        http1::parse_request(wire, &Limits::default(), &mut head);
    }
    assert_eq!((head.fields.capacity(), head.fields.as_ptr()), (room, place));
}
