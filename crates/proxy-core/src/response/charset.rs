//! nginx: `charset` and its family: what the type of an answer says of its charset. Contents are
//! not converted.

use crate::config::model::{CharsetName, ErrorLevel, Handler, IgnoredFields};
use crate::variables::View;

use super::{Context, Response, Source};

const TYPE: &[u8] = b"content-type";

pub(super) fn filter(response: &mut Response, context: &Context<'_>) {
    let location = context.request.at.location(context.request.place);
    let charset = &location.client.bodies.charset;
    // An upstream can only tell one of those that the file names.
    if charset.known.is_empty() && charset.told.is_none() {
        return;
    }
    let Some(new) = decide(response, context) else { return };
    let Some(old) = response.sent_value(TYPE).map(<[u8]>::to_vec) else { return };
    response.suppress_where(|name, value| name.eq_ignore_ascii_case(TYPE) && value == old);
    response.packing.charset_bytes = new.value.len() - new.bare_len;
    response.push(b"Content-Type", &new.value);
}

impl Response {
    /// Its type with the charset that will be told, if it is another than now.
    pub fn told_type(&self, context: &Context<'_>) -> Option<Vec<u8>> {
        decide(self, context).map(|new| new.value)
    }
}

/// The type as it is told.
struct New {
    value: Vec<u8>,
    /// So much of it is the type alone.
    bare_len: usize,
}

/// What the type becomes; none where it stays.
fn decide(response: &Response, context: &Context<'_>) -> Option<New> {
    let location = context.request.at.location(context.request.place);
    let charset = &location.client.bodies.charset;
    let whole = response.sent_value(TYPE).filter(|whole| !whole.is_empty())?;
    // nginx: of several parts each tells its own.
    if response.source == Source::Proxy && whole.starts_with(b"multipart/byteranges") {
        return None;
    }
    let (bare, own) = split(whole, response.source);
    let view = View::of_response(context, response);
    let known = |name: &[u8]| charset.known.iter().find(|one| one.eq_ignore_ascii_case(name));
    let note = |line: String| context.request.values.borrow_mut().note(ErrorLevel::Error, line);
    let shown = |name: &[u8]| String::from_utf8_lossy(name).escape_debug().to_string();
    let value = |name: &CharsetName| match name {
        CharsetName::Is(name) => Some(name.clone()),
        CharsetName::Of(variable) => {
            let mut value = Vec::new();
            view.push_variable(variable, &mut value).then_some(value)
        }
    };
    let told = match told_by_upstream(response, context) {
        Some(name) if known(name).is_none() => {
            note(format!("unknown charset \"{}\" to override", shown(name)));
            return None;
        }
        Some(name) => name.to_vec(),
        None => {
            let is_meant = match own {
                Some(_) => charset.overrides,
                None => charset.types.has(bare),
            };
            let told = charset.told.as_ref().filter(|_| is_meant)?;
            value(told).filter(|told| !told.is_empty())?
        }
    };
    // nginx: what followed a redirect has once been taken for it.
    let is_told = !matches!(response.status, 301 | 302);
    let with = |bare: &[u8]| {
        let mut value = bare.to_vec();
        if is_told {
            value.extend_from_slice(b"; charset=");
            value.extend_from_slice(&told);
        }
        New { value, bare_len: bare.len() }
    };
    let appended = || if own.is_none() { Some(with(whole)) } else { None };
    let source = own.map(<[u8]>::to_vec).or_else(|| charset.source.as_ref().and_then(value));
    let Some(source) = source else { return appended() };
    if !source.eq_ignore_ascii_case(&told) {
        let is_packed = response.sent_value(b"content-encoding").is_some_and(|it| !it.is_empty());
        if !is_packed || known(&source).is_none() || known(&told).is_none() {
            let (source, told) = (shown(&source), shown(&told));
            note(format!("no \"charset_map\" between the charsets \"{source}\" and \"{told}\""));
        }
        return None;
    }
    if known(&told).is_some() { Some(with(bare)) } else { appended() }
}

/// nginx: `X-Accel-Charset`.
fn told_by_upstream<'r>(response: &'r Response, context: &Context<'_>) -> Option<&'r [u8]> {
    if response.source != Source::Upstream {
        return None;
    }
    let location = context.request.at.location(context.request.place);
    let Handler::Proxy(pass) = &location.handler else { return None };
    let is_ignored = pass.steering.ignored.contains(IgnoredFields::CHARSET);
    response.upstream_field(b"x-accel-charset").filter(|name| !is_ignored && !name.is_empty())
}

/// A type, and what an upstream says there of the charset. nginx: it is looked for behind
/// semicolons, and in what was made here not at all.
pub(super) fn split(whole: &[u8], source: Source) -> (&[u8], Option<&[u8]>) {
    if source != Source::Upstream {
        return (whole, None);
    }
    for (at, _) in whole.iter().enumerate().filter(|(_, byte)| **byte == b';') {
        let (bare, behind) = whole.split_at_checked(at).unwrap_or_default();
        let spaces = behind.iter().skip(1).take_while(|byte| **byte == b' ').count();
        let word = behind.get(1 + spaces..).unwrap_or_default();
        let Some((name, value)) = word.split_at_checked(8) else { continue };
        if name.eq_ignore_ascii_case(b"charset=") {
            let value = value.strip_prefix(b"\"").unwrap_or(value);
            return (bare, Some(value.strip_suffix(b"\"").unwrap_or(value)));
        }
    }
    (whole, None)
}
