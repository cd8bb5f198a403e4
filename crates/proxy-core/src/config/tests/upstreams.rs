//! Groups of servers, and where requests go.

use super::super::model::{Method, Upstream};
use super::*;

#[test]
fn a_pass_to_a_path_has_no_port_and_its_uri_after_a_colon() {
    let config = server(
        "location / { proxy_pass http://unix:/run/a.sock; } \
         location /end { proxy_pass http://unix:/run/a.sock:; } \
         location /uri { proxy_pass http://unix:/run/a.sock:/x; } \
         location /other { proxy_pass http://unix:/run/A.sock; }",
    );
    for (path, uri) in [("/", None), ("/end", None), ("/uri", Some("/x"))] {
        let pass = pass(&config, path);
        assert_eq!((pass.url.uri.clone(), pass.upstream), (uri.map(bytes), 0), "{path}");
        assert_eq!(
            (pass.url.host.as_slice(), pass.url.port.as_slice()),
            (&b"localhost"[..], &b""[..])
        );
    }
    let address = |upstream: usize| config.upstreams[upstream].servers[0].addresses[0].to_string();
    assert_eq!(
        (address(0), address(pass(&config, "/other").upstream)),
        ("unix:/run/a.sock".into(), "unix:/run/A.sock".into())
    );
}

#[test]
fn a_path_that_is_too_long_is_told_where_it_is() {
    let longest = format!("unix:/{}", "a".repeat(106));
    server(&format!("location / {{ proxy_pass http://{longest}:/x; }}"));
    let problem = format!("too long path in the unix domain socket in upstream \"{longest}a\"");
    check_server_error(&format!("location / {{ proxy_pass http://{longest}a:/x; }}"), &problem);
    let upstream = format!("upstream u {{ server {longest}a; }} server {{ return 204; }}");
    check_errors(&format!("http {{ {upstream} }}"), &[&format!("1:28: {problem}")]);
}

fn upstream(lines: &str) -> Upstream {
    let text = format!("http {{ upstream u {{ {lines} }} server {{ return 204; }} }}");
    good(&text).upstreams.remove(0)
}

#[test]
fn a_method_is_what_was_written_last() {
    assert!(matches!(upstream("server a;").method, Method::RoundRobin));
    assert!(matches!(upstream("server a; least_conn;").method, Method::LeastConn));
    assert!(matches!(upstream("ip_hash; server a; server b;").method, Method::IpHash));
    assert!(matches!(upstream("random; server a;").method, Method::Random { two: false }));
    let two = upstream("random two least_conn; server a;").method;
    assert!(matches!(two, Method::Random { two: true }));
    let hash = upstream("hash $uri; server a;").method;
    assert!(matches!(hash, Method::Hash { points: None, .. }));
    let (config, warnings) = lowered(
        "http { upstream u { ip_hash; hash a consistent; server a; } server { return 204; } }",
    )
    .unwrap();
    assert!(matches!(config.upstreams[0].method, Method::Hash { points: Some(_), .. }));
    assert_eq!(warnings.len(), 1);
    assert!(warnings[0].contains("load balancing method redefined"));
}

#[test]
fn servers_take_what_their_method_does() {
    let servers = upstream("server a max_conns=7 resolve; server b backup;").servers;
    assert_eq!((servers[0].max_conns, servers[0].is_watched, servers[1].backup), (7, true, true));
    assert!(upstream("least_conn; server a; server b backup;").servers[1].backup);
    assert!(upstream("server a; server b backup; ip_hash;").servers[1].backup, "as in nginx");
    for method in ["ip_hash", "random", "hash $uri"] {
        let text = format!(
            "http {{ upstream u {{ {method}; server a; server b backup; }} server {{ return 204; }} }}"
        );
        let column = text.find("backup").unwrap() + 1;
        let told = format!("1:{column}: balancing method does not support parameter \"backup\"");
        check_errors(&text, &[&told]);
    }
    for (lines, told) in [
        ("hash a b; server a;", "1:28: invalid parameter \"b\"; expected \"consistent\""),
        ("random one; server a;", "1:28: invalid parameter \"one\"; expected \"two\""),
        (
            "random two least_time; server a;",
            "1:32: invalid parameter \"least_time\"; expected \"least_conn\"",
        ),
        ("server a max_conns=x;", "1:30: invalid parameter \"max_conns=x\""),
        ("hash $nothing; server a;", "1:26: unknown \"nothing\" variable"),
    ] {
        check_errors(
            &format!("http {{ upstream u {{ {lines} }} server {{ return 204; }} }}"),
            &[told],
        );
    }
}

#[test]
fn a_ring_has_its_bound() {
    upstream("hash a consistent; server a weight=9999; server b;");
    let told = "1:8: weights of a consistent hash are 10001 together; expected at most 10000";
    check_errors(
        "http { upstream u { hash a consistent; server a weight=10000; server b; } \
         server { return 204; } }",
        &[told],
    );
}

#[test]
fn a_pass_by_variables_has_no_place_and_no_redirect_of_its_own() {
    let config = server(
        "proxy_redirect a b; location / { proxy_redirect off; proxy_pass http://$host/x; } \
         location /in { proxy_pass http://$host; } location ~ re { proxy_pass http://$host/uri; }",
    );
    let own = pass(&config, "/");
    assert!(own.url.by_variables.is_some() && own.redirects.is_empty());
    assert_eq!((pass(&config, "/in").redirects.len(), config.upstreams.len()), (1, 0));
    assert!(server("location / { proxy_pass http://$host; }").upstreams.is_empty());
    check_server_error(
        "location / { proxy_redirect default; proxy_pass http://$host; }",
        "\"proxy_redirect default\" cannot be used with \"proxy_pass\" directive with variables",
    );
}

