//! A configuration in force, and what is named by it.
//!
//! An index into a configuration never travels without that configuration: [`At`] keeps both. New
//! requests get the newest generation; an exchange keeps its own to its end.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use crate::config::model::{Config, Listen, Location, Server, Variable};
use crate::listeners::{Binding, ListenerId};
use crate::upstream::peers::Peers;

/// Facts of the host that variables tell.
#[derive(Clone, Debug, Default)]
pub struct Host {
    /// nginx: `$hostname`.
    pub name: Vec<u8>,
    /// nginx: `$pid`.
    pub pid: u32,
}

/// A configuration as one worker runs it.
pub struct Generation {
    config: Arc<Config>,
    bindings: Vec<Binding>,
    /// How the upstreams' servers are doing.
    pub peers: RefCell<Peers>,
    needs_local_address: bool,
    host: Arc<Host>,
    /// The last `Date` and the second that it is for.
    date: Cell<(u64, [u8; 29])>,
}

impl Generation {
    /// A configuration with the sockets that serve it.
    pub fn new(config: Arc<Config>, bindings: Vec<Binding>, host: Arc<Host>) -> Rc<Generation> {
        debug_assert!(bindings.iter().all(|one| one.listen < config.listens.len()));
        Rc::new(Generation {
            needs_local_address: config.uses(&Variable::ServerAddr)
                || config.listens.iter().any(|listen| listen.bound_by.is_some()),
            peers: RefCell::new(Peers::new(&config)),
            bindings,
            config,
            host,
            date: Cell::new((0, http1::imf_fixdate(0))),
        })
    }

    /// The configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Facts of the host.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// `Date` at this second; written once for all answers of it.
    pub fn date(&self, unix_s: u64) -> [u8; 29] {
        let (second, date) = self.date.get();
        if second == unix_s {
            return date;
        }
        let date = http1::imf_fixdate(unix_s);
        self.date.set((unix_s, date));
        date
    }

    /// The address that a socket listens on; `None` if it serves no more.
    pub fn address(&self, id: ListenerId) -> Option<SocketAddr> {
        let binding = self.bindings.iter().find(|binding| binding.id == id)?;
        self.config.listens.get(binding.listen).map(|listen| listen.address)
    }

    /// Whether it matters which address of this host a client connected to. Asking costs a system
    /// call for each connection.
    pub fn needs_local_address(&self) -> bool {
        self.needs_local_address
    }

    /// Whether a socket still serves in this configuration.
    pub fn serves(&self, id: ListenerId) -> bool {
        self.bindings.iter().any(|binding| binding.id == id)
    }
}

/// A `listen` of a certain configuration.
#[derive(Clone)]
pub struct At {
    generation: Rc<Generation>,
    listen: usize,
}

impl At {
    /// Where a connection to `local` by this socket is in the generation; `None` if the socket
    /// serves no more there. nginx: a specific address goes before the wildcard that took the
    /// connection for it.
    pub fn of(generation: &Rc<Generation>, id: ListenerId, local: SocketAddr) -> Option<At> {
        let binding = generation.bindings.iter().find(|binding| binding.id == id)?;
        let listen = generation.config.listen_for(binding.listen, local);
        (listen < generation.config.listens.len())
            .then(|| At { generation: Rc::clone(generation), listen })
    }

    /// The generation.
    pub fn generation(&self) -> &Rc<Generation> {
        &self.generation
    }

    /// Its configuration.
    pub fn config(&self) -> &Config {
        &self.generation.config
    }

    /// The `listen`.
    #[expect(clippy::indexing_slicing, reason = "made by `of` only, which checks it")]
    pub fn listen(&self) -> &Listen {
        &self.generation.config.listens[self.listen]
    }

    /// The place of requests for which nothing more is known.
    pub fn default_place(&self) -> Place {
        debug_assert!(self.listen().default_server < self.config().servers.len());
        Place { server: self.listen().default_server, location: None }
    }

    /// The server of a place that was made here.
    #[expect(clippy::indexing_slicing, reason = "places hold what lowering and look-ups gave")]
    pub fn server(&self, place: Place) -> &Server {
        &self.generation.config.servers[place.server]
    }

    /// The settings of a place that was made here.
    #[expect(clippy::indexing_slicing, reason = "places hold what lowering and look-ups gave")]
    pub fn location(&self, place: Place) -> &Location {
        let server = self.server(place);
        debug_assert!(place.location.is_none_or(|index| index < server.locations.len()));
        place.location.map_or(&server.fallback, |index| &server.locations[index])
    }
}

/// Where the settings of a request are found in its configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Index into `Config::servers`.
    pub server: usize,
    /// Index into `Server::locations`; `None` is the server's fallback.
    pub location: Option<usize>,
}
