//! The real program, as a process: answers, log file, signals, bad input.
//!
//! Each test starts its own on a free port in a folder of its own. Waiting is polling with a
//! deadline.

#![allow(clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::Barrier;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

const PROGRAM: &str = env!("CARGO_BIN_EXE_hello-app");
const DEADLINE: Duration = Duration::from_secs(20);

struct App {
    child: Child,
    folder: PathBuf,
    address: String,
    stderr: Receiver<String>,
    said: Vec<String>,
}

impl App {
    fn start(name: &str, arguments: &[&str]) -> App {
        App::start_with(name, Command::new(PROGRAM), arguments, |_| {})
    }

    fn start_with(
        name: &str,
        mut command: Command,
        arguments: &[&str],
        prepare: impl FnOnce(&PathBuf),
    ) -> App {
        let folder = std::env::temp_dir().join(format!("hello-app-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        prepare(&folder);
        let mut child = command
            .args(["--listen", "127.0.0.1:0", "--log-file"])
            .arg(folder.join("log/logs.txt"))
            .args(arguments)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (sender, stderr) = channel();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        std::thread::spawn(move || lines.map_while(Result::ok).try_for_each(|l| sender.send(l)));
        let mut app = App { child, folder, address: String::new(), stderr, said: Vec::new() };
        let line = app.wait_for_stderr("listening on ");
        app.address = line.rsplit(' ').next().unwrap().to_owned();
        app
    }

    /// The line on stderr that contains `part`, said before or within the deadline.
    fn wait_for_stderr(&mut self, part: &str) -> String {
        let end = Instant::now() + DEADLINE;
        loop {
            if let Some(line) = self.said.iter().find(|line| line.contains(part)) {
                return line.clone();
            }
            let left = end.saturating_duration_since(Instant::now());
            match self.stderr.recv_timeout(left) {
                Ok(line) => self.said.push(line),
                Err(error) => panic!("{part:?} was not said ({error}): {:?}", self.said),
            }
        }
    }

    fn connect(&self) -> TcpStream {
        connect(&self.address)
    }

    fn exchange(&self, request: &str) -> String {
        exchange(&self.address, request)
    }

    fn get(&self, path: &str) -> String {
        self.exchange(&format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"))
    }

    fn log(&self, name: &str) -> String {
        fs::read_to_string(self.folder.join("log").join(name)).unwrap_or_default()
    }

    fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &pid]).status().unwrap().success());
    }

    /// Sends SIGTERM; the exit code and how long it took.
    fn terminate(&mut self) -> (Option<i32>, Duration) {
        let started = Instant::now();
        self.signal("TERM");
        (self.child.wait().unwrap().code(), started.elapsed())
    }
}

impl Drop for App {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn connect(address: &str) -> TcpStream {
    let client = TcpStream::connect(address).unwrap();
    client.set_read_timeout(Some(DEADLINE)).unwrap();
    client
}

/// Sends `request` on a new connection and returns all that comes until it is closed.
fn exchange(address: &str, request: &str) -> String {
    let mut client = connect(address);
    client.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).unwrap();
    String::from_utf8(answer).unwrap()
}

/// Reads one answer by its length, as a client does that need not wait for the end: head and body.
fn read_answer(client: &mut BufReader<TcpStream>) -> (String, String) {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert!(client.read_line(&mut head).unwrap() > 0, "closed after {head:?}");
    }
    let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: ")).unwrap();
    let mut body = vec![0; length.parse().unwrap()];
    client.read_exact(&mut body).unwrap();
    (head, String::from_utf8(body).unwrap())
}

