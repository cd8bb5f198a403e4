//! Names, links and limits that can be told in a few lines.

use std::path::PathBuf;

use tail::engine::Options;
use tail::fs::Fault;

use crate::desk::{Desk, options};
use crate::{LOG, OTHER};

#[test]
fn hints_of_single_names_are_followed_in_the_next_turn() {
    let mut desk = Desk::new(&[LOG]);
    desk.append(LOG, "one\n");
    desk.turn(0);
    desk.rename(LOG, "/log/app.log.1");
    desk.append(LOG, "two\n");
    ["/log/app.log.1", LOG].iter().for_each(|path| desk.engine.hint_name(path.as_ref()));
    desk.turn(5);
    assert_eq!(desk.output(), "one\ntwo\n");
}

#[test]
fn a_look_that_could_not_open_a_file_is_repeated_soon() {
    let mut desk = Desk::new(&[LOG]);
    desk.append(LOG, "one\n");
    desk.turn(0);
    desk.rename(LOG, "/log/app.log.1");
    desk.append(LOG, "two\n");
    desk.engine.hint_names();
    desk.disk.unopenable = Some(LOG);
    let due_ms = desk.turn(5).at_ms;
    desk.disk.unopenable = None;
    assert!(due_ms < 500, "{due_ms}");
    desk.turn(due_ms);
    assert_eq!(desk.output(), "one\ntwo\n");
}

#[test]
fn a_file_that_is_followed_under_two_names_comes_once() {
    let mut desk = Desk::new(&[LOG, OTHER]);
    desk.append(LOG, "one\n");
    desk.name(LOG, OTHER);
    desk.settle(0);
    desk.append(LOG, "two\n");
    desk.settle(2000);
    assert_eq!(desk.output(), "one\ntwo\n");
}

#[test]
fn what_was_rotated_where_a_link_led_before_is_read() {
    let mut desk = Desk::new(&[LOG]);
    desk.link(LOG, "/a/app.log");
    desk.append("/a/app.log", "one\n");
    desk.settle(0);
    desk.rename("/a/app.log", "/a/app.log.2");
    desk.append("/a/app.log.1", "two\n");
    desk.link(LOG, "/b/app.log");
    desk.append("/b/app.log", "three\n");
    desk.settle(2000);
    assert_eq!(desk.output(), "one\ntwo\nthree\n");
}

#[test]
fn a_file_that_was_silent_for_long_is_read_on_after_it_was_deleted() {
    let mut desk = Desk::new(&[LOG]);
    desk.append(LOG, "one\n");
    desk.settle(0);
    desk.settle(300_000);
    let file = desk.delete(LOG);
    desk.settle(302_000);
    desk.append_to(file, "two\n");
    desk.settle(304_000);
    assert_eq!(desk.output(), "one\ntwo\n");
}

#[test]
fn a_pattern_leads_to_no_more_files_than_were_allowed_and_to_none_that_is_excluded() {
    let exclude = vec![PathBuf::from("*-debug.log")];
    let mut desk = Desk::with(Options { exclude, files_max: 3, ..options(&["/log/*.log"]) });
    for name in ["a", "b", "c-debug"] {
        desk.append(&format!("/log/{name}.log"), &format!("{name}\n"));
    }
    desk.settle(0);
    for name in ["d-debug", "e", "f"] {
        let path = format!("/log/{name}.log");
        desk.append(&path, &format!("{name}\n"));
        desk.engine.hint_name(path.as_ref());
        desk.turn(1600);
    }
    desk.settle(3000);
    assert_eq!(desk.output(), "a\nb\ne\n");
    assert_eq!(desk.engine.stats().left_out, 1);
}

