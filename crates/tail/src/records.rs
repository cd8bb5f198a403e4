//! Records of many files in one batch: what is handed on where the output is not the bytes as
//! they are.
//!
//! Owns the batch and how long an unfinished record is waited for. What a record is, and what it
//! looks like, is decided in [`crate::frame`] and [`crate::format`].

use std::ops::Range;

use crate::engine::{Engine, Pass};
use crate::format::{Origin, Part, Record};
use crate::frame::first_record;
use crate::fs::{Handle, Sink};
use crate::ledger::End;
use crate::offer::move_over;
use crate::position::Position;
use crate::read::Step;
use crate::stream::Generation;

/// A batch of this size is offered before anything more is read.
const BATCH_BYTES: usize = 64 << 10;
/// Memory that an unusually large batch took is given back down to this.
const BATCH_BYTES_KEPT: usize = 256 << 10;

/// Records that were read and not offered yet, or only in part.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    bytes: Vec<u8>,
    /// How much of it the sink took.
    taken: usize,
    /// Where it ends in each file, one for each.
    ends: Vec<End>,
    /// Bytes of files that it stands for.
    file_bytes: u64,
    lines: u64,
}

impl Batch {
    /// Whether nothing is in it.
    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Whether bytes of a file are in it.
    pub(crate) fn has(&self, file: Handle) -> bool {
        self.ends.iter().any(|end| end.source.file == file)
    }

    /// Where it ends, one for each file.
    pub(crate) fn ends_mut(&mut self) -> impl Iterator<Item = &mut End> {
        self.ends.iter_mut()
    }

    fn is_full(&self) -> bool {
        self.bytes.len() >= BATCH_BYTES
    }

    fn end_at(&mut self, end: End) {
        match self.ends.iter_mut().find(|known| known.source == end.source) {
            Some(known) => *known = end,
            None => self.ends.push(end),
        }
    }
}

impl Generation {
    fn origin(&self) -> Origin {
        let Position { id, cuts, .. } = self.written;
        Origin { ino: id.ino, born_ns: id.born_ns, cuts }
    }

    /// What a record that begins at `offset` is a part of, if it is one.
    fn next_part(&self, offset: u64, is_whole: bool) -> Option<Part> {
        let goes_on = !is_whole;
        match self.part {
            Some(last) => Some(Part { number: last.number.saturating_add(1), goes_on, ..last }),
            None if is_whole => None,
            None => Some(Part { ino: self.id().ino, offset, number: 1, goes_on }),
        }
    }
}

impl Engine {
    /// Puts the finished records that a range of the buffer begins with into the batch.
    pub(crate) fn hand_on_records(
        &mut self,
        sink: &mut dyn Sink,
        at: usize,
        place: usize,
        range: Range<usize>,
        now_ms: u64,
    ) -> Step {
        let begun_ms = self.begun_ms(at, place, now_ms);
        let is_over = now_ms >= begun_ms.saturating_add(self.options.partial_line_ms)
            || range.end == self.buf.len()
            || self.ending;
        let stream = &mut self.streams[at];
        let one = &mut stream.generations[place];
        let data = &self.buf[range.clone()];
        let batch = &mut self.outgoing.batch;
        let (mut used, mut line_end) = (0, None);
        let multiline = self.options.format.multiline();
        // It is the first one whose time or room is over. The last one is read again from its
        // beginning: it may go on behind what was read this time.
        while let Some(piece) = first_record(multiline, &data[used..], is_over && used == 0) {
            let since_ms = if used == 0 { begun_ms } else { now_ms };
            let offset = one.written.frontier + used as u64;
            // Only the first one can be a part, or the rest of a line of which parts are out.
            let part = one.next_part(offset, piece.is_whole);
            let record = Record {
                text: &data[used..used + piece.text_len],
                offset,
                time_ms: self.unix_ms.saturating_sub(now_ms.saturating_sub(since_ms)),
                file: one.origin(),
                source: &stream.path,
                part,
            };
            self.options.format.push(&mut batch.bytes, &record);
            one.part = part.filter(|part| part.goes_on);
            used += piece.len;
            if piece.is_whole {
                line_end = Some(used);
            }
        }
        if used == 0 {
            one.partial = Some((begun_ms, one.written.frontier));
            return Step::Held;
        }
        let seen = &self.buf[..range.start + used];
        batch.file_bytes += used as u64;
        batch.lines += memchr::memchr_iter(b'\n', &data[..used]).count() as u64;
        move_over(one, seen, used, line_end.map(|end| used - end), now_ms);
        if used < data.len() {
            one.partial = Some((now_ms, one.written.frontier));
        }
        batch.end_at(End { key: stream.key, source: one.source(), resume: one.resume });
        if !batch.is_full() {
            return Step::Wrote(used);
        }
        match self.offer_batch(sink) {
            Ok(()) => Step::Wrote(used),
            Err(pass) => Step::Stopped(pass),
        }
    }

    /// Offers what is in the batch. The error says why not all of it was taken.
    pub(crate) fn offer_batch(&mut self, sink: &mut dyn Sink) -> Result<(), Pass> {
        while !self.outgoing.batch.is_empty() {
            if self.outgoing.ledger.is_full() {
                return Err(Pass::Blocked);
            }
            let batch = &mut self.outgoing.batch;
            let number = self.outgoing.ledger.next_number();
            let taken = match sink.offer(number, &batch.bytes[batch.taken..]) {
                Ok(taken) if taken.bytes == 0 => return Err(Pass::Blocked),
                Ok(taken) => taken,
                Err(fault) => return Err(self.stopped(fault)),
            };
            batch.taken += taken.bytes;
            assert!(batch.taken <= batch.bytes.len(), "the sink took what it was given");
            if batch.taken < batch.bytes.len() {
                self.took(Vec::new(), 0, taken);
                continue;
            }
            // Only its last part says where the batch ends; earlier parts count before it.
            let batch = std::mem::take(batch);
            self.stats.bytes += batch.file_bytes;
            self.stats.lines += batch.lines;
            self.took(batch.ends, batch.file_bytes, taken);
            let mut bytes = batch.bytes;
            bytes.clear();
            bytes.shrink_to(BATCH_BYTES_KEPT);
            self.outgoing.batch.bytes = bytes;
        }
        Ok(())
    }
}
