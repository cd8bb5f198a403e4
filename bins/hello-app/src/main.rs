//! hello-app: answers `Hello, World!` and appends a line per request to a file.
//!
//! The demonstration application of the kit, in the place where a person's own one goes. This
//! file owns the flags, the signals and the order of starting and ending; what is answered is in
//! `answer`, the log file in `app_log`, everything tiny_http in `server`.
//!
//! It listens on loopback behind the proxy, and should: what tiny_http does before it hands over
//! a request cannot be mended from here (see `server`).

mod answer;
mod app_log;
mod nudge;
mod server;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Parser, Subcommand};
use log::{LevelFilter, error, info};
use sidecar::check::{self, Check};
use sidecar::cli::{self, ListenAddress};
use sidecar::signals::Signals;
use sidecar::{exit, logging};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use crate::app_log::{AppLog, Limits};
use crate::nudge::Nudge;
use crate::server::Shared;

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
    #[arg(
        long,
        env = "HELLO_APP_LISTEN",
        value_name = "ADDRESS",
        default_value = "127.0.0.1:5000"
    )]
    listen: ListenAddress,
    /// File to append a line per request to; its folder is made if need be
    #[arg(
        long,
        env = "HELLO_APP_LOG_FILE",
        value_name = "FILE",
        default_value = "/var/log/app/logs.txt"
    )]
    log_file: PathBuf,
    /// Rename the log file to FILE.1 before it grows past this size (64KiB, 10m, ...); 0 is never
    #[arg(
        long,
        env = "HELLO_APP_LOG_MAX_BYTES",
        value_name = "SIZE",
        default_value = "0",
        value_parser = cli::bytes
    )]
    log_max_bytes: u64,
    /// How many renamed log files to keep (FILE.1 is the newest)
    #[arg(
        long,
        env = "HELLO_APP_LOG_KEEP",
        value_name = "N",
        default_value_t = 3,
        value_parser = clap::value_parser!(u32).range(1..=100)
    )]
    log_keep: u32,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Checks something from within the container, for probes and tests
    #[command(subcommand)]
    Check(Check),
}

fn main() -> ExitCode {
    let arguments: Arguments = match cli::parse() {
        Ok(arguments) => arguments,
        Err(code) => return code,
    };
    match &arguments.command {
        Some(Command::Check(what)) => check::run(what),
        None => {
            logging::init(LevelFilter::Info);
            serve(arguments).unwrap_or_else(|message| {
                error!("{message}");
                ExitCode::from(exit::RUNTIME)
            })
        }
    }
}

/// Serves until a signal says to end. `Err` is the reason why it could not start or go on.
fn serve(arguments: Arguments) -> Result<ExitCode, String> {
    // Before the first connection: a SIGTERM during the start must not kill unseen.
    let mut signals = Signals::register(&[SIGTERM, SIGINT, SIGHUP])
        .map_err(|error| format!("cannot register signals: {error}"))?;
    let address = &arguments.listen;
    let listener =
        address.bind().map_err(|error| format!("cannot listen on {address}: {error}"))?;
    let bound = listener.local_addr().map_err(|error| format!("no local address: {error}"))?;

    let limits = Limits {
        file_bytes_max: (arguments.log_max_bytes > 0).then_some(arguments.log_max_bytes),
        rotated_count_max: arguments.log_keep,
    };
    let nudge = Nudge::start(bound).map_err(|error| format!("cannot start a thread: {error}"))?;
    let shared = Arc::new(Shared::new(AppLog::open(arguments.log_file, limits), nudge));
    server::start(listener, &shared).map_err(|error| format!("cannot serve: {error}"))?;
    info!("listening on {bound}");

    loop {
        signals.wait(None).map_err(|error| format!("cannot wait for signals: {error}"))?;
        for signal in signals.pending().collect::<Vec<_>>() {
            if signal == SIGHUP {
                shared.log().reopen();
                continue;
            }
            server::finish(&shared);
            shared.log().close("shutting down");
            let code = if shared.has_failed() { exit::RUNTIME } else { exit::OK };
            return Ok(ExitCode::from(code));
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
