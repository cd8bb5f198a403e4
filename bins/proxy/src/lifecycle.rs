//! The life of the serving process: start, reload, drain, end.
//!
//! The main thread waits for signals and for the configuration to change; it serves no request
//! itself. What it decides goes to the workers as commands.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::io;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use proxy_core::config::model::ErrorLevel;
use sidecar::exit;
use sidecar::signals::Signals;
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};

use crate::admin::Status;
use crate::cli::Cli;
use crate::config::watch::Watch;
use crate::config::{self, LoadOptions, Loaded};
use crate::listeners::Listeners;
use crate::log_sink::LogSink;
use crate::metrics::{ProcessCounters, WorkerCounters, add};
use crate::net::addresses::Addresses;
use crate::net::worker::Worker;
use crate::net::{Command, ListenSocket, Mailbox, Runtime};

/// More threads than this bring nothing to one pod's traffic.
const WORKERS_MAX: usize = 8;
/// How often names that did not resolve are looked up again.
const RESOLVE_INTERVAL: Duration = Duration::from_secs(2);
/// How often the end of draining workers is looked for.
const FINISH_POLL: Duration = Duration::from_millis(10);

/// Serves until told to end.
pub fn serve(cli: &Cli, options: LoadOptions) -> ExitCode {
    match start(cli, options) {
        Ok(mut process) => process.run(),
        Err(code) => ExitCode::from(code),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Serving,
    /// `Connection: close` on each answer; SIGTERM is still to come.
    Draining,
    /// SIGTERM came first: listeners close at that time.
    Delaying(Instant),
    /// Listeners are closed; what is left is cut off at that time.
    Finishing(Instant),
}

struct Process {
    options: LoadOptions,
    drain_delay: Duration,
    drain_timeout: Duration,
    reload_interval: Option<Duration>,
    listeners: Listeners,
    watch: Watch,
    mailboxes: Vec<Arc<Mailbox>>,
    threads: Vec<JoinHandle<()>>,
    running: Arc<AtomicUsize>,
    resolving: Arc<AtomicBool>,
    resolved_at: Instant,
    status: Arc<Status>,
    sink: Arc<LogSink>,
    sink_thread: Option<JoinHandle<()>>,
    signals: Signals,
    phase: Phase,
}

fn start(cli: &Cli, options: LoadOptions) -> Result<Process, u8> {
    let Loaded { config, sources, warnings } = config::load(&options).map_err(|problems| {
        for problem in problems {
            log::error!("{problem}");
        }
        exit::CONFIG
    })?;
    apply_level(&config);
    for warning in warnings {
        log::warn!("{warning}");
    }
    // Each connection needs a descriptor.
    if let Err(error) = sys::limits::raise_open_files() {
        log::debug!("the limit on open files stays as it is: {error}");
    }
    let failed = |error: io::Error| {
        log::error!("cannot start: {error}");
        exit::RUNTIME
    };
    let count = worker_count(cli);
    let mailboxes: Vec<Arc<Mailbox>> = (0..count)
        .map(|_| Mailbox::new().map(Arc::new))
        .collect::<io::Result<_>>()
        .map_err(failed)?;
    let mut listeners = Listeners::default();
    let sockets = listeners.update(&config, &mailboxes).map_err(|problem| {
        log::error!("{problem}");
        exit::RUNTIME
    })?;
    let signals =
        Signals::register(&[SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2]).map_err(failed)?;
    let counters = Arc::new(ProcessCounters::default());
    let (sink, sink_thread) = LogSink::start(Arc::clone(&counters)).map_err(failed)?;
    let watch = Watch::new(&sources);
    let addresses = Addresses::new(&config);
    let runtime = Arc::new(Runtime { config: Arc::new(config), addresses });
    let workers: Vec<_> = (0..count).map(|_| Arc::new(WorkerCounters::default())).collect();
    let status = Arc::new(Status {
        workers,
        process: counters,
        ending: AtomicBool::new(false),
        runtime: Mutex::new(Arc::clone(&runtime)),
    });
    let mut process = Process {
        options,
        drain_delay: cli.drain_delay,
        drain_timeout: cli.drain_timeout,
        reload_interval: (!cli.reload_interval.is_zero()).then_some(cli.reload_interval),
        listeners,
        watch,
        mailboxes,
        threads: Vec::new(),
        running: Arc::new(AtomicUsize::new(0)),
        resolving: Arc::new(AtomicBool::new(false)),
        resolved_at: Instant::now(),
        status,
        sink,
        sink_thread: Some(sink_thread),
        signals,
        phase: Phase::Serving,
    };
    process.start_admin(cli)?;
    process.start_workers(&runtime).map_err(failed)?;
    process.send_all(|| Command::Reload(Arc::clone(&runtime), sockets.clone()));
    Ok(process)
}

/// The file's `error_log` level, once a file has said one.
fn apply_level(config: &proxy_core::config::model::Config) {
    let logs = config.error_logs.main.iter().chain(&config.error_logs.http);
    if let Some(level) = logs.map(|log| log.level).max() {
        log::set_max_level(match level {
            ErrorLevel::Error => log::LevelFilter::Error,
            ErrorLevel::Warn => log::LevelFilter::Warn,
            ErrorLevel::Notice | ErrorLevel::Info => log::LevelFilter::Info,
            ErrorLevel::Debug => log::LevelFilter::Debug,
        });
    }
}

/// The quota of the cgroup or the CPUs this process may use, whichever is fewer.
fn worker_count(cli: &Cli) -> usize {
    let quota = std::thread::available_parallelism().map_or(1, usize::from);
    cli.workers.map_or(quota.clamp(1, WORKERS_MAX), usize::from)
}

impl Process {
    fn start_admin(&mut self, cli: &Cli) -> Result<(), u8> {
        let Some(address) = &cli.admin_listen else { return Ok(()) };
        let status = Arc::clone(&self.status);
        let served = address
            .bind()
            .and_then(|listener| sidecar::admin::serve(listener, move |path| status.answer(path)));
        if let Err(error) = served {
            log::error!("cannot serve --admin-listen {address}: {error}");
            return Err(exit::RUNTIME);
        }
        Ok(())
    }

    fn start_workers(&mut self, runtime: &Arc<Runtime>) -> io::Result<()> {
        let workers = self.mailboxes.len();
        for (index, mailbox) in self.mailboxes.iter().enumerate() {
            let counters = Arc::clone(&self.status.workers[index]);
            let sink = Arc::clone(&self.sink);
            let (inbox, runtime) = (Arc::clone(mailbox), Arc::clone(runtime));
            let running = Arc::clone(&self.running);
            running.fetch_add(1, Ordering::SeqCst);
            let seed = RandomState::new().build_hasher().finish();
            let name = format!("worker-{index}");
            let thread = std::thread::Builder::new().name(name).spawn(move || {
                let mut worker = Worker::new(inbox, runtime, (sink, counters), workers, seed);
                if let Err(error) = worker.run() {
                    log::error!("a worker has ended: {error}");
                }
                running.fetch_sub(1, Ordering::SeqCst);
            })?;
            self.threads.push(thread);
        }
        Ok(())
    }

    fn send_all(&self, command: impl Fn() -> Command) {
        for mailbox in &self.mailboxes {
            mailbox.send(command());
        }
    }

    fn run(&mut self) -> ExitCode {
        loop {
            if let Err(error) = self.signals.wait(self.wait_time()) {
                log::error!("cannot wait for signals: {error}");
                return self.end(exit::RUNTIME);
            }
            let pending: Vec<i32> = self.signals.pending().collect();
            for signal in pending {
                if signal == SIGINT {
                    return self.end(exit::OK);
                }
                self.on_signal(signal);
            }
            if self.running.load(Ordering::SeqCst) == 0 {
                let finishing = matches!(self.phase, Phase::Finishing(_));
                return self.end(if finishing { exit::OK } else { exit::RUNTIME });
            }
            match self.phase {
                Phase::Delaying(until) if Instant::now() >= until => self.begin_finish(),
                Phase::Finishing(until) if Instant::now() >= until => {
                    log::warn!("requests were still under way at the end of --drain-timeout");
                    return self.end(exit::OK);
                }
                Phase::Serving | Phase::Draining => self.look_for_changes(),
                _ => {}
            }
        }
    }

    fn wait_time(&self) -> Option<Duration> {
        match self.phase {
            Phase::Serving | Phase::Draining => self.reload_interval.or(Some(RESOLVE_INTERVAL)),
            Phase::Delaying(until) => Some(until.saturating_duration_since(Instant::now())),
            Phase::Finishing(_) => Some(FINISH_POLL),
        }
    }

    fn on_signal(&mut self, signal: i32) {
        match signal {
            SIGHUP => self.reload(),
            SIGUSR1 => self.sink.reopen(),
            SIGUSR2 => self.begin_drain(),
            SIGQUIT => self.begin_finish(),
            SIGTERM => match self.phase {
                Phase::Serving if !self.drain_delay.is_zero() => {
                    self.begin_drain();
                    self.status.ending.store(true, Ordering::Relaxed);
                    self.phase = Phase::Delaying(Instant::now() + self.drain_delay);
                }
                Phase::Serving | Phase::Draining => self.begin_finish(),
                Phase::Delaying(_) | Phase::Finishing(_) => {}
            },
            _ => {}
        }
    }

    fn begin_drain(&mut self) {
        if self.phase == Phase::Serving {
            log::info!("draining: answers say Connection: close from now on");
            self.phase = Phase::Draining;
        }
        self.send_all(|| Command::Drain);
    }

    fn begin_finish(&mut self) {
        if matches!(self.phase, Phase::Finishing(_)) {
            return;
        }
        self.begin_drain();
        self.status.ending.store(true, Ordering::Relaxed);
        self.phase = Phase::Finishing(Instant::now() + self.drain_timeout);
        log::info!("finishing: no more connections are accepted");
        self.listeners = Listeners::default();
        self.send_all(|| Command::Finish);
    }

    /// Lines on their way are written before the process ends.
    fn end(&mut self, code: u8) -> ExitCode {
        self.send_all(|| Command::Stop);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
        self.sink.close();
        if let Some(thread) = self.sink_thread.take() {
            let _ = thread.join();
        }
        ExitCode::from(code)
    }

    fn look_for_changes(&mut self) {
        if self.reload_interval.is_some() && self.watch.has_changed() {
            self.reload();
        }
        if self.resolved_at.elapsed() >= RESOLVE_INTERVAL {
            self.resolved_at = Instant::now();
            self.resolve_wanted();
        }
    }

    /// Everything is read and checked before anything changes; a bad file changes nothing.
    fn reload(&mut self) {
        let refused = match config::load(&self.options) {
            Err(problems) => problems,
            Ok(Loaded { config, sources, warnings }) => {
                match self.listeners.update(&config, &self.mailboxes) {
                    Err(problem) => vec![problem],
                    Ok(sockets) => {
                        for warning in warnings {
                            log::warn!("{warning}");
                        }
                        return self.take_up(config, &sources, sockets);
                    }
                }
            }
        };
        self.watch.note_refused();
        add(&self.status.process.reloads_failed, 1);
        self.status.process.last_reload_failed.store(1, Ordering::Relaxed);
        for problem in refused {
            log::error!("{problem}");
        }
        log::error!("the new configuration is refused; the old one stays in force");
    }

    fn take_up(
        &mut self,
        config: proxy_core::config::model::Config,
        sources: &[config::Source],
        sockets: Vec<ListenSocket>,
    ) {
        apply_level(&config);
        self.watch = Watch::new(sources);
        let addresses = Addresses::new(&config);
        let runtime = Arc::new(Runtime { config: Arc::new(config), addresses });
        *self.status.runtime.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&runtime);
        self.send_all(|| Command::Reload(Arc::clone(&runtime), sockets.clone()));
        add(&self.status.process.reloads_ok, 1);
        self.status.process.last_reload_failed.store(0, Ordering::Relaxed);
        log::info!("the new configuration is in force");
    }

    /// Looking a name up may take seconds: a thread of its own does it, one at a time.
    fn resolve_wanted(&mut self) {
        let runtime =
            Arc::clone(&self.status.runtime.lock().unwrap_or_else(PoisonError::into_inner));
        if self.resolving.swap(true, Ordering::SeqCst) {
            return;
        }
        let wanted = runtime.addresses.take_wanted();
        if wanted.is_empty() {
            return self.resolving.store(false, Ordering::SeqCst);
        }
        let resolving = Arc::clone(&self.resolving);
        let spawned = std::thread::Builder::new().name("resolver".into()).spawn(move || {
            for (upstream, server) in wanted {
                let settings = &runtime.config.upstreams[upstream].servers[server];
                let found = config::resolve(&settings.host, settings.port);
                if found.is_empty() {
                    runtime.addresses.want(upstream, server);
                }
                runtime.addresses.set(upstream, server, &found);
            }
            resolving.store(false, Ordering::SeqCst);
        });
        if spawned.is_err() {
            self.resolving.store(false, Ordering::SeqCst);
        }
    }
}
