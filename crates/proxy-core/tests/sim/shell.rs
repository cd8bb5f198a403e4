//! What the program does around the core: workers with their turns, listening sockets that are
//! bound and closed as the core's table says, commands. The counterpart of `bins/proxy/src/net` and
//! its `listeners`, step by step.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use proxy_core::clock::Moment;
use proxy_core::config::model::Config;
use proxy_core::counters::Counters;
use proxy_core::engine::{Engine, Limits};
use proxy_core::generation::{Generation, Host};
use proxy_core::listeners::{Binding, ListenerId, Table};
use proxy_core::net::{Readiness, Token};

use crate::ledger::Ledger;
use crate::network::{Millis, Network, Stage};
use crate::socket::{Link, SimNet, SimSocket};
use crate::trace;

/// A bound socket with the connections that wait in its queue.
pub struct Bound {
    pub address: SocketAddr,
    pub queue: VecDeque<usize>,
}

/// All sockets that are bound, whoever serves them.
#[derive(Default)]
pub struct Sockets {
    pub bound: BTreeMap<u64, Bound>,
    table: Table,
    next: u64,
    /// The socket of each listener that the table knows.
    of: Vec<(ListenerId, u64)>,
}

/// A configuration on its way to the workers: which socket serves which `listen`.
#[derive(Clone)]
pub struct Runtime {
    pub serial: usize,
    pub config: Arc<Config>,
    pub sockets: Vec<(Binding, u64)>,
}

impl Sockets {
    /// Binds what the configuration asks for, keeping what is bound already.
    pub fn update(&mut self, serial: usize, config: Config) -> Result<Runtime, String> {
        let plan = self.table.plan(&config);
        let mut sockets = Vec::new();
        for binding in &plan.keep {
            let known = self.of.iter().find(|(id, _)| *id == binding.id);
            let (_, socket) = known.ok_or(format!("{binding:?} is kept, but was never bound"))?;
            sockets.push((*binding, *socket));
        }
        for binding in &plan.open {
            let address = config.listens[binding.listen].address;
            let socket = self.next;
            self.next += 1;
            self.bound.insert(socket, Bound { address, queue: VecDeque::new() });
            sockets.push((*binding, socket));
        }
        self.table.commit(&config, &plan, &[]);
        self.of = sockets.iter().map(|(binding, socket)| (binding.id, *socket)).collect();
        Ok(Runtime { serial, config: Arc::new(config), sockets })
    }

    /// No more connections come.
    pub fn close_all(&mut self) {
        self.of.clear();
        self.table = Table::default();
    }

    /// A client's connection comes to the socket of its address. False where there is none.
    pub fn knock(&mut self, conn: usize, local: SocketAddr) -> bool {
        let is_exact = |bound: &Bound| bound.address == local;
        let is_wild = |bound: &Bound| {
            bound.address.ip().is_unspecified() && bound.address.port() == local.port()
        };
        // The newest of two that share an address for a moment.
        let found = self.bound.values_mut().rev().find(|bound| is_exact(bound) || is_wild(bound));
        match found {
            Some(bound) => {
                bound.queue.push_back(conn);
                true
            }
            None => false,
        }
    }

    /// Sockets that no worker has any more are gone, and what waits in their queues is reset.
    pub fn drop_unused(&mut self, workers: &[Worker]) -> Vec<usize> {
        let is_used = |socket: &u64| {
            self.of.iter().any(|(_, known)| known == socket)
                || workers.iter().any(|worker| worker.has_socket(*socket))
        };
        let unused: Vec<u64> = self.bound.keys().copied().filter(|one| !is_used(one)).collect();
        let gone = unused.iter().filter_map(|socket| self.bound.remove(socket));
        gone.flat_map(|bound| bound.queue).collect()
    }
}

/// Orders for a worker.
#[derive(Clone)]
pub enum Command {
    Reload(Runtime),
    Drain,
    Finish,
}

struct Listener {
    id: ListenerId,
    socket: u64,
    is_watched: bool,
}

/// One thread of the program.
pub struct Worker {
    pub engine: Option<Engine<SimNet>>,
    net: SimNet,
    listeners: Vec<Listener>,
    pub commands: Vec<Command>,
    pub generation: usize,
    /// Until then it does something else.
    pub busy_until: Millis,
    pub lateness: Millis,
    pub events_max: usize,
    pub is_draining: bool,
    pub is_finishing: bool,
    host: Arc<Host>,
    /// Turns in which nothing moved, one after the other.
    idle_turns: u32,
    pub last_counters: Counters,
}

