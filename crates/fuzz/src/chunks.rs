//! Bodies: chunked ones above all.

use http1::{BodyLength, BodyReader, BodyWriter, Reject};

use crate::draw::Draw;

/// How a reading ended.
#[derive(Debug, PartialEq, Eq)]
enum End {
    /// The body was complete after so many bytes.
    Done(usize),
    /// It goes on.
    Open,
    Rejected(Reject),
}

/// Reads `data` as a chunked body, whole, byte by byte and in drawn pieces, and holds it against
/// another reader of sizes; then takes it for the content of bodies that are written and read.
pub fn chunks(data: &[u8]) {
    let mut draw = Draw::of(data);
    let every: Vec<usize> = (1..=data.len()).collect();
    let drawn = draw.cuts(data.len());
    let whole = read(BodyLength::Chunked, data, &[data.len()]);
    assert_eq!(read(BodyLength::Chunked, data, &every), whole, "byte by byte");
    assert_eq!(read(BodyLength::Chunked, data, &drawn), whole, "cut at {drawn:?}");
    check_other(data, &whole);

    let half = data.len() / 2;
    let (content, end) = read(BodyLength::Exact(half as u64), data, &drawn);
    assert_eq!((content.as_slice(), end), (&data[..half], End::Done(half)));
    let (content, end) = read(BodyLength::UntilClose, data, &drawn);
    assert_eq!((content.as_slice(), end), (data, End::Open));
    check_round_trip(data, &drawn, &mut draw);
}

/// The content and the end of a body fed in the pieces that end at `ends`.
fn read(length: BodyLength, data: &[u8], ends: &[usize]) -> (Vec<u8>, End) {
    let mut reader = BodyReader::new(length);
    let (mut content, mut used) = (Vec::new(), 0);
    for &end in ends {
        while used < end && !reader.is_done() {
            match reader.read(&data[used..end]) {
                Ok(part) => {
                    assert!(part.data.len() <= part.used && part.used <= end - used);
                    assert!(part.used > 0, "bytes that are there are taken");
                    content.extend_from_slice(part.data);
                    used += part.used;
                }
                Err(reject) => {
                    assert_eq!(reader.read(b"0\r\n\r\n"), Err(reject), "a rejection is final");
                    assert_eq!(reader.eof(), Err(reject));
                    assert!(!reader.is_done());
                    return (content, End::Rejected(reject));
                }
            }
        }
    }
    let end = if reader.is_done() { End::Done(used) } else { End::Open };
    let may_end = reader.is_done() || length == BodyLength::UntilClose;
    let expected = if may_end { Ok(()) } else { Err(Reject::Truncated) };
    assert_eq!(reader.eof(), expected, "the end of the connection");
    (content, end)
}

/// Another reader finds the same sizes, and the same content behind them.
fn check_other(data: &[u8], (content, end): &(Vec<u8>, End)) {
    let (mut rest, mut expected) = (data, content.as_slice());
    loop {
        let (line, size) = match httparse::parse_chunk_size(rest) {
            Ok(httparse::Status::Complete(found)) => found,
            Ok(httparse::Status::Partial) => break,
            // It takes no more than 15 digits, zeros or not.
            Err(_) => return,
        };
        rest = &rest[line..];
        if size == 0 {
            break;
        }
        // It may take a line that ours does not.
        if expected.is_empty() && matches!(end, End::Rejected(_)) {
            return;
        }
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        let len = size.min(rest.len());
        assert!(expected.starts_with(&rest[..len]), "a chunk of {size} bytes");
        expected = &expected[len..];
        let Some(after) = rest[len..].strip_prefix(b"\r\n") else {
            assert!(!matches!(end, End::Done(_)), "a chunk without its end");
            break;
        };
        rest = after;
    }
    assert!(expected.is_empty(), "{} bytes more than there are chunks", expected.len());
}

/// What is written in pieces is read in other pieces, and what follows it is left alone.
fn check_round_trip(data: &[u8], ends: &[usize], draw: &mut Draw) {
    const NEXT: &[u8] = b"\r\nnext";
    for length in [BodyLength::Chunked, BodyLength::Exact(data.len() as u64)] {
        let (writer, mut wire, mut from) = (BodyWriter::new(length), Vec::new(), 0);
        for &end in ends {
            writer.write(&data[from..end], &mut wire);
            writer.write(b"", &mut wire);
            from = end;
        }
        writer.finish(&mut wire);
        let len = wire.len();
        wire.extend_from_slice(NEXT);
        let cuts = draw.cuts(wire.len());
        let (content, end) = read(length, &wire, &cuts);
        assert_eq!((content.as_slice(), end), (data, End::Done(len)), "{length:?}");
    }
}
