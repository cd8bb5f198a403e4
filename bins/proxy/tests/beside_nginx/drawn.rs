//! Drawn configurations and requests: nginx and ours agree on each, or both refuse.
//!
//! Owns a grammar for what people write most: locations of all kinds, rewriting, conditions,
//! passing on, error pages, files, access and fields. A draw is a case like any other, and is shown
//! as one where it fails. `BESIDE_NGINX_DRAWS="1000 5000"` runs 5,000 of them from number 1,000 on.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::case;
use crate::compare::Difference;
use crate::plan::{Row, Suite};

/// Cases where nobody says how many.
const CASES: u64 = 60;
/// Cases of one process.
const CASES_OF_SUITE: u64 = 20;
const REQUESTS: usize = 10;
/// How much longer the program's name is than nginx's.
const NAME_BYTES: i64 = 6;

const CODES: [&str; 5] = ["404", "403 404", "500 502", "405", "401"];
const PAGES: [&str; 7] =
    ["/b/page", "= /b/page", "=200 /a", "=404 /c/x", "@named", "/a/$v", "http://other.test/e"];
const OF_SERVER: [&str; 4] = [
    "merge_slashes off;",
    "underscores_in_headers on;",
    "ignore_invalid_headers off;",
    "server_name n.test; server_name_in_redirect on;",
];
const OF_LOCATION: [&str; 4] = [
    "limit_except GET { deny all; }",
    "internal;",
    "limit_except POST { allow all; }",
    "limit_except POST { proxy_pass http://$APP; }",
];
const FIELDS: [&str; 18] = [
    "Accept-Encoding: gzip",
    "Accept-Encoding: x, gzip;q=0.5",
    "Via: 1.1 a",
    "If-None-Match: \"tag\"",
    "If-None-Match: W/\"tag\", \"other\"",
    "If-Match: \"tag\"",
    "If-Unmodified-Since: Thu, 01 Jan 1970 00:00:01 GMT",
    "If-Range: \"tag\"",
    "Referer: http://a.test/b",
    "Referer: http://other.test/b/c",
    "X-Forwarded-For: 10.1.2.3, 192.0.2.7",
    "X_Under: u",
    "Cookie: c=d; e=f",
    "Range: bytes=1-2",
    "Range: bytes=-1,0-0",
    "If-None-Match: *",
    "If-Modified-Since: Sat, 01 Jan 2050 00:00:00 GMT",
    "Authorization: Basic YW5uOmFubg==",
];
const SETTINGS: [&str; 97] = [
    "gzip on; gzip_min_length 1; gzip_types *;",
    "gzip on; gzip_min_length 1; gzip_vary on; gzip_proxied any;",
    "gzip on; gzip_min_length 1; gzip_types text/html; gzip_http_version 1.0;",
    "gunzip on;",
    "gzip_vary on;",
    "limit_req zone=z$N;",
    "limit_req zone=z$N burst=1 nodelay;",
    "limit_req_status 429;",
    "limit_req_dry_run on;",
    "limit_conn c$N 1;",
    "fastcgi_param B $v;",
    "fastcgi_param SCRIPT_NAME $fastcgi_script_name; fastcgi_index i.php;",
    "fastcgi_split_path_info ^(/[ab])(/.*)$; fastcgi_param P \"$fastcgi_path_info\";",
    "fastcgi_intercept_errors on;",
    "fastcgi_hide_header X-Up;",
    "fastcgi_ignore_headers X-Accel-Redirect Set-Cookie;",
    "fastcgi_keep_conn on;",
    "fastcgi_force_ranges on;",
    "fastcgi_pass_request_body off;",
    "secure_link $arg_x; secure_link_md5 \"s$uri\"; add_header X-S \"[$secure_link]\";",
    "secure_link_secret w; add_header X-S \"[$secure_link]\";",
    "disable_symlinks on;",
    "log_not_found off; open_file_cache max=10;",
    "autoindex on; autoindex_format json;",
    "if_modified_since off;",
    "proxy_hide_header Content-Type;",
    "proxy_pass_header X-Pad;",
    "proxy_set_header If-None-Match $v;",
    "proxy_cookie_path ~^/(.*)$ /q/$1;",
    "add_header X-E \"\";",
    "add_header Cache-Control $v;",
    "add_header Last-Modified \"\";",
    "add_header ETag \"\\\"tag\\\"\";",
    "add_header X-Re $1$v always;",
    "add_trailer X-T $uri;",
    "expires epoch;",
    "expires max;",
    "expires $v;",
    "expires modified 1h;",
    "autoindex on;",
    "gzip_static on;",
    "gzip_static always;",
    "client_max_body_size 2;",
    "proxy_set_header Host $host:$v;",
    "proxy_set_header Accept-Encoding \"\";",
    "proxy_set_header Cookie $v;",
    "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;",
    "proxy_pass_request_body off; proxy_set_header Content-Length \"\";",
    "proxy_pass_header Server;",
    "proxy_pass_header X-Accel-Redirect;",
    "proxy_cookie_domain ~.* $host;",
    "proxy_cookie_flags a secure samesite=lax;",
    "proxy_redirect ~^http://[^/]+(/.*)$ $scheme://$host$1;",
    "proxy_redirect / /pre/;",
    "proxy_ignore_headers Expires Set-Cookie X-Accel-Expires;",
    "proxy_buffering off;",
    "proxy_request_buffering off;",
    "proxy_next_upstream http_404 http_500;",
    "proxy_force_ranges on;",
    "chunked_transfer_encoding off;",
    "valid_referers none a.test ~b;",
    "set_real_ip_from 127.0.0.0/8; real_ip_header X-Forwarded-For;",
    "set_real_ip_from 0.0.0.0/0; real_ip_header X-Forwarded-For; real_ip_recursive on;",
    "auth_request /c; auth_request_set $v $upstream_http_x_up;",
    "source_charset koi8-r; charset utf-8; charset_types *;",
    "override_charset on; charset utf-8;",
    "sub_filter_once off; sub_filter o \"$v\"; sub_filter ll L; sub_filter_types *;",
    "sub_filter_last_modified on; sub_filter hel y;",
    "auth_request /b;",
    "add_before_body /b/c; addition_types *;",
    "add_after_body /c; addition_types *;",
    "etag off;",
    "max_ranges 0;",
    "if_modified_since before;",
    "deny all;",
    "allow 127.0.0.1; deny all;",
    "satisfy any;",
    "auth_basic a; auth_basic_user_file $USERS;",
    "proxy_intercept_errors on;",
    "recursive_error_pages on;",
    "default_type text/x;",
    "types { text/y html; }",
    "expires 1h;",
    "expires -1;",
    "absolute_redirect off;",
    "port_in_redirect off;",
    "proxy_redirect off;",
    "proxy_redirect http://$APP/ /back/;",
    "proxy_hide_header X-Up;",
    "proxy_pass_request_headers off;",
    "proxy_method PUT;",
    "proxy_set_body \"$uri\";",
    "proxy_cookie_path / /p;",
    "proxy_ignore_headers X-Accel-Redirect;",
    "sub_filter hello \"$uri\"; sub_filter_types *;",
    "charset utf-8;",
    "index a.html index.html;",
];

