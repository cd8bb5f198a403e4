//! The look-up of one name: which server is asked when, and when it is over.
//!
//! Every packet that comes is shown to it; what is no answer to its questions changes nothing.

use std::net::IpAddr;

use super::wire::{self, Family, NameFault, Reply};
use crate::clock::Millis;
use crate::config::model::Resolver;

/// How long the first answer is waited for; each further one twice as long.
const FIRST_WAIT_MS: Millis = 2_000;
/// How often the wait is doubled.
const DOUBLINGS_MAX: u32 = 3;
/// When a look-up is given up (nginx: a question expires after 30 s).
pub const LOOKUP_MS: Millis = 30_000;
/// Aliases that are followed from answer to answer.
const ALIASES_MAX: u32 = 8;

/// The addresses of a name, and for how many seconds they hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// At least one, those of IPv4 first.
    pub addresses: Vec<IpAddr>,
    /// As the answers say.
    pub seconds: u32,
}

/// What comes next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// These bytes go to a server.
    Send {
        /// Which of the resolver's servers.
        server: usize,
        /// Not in a packet.
        by_tcp: bool,
        /// The question.
        bytes: Vec<u8>,
    },
    /// Nothing, until a packet comes or this time.
    Wait(Millis),
    /// It is over.
    Done(Result<Found, NameFault>),
}

/// A look-up that is under way.
#[derive(Debug)]
pub struct Lookup {
    parts: Vec<Part>,
    servers: usize,
    until_ms: Millis,
}

/// The addresses of one family.
#[derive(Debug)]
struct Part {
    family: Family,
    id: u16,
    name: String,
    aliases: u32,
    /// Which server is asked.
    server: usize,
    by_tcp: bool,
    /// How often no answer has come.
    silences: u32,
    /// Servers that have said that they cannot tell.
    failures: usize,
    send_ms: Millis,
    outcome: Option<Result<Found, NameFault>>,
}

impl Lookup {
    /// Begins one. `random` makes the numbers of its questions, and must not be foreseen.
    pub fn new(resolver: &Resolver, name: &str, random: u64, now: Millis) -> Lookup {
        let mut parts = Vec::new();
        let is_name = wire::is_name(name);
        for (family, bits) in [(Family::V4, random), (Family::V6, random >> 16)] {
            let is_asked = match family {
                Family::V4 => resolver.ipv4,
                Family::V6 => resolver.ipv6,
            };
            if is_asked {
                let id = (bits & 0xffff) as u16;
                let server = ((random >> 32) & 0xffff) as usize % resolver.servers.len().max(1);
                parts.push(Part {
                    family,
                    id,
                    name: name.to_owned(),
                    aliases: 0,
                    server,
                    by_tcp: false,
                    silences: 0,
                    failures: 0,
                    send_ms: now,
                    outcome: (!is_name).then_some(Err(NameFault::Format)),
                });
            }
        }
        Lookup { parts, servers: resolver.servers.len(), until_ms: now.saturating_add(LOOKUP_MS) }
    }

    /// What is to be done now.
    pub fn next(&mut self, now: Millis) -> Next {
        let is_late = now >= self.until_ms || self.servers == 0;
        for part in self.parts.iter_mut().filter(|part| part.outcome.is_none()) {
            if is_late {
                part.outcome = Some(Err(NameFault::TimedOut));
            } else if part.send_ms <= now
                && let Some(bytes) = part.question(now, self.servers)
            {
                return Next::Send { server: part.server, by_tcp: part.by_tcp, bytes };
            }
        }
        let open = self.parts.iter().filter(|part| part.outcome.is_none());
        match open.map(|part| part.send_ms).min() {
            Some(send_ms) => Next::Wait(send_ms.min(self.until_ms)),
            None => Next::Done(self.outcome()),
        }
    }

    /// A packet has come from one of the servers; true where it is an answer to a question.
    pub fn take(&mut self, packet: &[u8], now: Millis) -> bool {
        let servers = self.servers;
        let open = self.parts.iter_mut().filter(|part| part.outcome.is_none());
        for part in open {
            if let Some(reply) = wire::read(packet, (part.id, &part.name, part.family)) {
                part.hear(reply, servers, now);
                return true;
            }
        }
        false
    }

    fn outcome(&mut self) -> Result<Found, NameFault> {
        let mut found = Found { addresses: Vec::new(), seconds: u32::MAX };
        let mut fault = None;
        for outcome in self.parts.iter_mut().filter_map(|part| part.outcome.take()) {
            match outcome {
                Ok(part) => {
                    found.addresses.extend(part.addresses);
                    found.seconds = found.seconds.min(part.seconds);
                }
                // That one family has no address says less than that nobody could tell.
                Err(part) => {
                    let before = fault.filter(|before| *before != NameFault::NotFound);
                    fault = Some(before.unwrap_or(part));
                }
            }
        }
        match found.addresses.is_empty() {
            true => Err(fault.unwrap_or(NameFault::NotFound)),
            false => Ok(found),
        }
    }
}

impl Part {
    /// The question, and when it is asked again.
    fn question(&mut self, now: Millis, servers: usize) -> Option<Vec<u8>> {
        if self.silences > 0 {
            self.next_server(servers);
        }
        let wait_ms = FIRST_WAIT_MS << self.silences.min(DOUBLINGS_MAX);
        self.silences += 1;
        self.send_ms = now.saturating_add(wait_ms);
        wire::question(self.id, &self.name, self.family)
    }

    fn next_server(&mut self, servers: usize) {
        self.server = (self.server + 1) % servers.max(1);
        self.by_tcp = false;
    }

    /// The next question goes out at once, and is a first one.
    fn ask_at_once(&mut self, now: Millis) {
        (self.send_ms, self.silences) = (now, 0);
    }

    fn hear(&mut self, reply: Reply, servers: usize, now: Millis) {
        match reply {
            Reply::Found(addresses, seconds) => {
                self.outcome = Some(Ok(Found { addresses, seconds }));
            }
            Reply::Alias(name) if self.aliases < ALIASES_MAX => {
                self.aliases += 1;
                self.name = name;
                self.ask_at_once(now);
            }
            Reply::Cut if !self.by_tcp => {
                self.by_tcp = true;
                self.ask_at_once(now);
            }
            Reply::Fault(fault) if fault != NameFault::NotFound && self.failures + 1 < servers => {
                self.failures += 1;
                self.next_server(servers);
                self.ask_at_once(now);
            }
            Reply::Fault(fault) => self.outcome = Some(Err(fault)),
            Reply::Alias(_) => self.outcome = Some(Err(NameFault::NotFound)),
            Reply::Cut => self.outcome = Some(Err(NameFault::Server)),
        }
    }
}

#[cfg(test)]
mod tests;
