//! What both programs did with a case, side by side.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::case::Case;
use crate::client::Outcome;
use crate::plain::{Plain, Sizes};
use crate::wire::{Head, latin1};

/// Something that is not the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// From 1; 0 is the case as a whole.
    pub request: usize,
    pub what: String,
    pub ours: String,
    pub nginx: String,
}

/// All that one program did.
pub struct Record<'a> {
    pub plain: Plain<'a>,
    pub outcomes: Vec<Outcome>,
    /// By log file.
    pub logs: Vec<Vec<String>>,
}

/// Finds all differences of a case.
pub fn differences(case: &Case, nginx: &Record<'_>, ours: &Record<'_>) -> Vec<Difference> {
    let mut found = Found::default();
    let pairs = nginx.outcomes.iter().zip(&ours.outcomes);
    for (index, (theirs, own)) in pairs.enumerate() {
        found.request = index + 1;
        nginx.plain.of_request(index);
        ours.plain.of_request(index);
        found.answers((theirs, &nginx.plain), (own, &ours.plain));
        found.seen(case, (theirs, &nginx.plain), (own, &ours.plain));
    }
    found.logs(nginx, ours);
    found.all
}

#[derive(Default)]
struct Found {
    request: usize,
    all: Vec<Difference>,
}

type OfSide<'o> = (&'o Outcome, &'o Plain<'o>);

impl Found {
    fn check(&mut self, what: &str, nginx: String, ours: String) {
        if nginx != ours {
            let what = what.to_owned();
            self.all.push(Difference { request: self.request, what, ours, nginx });
        }
    }

