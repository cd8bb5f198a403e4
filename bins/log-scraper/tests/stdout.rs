//! The real binary and its stdout: closed, unread, of another kind, or one of the followed files.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed step fails the test")]

mod common;

use std::fs::{self, File};
use std::io::Write;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use common::{Folder, Scraper, append, binary, line, numbers, wait_for, wait_until};
use rustix::process::{Pid, Signal, kill_process};

fn shell(folder: &Folder, redirection: &str) -> (Option<i32>, String) {
    let log = folder.argument("app.log");
    let script = format!("exec \"$@\" {redirection}");
    let program = env!("CARGO_BIN_EXE_log-scraper");
    let checkpoint = folder.argument("checkpoint");
    let arguments = ["--exit-on-eof", "--checkpoint-file", &checkpoint, &log];
    let mut command = Command::new("/bin/sh");
    command.env_clear().args(["-c", &script, "sh", program]).args(arguments);
    let output = command.stdin(Stdio::null()).output().unwrap();
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn a_stdout_that_is_closed_or_read_only_is_refused_and_no_line_counts_as_written() {
    let folder = Folder::new();
    let text: String = (0..100).map(line).collect();
    append(&folder.path("app.log"), text.as_bytes());
    for redirection in [">&-", "1</dev/null"] {
        let (code, said) = shell(&folder, redirection);
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains("stdout is closed"), "{said}");
    }
    let (code, said) = shell(&folder, &format!(">{}", folder.argument("out")));
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(numbers(&fs::read(folder.path("out")).unwrap()).len(), 100);
    // Nothing is wrong with throwing it away.
    assert_eq!(shell(&folder, ">/dev/null").0, Some(0));
}

#[test]
fn a_reader_that_leaves_ends_it_although_nothing_is_written() {
    let folder = Folder::new();
    append(&folder.path("app.log"), line(0).as_bytes());
    let (checkpoint, log) = (folder.argument("checkpoint"), folder.argument("app.log"));
    let arguments = ["--checkpoint-interval", "1h", "--checkpoint-file", &checkpoint, log.as_str()];
    let mut scraper = Scraper::spawn_unread(binary().args(arguments));
    let mut stdout = scraper.child.stdout.take().unwrap();
    let mut first = vec![0; line(0).len()];
    std::io::Read::read_exact(&mut stdout, &mut first).unwrap();
    drop(stdout);
    let start = Instant::now();
    assert_eq!(scraper.wait().0.code(), Some(2));
    assert!(start.elapsed() < Duration::from_secs(15));
    append(&folder.path("app.log"), line(1).as_bytes());
    assert_eq!(numbers(&Scraper::start(&arguments).terminate()), [1], "it remembered");
}

/// What stdout is for a stalled reader: the end that is written to, and what keeps it open.
fn ends(kind: &str) -> (OwnedFd, Vec<OwnedFd>) {
    match kind {
        "pipe" => {
            let (read, write) = rustix::pipe::pipe().unwrap();
            (write, vec![read])
        }
        "socket" => {
            let (ours, theirs) = UnixStream::pair().unwrap();
            (theirs.into(), vec![ours.into()])
        }
        _ => {
            use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
            let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
            grantpt(&ours).unwrap();
            unlockpt(&ours).unwrap();
            let name = ptsname(&ours, Vec::new()).unwrap();
            let theirs = File::options().write(true).open(name.to_str().unwrap()).unwrap();
            (theirs.into(), vec![ours])
        }
    }
}