#[test]
fn no_more_files_are_held_open_than_was_said_and_all_of_them_are_read() {
    let mut desk = Desk::with(Options { open_files_max: 10, ..options(&["/log/*.log"]) });
    let paths: Vec<_> = (10..60).map(|number| format!("/log/{number}.log")).collect();
    for text in ["one", "two"] {
        paths.iter().for_each(|path| {
            desk.append(path, &format!("{text}\n"));
        });
        for second in 0..20 {
            desk.settle(second * 2000);
            assert!(desk.disk.open_count() <= 10, "{} are open", desk.disk.open_count());
        }
    }
    let output = desk.output();
    let count = |text: &str| output.lines().filter(|line| *line == text).count();
    assert_eq!((count("one"), count("two")), (50, 50));
}

#[test]
fn a_file_that_comes_back_under_the_name_of_another_path_is_known_again() {
    let mut desk = Desk::new(&["/log/*.log"]);
    desk.append("/log/a.log", "one\n");
    desk.settle(0);
    desk.rename("/log/a.log", "/away/a.log");
    desk.append("/log/a.log", "its successor\n");
    for second in 2..40 {
        desk.settle(second * 2000);
    }
    desk.rename("/away/a.log", "/log/b.log");
    desk.settle(90_000);
    desk.append("/log/b.log", "two\n");
    desk.settle(92_000);
    assert_eq!(desk.output(), "one\nits successor\ntwo\n");
}

#[test]
fn a_file_that_was_closed_for_want_of_room_and_has_the_size_it_had_is_looked_at() {
    let mut desk = Desk::with(Options { open_files_max: 8, ..options(&["/log/*.log"]) });
    let paths: Vec<_> = (10..40).map(|number| format!("/log/{number}.log")).collect();
    paths.iter().for_each(|path| {
        desk.append(path, "first\n");
    });
    (0..10).for_each(|second| {
        desk.settle(second * 2000);
    });
    paths.iter().for_each(|path| {
        desk.copy(path, &format!("{path}.1"));
        desk.overwrite(path, "again\n");
    });
    (10..30).for_each(|second| {
        desk.settle(second * 2000);
    });
    let output = desk.output();
    let count = |text: &str| output.lines().filter(|line| *line == text).count();
    assert_eq!((count("first"), count("again")), (30, 30));
}

#[test]
fn the_poll_comes_to_every_one_of_very_many_files() {
    let files = Options { files_max: 2000, open_files_max: 2000, ..options(&["/log/*.log"]) };
    let mut desk = Desk::with(files);
    (1000..2500).for_each(|number| {
        desk.append(&format!("/log/{number}.log"), "");
    });
    desk.settle(0);
    desk.append("/log/2499.log", "one\n");
    (2..6).for_each(|second| {
        desk.turn(second * 1000);
    });
    assert_eq!(desk.output(), "one\n");
}

#[test]
fn a_folder_that_may_not_be_listed_for_a_moment_costs_no_position_of_many() {
    let mut desk = Desk::new(&[LOG]);
    for number in 0..30 {
        desk.append(LOG, &format!("{number}\n"));
        desk.settle(number * 2000);
        desk.rename(LOG, &format!("{LOG}.{}", 100 - number));
    }
    let output = desk.output();
    desk.settle(200_000);
    desk.disk.list_fault = Some(Fault::Denied);
    desk.settle(202_000);
    desk.disk.list_fault = None;
    desk.settle(204_000);
    assert_eq!(output.lines().count(), 30);
    assert_eq!(desk.output(), output, "nothing comes again");
}

#[test]
fn a_file_that_becomes_a_rotated_one_of_another_path_does_not_come_again() {
    let mut desk = Desk::new(&[LOG, OTHER]);
    desk.append(LOG, "one\n");
    desk.append(OTHER, "two\n");
    desk.settle(0);
    desk.rename(LOG, "/log/app.log.2");
    desk.rename(OTHER, "/log/app.log.1");
    desk.append(LOG, "three\n");
    desk.settle(2000);
    assert_eq!(desk.output(), "one\ntwo\nthree\n");
}

