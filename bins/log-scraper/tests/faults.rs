//! The real binary when things go wrong: killed, hindered, and fed with a bad checkpoint.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed step fails the test")]

mod common;

use std::fs;
use std::io::Read;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use common::{Folder, Scraper, append, binary, line, numbers, wait_until};
use rustix::process::Signal;

/// The most that may lie in the pipe.
const PIPE: u64 = 256 << 10;

/// The buffer of one read, and so of one write: what may go out after a checkpoint was due.
const ONE_WRITE: usize = 128 << 10;

#[test]
fn killed_twenty_times_at_any_moment_it_loses_nothing_and_doubles_little() {
    const CHECKPOINT_BYTES: usize = 64 << 10;
    let folder = Folder::new();
    let path = folder.path("app.log");
    append(&path, b"");
    let (checkpoint, log) = (folder.argument("checkpoint"), folder.argument("app.log"));
    let arguments = ["--checkpoint-file", &checkpoint, "--checkpoint-bytes", "64KiB", log.as_str()];
    let done = Arc::new(AtomicBool::new(false));
    let writer = std::thread::spawn({
        let (path, done) = (path.clone(), Arc::clone(&done));
        move || {
            let (mut written, mut rotations) = (0, 0);
            let start = Instant::now();
            while !done.load(Ordering::Relaxed) {
                let until = start.elapsed().as_millis() as u64 * 20;
                let text: String = (written..until).map(line).collect();
                append(&path, text.as_bytes());
                written = until.max(written);
                if start.elapsed().as_millis() as u64 / 300 > rotations {
                    rotations += 1;
                    fs::rename(&path, path.with_extension(format!("log.{rotations}"))).unwrap();
                }
                std::thread::sleep(Duration::from_millis(2));
            }
            written
        }
    });
    let mut seen = Vec::new();
    let mut doubled = 0;
    let mut random = std::process::id();
    for _ in 0..20 {
        let scraper = Scraper::start(&arguments);
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        std::thread::sleep(Duration::from_millis(u64::from(random >> 24)));
        doubled += count_doubled(&mut seen, &numbers(&scraper.kill()));
    }
    done.store(true, Ordering::Relaxed);
    let written = writer.join().unwrap();
    let scraper = Scraper::start(&arguments);
    doubled += count_doubled(&mut seen, &numbers(&scraper.terminate()));
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen, (0..written).collect::<Vec<_>>());
    let bound = 20 * (CHECKPOINT_BYTES + ONE_WRITE + line(0).len()) / line(0).len();
    assert!(doubled <= bound, "{doubled} lines doubled, bound {bound}");
}

/// Adds the lines of one life; within it they are in order. Returns how many were seen before.
fn count_doubled(seen: &mut Vec<u64>, life: &[u64]) -> usize {
    assert!(life.is_sorted_by(|a, b| a < b), "one life doubles nothing");
    let last = seen.iter().max().copied();
    seen.extend(life);
    life.iter().filter(|number| Some(**number) <= last).count()
}

#[test]
fn a_bad_checkpoint_is_reported_and_everything_is_read() {
    let folder = Folder::new();
    let checkpoint = folder.path("checkpoint");
    append(&folder.path("app.log.1"), line(0).as_bytes());
    append(&folder.path("app.log"), line(1).as_bytes());
    let arguments =
        ["--checkpoint-file", checkpoint.to_str().unwrap(), &folder.argument("app.log")];
    fs::write(&checkpoint, b"logscrap\x02\0\0\0 and nothing else").unwrap();
    let scraper = Scraper::start(&arguments);
    scraper.wait_for_message("it is torn");
    scraper.wait_for_message("reading from the beginning");
    wait_until("both lines", || numbers(&scraper.output()).len() == 2);
    assert_eq!(numbers(&scraper.terminate()), [0, 1]);

    // It works again, and one torn log of two costs little.
    let scraper = Scraper::start(&arguments);
    append(&folder.path("app.log"), line(2).as_bytes());
    scraper.wait_for_output(line(2).as_bytes());
    assert_eq!(numbers(&scraper.terminate()), [2]);
    let file = fs::File::options().read(true).write(true).open(&checkpoint).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, 20).unwrap();
    file.write_all_at(&[byte[0] ^ 1], 20).unwrap();
    append(&folder.path("app.log"), line(3).as_bytes());
    let scraper = Scraper::start(&arguments);
    scraper.wait_for_message("a part is left out");
    wait_until("the last line", || numbers(&scraper.output()).last() == Some(&3));
    let again = numbers(&scraper.terminate());
    assert!(again == [3] || again == [2, 3], "{again:?}");
}

#[test]
fn a_checkpoint_that_cannot_be_written_does_not_hold_up_the_lines() {
    let folder = Folder::new();
    append(&folder.path("app.log"), line(0).as_bytes());
    let arguments = ["--checkpoint-file", "/dev/full", &folder.argument("app.log")];
    let scraper = Scraper::start(&arguments);
    scraper.wait_for_message("no space left");
    append(&folder.path("app.log"), line(1).as_bytes());
    wait_until("both lines", || numbers(&scraper.output()).len() == 2);
    let said = scraper.messages().matches("no space left").count();
    assert_eq!(said, 1, "once a minute is enough");
    assert_eq!(numbers(&scraper.terminate()), [0, 1]);
}

