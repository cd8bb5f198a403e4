//! Compressed files and what else is in their folder: whose they are, and of which file.

use tail::engine::Options;
use tail::fs::SinkFault;

use super::desk::{Desk, options};
use super::packed::{compress, gzip_at, lines};
use super::{LOG, OTHER};

#[test]
fn a_second_name_among_another_paths_files_does_not_make_it_read_again() {
    for is_short in [false, true] {
        let mut desk = Desk::new(&[LOG, OTHER]);
        desk.append(LOG, "one\n");
        desk.append(OTHER, "other\n");
        desk.settle(0);
        desk.restart();
        desk.append(OTHER, "unread\n");
        let packed = format!("{OTHER}.1.gz");
        compress(&mut desk, OTHER, &packed);
        desk.delete(OTHER);
        desk.append(OTHER, "newer\n");
        desk.settle(20_000);
        desk.name(&packed, "/log/app.log.second");
        // What is known of it is not forgotten for want of a descriptor.
        desk.disk.unopenable = is_short.then_some("/log/app.log.second");
        desk.engine.hint_names();
        desk.settle(40_000);
        desk.disk.unopenable = None;
        desk.rename(OTHER, &format!("{OTHER}.0"));
        desk.append(OTHER, "newest\n");
        desk.engine.hint_names();
        desk.settle(60_000);
        desk.settle(80_000);
        assert_eq!(desk.output(), "unread\nnewer\nnewest\n", "{is_short}");
    }
}

#[test]
fn what_a_pattern_found_is_read_though_it_was_compressed_before_there_was_room_for_it() {
    let mut desk = Desk::with(Options { open_files_max: 8, ..options(&["/log/*.log"]) });
    desk.append(LOG, "one\n");
    desk.settle(0);
    desk.sink.fault = Some(SinkFault::Blocked);
    let paths: Vec<_> = (10..40).map(|number| format!("/log/{number}.log")).collect();
    paths.iter().for_each(|path| {
        desk.append(path, &format!("{path}\n"));
    });
    desk.settle(2000);
    for path in &paths[20..] {
        compress(&mut desk, path, &format!("{path}.gz"));
        desk.delete(path);
    }
    desk.settle(4000);
    desk.sink.fault = None;
    for second in 3..30 {
        desk.settle(second * 2000);
    }
    let output = desk.output();
    for path in &paths {
        assert_eq!(output.lines().filter(|line| line == path).count(), 1, "{path}");
    }
}

#[test]
fn a_compressed_file_that_begins_with_a_hole_is_not_taken_for_a_shorter_one() {
    let mut desk = Desk::new(&[LOG]);
    let hole = |count: usize, line: &str| format!("{}{line}\n", "\0".repeat(count));
    desk.append(LOG, "one\n");
    desk.settle(0);
    desk.restart();
    // Copied and cut twice, under a writer that does not append.
    desk.append("/log/app.log.1", &hole(40_000, "three"));
    let file = desk.append("/log/app.log.2.gz", "");
    desk.append_bytes_to(file, &gzip_at(6, &hole(36_000, "two")));
    desk.overwrite(LOG, &hole(50_000, "four"));
    for second in 5..30 {
        desk.settle(second * 2000);
    }
    let mut output: Vec<_> = desk.output().lines().map(str::to_owned).collect();
    output.sort();
    assert_eq!(output, ["four", "three", "two"]);
}

#[test]
fn a_file_that_is_being_compressed_is_taken_for_none_that_began_like_it() {
    let mut desk = Desk::new(&[LOG]);
    let banner = lines(9, 60);
    desk.append(LOG, &format!("{banner}one\n"));
    desk.settle(0);
    desk.restart();
    desk.delete(LOG);
    let rest = lines(1, 300);
    let bytes = gzip_at(0, &format!("{banner}{rest}"));
    desk.append("/log/app.log.1", &format!("{banner}{rest}"));
    let file = desk.append("/log/app.log.1.gz", "");
    desk.append_bytes_to(file, &bytes[..1500]);
    desk.append(LOG, "newer\n");
    desk.settle(10_000);
    desk.append_bytes_to(file, &bytes[1500..]);
    desk.delete("/log/app.log.1");
    for second in 6..40 {
        desk.settle(second * 2000);
    }
    assert!(desk.output() == format!("{banner}{rest}newer\n"), "{}", desk.output().len());
}

#[test]
fn what_was_compressed_under_a_name_that_was_exchanged_does_not_come_again() {
    let mut desk = Desk::new(&[LOG, OTHER]);
    desk.append(LOG, "one\n");
    desk.append(OTHER, "two\n");
    desk.settle(0);
    desk.rename(LOG, "/log/between");
    desk.rename(OTHER, LOG);
    desk.rename("/log/between", OTHER);
    desk.append(LOG, "more\n");
    compress(&mut desk, LOG, "/log/app.log.1.gz");
    desk.delete(LOG);
    desk.append(LOG, "three\n");
    for second in 1..40 {
        desk.settle(second * 2000);
    }
    assert_eq!(desk.output(), "one\ntwo\nmore\nthree\n");
}

