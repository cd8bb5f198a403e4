//! What the process tests share: a fresh folder, the real binary with its output collected, and
//! waiting for a condition with a deadline.

#![allow(dead_code, reason = "each test binary uses its own part")]

#[path = "../../../../crates/sidecar/tests/common/free_port.rs"]
mod free_port;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// Longest wait for anything; only a failure takes that long.
const DEADLINE: Duration = Duration::from_secs(60);

/// A fresh folder, removed at the end.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new() -> Folder {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("scraper-{}-{number}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub fn argument(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

pub fn binary() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_log-scraper"));
    command.env_clear();
    command
}

/// A running log-scraper.
pub struct Scraper {
    pub child: Child,
    out: Arc<Mutex<Vec<u8>>>,
    err: Arc<Mutex<Vec<u8>>>,
    readers: Vec<JoinHandle<()>>,
}

impl Scraper {
    pub fn start(arguments: &[&str]) -> Scraper {
        Scraper::spawn(binary().args(arguments))
    }

    pub fn spawn(command: &mut Command) -> Scraper {
        let mut scraper = Scraper::spawn_unread(command);
        let stdout = scraper.child.stdout.take().unwrap();
        scraper.readers.push(collect(stdout, &scraper.out));
        scraper
    }

    /// With nobody reading its stdout.
    pub fn spawn_unread(command: &mut Command) -> Scraper {
        let command = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let stderr = child.stderr.take().unwrap();
        let err = Arc::new(Mutex::new(Vec::new()));
        let readers = vec![collect(stderr, &err)];
        let out = Arc::new(Mutex::new(Vec::new()));
        Scraper { child, out, err, readers }
    }

    pub fn output(&self) -> Vec<u8> {
        self.out.lock().unwrap().clone()
    }

    pub fn output_ends_with(&self, end: &str) -> bool {
        self.out.lock().unwrap().ends_with(end.as_bytes())
    }

    pub fn output_len(&self) -> usize {
        self.out.lock().unwrap().len()
    }

    pub fn messages(&self) -> String {
        String::from_utf8_lossy(&self.err.lock().unwrap()).into_owned()
    }

    pub fn wait_for_output(&self, expected: &[u8]) {
        wait_until("output", || self.output_len() >= expected.len());
        assert!(self.output() == expected, "the output is what was written");
    }

    pub fn wait_for_message(&self, part: &str) {
        wait_until(part, || self.messages().contains(part));
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for its end; returns how it ended and all it wrote.
    pub fn wait(mut self) -> (ExitStatus, Vec<u8>) {
        let status = wait_for(&mut self.child);
        self.readers.drain(..).for_each(|reader| reader.join().unwrap());
        (status, self.output())
    }

    /// SIGTERM, then its end, which must be a good one.
    pub fn terminate(self) -> Vec<u8> {
        // Before it listens for the signal it dies of it.
        wait_until("the handler of SIGTERM", || {
            let caught = u64::from_str_radix(&self.status("SigCgt"), 16).unwrap();
            caught & 1 << (Signal::TERM.as_raw() - 1) != 0
        });
        self.signal(Signal::TERM);
        let messages = Arc::clone(&self.err);
        let (status, output) = self.wait();
        let messages = String::from_utf8_lossy(&messages.lock().unwrap()).into_owned();
        assert_eq!(status.code(), Some(0), "{messages}");
        output
    }

    pub fn kill(mut self) -> Vec<u8> {
        self.child.kill().unwrap();
        self.wait().1
    }

    /// A value in KiB from the process's status.
    /// Whether it takes less than a fifth of a processor for a second.
    pub fn is_at_rest(&self) -> bool {
        let cpu_ns = || -> u64 {
            let told = fs::read_to_string(format!("/proc/{}/schedstat", self.child.id())).unwrap();
            told.split(' ').next().unwrap().parse().unwrap()
        };
        let before_ns = cpu_ns();
        std::thread::sleep(Duration::from_secs(1));
        cpu_ns() - before_ns < 200_000_000
    }

    pub fn memory_kib(&self, field: &str) -> u64 {
        self.status(field).trim_end_matches(" kB").trim().parse().unwrap()
    }

    pub fn status(&self, field: &str) -> String {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(field)).unwrap();
        line.trim_start_matches(':').trim().to_owned()
    }
}

impl Drop for Scraper {
    fn drop(&mut self) {
        // A test that failed leaves nothing running.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn wait_for(child: &mut Child) -> ExitStatus {
    let mut status = None;
    wait_until("the end of the process", || {
        status = child.try_wait().unwrap();
        status.is_some()
    });
    status.unwrap()
}

pub fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < DEADLINE, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn collect(mut from: impl Read + Send + 'static, to: &Arc<Mutex<Vec<u8>>>) -> JoinHandle<()> {
    let to = Arc::clone(to);
    std::thread::spawn(move || {
        let mut buf = vec![0; 1 << 16];
        while let Ok(count @ 1..) = from.read(&mut buf) {
            to.lock().unwrap().extend_from_slice(&buf[..count]);
        }
    })
}

/// A numbered line.
pub fn line(number: u64) -> String {
    format!("line {number:09} the quick brown fox jumps over the lazy dog\n")
}

/// Checks that the output has the lines `0..count`, each once and in order.
pub fn assert_all_lines(output: &[u8], count: u64) {
    let seen = numbers(output);
    let wrong = seen.iter().zip(0..).position(|(seen, expected)| *seen != expected);
    if wrong.is_some() || seen.len() as u64 != count {
        let at = wrong.unwrap_or(seen.len().min(count as usize));
        let around = seen.get(at.saturating_sub(3)..(at + 5).min(seen.len()));
        panic!("{} lines of {count}, the first wrong one at {at}: {around:?}", seen.len());
    }
}

/// The numbers of whole lines; anything else in the output is a failure, but for what may follow
/// the last line end.
pub fn numbers(output: &[u8]) -> Vec<u64> {
    let lines = output.split_inclusive(|byte| *byte == b'\n');
    let whole = lines.filter(|one| one.ends_with(b"\n"));
    let number = |one: &[u8]| {
        let text = std::str::from_utf8(one).unwrap();
        let number = text.get(5..14).and_then(|digits| digits.parse().ok());
        let number = number.unwrap_or_else(|| panic!("torn line {text:?}"));
        assert_eq!(text, line(number), "a line is whole");
        number
    };
    whole.map(number).collect()
}

/// Appends to a file, which is made if need be.
pub fn append(path: &Path, bytes: &[u8]) {
    use std::io::Write;
    let mut file = fs::OpenOptions::new().append(true).create(true).open(path).unwrap();
    file.write_all(bytes).unwrap();
}

/// An address of this machine that nobody listens on.
pub fn free_address() -> String {
    format!("127.0.0.1:{}", free_port::free_port())
}

/// What the admin endpoint answers.
pub fn get(address: &str, target: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {target} HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// The value of a counter or gauge.
pub fn metric(address: &str, name: &str) -> u64 {
    let answer = get(address, "/metrics");
    let line = answer.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap().parse().unwrap()
}
