//! The life of the process: flags, bad configuration, reload, drain, end.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on ends there")]

mod common;

use std::fs;
use std::os::unix::fs::symlink;

use common::{Client, Folder, Origin, Proxy, Reply, output, wait_until};
use rustix::process::Signal;
use std::time::Duration;

const GOOD: &str = "events {} http { server { listen 127.0.0.1:PORT; \
                    location / { return 200 one; } } }";

fn check_exit(arguments: &[&str], code: i32, said: &str) {
    let output = output(arguments);
    let text = common::lossy(&output.stderr) + &common::lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {text}");
    assert!(text.contains(said), "{arguments:?}: {text}");
}

#[test]
fn flags_are_checked() {
    check_exit(&["--no-such-flag"], 64, "--no-such-flag");
    check_exit(&["-s", "explode"], 64, "explode");
    check_exit(&["-t", "check", "http", "http://a/"], 64, "");
    check_exit(&["--help"], 0, "--drain-delay");
    check_exit(&["--version"], 0, env!("CARGO_PKG_VERSION"));
    check_exit(&["-v"], 0, env!("CARGO_PKG_VERSION"));
    check_exit(&["-V"], 0, env!("CARGO_PKG_VERSION"));
}

#[test]
fn a_configuration_is_tested_and_dumped() {
    let folder = Folder::new();
    let good = folder.write("good.conf", GOOD.replace("PORT", "8080"));
    let good = good.to_str().unwrap();
    check_exit(&["-t", "-c", good], 0, "test is successful");
    check_exit(&["-T", "-c", good], 0, "return 200 one");
    let bad = folder.write("bad.conf", "events {}\nhttp {\n  server { lissten 80; }\n}\n");
    let bad = bad.to_str().unwrap();
    check_exit(&["-t", "-c", bad], 1, "bad.conf:3:12");
    check_exit(&["-t", "-c", bad], 1, "listen");
    check_exit(&["-c", bad], 78, "bad.conf:3:12");
    check_exit(&["-t", "-c", "/no/such/file"], 1, "/no/such/file");
}

#[test]
fn a_port_in_use_is_explained() {
    let proxy = Proxy::start(GOOD);
    let conf = proxy.folder.path().join("nginx.conf");
    check_exit(&["-c", conf.to_str().unwrap()], 2, "cannot listen on 127.0.0.1");
}

fn body(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").unwrap().1
}

/// A folder as the kubelet makes one for a ConfigMap.
struct Mount {
    folder: Folder,
    version: u32,
}

impl Mount {
    fn new(text: &str) -> Mount {
        let mut mount = Mount { folder: Folder::new(), version: 0 };
        mount.update(text);
        let file = mount.folder.path().join("nginx.conf");
        symlink("..data/nginx.conf", file).unwrap();
        mount
    }

    fn update(&mut self, text: &str) {
        self.version += 1;
        let name = format!("..{}", self.version);
        let path = self.folder.path();
        fs::create_dir(path.join(&name)).unwrap();
        fs::write(path.join(&name).join("nginx.conf"), text).unwrap();
        symlink(&name, path.join("..tmp")).unwrap();
        fs::rename(path.join("..tmp"), path.join("..data")).unwrap();
    }
}

