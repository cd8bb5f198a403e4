//! What is told of directives to who asks: one line or one entry for a terminal, a page for readers.
//!
//! Owns: the words and the order. It must say nothing of a directive that the table does not say.

use std::fmt::Write as _;

use crate::suggest::nearest;
use crate::table::{ANY, Block, Class, Kind, Row, rows};

/// A line for each directive, by name: what becomes of it, and what has to be known of that.
pub fn list() -> String {
    let mut out = String::new();
    for row in sorted(|_| true) {
        let told = told(row);
        let colon = if told.is_empty() { "" } else { ": " };
        let _ = writeln!(out, "{} ({}) {}{colon}{told}", row.name, row.contexts, row.class);
    }
    out
}

/// All that is known of the directives that a name stands for: an entry for each meaning.
///
/// # Errors
/// That there is none of that name, with the nearest one.
pub fn entries(name: &str) -> Result<String, String> {
    let mut out = String::new();
    let exact = |row: &Row| row.name == name;
    let found = if rows().any(exact) { sorted(exact) } else { sorted(|row| row.matches(name)) };
    for row in &found {
        let _ = writeln!(out, "syntax:  {}\ncontext: {}", syntax(row), row.contexts);
        let _ = writeln!(out, "here:    {}", row.class);
        for (word, text) in [("why:     ", row.class.reason()), ("note:    ", row.note)] {
            if !text.is_empty() {
                let _ = writeln!(out, "{word}{text}");
            }
        }
        if let Some(url) = row.url() {
            let _ = writeln!(out, "nginx:   {url}");
        }
    }
    if found.is_empty() {
        let near = nearest(name, rows().filter(|row| !row.is_family()).map(|row| row.name));
        let near = near.map_or(String::new(), |near| format!("; did you mean \"{near}\"?"));
        return Err(format!("unknown directive \"{name}\"{near}"));
    }
    Ok(out)
}

/// The reference page as Markdown. `differences` is the last part's list, which tests know.
pub fn page(differences: &str) -> String {
    let mut out = String::from(
        "# The directives of nginx, and what becomes of each\n\n\
         Made from the table in `src/table`, and from the cases that the tests compare with nginx; \
         `proxy --directives NAME` tells the same of one. A name that ends with `*` stands for all \
         that begin so. A name that is not here is unknown, which is an error.\n\n\
         ## Implemented\n\n\
         With nginx's meaning, and what has to be known besides.\n\n\
         | Directive | Context | Note |\n|---|---|---|\n",
    );
    for row in sorted(|row| row.class == Class::Implemented) {
        let syntax = syntax(row).replace('|', "\\|");
        let url = row.url().unwrap_or_default();
        let _ = writeln!(out, "| [`{syntax}`]({url}) | {} | {} |", row.contexts, row.note);
    }
    out.push_str(
        "\n## Accepted without effect\n\nChecked, told by `proxy -t`, and nothing more. By reason.\n\n",
    );
    by_reason(&mut out, |class| matches!(class, Class::NoEffect(_) | Class::Inert(_)));
    out.push_str(
        "\n## Refused\n\nAn error, with the place and this reason; after a semicolon stands what \
         does it instead.\n\n",
    );
    by_reason(&mut out, |class| matches!(class, Class::Refused(_)));
    out.push_str("\n## Differences from nginx\n\n");
    out.push_str(
        "What the tests saw to be otherwise than in nginx, by reason; in brackets the cases \
         (`bins/proxy/tests/beside_nginx/cases`).\n\n",
    );
    out.push_str(differences);
    out
}

/// One item for each reason, in the order of the first name, with the names that have it.
fn by_reason(out: &mut String, has: impl Fn(Class) -> bool) {
    let rows = sorted(|row| has(row.class));
    let mut told: Vec<&str> = Vec::new();
    for row in &rows {
        let reason = row.class.reason();
        if told.contains(&reason) {
            continue;
        }
        told.push(reason);
        let alike = rows.iter().filter(|other| other.class.reason() == reason);
        let mut names: Vec<String> = alike.map(|other| format!("`{}`", other.name)).collect();
        names.dedup();
        let _ = writeln!(out, "- {}: {reason}", names.join(", "));
    }
}

