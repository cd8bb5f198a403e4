//! The engine: bounded turns that look, read, write out and checkpoint.
//!
//! Owns the one buffer and the order of a turn. It
//! knows no clock and no system: time and effects are brought to every turn.

use std::collections::VecDeque;
use std::path::PathBuf;

use crate::checkpoint_log::Log;
use crate::discover::{Finder, LOOK_AGAIN_MS};
use crate::format::Format;
use crate::fs::{Fs, Sink};
use crate::offer::Outgoing;
use crate::pattern;
use crate::position::GUARD_BYTES_MAX;
use crate::reclaim::{Reclaim, Reclaimer};
use crate::report::{Notice, Stats};
use crate::stream::{Look, Stream};
use crate::unpack::{Readers, UNPACKS, Unpacked};

/// Bytes one read asks for. Large enough that the calls cost little, small enough that data stays
/// in the processor's second cache between read and write.
pub const READ_BYTES_MAX: usize = 128 << 10;
/// How long a first look at everything is waited for before anything is read.
const START_MS: u64 = 1000;
/// Wait after a failure of the sink.
const RETRY_MS: u64 = 1000;
/// Files that are followed, unless it is said otherwise.
pub const FILES_MAX: usize = 100_000;
/// Names that rotators give, unless it is said otherwise.
pub const ROTATED: [&str; 4] =
    ["{path}.*", "{path}-[0-9]*", "{dir}/{stem}-[0-9]*{ext}", "{dir}/{stem}.[0-9]*{ext}"];
/// The least number of files that are held open, however few descriptors there are.
pub const OPEN_FILES_MIN: usize = 8;

/// What the engine is asked to do.
#[derive(Clone, Debug)]
pub struct Options {
    /// Paths and patterns to follow.
    pub paths: Vec<PathBuf>,
    /// Patterns of names, or of paths where there is a slash, of files that are not followed though
    /// a pattern leads to them.
    pub exclude: Vec<PathBuf>,
    /// Files that are there when nothing is known yet are read from their end.
    pub from_end: bool,
    /// Files that a pattern leads to are left out if they were not written to for so long.
    pub ignore_older_ms: Option<u64>,
    /// Names of rotated generations, `{path}` standing for the followed path.
    pub rotated: Vec<String>,
    /// Paths that are followed at most; what is left out is said, and counted.
    pub files_max: usize,
    /// Files that are held open at most, at least [`OPEN_FILES_MIN`]: of more, the longest idle
    /// ones are closed and looked at by their names.
    pub open_files_max: usize,
    /// Whether there is a checkpoint file.
    pub checkpoint: bool,
    /// A checkpoint is written this long after something changed, at the latest.
    pub checkpoint_interval_ms: u64,
    /// A checkpoint is written when this many bytes went out since the last.
    pub checkpoint_bytes: u64,
    /// An unfinished line or record is waited for this long, counted from its beginning, where
    /// several files alternate or the output is more than their bytes.
    pub partial_line_ms: u64,
    /// What the output looks like.
    pub format: Format,
    /// Everything is looked at this often, whatever was hinted.
    pub poll_ms: u64,
    /// End when all files were read to their end.
    pub exit_on_eof: bool,
    /// Disk space that is given back; with a checkpoint only.
    pub reclaim: Reclaim,
}

/// Whether, and why, the engine has come to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It goes on.
    Following,
    /// Everything was read to the end and written out.
    Finished {
        /// A named path could not be read, or was not there.
        incomplete: bool,
    },
    /// Nobody reads what it writes.
    SinkClosed,
    /// The time to end in is over; the rest is where the checkpoint says.
    TimedOut,
}

/// What a turn came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wake {
    /// When the next turn is due, on the clock of the turn's `now_ms`. An event may come earlier.
    pub at_ms: u64,
    /// The sink is to be waited for: until it has room, or has acknowledged something.
    pub sink_blocked: bool,
    /// Whether it was the last turn.
    pub outcome: Outcome,
}

