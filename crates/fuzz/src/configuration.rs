//! Configurations: text to tree to what the proxy runs.

use std::net::SocketAddr;
use std::path::Path;

use nginx_conf::diag::{ERRORS_MAX, WARNINGS_MAX};
use nginx_conf::{Context, Diag, Included, Sources};
use proxy_core::config::lower::{Surroundings, lower_all};
use proxy_core::config::model::{AccessFile, Config, Handler, Location, Locations, Server};
use proxy_core::listeners::Table;
use proxy_core::values::Values;

/// Stands between the files of one input: the main file, then those that it may include by
/// their number, `include 1;`, or all at once, `include *;`.
const FILE_SEPARATOR: u8 = 0x1d;

/// Reads `data` as a configuration. Whatever it is, reading ends, each finding has a place in the
/// text, and a good one points at nothing that is not there.
pub fn configuration(data: &[u8]) {
    let files: Vec<&[u8]> = data.split(|byte| *byte == FILE_SEPARATOR).collect();
    let file = |number: usize| Included {
        name: number.to_string(),
        bytes: files[number].to_vec(),
        is_stock: false,
    };
    let mut resolve = |_: &str, pattern: &str| match pattern.parse::<usize>() {
        Ok(number) if number < files.len() => Ok(vec![file(number)]),
        _ if pattern == "*" => Ok((1..files.len()).map(file).collect()),
        _ => Err(nginx_conf::IncludeError { message: format!("open() \"{pattern}\" failed") }),
    };
    let reading = nginx_conf::read(file(0), Context::Main, &mut resolve);
    check_findings(&reading.tree.sources, &reading.findings);
    let is_good = reading.is_sound && !reading.findings.iter().any(Diag::is_error);
    let surroundings = Surroundings {
        folder: Path::new("/etc/nginx"),
        conf_folder: Path::new("/etc/nginx"),
        is_root: true,
        hostname: "pod-1",
        resolve: &|name, port| match name {
            "localhost" => vec![SocketAddr::from(([127, 0, 0, 1], port))],
            _ => Vec::new(),
        },
    };
    match lower_all(&reading.tree, reading.findings, reading.is_sound, &surroundings) {
        Ok((config, warnings)) => {
            assert!(is_good && !warnings.iter().any(Diag::is_error));
            check_findings(&reading.tree.sources, &warnings);
            check_config(&config);
        }
        Err(findings) => {
            assert!(findings.iter().any(Diag::is_error), "refused without a reason");
            check_findings(&reading.tree.sources, &findings);
        }
    }
}

/// There is a bounded number of findings, each at a place that is there, in order.
fn check_findings(sources: &Sources, findings: &[Diag]) {
    // Those of reading and those of meaning.
    assert!(findings.len() <= 2 * (ERRORS_MAX + WARNINGS_MAX), "{} findings", findings.len());
    let mut before = (0, 0, 0);
    for finding in findings {
        assert!(!finding.message.is_empty());
        assert!(!finding.to_string().contains('\0'), "what is shown can be read");
        if finding.line == 0 {
            continue;
        }
        let index = sources.files().iter().position(|source| source.name == finding.file);
        let Some(index) = index else { unreachable!("no file of that name: {finding:?}") };
        let place = (index, finding.line, finding.column);
        assert!(place >= before, "{place:?} stands after {before:?}");
        before = place;
        let text = String::from_utf8_lossy(&sources.files()[index].bytes).into_owned();
        let line = text.split('\n').nth(finding.line as usize - 1);
        let Some(line) = line else { unreachable!("no such line: {finding:?}") };
        assert!(finding.column >= 1, "{finding:?}");
        assert!(finding.column as usize <= line.chars().count() + 1, "{finding:?} in {line:?}");
        assert!(finding.width >= 1 && finding.caret_at < finding.column, "{finding:?}");
    }
}

/// Every index leads to something.
fn check_config(config: &Config) {
    assert!(!config.servers.is_empty(), "nothing would be served");
    for (index, listen) in config.listens.iter().enumerate() {
        let is_double =
            |other: &&proxy_core::config::model::Listen| other.address == listen.address;
        assert_eq!(config.listens.iter().filter(is_double).count(), 1);
        let names = listen.suffixes.iter().chain(&listen.prefixes).map(|(_, server)| server);
        for server in listen.exact.values().chain(names).chain([&listen.default_server]) {
            assert!(*server < config.servers.len());
        }
        if let Some(wildcard) = listen.bound_by {
            let wildcard = &config.listens[wildcard];
            assert!(wildcard.bound_by.is_none() && wildcard.address.ip().is_unspecified());
            assert_eq!(wildcard.address.port(), listen.address.port());
            assert_eq!(wildcard.address.is_ipv4(), listen.address.is_ipv4());
        }
        assert_eq!(config.listen_for(index, listen.address), index);
    }
    for server in &config.servers {
        check_server(config, server);
    }
    for upstream in &config.upstreams {
        assert!(!upstream.servers.is_empty(), "an upstream has servers");
        assert!(upstream.servers.iter().all(|server| server.weight > 0 && !server.host.is_empty()));
    }
    // What is bound for a configuration is all that it needs.
    let mut table = Table::default();
    let plan = table.plan(config);
    assert!(plan.keep.is_empty() && plan.close.is_empty() && !plan.open.is_empty());
    table.commit(config, &plan, &[]);
    let again = table.plan(config);
    assert_eq!((again.keep, again.open, again.close), (plan.open, vec![], vec![]));
}

fn check_server(config: &Config, server: &Server) {
    check_location(config, server, &server.fallback);
    check_level(server, &server.top);
    assert!(server.named.values().all(|index| *index < server.locations.len()));
    for (index, location) in server.locations.iter().enumerate() {
        check_location(config, server, location);
        // Its own path leads to a location whose path that begins with, and to itself if it is the
        // only one of it; an expression, which has none, may be found for any.
        if let Some(found) = server.location_index(&location.path, &mut Values::default()) {
            let found = &server.locations[found];
            let path = |location: &Location| location.path.clone();
            assert!(
                path(location).starts_with(&found.path)
                    || path(&server.locations[index]) == path(found)
            );
        }
    }
    for path in [&b"/"[..], b"", b"/a/b.html", b"\xff"] {
        let found = server.location_index(path, &mut Values::default());
        let place = found.map(|index| &server.locations[index]);
        place.unwrap_or(&server.fallback).content_type(path);
    }
}

fn check_location(config: &Config, server: &Server, location: &Location) {
    if let Handler::Proxy(pass) = &location.handler {
        let is_made = pass.url.by_variables.is_some();
        assert!(is_made || pass.upstream < config.upstreams.len());
    }
    for log in &location.logs.access {
        let is_known =
            !matches!(log.file, AccessFile::Known(file) if file >= config.log_files.len());
        assert!(is_known && log.format < config.log_formats.len());
    }
    if let Some(nested) = &location.search.nested {
        check_level(server, nested);
    }
}

fn check_level(server: &Server, level: &Locations) {
    let Locations { exact, prefixes, expressions } = level;
    assert!(expressions.iter().all(|(_, index)| *index < server.locations.len()));
    for (path, index) in exact {
        assert!(*index < server.locations.len(), "{path:?} leads nowhere");
    }
    for (path, index) in prefixes.iter() {
        assert!(index < server.locations.len(), "{path:?} leads nowhere");
        assert_eq!(prefixes.longest(path), Some(index), "{path:?} is the longest of its own");
    }
}
