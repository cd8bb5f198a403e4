//! The head of a response.

use alloc::vec::Vec;

use crate::framing::{BodyLength, Connection, Framing};
use crate::head::{self, Field, Limits, Parsed, Span, Step, Version};
use crate::line::{self, CR, LineEnd};
use crate::reject::Reject;

/// The head of a response, as spans of the input it was read from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResponseHead {
    /// The upstream's version.
    pub version: Version,
    /// 100 to 999. A status below 200 is interim, but for 101 (RFC 9110 §15.2).
    pub status: u16,
    /// May be empty.
    pub reason: Span,
    /// In the upstream's order, repeated ones too.
    pub fields: Vec<Field>,
    /// What follows on the wire, with the request's method taken into account.
    pub body: BodyLength,
    /// What the Connection fields say. `close` is also set where the head claims a body that
    /// its status cannot have, for then the next bytes are not to be trusted.
    pub connection: Connection,
}

impl ResponseHead {
    /// An empty head to parse into.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether the connection can carry another exchange after this message (RFC 9112 §9.3).
    pub fn persistent(&self) -> bool {
        self.body != BodyLength::UntilClose && self.connection.persists(self.version)
    }

    fn clear(&mut self) {
        let mut fields = core::mem::take(&mut self.fields);
        fields.clear();
        *self = ResponseHead { fields, ..Self::default() };
    }
}

/// Reads a response's head from the start of `input`. `request_was_head` is needed because the
/// answer to HEAD has no body whatever it declares (RFC 9112 §6.3). With `Done`, `used` counts
/// the head with its empty line, and spans are offsets into `input`.
pub fn parse_response(
    input: &[u8],
    limits: &Limits,
    request_was_head: bool,
    head: &mut ResponseHead,
) -> Parsed<()> {
    head.clear();
    let (window, cut) = head::window(input, 0, limits);
    let found = read_response(window, limits, request_was_head, head);
    if let Ok(Some(used)) = found {
        debug_assert!(used <= input.len(), "never more than there is");
    }
    head::answer(found, cut)
}

fn read_response(
    window: &[u8],
    limits: &Limits,
    request_was_head: bool,
    head: &mut ResponseHead,
) -> Step<usize> {
    let Some(at) = read_status_line(window, limits, head)? else {
        return Ok(None);
    };
    let version = head.version;
    let mut framing = Framing::default();
    let end = head::read_fields(window, at, limits, &mut head.fields, |name, value, _| {
        framing.take(version, name, value)
    })?;
    if end.is_none() {
        return Ok(None);
    }
    head.connection = framing.connection;
    let declared = framing.declared();
    // RFC 9112 §6.3, items 1 and 2.
    head.body = match head.status {
        _ if request_was_head => BodyLength::None,
        304 => BodyLength::None,
        100..=199 | 204 => {
            // RFC 9110 §8.6, RFC 9112 §6.1: a server must not declare a body here. Some do, and
            // send one; nothing after this head is taken for a next response then.
            if !matches!(declared, None | Some(BodyLength::Exact(0))) {
                head.connection.close = true;
            }
            BodyLength::None
        }
        _ => declared.unwrap_or(BodyLength::UntilClose),
    };
    Ok(end)
}

/// Reads the status line; gives the offset after it.
fn read_status_line(window: &[u8], limits: &Limits, head: &mut ResponseHead) -> Step<usize> {
    let line = line::first_line(window);
    let (content, over) = line::bounded(line.content, limits.line_bytes_max);
    let is_settled = line.end.is_settled() && !over;
    scan_status_line(content, is_settled, head)?;
    if over {
        return Err(Reject::StatusLineTooLong);
    }
    match line.end {
        LineEnd::Whole => Ok(Some(content.len() + 2)),
        LineEnd::Bare => Err(Reject::BareLineFeed),
        LineEnd::Return | LineEnd::Open => Ok(None),
    }
}

/// Judges `content` from left to right, so far as it goes; if it is settled, it must be a whole
/// status line.
fn scan_status_line(
    content: &[u8],
    is_settled: bool,
    head: &mut ResponseHead,
) -> Result<(), Reject> {
    let Some((version, rest)) = line::scan_version(content)? else {
        return if is_settled { Err(Reject::VersionMalformed) } else { Ok(()) };
    };
    head.version = version;
    let mut status: u16 = 0;
    for place in 0..4 {
        match (place, rest.get(place)) {
            (_, None) if !is_settled => return Ok(()),
            (0, Some(b' ')) => {}
            (1, Some(digit @ b'1'..=b'9')) | (2.., Some(digit @ b'0'..=b'9')) => {
                status = status * 10 + u16::from(digit - b'0');
            }
            _ => return Err(Reject::StatusMalformed),
        }
    }
    debug_assert!((100..1000).contains(&status));
    head.status = status;
    // RFC 9112 §4: the space is due even without a reason, but many leave it out.
    match rest.get(4..).unwrap_or_default() {
        [] => head.reason = Span::new(content.len(), 0),
        [b' ', reason @ ..] if line::are_value_bytes(reason) => {
            head.reason = Span::within(content, reason, 0);
        }
        [b' ', reason @ ..] => return Err(line::bad_value(reason, Reject::ReasonMalformed)),
        [CR, ..] => return Err(Reject::BareCarriageReturn),
        _ => return Err(Reject::StatusMalformed),
    }
    Ok(())
}
