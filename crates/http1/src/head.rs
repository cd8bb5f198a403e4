//! What request and response heads share: spans, fields, limits, the walk over field lines.

use alloc::vec::Vec;

use crate::line::{self, LineEnd};
use crate::reject::Reject;

/// The answer of a reader to some bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parsed<T> {
    /// Complete; `used` bytes of the input belong to it.
    Done {
        /// What was read.
        value: T,
        /// Bytes of the input that were taken, never more than there are.
        used: usize,
    },
    /// Nothing is wrong so far. Call again with the same bytes and more of them.
    NeedMore,
    /// A rule was broken; no further bytes can mend it.
    Reject(Reject),
}

/// A part of the input, as offset and length in bytes from the input's start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// First byte.
    pub start: u32,
    /// Count of bytes.
    pub len: u32,
}

impl Span {
    pub(crate) fn new(start: usize, len: usize) -> Self {
        debug_assert!(start.saturating_add(len) <= u32::MAX as usize, "heads are bounded");
        Span { start: start as u32, len: len as u32 }
    }

    /// The span that `part` takes within `whole`, `start` bytes into the input. `part` must lie
    /// in `whole`.
    pub(crate) fn within(whole: &[u8], part: &[u8], start: usize) -> Self {
        let offset = (part.as_ptr() as usize).wrapping_sub(whole.as_ptr() as usize);
        debug_assert!(offset + part.len() <= whole.len(), "a part lies in its whole");
        Span::new(start + offset, part.len())
    }

    /// The bytes of this span; empty if `bytes` is too short to hold it.
    pub fn of(self, bytes: &[u8]) -> &[u8] {
        let start = self.start as usize;
        bytes.get(start..start + self.len as usize).unwrap_or_default()
    }

    /// Whether there is no byte in it.
    pub fn is_empty(self) -> bool {
        self.len == 0
    }
}

/// One field line. The value is without white space around it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Field {
    /// A token, as the peer spelt it.
    pub name: Span,
    /// May be empty.
    pub value: Span,
}

/// The version that a peer's message has. A later minor version counts as 1.1 (RFC 9110 §2.5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// HTTP/1.0
    Http10,
    /// HTTP/1.1
    #[default]
    Http11,
}

/// Bounds of a head, all in bytes but the last. Each is inclusive: a head that meets it exactly
/// passes. The default follows nginx's `large_client_header_buffers 4 8k`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The first line, without its line end.
    pub line_bytes_max: usize,
    /// Each field line, without its line end.
    pub field_bytes_max: usize,
    /// The whole head, from its first line to the end of the empty line.
    pub head_bytes_max: usize,
    /// Count of field lines.
    pub fields_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            line_bytes_max: 8 * 1024,
            field_bytes_max: 8 * 1024,
            head_bytes_max: 32 * 1024,
            fields_max: 100,
        }
    }
}

/// The value of the first field of that name, in any case.
pub fn find<'b>(fields: &[Field], bytes: &'b [u8], name: &str) -> Option<&'b [u8]> {
    fields
        .iter()
        .find(|field| field.name.of(bytes).eq_ignore_ascii_case(name.as_bytes()))
        .map(|field| field.value.of(bytes))
}

/// The bytes of `input` that a head which begins at `start` may take, and whether there are more.
/// What is over the bound is out of sight, so that it cannot change the verdict on what is not.
pub(crate) fn window<'i>(input: &'i [u8], start: usize, limits: &Limits) -> (&'i [u8], bool) {
    let max = start.saturating_add(limits.head_bytes_max).min(u32::MAX as usize);
    line::bounded(input, max)
}

/// A step of the walk over a head: go on at this offset, wait, or stop.
pub(crate) type Step<T> = Result<Option<T>, Reject>;

/// Turns what the walk over a window found into an answer; `cut` says that the window was shorter
/// than the input.
pub(crate) fn answer(found: Step<usize>, cut: bool) -> Parsed<()> {
    match found {
        Ok(Some(used)) => Parsed::Done { value: (), used },
        Ok(None) if cut => Parsed::Reject(Reject::HeadTooLarge),
        Ok(None) => Parsed::NeedMore,
        Err(reject) => Parsed::Reject(reject),
    }
}

/// Reads field lines of `window` from `at` up to and with the empty line, adds them to `fields`,
/// and shows each name and value with its field to `take`. Gives the offset after the empty line.
pub(crate) fn read_fields<'i>(
    window: &'i [u8],
    mut at: usize,
    limits: &Limits,
    fields: &mut Vec<Field>,
    mut take: impl FnMut(&'i [u8], &'i [u8], Field) -> Result<(), Reject>,
) -> Step<usize> {
    loop {
        let rest = window.get(at..).unwrap_or_default();
        let line = line::first_line(rest);
        if line.content.is_empty() {
            return match line.end {
                LineEnd::Whole => Ok(Some(at + 2)),
                LineEnd::Bare => Err(Reject::BareLineFeed),
                LineEnd::Return | LineEnd::Open => Ok(None),
            };
        }
        let (content, over) = line::bounded(line.content, limits.field_bytes_max);
        let colon = line::field_colon(content)?;
        let value = colon.and_then(|colon| content.get(colon + 1..)).unwrap_or_default();
        if !line::are_value_bytes(value) {
            return Err(line::bad_value(value, Reject::FieldValueMalformed));
        }
        if over {
            return Err(Reject::FieldTooLarge);
        }
        let name = match colon.and_then(|colon| content.get(..colon)) {
            None if line.end.is_settled() => return Err(Reject::FieldNameMalformed),
            name => name.unwrap_or_default(),
        };
        match line.end {
            LineEnd::Whole => {}
            LineEnd::Bare => return Err(Reject::BareLineFeed),
            LineEnd::Return | LineEnd::Open => return Ok(None),
        }
        if fields.len() >= limits.fields_max {
            return Err(Reject::TooManyFields);
        }
        let value = line::trim(value);
        let field =
            Field { name: Span::new(at, name.len()), value: Span::within(content, value, at) };
        debug_assert_eq!(field.value.of(window), value);
        fields.push(field);
        take(name, value, field)?;
        at += content.len() + 2;
    }
}
