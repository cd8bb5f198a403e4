//! Lines of both logs, and the variables in them.

use crate::config;
use crate::net::{Dial, REFUSED};
use crate::world::{GENEROUS, World, answer, get, last_answer, passing, statuses, with_body};

/// The lines that a format gives for what is done; the upstream has two servers.
fn logged(format: &str, run: impl FnOnce(&mut World)) -> Vec<String> {
    let text = format!(
        "http {{ log_format t escape=none '{format}'; access_log /dev/stdout t; \
         upstream app {{ server 10.0.0.5:5001; server 10.0.0.5:5002; }} {} }}",
        passing("proxy_read_timeout 2s; location /own { return 200 own; }")
    );
    let mut world = World::of(config::config(&text), GENEROUS);
    run(&mut world);
    world.lines()
}

#[test]
fn every_server_that_was_tried_is_told_with_its_status_times_and_bytes() {
    let format = "$upstream_addr|$upstream_status|$upstream_connect_time|$upstream_header_time|\
                  $upstream_response_time|$upstream_bytes_sent|$upstream_bytes_received|\
                  $upstream_response_length|$request_time";
    let lines = logged(format, |world| {
        world.ask(get("/"));
        world.pass(2_000);
        world.pass(150);
        let (head, body) = ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "hello");
        world.say(&world.server(), head);
        world.pass(250);
        world.say(&world.server(), body);
    });
    let expected = "10.0.0.5:5001, 10.0.0.5:5002|504, 200|0.000, 0.000|-, 0.150|2.000, 0.400|\
                    29, 29|0, 43|0, 5|2.400";
    assert_eq!(lines, [expected]);
}

#[test]
fn servers_are_told_in_failures_too() {
    let lines = logged("$status $upstream_addr $upstream_status $upstream_bytes_sent", |world| {
        world.rule(5001, Dial::Fails(REFUSED));
        world.rule(5002, Dial::Fails(REFUSED));
        let client = world.ask(get("/"));
        world.say(&client, get("/"));
        world.say(&client, get("/own"));
    });
    assert_eq!(
        lines,
        ["502 10.0.0.5:5001, 10.0.0.5:5002 502, 502 0, 0", "502 app 502 0", "200   "]
    );
}

#[test]
fn what_was_sent_is_told_of_own_answers_too() {
    let format = "$sent_http_content_type|$sent_http_content_length|$sent_http_connection|\
                  $sent_http_x_up|$body_bytes_sent|$upstream_http_x_up|$upstream_http_server";
    let lines = logged(format, |world| {
        let client = world.ask(get("/own"));
        world.say(&client, get("/"));
        let answer =
            "HTTP/1.1 200 OK\r\nServer: app\r\nX-Up: 1\r\nX-Up: 2\r\nContent-Length: 2\r\n\r\nhi";
        world.say(&world.server(), answer);
    });
    assert_eq!(lines, ["text/plain|3|keep-alive||3||", "|2|keep-alive|1, 2|2|1, 2|app"]);
}

#[test]
fn a_request_is_told_as_the_client_wrote_it() {
    let format = "$request|$request_method|$request_uri|$uri|$args|$is_args|$arg_a|$host|\
                  $http_host|$server_protocol|$request_length|$content_length|$cookie_c|$pipe|\
                  $connection_requests|$remote_addr|$server_port|$scheme";
    let lines = logged(format, |world| {
        let request = "POST /own/a%20b/../c?a=1&b=2 HTTP/1.1\r\nHost: A.test:80\r\n\
                       Content-Length: 3\r\nCookie: x=y; c=d\r\n\r\nabc";
        let client = world.ask(request);
        world.say(&client, get("/own"));
    });
    let target = "/own/a%20b/../c?a=1&b=2";
    let first = format!(
        "POST {target} HTTP/1.1|POST|{target}|/own/c|a=1&b=2|?|1|a.test|A.test:80|HTTP/1.1|\
         95|3|d|.|1|10.0.0.9|8080|http"
    );
    assert_eq!(lines[0], first);
    assert!(lines[1].ends_with("|.|2|10.0.0.9|8080|http"), "{}", lines[1]);
}

