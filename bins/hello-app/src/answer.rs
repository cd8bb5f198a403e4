//! What is answered to which request. Pure: knows no server, file or clock.

/// Status and body of the answer to `method` on `target`: a path or a whole URL, as in the request
/// line; its query is ignored. What does not exist allows no method.
pub(crate) fn to(method: &str, target: &str) -> (u16, &'static str) {
    let url = target.strip_prefix("http://");
    let target = url.map_or(target, |rest| rest.find(['/', '?']).map_or("", |at| &rest[at..]));
    match (target.split(['?', '#']).next().unwrap_or_default(), method) {
        // As Flask would send it: no newline at the end.
        ("" | "/", "GET" | "HEAD") => (200, "Hello, World!"),
        ("" | "/", _) => (405, "Method Not Allowed\n"),
        _ => (404, "Not Found\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(method: &str, target: &str, status: u16) {
        assert_eq!(to(method, target).0, status, "{method} {target}");
    }

    #[test]
    fn the_root_is_hello_world_whatever_the_query() {
        assert_eq!(to("GET", "/").1, "Hello, World!");
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
    fn another_method_is_not_allowed() {
        for method in ["POST", "PUT", "DELETE", "OPTIONS", "PURGE", "get", ""] {
            check(method, "/", 405);
        }
    }
}
