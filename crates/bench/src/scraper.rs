//! Owns the scraper cases: our log-scraper and GNU tail following the same file to a pipe that this
//! program drains.

use std::fs::{self, File};
use std::io::{BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use clap::ValueEnum;
use rustix::process::Signal;

use crate::lines::{LINE_BYTES, Ledger, line};
use crate::process::{Program, TEST_CPU};
use crate::procfs::{self, Memory};
use crate::report::{self, Bar, Figures, Row, Shape};
use crate::stats::{Side, interleave, quantile};
use crate::{Fault, Plan, beside, scraper_files};

/// What can be measured of a scraper.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Case {
    /// 600 MB of 100-byte lines that are already there, to a pipe.
    Throughput,
    /// 200,000 numbered lines at 40,000 a second while the file is renamed 8 times a second.
    Rotation,
    /// 1,000 and 10,000 lines a second: how long a line takes from its write to the pipe, and what
    /// following costs.
    Paced,
    /// nothing is written: how often it wakes, and its memory.
    Idle,
    /// 1, 1,000 and 10,000 files by one pattern: processor time, wake-ups and memory.
    Files,
}

/// Who takes part.
const SIDES: [Side; 2] = [Side::Ours, Side::Peer];
/// Lines of the throughput case: 600 MB.
const BACKLOG_LINES: u64 = 6_000_000;
/// How long reading them may take; half a second is usual.
const BACKLOG_TIME: Duration = Duration::from_secs(60);
/// Largest piece read from the pipe at once.
const PIECE_BYTES: usize = 1024 * 1024;
/// How long after the last line was written it may come out.
const CATCH_UP_TIME: Duration = Duration::from_secs(5);
/// How long to wait for lines that come twice.
const QUIET_TIME: Duration = Duration::from_millis(500);
/// Most rounds of a case that follows a paced writer, which takes seconds whatever the program.
const FOLLOW_ROUNDS: u32 = 3;
/// Pace of the writer: a batch of single-line writes each tick.
const TICK: Duration = Duration::from_millis(1);

/// Lines written at a pace while a program follows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Writing {
    pub(crate) lines: u64,
    pub(crate) lines_per_tick: u64,
    /// Lines after which the file is renamed and begun anew; none: never.
    pub(crate) lines_per_file: Option<u64>,
}

const ROTATION: Writing =
    Writing { lines: 200_000, lines_per_tick: 40, lines_per_file: Some(40_000 / 8) };
const SLOW: Writing = Writing { lines: 5000, lines_per_tick: 1, lines_per_file: None };
const PACED: Writing = Writing { lines: 30_000, lines_per_tick: 10, lines_per_file: None };
/// How long nothing is written.
const IDLE_TIME: Duration = Duration::from_secs(10);

/// One reading of the whole backlog.
#[derive(Clone, Copy, Debug)]
struct Backlog {
    megabytes_per_second: f64,
    megabytes_per_cpu_second: f64,
    peak_megabytes: f64,
}

/// One following of a paced writer.
#[derive(Debug)]
struct Followed {
    lost: f64,
    doubled: f64,
    /// Torn, out of order, or left without an end.
    spoiled: f64,
    /// Exit status after SIGTERM; 128 plus the signal that ended it, as a shell says it.
    exit: f64,
    peak_megabytes: f64,
    median_ms: f64,
    latency_ms: f64,
    /// Processor seconds for a million lines.
    cpu_seconds: f64,
}

impl std::fmt::Display for Followed {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            formatter,
            "lost {}, doubled {}, spoiled {}, exit {}, peak {:.2} MB, median {:.2} ms, p99 {:.2} ms, \
             {:.2} CPU s per million lines",
            self.lost,
            self.doubled,
            self.spoiled,
            self.exit,
            self.peak_megabytes,
            self.median_ms,
            self.latency_ms,
            self.cpu_seconds
        )
    }
}

/// Runs `case` and gives its rows, which have no figures when a run was invalid.
pub(crate) fn run(plan: &Plan, case: Case) -> (Vec<Row>, Option<Fault>) {
    let outcome = match case {
        Case::Throughput => throughput(plan),
        Case::Rotation => rotation(plan),
        Case::Paced => paced(plan),
        Case::Idle => idle(plan),
        Case::Files => scraper_files::run(plan),
    };
    match outcome {
        Ok(figures) => (rows(case, &figures), None),
        Err(fault) => (rows(case, &[]), Some(fault)),
    }
}

