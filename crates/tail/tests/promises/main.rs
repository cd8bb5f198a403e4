//! What the engine promises in single situations that can be told in a few lines: hints, bounds of
//! time, doubt about a file's size, the end. What others do at random moments is the simulator's.

#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

mod copies;
mod desk;
mod names;
mod packed;
mod packed_others;
mod reclaim;

use desk::{Desk, options};
use tail::engine::{Options, Outcome, READ_BYTES_MAX};
use tail::fs::{Fault, SinkFault};

const LOG: &str = "/log/app.log";
const OTHER: &str = "/log/other.log";

#[test]
fn a_hint_of_data_is_followed_in_the_next_turn() {
    let mut desk = Desk::new(&[LOG]);
    desk.append(LOG, "one\n");
    desk.turn(0);
    desk.append(LOG, "two\n");
    desk.engine.hint_data(LOG.as_ref());
    desk.turn(5);
    assert_eq!(desk.output(), "one\ntwo\n");
}

#[test]
fn a_hint_of_names_is_followed_in_the_next_turn() {
    let mut desk = Desk::new(&[LOG]);
    desk.append(LOG, "one\n");
    desk.turn(0);
    desk.rename(LOG, "/log/app.log.1");
    desk.append(LOG, "two\n");
    desk.engine.hint_names();
    desk.turn(5);
    assert_eq!(desk.output(), "one\ntwo\n");
}

#[test]
fn without_a_hint_everything_is_looked_at_when_the_poll_is_due() {
    let mut desk = Desk::new(&[LOG]);
    desk.append(LOG, "one\n");
    desk.turn(0);
    desk.append(LOG, "two\n");
    let due_ms = desk.turn(5).at_ms;
    assert_eq!(desk.output(), "one\n");
    assert!(due_ms <= 1000);
    desk.turn(1000);
    assert_eq!(desk.output(), "one\ntwo\n");
}

#[test]
fn what_is_left_of_a_turn_s_budget_is_due_at_once() {
    let mut desk = Desk::new(&[LOG]);
    let text = "a line of some length\n".repeat(100_000);
    desk.append(LOG, &text);
    let wake = desk.turn(0);
    let first = desk.output().len();
    assert!(first < 1 << 20, "a turn is bounded: {first} bytes");
    assert_eq!(wake.at_ms, 0);
    while desk.output().len() < text.len() {
        let before = desk.output().len();
        let wake = desk.turn(0);
        assert!(desk.output().len() > before, "each turn writes something");
        assert!(wake.at_ms == 0 || desk.output().len() == text.len(), "it goes on at once");
    }
    assert!(desk.output() == text);
}

#[test]
fn the_first_turn_leaves_a_checkpoint_and_so_does_a_change_within_the_interval() {
    let mut desk = Desk::new(&[LOG]);
    desk.append(LOG, "");
    desk.turn(0);
    assert!(desk.disk.checkpoints > 0, "what is there at the start is remembered");
    desk.append(LOG, "one\n");
    desk.engine.hint_data(LOG.as_ref());
    let before = desk.disk.checkpoints;
    let due_ms = desk.turn(1).at_ms;
    assert_eq!(desk.disk.checkpoints, before);
    assert!(due_ms <= 200, "the interval after the last one: {due_ms}");
    desk.turn(200);
    assert_eq!(desk.disk.checkpoints, before + 1);
    desk.restart();
    desk.turn(1000);
    assert_eq!(desk.output(), "", "nothing comes again");
}

#[test]
fn between_two_checkpoints_no_more_goes_out_than_was_promised_and_a_buffer() {
    let promised = 100_000;
    let mut desk = Desk::with(Options { checkpoint_bytes: promised, ..options(&[LOG]) });
    let text = "a line of some length\n".repeat(100_000);
    desk.append(LOG, &text);
    let (mut at_checkpoint, mut checkpoints) = (0, 0);
    for _ in 0..1000 {
        desk.turn(0);
        let out = desk.output().len() - at_checkpoint;
        assert!(out <= promised as usize + READ_BYTES_MAX, "{out} bytes since the last");
        if desk.disk.checkpoints > checkpoints {
            (at_checkpoint, checkpoints) = (desk.output().len(), desk.disk.checkpoints);
        }
        if desk.output().len() == text.len() {
            return;
        }
    }
    assert_eq!(desk.output().len(), text.len(), "all of it is read");
}

