//! One case set up for both sides: its upstreams, the ports it listens on, its logs; and asking it.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::time::Duration;

use rustix::net::{AddressFamily, SocketType};

use crate::case::{Case, Message, UPSTREAMS};
use crate::client;
use crate::common::free_port;
use crate::compare::Record;
use crate::conf::{self, Tokens};
use crate::plain::Plain;
use crate::program::{Nginx, SIDES};
use crate::tree;
use crate::upstream::Upstreams;
use crate::wire::latin1;

/// A case with what belongs to it.
pub struct Bench<'c> {
    pub case: &'c Case,
    /// By side.
    pub tokens: [Tokens; 2],
    upstreams: Upstreams,
    /// What only has to be held.
    _sockets: Vec<OwnedFd>,
    _waiting: Vec<TcpStream>,
}

/// How many ports and logs of its own a case may have.
const OF_EACH: usize = 3;

impl<'c> Bench<'c> {
    /// `index` is the case's among those of its file, `folders` are for logs.
    pub fn new(index: usize, case: &'c Case, folders: [&Path; 2]) -> Bench<'c> {
        let upstreams = Upstreams::default();
        let (mut sockets, mut waiting) = (Vec::new(), Vec::new());
        let mut both = Tokens::from([("N".to_owned(), index.to_string())]);
        let has = |token: &str| case.conf.contains(&format!("${token}"));
        for upstream in 0..UPSTREAMS {
            let [app, path] = ["APP", "PATH"].map(|token| numbered(token, upstream));
            if has(&app) || has(&path) {
                let port = upstreams.open(upstream);
                both.insert(format!("{app}PORT"), port.to_string());
                both.insert(app, format!("127.0.0.1:{port}"));
                if has(&path) {
                    let at = folders[0].join(format!("app-{index}-{upstream}"));
                    Upstreams::open_path(&at, port);
                    both.insert(path, format!("unix:{}", at.display()));
                }
            }
        }
        both.insert(
            "USERS".into(),
            concat!(env!("CARGO_MANIFEST_DIR"), "/tests/beside_nginx/users").into(),
        );
        if has("DNS") {
            both.insert("DNS".into(), format!("127.0.0.1:{}", crate::dns::port()));
        }
        for token in ["DEAD", "FULL"].into_iter().filter(|token| has(token)) {
            let (socket, port) = bound();
            if token == "FULL" {
                waiting.extend(fill_queue(&socket, port));
            }
            sockets.push(socket);
            both.insert(token.into(), format!("127.0.0.1:{port}"));
        }
        if has("DEADPATH") {
            let at = folders[0].join(format!("dead-{index}"));
            drop(UnixListener::bind(&at).unwrap());
            both.insert("DEADPATH".into(), format!("unix:{}", at.display()));
        }
        let top = folders[0].join("top");
        if has("WWW") || has("TOP") {
            if !top.exists() {
                tree::plant(&top);
            }
            both.insert("WWW".into(), top.join("www").display().to_string());
            both.insert("TOP".into(), top.display().to_string());
        }
        let tokens = folders.map(|folder| {
            let mut tokens = both.clone();
            for number in 0..OF_EACH {
                tokens.insert(numbered("PORT", number), free_port().to_string());
                let log = folder.join(format!("log-{index}-{number}"));
                tokens.insert(numbered("LOG", number), log.display().to_string());
            }
            tokens
        });
        Bench { case, upstreams, tokens, _sockets: sockets, _waiting: waiting }
    }

    /// Sends the requests; the record is still without logs.
    pub fn ask<'n>(&'n self, side: usize, nginx: &'n Nginx) -> Record<'n> {
        let tokens = &self.tokens[side];
        let fill = |text: &str| conf::fill(text, tokens);
        let filled = |message: &Message| message.map(&fill);
        let answers = self.case.answers.iter().map(|all| all.iter().map(filled).collect());
        self.upstreams.begin(answers.collect());
        let requests: Vec<(Message, bool)> = self
            .case
            .requests
            .iter()
            .map(|request| (filled(&request.message), request.follows))
            .collect();
        let outcomes = client::ask(&requests, &tokens["PORT"], &self.upstreams);
        let plain = Plain::new(SIDES[side], &nginx.version, tokens);
        Record { plain, outcomes, logs: Vec::new() }
    }

    /// Puts the logs into the record, once the program has ended.
    pub fn read_logs(&self, side: usize, record: &mut Record<'_>) {
        let lines = |number| {
            let text = fs::read(&self.tokens[side][&numbered("LOG", number)]).unwrap_or_default();
            latin1(&text).split_terminator('\n').map(ToOwned::to_owned).collect()
        };
        record.logs = (0..OF_EACH).map(lines).collect();
    }
}

/// `PORT`, `PORT2`, `PORT3`.
fn numbered(token: &str, index: usize) -> String {
    if index == 0 { token.to_owned() } else { format!("{token}{}", index + 1) }
}

/// A socket that has a port and does not listen: whoever connects is refused.
fn bound() -> (OwnedFd, u16) {
    let socket = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    rustix::net::bind(&socket, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = rustix::net::getsockname(&socket).unwrap();
    let address = SocketAddrV4::try_from(address).unwrap();
    (socket, address.port())
}

/// Lets it listen with no place left in its queue: whoever connects now waits.
fn fill_queue(socket: &OwnedFd, port: u16) -> Vec<TcpStream> {
    const FULL: Duration = Duration::from_millis(100);
    rustix::net::listen(socket, 0).unwrap();
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let connect = || TcpStream::connect_timeout(&address, FULL).ok();
    std::iter::from_fn(connect).collect()
}
