//! Measures the sidecars beside the programs they stand in place of, and says which bars are met.
//!
//! For developers: no image has it. One row per figure goes to standard output, what happens
//! meanwhile to standard error. The cases own what is run; this file owns the command line, the
//! order of the cases and the exit status.

mod conf;
mod http;
mod lines;
mod process;
mod procfs;
mod proxy;
mod report;
mod scraper;
mod stats;
mod wrk;

use std::fmt;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::report::Row;
use crate::stats::{Pairs, Side};

/// Exit status when a bar was missed.
const SHORT: u8 = 1;
/// Exit status when something could not be measured.
const INVALID: u8 = 2;
/// Exit status for a wrong command line.
const USAGE: u8 = 64;

/// Why something could not be measured.
#[derive(Debug)]
pub(crate) struct Fault(String);

impl Fault {
    /// A fault that is explained by `text`.
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Measures the sidecars beside what they replace.
///
/// The two programs take turns on CPU 1; load, upstream and this program are on CPU 0. The first
/// round is thrown away; figures are medians of the others, with their range on standard error.
/// The ratio is ours divided by the peer's. MB are 1,000,000 bytes.
///
/// Exit status: 0 all bars met, 1 a bar missed, 2 something could not be measured, 64 usage.
#[derive(Debug, Parser)]
#[command(name = "bench", version)]
struct Cli {
    #[command(subcommand)]
    subject: Subject,
}

#[derive(Debug, Subcommand)]
enum Subject {
    /// Our proxy beside nginx (needs nginx and wrk).
    Proxy {
        /// Cases to run; all if none is named.
        #[arg(value_enum, value_name = "CASE")]
        cases: Vec<proxy::Case>,
        /// Program to stand beside.
        #[arg(long, default_value = "nginx")]
        peer: PathBuf,
        #[command(flatten)]
        options: Options,
    },
    /// Our log-scraper beside GNU tail.
    Scraper {
        /// Cases to run; all but `paced`, which a busy machine spoils, if none is named.
        #[arg(value_enum, value_name = "CASE")]
        cases: Vec<scraper::Case>,
        /// Program to stand beside.
        #[arg(long, default_value = "tail")]
        peer: PathBuf,
        #[command(flatten)]
        options: Options,
    },
}

#[derive(Args, Clone, Debug)]
struct Options {
    /// Our program.
    #[arg(long, required_unless_present = "noise")]
    ours: Option<PathBuf>,
    /// Put the peer on both sides, which shows the noise of this machine.
    #[arg(long, conflicts_with = "ours")]
    noise: bool,
    /// Measured rounds, beside the one that is thrown away.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: u32,
    /// Length of one run under load.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=600))]
    seconds: u32,
    /// Folder for what the runs need, 600 MB for the scraper; best in memory.
    #[arg(long, default_value = "/dev/shm/sidecar-bench")]
    folder: PathBuf,
    /// Print a Markdown table in place of tab-separated lines.
    #[arg(long)]
    markdown: bool,
}

/// What a case needs to know of the command line.
#[derive(Debug)]
pub(crate) struct Plan {
    ours: Option<PathBuf>,
    peer: PathBuf,
    /// For whatever the runs write.
    pub(crate) folder: PathBuf,
    /// Rounds that count.
    pub(crate) rounds: u32,
    /// Length of one run under load, in seconds.
    pub(crate) seconds: u32,
}

impl Plan {
    fn new(peer: PathBuf, options: &Options) -> Self {
        let Options { ours, rounds, seconds, folder, .. } = options.clone();
        Self { ours, peer, folder, rounds, seconds }
    }

    /// The program to run for `side`.
    pub(crate) fn program(&self, side: Side) -> &Path {
        match side {
            Side::Ours => self.ours.as_ref().unwrap_or(&self.peer),
            Side::Peer => &self.peer,
        }
    }

    /// Whether `side` is the peer's program, as both are when only the noise is measured.
    pub(crate) fn is_peer(&self, side: Side) -> bool {
        side == Side::Peer || self.ours.is_none()
    }
}

/// Says median and range of one figure of both sides; gives the medians, ours first.
pub(crate) fn say_spreads<T>(
    what: &str,
    pairs: &Pairs<T>,
    figure: impl Fn(&T) -> f64,
) -> Result<(f64, f64), Fault> {
    let (ours, peer) = pairs.spreads(figure).ok_or_else(|| Fault::new("no figures"))?;
    eprintln!(
        "  {what}: ours {:.3} ({:.3} to {:.3}), peer {:.3} ({:.3} to {:.3})",
        ours.median, ours.least, ours.most, peer.median, peer.least, peer.most
    );
    Ok((ours.median, peer.median))
}

fn main() -> ExitCode {
    match Cli::try_parse() {
        Ok(cli) => run(cli.subject),
        Err(error) => {
            let _ = error.print();
            if error.use_stderr() { ExitCode::from(USAGE) } else { ExitCode::SUCCESS }
        }
    }
}

fn run(subject: Subject) -> ExitCode {
    match subject {
        Subject::Proxy { mut cases, peer, options } => {
            if cases.is_empty() {
                cases = proxy::Case::value_variants().to_vec();
            }
            let plan = Plan::new(peer, &options);
            measure(&cases, options.markdown, |case| proxy::run(&plan, case))
        }
        Subject::Scraper { mut cases, peer, options } => {
            if cases.is_empty() {
                cases = vec![scraper::Case::Throughput, scraper::Case::Rotation];
            }
            let plan = Plan::new(peer, &options);
            measure(&cases, options.markdown, |case| scraper::run(&plan, case))
        }
    }
}

/// Runs the cases in turn and prints the table; a case that cannot be measured does not keep the
/// others from being.
fn measure<C: Copy + fmt::Debug>(
    cases: &[C],
    markdown: bool,
    case_rows: impl Fn(C) -> (Vec<Row>, Option<Fault>),
) -> ExitCode {
    let mut rows = Vec::new();
    let mut code = 0;
    if let Err(fault) = process::pin(process::LOAD_CPU) {
        eprintln!("bench: {fault}");
        return ExitCode::from(INVALID);
    }
    for case in cases {
        let (more, fault) = case_rows(*case);
        if let Some(fault) = fault {
            eprintln!("bench: {case:?} is INVALID: {fault}");
            code = INVALID;
        }
        rows.extend(more);
    }
    if code == 0 && !rows.iter().all(Row::is_met) {
        code = SHORT;
    }
    let text = if markdown { report::markdown(&rows) } else { report::tab_separated(&rows) };
    match io::stdout().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::from(code),
        Err(error) => {
            eprintln!("bench: cannot write the table: {error}");
            ExitCode::from(INVALID)
        }
    }
}
