//! Properties over drawn input: bytes survive the chunked coding however they are cut; verdicts
//! never change with more bytes; what is taken means the same to an independent reader.

mod common;

use common::Side::{Requests, Responses};
use common::{Draw, read, read_all_ways};
use http1::{
    BodyLength, BodyReader, BodyWriter, Field, Limits, Parsed, RequestHead, ResponseHead,
    parse_request, parse_response, push_end, push_field, push_status_line,
};

/// Pieces from which streams are put together, good and bad ones.
const PIECES: &[&str] = &[
    "GET / HTTP/1.1\r\n",
    "POST /a?b HTTP/1.1\r\n",
    "HTTP/1.1 200 OK\r\n",
    "HTTP/1.1 204 \r\n",
    "GET / HTTP/1.0\r\n",
    "Host: a\r\n",
    "Host: a:80\r\n",
    "host: b\r\n",
    "X: y\r\n",
    "X:\r\n",
    "Content-Length: 3\r\n",
    "Content-Length: 0\r\n",
    "Content-Length: +3\r\n",
    "Transfer-Encoding: chunked\r\n",
    "Transfer-Encoding: gzip\r\n",
    "Connection: close\r\n",
    "Connection: keep-alive\r\n",
    "\r\n",
    "\r\n",
    "\r\n",
    "\n",
    "\r",
    "abc",
    "3\r\nabc\r\n",
    "0\r\n\r\n",
    "0\r\nT: u\r\n\r\n",
    "1;x=y\r\nz\r\n",
    " ",
    "\t",
    "\0",
    ":",
    ",",
    "é",
    "HTTP/2.0",
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "X: a\r\n b\r\n",
    "HTTP/1.1 200 OK\n",
    "HTTP/1.10  302\r\n",
    "HTTP/1.0 200 a\x01b\r\n",
    "X@y: 1\r\n",
    "x_y: 1\n",
    "ü: 1\r\n",
    "Connection: x, close,X-Y\r\n",
    "Connection: x_y\n",
    "X: \x01\n",
    "X: a\r\r\n",
    "junk\r\n",
    "junk\n",
    "Content-Length: 3\n",
    "Transfer-Encoding: chunked\n",
    "\n",
    "\r\n\n",
];

fn draw_stream(draw: &mut Draw) -> Vec<u8> {
    let mut stream = Vec::new();
    match draw.below(6) {
        0 => {}
        1 => stream.extend_from_slice(b"HTTP/1.1 200 OK\r\n"),
        2 => stream.extend_from_slice(b"HTTP/1.1 200 OK\n"),
        _ => stream.extend_from_slice(b"POST / HTTP/1.1\r\nHost: a\r\n"),
    }
    for _ in 0..draw.below(9) {
        stream.extend_from_slice(PIECES[draw.below(PIECES.len())].as_bytes());
    }
    if draw.below(3) == 0 && !stream.is_empty() {
        let at = draw.below(stream.len());
        stream[at] = draw.below(256) as u8;
    }
    stream
}

#[test]
fn drawn_streams_are_read_the_same_in_every_cut() {
    for seed in 0..3_000 {
        let mut draw = Draw(seed);
        let stream = draw_stream(&mut draw);
        read_all_ways(Requests, Limits::default(), &stream);
        read_all_ways(Responses, Limits::default(), &stream);
    }
}

#[test]
fn drawn_streams_are_read_the_same_under_small_limits() {
    for seed in 0..2_000 {
        let mut draw = Draw(seed);
        let stream = draw_stream(&mut draw);
        let limits = Limits {
            line_bytes_max: 10 + draw.below(20),
            field_bytes_max: 5 + draw.below(25),
            head_bytes_max: 20 + draw.below(80),
            fields_max: draw.below(4),
        };
        read_all_ways(Requests, limits, &stream);
        read_all_ways(Responses, limits, &stream);
    }
}

