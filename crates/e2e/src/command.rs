//! Other programs (kubectl, helm, docker), each with a deadline. The only place that starts any.
//!
//! It does not interpret what they print, and it never goes through a shell.

use std::io::{Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How often a running program is looked at.
const POLL: Duration = Duration::from_millis(20);

/// How a program ended, and what it printed.
#[derive(Clone, Debug)]
pub(crate) struct Ended {
    /// Nothing when a signal or the deadline ended it.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    /// Standard output of a program that exited 0; otherwise its complaint.
    pub(crate) fn success(self, what: &str) -> Result<String, String> {
        match self.code {
            Some(0) => Ok(self.stdout),
            code => {
                let code = code.map_or("no exit code".to_owned(), |code| format!("exit {code}"));
                let said = if self.stderr.trim().is_empty() { self.stdout } else { self.stderr };
                Err(format!("{what}: {code}: {}", one_line(&said)))
            }
        }
    }
}

/// Runs a program to its end, at most `limit` long. The error says that it did not start or end.
pub(crate) fn run(program: &str, arguments: &[&str], limit: Duration) -> Result<Ended, String> {
    Background::start(program, arguments)?.finish(limit)
}

/// A program that runs beside the test: a load, a stream of logs. Killed when dropped.
pub(crate) struct Background {
    what: String,
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: Collector,
    stderr: Collector,
}

impl Background {
    /// Starts a program; its standard input stays open until [`Background::finish`].
    pub(crate) fn start(program: &str, arguments: &[&str]) -> Result<Background, String> {
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("{program} does not start: {error}"))?;
        let stdin = child.stdin.take();
        let stdout = Collector::of(child.stdout.take());
        let stderr = Collector::of(child.stderr.take());
        let what = format!("{program} {}", arguments.join(" "));
        Ok(Background { what, child, stdin, stdout, stderr })
    }

    /// Writes all of `input` to its standard input.
    pub(crate) fn feed(&mut self, input: &[u8]) -> Result<(), String> {
        match &mut self.stdin {
            Some(stdin) => {
                stdin.write_all(input).map_err(|error| format!("{}: {error}", self.what))
            }
            None => Ok(()),
        }
    }

    /// What it has printed so far.
    pub(crate) fn printed(&self) -> String {
        self.stdout.text()
    }

    /// Closes its standard input and waits for its end, at most `limit`, after which it is killed.
    pub(crate) fn finish(mut self, limit: Duration) -> Result<Ended, String> {
        drop(self.stdin.take());
        let deadline = Instant::now() + limit;
        let status = loop {
            match self.child.try_wait() {
                Ok(Some(status)) => break status,
                Ok(None) if Instant::now() < deadline => std::thread::sleep(POLL),
                Ok(None) => {
                    let seconds = limit.as_secs();
                    return Err(format!("{}: not done after {seconds} s", self.what));
                }
                Err(error) => return Err(format!("{}: {error}", self.what)),
            }
        };
        Ok(Ended { code: status.code(), stdout: self.stdout.end(), stderr: self.stderr.end() })
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        // Both fail on a program that has ended, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads a pipe to its end in a thread, so that the program never blocks on it.
struct Collector {
    text: Arc<Mutex<Vec<u8>>>,
    thread: Option<JoinHandle<()>>,
}

impl Collector {
    fn of(pipe: Option<impl Read + Send + 'static>) -> Collector {
        let text = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&text);
        let thread = pipe.map(|mut pipe| {
            std::thread::spawn(move || {
                let mut piece = [0; 16 * 1024];
                while let Ok(count @ 1..) = pipe.read(&mut piece) {
                    let mut sink = sink.lock().unwrap_or_else(PoisonError::into_inner);
                    sink.extend_from_slice(&piece[..count]);
                }
            })
        });
        Collector { text, thread }
    }

    fn text(&self) -> String {
        let bytes = self.text.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&bytes).into_owned()
    }

    fn end(&mut self) -> String {
        if let Some(thread) = self.thread.take() {
            // A reader that panicked has nothing more to give.
            let _ = thread.join();
        }
        self.text()
    }
}

/// A message on one line, cut to a length that a terminal shows.
pub(crate) fn one_line(text: &str) -> String {
    const CHARACTERS_MAX: usize = 600;
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(CHARACTERS_MAX) {
        Some((cut, _)) => format!("{}…", &line[..cut]),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_past_its_limit_is_ended_and_named() {
        let started = Instant::now();
        let why = run("sleep", &["30"], Duration::from_millis(100)).unwrap_err();
        assert!(why.starts_with("sleep 30: not done"), "{why}");
        assert!(started.elapsed() < Duration::from_secs(5));
    }

    #[test]
    fn a_program_that_is_not_there_is_named() {
        let why = run("no-such-program", &[], Duration::from_secs(1)).unwrap_err();
        assert!(why.contains("no-such-program"), "{why}");
    }

    #[test]
    fn what_a_failed_program_said_is_in_the_error() {
        let ended = run("sh", &["-c", "echo out; echo bad >&2; exit 3"], Duration::from_secs(5));
        assert_eq!(ended.unwrap().success("it").unwrap_err(), "it: exit 3: bad");
    }

    #[test]
    fn standard_input_is_fed_and_then_ends() {
        let mut cat = Background::start("cat", &[]).unwrap();
        cat.feed(b"one\n").unwrap();
        let ended = cat.finish(Duration::from_secs(5)).unwrap();
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), "one\n"));
    }
}
