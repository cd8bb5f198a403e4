//! Handing on what was read: offers to the sink, their acknowledgements, and lines kept whole.
//!
//! Owns how far a generation was handed on and acknowledged, and whose turn it is in an output
//! that several files share. It reads no file, and never decides where reading goes on.
//!
//! ```text
//!   settled ≤ resume ≤ written
//!      │         │        └ behind the last byte handed on: the sink took it, or it is in the batch
//!      │         └ the start of the line that `written` is in, unless that is too far back
//!      └ `resume`, as of the last offer acknowledged: this goes into the checkpoint
//! ```

use std::ops::Range;

use crate::engine::{Engine, Pass, READ_BYTES_MAX};
use crate::fs::{FileId, Handle, Sink, SinkFault, Taken};
use crate::ledger::{End, Ledger, Source};
use crate::position::Position;
use crate::read::Step;
use crate::records::Batch;
use crate::report::Notice;
use crate::stream::Generation;

/// A restart may begin in the middle of a line that is longer than this. The longest line that is
/// held back, too.
pub(crate) const HELD_LINE_BYTES_MAX: usize = READ_BYTES_MAX;
/// A line in the output that has become longer than this gives way to other files' lines.
const OPEN_LINE_BYTES_MAX: usize = 1 << 20;

/// Bytes in the engine's buffer that the sink has not taken yet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pending {
    pub(crate) key: u64,
    pub(crate) id: FileId,
    pub(crate) file: Handle,
    pub(crate) from: usize,
    pub(crate) to: usize,
    /// When the first line of it was first seen.
    pub(crate) begun_ms: u64,
}

/// A line that is in the output without its end.
#[derive(Clone, Copy, Debug)]
struct OpenLine {
    key: u64,
    id: FileId,
    /// When its beginning was first seen.
    begun_ms: u64,
    /// How much of it is in the output.
    bytes: usize,
}

/// What is on its way to the sink.
#[derive(Debug, Default)]
pub(crate) struct Outgoing {
    pub(crate) pending: Option<Pending>,
    /// Records that are offered together; nothing where the output is the bytes as they are.
    pub(crate) batch: Batch,
    pub(crate) ledger: Ledger,
    open_line: Option<OpenLine>,
    /// Before anything else a line end is due: another file's line stays unfinished.
    line_end_due: bool,
}

impl Outgoing {
    /// Whether bytes of a file are on their way: it must stay open until they are acknowledged.
    pub(crate) fn is_busy(&self, file: Handle) -> bool {
        self.pending.is_some_and(|pending| pending.file == file)
            || self.batch.has(file)
            || self.ledger.has(file)
    }

    /// Whether all that was handed on is acknowledged.
    pub(crate) fn is_settled(&self) -> bool {
        self.pending.is_none() && self.batch.is_empty() && self.ledger.is_empty()
    }

    /// Bytes of files that were handed on and are not acknowledged.
    pub(crate) fn unacknowledged_bytes(&self) -> u64 {
        self.ledger.bytes() + self.batch.file_bytes()
    }

    /// A file of a stream has another identity now.
    pub(crate) fn renumber(&mut self, key: u64, old: FileId, new: FileId) {
        let pending = self.pending.as_mut().filter(|sent| (sent.key, sent.id) == (key, old));
        pending.into_iter().for_each(|sent| sent.id = new);
        let open = self.open_line.as_mut().filter(|open| (open.key, open.id) == (key, old));
        open.into_iter().for_each(|open| open.id = new);
    }

    pub(crate) fn is_open(&self, key: u64, id: FileId) -> bool {
        self.open_line.is_some_and(|open| (open.key, open.id) == (key, id))
    }
}

impl Outgoing {
    /// The file of a stream whose line is in the output without its end, and since when.
    pub(crate) fn open_in(&self, key: u64) -> Option<(FileId, u64)> {
        let open = self.open_line.filter(|open| open.key == key)?;
        Some((open.id, open.begun_ms))
    }

    /// The rest of a line that is in the output will not come.
    pub(crate) fn break_off(&mut self, key: u64, id: FileId) {
        if self.is_open(key, id) {
            self.open_line = None;
            self.line_end_due = true;
        }
    }

