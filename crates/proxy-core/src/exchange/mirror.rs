//! nginx: `mirror`: a request goes to other places of its server too, and what they answer is of no
//! interest.
//!
//! Each mirror is an exchange of its own without a client: whatever becomes of it, the client's is
//! not touched. It ends with the head of the answer, as nginx's does.

use http1::BodyLength;

use super::{Action, Exchange, Out, Phase, gather};
use crate::canary::{Canary, is_planted};
use crate::clock::Moment;
use crate::config::model::ErrorLevel;
use crate::course::TheBody;
use crate::downstream::ClientNext;
use crate::phases::Stage;
use crate::request::Request;

/// A request that is to be sent to another place too.
#[derive(Debug)]
pub struct Mirror {
    request: Box<Request>,
    body: Vec<u8>,
}

impl Mirror {
    /// What it holds, in bytes.
    pub fn held_bytes(&self) -> usize {
        self.request.bytes.len() + self.body.len()
    }
}

impl Exchange {
    /// The request is sent to others too, once its body is there if they get it.
    pub(super) fn begin_mirroring(&mut self, now: Moment, out: &mut Out) {
        let is_body_wanted = self.location().client.mirrors.takes_body;
        match self.request.body() {
            BodyLength::Exact(bytes) if is_body_wanted && bytes > gather::HELD_BYTES_MAX as u64 => {
                self.note_not_mirrored();
                self.resume(Stage::Mirrored, now, out);
            }
            // It would be another request without it.
            _ if is_body_wanted && matches!(self.request.course.body, TheBody::Gone { .. }) => {
                self.resume(Stage::Mirrored, now, out);
            }
            _ if is_body_wanted && !self.down.has_request() && self.may_gather() => {
                self.begin_gathering(true, out);
            }
            _ => self.mirror(now, out),
        }
    }

    /// Whether what is left of the body is all of it.
    fn may_gather(&self) -> bool {
        self.request.body() != BodyLength::None && self.request.body_wire_bytes == 0
    }

    /// All that belongs to the request is there.
    pub(super) fn mirror(&mut self, now: Moment, out: &mut Out) {
        let at = self.request.at.clone();
        let mirrors = &at.location(self.request.place).client.mirrors;
        let is_held = match (self.request.body(), self.request.course.body) {
            (BodyLength::Exact(0), _) => true,
            (_, TheBody::Held(_)) => mirrors.takes_body,
            _ => false,
        };
        let body = self.wire.replay.whole().filter(|_| is_held).unwrap_or_default();
        for path in &*mirrors.paths {
            let mut request = Box::new(self.request.mirror(path, now));
            request.course.body = match is_held {
                true => TheBody::Held(body.len() as u64),
                false => TheBody::Left,
            };
            self.down.errands.mirrors.push(Mirror { request, body: body.to_vec() });
        }
        self.resume(Stage::Mirrored, now, out);
    }

    /// A body is too long to be held.
    pub(super) fn note_not_mirrored(&mut self) {
        let line = format!(
            "the request is not mirrored: its body is longer than the {} bytes that are held of one",
            gather::HELD_BYTES_MAX
        );
        self.request.values.get_mut().note(ErrorLevel::Warn, line);
    }

    /// Requests that are to be sent to other places too, each by an exchange of its own.
    pub fn take_mirrors(&mut self) -> Vec<Mirror> {
        let mirrors = std::mem::take(&mut self.down.errands.mirrors);
        if is_planted(Canary::MirrorForgotten) { Vec::new() } else { mirrors }
    }

    /// Whether it is a mirror's exchange: nobody gets its answer.
    pub fn is_mirror(&self) -> bool {
        self.request.course.is_mirror()
    }

    /// Begins with a request of another exchange.
    pub fn begin_mirror(&mut self, mirror: Mirror, now: Moment, out: &mut Out) {
        self.reset(false, now);
        self.request = *mirror.request;
        self.wire.replay.hold(mirror.body);
        self.run_phases(now, out);
    }

    /// The mirror has answered, or will not.
    pub(super) fn end_mirror(&mut self, now: Moment, out: &mut Out) {
        debug_assert!(out.client.is_empty(), "nobody gets an answer");
        if matches!(self.phase, Phase::Connecting | Phase::Exchanging) {
            self.link_action.get_or_insert(Action::DropLink);
            out.upstream.clear();
        }
        self.attempts.end_if_open(now.ms);
        self.tell_subrequest(now);
        self.complete(ClientNext::Abort);
    }
}
