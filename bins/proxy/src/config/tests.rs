//! The meaning of whole configurations: what each directive becomes, and what is wrong with bad
//! ones.

use std::fs;
use std::path::PathBuf;

use nginx_conf::{Context, Diag, Included};

use super::lower::{Surroundings, lower};
use super::model::{
    Config, Handler, Location, LogFile, Part, ProxyPass, Server, Template, Variable,
};
use super::*;

/// Lowers a whole file: the configuration with the headlines of its warnings, or those of errors.
fn lowered(text: &str) -> Result<(Config, Vec<String>), Vec<String>> {
    let headlines = |diags: Vec<Diag>| diags.iter().map(Diag::headline).collect::<Vec<_>>();
    let main = Included { name: "t".to_owned(), bytes: text.into(), is_stock: false };
    let mut none = |_: &str, _: &str| Ok(vec![]);
    let (tree, _) = nginx_conf::load(main, Context::Main, &mut none).map_err(headlines)?;
    let surroundings = Surroundings { folder: PathBuf::from("/etc/nginx"), is_root: true };
    let (config, warnings) = lower(&tree, &surroundings).map_err(headlines)?;
    Ok((config, headlines(warnings)))
}

fn good(text: &str) -> Config {
    lowered(text).unwrap_or_else(|errors| panic!("{text}: {errors:?}")).0
}

/// A configuration with one server of this content.
fn server(content: &str) -> Config {
    good(&format!("http {{ server {{ {content} }} }}"))
}

/// The headlines of what is wrong, without the name of the file.
fn check_errors(text: &str, expected: &[&str]) {
    let errors = lowered(text).map(|(_, warnings)| warnings).expect_err(text);
    let errors: Vec<&str> = errors.iter().map(|e| e.strip_prefix("t:").unwrap_or(e)).collect();
    assert_eq!(errors, expected, "{text}");
}

/// The one thing wrong inside a server, without its place.
fn check_server_error(content: &str, expected: &str) {
    let text = format!("http {{ server {{ {content} }} }}");
    let errors = lowered(&text).map(|(_, warnings)| warnings).expect_err(content);
    let (_, message) = errors[0].split_once(": ").unwrap_or(("", &errors[0]));
    assert_eq!((message, errors.len()), (expected, 1), "{content}");
}

fn check_warnings(text: &str, expected: &[&str]) {
    let (_, warnings) = lowered(text).expect(text);
    let plain: Vec<&str> = warnings.iter().map(|w| w.strip_prefix("t:").unwrap_or(w)).collect();
    assert_eq!(plain, expected, "{text}");
}

fn at<'c>(config: &'c Config, path: &str) -> &'c Location {
    let server = &config.servers[0];
    server.location_index(path.as_bytes()).map_or(&server.fallback, |i| &server.locations[i])
}

fn pass<'c>(config: &'c Config, path: &str) -> &'c ProxyPass {
    match &at(config, path).handler {
        Handler::Proxy(pass) => pass,
        other => panic!("{path}: {other:?}"),
    }
}

/// A template as text, variables by their debug names.
fn shown(template: &Template) -> String {
    let part = |part: &Part| match part {
        Part::Literal(text) => String::from_utf8_lossy(text).into_owned(),
        Part::Variable(variable) => format!("<{variable:?}>"),
    };
    template.0.iter().map(part).collect()
}

/// The fields set towards the upstream at a path.
fn fields(config: &Config, path: &str) -> Vec<String> {
    let fields = pass(config, path).set_headers.iter();
    fields.map(|f| format!("{}: {}", String::from_utf8_lossy(&f.name), shown(&f.value))).collect()
}

fn bytes(text: &str) -> Vec<u8> {
    text.as_bytes().to_vec()
}

const BLOG: &str = "events {} http { server { listen 80; location / { \
                    proxy_pass http://localhost:5000; } } }";

