//! The reader that all wire tests go through: a connection that is fed in pieces and tells, as
//! text, what it understood. How the bytes were cut must never show in that text.

#![allow(dead_code, reason = "each test file uses a part of it")]
#![allow(clippy::unwrap_used, reason = "writing to a string cannot fail")]

pub(crate) mod sent;

use std::fmt::Write;

use http1::{
    BodyLength, BodyReader, FieldClass, Limits, Parsed, Reject, RequestHead, ResponseHead, Span,
    parse_request, parse_response,
};

/// Which side's messages are read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Side {
    Requests,
    Responses,
    ResponsesToHead,
}

/// Reads one message after the other from a buffer, as the shells do.
pub(crate) struct Reader {
    side: Side,
    limits: Limits,
    buffer: Vec<u8>,
    request: RequestHead,
    response: ResponseHead,
    body: Option<BodyReader>,
    in_data: bool,
    pub(crate) trace: String,
    pub(crate) rejected: Option<Reject>,
}

impl Reader {
    pub(crate) fn new(side: Side, limits: Limits) -> Self {
        Reader {
            side,
            limits,
            buffer: Vec::new(),
            request: RequestHead::new(),
            response: ResponseHead::new(),
            body: None,
            in_data: false,
            trace: String::new(),
            rejected: None,
        }
    }

    pub(crate) fn feed(&mut self, piece: &[u8]) {
        self.buffer.extend_from_slice(piece);
        while self.rejected.is_none() && self.turn() {}
    }

    /// One step; false when it waits.
    fn turn(&mut self) -> bool {
        let buffer = std::mem::take(&mut self.buffer);
        let (used, goes_on) = match self.body {
            Some(body) => self.turn_body(body, &buffer),
            None => self.turn_head(&buffer),
        };
        assert!(used <= buffer.len(), "more was used than there is");
        self.buffer = buffer[used..].to_vec();
        goes_on
    }

    fn turn_head(&mut self, buffer: &[u8]) -> (usize, bool) {
        let to_head = self.side == Side::ResponsesToHead;
        let parsed = match self.side {
            Side::Requests => parse_request(buffer, &self.limits, &mut self.request),
            _ => parse_response(buffer, self.limits.head_bytes_max, to_head, &mut self.response),
        };
        match parsed {
            Parsed::NeedMore => (0, false),
            Parsed::Reject(reject) => {
                self.reject(reject);
                (0, false)
            }
            Parsed::Done { used, .. } => {
                let length = self.tell_head(buffer);
                self.body = Some(BodyReader::new(length));
                (used, true)
            }
        }
    }

    fn turn_body(&mut self, mut body: BodyReader, buffer: &[u8]) -> (usize, bool) {
        if body.is_done() {
            if self.in_data {
                self.trace.push('>');
            }
            self.trace.push('\n');
            (self.body, self.in_data) = (None, false);
            return (0, !buffer.is_empty());
        }
        match body.read(buffer) {
            Err(reject) => {
                assert_eq!(body.read(b"0\r\n\r\n"), Err(reject), "a rejection is final");
                assert_eq!(body.eof(), Err(reject));
                self.reject(reject);
                (0, false)
            }
            Ok(part) => {
                assert!(part.data.len() <= part.used);
                if !part.data.is_empty() && !self.in_data {
                    self.trace.push_str(" <");
                    self.in_data = true;
                }
                // A character for each byte, so that no cut shows.
                self.trace.extend(part.data.iter().map(|&byte| char::from(byte)));
                self.body = Some(body);
                (part.used, part.used > 0 || body.is_done())
            }
        }
    }

    fn reject(&mut self, reject: Reject) {
        write!(self.trace, "!{}", reject.label()).unwrap();
        self.rejected = Some(reject);
    }

