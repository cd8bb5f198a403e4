//! nginx beside ours: the same file and the same requests for both, and everything that can be seen
//! of it compared: status, fields, body, what the upstream got, and the access log.
//!
//! The cases are in `cases/*.txt`; `case` says how they are written. `BESIDE_NGINX=TEXT` runs only
//! those whose file or title has the text, and tells what nginx did with them.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on ends there")]

#[path = "../common/mod.rs"]
mod common;

mod bench;
mod case;
mod client;
mod compare;
mod conf;
mod dns;
mod drawn;
mod fastcgi;
mod plain;
mod plan;
mod program;
mod reference;
mod syslog;
mod tree;
mod upstream;
mod wire;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use compare::Difference;
use nginx_conf::table::{self, Class};
use plan::{Row, Suite};
use program::Nginx;

/// Fewer are not the suite: a file was lost.
const PAIRS_MIN: usize = 3_895;

#[test]
fn one_file_means_the_same_to_nginx_and_to_the_proxy() {
    let Some(nginx) = nginx() else { return };
    let only = std::env::var("BESIDE_NGINX").unwrap_or_default();
    let suites: Vec<Suite> = suites().into_iter().map(|suite| suite.only(&only)).collect();
    let pairs: usize = suites.iter().map(Suite::pairs).sum();
    let least = if only.is_empty() { PAIRS_MIN } else { 1 };
    assert!(pairs >= least, "{pairs} pairs, {least} are wanted");
    let rows = plan::run(&suites, &nginx, !only.is_empty());
    assert!(rows.is_empty(), "{}", listed(&rows, pairs));
}

#[test]
fn what_is_drawn_means_the_same_to_nginx_and_to_the_proxy() {
    let Some(nginx) = nginx() else { return };
    let suites = drawn::suites();
    let pairs: usize = suites.iter().map(Suite::pairs).sum();
    let mut rows = plan::run(&suites, &nginx, false);
    drawn::keep_unmeant(&mut rows);
    let texts: String = drawn::numbers(&rows).into_iter().map(drawn::drawn).collect();
    assert!(rows.is_empty(), "{}\n{texts}", listed(&rows, pairs));
}

/// What is compared with; `None` where it is not installed, which is told.
fn nginx() -> Option<Nginx> {
    let nginx = Nginx::find();
    if nginx.is_none() {
        assert!(std::env::var_os("CI").is_none(), "nginx is not installed, and CI is set");
        say("NOT TESTED: nginx is not installed, nothing was compared with it");
    }
    nginx
}

/// Whoever makes a directive work writes a case for it.
#[test]
fn every_directive_that_is_carried_out_is_in_a_case() {
    let suites = suites();
    let confs = suites.iter().flat_map(|suite| &suite.cases).map(|case| case.conf.as_str());
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let words: BTreeSet<&str> = confs.flat_map(|conf| conf.split(|c| !is_part(c))).collect();
    let missing: Vec<&str> = table::rows()
        .filter(|row| matches!(row.class, Class::Implemented) && !words.contains(row.name))
        .map(|row| row.name)
        .collect();
    assert!(missing.is_empty(), "no case has {missing:?}");
}

/// To whoever runs the tests, also where they pass.
fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// All files of cases, by name.
fn suites() -> Vec<Suite> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/beside_nginx/cases");
    let files = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> =
        files.filter(|path| path.extension().is_some_and(|ending| ending == "txt")).collect();
    files.sort();
    let suite = |path: &PathBuf| {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let cases = case::parse(&format!("{name}.txt"), &fs::read_to_string(path).unwrap());
        Suite { name, cases }
    };
    files.iter().map(suite).collect()
}

/// One line per difference, those of a case under its title; what is the same in many cases comes
/// once, at the end.
fn listed(rows: &[Row], pairs: usize) -> String {
    const MANY: usize = 6;
    let mut many: BTreeMap<[&str; 3], Vec<&str>> = BTreeMap::new();
    for Row { place, difference } in rows {
        many.entry(key(difference)).or_default().push(place);
    }
    many.retain(|_, places| places.len() >= MANY);
    let mut out = format!("{} differences in {pairs} pairs\n", rows.len());
    for of_case in rows.chunk_by(|one, next| one.place == next.place) {
        let mut own: Vec<([&str; 3], String)> = Vec::new();
        for Row { difference, .. } in of_case {
            let key = key(difference);
            let request = difference.request.to_string();
            match own.iter_mut().find(|(known, _)| *known == key) {
                Some((_, requests)) => requests.extend([" ", &request]),
                None if many.contains_key(&key) => {}
                None => own.push((key, request)),
            }
        }
        if !own.is_empty() {
            let _ = writeln!(out, "{}", of_case[0].place);
        }
        for (key, requests) in own {
            let _ = writeln!(out, "  {requests} {}", shown(key));
        }
    }
    out.push_str("in many cases\n");
    for (key, places) in many {
        let _ = writeln!(out, "  {} times {}; first in {}", places.len(), shown(key), places[0]);
    }
    out
}

fn key(difference: &Difference) -> [&str; 3] {
    [&difference.what, &difference.ours, &difference.nginx].map(String::as_str)
}

fn shown([what, ours, nginx]: [&str; 3]) -> String {
    const SHOWN_CHARS: usize = 300;
    let cut = |text: &str| match text.char_indices().nth(SHOWN_CHARS) {
        Some((at, _)) => format!("{:?} …", &text[..at]),
        None => format!("{text:?}"),
    };
    format!("{what}: ours {}, nginx {}", cut(ours), cut(nginx))
}
