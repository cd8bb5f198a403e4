//! Rotated files that were compressed.

use tail::engine::Options;
use tail::fs::SinkFault;
use tail::reclaim::Reclaim;
use tail::report::Notice;

use super::desk::{Desk, options};
use super::{LOG, OTHER};

/// What a gzip file begins with.
const GZIP: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3];

#[test]
fn what_a_pattern_finds_is_not_followed_if_it_is_compressed() {
    let mut desk = Desk::new(&["/log/app*"]);
    desk.append(LOG, "one\n");
    for name in ["/log/app.log.2.gz", "/log/app-other.log.zst", "/log/app.log.gz"] {
        desk.append(name, "no line\n");
    }
    desk.settle(0);
    desk.append("/log/app-late.log.xz", "no line\n");
    desk.engine.hint_name("/log/app-late.log.xz".as_ref());
    desk.settle(2000);
    assert_eq!(desk.output(), "one\n");
}

#[test]
fn a_compressed_file_by_another_name_is_told_by_what_it_begins_with() {
    for is_empty_first in [false, true] {
        let mut desk = Desk::new(&[LOG]);
        desk.append(LOG, "one\n");
        desk.settle(0);
        desk.rename(LOG, "/log/app.log.1");
        desk.append(LOG, "two\n");
        let file = desk.append("/log/app.log.1.tmp", "");
        if is_empty_first {
            desk.settle(2000);
        }
        desk.append_bytes_to(file, &GZIP);
        desk.append_bytes_to(file, b"no line\n");
        desk.settle(4000);
        desk.append(LOG, "three\n");
        desk.settle(20_000);
        assert_eq!(desk.output(), "one\ntwo\nthree\n", "{is_empty_first}");
    }
}

#[test]
fn a_number_given_to_a_compressed_file_is_no_proof_of_what_is_in_it() {
    let mut desk = Desk::with(options(&[LOG]));
    desk.disk.has_no_births = true;
    desk.append(LOG, "one\ntwo\n");
    desk.settle(0);
    desk.rename(LOG, "/log/app.log.1");
    desk.append(LOG, "three\n");
    desk.settle(2000);
    desk.restart();
    desk.replace_as("/log/app.log.1", "/log/other.gz");
    desk.append("/log/other.gz", "no line at all\n");
    desk.settle(4000);
    assert_eq!(desk.output(), "");
}

/// A gzip file of this text.
fn gzip(plain: &str) -> Vec<u8> {
    gzip_at(6, plain)
}

/// The same; what is compressed at level 0 is there as it was.
pub fn gzip_at(level: u8, plain: &str) -> Vec<u8> {
    let mut bytes = GZIP.to_vec();
    bytes.extend(miniz_oxide::deflate::compress_to_vec(plain.as_bytes(), level));
    bytes.extend(crc32fast::hash(plain.as_bytes()).to_le_bytes());
    bytes.extend((plain.len() as u32).to_le_bytes());
    bytes
}

/// Puts a gzip file of what `from` has at `to`.
pub fn compress(desk: &mut Desk, from: &str, to: &str) {
    let bytes = gzip(&desk.text(from));
    let file = desk.append(to, "");
    desk.append_bytes_to(file, &bytes);
}

/// Lines that no two seeds have in common, more than a buffer.
pub fn lines(seed: usize, count: usize) -> String {
    (0..count).map(|at| format!("{seed} line {at:06} {}\n", "x".repeat(at % 60))).collect()
}

#[test]
fn what_was_not_read_when_it_was_compressed_is_read_from_the_compressed_file() {
    for (first, rest, name) in [
        ("one\n".to_owned(), "two\n".to_owned(), "/log/app.log.1.gz"),
        (lines(0, 10), lines(1, 30_000), "/log/app.log.1.gz"),
        (lines(0, 30_000), lines(1, 10), "/log/app.log.old.gz"),
        (lines(0, 30_000), lines(1, 30_000), "/log/elsewhere.gz"),
        ("\n".to_owned(), lines(1, 1), "/log/app.log.3.gz"),
    ] {
        let mut desk = Desk::new(&[LOG]);
        desk.append(LOG, &first);
        desk.settle(0);
        assert_eq!(desk.output(), first);
        desk.restart();
        desk.append(LOG, &rest);
        compress(&mut desk, LOG, name);
        desk.delete(LOG);
        desk.append(LOG, "newer\n");
        desk.settle(10_000);
        assert!(desk.output() == format!("{rest}newer\n"), "{name}: {} bytes", desk.output().len());
        for round in 2..5 {
            desk.settle(round * 20_000);
            desk.restart();
            desk.settle(round * 20_000 + 5000);
            assert_eq!(desk.output(), "", "nothing again: {name}");
        }
        assert_eq!(desk.disk.open_count(), 1, "only what is at the path");
    }
}

