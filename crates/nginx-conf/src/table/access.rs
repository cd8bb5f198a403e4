//! Rows of who may ask for what, and of who somebody is.

use super::*;

const ACCESS_PAGE: &str = "http/ngx_http_access_module";
const REAL_IP_PAGE: &str = "http/ngx_http_realip_module";

pub(super) const ROWS: &[Row] = &[
    row("allow", ACCESS_PAGE, HSL.and(LIMIT_EXCEPT), WORD, Class::Implemented).many(),
    row("deny", ACCESS_PAGE, HSL.and(LIMIT_EXCEPT), WORD, Class::Implemented).many(),
    row(
        "satisfy",
        HTTP_PAGE,
        HSL,
        Shape::exact(&[Kind::OneOf(&["all", "any"])]),
        Class::NoEffect(
            "there is one way in, by allow and deny: all of it and any of it is the same",
        ),
    )
    .already(&["all"]),
    row(
        "limit_except",
        HTTP_PAGE,
        LOCATION,
        Shape::words(1, ANY).with(Block::Of(Context::LimitExcept)),
        Class::Implemented,
    ),
    row("set_real_ip_from", REAL_IP_PAGE, HSL, WORD, Class::Implemented)
        .note("the addresses of a name are those at the load")
        .many(),
    row("real_ip_header", REAL_IP_PAGE, HSL, WORD, Class::Implemented)
        .note("`proxy_protocol` is not supported yet"),
    row("real_ip_recursive", REAL_IP_PAGE, HSL, FLAG, Class::Implemented),
];