#[test]
fn of_two_paths_that_a_compressed_file_may_be_of_the_one_that_knows_it_has_it() {
    let mut desk = Desk::new(&[LOG, OTHER]);
    desk.append(LOG, "one\n");
    desk.append(OTHER, "two\n");
    desk.settle(0);
    desk.restart();
    desk.append(OTHER, "more\n");
    compress(&mut desk, OTHER, "/log/app.log.1.gz");
    desk.delete(OTHER);
    desk.append(OTHER, "newer\n");
    for second in 5..40 {
        desk.settle(second * 2000);
    }
    assert_eq!(desk.output(), "more\nnewer\n");
}

#[test]
fn what_another_path_wrote_out_of_a_compressed_file_does_not_come_again() {
    let mut desk = Desk::new(&[LOG, OTHER]);
    desk.append(LOG, "one, and a line of its own that is long\n");
    desk.append(OTHER, "two\n");
    desk.settle(0);
    desk.restart();
    // The paths exchanged their files before one was compressed: who knows it finds it there.
    desk.append(LOG, "more\n");
    compress(&mut desk, LOG, &format!("{OTHER}.1.gz"));
    desk.delete(LOG);
    desk.rename(OTHER, LOG);
    desk.settle(20_000);
    desk.append(LOG, "three\n");
    desk.settle(40_000);
    // By now it has forgotten it.
    desk.append(OTHER, "newest\n");
    for second in 30..60 {
        desk.settle(second * 2000);
    }
    assert_eq!(desk.output(), "more\nthree\nnewest\n");
}

/// Two paths, and a rotated file of the first with this text that was read and closed.
fn closed(text: &str) -> (Desk, usize) {
    let mut desk = Desk::new(&[LOG, OTHER]);
    desk.append(LOG, text);
    desk.append(OTHER, "two\n");
    desk.settle(0);
    let file = desk.rename(LOG, &format!("{LOG}.1"));
    desk.append(LOG, "three\n");
    // Long enough for it to be closed.
    for second in 1..60 {
        desk.settle(second * 2000);
    }
    (desk, file)
}

#[test]
fn a_closed_file_that_was_compressed_among_another_paths_files_does_not_come_again() {
    let (mut desk, _) = closed("one, and a line of its own that is long\n");
    compress(&mut desk, &format!("{LOG}.1"), &format!("{OTHER}.1.gz"));
    desk.delete(&format!("{LOG}.1"));
    desk.rename(OTHER, &format!("{OTHER}.0"));
    desk.append(OTHER, "newest\n");
    for second in 60..90 {
        desk.settle(second * 2000);
    }
    assert_eq!(desk.output(), "one, and a line of its own that is long\ntwo\nthree\nnewest\n");
}

#[test]
fn a_closed_file_that_grew_and_was_compressed_among_another_paths_files_goes_on() {
    let rows: String = (0..40).map(|number| format!("line {number} of one file alone\n")).collect();
    let (mut desk, file) = closed(&rows);
    desk.append_to(file, "late\n");
    compress(&mut desk, &format!("{LOG}.1"), &format!("{OTHER}.1.gz"));
    desk.delete(&format!("{LOG}.1"));
    desk.rename(OTHER, &format!("{OTHER}.0"));
    desk.append(OTHER, "newest\n");
    for second in 60..90 {
        desk.settle(second * 2000);
    }
    assert_eq!(desk.output(), format!("{rows}two\nthree\nlate\nnewest\n"));
}

#[test]
fn a_link_among_another_paths_names_takes_nothing_over() {
    let mut desk = Desk::new(&[LOG, OTHER]);
    desk.append(LOG, "one, and a line of its own that is long\n");
    desk.append(OTHER, "two\n");
    desk.settle(0);
    let file = desk.rename(LOG, &format!("{LOG}.1"));
    desk.append(LOG, "three\n");
    desk.link(&format!("{OTHER}.latest"), &format!("{LOG}.1"));
    // Long enough for it to be closed.
    for second in 1..60 {
        desk.settle(second * 2000);
    }
    desk.append_to(file, "late\n");
    compress(&mut desk, &format!("{LOG}.1"), &format!("{LOG}.2.gz"));
    desk.delete(&format!("{LOG}.1"));
    desk.rename(LOG, &format!("{LOG}.1"));
    desk.append(LOG, "newest\n");
    for second in 60..90 {
        desk.settle(second * 2000);
    }
    let expected = "one, and a line of its own that is long\ntwo\nthree\nlate\nnewest\n";
    assert_eq!(desk.output(), expected);
}