#[test]
fn of_what_was_read_to_its_end_nothing_comes_again_when_it_is_compressed() {
    for alive in [false, true] {
        let mut desk = Desk::new(&[LOG]);
        let text = lines(0, 9000);
        desk.append(LOG, &text);
        desk.settle(0);
        assert!(desk.output() == text);
        if !alive {
            desk.restart();
        }
        for number in 1..4 {
            compress(&mut desk, LOG, &format!("/log/app.log.{number}.gz"));
            desk.delete(LOG);
            let line = format!("{number}\n");
            desk.append(LOG, &line);
            desk.sink.bytes.clear();
            desk.settle(number * 20_000);
            assert_eq!(desk.output(), line, "alive {alive}");
        }
    }
}

#[test]
fn what_was_never_seen_is_read_in_order_and_what_is_of_others_never() {
    let mut desk = Desk::new(&[LOG]);
    desk.append("/log/app.log.9.gz", "");
    desk.append(LOG, "one\n");
    let older = desk.append("/log/app.log.8.gz", "");
    desk.append_bytes_to(older, &gzip("older\n"));
    let foreign = desk.append("/log/other.log.1.gz", "");
    desk.append_bytes_to(foreign, &gzip("other\n"));
    desk.settle(0);
    desk.restart();
    // Two rotations while it is down: one known file, one that nobody knows.
    desk.append(LOG, "two\n");
    compress(&mut desk, LOG, "/log/app.log.2.gz");
    desk.delete(LOG);
    desk.append(LOG, "three\n");
    compress(&mut desk, LOG, "/log/app.log.1.gz");
    desk.delete(LOG);
    desk.append(LOG, "four\n");
    desk.settle(10_000);
    assert_eq!(desk.output(), "two\nthree\nfour\n");
}

#[test]
fn a_compressed_file_goes_on_after_a_death_where_the_last_one_was_acknowledged() {
    let text = lines(1, 40_000);
    let mut desk = Desk::new(&[LOG]);
    desk.append(LOG, "");
    desk.settle(0);
    desk.restart();
    desk.append(LOG, &text);
    compress(&mut desk, LOG, "/log/app.log.1.gz");
    desk.delete(LOG);
    desk.append(LOG, "newer\n");
    let (mut all, mut now_ms, mut deaths) = (String::new(), 10_000, 0);
    while deaths < 100 && !all.ends_with("newer\n") {
        desk.engine.hint_all();
        for _ in 0..2 {
            desk.turn(now_ms);
            now_ms += 250;
        }
        let output = desk.output();
        // The next life begins with the line that this one died in.
        all.push_str(&output[..output.rfind('\n').map_or(0, |end| end + 1)]);
        desk.restart();
        deaths += 1;
    }
    assert!(all == format!("{text}newer\n"), "{} bytes after {deaths} deaths", all.len());
    assert!(deaths > 3, "a turn is bounded");
}

