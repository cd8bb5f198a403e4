//! Owns the proxy cases: our proxy and nginx, one at a time, with the same configuration file on
//! the same port and processor, before the same upstream.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use clap::ValueEnum;
use rustix::process::Signal;

use crate::process::{LOAD_CPU, Program, TEST_CPU, raise_file_limit};
use crate::procfs::{self, Memory};
use crate::report::{self, Bar, Row, Shape};
use crate::stats::{Pairs, Side, interleave};
use crate::{Fault, Plan, conf, http, say_spreads, wrk};

/// What can be measured of a proxy.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Case {
    /// Small GET over 32 keep-alive connections, nginx tuned.
    #[value(name = "keepalive-32")]
    Keepalive32,
    /// The same over 256 connections.
    #[value(name = "keepalive-256")]
    Keepalive256,
    /// 32 connections, with the six-line file that people copy from the guide.
    SixLines,
    /// From the start of the process to the first 200 through it.
    Start,
    /// Memory with nothing to do.
    Idle,
    /// Memory while 1,000 keep-alive connections do nothing.
    #[value(name = "idle-1000")]
    Idle1000,
}

/// Starts measured for the median of [`Case::Start`].
const STARTS: u32 = 20;
/// Rounds of the memory cases, whose figures hardly vary.
const MEMORY_ROUNDS: u32 = 3;
/// Rest before memory is read, in which a program may give back what a burst took.
const SETTLE: Duration = Duration::from_secs(1);
/// How long a proxy may take to its first answer.
const START_TIME: Duration = Duration::from_secs(5);
/// First port tried; below the range from which the kernel takes the ports of outgoing
/// connections, of which the six-line case makes thousands a second.
const FIRST_PORT: u16 = 18_080;
/// Share of a processor from which on its user is what limits the run.
const SATURATED: f64 = 0.9;

/// One run under load.
#[derive(Clone, Copy, Debug)]
struct Sample {
    per_second: f64,
    /// Processor seconds of the proxy for 100,000 requests.
    cpu: f64,
    limit: &'static str,
}

/// What all cases share: the upstream, and where the proxy listens.
struct Bench<'a> {
    plan: &'a Plan,
    /// Held for its end: dropped, it stops.
    _upstream: Program,
    upstream_port: u16,
    listen: u16,
}

/// Runs `case` and gives its rows, which have no figures when a run was invalid.
pub(crate) fn run(plan: &Plan, case: Case) -> (Vec<Row>, Option<Fault>) {
    let outcome = Bench::new(plan).and_then(|bench| match case {
        Case::Keepalive32 => bench.load(case, 32),
        Case::Keepalive256 => bench.load(case, 256),
        Case::SixLines => bench.load(case, 32),
        Case::Start => bench.first_answer(),
        Case::Idle => bench.memory(case, 0),
        Case::Idle1000 => bench.memory(case, 1000),
    });
    match outcome {
        Ok(figures) => (rows(case, &figures), None),
        Err(fault) => (rows(case, &[]), Some(fault)),
    }
}

/// The rows of `case`, filled with `figures`.
fn rows(case: Case, figures: &[(f64, f64)]) -> Vec<Row> {
    let shape: &[Shape] = match case {
        Case::Keepalive32 => &[
            ("keep-alive GET, 32 connections, requests/s", Bar::RatioAtLeast(1.0), 0),
            ("keep-alive GET, 32 connections, CPU s per 100k", Bar::RatioAtMost(1.0), 3),
        ],
        Case::Keepalive256 => &[
            ("keep-alive GET, 256 connections, requests/s", Bar::RatioAtLeast(1.0), 0),
            ("keep-alive GET, 256 connections, CPU s per 100k", Bar::RatioAtMost(1.0), 3),
        ],
        Case::SixLines => &[
            ("six-line file, 32 connections, requests/s", Bar::RatioAtLeast(2.0), 0),
            ("six-line file, 32 connections, CPU s per 100k", Bar::RatioAtMost(0.5), 3),
        ],
        Case::Start => &[("start to first 200, ms", Bar::AtMost(5.0), 2)],
        Case::Idle => &[("idle PSS, MB", Bar::AtMost(2.0), 2)],
        Case::Idle1000 => &[("1,000 idle connections PSS, MB", Bar::AtMost(4.0), 2)],
    };
    report::fill(shape, figures)
}