#[test]
fn the_smallest_file_has_every_default() {
    let (config, warnings) = lowered(BLOG).unwrap();
    assert_eq!(warnings, Vec::<String>::new());
    let listen = &config.listens[0];
    assert_eq!((listen.address.to_string().as_str(), listen.backlog), ("0.0.0.0:80", 511));
    assert_eq!(listen.origin, "t:1:34");
    let location = at(&config, "/any");
    assert_eq!(location.body_bytes_max, Some(1 << 20));
    assert_eq!((location.body_timeout_ms, location.send_timeout_ms), (60_000, 60_000));
    assert_eq!((location.keepalive_timeout_ms, location.keepalive_requests), (75_000, 1000));
    assert!(location.server_tokens && location.absolute_redirect && location.port_in_redirect);
    assert_eq!(location.default_type, b"text/plain");
    let pass = pass(&config, "/any");
    assert!(pass.http11 && pass.uri.is_none());
    assert_eq!(
        (pass.host.as_slice(), pass.port.as_slice()),
        (&b"localhost:5000"[..], &b"5000"[..])
    );
    assert_eq!(fields(&config, "/"), ["Host: <ProxyHost>"]);
    assert_eq!(pass.redirects, [(bytes("http://localhost:5000/"), bytes("/"))]);
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
    assert_eq!(at(&config, "/any").access_logs.len(), 1);
}

#[test]
fn no_listen_is_port_80_for_root_and_8000_for_others() {
    let text = "http { server { return 204; } }";
    let main = Included { name: "t".to_owned(), bytes: text.into(), is_stock: false };
    let (tree, _) = nginx_conf::load(main, Context::Main, &mut |_, _| Ok(vec![])).unwrap();
    for (is_root, port) in [(true, 80), (false, 8000)] {
        let surroundings = Surroundings { folder: PathBuf::new(), is_root };
        let (config, _) = lower(&tree, &surroundings).unwrap();
        assert_eq!(config.listens[0].address.port(), port);
    }
}

#[test]
fn listen_takes_all_its_forms_and_options() {
    let config = server(
        "listen 8080 default_server reuseport; listen [::]:8080 default_server ipv6only=off; \
         listen 127.0.0.1:81 backlog=64 deferred; listen localhost:82; listen *:83; return 204;",
    );
    let shown: Vec<String> = config.listens.iter().map(|l| l.address.to_string()).collect();
    let expected =
        ["0.0.0.0:8080", "[::]:8080", "127.0.0.1:81", "127.0.0.1:82", "[::1]:82", "0.0.0.0:83"];
    assert_eq!(shown, expected);
    assert!(config.listens[0].ipv6_only && !config.listens[1].ipv6_only);
    assert_eq!(config.listens[2].backlog, 64);
}

#[test]
fn bad_listens_are_told() {
    let expected = "expected PORT, ADDRESS:PORT or [ADDRESS]:PORT, a port from 1 to 65535";
    for (listen, problem) in [
        ("0", "invalid port in \"0\" of the \"listen\" directive"),
        ("65536", "invalid port in \"65536\" of the \"listen\" directive"),
        ("a:b", "invalid port in \"a:b\" of the \"listen\" directive"),
        ("[::1", "invalid host in \"[::1\" of the \"listen\" directive"),
    ] {
        let told = format!("{problem}; {expected}");
        check_server_error(&format!("listen {listen}; return 204;"), &told);
    }
    let ssl = "\"ssl\" of \"listen\" is not supported yet";
    check_server_error("listen 443 ssl;", ssl);
    check_server_error("listen unix:/x;", "unix sockets in \"listen\" are not supported yet");
    check_server_error("listen 80 backlog=x;", "invalid parameter \"backlog=x\"");
    check_server_error("listen 80 nonsense;", "invalid parameter \"nonsense\"");
    let wrong = "ipv6only is not supported on an IPv4 address";
    check_server_error("listen 80 ipv6only=on;", wrong);
    check_server_error("listen 80; listen *:80;", "a duplicate listen 0.0.0.0:80");
    let missing = "host not found in \"no.such.invalid:80\" of the \"listen\" directive";
    check_server_error("listen no.such.invalid:80;", missing);
}

