//! `error_page` and what belongs to it.

use super::super::model::NewStatus;
use super::*;

fn pages(config: &Config, path: &str) -> Vec<(u16, NewStatus, String)> {
    let pages = at(config, path).errors.pages.iter();
    pages.map(|page| (page.status, page.new_status, shown(&page.to))).collect()
}

#[test]
fn each_status_has_its_page_and_the_status_of_that() {
    let config = server(
        "error_page 404 /404; error_page 500 502 =200 /50x?$uri; error_page 403 = @n; \
         location / { return 200; } location /a { error_page 410 /gone; return 200; }",
    );
    let to = |text: &str| text.to_owned();
    let expected = [
        (404, NewStatus::Same, to("/404")),
        (500, NewStatus::Other(200), to("/50x?<Uri>")),
        (502, NewStatus::Other(200), to("/50x?<Uri>")),
        (403, NewStatus::Own, to("@n")),
    ];
    assert_eq!(pages(&config, "/"), expected);
    assert_eq!(pages(&config, "/a"), [(410, NewStatus::Same, to("/gone"))]);
}

#[test]
fn bad_pages_are_told() {
    for (directive, expected) in [
        ("error_page 299 /a;", "value \"299\" must be between 300 and 599"),
        ("error_page 600 /a;", "value \"600\" must be between 300 and 599"),
        ("error_page 499 /a;", "invalid value \"499\""),
        ("error_page x /a;", "invalid value \"x\""),
        ("error_page =200 /a;", "invalid value \"=200\""),
        ("error_page 404 =x /a;", "invalid value \"x\""),
        ("error_page 404 =100 /a;", "invalid value \"100\""),
        ("error_page 404 /$hots;", "unknown \"hots\" variable; did you mean \"$host\"?"),
    ] {
        check_server_error(directive, expected);
    }
}

#[test]
fn a_location_with_a_name_or_for_redirects_alone_is_found_by_nobody_else() {
    let config = server(
        "location @n { proxy_pass http://a; } location /in { internal; return 200; } \
         location /out { return 200; }",
    );
    let server = &config.servers[0];
    let named = &server.locations[server.named[&b"@n"[..]]];
    assert!(matches!(named.handler, Handler::Proxy(_)) && named.path.is_empty());
    assert!(at(&config, "/in").search.is_internal && !at(&config, "/out").search.is_internal);
    assert_eq!(server.location_index(b"@n", &mut Values::default()), None);
    let uri = "\"proxy_pass\" cannot have URI part in location given by regular expression, or \
               inside named location, or inside \"if\" statement, or inside \"limit_except\" block";
    check_server_error("location @n { proxy_pass http://a/; }", uri);
}
