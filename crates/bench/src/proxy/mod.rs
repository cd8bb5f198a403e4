//! Owns the proxy cases: our proxy and its peers, one at a time, with the same configuration file
//! on the same port and processor, before the same upstream.

mod calls;
mod crowd;
mod load;
mod memory;

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use clap::ValueEnum;
use rustix::process::Signal;

use crate::cgroup::Cgroup;
use crate::process::{LOAD_CPU, Program, TEST_CPU, raise_file_limit};
use crate::report::{self, Bar, Figures, Row, Shape};
use crate::stats::{Side, interleave};
use crate::{Fault, Plan, beside, conf, http};

/// What can be measured of a proxy.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Case {
    /// Small GET over 32 keep-alive connections, nginx tuned; beside the relay too.
    #[value(name = "keepalive-32")]
    Keepalive32,
    /// The same over 256 connections.
    #[value(name = "keepalive-256")]
    Keepalive256,
    /// 32 connections, with the six-line file that people copy from the guide.
    SixLines,
    /// Small GET over a new connection each, 32 at a time.
    Connections,
    /// Answers of 1 MiB over 32 keep-alive connections.
    Mebibyte,
    /// Files of 4 KiB over 32 keep-alive connections.
    #[value(name = "file-4k")]
    SmallFile,
    /// Files of 1 MiB over 32 keep-alive connections.
    #[value(name = "file-1m")]
    LargeFile,
    /// Answers of 16 KiB, JSON, compressed at level 1.
    Gzip,
    /// Twenty locations by regular expression and an access log.
    Regexes,
    /// A limit on requests with 100,000 keys; beside our program without it.
    Limits,
    /// A file of 10,000 locations; beside our program with one of them.
    Locations,
    /// From the start of the process with that file to the first 200 through it.
    StartLocations,
    /// System calls a request, at 32 and 256 connections (needs perf or strace, and root).
    Calls,
    /// 7,000 requests at once that wait for their answers, the proxy in a cgroup of 64 MiB (needs
    /// root).
    Crowd,
    /// From the start of the process to the first 200 through it.
    Start,
    /// Memory with nothing to do.
    Idle,
    /// Memory while 1,000 keep-alive connections do nothing.
    #[value(name = "idle-1000")]
    Idle1000,
    /// The same with 10,000.
    #[value(name = "idle-10000")]
    Idle10000,
    /// Size of the program's file.
    Size,
}

/// Starts measured for the median of [`Case::Start`].
const STARTS: u32 = 20;
/// How long a proxy may take to its first answer.
const START_TIME: Duration = Duration::from_secs(5);
/// First port tried; below the range from which the kernel takes the ports of outgoing
/// connections, of which some cases make thousands a second.
const FIRST_PORT: u16 = 18_080;
/// All sides, in the order of their numbers.
const SIDES: [Side; 5] = [Side::Ours, Side::Peer, Side::Before, Side::Plain, Side::Relay];
/// The two sides of the cases that have no other.
const BOTH: [Side; 2] = [Side::Ours, Side::Peer];

/// Which configuration the proxies get.
#[derive(Clone, Copy, Debug)]
enum Conf {
    /// As people tune it, with room for this many connections.
    Tuned(usize),
    SixLines,
    /// Files of its own folder.
    Files,
    /// Compressed answers.
    Packed,
    /// A limit on requests by key.
    Limited,
    /// So many locations.
    Places(usize),
    /// Locations by pattern.
    Patterns,
}

/// What all cases share: the upstream, and where the proxies listen.
struct Bench<'a> {
    plan: &'a Plan,
    /// Held for its end: dropped, it stops.
    _upstream: Program,
    upstream: SocketAddr,
    /// One address for each side, in the order of [`Side`].
    listen: Vec<SocketAddr>,
}

/// A proxy that has answered, and where. Dropped, it is ended.
struct Served {
    program: Program,
    address: SocketAddr,
}

