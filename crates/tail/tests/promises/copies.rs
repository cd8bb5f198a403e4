//! Copies and cuts that can be told in a few lines.

use crate::desk::Desk;
use crate::{LOG, OTHER};

const OLD: &str = "/log/app.log.1";

#[test]
fn a_copy_made_over_the_last_one_gives_what_was_not_read_and_nothing_twice() {
    // The last copy is open still, or closed by then.
    for later_ms in [2000, 100_000] {
        let mut desk = Desk::new(&[LOG]);
        desk.append(LOG, &"a first line, to know the file by\n".repeat(10));
        desk.settle(0);
        desk.append(LOG, "one\n");
        desk.copy(LOG, OLD);
        desk.cut(LOG);
        desk.append(LOG, &"a second one, to know the next by\n".repeat(20));
        desk.settle(100);
        desk.settle(later_ms);
        desk.append(LOG, "two\n");
        desk.copy(LOG, OLD);
        desk.cut(LOG);
        desk.append(LOG, "three\n");
        desk.settle(later_ms + 2000);
        desk.settle(later_ms + 20_000);
        let first = "a first line, to know the file by\n".repeat(10) + "one\n";
        let second = "a second one, to know the next by\n".repeat(20) + "two\n";
        assert_eq!(desk.output(), first + &second + "three\n", "{later_ms} ms");
    }
}

#[test]
fn an_open_file_that_is_cut_and_written_over_with_the_copy_is_not_read_again() {
    let mut desk = Desk::new(&[LOG]);
    let first = "a first line, to know the file by\n".repeat(10);
    let second = "a second one, to know the next by\n".repeat(20);
    desk.append(LOG, &first);
    desk.settle(0);
    desk.rename(LOG, OLD);
    desk.append(LOG, &second);
    desk.settle(1000);
    desk.cut(OLD);
    desk.settle(3000);
    desk.append(OLD, &second[..300]);
    desk.settle(5000);
    desk.append(OLD, &second[300..]);
    desk.cut(LOG);
    desk.append(LOG, "new\n");
    desk.settle(7000);
    desk.settle(20_000);
    assert_eq!(desk.output(), first + &second + "new\n");
}

#[test]
fn a_copy_that_was_seen_before_the_cut_gives_what_was_not_acknowledged() {
    let mut desk = Desk::new(&[LOG, OTHER]);
    desk.sink.never_safe = true;
    let text = "a line that is long enough to know the file by\n".repeat(40);
    desk.append(LOG, &text);
    desk.settle(0);
    desk.copy(LOG, OLD);
    desk.settle(2000);
    // Another file makes a checkpoint due.
    desk.append(OTHER, "");
    desk.settle(4000);
    desk.restart();
    desk.cut(LOG);
    desk.append(LOG, "new\n");
    desk.sink.never_safe = false;
    desk.settle(10_000);
    assert!(desk.output() == format!("{text}new\n"), "{}", desk.output());
}

#[test]
fn an_acknowledgement_of_what_was_cut_since_says_nothing_of_what_is_there_now() {
    let mut desk = Desk::new(&[LOG]);
    desk.sink.never_safe = true;
    desk.append(LOG, "a long line\n");
    desk.settle(0);
    desk.overwrite(LOG, "new one\n");
    desk.settle(2000);
    desk.sink.acknowledged = vec![desk.sink.offers[0]];
    desk.settle(4000);
    desk.restart();
    desk.settle(6000);
    assert_eq!(desk.output(), "new one\n");
}

#[test]
fn a_copy_that_no_descriptor_is_left_for_is_waited_for() {
    let mut desk = Desk::new(&[LOG]);
    desk.append(LOG, "a first line, to know the file by\n");
    desk.settle(0);
    desk.append(LOG, "not read\n");
    desk.copy(LOG, OLD);
    desk.cut(LOG);
    desk.append(LOG, "new\n");
    desk.disk.unopenable = Some(OLD);
    for second in 2..20 {
        desk.settle(second * 1000);
    }
    assert_eq!(desk.output(), "a first line, to know the file by\n", "in order, or not yet");
    desk.disk.unopenable = None;
    desk.settle(30_000);
    assert_eq!(desk.output(), "a first line, to know the file by\nnot read\nnew\n");
}

