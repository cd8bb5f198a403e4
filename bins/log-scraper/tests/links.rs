//! The real binary and symbolic links: how far they are followed.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed step fails the test")]

mod common;

use std::fs;
use std::os::unix::fs::symlink;

use std::time::{Duration, Instant};

use common::{Folder, Scraper, append, binary, line, numbers, wait_until};

#[test]
fn a_link_put_in_the_log_s_place_does_not_print_the_scraper_s_secrets() {
    let folder = Folder::new();
    fs::create_dir(folder.path("logs")).unwrap();
    let path = folder.path("logs/app.log");
    append(&path, line(0).as_bytes());
    let mut command = binary();
    command.env("LOKI_TOKEN", "s3cret").args(["--poll-interval", "20ms"]).arg(&path);
    let scraper = Scraper::spawn(&mut command);
    scraper.wait_for_output(line(0).as_bytes());
    fs::remove_file(&path).unwrap();
    symlink("/proc/self/environ", &path).unwrap();
    scraper.wait_for_message("a link leads out of its root folder");
    fs::remove_file(&path).unwrap();
    append(&path, line(1).as_bytes());
    wait_until("the file that is in its place then", || numbers(&scraper.output()).len() == 2);
    assert_eq!(numbers(&scraper.terminate()), [0, 1]);
}

#[test]
fn links_lead_as_far_as_the_root_and_with_all_anywhere() {
    let folder = Folder::new();
    for name in ["top/pods", "top/containers", "elsewhere"] {
        fs::create_dir_all(folder.path(name)).unwrap();
    }
    append(&folder.path("top/pods/0.log"), line(0).as_bytes());
    append(&folder.path("elsewhere/1.log"), line(1).as_bytes());
    symlink("../pods/0.log", folder.path("top/containers/relative.log")).unwrap();
    symlink(folder.path("top/pods/0.log"), folder.path("top/containers/absolute.log")).unwrap();
    symlink("../../elsewhere/1.log", folder.path("top/containers/out.log")).unwrap();
    let check = |flags: &[&str], name: &str, code: i32, expected: &[u64]| {
        let path = folder.path("top/containers").join(name);
        let output = binary().arg("--exit-on-eof").args(flags).arg(path).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{flags:?} {name}: {said}");
        assert_eq!(numbers(&output.stdout), expected, "{flags:?} {name}");
    };
    let (top, own) = (folder.argument("top"), folder.argument("top/containers"));
    check(&[], "relative.log", 0, &[0]);
    check(&[], "absolute.log", 0, &[0]);
    check(&[], "out.log", 2, &[]);
    check(&["--root", &top], "relative.log", 0, &[0]);
    check(&["--root", &top], "out.log", 2, &[]);
    check(&["--root", &own], "relative.log", 2, &[]);
    check(&["--root", &own], "absolute.log", 2, &[]);
    check(&["--root", &folder.argument("")], "out.log", 0, &[1]);
    check(&["--follow-symlinks", "all"], "out.log", 0, &[1]);
    check(&["--follow-symlinks", "all", "--root", &top], "out.log", 64, &[]);
    check(&["--root", &folder.argument("elsewhere")], "relative.log", 64, &[]);
}

#[test]
fn a_line_comes_as_soon_through_a_link_as_from_a_plain_file() {
    let folder = Folder::new();
    for name in ["real", "next"] {
        fs::create_dir(folder.path(name)).unwrap();
        append(&folder.path(name).join("app.log"), b"");
    }
    let link = folder.path("link.log");
    symlink("real/app.log", &link).unwrap();
    let scraper = Scraper::start(&["--poll-interval", "60s", link.to_str().unwrap()]);
    scraper.wait_for_message("following");
    std::thread::sleep(Duration::from_millis(200));
    let mut number = 0;
    let mut check = |file: &str| {
        let start = Instant::now();
        append(&folder.path(file), line(number).as_bytes());
        number += 1;
        wait_until("the line", || numbers(&scraper.output()).len() as u64 == number);
        assert!(start.elapsed() < Duration::from_secs(15), "{file}: {:?}", start.elapsed());
    };
    check("real/app.log");
    check("real/app.log");
    // The link's file is rotated where it is, and the link is switched.
    fs::rename(folder.path("real/app.log"), folder.path("real/app.log.1")).unwrap();
    check("real/app.log");
    check("real/app.log");
    symlink("next/app.log", folder.path("new.log")).unwrap();
    fs::rename(folder.path("new.log"), &link).unwrap();
    std::thread::sleep(Duration::from_millis(500));
    check("next/app.log");
    check("next/app.log");
    scraper.terminate();
}
