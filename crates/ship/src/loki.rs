//! Loki's push in JSON: one stream of few labels, and what else is known as structured metadata.

use tail::json;

use crate::format::{Entry, Pair, Shape, line_name, push_decimal, push_pair};
use crate::severity;

/// Writes entries of the stream.
#[derive(Clone, Debug)]
pub(crate) struct Loki {
    /// All before the first entry.
    pub(crate) head: Vec<u8>,
    /// Metadata of every record.
    fixed: Vec<u8>,
    severity: bool,
}

impl Loki {
    pub(crate) fn new(shape: &Shape) -> Loki {
        // A stream without labels is refused.
        let usual = [("job".to_owned(), "log-scraper".to_owned())];
        let labels = if shape.labels.is_empty() { &usual[..] } else { &shape.labels };
        let mut head = b"{\"streams\":[{\"stream\":{".to_vec();
        push_pairs(&mut head, labels);
        head.extend_from_slice(b"},\"values\":[");
        let mut fixed = Vec::new();
        for pair in &shape.attributes {
            fixed.push(b',');
            push_pairs(&mut fixed, std::slice::from_ref(pair));
        }
        Loki { head, fixed, severity: shape.severity }
    }

    /// The first of what is known of a record.
    pub(crate) fn place(path: &str) -> Vec<u8> {
        let mut place = b",{".to_vec();
        push_pair(&mut place, "log_file_path", path);
        place
    }

    pub(crate) fn push(&self, out: &mut Vec<u8>, entry: &Entry) {
        // Times are texts: as numbers they are refused.
        out.extend_from_slice(b",[\"");
        push_decimal(out, entry.time_ns);
        out.extend_from_slice(b"\",");
        json::push_utf8(out, entry.text);
        out.extend_from_slice(entry.place);
        if let Some(severity) = severity::of(entry.text).filter(|_| self.severity) {
            out.extend_from_slice(b",\"severity_text\":");
            json::push_utf8(out, severity.word);
        }
        if let Some(piece) = &entry.piece {
            out.push(b',');
            push_pair(out, "log_part_of", &line_name(piece));
            out.extend_from_slice(b",\"log_part_at\":\"");
            push_decimal(out, piece.at);
            out.extend_from_slice(b"\",\"log_partial\":\"");
            out.extend_from_slice(if piece.goes_on { b"true\"" } else { b"false\"" });
        }
        out.extend_from_slice(&self.fixed);
        out.extend_from_slice(b"}]");
    }
}

/// With names as Loki takes them: letters, digits and `_`.
fn push_pairs(out: &mut Vec<u8>, pairs: &[Pair]) {
    for (number, (name, value)) in pairs.iter().enumerate() {
        if number > 0 {
            out.push(b',');
        }
        push_pair(out, &label_name(name), value);
    }
}

/// A name as Loki takes it: letters, digits and `_`, which stands for all else, none of the digits first.
pub fn label_name(name: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut plain: String = name.chars().map(|c| if is_plain(c) { c } else { '_' }).collect();
    if plain.starts_with(|c: char| c.is_ascii_digit()) {
        plain.insert(0, '_');
    }
    plain
}

/// Of how many entries a refusal speaks that took the others (grafana/loki, `pkg/distributor` and
/// `pkg/ingester`: `total ignored: 3 out of 10`, `3 errors like: …`). `None` for every other one.
pub(crate) fn ignored(words: &str) -> Option<u64> {
    let behind = |mark: &str| {
        let (_, behind) = words.split_once(mark)?;
        behind.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
    };
    let before = |mark: &str| {
        let counts = words.match_indices(mark).filter_map(|(at, _)| {
            words[..at].rsplit(|c: char| !c.is_ascii_digit()).next()?.parse::<u64>().ok()
        });
        counts.reduce(u64::saturating_add)
    };
    behind("total ignored: ").or_else(|| before(" errors like: "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::Format;
    use crate::format::tests::{entry, request, shape};
    use crate::long::Piece;

    #[test]
    fn records_are_entries_of_one_stream() {
        let piece = Piece { of: (7, 4096), at: 12, goes_on: true };
        let entries = [entry("a\0"), Entry { piece: Some(piece), ..entry("ERROR b") }]
            .map(|entry| Entry { time_ns: entry.time_ns + entry.text.len() as u64, ..entry });
        let seen = String::from_utf8(request(&shape(Format::Loki), &entries)).unwrap();
        let stream = r#"{"streams":[{"stream":{"app":"shop","k8s_pod_name":"shop-1"},"values":["#;
        let first =
            r#"["1764100800123000003","a\u0000",{"log_file_path":"/log/a.log","node":"a\"b"}]"#;
        let part = r#""log_part_of":"7-4096","log_part_at":"12","log_partial":"true""#;
        let second = format!(
            r#"["1764100800123000008","ERROR b",{{"log_file_path":"/log/a.log","severity_text":"ERROR",{part},"node":"a\"b"}}]"#
        );
        assert_eq!(seen, format!("{stream}{first},{second}]}}]}}"));
    }

    #[test]
    fn a_stream_has_a_label() {
        let shape = Shape { labels: vec![], ..shape(Format::Loki) };
        let seen = String::from_utf8(request(&shape, &[entry("")])).unwrap();
        assert!(seen.starts_with(r#"{"streams":[{"stream":{"job":"log-scraper"}"#), "{seen}");
    }

    #[test]
    fn names_are_made_of_what_may_be_in_them() {
        let check = |name: &str, expected: &str| assert_eq!(label_name(name), expected);
        check("app", "app");
        check("app.kubernetes.io/name", "app_kubernetes_io_name");
        check("1st", "_1st");
        check("ä", "_");
    }

    #[test]
    fn a_refusal_that_took_the_others_is_told_from_all_else() {
        let check = |words: &str, expected: Option<u64>| assert_eq!(ignored(words), expected);
        check("entry with timestamp … ignored, reason: …, total ignored: 3 out of 10", Some(3));
        check("2 errors like: Max entry size '256' bytes exceeded", Some(2));
        check("2 errors like: a; 1 errors like: b", Some(3));
        check("couldn't parse push request: unexpected end of JSON", None);
        check("errors like: x", None);
        check("", None);
    }
}
