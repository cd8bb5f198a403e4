//! Groups of servers, and where requests go.

use super::*;

#[test]
fn a_pass_to_a_path_has_no_port_and_its_uri_after_a_colon() {
    let config = server(
        "location / { proxy_pass http://unix:/run/a.sock; } \
         location /end { proxy_pass http://unix:/run/a.sock:; } \
         location /uri { proxy_pass http://unix:/run/a.sock:/x; } \
         location /other { proxy_pass http://unix:/run/A.sock; }",
    );
    for (path, uri) in [("/", None), ("/end", None), ("/uri", Some("/x"))] {
        let pass = pass(&config, path);
        assert_eq!((pass.url.uri.clone(), pass.upstream), (uri.map(bytes), 0), "{path}");
        assert_eq!(
            (pass.url.host.as_slice(), pass.url.port.as_slice()),
            (&b"localhost"[..], &b""[..])
        );
    }
    let address = |upstream: usize| config.upstreams[upstream].servers[0].addresses[0].to_string();
    assert_eq!(
        (address(0), address(pass(&config, "/other").upstream)),
        ("unix:/run/a.sock".into(), "unix:/run/A.sock".into())
    );
}

#[test]
fn a_path_that_is_too_long_is_told_where_it_is() {
    let longest = format!("unix:/{}", "a".repeat(106));
    server(&format!("location / {{ proxy_pass http://{longest}:/x; }}"));
    let problem = format!("too long path in the unix domain socket in upstream \"{longest}a\"");
    check_server_error(&format!("location / {{ proxy_pass http://{longest}a:/x; }}"), &problem);
    let upstream = format!("upstream u {{ server {longest}a; }} server {{ return 204; }}");
    check_errors(&format!("http {{ {upstream} }}"), &[&format!("1:28: {problem}")]);
}
