//! OTLP/HTTP: `ExportLogsServiceRequest` in protocol buffers and in JSON, and its partial success.
//!
//! Owns the messages' fields (opentelemetry-proto 1.x, `logs/v1/logs.proto`). One resource, one scope,
//! and a log record for each record; a test checks it against the official schema.

use tail::json;

use crate::answer::Partial;
use crate::format::{Entry, Pair, Shape, line_name, push_decimal, push_pair};
use crate::protobuf::{
    Short, Value, bytes_len, next_field, push_bytes, push_head, push_number, without_head,
};
use crate::severity;

/// The instrumentation scope.
const SCOPE: &str = "log-scraper";
/// `ExportLogsServiceRequest.resource_logs`, `ResourceLogs.resource`, `ScopeLogs.scope`, `KeyValue.key`,
/// `AnyValue.string_value`, `Resource.attributes`.
const FIRST: u32 = 1;
/// `ResourceLogs.scope_logs`, `ScopeLogs.log_records`, `KeyValue.value`.
const SECOND: u32 = 2;
/// `AnyValue.int_value`.
const INT_VALUE: u32 = 3;
/// Fields of `LogRecord`.
const TIME: u32 = 1;
const SEVERITY_NUMBER: u32 = 2;
const SEVERITY_TEXT: u32 = 3;
const BODY: u32 = 5;
const ATTRIBUTES: u32 = 6;
const OBSERVED_TIME: u32 = 11;

/// Attributes of a record.
const PATH: &str = "log.file.path";
const PART_OF: &str = "log.part_of";
const PART_AT: &str = "log.part_at";
const PARTIAL: &str = "log.partial";

fn resource_pairs(shape: &Shape) -> impl Iterator<Item = &Pair> {
    shape.labels.iter().chain(&shape.attributes)
}

/// Writes protocol buffers.
#[derive(Clone, Debug)]
pub(crate) struct Otlp {
    /// `ResourceLogs.resource`, whole.
    resource: Vec<u8>,
    /// `ScopeLogs.scope`, whole.
    scope: Vec<u8>,
    severity: bool,
}

impl Otlp {
    pub(crate) fn new(shape: &Shape) -> Otlp {
        let mut attributes = Vec::new();
        for (name, value) in resource_pairs(shape) {
            push_attribute(&mut attributes, FIRST, name, value);
        }
        let mut resource = Vec::new();
        push_bytes(&mut resource, FIRST, &attributes);
        let mut name = Vec::new();
        push_bytes(&mut name, FIRST, SCOPE.as_bytes());
        push_bytes(&mut name, SECOND, env!("CARGO_PKG_VERSION").as_bytes());
        let mut scope = Vec::new();
        push_bytes(&mut scope, FIRST, &name);
        Otlp { resource, scope, severity: shape.severity }
    }

    /// What stands before records of so many bytes.
    pub(crate) fn head(&self, records_len: usize) -> Vec<u8> {
        let scope_logs_len = self.scope.len() + records_len;
        let mut head = Vec::new();
        push_head(&mut head, FIRST, self.resource.len() + bytes_len(scope_logs_len));
        head.extend_from_slice(&self.resource);
        push_head(&mut head, SECOND, scope_logs_len);
        head.extend_from_slice(&self.scope);
        head
    }

    /// The attribute that says which file it is.
    pub(crate) fn place(path: &str) -> Vec<u8> {
        let mut place = Vec::new();
        push_attribute(&mut place, ATTRIBUTES, PATH, path);
        place
    }

