//! nginx: `-s SIGNAL`: finding the running proxy and sending it a signal.
//!
//! The pid file that the configuration names comes first, as with nginx. Where there is none, for
//! an image without a writable folder has no place for one, or where it is out of date, the
//! process is found in /proc by its executable and its configuration file.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use rustix::process::{Pid, Signal, kill_process};
use sidecar::exit;

use crate::cli::{self, Cli, Order};
use crate::config::{self, LoadOptions};
use crate::pid_file;

impl Order {
    fn signal(self) -> Signal {
        match self {
            Order::Stop => Signal::INT,
            Order::Quit => Signal::QUIT,
            Order::Reload => Signal::HUP,
            Order::Reopen => Signal::USR1,
            Order::Drain => Signal::USR2,
        }
    }
}

/// Sends the signal to the one proxy that runs with this configuration. Says nothing and ends with
/// 0, or says why not and ends with 1, as nginx does.
pub fn send(order: Order, options: &LoadOptions) -> ExitCode {
    let name = cli::program_name();
    let sent = find(order, options).and_then(|number| {
        let pid = Pid::from_raw(number).ok_or(rustix::io::Errno::SRCH);
        pid.and_then(|pid| kill_process(pid, order.signal())).map_err(|errno| {
            let signal = order.signal().as_raw();
            vec![format!("{name}: [alert] kill({number}, {signal}) failed ({errno})")]
        })
    });
    match sent {
        Ok(()) => ExitCode::from(exit::OK),
        Err(lines) => {
            for line in lines {
                eprintln!("{line}");
            }
            ExitCode::from(exit::FAILED)
        }
    }
}

/// The number of the process that is meant, or the lines that say why there is none.
fn find(order: Order, options: &LoadOptions) -> Result<i32, Vec<String>> {
    let name = cli::program_name();
    let pid_path = match config::load_without_names(options).outcome {
        Ok(loaded) => loaded.config.process.pid,
        // nginx: a bad file is not loaded, and the exit code tells.
        Err(problems) if order == Order::Reload => return Err(problems),
        // A process that runs with an earlier file can be told to end all the same.
        Err(_) => None,
    };
    let of_file = pid_path.as_deref().map(pid_file::read);
    if let Some(Ok(number)) = of_file
        && is_ours(number)
    {
        return Ok(number);
    }
    let wanted = options.path.as_ref().map(|_| options.main_path());
    let found: Vec<i32> = processes().filter(|pid| serves(*pid, wanted.as_deref())).collect();
    match (found.as_slice(), of_file) {
        ([pid], _) => Ok(*pid),
        ([], Some(Err(problem))) => Err(vec![format!("{name}: [error] {problem}")]),
        ([], Some(Ok(number))) => {
            let path = pid_path.unwrap_or_default();
            let shown = path.display();
            let problem = format!("process {number} of \"{shown}\" is no running proxy");
            Err(vec![format!("{name}: [error] {problem}")])
        }
        ([], None) => Err(vec![format!("{name}: [error] no running proxy found")]),
        (several, _) => {
            let problem = format!("several are running ({several:?}); name one by its -c FILE");
            Err(vec![format!("{name}: [error] {problem}")])
        }
    }
}

fn processes() -> impl Iterator<Item = i32> {
    let own = std::process::id().cast_signed();
    let names = fs::read_dir("/proc").into_iter().flatten().flatten();
    names
        .filter_map(|entry| entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()))
        .filter(move |pid| *pid != own)
}

/// Whether a process is this program, serving.
fn is_ours(pid: i32) -> bool {
    command_line(pid).is_some_and(|cli| cli.serves())
}

/// Whether a process is this program, serving, with the wanted file.
fn serves(pid: i32, wanted: Option<&Path>) -> bool {
    let Some(cli) = command_line(pid).filter(Cli::serves) else { return false };
    let Some(wanted) = wanted else { return true };
    let folder = fs::read_link(format!("/proc/{pid}/cwd")).unwrap_or_default();
    is_same_file(&folder.join(cli.load_options().main_path()), wanted)
}

fn is_same_file(a: &Path, b: &Path) -> bool {
    let whole = |path: &Path| {
        let absolute = || std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
        fs::canonicalize(path).unwrap_or_else(|_| absolute())
    };
    whole(a) == whole(b)
}

/// The command line of a process, if it is one of this program.
fn command_line(pid: i32) -> Option<Cli> {
    let identity = |path: PathBuf| fs::metadata(path).map(|seen| (seen.dev(), seen.ino()));
    let own = identity("/proc/self/exe".into()).ok()?;
    if identity(format!("/proc/{pid}/exe").into()).ok()? != own {
        return None;
    }
    let line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let line = line.strip_suffix(&[0]).unwrap_or(&line);
    let arguments = line.split(|&b| b == 0).map(|argument| OsString::from_vec(argument.to_vec()));
    Cli::try_parse_from(arguments).ok()
}
