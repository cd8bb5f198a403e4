//! Rows of whole modules that are refused: those outside nginx, those of the commercial edition,
//! and those hardly anybody runs beside an application. A reason is why, and after the semicolon
//! what does it instead.

use super::ignored::{FASTCGI_PAGE, UWSGI_PAGE};
use super::later::LATER;
use super::*;

const QUIC: &str = "HTTP/3 is not spoken; clients fall back on TCP, leave it out";
const BROTLI: &str = "not a module of nginx; the application can compress, what it compressed \
                      passes as it is";
const TRACING: &str = "not a module of nginx; the application traces, its fields (`traceparent` \
                       and others) pass, `$request_id` can be set and logged";
const WAF: &str = "not a module of nginx; requests are not judged by their content here, a firewall \
                   belongs in front; `deny`, `limit_req` and `if` refuse some";
const JWT: &str = "a directive of the commercial NGINX Plus; `auth_request` lets the application or \
                   a service judge the token";
const STATUS: &str = "a directive of the commercial NGINX Plus; the flag --admin-listen serves \
                      metrics, `stub_status` some of them";
const STREAMING: &str = "media are not cut here; files are served whole and in ranges, which \
                         players ask for";
const BROWSER: &str = "this module of nginx is not supported; a `map` of `$http_user_agent` makes \
                       such a variable";
const GEOIP: &str = "addresses are not looked up in data of places; `geo` and `map` make variables \
                     from networks that the file lists";
const COUNTERS: &str = "not a module of nginx; the flag --admin-listen serves metrics";
const CHECKS: &str = "not a module of nginx; `max_fails` and `proxy_next_upstream` leave a failing \
                      server out";
const SSI: &str = "pages are not put together here; the application can, or `try_files` can choose";
const DAV: &str = "files are only read here; the application can take uploads";
const HOOKS: &str = "Lua is not run here; what a worker prepares at its start has nothing to serve";
const SCRIPT_TLS: &str = "Lua is not run here; TLS is not served either, listen without \"ssl\"";
const SCRIPTS: &str = "scripts are not run here; `map`, `rewrite` and `return` do what is simple, \
                       `auth_request` asks the application";

/// Any arguments, anywhere, with or without a block: the message is the same.
const fn foreign(name: &'static str, module: &'static str, reason: &'static str) -> Row {
    row(name, module, EVERYWHERE, Shape::words(0, ANY), Class::Refused(reason)).many()
}

