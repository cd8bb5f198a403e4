//! `/livez` and `/readyz`: at once, whatever the application does, and in words that help.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on ends there")]

mod common;

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use common::{Client, Proxy, wait_until};
use rustix::process::Signal;

/// An application that hangs: it listens, its queue is full, and nobody accepts.
struct Hanging {
    address: SocketAddr,
    _listener: OwnedFd,
    _queued: Vec<OwnedFd>,
}

impl Hanging {
    fn new() -> Hanging {
        let listener = sys::socket::listen("127.0.0.1:0".parse().unwrap(), true, 0).unwrap();
        let address = sys::socket::local_address(&listener).unwrap();
        let queued = (0..4).map(|_| sys::socket::connect(address).unwrap()).collect();
        Hanging { address, _listener: listener, _queued: queued }
    }
}

fn before(servers: &[SocketAddr], arguments: &[&str]) -> Proxy {
    let servers: String = servers.iter().map(|server| format!("server {server}; ")).collect();
    Proxy::start_with(
        &format!(
            "events {{}} http {{ upstream app {{ {servers} }} server {{ listen 127.0.0.1:PORT; \
             location / {{ proxy_pass http://app; }} }} }}"
        ),
        arguments,
    )
}

fn check(proxy: &Proxy, path: &str, expected: &str) {
    let begun = Instant::now();
    let answer = proxy.admin(path);
    let took = begun.elapsed();
    assert!(answer.contains(expected), "{path}: {answer}");
    assert!(took < Duration::from_millis(400), "{path} took {took:?}");
}

#[test]
fn an_application_that_hangs_holds_up_no_probe() {
    let apps: Vec<Hanging> = (0..4).map(|_| Hanging::new()).collect();
    let addresses: Vec<SocketAddr> = apps.iter().map(|app| app.address).collect();
    let proxy = before(&addresses, &[]);
    check(&proxy, "/livez", "HTTP/1.1 200 ");
    check(&proxy, "/readyz", "HTTP/1.1 503 ");
    let verdict = format!(
        "\r\n\r\nnot ready: upstream app ({}): no connection within 500 ms\n",
        addresses[0]
    );
    wait_until("the verdict is there", || proxy.admin("/readyz").ends_with(&verdict));
    // Callers that ask for nothing, and many that ask at once, are served side by side.
    let silent: Vec<Client> = (0..8).map(|_| Client::connect(proxy.admin)).collect();
    let mut asking: Vec<Client> = (0..20).map(|_| Client::connect(proxy.admin)).collect();
    for client in &mut asking {
        client.send(b"GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n");
    }
    check(&proxy, "/livez", "HTTP/1.1 200 ");
    drop(silent);
}

#[test]
fn it_becomes_ready_with_its_application_and_stops_being_so() {
    let address = SocketAddr::from(([127, 0, 0, 1], common::free_port()));
    let proxy = before(&[address], &[]);
    let refused = format!("\r\n\r\nnot ready: upstream app ({address}): connection refused\n");
    wait_until("it says why not", || proxy.admin("/readyz").ends_with(&refused));
    let ready = |expected: u32| {
        proxy.admin("/metrics").contains(&format!("\nsidecar_proxy_ready {expected}\n"))
    };
    assert!(ready(0));
    let application = TcpListener::bind(address).unwrap();
    wait_until("it is ready", || proxy.admin("/readyz").starts_with("HTTP/1.1 200 "));
    assert!(ready(1));
    drop(application);
    wait_until("it is not ready", || proxy.admin("/readyz").starts_with("HTTP/1.1 503 "));
}

/// The status of `/readyz?wait`, and how long it took.
fn waited(proxy: &Proxy) -> (String, Duration) {
    let begun = Instant::now();
    let answer = proxy.admin("/readyz?wait");
    (answer.split(' ').nth(1).unwrap_or_default().to_owned(), begun.elapsed())
}

#[test]
fn who_waits_hears_of_the_first_time_ready_at_once_and_never_waits_again() {
    let address = SocketAddr::from(([127, 0, 0, 1], common::free_port()));
    let proxy = before(&[address], &[]);
    let (status, took) = waited(&proxy);
    assert_eq!(status, "503");
    assert!((Duration::from_millis(900)..Duration::from_secs(2)).contains(&took), "{took:?}");
    // The next probe is on its way when the application comes up.
    let (application, (status, took)) = std::thread::scope(|scope| {
        let probe = scope.spawn(|| waited(&proxy));
        std::thread::sleep(Duration::from_millis(300));
        check(&proxy, "/livez", "HTTP/1.1 200 ");
        check(&proxy, "/readyz", "HTTP/1.1 503 ");
        (TcpListener::bind(address).unwrap(), probe.join().unwrap())
    });
    assert_eq!(status, "200");
    assert!((Duration::from_millis(300)..Duration::from_millis(800)).contains(&took), "{took:?}");
    drop(application);
    wait_until("it is not ready", || waited(&proxy).0 == "503");
    check(&proxy, "/readyz?wait", "HTTP/1.1 503 ");
}

#[test]
fn who_waits_and_goes_takes_no_place_and_a_proxy_told_to_end_waits_for_nothing() {
    let address = SocketAddr::from(([127, 0, 0, 1], common::free_port()));
    let proxy = before(&[address], &["--drain-delay=60s"]);
    for _ in 0..200 {
        let mut client = Client::connect(proxy.admin);
        client.send(b"GET /readyz?wait HTTP/1.1\r\nHost: a\r\n\r\n");
    }
    check(&proxy, "/livez", "HTTP/1.1 200 ");
    proxy.signal(Signal::TERM);
    wait_until("nothing is waited for", || {
        proxy.admin("/readyz?wait").ends_with("not ready: ending\n")
    });
    check(&proxy, "/readyz?wait", "not ready: ending");
}

#[test]
fn not_ready_for_five_seconds_is_one_line_and_ready_again_another() {
    let address = SocketAddr::from(([127, 0, 0, 1], common::free_port()));
    let proxy = before(&[address], &[]);
    let line = format!("[WARN] not ready: upstream app ({address}): connection refused\n");
    let begun = Instant::now();
    wait_until("it is told", || proxy.stderr().contains(&line));
    assert!(begun.elapsed() > Duration::from_secs(3), "not at once");
    let _application = TcpListener::bind(address).unwrap();
    wait_until("so is the end of it", || proxy.stderr().contains("[NOTICE] ready again\n"));
    assert_eq!(proxy.stderr().matches("not ready").count(), 1);
}

#[test]
fn a_reload_has_the_application_asked_at_once() {
    let (open, shut) = (TcpListener::bind("127.0.0.1:0").unwrap(), common::free_port());
    let open = open.local_addr().unwrap();
    let _keep = TcpStream::connect(open);
    let proxy = before(&[SocketAddr::from(([127, 0, 0, 1], shut))], &["--reload-interval=0"]);
    wait_until("it is not ready", || proxy.admin("/readyz").contains("connection refused"));
    let port = proxy.port;
    proxy.folder.write(
        "nginx.conf",
        format!("events {{}} http {{ server {{ listen 127.0.0.1:{port}; return 204; }} }}"),
    );
    proxy.signal(Signal::HUP);
    wait_until("nothing is left to wait for", || {
        proxy.admin("/readyz").starts_with("HTTP/1.1 200 ")
    });
}
