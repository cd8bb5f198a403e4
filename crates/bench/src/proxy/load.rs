//! Owns the cases under load: CPU of the proxy for its work, and work in a second.

use std::time::Duration;

use super::{Bench, Case, Conf, SIDES, Served};
use crate::load::{Load, Request};
use crate::procfs::{self, Memory};
use crate::report::{Bar, Figures, Row};
use crate::stats::{Rounds, Side, interleave};
use crate::upstream::{JSON, LARGE, SMALL};
use crate::{Fault, Plan, beside, conf};

/// CPU beside our program before a change.
const BEFORE_MOST: f64 = 1.03;
/// CPU beside our program without what a case is about.
const PLAIN_MOST: f64 = 1.05;
/// CPU beside the relay.
const RELAY_MOST: f64 = 1.12;
/// One turn under load: short, so that what other programs do to the machine meets all alike.
const SLICE: Duration = Duration::from_millis(100);
/// Slices in a second.
const SLICES: u32 = 10;
/// Share of its processor that a proxy uses when that is what limits it.
const SATURATED: f64 = 0.9;

/// One case: what is asked for, and what of nginx's figures must be reached.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spec {
    what: &'static str,
    conf: Conf,
    connections: usize,
    request: Request,
    /// Name of the unit of work, and how many requests are one.
    unit: (&'static str, f64),
    /// CPU seconds a unit, at most this multiple of nginx's.
    cpu: f64,
    /// Requests per second beside nginx's.
    per_second: Bar,
    /// Whether the relay takes part.
    is_relayed: bool,
    /// What our program is beside without what the case is about.
    plain: Option<Conf>,
    /// What else is told, beside nginx.
    more: Option<Extra>,
}

/// Another figure of a case.
#[derive(Clone, Copy, Debug)]
struct Extra {
    what: &'static str,
    bar: Bar,
    digits: usize,
    figure: fn(&Sample) -> f64,
}

/// One slice.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sample {
    /// Processor seconds of the proxy for one unit of work.
    cpu: f64,
    per_second: f64,
    /// Bytes of an answer.
    bytes: f64,
    /// Proportional memory of the proxy, in MB.
    megabytes: f64,
    /// Shares (0 to 1) of their processors that the proxy used, and all of the load.
    used: f64,
    load_used: f64,
}

/// A side that takes part: its connections, which are dropped first, and its proxy.
struct Lane {
    load: Load,
    proxy: Served,
}

/// A row before it is measured.
struct Line {
    name: String,
    beside: Side,
    bar: Bar,
    digits: usize,
    figure: fn(&Sample) -> f64,
}

const KEEPALIVE: Spec = Spec {
    what: "keep-alive GET, 32 connections",
    conf: Conf::Tuned(4096),
    connections: 32,
    request: Request { path: SMALL, closes: false, takes_gzip: false, keys: 0 },
    unit: ("100k", 100_000.0),
    cpu: 0.85,
    per_second: Bar::RatioAtLeast(1.15),
    is_relayed: true,
    plain: None,
    more: None,
};

/// The case under load that `case` is.
pub(super) fn spec(case: Case) -> Option<Spec> {
    Some(match case {
        Case::Keepalive32 => KEEPALIVE,
        Case::Keepalive256 => {
            Spec { what: "keep-alive GET, 256 connections", connections: 256, ..KEEPALIVE }
        }
        Case::SixLines => Spec {
            what: "six-line file, 32 connections",
            conf: Conf::SixLines,
            cpu: 0.5,
            per_second: Bar::RatioAtLeast(2.0),
            is_relayed: false,
            ..KEEPALIVE
        },
        Case::Connections => Spec {
            what: "a connection for each GET, 32 at a time",
            request: Request { path: SMALL, closes: true, ..KEEPALIVE.request },
            // To be 1.1 times nginx. On one machine most of the making of a connection is done in
            // the client's calls: its processor is the one that is full, and with every proxy.
            cpu: 0.91,
            per_second: Bar::Told,
            is_relayed: false,
            ..KEEPALIVE
        },
        Case::Mebibyte => Spec {
            what: "1 MiB answers, 32 connections",
            request: Request { path: LARGE, closes: false, ..KEEPALIVE.request },
            unit: ("GiB", 1024.0),
            cpu: 1.0,
            per_second: Bar::RatioAtLeast(1.0),
            is_relayed: false,
            ..KEEPALIVE
        },
        Case::SmallFile => Spec {
            what: "files of 4 KiB, 32 connections",
            conf: Conf::Files,
            request: Request { path: conf::SMALL_FILE, closes: false, ..KEEPALIVE.request },
            cpu: 0.91,
            per_second: Bar::RatioAtLeast(1.1),
            is_relayed: false,
            ..KEEPALIVE
        },
        Case::LargeFile => Spec {
            what: "files of 1 MiB, 32 connections",
            conf: Conf::Files,
            request: Request { path: conf::LARGE_FILE, closes: false, ..KEEPALIVE.request },
            unit: ("GiB", 1024.0),
            cpu: 1.0,
            per_second: Bar::RatioAtLeast(1.0),
            is_relayed: false,
            ..KEEPALIVE
        },
        _ => return beyond_passing(case),
    })
}

