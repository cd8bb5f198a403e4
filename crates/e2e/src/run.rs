//! Runs the assertions: which of them, in which order, beside which, and the report.
//!
//! Assertions of one lane share a namespace and a release and run one after the other. Lanes run
//! beside each other, since most of them mostly wait for the cluster; the last lane, which measures
//! time, memory and a load, runs alone. After a failure a lane goes on in a new namespace, so that
//! one fault is reported once and the failed state stays to be looked at.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use crate::assertions::{self, Assertion, Stop};
use crate::cluster::Cluster;
use crate::command;
use crate::comparison;
use crate::diagnose;
use crate::print;
use crate::site::Site;

/// Where a run takes place, and with what.
#[derive(clap::Args)]
pub(crate) struct Place {
    /// kind's name of the cluster.
    #[arg(long)]
    cluster: String,
    /// The helm to use, version 3 or 4.
    #[arg(long, default_value = "helm")]
    helm: String,
    /// Folder of the chart.
    #[arg(long, default_value = "charts/sidecar")]
    chart: PathBuf,
}

impl Place {
    fn cluster(&self) -> Cluster {
        Cluster {
            name: self.cluster.clone(),
            helm: self.helm.clone(),
            chart: self.chart.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }
}

/// Arguments of `e2e run`.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    place: Place,
    /// The cluster gives Services of type LoadBalancer an address; without it the test does.
    #[arg(long)]
    load_balancer: bool,
    /// Lanes that run beside each other.
    #[arg(long, default_value_t = 3)]
    jobs: usize,
    /// Leave out the assertions that do not hang on helm's version.
    #[arg(long)]
    again: bool,
    /// Assertions to run; all without any.
    names: Vec<String>,
}

/// Assertions that ran, by how they ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Tally {
    passed: usize,
    failed: usize,
    skipped: usize,
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Tally { passed, failed, skipped } = self;
        write!(f, "{passed} passed, {failed} failed, {skipped} skipped")
    }
}

/// Prints the assertions of these names.
pub(crate) fn list(names: &[String]) -> ExitCode {
    match choose(names) {
        Ok(chosen) => {
            for Assertion { name, what, .. } in chosen {
                print(&format!("{name}\t{what}\n"));
            }
            ExitCode::SUCCESS
        }
        Err(why) => refuse(&why),
    }
}

fn refuse(why: &str) -> ExitCode {
    eprintln!("e2e: {why}");
    ExitCode::from(crate::USAGE)
}

/// Runs the assertions asked for. Exit 0 when none failed, 1 when one did, 2 when they could not
/// be begun, 64 for a name that is none.
pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    let mut chosen = match choose(&arguments.names) {
        Ok(chosen) => chosen,
        Err(why) => return refuse(&why),
    };
    chosen.retain(|assertion| !(arguments.again && assertion.once));
    let cluster = arguments.place.cluster();
    let scratch = match begin(&cluster) {
        Ok(scratch) => scratch,
        Err(why) => {
            print(&format!("FAILED setup: {why}\n{}\n", Tally { failed: 1, ..Tally::default() }));
            return ExitCode::from(2);
        }
    };
    let runner = Runner {
        cluster: &cluster,
        scratch: scratch.clone(),
        load_balancer: arguments.load_balancer,
        tally: Mutex::new(Tally::default()),
    };
    runner.run(&chosen, arguments.jobs);
    // A leftover in the temporary folder is not worth a failure.
    let _ = std::fs::remove_dir_all(&scratch);
    let tally = *runner.tally.lock().unwrap_or_else(PoisonError::into_inner);
    print(&format!("{tally}\n"));
    if tally.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Makes the folder for files and the pod that requests are sent from.
fn begin(cluster: &Cluster) -> Result<PathBuf, String> {
    let scratch = std::env::temp_dir().join(format!("e2e-{}", std::process::id()));
    std::fs::create_dir_all(&scratch).map_err(|error| format!("{}: {error}", scratch.display()))?;
    cluster.start_client()?;
    Ok(scratch)
}

/// Prints the table of the comparison, or why there is none.
pub(crate) fn compare(place: &Place) -> ExitCode {
    let cluster = place.cluster();
    match begin(&cluster).and_then(|scratch| comparison::run(&cluster, &scratch)) {
        Ok(table) => {
            print(&table);
            ExitCode::SUCCESS
        }
        Err(why) => {
            eprintln!("e2e: {why}");
            ExitCode::FAILURE
        }
    }
}

/// The assertions of these names, in their order in the table.
fn choose(names: &[String]) -> Result<Vec<&'static Assertion>, String> {
    let known = |name: &String| assertions::ALL.iter().any(|one| one.name == name);
    if let Some(unknown) = names.iter().find(|name| !known(name)) {
        let all: Vec<_> = assertions::ALL.iter().map(|one| one.name).collect();
        return Err(format!("no assertion `{unknown}`; there are {}", all.join(", ")));
    }
    let wanted = |one: &&Assertion| names.is_empty() || names.iter().any(|name| name == one.name);
    Ok(assertions::ALL.iter().filter(wanted).collect())
}