    fn tell_head(&mut self, bytes: &[u8]) -> BodyLength {
        let text = |span: Span| String::from_utf8_lossy(span.of(bytes)).into_owned();
        let (fields, body, persistent) = match self.side {
            Side::Requests => {
                let head = &self.request;
                write!(
                    self.trace,
                    "{} {} {:?}",
                    text(head.method),
                    text(head.target),
                    head.version
                )
                .unwrap();
                if let Some(host) = head.host {
                    write!(self.trace, " host={}", text(host)).unwrap();
                }
                if head.expects_continue {
                    self.trace.push_str(" expects-continue");
                }
                if let Some(upgrade) = head.upgrade {
                    write!(self.trace, " upgrade={}", text(upgrade)).unwrap();
                }
                (&head.fields, head.body, head.persistent())
            }
            _ => {
                let head = &self.response;
                write!(self.trace, "{:?} {} {}", head.version, head.status, text(head.reason))
                    .unwrap();
                (&head.fields, head.body, head.persistent())
            }
        };
        for field in fields {
            let name = text(field.name);
            if !name.eq_ignore_ascii_case("host") {
                let mark = class_mark(field.name.of(bytes), field.class);
                write!(self.trace, " [{}={}]{mark}", name, text(field.value)).unwrap();
            }
        }
        write!(self.trace, " {body:?}{}", if persistent { "" } else { " last" }).unwrap();
        body
    }
}

/// How a field's class shows in the trace: not at all where its name is a plain one.
fn class_mark(name: &[u8], class: FieldClass) -> &'static str {
    match (class, FieldClass::of_name(name)) {
        (FieldClass::Hop, FieldClass::Hop) | (FieldClass::EndToEnd, FieldClass::EndToEnd) => "",
        (FieldClass::Hop, _) => "-",
        (FieldClass::Underscored, FieldClass::Underscored) => "_",
        (FieldClass::Odd, FieldClass::Odd) => "?",
        _ => "!",
    }
}

/// What a reader tells of `wire` fed in the pieces that end at `cuts` and at its end.
pub(crate) fn read(
    side: Side,
    limits: Limits,
    wire: &[u8],
    cuts: &[usize],
) -> (String, Option<Reject>) {
    let mut reader = Reader::new(side, limits);
    let mut from = 0;
    for &cut in cuts.iter().chain([&wire.len()]) {
        reader.feed(&wire[from..cut]);
        from = cut;
    }
    (reader.trace, reader.rejected)
}

/// Feeds `wire` whole, cut at every point, and one byte at a time: the same must be told each
/// time. Returns it.
pub(crate) fn read_all_ways(side: Side, limits: Limits, wire: &[u8]) -> (String, Option<Reject>) {
    let whole = read(side, limits, wire, &[]);
    for cut in 1..wire.len() {
        let cut_once = read(side, limits, wire, &[cut]);
        assert_eq!(cut_once, whole, "cut at {cut} of {:?}", String::from_utf8_lossy(wire));
    }
    let every: Vec<usize> = (1..wire.len()).collect();
    assert_eq!(read(side, limits, wire, &every), whole, "{:?}", String::from_utf8_lossy(wire));
    whole
}

/// A wire case that is taken: what the reader tells, line by line.
pub(crate) fn check(side: Side, wire: &[u8], expected: &str) {
    let (told, rejected) = read_all_ways(side, Limits::default(), wire);
    assert_eq!(rejected, None, "{}", String::from_utf8_lossy(wire));
    assert_eq!(told.trim_end(), expected, "{}", String::from_utf8_lossy(wire));
}

/// A wire case that is rejected, exactly when the last byte of `upto` has come, and the same
/// whatever follows.
pub(crate) fn check_reject(side: Side, upto: &[u8], rest: &[u8], expected: Reject) {
    check_reject_within(side, Limits::default(), upto, rest, expected);
}

/// As [`check_reject`], under other limits.
pub(crate) fn check_reject_within(
    side: Side,
    limits: Limits,
    upto: &[u8],
    rest: &[u8],
    expected: Reject,
) {
    let shown = String::from_utf8_lossy(upto);
    let wire = [upto, rest].concat();
    let (_, rejected) = read_all_ways(side, limits, &wire);
    assert_eq!(rejected, Some(expected), "{shown:?}");
    let (_, before) = read_all_ways(side, limits, &upto[..upto.len() - 1]);
    assert_eq!(before, None, "rejected before its last byte: {shown:?}");
    let (_, at) = read_all_ways(side, limits, upto);
    assert_eq!(at, Some(expected), "not rejected at its last byte: {shown:?}");
}

/// A generator of draws for tests (splitmix64): small, and its seeds stay valid for ever.
pub(crate) struct Draw(pub(crate) u64);

impl Draw {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Below `bound`, which is not 0.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }
}
