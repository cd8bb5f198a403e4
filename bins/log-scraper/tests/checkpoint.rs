//! The real binary and its checkpoint file: whose it is, and what becomes of a bad one.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed step fails the test")]

mod common;

use std::fs;
use std::os::unix::fs::FileExt;

use common::{Folder, Scraper, append, binary, line, numbers, wait_until};

#[test]
fn a_file_that_is_no_checkpoint_is_refused_and_left_as_it_is() {
    let folder = Folder::new();
    let log = folder.path("app.log");
    append(&log, line(0).as_bytes());
    let check = |name: &str, content: &[u8], code: i32| {
        let path = folder.path(name);
        fs::write(&path, content).unwrap();
        let arguments = ["--exit-on-eof", "--checkpoint-file", path.to_str().unwrap()];
        let output = binary().args(arguments).arg(&log).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{name}: {said}");
        if code != 0 {
            assert!(said.contains("not a checkpoint"), "{said}");
            assert!(output.stdout.is_empty());
            assert_eq!(fs::read(&path).unwrap(), content);
        }
    };
    check("notes.txt", &b"precious notes\n".repeat(50), 78);
    check("app.log", line(0).as_bytes(), 78);
    check("one-byte", b"\n", 78);
    check("logscraper", b"logscraper: notes about it\n", 78);
    check("empty", b"", 0);
    check("zeros", &[0; 4096], 0);
    let output = binary().arg("--checkpoint-file").arg(folder.path("")).arg(&log).output().unwrap();
    assert_eq!(output.status.code(), Some(78), "a folder");
    let fresh = folder.path("fresh");
    let output = binary().arg("--checkpoint-file").arg(&fresh).arg(&fresh).output().unwrap();
    assert_eq!(output.status.code(), Some(64), "the file to follow");
    assert!(!fresh.exists());
}

#[test]
fn a_second_scraper_with_the_same_checkpoint_is_told_who_has_it() {
    let folder = Folder::new();
    append(&folder.path("app.log"), line(0).as_bytes());
    let arguments =
        ["--checkpoint-file", &folder.argument("checkpoint"), &folder.argument("app.log")];
    let first = Scraper::start(&arguments);
    first.wait_for_output(line(0).as_bytes());
    let second = binary().args(arguments).output().unwrap();
    assert_eq!(second.status.code(), Some(2));
    assert!(second.stdout.is_empty());
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    let holder = format!("in use by process {} (log-scraper)", first.child.id());
    assert!(said.contains(&holder), "{said}");
    append(&folder.path("app.log"), line(1).as_bytes());
    assert_eq!(numbers(&first.terminate()), [0, 1]);
    assert_eq!(numbers(&Scraper::start(&arguments).terminate()), [], "the first one's is right");
}

#[test]
fn zeros_in_its_place_are_said_and_nothing_is_taken_for_the_past() {
    let folder = Folder::new();
    let checkpoint = folder.path("checkpoint");
    append(&folder.path("app.log.1"), line(0).as_bytes());
    append(&folder.path("app.log"), line(1).as_bytes());
    fs::write(&checkpoint, [0; 100]).unwrap();
    let arguments =
        ["--checkpoint-file", checkpoint.to_str().unwrap(), &folder.argument("app.log")];
    let scraper = Scraper::start(&arguments);
    scraper.wait_for_message("nothing but zeros");
    scraper.wait_for_message("reading from the beginning");
    wait_until("both lines", || numbers(&scraper.output()).len() == 2);
    assert_eq!(numbers(&scraper.terminate()), [0, 1]);
    assert_eq!(numbers(&Scraper::start(&arguments).terminate()), [], "it works again");
}

#[test]
fn a_newer_one_is_said_and_everything_is_read() {
    let folder = Folder::new();
    let checkpoint = folder.path("checkpoint");
    append(&folder.path("app.log"), line(0).as_bytes());
    let arguments =
        ["--checkpoint-file", checkpoint.to_str().unwrap(), &folder.argument("app.log")];
    let scraper = Scraper::start(&arguments);
    scraper.wait_for_output(line(0).as_bytes());
    scraper.terminate();
    fs::File::options().write(true).open(&checkpoint).unwrap().write_at(&[9], 8).unwrap();
    let scraper = Scraper::start(&arguments);
    scraper.wait_for_message("it is of format 9, this program knows 2");
    scraper.wait_for_output(line(0).as_bytes());
    assert_eq!(numbers(&scraper.terminate()), [0]);
}

#[test]
fn one_that_is_taken_away_is_made_anew_with_everything_in_it() {
    let folder = Folder::new();
    let checkpoint = folder.path("checkpoint");
    for name in ["a.log", "b.log"] {
        append(&folder.path(name), line(0).as_bytes());
    }
    let arguments = [
        "--checkpoint-interval",
        "10ms",
        "--checkpoint-file",
        checkpoint.to_str().unwrap(),
        &folder.argument("*.log"),
    ];
    for spoil in [
        &(|| fs::remove_file(&checkpoint).unwrap()) as &dyn Fn(),
        &|| fs::write(&checkpoint, "").unwrap(),
        &|| {
            fs::write(folder.path("other"), "").unwrap();
            fs::rename(folder.path("other"), &checkpoint).unwrap();
        },
    ] {
        let scraper = Scraper::start(&arguments);
        wait_until("the first checkpoint", || fs::metadata(&checkpoint).is_ok_and(|c| c.len() > 0));
        std::thread::sleep(std::time::Duration::from_millis(100));
        let before = scraper.output_len();
        spoil();
        append(&folder.path("a.log"), line(1).as_bytes());
        wait_until("the line", || scraper.output_len() > before);
        wait_until("a new checkpoint", || fs::metadata(&checkpoint).is_ok_and(|c| c.len() > 0));
        std::thread::sleep(std::time::Duration::from_millis(100));
        assert!(!scraper.messages().contains("cannot write"), "{}", scraper.messages());
        scraper.kill();
        assert_eq!(numbers(&Scraper::start(&arguments).terminate()), []);
    }
}

#[test]
fn each_checkpoint_can_be_made_to_reach_the_disk() {
    let folder = Folder::new();
    append(&folder.path("app.log"), line(0).as_bytes());
    let checkpoint = folder.argument("checkpoint");
    let arguments = [
        "--checkpoint-sync",
        "data",
        "--checkpoint-file",
        &checkpoint,
        &folder.argument("app.log"),
    ];
    let scraper = Scraper::start(&arguments);
    scraper.wait_for_output(line(0).as_bytes());
    assert_eq!(numbers(&scraper.terminate()), [0]);
    assert_eq!(numbers(&Scraper::start(&arguments).terminate()), []);
}
