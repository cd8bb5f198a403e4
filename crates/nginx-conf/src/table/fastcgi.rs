//! Rows of the FastCGI module.

use super::ignored::{BUFFERING, FASTCGI_PAGE, NO_CACHE, SOCKETS, TEMPORARY};
use super::later::{CACHE, STORE};
use super::proxy::{BIND, IGNORED_HEADERS};
use super::*;
use Class::{Implemented, Inert, NoEffect, Refused};

const fn own(name: &'static str, shape: Shape, class: Class) -> Row {
    row(name, FASTCGI_PAGE, HSL, shape, class)
}

pub(super) const ROWS: &[Row] = &[
    row("fastcgi_pass", FASTCGI_PAGE, LOCATION.and(IF), WORD, Implemented)
        .note("without variables"),
    own("fastcgi_param", Shape::words(2, 3), Implemented)
        .note("$content_length alone is the length of what is sent, also of a chunked body")
        .many(),
    own("fastcgi_index", WORD, Implemented),
    row("fastcgi_split_path_info", FASTCGI_PAGE, HSL, WORD, Implemented),
    own("fastcgi_keep_conn", FLAG, Implemented),
    own("fastcgi_catch_stderr", WORD, Implemented)
        .note("looked for in the first 2,000 bytes of each line")
        .many(),
    own("fastcgi_connect_timeout", TIME, Implemented),
    own("fastcgi_read_timeout", TIME, Implemented),
    own("fastcgi_send_timeout", TIME, Implemented),
    own("fastcgi_pass_request_headers", FLAG, Implemented),
    own("fastcgi_pass_request_body", FLAG, Implemented)
        .note("where it is off $content_length is empty in a fastcgi_param"),
    own("fastcgi_hide_header", WORD, Implemented).many(),
    own("fastcgi_pass_header", WORD, Implemented).many(),
    own("fastcgi_next_upstream", Shape::range(1, ANY, &[Kind::OneOf(NEXT_UPSTREAM)]), Implemented)
        .note("\"updating\" concerns a cache, which is not here")
        .many(),
    own("fastcgi_next_upstream_tries", NUMBER, Implemented),
    own("fastcgi_next_upstream_timeout", TIME, Implemented),
    own("fastcgi_buffer_size", SIZE, Implemented).note(
        "the longest head of an answer; 64k where the file says less, 1m where it says more; \
         bodies stream",
    ),
    own("fastcgi_intercept_errors", FLAG, Implemented),
    own("fastcgi_bind", Shape::words(1, 2), Implemented).note(BIND),
    own("fastcgi_force_ranges", FLAG, Implemented),
    own("fastcgi_ignore_client_abort", FLAG, Implemented),
    own("fastcgi_limit_rate", WORD, Implemented)
        .note("bodies stream, so it bounds what the client gets, as limit_rate does"),
    own(
        "fastcgi_ignore_headers",
        Shape::range(1, ANY, &[Kind::OneOf(IGNORED_HEADERS)]),
        Implemented,
    )
    .note("as proxy_ignore_headers")
    .many(),
    own("fastcgi_buffering", FLAG, NoEffect("responses always stream, no byte is held back"))
        .already(&["off"]),
    own(
        "fastcgi_request_buffering",
        FLAG,
        NoEffect(
            "request bodies stream; one of unknown length is held first, up to 1m, since an \
             application is told its length before it",
        ),
    ),
    own("fastcgi_buffers", BUFFERS, NoEffect(BUFFERING)),
    own("fastcgi_busy_buffers_size", SIZE, NoEffect(BUFFERING)),
    own("fastcgi_max_temp_file_size", SIZE, NoEffect(TEMPORARY)).already(&["0"]),
    own("fastcgi_temp_file_write_size", SIZE, NoEffect(TEMPORARY)),
    own("fastcgi_temp_path", Shape::words(1, 4), NoEffect(TEMPORARY)),
    own("fastcgi_send_lowat", SIZE, NoEffect(SOCKETS)),
    own("fastcgi_socket_keepalive", FLAG, NoEffect(SOCKETS)),
    own("fastcgi_cache_bypass", Shape::words(1, ANY), Inert(NO_CACHE)).many(),
    own("fastcgi_no_cache", Shape::words(1, ANY), Inert(NO_CACHE)).many(),
    own("fastcgi_cache_valid", Shape::words(1, ANY), Inert(NO_CACHE)).many(),
    own("fastcgi_store", WORD, Refused(STORE)).already(&["off"]),
    own("fastcgi_store_access", Shape::words(1, 3), Refused(STORE)),
    own("fastcgi_cache", WORD, Refused(CACHE)).already(&["off"]),
    own("fastcgi_cache_background_update", FLAG, Refused(CACHE)).already(&["off"]),
    own("fastcgi_cache_key", WORD, Refused(CACHE)),
    own("fastcgi_cache_lock", FLAG, Refused(CACHE)).already(&["off"]),
    own("fastcgi_cache_lock_age", TIME, Refused(CACHE)),
    own("fastcgi_cache_lock_timeout", TIME, Refused(CACHE)),
    own("fastcgi_cache_max_range_offset", SIZE, Refused(CACHE)),
    own("fastcgi_cache_methods", Shape::words(1, ANY), Refused(CACHE)),
    own("fastcgi_cache_min_uses", NUMBER, Refused(CACHE)),
    own("fastcgi_cache_revalidate", FLAG, Refused(CACHE)).already(&["off"]),
    own("fastcgi_cache_use_stale", Shape::words(1, ANY), Refused(CACHE)).already(&["off"]),
    row("fastcgi_cache_path", FASTCGI_PAGE, HTTP, Shape::words(2, ANY), Refused(CACHE)).many(),
    own("fastcgi_cache_purge", Shape::words(1, ANY), Refused(CACHE)),
];

/// What `fastcgi_next_upstream` lists.
const NEXT_UPSTREAM: &[&str] = &[
    "error",
    "timeout",
    "invalid_header",
    "non_idempotent",
    "http_500",
    "http_503",
    "http_403",
    "http_404",
    "http_429",
    "updating",
    "off",
];
