//! Listens, names and upstreams.

use super::*;

#[test]
fn no_listen_is_port_80_for_root_and_8000_for_others() {
    let text = "http { server { return 204; } }";
    let main = Included { name: "t".to_owned(), bytes: text.into(), is_stock: false };
    let (tree, _) = nginx_conf::load(main, Context::Main, &mut |_, _| Ok(vec![])).unwrap();
    for (is_root, port) in [(true, 80), (false, 8000)] {
        let surroundings = Surroundings { is_root, ..surroundings() };
        let (config, _) = lower_all(&tree, Vec::new(), true, &surroundings).unwrap();
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
    check_server_error("listen 80; listen *:80;", "a duplicate listen 0.0.0.0:80");
    let missing = "host not found in \"no.such.invalid:80\" of the \"listen\" directive";
    check_server_error("listen no.such.invalid:80;", missing);
}

#[test]
fn a_second_default_server_or_second_options_are_errors() {
    check_errors(
        "http { server { listen 80 default_server; } server { listen 80 default_server; } }",
        &["1:61: a duplicate default server for 0.0.0.0:80"],
    );
    check_errors(
        "http { server { listen 80 backlog=1; } server { listen 80 backlog=2; } }",
        &["1:56: duplicate listen options for 0.0.0.0:80"],
    );
}

/// Which of several servers answers for a Host; each returns its number.
fn check_choice(servers: &[&str], choices: &[(&str, usize)]) {
    let blocks: Vec<String> =
        servers.iter().map(|s| format!("server {{ {s} return 204; }}")).collect();
    let config = good(&format!("http {{ {} }}", blocks.concat()));
    for (host, expected) in choices {
        let found = config.listens[0].server(host.as_bytes(), &mut Values::default());
        assert_eq!(found, *expected, "{host} of {servers:?}");
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
            (".example.com", 1),
            ("www.", 5),
            ("notexample.com", 5),
        ],
    );
    check_choice(
        &["listen 80; server_name a;", "listen 80; server_name b $hostname;"],
        &[("a", 0), ("b", 1), ("c", 0), ("", 0), ("pod-1", 1)],
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
fn a_name_with_a_dollar_sign_is_taken_as_it_is_with_a_warning() {
    check_warnings(
        "http { server { server_name a$b; return 204; } }",
        &["1:29: \"a$b\" is a name as it is written: nothing is put in for \"$\""],
    );
}

#[test]
fn bad_server_names_are_told() {
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
    assert_eq!(pass(&config, "/").url.host, b"APP");
}

#[test]
fn bad_upstreams_are_told() {
    let end = "server { listen 80; return 204; }";
    for (upstream, expected) in [
        ("upstream u { }", "1:8: no servers are inside upstream \"u\""),
        ("upstream u { server a; } upstream U { server b; }", "1:42: duplicate upstream \"U\""),
        ("upstream u { server a:b; }", "1:28: invalid port in upstream \"a:b\""),
        ("upstream u { server a:0; }", "1:28: invalid port in upstream \"a:0\""),
        (
            "upstream u { server unix:; }",
            "1:28: no path in the unix domain socket in upstream \"unix:\"",
        ),
        ("upstream u { server a weight=0; }", "1:30: invalid parameter \"weight=0\""),
        ("upstream u { server a wieght=1; }", "1:30: invalid parameter \"wieght=1\""),
        (
            "upstream u { server a drain; }",
            "1:30: parameter \"drain\" belongs to \"sticky\", which is not supported: \"hash \
             $cookie_NAME consistent\" keeps clients at their servers, and \"down\" takes one out",
        ),
        (
            "upstream u { server a slow_start=3s; }",
            "1:30: parameter \"slow_start=3s\" is of the commercial NGINX Plus; leave it out: a server \
             that comes back gets its share at once",
        ),
        (
            "upstream u { server a service=http; }",
            "1:30: parameter \"service=http\" is not supported: no SRV records are asked for; write \
             the port",
        ),
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
