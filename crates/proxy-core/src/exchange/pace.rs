//! nginx: `limit_rate`, `limit_rate_after`, `$limit_rate`, `X-Accel-Limit-Rate`, and
//! `proxy_limit_rate`: what streams is not taken faster than it is given.

use super::{Exchange, pass_of};
use crate::canary::{Canary, is_planted};
use crate::clock::Moment;
use crate::config::model::{ErrorLevel, IgnoredFields, Template};
use crate::pace::Pace;

impl Exchange {
    /// The head of the answer is about to be written: how fast it goes out is settled.
    pub(super) fn settle_pace(&mut self, now: Moment) {
        if self.is_part() {
            return;
        }
        self.take_told_rate();
        if !self.may_be_paced() {
            return;
        }
        let at = self.request.at.clone();
        let guard = at.location(self.request.place).access.guard.as_deref();
        let told = self.request.values.get_mut().rate;
        let rate = told.unwrap_or_else(|| self.size(guard.and_then(|one| one.rate.as_ref()), now));
        let pass = pass_of(at.location(self.request.place)).and_then(|pass| pass.changes.as_ref());
        let upstream_rate = self.size(pass.and_then(|changes| changes.rate.as_ref()), now);
        let rate = [rate, upstream_rate].into_iter().filter(|rate| *rate > 0).min().unwrap_or(0);
        if rate == 0 {
            return;
        }
        let after = self.size(guard.and_then(|one| one.rate_after.as_ref()), now);
        let began_ms = self.request.began.ms;
        let pace = Pace { rate, after, began_ms, sent: 0, is_waiting: false };
        self.request.values.get_mut().pace = Some(pace);
    }

    /// Whether anything speaks of a rate at all.
    fn may_be_paced(&mut self) -> bool {
        self.request.values.get_mut().rate.is_some()
            || self.location().access.guard.is_some()
            || self.pass().is_some_and(|pass| pass.changes.is_some())
    }

    /// nginx: the rate that an upstream says.
    fn take_told_rate(&mut self) {
        let is_ignored = |ignored: IgnoredFields| ignored.contains(IgnoredFields::LIMIT_RATE);
        if self.pass().is_none_or(|pass| is_ignored(pass.steering.ignored)) {
            return;
        }
        let told = self.down.response.upstream_field(b"x-accel-limit-rate");
        let told = told.and_then(|text| std::str::from_utf8(text).ok());
        if let Some(rate) = told.and_then(nginx_conf::units::number) {
            self.request.values.get_mut().rate = Some(rate);
        }
    }

    /// nginx: a text that is no size is told, and none.
    fn size(&self, template: Option<&Template>, now: Moment) -> u64 {
        let Some(template) = template else { return 0 };
        let text = String::from_utf8_lossy(&self.view(now).text(template)).into_owned();
        nginx_conf::units::size(&text).unwrap_or_else(|| {
            let line = format!("invalid size \"{}\"", text.escape_debug());
            self.request.values.borrow_mut().note(ErrorLevel::Error, line);
            0
        })
    }

    /// How many bytes may go to the client now, of whom so many wait; none where there is no bound.
    pub fn allowance(&mut self, waiting: usize, now: Moment) -> Option<u64> {
        let pace = self.request.values.get_mut().pace.as_mut()?;
        let made = self.down.sent.head_bytes + self.down.sent.body_bytes;
        debug_assert!(waiting as u64 <= made, "what waits was made");
        pace.sent = made.saturating_sub(waiting as u64);
        (!is_planted(Canary::NoPace)).then(|| pace.allowance(now.ms))
    }

    /// So many bytes wait still: for their time, or for the client.
    pub fn paced(&mut self, waiting: usize, is_for_its_time: bool) {
        let sent = self.down.sent;
        if let Some(pace) = &mut self.request.values.get_mut().pace {
            let made = sent.head_bytes + sent.body_bytes;
            pace.sent = made.saturating_sub(waiting as u64);
            pace.is_waiting = is_for_its_time;
        }
    }
}
