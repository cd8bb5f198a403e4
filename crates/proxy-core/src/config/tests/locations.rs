//! Locations, what they answer with, and what they inherit.

use super::super::model::LogFile;
use super::*;

fn owned(from: &str, to: &str) -> (String, String) {
    (from.to_owned(), to.to_owned())
}

#[test]
fn the_smallest_file_has_every_default() {
    let (config, warnings) = lowered(BLOG).unwrap();
    assert_eq!(warnings, Vec::<String>::new());
    let listen = &config.listens[0];
    assert_eq!((listen.address.to_string().as_str(), listen.backlog), ("0.0.0.0:80", 511));
    assert_eq!(listen.origin, "t:1:34");
    let location = at(&config, "/any");
    assert_eq!(location.client.body_bytes_max, Some(1 << 20));
    assert_eq!(
        (location.client.body_timeout_ms, location.client.send_timeout_ms),
        (60_000, 60_000)
    );
    assert_eq!(
        (location.client.keepalive.timeout_ms, location.client.keepalive.requests),
        (75_000, 1000)
    );
    assert!(location.server_tokens && location.redirect.absolute && location.redirect.port);
    assert_eq!(location.files.content_types.default_type, b"text/plain");
    let pass = pass(&config, "/any");
    assert!(pass.http11 && pass.url.uri.is_none());
    assert_eq!(
        (pass.url.host.as_slice(), pass.url.port.as_slice()),
        (&b"localhost:5000"[..], &b"5000"[..])
    );
    assert_eq!(fields(&config, "/"), ["Host: <ProxyHost>"]);
    assert_eq!(redirects(&config, "/"), [owned("http://localhost:5000/", "/")]);
    let upstream = &config.upstreams[pass.upstream];
    assert_eq!((upstream.keepalive, upstream.keepalive_timeout_ms), (32, 4000));
    assert_eq!(upstream.servers[0].host, "localhost");
    let client = &config.servers[0].client;
    assert_eq!((client.line_bytes_max, client.head_bytes_max), (8192, 32768));
    assert_eq!(config.log_files, [LogFile::Stdout]);
    let combined = shown(&config.log_formats[0].template);
    assert!(
        combined.starts_with("<RemoteAddr> - <RemoteUser> [<TimeLocal>] \"<Request>\" <Status> ")
    );
    assert_eq!(at(&config, "/any").logs.access.len(), 1);
}

/// Which location answers for a path, by the status that it returns.
fn check_location(locations: &str, choices: &[(&str, u16)]) {
    let config = server(locations);
    for (path, expected) in choices {
        let location = at(&config, path);
        let status = match &location.handler {
            _ if location.program.returned(0).is_some() => returned(location),
            Handler::SlashRedirect => 301,
            Handler::StubStatus | Handler::Files => 404,
            Handler::Proxy(_) => 502,
        };
        assert_eq!(status, *expected, "{path} of {locations}");
    }
}

#[test]
fn a_location_is_chosen_by_exact_path_then_longest_prefix() {
    check_location(
        "location / { return 200; } location = / { return 201; } location /api { return 202; } \
         location ^~ /api/v1 { return 203; } location = /api/v1 { return 205; } \
         location =/glued { return 206; } location ^~/img/ { return 207; }",
        &[
            ("/", 201),
            ("/x", 200),
            ("/api", 202),
            ("/apix", 202),
            ("/api/v2", 202),
            ("/api/v1", 205),
            ("/api/v1/", 203),
            ("/glued", 206),
            ("/glued/", 200),
            ("/img/a", 207),
        ],
    );
    check_location("location /a { return 200; }", &[("/b", 404), ("*", 404), ("", 404)]);
}

#[test]
fn nested_locations_are_looked_at_inside_the_longest_prefix_only() {
    check_location(
        "location /a/ { location /a/b/c/ { return 201; } location = /a/x { return 202; } return 200; } \
         location /a/b/ { return 203; }",
        &[("/a/", 200), ("/a/x", 202), ("/a/b/c/d", 203), ("/a/b/", 203), ("/a/y", 200)],
    );
    check_location(
        "location /a { location /a/b { location = /a/b/c { return 203; } return 202; } return 201; }",
        &[("/a", 201), ("/a/b", 202), ("/a/b/c", 203), ("/a/b/c/", 202)],
    );
}

#[test]
fn a_pass_to_a_location_with_a_slash_answers_without_it_by_a_redirect() {
    check_location(
        "location /api/ { proxy_pass http://a; } location / { return 200; } \
         location /b/ { proxy_pass http://a; } location /b { return 202; } \
         location /c/ { proxy_pass http://a; } location = /c { return 203; } \
         location = /d/ { proxy_pass http://a; } location /e/ { return 204; }",
        &[
            ("/api", 301),
            ("/api/", 502),
            ("/apix", 200),
            ("/b", 202),
            ("/c", 203),
            ("/d", 301),
            ("/d/x", 200),
            ("/e", 200),
        ],
    );
}

