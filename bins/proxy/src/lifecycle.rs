//! The life of the serving process: start, reload, drain, end.
//!
//! The main thread waits for signals, for the configuration to change and for workers to end; it
//! serves no request itself. What a signal means is `phase`'s to say; what is decided goes to the
//! workers as commands.

use std::io;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use proxy_core::config::model::Config;
use sidecar::exit;
use sidecar::signals::Signals;
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};

use crate::admin::Status;
use crate::cli::{self, Cli};
use crate::config::{LastGood, LoadOptions, Loaded};
use crate::crew::Crew;
use crate::listeners::Listeners;
use crate::logs::{self, ALERT, EMERG, LogSink, notice};
use crate::lookups::Lookups;
use crate::metrics::{ProcessCounters, WorkerCounters, add};
use crate::net::addresses::Addresses;
use crate::net::{Command, ListenSocket, Mailbox, Runtime};
use crate::phase::{Event, Limits, Phase, Step};
use crate::pid_file::PidFile;
use crate::prober;
use crate::reloads::Reloads;
use crate::start_line::start_line;

/// More threads than this bring nothing to one pod's traffic.
const WORKERS_MAX: usize = 8;
/// How long workers may take to stop at once; they look for commands between two events.
const STOP_MAX: Duration = Duration::from_secs(1);

/// After a start or a reload, when all threads have run what only that needs.
const SETTLE: Duration = Duration::from_millis(200);

/// Signals in the order in which they are looked at, those in a hurry first.
const SIGNALS: [(i32, Event); 6] = [
    (SIGINT, Event::Int),
    (SIGQUIT, Event::Quit),
    (SIGTERM, Event::Term),
    (SIGUSR2, Event::Usr2),
    (SIGUSR1, Event::Usr1),
    (SIGHUP, Event::Hup),
];

/// Serves until told to end.
pub fn serve(cli: &Cli, options: LoadOptions) -> ExitCode {
    let counters = Arc::new(ProcessCounters::default());
    let error_log = logs::error_log_named(cli.error_log.as_deref(), &options.folder());
    // Held back from the first thread on until they are registered, and from all that begin
    // meanwhile: of what comes without a handler the first process of a container never learns.
    let started = sys::signals::hold(&SIGNALS.map(|(signal, _)| signal), || {
        let sink = LogSink::start(Arc::clone(&counters), error_log)?;
        sink.install();
        let process = start(cli, options, &sink, counters);
        Ok((sink, process))
    });
    let (sink, process) = match started.and_then(|started| started) {
        Ok(started) => started,
        Err(error) => {
            eprintln!("{}: cannot start: {error}", cli::program_name());
            return ExitCode::from(exit::RUNTIME);
        }
    };
    let code = process.map_or_else(|code| code, |mut process| process.run());
    // What a destination has not taken after that is lost: nobody holds up the end.
    sink.flush(logs::FLUSH_MAX);
    ExitCode::from(code)
}

struct Process {
    phase: Phase,
    limits: Limits,
    reloads: Reloads,
    lookups: Lookups,
    listeners: Listeners,
    crew: Crew,
    status: Arc<Status>,
    sink: Arc<LogSink>,
    signals: Signals,
    pid_file: PidFile,
    /// When what the start or a reload has needed is given back.
    settles: Option<Instant>,
}

