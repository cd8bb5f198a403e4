//! The seeds of the fuzz targets as an ordinary test: whole, cut at every byte, and changed by
//! drawn mutations. It finds nothing that is rare; it holds what was found before.

#![allow(clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on ends there")]

use std::fs;
use std::panic;
use std::path::Path;

use fuzz::{Draw, TARGETS, Target};

/// Drawn changes of the seeds of each target.
const MUTATIONS: usize = 1_500;
/// Seeds that are longer are cut at drawn places, not at every byte.
const CUT_EVERYWHERE_BYTES_MAX: usize = 700;

fn seeds(name: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name);
    let mut paths: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    // In the order of their names, so that every run draws the same.
    paths.sort();
    assert!(paths.len() >= 3, "{name} has seeds");
    paths.into_iter().map(|path| fs::read(path).unwrap()).collect()
}

/// A failure shows the bytes that lead to it.
fn run(name: &str, target: Target, input: &[u8]) {
    if panic::catch_unwind(|| target(input)).is_err() {
        panic!("{name} fails with b\"{}\"", input.escape_ascii());
    }
}

fn mutate(seeds: &[Vec<u8>], draw: &mut Draw) -> Vec<u8> {
    let mut input = seeds[draw.below(seeds.len())].clone();
    for _ in 0..=draw.below(4) {
        let at = draw.below(input.len() + 1);
        let end = (at + draw.below(12)).min(input.len());
        match draw.below(5) {
            0 => input.insert(at, draw.below(256) as u8),
            1 => drop(input.drain(at..end)),
            2 => {
                let again = input[at..end].to_vec();
                input.splice(at..at, again);
            }
            3 => {
                let other = &seeds[draw.below(seeds.len())];
                let from = draw.below(other.len() + 1);
                let to = (from + draw.below(60)).min(other.len());
                input.splice(at..end, other[from..to].iter().copied());
            }
            _ => {
                if let Some(byte) = input.get_mut(at) {
                    *byte ^= 1 << draw.below(8);
                }
            }
        }
    }
    input
}

fn check(name: &str) {
    let (_, target) = TARGETS.into_iter().find(|(known, _)| *known == name).unwrap();
    let seeds = seeds(name);
    let mut draw = Draw::new(1);
    for seed in &seeds {
        run(name, target, seed);
        if seed.len() <= CUT_EVERYWHERE_BYTES_MAX {
            (0..seed.len()).for_each(|end| run(name, target, &seed[..end]));
        } else {
            (0..100).for_each(|_| run(name, target, &seed[..draw.below(seed.len())]));
        }
    }
    for _ in 0..MUTATIONS {
        run(name, target, &mutate(&seeds, &mut draw));
    }
}

#[test]
fn heads_hold_what_they_say() {
    check("heads");
}

#[test]
fn answers_of_name_servers_hold_what_they_say() {
    check("names");
}

#[test]
fn records_hold_what_they_say() {
    check("records");
}

#[test]
fn answers_of_stores_hold_what_they_say() {
    check("stores");
}

#[test]
fn answers_hold_what_they_say() {
    check("answers");
}

#[test]
fn checkpoints_hold_what_they_say() {
    check("checkpoint");
}

#[test]
fn chunks_hold_what_they_say() {
    check("chunks");
}

#[test]
fn configurations_hold_what_they_say() {
    check("configuration");
}

#[test]
fn exchanges_hold_what_they_say() {
    check("exchange");
}

#[test]
fn each_target_is_run_weekly() {
    let workflow = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.github/workflows/fuzz.yml");
    let names = TARGETS.map(|(name, _)| name).join(", ");
    let text = fs::read_to_string(workflow).unwrap();
    assert!(text.contains(&format!("target: [{names}]")), "its matrix is [{names}]");
}
