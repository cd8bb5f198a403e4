//! The proxy's configuration on the cluster: changed, broken, rolled out, and the blog's own.

use std::time::{Duration, Instant};

use super::{PAGE, Stop, ensure, nginx_conf};
use crate::site::{Pod, Site, wait};

/// The kubelet brings a changed ConfigMap into a pod within about a minute.
const TAKES_EFFECT_SECONDS: u64 = 90;

/// Hot reload of a good and of a broken file, then the other way, by new pods.
pub(super) fn config_change(site: &Site<'_>) -> Result<String, Stop> {
    site.ensure_installed()?;
    site.get_ok("/")?;
    let pod = site.pod()?;
    let hot = hot(site, &pod)?;
    broken(site, &pod)?;
    restarted_on_broken(site, &pod)?;
    rollout(site, &pod)?;
    Ok(format!("served {hot:.0} s after helm upgrade"))
}

/// Seconds from the upgrade to the first response by the new file.
fn hot(site: &Site<'_>, pod: &Pod) -> Result<f64, String> {
    let file = site.file("hot.conf", &nginx_conf("location = /teapot { return 418; }"))?;
    site.upgrade(&["--set-file", &format!("proxy.config={file}")])?;
    let started = Instant::now();
    let url = site.url("/teapot")?;
    site.cluster.get_until(&url, 418, TAKES_EFFECT_SECONDS)?;
    let seconds = started.elapsed().as_secs_f64();
    same_pod(site, pod)?;
    Ok(seconds)
}

/// A semicolon is missing in line 6: the file before it goes on, and both metric and log say so.
fn broken(site: &Site<'_>, pod: &Pod) -> Result<(), String> {
    let text = nginx_conf("location = /teapot { return 200 }");
    let file = site.file("broken.conf", &text)?;
    let before = metric(site, pod, RELOAD_FAILURES)?;
    site.upgrade(&["--set-file", &format!("proxy.config={file}")])?;
    // A changed annotation makes the kubelet look at the pod now, and not within its minute.
    site.kubectl(&["annotate", "pod", &pod.name, "e2e/look=now"])?;
    wait(Duration::from_secs(TAKES_EFFECT_SECONDS), || {
        Ok((metric(site, pod, RELOAD_FAILURES)? > before).then_some(()))
    })?
    .ok_or_else(|| format!("{RELOAD_FAILURES} stays {before}"))?;
    let last = metric(site, pod, "sidecar_proxy_config_last_load_success")?;
    ensure(last == 0.0, || format!("the last reload counts as successful: {last}"))?;
    site.wait_for_log(pod, "proxy", "nginx.conf:6", |line| line.contains("nginx.conf:6"))?;
    let teapot = site.cluster.get(&site.url("/teapot")?)?;
    ensure(teapot.status == 418, || format!("/teapot is {} by the broken file", teapot.status))?;
    let answer = site.get_ok("/")?;
    ensure(answer.body == PAGE, || format!("GET / is {:?}", answer.body))?;
    same_pod(site, pod)
}

/// A proxy that starts again finds the broken file, and serves the last good one.
fn restarted_on_broken(site: &Site<'_>, pod: &Pod) -> Result<(), String> {
    site.kubectl(&["exec", &pod.name, "-c", "proxy", "--", "/proxy", "-s", "stop"])?;
    wait(Duration::from_secs(30), || {
        let proxy = site.container(pod, "proxy")?;
        Ok((proxy.restarts > 0 && proxy.ready).then_some(()))
    })?
    .ok_or_else(|| "the proxy does not come back on the broken file".to_owned())?;
    site.cluster.get_until(&site.url("/teapot")?, 418, 15)?;
    let last = metric(site, pod, "sidecar_proxy_config_last_load_success")?;
    ensure(last == 0.0, || format!("the broken file counts as taken up: {last}"))?;
    site.wait_for_log(pod, "proxy", "--last-good", |line| line.contains("--last-good")).map(drop)
}

/// A broken file is refused by the hook before an upgrade changes anything.
pub(super) fn config_check(site: &Site<'_>) -> Result<String, Stop> {
    site.install(&["--set=proxy.check=true"])?;
    let pod = site.pod()?;
    let maps = || site.field("configmap", ".data");
    let before = maps()?;
    let broken = site.file("checked.conf", &nginx_conf("location = /x { return 200 }"))?;
    let config = format!("proxy.config={broken}");
    let refused = site.upgrade(&["--set-file", &config]);
    let why = refused.err().ok_or_else(|| "helm upgrades to a broken file".to_owned())?;
    ensure(why.contains("pre-upgrade"), || format!("not refused by the hook: {why}"))?;
    same_pod(site, &pod)?;
    ensure(maps()? == before, || "the ConfigMap has changed".to_owned())?;
    let jobs = site.kubectl(&["get", "jobs", "-o", "name"])?;
    let log = site.kubectl(&["logs", jobs.trim()])?;
    ensure(log.contains("nginx.conf:6"), || format!("the test's log names no line: {log}"))?;
    let good = site.file("good.conf", &nginx_conf("location = /x { return 410; }"))?;
    site.upgrade(&["--set-file", &format!("proxy.config={good}")])?;
    site.cluster.get_until(&site.url("/x")?, 410, TAKES_EFFECT_SECONDS)?;
    let jobs = site.kubectl(&["get", "jobs", "-o", "name"])?;
    ensure(jobs.trim().is_empty(), || format!("left behind: {jobs}"))?;
    let told = why.lines().find(|line| line.contains("pre-upgrade")).unwrap_or_default();
    Ok(format!("`{}`", told.trim()))
}

