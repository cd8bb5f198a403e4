//! An upstream of a case as a FastCGI application, by rules of its own: it reads a request as a head
//! whose fields are the parameters, and makes records of what the case says.
//!
//! An answer is `upstream: cgi`, or a status, which becomes the field `Status`; its fields are those
//! of the CGI head. `stderr:` comes before it and `late stderr:` after the body, `records: N` cuts it
//! into records of so many bytes, and `ends: stdout` (an empty record, too), `ends: close` (without
//! the last record) and `ends: cut` (in the middle of one) tell its end otherwise than usual.

use crate::case::{Message, unescape};
use crate::wire::{Body, Framing, Head, Wire, latin1};

const OWN: [&str; 5] = ["body", "stderr", "late stderr", "records", "ends"];

/// Waits for a request; `None` where the connection stops before its end.
pub fn request(wire: &mut Wire) -> Option<(Head, Body)> {
    let mut head = Head { line: "FastCGI".into(), ..Head::default() };
    let mut body = Body::default();
    let (mut params, mut has_params) = (Vec::new(), false);
    loop {
        let start = wire.body(Framing::Length(8)).data;
        let [1, kind, 0, 1, high, low, padding, _] = start[..] else { return None };
        let length = usize::from(high) * 256 + usize::from(low);
        let content = wire.body(Framing::Length(length));
        let padding = wire.body(Framing::Length(usize::from(padding)));
        if !content.is_whole || !padding.is_whole {
            return None;
        }
        let bytes = 8 + length + padding.data.len();
        match (kind, length) {
            (1, 8) if content.data[..2] == [0, 1] => {
                head.bytes += bytes;
                head.line += if content.data[2] & 1 == 1 { ", kept" } else { "" };
            }
            (4, _) => {
                head.bytes += bytes;
                has_params |= length == 0;
                params.extend(content.data);
            }
            (5, 0) if has_params => {
                body.wire_bytes += bytes;
                body.is_whole = true;
                head.fields = pairs(&params)?;
                return Some((head, body));
            }
            (5, _) if has_params => {
                body.wire_bytes += bytes;
                body.data.extend(content.data);
            }
            _ => return None,
        }
    }
}

fn pairs(mut rest: &[u8]) -> Option<Vec<(String, String)>> {
    let mut found = Vec::new();
    while !rest.is_empty() {
        let (name, value) = (length(&mut rest)?, length(&mut rest)?);
        let (name, after) = rest.split_at_checked(name)?;
        let (value, after) = after.split_at_checked(value)?;
        found.push((latin1(name), latin1(value)));
        rest = after;
    }
    Some(found)
}

fn length(rest: &mut &[u8]) -> Option<usize> {
    let (first, after) = rest.split_first()?;
    if *first < 128 {
        *rest = after;
        return Some(usize::from(*first));
    }
    let (four, after) = rest.split_first_chunk::<4>()?;
    *rest = after;
    usize::try_from(u32::from_be_bytes(*four) & 0x7fff_ffff).ok()
}

/// An answer's bytes, and whether the connection ends after it in any case.
pub fn answer(message: &Message) -> (Vec<u8>, bool) {
    if message.start.starts_with("raw ") {
        return (message.answer(false).0, true);
    }
    let mut content = Vec::new();
    if let Ok(status) = message.start.parse::<u16>() {
        content.extend(format!("Status: {status} {}\r\n", http1::reason(status)).into_bytes());
    }
    for (name, value) in message.fields.iter().filter(|(name, _)| !OWN.contains(&name.as_str())) {
        content.extend([name.as_bytes(), b": ", &unescape(value), b"\r\n"].concat());
    }
    content.extend(b"\r\n");
    content.extend(unescape(message.own("body").unwrap_or_default()));
    let most = message.own("records").and_then(|told| told.parse().ok()).unwrap_or(65_535);
    let mut out = Vec::new();
    push_records(7, message.own("stderr").map(unescape), most, &mut out);
    push_records(6, Some(content), most, &mut out);
    push_records(7, message.own("late stderr").map(unescape), most, &mut out);
    match message.own("ends") {
        Some("close") => return (out, true),
        Some("cut") => {
            out.extend([1, 6, 0, 1, 0, 9, 0, 0, b'c', b'u', b't']);
            return (out, true);
        }
        Some("stdout") => push_record(6, &[], &mut out),
        _ => {}
    }
    push_record(3, &[0; 8], &mut out);
    (out, false)
}

fn push_records(kind: u8, content: Option<Vec<u8>>, most: usize, out: &mut Vec<u8>) {
    content.unwrap_or_default().chunks(most).for_each(|part| push_record(kind, part, out));
}

fn push_record(kind: u8, content: &[u8], out: &mut Vec<u8>) {
    let [high, low] = u16::try_from(content.len()).unwrap().to_be_bytes();
    let padding = u8::try_from(content.len().wrapping_neg() % 8).unwrap();
    out.extend([1, kind, 0, 1, high, low, padding, 0]);
    out.extend_from_slice(content);
    out.resize(out.len() + usize::from(padding), 0xee);
}
