//! Revisions of a release, back and forth, and its end.

use std::time::Duration;

use super::{PAGE, Stop, ensure, nginx_conf};
use crate::site::{RELEASE, Site, wait};

/// Two revisions that differ in a container and in the configuration.
pub(super) fn rollback_uninstall(site: &Site<'_>) -> Result<String, Stop> {
    site.ensure_installed()?;
    let first = site.field("deployment", ".spec.template.spec")?;
    let file = site.file("second.conf", &nginx_conf("location = /second { return 410; }"))?;
    site.upgrade(&[
        "--set=logScraper.enabled=false,proxy.reload=rollout",
        "--set-file",
        &format!("proxy.config={file}"),
    ])?;
    let second = site.field("deployment", ".spec.template.spec")?;
    site.cluster.get_until(&site.url("/second")?, 410, 15)?;

    for (revision, spec, status) in [("1", &first, 404), ("2", &second, 410)] {
        let back =
            ["rollback", RELEASE, revision, "--wait", "--timeout=90s", "-n", &site.namespace];
        site.cluster.helm(&back)?;
        let now = site.field("deployment", ".spec.template.spec")?;
        ensure(now == *spec, || format!("revision {revision} has another pod template: {now}"))?;
        site.cluster.get_until(&site.url("/second")?, status, 90)?;
        let answer = site.get_ok("/")?;
        ensure(answer.body == PAGE, || format!("GET / is {:?}", answer.body))?;
    }
    site.cluster.helm(&["uninstall", RELEASE, "--wait", "--timeout=60s", "-n", &site.namespace])?;
    nothing_left(site)?;
    Ok("revisions 1 → 2 → 1 → 2".to_owned())
}

/// The chart as it was before its configuration belonged to the pods.
const FIRST_CHART: &str = "crates/e2e/charts/sidecar-first.tgz";

/// From the first chart to this one and back, under load.
pub(super) fn first_chart(site: &Site<'_>) -> Result<String, Stop> {
    let at = ["-n", &site.namespace, "--wait", "--timeout=90s"];
    site.cluster.helm(&[&["install", RELEASE, FIRST_CHART], at.as_slice()].concat())?;
    site.get_ok("/")?;
    let first = site.pod()?;
    let flags = ["--mode", "new", "--clients", "4", "--rate", "50", "--seconds", "150"];
    let flags = [flags.as_slice(), &["--expect-body", PAGE]].concat();
    let load = site.cluster.start_load(&site.url("/")?, &flags)?;
    std::thread::sleep(Duration::from_secs(1));
    site.upgrade(&[])?;
    site.wait_for_end(&first)?;
    let second = site.pod()?;
    site.cluster.helm(&[&["rollback", RELEASE, "1"], at.as_slice()].concat())?;
    site.wait_for_end(&second)?;
    std::thread::sleep(Duration::from_secs(1));
    let report = load.finish()?;
    report.expect_clean("from the first chart and back", 500)?;
    Ok(report.line)
}

/// The namespace holds what a new one holds, and the records of what happened in it.
fn nothing_left(site: &Site<'_>) -> Result<(), String> {
    let kinds =
        site.cluster.kubectl(&["api-resources", "--verbs=list", "--namespaced", "-o", "name"])?;
    let kinds: Vec<&str> = kinds.lines().filter(|kind| !kind.starts_with("events")).collect();
    let kinds = kinds.join(",");
    let left = || {
        let all = site.kubectl(&["get", &kinds, "--ignore-not-found", "-o", "name"])?;
        let own =
            |name: &&str| !matches!(*name, "configmap/kube-root-ca.crt" | "serviceaccount/default");
        Ok::<_, String>(all.lines().filter(own).map(str::to_owned).collect::<Vec<_>>())
    };
    // Pods and what their controllers made go a moment after what helm deleted.
    let gone = wait(Duration::from_secs(30), || Ok(left()?.is_empty().then_some(())))?;
    match gone {
        Some(()) => Ok(()),
        None => Err(format!("left behind: {}", left()?.join(", "))),
    }
}
