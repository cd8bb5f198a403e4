//! What answers which request.

use super::*;
use crate::course::CHANGES_MAX;
use crate::test_case::{self, Case};

const GET: &str = "GET /a HTTP/1.1\r\nHost: a\r\n\r\n";
const LONG: &str = "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n";
const CHUNKED: &str = "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";

const SERVER_RETURN: Content = Content::Return { level: Level::Server, step: 0 };
const LOCATION_RETURN: Content = Content::Return { level: Level::Location(0), step: 0 };

fn check(content: &str, head: &str, expected: Content) {
    assert_eq!(Case::new(content, head).content, expected, "{content} {head}");
}

#[test]
fn the_servers_own_return_goes_before_all_else() {
    check("return 403; location / { return 200; }", GET, SERVER_RETURN);
    check("return 403; client_max_body_size 10;", LONG, SERVER_RETURN);
}

#[test]
fn a_location_answers_by_what_it_has() {
    check("location /a { return 200; }", GET, LOCATION_RETURN);
    check("location /a { return 200; proxy_pass http://app; }", GET, LOCATION_RETURN);
    check("location /a { proxy_pass http://app; }", GET, Content::Call);
    check("location /a/ { proxy_pass http://app; }", GET, Content::SlashRedirect);
    check("location /a { }", GET, Content::Files);
    check("location /b { return 200; }", GET, Content::Files);
}

#[test]
fn a_declared_length_is_looked_at_before_anybody_answers() {
    let small = "client_max_body_size 10;";
    let too_large = Content::Fault(Fault::BodyTooLarge);
    check(&format!("location / {{ {small} return 200; }}"), LONG, too_large);
    check(&format!("location / {{ {small} proxy_pass http://app; }}"), LONG, too_large);
    check("location / { client_max_body_size 11; return 200; }", LONG, LOCATION_RETURN);
    check("location / { client_max_body_size 0; return 200; }", LONG, LOCATION_RETURN);
    check(&format!("location / {{ {small} return 200; }}"), CHUNKED, LOCATION_RETURN);
}

#[test]
fn a_chunked_body_does_not_go_to_an_upstream_in_http_1_0() {
    let old = "location / { proxy_http_version 1.0; proxy_pass http://app; }";
    check(old, CHUNKED, Content::Fault(Fault::LengthRequired));
    check(old, LONG, Content::Call);
    check("location / { proxy_pass http://app; }", CHUNKED, Content::Call);
}

#[test]
fn each_redirect_finds_its_place_anew_and_there_are_ten_of_them() {
    let content = "location /a { proxy_pass http://app; } location /b { return 200; }";
    let mut case = Case::new(content, CHUNKED);
    for turn in 1..=CHANGES_MAX {
        let path: &[u8] = if turn % 2 == 1 { b"/b" } else { b"/a" };
        case.request.redirect(path, b"");
        case.request.course.become_get();
        let other = Content::Return { level: Level::Location(1), step: 0 };
        let expected = if turn % 2 == 1 { other } else { Content::Call };
        assert_eq!(case.run(), expected, "{turn}");
    }
    case.request.redirect(b"/b", b"");
    assert_eq!(case.run(), Content::Fault(Fault::RedirectCycle));
}

#[test]
fn a_body_that_stayed_behind_keeps_no_upstream_in_http_1_0_from_being_asked() {
    let content = "location /a { return 200; } \
                   location /b { proxy_http_version 1.0; proxy_pass http://app; }";
    let mut case = Case::at(test_case::server(content), CHUNKED);
    case.request.redirect(b"/b", b"");
    case.request.course.become_get();
    assert_eq!(case.run(), Content::Call);
}

#[test]
fn rewrites_that_go_in_a_circle_end() {
    let circle = "location /a { rewrite ^ /b last; } location /b { rewrite ^ /a last; }";
    check(circle, GET, Content::Fault(Fault::RedirectCycle));
    check("location /a { rewrite ^ /a break; }", GET, Content::Files);
    check("location /a { rewrite ^ $arg_none; }", GET, Content::Fault(Fault::EmptyPath));
}

#[test]
fn a_value_that_doubles_with_each_step_ends() {
    let doubling = "set $a \"$a$a\"; ".repeat(17);
    let value = "x".repeat(8);
    check(&format!("set $a {value}; {doubling} return 200;"), GET, SERVER_RETURN_LAST);
    let more = format!("set $a {value}; {doubling} set $a \"$a$a\"; return 200;");
    check(&more, GET, Content::Fault(Fault::ValueTooLong));
}

/// Behind eighteen `set`.
const SERVER_RETURN_LAST: Content = Content::Return { level: Level::Server, step: 18 };

#[test]
fn a_map_that_doubles_in_a_chain_or_goes_in_a_circle_has_no_value() {
    let map = |n: usize| format!("map $m{n}$m{n} $m{} {{ default $m{n}$m{n}; }}", n + 1);
    let maps: String = (0..30).map(map).collect();
    let circle = "map $c $d { default \"d$c\"; } map $d $c { default \"c$d\"; }";
    let text = format!(
        "http {{ map $host $m0 {{ default 0123456789; }} {maps} {circle} \
         server {{ listen 8080; return 200 \"[$m30]\"; add_header A $c; }} }}"
    );
    let case = Case::at(test_case::at(&text), GET);
    let own = |name: &str| {
        let variables = &case.request.at.config().own_variables;
        variables.iter().position(|own| own.name == name).map(crate::config::model::Variable::Own)
    };
    assert_eq!(case.value(&own("m30").unwrap()).as_deref(), Some(""));
    assert_eq!(case.value(&own("m1").unwrap()).map(|value| value.len()), Some(20));
    let found = case.value(&own("c").unwrap()).unwrap();
    assert!(found.len() <= 100 && found.starts_with("cdcd"), "{found}");
    // Volatile ones are looked up again and again, and no more than bounded times.
    let text = text.replace("{ default", "{ volatile; default");
    let case = Case::at(test_case::at(&text), GET);
    case.value(&own("m30").unwrap());
}

#[test]
fn what_steps_do_is_told_where_that_is_asked_for() {
    let content = "rewrite_log on; rewrite ^/a(.*)$ /b$1?x; rewrite ^/c /d; set $x $y; set $y 1; \
                   if ($uri ~ ^/b) { rewrite ^/b(.*)$ http://h$1? permanent; }";
    let mut case = Case::new(content, GET);
    assert_eq!(case.content, Content::Moved(301));
    assert_eq!(case.request.course.moved_to, b"http://h");
    let told = case.request.values.get_mut().take_notes();
    let told: Vec<&str> = told.iter().map(|(_, line)| line.as_str()).collect();
    assert_eq!(
        told,
        [
            "\"^/a(.*)$\" matches \"/a\"",
            "rewritten data: \"/b\", args: \"x\"",
            "\"^/c\" does not match \"/b\"",
            "using uninitialized \"y\" variable",
            "\"^/b\" matches \"/b\"",
            "\"^/b(.*)$\" matches \"/b\"",
            "rewritten redirect: \"http://h\"",
        ]
    );
    let quiet = content.replace("rewrite_log on;", "uninitialized_variable_warn off;");
    assert_eq!(Case::new(&quiet, GET).request.values.get_mut().take_notes(), []);
}