#[test]
fn what_is_copied_and_cut_before_anything_of_it_was_read_comes_first() {
    // Of a file that was cut just now, and of a new one.
    for is_new in [false, true] {
        let mut desk = Desk::new(&[LOG]);
        desk.append(LOG, "one\n");
        desk.settle(0);
        if is_new {
            desk.rename(LOG, OLD);
            desk.append(LOG, "");
        } else {
            desk.cut(LOG);
        }
        desk.settle(1000);
        desk.append(LOG, "two\n");
        desk.copy(LOG, "/log/app.log.2");
        desk.cut(LOG);
        desk.append(LOG, "three\n");
        desk.engine.hint_data(LOG.as_ref());
        desk.turn(2600);
        desk.settle(3000);
        assert_eq!(desk.output(), "one\ntwo\nthree\n", "{is_new}");
    }
}

#[test]
fn a_copy_is_not_taken_for_an_old_file_because_its_sequel_was_read() {
    // A hint of one name brings a look by the listing at hand, which does not have the copy.
    for is_hinted in [false, true] {
        let mut desk = Desk::new(&[LOG]);
        desk.append(LOG, "");
        desk.turn(0);
        desk.append(LOG, "one\n");
        desk.copy(LOG, OLD);
        desk.cut(LOG);
        desk.append(LOG, "two\n");
        desk.engine.hint_data(LOG.as_ref());
        desk.turn(5);
        if is_hinted {
            desk.engine.hint_name(LOG.as_ref());
            desk.turn(10);
        }
        desk.settle(100);
        let output = desk.output();
        assert!(output.contains("one\n") && output.contains("two\n"), "{output:?}");
    }
}

#[test]
fn a_file_that_is_the_same_only_before_the_frontier_was_written_anew() {
    let mut desk = Desk::new(&[LOG]);
    let text = |byte: &str| byte.repeat(1999) + "\n" + &"the same lines\n".repeat(40);
    desk.append(LOG, &text("a"));
    desk.settle(0);
    desk.copy(LOG, OLD);
    desk.overwrite(LOG, &(text("b") + "more\n"));
    desk.settle(2000);
    desk.settle(4000);
    assert!(desk.output() == text("a") + &text("b") + "more\n");
}

#[test]
fn what_is_left_of_a_line_that_was_cut_off_stays_alone() {
    let mut desk = Desk::new(&[LOG]);
    // Longer than a turn's budget: the rest of it was not read when it was cut.
    desk.append(LOG, &"x".repeat(1 << 20));
    desk.turn(0);
    let begun = desk.output();
    desk.cut(LOG);
    desk.append(LOG, "new\n");
    desk.settle(100);
    assert!(begun.len() < 1 << 20 && desk.output() == format!("{begun}\nnew\n"));
}

#[test]
fn a_line_that_is_ended_in_a_renamed_file_is_whole_though_there_is_a_file_after_it() {
    for is_ended in [true, false] {
        let mut desk = Desk::new(&[LOG]);
        let file = desk.append(LOG, "begun ");
        desk.turn(0);
        desk.rename(LOG, OLD);
        desk.append(LOG, "next\n");
        desk.engine.hint_names();
        desk.turn(100);
        if is_ended {
            desk.append_to(file, "and ended\n");
        }
        desk.settle(110);
        desk.settle(9000);
        let expected = if is_ended { "begun and ended\nnext\n" } else { "begun \nnext\n" };
        assert_eq!(desk.output(), expected);
    }
}

#[test]
fn the_same_text_written_anew_comes_again() {
    for is_told in [true, false] {
        let mut desk = Desk::new(&[LOG]);
        desk.append(LOG, "done\n");
        desk.settle(0);
        desk.overwrite(LOG, "done\n");
        if is_told {
            desk.engine.hint_data(LOG.as_ref());
        }
        desk.settle(2000);
        assert_eq!(desk.output(), "done\ndone\n", "told: {is_told}");
    }
}

#[test]
fn a_file_that_was_touched_does_not_come_again_where_writes_are_told_of() {
    for (is_lost, expected) in [(false, "done\n"), (true, "done\ndone\n")] {
        let mut desk = Desk::new(&[LOG]);
        desk.engine.hear_writes(true);
        let file = desk.append(LOG, "done\n");
        desk.engine.hint_data(LOG.as_ref());
        desk.settle(0);
        desk.append_to(file, "");
        desk.engine.hint_name(LOG.as_ref());
        if is_lost {
            desk.engine.hints_lost();
        }
        desk.settle(2000);
        desk.settle(9000);
        assert_eq!(desk.output(), expected, "hints lost: {is_lost}");
    }
}

