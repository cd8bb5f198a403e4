//! Real stores on loopback: VictoriaLogs, Loki, and an OTLP collector. What they have is asked of
//! themselves.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::common::{Folder, Scraper, append, free_address, line, metric, wait_for, wait_until};

/// A program on the path or among what scripts/test installs, or None after saying loudly that there
/// is none. In continuous integration that is a failure.
pub fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tools/bin");
    let folders = std::env::split_paths(&path).chain([tools]);
    let found = folders.map(|folder| folder.join(name)).find(|file| file.is_file());
    if found.is_none() {
        let missing = format!("{name} is not installed");
        assert!(std::env::var_os("CI").is_none(), "{missing}: it was not tested with");
        // Straight to the terminal: the test harness keeps what a passing test prints.
        let _ = writeln!(std::io::stderr(), "\nNOT TESTED: {missing}\n");
    }
    found
}

/// A store that runs, and ends with this value.
pub struct Server {
    child: Child,
    pub address: String,
}

impl Server {
    fn start(mut command: Command, address: &str, ready: &str, folder: &Folder) -> Server {
        let log = File::options().append(true).create(true).open(folder.path("store.log")).unwrap();
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        let child = command.spawn().unwrap();
        let server = Server { child, address: address.to_owned() };
        wait_until("the store", || {
            ask(&server.url(ready), &[]).is_some_and(|(status, _)| status == 200)
        });
        server
    }

    pub fn victoria_logs(program: &Path, address: &str, folder: &Folder) -> Server {
        let mut command = Command::new(program);
        command.arg(format!("-httpListenAddr={address}")).arg("-retentionPeriod=100y");
        command.arg(format!("-storageDataPath={}", folder.argument("data")));
        command.arg("-inmemoryDataFlushInterval=1s");
        Server::start(command, address, "/health", folder)
    }

    pub fn loki(program: &Path, address: &str, folder: &Folder) -> Server {
        let config = include_str!("loki.yaml").replace("DATA", &folder.argument("data"));
        let (host, port) = address.split_once(':').unwrap();
        let config = config.replace("HOST", host).replace("PORT", port);
        fs::write(folder.path("loki.yaml"), config).unwrap();
        let mut command = Command::new(program);
        command.arg(format!("-config.file={}", folder.argument("loki.yaml")));
        Server::start(command, address, "/ready", folder)
    }

