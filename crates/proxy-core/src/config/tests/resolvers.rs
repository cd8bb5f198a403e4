//! Who is asked for names.

use super::super::model::Resolver;
use super::*;

fn resolver(arguments: &str) -> Resolver {
    let config =
        server(&format!("resolver {arguments}; location / {{ proxy_pass http://$host; }}"));
    let made = pass(&config, "/").url.by_variables.clone().unwrap();
    Resolver::clone(made.resolving.resolver.as_ref().unwrap())
}

#[test]
fn name_servers_have_a_port_and_answers_hold_as_long_as_it_is_said() {
    let servers = |servers: &[(&str, u16)]| -> Vec<(String, u16)> {
        servers.iter().map(|(host, port)| ((*host).to_owned(), *port)).collect()
    };
    let plain = resolver("10.0.0.1");
    assert_eq!(plain.servers, servers(&[("10.0.0.1", 53)]));
    assert_eq!((plain.valid_ms, plain.ipv4, plain.ipv6), (None, true, true));
    let full = resolver("[::1]:54 kube-dns.kube-system.svc valid=10s ipv6=off status_zone=z");
    assert_eq!(full.servers, servers(&[("[::1]", 54), ("kube-dns.kube-system.svc", 53)]));
    assert_eq!((full.valid_ms, full.ipv4, full.ipv6), (Some(10_000), true, false));
    for (arguments, problem) in [
        ("valid=1s", "no name servers defined"),
        ("10.0.0.1 valid=x", "invalid parameter: valid=x"),
        ("10.0.0.1 ipv6=no", "invalid parameter: ipv6=no"),
        ("10.0.0.1 ipv4=off ipv6=off", "\"ipv4\" and \"ipv6\" cannot both be \"off\""),
        ("10.0.0.1:x", "invalid port in resolver \"10.0.0.1:x\""),
    ] {
        check_server_error(&format!("resolver {arguments};"), problem);
    }
}

#[test]
fn a_level_has_its_own_or_that_of_the_level_above() {
    let config = server(
        "resolver 10.0.0.1; resolver_timeout 7s; location / { proxy_pass http://$host; } \
         location /in { resolver 10.0.0.2; fastcgi_pass $host:9000; }",
    );
    let of = |path: &str| {
        let made = pass(&config, path).url.by_variables.clone().unwrap();
        let resolver = made.resolving.resolver.as_ref().unwrap();
        (resolver.servers[0].0.clone(), made.resolving.timeout_ms)
    };
    assert_eq!(of("/"), ("10.0.0.1".into(), 7_000));
    assert_eq!(of("/in"), ("10.0.0.2".into(), 7_000));
}

#[test]
fn servers_that_are_looked_up_again_ask_the_groups_own_or_that_of_http() {
    let config = good(
        "http { upstream a { server x resolve; server y; } upstream b { server x resolve; resolver \
         10.0.0.2; } resolver 10.0.0.1; server { location / { proxy_pass http://a; } } }",
    );
    let asked = |group: usize, server: usize| {
        let resolver = config.upstreams[group].servers[server].resolver.as_ref();
        resolver.map(|resolver| resolver.servers[0].0.clone())
    };
    assert_eq!(asked(0, 0).as_deref(), Some("10.0.0.1"));
    assert_eq!((asked(0, 1), asked(1, 0).as_deref()), (None, Some("10.0.0.2")));
}

#[test]
fn names_that_the_file_gives_are_the_resolvers_too_but_for_the_pods_own() {
    let (config, told) = lowered(
        "http { resolver 10.0.0.1; server { set $a app; set $b localhost; location / { proxy_pass \
         http://$a; } location /b { proxy_pass http://$b:81; } location /c { proxy_pass \
         http://$host; } location /d { fastcgi_pass $b:9000; } } }",
    )
    .unwrap();
    let groups: Vec<_> = config.upstreams.iter().map(|group| group.port).collect();
    assert_eq!((groups, told.len()), (vec![Some(81), Some(9_000)], 0));
}
