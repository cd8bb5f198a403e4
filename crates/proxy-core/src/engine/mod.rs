//! One worker's share of the connections: what is done when something happens to one of them.
//!
//! Readiness and time come in, sockets are driven through [`Net`] and [`Socket`], lines and
//! counts come out. All that the proxy decides is decided here and below; neither sockets nor
//! clocks are known, so that a simulator can take their place.

mod accept;
mod addition;
mod close;
mod connect;
mod drive;
mod head;
mod mirror;
mod preface;
mod reload;

use std::rc::Rc;
use std::sync::Arc;

use crate::canary::{Canary, is_planted};
use crate::clock::{Millis, Moment};
use crate::config::model::{Notice, Resolver};
use crate::connection::{Connection, State};
use crate::counters::Counters;
use crate::exchange::{Exchange, Out};
use crate::fault::Throttle;
use crate::generation::Generation;
use crate::log::Lines;
use crate::net::{Net, Readiness, Socket, Token};
use crate::slab::{Key, Slab};
use crate::timers::Timers;
use crate::upstream::link::ServerId;
use crate::upstream::pool::Pool;

/// One read at most; also what a connection may hold of the other side's bytes.
const SCRATCH_BYTES: usize = 64 << 10;
/// Exchanges kept for use again; their buffers are warm. As many as one turn may begin: with
/// fewer, those of a burst are made and thrown away again and again.
const SPARE_EXCHANGES_MAX: usize = 256;

/// Bounds of one worker.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of heads under way; the oldest gives way to the newest.
    pub heads_bytes_max: usize,
    /// Connections, upstream ones included, where the file has no `worker_connections`.
    pub connections_max: usize,
}

/// Whom a link serves.
enum LinkPlace {
    Client(Key),
    Idle(ServerId),
}

/// How far the end has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
enum Mode {
    Serving,
    /// Answers say `Connection: close`.
    Draining,
    /// No more connections are accepted.
    Finishing,
}

/// What comes out beside the bytes.
#[derive(Default)]
pub struct Output {
    /// Lines of access logs.
    pub lines: Lines,
    /// Lines of the error log.
    pub notices: Vec<Notice>,
    /// Counts.
    pub counters: Counters,
    /// Names that clients wait for.
    pub lookups: Vec<NameWanted>,
    /// Answers that would have been compressed, while too many were already.
    pub left_unpacked: u64,
    throttle: Throttle,
}

/// A name that is to be looked up for a client's request: [`Engine::resolved`] tells it.
pub struct NameWanted {
    /// Whose.
    pub client: Key,
    /// Who is to be asked.
    pub resolver: Arc<Resolver>,
    /// As the variables made it.
    pub name: String,
}

/// Memory that is used again and again.
struct Buffers {
    scratch: Vec<u8>,
    out: Out,
    #[expect(
        clippy::vec_box,
        reason = "an exchange moves between connection and spares as a pointer"
    )]
    spare: Vec<Box<Exchange>>,
}

/// Makes numbers of connections and identifiers of requests.
struct Ids {
    next_serial: u64,
    seed: u64,
}

/// What counts against the worker's bounds.
struct Room {
    limits: Limits,
    /// Bytes of all heads under way.
    heads_bytes: usize,
    /// No connection is taken at the moment.
    is_full: bool,
    /// When it is looked again for connections that could give way.
    look_again_ms: Millis,
    mirrors: mirror::Mirrors,
    /// Parts of answers under way.
    parts: usize,
}

/// One worker's share of the work.
pub struct Engine<N: Net> {
    clients: Slab<Box<Connection<N::Socket>>>,
    links: Slab<LinkPlace>,
    pool: Pool<N::Socket>,
    generation: Rc<Generation>,
    timers: Timers,
    now: Moment,
    buffers: Buffers,
    output: Output,
    /// Connections with more to do than one turn allowed.
    ready: Vec<Key>,
    mode: Mode,
    room: Room,
    ids: Ids,
}

impl<N: Net> Engine<N> {
    /// An engine with nothing to do yet; `seed` makes its request identifiers its own.
    pub fn new(generation: Rc<Generation>, limits: Limits, seed: u64) -> Self {
        Engine {
            clients: Slab::new(),
            links: Slab::new(),
            pool: Pool::new(generation.config()),
            generation,
            timers: Timers::default(),
            now: Moment::default(),
            buffers: Buffers {
                scratch: vec![0; SCRATCH_BYTES],
                out: Out::default(),
                spare: Vec::new(),
            },
            output: Output::default(),
            ready: Vec::new(),
            mode: Mode::Serving,
            room: Room {
                limits,
                heads_bytes: 0,
                is_full: false,
                look_again_ms: 0,
                mirrors: mirror::Mirrors::default(),
                parts: 0,
            },
            ids: Ids { next_serial: 1, seed },
        }
    }

    /// A turn begins at this time.
    pub fn begin_turn(&mut self, now: Moment) {
        debug_assert!(now.ms >= self.now.ms, "time goes on");
        self.now = now;
    }

