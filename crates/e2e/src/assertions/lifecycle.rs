//! The end of pods: the last line, the time it takes, and what clients notice of it.

use std::time::{Duration, Instant};

use super::{PAGE, Stop, ensure};
use crate::site::{Site, wait};

/// What the app logs when it has been told to end.
const LAST_LINE: &str = "shutting down";
/// Longest deletion of a pod, and the part of it that the default drain takes.
const DELETE_MAX: Duration = Duration::from_secs(10);
const DRAIN: Duration = Duration::from_secs(5);

/// The app writes a line on SIGTERM; the scraper, which ends after the app, still ships it.
pub(super) fn last_line(site: &Site<'_>) -> Result<String, Stop> {
    site.ensure_installed()?;
    let path = "/?seen=before-the-end";
    site.get_ok(path)?;
    let pod = site.pod()?;
    site.wait_for_log(&pod, "log-scraper", path, |line| line.contains(path))?;
    let follow = ["logs", "-f", "-n", &site.namespace, &pod.name, "-c", "log-scraper"];
    let stream = site.cluster.kubectl_background(&follow)?;
    wait(Duration::from_secs(10), || Ok(stream.printed().contains(path).then_some(())))?
        .ok_or_else(|| "kubectl logs -f shows nothing".to_owned())?;
    site.delete(&format!("pod/{}", pod.name))?;
    let log = stream.finish(Duration::from_secs(20))?.stdout;
    let found = log.lines().find(|line| line.contains(LAST_LINE)).ok_or_else(|| {
        format!("no `{LAST_LINE}` after: {}", log.lines().last().unwrap_or_default())
    })?;
    site.wait_for_rollout(45)?;
    Ok(format!("`{found}`"))
}

/// Deletes one of two pods that have keep-alive clients, as a node that is drained does.
pub(super) fn pod_delete(site: &Site<'_>) -> Result<String, Stop> {
    const REQUESTS_MIN: u64 = 50;
    site.ensure_installed()?;
    site.upgrade(&["--set", "replicas=2"])?;
    site.get_ok("/")?;
    let pods = site.pods()?;
    let pod = pods.first().ok_or_else(|| "no pod".to_owned())?;
    let flags = ["--mode", "keep-alive", "--clients", "4", "--rate", "20", "--seconds", "60"];
    let load = site.cluster.start_load(&site.url("/")?, &flags)?;
    std::thread::sleep(Duration::from_secs(1));
    let started = Instant::now();
    site.delete(&format!("pod/{}", pod.name))?;
    let took = started.elapsed();
    let report = load.finish()?;
    report.expect_clean("beside a second pod", REQUESTS_MIN)?;
    ensure(took <= DELETE_MAX, || format!("it took {:.1} s", took.as_secs_f64()))?;
    ensure(took >= DRAIN, || format!("{:.1} s leave no time to drain", took.as_secs_f64()))?;
    site.wait_for_rollout(45)?;
    Ok(format!("{:.1} s; {}", took.as_secs_f64(), report.line))
}

/// Two pods are replaced while eight clients of each kind go on asking.
pub(super) fn rollout_under_load(site: &Site<'_>) -> Result<String, Stop> {
    const REQUESTS_MIN: u64 = 1000;
    site.ensure_installed()?;
    site.upgrade(&["--set", "replicas=2"])?;
    site.get_ok("/")?;
    let old = site.pods()?;
    ensure(old.len() == 2, || format!("{} pods", old.len()))?;
    let url = site.url("/")?;
    let load = |mode, rate| {
        let flags = ["--mode", mode, "--clients", "8", "--rate", rate, "--seconds", "150"];
        site.cluster.start_load(&url, &[flags.as_slice(), &["--expect-body", PAGE]].concat())
    };
    // The kernel walks round a host's source ports in some 3,000 connections. One client stays
    // below that, so that none meets what the node's connection tracking remembers of another.
    let (new, keep_alive) = (load("new", "100")?, load("keep-alive", "200")?);
    std::thread::sleep(Duration::from_secs(2));
    let started = Instant::now();
    site.restart()?;
    for pod in &old {
        site.wait_for_end(pod)?;
    }
    let took = started.elapsed().as_secs_f64();
    std::thread::sleep(Duration::from_secs(1));
    let (new, keep_alive) = (new.finish()?, keep_alive.finish()?);
    new.expect_clean("new connections", REQUESTS_MIN)?;
    keep_alive.expect_clean("keep-alive", REQUESTS_MIN)?;
    Ok(format!(
        "2 pods replaced in {took:.0} s; new: {}; keep-alive: {}",
        new.line, keep_alive.line
    ))
}
