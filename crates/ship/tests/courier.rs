//! The courier from outside: when requests are made, how large they are, and what becomes of them.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use std::path::Path;

use ship::answer::{Answer, Head, Reading};
use ship::courier::{Courier, Next, Settings};
use ship::format::{Format, Names, Shape};
use ship::long::Long;
use ship::told::Health;
use tail::envelope;
use tail::format::{Origin, Record};

/// Bytes of a line of `ndjson` beside its text.
const AROUND_BYTES: usize = r#"{"t":"2025-11-25T20:00:00.123000000Z","f":"/a","m":""}"#.len() + 1;

fn settings(format: Format) -> Settings {
    let names = Names { time: "t".into(), message: "m".into(), file: "f".into() };
    Settings {
        shape: Shape {
            format,
            labels: vec![],
            attributes: vec![],
            names,
            index: None,
            severity: false,
        },
        batch_bytes: 1000,
        batch_ms: 1000,
        record_bytes: 500,
        long: Long::Split,
        sender: "pod".to_owned(),
        seed: 7,
    }
}

fn courier() -> Courier {
    Courier::new(settings(Format::Ndjson))
}

fn record(text: &[u8], offset: u64) -> Record<'_> {
    let source = Path::new("/a");
    let file = Origin::default();
    Record { text, offset, time_ms: 1_764_100_800_123, file, source, part: None }
}

fn offer(courier: &mut Courier, number: u64, texts: &[&[u8]], now_ms: u64) -> bool {
    let mut envelopes = Vec::new();
    texts.iter().for_each(|text| envelope::push(&mut envelopes, &record(text, 1)));
    courier.offer(number, &envelopes, now_ms) == envelopes.len()
}

/// The request that is due.
fn request(courier: &mut Courier, now_ms: u64) -> String {
    let Next::Send(parcel) = courier.next(now_ms) else { panic!("nothing is due at {now_ms}") };
    String::from_utf8(parcel.pieces().collect::<Vec<_>>().concat()).unwrap()
}

fn due_ms(courier: &mut Courier, now_ms: u64) -> u64 {
    let Next::At(at_ms) = courier.next(now_ms) else { panic!("nothing is waited for") };
    at_ms
}

fn status(status: u16, retry_after: Option<&str>) -> Answer {
    let head = Head { status, retry_after, ..Head::default() };
    Reading::new(Format::Ndjson, 1, &head, 0).done()
}

fn acknowledged(courier: &mut Courier) -> Vec<u64> {
    std::iter::from_fn(|| courier.acknowledged()).collect()
}

/// The texts in a request.
fn texts(request: &str) -> Vec<&str> {
    let ends = request.lines().filter_map(|line| line.strip_suffix("\"}"));
    ends.filter_map(|line| line.split_once("\"m\":\"")).map(|(_, text)| text).collect()
}

#[test]
fn a_record_waits_for_others_but_not_for_long() {
    let mut courier = courier();
    assert!(matches!(courier.next(0), Next::Wait));
    assert!(offer(&mut courier, 0, &[b"a"], 5));
    assert!(offer(&mut courier, 1, &[b"b", b"c"], 900));
    assert_eq!(due_ms(&mut courier, 1004), 1005);
    let sent = request(&mut courier, 1005);
    assert_eq!(texts(&sent), ["a", "b", "c"]);
    assert!(matches!(courier.next(2000), Next::Wait), "one request at a time");
    assert!(acknowledged(&mut courier).is_empty());
    courier.answered(status(204, None), 1100);
    assert_eq!(acknowledged(&mut courier), [0, 1]);
    assert_eq!(courier.stats().records, 3);
    assert_eq!(courier.stats().waiting_bytes, 0);
}

