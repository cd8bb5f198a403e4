//! Rows of whole modules that are refused: those outside nginx, those of the commercial edition,
//! and those hardly anybody runs beside an application.

use super::ignored::{FASTCGI_PAGE, UWSGI_PAGE};
use super::*;

const LATER: &str = "not supported yet";
const FOREIGN: &str = "a module that is not part of nginx";
const PLUS: &str = "a directive of the commercial NGINX Plus";
const UNUSED: &str = "this module of nginx is not supported";
const HTTP2: &str = "not supported yet: HTTP/1.0 and HTTP/1.1 are spoken";

/// Any arguments, anywhere, with or without a block: the message is the same.
const fn foreign(name: &'static str, module: &'static str, reason: &'static str) -> Row {
    row(name, module, EVERYWHERE, Shape::words(0, ANY), Class::Refused(reason)).many()
}

pub(super) const ROWS: &[Row] = &[
    foreign("lua_*", "", "Lua is not run here"),
    foreign("access_by_lua*", "", "Lua is not run here"),
    foreign("balancer_by_lua*", "", "Lua is not run here"),
    foreign("body_filter_by_lua*", "", "Lua is not run here"),
    foreign("content_by_lua*", "", "Lua is not run here"),
    foreign("exit_worker_by_lua*", "", "Lua is not run here"),
    foreign("header_filter_by_lua*", "", "Lua is not run here"),
    foreign("init_by_lua*", "", "Lua is not run here"),
    foreign("init_worker_by_lua*", "", "Lua is not run here"),
    foreign("log_by_lua*", "", "Lua is not run here"),
    foreign("rewrite_by_lua*", "", "Lua is not run here"),
    foreign("server_rewrite_by_lua*", "", "Lua is not run here"),
    foreign("set_by_lua*", "", "Lua is not run here"),
    foreign("ssl_certificate_by_lua*", "", "Lua is not run here"),
    foreign("js_*", "http/ngx_http_js_module", "scripts are not run here"),
    foreign("perl", "http/ngx_http_perl_module", "scripts are not run here"),
    foreign("perl_*", "http/ngx_http_perl_module", "scripts are not run here"),
    foreign(
        "more_set_headers",
        "",
        "no module of nginx; `add_header` and `proxy_hide_header` do most of it",
    ),
    foreign(
        "more_clear_headers",
        "",
        "no module of nginx; `proxy_hide_header` does it for answers",
    ),
    foreign("more_set_input_headers", "", "no module of nginx; `proxy_set_header` does it"),
    foreign(
        "more_clear_input_headers",
        "",
        "no module of nginx; `proxy_set_header NAME \"\"` does it",
    ),
    foreign("brotli", "", FOREIGN),
    foreign("brotli_*", "", FOREIGN),
    foreign("zstd", "", FOREIGN),
    foreign("zstd_*", "", FOREIGN),
    foreign(
        "vhost_traffic_status*",
        "",
        "no module of nginx; the flag --admin-listen serves metrics",
    ),
    foreign("modsecurity", "", FOREIGN),
    foreign("modsecurity_*", "", FOREIGN),
    foreign("opentracing", "", FOREIGN),
    foreign("opentracing_*", "", FOREIGN),
    foreign("opentelemetry*", "", FOREIGN),
    foreign("otel_*", "ngx_otel_module", LATER),
    foreign("wallarm_*", "", FOREIGN),
    foreign("pagespeed", "", FOREIGN),
    foreign("auth_jwt", "http/ngx_http_auth_jwt_module", PLUS),
    foreign("auth_jwt_*", "http/ngx_http_auth_jwt_module", PLUS),
    foreign("auth_oidc*", "http/ngx_http_oidc_module", PLUS),
    foreign("health_check", "http/ngx_http_upstream_hc_module", PLUS),
    foreign("api", "http/ngx_http_api_module", PLUS),
    foreign("status_zone", "http/ngx_http_api_module", PLUS),
    foreign("keyval*", "http/ngx_http_keyval_module", PLUS),
    foreign("session_log*", "http/ngx_http_session_log_module", PLUS),
    foreign("f4f*", "http/ngx_http_f4f_module", PLUS),
    foreign("hls*", "http/ngx_http_hls_module", PLUS),
    foreign("ssi", "http/ngx_http_ssi_module", UNUSED),
    foreign("ssi_*", "http/ngx_http_ssi_module", UNUSED),
    foreign("dav_*", "http/ngx_http_dav_module", UNUSED),
    foreign("create_full_put_path", "http/ngx_http_dav_module", UNUSED),
    foreign("min_delete_depth", "http/ngx_http_dav_module", UNUSED),
    foreign("mp4", "http/ngx_http_mp4_module", UNUSED),
    foreign("mp4_*", "http/ngx_http_mp4_module", UNUSED),
    foreign("flv", "http/ngx_http_flv_module", UNUSED),
    foreign("image_filter*", "http/ngx_http_image_filter_module", UNUSED),
    foreign("xslt_*", "http/ngx_http_xslt_module", UNUSED),
    foreign("xml_entities", "http/ngx_http_xslt_module", UNUSED),
    foreign("geoip*", "http/ngx_http_geoip_module", UNUSED),
    foreign("empty_gif", "http/ngx_http_empty_gif_module", UNUSED),
    foreign("userid*", "http/ngx_http_userid_module", UNUSED),
    foreign("ancient_browser*", "http/ngx_http_browser_module", UNUSED),
    foreign("modern_browser*", "http/ngx_http_browser_module", UNUSED),
    foreign("http2_*", "http/ngx_http_v2_module", HTTP2),
    foreign("http3_*", "http/ngx_http_v3_module", HTTP2),
    foreign("quic_*", "http/ngx_http_v3_module", HTTP2),
    foreign("fastcgi_*", FASTCGI_PAGE, LATER),
    foreign("uwsgi_*", UWSGI_PAGE, "uwsgi is not spoken; the application can serve HTTP instead"),
    foreign(
        "scgi_*",
        "http/ngx_http_scgi_module",
        "SCGI is not spoken; the application can serve HTTP instead",
    ),
    foreign("memcached_*", "http/ngx_http_memcached_module", "memcached is not spoken"),
    foreign("grpc_*", "http/ngx_http_grpc_module", "not supported yet: gRPC needs HTTP/2"),
    foreign("tunnel_*", "http/ngx_http_tunnel_module", "CONNECT is always refused"),
    foreign("passenger_*", "", FOREIGN),
];
