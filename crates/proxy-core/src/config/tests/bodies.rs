//! `gzip` and its family: what they say, what levels inherit, and what is wrong with bad ones.

use super::*;
use crate::config::model::{Gzip, Proxied};

fn gzip<'c>(config: &'c Config, path: &str) -> &'c Gzip {
    &at(config, path).client.bodies.gzip
}

fn types(gzip: &Gzip) -> Vec<&str> {
    gzip.types.names.iter().map(|name| std::str::from_utf8(name).unwrap()).collect()
}

#[test]
fn single_values_are_inherited_one_by_one_and_lists_as_a_whole() {
    let config = good(
        "http { gzip on; gzip_types A/B; gzip_types c/d; gzip_proxied expired; gzip_proxied auth; \
         gzip_disable x msie6; server { gzip_min_length 1k; location / { gzip_comp_level 9; } \
         location /own { gzip off; gzip_types e/f; gzip_proxied any; gzip_disable y; \
         gzip_http_version 1.0; } location /all { gzip_types *; } } }",
    );
    let one = gzip(&config, "/");
    assert_eq!((one.is_on, one.level, one.bytes_min), (true, 9, 1_024));
    assert_eq!(types(one), ["text/html", "a/b", "c/d"]);
    let clients = &one.clients;
    assert_eq!(clients.proxied, Proxied(Proxied::EXPIRED.0 | Proxied::AUTH.0));
    assert!(clients.disables_msie6 && !clients.takes_http10);
    assert!(clients.disabled[0].is_match(b"axb"));
    let own = gzip(&config, "/own");
    assert_eq!((own.is_on, own.level, types(own)), (false, 1, vec!["text/html", "e/f"]));
    assert_eq!(own.clients.proxied, Proxied::ANY);
    assert!(own.clients.takes_http10 && own.clients.disables_msie6);
    assert!(own.clients.disabled.len() == 1 && own.clients.disabled[0].is_match(b"y"));
    assert!(gzip(&config, "/all").types.is_any);
}

#[test]
fn where_nothing_is_said_nothing_is_packed() {
    let config = server("location / { return 200; }");
    let one = gzip(&config, "/");
    assert_eq!((one.is_on, one.level, one.bytes_min), (false, 1, 20));
    assert_eq!((types(one), one.clients.proxied), (vec!["text/html"], Proxied::OFF));
}

#[test]
fn bad_values_are_told_as_nginx_tells_them() {
    check_server_error("gzip_comp_level 0;", "value must be between 1 and 9");
    check_server_error("gzip_comp_level 10;", "value must be between 1 and 9");
    check_server_error(
        "gzip_proxied some;",
        "invalid value \"some\"; expected one of off, expired, no-cache, no-store, private, \
         no_last_modified, no_etag, auth, any",
    );
    for (content, expected) in [
        ("gzip_types text/html;", "duplicate MIME type \"text/html\""),
        ("gzip_types a/b A/B;", "duplicate MIME type \"a/b\""),
        ("gzip_proxied any; gzip_proxied any;", "duplicate value \"any\""),
    ] {
        let text = format!("http {{ server {{ {content} return 200; }} }}");
        let (_, warnings) = lowered(&text).unwrap();
        assert!(warnings.len() == 1 && warnings[0].ends_with(expected), "{warnings:?}");
    }
    check_warnings("http { gzip_disable degradation; server { return 200; } }", &[]);
}