#[test]
fn the_same_text_of_two_paths_is_written_out_twice_however_one_was_compressed() {
    let long = "the same text that two paths write, and longer than a line or two\n";
    // Where the first is gone, too, only lines that are long tell the two apart.
    for (text, is_gone) in [(long, false), ("the same\n", false), ("the same\n", true)] {
        let mut desk = Desk::new(&[LOG, OTHER]);
        desk.append(LOG, text);
        desk.settle(0);
        desk.rename(LOG, &format!("{LOG}.1"));
        desk.append(LOG, "three\n");
        for second in 1..60 {
            desk.settle(second * 2000);
        }
        if is_gone {
            desk.delete(&format!("{LOG}.1"));
            desk.settle(122_000);
        }
        desk.append(OTHER, text);
        compress(&mut desk, OTHER, &format!("{OTHER}.1.gz"));
        desk.delete(OTHER);
        desk.append(OTHER, "newest\n");
        for second in 65..90 {
            desk.settle(second * 2000);
        }
        assert_eq!(desk.output(), format!("{text}three\n{text}newest\n"), "{is_gone}");
    }
}

#[test]
fn a_number_that_another_paths_file_had_does_not_make_a_compressed_file_that_ones() {
    // It was compressed while nobody looked: the process was away, or for a moment.
    for restarts in [true, false] {
        let mut desk = Desk::new(&[LOG, OTHER]);
        desk.disk.has_no_births = true;
        let old = format!("{OTHER}.1");
        let (app, other) = (lines(1, 10), lines(2, 12));
        desk.append(LOG, "one\n");
        desk.append(OTHER, &other);
        desk.settle(0);
        desk.rename(OTHER, &old);
        desk.append(OTHER, "newer\n");
        // Long enough for it to be closed.
        for second in 1..60 {
            desk.settle(second * 2000);
        }
        if restarts {
            desk.restart();
        } else {
            desk.rename(LOG, &format!("{LOG}.2"));
        }
        desk.append(LOG, &app);
        let packed = format!("{LOG}.1.gz");
        desk.replace_as(&old, &packed);
        compress(&mut desk, LOG, &packed);
        desk.delete(LOG);
        desk.append(LOG, "new\n");
        // The path is looked at by itself first, until nothing changes any more.
        for now_ms in [119_600, 119_700, 119_800, 119_900] {
            desk.engine.hint_name(LOG.as_ref());
            desk.turn(now_ms);
        }
        desk.settle(130_000);
        desk.settle(170_000);
        let before = if restarts { String::new() } else { format!("one\n{other}newer\n") };
        assert_eq!(desk.output(), format!("{before}{app}new\n"), "{restarts}");
    }
}

#[test]
fn a_number_that_an_unread_file_had_does_not_make_a_compressed_file_that_one() {
    let mut desk = Desk::new(&[LOG]);
    desk.disk.has_no_births = true;
    let (old, packed) = (format!("{LOG}.1"), format!("{LOG}.1.gz"));
    desk.append(LOG, &lines(1, 20));
    desk.settle(0);
    desk.rename(LOG, &old);
    desk.append(LOG, "");
    desk.settle(2000);
    desk.restart();
    desk.replace_as(LOG, &packed);
    compress(&mut desk, &old, &packed);
    desk.delete(&old);
    desk.append(LOG, "new\n");
    desk.settle(10_000);
    desk.settle(60_000);
    assert_eq!(desk.output(), "new\n");
}

#[test]
fn a_file_is_found_compressed_though_its_number_or_an_older_ones_was_given_to_another() {
    let (older, packed, other) = (format!("{LOG}.1"), "/log/elsewhere.gz", "/log/other.gz");
    // The older file's number is that of the compressed one, or its own is that of another one, to
    // which a link leads.
    for is_older in [true, false] {
        let mut desk = Desk::new(&[LOG]);
        desk.disk.has_no_births = true;
        let (first, rest) = (lines(2, 40), lines(3, 10));
        desk.append(LOG, &lines(1, 20));
        desk.settle(0);
        desk.rename(LOG, &older);
        desk.append(LOG, &first);
        desk.settle(2000);
        desk.restart();
        desk.append(LOG, &rest);
        if is_older {
            desk.replace_as(&older, packed);
        }
        compress(&mut desk, LOG, packed);
        if is_older {
            desk.delete(LOG);
        } else {
            desk.replace_as(LOG, other);
            compress(&mut desk, &older, other);
            desk.link("/log/latest", other);
        }
        desk.append(LOG, "new\n");
        desk.settle(10_000);
        desk.settle(60_000);
        assert_eq!(desk.output(), format!("{rest}new\n"), "{is_older}");
    }
}
