//! Rows of what is accepted without effect, each with the reason.

use super::*;
use Class::{Inert, NoEffect};

const PROCESS: &str = "the container's runtime decides it";
const WORKERS: &str = "workers follow the CPU quota of the container";
const DESCRIPTORS: &str = "the limit is raised as far as the runtime lets it";
const EVENT_LOOP: &str = "there is one way of waiting for events, epoll";
const SENDFILE: &str = "files larger than 32k are always sent by the system itself, smaller ones in one write \
                        with their head";
const READING: &str = "files are read by the system's own calls, through its cache";
const FILE_CACHE: &str =
    "a file is looked up anew for every request, so that a change is seen at once";
pub(super) const BUFFERING: &str = "buffers are fixed and small, bodies stream through them";
pub(super) const TEMPORARY: &str = "nothing is ever written to temporary files";
const AGE: &str = "idle time and number of requests end a kept connection, not its age";
const OLD_CLIENTS: &str = "the browsers that it is for are gone";
const TABLES: &str = "tables size themselves";
pub(super) const SOCKETS: &str = "the event loop sets its sockets up by itself";
const TLS: &str = "TLS is not served";
const TLS_UPSTREAM: &str = "no TLS is spoken to upstreams";
const LOG_FILES: &str = "log files stay open, and those whose path has variables are opened for \
                         each batch of lines";
pub(super) const NO_CACHE: &str = "there is no cache, nothing to bypass or keep";
const NO_UWSGI: &str = "there is no uwsgi_pass";

const TEMP_PATH: Shape = Shape::words(1, 4);