    fn answers(&mut self, (nginx, nginx_plain): OfSide<'_>, (ours, ours_plain): OfSide<'_>) {
        self.check("status", nginx.head.line.clone(), ours.head.line.clone());
        self.check("interim", nginx.interim.join(", "), ours.interim.join(", "));
        self.check("end", nginx_plain.text(&nginx.end), ours_plain.text(&ours.end));
        let fields = |outcome: &Outcome, plain: &Plain<'_>, name: &str| {
            values(&outcome.head, name, |value| match name {
                "Content-Length" => plain_length(outcome, plain, value),
                _ => plain.answer_text(value),
            })
        };
        for name in names(&nginx.head, &ours.head) {
            let (theirs, own) =
                (fields(nginx, nginx_plain, &name), fields(ours, ours_plain, &name));
            self.check(&format!("field {name}"), theirs, own);
        }
        let trailer = |outcome: &Outcome, plain: &Plain<'_>| {
            plain.answer_text(&outcome.body.trailer.join(" / "))
        };
        self.check("trailer", trailer(nginx, nginx_plain), trailer(ours, ours_plain));
        self.check("body", content(nginx, nginx_plain), content(ours, ours_plain));
        if unpacked(nginx).is_some() && unpacked(ours).is_some() {
            let (theirs, own) = (nginx.body.data.len(), ours.body.data.len());
            let is_small = own <= theirs + theirs / 10 + 64;
            let size = if is_small { theirs } else { own };
            self.check("packed size", theirs.to_string(), size.to_string());
        }
    }

    /// What reached the upstreams. `Connection: close` is nginx's default there and not ours: it
    /// counts only in cases that are about it.
    fn seen(&mut self, case: &Case, nginx: OfSide<'_>, ours: OfSide<'_>) {
        let is_about_it =
            ["Connection", "proxy_http_version"].iter().any(|word| case.conf.contains(word));
        let lines = |(outcome, plain): OfSide<'_>| {
            let line = |seen: &crate::upstream::Seen| {
                format!("{}: {}", seen.upstream + 1, plain.text(&seen.head.line))
            };
            outcome.seen.iter().map(line).collect::<Vec<_>>().join("; ")
        };
        self.check("seen line", lines(nginx), lines(ours));
        for (theirs, own) in nginx.0.seen.iter().zip(&ours.0.seen) {
            for name in names(&theirs.head, &own.head) {
                let of = |head: &Head, plain: &Plain<'_>| {
                    let found = values(head, &name, |value| plain.text(value));
                    if name == "Connection" && !is_about_it {
                        return found.replace("[close]", "");
                    }
                    found
                };
                let (theirs, own) = (of(&theirs.head, nginx.1), of(&own.head, ours.1));
                self.check(&format!("seen field {name}"), theirs, own);
            }
            let body = |seen: &crate::upstream::Seen| {
                let whole = if seen.body.is_whole { "" } else { " (cut short)" };
                format!("{}{whole}", latin1(&seen.body.data))
            };
            self.check("seen body", body(theirs), body(own));
        }
    }

    fn logs(&mut self, nginx: &Record<'_>, ours: &Record<'_>) {
        for (theirs, own) in nginx.logs.iter().zip(&ours.logs) {
            let theirs = in_order_of(own, theirs);
            let (theirs, own) = (log_lines(nginx, &theirs), log_lines(ours, own));
            self.request = 0;
            if theirs.len() != own.len() {
                self.check("log", theirs.join(" // "), own.join(" // "));
                continue;
            }
            for (index, (theirs, own)) in theirs.iter().zip(&own).enumerate() {
                self.request = index + 1;
                self.log_line(theirs, own);
            }
        }
    }

    /// Column by column where both have columns.
    fn log_line(&mut self, nginx: &str, ours: &str) {
        let column = |part: &str| {
            let (name, value) = part.split_once('=')?;
            let is_name = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
            is_name.then(|| (name.to_owned(), value.to_owned()))
        };
        let columns =
            |line: &str| line.split('\t').map(column).collect::<Option<Vec<(String, String)>>>();
        match (columns(nginx), columns(ours)) {
            (Some(theirs), Some(own)) if theirs.len() == own.len() => {
                let of = |wanted: &str| theirs.iter().find(|(name, _)| name == wanted);
                let [uri, asked] = ["uri", "request_uri"].map(|name| of(name).map(|(_, it)| it));
                let is_elsewhere = uri != asked;
                for ((name, theirs), (_, own)) in theirs.into_iter().zip(own) {
                    // nginx: behind a redirect within that has no arguments they are empty or none,
                    // as whatever stood in that memory before has it.
                    let is_args = matches!(name.as_str(), "args" | "query_string");
                    if is_elsewhere && is_args && own.is_empty() && theirs == "-" {
                        continue;
                    }
                    self.check(&format!("log {name}"), theirs, own);
                }
            }
            _ => self.check("log line", nginx.to_owned(), ours.to_owned()),
        }
    }
}

/// What was packed, as it was before: the compressors differ.
fn content(outcome: &Outcome, plain: &Plain<'_>) -> String {
    match unpacked(outcome) {
        Some(unpacked) => format!("packed: {}", plain.answer_text(&latin1(&unpacked))),
        None => plain.answer_text(&latin1(&outcome.body.data)),
    }
}

/// The content of a whole gzip stream (RFC 1952) without options, where the answer has one.
fn unpacked(outcome: &Outcome) -> Option<Vec<u8>> {
    let data = outcome.body.data.as_slice();
    let is_packed = outcome.head.get("content-encoding") == Some("gzip");
    let stream = data.strip_prefix(&[0x1f, 0x8b, 8, 0]).filter(|_| is_packed)?;
    let (stream, tail) = stream.get(6..)?.split_last_chunk::<8>()?;
    let found = miniz_oxide::inflate::decompress_to_vec(stream).ok()?;
    let sums = [crc32fast::hash(&found).to_le_bytes(), (found.len() as u32).to_le_bytes()];
    (sums.concat() == tail).then_some(found)
}

/// Names that either has, as written.
fn names(one: &Head, other: &Head) -> BTreeSet<String> {
    one.fields.iter().chain(&other.fields).map(|(name, _)| name.clone()).collect()
}