#[test]
fn a_batch_is_no_larger_than_it_may_be_and_two_is_all_there_is_room_for() {
    let mut courier = courier();
    let text = [b'x'; 250 - AROUND_BYTES];
    let four = [&text[..]; 4];
    assert!(offer(&mut courier, 0, &four, 0));
    assert!(matches!(courier.next(0), Next::At(_)), "it is as full as can be, and may wait");
    assert!(offer(&mut courier, 1, &four, 0));
    assert_eq!(request(&mut courier, 0).len(), 1000);
    assert!(!offer(&mut courier, 2, &[b""], 0), "there is no room");
    assert!(matches!(courier.next(0), Next::Wait));
    courier.answered(status(200, None), 0);
    assert_eq!(acknowledged(&mut courier), [0]);
    assert!(offer(&mut courier, 2, &[b""], 0));
    assert_eq!(request(&mut courier, 0).len(), 1000);
}

#[test]
fn of_an_offer_that_is_larger_than_a_batch_the_first_records_are_taken() {
    let mut courier = courier();
    let mut envelopes = Vec::new();
    let text = [b'x'; 401 - AROUND_BYTES];
    (0..3).for_each(|_| envelope::push(&mut envelopes, &record(&text, 1)));
    let one = envelopes.len() / 3;
    assert_eq!(courier.offer(0, &envelopes, 0), 2 * one);
    assert_eq!(courier.offer(1, &envelopes[2 * one..], 0), one);
    assert_eq!(texts(&request(&mut courier, 0)).len(), 2);
    courier.answered(status(200, None), 0);
    assert_eq!(acknowledged(&mut courier), [0]);
    assert_eq!(texts(&request(&mut courier, 1000)).len(), 1);
}

#[test]
fn an_offer_that_does_not_fit_beside_others_goes_into_the_next_batch_as_a_whole() {
    let mut courier = courier();
    let text = [b'x'; 401 - AROUND_BYTES];
    assert!(offer(&mut courier, 0, &[&text], 0));
    assert!(offer(&mut courier, 1, &[&text, &text], 0));
    let first = request(&mut courier, 0);
    assert_eq!(texts(&first).len(), 1);
    courier.answered(status(200, None), 0);
    assert_eq!(acknowledged(&mut courier), [0]);
    let second = request(&mut courier, 1000);
    assert_eq!(texts(&second).len(), 2);
    assert_eq!((&first[23..36], &second[23..36]), ("00.123000000Z", "00.123000001Z"));
}

#[test]
fn one_record_may_be_larger_than_a_batch() {
    let mut courier = courier();
    let text = [1; 400];
    assert!(offer(&mut courier, 0, &[&text], 0));
    assert_eq!(request(&mut courier, 1000).len(), AROUND_BYTES + 6 * 400);
}

#[test]
fn a_store_that_is_away_is_asked_again_later_and_as_late_as_it_says() {
    let mut courier = courier();
    assert!(offer(&mut courier, 0, &[b"a"], 0));
    let first = request(&mut courier, 1000);
    courier.answered(Answer::failed("connection refused"), 1000);
    assert!((1500..=2000).contains(&due_ms(&mut courier, 1000)));
    assert_eq!(courier.stats().health, Health::Away);
    assert_eq!(request(&mut courier, 2000), first, "byte for byte");
    courier.answered(status(503, Some("20")), 2000);
    assert_eq!(due_ms(&mut courier, 2000), 22_000);
    request(&mut courier, 22_000);
    courier.answered(status(200, None), 22_000);
    assert_eq!((courier.stats().health, courier.stats().retries), (Health::Well, 2));
    let told: Vec<_> = courier.take_told().iter().map(|told| told.topic()).collect();
    assert_eq!(told, ["again", "again", "recovered"]);
}

#[test]
fn at_the_end_no_wait_is_waited_for() {
    let mut courier = courier();
    assert!(offer(&mut courier, 0, &[b"a"], 0));
    request(&mut courier, 1000);
    courier.answered(status(503, Some("200")), 1000);
    assert_eq!(due_ms(&mut courier, 1000), 201_000);
    courier.end();
    request(&mut courier, 1000);
    courier.answered(status(503, Some("200")), 1000);
    assert_eq!(due_ms(&mut courier, 1000), 1500);
    request(&mut courier, 1500);
    courier.answered(status(200, None), 1500);
    assert!(offer(&mut courier, 1, &[b"b"], 1500));
    assert_eq!(texts(&request(&mut courier, 1500)), ["b"]);
}

