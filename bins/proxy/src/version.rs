//! What `-v` and `-V` say, in the shape of nginx's lines, for people and for tools that read them.
//!
//! All of it is true: the name and version are the program's own, with the language that it reads
//! beside them, and the modules come from the table of directives, so that a tool that looks for
//! one (`--with-http_ssl_module`) is told what it will find.

use nginx_conf::table::{self, Class};

/// The nginx whose directives the table lists.
const LANGUAGE: &str = "nginx/1.29";

/// nginx's modules that are built unless left out, each with a directive that tells whether it is
/// there.
const STANDARD: &[(&str, &str)] = &[
    ("charset", "charset"),
    ("gzip", "gzip"),
    ("ssi", "ssi"),
    ("userid", "userid"),
    ("access", "allow"),
    ("auth_basic", "auth_basic"),
    ("mirror", "mirror"),
    ("autoindex", "autoindex"),
    ("geo", "geo"),
    ("map", "map"),
    ("split_clients", "split_clients"),
    ("referer", "valid_referers"),
    ("rewrite", "rewrite"),
    ("proxy", "proxy_pass"),
    ("fastcgi", "fastcgi_pass"),
    ("uwsgi", "uwsgi_pass"),
    ("scgi", "scgi_pass"),
    ("grpc", "grpc_pass"),
    ("memcached", "memcached_pass"),
    ("limit_conn", "limit_conn"),
    ("limit_req", "limit_req"),
    ("empty_gif", "empty_gif"),
    ("browser", "ancient_browser"),
    ("upstream_hash", "hash"),
    ("upstream_ip_hash", "ip_hash"),
    ("upstream_least_conn", "least_conn"),
    ("upstream_random", "random"),
    ("upstream_keepalive", "keepalive"),
    ("upstream_zone", "zone"),
];

/// nginx's modules that are built when asked for.
const OPTIONAL: &[(&str, &str)] = &[
    ("ssl", "ssl_certificate"),
    ("v2", "http2"),
    ("v3", "http3"),
    ("realip", "set_real_ip_from"),
    ("addition", "add_after_body"),
    ("xslt", "xslt_stylesheet"),
    ("image_filter", "image_filter"),
    ("geoip", "geoip_country"),
    ("sub", "sub_filter"),
    ("dav", "dav_methods"),
    ("flv", "flv"),
    ("mp4", "mp4"),
    ("gunzip", "gunzip"),
    ("gzip_static", "gzip_static"),
    ("auth_request", "auth_request"),
    ("random_index", "random_index"),
    ("secure_link", "secure_link"),
    ("slice", "slice"),
    ("stub_status", "stub_status"),
    ("perl", "perl"),
];

/// nginx: `-v`.
pub fn line() -> String {
    format!(
        "nginx version: sidecar-kit/{} (configuration language of {LANGUAGE})",
        env!("CARGO_PKG_VERSION")
    )
}

/// nginx: `-V`.
pub fn lines() -> String {
    let target = format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS);
    format!("{}\nbuilt for {target}\nconfigure arguments: {}", line(), arguments().join(" "))
}

fn arguments() -> Vec<String> {
    let paths = ["--prefix=/etc/nginx", "--conf-path=/etc/nginx/nginx.conf"];
    let logs = ["--error-log-path=/dev/stderr", "--http-log-path=/dev/stdout"];
    let fixed = paths.into_iter().chain(logs).map(str::to_owned);
    let with = OPTIONAL.iter().filter(|module| is_there(module.1));
    let without = STANDARD.iter().filter(|module| !is_there(module.1));
    fixed
        .chain(with.map(|(name, _)| format!("--with-http_{name}_module")))
        .chain(without.map(|(name, _)| format!("--without-http_{name}_module")))
        .collect()
}

fn is_there(directive: &str) -> bool {
    table::rows().any(|row| row.name == directive && row.class == Class::Implemented)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_have_nginxs_shape() {
        let text = lines();
        let mut lines = text.lines();
        let version = lines.next().unwrap().strip_prefix("nginx version: ").unwrap();
        let (name, rest) = version.split_once('/').unwrap();
        assert_eq!(name, "sidecar-kit");
        assert_eq!(rest.split(' ').next(), Some(env!("CARGO_PKG_VERSION")));
        let arguments = lines.last().unwrap().strip_prefix("configure arguments: ").unwrap();
        assert!(arguments.split(' ').all(|argument| argument.starts_with("--")), "{arguments}");
    }

    #[test]
    fn modules_are_there_when_their_directive_is() {
        for (name, directive) in STANDARD.iter().chain(OPTIONAL) {
            let is_known = table::rows()
                .any(|row| row.name == *directive || row.name.trim_end_matches('*') == *directive);
            let is_family = table::rows().any(|row| {
                row.name.strip_suffix('*').is_some_and(|family| directive.starts_with(family))
            });
            assert!(is_known || is_family, "{name}: the table does not know {directive}");
        }
        let arguments = arguments();
        let says = |text: &str| arguments.iter().any(|argument| argument == text);
        assert!(is_there("proxy_pass") && !says("--without-http_proxy_module"));
        assert_eq!(is_there("ssl_certificate"), says("--with-http_ssl_module"));
        assert_eq!(is_there("fastcgi_pass"), !says("--without-http_fastcgi_module"));
    }
}
