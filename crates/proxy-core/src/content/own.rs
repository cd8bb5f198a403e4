//! Answers of the proxy itself: `return`, redirects, error pages and the heads of files, as nginx
//! words them.
//!
//! It makes the value; filters and writing follow. It decides nothing about where a request goes.

use http1::BodyLength;

use crate::config::model::{Location, Return};
use crate::content::packed::Packing;
use crate::content::range::{Multipart, Range, push_place};
use crate::counters::Totals;
use crate::files::Facts;
use crate::phases::Content;
use crate::request::Request;
use crate::response::{Context, Response, absolute, push_product};
use crate::variables::View;

/// Makes the answer of a content that is no call. `carried` are fields that an internal redirect
/// brought along. True where the answer is that of a status, with its page if it has one; false
/// where it is a text that the file says.
pub fn make(
    content: Content,
    context: &Context<'_>,
    carried: &[(Vec<u8>, Vec<u8>)],
    response: &mut Response,
) -> bool {
    let request = context.request;
    let location = request.at.location(request.place);
    let is_page = match content {
        Content::Return { level, step } => {
            match request.at.program(request.place, level).returned(step) {
                Some(answer) => make_return(answer, location, context, response),
                None => make_status(404, location, response),
            }
        }
        Content::Moved(status) => {
            make_moved(status, request.course.moved_to.clone(), location, context, response)
        }
        Content::SlashRedirect => make_slash_redirect(location, context, response),
        Content::Status(status) => make_status(status, location, response),
        Content::StubStatus => make_stub_status(request, response),
        Content::Fault(fault) => make_status(fault.status(), location, response),
        Content::Call
        | Content::Files
        | Content::Elsewhere
        | Content::Ask { .. }
        | Content::Mirror
        | Content::Pause { .. } => make_status(500, location, response),
    };
    push_fields(carried, response);
    response.push_challenges(request);
    is_page
}

/// Makes the answer of a file. nginx: `etag`, `types`, `default_type`.
pub fn make_file(
    facts: &Facts,
    packing: Packing,
    context: &Context<'_>,
    carried: &[(Vec<u8>, Vec<u8>)],
    response: &mut Response,
) {
    let request = context.request;
    let location = request.at.location(request.place);
    response.begin_own(request.course.status.unwrap_or(200));
    finish(location.content_type(&request.uri.path), response);
    if response.status == 204 {
        return push_fields(carried, response);
    }
    response.length = BodyLength::Exact(facts.bytes);
    if packing.is_gzip {
        response.push(b"Content-Encoding", b"gzip");
    }
    response.packing.varies = packing.varies;
    let modified_s = facts.told_modified_s();
    // nginx: an error's page was not modified at any time.
    if response.status == 200 {
        response.push(b"Last-Modified", &http1::imf_fixdate(modified_s));
    }
    if location.files.has_etag {
        response.push(b"ETag", format!("\"{modified_s:x}-{:x}\"", facts.bytes).as_bytes());
    }
    push_fields(carried, response);
}

/// Makes the answer of a folder's listing. nginx: its length is not told.
pub fn make_listing(
    body: Vec<u8>,
    content_type: &[u8],
    context: &Context<'_>,
    carried: &[(Vec<u8>, Vec<u8>)],
    response: &mut Response,
) {
    response.begin_own(context.request.course.status.unwrap_or(200));
    response.body = body;
    finish(content_type, response);
    if response.status != 204 {
        response.length = BodyLength::Chunked;
    }
    push_fields(carried, response);
}

/// The answer becomes one of parts of its content. `multipart` where they are several.
pub fn make_parts(
    parts: &[Range],
    multipart: Option<&Multipart>,
    bytes: u64,
    response: &mut Response,
) {
    response.status = 206;
    if let Some(multipart) = multipart {
        response.unsay(b"content-type");
        response.push(b"Content-Type", &multipart.content_type());
        response.length = BodyLength::Exact(multipart.length(parts));
    } else if let [range] = parts {
        response.push_own(b"Content-Range", |out| push_place(*range, bytes, out));
        response.length = BodyLength::Exact(range.to - range.from);
    }
}

/// An answer that the client has already becomes one that says so.
pub fn make_not_modified(response: &mut Response) {
    response.status = 304;
    response.body.clear();
    response.body_type.clear();
    response.length = BodyLength::None;
    response.unsay(b"content-type");
    response.unsay(b"content-encoding");
}

/// The type, and what an internal redirect brings along, which may be another type.
fn push_fields(carried: &[(Vec<u8>, Vec<u8>)], response: &mut Response) {
    if let Some((_, carried)) = carried.iter().find(|(name, _)| is_content_type(name)) {
        response.body_type.clear();
        response.body_type.extend_from_slice(carried);
    }
    let content_type = std::mem::take(&mut response.body_type);
    if !content_type.is_empty() {
        response.push(b"Content-Type", &content_type);
    }
    response.body_type = content_type;
    for (name, value) in carried.iter().filter(|(name, _)| !is_content_type(name)) {
        response.push(name, value);
    }
}

