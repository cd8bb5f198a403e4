//! Regular expressions where a file may have them, and the variables that their groups are.

use super::*;

/// Which location answers for a path, by the status that it returns.
fn check_location(locations: &str, choices: &[(&str, u16)]) {
    let config = server(locations);
    for (path, expected) in choices {
        let status = returned(at(&config, path));
        assert_eq!(status, *expected, "{path} of {locations}");
    }
}

#[test]
fn expressions_go_after_exact_paths_and_final_prefixes_and_before_other_prefixes() {
    check_location(
        "location / { return 200; } location ~ \\.png$ { return 201; } \
         location ~* \\.(png|gif)$ { return 202; } location ^~ /fix/ { return 203; } \
         location = /a.png { return 205; } location /p { return 206; } location ~b { return 207; }",
        &[
            ("/x", 200),
            ("/x.png", 201),
            ("/x.PNG", 202),
            ("/p.gif", 202),
            ("/p", 206),
            ("/fix/x.png", 203),
            ("/a.png", 205),
            ("/pb", 207),
            ("/b.png", 201),
        ],
    );
}

#[test]
fn expressions_inside_the_longest_prefix_go_before_those_beside_it() {
    check_location(
        "location /a/ { return 200; location ~ x$ { return 201; } location ^~ /a/f/ { return 202; } } \
         location ~ [xy]$ { return 203; } location ~ ^/r { return 204; location ~ 1$ { return 205; } }",
        &[
            ("/a/", 200),
            ("/a/x", 201),
            ("/a/y", 203),
            ("/a/f/z", 202),
            // nginx: `^~` inside speaks for its own level alone.
            ("/a/f/y", 203),
            ("/a/f/x", 203),
            ("/r", 204),
            ("/r1", 205),
            ("/ry", 203),
        ],
    );
}

#[test]
fn what_is_around_an_expression_counts_as_in_nginx() {
    let exact = "location \"x\" cannot be inside the exact location \"/a\"";
    check_server_error("location = /a { location ~ x { return 200; } return 200; }", exact);
    let outside = "location \"/a/b\" is outside location \"^/a\"";
    check_server_error("location ~ ^/a { location /a/b { return 200; } return 200; }", outside);
    let uri = "\"proxy_pass\" cannot have URI part in location given by regular expression, or \
               inside named location, or inside \"if\" statement, or inside \"limit_except\" block";
    check_server_error("location ~ ^/a { proxy_pass http://a/; }", uri);
    let config = server("location ~ ^/a/ { proxy_pass http://a; }");
    // No name without the slash is answered by a redirect.
    assert!(matches!(at(&config, "/a").handler, Handler::Files));
    assert_eq!(redirects(&config, "/a/"), [("http://a/".to_owned(), "/".to_owned())]);
}

#[test]
fn bad_expressions_are_told_with_their_place() {
    check_errors(
        "http {\nserver {\nserver_name ~(;\nlocation ~ \"^/(?<!index)\" { return 200; }\n\
         location ~*a( { return 200; }\nproxy_redirect ~[ /;\n}\n}",
        &[
            "3:13: invalid regular expression \"(\": unclosed group",
            "4:12: invalid regular expression \"^/(?<!index)\": look-around (\"(?=\", \"(?!\", \
             \"(?<=\", \"(?<!\") is not supported in this place: matching takes linear time; \"^/(?!api|admin)\" \
             and \"/\\.(?!well-known)\" can be had",
            "5:10: invalid regular expression \"a(\": unclosed group",
            "6:16: invalid regular expression \"[\": unclosed character class",
        ],
    );
    check_server_error("server_name ~;", "empty regex in server name \"~\"");
    let large = "invalid regular expression \"((a{99}){99}){99}\": it is too large";
    check_server_error("location ~ \"((a{99}){99}){99}\" { return 200; }", large);
}

#[test]
fn all_expressions_together_are_bounded() {
    let one = |n: usize| {
        format!("location ~ \"^/{n}/([a-z]{{40}}|[0-9]{{40}}){{20}}$\" {{ return 200; }}")
    };
    let text: String = (0..2_000).map(one).collect();
    let errors = lowered(&format!("http {{ server {{ {text} }} }}")).map(|_| ()).unwrap_err();
    assert!(
        errors[0].contains("all regular expressions together take more than 128m"),
        "{}",
        errors[0]
    );
}

#[test]
fn named_groups_are_variables_wherever_they_stand() {
    let config = server(
        "server_name ~^(?<Sub>.+)\\.test$; add_header A $sub$p$q$R; \
         location ~ ^/(?P<p>x) { return 200; } location ~* ^/(?'q'x) { return 200; } \
         proxy_redirect ~^/(?<r>.*) /$r;",
    );
    let names: Vec<&str> = config.own_variables.iter().map(|own| own.name.as_str()).collect();
    assert_eq!(names, ["sub", "p", "q", "r"]);
    let added = shown(&config.servers[0].fallback.add_headers[0].value);
    assert_eq!(added, "<Own(0)><Own(1)><Own(2)><Own(3)>");
    let host = "the duplicate \"host\" variable";
    check_server_error("location ~ \"(?<host>x)\" { return 200; }", host);
    check_server_error("return 200 $b;", "unknown \"b\" variable");
    check_errors("http { log_format a $1; server { } }", &["1:21: unknown \"1\" variable"]);
}

#[test]
fn names_of_servers_may_be_expressions_in_the_order_of_the_file() {
    let config = good(
        "http { server { server_name d; } server { server_name ~^a; } server { server_name ~^A.b$; } \
         server { server_name *.suffix.test; } server { server_name ~^(?<x>[bc])\\.; } }",
    );
    let listen = &config.listens[0];
    let mut values = Values::default();
    for (host, expected) in
        [("", 0), ("z", 0), ("a.b", 1), ("a.suffix.test", 3), ("b.test", 4), ("xa.b", 0)]
    {
        assert_eq!(listen.server(host.as_bytes(), &mut values), expected, "{host}");
    }
    assert_eq!(values.group(1), Some(&b"b"[..]));
    assert_eq!(config.servers[1].name, b"~^a");
}
