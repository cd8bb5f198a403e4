//! One finding about a configuration: where it is, what is wrong, what was expected.
//!
//! Owns: the finding, its two printed forms, and the bounded list. Must not decide what is wrong.

use std::fmt;

/// Errors told in one go. A person repairs a handful at a time; a file that is no configuration at
/// all must not print a screen per line.
pub const ERRORS_MAX: usize = 50;
/// Warnings kept. There is at most one per directive name, so this is a backstop.
pub const WARNINGS_MAX: usize = 200;
/// Characters of a source line shown around the place.
const SHOWN_MAX: usize = 120;

/// Whether a finding stops the configuration from loading.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The configuration is refused.
    Error,
    /// The configuration loads.
    Warning,
}

/// One finding. It borrows nothing, so it outlives the files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diag {
    /// Error or warning.
    pub severity: Severity,
    /// Name of the file; empty when the finding belongs to no file.
    pub file: String,
    /// Line from 1.
    pub line: u32,
    /// Column from 1, in characters.
    pub column: u32,
    /// Characters marked, at least 1.
    pub width: u32,
    /// The line, or the part of it around the place; control characters replaced.
    pub text: String,
    /// Characters of `text` in front of the mark.
    pub caret_at: u32,
    /// What is wrong, in nginx's words where nginx has them.
    pub message: String,
    /// What to do about it: the nearest name, what was expected, where it may stand.
    pub help: Option<String>,
}

impl Diag {
    /// A finding that belongs to no place in a file.
    pub fn without_place(severity: Severity, file: &str, message: impl Into<String>) -> Diag {
        Diag {
            severity,
            file: file.to_owned(),
            line: 0,
            column: 0,
            width: 1,
            text: String::new(),
            caret_at: 0,
            message: message.into(),
            help: None,
        }
    }

    /// The same finding with advice.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Diag {
        self.help = Some(help.into());
        self
    }

    /// Whether this finding refuses the configuration.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    /// The one-line form: `file:line:column: message; advice`.
    pub fn headline(&self) -> String {
        let mut line = self.file.clone();
        if self.line > 0 {
            line.push_str(&format!(":{}:{}", self.line, self.column));
        }
        if !line.is_empty() {
            line.push_str(": ");
        }
        line.push_str(&self.message);
        if let Some(help) = &self.help {
            line.push_str("; ");
            line.push_str(help);
        }
        line
    }

    /// Takes over the shown part of a source line. `column` must be set before.
    pub(crate) fn show(&mut self, line: &[u8], width: u32) {
        let line = String::from_utf8_lossy(line);
        let at = self.column.saturating_sub(1) as usize;
        let from = at.saturating_sub(SHOWN_MAX / 2);
        let shown = line.trim_end().chars().skip(from).take(SHOWN_MAX);
        self.text =
            shown.map(|c| if c.is_control() && c != '\t' { '\u{FFFD}' } else { c }).collect();
        self.caret_at = u32::try_from(at - from).unwrap_or(0);
        let room = u32::try_from(SHOWN_MAX).unwrap_or(0).saturating_sub(self.caret_at);
        self.width = width.clamp(1, room.max(1));
    }
}

impl fmt::Display for Diag {
    /// The headline, then the line and a caret under the place, without a final line end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.headline())?;
        if self.text.trim().is_empty() {
            return Ok(());
        }
        let number = self.line.to_string();
        let blank = " ".repeat(number.len());
        // A tab stays a tab under a tab, so that the caret stands right at any tab width.
        let pad: String = self
            .text
            .chars()
            .chain(std::iter::repeat(' '))
            .take(self.caret_at as usize)
            .map(|c| if c == '\t' { '\t' } else { ' ' })
            .collect();
        let mark = "^".repeat(self.width as usize);
        write!(f, "\n  {number} | {}\n  {blank} | {pad}{mark}", self.text)
    }
}

/// A bounded list of findings.
#[derive(Debug, Default)]
pub struct Diags {
    list: Vec<Diag>,
    error_count: usize,
    warning_count: usize,
}

