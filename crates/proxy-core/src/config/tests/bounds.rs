//! Bounds and times, what happens when a server fails, and which fields steer nothing.

use std::collections::BTreeSet;

use nginx_conf::table::{Kind, Lookup, find};

use super::super::lower::{IGNORED_FIELDS, NEXT_CONDITIONS};
use super::super::model::{IgnoredFields, LingeringClose, NextConditions};
use super::*;

#[test]
fn what_no_file_says_is_as_in_nginx() {
    let config = good(BLOG);
    let lingering = at(&config, "/").client.lingering;
    assert_eq!(lingering.close, LingeringClose::On);
    assert_eq!((lingering.time_ms, lingering.timeout_ms), (30_000, 5_000));
    let client = &config.servers[0].client;
    assert_eq!((client.ignore_invalid_headers, client.fields_max), (true, 1000));
    let pass = pass(&config, "/");
    let next = pass.next_upstream;
    assert_eq!(next.conditions, NextConditions::ERROR.and(NextConditions::TIMEOUT));
    assert_eq!((next.tries, next.timeout_ms), (0, 0));
    assert_eq!((pass.buffer_bytes, pass.sending.replay_bytes_max), (64 << 10, 16 << 10));
    assert_eq!((pass.steering.ignored, pass.sending.outlives_client), (IgnoredFields::NONE, false));
    assert_eq!(config.process.worker_connections, None);
}

#[test]
fn lingering_is_inherited_value_by_value() {
    let config = good(
        "http { lingering_time 7s; server { lingering_close ALWAYS; lingering_timeout 250ms; \
         location / { return 200; } location /off { lingering_close off; return 200; } \
         location /on { lingering_close on; lingering_time 1m; return 200; } } }",
    );
    let of = |path: &str| {
        let lingering = at(&config, path).client.lingering;
        (lingering.close, lingering.time_ms, lingering.timeout_ms)
    };
    assert_eq!(of("/"), (LingeringClose::Always, 7000, 250));
    assert_eq!(of("/off"), (LingeringClose::Off, 7000, 250));
    assert_eq!(of("/on"), (LingeringClose::On, 60_000, 250));
    assert_eq!(config.servers[0].fallback.client.lingering.time_ms, 7000);
}

#[test]
fn fields_of_a_head_are_bounded_by_server() {
    let config = good(
        "http { max_headers 50; ignore_invalid_headers off; \
         server { listen 80; return 200; } \
         server { listen 81; max_headers 0; ignore_invalid_headers on; return 200; } }",
    );
    let of = |server: usize| {
        let client = &config.servers[server].client;
        (client.fields_max, client.ignore_invalid_headers)
    };
    assert_eq!((of(0), of(1)), ((50, false), (0, true)));
    check_server_error(
        "location / { max_headers 5; return 200; }",
        "\"max_headers\" directive is not allowed here; this is in \"location\", it belongs in http, \
         server",
    );
}

/// The conditions at `/`, with `http` and the location saying this.
fn check_next(http: &str, location: &str, expected: &[NextConditions]) {
    let config = good(&format!(
        "http {{ {http} server {{ location / {{ {location} proxy_pass http://a; }} }} }}"
    ));
    let all = expected.iter().copied().fold(NextConditions::NONE, NextConditions::and);
    assert_eq!(pass(&config, "/").next_upstream.conditions, all, "{http} | {location}");
}

#[test]
fn next_upstream_is_a_set_that_a_level_replaces_as_a_whole() {
    use NextConditions as On;
    check_next("", "proxy_next_upstream error http_502;", &[On::ERROR, On::HTTP_502]);
    check_next("proxy_next_upstream http_404;", "", &[On::HTTP_404]);
    check_next("proxy_next_upstream http_404;", "proxy_next_upstream timeout;", &[On::TIMEOUT]);
    // nginx adds up the lines of one level, and takes the words in either case.
    let lines = "proxy_next_upstream ERROR; proxy_next_upstream Non_Idempotent invalid_header;";
    check_next("", lines, &[On::ERROR, On::NON_IDEMPOTENT, On::INVALID_HEADER]);
    let all = "proxy_next_upstream http_500 http_502 http_503 http_504 http_403 http_404 http_429;";
    let [a, b, c, d] = [On::HTTP_500, On::HTTP_502, On::HTTP_503, On::HTTP_504];
    check_next("", all, &[a, b, c, d, On::HTTP_403, On::HTTP_404, On::HTTP_429]);
    // nginx: `off` goes before all that stands beside it.
    check_next("", "proxy_next_upstream off;", &[]);
    check_next("", "proxy_next_upstream error off; proxy_next_upstream http_500;", &[]);
    check_next("proxy_next_upstream off;", "proxy_next_upstream error;", &[On::ERROR]);
    check_next("", "proxy_next_upstream updating;", &[]);
}

