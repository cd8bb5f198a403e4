//! Disk space that is given back: what goes, when, and what stays.

use tail::engine::Options;
use tail::fs::Fault;
use tail::reclaim::{Reclaim, Steps};
use tail::report::Notice;

use crate::LOG;
use crate::desk::{Desk, options};

/// Rotated files by these names, the newest first.
const ROTATED: [&str; 3] = ["/log/app.log.1", "/log/app.log.2", "/log/app.log.3"];

/// Rotated files are removed but for so many.
fn removing(keep: usize) -> Options {
    let reclaim = Reclaim { keep_rotated: Some(keep), freeing: None };
    Options { reclaim, ..options(&[LOG]) }
}

/// Space in files is freed.
fn freeing() -> Options {
    let reclaim = Reclaim { keep_rotated: None, freeing: Some(Steps::default()) };
    let checkpoint_bytes = 1 << 20;
    Options { reclaim, checkpoint_bytes, partial_line_ms: 0, ..options(&[LOG]) }
}

/// A file that was read, rotated, and has a successor that was begun.
fn rotated(options: Options) -> Desk {
    let mut desk = Desk::with(options);
    desk.append(LOG, "one\n");
    desk.settle(0);
    desk.rename(LOG, ROTATED[0]);
    desk.append(LOG, "two\n");
    desk.settle(2000);
    desk
}

/// Goes on from one time to another.
fn pass(desk: &mut Desk, from_ms: u64, to_ms: u64) {
    for now_ms in (from_ms..to_ms).step_by(2000) {
        desk.settle(now_ms);
    }
}

fn count(desk: &mut Desk, wanted: impl Fn(&Notice) -> bool) -> usize {
    desk.engine.take_notices().iter().filter(|notice| wanted(notice)).count()
}

#[test]
fn a_rotated_file_goes_when_it_was_quiet_for_ten_seconds_and_is_read_for_ten_more() {
    let mut desk = rotated(removing(0));
    pass(&mut desk, 4000, 10_000);
    assert!(desk.disk.has(ROTATED[0]), "its writer may not know yet that it was rotated");
    pass(&mut desk, 12_000, 16_000);
    assert!(!desk.disk.has(ROTATED[0]));
    assert_eq!(desk.engine.stats().removed_files, 1);
    // Its writer was late after all.
    desk.append_to(0, "late\n");
    pass(&mut desk, 18_000, 20_000);
    assert_eq!(desk.output(), "one\ntwo\nlate\n");
    pass(&mut desk, 22_000, 44_000);
    assert_eq!(desk.disk.open_count(), 1, "and then it is closed");
    assert!(desk.disk.has(LOG));
}

#[test]
fn nothing_is_removed_unless_it_is_asked_for() {
    let mut desk = rotated(options(&[LOG]));
    pass(&mut desk, 4000, 60_000);
    assert!(desk.disk.has(ROTATED[0]));
}

#[test]
fn so_many_of_the_newest_rotated_files_stay_as_were_asked_for() {
    let check = |keep: usize| {
        let mut desk = Desk::with(removing(keep));
        let mut now_ms = 0;
        for number in 0..4 {
            for at in (0..number).rev().filter(|_| number > 0) {
                let from = if at == 0 { LOG } else { ROTATED[at - 1] };
                if desk.disk.has(from) {
                    desk.rename(from, ROTATED[at]);
                }
            }
            desk.append(LOG, &format!("{number}\n"));
            desk.settle(now_ms);
            now_ms += 2000;
        }
        pass(&mut desk, now_ms, now_ms + 40_000);
        let left = ROTATED.map(|path| desk.disk.has(path));
        assert_eq!(left, [keep > 0, keep > 1, keep > 2], "{keep}");
        assert_eq!(desk.output(), "0\n1\n2\n3\n");
    };
    (0..4).for_each(check);
}

#[test]
fn what_is_not_acknowledged_or_in_no_checkpoint_stays() {
    let check = |spoil: fn(&mut Desk), mend: fn(&mut Desk)| {
        let mut desk = Desk::with(removing(0));
        desk.append(LOG, "");
        desk.settle(0);
        spoil(&mut desk);
        desk.append(LOG, "one\n");
        desk.settle(2000);
        desk.rename(LOG, ROTATED[0]);
        desk.append(LOG, "two\n");
        pass(&mut desk, 4000, 60_000);
        assert!(desk.disk.has(ROTATED[0]));
        mend(&mut desk);
        desk.restart();
        pass(&mut desk, 60_000, 100_000);
        assert!(!desk.disk.has(ROTATED[0]), "it goes once it is");
        assert_eq!(desk.output(), "one\ntwo\n", "what was in no checkpoint came again");
    };
    check(|desk| desk.sink.never_safe = true, |desk| desk.sink.never_safe = false);
    check(
        |desk| desk.disk.checkpoint_fault = Some(Fault::Full),
        |desk| desk.disk.checkpoint_fault = None,
    );
}

