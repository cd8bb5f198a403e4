//! Which cases share a process, running them, and what of the result was not meant.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::bench::Bench;
use crate::case::{self, Case};
use crate::client::Outcome;
use crate::common::{Folder, free_port};
use crate::compare::{self, Difference, Record, differences};
use crate::conf::{self, Frame, Level, Tokens};
use crate::program::{Nginx, Program, SIDES};

/// The cases of one file.
pub struct Suite {
    pub name: String,
    pub cases: Vec<Case>,
}

impl Suite {
    /// Less what has the text neither in its title nor in the file's name.
    pub fn only(mut self, text: &str) -> Suite {
        let name = &self.name;
        self.cases.retain(|case| name.contains(text) || case.title.contains(text));
        self
    }

    /// How often something is asked of a file.
    pub fn pairs(&self) -> usize {
        self.cases.iter().map(|case| case.requests.len()).sum()
    }
}

/// A difference and the case it is in.
pub struct Row {
    pub place: String,
    pub difference: Difference,
}

/// Files at a time, and cases of one at a time: most of them wait.
const PLANS_AT_ONCE: usize = 3;
const CASES_AT_ONCE: usize = 4;

/// Runs all; returns what was not meant, in the order of the cases. `tells`: what nginx did, too.
pub fn run(suites: &[Suite], nginx: &Nginx, tells: bool) -> Vec<Row> {
    let mut groups: Vec<Vec<(&Suite, &Case)>> = Vec::new();
    for suite in suites {
        let (alone, shared): (Vec<&Case>, Vec<&Case>) =
            suite.cases.iter().partition(|case| is_alone(case));
        groups.push(shared.into_iter().map(|case| (suite, case)).collect());
        groups.extend(alone.into_iter().map(|case| vec![(suite, case)]));
    }
    groups.retain(|group| !group.is_empty());
    let judged = in_parallel(PLANS_AT_ONCE, &groups, |group| run_group(group, nginx));
    let mut rows = BTreeMap::new();
    for Judged { suite, case, found, told } in judged.into_iter().flatten() {
        let place = format!("{}.txt:{} {}", suite.name, case.line, case.title);
        if tells {
            crate::say(&format!("{place}\n{told}"));
        }
        let row = |difference| Row { place: place.clone(), difference };
        let own: Vec<Row> = unmeant(case, found, nginx).into_iter().map(row).collect();
        rows.insert((&suite.name, case.line), own);
    }
    rows.into_values().flatten().collect()
}

fn is_alone(case: &Case) -> bool {
    matches!(conf::level(&case.conf), Level::Main | Level::Http)
        || case.differs.iter().any(|differs| differs.what == "load")
}

/// The differences that no `differs` line tells, and the lines that tell of none.
fn unmeant(case: &Case, found: Vec<Difference>, nginx: &Nginx) -> Vec<Difference> {
    let version = case::version(&nginx.version).unwrap_or_default();
    let in_force = case.differs.iter().filter(|differs| differs.nginx.have(&version));
    let mut left = found.clone();
    for differs in in_force {
        let fits = |difference: &Difference| {
            let what = &difference.what;
            differs.request.is_none_or(|request| request == difference.request)
                && (differs.what.is_empty()
                    || *what == differs.what
                    || what.starts_with(&format!("{} ", differs.what)))
        };
        if found.iter().any(fits) {
            left.retain(|difference| !fits(difference));
        } else if found.iter().all(|difference| difference.what != "load") {
            left.push(Difference {
                request: differs.request.unwrap_or(0),
                what: format!("differs: {}", differs.what),
                ours: "the same".into(),
                nginx: "the same".into(),
            });
        }
    }
    left
}

/// What came of a case.
struct Judged<'c> {
    suite: &'c Suite,
    case: &'c Case,
    found: Vec<Difference>,
    /// What nginx did.
    told: String,
}

/// Runs a group, or, where a program does not bear it, every case of it alone.
fn run_group<'c>(group: &[(&'c Suite, &'c Case)], nginx: &Nginx) -> Vec<Judged<'c>> {
    let folders = [Folder::new(), Folder::new()];
    let paths = folders.each_ref().map(Folder::path);
    let benches: Vec<Bench<'c>> =
        group.iter().enumerate().map(|(index, (_, case))| Bench::new(index, case, paths)).collect();
    let mut told = String::new();
    let refusals = match start(&benches, paths, nginx) {
        [Ok(theirs), Ok(own)] => {
            let programs = [theirs, own];
            let records = ask(&benches, &programs, nginx);
            let ends = programs.map(|program| program.stop().err());
            if let [None, None] = ends {
                let all = group.iter().zip(&benches).zip(records);
                return all.map(|((one, bench), records)| judge(*one, bench, records)).collect();
            }
            ends
        }
        [theirs, own] => {
            let mut refusals = [None, own.err()];
            match (theirs, benches.as_slice()) {
                (Err(refusal), _) => refusals[0] = Some(refusal),
                // Whoever writes a case for what is not there yet wants to see what nginx does.
                (Ok(program), [bench]) => {
                    let mut record = bench.ask(0, nginx);
                    refusals[0] = program.stop().err();
                    bench.read_logs(0, &mut record);
                    told = compare::told(&record);
                }
                (Ok(_), _) => {}
            }
            refusals
        }
    };
    if let [(suite, case)] = group {
        let [nginx, ours] = refusals.map(|refusal| refusal.unwrap_or("takes it".into()));
        let difference = Difference { request: 0, what: "load".into(), ours, nginx };
        return vec![Judged { suite, case, found: vec![difference], told }];
    }
    let alone = in_parallel(CASES_AT_ONCE, group, |one| run_group(&[*one], nginx));
    alone.into_iter().flatten().collect()
}