#[test]
fn a_checkpoint_that_failed_is_tried_again() {
    let mut desk = Desk::new(&[LOG]);
    desk.append(LOG, "");
    desk.turn(0);
    desk.append(LOG, "one\n");
    desk.engine.hint_data(LOG.as_ref());
    desk.disk.checkpoint_fault = Some(Fault::Full);
    desk.turn(300);
    let due_ms = desk.turn(600).at_ms;
    desk.disk.checkpoint_fault = None;
    assert!(due_ms <= 800, "{due_ms}");
    let before = desk.disk.checkpoints;
    desk.turn(due_ms);
    assert!(desk.disk.checkpoints > before);
}

#[test]
fn a_size_that_is_out_of_date_for_a_moment_is_not_believed_and_one_that_lasts_is() {
    let check = |moment_ms: u64, expected: &str| {
        let mut desk = Desk::new(&[LOG]);
        desk.append(LOG, "one\n");
        desk.turn(0);
        desk.disk.hidden_bytes = 2;
        desk.engine.hint_all();
        desk.turn(10);
        desk.turn(10 + moment_ms);
        desk.disk.hidden_bytes = 0;
        desk.engine.hint_all();
        desk.turn(1000);
        assert_eq!(desk.output(), expected, "{moment_ms} ms");
    };
    check(0, "one\n");
    check(10, "one\n");
    // "on" is all there is of the cut file; then it is a longer one that begins so.
    check(100, "one\none\n");
}

#[test]
fn reads_that_end_before_the_file_does_are_no_cut_however_long_that_lasts() {
    let mut desk = Desk::new(&[LOG]);
    desk.append(LOG, "one\n");
    desk.turn(0);
    desk.disk.unread_bytes = 2;
    desk.settle(100);
    desk.settle(5000);
    desk.disk.unread_bytes = 0;
    desk.append(LOG, "two\n");
    desk.settle(10_000);
    assert_eq!(desk.output(), "one\ntwo\n");
}

#[test]
fn what_was_copied_before_a_cut_and_not_read_comes_from_the_copy() {
    let mut desk = Desk::new(&[LOG]);
    desk.append(LOG, "a first line, to know the file by\n");
    desk.turn(0);
    desk.append(LOG, "not read\n");
    desk.copy(LOG, "/log/app.log.1");
    desk.cut(LOG);
    desk.append(LOG, "new\n");
    desk.settle(100);
    desk.settle(20_000);
    assert_eq!(desk.output(), "a first line, to know the file by\nnot read\nnew\n");
}

#[test]
fn what_was_not_acknowledged_when_a_file_was_cut_comes_again_from_the_copy() {
    let mut desk = Desk::new(&[LOG]);
    desk.sink.never_safe = true;
    let text = "a line that is long enough to know the file by\n".repeat(40);
    desk.append(LOG, &text);
    desk.turn(0);
    assert!(desk.output() == text);
    desk.copy(LOG, "/log/app.log.1");
    desk.cut(LOG);
    desk.append(LOG, "new\n");
    desk.settle(100);
    desk.settle(5000);
    desk.restart();
    desk.sink.never_safe = false;
    desk.settle(10_000);
    assert!(desk.output() == format!("{text}new\n"), "{}", desk.output());
}

#[test]
fn a_file_that_is_like_the_cut_one_only_in_part_is_no_copy_of_it() {
    let line = |byte: &str, len: usize| format!("{}\n", byte.repeat(len));
    let cut = line("a", 1100) + &line("b", 400);
    for like in [line("x", 1100) + &line("b", 400), line("a", 1100) + &line("x", 400)] {
        let mut desk = Desk::new(&[LOG]);
        desk.append(LOG, &cut);
        desk.turn(0);
        desk.append("/log/app.log.1", &format!("{like}the end\n"));
        desk.cut(LOG);
        desk.append(LOG, "new\n");
        desk.settle(100);
        desk.settle(20_000);
        assert!(desk.output() == format!("{cut}{like}the end\nnew\n"), "in doubt all is read");
    }
}

#[test]
fn nuls_amid_the_lines_of_a_file_that_was_cut_are_written_out() {
    let mut desk = Desk::new(&[LOG]);
    desk.append(LOG, "a first line\n");
    desk.turn(0);
    desk.cut(LOG);
    desk.append(LOG, "\0\0\0\0\0\0two\n");
    desk.settle(10);
    desk.append(LOG, "\0three\n");
    desk.settle(2000);
    assert_eq!(desk.output(), "a first line\ntwo\n\0three\n");
}

