//! Rows of the proxy module that are carried out.

use super::*;

const PASS: Contexts = LOCATION.and(IF).and(LIMIT_EXCEPT);

pub(super) const ROWS: &[Row] = &[
    row("proxy_pass", PROXY_PAGE, PASS, WORD, Class::Implemented)
        .note("http:// only, without variables; https and unix sockets are not supported yet"),
    row(
        "proxy_set_header",
        PROXY_PAGE,
        HSL,
        Shape::exact(&[Kind::Word, Kind::Word]),
        Class::Implemented,
    )
    .note(
        "Connection, Keep-Alive, TE, Transfer-Encoding and Content-Length are the proxy's own; \
         an upgrade asked for by the client passes without configuration",
    )
    .many(),
    row(
        "proxy_http_version",
        PROXY_PAGE,
        HSL,
        Shape::exact(&[Kind::OneOf(&["1.0", "1.1"])]),
        Class::Implemented,
    )
    .note("1.1 where the file says nothing, as in nginx since 1.29.7"),
    row("proxy_connect_timeout", PROXY_PAGE, HSL, TIME, Class::Implemented),
    row("proxy_read_timeout", PROXY_PAGE, HSL, TIME, Class::Implemented),
    row("proxy_send_timeout", PROXY_PAGE, HSL, TIME, Class::Implemented),
    row("proxy_redirect", PROXY_PAGE, HSL, Shape::words(1, 2), Class::Implemented)
        .note("off, default, or two literal texts; regular expressions are not supported yet")
        .many(),
    row("proxy_hide_header", PROXY_PAGE, HSL, WORD, Class::Implemented).many(),
    row("proxy_pass_header", PROXY_PAGE, HSL, WORD, Class::Implemented).many(),
    row(
        "proxy_buffering",
        PROXY_PAGE,
        HSL,
        FLAG,
        Class::NoEffect("responses always stream, no byte is held back"),
    )
    .already(&["off"]),
    row(
        "proxy_request_buffering",
        PROXY_PAGE,
        HSL,
        FLAG,
        Class::NoEffect("request bodies always stream"),
    )
    .already(&["off"]),
];