#[test]
fn bad_locations_are_told() {
    let named = "location @x { return 200; } location @x { return 201; }";
    check_server_error(named, "duplicate location \"@x\"");
    let inside = "location @x { location /a { return 200; } return 200; }";
    check_server_error(inside, "location \"/a\" cannot be inside the named location \"@x\"");
    let deep = "location /a { location @x { return 200; } return 200; }";
    check_server_error(deep, "named location \"@x\" can be on the server level only");
    let modifier = "invalid location modifier \"!\"; expected \"=\", \"^~\", \"~\" or \"~*\"";
    check_server_error("location ! /a { return 200; }", modifier);
    let duplicate = "location /a { return 200; } location ^~ /a { return 200; }";
    check_server_error(duplicate, "duplicate location \"/a\"");
    let outside = "location /a { location /b { return 200; } return 200; }";
    check_server_error(outside, "location \"/b\" is outside location \"/a\"");
    let exact = "location = /a { location /a/b { return 200; } return 200; }";
    let told = "location \"/a/b\" cannot be inside the exact location \"/a\"";
    check_server_error(exact, told);
}

#[test]
fn a_location_that_answers_nothing_is_warned_about() {
    check_warnings(
        "http { server { listen 80; location /a { keepalive_timeout 1s; } location b { return 200; } } }",
        &[
            "1:28: location \"/a\" has neither \"proxy_pass\" nor \"return\" nor a \"root\", it serves the \
             files of \"html\" beside the file",
            "1:75: location \"b\" never matches, paths begin with \"/\"",
        ],
    );
}

#[test]
fn a_pass_with_a_uri_replaces_the_location_and_one_without_passes_all() {
    let config = server(
        "location /api/ { proxy_pass http://h:81/v1/; } location /raw { proxy_pass http://h:80; } \
         location /base/ { proxy_pass HTTP://h/; }",
    );
    let api = pass(&config, "/api/x");
    assert_eq!(api.url.uri, Some(bytes("/v1/")));
    assert_eq!((api.url.host.as_slice(), api.url.port.as_slice()), (&b"h:81"[..], &b"81"[..]));
    assert_eq!(redirects(&config, "/api/x"), [owned("http://h:81/v1/", "/api/")]);
    let raw = pass(&config, "/raw");
    assert_eq!((raw.url.uri.clone(), raw.url.host.as_slice()), (None, &b"h"[..]));
    assert_eq!(redirects(&config, "/raw"), [owned("http://h:80/", "/")]);
    let base = pass(&config, "/base/");
    assert_eq!((base.url.uri.clone(), base.upstream), (Some(bytes("/")), raw.upstream));
    assert_ne!(api.upstream, raw.upstream);
}

#[test]
fn bad_passes_are_told() {
    for (url, expected) in [
        (
            "$x",
            "variables in \"proxy_pass\" are not supported yet; a name written there is looked up \
             again by itself when a connection fails",
        ),
        ("https://a", "\"https://\" in \"proxy_pass\" is not supported yet"),
        ("localhost:5000", "invalid URL prefix in \"localhost:5000\"; expected \"http://\""),
        ("http://", "no host in upstream \"\""),
        ("http:///x", "no host in upstream \"\""),
        ("http://a:b/", "invalid port in upstream \"a:b\""),
        ("http://a:70000", "invalid port in upstream \"a:70000\""),
        ("http://a?x", "invalid host in upstream \"a?x\""),
        ("http://unix:", "no path in the unix domain socket in upstream \"unix:\""),
        ("http://unix::/x", "no path in the unix domain socket in upstream \"unix:\""),
        ("\"http://a/b c\"", "space or control character in the URI of \"proxy_pass\""),
    ] {
        check_server_error(&format!("location / {{ proxy_pass {url}; }}"), expected);
    }
}

#[test]
fn set_headers_are_inherited_all_or_nothing() {
    let config = good(
        "http { proxy_set_header Host $host; proxy_set_header X-A \"a $remote_addr\"; \
         server { location / { proxy_pass http://a; } \
         location /own { proxy_set_header X-B b; proxy_set_header X-B \"\"; proxy_pass http://a; } \
         location /host { proxy_set_header host ${http_host}; proxy_pass http://a; } } }",
    );
    assert_eq!(fields(&config, "/"), ["Host: <Host>", "X-A: a <RemoteAddr>"]);
    assert_eq!(fields(&config, "/own"), ["Host: <ProxyHost>", "X-B: b", "X-B: "]);
    assert_eq!(fields(&config, "/host"), ["host: <HttpHost>"]);
}

