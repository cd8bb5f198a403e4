//! Whether a client has what it asks for already, or asks for what is not there any more.
//!
//! nginx: its not_modified filter, which looks at every 200 that is made here.

use crate::config::model::ModifiedSince;
use crate::request::Request;
use crate::response::Response;

/// What a client's conditions come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It gets the answer.
    Holds,
    /// It has it: 304.
    NotModified,
    /// 412.
    Fails,
}

/// Looks at the conditions of a request for an answer that was last modified then, if that is
/// known. RFC 9110 §13.2.2, in nginx's order.
pub fn check(request: &Request, response: &Response, modified_s: Option<i64>) -> Verdict {
    let field = |name: &str| http1::find(&request.head.fields, &request.bytes, name);
    let time = |name: &str| field(name).map(http1::parse_date);
    let etag = response.sent_value(b"etag");
    if let Some(since) = time("if-unmodified-since")
        && modified_s.is_none_or(|modified| since.is_none_or(|since| since < modified))
    {
        return Verdict::Fails;
    }
    if let Some(list) = field("if-match")
        && !has_etag(list, etag, false)
    {
        return Verdict::Fails;
    }
    let since = time("if-modified-since");
    let none_match = field("if-none-match");
    let rule = request.at.location(request.place).files.modified_since;
    if since.is_none() && none_match.is_none()
        || since.is_some_and(|since| is_modified(since, modified_s, rule))
        || none_match.is_some_and(|list| !has_etag(list, etag, true))
    {
        return Verdict::Holds;
    }
    Verdict::NotModified
}

fn is_modified(since: Option<i64>, modified_s: Option<i64>, rule: ModifiedSince) -> bool {
    let Some(modified) = modified_s else { return true };
    match rule {
        ModifiedSince::Off => true,
        ModifiedSince::Exact => since != Some(modified),
        ModifiedSince::Before => since.is_none_or(|since| since < modified),
    }
}

/// Whether a list has the tag, or is `*`. The weak comparison does not look whether one is weak
/// (RFC 9110 §8.8.3.2).
fn has_etag(list: &[u8], etag: Option<&[u8]>, is_weak: bool) -> bool {
    if list == b"*" {
        return true;
    }
    let Some(etag) = etag else { return false };
    let bare = |tag| -> &[u8] {
        let tag: &[u8] = tag;
        tag.strip_prefix(b"W/").filter(|_| is_weak).unwrap_or(tag)
    };
    let etag = bare(etag);
    let mut rest = list;
    loop {
        rest = bare(rest);
        if let Some(behind) = rest.strip_prefix(etag) {
            let behind = behind.trim_ascii_start();
            if behind.is_empty() || behind.first() == Some(&b',') {
                return true;
            }
        }
        let Some(comma) = rest.iter().position(|byte| *byte == b',') else { return false };
        rest = rest.get(comma + 1..).unwrap_or_default();
        let is_between = |byte: &u8| matches!(byte, b' ' | b'\t' | b',');
        let skipped = rest.iter().take_while(|byte| is_between(byte)).count();
        rest = rest.get(skipped..).unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_case::Case;

    #[test]
    fn a_list_has_a_tag_where_it_stands_by_itself() {
        for (list, is_weak, expected) in [
            ("\"a-1\"", false, true),
            ("*", false, true),
            ("* ", false, false),
            ("\"b\", \"a-1\"", false, true),
            ("\"b\",\t,\"a-1\" , \"c\"", false, true),
            ("\"a-1\"x", false, false),
            ("x\"a-1\"", false, false),
            ("W/\"a-1\"", false, false),
            ("W/\"a-1\"", true, true),
            ("\"a\"", true, false),
            ("", true, false),
        ] {
            let found = has_etag(list.as_bytes(), Some(b"\"a-1\""), is_weak);
            assert_eq!(found, expected, "{list} {is_weak}");
        }
        assert!(has_etag(b"\"a-1\"", Some(b"W/\"a-1\""), true));
        assert!(!has_etag(b"\"a-1\"", Some(b"W/\"a-1\""), false));
        assert!(has_etag(b"*", None, true) && !has_etag(b"\"a\"", None, true));
    }

    #[test]
    fn conditions_are_looked_at_in_their_order() {
        use Verdict::{Fails, Holds, NotModified};
        const OLD: &str = "Sun, 06 Nov 1994 08:49:36 GMT";
        const SAME: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
        const NEW: &str = "Sun, 06 Nov 1994 08:49:38 GMT";
        let judge = |rule: &str, fields: &[(&str, &str)], expected: Verdict| {
            let fields: String =
                fields.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
            let head = format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
            let case = Case::new(&format!("if_modified_since {rule};"), &head);
            let mut response = Response::default();
            response.begin_own(200);
            response.push(b"ETag", b"\"a\"");
            let found = check(&case.request, &response, Some(784_111_777));
            assert_eq!(found, expected, "{rule} {fields}");
        };
        judge("exact", &[], Holds);
        for (time, exact, before) in
            [(OLD, Holds, Holds), (SAME, NotModified, NotModified), (NEW, Holds, NotModified)]
        {
            judge("exact", &[("If-Modified-Since", time)], exact);
            judge("before", &[("If-Modified-Since", time)], before);
            judge("off", &[("If-Modified-Since", time)], Holds);
        }
        judge("exact", &[("If-Modified-Since", "yesterday")], Holds);
        judge("before", &[("If-Modified-Since", "yesterday")], Holds);
        judge("exact", &[("If-Unmodified-Since", OLD)], Fails);
        judge("exact", &[("If-Unmodified-Since", SAME)], Holds);
        judge("exact", &[("If-Unmodified-Since", "yesterday")], Fails);
        judge("exact", &[("If-Match", "\"b\"")], Fails);
        judge("exact", &[("If-Match", "\"a\""), ("If-None-Match", "\"a\"")], NotModified);
        judge("exact", &[("If-None-Match", "\"b\"")], Holds);
        judge("exact", &[("If-None-Match", "\"a\""), ("If-Modified-Since", NEW)], Holds);
        judge("off", &[("If-None-Match", "\"a\""), ("If-Modified-Since", SAME)], Holds);
        judge("exact", &[("If-None-Match", "*"), ("If-Unmodified-Since", OLD)], Fails);
    }

    #[test]
    fn an_answer_of_which_nothing_is_known_is_modified() {
        let judge = |field: &str, expected: Verdict| {
            let case = Case::new("", &format!("GET / HTTP/1.1\r\nHost: a\r\n{field}\r\n\r\n"));
            assert_eq!(check(&case.request, &Response::default(), None), expected);
        };
        judge("If-Unmodified-Since: Sun, 06 Nov 1994 08:49:37 GMT", Verdict::Fails);
        judge("If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT", Verdict::Holds);
        judge("If-None-Match: \"a\"", Verdict::Holds);
        judge("If-None-Match: *", Verdict::NotModified);
        judge("If-Match: \"a\"", Verdict::Fails);
    }
}
