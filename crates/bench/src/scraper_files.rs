//! Owns the scraper cases in which there are many files and little happens: memory, wake-ups and
//! processor time that following costs by itself, beside those of a single file.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{ChildStdout, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::process::{Program, TEST_CPU, raise_file_limit};
use crate::procfs::{self, Memory};
use crate::report::{Bar, Figures, Shape};
use crate::scraper::{Folder, unusable};
use crate::stats::Side;
use crate::{Fault, Plan};

/// What is measured.
pub(crate) const ROWS: [Shape; 10] = [
    ("1 file, peak RSS, MB", Bar::AtMost(1.6), 2),
    ("1,000 files, peak RSS, MB", Bar::AtMost(4.0), 2),
    ("1,000 files, idle, wake-ups per second", Bar::AtMost(1.0), 2),
    ("10,000 files, CPU until the first line, s", Bar::AtMost(2.0), 3),
    ("10,000 files, CPU until all lines, s", Bar::Told, 3),
    ("10,000 files, lines that did not come", Bar::AtMost(0.0), 0),
    ("10,000 files, idle CPU, %", Bar::AtMost(1.0), 2),
    ("10,000 files, idle, wake-ups per second", Bar::AtMost(1.0), 2),
    ("10,000 files, CPU for an unrelated new file, ms", Bar::AtMost(1.0), 3),
    ("10,000 files, memory for each beyond the first, bytes", Bar::AtMost(1536.0), 0),
];

/// Files of the smaller part.
const SOME_FILES: u32 = 1000;
/// Files of the larger part.
const MANY_FILES: u32 = 10_000;
/// Unrelated files that are made, one after the other.
const UNRELATED_FILES: u32 = 100;
/// Wait between two of them: each is seen by itself.
const UNRELATED_PAUSE: Duration = Duration::from_millis(20);
/// How long the first lines of all files may take.
const ALL_TIME: Duration = Duration::from_secs(60);
/// What happens once in a while after the last line, as a checkpoint does, is over by then.
const SETTLE_TIME: Duration = Duration::from_millis(2500);
/// How long nothing happens while it is looked at.
const IDLE_TIME: Duration = Duration::from_secs(5);
/// Most rounds: the figures hardly vary.
const ROUNDS: u32 = 2;
/// Largest piece read from the pipe at once.
const PIECE_BYTES: usize = 64 * 1024;

/// What following some files costs.
#[derive(Clone, Copy, Debug, Default)]
struct Cost {
    first_line_cpu_seconds: f64,
    all_lines_cpu_seconds: f64,
    missing_lines: f64,
    idle_cpu_percent: f64,
    wake_ups_per_second: f64,
    unrelated_cpu_ms: f64,
    peak_megabytes: f64,
}

/// The figures of the rows [`ROWS`].
///
/// # Errors
/// If something could not be measured.
pub(crate) fn run(plan: &Plan) -> Result<Vec<Figures>, Fault> {
    raise_file_limit();
    let [one, some, many] = [worst(plan, 1)?, worst(plan, SOME_FILES)?, worst(plan, MANY_FILES)?];
    let bytes_each = |side: usize| {
        let megabytes = many[side].peak_megabytes - one[side].peak_megabytes;
        megabytes * 1e6 / f64::from(MANY_FILES - 1)
    };
    Ok(vec![
        row(one, |cost| cost.peak_megabytes),
        row(some, |cost| cost.peak_megabytes),
        row(some, |cost| cost.wake_ups_per_second),
        row(many, |cost| cost.first_line_cpu_seconds),
        row(many, |cost| cost.all_lines_cpu_seconds),
        row(many, |cost| cost.missing_lines),
        row(many, |cost| cost.idle_cpu_percent),
        row(many, |cost| cost.wake_ups_per_second),
        row(many, |cost| cost.unrelated_cpu_ms),
        Figures::from((bytes_each(0), bytes_each(1))),
    ])
}

/// One figure of ours beside the peer's.
fn row(costs: [Cost; 2], figure: impl Fn(Cost) -> f64) -> Figures {
    let [ours, peer] = costs.map(figure);
    Figures::from((ours, peer))
}

/// The worst of some rounds, ours and the peer's.
fn worst(plan: &Plan, files: u32) -> Result<[Cost; 2], Fault> {
    let mut worst = [Cost::default(); 2];
    for round in 1..=plan.rounds.min(ROUNDS) {
        for (side, worst) in [Side::Ours, Side::Peer].into_iter().zip(&mut worst) {
            let cost = follow(plan, side, files)?;
            eprintln!("{files} files, round {round}: {side:?} {cost:?}");
            *worst = worst.or(cost);
        }
    }
    Ok(worst)
}

impl Cost {
    /// The higher figures of both.
    fn or(self, other: Cost) -> Cost {
        Cost {
            first_line_cpu_seconds: self.first_line_cpu_seconds.max(other.first_line_cpu_seconds),
            all_lines_cpu_seconds: self.all_lines_cpu_seconds.max(other.all_lines_cpu_seconds),
            missing_lines: self.missing_lines.max(other.missing_lines),
            idle_cpu_percent: self.idle_cpu_percent.max(other.idle_cpu_percent),
            wake_ups_per_second: self.wake_ups_per_second.max(other.wake_ups_per_second),
            unrelated_cpu_ms: self.unrelated_cpu_ms.max(other.unrelated_cpu_ms),
            peak_megabytes: self.peak_megabytes.max(other.peak_megabytes),
        }
    }
}

