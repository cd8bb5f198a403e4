//! Each planted fault is found, or the simulator does not see what it is there for.

use proxy_core::canary::{self, Canary};

use crate::simulate;

/// Within so many seeds each fault is to be found.
const SEEDS_MAX: u64 = 2_000;

/// The first seed that finds the fault.
fn found(planted: Canary) -> Option<u64> {
    canary::plant(Some(planted));
    let seed = (0..SEEDS_MAX).find(|seed| simulate(*seed).is_err());
    canary::plant(None);
    seed
}

#[test]
fn every_planted_fault_is_found() {
    let found: Vec<_> = canary::ALL
        .into_iter()
        .map(|planted| {
            let seed = found(planted);
            println!("{planted:?} is found by seed {seed:?}");
            (planted, seed)
        })
        .collect();
    let missed: Vec<_> = found.iter().filter(|(_, seed)| seed.is_none()).collect();
    assert!(missed.is_empty(), "{missed:?} of {found:?}");
}
