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
use crate::multiline::Multiline;
use crate::offer::move_over;
use crate::position::Position;
use crate::read::Step;
use crate::stream::Generation;

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

    /// Bytes of files that it stands for.
    pub(crate) fn file_bytes(&self) -> u64 {
        self.file_bytes
    }

    /// Where it ends, one for each file.
    pub(crate) fn ends_mut(&mut self) -> impl Iterator<Item = &mut End> {
        self.ends.iter_mut()
    }

    fn end_at(&mut self, end: End) {
        match self.ends.iter_mut().find(|known| known.source == end.source) {
            Some(known) => *known = end,
            None => self.ends.push(end),
        }
    }
}

/// What is known of the first record of some bytes.
#[derive(Clone, Copy, Debug)]
struct First {
    /// When its beginning was first seen.
    begun_ms: u64,
    /// It is not waited for any longer.
    is_over: bool,
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
    /// Hands on the finished records that a range of the buffer begins with.
    pub(crate) fn hand_on_records(
        &mut self,
        sink: &mut dyn Sink,
        at: usize,
        place: usize,
        range: Range<usize>,
        now_ms: u64,
    ) -> Step {
        let first_ms = self.begun_ms(at, place, now_ms);
        let is_over = now_ms >= first_ms.saturating_add(self.options.partial_line_ms)
            || range.end == self.buf.len()
            || self.ending;
        let first = First { begun_ms: first_ms, is_over };
        let mut used = 0;
        loop {
            // It is the first one whose time or room is over. The last one is read again from its
            // beginning: it may go on behind what was read this time.
            let first = (used == 0).then_some(first);
            let rest = range.start + used..range.end;
            let more = self.put_into_batch(at, place, rest, first, now_ms);
            if more == 0 {
                break;
            }
            used += more;
            if self.outgoing.batch.bytes.len() >= self.options.format.offer_bytes()
                && let Err(pass) = self.offer_batch(sink)
            {
                return Step::Stopped(pass);
            }
        }
        let one = &mut self.streams[at].generations[place];
        if used == 0 {
            one.partial = Some((first_ms, one.written.frontier));
            return Step::Held;
        }
        if range.start + used < range.end {
            one.partial = Some((now_ms, one.written.frontier));
        }
        Step::Wrote(used)
    }

    /// Puts finished records into the batch until there are enough for an offer; returns how many
    /// bytes of the file they are. `first` says what is known of the first one.
    fn put_into_batch(
        &mut self,
        at: usize,
        place: usize,
        range: Range<usize>,
        first: Option<First>,
        now_ms: u64,
    ) -> usize {
        let stream = &mut self.streams[at];
        let one = &mut stream.generations[place];
        let data = &self.buf[range.clone()];
        let batch = &mut self.outgoing.batch;
        let (mut used, mut line_end, mut whole) = (0, None, 0);
        let (format, enough) = (&self.options.format, self.options.format.offer_bytes_max());
        while batch.bytes.len() < enough {
            let first = first.filter(|_| used == 0);
            let is_over = first.is_some_and(|first| first.is_over);
            let Some(piece) = first_record(format.multiline(), &data[used..], is_over) else {
                break;
            };
            let since_ms = first.map_or(now_ms, |first| first.begun_ms);
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
            format.push(&mut batch.bytes, &record);
            one.part = part.filter(|part| part.goes_on);
            used += piece.len;
            if piece.is_whole {
                line_end = Some(used);
                whole += 1;
            }
        }
        if used == 0 {
            return 0;
        }
        batch.file_bytes += used as u64;
        batch.lines += match format.multiline() {
            Multiline::Off => whole,
            _ => memchr::memchr_iter(b'\n', &data[..used]).count() as u64,
        };
        let seen = &self.buf[..range.start + used];
        move_over(one, seen, used, line_end.map(|end| used - end), now_ms);
        batch.end_at(End { key: stream.key, source: one.source(), resume: one.resume });
        used
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
