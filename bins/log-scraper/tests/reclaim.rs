//! Disk space that is given back, by the real program on real file systems.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed step fails the test")]

mod common;
#[path = "common/ledger.rs"]
mod ledger;
#[path = "common/volume.rs"]
mod volume;

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;
use std::time::{Duration, Instant};

use common::{Scraper, append, binary, free_address, metric, wait_until};
use ledger::{Ledger, texts};
use volume::Volume;

/// Lines that are written at once, and a pause after them: about 20 MB a second.
const BURST: u64 = 2000;
const PAUSE: Duration = Duration::from_millis(5);
/// How far a writer may be ahead: a machine that has much else to do is no fault.
const LAG_BYTES: u64 = 1 << 20;
/// What a file may take on the disk while it is written to and read.
const USED_BYTES_MAX: u64 = 8 << 20;

/// Starts with a checkpoint and more arguments, following `app.log` in a volume.
fn start(volume: &Volume, checkpoint: &str, arguments: &[&str]) -> Scraper {
    let mut command = binary();
    command.args(["--checkpoint-file", checkpoint]).args(arguments);
    Scraper::spawn(command.arg(volume.path("app.log")))
}

fn open(path: &Path, appends: bool) -> File {
    let mut options = OpenOptions::new();
    options.create(true).write(true).append(appends);
    options.open(path).unwrap()
}

/// Writes numbered lines until the file has so many bytes, not faster than a life that reads from
/// its start can follow; returns how many lines, and the most space that the file took meanwhile.
fn write_lines(file: &mut File, first: u64, bytes: u64, scraper: Option<&Scraper>) -> (u64, u64) {
    let (mut number, mut most) = (first, 0);
    while file.metadata().unwrap().len() < bytes {
        let read = || scraper.map_or(u64::MAX, |scraper| scraper.output_len() as u64);
        wait_until("what was written", || {
            read().saturating_add(LAG_BYTES) >= file.metadata().unwrap().len()
        });
        file.write_all(texts(0, number..number + BURST).as_bytes()).unwrap();
        number += BURST;
        most = most.max(file.metadata().unwrap().blocks() * 512);
        std::thread::sleep(PAUSE);
    }
    (number, most)
}

/// While so many MiB are written, the file takes little space on the disk, and no line is lost; its
/// size is what the writer made it.
fn check_space_is_bounded(volume: &Volume, appends: bool, mebibytes: u64) {
    let (address, path) = (free_address(), volume.path("app.log"));
    let checkpoint = volume.argument("checkpoint");
    let arguments = ["--reclaim", "punch-hole", "--admin-listen", &address];
    let mut file = open(&path, appends);
    let scraper = start(volume, &checkpoint, &arguments);
    let (lines, most) = write_lines(&mut file, 0, mebibytes << 20, Some(&scraper));
    let size = file.metadata().unwrap().len();
    wait_until("all of it", || scraper.output_len() as u64 == size);
    wait_until("most of it to be freed", || file.metadata().unwrap().blocks() * 512 <= 2 << 20);
    assert!(most <= USED_BYTES_MAX, "{most} bytes were in use");
    assert!(metric(&address, "log_scraper_reclaimed_bytes_total") >= (mebibytes - 4) << 20);
    assert_eq!(file.metadata().unwrap().len(), size);
    let mut ledger = Ledger::default();
    ledger.life(&scraper.terminate(), false);
    ledger.assert_nothing_lost(0, lines);
}

#[test]
fn a_file_that_is_appended_to_takes_little_space() {
    check_space_is_bounded(&Volume::usual(), true, 64);
}

#[test]
fn a_file_whose_writer_keeps_its_own_offset_takes_little_space() {
    check_space_is_bounded(&Volume::usual(), false, 64);
}

#[test]
fn a_file_in_memory_takes_little_space() {
    check_space_is_bounded(&Volume::memory(), true, 16);
}

