//! Names of upstream servers that are to be looked up again, at an interval of their own.
//!
//! A look-up may take as long as the system's resolver does: a thread of its own makes it, one at
//! a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::config;
use crate::net::Runtime;

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
        if now >= self.watch_due {
            self.watch_due = now + WATCH_INTERVAL;
            want_watched(runtime);
        }
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

fn want_watched(runtime: &Runtime) {
    for (upstream, group) in runtime.config.upstreams.iter().enumerate() {
        for (server, _) in group.servers.iter().enumerate().filter(|(_, one)| one.is_watched) {
            runtime.addresses.want(upstream, server);
        }
    }
}

fn look_up(runtime: &Runtime, upstream: usize, server: usize) {
    let settings = &runtime.config.upstreams[upstream].servers[server];
    let found = config::resolve(&settings.host, settings.port);
    if found.is_empty() {
        runtime.addresses.want(upstream, server);
    }
    runtime.addresses.set(upstream, server, &found);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::addresses::Addresses;
    use crate::test_upstream::{server, upstream};
    use proxy_core::config::model::{Config, UpstreamServer};

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

    fn wait_for(lookups: &Lookups, runtime: &Runtime, server: usize) {
        let end = Instant::now() + Duration::from_secs(20);
        let is_under_way = || lookups.is_under_way.load(Ordering::SeqCst);
        while is_under_way() || runtime.addresses.list(0, server).len() < 2 {
            assert!(Instant::now() < end, "it is not looked up");
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}
