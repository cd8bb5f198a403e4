//! Sending a request once more: whether it may be, and its body as far as it was sent before.

use http1::BodyLength;

use super::{Exchange, Out};
use crate::canary::{Canary, is_planted};
use crate::config::model::NextConditions;
use crate::upstream::call::Resend;

impl Exchange {
    /// The body as far as it was sent before.
    pub(super) fn resend_body(&mut self, out: &mut Out) {
        if self.wire.request_body == BodyLength::None {
            return;
        }
        let before = out.upstream.len();
        if let Some(own) = self.wire.replay.own() {
            out.upstream.extend_from_slice(own);
            return self.count_sent(own.len());
        }
        if let Some(data) = self.wire.replay.whole().filter(|data| !data.is_empty()) {
            let cut = if is_planted(Canary::ReplayCut) { data.len() / 2 } else { data.len() };
            let data = data.get(..cut).unwrap_or_default();
            self.wire.write_body(data, &mut out.upstream);
        }
        if self.down.has_request() {
            self.wire.end_body(&mut out.upstream);
        }
        self.count_sent(out.upstream.len() - before);
    }

    /// Whether it can come to sending the request once more, so that its body is worth keeping.
    pub(super) fn may_be_resent(&self, is_reused: bool) -> bool {
        !self.down.has_request()
            && (is_reused || self.call.has_more())
            && self.resend().is_idempotent
    }

    /// Whether a named location may be sent what goes to this upstream now, for its answer or the
    /// file says so.
    pub(super) fn may_go_to_named(&self) -> bool {
        let server = self.request.at.server(self.request.place);
        !self.down.has_request() && !server.named.is_empty()
    }

    pub(super) fn resend(&self) -> Resend {
        let conditions = self.pass().map(|pass| pass.next_upstream.conditions);
        let allowed = conditions.is_some_and(|all| all.contains(NextConditions::NON_IDEMPOTENT));
        Resend {
            is_stale: self.wire.is_reused && !self.wire.has_spoken,
            is_possible: self.wire.request_body == BodyLength::None
                || self.request.body_bytes == 0
                || self.wire.replay.whole().is_some(),
            is_idempotent: allowed
                || is_planted(Canary::PostSentAgain)
                || !matches!(self.request.method(), b"POST" | b"PATCH" | b"LOCK"),
        }
    }

    /// Whether the request may go out on a connection that could have died while idle without a
    /// look at it first: if it has, the request is sent once more.
    pub fn may_meet_dead_link(&self) -> bool {
        self.resend().is_idempotent
    }
}
