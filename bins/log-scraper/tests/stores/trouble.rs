//! A store in trouble: nothing is lost, nobody is stormed, and the program's duties go on.

use std::collections::BTreeMap;
use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::common::{Scraper, append, free_address, get, line, metric, wait_until};
use crate::script::{Reply, Request, Store};
use crate::{arguments, folder_with};

/// What a request takes beside the wait, on a busy machine.
const SLACK: Duration = Duration::from_millis(900);

/// Requests fail so, twice, though it may be called a success; then all is well: each line is there, in as few requests as can be.
fn check(name: &str, output: &str, reply: &Reply, more: &[&str]) {
    let failing = reply.clone();
    let store = Store::start(move |number, _| match number {
        0 | 1 => failing.clone(),
        _ => Reply::status(204),
    });
    let folder = folder_with(100);
    let (url, log) = (store.url("/"), folder.argument("app.log"));
    let checkpoint = folder.argument("checkpoint");
    let more = [more, &["--checkpoint-file", &checkpoint, &log]].concat();
    let scraper = Scraper::start(&arguments(output, &url, &more));
    wait_until(name, || store.count() >= 3);
    // More requests than it takes would come now.
    thread::sleep(Duration::from_millis(1200));
    let requests = store.requests();
    assert_eq!(requests.len(), 3, "{name}");
    let expected: Vec<u64> = (0..100).collect();
    for request in &requests {
        assert_eq!(request.numbers(), expected, "{name}");
    }
    let waits = [requests[1].at - requests[0].at, requests[2].at - requests[1].at];
    let [first, second] = waits;
    assert!(first >= Duration::from_millis(500), "{name}: {waits:?}");
    assert!(first <= Duration::from_secs(1) + SLACK, "{name}: {waits:?}");
    assert!(second >= Duration::from_millis(500), "{name}: {waits:?}");
    assert!(second <= Duration::from_secs(2) + SLACK, "{name}: {waits:?}");
    assert!(scraper.messages().contains("store: "), "{name}: {}", scraper.messages());
    assert!(scraper.terminate().is_empty());
    let scraper = Scraper::start(&arguments(output, &url, &more));
    thread::sleep(Duration::from_millis(400));
    scraper.terminate();
    assert_eq!(store.count(), 3, "{name}: what was acknowledged is not sent again");
}

