//! HTTP/1 towards an upstream: the head that a server gets, and its answers read back.
//!
//! Every head is written anew from what was parsed; bytes of the client's head are never copied as
//! they stand (RFC 9110 §7.6.1, RFC 9112 §2.2).

use std::borrow::Cow;

use http1::{BodyLength, FieldClass, Version};

use crate::config::model::ProxyPass;
use crate::request::Request;
use crate::variables::View;

/// The least that an answer's head may be, whatever the file says.
const HEAD_BYTES_MIN: usize = 64 << 10;

/// Bound of an answer's head in bytes (nginx: `proxy_buffer_size`); of the count of its fields
/// there is none but that.
pub fn head_bytes_max(pass: &ProxyPass) -> usize {
    pass.buffer_bytes.max(HEAD_BYTES_MIN)
}

/// nginx: the method that a server is asked by. What is none would end the request line early.
fn method<'v>(view: &View<'v>, pass: &ProxyPass) -> Cow<'v, [u8]> {
    let told = pass.changes.as_ref().and_then(|changes| changes.method.as_ref());
    let told = told.map(|template| view.text(template).into_owned());
    let told = told.filter(|text| http1::is_token(text));
    told.map_or(Cow::Borrowed(view.request.method()), Cow::Owned)
}

/// Writes the head of a request. `body` is what follows it.
pub fn push_request(view: &View<'_>, pass: &ProxyPass, body: BodyLength, out: &mut Vec<u8>) {
    let (request, method) = (view.request, method(view, pass));
    let version = if pass.http11 { Version::Http11 } else { Version::Http10 };
    let mut target = Vec::new();
    let made = request.uri.made.as_ref().filter(|_| pass.url.by_variables.is_some());
    let target = match made.map_or(&pass.url.uri, |url| &url.uri) {
        // nginx: what variables made is sent as it is.
        Some(uri) if made.is_some() => uri,
        None if !request.uri.target.is_empty() => &request.uri.target,
        uri => {
            push_target(request, uri.as_deref(), &mut target);
            &target
        }
    };
    debug_assert!(!method.is_empty() && !target.is_empty());
    http1::push_request_line(out, &method, target, version);
    push_connection(request, pass, out);
    for field in &pass.set_headers {
        if !field.is_framing {
            push_template_field(view, &field.name, &field.value, out);
        }
    }
    match body {
        BodyLength::Exact(bytes) => {
            out.extend_from_slice(b"Content-Length: ");
            http1::push_decimal(out, bytes);
            out.extend_from_slice(b"\r\n");
        }
        BodyLength::Chunked => http1::push_field(out, b"Transfer-Encoding", b"chunked"),
        BodyLength::None | BodyLength::UntilClose => {}
    }
    if pass.sending.fields {
        push_client_fields(request, pass, out);
    }
    http1::push_end(out);
}

/// nginx: proxy_pass with a URI part: the part of the decoded path that the location matched is
/// replaced by it, and what comes out is encoded again where something was encoded before. After
/// an internal redirect without a URI part it is the new path.
fn push_target(request: &Request, uri: Option<&[u8]>, target: &mut Vec<u8>) {
    let matched = match uri {
        // nginx: what `rewrite … break` has made goes on as it is.
        Some(uri) if request.course.has_prefix => {
            target.extend_from_slice(uri);
            request.at.location(request.place).path.len()
        }
        _ => 0,
    };
    let rest = request.uri.path.get(matched..).unwrap_or_default();
    if request.is_escaping() {
        http1::path::escape(rest, target);
    } else {
        target.extend_from_slice(rest);
    }
    if !request.uri.args.is_empty() {
        target.push(b'?');
        http1::path::push_query(&request.uri.args, target);
    }
}

fn push_connection(request: &Request, pass: &ProxyPass, out: &mut Vec<u8>) {
    if !pass.http11 {
        http1::push_field(out, b"Connection", b"close");
    } else if request.head.connection.upgrade
        && let Some(protocols) = request.upgrade()
    {
        http1::push_field(out, b"Connection", b"upgrade");
        http1::push_field(out, b"Upgrade", &protocols);
    } else if pass.steering.passes_trailers {
        // RFC 9110 §10.1.4: none are sent to who does not ask.
        http1::push_field(out, b"Connection", b"te");
        http1::push_field(out, b"TE", b"trailers");
    }
}

/// A field with the template's text, or nothing where that is empty (nginx: proxy_set_header).
fn push_template_field(
    view: &View<'_>,
    name: &[u8],
    template: &crate::config::model::Template,
    out: &mut Vec<u8>,
) {
    let start = out.len();
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    let value_start = out.len();
    view.push_template(template, out);
    if out.len() == value_start {
        return out.truncate(start);
    }
    neutralise_line_ends(out.get_mut(value_start..).unwrap_or_default());
    out.extend_from_slice(b"\r\n");
}

/// The client's own fields, less what belongs to its connection and what the file sets.
fn push_client_fields(request: &Request, pass: &ProxyPass, out: &mut Vec<u8>) {
    let is_set = |name: &[u8]| {
        let same = |set: &&crate::config::model::SetHeader| {
            set.name.len() == name.len() && set.name.eq_ignore_ascii_case(name)
        };
        pass.set_headers.iter().any(|set| same(&set))
    };
    for (name, value, class) in request.fields() {
        let is_ours = match name.len() {
            4 => name.eq_ignore_ascii_case(b"host"),
            6 => name.eq_ignore_ascii_case(b"expect"),
            _ => false,
        };
        if class != FieldClass::Hop && !is_ours && !is_set(name) {
            http1::push_field(out, name, value);
        }
    }
}

/// A value made of decoded parts (`$uri`, `$arg_x` …) must not begin a new line.
pub fn neutralise_line_ends(value: &mut [u8]) {
    if !http1::is_plain_value(value) {
        let is_bad = |byte: &&mut u8| matches!(**byte, b'\r' | b'\n' | 0);
        value.iter_mut().filter(is_bad).for_each(|byte| *byte = b' ');
    }
}

#[cfg(test)]
mod tests;
