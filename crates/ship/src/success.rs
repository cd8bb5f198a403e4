//! What a store's success looks like, told from a success that is nobody's.
//!
//! A front page, a page to log in at and a proxy's own page are answered with 200 as well, and whoever
//! takes that for an acknowledgement loses every line. Owns what each format's stores answer:
//!
//! - **otlp**: a message `ExportLogsServiceResponse` in protocol buffers, of which the empty one has no
//!   bytes, or in JSON, or `null` (OTLP 1.x, "OTLP/HTTP Response"; rotel).
//! - **loki**: nothing, with 204.
//! - **ndjson**: VictoriaLogs nothing, as JSON; Vector, Fluentd and Fluent Bit (201) nothing; Logstash
//!   `ok`; others JSON. `OK`, as VictoriaLogs' `/health` says it, is nobody's.
//! - **elasticsearch**: an item for each record, which [`crate::items`] reads.

use crate::answer::Partial;
use crate::format::Format;
use crate::otlp;

/// The first byte of an `ExportLogsServiceResponse` that is not empty: its one field, a message.
const PARTIAL_SUCCESS: u8 = 0x0a;

/// What a store of the format says with a success: the partial success. `None` where it is no store's.
/// Of a body that is cut its beginning is there.
pub(crate) fn partial(
    format: Format,
    content_type: &str,
    body: &[u8],
    is_cut: bool,
) -> Option<Partial> {
    if is_page(content_type, body) {
        return None;
    }
    let text = body.trim_ascii();
    let taken = || Some(Partial::default());
    match format {
        _ if format != Format::Elasticsearch && text.is_empty() => taken(),
        Format::Ndjson if text == b"ok" || matches!(text[0], b'{' | b'[') => taken(),
        Format::Otlp | Format::OtlpJson => match otlp::partial_success_in_json(text) {
            Some(partial) => Some(partial),
            None if matches!(text, b"null" | b"{}") => taken(),
            None if body.starts_with(&[PARTIAL_SUCCESS]) => otlp::partial_success(body, is_cut),
            None => None,
        },
        Format::Ndjson | Format::Loki | Format::Elasticsearch => None,
    }
}

/// Whether an answer is a page that people look at.
pub(crate) fn is_page(content_type: &str, body: &[u8]) -> bool {
    let kind = content_type.split(';').next().unwrap_or_default().trim();
    let is_markup = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body).trim_ascii_start();
    ["text/html", "application/xhtml+xml"].iter().any(|page| kind.eq_ignore_ascii_case(page))
        || is_markup.starts_with(b"<")
}

/// Where stores take a format, for somebody whose address leads elsewhere.
pub(crate) fn places(format: Format) -> &'static str {
    match format {
        Format::Otlp | Format::OtlpJson => {
            "the path for otlp is /v1/logs, at Loki /otlp/v1/logs, at VictoriaLogs \
             /insert/opentelemetry/v1/logs"
        }
        Format::Loki => {
            "the path for loki is /loki/api/v1/push, at VictoriaLogs /insert/loki/api/v1/push"
        }
        Format::Ndjson => {
            "the path for ndjson is the store's own, at VictoriaLogs \
             /insert/jsonline?_msg_field=message&_time_field=@timestamp"
        }
        Format::Elasticsearch => {
            "the path for elasticsearch is /_bulk, at VictoriaLogs /insert/elasticsearch/_bulk"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORMATS: [Format; 4] = [Format::Otlp, Format::OtlpJson, Format::Loki, Format::Ndjson];

    /// Which formats' stores say so: a letter each.
    fn check(content_type: &str, body: &str, expected: &str) {
        let letters = FORMATS.into_iter().zip("pjln".chars());
        let says = |format| partial(format, content_type, body.as_bytes(), false);
        let taken = letters.filter(|(format, _)| says(*format).is_some());
        let seen: String = taken.map(|(_, letter)| letter).collect();
        assert_eq!(seen, expected, "{content_type} {body:?}");
        assert!(says(Format::Elasticsearch).is_none());
    }

    #[test]
    fn what_stores_say_is_success() {
        check("", "", "pjln");
        check("application/json", "", "pjln");
        check("text/plain", "\r\n", "pjln");
        check("application/x-protobuf", "\n\0", "pj");
        check("application/x-protobuf", "\n\x07\x08\x03\x12\x03old", "pj");
        check("application/json", r#"{"partialSuccess":{}}"#, "pjn");
        check("application/json", "\n{}", "pjn");
        check("application/json; charset=utf-8", "null\n", "pj");
        check("application/json", r#"{"response":"ok"}"#, "n");
        check("application/json", "[]", "n");
        check("text/plain", "ok\n", "n");
    }

    #[test]
    fn a_page_is_none_whatever_it_says_of_itself() {
        for body in ["", "<h2>VictoriaLogs</h2>", "{}", "ok"] {
            check("text/html", body, "");
            check("Text/HTML; charset=utf-8", body, "");
            check("application/xhtml+xml", body, "");
        }
        check("", "<!DOCTYPE html>", "");
        check("application/json", "\u{feff}\r\n <html>", "");
        check("text/plain", "<?xml version=\"1.0\"?>", "");
    }

    #[test]
    fn a_word_is_none() {
        for word in ["OK", "Hi", "pong", "ready", "1", "true", "Hello, World!", "\"\"", "a 1\nb 2"]
        {
            check("", word, "");
        }
    }
}