#[test]
fn a_file_that_is_cut_between_two_reads_gives_nothing_of_its_new_content_for_the_old() {
    let mut desk = Desk::new(&[LOG]);
    desk.append(LOG, "0123456789\n");
    desk.turn(0);
    // The first read ends with the guard; before the second one other bytes are in its place.
    desk.disk.before_second_read = Some("abcdefghij\nkl\n".to_owned());
    desk.engine.hint_all();
    desk.settle(10);
    assert_eq!(desk.output(), "0123456789\nabcdefghij\nkl\n");
}

#[test]
fn a_deleted_file_is_read_as_long_as_its_writer_may_write() {
    let mut desk = Desk::new(&[LOG]);
    desk.append(LOG, "one\n");
    desk.turn(0);
    let file = desk.delete(LOG);
    desk.engine.hint_names();
    desk.settle(100);
    desk.append_to(file, "two\n");
    desk.settle(20_000);
    assert_eq!(desk.output(), "one\ntwo\n");
    // In the moment when it would be closed it has grown.
    desk.disk.grow_on_probe = Some((file, "three\n".to_owned()));
    desk.settle(200_000);
    desk.settle(201_000);
    assert_eq!(desk.output(), "one\ntwo\nthree\n");
    desk.settle(500_000);
    assert_eq!(desk.disk.open_count(), 0, "it is given up in the end");
}

#[test]
fn a_rotated_file_is_read_until_its_writer_has_noticed() {
    let mut desk = Desk::new(&[LOG]);
    desk.append(LOG, "one\n");
    desk.turn(0);
    let file = desk.rename(LOG, "/log/app.log.1");
    desk.append(LOG, "three\n");
    desk.engine.hint_names();
    // The writer's last line is there when the successor is seen, and comes before it.
    desk.append_to(file, "two\n");
    desk.settle(100);
    desk.append_to(file, "late\n");
    desk.settle(5000);
    assert_eq!(desk.output(), "one\ntwo\nthree\nlate\n");
}

#[test]
fn lines_of_a_writer_that_moves_on_while_its_files_are_read_come_in_its_order() {
    for begun in ["", "begun\n"] {
        let mut desk = Desk::new(&[LOG]);
        desk.append(LOG, "one\n");
        desk.turn(0);
        let old = desk.rename(LOG, "/log/app.log.1");
        let new = desk.append(LOG, begun);
        desk.settle(10);
        // The old file was read to its end already when the new one's turn comes.
        let grown = [(old, "two\n".to_owned()), (new, "three\n".to_owned())];
        desk.disk.grow_on_read = Some((new, grown));
        desk.settle(2000);
        assert_eq!(desk.output(), format!("one\n{begun}two\nthree\n"));
    }
}

#[test]
fn a_volume_with_another_number_after_a_restart_has_the_same_files() {
    let mut desk = Desk::new(&[LOG]);
    desk.append(LOG, "one\n");
    desk.settle(0);
    desk.restart();
    desk.disk.device = 9;
    desk.append(LOG, "two\n");
    desk.settle(10_000);
    assert_eq!(desk.output(), "two\n");
}

#[test]
fn a_rotated_file_that_was_written_over_while_it_did_not_run_is_read() {
    let mut desk = Desk::new(&[LOG]);
    let (old, new) = ("old text\n".repeat(200), "new text\n".repeat(200));
    desk.append(LOG, &old);
    desk.settle(0);
    desk.rename(LOG, "/log/app.log.1");
    desk.append(LOG, "two\n");
    desk.settle(2000);
    // It is closed by then, and no longer than it was.
    desk.settle(100_000);
    desk.restart();
    desk.overwrite("/log/app.log.1", &new);
    desk.settle(200_000);
    assert!(desk.output() == new);
}

#[test]
fn a_file_that_gets_another_identity_while_it_is_open_goes_on() {
    let mut desk = Desk::new(&[LOG]);
    desk.append(LOG, "one\n");
    desk.turn(0);
    desk.renumber(LOG);
    desk.append(LOG, "two\n");
    desk.settle(10);
    desk.append(LOG, "three\n");
    desk.settle(2000);
    assert_eq!(desk.output(), "one\ntwo\nthree\n");
}

#[test]
fn a_file_with_the_number_of_another_one_is_read_from_its_start() {
    let mut desk = Desk::new(&[LOG]);
    let text = "the same text in both\n".repeat(20);
    desk.append(LOG, &text);
    desk.settle(0);
    desk.restart();
    desk.replace(LOG);
    desk.append(LOG, &text);
    desk.settle(10_000);
    assert!(desk.output() == text, "its birth says that it is another file");
}