#[test]
fn a_request_that_was_not_understood_is_told_as_far_as_it_came() {
    let format = "$request|$status|$request_method|$uri|$server_protocol|$host";
    let lines = logged(format, |world| {
        world.ask("GET /a HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n");
        world.ask("nonsense\r\n");
        world.ask("GET /half");
        world.pass(60_000);
        let client = world.ask("GET /b HTTP/1.1\r\nHost: b\r\nX");
        world.end(&client);
        assert_eq!(client.heard(), "");
        let client = world.ask("GET /reset");
        world.reset(&client);
        let client = world.ask("\r\n");
        world.end(&client);
    });
    assert_eq!(
        lines,
        [
            "GET /a HTTP/1.1|400|GET|/a|HTTP/1.1|",
            "nonsense|400||||",
            "GET /half|408||||",
            "GET /b HTTP/1.1|400|GET|/b|HTTP/1.1|",
            "GET /reset|400||||",
        ]
    );
}

#[test]
fn the_identifier_of_a_request_is_the_same_here_and_there_and_no_others() {
    let settings = "proxy_set_header X-Id $request_id; add_header X-Id $request_id;";
    let text = format!(
        "http {{ log_format t $request_id; access_log /dev/stdout t; \
         upstream app {{ server 10.0.0.5:5000; }} {} }}",
        passing(settings)
    );
    let mut world = World::of(config::config(&text), GENEROUS);
    let client = world.client();
    let id_of = |text: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix("X-Id: "));
        line.expect("an identifier").to_owned()
    };
    let mut seen = Vec::new();
    for _ in 0..20 {
        world.say(&client, get("/"));
        let sent = id_of(&world.server().heard());
        world.say(&world.server(), answer("x"));
        assert_eq!(id_of(&client.heard()), sent);
        assert_eq!(world.lines(), std::slice::from_ref(&sent));
        seen.push(sent);
    }
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 20);
}

#[test]
fn a_body_is_told_once_whole_up_to_its_bound_whoever_answers() {
    let check = |body: &str, expected: &str| {
        let lines = logged("[$request_body]", |world| {
            // The first server refuses, so that the body goes to the second.
            world.rule(5001, Dial::Fails(REFUSED));
            world.ask(with_body("POST", "/", body));
            world.say(&world.server(), answer("hello"));
            world.ask(with_body("POST", "/own", body));
        });
        assert_eq!(lines, [format!("[{expected}]"), "[]".to_owned()]);
    };
    check("", "");
    check("a=b", "a=b");
    let most = "x".repeat(16 << 10);
    check(&most, &most);
    check(&format!("{most}x"), "");
}

#[test]
fn a_subrequest_has_a_line_of_its_own_where_its_location_says_so() {
    let text = |told: &str| {
        format!(
            "http {{ log_format t '$uri $status $upstream_status'; access_log /dev/stdout t; \
             upstream app {{ server 10.0.0.5:5001; }} server {{ listen 8080; \
             location / {{ auth_request /ask; proxy_pass http://app; }} \
             location = /ask {{ internal; {told} proxy_pass http://app; }} }} }}"
        )
    };
    let lines = |told: &str, status: u16| {
        let mut world = World::of(config::config(&text(told)), GENEROUS);
        world.ask(get("/a"));
        let head = format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n");
        world.say(&world.server(), head);
        if status == 204 {
            world.say(&world.server(), answer("hello"));
        }
        world.lines()
    };
    assert_eq!(lines("log_subrequest on;", 204), ["/ask 204 204", "/a 200 200"]);
    assert_eq!(lines("log_subrequest on;", 403), ["/ask 403 403", "/a 403 -"]);
    assert_eq!(lines("log_subrequest on; access_log off;", 204), ["/a 200 200"]);
    assert_eq!(lines("", 204), ["/a 200 200"]);
}

