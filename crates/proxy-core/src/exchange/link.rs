//! Where an upstream's answer ends, and what becomes of its connection then.

use super::{Exchange, Phase, Side};
use crate::canary::{Canary, is_planted};
use crate::clock::Moment;
use crate::downstream::ClientNext;

impl Exchange {
    /// Whether nothing is waited for behind the content of an answer. What an application does
    /// behind it belongs to the request; nginx does not wait for it where it was asked by HEAD.
    pub(super) fn ends_with_body(&self) -> bool {
        self.wire.fastcgi.is_none() || self.request.is_head()
    }

    /// Whether the end of the connection is that of the answer. nginx: an application that was
    /// asked to keep the connection has to say so itself.
    pub(super) fn ends_with_link(&mut self) -> bool {
        let to = self.pass().and_then(|pass| pass.fastcgi());
        let is_said = match &self.wire.fastcgi {
            _ if is_planted(Canary::ApplicationCutIsWhole) => true,
            Some(wire) => wire.records.is_between() && to.is_some_and(|to| !to.keep_conn),
            None => true,
        };
        is_said && self.wire.body.eof().is_ok()
    }

    /// Lines behind the content of an answer. The reader bounds them.
    pub(super) fn take_trailer(&mut self, lines: &[u8]) {
        if !lines.is_empty() && self.pass().is_some_and(|pass| pass.steering.passes_trailers) {
            self.down.response.trailer.extend_from_slice(lines);
        }
    }

    /// Whether the connection can carry another request after a whole answer.
    pub(super) fn keeps_link(&self) -> bool {
        let Some(pass) = self.pass().filter(|_| self.down.has_request()) else { return false };
        if let (Some(wire), Some(to)) = (&self.wire.fastcgi, pass.fastcgi()) {
            return wire.has_ended && to.keep_conn;
        }
        // What an application says after the head of an answer to HEAD would be taken for the
        // answer to the next request, however late it comes.
        self.wire.head.persistent()
            && (!self.wire.is_head || is_planted(Canary::LinkKeptAfterHead))
            && pass.http11
    }

    /// The head of the answer is there.
    pub(super) fn note_head_time(&mut self, now: Moment) {
        if let Some(attempt) = self.attempts.last() {
            attempt.head_ms = Some(now.ms.saturating_sub(attempt.began_ms));
        }
    }

    /// A tunnel is over.
    pub(super) fn end_tunnel(&mut self, now: Moment) {
        debug_assert!(matches!(self.phase, Phase::Tunnel { .. }));
        self.attempts.end(None, now.ms);
        self.complete(ClientNext::Close);
    }

    /// Whether a side of a tunnel is to be told that nothing more comes from the other.
    pub fn ends_writing_to(&self, side: Side) -> bool {
        match (self.phase, side) {
            (Phase::Tunnel { client_ended, .. }, Side::Upstream) => client_ended,
            (Phase::Tunnel { upstream_ended, .. }, Side::Client) => upstream_ended,
            _ => false,
        }
    }
}