/// Lanes in the order of their first assertion.
fn lanes(chosen: &[&'static Assertion]) -> VecDeque<Vec<&'static Assertion>> {
    let mut lanes: VecDeque<Vec<&'static Assertion>> = VecDeque::new();
    for assertion in chosen {
        match lanes.iter_mut().find(|lane| lane[0].lane == assertion.lane) {
            Some(lane) => lane.push(assertion),
            None => lanes.push_back(vec![assertion]),
        }
    }
    lanes
}

struct Runner<'a> {
    cluster: &'a Cluster,
    scratch: PathBuf,
    load_balancer: bool,
    /// Also held while a report is printed, so that reports stay whole.
    tally: Mutex<Tally>,
}

impl Runner<'_> {
    fn run(&self, chosen: &[&'static Assertion], jobs: usize) {
        let (alone, beside): (VecDeque<_>, VecDeque<_>) =
            lanes(chosen).into_iter().partition(|lane| lane[0].lane == assertions::ALONE);
        let queue = Mutex::new(beside);
        let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        std::thread::scope(|scope| {
            for _ in 0..jobs.max(1) {
                scope.spawn(|| {
                    while let Some(lane) = next() {
                        self.lane(&lane);
                    }
                });
            }
        });
        for lane in alone {
            self.lane(&lane);
        }
    }

    fn lane(&self, lane: &[&'static Assertion]) {
        let mut site = None;
        for (index, assertion) in lane.iter().enumerate() {
            let started = Instant::now();
            let here = match site.take() {
                Some(here) => Ok(here),
                None => self.site(&format!("e2e-{}-{}", assertion.lane, index + 1)),
            };
            let ended = match &here {
                Ok(here) => (assertion.run)(here),
                Err(why) => Err(Stop::Failed(why.clone())),
            };
            let failed = matches!(ended, Err(Stop::Failed(_)));
            self.report(assertion, here.as_ref().ok(), started, ended);
            site = here.ok().filter(|_| !failed);
        }
        if let Some(site) = site {
            // Frees the node for the lanes to come; nobody waits for it.
            let gone = ["delete", "namespace", &site.namespace, "--wait=false"];
            if let Err(why) = self.cluster.kubectl(&gone) {
                eprintln!("e2e: {why}");
            }
        }
    }

    fn site(&self, namespace: &str) -> Result<Site<'_>, String> {
        self.cluster.create_namespace(namespace)?;
        Ok(Site {
            cluster: self.cluster,
            namespace: namespace.to_owned(),
            scratch: self.scratch.clone(),
            load_balancer: self.load_balancer,
        })
    }

    fn report(
        &self,
        assertion: &Assertion,
        site: Option<&Site<'_>>,
        started: Instant,
        ended: Result<String, Stop>,
    ) {
        let Assertion { name, what, .. } = assertion;
        let seconds = started.elapsed().as_secs_f64();
        let details = match (&ended, site) {
            (Err(Stop::Failed(_)), Some(site)) => diagnose::text(site),
            _ => String::new(),
        };
        let mut tally = self.tally.lock().unwrap_or_else(PoisonError::into_inner);
        print(&match ended {
            Ok(seen) => {
                tally.passed += 1;
                format!("ok {name}: {what}; {seen} ({seconds:.1} s)\n")
            }
            Err(Stop::Skipped(why)) => {
                tally.skipped += 1;
                format!("skipped {name}: {why}\n")
            }
            Err(Stop::Failed(why)) => {
                tally.failed += 1;
                let why = command::one_line(&why);
                format!("FAILED {name}: {why} ({seconds:.1} s)\n{details}--- end of {name}\n")
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_choose_and_wrong_names_are_refused() {
        assert_eq!(choose(&[]).unwrap().len(), assertions::ALL.len());
        let chosen = choose(&["toggles".to_owned(), "install".to_owned()]).unwrap();
        assert_eq!(chosen.iter().map(|one| one.name).collect::<Vec<_>>(), ["install", "toggles"]);
        assert!(choose(&["instal".to_owned()]).err().unwrap().contains("helm_test"));
    }

    #[test]
    fn every_assertion_is_in_one_lane() {
        let lanes = lanes(&choose(&[]).unwrap());
        assert_eq!(lanes.iter().map(Vec::len).sum::<usize>(), assertions::ALL.len());
        for lane in &lanes {
            assert!(lane.iter().all(|one| one.lane == lane[0].lane));
        }
    }

    #[test]
    fn the_last_line_is_the_count() {
        let tally = Tally { passed: 14, failed: 0, skipped: 1 };
        assert_eq!(tally.to_string(), "14 passed, 0 failed, 1 skipped");
    }
}