    /// A file was given over from one stream to another.
    pub(crate) fn give_over(&mut self, id: FileId, from: u64, to: u64) {
        let pending = self.pending.as_mut().filter(|one| (one.key, one.id) == (from, id));
        pending.into_iter().for_each(|one| one.key = to);
        let open = self.open_line.as_mut().filter(|one| (one.key, one.id) == (from, id));
        open.into_iter().for_each(|one| one.key = to);
    }

    /// What of one file waits to be taken is in another one, too, at the same place.
    pub(crate) fn take_from(&mut self, old: &Generation, new: FileId, file: Handle) {
        let pending = self.pending.as_mut().filter(|one| one.file == old.file);
        pending.into_iter().for_each(|one| (one.id, one.file) = (new, file));
    }
}

impl Generation {
    /// Whose bytes it has at present.
    pub(crate) fn source(&self) -> Source {
        Source { file: self.file, cuts: self.cuts }
    }
}

impl Engine {
    /// Bytes that may be read now, so that no more is out between two checkpoints than was
    /// promised, acknowledged or not.
    pub(crate) fn room(&self) -> Result<usize, Pass> {
        if self.outgoing.ledger.is_full() {
            return Err(Pass::Blocked);
        }
        if !self.options.checkpoint {
            return Ok(usize::MAX);
        }
        let promised = self.options.checkpoint_bytes.max(1);
        if self.outgoing.ledger.bytes() >= promised {
            // Another checkpoint would make no room: it cannot hold what is not acknowledged.
            return Err(Pass::Blocked);
        }
        match promised.saturating_sub(self.bytes_since_checkpoint) {
            0 => Err(Pass::More),
            room => Ok(usize::try_from(room).unwrap_or(usize::MAX)),
        }
    }

    /// The stream in whose line the output is: it goes first, until that line gives way.
    pub(crate) fn goes_first(&self, now_ms: u64) -> Option<u64> {
        let open = self.outgoing.open_line.filter(|_| self.streams.len() > 1)?;
        let is_short = open.bytes < OPEN_LINE_BYTES_MAX;
        let is_young = self.line_due_ms(now_ms).is_some();
        (is_short && (is_young || self.ending)).then_some(open.key)
    }

    /// The same stream, while others have to wait for the line's end.
    pub(crate) fn within_line(&self, now_ms: u64) -> Option<u64> {
        self.goes_first(now_ms).filter(|_| !self.ending)
    }

    /// When other files have to wait no longer for the end of the line that the output is in.
    pub(crate) fn line_due_ms(&self, now_ms: u64) -> Option<u64> {
        let open = self.outgoing.open_line?;
        let due_ms = open.begun_ms.saturating_add(self.options.partial_line_ms);
        (due_ms > now_ms).then_some(due_ms)
    }

    /// Hands on what is in a range of the buffer, the generation's next bytes, as far as it is
    /// ready.
    pub(crate) fn hand_on(
        &mut self,
        sink: &mut dyn Sink,
        at: usize,
        place: usize,
        range: Range<usize>,
        now_ms: u64,
    ) -> Step {
        if !self.options.format.is_raw() {
            return self.hand_on_records(sink, at, place, range, now_ms);
        }
        let begun_ms = self.begun_ms(at, place, now_ms);
        let to = match self.writable(at, place, &range, begun_ms, now_ms) {
            0 => return Step::Held,
            to => to,
        };
        let stream = &self.streams[at];
        let (key, one) = (stream.key, &stream.generations[place]);
        let (id, file) = (one.id(), one.file);
        // Another file's line is unfinished for good: its rest must not run into this one.
        let other = self.outgoing.open_line.filter(|_| !self.outgoing.is_open(key, id));
        other.into_iter().for_each(|open| self.outgoing.break_off(open.key, open.id));
        let pending = Pending { key, id, file, from: range.start, to, begun_ms };
        #[cfg(test)]
        if self.planted == Some(crate::planted::Bug::CheckpointAhead) {
            let end = self.advance(pending, to - range.start, now_ms);
            self.settle(end.into_iter().collect());
            let number = self.outgoing.ledger.next_number();
            if let Ok(taken) = sink.offer(number, &self.buf[range.start..to]) {
                self.took(Vec::new(), 0, taken);
            }
            return Step::Wrote(to - range.start);
        }
        self.outgoing.pending = Some(pending);
        match self.flush(sink, now_ms) {
            Ok(()) => Step::Wrote(to - range.start),
            Err(pass) => Step::Stopped(pass),
        }
    }

