//! Rows of what changes an answer's content on its way.

use super::later::CHARSET_PAGE;
use super::*;

const SUB_PAGE: &str = "http/ngx_http_sub_module";
const MIRROR_PAGE: &str = "http/ngx_http_mirror_module";
const ADDITION_PAGE: &str = "http/ngx_http_addition_module";
const GUNZIP_PAGE: &str = "http/ngx_http_gunzip_module";
const BUFFERS_ARE_FIXED: &str = "buffers are fixed and small, bodies stream through them";

pub(super) const ROWS: &[Row] = &[
    row("gzip", GZIP_PAGE, HSLI, FLAG, Class::Implemented)
        .note("what is compressed leaves at every pause of the upstream"),
    row("gzip_types", GZIP_PAGE, HSL, Shape::words(1, ANY), Class::Implemented).many(),
    row("gzip_min_length", GZIP_PAGE, HSL, SIZE, Class::Implemented),
    row("gzip_comp_level", GZIP_PAGE, HSL, NUMBER, Class::Implemented)
        .note("1 is as thorough as nginx's 1, which is the compressor's own 2"),
    row("gzip_proxied", GZIP_PAGE, HSL, Shape::words(1, ANY), Class::Implemented).many(),
    row("gzip_disable", GZIP_PAGE, HSL, Shape::words(1, ANY), Class::Implemented).many(),
    row(
        "gzip_http_version",
        GZIP_PAGE,
        HSL,
        Shape::exact(&[Kind::OneOf(&["1.0", "1.1"])]),
        Class::Implemented,
    ),
    row("gzip_vary", GZIP_PAGE, HSL, FLAG, Class::Implemented),
    row("gzip_buffers", GZIP_PAGE, HSL, BUFFERS, Class::NoEffect(BUFFERS_ARE_FIXED)),
    row("gunzip", GUNZIP_PAGE, HSL, FLAG, Class::Implemented)
        .note("a worker unpacks 512 answers at a time, more go out as they are, which is told once"),
    row("gunzip_buffers", GUNZIP_PAGE, HSL, BUFFERS, Class::NoEffect(BUFFERS_ARE_FIXED)),
    row("sub_filter", SUB_PAGE, HSL, Shape::words(2, 2), Class::Implemented).many(),
    row("sub_filter_once", SUB_PAGE, HSL, FLAG, Class::Implemented),
    row("sub_filter_types", SUB_PAGE, HSL, Shape::words(1, ANY), Class::Implemented).many(),
    row("sub_filter_last_modified", SUB_PAGE, HSL, FLAG, Class::Implemented),
    row("charset", CHARSET_PAGE, HSLI, WORD, Class::Implemented),
    row("source_charset", CHARSET_PAGE, HSLI, WORD, Class::Implemented),
    row(
        "charset_map",
        CHARSET_PAGE,
        HTTP,
        Shape::words(2, 2).with(Block::Data),
        Class::Implemented,
    )
    .note("UTF-8 is the second of the two, a character of it has three bytes at most, and one that comes in pieces is put together")
    .many(),
    row("override_charset", CHARSET_PAGE, HSLI, FLAG, Class::Implemented),
    row("charset_types", CHARSET_PAGE, HSL, Shape::words(1, ANY), Class::Implemented).many(),
    row("chunked_transfer_encoding", HTTP_PAGE, HSL, FLAG, Class::Implemented),
    row("mirror", MIRROR_PAGE, HSL, WORD, Class::Implemented)
        .note("the client's next request does not wait for its mirrors; a worker has 512 under way at most and holds 16 MB for them, what is beyond that is left out and told")
        .many(),
    row("mirror_request_body", MIRROR_PAGE, HSL, FLAG, Class::Implemented)
        .note("a body of more than 1 MB is not held: its request is not mirrored, which is told"),
    row("add_before_body", ADDITION_PAGE, HSL, WORD, Class::Implemented)
        .note("the subrequest has no body, whatever the client sends"),
    row("add_after_body", ADDITION_PAGE, HSL, WORD, Class::Implemented)
        .note("the subrequest has no body, whatever the client sends"),
    row("addition_types", ADDITION_PAGE, HSL, Shape::words(1, ANY), Class::Implemented).many(),
    row("add_trailer", HEADERS_PAGE, HSLI, Shape::words(2, 3), Class::Implemented).many(),
];
