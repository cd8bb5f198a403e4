//! Text with variables, compiled: `a$b${c}` to literal and variable parts.
//!
//! Owns: the rules of `$`. The names of variables are `variable`'s.

use super::model::{Part, Template, Variable};
use super::variable::{OwnNames, variable};

/// Compiles a text. The error is nginx's message, without a place.
pub(crate) fn compile(text: &str, own: &OwnNames) -> Result<Template, String> {
    compile_with(text, own, true)
}

/// Compiles a text of a log format. nginx: there `$1` is a name as any other, and none that is
/// known.
pub(crate) fn compile_log(text: &str, own: &OwnNames) -> Result<Template, String> {
    compile_with(text, own, false)
}

fn compile_with(text: &str, own: &OwnNames, has_groups: bool) -> Result<Template, String> {
    let mut parts: Vec<Part> = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        push_literal(&mut parts, &rest[..at]);
        let after = &rest[at + 1..];
        // nginx: one digit, whatever follows it.
        let group = after.chars().next().filter(|_| has_groups).and_then(|c| c.to_digit(10));
        if let Some(group @ 1..) = group {
            parts.push(Part::Variable(Variable::Group(group as usize)));
            rest = &after[1..];
            continue;
        }
        let (name, behind) = match after.strip_prefix('{') {
            Some(inner) => {
                let end = inner.find('}').ok_or_else(|| {
                    format!("the closing bracket in \"{}\" variable is missing", name_of(inner))
                })?;
                (&inner[..end], &inner[end + 1..])
            }
            None => {
                let name = name_of(after);
                (name, &after[name.len()..])
            }
        };
        if name.is_empty() || name_of(name) != name {
            return Err(format!(
                "invalid variable name in \"{}\"",
                nginx_conf::parse::shorten(text)
            ));
        }
        let variable = variable(name, own)?;
        if has_groups && variable == Variable::RequestBody {
            return Err(format!(
                "the \"{name}\" variable is known in log_format alone: bodies stream, and are not \
                 known before they are sent"
            ));
        }
        parts.push(Part::Variable(variable));
        rest = behind;
    }
    push_literal(&mut parts, rest);
    Ok(Template(parts))
}

fn push_literal(parts: &mut Vec<Part>, text: &str) {
    if text.is_empty() {
        return;
    }
    match parts.last_mut() {
        Some(Part::Literal(before)) => before.extend_from_slice(text.as_bytes()),
        _ => parts.push(Part::Literal(text.as_bytes().to_vec())),
    }
}

/// The letters, digits and underscores at the start.
fn name_of(text: &str) -> &str {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.find(|c| !is_part(c)).map_or(text, |end| &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[Part]) {
        assert_eq!(
            compile(text, &OwnNames::new()).map(|template| template.0).as_deref(),
            Ok(expected),
            "{text}"
        );
    }

    fn text(text: &str) -> Part {
        Part::Literal(text.as_bytes().to_vec())
    }

    #[test]
    fn text_and_variables_are_told_apart() {
        check("", &[]);
        check("abc", &[text("abc")]);
        check("$host", &[Part::Variable(Variable::Host)]);
        check("a${host}b", &[text("a"), Part::Variable(Variable::Host), text("b")]);
        let both = [Part::Variable(Variable::Scheme), text("://"), Part::Variable(Variable::Host)];
        check("$scheme://$host", &both);
        check("$HOST", &[Part::Variable(Variable::Host)]);
        check("ü$host", &[text("ü"), Part::Variable(Variable::Host)]);
    }

    #[test]
    fn a_digit_behind_a_dollar_is_a_group_but_in_a_log_format() {
        let group = |number| Part::Variable(Variable::Group(number));
        check("$1", &[group(1)]);
        check("a$12$9x", &[text("a"), group(1), text("2"), group(9), text("x")]);
        let log = compile_log("$1", &OwnNames::new()).map(|template| template.0);
        assert_eq!(log, Err("unknown \"1\" variable".to_owned()));
    }

    #[test]
    fn bad_variables_are_told_in_nginx_words() {
        for (text, expected) in [
            ("$hostt", "unknown \"hostt\" variable; did you mean \"$host\"?"),
            ("${nothing_like_it}", "unknown \"nothing_like_it\" variable"),
            ("${host", "the closing bracket in \"host\" variable is missing"),
            ("a$", "invalid variable name in \"a$\""),
            ("$-", "invalid variable name in \"$-\""),
            ("${}", "invalid variable name in \"${}\""),
            ("${a-b}", "invalid variable name in \"${a-b}\""),
            ("${1}", "unknown \"1\" variable"),
            ("$0", "unknown \"0\" variable"),
            (
                "$geoip_city",
                "the \"geoip_city\" variable is refused: addresses are not looked up in \
                             data of places; `geo` makes such a variable",
            ),
            (
                "$request_body",
                "the \"request_body\" variable is known in log_format alone: bodies \
                               stream, and are not known before they are sent",
            ),
        ] {
            assert_eq!(
                compile(text, &OwnNames::new()).map(|template| template.0),
                Err(expected.to_owned())
            );
        }
    }
}
