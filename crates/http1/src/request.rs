//! The head of a request.

use alloc::vec::Vec;

use crate::connection::Connection;
use crate::field::{Field, Known, Span};
use crate::framing::{BodyLength, Framing};
use crate::grammar::{Peer, Version, is_method_byte};
use crate::head::{self, Limits, Parsed, Step};
use crate::line::{self, CR, LF};
use crate::reject::Reject;
use crate::scan;
use crate::target;

/// The head of a request, as spans of the input it was read from. Made once and used for many
/// requests: the vector keeps its room.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestHead {
    /// `A-Z`, `_`, `-`; never empty.
    pub method: Span,
    /// As the client wrote it, never empty; see [`target::split`].
    pub target: Span,
    /// The client's version.
    pub version: Version,
    /// In the client's order, repeated ones too.
    pub fields: Vec<Field>,
    /// Never `UntilClose`.
    pub body: BodyLength,
    /// The one Host field's value, checked. `None` with HTTP/1.0 only.
    pub host: Option<Span>,
    /// What the Connection fields say.
    pub connection: Connection,
    /// `Expect: 100-continue` from a client of HTTP/1.1 (RFC 9110 §10.1.1).
    pub expects_continue: bool,
    /// The value of the first Upgrade field. It asks for something only if
    /// `connection.upgrade` is set too (RFC 9110 §7.8).
    pub upgrade: Option<Span>,
}

impl RequestHead {
    /// An empty head to parse into.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether the client wants the connection to go on after the answer (RFC 9112 §9.3).
    pub fn persistent(&self) -> bool {
        self.connection.persists(self.version)
    }

    fn clear(&mut self) {
        let mut fields = core::mem::take(&mut self.fields);
        fields.clear();
        *self = RequestHead { fields, ..Self::default() };
    }
}

/// Reads a request's head from the start of `input`. With `Done`, `used` counts the head with
/// its empty line, and the spans of `head` are offsets into `input`. With the other answers
/// `head` holds what was understood before, which is good for a log line only.
pub fn parse_request(input: &[u8], limits: &Limits, head: &mut RequestHead) -> Parsed<()> {
    head.clear();
    let (window, cut) = head::window(input, limits.head_bytes_max);
    let found = read_request(window, limits, head);
    if let Ok(Some(used)) = found {
        debug_assert!(used <= input.len(), "never more than there is");
        debug_assert!(head.body != BodyLength::UntilClose, "a request has an end");
    }
    head::answer(found, cut)
}

fn read_request(window: &[u8], limits: &Limits, head: &mut RequestHead) -> Step<usize> {
    let Some(start) = skip_empty_lines(window)? else {
        return Ok(None);
    };
    let Some(at) = read_request_line(window, start, limits, head)? else {
        return Ok(None);
    };
    let version = head.version;
    let mut framing = Framing::new(Peer::Client, version);
    let (mut host, mut upgrade, mut expects, mut seen) = (None, None, None, 0);
    let mut take = |known, value: &[u8], field: Field| {
        match known {
            Known::Other | Known::Hop => {}
            // RFC 9112 §3.2, for HTTP/1.0 too, as nginx.
            Known::Host if host.is_some() => return Err(Reject::HostRepeated),
            Known::Host if !target::is_host(value) => return Err(Reject::HostMalformed),
            Known::Host => host = Some(field.value),
            Known::Expect if expects.is_some() => return Err(Reject::FieldRepeated),
            Known::Expect => expects = Some(value.eq_ignore_ascii_case(b"100-continue")),
            Known::Once(bit) if seen & bit != 0 => return Err(Reject::FieldRepeated),
            Known::Once(bit) => seen |= bit,
            Known::Upgrade => upgrade = upgrade.or(Some(field.value)),
            _ => framing.take(known, value)?,
        }
        Ok(())
    };
    let fields = &mut head.fields;
    let Some(end) = head::read_fields(window, at, limits, Peer::Client, fields, &mut take)? else {
        return Ok(None);
    };
    if host.is_none() && version == Version::Http11 {
        return Err(Reject::HostMissing);
    }
    framing.take_lists(fields, window)?;
    head.body = framing.declared().unwrap_or(BodyLength::None);
    head.host = host;
    head.connection = framing.connection;
    head.expects_continue = expects == Some(true) && version == Version::Http11;
    head.upgrade = upgrade;
    Ok(Some(end))
}

