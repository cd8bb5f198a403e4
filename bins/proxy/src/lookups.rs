//! Names of upstream servers that are to be looked up again, at an interval of their own.
//!
//! A look-up may take as long as the system's resolver does: a thread of its own makes it, one at
//! a time.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use proxy_core::config::model::UpstreamServer;
use proxy_core::upstream::address::Address;

use crate::config;
use crate::net::Runtime;
use crate::resolver::{self, Outcome};

/// How often names are looked up for which somebody waits.
const INTERVAL: Duration = Duration::from_secs(2);

/// How often names are looked up that may change unseen (nginx: `resolve`).
const WATCH_INTERVAL: Duration = Duration::from_secs(30);

/// When and whether names are looked up.
pub struct Lookups {
    due: Instant,
    watch_due: Instant,
    is_under_way: Arc<AtomicBool>,
}

impl Lookups {
    /// The first turn is an interval from now.
    pub fn new(now: Instant) -> Lookups {
        Lookups {
            due: now + INTERVAL,
            watch_due: now + WATCH_INTERVAL,
            is_under_way: Arc::new(AtomicBool::new(false)),
        }
    }

    /// When the next turn is due.
    pub fn due(&self) -> Instant {
        self.due
    }

    /// Looks up what is wanted, if it is time for it and the last look-up has ended.
    pub fn turn(&mut self, now: Instant, runtime: &Arc<Runtime>) {
        if now < self.due {
            return;
        }
        self.due = now + INTERVAL;
        let is_due = now >= self.watch_due;
        if is_due {
            self.watch_due = now + WATCH_INTERVAL;
        }
        want_watched(runtime, is_due);
        if self.is_under_way.swap(true, Ordering::SeqCst) {
            return;
        }
        let wanted = runtime.addresses.take_wanted();
        let is_under_way = Arc::clone(&self.is_under_way);
        if wanted.is_empty() {
            return is_under_way.store(false, Ordering::SeqCst);
        }
        let (runtime_then, wanted_then) = (Arc::clone(runtime), wanted.clone());
        let spawned = std::thread::Builder::new().name("resolver".into()).spawn(move || {
            for (upstream, server) in wanted_then {
                look_up(&runtime_then, upstream, server);
            }
            is_under_way.store(false, Ordering::SeqCst);
        });
        if spawned.is_err() {
            // There may be a thread to be had next time.
            wanted.iter().for_each(|(upstream, server)| runtime.addresses.want(*upstream, *server));
            self.is_under_way.store(false, Ordering::SeqCst);
        }
    }
}

/// Who asks a `resolver` is told again what it knows for as long as that holds: such names are
/// wanted at every turn, others where it `is_due`.
fn want_watched(runtime: &Runtime, is_due: bool) {
    for (upstream, group) in runtime.config.upstreams.iter().enumerate() {
        let is_wanted = |one: &UpstreamServer| one.is_watched && (is_due || one.resolver.is_some());
        for (server, _) in group.servers.iter().enumerate().filter(|(_, one)| is_wanted(one)) {
            runtime.addresses.want(upstream, server);
        }
    }
}

fn look_up(runtime: &Arc<Runtime>, upstream: usize, server: usize) {
    let settings = &runtime.config.upstreams[upstream].servers[server];
    let (host, port) = (settings.host.as_str(), settings.port);
    let resolver = settings.resolver.as_ref().filter(|_| Address::literal(host, port).is_none());
    let Some(resolver) = resolver else {
        return found(runtime, (upstream, server), &config::resolve(host, port));
    };
    let its = Arc::clone(runtime);
    let tell = move |outcome| told(&its, (upstream, server), outcome);
    if let Some(outcome) = resolver::ask(resolver, host, tell) {
        told(runtime, (upstream, server), outcome);
    }
}

/// Name servers tell addresses in turns; here they have an order that stays, since the one that
/// answered last is preferred.
fn told(runtime: &Runtime, place: (usize, usize), outcome: Outcome) {
    let port = runtime.config.upstreams[place.0].servers[place.1].port;
    let mut addresses: Vec<Address> = Vec::new();
    for ip in outcome.unwrap_or_default() {
        let address = SocketAddr::new(ip, port).into();
        let at = addresses.partition_point(|known| *known < address);
        addresses.insert(at, address);
    }
    found(runtime, place, &addresses);
}

fn found(runtime: &Runtime, (upstream, server): (usize, usize), addresses: &[Address]) {
    if addresses.is_empty() {
        runtime.addresses.want(upstream, server);
    }
    runtime.addresses.set(upstream, server, addresses);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::addresses::Addresses;
    use crate::test_upstream::{server, upstream};
    use proxy_core::config::model::Config;

    fn runtime() -> Arc<Runtime> {
        let watched = UpstreamServer { is_watched: true, ..server("localhost", &["10.0.0.1:1"]) };
        let upstream = upstream("u", vec![server("localhost", &[]), watched]);
        let config = Config { upstreams: vec![upstream], ..Config::default() };
        let addresses = Addresses::new(&config);
        Arc::new(Runtime { config: Arc::new(config), addresses })
    }

    #[test]
    fn a_name_without_an_address_is_looked_up_when_it_is_due_and_not_before() {
        let (start, runtime) = (Instant::now(), runtime());
        let mut lookups = Lookups::new(start);
        lookups.turn(start, &runtime);
        assert_eq!((lookups.due(), runtime.addresses.list(0, 0).len()), (start + INTERVAL, 0));
        let now = start + INTERVAL;
        lookups.turn(now, &runtime);
        assert_eq!(lookups.due(), now + INTERVAL);
        wait_for(&lookups, &runtime, 0);
        assert_eq!(runtime.addresses.list(0, 1).len(), 1, "nobody has asked for it");
        lookups.turn(start + WATCH_INTERVAL, &runtime);
        wait_for(&lookups, &runtime, 1);
    }

    #[test]
    fn who_has_a_resolver_is_looked_up_by_it_at_every_turn() {
        let (resolver, asked) = resolver::tests::answering();
        let own = UpstreamServer {
            is_watched: true,
            resolver: Some(resolver),
            ..server("app.test", &["10.0.0.1:1"])
        };
        let config = Config { upstreams: vec![upstream("u", vec![own])], ..Config::default() };
        let addresses = Addresses::new(&config);
        let runtime = Arc::new(Runtime { config: Arc::new(config), addresses });
        let start = Instant::now();
        let mut lookups = Lookups::new(start);
        for turn in 1..4 {
            lookups.turn(start + INTERVAL * turn, &runtime);
            wait_for(&lookups, &runtime, 0);
        }
        let found = runtime.addresses.list(0, 0);
        let shown: Vec<_> = found.iter().map(ToString::to_string).collect();
        assert!(
            shown[0].starts_with("10.0.0.7:") && shown[1].starts_with("10.0.0.8:"),
            "{shown:?}"
        );
        assert_eq!(asked.load(Ordering::SeqCst), 1, "it holds for a minute");
    }

    fn wait_for(lookups: &Lookups, runtime: &Runtime, server: usize) {
        let end = Instant::now() + Duration::from_secs(20);
        let is_under_way = || lookups.is_under_way.load(Ordering::SeqCst);
        while is_under_way() || runtime.addresses.list(0, server).len() < 2 {
            assert!(Instant::now() < end, "it is not looked up");
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}