/// The rows of `case`, filled with `figures`.
fn rows(case: Case, figures: &[Figures]) -> Vec<Row> {
    let shape: &[Shape] = match case {
        Case::Throughput => &[
            ("600 MB to a pipe, MB per second", Bar::RatioAtLeast(1.0), 0),
            ("600 MB to a pipe, MB per CPU second", Bar::RatioAtLeast(1.0 / 0.7), 0),
            ("600 MB to a pipe, peak RSS, MB", Bar::AtMost(3.0), 2),
        ],
        Case::Rotation => &[
            ("8 renames/s at 40,000 lines/s, lines lost", Bar::AtMost(0.0), 0),
            ("8 renames/s at 40,000 lines/s, lines doubled", Bar::AtMost(0.0), 0),
            ("8 renames/s at 40,000 lines/s, lines torn or out of order", Bar::AtMost(0.0), 0),
            ("8 renames/s at 40,000 lines/s, exit status on SIGTERM", Bar::AtMost(0.0), 0),
            ("8 renames/s at 40,000 lines/s, peak RSS, MB", Bar::AtMost(3.0), 2),
        ],
        Case::Paced => &[
            ("1,000 lines/s, write to pipe median, ms", Bar::AtMost(0.3), 2),
            ("1,000 lines/s, write to pipe p99, ms", Bar::AtMost(3.0), 2),
            ("10,000 lines/s, write to pipe p99, ms", Bar::AtMost(20.0), 2),
            ("10,000 lines/s, CPU seconds per million lines", Bar::RatioAtMost(1.0), 2),
        ],
        Case::Idle => &[
            ("nothing is written, wake-ups per second", Bar::AtMost(1.0), 2),
            ("nothing is written, peak RSS, MB", Bar::AtMost(1.6), 2),
        ],
        Case::Files => &scraper_files::ROWS,
    };
    report::fill(shape, figures)
}

fn throughput(plan: &Plan) -> Result<Vec<Figures>, Fault> {
    let folder = Folder::new(plan.folder.join("backlog"))?;
    let file = folder.path.join("logs.txt");
    write_backlog(&file)?;
    let rounds = interleave(&SIDES, plan.rounds, |side, round| {
        // The warm-up round compares every byte, which is too slow for a measured one.
        let compare = if round == 0 { Some(file.as_path()) } else { None };
        let backlog = read_backlog(plan, side, &file, compare)?;
        eprintln!(
            "throughput round {round}: {side:?} {:.0} MB/s, {:.0} MB per CPU second, peak {:.2} MB",
            backlog.megabytes_per_second, backlog.megabytes_per_cpu_second, backlog.peak_megabytes
        );
        Ok(backlog)
    })?;
    Ok(vec![
        beside("MB/s", &rounds, Side::Peer, |run| run.megabytes_per_second)?,
        beside("MB per CPU second", &rounds, Side::Peer, |run| run.megabytes_per_cpu_second)?,
        beside("peak RSS, MB", &rounds, Side::Peer, |run| run.peak_megabytes)?,
    ])
}

fn rotation(plan: &Plan) -> Result<Vec<Figures>, Fault> {
    let (mut ours, mut peer) = (Vec::new(), Vec::new());
    // The worst of all rounds counts, the first one too: a lost line is lost.
    for round in 1..=plan.rounds.min(FOLLOW_ROUNDS) {
        for (side, runs) in [(Side::Ours, &mut ours), (Side::Peer, &mut peer)] {
            let run = follow(plan, side, ROTATION)?;
            eprintln!("rotation round {round}: {side:?} {run}");
            runs.push(run);
        }
    }
    let worst = |figure: fn(&Followed) -> f64| {
        let most = |runs: &[Followed]| runs.iter().map(figure).fold(0.0, f64::max);
        Figures::from((most(&ours), most(&peer)))
    };
    Ok(vec![
        worst(|run| run.lost),
        worst(|run| run.doubled),
        worst(|run| run.spoiled),
        worst(|run| run.exit),
        worst(|run| run.peak_megabytes),
    ])
}

fn paced(plan: &Plan) -> Result<Vec<Figures>, Fault> {
    let at_pace = |writing: Writing| {
        interleave(&SIDES, plan.rounds.min(FOLLOW_ROUNDS), |side, round| {
            let run = follow(plan, side, writing)?;
            eprintln!("paced round {round}, {} lines: {side:?} {run}", writing.lines);
            if run.lost + run.doubled + run.spoiled > 0.0 {
                return Err(Fault::new(format!("{side:?} lost, doubled or spoiled lines: {run}")));
            }
            Ok(run)
        })
    };
    let (slow, fast) = (at_pace(SLOW)?, at_pace(PACED)?);
    Ok(vec![
        beside("write to pipe median, ms", &slow, Side::Peer, |run| run.median_ms)?,
        beside("write to pipe p99, ms", &slow, Side::Peer, |run| run.latency_ms)?,
        beside("write to pipe p99, ms", &fast, Side::Peer, |run| run.latency_ms)?,
        beside("CPU seconds per million lines", &fast, Side::Peer, |run| run.cpu_seconds)?,
    ])
}

