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
