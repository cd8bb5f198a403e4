//! Rows of who may ask for what, and of who somebody is.

use super::*;

const ACCESS_PAGE: &str = "http/ngx_http_access_module";
const BASIC_PAGE: &str = "http/ngx_http_auth_basic_module";
const AUTH_REQUEST_PAGE: &str = "http/ngx_http_auth_request_module";
const LIMIT_REQ_PAGE: &str = "http/ngx_http_limit_req_module";
const LIMIT_CONN_PAGE: &str = "http/ngx_http_limit_conn_module";
const REFERER_PAGE: &str = "http/ngx_http_referer_module";
const LINK_PAGE: &str = "http/ngx_http_secure_link_module";
const NO_HASHES: Class = Class::NoEffect("tables grow as they need");
const REAL_IP_PAGE: &str = "http/ngx_http_realip_module";

const LIMIT_LEVEL: Shape = Shape::exact(&[Kind::OneOf(&["info", "notice", "warn", "error"])]);

pub(super) const ROWS: &[Row] = &[
    row("allow", ACCESS_PAGE, HSL.and(LIMIT_EXCEPT), WORD, Class::Implemented).many(),
    row("deny", ACCESS_PAGE, HSL.and(LIMIT_EXCEPT), WORD, Class::Implemented).many(),
    row(
        "satisfy",
        HTTP_PAGE,
        HSL,
        Shape::exact(&[Kind::OneOf(&["all", "any"])]),
        Class::Implemented,
    ),
    row("auth_basic", BASIC_PAGE, HSL.and(LIMIT_EXCEPT), WORD, Class::Implemented),
    row("auth_basic_user_file", BASIC_PAGE, HSL.and(LIMIT_EXCEPT), WORD, Class::Implemented).note(
        "passwords in the forms $apr1$, $1$, $2y$, $5$, $6$, {SHA}, {SSHA} and {PLAIN}, of a cost \
         of 12 and 100,000 rounds at most; for those of other forms nobody is let in, and the error log says why",
    ),
    row(
        "stub_status",
        "http/ngx_http_stub_status_module",
        SERVER.and(LOCATION),
        Shape::words(0, 1),
        Class::Implemented,
    )
    .note("the flag --admin-listen serves more, for Prometheus"),
    row("auth_delay", HTTP_PAGE, HSL, TIME, Class::Implemented),
    row("auth_request", AUTH_REQUEST_PAGE, HSL, WORD, Class::Implemented)
        .note("the subrequest has no Content-Length, since it has no body"),
    row("auth_request_set", AUTH_REQUEST_PAGE, HSL, Shape::words(2, 2), Class::Implemented).many(),
    row("limit_req_zone", LIMIT_REQ_PAGE, HTTP, Shape::words(3, 4), Class::Implemented).many(),
    row("limit_req", LIMIT_REQ_PAGE, HSL, Shape::words(1, 3), Class::Implemented).many(),
    row("limit_req_status", LIMIT_REQ_PAGE, HSL, NUMBER, Class::Implemented),
    row("limit_req_log_level", LIMIT_REQ_PAGE, HSL, LIMIT_LEVEL, Class::Implemented),
    row("limit_req_dry_run", LIMIT_REQ_PAGE, HSL, FLAG, Class::Implemented),
    row("limit_rate", HTTP_PAGE, HSLI, WORD, Class::Implemented),
    row("limit_rate_after", HTTP_PAGE, HSLI, WORD, Class::Implemented),
    row("limit_conn_zone", LIMIT_CONN_PAGE, HTTP, Shape::words(2, 2), Class::Implemented).many(),
    row("limit_conn", LIMIT_CONN_PAGE, HSL, Shape::words(2, 2), Class::Implemented).many(),
    row("limit_conn_status", LIMIT_CONN_PAGE, HSL, NUMBER, Class::Implemented),
    row("limit_conn_log_level", LIMIT_CONN_PAGE, HSL, LIMIT_LEVEL, Class::Implemented),
    row("limit_conn_dry_run", LIMIT_CONN_PAGE, HSL, FLAG, Class::Implemented),
    row(
        "limit_except",
        HTTP_PAGE,
        LOCATION,
        Shape::words(1, ANY).with(Block::Of(Context::LimitExcept)),
        Class::Implemented,
    ),
    row("valid_referers", REFERER_PAGE, SERVER.and(LOCATION), Shape::words(1, ANY), Class::Implemented)
        .many(),
    row("referer_hash_max_size", REFERER_PAGE, SERVER.and(LOCATION), NUMBER, NO_HASHES),
    row("referer_hash_bucket_size", REFERER_PAGE, SERVER.and(LOCATION), NUMBER, NO_HASHES),
    row("secure_link", LINK_PAGE, HSL, WORD, Class::Implemented),
    row("secure_link_md5", LINK_PAGE, HSL, WORD, Class::Implemented),
    row("secure_link_secret", LINK_PAGE, HSL, WORD, Class::Implemented),
    row("set_real_ip_from", REAL_IP_PAGE, HSL, WORD, Class::Implemented)
        .note("the addresses of a name are those at the load")
        .many(),
    row("real_ip_header", REAL_IP_PAGE, HSL, WORD, Class::Implemented),
    row("real_ip_recursive", REAL_IP_PAGE, HSL, FLAG, Class::Implemented),
];
