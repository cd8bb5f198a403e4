//! Each planted fault is found, or the simulator does not see what it is there for.

use proxy_core::canary::{self, Canary};

use crate::{PANIC, simulate};

/// Within so many seeds each fault is to be found.
const SEEDS_MAX: u64 = 4_000;

/// The first seed whose oracle finds the fault, with what it says. An assertion of the core, which
/// a program of a release does not have, is not enough.
fn found(planted: Canary) -> Option<(u64, String)> {
    canary::plant(Some(planted));
    let of_seed = |seed| Some((seed, simulate(seed).err()?));
    let mut all = (0..SEEDS_MAX).filter_map(of_seed);
    let found = all.find(|(_, wrong)| !wrong.starts_with(PANIC));
    canary::plant(None);
    found
}

#[test]
fn every_planted_fault_is_found() {
    let found: Vec<_> = canary::ALL
        .iter()
        .copied()
        .map(|planted| {
            let found = found(planted);
            println!("{planted:?} is found by {found:?}");
            (planted, found.map(|(seed, _)| seed))
        })
        .collect();
    let missed: Vec<_> = found.iter().filter(|(_, seed)| seed.is_none()).collect();
    assert!(missed.is_empty(), "{missed:?} of {found:?}");
}