#[test]
fn a_compressed_file_that_is_being_written_is_waited_for_and_not_for_ever() {
    let (text, name) = (lines(1, 20_000), "/log/app.log.1.gz");
    for is_finished in [true, false] {
        let mut desk = Desk::new(&[LOG]);
        desk.append(LOG, "zero\n");
        desk.settle(0);
        desk.restart();
        desk.append(LOG, &text);
        let bytes = gzip(&desk.text(LOG));
        desk.delete(LOG);
        desk.append(LOG, "newer\n");
        let file = desk.append(name, "");
        let half = bytes.len() / 2;
        desk.append_bytes_to(file, &bytes[..half]);
        desk.settle(10_000);
        assert!(text.starts_with(&desk.output()), "the first half, and nothing newer");
        if is_finished {
            desk.append_bytes_to(file, &bytes[half..]);
            desk.engine.hint_data(name.as_ref());
            desk.settle(12_000);
            assert!(desk.output() == format!("{text}newer\n"));
            continue;
        }
        for second in 0..60 {
            desk.settle(12_000 + second * 1000);
        }
        assert!(desk.output().ends_with("newer\n"));
        let said: Vec<_> = desk.engine.take_notices().iter().map(Notice::to_string).collect();
        let lost = |line: &&String| line.starts_with(name) && line.ends_with("is lost");
        assert_eq!(said.iter().filter(lost).count(), 1, "{said:?}");
        assert_eq!(desk.engine.stats().packed_lost, 1);
    }
}

#[test]
fn a_damaged_compressed_file_is_said_and_counted_and_holds_up_nothing() {
    let (text, name) = (lines(1, 20_000), "/log/app.log.1.gz");
    for at in [0, 3, 40, 5000, usize::MAX] {
        let mut desk = Desk::new(&[LOG]);
        desk.append(LOG, "zero\n");
        desk.settle(0);
        desk.restart();
        let mut bytes = gzip(&format!("zero\n{text}"));
        let at = at.min(bytes.len() - 6);
        bytes[at] ^= 0xff;
        desk.delete(LOG);
        desk.append(LOG, "newer\n");
        let file = desk.append(name, "");
        desk.append_bytes_to(file, &bytes);
        desk.settle(10_000);
        desk.settle(12_000);
        assert!(desk.output().ends_with("newer\n"), "byte {at}");
        assert_eq!(desk.engine.stats().packed_lost, 1, "byte {at}");
        let said: Vec<_> = desk.engine.take_notices().iter().map(Notice::to_string).collect();
        assert!(said.iter().any(|line| line.contains(name) && line.contains("lost")), "{said:?}");
        desk.restart();
        desk.settle(30_000);
        assert_eq!((desk.output().as_str(), desk.engine.stats().packed_lost), ("", 0));
    }
}

#[test]
fn a_bomb_takes_no_more_of_a_turn_than_other_files() {
    let text = format!("{}{}end\n", lines(1, 100), "\0".repeat(16 << 20));
    let mut desk = Desk::new(&[LOG, OTHER]);
    desk.append(LOG, "");
    desk.append(OTHER, "");
    desk.settle(0);
    desk.restart();
    let bytes = gzip(&text);
    assert!(bytes.len() < 100_000);
    desk.delete(LOG);
    desk.append(LOG, "newer\n");
    let file = desk.append("/log/app.log.1.gz", "");
    desk.append_bytes_to(file, &bytes);
    desk.append(OTHER, "other\n");
    desk.engine.hint_all();
    let mut turns = 0;
    while !desk.output().ends_with("newer\n") && turns < 2000 {
        desk.turn(10_000);
        turns += 1;
        assert!(turns < 5 || desk.output().contains("other\n"), "nobody waits for it");
    }
    assert!(turns > 20, "{turns} turns for 16 MiB");
    assert_eq!(desk.output().matches("end\nnewer\n").count(), 1);
}

#[test]
fn a_copy_that_was_compressed_before_the_cut_has_the_rest() {
    let mut desk = Desk::new(&[LOG]);
    desk.append(LOG, &lines(0, 300));
    desk.settle(0);
    desk.restart();
    desk.append(LOG, "rest\n");
    compress(&mut desk, LOG, "/log/app.log.1.gz");
    desk.cut(LOG);
    desk.append(LOG, "newer\n");
    desk.settle(10_000);
    desk.settle(20_000);
    assert_eq!(desk.output(), "rest\nnewer\n");
}

