//! `gzip`, `sub_filter`, `charset` and their families: what they say, what levels inherit, and what is wrong with bad ones.

use super::*;
use crate::config::model::{CharsetName, Gzip, Proxied};

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

#[test]
fn texts_that_are_replaced_are_inherited_as_a_whole_and_their_settings_one_by_one() {
    let config = good(
        "http { sub_filter a $host; sub_filter B b; sub_filter_types a/b; server { \
         sub_filter_once off; location / { return 200; } location /own { sub_filter c d; \
         sub_filter_types *; sub_filter_last_modified on; return 200; } } }",
    );
    let pairs = |path: &str| {
        let pairs = at(&config, path).client.bodies.substitutes.pairs.iter();
        pairs.map(|(find, put)| format!("{}>{}", shown(find), shown(put))).collect::<Vec<_>>()
    };
    assert_eq!(
        (pairs("/"), pairs("/own")),
        (vec!["a><Host>".into(), "B>b".into()], vec!["c>d".into()])
    );
    let one = &at(&config, "/").client.bodies.substitutes;
    assert!(!one.is_once && !one.keeps_modified && one.types.has(b"a/b") && !one.types.is_any);
    let own = &at(&config, "/own").client.bodies.substitutes;
    assert!(!own.is_once && own.keeps_modified && own.types.is_any);
    check_server_error("sub_filter \"\" b;", "empty search pattern");
    let many = |count| "sub_filter a b; ".repeat(count);
    check_server_error(&many(256), "number of search patterns exceeds 255");
    assert_eq!(server(&many(255)).servers.len(), 1);
}

#[test]
fn charsets_are_names_or_variables_and_contents_are_not_converted() {
    let config = good(
        "http { charset utf-8; server { location / { charset off; return 200; } \
         location /own { charset UTF-8; source_charset Utf-8; override_charset on; return 200; } \
         location /variable { charset $arg_c; source_charset koi8-r; return 200; } } }",
    );
    let charset = |path: &str| &at(&config, path).client.bodies.charset;
    assert_eq!(charset("/").told, None);
    assert_eq!(charset("/own").told, Some(CharsetName::Is(b"UTF-8".into())));
    assert!(charset("/own").overrides && !charset("/").overrides);
    assert!(matches!(charset("/variable").told, Some(CharsetName::Of(_))));
    assert_eq!(charset("/").known[..], [b"utf-8".to_vec(), b"koi8-r".to_vec()]);
    assert!(charset("/").types.has(b"text/plain"));
    let types = server("charset_types a/b;");
    let types = &types.servers[0].fallback.client.bodies.charset.types;
    assert!(types.has(b"a/b") && types.has(b"text/html") && !types.has(b"text/plain"));
    check_server_error(
        "charset utf-8; source_charset koi8-r;",
        "no \"charset_map\" between the charsets \"koi8-r\" and \"utf-8\"; contents are not \
         converted: name the charset that they are in, once",
    );
    check_server_error("charset $arg_a$arg_b;", "invalid variable name \"$arg_a$arg_b\"");
}

#[test]
fn trailers_are_inherited_as_a_whole() {
    let config = good(
        "http { add_trailer A a; add_trailer B $uri always; server { location / { return 200; } \
         location /own { add_trailer C c; chunked_transfer_encoding off; return 200; } } }",
    );
    let trailers = |path: &str| {
        let trailers = at(&config, path).client.bodies.trailers.iter();
        trailers
            .map(|one| (String::from_utf8(one.name.clone()).unwrap(), one.always))
            .collect::<Vec<_>>()
    };
    assert_eq!(trailers("/"), [("A".into(), false), ("B".into(), true)]);
    assert_eq!(trailers("/own"), [("C".into(), false)]);
    assert!(at(&config, "/own").client.bodies.is_never_chunked);
    assert!(!at(&config, "/").client.bodies.is_never_chunked);
    check_server_error("add_trailer a b c;", "invalid parameter \"c\"");
}

#[test]
fn what_is_added_is_inherited_one_by_one_and_an_empty_path_is_none() {
    let config = good(
        "http { add_before_body /b; add_after_body /a; addition_types a/b; server { \
         location / { return 200; } \
         location /own { add_before_body \"\"; addition_types *; return 200; } } }",
    );
    let added = |path: &str| &at(&config, path).client.bodies.added;
    let paths =
        |path: &str| [added(path).before.as_slice(), &added(path).after].map(<[u8]>::to_vec);
    assert_eq!(paths("/"), [b"/b".to_vec(), b"/a".to_vec()]);
    assert_eq!(paths("/own"), [b"".to_vec(), b"/a".to_vec()]);
    assert!(added("/").types.has(b"a/b") && added("/").types.has(b"text/html"));
    assert!(!added("/").types.is_any && added("/own").types.is_any);
}
