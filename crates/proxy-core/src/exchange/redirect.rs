//! An upstream hands the request on to another location.

use super::{Exchange, Out};
use crate::clock::Moment;
use crate::config::model::IgnoredFields;

impl Exchange {
    /// nginx: `X-Accel-Redirect`: another location answers. True where that is so.
    pub(super) fn redirect_internally(&mut self, head: &[u8], now: Moment, out: &mut Out) -> bool {
        const CARRIED: [&str; 6] = [
            "content-type",
            "set-cookie",
            "content-disposition",
            "cache-control",
            "expires",
            "accept-ranges",
        ];
        let fields = &self.wire.head.fields;
        let Some(target) = http1::find(fields, head, "x-accel-redirect") else { return false };
        let is_ignored =
            self.pass().is_some_and(|pass| pass.steering.ignored.contains(IgnoredFields::REDIRECT));
        if is_ignored || target.is_empty() {
            return false;
        }
        let target = target.to_vec();
        let held = std::mem::take(&mut self.wire.held_bytes);
        let carried = fields.iter().map(|field| (field.name.of(head), field.value.of(head)));
        let is_carried =
            |name: &[u8]| CARRIED.iter().any(|known| name.eq_ignore_ascii_case(known.as_bytes()));
        self.carried = carried
            .filter(|(name, _)| is_carried(name))
            .map(|(name, value)| (name.to_vec(), value.to_vec()))
            .collect();
        self.count_received(held, 0);
        self.attempts.end(None, now.ms);
        self.give_up_place(out);
        if target.first() == Some(&b'@') {
            self.go_to_named(&target, None, now, out);
            return true;
        }
        let end = target.iter().position(|&b| b == b'?').unwrap_or(target.len());
        let (path, args) = target.split_at_checked(end).unwrap_or_default();
        let mut normal = Vec::new();
        let is_good =
            path.first() == Some(&b'/') && http1::path::normalize(path, &mut normal).is_ok();
        if is_good {
            if self.may_go(now, out) {
                // nginx: it makes any method but HEAD a GET, and the body stays behind.
                self.request.course.become_get();
                self.request.redirect(&normal, args.get(1..).unwrap_or_default());
                self.run_phases(now, out);
            }
        } else {
            self.answer(crate::phases::Content::Status(404), now, out);
        }
        true
    }
}