#[test]
fn a_rejected_beginning_stays_rejected_whatever_follows() {
    for seed in 0..2_000 {
        for side in [Requests, Responses] {
            let mut draw = Draw(seed ^ 0x5eed);
            let mut stream = draw_stream(&mut draw);
            let (_, rejected) = read(side, Limits::default(), &stream, &[]);
            if rejected.is_some() {
                stream.extend_from_slice(&draw_stream(&mut draw));
                let (_, then) = read(side, Limits::default(), &stream, &[]);
                assert_eq!(then, rejected, "seed {seed}, {side:?}");
            }
        }
    }
}

/// The other parser knows no HTTP/1.2.
fn is_known_version(stream: &[u8]) -> bool {
    let mut lines = stream.split(|byte| matches!(byte, b'\r' | b'\n'));
    let line = lines.find(|line| !line.is_empty()).unwrap_or_default();
    line.starts_with(b"HTTP/1.0 ")
        || line.starts_with(b"HTTP/1.1 ")
        || line.ends_with(b"HTTP/1.0")
        || line.ends_with(b"HTTP/1.1")
}

/// It takes no name that is not a token, no line without a colon, no control bytes in values and
/// no carriage returns before a line end.
fn is_strict(field: &Field, stream: &[u8]) -> bool {
    let name_end = (field.name.start + field.name.len) as usize;
    let value_end = (field.value.start + field.value.len) as usize;
    let is_token = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    field.name.of(stream).iter().all(is_token)
        && stream[name_end] == b':'
        && field.value.of(stream).iter().all(|&byte| byte == b'\t' || !byte.is_ascii_control())
        && !stream[value_end..].starts_with(b"\r\r")
}

