//! The proxy sidecar: takes the pod's traffic and passes it to the application on loopback,
//! configured by people's own nginx.conf.
//!
//! This file only chooses what the process does; `lifecycle` serves.

mod admin;
mod cli;
mod config;
mod lifecycle;
mod listeners;
mod log_sink;
mod metrics;
mod net;
mod order;

use std::io::Write;
use std::process::ExitCode;

use sidecar::exit;

use crate::config::{LoadOptions, Loaded};

fn main() -> ExitCode {
    let cli = match sidecar::cli::parse::<cli::Cli>() {
        Ok(cli) => cli,
        Err(code) => return code,
    };
    if let Some(cli::Command::Check(check)) = &cli.command {
        return sidecar::check::run(check);
    }
    sidecar::logging::init(log::LevelFilter::Info);
    if cli.build_info {
        return build_info();
    }
    let options = LoadOptions {
        path: cli.config.clone(),
        prefix: cli.prefix.clone(),
        globals: cli.globals.clone(),
    };
    if let Some(order) = cli.signal {
        return order::send(order, &options);
    }
    if cli.test || cli.dump {
        return test(&cli, &options);
    }
    lifecycle::serve(&cli, options)
}

/// nginx: `-t` and `-T`: every problem at once on stderr, the verdict last.
fn test(cli: &cli::Cli, options: &LoadOptions) -> ExitCode {
    let name = options.display_path();
    match config::load(options) {
        Ok(Loaded { sources, warnings, .. }) => {
            if !cli.quiet {
                for warning in &warnings {
                    eprintln!("warning: {warning}");
                }
                eprintln!("the configuration file {name} syntax is ok");
                eprintln!("configuration file {name} test is successful");
            }
            if cli.dump {
                let mut stdout = std::io::stdout().lock();
                for source in sources.iter().filter(|source| !source.built_in) {
                    // A reader that has gone away needs no more of it.
                    let _ = writeln!(stdout, "# configuration file {}:", source.path.display());
                    let _ = stdout.write_all(&source.text);
                    let _ = writeln!(stdout);
                }
            }
            ExitCode::from(exit::OK)
        }
        Err(problems) => {
            for problem in &problems {
                eprintln!("{problem}");
            }
            eprintln!("configuration file {name} test failed");
            ExitCode::from(exit::FAILED)
        }
    }
}

fn build_info() -> ExitCode {
    eprintln!("sidecar-kit proxy/{}", env!("CARGO_PKG_VERSION"));
    eprintln!("target: {}-{}", std::env::consts::ARCH, std::env::consts::OS);
    ExitCode::from(exit::OK)
}