#[test]
fn add_headers_are_inherited_all_or_nothing() {
    let config = server(
        "add_header X-A a always; add_header X-B $host; location / { return 200; } \
         location /own { add_header X-C c; location /own/deep { return 200; } return 200; }",
    );
    let names = |path: &str| -> Vec<(String, bool)> {
        let list = at(&config, path).add_headers.iter();
        list.map(|h| (String::from_utf8_lossy(&h.name).into_owned(), h.always)).collect()
    };
    let upper = [("X-A".to_owned(), true), ("X-B".to_owned(), false)];
    assert_eq!(names("/"), upper);
    assert_eq!(names("/own"), [("X-C".to_owned(), false)]);
    assert_eq!(names("/own/deep"), names("/own"));
    assert_eq!(config.servers[0].fallback.add_headers.len(), 2);
}

#[test]
fn values_are_inherited_one_by_one_whatever_their_order() {
    let config = good(
        "http { client_max_body_size 2m; keepalive_timeout 10s 5; proxy_read_timeout 1h30m; \
         server { location / { proxy_pass http://a; client_max_body_size 0; proxy_http_version 1.0; \
         proxy_connect_timeout 250ms; server_tokens off; } \
         location /b { keepalive_timeout 0; proxy_pass http://a; } proxy_send_timeout 5; \
         client_body_timeout 7s; send_timeout 8s; keepalive_requests 9; default_type a/b; \
         absolute_redirect off; port_in_redirect off; client_header_timeout 3s; \
         large_client_header_buffers 2 1k; underscores_in_headers on; } }",
    );
    let (root, b) = (at(&config, "/"), at(&config, "/b"));
    assert_eq!((root.client.body_bytes_max, b.client.body_bytes_max), (None, Some(2 << 20)));
    assert_eq!(
        (root.client.keepalive.timeout_ms, root.client.keepalive.field_s),
        (10_000, Some(5))
    );
    assert_eq!((b.client.keepalive.timeout_ms, b.client.keepalive.field_s), (0, None));
    assert_eq!((root.client.body_timeout_ms, root.client.send_timeout_ms), (7000, 8000));
    assert_eq!(
        (root.client.keepalive.requests, root.files.content_types.default_type.as_slice()),
        (9, &b"a/b"[..])
    );
    assert!(!root.server_tokens && b.server_tokens);
    assert!(!root.redirect.absolute && !root.redirect.port);
    let (root, b) = (pass(&config, "/"), pass(&config, "/b"));
    assert!(!root.http11 && b.http11);
    assert_eq!((root.timeouts.connect_ms, b.timeouts.connect_ms), (250, 60_000));
    assert_eq!((root.timeouts.read_ms, root.timeouts.send_ms), (5_400_000, 5000));
    let client = &config.servers[0].client;
    assert_eq!((client.header_timeout_ms, client.underscores_in_headers), (3000, true));
    assert_eq!((client.line_bytes_max, client.head_bytes_max), (1024, 2048));
}

#[test]
fn redirect_pairs_replace_the_default_and_off_is_inherited() {
    let config = server(
        "proxy_redirect off; location / { proxy_pass http://a; } \
         location /p { proxy_redirect http://x/ /p/; proxy_redirect default; proxy_pass http://a; }",
    );
    assert_eq!(redirects(&config, "/"), []);
    let expected = [owned("http://x/", "/p/"), owned("http://a/", "/")];
    assert_eq!(redirects(&config, "/p"), expected);
    check_server_error(
        "proxy_redirect a b; proxy_redirect off;",
        "\"proxy_redirect\" directive is duplicate",
    );
    let told = "invalid parameter \"of\"; expected \"off\", \"default\" or two texts";
    check_server_error("proxy_redirect of;", told);
}

#[test]
fn hidden_fields_are_nginx_own_less_the_passed_plus_the_hidden() {
    let config = server(
        "proxy_hide_header X-Powered-By; proxy_pass_header Server; location / { proxy_pass http://a; }",
    );
    let hidden = &pass(&config, "/").hidden;
    assert!(hidden.contains(&bytes("x-powered-by")) && hidden.contains(&bytes("date")));
    assert!(!hidden.contains(&bytes("server")) && hidden.contains(&bytes("x-accel-redirect")));
}

fn answer(content: &str) -> (u16, Option<String>) {
    let config = server(content);
    let answer = config.servers[0].program.returned(0).unwrap_or_else(|| panic!("{content}"));
    (answer.status, answer.text.as_ref().map(shown))
}