/// The same where the proxy does more than to pass requests on.
fn beyond_passing(case: Case) -> Option<Spec> {
    let plain = Spec { is_relayed: false, ..KEEPALIVE };
    Some(match case {
        Case::Gzip => Spec {
            what: "JSON of 16 KiB by gzip, 32 connections",
            conf: Conf::Packed,
            request: Request { path: JSON, takes_gzip: true, ..KEEPALIVE.request },
            cpu: 1.0,
            per_second: Bar::RatioAtLeast(1.0),
            more: Some(Extra {
                what: "bytes of an answer",
                bar: Bar::RatioAtMost(1.0),
                digits: 0,
                figure: |sample| sample.bytes,
            }),
            ..plain
        },
        Case::Regexes => Spec {
            what: "20 locations by pattern, a log, 32 connections",
            conf: Conf::Patterns,
            request: Request { path: conf::LAST_PATTERN, ..KEEPALIVE.request },
            ..plain
        },
        Case::Limits => Spec {
            what: "limit of 100,000 keys, 32 connections",
            conf: Conf::Limited,
            request: Request { keys: 100_000, ..KEEPALIVE.request },
            plain: Some(Conf::Tuned(4096)),
            more: Some(Extra {
                what: "PSS with a zone of 16 MiB, MB",
                bar: Bar::AtMost(20.0),
                digits: 2,
                figure: |sample| sample.megabytes,
            }),
            ..plain
        },
        Case::Locations => Spec {
            what: "10,000 locations, 32 connections",
            conf: Conf::Places(10_000),
            request: Request { path: conf::PLACE, ..KEEPALIVE.request },
            plain: Some(Conf::Places(1)),
            ..plain
        },
        _ => return None,
    })
}

impl Spec {
    /// Runs the case and gives its rows, which have no figures when a run was invalid.
    pub(super) fn run(&self, plan: &Plan) -> (Vec<Row>, Option<Fault>) {
        let outcome = Bench::new(plan)
            .and_then(|bench| self.rounds(&bench))
            .and_then(|rounds| self.rows(plan, Some(&rounds)));
        match outcome {
            Ok(rows) => (rows, None),
            Err(fault) => (self.rows(plan, None).unwrap_or_default(), Some(fault)),
        }
    }

    /// The rows, filled from `rounds`; without figures if there are none.
    ///
    /// # Errors
    /// If a side that takes part has no figures.
    pub(super) fn rows(
        &self,
        plan: &Plan,
        rounds: Option<&Rounds<Sample>>,
    ) -> Result<Vec<Row>, Fault> {
        let row = |line: Line| {
            let figures = match rounds {
                Some(rounds) => beside(&line.name, rounds, line.beside, line.figure)?,
                None => Figures::default(),
            };
            let case = match line.beside {
                Side::Before => format!("{}, beside before", line.name),
                Side::Plain => format!("{}, beside without", line.name),
                Side::Relay => format!("{}, beside the relay", line.name),
                _ => line.name,
            };
            Ok(Row { case, figures, bar: line.bar, digits: line.digits })
        };
        self.lines(plan).into_iter().map(row).collect()
    }