impl Worker {
    pub fn new(index: usize, shared: &Link, limits: Limits, first: &Runtime) -> Worker {
        let files = Arc::new(shared.borrow().files);
        let host = Arc::new(Host { files, ..Host::default() });
        let config = Arc::clone(&first.config);
        let generation = Generation::new(config, Vec::new(), Arc::clone(&host));
        Worker {
            engine: Some(Engine::new(generation, limits, index as u64 + 1)),
            net: SimNet { shared: Rc::clone(shared), worker: index },
            listeners: Vec::new(),
            commands: Vec::new(),
            generation: first.serial,
            busy_until: 0,
            lateness: 0,
            events_max: 256,
            is_draining: false,
            is_finishing: false,
            host,
            idle_turns: 0,
            last_counters: Counters::default(),
        }
    }

    pub fn has_socket(&self, socket: u64) -> bool {
        let is_coming = |command: &Command| match command {
            Command::Reload(runtime) => runtime.sockets.iter().any(|(_, one)| *one == socket),
            _ => false,
        };
        self.listeners.iter().any(|listener| listener.socket == socket)
            || self.commands.iter().any(is_coming)
    }

    /// When it has to have its turn; `None` where it waits for others.
    pub fn wants_turn(&self, sockets: &Sockets, now: Millis) -> Option<Millis> {
        let engine = self.engine.as_ref()?;
        let has_pending = !self.net.shared.borrow().network.pending[self.net.worker].is_empty();
        let has_clients = self.listeners.iter().any(|listener| {
            listener.is_watched
                && sockets.bound.get(&listener.socket).is_some_and(|bound| !bound.queue.is_empty())
        });
        let when = match has_pending || has_clients || !self.commands.is_empty() {
            true => now,
            false => engine.wait_until_ms()?.max(now),
        };
        Some(when.max(self.busy_until))
    }

    /// One turn of the loop.
    pub fn turn(&mut self, sockets: &mut Sockets, ledger: &mut Ledger) {
        let shared = Rc::clone(&self.net.shared);
        let (moment, moved_before) = {
            let network = &mut shared.borrow_mut().network;
            network.generation = self.generation;
            let now = network.now;
            (Moment { ms: now, unix_ms: 1_700_000_000_000 + now }, network.moved)
        };
        let reports = self.take_reports();
        let is_called = !reports.is_empty() || !self.commands.is_empty();
        if let Some(engine) = &mut self.engine {
            engine.begin_turn(moment);
            for (conn, token, ready) in reports {
                self.net.shared.borrow_mut().network.note_report(conn, ready);
                trace(|| format!("w{} {token:?} {ready:?}", self.net.worker));
                engine.event(token, ready, &mut self.net);
            }
        }
        for index in 0..self.listeners.len() {
            if let Some(id) = self.listeners.get(index).map(|listener| listener.id) {
                self.accept(id, sockets, ledger);
            }
        }
        self.take_commands(sockets, ledger);
        if let Some(engine) = &mut self.engine {
            engine.end_turn(&mut self.net);
        }
        self.hand_over(ledger, moment.ms);
        let network = &mut shared.borrow_mut().network;
        // It asks for another turn at once, though nothing has come and nothing has moved.
        let wants_more =
            self.engine.as_ref().and_then(Engine::wait_until_ms).is_some_and(|at| at <= moment.ms);
        let is_idle = network.moved == moved_before && !is_called && wants_more;
        self.idle_turns = if is_idle { self.idle_turns + 1 } else { 0 };
        if self.idle_turns > 50 {
            ledger.fail(format!("worker {} spins: nothing moves", self.net.worker));
        }
        let lateness = self.lateness;
        self.busy_until =
            network.now + if lateness > 0 { network.rng.below(lateness + 1) } else { 0 };
    }

    fn take_reports(&mut self) -> Vec<(usize, Token, Readiness)> {
        let network = &mut self.net.shared.borrow_mut().network;
        let mut batch = std::mem::take(&mut network.pending[self.net.worker]);
        while batch.len() > self.events_max {
            let held = batch.pop();
            network.pending[self.net.worker].extend(held);
        }
        for index in (1..batch.len()).rev() {
            let other = network.rng.index(index + 1);
            batch.swap(index, other);
        }
        let reports = batch.into_iter().filter_map(|conn| {
            let (token, mask) = network.report(conn)?;
            Some((conn, token, mask))
        });
        reports.collect()
    }

    fn take_commands(&mut self, sockets: &mut Sockets, ledger: &mut Ledger) {
        for command in std::mem::take(&mut self.commands) {
            match command {
                Command::Reload(runtime) => self.reload(runtime, sockets, ledger),
                Command::Drain => {
                    self.is_draining = true;
                    self.engine.iter_mut().for_each(Engine::drain);
                }
                Command::Finish => {
                    (self.is_draining, self.is_finishing) = (true, true);
                    while let Some(id) = self.listeners.first().map(|listener| listener.id) {
                        self.close_listener(id, sockets, ledger);
                    }
                    if let Some(engine) = &mut self.engine {
                        engine.finish_all(&mut self.net);
                    }
                }
            }
        }
    }

