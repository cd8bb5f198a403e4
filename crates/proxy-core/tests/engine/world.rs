//! An engine with its clients, servers and time.
//!
//! Each action runs until nothing more happens at that moment, as a worker does, and looks that
//! what must always hold does hold.

use std::net::SocketAddr;
use std::sync::Arc;

use proxy_core::clock::Moment;
use proxy_core::config::model::Config;
use proxy_core::counters::Counters;
use proxy_core::engine::{Engine, Limits};
use proxy_core::files::{FileSystem, NoFiles};
use proxy_core::listeners::{ListenerId, Table};

use crate::config;
use crate::net::{Dial, Peer, Pipes};

/// Bounds that no test meets by chance.
pub const GENEROUS: Limits = Limits { heads_bytes_max: 64 << 20, connections_max: 1 << 20 };

/// Turns of the engine in which nothing comes from outside, before it is said to spin.
const IDLE_TURNS_MAX: usize = 1_000;

pub struct World {
    pub engine: Engine<Pipes>,
    pub net: Pipes,
    table: Table,
    now_ms: u64,
    clients: Vec<Peer>,
    next_port: u16,
    /// How many of the links were asked for already.
    dialled: usize,
    lines: Vec<u8>,
    notices: Vec<String>,
}

impl World {
    /// A world with this inside of `http`, whose access log has what it says and where it went.
    pub fn new(http: &str) -> World {
        World::bounded(http, GENEROUS)
    }

    pub fn bounded(http: &str, limits: Limits) -> World {
        World::of(config(http), limits)
    }

    /// A world in which there are files.
    pub fn with_files(http: &str, files: FileSystem) -> World {
        World::on(config(http), GENEROUS, files)
    }

    pub fn of(config: Config, limits: Limits) -> World {
        World::on(config, limits, Arc::new(NoFiles))
    }

    fn on(config: Config, limits: Limits, files: FileSystem) -> World {
        let mut table = Table::default();
        let generation = config::generation_with(Arc::new(config), &mut table, files);
        World {
            engine: Engine::new(generation, limits, 1),
            net: Pipes::default(),
            table,
            now_ms: 10_000,
            clients: Vec::new(),
            next_port: 40_000,
            dialled: 0,
            lines: Vec::new(),
            notices: Vec::new(),
        }
    }

    /// A configuration of another content takes its place.
    pub fn reload(&mut self, http: &str) {
        self.reload_to(Arc::new(config(http)));
    }

    pub fn reload_to(&mut self, config: Arc<Config>) {
        let generation = config::generation(config, &mut self.table);
        self.engine.reload(generation);
        self.settle();
    }

    /// What the connections to this port of `listen` come by.
    pub fn listener(&self, port: u16) -> ListenerId {
        let plan = self.table.plan(self.engine.generation().config());
        let listens = &self.engine.generation().config().listens;
        let found = plan.keep.iter().find(|one| listens[one.listen].address.port() == port);
        found.unwrap_or_else(|| panic!("nothing listens on {port}")).id
    }

    /// A client connects to the first `listen`.
    pub fn client(&mut self) -> Peer {
        let port = self.engine.generation().config().listens[0].address.port();
        self.client_at(SocketAddr::from(([10, 0, 0, 1], port)))
    }

    pub fn client_at(&mut self, local: SocketAddr) -> Peer {
        let listener = self.listener(local.port());
        let (peer, end) = Peer::new(local, true);
        self.next_port += 1;
        let remote = SocketAddr::from(([10, 0, 0, 9], self.next_port));
        self.engine.begin_turn(self.moment());
        self.engine.accepted(end, remote, listener, &mut self.net).unwrap();
        self.clients.push(peer.clone());
        self.settle();
        peer
    }

    /// A connection that was accepted without this world's doing belongs to it from now on.
    pub fn adopt(&mut self, client: Peer) {
        self.clients.push(client);
    }

    /// A client connects and asks.
    pub fn ask(&mut self, request: impl AsRef<[u8]>) -> Peer {
        let client = self.client();
        self.say(&client, request);
        client
    }

    pub fn say(&mut self, peer: &Peer, bytes: impl AsRef<[u8]>) {
        peer.say(bytes);
        self.settle();
    }

    pub fn end(&mut self, peer: &Peer) {
        peer.end();
        self.settle();
    }

    /// A client ends, if it has not yet.
    pub fn end_all(&mut self, peer: &Peer) {
        if !peer.has_ended() {
            self.end(peer);
        }
    }

    pub fn reset(&mut self, peer: &Peer) {
        peer.reset();
        self.settle();
    }

