//! The README's examples of log stores, run as they are written there against real stores: only the
//! store's address and the file are others.

use std::fs;

use crate::common::{Folder, Scraper, free_address, wait_until};
use crate::folder_with;
use crate::real::{Server, find, loki_has, numbers, victoria_logs_has};

const README: &str = include_str!("../../../../README.md");
/// The file that the examples follow.
const FILE: &str = "/var/log/app/logs.txt";
const LINES: usize = 100;

/// The words of each command in the first block of the section, behind the program's name. What is in
/// single quotes is one word.
fn examples() -> Vec<Vec<String>> {
    let (_, section) = README.split_once("\n### Log stores\n").unwrap();
    let blocks = section.split("\n```").filter_map(|block| block.strip_prefix("sh\n"));
    let block = blocks.into_iter().next().unwrap().replace("\\\n", " ");
    let words = |line: &str| {
        let quoted = line.split('\'').enumerate();
        let words = quoted.flat_map(|(place, text)| match place % 2 {
            0 => text.split_whitespace().map(str::to_owned).collect(),
            _ => vec![text.to_owned()],
        });
        words.collect::<Vec<_>>()
    };
    let commands = block.lines().map(words).filter_map(|words| {
        let (program, rest) = words.split_first()?;
        assert_eq!(program, "log-scraper");
        Some(rest.to_vec())
    });
    commands.collect()
}

/// Runs the example of an output, whose store is usually at that port.
fn run(output: &str, port: u16, server: &Server, folder: &Folder) -> Scraper {
    let all = examples();
    let is_meant = |words: &&Vec<String>| words[..2] == ["--output", output];
    let words = all.iter().find(is_meant).unwrap_or_else(|| panic!("no example of {output}"));
    let (usual, log) = (format!("127.0.0.1:{port}"), folder.argument("app.log"));
    assert!(words.iter().any(|word| word.contains(&usual)), "{words:?}");
    let words = words.iter().map(|word| word.replace(&usual, &server.address));
    let words: Vec<String> = words.map(|word| word.replace(FILE, &log)).collect();
    assert!(words.contains(&log), "{words:?}");
    Scraper::start(&words.iter().map(String::as_str).collect::<Vec<_>>())
}

#[test]
fn there_is_an_example_of_each_output_and_no_other() {
    let outputs: Vec<String> = examples().into_iter().map(|words| words[1].clone()).collect();
    assert_eq!(outputs, ["loki", "otlp", "ndjson", "elasticsearch"]);
}

#[test]
fn the_example_of_loki_brings_every_line() {
    let Some(program) = find("loki") else { return };
    let folder = folder_with(LINES as u64);
    let server = Server::loki(&program, &free_address(), &folder);
    let scraper = run("loki", 3100, &server, &folder);
    wait_until("all lines", || loki_has(&server, "app", "shop").len() >= LINES);
    scraper.terminate();
    assert_eq!(loki_has(&server, "app", "shop").len(), LINES);
}

#[test]
fn the_example_of_otlp_brings_every_line() {
    let Some(program) = find("rotel-agent") else { return };
    let folder = folder_with(LINES as u64);
    let server = Server::collector(&program, &free_address(), &folder, "collected");
    let scraper = run("otlp", 4318, &server, &folder);
    let said = || fs::read_to_string(folder.path("collected")).unwrap_or_default();
    wait_until("all lines", || numbers(&said()).len() >= LINES);
    scraper.terminate();
    assert_eq!(numbers(&said()), (0..LINES as u64).collect::<Vec<_>>());
    assert!(said().contains("service.name: Str(shop)"));
}

#[test]
fn the_examples_of_victoria_logs_bring_every_line() {
    let Some(program) = find("victoria-logs") else { return };
    let folder = folder_with(LINES as u64);
    let server = Server::victoria_logs(&program, &free_address(), &folder);
    for (output, expected) in [("ndjson", LINES), ("elasticsearch", 2 * LINES)] {
        let scraper = run(output, 9428, &server, &folder);
        wait_until("all lines", || victoria_logs_has(&server, "shop").len() >= expected);
        scraper.terminate();
        assert_eq!(victoria_logs_has(&server, "shop").len(), expected, "{output}");
    }
}