#[test]
fn a_line_goes_on_though_its_file_is_at_another_path_now() {
    let mut desk = Desk::new(&[LOG, OTHER]);
    desk.append(OTHER, "begun");
    desk.settle(0);
    desk.settle(2000);
    assert_eq!(desk.output(), "begun");
    desk.rename(OTHER, LOG);
    desk.settle(4000);
    desk.append(LOG, " and done\n");
    desk.settle(6000);
    assert_eq!(desk.output(), "begun and done\n");
}

#[test]
fn a_known_file_that_is_renamed_while_it_is_looked_for_is_not_gone() {
    // While the folder's files are numbered, or when one of them has the number that is looked for.
    for is_numbered in [false, true] {
        let mut desk = Desk::new(&[LOG]);
        desk.append(LOG, "one\n");
        desk.settle(0);
        desk.restart();
        desk.append(LOG, "two\n");
        desk.rename(LOG, "/log/moved");
        desk.append(LOG, "three\n");
        if is_numbered {
            let moves = &[("/log/moved", "/log/moved again")][..];
            desk.disk.shifts_on_probe = [("/log/moved", &[][..]), ("/log/moved", moves)].into();
        } else {
            desk.disk.rename_when_seen = Some(("/log/moved", "/log/moved again"));
        }
        desk.settle(10_000);
        desk.settle(30_000);
        assert!(desk.disk.has("/log/moved again"));
        assert_eq!(desk.output(), "two\nthree\n", "{is_numbered}");
    }
}

#[test]
fn a_second_name_without_a_number_does_not_hide_the_age_of_a_file() {
    let mut desk = Desk::new(&[LOG]);
    desk.append(LOG, "one\n");
    desk.settle(0);
    desk.restart();
    // The clock was set back between the two.
    desk.rename(LOG, "/log/app.log.3");
    desk.append("/log/app.log.1", "three\n");
    desk.append("/log/app.log.2", "two\n");
    desk.name("/log/app.log.1", "/log/app.log.+");
    desk.append(LOG, "four\n");
    desk.settle(10_000);
    assert_eq!(desk.output(), "two\nthree\nfour\n");
}

#[test]
fn a_number_that_another_paths_gone_file_had_does_not_make_a_new_file_that_one() {
    for (is_looked_at, is_moved, text) in [
        (false, false, "two, which is longer\n"),
        (true, true, "two\n"),
        (true, true, "2\n"),
        (false, true, "2\n"),
        (true, false, "2\n"),
    ] {
        let mut desk = Desk::new(&[LOG, OTHER]);
        desk.disk.has_no_births = true;
        desk.append(LOG, "one\n");
        desk.settle(0);
        desk.restart();
        desk.rename(LOG, "/elsewhere/app.log");
        desk.settle(2000);
        desk.replace_as("/elsewhere/app.log", OTHER);
        if is_looked_at {
            desk.settle(4000);
        }
        desk.append(OTHER, text);
        if is_moved {
            desk.rename(OTHER, &format!("{OTHER}.1"));
            desk.append(OTHER, "three\n");
        }
        for second in 3..20 {
            desk.settle(second * 2000);
        }
        let moved = if is_moved { "three\n" } else { "" };
        assert_eq!(desk.output(), format!("{text}{moved}"), "{is_looked_at} {is_moved} {text}");
    }
}

#[test]
fn a_number_that_a_file_of_others_had_makes_no_unread_file_one_of_theirs() {
    let mut desk = Desk::new(&[LOG]);
    desk.disk.has_no_births = true;
    let of_others = "/log/app.log.9";
    desk.append(of_others, "what was rotated before the first start is none of ours\n");
    desk.append(LOG, "the first line of all, which is known\n");
    desk.settle(0);
    desk.restart();
    desk.rename(LOG, "/log/app.log.2");
    desk.replace_as(of_others, LOG);
    desk.append(LOG, "written and rotated while nobody looked\n");
    desk.rename(LOG, "/log/app.log.1");
    desk.append(LOG, "new\n");
    desk.settle(10_000);
    assert_eq!(desk.output(), "written and rotated while nobody looked\nnew\n");
}