#[test]
fn a_swapped_configmap_is_taken_up_and_a_bad_one_is_not() {
    let port = common::free_port();
    let text = |answer: &str| {
        GOOD.replace("PORT", &port.to_string()).replace("200 one", &format!("200 {answer}"))
    };
    let mut mount = Mount::new(&text("one"));
    let conf = mount.folder.path().join("nginx.conf");
    let mut child = common::program()
        .args(["-c", conf.to_str().unwrap(), "--reload-interval=20ms", "--workers=2"])
        .stdout(std::process::Stdio::null())
        .stderr(fs::File::create(mount.folder.path().join("stderr")).unwrap())
        .spawn()
        .unwrap();
    wait_until("it listens", || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
    let ask = |client: &mut Client| {
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        let answer = client.answer();
        body(&answer).to_owned()
    };
    let mut kept = Client::connect(port);
    assert_eq!(ask(&mut kept), "one");
    mount.update(&text("two"));
    wait_until("the new answer is given", || ask(&mut Client::connect(port)) == "two");
    wait_until("a kept connection has it too", || ask(&mut kept) == "two");
    mount.update("events {} http { server { listen nonsense; } }");
    let stderr = || fs::read_to_string(mount.folder.path().join("stderr")).unwrap();
    wait_until("the refusal is said", || stderr().contains("refused"));
    assert_eq!(ask(&mut kept), "two");
    mount.update(&text("three"));
    wait_until("the mended file is taken up", || ask(&mut Client::connect(port)) == "three");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_refused_reload_shows_in_the_metrics() {
    let proxy = Proxy::start_with(GOOD, &["--reload-interval=0"]);
    proxy.folder.write("nginx.conf", "events {} http {");
    proxy.signal(Signal::HUP);
    wait_until("the failure is counted", || {
        let metrics = proxy.admin("/metrics");
        metrics.contains("sidecar_proxy_config_reloads_total{result=\"failure\"} 1")
            && metrics.contains("sidecar_proxy_config_last_load_success 0")
    });
    assert_eq!(body(&proxy.get("/")), "one");
    let conf = GOOD.replace("PORT", &proxy.port.to_string()).replace("200 one", "200 two");
    proxy.folder.write("nginx.conf", conf);
    proxy.signal(Signal::HUP);
    wait_until("the reload has happened", || body(&proxy.get("/")) == "two");
    let metrics = proxy.admin("/metrics");
    assert!(metrics.contains("sidecar_proxy_config_last_load_success 1"));
}

#[test]
fn draining_answers_with_close_and_sigterm_then_ends_at_once() {
    let mut proxy = Proxy::start_with(GOOD, &["--drain-delay=60s"]);
    let mut kept = proxy.connect();
    kept.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(kept.answer().contains("\r\nConnection: keep-alive\r\n"));
    let conf = proxy.folder.path().join("nginx.conf");
    check_exit(&["-s", "drain", "-c", conf.to_str().unwrap()], 0, "");
    wait_until("the drain is said", || proxy.stderr().contains("draining"));
    for path in ["/readyz", "/livez"] {
        assert!(proxy.admin(path).starts_with("HTTP/1.1 200 "), "{path} while draining");
    }
    wait_until("new connections are answered with close", || {
        proxy.get("/").contains("\r\nConnection: close\r\n")
    });
    kept.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(kept.answer().contains("\r\nConnection: close\r\n"));
    assert!(kept.is_closed());
    assert!(proxy.get("/").contains("\r\nConnection: close\r\n"));
    proxy.signal(Signal::TERM);
    assert_eq!(proxy.wait().code(), Some(0));
}

#[test]
fn a_proxy_told_to_end_is_not_ready() {
    let proxy = Proxy::start_with(GOOD, &["--drain-delay=60s"]);
    wait_until("it is ready", || proxy.admin("/readyz").starts_with("HTTP/1.1 200 "));
    proxy.signal(Signal::TERM);
    wait_until("it is not ready", || proxy.admin("/readyz").starts_with("HTTP/1.1 503 "));
    assert!(proxy.admin("/livez").starts_with("HTTP/1.1 200 "));
    wait_until("it goes on answering, with close", || {
        proxy.get("/").contains("\r\nConnection: close\r\n")
    });
}

#[test]
fn sigterm_lets_what_has_begun_finish() {
    let origin = Origin::new(|_| {
        Reply::Slowly(vec![
            (Duration::ZERO, b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfirst".to_vec()),
            (Duration::from_millis(500), b"-last".to_vec()),
        ])
    });
    let upstream = origin.address;
    let mut proxy = Proxy::start_with(
        &format!(
            "events {{}} http {{ server {{ listen 127.0.0.1:PORT; \
             location / {{ proxy_pass http://{upstream}; }} }} }}"
        ),
        &["--drain-delay=100ms"],
    );
    let mut client = proxy.connect();
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    wait_until("the upstream has it", || !origin.requests().is_empty());
    proxy.signal(Signal::TERM);
    let answer = client.rest();
    assert_eq!(body(&answer), "first-last");
    assert_eq!(proxy.wait().code(), Some(0));
    wait_until("its line is logged", || proxy.stdout().contains("\" 200 10 \""));
}

#[test]
fn sigint_ends_at_once_and_quit_without_delay() {
    for signal in [Signal::INT, Signal::QUIT] {
        let mut proxy = Proxy::start_with(GOOD, &["--drain-delay=60s"]);
        proxy.signal(signal);
        assert_eq!(proxy.wait().code(), Some(0));
    }
}

#[test]
fn a_reload_while_it_ends_does_nothing() {
    let origin = Origin::new(|_| {
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok".to_vec();
        Reply::Slowly(vec![(Duration::from_secs(2), answer)])
    });
    let mut proxy = Proxy::start(&format!(
        "events {{}} http {{ server {{ listen 127.0.0.1:PORT; \
         location / {{ proxy_pass http://{}; }} }} }}",
        origin.address
    ));
    let mut client = proxy.connect();
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    wait_until("the upstream has it", || !origin.requests().is_empty());
    let is_closed = || std::net::TcpStream::connect(("127.0.0.1", proxy.port)).is_err();
    for _ in 0..3 {
        proxy.signal(Signal::QUIT);
        proxy.signal(Signal::TERM);
    }
    wait_until("nothing is accepted", is_closed);
    let conf = proxy.folder.path().join("nginx.conf");
    let text = fs::read_to_string(&conf).unwrap() + "# changed\n";
    fs::write(&conf, text).unwrap();
    for _ in 0..3 {
        proxy.signal(Signal::HUP);
        std::thread::sleep(Duration::from_millis(50));
        assert!(is_closed(), "it listens again: {}", proxy.stderr());
    }
    assert_eq!(body(&client.rest()), "ok");
    assert_eq!(proxy.wait().code(), Some(0));
    assert!(!proxy.stderr().contains("in force"), "{}", proxy.stderr());
}

#[test]
fn with_however_few_descriptors_it_serves_or_ends_and_says_why() {
    let folder = Folder::new();
    let (mut ended, mut served) = (0, 0);
    for limit in 5..40 {
        let port = common::free_port();
        let conf = folder.write("nginx.conf", GOOD.replace("PORT", &port.to_string()));
        let stderr = folder.path().join("stderr");
        let mut child = std::process::Command::new("sh")
            .args(["-c", &format!("ulimit -n {limit}; exec \"$0\" \"$@\"")])
            .arg(env!("CARGO_BIN_EXE_proxy"))
            // With two, one takes what the start of the other is short of, or does not.
            .args(["-c", conf.to_str().unwrap(), "--workers=1"])
            .stdout(std::process::Stdio::null())
            .stderr(fs::File::create(&stderr).unwrap())
            .spawn()
            .unwrap();
        // It may have listened and then ended: what counts is an answer.
        let answers = || {
            let Ok(mut stream) = std::net::TcpStream::connect(("127.0.0.1", port)) else {
                return false;
            };
            use std::io::{Read, Write};
            let mut answer = String::new();
            stream.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
            let _ = stream.write_all(b"GET / HTTP/1.0\r\nHost: a\r\n\r\n");
            let _ = stream.read_to_string(&mut answer);
            answer.starts_with("HTTP/1.1 200 ")
        };
        let said = || fs::read_to_string(&stderr).unwrap();
        let mut status = None;
        wait_until("it serves, tells that it has none to serve with, or has ended", || {
            status = child.try_wait().unwrap();
            status.is_some() || answers() || said().contains("cannot accept: Too many open files")
        });
        let said = said();
        match status {
            None => {
                served += 1;
                child.kill().unwrap();
                child.wait().unwrap();
            }
            Some(status) => {
                ended += 1;
                assert_eq!(status.code(), Some(2), "{limit}: {said}");
                assert!(said.contains("Too many open files"), "{limit}: {said}");
            }
        }
    }
    assert!(ended > 0 && served > 0, "ended {ended} times, served {served} times");
}

#[test]
fn the_start_and_a_reload_are_told_and_a_warning_only_once() {
    let proxy = Proxy::start_with(
        "user nobody; events {} http { upstream app { server 127.0.0.1:9; } server { \
         listen 127.0.0.1:PORT; location / { proxy_pass http://app; } } }",
        &["--reload-interval=20ms"],
    );
    let line = format!(
        "[NOTICE] sidecar-kit proxy/{}: listening on 127.0.0.1:{}; 1 worker; upstreams app \
         (127.0.0.1:9)\n",
        env!("CARGO_PKG_VERSION"),
        proxy.port
    );
    wait_until("the start is told", || proxy.stderr().contains(&line));
    let conf = proxy.folder.path().join("nginx.conf");
    let text = fs::read_to_string(&conf).unwrap();
    let in_force = || proxy.stderr().matches("[NOTICE] the new configuration is in force").count();
    fs::write(&conf, format!("# another line\n{text}")).unwrap();
    wait_until("the reload is told", || in_force() > 0);
    let after_first = in_force();
    fs::write(&conf, format!("daemon on; {text}")).unwrap();
    wait_until("the next is told", || in_force() > after_first);
    let said = proxy.stderr();
    let count = |what: &str| said.lines().filter(|line| line.contains(what)).count();
    assert_eq!((count("\"user\""), count("\"daemon\"")), (1, 1), "{said}");
}

#[test]
fn a_new_file_in_an_included_folder_and_a_mended_include_are_taken_up() {
    let (other, extra) = (common::free_port(), common::free_port());
    let server = |port: u16| format!("server {{ listen 127.0.0.1:{port}; return 200 {port}; }}");
    let main = "events {} http { include conf.d/*.conf; \
                server { listen 127.0.0.1:PORT; return 200 main; } }";
    let proxy = Proxy::start_with(main, &["--reload-interval=20ms"]);
    let get = |port: u16| {
        let mut client = Client::connect(port);
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        body(&client.answer()).to_owned()
    };
    let serves = |port: u16| std::net::TcpStream::connect(("127.0.0.1", port)).is_ok();
    fs::create_dir(proxy.folder.path().join("conf.d")).unwrap();
    proxy.folder.write("conf.d/new.conf", server(other));
    wait_until("the new file is taken up", || serves(other));
    assert_eq!(get(other), other.to_string());
    // The main file includes one that is bad; then that one is mended, and the main file is not
    // touched.
    proxy.folder.write("extra.inc", "nonsense;");
    let main = main.replace("conf.d/*.conf;", "conf.d/*.conf; include extra.inc;");
    proxy.folder.write("nginx.conf", main.replace("PORT", &proxy.port.to_string()));
    wait_until("it is refused", || proxy.stderr().contains("refused"));
    let refused = proxy.stderr().matches("is refused").count();
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!(proxy.stderr().matches("is refused").count(), refused, "not again and again");
    proxy.folder.write("extra.inc", server(extra));
    wait_until("the mended file is taken up", || serves(extra));
    assert_eq!((get(extra), get(proxy.port)), (extra.to_string(), "main".to_owned()));
    fs::remove_file(proxy.folder.path().join("conf.d/new.conf")).unwrap();
    wait_until("what is gone is not served", || !serves(other));
}
