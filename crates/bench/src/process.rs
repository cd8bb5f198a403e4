//! Owns programs under test: starting one pinned to a processor, ending it, and seeing that it is
//! gone. It ends only what it started, by its id.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::process::{
    Pid, Resource, Rlimit, Signal, getrlimit, kill_process, setpriority_process, setrlimit,
};
use rustix::thread::{CpuSet, sched_setaffinity};

use crate::Fault;

/// Processor of load generator, upstream and this program.
pub(crate) const LOAD_CPU: usize = 0;
/// Processor of the program under test, which has it to itself.
pub(crate) const TEST_CPU: usize = 1;

/// Highest priority (nice(1)).
const HIGHEST: i32 = -20;
/// Open files that a proxy needs for the largest case, two for each connection, and some.
const FILES: u64 = 40_000;
/// How long a program may take to end before it is killed.
const END_TIME: Duration = Duration::from_secs(10);

/// A started program. Dropped, it is ended.
#[derive(Debug)]
pub(crate) struct Program {
    child: Child,
    /// Signal that ends it at once.
    stop: Signal,
    /// Where its standard error went.
    log: PathBuf,
}

impl Program {
    /// Starts `command` pinned to `cpu`, its standard error in the file `log`.
    ///
    /// The pin is inherited from this thread, which moves there for the moment of the start and
    /// then back to the load's processor: no other program stands in between and costs time.
    ///
    /// # Errors
    /// If there is no such processor, or the program or its log cannot be opened.
    pub(crate) fn start(
        command: &mut Command,
        cpu: usize,
        stop: Signal,
        log: &Path,
    ) -> Result<Self, Fault> {
        let stderr = File::create(log)
            .map_err(|error| Fault::new(format!("cannot create {}: {error}", log.display())))?;
        pin(cpu)?;
        let child = command.stdin(Stdio::null()).stderr(stderr).spawn();
        pin(LOAD_CPU)?;
        let child = child.map_err(|error| {
            Fault::new(format!("cannot run {}: {error}", command.get_program().display()))
        })?;
        Ok(Self { child, stop, log: log.to_owned() })
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Its standard output, the first time, if it was started with a pipe.
    pub(crate) fn take_stdout(&mut self) -> Result<ChildStdout, Fault> {
        self.child.stdout.take().ok_or_else(|| Fault::new("standard output is not a pipe"))
    }

    /// Whether it has ended by itself.
    pub(crate) fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// The last it said on standard error, for a fault's message.
    pub(crate) fn last_words(&self) -> String {
        let text = std::fs::read(&self.log).unwrap_or_default();
        let tail = text.get(text.len().saturating_sub(2000)..).unwrap_or_default();
        String::from_utf8_lossy(tail).trim().to_owned()
    }

    /// Sends `signal` and waits for the end; kills it when it takes too long.
    ///
    /// # Errors
    /// If it had to be killed.
    pub(crate) fn end(&mut self, signal: Signal) -> Result<ExitStatus, Fault> {
        if let Ok(Some(status)) = self.child.try_wait() {
            return Ok(status);
        }
        send(self.pid(), signal);
        let deadline = Instant::now() + END_TIME;
        while Instant::now() < deadline {
            match self.child.try_wait() {
                Ok(Some(status)) => return Ok(status),
                Ok(None) => thread::sleep(Duration::from_millis(2)),
                Err(error) => return Err(Fault::new(format!("cannot wait: {error}"))),
            }
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
        Err(Fault::new(format!("{} did not end: {}", self.pid(), self.last_words())))
    }

    /// Kills it unless the returned guard is dropped within `limit`, so that a program that stops
    /// half-way ends its pipe instead of blocking the reader for ever.
    pub(crate) fn bounded(&self, limit: Duration) -> Bounded {
        let pid = self.pid();
        let (done, wait) = mpsc::channel::<()>();
        let thread = thread::spawn(move || {
            if wait.recv_timeout(limit) == Err(RecvTimeoutError::Timeout) {
                send(pid, Signal::KILL);
            }
        });
        Bounded { done: Some(done), thread: Some(thread) }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.end(self.stop);
    }
}

/// Time limit on a program; see [`Program::bounded`]. Must be dropped before the program is.
#[derive(Debug)]
pub(crate) struct Bounded {
    done: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Bounded {
    fn drop(&mut self) {
        drop(self.done.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Pins the calling thread, and what it starts from now on, to processor `cpu`.
///
/// # Errors
/// If there is no such processor or this process may not use it.
pub(crate) fn pin(cpu: usize) -> Result<(), Fault> {
    let mut set = CpuSet::new();
    set.set(cpu);
    sched_setaffinity(None, &set)
        .map_err(|error| Fault::new(format!("cannot use CPU {cpu} (two are needed): {error}")))
}

/// Raises the limit of open files for this process and those it starts: to what the largest case
/// needs where that is allowed, else as far as it is.
pub(crate) fn raise_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    let wanted = limit.maximum.map_or(FILES, |maximum| maximum.max(FILES));
    let raised = Rlimit { current: Some(wanted), maximum: Some(wanted) };
    if setrlimit(Resource::Nofile, raised).is_err() {
        // Where this fails too, opening the connections fails with its own message.
        let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
    }
}

/// Highest priority there is for what this process runs, until it is dropped.
///
/// Other programs then disturb the figures less: a proxy that waits for the processor while its
/// load does, sleeps and wakes more often per request than one that is kept busy.
#[derive(Debug)]
pub(crate) struct Priority {
    /// Where the session's share is told, and what it was; where the kernel shares the processors
    /// among sessions first (sched(7), autogroup), a process's own priority counts only within.
    session: Option<(PathBuf, String)>,
}

impl Priority {
    /// Takes it as far as allowed; says so where it is not, as for others than root.
    pub(crate) fn highest() -> Self {
        let path = PathBuf::from("/proc/self/autogroup");
        let former = std::fs::read_to_string(&path).ok().and_then(|text| {
            let (_, value) = text.trim().rsplit_once(' ')?;
            Some(value.to_owned())
        });
        let own = setpriority_process(None, HIGHEST);
        let is_raised =
            own.is_ok() && (former.is_none() || std::fs::write(&path, HIGHEST.to_string()).is_ok());
        if !is_raised {
            eprintln!("bench: at ordinary priority (no root): other programs disturb the figures");
        }
        Self { session: former.map(|former| (path, former)) }
    }
}

impl Drop for Priority {
    fn drop(&mut self) {
        if let Some((path, former)) = &self.session {
            // Without the right to raise it there is nothing to restore either.
            let _ = std::fs::write(path, former);
        }
    }
}

/// Sends `signal` to a child that has not been waited for, so the id cannot be another's.
fn send(pid: u32, signal: Signal) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        let _ = kill_process(pid, signal);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    fn check(script: &str, act: impl FnOnce(&mut Program)) {
        let name = format!("bench-process-{}-{:?}", std::process::id(), thread::current().id());
        let log = std::env::temp_dir().join(name);
        let mut command = Command::new("sh");
        command.args(["-c", script]).stdout(Stdio::piped());
        let mut program = Program::start(&mut command, LOAD_CPU, Signal::TERM, &log).unwrap();
        act(&mut program);
        drop(program);
        std::fs::remove_file(log).unwrap();
    }

    #[test]
    fn program_is_pinned_and_its_exit_status_is_seen() {
        let script = "trap 'exit 7' TERM; echo ready; while :; do sleep 0.01; done";
        check(script, |program| {
            let mut ready = [0; 6];
            program.take_stdout().unwrap().read_exact(&mut ready).unwrap();
            let status = std::fs::read_to_string(format!("/proc/{}/status", program.pid()));
            assert!(status.unwrap().contains("Cpus_allowed_list:\t0\n"));
            assert_eq!(program.end(Signal::TERM).unwrap().code(), Some(7));
        });
    }

    #[test]
    fn standard_error_is_kept_for_messages() {
        check("echo broken >&2; exit 1", |program| {
            while !program.has_ended() {
                thread::sleep(Duration::from_millis(2));
            }
            assert_eq!(program.last_words(), "broken");
        });
    }

    #[test]
    fn program_that_hangs_is_killed_by_its_time_limit() {
        check("exec sleep 60", |program| {
            let bounded = program.bounded(Duration::from_millis(50));
            let mut stdout = program.take_stdout().unwrap();
            assert_eq!(stdout.read(&mut [0; 8]).unwrap(), 0);
            drop(bounded);
        });
    }
}
