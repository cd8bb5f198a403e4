//! A JSON object on a line for each record, as VictoriaLogs, Vector, Fluent Bit and others take it.

use tail::json;

use crate::format::{Calendar, Entry, Names, Shape, line_name, push_decimal, push_pair};

/// Writes such lines.
#[derive(Clone, Debug)]
pub(crate) struct Ndjson {
    /// The time and what stands before it.
    calendar: Calendar,
    /// What stands before the file and the text, their names escaped.
    file: Vec<u8>,
    message: Vec<u8>,
    /// What every record has behind them, and its end.
    end: Vec<u8>,
}

impl Ndjson {
    pub(crate) fn new(shape: &Shape) -> Ndjson {
        let Names { time, message, file } = &shape.names;
        let named = |before: &str, name: &str, behind: &str| {
            let mut out = before.as_bytes().to_vec();
            json::push_str(&mut out, name);
            out.extend_from_slice(behind.as_bytes());
            out
        };
        let mut end = Vec::new();
        for (name, value) in shape.labels.iter().chain(&shape.attributes) {
            end.push(b',');
            push_pair(&mut end, name, value);
        }
        end.extend_from_slice(b"}\n");
        Ndjson {
            calendar: Calendar::behind(named("{", time, ":\"")),
            file: named("\",", file, ":"),
            message: named(",", message, ":"),
            end,
        }
    }

    /// All between the time and the text.
    pub(crate) fn place(&self, path: &str) -> Vec<u8> {
        let mut place = self.file.clone();
        json::push_str(&mut place, path);
        place.extend_from_slice(&self.message);
        place
    }

    pub(crate) fn push(&mut self, out: &mut Vec<u8>, entry: &Entry) {
        self.calendar.push(out, entry.time_ns);
        out.extend_from_slice(entry.place);
        json::push_utf8(out, entry.text);
        if let Some(piece) = &entry.piece {
            out.push(b',');
            push_pair(out, "part_of", &line_name(piece));
            out.extend_from_slice(b",\"part_at\":");
            push_decimal(out, piece.at);
            if piece.goes_on {
                out.extend_from_slice(b",\"partial\":true");
            }
        }
        out.extend_from_slice(&self.end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::Format;
    use crate::format::tests::{entry, request, shape};
    use crate::long::Piece;

    fn check(shape: &Shape, entry: Entry, expected: &str) {
        let seen = String::from_utf8(request(shape, &[entry])).unwrap();
        assert_eq!(seen, format!("{expected}\n"));
    }

    #[test]
    fn a_record_is_a_line() {
        let shape = shape(Format::Ndjson);
        let time = "\"@timestamp\":\"2025-11-25T20:00:00.123000001Z\"";
        let fixed = r#""app":"shop","k8s.pod.name":"shop-1","node":"a\"b""#;
        let before = format!(r#"{{{time},"file":"/log/a.log","message":"#);
        check(&shape, entry("a\0\"ä"), &format!(r#"{before}"a\u0000\"ä",{fixed}}}"#));
        check(&shape, entry(""), &format!(r#"{before}"",{fixed}}}"#));
        let piece = |goes_on| Some(Piece { of: (7, 4096), at: 12, goes_on });
        let part = r#""part_of":"7-4096","part_at":12"#;
        let first = Entry { piece: piece(true), ..entry("x") };
        check(&shape, first, &format!(r#"{before}"x",{part},"partial":true,{fixed}}}"#));
        let last = Entry { piece: piece(false), ..entry("x") };
        check(&shape, last, &format!(r#"{before}"x",{part},{fixed}}}"#));
    }

    #[test]
    fn names_are_those_that_were_asked_for() {
        let plain = shape(Format::Ndjson);
        let names =
            Names { time: "_time".into(), message: "_\"msg".into(), file: "log.file.path".into() };
        let shape = Shape { names, labels: vec![], attributes: vec![], ..plain };
        let time = "2025-11-25T20:00:00.123000001Z";
        let line = format!(r#"{{"_time":"{time}","log.file.path":"/log/a.log","_\"msg":"x"}}"#);
        check(&shape, entry("x"), &line);
    }
}
