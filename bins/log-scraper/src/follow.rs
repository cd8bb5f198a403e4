//! The main loop: turns of the engine, and between them a wait for whatever comes first.
//!
//! Owns the pace. It reacts to events with a turn, never to each of them: a writer of many lines
//! costs a bounded number of turns a second.

use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use log::{error, info, warn};
use rustix::event::{PollFd, PollFlags, Timespec};
use sidecar::logging::Throttle;
use sidecar::signals::Signals;
use sidecar::{cli, exit};
use signal_hook::consts::{SIGINT, SIGTERM};
use sys::inotify::{Event, Inotify};
use tail::engine::{Engine, Outcome, Wake};

use crate::admin::{self, State};
use crate::checkpoint_file::{CheckpointFile, Refusal};
use crate::ending::Ending;
use crate::flags::{Arguments, millis};
use crate::os_fs::{OsFs, fault};
use crate::output::Output;
use crate::pace::Pace;
use crate::voice::Voice;

/// Bytes per turn: a few milliseconds of work, after which signals are looked at.
const BUDGET_BYTES: usize = 4 << 20;
/// How often everything is looked at where the system tells of nothing.
const BLIND_POLL_MS: u64 = 250;
/// How often the admin endpoint is told, where turns come more often.
const PUBLISH_MS: u64 = 100;

/// Follows until a signal, the end of the files or a failure. Returns the exit code.
///
/// # Errors
/// When the program cannot start: stdout, a signal or the admin address is refused.
pub(crate) fn run(arguments: &Arguments) -> io::Result<u8> {
    let output = Output::new(arguments)?;
    let least_us = output.patience_us(arguments);
    let claim = |path| CheckpointFile::claim(path, arguments.sync());
    let checkpoint = match arguments.checkpoint_file.as_deref().map(claim).transpose() {
        Ok(checkpoint) => checkpoint,
        Err(refusal) => {
            error!("{refusal}");
            return Ok(match refusal {
                Refusal::Foreign(_) => exit::CONFIG,
                Refusal::Taken(_) => exit::RUNTIME,
            });
        }
    };
    let fs = OsFs::new(checkpoint, arguments.roots());
    for path in &arguments.paths {
        if let Some(name) = fs.own_file(path) {
            let path = path.display();
            cli::refuse::<Arguments>(&format!(
                "{path} is this program's own {name}: follow another file, or write elsewhere"
            ));
            return Ok(exit::USAGE);
        }
    }
    let state = Arc::new(Mutex::new(State::default()));
    let signals = Signals::register(&[SIGTERM, SIGINT])?;
    if let Some(address) = &arguments.admin_listen {
        let listener = address.bind().map_err(|error| {
            io::Error::new(error.kind(), format!("cannot listen on {address}: {error}"))
        })?;
        let state = Arc::clone(&state);
        sidecar::admin::serve(listener, move |asked| admin::reply(&state, asked))?;
    }
    // Rotated files are held open. Not being allowed more is no reason not to start.
    let _ = sys::limits::raise_open_files();
    let inotify = match Inotify::new() {
        Ok(inotify) => Some(inotify),
        Err(error) => {
            warn!("no change events: {}; looking every {BLIND_POLL_MS} ms", fault(error));
            None
        }
    };
    arguments.say_folders();
    let mut engine = Engine::new(arguments.options());
    if inotify.is_none() {
        engine.poll_at_least_every(BLIND_POLL_MS);
    }
    Follower {
        start: Instant::now(),
        engine,
        fs,
        output,
        signals,
        inotify,
        is_first: true,
        watched_ms: None,
        watch_count: 0,
        unwatched: false,
        blind: Throttle::per_minute(),
        voice: Voice::default(),
        state,
        published_ms: None,
        shutdown_ms: millis(arguments.shutdown_timeout),
        ending: Ending::new(millis(arguments.shutdown_grace_period)),
        end_file: arguments.exit_on_file.clone(),
        pace: Pace::new(least_us),
    }
    .follow()
}

struct Follower {
    start: Instant,
    engine: Engine,
    fs: OsFs,
    output: Output,
    signals: Signals,
    inotify: Option<Inotify>,
    /// No turn was waited for yet: which folders are to be watched is known behind the first one.
    is_first: bool,
    /// When the watches were last brought up to date, and how many there were.
    watched_ms: Option<u64>,
    watch_count: u64,
    /// There may be other folders to watch than there were.
    unwatched: bool,
    blind: Throttle,
    voice: Voice,
    state: Arc<Mutex<State>>,
    published_ms: Option<u64>,
    shutdown_ms: u64,
    ending: Ending,
    /// What it waits for to end.
    end_file: Option<PathBuf>,
    pace: Pace,
}