#[test]
fn a_folder_that_may_not_be_listed_for_a_moment_costs_no_position() {
    let mut desk = Desk::new(&[LOG]);
    desk.append(LOG, "one\n");
    desk.turn(0);
    desk.rename(LOG, "/log/app.log.1");
    desk.append(LOG, "two\n");
    desk.engine.hint_names();
    desk.settle(100);
    desk.settle(60_000);
    desk.disk.list_fault = Some(Fault::Denied);
    desk.rename(LOG, "/log/app.log.2");
    desk.append(LOG, "three\n");
    desk.engine.hint_names();
    desk.settle(61_000);
    desk.disk.list_fault = None;
    desk.engine.hint_all();
    desk.settle(62_000);
    assert_eq!(desk.output(), "one\ntwo\nthree\n");
}

#[test]
fn a_file_whose_reads_fail_holds_up_its_successor_for_a_while() {
    let mut desk = Desk::new(&[LOG]);
    desk.append(LOG, "one\n");
    desk.turn(0);
    let file = desk.rename(LOG, "/log/app.log.1");
    desk.append_to(file, "two\n");
    desk.append(LOG, "three\n");
    desk.disk.unreadable = Some(file);
    desk.engine.hint_all();
    desk.settle(1000);
    assert_eq!(desk.output(), "one\n", "in order, or not yet");
    desk.disk.unreadable = None;
    desk.settle(2000);
    assert_eq!(desk.output(), "one\ntwo\nthree\n");
}

#[test]
fn an_unfinished_line_gives_way_in_the_end_and_nothing_runs_on_behind_it() {
    let mut desk = Desk::new(&[LOG, OTHER]);
    desk.append(LOG, "begun");
    desk.append(OTHER, "whole\n");
    desk.turn(0);
    assert_eq!(desk.output(), "whole\n", "a line of another file does not wait");
    desk.append(OTHER, "more\n");
    desk.settle(5000);
    desk.append(OTHER, "last\n");
    desk.settle(20_000);
    let output = desk.output();
    let lines: Vec<_> = output.lines().collect();
    assert_eq!(lines.len(), 4, "{output:?}");
    assert!(lines.contains(&"begun") && lines.contains(&"last"), "{output:?}");
}

#[test]
fn the_end_has_its_time_and_what_is_not_there_is_told() {
    let mut desk = Desk::new(&[LOG]);
    desk.append(LOG, "one\n");
    desk.sink.fault = Some(SinkFault::Blocked);
    desk.turn(0);
    desk.engine.end(1000);
    assert_eq!(desk.turn(999).outcome, Outcome::Following);
    assert_eq!(desk.turn(1000).outcome, Outcome::TimedOut);

    let mut desk = Desk::new(&[LOG, OTHER]);
    desk.append(LOG, "one\n");
    desk.turn(0);
    desk.engine.end(u64::MAX);
    let outcome = desk.settle(100);
    assert_eq!(outcome, Outcome::Finished { incomplete: true });
    assert_eq!(desk.output(), "one\n");
}

#[test]
fn the_end_waits_for_a_file_that_cannot_be_opened_for_a_moment() {
    let mut desk = Desk::new(&[LOG]);
    desk.append(LOG, "one\n");
    desk.turn(0);
    desk.rename(LOG, "/log/app.log.2");
    desk.append(LOG, "two\n");
    desk.rename(LOG, "/log/app.log.1");
    desk.append(LOG, "three\n");
    desk.disk.unopenable = Some("/log/app.log.1");
    desk.engine.end(u64::MAX);
    assert_eq!(desk.turn(10).outcome, Outcome::Following);
    desk.disk.unopenable = None;
    assert_eq!(desk.settle(20), Outcome::Finished { incomplete: false });
    assert_eq!(desk.output(), "one\ntwo\nthree\n");
}

#[test]
fn what_a_sink_refuses_or_takes_in_part_is_offered_again() {
    let mut desk = Desk::new(&[LOG]);
    desk.append(LOG, "one\ntwo\n");
    desk.sink.most = 3;
    desk.sink.fault = Some(SinkFault::Failed(Fault::Full));
    let wake = desk.turn(0);
    assert!(wake.at_ms <= 1000, "it is tried again");
    desk.sink.fault = None;
    desk.settle(wake.at_ms);
    assert_eq!(desk.output(), "one\ntwo\n");
}
