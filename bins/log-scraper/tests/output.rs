//! The real binary's output: whose line it is, what it looks like, and that no file keeps another
//! one's lines waiting.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed step fails the test")]

mod common;

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, Instant};

use common::{Folder, Scraper, append, binary, line, wait_until};

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
        assert!(asked.elapsed() < Duration::from_secs(30), "the line of b never comes");
    }
    unreachable!("the loop has no end")
}

/// The time that unfinished lines get.
const PATIENCE: [&str; 2] = ["--partial-line-timeout", "300ms"];
/// Far beyond it even on a busy machine, and far below for ever.
const BOUND: Duration = Duration::from_secs(15);

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

#[test]
fn the_name_of_its_file_stands_before_each_line() {
    let folder = Folder::new();
    let (a, b) = (folder.path("a.log"), folder.path("b.log"));
    append(&a, b"one\n\n\xfftwo\r\n");
    append(&b, b"three\nunfinished");
    let (name_a, name_b) = (a.to_str().unwrap(), b.to_str().unwrap());
    let output = binary().args(["--prefix", "--exit-on-eof", name_a, name_b]).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let mut lines: Vec<_> = output.stdout.split_inclusive(|byte| *byte == b'\n').collect();
    lines.sort_by_key(|line| contains(line, name_b.as_bytes()));
    let expected = [
        format!("{name_a}: one\n").into_bytes(),
        format!("{name_a}: \n").into_bytes(),
        [format!("{name_a}: ").as_bytes(), b"\xfftwo\r\n"].concat(),
        format!("{name_b}: three\n").into_bytes(),
        format!("{name_b}: unfinished\n").into_bytes(),
    ];
    assert_eq!(lines, expected);
}

/// What `--format json` and more make of a file, without the times, which have to be there.
fn json_of(arguments: &[&str], bytes: &[u8]) -> Vec<String> {
    let folder = Folder::new();
    let path = folder.path("a.log");
    append(&path, bytes);
    let mut command = binary();
    command.args(["--format", "json", "--exit-on-eof"]).args(arguments).arg(&path);
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let text = String::from_utf8(output.stdout).unwrap();
    let head = format!("\",\"file\":\"{}\",", path.display());
    let part_of = format!("\"part_of\":\"{}-", fs::metadata(&path).unwrap().ino());
    let body = |line: &str| {
        let rest = line.strip_prefix("{\"time\":\"2").unwrap();
        let (time, body) = rest.split_once(&head).unwrap();
        assert!(time.len() == 23 && time.ends_with('Z'), "{time}");
        format!("{{{body}").replace(&part_of, "\"part_of\":\"file-")
    };
    text.lines().map(body).collect()
}

#[test]
fn json_holds_any_bytes() {
    let lines = json_of(&[], b"plain\n\n\0nul \"quoted\" \\ \xff\r\nunfinished");
    let expected = [
        r#"{"line":"plain"}"#,
        r#"{"line":""}"#,
        "{\"line\":\"\\u0000nul \\\"quoted\\\" \\\\ \u{fffd}\\r\"}",
        r#"{"line":"unfinished","part":1,"part_of":"file-26","partial":true}"#,
    ];
    assert_eq!(lines, expected);
}

#[test]
fn a_line_that_is_too_long_comes_in_parts_that_make_it_again() {
    let mut bytes = vec![b'x'; 300 << 10];
    bytes.push(b'\n');
    let lines = json_of(&[], &bytes);
    let text: String = lines.iter().map(|line| line.split('"').nth(3).unwrap()).collect();
    assert!(text.as_bytes() == &bytes[..300 << 10], "{} bytes", text.len());
    assert_eq!(lines.len(), 3);
    let (last, parts) = lines.split_last().unwrap();
    for (part, number) in parts.iter().zip(1..) {
        let end = format!(r#"x","part":{number},"part_of":"file-0","partial":true}}"#);
        assert!(part.ends_with(&end));
    }
    assert!(last.ends_with(r#"x","part":3,"part_of":"file-0"}"#));
}

#[test]
fn many_lines_are_whole_wherever_a_read_ends() {
    let text: String = (0..10_000).map(line).collect();
    let lines = json_of(&[], text.as_bytes());
    assert_eq!(lines.len(), 10_000);
    for (number, seen) in lines.iter().enumerate() {
        assert_eq!(*seen, format!("{{\"line\":\"{}\"}}", line(number as u64).trim_end()));
    }
}

#[test]
fn lines_of_json_are_nested_merged_or_text() {
    let bytes = b"{\"a\":1}\ntext\n";
    assert_eq!(json_of(&[], bytes), [r#"{"line":{"a":1}}"#, r#"{"line":"text"}"#]);
    let merged = json_of(&["--json-lines", "merge"], bytes);
    assert_eq!(merged, [r#"{"a":1}"#, r#"{"line":"text"}"#]);
    let text = json_of(&["--json-lines", "text"], bytes);
    assert_eq!(text, [r#"{"line":"{\"a\":1}"}"#, r#"{"line":"text"}"#]);
}

#[test]
fn a_trace_that_is_written_line_by_line_is_one_record() {
    let folder = Folder::new();
    let path = folder.path("a.log");
    append(&path, b"");
    let arguments = ["--format", "json", "--multiline", "auto", path.to_str().unwrap()];
    let scraper = Scraper::start(&arguments);
    let trace = ["java.lang.IllegalStateException: x", "\tat a.B.c(B.java:1)", "Caused by: y"];
    for line in trace {
        append(&path, format!("{line}\n").as_bytes());
        std::thread::sleep(Duration::from_millis(30));
    }
    // Nothing follows: it is over when its time is.
    wait_until("the trace", || scraper.output_len() > 0);
    append(&path, b"next\n");
    let output = String::from_utf8(scraper.terminate()).unwrap();
    let lines: Vec<_> = output.lines().collect();
    assert_eq!(lines.len(), 2, "{output}");
    let text =
        r#""line":"java.lang.IllegalStateException: x\n\tat a.B.c(B.java:1)\nCaused by: y"}"#;
    assert!(lines[0].ends_with(text), "{output}");
    assert!(lines[1].ends_with(r#""line":"next"}"#), "{output}");
}

#[test]
fn records_go_on_where_the_last_run_ended() {
    let folder = Folder::new();
    let path = folder.argument("app.log");
    let checkpoint = folder.argument("checkpoint");
    let arguments = ["--format", "json", "--checkpoint-file", &checkpoint, &path];
    let mut output = Vec::new();
    for round in 0..3 {
        append(&folder.path("app.log"), line(round).as_bytes());
        let scraper = Scraper::start(&arguments);
        wait_until("the line", || scraper.output_len() > 0);
        output.extend(scraper.terminate());
    }
    let output = String::from_utf8(output).unwrap();
    assert_eq!(output.lines().count(), 3);
    for (round, seen) in output.lines().enumerate() {
        assert!(seen.contains(line(round as u64).trim_end()), "{seen}");
    }
}

#[test]
fn flags_that_contradict_each_other_exit_64_and_say_what_would_be_right() {
    let check = |arguments: &[&str], part: &str| {
        let output = binary().arg("a").args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(64), "{arguments:?}");
        let message = String::from_utf8(output.stderr).unwrap();
        assert!(message.contains(part) && message.lines().count() == 1, "{message}");
    };
    check(&["--prefix", "--format", "json"], "--format raw");
    check(&["--json-lines", "nest"], "--format json");
    check(&["--multiline", "auto"], "--format json");
    check(&["--format", "xml"], "raw or json");
    check(&["--format", "json", "--multiline", "start=("], "start=");
}