fn idle(plan: &Plan) -> Result<Vec<Figures>, Fault> {
    let run = |side| {
        let folder = Folder::new(plan.folder.join("idle"))?;
        let file = folder.path.join("logs.txt");
        fs::write(&file, line(0)).map_err(|error| unusable(&file, &error))?;
        let mut command = command(plan, side, &file)?;
        let log = plan.folder.join("stderr.log");
        let mut program = Program::start(&mut command, TEST_CPU, Signal::TERM, &log)?;
        let mut stdout = program.take_stdout()?;
        let read = drain(&mut stdout, LINE_BYTES as u64)?;
        // The checkpoint of that line is still to be written.
        thread::sleep(QUIET_TIME * 4);
        let before = procfs::wake_ups(program.pid())?;
        thread::sleep(IDLE_TIME);
        let count = procfs::wake_ups(program.pid())? - before;
        let megabytes = procfs::megabytes(program.pid(), Memory::Peak)?;
        program.end(Signal::TERM)?;
        match read {
            0 => Err(Fault::new(format!("{side:?} does not follow the file"))),
            _ => Ok((count as f64 / IDLE_TIME.as_secs_f64(), megabytes)),
        }
    };
    let (ours, peer) = (run(Side::Ours)?, run(Side::Peer)?);
    Ok(vec![Figures::from((ours.0, peer.0)), Figures::from((ours.1, peer.1))])
}

/// The program of `side`, told to follow `file` from its beginning; ours as the pod runs it, with
/// a checkpoint in a folder other than the log's, a new one each time.
fn command(plan: &Plan, side: Side, file: &Path) -> Result<Command, Fault> {
    let mut command = Command::new(plan.program(side).unwrap_or(Path::new("tail")));
    if plan.is_peer(side) {
        command.args(["-n", "+1", "-F"]);
    } else {
        let checkpoint = plan.folder.join("checkpoint");
        if checkpoint.exists() {
            fs::remove_file(&checkpoint).map_err(|error| unusable(&checkpoint, &error))?;
        }
        let mut argument = std::ffi::OsString::from("--checkpoint-file=");
        argument.push(&checkpoint);
        command.arg(argument);
    }
    command.arg(file).stdout(Stdio::piped());
    Ok(command)
}

fn read_backlog(
    plan: &Plan,
    side: Side,
    file: &Path,
    compare: Option<&Path>,
) -> Result<Backlog, Fault> {
    let total = BACKLOG_LINES * LINE_BYTES as u64;
    let mut command = command(plan, side, file)?;
    let began = Instant::now();
    let log = plan.folder.join("stderr.log");
    let mut program = Program::start(&mut command, TEST_CPU, Signal::TERM, &log)?;
    let bounded = program.bounded(BACKLOG_TIME);
    let mut stdout = program.take_stdout()?;
    let read = match compare {
        None => drain(&mut stdout, total),
        Some(original) => drain_and_compare(&mut stdout, original, total),
    }?;
    let wall = began.elapsed().as_secs_f64();
    if read != total {
        return Err(Fault::new(format!(
            "{side:?} gave {read} of {total} bytes: {}",
            program.last_words()
        )));
    }
    let cpu = procfs::cpu_seconds(program.pid())?;
    let peak_megabytes = procfs::megabytes(program.pid(), Memory::Peak)?;
    drop(bounded);
    drop(stdout);
    program.end(Signal::TERM)?;
    let megabytes = total as f64 / 1e6;
    Ok(Backlog {
        megabytes_per_second: megabytes / wall,
        megabytes_per_cpu_second: megabytes / cpu,
        peak_megabytes,
    })
}

/// Reads `total` bytes, or fewer if the pipe ends before.
fn drain(stdout: &mut ChildStdout, total: u64) -> Result<u64, Fault> {
    let mut piece = vec![0; PIECE_BYTES];
    let mut read = 0;
    while read < total {
        match stdout.read(&mut piece) {
            Ok(0) => break,
            Ok(count) => read += count as u64,
            Err(error) => return Err(Fault::new(format!("cannot read the pipe: {error}"))),
        }
    }
    Ok(read)
}

