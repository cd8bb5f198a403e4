//! The fault matrix, delivery: killed at any moment, rotated fast and in every way, and changed
//! while it does not run, each on several file systems. Every line is numbered; the checker is
//! `common/ledger.rs`.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed step fails the test")]

mod common;
#[path = "common/ledger.rs"]
mod ledger;
#[path = "common/volume.rs"]
mod volume;

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use common::{Scraper, append, wait_until};
use ledger::{Ledger, text, texts};
use volume::Volume;

/// The buffer of one read. Before a checkpoint that is due is written, what was left over of one may
/// go out, and one more.
const BUFFER_BYTES: usize = 128 << 10;

/// Calls `check` on an overlay, if one can be had.
fn on_an_overlay(check: impl FnOnce(&Volume)) {
    if let Some(volume) = Volume::overlay(&[]) {
        check(&volume);
    }
}

/// Writes numbered lines at a steady rate until `goes_on` says no, asked with the count of lines
/// and of whole periods so far. Returns how many were written.
fn write_paced(
    writer: u32,
    path: &Path,
    lines_per_second: u64,
    mut goes_on: impl FnMut(u64, Duration) -> bool,
) -> u64 {
    let start = Instant::now();
    let mut written = 0;
    while goes_on(written, start.elapsed()) {
        let until =
            (start.elapsed().as_micros() as u64 * lines_per_second / 1_000_000).max(written);
        append(path, texts(writer, written..until).as_bytes());
        written = until;
        std::thread::sleep(Duration::from_millis(2));
    }
    written
}

/// Renames a file and all its predecessors, as logrotate does.
fn shift(path: &Path) {
    let name = |number: u64| PathBuf::from(format!("{}.{number}", path.display()));
    let last = (1..).take_while(|number| name(*number).exists()).last().unwrap_or(0);
    for number in (1..=last).rev() {
        fs::rename(name(number), name(number + 1)).unwrap();
    }
    fs::rename(path, name(1)).unwrap();
}

fn killed_fifty_times(volume: &Volume) {
    const CHECKPOINT_BYTES: usize = 64 << 10;
    // Twice what a machine that is not busy gets to.
    const LINES_MAX: u64 = 600_000;
    let path = volume.path("app.log");
    append(&path, b"");
    let (checkpoint, log) = (volume.argument("checkpoint"), volume.argument("app.log"));
    let arguments = ["--checkpoint-file", &checkpoint, "--checkpoint-bytes", "64KiB", &log];
    let done = Arc::new(AtomicBool::new(false));
    let writer = std::thread::spawn({
        let done = Arc::clone(&done);
        move || {
            let mut rotations = 0;
            write_paced(0, &path, 50_000, |written, elapsed| {
                if elapsed.as_millis() / 500 > rotations && path.exists() {
                    rotations += 1;
                    fs::rename(&path, path.with_extension(format!("log.{rotations}"))).unwrap();
                }
                written < LINES_MAX && !done.load(Ordering::Relaxed)
            })
        }
    });
    let mut ledger = Ledger::default();
    let mut random = std::process::id();
    for life in 0..50 {
        let scraper = Scraper::start(&arguments);
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        std::thread::sleep(Duration::from_millis(10 + u64::from(random >> 25)));
        let again = ledger.life(&scraper.kill(), true);
        let bound = CHECKPOINT_BYTES + 2 * BUFFER_BYTES + text(0, 59).len();
        assert!(again <= bound, "life {life} wrote {again} bytes again, bound {bound}");
    }
    done.store(true, Ordering::Relaxed);
    let written = writer.join().unwrap();
    ledger.life(&Scraper::start(&arguments).terminate(), false);
    ledger.assert_nothing_lost(0, written);
}

#[test]
fn killed_fifty_times_at_50_000_lines_a_second_on_the_usual_file_system() {
    killed_fifty_times(&Volume::usual());
}

#[test]
fn killed_fifty_times_at_50_000_lines_a_second_in_memory() {
    killed_fifty_times(&Volume::memory());
}

#[test]
fn killed_fifty_times_at_50_000_lines_a_second_on_an_overlay() {
    on_an_overlay(killed_fifty_times);
}

