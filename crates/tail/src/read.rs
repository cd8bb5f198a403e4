//! Reading generations and writing them out: the part of a turn that moves bytes.
//!
//! Owns the order of reading and the holding back of unfinished lines where several files
//! alternate. What becomes of files that were cut, or are over, is [`crate::cut`]'s business.

use std::path::PathBuf;

use crate::compressed::begins_compressed;
use crate::content::begins_as;
use crate::engine::{Engine, Pass};
use crate::fs::{Fault, Fs, Sink};
use crate::gap::{self, Gap, has_more};
use crate::position::{Verdict, verdict};
use crate::report::Notice;
use crate::stream::{Generation, Stream};

/// A file whose reads fail holds up the ones after it for this long, and this many tries.
const FAILING_MS: u64 = 30_000;
const FAILING_COUNT: u32 = 10;
/// Bytes of one path per turn, where there are several.
const SHARE_BYTES: usize = 1 << 20;

/// What one read of a generation came to.
pub(crate) enum Step {
    Wrote(usize),
    /// NULs were passed over, or looked at, at the price of so many bytes.
    Passed(usize),
    End,
    Held,
    Suspect,
    Restarted,
    Failing,
    Stopped(Pass),
}

impl Engine {
    /// Reads every stream that may have something, as far as budget and sink allow.
    pub(crate) fn read(
        &mut self,
        fs: &mut dyn Fs,
        sink: &mut dyn Sink,
        now_ms: u64,
        budget: usize,
    ) -> Pass {
        let room = match self.flush(sink, now_ms).and_then(|()| self.room()) {
            Ok(room) => room,
            Err(stopped) => return stopped,
        };
        let pass = self.read_streams(fs, sink, now_ms, budget.min(room));
        match pass {
            Pass::Blocked | Pass::Closed | Pass::Failed => pass,
            Pass::Ends | Pass::Waits | Pass::More => self.flush(sink, now_ms).err().unwrap_or(pass),
        }
    }

    fn read_streams(
        &mut self,
        fs: &mut dyn Fs,
        sink: &mut dyn Sink,
        now_ms: u64,
        budget: usize,
    ) -> Pass {
        let mut left = budget.max(1);
        let mut all = Pass::Ends;
        let several = self.streams.len() > 1;
        let open = self.goes_first(now_ms).and_then(|key| self.stream_of(key));
        let mut order = std::mem::take(&mut self.dirty);
        // The one in whose line the output is goes first; nobody else may go before its end.
        if let Some(open) = open {
            order.retain(|at| *at != open);
            order.push_front(open);
            self.streams[open].dirty = true;
        }
        while let Some(at) = order.pop_front() {
            let key = self.streams[at].key;
            if self.within_line(now_ms).is_some_and(|open| open != key) {
                order.push_front(at);
                self.dirty.extend(order);
                return if all == Pass::More { Pass::More } else { Pass::Waits };
            }
            let share = if several { left.min(SHARE_BYTES) } else { left };
            let (pass, used) = self.read_stream(fs, sink, at, now_ms, share);
            left = left.saturating_sub(used);
            match pass {
                Pass::Ends => self.streams[at].dirty = false,
                // Whoever had its turn goes behind those that had none.
                _ => self.dirty.push_back(at),
            }
            match pass {
                Pass::Ends => {}
                Pass::Waits if all == Pass::Ends => all = Pass::Waits,
                Pass::Waits => {}
                Pass::More => all = Pass::More,
                Pass::Blocked | Pass::Closed | Pass::Failed => {
                    order.extend(self.dirty.drain(..));
                    self.dirty = order;
                    return pass;
                }
            }
            if left == 0 {
                order.extend(self.dirty.drain(..));
                self.dirty = order;
                return Pass::More;
            }
        }
        all
    }

    /// The file of a stream in whose line the output is, if that may well go on soon.
    fn open_place(&self, at: usize, now_ms: u64) -> Option<usize> {
        let stream = &self.streams[at];
        let (id, begun_ms) = self.outgoing.open_in(stream.key)?;
        let place = stream.place_of(id)?;
        let due_ms = begun_ms.saturating_add(self.options.partial_line_ms);
        (self.ending || now_ms < due_ms).then_some(place)
    }

    /// Whether the output is in a line of a file that is not the last one, and that line may go on.
    fn is_amid_line(&self, at: usize, place: usize, now_ms: u64) -> bool {
        let has_next = place + 1 < self.streams[at].generations.len();
        has_next && !self.ending && self.open_place(at, now_ms) == Some(place)
    }

