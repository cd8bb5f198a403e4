//! Rows of what serves files.

use super::*;

const INDEX_PAGE: &str = "http/ngx_http_index_module";

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
    row("max_ranges", HTTP_PAGE, HSL, NUMBER, Class::Implemented),
    row("log_not_found", HTTP_PAGE, HSL, FLAG, Class::Implemented),
];

const UPWARDS: &str =
    "a path in which a request puts more `..` than the file has is answered by 404";