#[test]
fn a_file_that_may_not_be_read_is_read_once_it_may() {
    let folder = Folder::new();
    let path = folder.path("app.log");
    append(&path, line(0).as_bytes());
    fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).unwrap();
    let mut command = binary();
    if rustix::process::geteuid().is_root() {
        // Everything may be read by root: another user from a copy anybody may run.
        let copy = folder.path("log-scraper");
        fs::copy(env!("CARGO_BIN_EXE_log-scraper"), &copy).unwrap();
        command = std::process::Command::new(copy);
        command.uid(65532).gid(65532);
    }
    let arguments = ["--poll-interval", "50ms", path.to_str().unwrap()];
    let scraper = Scraper::spawn(command.args(arguments));
    scraper.wait_for_message("permission denied");
    assert!(scraper.output().is_empty());
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    scraper.wait_for_output(line(0).as_bytes());
    assert_eq!(scraper.messages().matches("permission denied").count(), 1);
    assert_eq!(numbers(&scraper.terminate()), [0]);
}

#[test]
fn a_folder_in_place_of_a_file_is_said_and_waited_out() {
    let folder = Folder::new();
    let path = folder.path("app.log");
    fs::create_dir(&path).unwrap();
    let scraper = Scraper::start(&["--poll-interval", "50ms", path.to_str().unwrap()]);
    scraper.wait_for_message("not a regular file");
    fs::remove_dir(&path).unwrap();
    append(&path, line(0).as_bytes());
    scraper.wait_for_output(line(0).as_bytes());
    assert_eq!(numbers(&scraper.terminate()), [0]);
}

#[test]
fn a_closed_stdout_ends_it_with_a_right_checkpoint() {
    let folder = Folder::new();
    let text: String = (0..20_000).map(line).collect();
    append(&folder.path("app.log"), text.as_bytes());
    let (checkpoint, log) = (folder.argument("checkpoint"), folder.argument("app.log"));
    let arguments = ["--checkpoint-file", &checkpoint, log.as_str()];
    let mut scraper = Scraper::spawn_unread(binary().args(arguments));
    let mut first = vec![0; 100_000];
    let mut stdout = scraper.child.stdout.take().unwrap();
    stdout.read_exact(&mut first).unwrap();
    drop(stdout);
    assert_eq!(scraper.wait().0.code(), Some(2));
    let scraper = Scraper::start(&arguments);
    let rest = numbers(&scraper.terminate());
    let read_to = *numbers(&first).last().unwrap();
    // What lay in the pipe when it was closed was out, as far as anybody can know.
    assert_eq!(rest.last(), Some(&19_999));
    assert!(rest[0] <= read_to + PIPE / line(0).len() as u64 + 1);
    assert!(rest.is_sorted_by(|a, b| a + 1 == *b));
}

#[test]
fn a_stdout_nobody_reads_delays_nothing_but_the_lines() {
    let folder = Folder::new();
    let path = folder.path("app.log");
    let text: String = (0..20_000).map(line).collect();
    append(&path, text.as_bytes());
    let (checkpoint, log) = (folder.argument("checkpoint"), folder.argument("app.log"));
    let arguments = ["--checkpoint-file", &checkpoint, "--shutdown-timeout", "300ms", log.as_str()];
    let mut scraper = Scraper::spawn_unread(binary().args(arguments));
    scraper.wait_for_message("following");
    // Deleted while it is blocked: what it holds open is not lost.
    append(&path, line(20_000).as_bytes());
    fs::remove_file(&path).unwrap();
    append(&path, line(20_001).as_bytes());
    wait_until("the new file to be held open, too", || {
        let open = fs::read_dir(format!("/proc/{}/fd", scraper.child.id())).unwrap();
        let targets = open.filter_map(|fd| fs::read_link(fd.ok()?.path()).ok());
        targets.filter(|target| target.to_string_lossy().contains(path.to_str().unwrap())).count()
            >= 2
    });
    fs::remove_file(&path).unwrap();
    let mut output = Vec::new();
    let mut stdout = scraper.child.stdout.take().unwrap();
    let expected = text.len() + 2 * line(0).len();
    while output.len() < expected {
        let mut buf = [0; 4096];
        let count = stdout.read(&mut buf).unwrap();
        output.extend_from_slice(&buf[..count]);
    }
    assert_eq!(numbers(&output), (0..=20_001).collect::<Vec<_>>());

    // Blocked again, it ends when its time is over.
    append(&path, text.as_bytes());
    wait_until("a full pipe", || {
        rustix::io::ioctl_fionread(&stdout).is_ok_and(|count| count >= 60_000)
    });
    let start = Instant::now();
    scraper.signal(Signal::TERM);
    assert_eq!(scraper.wait().0.code(), Some(2));
    assert!(start.elapsed() < Duration::from_secs(10));
}
