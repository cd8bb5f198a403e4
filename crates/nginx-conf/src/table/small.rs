//! Rows of single directives of the core that are no family: what is carried out of them, what has
//! no effect here, and what will not come.

use super::*;
use Class::{Implemented, Inert, NoEffect, Refused};

const HTTP2_PAGE: &str = "http/ngx_http_v2_module";
const PROCESS: &str = "the container's runtime decides it";
const NO_HTTP2: &str = "HTTP/2 is not served";
const CHANCE: &str = "no file is chosen by chance; `split_clients` with `$request_id` makes a \
                      variable that `index` can have in it";
const HINTS: &str = "interim answers of upstreams are not passed on; the `Link` fields of the answer \
                     itself are";
const AFTER: &str = "nothing is asked once the answer is out; the application can do it, or whoever \
                     reads the access log";
const KEPT_BODIES: &str = "bodies stream to the upstream and are never written to files; the \
                           application can store them";
const SLICES: &str = "ranges pass to the upstream as they are; pieces are for a cache, which is not \
                      here";
const ALLOWED: &str = "upstreams are those that the file names; a `map` can list what a variable may \
                       name";

pub(super) const ROWS: &[Row] = &[
    row("merge_slashes", HTTP_PAGE, HS, FLAG, Implemented),
    row("server_name_in_redirect", HTTP_PAGE, HSL, FLAG, Implemented)
        .note("a server without a name is as with `off`"),
    // Without effect.
    row("env", CORE_PAGE, MAIN, WORD, NoEffect("nothing in the file reads the environment"))
        .many(),
    row("working_directory", CORE_PAGE, MAIN, WORD, NoEffect(PROCESS)),
    row("debug_points", CORE_PAGE, MAIN, WORD, NoEffect("there are none")),
    row(
        "debug_connection",
        CORE_PAGE,
        EVENTS,
        WORD,
        NoEffect("no client has lines of its own in the error log"),
    )
    .many(),
    row("ssl_object_cache_inheritable", CORE_PAGE, MAIN, FLAG, NoEffect("TLS is not served")),
    row("http2_body_preread_size", HTTP2_PAGE, HS, SIZE, Inert(NO_HTTP2)),
    row("http2_chunk_size", HTTP2_PAGE, HSL, SIZE, Inert(NO_HTTP2)),
    row("http2_idle_timeout", HTTP2_PAGE, HS, TIME, Inert(NO_HTTP2)),
    row("http2_max_concurrent_pushes", HTTP2_PAGE, HS, NUMBER, Inert(NO_HTTP2)),
    row("http2_max_concurrent_streams", HTTP2_PAGE, HS, NUMBER, Inert(NO_HTTP2)),
    row("http2_max_field_size", HTTP2_PAGE, HS, SIZE, Inert(NO_HTTP2)),
    row("http2_max_header_size", HTTP2_PAGE, HS, SIZE, Inert(NO_HTTP2)),
    row("http2_max_requests", HTTP2_PAGE, HS, NUMBER, Inert(NO_HTTP2)),
    row("http2_pool_size", HTTP2_PAGE, HS, SIZE, Inert(NO_HTTP2)),
    row("http2_push", HTTP2_PAGE, HSL, WORD, Inert(NO_HTTP2)).many().already(&["off"]),
    row("http2_push_preload", HTTP2_PAGE, HSL, FLAG, Inert(NO_HTTP2)).already(&["off"]),
    row("http2_recv_buffer_size", HTTP2_PAGE, HTTP, SIZE, Inert(NO_HTTP2)),
    row("http2_recv_timeout", HTTP2_PAGE, HS, TIME, Inert(NO_HTTP2)),
    row("http2_streams_index_size", HTTP2_PAGE, HS, NUMBER, Inert(NO_HTTP2)),
    // What will not come.
    row("random_index", "http/ngx_http_random_index_module", LOCATION, FLAG, Refused(CHANCE))
        .already(&["off"]),
    row("post_action", HTTP_PAGE, HSLI, WORD, Refused(AFTER)).already(&["off"]),
    row("early_hints", HTTP_PAGE, HSL, Shape::words(1, ANY), Refused(HINTS)).many(),
    row(
        "client_body_in_file_only",
        HTTP_PAGE,
        HSL,
        Shape::exact(&[Kind::OneOf(&["on", "clean", "off"])]),
        Refused(KEPT_BODIES),
    )
    .already(&["off"]),
    row("proxy_allow_upstream", PROXY_PAGE, HSL, Shape::words(1, ANY), Refused(ALLOWED)).many(),
    row("slice", "http/ngx_http_slice_module", HSL, SIZE, Refused(SLICES)).already(&["0"]),
    row(
        "load_module",
        CORE_PAGE,
        MAIN,
        WORD,
        Refused("modules cannot be loaded, the program is one static file; leave it out where the module is one of nginx's own that the file needs, those are built in"),
    )
    .many(),
];
