//! Rows of what changes an answer's content on its way.

use super::*;

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
];