#[test]
fn a_second_default_server_or_second_options_are_errors() {
    check_errors(
        "http { server { listen 80 default_server; } server { listen 80 default_server; } }",
        &["1:60: a duplicate default server for 0.0.0.0:80"],
    );
    check_errors(
        "http { server { listen 80 backlog=1; } server { listen 80 backlog=2; } }",
        &["1:55: duplicate listen options for 0.0.0.0:80"],
    );
}

/// Which of several servers answers for a Host; each returns its number.
fn check_choice(servers: &[&str], choices: &[(&str, usize)]) {
    let blocks: Vec<String> =
        servers.iter().map(|s| format!("server {{ {s} return 204; }}")).collect();
    let config = good(&format!("http {{ {} }}", blocks.concat()));
    for (host, expected) in choices {
        assert_eq!(config.listens[0].server(host.as_bytes()), *expected, "{host} of {servers:?}");
    }
}

#[test]
fn a_server_is_chosen_by_exact_name_then_longest_wildcards_then_default() {
    check_choice(
        &[
            "listen 80; server_name example.com;",
            "listen 80; server_name *.example.com;",
            "listen 80; server_name *.a.example.com;",
            "listen 80; server_name www.*;",
            "listen 80; server_name .other.org \"\";",
            "listen 80 default_server; server_name _;",
            "listen 80; server_name www.a.*;",
        ],
        &[
            ("example.com", 0),
            ("b.example.com", 1),
            ("x.b.example.com", 1),
            ("b.a.example.com", 2),
            ("a.example.com", 1),
            ("www.elsewhere.net", 3),
            ("www.example.com", 1),
            ("www.a.net", 6),
            ("other.org", 4),
            ("x.other.org", 4),
            ("", 4),
            ("_", 5),
            ("nobody", 5),
            (".example.com", 5),
            ("www.", 5),
            ("notexample.com", 5),
        ],
    );
    check_choice(
        &["listen 80; server_name a;", "listen 80; server_name b;"],
        &[("a", 0), ("b", 1), ("c", 0), ("", 0)],
    );
}

#[test]
fn a_conflicting_name_goes_to_the_first_with_a_warning() {
    check_warnings(
        "http { server { listen 80; server_name a; return 204; } \
         server { listen 80; server_name A *.b; return 204; } \
         server { listen 80; server_name *.b; return 204; } }",
        &[
            "1:89: conflicting server name \"a\" on 0.0.0.0:80, ignored",
            "1:142: conflicting server name \"*.b\" on 0.0.0.0:80, ignored",
        ],
    );
}

#[test]
fn bad_server_names_are_told() {
    check_server_error(
        "server_name ~^a$;",
        "regular expressions in \"server_name\" are not supported yet",
    );
    for name in ["a*b", "*", "*.*", "www.*.com", ".", "a..b"] {
        let told = format!("invalid server name or wildcard \"{name}\"");
        check_server_error(&format!("server_name {name};"), &told);
    }
}

#[test]
fn a_specific_address_goes_before_the_wildcard_that_bound_its_port() {
    let config = good(
        "http { server { listen 80; return 200; } server { listen 127.0.0.1:80; return 201; } \
         server { listen [::]:80; return 202; } server { listen 127.0.0.1:81; return 203; } }",
    );
    let bound: Vec<_> = config.listens.iter().map(|listen| listen.bound_by).collect();
    assert_eq!(bound, [None, Some(0), None, None]);
    assert_eq!(config.listen_for(0, "127.0.0.1:80".parse().unwrap()), 1);
    assert_eq!(config.listen_for(0, "10.0.0.1:80".parse().unwrap()), 0);
    assert_eq!(config.listen_for(2, "[::1]:80".parse().unwrap()), 2);
}

/// Which location answers for a path, by the status that it returns.
fn check_location(locations: &str, choices: &[(&str, u16)]) {
    let config = server(locations);
    for (path, expected) in choices {
        let status = match &at(&config, path).handler {
            Handler::Return(answer) => answer.status,
            Handler::SlashRedirect => 301,
            Handler::NotFound => 404,
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
    let regex = "regular expressions in \"location\" are not supported yet; a prefix, \"=\" or \
                 \"^~\" location is";
    check_server_error("location ~ \\.php$ { return 200; }", regex);
    check_server_error("location ~*x { return 200; }", regex);
    check_server_error("location @x { return 200; }", "named location \"@x\" is not supported yet");
    let modifier = "invalid location modifier \"!\"; expected \"=\" or \"^~\"";
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
            "1:28: location \"/a\" has neither \"proxy_pass\" nor \"return\", it answers 404",
            "1:75: location \"b\" never matches, paths begin with \"/\"",
        ],
    );
}

