//! What the output looks like: the files' bytes, lines with their file's name, or JSON.
//!
//! Owns how one record is written. Pure; what a record is, [`crate::frame`] decides.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::json;
use crate::multiline::Multiline;

/// How lines are written.
#[derive(Clone, Debug, Default)]
pub enum Format {
    /// The files' bytes as they are.
    #[default]
    Raw,
    /// Each line behind the name of its file. A line end is added to a line that was cut.
    Prefixed,
    /// A JSON object for each record.
    Json {
        /// What becomes of lines that are JSON objects.
        json_lines: JsonLines,
        /// How lines make records.
        multiline: Multiline,
    },
}

/// What becomes of a line that is a JSON object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum JsonLines {
    /// It is the value of `line`.
    #[default]
    Nest,
    /// Its keys stand beside `time` and `file`, and in place of those it has itself.
    Merge,
    /// It is text, as every other line.
    Text,
}

/// One record and where it comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// Its text, without the last line end.
    pub text: &'a [u8],
    /// Where it begins in its file.
    pub offset: u64,
    /// When its beginning was first seen, in milliseconds since 1970.
    pub time_ms: u64,
    /// The path that is followed.
    pub source: &'a Path,
    /// It is a part of a line that was written out in several.
    pub part: Option<Part>,
}

/// A part of a line. All parts of one line name the same beginning, whatever became of the file's
/// path or of the file meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// Number of the file in which the line begins.
    pub ino: u64,
    /// Where in it the first part began.
    pub offset: u64,
    /// Which part it is, from 1.
    pub number: u32,
    /// The line goes on in another part.
    pub goes_on: bool,
}

impl Format {
    /// Whether the output is the files' bytes as they are.
    pub(crate) fn is_raw(&self) -> bool {
        matches!(self, Format::Raw)
    }

    /// How lines make records.
    pub(crate) fn multiline(&self) -> &Multiline {
        match self {
            Format::Raw | Format::Prefixed => &Multiline::Off,
            Format::Json { multiline, .. } => multiline,
        }
    }

    /// Appends a record, whole lines always.
    pub fn push(&self, out: &mut Vec<u8>, record: &Record) {
        match self {
            Format::Raw => out.extend_from_slice(record.text),
            Format::Prefixed => {
                let name = record.source.as_os_str().as_bytes();
                // A name with a line end in it must not look like a line.
                out.extend(name.iter().map(|byte| if *byte < 0x20 { b'?' } else { *byte }));
                out.extend_from_slice(b": ");
                out.extend_from_slice(record.text);
            }
            Format::Json { json_lines, .. } => push_json(out, record, *json_lines),
        }
        out.push(b'\n');
    }
}

fn push_json(out: &mut Vec<u8>, record: &Record, json_lines: JsonLines) {
    let object = match json_lines {
        JsonLines::Text => None,
        JsonLines::Nest | JsonLines::Merge if record.part.is_some() => None,
        JsonLines::Nest | JsonLines::Merge => json::object(record.text),
    };
    let merged = object.filter(|object| json_lines == JsonLines::Merge && !object.has_escaped_key);
    let (mut time, mut file) = (true, true);
    if let Some(object) = merged {
        (time, file) = (!object.has_time, !object.has_file);
    }
    out.push(b'{');
    if time {
        out.extend_from_slice(b"\"time\":\"");
        push_time(out, record.time_ms);
        out.extend_from_slice(b"\",");
    }
    if file {
        out.extend_from_slice(b"\"file\":");
        json::push_string(out, record.source.as_os_str().as_bytes());
        out.push(b',');
    }
    match (merged, object) {
        (Some(object), _) if object.is_empty => {
            out.pop();
        }
        (Some(object), _) => push_on_one_line(out, &object.text[1..object.text.len() - 1]),
        (None, Some(object)) => {
            out.extend_from_slice(b"\"line\":");
            push_on_one_line(out, object.text);
        }
        (None, None) => {
            out.extend_from_slice(b"\"line\":");
            json::push_string(out, record.text);
        }
    }
    if let Some(part) = record.part {
        let Part { ino, offset, number, goes_on } = part;
        let text = format!(",\"part\":{number},\"part_of\":\"{ino}-{offset}\"");
        out.extend_from_slice(text.as_bytes());
        if goes_on {
            out.extend_from_slice(b",\"partial\":true");
        }
    }
    out.push(b'}');
}

/// JSON that was checked: a line end in it is a blank between two of its parts.
fn push_on_one_line(out: &mut Vec<u8>, json: &[u8]) {
    out.extend(json.iter().map(|byte| if b"\r\n".contains(byte) { b' ' } else { *byte }));
}

