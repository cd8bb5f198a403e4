//! nginx's phases: the order in which a request is asked what is to become of it.
//!
//! Each phase says `Next`, or what answers. Where the path was rewritten the search for a location
//! begins again; an internal redirect begins anew. Nothing is sent here.

mod rewrite;

use http1::BodyLength;

pub use self::rewrite::Level;
use self::rewrite::Outcome;
use crate::clock::Moment;
use crate::config::model::Handler;
use crate::fault::Fault;
use crate::request::Request;
use crate::response::Response;
use crate::upstream::call::Attempts;
use crate::variables::{Sent, View};

/// What answers a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// The `return` of a step.
    Return {
        /// Whose steps.
        level: Level,
        /// Which of them.
        step: usize,
    },
    /// A `rewrite` sends the client elsewhere, with this status.
    Moved(u16),
    /// nginx: a pass to `/path/` answers `/path` by a redirect.
    SlashRedirect,
    /// A status with its page.
    Status(u16),
    /// A call at the upstream of the location.
    Call,
    /// Something is wrong with the request.
    Fault(Fault),
}

/// What variables speak of beside the request.
pub struct Seen<'e> {
    /// An answer that was made before an internal redirect.
    pub response: &'e Response,
    /// How the upstreams did.
    pub attempts: &'e Attempts,
    /// The time.
    pub now: Moment,
}

impl Seen<'_> {
    fn view<'v>(&'v self, request: &'v Request) -> View<'v> {
        let Seen { response, attempts, now } = *self;
        View { request, response, attempts, sent: Sent::default(), now }
    }
}

enum Verdict {
    Next,
    Done(Content),
}

/// Asks the phases in order.
pub fn run(request: &mut Request, seen: &Seen<'_>) -> Content {
    debug_assert!(request.place.location.is_none(), "the location is found here");
    if request.course.is_endless() {
        return Content::Fault(Fault::RedirectCycle);
    }
    // nginx: `NGX_HTTP_SERVER_REWRITE_PHASE`.
    if !request.at.server(request.place).program.steps.is_empty()
        && let Outcome::Done(content) = rewrite::run(request, Level::Server, seen)
    {
        return content;
    }
    loop {
        if let Verdict::Done(content) = find_location(request) {
            return content;
        }
        // nginx: `NGX_HTTP_REWRITE_PHASE`, which a server without a location does not have.
        let Some(index) = request.place.location else { break };
        if request.at.location(request.place).program.steps.is_empty() {
            break;
        }
        match rewrite::run(request, Level::Location(index), seen) {
            Outcome::Done(content) => return content,
            Outcome::Next { is_moved: false } => break,
            Outcome::Next { is_moved: true } => {}
        }
        // nginx: `NGX_HTTP_POST_REWRITE_PHASE`.
        request.course.changes += 1;
        if request.course.is_endless() {
            return Content::Fault(Fault::RedirectCycle);
        }
    }
    content(request)
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

/// nginx: `NGX_HTTP_CONTENT_PHASE`.
fn content(request: &mut Request) -> Content {
    let content = match &request.at.location(request.place).handler {
        Handler::Proxy(pass) => match request.head.body {
            // HTTP/1.0 has no way to pass a body on whose length nobody knows.
            BodyLength::Chunked if !pass.http11 && request.course.redirects == 0 => {
                Content::Fault(Fault::LengthRequired)
            }
            _ => Content::Call,
        },
        Handler::SlashRedirect => Content::SlashRedirect,
        Handler::NotFound => Content::Status(404),
    };
    request.course.is_passed = content == Content::Call;
    content
}

#[cfg(test)]
mod tests;
