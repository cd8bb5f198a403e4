//! Plants plausible faults in the log scraper, one at a time, and counts which its tests find.
//!
//! For developers: no image has it. This file owns the command line, the order of the work, the
//! report and the exit status. One line per fault goes to standard output, the last line counts.

mod list;
mod tree;
mod trial;

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use clap::Parser;

use crate::list::Mutant;
use crate::tree::Tree;
use crate::trial::{Bench, Verdict};

/// Exit status when too few faults were found.
const SHORT: u8 = 1;
/// Exit status when it could not be told.
const INVALID: u8 = 2;

/// Plants the faults of `crates/tail/mutants/list`, one at a time, in a copy of the sources and
/// runs the tests of the package that each names.
///
/// A fault is found when a test fails or the tests do not end in time. Exit status: 0 enough were
/// found, 1 too few were, 2 the list does not fit the sources or the tests fail without a fault,
/// 64 usage.
#[derive(Debug, Parser)]
#[command(name = "mutants", version)]
struct Arguments {
    /// Faults to plant, by a part of their names or by the package that is tested; all if none is
    /// named
    names: Vec<String>,
    /// Only look whether each fault's text is still in the sources
    #[arg(long)]
    check: bool,
    /// Least share of the faults that is to be found, in percent
    #[arg(long, default_value_t = 95, value_parser = clap::value_parser!(u32).range(0..=100))]
    at_least: u32,
    /// Longest time for the tests of one package, once they are compiled, in seconds
    #[arg(long, default_value_t = 240)]
    seconds: u64,
    /// Copies that are worked on at the same time
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=64))]
    jobs: u32,
    /// Folder for the copies and what is built from them; kept, so that a next run is quicker
    #[arg(long)]
    scratch: Option<PathBuf>,
}

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(64) } else { ExitCode::SUCCESS };
        }
    };
    match run(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(SHORT),
        Err(what) => {
            eprintln!("mutants: {what}");
            ExitCode::from(INVALID)
        }
    }
}

/// Whether enough faults were found.
fn run(arguments: &Arguments) -> Result<bool, String> {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..");
    let repository = repository.canonicalize().map_err(|error| error.to_string())?;
    let scratch = arguments.scratch.clone().unwrap_or_else(|| repository.join("target/mutants"));
    let scratch = std::path::absolute(scratch).map_err(|error| error.to_string())?;
    let mutants = read_list(&arguments.names)?;
    let workshop = |job: u32| -> Result<Workshop, String> {
        // A look at the list disturbs no run that is under way.
        let name = if arguments.check { "check".to_owned() } else { job.to_string() };
        let scratch = scratch.join(name);
        let tree = Tree::copy(&repository, &scratch.join("tree")).map_err(|e| e.to_string())?;
        let bench = Bench::new(tree.root(), &scratch, Duration::from_secs(arguments.seconds));
        Ok(Workshop { tree, bench })
    };
    let first = workshop(0)?;
    check_list(&first.tree, &mutants)?;
    say(&format!("{} faults, each with its text in the sources", mutants.len()));
    if arguments.check {
        return Ok(true);
    }
    first.check_sound(&mutants)?;
    let mut workshops = vec![first];
    for job in 1..arguments.jobs {
        workshops.push(workshop(job)?);
    }
    let found = work(&workshops, &mutants)?;
    let percent = found as f64 * 100.0 / mutants.len() as f64;
    say(&format!("{found} of {} found, {percent:.1} %", mutants.len()));
    Ok(found * 100 >= mutants.len() * arguments.at_least as usize)
}