/// What stands above the servers: servers in a group, and limits that no second request keeps to.
const ABOVE: &str = "upstream up$N { server $DEAD max_fails=0; server $APP; }
limit_req_zone $uri zone=z$N:1m rate=1r/m;
limit_conn_zone $host zone=c$N:1m;
";

/// Locations, and one that can be inside.
const NESTED: [(&str, &str); 7] = [
    ("/", "/page"),
    ("/", "~ ^/(1)/(.*)$"),
    ("/a", "/a/b"),
    ("/a/", "= /a/a.html"),
    ("/b", "~ /x$"),
    ("^~ /c", "/c/x/"),
    ("~ /c(/|$)", "~* ^/X/(.+)$"),
];

/// A linear congruential generator (Knuth's MMIX constants), of which the high bits are used.
struct Draw(u64);

impl Draw {
    fn below(&mut self, bound: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound
    }

    fn of<'t>(&mut self, texts: &[&'t str]) -> &'t str {
        texts[self.below(texts.len())]
    }
}

/// Where a directive stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Level {
    Server,
    /// Whether it has a prefix, which can be replaced.
    Location(bool),
    If,
}

/// The suites of so many draws.
pub fn suites() -> Vec<Suite> {
    let told = std::env::var("BESIDE_NGINX_DRAWS").unwrap_or_default();
    let mut numbers = told.split(' ').filter_map(|number| number.parse().ok());
    let (first, count) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(CASES));
    let suite = |first: u64, end: u64| {
        let text: String = (first..end).map(drawn).collect();
        Suite { name: format!("drawn-{first}"), cases: case::parse("drawn", &text) }
    };
    let firsts = (first..first + count).step_by(CASES_OF_SUITE as usize);
    firsts.map(|at| suite(at, (at + CASES_OF_SUITE).min(first + count))).collect()
}

