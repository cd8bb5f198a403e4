//! The head of a request to a FastCGI application: its parameters.

use http1::BodyLength;

use super::{Sent, push_record};
use crate::config::model::{FastCgi, Param, Part, ProxyPass, Variable};
use crate::variables::View;

/// Most bytes of a record of parameters.
const PARAMS_BYTES_MAX: usize = u16::MAX as usize;
/// The application answers, and does not only judge or filter.
const RESPONDER: u8 = 1;

/// Writes the head of a request. `body` is what follows it; where there is none its end is written
/// too.
pub fn push_request(
    view: &View<'_>,
    (pass, to): (&ProxyPass, &FastCgi),
    body: BodyLength,
    out: &mut Vec<u8>,
) {
    push_record(Sent::Begin, &[0, RESPONDER, u8::from(to.keep_conn), 0, 0, 0, 0, 0], out);
    let mut pairs = Pairs { record: Vec::new(), out };
    let mut value = Vec::new();
    for param in to.params.iter() {
        value.clear();
        match (body, param.is_length()) {
            // What is said of the body is what is sent of it.
            (BodyLength::Exact(bytes), true) => http1::push_decimal(&mut value, bytes),
            (_, true) => {}
            (_, false) => view.push_template(&param.value, &mut value),
        }
        if !(value.is_empty() && param.is_left_out_empty()) {
            pairs.push(&[&param.name], &value);
        }
    }
    if pass.sending.fields {
        push_fields(view, to, &mut pairs);
    }
    pairs.flush();
    push_record(Sent::Params, &[], out);
    if body == BodyLength::None {
        super::push_body_end(out);
    }
}

/// nginx: each field is `HTTP_` and its name in upper case with `_` for `-`, unless the file sets
/// that one; several of one name are one.
fn push_fields(view: &View<'_>, to: &FastCgi, pairs: &mut Pairs<'_>) {
    let fields: Vec<(&[u8], &[u8])> =
        view.request.fields().map(|(name, value, _)| (name, value)).collect();
    let (mut name, mut value) = (Vec::new(), Vec::new());
    for (index, (field, _)) in fields.iter().enumerate() {
        let is_same = |(other, _): &&(&[u8], &[u8])| other.eq_ignore_ascii_case(field);
        if fields.iter().take(index).any(|other| is_same(&other)) {
            continue;
        }
        name.clear();
        let upper = |byte: &u8| if *byte == b'-' { b'_' } else { byte.to_ascii_uppercase() };
        name.extend(field.iter().map(upper));
        let is_set = |param: &Param| {
            param.name.strip_prefix(b"HTTP_").is_some_and(|set| set.eq_ignore_ascii_case(&name))
        };
        if to.params.iter().any(is_set) {
            continue;
        }
        let separator: &[u8] = if name == b"COOKIE" { b"; " } else { b", " };
        value.clear();
        for (nth, (_, part)) in fields.iter().skip(index).filter(is_same).enumerate() {
            value.extend_from_slice(if nth > 0 { separator } else { b"" });
            value.extend_from_slice(part);
        }
        pairs.push(&[b"HTTP_", &name], &value);
    }
}

/// Names and values, in records that each hold whole ones: some applications read no others.
struct Pairs<'o> {
    record: Vec<u8>,
    out: &'o mut Vec<u8>,
}

impl Pairs<'_> {
    fn push(&mut self, name: &[&[u8]], value: &[u8]) {
        let name_bytes = name.iter().map(|part| part.len()).sum();
        if self.record.len() + name_bytes + value.len() + 8 > PARAMS_BYTES_MAX {
            self.flush();
        }
        push_length(name_bytes, &mut self.record);
        push_length(value.len(), &mut self.record);
        name.iter().for_each(|part| self.record.extend_from_slice(part));
        // Its length goes before it: no byte of it ends anything.
        self.record.extend_from_slice(value);
    }

    fn flush(&mut self) {
        self.record
            .chunks(PARAMS_BYTES_MAX)
            .for_each(|part| push_record(Sent::Params, part, self.out));
        self.record.clear();
    }
}

/// One byte up to 127, else four with the highest bit set.
fn push_length(bytes: usize, out: &mut Vec<u8>) {
    match u8::try_from(bytes) {
        Ok(byte @ ..=127) => out.push(byte),
        _ => {
            let length = u32::try_from(bytes).unwrap_or(u32::MAX) | 1 << 31;
            out.extend_from_slice(&length.to_be_bytes());
        }
    }
}

impl Param {
    /// nginx: `$content_length` alone is the length of what is sent.
    fn is_length(&self) -> bool {
        self.name == b"CONTENT_LENGTH" && self.value.0 == [Part::Variable(Variable::ContentLength)]
    }

    /// nginx: `if_not_empty`, and a field that is set to nothing.
    fn is_left_out_empty(&self) -> bool {
        self.if_not_empty || self.value.is_empty() && self.name.starts_with(b"HTTP_")
    }
}
