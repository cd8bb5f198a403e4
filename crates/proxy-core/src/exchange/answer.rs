//! The proxy answers by itself.

use super::error_page::may_have_page;
use super::{Exchange, Out, Phase, Then};
use crate::body::Chain;
use crate::clock::Moment;
use crate::content::own;
use crate::content::precondition::{self, Verdict};
use crate::downstream::ClientNext;
use crate::fault::Fault;
use crate::phases::Content;
use crate::response::Response;

impl Exchange {
    /// Makes the answer, writes it, and settles what becomes of the rest of the request.
    pub(super) fn answer(&mut self, content: Content, now: Moment, out: &mut Out) {
        debug_assert!(!self.down.is_begun && content != Content::Call);
        let is_fault = matches!(content, Content::Fault(_));
        let mut response = std::mem::take(&mut self.down.response);
        let context = self.context(false, false, now);
        let mut is_page = own::make(content, &context, &self.carried, &mut response);
        // nginx: a subrequest's answer is nothing that the client may have.
        if response.status == 200 && !self.request.course.is_sub() {
            match precondition::check(&self.request, &response, None) {
                Verdict::Holds => {}
                Verdict::NotModified => own::make_not_modified(&mut response),
                Verdict::Fails => {
                    is_page =
                        own::make(Content::Status(412), &context, &self.carried, &mut response);
                }
            }
        }
        let status = response.status;
        if may_have_page(content, is_page, status)
            && let Some(page) = self.error_page(content, status)
        {
            return self.go_to_error_page(&page, response, now, out);
        }
        if self.request.course.has_no_answer() {
            self.down.response = response;
            return self.judge(now, out);
        }
        // nginx: 444 closes the connection without an answer, 499 is for the log only.
        if own::is_silent(status) {
            self.down.response = response;
            return self.complete(ClientNext::Abort);
        }
        self.send_answer(response, is_fault, is_page, now, out);
    }

    /// Sends an answer that was made here.
    pub(super) fn send_answer(
        &mut self,
        mut response: Response,
        is_fault: bool,
        is_page: bool,
        now: Moment,
        out: &mut Out,
    ) {
        let status = response.status;
        // nginx sends 100 also where it throws the body away, but for one that is too large. What
        // has failed says nothing: whether the body still comes cannot be known then.
        let owes_continue = self.down.owes_continue && !self.down.has_request();
        if owes_continue && !is_fault {
            self.down.push_continue(&mut out.client);
        }
        let is_persistent = self.client_may_persist()
            && !(owes_continue && is_fault)
            && !(is_page && closes_connection(status));
        let context = self.context(is_persistent, false, now);
        let writer = response.filter(&context);
        let is_persistent = is_persistent && !matches!(writer, http1::BodyWriter::UntilClose);
        self.down.response = response;
        self.settle_pace(now);
        self.down.writer = writer;
        self.down.is_persistent = is_persistent;
        self.push_answer_head(out);
        self.down.since_ms = now.ms;
        if self.begin_before(Then::Own, now, out) {
            return;
        }
        self.send_content(now, out);
    }

    /// Sends the content of an answer whose head is out.
    pub(super) fn send_content(&mut self, now: Moment, out: &mut Out) {
        if matches!(self.down.writer, http1::BodyWriter::None) {
            self.down.errands.sending = None;
        } else {
            let body = std::mem::take(&mut self.down.response.body);
            self.down.push_data(&body, &mut out.client);
            self.down.response.body = body;
        }
        match self.down.errands.sending {
            Some(_) => self.begin_sending(now, out),
            None => self.end_own_answer(now, out),
        }
    }

    /// All of the answer is out.
    pub(super) fn end_own_answer(&mut self, now: Moment, out: &mut Out) {
        if !self.push_own_end(now, out) {
            return self.fail(Fault::NotGzip, now, out);
        }
        if self.has_after() {
            return self.begin_after(now);
        }
        self.down.since_ms = now.ms;
        self.settle(now);
    }

    /// Writes the end of the content, with the trailer that the file adds. False where the content
    /// is not what the answer says.
    #[must_use]
    pub(super) fn push_end(&mut self, now: Moment, out: &mut Out) -> bool {
        let mut trailer = Vec::new();
        let has_come = !self.down.response.trailer.is_empty();
        if has_come || self.down.response.packing.has_trailers {
            self.view(now).push_trailer(&mut trailer);
        }
        self.down.push_end(&trailer, &mut out.client)
    }

    /// Whether filters hold back content that an upstream has sent.
    pub fn has_held_content(&self) -> bool {
        let chain = self.down.response.packing.chain.as_deref();
        matches!(self.phase, Phase::Exchanging | Phase::Adding { .. })
            && chain.is_some_and(Chain::is_holding)
    }

    /// The answer is out: what is left of the request is read away, if the connection is to live.
    fn settle(&mut self, now: Moment) {
        if !self.down.is_persistent {
            self.complete(ClientNext::Close);
        } else if self.down.has_request() {
            self.complete(ClientNext::KeepAlive);
        } else {
            if self.is_calling() {
                self.link_action.get_or_insert(super::Action::DropLink);
                self.wants_connect = false;
            }
            let until_ms = now.ms.saturating_add(self.location().client.lingering.time_ms);
            self.phase = Phase::Discarding { until_ms };
        }
    }
}

/// nginx: statuses after whose pages what follows is not trusted; 431 is its 494.
pub(super) fn closes_connection(status: u16) -> bool {
    matches!(status, 400 | 413 | 414 | 431 | 500 | 501)
}
