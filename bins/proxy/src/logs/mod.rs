//! Access lines and the program's own lines on their way out: handed over by any thread, written
//! by one thread of its own.
//!
//! Nobody waits for a log. Each destination has a bounded queue; what does not fit is dropped,
//! counted, and said once when the destination takes lines again. Access lines are gathered for
//! some milliseconds, so that a write carries many of them.
//!
//! ```text
//! workers ── append ──┐                                   ┌─► stdout
//!                     ├─► queue per destination ─► writer ┼─► stderr
//! log::error!, … ─────┘        (here)          (writer.rs)└─► files
//! ```

mod made;
mod syslog;
mod writer;

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock, TryLockError};
use std::time::{Duration, Instant, SystemTime};

use proxy_core::config::model::{
    Config, ErrorLevel, ErrorLog, ErrorLogs, LogFile, MadeFile, Notice,
};
use sidecar::logging;

use crate::metrics::{self, ProcessCounters};

/// Target of `log::error!` for what nginx tells at its levels `emerg`, `alert` and `crit`.
pub const EMERG: &str = "emerg";
/// See [`EMERG`].
pub const ALERT: &str = "alert";
/// See [`EMERG`].
pub const CRIT: &str = "crit";
/// Target of `log::info!` for what nginx tells at its level `notice`: see [`notice!`].
pub const NOTICE: &str = "notice";

/// Says a step in the life of the program, at nginx's level `notice`.
macro_rules! notice {
    ($($text:tt)*) => { log::info!(target: $crate::logs::NOTICE, $($text)*) };
}
pub(crate) use notice;

/// What may wait for one destination, and again as much may be in the writer's hands: a second of
/// lines at a busy pod's rate.
const QUEUED_BYTES_MAX: usize = 2 << 20;
/// Level where no `error_log` is written. nginx has `error`; a pod's log is read by who wants to
/// know what a client was refused for.
const DEFAULT_LEVEL: ErrorLevel = ErrorLevel::Info;
/// How long a panic waits for the queues while another thread hands lines over.
const PANIC_PATIENCE: Duration = Duration::from_millis(100);
/// How long the end of the process waits for destinations: on a busy machine the thread that writes
/// may not have had its turn for a while.
pub const FLUSH_MAX: Duration = Duration::from_secs(2);

/// What a queue's lines are, by which they are counted when they are dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// nginx: `access_log`.
    Access,
    /// nginx: `error_log`.
    Error,
}

/// Lines for one destination.
struct Queue {
    file: LogFile,
    kind: Kind,
    /// The configuration in force names it.
    is_wanted: bool,
    lines: Vec<u8>,
    /// Lines that found no room since the last time this was said.
    dropped: u64,
}

#[derive(Default)]
struct Pending {
    /// Never shrinks, so that an index stays good over reloads.
    queues: Vec<Queue>,
    /// The writer waits to be woken.
    is_waiting: bool,
    /// The writer has taken lines that are not written yet.
    is_writing: bool,
    /// Files are to be opened anew.
    reopen: bool,
}

impl Pending {
    fn queue(&mut self, kind: Kind, file: &LogFile) -> &mut Queue {
        let is_it = |queue: &Queue| queue.kind == kind && queue.file == *file;
        let index = self.queues.iter().position(is_it).unwrap_or_else(|| {
            let file = file.clone();
            let lines = Vec::new();
            self.queues.push(Queue { file, kind, is_wanted: false, lines, dropped: 0 });
            self.queues.len() - 1
        });
        &mut self.queues[index]
    }

    fn is_empty(&self) -> bool {
        self.queues.iter().all(|queue| queue.lines.is_empty())
    }
}

/// Where the program's own lines go now.
#[derive(Default)]
struct Routes {
    logs: ErrorLogs,
    /// `-e`: the main level's where the configuration has none.
    fallback: Option<LogFile>,
    /// Until the process serves, what goes wrong is told on standard error too, as by nginx.
    is_starting: bool,
}

impl Routes {
    /// Destinations of a line.
    fn of(&self, level: ErrorLevel) -> Vec<LogFile> {
        let unsaid = ErrorLog {
            file: self.fallback.clone().unwrap_or(LogFile::Stderr),
            level: DEFAULT_LEVEL,
        };
        let main = &self.logs.main;
        let logs = if main.is_empty() { std::slice::from_ref(&unsaid) } else { main.as_slice() };
        let takes = |log: &&ErrorLog| level <= log.level;
        let mut files: Vec<LogFile> = logs.iter().filter(takes).map(|l| l.file.clone()).collect();
        if self.is_starting && level <= ErrorLevel::Warn && !files.contains(&LogFile::Stderr) {
            files.push(LogFile::Stderr);
        }
        files
    }

