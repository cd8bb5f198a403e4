//! Owns the case that counts system calls: of ours, of nginx and of the relay, whose number is the
//! least that a proxy of this kind can have.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use rustix::process::Signal;

use super::{Bench, Conf};
use crate::Fault;
use crate::load::{Load, Request};
use crate::process::{LOAD_CPU, Program};
use crate::procfs;
use crate::report::{Bar, Figures, Shape};
use crate::stats::Side;
use crate::upstream::SMALL;

pub(super) const SHAPE: [Shape; 4] = [
    ("system calls a GET, 32 connections", Bar::RatioAtMost(1.0), 2),
    ("system calls a GET, 32 connections, beside the relay", Bar::Told, 2),
    ("system calls a GET, 256 connections", Bar::RatioAtMost(1.0), 2),
    ("system calls a GET, 256 connections, beside the relay", Bar::Told, 2),
];

/// How long a counter may take until it counts.
const ATTACH_TIME: Duration = Duration::from_millis(500);
/// How long is counted.
const COUNT_TIME: Duration = Duration::from_secs(1);
/// A proxy that passes a request on and its answer back cannot do with fewer calls: a count below
/// is one that began late.
const LEAST: f64 = 4.0;

/// A program that counts the system calls of others.
#[derive(Clone, Copy, Debug)]
enum Counter {
    /// Slows the counted program little; needs the kernel's trace points.
    Perf,
    /// Slows it so much that it finds more to do with each wait: a few calls fewer a request.
    Strace,
}

/// Calls by name; those of [`ALL`] are all of them.
type Counts = Vec<(String, u64)>;

const ALL: &str = "all";
/// Calls that perf tells apart, those that proxies are made of. Each trace point costs time when it
/// is let go, so they are few.
const NAMED: [&str; 10] = [
    "recvfrom",
    "sendto",
    "read",
    "readv",
    "write",
    "writev",
    "epoll_wait",
    "epoll_pwait",
    "epoll_ctl",
    "getsockopt",
];

impl Bench<'_> {
    /// System calls a request.
    pub(super) fn calls(&self) -> Result<Vec<Figures>, Fault> {
        let mut figures = Vec::new();
        for connections in [32, 256] {
            let count = |side| self.count(side, connections);
            let (ours, peer, relay) = (count(Side::Ours)?, count(Side::Peer)?, count(Side::Relay)?);
            figures.extend([Figures::from((ours, peer)), Figures::from((ours, relay))]);
        }
        Ok(figures)
    }

    fn count(&self, side: Side, connections: usize) -> Result<f64, Fault> {
        let perf = self.count_by(Counter::Perf, side, connections);
        let counted = perf.or_else(|fault| {
            eprintln!("bench: perf cannot count ({fault}): strace does");
            self.count_by(Counter::Strace, side, connections)
        });
        let (counts, requests) = counted?;
        let each = |calls: u64| calls as f64 / requests as f64;
        let all = counts.iter().find(|(name, _)| name == ALL);
        let total = each(all.map_or(0, |(_, calls)| *calls));
        let often = counts.iter().filter(|(_, calls)| each(*calls) >= 0.005);
        let names: Vec<_> =
            often.map(|(name, calls)| format!("{name} {:.3}", each(*calls))).collect();
        eprintln!("calls, {connections} connections: {side:?}: {}", names.join(", "));
        if total < LEAST {
            return Err(Fault::new(format!("{side:?}: {total} calls a request were counted")));
        }
        Ok(total)
    }

    fn count_by(
        &self,
        counter: Counter,
        side: Side,
        connections: usize,
    ) -> Result<(Counts, u64), Fault> {
        let proxy = self.serve(side, Conf::Tuned(4096))?;
        let request = Request { path: SMALL, ..Request::default() };
        let mut load = Load::open(proxy.address, connections, request)?;
        let output = self.plan.folder.join("calls.txt");
        let mut command = counter.command(&procfs::family(proxy.program.pid())?, &output);
        let log = self.plan.folder.join("counter.log");
        let mut counting = Program::start(&mut command, LOAD_CPU, Signal::INT, &log)?;
        thread::sleep(ATTACH_TIME);
        let done = load.run(COUNT_TIME)?;
        if counting.has_ended() {
            return Err(Fault::new(counting.last_words()));
        }
        counting.end(Signal::INT)?;
        let text = fs::read_to_string(&output)
            .map_err(|error| Fault::new(format!("no counts: {error}")))?;
        let counts = counter.parse(&text);
        if counts.is_empty() {
            return Err(Fault::new(format!("counts that cannot be read: {text}")));
        }
        Ok((counts, done.requests))
    }
}