/// Runs `case` and gives its rows, which have no figures when a run was invalid.
pub(crate) fn run(plan: &Plan, case: Case) -> (Vec<Row>, Option<Fault>) {
    if let Some(spec) = load::spec(case) {
        return spec.run(plan);
    }
    let outcome = Bench::new(plan).and_then(|bench| match case {
        Case::Calls => bench.calls(),
        Case::Crowd => bench.crowd(),
        Case::Start => bench.first_answer(Conf::SixLines),
        Case::StartLocations => bench.first_answer(Conf::Places(10_000)),
        Case::Idle => bench.memory(Conf::SixLines, 0),
        Case::Idle1000 => bench.memory(Conf::Tuned(4096), 1000),
        Case::Idle10000 => bench.memory(Conf::Tuned(16_384), 10_000),
        _ => bench.size(),
    });
    match outcome {
        Ok(figures) => (report::fill(shape(case), &figures), None),
        Err(fault) => (report::fill(shape(case), &[]), Some(fault)),
    }
}

/// The rows of a case other than those under load, before they are measured.
fn shape(case: Case) -> &'static [Shape] {
    match case {
        Case::Calls => &calls::SHAPE,
        Case::Crowd => &crowd::SHAPE,
        Case::Start => &[("start to first 200, ms", Bar::AtMost(5.0), 2)],
        Case::StartLocations => {
            &[("start with 10,000 locations to first 200, ms", Bar::AtMost(50.0), 2)]
        }
        Case::Idle => &[("idle PSS, MB", Bar::AtMost(2.0), 2)],
        Case::Idle1000 => &[("1,000 idle connections PSS, MB", Bar::AtMost(4.0), 2)],
        Case::Idle10000 => &[("10,000 idle connections PSS, MB", Bar::AtMost(10.0), 2)],
        Case::Size => &[("program file, MB", Bar::AtMost(2.5), 2)],
        _ => &[],
    }
}

impl<'a> Bench<'a> {
    fn new(plan: &'a Plan) -> Result<Self, Fault> {
        raise_file_limit();
        fs::create_dir_all(&plan.folder).map_err(|error| {
            Fault::new(format!("cannot create {}: {error}", plan.folder.display()))
        })?;
        let upstream = free_address(FIRST_PORT)?;
        let mut listen = vec![upstream];
        for _ in SIDES {
            let last = listen.last().map_or(FIRST_PORT, SocketAddr::port);
            listen.push(free_address(last + 1)?);
        }
        listen.remove(0);
        let mut command = own("upstream", &[upstream])?;
        let log = plan.folder.join("upstream.log");
        let mut program = Program::start(&mut command, LOAD_CPU, Signal::INT, &log)?;
        wait_first_answer(&mut program, upstream)?;
        Ok(Self { plan, _upstream: program, upstream, listen })
    }

    /// Where the proxy of `side` listens.
    fn address(&self, side: Side) -> SocketAddr {
        self.listen.get(side as usize).copied().unwrap_or(self.upstream)
    }

    /// The command that runs the proxy of `side` with the configuration `conf`.
    fn command(&self, side: Side, conf: Conf) -> Result<Command, Fault> {
        let Some(program) = self.plan.program(side) else {
            return own("relay", &[self.address(side), self.upstream]);
        };
        let folder = self.plan.folder.join(format!("{side:?}"));
        fs::create_dir_all(folder.join("spool"))
            .map_err(|error| Fault::new(format!("cannot create {}: {error}", folder.display())))?;
        let file = folder.join("nginx.conf");
        let (listen, upstream) = (self.address(side).port(), self.upstream.port());
        let text = match conf {
            Conf::Tuned(connections) => conf::tuned(listen, upstream, connections),
            Conf::SixLines => conf::six_lines(listen, upstream),
            Conf::Packed => conf::packed(listen, upstream),
            Conf::Limited => conf::limited(listen, upstream),
            Conf::Places(count) => conf::places(listen, upstream, count),
            Conf::Patterns => conf::patterns(listen, upstream),
            Conf::Files => {
                conf::plant(&folder).map_err(|error| {
                    Fault::new(format!("cannot write into {}: {error}", folder.display()))
                })?;
                conf::files(listen)
            }
        };
        fs::write(&file, text)
            .map_err(|error| Fault::new(format!("cannot write {}: {error}", file.display())))?;
        let mut command = Command::new(program);
        command.arg("-p").arg(&folder).arg("-c").arg(&file);
        command.arg("-g").arg(conf::directives(&folder)).stdout(Stdio::null());
        Ok(command)
    }

