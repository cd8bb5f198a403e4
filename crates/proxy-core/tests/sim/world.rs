//! One world of one seed: its parts, its time, and the order in which things happen.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::rc::Rc;

use proxy_core::engine::Limits;

use crate::client::Client;
use crate::crowd;
use crate::features::{Feature, Features};
use crate::files::SimFiles;
use crate::ledger::Ledger;
use crate::network::{Happening, Millis, Network, Party, Stage};
use crate::oracle;
use crate::prng::Prng;
use crate::server::Server;
use crate::shell::{Command, Sockets, Worker};
use crate::site::{Site, server_address};
use crate::socket::{Door, Link, Shared, is_refused};
use crate::trace;

/// After so much virtual time, or so many steps, something must be stuck.
const LIFE_MS_MAX: Millis = 4 * 3_600_000;
const STEPS_MAX: u64 = 400_000;

/// Whoever is at the other end of a connection.
pub enum Actor {
    Client(Box<Client>),
    Server(Box<Server>),
}

/// What is done to the proxy as a whole.
#[derive(Clone)]
enum Order {
    Reload(usize),
    Drain,
    Finish,
    /// From now on no actor does anything.
    Silence,
}

pub struct World {
    pub has: Features,
    pub shared: Link,
    pub ledger: Ledger,
    pub actors: Vec<Option<Actor>>,
    pub workers: Vec<Worker>,
    pub sites: Vec<Site>,
    /// When each generation was put in force.
    pub reloaded_ms: Vec<Millis>,
    sockets: Sockets,
    orders: Vec<(Millis, Order)>,
    rng: Prng,
    pub finished_ms: Option<Millis>,
    pub drained_ms: Option<Millis>,
    pub silent_ms: Option<Millis>,
}

impl World {
    pub fn new(seed: u64) -> World {
        let mut rng = Prng::new(seed);
        let has = Features::draw(&mut rng);
        let workers = if has.has(Feature::TwoWorkers) { 2 } else { 1 };
        let mut network = Network::new(Prng::new(rng.next()), workers);
        if has.has(Feature::SmallPipes) {
            network.room = (50, 4_000);
        }
        network.latency_max = rng.pick(&[1, 3, 10]);
        network.discards = has.has(Feature::Discards);
        let servers = if has.has(Feature::SeveralServers) { rng.between(2, 4) } else { 1 };
        let shared = Rc::new(RefCell::new(Shared {
            network,
            doors: draw_doors(&mut rng, &has, servers as usize),
            blames: BTreeMap::new(),
            watch_fails: if has.has(Feature::WatchFaults) { 4 } else { 0 },
            files: SimFiles {
                are_cut: has.has(Feature::CutFiles),
                are_unreadable: has.has(Feature::UnreadableFiles),
            },
        }));
        let sites = draw_sites(&mut rng, &has, servers as usize);
        let mut world = World {
            has,
            shared,
            ledger: Ledger::default(),
            actors: Vec::new(),
            workers: Vec::new(),
            sites,
            reloaded_ms: vec![0],
            sockets: Sockets::default(),
            orders: Vec::new(),
            rng,
            finished_ms: None,
            drained_ms: None,
            silent_ms: None,
        };
        world.start(workers);
        world
    }

    fn start(&mut self, workers: usize) {
        let config = self.sites[0].config(0);
        self.ledger.note_zones(&config);
        let first = match self.sockets.update(0, config) {
            Ok(first) => first,
            Err(wrong) => return self.ledger.fail(wrong),
        };
        trace(|| format!("{:?}\n{}", self.has, self.sites[0].text(0)));
        let ids = first.sockets.iter().map(|(binding, _)| binding.id);
        self.ledger.serving.push(ids.collect());
        let heads = self.has.has(Feature::SmallHeadBudget);
        let limits = Limits {
            heads_bytes_max: if heads { self.rng.between(100, 3_000) as usize } else { 1 << 20 },
            connections_max: 1_000,
        };
        for index in 0..workers {
            let mut worker = Worker::new(index, &self.shared, limits, &first);
            if self.has.has(Feature::FewEvents) {
                worker.events_max = self.rng.between(1, 3) as usize;
            }
            worker.lateness = if self.has.has(Feature::Late) { 8 } else { 0 };
            worker.commands.push(Command::Reload(first.clone()));
            self.workers.push(worker);
        }
        self.draw_clients();
        self.draw_orders();
    }