pub(super) const ROWS: &[Row] = &[
    foreign("lua_*", "", "Lua is not run here; leave it out with the blocks that use it"),
    foreign(
        "access_by_lua*",
        "",
        "Lua is not run here; `auth_request` lets the application decide, `allow`, `deny` and \
         `limit_req` do without",
    ),
    foreign(
        "balancer_by_lua*",
        "",
        "Lua is not run here; `upstream` with weights and `backup` chooses servers",
    ),
    foreign(
        "body_filter_by_lua*",
        "",
        "Lua is not run here; the application has to make the body as it is wanted",
    ),
    foreign(
        "content_by_lua*",
        "",
        "Lua is not run here; `return` answers with a text, `proxy_pass` asks the application",
    ),
    foreign("exit_worker_by_lua*", "", HOOKS),
    foreign(
        "header_filter_by_lua*",
        "",
        "Lua is not run here; `add_header`, `proxy_hide_header` and `expires` change the fields of \
         answers",
    ),
    foreign("init_by_lua*", "", HOOKS),
    foreign("init_worker_by_lua*", "", HOOKS),
    foreign(
        "log_by_lua*",
        "",
        "Lua is not run here; `log_format` writes any variable, also as JSON",
    ),
    foreign(
        "rewrite_by_lua*",
        "",
        "Lua is not run here; `rewrite`, `set`, `map` and `if` change the request",
    ),
    foreign(
        "server_rewrite_by_lua*",
        "",
        "Lua is not run here; `rewrite`, `set`, `map` and `if` change the request",
    ),
    foreign("set_by_lua*", "", "Lua is not run here; `map` and `set` make variables"),
    foreign("ssl_certificate_by_lua*", "", SCRIPT_TLS),
    foreign("ssl_client_hello_by_lua*", "", SCRIPT_TLS),
    foreign("ssl_session_fetch_by_lua*", "", SCRIPT_TLS),
    foreign("ssl_session_store_by_lua*", "", SCRIPT_TLS),
    foreign("js_*", "http/ngx_http_js_module", SCRIPTS),
    foreign("perl", "http/ngx_http_perl_module", SCRIPTS),
    foreign("perl_*", "http/ngx_http_perl_module", SCRIPTS),
    foreign(
        "more_set_headers",
        "",
        "not a module of nginx; `add_header … always` and `proxy_hide_header` do it",
    ),
    foreign(
        "more_clear_headers",
        "",
        "not a module of nginx; `proxy_hide_header` does it for answers",
    ),
    foreign("more_set_input_headers", "", "not a module of nginx; `proxy_set_header` does it"),
    foreign(
        "more_clear_input_headers",
        "",
        "not a module of nginx; `proxy_set_header NAME \"\"` does it",
    ),
    foreign("brotli", "", BROTLI),
    foreign("brotli_*", "", BROTLI),
    foreign("zstd", "", BROTLI),
    foreign("zstd_*", "", BROTLI),
    foreign("vhost_traffic_status*", "", COUNTERS),
    foreign("modsecurity", "", WAF),
    foreign("modsecurity_*", "", WAF),
    foreign("wallarm_*", "", WAF),
    foreign("opentracing", "", TRACING),
    foreign("opentracing_*", "", TRACING),
    foreign("opentelemetry*", "", TRACING),
    foreign(
        "otel_*",
        "ngx_otel_module",
        "spans are not sent; the application traces, its fields pass, `$request_id` can be set and \
         logged",
    ),
    foreign("pagespeed", "", "not a module of nginx; pages pass as the application makes them"),
    foreign("echo*", "", "not a module of nginx; `return 200 TEXT` answers with a text"),
    foreign(
        "subs_filter*",
        "",
        "not a module of nginx; the application has to make the body as it is wanted",
    ),
    foreign(
        "set_real_ip_from_header",
        "",
        "not a module of nginx; `real_ip_header` names the field",
    ),
    foreign("check", "", CHECKS),
    foreign("check_*", "", CHECKS),
    foreign("fair", "", "not a module of nginx; servers take turns by their weight"),
    foreign(
        "nchan_*",
        "",
        "not a module of nginx; the application can serve WebSocket and SSE, both pass as they are",
    ),
    foreign(
        "auth_ldap*",
        "",
        "not a module of nginx; `auth_request` lets a service ask the directory",
    ),
    foreign(
        "auth_pam*",
        "",
        "not a module of nginx; `auth_basic` reads a file, `auth_request` asks a service",
    ),
    foreign(
        "auth_digest*",
        "",
        "not a module of nginx; `auth_basic` reads a file, `auth_request` asks a service",
    ),
    foreign("geoip2*", "", GEOIP),
    foreign("set_cookie_flag", "", "not a module of nginx; the application sets its own cookies"),
    foreign("auth_jwt", "http/ngx_http_auth_jwt_module", JWT),
    foreign("auth_jwt_*", "http/ngx_http_auth_jwt_module", JWT),
    foreign(
        "auth_oidc*",
        "http/ngx_http_oidc_module",
        "a directive of the commercial NGINX Plus; `auth_request` and a service such as \
         oauth2-proxy do it",
    ),
    foreign(
        "health_check",
        "http/ngx_http_upstream_hc_module",
        "a directive of the commercial NGINX Plus; `max_fails`, `fail_timeout` and \
         `proxy_next_upstream` leave a failing server out",
    ),
    foreign("api", "http/ngx_http_api_module", STATUS),
    foreign("status", "http/ngx_http_status_module", STATUS),
    foreign("status_*", "http/ngx_http_status_module", STATUS),
    foreign(
        "upstream_conf",
        "http/ngx_http_upstream_conf_module",
        "a directive of the commercial NGINX Plus; a changed file is loaded without a restart",
    ),
    foreign("status_zone", "http/ngx_http_api_module", STATUS),
    foreign(
        "keyval*",
        "http/ngx_http_keyval_module",
        "a directive of the commercial NGINX Plus; a `map` in an included file is loaded again \
         when it changes",
    ),
    foreign(
        "session_log*",
        "http/ngx_http_session_log_module",
        "a directive of the commercial NGINX Plus; `log_format` with a cookie in it tells sessions \
         apart",
    ),
    foreign("f4f*", "http/ngx_http_f4f_module", STREAMING),
    foreign("hls*", "http/ngx_http_hls_module", STREAMING),
    foreign("ssi", "http/ngx_http_ssi_module", SSI),
    foreign("ssi_*", "http/ngx_http_ssi_module", SSI),
    foreign("dav_*", "http/ngx_http_dav_module", DAV),
    foreign("create_full_put_path", "http/ngx_http_dav_module", DAV),
    foreign("min_delete_depth", "http/ngx_http_dav_module", DAV),
    foreign("mp4", "http/ngx_http_mp4_module", STREAMING),
    foreign("mp4_*", "http/ngx_http_mp4_module", STREAMING),
    foreign("flv", "http/ngx_http_flv_module", STREAMING),
    foreign(
        "image_filter*",
        "http/ngx_http_image_filter_module",
        "pictures are not changed here; the application or a build step can make their sizes",
    ),
    foreign(
        "xslt_*",
        "http/ngx_http_xslt_module",
        "XML is not transformed here; the application can",
    ),
    foreign(
        "xml_entities",
        "http/ngx_http_xslt_module",
        "XML is not transformed here; the application can",
    ),
    foreign("geoip*", "http/ngx_http_geoip_module", GEOIP),
    foreign(
        "empty_gif",
        "http/ngx_http_empty_gif_module",
        "this module of nginx is not supported; `return 204` answers with nothing, a file with a \
         picture",
    ),
    foreign(
        "userid*",
        "http/ngx_http_userid_module",
        "visitors are not given numbers; the application can set a cookie, `add_header Set-Cookie` \
         with `$request_id` in it too",
    ),
    foreign("ancient_browser*", "http/ngx_http_browser_module", BROWSER),
    foreign("modern_browser*", "http/ngx_http_browser_module", BROWSER),
    foreign("http3_*", "http/ngx_http_v3_module", QUIC),
    foreign("quic_*", "http/ngx_http_v3_module", QUIC),
    foreign("fastcgi_*", FASTCGI_PAGE, LATER),
    foreign(
        "uwsgi_*",
        UWSGI_PAGE,
        "uwsgi is not spoken; the application can serve HTTP (uwsgi: `http-socket`), for \
         `proxy_pass`",
    ),
    foreign(
        "scgi_*",
        "http/ngx_http_scgi_module",
        "SCGI is not spoken; the application can serve HTTP, for `proxy_pass`",
    ),
    foreign(
        "memcached_*",
        "http/ngx_http_memcached_module",
        "memcached is not spoken; the application can ask it, for `proxy_pass`",
    ),
    foreign("grpc_*", "http/ngx_http_grpc_module", "not supported yet: gRPC needs HTTP/2"),
    foreign(
        "tunnel_*",
        "http/ngx_http_tunnel_module",
        "CONNECT is always refused; `proxy_pass` reaches what the file names",
    ),
    foreign(
        "passenger_*",
        "",
        "not a module of nginx; the application can be started by its own container, for \
         `proxy_pass`",
    ),
];
