//! A page of the file's own in the place of an error's.

use super::{Action, Exchange, Out, Phase};
use crate::clock::Moment;
use crate::config::model::{ErrorPage, NewStatus};
use crate::content::own;
use crate::course::{CHANGES_MAX, Passing, TheBody};
use crate::fault::Fault;
use crate::phases::{self, Content, Seen};
use crate::response::Response;

/// nginx: what `error_page` calls a head that is larger than its buffers.
const HEAD_TOO_LARGE: u16 = 494;

impl Exchange {
    /// The file's page for an error, if it has one that may be used now.
    ///
    /// nginx: where pages are not `recursive_error_pages`, a request has one.
    pub(super) fn error_page(&self, content: Content, status: u16) -> Option<ErrorPage> {
        let course = &self.request.course;
        let pages = &self.location().errors.pages;
        if pages.is_empty() || course.has_error_page || course.is_endless() {
            return None;
        }
        let status = match content {
            Content::Fault(Fault::Client(_)) if status == 431 => HEAD_TOO_LARGE,
            _ => status,
        };
        pages.iter().find(|page| page.status == status).cloned()
    }

    /// Goes where the page is. `response` is the answer that it takes the place of.
    pub(super) fn go_to_error_page(
        &mut self,
        page: &ErrorPage,
        mut response: Response,
        now: Moment,
        out: &mut Out,
    ) {
        let status = response.status;
        if let Some(to) = response.sent_value(b"location") {
            self.carried.push((b"Location".to_vec(), to.to_vec()));
        }
        let is_recursive = self.location().errors.are_recursive;
        let course = &mut self.request.course;
        course.has_error_page = !is_recursive;
        course.status = match page.new_status {
            NewStatus::Same if page.status == HEAD_TOO_LARGE => Some(400),
            NewStatus::Same => Some(status),
            NewStatus::Other(status) => Some(status),
            NewStatus::Own => None,
        };
        let new_status = course.status.unwrap_or(0);
        if status == 413 {
            course.body = TheBody::Left;
        }
        if super::answer::closes_connection(status) {
            self.request.head.connection.close = true;
        }
        // nginx: a client that waits for 100 gets the page at once; whether its body comes cannot
        // be known then.
        if !matches!(page.new_status, NewStatus::Own | NewStatus::Other(200))
            && std::mem::take(&mut self.down.owes_continue)
        {
            self.request.head.connection.close = true;
        }
        // nginx: what `$status` says now is what the answer would have.
        response.status = new_status;
        self.down.response = response;
        let to = self.view(now).text(&page.to).into_owned();
        self.give_up_place(out);
        match to.first() {
            Some(b'/') => {
                // nginx: it makes any method but HEAD a GET, and the body stays behind.
                self.request.course.become_get();
                self.go_to(&to, now, out);
            }
            Some(b'@') => self.go_to_named(&to, Some(status), now, out),
            _ => {
                let status = match page.new_status {
                    NewStatus::Other(status @ (301..=303 | 307 | 308)) => status,
                    _ => 302,
                };
                self.request.course.moved_to = to;
                self.carried.retain(|(name, _)| !name.eq_ignore_ascii_case(b"location"));
                // This one has no page of the file's own.
                self.request.course.has_error_page = true;
                self.answer(Content::Moved(status), now, out);
            }
        }
    }

    /// The place of before is left: its link is given up before the new place's is asked for.
    pub(super) fn give_up_place(&mut self, out: &mut Out) {
        if self.is_calling() {
            out.upstream.clear();
            self.link_action = Some(Action::DropLink);
            self.wants_connect = false;
            self.phase = Phase::Connecting;
        }
    }

    /// nginx: an internal redirect to a path and a query, as they are.
    pub(super) fn go_to(&mut self, target: &[u8], now: Moment, out: &mut Out) {
        let end = target.iter().position(|&byte| byte == b'?').unwrap_or(target.len());
        let (path, args) = target.split_at_checked(end).unwrap_or_default();
        if self.may_go(now, out) {
            self.request.redirect(path, args.get(1..).unwrap_or_default());
            self.run_phases(now, out);
        }
    }

    /// Whether another internal redirect may be made. nginx: if not, the place of before tells it.
    pub(super) fn may_go(&mut self, now: Moment, out: &mut Out) -> bool {
        let course = &mut self.request.course;
        if course.changes < CHANGES_MAX {
            return true;
        }
        course.changes = CHANGES_MAX + 1;
        self.fail(Fault::RedirectCycle, now, out);
        false
    }

    /// nginx: a named location; the request stays what it is.
    /// Where that cannot be, the answer is the page of `instead`, or an error's.
    pub(super) fn go_to_named(
        &mut self,
        name: &[u8],
        instead: Option<u16>,
        now: Moment,
        out: &mut Out,
    ) {
        if !self.may_go(now, out) {
            return;
        }
        let at = self.request.at.clone();
        let found = at.server(self.request.place).named.get(name).copied();
        let has_begun =
            self.request.head.body != http1::BodyLength::None && self.request.body_wire_bytes > 0;
        if has_begun && !matches!(self.request.course.body, TheBody::Held(_)) {
            let length = self.request.body_bytes;
            let is_kept = self.down.has_request() && self.wire.replay.hold_again(length);
            self.request.course.body = match is_kept {
                true => TheBody::Held(length),
                false => TheBody::Gone { instead },
            };
        }
        self.request.go_to_named(found);
        if found.is_none() {
            return self.fail(Fault::NoSuchName, now, out);
        }
        let seen = Seen { response: &self.down.response, attempts: &self.attempts, now };
        let content = phases::run_named(&mut self.request, &seen);
        self.follow(content, now, out);
    }

    /// A named location would be sent a body that is not at hand any more.
    pub(super) fn miss_body(&mut self, instead: Option<u16>, now: Moment, out: &mut Out) {
        let course = &mut self.request.course;
        (course.has_error_page, course.passing) = (true, Passing::No);
        match instead {
            Some(status) => self.answer(Content::Status(status), now, out),
            None => self.fail(Fault::BodyGone, now, out),
        }
    }

    /// nginx: `proxy_intercept_errors`: whether a page of the file's own takes the place of an
    /// upstream's answer.
    pub(super) fn intercepts(&self, status: u16) -> bool {
        let is_asked_for = self.pass().is_some_and(|pass| pass.steering.intercepts_errors);
        let pages = &self.location().errors.pages;
        status >= 300 && is_asked_for && pages.iter().any(|page| page.status == status)
    }

    /// The upstream's answer is given up for a page.
    pub(super) fn intercept(&mut self, head: &[u8], now: Moment, out: &mut Out) {
        let status = self.wire.head.status;
        let held = std::mem::take(&mut self.wire.held_bytes);
        self.count_received(held, 0);
        if let Some(challenge) = http1::find(&self.wire.head.fields, head, "www-authenticate")
            && status == 401
        {
            self.carried.push((b"WWW-Authenticate".to_vec(), challenge.to_vec()));
        }
        self.down.response.begin_upstream(&mut self.wire.head, head);
        self.attempts.end(None, now.ms);
        self.give_up_place(out);
        self.answer(Content::Status(status), now, out);
    }
}

/// Whether an answer of this content, made here, is one that pages are for.
pub(super) fn may_have_page(content: Content, is_page: bool, status: u16) -> bool {
    debug_assert!(content != Content::Call);
    is_page && status >= 300 && !own::is_silent(status)
}