#[test]
fn what_is_compressed_in_another_way_is_said_once_and_counted() {
    let mut desk = Desk::new(&[LOG]);
    desk.append(LOG, "one\n");
    desk.settle(0);
    desk.restart();
    desk.delete(LOG);
    desk.append(LOG, "newer\n");
    let file = desk.append("/log/app.log.1.xz", "");
    desk.append_bytes_to(file, b"\xfd7zXZ\0 and so on");
    desk.settle(10_000);
    desk.settle(20_000);
    assert_eq!(desk.output(), "newer\n");
    let said: Vec<_> = desk.engine.take_notices().iter().map(Notice::to_string).collect();
    let lost = |line: &&String| line.contains("app.log.1.xz") && line.contains("its 16 bytes");
    assert_eq!(said.iter().filter(lost).count(), 1, "{said:?}");
    assert_eq!(desk.engine.stats().packed_lost, 1);
}

#[test]
fn a_file_that_cannot_be_unpacked_is_said_unless_it_was_read_to_its_end_and_never_again() {
    // What cannot be unpacked for damage is told as what this program was not built to unpack.
    let check = |is_first: bool, rest: &str, expected: u64| {
        let mut desk = Desk::new(&[LOG]);
        desk.append(LOG, &lines(0, 100));
        if !is_first {
            desk.settle(0);
            desk.restart();
        }
        desk.append(LOG, rest);
        let mut bytes = gzip(&desk.text(LOG));
        bytes[3] = 0xff;
        desk.delete(LOG);
        desk.append(LOG, "newer\n");
        let file = desk.append("/log/app.log.1.gz", "");
        desk.append_bytes_to(file, &bytes);
        let mut said = Vec::new();
        for round in 1..4 {
            desk.settle(round * 20_000);
            said.extend(desk.engine.take_notices().iter().map(Notice::to_string));
            let lost = said.iter().filter(|line| line.contains("app.log.1.gz")).count() as u64;
            assert_eq!(lost, expected, "{rest:?} {said:?}");
            let counted = if round == 1 { expected } else { 0 };
            assert_eq!(desk.engine.stats().packed_lost, counted, "{rest:?}");
            desk.restart();
        }
    };
    check(false, "one more\n", 1);
    check(false, "", 0);
    check(true, "one more\n", 0);
}

#[test]
fn what_was_removed_as_delivered_under_a_compressors_hands_is_not_read_again() {
    let reclaim = Reclaim { keep_rotated: Some(0), freeing: None };
    let mut desk = Desk::with(Options { reclaim, checkpoint: true, ..options(&[LOG]) });
    let text = lines(0, 200);
    desk.append(LOG, &text);
    desk.settle(0);
    desk.rename(LOG, "/log/app.log.1");
    desk.append(LOG, "newer\n");
    desk.settle(1000);
    let bytes = gzip(&text);
    let file = desk.append("/log/app.log.1.gz", "");
    desk.append_bytes_to(file, &bytes[..100]);
    for second in 2..41 {
        desk.settle(second * 1000);
    }
    assert!(!desk.disk.has("/log/app.log.1"));
    desk.append_bytes_to(file, &bytes[100..]);
    for second in 41..141 {
        desk.settle(second * 1000);
    }
    assert!(desk.output() == format!("{text}newer\n"), "nothing again");
    desk.restart();
    desk.settle(200_000);
    assert_eq!(desk.output(), "");
}

#[test]
fn what_is_being_compressed_is_compared_with_the_file_that_had_the_name_when_it_was_seen() {
    let mut desk = Desk::new(&[LOG]);
    let text = lines(1, 100);
    desk.append(LOG, &text);
    desk.settle(0);
    desk.rename(LOG, "/log/app.log.1");
    desk.append(LOG, "two\n");
    desk.settle(2000);
    desk.settle(40_000);
    let bytes = gzip(&text);
    let packed = desk.append("/log/app.log.1.gz", "");
    desk.append_bytes_to(packed, &bytes[..300]);
    // All is rotated once more while it is looked at.
    desk.rename(LOG, "/log/app.log.0");
    desk.append(LOG, "three\n");
    let shift = &[
        ("/log/app.log.1.gz", "/log/app.log.2.gz"),
        ("/log/app.log.1", "/log/app.log.2"),
        ("/log/app.log.0", "/log/app.log.1"),
    ];
    desk.disk.shift_on_open = Some(("/log/app.log.1", shift));
    desk.settle(50_000);
    desk.append_bytes_to(packed, &bytes[300..]);
    desk.delete("/log/app.log.2");
    desk.settle(60_000);
    assert!(desk.output() == format!("{text}two\nthree\n"), "{}", desk.output());
}