/// As another user, if that can be: what this one made cannot be opened anew then.
fn stalled(kind: &str, as_other: bool) {
    let folder = Folder::new();
    let path = folder.path("app.log");
    let text: String = (0..20_000).map(line).collect();
    append(&path, text.as_bytes());
    let mut command = binary();
    if as_other && rustix::process::geteuid().is_root() {
        let copy = folder.path("log-scraper");
        fs::copy(env!("CARGO_BIN_EXE_log-scraper"), &copy).unwrap();
        fs::set_permissions(&copy, fs::Permissions::from_mode(0o755)).unwrap();
        command = Command::new(copy);
        command.env_clear().uid(65532).gid(65532);
    }
    let (stdout, kept) = ends(kind);
    command.args(["--shutdown-timeout", "300ms", path.to_str().unwrap()]);
    command.stdin(Stdio::null()).stdout(stdout).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    drop(command);
    // It goes on watching files while nobody reads.
    let open = |path: &Path| {
        let fds = fs::read_dir(format!("/proc/{}/fd", child.id())).unwrap();
        let targets = fds.filter_map(|fd| fs::read_link(fd.ok()?.path()).ok());
        targets.filter(|target| target.starts_with(path)).count()
    };
    let parent = path.parent().unwrap().to_owned();
    wait_until("the file to be open", || open(&parent) >= 1);
    std::thread::sleep(Duration::from_millis(300));
    fs::rename(&path, folder.path("app.log.1")).unwrap();
    append(&path, line(20_000).as_bytes());
    wait_until("the new file to be open, too", || open(&parent) >= 2);
    let start = Instant::now();
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    let status = wait_for(&mut child);
    assert!(start.elapsed() < Duration::from_secs(15), "{kind}: {:?}", start.elapsed());
    assert_eq!(status.code(), Some(2), "{kind}");
    drop(kept);
}

#[test]
fn whatever_stdout_is_a_stalled_reader_keeps_it_neither_from_its_files_nor_from_ending() {
    for kind in ["pipe", "socket", "terminal"] {
        stalled(kind, false);
        stalled(kind, true);
    }
}

#[test]
fn every_line_comes_through_every_kind_of_stdout() {
    for kind in ["pipe", "socket", "terminal"] {
        let folder = Folder::new();
        let path = folder.path("app.log");
        let text: String = (0..5000).map(line).collect();
        append(&path, text.as_bytes());
        let (stdout, mut kept) = ends(kind);
        let mut command = binary();
        command.args(["--exit-on-eof", path.to_str().unwrap()]).stdin(Stdio::null());
        let mut child = command.stdout(stdout).stderr(Stdio::null()).spawn().unwrap();
        drop(command);
        let mut output = Vec::new();
        let mut from = File::from(kept.remove(0));
        // A terminal says at its end that it was hung up.
        let _ = std::io::Read::read_to_end(&mut from, &mut output);
        assert_eq!(wait_for(&mut child).code(), Some(0));
        // A terminal begins each line anew.
        output.retain(|byte| *byte != b'\r');
        assert!(output == text.as_bytes(), "{kind}: {} of {} bytes", output.len(), text.len());
    }
}

#[test]
fn its_own_output_and_checkpoint_are_left_out_and_said() {
    let folder = Folder::new();
    let text: String = (0..100).map(line).collect();
    append(&folder.path("a.log"), text.as_bytes());
    let out = File::create(folder.path("all.log")).unwrap();
    let said = File::create(folder.path("said.log")).unwrap();
    let mut command = binary();
    command.args(["--poll-interval", "20ms", "--checkpoint-interval", "10ms"]);
    command.args(["--checkpoint-file", &folder.argument("checkpoint"), &folder.argument("*")]);
    let command = command.stdin(Stdio::null()).stdout(out).stderr(said);
    let mut child = command.spawn().unwrap();
    let messages = || fs::read_to_string(folder.path("said.log")).unwrap();
    wait_until("all three to be said", || {
        let own = ["stdout", "stderr", "checkpoint"];
        own.iter().all(|name| messages().contains(&format!("this program's own {name}")))
    });
    append(&folder.path("a.log"), line(100).as_bytes());
    std::thread::sleep(Duration::from_millis(500));
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    assert_eq!(wait_for(&mut child).code(), Some(0));
    let output = fs::read(folder.path("all.log")).unwrap();
    assert_eq!(numbers(&output), (0..=100).collect::<Vec<_>>());
    assert_eq!(messages().matches("left out").count(), 3, "{}", messages());
}

#[test]
fn to_follow_its_own_output_by_name_is_a_wrong_command_line() {
    let folder = Folder::new();
    let path = folder.path("app.log");
    append(&path, line(0).as_bytes());
    let mut out = File::options().append(true).open(&path).unwrap();
    out.write_all(line(1).as_bytes()).unwrap();
    let output = binary().arg(&path).stdout(out).stderr(Stdio::piped()).spawn().unwrap();
    let output = output.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(64));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("own stdout") && said.lines().count() == 1, "{said}");
}
