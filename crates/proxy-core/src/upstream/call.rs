//! One call at an upstream: attempt after attempt at its servers, until one answers.
//!
//! It decides which server and address are tried, what counts against a server, and whether the
//! request may be sent once more (nginx: `ngx_http_upstream_next`). It touches no connection.

use std::net::{IpAddr, SocketAddr};

use super::address::Address;
pub use super::attempts::{Attempt, Attempts};
use super::balance::Choice;
use super::link::ServerId;
use super::peers::Peers;
use crate::canary::{Canary, is_planted};
use crate::clock::Millis;
use crate::config::model::{Config, NextConditions, NextUpstream, ProxyPass};
use crate::fault::UpstreamFault;

/// What is to be done to get on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Use an idle connection to this server, if there is a good one.
    TakeIdle(ServerId),
    /// Connect to this server here.
    Dial(ServerId, Address),
    /// Nothing is left to try.
    GiveUp(UpstreamFault),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// A server is to be chosen.
    Choosing,
    /// At a server, whose addresses are tried in turn.
    At { id: ServerId, addresses_tried: usize, may_take_idle: bool },
}

/// What stands for the group of addresses that are of none: nobody knows it.
const ALONE: usize = usize::MAX;

/// The chain of attempts of one call.
#[derive(Debug)]
pub struct Call {
    state: State,
    upstream: usize,
    next: NextUpstream,
    began_ms: Millis,
    redirects: u32,
    /// What is remembered of the servers that were chosen.
    pub choice: Choice,
    /// Addresses that are of no group, the next one last.
    alone: Vec<Address>,
    /// A name that is of no group, and its port.
    name: Option<Box<(String, u16)>>,
    /// nginx: `proxy_bind`: the address here that connections come from, where one is named.
    pub from: Option<SocketAddr>,
    /// How many more servers may fail.
    tries_left: usize,
    /// The last failure.
    fault: UpstreamFault,
    /// Servers that were given up, for the error log.
    passed_over: Vec<(UpstreamFault, Option<Address>)>,
}

impl Default for Call {
    fn default() -> Self {
        Call {
            state: State::Choosing,
            upstream: 0,
            next: NextUpstream::default(),
            began_ms: 0,
            redirects: 0,
            choice: Choice::default(),
            alone: Vec::new(),
            name: None,
            from: None,
            tries_left: 0,
            fault: UpstreamFault::NoneLive,
            passed_over: Vec::new(),
        }
    }
}

impl Call {
    /// Begins a chain.
    pub fn begin(&mut self, pass: &ProxyPass, config: &Config, redirects: u32, now: Millis) {
        self.begin_at(pass.upstream, pass, config, redirects, now);
    }

    /// Begins a chain at what is of no group: `goes_to` or `found` tell its addresses. Of what is
    /// found by a name that is kept.
    pub fn begin_alone(
        &mut self,
        name: Option<(String, u16)>,
        pass: &ProxyPass,
        config: &Config,
        redirects: u32,
        now: Millis,
    ) {
        self.begin_at(ALONE, pass, config, redirects, now);
        self.name = name.map(Box::new);
    }

