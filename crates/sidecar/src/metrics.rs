//! Prometheus text, version 0.0.4: one family after the other, each with its samples.
//!
//! It formats what it is given and keeps no counters: those live with what they count.

use std::fmt::Write;

/// The media type of the text.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What a family's values mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows, from 0 at the start of the process. Its name ends in `_total`.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Cumulative buckets: samples `_bucket` with label `le`, `_sum` and `_count`.
    Histogram,
}

/// A sample's value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value {
    /// A whole number, exact beyond 2^53 as far as the reader keeps it so.
    Whole(u64),
    /// A measure, for instance seconds.
    Real(f64),
}

impl From<u64> for Value {
    fn from(value: u64) -> Self {
        Value::Whole(value)
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Value::Real(value)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Value::Whole(u64::from(value))
    }
}

/// The text while it is put together.
///
/// ```
/// use sidecar::metrics::{Kind, Text};
///
/// let mut text = Text::new();
/// text.family("kit_requests_total", "Requests answered.", Kind::Counter);
/// text.sample("kit_requests_total", &[("status", "2xx")], 7);
/// assert!(text.finish().ends_with("\nkit_requests_total{status=\"2xx\"} 7\n"));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Text(String);

impl Text {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Begins a family. All its samples follow before the next family begins. `help` is one
    /// sentence; line ends in it are escaped.
    pub fn family(&mut self, name: &str, help: &str, kind: Kind) {
        debug_assert!(is_name(name), "{name:?} is no metric name");
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        self.0.push_str("# HELP ");
        self.0.push_str(name);
        self.0.push(' ');
        self.push_escaped(help, false);
        self.push_line(&["\n# TYPE ", name, " ", kind]);
    }

    /// Adds a sample. Label values may be any text; they must come from a bounded set, for each
    /// makes a series of its own.
    pub fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Into<Value>) {
        debug_assert!(is_name(name), "{name:?} is no metric name");
        self.0.push_str(name);
        for (index, (label, value)) in labels.iter().enumerate() {
            debug_assert!(is_name(label) && !label.contains(':'), "{label:?} is no label name");
            self.0.push(if index == 0 { '{' } else { ',' });
            self.0.push_str(label);
            self.0.push_str("=\"");
            self.push_escaped(value, true);
            self.0.push('"');
        }
        self.0.push_str(if labels.is_empty() { " " } else { "} " });
        self.push_value(value.into());
        self.0.push('\n');
    }

    /// The whole text.
    pub fn finish(self) -> String {
        self.0
    }

    fn push_line(&mut self, parts: &[&str]) {
        self.0.extend(parts.iter().copied());
        self.0.push('\n');
    }

    /// A backslash and a line feed are escaped everywhere, a quote in label values.
    fn push_escaped(&mut self, text: &str, with_quotes: bool) {
        for letter in text.chars() {
            match letter {
                '\\' => self.0.push_str("\\\\"),
                '\n' => self.0.push_str("\\n"),
                '"' if with_quotes => self.0.push_str("\\\""),
                _ => self.0.push(letter),
            }
        }
    }

    fn push_value(&mut self, value: Value) {
        match value {
            // Writing to a string cannot fail.
            Value::Whole(number) => drop(write!(self.0, "{number}")),
            Value::Real(number) if number.is_nan() => self.0.push_str("NaN"),
            Value::Real(f64::INFINITY) => self.0.push_str("+Inf"),
            Value::Real(f64::NEG_INFINITY) => self.0.push_str("-Inf"),
            Value::Real(number) => drop(write!(self.0, "{number}")),
        }
    }
}

/// `[a-zA-Z_:][a-zA-Z0-9_:]*`
fn is_name(name: &str) -> bool {
    let is_letter = |byte: &u8| byte.is_ascii_alphabetic() || matches!(byte, b'_' | b':');
    name.as_bytes().first().is_some_and(is_letter)
        && name.bytes().all(|byte| is_letter(&byte) || byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(expected: &str, write: impl FnOnce(&mut Text)) {
        let mut text = Text::new();
        write(&mut text);
        assert_eq!(text.finish(), expected);
    }

    #[test]
    fn a_family_has_help_and_type() {
        check("# HELP a_total What\\n\\\\ \"is\".\n# TYPE a_total counter\n", |text| {
            text.family("a_total", "What\n\\ \"is\".", Kind::Counter);
        });
        check("# HELP b x\n# TYPE b gauge\n", |text| text.family("b", "x", Kind::Gauge));
        check("# HELP c x\n# TYPE c histogram\n", |text| text.family("c", "x", Kind::Histogram));
    }

    #[test]
    fn label_values_are_escaped() {
        check("a{b=\"x\",c=\"\\\\ \\\" \\n ü\"} 1\n", |text| {
            text.sample("a", &[("b", "x"), ("c", "\\ \" \n ü")], 1);
        });
    }

    #[test]
    fn values_are_written_as_prometheus_reads_them() {
        check("a 18446744073709551615\n", |text| text.sample("a", &[], u64::MAX));
        check("a 0.25\n", |text| text.sample("a", &[], 0.25));
        check("a 3\n", |text| text.sample("a", &[], 3.0));
        check("a NaN\n", |text| text.sample("a", &[], f64::NAN));
        check("a +Inf\n", |text| text.sample("a", &[], f64::INFINITY));
        check("a -Inf\n", |text| text.sample("a", &[], f64::NEG_INFINITY));
        check("a 1\n", |text| text.sample("a", &[], true));
    }

    #[test]
    fn names_are_letters_digits_underscores_and_colons() {
        for name in ["a", "_a1", "a:b", "A_total"] {
            assert!(is_name(name), "{name}");
        }
        for name in ["", "1a", "a-b", "a b", "ü"] {
            assert!(!is_name(name), "{name}");
        }
    }
}
