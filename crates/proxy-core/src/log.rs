//! Lines of the access log, one for each finished exchange (nginx: `log_format`).
//!
//! It formats; where lines go and when is the program's affair.

use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path};

use crate::config::model::{
    AccessFile, ErrorLevel, Escape, LogFile, LogFormat, MadeFile, Part, Template, Variable,
};
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

    /// Takes over the lines of another.
    pub fn append(&mut self, others: &mut Lines) {
        for (file, lines) in others.0.drain(..) {
            self.add(&file, |out| out.extend_from_slice(&lines));
        }
    }

    /// Shows the lines of each destination to `take`, which empties them.
    pub fn take_each(&mut self, mut take: impl FnMut(&LogFile, &mut Vec<u8>)) {
        for (file, lines) in self.0.iter_mut().filter(|(_, lines)| !lines.is_empty()) {
            take(file, lines);
            debug_assert!(lines.is_empty(), "lines are taken once");
        }
        // Requests name these: there may be any number of them.
        self.0.retain(|(file, _)| !matches!(file, LogFile::Made(_)));
    }
}

impl View<'_> {
    /// Adds the lines of all access logs of the request's location.
    pub fn push_log_lines(&self, lines: &mut Lines) {
        let request = self.request;
        let config = request.at.config();
        for log in &request.at.location(request.place).logs.access {
            let is_false = |text: &Template| matches!(&*self.text(text), b"" | b"0");
            let Some(format) = config.log_formats.get(log.format) else { continue };
            if log.condition.as_ref().is_some_and(is_false) {
                continue;
            }
            match &log.file {
                AccessFile::Known(index) => {
                    let Some(file) = config.log_files.get(*index) else { continue };
                    lines.add(file, |out| self.push_log_line(format, out));
                }
                AccessFile::Made(path, leads_upwards) => {
                    let Some(file) = self.made_file(path, *leads_upwards) else { continue };
                    lines.add(&LogFile::Made(file), |out| self.push_log_line(format, out));
                }
            }
        }
    }

    /// The file of a path with variables. No request leads upwards, or to a name that is none.
    fn made_file(&self, path: &Template, leads_upwards: bool) -> Option<MadeFile> {
        let text = self.text(path);
        let path = Path::new(std::ffi::OsStr::from_bytes(&text));
        let is_upwards = path.components().any(|part| part == Component::ParentDir);
        if (is_upwards && !leads_upwards) || text.iter().any(|&b| b < b' ' || b == 0x7f) {
            let line = format!("no log file has the name {:?}", String::from_utf8_lossy(&text));
            self.request.values.borrow_mut().note(ErrorLevel::Error, line);
            return None;
        }
        let mut root = Vec::new();
        self.push_variable(&Variable::DocumentRoot, &mut root);
        let root = Path::new(std::ffi::OsStr::from_bytes(&root));
        Some(MadeFile { path: path.to_owned(), root: root.to_owned() })
    }

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

    /// The lines of a request for a path, by their file.
    fn lines(conf: &str, path: &str) -> Vec<(LogFile, String)> {
        let case = Case::at(
            crate::test_case::at(&format!("http {{ log_format u $uri; {conf} }}")),
            &format!("GET {path} HTTP/1.1\r\nHost: a.test\r\n\r\n"),
        );
        let mut lines = Lines::default();
        case.view(&Response::default()).push_log_lines(&mut lines);
        let mut taken = Vec::new();
        lines.take_each(|file, bytes| {
            taken.push((file.clone(), String::from_utf8(std::mem::take(bytes)).unwrap()));
        });
        assert!(lines.0.iter().all(|(file, _)| !matches!(file, LogFile::Made(_))));
        taken
    }

    #[test]
    fn a_condition_that_is_empty_or_0_leaves_the_line_out() {
        let conf = "map $arg_a $x { default 1; no 0; none \"\"; } server { listen 80; return 200; \
                    access_log /dev/stdout u if=$x; access_log /dev/stderr u if=$arg_b$arg_c; }";
        let check = |path: &str, expected: &[LogFile]| {
            let files: Vec<LogFile> = lines(conf, path).into_iter().map(|(file, _)| file).collect();
            assert_eq!(files, expected, "{path}");
        };
        check("/?a=yes", &[LogFile::Stdout]);
        check("/?a=no", &[]);
        check("/?a=none&b=1", &[LogFile::Stderr]);
        check("/?b=0&c=0", &[LogFile::Stdout, LogFile::Stderr]);
        check("/?b=0", &[LogFile::Stdout]);
    }

    #[test]
    fn a_request_names_its_file_but_leads_nowhere_else() {
        let conf = "server { listen 80; return 200; root /www; access_log logs/$arg_f.log u; }";
        let made = |path: &str| MadeFile { path: path.into(), root: "/www".into() };
        let check = |path: &str, expected: Option<&str>| {
            let found = lines(conf, path);
            let expected = expected.map(|file| (LogFile::Made(made(file)), "/a\n".to_owned()));
            assert_eq!(found, expected.into_iter().collect::<Vec<_>>(), "{path}");
        };
        check("/a?f=x", Some("/etc/nginx/logs/x.log"));
        check("/a", Some("/etc/nginx/logs/.log"));
        check("/a?f=b/c", Some("/etc/nginx/logs/b/c.log"));
        check("/a?f=..x", Some("/etc/nginx/logs/..x.log"));
        check("/a?f=../x", None);
        check("/a?f=/../../x", None);
        let own = "server { listen 80; return 200; access_log /x/../$arg_f.log u; }";
        assert_eq!(lines(own, "/a?f=b").len(), 1, "the file's own way up");
        // What was decoded may have bytes that no name has.
        let decoded = "server { listen 80; return 200; access_log /logs$uri u; }";
        assert_eq!(lines(decoded, "/a%0ab").len(), 0);
        assert_eq!(lines(decoded, "/ab").len(), 1);
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
