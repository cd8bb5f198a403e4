//! Names in the running program: those that the file gives its variables lead to their servers.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on ends there")]

mod common;

use common::{Origin, Proxy, wait_until};

#[test]
fn a_name_that_the_file_gives_a_variable_is_looked_up_and_one_of_a_request_is_not() {
    let origin = Origin::hello();
    let port = origin.address.port();
    let proxy = Proxy::start(&format!(
        "events {{}} http {{ resolver 127.0.0.1 valid=5s; \
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
        "\"resolver\" directive has no effect here",
        "names that a request brings into \"proxy_pass\" are not looked up",
    ] {
        wait_until(told, || proxy.stderr().contains(told));
    }
}
