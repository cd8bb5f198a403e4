//! The real binary on a real file system: what it follows, in every way a file can change.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed step fails the test")]

mod common;

use std::fs;
use std::io::Write;
use std::time::{Duration, Instant, SystemTime};

use common::{
    Folder, Scraper, append, assert_all_lines, binary, free_address, get, line, numbers, wait_until,
};
use rustix::process::Signal;

/// Writes numbered lines at a steady rate and calls `rotate` at a steady rate.
fn write_paced(
    folder: &Folder,
    lines: u64,
    lines_per_second: u64,
    rotations_per_second: u64,
    mut rotate: impl FnMut(u64),
) {
    let path = folder.path("app.log");
    let start = Instant::now();
    let (mut rotations, mut written) = (0, 0);
    while written < lines {
        let due = start.elapsed().as_millis() as u64 * lines_per_second / 1000;
        let until = due.clamp(written, lines);
        let text: String = (written..until).map(line).collect();
        append(&path, text.as_bytes());
        written = until;
        if start.elapsed().as_millis() as u64 * rotations_per_second / 1000 > rotations {
            rotations += 1;
            rotate(rotations);
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Renames `app.log` and all its predecessors, as logrotate does.
fn shift(folder: &Folder) {
    let mut last = 0;
    while folder.path(&format!("app.log.{}", last + 1)).exists() {
        last += 1;
    }
    for number in (1..=last).rev() {
        let (from, to) = (format!("app.log.{number}"), format!("app.log.{}", number + 1));
        fs::rename(folder.path(&from), folder.path(&to)).unwrap();
    }
    fs::rename(folder.path("app.log"), folder.path("app.log.1")).unwrap();
}

#[test]
fn eight_renames_a_second_at_40_000_lines_a_second_lose_and_double_nothing() {
    let folder = Folder::new();
    let checkpoint = folder.argument("checkpoint");
    let scraper = Scraper::start(&["--checkpoint-file", &checkpoint, &folder.argument("app.log")]);
    write_paced(&folder, 200_000, 40_000, 8, |_| shift(&folder));
    let output = scraper.terminate();
    assert_all_lines(&output, 200_000);
}

#[test]
fn several_rotations_while_it_does_not_run_are_caught_up_in_order() {
    let folder = Folder::new();
    let arguments =
        ["--checkpoint-file", &folder.argument("checkpoint"), &folder.argument("app.log")];
    append(&folder.path("app.log"), line(0).as_bytes());
    let scraper = Scraper::start(&arguments);
    scraper.wait_for_output(line(0).as_bytes());
    assert_eq!(numbers(&scraper.terminate()), [0]);
    for number in 1..12 {
        append(&folder.path("app.log"), line(number).as_bytes());
        if number % 3 == 0 {
            shift(&folder);
        }
    }
    let scraper = Scraper::start(&arguments);
    wait_until("all lines", || numbers(&scraper.output()).len() == 11);
    assert_eq!(numbers(&scraper.terminate()), (1..12).collect::<Vec<_>>());
}

#[test]
fn a_file_that_is_cut_after_it_was_read_is_read_from_its_start() {
    let folder = Folder::new();
    let path = folder.path("app.log");
    let scraper = Scraper::start(&[&folder.argument("app.log")]);
    let mut written = 0;
    for round in 1..=5 {
        for _ in 0..round * 10 {
            append(&path, line(written).as_bytes());
            written += 1;
        }
        wait_until("the lines so far", || numbers(&scraper.output()).len() as u64 == written);
        // The next round may outgrow this one before anybody looks.
        fs::copy(&path, folder.path(&format!("app.log.{round}"))).unwrap();
        fs::File::options().write(true).truncate(true).open(&path).unwrap();
    }
    assert_eq!(numbers(&scraper.terminate()), (0..written).collect::<Vec<_>>());
}

#[test]
fn what_was_copied_before_a_cut_is_read_from_the_copy() {
    let folder = Folder::new();
    let path = folder.path("app.log");
    let arguments = ["--checkpoint-file", &folder.argument("checkpoint"), path.to_str().unwrap()];
    let text: String = (0..100).map(line).collect();
    append(&path, text.as_bytes());
    let scraper = Scraper::start(&arguments);
    scraper.wait_for_output(text.as_bytes());
    scraper.terminate();
    let unread: String = (100..150).map(line).collect();
    append(&path, unread.as_bytes());
    fs::copy(&path, folder.path("app.log.1")).unwrap();
    fs::write(&path, line(150)).unwrap();
    let scraper = Scraper::start(&arguments);
    wait_until("the rest", || numbers(&scraper.output()).len() >= 51);
    assert_eq!(numbers(&scraper.terminate()), (100..151).collect::<Vec<_>>());
}

#[test]
fn a_hole_left_by_a_writer_that_does_not_append_is_passed_over() {
    let folder = Folder::new();
    let path = folder.path("app.log");
    let mut file = fs::File::create(&path).unwrap();
    let scraper = Scraper::start(&[path.to_str().unwrap()]);
    file.write_all(line(0).as_bytes()).unwrap();
    scraper.wait_for_output(line(0).as_bytes());
    fs::File::options().write(true).truncate(true).open(&path).unwrap();
    file.write_all(line(1).as_bytes()).unwrap();
    wait_until("the second line", || numbers(&scraper.output()).len() == 2);
    assert_eq!(numbers(&scraper.terminate()), [0, 1]);
}

#[test]
fn a_file_that_is_deleted_and_made_again_is_read_from_both() {
    let folder = Folder::new();
    let path = folder.path("app.log");
    let scraper = Scraper::start(&[&folder.argument("app.log")]);
    append(&path, line(0).as_bytes());
    scraper.wait_for_output(line(0).as_bytes());
    write_paced(&folder, 20_000, 20_000, 8, |_| fs::remove_file(&path).unwrap());
    let output = scraper.terminate();
    let expected: Vec<_> = std::iter::once(0).chain(0..20_000).collect();
    assert_eq!(numbers(&output), expected);
}

#[test]
fn a_file_and_a_folder_that_are_not_there_yet_are_waited_for() {
    let folder = Folder::new();
    let path = folder.path("later/still/app.log");
    let scraper = Scraper::start(&["--poll-interval", "50ms", path.to_str().unwrap()]);
    scraper.wait_for_message("not there yet");
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    append(&path, line(0).as_bytes());
    scraper.wait_for_output(line(0).as_bytes());
    // The folder is taken away and another one put in its place.
    fs::rename(folder.path("later"), folder.path("gone")).unwrap();
    append(&folder.path("gone/still/app.log"), line(1).as_bytes());
    wait_until("the last line of the old file", || scraper.output_len() == 2 * line(0).len());
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    append(&path, line(2).as_bytes());
    wait_until("the new file", || scraper.output_len() == 3 * line(0).len());
    assert_eq!(numbers(&scraper.terminate()), [0, 1, 2]);
}

#[test]
fn any_bytes_come_out_as_they_are_in_little_memory() {
    let folder = Folder::new();
    let path = folder.path("app.log");
    let mut bytes =
        b"\xef\xbb\xbfbyte order mark\r\n\n\n\0\0\0nul \xff\xfe\x80 not text\r\n".to_vec();
    bytes.resize(10 << 20, b'x');
    let mut state = 1_u32;
    bytes.extend((0..1 << 20).map(|_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    }));
    append(&path, b"");
    let scraper = Scraper::start(&[path.to_str().unwrap()]);
    scraper.wait_for_message("following");
    let before_kib = scraper.memory_kib("VmHWM");
    append(&path, &bytes);
    wait_until("all bytes", || scraper.output_len() == bytes.len());
    let after_kib = scraper.memory_kib("VmHWM");
    assert!(after_kib < before_kib + 512, "from {before_kib} to {after_kib} KiB");
    assert!(scraper.terminate() == bytes, "byte for byte");
}

#[test]
fn a_line_without_end_is_written_at_the_end_and_at_once_where_one_file_is_followed() {
    let folder = Folder::new();
    let path = folder.path("app.log");
    let scraper = Scraper::start(&[path.to_str().unwrap()]);
    append(&path, b"no line end yet");
    scraper.wait_for_output(b"no line end yet");
    append(&path, b", still");
    assert_eq!(scraper.terminate(), b"no line end yet, still");

    let other = folder.path("other.log");
    let arguments = [path.to_str().unwrap(), other.to_str().unwrap()];
    let scraper = Scraper::start(&[&arguments[..], &["--partial-line-timeout", "1h"]].concat());
    append(&other, b"whole\n");
    scraper.wait_for_output(b"whole\n");
    assert_eq!(scraper.terminate(), b"whole\nno line end yet, still");
}

#[test]
fn lines_of_several_files_stay_whole() {
    let folder = Folder::new();
    let scraper = Scraper::start(&[&folder.argument("*.log"), &folder.argument("[xy].txt")]);
    append(&folder.path("not.ours"), b"nothing to see\n");
    append(&folder.path("a.logs"), b"neither\n");
    let mut expected = Vec::new();
    for round in 0..200 {
        for (file, name) in ["a.log", "b.log", "x.txt"].into_iter().enumerate() {
            let text = line(round * 3 + file as u64);
            expected.push(round * 3 + file as u64);
            // In two pieces: each file has an unfinished line most of the time.
            let (first, rest) = text.as_bytes().split_at(20);
            append(&folder.path(name), first);
            std::thread::sleep(Duration::from_micros(500));
            append(&folder.path(name), rest);
        }
    }
    wait_until("all lines", || scraper.output_len() >= expected.len() * line(0).len());
    let mut seen = numbers(&scraper.terminate());
    for file in 0..3 {
        let of_file = seen.iter().filter(|number| **number % 3 == file);
        assert!(of_file.is_sorted(), "each file's lines are in order");
    }
    seen.sort_unstable();
    assert_eq!(seen, expected);
}

#[test]
fn what_is_excluded_or_too_old_is_left_out_until_it_is_written_to() {
    let folder = Folder::new();
    for (number, name) in ["a.log", "b.tmp", "old.log", "debug-1.log"].iter().enumerate() {
        append(&folder.path(name), line(number as u64).as_bytes());
    }
    let hour_ago = SystemTime::now() - Duration::from_secs(3600);
    let old = fs::File::options().append(true).open(folder.path("old.log")).unwrap();
    old.set_modified(hour_ago).unwrap();
    let (checkpoint, all) = (folder.argument("ck.tmp"), folder.argument("*"));
    let excluded = folder.argument("debug-?.log");
    let arguments = [
        "--exclude",
        "*.tmp",
        "--exclude",
        &excluded,
        "--ignore-older",
        "30m",
        "--poll-interval",
        "50ms",
        "--checkpoint-file",
        &checkpoint,
        &all,
    ];
    let scraper = Scraper::start(&arguments);
    scraper.wait_for_output(line(0).as_bytes());
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(numbers(&scraper.output()), [0]);
    append(&folder.path("old.log"), line(4).as_bytes());
    append(&folder.path("debug-1.log"), line(5).as_bytes());
    wait_until("both lines of the old file", || numbers(&scraper.output()).len() == 3);
    assert_eq!(numbers(&scraper.terminate()), [0, 2, 4]);
    // What is known is never too old.
    old.set_modified(hour_ago).unwrap();
    append(&folder.path("old.log"), line(6).as_bytes());
    old.set_modified(hour_ago).unwrap();
    assert_eq!(numbers(&Scraper::start(&arguments).terminate()), [6]);
}

#[test]
fn reading_from_the_end_begins_behind_the_last_whole_line_of_what_is_there_at_the_first_start() {
    let folder = Folder::new();
    let path = folder.path("app.log");
    let text: String = (0..5000).map(line).collect();
    append(&path, format!("{text}{}", line(5000).trim_end()).as_bytes());
    let (checkpoint, all) = (folder.argument("checkpoint"), folder.argument("*.log"));
    let arguments = ["--read-from", "end", "--checkpoint-file", &checkpoint, &all];
    let scraper = Scraper::start(&arguments);
    scraper.wait_for_message("following");
    append(&path, b"\n");
    scraper.wait_for_output(line(5000).as_bytes());
    // What comes later is new, and read whole.
    append(&folder.path("later.log"), line(1).as_bytes());
    wait_until("the other file", || numbers(&scraper.output()).len() == 2);
    assert_eq!(numbers(&scraper.terminate()), [5000, 1]);
    // So is what came between two runs.
    append(&path, line(5001).as_bytes());
    assert_eq!(numbers(&Scraper::start(&arguments).terminate()), [5001]);
}

#[test]
fn jobs_end_at_the_end_of_the_files() {
    let folder = Folder::new();
    append(&folder.path("a"), b"one\ntwo");
    let run = |paths: &[&str]| {
        binary()
            .arg("--exit-on-eof")
            .args(paths)
            .output()
            .map(|output| (output.status.code(), String::from_utf8(output.stdout).unwrap()))
    };
    let (a, missing) = (folder.argument("a"), folder.argument("missing"));
    assert_eq!(run(&[&a]).unwrap(), (Some(0), "one\ntwo".to_owned()));
    assert_eq!(run(&[&missing]).unwrap(), (Some(2), String::new()));
    assert_eq!(run(&[&folder.argument("no*")]).unwrap(), (Some(0), String::new()));
}

#[test]
fn a_wrong_command_line_exits_64_and_says_why() {
    for arguments in [&["--nonsense", "a"][..], &[], &["a", "--poll-interval", "soon"]] {
        let output = binary().args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(64), "{arguments:?}");
        assert!(output.stdout.is_empty());
        assert_eq!(String::from_utf8(output.stderr).unwrap().lines().count(), 1);
    }
}

#[test]
fn a_backlog_is_read_to_its_end_on_sigterm() {
    let folder = Folder::new();
    let path = folder.path("app.log");
    let text: String = (0..400_000).map(line).collect();
    append(&path, text.as_bytes());
    let scraper = Scraper::start(&[path.to_str().unwrap()]);
    wait_until("the first bytes", || scraper.output_len() > 0);
    assert!(scraper.terminate() == text.as_bytes());
}

#[test]
fn it_wakes_at_most_once_a_second_when_nothing_happens() {
    let folder = Folder::new();
    append(&folder.path("app.log"), b"x\n");
    let checkpoint = folder.argument("checkpoint");
    let scraper = Scraper::start(&["--checkpoint-file", &checkpoint, &folder.argument("app.log")]);
    scraper.wait_for_output(b"x\n");
    let wakes = || scraper.status("voluntary_ctxt_switches").parse::<u64>().unwrap();
    // The checkpoint of that line is still to be written.
    std::thread::sleep(Duration::from_millis(1500));
    let before = wakes();
    std::thread::sleep(Duration::from_millis(3000));
    let count = wakes() - before;
    // One more where the first and the last fall on the edges.
    assert!(count <= 4, "{count} wake-ups in 3 seconds");
    scraper.terminate();
}

#[test]
fn the_admin_endpoint_tells_how_it_is() {
    let folder = Folder::new();
    let address = free_address();
    let path = folder.path("app.log");
    append(&path, format!("{}{}", line(0), line(1)).as_bytes());
    let scraper = Scraper::start(&["--admin-listen", &address, path.to_str().unwrap()]);
    wait_until("two lines", || scraper.output_len() == 2 * line(0).len());
    let get = |target: &str| get(&address, target);
    assert!(get("/livez").starts_with("HTTP/1.1 200"));
    assert!(get("/readyz").ends_with("ok\n"));
    assert!(get("/nonsense").starts_with("HTTP/1.1 404"));
    wait_until("the metrics", || get("/metrics").contains("\nlog_scraper_lines_total 2\n"));
    let metrics = get("/metrics");
    for expected in ["log_scraper_lag_bytes 0", "log_scraper_files 1", "log_scraper_build_info{"] {
        assert!(metrics.contains(&format!("\n{expected}")), "{expected} in {metrics}");
    }
    let check = |expect: &str| {
        let url = format!("http://{address}/livez");
        let output = binary().args(["check", "http", &url, "--expect-body", expect]).output();
        output.unwrap().status.code()
    };
    assert_eq!(check("ok"), Some(0));
    assert_eq!(check("no"), Some(1));
    scraper.signal(Signal::INT);
    assert_eq!(scraper.wait().0.code(), Some(0));
}

#[test]
fn a_file_that_was_touched_does_not_come_again_and_one_that_was_written_anew_does() {
    let folder = Folder::new();
    let path = folder.path("app.log");
    fs::write(&path, "one\ntwo\n").unwrap();
    let scraper = Scraper::start(&[&folder.argument("app.log")]);
    wait_until("both lines", || scraper.output_len() == 8);
    // Both times, as `touch` sets them: of one alone the system says that it was a write.
    let now = SystemTime::now();
    let times = fs::FileTimes::new().set_accessed(now).set_modified(now);
    fs::File::options().append(true).open(&path).unwrap().set_times(times).unwrap();
    // Longer than a poll, and than a change has to last.
    std::thread::sleep(Duration::from_millis(2500));
    assert_eq!(scraper.output_len(), 8);
    fs::write(&path, "one\ntwo\n").unwrap();
    wait_until("both again", || scraper.output_len() == 16);
    scraper.terminate();
}

#[test]
fn a_pattern_in_a_folder_that_is_not_there_is_waited_for_at_rest() {
    let folder = Folder::new();
    let scraper = Scraper::start(&[&folder.argument("later/*.log")]);
    assert!(scraper.is_at_rest());
    fs::create_dir(folder.path("later")).unwrap();
    fs::write(folder.path("later/a.log"), "a line\n").unwrap();
    scraper.wait_for_output(b"a line\n");
    scraper.terminate();
}
