//! Rows of what is carried out: nginx's own core, logs, headers, upstreams.

use super::*;

const NEVER_GREATER: &str = "a body that grows past it is cut off with 413 before it reaches the \
                             application";

pub(super) const ROWS: &[Row] = &[
    // The frame.
    row("include", CORE_PAGE, EVERYWHERE, WORD, Class::Implemented)
        .note("mime.types, proxy_params and the other files of nginx's image exist built in")
        .many(),
    row(
        "events",
        CORE_PAGE,
        MAIN,
        Shape::none().with(Block::Of(Context::Events)),
        Class::Implemented,
    )
    .note("may be absent"),
    row("worker_connections", CORE_PAGE, EVENTS, NUMBER, Class::Implemented).note(
        "of one worker, those to upstreams included; where the file has none, file descriptors \
         and memory are the only bounds",
    ),
    row("http", HTTP_PAGE, MAIN, Shape::none().with(Block::Of(Context::Http)), Class::Implemented),
    row(
        "server",
        HTTP_PAGE,
        HTTP,
        Shape::none().with(Block::Of(Context::Server)),
        Class::Implemented,
    )
    .many(),
    row(
        "location",
        HTTP_PAGE,
        SERVER.and(LOCATION),
        Shape::words(1, 2).with(Block::Of(Context::Location)),
        Class::Implemented,
    )
    .note("regular expressions have no look-around and no back references")
    .many(),
    row("listen", HTTP_PAGE, SERVER, Shape::words(1, ANY), Class::Implemented)
        .note("PORT, ADDRESS:PORT, [::]:PORT; ssl, http2 and unix sockets are not supported yet")
        .many(),
    row("server_name", HTTP_PAGE, SERVER, Shape::words(1, ANY), Class::Implemented).many(),
    // The client's side.
    row("client_max_body_size", HTTP_PAGE, HSL, Shape::exact(&[Kind::Offset]), Class::Implemented)
        .note(NEVER_GREATER),
    row("client_body_buffer_size", HTTP_PAGE, HSL, SIZE, Class::Implemented).note(
        "how much of a body is kept so that it can be sent to the next server, at most 1m; bodies \
         stream and are never written to a file",
    ),
    row("client_body_timeout", HTTP_PAGE, HSL, TIME, Class::Implemented),
    row("client_header_timeout", HTTP_PAGE, HS, TIME, Class::Implemented),
    row("send_timeout", HTTP_PAGE, HSL, TIME, Class::Implemented),
    row(
        "keepalive_timeout",
        HTTP_PAGE,
        HSL,
        Shape::range(1, 2, &[Kind::Time, Kind::Seconds]),
        Class::Implemented,
    ),
    row("keepalive_requests", HTTP_PAGE, HSL, NUMBER, Class::Implemented),
    row("large_client_header_buffers", HTTP_PAGE, HS, BUFFERS, Class::Implemented)
        .note("at most 1m together"),
    row("max_headers", HTTP_PAGE, HS, NUMBER, Class::Implemented).note("at most 10000"),
    row("underscores_in_headers", HTTP_PAGE, HS, FLAG, Class::Implemented),
    row("ignore_invalid_headers", HTTP_PAGE, HS, FLAG, Class::Implemented)
        .note("white space and control characters in a name are always refused"),
    row(
        "lingering_close",
        HTTP_PAGE,
        HSL,
        Shape::exact(&[Kind::OneOf(&["off", "on", "always"])]),
        Class::Implemented,
    ),
    row("lingering_time", HTTP_PAGE, HSL, TIME, Class::Implemented),
    row("lingering_timeout", HTTP_PAGE, HSL, TIME, Class::Implemented),
    row(
        "server_tokens",
        HTTP_PAGE,
        HSL,
        Shape::exact(&[Kind::OneOf(&["on", "off", "build"])]),
        Class::Implemented,
    ),
    row("internal", HTTP_PAGE, LOCATION, Shape::none(), Class::Implemented),
    row("error_page", HTTP_PAGE, HSLI, Shape::words(2, ANY), Class::Implemented)
        .note(
            "a body that has gone to an upstream, longer than client_body_buffer_size or not whole \
             yet, is not sent to a named location: the answer is the error's own page then",
        )
        .many(),
    row("recursive_error_pages", HTTP_PAGE, HSL, FLAG, Class::Implemented),
    row("absolute_redirect", HTTP_PAGE, HSL, FLAG, Class::Implemented),
    row("port_in_redirect", HTTP_PAGE, HSL, FLAG, Class::Implemented),
    row(
        "add_header",
        HEADERS_PAGE,
        HSLI,
        Shape::range(2, 3, &[Kind::Word, Kind::Word, Kind::OneOf(&["always"])]),
        Class::Implemented,
    )
    .many(),
    // Logs.
    row("access_log", LOG_PAGE, HSLI.and(LIMIT_EXCEPT), Shape::words(1, ANY), Class::Implemented)
        .note(
            "lines are gathered for 10 ms and written at once, `buffer=` and `flush=` have no \
             effect; `gzip` is refused; a path with variables is opened for each batch of lines, \
             and no request leads upwards in it; times of syslog are those of UTC",
        )
        .many(),
    row("log_subrequest", HTTP_PAGE, HSL, FLAG, Class::Implemented),
    row("log_format", LOG_PAGE, HTTP, Shape::words(2, ANY), Class::Implemented).many(),
    row(
        "error_log",
        CORE_PAGE,
        MAIN.and(HSL),
        Shape::range(1, 2, &[Kind::Word, Kind::OneOf(LEVELS)]),
        Class::Implemented,
    )
    .note(
        "of main for messages about the program, of the other levels for those about requests; \
         `info` where none is written; a line begins with the time and the level; `memory:` is \
         standard error",
    )
    .many(),
    row("pid", CORE_PAGE, MAIN, WORD, Class::Implemented)
        .note("none unless written; a folder that cannot be written is a warning"),
    // Upstreams.
    row(
        "upstream",
        UPSTREAM_PAGE,
        HTTP,
        Shape::exact(&[Kind::Word]).with(Block::Of(Context::Upstream)),
        Class::Implemented,
    )
    .many(),
    row("server", UPSTREAM_PAGE, UPSTREAM, Shape::words(1, ANY), Class::Implemented)
        .note(
            "weight, max_conns (of all workers), max_fails, fail_timeout, backup, down; with \
             resolve a name is looked up again each half minute, else when a connection fails",
        )
        .many(),
    row("keepalive", UPSTREAM_PAGE, UPSTREAM, NUMBER, Class::Implemented)
        .note("32 where the file says nothing"),
    row("keepalive_timeout", UPSTREAM_PAGE, UPSTREAM, TIME, Class::Implemented)
        .note("4s where the file says nothing, which is less than common applications keep"),
    row("keepalive_requests", UPSTREAM_PAGE, UPSTREAM, NUMBER, Class::Implemented),
];

/// Levels of `error_log`.
const LEVELS: &[&str] = &["debug", "info", "notice", "warn", "error", "crit", "alert", "emerg"];
