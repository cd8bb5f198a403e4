//! `fastcgi_pass` and its family.

use super::*;
use crate::config::model::{FastCgi, NextConditions};

fn fastcgi<'c>(config: &'c Config, path: &str) -> &'c FastCgi {
    pass(config, path).fastcgi().unwrap_or_else(|| panic!("{path} is another pass"))
}

/// The names of its parameters, each with `?` where it is sent only if it is not empty.
fn params(config: &Config, path: &str) -> String {
    let shown = |param: &crate::config::model::Param| {
        let name = String::from_utf8(param.name.clone()).unwrap();
        if param.if_not_empty { name + "?" } else { name }
    };
    fastcgi(config, path).params.iter().map(shown).collect::<Vec<_>>().join(" ")
}

#[test]
fn parameters_are_inherited_as_a_whole() {
    let config = server(
        "fastcgi_param A 1; fastcgi_param B $host if_not_empty;
         location /a { fastcgi_pass 127.0.0.1:9000; }
         location /b { fastcgi_pass php:9000; fastcgi_param C $uri; }",
    );
    assert_eq!((params(&config, "/a"), params(&config, "/b")), ("A B?".into(), "C".into()));
    assert!(config.uses(&crate::config::model::Variable::Uri));
}

#[test]
fn what_holds_for_fastcgi_does_not_hold_for_http_and_the_other_way_round() {
    let config = server(
        "fastcgi_read_timeout 5s; proxy_read_timeout 6s; fastcgi_hide_header X-A;
         proxy_hide_header X-B; fastcgi_next_upstream off; fastcgi_intercept_errors on;
         fastcgi_pass_request_body off; client_body_buffer_size 2k;
         location /f { fastcgi_pass 127.0.0.1:9000; }
         location /h { proxy_pass http://127.0.0.1:9000; }",
    );
    let (f, h) = (pass(&config, "/f"), pass(&config, "/h"));
    assert_eq!((f.timeouts.read_ms, h.timeouts.read_ms), (5_000, 6_000));
    let hides = |pass: &ProxyPass, name: &str| pass.hidden.iter().any(|one| one == name.as_bytes());
    assert_eq!((hides(f, "x-a"), hides(f, "x-b"), hides(f, "status")), (true, false, true));
    assert_eq!((hides(h, "x-a"), hides(h, "x-b"), hides(h, "status")), (false, true, false));
    assert_eq!((hides(f, "server"), hides(h, "server")), (false, true));
    assert_eq!(f.next_upstream.conditions, NextConditions::NONE);
    assert_ne!(h.next_upstream.conditions, NextConditions::NONE);
    assert!(f.steering.intercepts_errors && !h.steering.intercepts_errors);
    assert!(!f.sending.body && h.sending.body);
    assert_eq!((f.sending.replay_bytes_max, h.sending.replay_bytes_max), (2_048, 2_048));
    assert!(f.redirects.is_empty() && h.fastcgi().is_none());
}

#[test]
fn connections_are_kept_and_errors_caught_where_the_file_says_so() {
    let config = server(
        "fastcgi_keep_conn on; fastcgi_catch_stderr Fatal; fastcgi_catch_stderr \"a b\";
         location /a { fastcgi_pass 127.0.0.1:9000; }
         location /b { fastcgi_pass 127.0.0.1:9000; fastcgi_keep_conn off;
                       fastcgi_catch_stderr c; }",
    );
    let texts = |path| fastcgi(&config, path).caught.iter().map(|one| one.as_slice()).collect();
    assert!(fastcgi(&config, "/a").keep_conn && !fastcgi(&config, "/b").keep_conn);
    assert_eq!((texts("/a"), texts("/b")), (vec![&b"Fatal"[..], b"a b"], vec![&b"c"[..]]));
}

#[test]
fn scripts_are_told_apart_on_each_level() {
    let config = server(
        "fastcgi_index index.php;
         location /a { fastcgi_split_path_info ^(.+\\.php)(/.*)$; }
         location /b { fastcgi_index b.php; }",
    );
    let script = |path| at(&config, path).search.script.as_deref().unwrap();
    assert_eq!((&*script("/a").index, script("/a").split.is_some()), (&b"index.php"[..], true));
    assert_eq!((&*script("/b").index, script("/b").split.is_some()), (&b"b.php"[..], false));
    assert!(server("location / {}").servers[0].fallback.search.script.is_none());
}

#[test]
fn addresses_are_groups_or_have_a_port() {
    let config = good(
        "http { upstream php { server 10.0.0.1:9000; } server {
           location /a { fastcgi_pass php; } location /b { fastcgi_pass [::1]:9000; }
           location /c/ { fastcgi_pass 127.0.0.1:9000; }
           location /d { fastcgi_pass unix:/run/php/php8.2-fpm.sock; } } }",
    );
    assert_eq!(pass(&config, "/a").upstream, 0);
    assert_eq!(config.upstreams[pass(&config, "/b").upstream].servers[0].port, 9_000);
    let unix = &config.upstreams[pass(&config, "/d").upstream].servers[0];
    assert_eq!(unix.host, "unix:/run/php/php8.2-fpm.sock");
    assert!(matches!(at(&config, "/c").handler, Handler::SlashRedirect));
    let refused = |told: &str, expected: &str| {
        check_server_error(&format!("location / {{ fastcgi_pass {told}; }}"), expected);
    };
    refused("php", "no port in upstream \"php\"");
    refused("a:b", "invalid port in upstream \"a:b\"");
    refused("unix:", "no path in the unix domain socket in upstream \"unix:\"");
}

#[test]
fn what_is_wrong_is_told_in_nginxs_words() {
    let php = |text: &str| format!("location / {{ fastcgi_pass 127.0.0.1:9000; {text} }}");
    for (text, expected) in [
        ("fastcgi_param A b c;", "invalid parameter \"c\"; expected \"if_not_empty\""),
        ("fastcgi_param A $nothing_of_it;", "unknown \"nothing_of_it\" variable"),
        ("fastcgi_split_path_info ^(.+)$;", "pattern \"^(.+)$\" must have 2 captures"),
        ("fastcgi_split_path_info ((a)(b));", "pattern \"((a)(b))\" must have 2 captures"),
    ] {
        check_server_error(&php(text), expected);
    }
    check_server_error(
        &php("fastcgi_cache a;"),
        "\"fastcgi_cache\" directive is refused: not supported yet: there is no cache",
    );
}

#[test]
fn an_if_passes_on_what_is_around_it_or_has_its_own() {
    let config = server(
        "location / { fastcgi_pass 127.0.0.1:9000; fastcgi_param A b;
           if ($arg_a) { fastcgi_pass 127.0.0.1:9001; }
           if ($arg_b) { add_header X y; } }",
    );
    let ports = config.servers[0].locations.iter().map(|location| match &location.handler {
        Handler::Proxy(pass) => config.upstreams[pass.upstream].servers[0].port,
        other => panic!("{other:?}"),
    });
    assert_eq!(ports.collect::<Vec<_>>(), [9_000, 9_001, 9_000]);
}