/// The numbers of the draws that these rows are about.
pub fn numbers(rows: &[Row]) -> BTreeSet<u64> {
    rows.iter().filter_map(|row| row.place.rsplit(' ').next()?.parse().ok()).collect()
}

/// Leaves the rows that nobody means.
pub fn keep_unmeant(rows: &mut Vec<Row>) {
    let places = |is_it: &dyn Fn(&Difference) -> bool| -> BTreeSet<String> {
        let rows = rows.iter().filter(|row| is_it(&row.difference));
        rows.map(|row| row.place.clone()).collect()
    };
    // A line is written once the connection is closed, which may be after the next one.
    let reordered = places(&|difference| difference.what == "log request");
    rows.retain(|Row { place, difference }| {
        let is_order = reordered.contains(place) && difference.what.starts_with("log");
        !is_order && !is_meant(difference)
    });
}

/// Differences that are meant, whatever is drawn; cases in files tell of the others.
fn is_meant(Difference { what, ours, nginx, .. }: &Difference) -> bool {
    let number = |text: &str| text.trim_matches(['[', ']', '"']).parse::<i64>().ok();
    match what.as_str() {
        // What both refuse they agree on.
        "load" => [ours, nginx].iter().all(|side| *side != "takes it"),
        // The pages of errors name the program.
        "field Content-Length" | "log sent_http_content_length" => {
            number(ours).zip(number(nginx)).is_some_and(|(ours, nginx)| ours == nginx + NAME_BYTES)
        }
        // A URI of no length is refused by both; nginx shows it.
        "log uri" | "log document_uri" => nginx.is_empty(),
        // An answer of 412 is whole; nginx does not say so.
        "log request_completion" => ours == "OK" && nginx.is_empty(),
        // What was sent is told; nginx forgets the time where the status is an uncommon one, and
        // has its own name where none is sent.
        "log sent_http_last_modified" => nginx == "-",
        "log sent_http_server" => ours == "-",
        // nginx ends the trailer of an answer of several parts twice.
        "trailer" => nginx == &format!("{ours} / {ours}"),
        // What is read away of a body that nobody wants is counted by nginx.
        "log request_length" => {
            number(ours).zip(number(nginx)).is_some_and(|(ours, nginx)| ours + 3 == nginx)
        }
        // Nobody is asked, for an `if` does not say who.
        "log proxy_host" | "log proxy_port" => ours == "-" && nginx.is_empty(),
        // Behind a page with a variable nginx has arguments or none, as memory happens to be.
        "log args" | "log query_string" => {
            [ours, nginx].iter().all(|text| text.is_empty() || *text == "-")
        }
        // It leaves an answer to HEAD unread where it asked by another method.
        "log upstream_response_length" => nginx == "0",
        // The page of an error is asked for without the body.
        "seen body" | "seen field Content-Length" => ours.is_empty(),
        // nginx sends arguments on as they are in a variable, with spaces and line ends.
        "seen line" => nginx.split(' ').count() > 4,
        _ => false,
    }
}