#[test]
fn a_store_that_refuses_everything_is_not_believed_and_not_stormed() {
    let mut courier = courier();
    for number in 0..8 {
        assert!(offer(&mut courier, number, &[b"a", b"b"], 0));
    }
    let (mut now_ms, mut requests) = (0, 0_u64);
    while now_ms < 600_000 {
        match courier.next(now_ms) {
            Next::Send(parcel) => {
                requests += 1;
                drop(parcel);
                courier.answered(status(400, None), now_ms);
            }
            Next::At(at_ms) => now_ms = at_ms,
            Next::Wait => panic!("it gave up"),
        }
    }
    assert!(acknowledged(&mut courier).is_empty());
    assert_eq!((courier.stats().refused, courier.stats().health), (0, Health::Misconfigured));
    assert!((40..160).contains(&requests), "{requests} requests");
    // Then somebody mends it, and it was none of the records.
    while acknowledged(&mut courier).is_empty() {
        match courier.next(now_ms) {
            Next::Send(parcel) => {
                drop(parcel);
                courier.answered(status(200, None), now_ms);
            }
            Next::At(at_ms) => now_ms = at_ms,
            Next::Wait => panic!("it gave up"),
        }
    }
    assert_eq!((courier.stats().refused, courier.stats().health), (0, Health::Well));
}

#[test]
fn that_every_record_is_refused_is_told_before_each_of_many_was_refused_by_itself() {
    let mut courier = Courier::new(Settings { batch_bytes: 1 << 20, ..settings(Format::Ndjson) });
    assert!(offer(&mut courier, 0, &[&b"a"[..]; 1000], 0));
    let mut requests = 0;
    while courier.take_told().is_empty() {
        request(&mut courier, 1000);
        courier.answered(status(400, None), 1000);
        requests += 1;
    }
    assert_eq!((requests, courier.stats().health), (33, Health::Misconfigured));
    assert!(due_ms(&mut courier, 1000) >= 1500);
}

#[test]
fn texts_are_cleaned_and_times_are_distinct() {
    let mut courier = courier();
    let mut envelopes = Vec::new();
    envelope::push(&mut envelopes, &record(b"\xef\xbb\xbffirst\r", 0));
    envelope::push(&mut envelopes, &record(b"\xef\xbb\xbfa\rb\r\r", 9));
    envelope::push(&mut envelopes, &record(b"\xff\0", 19));
    assert_eq!(courier.offer(0, &envelopes, 0), envelopes.len());
    let sent = request(&mut courier, 1000);
    assert_eq!(texts(&sent), ["first", "\u{feff}a\\rb\\r", "\u{fffd}\\u0000"]);
    let times: Vec<_> = sent.lines().map(|line| &line[30..35]).collect();
    assert_eq!(times, ["00000", "00001", "00002"].map(|time| &time[..5]));
    assert_eq!(courier.stats().not_utf8, 1);
}

#[test]
fn what_is_left_out_for_its_length_is_settled_and_counted() {
    let settings = Settings { long: Long::Drop, ..settings(Format::Ndjson) };
    let mut courier = Courier::new(settings);
    assert!(offer(&mut courier, 0, &[&[b'x'; 501]], 0));
    assert!(matches!(courier.next(1000), Next::Wait));
    assert_eq!(acknowledged(&mut courier), [0]);
    assert_eq!(courier.stats().shortened, 1);
    assert!(offer(&mut courier, 1, &[&[b'x'; 500]], 1000));
    assert_eq!(texts(&request(&mut courier, 2000)).len(), 1);
}
