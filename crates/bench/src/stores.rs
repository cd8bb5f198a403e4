//! Owns the cases of log stores: our log-scraper and vlagent bring the same file to a store that takes
//! everything, on loopback.
//!
//! What is measured is the processor time of the program; the store is this one's.

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use clap::ValueEnum;
use rustix::process::Signal;

use crate::lines::line;
use crate::process::{Program, TEST_CPU};
use crate::procfs::{self, Memory};
use crate::report::{self, Bar, Figures, Row, Shape};
use crate::scraper::{Folder, Writing, unusable, write_paced};
use crate::stats::{Side, interleave};
use crate::{Fault, Plan, beside};

/// What can be measured.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Case {
    /// A million lines that are already there, as ndjson.
    Ndjson,
    /// The same, compressed.
    NdjsonGzip,
    /// The same as OTLP.
    Otlp,
    /// The same, compressed.
    OtlpGzip,
    /// 10,000 lines a second as ndjson, compressed.
    Paced,
}

/// Lines of a backlog: 100 MB.
const LINES: u64 = 1_000_000;
/// How long bringing them may take.
const TIME: Duration = Duration::from_secs(60);
/// When nothing came for so long, all is there: vlagent sends every second at least.
const QUIET_TIME: Duration = Duration::from_millis(2500);
const PACED: Writing = Writing { lines: 50_000, lines_per_tick: 10, lines_per_file: None };
/// Most rounds of the paced case, which takes seconds whatever the program.
const PACED_ROUNDS: u32 = 3;

/// One run.
#[derive(Clone, Copy, Debug)]
struct Run {
    /// A thousand lines for each second of processor time.
    kilolines_per_cpu_second: f64,
    peak_megabytes: f64,
}

/// Runs `case` and gives its rows, which have no figures when a run was invalid.
pub(crate) fn run(plan: &Plan, case: Case) -> (Vec<Row>, Option<Fault>) {
    let (shape, rounds): (&[Shape], u32) = match case {
        Case::Ndjson => (
            &[
                ("1 M lines as ndjson, thousand lines per CPU second", Bar::AtLeast(1000.0), 0),
                ("1 M lines as ndjson, beside vlagent", Bar::RatioAtLeast(3.0), 0),
                ("1 M lines as ndjson, peak RSS, MB", Bar::AtMost(5.0), 2),
            ],
            plan.rounds,
        ),
        Case::NdjsonGzip => (
            &[
                (
                    "1 M lines as ndjson, gzip, thousand lines per CPU second",
                    Bar::AtLeast(300.0),
                    0,
                ),
                ("1 M lines as ndjson, gzip, beside vlagent", Bar::RatioAtLeast(3.0), 0),
                ("1 M lines as ndjson, gzip, peak RSS, MB", Bar::AtMost(5.0), 2),
            ],
            plan.rounds,
        ),
        Case::Otlp => (
            &[
                ("1 M lines as OTLP, thousand lines per CPU second", Bar::AtLeast(1000.0), 0),
                ("1 M lines as OTLP, beside vlagent", Bar::RatioAtLeast(3.0), 0),
                ("1 M lines as OTLP, peak RSS, MB", Bar::AtMost(5.0), 2),
            ],
            plan.rounds,
        ),
        Case::OtlpGzip => (
            &[
                ("1 M lines as OTLP, gzip, thousand lines per CPU second", Bar::AtLeast(300.0), 0),
                ("1 M lines as OTLP, gzip, beside vlagent", Bar::RatioAtLeast(3.0), 0),
                ("1 M lines as OTLP, gzip, peak RSS, MB", Bar::AtMost(5.0), 2),
            ],
            plan.rounds,
        ),
        Case::Paced => (
            &[
                ("10,000 lines/s, thousand lines per CPU second", Bar::Told, 0),
                ("10,000 lines/s, beside vlagent", Bar::RatioAtLeast(3.0), 0),
                ("10,000 lines/s, peak RSS, MB", Bar::AtMost(5.0), 2),
            ],
            plan.rounds.min(PACED_ROUNDS),
        ),
    };
    let mut sides = vec![Side::Ours, Side::Peer];
    sides.extend(plan.before.is_some().then_some(Side::Before));
    let measured = interleave(&sides, rounds, |side, round| {
        let run = bring(plan, side, case)?;
        eprintln!("{case:?} round {round}: {side:?} {run:?}");
        Ok(run)
    });
    let figures = measured.and_then(|rounds| {
        let lines = |run: &Run| run.kilolines_per_cpu_second;
        let figures = beside("thousand lines per CPU second", &rounds, Side::Peer, lines)?;
        if plan.before.is_some() {
            // It is told on standard error; the rows are those of the peer.
            beside("thousand lines per CPU second", &rounds, Side::Before, lines)?;
        }
        let peak = beside("peak RSS, MB", &rounds, Side::Peer, |run| run.peak_megabytes)?;
        Ok(vec![figures, figures, peak])
    });
    match figures {
        Ok(figures) => (report::fill(shape, &figures), None),
        Err(fault) => (report::fill(shape, &[] as &[Figures]), Some(fault)),
    }
}

