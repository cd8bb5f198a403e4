//! Names in the running program: those that the file gives its variables lead to their servers.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on ends there")]

mod common;

use std::net::UdpSocket;

use common::{Origin, Proxy, wait_until};

#[test]
fn a_name_that_the_file_gives_a_variable_is_looked_up_and_one_of_a_request_is_not() {
    let origin = Origin::hello();
    let port = origin.address.port();
    let proxy = Proxy::start(&format!(
        "events {{}} http {{ \
         map $arg_way $mapped {{ default localhost:{port}; none ''; }} server {{ \
         listen 127.0.0.1:PORT; set $to http://localhost:{port}; \
         location / {{ proxy_pass $to$request_uri; }} \
         location /mapped {{ proxy_pass http://$mapped/of/map; }} \
         location /asked {{ proxy_pass http://$arg_to; }} }} }}",
    ));
    let status = |path: &str| proxy.get(path).get(9..12).unwrap_or_default().to_owned();
    assert_eq!((status("/a?b"), status("/mapped")), ("200".into(), "200".into()));
    let asked = origin.requests();
    let line = |index: usize| asked[index].lines().next().unwrap_or_default().to_owned();
    assert_eq!((line(0), line(1)), ("GET /a?b HTTP/1.1".into(), "GET /of/map HTTP/1.1".into()));
    assert_eq!(
        (status("/asked?to=elsewhere.test"), status("/mapped?way=none")),
        ("502".into(), "500".into())
    );
    for told in [
        "names that a request brings are not looked up without a \"resolver\"",
        "no resolver defined to resolve elsewhere.test",
    ] {
        wait_until(told, || proxy.stderr().contains(told));
    }
}

/// A name server that knows every name to be this host.
fn name_server() -> u16 {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = socket.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let mut buffer = [0; 512];
        while let Ok((bytes, from)) = socket.recv_from(&mut buffer) {
            let mut answer = buffer[..bytes].to_vec();
            (answer[2], answer[3], answer[7]) = (0x81, 0x80, 1);
            answer.extend_from_slice(b"\xc0\x0c\0\x01\0\x01\0\0\0\x3c\0\x04\x7f\0\0\x01");
            let _ = socket.send_to(&answer, from);
        }
    });
    port
}

#[test]
fn a_name_that_a_request_brings_is_asked_of_the_resolver_of_the_file() {
    let origin = Origin::hello();
    let (dns, port) = (name_server(), origin.address.port());
    let proxy = Proxy::start(&format!(
        "events {{}} http {{ resolver 127.0.0.1:{dns} ipv6=off; resolver_timeout 1s; server {{ \
         listen 127.0.0.1:PORT; location / {{ proxy_pass http://$arg_to:{port}; }} \
         location /dead {{ resolver 127.0.0.1:1 ipv6=off; proxy_pass http://$arg_to:{port}; }} }} }}",
    ));
    let status = |path: &str| proxy.get(path).get(9..12).unwrap_or_default().to_owned();
    for path in ["/?to=elsewhere.test", "/again?to=Elsewhere.test", "/?to=other.test"] {
        assert_eq!(status(path), "200", "{path}");
    }
    assert_eq!(status("/dead?to=app"), "502");
    let told =
        "app could not be resolved (110: Operation timed out); name servers know whole names";
    wait_until(told, || proxy.stderr().contains(told));
}