#[test]
fn a_program_that_is_killed_while_space_is_freed_loses_nothing_and_tears_no_line() {
    let volume = Volume::usual();
    let (path, checkpoint) = (volume.path("app.log"), volume.argument("checkpoint"));
    let mut file = open(&path, true);
    let (mut ledger, mut lines, mut again) = (Ledger::default(), 0, Vec::new());
    for life in 1..=4 {
        let scraper = start(&volume, &checkpoint, &["--reclaim", "punch-hole"]);
        (lines, _) = write_lines(&mut file, lines, life * (12 << 20), None);
        again.push(ledger.life(&scraper.kill(), true));
    }
    // Without a checkpoint the hole tells what was out.
    fs::remove_file(&checkpoint).unwrap();
    let scraper = start(&volume, &checkpoint, &["--reclaim", "punch-hole"]);
    wait_until("the last line", || scraper.output_ends_with(&texts(0, lines - 1..lines)));
    again.push(ledger.life(&scraper.terminate(), false));
    ledger.assert_nothing_lost(0, lines);
    assert!(again.iter().all(|bytes| *bytes <= 8 << 20), "{again:?}");
}

#[test]
fn a_copy_of_a_freed_file_and_the_cut_after_it_lose_and_double_nothing() {
    let volume = Volume::usual();
    let (path, checkpoint) = (volume.path("app.log"), volume.argument("checkpoint"));
    let mut file = open(&path, true);
    let scraper = start(&volume, &checkpoint, &["--reclaim", "punch-hole"]);
    let mut lines = 0;
    for rotation in 0..3 {
        (lines, _) = write_lines(&mut file, lines, 6 << 20, None);
        wait_until("space that is freed", || file.metadata().unwrap().blocks() * 512 < 4 << 20);
        let copy = volume.path(&format!("app.log.{}", 3 - rotation));
        fs::copy(&path, copy).unwrap();
        file.set_len(0).unwrap();
    }
    append(&path, texts(0, lines..lines + 1).as_bytes());
    wait_until("the last line", || scraper.output_ends_with(&texts(0, lines..lines + 1)));
    let mut ledger = Ledger::default();
    assert_eq!(ledger.life(&scraper.terminate(), false), 0);
    ledger.assert_nothing_lost(0, lines + 1);
}

#[test]
fn a_file_system_without_holes_is_said_once_and_counted_and_read_all_the_same() {
    let Some(volume) = Volume::without_holes() else { return };
    let (usual, address) = (Volume::usual(), free_address());
    let mut file = open(&volume.path("app.log"), true);
    let arguments = ["--reclaim", "punch-hole", "--admin-listen", &address];
    let scraper = start(&volume, &usual.argument("checkpoint"), &arguments);
    let (lines, _) = write_lines(&mut file, 0, 4 << 20, None);
    scraper.wait_for_message("space cannot be freed: the file system cannot do it");
    let (lines, _) = write_lines(&mut file, lines, 8 << 20, None);
    wait_until("all of it", || scraper.output_len() as u64 == file.metadata().unwrap().len());
    assert_eq!(metric(&address, "log_scraper_reclaim_failures_total"), 1);
    assert_eq!(scraper.messages().matches("cannot be freed").count(), 1);
    let mut ledger = Ledger::default();
    ledger.life(&scraper.terminate(), false);
    ledger.assert_nothing_lost(0, lines);
}

#[test]
fn a_checkpoint_that_cannot_reach_a_disk_has_nothing_given_back() {
    let volume = Volume::usual();
    let mut file = open(&volume.path("app.log"), true);
    let scraper = start(&volume, "/dev/null", &["--reclaim", "punch-hole"]);
    let (lines, _) = write_lines(&mut file, 0, 4 << 20, None);
    scraper.wait_for_message("checkpoint: cannot write: not a regular file");
    wait_until("all of it", || scraper.output_len() as u64 == file.metadata().unwrap().len());
    let mut ledger = Ledger::default();
    ledger.life(&scraper.terminate(), false);
    ledger.assert_nothing_lost(0, lines);
    let mut bytes = Vec::new();
    File::open(volume.path("app.log")).unwrap().read_to_end(&mut bytes).unwrap();
    assert!(!bytes.contains(&0));
}