fn is_content_type(name: &[u8]) -> bool {
    name.eq_ignore_ascii_case(b"content-type")
}

fn make_return(
    answer: &Return,
    location: &Location,
    context: &Context<'_>,
    response: &mut Response,
) -> bool {
    let Some(text) = &answer.text else { return make_status(answer.status, location, response) };
    // nginx: an error with an empty text has its page.
    if answer.status >= 400 && text.is_empty() {
        return make_status(answer.status, location, response);
    }
    let mut value = Vec::new();
    View::of_response(context, response).push_template(text, &mut value);
    if is_redirect(answer.status) {
        return make_moved(answer.status, value, location, context, response);
    }
    // nginx: where it is an error's page it has that one's status.
    response.begin_own(context.request.course.status.unwrap_or(answer.status));
    response.body = value;
    // nginx types an empty text too.
    let content_type = location.content_type(&context.request.uri.path);
    finish(content_type, response);
    false
}

fn make_slash_redirect(
    location: &Location,
    context: &Context<'_>,
    response: &mut Response,
) -> bool {
    let uri = &context.request.uri;
    let mut value = Vec::new();
    http1::path::escape(&uri.path, &mut value);
    value.push(b'/');
    if !uri.args.is_empty() {
        value.push(b'?');
        value.extend_from_slice(&uri.args);
    }
    make_moved(301, value, location, context, response)
}

fn make_moved(
    status: u16,
    to: Vec<u8>,
    location: &Location,
    context: &Context<'_>,
    response: &mut Response,
) -> bool {
    make_status(status, location, response);
    response.push(b"Location", &absolute(to, context.request));
    true
}

fn make_status(status: u16, location: &Location, response: &mut Response) -> bool {
    response.begin_own(status);
    let mut body = std::mem::take(&mut response.body);
    push_page(status, location.server_tokens, &mut body);
    response.body = body;
    // nginx: an error without a page has no type, other statuses that of an empty text.
    let content_type: &[u8] = match (response.body.is_empty(), status) {
        (false, _) => b"text/html",
        (true, ..400) => &location.files.content_types.default_type,
        (true, _) => b"",
    };
    finish(content_type, response);
    true
}

/// nginx: exporters read this text.
fn make_stub_status(request: &Request, response: &mut Response) -> bool {
    let totals = request.at.generation().host().boards.totals();
    let Totals { active, waiting, reading, accepted, requests } = totals;
    response.begin_own(request.course.status.unwrap_or(200));
    response.body = format!(
        "Active connections: {active} \nserver accepts handled requests\n {accepted} {accepted} \
         {requests} \nReading: {reading} Writing: {} Waiting: {waiting} \n",
        totals.writing()
    )
    .into_bytes();
    finish(b"text/plain", response);
    false
}

fn finish(content_type: &[u8], response: &mut Response) {
    response.body_type.clear();
    // RFC 9110 §8.6: neither a length nor a type with 204.
    if response.status == 204 {
        response.body.clear();
        response.length = BodyLength::None;
        return;
    }
    response.body_type.extend_from_slice(content_type);
    response.length = BodyLength::Exact(response.body.len() as u64);
}

/// nginx: 444 closes the connection without an answer, and of 499 only the log speaks.
pub fn is_silent(status: u16) -> bool {
    matches!(status, 444 | 499)
}

fn is_redirect(status: u16) -> bool {
    matches!(status, 301 | 302 | 303 | 307 | 308)
}

/// nginx has a page for redirects and for the errors it knows; other statuses go without a body.
fn push_page(status: u16, tokens: bool, body: &mut Vec<u8>) {
    let known = matches!(status, 301..=303 | 307 | 308 | 400..=406 | 408..=416 | 421 | 429 | 431)
        || matches!(status, 500..=505 | 507);
    if !known {
        return;
    }
    let mut code = Vec::with_capacity(3);
    http1::push_decimal(&mut code, u64::from(status));
    // nginx: two titles are not what the status line says.
    let reason: &[u8] = match status {
        302 => b"Found",
        401 => b"Authorization Required",
        _ => http1::reason(status).as_bytes(),
    };
    let code = code.as_slice();
    let pieces: [&[u8]; 9] = [
        b"<html>\r\n<head><title>",
        code,
        b" ",
        reason,
        b"</title></head>\r\n<body>\r\n<center><h1>",
        code,
        b" ",
        reason,
        b"</h1></center>\r\n<hr><center>",
    ];
    for piece in pieces {
        body.extend_from_slice(piece);
    }
    push_product(tokens, body);
    body.extend_from_slice(b"</center>\r\n</body>\r\n</html>\r\n");
}
