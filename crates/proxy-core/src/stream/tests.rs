//! What a stream reads, writes and tells, on a socket that does as it is told.

use super::*;
use crate::test_socket::Scripted;

const READABLE: Readiness =
    Readiness { readable: true, writable: false, ended: false, broken: false };
const WRITABLE: Readiness =
    Readiness { readable: false, writable: true, ended: false, broken: false };
const ENDED: Readiness = Readiness { readable: true, writable: false, ended: true, broken: false };

fn reading(reads: &[Read]) -> Stream<Scripted> {
    let reads = reads.iter().copied().collect();
    Stream::new(Scripted { reads, ..Scripted::default() }, true)
}

fn writing(writes: &[Written]) -> Stream<Scripted> {
    let writes = writes.iter().copied().collect();
    Stream::new(Scripted { writes, ..Scripted::default() }, true)
}

#[test]
fn nothing_is_read_before_it_is_reported() {
    let mut stream = reading(&[Read::Bytes(2)]);
    assert_eq!(stream.read(&mut [0; 4]), Read::Nothing);
    stream.note(READABLE);
    assert_eq!(stream.read(&mut [0; 4]), Read::Bytes(2));
}

#[test]
fn a_short_read_has_emptied_the_socket_and_a_full_one_has_not() {
    let mut stream = reading(&[Read::Bytes(4), Read::Bytes(3)]);
    stream.note(READABLE);
    assert_eq!((stream.read(&mut [0; 4]), stream.is_readable()), (Read::Bytes(4), true));
    assert_eq!((stream.read(&mut [0; 4]), stream.is_readable()), (Read::Bytes(3), false));
    assert_eq!(stream.read(&mut [0; 4]), Read::Nothing);
}

#[test]
fn an_end_that_was_reported_is_read_behind_the_bytes_before_it() {
    let mut stream = reading(&[Read::Bytes(1), Read::End]);
    stream.note(ENDED);
    assert!(stream.has_ended() && !stream.is_read_to_end());
    assert_eq!((stream.read(&mut [0; 4]), stream.is_readable()), (Read::Bytes(1), true));
    assert_eq!((stream.read(&mut [0; 4]), stream.is_read_to_end()), (Read::End, true));
    assert_eq!(stream.read(&mut [0; 4]), Read::Nothing, "it is told once");
}

#[test]
fn an_end_is_known_when_it_was_read_without_a_report() {
    for end in [Read::End, Read::Broken(Cause::RESET)] {
        let mut stream = reading(&[end]);
        stream.note(READABLE);
        assert_eq!((stream.read(&mut [0; 4]), stream.is_read_to_end()), (end, true));
    }
}

#[test]
fn what_is_broken_can_still_be_read() {
    let mut stream = reading(&[Read::Bytes(1), Read::Broken(Cause::RESET)]);
    stream.note(Readiness { broken: true, ..Readiness::default() });
    assert!(stream.is_broken() && stream.is_writable());
    assert_eq!(stream.read(&mut [0; 4]), Read::Bytes(1));
    assert_eq!(stream.read(&mut [0; 4]), Read::Broken(Cause::RESET));
}

#[test]
fn what_the_peer_does_not_take_waits_and_is_not_overtaken() {
    let mut stream = writing(&[Written::Bytes(2), Written::Bytes(1), Written::Bytes(9)]);
    stream.send(b"abcd");
    assert!(stream.is_blocked() && !stream.is_writable());
    stream.send(b"ef");
    assert_eq!((stream.socket().unwrap().taken.clone(), stream.flush()), (b"ab".to_vec(), false));
    stream.note(WRITABLE);
    assert!(stream.flush() && stream.is_blocked());
    assert_eq!(stream.socket().unwrap().taken, b"abc");
    stream.note(WRITABLE);
    assert!(stream.flush() && !stream.is_blocked());
    assert_eq!(stream.socket().unwrap().taken, b"abcdef");
    assert!(!stream.flush(), "nothing waits");
}

