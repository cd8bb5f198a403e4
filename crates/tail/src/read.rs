//! Reading generations and writing them out: the part of a turn that moves bytes.
//!
//! Owns the order of reading, the holding back of unfinished lines where several files alternate,
//! the proof that a file was cut, and the retirement of files that were read to their end.

use crate::checkpoint::Known;
use crate::engine::{Engine, Pass};
use crate::fs::{Fault, Fs, Sink};
use crate::position::{Verdict, verdict};
use crate::report::Notice;
use crate::stream::{Generation, Look, Stream};

/// A file must look cut for this long before it is believed: a network file system may show an
/// old size for a moment.
pub(crate) const SUSPECT_MS: u64 = 20;
/// How long, and how many tries, a consistent look around a file that was cut is waited for.
const CUT_LOOK_MS: u64 = 5000;
const CUT_LOOKS: u32 = 10;
/// A file whose reads fail holds up the ones after it for this long, and this many tries.
const FAILING_MS: u64 = 30_000;
const FAILING_COUNT: u32 = 10;
/// A rotated file is kept open this long after its last byte: its writer may not know yet.
const RETIRED_IDLE_MS: u64 = 10_000;
/// The same for a file that was deleted and has no successor.
const DELETED_IDLE_MS: u64 = 60_000;
/// Bytes of one path per turn, where there are several.
const SHARE_BYTES: usize = 1 << 20;

