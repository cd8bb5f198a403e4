//! The seeded simulator: the engine among clients, upstream servers and reloads over byte pipes.
//!
//! Replay one seed with `SIM_SEED=n`, run more with `SIM_SEEDS=n`; a failure names its seed and what
//! the world was drawn with. `SIM_TRACE=1 SIM_SEED=n` tells all that happens.
//!
//! The long mode, for a machine that has nothing else to do:
//! `SIM_SEEDS=100000 cargo test -p proxy-core --test sim no_byte -- --nocapture`; `SIM_FROM=n` begins
//! elsewhere.

#![allow(
    clippy::expect_used,
    clippy::needless_range_loop,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a world that cannot go on ends there, and tells what happened"
)]
#![allow(dead_code, reason = "some of what is known of a world is there to be told of a failure")]

mod canaries;
mod client;
mod conn;
mod crowd;
mod fastcgi;
mod features;
mod files;
mod ledger;
mod network;
mod oracle;
mod parts;
mod pattern;
mod plan;
mod preface;
mod prng;
mod reader;
mod server;
mod shell;
mod site;
mod socket;
mod unpack;
mod world;

use std::sync::OnceLock;

use world::World;

fn env(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Tells what happens, where it is asked for.
fn trace(text: impl FnOnce() -> String) {
    static IS_ASKED: OnceLock<bool> = OnceLock::new();
    if *IS_ASKED.get_or_init(|| std::env::var_os("SIM_TRACE").is_some()) {
        println!("{}", text());
    }
}

/// How the failure of a world begins that an assertion has ended.
const PANIC: &str = "panic: ";

fn simulate(seed: u64) -> Result<(), String> {
    let run = || World::new(seed).run();
    std::panic::catch_unwind(run).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or(panic.downcast_ref::<&str>().copied());
        Err(format!("{PANIC}{}", text.unwrap_or("without a text")))
    })
}

#[test]
fn no_byte_is_lost_or_crossed_whatever_happens() {
    let seeds = match env("SIM_SEED") {
        Some(seed) => seed..seed + 1,
        None => {
            let first = env("SIM_FROM").unwrap_or(0);
            first..first + env("SIM_SEEDS").unwrap_or(4_000)
        }
    };
    let failures = seeds.filter_map(|seed| {
        if seed % 1_000 == 999 || env("SIM_EACH").is_some() {
            println!("seed {seed}");
        }
        let failure = simulate(seed).err()?;
        Some(format!("SIM_SEED={seed}: {failure}"))
    });
    let failures: Vec<_> = failures.take(10).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
