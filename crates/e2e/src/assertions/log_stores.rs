//! Lines that go to a log store: real ones in the cluster, one of which is away for a minute.
//!
//! A release goes over from standard output to the store and back under load, and the store's pod is
//! gone in between. Every request that was answered is found by the store's own query, or in what
//! `kubectl logs` showed before and after.

use std::time::Duration;

use super::changes::Followed;
use super::metrics;
use super::{PAGE, Stop, ensure};
use crate::numbers::numbers;
use crate::site::{Site, wait};

/// How long the store is away.
const AWAY: Duration = Duration::from_secs(60);
/// Requests per second, and all of them at least. A query of the store gives back no more than 5,000 lines.
const RATE: &str = "15";
const ANSWERED_MIN: u64 = 1000;
/// Longest time until all lines are found.
const FOUND_WITHIN: Duration = Duration::from_secs(60);

/// A store, and how it is asked.
struct Store {
    /// Its Deployment, its Service, and its file in `crates/e2e/stores`.
    name: &'static str,
    /// Values of `logScraper.output`.
    output: &'static [&'static str],
    port: u16,
    /// Path that records go to, where it is not the usual one.
    path: &'static str,
    /// Path of a query for all lines.
    query: &'static str,
}

pub(super) fn victoria_logs(site: &Site<'_>) -> Result<String, Stop> {
    through(
        site,
        &Store {
            name: "victoria-logs",
            output: &["type=ndjson", "fields.time=_time", "fields.message=_msg"],
            port: 9428,
            path: "/insert/jsonline",
            query: "/select/logsql/query?query=*%20%7C%20fields%20_msg",
        },
    )
}

pub(super) fn loki(site: &Site<'_>) -> Result<String, Stop> {
    through(
        site,
        &Store {
            name: "loki",
            output: &["type=loki"],
            port: 3100,
            path: "",
            query: "/loki/api/v1/query_range?query=%7Bservice_name%3D~%22.%2B%22%7D&limit=5000&since=1h",
        },
    )
}

fn through(site: &Site<'_>, store: &Store) -> Result<String, Stop> {
    if !site.cluster.has_image(&format!("e2e-store/{}", store.name))? {
        return Err(Stop::Skipped(format!("there is no image of {}", store.name)));
    }
    let elsewhere = format!("{}-store", site.namespace);
    // Its data are the node's, which a namespace that enforces `restricted` forbids.
    site.cluster.kubectl(&["create", "namespace", &elsewhere])?;
    let deployment = format!("deployment/{}", store.name);
    let kubectl = |arguments: &[&str]| {
        site.cluster.kubectl(&[arguments, &["-n", &elsewhere]].concat()).map(drop)
    };
    kubectl(&["apply", "-f", &format!("crates/e2e/stores/{}.yaml", store.name)])?;
    site.ensure_installed()?;
    site.get_ok("/")?;
    kubectl(&["rollout", "status", &deployment, "--timeout=55s"])?;

    let flags = ["--numbered", "--mode", "new", "--clients", "2", "--rate", RATE];
    let flags = [&flags[..], &["--seconds", "400", "--expect-body", PAGE]].concat();
    let load = site.cluster.start_load(&site.url("/")?, &flags)?;
    let mut pods = Followed::default();
    pods.follow(site)?;

    let address = format!("http://{}.{elsewhere}.svc:{}", store.name, store.port);
    let mut values = vec![format!("--set=logScraper.output.url={address}{}", store.path)];
    values.extend(store.output.iter().map(|one| format!("--set=logScraper.output.{one}")));
    site.upgrade(&values.iter().map(String::as_str).collect::<Vec<_>>())?;
    pods.settle(site)?;
    std::thread::sleep(Duration::from_secs(5));
    metrics::expect_all(site, |_| true)?;
    kubectl(&["scale", &deployment, "--replicas=0"])?;
    kubectl(&[
        "wait",
        "--for=delete",
        "pod",
        "-l",
        &format!("app={}", store.name),
        "--timeout=55s",
    ])?;
    std::thread::sleep(AWAY);
    kubectl(&["scale", &deployment, "--replicas=1"])?;
    kubectl(&["rollout", "status", &deployment, "--timeout=55s"])?;
    // The longest pause between two attempts, and what has gathered meanwhile.
    std::thread::sleep(Duration::from_secs(35));
    site.upgrade(&["--set=logScraper.output.type=stdout", "--set=logScraper.output.url=null"])?;
    pods.settle(site)?;
    std::thread::sleep(Duration::from_secs(3));
    let report = load.finish()?;
    report.expect_clean("while the log goes to the store", ANSWERED_MIN)?;

    let asked = report.requests;
    let query = format!("{address}{}", store.query);
    let stored = || Ok::<_, String>(numbers(&site.cluster.get(&query)?.body));
    let missing = || {
        let mut all = stored()?;
        pods.logs(site)?.iter().for_each(|log| all.extend(numbers(log)));
        Ok::<Vec<_>, String>((1..=asked).filter(|number| !all.contains_key(number)).collect())
    };
    wait(FOUND_WITHIN, || Ok(missing()?.is_empty().then_some(())))?.ok_or_else(|| {
        let missing = missing().unwrap_or_default();
        let some = missing.iter().take(5).map(ToString::to_string).collect::<Vec<_>>().join(" ");
        format!("{} of {asked} lines are lost: {some}", missing.len())
    })?;
    let stored = stored()?.len() as u64;
    ensure(stored > asked / 2, || format!("{stored} of {asked} lines are stored"))?;
    kubectl(&["delete", "namespace", &elsewhere, "--wait=false"])?;
    Ok(format!("{asked} lines, {stored} of them in the store; 0 lost"))
}