fn judge<'c>(
    (suite, case): (&'c Suite, &'c Case),
    bench: &Bench<'_>,
    [mut nginx, mut ours]: [Record<'_>; 2],
) -> Judged<'c> {
    bench.read_logs(0, &mut nginx);
    bench.read_logs(1, &mut ours);
    let found = differences(case, &nginx, &ours);
    Judged { suite, case, found, told: compare::told(&nginx) }
}

fn start(
    benches: &[Bench<'_>],
    folders: [&Path; 2],
    nginx: &Nginx,
) -> [Result<Program, String>; 2] {
    [0, 1].map(|side| {
        let folder = folders[side];
        let frame = Frame { folder, barrier: free_port() };
        let cases: Vec<(&str, &Tokens)> =
            benches.iter().map(|bench| (bench.case.conf.as_str(), &bench.tokens[side])).collect();
        Program::start(SIDES[side], nginx, folder, &frame.file(&cases), frame.barrier)
    })
}

/// Both sides' records by case, without their logs: those are there when the programs have ended.
/// Where one has died there are fewer: `Program::stop` tells.
fn ask<'n>(
    benches: &'n [Bench<'_>],
    programs: &[Program; 2],
    nginx: &'n Nginx,
) -> Vec<[Record<'n>; 2]> {
    let has_died = AtomicBool::new(false);
    let record = |bench: &'n Bench<'_>, side: usize| {
        let record = bench.ask(side, nginx);
        if record.outcomes.iter().any(Outcome::is_silence) && !programs[side].answers() {
            has_died.store(true, Ordering::Relaxed);
        }
        record
    };
    let records = in_parallel(CASES_AT_ONCE, benches, |bench| {
        let goes_on = !has_died.load(Ordering::Relaxed);
        goes_on.then(|| [record(bench, 0), record(bench, 1)])
    });
    records.into_iter().flatten().collect()
}

/// The results in the order of the items.
fn in_parallel<'t, T: Sync, R: Send>(
    threads: usize,
    items: &'t [T],
    with: impl Fn(&'t T) -> R + Sync,
) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let results: Vec<Mutex<Option<R>>> = items.iter().map(|_| Mutex::default()).collect();
    std::thread::scope(|scope| {
        for _ in 0..threads.min(items.len()) {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(item) = items.get(index) else { return };
                    *results[index].lock().unwrap() = Some(with(item));
                }
            });
        }
    });
    results.into_iter().map(|result| result.into_inner().unwrap().unwrap()).collect()
}

#[test]
fn a_difference_has_to_be_meant_and_what_is_meant_has_to_be_there() {
    let nginx = Nginx { path: "nginx".into(), version: "1.22.1".into() };
    let check = |lines: &str, expected: &[&str]| {
        let text = format!("== x\n> GET /\n{lines}");
        let cases = case::parse("x", &text);
        let found = [(1, "status"), (2, "field X-One"), (2, "log line")].map(|(request, what)| {
            Difference { request, what: what.into(), ours: "a".into(), nginx: "b".into() }
        });
        let left = unmeant(&cases[0], found.into(), &nginx);
        let left: Vec<String> =
            left.iter().map(|left| format!("{} {}", left.request, left.what)).collect();
        assert_eq!(left, expected, "{lines}");
    };
    let (status, field, log) = ("1 status", "2 field X-One", "2 log line");
    check("", &[status, field, log]);
    check("differs: status because x", &[field, log]);
    check("differs: 2 status because x", &[status, field, log, "2 differs: status"]);
    check("differs: field because x", &[status, log]);
    check("differs: field X because x", &[status, field, log, "0 differs: field X"]);
    check("differs: 2 because x", &[status]);
    check("differs: body because x", &[status, field, log, "0 differs: body"]);
    let load = Difference { request: 0, what: "load".into(), ours: "a".into(), nginx: "b".into() };
    let text = "== x\n> GET /\ndiffers: load because x\ndiffers: 1 status because y\n";
    let case = &case::parse("x", text)[0];
    assert_eq!(unmeant(case, vec![load], &nginx), [], "what does not load answers nothing");
    check("differs before 1.23: log because x", &[status, field]);
    check("differs before 1.22: log because x", &[status, field, log]);
    check("differs from 1.22: log because x", &[status, field]);
    check("differs from 1.22.1: log because x", &[status, field]);
    check("differs from 1.22.2: log because x", &[status, field, log]);
}
