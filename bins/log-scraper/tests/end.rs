//! The real binary and its end: when it comes, and what is read before.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed step fails the test")]

mod common;

use std::time::{Duration, Instant};

use common::{Folder, Scraper, append, line, numbers};
use rustix::process::Signal;

#[test]
fn with_a_grace_period_it_outlasts_the_application_that_is_told_to_end_with_it() {
    let folder = Folder::new();
    let path = folder.path("app.log");
    append(&path, line(0).as_bytes());
    let scraper = Scraper::start(&["--shutdown-grace-period", "60s", path.to_str().unwrap()]);
    scraper.wait_for_output(line(0).as_bytes());
    scraper.signal(Signal::TERM);
    scraper.wait_for_message("told to end: going on");
    for number in 1..7 {
        std::thread::sleep(Duration::from_millis(300));
        append(&path, line(number).as_bytes());
    }
    let quiet = Instant::now();
    let (status, output) = scraper.wait();
    let after = quiet.elapsed();
    assert_eq!(status.code(), Some(0));
    assert_eq!(numbers(&output), (0..7).collect::<Vec<_>>());
    assert!(after > Duration::from_millis(900) && after < Duration::from_secs(10), "{after:?}");
}

#[test]
fn a_grace_period_is_no_longer_than_it_was_said_and_a_second_signal_ends_it() {
    let folder = Folder::new();
    let path = folder.path("app.log");
    append(&path, line(0).as_bytes());
    for (period, signals) in [("1500ms", 1), ("1h", 2)] {
        let scraper = Scraper::start(&["--shutdown-grace-period", period, path.to_str().unwrap()]);
        scraper.wait_for_message("following");
        scraper.signal(Signal::TERM);
        scraper.wait_for_message("told to end: going on");
        let start = Instant::now();
        if signals == 2 {
            scraper.signal(Signal::INT);
        }
        let mut scraper = scraper;
        while scraper.child.try_wait().unwrap().is_none() {
            assert!(start.elapsed() < Duration::from_secs(10), "it ends");
            append(&path, line(1).as_bytes());
            std::thread::sleep(Duration::from_millis(100));
        }
        assert_eq!(scraper.wait().0.code(), Some(0));
    }
}

#[test]
fn a_file_at_a_path_ends_it_once_everything_is_read() {
    let folder = Folder::new();
    let (path, done) = (folder.path("app.log"), folder.path("done"));
    append(&path, line(0).as_bytes());
    let arguments = ["--exit-on-file", done.to_str().unwrap(), path.to_str().unwrap()];
    let scraper = Scraper::start(&arguments);
    scraper.wait_for_output(line(0).as_bytes());
    append(&path, line(1).as_bytes());
    append(&done, b"");
    let (status, output) = scraper.wait();
    assert_eq!(status.code(), Some(0));
    assert_eq!(numbers(&output), [0, 1]);
    // One that is there already: what there is to read is read.
    let (status, output) = Scraper::start(&arguments).wait();
    assert_eq!(status.code(), Some(0));
    assert_eq!(numbers(&output), [0, 1]);
}

#[test]
fn a_line_that_is_unfinished_when_it_is_told_to_end_is_finished_by_the_next_run() {
    let folder = Folder::new();
    let path = folder.path("app.log");
    append(&path, b"whole\nhalf");
    let arguments = ["--checkpoint-file", &folder.argument("checkpoint"), path.to_str().unwrap()];
    let scraper = Scraper::start(&arguments);
    scraper.wait_for_output(b"whole\nhalf");
    assert_eq!(scraper.terminate(), b"whole\nhalf");
    append(&path, b" and the rest\n");
    assert_eq!(Scraper::start(&arguments).terminate(), b" and the rest\n");
}