#[test]
fn a_pass_with_a_uri_replaces_the_location_and_one_without_passes_all() {
    let config = server(
        "location /api/ { proxy_pass http://h:81/v1/; } location /raw { proxy_pass http://h:80; } \
         location /root/ { proxy_pass HTTP://h/; }",
    );
    let api = pass(&config, "/api/x");
    assert_eq!(api.uri, Some(bytes("/v1/")));
    assert_eq!((api.host.as_slice(), api.port.as_slice()), (&b"h:81"[..], &b"81"[..]));
    assert_eq!(api.redirects, [(bytes("http://h:81/v1/"), bytes("/api/"))]);
    let raw = pass(&config, "/raw");
    assert_eq!((raw.uri.clone(), raw.host.as_slice()), (None, &b"h"[..]));
    assert_eq!(raw.redirects, [(bytes("http://h:80/"), bytes("/"))]);
    let root = pass(&config, "/root/");
    assert_eq!((root.uri.clone(), root.upstream), (Some(bytes("/")), raw.upstream));
    assert_ne!(api.upstream, raw.upstream);
}

#[test]
fn bad_passes_are_told() {
    for (url, expected) in [
        ("$x", "variables in \"proxy_pass\" are not supported yet"),
        ("https://a", "\"https://\" in \"proxy_pass\" is not supported yet"),
        ("localhost:5000", "invalid URL prefix in \"localhost:5000\"; expected \"http://\""),
        ("http://", "no host in upstream \"\""),
        ("http:///x", "no host in upstream \"\""),
        ("http://a:b/", "invalid port in upstream \"a:b\""),
        ("http://a:70000", "invalid port in upstream \"a:70000\""),
        ("http://a?x", "invalid host in upstream \"a?x\""),
        ("http://unix:/s", "unix sockets are not supported yet"),
        ("\"http://a/b c\"", "space or control character in the URI of \"proxy_pass\""),
    ] {
        check_server_error(&format!("location / {{ proxy_pass {url}; }}"), expected);
    }
}

#[test]
fn upstreams_have_servers_weights_and_keepalive() {
    let config = good(
        "http { server { location / { proxy_pass http://APP/x; } } upstream app { \
         server 127.0.0.1:1 weight=3 max_fails=0 fail_timeout=1m; server b backup; server [::1]:2 down; \
         keepalive 8; keepalive_timeout 30s; keepalive_requests 7; keepalive_time 1h; } }",
    );
    let upstream = &config.upstreams[pass(&config, "/").upstream];
    assert_eq!((upstream.name.as_slice(), upstream.servers.len()), (&b"app"[..], 3));
    assert_eq!((upstream.keepalive, upstream.keepalive_timeout_ms), (8, 30_000));
    assert_eq!(upstream.keepalive_requests, 7);
    let [one, two, three] = upstream.servers.as_slice() else { panic!() };
    assert_eq!((one.weight, one.max_fails, one.fail_timeout_ms), (3, 0, 60_000));
    assert_eq!((two.port, two.backup, two.max_fails, two.fail_timeout_ms), (80, true, 1, 10_000));
    assert_eq!((three.host.as_str(), three.port, three.down), ("[::1]", 2, true));
    // $proxy_host is the name as written in the URL.
    assert_eq!(pass(&config, "/").host, b"APP");
}