/// What a wait came to.
#[derive(Clone, Copy, Debug, Default)]
struct Ready {
    changed: bool,
    signalled: bool,
    /// Nobody reads stdout any more.
    unread: bool,
}

impl Follower {
    fn now_ms(&self) -> u64 {
        millis(self.start.elapsed())
    }

    fn now_us(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    fn follow(&mut self) -> io::Result<u8> {
        loop {
            let now_ms = self.now_ms();
            self.watch(now_ms);
            let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            self.engine.tell_time(millis(unix));
            self.pace.turned(self.now_us(), self.engine.stats().lines);
            self.output.listen(now_ms);
            let wake = self.engine.turn(&mut self.fs, &mut self.output, now_ms, BUDGET_BYTES);
            if self.output.take_unsaved() {
                self.engine.save(&mut self.fs, now_ms);
            }
            self.output.act(self.now_ms());
            self.ending.turned(now_ms, self.engine.stats().bytes);
            self.tell();
            if let Some(code) = self.exit_code(wake.outcome) {
                return Ok(code);
            }
            let ready = self.wait(wake)?;
            if ready.unread {
                // Nothing can be written any more; what was written is remembered.
                let now_ms = self.now_ms();
                self.engine.save(&mut self.fs, now_ms);
                self.tell();
                return Ok(self.exit_code(Outcome::SinkClosed).unwrap_or(exit::RUNTIME));
            }
            self.end_if_due(ready.signalled);
        }
    }

    fn tell(&mut self) {
        let now = Instant::now();
        for notice in self.engine.take_notices() {
            self.voice.say(&notice, now);
        }
        let now_ms = self.now_ms();
        let is_due = self.published_ms.is_none_or(|at_ms| now_ms >= at_ms + PUBLISH_MS);
        if is_due || self.ending.is_ending() {
            self.published_ms = Some(now_ms);
            self.publish(now);
        }
    }

    fn end_if_due(&mut self, signalled: bool) {
        let now_ms = self.now_ms();
        if signalled && self.signals.pending().count() > 0 && self.ending.told(now_ms) {
            info!("told to end: going on until the files were quiet for a second");
        }
        if let Some(path) = self.end_file.take_if(|path| path.exists()) {
            info!("{} is there", path.display());
            self.ending.force();
        }
        if self.ending.begins(now_ms) {
            info!("ending: reading what is left");
            self.engine.end(now_ms.saturating_add(self.shutdown_ms));
            self.output.end();
        }
    }

    fn exit_code(&self, outcome: Outcome) -> Option<u8> {
        let unread = self.engine.stats().lag_bytes;
        match outcome {
            Outcome::Following => None,
            Outcome::Finished { incomplete } if incomplete && !self.ending.is_ending() => {
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

    /// When the watches are to be brought up to date: soon if others are wanted, and once per poll
    /// interval, for directories are replaced. Each takes a call: of very many, less often.
    fn watch_at_ms(&self) -> u64 {
        let Some(at_ms) = self.watched_ms else { return 0 };
        let poll_ms = self.engine.poll_ms();
        at_ms
            + match self.unwatched {
                true => poll_ms.min(self.watch_count),
                false => poll_ms.max(self.watch_count),
            }
    }

    /// Brings the watches up to date if that is due.
    fn watch(&mut self, now_ms: u64) {
        self.unwatched |= self.fs.take_links_changed();
        self.unwatched |= self.engine.take_dirs_changed();
        if now_ms < self.watch_at_ms() {
            return;
        }
        self.unwatched = false;
        if self.engine.dirs().is_empty() {
            return;
        }
        let mut dirs = self.engine.dirs().clone();
        dirs.extend(self.fs.link_folders());
        let end_file = self.end_file.as_deref().and_then(Path::parent);
        dirs.extend(end_file.filter(|dir| !dir.as_os_str().is_empty()).map(Path::to_owned));
        self.watch_count = dirs.len() as u64;
        let Some(inotify) = &mut self.inotify else { return };
        let watched = inotify.watch(&dirs);
        self.engine.hear_writes(watched.is_ok());
        let fresh = match watched {
            Ok(fresh) => fresh,
            // It is waited for, like the files in it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => true,
            Err(error) => {
                if self.blind.allow(Instant::now()).is_some() {
                    let fault = fault(error);
                    warn!("a folder cannot be watched: {fault}; looking every {BLIND_POLL_MS} ms");
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
            state.ending = self.ending.is_ending();
            state.fault = self.engine.fault();
            #[cfg(feature = "stores")]
            {
                state.store = self.output.store_stats();
            }
        }
    }

    /// Waits for what comes first: a change, a signal, room in stdout, or the time.
    fn wait(&mut self, wake: Wake) -> io::Result<Ready> {
        let at_ms = wake.at_ms.min(self.output.at_ms());
        let at_ms = self.ending.at_ms().map_or(at_ms, |ending_ms| ending_ms.min(at_ms));
        let first_turn = std::mem::take(&mut self.is_first) && self.inotify.is_some();
        let at_ms = if self.unwatched { at_ms.min(self.watch_at_ms()) } else { at_ms };
        let timeout_ms = if first_turn { 0 } else { at_ms.saturating_sub(self.now_ms()) };
        let is_followed = !wake.sink_blocked && !self.ending.is_ending();
        if self.pace.is_thick() && timeout_ms > 0 && is_followed {
            // The next change is there before its turn: one wait, where two would wake it twice.
            let pace_us = self.pace.wait_us(self.now_us()).min(timeout_ms * 1000);
            self.poll(Duration::from_micros(pace_us), false, false)?;
        }
        let timeout_ms = timeout_ms.min(at_ms.saturating_sub(self.now_ms()));
        let timeout = Duration::from_millis(timeout_ms);
        let mut ready = self.poll(timeout, true, wake.sink_blocked)?;
        if ready.changed {
            // Work that is due anyway does not wait for company.
            let pace_us = self.pace.wait_us(self.now_us());
            if pace_us > 0 && timeout_ms > 0 && !self.ending.is_ending() {
                let later = self.poll(Duration::from_micros(pace_us), false, false)?;
                ready = Ready { changed: true, ..later };
            }
            self.take_changes();
        }
        Ok(ready)
    }

    fn take_changes(&mut self) {
        let Some(inotify) = &mut self.inotify else { return };
        let (engine, fs, unwatched) = (&mut self.engine, &self.fs, &mut self.unwatched);
        let drained = inotify.drain(|event| match event {
            Event::Data(path) => {
                fs.followed(&path).into_iter().for_each(|followed| engine.hint_data(followed));
                engine.hint_data(&path);
            }
            Event::Name(path) => {
                fs.followed(&path).into_iter().for_each(|followed| engine.hint_name(followed));
                engine.hint_name(&path);
            }
            Event::Names => {
                // A watched folder may have another one in its place.
                *unwatched = true;
                engine.hint_names();
            }
            Event::Overflow => engine.hints_lost(),
        });
        if drained.is_err() {
            engine.hints_lost();
        }
    }

    /// Waits for a signal, for the end of stdout, and, if asked for, for changes and for room.
    fn poll(&self, timeout: Duration, changes: bool, room: bool) -> io::Result<Ready> {
        let timeout = Timespec {
            tv_sec: i64::try_from(timeout.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(timeout.subsec_nanos()),
        };
        let watched = |fd, asked, flags| {
            PollFd::from_borrowed_fd(fd, if asked { flags } else { PollFlags::empty() })
        };
        let signals = self.signals.as_fd();
        // Whatever there is not is never ready.
        let none = (signals, PollFlags::empty());
        let (room_fd, room_flags) = self.output.room(room).unwrap_or(none);
        let inotify = self.inotify.as_ref().map_or(signals, AsFd::as_fd);
        let mut fds = [
            watched(signals, true, PollFlags::IN),
            // Asked for nothing, it still tells that nobody reads any more.
            watched(self.output.reader().unwrap_or(signals), false, PollFlags::empty()),
            watched(room_fd, true, room_flags),
            watched(inotify, changes && self.inotify.is_some(), PollFlags::IN),
            watched(self.output.answered().unwrap_or(signals), true, PollFlags::IN),
        ];
        match rustix::event::poll(&mut fds, Some(&timeout)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
        let [signals, reader, _, inotify, _] = fds.map(|fd| fd.revents());
        Ok(Ready {
            changed: inotify.contains(PollFlags::IN),
            signalled: !signals.is_empty(),
            unread: reader.intersects(PollFlags::ERR | PollFlags::HUP | PollFlags::NVAL),
        })
    }
}
