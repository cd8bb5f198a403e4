//! Other ways in than the chart's own Deployment: a parent chart, kustomize, a Job, and in the place of
//! manifests that were written by hand.

use std::process::Command;
use std::time::Duration;

use super::{PAGE, Stop, ensure};
use crate::site::{RELEASE, Site};

/// Requests of the load while the pods of hand-written manifests are replaced, at least.
const REQUESTS_MIN: u64 = 300;

/// The worked parent chart, whose StatefulSet takes the sidecars in.
pub(super) fn parent_chart(site: &Site<'_>) -> Result<String, Stop> {
    let chart = &site.cluster.chart;
    let folder = site.scratch.join(format!("{}-parent", site.namespace));
    copy(&chart.join("ci/parent"), &folder)?;
    let charts = folder.join("charts");
    std::fs::create_dir_all(&charts).map_err(|error| format!("{}: {error}", charts.display()))?;
    copy(chart, &charts.join("sidecar"))?;
    let folder = folder.display().to_string();
    let at = ["-n", &site.namespace, "--wait", "--timeout=90s"];
    site.cluster.helm(&[&["install", "shop", &folder], at.as_slice()].concat())?;
    // The Service is headless: its name leads to the pods, at their own port.
    let url = format!("http://shop.{}.svc:8080/?seen=by-the-parent", site.namespace);
    let answer = site.cluster.get_until(&url, 200, 15)?;
    ensure(answer.body == PAGE, || format!("GET / is {:?}", answer.body))?;
    let pod = site.pod_named("shop-0")?;
    site.wait_for_log(&pod, "log-scraper", "the request", |line| line.contains("by-the-parent"))?;
    site.cluster.helm(&[&["uninstall", "shop"], at.as_slice()].concat())?;
    Ok("StatefulSet of another chart serves through its sidecars".to_owned())
}

/// The example of the component: a Deployment and a CronJob with the label, and a Deployment without.
pub(super) fn kustomize(site: &Site<'_>) -> Result<String, Stop> {
    let example = site.cluster.chart.join("ci/kustomize").display().to_string();
    site.kubectl(&["apply", "-k", &example])?;
    for name in ["shop", "warehouse"] {
        let name = format!("deployment/{name}");
        site.kubectl(&["rollout", "status", &name, "--timeout=60s"])?;
    }
    let url = format!("http://shop.{}.svc/", site.namespace);
    let answer = site.cluster.get_until(&url, 200, 15)?;
    ensure(answer.body == PAGE, || format!("GET / is {:?}", answer.body))?;
    let count = |app: &str| {
        let names =
            "jsonpath={.items[0].spec.containers[*].name} {.items[0].spec.initContainers[*].name}";
        let selector = format!("app={app}");
        let names = site.kubectl(&["get", "pods", "-l", &selector, "-o", names])?;
        Ok::<_, String>(names.split_whitespace().count())
    };
    let counts = (count("shop")?, count("warehouse")?);
    ensure(counts == (3, 1), || format!("{counts:?} containers in the two applications"))?;
    site.kubectl(&["create", "job", "now", "--from=cronjob/stocktaking"])?;
    site.kubectl(&["wait", "--for=condition=complete", "job/now", "--timeout=60s"])?;
    site.kubectl(&["delete", "job", "now"])?;
    site.kubectl(&["delete", "-k", &example, "--wait=true", "--timeout=60s"])?;
    Ok("3 containers with the label, 1 without; the CronJob's job completes".to_owned())
}

/// Work that ends, and its sidecars with it.
pub(super) fn job(site: &Site<'_>) -> Result<String, Stop> {
    let (chart, values) = (site.chart(), site.cluster.chart.join("ci/job-values.yaml"));
    let values = values.display().to_string();
    let at = ["-n", &site.namespace];
    site.cluster.helm(&[&["install", RELEASE, &chart, "-f", &values], at.as_slice()].concat())?;
    let names = site.names("job")?;
    let name = names.first().ok_or_else(|| "no Job".to_owned())?;
    site.kubectl(&["wait", "--for=condition=complete", name, "--timeout=80s"])?;
    let succeeded = site.field("job", ".status.succeeded")?;
    ensure(succeeded == "2", || format!("{succeeded} of 2 pods succeeded"))?;
    site.cluster.helm(&["uninstall", RELEASE, "-n", &site.namespace, "--wait"])?;
    Ok(format!("{succeeded} pods end with their application"))
}

/// The chart's pods come beside those of hand-written manifests and take over from them.
pub(super) fn migration(site: &Site<'_>) -> Result<String, Stop> {
    let chart = &site.cluster.chart;
    let before = chart.join("ci/migration/before.yaml").display().to_string();
    let values = chart.join("ci/migration-values.yaml").display().to_string();
    site.kubectl(&["apply", "-f", &before])?;
    site.kubectl(&["rollout", "status", "deployment/web", "--timeout=60s"])?;
    let url = format!("http://web.{}.svc/", site.namespace);
    site.cluster.get_until(&url, 200, 15)?;
    let flags = ["--mode", "new", "--clients", "4", "--rate", "50", "--seconds", "120"];
    let load =
        site.cluster.start_load(&url, &[flags.as_slice(), &["--expect-body", PAGE]].concat())?;
    std::thread::sleep(Duration::from_secs(2));
    site.install(&["-f", &values])?;
    site.kubectl(&["delete", "deployment", "web"])?;
    site.kubectl(&[
        "wait",
        "--for=delete",
        "pod",
        "-l",
        "app=web,!app.kubernetes.io/name",
        "--timeout=60s",
    ])?;
    std::thread::sleep(Duration::from_secs(1));
    let report = load.finish()?;
    report.expect_clean("while the pods are replaced", REQUESTS_MIN)?;
    let names = site.kubectl(&["get", "pods", "-l", "app=web", "-o", "name"])?;
    ensure(names.lines().count() == 1, || format!("pods behind the old Service: {names}"))?;
    Ok(report.line)
}

/// Copies a folder with all that is in it.
fn copy(from: &std::path::Path, to: &std::path::Path) -> Result<(), String> {
    let copied = Command::new("cp").arg("-r").args([from, to]).output();
    match copied {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
        Err(error) => Err(format!("cp: {error}")),
    }
}
