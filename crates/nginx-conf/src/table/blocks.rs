//! Rows of blocks that are not carried out yet; what stands in them is not looked at.

use super::*;
use Class::Refused;

pub(super) const ROWS: &[Row] = &[
    row("match", "http/ngx_http_upstream_hc_module", HTTP, WORD.with(Block::Data), Refused("a directive of the commercial NGINX Plus; `max_fails`, `fail_timeout` and `proxy_next_upstream` leave a failing server out"))
        .many(),
    row(
        "stream",
        "stream/ngx_stream_core_module",
        MAIN,
        Shape::none().with(Block::Data),
        Refused("other protocols than HTTP are not served; clients reach the application's port by themselves"),
    )
    .many(),
    row(
        "mail",
        "mail/ngx_mail_core_module",
        MAIN,
        Shape::none().with(Block::Data),
        Refused("other protocols than HTTP are not served; clients reach the application's port by themselves"),
    )
    .many(),
];
