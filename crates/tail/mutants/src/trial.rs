//! Owns one run of a package's tests over a copy of the sources, within a bound of time. It ends
//! only what it started.

use std::fs::{self, File};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

/// How long compiling may take; a first time compiles all dependencies.
const BUILD_TIME: Duration = Duration::from_secs(900);
/// Variables that would make the tests run something else than they do in continuous integration.
const FOREIGN: [&str; 3] = ["SIM_SEED", "SIM_SEEDS", "SIM_TRACE"];

/// What is built and what of it is run, the quick before the slow: most faults fail tests that take
/// seconds; the simulators take a minute.
const STAGES: [(&[&str], &[&str]); 4] = [
    (&["--bins"], &[]),
    (&["--test", "*"], &[]),
    (&["--lib"], &["--", "--skip", "sim::"]),
    (&["--lib"], &["--", "sim::"]),
];

/// What cargo says of a package that has none of a stage's targets.
const NO_TARGET: [&str; 2] = ["no test target matches pattern", "no library targets found"];

/// What the tests said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// All passed.
    Passed,
    /// Some failed: the first of them, or how the run ended if no test is to blame alone.
    Failed(String),
    /// The tests did not end in time.
    TimedOut,
    /// It does not compile: the first error.
    NotBuilt(String),
}

/// Runs the tests of packages of one copy.
#[derive(Debug)]
pub(crate) struct Bench {
    /// The copy of the sources.
    tree: PathBuf,
    /// What is built from it.
    build: PathBuf,
    /// What the last run said.
    log: PathBuf,
    /// How long the tests may take, once they are compiled.
    limit: Duration,
}

impl Bench {
    /// For the sources at `tree`, with what is built and said beneath `scratch`.
    pub(crate) fn new(tree: &Path, scratch: &Path, limit: Duration) -> Self {
        let (build, log) = (scratch.join("build"), scratch.join("log"));
        Self { tree: tree.to_owned(), build, log, limit }
    }

    /// Compiles and runs the tests of `package`.
    ///
    /// # Errors
    /// If cargo cannot be run.
    pub(crate) fn test(&self, package: &str) -> io::Result<Verdict> {
        for (targets, tests) in STAGES {
            // Without its features, a test that needs one makes cargo refuse all of them.
            let package = ["--package", package, "--all-features"];
            let build = [&["test", "--no-run"], &package[..], targets].concat();
            if !self.cargo(&build, BUILD_TIME)?.is_some_and(|status| status.success()) {
                match self.said() {
                    said if NO_TARGET.iter().any(|none| said.contains(none)) => continue,
                    said => return Ok(Verdict::NotBuilt(first_error(&said))),
                }
            }
            match self.cargo(&[&["test"], &package[..], targets, tests].concat(), self.limit)? {
                None => return Ok(Verdict::TimedOut),
                Some(status) if status.success() => {}
                Some(status) => {
                    let failure = first_failure(&self.said());
                    let failure = failure.unwrap_or_else(|| format!("the run ended: {status}"));
                    return Ok(Verdict::Failed(failure));
                }
            }
        }
        Ok(Verdict::Passed)
    }

    /// What the last run said.
    pub(crate) fn said(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// Runs cargo to its end; nothing if that did not come within `limit`.
    fn cargo(&self, arguments: &[&str], limit: Duration) -> io::Result<Option<ExitStatus>> {
        let log = File::create(&self.log)?;
        let mut command = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()));
        command.args(["--quiet", "--locked"]).args(arguments).current_dir(&self.tree);
        command.env("CARGO_TARGET_DIR", &self.build).env("RUST_BACKTRACE", "0");
        FOREIGN.iter().for_each(|name| {
            command.env_remove(name);
        });
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        // A group of its own: what the tests started ends with them.
        run_bounded(command.process_group(0).spawn()?, limit)
    }
}

/// Waits for the leader of a group. What is left of its group then ends with it: a program with a
/// fault may write until the disk is full.
fn run_bounded(mut child: Child, limit: Duration) -> io::Result<Option<ExitStatus>> {
    let deadline = Instant::now() + limit;
    let mut status = child.try_wait()?;
    while status.is_none() && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(20));
        status = child.try_wait()?;
    }
    let _ = kill_process_group(Pid::from_child(&child), Signal::KILL);
    child.wait()?;
    Ok(status)
}

/// The first test in the list of failures at the end of a run.
fn first_failure(said: &str) -> Option<String> {
    let (_, list) = said.rsplit_once("\nfailures:\n")?;
    let name = list.lines().find_map(|line| line.strip_prefix("    "))?;
    Some(name.to_owned())
}

fn first_error(said: &str) -> String {
    let error = said.lines().find(|line| line.starts_with("error"));
    error.unwrap_or("it took too long").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_failure_is_taken_from_the_list_at_the_end() {
        let said = "running 2 tests\n\nfailures:\n\n---- a::b stdout ----\n    no name\n\n\
                    failures:\n    a::b\n    c::d\n\ntest result: FAILED.\n";
        assert_eq!(first_failure(said).as_deref(), Some("a::b"));
        assert_eq!(first_failure("error: process didn't exit successfully"), None);
        assert_eq!(first_error("warning: x\nerror[E1]: y\nerror: z"), "error[E1]: y");
    }

    #[test]
    fn a_run_is_ended_with_all_it_started_whether_it_ends_in_time_or_not() {
        check_nothing_is_left("sleep 60 & wait", Duration::from_millis(100), None);
        check_nothing_is_left("sleep 60 & exit 3", Duration::from_secs(60), Some(3));
    }

    /// How a script ends within a limit, and that its group does, too.
    fn check_nothing_is_left(script: &str, limit: Duration, expected: Option<i32>) {
        let mut command = Command::new("sh");
        command.args(["-c", script]).process_group(0);
        let child = command.spawn().unwrap();
        let group = Pid::from_child(&child);
        let status = run_bounded(child, limit).unwrap();
        assert_eq!(status.and_then(|status| status.code()), expected);
        // The killed ones may be waited for a moment by whoever adopted them.
        let deadline = Instant::now() + Duration::from_secs(10);
        while rustix::process::test_kill_process_group(group).is_ok() {
            assert!(Instant::now() < deadline, "the group is still there");
            thread::sleep(Duration::from_millis(10));
        }
    }
}
