//! The head of a request.

use alloc::vec::Vec;

use crate::framing::{BodyLength, Connection, Framing};
use crate::head::{self, Field, Limits, Parsed, Span, Step, Version};
use crate::line::{self, CR, LF, LineEnd};
use crate::reject::Reject;
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
    // RFC 9112 §2.2: one empty line before a request line is let pass.
    let start = match input {
        [] | [CR] => return Parsed::NeedMore,
        [CR, LF, ..] => 2,
        [CR, ..] => return Parsed::Reject(Reject::BareCarriageReturn),
        [LF, ..] => return Parsed::Reject(Reject::BareLineFeed),
        _ => 0,
    };
    let (window, cut) = head::window(input, start, limits);
    let found = read_request(window, start, limits, head);
    if let Ok(Some(used)) = found {
        debug_assert!(used <= input.len(), "never more than there is");
        debug_assert!(head.body != BodyLength::UntilClose, "a request has an end");
    }
    head::answer(found, cut)
}

fn read_request(
    window: &[u8],
    start: usize,
    limits: &Limits,
    head: &mut RequestHead,
) -> Step<usize> {
    let Some(at) = read_request_line(window, start, limits, head)? else {
        return Ok(None);
    };
    let mut framing = Framing::default();
    let (version, mut host, mut upgrade, mut expects) = (head.version, None, None, false);
    let end = head::read_fields(window, at, limits, &mut head.fields, |name, value, field| {
        match name.len() {
            4 if name.eq_ignore_ascii_case(b"host") => {
                // RFC 9112 §3.2, for HTTP/1.0 too, as nginx.
                if host.is_some() {
                    return Err(Reject::HostRepeated);
                }
                if !target::is_host(value) {
                    return Err(Reject::HostMalformed);
                }
                host = Some(field.value);
            }
            6 if name.eq_ignore_ascii_case(b"expect") => {
                expects |= value.eq_ignore_ascii_case(b"100-continue");
            }
            7 if name.eq_ignore_ascii_case(b"upgrade") => {
                upgrade = upgrade.or(Some(field.value));
            }
            _ => framing.take(version, name, value)?,
        }
        Ok(())
    })?;
    if end.is_none() {
        return Ok(None);
    }
    if host.is_none() && version == Version::Http11 {
        return Err(Reject::HostMissing);
    }
    head.body = framing.declared().unwrap_or(BodyLength::None);
    head.host = host;
    head.connection = framing.connection;
    head.expects_continue = expects && version == Version::Http11;
    head.upgrade = upgrade;
    Ok(end)
}

/// Reads the request line at `start`; gives the offset after it.
fn read_request_line(
    window: &[u8],
    start: usize,
    limits: &Limits,
    head: &mut RequestHead,
) -> Step<usize> {
    let line = line::first_line(window.get(start..).unwrap_or_default());
    let (content, over) = line::bounded(line.content, limits.line_bytes_max);
    let is_settled = line.end.is_settled() && !over;
    scan_request_line(content, is_settled, start, head)?;
    if over {
        return Err(Reject::TargetTooLong);
    }
    match line.end {
        LineEnd::Whole => Ok(Some(start + content.len() + 2)),
        LineEnd::Bare => Err(Reject::BareLineFeed),
        LineEnd::Return | LineEnd::Open => Ok(None),
    }
}

/// Judges `content` from left to right, so far as it goes; if it is settled, it must be a whole
/// request line.
fn scan_request_line(
    content: &[u8],
    is_settled: bool,
    start: usize,
    head: &mut RequestHead,
) -> Result<(), Reject> {
    // nginx: these bytes only, so no lower case.
    let is_method = |byte: &u8| matches!(byte, b'A'..=b'Z' | b'_' | b'-');
    let method_len = match content.iter().position(|byte| !is_method(byte)) {
        None if !is_settled => return Ok(()),
        Some(len @ 1..) if content.get(len) == Some(&b' ') => len,
        _ => return Err(Reject::MethodMalformed),
    };
    head.method = Span::new(start, method_len);
    let rest = content.get(method_len + 1..).unwrap_or_default();
    let target_len = match rest.iter().position(|&byte| byte <= b' ' || byte == 0x7f) {
        None if !is_settled => return Ok(()),
        // HTTP/0.9 had no version; it has no place behind a Service.
        None if !rest.is_empty() => return Err(Reject::VersionMalformed),
        Some(len @ 1..) => match rest.get(len) {
            Some(b' ') => len,
            Some(&CR) => return Err(Reject::VersionMalformed),
            _ => return Err(Reject::TargetMalformed),
        },
        _ => return Err(Reject::TargetMalformed),
    };
    head.target = Span::new(start + method_len + 1, target_len);
    match line::scan_version(rest.get(target_len + 1..).unwrap_or_default()) {
        Ok(Some((version, []))) => {
            head.version = version;
            Ok(())
        }
        Ok(Some((_, [CR, ..]))) => Err(Reject::BareCarriageReturn),
        Ok(None) if !is_settled => Ok(()),
        Ok(_) => Err(Reject::VersionMalformed),
        Err(Reject::VersionUnsupported) if content.starts_with(b"PRI * ") => {
            Err(Reject::Http2Preface)
        }
        Err(reject) => Err(reject),
    }
}