#[test]
fn files_that_are_none_of_the_path_s_stay() {
    let mut desk = Desk::with(removing(0));
    desk.append(ROTATED[1], "from before the program\n");
    desk.append("/log/other.log", "another file\n");
    desk.append(LOG, "one\n");
    desk.settle(0);
    desk.rename(LOG, "/log/kept-by-somebody.log");
    desk.append(LOG, "two\n");
    pass(&mut desk, 2000, 60_000);
    for path in [ROTATED[1], "/log/other.log", "/log/kept-by-somebody.log", LOG] {
        assert!(desk.disk.has(path), "{path}");
    }
    assert_eq!(desk.output(), "one\ntwo\n");
}

#[test]
fn a_copy_that_was_made_before_a_cut_goes_like_any_rotated_file() {
    for looks in [false, true] {
        let mut desk = Desk::with(removing(0));
        let text = "a line that is long enough to know the file by\n".repeat(40);
        desk.append(LOG, &text);
        desk.settle(0);
        desk.copy(LOG, ROTATED[0]);
        if looks {
            // The copy is seen before the cut, and is nobody's so far.
            desk.settle(2000);
        }
        desk.cut(LOG);
        desk.append(LOG, "new\n");
        pass(&mut desk, 4000, 8000);
        assert!(desk.disk.has(ROTATED[0]));
        pass(&mut desk, 8000, 40_000);
        assert!(!desk.disk.has(ROTATED[0]) && desk.disk.has(LOG));
        assert!(desk.output() == format!("{text}new\n"));
    }
}

#[test]
fn while_the_path_has_no_file_the_last_one_stays() {
    let mut desk = Desk::with(removing(0));
    desk.append(LOG, "one\n");
    desk.settle(0);
    desk.rename(LOG, ROTATED[0]);
    pass(&mut desk, 2000, 60_000);
    desk.restart();
    pass(&mut desk, 60_000, 100_000);
    assert!(desk.disk.has(ROTATED[0]), "its writer may still have it");
    desk.append(LOG, "two\n");
    pass(&mut desk, 100_000, 140_000);
    assert!(!desk.disk.has(ROTATED[0]));
}

#[test]
fn a_rotated_file_that_grows_is_read_first_and_waits_anew() {
    let mut desk = rotated(removing(0));
    pass(&mut desk, 4000, 10_000);
    desk.append(ROTATED[0], "late\n");
    pass(&mut desk, 10_000, 18_000);
    assert!(desk.disk.has(ROTATED[0]));
    pass(&mut desk, 18_000, 40_000);
    assert!(!desk.disk.has(ROTATED[0]));
    assert_eq!(desk.output(), "one\ntwo\nlate\n");
}

#[test]
fn after_a_restart_a_rotated_file_waits_anew() {
    let mut desk = rotated(removing(0));
    pass(&mut desk, 4000, 10_000);
    desk.restart();
    pass(&mut desk, 10_000, 18_000);
    assert!(desk.disk.has(ROTATED[0]));
    pass(&mut desk, 18_000, 30_000);
    assert!(!desk.disk.has(ROTATED[0]));
    assert_eq!(desk.output(), "");
}

#[test]
fn a_file_that_cannot_be_removed_is_said_counted_and_tried_again_after_a_minute() {
    let mut desk = rotated(removing(0));
    desk.disk.reclaim_fault = Some(Fault::Denied);
    pass(&mut desk, 4000, 40_000);
    let is_it = |notice: &Notice| matches!(notice, Notice::NotRemoved(_, _, Fault::Denied));
    assert_eq!(count(&mut desk, is_it), 1);
    assert_eq!(desk.engine.stats().remove_failures, 1);
    pass(&mut desk, 40_000, 90_000);
    assert_eq!((count(&mut desk, is_it), desk.engine.stats().remove_failures), (1, 2));
    desk.disk.reclaim_fault = None;
    pass(&mut desk, 90_000, 160_000);
    assert!(!desk.disk.has(ROTATED[0]));
    assert_eq!(desk.engine.stats().removed_files, 1);
}

/// Numbered lines, about this many bytes of them.
fn lines(bytes: usize) -> String {
    (0..bytes / 40).map(|number| format!("{number:039}\n")).collect()
}

fn is_used(desk: &Desk, path: &str) -> usize {
    desk.disk.bytes(path).iter().filter(|byte| **byte != 0).count()
}

#[test]
fn space_is_freed_behind_the_head_and_before_the_tail_and_nothing_comes_twice() {
    let mut desk = Desk::with(freeing());
    let text = lines(5 << 20);
    desk.append(LOG, &text);
    pass(&mut desk, 0, 60_000);
    assert!(desk.output() == text);
    let freed = desk.disk.freed[&0].clone();
    let (first, last) = (freed[0].0, freed[freed.len() - 1].1);
    assert!((4096..4096 + 40).contains(&first), "{freed:?}");
    let tail = text.len() as u64 - last;
    assert!((64 << 10..(1 << 20) + (128 << 10)).contains(&tail), "{tail}");
    assert!(freed.len() <= 5, "in large steps: {freed:?}");
    assert!(is_used(&desk, LOG) < 2 << 20);
    assert!(desk.engine.stats().freed_bytes >= last - first - 4096);
    desk.restart();
    desk.append(LOG, "on\n");
    pass(&mut desk, 60_000, 64_000);
    assert_eq!(desk.output(), "on\n");
}

