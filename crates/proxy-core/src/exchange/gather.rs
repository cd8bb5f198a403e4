//! A request's body that is read before anything is done with it: an application is told its length
//! first, and those who get a mirrored request get the same body.

use http1::BodyLength;

use super::{Exchange, Out, Phase};
use crate::clock::Moment;
use crate::course::TheBody;
use crate::fault::Fault;
use crate::phases::Stage;

/// So much of a body is held at most, in bytes.
pub(super) const HELD_BYTES_MAX: usize = 1 << 20;

impl Exchange {
    /// The body is read until it is whole. What is too long is mirrored to nobody, and refused
    /// where its length has to be known.
    pub(super) fn begin_gathering(&mut self, is_for_mirrors: bool, out: &mut Out) {
        self.phase = Phase::Gathering { is_for_mirrors };
        self.wire.replay.begin_ahead();
        if std::mem::take(&mut self.down.owes_continue) && !self.down.has_request() {
            self.down.push_continue(&mut out.client);
        }
    }

    /// The client's body while it is gathered.
    pub(super) fn gather(&mut self, bytes: &[u8], now: Moment, out: &mut Out) -> usize {
        let Phase::Gathering { is_for_mirrors } = self.phase else { return 0 };
        let mut used = 0;
        loop {
            let rest = bytes.get(used..).unwrap_or_default();
            let part = match self.down.body.read(rest) {
                Ok(part) => part,
                Err(reject) => {
                    self.request.head.connection.close = true;
                    self.fail(Fault::Client(reject), now, out);
                    return used;
                }
            };
            used += part.used;
            self.request.body_wire_bytes += part.used as u64;
            let is_too_long =
                self.request.body_bytes + part.data.len() as u64 > HELD_BYTES_MAX as u64;
            // What has come goes on all the same, where it need not be whole.
            let bytes_max = if is_for_mirrors { usize::MAX } else { HELD_BYTES_MAX };
            self.wire.replay.push(part.data, bytes_max);
            if !self.count_request_body(part.data.len()) || is_too_long && !is_for_mirrors {
                self.fail(Fault::BodyTooLarge, now, out);
                return used;
            }
            if is_too_long {
                self.note_not_mirrored();
                self.resume(Stage::Mirrored, now, out);
                return used;
            }
            if self.down.has_request() {
                self.end_gathering(is_for_mirrors, now, out);
                return used;
            }
            if part.used == 0 {
                return used;
            }
        }
    }

    /// All of it is there.
    fn end_gathering(&mut self, is_for_mirrors: bool, now: Moment, out: &mut Out) {
        let body = self.wire.replay.whole().unwrap_or_default();
        let length = body.len() as u64;
        self.request.course.body = TheBody::Held(length);
        if self.request.at.generation().tells_bodies() {
            let told = self.request.values.get_mut().body.insert(Default::default());
            told.begin(true);
            told.push(body, HELD_BYTES_MAX);
        }
        if is_for_mirrors {
            return self.mirror(now, out);
        }
        self.wire.request_body = BodyLength::Exact(length);
        self.begin_connecting(now, out);
    }
}