impl Counter {
    /// Counts the calls of `pids` until SIGINT, and then writes them to `output`.
    fn command(self, pids: &[u32], output: &Path) -> Command {
        let pids: Vec<_> = pids.iter().map(ToString::to_string).collect();
        let mut command = match self {
            Self::Perf => Command::new("perf"),
            Self::Strace => Command::new("strace"),
        };
        match self {
            Self::Perf => {
                command.args(["stat", "--field-separator", ",", "--pid", &pids.join(",")]);
                let named = NAMED.map(|name| format!("--event=syscalls:sys_enter_{name}"));
                command.arg("--event=raw_syscalls:sys_enter").args(named);
            }
            Self::Strace => {
                command.args(["-c", "-f"]);
                command.args(pids.iter().flat_map(|pid| ["-p", pid]));
            }
        }
        command.args([PathBuf::from(if matches!(self, Self::Perf) { "--output" } else { "-o" })]);
        command.arg(output).stdout(Stdio::null());
        command
    }

    /// Reads what was counted; nothing from a report of another kind.
    fn parse(self, text: &str) -> Counts {
        let read = |line: &str| match self {
            // COUNT,UNIT,EVENT,…
            Self::Perf => {
                let mut fields = line.split(',');
                let calls = fields.next()?.parse().ok()?;
                let name = match fields.nth(1)? {
                    "raw_syscalls:sys_enter" => ALL,
                    name => name.strip_prefix("syscalls:sys_enter_")?,
                };
                Some((name.to_owned(), calls))
            }
            // % time, seconds, usecs/call, calls, errors where there were any, syscall
            Self::Strace => {
                let fields: Vec<_> = line.split_whitespace().collect();
                let name = match *fields.last()? {
                    "total" => ALL,
                    name => name,
                };
                Some((name.to_owned(), fields.get(3)?.parse().ok()?))
            }
        };
        text.lines().filter_map(read).filter(|(_, calls)| *calls > 0).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(counter: Counter, text: &str, expected: &[(&str, u64)]) {
        let counts = counter.parse(text);
        let counts: Vec<_> = counts.iter().map(|(name, calls)| (name.as_str(), *calls)).collect();
        assert_eq!(counts, expected);
    }

    #[test]
    fn calls_that_were_made_are_read_from_the_report_of_perf() {
        let text = "# started on Tue\n\n0,,syscalls:sys_enter_socket,9,100.00,,\n\
                    53432,,syscalls:sys_enter_recvfrom,9,100.00,,\n\
                    60000,,raw_syscalls:sys_enter,9,100.00,,\n\
                    <not counted>,,syscalls:sys_enter_bind,0,0.00,,\n";
        check(Counter::Perf, text, &[("recvfrom", 53432), (ALL, 60000)]);
    }

    #[test]
    fn calls_are_read_from_the_report_of_strace() {
        let text = "% time     seconds  usecs/call     calls    errors syscall\n\
                    ------ ----------- ----------- --------- --------- ----------------\n \
                    60.00    0.600000           6    100000           sendto\n \
                    40.00    0.400000           4    100002         2 recvfrom\n\
                    ------ ----------- ----------- --------- --------- ----------------\n\
                    100.00    1.000000          5    200002         2 total\n";
        let expected = [("sendto", 100_000), ("recvfrom", 100_002), (ALL, 200_002)];
        check(Counter::Strace, text, &expected);
    }

    #[test]
    fn report_of_another_kind_has_no_counts() {
        check(Counter::Perf, "event syntax error: 'syscalls:sys_enter_*'\n", &[]);
        check(Counter::Strace, "strace: attach: Operation not permitted\n", &[]);
    }
}
