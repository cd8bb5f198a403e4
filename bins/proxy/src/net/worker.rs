//! A worker: one thread, one poller, and the engine that decides what is done.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use proxy_core::clock::Moment;
use proxy_core::counters::Boards;
use proxy_core::engine::{Engine, NameWanted};
use proxy_core::generation::{Generation, Host};
use proxy_core::listeners::ListenerId;
use proxy_core::net::{Readiness, Token};
use proxy_core::slab::{KEY_BITS, Key};
use rustix::io::Errno;
use sidecar::logging::{More, Throttle};
use sys::poller::{self, Events, Interest};
use sys::socket;

use super::files::SystemFiles;
use super::socket::{System, Tcp};
use super::{
    Command, ListenSocket, Mailbox, Runtime, TAG_CLIENT, TAG_LINK, TAG_LISTENER, limits,
    listener_key,
};
use crate::logs::{self, LogSink};
use crate::metrics::WorkerCounters;
use crate::resolver;

/// Where the time of all workers begins: what they know together has times in it.
static ORIGIN: OnceLock<Instant> = OnceLock::new();

/// Reports taken from the poller at once.
const EVENTS_MAX: usize = 256;

struct Listener {
    id: ListenerId,
    socket: Arc<OwnedFd>,
    is_watched: bool,
}

/// One thread's share of the work.
pub struct Worker {
    engine: Engine<System>,
    system: System,
    listeners: Vec<Listener>,
    runtime: Arc<Runtime>,
    /// Which of the runtime's addresses the engine has.
    addresses_seen: u64,
    host: Arc<Host>,
    origin: Instant,
    sink: Arc<LogSink>,
    counters: Arc<WorkerCounters>,
    /// Given up when descriptors run out, so that a connection can be accepted and closed.
    reserve: Option<File>,
    accept_throttle: Throttle,
    is_stopped: bool,
}

impl Worker {
    /// A worker with nothing to do yet, one of so many; `seed` makes its request identifiers its
    /// own.
    pub fn new(
        mailbox: Arc<Mailbox>,
        runtime: Arc<Runtime>,
        (sink, counters, boards): (Arc<LogSink>, Arc<WorkerCounters>, Boards),
        workers: usize,
        seed: u64,
    ) -> Worker {
        let host = Arc::new(Host {
            name: crate::config::hostname().trim().as_bytes().to_vec(),
            pid: std::process::id(),
            files: Arc::new(SystemFiles),
            boards,
        });
        let generation =
            Generation::new(Arc::clone(&runtime.config), Vec::new(), Arc::clone(&host));
        Worker {
            engine: Engine::new(generation, limits::of_worker(workers), seed),
            system: System(mailbox),
            listeners: Vec::new(),
            runtime,
            addresses_seen: 0,
            host,
            origin: *ORIGIN.get_or_init(Instant::now),
            sink,
            counters,
            reserve: File::open("/dev/null").ok(),
            accept_throttle: Throttle::per_minute(),
            is_stopped: false,
        }
    }

    /// Works until told to end.
    ///
    /// # Errors
    /// When the poller fails.
    pub fn run(&mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(EVENTS_MAX);
        let mut now = self.moment();
        while !self.is_stopped && !self.engine.has_finished() {
            // One more, since clocks are read in whole milliseconds.
            let timeout = self.engine.wait_until_ms().map(|at| {
                Duration::from_millis(if at <= now.ms {
                    0
                } else {
                    (at - now.ms).saturating_add(1)
                })
            });
            self.system.0.poller.wait(&mut events, timeout)?;
            now = self.moment();
            self.engine.begin_turn(now);
            for event in events.iter() {
                self.event(event);
            }
            self.engine.end_turn(&mut self.system);
            self.hand_over();
        }
        Ok(())
    }

