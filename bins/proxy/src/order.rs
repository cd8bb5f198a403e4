//! nginx: `-s SIGNAL`: finding the running proxy and sending it a signal.
//!
//! There is no pid file, for an image without a writable folder has no place for one: the process
//! is found in /proc by its executable and, where several run, by its configuration file.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;
use std::process::ExitCode;

use rustix::process::{Pid, Signal, kill_process};
use sidecar::exit;

use crate::cli::Order;
use crate::config::LoadOptions;

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

/// Sends the signal to the one proxy that runs with this configuration.
pub fn send(order: Order, options: &LoadOptions) -> ExitCode {
    let wanted = options.path.as_ref().map(|path| absolute(path.clone()));
    let found: Vec<i32> = processes().filter(|pid| serves(*pid, wanted.as_ref())).collect();
    match found.as_slice() {
        [pid] => {
            let sent = Pid::from_raw(*pid)
                .ok_or(rustix::io::Errno::SRCH)
                .and_then(|pid| kill_process(pid, order.signal()));
            match sent {
                Ok(()) => ExitCode::from(exit::OK),
                Err(error) => {
                    eprintln!("proxy: cannot signal process {pid}: {error}");
                    ExitCode::from(exit::RUNTIME)
                }
            }
        }
        [] => {
            eprintln!("proxy: no running proxy found");
            ExitCode::from(exit::RUNTIME)
        }
        several => {
            eprintln!("proxy: several are running ({several:?}); name one by its -c FILE");
            ExitCode::from(exit::RUNTIME)
        }
    }
}

fn absolute(path: PathBuf) -> PathBuf {
    std::path::absolute(&path).unwrap_or(path)
}

fn processes() -> impl Iterator<Item = i32> {
    let own = i32::try_from(std::process::id()).unwrap_or(0);
    let names = fs::read_dir("/proc").into_iter().flatten().flatten();
    names
        .filter_map(|entry| entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()))
        .filter(move |pid| *pid != own)
}

/// Whether a process is this program, serving, with the wanted file.
fn serves(pid: i32, wanted: Option<&PathBuf>) -> bool {
    let own = fs::metadata("/proc/self/exe");
    let other = fs::metadata(format!("/proc/{pid}/exe"));
    let same = |a: &fs::Metadata, b: &fs::Metadata| {
        use std::os::unix::fs::MetadataExt;
        (a.dev(), a.ino()) == (b.dev(), b.ino())
    };
    let (Ok(own), Ok(other)) = (own, other) else { return false };
    let Ok(line) = fs::read(format!("/proc/{pid}/cmdline")) else { return false };
    let arguments: Vec<OsString> = line
        .split(|&b| b == 0)
        .skip(1)
        .map(|argument| OsString::from_vec(argument.to_vec()))
        .collect();
    let short = |flag: &str| arguments.iter().any(|argument| argument == flag);
    let is_order = short("-s") || short("-t") || short("-T") || short("check");
    if !same(&own, &other) || is_order {
        return false;
    }
    let Some(wanted) = wanted else { return true };
    let config = arguments
        .iter()
        .position(|argument| argument == "-c")
        .and_then(|index| arguments.get(index + 1));
    let Some(config) = config else { return wanted.as_os_str() == "/etc/nginx/nginx.conf" };
    let folder = fs::read_link(format!("/proc/{pid}/cwd")).unwrap_or_default();
    folder.join(config) == *wanted
}
