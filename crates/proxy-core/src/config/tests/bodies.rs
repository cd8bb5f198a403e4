//! `gzip`, `sub_filter`, `charset` and their families: what they say, what levels inherit, and what is wrong with bad ones.

use super::*;
use crate::config::model::{CharsetName, Gzip, Proxied};

/// The one thing wrong in a file, without its place.
fn check_error(text: &str, expected: &str) {
    let errors = lowered(text).map(|(_, warnings)| warnings).expect_err(text);
    let (_, message) = errors[0].split_once(": ").unwrap_or(("", &errors[0]));
    assert_eq!((message, errors.len()), (expected, 1), "{text}");
}

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
fn charsets_are_names_or_variables() {
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
        "no \"charset_map\" between the charsets \"koi8-r\" and \"utf-8\"",
    );
    check_server_error("charset $arg_a$arg_b;", "invalid variable name \"$arg_a$arg_b\"");
}

#[test]
fn a_map_of_charsets_goes_both_ways_and_counts_wherever_it_stands() {
    let config = good(
        "http { server { location / { charset utf-8; source_charset KOI8-R; return 200; } \
         location /back { charset koi8-r; source_charset UTF-8; return 200; } \
         location /if { charset a; if ($host) { source_charset b; } return 200; } } \
         charset_map koi8-r utf-8 { 80 E282AC; c1 D0B0; } charset_map A b { 0e1 00C1; } }",
    );
    let charset = |path: &str| &at(&config, path).client.bodies.charset;
    let shown = |from: &[u8], to: &[u8]| {
        charset("/").table(from, to).map(|table| format!("{table:?}").chars().take(5).collect())
    };
    assert_eq!(shown(b"koi8-r", b"UTF-8"), Some("ToUtf".to_owned()));
    assert_eq!(shown(b"Utf-8", b"koi8-r"), Some("FromU".to_owned()));
    assert_eq!(shown(b"a", b"B"), Some("Bytes".to_owned()));
    assert_eq!(shown(b"a", b"utf-8"), None);
    assert_eq!(charset("/").known(b"KOI8-r"), Some(&b"KOI8-R"[..]));
}

#[test]
fn charsets_of_http_are_a_question_only_where_a_server_has_them() {
    good("http { charset a; source_charset b; server { charset b; return 200; } }");
    check_error(
        "http { charset a; source_charset B; server { location / { return 200; } } }",
        "no \"charset_map\" between the charsets \"B\" and \"a\"",
    );
    check_error(
        "http { charset a; source_charset b; server { charset b; location / { charset A; } } }",
        "no \"charset_map\" between the charsets \"b\" and \"a\"",
    );
}

#[test]
fn what_is_wrong_with_a_map_of_charsets_is_told() {
    let check = |map: &str, message: &str| {
        check_error(&format!("http {{ {map} server {{ return 200; }} }}"), message);
    };
    check("charset_map a A { }", "\"charset_map\" between the same charsets \"a\" and \"A\"");
    let duplicate = "duplicate \"charset_map\" between \"B\" and \"a\"";
    check("charset_map a b { } charset_map B a { }", duplicate);
    check(
        "charset_map UTF-8 b { }",
        "\"utf-8\" is the second charset of a \"charset_map\"; write it as \"charset_map b \
         UTF-8\", with its lines turned",
    );
    for line in ["80", "80 81 82"] {
        check(&format!("charset_map a b {{ {line}; }}"), "invalid parameters number");
    }
    for (line, bad) in [
        ("100 81", "100"),
        ("0x80 81", "0x80"),
        ("\"\" 81", ""),
        ("+8 81", "+8"),
        ("80 100", "100"),
        ("80 \"\"", ""),
        ("80 8z", "8z"),
    ] {
        let message = format!("invalid value \"{bad}\"");
        check(&format!("charset_map a b {{ {line}; }}"), &message);
    }
    for bad in ["41", "E2", "E282A", "+2A9", "", "F09F9880", "E282AC41", "zz"] {
        let message = format!("invalid value \"{bad}\"");
        check(&format!("charset_map a Utf-8 {{ 80 \"{bad}\"; }}"), &message);
    }
    good(
        "http { charset_map a utf-8 { 80 c3A9; 80 C3AA; 81 C3A9FF; 0 EDA080; } server { return 200; } }",
    );
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
