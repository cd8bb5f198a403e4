//! What is answered to which request. Pure: knows no server, file or clock.

/// One answer: status, body, and the methods to name in `Allow`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Sent for GET; HEAD gets its length alone.
    pub(crate) body: &'static str,
    /// Value of the `Allow` field, which a 405 must have (RFC 9110 §15.5.6).
    pub(crate) allow: Option<&'static str>,
}

/// The one page, as Flask would send it: no newline at the end.
const HELLO: Answer = Answer { status: 200, body: "Hello, World!", allow: None };
const NOT_FOUND: Answer = Answer { status: 404, body: "Not Found\n", allow: None };
const METHOD_NOT_ALLOWED: Answer =
    Answer { status: 405, body: "Method Not Allowed\n", allow: Some("GET, HEAD") };

/// A request whose body is larger than this application reads.
pub(crate) const CONTENT_TOO_LARGE: Answer =
    Answer { status: 413, body: "Content Too Large\n", allow: None };

/// Too many clients are still sending their request's body.
pub(crate) const UNAVAILABLE: Answer =
    Answer { status: 503, body: "Service Unavailable\n", allow: None };

/// The answer to `method` on `target` (as in the request line; a query is ignored).
///
/// The path is judged first: what does not exist allows no method.
pub(crate) fn answer(method: &str, target: &str) -> Answer {
    if path_of(target) != "/" {
        return NOT_FOUND;
    }
    match method {
        "GET" | "HEAD" => HELLO,
        _ => METHOD_NOT_ALLOWED,
    }
}

/// The path of an origin-form or absolute-form target (RFC 9112 §3.2), without its query.
fn path_of(target: &str) -> &str {
    let path_and_query = match target.strip_prefix("http://") {
        Some(rest) => rest.find(['/', '?']).map_or("/", |start| &rest[start..]),
        None => target,
    };
    match path_and_query.split(['?', '#']).next() {
        Some("") | None => "/",
        Some(path) => path,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(method: &str, target: &str, status: u16) {
        assert_eq!(answer(method, target).status, status, "{method} {target}");
    }

    #[test]
    fn the_root_is_hello_world_without_a_newline() {
        assert_eq!(answer("GET", "/").body, "Hello, World!");
        check("HEAD", "/", 200);
        check("GET", "/?name=x", 200);
        check("GET", "http://pod.example:80/?x", 200);
        check("GET", "http://pod.example", 200);
        check("GET", "http://pod.example?x", 200);
    }

    #[test]
    fn another_path_is_not_found_whatever_the_method() {
        for target in ["/x", "//", "/./", "/x/?/", "*", "x", "http://pod.example/x"] {
            check("GET", target, 404);
            check("POST", target, 404);
        }
    }

    #[test]
    fn another_method_is_not_allowed_and_says_which_are() {
        for method in ["POST", "PUT", "DELETE", "OPTIONS", "PURGE", "get", ""] {
            check(method, "/", 405);
            assert_eq!(answer(method, "/").allow, Some("GET, HEAD"));
        }
    }
}