    /// Every destination.
    fn files(&self) -> impl Iterator<Item = &LogFile> {
        let fallback = self.fallback.iter().filter(|_| self.logs.main.is_empty());
        self.logs.main.iter().map(|log| &log.file).chain(&self.logs.inner).chain(fallback)
    }

    /// The level of the destination that tells most.
    fn level_max(&self) -> ErrorLevel {
        self.logs.main.iter().map(|log| log.level).max().unwrap_or(DEFAULT_LEVEL)
    }
}

/// The hand-over.
pub struct LogSink {
    pending: Mutex<Pending>,
    /// The writer has something to do.
    changed: Condvar,
    /// The writer has written all it had.
    written: Condvar,
    routes: RwLock<Routes>,
    counters: Arc<ProcessCounters>,
}

impl LogSink {
    /// Starts the writing thread. Until [`LogSink::configure`] says more, lines of the program go
    /// to `error_log` (`-e`), or else to standard error.
    ///
    /// # Errors
    /// When no thread can be had.
    pub fn start(
        counters: Arc<ProcessCounters>,
        error_log: Option<LogFile>,
    ) -> io::Result<Arc<LogSink>> {
        let sink = Arc::new(LogSink {
            pending: Mutex::default(),
            changed: Condvar::new(),
            written: Condvar::new(),
            routes: RwLock::new(Routes {
                fallback: error_log,
                is_starting: true,
                ..Routes::default()
            }),
            counters,
        });
        let writer = writer::Writer::new(Arc::clone(&sink));
        std::thread::Builder::new().name("log".into()).spawn(move || writer.run())?;
        Ok(sink)
    }

    /// Makes it the program's logger, and has a panic told through it.
    pub fn install(self: &Arc<LogSink>) {
        if log::set_boxed_logger(Box::new(Logger(Arc::clone(self)))).is_ok() {
            self.apply_level_max();
        }
        let sink = Arc::clone(self);
        std::panic::set_hook(Box::new(move |panic| sink.tell_panic(panic, FLUSH_MAX)));
    }