    /// A connection is ready for something.
    pub fn event(&mut self, token: Token, ready: Readiness, net: &mut N) {
        match token {
            Token::Client(key) => {
                if let Some(client) = self.clients.get_mut(key) {
                    client.stream.note(ready);
                    self.drive(key, net);
                }
            }
            Token::Link(key) => self.link_event(key, ready, net),
        }
    }

    fn link_event(&mut self, key: Key, ready: Readiness, net: &mut N) {
        match self.links.get(key) {
            Some(LinkPlace::Client(owner)) => {
                let owner = *owner;
                let Some(client) = self.clients.get_mut(owner) else { return };
                if let Some(link) = client.link.as_mut().filter(|link| link.key == key) {
                    link.stream.note(ready);
                    self.drive(owner, net);
                }
            }
            Some(LinkPlace::Idle(_)) if is_planted(Canary::EndedLinkKept) => {}
            Some(LinkPlace::Idle(id)) if ready.readable || ready.ended || ready.broken => {
                let link = self.pool.remove(*id, key);
                debug_assert!(link.is_some(), "an idle link is in the pool");
                self.links.release(key);
            }
            // A new connection's first report of being writable may come late.
            Some(LinkPlace::Idle(_)) | None => {}
        }
    }

    /// A turn ends: what is due is done, and connections that wait for their turn have it.
    pub fn end_turn(&mut self, net: &mut N) {
        let mut ready = std::mem::take(&mut self.ready);
        ready.sort_unstable();
        ready.dedup();
        for key in ready {
            self.drive(key, net);
        }
        while let Some(key) = self.timers.pop_due(self.now.ms) {
            self.fire(key, net);
        }
        let generation = Rc::clone(&self.generation);
        for link in self.pool.take_expired(generation.config(), self.now.ms) {
            self.links.release(link.key);
        }
        // There may be room again without anybody who asks, after a reload say.
        self.room.is_full &= self.is_at_bound();
        debug_assert!(self.timers.len() <= self.clients.len(), "one entry a connection");
        debug_assert!(self.pool.len() <= self.links.len(), "an idle link has its place");
        debug_assert_eq!(self.output.counters.connections, self.clients() as u64);
        generation.host().boards.show(&self.output.counters);
    }

    /// How long nothing needs to be done if nothing happens; `None` for ever.
    pub fn wait_until_ms(&self) -> Option<Millis> {
        if !self.ready.is_empty() {
            return Some(self.now.ms);
        }
        let retry = self.room.is_full.then_some(self.now.ms + accept::FULL_RETRY_MS);
        [self.timers.next_due(), self.pool.next_expiry(), retry].into_iter().flatten().min()
    }

    /// What has come out since it was last emptied.
    pub fn output(&mut self) -> &mut Output {
        &mut self.output
    }

    /// Whether all has ended after `finish`.
    pub fn has_finished(&self) -> bool {
        self.mode == Mode::Finishing && self.clients.is_empty()
    }

    /// How many clients' connections there are.
    pub fn clients(&self) -> usize {
        self.clients.len() - self.room.mirrors.count - self.room.parts
    }

    /// How many mirrors are under way.
    pub fn mirrors(&self) -> usize {
        self.room.mirrors.count
    }

    /// How many upstream connections there are, idle ones included.
    pub fn links(&self) -> usize {
        self.links.len()
    }

    /// The generation that new requests get.
    pub fn generation(&self) -> &Rc<Generation> {
        &self.generation
    }

    /// A connection goes back to its place, and its deadline among the others.
    fn park(&mut self, client: Box<Connection<N::Socket>>) {
        debug_assert!(client.is_sound(), "each state has its parts");
        let is_forgotten = client.state == State::Active && is_planted(Canary::DeadlineForgotten);
        if let Some(deadline) = client.deadline().filter(|_| !is_forgotten) {
            self.timers.enter(client.key, deadline);
        }
        self.clients.put(client.key, client);
    }

    /// A connection's entry among the deadlines has come due; the deadline may have moved since.
    fn fire(&mut self, key: Key, net: &mut N) {
        let Some(mut client) = self.clients.take(key) else { return };
        if client.deadline().is_none_or(|deadline| deadline > self.now.ms) {
            return self.park(client);
        }
        match client.state {
            State::Preface { .. } | State::Idle { .. } | State::Lingering { .. } => {
                return self.dismiss(client);
            }
            State::Head { .. } => self.head_timed_out(&mut client),
            State::Active => {
                if let Some(exchange) = &mut client.exchange {
                    exchange.expired(self.now, &mut self.buffers.out);
                }
                self.write_out(&mut client);
            }
        }
        self.clients.put(key, client);
        self.drive(key, net);
    }
}

/// A client's connection as the engine holds it.
type Client<N> = Connection<<N as Net>::Socket>;

/// Whether a connection goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// Something was done; there may be more.
    Progress,
    /// Nothing can be done now.
    Wait,
    /// It is over.
    Close,
}

/// Ends a stream to its peer, once all that waits is written.
fn end_writing<S: Socket>(stream: &mut crate::stream::Stream<S>) {
    if !stream.is_blocked() {
        stream.end_writing();
    }
}