    fn reload(&mut self, runtime: Runtime, sockets: &mut Sockets, ledger: &mut Ledger) {
        let is_kept = |listener: &&Listener| {
            !runtime.sockets.iter().any(|(binding, _)| binding.id == listener.id)
        };
        let gone: Vec<_> = self.listeners.iter().filter(is_kept).map(|one| one.id).collect();
        gone.into_iter().for_each(|id| self.close_listener(id, sockets, ledger));
        for (binding, socket) in &runtime.sockets {
            if !self.listeners.iter().any(|known| known.id == binding.id) {
                let (id, socket) = (binding.id, *socket);
                self.listeners.push(Listener { id, socket, is_watched: true });
            }
        }
        let bindings = runtime.sockets.iter().map(|(binding, _)| *binding).collect();
        let generation = Generation::new(runtime.config, bindings, Arc::clone(&self.host));
        if let Some(engine) = &mut self.engine {
            engine.reload(generation);
        }
        self.generation = runtime.serial;
        self.net.shared.borrow_mut().network.generation = runtime.serial;
        trace(|| format!("w{} generation {} is in force", self.net.worker, runtime.serial));
    }

    fn close_listener(&mut self, id: ListenerId, sockets: &mut Sockets, ledger: &mut Ledger) {
        while self.accept_one(id, sockets, ledger) {}
        self.listeners.retain(|listener| listener.id != id);
    }

    fn accept(&mut self, id: ListenerId, sockets: &mut Sockets, ledger: &mut Ledger) {
        let Some(listener) = self.listeners.iter().find(|listener| listener.id == id) else {
            return;
        };
        let bound = sockets.bound.get(&listener.socket);
        if !listener.is_watched || bound.is_none_or(|bound| bound.queue.is_empty()) {
            return;
        }
        if self.engine.as_mut().is_some_and(Engine::is_full) {
            self.listeners.iter_mut().for_each(|listener| listener.is_watched = false);
            return;
        }
        self.accept_one(id, sockets, ledger);
    }

    fn accept_one(&mut self, id: ListenerId, sockets: &mut Sockets, ledger: &mut Ledger) -> bool {
        let Some(listener) = self.listeners.iter().find(|listener| listener.id == id) else {
            return false;
        };
        let Some(bound) = sockets.bound.get_mut(&listener.socket) else {
            ledger.fail(format!("a worker serves socket {}, which is closed", listener.socket));
            return false;
        };
        let Some(conn) = bound.queue.pop_front() else { return false };
        let shared = Rc::clone(&self.net.shared);
        let remote = {
            let network: &mut Network = &mut shared.borrow_mut().network;
            network.conns[conn].stage = Stage::Open;
            network.conns[conn].worker = self.net.worker;
            network.moved += 1;
            network.conns[conn].remote
        };
        trace(|| format!("w{} accepts c{conn}", self.net.worker));
        ledger.listeners.insert(conn, id);
        let socket = SimSocket { shared, conn };
        if let Some(engine) = &mut self.engine {
            let _ = engine.accepted(socket, remote, id, &mut self.net);
        }
        true
    }

    fn hand_over(&mut self, ledger: &mut Ledger, now: Millis) {
        let Some(engine) = &mut self.engine else { return };
        if self.listeners.iter().any(|listener| !listener.is_watched) && !engine.is_full() {
            self.listeners.iter_mut().for_each(|listener| listener.is_watched = true);
        }
        let generation = self.generation;
        let output = engine.output();
        output.lines.take_each(|_, lines| {
            trace(|| format!("log: {}", String::from_utf8_lossy(lines).trim_end()));
            ledger.take_lines(lines, now, generation);
            lines.clear();
        });
        for notice in output.notices.drain(..) {
            trace(|| format!("{:?}: {}", notice.level, notice.text));
        }
        self.last_counters = output.counters.clone();
        let clients = engine.clients() as u64;
        if self.last_counters.connections != clients {
            ledger.fail(format!("{clients} clients, {:?}", self.last_counters));
        }
        if self.last_counters.connections_idle > self.last_counters.connections {
            ledger.fail(format!("more idle connections than there are: {:?}", self.last_counters));
        }
        if engine.has_finished() {
            if engine.links() != 0 {
                ledger.fail(format!("{} upstream connections without clients", engine.links()));
            }
            trace(|| format!("w{} has finished", self.net.worker));
            self.engine = None;
        }
    }
}
