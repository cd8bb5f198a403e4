//! Which lines belong together: stack traces, and what goes on over several lines.
//!
//! Owns the rules of `--multiline`. Pure and without memory of earlier records: a record is judged
//! from its first line on. The rules of `auto` are those of the traces of Java, Python, Go, .NET
//! and Node; in doubt a line is a record of its own.

#[cfg(feature = "regex")]
use crate::pattern_start::Start;

/// How lines make records.
#[derive(Clone, Debug, Default)]
pub enum Multiline {
    /// Each line is one.
    #[default]
    Off,
    /// Stack traces are one.
    Auto,
    /// Lines that begin with a blank, or with `Caused by:`, go on.
    Indent,
    /// A line that matches begins one, all others go on.
    #[cfg(feature = "regex")]
    Start(Start),
}

/// What a trace may go on with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Not known to be one; what lines of all kinds begin with goes on.
    Any,
    /// Python's: behind its indented lines stands one more, the exception.
    Python,
    /// Python's, with the exception; another trace may follow.
    PythonEnded,
    /// Go's: functions and, indented, their places.
    Go,
    /// Node's: the line of the code and a mark below it; the error follows.
    NodeSource,
    /// Node's with the error and its places; the version may follow.
    Node,
}

/// What the last line was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Last {
    Plain,
    Indented,
    /// The head of a list of functions.
    Goroutine,
}

impl Last {
    fn of(line: &[u8]) -> Last {
        match line.first() {
            Some(b' ' | b'\t') => Last::Indented,
            _ if starts_with_any(line, &GOROUTINE) => Last::Goroutine,
            _ => Last::Plain,
        }
    }
}

/// A record whose lines are looked at one by one.
pub(crate) struct Record<'a> {
    multiline: &'a Multiline,
    kind: Kind,
    lines: usize,
    last: Last,
    first: &'a [u8],
}