/// One case, as text.
pub fn drawn(number: u64) -> String {
    let mut draw = Draw(number);
    draw.below(2);
    let mut text = format!("== draw {number}\n{ABOVE}");
    let hosts: &[&str] = if draw.below(3) == 0 {
        servers(&mut draw, &mut text);
        &["a.test", "b.re.test", "A.re.test", "c"]
    } else {
        server(&mut draw, &mut text);
        &[]
    };
    answers(&mut draw, &mut text);
    let mut signs: &[&str] = &[">"];
    for _ in 0..REQUESTS {
        let at = text.len();
        let method = request(&mut draw, &mut text, signs, hosts);
        // nginx says that it keeps the connection of a 412, and closes it.
        let is_412_likely = ["If-Match", "If-Unmodified"].iter().any(|f| text[at..].contains(f));
        signs = match method {
            _ if is_412_likely => &[">"],
            // A body that nobody reads is read away before its line is written: the next one waits.
            "POST" => &["+"],
            _ => &[">", ">", "+"],
        };
    }
    text
}

/// What the upstream answers first; then it goes on as it does.
fn answers(draw: &mut Draw, out: &mut String) {
    for _ in 0..draw.below(4) {
        let _ = writeln!(
            out,
            "upstream{}: {}",
            draw.of(&["", "", "2"]),
            draw.of(&["200", "200", "404", "500", "302", "401", "204", "304", "206", "201", "503"])
        );
        let field = draw.of(&[
            "X-Up: up",
            "Location: http://$APP/there",
            "X-Accel-Redirect: /b/x?y=z",
            "Set-Cookie: a=b; Path=/",
            "Content-Type: text/html",
            "WWW-Authenticate: Basic realm=x",
            "Expires: Thu, 01 Jan 1970 00:00:01 GMT",
            "ETag: \"tag\"",
            "Last-Modified: Thu, 01 Jan 2015 00:00:00 GMT",
            "X-Accel-Charset: utf-8",
            "X-Accel-Redirect: @named",
            "X-Accel-Buffering: no",
            "Refresh: 1; url=http://$APP/r",
            "Server: up",
            "Set-Cookie: a=b; Domain=x.test",
            "Cache-Control: max-age=3",
            "Accept-Ranges: bytes",
            "Content-Encoding: gzip",
        ]);
        let _ = writeln!(out, "  {field}");
    }
}

/// Two servers with one address, and a map.
fn servers(draw: &mut Draw, out: &mut String) {
    let (key, hit) = (draw.of(&["$arg_x", "$uri", "$host"]), draw.of(&["$1", "$uri", "mapped"]));
    let _ = writeln!(out, "map {key} $m$N {{ 1 one; ~^/a(.*)$ {hit}; *.test host; default d; }}");
    for name in ["a.test", "~^(.+)\\.re\\.test$"] {
        let _ = writeln!(out, "server {{ server_name {name};");
        let mut text = String::new();
        server(draw, &mut text);
        // The map is asked where the mark was.
        let _ =
            writeln!(out, "{}}}", text.replacen("set $v -;", "set $v \"$m$N\";", draw.below(2)));
    }
}

