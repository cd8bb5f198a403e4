//! Access lines on their way out: handed over by workers, written by one thread of its own.
//!
//! A worker never waits for a log: what the destination does not take in time is dropped and
//! counted. Lines are gathered for some milliseconds, so that a write carries many of them.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use sidecar::logging::Throttle;

use crate::metrics::{self, ProcessCounters};
use proxy_core::config::model::LogFile;

/// What may wait for one destination: some seconds of lines at a busy pod's rate.
const PENDING_BYTES_MAX: usize = 4 << 20;
/// How long lines are gathered.
const GATHER: Duration = Duration::from_millis(10);

#[derive(Default)]
struct Pending {
    /// By destination; never shrinks, so that an index stays good over reloads.
    buffers: Vec<(LogFile, Vec<u8>)>,
    waiting: bool,
    closing: bool,
    reopen: bool,
}

impl Pending {
    fn is_empty(&self) -> bool {
        self.buffers.iter().all(|(_, buffer)| buffer.is_empty())
    }
}

/// The hand-over.
pub struct LogSink {
    pending: Mutex<Pending>,
    changed: Condvar,
    counters: Arc<ProcessCounters>,
    stalled: AtomicBool,
}

impl LogSink {
    /// Starts the writing thread.
    pub fn start(counters: Arc<ProcessCounters>) -> io::Result<(Arc<LogSink>, JoinHandle<()>)> {
        let sink = Arc::new(LogSink {
            pending: Mutex::default(),
            changed: Condvar::new(),
            counters,
            stalled: AtomicBool::new(false),
        });
        let writer = Arc::clone(&sink);
        let thread =
            std::thread::Builder::new().name("access-log".into()).spawn(move || writer.run())?;
        Ok((sink, thread))
    }

    fn lock(&self) -> MutexGuard<'_, Pending> {
        // A panic in another holder leaves whole lines behind: the buffers stay good.
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands lines over. `lines` is emptied.
    pub fn append(&self, file: &LogFile, lines: &mut Vec<u8>) {
        let mut pending = self.lock();
        let index = match pending.buffers.iter().position(|(known, _)| known == file) {
            Some(index) => index,
            None => {
                pending.buffers.push((file.clone(), Vec::new()));
                pending.buffers.len() - 1
            }
        };
        let buffer = &mut pending.buffers[index].1;
        if buffer.len() + lines.len() > PENDING_BYTES_MAX {
            let dropped = lines.iter().filter(|&&b| b == b'\n').count();
            metrics::add(&self.counters.log_dropped, dropped as u64);
            self.stalled.store(true, Ordering::Relaxed);
        } else {
            buffer.extend_from_slice(lines);
        }
        lines.clear();
        if pending.waiting {
            drop(pending);
            self.changed.notify_one();
        }
    }

    /// Files are opened again (USR1), after a rotation by name.
    pub fn reopen(&self) {
        self.lock().reopen = true;
        self.changed.notify_one();
    }

    /// Everything handed over so far is written, then the thread ends.
    pub fn close(&self) {
        self.lock().closing = true;
        self.changed.notify_one();
    }

    fn run(&self) {
        let mut outputs: Vec<Output> = Vec::new();
        let mut batch: Vec<(LogFile, Vec<u8>)> = Vec::new();
        loop {
            let (closing, reopen) = self.gather(&mut batch);
            if reopen {
                outputs.retain(|output| !matches!(output.to, LogFile::Path(_)));
            }
            for (to, lines) in &mut batch {
                if lines.is_empty() {
                    continue;
                }
                let index = match outputs.iter().position(|output| output.to == *to) {
                    Some(index) => index,
                    None => {
                        outputs.push(Output::new(to.clone()));
                        outputs.len() - 1
                    }
                };
                outputs[index].write(lines);
                lines.clear();
                // After a burst the memory goes back.
                lines.shrink_to(64 << 10);
            }
            if self.stalled.swap(false, Ordering::Relaxed) {
                log::warn!("access log lines were dropped: their destination is too slow");
            }
            if closing {
                return;
            }
            std::thread::sleep(GATHER);
        }
    }

    /// Waits until there are lines (or something to do) and swaps them for the emptied buffers.
    fn gather(&self, batch: &mut Vec<(LogFile, Vec<u8>)>) -> (bool, bool) {
        let mut pending = self.lock();
        while pending.is_empty() && !pending.closing && !pending.reopen {
            pending.waiting = true;
            pending = self.changed.wait(pending).unwrap_or_else(PoisonError::into_inner);
        }
        pending.waiting = false;
        for (index, (file, lines)) in pending.buffers.iter_mut().enumerate() {
            if batch.len() <= index {
                batch.push((file.clone(), Vec::new()));
            }
            std::mem::swap(lines, &mut batch[index].1);
        }
        (pending.closing, std::mem::take(&mut pending.reopen))
    }
}

struct Output {
    to: LogFile,
    file: Option<File>,
    throttle: Throttle,
}

impl Output {
    fn new(to: LogFile) -> Output {
        Output { to, file: None, throttle: Throttle::default() }
    }

    fn write(&mut self, lines: &[u8]) {
        let result = match &self.to {
            LogFile::Stdout => io::stdout().lock().write_all(lines).and_then(|()| flush_stdout()),
            LogFile::Stderr => io::stderr().lock().write_all(lines),
            LogFile::Path(path) => {
                if self.file.is_none() {
                    match OpenOptions::new().create(true).append(true).open(path) {
                        Ok(file) => self.file = Some(file),
                        Err(error) => return self.complain(&error),
                    }
                }
                self.file.as_mut().map_or(Ok(()), |file| file.write_all(lines))
            }
        };
        if let Err(error) = result {
            self.complain(&error);
        }
    }

    fn complain(&mut self, error: &io::Error) {
        if self.throttle.allow(Instant::now()).is_some() {
            log::error!("cannot write the access log {:?}: {error}", self.to);
        }
    }
}

/// std buffers stdout by line: what it still holds goes out now.
fn flush_stdout() -> io::Result<()> {
    io::stdout().flush()
}
