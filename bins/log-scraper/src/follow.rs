//! The main loop: turns of the engine, and between them a wait for whatever comes first.
//!
//! Owns the pace. It reacts to events with a turn, never to each of them: a writer of many lines
//! costs a bounded number of turns a second.

use std::io;
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use log::{info, warn};
use rustix::event::{PollFd, PollFlags, Timespec};
use sidecar::exit;
use sidecar::logging::Throttle;
use sidecar::signals::Signals;
use signal_hook::consts::{SIGINT, SIGTERM};
use sys::inotify::{Event, Inotify};
use tail::engine::{Engine, Outcome, Wake};

use crate::admin::{self, State};
use crate::flags::{Arguments, millis};
use crate::os_fs::OsFs;
use crate::stdout::Stdout;
use crate::voice::Voice;

/// Bytes per turn: a few milliseconds of work, after which signals are looked at.
const BUDGET_BYTES: usize = 4 << 20;
/// Least time between two turns that events ask for.
const PACE_MS: u64 = 5;
/// How often everything is looked at where the system tells of nothing.
const BLIND_POLL_MS: u64 = 250;

/// Follows until a signal, the end of the files or a failure. Returns the exit code.
///
/// # Errors
/// When the program cannot start: a signal or the admin address is refused.
pub(crate) fn run(arguments: &Arguments) -> io::Result<u8> {
    let state = Arc::new(Mutex::new(State::default()));
    let signals = Signals::register(&[SIGTERM, SIGINT])?;
    if let Some(address) = &arguments.admin_listen {
        let listener = address.bind().map_err(|error| {
            io::Error::new(error.kind(), format!("cannot listen on {address}: {error}"))
        })?;
        let state = Arc::clone(&state);
        sidecar::admin::serve(listener, move |path| admin::answer(&state, path, Instant::now()))?;
    }
    // Rotated files are held open. Not being allowed more is no reason not to start.
    let _ = sys::limits::raise_open_files();
    let inotify = match Inotify::new() {
        Ok(inotify) => Some(inotify),
        Err(error) => {
            warn!("no change events: {error}; looking every {BLIND_POLL_MS} ms");
            None
        }
    };
    let mut engine = Engine::new(arguments.options());
    if inotify.is_none() {
        engine.poll_at_least_every(BLIND_POLL_MS);
    }
    let mut follower = Follower {
        start: Instant::now(),
        engine,
        fs: OsFs::new(arguments.checkpoint_file.clone()),
        sink: Stdout::new(),
        signals,
        inotify,
        watched_ms: None,
        blind: Throttle::per_minute(),
        voice: Voice::default(),
        state,
        shutdown_ms: millis(arguments.shutdown_timeout),
        ending: false,
    };
    follower.follow()
}

struct Follower {
    start: Instant,
    engine: Engine,
    fs: OsFs,
    sink: Stdout,
    signals: Signals,
    inotify: Option<Inotify>,
    /// When the watches were last brought up to date.
    watched_ms: Option<u64>,
    blind: Throttle,
    voice: Voice,
    state: Arc<Mutex<State>>,
    shutdown_ms: u64,
    ending: bool,
}

impl Follower {
    fn now_ms(&self) -> u64 {
        millis(self.start.elapsed())
    }

    fn follow(&mut self) -> io::Result<u8> {
        loop {
            let now_ms = self.now_ms();
            self.watch(now_ms);
            let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            self.engine.tell_time(millis(unix));
            let wake = self.engine.turn(&mut self.fs, &mut self.sink, now_ms, BUDGET_BYTES);
            let now = Instant::now();
            for notice in self.engine.take_notices() {
                self.voice.say(&notice, now);
            }
            self.publish(now);
            if let Some(code) = self.exit_code(wake.outcome) {
                return Ok(code);
            }
            self.wait(wake, now_ms)?;
        }
    }