/// Follows files. See the crate's documentation for an example of its loop.
#[derive(Debug)]
pub struct Engine {
    pub(crate) options: Options,
    pub(crate) streams: Vec<Stream>,
    pub(crate) buf: Vec<u8>,
    pub(crate) outgoing: Outgoing,
    /// The time of day of this turn, as far as it was told, in milliseconds since 1970.
    pub(crate) unix_ms: u64,
    /// Each write to a file is told of by a hint.
    pub(crate) hears_writes: bool,
    pub(crate) stats: Stats,
    pub(crate) notices: Vec<Notice>,
    pub(crate) ending: bool,
    pub(crate) bytes_since_checkpoint: u64,
    /// The checkpoint is out of date.
    pub(crate) changed: bool,
    /// Streams of which it may say something else, and paths that it need not know any more.
    pub(crate) unsaved: Vec<usize>,
    pub(crate) forgotten: Vec<PathBuf>,
    #[cfg(test)]
    pub(crate) planted: Option<crate::planted::Bug>,
    /// The checkpoint was read.
    pub(crate) loaded: bool,
    /// All paths were looked at, and a checkpoint says what was there.
    pub(crate) started: bool,
    pub(crate) start_by_ms: u64,
    pub(crate) first_start: bool,
    pub(crate) end_by_ms: u64,
    pub(crate) next_key: u64,
    /// What is due to be looked at.
    pub(crate) finder: Finder,
    /// Streams that may have something to read, in the order they are read in.
    pub(crate) dirty: VecDeque<usize>,
    /// Files held open now.
    pub(crate) open_files: usize,
    /// How compressed files are read.
    pub(crate) readers: Readers,
    /// Files that may be open at present.
    pub(crate) open_files_max: usize,
    /// More files were to be opened than may be open.
    pub(crate) no_room: bool,
    pub(crate) look_again_ms: u64,
    pub(crate) retire_at_ms: u64,
    pub(crate) lag_at_ms: u64,
    pub(crate) sink_retry_ms: u64,
    pub(crate) checkpoint_at_ms: u64,
    pub(crate) log: Log,
    pub(crate) reclaimer: Reclaimer,
}

/// What reading all streams came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pass {
    /// Every stream is at its end.
    Ends,
    /// Every stream is at its end, has a line to wait for, or cannot be read now.
    Waits,
    /// The budget is used up.
    More,
    /// The sink has no room, or has too much that it did not acknowledge.
    Blocked,
    /// The sink failed.
    Failed,
    /// The sink is gone.
    Closed,
}

impl Engine {
    /// An engine that has seen nothing yet.
    pub fn new(options: Options) -> Engine {
        Engine::with_read_bytes(options, READ_BYTES_MAX)
    }

    /// The same with reads of another size.
    pub(crate) fn with_read_bytes(mut options: Options, read_bytes: usize) -> Engine {
        options.paths = options.paths.iter().flat_map(|path| pattern::alternatives(path)).collect();
        let excludes = options.exclude.iter().flat_map(|path| pattern::alternatives(path));
        options.exclude = excludes.collect();
        options.open_files_max = options.open_files_max.max(OPEN_FILES_MIN);
        Engine {
            open_files_max: options.open_files_max,
            options,
            streams: Vec::new(),
            buf: vec![0; GUARD_BYTES_MAX + read_bytes],
            outgoing: Outgoing::default(),
            unix_ms: 0,
            hears_writes: false,
            stats: Stats::default(),
            notices: Vec::new(),
            ending: false,
            bytes_since_checkpoint: 0,
            changed: false,
            unsaved: Vec::new(),
            forgotten: Vec::new(),
            #[cfg(test)]
            planted: None,
            loaded: false,
            started: false,
            start_by_ms: 0,
            first_start: false,
            end_by_ms: u64::MAX,
            next_key: 0,
            finder: Finder::default(),
            dirty: VecDeque::new(),
            open_files: 0,
            readers: Readers::default(),
            no_room: false,
            look_again_ms: LOOK_AGAIN_MS,
            retire_at_ms: 0,
            lag_at_ms: 0,
            sink_retry_ms: 0,
            checkpoint_at_ms: 0,
            log: Log::default(),
            reclaimer: Reclaimer::default(),
        }
    }

    /// Counters and gauges as of the last turn.
    pub fn stats(&self) -> Stats {
        self.stats
    }

