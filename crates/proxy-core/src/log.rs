//! Lines of the access log, one for each finished exchange (nginx: `log_format`).
//!
//! It formats; where lines go and when is the program's affair.

use crate::config::model::{Escape, LogFile, LogFormat, Part};
use crate::variables::View;

/// Lines by their destination, until the program takes them.
#[derive(Debug, Default)]
pub struct Lines(Vec<(LogFile, Vec<u8>)>);

impl Lines {
    /// Adds what `push` writes for a destination.
    pub fn add(&mut self, file: &LogFile, push: impl FnOnce(&mut Vec<u8>)) {
        if let Some((_, lines)) = self.0.iter_mut().find(|(known, _)| known == file) {
            return push(lines);
        }
        let mut lines = Vec::new();
        push(&mut lines);
        self.0.push((file.clone(), lines));
    }

    /// Shows the lines of each destination to `take`, which empties them.
    pub fn take_each(&mut self, mut take: impl FnMut(&LogFile, &mut Vec<u8>)) {
        for (file, lines) in self.0.iter_mut().filter(|(_, lines)| !lines.is_empty()) {
            take(file, lines);
            debug_assert!(lines.is_empty(), "lines are taken once");
        }
    }
}

impl View<'_> {
    /// Appends the line with its end.
    pub fn push_log_line(&self, format: &LogFormat, out: &mut Vec<u8>) {
        let mut value = Vec::new();
        for part in &format.template.0 {
            match part {
                Part::Literal(text) => out.extend_from_slice(text),
                Part::Variable(variable) => {
                    // Values are put where they belong; few of them need another form there.
                    let start = out.len();
                    let is_found = self.push_variable(variable, out);
                    let written = out.get(start..).unwrap_or_default();
                    if !is_found {
                        // nginx: in JSON and with `none` it is empty.
                        if format.escape == Escape::Default {
                            out.push(b'-');
                        }
                    } else if !stands_as_it_is(written, format.escape) {
                        value.clear();
                        value.extend_from_slice(written);
                        out.truncate(start);
                        push_escaped(&value, format.escape, out);
                    }
                    let written = out.get(start..).unwrap_or_default();
                    let ends_line = format.escape != Escape::None && written.contains(&b'\n');
                    debug_assert!(!ends_line, "a value stays on its line");
                }
            }
        }
        out.push(b'\n');
    }
}

fn stands_as_it_is(value: &[u8], escape: Escape) -> bool {
    match escape {
        Escape::None => true,
        Escape::Default | Escape::Json => {
            // Without a branch for each byte, so that it is compiled to vector instructions.
            let is_bad = |b: u8| !(0x20..=0x7e).contains(&b) | (b == b'"') | (b == b'\\');
            !value.iter().fold(false, |bad, &b| bad | is_bad(b))
        }
    }
}

fn push_escaped(value: &[u8], escape: Escape, out: &mut Vec<u8>) {
    match escape {
        Escape::Default => {
            for &byte in value {
                match byte {
                    b'"' | b'\\' | 0..=0x1f | 0x7f..=0xff => push_hex(byte, b"\\x", out),
                    _ => out.push(byte),
                }
            }
        }
        Escape::Json => push_json(value, out),
        Escape::None => out.extend_from_slice(value),
    }
}

/// Adds what stands between the quotes of a JSON text.
pub(crate) fn push_json(value: &[u8], out: &mut Vec<u8>) {
    for &byte in value {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0x08 => out.extend_from_slice(b"\\b"),
            0x0c => out.extend_from_slice(b"\\f"),
            0..=0x1f => push_hex(byte, b"\\u00", out),
            _ => out.push(byte),
        }
    }
}

fn push_hex(byte: u8, prefix: &[u8], out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    out.extend_from_slice(prefix);
    let digit = |value: u8| HEX.get(usize::from(value)).copied().unwrap_or(b'0');
    out.extend_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tests::good;
    use crate::response::Response;
    use crate::test_case::Case;

    #[test]
    fn lines_go_to_their_destinations_and_are_taken_once() {
        let mut lines = Lines::default();
        let file = LogFile::Path("/a".into());
        lines.add(&LogFile::Stdout, |out| out.extend_from_slice(b"1\n"));
        lines.add(&file, |out| out.extend_from_slice(b"2\n"));
        lines.add(&LogFile::Stdout, |out| out.extend_from_slice(b"3\n"));
        let mut taken = Vec::new();
        let mut take = |lines: &mut Lines| {
            lines.take_each(|file, bytes| taken.push((file.clone(), std::mem::take(bytes))));
        };
        take(&mut lines);
        take(&mut lines);
        lines.add(&file, |out| out.extend_from_slice(b"4\n"));
        take(&mut lines);
        let expected = [
            (LogFile::Stdout, b"1\n3\n".to_vec()),
            (file.clone(), b"2\n".to_vec()),
            (file, b"4\n".to_vec()),
        ];
        assert_eq!(taken, expected);
    }

    /// The line of a request for `/a"b` without arguments.
    fn line(format: &str) -> String {
        let text =
            format!("http {{ log_format t {format}; access_log /dev/stdout t; server {{ }} }}");
        let config = good(&text);
        let case = Case::get("return 200;", "/a%22b%0a");
        let mut out = b"before ".to_vec();
        case.view(&Response::default()).push_log_line(&config.log_formats[0], &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn values_are_escaped_where_they_stand_and_what_is_not_there_is_shown() {
        assert_eq!(line("'[$uri] $args|$is_args|'"), "before [/a\\x22b\\x0A] -||\n");
        assert_eq!(line("escape=json '[$uri] $args|'"), "before [/a\\\"b\\n] |\n");
        assert_eq!(line("escape=none '[$uri] $args|'"), "before [/a\"b\n] |\n");
    }

    fn check(value: &[u8], escape: Escape, expected: &str) {
        let mut out = Vec::new();
        push_escaped(value, escape, &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn values_are_escaped_as_nginx_escapes_them() {
        check(b"", Escape::Default, "");
        check(b"a\"b\\c\n\xc3", Escape::Default, "a\\x22b\\x5Cc\\x0A\\xC3");
        check(b"", Escape::Json, "");
        check(b"a\"b\\c\n\x01", Escape::Json, "a\\\"b\\\\c\\n\\u0001");
        check(b"a\"b", Escape::None, "a\"b");
    }
}