fn eight_renames_a_second(volume: &Volume, lines: u64) {
    let path = volume.path("app.log");
    let (checkpoint, log) = (volume.argument("checkpoint"), volume.argument("app.log"));
    let scraper = Scraper::start(&["--checkpoint-file", &checkpoint, &log]);
    let mut rotations = 0;
    let written = write_paced(0, &path, 40_000, |written, elapsed| {
        if elapsed.as_millis() / 125 > rotations && path.exists() {
            rotations += 1;
            shift(&path);
        }
        written < lines
    });
    let mut ledger = Ledger::default();
    assert_eq!(ledger.life(&scraper.terminate(), false), 0);
    ledger.assert_nothing_lost(0, written);
    assert!(u64::from(rotations as u32) >= lines / 40_000 * 8 / 2, "{rotations} rotations");
}

#[test]
fn eight_renames_a_second_at_40_000_lines_a_second_in_memory() {
    eight_renames_a_second(&Volume::memory(), 200_000);
}

#[test]
fn eight_renames_a_second_at_40_000_lines_a_second_on_an_overlay() {
    on_an_overlay(|volume| eight_renames_a_second(volume, 80_000));
}

/// How a file is taken away from its writer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rotation {
    Rename,
    /// After this the file is missing for 5 to 50 ms.
    Delete,
    CopyAndCut,
}

/// Whether the program holds the file open that is at `path` now.
fn holds(scraper: &Scraper, path: &Path) -> bool {
    let Ok(open) = fs::read_dir(format!("/proc/{}/fd", scraper.child.id())) else { return false };
    open.flatten().any(|fd| fs::read_link(fd.path()).is_ok_and(|target| target == path))
}

/// Ten files, 500 lines a second each, rotated every half second.
fn many_rotated(volume: &Volume, rotation: Rotation) {
    const FILES: u32 = 10;
    const TURNS: u64 = 500;
    let checkpoint = volume.argument("checkpoint");
    let scraper = Scraper::start(&["--checkpoint-file", &checkpoint, &volume.argument("*.log")]);
    let path = |writer: u32| volume.path(&format!("app{writer}.log"));
    let mut random = std::process::id();
    let mut missing_until = [Duration::ZERO; FILES as usize];
    let mut written = [0_u64; FILES as usize];
    let start = Instant::now();
    for turn in 0..TURNS {
        for writer in 0..FILES {
            let (at, now) = (writer as usize, start.elapsed());
            if now < missing_until[at] {
                continue;
            }
            // Every turn of 8 ms has four lines: 500 a second.
            append(&path(writer), texts(writer, written[at]..written[at] + 4).as_bytes());
            written[at] += 4;
            // Not all in the same turn.
            if (turn + u64::from(writer) * 7) % 62 != 61 {
                continue;
            }
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            match rotation {
                Rotation::Rename => shift(&path(writer)),
                Rotation::CopyAndCut => {
                    let copy = PathBuf::from(format!("{}.{turn:03}", path(writer).display()));
                    fs::copy(path(writer), copy).unwrap();
                    File::options().write(true).truncate(true).open(path(writer)).unwrap();
                }
                Rotation::Delete => {
                    // What nobody holds is lost with its name, to whoever reads.
                    wait_until("the file to be held", || holds(&scraper, &path(writer)));
                    fs::remove_file(path(writer)).unwrap();
                    missing_until[at] =
                        now + Duration::from_millis(5 + u64::from(random >> 24) % 46);
                }
            }
        }
        let due = Duration::from_millis(8 * (turn + 1));
        std::thread::sleep(due.saturating_sub(start.elapsed()));
    }
    let mut ledger = Ledger::default();
    assert_eq!(ledger.life(&scraper.terminate(), false), 0);
    (0..FILES).for_each(|writer| ledger.assert_nothing_lost(writer, written[writer as usize]));
}

#[test]
fn ten_files_renamed_twice_a_second_lose_and_double_nothing() {
    many_rotated(&Volume::usual(), Rotation::Rename);
}

#[test]
fn ten_files_deleted_and_made_again_twice_a_second_lose_and_double_nothing() {
    many_rotated(&Volume::usual(), Rotation::Delete);
}

