//! The configurations that the engine runs. All tell the same in their log and to upstreams: which
//! connection and which request of it.

use std::path::Path;
use std::sync::Arc;

use nginx_conf::{Context, Included};
use proxy_core::config::lower::{Surroundings, lower_all};
use proxy_core::config::model::Config;

const COMMON: &str = r#"
    log_format id "$connection $connection_requests $status";
    access_log /dev/stdout id;
    proxy_set_header X-Id "$connection-$connection_requests";
    upstream two { server 127.0.0.1:81; server 127.0.0.1:82 max_fails=2 fail_timeout=1s; }
    upstream one { server 127.0.0.1:83; server 127.0.0.1:84 backup; keepalive 1; }
"#;

const USUAL: &str = r#"
    server {
        listen 127.0.0.1:80;
        location / { proxy_pass http://two; }
        location /one { proxy_pass http://one; proxy_next_upstream error timeout invalid_header
            http_500 http_502 http_503 http_404 non_idempotent; proxy_next_upstream_tries 3; }
        location /ws { proxy_pass http://two; proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection "upgrade";
            proxy_set_header X-Id "$connection-$connection_requests"; }
        location /old { proxy_pass http://two; proxy_http_version 1.0; }
        location /uri/ { proxy_pass http://two/x/; }
        location /text { return 200 "$request_uri $http_x"; }
        location /to { return 302 /text; }
        location /gone { return 444; }
        location /small { proxy_pass http://one; client_max_body_size 4; }
        location /stay { proxy_pass http://one; proxy_ignore_client_abort on;
            proxy_buffer_size 1k; add_header X-A $upstream_status always; }
    }
    server { listen 127.0.0.1:80; server_name b; return 403; }
"#;

const TIGHT: &str = r#"
    large_client_header_buffers 2 512; client_header_timeout 2s; client_body_timeout 1s;
    send_timeout 1s; proxy_read_timeout 3s; proxy_connect_timeout 1s; proxy_send_timeout 1s;
    keepalive_timeout 4s; keepalive_requests 2; lingering_time 3s; lingering_timeout 1s;
    client_body_buffer_size 8; ignore_invalid_headers off; underscores_in_headers on;
    server {
        listen 80; listen 127.0.0.1:80;
        location / { proxy_pass http://one; lingering_close always; }
        location /two { proxy_pass http://two; lingering_close off; proxy_next_upstream off; }
        location /text { return 200 ok; }
    }
"#;

const MOVED: &str = r#"
    keepalive_timeout 0;
    server {
        listen 8080; listen [::1]:80;
        location / { proxy_pass http://one; }
        location = /text { return 404 "none"; }
    }
    server { listen 8080; server_name *.b; location / { proxy_pass http://two; } }
"#;

/// Every site.
pub fn all() -> Vec<Arc<Config>> {
    [USUAL, TIGHT, MOVED].into_iter().map(|text| Arc::new(load(text))).collect()
}

fn load(text: &str) -> Config {
    let text = format!("events {{ worker_connections 24; }} http {{ {COMMON} {text} }}");
    let main = Included { name: "nginx.conf".into(), bytes: text.into(), is_stock: false };
    let reading = nginx_conf::read(main, Context::Main, &mut |_, _| Ok(vec![]));
    let surroundings = Surroundings {
        folder: Path::new("/"),
        conf_folder: Path::new("/"),
        is_root: true,
        hostname: "",
        resolve: &|_, _| Vec::new(),
    };
    let lowered = lower_all(&reading.tree, reading.findings, reading.is_sound, &surroundings);
    let Ok((config, _)) = lowered else { unreachable!("a site is good: {lowered:?}") };
    config
}
