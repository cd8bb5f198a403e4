//! The real binary's paths: folders given whole, and names that rotated files get.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed step fails the test")]

mod common;

use std::fs;
use std::path::Path;

use common::{Folder, Scraper, append, binary, wait_until};

/// The lines that came out, in byte order.
fn sorted(output: &[u8]) -> Vec<String> {
    let mut lines: Vec<_> = String::from_utf8_lossy(output).lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

fn write(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    append(&path, text.as_bytes());
}

#[test]
fn a_folder_stands_for_its_files_and_two_stars_for_those_below_as_well() {
    let check = |suffix: &str, expected: &[&str], late: &[&str]| {
        let folder = Folder::new();
        let logs = folder.path("logs");
        write(&logs, "a.log", "a\n");
        write(&logs, "a.log.1", "rotated\n");
        write(&logs, "a.log.2.gz", "compressed\n");
        write(&logs, ".hidden", "hidden\n");
        write(&logs, "web/b.log", "b\n");
        write(&logs, "web/deep/c.log", "c\n");
        let scraper = Scraper::start(&[&format!("{}{suffix}", logs.display())]);
        wait_until("what is there", || sorted(&scraper.output()).len() >= expected.len());
        // What comes later is followed, too.
        write(&logs, "late.log", "late\n");
        write(&logs, "web/late.log", "late below\n");
        let all = [expected, late].concat();
        wait_until("what came later", || sorted(&scraper.output()).len() >= all.len());
        assert_eq!(sorted(&scraper.terminate()), all, "{suffix:?}");
    };
    check("", &["a"], &["late"]);
    check("/", &["a"], &["late"]);
    check("/*/", &["b"], &["late below"]);
    check("/**", &["a", "b", "c"], &["late", "late below"]);
}

#[test]
fn a_folder_with_a_slash_may_come_later() {
    let folder = Folder::new();
    let scraper = Scraper::start(&[&format!("{}/", folder.argument("later"))]);
    write(&folder.path("later"), "a.log", "a\n");
    wait_until("its file", || !scraper.output().is_empty());
    assert_eq!(scraper.terminate(), b"a\n");
}

#[test]
fn rotated_files_are_found_by_the_names_that_were_given() {
    let folder = Folder::new();
    let path = folder.path("app.log");
    let arguments = [
        "--checkpoint-file",
        &folder.argument("checkpoint"),
        "--rotated-glob",
        "{dir}/old/{stem}_*{ext}",
        "--rotated-glob",
        "{path}~",
        path.to_str().unwrap(),
    ];
    fs::create_dir(folder.path("old")).unwrap();
    append(&path, b"one\n");
    let scraper = Scraper::start(&arguments);
    scraper.wait_for_output(b"one\n");
    scraper.terminate();
    append(&path, b"two\n");
    fs::rename(&path, folder.path("old/app_1.log")).unwrap();
    append(&path, b"three\n");
    fs::rename(&path, folder.path("app.log~")).unwrap();
    append(&path, b"four\n");
    append(&folder.path("app.log.1"), b"not by the names that were given\n");
    let scraper = Scraper::start(&arguments);
    wait_until("the last line", || scraper.output().ends_with(b"four\n"));
    assert_eq!(scraper.terminate(), b"two\nthree\nfour\n");
}

#[test]
fn names_that_cannot_be_meant_end_it_with_what_would_be_right() {
    for (template, expected) in [
        ("{name}.*", "{name}"),
        ("*.old", "{path}, {dir}/ or a slash"),
        ("{path}/*", "slash behind {path}"),
        ("{path}.1,{dir}/*/{stem}.*", "wildcard in its folder"),
    ] {
        let output = binary().args(["--rotated-glob", template, "a.log"]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(64), "{template}: {said}");
        assert!(said.contains(expected) && said.contains("{dir}/{stem}-[0-9]*{ext}"), "{said}");
        let by_env = binary().env("LOG_SCRAPER_ROTATED_GLOB", template).arg("a.log").output();
        assert_eq!(by_env.unwrap().status.code(), Some(64), "{template}");
    }
}