#[test]
fn what_was_at_a_path_while_its_file_had_another_ones_name_is_read() {
    let mut desk = Desk::new(&[LOG, OTHER]);
    desk.append(LOG, "one, and a line of its own that is long\n");
    desk.append(OTHER, "two, and another line that is long\n");
    desk.settle(0);
    desk.append("/log/new", "written where another one had been\n");
    // The first path was looked at when they exchange names, and its file is back in the moment in
    // which it is looked at again.
    let there = (OTHER, &[(OTHER, "/log/other.log.1"), (LOG, OTHER), ("/log/new", LOG)][..]);
    let back = (LOG, &[(LOG, "/log/app.log.1"), (OTHER, LOG)][..]);
    desk.disk.shifts_on_probe = [there, back].into();
    desk.settle(2000);
    assert!(desk.disk.shifts_on_probe.is_empty());
    desk.append(LOG, "three\n");
    desk.settle(4000);
    assert_eq!(
        desk.output(),
        "one, and a line of its own that is long\ntwo, and another line that is long\n\
         written where another one had been\nthree\n"
    );
}

#[test]
fn a_file_that_was_closed_for_want_of_room_stays_behind_an_older_one_that_is_still_written_to() {
    for restarts in [false, true] {
        let mut desk = Desk::with(Options { open_files_max: 8, ..options(&["/log/*.log"]) });
        desk.append("/log/a.log", "first\n");
        desk.settle(0);
        let old = desk.rename("/log/a.log", "/log/a.log.a");
        let new = desk.append("/log/a.log", "");
        desk.settle(2000);
        // The older one has more than a turn reads, and stays open.
        let second = "second\n".repeat(100_000);
        desk.append_to(old, &second);
        for number in 10..20 {
            desk.append(&format!("/log/{number}.log"), "");
        }
        desk.settle(4000);
        desk.append_to(old, "third\n");
        desk.append_to(new, "fourth\n");
        desk.rename("/log/a.log", "/log/a.log.b");
        desk.append("/log/a.log", "fifth\n");
        if restarts {
            desk.restart();
        }
        desk.settle(8000);
        desk.settle(20_000);
        let before = if restarts { String::new() } else { format!("first\n{second}") };
        assert!(desk.output() == format!("{before}third\nfourth\nfifth\n"), "{restarts}");
    }
}

#[test]
fn what_was_at_a_path_while_its_file_was_another_paths_is_read_once_it_is_back() {
    let mut desk =
        Desk::with(Options { files_max: 1000, open_files_max: 1000, ..options(&["/log/*.log"]) });
    desk.append(LOG, "one, and a line of its own that is long\n");
    desk.append(OTHER, "two, and another line that is long\n");
    desk.settle(0);
    desk.settle(2000);
    // With so many new files the other path is looked at in one turn, this one in the next.
    for number in 1..512 {
        let path = format!("/log/new-{number}.log");
        desk.append(&path, "");
        desk.engine.hint_name(path.as_ref());
    }
    desk.rename(OTHER, "/log/other.log.1");
    desk.rename(LOG, OTHER);
    [OTHER, "/log/other.log.1"].iter().for_each(|path| desk.engine.hint_name(path.as_ref()));
    desk.turn(3600);
    desk.append(LOG, "written where another one had been\n");
    desk.rename(LOG, "/log/app.log.1");
    desk.rename(OTHER, LOG);
    desk.settle(3700);
    desk.append(LOG, "three\n");
    desk.settle(6000);
    assert_eq!(
        desk.output(),
        "one, and a line of its own that is long\ntwo, and another line that is long\n\
         written where another one had been\nthree\n"
    );
}