/// Whether `input` is nothing but whole empty lines, which begin no request.
#[inline]
pub fn is_empty_lines(input: &[u8]) -> bool {
    after_empty_lines(input).is_empty()
}

/// What follows the empty lines. RFC 9112 §2.2: empty lines before a request line are let pass;
/// like nginx as many as there are, within the head's bound.
#[inline]
fn after_empty_lines(mut rest: &[u8]) -> &[u8] {
    while let [CR, LF, after @ ..] | [LF, after @ ..] = rest {
        rest = after;
    }
    rest
}

/// The offset of the first line that is not empty.
#[inline]
fn skip_empty_lines(window: &[u8]) -> Step<usize> {
    match after_empty_lines(window) {
        [] | [CR] => Ok(None),
        [CR, ..] => Err(Reject::BareCarriageReturn),
        rest => Ok(Some(window.len() - rest.len())),
    }
}

/// Reads the request line at `start`; gives the offset after it.
#[inline]
fn read_request_line(
    window: &[u8],
    start: usize,
    limits: &Limits,
    head: &mut RequestHead,
) -> Step<usize> {
    let rest = window.get(start..).unwrap_or_default();
    // The byte after the last one allowed shows that there is too much.
    let within = rest.get(..limits.line_bytes_max.saturating_add(1)).unwrap_or(rest);
    let len = scan_request_line(within, start, head)?;
    if len.unwrap_or(within.len()) > limits.line_bytes_max {
        return Err(Reject::TargetTooLong);
    }
    let Some(len) = len else { return Ok(None) };
    let after = rest.get(len..).unwrap_or_default();
    Ok(line::read_end(after, Peer::Client, Reject::VersionMalformed)?.map(|end| start + len + end))
}

/// Judges a request line from left to right; gives its length if it is there up to the version.
#[inline]
fn scan_request_line(line: &[u8], start: usize, head: &mut RequestHead) -> Step<usize> {
    let method_len = match line.iter().position(|&byte| !is_method_byte(byte)) {
        None => return Ok(None),
        Some(len @ 1..) if line.get(len) == Some(&b' ') => len,
        Some(_) => return Err(Reject::MethodMalformed),
    };
    head.method = Span::new(start, method_len);
    let rest = line.get(method_len + 1..).unwrap_or_default();
    let target_len = scan::target(rest);
    match rest.get(target_len) {
        None => return Ok(None),
        Some(b' ') if target_len > 0 => {}
        // HTTP/0.9 had no version; it has no place behind a Service.
        Some(&CR) if target_len > 0 => return Err(Reject::VersionMalformed),
        Some(_) => return Err(Reject::TargetMalformed),
    }
    head.target = Span::new(start + method_len + 1, target_len);
    let at = method_len + target_len + 2;
    match scan_version(line.get(at..).unwrap_or_default()) {
        Ok(Some(version)) => {
            head.version = version;
            Ok(Some(at + VERSION_LEN))
        }
        Ok(None) => Ok(None),
        Err(Reject::VersionUnsupported) if line.starts_with(b"PRI * ") => Err(Reject::Http2Preface),
        Err(reject) => Err(reject),
    }
}

const VERSION_LEN: usize = 8;

/// Reads `HTTP/1.x` from the front of `bytes`. `Ok(None)`: cut short.
#[inline]
fn scan_version(bytes: &[u8]) -> Result<Option<Version>, Reject> {
    match bytes {
        [b'H', b'T', b'T', b'P', b'/', b'1', b'.', b'0', ..] => Ok(Some(Version::Http10)),
        // RFC 9110 §2.5: a later minor version is read as the latest one known.
        [b'H', b'T', b'T', b'P', b'/', b'1', b'.', b'1'..=b'9', ..] => Ok(Some(Version::Http11)),
        [b'H', b'T', b'T', b'P', b'/', b'2'..=b'9', ..] => Err(Reject::VersionUnsupported),
        _ if b"HTTP/1.".starts_with(bytes) => Ok(None),
        _ => Err(Reject::VersionMalformed),
    }
}
