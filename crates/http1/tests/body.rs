//! Bodies by themselves: the end of a connection, what is left, and writers.

use http1::{BodyLength, BodyPart, BodyReader, BodyWriter, Reject};

#[test]
fn the_end_of_a_connection_ends_only_a_body_that_may_end_so() {
    let check = |length, input: &[u8], expected| {
        let mut reader = BodyReader::new(length);
        let mut rest = input;
        while let Ok(BodyPart { used: used @ 1.., .. }) = reader.read(rest) {
            rest = &rest[used..];
        }
        assert_eq!(reader.eof(), expected, "{length:?} {input:?}");
        assert_eq!(reader.eof(), expected, "the same when asked again");
        assert_eq!(reader.is_done(), expected.is_ok());
    };
    check(BodyLength::None, b"", Ok(()));
    check(BodyLength::Exact(0), b"", Ok(()));
    check(BodyLength::Exact(2), b"ab", Ok(()));
    check(BodyLength::Exact(2), b"a", Err(Reject::Truncated));
    check(BodyLength::UntilClose, b"", Ok(()));
    check(BodyLength::UntilClose, b"abc", Ok(()));
    check(BodyLength::Chunked, b"0\r\n\r\n", Ok(()));
    for cut in ["", "1", "1\r\n", "1\r\na", "1\r\na\r\n", "1\r\na\r\n0\r\n", "0\r\nX: y\r\n"] {
        check(BodyLength::Chunked, cut.as_bytes(), Err(Reject::Truncated));
    }
    check(BodyLength::Chunked, b"x", Err(Reject::ChunkSizeMalformed));
}

#[test]
fn one_read_takes_framing_on_both_sides_of_its_data() {
    let mut reader = BodyReader::new(BodyLength::Chunked);
    let wire = b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\nnext";
    assert_eq!(reader.read(wire), Ok(BodyPart { data: b"abc", used: 11 }));
    assert_eq!(reader.read(&wire[11..]), Ok(BodyPart { data: b"de", used: 9 }));
    assert!(reader.is_done());
    assert_eq!(reader.read(b"next"), Ok(BodyPart { data: b"", used: 0 }));
}

#[test]
fn data_before_a_bad_byte_is_given_before_the_rejection() {
    let mut reader = BodyReader::new(BodyLength::Chunked);
    assert_eq!(reader.read(b"1\r\nax"), Ok(BodyPart { data: b"a", used: 4 }));
    assert_eq!(reader.read(b"x"), Err(Reject::ChunkEndMissing));
    assert_eq!(reader.read(b"\r\n0\r\n\r\n"), Err(Reject::ChunkEndMissing));
}

#[test]
fn what_is_left_is_known_for_a_declared_length_only() {
    let mut reader = BodyReader::new(BodyLength::Exact(5));
    assert_eq!(reader.remaining_exact(), Some(5));
    assert_eq!(reader.read(b"abc"), Ok(BodyPart { data: b"abc", used: 3 }));
    assert_eq!(reader.remaining_exact(), Some(2));
    assert_eq!(reader.read(b"defg"), Ok(BodyPart { data: b"de", used: 2 }));
    assert_eq!((reader.remaining_exact(), reader.is_done()), (Some(0), true));
    assert_eq!(BodyReader::new(BodyLength::Chunked).remaining_exact(), None);
    assert_eq!(BodyReader::new(BodyLength::UntilClose).remaining_exact(), None);
}

#[test]
fn writers_frame_as_declared() {
    let check = |length, expected: &[u8]| {
        let (writer, mut out) = (BodyWriter::new(length), Vec::new());
        writer.write(b"abc", &mut out);
        writer.write(b"", &mut out);
        writer.write(&[b'x'; 16], &mut out);
        writer.finish(&mut out);
        assert_eq!(out, expected, "{length:?}");
    };
    check(BodyLength::None, b"");
    check(BodyLength::Exact(19), b"abcxxxxxxxxxxxxxxxx");
    check(BodyLength::UntilClose, b"abcxxxxxxxxxxxxxxxx");
    check(BodyLength::Chunked, b"3\r\nabc\r\n10\r\nxxxxxxxxxxxxxxxx\r\n0\r\n\r\n");
}

#[test]
fn a_trailer_is_told_apart_however_it_is_cut() {
    let wire = b"3\r\nabc\r\n2;x=y\r\nde\r\n0;z\r\nA: b\r\nC:  d \r\n\r\nnext";
    for piece in 1..=wire.len() {
        let mut reader = BodyReader::new(BodyLength::Chunked);
        let (mut data, mut trailer, mut used) = (Vec::new(), Vec::new(), 0);
        while !reader.is_done() {
            let end = wire.len().min(used + piece);
            let (part, lines) = reader.read_all(&wire[used..end]).unwrap();
            data.extend_from_slice(part.data);
            trailer.extend_from_slice(lines);
            used += part.used;
        }
        assert_eq!((&data[..], &trailer[..]), (&b"abcde"[..], &b"A: b\r\nC:  d \r\n\r\n"[..]));
        assert_eq!(&wire[used..], b"next", "{piece}");
    }
    let mut reader = BodyReader::new(BodyLength::Chunked);
    assert_eq!(reader.read_all(b"0\r\n\r\n").unwrap().1, b"\r\n");
    let mut reader = BodyReader::new(BodyLength::Exact(1));
    assert_eq!(reader.read_all(b"ab").unwrap().1, b"");
}
