//! `allow`, `deny`, `limit_except`, and whose word on who the client is counts.

use super::*;
use crate::config::model::RealIp;

fn lets_in(config: &Config, path: &str, address: &str) -> bool {
    at(config, path).access.lets_in(address.parse().unwrap()).unwrap_or(true)
}

#[test]
fn the_first_rule_that_is_about_an_address_holds() {
    let config = server(
        "deny 10.0.0.1; allow 10.0.0.0/8; allow 2001:db8::/32; deny all; location / { return 200; } \
         location /own { deny unix:; return 200; } location /none { allow all; return 200; }",
    );
    for (path, address, expected) in [
        ("/", "10.0.0.1", false),
        ("/", "10.0.0.2", true),
        ("/", "::ffff:10.0.0.2", true),
        ("/", "2001:db8::9", true),
        ("/", "9.9.9.9", false),
        ("/own", "9.9.9.9", true),
        ("/none", "10.0.0.1", true),
    ] {
        assert_eq!(lets_in(&config, path, address), expected, "{path} {address}");
    }
    let network = "expected an address, or an address and the number of its bits, as in 10.0.0.0/8";
    check_server_error("deny nobody;", &format!("invalid network \"nobody\"; {network}"));
}

#[test]
fn other_methods_go_to_a_hidden_location() {
    let config = server(
        "location /a/ { limit_except get PUT { deny all; } proxy_pass http://a/b/; return 200; }",
    );
    let limit = at(&config, "/a/").access.limit_except.as_ref().unwrap();
    assert_eq!(limit.methods, [bytes("HEAD"), bytes("GET"), bytes("PUT")]);
    let hidden = &config.servers[0].locations[limit.location];
    assert!(hidden.program.steps.is_empty() && !hidden.access.rules.is_empty());
    assert!(matches!(&hidden.handler, Handler::Proxy(pass) if pass.url.uri.is_some()));
    let method = "location / { limit_except FETCH { deny all; } }";
    check_server_error(method, "invalid method \"FETCH\"");
}

#[test]
fn who_is_trusted_is_inherited_as_a_whole_and_the_field_by_itself() {
    let config = server(
        "set_real_ip_from 10.0.0.0/8; set_real_ip_from ::1; real_ip_header X-Forwarded-For; \
         location / { real_ip_recursive on; return 200; } \
         location /own { set_real_ip_from 9.0.0.0/8; return 200; } \
         location /none { set_real_ip_from unix:; return 200; }",
    );
    let of = |path: &str| {
        let real = &at(&config, path).access.real_ip;
        (real.from.len(), String::from_utf8_lossy(&real.field).into_owned(), real.is_recursive)
    };
    assert_eq!(of("/"), (2, "x-forwarded-for".to_owned(), true));
    assert_eq!(of("/own"), (1, "x-forwarded-for".to_owned(), false));
    assert_eq!(of("/none").0, 0);
    let plain = server("return 200;");
    assert_eq!(*plain.servers[0].fallback.access.real_ip.field, *b"x-real-ip");
    let told = server("real_ip_header PROXY_protocol; return 200;");
    assert_eq!(*told.servers[0].fallback.access.real_ip.field, *RealIp::PROXY_PROTOCOL);
    check_server_error("set_real_ip_from nobody;", "host not found in set_real_ip_from \"nobody\"");
}
