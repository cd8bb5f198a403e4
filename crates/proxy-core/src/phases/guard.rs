//! nginx's phases between the search for a location and its content: whether a request is within
//! the bounds, and whether it is let in.
//!
//! Each of those who let in says yes, no, or nothing; `satisfy` says how many of them have to agree.

use super::{Content, Seen, access, basic, limits};
use crate::config::model::{Access, ErrorLevel, Guard};
use crate::fault::Fault;
use crate::request::Request;

/// How far a request has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// nginx: `NGX_HTTP_PREACCESS_PHASE` begins.
    Begin,
    /// It has waited for its turn.
    Waited,
    /// Who was asked has answered with this status; the status with which others had refused it.
    Asked {
        /// That of the subrequest.
        status: u16,
        /// What others have said before, if that is not enough yet.
        refused: Option<u16>,
    },
    /// It has waited to hear that it is refused.
    Refused,
    /// It was sent to all who get it too: nobody is asked any more.
    Mirrored,
}

/// What one of those who let in says.
pub(super) enum Word {
    /// It has no say.
    Nothing,
    Yes,
    /// No, with this status.
    No(u16),
}

/// What a request comes to that does not get on to its content now.
pub(super) fn check(request: &mut Request, seen: &Seen<'_>, stage: Stage) -> Option<Content> {
    if !is_guarded(request) {
        return None;
    }
    let at = request.at.clone();
    let access = &at.location(request.place).access;
    if stage == Stage::Begin && request.course.peer.is_none() && !access.real_ip.from.is_empty() {
        access::tell_client(request, &access.real_ip);
    }
    if let Some(guard) = access.guard.as_deref() {
        if stage == Stage::Begin
            && let Some(content) = limits::requests(request, seen, &guard.requests)
        {
            return Some(content);
        }
        if matches!(stage, Stage::Begin | Stage::Waited)
            && let Some(content) = limits::connections(request, seen, &guard.connections)
        {
            return Some(content);
        }
    }
    // nginx: one that asks for another is let in.
    if request.course.is_sub() { None } else { admit(request, seen, access, stage) }
}

/// Whether `check` has anything to look at.
fn is_guarded(request: &Request) -> bool {
    let access = &request.at.location(request.place).access;
    !access.rules.is_empty() || !access.real_ip.from.is_empty() || access.guard.is_some()
}

fn admit(request: &mut Request, seen: &Seen<'_>, access: &Access, stage: Stage) -> Option<Content> {
    let guard = access.guard.as_deref();
    let satisfies_any = guard.is_some_and(|guard| guard.satisfies_any);
    let (first, mut refused, answered) = match stage {
        Stage::Refused => return Some(Content::Status(401)),
        Stage::Asked { status, refused } => (2, refused, Some(status)),
        Stage::Begin | Stage::Waited | Stage::Mirrored => (0, None, None),
    };
    for who in first..3 {
        let word = match (who, answered) {
            (0, _) => access::word(request, access),
            (1, _) => guard.map_or(Word::Nothing, |guard| basic::word(request, seen, guard)),
            (_, Some(status)) => judge(request, status),
            _ if guard.is_some_and(|guard| guard.ask.is_some()) => {
                return Some(Content::Ask { refused });
            }
            _ => Word::Nothing,
        };
        match word {
            Word::Nothing => {}
            Word::Yes if satisfies_any => {
                request.values.get_mut().challenges.clear();
                return None;
            }
            Word::Yes => {}
            Word::No(status @ (401 | 403)) if satisfies_any => {
                refused = refused.filter(|before| *before == 401).or(Some(status));
            }
            Word::No(403) if who == 0 => return Some(Content::Fault(Fault::Denied)),
            Word::No(status) => return Some(refuse(status, guard)),
        }
    }
    match refused? {
        403 => Some(Content::Fault(Fault::Denied)),
        status => Some(refuse(status, guard)),
    }
}

/// nginx: `auth_delay`.
fn refuse(status: u16, guard: Option<&Guard>) -> Content {
    match guard.map_or(0, |guard| guard.refusal_delay_ms) {
        ms @ 1.. if status == 401 => Content::Pause { ms, then: Stage::Refused },
        _ => Content::Status(status),
    }
}

/// nginx: what the status of an `auth_request` means.
fn judge(request: &mut Request, status: u16) -> Word {
    match status {
        200..=299 => Word::Yes,
        401 | 403 => Word::No(status),
        _ => {
            let line = format!("auth request unexpected status: {status}");
            request.values.get_mut().note(ErrorLevel::Error, line);
            Word::No(500)
        }
    }
}
