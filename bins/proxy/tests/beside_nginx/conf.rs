//! From the configuration of cases to whole files: what is added around a piece of any level, and
//! the values of tokens.
//!
//! Added where the text does not say it itself: a `server` around text of a server's level, `listen
//! 127.0.0.1:$PORT`, `access_log $LOG long`, and two defaults of ours that nginx has otherwise
//! (`proxy_http_version 1.1`, `proxy_request_buffering off`).
//!
//! Tokens: `$PORT $PORT2 $PORT3` are listened on, `$APP $APP2 $APP3` are upstreams that answer,
//! `$PATH $PATH2 $PATH3` are the same at `unix:` paths, `$DEAD` and `$DEADPATH` refuse, `$FULL` one that lets connections wait for ever, `$LOG $LOG2
//! $LOG3` are access logs to compare (formats `long`, which is what cases get, and `short`), `$USERS` is a
//! file of users and passwords, `$DNS` a name server, `$APPPORT` the port of `$APP`, and `$N` makes names (`upstream app$N`) the case's own.

use std::collections::BTreeMap;
use std::path::Path;

/// `long`, with the variables whose values differ between requests, and `short`.
const FORMATS: &str = include_str!("formats.conf");

/// Values by token, without its `$`.
pub type Tokens = BTreeMap<String, String>;

/// Which file a case can be part of.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
pub enum Level {
    /// A whole file.
    Main,
    /// Of `http`, with settings there that others must not inherit.
    Http,
    /// Of `http`, fit to stand beside others.
    Shared,
    /// Of a server.
    Server,
}

/// Directives of the `http` level that change nothing for other servers.
const NAMED: [&str; 9] = [
    "server",
    "upstream",
    "log_format",
    "map",
    "geo",
    "split_clients",
    "limit_req_zone",
    "limit_conn_zone",
    "proxy_cache_path",
];

/// What a case's text is.
pub fn level(text: &str) -> Level {
    let names: Vec<&str> = statements(text).into_iter().map(first_word).collect();
    let is_named = |name: &&str| NAMED.contains(name);
    if names.contains(&"http") {
        Level::Main
    } else if !names.contains(&"server") {
        Level::Server
    } else if names.iter().all(is_named) {
        Level::Shared
    } else {
        Level::Http
    }
}

/// A file of several cases, or of one that needs a file of its own.
pub struct Frame<'a> {
    /// For what nginx writes.
    pub folder: &'a Path,
    /// Answers as soon as all is served, and after all that came before.
    pub barrier: u16,
}

impl Frame<'_> {
    pub fn file(&self, cases: &[(&str, &Tokens)]) -> String {
        if let [(text, tokens)] = cases
            && level(text) != Level::Shared
            && level(text) != Level::Server
        {
            return fill(&self.alone(text), tokens);
        }
        let parts: Vec<String> = cases.iter().map(|(text, to)| fill(&shared(text), to)).collect();
        format!("events {{}}\nhttp {{\n{}\n{}\n}}\n", self.preamble(), parts.join("\n"))
    }

    fn alone(&self, text: &str) -> String {
        let defaults = defaults(text);
        if level(text) == Level::Http {
            let text: String = statements(text).into_iter().map(with_listen).collect();
            return format!("events {{}}\nhttp {{\n{}\n{defaults}\n{text}\n}}\n", self.preamble());
        }
        let events = if text.contains("events") { "" } else { "events {}\n" };
        let http = format!("http {{\n{}\n{defaults}\n", self.preamble());
        format!("{events}{}", text.replacen("http {", &http, 1))
    }

    fn preamble(&self) -> String {
        let folder = self.folder.display();
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|kind| format!("{kind}_temp_path {folder}/{kind};\n"))
            .concat();
        let barrier = self.barrier;
        format!(
            "{temporary}{FORMATS}\
             server {{ listen 127.0.0.1:{barrier}; access_log off; return 204; }}\n"
        )
    }
}

