//! What request and response heads share: limits and the walk over field lines.

use alloc::vec::Vec;

use crate::field::{Field, FieldClass, Known, Span};
use crate::grammar::Peer;
use crate::line::{self, CR, LF};
use crate::reject::Reject;
use crate::scan;

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

/// Bounds of a request's head, all in bytes but the last. Each is inclusive: a head that meets it
/// exactly passes. The default follows nginx's `large_client_header_buffers 4 8k` and
/// `max_headers 1000`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The first line, without its line end.
    pub line_bytes_max: usize,
    /// Each field line, without its line end.
    pub field_bytes_max: usize,
    /// The whole head to the end of the empty line, empty lines before the first line included.
    pub head_bytes_max: usize,
    /// Count of field lines.
    pub fields_max: usize,
}

impl Limits {
    /// None: the head of an answer is bounded as a whole, before it is read.
    pub(crate) const NONE: Limits = Limits {
        line_bytes_max: usize::MAX,
        field_bytes_max: usize::MAX,
        head_bytes_max: usize::MAX,
        fields_max: usize::MAX,
    };
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            line_bytes_max: 8 * 1024,
            field_bytes_max: 8 * 1024,
            head_bytes_max: 32 * 1024,
            fields_max: 1000,
        }
    }
}

/// The bytes of `input` that a head may take, and whether there are more.
pub(crate) fn window(input: &[u8], head_bytes_max: usize) -> (&[u8], bool) {
    line::bounded(input, head_bytes_max.min(u32::MAX as usize))
}

/// A step of the walk over a head: go on, wait, or stop.
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
/// and shows each with its value to `take`. Gives the offset after the empty line.
pub(crate) fn read_fields(
    window: &[u8],
    mut at: usize,
    limits: &Limits,
    peer: Peer,
    fields: &mut Vec<Field>,
    mut take: impl FnMut(Known, &[u8], Field) -> Result<(), Reject>,
) -> Step<usize> {
    loop {
        let rest = window.get(at..).unwrap_or_default();
        let Some(line) = read_field_line(rest, limits.field_bytes_max, peer)? else {
            return Ok(None);
        };
        if line.name_len == 0 {
            return Ok(Some(at + line.used));
        }
        if fields.len() >= limits.fields_max {
            return Err(Reject::TooManyFields);
        }
        let name = rest.get(..line.name_len).unwrap_or_default();
        let value = rest.get(line.value_at..line.value_end).unwrap_or_default();
        let known = Known::new(name, line.seen);
        let field = Field {
            name: Span::new(at, name.len()),
            value: Span::new(at + line.value_at, value.len()),
            class: FieldClass::new(known, line.seen),
        };
        fields.push(field);
        if peer == Peer::Client && known.is_decisive() {
            let before = rest.get(line.name_len + 1..line.value_at).unwrap_or_default();
            let after = rest.get(line.value_end..line.used).unwrap_or_default();
            // White space around a value may be tabs (RFC 9110 §5.6.3), but to nginx and others
            // they are part of it: these fields are not read in two ways.
            if before.contains(&b'\t') || after.contains(&b'\t') {
                return Err(known.malformed());
            }
        }
        take(known, value, field)?;
        at += line.used;
    }
}

/// One line, as offsets from its first byte.
#[derive(Clone, Copy, Debug, Default)]
struct FieldLine {
    /// 0 for the empty line.
    name_len: usize,
    /// What [`scan::name`] says of the name.
    seen: u8,
    value_at: usize,
    value_end: usize,
    /// Bytes of the line with its line end.
    used: usize,
}

/// Reads the line at the front of `rest`, each byte of it once and in order, so that the first bad
/// byte gives the verdict.
#[inline(always)]
fn read_field_line(rest: &[u8], line_bytes_max: usize, peer: Peer) -> Step<FieldLine> {
    // The byte after the last one allowed shows that there is too much.
    let within = rest.get(..line_bytes_max.saturating_add(1)).unwrap_or(rest);
    let (name_len, seen) = scan::name(within);
    match within.get(name_len) {
        Some(b':') if name_len > 0 => {}
        None if within.len() <= line_bytes_max => return Ok(None),
        None => return Err(Reject::FieldTooLarge),
        Some(_) => return read_line_without_colon(rest, name_len, seen, peer),
    }
    let after = line::trim_start(within.get(name_len + 1..).unwrap_or_default());
    let value_at = within.len() - after.len();
    let value = after.get(..scan::value(after, peer)).unwrap_or_default();
    let end = value_at + value.len();
    if end > line_bytes_max {
        return Err(Reject::FieldTooLarge);
    }
    let Some(used) = read_field_end(rest, end, peer)? else {
        return Ok(None);
    };
    let value_end = value_at + line::trim_end(value).len();
    Ok(Some(FieldLine { name_len, seen, value_at, value_end, used }))
}

/// Reads the end of the field line whose content ends at `end`; gives the offset after it. An
/// upstream may put carriage returns before it: nginx takes them, and applications add one when
/// they read the value from a line of a file.
#[inline]
fn read_field_end(rest: &[u8], mut end: usize, peer: Peer) -> Step<usize> {
    let mut after = rest.get(end..).unwrap_or_default();
    while let (Peer::Upstream, [CR, cut @ ..]) = (peer, after)
        && cut.first() == Some(&CR)
    {
        (end, after) = (end + 1, cut);
    }
    Ok(line::read_end(after, peer, Reject::FieldValueMalformed)?.map(|len| end + len))
}

/// Reads the line at the front of `rest` whose byte at `name_len` can be part of no name.
fn read_line_without_colon(rest: &[u8], name_len: usize, seen: u8, peer: Peer) -> Step<FieldLine> {
    let is_line_end = matches!(rest.get(name_len), Some(&(CR | LF)));
    match (name_len, rest.first()) {
        (0, _) if is_line_end => {
            let used = line::read_end(rest, peer, Reject::FieldNameMalformed)?;
            Ok(used.map(|used| FieldLine { used, ..FieldLine::default() }))
        }
        (0, Some(b' ' | b'\t')) => Err(Reject::ObsFold),
        // As in nginx: a name without a value. One that frames is rejected for its empty value.
        (1.., _) if is_line_end && peer == Peer::Upstream => {
            let used = read_field_end(rest, name_len, peer)?;
            let (value_at, value_end) = (name_len, name_len);
            Ok(used.map(|used| FieldLine { name_len, seen, value_at, value_end, used }))
        }
        _ => Err(Reject::FieldNameMalformed),
    }
}
