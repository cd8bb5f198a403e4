//! The steps of rewrite directives, and what is wrong with bad ones.

use super::super::model::{Program, Step, Telling, Test, Then};
use super::*;

/// The steps of a server in short.
fn steps(content: &str) -> Vec<String> {
    shown_steps(&server(content).servers[0].program)
}

fn shown_steps(program: &Program) -> Vec<String> {
    let step = |step: &Step| match step {
        Step::Rewrite(rewrite) => {
            let from = rewrite.from.pattern.text();
            format!("{from} -> {} {:?} {}", shown(&rewrite.to), rewrite.then, rewrite.keeps_args)
        }
        Step::Return(answer) => format!("return {}", answer.status),
        Step::Set { variable, value } => format!("set {variable} {}", shown(value)),
        Step::SetArgs { value } => format!("args {}", shown(value)),
        Step::SetRate { value } => format!("rate {}", shown(value)),
        Step::Break => "break".to_owned(),
        Step::If { subject, test, is_negated, location, inner } => {
            let test = match test {
                Test::Holds => String::new(),
                Test::Equals(text) => format!("= {}", shown(text)),
                Test::Matches(expression) => format!("~ {}", expression.pattern.text()),
                Test::Stands(what, path) => format!("-{what:?} {}", shown(path)),
            };
            format!("if {subject:?} {test} {is_negated} {location:?} {inner}")
        }
    };
    program.steps.iter().map(step).collect()
}

#[test]
fn directives_are_steps_in_the_order_of_the_file() {
    let found = steps(
        "set $a x; if ($a) { set $B \"$a\"; break; } rewrite ^/(.*)$ /x/$1? last; \
         set $args \"\"; set $LIMIT_rate 1k; return 204;",
    );
    let expected = [
        "set 0 x",
        "if Some(Own(0))  false None 2",
        "set 1 <Own(0)>",
        "break",
        "^/(.*)$ -> /x/<Group(1)> Last false",
        "args ",
        "rate 1k",
        "return 204",
    ];
    assert_eq!(found, expected);
}

#[test]
fn a_replacement_says_what_comes_then() {
    for (text, expected) in [
        ("/b", Then::Next),
        ("/b last", Then::Last),
        ("/b break", Then::Break),
        ("/b redirect", Then::Redirect(302)),
        ("/b permanent", Then::Redirect(301)),
        ("http://b", Then::Redirect(302)),
        ("https://b break", Then::Redirect(302)),
        ("$scheme://b permanent", Then::Redirect(301)),
        ("HTTP://b", Then::Next),
    ] {
        let config = server(&format!("rewrite a {text};"));
        let [Step::Rewrite(rewrite)] = config.servers[0].program.steps.as_slice() else {
            panic!("{text}")
        };
        assert_eq!(rewrite.then, expected, "{text}");
    }
}

#[test]
fn conditions_are_a_variable_and_what_it_is_compared_with() {
    for (condition, expected) in [
        ("($host)", "if Some(Host)  false None 0"),
        ("( $host )", "if Some(Host)  false None 0"),
        ("($host = a)", "if Some(Host) = a false None 0"),
        ("($host != \"\")", "if Some(Host) =  true None 0"),
        ("($host = \"\" )", "if Some(Host) =  false None 0"),
        ("( $host ~* \"^a$\" )", "if Some(Host) ~ ^a$ false None 0"),
        ("($host !~ (a|b))", "if Some(Host) ~ (a|b) true None 0"),
        ("($host = $uri)", "if Some(Host) = <Uri> false None 0"),
        ("(-f $uri)", "if None -File <Uri> false None 0"),
        ("(!-d /a$uri)", "if None -Folder /a<Uri> true None 0"),
        ("( -e /a )", "if None -Either /a false None 0"),
        ("(!-x $uri)", "if None -Executable <Uri> true None 0"),
    ] {
        assert_eq!(steps(&format!("if {condition} {{ }}")), [expected], "{condition}");
    }
}

