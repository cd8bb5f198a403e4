//! A worker: one thread, one poller, the connections it has accepted and those it has made.
//!
//! It owns sockets, buffers and timers and drives exchanges with them; it decides nothing about
//! HTTP. Workers share listening sockets, the configuration and nothing else; commands come
//! through a mailbox.

#![expect(clippy::vec_box, reason = "an exchange moves between client and spares as a pointer")]

mod client;
mod connect;
mod drive;
pub mod slab;
mod timers;
pub mod upstream;

use std::cell::RefCell;
use std::fs::File;
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use sidecar::logging::Throttle;
use sys::poller::{Events, Interest, Poller};
use sys::socket;
use sys::wake::Waker;

use crate::exchange::clock::{Millis, Moment};
use crate::exchange::{Exchange, Out, Snapshot};
use crate::log_sink::LogSink;
use crate::metrics::{self, WorkerCounters};
use client::{Client, State};
use proxy_core::config::model::{Config, LogFile, Variable};
use slab::{KEY_BITS, Key, Slab};
use timers::Timers;
use upstream::{Addresses, Peers};

/// One read at most; also what a connection may hold of the other side's bytes.
const SCRATCH_BYTES: usize = 64 << 10;
/// Reports taken from the poller at once.
const EVENTS_MAX: usize = 256;
/// Exchanges kept for use again; their buffers are warm.
const SPARE_EXCHANGES_MAX: usize = 256;

/// Entries of closed connections that the timers may hold.
const STALE_TIMERS_MAX: usize = 4_096;
/// How long a connection without a request is kept once no more are accepted.
const FIRST_REQUEST_GRACE_MS: Millis = 1_000;

const TAG_WAKE: u64 = 0;
const TAG_LISTENER: u64 = 1;
const TAG_CLIENT: u64 = 2;
const TAG_LINK: u64 = 3;

/// What the main thread hands to every worker.
pub struct Runtime {
    /// The configuration.
    pub config: Arc<Config>,
    /// Addresses of its upstreams.
    pub addresses: Addresses,
}

/// A bound socket and the `listen` it serves.
#[derive(Clone)]
pub struct ListenSocket {
    /// As bound.
    pub address: SocketAddr,
    /// The socket, shared by all workers.
    pub socket: Arc<OwnedFd>,
    /// Index into `Config::listens`.
    pub listen: usize,
}

/// Orders of the main thread.
pub enum Command {
    /// Serve with this configuration and these sockets from now on.
    Reload(Arc<Runtime>, Vec<ListenSocket>),
    /// Go on accepting, but answer with `Connection: close`.
    Drain,
    /// Accept no more, finish what has begun, then end.
    Finish,
    /// End at once.
    Stop,
}

/// Where commands wait for a worker.
pub struct Mailbox {
    commands: Mutex<Vec<Command>>,
    waker: Waker,
}

impl Mailbox {
    /// An empty one.
    pub fn new() -> io::Result<Mailbox> {
        Ok(Mailbox { commands: Mutex::default(), waker: Waker::new()? })
    }

    /// Leaves a command and wakes the worker.
    pub fn send(&self, command: Command) {
        self.commands.lock().unwrap_or_else(PoisonError::into_inner).push(command);
        self.waker.wake();
    }
}

/// A configuration as this worker runs it; exchanges keep theirs to their end.
pub(crate) struct Generation {
    snapshot: Snapshot,
    runtime: Arc<Runtime>,
    peers: RefCell<Peers>,
    /// Some text of the configuration has `$server_addr`, or an address of it shares the socket
    /// of a wildcard one.
    needs_local_address: bool,
}

impl Generation {
    fn new(runtime: Arc<Runtime>) -> Rc<Generation> {
        Rc::new(Generation {
            needs_local_address: runtime.config.uses(&Variable::ServerAddr)
                || runtime.config.listens.iter().any(|listen| listen.bound_by.is_some()),
            snapshot: Rc::new(Arc::clone(&runtime.config)),
            peers: RefCell::new(Peers::new(&runtime.config)),
            runtime,
        })
    }

    fn config(&self) -> &Config {
        &self.runtime.config
    }
}

