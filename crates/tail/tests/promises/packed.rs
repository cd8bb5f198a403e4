//! Rotated files that were compressed.

use super::LOG;
use super::desk::{Desk, options};

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