/// Text for the `http` level of a file that others share.
fn shared(text: &str) -> String {
    let defaults = defaults(text);
    if level(text) == Level::Shared {
        return statements(text)
            .into_iter()
            .map(|statement| match first_word(statement) {
                "server" => with_listen(statement).replacen('{', &format!("{{\n{defaults}\n"), 1),
                _ => statement.to_owned(),
            })
            .collect();
    }
    let (above, inside): (Vec<&str>, Vec<&str>) =
        statements(text).into_iter().partition(|statement| NAMED.contains(&first_word(statement)));
    let (above, inside) = (above.concat(), inside.concat());
    format!("{above}\nserver {{\nlisten 127.0.0.1:$PORT;\n{defaults}\n{inside}\n}}\n")
}

fn with_listen(statement: &str) -> String {
    if first_word(statement) != "server" || statement.contains("listen") {
        return statement.to_owned();
    }
    statement.replacen('{', "{ listen 127.0.0.1:$PORT;", 1)
}

fn defaults(text: &str) -> String {
    let lines =
        ["access_log $LOG long;", "proxy_http_version 1.1;", "proxy_request_buffering off;"];
    let missing = |line: &&str| !text.contains(first_word(line));
    lines.into_iter().filter(missing).collect::<Vec<_>>().join("\n")
}

fn first_word(statement: &str) -> &str {
    let is_end = |c: char| c.is_whitespace() || matches!(c, ';' | '{');
    statement.trim_start().split(is_end).next().unwrap_or("")
}

/// The directives of the outermost level, blocks and all, with the space around them.
fn statements(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let (mut start, mut depth, mut until, mut is_escaped) = (0, 0, None, false);
    for (at, c) in text.char_indices() {
        if std::mem::take(&mut is_escaped) {
            continue;
        }
        let is_end = match (c, until) {
            ('\\', _) => {
                is_escaped = true;
                false
            }
            (_, Some(end)) => {
                until = until.filter(|_| c != end);
                false
            }
            ('"' | '\'', None) => {
                until = Some(c);
                false
            }
            ('{', None) if text[..at].ends_with('$') => {
                until = Some('}');
                false
            }
            ('{', None) => {
                depth += 1;
                false
            }
            ('}', None) => {
                depth -= 1;
                depth == 0
            }
            _ => c == ';' && depth == 0,
        };
        if is_end {
            found.push(&text[start..=at]);
            start = at + 1;
        }
    }
    if !text[start..].trim().is_empty() {
        found.push(&text[start..]);
    }
    found
}

/// The text with the values of its tokens.
pub fn fill(text: &str, values: &Tokens) -> String {
    let mut out = String::new();
    let mut parts = text.split('$');
    out.push_str(parts.next().unwrap_or_default());
    for part in parts {
        let is_part = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit();
        let (token, rest) = part.split_at(part.find(|c| !is_part(c)).unwrap_or(part.len()));
        match values.get(token) {
            Some(value) => out.extend([value, rest]),
            None => out.extend(["$", part]),
        }
    }
    out
}

#[test]
fn text_is_split_where_its_directives_end() {
    let text = "a b;\nserver { c \"x;}\"; d { e; } }\nlog_format f '${a};' ${b}; g";
    let expected =
        ["a b;", "\nserver { c \"x;}\"; d { e; } }", "\nlog_format f '${a};' ${b};", " g"];
    assert_eq!(statements(text), expected);
}

#[test]
fn the_level_is_that_of_the_first_words() {
    for (text, expected) in [
        ("location / { return 200; }", Level::Server),
        ("upstream a { server b; } location / { }", Level::Server),
        ("upstream a { server b; } server { }", Level::Shared),
        ("add_header a b; server { }", Level::Http),
        ("worker_processes 1; http { }", Level::Main),
    ] {
        assert_eq!(level(text), expected, "{text}");
    }
}

#[test]
fn tokens_are_upper_case_and_variables_are_not() {
    let values: Tokens = [("PORT".into(), "1".into()), ("N".into(), "7".into())].into();
    assert_eq!(fill("$PORT a$N-$host ${uri} $URI $", &values), "1 a7-$host ${uri} $URI $");
}