pub(super) const ROWS: &[Row] = &[
    // Processes and events.
    row("user", CORE_PAGE, MAIN, Shape::words(1, 2), NoEffect(PROCESS)),
    row("daemon", CORE_PAGE, MAIN, FLAG, NoEffect("it always stays in the foreground"))
        .already(&["off"]),
    row("master_process", CORE_PAGE, MAIN, FLAG, NoEffect("there is one process"))
        .already(&["off"]),
    row(
        "worker_processes",
        CORE_PAGE,
        MAIN,
        Shape::exact(&[Kind::NumberOrAuto]),
        NoEffect(WORKERS),
    )
    .already(&["auto"]),
    row("worker_rlimit_nofile", CORE_PAGE, MAIN, NUMBER, NoEffect(DESCRIPTORS)),
    row("worker_rlimit_core", CORE_PAGE, MAIN, SIZE, NoEffect(PROCESS)),
    row("worker_cpu_affinity", CORE_PAGE, MAIN, Shape::words(1, ANY), NoEffect(WORKERS)),
    row("worker_priority", CORE_PAGE, MAIN, WORD, NoEffect(PROCESS)),
    row("worker_aio_requests", CORE_PAGE, EVENTS, NUMBER, NoEffect(READING)),
    row(
        "worker_shutdown_timeout",
        CORE_PAGE,
        MAIN,
        TIME,
        NoEffect("the flag --drain-timeout bounds how long a drain takes"),
    ),
    row("lock_file", CORE_PAGE, MAIN, WORD, NoEffect("there is one process")),
    row("thread_pool", CORE_PAGE, MAIN, Shape::words(2, 3), NoEffect(READING)).many(),
    row("timer_resolution", CORE_PAGE, MAIN, TIME, NoEffect(EVENT_LOOP)),
    row("multi_accept", CORE_PAGE, EVENTS, FLAG, NoEffect(EVENT_LOOP)),
    row("use", CORE_PAGE, EVENTS, WORD, NoEffect(EVENT_LOOP)).already(&["epoll"]),
    row("accept_mutex", CORE_PAGE, EVENTS, FLAG, NoEffect(EVENT_LOOP)).already(&["off"]),
    row("accept_mutex_delay", CORE_PAGE, EVENTS, TIME, NoEffect(EVENT_LOOP)),
    row("pcre_jit", CORE_PAGE, MAIN, FLAG, NoEffect("there are no PCRE expressions")),
    // Sockets and files.
    row("sendfile", HTTP_PAGE, HSLI, FLAG, NoEffect(SENDFILE)).already(&["on"]),
    row("sendfile_max_chunk", HTTP_PAGE, HSL, SIZE, NoEffect(SENDFILE)),
    row("tcp_nopush", HTTP_PAGE, HSL, FLAG, NoEffect("head and first bytes leave in one write")),
    row("tcp_nodelay", HTTP_PAGE, HSL, FLAG, NoEffect("it is always on")).already(&["on"]),
    row("aio", HTTP_PAGE, HSL, WORD, NoEffect(READING)),
    row("aio_write", HTTP_PAGE, HSL, FLAG, NoEffect(READING)),
    row("directio", HTTP_PAGE, HSL, Shape::exact(&[Kind::SizeOrOff]), NoEffect(READING)),
    row("directio_alignment", HTTP_PAGE, HSL, SIZE, NoEffect(READING)),
    row("read_ahead", HTTP_PAGE, HSL, SIZE, NoEffect(READING)),
    row("open_file_cache", HTTP_PAGE, HSL, Shape::words(1, 2), NoEffect(FILE_CACHE)),
    row(
        "open_file_cache_valid",
        HTTP_PAGE,
        HSL,
        Shape::exact(&[Kind::Seconds]),
        NoEffect(FILE_CACHE),
    ),
    row("open_file_cache_min_uses", HTTP_PAGE, HSL, NUMBER, NoEffect(FILE_CACHE)),
    row("open_file_cache_errors", HTTP_PAGE, HSL, FLAG, NoEffect(FILE_CACHE)),
    row("reset_timedout_connection", HTTP_PAGE, HSL, FLAG, NoEffect(SOCKETS)),
    row("send_lowat", HTTP_PAGE, HSL, SIZE, NoEffect(SOCKETS)),
    row("proxy_send_lowat", PROXY_PAGE, HSL, SIZE, NoEffect(SOCKETS)),
    row("proxy_socket_keepalive", PROXY_PAGE, HSL, FLAG, NoEffect(SOCKETS)),
    row("keepalive_time", HTTP_PAGE, HSL, TIME, NoEffect(AGE)),
    row("keepalive_disable", HTTP_PAGE, HSL, Shape::words(1, ANY), NoEffect(OLD_CLIENTS)),
    // Tables.
    row("types_hash_max_size", HTTP_PAGE, HSL, NUMBER, NoEffect(TABLES)),
    row("types_hash_bucket_size", HTTP_PAGE, HSL, NUMBER, NoEffect(TABLES)),
    row("server_names_hash_bucket_size", HTTP_PAGE, HTTP, NUMBER, NoEffect(TABLES)),
    row("server_names_hash_max_size", HTTP_PAGE, HTTP, NUMBER, NoEffect(TABLES)),
    row("variables_hash_max_size", HTTP_PAGE, HTTP, NUMBER, NoEffect(TABLES)),
    row("variables_hash_bucket_size", HTTP_PAGE, HTTP, NUMBER, NoEffect(TABLES)),
    row("map_hash_bucket_size", "http/ngx_http_map_module", HTTP, NUMBER, NoEffect(TABLES)),
    row("map_hash_max_size", "http/ngx_http_map_module", HTTP, NUMBER, NoEffect(TABLES)),
    row("proxy_headers_hash_max_size", PROXY_PAGE, HSL, NUMBER, NoEffect(TABLES)),
    row("proxy_headers_hash_bucket_size", PROXY_PAGE, HSL, NUMBER, NoEffect(TABLES)),
    // Buffers and temporary files.
    row("client_body_temp_path", HTTP_PAGE, HSL, TEMP_PATH, NoEffect(TEMPORARY)),
    row("proxy_temp_path", PROXY_PAGE, HSL, TEMP_PATH, NoEffect(TEMPORARY)),
    row("uwsgi_temp_path", UWSGI_PAGE, HSL, TEMP_PATH, NoEffect(TEMPORARY)),
    row("scgi_temp_path", "http/ngx_http_scgi_module", HSL, TEMP_PATH, NoEffect(TEMPORARY)),
    row("proxy_temp_file_write_size", PROXY_PAGE, HSL, SIZE, NoEffect(TEMPORARY)),
    row("proxy_max_temp_file_size", PROXY_PAGE, HSL, SIZE, NoEffect(TEMPORARY)).already(&["0"]),
    row("client_body_in_single_buffer", HTTP_PAGE, HSL, FLAG, NoEffect(BUFFERING)),
    row("client_header_buffer_size", HTTP_PAGE, HS, SIZE, NoEffect(BUFFERING)),
    row("proxy_buffers", PROXY_PAGE, HSL, BUFFERS, NoEffect(BUFFERING)),
    row("proxy_busy_buffers_size", PROXY_PAGE, HSL, SIZE, NoEffect(BUFFERING)),
    row("output_buffers", HTTP_PAGE, HSL, BUFFERS, NoEffect(BUFFERING)),
    row("postpone_output", HTTP_PAGE, HSL, SIZE, NoEffect(BUFFERING)),
    row("request_pool_size", HTTP_PAGE, HS, SIZE, NoEffect(BUFFERING)),
    row("connection_pool_size", HTTP_PAGE, HS, SIZE, NoEffect(BUFFERING)),
    row("subrequest_output_buffer_size", HTTP_PAGE, HSL, SIZE, NoEffect(BUFFERING)),
    // Logging.
    row("open_log_file_cache", LOG_PAGE, HSL, Shape::words(1, 4), NoEffect(LOG_FILES)),
    row("msie_padding", HTTP_PAGE, HSL, FLAG, NoEffect(OLD_CLIENTS)),
    row("msie_refresh", HTTP_PAGE, HSL, FLAG, NoEffect(OLD_CLIENTS)).already(&["off"]),
    // TLS tuning. A socket that would need it is refused by its `listen`.
    row("ssl_protocols", SSL_PAGE, HS, Shape::words(1, ANY), NoEffect(TLS)),
    row("ssl_ciphers", SSL_PAGE, HS, WORD, NoEffect(TLS)),
    row("ssl_session_cache", SSL_PAGE, HS, Shape::words(1, 2), NoEffect(TLS)),
    row("ssl_session_timeout", SSL_PAGE, HS, Shape::exact(&[Kind::Seconds]), NoEffect(TLS)),
    row("ssl_session_tickets", SSL_PAGE, HS, FLAG, NoEffect(TLS)),
    row("ssl_prefer_server_ciphers", SSL_PAGE, HS, FLAG, NoEffect(TLS)),
    row("ssl_dhparam", SSL_PAGE, HS, WORD, NoEffect(TLS)),
    row("ssl_ecdh_curve", SSL_PAGE, HS, WORD, NoEffect(TLS)),
    row("ssl_stapling", SSL_PAGE, HS, FLAG, NoEffect(TLS)),
    row("ssl_stapling_verify", SSL_PAGE, HS, FLAG, NoEffect(TLS)),
    row("ssl_buffer_size", SSL_PAGE, HS, SIZE, NoEffect(TLS)),
    row("proxy_ssl_session_reuse", PROXY_PAGE, HSL, FLAG, NoEffect(TLS_UPSTREAM)),
    row("proxy_ssl_protocols", PROXY_PAGE, HSL, Shape::words(1, ANY), NoEffect(TLS_UPSTREAM)),
    row("proxy_ssl_ciphers", PROXY_PAGE, HSL, WORD, NoEffect(TLS_UPSTREAM)),
    // What acts on something that is not here.
    row("proxy_cache_bypass", PROXY_PAGE, HSL, Shape::words(1, ANY), Inert(NO_CACHE)).many(),
    row("proxy_no_cache", PROXY_PAGE, HSL, Shape::words(1, ANY), Inert(NO_CACHE)).many(),
    row("proxy_cache_valid", PROXY_PAGE, HSL, Shape::words(1, ANY), Inert(NO_CACHE)).many(),
    row("uwsgi_param", UWSGI_PAGE, HSL, Shape::words(2, 3), Inert(NO_UWSGI)).many(),
    row("uwsgi_max_temp_file_size", UWSGI_PAGE, HSL, SIZE, Inert(NO_UWSGI)),
];

pub(super) const FASTCGI_PAGE: &str = "http/ngx_http_fastcgi_module";
pub(super) const UWSGI_PAGE: &str = "http/ngx_http_uwsgi_module";
