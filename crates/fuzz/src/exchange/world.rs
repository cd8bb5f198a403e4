//! What happens to the engine, and what is noted of it.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use proxy_core::clock::Moment;
use proxy_core::config::model::Config;
use proxy_core::engine::{Engine, Limits};
use proxy_core::generation::{Generation, Host};
use proxy_core::listeners::{Binding, ListenerId, Table};

use super::network::{Connect, DOORS, Door, End, Network, Pipe, Shared};
use super::site;

const CLIENTS_MAX: usize = 12;
const ROOMS: [usize; 6] = [0, 1, 7, 60, 1000, usize::MAX];
const WAITS_MS: [u64; 8] = [0, 1, 90, 1_000, 2_500, 5_000, 60_001, 1_000_000];
/// Turns in a row without an operation: more would be a loop without end.
const TURNS_MAX: usize = 400;
/// Deadlines after the last operation, by which all has ended.
const DEADLINES_MAX: usize = 400;

thread_local! {
    static SITES: Vec<Arc<Config>> = site::all();
}

/// A client's connection. What it has said is kept, whether it was read or not.
pub struct Client {
    pub pipe: Shared,
    pub said: Vec<u8>,
}

/// What was seen from outside.
pub struct Record {
    /// By the number that the engine gives them, from 1.
    pub clients: Vec<(Vec<u8>, Vec<u8>)>,
    /// What each upstream connection was sent.
    pub links: Vec<Vec<u8>>,
    /// All lines of the access log.
    pub lines: Vec<u8>,
    /// Whether an upstream has asked for an internal redirect.
    pub has_redirects: bool,
}

pub struct World {
    engine: Engine<Network>,
    network: Network,
    table: Table,
    listeners: Vec<(ListenerId, SocketAddr)>,
    clients: Vec<Client>,
    now_ms: u64,
    lines: Vec<u8>,
    has_redirects: bool,
}

impl World {
    pub fn new(site: usize) -> World {
        let config = config(site);
        let mut table = Table::default();
        let bindings = carry_out(&mut table, &config);
        let listeners = addresses(&config, &bindings);
        let generation = Generation::new(config, bindings, Arc::new(Host::default()));
        let limits = Limits { heads_bytes_max: 600, connections_max: 24 };
        World {
            engine: Engine::new(generation, limits, 7),
            network: Network { door: Door::Open, links: Vec::new() },
            table,
            listeners,
            clients: Vec::new(),
            now_ms: 1_000,
            lines: Vec::new(),
            has_redirects: false,
        }
    }

    pub fn operate(&mut self, letter: u8, which: usize, rest: &[u8]) {
        let client = self.clients.len().checked_sub(1).map(|last| which.min(last));
        let client = client.and_then(|index| self.clients.get_mut(index));
        let links = &self.network.links;
        let link = links.len().checked_sub(1).and_then(|last| links.get(which.min(last)));
        let pipe = |client: Option<&mut Client>, act: &dyn Fn(&mut Pipe)| {
            client.into_iter().for_each(|client| act(&mut client.pipe.borrow_mut()));
        };
        let upstream = |act: &dyn Fn(&mut Pipe)| {
            link.into_iter().for_each(|link| act(&mut link.borrow_mut()));
        };
        match letter {
            b'C' => self.connect(which),
            b'c' => {
                if let Some(Client { pipe, said }) = client {
                    said.extend_from_slice(pipe.borrow_mut().say(rest));
                }
            }
            b'u' => {
                let lower = rest.to_ascii_lowercase();
                self.has_redirects |= lower.windows(7).any(|part| part == b"x-accel");
                upstream(&|pipe| {
                    pipe.say(rest);
                });
            }
            b'e' => pipe(client, &Pipe::end),
            b'f' => upstream(&Pipe::end),
            b'k' => pipe(client, &Pipe::close),
            b'z' => upstream(&Pipe::close),
            b'r' => pipe(client, &Pipe::reset),
            b'x' => upstream(&Pipe::reset),
            b'w' | b'v' => {
                let choice = rest.first().map_or(0, |byte| usize::from(*byte)) % ROOMS.len();
                match letter {
                    b'w' => pipe(client, &|pipe| pipe.set_room(ROOMS[choice])),
                    _ => upstream(&|pipe| pipe.set_room(ROOMS[choice])),
                }
            }
            b'd' => self.network.door = DOORS[which % DOORS.len()],
            b't' => self.now_ms += WAITS_MS[which % WAITS_MS.len()],
            b'l' => self.reload(which),
            b'D' => self.engine.drain(),
            b'F' => self.finish(),
            _ => {}
        }
    }

