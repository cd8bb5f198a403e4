//! How the client finds the end of the content: `Content-Length`, `Transfer-Encoding`, or the end
//! of the connection.

use http1::{BodyLength, BodyWriter, Version};

use crate::request::Request;

use super::{Context, Response};

pub(super) fn filter(response: &mut Response, context: &Context<'_>) {
    if context.is_tunnel {
        return;
    }
    match (response.length, writer(response, context.request)) {
        (BodyLength::Exact(bytes), _) => {
            response.push_own(b"Content-Length", |out| http1::push_decimal(out, bytes));
        }
        (_, BodyWriter::Chunked) => response.push(b"Transfer-Encoding", b"chunked"),
        (BodyLength::None, _) => push_length_as_told(response, context.request),
        _ => {}
    }
    debug_assert!(
        response.count("content-length") + response.count("transfer-encoding") <= 1,
        "the end of the content is told in one way"
    );
}

/// An answer to HEAD and a 304 may tell the length of a body that is not there. Any other would
/// leave the client waiting for it.
fn push_length_as_told(response: &mut Response, request: &Request) {
    if matches!(response.status, 204 | 100..=199) {
        return;
    }
    if response.status != 304 && !request.is_head() {
        return response.push(b"Content-Length", b"0");
    }
    let told = response.upstream_field(b"content-length");
    let is_length = |value: &&[u8]| !value.is_empty() && value.iter().all(u8::is_ascii_digit);
    let Some(told) = told.filter(is_length) else { return };
    let zeros = told.iter().take_while(|&&digit| digit == b'0').count();
    let length = told.get(zeros.min(told.len() - 1)..).unwrap_or_default().to_vec();
    response.push(b"Content-Length", &length);
}

/// Whether only the end of the connection can tell the end of the content.
pub(super) fn ends_with_connection(response: &Response, request: &Request) -> bool {
    matches!(writer(response, request), BodyWriter::UntilClose)
}

/// How the content is written to the client.
pub(super) fn writer(response: &Response, request: &Request) -> BodyWriter {
    if request.is_head() || matches!(response.status, 204 | 304) {
        return BodyWriter::None;
    }
    // What is a part of another's content is framed there.
    if request.course.is_part() {
        return BodyWriter::UntilClose;
    }
    match (response.length, request.head.version) {
        (BodyLength::None, _) => BodyWriter::None,
        (BodyLength::Exact(_), _) => BodyWriter::Exact,
        (BodyLength::Chunked | BodyLength::UntilClose, Version::Http11)
            if !request.at.location(request.place).client.bodies.is_never_chunked =>
        {
            BodyWriter::Chunked
        }
        (BodyLength::Chunked | BodyLength::UntilClose, _) => BodyWriter::UntilClose,
    }
}
