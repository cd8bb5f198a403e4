//! The proxy sidecar: takes the pod's traffic and passes it to the application on loopback,
//! configured by people's own nginx.conf.
//!
//! This file only chooses what the process does; `lifecycle` serves.

mod admin;
mod cli;
mod config;
mod crew;

mod lifecycle;
mod listeners;
mod logs;
mod lookups;
mod metrics;
mod net;
mod order;
mod phase;
mod pid_file;
mod prober;
mod readiness;
mod reloads;
mod resolver;
mod start_line;
#[cfg(test)]
mod test_upstream;
mod version;

use std::io::Write;
use std::process::ExitCode;

use nginx_conf::reference;
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
    if let Some(name) = &cli.directives {
        return tell_directives(name.as_deref());
    }
    // nginx: a version that is asked for is all, unless there is something to test.
    if cli.show_version || cli.build_info {
        let text = if cli.build_info { version::lines() } else { version::line() };
        eprintln!("{text}");
        if !cli.test && !cli.dump {
            return ExitCode::from(exit::OK);
        }
    }
    let options = match cli.templates() {
        Ok(templates) => LoadOptions { templates, ..cli.load_options() },
        Err(problem) => {
            eprintln!("{}: {problem}", cli::program_name());
            return ExitCode::from(exit::USAGE);
        }
    };
    if cli.test || cli.dump {
        return test(&cli, &options);
    }
    match cli.signal {
        Some(order) => order::send(order, &options),
        None => lifecycle::serve(&cli, options),
    }
}

/// `--directives`: the table for who writes a configuration.
fn tell_directives(name: Option<&str>) -> ExitCode {
    let told = match name {
        Some(name) => reference::entries(name),
        None => Ok(reference::list()),
    };
    match told {
        Ok(text) => {
            // A reader that has gone away needs no more of it.
            let _ = std::io::stdout().lock().write_all(text.as_bytes());
            ExitCode::from(exit::OK)
        }
        Err(problem) => {
            eprintln!("{}: {problem}", cli::program_name());
            ExitCode::from(exit::FAILED)
        }
    }
}

/// nginx: `-t` and `-T`: every problem at once on stderr, the verdict last.
fn test(cli: &cli::Cli, options: &LoadOptions) -> ExitCode {
    let (program, name) = (cli::program_name(), options.display_path());
    match config::load(options).outcome {
        Ok(Loaded { sources, warnings, .. }) => {
            if !cli.quiet {
                for warning in &warnings {
                    eprintln!("warning: {}", warning.text);
                }
                eprintln!("{program}: the configuration file {name} syntax is ok");
                eprintln!("{program}: configuration file {name} test is successful");
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
            eprintln!("{program}: configuration file {name} test failed");
            ExitCode::from(exit::FAILED)
        }
    }
}