fn start(
    cli: &Cli,
    options: LoadOptions,
    sink: &Arc<LogSink>,
    counters: Arc<ProcessCounters>,
) -> Result<Process, u8> {
    let last_good = cli.last_good.clone().map(LastGood::new);
    let mut reloads = Reloads::new(options, cli.reload_interval, last_good);
    let Loaded { config, warnings, .. } = first(&mut reloads, &counters)?;
    sink.configure(&config);
    for warning in reloads.news(warnings) {
        log::warn!("{warning}");
    }
    // Each connection needs a descriptor.
    if let Err(error) = sys::limits::raise_open_files() {
        log::debug!("the limit on open files stays as it is: {error}");
    }
    let failed = |error: io::Error| {
        log::error!(target: EMERG, "cannot start: {error}");
        exit::RUNTIME
    };
    let count = worker_count(cli);
    let mailboxes: io::Result<Vec<_>> = (0..count).map(|_| Mailbox::new().map(Arc::new)).collect();
    let mailboxes = mailboxes.map_err(failed)?;
    let mut listeners = Listeners::default();
    let sockets = listeners.update(&config, &mailboxes).map_err(|problem| {
        log::error!(target: EMERG, "{problem}");
        exit::RUNTIME
    })?;
    let signals = Signals::register(&SIGNALS.map(|(signal, _)| signal)).map_err(failed)?;
    let runtime = runtime(config);
    let workers: Vec<_> = (0..count).map(|_| Arc::new(WorkerCounters::default())).collect();
    let status = Arc::new(Status::new(workers, counters, Arc::clone(&runtime)));
    serve_admin(cli, &status)?;
    let crew = Crew::start(mailboxes, &status.workers, &runtime, sink, &signals).map_err(failed)?;
    crew.send_all(|| Command::Reload(Arc::clone(&runtime), sockets.clone()));
    prober::start(Arc::clone(&status)).map_err(failed)?;
    let mut pid_file = PidFile::default();
    pid_file.take_up(runtime.config.process.pid.as_deref());
    let listening: Vec<_> = listeners.addresses().collect();
    notice!("{}", start_line(&runtime.config, &listening, status.workers.len()));
    sink.has_started();
    reloads.keep();
    Ok(Process {
        phase: Phase::Serving,
        limits: Limits { delay: cli.drain_delay, finish: cli.drain_timeout },
        reloads,
        lookups: Lookups::new(Instant::now()),
        listeners,
        crew,
        status,
        sink: Arc::clone(sink),
        signals,
        pid_file,
        settles: Some(Instant::now() + SETTLE),
    })
}

/// What there is to be served at the start: the configuration as it is there, or, where that is
/// refused, the last one that was in force.
fn first(reloads: &mut Reloads, counters: &ProcessCounters) -> Result<Loaded, u8> {
    let refused = |problems: Vec<String>| {
        problems.iter().for_each(|problem| log::error!(target: EMERG, "{problem}"));
        exit::CONFIG
    };
    let code = match reloads.load() {
        Ok(loaded) => return Ok(loaded),
        Err(problems) => refused(problems),
    };
    let last_good = reloads.load_last_good().map_err(refused)?.ok_or(code)?;
    counters.set_last_load(false);
    log::error!(
        target: EMERG,
        "the configuration is refused; the last one that was in force (--last-good) is served \
         until it is mended"
    );
    Ok(last_good)
}

fn runtime(config: Config) -> Arc<Runtime> {
    let addresses = Addresses::new(&config);
    Arc::new(Runtime { config: Arc::new(config), addresses })
}

/// The quota of the cgroup or the CPUs this process may use, whichever is fewer.
fn worker_count(cli: &Cli) -> usize {
    let quota = std::thread::available_parallelism().map_or(1, usize::from);
    cli.workers.map_or(quota.clamp(1, WORKERS_MAX), usize::from)
}

fn serve_admin(cli: &Cli, status: &Arc<Status>) -> Result<(), u8> {
    let Some(address) = &cli.admin_listen else { return Ok(()) };
    let status = Arc::clone(status);
    let served = address
        .bind()
        .and_then(|listener| sidecar::admin::serve(listener, move |asked| status.answer(&asked)));
    if let Err(error) = served {
        log::error!(target: EMERG, "cannot serve --admin-listen {address}: {error}");
        return Err(exit::RUNTIME);
    }
    Ok(())
}

/// When there is something to do without a signal: each has an interval of its own.
fn next_turn(phase: Phase, reload: Option<Instant>, lookup: Instant) -> Option<Instant> {
    if phase.is_ending() {
        return phase.deadline();
    }
    reload.into_iter().chain([lookup]).min()
}

impl Process {
    /// Until the end; the code to exit with.
    fn run(&mut self) -> u8 {
        let code = loop {
            let now = Instant::now();
            let due = next_turn(self.phase, self.reloads.due(), self.lookups.due());
            let due = due.into_iter().chain(self.settles).min();
            let limit = due.map(|due| due.saturating_duration_since(now));
            if let Err(error) = self.signals.wait(limit) {
                log::error!(target: ALERT, "cannot wait for signals: {error}");
                break exit::RUNTIME;
            }
            if let Some(code) = self.turn(Instant::now()) {
                break code;
            }
        };
        self.crew.stop(STOP_MAX);
        self.pid_file.remove();
        code
    }