struct Listener {
    address: SocketAddr,
    /// `None` once it is closed; its place stays, for connections refer to it.
    socket: Option<Arc<OwnedFd>>,
    listen: Option<usize>,
}

/// Whom a link serves.
enum LinkPlace {
    Client(Key),
    Idle { upstream: usize, server: usize },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Serving,
    Draining,
    Finishing,
    Stopped,
}

/// One thread's share of the work.
pub struct Worker {
    poller: Poller,
    mailbox: Arc<Mailbox>,
    listeners: Vec<Listener>,
    clients: Slab<Box<Client>>,
    links: Slab<LinkPlace>,
    generation: Rc<Generation>,
    timers: Timers,
    origin: Instant,
    now: Moment,
    scratch: Vec<u8>,
    out: Out,
    spare: Vec<Box<Exchange>>,
    log_lines: Vec<(LogFile, Vec<u8>)>,
    sink: Arc<LogSink>,
    counters: Arc<WorkerCounters>,
    /// Connections with more to do than one turn allowed.
    ready: Vec<Key>,
    /// Given up when descriptors run out, so that a connection can be accepted and closed.
    reserve: Option<File>,
    mode: Mode,
    next_serial: u64,
    /// Seed of the request identifiers.
    seed: u64,
    fault_throttle: Throttle,
    accept_throttle: Throttle,
}

impl Worker {
    /// A worker with nothing to do yet; `seed` makes its request identifiers its own.
    pub fn new(
        mailbox: Arc<Mailbox>,
        runtime: Arc<Runtime>,
        sink: Arc<LogSink>,
        counters: Arc<WorkerCounters>,
        seed: u64,
    ) -> io::Result<Worker> {
        let poller = Poller::new()?;
        poller.add(mailbox.waker.fd(), TAG_WAKE << KEY_BITS, Interest::Readable)?;
        Ok(Worker {
            poller,
            mailbox,
            listeners: Vec::new(),
            clients: Slab::new(),
            links: Slab::new(),
            generation: Generation::new(runtime),
            timers: Timers::default(),
            origin: Instant::now(),
            now: Moment::default(),
            scratch: vec![0; SCRATCH_BYTES],
            out: Out::default(),
            spare: Vec::new(),
            log_lines: Vec::new(),
            sink,
            counters,
            ready: Vec::new(),
            reserve: File::open("/dev/null").ok(),
            mode: Mode::Serving,
            next_serial: 1,
            seed,
            fault_throttle: Throttle::new(Duration::from_secs(1)),
            accept_throttle: Throttle::per_minute(),
        })
    }

    /// Works until told to end.
    pub fn run(&mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(EVENTS_MAX);
        while self.mode != Mode::Stopped && !self.has_finished() {
            let timeout = self.wait_time();
            self.poller.wait(&mut events, timeout)?;
            self.read_clocks();
            let turn = std::mem::take(&mut self.ready);
            for event in events.iter() {
                let key = Key::from_u64(event.key);
                match event.key >> KEY_BITS {
                    TAG_LISTENER => self.accept(key),
                    TAG_CLIENT => {
                        if let Some(client) = self.clients.get_mut(key) {
                            client.readable |= event.readable;
                            client.writable |= event.writable;
                            client.closed |= event.closed;
                            self.drive(key);
                        }
                    }
                    TAG_LINK => self.link_event(key, event),
                    _ => self.take_commands(),
                }
            }
            for key in turn {
                self.drive(key);
            }
            self.run_timers();
            self.flush_logs();
        }
        self.flush_logs();
        Ok(())
    }

    fn has_finished(&self) -> bool {
        self.mode == Mode::Finishing && self.clients.len() == 0
    }

