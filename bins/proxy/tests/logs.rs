//! Where lines go, and that a reader that stops reading stops nothing.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on ends there")]

mod common;

use std::fs;
use std::io::{PipeReader, PipeWriter, Read, Write};
use std::process::Stdio;
use std::time::{Duration, Instant};

use common::{Client, Folder, Proxy, program, wait_until};
use rustix::process::Signal;

/// A pipe that takes no more bytes.
fn full_pipe() -> (PipeReader, PipeWriter) {
    let (reader, mut writer) = std::io::pipe().unwrap();
    rustix::io::ioctl_fionbio(&writer, true).unwrap();
    for size in [4096, 1] {
        while writer.write(&b"x".repeat(size)).is_ok() {}
    }
    rustix::io::ioctl_fionbio(&writer, false).unwrap();
    (reader, writer)
}

/// A proxy whose upstream is not there, with these outputs.
fn start(stdout: impl Into<Stdio>, stderr: impl Into<Stdio>, log: &str) -> Proxy {
    let folder = Folder::new();
    let (port, admin, nobody) = (common::free_port(), common::free_port(), common::free_port());
    let conf = folder.write(
        "nginx.conf",
        format!(
            "events {{}} http {{ {log} server {{ listen 127.0.0.1:{port}; location /own {{ return 200 own; }} \
             location / {{ proxy_pass http://127.0.0.1:{nobody}; }} }} }}"
        ),
    );
    let child = program()
        .args(["-c", conf.to_str().unwrap(), "--workers=1", "--drain-delay=0"])
        .arg(format!("--admin-listen=127.0.0.1:{admin}"))
        .stdin(Stdio::null())
        .stdout(stdout)
        .stderr(stderr)
        .spawn()
        .unwrap();
    wait_until("it listens", || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
    Proxy { child, port, admin, folder }
}

fn check_nothing_stops(stdout: impl Into<Stdio>, stderr: impl Into<Stdio>) {
    let mut proxy = start(stdout, stderr, "");
    for _ in 0..3 {
        assert!(proxy.get("/own").starts_with("HTTP/1.1 200 "));
        assert!(proxy.get("/").starts_with("HTTP/1.1 502 "));
    }
    proxy.signal(Signal::HUP);
    assert!(proxy.get("/own").starts_with("HTTP/1.1 200 "));
    assert!(proxy.admin("/livez").starts_with("HTTP/1.1 200 "));
    let begun = Instant::now();
    proxy.signal(Signal::TERM);
    assert_eq!(proxy.wait().code(), Some(0));
    assert!(begun.elapsed() < Duration::from_secs(6), "{:?}", begun.elapsed());
}

#[test]
fn a_stderr_that_nobody_reads_stops_no_request_and_no_end() {
    let (_reader, writer) = full_pipe();
    check_nothing_stops(Stdio::null(), writer);
}

#[test]
fn a_stdout_that_nobody_reads_stops_no_request_and_no_end() {
    let (_reader, writer) = full_pipe();
    check_nothing_stops(writer, Stdio::null());
}

#[test]
fn a_bad_configuration_ends_it_though_nobody_reads_why() {
    let (_reader, writer) = full_pipe();
    let folder = Folder::new();
    let conf = folder.write("nginx.conf", "nonsense;");
    let mut child =
        program().arg("-c").arg(conf).stdout(Stdio::null()).stderr(writer).spawn().unwrap();
    let begun = Instant::now();
    assert_eq!(child.wait().unwrap().code(), Some(78));
    assert!(begun.elapsed() < Duration::from_secs(6));
}

#[test]
fn lines_that_find_no_room_are_counted_and_said_once_it_is_read_again() {
    let folder = Folder::new();
    let (mut reader, writer) = full_pipe();
    let stderr = folder.path().join("stderr.log");
    let proxy = start(writer, fs::File::create(&stderr).unwrap(), "");
    let said = || fs::read_to_string(&stderr).unwrap();
    let dropped = |log: &str| {
        let metrics = proxy.admin("/metrics");
        let sample = format!("sidecar_proxy_log_lines_dropped_total{{log=\"{log}\"}} ");
        let line = metrics.lines().find_map(|line| line.strip_prefix(&sample).map(str::to_owned));
        line.unwrap().parse::<u64>().unwrap()
    };
    let mut client = proxy.connect();
    let asked = 1_000;
    for number in 0..asked {
        let query = "q".repeat(7_000);
        client.send(format!("GET /own?{number}-{query} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes());
        assert!(client.answer().starts_with("HTTP/1.1 200 "));
    }
    wait_until("lines are dropped", || dropped("access") > 0);
    assert_eq!(dropped("error"), 0);
    assert!(!said().contains("dropped"), "not while it takes nothing: {}", said());
    let reading = std::thread::spawn(move || {
        let mut text = Vec::new();
        reader.read_to_end(&mut text).unwrap();
        common::lossy(&text)
    });
    wait_until("it is said", || said().contains("were dropped"));
    // Only now: the last lines may be on their way when the first ones are dropped.
    let count = dropped("access");
    let expected = format!(
        "[WARN] {count} access log lines were dropped: standard output was not read in time\n"
    );
    assert!(said().contains(&expected), "{}", said());
    let mut proxy = proxy;
    proxy.signal(Signal::TERM);
    assert_eq!(proxy.wait().code(), Some(0));
    let text = reading.join().unwrap();
    let whole = text.lines().filter(|line| line.contains("\"GET /own?") && line.ends_with('"'));
    assert_eq!(whole.count() as u64, asked - count, "the others came, each whole");
    assert_eq!(said().matches("were dropped").count(), 1);
}

#[test]
fn error_log_writes_to_files_each_from_its_level_and_opens_them_anew() {
    let folder = Folder::new();
    let path = |name: &str| folder.path().join(name);
    let read = |name: &str| fs::read_to_string(path(name)).unwrap_or_default();
    let (main, http) = (path("main"), path("http"));
    let proxy = Proxy::start_with(
        "events {} http { ERROR_LOG server { listen 127.0.0.1:PORT; location / { \
         proxy_pass http://127.0.0.1:1; } location /own { return 200; } } }"
            .replace("ERROR_LOG", &format!("error_log {} error;", http.display()))
            .as_str(),
        &["-g", &format!("error_log {} notice; error_log stderr error;", main.display())],
    );
    wait_until("the start is told", || read("main").contains("[NOTICE] sidecar-kit proxy/"));
    proxy.signal(Signal::HUP);
    wait_until("the reload is told", || read("main").contains("[NOTICE] the new configuration"));
    assert!(proxy.get("/own").starts_with("HTTP/1.1 200 "));
    assert_eq!(proxy.stderr(), "", "nothing is as bad as an error");
    // A bad file is one: it goes to both destinations of the main level, and not to that of http.
    proxy.folder.write("nginx.conf", "nonsense;");
    proxy.signal(Signal::HUP);
    wait_until("the refusal is told", || {
        [read("main"), proxy.stderr()].iter().all(|text| text.contains("is refused"))
    });
    assert!(!read("http").contains("refused"));
    fs::rename(&main, path("main.1")).unwrap();
    proxy.signal(Signal::USR1);
    wait_until("the file is opened anew", || main.exists() && read("main").is_empty());
    proxy.signal(Signal::HUP);
    wait_until("it goes on there", || read("main").contains("is refused"));
}

#[test]
fn error_log_of_a_server_and_of_a_location_has_what_is_about_their_requests() {
    let folder = Folder::new();
    let path = |name: &str| folder.path().join(name);
    let read = |name: &str| fs::read_to_string(path(name)).unwrap_or_default();
    let log = |name: &str, level: &str| format!("error_log {} {level};", path(name).display());
    let text = format!(
        "events {{}} {} http {{ {} server {{ listen 127.0.0.1:PORT; server_name first; \
         location / {{ proxy_pass http://127.0.0.1:1; }} \
         location /own {{ {} {} rewrite_log on; rewrite ^/own/(.*) /own-$1 break; \
         proxy_pass http://127.0.0.1:1; }} }} \
         server {{ listen 127.0.0.1:PORT; server_name second; {} \
         location / {{ proxy_pass http://127.0.0.1:1; }} }} }}",
        log("main", "info"),
        log("http", "error"),
        log("own", "notice"),
        log("grave", "crit"),
        log("second", "info"),
    );
    let proxy = Proxy::start_with(&text, &[]);
    let ask = |host: &str, path: &str| {
        let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        assert!(proxy.ask(&request).starts_with("HTTP/1.1 502 "), "{host} {path}");
    };
    let connect = "cannot connect to the upstream";
    ask("first", "/");
    wait_until("it is told in the log of http", || read("http").contains(connect));
    // Of one kind there is one line a second.
    std::thread::sleep(Duration::from_millis(1_100));
    ask("first", "/own/x");
    wait_until("it is told in the log of the location", || read("own").contains(connect));
    assert!(read("own").contains("[NOTICE] ") && read("own").contains("rewritten data"));
    std::thread::sleep(Duration::from_millis(1_100));
    ask("second", "/");
    wait_until("it is told in the log of the server", || read("second").contains(connect));
    let count = |name: &str| read(name).matches(connect).count();
    assert_eq!((count("http"), count("own"), count("second")), (1, 1, 1));
    assert_eq!((read("grave").as_str(), count("main")), ("", 0));
}

#[test]
fn a_start_that_fails_is_told_on_stderr_whatever_error_log_says() {
    let proxy = Proxy::start("events {} http { server { listen 127.0.0.1:PORT; return 204; } }");
    let folder = Folder::new();
    let file = folder.path().join("error");
    let conf = folder.write(
        "nginx.conf",
        format!(
            "error_log {}; events {{}} http {{ server {{ listen 127.0.0.1:{}; return 204; }} }}",
            file.display(),
            proxy.port
        ),
    );
    let output = common::output(&["-c", conf.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2));
    for text in [common::lossy(&output.stderr), fs::read_to_string(&file).unwrap()] {
        assert!(text.contains("cannot listen on 127.0.0.1"), "{text}");
    }
}

#[test]
fn an_error_log_that_cannot_be_opened_is_told_and_lines_go_to_stderr() {
    let proxy = Proxy::start_with(
        "events {} http { server { listen 127.0.0.1:PORT; return 204; } }",
        &["-g", "error_log /no/such/folder/error.log notice;"],
    );
    wait_until("both are told", || {
        let said = proxy.stderr();
        said.contains("cannot open the error log /no/such/folder/error.log: ")
            && said.contains("[NOTICE] sidecar-kit proxy/")
    });
}

#[test]
fn the_flag_e_names_the_log_until_the_configuration_names_another() {
    let folder = Folder::new();
    let early = folder.path().join("early");
    let read = || fs::read_to_string(&early).unwrap_or_default();
    let flag = early.to_str().unwrap().to_owned();
    let bad = folder.write("bad.conf", "nonsense;");
    let output = common::output(&["-e", &flag, "-c", bad.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(78));
    // nginx: before it serves, what is wrong is on standard error too.
    assert!(common::lossy(&output.stderr).contains("unknown directive \"nonsense\""));
    assert!(read().contains("unknown directive \"nonsense\""));
    // Where the configuration names none, it stays.
    let conf = "events {} http { server { listen 127.0.0.1:PORT; return 204; } }";
    let proxy = Proxy::start_with(conf, &["-e", &flag]);
    wait_until("the start is told", || read().contains("[NOTICE] sidecar-kit proxy/"));
    assert_eq!(proxy.stderr(), "");
    drop(proxy);
    let proxy = Proxy::start_with(conf, &["-e", "stderr"]);
    wait_until("stderr is a name", || proxy.stderr().contains("[NOTICE] sidecar-kit proxy/"));
    let mut client = Client::connect(proxy.port);
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(client.answer().starts_with("HTTP/1.1 204 "));
}