impl Diags {
    /// Adds a finding, or only counts it when the list is full.
    pub fn push(&mut self, diag: Diag) {
        let (count, max) = match diag.severity {
            Severity::Error => (&mut self.error_count, ERRORS_MAX),
            Severity::Warning => (&mut self.warning_count, WARNINGS_MAX),
        };
        *count += 1;
        if *count <= max {
            self.list.push(diag);
        }
    }

    /// Adds all of another list.
    pub fn append(&mut self, diags: impl IntoIterator<Item = Diag>) {
        for diag in diags {
            self.push(diag);
        }
    }

    /// Whether more errors would not be kept: reading on finds nothing that is told.
    pub fn is_full(&self) -> bool {
        self.error_count >= ERRORS_MAX
    }

    /// Whether another warning would be kept. Making one costs a walk through its file, which a
    /// hostile file could ask for a million times.
    pub fn takes_warnings(&self) -> bool {
        self.warning_count < WARNINGS_MAX
    }

    /// Whether there is any error.
    pub fn has_errors(&self) -> bool {
        self.error_count > 0
    }

    /// The findings in the order in which they were added.
    pub fn into_list(self) -> Vec<Diag> {
        debug_assert!(self.list.len() <= ERRORS_MAX + WARNINGS_MAX, "the list is bounded");
        self.list
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{Source, Sources, Span};

    fn diag_at(text: &str, start: u32, len: u32) -> Diag {
        let mut sources = Sources::default();
        let name = "nginx.conf".to_owned();
        let file = sources.add(Source { name, bytes: text.as_bytes().into(), is_stock: false });
        sources.error(Span { file, start, len }, "bad")
    }

    fn check(text: &str, start: u32, len: u32, expected: &str) {
        assert_eq!(diag_at(text, start, len).to_string(), expected);
    }

    #[test]
    fn the_caret_stands_under_the_place() {
        check("a b c", 2, 1, "nginx.conf:1:3: bad\n  1 | a b c\n    |   ^");
        check("x\n\tbc d", 3, 2, "nginx.conf:2:2: bad\n  2 | \tbc d\n    | \t^^");
        check("ü bcd", 3, 3, "nginx.conf:1:3: bad\n  1 | ü bcd\n    |   ^^^");
        check("", 0, 0, "nginx.conf:1:1: bad");
    }

    #[test]
    fn a_mark_ends_with_its_line() {
        check("ab\ncd", 1, 4, "nginx.conf:1:2: bad\n  1 | ab\n    |  ^");
    }

    #[test]
    fn a_long_line_is_shown_around_the_place() {
        let text = format!("{}HERE{}", "x".repeat(5000), "y".repeat(5000));
        let diag = diag_at(&text, 5000, 4);
        assert_eq!(diag.column, 5001);
        assert_eq!(diag.text.chars().count(), SHOWN_MAX);
        assert_eq!(diag.text.find("HERE"), Some(diag.caret_at as usize));
        assert!(diag_at(&text, 5000, 4000).width as usize <= SHOWN_MAX);
    }

    #[test]
    fn control_characters_of_a_line_are_not_printed() {
        assert_eq!(diag_at("a\u{1b}[31m b", 0, 1).text, "a\u{FFFD}[31m b");
    }

    #[test]
    fn the_list_keeps_a_bounded_number_and_knows_that_there_were_errors() {
        let mut diags = Diags::default();
        assert!(!diags.has_errors());
        for _ in 0..10_000 {
            diags.push(Diag::without_place(Severity::Error, "", "e"));
            diags.push(Diag::without_place(Severity::Warning, "", "w"));
        }
        assert!(diags.has_errors() && diags.is_full());
        assert_eq!(diags.into_list().len(), ERRORS_MAX + WARNINGS_MAX);
    }

    #[test]
    fn a_finding_without_a_place_names_the_file_alone() {
        let diag = Diag::without_place(Severity::Error, "a.conf", "m").with_help("h");
        assert_eq!(diag.headline(), "a.conf: m; h");
        assert_eq!(Diag::without_place(Severity::Error, "", "m").headline(), "m");
    }
}
