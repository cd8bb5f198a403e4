//! The real binary with many files: fewer descriptors than files, and a limit on their number.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed step fails the test")]

mod common;

use std::collections::BTreeSet;
use std::process::Command;

use common::{Folder, Scraper, append, free_address, metric, wait_until};

const FILES: usize = 1000;

fn append_to_all(folder: &Folder, word: &str) {
    for number in 0..FILES {
        append(&folder.path(&format!("{number:04}.log")), format!("{word} {number}\n").as_bytes());
    }
}

/// Checks that each file gave one line with this word, and that there are no others.
fn check(output: &[u8], words: &[&str]) {
    let text = String::from_utf8_lossy(output);
    let expected = words.iter().flat_map(|word| (0..FILES).map(move |n| format!("{word} {n}")));
    assert_eq!(text.lines().count(), FILES * words.len());
    let lines: BTreeSet<String> = text.lines().map(str::to_owned).collect();
    assert!(lines == expected.collect(), "each line of each file");
}

#[test]
fn a_thousand_files_with_64_descriptors_are_all_read_each_line_once_over_two_lives() {
    let folder = Folder::new();
    append_to_all(&folder, "first");
    let start = || {
        let mut command = Command::new("sh");
        command.env_clear().args(["-c", "ulimit -n 64; exec \"$@\"", "sh"]);
        command.arg(env!("CARGO_BIN_EXE_log-scraper"));
        command.args(["--checkpoint-file", &folder.argument("checkpoint")]);
        Scraper::spawn(command.arg(folder.path("*.log")))
    };
    let wait_for = |scraper: &Scraper, lines: usize| {
        wait_until("the lines", || {
            scraper.output().iter().filter(|byte| **byte == b'\n').count() >= lines
        });
    };
    let scraper = start();
    wait_for(&scraper, FILES);
    append_to_all(&folder, "second");
    wait_for(&scraper, 2 * FILES);
    check(&scraper.terminate(), &["first", "second"]);
    append_to_all(&folder, "third");
    let scraper = start();
    wait_for(&scraper, FILES);
    check(&scraper.terminate(), &["third"]);
}

#[test]
fn files_beyond_the_limit_are_said_and_counted_in_the_metrics() {
    let folder = Folder::new();
    for name in ["a.log", "b.log", "c.log"] {
        append(&folder.path(name), b"line\n");
    }
    for (files_max, left_out) in [("3", 0), ("2", 1)] {
        let address = free_address();
        let pattern = folder.argument("*.log");
        let arguments = ["--max-files", files_max, "--admin-listen", &address, &pattern];
        let scraper = Scraper::start(&arguments);
        wait_until("all that is followed", || scraper.output_len() == (3 - left_out) * 5);
        let counted = || metric(&address, "log_scraper_files_left_out");
        wait_until("the metrics", || counted() == left_out as u64);
        let message = "1 files are left out: 2 are followed at most";
        if left_out > 0 {
            scraper.wait_for_message(message);
        }
        let said = scraper.messages().matches(message).count();
        assert_eq!(said, left_out, "said once, or not at all");
        scraper.terminate();
    }
}
