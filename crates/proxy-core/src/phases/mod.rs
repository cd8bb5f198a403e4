//! nginx's phases: the order in which a request is asked what is to become of it.
//!
//! Each phase says `Next`, or what answers. The loop runs again from its start for an internal
//! redirect, as in nginx. Nothing is sent here.

use http1::BodyLength;

use crate::config::model::Handler;
use crate::fault::Fault;
use crate::request::{REDIRECTS_MAX, Request};

/// What answers a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// The `return` of the server itself.
    ServerReturn,
    /// The `return` of the location.
    LocationReturn,
    /// nginx: a pass to `/path/` answers `/path` by a redirect.
    SlashRedirect,
    /// A status with its page.
    Status(u16),
    /// A call at the upstream of the location.
    Call,
    /// Something is wrong with the request.
    Fault(Fault),
}

enum Verdict {
    Next,
    Done(Content),
}

type Phase = fn(&mut Request) -> Verdict;

const PHASES: [Phase; 4] = [server_rewrite, find_location, rewrite, content];

/// Asks the phases in order.
pub fn run(request: &mut Request) -> Content {
    debug_assert!(request.place.location.is_none(), "the location is found here");
    if request.redirects > REDIRECTS_MAX {
        return Content::Fault(Fault::RedirectCycle);
    }
    for phase in PHASES {
        if let Verdict::Done(content) = phase(request) {
            return content;
        }
    }
    debug_assert!(false, "the content phase always answers");
    Content::Status(404)
}

/// nginx: `NGX_HTTP_SERVER_REWRITE_PHASE`.
fn server_rewrite(request: &mut Request) -> Verdict {
    match request.at.server(request.place).early_return {
        Some(_) => Verdict::Done(Content::ServerReturn),
        None => Verdict::Next,
    }
}

/// nginx: `NGX_HTTP_FIND_CONFIG_PHASE`, which also looks at the length that the client declares.
fn find_location(request: &mut Request) -> Verdict {
    let server = request.at.server(request.place);
    request.place.location = server.location_index(&request.uri.path, request.values.get_mut());
    let max = request.at.location(request.place).client.body_bytes_max;
    match (request.head.body, max) {
        (BodyLength::Exact(bytes), Some(max)) if bytes > max => {
            Verdict::Done(Content::Fault(Fault::BodyTooLarge))
        }
        _ => Verdict::Next,
    }
}

/// nginx: `NGX_HTTP_REWRITE_PHASE`.
fn rewrite(request: &mut Request) -> Verdict {
    match request.at.location(request.place).handler {
        Handler::Return(_) => Verdict::Done(Content::LocationReturn),
        _ => Verdict::Next,
    }
}

/// nginx: `NGX_HTTP_CONTENT_PHASE`.
fn content(request: &mut Request) -> Verdict {
    Verdict::Done(match &request.at.location(request.place).handler {
        Handler::Proxy(pass) => match request.head.body {
            // HTTP/1.0 has no way to pass a body on whose length nobody knows.
            BodyLength::Chunked if !pass.http11 && request.redirects == 0 => {
                Content::Fault(Fault::LengthRequired)
            }
            _ => Content::Call,
        },
        Handler::SlashRedirect => Content::SlashRedirect,
        Handler::Return(_) => Content::LocationReturn,
        Handler::NotFound => Content::Status(404),
    })
}

#[cfg(test)]
mod tests;
