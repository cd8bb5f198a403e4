//! hello-app: the demonstration application of the kit, in the place of a person's own one.
//!
//! This file owns flags, signals, start and end; what is answered is in `answer`, the log file in
//! `app_log`, everything tiny_http in `server`.

mod answer;
mod app_log;
mod server;

use std::{error::Error, path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};
use log::{LevelFilter, error, info};
use sidecar::{check, cli, exit, logging, signals::Signals};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

/// Answers `Hello, World!` at / and appends one line per request to a log file.
///
/// SIGHUP opens the log file anew; SIGTERM and SIGINT finish what has begun and end the program.
/// Exit codes: 0 ended by a signal, 1 check failed, 2 runtime error, 64 wrong command line.
#[derive(Debug, Parser)]
#[command(name = "hello-app", version, args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// Address to listen on: HOST:PORT, [IPV6]:PORT, or :PORT for every address
    #[arg(long, env = "HELLO_APP_LISTEN", value_name = "ADDRESS")]
    #[arg(default_value = "127.0.0.1:5000")]
    listen: cli::ListenAddress,
    /// File to append a line per request to; its folder is made if need be
    #[arg(long, env = "HELLO_APP_LOG_FILE", value_name = "FILE")]
    #[arg(default_value = "/var/log/app/logs.txt")]
    log_file: PathBuf,
    /// Rename the log file to FILE.1 before it grows past this size (64KiB, 10m, ...); 0 is never
    #[arg(long, env = "HELLO_APP_LOG_MAX_BYTES", value_name = "SIZE")]
    #[arg(default_value = "0", value_parser = cli::bytes)]
    log_max_bytes: u64,
    /// How many renamed log files to keep (FILE.1 is the newest)
    #[arg(long, env = "HELLO_APP_LOG_KEEP", value_name = "N", default_value_t = 3)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=100))]
    log_keep: u32,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Checks something from within the container, for probes and tests
    #[command(subcommand)]
    Check(check::Check),
}

fn main() -> ExitCode {
    match cli::parse() {
        Ok(Arguments { command: Some(Command::Check(what)), .. }) => check::run(&what),
        Ok(arguments) => serve(arguments).unwrap_or_else(|error| {
            error!("{error}");
            ExitCode::from(exit::RUNTIME)
        }),
        Err(code) => code,
    }
}

/// Serves until a signal says to end.
fn serve(arguments: Arguments) -> Result<ExitCode, Box<dyn Error>> {
    logging::init(LevelFilter::Info);
    // Before the first connection: a SIGTERM during the start must not kill unseen.
    let mut signals = Signals::register(&[SIGTERM, SIGINT, SIGHUP])?;
    let at = &arguments.listen;
    let listener = at.bind().map_err(|error| format!("cannot listen on {at}: {error}"))?;
    let bound = listener.local_addr()?;
    let log =
        app_log::AppLog::open(arguments.log_file, arguments.log_max_bytes, arguments.log_keep);
    let log = server::start(listener, log)?;
    info!("listening on {bound}");
    loop {
        signals.wait(None)?;
        for signal in signals.pending() {
            if signal != SIGHUP {
                server::finish(&log);
                return Ok(ExitCode::SUCCESS);
            }
            server::lock(&log).reopen();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn flags_are_consistent() {
        Arguments::command().debug_assert();
    }
}
