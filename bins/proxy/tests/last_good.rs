//! The last configuration that was in force is served when the one that is there is refused.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on ends there")]

mod common;

use std::fs;

use common::{Folder, Proxy, lossy, wait_until};

const GOOD: &str = "events {} http { include conf.d/*.conf; server { listen 127.0.0.1:PORT; \
                    location / { return 200 one; } include more; } }";
const BAD: &str = "events {} http { server { lissten 80; } }";

fn answer(proxy: &Proxy, path: &str) -> String {
    proxy.get(path).split_once("\r\n\r\n").unwrap().1.to_owned()
}

fn is_last_load_good(proxy: &Proxy) -> bool {
    proxy.admin("/metrics").contains("sidecar_proxy_config_last_load_success 1")
}

/// A folder for what is kept, as a flag.
fn flag(folder: &Folder) -> String {
    format!("--last-good={}", folder.path().display())
}

fn has_kept(folder: &Folder, text: &str) -> bool {
    fs::read(folder.path().join("last-good")).is_ok_and(|kept| lossy(&kept).contains(text))
}

fn write_more(proxy: &Proxy, text: &str) {
    proxy.folder.write("more", text);
}

/// Serves a file with an include, which is kept in `folder`.
fn kept(folder: &Folder) -> Proxy {
    let plain = GOOD.replace("include more;", "");
    let proxy = Proxy::start_with(&plain, &[&flag(folder), "--reload-interval=20ms"]);
    write_more(&proxy, "location /more { return 200 more; }");
    proxy.folder.write("nginx.conf", GOOD.replace("PORT", &proxy.port.to_string()));
    wait_until("the include is in force", || answer(&proxy, "/more") == "more");
    wait_until("it is kept", || has_kept(folder, "200 more"));
    proxy
}

#[test]
fn a_bad_file_at_the_start_leaves_the_last_good_one_in_force_until_it_is_mended() {
    let folder = Folder::new();
    let arguments = [&*flag(&folder), "--reload-interval=20ms"];
    let proxy = kept(&folder);
    // What it includes is gone, too: it is all kept.
    fs::remove_file(proxy.folder.path().join("more")).unwrap();
    let proxy = proxy.start_again(BAD, &arguments);
    assert_eq!((&*answer(&proxy, "/"), &*answer(&proxy, "/more")), ("one", "more"));
    assert!(!is_last_load_good(&proxy));
    wait_until("it is said what is served, and why", || {
        let said = proxy.stderr();
        said.contains("nginx.conf:1:27: unknown directive \"lissten\"")
            && said.contains("the last one that was in force (--last-good) is served")
    });
    // A second start with the same bad file finds what was kept still.
    let proxy = proxy.start_again(BAD, &arguments);
    assert_eq!(answer(&proxy, "/"), "one");
    let mended = GOOD.replace("200 one", "200 two").replace("include more;", "");
    proxy.folder.write("nginx.conf", mended.replace("PORT", &proxy.port.to_string()));
    wait_until("the mended file is in force", || answer(&proxy, "/") == "two");
    assert!(is_last_load_good(&proxy));
    wait_until("it is kept", || has_kept(&folder, "200 two"));
    let proxy = proxy.start_again(BAD, &arguments);
    assert_eq!((&*answer(&proxy, "/"), answer(&proxy, "/more") == "more"), ("two", false));
}

#[test]
fn without_one_that_was_good_a_bad_file_ends_the_start_as_ever() {
    let folder = Folder::new();
    let conf = folder.write("bad.conf", BAD);
    let run = || {
        let arguments = ["-c", conf.to_str().unwrap(), &flag(&folder)];
        let output = common::output(&arguments);
        (output.status.code(), lossy(&output.stderr))
    };
    let (code, said) = run();
    assert!(code == Some(78) && said.contains("lissten"), "{said}");
    // What is there is no configuration that was kept.
    folder.write("last-good", "events {}");
    let (code, said) = run();
    assert!(
        code == Some(78) && said.contains("last-good: no configuration that was kept"),
        "{said}"
    );
}

#[test]
fn where_nothing_can_be_kept_it_serves_and_says_so() {
    let proxy =
        Proxy::start_with(&GOOD.replace("include more;", ""), &["--last-good=/no/such/folder"]);
    assert_eq!(answer(&proxy, "/"), "one");
    wait_until("it is said", || {
        proxy.stderr().contains("/no/such/folder/last-good: the configuration cannot be kept")
    });
}
