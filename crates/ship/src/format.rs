//! What a store's requests look like: the four formats behind one way of writing.
//!
//! Owns what is the same in all of them. A request is a beginning, records one behind the other, and
//! an end; each record stands for itself, so that any of them may be left out of a request.

use tail::format::Origin;

use crate::elastic::Elastic;
use crate::identity::Identity;
use crate::loki::Loki;
pub use crate::loki::label_name;
use crate::long::Piece;
use crate::ndjson::Ndjson;
use crate::otlp::{Otlp, OtlpJson};

/// A format of requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// OTLP/HTTP, protocol buffers.
    Otlp,
    /// OTLP/HTTP, JSON.
    OtlpJson,
    /// Loki's push in JSON.
    Loki,
    /// A JSON object on a line for each record.
    Ndjson,
    /// The bulk interface of Elasticsearch and OpenSearch.
    Elasticsearch,
}

impl Format {
    /// Where a store usually takes it.
    pub fn usual_path(self) -> &'static str {
        match self {
            Format::Otlp | Format::OtlpJson => "/v1/logs",
            Format::Loki => "/loki/api/v1/push",
            Format::Ndjson => "/",
            Format::Elasticsearch => "/_bulk",
        }
    }

    /// The request's media type.
    pub fn content_type(self) -> &'static str {
        match self {
            Format::Otlp => "application/x-protobuf",
            Format::OtlpJson | Format::Loki => "application/json",
            Format::Ndjson | Format::Elasticsearch => "application/x-ndjson",
        }
    }
}

/// Name and value.
pub type Pair = (String, String);

/// What is said with every record, and under which names.
#[derive(Clone, Debug)]
pub struct Shape {
    /// The format.
    pub format: Format,
    /// What tells this sender's records from others': stream labels, resource attributes, fields.
    pub labels: Vec<Pair>,
    /// What else is said of them: structured metadata, resource attributes, fields.
    pub attributes: Vec<Pair>,
    /// The field of a record's time, of its text and of its file, where the format leaves that open.
    pub names: Names,
    /// The index or data stream of Elasticsearch; none where the address has it.
    pub index: Option<String>,
    /// Whether a severity is looked for in each record.
    pub severity: bool,
}

/// Names of fields.
#[derive(Clone, Debug)]
pub struct Names {
    /// Of the time at which a record was first seen.
    pub time: String,
    /// Of its text.
    pub message: String,
    /// Of the path of its file.
    pub file: String,
}

/// A record as it is sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry<'a> {
    /// UTF-8.
    pub(crate) text: &'a [u8],
    pub(crate) time_ns: u64,
    /// The path of its file, as [`Writer::place`] writes it.
    pub(crate) place: &'a [u8],
    pub(crate) piece: Option<Piece>,
    pub(crate) sender: Identity,
    pub(crate) file: Origin,
    /// Where in the file the text begins.
    pub(crate) offset: u64,
}

/// Writes requests of one shape.
#[derive(Clone, Debug)]
pub(crate) enum Writer {
    Otlp(Otlp),
    OtlpJson(OtlpJson),
    Loki(Loki),
    Ndjson(Ndjson),
    Elastic(Elastic),
}

impl Writer {
    pub(crate) fn new(shape: &Shape) -> Writer {
        match shape.format {
            Format::Otlp => Writer::Otlp(Otlp::new(shape)),
            Format::OtlpJson => Writer::OtlpJson(OtlpJson::new(shape)),
            Format::Loki => Writer::Loki(Loki::new(shape)),
            Format::Ndjson => Writer::Ndjson(Ndjson::new(shape)),
            Format::Elasticsearch => Writer::Elastic(Elastic::new(shape)),
        }
    }

    /// The path of a file as it is in its records, with what is the same around it.
    pub(crate) fn place(&self, path: &str) -> Vec<u8> {
        match self {
            Writer::Otlp(_) => Otlp::place(path),
            Writer::OtlpJson(_) => OtlpJson::place(path),
            Writer::Loki(_) => Loki::place(path),
            Writer::Ndjson(ndjson) => ndjson.place(path),
            Writer::Elastic(elastic) => elastic.document.place(path),
        }
    }

    /// Appends a record.
    pub(crate) fn push(&mut self, out: &mut Vec<u8>, entry: &Entry) {
        match self {
            Writer::Otlp(otlp) => otlp.push(out, entry),
            Writer::OtlpJson(otlp) => otlp.push(out, entry),
            Writer::Loki(loki) => loki.push(out, entry),
            Writer::Ndjson(ndjson) => ndjson.push(out, entry),
            Writer::Elastic(elastic) => elastic.push(out, entry),
        }
    }

    /// What stands before records of so many bytes, and behind them.
    pub(crate) fn frame(&self, len: usize) -> (Vec<u8>, &'static [u8]) {
        match self {
            Writer::Otlp(otlp) => (otlp.head(len), b""),
            Writer::OtlpJson(otlp) => (otlp.head.clone(), b"]}]}]}"),
            Writer::Loki(loki) => (loki.head.clone(), b"]}]}"),
            Writer::Ndjson(_) | Writer::Elastic(_) => (Vec::new(), b""),
        }
    }

