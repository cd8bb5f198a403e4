//! Rows of the proxy module that are carried out.

use super::*;

const PASS: Contexts = LOCATION.and(IF).and(LIMIT_EXCEPT);

/// Of `proxy_bind` and `fastcgi_bind`.
pub(super) const BIND: &str = "without `transparent`, which takes a right over the network that the \
                               container has not; a kept connection is used again for the address \
                               that it was made from";

pub(super) const ROWS: &[Row] = &[
    row("proxy_pass", PROXY_PAGE, PASS, WORD, Class::Implemented).note(
        "http:// only, https is not supported yet; variables may make the name of an `upstream`, an \
         address, or a name that `set`, `map` or `split_clients` of the file tell, another name is \
         answered by 502; an answer with X-Accel-Redirect goes to the location that it names",
    ),
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
        .note("for Location and Refresh")
        .many(),
    row("proxy_pass_request_headers", PROXY_PAGE, HSL, FLAG, Class::Implemented),
    row("proxy_pass_request_body", PROXY_PAGE, HSL, FLAG, Class::Implemented)
        .note("where it is off there is no Content-Length either"),
    row("proxy_method", PROXY_PAGE, HSL, WORD, Class::Implemented)
        .note("what is no method leaves the request's own"),
    row("proxy_set_body", PROXY_PAGE, HSL, WORD, Class::Implemented),
    row("proxy_limit_rate", PROXY_PAGE, HSL, WORD, Class::Implemented)
        .note("bodies stream, so it bounds what the client gets, as limit_rate does"),
    row("proxy_cookie_domain", PROXY_PAGE, HSL, Shape::words(1, 2), Class::Implemented).many(),
    row("proxy_cookie_path", PROXY_PAGE, HSL, Shape::words(1, 2), Class::Implemented).many(),
    row("proxy_cookie_flags", PROXY_PAGE, HSL, Shape::words(1, 4), Class::Implemented).many(),
    row("proxy_hide_header", PROXY_PAGE, HSL, WORD, Class::Implemented).many(),
    row("proxy_pass_header", PROXY_PAGE, HSL, WORD, Class::Implemented).many(),
    row(
        "proxy_next_upstream",
        PROXY_PAGE,
        HSL,
        Shape::range(1, ANY, &[Kind::OneOf(NEXT_UPSTREAM)]),
        Class::Implemented,
    )
    .note("\"updating\" concerns a cache, which is not here")
    .many(),
    row("proxy_next_upstream_tries", PROXY_PAGE, HSL, NUMBER, Class::Implemented),
    row("proxy_next_upstream_timeout", PROXY_PAGE, HSL, TIME, Class::Implemented),
    row("proxy_buffer_size", PROXY_PAGE, HSL, SIZE, Class::Implemented).note(
        "the longest head of an answer; 64k where the file says less, 1m where it says more; \
         bodies stream",
    ),
    row("proxy_intercept_errors", PROXY_PAGE, HSL, FLAG, Class::Implemented),
    row("proxy_pass_trailers", PROXY_PAGE, HSL, FLAG, Class::Implemented).note(
        "the upstream is asked for them without configuration; those that belong to a head do not \
         pass (RFC 9110 §6.5.1)",
    ),
    row("proxy_bind", PROXY_PAGE, HSL, Shape::words(1, 2), Class::Implemented).note(BIND),
    row("proxy_force_ranges", PROXY_PAGE, HSL, FLAG, Class::Implemented),
    row("proxy_ignore_client_abort", PROXY_PAGE, HSL, FLAG, Class::Implemented),
    row(
        "proxy_ignore_headers",
        PROXY_PAGE,
        HSL,
        Shape::range(1, ANY, &[Kind::OneOf(IGNORED_HEADERS)]),
        Class::Implemented,
    )
    .note(
        "X-Accel-Redirect is carried out unless it is ignored; X-Accel-Limit-Rate and \
         X-Accel-Charset never are, they are taken out of the answer and change nothing; the \
         others steer a buffer and a cache, which are not here",
    )
    .many(),
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

/// What `proxy_next_upstream` lists.
const NEXT_UPSTREAM: &[&str] = &[
    "error",
    "timeout",
    "invalid_header",
    "non_idempotent",
    "http_500",
    "http_502",
    "http_503",
    "http_504",
    "http_403",
    "http_404",
    "http_429",
    "updating",
    "off",
];

/// What `proxy_ignore_headers` lists.
pub(super) const IGNORED_HEADERS: &[&str] = &[
    "X-Accel-Redirect",
    "X-Accel-Expires",
    "X-Accel-Limit-Rate",
    "X-Accel-Buffering",
    "X-Accel-Charset",
    "Expires",
    "Cache-Control",
    "Set-Cookie",
    "Vary",
];
