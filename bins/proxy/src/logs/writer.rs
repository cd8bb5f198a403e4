//! The thread that writes lines: one output per queue, none of which holds up another.
//!
//! Standard output and error are shared with whoever started the program, so they are not made
//! non-blocking: that is a property of the opening, and everybody's. What is no regular file is
//! asked first whether it takes bytes, and gets no more at a time than it then takes at once
//! (pipe(7): `PIPE_BUF`). Should another process fill the pipe in between, or a disk hang, this
//! thread hangs, and the process ends without it.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use proxy_core::config::model::{LogFile, SyslogServer};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FileType, OFlags, fstat};
use rustix::io::Errno;
use sidecar::logging::Throttle;

use super::{Kind, LogSink, count_lines, made, syslog};

/// How long lines are gathered.
const GATHER: Duration = Duration::from_millis(10);
/// How soon lines for others are looked for while a destination takes none.
const BLOCKED_POLL: Duration = Duration::from_millis(100);
/// What a pipe that takes bytes at all takes at once.
const PIPE_BUF: usize = 4096;
/// Memory that an output keeps between bursts.
const SPARE_BYTES: usize = 64 << 10;

/// The thread's own.
pub(super) struct Writer {
    sink: Arc<LogSink>,
    /// By index of their queues.
    outputs: Vec<Output>,
}

impl Writer {
    pub(super) fn new(sink: Arc<LogSink>) -> Writer {
        Writer { sink, outputs: Vec::new() }
    }

    /// Writes for as long as the process lives.
    pub(super) fn run(mut self) {
        loop {
            self.gather();
            for output in &mut self.outputs {
                output.write(&self.sink);
                output.tell_dropped();
            }
            if self.outputs.iter().all(Output::is_empty) {
                let mut pending = self.sink.lock();
                pending.is_writing = false;
                let is_done = pending.is_empty();
                drop(pending);
                if is_done {
                    self.sink.written.notify_all();
                }
                std::thread::sleep(GATHER);
            } else {
                self.wait_until_one_is_writable();
            }
        }
    }

    /// Waits until there are lines (or something else to do) and swaps them for emptied buffers.
    fn gather(&mut self) {
        let mut pending = self.sink.lock();
        let has_rest = self.outputs.iter().any(|output| !output.is_empty());
        while !has_rest && pending.is_empty() && !pending.reopen {
            pending.is_waiting = true;
            pending = self.sink.changed.wait(pending).unwrap_or_else(PoisonError::into_inner);
        }
        pending.is_waiting = false;
        pending.is_writing = true;
        for (index, queue) in pending.queues.iter_mut().enumerate() {
            if self.outputs.len() <= index {
                self.outputs.push(Output::new(queue.kind, queue.file.clone()));
            }
            let output = &mut self.outputs[index];
            if output.is_empty() {
                std::mem::swap(&mut queue.lines, &mut output.lines);
                output.dropped += std::mem::take(&mut queue.dropped);
            }
        }
        if std::mem::take(&mut pending.reopen) {
            let wanted: Vec<bool> = pending.queues.iter().map(|queue| queue.is_wanted).collect();
            drop(pending);
            for (output, is_wanted) in self.outputs.iter_mut().zip(wanted) {
                output.reopen(is_wanted);
            }
        }
    }

    fn wait_until_one_is_writable(&self) {
        let blocked = self.outputs.iter().filter(|output| !output.is_empty());
        let mut watched: Vec<PollFd<'_>> = blocked
            .filter_map(|output| output.target.as_ref())
            .map(|target| PollFd::from_borrowed_fd(target.as_fd(), PollFlags::OUT))
            .collect();
        let limit = Timespec { tv_sec: 0, tv_nsec: i64::from(BLOCKED_POLL.subsec_nanos()) };
        if poll(&mut watched, Some(&limit)).is_err() {
            std::thread::sleep(GATHER);
        }
    }
}

/// An open destination.
enum Target {
    Stdout(io::Stdout),
    Stderr(io::Stderr),
    File(File),
    Datagrams(OwnedFd),
}

impl AsFd for Target {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Target::Stdout(stdout) => stdout.as_fd(),
            Target::Stderr(stderr) => stderr.as_fd(),
            Target::File(file) => file.as_fd(),
            Target::Datagrams(socket) => socket.as_fd(),
        }
    }
}