#[test]
fn bad_rewrite_directives_are_told() {
    for (directive, expected) in [
        ("rewrite a '';", "empty replacement"),
        ("rewrite ( b;", "invalid regular expression \"(\": unclosed group"),
        (
            "rewrite a b lost;",
            "invalid parameter \"lost\"; expected \"last\", \"break\", \"redirect\" or \"permanent\"",
        ),
        ("rewrite a $b;", "unknown \"b\" variable"),
        ("set a b;", "invalid variable name \"a\""),
        ("set $ b;", "invalid variable name \"$\""),
        ("set $host b;", "the duplicate \"host\" variable"),
        ("set $limit_req_status 1k;", "the duplicate \"limit_req_status\" variable"),
        ("set $a $nowhere;", "unknown \"nowhere\" variable"),
        ("if $host { }", "invalid condition \"$host\""),
        ("if ($host { }", "invalid condition \"$host\""),
        ("if (host) { }", "invalid condition \"host\""),
        ("if () { }", "invalid condition \"\""),
        ("if ($) { }", "invalid condition \"$\""),
        ("if ($1) { }", "unknown \"1\" variable; did you mean \"$a\"?"),
        ("if ($host =) { }", "invalid condition \"$host\""),
        ("if ($host = a b) { }", "invalid condition \"$host\""),
        (
            "if ($host == a) { }",
            "unexpected \"==\" in condition; expected \"=\", \"!=\", \"~\", \"~*\", \"!~\" or \"!~*\"",
        ),
        ("if (-f) { }", "invalid condition \"-f\""),
        ("if (!-e $uri x) { }", "invalid condition \"!-e\""),
    ] {
        let context = if expected.contains("$a") { "set $a 1; " } else { "" };
        check_server_error(&format!("{context}{directive}"), expected);
    }
    let uri = "\"proxy_pass\" cannot have URI part in location given by regular expression, or \
               inside named location, or inside \"if\" statement, or inside \"limit_except\" block";
    check_server_error("location / { if ($host) { proxy_pass http://a/; } }", uri);
}

#[test]
fn an_if_is_a_hidden_location_with_what_it_has_of_its_own() {
    let config = server(
        "location /a/ { add_header X-A a; access_log off; proxy_pass http://a/b/; \
         if ($arg_x) { add_header X-B b; } if ($arg_y) { proxy_pass http://c; } }",
    );
    let around = at(&config, "/a/");
    let hidden = |step: usize| match &around.program.steps[step] {
        Step::If { location: Some(index), .. } => &config.servers[0].locations[*index],
        other => panic!("{other:?}"),
    };
    let pass_of = |location: &Location| match &location.handler {
        Handler::Proxy(pass) => pass.url.clone(),
        other => panic!("{other:?}"),
    };
    let (first, second) = (hidden(0), hidden(1));
    assert_eq!((first.path.as_slice(), first.add_headers.len()), (&b"/a/"[..], 1));
    assert_eq!(first.add_headers[0].name, b"X-B");
    assert!(first.logs.access.is_empty() && first.program.steps.is_empty());
    assert_eq!(pass_of(first).uri, Some(bytes("/b/")));
    assert_eq!((second.add_headers[0].name.as_slice(), pass_of(second).uri), (&b"X-A"[..], None));
    // It is found by its `if` alone.
    assert_eq!(at(&config, "/a/x").add_headers[0].name, b"X-A");
}

#[test]
fn what_stands_in_an_if_of_a_server_is_of_the_rewrite_module() {
    let told = "\"add_header\" directive is not allowed here; this is in \"if in server\", it belongs \
                in http, server, location, if in location";
    check_server_error("if ($host) { add_header A b; }", told);
    check_server_error(
        "if ($host) { if ($uri) { } }",
        "\"if\" directive is not allowed here; this is in \"if in server\", it belongs in server, \
         location",
    );
}

#[test]
fn what_is_told_of_steps_is_inherited() {
    let config = server(
        "rewrite_log on; uninitialized_variable_warn off; location /a { return 200; } \
         location /b { rewrite_log off; uninitialized_variable_warn on; return 200; }",
    );
    let told = |telling: Telling| (telling.steps, telling.unset);
    let of = |path: &str| told(at(&config, path).program.telling);
    assert_eq!(told(config.servers[0].program.telling), (true, false));
    assert_eq!((of("/a"), of("/b")), ((true, false), (false, true)));
}