#[test]
fn a_link_to_a_compressed_file_is_no_plain_file_that_has_a_number_again() {
    // Its name is that of a rotated file or another one; of the file that had the number a line was
    // read or nothing.
    for (link, is_read) in [
        ("/log/app.log.latest", true),
        ("/log/app.log.latest", false),
        ("/log/latest", true),
        ("/log/latest", false),
    ] {
        let mut desk = Desk::with(options(&[LOG]));
        desk.disk.has_no_births = true;
        desk.sink.fault = (!is_read).then_some(SinkFault::Blocked);
        desk.append(LOG, "one\n");
        desk.settle(0);
        desk.sink.fault = Some(SinkFault::Blocked);
        desk.rename(LOG, "/log/app.log.1");
        desk.append(LOG, "two\n");
        desk.settle(2000);
        desk.restart();
        desk.sink.fault = None;
        desk.replace_as("/log/app.log.1", "/log/other.gz");
        desk.append_bytes_to(2, &gzip("no line at all\n"));
        desk.link(link, "/log/other.gz");
        desk.settle(4000);
        desk.settle(20_000);
        assert_eq!(String::from_utf8_lossy(&desk.sink.bytes), "two\n", "{link} {is_read}");
    }
}

#[test]
fn of_a_file_that_was_compressed_in_parts_nothing_comes_again() {
    let mut desk = Desk::new(&[LOG]);
    let (first, second) = (lines(1, 50), lines(2, 900));
    assert!(second.len() > 32 << 10, "the last part is longer than what is looked at");
    desk.append(LOG, &format!("{first}{second}"));
    desk.settle(0);
    desk.rename(LOG, "/log/app.log.1");
    desk.append(LOG, "two\n");
    desk.settle(2000);
    desk.settle(40_000);
    let packed = desk.append("/log/app.log.1.gz", "");
    desk.append_bytes_to(packed, &[gzip(&first), gzip(&second)].concat());
    desk.delete("/log/app.log.1");
    desk.rename(LOG, "/log/app.log.0");
    desk.append(LOG, "three\n");
    desk.settle(50_000);
    desk.settle(60_000);
    assert!(desk.output() == format!("{first}{second}two\nthree\n"), "{}", desk.output().len());
}

#[test]
fn of_files_that_begin_with_a_hole_each_goes_on_where_it_was() {
    let mut desk = Desk::new(&[LOG]);
    let mut packed = Vec::new();
    for (seed, away) in [(1, "/away/1"), (2, "/away/2")] {
        let hole_bytes = (40 + seed) << 10;
        desk.put_hole(LOG, hole_bytes as u64);
        desk.append(LOG, &lines(seed, 50));
        desk.settle(seed as u64 * 100_000);
        desk.rename(LOG, away);
        // In parts, so that its end does not say how long it was.
        let rest = format!("{}{}", "\0".repeat(hole_bytes - 1000), lines(seed, 51));
        packed.push([gzip(&"\0".repeat(1000)), gzip(&rest)].concat());
    }
    desk.append(LOG, "live\n");
    desk.settle(400_000);
    desk.settle(500_000);
    desk.rename(LOG, "/log/app.log.3");
    for (name, bytes) in ["/log/app.log.2.gz", "/log/app.log.1.gz"].into_iter().zip(&packed) {
        let file = desk.append(name, "");
        desk.append_bytes_to(file, bytes);
    }
    desk.append(LOG, "new\n");
    desk.settle(600_000);
    desk.settle(700_000);
    let output = desk.output().replace('\0', "");
    let mut found: Vec<&str> = output.lines().collect();
    let expected = format!("{}{}live\nnew\n", lines(1, 51), lines(2, 51));
    let mut expected: Vec<&str> = expected.lines().collect();
    found.sort_unstable();
    expected.sort_unstable();
    assert_eq!(found, expected);
}
