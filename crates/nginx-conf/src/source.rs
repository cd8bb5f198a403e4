//! The files of one configuration, kept in memory, and places in them.
//!
//! Owns: the bytes of each file, the mapping from a byte offset to line and column. Must not open,
//! read or name a file on its own: names and bytes come from the caller.

use std::sync::Arc;

use crate::diag::{Diag, Severity};

/// One file as the caller gave it.
#[derive(Clone, Debug)]
pub struct Source {
    /// Name shown in messages and given to the resolver as `from`.
    pub name: String,
    /// The whole content.
    pub bytes: Arc<[u8]>,
    /// Brought by the kit and not by the user: nothing in it is worth a warning.
    pub is_stock: bool,
}

/// A stretch of bytes in one file. `start + len` never passes the end of the file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// Index into [`Sources`], in the order in which files were read.
    pub file: u16,
    /// First byte.
    pub start: u32,
    /// Length in bytes; zero marks a place between two bytes.
    pub len: u32,
}

/// Every file read for one configuration, in the order of reading.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    files: Vec<Source>,
}

impl Span {
    /// The place just after this stretch.
    pub fn after(self) -> Span {
        Span { start: self.start.saturating_add(self.len), len: 0, ..self }
    }
}

impl Sources {
    /// Adds a file and returns its index. The caller bounds the number of files.
    pub fn add(&mut self, source: Source) -> u16 {
        debug_assert!(self.files.len() < usize::from(u16::MAX), "callers bound the file count");
        self.files.push(source);
        u16::try_from(self.files.len() - 1).unwrap_or(u16::MAX)
    }

    /// All files, in the order in which they were read (`nginx -T` prints them so).
    pub fn files(&self) -> &[Source] {
        &self.files
    }

    /// The file of a span, if the span belongs to these sources.
    pub fn file(&self, file: u16) -> Option<&Source> {
        self.files.get(usize::from(file))
    }

    /// Line and column of a span's first byte, both from 1. Columns count characters, and a byte
    /// that is no UTF-8 counts as one.
    pub fn line_and_column(&self, span: Span) -> (u32, u32) {
        let Some(source) = self.file(span.file) else { return (1, 1) };
        let (line, line_start, offset) = locate(&source.bytes, span);
        let column = chars(source.bytes.get(line_start..offset).unwrap_or_default()) + 1;
        (line, column)
    }

    /// An error at a place.
    pub fn error(&self, span: Span, message: impl Into<String>) -> Diag {
        self.diag(Severity::Error, span, message.into())
    }

    /// A warning at a place.
    pub fn warning(&self, span: Span, message: impl Into<String>) -> Diag {
        self.diag(Severity::Warning, span, message.into())
    }

    fn diag(&self, severity: Severity, span: Span, message: String) -> Diag {
        let mut diag = Diag {
            severity,
            file: String::new(),
            line: 1,
            column: 1,
            width: 1,
            text: String::new(),
            caret_at: 0,
            message,
            help: None,
        };
        let Some(source) = self.file(span.file) else { return diag };
        let (line, line_start, offset) = locate(&source.bytes, span);
        let line_end = memchr(&source.bytes, offset, b'\n');
        diag.file.clone_from(&source.name);
        diag.line = line;
        diag.column = chars(source.bytes.get(line_start..offset).unwrap_or_default()) + 1;
        let end = (offset + span.len as usize).clamp(offset, line_end);
        let marked = chars(source.bytes.get(offset..end).unwrap_or_default());
        diag.show(source.bytes.get(line_start..line_end).unwrap_or_default(), marked.max(1));
        diag
    }
}

/// Line number from 1, start of that line, and the span's start clamped into the file.
fn locate(bytes: &[u8], span: Span) -> (u32, usize, usize) {
    let offset = (span.start as usize).min(bytes.len());
    let before = bytes.get(..offset).unwrap_or_default();
    let newlines = before.iter().filter(|byte| **byte == b'\n').count();
    let line_start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    // The mark is not a character of the first line, so it takes no column.
    let line_start = if line_start == 0 && bytes.starts_with(BYTE_ORDER_MARK) {
        BYTE_ORDER_MARK.len().min(offset)
    } else {
        line_start
    };
    (u32::try_from(newlines + 1).unwrap_or(u32::MAX), line_start, offset)
}

/// What some editors put in front of UTF-8 text; skipped.
pub(crate) const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

fn memchr(bytes: &[u8], from: usize, wanted: u8) -> usize {
    let rest = bytes.get(from..).unwrap_or_default();
    rest.iter().position(|byte| *byte == wanted).map_or(bytes.len(), |at| from + at)
}

fn chars(bytes: &[u8]) -> u32 {
    let count = String::from_utf8_lossy(bytes).chars().count();
    u32::try_from(count).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &[u8], start: u32, expected: (u32, u32)) {
        let mut sources = Sources::default();
        let name = "t".to_owned();
        let file = sources.add(Source { name, bytes: text.into(), is_stock: false });
        assert_eq!(sources.line_and_column(Span { file, start, len: 1 }), expected);
    }

    #[test]
    fn places_are_counted_in_lines_and_characters_from_one() {
        check(b"", 0, (1, 1));
        check(b"a b", 2, (1, 3));
        check(b"a\nb", 2, (2, 1));
        check(b"a\r\nb c", 5, (2, 3));
        check("ü x".as_bytes(), 3, (1, 3));
        check(b"\xEF\xBB\xBFx y", 5, (1, 3));
        check(b"a", 99, (1, 2));
    }

    #[test]
    fn a_span_of_a_file_that_is_not_there_is_the_first_place() {
        let sources = Sources::default();
        assert_eq!(sources.line_and_column(Span { file: 7, start: 1, len: 1 }), (1, 1));
        assert_eq!(sources.error(Span::default(), "x").line, 1);
    }
}