/// With `reload=rollout` each change is a new pod.
fn rollout(site: &Site<'_>, old: &Pod) -> Result<(), String> {
    let mut old = old.clone();
    for (index, status) in [(1, 410), (2, 411)] {
        let text = nginx_conf(&format!("location = /rolled {{ return {status}; }}"));
        let file = site.file(&format!("rollout-{index}.conf"), &text)?;
        let config = format!("proxy.config={file}");
        site.upgrade(&["--set", "proxy.reload=rollout", "--set-file", &config])?;
        site.cluster.get_until(&site.url("/rolled")?, status, 15)?;
        let new = site.pod()?;
        ensure(new.uid != old.uid, || format!("rollout {index} kept the pod {}", old.name))?;
        old = new;
    }
    Ok(())
}

/// An error unless the release's only pod is this one, and none of its containers has restarted.
pub(super) fn same_pod(site: &Site<'_>, pod: &Pod) -> Result<(), String> {
    let now = site.pod()?;
    ensure(now == *pod, || format!("pod {} became {}", pod.uid, now.uid))?;
    let restarted = site.containers(pod)?.into_iter().find(|one| one.restarts > 0);
    ensure(restarted.is_none(), || format!("restarted: {restarted:?}"))
}

const RELOAD_FAILURES: &str = "sidecar_proxy_config_reloads_total{result=\"failure\"}";

/// A sample of the proxy's metrics by its whole name; 0 where it has not been counted yet.
pub(super) fn metric(site: &Site<'_>, pod: &Pod, name: &str) -> Result<f64, String> {
    let host = pod.host();
    let answer = site.cluster.get(&format!("http://{host}:9180/metrics"))?;
    ensure(answer.status == 200, || format!("/metrics is {}", answer.status))?;
    Ok(sample(&answer.body, name).unwrap_or(0.0))
}

fn sample(metrics: &str, name: &str) -> Option<f64> {
    let value = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?;
    value.split(' ').next()?.parse().ok()
}

/// The file from the blog that the kit began with, made into a ConfigMap as the blog does.
pub(super) fn blog_config(site: &Site<'_>) -> Result<String, Stop> {
    const BLOG: &str = "events {}
http {
    server {
        listen 80;
        location / {
            proxy_pass http://localhost:5000;
        }
    }
}
";
    let file = site.file("nginx.conf", BLOG)?;
    let from = format!("--from-file=nginx.conf={file}");
    site.kubectl(&["create", "configmap", "nginx-configmap", &from])?;
    let installed = site.install(&[
        "--set=proxy.existingConfigMap=nginx-configmap",
        "--set=proxy.port=80",
        "--set=unprivilegedPortStart=0",
    ]);
    if let Err(why) = installed {
        let events = site.kubectl(&["get", "events", "-o", "jsonpath={.items[*].reason}"])?;
        if events.contains("SysctlForbidden") {
            let why = "the node forbids the sysctl net.ipv4.ip_unprivileged_port_start";
            return Err(Stop::Skipped(why.to_owned()));
        }
        return Err(why.into());
    }
    let answer = site.get_ok("/")?;
    ensure(answer.body == PAGE, || format!("GET / is {:?}", answer.body))?;
    let maps = site.names("configmap")?;
    ensure(maps.is_empty(), || format!("the chart made a ConfigMap of its own: {maps:?}"))?;
    Ok("200 through port 80 of the pod".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_found_by_its_whole_name() {
        let metrics = "# TYPE a counter\na{result=\"failure\"} 2\nab 3\na 1\n";
        assert_eq!(sample(metrics, "a{result=\"failure\"}"), Some(2.0));
        assert_eq!(sample(metrics, "a"), Some(1.0));
        assert_eq!(sample(metrics, "b"), None);
    }

    #[test]
    fn the_broken_line_is_where_the_test_looks_for_it() {
        let text = nginx_conf("return 200");
        assert_eq!(text.lines().nth(5), Some("    return 200"));
    }
}