#[test]
fn tries_and_time_of_the_next_upstream_are_inherited_one_by_one() {
    let config = good(
        "http { proxy_next_upstream_tries 3; proxy_next_upstream_timeout 1500ms; server { \
         location / { proxy_pass http://a; } \
         location /own { proxy_next_upstream_tries 0; proxy_pass http://a; } \
         location /most { proxy_next_upstream_tries 4294967296; proxy_pass http://a; } } }",
    );
    let of = |path: &str| {
        let next = pass(&config, path).next_upstream;
        (next.tries, next.timeout_ms)
    };
    assert_eq!((of("/"), of("/own")), ((3, 1500), (0, 1500)));
    assert_eq!(of("/most").0, u32::MAX);
}

#[test]
fn a_status_is_a_condition_only_where_nginx_has_a_word_for_it() {
    for (word, condition) in NEXT_CONDITIONS {
        if let Some(status) = word.strip_prefix("http_") {
            let status = status.parse().unwrap();
            assert_eq!(NextConditions::for_status(status), Some(*condition), "{word}");
        }
    }
    for status in [200, 301, 400, 401, 499, 501, 505] {
        assert_eq!(NextConditions::for_status(status), None, "{status}");
    }
}

#[test]
fn a_set_contains_what_was_put_in_and_nothing_else() {
    for (word, condition) in NEXT_CONDITIONS.iter().filter(|(_, c)| *c != NextConditions::NONE) {
        let others = NEXT_CONDITIONS.iter().filter(|(name, _)| name != word);
        let rest = others.fold(NextConditions::NONE, |all, (_, one)| all.and(*one));
        assert!(condition.contains(*condition) && rest.and(*condition).contains(*condition));
        assert!(!rest.contains(*condition) && !NextConditions::NONE.contains(*condition), "{word}");
        assert!(!rest.contains(NextConditions::NONE));
    }
    let both = IgnoredFields::REDIRECT.and(IgnoredFields::EXPIRES);
    assert!(both.contains(IgnoredFields::EXPIRES) && !both.contains(IgnoredFields::CHARSET));
    assert!(!IgnoredFields::REDIRECT.contains(both) && !both.contains(IgnoredFields::NONE));
}

#[test]
fn ignored_fields_are_a_set_that_a_level_replaces_as_a_whole() {
    let config = server(
        "proxy_ignore_headers X-Accel-Redirect x-accel-LIMIT-rate; \
         location / { proxy_pass http://a; } \
         location /own { proxy_ignore_headers Vary; proxy_ignore_headers X-Accel-Charset \
         X-Accel-Buffering X-Accel-Expires; proxy_pass http://a; } \
         location /none { proxy_ignore_headers Expires Cache-Control Set-Cookie; proxy_pass http://a; }",
    );
    let of = |path: &str| pass(&config, path).steering.ignored;
    assert_eq!(of("/"), IgnoredFields::REDIRECT.and(IgnoredFields::LIMIT_RATE));
    let own = IgnoredFields::CHARSET.and(IgnoredFields::BUFFERING).and(IgnoredFields::EXPIRES);
    assert_eq!((of("/own"), of("/none")), (own, IgnoredFields::NONE));
}

#[test]
fn a_word_that_stands_twice_is_a_warning_and_an_unknown_one_an_error() {
    let location = |line: &str| {
        format!("http {{ server {{ location / {{ {line} proxy_pass http://a; }} }} }}")
    };
    check_warnings(
        &location("proxy_next_upstream error ERROR; proxy_next_upstream error;"),
        &["1:56: duplicate value \"ERROR\"", "1:83: duplicate value \"error\""],
    );
    check_warnings(
        &location("proxy_ignore_headers Vary vary;"),
        &["1:56: duplicate value \"vary\""],
    );
    let words = "\"error\", \"timeout\", \"invalid_header\", \"non_idempotent\", \"http_500\", \
                 \"http_502\", \"http_503\", \"http_504\", \"http_403\", \"http_404\", \"http_429\", \
                 \"updating\", \"off\"";
    let told = format!(
        "invalid value \"http_505\" in \"proxy_next_upstream\" directive; expected {words}"
    );
    check_server_error("proxy_next_upstream error http_505;", &told);
    let told =
        "invalid number of arguments in \"proxy_ignore_headers\" directive; expected at least 1";
    check_server_error("proxy_ignore_headers;", told);
}

/// Every word that the table takes for a directive has a meaning here, and the other way round.
fn check_words<T>(directive: &str, meaning: &[(&str, T)]) {
    let Lookup::Here(row) = find(directive, Context::Location) else { panic!("{directive}") };
    let [Kind::OneOf(words)] = row.shape.kinds else { panic!("{directive}") };
    let taken: BTreeSet<String> = words.iter().map(|word| word.to_ascii_lowercase()).collect();
    let meant: BTreeSet<String> = meaning.iter().map(|(word, _)| word.to_string()).collect();
    assert_eq!(taken, meant, "{directive}");
    assert_eq!(meaning.len(), meant.len(), "{directive}");
}

