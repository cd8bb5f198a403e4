//! Which sockets a configuration needs, and what a reload does with those that are bound.
//!
//! Pure: `bound sockets + configuration -> keep, open, close`. Binding is the program's.

use std::net::SocketAddr;

use crate::canary::{Canary, is_planted};
use crate::config::model::Config;

/// A bound socket. Never used again for another one, so that whatever outlives a socket finds
/// nothing in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ListenerId(u64);

impl ListenerId {
    /// For the poller.
    pub fn to_u64(self) -> u64 {
        self.0
    }

    /// From the poller.
    pub fn from_u64(bits: u64) -> ListenerId {
        ListenerId(bits)
    }
}

/// Which `listen` of a configuration a bound socket serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Binding {
    /// The socket.
    pub id: ListenerId,
    /// Index into the `listens` of the configuration that the plan was made for.
    pub listen: usize,
}

/// A socket that stands in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Bound {
    id: ListenerId,
    address: SocketAddr,
    is_ipv6_only: bool,
}

/// What takes a configuration into force.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Sockets that go on, with what they serve from now on.
    pub keep: Vec<Binding>,
    /// Sockets to be bound, once those that are in their way are closed.
    pub open: Vec<Binding>,
    /// Sockets that are needed no more.
    pub close: Vec<ListenerId>,
}

/// The sockets that are bound now.
#[derive(Debug, Default)]
pub struct Table {
    bound: Vec<Bound>,
    next_id: u64,
}

impl Table {
    /// What a configuration needs. The table changes by [`Table::commit`] only. nginx: an address
    /// whose port a wildcard of its family listens on has no socket of its own.
    pub fn plan(&self, config: &Config) -> Plan {
        let mut plan = Plan::default();
        let mut next_id = self.next_id;
        for (listen, wanted) in config.listens.iter().enumerate() {
            if wanted.bound_by.is_some() {
                continue;
            }
            let is_wanted = |bound: &&Bound| {
                bound.address == wanted.address
                    && (wanted.address.is_ipv4() || bound.is_ipv6_only == wanted.ipv6_only)
            };
            match self.bound.iter().find(is_wanted) {
                Some(bound) => plan.keep.push(Binding { id: bound.id, listen }),
                None => {
                    plan.open.push(Binding { id: ListenerId(next_id), listen });
                    next_id += 1;
                }
            }
        }
        let is_kept = |id: ListenerId| plan.keep.iter().any(|kept| kept.id == id);
        plan.close = self.bound.iter().map(|bound| bound.id).filter(|id| !is_kept(*id)).collect();
        debug_assert_eq!(plan.keep.len() + plan.close.len(), self.bound.len(), "kept or closed");
        plan
    }

    /// The plan was carried out, but for the sockets in `left_out`, which could not be bound.
    pub fn commit(&mut self, config: &Config, plan: &Plan, left_out: &[ListenerId]) {
        let opened = plan.open.iter().filter(|opened| !left_out.contains(&opened.id));
        let bound = |binding: &Binding| {
            let listen = config.listens.get(binding.listen)?;
            Some(Bound { id: binding.id, address: listen.address, is_ipv6_only: listen.ipv6_only })
        };
        self.bound = plan.keep.iter().chain(opened).filter_map(bound).collect();
        if !is_planted(Canary::ListenerNumberReused) {
            self.next_id += plan.open.len() as u64;
        }
        debug_assert!(self.has_no_double());
    }

    fn has_no_double(&self) -> bool {
        self.bound.iter().enumerate().all(|(index, one)| {
            let others = self.bound.iter().skip(index + 1);
            others.clone().all(|other| other.id != one.id && other.address != one.address)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::config::model::Listen;

    const ADDRESSES: [&str; 6] =
        ["127.0.0.1:80", "0.0.0.0:80", "[::]:80", "[::1]:80", "127.0.0.1:81", "0.0.0.0:81"];

    /// The configuration that listens on these, in this order, as lowering makes it.
    fn config(addresses: &[&str], ipv6_only: bool) -> Config {
        let listens = addresses.iter().map(|text| Listen {
            address: text.parse().unwrap(),
            ipv6_only,
            ..Listen::for_tests()
        });
        let mut config = Config { listens: listens.collect(), ..Config::default() };
        let all = config.listens.clone();
        for listen in &mut config.listens {
            let covers = |other: &Listen| {
                other.address.ip().is_unspecified()
                    && other.address.port() == listen.address.port()
                    && other.address.is_ipv4() == listen.address.is_ipv4()
            };
            if !listen.address.ip().is_unspecified() {
                listen.bound_by = all.iter().position(covers);
            }
        }
        config
    }

    /// Takes a configuration into force in table and model, and compares the two.
    fn step(
        table: &mut Table,
        model: &mut BTreeMap<ListenerId, SocketAddr>,
        config: &Config,
        left_out: impl Fn(SocketAddr) -> bool,
    ) {
        let plan = table.plan(config);
        for id in &plan.close {
            assert!(model.remove(id).is_some(), "only what is bound is closed, once");
        }
        let mut out = Vec::new();
        for binding in &plan.open {
            let address = config.listens[binding.listen].address;
            assert!(!model.values().any(|bound| *bound == address), "{address} is bound already");
            if left_out(address) {
                out.push(binding.id);
            } else {
                assert!(model.insert(binding.id, address).is_none(), "an id is never used again");
            }
        }
        for kept in &plan.keep {
            assert_eq!(model.get(&kept.id), Some(&config.listens[kept.listen].address));
        }
        table.commit(config, &plan, &out);
        let mut wanted: Vec<SocketAddr> =
            config.listens.iter().filter(|l| l.bound_by.is_none()).map(|l| l.address).collect();
        wanted.retain(|address| !left_out(*address));
        let mut bound: Vec<SocketAddr> = model.values().copied().collect();
        wanted.sort_unstable();
        bound.sort_unstable();
        assert_eq!(bound, wanted, "what is bound is what the configuration asks for");
    }

    #[test]
    fn an_address_that_comes_back_gets_a_socket_of_its_own() {
        let (mut table, mut model) = (Table::default(), BTreeMap::new());
        for addresses in [&["127.0.0.1:80"][..], &["127.0.0.1:81"], &["127.0.0.1:80"]] {
            step(&mut table, &mut model, &config(addresses, true), |_| false);
        }
        let again = table.plan(&config(&["127.0.0.1:80"], true));
        assert_eq!((again.keep.len(), again.open.len(), again.close.len()), (1, 0, 0));
    }

    #[test]
    fn drawn_sequences_of_configurations_bind_what_they_ask_for() {
        let mut state: u64 = 7;
        let mut draw = |bound: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 33) as usize % bound
        };
        for _ in 0..500 {
            let (mut table, mut model) = (Table::default(), BTreeMap::new());
            let no_ipv6 = draw(4) == 0;
            for _ in 0..12 {
                let mut addresses: Vec<&str> =
                    ADDRESSES.into_iter().filter(|_| draw(2) == 0).collect();
                for index in (1..addresses.len()).rev() {
                    addresses.swap(index, draw(index + 1));
                }
                let config = config(&addresses, draw(3) > 0);
                step(&mut table, &mut model, &config, |address| no_ipv6 && address.is_ipv6());
            }
        }
    }
}