/// What one read of a generation came to.
pub(crate) enum Step {
    Wrote(usize),
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
        let first = self.first_to_read();
        let open = self.goes_first(now_ms);
        let open = open.and_then(|key| self.streams.iter().position(|s| s.key == key));
        let count = self.streams.len();
        // The one in whose line the output is goes first; nobody else may go before its end.
        let order = open.into_iter().chain((0..count).map(|i| (first + i) % count.max(1)));
        for at in order {
            let key = self.streams[at].key;
            if self.within_line(now_ms).is_some_and(|open| open != key) {
                return if all == Pass::More { Pass::More } else { Pass::Waits };
            }
            if !self.streams[at].dirty && !self.ending {
                continue;
            }
            let share = if count > 1 { left.min(SHARE_BYTES) } else { left };
            let (pass, used) = self.read_stream(fs, sink, at, now_ms, share);
            left = left.saturating_sub(used);
            match pass {
                Pass::Ends => self.streams[at].dirty = false,
                Pass::Waits if all == Pass::Ends => all = Pass::Waits,
                Pass::Waits => {}
                Pass::More => all = Pass::More,
                Pass::Blocked | Pass::Closed | Pass::Failed => return pass,
            }
            if left == 0 {
                return Pass::More;
            }
        }
        all
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
        let mut used = 0;
        let mut place = 0;
        let mut pass = Pass::Ends;
        while place < self.streams[at].generations.len() {
            match self.pump(fs, sink, at, place, now_ms) {
                Step::Wrote(count) => used += count,
                Step::End => place += 1,
                Step::Restarted => place = 0,
                Step::Held | Step::Suspect => return (Pass::Waits, used),
                Step::Failing => {
                    let one = &self.streams[at].generations[place];
                    let (since_ms, count) = one.failing.unwrap_or((now_ms, 0));
                    let lasts = now_ms >= since_ms + FAILING_MS && count >= FAILING_COUNT;
                    if !self.ending && !lasts {
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
        let filled = match fill(fs, one, &mut self.buf) {
            Ok(filled) => filled,
            Err(fault) => {
                let (since_ms, count) = one.failing.unwrap_or((now_ms, 0));
                one.failing = Some((since_ms, count.saturating_add(1)));
                self.stats.read_errors += 1;
                self.notices.push(Notice::Unreadable(stream.path.clone(), fault));
                return Step::Failing;
            }
        };
        one.failing = None;
        let judged = verdict(&one.written, &self.buf[..filled]);
        #[cfg(test)]
        let judged = match (self.planted, judged) {
            (Some(crate::planted::Bug::SkipGuard), Verdict::Different) => {
                let fresh = filled - one.written.guard.bytes();
                if fresh == 0 { Verdict::Same } else { Verdict::Grown(fresh) }
            }
            (_, judged) => judged,
        };
        let guard_len = one.written.guard.bytes();
        match judged {
            Verdict::Shorter | Verdict::Different => {
                return self.suspect(fs, at, place, judged, now_ms);
            }
            Verdict::Same => {
                one.suspect_since_ms = None;
                one.partial = None;
                one.at_end = true;
                return Step::End;
            }
            Verdict::Grown(_) => {
                one.suspect_since_ms = None;
                one.at_end = false;
            }
        }
        if older_has_more(stream, place, fs) {
            return Step::Restarted;
        }
        let one = &mut stream.generations[place];
        let from = guard_len + skip_nuls(one, &self.buf[..filled]);
        self.stats.nul_bytes_skipped += (from - guard_len) as u64;
        if from == filled {
            return Step::Wrote(0);
        }
        self.hand_on(sink, at, place, from..filled, now_ms)
    }

    /// Other bytes, or none, are where the guard was. Believed when it lasts.
    fn suspect(
        &mut self,
        fs: &mut dyn Fs,
        at: usize,
        place: usize,
        judged: Verdict,
        now_ms: u64,
    ) -> Step {
        let stream = &mut self.streams[at];
        let one = &mut stream.generations[place];
        let size = fs.probe(one.file).map_or(u64::MAX, |probe| probe.size);
        if judged == Verdict::Shorter && size >= one.written.frontier {
            // Size and content contradict each other: one of them is out of date.
            one.suspect_since_ms = None;
            return Step::Suspect;
        }
        let since_ms = *one.suspect_since_ms.get_or_insert(now_ms);
        if now_ms < since_ms + SUSPECT_MS && !self.ending {
            return Step::Suspect;
        }
        let id = one.id();
        if stream.live == Some(id) && place + 1 == stream.generations.len() {
            let look = stream.look_after_cut(fs, now_ms, &mut self.notices);
            let tries = stream.generations.last_mut().map_or(0, |one| {
                one.cut_looks += 1;
                one.cut_looks
            });
            let lasts = now_ms >= since_ms + CUT_LOOK_MS && tries >= CUT_LOOKS;
            if look == Look::Again && !lasts {
                return Step::Suspect;
            }
        }
        if let Some(one) = stream.generations.iter_mut().find(|one| one.id() == id) {
            let cut = one.clone();
            one.restart();
            self.go_on_in_copy(at, &cut);
        }
        self.notices.push(Notice::Truncated(self.streams[at].path.clone()));
        self.stats.truncations += 1;
        self.changed = true;
        Step::Restarted
    }

    /// Closes what was read to its end and will hardly grow again; it is remembered.
    pub(crate) fn retire(&mut self, fs: &mut dyn Fs, now_ms: u64) {
        for stream in &mut self.streams {
            let mut place = 0;
            while place < stream.generations.len() {
                let one = &stream.generations[place];
                let busy = self.outgoing.is_busy(one.file);
                if busy || !is_over(stream, place, fs, now_ms) {
                    place += 1;
                    continue;
                }
                let one = stream.generations.remove(place);
                let linked = fs.probe(one.file).is_ok_and(|probe| probe.linked);
                fs.close(one.file);
                if linked {
                    stream.closed.push(Known { position: one.written, foreign: false });
                }
                self.changed = true;
            }
        }
    }

    /// Brings the gauges up to date.
    pub(crate) fn measure_lag(&mut self, fs: &mut dyn Fs, pass: Pass) {
        let generations = self.streams.iter().flat_map(|stream| &stream.generations);
        self.stats.files = generations.clone().count() as u64;
        self.stats.lag_bytes = match pass {
            Pass::Ends => 0,
            _ => generations
                .map(|one| {
                    let size = fs.probe(one.file).map_or(0, |probe| probe.size);
                    size.saturating_sub(one.written.frontier)
                })
                .sum(),
        };
    }
}

/// Whether a generation may be closed.
fn is_over(stream: &Stream, place: usize, fs: &mut dyn Fs, now_ms: u64) -> bool {
    let one = &stream.generations[place];
    if !one.at_end || stream.live == Some(one.id()) {
        return false;
    }
    let idle_ms = now_ms.saturating_sub(one.moved_ms);
    let has_successor = place + 1 < stream.generations.len();
    if idle_ms < if has_successor { RETIRED_IDLE_MS } else { DELETED_IDLE_MS } {
        return false;
    }
    // The last read may be long ago, and what came since then would be gone with a deleted file.
    fs.probe(one.file)
        .is_ok_and(|probe| probe.size == one.written.frontier && (has_successor || !probe.linked))
}

/// Whether a generation before this one has grown. A writer that moved on wrote there first, so
/// asking after this one was read keeps the order of the writer's lines.
fn older_has_more(stream: &Stream, place: usize, fs: &mut dyn Fs) -> bool {
    stream.generations[..place].iter().any(|older| {
        let readable = older.failing.is_none() && older.suspect_since_ms.is_none();
        readable && fs.probe(older.file).is_ok_and(|probe| probe.size > older.written.frontier)
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

/// Passes over the NULs at the start of a file that was cut, and returns how many there were.
fn skip_nuls(one: &mut Generation, seen: &[u8]) -> usize {
    if !one.skip_nuls {
        return 0;
    }
    let guard_len = one.written.guard.bytes();
    let fresh = &seen[guard_len..];
    let count = fresh.iter().position(|byte| *byte != 0).unwrap_or(fresh.len());
    one.skip_nuls = count == fresh.len();
    if count > 0 {
        one.written.advance(&seen[..guard_len + count], count);
        one.resume = one.written;
        one.settled = one.written;
    }
    count
}