    /// Bytes at the beginning of a record that only stand between two of them.
    pub(crate) fn joint_len(&self) -> usize {
        match self {
            Writer::OtlpJson(_) | Writer::Loki(_) => 1,
            Writer::Otlp(_) | Writer::Ndjson(_) | Writer::Elastic(_) => 0,
        }
    }
}

/// `ino-offset`, which all pieces of a line have.
pub(crate) fn line_name(piece: &Piece) -> String {
    format!("{}-{}", piece.of.0, piece.of.1)
}

/// Writes `2026-11-25T20:00:00.123456789Z` behind what always stands before it. Most times are a
/// nanosecond after the last one, and most others of its second.
#[derive(Clone, Debug)]
pub(crate) struct Calendar {
    before_len: usize,
    /// The time that is written, none at first.
    time_ns: Option<u64>,
    /// What stands before it, and it.
    text: Vec<u8>,
}

/// Bytes up to the second.
const SECOND_BYTES: usize = 19;
const SECOND_NS: u64 = 1_000_000_000;

impl Calendar {
    pub(crate) fn behind(before: Vec<u8>) -> Calendar {
        Calendar { before_len: before.len(), time_ns: None, text: before }
    }

    /// Appends a time.
    #[inline]
    pub(crate) fn push(&mut self, out: &mut Vec<u8>, time_ns: u64) {
        let last_ns = self.time_ns.replace(time_ns);
        match self.text.as_mut_slice() {
            [.., digit @ b'0'..=b'8', _] if last_ns.is_some_and(|last| last + 1 == time_ns) => {
                *digit += 1;
            }
            _ => self.write(time_ns, last_ns),
        }
        out.extend_from_slice(&self.text);
    }

    fn write(&mut self, time_ns: u64, last_ns: Option<u64>) {
        let (second, mut rest) = (time_ns / SECOND_NS, time_ns % SECOND_NS);
        if last_ns.is_none_or(|last| last / SECOND_NS != second) {
            self.text.truncate(self.before_len);
            tail::format::push_time(&mut self.text, second * 1000);
        }
        self.text.truncate(self.before_len + SECOND_BYTES);
        let mut fraction = *b".000000000Z";
        for digit in fraction[1..10].iter_mut().rev() {
            *digit += (rest % 10) as u8;
            rest /= 10;
        }
        self.text.extend_from_slice(&fraction);
    }
}

/// Appends a number.
pub(crate) fn push_decimal(out: &mut Vec<u8>, number: u64) {
    let mut digits = [0; 20];
    let (mut at, mut rest) = (digits.len(), number);
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

/// Appends `"name":"value"`.
pub(crate) fn push_pair(out: &mut Vec<u8>, name: &str, value: &str) {
    tail::json::push_str(out, name);
    out.push(b':');
    tail::json::push_str(out, value);
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn shape(format: Format) -> Shape {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        Shape {
            format,
            labels: vec![pair("app", "shop"), pair("k8s.pod.name", "shop-1")],
            attributes: vec![pair("node", "a\"b")],
            names: Names {
                time: "@timestamp".into(),
                message: "message".into(),
                file: "file".into(),
            },
            index: Some("logs-shop-default".into()),
            severity: true,
        }
    }

    pub(crate) fn entry(text: &str) -> Entry<'_> {
        Entry {
            text: text.as_bytes(),
            time_ns: 1_764_100_800_123_000_001,
            place: b"",
            piece: None,
            sender: Identity::of_sender(b""),
            file: Origin::default(),
            offset: 0,
        }
    }

    /// The request that a shape makes of records.
    pub(crate) fn request(shape: &Shape, entries: &[Entry]) -> Vec<u8> {
        let mut writer = Writer::new(shape);
        let mut records = Vec::new();
        let place = writer.place("/log/a.log");
        for entry in entries {
            writer.push(&mut records, &Entry { place: &place, ..*entry });
        }
        let records = &records[writer.joint_len().min(records.len())..];
        let (head, end) = writer.frame(records.len());
        [&head, records, end].concat()
    }

    #[test]
    fn numbers_and_times_are_written_out() {
        let check = |number: u64| {
            let mut out = Vec::new();
            push_decimal(&mut out, number);
            assert_eq!(String::from_utf8(out).unwrap(), number.to_string());
        };
        [0, 9, 10, 1_764_100_800_123_000_001, u64::MAX].into_iter().for_each(check);
        let mut calendar = Calendar::behind(b"at ".to_vec());
        for (time_ns, expected) in [
            (0, "1970-01-01T00:00:00.000000000Z"),
            (1_764_100_800_123_000_001, "2025-11-25T20:00:00.123000001Z"),
            (1_764_100_800_123_000_002, "2025-11-25T20:00:00.123000002Z"),
            (1_764_100_800_123_000_009, "2025-11-25T20:00:00.123000009Z"),
            (1_764_100_800_123_000_010, "2025-11-25T20:00:00.123000010Z"),
            (1_764_100_800_999_999_999, "2025-11-25T20:00:00.999999999Z"),
            (1_764_100_801_000_000_000, "2025-11-25T20:00:01.000000000Z"),
            (1_764_100_800_000_000_000, "2025-11-25T20:00:00.000000000Z"),
        ] {
            let mut out = Vec::new();
            calendar.push(&mut out, time_ns);
            assert_eq!(String::from_utf8(out).unwrap(), format!("at {expected}"));
        }
    }
}