/// Brings a file to the store, one that is there or one that is being written.
fn bring(plan: &Plan, side: Side, case: Case) -> Result<Run, Fault> {
    let folder = Folder::new(plan.folder.join("stored"))?;
    let file = folder.path.join("logs.txt");
    let is_paced = case == Case::Paced;
    write_backlog(&file, if is_paced { 0 } else { LINES })?;
    let store = Store::start()?;
    let mut command = command(plan, side, case, &file, &folder.path, &store.address)?;
    let log = plan.folder.join("stderr.log");
    let mut program = Program::start(&mut command, TEST_CPU, Signal::TERM, &log)?;
    let bounded = program.bounded(TIME);
    let lines = match is_paced {
        true => {
            write_paced(&file, PACED, Instant::now())?;
            PACED.lines
        }
        false => LINES,
    };
    store.wait_until_quiet();
    let cpu = procfs::cpu_seconds(program.pid())?;
    let peak_megabytes = procfs::megabytes(program.pid(), Memory::Peak)?;
    drop(bounded);
    let last_words = program.last_words();
    let status = program.end(Signal::TERM)?;
    // Ours ends well only if the store acknowledged everything.
    if !status.success() || store.bytes.load(Ordering::Relaxed) == 0 {
        return Err(Fault::new(format!("{side:?} ended with {status}: {last_words}")));
    }
    Ok(Run { kilolines_per_cpu_second: lines as f64 / 1000.0 / cpu, peak_megabytes })
}

fn command(
    plan: &Plan,
    side: Side,
    case: Case,
    file: &Path,
    folder: &Path,
    address: &str,
) -> Result<Command, Fault> {
    let mut command = Command::new(plan.program(side).unwrap_or(Path::new("vlagent")));
    let path = |name: &str| folder.join(name).display().to_string();
    if plan.is_peer(side) {
        command.arg(format!("-fileCollector.glob={}", file.display()));
        command.arg(format!("-remoteWrite.url=http://{address}/insert"));
        command.arg(format!("-tmpDataPath={}", path("state")));
        command.args(["-httpListenAddr=127.0.0.1:0", "-fileCollector.refreshInterval=1s"]);
    } else {
        let (output, compression) = match case {
            Case::Ndjson => ("ndjson", "none"),
            Case::NdjsonGzip | Case::Paced => ("ndjson", "gzip"),
            Case::Otlp => ("otlp", "none"),
            Case::OtlpGzip => ("otlp", "gzip"),
        };
        command.args(["--output", output, "--compression", compression]);
        command.args(["--url", &format!("http://{address}/insert"), "--label", "app=bench"]);
        command.args(["--checkpoint-file", &path("checkpoint")]).arg(file);
    }
    command.stdout(Stdio::null());
    Ok(command)
}

fn write_backlog(file: &Path, lines: u64) -> Result<(), Fault> {
    let write = || {
        let mut writer = BufWriter::with_capacity(1 << 20, File::create(file)?);
        (0..lines).try_for_each(|number| writer.write_all(&line(number)))?;
        writer.flush()
    };
    write().map_err(|error: std::io::Error| unusable(file, &error))?;
    Ok(())
}

/// Takes every request, and looks at none.
struct Store {
    address: String,
    bytes: Arc<AtomicU64>,
}

impl Store {
    fn start() -> Result<Store, Fault> {
        let failed = |error: std::io::Error| Fault::new(format!("no store: {error}"));
        let listener = TcpListener::bind("127.0.0.1:0").map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?.to_string();
        let bytes = Arc::new(AtomicU64::new(0));
        let all = Arc::clone(&bytes);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let bytes = Arc::clone(&all);
                thread::spawn(move || serve(&stream, &bytes));
            }
        });
        Ok(Store { address, bytes })
    }

    /// Waits until something came, and then nothing for a while; a program that brings nothing is
    /// ended by its bound.
    fn wait_until_quiet(&self) {
        let (mut seen, mut since) = (0, Instant::now());
        let began = Instant::now();
        while (seen == 0 || since.elapsed() < QUIET_TIME) && began.elapsed() < TIME {
            thread::sleep(Duration::from_millis(20));
            let bytes = self.bytes.load(Ordering::Relaxed);
            if bytes != seen {
                (seen, since) = (bytes, Instant::now());
            }
        }
    }
}

/// Reads requests that say how long they are. `None` when the connection is over, or one does not.
fn serve(stream: &TcpStream, bytes: &AtomicU64) -> Option<()> {
    let mut reader = BufReader::with_capacity(1 << 16, stream);
    let mut writer = stream;
    let mut piece = vec![0; 1 << 18];
    loop {
        let mut left = 0;
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).ok().filter(|count| *count > 0)?;
            let line = line.trim_end().to_ascii_lowercase();
            if line.is_empty() {
                break;
            }
            if let Some(value) = line.strip_prefix("content-length:") {
                left = value.trim().parse().ok()?;
            }
        }
        while left > 0 {
            let part = piece.get_mut(..left.min(1 << 18))?;
            let count = reader.read(part).ok().filter(|count| *count > 0)?;
            left -= count;
            bytes.fetch_add(count as u64, Ordering::Relaxed);
        }
        writer.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").ok()?;
    }
}
