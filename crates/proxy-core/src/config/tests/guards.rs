//! `satisfy`, `auth_basic`, `auth_request`, `limit_req`, `limit_conn`: what they say, what levels
//! inherit, and what is wrong with bad ones.

use super::*;
use crate::config::model::{ConnectionLimit, ErrorLevel, Guard, RequestLimit};
use crate::zones::{Holders, ZoneKind, lock};

fn guard<'c>(config: &'c Config, path: &str) -> &'c Guard {
    at(config, path).access.guard.as_deref().unwrap()
}

#[test]
fn where_nothing_stands_before_a_location_there_is_no_guard() {
    let config = server("location / { return 200; }");
    assert!(at(&config, "/").access.guard.is_none());
}

#[test]
fn passwords_and_others_words_are_inherited_and_taken_back() {
    let config = good(
        "http { auth_basic \"to $host\"; auth_basic_user_file users; satisfy any; auth_delay 2s; \
         server { auth_request /auth; auth_request_set $a $uri; location / { return 200; } \
         location /off { auth_basic off; auth_request off; satisfy all; auth_delay 0; } \
         location /own { auth_basic own; auth_basic_user_file $arg_f; auth_request /b; \
         auth_request_set $b b; auth_request_set $A c; return 200; } } }",
    );
    let one = guard(&config, "/");
    assert_eq!(shown(one.realm.as_ref().unwrap()), "to <Host>");
    assert_eq!(shown(one.user_file.as_ref().unwrap()), "/etc/nginx/users");
    assert_eq!((one.satisfies_any, one.refusal_delay_ms), (true, 2_000));
    assert_eq!(one.ask.as_deref(), Some(&b"/auth"[..]));
    assert_eq!(one.answers.len(), 1);
    let off = guard(&config, "/off");
    assert!(off.realm.is_none() && off.ask.is_none() && off.user_file.is_some());
    assert_eq!((off.satisfies_any, off.refusal_delay_ms), (false, 0));
    let own = guard(&config, "/own");
    assert_eq!(shown(own.user_file.as_ref().unwrap()), "<Arg([102])>");
    let names = own.answers.iter().map(|(variable, _)| *variable);
    let names: Vec<_> = names.map(|index| config.own_variables[index].name.as_str()).collect();
    assert_eq!(names, ["b", "a"]);
    check_server_error("auth_request_set a b;", "invalid variable name \"a\"");
    check_server_error("auth_request_set $uri b;", "the duplicate \"uri\" variable");
}

const ZONES: &str = "limit_req_zone $uri zone=r:32k rate=30r/m; \
                     limit_req_zone $host zone=q:1m rate=5r/s sync; limit_conn_zone $host zone=c:64k;";

#[test]
fn bounds_are_inherited_as_a_whole_and_their_settings_one_by_one() {
    let config = good(&format!(
        "http {{ limit_req zone=r; {ZONES} limit_conn c 3; limit_req_status 429; \
         server {{ limit_conn_log_level info; location / {{ return 200; }} \
         location /own {{ limit_req zone=q burst=7 delay=2; limit_req zone=r burst=1 nodelay; \
         limit_conn c 1; limit_req_log_level warn; limit_req_dry_run on; limit_conn_status 400; \
         limit_conn_dry_run on; return 200; }} }} }}"
    ));
    let one = guard(&config, "/");
    assert_eq!(one.requests.list[..], [RequestLimit { zone: 0, burst: 0, delay: 0 }]);
    assert_eq!(one.connections.list[..], [ConnectionLimit { zone: 2, most: 3 }]);
    assert_eq!((one.requests.status, one.connections.status), (429, 503));
    assert_eq!((one.requests.level, one.connections.level), (ErrorLevel::Error, ErrorLevel::Info));
    let own = guard(&config, "/own");
    let limits = [
        RequestLimit { zone: 1, burst: 7_000, delay: 2_000 },
        RequestLimit { zone: 0, burst: 1_000, delay: u64::MAX },
    ];
    assert_eq!(own.requests.list[..], limits);
    assert_eq!((own.requests.status, own.connections.status), (429, 400));
    assert_eq!((own.requests.level, own.requests.is_dry_run), (ErrorLevel::Warn, true));
    assert!(own.connections.is_dry_run && !one.connections.is_dry_run);
    let rates = config.zones.iter().map(|zone| match &zone.kind {
        ZoneKind::Requests { rate, .. } => *rate,
        ZoneKind::Connections(_) => 0,
    });
    let rates: Vec<u64> = rates.collect();
    assert_eq!(rates, [500, 5_000, 0]);
    assert_eq!(config.zones[0].bytes_max, 32 << 10);
}

#[test]
fn a_reload_goes_on_with_zones_that_are_the_same() {
    let zones = |text: &str| good(&format!("http {{ {text} server {{ return 200; }} }}"));
    let old = zones("limit_conn_zone $uri zone=a:1m; limit_conn_zone $uri zone=b:1m;");
    let holders = |config: &Config| match &config.zones[0].kind {
        ZoneKind::Connections(holders) => std::sync::Arc::clone(holders),
        ZoneKind::Requests { .. } => panic!("it counts requests"),
    };
    let _hold = Holders::take(&holders(&old), b"x", 1).unwrap();
    for (text, expected) in [
        ("limit_conn_zone $uri zone=a:1m;", 1),
        ("limit_conn_zone $uri zone=b:1m;", 0),
        ("limit_conn_zone $host zone=a:1m;", 0),
        ("limit_conn_zone $uri zone=a:2m;", 0),
    ] {
        let mut new = zones(text);
        new.go_on_with(&old);
        assert_eq!(lock(&holders(&new)).of(b"x"), expected, "{text}");
    }
    let mut other = zones("limit_req_zone $uri zone=a:1m rate=1r/s;");
    other.go_on_with(&old);
    assert!(matches!(other.zones[0].kind, ZoneKind::Requests { .. }));
}

