//! What a client would get for an upstream's answer: the head as it is written anew, without the
//! fields of the connection, and the body. In that form an answer can be held against nginx's.

use http1::{
    BodyReader, FieldClass, Parsed, Reject, ResponseHead, Version, parse_response, push_end,
    push_field, push_status_line,
};

use super::Side::{Responses, ResponsesToHead};
use super::{Limits, read_all_ways};

const HEAD_BYTES_MAX: usize = 64 << 10;

/// Status line, fields and body, with ` | ` for line ends. The body is followed by the rule it
/// breaks if it does, and by `...` if it is not complete.
pub(crate) fn sent(wire: &[u8], to_head: bool) -> Result<String, Reject> {
    let side = if to_head { ResponsesToHead } else { Responses };
    let limits = Limits { head_bytes_max: HEAD_BYTES_MAX, ..Limits::default() };
    // In every cut would take long.
    if wire.len() < 500 {
        read_all_ways(side, limits, wire);
    }
    let mut head = ResponseHead::new();
    let used = match parse_response(wire, HEAD_BYTES_MAX, to_head, &mut head) {
        Parsed::Done { used, .. } => used,
        Parsed::NeedMore => return Ok("...".to_owned()),
        Parsed::Reject(reject) => return Err(reject),
    };
    let mut out = Vec::new();
    push_status_line(&mut out, Version::Http11, head.status, head.reason.of(wire));
    for field in head.fields.iter().filter(|field| field.class != FieldClass::Hop) {
        push_field(&mut out, field.name.of(wire), field.value.of(wire));
    }
    push_end(&mut out);
    let mut text: String = out.iter().map(|&byte| char::from(byte)).collect();
    text = text.replace("\r\n\r\n", "\r\n").replace("\r\n", " | ");

    let (mut reader, mut rest) = (BodyReader::new(head.body), &wire[used..]);
    loop {
        match reader.read(rest) {
            Err(reject) => break text.push_str(reject.label()),
            Ok(part) => {
                text.extend(part.data.iter().map(|&byte| char::from(byte)));
                rest = &rest[part.used..];
                if part.used == 0 {
                    break text.push_str(if reader.eof().is_ok() { "" } else { "..." });
                }
            }
        }
    }
    Ok(text)
}

/// nginx 1.22.1 sends the same.
pub(crate) fn same(wire: &[u8], expected: &str) {
    let shown = String::from_utf8_lossy(wire);
    assert_eq!(sent(wire, false).as_deref(), Ok(expected), "{shown:?}");
}

/// nginx 1.22.1 answers 502.
pub(crate) fn refused(wire: &[u8], expected: Reject) {
    assert_eq!(sent(wire, false), Err(expected), "{:?}", String::from_utf8_lossy(wire));
}

/// nginx 1.22.1 takes it, and sends `_nginx`.
pub(crate) fn refused_here(wire: &[u8], expected: Reject, _nginx: &str) {
    refused(wire, expected);
}

/// Both take it; nginx 1.22.1 sends `nginx`, which is something else.
pub(crate) fn otherwise(wire: &[u8], expected: &str, nginx: &str) {
    same(wire, expected);
    assert_ne!(expected, nginx);
}