    /// Reads a stream's generations in their order. Returns how many bytes were written, too.
    fn read_stream(
        &mut self,
        fs: &mut dyn Fs,
        sink: &mut dyn Sink,
        at: usize,
        now_ms: u64,
        share: usize,
    ) -> (Pass, usize) {
        if self.streams[at].halted {
            return (Pass::Waits, 0);
        }
        let mut used = 0;
        let mut place = 0;
        let mut pass = Pass::Ends;
        // At the end a line is not waited for, but what is there of it comes before all else.
        let mut open_is_over = false;
        while place < self.streams[at].generations.len() {
            // An older file that was found late does not come between the parts of a line.
            let open = self.open_place(at, now_ms).filter(|open| *open > place && !open_is_over);
            if let Some(open) = open {
                match self.pump(fs, sink, at, open, now_ms) {
                    Step::Wrote(count) | Step::Passed(count) => used += count.max(1),
                    Step::Restarted => place = 0,
                    Step::Stopped(pass) => return (pass, used),
                    _ if self.ending => open_is_over = true,
                    Step::End | Step::Failing | Step::Held | Step::Suspect => {
                        return (Pass::Waits, used);
                    }
                }
                if used >= share {
                    return (Pass::More, used);
                }
                continue;
            }
            match self.pump(fs, sink, at, place, now_ms) {
                Step::Wrote(count) | Step::Passed(count) => used += count.max(1),
                // Its writer may be about to end the line, though there is a file after it.
                Step::End if self.is_amid_line(at, place, now_ms) => return (Pass::Waits, used),
                Step::End => place += 1,
                Step::Restarted => place = 0,
                Step::Held | Step::Suspect => return (Pass::Waits, used),
                Step::Failing => {
                    let one = &self.streams[at].generations[place];
                    if !self.ending && !lasts(one.failing, now_ms) {
                        return (Pass::Waits, used);
                    }
                    pass = if self.ending { Pass::Ends } else { Pass::Waits };
                    place += 1;
                }
                Step::Stopped(pass) => return (pass, used),
            }
            if used >= share {
                return (Pass::More, used);
            }
        }
        (pass, used)
    }

    /// One read and what follows from it.
    fn pump(
        &mut self,
        fs: &mut dyn Fs,
        sink: &mut dyn Sink,
        at: usize,
        place: usize,
        now_ms: u64,
    ) -> Step {
        let stream = &mut self.streams[at];
        let one = &mut stream.generations[place];
        if one.given_up {
            return Step::End;
        }
        let filled = match fill(fs, one, &mut self.buf) {
            Ok(filled) => filled,
            Err(fault) if one.is_packed() => {
                return self.meet_packed_fault(fs, (at, place), fault, now_ms);
            }
            Err(fault) => return self.note_failed_at(at, place, fault, now_ms),
        };
        one.failing = None;
        let judged = judge_head(fs, one, verdict(&one.written, &self.buf[..filled]));
        #[cfg(test)]
        let judged = match (self.planted, judged) {
            (Some(crate::planted::Bug::SkipGuard), Verdict::Different) => {
                let fresh = filled.saturating_sub(one.written.guard.bytes());
                if fresh == 0 { Verdict::Same } else { Verdict::Grown(fresh) }
            }
            (_, judged) => judged,
        };
        match judged {
            Verdict::Shorter | Verdict::Different => {
                return self.suspect(fs, at, place, judged, now_ms);
            }
            Verdict::Same => return self.meet_end(fs, at, place, now_ms),
            Verdict::Grown(_) => {
                one.suspect_since_ms = None;
                one.at_end = false;
                one.seen_ns = 0;
            }
        }
        if one.written.frontier == 0
            && stream.live != Some(one.id())
            && begins_compressed(&self.buf[..filled])
        {
            return self.let_go(fs, at, place);
        }
        let older = older_has_more(stream, place, fs);
        let open = self.open_place(at, now_ms) == Some(place);
        if older && !open {
            return Step::Restarted;
        }
        if self.streams[at].generations[place].may_be_copy {
            let open = self.streams[at].generations.len();
            if self.wait_for_copy(fs, at, place) {
                let given_up = self.streams[at].generations.len() < open;
                return if given_up { Step::Restarted } else { Step::End };
            }
        }
        let stream = &self.streams[at];
        let one = &stream.generations[place];
        if one.look_first
            && stream.live == Some(one.id())
            && let Some(step) = self.look_first(fs, at, now_ms)
        {
            return step;
        }
        self.pass_or_hand_on(fs, sink, (at, place), filled, older, now_ms)
    }