    /// When the next byte of a generation was first seen.
    pub(crate) fn begun_ms(&self, at: usize, place: usize, now_ms: u64) -> u64 {
        let one = &self.streams[at].generations[place];
        match one.partial {
            Some((since_ms, offset)) if offset == one.written.frontier => since_ms,
            _ => now_ms,
        }
    }

    /// Up to where the bytes read may be written now; 0 if an unfinished line is waited for.
    fn writable(
        &mut self,
        at: usize,
        place: usize,
        range: &Range<usize>,
        begun_ms: u64,
        now_ms: u64,
    ) -> usize {
        if self.streams.len() == 1 {
            return range.end;
        }
        let stream = &mut self.streams[at];
        let one = &mut stream.generations[place];
        // The line that follows is held back even if this file is in the middle of one: others
        // would wait for ever for a file whose last line is always unfinished.
        if let Some(last) = memchr::memrchr(b'\n', &self.buf[range.clone()]) {
            return range.start + last + 1;
        }
        let within = self.outgoing.is_open(stream.key, one.id());
        if within || self.ending || range.end == self.buf.len() {
            return range.end;
        }
        one.partial = Some((begun_ms, one.written.frontier));
        match now_ms >= begun_ms.saturating_add(self.options.partial_line_ms) {
            true => range.end,
            false => 0,
        }
    }

    /// Takes acknowledgements, and offers what the sink has not taken yet. The error says why not
    /// all of it could be.
    pub(crate) fn flush(&mut self, sink: &mut dyn Sink, now_ms: u64) -> Result<(), Pass> {
        while let Some(number) = sink.acknowledged() {
            #[cfg(test)]
            if self.planted == Some(crate::planted::Bug::OutOfStep) {
                for earlier in number.saturating_sub(20)..number {
                    let released = self.outgoing.ledger.acknowledge(earlier);
                    self.settle(released);
                }
            }
            let released = self.outgoing.ledger.acknowledge(number);
            self.settle(released);
        }
        if self.outgoing.line_end_due {
            // Offered again until it is taken: a sink that was blocked may have it under way.
            match sink.offer(self.outgoing.ledger.next_number(), b"\n") {
                Ok(taken) => self.took(Vec::new(), 0, taken),
                Err(fault) => return Err(self.stopped(fault)),
            }
            self.outgoing.line_end_due = false;
        }
        while let Some(pending) = self.outgoing.pending {
            if self.outgoing.ledger.is_full() {
                return Err(Pass::Blocked);
            }
            let number = self.outgoing.ledger.next_number();
            let taken = match sink.offer(number, &self.buf[pending.from..pending.to]) {
                Ok(taken) if taken.bytes == 0 => return Err(Pass::Blocked),
                Ok(taken) => taken,
                Err(fault) => return Err(self.stopped(fault)),
            };
            // Past this point the bytes count as handed on: never more than were there.
            assert!(taken.bytes <= pending.to - pending.from, "the sink took what it was given");
            let end = self.advance(pending, taken.bytes, now_ms);
            self.took(end.into_iter().collect(), taken.bytes as u64, taken);
            let from = pending.from + taken.bytes;
            self.outgoing.pending = (from < pending.to).then_some(Pending { from, ..pending });
        }
        self.offer_batch(sink)
    }

    pub(crate) fn stopped(&mut self, fault: SinkFault) -> Pass {
        match fault {
            SinkFault::Blocked => Pass::Blocked,
            SinkFault::Closed => Pass::Closed,
            SinkFault::Failed(fault) => {
                self.notices.push(Notice::SinkFailed(fault));
                Pass::Failed
            }
        }
    }

    /// An offer was taken that has so many bytes of files and ends there.
    pub(crate) fn took(&mut self, ends: Vec<End>, bytes: u64, taken: Taken) {
        self.bytes_since_checkpoint += bytes;
        #[cfg(test)]
        let taken = match self.planted {
            Some(crate::planted::Bug::TakenIsSafe) => Taken { safe: true, ..taken },
            _ => taken,
        };
        let released = self.outgoing.ledger.take(ends, bytes, taken.safe);
        self.settle(released);
    }

    /// Moves what goes into the checkpoint to where acknowledged offers end.
    fn settle(&mut self, released: Vec<End>) {
        for end in released {
            self.changed = true;
            let Some((at, place)) = self.place_of(&end) else { continue };
            self.note_changed(at);
            let one = &mut self.streams[at].generations[place];
            let resume = Position { id: one.id(), ..end.resume };
            if resume.frontier >= one.settled.frontier {
                one.settled = resume;
            }
        }
    }