    fn read_clocks(&mut self) {
        let millis = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        self.now = Moment {
            ms: millis(self.origin.elapsed()),
            unix_ms: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, millis),
        };
    }

    fn wait_time(&self) -> Option<Duration> {
        if !self.ready.is_empty() {
            return Some(Duration::ZERO);
        }
        let config = self.generation.config();
        let idle_link = self.generation.peers.borrow().next_expiry(config);
        let due = match (self.timers.next_due(), idle_link) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        due.map(|at| {
            let elapsed = self.origin.elapsed();
            // One more, since clocks are read in whole milliseconds.
            (Duration::from_millis(at + 1)).saturating_sub(elapsed)
        })
    }

    fn take_commands(&mut self) {
        self.mailbox.waker.clear();
        let mailbox = Arc::clone(&self.mailbox);
        let commands =
            std::mem::take(&mut *mailbox.commands.lock().unwrap_or_else(PoisonError::into_inner));
        for command in commands {
            match command {
                Command::Reload(runtime, sockets) => self.reload(runtime, sockets),
                Command::Drain => self.begin_drain(),
                Command::Finish => self.begin_finish(),
                Command::Stop => self.mode = Mode::Stopped,
            }
        }
    }

    /// New requests get the new configuration; exchanges under way keep theirs.
    fn reload(&mut self, runtime: Arc<Runtime>, sockets: Vec<ListenSocket>) {
        let old = std::mem::replace(&mut self.generation, Generation::new(runtime));
        for link in old.peers.borrow_mut().take_all() {
            self.links.release(link.key);
        }
        for listener in &mut self.listeners {
            listener.listen = None;
        }
        for socket in sockets {
            match self.listeners.iter_mut().find(|known| known.address == socket.address) {
                Some(known) if known.socket.is_some() => known.listen = Some(socket.listen),
                _ => self.add_listener(socket),
            }
        }
        for listener in &mut self.listeners {
            if listener.listen.is_none()
                && let Some(socket) = listener.socket.take()
            {
                let _ = self.poller.remove(&*socket);
            }
        }
    }

    fn add_listener(&mut self, socket: ListenSocket) {
        let index = self.listeners.len() as u64;
        let key = index | (TAG_LISTENER << KEY_BITS);
        if let Err(error) = self.poller.add(&*socket.socket, key, Interest::Accept) {
            log::error!("cannot watch {}: {error}", socket.address);
        }
        self.listeners.push(Listener {
            address: socket.address,
            socket: Some(socket.socket),
            listen: Some(socket.listen),
        });
    }

    fn begin_drain(&mut self) {
        if self.mode != Mode::Serving {
            return;
        }
        self.mode = Mode::Draining;
        for key in self.clients.keys() {
            if let Some(exchange) =
                self.clients.get_mut(key).and_then(|client| client.exchange.as_mut())
            {
                exchange.drain();
            }
        }
    }

    /// What waits in the accept queues is taken first: closing a listener resets those.
    fn begin_finish(&mut self) {
        self.begin_drain();
        self.mode = Mode::Finishing;
        for index in 0..self.listeners.len() {
            while self.accept_one(index) {}
            if let Some(socket) = self.listeners[index].socket.take() {
                let _ = self.poller.remove(&*socket);
            }
        }
        for key in self.clients.keys() {
            // A request may have come with the connection, or just now: it is answered.
            self.drive(key);
        }
        for key in self.clients.keys() {
            let Some(client) = self.clients.get_mut(key) else { continue };
            if !matches!(client.state, State::Head { begun: None }) {
                continue;
            }
            if client.requests > 0 {
                self.close_client(key);
            } else {
                // Its first request may be on its way.
                let until = self.now.ms + FIRST_REQUEST_GRACE_MS;
                client.idle_until = client.idle_until.min(until);
                client.entered = self.timers.enter(key, client.idle_until, client.entered);
            }
        }
    }

    fn accept(&mut self, key: Key) {
        let index = usize::try_from(key.to_u64()).unwrap_or(usize::MAX);
        if index < self.listeners.len() {
            self.accept_one(index);
        }
    }

    /// Accepts one connection; true when there was one.
    fn accept_one(&mut self, index: usize) -> bool {
        let listener = &self.listeners[index];
        let Some(listening) = &listener.socket else { return false };
        match socket::accept(&**listening) {
            Ok(None) => false,
            Ok(Some((socket, remote))) => {
                // Asking costs a system call for each connection: only where somebody wants it.
                let unknown = listener.address.ip().is_unspecified();
                let local = if unknown && self.generation.needs_local_address {
                    socket::local_address(&socket).unwrap_or(listener.address)
                } else {
                    listener.address
                };
                self.add_client(index, socket, remote, local);
                true
            }
            Err(error) => {
                self.refuse_for_want(index, &error);
                false
            }
        }
    }

    fn add_client(
        &mut self,
        listener: usize,
        socket: OwnedFd,
        remote: SocketAddr,
        local: SocketAddr,
    ) {
        let key = self.clients.reserve();
        let tagged = key.to_u64() | (TAG_CLIENT << KEY_BITS);
        if let Err(error) = self.poller.add(&socket, tagged, Interest::Edges) {
            self.clients.release(key);
            return log::error!("cannot watch a connection: {error}");
        }
        metrics::add(&self.counters.accepted, 1);
        metrics::add(&self.counters.connections, 1);
        metrics::add(&self.counters.connections_idle, 1);
        let generation = Rc::clone(&self.generation);
        let header_timeout_ms = self.header_timeout_ms(&generation, listener);
        let idle_until = self.now.ms + header_timeout_ms;
        let entered = self.timers.enter(key, idle_until, None);
        let client = Client {
            key,
            socket,
            remote,
            local,
            serial: self.next_serial,
            requests: 0,
            listener,
            readable: false,
            writable: true,
            closed: false,
            input: Vec::new(),
            input_unseen: false,
            pending: Vec::new(),
            state: State::Head { begun: None },
            idle_until,
            exchange: None,
            generation,
            link: None,
            attempt: None,
            entered,
        };
        self.next_serial += 1;
        self.clients.put(key, Box::new(client));
    }

    /// nginx: `client_header_timeout` of the address's default server, for no name is known yet.
    fn header_timeout_ms(&self, generation: &Generation, listener: usize) -> Millis {
        let config = generation.config();
        let listen = self.listeners[listener].listen.unwrap_or(0);
        let server = config.listens.get(listen).map_or(0, |listen| listen.default_server);
        config.servers.get(server).map_or(60_000, |server| server.client.header_timeout_ms)
    }

    /// Out of descriptors: the reserve is given up for a moment, so that the connection at the
    /// head of the queue is closed and not left to hang, and the loop does not spin.
    fn refuse_for_want(&mut self, index: usize, error: &io::Error) {
        metrics::add(&self.counters.accept_failures, 1);
        if let Some(suppressed) = self.accept_throttle.allow(self.instant()) {
            log::error!("cannot accept: {error} ({suppressed} more like it since the last)");
        }
        self.reserve = None;
        if let Some(listening) = &self.listeners[index].socket {
            drop(socket::accept(&**listening));
        }
        self.reserve = File::open("/dev/null").ok();
        if self.reserve.is_none() {
            // Another thread took it; a short rest lets connections end.
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn run_timers(&mut self) {
        while let Some((at, key)) = self.timers.pop_due(self.now.ms) {
            self.fire(key, at);
        }
        // Short connections leave entries behind; they are cleared away before they add up.
        if self.timers.len() > 4 * self.clients.len() + STALE_TIMERS_MAX {
            let clients = &self.clients;
            self.timers.retain(|key| clients.contains(key));
        }
        let generation = Rc::clone(&self.generation);
        let expired = generation.peers.borrow_mut().take_expired(generation.config(), self.now.ms);
        for link in expired {
            self.links.release(link.key);
        }
    }

    fn flush_logs(&mut self) {
        for (file, lines) in &mut self.log_lines {
            if !lines.is_empty() {
                self.sink.append(file, lines);
            }
        }
    }

    fn spare_exchange(&mut self, client: &Client) -> Box<Exchange> {
        self.spare.pop().unwrap_or_else(|| {
            let info = self.info(client);
            let mut exchange = Exchange::new(Rc::clone(&client.generation.snapshot), info);
            self.seed = self.seed.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
            exchange.request_seed = self.seed;
            Box::new(exchange)
        })
    }

    fn give_back(&mut self, exchange: Box<Exchange>) {
        if self.spare.len() < SPARE_EXCHANGES_MAX {
            self.spare.push(exchange);
        }
    }
}