    fn exit_code(&self, outcome: Outcome) -> Option<u8> {
        let unread = self.engine.stats().lag_bytes;
        match outcome {
            Outcome::Following => None,
            Outcome::Finished { incomplete } if incomplete && !self.ending => {
                warn!("not every file could be read");
                Some(exit::RUNTIME)
            }
            Outcome::Finished { .. } => Some(exit::OK),
            Outcome::SinkClosed => {
                warn!("stdout is closed, {unread} bytes are left in the files");
                Some(exit::RUNTIME)
            }
            Outcome::TimedOut => {
                warn!("the time to shut down is over, {unread} bytes are left in the files");
                Some(exit::RUNTIME)
            }
        }
    }

    /// Brings the watches up to date, once per poll interval: directories come and are replaced.
    fn watch(&mut self, now_ms: u64) {
        let dirs = self.engine.dirs();
        let due = self.watched_ms.is_none_or(|at_ms| now_ms >= at_ms + self.engine.poll_ms());
        if !due || dirs.is_empty() {
            return;
        }
        let Some(inotify) = &mut self.inotify else { return };
        let fresh = match inotify.watch(dirs) {
            Ok(fresh) => fresh,
            // It is waited for, like the files in it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => true,
            Err(error) => {
                if self.blind.allow(Instant::now()).is_some() {
                    warn!("a folder cannot be watched: {error}; looking every {BLIND_POLL_MS} ms");
                }
                self.engine.poll_at_least_every(BLIND_POLL_MS);
                true
            }
        };
        self.watched_ms = Some(now_ms);
        if fresh {
            self.engine.hint_all();
        }
    }

    fn publish(&self, now: Instant) {
        if let Ok(mut state) = self.state.lock() {
            state.stats = self.engine.stats();
            state.turned = Some(now);
            state.ending = self.ending;
            state.fault = self.engine.fault();
        }
    }

    /// Waits for what comes first: a change, a signal, room in stdout, or the time.
    fn wait(&mut self, wake: Wake, turned_ms: u64) -> io::Result<()> {
        let now_ms = self.now_ms();
        let first_turn = self.watched_ms.is_none() && self.inotify.is_some();
        let timeout_ms = if first_turn { 0 } else { wake.at_ms.saturating_sub(now_ms) };
        let (changed, _) = self.poll(timeout_ms, true, wake.sink_blocked)?;
        if changed {
            // Changes come in crowds: what arrives within the pace is one turn. Work that is due
            // anyway does not wait for them.
            let pace_ms = (turned_ms + PACE_MS).saturating_sub(self.now_ms());
            if pace_ms > 0 && timeout_ms > 0 && !self.ending {
                self.poll(pace_ms, false, false)?;
            }
            self.take_changes();
        }
        let ends = self.signals.pending().count() > 0;
        if ends && !self.ending {
            self.ending = true;
            info!("ending: reading what is left");
            let by_ms = self.now_ms().saturating_add(self.shutdown_ms);
            self.engine.end(by_ms);
        }
        Ok(())
    }

    fn take_changes(&mut self) {
        let Some(inotify) = &mut self.inotify else { return };
        let engine = &mut self.engine;
        let drained = inotify.drain(|event| match event {
            Event::Data(path) => engine.hint_data(&path),
            Event::Names => engine.hint_names(),
            Event::Overflow => engine.hint_all(),
        });
        if drained.is_err() {
            engine.hint_all();
        }
    }

    /// Returns whether changes and whether room in stdout were seen.
    fn poll(&self, timeout_ms: u64, changes: bool, room: bool) -> io::Result<(bool, bool)> {
        let timeout = Timespec {
            tv_sec: i64::try_from(timeout_ms / 1000).unwrap_or(i64::MAX),
            tv_nsec: i64::try_from(timeout_ms % 1000 * 1_000_000).unwrap_or(0),
        };
        let signals = self.signals.as_fd();
        let changes = if changes { self.inotify.as_ref().map(AsFd::as_fd) } else { None };
        let mut fds = vec![PollFd::from_borrowed_fd(signals, PollFlags::IN)];
        let stdout = room.then(|| self.sink.as_fd());
        fds.extend(stdout.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::OUT)));
        fds.extend(changes.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)));
        match rustix::event::poll(&mut fds, Some(&timeout)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
        let ready = |at: usize| fds.get(at).is_some_and(|fd| !fd.revents().is_empty());
        let changed_at = if room { 2 } else { 1 };
        Ok((changes.is_some() && ready(changed_at), room && ready(1)))
    }
}
