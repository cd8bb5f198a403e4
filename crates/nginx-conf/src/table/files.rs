//! Rows of what serves files.

use super::*;

const INDEX_PAGE: &str = "http/ngx_http_index_module";
const AUTOINDEX_PAGE: &str = "http/ngx_http_autoindex_module";

pub(super) const ROWS: &[Row] = &[
    row("root", HTTP_PAGE, HSLI, WORD, Class::Implemented).note(UPWARDS),
    row("alias", HTTP_PAGE, LOCATION, WORD, Class::Implemented).note(UPWARDS),
    row("index", INDEX_PAGE, HSL, Shape::words(1, ANY), Class::Implemented).many(),
    row("try_files", HTTP_PAGE, SERVER.and(LOCATION), Shape::words(2, ANY), Class::Implemented)
        .note("a last argument that begins neither with \"/\" nor with \"@\" is answered by 404"),
    row("types", HTTP_PAGE, HSL, Shape::none().with(Block::Data), Class::Implemented).many(),
    row("default_type", HTTP_PAGE, HSL, WORD, Class::Implemented),
    row("etag", HTTP_PAGE, HSL, FLAG, Class::Implemented),
    row(
        "if_modified_since",
        HTTP_PAGE,
        HSL,
        Shape::exact(&[Kind::OneOf(&["off", "exact", "before"])]),
        Class::Implemented,
    ),
    row("disable_symlinks", HTTP_PAGE, HSL, Shape::words(1, 2), Class::Implemented),
    row("expires", HEADERS_PAGE, HSLI, Shape::words(1, 2), Class::Implemented)
        .note("a time of a day is one of UTC"),
    row("autoindex", AUTOINDEX_PAGE, HSL, FLAG, Class::Implemented),
    row("autoindex_exact_size", AUTOINDEX_PAGE, HSL, FLAG, Class::Implemented),
    row("autoindex_localtime", AUTOINDEX_PAGE, HSL, FLAG, Class::Implemented)
        .note("the zone is always UTC"),
    row(
        "autoindex_format",
        AUTOINDEX_PAGE,
        HSL,
        Shape::exact(&[Kind::OneOf(&["html", "xml", "json"])]),
        Class::Implemented,
    )
    .note("jsonp is not supported"),
    row(
        "gzip_static",
        "http/ngx_http_gzip_static_module",
        HSL,
        Shape::exact(&[Kind::OneOf(&["on", "off", "always"])]),
        Class::Implemented,
    ),
    row("max_ranges", HTTP_PAGE, HSL, NUMBER, Class::Implemented),
    row("log_not_found", HTTP_PAGE, HSL, FLAG, Class::Implemented),
];

const UPWARDS: &str =
    "a path in which a request puts more `..` than the file has is answered by 404";
