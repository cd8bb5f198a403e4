//! What gets to a store, and to stdout beside it, whoever is killed meanwhile.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::common::{Folder, Scraper, append, binary, line, numbers, wait_until};
use crate::script::{Reply, Request, Store};
use crate::{arguments, folder_with};

fn taken(store: &Store) -> Vec<u64> {
    store.requests().iter().flat_map(Request::numbers).collect()
}

#[test]
fn requests_are_compressed_and_say_what_they_are() {
    for (output, path, media_type) in [
        ("otlp", "/v1/logs", "application/x-protobuf"),
        ("loki", "/loki/api/v1/push", "application/json"),
        ("ndjson", "/", "application/x-ndjson"),
        ("elasticsearch", "/_bulk", "application/x-ndjson"),
    ] {
        let store = Store::start(|_, _| Reply::status(200));
        let folder = folder_with(1000);
        fs::write(folder.path("key"), "ApiKey secret\n").unwrap();
        let key = format!("X-Key={}", folder.argument("key"));
        let (url, log) = (store.url("/"), folder.argument("app.log"));
        let more =
            ["--header", "X-Scope-OrgID=tenant", "--header-file", &key, "--compression", "gzip"];
        let usual =
            ["--output", output, "--url", &url, "--label", "app=shop", "--log-level", "debug"];
        let scraper = Scraper::start(&[&usual[..], &more, &[&log]].concat());
        wait_until("a request", || store.count() >= 1);
        let request = &store.requests()[0];
        assert_eq!(request.numbers(), (0..1000).collect::<Vec<_>>(), "{output}");
        let field = |name: &str| request.fields.get(name).map(String::as_str);
        assert_eq!(request.target, path);
        assert_eq!(field("content-type"), Some(media_type));
        assert_eq!(field("content-encoding"), Some("gzip"));
        assert_eq!(field("x-scope-orgid"), Some("tenant"));
        assert_eq!(field("x-key"), Some("ApiKey secret"));
        assert_eq!(field("user-agent"), Some(concat!("log-scraper/", env!("CARGO_PKG_VERSION"))));
        assert!(!scraper.messages().contains("secret"));
    }
}

#[test]
fn a_token_that_is_replaced_is_taken_at_the_next_request() {
    let store = Store::start(|_, request| match &*request.fields["authorization"] {
        "Bearer two" => Reply::status(204),
        _ => Reply::status(401),
    });
    let folder = folder_with(10);
    let token = folder.path("token");
    fs::write(&token, "one\n").unwrap();
    let (url, log) = (store.url("/"), folder.argument("app.log"));
    let more = ["--bearer-token-file", token.to_str().unwrap(), &log];
    let scraper = Scraper::start(&arguments("ndjson", &url, &more));
    scraper.wait_for_message("HTTP 401");
    fs::write(folder.path("next"), "two\n").unwrap();
    fs::rename(folder.path("next"), &token).unwrap();
    scraper.wait_for_message("takes records again");
    scraper.terminate();
}

#[test]
fn proxies_of_the_environment_are_left_alone_unless_they_are_asked_for() {
    let store = Store::start(|_, _| Reply::status(204));
    let folder = folder_with(10);
    let (url, log) = (store.url("/"), folder.argument("app.log"));
    let mut command = binary();
    for name in ["HTTP_PROXY", "http_proxy", "ALL_PROXY"] {
        command.env(name, "http://127.0.0.1:1");
    }
    let scraper = Scraper::spawn(command.args(arguments("ndjson", &url, &[&log])));
    wait_until("a request", || store.count() >= 1);
    scraper.terminate();
    let more = ["--http-proxy", "http://127.0.0.1:1", &log];
    let scraper = Scraper::start(&arguments("ndjson", &url, &more));
    scraper.wait_for_message("store: ");
    assert_eq!(store.count(), 1);
    let more = ["--http-proxy", "environment", &log];
    let mut command = binary();
    command.env("HTTP_PROXY", "http://127.0.0.1:1").args(arguments("ndjson", &url, &more));
    let scraper = Scraper::spawn(&mut command);
    scraper.wait_for_message("store: ");
    assert_eq!(store.count(), 1);
    let scraper = Scraper::spawn(command.env("NO_PROXY", "10.0.0.0/8, 127.0.0.0/8"));
    wait_until("a request", || store.count() >= 2);
    scraper.terminate();
}

