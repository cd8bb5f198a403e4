//! What FastCGI applications say.

use http1::{Parsed, Span};

use super::{Exchange, Out, Phase, Then};
use crate::clock::Moment;
use crate::config::model::ErrorLevel;
use crate::fault::{Fault, UpstreamFault};
use crate::upstream::fastcgi::{Event, Flaw};
use crate::upstream::h1;

/// nginx: `NGX_MAX_ERROR_STR`, about: so much of what an application says is told.
const ERROR_BYTES_MAX: usize = 2_000;
/// Of one request no more than so much of it is kept.
const TOLD_BYTES_MAX: usize = 64 << 10;

impl Exchange {
    /// Bytes of an application; all of them are used as long as it is listened to.
    pub(super) fn fastcgi_bytes(&mut self, bytes: &[u8], now: Moment, out: &mut Out) -> usize {
        let bytes = self.piece(bytes);
        let mut used = 0;
        while self.phase == Phase::Exchanging {
            let rest = bytes.get(used..).unwrap_or_default();
            let Some(wire) = &mut self.wire.fastcgi else { break };
            let said = wire.records.read(rest);
            let count = said.map_or(0, |(_, count)| count);
            used += count;
            // nginx: what follows the head counts with the records around it.
            self.count_received(count, if self.down.is_begun { count } else { 0 });
            // What is read counts, whether it is used or not.
            self.wire.held_bytes = rest.len() - count;
            match said {
                Ok((Some(event), _)) => self.hear(event, now, out),
                Ok((None, _)) => break,
                Err(flaw) => self.application_failed(flaw, now, out),
            }
        }
        let held = std::mem::take(&mut self.wire.held_bytes);
        if matches!(self.phase, Phase::Adding { then: Then::Upstream }) {
            // It waits, and comes again.
            return used;
        }
        self.count_received(held, if self.request.is_head() { 0 } else { held });
        used
    }

    fn hear(&mut self, event: Event<'_>, now: Moment, out: &mut Out) {
        let keeps = self.pass().and_then(|pass| pass.fastcgi()).is_some_and(|to| to.keep_conn);
        let Some(wire) = &mut self.wire.fastcgi else { return };
        match event {
            Event::Answer(data) if self.down.is_begun => self.application_data(data, now, out),
            Event::Answer(data) => self.application_head(data, now, out),
            Event::Error(data) => {
                let room = ERROR_BYTES_MAX.saturating_sub(wire.error.len());
                wire.error.extend_from_slice(data.get(..room).unwrap_or(data));
            }
            Event::ErrorEnd => self.application_error(now, out),
            Event::AnswerEnd | Event::End if !self.down.is_begun => {
                self.application_failed(Flaw::AnswerCut, now, out);
            }
            // A connection that is kept has to be read to the end of the request.
            Event::AnswerEnd if keeps => {}
            Event::AnswerEnd | Event::End => {
                wire.has_ended = event == Event::End;
                match self.wire.body.eof() {
                    Ok(()) => self.finish_answer(now, out),
                    Err(_) => self.fail(Fault::Upstream(UpstreamFault::Closed), now, out),
                }
            }
        }
    }

    fn application_failed(&mut self, flaw: Flaw, now: Moment, out: &mut Out) {
        let fault = UpstreamFault::FastCgi(flaw);
        match self.down.is_begun {
            true => self.fail(Fault::Upstream(fault), now, out),
            false => self.upstream_failed(fault, now, out),
        }
    }

    /// More of the head of the answer, and perhaps what follows it.
    fn application_head(&mut self, data: &[u8], now: Moment, out: &mut Out) {
        let Some(bytes_max) = self.pass().map(h1::head_bytes_max) else { return };
        let Some(wire) = &mut self.wire.fastcgi else { return };
        let mut bytes = std::mem::take(&mut wire.head);
        bytes.extend_from_slice(data);
        let (is_head, head) = (self.request.is_head(), &mut self.wire.head);
        match http1::parse_cgi_response(&bytes, bytes_max, is_head, head) {
            Parsed::NeedMore => wire.head = bytes,
            Parsed::Reject(reject) => {
                self.upstream_failed(UpstreamFault::Malformed(reject), now, out);
            }
            Parsed::Done { used, .. } => {
                let rest_bytes = bytes.len() - used;
                debug_assert!(rest_bytes <= data.len(), "the head ends in what has just come");
                bytes.truncate(used);
                if http1::find(&head.fields, &bytes, "status").is_none() {
                    let reason = http1::reason(head.status);
                    let start = u32::try_from(bytes.len()).unwrap_or(0);
                    let len = u32::try_from(reason.len()).unwrap_or(0);
                    head.reason = Span { start, len };
                    bytes.extend_from_slice(reason.as_bytes());
                }
                self.begin_answer((&bytes, &[]), now, out);
                let rest = data.get(data.len() - rest_bytes..).unwrap_or_default();
                match self.phase {
                    Phase::Exchanging if self.down.is_begun => {
                        self.count_received(0, rest_bytes);
                        self.application_data(rest, now, out);
                    }
                    Phase::Adding { .. } => {
                        self.count_received(0, rest_bytes);
                        self.down.response.body.extend_from_slice(rest);
                    }
                    _ => {}
                }
            }
        }
    }

    /// Content of the answer. nginx: what there is more of it than was declared is dropped.
    pub(super) fn application_data(&mut self, data: &[u8], now: Moment, out: &mut Out) {
        // Nothing in this framing can be wrong.
        if let Ok(part) = self.wire.body.read(data) {
            self.down.push_data(part.data, &mut out.client);
        }
        if self.down.is_content_bad() {
            self.fail(Fault::NotGzip, now, out);
        }
    }

    /// A line for the error log is whole.
    fn application_error(&mut self, now: Moment, out: &mut Out) {
        let Some(wire) = &mut self.wire.fastcgi else { return };
        let line = std::mem::take(&mut wire.error);
        let is_end = |byte: &u8| matches!(byte, b'\r' | b'\n' | b'.' | b' ');
        let end = line.iter().rposition(|byte| !is_end(byte)).map_or(0, |last| last + 1);
        let line = line.get(..end).unwrap_or_default();
        if line.is_empty() {
            return;
        }
        let mut text = String::new();
        for c in String::from_utf8_lossy(line).chars() {
            match c.is_control() {
                true => text.extend(c.escape_default()),
                false => text.push(c),
            }
        }
        let has_room = wire.told_bytes < TOLD_BYTES_MAX;
        wire.told_bytes += line.len();
        if has_room {
            let note = format!("FastCGI sent in stderr: \"{text}\"");
            self.request.values.get_mut().note(ErrorLevel::Error, note);
        }
        let to = self.pass().and_then(|pass| pass.fastcgi());
        let is_caught = to.is_some_and(|to| {
            let is_in = |caught: &Vec<u8>| line.windows(caught.len().max(1)).any(|at| at == caught);
            to.caught.iter().any(is_in)
        });
        if is_caught && !self.down.is_begun {
            self.application_failed(Flaw::Caught, now, out);
        }
    }
}