fn server(draw: &mut Draw, out: &mut String) {
    out.push_str("set $v -; server_tokens off;\n");
    for _ in 0..draw.below(3) {
        statement(draw, Level::Server, out);
    }
    // Each once: a second one of a name is refused.
    let mut names = vec![
        "/",
        "= /a",
        "/a",
        "/a/",
        "^~ /a/b",
        "/b",
        "/b/c/",
        "= /b/c/",
        "^~ /c",
        "~ \\.html$",
        "~* ^/(?<x>[a-c]+)/([0-9]+)$",
        "~ ^/a/(.*)$",
        "~ /c(/|$)",
        "~* /B/",
        "@named",
    ];
    for _ in 0..3 + draw.below(4) {
        let name = names.swap_remove(draw.below(names.len()));
        let level = Level::Location(!name.starts_with('~') && !name.starts_with('@'));
        let _ = write!(out, "location {name} {{ ");
        for _ in 0..draw.below(4) {
            statement(draw, level, out);
        }
        content(draw, level, out);
        for (_, inner) in NESTED.iter().filter(|(outer, _)| *outer == name) {
            if draw.below(2) == 0 {
                let level = Level::Location(inner.starts_with('/'));
                let _ = write!(out, "location {inner} {{ ");
                (0..draw.below(3)).for_each(|_| statement(draw, level, out));
                content(draw, level, out);
                out.push_str("} ");
            }
        }
        out.push_str("}\n");
    }
}

fn statement(draw: &mut Draw, level: Level, out: &mut String) {
    let text = text(draw);
    let _ = match draw.below(if level == Level::If { 5 } else { 16 }) {
        0 => write!(out, "set $v \"{text}\"; "),
        1 => write!(out, "{} ", rewrite(draw)),
        2 => write!(out, "break; "),
        3 => write!(out, "return {}; ", returned(draw, &text)),
        4 => write!(out, "add_header X-{} \"{text}\"; ", draw.of(&["A", "B"])),
        5..=7 => {
            let _ = write!(out, "if ({}) {{ ", condition(draw));
            statement(draw, Level::If, out);
            write!(out, "}} ")
        }
        8 => write!(out, "add_header X-{} \"{text}\" always; ", draw.of(&["A", "B"])),
        9 => write!(out, "error_page {} {}; ", draw.of(&CODES), draw.of(&PAGES)),
        10 => write!(out, "proxy_set_header X-{} \"{text}\"; ", draw.of(&["A", "B"])),
        14 if level != Level::Server => {
            write!(out, "if ({}) {{ proxy_pass http://$APP; }} ", condition(draw))
        }
        11 if level == Level::Server => write!(out, "{} ", draw.of(&OF_SERVER)),
        11 => write!(out, "{} ", draw.of(&OF_LOCATION)),
        _ => write!(out, "{} ", draw.of(&SETTINGS)),
    };
}

/// What answers.
fn content(draw: &mut Draw, level: Level, out: &mut String) {
    let has_prefix = level == Level::Location(true);
    let uri = if has_prefix { draw.of(&["", "", "/", "/x", "/x/", "/$v"]) } else { "" };
    let _ = match draw.below(11) {
        0 => write!(out, "return 200 \"{} [{}]\"; ", draw.of(&["one", "two"]), text(draw)),
        8 | 9 => {
            write!(out, "fastcgi_pass $APP2; fastcgi_param A \"{}\"; ", text(draw))
        }
        10 => write!(out, "proxy_pass http://up$N{uri}; "),
        1 | 2 => write!(out, "proxy_pass http://$APP{uri}; "),
        6 => {
            write!(out, "proxy_pass http://$APP{}; ", draw.of(&["$uri", "/$1", "/p$is_args$args"]))
        }
        3 => write!(out, "root $WWW; "),
        4 if has_prefix => write!(out, "alias $WWW/; "),
        5 => {
            let last = draw.of(&["/b", "=404", "@named", "/a?x=$uri", "$uri/"]);
            let last = if last == "$uri/" { "$uri/ =403" } else { last };
            write!(out, "root $WWW; try_files $uri {last}; ")
        }
        _ => Ok(()),
    };
}