#[test]
fn every_word_that_is_taken_has_a_meaning() {
    check_words("proxy_next_upstream", NEXT_CONDITIONS);
    check_words("proxy_ignore_headers", IGNORED_FIELDS);
}

#[test]
fn buffers_are_as_large_as_the_file_says_within_bounds() {
    let config = server(
        "proxy_buffer_size 128k; client_body_buffer_size 0; \
         location / { proxy_pass http://a; proxy_ignore_client_abort on; } \
         location /small { proxy_buffer_size 4k; client_body_buffer_size 1m; proxy_pass http://a; } \
         location /most { proxy_buffer_size 1m; proxy_pass http://a; }",
    );
    let of = |path: &str| {
        (pass(&config, path).buffer_bytes, pass(&config, path).sending.replay_bytes_max)
    };
    assert_eq!(of("/"), (128 << 10, 0));
    assert_eq!(of("/small"), (64 << 10, 1 << 20));
    assert_eq!(of("/most"), (1 << 20, 0));
    assert!(pass(&config, "/").sending.outlives_client);
    assert!(!pass(&config, "/small").sending.outlives_client);
}

#[test]
fn what_is_more_than_the_most_here_is_told_and_bounded() {
    let text = "http { max_headers 10001; large_client_header_buffers 4 512k; server { \
                location / { proxy_buffer_size 2m; client_body_buffer_size 1025k; \
                proxy_pass http://a; } } }";
    check_warnings(
        text,
        &[
            "1:20: \"max_headers\" is taken as 10000, the most here",
            "1:55: \"large_client_header_buffers\" is taken as 1m, the most here",
            "1:103: \"proxy_buffer_size\" is taken as 1m, the most here",
            "1:131: \"client_body_buffer_size\" is taken as 1m, the most here",
        ],
    );
    let config = good(text);
    assert_eq!(config.servers[0].client.fields_max, 10_000);
    assert_eq!(config.servers[0].client.head_bytes_max, 1 << 20);
    let pass = pass(&config, "/");
    assert_eq!((pass.buffer_bytes, pass.sending.replay_bytes_max), (1 << 20, 1 << 20));
    let most = "http { max_headers 10000; large_client_header_buffers 4 256k; \
                proxy_buffer_size 1m; client_body_buffer_size 1m; server { return 200; } }";
    check_warnings(most, &[]);
}

#[test]
fn worker_connections_are_more_than_the_sockets_to_listen_on() {
    let of = |events: &str, servers: &str| {
        lowered(&format!("events {{ {events} }} http {{ {servers} }}"))
            .map(|(config, _)| config.process.worker_connections)
    };
    let one = "server { listen 80; return 204; }";
    assert_eq!(of("worker_connections 1024;", one), Ok(Some(1024)));
    assert_eq!(of("worker_connections 2;", one), Ok(Some(2)));
    assert_eq!(of("multi_accept off;", one), Ok(None));
    let few = |number, sockets| {
        let message = format!(
            "t:1:29: {number} worker_connections are not enough for {sockets} listening sockets"
        );
        Err(vec![message])
    };
    assert_eq!(of("worker_connections 0;", one), few(0, 1));
    assert_eq!(of("worker_connections 1;", one), few(1, 1));
    let two = "server { listen 80; listen 81; return 204; }";
    assert_eq!(of("worker_connections 2;", two), few(2, 2));
    // One socket takes the connections of both.
    let shared = "server { listen 80; listen 127.0.0.1:80; return 204; }";
    assert_eq!(of("worker_connections 2;", shared), Ok(Some(2)));
}

#[test]
fn recipes_that_are_not_needed_say_so() {
    // The recipe of nginx's own manual loads as it is.
    check_warnings(
        "http { map $http_upgrade $connection_upgrade { default upgrade; '' close; } server { \
         location / { proxy_set_header Connection $connection_upgrade; proxy_pass http://a; } } }",
        &[],
    );
    check_server_error(
        "location / { proxy_set_header Connection $connection_upgrade; proxy_pass http://a; }",
        "unknown \"connection_upgrade\" variable; WebSocket passes without configuration: leave \
         this line out, and the \"map\" that makes the variable",
    );
    for (how, told) in [
        ("least_time header", "a directive of the commercial NGINX Plus; `least_conn` is near"),
        (
            "sticky cookie a",
            "a directive of the commercial NGINX Plus; `ip_hash`, or `hash $cookie_NAME \
             consistent`, keeps a client at a server",
        ),
    ] {
        let name = how.split(' ').next().unwrap_or(how);
        let told = format!("1:21: \"{name}\" directive is refused: {told}");
        let text = format!("http {{ upstream u {{ {how}; server a; }} server {{ return 200; }} }}");
        check_errors(&text, &[told.as_str()]);
    }
}

#[test]
fn too_small_header_buffers_are_told() {
    let told = "\"large_client_header_buffers\" directive invalid value; expected at least 1 buffer \
                of at least 512 bytes";
    check_server_error("large_client_header_buffers 0 8k;", told);
    check_server_error("large_client_header_buffers 4 511;", told);
}
