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
            && metrics.contains("sidecar_proxy_config_last_reload_successful 0")
    });
    assert_eq!(body(&proxy.get("/")), "one");
    let conf = GOOD.replace("PORT", &proxy.port.to_string()).replace("200 one", "200 two");
    proxy.folder.write("nginx.conf", conf);
    proxy.signal(Signal::HUP);
    wait_until("the reload has happened", || body(&proxy.get("/")) == "two");
    let metrics = proxy.admin("/metrics");
    assert!(metrics.contains("sidecar_proxy_config_last_reload_successful 1"));
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
    assert!(proxy.admin("/readyz").starts_with("HTTP/1.1 200 "));
    proxy.signal(Signal::TERM);
    wait_until("it is not ready", || proxy.admin("/readyz").starts_with("HTTP/1.1 503 "));
    assert!(proxy.admin("/livez").starts_with("HTTP/1.1 200 "));
    assert!(proxy.get("/").contains("\r\nConnection: close\r\n"));
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
fn it_is_ready_once_the_pods_application_accepts() {
    let port = common::free_port();
    let proxy = Proxy::start(&format!(
        "events {{}} http {{ server {{ listen 127.0.0.1:PORT; \
         location / {{ proxy_pass http://localhost:{port}; }} }} }}"
    ));
    let answer = proxy.admin("/readyz");
    assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("accepts no connection"));
    let _application = std::net::TcpListener::bind(("127.0.0.1", port)).unwrap();
    assert!(proxy.admin("/readyz").starts_with("HTTP/1.1 200 "));
}