/// The same, and every byte must be that of `original`.
fn drain_and_compare(stdout: &mut ChildStdout, original: &Path, total: u64) -> Result<u64, Fault> {
    let mut file = File::open(original).map_err(|error| unusable(original, &error))?;
    let mut piece = vec![0; PIECE_BYTES];
    let mut expected = vec![0; PIECE_BYTES];
    let mut read = 0;
    while read < total {
        let count = stdout
            .read(&mut piece)
            .map_err(|error| Fault::new(format!("cannot read the pipe: {error}")))?;
        if count == 0 {
            break;
        }
        let (got, wanted) = (piece.get(..count), expected.get_mut(..count));
        let (Some(got), Some(wanted)) = (got, wanted) else {
            break;
        };
        file.read_exact(wanted).map_err(|error| unusable(original, &error))?;
        if got != wanted {
            return Err(Fault::new(format!("what came out differs from the file near {read}")));
        }
        read += count as u64;
    }
    Ok(read)
}

fn write_backlog(file: &Path) -> Result<(), Fault> {
    let write = || {
        let mut writer = BufWriter::with_capacity(PIECE_BYTES, File::create(file)?);
        (0..BACKLOG_LINES).try_for_each(|number| writer.write_all(&line(number)))?;
        writer.flush()
    };
    write().map_err(|error: std::io::Error| unusable(file, &error))
}

/// Lets the program of `side` follow a paced writer to the end, then ends it with SIGTERM.
fn follow(plan: &Plan, side: Side, writing: Writing) -> Result<Followed, Fault> {
    let folder = Folder::new(plan.folder.join("followed"))?;
    let file = folder.path.join("logs.txt");
    File::create(&file).map_err(|error| unusable(&file, &error))?;
    let mut command = command(plan, side, &file)?;
    let log = plan.folder.join("stderr.log");
    let mut program = Program::start(&mut command, TEST_CPU, Signal::TERM, &log)?;
    let limit = Duration::from_secs(60);
    let bounded = program.bounded(limit);
    let stdout = program.take_stdout()?;
    let arrived = AtomicU64::new(0);
    let began = Instant::now();
    let (reading, written, ended) = thread::scope(|scope| {
        let reader = scope.spawn(|| read_lines(stdout, writing.lines, began, &arrived));
        let written = write_paced(&file, writing, began);
        let deadline = Instant::now() + CATCH_UP_TIME;
        while arrived.load(Ordering::Relaxed) < writing.lines && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(10));
        }
        thread::sleep(QUIET_TIME);
        let peak = procfs::megabytes(program.pid(), Memory::Peak);
        let cpu = procfs::cpu_seconds(program.pid());
        let used = peak.and_then(|peak| Ok((peak, cpu?)));
        let ended = used.and_then(|used| Ok((used, program.end(Signal::TERM)?)));
        // The program is gone, so the pipe ends and the reader with it.
        drop(bounded);
        (reader.join(), written, ended)
    });
    let (ledger, arrivals) = reading.map_err(|_| Fault::new("the reader failed"))??;
    let ((peak_megabytes, cpu_seconds), status) = ended?;
    let latencies = latencies(&written?, &arrivals);
    let at = |share| quantile(&latencies, share).ok_or_else(|| Fault::new("nothing came out"));
    Ok(Followed {
        lost: ledger.lost() as f64,
        doubled: ledger.doubled() as f64,
        spoiled: (ledger.torn + ledger.unordered + u64::from(ledger.partial_bytes() > 0)) as f64,
        exit: f64::from(exit_code(status)),
        peak_megabytes,
        median_ms: at(0.5)?,
        latency_ms: at(0.99)?,
        cpu_seconds: cpu_seconds * 1e6 / writing.lines as f64,
    })
}

fn exit_code(status: std::process::ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt;
    status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(-1)
}

/// Writes line by line, each with its own `write`, as an application does; gives when each batch
/// was begun: (lines until then, time).
pub(crate) fn write_paced(
    path: &Path,
    writing: Writing,
    began: Instant,
) -> Result<Vec<(u64, Duration)>, Fault> {
    let open = |path: &Path| {
        File::options().create(true).append(true).open(path).map_err(|error| unusable(path, &error))
    };
    let mut file = open(path)?;
    let mut batches = Vec::new();
    let mut tick = began.elapsed();
    for number in 0..writing.lines {
        if number.is_multiple_of(writing.lines_per_tick) {
            tick += TICK;
            thread::sleep(tick.saturating_sub(began.elapsed()));
            batches.push((number, began.elapsed()));
        }
        let full = |lines: u64| number > 0 && number.is_multiple_of(lines);
        if writing.lines_per_file.is_some_and(full) {
            let rotated = path.with_extension(format!("txt.{number}"));
            fs::rename(path, &rotated).map_err(|error| unusable(&rotated, &error))?;
            file = open(path)?;
        }
        file.write_all(&line(number)).map_err(|error| unusable(path, &error))?;
    }
    Ok(batches)
}

