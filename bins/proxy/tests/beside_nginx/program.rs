//! The two programs: starting each with a file, knowing when it serves, ending it.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::common::{self, DEADLINE};
use crate::wire::PATIENCE;

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Nginx,
    Ours,
}

/// In the order in which they are asked.
pub const SIDES: [Side; 2] = [Side::Nginx, Side::Ours];

/// nginx as it is installed.
pub struct Nginx {
    pub path: PathBuf,
    pub version: String,
}

impl Nginx {
    /// `None` where it is not installed.
    pub fn find() -> Option<Nginx> {
        // Not every user has the second folder on the path.
        ["nginx", "/usr/sbin/nginx"].into_iter().find_map(|path| {
            let output = Command::new(path).arg("-v").output().ok()?;
            let text = String::from_utf8(output.stderr).ok()?;
            let version = text.trim().split('/').nth(1)?.split(' ').next()?;
            Some(Nginx { path: path.into(), version: version.to_owned() })
        })
    }
}

/// A program that serves.
pub struct Program {
    side: Side,
    child: Child,
    folder: PathBuf,
    barrier: u16,
}

impl Program {
    /// Starts it with a file whose `barrier` answers once all of it is served. The error is what the
    /// program says where it does not take the file.
    pub fn start(
        side: Side,
        nginx: &Nginx,
        folder: &Path,
        text: &str,
        barrier: u16,
    ) -> Result<Program, String> {
        let conf = folder.join("nginx.conf");
        fs::write(&conf, text).unwrap();
        let mut command = match side {
            Side::Nginx => {
                let mut command = Command::new(&nginx.path);
                let shown = folder.display();
                command.arg("-e").arg(folder.join("error.log"));
                command.arg("-g").arg(format!(
                    "daemon off; master_process off; pid {shown}/pid; error_log {shown}/error.log \
                     info;"
                ));
                command
            }
            Side::Ours => {
                let mut command = common::program();
                command.args(["--workers=1", "--drain-delay=0s", "--reload-interval=0"]);
                command
            }
        };
        let child = command
            .arg("-p")
            .arg(folder)
            .arg("-c")
            .arg(&conf)
            // What the host is called must come from the host.
            .env_remove("HOSTNAME")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(folder.join("stderr.log")).unwrap())
            .spawn()
            .unwrap();
        let mut program = Program { side, child, folder: folder.to_owned(), barrier };
        let end = Instant::now() + DEADLINE;
        while !program.answers() {
            if program.child.try_wait().unwrap().is_some() {
                return Err(program.words());
            }
            assert!(Instant::now() < end, "{side:?} does not serve: {}", program.words());
            thread::sleep(Duration::from_millis(3));
        }
        Ok(program)
    }

    /// Whether the barrier answers. It does so after everything that came to the program before.
    pub fn answers(&self) -> bool {
        let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.barrier)) else { return false };
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut answer = String::new();
        let asked = stream.write_all(b"GET / HTTP/1.0\r\n\r\n").is_ok();
        asked && stream.read_to_string(&mut answer).is_ok() && answer.starts_with("HTTP/1.1 204")
    }

    /// What it complained about.
    pub fn words(&self) -> String {
        let read = |name| fs::read_to_string(self.folder.join(name)).unwrap_or_default();
        let words = format!("{}{}", read("stderr.log"), read("error.log"));
        let is_complaint = |line: &&str| {
            !["[notice]", "[info]", "no effect here"].iter().any(|dull| line.contains(dull))
        };
        words.lines().filter(is_complaint).collect::<Vec<_>>().join("\n")
    }

    /// Ends it once all it was asked for is done and logged. The error is what it says where it does
    /// not serve any more.
    pub fn stop(mut self) -> Result<(), String> {
        // Twice: the first may share a round of the event loop with what is to be over.
        if !(self.answers() && self.answers()) {
            return Err(format!("serves no more: {}", self.words()));
        }
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
        let end = Instant::now() + DEADLINE;
        while self.child.try_wait().unwrap().is_none() {
            assert!(Instant::now() < end, "{:?} does not end", self.side);
            thread::sleep(Duration::from_millis(3));
        }
        Ok(())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