    /// Does what has come up; the exit code once it is the end.
    fn turn(&mut self, now: Instant) -> Option<u8> {
        if self.settles.is_some_and(|at| at <= now) {
            self.settles = None;
            sys::start::forget_code();
            sys::start::forget_stack();
        }
        let failure = self.crew.take_failure();
        let is_finishing = matches!(self.phase, Phase::Finishing(_));
        if failure.is_some() || (self.crew.running() == 0 && !is_finishing) {
            let reason = failure.unwrap_or_else(|| "nobody has told it to".into());
            log::error!(target: ALERT, "a worker has ended: {reason}; the process ends");
            return Some(exit::RUNTIME);
        }
        let pending: Vec<i32> = self.signals.pending().collect();
        let came = SIGNALS.iter().filter(|(signal, _)| pending.contains(signal));
        let mut events: Vec<Event> = came.map(|(_, event)| *event).collect();
        if self.crew.running() == 0 {
            events.push(Event::WorkersDone);
        }
        events.push(Event::Tick);
        for event in events {
            let (phase, step) = self.phase.on(event, now, &self.limits);
            self.phase = phase;
            if let Some(code) = self.act(step) {
                return Some(code);
            }
        }
        if !self.phase.is_ending() {
            if self.reloads.is_wanted(now) {
                self.reload();
            }
            self.lookups.turn(now, &self.status.runtime());
        }
        None
    }

    fn act(&mut self, step: Step) -> Option<u8> {
        match step {
            Step::Nothing => {}
            Step::Reload => self.reload(),
            Step::Reopen => self.sink.reopen(),
            Step::Drain | Step::DrainToEnd => {
                self.crew.send_all(|| Command::Drain);
                notice!("draining: answers say Connection: close from now on");
                if step == Step::DrainToEnd {
                    self.status.set_ending();
                }
            }
            Step::Finish => {
                self.status.set_ending();
                notice!("finishing: no more connections are accepted");
                self.listeners = Listeners::default();
                self.crew.send_all(|| Command::Finish);
            }
            Step::End => return Some(exit::OK),
            Step::CutOff => {
                log::warn!("requests were still under way at the end of --drain-timeout");
                return Some(exit::OK);
            }
        }
        None
    }

    /// Everything is read and checked before anything changes; a bad file changes nothing.
    fn reload(&mut self) {
        let taken_up = self.reloads.load().and_then(|Loaded { config, warnings, .. }| {
            let sockets = self
                .listeners
                .update(&config, self.crew.mailboxes())
                .map_err(|problem| vec![problem])?;
            Ok((config, warnings, sockets))
        });
        let process = &self.status.process;
        match taken_up {
            Ok((mut config, warnings, sockets)) => {
                config.go_on_with(&self.status.runtime().config);
                add(&process.reloads_ok, 1);
                process.set_last_load(true);
                self.take_up(runtime(config), sockets);
                self.reloads.keep();
                for warning in self.reloads.news(warnings) {
                    log::warn!("{warning}");
                }
                notice!("the new configuration is in force");
            }
            Err(problems) => {
                add(&process.reloads_failed, 1);
                process.set_last_load(false);
                for problem in problems {
                    log::error!(target: EMERG, "{problem}");
                }
                log::error!(target: EMERG, "the new configuration is refused; the old one stays in force");
            }
        }
        self.settles = Some(Instant::now() + SETTLE);
    }

    fn take_up(&mut self, runtime: Arc<Runtime>, sockets: Vec<ListenSocket>) {
        self.sink.configure(&runtime.config);
        self.status.set_runtime(Arc::clone(&runtime));
        self.crew.send_all(|| Command::Reload(Arc::clone(&runtime), sockets.clone()));
        self.pid_file.take_up(runtime.config.process.pid.as_deref());
        self.status.readiness.look_now();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_looked_up_at_their_own_interval_whatever_that_of_reloads_is() {
        let now = Instant::now();
        let (soon, lookup, late) = (
            now + Duration::from_millis(1),
            now + Duration::from_secs(2),
            now + Duration::from_secs(3600),
        );
        for (reload, expected) in [(None, lookup), (Some(late), lookup), (Some(soon), soon)] {
            assert_eq!(next_turn(Phase::Serving, reload, lookup), Some(expected));
            assert_eq!(next_turn(Phase::Draining, reload, lookup), Some(expected));
        }
        // What is about to end waits for nothing but the end.
        assert_eq!(next_turn(Phase::Finishing(late), Some(soon), lookup), Some(late));
    }
}