    fn connect(&mut self, which: usize) {
        if self.listeners.is_empty() || self.clients.len() >= CLIENTS_MAX || self.engine.is_full() {
            return;
        }
        let (id, address) = self.listeners[which % self.listeners.len()];
        let local = if address.ip().is_unspecified() {
            SocketAddr::from(([127, 0, 0, 1], address.port()))
        } else {
            address
        };
        let pipe = Pipe::new(local, Connect::Done);
        let remote = SocketAddr::from(([10, 0, 0, 9], 9_000));
        self.begin_turn();
        let accepted = self.engine.accepted(End(Rc::clone(&pipe)), remote, id, &mut self.network);
        assert_eq!(accepted, Ok(()));
        assert!(pipe.borrow().token.is_some(), "a listener that is in force accepts");
        self.clients.push(Client { pipe, said: Vec::new() });
    }

    fn reload(&mut self, site: usize) {
        if self.listeners.is_empty() {
            // No more connections come: nobody reloads.
            return;
        }
        let config = config(site);
        let bindings = carry_out(&mut self.table, &config);
        self.listeners = addresses(&config, &bindings);
        self.begin_turn();
        self.engine.reload(Generation::new(config, bindings, Arc::new(Host::default())));
    }

    fn finish(&mut self) {
        self.listeners.clear();
        self.begin_turn();
        self.engine.finish_all(&mut self.network);
    }

    fn begin_turn(&mut self) {
        let now = Moment { ms: self.now_ms, unix_ms: 1_700_000_000_000 + self.now_ms };
        self.engine.begin_turn(now);
    }

    /// Turns, until nothing more happens at this time.
    pub fn turn(&mut self) {
        for _ in 0..TURNS_MAX {
            self.begin_turn();
            let mut is_quiet = true;
            for index in 0..self.clients.len() + self.network.links.len() {
                let pipe = match self.clients.get(index) {
                    Some(client) => &client.pipe,
                    None => &self.network.links[index - self.clients.len()],
                };
                let news = pipe.borrow_mut().take_news();
                if let Some((token, ready)) = news {
                    is_quiet = false;
                    self.engine.event(token, ready, &mut self.network);
                }
            }
            self.engine.end_turn(&mut self.network);
            self.network.links.iter().for_each(|link| link.borrow_mut().settle());
            self.look();
            let is_due = self.engine.wait_until_ms().is_some_and(|at| at <= self.now_ms);
            if is_quiet && !is_due {
                return;
            }
        }
        unreachable!("turns without end");
    }

    /// What holds after each turn.
    fn look(&mut self) {
        let lines = &mut self.lines;
        let output = self.engine.output();
        output.lines.take_each(|_, new| lines.append(new));
        output.notices.clear();
        let counters = output.counters.clone();
        assert_eq!(counters.connections, self.engine.clients() as u64);
        assert!(counters.connections_idle <= counters.connections);
        let requests: u64 = counters.requests.iter().flatten().sum();
        let logged = self.lines.iter().filter(|byte| **byte == b'\n').count();
        assert_eq!(requests, logged as u64, "each exchange has one line");
        let open = self.clients.iter().filter(|client| !client.pipe.borrow().is_dropped).count();
        assert_eq!(open, self.engine.clients());
        let links = self.network.links.iter().filter(|link| !link.borrow().is_dropped).count();
        assert_eq!(links, self.engine.links());
        for client in self.clients.iter().filter(|client| client.said.is_empty()) {
            assert!(client.pipe.borrow().output.is_empty(), "nobody is answered who said nothing");
        }
    }

    /// All of it ends: because both sides end, or, if it is quiet, by its deadlines alone.
    pub fn end(&mut self, is_quiet: bool) {
        self.turn();
        for _ in 0..DEADLINES_MAX {
            if !is_quiet {
                let clients = self.clients.iter().map(|client| &client.pipe);
                for pipe in clients.chain(&self.network.links) {
                    pipe.borrow_mut().end();
                    pipe.borrow_mut().set_room(usize::MAX);
                }
                self.turn();
            }
            let Some(at) = self.engine.wait_until_ms() else { break };
            self.now_ms = self.now_ms.max(at);
            self.turn();
        }
        assert_eq!((self.engine.clients(), self.engine.links()), (0, 0), "left at the end");
        self.finish();
        self.turn();
        assert!(self.engine.has_finished());
    }

    pub fn into_record(self) -> Record {
        let output = |pipe: &Shared| pipe.borrow().output.clone();
        let clients = self.clients.iter().map(|client| (client.said.clone(), output(&client.pipe)));
        Record {
            clients: clients.collect(),
            links: self.network.links.iter().map(output).collect(),
            lines: self.lines,
            has_redirects: self.has_redirects,
        }
    }
}

fn config(site: usize) -> Arc<Config> {
    SITES.with(|sites| Arc::clone(&sites[site % sites.len()]))
}

fn carry_out(table: &mut Table, config: &Config) -> Vec<Binding> {
    let plan = table.plan(config);
    table.commit(config, &plan, &[]);
    plan.keep.into_iter().chain(plan.open).collect()
}

fn addresses(config: &Config, bindings: &[Binding]) -> Vec<(ListenerId, SocketAddr)> {
    bindings.iter().map(|binding| (binding.id, config.listens[binding.listen].address)).collect()
}
