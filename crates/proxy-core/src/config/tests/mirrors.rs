//! `mirror` and `mirror_request_body`.

use super::*;

#[test]
fn paths_are_inherited_as_a_whole_and_off_is_none() {
    let config = good(
        "http { mirror /one; mirror \"/t wo?x\"; mirror_request_body off; server { \
         location / { return 200; } location /off { mirror off; return 200; } \
         location /own { mirror /three; mirror_request_body on; return 200; } } }",
    );
    let mirrors = |path: &str| {
        let mirrors = &at(&config, path).client.mirrors;
        let path = |path: &Vec<u8>| String::from_utf8(path.clone()).unwrap();
        (mirrors.paths.iter().map(path).collect::<Vec<_>>(), mirrors.takes_body)
    };
    assert_eq!(mirrors("/"), (vec!["/one".into(), "/t wo?x".into()], false));
    assert_eq!(mirrors("/off"), (vec![], false));
    assert_eq!(mirrors("/own"), (vec!["/three".into()], true));
    let none = server("location / { return 200; }");
    assert!(at(&none, "/").client.mirrors.paths.is_empty());
}

#[test]
fn off_stands_alone() {
    let message = "\"mirror\" directive is duplicate; a level has \"mirror off\" alone, or any \
                   number of paths";
    check_server_error("mirror /a; mirror off;", message);
    check_server_error("mirror off; mirror /a;", message);
    check_server_error("mirror off; mirror off;", message);
}
