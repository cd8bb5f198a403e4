//! nginx: `auth_request`: somebody else is asked whether a request is let in, before anything of it
//! is answered; and waiting for one's turn.
//!
//! The exchange becomes its own subrequest for that long: it goes through the phases and calls an
//! upstream as it always does, without the client's body and with nobody to answer.

use http1::{BodyLength, BodyReader};

use super::{Action, Exchange, Out, Phase};
use crate::canary::{Canary, is_planted};
use crate::clock::Moment;
use crate::fault::{Fault, UpstreamFault};
use crate::phases::Stage;
use crate::request::Main;
use crate::response::Response;
use crate::upstream::call::Attempts;

/// What an exchange is apart from its subrequest.
#[derive(Debug)]
pub struct Aside {
    request: Main,
    body: BodyReader,
    owes_continue: bool,
    response: Response,
    attempts: Attempts,
    carried: Vec<(Vec<u8>, Vec<u8>)>,
    challenges: Vec<Vec<u8>>,
    /// The status with which others have refused it before.
    refused: Option<u16>,
}

impl Exchange {
    /// Asks for the path that decides.
    pub(super) fn ask(&mut self, refused: Option<u16>, now: Moment, out: &mut Out) {
        debug_assert!(!self.down.is_begun && self.down.errands.aside.is_none());
        let at = self.request.at.clone();
        let guard = at.location(self.request.place).access.guard.as_deref();
        let Some(path) = guard.and_then(|guard| guard.ask.as_ref()) else { return };
        self.down.errands.aside = Some(Box::new(Aside {
            request: self.request.ask(path),
            body: std::mem::replace(&mut self.down.body, BodyReader::new(BodyLength::None)),
            owes_continue: std::mem::take(&mut self.down.owes_continue),
            response: std::mem::take(&mut self.down.response),
            attempts: std::mem::take(&mut self.attempts),
            carried: std::mem::take(&mut self.carried),
            challenges: std::mem::take(&mut self.request.values.get_mut().challenges),
            refused,
        }));
        self.run_phases(now, out);
    }

    /// The head of the answer to the subrequest is there, and perhaps its content, of which this
    /// many bytes are used. nginx: more of it is not waited for.
    pub(super) fn hear_answer(
        &mut self,
        (head, rest): (&[u8], &[u8]),
        now: Moment,
        out: &mut Out,
    ) -> usize {
        self.down.response.begin_upstream(&mut self.wire.head, head);
        if let Some(status) = self.request.course.status {
            self.down.response.restate(status);
        }
        let mut body = BodyReader::new(self.wire.head.body);
        let mut used = 0;
        while let Ok(part) = body.read(rest.get(used..).unwrap_or_default()) {
            used += part.used;
            if part.used == 0 || body.is_done() {
                break;
            }
        }
        // A mirrored HEAD is one, too: what may follow its answer is nobody's.
        let is_kept = body.is_done()
            && !self.wire.is_head
            && self.wire.head.persistent()
            && self.pass().is_some_and(|pass| pass.http11);
        self.link_action = Some(if is_kept { Action::KeepLink } else { Action::DropLink });
        self.judge(now, out);
        used
    }

    /// The subrequest has its status: the request goes on, or not. A mirror's is of no interest.
    pub(super) fn judge(&mut self, now: Moment, out: &mut Out) {
        if self.is_mirror() {
            return self.end_mirror(now, out);
        }
        let status = self.down.response.status;
        let at = self.request.at.clone();
        let Some(aside) = &self.down.errands.aside else { return };
        let (place, refused) = (aside.request.place(), aside.refused);
        if self.is_calling() {
            self.link_action.get_or_insert(Action::DropLink);
            out.upstream.clear();
        }
        self.wants_connect = false;
        self.phase = Phase::Starting;
        let challenges: Vec<Vec<u8>> =
            self.down.response.challenges().map(<[u8]>::to_vec).collect();
        let guard = at.location(place).access.guard.as_deref();
        let answers = guard.into_iter().flat_map(|guard| &guard.answers);
        let view = self.view(now);
        let answers: Vec<(usize, Vec<u8>)> = answers
            .map(|(variable, text)| (*variable, view.value(text).unwrap_or_default()))
            .collect();
        self.tell_subrequest(now);
        self.note_fault();
        self.be_main();
        let values = self.request.values.get_mut();
        answers.into_iter().for_each(|(variable, value)| values.set(variable, value));
        if status == 401 {
            values.challenges.extend(challenges);
        }
        let status = if is_planted(Canary::RefusalLetsIn) { 200 } else { status };
        self.resume(Stage::Asked { status, refused }, now, out);
    }

    /// nginx: `log_subrequest`.
    pub(super) fn tell_subrequest(&mut self, now: Moment) {
        if self.location().program.telling.subrequests {
            let mut lines = std::mem::take(&mut self.down.errands.lines);
            self.view(now).push_log_lines(&mut lines);
            self.down.errands.lines = lines;
        }
    }

    /// Why nobody has answered is told beside what becomes of the request.
    fn note_fault(&mut self) {
        let Some(fault) = self.fault.take() else { return };
        let is_told = |(told, _): &(UpstreamFault, _)| fault == Fault::Upstream(*told);
        if !self.call.passed_over().last().is_some_and(is_told) {
            let values = self.request.values.get_mut();
            values.note(fault.level(), format!("{fault}, in a subrequest"));
        }
    }

    /// The exchange is itself again.
    pub(super) fn be_main(&mut self) {
        let Some(aside) = self.down.errands.aside.take() else { return };
        self.request.be_main(aside.request);
        self.down.body = aside.body;
        self.down.owes_continue = aside.owes_continue;
        self.down.response = aside.response;
        self.attempts = aside.attempts;
        self.carried = aside.carried;
        self.request.values.get_mut().challenges = aside.challenges;
    }
}
