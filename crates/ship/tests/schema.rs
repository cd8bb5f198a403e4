//! What is sent as OTLP, read with the official schema (PyPI's opentelemetry-proto): protocol buffers
//! and JSON are the same message, and it says what the records say.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use ship::courier::{Courier, Next, Settings};
use ship::format::{Format, Names, Shape};
use ship::long::Long;
use tail::envelope;
use tail::format::{Origin, Part, Record};

/// Reads both, and prints the message. Its own fields are all that may be in it.
const PROGRAM: &str = r#"
import sys
from google.protobuf import json_format, unknown_fields
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

def check(message):
    assert len(unknown_fields.UnknownFieldSet(message)) == 0, message
    for field, value in message.ListFields():
        if field.message_type is not None:
            for one in (value if field.is_repeated else [value]):
                check(one)

binary, text = sys.stdin.buffer.read().split(b"\n--\n")
message = ExportLogsServiceRequest.FromString(binary)
check(message)
same = json_format.Parse(text, ExportLogsServiceRequest())
assert message == same, (message, same)
assert message.SerializeToString(deterministic=True) == binary
pairs = lambda pairs: " ".join(f"{p.key}={p.value.string_value or p.value.int_value}" for p in pairs)
for resource in message.resource_logs:
    print(pairs(resource.resource.attributes))
    for scope in resource.scope_logs:
        print(scope.scope.name)
        for log in scope.log_records:
            assert log.time_unix_nano == log.observed_time_unix_nano
            severity = f"{log.severity_number}{log.severity_text}"
            body = log.body.string_value
            body = repr(body) if len(body) < 100 else f"{len(body)} * {body[0]}"
            print(log.time_unix_nano, severity, body, pairs(log.attributes))
"#;

/// A Python with the schema, or None after saying loudly that there is none. In continuous
/// integration that is a failure.
fn find_python() -> Option<PathBuf> {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tools");
    let candidates = [tools.join("opentelemetry/bin/python3"), PathBuf::from("python3")];
    let found = candidates.into_iter().find(|python| {
        let mut command = Command::new(python);
        command.args(["-c", "import opentelemetry.proto.logs.v1.logs_pb2"]).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    });
    if found.is_none() {
        let missing = "no Python with opentelemetry-proto (scripts/test rust installs it)";
        assert!(std::env::var_os("CI").is_none(), "{missing}: the schema was not checked");
        // Straight to the terminal: the test harness keeps what a passing test prints.
        let _ = writeln!(std::io::stderr(), "\nNOT TESTED: {missing}\n");
    }
    found
}

fn request(format: Format, records: &[Record]) -> Vec<u8> {
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let mut courier = Courier::new(Settings {
        shape: Shape {
            format,
            labels: vec![pair("service.name", "shop"), pair("k8s.pod.name", "shop-1")],
            attributes: vec![pair("empty", "")],
            names: Names { time: String::new(), message: String::new(), file: String::new() },
            index: None,
            severity: true,
        },
        batch_bytes: 1 << 20,
        batch_ms: 0,
        record_bytes: 100_000,
        long: Long::Split,
        sender: String::new(),
        seed: 0,
    });
    let mut envelopes = Vec::new();
    records.iter().for_each(|record| envelope::push(&mut envelopes, record));
    assert_eq!(courier.offer(0, &envelopes, 0), envelopes.len());
    let Next::Send(parcel) = courier.next(0) else { panic!("nothing to send") };
    parcel.pieces().collect::<Vec<_>>().concat()
}

#[test]
fn the_official_schema_reads_every_record_in_both_encodings_alike() {
    let Some(python) = find_python() else { return };
    let long = "x".repeat(20_000);
    let file = Origin { ino: 7, ..Origin::default() };
    let source = Path::new("/log/ä.log");
    let plain =
        Record { text: b"", offset: 5, time_ms: 1_764_100_800_123, file, source, part: None };
    let part = |goes_on| Some(Part { ino: 7, offset: 100, number: 1, goes_on });
    let records = [
        plain,
        Record { text: b"ERROR \"a\"\\\tb\0\r", ..plain },
        Record { text: b"a\xffb\xf0\x9f\xa6\x80", ..plain },
        Record { text: long.as_bytes(), offset: 100, part: part(true), ..plain },
        Record { text: b"rest", offset: 20_100, part: part(false), ..plain },
    ];
    let both = [Format::Otlp, Format::OtlpJson].map(|format| request(format, &records));
    let mut child = Command::new(python)
        .args(["-c", PROGRAM])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(&both.join(&b"\n--\n"[..])).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    let expected = "service.name=shop k8s.pod.name=shop-1 empty=0\nlog-scraper\n\
         1764100800123000000 0 '' log.file.path=/log/ä.log\n\
         1764100800123000001 17ERROR 'ERROR \"a\"\\\\\\tb\\x00' log.file.path=/log/ä.log\n\
         1764100800123000002 0 'a\u{fffd}b🦀' log.file.path=/log/ä.log\n\
         1764100800123000003 0 20000 * x log.file.path=/log/ä.log log.part_of=7-100 log.part_at=0 \
         log.partial=true\n\
         1764100800123000004 0 'rest' log.file.path=/log/ä.log log.part_of=7-100 \
         log.part_at=20000 log.partial=false\n";
    assert_eq!(String::from_utf8_lossy(&output.stdout), expected);
}