#[track_caller]
fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + DEADLINE;
    while !condition() {
        assert!(Instant::now() < end, "{what} did not happen");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn run(arguments: &[&str]) -> Output {
    Command::new(PROGRAM).args(arguments).output().unwrap()
}

#[test]
fn answers_hello_world_to_get_and_its_head_to_head() {
    let app = App::start("hello", &[]);
    let answer = app.get("/");
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.contains("\r\nContent-Type: text/plain; charset=utf-8\r\n"), "{answer}");
    assert!(answer.contains("\r\nContent-Length: 13\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\nHello, World!"), "{answer}");
    let answer = app.exchange("HEAD / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    assert!(answer.contains("\r\nContent-Length: 13\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\n"), "{answer}");
}

#[test]
fn another_path_is_404_and_another_method_405_with_allow() {
    let app = App::start("errors", &[]);
    assert!(app.get("/x").starts_with("HTTP/1.1 404 "));
    let answer = app.exchange("PUT / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 405 "), "{answer}");
    assert!(answer.contains("\r\nAllow: GET, HEAD\r\n"), "{answer}");
    let answer = app.exchange("PUT /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
}

#[test]
fn each_answer_says_close_and_its_connection_is_closed_with_the_clients_end() {
    let app = App::start("close", &[]);
    for request in [
        "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\n\r\n",
        "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
        "GET /x HTTP/1.1\r\nHost: a\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
    ] {
        let mut client = app.connect();
        client.write_all(request.as_bytes()).unwrap();
        let mut client = BufReader::new(client);
        let (head, _) = read_answer(&mut client);
        assert_eq!(head.matches("\r\nConnection: close\r\n").count(), 1, "{request}{head}");
        client.get_ref().shutdown(Shutdown::Write).unwrap();
        assert_eq!(client.read(&mut [0]).unwrap(), 0, "{request}");
    }
}

#[test]
fn a_connection_that_the_client_said_to_close_is_closed() {
    let app = App::start("closed", &[]);
    // `exchange` reads until the connection is closed.
    for fields in ["HTTP/1.1\r\nHost: a\r\nConnection: close", "HTTP/1.0"] {
        let answer = app.exchange(&format!("GET / {fields}\r\n\r\n"));
        assert!(answer.contains("\r\nConnection: close\r\n"), "{answer}");
    }
}

#[test]
fn each_request_is_a_line_that_is_there_before_its_answer() {
    let app = App::start("lines", &[]);
    app.get("/");
    app.get("/a?b=%20c");
    app.exchange(
        "POST / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 203.0.113.9, 10.0.0.1\r\n\
         Connection: close\r\n\r\n",
    );
    let log = app.log("logs.txt");
    let lines: Vec<_> = log.lines().map(|line| line.split_once(' ').unwrap()).collect();
    let expected = [
        "INFO GET / 200 127.0.0.1",
        "WARN GET /a?b=%20c 404 127.0.0.1",
        "WARN POST / 405 203.0.113.9",
    ];
    assert_eq!(lines.iter().map(|(_, rest)| *rest).collect::<Vec<_>>(), expected);
    for (time, _) in lines {
        let shape: String =
            time.chars().map(|c| if c.is_ascii_digit() { '9' } else { c }).collect();
        assert_eq!(shape, "9999-99-99T99:99:99.999Z");
    }
}

#[test]
fn a_request_cannot_forge_a_line() {
    let app = App::start("forge", &[]);
    app.exchange(
        "GET /\x1b[31m\r\r HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: a b\x07\r\n\
         Connection: close\r\n\r\n",
    );
    let log = app.log("logs.txt");
    assert_eq!(log.lines().count(), 1, "{log}");
    assert!(log.bytes().all(|byte| byte == b'\n' || byte == b' ' || byte.is_ascii_graphic()));
    assert_eq!(log.split(' ').count(), 6, "{log}");
}

#[test]
fn sighup_opens_the_renamed_file_anew() {
    let mut app = App::start("hup", &[]);
    app.get("/one");
    fs::rename(app.folder.join("log/logs.txt"), app.folder.join("log/old")).unwrap();
    app.get("/two");
    app.said.clear();
    app.signal("HUP");
    app.wait_for_stderr("opened");
    app.get("/three");
    assert!(app.log("old").contains("/one") && app.log("old").contains("/two"));
    assert!(app.log("logs.txt").contains("/three"));
    assert_eq!(app.log("logs.txt").lines().count(), 1);
}

#[test]
fn rotation_under_load_loses_and_doubles_no_line() {
    let app = App::start("rotate", &["--log-max-bytes", "4k", "--log-keep", "100"]);
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let address = &app.address;
            scope.spawn(move || {
                for number in 0..200 {
                    let request = format!("GET /{thread}-{number} HTTP/1.0\r\n\r\n");
                    let answer = exchange(address, &request);
                    assert!(answer.starts_with("HTTP/1.1 404 Not Found"), "{answer}");
                }
            });
        }
    });
    let mut paths = Vec::new();
    for number in 0..=100 {
        let name = if number == 0 { "logs.txt".into() } else { format!("logs.txt.{number}") };
        let text = app.log(&name);
        assert!(text.len() <= 4096, "{name} has {} bytes", text.len());
        paths.extend(text.lines().map(|line| line.split(' ').nth(3).unwrap().to_owned()));
    }
    assert_eq!(paths.len(), 800);
    paths.sort();
    paths.dedup();
    assert_eq!(paths.len(), 800);
    assert!(!app.log("logs.txt.1").is_empty());
}