    fn lines(&self, plan: &Plan) -> Vec<Line> {
        let cpu = |beside, most| Line {
            name: format!("{}, CPU s per {}", self.what, self.unit.0),
            beside,
            bar: Bar::RatioAtMost(most),
            digits: 3,
            figure: |sample| sample.cpu,
        };
        let per_second = Line {
            name: format!("{}, requests/s", self.what),
            beside: Side::Peer,
            bar: self.per_second,
            digits: 0,
            figure: |sample| sample.per_second,
        };
        let mut lines = vec![cpu(Side::Peer, self.cpu)];
        if plan.before.is_some() {
            lines.push(cpu(Side::Before, BEFORE_MOST));
        }
        if self.plain.is_some() {
            lines.push(cpu(Side::Plain, PLAIN_MOST));
        }
        if self.is_relayed {
            lines.push(cpu(Side::Relay, RELAY_MOST));
        }
        lines.push(per_second);
        lines.extend(self.more.map(|more| Line {
            name: format!("{}, {}", self.what, more.what),
            beside: Side::Peer,
            bar: more.bar,
            digits: more.digits,
            figure: more.figure,
        }));
        lines
    }

    /// In each round all sides are started, and then take turns of [`SLICE`], which are what is
    /// compared.
    fn rounds(&self, bench: &Bench<'_>) -> Result<Rounds<Sample>, Fault> {
        let mut sides = vec![Side::Ours, Side::Peer];
        sides.extend(bench.plan.before.is_some().then_some(Side::Before));
        sides.extend(self.plain.is_some().then_some(Side::Plain));
        sides.extend(self.is_relayed.then_some(Side::Relay));
        let mut all = Rounds::new(&sides);
        for round in 1..=bench.plan.rounds {
            let mut lanes = Vec::new();
            for side in &sides {
                lanes.push((*side, Lane::new(self, bench, *side)?));
            }
            let rounds = interleave(&sides, bench.plan.seconds * SLICES, |side, _| {
                let lane = lanes.iter_mut().find(|(of, _)| *of == side);
                let (_, lane) = lane.ok_or_else(|| Fault::new("a side that was not started"))?;
                lane.sample(self.unit.1).map_err(|fault| {
                    let words = lane.proxy.program.last_words();
                    Fault::new(format!("{side:?}: {fault}: {words}"))
                })
            })?;
            for side in &sides {
                if let Some(cpu) = rounds.spread(*side, |sample| sample.cpu) {
                    eprintln!(
                        "{} round {round}: {side:?} {cpu} CPU s per {}",
                        self.what, self.unit.0
                    );
                }
            }
            all.append(rounds);
        }
        self.say_limits(&all);
        Ok(all)
    }

    /// Says which side's processor was not what limited it. One that waits for the load sleeps and
    /// wakes more often for each request than one that is kept busy.
    fn say_limits(&self, rounds: &Rounds<Sample>) {
        for side in SIDES {
            let used = rounds.spread(side, |sample| sample.used);
            let load = rounds.spread(side, |sample| sample.load_used);
            if let (Some(used), Some(load)) = (used, load)
                && used.median < SATURATED
            {
                eprintln!(
                    "{}: {side:?} used {:.2} of its processor, the load {:.2} of the other: its \
                     requests/s are too few and its CPU seconds too many",
                    self.what, used.median, load.median
                );
            }
        }
    }
}

impl Lane {
    fn new(spec: &Spec, bench: &Bench<'_>, side: Side) -> Result<Self, Fault> {
        let plain = spec.plain.filter(|_| side == Side::Plain);
        let proxy = bench.serve(side, plain.unwrap_or(spec.conf))?;
        let mut load = Load::open(proxy.address, spec.connections, spec.request)?;
        // What is measured is a proxy that knows all keys.
        let mut left = u64::from(spec.request.keys);
        while left > 0 {
            left = left.saturating_sub(load.run(SLICE)?.requests);
        }
        Ok(Self { load, proxy })
    }

    /// One slice of load. `unit` requests are one unit of work.
    fn sample(&mut self, unit: f64) -> Result<Sample, Fault> {
        let (own, pid) = (std::process::id(), self.proxy.program.pid());
        let (proxy_before, all_before) = (procfs::cpu_seconds(pid)?, procfs::cpu_seconds(own)?);
        let done = self.load.run(SLICE)?;
        let used = procfs::cpu_seconds(pid)? - proxy_before;
        let all = procfs::cpu_seconds(own)? - all_before;
        let wall = done.wall.as_secs_f64();
        let requests = done.requests as f64;
        Ok(Sample {
            cpu: used * unit / requests,
            per_second: requests / wall,
            bytes: done.bytes as f64 / requests,
            megabytes: procfs::megabytes(pid, Memory::Proportional)?,
            used: used / wall,
            load_used: (all - used) / wall,
        })
    }
}
