//! Heads of requests.

use http1::{
    BodyLength, FieldClass, Limits, Parsed, RequestHead, Version, parse_request, path, push_end,
    push_field, push_request_line, target,
};

use crate::verdict::{
    check_spans, end_of, is_known_version, is_plain, number, stable, texts, values,
};

const SMALL: Limits =
    Limits { line_bytes_max: 24, field_bytes_max: 20, head_bytes_max: 72, fields_max: 3 };

/// Reads `data` as the head of a request, within nginx's limits and within small ones. Holds the
/// verdict against itself on cut input and against another parser, the framing against the fields,
/// and what is taken against itself when it is written again.
pub fn heads(data: &[u8]) {
    for limits in [Limits::default(), SMALL] {
        let (verdict, head) = stable(data, |bytes| {
            let mut head = RequestHead::new();
            (parse_request(bytes, &limits, &mut head), head)
        });
        if let Parsed::Done { used, .. } = verdict {
            check_bounds(data, used, &limits, &head);
            check_framing(data, &head);
            check_written_again(data, &head);
            check_target(head.method.of(data), head.target.of(data));
        }
        check_other(data, verdict, &head);
    }
}

fn check_bounds(data: &[u8], used: usize, limits: &Limits, head: &RequestHead) {
    assert!(used <= limits.head_bytes_max && head.fields.len() <= limits.fields_max);
    assert!(!head.method.is_empty() && !head.target.is_empty());
    assert!(end_of(head.method) < head.target.start as usize);
    let line = end_of(head.target) + " HTTP/1.1".len() - head.method.start as usize;
    assert!(line <= limits.line_bytes_max, "a line of {line} bytes");
    check_spans(end_of(head.target), &head.fields, used);
    assert!(data[..used].ends_with(b"\r\n\r\n"), "an empty line ends it");
    for span in head.host.iter().chain(&head.upgrade) {
        assert!(head.fields.iter().any(|field| field.value == *span));
    }
}

/// The length is what the fields say, read in the plainest way, and nothing is doubtful.
fn check_framing(data: &[u8], head: &RequestHead) {
    let lengths = values(&head.fields, data, "content-length");
    let codings = values(&head.fields, data, "transfer-encoding");
    match head.body {
        BodyLength::None => assert!(lengths.is_empty() && codings.is_empty()),
        BodyLength::Exact(length) => {
            assert!(codings.is_empty() && lengths.len() == 1);
            assert_eq!(number(lengths[0]), Some(length));
        }
        BodyLength::Chunked => {
            assert!(lengths.is_empty() && head.version == Version::Http11);
            assert!(matches!(codings[..], [one] if one.eq_ignore_ascii_case(b"chunked")));
        }
        BodyLength::UntilClose => unreachable!("a request has an end"),
    }
    let hosts = values(&head.fields, data, "host");
    assert!(hosts.len() == 1 || hosts.is_empty() && head.version == Version::Http10);
    for name in ["connection", "content-length", "keep-alive", "te", "transfer-encoding"] {
        let named =
            |field: &&http1::Field| field.name.of(data).eq_ignore_ascii_case(name.as_bytes());
        assert!(head.fields.iter().filter(named).all(|field| field.class == FieldClass::Hop));
    }
}

fn check_written_again(data: &[u8], head: &RequestHead) {
    let mut out = Vec::new();
    push_request_line(&mut out, head.method.of(data), head.target.of(data), head.version);
    for field in &head.fields {
        push_field(&mut out, field.name.of(data), field.value.of(data));
    }
    push_end(&mut out);
    let limits = Limits { head_bytes_max: usize::MAX, ..no_bounds() };
    let mut again = RequestHead::new();
    let parsed = parse_request(&out, &limits, &mut again);
    assert_eq!(parsed, Parsed::Done { value: (), used: out.len() });
    assert_eq!(head.method.of(data), again.method.of(&out));
    assert_eq!(head.target.of(data), again.target.of(&out));
    assert_eq!(texts(&head.fields, data), texts(&again.fields, &out));
    let classes = |head: &RequestHead| head.fields.iter().map(|f| f.class).collect::<Vec<_>>();
    assert_eq!(classes(head), classes(&again));
    let rest =
        |head: &RequestHead| (head.version, head.body, head.connection, head.expects_continue);
    assert_eq!(rest(head), rest(&again));
    assert_eq!(head.host.map(|span| span.of(data)), again.host.map(|span| span.of(&out)));
    assert_eq!(head.upgrade.map(|span| span.of(data)), again.upgrade.map(|span| span.of(&out)));
}

fn no_bounds() -> Limits {
    Limits {
        line_bytes_max: usize::MAX,
        field_bytes_max: usize::MAX,
        head_bytes_max: usize::MAX,
        fields_max: usize::MAX,
    }
}

/// The target in origin form, and its path decoded and escaped again, mean the same as before.
fn check_target(method: &[u8], whole: &[u8]) {
    let Ok(split) = target::split(method, whole) else { return };
    let mut origin = Vec::new();
    target::push_origin_form(whole, &split, &mut origin);
    assert_eq!(origin.first(), Some(&b'/'));
    let again = target::split(method, &origin);
    let Ok(again) = again else { unreachable!("an origin form of its own is refused: {again:?}") };
    assert!(again.authority.is_none());
    let query = |span: Option<http1::Span>, bytes| span.map(|span| span.of(bytes).to_vec());
    let dropped = split.path.is_empty() && split.query.is_some_and(|query| query.is_empty());
    if !dropped {
        assert_eq!(query(split.query, whole), query(again.query, &origin));
    }
    let (mut normal, mut escaped, mut twice) = (Vec::new(), Vec::new(), Vec::new());
    if path::normalize(split.path.of(whole), &mut normal).is_ok() {
        assert_eq!(normal.first(), Some(&b'/'));
        assert!(!normal.contains(&0));
        path::escape(&normal, &mut escaped);
        assert_eq!(path::normalize(&escaped, &mut twice), Ok(()));
        assert_eq!(normal, twice, "decoded, escaped and decoded");
    }
}

/// What both take means the same to both; and nobody waits for bytes where the other one is done.
fn check_other(data: &[u8], verdict: Parsed<()>, head: &RequestHead) {
    let mut fields = vec![httparse::EMPTY_HEADER; head.fields.len() + 1];
    let mut other = httparse::Request::new(&mut fields);
    let theirs = other.parse(data);
    let Parsed::Done { used, .. } = verdict else {
        let is_done = matches!(theirs, Ok(httparse::Status::Complete(_)));
        assert!(!is_done || verdict != Parsed::NeedMore, "waits for more than there is");
        return;
    };
    let version = &data[end_of(head.target) + 1..][.."HTTP/1.1".len()];
    let is_plain = is_known_version(version)
        && std::str::from_utf8(head.target.of(data)).is_ok()
        && head.fields.iter().all(|field| is_plain(field, data));
    if !is_plain && !matches!(theirs, Ok(httparse::Status::Complete(_))) {
        return;
    }
    assert_eq!(theirs, Ok(httparse::Status::Complete(used)));
    assert_eq!(other.method.map(str::as_bytes), Some(head.method.of(data)));
    assert_eq!(other.path.map(str::as_bytes), Some(head.target.of(data)));
    let theirs: Vec<_> = other.headers.iter().map(|f| (f.name.as_bytes(), f.value)).collect();
    assert_eq!(theirs, texts(&head.fields, data));
}