impl<'a> Bench<'a> {
    fn new(plan: &'a Plan) -> Result<Self, Fault> {
        raise_file_limit();
        let folder = plan.folder.join("upstream");
        prepare(&folder)?;
        let upstream_port = free_port(FIRST_PORT)?;
        let listen = free_port(upstream_port + 1)?;
        let file = folder.join("nginx.conf");
        write(&file, &conf::upstream(upstream_port))?;
        let mut command = Command::new("nginx");
        command.arg("-p").arg(&folder).arg("-c").arg(&file);
        command.arg("-g").arg(conf::directives(&folder)).stdout(Stdio::null());
        let log = folder.join("stderr.log");
        let mut upstream = Program::start(&mut command, LOAD_CPU, Signal::INT, &log)?;
        wait_first_answer(&mut upstream, upstream_port)?;
        Ok(Self { plan, _upstream: upstream, upstream_port, listen })
    }

    /// Starts the proxy of `side`, without waiting for it.
    fn start(&self, side: Side, case: Case) -> Result<Program, Fault> {
        let folder = self.plan.folder.join("proxy");
        prepare(&folder)?;
        let file = folder.join("nginx.conf");
        let text = match case {
            Case::Keepalive32 | Case::Keepalive256 | Case::Idle1000 => conf::tuned,
            Case::SixLines | Case::Start | Case::Idle => conf::six_lines,
        };
        write(&file, &text(self.listen, self.upstream_port))?;
        let mut command = Command::new(self.plan.program(side));
        command.arg("-p").arg(&folder).arg("-c").arg(&file);
        command.arg("-g").arg(conf::directives(&folder)).stdout(Stdio::null());
        // SIGINT ends both at once; SIGTERM would make ours drain.
        Program::start(&mut command, TEST_CPU, Signal::INT, &folder.join("stderr.log"))
    }

    fn load(&self, case: Case, connections: u32) -> Result<Vec<(f64, f64)>, Fault> {
        let pairs = interleave(self.plan.rounds, |side, round| {
            let sample = self.load_once(side, case, connections)?;
            eprintln!(
                "{case:?} round {round}: {side:?} {:.0} requests/s, {:.3} CPU s per 100k, \
                 limited by {}",
                sample.per_second, sample.cpu, sample.limit
            );
            Ok(sample)
        })?;
        say_limits(case, &pairs);
        Ok(vec![
            say_spreads("requests/s", &pairs, |sample| sample.per_second)?,
            say_spreads("CPU s per 100k", &pairs, |sample| sample.cpu)?,
        ])
    }

    fn load_once(&self, side: Side, case: Case, connections: u32) -> Result<Sample, Fault> {
        let mut proxy = self.start(side, case)?;
        wait_first_answer(&mut proxy, self.listen)?;
        let own = std::process::id();
        let began = Instant::now();
        let (proxy_before, all_before) =
            (procfs::cpu_seconds(proxy.pid())?, procfs::cpu_seconds(own)?);
        let busy_before = (procfs::busy(LOAD_CPU)?, procfs::busy(TEST_CPU)?);
        let load = wrk::run(self.address(), connections, self.plan.seconds)?;
        let wall = began.elapsed().as_secs_f64();
        let used = procfs::cpu_seconds(proxy.pid())? - proxy_before;
        let all = procfs::cpu_seconds(own)? - all_before;
        if load.failures > 0 || load.requests == 0 {
            return Err(Fault::new(format!(
                "{side:?}: {} of {} requests failed: {}",
                load.failures,
                load.requests,
                proxy.last_words()
            )));
        }
        http::first_answer(self.address(), Instant::now())?;
        let limit = limit(
            (used / wall, procfs::busy(TEST_CPU)?.share_since(busy_before.1)),
            ((all - used) / wall, procfs::busy(LOAD_CPU)?.share_since(busy_before.0)),
        );
        let cpu = used * 100_000.0 / load.requests as f64;
        Ok(Sample { per_second: load.per_second, cpu, limit })
    }

