//! Answers of log stores.

use std::path::Path;

use ship::answer::{Answer, Head, Reading};
use ship::courier::{Courier, Next, Settings};
use ship::format::Format;
use tail::envelope;
use tail::format::{Origin, Record};

use crate::draw::Draw;
use crate::records::settings;

/// Records in the request.
const RECORDS: usize = 3;
const FORMATS: [Format; 5] =
    [Format::Otlp, Format::OtlpJson, Format::Loki, Format::Ndjson, Format::Elasticsearch];

/// Takes `data` for a body, and its first byte for a status. However it is cut the courier does the
/// same, and acknowledges no more than it was offered; only a success may acknowledge at once.
pub fn stores(data: &[u8]) {
    let first = usize::from(data.first().copied().unwrap_or_default());
    let statuses = [200, 204, 302, 400, 401, 408, 413, 422, 429, 500, 503];
    let status = statuses[first % statuses.len()];
    for format in FORMATS {
        for status in [200, status] {
            let mut draw = Draw::of(data);
            let drawn = draw.cuts(data.len());
            let whole = outcome(format, status, data, &[data.len()]);
            let every: Vec<usize> = (1..=data.len()).collect();
            assert_eq!(outcome(format, status, data, &every), whole, "byte by byte");
            assert_eq!(outcome(format, status, data, &drawn), whole, "cut at {drawn:?}");
        }
    }
}

/// What the answer comes to, in words.
fn outcome(format: Format, status: u16, data: &[u8], ends: &[usize]) -> String {
    let mut courier = courier(format);
    let text = std::str::from_utf8(data).ok().filter(|text| !text.contains('\n'));
    let head = Head { status, content_type: text, retry_after: text, location: text };
    let mut reading = Reading::new(format, RECORDS, &head, 1_000_000);
    let mut from = 0;
    for &end in ends {
        // Whoever reads on though nobody cares changes nothing.
        reading.feed(&data[from..end]);
        from = end;
    }
    courier.answered(reading.done(), 1000);
    let acknowledged: Vec<u64> = std::iter::from_fn(|| courier.acknowledged()).collect();
    assert!(acknowledged.is_empty() || acknowledged == [0]);
    let stats = courier.stats();
    let is_success = (200..300).contains(&status) || format == Format::Loki;
    assert!(acknowledged.is_empty() || is_success, "{status} acknowledges nothing");
    assert!(stats.records + stats.refused <= RECORDS as u64, "{stats:?}");
    assert_eq!(stats.waiting_bytes == 0, !acknowledged.is_empty(), "what is not safe is kept");
    let told: Vec<String> = courier.take_told().iter().map(ToString::to_string).collect();
    assert!(told.iter().all(|text| text.len() < 2000 && !text.contains(char::is_control)));
    // Whatever it was, a success ends it.
    let mut now_ms = 1000;
    for _ in 0..200 {
        match courier.next(now_ms) {
            Next::Send(parcel) => {
                let items = "{\"create\":{\"status\":201}},".repeat(parcel.records);
                drop(parcel);
                courier.answered(success(format, items.trim_end_matches(',')), now_ms);
            }
            Next::At(at_ms) => now_ms = at_ms,
            Next::Wait => break,
        }
    }
    assert_eq!(courier.stats().waiting_bytes, 0, "nothing is left in the end");
    format!("{acknowledged:?} {stats:?} {told:?}")
}

fn success(format: Format, items: &str) -> Answer {
    let head = Head { status: 200, ..Head::default() };
    let mut reading = Reading::new(format, RECORDS, &head, 0);
    if format == Format::Elasticsearch {
        reading.feed(format!("{{\"items\":[{items}]}}").as_bytes());
    }
    reading.done()
}

/// A courier whose request of [`RECORDS`] records is under way.
fn courier(format: Format) -> Courier {
    let mut settings = Settings { batch_bytes: 1 << 20, record_bytes: 1000, ..settings(format) };
    settings.shape.severity = false;
    let mut courier = Courier::new(settings);
    let mut envelopes = Vec::new();
    for offset in 0..RECORDS as u64 {
        let (file, source) = (Origin::default(), Path::new("/log/a"));
        let record = Record { text: b"text", offset, time_ms: 5, file, source, part: None };
        envelope::push(&mut envelopes, &record);
    }
    assert_eq!(courier.offer(0, &envelopes, 0), envelopes.len());
    assert!(matches!(courier.next(1), Next::Send(_)));
    courier
}