#[test]
fn a_line_is_written_once_for_each_request_and_each_log_of_its_location() {
    let text = "http { log_format a 'a $uri'; log_format b 'b $uri'; access_log /dev/stdout a; \
                access_log /dev/stdout b; server { listen 8080; location / { return 200; } \
                location /one { access_log /dev/stdout b; return 200; } \
                location /none { access_log off; return 200; } } }";
    let mut world = World::of(config::config(text), GENEROUS);
    world.ask([get("/"), get("/one"), get("/none")].concat());
    assert_eq!(world.lines(), ["a /", "b /", "b /one"]);
}

#[test]
fn faults_of_one_kind_are_told_once_a_second_with_the_count_of_the_others() {
    let mut world = World::new(&passing(""));
    world.rule(5000, Dial::Fails(REFUSED));
    let refused = |world: &mut World| {
        let client = world.ask(get("/"));
        assert_eq!(statuses(&client.heard()), [502]);
        world.end(&client);
    };
    refused(&mut world);
    assert_eq!(world.notices().len(), 1);
    for _ in 0..7 {
        refused(&mut world);
        // A fault of another kind has a second of its own.
        world.ask("nonsense\r\n");
    }
    let told = world.notices();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].starts_with("the client sent "));
    world.pass(999);
    refused(&mut world);
    assert_eq!(world.notices().len(), 0);
    world.pass(1);
    refused(&mut world);
    let told = world.notices();
    assert!(told[0].ends_with(" (8 more of this kind since the last)"), "{told:?}");
    world.pass(1_000);
    refused(&mut world);
    assert!(world.notices()[0].ends_with("upstream: 10.0.0.5:5000"), "none was held back");
}

#[test]
fn a_fault_is_told_with_who_asked_for_what_and_what_became_of_it() {
    let mut world = World::new(
        "server { listen 8080; server_name main.test; proxy_read_timeout 1s; \
         location / { proxy_pass http://app; } }",
    );
    world.ask(get("/a?\"b"));
    world.pass(1_000);
    let expected = "timed out while reading from the upstream, client: 10.0.0.9, server: \
                    main.test, request: \"GET /a?\\\"b HTTP/1.1\", status: 504, upstream: \
                    10.0.0.5:5000";
    assert_eq!(world.notices(), [expected]);
}

#[test]
fn requests_are_counted_by_who_answered_and_how() {
    let mut world = World::new(&passing("location /own { return 301 /x; }"));
    let client = world.ask(get("/own"));
    for status in ["200 OK", "304 Not Modified", "404 Not Found", "500 Error"] {
        world.say(&client, get("/"));
        let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
        world.say(&world.server(), answer);
    }
    world.say(&client, get("/"));
    // The kept connection is dead, and the new one no better.
    world.end(&world.server());
    world.end(&world.server());
    let counters = world.counters();
    assert_eq!(counters.requests, [[0, 1, 1, 1, 1], [0, 0, 1, 0, 1]]);
}

#[test]
fn bytes_are_counted_whether_they_pass_as_they_are_or_not() {
    let format = "$request_length $bytes_sent $body_bytes_sent $upstream_bytes_sent \
                  $upstream_bytes_received $upstream_response_length";
    let numbers = |pieces: usize| {
        let lines = logged(format, |world| {
            let request = with_body("POST", "/", &"x".repeat(40_000));
            let client = world.ask(&request[..100]);
            for piece in request.as_bytes()[100..].chunks(40_000 / pieces) {
                world.say(&client, piece);
            }
            let server = world.server();
            for piece in last_answer(&"y".repeat(70_000)).as_bytes().chunks(70_000 / pieces) {
                world.say(&server, piece);
            }
        });
        lines[0].clone()
    };
    let expected = numbers(1);
    assert!(expected.ends_with(" 70000"), "{expected}");
    for pieces in [2, 7, 100] {
        assert_eq!(numbers(pieces), expected, "{pieces}");
    }
}