    fn draw_clients(&mut self) {
        let count = self.rng.pick(&[1, 2, 3, 6, 10]);
        let spread = self.rng.pick(&[0, 30, 300]);
        for index in 0..count {
            let remote = SocketAddr::from(([10, 1, 0, index as u8 + 1], 40_000));
            let local = crowd::draw_address(&mut self.rng);
            let mut shared = self.shared.borrow_mut();
            let conn = shared.network.connect(remote, local, true);
            let when = self.rng.below(spread + 1);
            shared.network.at(when, Happening::Knocks(conn));
            drop(shared);
            let client = crowd::draw(&mut self.rng, &self.has, conn, &mut self.ledger);
            self.set_actor(conn, Actor::Client(Box::new(client)));
        }
    }

    fn draw_orders(&mut self) {
        let mut at = 0;
        for generation in 1..self.sites.len() {
            at += self.rng.pick(&[1, 10, 40, 200, 900]);
            self.orders.push((at, Order::Reload(generation)));
        }
        if self.has.has(Feature::Drain) {
            let at = self.rng.pick(&[2, 20, 100, 400]);
            self.orders.push((at, Order::Drain));
        }
        if self.has.has(Feature::EarlyFinish) {
            let at = self.rng.pick(&[1, 10, 50, 300]);
            self.orders.push((at, Order::Finish));
        }
        if self.has.has(Feature::Silence) {
            let at = self.rng.pick(&[5, 30, 120, 500]);
            self.orders.push((at, Order::Silence));
        }
        self.orders.sort_by_key(|(at, _)| *at);
    }

    fn set_actor(&mut self, conn: usize, actor: Actor) {
        if self.actors.len() <= conn {
            self.actors.resize_with(conn + 1, || None);
        }
        self.actors[conn] = Some(actor);
    }

    fn now(&self) -> Millis {
        self.shared.borrow().network.now
    }

    /// Runs it to its end and judges it.
    pub fn run(&mut self) -> Result<(), String> {
        let mut steps = 0;
        while self.ledger.failures.is_empty() && self.step() {
            steps += 1;
            if steps > STEPS_MAX || self.now() > LIFE_MS_MAX {
                self.ledger.fail(format!("no end after {steps} steps, {} ms", self.now()));
            }
        }
        if self.ledger.failures.is_empty() {
            let wrong = oracle::judge(self);
            self.ledger.failures.extend(wrong);
        }
        let faults = std::mem::take(&mut self.shared.borrow_mut().network.faults);
        self.ledger.failures.extend(faults);
        match self.ledger.failures.is_empty() {
            true => Ok(()),
            false => Err(format!("{}; {:?}", self.ledger.failures.join("; "), self.has)),
        }
    }

    /// The next moment at which something happens. False at the end.
    fn step(&mut self) -> bool {
        let now = self.now();
        let turns: Vec<Option<Millis>> =
            self.workers.iter().map(|worker| worker.wants_turn(&self.sockets, now)).collect();
        let network = self.shared.borrow().network.next_due();
        let order = self.orders.first().map(|(at, _)| *at);
        let next = turns.iter().flatten().copied().chain(network).chain(order).min();
        let Some(next) = next else { return self.begin_end() };
        self.shared.borrow_mut().network.now = next.max(now);
        if order.is_some_and(|at| at <= next) {
            let (_, order) = self.orders.remove(0);
            self.carry_out(order);
        }
        while let Some(what) = self.pop_due() {
            self.happen(what);
        }
        if self.has.has(Feature::Spurious) && self.rng.once_in(4) {
            let mut shared = self.shared.borrow_mut();
            let conns = shared.network.conns.len();
            let conn = self.rng.index(conns);
            shared.network.edge(conn);
        }
        for index in 0..self.workers.len() {
            if turns[index].is_some_and(|at| at <= next) {
                self.workers[index].turn(&mut self.sockets, &mut self.ledger);
                self.reset_dropped();
            }
        }
        true
    }

    fn pop_due(&mut self) -> Option<Happening> {
        self.shared.borrow_mut().network.pop_due()
    }

    /// Clients whose listener has gone while they waited in its queue.
    fn reset_dropped(&mut self) {
        let lost = self.sockets.drop_unused(&self.workers);
        let mut shared = self.shared.borrow_mut();
        for conn in lost {
            shared.network.conns[conn].stage = Stage::Refused(104);
            let now = shared.network.now;
            shared.network.wake(conn, now);
        }
    }