#[test]
fn a_peer_that_takes_all_is_asked_for_more_at_once() {
    let mut stream = writing(&[Written::Bytes(9), Written::Bytes(9)]);
    stream.send(b"abc");
    stream.send(b"");
    stream.send(b"def");
    assert_eq!(stream.socket().unwrap().taken, b"abcdef");
    assert!(!stream.is_blocked() && stream.is_writable());
}

#[test]
fn a_dialled_connection_takes_nothing_before_it_is_connected() {
    let writes = [Written::Bytes(9)].into();
    let mut stream = Stream::new(Scripted { writes, ..Scripted::default() }, false);
    stream.send(b"abc");
    assert!(stream.is_blocked() && stream.socket().unwrap().taken.is_empty());
    stream.note(WRITABLE);
    assert!(stream.flush());
    assert_eq!(stream.socket().unwrap().taken, b"abc");
}

#[test]
fn a_write_that_fails_is_told_once_and_leaves_the_peers_words_to_be_read() {
    let mut stream = writing(&[Written::Broken(Cause(32))]);
    stream.send(b"abc");
    // Nothing more is written, and nothing waits for it.
    assert!(!stream.is_blocked() && stream.is_broken() && stream.is_readable());
    assert_eq!(stream.take_write_fault(), Some(Cause(32)));
    assert_eq!(stream.take_write_fault(), None);
}

#[test]
fn an_end_behind_a_write_that_failed_is_no_clean_one() {
    // As Linux has it after a reset: the write takes the error, and reads find an end.
    for (report, expected) in [
        (None, Read::Broken(Cause(32))),
        (Some(Readiness { broken: true, ..ENDED }), Read::Broken(Cause(32))),
        (Some(ENDED), Read::End),
    ] {
        let (reads, writes) = ([Read::End].into(), [Written::Broken(Cause(32))].into());
        let mut stream = Stream::new(Scripted { reads, writes, ..Scripted::default() }, true);
        report.into_iter().for_each(|report| stream.note(report));
        stream.send(b"rest of a body");
        assert_eq!(stream.read(&mut [0; 4]), expected, "{report:?}");
    }
}

#[test]
fn bytes_that_were_read_and_are_used_up_hold_no_memory() {
    let mut stream = reading(&[]);
    stream.unread = b"abcde".to_vec();
    stream.use_unread(2);
    assert_eq!(stream.unread, b"cde");
    stream.use_unread(0);
    stream.use_unread(3);
    assert_eq!((stream.unread.len(), stream.unread.capacity()), (0, 0));
}

#[test]
fn bytes_that_waited_and_are_written_hold_no_memory() {
    let mut stream = writing(&[Written::Bytes(1), Written::Bytes(9)]);
    stream.send(b"abc");
    stream.note(WRITABLE);
    stream.flush();
    assert_eq!(stream.pending.capacity(), 0);
}

#[test]
fn a_stream_is_ended_once() {
    let mut stream = writing(&[]);
    assert!(!stream.is_writing_ended());
    stream.end_writing();
    stream.end_writing();
    assert!(stream.is_writing_ended());
    assert_eq!(stream.socket().unwrap().ends, 1);
}

#[test]
fn only_what_stands_before_a_file_says_that_more_follows() {
    let mut stream = writing(&[Written::Bytes(9), Written::Bytes(2), Written::Bytes(9)]);
    stream.send(b"ab");
    stream.send_before_file(b"cdef");
    assert_eq!((stream.socket().unwrap().before_more, stream.waiting_bytes()), (1, 2));
    // What waited goes out by itself: nobody knows when the file follows.
    stream.note(WRITABLE);
    assert!(stream.flush());
    assert_eq!(stream.socket().unwrap().taken, b"abcdef");
    assert_eq!(stream.socket().unwrap().before_more, 1);
}