    pub fn take(&mut self, peer: &Peer, bytes: usize) {
        peer.take(bytes);
        self.settle();
    }

    /// The connection to a server that was dialled last.
    pub fn server(&self) -> Peer {
        self.net.links.last().expect("no server was asked").clone()
    }

    /// The ports of servers in the order in which they were dialled, since it was last asked.
    pub fn dialled(&mut self) -> Vec<u16> {
        let new = self.net.links[self.dialled..].iter().map(Peer::port).collect();
        self.dialled = self.net.links.len();
        new
    }

    pub fn rule(&mut self, port: u16, dial: Dial) {
        self.net.rules.insert(port, dial);
    }

    /// Lines of the access log since it was last asked.
    pub fn lines(&mut self) -> Vec<String> {
        let text = String::from_utf8(std::mem::take(&mut self.lines)).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    /// Lines of the error log since it was last asked.
    pub fn notices(&mut self) -> Vec<String> {
        std::mem::take(&mut self.notices)
    }

    pub fn counters(&mut self) -> Counters {
        self.engine.output().counters.clone()
    }

    pub fn moment(&self) -> Moment {
        Moment { ms: self.now_ms, unix_ms: self.now_ms }
    }

    /// Time goes on by so much, from deadline to deadline.
    pub fn pass(&mut self, ms: u64) {
        let until = self.now_ms + ms;
        while let Some(at) = self.engine.wait_until_ms().filter(|at| *at <= until) {
            assert!(at > self.now_ms, "what is due was not done");
            self.now_ms = at;
            self.settle();
        }
        self.now_ms = until;
        self.settle();
    }

    /// Takes turns until nothing more happens now.
    pub fn settle(&mut self) {
        let mut idle_turns = 0;
        loop {
            let reports = self.turn();
            let has_report = self.clients.iter().chain(&self.net.links).any(Peer::has_report);
            let is_due = self.engine.wait_until_ms().is_some_and(|at| at <= self.now_ms);
            if !has_report && !is_due {
                break;
            }
            idle_turns = if reports == 0 { idle_turns + 1 } else { 0 };
            assert!(idle_turns < IDLE_TURNS_MAX, "the engine spins");
        }
        self.check();
    }

    /// One turn of a worker; how many reports there were.
    pub fn turn(&mut self) -> usize {
        self.engine.begin_turn(self.moment());
        let peers = self.clients.iter().chain(&self.net.links);
        let reports: Vec<_> = peers.filter_map(|peer| peer.0.borrow_mut().take_report()).collect();
        for (token, ready) in &reports {
            self.engine.event(*token, *ready, &mut self.net);
        }
        self.engine.end_turn(&mut self.net);
        self.collect();
        reports.len()
    }

    fn collect(&mut self) {
        let output = self.engine.output();
        output.lines.take_each(|_, lines| self.lines.append(lines));
        self.notices.extend(output.notices.drain(..).map(|notice| notice.text));
    }

    /// What holds whenever nothing is going on.
    fn check(&mut self) {
        let open = self.engine.clients() as u64;
        let counters = &self.engine.output().counters;
        assert_eq!(counters.connections, open, "the gauge of connections");
        assert!(counters.connections_idle <= open, "the gauge of idle connections");
    }
}

/// A configuration with this inside of `http`. Its upstream `app` is one server at port 5000 unless
/// it says another; the access log says how each request went.
pub fn config(http: &str) -> Config {
    let has_app = http.contains("upstream app ");
    let app = if has_app { "" } else { "upstream app { server 10.0.0.5:5000; }" };
    let format = "'$request|$status|$upstream_addr|$upstream_status|$request_completion'";
    config::config(&format!(
        "http {{ log_format t {format}; access_log /dev/stdout t; {app} {http} }}"
    ))
}

/// One server that passes everything on, with these settings.
pub fn passing(settings: &str) -> String {
    format!("server {{ listen 8080; {settings} location / {{ proxy_pass http://app; }} }}")
}

/// A request of GET for a path.
pub fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n")
}

/// A request with a body.
pub fn with_body(method: &str, path: &str, body: &str) -> String {
    let length = body.len();
    format!("{method} {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{body}")
}

/// An answer with this body.
pub fn answer(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

/// An answer with this body, after which the connection is not kept.
pub fn last_answer(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

/// The status of each answer that was heard.
pub fn statuses(heard: &str) -> Vec<u16> {
    let lines = heard.split("HTTP/1.1 ").skip(1);
    lines.filter_map(|line| line.get(..3)?.parse().ok()).collect()
}
