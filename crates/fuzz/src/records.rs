//! Records of log files: where each ends, and how it gets to a store.

use std::path::Path;

use ship::courier::{Courier, Next, Settings};
use ship::format::{Format, Names, Shape};
use ship::long::Long;
use tail::envelope;
use tail::format::{Origin, Record};
use tail::frame::first_record;
use tail::multiline::Multiline;

use crate::draw::Draw;

/// Bytes of a record and of a batch, small enough that both bounds are met.
const RECORD_BYTES: usize = 20;
const BATCH_BYTES: usize = 600;

/// Takes `data` for the bytes of a file. However they come, its records are the same bytes; each comes
/// out of its envelope as it went in; and every request is of its format and within its bound.
pub fn records(data: &[u8]) {
    for multiline in [Multiline::Off, Multiline::Auto, Multiline::Indent] {
        let pieces = cut(&multiline, data);
        let used: usize = pieces.iter().map(|(_, len)| len).sum();
        assert_eq!(used, data.len(), "nothing is left when no more will come");
        check_growing(&multiline, data, &pieces);
        let texts: Vec<&[u8]> = pieces.iter().map(|(text, _)| *text).collect();
        for format in [Format::Otlp, Format::OtlpJson, Format::Loki, Format::Ndjson] {
            check_requests(format, &texts);
        }
        check_requests(Format::Elasticsearch, &texts);
    }
}

/// All records of a file that is over: their texts and how many bytes they take.
fn cut<'a>(multiline: &Multiline, data: &'a [u8]) -> Vec<(&'a [u8], usize)> {
    let mut pieces = Vec::new();
    let mut rest = data;
    while let Some(piece) = first_record(multiline, rest, true) {
        assert!(piece.len > 0 && piece.text_len <= piece.len && piece.len <= rest.len());
        assert_eq!(piece.is_whole, rest[..piece.len].ends_with(b"\n"));
        pieces.push((&rest[..piece.text_len], piece.len));
        rest = &rest[piece.len..];
    }
    pieces
}

/// What is a record while more may come is one when no more does.
fn check_growing(multiline: &Multiline, data: &[u8], pieces: &[(&[u8], usize)]) {
    let mut draw = Draw::of(data);
    for end in draw.cuts(data.len()) {
        let mut at = 0;
        for (_, len) in pieces {
            let Some(piece) = first_record(multiline, &data[at..end], false) else { break };
            assert_eq!(piece.len, *len, "at {at} of {end}");
            at += len;
        }
    }
}

/// What a courier is asked to do: to send at once, and to split what is long.
pub(super) fn settings(format: Format) -> Settings {
    let names = Names { time: "t".into(), message: "m".into(), file: "f".into() };
    Settings {
        shape: Shape {
            format,
            labels: vec![],
            attributes: vec![],
            names,
            index: None,
            severity: true,
        },
        batch_bytes: BATCH_BYTES,
        batch_ms: 0,
        record_bytes: RECORD_BYTES,
        long: Long::Split,
        sender: String::new(),
        seed: 0,
    }
}

fn check_requests(format: Format, texts: &[&[u8]]) {
    let mut courier = Courier::new(settings(format));
    let file = Origin { ino: 1, ..Origin::default() };
    let mut offset = 0;
    for (number, text) in (0..).zip(texts) {
        let source = Path::new("/log/a");
        let record = Record { text, offset, time_ms: 5, file, source, part: None };
        let mut bytes = Vec::new();
        envelope::push(&mut bytes, &record);
        assert_eq!(envelope::first(&bytes), Some((record, bytes.len())));
        // There is room for two batches, and each offer is all of one or of none.
        match courier.offer(number, &bytes, 0) {
            0 => break,
            used => assert_eq!(used, bytes.len()),
        }
        offset += text.len() as u64 + 1;
    }
    let Next::Send(parcel) = courier.next(1) else {
        assert!(texts.is_empty(), "there is something to send");
        return;
    };
    let body = parcel.pieces().collect::<Vec<_>>().concat();
    assert_eq!(body.len(), parcel.len());
    if format != Format::Otlp {
        let text = String::from_utf8(body).unwrap_or_default();
        assert!(!text.is_empty() && text.ends_with(['}', '\n']), "it is text");
        let lines = text.lines().count();
        let expected = match format {
            Format::Ndjson => parcel.records,
            Format::Elasticsearch => 2 * parcel.records,
            _ => 1,
        };
        assert_eq!(lines, expected, "no text breaks a line");
    }
}