    /// Starts the proxy of `side`, without waiting for it; in `cgroup` if there is one.
    fn start(&self, side: Side, conf: Conf, cgroup: Option<&Cgroup>) -> Result<Program, Fault> {
        let mut command = self.command(side, conf)?;
        if let Some(cgroup) = cgroup {
            command = cgroup.wrap(&command);
        }
        // SIGINT ends all at once; SIGTERM would make ours drain.
        let log = self.plan.folder.join(format!("{side:?}.log"));
        Program::start(&mut command, TEST_CPU, Signal::INT, &log)
    }

    /// Starts the proxy of `side` and waits for its first answer.
    fn serve(&self, side: Side, conf: Conf) -> Result<Served, Fault> {
        let mut program = self.start(side, conf, None)?;
        let address = self.address(side);
        wait_first_answer(&mut program, address)?;
        Ok(Served { program, address })
    }

    fn first_answer(&self, conf: Conf) -> Result<Vec<Figures>, Fault> {
        let rounds = interleave(&BOTH, STARTS, |side, _| {
            let began = Instant::now();
            let _proxy = self.serve(side, conf)?;
            Ok(began.elapsed().as_secs_f64() * 1e3)
        })?;
        Ok(vec![beside("start to first 200, ms", &rounds, Side::Peer, |ms| *ms)?])
    }

    fn size(&self) -> Result<Vec<Figures>, Fault> {
        let program = self.plan.program(Side::Ours).unwrap_or(Path::new(""));
        let file = fs::metadata(program)
            .map_err(|error| Fault::new(format!("no size of {}: {error}", program.display())))?;
        Ok(vec![Figures { ours: Some(file.len() as f64 / 1e6), ..Figures::default() }])
    }
}

/// The command that runs this program's own `server`.
fn own(server: &str, addresses: &[SocketAddr]) -> Result<Command, Fault> {
    let program = std::env::current_exe()
        .map_err(|error| Fault::new(format!("where is this program? {error}")))?;
    let mut command = Command::new(program);
    command.arg(server).args(addresses.iter().map(ToString::to_string)).stdout(Stdio::null());
    Ok(command)
}

fn wait_first_answer(program: &mut Program, address: SocketAddr) -> Result<(), Fault> {
    // Short attempts, so that a program that ends at once is noticed before its time is over.
    let deadline = Instant::now() + START_TIME;
    loop {
        let attempt = Instant::now() + Duration::from_millis(100);
        match http::first_answer(address, attempt) {
            Ok(()) => return Ok(()),
            Err(fault) if program.has_ended() || Instant::now() >= deadline => {
                return Err(Fault::new(format!(
                    "no 200 after start: {fault}: {}",
                    program.last_words()
                )));
            }
            Err(_) => {}
        }
    }
}

/// The first port from `from` on that nobody listens on, on this machine only.
fn free_address(from: u16) -> Result<SocketAddr, Fault> {
    (from..FIRST_PORT.saturating_add(1000))
        .find(|port| TcpListener::bind((Ipv4Addr::UNSPECIFIED, *port)).is_ok())
        .map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
        .ok_or_else(|| Fault::new(format!("no free port from {from} on")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_case_has_rows_and_without_figures_they_are_short() {
        let before = Some("before".into());
        let (ours, peer, folder) = (Some("ours".into()), "peer".into(), "".into());
        let plan = Plan { ours, peer, before, folder, rounds: 1, seconds: 1 };
        for case in Case::value_variants() {
            let rows = match load::spec(*case) {
                Some(spec) => spec.rows(&plan, None).unwrap(),
                None => report::fill(shape(*case), &[]),
            };
            assert!(!rows.is_empty(), "{case:?}");
            assert!(rows.iter().all(|row| !row.is_met()), "{case:?}");
        }
    }
}