#[test]
fn bad_upstreams_are_told() {
    let end = "server { listen 80; return 204; }";
    for (upstream, expected) in [
        ("upstream u { }", "1:8: no servers are inside upstream \"u\""),
        ("upstream u { server a; } upstream U { server b; }", "1:42: duplicate upstream \"U\""),
        ("upstream u { server a:b; }", "1:28: invalid port in upstream \"a:b\""),
        ("upstream u { server a:0; }", "1:28: invalid port in upstream \"a:0\""),
        ("upstream u { server unix:/a; }", "1:28: unix sockets are not supported yet"),
        ("upstream u { server a weight=0; }", "1:30: invalid parameter \"weight=0\""),
        ("upstream u { server a wieght=1; }", "1:30: invalid parameter \"wieght=1\""),
        ("upstream u { server a resolve; }", "1:30: parameter \"resolve\" is not supported yet"),
        (
            "upstream u { server a backup; }",
            "1:8: all servers inside upstream \"u\" are \"backup\"",
        ),
    ] {
        check_errors(&format!("http {{ {upstream} {end} }}"), &[expected]);
    }
    check_errors(
        "http { upstream u { server a; } server { location / { proxy_pass http://u:81; } } }",
        &["1:66: upstream \"u\" may not have port 81"],
    );
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
    assert_eq!((root.body_bytes_max, b.body_bytes_max), (None, Some(2 << 20)));
    assert_eq!((root.keepalive_timeout_ms, root.keepalive_field_s), (10_000, Some(5)));
    assert_eq!((b.keepalive_timeout_ms, b.keepalive_field_s), (0, None));
    assert_eq!((root.body_timeout_ms, root.send_timeout_ms), (7000, 8000));
    assert_eq!((root.keepalive_requests, root.default_type.as_slice()), (9, &b"a/b"[..]));
    assert!(!root.server_tokens && b.server_tokens);
    assert!(!root.absolute_redirect && !root.port_in_redirect);
    let (root, b) = (pass(&config, "/"), pass(&config, "/b"));
    assert!(!root.http11 && b.http11);
    assert_eq!((root.connect_timeout_ms, b.connect_timeout_ms), (250, 60_000));
    assert_eq!((root.read_timeout_ms, root.send_timeout_ms), (5_400_000, 5000));
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
    assert_eq!(pass(&config, "/").redirects, []);
    let expected = [(bytes("http://x/"), bytes("/p/")), (bytes("http://a/"), bytes("/"))];
    assert_eq!(pass(&config, "/p").redirects, expected);
    let told = "invalid parameter \"of\"; expected \"off\", \"default\" or two texts";
    check_server_error("proxy_redirect of;", told);
    let regex = "regular expressions in \"proxy_redirect\" are not supported yet";
    check_server_error("proxy_redirect ~x /;", regex);
    let variable = "variables in \"proxy_redirect\" are not supported yet";
    check_server_error("proxy_redirect http://a/ http://$host/;", variable);
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
    let Server { early_return: Some(answer), .. } = &config.servers[0] else { panic!("{content}") };
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
fn access_logs_go_to_streams_and_files_in_their_formats() {
    let config = good(
        "http { log_format j escape=json '{\"a\":\"$status\",' '\"b\":\"$host\"}'; \
         access_log /var/log/nginx/access.log j; access_log logs/a.log; \
         server { location / { return 200; } location /off { access_log off; return 200; } \
         location /own { access_log /dev/stderr combined buffer=4k flush=1s; return 200; } } }",
    );
    let folder = PathBuf::from("/etc/nginx/logs/a.log");
    assert_eq!(config.log_files, [LogFile::Stdout, LogFile::Path(folder), LogFile::Stderr]);
    let logs = |path: &str| -> Vec<(usize, usize)> {
        at(&config, path).access_logs.iter().map(|log| (log.file, log.format)).collect()
    };
    assert_eq!(logs("/"), [(0, 0), (1, 1)]);
    assert_eq!((logs("/off"), logs("/own")), (vec![], vec![(2, 1)]));
    assert_eq!(shown(&config.log_formats[0].template), "{\"a\":\"<Status>\",\"b\":\"<Host>\"}");
    assert_eq!(config.log_formats[0].escape, super::model::Escape::Json);
}

#[test]
fn bad_logs_are_told() {
    let server = "server { listen 80; return 204; }";
    for (line, expected) in [
        (
            "access_log a nope;",
            "1:21: unknown log format \"nope\"; no log_format of that name is written",
        ),
        (
            "log_format main x; access_log a mian;",
            "1:40: unknown log format \"mian\"; did you mean \"main\"?",
        ),
        ("access_log syslog:server=a;", "1:19: logging to syslog is not supported yet"),
        ("access_log a combined if=$x;", "1:30: \"if=\" of \"access_log\" is not supported yet"),
        ("access_log a combined buffer=x;", "1:30: invalid parameter \"buffer=x\""),
        (
            "access_log a$host;",
            "1:19: variables in the path of \"access_log\" are not supported yet",
        ),
        ("access_log off x;", "1:23: invalid parameter after \"off\""),
        ("log_format combined x;", "1:19: duplicate \"log_format\" name \"combined\""),
        ("log_format a x; log_format a y;", "1:35: duplicate \"log_format\" name \"a\""),
        ("log_format a $nope;", "1:21: unknown \"nope\" variable"),
        (
            "log_format a escape=xml x;",
            "1:21: unknown log format escaping \"xml\"; expected \"default\", \"json\" or \"none\"",
        ),
    ] {
        check_errors(&format!("http {{ {line} {server} }}"), &[expected]);
    }
}

#[test]
fn error_log_sets_the_level_and_says_where_messages_go() {
    let level = |text: &str| good(text).error_level;
    let http = "server { listen 80; return 204; }";
    assert_eq!(level(&format!("http {{ {http} }}")), None);
    let main = format!("error_log /var/log/nginx/error.log warn; http {{ {http} }}");
    assert_eq!(level(&main), Some(log::LevelFilter::Warn));
    let both = format!("error_log stderr warn; http {{ error_log stderr debug; {http} }}");
    assert_eq!(level(&both), Some(log::LevelFilter::Debug));
    let plain = format!("error_log stderr; http {{ {http} }}");
    assert_eq!(level(&plain), Some(log::LevelFilter::Error));
    check_warnings(
        &format!("error_log /x; http {{ {http} }}"),
        &["1:11: messages go to standard error, not to \"/x\""],
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
        "types { x/y; }",
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
            "5:49: unknown \"x\" variable",
            "5:25: \"https://\" in \"proxy_pass\" is not supported yet",
        ],
    );
    check_errors(
        "events {}",
        &[": no \"server\" block in the configuration, nothing would be served"],
    );
}