    /// Passes over what is no data, and hands on what is; only up to the line's end if older files
    /// are to be read first.
    fn pass_or_hand_on(
        &mut self,
        fs: &mut dyn Fs,
        sink: &mut dyn Sink,
        (at, place): (usize, usize),
        filled: usize,
        older: bool,
        now_ms: u64,
    ) -> Step {
        let freed_min = self.options.reclaim.freeing.map_or(u64::MAX, |steps| steps.freed_min());
        let one = &mut self.streams[at].generations[place];
        let from = one.written.guard.bytes();
        let filled = match gap::judge(fs, one, &mut self.buf, filled, freed_min, self.ending) {
            // The line's end, if older files are to be read first.
            Ok(Gap::Data(to)) if older => {
                memchr::memchr(b'\n', &self.buf[from..to]).map_or(to, |end| from + end + 1)
            }
            Ok(Gap::Data(to)) => to,
            Ok(Gap::Zeros) => {
                one.at_end = true;
                return Step::End;
            }
            Ok(Gap::Search(count)) => return Step::Passed(count),
            Ok(Gap::Pass(to)) => {
                one.pass(&self.buf[..to]);
                self.stats.nul_bytes_skipped += (to - from) as u64;
                self.note_changed(at);
                return Step::Passed(to - from);
            }
            Ok(Gap::Hole(data)) => {
                let before = one.written.frontier;
                let cost = one.pass_hole(&self.buf[..filled], data);
                self.stats.nul_bytes_skipped += one.written.frontier - before;
                self.note_changed(at);
                return Step::Passed(cost);
            }
            Err(fault) => return self.note_failed_at(at, place, fault, now_ms),
        };
        self.hand_on(sink, at, place, from..filled, now_ms)
    }

    /// A file turns out to be none of this path's: it was empty when it was taken for a rotated one,
    /// and is what a compressor makes of one, or it had a number that another file had before.
    pub(crate) fn let_go(&mut self, fs: &mut dyn Fs, at: usize, place: usize) -> Step {
        let one = self.streams[at].generations.remove(place);
        fs.close(one.file);
        self.open_files -= 1;
        self.changed = true;
        self.note_state(at);
        self.note_changed(at);
        Step::Restarted
    }

    fn note_failed_at(&mut self, at: usize, place: usize, fault: Fault, now_ms: u64) -> Step {
        let path = self.streams[at].path.clone();
        self.note_failed((at, place), path, fault, now_ms)
    }

    pub(crate) fn note_failed(
        &mut self,
        (at, place): (usize, usize),
        path: PathBuf,
        fault: Fault,
        now_ms: u64,
    ) -> Step {
        let one = &mut self.streams[at].generations[place];
        let (since_ms, count) = one.failing.unwrap_or((now_ms, 0));
        one.failing = Some((since_ms, count.saturating_add(1)));
        self.stats.read_errors += 1;
        self.notices.push(Notice::Unreadable(path, fault));
        Step::Failing
    }
}

/// Whether reads have failed for so long, and so often, that others go on.
pub(crate) fn lasts(failing: Option<(u64, u32)>, now_ms: u64) -> bool {
    failing
        .is_some_and(|(since_ms, count)| now_ms >= since_ms + FAILING_MS && count >= FAILING_COUNT)
}

/// The verdict on a file, its beginning considered.
fn judge_head(fs: &mut dyn Fs, one: &mut Generation, judged: Verdict) -> Verdict {
    if one.suspect_since_ms.is_some() && matches!(judged, Verdict::Same | Verdict::Grown(_)) {
        // It looked cut: that it has the same bytes before the frontier may be chance.
        one.head_differs |= begins_as(fs, one.file, one.written.head) == Some(false);
    }
    if one.head_differs { Verdict::Different } else { judged }
}

/// Whether a generation before this one has grown. A writer that moved on wrote there first, so
/// asking after this one was read keeps the order of the writer's lines.
fn older_has_more(stream: &Stream, place: usize, fs: &mut dyn Fs) -> bool {
    stream.generations[..place].iter().any(|older| {
        let waits = older.suspect_since_ms.is_some() || older.may_be_copy;
        let readable = older.failing.is_none() && !waits;
        readable && fs.probe(older.file).is_ok_and(|probe| has_more(fs, older, &probe) == Ok(true))
    })
}

/// Reads from the guard's start; goes on until something follows the guard, or the file ends.
fn fill(fs: &mut dyn Fs, one: &Generation, buf: &mut [u8]) -> Result<usize, Fault> {
    let (start, guard_len) = (one.written.guard_start(), one.written.guard.bytes());
    let mut filled = fs.read_at(one.file, start, buf)?;
    if filled > guard_len {
        return Ok(filled);
    }
    while filled <= guard_len {
        match fs.read_at(one.file, start + filled as u64, &mut buf[filled..])? {
            0 => return Ok(filled),
            count => filled += count,
        }
    }
    // What follows was read later than the guard: the file may have been cut in between.
    let mut seen = 0;
    while seen < guard_len {
        match fs.read_at(one.file, start + seen as u64, &mut buf[seen..guard_len])? {
            0 => return Ok(seen),
            count => seen += count,
        }
    }
    Ok(filled)
}