#[test]
fn return_takes_a_code_a_text_or_a_url() {
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(answer("return 404;"), (404, None));
    assert_eq!(answer("return 200 \"ok\\n\";"), (200, some("ok\n")));
    assert_eq!(answer("return 200 '';"), (200, some("")));
    assert_eq!(
        answer("return 301 https://$host$request_uri;"),
        (301, some("https://<Host><RequestUri>"))
    );
    assert_eq!(answer("return https://x/;"), (302, some("https://x/")));
    assert_eq!(answer("return $scheme://x/;"), (302, some("<Scheme>://x/")));
    assert_eq!(answer("return 444;"), (444, None));
    // The first one holds.
    assert_eq!(answer("return 201; return 202;"), (201, None));
}

#[test]
fn bad_returns_and_variables_are_told() {
    for code in ["1000", "42", "199", "99999999999999999999"] {
        let told = if code.len() > 10 {
            "expected a status, or an URL that begins with http://, https:// or $scheme"
        } else {
            "expected 200 to 999"
        };
        let told = format!("invalid return code \"{code}\"; {told}");
        check_server_error(&format!("return {code};"), &told);
    }
    let path = "invalid return code \"/path\"; expected a status, or an URL that begins with \
                http://, https:// or $scheme";
    check_server_error("return /path;", path);
    let unknown = "unknown \"hots\" variable; did you mean \"$host\"?";
    check_server_error("return 200 $hots;", unknown);
    check_server_error("add_header A $hots;", unknown);
    check_server_error("proxy_set_header A $hots;", unknown);
}

#[test]
fn a_field_cannot_end_its_line() {
    let told = "the value of field \"A\" has a line end or control character; write it on one line";
    check_server_error("add_header A \"x\\r\\nB: y\";", told);
    check_server_error("proxy_set_header A \"x\ny\";", told);
    check_server_error("add_header \"A: b\" c;", "invalid field name \"A: b\"");
    check_server_error("proxy_set_header '' c;", "invalid field name \"\"");
}

#[test]
fn a_return_goes_before_a_pass_and_neither_is_inherited() {
    check_location(
        "location /a { proxy_pass http://a; return 201; location /a/b { keepalive_timeout 1; } }",
        &[("/a", 201), ("/a/b", 404)],
    );
}

#[test]
fn the_type_of_an_answer_is_that_of_the_ending() {
    let config = server(
        "default_type a/d; location / { return 200; } \
         location /own { types { x/y z Q; } return 200; }",
    );
    let of = |path: &str| {
        String::from_utf8_lossy(at(&config, path).content_type(path.as_bytes())).into_owned()
    };
    assert_eq!(
        [of("/a.html"), of("/A.GIF"), of("/a"), of("/a.b/c"), of("/a.")],
        ["text/html", "image/gif", "a/d", "a/d", "a/d"]
    );
    assert_eq!([of("/own/a.html"), of("/own/a.q")], ["a/d", "x/y"]);
    check_server_error(
        "types { x/y { } }",
        "invalid line in \"types\"; expected a type and its endings",
    );
}

#[test]
fn every_problem_is_told_at_once() {
    check_errors(
        "http {\nupstream u {}\nserver {\nlisten 0;\nlocation / { proxy_pass https://a; add_header A $x; }\n}\n}",
        &[
            "2:1: no servers are inside upstream \"u\"",
            "4:8: invalid port in \"0\" of the \"listen\" directive; expected PORT, ADDRESS:PORT or \
             [ADDRESS]:PORT, a port from 1 to 65535",
            "5:25: \"https://\" in \"proxy_pass\" is not supported yet",
            "5:49: unknown \"x\" variable",
        ],
    );
    // What the table refuses hides nothing but what follows from it.
    check_errors(
        "http {\nupstream u { least_conn; server a; }\nserver {\nlocation ~ x { ssi on; }\nreturn 200 $b$;\nadd_header A $b; }\n}",
        &[
            "2:14: \"least_conn\" directive is refused: not supported yet: servers take turns by their \
             weight; leave it out where there is one server, it changes nothing",
            "4:16: \"ssi\" directive is refused: pages are not put together here; the \
             application can, or `try_files` can choose",
        ],
    );
    check_errors(
        "http {\nsevrer { }\nupstream u { sever a; }\n}",
        &[
            "2:1: unknown directive \"sevrer\"; did you mean \"server\"?",
            "3:14: unknown directive \"sever\"; did you mean \"server\"?",
        ],
    );
    check_errors(
        "events {}",
        &[" no \"server\" block in the configuration, nothing would be served"],
    );
}
