//! A configuration in force, and what is named by it.
//!
//! An index into a configuration never travels without that configuration: [`At`] keeps both. New
//! requests get the newest generation; an exchange keeps its own to its end.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use crate::body::gunzip;
use crate::body::gzip::Pool;
use crate::body::loans::Loans;
use crate::config::model::{Config, Listen, Location, Program, Server, Variable};
use crate::counters::Boards;
use crate::files::{FileSystem, NoFiles};
use crate::listeners::{Binding, ListenerId};
use crate::phases::Level;
use crate::upstream::peers::Peers;

/// What is known of the host.
#[derive(Clone, Debug)]
pub struct Host {
    /// nginx: `$hostname`.
    pub name: Vec<u8>,
    /// nginx: `$pid`.
    pub pid: u32,
    /// Its files.
    pub files: FileSystem,
    /// What all workers count.
    pub boards: Boards,
}

impl Default for Host {
    fn default() -> Self {
        let (files, boards) = (Arc::new(NoFiles), Boards::default());
        Host { name: Vec::new(), pid: 0, files, boards }
    }
}

/// A configuration as one worker runs it.
pub struct Generation {
    config: Arc<Config>,
    bindings: Vec<Binding>,
    /// How the upstreams' servers are doing.
    pub peers: RefCell<Peers>,
    /// What packs its answers.
    pub packers: Rc<Pool>,
    /// How many answers are unpacked.
    pub unpackers: Rc<Loans>,
    needs_local_address: bool,
    tells_bodies: bool,
    tells_paths: bool,
    host: Arc<Host>,
    /// The last `Date` and the second that it is for.
    date: Cell<(u64, [u8; 29])>,
}

/// Variables of the ways to clients.
const PATHS: [Variable; 4] = [
    Variable::TcpinfoRcvSpace,
    Variable::TcpinfoRtt,
    Variable::TcpinfoRttvar,
    Variable::TcpinfoSndCwnd,
];

impl Generation {
    /// A configuration with the sockets that serve it.
    pub fn new(config: Arc<Config>, bindings: Vec<Binding>, host: Arc<Host>) -> Rc<Generation> {
        debug_assert!(bindings.iter().all(|one| one.listen < config.listens.len()));
        Rc::new(Generation {
            needs_local_address: config.uses(&Variable::ServerAddr)
                || config.listens.iter().any(|listen| listen.bound_by.is_some()),
            tells_bodies: config.uses(&Variable::RequestBody),
            tells_paths: PATHS.iter().any(|variable| config.uses(variable)),
            peers: RefCell::new(Peers::new(&config)),
            packers: Rc::default(),
            unpackers: Rc::new(Loans::new(gunzip::LENT_MAX)),
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

    /// Whether a log tells bodies of requests.
    pub fn tells_bodies(&self) -> bool {
        self.tells_bodies
    }

    /// Whether anything tells of the ways to clients.
    pub fn tells_paths(&self) -> bool {
        self.tells_paths
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

    /// What is done at a level of the server of a place that was made here.
    pub fn program(&self, place: Place, level: Level) -> &Program {
        match level {
            Level::Server => &self.server(place).program,
            Level::Location(index) => {
                &self.location(Place { location: Some(index), ..place }).program
            }
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tests::good;
    use crate::listeners::Table;

    /// A file in force, with the sockets of its `listen`s in their order.
    fn generation(servers: &str) -> (Rc<Generation>, Vec<ListenerId>) {
        let config = good(&format!("http {{ {servers} }}"));
        let plan = Table::default().plan(&config);
        let ids = plan.open.iter().map(|binding| binding.id).collect();
        (Generation::new(Arc::new(config), plan.open, Arc::default()), ids)
    }

    const ANY: SocketAddr =
        SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED), 80);

    #[test]
    fn a_socket_is_found_by_its_name_and_not_by_its_place() {
        let (generation, ids) = generation(
            "server { listen 127.0.0.1:80; server_name one; return 200; } \
             server { listen 127.0.0.1:81; server_name two; return 200; }",
        );
        for (id, name, port) in [(ids[0], "one", 80), (ids[1], "two", 81)] {
            let at = At::of(&generation, id, ANY).unwrap();
            assert_eq!(at.server(at.default_place()).name, name.as_bytes());
            assert_eq!(generation.address(id).map(|address| address.port()), Some(port));
            assert!(generation.serves(id));
        }
        let gone = ListenerId::from_u64(9);
        assert!(At::of(&generation, gone, ANY).is_none() && !generation.serves(gone));
        assert_eq!(generation.address(gone), None);
    }

    #[test]
    fn a_specific_address_goes_before_the_wildcard_that_takes_its_connections() {
        let (generation, ids) = generation(
            "server { listen 80; server_name any; return 200; } \
             server { listen 10.0.0.7:80; server_name seven; return 200; }",
        );
        assert_eq!(ids.len(), 1, "one socket takes them all");
        for (local, name) in [("10.0.0.7:80", "seven"), ("10.0.0.8:80", "any")] {
            let at = At::of(&generation, ids[0], local.parse().unwrap()).unwrap();
            assert_eq!(at.server(at.default_place()).name, name.as_bytes(), "{local}");
        }
    }

    #[test]
    fn addresses_of_connections_are_asked_for_only_where_they_matter() {
        for (servers, expected) in [
            ("server { listen 80; return 200; }", false),
            ("server { listen 80; return 200 $server_port; }", false),
            ("server { listen 80; return 200 $server_addr; }", true),
            ("server { listen 80; add_header X-A $server_addr; return 200; }", true),
            ("server { listen 80; return 200; } server { listen 127.0.0.1:80; return 200; }", true),
        ] {
            assert_eq!(generation(servers).0.needs_local_address(), expected, "{servers}");
        }
    }

    #[test]
    fn a_place_without_a_location_has_the_servers_settings() {
        let (generation, ids) = generation(
            "server { listen 80; keepalive_timeout 7s; location / { keepalive_timeout 9s; return 200; } }",
        );
        let at = At::of(&generation, ids[0], ANY).unwrap();
        let place = at.default_place();
        assert_eq!(at.location(place).client.keepalive.timeout_ms, 7_000);
        let place = Place { location: Some(0), ..place };
        assert_eq!(at.location(place).client.keepalive.timeout_ms, 9_000);
    }
}
