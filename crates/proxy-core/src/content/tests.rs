//! Answers that are made here, before any filter.

use http1::BodyLength;

use super::own::make;
use crate::fault::Fault;
use crate::phases::Content;
use crate::response::Response;
use crate::test_case::{Case, lines};

const NOTHING: &[(Vec<u8>, Vec<u8>)] = &[];

/// What is made of a request's content: its head, its body, and whether it is a status' page.
fn made(
    case: &Case,
    content: Content,
    carried: &[(Vec<u8>, Vec<u8>)],
) -> (Vec<String>, String, bool) {
    let mut response = Response::default();
    let is_page = make(content, &case.context(true, false), carried, &mut response);
    let body = String::from_utf8(response.body.clone()).unwrap();
    let expected = match response.status {
        204 => BodyLength::None,
        _ => BodyLength::Exact(body.len() as u64),
    };
    assert_eq!(response.length, expected);
    (lines(&response), body, is_page)
}

fn returned(content: &str, path: &str) -> (Vec<String>, String, bool) {
    let case = Case::get(content, path);
    made(&case, case.content, NOTHING)
}

#[test]
fn a_text_is_answered_with_the_type_of_its_path() {
    let content = "location / { return 200 \"$uri!\"; }";
    let (head, body, is_page) = returned(content, "/a.html");
    assert_eq!(head, ["HTTP/1.1 200 OK", "Content-Type: text/html"]);
    assert_eq!((body.as_str(), is_page), ("/a.html!", false));
    assert_eq!(returned(content, "/a").0[1], "Content-Type: text/plain");
    assert_eq!(returned(content, "/.html").0[1], "Content-Type: text/plain");
}

#[test]
fn errors_have_nginxs_pages_in_its_words() {
    for (status, title) in [
        (400, "400 Bad Request"),
        (401, "401 Authorization Required"),
        (404, "404 Not Found"),
        (429, "429 Too Many Requests"),
        (503, "503 Service Temporarily Unavailable"),
    ] {
        let (head, body, is_page) = returned(&format!("server_tokens off; return {status};"), "/");
        assert_eq!(head[1], "Content-Type: text/html");
        let expected = format!(
            "<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1>\
             </center>\r\n<hr><center>sidecar-kit</center>\r\n</body>\r\n</html>\r\n"
        );
        assert_eq!((body, is_page), (expected, true), "{status}");
    }
}

#[test]
fn a_status_without_a_page_has_nothing_and_an_error_then_no_type() {
    for (status, expected) in [
        (200, &["HTTP/1.1 200 OK", "Content-Type: text/plain"][..]),
        (204, &["HTTP/1.1 204 No Content"]),
        (418, &["HTTP/1.1 418 I'm a teapot"]),
        (599, &["HTTP/1.1 599 "]),
    ] {
        let (head, body, _) = returned(&format!("return {status};"), "/");
        assert_eq!(
            (head.as_slice(), body.as_str()),
            (&expected.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>()[..], "")
        );
    }
}

#[test]
fn an_error_with_an_empty_text_has_its_page_and_another_status_the_text() {
    assert!(returned("return 404 \"\";", "/").1.contains("<h1>404 "));
    assert_eq!(returned("return 200 \"\";", "/").1, "");
    assert_eq!(returned("return 404 \"gone\";", "/").1, "gone");
}

#[test]
fn a_redirect_has_its_target_and_its_page() {
    for status in [301, 302, 303, 307, 308] {
        let (head, body, _) = returned(&format!("return {status} /x$uri;"), "/a%20b");
        assert!(head.contains(&"Location: http://main.test:8080/x/a b".to_owned()), "{head:?}");
        assert!(body.contains(&format!("<h1>{status} ")), "{body}");
    }
    assert!(returned("return 302 /x;", "/").1.contains("<h1>302 Found</h1>"));
    let (head, _, _) = returned("return https://other.test$request_uri;", "/a?b");
    assert!(head.contains(&"Location: https://other.test/a?b".to_owned()), "{head:?}");
}

#[test]
fn a_path_without_its_slash_is_redirected_with_its_arguments() {
    let case = Case::get("location '/a b/' { proxy_pass http://app; }", "/a%20b?c=d");
    assert_eq!(case.content, Content::SlashRedirect);
    let (head, _, _) = made(&case, case.content, NOTHING);
    assert_eq!(head[1], "Location: http://main.test:8080/a%20b/?c=d");
}

#[test]
fn faults_are_answered_by_their_status() {
    let case = Case::get("location / { proxy_pass http://app; }", "/");
    for (fault, status) in [
        (Fault::BodyTooLarge, "HTTP/1.1 413 Request Entity Too Large"),
        (Fault::ClientTooSlow, "HTTP/1.1 408 Request Time-out"),
        (Fault::RedirectCycle, "HTTP/1.1 500 Internal Server Error"),
    ] {
        assert_eq!(made(&case, Content::Fault(fault), NOTHING).0[0], status);
    }
}

#[test]
fn fields_that_a_redirect_carries_stand_behind_and_its_type_holds() {
    let case = Case::get("location / { return 200 x; }", "/");
    let field = |name: &str, value: &str| (name.as_bytes().to_vec(), value.as_bytes().to_vec());
    let carried =
        [field("Set-Cookie", "a"), field("content-TYPE", "b/c"), field("Set-Cookie", "d")];
    let (head, body, _) = made(&case, case.content, &carried);
    assert_eq!(head[1..], ["Content-Type: b/c", "Set-Cookie: a", "Set-Cookie: d"]);
    assert_eq!(body, "x");
}

#[test]
fn an_answer_made_in_the_place_of_another_has_nothing_of_it() {
    let case = Case::get("location / { return 204; }", "/");
    let mut response = Response::default();
    make(Content::Status(404), &case.context(true, false), NOTHING, &mut response);
    make(case.content, &case.context(true, false), NOTHING, &mut response);
    assert_eq!(lines(&response), ["HTTP/1.1 204 No Content"]);
    assert!(response.body.is_empty() && response.body_type.is_empty());
}