    /// The hand-over's lock may be held by the very thread that panics: it is not waited for.
    fn tell_panic(&self, panic: &dyn fmt::Display, limit: Duration) {
        let end = Instant::now() + PANIC_PATIENCE;
        while matches!(self.pending.try_lock(), Err(TryLockError::WouldBlock)) {
            if Instant::now() >= end {
                return;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        self.tell(ErrorLevel::Alert, &format_args!("internal error: {panic}"));
        self.flush(limit);
    }

    fn lock(&self) -> MutexGuard<'_, Pending> {
        // A panic in another holder leaves whole lines behind: the queues stay good.
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes up the destinations of a configuration: its files are opened, those of an earlier one
    /// closed, and lines go where it says.
    pub fn configure(&self, config: &Config) {
        let mut routes = self.routes.write().unwrap_or_else(PoisonError::into_inner);
        routes.logs = config.error_logs.clone();
        let errors: Vec<LogFile> = routes.files().cloned().collect();
        drop(routes);
        self.apply_level_max();
        let mut pending = self.lock();
        pending.queues.iter_mut().for_each(|queue| queue.is_wanted = false);
        for file in &config.log_files {
            pending.queue(Kind::Access, file).is_wanted = true;
        }
        for file in &errors {
            pending.queue(Kind::Error, file).is_wanted = true;
        }
        pending.reopen = true;
        drop(pending);
        self.changed.notify_one();
    }

    /// The process serves: from now on lines go to their own destinations alone.
    pub fn has_started(&self) {
        self.routes.write().unwrap_or_else(PoisonError::into_inner).is_starting = false;
        self.apply_level_max();
    }

    fn apply_level_max(&self) {
        let routes = self.routes.read().unwrap_or_else(PoisonError::into_inner);
        let level = routes.level_max();
        let starting = if routes.is_starting { ErrorLevel::Warn } else { ErrorLevel::Error };
        log::set_max_level(match level.max(starting) {
            // These are all `error` to the log crate; which of them is seen when the line is routed.
            ErrorLevel::Emerg | ErrorLevel::Alert | ErrorLevel::Crit | ErrorLevel::Error => {
                log::LevelFilter::Error
            }
            ErrorLevel::Warn => log::LevelFilter::Warn,
            // Both are `info` to the log crate; which of the two is seen when the line is routed.
            ErrorLevel::Notice | ErrorLevel::Info => log::LevelFilter::Info,
            ErrorLevel::Debug => log::LevelFilter::Debug,
        });
    }

    /// Hands access lines over. `lines` is emptied.
    pub fn append(&self, file: &LogFile, lines: &mut Vec<u8>) {
        match file {
            // One queue for all of them: requests name them.
            LogFile::Made(made) => {
                let all = LogFile::Made(MadeFile::default());
                self.hand_over(Kind::Access, &all, &made::packed(made, lines));
            }
            _ => self.hand_over(Kind::Access, file, lines),
        }
        lines.clear();
    }

    /// Says a line about a request, where its location has it.
    pub fn tell_notice(&self, notice: &Notice) {
        let Notice { level, text, logs } = notice;
        if logs.is_empty() {
            return self.tell(*level, &format_args!("{text}"));
        }
        let takes = logs.iter().filter(|log| *level <= log.level);
        self.tell_to(takes.map(|log| &log.file), *level, &format_args!("{text}"));
    }

    fn hand_over(&self, kind: Kind, file: &LogFile, lines: &[u8]) {
        let mut pending = self.lock();
        let queue = pending.queue(kind, file);
        if queue.lines.len() + lines.len() > QUEUED_BYTES_MAX {
            let count = count_lines(lines);
            queue.dropped += count;
            self.count_dropped(kind, count);
        } else {
            queue.lines.extend_from_slice(lines);
        }
        if std::mem::take(&mut pending.is_waiting) {
            drop(pending);
            self.changed.notify_one();
        }
    }

    fn count_dropped(&self, kind: Kind, count: u64) {
        let counter = match kind {
            Kind::Access => &self.counters.access_lines_dropped,
            Kind::Error => &self.counters.error_lines_dropped,
        };
        metrics::add(counter, count);
    }

    /// Says a line of the program's own.
    fn tell(&self, level: ErrorLevel, message: &fmt::Arguments<'_>) {
        let files = self.routes.read().unwrap_or_else(PoisonError::into_inner).of(level);
        self.tell_to(files.iter(), level, message);
    }

    fn tell_to<'f>(
        &self,
        files: impl Iterator<Item = &'f LogFile>,
        level: ErrorLevel,
        message: &fmt::Arguments<'_>,
    ) {
        let mut line = Vec::new();
        for file in files {
            if line.is_empty() {
                logging::push_line(&mut line, SystemTime::now(), label(level), message);
            }
            match file {
                // Each line has a severity of its own there.
                LogFile::Syslog(to) => {
                    let mut datagram = Vec::new();
                    syslog::push_head(to, Some(level), SystemTime::now(), &mut datagram);
                    datagram.extend_from_slice(&line);
                    self.hand_over(Kind::Error, file, &datagram);
                }
                _ => self.hand_over(Kind::Error, file, &line),
            }
        }
    }

    /// Files are opened again (USR1), after a rotation by name.
    pub fn reopen(&self) {
        self.lock().reopen = true;
        self.changed.notify_one();
    }

    /// Waits until all that was handed over is written, or `limit` has passed: what a destination
    /// has not taken then is lost.
    pub fn flush(&self, limit: Duration) {
        let end = Instant::now() + limit;
        let mut pending = self.lock();
        while pending.is_writing || !pending.is_empty() {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            let waited = self.written.wait_timeout(pending, left);
            pending = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

fn count_lines(lines: &[u8]) -> u64 {
    lines.iter().filter(|&&b| b == b'\n').count() as u64
}

fn label(level: ErrorLevel) -> &'static str {
    match level {
        ErrorLevel::Emerg => "EMERG",
        ErrorLevel::Alert => "ALERT",
        ErrorLevel::Crit => "CRIT",
        ErrorLevel::Error => "ERROR",
        ErrorLevel::Warn => "WARN",
        ErrorLevel::Notice => "NOTICE",
        ErrorLevel::Info => "INFO",
        ErrorLevel::Debug => "DEBUG",
    }
}

/// The log crate's way into the queues.
struct Logger(Arc<LogSink>);

impl log::Log for Logger {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        metadata.level() <= log::max_level()
    }

    fn log(&self, record: &log::Record<'_>) {
        let level = match record.level() {
            log::Level::Error => match record.target() {
                EMERG => ErrorLevel::Emerg,
                ALERT => ErrorLevel::Alert,
                CRIT => ErrorLevel::Crit,
                _ => ErrorLevel::Error,
            },
            log::Level::Warn => ErrorLevel::Warn,
            log::Level::Info if record.target() == NOTICE => ErrorLevel::Notice,
            log::Level::Info => ErrorLevel::Info,
            log::Level::Debug | log::Level::Trace => ErrorLevel::Debug,
        };
        self.0.tell(level, record.args());
    }

    fn flush(&self) {}
}

/// What `-e FILE` names; nothing said, or an empty name, is standard error.
pub fn error_log_named(path: Option<&Path>, folder: &Path) -> Option<LogFile> {
    let path = path.filter(|path| !path.as_os_str().is_empty())?;
    Some(LogFile::named(&path.to_string_lossy(), folder))
}

#[cfg(test)]
mod tests;
