//! What was asked, what was answered, and what each side saw of it: the oracle's book.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use proxy_core::config::model::Config;
use proxy_core::listeners::ListenerId;
use proxy_core::upstream::balance::Load;
use proxy_core::zones::{Holders, ZoneKind};

use crate::network::Millis;
use crate::pattern::{self, Owner};
use crate::reader::Framing;
use crate::site::{Place, server_at};

/// What is wrong with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Defect {
    /// Not a head: the status that the broken rule has.
    Head(u16),
    /// The head never ends.
    CutHead,
    /// The framing of the body breaks somewhere.
    Chunks,
    /// The body never ends.
    CutBody,
}

/// The body that follows a request's head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    None,
    Length(u64),
    Chunked(u64),
}

impl Body {
    pub fn bytes(self) -> u64 {
        match self {
            Body::None => 0,
            Body::Length(bytes) | Body::Chunked(bytes) => bytes,
        }
    }
}

/// What the client got for a request.
#[derive(Clone, Debug)]
pub struct Got {
    pub status: u16,
    /// The upstream's answer that it says it is.
    pub answer: Option<usize>,
    /// Generation, server and location by its mark.
    pub place: Option<(usize, usize, String)>,
    pub keeps: bool,
    pub framing: Framing,
    pub body: u64,
    pub is_whole: bool,
    /// It was cut off by an end or by a reset.
    pub cut: Option<&'static str>,
    /// Where it begins and, if whole, ends in what the proxy wrote.
    pub start: u64,
    pub end: u64,
}

impl Got {
    /// All that there is of it is a part of its head.
    pub fn part_of_head(cut: &'static str) -> Got {
        Got {
            status: 0,
            answer: None,
            place: None,
            keeps: false,
            framing: Framing::None,
            body: 0,
            is_whole: false,
            cut: Some(cut),
            start: 0,
            end: 0,
        }
    }
}

/// One time that a server got a request.
#[derive(Clone, Debug)]
pub struct Arrival {
    pub conn: usize,
    pub at_ms: Millis,
    pub address: SocketAddr,
    /// Place of the head in what the proxy wrote on that connection.
    pub start: u64,
    pub is_redirected: bool,
    /// How many requests the connection had carried.
    pub before: u64,
    pub body: u64,
    pub is_whole: bool,
    pub answer: Option<usize>,
}

/// A line of the access log.
#[derive(Clone, Debug)]
pub struct Line {
    pub generation: usize,
    pub remote: SocketAddr,
    pub nth: u64,
    pub status: u16,
    pub ask: Option<usize>,
    pub answer: Option<usize>,
    pub place: String,
    pub addresses: Vec<String>,
    pub statuses: Vec<String>,
    pub body: u64,
    pub is_complete: bool,
    pub connection: String,
    pub took_ms: Millis,
    pub request: String,
    pub at_ms: Millis,
    /// The generation that was in force when it was written.
    pub in_force: usize,
}

/// A request.
#[derive(Clone, Debug)]
pub struct Ask {
    pub client: usize,
    pub nth: usize,
    pub method: &'static str,
    pub host: String,
    pub place: Place,
    pub target: String,
    pub is_http10: bool,
    pub wants_close: bool,
    pub body: Body,
    /// The parts of a file that are asked for: from where, and to where with the last byte.
    pub parts: Vec<(u64, u64)>,
    pub expects: bool,
    pub upgrades: bool,
    pub defect: Option<Defect>,
    /// Places in what the client writes.
    pub start: u64,
    pub head_end: u64,
    pub end: u64,
    pub continues: u32,
    pub got: Option<Got>,
    pub arrivals: Vec<Arrival>,
    /// What was said to whoever asked whether it is let in.
    pub words: Vec<u16>,
    /// How often it has come mirrored.
    pub copies: u32,
    /// What a tunnel carried to the server, and to the client; and what it was to carry.
    pub tunnel_up: (u64, u64),
    pub tunnel_down: (u64, u64),
    pub tunnel_ends: (bool, bool),
}

impl Ask {
    /// The target that an upstream is to see.
    pub fn upstream_target(&self) -> String {
        match self.place {
            Place::Uri => self.target.replacen("/u/", "/base/", 1),
            _ => self.target.clone(),
        }
    }

    /// nginx: what is not sent to another server unless told so.
    pub fn is_idempotent(&self) -> bool {
        !matches!(self.method, "POST" | "PATCH" | "LOCK")
    }
}