/// The groups that a file's own variables lead to, with their ports and whether they are looked up
/// from time to time.
fn told(content: &str) -> Vec<(String, Option<u16>, bool)> {
    let config = good(&format!("http {{ upstream known {{ server 10.0.0.1; }} {content} }}"));
    let groups = config.upstreams.iter().skip(1);
    let shown = |group: &Upstream| {
        let name = String::from_utf8(group.name.clone()).unwrap();
        (name, group.port, group.servers.iter().all(|server| server.is_watched))
    };
    groups.map(shown).collect()
}

#[test]
fn names_that_the_file_gives_its_variables_are_looked_up() {
    let group = |name: &str, port| (name.to_owned(), Some(port), true);
    for (content, expected) in [
        (
            "set $to http://app.ns.svc:81; location / { proxy_pass $to; }",
            vec![group("app.ns.svc", 81)],
        ),
        (
            "location / { set $to app; proxy_pass http://$to:81$request_uri; }",
            vec![group("app", 81)],
        ),
        ("location / { set $to app; proxy_pass http://${to}/x/$1; }", vec![group("app", 80)]),
        (
            "set $a $b; set $b app; location / { proxy_pass http://$a$is_args$args; }",
            vec![group("app", 80)],
        ),
        ("location / { proxy_pass http://app:81$uri; }", vec![group("app", 81)]),
        // What is a group, an address or a path needs no look-up.
        ("set $to known; location / { proxy_pass http://$to; }", vec![]),
        ("set $to 10.0.0.2; location / { proxy_pass http://$to:81; }", vec![]),
        ("set $to unix:/s; location / { proxy_pass http://$to; }", vec![]),
        // What a request brings is not known.
        ("location / { proxy_pass http://$host$request_uri; }", vec![]),
        ("location ~ ^/(a) { proxy_pass http://$1; }", vec![]),
        ("set $to $to; location / { proxy_pass http://$to; }", vec![]),
    ] {
        assert_eq!(told(&format!("server {{ {content} }}")), expected, "{content}");
    }
    let map = "map $uri $to { include_me a; default b:81; ~x known; }";
    let split = "split_clients $uri $half { 50% c; * d; }";
    let server =
        "server { location / { proxy_pass http://$to; } location /h { proxy_pass http://$half; } }";
    let expected = [group("a", 80), group("b", 81), group("c", 80), group("d", 80)];
    assert_eq!(told(&format!("{map} {split} {server}")), expected);
}

#[test]
fn names_that_a_request_brings_are_warned_of() {
    let warned = |url: &str| {
        let content = format!("set $a x; location / {{ proxy_pass {url}; }}");
        let (_, told) = lowered(&format!("http {{ server {{ {content} }} }}")).unwrap();
        told.iter().any(|one| one.contains("are not looked up"))
    };
    assert!(warned("http://$host") && warned("http://$a$host") && warned("$arg_to"));
    assert!(!warned("http://$a") && !warned("http://$a/$host") && !warned("http://a$request_uri"));
}

#[test]
fn names_beyond_those_that_are_looked_at_are_warned_of() {
    for (names, is_warned) in [(999, false), (1_000, true)] {
        let lines: String = (0..names).map(|n| format!("/{n} a{n}; ")).collect();
        let pass = "server { location / { proxy_pass http://$to; } }";
        let (config, told) =
            lowered(&format!("http {{ map $uri $to {{ {lines} }} {pass} }}")).unwrap();
        assert_eq!(told.iter().any(|one| one.contains("are not looked up")), is_warned, "{names}");
        assert_eq!(config.upstreams.len(), 999);
    }
}

#[test]
fn connections_come_from_an_address_of_this_host() {
    let config = good(
        "http { proxy_bind 127.0.0.2; fastcgi_bind 127.0.0.3:81; server { \
         location / { proxy_pass http://127.0.0.1; } \
         location /off { proxy_bind off; proxy_pass http://127.0.0.1; } \
         location /variable { proxy_bind $arg_a; proxy_pass http://127.0.0.1; } \
         location /app { fastcgi_pass 127.0.0.1:90; } } }",
    );
    let bind = |path: &str| {
        let Handler::Proxy(pass) = &at(&config, path).handler else { panic!("a pass") };
        let changes = pass.changes.as_ref();
        changes.and_then(|changes| changes.bind.as_ref()).map(|text| text.0.len())
    };
    assert_eq!(["/", "/off", "/variable", "/app"].map(bind), [Some(1), None, Some(1), Some(1)]);
    check_server_error(
        "location / { proxy_bind localhost; proxy_pass http://a; }",
        "invalid address \"localhost\"; expected an address of this host, with or without a port",
    );
    check_server_error("proxy_bind 127.0.0.1 x;", "invalid parameter \"x\"");
    check_server_error(
        "proxy_bind $remote_addr transparent;",
        "\"transparent\" is not supported: it takes a right over the network that this program's \
         container has not; the application learns who the client is by \"X-Forwarded-For\" or \
         \"X-Real-IP\"",
    );
}
