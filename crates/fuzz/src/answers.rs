//! Heads of answers.

use http1::{
    BodyLength, Parsed, ResponseHead, parse_response, push_end, push_field, push_status_line,
};

use crate::verdict::{
    check_spans, end_of, is_known_version, is_plain, number, stable, texts, values,
};

/// Reads `data` as the head of an answer, to HEAD and to another method, within the usual bound
/// and within a small one. Holds the verdict against itself on cut input and against another
/// parser, the framing against the fields, and what is taken against itself when it is written
/// again.
pub fn answers(data: &[u8]) {
    for (head_bytes_max, to_head) in [(64 << 10, false), (64 << 10, true), (64, false)] {
        let (verdict, head) = stable(data, |bytes| {
            let mut head = ResponseHead::new();
            (parse_response(bytes, head_bytes_max, to_head, &mut head), head)
        });
        if let Parsed::Done { used, .. } = verdict {
            assert!(used <= head_bytes_max);
            assert!((100..1000).contains(&head.status));
            check_spans(end_of(head.reason), &head.fields, used);
            assert!(data[..used].ends_with(b"\n"), "an empty line ends it");
            check_framing(data, to_head, &head);
            check_written_again(data, to_head, &head);
        }
        check_other(data, verdict, &head);
    }
}

/// The length is what the fields and the status say, read in the plainest way (RFC 9112 §6.3).
fn check_framing(data: &[u8], to_head: bool, head: &ResponseHead) {
    let lengths = values(&head.fields, data, "content-length");
    let codings = values(&head.fields, data, "transfer-encoding");
    assert!(lengths.is_empty() || codings.is_empty(), "both would be doubtful");
    let has_none = to_head || matches!(head.status, 100..=199 | 204 | 304);
    match head.body {
        BodyLength::None => assert!(has_none),
        BodyLength::Exact(length) => {
            assert!(!has_none && !lengths.is_empty());
            assert!(lengths.iter().all(|value| number(value) == Some(length)));
        }
        BodyLength::Chunked => {
            assert!(!has_none && !codings.is_empty());
            assert!(codings.iter().all(|value| value.eq_ignore_ascii_case(b"chunked")));
        }
        BodyLength::UntilClose => {
            assert!(!has_none && lengths.is_empty() && codings.is_empty());
            assert!(!head.persistent());
        }
    }
}

/// Each field becomes one line, whatever its bytes, and is read as the same.
fn check_written_again(data: &[u8], to_head: bool, head: &ResponseHead) {
    let mut out = Vec::new();
    push_status_line(&mut out, head.version, head.status, head.reason.of(data));
    for field in &head.fields {
        push_field(&mut out, field.name.of(data), field.value.of(data));
    }
    push_end(&mut out);
    let mut again = ResponseHead::new();
    let parsed = parse_response(&out, usize::MAX, to_head, &mut again);
    assert_eq!(parsed, Parsed::Done { value: (), used: out.len() });
    assert_eq!(head.reason.of(data), again.reason.of(&out));
    assert_eq!(texts(&head.fields, data), texts(&again.fields, &out));
    let classes = |head: &ResponseHead| head.fields.iter().map(|f| f.class).collect::<Vec<_>>();
    assert_eq!(classes(head), classes(&again));
    let rest = |head: &ResponseHead| (head.version, head.status, head.body, head.connection);
    assert_eq!(rest(head), rest(&again));
    let breaks = out.windows(2).filter(|pair| pair == b"\r\n").count();
    let controls = out.iter().filter(|byte| matches!(byte, 0 | b'\r' | b'\n')).count();
    assert_eq!((breaks, controls), (head.fields.len() + 2, 2 * breaks), "no line within a line");
}

/// What both take means the same to both; and nobody waits for bytes where the other one is done.
fn check_other(data: &[u8], verdict: Parsed<()>, head: &ResponseHead) {
    let mut fields = vec![httparse::EMPTY_HEADER; head.fields.len() + 1];
    let mut other = httparse::Response::new(&mut fields);
    let theirs = httparse::ParserConfig::default()
        .allow_multiple_spaces_in_response_status_delimiters(true)
        .parse_response(&mut other, data);
    let Parsed::Done { used, .. } = verdict else {
        let is_done = matches!(theirs, Ok(httparse::Status::Complete(_)));
        assert!(!is_done || verdict != Parsed::NeedMore, "waits for more than there is");
        return;
    };
    let reason = head.reason.of(data);
    let (version, after) = data.split_at("HTTP/1.1".len());
    let is_plain = is_known_version(version)
        && !after.first().is_some_and(u8::is_ascii_digit)
        && reason.iter().all(|&byte| byte == b'\t' || !byte.is_ascii_control())
        && head.fields.iter().all(|field| is_plain(field, data));
    if !is_plain && !matches!(theirs, Ok(httparse::Status::Complete(_))) {
        return;
    }
    assert_eq!(theirs, Ok(httparse::Status::Complete(used)));
    assert_eq!(other.code, Some(head.status));
    let theirs: Vec<_> = other.headers.iter().map(|f| (f.name.as_bytes(), f.value)).collect();
    assert_eq!(theirs, texts(&head.fields, data));
}