#[test]
fn whatever_it_answers_every_line_comes_and_one_request_for_each_wait() {
    let says = |status: u16, body: &str| Reply::Says(status, "", body.to_owned());
    let html = "<html><title>Bad gateway</title></html>";
    let timeout: &[&str] = &["--request-timeout", "300ms"];
    let redirect = Reply::Says(302, "Location: /other\r\n", String::new());
    let page = |body: &str| Reply::Says(200, "Content-Type: text/html\r\n", body.to_owned());
    let json = |body: &str| Reply::Says(200, "Content-Type: application/json\r\n", body.to_owned());
    let cases: [(&str, &str, Reply, &[&str]); 19] = [
        ("a page", "ndjson", page("<h1>Welcome to nginx!</h1>"), &[]),
        ("an empty page", "otlp", page(""), &[]),
        ("a page to log in at", "loki", says(201, "<!DOCTYPE html><form>"), &[]),
        ("a word", "ndjson", says(200, "Hello, World!"), &[]),
        ("another interface", "otlp", json(r#"{"data":[]}"#), &[]),
        ("the same for loki", "loki", json(r#"{"status":"success"}"#), &[]),
        ("half of a page", "ndjson", Reply::HalfBody(200), &[]),
        ("500", "ndjson", says(500, "oops"), &[]),
        ("503", "loki", says(503, ""), &[]),
        ("408", "otlp", says(408, ""), &[]),
        ("HTML", "ndjson", says(502, html), &[]),
        ("redirect", "ndjson", redirect, &[]),
        ("401", "ndjson", says(401, "who are you"), &[]),
        ("404", "otlp", says(404, "page not found"), &[]),
        ("reset", "ndjson", Reply::Resets, &[]),
        ("answers too late", "ndjson", Reply::Hangs(Duration::from_secs(2)), timeout),
        ("half a head", "loki", Reply::HalfHead, &[]),
        ("half a body", "ndjson", Reply::HalfBody(500), &[]),
        ("an endless answer", "ndjson", Reply::Endless(500), &[]),
    ];
    thread::scope(|scope| {
        for (name, output, reply, more) in &cases {
            scope.spawn(move || check(name, output, reply, more));
        }
    });
}

#[test]
fn an_endless_answer_that_was_to_be_a_bulk_answer_is_none() {
    let store = Store::start(|_, _| Reply::Endless(200));
    let folder = folder_with(10);
    let (url, log) = (store.url("/"), folder.argument("app.log"));
    let more = ["--request-timeout", "300ms", &log];
    let scraper = Scraper::start(&arguments("elasticsearch", &url, &more));
    wait_until("two requests", || store.count() >= 2);
    let before_kib = scraper.memory_kib("RssAnon");
    wait_until("another one", || store.count() >= 3);
    let after_kib = scraper.memory_kib("RssAnon");
    assert!(after_kib <= before_kib + 1024, "{before_kib} KiB, then {after_kib}");
    assert!(scraper.messages().contains("not a bulk answer"), "{}", scraper.messages());
}

#[test]
fn a_success_that_is_no_store_s_is_said_with_the_path_that_would_be_right_and_counted() {
    let page = "<html><h2>VictoriaLogs</h2></html>".to_owned();
    for (output, path) in [
        ("otlp", "/insert/opentelemetry/v1/logs"),
        ("loki", "/insert/loki/api/v1/push"),
        ("ndjson", "/insert/jsonline"),
        ("elasticsearch", "/insert/elasticsearch/_bulk"),
    ] {
        let page = page.clone();
        let store =
            Store::start(move |_, _| Reply::Says(200, "Content-Type: text/html\r\n", page.clone()));
        let folder = folder_with(10);
        let (url, log, admin) = (store.url("/"), folder.argument("app.log"), free_address());
        let more = ["--admin-listen", &admin, "--shutdown-timeout", "100ms", &log];
        let scraper = Scraper::start(&arguments(output, &url, &more));
        scraper.wait_for_message(path);
        let told = scraper.messages();
        assert!(told.contains("HTTP 200: <html><h2>VictoriaLogs</h2></html>: not a"), "{told}");
        let foreign = "log_scraper_store_foreign_answers_total";
        wait_until("the count", || metric(&admin, foreign) >= 1);
        assert_eq!(metric(&admin, "log_scraper_store_state{state=\"misconfigured\"}"), 1);
        assert_eq!(metric(&admin, "log_scraper_store_records_total"), 0);
        assert!(get(&admin, "/readyz").starts_with("HTTP/1.1 200"));
        scraper.signal(Signal::TERM);
        assert_eq!(scraper.wait().0.code(), Some(2), "{output}: nothing was delivered");
    }
}

#[test]
fn a_store_that_says_when_to_come_back_is_not_asked_before() {
    let store = Store::start(|number, _| match number {
        0 => Reply::Says(429, "Retry-After: 3\r\n", "slow down".to_owned()),
        _ => Reply::status(204),
    });
    let folder = folder_with(10);
    let (url, log) = (store.url("/"), folder.argument("app.log"));
    let scraper = Scraper::start(&arguments("loki", &url, &[&log]));
    wait_until("the second request", || store.count() >= 2);
    let requests = store.requests();
    let wait = requests[1].at - requests[0].at;
    assert!(wait >= Duration::from_secs(3), "{wait:?}");
    scraper.terminate();
}

#[test]
fn a_store_that_comes_late_gets_every_line_once_and_was_asked_once_for_each_wait() {
    let (address, admin) = (free_address(), free_address());
    let folder = folder_with(100);
    let (url, log) = (format!("http://{address}/"), folder.argument("app.log"));
    let start = Instant::now();
    let scraper = Scraper::start(&arguments("ndjson", &url, &["--admin-listen", &admin, &log]));
    scraper.wait_for_message("store: ");
    wait_until("two waits", || metric(&admin, "log_scraper_store_retries_total") >= 2);
    let store = Store::start_at(&address, Box::new(|_, _| Reply::status(204)));
    wait_until("a request", || store.count() >= 1);
    wait_until("its answer", || metric(&admin, "log_scraper_store_records_total") == 100);
    let asked = metric(&admin, "log_scraper_store_requests_total");
    // Each wait is half a second at least.
    assert!(asked <= 1 + start.elapsed().as_millis() as u64 / 500, "{asked} requests");
    scraper.terminate();
    let seen: Vec<u64> = store.requests().iter().flat_map(Request::numbers).collect();
    assert_eq!(seen, (0..100).collect::<Vec<_>>());
}

#[test]
fn what_is_too_large_is_sent_in_halves() {
    let store = Store::start(|_, request| match request.numbers().len() {
        0..=7 => Reply::status(200),
        _ => Reply::status(413),
    });
    let folder = folder_with(100);
    let (url, log) = (store.url("/"), folder.argument("app.log"));
    let scraper = Scraper::start(&arguments("ndjson", &url, &[&log]));
    let taken = || {
        let requests = store.requests();
        let small = requests.iter().filter(|request| request.numbers().len() <= 7);
        small.flat_map(Request::numbers).collect::<Vec<_>>()
    };
    wait_until("all lines", || taken().len() >= 100);
    assert_eq!(taken(), (0..100).collect::<Vec<_>>());
    assert_eq!(store.count(), 31, "a tree of halves down to seven");
    scraper.terminate();
}

/// Lines 17 and 60 are refused with a reason; the others must come, whoever stands beside them.
fn poison(output: &'static str) {
    let store = Store::start(|_, request| {
        let numbers = request.numbers();
        match numbers.contains(&17) || numbers.contains(&60) {
            true => Reply::Says(400, "", "line has no soul".to_owned()),
            false => Reply::status(204),
        }
    });
    let folder = folder_with(100);
    let (url, log) = (store.url("/"), folder.argument("app.log"));
    let admin = free_address();
    let scraper = Scraper::start(&arguments(output, &url, &["--admin-listen", &admin, &log]));
    let is_clean = |request: &Request| {
        let numbers = request.numbers();
        !numbers.contains(&17) && !numbers.contains(&60)
    };
    let taken = || {
        let requests = store.requests();
        let clean = requests.iter().filter(|request| is_clean(request));
        clean.flat_map(Request::numbers).collect::<Vec<_>>()
    };
    wait_until("the others", || taken().len() >= 98);
    let mut seen = taken();
    seen.sort_unstable();
    let expected: Vec<u64> = (0..100).filter(|number| ![17, 60].contains(number)).collect();
    assert_eq!(seen, expected, "{output}");
    let dropped = "log_scraper_records_dropped_total{reason=\"refused\"}";
    wait_until("the count", || metric(&admin, dropped) == 2);
    assert!(store.count() < 40, "{} requests", store.count());
    scraper.wait_for_message("HTTP 400: line has no soul");
    assert!(get(&admin, "/readyz").starts_with("HTTP/1.1 200"));
    scraper.terminate();
}

#[test]
fn a_poisonous_line_is_left_out_alone() {
    ["ndjson", "loki", "otlp"].into_iter().for_each(poison);
}

#[test]
fn a_bulk_answer_is_taken_item_by_item_and_names_make_repeats_harmless() {
    let mut documents: BTreeMap<String, u64> = BTreeMap::new();
    let (mut creations, mut conflicts) = (0, 0);
    let store = Store::start(move |number, request| {
        let mut items = Vec::new();
        for (place, pair) in request.body.lines().collect::<Vec<_>>().chunks(2).enumerate() {
            let id = pair[0].split("\"_id\":\"").nth(1).unwrap().split('"').next().unwrap();
            let document = Request { body: pair[1].to_owned(), ..request.clone() };
            let line = document.numbers()[0];
            let status = match line {
                33 => 400,
                _ if number == 0 && place % 3 == 0 => 429,
                _ if documents.contains_key(id) => 409,
                _ => 201,
            };
            if status == 201 {
                documents.insert(id.to_owned(), line);
                creations += 1;
            }
            conflicts += u32::from(status == 409);
            items.push(format!("{{\"create\":{{\"_id\":\"{id}\",\"status\":{status}}}}}"));
        }
        // The second answer is lost though all was done.
        match number {
            1 => Reply::Resets,
            _ => {
                let items = items.join(",");
                let about = format!("\"x\":[{creations},{conflicts}],\"errors\":true");
                Reply::Says(200, "", format!("{{{about},\"items\":[{items}]}}"))
            }
        }
    });
    let folder = folder_with(100);
    let (url, log) = (store.url("/"), folder.argument("app.log"));
    let admin = free_address();
    let more = ["--admin-listen", &admin, "--index", "logs", &log];
    let scraper = Scraper::start(&arguments("elasticsearch", &url, &more));
    wait_until("a request", || store.count() >= 1);
    wait_until("the end", || metric(&admin, "log_scraper_store_batches_total") >= 1);
    assert_eq!(metric(&admin, "log_scraper_store_records_total"), 99);
    let dropped = "log_scraper_records_dropped_total{reason=\"refused\"}";
    assert_eq!(metric(&admin, dropped), 1);
    let requests = store.requests();
    assert_eq!(requests.len(), 3);
    assert_eq!(requests[0].numbers().len(), 100);
    // Of these the first 34 were to come again, and line 33 was one of them.
    let again: Vec<u64> = (0..100).filter(|number| number % 3 == 0 && *number != 33).collect();
    assert_eq!(requests[1].numbers(), again);
    assert_eq!(requests[2].numbers(), again);
    assert!(requests[0].body.starts_with("{\"create\":{\"_index\":\"logs\",\"_id\":\""));
    scraper.terminate();
}

#[test]
fn while_it_is_away_memory_stays_as_it_is_and_every_duty_is_done() {
    let store = Store::start(|_, _| Reply::status(500));
    let folder = folder_with(400_000);
    let (url, log) = (store.url("/"), folder.argument("app.log"));
    let (admin, checkpoint) = (free_address(), folder.argument("checkpoint"));
    let more = ["--admin-listen", &admin, "--checkpoint-file", &checkpoint];
    let more = [&more[..], &["--shutdown-timeout", "1s", &log]].concat();
    let scraper = Scraper::start(&arguments("ndjson", &url, &more));
    wait_until("a request", || store.count() >= 1);
    let before_kib = scraper.memory_kib("RssAnon");
    let len = fs::metadata(folder.path("app.log")).unwrap().len();
    for second in 0..3 {
        append(&folder.path("app.log"), line(400_000 + second).as_bytes());
        thread::sleep(Duration::from_secs(1));
        assert!(get(&admin, "/livez").starts_with("HTTP/1.1 200"));
        assert!(get(&admin, "/readyz").starts_with("HTTP/1.1 200"));
    }
    let after_kib = scraper.memory_kib("RssAnon");
    assert!(after_kib <= before_kib + 1024, "{before_kib} KiB, then {after_kib}");
    assert_eq!(metric(&admin, "log_scraper_store_state{state=\"away\"}"), 1);
    let lag = metric(&admin, "log_scraper_lag_bytes");
    assert!(lag >= len, "{lag} of {len} bytes are not delivered");
    assert!(store.count() < 8, "{} requests", store.count());
    let start = Instant::now();
    scraper.signal(Signal::TERM);
    let (status, _) = scraper.wait();
    assert_eq!(status.code(), Some(2), "not everything is out");
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}