#[test]
fn a_write_whose_time_is_seen_before_its_bytes_is_no_text_written_anew() {
    let mut desk = Desk::new(&[LOG]);
    let file = desk.append(LOG, "one\n");
    desk.settle(0);
    desk.append_to(file, "");
    desk.engine.hint_data(LOG.as_ref());
    desk.turn(2000);
    desk.turn(2019);
    desk.append_to(file, "two\n");
    desk.settle(2020);
    assert_eq!(desk.output(), "one\ntwo\n");
}

#[test]
fn a_hole_costs_a_turn_whatever_its_size() {
    let mut desk = Desk::new(&[LOG]);
    desk.put_hole(LOG, 100 << 30);
    desk.append(LOG, "behind it\n");
    desk.turn(0);
    desk.turn(0);
    assert_eq!(desk.output(), "behind it\n");
}

#[test]
fn lines_in_the_place_of_zeros_are_seen_before_a_deleted_file_is_closed() {
    let mut desk = Desk::new(&[LOG]);
    let file = desk.append(LOG, &format!("one\n{}", "\0".repeat(1000)));
    desk.settle(0);
    desk.delete(LOG);
    desk.settle(2000);
    // The last poll before it would be closed, and a turn that reads nothing.
    desk.turn(61_500);
    desk.write_at(file, 4, "two\n");
    desk.turn(62_100);
    desk.settle(63_000);
    assert_eq!(desk.output(), "one\ntwo\n");
    desk.settle(200_000);
    assert_eq!(desk.disk.open_count(), 0, "it is given up in the end");
}

#[test]
fn what_was_acknowledged_of_a_copy_is_not_taken_back_by_another_look_after_the_cut() {
    let mut desk = Desk::new(&[LOG]);
    desk.sink.never_safe = true;
    desk.append(LOG, "one\n");
    desk.settle(0);
    desk.copy(LOG, OLD);
    // As long as this one cannot be opened, the look is repeated.
    desk.append("/log/app.log.2", "another\n");
    desk.disk.unopenable = Some("/log/app.log.2");
    desk.overwrite(LOG, "two\n");
    desk.settle(2000);
    desk.sink.acknowledged = desk.sink.offers.clone();
    desk.settle(4000);
    desk.restart();
    desk.disk.unopenable = None;
    desk.settle(10_000);
    let mut output: Vec<_> = desk.output().lines().map(str::to_owned).collect();
    output.sort();
    assert_eq!(output, ["another", "two"]);
}

#[test]
fn copies_that_begin_alike_are_told_apart_while_the_output_is_blocked_in_a_first_line() {
    // What was taken by then is too little to know a file by.
    for taken in [1, 4, 20] {
        let mut desk = Desk::new(&[LOG]);
        let text = |number: u32| {
            let line = |line| format!("level=info msg=\"request {number} {line} was answered\"\n");
            (0..10).map(line).collect::<String>()
        };
        desk.sink.room = Some(taken);
        desk.append(LOG, &text(0));
        desk.settle(0);
        for number in 1..4 {
            desk.copy(LOG, &format!("{LOG}.{number}"));
            desk.cut(LOG);
            desk.append(LOG, &text(number));
            desk.settle(u64::from(number) * 2000);
        }
        desk.sink.room = None;
        desk.settle(10_000);
        desk.settle(20_000);
        let expected: String = (0..4).map(text).collect();
        assert!(desk.output() == expected, "{taken}: {}", desk.output());
    }
}

#[test]
fn what_was_found_behind_zeros_is_not_believed_once_the_file_was_cut() {
    let mut desk = Desk::new(&[LOG]);
    let zeros = 1 << 20;
    let file = desk.append(LOG, &format!("one\n{}two\n", "\0".repeat(zeros)));
    let mut turns = 0;
    while desk.sink.bytes.len() <= "one\n".len() {
        desk.turn(0);
        turns += 1;
        assert!(turns < 100, "what is amid data is data");
    }
    let written = desk.sink.bytes.len();
    assert!(written < zeros, "a part of them");
    // Its program began anew, and made room for itself.
    desk.write_at(file, 4 + zeros, "\0\0\0\0");
    desk.settle(100);
    assert_eq!(desk.sink.bytes.len(), written, "they are no data yet");
}
