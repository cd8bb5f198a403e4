//! nginx's phases: the order in which a request is asked what is to become of it.
//!
//! Each phase says `Next`, or what answers. Where the path was rewritten the search for a location
//! begins again; an internal redirect begins anew. Nothing is sent here.

mod access;
mod basic;
mod guard;
mod limits;
mod rewrite;
mod try_files;

use http1::BodyLength;

pub use self::guard::Stage;
pub use self::rewrite::Level;
use self::rewrite::Outcome;
use crate::clock::Moment;
use crate::config::model::Handler;
use crate::course::{Passing, TheBody};
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
    /// nginx: `stub_status`.
    StubStatus,
    /// A call at the upstream of the location.
    Call,
    /// What the path leads to among the location's files.
    Files,
    /// Another place, which `Course::moved_to` names: a path with its query, or a named location.
    Elsewhere,
    /// Something is wrong with the request.
    Fault(Fault),
    /// Nothing yet: whether it is let in is asked by a subrequest.
    Ask {
        /// The status with which others have refused it.
        refused: Option<u16>,
    },
    /// Nothing yet: it is sent to others too, and goes on at `Stage::Mirrored`.
    Mirror,
    /// Nothing yet: it waits for so long.
    Pause {
        /// For how long.
        ms: u64,
        /// Where it goes on.
        then: Stage,
    },
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
    pub(crate) fn view<'v>(&'v self, request: &'v Request) -> View<'v> {
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
    // nginx: `NGX_HTTP_POST_READ_PHASE`.
    if request.course.redirects == 0
        && !request.course.is_sub()
        && !request.at.server(request.place).fallback.access.real_ip.from.is_empty()
    {
        let at = request.at.clone();
        access::tell_client(request, &at.server(request.place).fallback.access.real_ip);
    }
    // nginx: `NGX_HTTP_SERVER_REWRITE_PHASE`.
    if !request.at.server(request.place).program.steps.is_empty()
        && let Outcome::Done(content) = rewrite::run(request, Level::Server, seen)
    {
        return content;
    }
    search(request, seen)
}

/// Asks the phases that follow the search for a location: the place is a named one.
pub fn run_named(request: &mut Request, seen: &Seen<'_>) -> Content {
    debug_assert!(request.place.location.is_some(), "the location is found by its name");
    if request.course.is_endless() {
        return Content::Fault(Fault::RedirectCycle);
    }
    access::limit_methods(request);
    let found = at_location(request, seen);
    found.unwrap_or_else(|| search(request, seen))
}

/// Looks for a location, and for another one as often as the path is rewritten.
fn search(request: &mut Request, seen: &Seen<'_>) -> Content {
    loop {
        if let Verdict::Done(content) = find_location(request) {
            return content;
        }
        if let Some(content) = at_location(request, seen) {
            return content;
        }
    }
}

/// What answers at the location; nothing where another one is to be found.
fn at_location(request: &mut Request, seen: &Seen<'_>) -> Option<Content> {
    // nginx: `NGX_HTTP_REWRITE_PHASE`, which a server without a location does not have.
    if let Some(index) = request.place.location
        && !request.at.location(request.place).program.steps.is_empty()
    {
        match rewrite::run(request, Level::Location(index), seen) {
            Outcome::Done(content) => return Some(content),
            Outcome::Next { is_moved: false } => {}
            Outcome::Next { is_moved: true } => {
                // nginx: `NGX_HTTP_POST_REWRITE_PHASE`.
                request.course.changes += 1;
                let is_endless = request.course.is_endless();
                return is_endless.then_some(Content::Fault(Fault::RedirectCycle));
            }
        }
    }
    Some(resume(request, seen, Stage::Begin))
}

/// What answers at the location, from this stage on.
pub fn resume(request: &mut Request, seen: &Seen<'_>, stage: Stage) -> Content {
    if stage == Stage::Mirrored {
        return content(request);
    }
    if let Some(content) = guard::check(request, seen, stage) {
        return content;
    }
    // nginx: `NGX_HTTP_PRECONTENT_PHASE`.
    if request.at.location(request.place).files.tried.is_some()
        && let Some(content) = try_files::run(request, seen)
    {
        return content;
    }
    let mirrors = &request.at.location(request.place).client.mirrors;
    if !mirrors.paths.is_empty() && !request.course.is_sub() {
        return Content::Mirror;
    }
    content(request)
}

/// nginx: `NGX_HTTP_FIND_CONFIG_PHASE`, which also looks at the length that the client declares.
fn find_location(request: &mut Request) -> Verdict {
    let server = request.at.server(request.place);
    request.place.location = server.location_index(&request.uri.path, request.values.get_mut());
    let location = request.at.location(request.place);
    if location.search.is_internal && !request.course.is_internal {
        return Verdict::Done(Content::Status(404));
    }
    match (request.head.body, location.client.body_bytes_max) {
        (BodyLength::Exact(bytes), Some(max))
            if bytes > max && request.course.body != TheBody::Left =>
        {
            Verdict::Done(Content::Fault(Fault::BodyTooLarge))
        }
        _ if matches!(location.handler, Handler::SlashRedirect) => {
            Verdict::Done(Content::SlashRedirect)
        }
        _ => {
            access::limit_methods(request);
            Verdict::Next
        }
    }
}

/// nginx: `NGX_HTTP_CONTENT_PHASE`.
fn content(request: &mut Request) -> Content {
    if request.course.passing == Passing::Lost {
        return Content::Fault(Fault::NoPass);
    }
    let content = match &request.at.location(request.place).handler {
        Handler::Proxy(pass) => match request.body() {
            // HTTP/1.0 has no way to pass a body on whose length nobody knows.
            BodyLength::Chunked
                if !pass.http11 && pass.sending.body && pass.fastcgi().is_none() =>
            {
                Content::Fault(Fault::LengthRequired)
            }
            _ => Content::Call,
        },
        Handler::SlashRedirect => Content::SlashRedirect,
        Handler::Files => Content::Files,
        Handler::StubStatus if matches!(request.method(), b"GET" | b"HEAD") => Content::StubStatus,
        Handler::StubStatus => Content::Status(405),
    };
    request.course.passing = match content {
        Content::Call => Passing::Yes,
        _ => Passing::No,
    };
    content
}

#[cfg(test)]
mod tests;