    /// The name that the chain is at, if it is at one.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref().map(|(host, _)| host.as_str())
    }

    /// Where the chain goes that is at no group, each address being a server of its own.
    pub fn goes_to(&mut self, mut addresses: Vec<Address>) {
        debug_assert!(self.upstream == ALONE && !addresses.is_empty());
        self.tries_left = addresses.len().min(self.tries_max());
        addresses.reverse();
        self.alone = addresses;
    }

    /// The name is found.
    pub fn found(&mut self, ips: &[IpAddr]) {
        let port = self.name.as_deref().map_or(0, |(_, port)| *port);
        self.goes_to(ips.iter().map(|ip| SocketAddr::new(*ip, port).into()).collect());
    }

    fn tries_max(&self) -> usize {
        let most = usize::try_from(self.next.tries).unwrap_or(usize::MAX);
        if most == 0 { usize::MAX } else { most }
    }

    /// Begins a chain at the servers of a group.
    pub fn begin_at(
        &mut self,
        upstream: usize,
        pass: &ProxyPass,
        config: &Config,
        redirects: u32,
        now: Millis,
    ) {
        self.state = State::Choosing;
        self.upstream = upstream;
        self.alone.clear();
        self.name = None;
        self.next = pass.next_upstream;
        self.began_ms = now;
        self.redirects = redirects;
        self.choice.clear();
        // nginx: each server is tried once at most; one that is down is none.
        let servers = config.upstreams.get(upstream).map(|upstream| &upstream.servers);
        let up = servers.into_iter().flatten().filter(|server| !server.down).count();
        self.tries_left = up.min(self.tries_max());
        debug_assert!(servers.is_none_or(|servers| !servers.is_empty()), "a group has servers");
        self.fault = UpstreamFault::NoneLive;
    }

    /// Forgets the last request's calls.
    pub fn clear(&mut self) {
        self.passed_over.clear();
    }

    /// What to do next. Each `Dial` is followed by `attached`, `failed` or the end of the call.
    pub fn step(
        &mut self,
        config: &Config,
        peers: &mut Peers,
        attempts: &mut Attempts,
        now: Millis,
    ) -> Step {
        loop {
            match &mut self.state {
                State::Choosing if self.upstream == ALONE => {
                    let id = ServerId { upstream: ALONE, server: self.alone.len() };
                    self.state = State::At { id, addresses_tried: 0, may_take_idle: false };
                }
                State::Choosing => match peers.pick(config, self.upstream, &mut self.choice, now) {
                    Some(id) => {
                        self.state = State::At { id, addresses_tried: 0, may_take_idle: true };
                    }
                    None => {
                        // nginx: the group's name stands for the server that was not found.
                        attempts.begin(self.attempt(None, now));
                        attempts.end(Some(UpstreamFault::NoneLive.status()), now);
                        return Step::GiveUp(UpstreamFault::NoneLive);
                    }
                },
                State::At { id, may_take_idle, .. } if *may_take_idle => {
                    *may_take_idle = false;
                    return Step::TakeIdle(*id);
                }
                State::At { id, addresses_tried, .. } => {
                    let (id, nth) = (*id, *addresses_tried);
                    *addresses_tried += 1;
                    // nginx: each address is a server of its own.
                    let may_dial = nth == 0 || !self.is_late(now);
                    let address = match self.upstream {
                        ALONE if nth == 0 => self.alone.pop(),
                        ALONE => None,
                        _ => peers.address(id, nth).filter(|_| may_dial),
                    };
                    if let Some(address) = address {
                        attempts.begin(self.attempt(Some(address.clone()), now));
                        return Step::Dial(id, address);
                    }
                    if nth == 0 {
                        attempts.begin(self.attempt(None, now));
                        self.fault = UpstreamFault::Unresolved;
                        attempts.end(Some(self.fault.status()), now);
                    }
                    if !self.leave_server(config, peers, attempts, now) {
                        return Step::GiveUp(self.fault);
                    }
                }
            }
        }
    }

    fn attempt(&self, address: Option<Address>, now: Millis) -> Attempt {
        Attempt {
            upstream: self.upstream,
            address,
            redirects: self.redirects,
            began_ms: now,
            ..Attempt::default()
        }
    }

    /// A connection is there: an idle one was taken, or a dialled one has connected.
    pub fn attached(
        &mut self,
        (id, address): (ServerId, &Address),
        is_reused: bool,
        peers: &mut Peers,
        attempts: &mut Attempts,
        now: Millis,
    ) {
        debug_assert_eq!(self.server(), Some(id), "a connection to the server that it is at");
        if is_reused {
            attempts.begin(self.attempt(Some(address.clone()), now));
        } else {
            peers.connected(id, address);
        }
        if let Some(attempt) = attempts.last() {
            attempt.connect_ms = Some(now.saturating_sub(attempt.began_ms));
        }
    }

    /// A connect has failed: `step` goes on with the server's next address, or another server.
    pub fn dial_failed(&mut self, fault: UpstreamFault, attempts: &mut Attempts, now: Millis) {
        self.fault = fault;
        attempts.end(Some(fault.status()), now);
    }

    /// The server failed on a connection. `may_resend` says that what was sent is still at hand.
    /// True when the request is to be sent once more: `step` says where to.
    pub fn failed(
        &mut self,
        fault: UpstreamFault,
        resend: Resend,
        (config, peers): (&Config, &mut Peers),
        attempts: &mut Attempts,
        now: Millis,
    ) -> bool {
        self.fault = fault;
        attempts.end(Some(fault.status()), now);
        let State::At { id, .. } = self.state else { return false };
        let is_error = fault.condition() == Some(NextConditions::ERROR);
        if resend.is_stale && is_error && is_planted(Canary::DeadLinkIsFinal) {
            return false;
        }
        if resend.is_stale && is_error {
            // A connection that had been idle was dead: that is nobody's fault, and the same
            // server is tried on a new one.
            self.state = State::At { id, addresses_tried: 0, may_take_idle: false };
            return resend.is_possible && (resend.is_idempotent || self.allows_non_idempotent());
        }
        let may_repeat = resend.is_idempotent || self.allows_non_idempotent();
        let allowed = fault.condition().is_some_and(|one| self.next.conditions.contains(one));
        let goes_on = resend.is_possible && may_repeat && allowed;
        self.leave_server(config, peers, attempts, now) && goes_on
    }

    /// nginx: `proxy_next_upstream_timeout` is over.
    fn is_late(&self, now: Millis) -> bool {
        self.next.timeout_ms > 0 && now.saturating_sub(self.began_ms) >= self.next.timeout_ms
    }

    fn allows_non_idempotent(&self) -> bool {
        self.next.conditions.contains(NextConditions::NON_IDEMPOTENT)
    }

    /// The server is done with. True when there is another to try.
    fn leave_server(
        &mut self,
        config: &Config,
        peers: &mut Peers,
        attempts: &mut Attempts,
        now: Millis,
    ) -> bool {
        if let State::At { id, .. } = self.state {
            debug_assert!(!self.choice.tried.contains(&id.server), "a server is left once");
            if self.fault.counts_against_server() {
                peers.failed(config, id, now);
            }
            self.choice.leave(id.server);
            let address = attempts.last().and_then(|attempt| attempt.address.clone());
            self.passed_over.push((self.fault, address));
        }
        self.state = State::Choosing;
        self.tries_left = self.tries_left.saturating_sub(1);
        let is_late = self.is_late(now);
        let allowed = self.fault.condition().is_some_and(|one| self.next.conditions.contains(one));
        self.tries_left > 0 && !is_late && allowed
    }

    /// nginx: whether an answer of this status is given up for one of another server.
    pub fn would_try_next(&self, status: u16, resend: Resend, now: Millis) -> bool {
        let Some(condition) = NextConditions::for_status(status) else { return false };
        let is_late = self.is_late(now);
        self.next.conditions.contains(condition)
            && self.tries_left > 1
            && !is_late
            && resend.is_possible
            && (resend.is_idempotent || self.allows_non_idempotent())
    }

    /// The server that the call is at.
    pub fn server(&self) -> Option<ServerId> {
        match self.state {
            State::Choosing => None,
            State::At { id, .. } => Some(id),
        }
    }

    /// Servers that were given up, with why and where.
    pub fn passed_over(&self) -> &[(UpstreamFault, Option<Address>)] {
        &self.passed_over
    }

    /// Whether another server could still be asked.
    pub fn has_more(&self) -> bool {
        self.tries_left > 1
    }
}

/// Whether a request may be sent once more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resend {
    /// The connection had been idle and nothing came on it since.
    pub is_stale: bool,
    /// All of the body that was sent is at hand, or nothing was sent.
    pub is_possible: bool,
    /// The method says that it may be (RFC 9110 §9.2.2; nginx: all but POST, LOCK and PATCH), or
    /// nothing was sent.
    pub is_idempotent: bool,
}

#[cfg(test)]
mod tests;
