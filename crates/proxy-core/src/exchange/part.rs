//! nginx: `proxy_force_ranges`: a part of an upstream's answer, for a client that asks for one; and
//! how much of one is used at once.
//!
//! nginx: the answer passes once, so that there is one part at most; who asks for several gets all.

use http1::BodyLength;

use super::{Exchange, Out};
use crate::body::{Cut, Step, gunzip};
use crate::clock::Moment;
use crate::content::own;
use crate::content::range::{self, Asked};
use crate::phases::Content;

impl Exchange {
    /// Chooses what of the answer goes on, whose head is taken over. False where none of it does,
    /// and another answer is out.
    pub(super) fn choose_part(&mut self, now: Moment, out: &mut Out) -> bool {
        if !self.pass().is_some_and(|pass| pass.steering.forces_ranges) || self.is_part() {
            return true;
        }
        let parts_max = self.location().files.parts_max.min(1);
        self.down.response.unsay(b"accept-ranges");
        let is_changed = self.down.response.is_changed(&self.context(false, false, now));
        let response = &mut self.down.response;
        // What HEAD tells is not taken for a length before it is known to go on.
        let told = || response.upstream_field(b"content-length").and_then(range::number);
        let bytes = response.told_length().or_else(|| told().filter(|_| self.wire.is_head));
        let bytes = bytes.filter(|_| response.status == 200 && parts_max > 0);
        let Some(bytes) = bytes.filter(|_| !is_changed) else { return true };
        response.packing.varies |= response.is_gzip_meant(&self.request);
        // What has no date is of none.
        let modified = response.sent_value(b"last-modified").and_then(http1::parse_date);
        let modified_s = modified.unwrap_or(i64::MIN);
        match range::asked(&self.request, response, modified_s, (bytes, parts_max)) {
            Asked::Whole => response.push(b"Accept-Ranges", b"bytes"),
            Asked::Parts(parts) => {
                response.restate(206);
                own::make_parts(&parts, None, bytes, response);
                let cut = parts.first().map(|range| Step::Cut(Cut::to(range.from, range.to)));
                if let Some(cut) = cut.filter(|_| !matches!(self.wire.head.body, BodyLength::None))
                {
                    response.packing.chain.get_or_insert_default().push(cut);
                }
            }
            Asked::Unsatisfiable => {
                let varies = response.packing.varies;
                self.carry_length(bytes, varies);
                let held = std::mem::take(&mut self.wire.held_bytes);
                self.count_received(held, 0);
                self.attempts.end(None, now.ms);
                self.give_up_place(out);
                self.answer(Content::Status(416), now, out);
                return false;
            }
        }
        true
    }

    /// As much of what has come as may be used at once: what is packed may become a thousand times
    /// as much. The rest comes again.
    pub(super) fn piece<'b>(&self, bytes: &'b [u8]) -> &'b [u8] {
        match self.location().client.bodies.unpacks {
            true => bytes.get(..gunzip::PIECE_BYTES).unwrap_or(bytes),
            false => bytes,
        }
    }

    /// The answer that none of the parts can be sent tells how much there is.
    pub(super) fn carry_length(&mut self, bytes: u64, varies: bool) {
        let place = format!("bytes */{bytes}");
        self.carried.push((b"Content-Range".to_vec(), place.into_bytes()));
        if varies && self.location().files.packed.has_vary {
            self.carried.push((b"Vary".to_vec(), b"Accept-Encoding".to_vec()));
        }
    }
}