    pub(crate) fn push(&self, out: &mut Vec<u8>, entry: &Entry) {
        let severity = if self.severity { severity::of(entry.text) } else { None };
        let body_len = bytes_len(entry.text.len());
        let mut pieces = Vec::new();
        if let Some(piece) = &entry.piece {
            push_attribute(&mut pieces, ATTRIBUTES, PART_OF, &line_name(piece));
            push_integer(&mut pieces, ATTRIBUTES, PART_AT, piece.at);
            push_attribute(&mut pieces, ATTRIBUTES, PARTIAL, bool_text(piece.goes_on));
        }
        let severity_len = severity.map_or(0, |one| 2 + bytes_len(one.word.len()));
        let around_len = entry.place.len() + pieces.len();
        let len = 2 * 9 + severity_len + bytes_len(body_len) + around_len;
        let mut head = Short::default();
        head.push_head(SECOND, len);
        head.push_fixed64(TIME, entry.time_ns);
        if let Some(severity) = severity {
            head.push_number(SEVERITY_NUMBER, u64::from(severity.number));
            head.push_bytes(SEVERITY_TEXT, severity.word);
        }
        head.push_head(BODY, body_len);
        head.push_head(FIRST, entry.text.len());
        let mut end = Short::default();
        end.push_fixed64(OBSERVED_TIME, entry.time_ns);
        out.reserve(bytes_len(len));
        let parts = [head.bytes(), entry.text, entry.place, &pieces, end.bytes()];
        parts.iter().for_each(|part| out.extend_from_slice(part));
    }
}

/// Bytes of a `KeyValue` whose value is text.
fn attribute_len(name: &str, value: &str) -> usize {
    bytes_len(name.len()) + bytes_len(bytes_len(value.len()))
}

fn push_attribute(out: &mut Vec<u8>, field: u32, name: &str, value: &str) {
    push_head(out, field, attribute_len(name, value));
    push_bytes(out, FIRST, name.as_bytes());
    push_head(out, SECOND, bytes_len(value.len()));
    push_bytes(out, FIRST, value.as_bytes());
}

fn push_integer(out: &mut Vec<u8>, field: u32, name: &str, value: u64) {
    let mut any = Vec::new();
    push_number(&mut any, INT_VALUE, value);
    let mut pair = Vec::new();
    push_bytes(&mut pair, FIRST, name.as_bytes());
    push_bytes(&mut pair, SECOND, &any);
    push_bytes(out, field, &pair);
}

/// Attributes of pieces are texts where they are no numbers, so that every store shows them.
fn bool_text(value: bool) -> &'static str {
    if value { "true" } else { "false" }
}

/// Writes JSON (OTLP's mapping: numbers of 64 bits are texts).
#[derive(Clone, Debug)]
pub(crate) struct OtlpJson {
    pub(crate) head: Vec<u8>,
    severity: bool,
}

impl OtlpJson {
    pub(crate) fn new(shape: &Shape) -> OtlpJson {
        let mut head = b"{\"resourceLogs\":[{\"resource\":{\"attributes\":[".to_vec();
        for (number, (name, value)) in resource_pairs(shape).enumerate() {
            if number > 0 {
                head.push(b',');
            }
            push_json_attribute(&mut head, name, value);
        }
        head.extend_from_slice(b"]},\"scopeLogs\":[{\"scope\":{");
        push_pair(&mut head, "name", SCOPE);
        head.push(b',');
        push_pair(&mut head, "version", env!("CARGO_PKG_VERSION"));
        head.extend_from_slice(b"},\"logRecords\":[");
        OtlpJson { head, severity: shape.severity }
    }

    /// The end of the text, and the attribute that says which file it is.
    pub(crate) fn place(path: &str) -> Vec<u8> {
        let mut place = b"},\"attributes\":[".to_vec();
        push_json_attribute(&mut place, PATH, path);
        place
    }