#[test]
fn space_of_what_is_not_acknowledged_or_in_no_checkpoint_is_not_freed() {
    let check = |spoil: fn(&mut Desk)| {
        let mut desk = Desk::with(freeing());
        desk.append(LOG, "");
        desk.settle(0);
        spoil(&mut desk);
        desk.append(LOG, &lines(5 << 20));
        pass(&mut desk, 2000, 10_000);
        assert!(desk.disk.freed.is_empty(), "{:?}", desk.disk.freed);
    };
    check(|desk| desk.sink.never_safe = true);
    check(|desk| desk.disk.checkpoint_fault = Some(Fault::Full));
}

#[test]
fn a_freed_file_that_is_read_from_its_start_again_gives_whole_lines() {
    let mut desk = Desk::with(freeing());
    let text = lines(5 << 20);
    desk.append(LOG, &text);
    pass(&mut desk, 0, 60_000);
    desk.disk.lose_checkpoint();
    desk.restart();
    pass(&mut desk, 60_000, 70_000);
    let again = desk.output();
    assert!(again.len() < 2 << 20, "the hole bounds what comes twice: {}", again.len());
    assert!(again.starts_with(&text[..4096]) && text.ends_with(&again[again.len() - 4096..]));
    let is_whole = |line: &&str| line.len() == 39 && line.parse::<u64>().is_ok();
    assert_eq!(again.lines().find(|line| !is_whole(line)), None);
}

#[test]
fn a_copy_of_a_freed_file_is_known_by_what_stays() {
    let mut desk = Desk::with(freeing());
    let text = lines(5 << 20);
    desk.append(LOG, &text);
    pass(&mut desk, 0, 60_000);
    assert!(is_used(&desk, LOG) < 2 << 20);
    desk.append(LOG, "not read\n");
    desk.copy(LOG, ROTATED[0]);
    desk.cut(LOG);
    desk.append(LOG, "new\n");
    pass(&mut desk, 60_000, 80_000);
    assert!(desk.output() == format!("{text}not read\nnew\n"));
}

#[test]
fn a_file_that_was_cut_and_has_grown_again_keeps_what_was_not_read() {
    let mut desk = Desk::with(freeing());
    let text = lines(3 << 20);
    desk.append(LOG, &text);
    desk.sink.never_safe = false;
    // All of it is read, and the checkpoint that says so is still to be written.
    for _ in 0..100 {
        desk.turn(0);
    }
    let before = desk.disk.freed.clone();
    let anew = lines(4 << 20).replace('0', "x");
    desk.overwrite(LOG, &anew);
    pass(&mut desk, 200, 20_000);
    assert!(desk.output().ends_with(&anew), "all of it came");
    let freed = &desk.disk.freed[&0][before.get(&0).map_or(0, Vec::len)..];
    assert!(freed.first().is_none_or(|first| first.0 < 8192), "from its head on: {freed:?}");
}

#[test]
fn a_file_system_that_cannot_free_is_said_once_and_every_file_of_it_is_left_alone() {
    let mut desk = Desk::with(freeing());
    desk.disk.reclaim_fault = Some(Fault::Unsupported);
    let text = lines(3 << 20);
    desk.append(LOG, &text);
    pass(&mut desk, 0, 10_000);
    desk.rename(LOG, ROTATED[0]);
    desk.append(LOG, &text);
    pass(&mut desk, 10_000, 200_000);
    let is_it = |notice: &Notice| matches!(notice, Notice::NotFreed(_, Fault::Unsupported));
    assert_eq!(count(&mut desk, is_it), 1);
    assert_eq!(desk.engine.stats().free_failures, 1);
    assert!(desk.output() == text.repeat(2));
}

#[test]
fn a_file_that_may_not_be_written_to_is_tried_again_after_a_minute() {
    let mut desk = Desk::with(freeing());
    desk.disk.reclaim_fault = Some(Fault::Denied);
    desk.append(LOG, &lines(3 << 20));
    pass(&mut desk, 0, 20_000);
    let is_it = |notice: &Notice| matches!(notice, Notice::NotFreed(_, Fault::Denied));
    assert_eq!(count(&mut desk, is_it), 1);
    desk.disk.reclaim_fault = None;
    desk.append(LOG, "on\n");
    pass(&mut desk, 20_000, 30_000);
    assert!(desk.disk.freed.is_empty());
    desk.append(LOG, "on\n");
    pass(&mut desk, 90_000, 100_000);
    assert!(!desk.disk.freed.is_empty());
}
