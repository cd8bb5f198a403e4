//! Properties over drawn input: bytes survive the chunked coding however they are cut; verdicts
//! never change with more bytes; what is taken means the same to an independent reader.

mod common;

use common::Side::{Requests, Responses};
use common::{Draw, read, read_all_ways};
use http1::{BodyLength, BodyReader, BodyWriter, Limits, Parsed, RequestHead, parse_request};

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
];

fn draw_stream(draw: &mut Draw) -> Vec<u8> {
    let mut stream = Vec::new();
    if draw.below(4) > 0 {
        stream.extend_from_slice(b"POST / HTTP/1.1\r\nHost: a\r\n");
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
        let mut draw = Draw(seed ^ 0x5eed);
        let mut stream = draw_stream(&mut draw);
        let (_, rejected) = read(Requests, Limits::default(), &stream, &[]);
        if rejected.is_some() {
            stream.extend_from_slice(&draw_stream(&mut draw));
            assert_eq!(read(Requests, Limits::default(), &stream, &[]).1, rejected, "seed {seed}");
        }
    }
}

fn is_known_version(stream: &[u8]) -> bool {
    let line = stream.split(|&byte| byte == b'\r').find(|line| !line.is_empty());
    line.is_some_and(|line| line.ends_with(b"1.0") || line.ends_with(b"1.1"))
}

#[test]
fn what_is_taken_means_the_same_to_another_parser() {
    let (mut taken, mut head) = (0, RequestHead::new());
    for seed in 0..20_000 {
        let mut draw = Draw(seed ^ 0xd1ff);
        let stream = draw_stream(&mut draw);
        let Parsed::Done { used, .. } = parse_request(&stream, &Limits::default(), &mut head)
        else {
            continue;
        };
        // Two known differences: it takes text only as a target, and no HTTP/1.2.
        let target = head.target.of(&stream);
        if std::str::from_utf8(target).is_err() || !is_known_version(&stream) {
            continue;
        }
        taken += 1;
        let mut fields = [httparse::EMPTY_HEADER; 32];
        let mut other = httparse::Request::new(&mut fields);
        assert_eq!(other.parse(&stream), Ok(httparse::Status::Complete(used)), "seed {seed}");
        assert_eq!(other.method.map(str::as_bytes), Some(head.method.of(&stream)));
        assert_eq!(other.path.map(str::as_bytes), Some(head.target.of(&stream)));
        let theirs = other.headers.iter().map(|field| (field.name.as_bytes(), field.value));
        let ours = head.fields.iter().map(|f| (f.name.of(&stream), f.value.of(&stream)));
        assert!(theirs.eq(ours), "seed {seed}");
    }
    assert!(taken > 1_000, "only {taken} drawn heads were good");
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