#[test]
fn what_is_wrong_with_bounds_is_told_in_nginxs_words() {
    let check = |text: &str, expected: &str| {
        let text = format!("http {{ {ZONES} {text} server {{ return 200; }} }}");
        let errors = lowered(&text).map(|(_, warnings)| warnings).expect_err(&text);
        let (_, message) = errors[0].split_once(": ").unwrap();
        assert_eq!((message, errors.len()), (expected, 1), "{text}");
    };
    for (text, expected) in [
        ("limit_req burst=5;", "\"limit_req\" must have \"zone\" parameter"),
        ("limit_req zone=;", "\"limit_req\" must have \"zone\" parameter"),
        ("limit_req zone=c;", "unknown zone \"c\"; did you mean \"r\"?"),
        ("limit_req zone=rr;", "unknown zone \"rr\"; did you mean \"r\"?"),
        ("limit_req zone=r burst=0;", "invalid burst value \"burst=0\""),
        ("limit_req zone=r delay=x;", "invalid delay value \"delay=x\""),
        ("limit_req zone=r later;", "invalid parameter \"later\""),
        ("limit_req zone=r; limit_req zone=r burst=1;", "\"limit_req\" directive is duplicate"),
        ("limit_req_status 200;", "value must be between 400 and 599"),
        ("limit_conn_status 600;", "value must be between 400 and 599"),
        ("limit_conn r 1;", "unknown zone \"r\"; did you mean \"c\"?"),
        ("limit_conn c 0;", "invalid number of connections \"0\""),
        ("limit_conn c x;", "invalid number of connections \"x\""),
        ("limit_conn c 65536;", "connection limit must be less 65536"),
        ("limit_conn c 1; limit_conn c 2;", "\"limit_conn\" directive is duplicate"),
        ("limit_req_zone $uri zone=z rate=1r/s;", "invalid zone size \"zone=z\""),
        ("limit_req_zone $uri zone=z:x rate=1r/s;", "invalid zone size \"zone=z:x\""),
        ("limit_req_zone $uri zone=:1m rate=1r/s;", "invalid zone size \"zone=:1m\""),
        (
            "limit_conn_zone $uri zone=z:31k;",
            "zone \"zone=z:31k\" is too small; expected 32k or more",
        ),
        (
            "limit_req_zone $uri zone=z:1m rate=0r/s;",
            "invalid rate \"rate=0r/s\"; expected 10r/s or 30r/m",
        ),
        (
            "limit_req_zone $uri zone=z:1m rate=1r/h;",
            "invalid rate \"rate=1r/h\"; expected 10r/s or 30r/m",
        ),
        ("limit_req_zone $uri rate=1r/s sync;", "\"limit_req_zone\" must have \"zone\" parameter"),
        ("limit_conn_zone $uri rate=1r/s;", "invalid parameter \"rate=1r/s\""),
        ("limit_conn_zone $uri zone=r:1m;", "the zone \"r\" is already there"),
    ] {
        check(text, expected);
    }
    let most = good(&format!("http {{ {ZONES} limit_conn c 65535; server {{ return 200; }} }}"));
    assert_eq!(guard(&most, "/").connections.list[0].most, 65_535);
}

#[test]
fn rates_and_referers_are_inherited_and_checked() {
    let config = server(
        "limit_rate 10k; limit_rate_after $arg_a; valid_referers none *.A.test b.test/x; \
         valid_referers server_names; location / { return 200; } \
         location /own { limit_rate 0; valid_referers blocked ~x; secure_link_secret s; return 200; }",
    );
    let one = guard(&config, "/");
    assert_eq!(shown(one.rate.as_ref().unwrap()), "10k");
    assert_eq!(shown(one.rate_after.as_ref().unwrap()), "<Arg([97])>");
    let referers = one.referers.as_ref().unwrap();
    assert!(referers.none && referers.own_names && !referers.blocked);
    assert_eq!(referers.suffixes, [(bytes(".a.test"), bytes(""))]);
    assert_eq!(referers.exact[&b"b.test"[..]], bytes("/x"));
    let own = guard(&config, "/own");
    let referers = own.referers.as_ref().unwrap();
    assert!(referers.blocked && !referers.none && referers.exact.is_empty());
    assert_eq!((referers.expressions.len(), own.link.secret.as_deref()), (1, Some(&b"s"[..])));
    let size = "\"limit_rate\" directive invalid value; expected a size, as in 100k";
    check_server_error("limit_rate fast;", size);
    check_server_error("valid_referers a.test A.test;", "conflicting parameter \"A.test\"");
    check_server_error("valid_referers a.*.b;", "invalid hostname or wildcard \"a.*.b\"");
    check_server_error("valid_referers ~;", "empty regex in \"~\"");
    let mixed =
        "\"secure_link_secret\" cannot be mixed with \"secure_link\" and \"secure_link_md5\"";
    check_server_error(
        "secure_link_md5 a; location / { secure_link $uri; secure_link_secret b; }",
        mixed,
    );
    check_server_error(
        "valid_referers none blocked;",
        "the \"none\" or \"blocked\" referers are specified in the \"valid_referers\" directive \
         without any valid referer",
    );
}