#[test]
fn a_log_that_cannot_be_written_is_said_once_and_recovers_by_itself() {
    let mut app = App::start_with("unwritable", Command::new(PROGRAM), &[], |folder| {
        fs::write(folder.join("log"), "a file in the folder's place").unwrap();
    });
    for _ in 0..20 {
        assert!(app.get("/").ends_with("Hello, World!"));
    }
    fs::remove_file(app.folder.join("log")).unwrap();
    wait_until("a line in the new file", || {
        app.get("/");
        !app.log("logs.txt").is_empty()
    });
    app.wait_for_stderr("lines were lost");
    let complaints = app.said.iter().filter(|line| line.contains("cannot")).count();
    assert_eq!(complaints, 1, "{:?}", app.said);
}

#[test]
fn sigterm_writes_a_last_line_and_ends_within_a_second() {
    for signal in ["TERM", "INT"] {
        let mut app = App::start(&format!("end-{signal}"), &[]);
        // An idle connection and one that has sent half a request must not hold up the end.
        let _idle = app.connect();
        app.connect().write_all(b"GET / HTTP/1.1\r\nHo").unwrap();
        app.get("/");
        let started = Instant::now();
        app.signal(signal);
        assert_eq!(app.child.wait().unwrap().code(), Some(0));
        assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
        let log = app.log("logs.txt");
        assert!(log.ends_with(" INFO shutting down\n") && log.lines().count() == 2, "{log}");
    }
}

#[test]
fn sigterm_under_load_answers_what_was_begun() {
    let mut app = App::start("end-load", &[]);
    let address = app.address.clone();
    let clients: Vec<_> = (0..8)
        .map(|_| {
            let address = address.clone();
            std::thread::spawn(move || {
                let mut answered = 0;
                // Ends with the first connection refused or closed without an answer begun.
                while let Ok(mut client) = TcpStream::connect(&address) {
                    let request = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
                    let mut answer = String::new();
                    let _ = client.write_all(request);
                    if client.read_to_string(&mut answer).is_err() || answer.is_empty() {
                        break;
                    }
                    assert!(answer.ends_with("Hello, World!"), "{answer}");
                    answered += 1;
                }
                answered
            })
        })
        .collect();
    wait_until("some load", || app.log("logs.txt").lines().count() > 50);
    let (code, took) = app.terminate();
    assert_eq!(code, Some(0));
    assert!(took < Duration::from_secs(1), "{took:?}");
    let answered: usize = clients.into_iter().map(|client| client.join().unwrap()).sum();
    let log = app.log("logs.txt");
    assert!(log.ends_with(" INFO shutting down\n"));
    let logged = log.lines().count() - 1;
    assert!(answered <= logged && logged <= answered + 8, "{answered} answered, {logged} logged");
}

#[test]
fn a_body_of_absurd_length_is_refused_and_the_program_lives() {
    let app = App::start("huge", &[]);
    for length in ["9223372036854775807", "18446744073709551615", "1099511627776"] {
        let mut client = app.connect();
        let request = format!("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n");
        client.write_all(request.as_bytes()).unwrap();
        let mut client = BufReader::new(client);
        let mut head = String::new();
        while !head.contains("\r\n\r\nHTTP/1.1 413 ") {
            assert!(client.read_line(&mut head).unwrap() > 0, "closed after {head:?}");
        }
    }
    assert!(app.get("/").ends_with("Hello, World!"));
    assert_eq!(app.log("logs.txt").matches(" 413 ").count(), 3);
}