/// The program of `side`, told to follow all files of a folder from their beginnings: ours by one
/// pattern, the peer by their names.
fn command(plan: &Plan, side: Side, folder: &Path, files: &[PathBuf]) -> Command {
    let mut command = Command::new(plan.program(side).unwrap_or(Path::new("tail")));
    if plan.is_peer(side) {
        command.args(["-q", "-n", "+1", "-F"]).args(files);
    } else {
        let mut checkpoint = std::ffi::OsString::from("--checkpoint-file=");
        checkpoint.push(folder.with_extension("checkpoint"));
        command.arg(checkpoint).arg(folder.join("*.log"));
    }
    command.stdout(Stdio::piped());
    command
}

/// Follows `count` files of one line each until all came, and a while longer.
fn follow(plan: &Plan, side: Side, count: u32) -> Result<Cost, Fault> {
    let folder = Folder::new(plan.folder.join("files"))?;
    let files: Vec<_> = (0..count).map(|n| folder.path.join(format!("app{n:05}.log"))).collect();
    for file in &files {
        fs::write(file, "one line of some length\n").map_err(|error| unusable(file, &error))?;
    }
    let _ = fs::remove_file(folder.path.with_extension("checkpoint"));
    let log = plan.folder.join("stderr.log");
    let mut command = command(plan, side, &folder.path, &files);
    let mut program = Program::start(&mut command, TEST_CPU, Signal::TERM, &log)?;
    let bounded = program.bounded(Duration::from_secs(120));
    let stdout = program.take_stdout()?;
    let (pid, lines, first_cpu) = (program.pid(), AtomicU64::new(0), Mutex::new(None));
    thread::scope(|scope| {
        scope.spawn(|| count_lines(stdout, pid, &lines, &first_cpu));
        let measured = measure(&folder.path, pid, u64::from(count), &lines, &first_cpu);
        let ended = program.end(Signal::TERM);
        // The program is gone, so the pipe ends and the reader with it.
        drop(bounded);
        let cost = measured?;
        ended.map(|_| cost)
    })
}

fn measure(
    folder: &Path,
    pid: u32,
    count: u64,
    lines: &AtomicU64,
    first_cpu: &Mutex<Option<f64>>,
) -> Result<Cost, Fault> {
    let deadline = Instant::now() + ALL_TIME;
    while lines.load(Ordering::Relaxed) < count && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(5));
    }
    let all_lines_cpu_seconds = procfs::cpu_seconds(pid)?;
    thread::sleep(SETTLE_TIME);
    let before = (procfs::cpu_seconds(pid)?, procfs::wake_ups(pid)?);
    thread::sleep(IDLE_TIME);
    let after = (procfs::cpu_seconds(pid)?, procfs::wake_ups(pid)?);
    let peak_megabytes = procfs::megabytes(pid, Memory::Peak)?;
    for number in 0..UNRELATED_FILES {
        let file = folder.join(format!("unrelated{number}.tmp"));
        File::create(&file).map_err(|error| unusable(&file, &error))?;
        thread::sleep(UNRELATED_PAUSE);
    }
    let unrelated_cpu_seconds = procfs::cpu_seconds(pid)? - after.0;
    let first = first_cpu.lock().ok().and_then(|first| *first);
    Ok(Cost {
        first_line_cpu_seconds: first.ok_or_else(|| Fault::new("no line came"))?,
        all_lines_cpu_seconds,
        missing_lines: count.saturating_sub(lines.load(Ordering::Relaxed)) as f64,
        idle_cpu_percent: (after.0 - before.0) * 100.0 / IDLE_TIME.as_secs_f64(),
        wake_ups_per_second: (after.1 - before.1) as f64 / IDLE_TIME.as_secs_f64(),
        unrelated_cpu_ms: unrelated_cpu_seconds * 1e3 / f64::from(UNRELATED_FILES),
        peak_megabytes,
    })
}

/// Counts lines until the pipe ends, and notes the processor time used when the first came.
fn count_lines(
    mut stdout: ChildStdout,
    pid: u32,
    lines: &AtomicU64,
    first_cpu: &Mutex<Option<f64>>,
) {
    let mut piece = vec![0; PIECE_BYTES];
    while let Ok(count @ 1..) = stdout.read(&mut piece) {
        if let (0, Ok(mut first)) = (lines.load(Ordering::Relaxed), first_cpu.lock()) {
            *first = procfs::cpu_seconds(pid).ok();
        }
        let ends = piece.iter().take(count).filter(|byte| **byte == b'\n').count();
        lines.fetch_add(ends as u64, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_higher_figure_of_two_rounds_counts() {
        let first = Cost { missing_lines: 1.0, peak_megabytes: 2.0, ..Cost::default() };
        let second = Cost { missing_lines: 0.0, peak_megabytes: 3.0, ..Cost::default() };
        let worst = first.or(second);
        assert_eq!((worst.missing_lines, worst.peak_megabytes), (1.0, 3.0));
    }
}