    fn moment(&self) -> Moment {
        let millis = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        Moment {
            ms: millis(self.origin.elapsed()),
            unix_ms: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, millis),
        }
    }

    fn event(&mut self, event: poller::Readiness) {
        let ready = Readiness {
            readable: event.readable,
            writable: event.writable,
            ended: event.closed,
            broken: event.broken,
        };
        let key = Key::from_u64(event.key);
        match event.key >> KEY_BITS {
            TAG_CLIENT => self.engine.event(Token::Client(key), ready, &mut self.system),
            TAG_LINK => self.engine.event(Token::Link(key), ready, &mut self.system),
            TAG_LISTENER => self.accept(ListenerId::from_u64(key.to_u64())),
            _ => self.take_commands(),
        }
    }

    fn take_commands(&mut self) {
        for command in self.system.0.take() {
            match command {
                Command::Reload(runtime, sockets) => self.reload(runtime, sockets),
                Command::Drain => self.engine.drain(),
                Command::Finish => self.finish(),
                Command::Stop => self.is_stopped = true,
                Command::Resolved(client, name, outcome) => {
                    self.engine.resolved((client, &name), outcome, &mut self.system);
                }
            }
        }
    }

    fn reload(&mut self, runtime: Arc<Runtime>, sockets: Vec<ListenSocket>) {
        // What waits in the queues of listeners that go is taken first: closing one resets those.
        let is_kept = |listener: &Listener| sockets.iter().any(|one| one.binding.id == listener.id);
        let gone: Vec<ListenerId> = self
            .listeners
            .iter()
            .filter(|listener| !is_kept(listener))
            .map(|listener| listener.id)
            .collect();
        gone.into_iter().for_each(|id| self.close_listener(id));
        for ListenSocket { socket, binding } in &sockets {
            if !self.listeners.iter().any(|known| known.id == binding.id) {
                let (id, socket) = (binding.id, Arc::clone(socket));
                self.listeners.push(Listener { id, socket, is_watched: true });
            }
        }
        let bindings = sockets.iter().map(|socket| socket.binding).collect();
        let (config, host) = (Arc::clone(&runtime.config), Arc::clone(&self.host));
        self.engine.reload(Generation::new(config, bindings, host));
        self.runtime = runtime;
        self.addresses_seen = 0;
    }

    fn close_listener(&mut self, id: ListenerId) {
        while self.accept_one(id) {}
        if let Some(at) = self.listeners.iter().position(|listener| listener.id == id) {
            let listener = self.listeners.swap_remove(at);
            if listener.is_watched {
                self.system.0.unwatch(&listener.socket);
            }
        }
    }

    fn finish(&mut self) {
        while let Some(id) = self.listeners.first().map(|listener| listener.id) {
            self.close_listener(id);
        }
        self.engine.finish_all(&mut self.system);
    }

    fn accept(&mut self, id: ListenerId) {
        if self.engine.is_full() {
            // Connections wait in the queue, and with them the report of it.
            return self.watch_listeners(false);
        }
        self.accept_one(id);
    }

    /// Accepts one connection; true when there was one.
    fn accept_one(&mut self, id: ListenerId) -> bool {
        let Some(listener) = self.listeners.iter().find(|listener| listener.id == id) else {
            // Its command is still to come.
            return false;
        };
        let socket = Arc::clone(&listener.socket);
        match socket::accept(&*socket) {
            Ok(None) => false,
            Ok(Some((accepted, remote))) => {
                let accepted = Tcp(accepted);
                let done = self.engine.accepted(accepted, remote, id, &mut self.system);
                if let Err(cause) = done {
                    self.tell_accept_failure(&cause.to_string());
                }
                true
            }
            Err(error) if is_want(&error) => {
                self.refuse_for_want(&socket, &error);
                false
            }
            // accept(2): an error of the connection that was waiting; the next one may be good.
            Err(error) => {
                self.tell_accept_failure(&error.to_string());
                false
            }
        }
    }

    fn tell_accept_failure(&mut self, why: &str) {
        crate::metrics::add(&self.counters.accept_failures, 1);
        if let Some(before) = self.accept_throttle.allow(Instant::now()) {
            log::error!(target: logs::CRIT, "cannot accept: {why}{}", More(before));
        }
    }

    /// Out of descriptors: the reserve is given up for a moment, so that the connection at the
    /// head of the queue is closed and not left to hang, and the loop does not spin.
    fn refuse_for_want(&mut self, socket: &OwnedFd, error: &io::Error) {
        self.tell_accept_failure(&error.to_string());
        self.reserve = None;
        drop(socket::accept(socket));
        self.reserve = File::open("/dev/null").ok();
        if self.reserve.is_none() {
            // Another thread took it; a short rest lets connections end.
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn watch_listeners(&mut self, is_watched: bool) {
        for listener in &mut self.listeners {
            if listener.is_watched == is_watched {
                continue;
            }
            let poller = &self.system.0.poller;
            let done = match is_watched {
                true => poller.add(&*listener.socket, listener_key(listener.id), Interest::Accept),
                false => poller.remove(&*listener.socket),
            };
            // It is tried again at the next turn.
            listener.is_watched = if done.is_ok() { is_watched } else { !is_watched };
        }
    }

    /// Names that requests wait for. What is known at once is told at once, and may make the client
    /// ask for more.
    fn look_names_up(&mut self) {
        loop {
            let wanted = std::mem::take(&mut self.engine.output().lookups);
            if wanted.is_empty() {
                return;
            }
            for NameWanted { client, resolver, name } in wanted {
                let (mailbox, own) = (Arc::clone(&self.system.0), name.clone());
                let tell = move |outcome| mailbox.send(Command::Resolved(client, own, outcome));
                if let Some(outcome) = resolver::ask(&resolver, &name, tell) {
                    self.engine.resolved((client, &name), outcome, &mut self.system);
                }
            }
        }
    }

    /// What has come out of the turn goes to the logs, the metrics and who looks names up.
    fn hand_over(&mut self) {
        if self.listeners.iter().any(|listener| !listener.is_watched) && !self.engine.is_full() {
            self.watch_listeners(true);
        }
        self.look_names_up();
        let sink = &self.sink;
        let output = self.engine.output();
        output.lines.take_each(|file, lines| sink.append(file, lines));
        output.notices.drain(..).for_each(|notice| sink.tell_notice(&notice));
        self.counters.publish(output);
        for id in self.engine.take_wanted() {
            self.runtime.addresses.want(id.upstream, id.server);
        }
        if let Some(found) = self.runtime.addresses.changed_since(&mut self.addresses_seen) {
            self.engine.set_addresses(&found);
        }
    }
}

/// Whether something of ours is short: descriptors or memory.
fn is_want(error: &io::Error) -> bool {
    let wants = [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM];
    wants.iter().any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}