/// All values of a name in their order.
fn values(head: &Head, name: &str, with: impl Fn(&str) -> String) -> String {
    let of_name = head.fields.iter().filter(|(known, _)| known == name);
    of_name.map(|(_, value)| format!("[{}]", with(value))).collect()
}

/// A length that is right for a text with the program's name in it is that of the text without.
fn plain_length(outcome: &Outcome, plain: &Plain<'_>, value: &str) -> String {
    let text = latin1(&outcome.body.data);
    let named = plain.answer_text(&text);
    match value.parse() == Ok(outcome.body.data.len()) && named != text {
        true => "right".to_owned(),
        false => value.to_owned(),
    }
}

/// The lines in the order of others, by their first columns where these are the same: a line comes when
/// its request is over, and one whose body is still thrown away may be so after the next one on another
/// connection.
fn in_order_of(others: &[String], lines: &[String]) -> Vec<String> {
    let first = |line: &String| line.split('\t').next().unwrap_or_default().to_owned();
    let mut left = lines.to_vec();
    let mut take = |other: &String| {
        let at = left.iter().position(|line| first(line) == first(other))?;
        Some(left.remove(at))
    };
    let ordered: Option<Vec<String>> = others.iter().map(&mut take).collect();
    ordered.filter(|ordered| ordered.len() == lines.len()).unwrap_or_else(|| lines.to_vec())
}

/// Lines without what changes. Where each request has one line it must have that request's sizes.
fn log_lines(record: &Record<'_>, lines: &[String]) -> Vec<String> {
    let seen_bytes: Vec<Vec<usize>> = record
        .outcomes
        .iter()
        .map(|outcome| {
            outcome.seen.iter().map(|seen| seen.head.bytes + seen.body.wire_bytes).collect()
        })
        .collect();
    let sizes: Vec<Sizes<'_>> = record
        .outcomes
        .iter()
        .zip(&seen_bytes)
        .map(|(outcome, seen_bytes)| Sizes {
            bytes: outcome.bytes,
            body_bytes: outcome.body.wire_bytes,
            seen_bytes,
        })
        .collect();
    let has_one_each = sizes.len() == lines.len();
    let line = |(index, line): (usize, &String)| {
        let sizes = if has_one_each { &sizes[index..=index] } else { sizes.as_slice() };
        if has_one_each {
            record.plain.of_request(index);
        }
        record.plain.log_line(line, sizes)
    };
    lines.iter().enumerate().map(line).collect()
}

