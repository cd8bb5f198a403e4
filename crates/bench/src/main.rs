//! Measures the sidecars beside the programs they stand in place of, and says which bars are met.
//!
//! For developers: no image has it. One row per figure goes to standard output, what happens
//! meanwhile to standard error. The cases own what is run; this file owns the command line, the
//! order of the cases and the exit status.

mod answer;
mod cgroup;
mod conf;
mod http;
mod lines;
mod load;
mod process;
mod procfs;
mod proxy;
mod relay;
mod report;
mod scraper;
mod scraper_files;
mod stats;
mod stores;
mod upstream;

use std::convert::Infallible;
use std::fmt;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::report::{Figures, Row};
use crate::stats::{Rounds, Side};

/// Exit status when a bar was missed.
const SHORT: u8 = 1;
/// Exit status when something could not be measured.
const INVALID: u8 = 2;
/// Exit status for a wrong command line.
const USAGE: u8 = 64;

/// Rounds that count if none are asked for.
const PROXY_ROUNDS: u32 = 9;
/// The same for the scraper, whose runs have their length by themselves.
const SCRAPER_ROUNDS: u32 = 5;

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
/// The programs take turns on CPU 1, one worker each; load, upstream and this program are on CPU 0.
/// Under load all are started in each round and take turns of a tenth of a second; else one after
/// the other is started. The first turn is thrown away; figures are medians of the others, with
/// their range on standard error. The ratio is the median of the turns' ratios, ours divided by
/// the peer's. MB are 1,000,000 bytes.
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
    /// Our proxy beside nginx.
    Proxy {
        /// Cases to run; all if none is named.
        #[arg(value_enum, value_name = "CASE")]
        cases: Vec<proxy::Case>,
        /// Program to stand beside.
        #[arg(long, default_value = "nginx")]
        peer: PathBuf,
        /// Our program as it was before a change, built as the present one: one more peer of the
        /// cases under load.
        #[arg(long, value_name = "FILE", conflicts_with = "noise")]
        before: Option<PathBuf>,
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
    /// Our log-scraper and a log store, beside vlagent.
    Stores {
        /// Cases to run; all if none is named.
        #[arg(value_enum, value_name = "CASE")]
        cases: Vec<stores::Case>,
        /// Program to stand beside.
        #[arg(long, default_value = "vlagent")]
        peer: PathBuf,
        /// Our program as it was before a change, built as the present one: one more peer.
        #[arg(long, value_name = "FILE", conflicts_with = "noise")]
        before: Option<PathBuf>,
        #[command(flatten)]
        options: Options,
    },
    /// Relays connections without looking at what passes, the peer called the relay.
    #[command(hide = true)]
    Relay { listen: SocketAddr, upstream: SocketAddr },
    /// Is the upstream of the proxy cases.
    #[command(hide = true)]
    Upstream { listen: SocketAddr },
}

#[derive(Args, Clone, Debug)]
struct Options {
    /// Our program.
    #[arg(long, required_unless_present = "noise")]
    ours: Option<PathBuf>,
    /// Put the peer on both sides, which shows the noise of this machine.
    #[arg(long, conflicts_with = "ours")]
    noise: bool,
    /// Rounds that count [default: proxy 9, scraper 5].
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: Option<u32>,
    /// Seconds under load for each program in each round.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=600))]
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
    /// Our program before a change, where one was named.
    pub(crate) before: Option<PathBuf>,
    /// For whatever the runs write.
    pub(crate) folder: PathBuf,
    /// Rounds that count.
    pub(crate) rounds: u32,
    /// Length of one run under load, in seconds.
    pub(crate) seconds: u32,
}

impl Plan {
    fn new(peer: PathBuf, before: Option<PathBuf>, options: &Options, rounds: u32) -> Self {
        let Options { ours, seconds, folder, .. } = options.clone();
        let rounds = options.rounds.unwrap_or(rounds);
        Self { ours, peer, before, folder, rounds, seconds }
    }

    /// The program to run for `side`; nothing for one that takes no part, and for the relay, which
    /// is this program itself.
    pub(crate) fn program(&self, side: Side) -> Option<&Path> {
        match side {
            Side::Ours | Side::Plain => Some(self.ours.as_ref().unwrap_or(&self.peer)),
            Side::Peer => Some(&self.peer),
            Side::Before => self.before.as_deref(),
            Side::Relay => None,
        }
    }

    /// Whether `side` is the peer's program, as both are when only the noise is measured.
    pub(crate) fn is_peer(&self, side: Side) -> bool {
        side == Side::Peer || self.ours.is_none()
    }
}

/// One figure of ours beside that of `side`; its medians and ranges are told on standard error.
///
/// # Errors
/// If one of the two took no part.
pub(crate) fn beside<T>(
    what: &str,
    rounds: &Rounds<T>,
    side: Side,
    figure: impl Fn(&T) -> f64,
) -> Result<Figures, Fault> {
    let spreads = (|| {
        let ours = rounds.spread(Side::Ours, &figure)?;
        Some((ours, rounds.spread(side, &figure)?, rounds.ratios(side, &figure)?))
    })();
    let (ours, other, ratio) = spreads.ok_or_else(|| Fault::new("no figures"))?;
    eprintln!("  {what}: ours {ours}, {side:?} {other}, ratio {ratio}");
    Ok(Figures { ours: Some(ours.median), peer: Some(other.median), ratio: Some(ratio.median) })
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
        Subject::Proxy { mut cases, peer, before, options } => {
            if cases.is_empty() {
                cases = proxy::Case::value_variants().to_vec();
            }
            let plan = Plan::new(peer, before, &options, PROXY_ROUNDS);
            measure(&cases, options.markdown, |case| proxy::run(&plan, case))
        }
        Subject::Scraper { mut cases, peer, options } => {
            if cases.is_empty() {
                cases = scraper::Case::value_variants().to_vec();
                cases.retain(|case| *case != scraper::Case::Paced);
            }
            let plan = Plan::new(peer, None, &options, SCRAPER_ROUNDS);
            measure(&cases, options.markdown, |case| scraper::run(&plan, case))
        }
        Subject::Stores { mut cases, peer, before, options } => {
            if cases.is_empty() {
                cases = stores::Case::value_variants().to_vec();
            }
            let plan = Plan::new(peer, before, &options, SCRAPER_ROUNDS);
            measure(&cases, options.markdown, |case| stores::run(&plan, case))
        }
        Subject::Relay { listen, upstream } => served(relay::run(listen, upstream)),
        Subject::Upstream { listen } => served(upstream::run(listen, upstream::WAIT)),
    }
}

/// What a server that should never end has to say at its end.
fn served(outcome: Result<Infallible, Fault>) -> ExitCode {
    match outcome {
        Ok(never) => match never {},
        Err(fault) => {
            eprintln!("bench: {fault}");
            ExitCode::from(INVALID)
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
    let priority = process::Priority::highest();
    for case in cases {
        let (more, fault) = case_rows(*case);
        if let Some(fault) = fault {
            eprintln!("bench: {case:?} is INVALID: {fault}");
            code = INVALID;
        }
        rows.extend(more);
    }
    drop(priority);
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
