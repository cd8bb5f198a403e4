//! Rows of nginx's own directives that are not carried out yet. A row here gives a better message
//! than "unknown"; support for a directive begins by moving its row.

use super::*;
use Class::Refused;

pub(super) const LATER: &str = "not supported yet";
pub(super) const STORE: &str = "answers are not written to files; where the same file is served often, `root` and \
                     `try_files` serve it from a volume";
pub(super) const CACHE: &str = "not supported yet: there is no cache";
const TLS: &str = "not supported yet: TLS is not served, listen without \"ssl\"";
const TLS_UPSTREAM: &str = "not supported yet: no TLS is spoken to upstreams";
const HTTP2: &str = "not supported yet: HTTP/1.0 and HTTP/1.1 are spoken";

pub(super) const CHARSET_PAGE: &str = "http/ngx_http_charset_module";

pub(super) const ROWS: &[Row] = &[
    row("proxy_store", PROXY_PAGE, HSL, WORD, Refused(STORE)).already(&["off"]),
    row("proxy_store_access", PROXY_PAGE, HSL, Shape::words(1, 3), Refused(STORE)),
    row("proxy_cache", PROXY_PAGE, HSL, WORD, Refused(CACHE)).already(&["off"]),
    row("proxy_cache_key", PROXY_PAGE, HSL, WORD, Refused(CACHE)),
    row("proxy_cache_lock", PROXY_PAGE, HSL, FLAG, Refused(CACHE)).already(&["off"]),
    row("proxy_cache_lock_age", PROXY_PAGE, HSL, TIME, Refused(CACHE)),
    row("proxy_cache_lock_timeout", PROXY_PAGE, HSL, TIME, Refused(CACHE)),
    row("proxy_cache_use_stale", PROXY_PAGE, HSL, Shape::words(1, ANY), Refused(CACHE))
        .already(&["off"]),
    row("proxy_cache_methods", PROXY_PAGE, HSL, Shape::words(1, ANY), Refused(CACHE)),
    row("proxy_cache_min_uses", PROXY_PAGE, HSL, NUMBER, Refused(CACHE)),
    row("proxy_cache_revalidate", PROXY_PAGE, HSL, FLAG, Refused(CACHE)).already(&["off"]),
    row("proxy_cache_background_update", PROXY_PAGE, HSL, FLAG, Refused(CACHE)).already(&["off"]),
    row("proxy_cache_convert_head", PROXY_PAGE, HSL, FLAG, Refused(CACHE)),
    row("proxy_cache_max_range_offset", PROXY_PAGE, HSL, SIZE, Refused(CACHE)),
    row("proxy_cache_path", PROXY_PAGE, HTTP, Shape::words(2, ANY), Refused(CACHE)).many(),
    row(
        "proxy_cache_purge",
        PROXY_PAGE,
        HSL,
        Shape::words(1, ANY),
        Refused("a directive of the commercial NGINX Plus; there is no cache, nothing to purge"),
    ),
    row("proxy_ssl_server_name", PROXY_PAGE, HSL, FLAG, Refused(TLS_UPSTREAM)),
    row("proxy_ssl_verify", PROXY_PAGE, HSL, FLAG, Refused(TLS_UPSTREAM)),
    row("proxy_ssl_verify_depth", PROXY_PAGE, HSL, NUMBER, Refused(TLS_UPSTREAM)),
    row("proxy_ssl_name", PROXY_PAGE, HSL, WORD, Refused(TLS_UPSTREAM)),
    row("proxy_ssl_trusted_certificate", PROXY_PAGE, HSL, WORD, Refused(TLS_UPSTREAM)),
    row("proxy_ssl_certificate", PROXY_PAGE, HSL, WORD, Refused(TLS_UPSTREAM)),
    row("proxy_ssl_certificate_key", PROXY_PAGE, HSL, WORD, Refused(TLS_UPSTREAM)),
    row("proxy_ssl_password_file", PROXY_PAGE, HSL, WORD, Refused(TLS_UPSTREAM)),
    row("proxy_ssl_crl", PROXY_PAGE, HSL, WORD, Refused(TLS_UPSTREAM)),
    row("proxy_ssl_conf_command", PROXY_PAGE, HSL, Shape::words(2, 2), Refused(TLS_UPSTREAM))
        .many(),
    row(
        "least_time",
        UPSTREAM_PAGE,
        UPSTREAM,
        Shape::words(1, 2),
        Refused("a directive of the commercial NGINX Plus; `least_conn` is near"),
    ),
    row(
        "sticky",
        UPSTREAM_PAGE,
        UPSTREAM,
        Shape::words(1, ANY),
        Refused(
            "a directive of the commercial NGINX Plus; `ip_hash`, or `hash $cookie_NAME \
             consistent`, keeps a client at a server",
        ),
    ),
    row(
        "queue",
        UPSTREAM_PAGE,
        UPSTREAM,
        Shape::words(1, 2),
        Refused(
            "a directive of the commercial NGINX Plus; `max_fails` and `backup` say where requests \
             go when a server is full",
        ),
    ),
    row(
        "state",
        UPSTREAM_PAGE,
        UPSTREAM,
        WORD,
        Refused(
            "a directive of the commercial NGINX Plus; the file lists the servers; a changed one \
             is loaded without a restart",
        ),
    ),
    row(
        "ntlm",
        UPSTREAM_PAGE,
        UPSTREAM,
        Shape::none(),
        Refused(
            "a directive of the commercial NGINX Plus; the application has to sign users in by \
             requests that stand alone",
        ),
    ),
    row("ssl_certificate", SSL_PAGE, HS, WORD, Refused(TLS)).many(),
    row("ssl_certificate_key", SSL_PAGE, HS, WORD, Refused(TLS)).many(),
    row("ssl_client_certificate", SSL_PAGE, HS, WORD, Refused(TLS)),
    row("ssl_trusted_certificate", SSL_PAGE, HS, WORD, Refused(TLS)),
    row("ssl_verify_client", SSL_PAGE, HS, WORD, Refused(TLS)).already(&["off"]),
    row("ssl_verify_depth", SSL_PAGE, HS, NUMBER, Refused(TLS)),
    row("ssl_password_file", SSL_PAGE, HS, WORD, Refused(TLS)),
    row("ssl_crl", SSL_PAGE, HS, WORD, Refused(TLS)),
    row("ssl_conf_command", SSL_PAGE, HS, Shape::words(2, 2), Refused(TLS)).many(),
    row("ssl_early_data", SSL_PAGE, HS, FLAG, Refused(TLS)).already(&["off"]),
    row("ssl_ocsp", SSL_PAGE, HS, WORD, Refused(TLS)).already(&["off"]),
    row("ssl_ocsp_cache", SSL_PAGE, HS, WORD, Refused(TLS)),
    row("ssl_ocsp_responder", SSL_PAGE, HS, WORD, Refused(TLS)),
    row("ssl_reject_handshake", SSL_PAGE, HS, FLAG, Refused(TLS)).already(&["off"]),
    row("ssl_session_ticket_key", SSL_PAGE, HS, WORD, Refused(TLS)).many(),
    row("ssl_stapling_file", SSL_PAGE, HS, WORD, Refused(TLS)),
    row("ssl_stapling_responder", SSL_PAGE, HS, WORD, Refused(TLS)),
    row(
        "ssl",
        SSL_PAGE,
        HS,
        FLAG,
        Refused("removed from nginx in 1.25.1; TLS is not supported yet"),
    )
    .already(&["off"]),
    row("ssl_engine", CORE_PAGE, MAIN, WORD, Refused(TLS)),
    row("http2", "http/ngx_http_v2_module", HS, FLAG, Refused(HTTP2)).already(&["off"]),
    row("http3", "http/ngx_http_v3_module", HS, FLAG, Refused(HTTP2)).already(&["off"]),
    row("gzip_window", GZIP_PAGE, HSL, SIZE, Refused(LATER)),
    row("gzip_hash", GZIP_PAGE, HSL, SIZE, Refused(LATER)),
    row("gzip_no_buffer", GZIP_PAGE, HSL, WORD, Refused(LATER)),
    row("postpone_gzipping", GZIP_PAGE, HSL, WORD, Refused(LATER)),
];