impl<'a> Record<'a> {
    /// With its first line, without the line end.
    pub(crate) fn new(multiline: &'a Multiline, first: &'a [u8]) -> Record<'a> {
        let first = first.strip_suffix(b"\r").unwrap_or(first);
        let kind = match multiline {
            Multiline::Auto if first.starts_with(PYTHON) => Kind::Python,
            Multiline::Auto if starts_with_any(first, &GOROUTINE) => Kind::Go,
            Multiline::Auto if speaks_of(first, &GO_PANIC) => Kind::Go,
            _ => Kind::Any,
        };
        Record { multiline, kind, lines: 1, last: Last::of(first), first }
    }

    /// How many bytes of `rest` belong to it: some whole lines. 0 if the next line is another
    /// record's; `None` if that cannot be told yet.
    pub(crate) fn go_on(&mut self, rest: &[u8]) -> Option<usize> {
        if matches!(self.multiline, Multiline::Off) {
            return Some(0);
        }
        // Blank lines belong to it if the line behind them does.
        let (mut blanks, mut at) = (0, 0);
        loop {
            let line_len = memchr::memchr(b'\n', &rest[at..])?;
            let line = &rest[at..at + line_len];
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            at += line_len + 1;
            if line.is_empty() && blanks < BLANKS_MAX && self.passes_blanks() {
                blanks += 1;
                continue;
            }
            return Some(if self.takes(line, blanks) { at } else { 0 });
        }
    }

    fn passes_blanks(&self) -> bool {
        matches!(self.multiline, Multiline::Auto) && self.kind != Kind::Any
    }

    fn takes(&mut self, line: &[u8], blanks: usize) -> bool {
        let takes = match self.multiline {
            Multiline::Off => false,
            Multiline::Indent => {
                Last::of(line) == Last::Indented || line.starts_with(b"Caused by:")
            }
            Multiline::Auto => self.takes_of_trace(line, blanks),
            #[cfg(feature = "regex")]
            Multiline::Start(start) => !start.is_match(line),
        };
        if takes {
            self.lines += 1;
            self.last = Last::of(line);
        }
        takes
    }

    fn takes_of_trace(&mut self, line: &[u8], blanks: usize) -> bool {
        let is_next = blanks == 0;
        let was_indented = self.last == Last::Indented;
        if Last::of(line) == Last::Indented {
            self.learn(line.trim_ascii());
            return is_next || self.kind == Kind::Go;
        }
        if is_next && (starts_with_any(line, &GOES_ON) || self.is_spoken_of(line)) {
            return true;
        }
        match self.kind {
            Kind::Any => is_next && was_indented && is_closing(line),
            Kind::Python => {
                let ends = is_next && was_indented;
                self.kind = if ends { Kind::PythonEnded } else { self.kind };
                ends
            }
            Kind::PythonEnded => {
                let again = !is_next && line.starts_with(PYTHON);
                self.kind = if again { Kind::Python } else { self.kind };
                again || starts_with_any(line, &PYTHON_GOES_ON)
            }
            Kind::Go => match is_next {
                true => self.is_of_go(line),
                false => starts_with_any(line, &GOROUTINE),
            },
            Kind::NodeSource => {
                let is_error = is_exception(line);
                self.kind = if is_error { Kind::Node } else { self.kind };
                is_error
            }
            Kind::Node if is_next => was_indented && is_closing(line),
            Kind::Node => line.starts_with(b"Node.js v"),
        }
    }

    /// What an indented line tells about the kind.
    fn learn(&mut self, text: &[u8]) {
        if self.kind != Kind::Any {
            return;
        }
        if !text.is_empty() && text.iter().all(|byte| b"^~".contains(byte)) {
            self.kind = Kind::NodeSource;
        } else if text.starts_with(b"at ") {
            self.kind = Kind::Node;
        }
    }

    /// Whether this begins the trace that the first line, one of trouble, speaks of.
    fn is_spoken_of(&mut self, line: &[u8]) -> bool {
        let kind = match line {
            _ if self.lines > 1 => return false,
            line if line.starts_with(PYTHON) => Kind::Python,
            line if starts_with_any(line, &GOROUTINE) => Kind::Go,
            line if is_exception(line) => self.kind,
            _ => return false,
        };
        let is_spoken_of = !is_exception(self.first) && speaks_of(self.first, &TROUBLE);
        self.kind = if is_spoken_of { kind } else { self.kind };
        is_spoken_of
    }

    /// Go's: a goroutine, a function below it or below a place, how it was made, a signal,
    /// what `go run` adds.
    fn is_of_go(&self, line: &[u8]) -> bool {
        let is_call = memchr::memchr2(b'(', b' ', line).is_some_and(|at| line[at] == b'(');
        let is_function = self.last != Last::Plain && is_call && line.ends_with(b")");
        is_function || starts_with_any(line, &GOROUTINE) || starts_with_any(line, &GO_GOES_ON)
    }
}

/// Blank lines in a row within a record, at most.
const BLANKS_MAX: usize = 2;
const PYTHON: &[u8] = b"Traceback (most recent call last):";
const PYTHON_GOES_ON: [&[u8]; 2] =
    [b"During handling of the above exception", b"The above exception was the direct cause"];
const GOROUTINE: [&[u8]; 2] = [b"goroutine ", b"runtime stack:"];
const GO_GOES_ON: [&[u8]; 4] =
    [b"[signal ", b"created by ", b"exit status ", b"...additional frames elided..."];
const GO_PANIC: [&str; 3] = ["panic: ", "panic serving ", "fatal error: "];
/// What stands at the beginning of a line of Java's and .NET's traces that is not indented.
const GOES_ON: [&[u8]; 3] = [b"Caused by:", b"Suppressed:", b"--- End of "];
/// What a line has in it that tells of trouble, in any case.
const TROUBLE: [&str; 8] =
    ["error", "warn", "fatal", "critical", "severe", "fail", "exception", "panic"];

fn starts_with_any(line: &[u8], starts: &[&[u8]]) -> bool {
    starts.iter().any(|start| line.starts_with(start))
}

/// The end of an object that was printed below an error.
fn is_closing(line: &[u8]) -> bool {
    matches!(line, b"}" | b"]" | b"})" | b"},")
}

/// Whether one of the words, which are in lower case, is in the line in any case.
fn speaks_of(line: &[u8], words: &[&str]) -> bool {
    words.iter().any(|word| {
        let (first, len) = (word.as_bytes()[0], word.len());
        let starts = memchr::memchr2_iter(first, first.to_ascii_uppercase(), line);
        starts
            .filter_map(|at| line.get(at..at + len))
            .any(|part| part.eq_ignore_ascii_case(word.as_bytes()))
    })
}

