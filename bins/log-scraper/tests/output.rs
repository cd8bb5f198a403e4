//! The real binary's output: whose line it is, what it looks like, and that no file keeps another
//! one's lines waiting.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed step fails the test")]

mod common;

use std::time::{Duration, Instant};

use common::{Folder, Scraper, append, wait_until};

fn contains(output: &[u8], part: &[u8]) -> bool {
    output.windows(part.len()).any(|window| window == part)
}

/// Appends to `a.log` what `write` says, again and again, and to `b.log` one line after a while;
/// returns how long that line took.
fn wait_for_other_file(arguments: &[&str], mut write: impl FnMut(u64) -> Vec<u8>) -> Duration {
    let folder = Folder::new();
    let (a, b) = (folder.path("a.log"), folder.path("b.log"));
    append(&a, b"");
    append(&b, b"");
    let files = [a.to_str().unwrap(), b.to_str().unwrap()];
    let scraper = Scraper::start(&[arguments, &files].concat());
    wait_until("both files", || scraper.messages().matches("following").count() == 2);
    let start = Instant::now();
    let mut asked = None;
    for round in 0.. {
        append(&a, &write(round));
        std::thread::sleep(Duration::from_millis(20));
        if asked.is_none() && start.elapsed() > Duration::from_millis(600) {
            append(&b, b"a line of b\n");
            asked = Some(Instant::now());
        }
        let Some(asked) = asked else { continue };
        if contains(&scraper.output(), b"a line of b\n") {
            scraper.terminate();
            return asked.elapsed();
        }
        assert!(asked.elapsed() < Duration::from_secs(20), "the line of b never comes");
    }
    unreachable!("the loop has no end")
}

/// The time that unfinished lines get, and what may be added to it on a busy machine.
const PATIENCE: [&str; 2] = ["--partial-line-timeout", "300ms"];
const BOUND: Duration = Duration::from_millis(2500);

#[test]
fn a_progress_bar_keeps_no_other_file_waiting() {
    let took = wait_for_other_file(&PATIENCE, |round| format!("\r{round}%").into_bytes());
    assert!(took < BOUND, "{took:?}");
}

#[test]
fn a_file_without_line_ends_keeps_no_other_file_waiting() {
    let took = wait_for_other_file(&PATIENCE, |_| vec![b'z'; 64 << 10]);
    assert!(took < BOUND, "{took:?}");
    // By the bound of bytes, however long a line is waited for.
    let took = wait_for_other_file(&["--partial-line-timeout", "1h"], |_| vec![b'z'; 256 << 10]);
    assert!(took < BOUND, "{took:?}");
}

#[test]
fn a_file_whose_last_line_is_always_unfinished_keeps_no_other_file_waiting() {
    let took = wait_for_other_file(&PATIENCE, |round| format!("end {round}\nbegin ").into_bytes());
    assert!(took < BOUND, "{took:?}");
}

#[test]
fn a_line_that_is_finished_in_time_stays_whole_though_others_wait() {
    let folder = Folder::new();
    let (a, b) = (folder.path("a.log"), folder.path("b.log"));
    append(&a, b"");
    append(&b, b"");
    let files = [a.to_str().unwrap(), b.to_str().unwrap()];
    let scraper = Scraper::start(&[&["--partial-line-timeout", "1h"], &files[..]].concat());
    wait_until("both files", || scraper.messages().matches("following").count() == 2);
    // Longer than what is held back, so that its beginning is in the output before its end is there.
    let long = vec![b'a'; 300 << 10];
    append(&a, &long);
    wait_until("the beginning", || scraper.output_len() > 100 << 10);
    append(&b, b"b\n");
    std::thread::sleep(Duration::from_millis(300));
    append(&a, b"\n");
    let expected = [&long[..], b"\nb\n"].concat();
    scraper.wait_for_output(&expected);
    scraper.terminate();
}
