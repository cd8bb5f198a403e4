//! The proxy beside nginx: the same bytes to both, from hostile clients and from odd applications,
//! with the same file. What ours lets through is what nginx lets through; where ours refuses or
//! does otherwise, the lists in this folder say so and why, and a line of theirs that is no longer
//! true fails too. They were made with the nginx of Debian 12, and other versions differ.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on ends there")]

mod answers;
mod lane;
mod programs;
mod reader;
mod refusals;
mod replies;
mod requests;
mod streams;
mod verdict;

use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use lane::Lane;
use programs::Program;
use refusals::Refusals;
use verdict::{Tally, Verdict};

/// Conversations under way at a time, on each side. Most of the time they wait for a program.
const LANES: usize = 6;

#[test]
fn requests_go_through_as_with_nginx_or_not_at_all() {
    let streams = streams::all();
    assert!(streams.len() >= 500, "only {} streams", streams.len());
    each_has_a_name_of_its_own(streams.iter().map(|stream| stream.name.as_str()));
    let Some(nginx) = programs::find_nginx() else { return };
    let is_listed = programs::is_the_listed(&nginx);
    let (ours, nginx) = (Program::ours(LANES), Program::nginx(&nginx, LANES));
    let found = on_all_lanes(ours, nginx, &streams, |stream, ours, nginx| {
        let name = stream.name.clone();
        stream
            .ways()
            .map(|talk| (name.clone(), requests::compare(stream, &talk, ours, nginx)))
            .collect()
    });
    let list = Refusals::parse("refusals.txt", include_str!("refusals.txt"));
    Tally::of(found, list).conclude("requests", is_listed);
}

#[test]
fn answers_go_through_as_with_nginx_or_not_at_all() {
    let replies = replies::all();
    assert!(replies.len() >= 200, "only {} answers", replies.len());
    each_has_a_name_of_its_own(replies.iter().map(|reply| reply.name.as_str()));
    let Some(nginx) = programs::find_nginx() else { return };
    let is_listed = programs::is_the_listed(&nginx);
    let (ours, nginx) = (Program::ours(LANES), Program::nginx(&nginx, LANES));
    let found = on_all_lanes(ours, nginx, &replies, |reply, ours, nginx| {
        ["GET", "HEAD"]
            .map(|method| {
                let name = format!("{} {method}", reply.name);
                (name, answers::compare(reply, method, ours, nginx))
            })
            .into()
    });
    let list = Refusals::parse("answer-refusals.txt", include_str!("answer-refusals.txt"));
    Tally::of(found, list).conclude("answers", is_listed);
}

fn each_has_a_name_of_its_own<'n>(names: impl Iterator<Item = &'n str>) {
    let mut seen = HashSet::new();
    let twice: Vec<&str> = names.filter(|name| !seen.insert(*name)).collect();
    assert!(twice.is_empty(), "names that stand twice: {twice:?}");
}

/// Runs `compare` on each case, many at a time, and gives the verdicts in any order. Ends early,
/// and fails, when ours serves nobody any more.
fn on_all_lanes<C: Sync>(
    mut ours: Program,
    mut nginx: Program,
    cases: &[C],
    compare: impl Fn(&C, &mut Lane, &mut Lane) -> Vec<(String, Verdict)> + Sync,
) -> Vec<(String, Verdict)> {
    let next = AtomicUsize::new(0);
    let found = Mutex::new(Vec::new());
    let lanes = std::mem::take(&mut ours.lanes).into_iter().zip(std::mem::take(&mut nginx.lanes));
    thread::scope(|scope| {
        for (mut our_lane, mut nginx_lane) in lanes {
            let (next, found, compare, ours) = (&next, &found, &compare, &ours);
            scope.spawn(move || {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let verdicts = compare(case, &mut our_lane, &mut nginx_lane);
                    let is_dead = verdicts.iter().any(|(_, verdict)| verdict.ours_waits())
                        && !our_lane.is_served();
                    found.lock().unwrap().extend(verdicts);
                    if is_dead {
                        // One says it, and nobody begins another case.
                        let is_first = next.swap(cases.len(), Ordering::Relaxed) < cases.len();
                        assert!(!is_first, "ours serves nobody any more:\n{}", ours.stderr());
                    }
                }
            });
        }
    });
    found.into_inner().unwrap()
}