#[test]
fn variables_keep_their_names() {
    assert!(matches!(
        super::template::compile("$host").unwrap().0[0],
        Part::Variable(Variable::Host)
    ));
}

/// A folder of its own with these files.
fn folder(name: &str, files: &[(&str, &str)]) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("proxy-config-{name}-{}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    for (name, text) in files {
        fs::create_dir_all(folder.join(name).parent().unwrap()).unwrap();
        fs::write(folder.join(name), text).unwrap();
    }
    folder
}

fn options(folder: &std::path::Path, path: Option<&str>, globals: &str) -> LoadOptions {
    let path = path.map(PathBuf::from);
    LoadOptions { path, prefix: Some(folder.to_path_buf()), globals: globals.to_owned() }
}

fn listens(loaded: &Loaded) -> Vec<String> {
    loaded.config.listens.iter().map(|listen| listen.address.to_string()).collect()
}

#[test]
fn a_file_is_loaded_with_its_includes_and_stand_ins() {
    let main = "events {} http { include mime.types; include conf.d/*.conf; include none*; }";
    let part = "server { listen 8081; location / { include proxy_params; proxy_pass http://localhost:1; } }";
    let folder = folder("includes", &[("nginx.conf", main), ("conf.d/a.conf", part)]);
    let loaded = load(&options(&folder, None, "")).unwrap();
    assert_eq!((listens(&loaded), &loaded.warnings), (vec!["0.0.0.0:8081".to_owned()], &vec![]));
    assert_eq!(fields(&loaded.config, "/").len(), 4);
    let addresses = &loaded.config.upstreams[0].servers[0].addresses;
    assert_eq!(
        addresses.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["127.0.0.1:1", "[::1]:1"]
    );
    let built_in: Vec<bool> = loaded.config.sources.iter().map(|source| source.built_in).collect();
    assert_eq!(built_in, [false, true, false, true]);
    assert_eq!(loaded.config.sources[0].path, folder.join("nginx.conf"));
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn a_fragment_is_wrapped_as_nginx_image_wraps_it() {
    let text = "upstream u { server localhost:1; }\nserver { listen 8082; access_log /dev/stdout main; location / { proxy_pass http://u; } }";
    let folder = folder("fragment", &[("default.conf", text), ("conf.d/b.conf", text)]);
    let named = load(&options(&folder, Some("default.conf"), "")).unwrap();
    assert_eq!(listens(&named), ["0.0.0.0:8082"]);
    assert_eq!(at(&named.config, "/").keepalive_timeout_ms, 65_000);
    assert_eq!(at(&named.config, "/").default_type, b"application/octet-stream");
    // Nobody named a file and there is no nginx.conf: the fragments of conf.d are what there is.
    let found =
        load(&options(&folder, None, "worker_processes 2; error_log stderr debug;")).unwrap();
    assert_eq!(listens(&found), ["0.0.0.0:8082"]);
    assert_eq!(found.config.error_level, Some(log::LevelFilter::Debug));
    let shown: Vec<_> = found.config.sources.iter().filter(|source| !source.built_in).collect();
    assert_eq!(shown.len(), 1);
    assert_eq!(shown[0].path, folder.join("conf.d/b.conf"));
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn globals_are_directives_of_the_main_level_in_front_of_the_file() {
    let folder =
        folder("globals", &[("nginx.conf", BLOG), ("part.conf", "server { return 204; }")]);
    for path in [None, Some("part.conf")] {
        let loaded = load(&options(&folder, path, "daemon off; error_log stderr info;")).unwrap();
        assert_eq!(loaded.config.error_level, Some(log::LevelFilter::Info));
        assert_eq!(loaded.config.listens.len(), 1);
    }
    for (globals, expected) in [
        ("daemon off", "command line:1:11: unexpected end of file; expected \";\" after \"off\""),
        ("demon off;", "command line:1:1: unknown directive \"demon\"; did you mean \"daemon\"?"),
        (
            "listen 80;",
            "command line:1:1: \"listen\" directive is not allowed here; this is outside all blocks, it belongs in server",
        ),
    ] {
        let errors = load(&options(&folder, None, globals)).unwrap_err();
        assert_eq!(errors[0].lines().next(), Some(expected));
    }
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn what_cannot_be_read_is_told() {
    let folder = folder("unreadable", &[("x/y", ""), ("bad.conf", "http {\n  proxy_pas a;\n}")]);
    let first = |path: &str| load(&options(&folder, Some(path), "")).unwrap_err().remove(0);
    assert_eq!(
        first("x"),
        format!("\"{}\" is a folder, expected a file", folder.join("x").display())
    );
    assert_eq!(first("/no/such.conf"), "open() \"/no/such.conf\" failed (no such file)");
    let shown = folder.join("bad.conf").display().to_string();
    let expected = format!(
        "{shown}:2:3: unknown directive \"proxy_pas\"; did you mean \"proxy_pass\"?\n  2 |   proxy_pas a;\n    |   ^^^^^^^^^"
    );
    assert_eq!(first("bad.conf"), expected);
    let missing = load(&options(&folder, None, "")).unwrap_err();
    let shown = folder.join("nginx.conf").display().to_string();
    assert_eq!(missing, [format!("open() \"{shown}\" failed (no such file)")]);
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn damaged_files_never_panic() {
    let whole = include_str!("../../../../crates/nginx-conf/testdata/good/full.conf");
    for end in 0..whole.len() {
        if whole.is_char_boundary(end) {
            let _ = lowered(&whole[..end]);
        }
    }
    let mut state = 0x9E37_79B9_7F4A_7C15u64;
    let mut below = |bound: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 33) as usize % bound.max(1)
    };
    let words: Vec<&str> = whole.split_inclusive(' ').collect();
    for _ in 0..3000 {
        let mut words = words.clone();
        for _ in 0..=below(3) {
            let (from, to) = (below(words.len()), below(words.len()));
            words[to] = words[from];
        }
        let _ = lowered(&words.concat());
    }
}
