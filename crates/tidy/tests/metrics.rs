//! The metrics that the chart's alerts and its dashboard ask for are ones that the programs have, by
//! name, label and value. It reads the programs' sources, where each of these is one literal.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

const PREFIXES: [&str; 2] = ["sidecar_proxy_", "log_scraper_"];

/// Labels that Prometheus and not the program gives.
const OUTSIDE: [&str; 4] = ["namespace", "pod", "pods", "__name__"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn files(folder: &Path, texts: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, texts);
        } else if let Ok(text) = fs::read_to_string(&path) {
            texts.push(text);
        }
    }
}

fn texts(folder: &str) -> String {
    let mut texts = Vec::new();
    files(&root().join(folder), &mut texts);
    texts.join("\n")
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// Names of metrics in a text.
fn metrics(text: &str) -> BTreeSet<&str> {
    text.split(|c| !is_word(c))
        .filter(|word| PREFIXES.iter().any(|prefix| word.starts_with(prefix)))
        .collect()
}

/// `label="value"` pairs in a text, its quotes escaped as in JSON or not.
fn labels(text: &str) -> BTreeSet<(String, String)> {
    let text = text.replace("\\\"", "\"");
    let mut found = BTreeSet::new();
    for (at, _) in text.match_indices("=\"") {
        let label = text[..at].rsplit(|c| !is_word(c)).next().unwrap_or_default();
        let value = text[at + 2..].split('"').next().unwrap_or_default();
        if !label.is_empty() && !OUTSIDE.contains(&label) {
            found.insert((label.to_owned(), value.to_owned()));
        }
    }
    found
}

#[test]
fn alerts_and_dashboard_ask_for_metrics_that_the_programs_have() {
    let (chart, programs) = (texts("charts/sidecar/files"), texts("bins"));
    let known = |word: &str| programs.contains(&format!("\"{word}\""));
    let missing: Vec<_> = metrics(&chart).into_iter().filter(|name| !known(name)).collect();
    assert!(missing.is_empty(), "no program has {missing:?}");
    assert!(metrics(&chart).len() > 20, "the chart's files were not found");
    for (label, value) in labels(&chart) {
        assert!(known(&label) && known(&value), "no program has {label}=\"{value}\"");
    }
    assert!(labels(&chart).contains(&("source".into(), "proxy".into())));
}

#[test]
fn names_and_labels_are_found_in_text_and_in_json() {
    assert_eq!(
        metrics("rate(log_scraper_files{a=\"b\"}[5m]) up"),
        BTreeSet::from(["log_scraper_files"])
    );
    let pair = BTreeSet::from([("status".to_owned(), "5xx".to_owned())]);
    assert_eq!(labels(r#"x{pod=~"a", namespace="b", status="5xx"}"#), pair);
    assert_eq!(labels(r#""expr": "x{status=\"5xx\"}""#), pair);
}