#[test]
fn ten_files_copied_and_cut_twice_a_second_lose_and_double_nothing() {
    many_rotated(&Volume::usual(), Rotation::CopyAndCut);
}

/// A first life reads `before`, `change` happens while nothing runs, and a second life writes
/// `expected` and nothing else.
fn check_stopped(volume: &Volume, before: &str, change: impl FnOnce(&Path), expected: &str) {
    let path = volume.path("app.log");
    let (checkpoint, log) = (volume.argument("checkpoint"), volume.argument("app.log"));
    let arguments = ["--checkpoint-file", &checkpoint, &log];
    append(&path, before.as_bytes());
    let scraper = Scraper::start(&arguments);
    scraper.wait_for_output(before.as_bytes());
    assert!(scraper.terminate() == before.as_bytes());
    change(&path);
    let scraper = Scraper::start(&arguments);
    wait_until("what was written meanwhile", || scraper.output_len() >= expected.len());
    let output = String::from_utf8(scraper.terminate()).unwrap();
    assert_eq!(output, expected);
    for name in fs::read_dir(path.parent().unwrap()).unwrap().flatten() {
        let _ = fs::remove_file(name.path());
    }
}

/// A file's first kilobyte, the same in all files of a program that begins with it.
fn banner() -> String {
    format!("{}\n", "=".repeat(1100))
}

fn changed_while_stopped(volume: &Volume) {
    let before = texts(0, 0..100);
    let rotate = |times: u64| {
        move |path: &Path| {
            for round in 0..times {
                append(path, texts(0, 100 + round * 10..110 + round * 10).as_bytes());
                shift(path);
            }
            append(path, texts(0, 100 + times * 10..110 + times * 10).as_bytes());
        }
    };
    check_stopped(volume, &before, rotate(1), &texts(0, 100..120));
    check_stopped(volume, &before, rotate(3), &texts(0, 100..140));
    // Cut, and grown beyond where it was read to.
    let cut = |content: String| move |path: &Path| fs::write(path, content).unwrap();
    check_stopped(volume, &before, cut(texts(1, 0..500)), &texts(1, 0..500));
    check_stopped(volume, &before, cut(texts(1, 0..10)), &texts(1, 0..10));
    // The same first kilobyte as the file before.
    let (old, new) = (banner() + &before, banner() + &texts(1, 0..500));
    check_stopped(volume, &old, cut(new.clone()), &new);
    let replaced = new.clone();
    check_stopped(
        volume,
        &old,
        move |path| {
            shift(path);
            fs::write(path, replaced).unwrap();
        },
        &new,
    );
    // Another file with the old one's number, where numbers are used again.
    let number = |path: &Path| fs::metadata(path).unwrap().ino();
    let content = texts(1, 0..500);
    check_stopped(
        volume,
        &before,
        |path| {
            let old = number(path);
            for _ in 0..100 {
                fs::remove_file(path).unwrap();
                fs::write(path, &content).unwrap();
                if number(path) == old {
                    break;
                }
            }
        },
        &content,
    );
}

#[test]
fn what_changed_while_it_did_not_run_comes_once_on_the_usual_file_system() {
    changed_while_stopped(&Volume::usual());
}

#[test]
fn what_changed_while_it_did_not_run_comes_once_in_memory() {
    changed_while_stopped(&Volume::memory());
}

#[test]
fn what_changed_while_it_did_not_run_comes_once_on_an_overlay() {
    on_an_overlay(changed_while_stopped);
}

#[test]
fn a_file_of_an_image_that_is_written_to_is_followed_on() {
    let before = texts(0, 0..100);
    let Some(volume) = Volume::overlay(&[("app.log", &before)]) else { return };
    let (checkpoint, log) = (volume.argument("checkpoint"), volume.argument("app.log"));
    let scraper = Scraper::start(&["--checkpoint-file", &checkpoint, &log]);
    scraper.wait_for_output(before.as_bytes());
    // The first write copies it into the upper layer.
    append(&volume.path("app.log"), texts(0, 100..200).as_bytes());
    wait_until("the new lines", || scraper.output_len() >= texts(0, 0..200).len());
    let output = String::from_utf8(scraper.terminate()).unwrap();
    assert_eq!(output, texts(0, 0..200));
}