    pub(crate) fn push(&self, out: &mut Vec<u8>, entry: &Entry) {
        out.extend_from_slice(b",{\"timeUnixNano\":\"");
        push_decimal(out, entry.time_ns);
        out.extend_from_slice(b"\",\"observedTimeUnixNano\":\"");
        push_decimal(out, entry.time_ns);
        out.extend_from_slice(b"\",");
        if let Some(severity) = severity::of(entry.text).filter(|_| self.severity) {
            out.extend_from_slice(b"\"severityNumber\":");
            push_decimal(out, u64::from(severity.number));
            out.extend_from_slice(b",\"severityText\":");
            json::push_utf8(out, severity.word);
            out.push(b',');
        }
        out.extend_from_slice(b"\"body\":{\"stringValue\":");
        json::push_utf8(out, entry.text);
        out.extend_from_slice(entry.place);
        if let Some(piece) = &entry.piece {
            out.push(b',');
            push_json_attribute(out, PART_OF, &line_name(piece));
            out.extend_from_slice(b",{\"key\":\"log.part_at\",\"value\":{\"intValue\":\"");
            push_decimal(out, piece.at);
            out.extend_from_slice(b"\"}},");
            push_json_attribute(out, PARTIAL, bool_text(piece.goes_on));
        }
        out.extend_from_slice(b"]}");
    }
}

fn push_json_attribute(out: &mut Vec<u8>, name: &str, value: &str) {
    out.push(b'{');
    push_pair(out, "key", name);
    out.extend_from_slice(b",\"value\":{");
    push_pair(out, "stringValue", value);
    out.extend_from_slice(b"}}");
}

/// The partial success in an answer (`ExportLogsServiceResponse.partial_success`), if there is one. Of
/// one that was cut off it is what there is.
pub(crate) fn partial_success(body: &[u8], is_cut: bool) -> Option<Partial> {
    let mut rest = body;
    while let Some((field, value)) = next_field(&mut rest) {
        if let (1, Value::Bytes(partial)) = (field, value) {
            return Some(read_partial(partial));
        }
    }
    is_cut.then(|| read_partial(without_head(body)))
}

fn read_partial(mut partial: &[u8]) -> Partial {
    let mut found = Partial::default();
    while let Some(field) = next_field(&mut partial) {
        match field {
            (1, Value::Number(rejected)) => found.refused = rejected,
            (2, Value::Bytes(words)) => found.words = String::from_utf8_lossy(words).into(),
            _ => {}
        }
    }
    found
}