/// Arrival of lines: (lines until then, time).
type Arrivals = Vec<(u64, Duration)>;

fn read_lines(
    mut stdout: ChildStdout,
    lines: u64,
    began: Instant,
    arrived: &AtomicU64,
) -> Result<(Ledger, Arrivals), Fault> {
    let mut ledger = Ledger::new(usize::try_from(lines).unwrap_or(usize::MAX));
    let mut arrivals = Vec::new();
    let mut piece = vec![0; PIECE_BYTES];
    let mut bytes = 0;
    loop {
        let count = stdout
            .read(&mut piece)
            .map_err(|error| Fault::new(format!("cannot read the pipe: {error}")))?;
        if count == 0 {
            return Ok((ledger, arrivals));
        }
        bytes += count;
        let lines = (bytes / LINE_BYTES) as u64;
        arrivals.push((lines, began.elapsed()));
        ledger.enter(piece.get(..count).unwrap_or_default());
        arrived.store(lines, Ordering::Relaxed);
    }
}

/// Of each batch the time from its first write until all its lines had come, in milliseconds. Sound
/// only where no line was lost or doubled, which its caller checks.
fn latencies(batches: &[(u64, Duration)], arrivals: &[(u64, Duration)]) -> Vec<f64> {
    let mut arrivals = arrivals.iter().peekable();
    let ends = batches.iter().skip(1).map(|(lines, _)| *lines);
    let mut latencies = Vec::new();
    for ((_, written), end) in batches.iter().zip(ends) {
        while arrivals.peek().is_some_and(|(lines, _)| *lines < end) {
            arrivals.next();
        }
        let Some((_, came)) = arrivals.peek() else {
            break;
        };
        latencies.push(came.saturating_sub(*written).as_secs_f64() * 1e3);
    }
    latencies
}

pub(crate) fn unusable(path: &Path, error: &std::io::Error) -> Fault {
    Fault::new(format!("{}: {error}", path.display()))
}

/// A new, empty folder, removed with all in it at the end of a case.
pub(crate) struct Folder {
    pub(crate) path: PathBuf,
}

impl Folder {
    pub(crate) fn new(path: PathBuf) -> Result<Self, Fault> {
        if path.exists() {
            fs::remove_dir_all(&path).map_err(|error| unusable(&path, &error))?;
        }
        fs::create_dir_all(&path).map_err(|error| unusable(&path, &error))?;
        Ok(Self { path })
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(batches: &[(u64, u64)], arrivals: &[(u64, u64)], expected: &[f64]) {
        let times = |row: &[(u64, u64)]| -> Vec<(u64, Duration)> {
            row.iter().map(|(lines, ms)| (*lines, Duration::from_millis(*ms))).collect()
        };
        assert_eq!(latencies(&times(batches), &times(arrivals)), expected);
    }

    #[test]
    fn latency_runs_from_a_batch_to_the_arrival_of_its_last_line() {
        check(&[(0, 10), (5, 20), (10, 30)], &[(4, 11), (5, 12), (10, 23)], &[2.0, 3.0]);
    }

    #[test]
    fn one_arrival_may_bring_several_batches() {
        check(&[(0, 10), (5, 20), (10, 30)], &[(10, 40)], &[30.0, 20.0]);
    }

    #[test]
    fn nothing_that_came_has_no_latency() {
        check(&[(0, 10), (5, 20)], &[], &[]);
    }

    #[test]
    fn every_case_has_rows_and_without_figures_they_are_short() {
        for case in Case::value_variants() {
            let rows = rows(*case, &[]);
            assert!(!rows.is_empty());
            assert!(rows.iter().all(|row| !row.is_met()), "{case:?}");
        }
    }

    #[test]
    fn renames_happen_eight_times_a_second() {
        let per_second = ROTATION.lines_per_tick * 1000;
        assert_eq!(per_second, 40_000);
        assert_eq!(ROTATION.lines_per_file.map(|lines| per_second / lines), Some(8));
    }
}