/// Three rotations by rename, of which the oldest is named like one, but a link.
fn rotate_three_times(volume: &Volume, scraper: &Scraper) {
    let path = |name: &str| volume.path(name);
    for number in 0..3 {
        append(&path("app.log"), texts(0, number * 10..number * 10 + 10).as_bytes());
        let all = texts(0, 0..number * 10 + 10).len();
        wait_until("its lines", || scraper.output_len() >= all);
        for from in (1..=number).rev() {
            let to = path(&format!("app.log.{}", from + 1));
            fs::rename(path(&format!("app.log.{from}")), to).unwrap();
        }
        fs::rename(path("app.log"), path("app.log.1")).unwrap();
        append(&path("app.log"), b"");
    }
}

#[test]
fn delivered_rotated_files_go_but_for_the_newest_and_nothing_else_does() {
    let (volume, address) = (Volume::usual(), free_address());
    let (path, checkpoint) = (|name: &str| volume.path(name), volume.argument("checkpoint"));
    fs::write(path("app.log.old"), "from before").unwrap();
    fs::write(path("elsewhere"), "somebody's").unwrap();
    symlink("elsewhere", path("app.log.link")).unwrap();
    append(&path("app.log"), b"");
    let arguments =
        ["--remove-rotated", "delivered", "--keep-rotated", "1", "--admin-listen", &address];
    let scraper = start(&volume, &checkpoint, &arguments);
    scraper.wait_for_message("following");
    rotate_three_times(&volume, &scraper);
    let start = Instant::now();
    wait_until("two of three to go", || !path("app.log.2").exists() && !path("app.log.3").exists());
    assert!(start.elapsed() > Duration::from_secs(8), "their writer had time to move on");
    wait_until("the count", || metric(&address, "log_scraper_rotated_files_removed_total") == 2);
    for name in ["app.log", "app.log.1", "app.log.old", "app.log.link", "elsewhere"] {
        assert!(path(name).exists(), "{name} stays");
    }
    let mut ledger = Ledger::default();
    ledger.life(&scraper.terminate(), false);
    ledger.assert_nothing_lost(0, 30);
}

#[test]
fn a_rotated_file_that_cannot_be_removed_is_said_once_and_counted() {
    let Some(volume) = Volume::small(1 << 20) else { return };
    let (usual, address) = (Volume::usual(), free_address());
    append(&volume.path("app.log"), b"");
    let arguments = ["--remove-rotated", "delivered", "--admin-listen", &address];
    let scraper = start(&volume, &usual.argument("checkpoint"), &arguments);
    scraper.wait_for_message("following");
    rotate_three_times(&volume, &scraper);
    volume.set_read_only(true);
    wait_until("failures that are counted", || {
        metric(&address, "log_scraper_remove_failures_total") == 3
    });
    scraper.wait_for_message("cannot be removed: read-only file system");
    assert_eq!(scraper.messages().matches("cannot be removed").count(), 1, "once for a path");
    assert!(volume.path("app.log.3").exists());
    let mut ledger = Ledger::default();
    ledger.life(&scraper.terminate(), false);
    ledger.assert_nothing_lost(0, 30);
}

#[test]
fn contradictions_are_refused_with_what_would_be_right() {
    let check = |arguments: &[&str], part: &str| {
        let output = binary().args(arguments).arg("/tmp/app.log").output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(64), "{arguments:?}: {said}");
        assert!(said.contains(part), "{arguments:?}: {said}");
    };
    check(&["--remove-rotated", "delivered"], "--remove-rotated needs a --checkpoint-file");
    check(&["--reclaim", "punch-hole"], "--reclaim needs a --checkpoint-file");
    check(&["--keep-rotated", "2"], "--keep-rotated needs --remove-rotated delivered");
    check(&["--reclaim", "truncate"], "punch-hole");
    check(&["--remove-rotated", "always"], "delivered");
}
