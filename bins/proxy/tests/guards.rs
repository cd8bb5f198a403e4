//! What guards a location in the running program: workers that count together, a reload that
//! forgets nothing, and users that change while it runs.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on ends there")]

mod common;

use common::{Origin, Proxy, wait_until};
use rustix::process::Signal;

/// The status of an answer.
fn status(answer: &str) -> &str {
    answer.get(9..12).unwrap_or_default()
}

#[test]
fn all_workers_count_together_and_a_reload_goes_on_counting() {
    let origin = Origin::hello();
    let text = |mark: &str| {
        format!(
            "events {{}} http {{ limit_req_zone $binary_remote_addr zone=one:1m rate=1r/m; server {{ \
             listen 127.0.0.1:PORT; location / {{ limit_req zone=one burst=4 nodelay; \
             proxy_pass http://{}; }} location /mark {{ return 200 {mark}; }} }} }}",
            origin.address
        )
    };
    let proxy = Proxy::start_with(&text("old"), &["--workers=4", "--reload-interval=0"]);
    // All at once, each on a connection of its own: they come to one worker and another.
    let let_in = || {
        let ask = || status(&proxy.get("/")).to_owned();
        let all: Vec<String> = std::thread::scope(|scope| {
            let asking: Vec<_> = (0..40).map(|_| scope.spawn(ask)).collect();
            asking.into_iter().map(|one| one.join().unwrap()).collect()
        });
        assert!(all.iter().all(|status| status == "200" || status == "503"), "{all:?}");
        all.iter().filter(|status| *status == "200").count()
    };
    assert_eq!(let_in(), 5);
    let new = text("new").replace("PORT", &proxy.port.to_string());
    proxy.folder.write("nginx.conf", &new);
    proxy.signal(Signal::HUP);
    wait_until("the reload has happened", || proxy.get("/mark").ends_with("new"));
    assert_eq!(let_in(), 0);
    // A zone of another size is another one.
    proxy.folder.write("nginx.conf", new.replace("one:1m", "one:2m").replace("new", "larger"));
    proxy.signal(Signal::HUP);
    wait_until("the reload has happened", || proxy.get("/mark").ends_with("larger"));
    assert_eq!(let_in(), 5);
}

#[test]
fn users_that_change_are_known_at_once() {
    let origin = Origin::hello();
    let proxy = Proxy::start_with(
        &format!(
            "events {{}} http {{ server {{ listen 127.0.0.1:PORT; auth_basic x; \
             auth_basic_user_file users; location / {{ proxy_pass http://{}; }} }} }}",
            origin.address
        ),
        &["--reload-interval=0"],
    );
    // ann:one
    let ask = || {
        let answer = proxy.ask(
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nAuthorization: Basic YW5uOm9uZQ==\r\n\r\n",
        );
        status(&answer).to_owned()
    };
    assert_eq!(ask(), "403", "there is no such file yet");
    let told = |text: &str| wait_until("it is told", || proxy.stderr().contains(text));
    told("users\" failed: No such file or directory (2)");
    for (users, expected) in [
        ("bob:{PLAIN}one\n", "401"),
        ("bob:{PLAIN}two\nann:{PLAIN}one\n", "200"),
        ("ann:{PLAIN}two\n", "401"),
        ("ann:abNANd1rDfiNc\n", "401"),
    ] {
        proxy.folder.write("users", users);
        assert_eq!(ask(), expected, "{users}");
    }
    told("user \"ann\" was not found in");
    told("user \"ann\": password mismatch");
    told("user \"ann\": the password is encrypted in a form that is not known here");
}
