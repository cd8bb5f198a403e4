//! Rows of blocks that are not carried out yet; what stands in them is not looked at.

use super::later::{ACCESS, CHARSET_PAGE, LATER, OWN_VARIABLES, PLUS};
use super::*;
use Class::Refused;

pub(super) const ROWS: &[Row] = &[
    row(
        "if",
        REWRITE_PAGE,
        SERVER.and(LOCATION),
        Shape::words(1, ANY).with(Block::Of(Context::If)),
        Refused(LATER),
    )
    .many(),
    row(
        "limit_except",
        HTTP_PAGE,
        LOCATION,
        Shape::words(1, ANY).with(Block::Of(Context::LimitExcept)),
        Refused(ACCESS),
    )
    .many(),
    row(
        "map",
        "http/ngx_http_map_module",
        HTTP,
        Shape::words(2, 2).with(Block::Data),
        Refused(OWN_VARIABLES),
    )
    .instead(
        "$http_upgrade",
        "WebSocket passes without configuration: leave out this block and the \
         \"proxy_set_header\" that uses its variable",
    )
    .many(),
    row(
        "geo",
        "http/ngx_http_geo_module",
        HTTP,
        Shape::words(1, 2).with(Block::Data),
        Refused(OWN_VARIABLES),
    )
    .many(),
    row(
        "split_clients",
        "http/ngx_http_split_clients_module",
        HTTP,
        Shape::words(2, 2).with(Block::Data),
        Refused(OWN_VARIABLES),
    )
    .many(),
    row("charset_map", CHARSET_PAGE, HTTP, Shape::words(2, 2).with(Block::Data), Refused(LATER))
        .many(),
    row("match", "http/ngx_http_upstream_hc_module", HTTP, WORD.with(Block::Data), Refused(PLUS))
        .many(),
    row(
        "stream",
        "stream/ngx_stream_core_module",
        MAIN,
        Shape::none().with(Block::Data),
        Refused("other protocols than HTTP are not served"),
    )
    .many(),
    row(
        "mail",
        "mail/ngx_mail_core_module",
        MAIN,
        Shape::none().with(Block::Data),
        Refused("other protocols than HTTP are not served"),
    )
    .many(),
];