struct Output {
    kind: Kind,
    to: LogFile,
    target: Option<Target>,
    is_regular: bool,
    lines: Vec<u8>,
    /// Bytes of `lines` that are written.
    count: usize,
    /// Lines that found no room in the queue, not said yet.
    dropped: u64,
    dropped_throttle: Throttle,
    throttle: Throttle,
}

impl Output {
    fn new(kind: Kind, to: LogFile) -> Output {
        Output {
            kind,
            to,
            target: None,
            is_regular: false,
            lines: Vec::new(),
            count: 0,
            dropped: 0,
            dropped_throttle: Throttle::default(),
            throttle: Throttle::default(),
        }
    }

    fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    fn name(&self) -> String {
        match &self.to {
            LogFile::Stdout => "standard output".into(),
            LogFile::Stderr => "standard error".into(),
            LogFile::Path(path) => path.display().to_string(),
            LogFile::Made(_) => "a file that a request has named".into(),
            LogFile::Syslog(syslog) => match &syslog.server {
                SyslogServer::Udp(name, _) => format!("syslog:server={name}"),
                SyslogServer::Unix(path) => format!("syslog:server=unix:{}", path.display()),
            },
        }
    }

    fn kind_text(&self) -> &'static str {
        match self.kind {
            Kind::Access => "access log",
            Kind::Error => "error log",
        }
    }

    /// As far as the destination takes bytes without being waited for.
    fn write(&mut self, sink: &LogSink) {
        match self.to {
            LogFile::Made(_) => return self.write_made(sink),
            LogFile::Syslog(_) => return self.write_datagrams(sink),
            _ => {}
        }
        self.write_stream(sink);
    }

    fn write_made(&mut self, sink: &LogSink) {
        let (lost, failure) = made::write(&self.lines);
        self.clear();
        if let Some((path, error)) = failure {
            sink.count_dropped(self.kind, lost);
            if self.throttle.allow(Instant::now()).is_some() {
                log::error!("cannot write to the access log {}: {error}", path.display());
            }
        }
    }

    /// Each line is a datagram of its own. One that is not taken at once waits as others do; one
    /// that fails is lost, and told on standard error where it was the program's own.
    fn write_datagrams(&mut self, sink: &LogSink) {
        let LogFile::Syslog(to) = self.to.clone() else { return };
        let mut datagram = Vec::new();
        while let Some(rest) = self.lines.get(self.count..).filter(|rest| !rest.is_empty()) {
            let end = rest.iter().position(|&b| b == b'\n').unwrap_or(rest.len());
            let next = self.count + (end + 1).min(rest.len());
            datagram.clear();
            // Lines of the program have their heads, which say how grave they are.
            if self.kind == Kind::Access {
                syslog::push_head(&to, None, SystemTime::now(), &mut datagram);
            }
            datagram.extend_from_slice(&rest[..end]);
            datagram.truncate(syslog::DATAGRAM_BYTES_MAX);
            let sent = match &self.target {
                Some(target) => rustix::io::write(target, &datagram).map_err(io::Error::from),
                None => syslog::open(&to.server).and_then(|socket| {
                    let sent = rustix::io::write(&socket, &datagram);
                    self.target = Some(Target::Datagrams(socket));
                    Ok(sent?)
                }),
            };
            match sent {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) => {
                    self.target = None;
                    self.complain("write to", &error);
                    match self.kind {
                        Kind::Access => sink.count_dropped(self.kind, 1),
                        Kind::Error => tell_on_stderr(&mut datagram),
                    }
                }
            }
            self.count = next;
        }
        self.clear();
    }

    fn write_stream(&mut self, sink: &LogSink) {
        while self.count < self.lines.len() {
            if self.target.is_none() {
                self.open();
            }
            let Some(target) = &self.target else { return self.lose_the_rest(sink) };
            let rest = &self.lines[self.count..];
            let size = if self.is_regular { rest.len() } else { whole_lines(rest) };
            if !self.is_regular && !is_writable(target) {
                return;
            }
            match rustix::io::write(target, &rest[..size]) {
                Ok(0) => return self.fail(sink, &Errno::IO.into()),
                Ok(count) => self.count += count,
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return,
                Err(errno) => return self.fail(sink, &errno.into()),
            }
        }
        self.clear();
    }

    fn clear(&mut self) {
        self.lines.clear();
        self.count = 0;
        // After a burst the memory goes back.
        self.lines.shrink_to(SPARE_BYTES);
    }

    /// A failed write. Lines of the program go on on standard error, until the file is opened anew;
    /// others are lost.
    fn fail(&mut self, sink: &LogSink, error: &io::Error) {
        self.complain("write to", error);
        if self.may_fall_back() && matches!(self.target, Some(Target::File(_))) {
            self.set_target(Some(Target::Stderr(io::stderr())));
        } else {
            self.lose_the_rest(sink);
        }
    }

    fn may_fall_back(&self) -> bool {
        self.kind == Kind::Error && matches!(self.to, LogFile::Path(_))
    }

    fn lose_the_rest(&mut self, sink: &LogSink) {
        sink.count_dropped(self.kind, count_lines(&self.lines[self.count..]));
        self.clear();
    }

    fn open(&mut self) {
        let opened = match &self.to {
            LogFile::Stdout => Ok(Target::Stdout(io::stdout())),
            LogFile::Stderr => Ok(Target::Stderr(io::stderr())),
            LogFile::Path(path) => open_file(path).map(Target::File),
            // These open theirs as they write.
            LogFile::Made(_) | LogFile::Syslog(_) => return,
        };
        let target = opened.map_err(|error| self.complain("open", &error)).ok();
        let fallback = || Target::Stderr(io::stderr());
        self.set_target(target.or_else(|| self.may_fall_back().then(fallback)));
    }

    fn set_target(&mut self, target: Option<Target>) {
        self.is_regular = target.as_ref().is_some_and(|target| {
            fstat(target)
                .is_ok_and(|seen| FileType::from_raw_mode(seen.st_mode) == FileType::RegularFile)
        });
        self.target = target;
    }

    /// Opened at once, not with the next line: who has moved the old file away looks for the new,
    /// and who has named one that cannot be written is told before it matters.
    fn reopen(&mut self, is_wanted: bool) {
        if matches!(self.to, LogFile::Path(_) | LogFile::Syslog(_)) {
            self.target = None;
            if is_wanted {
                self.open();
            }
        }
    }

    /// Once it takes lines again; a reader that is too slow for ever is told of once a minute.
    fn tell_dropped(&mut self) {
        let is_due = self.is_empty() && self.dropped > 0;
        if is_due && self.dropped_throttle.allow(Instant::now()).is_some() {
            let count = std::mem::take(&mut self.dropped);
            let (kind, to) = (self.kind_text(), self.name());
            log::warn!("{count} {kind} lines were dropped: {to} was not read in time");
        }
    }

    fn complain(&mut self, what: &str, error: &io::Error) {
        if self.throttle.allow(Instant::now()).is_some() {
            log::error!("cannot {what} the {} {}: {error}", self.kind_text(), self.name());
        }
    }
}

/// The line of the program that nobody else takes, if standard error takes it at once.
fn tell_on_stderr(line: &mut Vec<u8>) {
    let stderr = Target::Stderr(io::stderr());
    line.truncate(PIPE_BUF - 1);
    line.push(b'\n');
    if is_writable(&stderr) {
        let _ = rustix::io::write(&stderr, line);
    }
}

/// Never waits: a FIFO without a reader is an error.
pub(super) fn open_file(path: &Path) -> io::Result<File> {
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
    OpenOptions::new().create(true).append(true).custom_flags(flags.bits().cast_signed()).open(path)
}

/// Whether it takes bytes now; an error is one to be met by writing.
fn is_writable(target: &Target) -> bool {
    let mut watched = [PollFd::new(target, PollFlags::OUT)];
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut watched, Some(&at_once)).is_ok_and(|count| count > 0)
}

/// As many whole lines as a pipe takes at once, so that lines of others who write to it stand
/// between ours; of a longer line a part.
fn whole_lines(rest: &[u8]) -> usize {
    let most = rest.len().min(PIPE_BUF);
    rest[..most].iter().rposition(|&b| b == b'\n').map_or(most, |at| at + 1)
}