#[test]
fn bodies_that_never_come_hold_up_others_until_the_next_connection_at_most() {
    let app = App::start("slow", &[]);
    let slow: Vec<_> = (0..40)
        .map(|number| {
            let mut client = app.connect();
            let coding = if number % 2 == 0 {
                "Transfer-Encoding: chunked"
            } else {
                "Content-Length: 99999"
            };
            client
                .write_all(format!("POST / HTTP/1.1\r\nHost: a\r\n{coding}\r\n\r\n").as_bytes())
                .unwrap();
            client
        })
        .collect();
    // Any of them may be put behind a thread that has one of the slow ones: whoever comes next
    // frees it, as the proxy's next request does in a pod.
    let waiting: Vec<_> = (0..20)
        .map(|_| {
            let address = app.address.clone();
            std::thread::spawn(move || exchange(&address, "GET / HTTP/1.0\r\n\r\n"))
        })
        .collect();
    wait_until("an answer to all", || {
        drop(app.connect());
        waiting.iter().all(std::thread::JoinHandle::is_finished)
    });
    for client in waiting {
        assert!(client.join().unwrap().ends_with("Hello, World!"));
    }
    drop(slow);
}

#[test]
fn a_body_is_not_run_as_a_request() {
    let app = App::start("inner", &[]);
    let inner = "GET /inner HTTP/1.1\r\nHost: a\r\n\r\n";
    let length = inner.len();
    let after = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    for body in [
        format!("Content-Length: {length}\r\n\r\n{inner}"),
        format!("Transfer-Encoding: chunked\r\n\r\n{length:x}\r\n{inner}\r\n0\r\n\r\n"),
        format!(
            "Content-Length: 5000\r\n\r\n{}",
            inner.repeat(5000 / length) + &"x".repeat(5000 % length)
        ),
    ] {
        let answer = app.exchange(&format!("POST / HTTP/1.1\r\nHost: a\r\n{body}{after}"));
        // What is behind it is: a client that goes on after `Connection: close` has it so.
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 2, "{answer}");
        assert!(answer.ends_with("Hello, World!"), "{answer}");
    }
    assert!(!app.log("logs.txt").contains("/inner"));
}

#[test]
fn a_hundred_connections_opened_together_are_all_answered() {
    let app = App::start("together", &[]);
    let (address, gate) = (&app.address, Barrier::new(100));
    std::thread::scope(|scope| {
        for _ in 0..100 {
            scope.spawn(|| {
                let mut client = connect(address);
                gate.wait();
                client.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
                assert_eq!(read_answer(&mut BufReader::new(client)).1, "Hello, World!");
            });
        }
    });
    assert_eq!(app.log("logs.txt").lines().count(), 100);
}

#[test]
fn check_asks_a_running_program() {
    let app = App::start("check", &[]);
    let url = format!("http://{}/", app.address);
    let output = run(&["check", "http", &url, "--expect-status", "200", "--expect-body", "Hello"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let output = run(&["check", "http", &url, "--expect-status", "201"]);
    assert_eq!(output.status.code(), Some(1));
    let output = run(&["check", "http", "https://a/"]);
    assert_eq!(output.status.code(), Some(64));
}

#[test]
fn help_and_version_go_to_stdout_and_mistakes_to_one_line_on_stderr() {
    let help = run(&["--help"]);
    assert_eq!(help.status.code(), Some(0));
    let text = String::from_utf8(help.stdout).unwrap();
    for flag in ["--listen", "--log-file", "--log-max-bytes", "--log-keep", "HELLO_APP_LISTEN"] {
        assert!(text.contains(flag), "{flag}");
    }
    let version = run(&["--version"]);
    assert_eq!(version.stdout, format!("hello-app {}\n", env!("CARGO_PKG_VERSION")).into_bytes());
    for wrong in [
        &["--no-such-flag"][..],
        &["--listen", "5000"],
        &["--log-max-bytes", "1KB"],
        &["--log-keep", "0"],
        &["--listen", ":0", "check", "http", "http://a/"],
        &["check"],
        &["serve"],
    ] {
        let output = run(wrong);
        assert_eq!(output.status.code(), Some(64), "{wrong:?}");
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(message.lines().count(), 1, "{wrong:?}: {message}");
    }
}

#[test]
fn a_taken_port_is_a_runtime_error_that_names_it() {
    let app = App::start("taken", &[]);
    let output = run(&["--listen", &app.address, "--log-file", "/dev/null"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains(&app.address));
}