/// What a program did with a case, for whoever writes one.
pub fn told(record: &Record<'_>) -> String {
    let mut out = String::new();
    for outcome in &record.outcomes {
        for line in &outcome.interim {
            let _ = writeln!(out, "  < {line}");
        }
        let fields = |head: &Head| {
            head.fields
                .iter()
                .map(|(name, value)| format!(" | {name}: {value}"))
                .collect::<String>()
        };
        let body = |body: &[u8]| String::from_utf8_lossy(&body[..body.len().min(200)]).into_owned();
        let (line, end) = (&outcome.head.line, &outcome.end);
        let data = body(&outcome.body.data);
        let _ = writeln!(out, "  < {line}{} | {data:?} {end}", fields(&outcome.head));
        for seen in &outcome.seen {
            let (upstream, data) = (seen.upstream + 1, body(&seen.body.data));
            let fields = fields(&seen.head);
            let _ = writeln!(out, "    upstream {upstream}: {}{fields} | {data:?}", seen.head.line);
        }
    }
    for line in record.logs.iter().flatten() {
        let _ = writeln!(out, "  log {}", line.replace('\t', " | "));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conf::Tokens;
    use crate::program::Side;
    use crate::wire::Body;

    fn record(side: Side, fields: &[(&str, &str)], body: &str, log: &str) -> Record<'static> {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let head = Head {
            line: "HTTP/1.1 200 OK".into(),
            fields: fields.iter().map(owned).collect(),
            bytes: 0,
        };
        let body =
            Body { data: body.into(), wire_bytes: body.len(), is_whole: true, trailer: Vec::new() };
        let outcome = Outcome { head, body, ..Outcome::default() };
        Record {
            plain: Plain::new(side, "1.22.1", &Tokens::new()),
            outcomes: vec![outcome],
            logs: vec![vec![log.into()]],
        }
    }

    fn check(nginx: &Record<'_>, ours: &Record<'_>, expected: &[&str]) {
        let found = differences(&Case::default(), nginx, ours);
        let found: Vec<&str> = found.iter().map(|difference| difference.what.as_str()).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn order_counts_within_a_name_and_not_between_names() {
        let nginx = record(Side::Nginx, &[("A", "1"), ("B", "x"), ("A", "2")], "", "");
        check(&nginx, &record(Side::Ours, &[("B", "x"), ("A", "1"), ("A", "2")], "", ""), &[]);
        let turned = record(Side::Ours, &[("A", "2"), ("B", "x"), ("A", "1")], "", "");
        check(&nginx, &turned, &["field A"]);
        check(&nginx, &record(Side::Ours, &[("A", "1"), ("A", "2")], "", ""), &["field B"]);
    }

    #[test]
    fn a_program_may_have_its_own_name_and_nothing_else() {
        let page = |name: &str| format!("<center>{name}</center>");
        let (theirs, own) = (page("nginx"), page("sidecar-kit"));
        let nginx = record(Side::Nginx, &[("Content-Length", "22")], &theirs, "");
        check(&nginx, &record(Side::Ours, &[("Content-Length", "28")], &own, ""), &[]);
        let wrong = record(Side::Ours, &[("Content-Length", "22")], &own, "");
        check(&nginx, &wrong, &["field Content-Length"]);
        let other = record(Side::Ours, &[("Content-Length", "20")], &page("other"), "");
        check(&nginx, &other, &["field Content-Length", "body"]);
    }

    #[test]
    fn log_lines_may_come_in_another_order_and_not_be_others() {
        let owned =
            |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>();
        let check = |others: &[&str], lines: &[&str], expected: &[&str]| {
            assert_eq!(in_order_of(&owned(others), &owned(lines)), owned(expected));
        };
        check(
            &["r=a\tx", "r=b\ty", "r=a\tz"],
            &["r=b\t1", "r=a\t2", "r=a\t3"],
            &["r=a\t2", "r=b\t1", "r=a\t3"],
        );
        check(&["r=a", "r=b"], &["r=b", "r=c"], &["r=b", "r=c"]);
        check(&["r=a"], &["r=b", "r=a"], &["r=b", "r=a"]);
        check(&["r=a", "r=b"], &["r=b"], &["r=b"]);
    }

    #[test]
    fn log_lines_are_compared_by_column_where_they_have_columns() {
        let nginx = record(Side::Nginx, &[], "hello", "status=200\tbody_bytes_sent=5\thost=a");
        let ours = record(Side::Ours, &[], "hello", "status=201\tbody_bytes_sent=4\thost=a");
        check(&nginx, &ours, &["log status", "log body_bytes_sent"]);
        check(&nginx, &record(Side::Ours, &[], "hello", "other"), &["log line"]);
        let line = |uri: &str, args: &str| {
            format!("args={args}\tquery_string={args}\turi={uri}\trequest_uri=/a")
        };
        let empty = |uri: &str| record(Side::Ours, &[], "", &line(uri, ""));
        check(&record(Side::Nginx, &[], "", &line("/b", "-")), &empty("/b"), &[]);
        let plain = record(Side::Nginx, &[], "", &line("/a", "-"));
        check(&plain, &empty("/a"), &["log args", "log query_string"]);
        let nginx = record(Side::Nginx, &[], "", "args=-\tquery_string=-\turi=-");
        let empty = record(Side::Ours, &[], "", "args=\tquery_string=\turi=");
        check(&nginx, &empty, &["log uri"]);
        let wrong = record(Side::Ours, &[], "", "args=a\tquery_string=-\turi=-");
        check(&nginx, &wrong, &["log args"]);
    }
}