    /// The place of a stream. They are in the order of their keys.
    pub(crate) fn stream_of(&self, key: u64) -> Option<usize> {
        self.streams.binary_search_by_key(&key, |stream| stream.key).ok()
    }

    /// The stream of the generation an end is about, if that is still what it was, and its place
    /// there.
    fn place_of(&self, end: &End) -> Option<(usize, usize)> {
        let is_it = |one: &Generation| one.source() == end.source;
        let place_in = |at: usize| {
            let place = self.streams[at].generations.iter().position(is_it)?;
            Some((at, place))
        };
        // It may have been given to another stream since.
        let place = self.stream_of(end.key).and_then(place_in);
        place.or_else(|| self.finder.index.open.iter().find_map(|at| place_in(*at)))
    }

    /// Moves a generation over bytes that were taken, and says where that is.
    fn advance(&mut self, pending: Pending, count: usize, now_ms: u64) -> Option<End> {
        let end = pending.from + count;
        let fresh = &self.buf[pending.from..end];
        self.stats.bytes += count as u64;
        self.stats.lines += memchr::memchr_iter(b'\n', fresh).count() as u64;
        let last = memchr::memrchr(b'\n', fresh);
        self.outgoing.open_line = match (last, self.outgoing.open_line) {
            (Some(last), _) if last + 1 == count => None,
            (Some(last), _) => Some((now_ms, count - last - 1)),
            (None, Some(open)) if (open.key, open.id) == (pending.key, pending.id) => {
                Some((open.begun_ms, open.bytes + count))
            }
            (None, _) => Some((pending.begun_ms, count)),
        }
        .map(|(begun_ms, bytes)| OpenLine {
            key: pending.key,
            id: pending.id,
            begun_ms,
            bytes,
        });
        let at = self.stream_of(pending.key)?;
        let generations = &mut self.streams[at].generations;
        let one = generations.iter_mut().find(|one| one.id() == pending.id)?;
        move_over(one, &self.buf[..end], count, last.map(|last| count - last - 1), now_ms);
        one.written.look_ahead(&self.buf[end..pending.to]);
        Some(End { key: pending.key, source: one.source(), resume: one.resume })
    }

    /// A generation was cut that was as `cut` says, and a copy was made before: the copy goes on
    /// with the line that was begun, and with what was not acknowledged. It is none of those `known`
    /// before the look that found it: what was acknowledged of one since is not taken back.
    pub(crate) fn go_on_in_copy(&mut self, at: usize, cut: &Generation, known: &[Source]) {
        let stream = &mut self.streams[at];
        let is_copy = |one: &&mut Generation| {
            one.file != cut.file
                && !known.contains(&one.source())
                && one.written.frontier == cut.written.frontier
                && one.written.guard == cut.written.guard
        };
        let Some(copy) = stream.generations.iter_mut().find(is_copy) else { return };
        copy.resume = Position { id: copy.id(), ..cut.resume };
        copy.settled = Position { id: copy.id(), ..cut.settled };
        copy.part = cut.part;
        let (from, to) = (cut.source(), copy.source());
        self.outgoing.ledger.hand_over(from, to);
        let ends = self.outgoing.batch.ends_mut();
        ends.filter(|end| end.source == from).for_each(|end| end.source = to);
        if let Some(open) = &mut self.outgoing.open_line
            && (open.key, open.id) == (stream.key, cut.id())
        {
            open.id = copy.id();
        }
    }
}

/// Moves a generation over the last `count` of the bytes seen. `behind_line_end` of them follow the
/// last line end among them.
pub(crate) fn move_over(
    one: &mut Generation,
    seen: &[u8],
    count: usize,
    behind_line_end: Option<usize>,
    now_ms: u64,
) {
    if let Some(behind) = behind_line_end {
        let mut resume = one.written;
        resume.advance(&seen[..seen.len() - behind], count - behind);
        one.resume = resume;
    }
    one.written.advance(seen, count);
    let in_line = one.written.frontier - one.resume.frontier;
    if in_line > HELD_LINE_BYTES_MAX as u64 || behind_line_end == Some(0) {
        one.resume = one.written;
    }
    one.partial = None;
    one.moved_ms = now_ms;
}