fn sorted(is_wanted: impl Fn(&Row) -> bool) -> Vec<&'static Row> {
    let mut found: Vec<&'static Row> = rows().filter(|row| is_wanted(row)).collect();
    found.sort_by_key(|row| row.name);
    found
}

/// Why it is not carried out, or what has to be known where it is.
fn told(row: &Row) -> &'static str {
    if row.class == Class::Implemented { row.note } else { row.class.reason() }
}

/// How it is written, as `client_max_body_size SIZE;`.
fn syntax(row: &Row) -> String {
    let mut out = row.name.to_owned();
    let shape = row.shape;
    let is_unbounded = shape.max == ANY;
    let shown = if is_unbounded { shape.min } else { shape.max };
    for index in 0..shown {
        let kind = shape.kinds.get(usize::from(index)).or(shape.kinds.last());
        let kind = kind.copied().unwrap_or(Kind::Word);
        let (open, close) = if index < shape.min { ("", "") } else { ("[", "]") };
        let _ = write!(out, " {open}{}{close}", placeholder(kind));
    }
    out.push_str(if is_unbounded { " …" } else { "" });
    out.push_str(match shape.block {
        Block::Absent => ";",
        Block::Of(_) | Block::Data => " { … }",
    });
    out
}

fn placeholder(kind: Kind) -> String {
    match kind {
        Kind::Word => "VALUE",
        Kind::Flag => "on|off",
        Kind::Size | Kind::Offset => "SIZE",
        Kind::SizeOrOff => "SIZE|off",
        Kind::Time => "TIME",
        Kind::Seconds => "SECONDS",
        Kind::Number => "NUMBER",
        Kind::NumberOrAuto => "NUMBER|auto",
        Kind::OneOf(words) => return words.join("|"),
    }
    .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, expected: &str) {
        assert_eq!(entries(name).as_deref(), Ok(expected), "{name}");
    }

    #[test]
    fn a_directive_is_told_with_its_syntax_its_places_and_what_becomes_of_it() {
        check(
            "keepalive_requests",
            "syntax:  keepalive_requests NUMBER;\ncontext: http, server, location\nhere:    implemented\n\
             nginx:   https://nginx.org/en/docs/http/ngx_http_core_module.html#keepalive_requests\n\
             syntax:  keepalive_requests NUMBER;\ncontext: upstream\nhere:    implemented\n\
             nginx:   https://nginx.org/en/docs/http/ngx_http_upstream_module.html#keepalive_requests\n",
        );
        check(
            "tcp_nodelay",
            "syntax:  tcp_nodelay on|off;\ncontext: http, server, location\nhere:    no effect\n\
             why:     it is always on\n\
             nginx:   https://nginx.org/en/docs/http/ngx_http_core_module.html#tcp_nodelay\n",
        );
    }

    #[test]
    fn a_name_of_a_whole_module_is_found_and_an_unknown_one_is_told_with_the_nearest() {
        let told = entries("content_by_lua_block").unwrap();
        assert!(told.contains("here:    refused\nwhy:     Lua is not run here; "), "{told}");
        let expected = "unknown directive \"proxy_pas\"; did you mean \"proxy_pass\"?";
        assert_eq!(entries("proxy_pas"), Err(expected.to_owned()));
        assert_eq!(entries("x*y"), Err("unknown directive \"x*y\"".to_owned()));
    }

    #[test]
    fn the_list_has_a_line_for_every_row_and_the_page_every_name() {
        let (list, page) = (list(), page(""));
        assert_eq!(list.lines().count(), rows().count());
        for row in rows() {
            assert!(list.contains(&format!("{} ({}) {}", row.name, row.contexts, row.class)));
            assert!(page.contains(&format!("`{}", row.name)), "{}", row.name);
            assert!(page.contains(told(row)), "{}", row.name);
        }
    }

    #[test]
    fn the_syntax_tells_what_may_be_left_out() {
        let check = |name: &str, expected: &str| {
            let row = rows().find(|row| row.name == name).unwrap();
            assert_eq!(syntax(row), expected);
        };
        check("add_header", "add_header VALUE VALUE [always];");
        check("http", "http { … }");
        check("index", "index VALUE …;");
        check("location", "location VALUE [VALUE] { … }");
        check("server_tokens", "server_tokens on|off|build;");
        check("internal", "internal;");
    }
}