    /// What there is to tell since the last call.
    pub fn take_notices(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.notices)
    }

    /// The time of day, in milliseconds since 1970, for the records of the next turn and for the ages of files.
    pub fn tell_time(&mut self, unix_ms: u64) {
        self.unix_ms = unix_ms;
    }

    /// Whether each write to a file is told of by a hint. Where that is not so, a file that has the
    /// bytes it had and another time was written anew with the same text, or only touched: it is
    /// read again.
    pub fn hear_writes(&mut self, hears_writes: bool) {
        self.hears_writes = hears_writes;
    }

    /// How often everything is looked at.
    pub fn poll_ms(&self) -> u64 {
        self.options.poll_ms
    }

    /// Looks at everything this often from now on, or oftener where that was asked for.
    pub fn poll_at_least_every(&mut self, poll_ms: u64) {
        if poll_ms < self.options.poll_ms {
            self.options.poll_ms = poll_ms;
            // The look that is due next was put off for as long as it was then.
            self.finder.look_at_ms = 0;
        }
    }

    /// Why a named path cannot be read at present, if one cannot.
    pub fn fault(&self) -> Option<String> {
        let stream = self.streams.get(*self.finder.index.faulty.first()?)?;
        Some(format!("{}: {}", stream.path.display(), stream.fault?))
    }

    /// From the next turn on: read what is there to its end, unfinished lines too, and finish, at
    /// the latest at `by_ms`.
    pub fn end(&mut self, by_ms: u64) {
        self.ending = true;
        self.end_by_ms = by_ms;
        self.hint_all();
    }

    /// One turn: at most about `budget` bytes are read, and all calls are bounded.
    pub fn turn(
        &mut self,
        fs: &mut dyn Fs,
        sink: &mut dyn Sink,
        now_ms: u64,
        budget: usize,
    ) -> Wake {
        if !UNPACKS {
            return self.turn_unpacked(fs, sink, now_ms, budget);
        }
        let mut readers = std::mem::take(&mut self.readers);
        let mut unpacked = Unpacked { fs, readers: &mut readers };
        let wake = self.turn_unpacked(&mut unpacked, sink, now_ms, budget);
        self.readers = readers;
        wake
    }

    fn turn_unpacked(
        &mut self,
        fs: &mut dyn Fs,
        sink: &mut dyn Sink,
        now_ms: u64,
        budget: usize,
    ) -> Wake {
        if !self.loaded {
            self.loaded = true;
            self.start_by_ms = now_ms + START_MS;
            self.start(fs, now_ms);
        }
        let settled = self.look(fs, now_ms);
        if !self.started {
            if settled != Look::Settled && now_ms < self.start_by_ms && !self.no_room {
                let wait_ms = if settled == Look::More { 0 } else { self.look_again_ms };
                let at_ms = now_ms + wait_ms;
                return Wake { at_ms, sink_blocked: false, outcome: Outcome::Following };
            }
            // What is there now is ours from here on, even if the process dies before it wrote.
            self.started = true;
            self.changed = true;
            self.write_checkpoint(fs, now_ms);
        }
        let pass = match now_ms < self.sink_retry_ms && !self.ending {
            true => Pass::Failed,
            false => self.read(fs, sink, now_ms, budget),
        };
        if pass == Pass::Failed && now_ms >= self.sink_retry_ms {
            self.sink_retry_ms = now_ms + RETRY_MS;
        }
        self.retire(fs, now_ms);
        self.measure_lag(fs, pass, now_ms);
        let outcome = self.outcome(pass, settled, now_ms);
        let due = self.bytes_since_checkpoint >= self.options.checkpoint_bytes
            || now_ms >= self.checkpoint_at_ms + self.options.checkpoint_interval_ms;
        if outcome != Outcome::Following || self.changed && due {
            self.write_checkpoint(fs, now_ms);
        }
        self.reclaim(fs, now_ms);
        self.check_invariants();
        let sink_blocked = pass == Pass::Blocked;
        Wake { at_ms: self.next_turn(pass, settled, now_ms), sink_blocked, outcome }
    }

    fn outcome(&mut self, pass: Pass, settled: Look, now_ms: u64) -> Outcome {
        if pass == Pass::Closed {
            return Outcome::SinkClosed;
        }
        if !self.ending {
            return Outcome::Following;
        }
        let all_seen = settled == Look::Settled && self.finder.around_done;
        self.finder.around_done &= pass == Pass::Ends;
        self.finder.reads_on = matches!(pass, Pass::More | Pass::Blocked | Pass::Failed);
        if pass == Pass::Ends && all_seen && self.outgoing.is_settled() {
            for at in 0..self.streams.len() {
                // Unfinished lines were written out: going on behind them doubles nothing.
                for one in &mut self.streams[at].generations {
                    one.resume = one.written;
                    one.settled = one.written;
                }
                self.note_changed(at);
            }
            let unread =
                |stream: &Stream| stream.fault.is_some() || stream.named && stream.live.is_none();
            return Outcome::Finished { incomplete: self.streams.iter().any(unread) };
        }
        if now_ms >= self.end_by_ms { Outcome::TimedOut } else { Outcome::Following }
    }

    fn next_turn(&self, pass: Pass, settled: Look, now_ms: u64) -> u64 {
        let mut at_ms = self.finder.next_look_ms();
        match settled {
            Look::Settled => {}
            Look::More => at_ms = now_ms,
            Look::Again => at_ms = at_ms.min(now_ms + self.look_again_ms),
        }
        match pass {
            Pass::More => at_ms = now_ms,
            Pass::Failed => at_ms = at_ms.min(self.sink_retry_ms),
            Pass::Waits => {
                let dirty = self.dirty.iter().map(|at| &self.streams[*at]);
                let holds = dirty.flat_map(|stream| &stream.generations);
                let at = holds.filter_map(|one| match (one.suspect_since_ms, one.partial) {
                    (Some(since_ms), _) => {
                        // Later it is a look for copies that is to be repeated.
                        let due_ms = since_ms + crate::cut::SUSPECT_MS;
                        Some(if due_ms > now_ms { due_ms } else { now_ms + LOOK_AGAIN_MS })
                    }
                    (None, Some((since_ms, _))) => Some(since_ms + self.options.partial_line_ms),
                    (None, None) => None,
                });
                let line = self.line_due_ms(now_ms);
                at_ms = at.chain(line).fold(at_ms, u64::min);
            }
            Pass::Blocked | Pass::Closed | Pass::Ends => {}
        }
        if self.changed {
            at_ms = at_ms.min(self.checkpoint_at_ms + self.options.checkpoint_interval_ms);
        }
        if self.ending {
            // Until the sink takes more, or says what is safe, which brings a turn, nothing happens.
            let is_read = pass == Pass::Ends && settled == Look::Settled && self.finder.around_done;
            at_ms = at_ms.min(match is_read || pass == Pass::Blocked {
                true => self.end_by_ms,
                false => now_ms + LOOK_AGAIN_MS,
            });
        }
        at_ms.max(now_ms)
    }

    /// What must hold between turns; in a build for production nobody asks all streams.
    fn check_invariants(&self) {
        if !cfg!(debug_assertions) {
            return;
        }
        let generations = self.streams.iter().flat_map(|stream| &stream.generations);
        debug_assert!(generations.clone().count() == self.open_files, "open files are counted");
        let dirty = || self.streams.iter().filter(|stream| stream.dirty).count();
        debug_assert!(dirty() == self.dirty.len(), "what is dirty is in line to be read");
        let unsaved = || self.streams.iter().filter(|stream| stream.unsaved).count();
        debug_assert!(unsaved() == self.unsaved.len(), "what is to be saved is known");
        self.check_index();
        for one in generations {
            debug_assert!(one.settled.frontier <= one.resume.frontier, "settled is behind");
            debug_assert!(one.resume.frontier <= one.written.frontier, "resume is behind");
            debug_assert!(one.settled.id == one.written.id, "one generation, one file");
        }
        if let Some(pending) = self.outgoing.pending {
            debug_assert!(pending.from < pending.to, "pending bytes are some");
            debug_assert!(pending.to <= self.buf.len(), "pending bytes are in the buffer");
        }
    }
}