fn assert_same_fields(theirs: &[httparse::Header<'_>], ours: &[Field], stream: &[u8], seed: u64) {
    let theirs = theirs.iter().map(|field| (field.name.as_bytes(), field.value));
    let ours = ours.iter().map(|field| (field.name.of(stream), field.value.of(stream)));
    assert!(theirs.eq(ours), "seed {seed}");
}

#[test]
fn requests_that_are_taken_mean_the_same_to_another_parser() {
    let (mut taken, mut head) = (0, RequestHead::new());
    for seed in 0..40_000 {
        let mut draw = Draw(seed ^ 0xd1ff);
        let stream = draw_stream(&mut draw);
        let Parsed::Done { used, .. } = parse_request(&stream, &Limits::default(), &mut head)
        else {
            continue;
        };
        // It takes text only as a target.
        let target = head.target.of(&stream);
        if std::str::from_utf8(target).is_err()
            || !is_known_version(&stream)
            || !head.fields.iter().all(|field| is_strict(field, &stream))
        {
            continue;
        }
        taken += 1;
        let mut fields = [httparse::EMPTY_HEADER; 32];
        let mut other = httparse::Request::new(&mut fields);
        assert_eq!(other.parse(&stream), Ok(httparse::Status::Complete(used)), "seed {seed}");
        assert_eq!(other.method.map(str::as_bytes), Some(head.method.of(&stream)));
        assert_eq!(other.path.map(str::as_bytes), Some(head.target.of(&stream)));
        assert_same_fields(other.headers, &head.fields, &stream, seed);
    }
    assert!(taken > 1_000, "only {taken} drawn heads were good");
}

#[test]
fn responses_that_are_taken_mean_the_same_to_another_parser() {
    let (mut taken, mut head) = (0, ResponseHead::new());
    for seed in 0..20_000 {
        let mut draw = Draw(seed ^ 0xd1ff);
        let stream = draw_stream(&mut draw);
        let Parsed::Done { used, .. } = parse_response(&stream, 8 << 10, false, &mut head) else {
            continue;
        };
        let reason = head.reason.of(&stream);
        if !is_known_version(&stream)
            || reason.iter().any(|&byte| byte != b'\t' && byte.is_ascii_control())
            || !head.fields.iter().all(|field| is_strict(field, &stream))
        {
            continue;
        }
        taken += 1;
        let mut fields = [httparse::EMPTY_HEADER; 32];
        let mut other = httparse::Response::new(&mut fields);
        let parsed = httparse::ParserConfig::default()
            .allow_multiple_spaces_in_response_status_delimiters(true)
            .parse_response(&mut other, &stream);
        assert_eq!(parsed, Ok(httparse::Status::Complete(used)), "seed {seed}");
        assert_eq!(other.code, Some(head.status));
        assert_same_fields(other.headers, &head.fields, &stream, seed);
    }
    assert!(taken > 500, "only {taken} drawn heads were good");
}

/// What was parsed is written again, and read again by the strict side: it must be the same.
#[test]
fn what_is_taken_from_an_upstream_may_be_written_and_is_read_again_as_the_same() {
    let (mut taken, mut head, mut again) = (0, ResponseHead::new(), ResponseHead::new());
    for seed in 0..20_000 {
        let stream = draw_stream(&mut Draw(seed ^ 0xe317));
        if !matches!(parse_response(&stream, 8 << 10, false, &mut head), Parsed::Done { .. }) {
            continue;
        }
        taken += 1;
        let mut out = Vec::new();
        push_status_line(&mut out, head.version, head.status, head.reason.of(&stream));
        for field in &head.fields {
            push_field(&mut out, field.name.of(&stream), field.value.of(&stream));
        }
        push_end(&mut out);
        let parsed = parse_response(&out, 16 << 10, false, &mut again);
        assert_eq!(parsed, Parsed::Done { value: (), used: out.len() }, "seed {seed}");
        let text = |head: &ResponseHead, bytes: &[u8]| -> Vec<_> {
            let fields = head.fields.iter();
            let text = |f: &Field| (f.name.of(bytes).to_vec(), f.value.of(bytes).to_vec(), f.class);
            fields.map(text).collect()
        };
        assert_eq!(text(&head, &stream), text(&again, &out), "seed {seed}");
        assert_eq!(head.reason.of(&stream), again.reason.of(&out), "seed {seed}");
        assert_eq!((head.body, head.connection), (again.body, again.connection), "seed {seed}");
        let breaks = out.windows(2).filter(|pair| pair == b"\r\n").count();
        let controls = out.iter().filter(|byte| matches!(byte, 0 | b'\r' | b'\n')).count();
        assert_eq!((breaks, controls), (head.fields.len() + 2, 2 * breaks), "seed {seed}");
    }
    assert!(taken > 500, "only {taken} drawn heads were good");
}

#[test]
fn data_survives_the_chunked_coding_in_drawn_cuts() {
    for seed in 0..500 {
        let mut draw = Draw(seed);
        let data: Vec<u8> = (0..draw.below(3_000)).map(|_| draw.next() as u8).collect();
        let writer = BodyWriter::new(BodyLength::Chunked);
        let (mut wire, mut rest) = (Vec::new(), &data[..]);
        while !rest.is_empty() {
            let (piece, after) = rest.split_at(1 + draw.below(rest.len()));
            writer.write(piece, &mut wire);
            writer.write(b"", &mut wire);
            rest = after;
        }
        writer.finish(&mut wire);
        wire.extend_from_slice(b"next");
        let (mut reader, mut decoded) = (BodyReader::new(BodyLength::Chunked), Vec::new());
        let (mut from, mut to) = (0, 0);
        while !reader.is_done() {
            let part = reader.read(&wire[from..to]).expect("own chunks are good");
            decoded.extend_from_slice(part.data);
            from += part.used;
            if part.used == 0 && !reader.is_done() {
                assert!(to < wire.len(), "not done at the end, seed {seed}");
                to = (to + 1 + draw.below(100)).min(wire.len());
            }
        }
        assert_eq!((decoded, &wire[from..]), (data, &b"next"[..]), "seed {seed}");
    }
}
