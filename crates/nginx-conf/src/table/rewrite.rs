//! Rows of the rewrite module, and of those that make variables.

use super::*;

/// Where the rewrite module's own directives stand.
const REWRITE: Contexts = SERVER.and(LOCATION).and(IFS);

pub(super) const ROWS: &[Row] = &[
    row("rewrite", REWRITE_PAGE, REWRITE, Shape::words(2, 3), Class::Implemented).many(),
    row("return", REWRITE_PAGE, REWRITE, Shape::words(1, 2), Class::Implemented)
        .note("a status from 200 to 999")
        .many(),
    row("set", REWRITE_PAGE, REWRITE, Shape::words(2, 2), Class::Implemented)
        .note("of nginx's own variables $args alone; a value has at most 1m")
        .many(),
    row("break", REWRITE_PAGE, REWRITE, Shape::none(), Class::Implemented).many(),
    row(
        "if",
        REWRITE_PAGE,
        SERVER,
        Shape::words(1, ANY).with(Block::Of(Context::ServerIf)),
        Class::Implemented,
    )
    .many(),
    row(
        "if",
        REWRITE_PAGE,
        LOCATION,
        Shape::words(1, ANY).with(Block::Of(Context::If)),
        Class::Implemented,
    )
    .many(),
    row("rewrite_log", REWRITE_PAGE, HSL.and(IFS), FLAG, Class::Implemented)
        .note("200 lines of a request at most"),
    row("uninitialized_variable_warn", REWRITE_PAGE, HSL.and(IFS), FLAG, Class::Implemented),
    row(
        "map",
        "http/ngx_http_map_module",
        HTTP,
        Shape::words(2, 2).with(Block::Data),
        Class::Implemented,
    )
    .many(),
    row(
        "geo",
        "http/ngx_http_geo_module",
        HTTP,
        Shape::words(1, 2).with(Block::Data),
        Class::Implemented,
    )
    .many(),
    row(
        "split_clients",
        "http/ngx_http_split_clients_module",
        HTTP,
        Shape::words(2, 2).with(Block::Data),
        Class::Implemented,
    )
    .many(),
];