#[test]
fn the_environment_says_all_that_flags_do() {
    let store = Store::start(|_, _| Reply::status(204));
    let folder = folder_with(10);
    let mut command = binary();
    command.env("LOG_SCRAPER_OUTPUT", "loki").env("LOG_SCRAPER_URL", store.url("/"));
    command.env("LOG_SCRAPER_LABEL", "app=shop,env=prod").env("LOG_SCRAPER_HEADER", "A=1, 2\nB=3");
    let scraper = Scraper::spawn(command.arg(folder.path("app.log")));
    wait_until("a request", || store.count() >= 1);
    let request = &store.requests()[0];
    assert_eq!((&*request.fields["a"], &*request.fields["b"]), ("1, 2", "3"));
    assert!(request.body.is_empty() || request.body.contains(r#""app":"shop","env":"prod""#));
    scraper.terminate();
}

#[test]
fn stdout_gets_the_same_lines_and_holds_the_position_while_it_is_not_read() {
    let store = Store::start(|_, _| Reply::status(204));
    let folder = folder_with(20_000);
    let (url, log) = (store.url("/"), folder.argument("app.log"));
    let checkpoint = folder.argument("checkpoint");
    let more = ["--tee", "--checkpoint-file", &checkpoint, &log];
    let arguments = arguments("ndjson", &url, &more);
    // Nobody reads: the store gets what is in memory, and the position stays.
    let mut scraper = Scraper::spawn_unread(binary().args(&arguments));
    wait_until("a request", || store.count() >= 1);
    thread::sleep(Duration::from_millis(500));
    scraper.child.kill().unwrap();
    scraper.child.wait().unwrap();
    let scraper = Scraper::start(&arguments);
    wait_until("the last line", || {
        scraper.output_ends_with(&line(19_999)) && taken(&store).contains(&19_999)
    });
    let output = scraper.terminate();
    let seen = numbers(&output);
    assert!(seen.is_sorted() && seen.last() == Some(&19_999));
    // What the pipe held of the first life is gone with its reader; the position was before it.
    assert!(seen[0] < 6000 && seen.windows(2).all(|pair| pair[0] + 1 == pair[1]), "{}", seen[0]);
    let distinct: BTreeSet<u64> = taken(&store).into_iter().collect();
    assert_eq!(distinct.len(), 20_000);
}

#[test]
fn a_stdout_that_is_full_is_told_and_tried_again_without_a_hurry() {
    let store = Store::start(|_, _| Reply::status(204));
    let folder = folder_with(10);
    let (url, log) = (store.url("/"), folder.argument("app.log"));
    let mut command = Command::new("sh");
    command.args(["-c", "exec \"$0\" \"$@\" > /dev/full"]).arg(binary().get_program());
    let arguments = arguments("ndjson", &url, &["--tee", &log]);
    let mut scraper = Scraper::spawn_unread(command.args(&arguments));
    scraper.wait_for_message("stdout: no space left on device; trying again");
    wait_until("a request", || store.count() >= 1);
    assert!(scraper.is_at_rest());
    scraper.child.kill().unwrap();
    scraper.child.wait().unwrap();
}

/// Lines that came more than once.
fn repeats(seen: &[u64]) -> usize {
    let distinct: BTreeSet<_> = seen.iter().collect();
    seen.len() - distinct.len()
}

/// Twenty lives of a scraper whose file grows, each of them killed, and a last one that ends once `is_done`
/// with the lines that were written. `killed` is told after each of the twenty.
fn kill_time_and_again(
    output: &str,
    store: &Store,
    mut killed: impl FnMut(u64),
    is_done: impl Fn(u64) -> bool,
) {
    let folder = Folder::new();
    let (url, log) = (store.url("/"), folder.argument("app.log"));
    let checkpoint = folder.argument("checkpoint");
    let more = ["--batch-max-bytes", "20KiB", "--checkpoint-file", &checkpoint, &log];
    let arguments = arguments(output, &url, &more);
    let mut written = 0;
    for life in 0..20 {
        let scraper = Scraper::start(&arguments);
        for _ in 0..10 {
            let text: String = (written..written + 100).map(line).collect();
            append(&folder.path("app.log"), text.as_bytes());
            written += 100;
            thread::sleep(Duration::from_millis(7 + life));
        }
        kill_process(Pid::from_child(&scraper.child), Signal::KILL).unwrap();
        scraper.wait();
        // What it had sent is on its way to the store.
        thread::sleep(Duration::from_millis(100));
        killed(life);
    }
    let scraper = Scraper::start(&arguments);
    wait_until("all lines", || is_done(written));
    scraper.terminate();
}

#[test]
fn killed_time_and_again_it_loses_nothing_and_repeats_one_batch_at_most() {
    let taken = Arc::new(Mutex::new(Vec::new()));
    let theirs = Arc::clone(&taken);
    let store = Store::start(move |_, request| {
        theirs.lock().unwrap().push(request.numbers());
        thread::sleep(Duration::from_millis(3));
        Reply::status(204)
    });
    let (mut repeated, mut seen_before) = (0, 0);
    let killed = |life| {
        let batches = taken.lock().unwrap().clone();
        let all: Vec<u64> = batches.iter().flatten().copied().collect();
        let now = repeats(&all);
        let largest = batches.iter().map(Vec::len).max().unwrap_or(0);
        assert!(now - repeated <= largest, "{} repeats after life {life}", now - repeated);
        (repeated, seen_before) = (now, all.len());
    };
    kill_time_and_again("ndjson", &store, killed, |written| {
        let all = taken.lock().unwrap();
        all.iter().flatten().collect::<BTreeSet<_>>().len() as u64 == written
    });
    assert!(seen_before > 0);
}

#[test]
fn killed_time_and_again_it_gives_each_line_one_name_so_that_no_document_is_there_twice() {
    // Line by name, and how often one came again.
    let documents = Arc::new(Mutex::new((BTreeMap::new(), 0)));
    let theirs = Arc::clone(&documents);
    let store = Store::start(move |_, request| {
        let mut documents = theirs.lock().unwrap();
        let names = request.body.split("\"_id\":\"").skip(1);
        let names = names.map(|rest| rest.split('"').next().unwrap().to_owned());
        let mut items = Vec::new();
        for (name, number) in names.zip(request.numbers()) {
            let before = documents.0.insert(name, number);
            assert!(before.is_none_or(|before| before == number), "a name is of one line");
            documents.1 += u64::from(before.is_some());
            let status = if before.is_some() { 409 } else { 201 };
            items.push(format!("{{\"create\":{{\"status\":{status}}}}}"));
        }
        thread::sleep(Duration::from_millis(3));
        Reply::Says(200, "", format!("{{\"errors\":true,\"items\":[{}]}}", items.join(",")))
    });
    kill_time_and_again(
        "elasticsearch",
        &store,
        |_| {},
        |written| {
            documents.lock().unwrap().0.values().collect::<BTreeSet<_>>().len() as u64 == written
        },
    );
    let (documents, again) = &*documents.lock().unwrap();
    let lines: BTreeSet<_> = documents.values().collect();
    assert_eq!(documents.len(), lines.len(), "no line has two names, and {again} came again");
}