fn rewrite(draw: &mut Draw) -> String {
    let regex = draw.of(&["^/a/(.*)$", "^(/b)(.*)$", "/c", "^/([^/]+)/([^/]+)", "\\.html$", "^/$"]);
    let to =
        draw.of(&["/b/$1", "/c/$1?y=$1", "/a", "/a/$1?", "/b/$v", "http://other.test/$1", "$1"]);
    let flag = draw.of(&["", "", " last", " break", " redirect", " permanent"]);
    format!("rewrite {regex} {to}{flag};")
}

fn returned(draw: &mut Draw, text: &str) -> String {
    match draw.below(5) {
        0 => draw.of(&["404", "403", "204", "500", "405"]).into(),
        1 => format!("{} http://other.test/$v", draw.of(&["301", "302", "307"])),
        2 => format!("302 {}", draw.of(&["/b", "/b?x=$arg_x", "$uri/"])),
        3 => format!("{} \"{text}\"", draw.of(&["404", "410", "503"])),
        _ => format!("200 \"{text}\""),
    }
}

fn condition(draw: &mut Draw) -> String {
    match draw.below(8) {
        0 => "$arg_x".into(),
        1 => format!("$arg_x {} 1", draw.of(&["=", "!="])),
        2 => format!("$uri {} ^/([a-c])/(.*)$", draw.of(&["~", "!~", "~*", "!~*"])),
        3 => format!("$request_method {} POST", draw.of(&["=", "!="])),
        4 => format!("$http_x_t {} \"(t+)\"", draw.of(&["~", "!~"])),
        5 => format!("{} $WWW$uri", draw.of(&["-f", "!-f", "-d", "!-d", "-e", "!-e"])),
        6 => "$v = -".into(),
        _ => "$v".into(),
    }
}

fn text(draw: &mut Draw) -> String {
    let pieces = [
        "$uri",
        "$args",
        "$arg_x",
        "$request_uri",
        "$1",
        "$2",
        "$v",
        "$host",
        "$http_x_t",
        "$is_args",
        "$request_method",
        "$document_uri",
        "$query_string",
        "$scheme",
        "$x",
        "a",
        "-",
        " ",
        "${v}b",
        "$remote_addr",
        "$content_length",
        "$cookie_c",
    ];
    let count = 1 + draw.below(4);
    let mut text: String = (0..count).map(|_| draw.of(&pieces)).collect();
    // A group with a name is there only where an expression has it.
    text = text.replace("$x", "$arg_x");
    text
}

/// One on a connection of one of these; the method.
fn request(draw: &mut Draw, out: &mut String, signs: &[&str], hosts: &[&str]) -> &'static str {
    let names = [
        "a",
        "b",
        "c",
        "a.html",
        "1",
        "12",
        "page",
        "x",
        "B",
        "",
        "%61",
        "%2e",
        "..",
        ".",
        "a%20b",
        "index.html",
    ];
    // What leads above the root is refused before it is logged as what it is.
    let mut target = format!("/{}", draw.of(&names[..8]));
    for _ in 0..draw.below(4) {
        let _ = write!(
            target,
            "/{}",
            draw.of(if target.contains("..") { &names[..9] } else { &names })
        );
    }
    target += draw.of(&["", "", "/", "?x=1", "?x=2&y=%20", "?"]);
    let sign = draw.of(signs);
    let method = draw.of(&["GET", "GET", "GET", "HEAD", "POST", "DELETE"]);
    let _ = writeln!(out, "{sign} {method} {target}");
    if draw.below(3) == 0 {
        let _ = writeln!(out, "  X-T: {}", draw.of(&["t", "ttt", "none", "a b"]));
    }
    if !hosts.is_empty() {
        let _ = writeln!(out, "  Host: {}", draw.of(hosts));
    }
    if draw.below(3) == 0 {
        let _ = writeln!(out, "  {}", draw.of(&FIELDS));
    }
    // nginx never answers some bodies behind a guard that is sent their length.
    if method == "POST" && !out.contains("auth_request") {
        out.push_str("  body: ann\n");
    }
    method
}
