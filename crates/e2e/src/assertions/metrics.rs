//! The metrics that the chart's alerts and its dashboard ask for, in what running sidecars say of themselves.

use std::collections::BTreeSet;

use super::{Stop, ensure};
use crate::site::Site;

/// Admin ports of the proxy and the log scraper.
const PORTS: [u16; 2] = [9180, 9181];
/// What the names of the kit's metrics begin with.
const PREFIXES: [&str; 2] = ["sidecar_proxy_", "log_scraper_"];
/// Metrics that the files name, at least.
const NAMED_MIN: usize = 20;

pub(super) fn metrics(site: &Site<'_>) -> Result<String, Stop> {
    site.ensure_installed()?;
    let named = expect_all(site, |name| !is_of_a_store(name))?;
    ensure(named >= NAMED_MIN, || format!("the chart's files name {named} metrics"))?;
    Ok(format!("{named} metrics of alerts and dashboard are there"))
}

/// That the release's only pod has each metric that the chart's files name and `wanted` takes; how many these are.
pub(super) fn expect_all(site: &Site<'_>, wanted: impl Fn(&str) -> bool) -> Result<usize, String> {
    let mut names = BTreeSet::new();
    let folder = site.cluster.chart.join("files");
    for file in std::fs::read_dir(&folder).map_err(|error| format!("{folder:?}: {error}"))? {
        let path = file.map_err(|error| error.to_string())?.path();
        let text = std::fs::read_to_string(&path).map_err(|error| format!("{path:?}: {error}"))?;
        names.extend(named(&text).filter(|name| wanted(name)));
    }
    let host = site.pod()?.host();
    let mut said = String::new();
    for port in PORTS {
        said.push_str(&site.cluster.get(&format!("http://{host}:{port}/metrics"))?.body);
    }
    let missing: Vec<_> =
        names.iter().filter(|name| !said.contains(&format!("# TYPE {name} "))).collect();
    ensure(missing.is_empty(), || format!("no sidecar has {missing:?}"))?;
    Ok(names.len())
}

/// Whether only a log scraper that sends to a log store has it.
fn is_of_a_store(name: &str) -> bool {
    name.contains("_store_") || name == "log_scraper_records_dropped_total"
}

/// The kit's metrics in a text.
fn named(text: &str) -> impl Iterator<Item = String> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .filter(|word| PREFIXES.iter().any(|prefix| word.starts_with(prefix)))
        .map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_in_expressions() {
        let text = "expr: sum(rate(sidecar_proxy_requests_total{a=\"b\"}[5m])) > log_scraper_files\nother_total";
        let names: Vec<_> = named(text).collect();
        assert_eq!(names, ["sidecar_proxy_requests_total", "log_scraper_files"]);
        assert!(is_of_a_store("log_scraper_store_state") && !is_of_a_store("log_scraper_files"));
    }
}
