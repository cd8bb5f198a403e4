//! nginx: `charset` and its family: what the type of an answer says of its charset, and that its
//! content is converted to that one. The filter that does it is chosen in `packing`, behind
//! `sub_filter`'s, and is `body::recode`'s.

use std::sync::Arc;

use crate::body::recode::Table;
use crate::config::model::{Charset, CharsetName, ErrorLevel, Handler, IgnoredFields};
use crate::course::Role;
use crate::request::Request;
use crate::variables::View;

use super::{Context, Response, Source};

const TYPE: &[u8] = b"content-type";
/// What stands before a charset's name.
const CHARSET: &[u8] = b"; charset=";

pub(super) fn filter(response: &mut Response, context: &Context<'_>) {
    let charset = &settings(context.request);
    // An upstream can only tell one of those that the file names.
    if charset.known.is_empty() && charset.told.is_none() {
        return;
    }
    let New { value, bare_len, table } = match decide(response, context) {
        Ok(new) => new,
        Err(why) => return note(why, context),
    };
    // nginx: the type of a part is nobody's.
    if !context.request.course.is_sub()
        && let Some(old) = response.sent_value(TYPE).map(<[u8]>::to_vec)
    {
        response.suppress_where(|name, value| name.eq_ignore_ascii_case(TYPE) && value == old);
        response.packing.charset_bytes = value.len() - bare_len;
        response.push(b"Content-Type", &value);
    }
    response.packing.table = table;
}

impl Response {
    /// Several parts of it are sent, and their content is converted. Its type with the charset that
    /// each of them tells, if it is another than now.
    pub fn begin_parts(&mut self, context: &Context<'_>) -> Option<Vec<u8>> {
        match decide(self, context) {
            Ok(New { value, table, .. }) => {
                self.packing.table = table;
                Some(value)
            }
            Err(why) => {
                note(why, context);
                None
            }
        }
    }

    /// The charset that it tells, by its place among those that are known.
    pub fn told_charset(&self, request: &Request) -> Option<usize> {
        let whole = self.sent_value(TYPE)?;
        let at = whole.len().saturating_sub(self.packing.charset_bytes);
        let own = whole.get(at..).and_then(|own| own.strip_prefix(CHARSET));
        let name = own.or_else(|| split(whole, self.source).1)?;
        let mut known = settings(request).known.iter();
        known.position(|one| one.eq_ignore_ascii_case(name))
    }
}

/// Whether the content is converted to a length that is not known.
pub(super) fn changes_length(response: &Response, context: &Context<'_>) -> bool {
    let has_maps = !settings(context.request).maps.is_empty();
    let table = || decide(response, context).ok()?.table;
    has_maps && table().is_some_and(|table| table.changes_length())
}

fn settings(request: &Request) -> &Charset {
    &request.at.location(request.place).client.bodies.charset
}

/// The type as it is told.
struct New {
    value: Vec<u8>,
    /// So much of it is the type alone.
    bare_len: usize,
    /// What the content passes.
    table: Option<Arc<Table>>,
}

/// Why all stays as it is.
enum Why {
    /// It is meant to.
    Meant,
    /// For something that the error log tells.
    Told(String),
}

fn note(why: Why, context: &Context<'_>) {
    if let Why::Told(line) = why {
        context.request.values.borrow_mut().note(ErrorLevel::Error, line);
    }
}

fn shown(name: &[u8]) -> String {
    String::from_utf8_lossy(name).escape_debug().to_string()
}

/// What the type becomes, and the content with it.
fn decide(response: &Response, context: &Context<'_>) -> Result<New, Why> {
    let charset = settings(context.request);
    let whole = response.sent_value(TYPE).unwrap_or_default();
    let (bare, own) = split(whole, response.source);
    let told = match context.request.course.role {
        Role::Part { charset: place } => {
            place.and_then(|place| charset.known.get(place)).cloned().ok_or(Why::Meant)?
        }
        // nginx: of a subrequest before the answer nothing is told yet.
        Role::Sub | Role::Mirror { .. } => return Err(Why::Meant),
        Role::Client | Role::Get => destination(response, context)?,
    };
    // nginx: what followed a redirect has once been taken for it.
    let is_told = !matches!(response.status, 301 | 302);
    let with = |bare: &[u8], table: Option<&Arc<Table>>| {
        let mut value = bare.to_vec();
        if is_told {
            value.extend_from_slice(CHARSET);
            value.extend_from_slice(&told);
        }
        Ok(New { value, bare_len: bare.len(), table: table.cloned() })
    };
    let appended = || if own.is_none() { with(whole, None) } else { Err(Why::Meant) };
    let told_here = |name| value(name, response, context);
    let source = own.map(<[u8]>::to_vec).or_else(|| charset.source.as_ref().and_then(told_here));
    let Some(source) = source else { return appended() };
    let are_known = charset.known(&source).is_some() && charset.known(&told).is_some();
    if source.eq_ignore_ascii_case(&told) {
        return if are_known { with(bare, None) } else { appended() };
    }
    let is_packed = response.sent_value(b"content-encoding").is_some_and(|it| !it.is_empty());
    if is_packed && are_known {
        return Err(Why::Meant);
    }
    match charset.table(&source, &told) {
        Some(table) => with(bare, Some(table)),
        None => {
            let (source, told) = (shown(&source), shown(&told));
            let line =
                format!("no \"charset_map\" between the charsets \"{source}\" and \"{told}\"");
            Err(Why::Told(line))
        }
    }
}

/// The charset that the answer is to tell.
fn destination(response: &Response, context: &Context<'_>) -> Result<Vec<u8>, Why> {
    let charset = settings(context.request);
    let whole = response.sent_value(TYPE).unwrap_or_default();
    // nginx: of several parts each tells its own.
    if whole.is_empty()
        || response.source == Source::Proxy && whole.starts_with(b"multipart/byteranges")
    {
        return Err(Why::Meant);
    }
    let (bare, own) = split(whole, response.source);
    if let Some(name) = told_by_upstream(response, context) {
        return match charset.known(name) {
            Some(_) => Ok(name.to_vec()),
            None => Err(Why::Told(format!("unknown charset \"{}\" to override", shown(name)))),
        };
    }
    let is_meant = match own {
        Some(_) => charset.overrides,
        None => charset.types.has(bare),
    };
    let told = charset.told.as_ref().filter(|_| is_meant);
    let told = told.and_then(|name| value(name, response, context));
    told.filter(|told| !told.is_empty()).ok_or(Why::Meant)
}

/// nginx: a name is told as it stands first in the file.
fn value(name: &CharsetName, response: &Response, context: &Context<'_>) -> Option<Vec<u8>> {
    match name {
        CharsetName::Is(name) => {
            let known = settings(context.request).known(name);
            Some(known.unwrap_or(name).to_vec())
        }
        CharsetName::Of(variable) => {
            let mut value = Vec::new();
            let view = View::of_response(context, response);
            view.push_variable(variable, &mut value).then_some(value)
        }
    }
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