    /// An OTLP collector that writes what it gets into a file of that name.
    pub fn collector(program: &Path, address: &str, folder: &Folder, name: &str) -> Server {
        let mut command = Command::new(program);
        command.args(["start", "--otlp-http-endpoint", address, "--otlp-grpc-endpoint"]);
        command.args([&free_address(), "--debug-log", "logs", "--debug-log-verbosity", "detailed"]);
        command.args(["--exporter", "blackhole"]).stdin(Stdio::null());
        let out = File::create(folder.path(name)).unwrap();
        command.stdout(out.try_clone().unwrap()).stderr(out);
        Server { child: command.spawn().unwrap(), address: address.to_owned() }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    fn end(&mut self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
        wait_for(&mut self.child);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// GET, with parameters.
fn ask(url: &str, parameters: &[(&str, &str)]) -> Option<(u16, String)> {
    let config = ureq::Agent::config_builder().http_status_as_error(false).proxy(None);
    let agent: ureq::Agent = config.timeout_global(Some(Duration::from_secs(20))).build().into();
    let request =
        parameters.iter().fold(agent.get(url), |all, (name, value)| all.query(name, value));
    let mut answer = request.call().ok()?;
    let status = answer.status().as_u16();
    let body = answer.body_mut().with_config().limit(1 << 30).read_to_string().ok()?;
    Some((status, body))
}

/// Starts a scraper that is to be killed: small batches, and a checkpoint.
fn mortal(output: &str, url: &str, folder: &Folder) -> Scraper {
    let (log, checkpoint) = (folder.argument("app.log"), folder.argument("checkpoint"));
    let arguments = ["--output", output, "--url", url, "--label", "app=shop"];
    let more = ["--batch-timeout", "20ms", "--batch-max-bytes", "64KiB", "--checkpoint-file"];
    Scraper::start(&[&arguments[..], &more, &[&checkpoint, &log]].concat())
}

/// Numbers of the lines in what a store answered, each as often as it is there.
pub fn numbers(body: &str) -> Vec<u64> {
    let starts = body.match_indices("line 0");
    starts.filter_map(|(at, _)| body.get(at + 5..at + 14)?.parse().ok()).collect()
}

pub fn victoria_logs_has(server: &Server, app: &str) -> Vec<u64> {
    let query = format!("app:={app} | fields _msg");
    let answer = ask(&server.url("/select/logsql/query"), &[("query", &query)]);
    numbers(&answer.unwrap_or_default().1)
}

/// Where VictoriaLogs takes an output, and which names it is told there.
fn victoria_logs_path(output: &str) -> &'static str {
    match output {
        "otlp" => "/insert/opentelemetry/v1/logs?_stream_fields=app",
        "loki" => "/insert/loki/api/v1/push",
        "ndjson" => "/insert/jsonline?_stream_fields=app&_msg_field=message&_time_field=@timestamp",
        _ => {
            "/insert/elasticsearch/_bulk?_stream_fields=app&_msg_field=message&_time_field=@timestamp"
        }
    }
}

#[test]
fn victoria_logs_has_every_line_in_every_format() {
    let Some(program) = find("victoria-logs") else { return };
    let folder = Folder::new();
    let server = Server::victoria_logs(&program, &free_address(), &folder);
    let text: String = (0..10_000).map(line).collect();
    append(&folder.path("app.log"), text.as_bytes());
    let log = folder.argument("app.log");
    for output in ["otlp", "loki", "ndjson", "elasticsearch"] {
        let (url, label) = (server.url(victoria_logs_path(output)), format!("app={output}"));
        let scraper = Scraper::start(&[
            "--exit-on-eof",
            "--output",
            output,
            "--url",
            &url,
            "--label",
            &label,
            &log,
        ]);
        assert_eq!(scraper.wait().0.code(), Some(0), "{output}");
        wait_until("all lines", || victoria_logs_has(&server, output).len() >= 10_000);
        let seen: BTreeSet<u64> = victoria_logs_has(&server, output).into_iter().collect();
        assert_eq!(seen.len(), 10_000, "{output}");
    }
}

/// No address of a store that takes nothing there is an acknowledgement, whatever it answers.
#[test]
fn victoria_logs_acknowledges_nothing_at_another_address() {
    let Some(program) = find("victoria-logs") else { return };
    let folder = Folder::new();
    let server = Server::victoria_logs(&program, &free_address(), &folder);
    append(&folder.path("app.log"), (0..100).map(line).collect::<String>().as_bytes());
    let log = folder.argument("app.log");
    let check = |output: &str, path: &str| {
        let (url, admin) = (server.url(path), free_address());
        let usual = ["--output", output, "--url", &url, "--admin-listen", &admin];
        let scraper = Scraper::start(
            &[&usual[..], &["--batch-timeout", "0s", "--shutdown-timeout", "0s", &log]].concat(),
        );
        // Whatever it answers, what would be right is said.
        scraper.wait_for_message("/insert/");
        assert_eq!(metric(&admin, "log_scraper_store_records_total"), 0, "{output} {path}");
        assert_eq!(metric(&admin, "log_scraper_lag_bytes"), 100 * line(0).len() as u64);
        scraper.signal(Signal::TERM);
        assert_eq!(scraper.wait().0.code(), Some(2), "{output} {path}");
    };
    for output in ["otlp", "loki", "ndjson", "elasticsearch"] {
        for path in ["/", "/health", "/select/vmui/", "/metrics", "/insert/loki/ready", "/flags"] {
            check(output, path);
        }
    }
    check("elasticsearch", "/insert/elasticsearch/");
    check("loki", "/insert/elasticsearch/_license");
    check("otlp", "/insert/elasticsearch/_license");
    check("otlp", "/insert/splunk/services/collector/event");
}

/// How often a scraper is killed, and how often a store is: `STORE_KILLS=20` for as often, which takes
/// minutes.
const LIVES: u64 = 20;

fn store_kills() -> u64 {
    let asked = std::env::var("STORE_KILLS").ok().and_then(|text| text.parse().ok());
    asked.unwrap_or(4).clamp(1, LIVES)
}

/// Whether a store is killed in a life.
fn store_dies(life: u64) -> bool {
    (life + 1) * store_kills() / LIVES > life * store_kills() / LIVES
}

/// What VictoriaLogs acknowledged is on its disk after so long (`-inmemoryDataFlushInterval`, a second
/// here and 5 s usually, and its buffers): killed before, it loses what it had acknowledged, whoever
/// sent it.
const FLUSHED_AFTER: Duration = Duration::from_secs(4);

#[test]
fn victoria_logs_misses_no_line_though_it_and_the_scraper_are_killed_time_and_again() {
    let Some(program) = find("victoria-logs") else { return };
    let folder = Folder::new();
    let mut server = Server::victoria_logs(&program, &free_address(), &folder);
    let url = server.url(victoria_logs_path("ndjson"));
    let start = || mortal("ndjson", &url, &folder);
    let write = |from: u64| {
        let text: String = (from..from + 400).map(line).collect();
        append(&folder.path("app.log"), text.as_bytes());
        from + 400
    };
    let mut written = 0;
    for life in 0..LIVES {
        let scraper = start();
        for _ in 0..5 {
            written = write(written);
            thread::sleep(Duration::from_millis(10 + life));
        }
        if store_dies(life) {
            // In the middle of lines that the scraper holds because nobody takes them.
            kill_process(Pid::from_child(&server.child), Signal::STOP).unwrap();
            written = write(written);
            thread::sleep(Duration::from_millis(100));
            kill_process(Pid::from_child(&scraper.child), Signal::KILL).unwrap();
            scraper.wait();
            kill_process(Pid::from_child(&server.child), Signal::CONT).unwrap();
            thread::sleep(FLUSHED_AFTER);
            server.end(Signal::KILL);
            let scraper = start();
            written = write(written);
            scraper.wait_for_message("store: ");
            server = Server::victoria_logs(&program, &server.address, &folder);
            kill_process(Pid::from_child(&scraper.child), Signal::KILL).unwrap();
            scraper.wait();
        } else {
            kill_process(Pid::from_child(&scraper.child), Signal::KILL).unwrap();
            scraper.wait();
        }
    }
    let scraper = start();
    let seen = || victoria_logs_has(&server, "shop");
    let distinct = |seen: &[u64]| seen.iter().collect::<BTreeSet<_>>().len() as u64;
    wait_until("all lines", || distinct(&seen()) == written);
    scraper.terminate();
    let seen = seen();
    let largest = (64 << 10) / line(0).len() as u64;
    let (repeats, kills) = (seen.len() as u64 - distinct(&seen), LIVES + store_kills());
    assert!(repeats <= kills * largest, "{repeats} repeats of {written} lines, {kills} kills");
}

pub fn loki_has(server: &Server, label: &str, value: &str) -> Vec<u64> {
    let query = format!("{{{label}=\"{value}\"}}");
    let parameters = [("query", query.as_str()), ("limit", "1000000"), ("since", "2h")];
    let answer = ask(&server.url("/loki/api/v1/query_range"), &parameters);
    numbers(&answer.unwrap_or_default().1)
}

#[test]
fn loki_has_every_line_in_its_own_format_and_by_otlp_and_refuses_what_is_too_old_by_itself() {
    let Some(program) = find("loki") else { return };
    let folder = Folder::new();
    let server = Server::loki(&program, &free_address(), &folder);
    let text: String = (0..10_000).map(line).collect();
    append(&folder.path("app.log"), text.as_bytes());
    let log = folder.argument("app.log");
    for (output, path, label) in [
        ("loki", "", "app=loki"),
        // Loki makes labels of some attributes only, of which this is one.
        ("otlp", "/otlp/v1/logs", "service.name=otlp"),
    ] {
        let url = server.url(path);
        let scraper = Scraper::start(&[
            "--exit-on-eof",
            "--output",
            output,
            "--url",
            &url,
            "--label",
            label,
            &log,
        ]);
        assert_eq!(scraper.wait().0.code(), Some(0), "{output}");
    }
    let otlp = || loki_has(&server, "service_name", "otlp");
    wait_until("all lines", || loki_has(&server, "app", "loki").len() >= 10_000);
    wait_until("all lines by otlp", || otlp().len() >= 10_000);
    assert_eq!(loki_has(&server, "app", "loki").into_iter().collect::<BTreeSet<_>>().len(), 10_000);
    assert_eq!(otlp().into_iter().collect::<BTreeSet<_>>().len(), 10_000);
}

#[test]
fn loki_takes_the_neighbours_of_a_line_that_it_refuses() {
    let Some(program) = find("loki") else { return };
    let folder = Folder::new();
    let server = Server::loki(&program, &free_address(), &folder);
    let long = "x".repeat(5000);
    let lines = [line(0), format!("{}{long}\n", line(1).trim_end()), line(2)];
    append(&folder.path("app.log"), lines.concat().as_bytes());
    let (url, log, admin) = (server.url(""), folder.argument("app.log"), free_address());
    let arguments = ["--output", "loki", "--url", &url, "--label", "app=shop"];
    let scraper = Scraper::start(&[&arguments[..], &["--admin-listen", &admin, &log]].concat());
    wait_until("the others", || loki_has(&server, "app", "shop").len() >= 2);
    let dropped = "log_scraper_records_dropped_total{reason=\"refused\"}";
    wait_until("the count", || metric(&admin, dropped) == 1);
    assert_eq!(
        loki_has(&server, "app", "shop").into_iter().collect::<BTreeSet<_>>(),
        [0, 2].into()
    );
    scraper.wait_for_message("refused 1 record");
    scraper.terminate();
}

#[test]
fn both_loki_and_the_scraper_are_killed_time_and_again_and_no_line_is_missing() {
    let Some(program) = find("loki") else { return };
    let folder = Folder::new();
    let mut server = Server::loki(&program, &free_address(), &folder);
    let url = server.url("");
    let start = || mortal("loki", &url, &folder);
    let mut written = 0;
    for life in 0..LIVES {
        let scraper = start();
        for _ in 0..5 {
            let text: String = (written..written + 200).map(line).collect();
            append(&folder.path("app.log"), text.as_bytes());
            written += 200;
            thread::sleep(Duration::from_millis(20));
        }
        if store_dies(life) {
            // It has a log of its own, so this may be at any time.
            server.end(Signal::KILL);
            thread::sleep(Duration::from_millis(300));
        }
        kill_process(Pid::from_child(&scraper.child), Signal::KILL).unwrap();
        scraper.wait();
        if store_dies(life) {
            server = Server::loki(&program, &server.address, &folder);
        }
    }
    let scraper = start();
    let distinct =
        || loki_has(&server, "app", "shop").into_iter().collect::<BTreeSet<_>>().len() as u64;
    wait_until("all lines", || distinct() == written);
    scraper.terminate();
}

#[test]
fn an_otlp_collector_takes_both_encodings() {
    let Some(program) = find("rotel-agent") else { return };
    let folder = Folder::new();
    append(&folder.path("app.log"), (0..100).map(line).collect::<String>().as_bytes());
    for encoding in ["protobuf", "json"] {
        let server = Server::collector(&program, &free_address(), &folder, encoding);
        let (url, log) = (server.url("/v1/logs"), folder.argument("app.log"));
        let arguments = ["--exit-on-eof", "--output", "otlp", "--otlp-encoding", encoding];
        let scraper = Scraper::start(&[&arguments[..], &["--url", &url, &log]].concat());
        assert_eq!(scraper.wait().0.code(), Some(0), "{encoding}");
        let said = || fs::read_to_string(folder.path(encoding)).unwrap_or_default();
        wait_until("the collector's own list", || numbers(&said()).len() >= 100);
        assert_eq!(numbers(&said()), (0..100).collect::<Vec<_>>(), "{encoding}");
    }
}