    fn happen(&mut self, what: Happening) {
        match what {
            Happening::Arrives(..) => {}
            Happening::Connects(conn) => {
                let mut shared = self.shared.borrow_mut();
                let refusal = is_refused(&mut shared, conn).then_some(111);
                shared.network.end_connect(conn, refusal);
                let address = shared.network.conns[conn].local;
                drop(shared);
                if refusal.is_none() {
                    let server = Server::new(conn, address, self.has.clone());
                    self.set_actor(conn, Actor::Server(Box::new(server)));
                }
            }
            Happening::Knocks(conn) => {
                let mut shared = self.shared.borrow_mut();
                let local = shared.network.conns[conn].local;
                let is_taken = self.sockets.knock(conn, local);
                let stage = if is_taken { Stage::Queued } else { Stage::Refused(111) };
                trace(|| format!("c{conn} knocks at {local}: {stage:?}"));
                shared.network.conns[conn].stage = stage;
                drop(shared);
                if !is_taken {
                    oracle::check_refusal(self, conn);
                }
                self.act(conn);
            }
            Happening::Wakes(conn) => self.act(conn),
        }
    }

    fn act(&mut self, conn: usize) {
        let mut guard = self.shared.borrow_mut();
        let shared = &mut *guard;
        if self.silent_ms.is_some() || shared.network.conns[conn].stage == Stage::Connecting {
            return;
        }
        match self.actors.get_mut(conn) {
            Some(Some(Actor::Client(client))) => client.act(&mut shared.network, &mut self.ledger),
            Some(Some(Actor::Server(server))) => server.act(shared, &mut self.ledger),
            _ => {}
        }
    }

    fn carry_out(&mut self, order: Order) {
        let now = self.now();
        if let Order::Reload(generation) = order {
            trace(|| self.sites[generation].text(generation));
        }
        match order {
            Order::Reload(_) if self.finished_ms.is_some() => {}
            Order::Reload(generation) => {
                let config = self.sites[generation].config(generation);
                self.ledger.note_zones(&config);
                match self.sockets.update(generation, config) {
                    Ok(runtime) => {
                        let ids = runtime.sockets.iter().map(|(binding, _)| binding.id);
                        self.ledger.serving.push(ids.collect());
                        self.send(&Command::Reload(runtime));
                    }
                    Err(wrong) => self.ledger.fail(wrong),
                }
                self.reloaded_ms.push(now);
            }
            Order::Drain => {
                self.drained_ms.get_or_insert(now);
                self.send(&Command::Drain);
            }
            Order::Finish => {
                self.drained_ms.get_or_insert(now);
                self.finished_ms.get_or_insert(now);
                self.sockets.close_all();
                self.send(&Command::Finish);
            }
            Order::Silence => {
                trace(|| format!("silence from {now} on"));
                self.silent_ms = Some(now);
            }
        }
    }

    fn send(&mut self, command: &Command) {
        self.workers.iter_mut().for_each(|worker| worker.commands.push(command.clone()));
    }

    /// Nothing will happen by itself any more. False where that is as it should be.
    fn begin_end(&mut self) -> bool {
        if self.workers.iter().all(|worker| worker.engine.is_none()) {
            return false;
        }
        if self.finished_ms.is_some() {
            self.ledger.fail("nothing will ever happen, but the proxy has not finished");
            return false;
        }
        oracle::check_rest(self);
        self.carry_out(Order::Finish);
        true
    }
}

fn draw_doors(rng: &mut Prng, has: &Features, servers: usize) -> BTreeMap<SocketAddr, Door> {
    let mut door = || {
        let mut once = |feature| if has.has(feature) { rng.pick(&[0, 2, 4]) } else { 0 };
        Door {
            refuses: once(Feature::Refuse),
            is_unreachable: once(Feature::Refuse),
            hangs: once(Feature::ConnectHangs),
            lacks: once(Feature::OwnShortage),
        }
    };
    (0..servers).map(|index| (server_address(index), door())).collect()
}

fn draw_sites(rng: &mut Prng, has: &Features, servers: usize) -> Vec<Site> {
    let first = Site::draw(rng, has, servers);
    let mut sites = vec![first];
    if !has.has(Feature::Reloads) {
        return sites;
    }
    for _ in 0..rng.between(1, 5) {
        let back = sites.len().saturating_sub(2);
        let site = match rng.below(4) {
            // A, B, A again.
            0 => sites[back].clone(),
            1 => sites[sites.len() - 1].varied(rng, has),
            _ => Site::draw(rng, has, servers),
        };
        sites.push(site);
    }
    sites
}

impl World {
    /// The clients, by connection.
    pub fn clients(&self) -> impl Iterator<Item = &Client> {
        self.actors.iter().flatten().filter_map(|actor| match actor {
            Actor::Client(client) => Some(&**client),
            Actor::Server(_) => None,
        })
    }

    /// When the proxy closed a connection.
    pub fn proxy_closed(&self, conn: usize) -> Option<Millis> {
        self.shared.borrow().network.conns[conn].closed(Party::Proxy)
    }
}
