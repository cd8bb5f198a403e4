//! nginx: `add_before_body` and `add_after_body`: what other places of the server answer stands
//! around the content of this answer.
//!
//! Each of them is an exchange of its own, whose content comes here: it is no more than the client
//! takes. As long as it comes this one's own content waits. What breaks off breaks this one off.

use super::{Action, Exchange, Out, Phase, Then};
use crate::clock::Moment;
use crate::fault::Fault;
use crate::request::Request;

impl Exchange {
    /// The head is out. Whether another's content stands before this one's, which waits then.
    pub(super) fn begin_before(&mut self, then: Then, now: Moment, out: &mut Out) -> bool {
        let at = self.request.at.clone();
        let path = &at.location(self.request.place).client.bodies.added.before;
        if !self.is_added_to() || path.is_empty() {
            return false;
        }
        if then == Then::Own && self.is_calling() {
            out.upstream.clear();
            self.link_action.get_or_insert(Action::DropLink);
            self.wants_connect = false;
        }
        self.begin_adding(path, then, now);
        true
    }

    /// Whether another's content follows this one's.
    pub(super) fn has_after(&self) -> bool {
        self.is_added_to() && !self.location().client.bodies.added.after.is_empty()
    }

    /// Writes the end of the content, or no more than that of this one's where another's follows.
    /// False where it is not what the answer says.
    #[must_use]
    pub(super) fn push_own_end(&mut self, now: Moment, out: &mut Out) -> bool {
        match self.has_after() {
            true => self.down.push_own_end(&mut out.client),
            false => self.push_end(now, out),
        }
    }

    /// All of this one's content is out: the other's follows.
    pub(super) fn begin_after(&mut self, now: Moment) {
        let at = self.request.at.clone();
        let path = &at.location(self.request.place).client.bodies.added.after;
        self.begin_adding(path, Then::End, now);
    }

    fn is_added_to(&self) -> bool {
        self.down.response.packing.is_added_to && !self.is_orphan
    }

    fn begin_adding(&mut self, path: &[u8], then: Then, now: Moment) {
        debug_assert!(self.down.is_begun && !self.down.sent.is_whole, "it is in the middle");
        let charset = self.down.response.told_charset(&self.request);
        self.down.errands.part = Some(Box::new(self.request.part(path, charset, now)));
        self.phase = Phase::Adding { then };
    }

    /// The request for what is added, for an exchange of its own.
    pub fn take_part(&mut self) -> Option<Box<Request>> {
        self.down.errands.part.take()
    }

    /// Whether its content is a part of another's.
    pub fn is_part(&self) -> bool {
        self.request.course.is_part()
    }

    /// Begins with a request of another exchange, which gets the content.
    pub fn begin_part(&mut self, request: Request, now: Moment, out: &mut Out) {
        debug_assert!(request.course.is_part(), "it is for another");
        self.reset(false, now);
        self.request = request;
        self.run_phases(now, out);
    }

    /// nginx: `log_subrequest`: what is sent is sent by the answer that it is a part of.
    pub fn tell_part(&mut self, now: Moment) {
        let sent = std::mem::take(&mut self.down.sent);
        self.tell_subrequest(now);
        self.down.sent = sent;
    }

    /// Nobody waits for the part any more.
    pub fn abandon(&mut self, now: Moment, out: &mut Out) {
        if !self.is_complete() {
            self.leave(Fault::ClientLeft, now, out);
        }
        out.upstream.clear();
    }

    /// Content of the part has come.
    pub fn add(&mut self, data: &[u8], out: &mut Out) {
        if matches!(self.phase, Phase::Adding { .. }) {
            self.down.push_added(data, &mut out.client);
        }
    }

    /// The part has ended, and is whole or not.
    pub fn added(&mut self, is_whole: bool, now: Moment, out: &mut Out) {
        let Phase::Adding { then } = self.phase else { return };
        if !is_whole {
            self.attempts.end_if_open(now.ms);
            self.down.push_held(&mut out.client);
            return self.cut_off();
        }
        match then {
            Then::Upstream => {
                self.phase = Phase::Exchanging;
                self.wire.since_ms = now.ms;
                let held = std::mem::take(&mut self.down.response.body);
                if !held.is_empty() {
                    self.application_data(&held, now, out);
                }
                self.end_if_whole(now, out);
            }
            Then::Own => self.send_content(now, out),
            Then::End => {
                self.down.response.packing.is_added_to = false;
                self.end_own_answer(now, out);
            }
        }
    }

    /// Ends the answer of an upstream that has no content, or none that is still to come.
    pub(super) fn end_if_whole(&mut self, now: Moment, out: &mut Out) {
        if self.phase == Phase::Exchanging && self.wire.body.is_done() && self.ends_with_body() {
            self.finish_answer(now, out);
        }
    }

    /// Writes the head of the answer, if it is the client's.
    pub(super) fn push_answer_head(&mut self, out: &mut Out) {
        match self.is_part() {
            true => self.down.is_begun = true,
            false => self.down.push_head(&mut out.client),
        }
    }
}
