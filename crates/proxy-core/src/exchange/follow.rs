//! What the phases say is asked, and done.

use super::{Exchange, Out, Phase, pass_of};
use crate::canary::{Canary, is_planted};
use crate::clock::Moment;
use crate::course::TheBody;
use crate::phases::{self, Content, Seen, Stage};

impl Exchange {
    /// Asks nginx's phases what becomes of the request, and does it.
    pub(super) fn run_phases(&mut self, now: Moment, out: &mut Out) {
        let (response, attempts) = (&self.down.response, &self.attempts);
        let seen = Seen { response, attempts, now };
        let content = phases::run(&mut self.request, &seen);
        self.follow(content, now, out);
    }

    /// Does what the phases said.
    pub(super) fn follow(&mut self, content: Content, now: Moment, out: &mut Out) {
        match content {
            Content::Call => self.begin_call(now, out),
            Content::Ask { refused } => self.ask(refused, now, out),
            Content::Mirror => self.begin_mirroring(now, out),
            Content::Pause { then, .. } if is_planted(Canary::NoPause) => {
                self.resume(then, now, out);
            }
            Content::Pause { ms, then } => {
                self.phase = Phase::Pausing { until_ms: now.ms.saturating_add(ms), then };
            }
            Content::Fault(fault) => self.fail(fault, now, out),
            Content::Files => self.answer_file(now, out),
            Content::Elsewhere => self.go_elsewhere(now, out),
            content => self.answer(content, now, out),
        }
    }

    fn begin_call(&mut self, now: Moment, out: &mut Out) {
        let at = self.request.at.clone();
        let Some(pass) = pass_of(at.location(self.request.place)) else { return };
        let body = if pass.sending.body { self.request.body() } else { http1::BodyLength::None };
        let own = pass.changes.as_ref().and_then(|changes| changes.body.as_ref());
        if let TheBody::Gone { instead } = self.request.course.body
            && pass.sending.body
            && own.is_none()
        {
            return self.miss_body(instead, now, out);
        }
        let own = own.map(|text| self.view(now).text(text).into_owned());
        self.wire.request_body =
            own.as_ref().map_or(body, |own| http1::BodyLength::Exact(own.len() as u64));
        match own {
            Some(own) => self.wire.replay.begin_own(own),
            None if self.wire.replay.is_ahead() => {}
            None => self.wire.replay.begin(false),
        }
        self.wire.has_sent = false;
        self.wire.fastcgi = pass.fastcgi().map(|_| Box::default());
        if body == http1::BodyLength::Chunked && self.wire.fastcgi.is_some() {
            return self.begin_gathering(false, out);
        }
        self.begin_connecting(now, out);
    }

    /// All that has to be known of the request is: a server is looked for.
    pub(super) fn begin_connecting(&mut self, now: Moment, out: &mut Out) {
        let at = self.request.at.clone();
        let Some(pass) = pass_of(at.location(self.request.place)) else { return };
        match &pass.url.by_variables {
            None => {
                self.call.begin(pass, at.config(), self.request.course.redirects, now.ms);
                self.prepare_choice(&at, pass.upstream, now);
                self.phase = Phase::Connecting;
            }
            Some(made) => match self.find_target(&at, pass, made, now) {
                Ok(phase) => self.phase = phase,
                Err(fault) => return self.fail(fault, now, out),
            },
        }
        self.settle_from(now);
        self.wants_connect = true;
    }

    /// The phases go on from where they were left.
    pub(super) fn resume(&mut self, stage: Stage, now: Moment, out: &mut Out) {
        let seen = Seen { response: &self.down.response, attempts: &self.attempts, now };
        let content = phases::resume(&mut self.request, &seen, stage);
        self.follow(content, now, out);
    }
}