/// `2026-11-25T20:00:00.123Z`, by the Gregorian calendar.
fn push_time(out: &mut Vec<u8>, unix_ms: u64) {
    let (days, ms) = (unix_ms / 86_400_000, unix_ms % 86_400_000);
    // Days since 1 March of year 0, so that the leap day ends a year; eras of 400 years.
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let months = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * months + 2) / 5 + 1;
    let month = if months < 10 { months + 3 } else { months - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let parts = [
        (year, 4, b'-'),
        (month, 2, b'-'),
        (day, 2, b'T'),
        (ms / 3_600_000, 2, b':'),
        (ms / 60_000 % 60, 2, b':'),
        (ms / 1000 % 60, 2, b'.'),
        (ms % 1000, 3, b'Z'),
    ];
    for (number, digits, end) in parts {
        out.extend((0..digits).rev().map(|place| b'0' + (number / 10_u64.pow(place) % 10) as u8));
        out.push(end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(text: &[u8]) -> Record<'_> {
        let source = Path::new("/log/a.log");
        Record { text, offset: 0, time_ms: 1_764_100_800_123, source, part: None }
    }

    fn written(format: &Format, record: &Record) -> String {
        let mut out = Vec::new();
        format.push(&mut out, record);
        String::from_utf8(out).unwrap()
    }

    fn check(json_lines: JsonLines, text: &str, expected: &str) {
        let format = Format::Json { json_lines, multiline: Multiline::Off };
        let seen = written(&format, &record(text.as_bytes()));
        let expected =
            expected.replace('@', r#""time":"2025-11-25T20:00:00.123Z","file":"/log/a.log""#);
        assert_eq!(seen, format!("{expected}\n"), "{json_lines:?} {text}");
        assert!(json::object(seen.trim_end().as_bytes()).is_some(), "{seen}");
    }

    #[test]
    fn lines_are_strings_and_objects_what_was_asked_for() {
        use JsonLines::{Merge, Nest, Text};
        for json_lines in [Nest, Merge, Text] {
            check(json_lines, "GET \"/\"\r", r#"{@,"line":"GET \"/\"\r"}"#);
            check(json_lines, "", r#"{@,"line":""}"#);
            check(json_lines, "[1,2]", r#"{@,"line":"[1,2]"}"#);
            check(json_lines, "{\"a\":1", r#"{@,"line":"{\"a\":1"}"#);
        }
        check(Text, r#"{"a":1}"#, r#"{@,"line":"{\"a\":1}"}"#);
        check(Nest, r#" {"a": 1.50}"#, r#"{@,"line":{"a": 1.50}}"#);
        check(Nest, "{\"a\":\n1}", r#"{@,"line":{"a": 1}}"#);
        check(Merge, r#"{"a":1}"#, r#"{@,"a":1}"#);
        check(Merge, "{}", "{@}");
        let file = r#""file":"/log/a.log""#;
        check(Merge, r#"{"time":5,"a":1}"#, &format!(r#"{{{file},"time":5,"a":1}}"#));
        check(Merge, r#"{"time":5,"file":6}"#, r#"{"time":5,"file":6}"#);
        check(Merge, r#"{"\u0074ime":5}"#, r#"{@,"line":{"\u0074ime":5}}"#);
    }

    #[test]
    fn a_part_of_a_line_is_marked() {
        let format = Format::Json { json_lines: JsonLines::Merge, multiline: Multiline::Off };
        let check = |goes_on: bool, expected: &str| {
            let part = Part { ino: 7, offset: 4096, number: 2, goes_on };
            let seen = written(&format, &Record { part: Some(part), ..record(b"{}") });
            let line = r#"{"time":"2025-11-25T20:00:00.123Z","file":"/log/a.log","line":"{}""#;
            let expected = format!("{line},\"part\":2,\"part_of\":\"7-4096\"{expected}}}\n");
            assert_eq!(seen, expected);
        };
        check(true, ",\"partial\":true");
        check(false, "");
    }

    #[test]
    fn the_name_stands_before_the_line() {
        assert_eq!(written(&Format::Prefixed, &record(b"text\r")), "/log/a.log: text\r\n");
        let odd = Record { source: Path::new("/log/a\nb"), ..record(b"") };
        assert_eq!(written(&Format::Prefixed, &odd), "/log/a?b: \n");
    }

    #[test]
    fn times_are_those_of_the_calendar() {
        let check = |unix_ms: u64, expected: &str| {
            let mut out = Vec::new();
            push_time(&mut out, unix_ms);
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        };
        check(0, "1970-01-01T00:00:00.000Z");
        check(951_782_399_999, "2000-02-28T23:59:59.999Z");
        check(951_782_400_000, "2000-02-29T00:00:00.000Z");
        check(951_868_800_000, "2000-03-01T00:00:00.000Z");
        check(1_735_689_599_000, "2024-12-31T23:59:59.000Z");
        check(4_107_542_400_000, "2100-03-01T00:00:00.000Z");
    }
}