/// All faults that `names` lead to, in the order of the files' names.
fn read_list(names: &[String]) -> Result<Vec<Mutant>, String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("list");
    let entries =
        fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    files.sort();
    let mut text = String::new();
    for file in files {
        let part = fs::read_to_string(&file);
        text += &part.map_err(|error| format!("{}: {error}", file.display()))?;
    }
    let mut mutants = list::parse(&text)?;
    if !names.is_empty() {
        let is_named = |mutant: &Mutant, name: &String| {
            mutant.name.contains(name.as_str()) || mutant.package == *name
        };
        mutants.retain(|mutant| names.iter().any(|name| is_named(mutant, name)));
    }
    if mutants.is_empty() { Err("no fault has such a name".to_owned()) } else { Ok(mutants) }
}

/// Every fault can be planted; the error names all that cannot.
fn check_list(tree: &Tree, mutants: &[Mutant]) -> Result<(), String> {
    let refused = mutants.iter().filter_map(|mutant| {
        let refusal = tree.plant(mutant).err()?;
        Some(format!("{} does not fit the sources any more: {refusal}", mutant.name))
    });
    let refused: Vec<_> = refused.collect();
    if refused.is_empty() { Ok(()) } else { Err(refused.join("\n")) }
}

/// A copy of the sources, and the means to test it.
#[derive(Debug)]
struct Workshop {
    tree: Tree,
    bench: Bench,
}

impl Workshop {
    /// Without a fault the tests pass.
    fn check_sound(&self, mutants: &[Mutant]) -> Result<(), String> {
        let mut packages: Vec<&str> = mutants.iter().map(|mutant| &*mutant.package).collect();
        packages.sort_unstable();
        packages.dedup();
        for package in packages {
            let began = Instant::now();
            match self.bench.test(package).map_err(|error| format!("cargo: {error}"))? {
                Verdict::Passed => {
                    let seconds = began.elapsed().as_secs();
                    say(&format!("{package} passes without a fault, {seconds} s"));
                }
                other => {
                    let said = self.bench.said();
                    return Err(format!("{package} without a fault: {other:?}\n{said}"));
                }
            }
        }
        Ok(())
    }

    /// Whether the tests find a fault. Says it.
    fn try_one(&self, mutant: &Mutant) -> Result<bool, String> {
        let refused = |what: String| format!("{}: {what}", mutant.name);
        let planted = self.tree.plant(mutant).map_err(refused)?;
        let began = Instant::now();
        let verdict = self.bench.test(&mutant.package);
        drop(planted);
        let seconds = began.elapsed().as_secs();
        let Mutant { name, wrong, .. } = mutant;
        let (is_found, line) = match verdict.map_err(|error| refused(error.to_string()))? {
            Verdict::Passed => (false, format!("SURVIVED {name}: {wrong}")),
            Verdict::Failed(test) => (true, format!("found    {name}, {seconds} s: {test}")),
            Verdict::TimedOut => (true, format!("found    {name}, {seconds} s: it never ends")),
            Verdict::NotBuilt(error) => return Err(refused(format!("does not compile: {error}"))),
        };
        say(&line);
        Ok(is_found)
    }
}

/// Tries all faults; each workshop takes the next one when it has done with its last. Returns how
/// many were found.
fn work(workshops: &[Workshop], mutants: &[Mutant]) -> Result<usize, String> {
    let queue = Mutex::new(mutants.iter());
    let found = Mutex::new(0);
    let faults = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for workshop in workshops {
            let (queue, found, faults) = (&queue, &found, &faults);
            scope.spawn(move || {
                while let Some(mutant) = queue.lock().ok().and_then(|mut queue| queue.next()) {
                    match (workshop.try_one(mutant), found.lock(), faults.lock()) {
                        (Ok(is_found), Ok(mut found), _) => *found += usize::from(is_found),
                        (Err(fault), _, Ok(mut faults)) => faults.push(fault),
                        _ => {}
                    }
                }
            });
        }
    });
    let faults = faults.into_inner().unwrap_or_default();
    if !faults.is_empty() {
        return Err(faults.join("\n"));
    }
    found.into_inner().map_err(|error| error.to_string())
}

/// One line of the report. Nobody to read it is no reason to stop.
fn say(line: &str) {
    let _ = writeln!(io::stdout(), "{line}");
}
