//! log-scraper: follows log files to stdout or to a log store, and loses no line.
//!
//! This file owns the order of starting and ending, and the exit codes. What is followed and how
//! is decided in the `tail` crate; `os_fs` and `stdout` are its hands, `follow` is the loop.

mod admin;
mod checkpoint_file;
mod ending;
mod flag_rules;
mod flag_values;
mod flags;
mod follow;
mod os_fs;
mod output;
mod pace;
mod reclaim;
mod roots;
mod stdout;
#[cfg(feature = "stores")]
mod store;
#[cfg(feature = "stores")]
mod store_flags;
mod voice;
mod writer;

use std::process::ExitCode;

use log::error;
use sidecar::{check, cli, exit, logging};

use crate::flags::{Arguments, Command};

fn main() -> ExitCode {
    let arguments = match cli::parse::<Arguments>() {
        Ok(arguments) => arguments,
        Err(code) => return code,
    };
    if let Some(Command::Check { check }) = &arguments.command {
        return check::run(check);
    }
    if let Some(why) = arguments.contradiction() {
        return cli::refuse::<Arguments>(&why);
    }
    logging::init(arguments.log_level);
    match follow::run(&arguments) {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            error!("{failure}");
            ExitCode::from(exit::RUNTIME)
        }
    }
}
