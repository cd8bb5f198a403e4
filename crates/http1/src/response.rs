//! The head of a response.

use alloc::vec::Vec;

use crate::connection::Connection;
use crate::field::{Field, Span};
use crate::framing::{BodyLength, Framing};
use crate::grammar::{Peer, Version};
use crate::head::{self, Limits, Parsed, Step};
use crate::line::{self, CR, LF};
use crate::reject::Reject;
use crate::scan;

/// The head of a response, as spans of the input it was read from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResponseHead {
    /// The upstream's version.
    pub version: Version,
    /// 100 to 999. A status below 200 is interim, but for 101 (RFC 9110 §15.2).
    pub status: u16,
    /// May be empty. None of its bytes is NUL, CR or LF.
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

    pub(crate) fn clear(&mut self) {
        let mut fields = core::mem::take(&mut self.fields);
        fields.clear();
        *self = ResponseHead { fields, ..Self::default() };
    }
}

/// Reads a response's head from the start of `input`. Its one bound is `head_bytes_max`, inclusive,
/// from the status line to the end of the empty line, as nginx's `proxy_buffer_size`; its fields
/// take at most ten times as many bytes of memory. `request_was_head` is needed because the answer
/// to HEAD has no body whatever it declares (RFC 9112 §6.3). With `Done`, `used` counts the head
/// with its empty line, and spans are offsets into `input`.
pub fn parse_response(
    input: &[u8],
    head_bytes_max: usize,
    request_was_head: bool,
    head: &mut ResponseHead,
) -> Parsed<()> {
    head.clear();
    let (window, cut) = head::window(input, head_bytes_max);
    let found = read_response(window, request_was_head, head);
    if let Ok(Some(used)) = found {
        debug_assert!(used <= input.len(), "never more than there is");
    }
    head::answer(found, cut)
}

fn read_response(window: &[u8], request_was_head: bool, head: &mut ResponseHead) -> Step<usize> {
    let Some(at) = read_status_line(window, head)? else {
        return Ok(None);
    };
    let mut framing = Framing::new(Peer::Upstream, head.version);
    let take = |known, value: &[u8], _| framing.take(known, value);
    let fields = &mut head.fields;
    let Some(end) = head::read_fields(window, at, &Limits::NONE, Peer::Upstream, fields, take)?
    else {
        return Ok(None);
    };
    framing.take_lists(fields, window)?;
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
    Ok(Some(end))
}

/// Reads the status line; gives the offset after it.
fn read_status_line(window: &[u8], head: &mut ResponseHead) -> Step<usize> {
    let Some((version, at)) = scan_version(window)? else {
        return Ok(None);
    };
    head.version = version;
    let Some((status, at)) = scan_status(window, at)? else {
        return Ok(None);
    };
    head.status = status;
    let rest = window.get(at..).unwrap_or_default();
    // RFC 9112 §4: the space is due even without a reason, but many leave it out.
    let reason = match rest {
        [b' ', reason @ ..] => reason,
        [CR | LF, ..] | [] => &[],
        _ => return Err(Reject::StatusMalformed),
    };
    let reason_len = scan::value(reason, Peer::Upstream);
    let reason_at = at + usize::from(rest.first() == Some(&b' '));
    head.reason = Span::new(reason_at, reason_len);
    let end = reason_at + reason_len;
    let after = window.get(end..).unwrap_or_default();
    Ok(line::read_end(after, Peer::Upstream, Reject::ReasonMalformed)?.map(|len| end + len))
}

/// Reads `HTTP/1.x` with any minor version below 1000 that nginx takes; gives the offset after it.
#[inline]
fn scan_version(window: &[u8]) -> Step<(Version, usize)> {
    const NAME: &[u8] = b"HTTP/1.";
    if !window.starts_with(NAME) {
        return match window {
            _ if NAME.starts_with(window) => Ok(None),
            [b'H', b'T', b'T', b'P', b'/', b'2'..=b'9', ..] => Err(Reject::VersionUnsupported),
            _ => Err(Reject::VersionMalformed),
        };
    }
    let (mut at, mut minor) = (NAME.len(), 0_u32);
    while let Some(digit @ b'0'..=b'9') = window.get(at) {
        minor = minor * 10 + u32::from(digit - b'0');
        if minor > 999 {
            return Err(Reject::VersionMalformed);
        }
        at += 1;
    }
    match window.get(at) {
        None => Ok(None),
        Some(b' ') if at > NAME.len() => {
            // RFC 9110 §2.5: a later minor version is read as the latest one known.
            let version = if minor == 0 { Version::Http10 } else { Version::Http11 };
            Ok(Some((version, at)))
        }
        Some(&(CR | LF)) if at > NAME.len() => Err(Reject::StatusMalformed),
        Some(_) => Err(Reject::VersionMalformed),
    }
}

/// Reads the spaces at `at` and the three digits of the status; gives the offset after them.
#[inline]
fn scan_status(window: &[u8], mut at: usize) -> Step<(u16, usize)> {
    while window.get(at) == Some(&b' ') {
        at += 1;
    }
    let mut status: u16 = 0;
    for place in 0..3 {
        match (place, window.get(at + place)) {
            (_, None) => return Ok(None),
            (0, Some(digit @ b'1'..=b'9')) | (1.., Some(digit @ b'0'..=b'9')) => {
                status = status * 10 + u16::from(digit - b'0');
            }
            _ => return Err(Reject::StatusMalformed),
        }
    }
    debug_assert!((100..1000).contains(&status));
    Ok(Some((status, at + 3)))
}