/// What an upstream server answers.
#[derive(Clone, Debug)]
pub struct Answer {
    pub ask: usize,
    pub conn: usize,
    pub status: u16,
    pub framing: Framing,
    /// Bytes of content that are meant to be sent.
    pub body: u64,
    /// Whether the client may get it at all: no interim answer, no redirect, not malformed.
    pub is_final: bool,
    /// Where it ends in what the server writes, once all of it is written.
    pub whole_at: Option<u64>,
    /// It ends with the connection.
    pub needs_end: bool,
    /// The connection carries no other.
    pub says_close: bool,
}

/// The book.
#[derive(Default)]
pub struct Ledger {
    /// What each generation counts of requests under way.
    pub held: Vec<Arc<Mutex<Holders>>>,
    /// What each generation counts of requests at servers, with their bounds.
    pub loads: Vec<(u32, Load)>,
    pub asks: Vec<Ask>,
    pub answers: Vec<Answer>,
    pub lines: Vec<Line>,
    /// The listener that each client's connection came by.
    pub listeners: BTreeMap<usize, ListenerId>,
    /// The listeners that serve in each generation.
    pub serving: Vec<Vec<ListenerId>>,
    pub failures: Vec<String>,
}

impl Ledger {
    pub fn fail(&mut self, message: impl Into<String>) {
        self.failures.push(message.into());
    }

    /// A configuration is to come into force.
    pub fn note_zones(&mut self, config: &Config) {
        self.held.extend(config.zones.iter().filter_map(|zone| match &zone.kind {
            ZoneKind::Connections(holders) => Some(Arc::clone(holders)),
            ZoneKind::Requests { .. } => None,
        }));
        let servers = config.upstreams.iter().flat_map(|upstream| &upstream.servers);
        self.loads.extend(servers.filter_map(|one| Some((one.max_conns, one.load.clone()?))));
    }

    /// No server has more requests than it may.
    pub fn check_loads(&mut self) {
        let is_over = |(most, load): &&(u32, Load)| *most > 0 && load.count() > *most;
        if let Some((most, load)) = self.loads.iter().find(is_over) {
            let wrong = format!("a server has {} requests of {most}", load.count());
            self.fail(wrong);
        }
    }

    /// Content that a client got of an answer.
    pub fn check_answer(&mut self, answer: usize, at: u64, data: &[u8]) {
        if let Err(wrong) = pattern::check(Owner::Answer(answer), at, data) {
            self.fail(format!("answer to ask {}: {wrong}", self.answers[answer].ask));
        }
        let most = self.answers[answer].body;
        if at + data.len() as u64 > most {
            self.fail(format!("answer {answer} had {most} bytes, the client got more"));
        }
    }

    /// Reads lines of the access log.
    pub fn take_lines(&mut self, bytes: &[u8], at_ms: Millis, in_force: usize) {
        for text in String::from_utf8_lossy(bytes).lines() {
            match parse_line(text, at_ms, in_force) {
                Some(line) => self.lines.push(line),
                None => self.fail(format!("a line of the log that cannot be read: {text}")),
            }
        }
    }
}

/// A server is known by its address; whoever has a path, by the address that the path stands for.
fn server_name(text: &str) -> String {
    server_at(text).map_or_else(|| text.to_owned(), |address| address.to_string())
}

fn parse_line(text: &str, at_ms: Millis, in_force: usize) -> Option<Line> {
    let parts: Vec<&str> = text.splitn(14, '|').collect();
    let [
        generation,
        remote,
        nth,
        status,
        ask,
        answer,
        place,
        addresses,
        statuses,
        body,
        complete,
        connection,
        took,
        request,
    ] = parts.as_slice()
    else {
        return None;
    };
    let optional = |text: &str| if text == "-" { Some(None) } else { text.parse().ok().map(Some) };
    let list = |text: &str| -> Vec<String> {
        let parts = text.split([',', ':']).map(str::trim);
        if text == "-" { Vec::new() } else { parts.map(str::to_owned).collect() }
    };
    // Addresses have a colon of their own.
    let split = addresses.replace(" : ", ", ");
    let addresses: Vec<String> = match split.as_str() {
        "-" => Vec::new(),
        text => text.split(", ").map(server_name).collect(),
    };
    Some(Line {
        generation: generation.parse().ok()?,
        remote: remote.parse().ok()?,
        nth: nth.parse().ok()?,
        status: status.parse().ok()?,
        ask: optional(ask)?,
        answer: optional(answer)?,
        place: (*place).to_owned(),
        addresses,
        statuses: list(statuses),
        body: body.parse().ok()?,
        is_complete: *complete == "OK",
        connection: (*connection).to_owned(),
        took_ms: took.replace('.', "").parse().ok()?,
        request: (*request).to_owned(),
        at_ms,
        in_force,
    })
}