/// The same in JSON, if it has one: `{"partialSuccess":{"rejectedLogRecords":"2","errorMessage":"…"}}`.
pub(crate) fn partial_success_in_json(body: &[u8]) -> Option<Partial> {
    let text = String::from_utf8_lossy(body);
    let text = text.strip_prefix('{')?;
    let (_, partial) = text.split_once("\"partialSuccess\"")?;
    let value_of = |name: &str| {
        let (_, behind) = partial.split_once(name)?;
        Some(behind.trim_start().strip_prefix(':')?.trim_start())
    };
    let refused = value_of("\"rejectedLogRecords\"").map(|value| value.trim_start_matches('"'));
    let refused = refused.and_then(|value| value.split(|c: char| !c.is_ascii_digit()).next());
    let refused = refused.and_then(|digits| digits.parse().ok()).unwrap_or(0);
    let words = value_of("\"errorMessage\"").and_then(|value| value.strip_prefix('"'));
    let words = words.and_then(|value| value.split('"').next()).unwrap_or_default();
    Some(Partial { refused, words: words.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::Format;
    use crate::format::tests::{entry, request, shape};
    use crate::long::Piece;

    #[test]
    fn a_record_in_json_is_as_the_mapping_says() {
        let piece = Some(Piece { of: (7, 4096), at: 12, goes_on: false });
        let entries = [entry("WARN \"a\""), Entry { piece, ..entry("b") }];
        let seen = String::from_utf8(request(&shape(Format::OtlpJson), &entries)).unwrap();
        let attribute = |name: &str, value: &str| {
            format!(r#"{{"key":"{name}","value":{{"stringValue":"{value}"}}}}"#)
        };
        let (app, pod) = (attribute("app", "shop"), attribute("k8s.pod.name", "shop-1"));
        let node = attribute("node", "a\\\"b");
        let version = env!("CARGO_PKG_VERSION");
        let scope = format!(r#"{{"name":"log-scraper","version":"{version}"}}"#);
        let time = r#""timeUnixNano":"1764100800123000001""#;
        let observed = r#""observedTimeUnixNano":"1764100800123000001""#;
        let path = attribute("log.file.path", "/log/a.log");
        let severity = r#""severityNumber":13,"severityText":"WARN""#;
        let part_of = attribute("log.part_of", "7-4096");
        let part_at = r#"{"key":"log.part_at","value":{"intValue":"12"}}"#;
        let partial = attribute("log.partial", "false");
        let expected = [
            format!(r#"{{"resourceLogs":[{{"resource":{{"attributes":[{app},{pod},{node}]}},"#),
            format!(r#""scopeLogs":[{{"scope":{scope},"logRecords":["#),
            format!(r#"{{{time},{observed},{severity},"body":{{"stringValue":"WARN \"a\""}},"#),
            format!(r#""attributes":[{path}]}},{{{time},{observed},"#),
            r#""body":{"stringValue":"b"},"#.to_owned(),
            format!(r#""attributes":[{path},{part_of},{part_at},{partial}]}}]}}]}}]}}"#),
        ];
        assert_eq!(seen, expected.concat());
    }

    #[test]
    fn lengths_are_those_of_what_they_stand_before() {
        for len in [0, 1, 90, 127, 128, 16_384] {
            let text = "x".repeat(len);
            let bytes = request(&shape(Format::Otlp), &[entry(&text), entry("b")]);
            let mut rest = bytes.as_slice();
            let Some((1, Value::Bytes(mut logs))) = next_field(&mut rest) else { panic!("{len}") };
            assert!(rest.is_empty(), "one resource is all");
            assert!(matches!(next_field(&mut logs), Some((1, Value::Bytes(_)))));
            let Some((2, Value::Bytes(mut scope))) = next_field(&mut logs) else { panic!("{len}") };
            assert!(logs.is_empty(), "one scope is all");
            assert!(matches!(next_field(&mut scope), Some((1, Value::Bytes(_)))));
            assert!(matches!(next_field(&mut scope), Some((2, Value::Bytes(_)))));
            assert!(matches!(next_field(&mut scope), Some((2, Value::Bytes(_)))));
            assert!(scope.is_empty(), "two records are all");
        }
    }

    #[test]
    fn a_partial_success_says_how_many_were_refused() {
        let check = |body: &[u8], expected: Option<(u64, &str)>| {
            let seen = partial_success(body, false);
            let seen = seen.map(|partial| (partial.refused, partial.words));
            assert_eq!(seen, expected.map(|(refused, words)| (refused, words.to_owned())));
        };
        check(b"", None);
        check(b"\x0a\x00", Some((0, "")));
        check(b"\x0a\x07\x08\x03\x12\x03old", Some((3, "old")));
        check(b"\x10\x05\x0a\x02\x08\x01", Some((1, "")));
        check(b"<html>", None);
        let cut = partial_success(b"\x0a\x83\x08\x08\x03\x12\xff\x07old", true);
        assert_eq!(cut, Some(Partial { refused: 3, words: String::new() }));
    }

    #[test]
    fn and_so_it_does_in_json() {
        let check = |body: &str, expected: Option<(u64, &str)>| {
            let seen = partial_success_in_json(body.as_bytes());
            let seen = seen.map(|partial| (partial.refused, partial.words));
            assert_eq!(
                seen,
                expected.map(|(refused, words)| (refused, words.to_owned())),
                "{body}"
            );
        };
        check("{}", None);
        check(r#"{"partialSuccess":null}"#, Some((0, "")));
        check(r#"{"partialSuccess":{}}"#, Some((0, "")));
        let body = r#"{"partialSuccess": {"rejectedLogRecords" : "3", "errorMessage": "old"}}"#;
        check(body, Some((3, "old")));
        check(r#"{"partialSuccess":{"rejectedLogRecords":4}}"#, Some((4, "")));
        check(r#"{"partialSuccess":{"rejectedLogRecords":"#, Some((0, "")));
    }
}
