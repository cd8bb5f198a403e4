//! The end while a store is there, is busy, or is away: soon where there is nothing to wait for, and
//! never later than was asked for.

use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::common::{Scraper, append, free_address, line, wait_until};
use crate::script::{Reply, Script, Store};
use crate::{arguments, folder_with};

/// What an end takes beside a wait, on a busy machine.
const SLACK: Duration = Duration::from_millis(1500);

/// What it is called, the script, further flags, the exit code, and how long it takes.
type Case = (&'static str, Script, &'static [&'static str], i32, [u64; 2]);

/// Told to end once a store has got so many requests: its exit code, and that it took at least and,
/// but for the slack, at most so many milliseconds.
fn check(
    name: &str,
    script: Script,
    requests: usize,
    more: &[&str],
    code: i32,
    range_ms: [u64; 2],
) {
    let store = Store::start_at("127.0.0.1:0", script);
    let folder = folder_with(100);
    let (url, log) = (store.url("/"), folder.argument("app.log"));
    let scraper = Scraper::start(&arguments("ndjson", &url, &[more, &[&log]].concat()));
    wait_until(name, || store.count() >= requests);
    thread::sleep(Duration::from_millis(200));
    let start = Instant::now();
    scraper.signal(Signal::TERM);
    let messages = scraper.messages();
    assert_eq!(scraper.wait().0.code(), Some(code), "{name}: {messages}");
    let took = start.elapsed();
    assert!(took >= Duration::from_millis(range_ms[0]), "{name}: {took:?}");
    assert!(took <= Duration::from_millis(range_ms[1]) + SLACK, "{name}: {took:?}");
}

#[test]
fn it_ends_at_once_or_as_soon_as_the_store_lets_it_or_when_the_time_is_over() {
    let well = || Reply::status(204);
    let hang = || Reply::Hangs(Duration::from_secs(60));
    let script = |first: Reply, then: fn() -> Reply| -> Script {
        Box::new(move |number, _| if number == 0 { first.clone() } else { then() })
    };
    let busy = Reply::Says(503, "Retry-After: 200\r\n", String::new());
    let second = &["--shutdown-timeout", "1s"][..];
    let cases: [Case; 6] = [
        (
            "all is acknowledged, the connection is idle",
            script(well(), || Reply::Resets),
            &[],
            0,
            [0, 0],
        ),
        ("it waits, and the store is back", script(busy, || Reply::status(204)), &[], 0, [0, 0]),
        (
            "a request waits on a connection that leads nowhere",
            script(hang(), || Reply::status(204)),
            &[],
            0,
            [2700, 4000],
        ),
        (
            "a slow store answers",
            script(Reply::Late(Duration::from_secs(2)), || Reply::status(500)),
            &[],
            0,
            [1000, 2000],
        ),
        (
            "every request waits",
            script(hang(), || Reply::Hangs(Duration::from_secs(60))),
            second,
            2,
            [1000, 1000],
        ),
        (
            "every request fails",
            script(Reply::status(500), || Reply::status(500)),
            second,
            2,
            [1000, 1000],
        ),
    ];
    thread::scope(|scope| {
        for (name, script, more, code, range_ms) in cases {
            scope.spawn(move || check(name, script, 1, more, code, range_ms));
        }
    });
}

#[test]
fn a_store_that_nobody_reaches_takes_the_time_that_was_given_and_no_more() {
    let folder = folder_with(100);
    let (url, log) = (format!("http://{}/", free_address()), folder.argument("app.log"));
    let scraper = Scraper::start(&arguments("otlp", &url, &["--shutdown-timeout", "1s", &log]));
    scraper.wait_for_message("store: ");
    let start = Instant::now();
    scraper.signal(Signal::TERM);
    assert_eq!(scraper.wait().0.code(), Some(2));
    assert!(start.elapsed() <= Duration::from_secs(1) + SLACK, "{:?}", start.elapsed());
}

#[test]
fn lines_that_came_with_the_signal_are_delivered_before_the_end() {
    let store = Store::start(|_, _| Reply::status(204));
    let folder = folder_with(100);
    let (url, log) = (store.url("/"), folder.argument("app.log"));
    let more = ["--output", "ndjson", "--url", &url, "--batch-timeout", "1h", &log];
    let scraper = Scraper::start(&more);
    scraper.wait_for_message("following");
    append(&folder.path("app.log"), line(100).as_bytes());
    let start = Instant::now();
    scraper.terminate();
    assert!(start.elapsed() <= SLACK, "{:?}", start.elapsed());
    let seen: Vec<u64> = store.requests().iter().flat_map(|one| one.numbers()).collect();
    assert_eq!(seen, (0..=100).collect::<Vec<_>>());
}

#[test]
fn ten_megabytes_that_were_not_read_are_delivered_before_the_end_though_the_writer_goes_on() {
    let count = 10_000_000 / line(0).len() as u64;
    // The first request is under way when the end is asked for.
    let store = Store::start(|number, _| match number {
        0 => Reply::Late(Duration::from_millis(300)),
        _ => Reply::status(204),
    });
    let folder = folder_with(count);
    let (url, log) = (store.url("/"), folder.argument("app.log"));
    let more = ["--shutdown-timeout", "60s", &log];
    let scraper = Scraper::start(&arguments("ndjson", &url, &more));
    wait_until("a request", || store.count() >= 1);
    append(&folder.path("app.log"), (count..count + 100).map(line).collect::<String>().as_bytes());
    let path = folder.path("app.log");
    let writer = thread::spawn(move || {
        (count + 100..count + 200).for_each(|number| {
            append(&path, line(number).as_bytes());
            thread::sleep(Duration::from_millis(2));
        });
    });
    scraper.terminate();
    writer.join().unwrap();
    let seen: Vec<u64> = store.requests().iter().flat_map(|one| one.numbers()).collect();
    assert!(seen.len() as u64 >= count + 100, "{} of {}", seen.len(), count + 100);
    assert_eq!(seen, (0..seen.len() as u64).collect::<Vec<_>>());
}