    fn first_answer(&self) -> Result<Vec<(f64, f64)>, Fault> {
        let pairs = interleave(STARTS, |side, _| {
            let began = Instant::now();
            let mut proxy = self.start(side, Case::Start)?;
            wait_first_answer(&mut proxy, self.listen)?;
            Ok(began.elapsed().as_secs_f64() * 1e3)
        })?;
        Ok(vec![say_spreads("start to first 200, ms", &pairs, |ms| *ms)?])
    }

    fn memory(&self, case: Case, connections: usize) -> Result<Vec<(f64, f64)>, Fault> {
        let pairs = interleave(MEMORY_ROUNDS, |side, _| {
            let mut proxy = self.start(side, case)?;
            wait_first_answer(&mut proxy, self.listen)?;
            let held = hold(self.address(), connections)?;
            thread::sleep(SETTLE);
            let megabytes = procfs::megabytes(proxy.pid(), Memory::Proportional)?;
            drop(held);
            Ok(megabytes)
        })?;
        Ok(vec![say_spreads("PSS, MB", &pairs, |megabytes| *megabytes)?])
    }

    fn address(&self) -> SocketAddr {
        local(self.listen)
    }
}

/// What kept a run from going faster, given (share of the processor used, share it was busy) of
/// the proxy's and of the load's processor.
fn limit(test: (f64, f64), load: (f64, f64)) -> &'static str {
    if test.0 >= SATURATED {
        "the proxy"
    } else if load.0 >= SATURATED {
        "the load generator"
    } else if test.1.max(load.1) >= SATURATED {
        "other programs on this machine"
    } else {
        "nothing in particular"
    }
}

/// Says when requests per second were bounded by something other than the proxies.
fn say_limits(case: Case, pairs: &Pairs<Sample>) {
    let runs = pairs.ours.iter().chain(&pairs.peer);
    let foreign = runs.clone().filter(|sample| sample.limit != "the proxy").count();
    if foreign > 0 {
        eprintln!(
            "{case:?}: in {foreign} of {} runs the proxy's processor was not the limit: requests/s \
             says less than CPU seconds there",
            runs.count()
        );
    }
}

/// Opens `count` connections and makes one request on each.
fn hold(address: SocketAddr, count: usize) -> Result<Vec<TcpStream>, Fault> {
    let mut held = Vec::with_capacity(count);
    for _ in 0..count {
        let mut stream = http::connect(address)?;
        http::get(&mut stream)?;
        held.push(stream);
    }
    Ok(held)
}

fn wait_first_answer(program: &mut Program, port: u16) -> Result<(), Fault> {
    // Short attempts, so that a program that ends at once is noticed before its time is over.
    let deadline = Instant::now() + START_TIME;
    loop {
        let attempt = Instant::now() + Duration::from_millis(100);
        match http::first_answer(local(port), attempt) {
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

fn local(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

/// The first port from `from` on that nobody listens on.
fn free_port(from: u16) -> Result<u16, Fault> {
    (from..FIRST_PORT.saturating_add(1000))
        .find(|port| TcpListener::bind((Ipv4Addr::UNSPECIFIED, *port)).is_ok())
        .ok_or_else(|| Fault::new(format!("no free port from {from} on")))
}

/// Makes `folder` with the places nginx wants in it.
fn prepare(folder: &std::path::Path) -> Result<(), Fault> {
    fs::create_dir_all(folder.join("spool"))
        .map_err(|error| Fault::new(format!("cannot create {}: {error}", folder.display())))
}

fn write(file: &std::path::Path, text: &str) -> Result<(), Fault> {
    fs::write(file, text)
        .map_err(|error| Fault::new(format!("cannot write {}: {error}", file.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(test: (f64, f64), load: (f64, f64), expected: &str) {
        assert_eq!(limit(test, load), expected);
    }

    #[test]
    fn limit_is_named_from_who_filled_which_processor() {
        check((0.97, 0.99), (0.99, 1.0), "the proxy");
        check((0.6, 0.65), (0.98, 1.0), "the load generator");
        check((0.6, 1.0), (0.7, 0.8), "other programs on this machine");
        check((0.6, 0.6), (0.7, 0.7), "nothing in particular");
    }

    #[test]
    fn every_case_has_rows_and_without_figures_they_are_short() {
        for case in Case::value_variants() {
            let rows = rows(*case, &[]);
            assert!(!rows.is_empty());
            assert!(rows.iter().all(|row| !row.is_met()), "{case:?}");
        }
    }
}