/// `java.lang.IllegalStateException: text`, `Error: text`, `KeyError`, and what announces one.
fn is_exception(line: &[u8]) -> bool {
    if starts_with_any(line, &[b"Exception in thread ", b"Unhandled exception"]) {
        return true;
    }
    let is_of_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"._$".contains(byte);
    let name_len = line.iter().position(|byte| !is_of_name(byte)).unwrap_or(line.len());
    let (name, behind) = line.split_at(name_len);
    let is_name =
        ["Exception", "Error", "Throwable"].iter().any(|end| name.ends_with(end.as_bytes()));
    is_name && (behind.is_empty() || behind.starts_with(b":") || behind.starts_with(b" ["))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::first_record;

    /// The records that `data` begins with; the last one too, if no more will come.
    fn records(multiline: &Multiline, data: &str, over: bool) -> Vec<String> {
        let mut rest = data.as_bytes();
        let mut records = Vec::new();
        while let Some(piece) =
            first_record(multiline, rest, false).or_else(|| first_record(multiline, rest, over))
        {
            records.push(String::from_utf8_lossy(&rest[..piece.text_len]).into_owned());
            rest = &rest[piece.len..];
        }
        records
    }

    /// A file of records with a line `--` between them, cut again wherever its bytes stop coming.
    fn check(multiline: &Multiline, file: &str) {
        let expected: Vec<_> = file.trim_end().split("\n--\n").collect();
        for line_end in ["\n", "\r\n"] {
            let with_end = |text: &&str| text.replace('\n', line_end);
            let mut data = expected.iter().map(with_end).collect::<Vec<_>>().join(line_end);
            data.push_str(line_end);
            let seen = records(multiline, &data, true);
            let seen: Vec<_> = seen.iter().map(|text| text.replace('\r', "")).collect();
            assert_eq!(seen, expected);
            for end in 0..data.len() {
                let seen = records(multiline, &data[..end], false);
                let seen: Vec<_> = seen.iter().map(|text| text.replace('\r', "")).collect();
                assert_eq!(seen, expected[..seen.len()], "of {end} bytes");
            }
        }
    }

    #[test]
    fn traces_of_java_are_one_record_each() {
        check(&Multiline::Auto, include_str!("../tests/traces/java.txt"));
    }

    #[test]
    fn traces_of_python_are_one_record_each() {
        check(&Multiline::Auto, include_str!("../tests/traces/python.txt"));
    }

    #[test]
    fn traces_of_go_are_one_record_each() {
        check(&Multiline::Auto, include_str!("../tests/traces/go.txt"));
    }

    #[test]
    fn traces_of_dotnet_are_one_record_each() {
        check(&Multiline::Auto, include_str!("../tests/traces/dotnet.txt"));
    }

    #[test]
    fn traces_of_node_are_one_record_each() {
        check(&Multiline::Auto, include_str!("../tests/traces/node.txt"));
    }

    #[test]
    fn indented_lines_go_on_and_blank_lines_do_not() {
        check(&Multiline::Indent, "a\n--\nb\n c\n\td\nCaused by: e\n f\n--\n\n--\ng\n--\nh\n i");
    }

    #[test]
    fn lines_that_are_no_trace_stay_alone() {
        check(
            &Multiline::Auto,
            "a\n--\n\n--\n\n--\nINFO f(x)\n--\n}\n--\n{\"a\":1}\n--\nWARN b\n--\nc",
        );
    }

    #[cfg(feature = "regex")]
    #[test]
    fn a_pattern_says_where_records_begin() {
        let start = Start::new("^[0-9]{4}-|^\\[").unwrap();
        check(
            &Multiline::Start(start),
            "before\nall\n--\n2026-11-25 a\nb\n\n  c\n--\n[x] d\n--\n2027-1",
        );
        for wrong in ["(", "(?=a)", "\\1", "(a{1000}){1000}"] {
            let error = Start::new(wrong).unwrap_err();
            assert!(!error.is_empty() && !error.contains('\n'), "{wrong}: {error}");
        }
        assert!(Start::new("[^\\xff]ä$").unwrap().is_match(b"\xfe\xc3\xa4"));
    }
}
