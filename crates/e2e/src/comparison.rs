//! The kit beside what people write by hand: the same application, cluster, load and questions.
//!
//! It prints a table and judges nothing.

use std::time::{Duration, Instant};

use crate::assertions::figures;
use crate::cluster::{Cluster, Load, LoadReport};
use crate::numbers::numbers;
use crate::site::{Pod, RELEASE, Site};
use crate::start_up::{self, Start};

/// The demo's page.
const PAGE: &str = "Hello, World!";
/// Manifests of what is written by hand.
const BY_HAND: &str = "crates/e2e/by-hand/manifests.yaml";
/// What the demo's log file may grow to before it is rotated; the manifests say the same.
const LOG_BYTES_MAX: u64 = 131_072;
/// How long the log is written to while it is rotated, at how many requests a second.
const ROTATIONS: Duration = Duration::from_secs(30);
const ROTATIONS_RATE: u64 = 300;
/// How often each way is started anew for the time that it takes.
const STARTS: usize = 5;

/// One of the two ways, and what is asked of it.
struct Way {
    name: &'static str,
    /// Containers and images of the two sidecars: proxy, then log.
    sidecars: [(&'static str, &'static str); 2],
    install: fn(&Site<'_>) -> Result<(), String>,
}

const WAYS: [Way; 2] = [
    Way {
        name: "nginx and tail by hand",
        sidecars: [("nginx", "by-hand/nginx:latest"), ("tail", "by-hand/busybox:latest")],
        install: |site| site.kubectl(&["apply", "-f", BY_HAND]).map(drop),
    },
    Way {
        name: "the kit",
        sidecars: [("proxy", "sidecar-kit/proxy"), ("log-scraper", "sidecar-kit/log-scraper")],
        install: |site| {
            let values = format!(
                "app:\n  env:\n    - name: HELLO_APP_LOG_MAX_BYTES\n      value: \"{LOG_BYTES_MAX}\"\n"
            );
            // Without --wait, as kubectl does not wait either.
            let (chart, values) = (site.chart(), site.file("comparison.yaml", &values)?);
            let install = ["install", RELEASE, &chart, "-n", &site.namespace, "-f", &values];
            site.cluster.helm(&install).map(drop)
        },
    },
];

/// Measures both and returns a table in Markdown.
pub(crate) fn run(cluster: &Cluster, scratch: &std::path::Path) -> Result<String, String> {
    // Not one that enforces `restricted`: what is written by hand runs as root.
    let site = |namespace: String| -> Result<Site<'_>, String> {
        cluster.kubectl(&["create", "namespace", &namespace])?;
        Ok(Site { cluster, namespace, scratch: scratch.to_owned(), load_balancer: false })
    };
    let told = |way: &Way, why: String| format!("{}: {why}", way.name);
    let mut starts = [Vec::new(), Vec::new()];
    for round in 0..STARTS {
        for (way, starts) in WAYS.iter().zip(&mut starts) {
            let site = site(format!("start-{round}-{}", way.sidecars[0].0))?;
            let one = start_up::start(&site, way.install).map_err(|why| told(way, why))?;
            eprintln!("{}: {one:?}", way.name);
            starts.push(one);
            start_up::remove(&site)?;
        }
    }
    let mut columns = Vec::new();
    for (index, (way, starts)) in WAYS.iter().zip(&starts).enumerate() {
        let site = site(format!("comparison-{index}"))?;
        columns.push(measure(&site, way, starts).map_err(|why| told(way, why))?);
        cluster.kubectl(&["delete", "namespace", &site.namespace, "--wait=false"])?;
    }
    let mut table = format!("| | {} |\n|---|---|---|\n", WAYS.map(|way| way.name).join(" | "));
    let (by_hand, kit) = (&columns[0], &columns[1]);
    for ((question, by_hand), (_, kit)) in by_hand.iter().zip(kit) {
        table.push_str(&format!("| {question} | {by_hand} | {kit} |\n"));
    }
    Ok(table)
}

type Answers = Vec<(&'static str, String)>;

fn measure(site: &Site<'_>, way: &Way, starts: &[Start]) -> Result<Answers, String> {
    (way.install)(site)?;
    site.cluster.get_until(&site.url("/")?, 200, 60)?;
    // What the first requests and the start took is not what an idle pod takes.
    std::thread::sleep(Duration::from_secs(5));
    let images = way.sidecars.map(|(_, image)| site.cluster.image_bytes(image));
    let [proxy_bytes, log_bytes] = [images[0].clone()?, images[1].clone()?];
    let (pod, mb) = (site.pod()?, |bytes: u64| bytes as f64 / 1e6);
    let idle = way.sidecars.map(|(name, _)| figures(site, &pod, name));
    let [proxy_idle, log_idle] = [idle[0].clone()?, idle[1].clone()?];
    let (lost, lines, cpu_ms) = rotations(site, &pod, way)?;
    let (killed_lost, killed_again, killed_lines) = killed(site, &pod, way.sidecars[1].0)?;
    let rollout = rollout(site)?;
    let deleted = delete(site)?;
    Ok(vec![
        ("images of the two sidecars", format!("{:.2} + {:.2} MB", mb(proxy_bytes), mb(log_bytes))),
        (
            "memory of the two, idle (working set)",
            format!("{:.2} + {:.2} MB", mb(proxy_idle.working_set), mb(log_idle.working_set)),
        ),
        ("CPU of the two per 1,000 requests", format!("{:.0} + {:.0} ms", cpu_ms[0], cpu_ms[1])),
        (
            "from the pod on its node to its first answer (of five, in turn)",
            start_up::spread(starts, |start| start.answer),
        ),
        ("containers start after", start_up::containers(starts)),
        (
            "from the command (`kubectl apply`, `helm install`) to the first answer",
            start_up::spread(starts, |start| start.since_command),
        ),
        ("requests that fail in a rollout, new connections", rollout[0].clone()),
        ("the same, kept connections", rollout[1].clone()),
        ("deletion of a pod", format!("{deleted:.1} s")),
        ("lines lost while the log is rotated", format!("{lost} of {lines}")),
        (
            "lines lost, and written again, when the log sidecar is killed",
            format!("{killed_lost} and {killed_again} of {killed_lines}"),
        ),
    ])
}

/// Starts a load of numbered requests, so many a second.
fn load(site: &Site<'_>, mode: &str, rate: u64, url: &str) -> Result<Load, String> {
    let rate = rate.to_string();
    let flags = ["--numbered", "--mode", mode, "--clients", "4", "--rate", &rate];
    let flags = [&flags[..], &["--seconds", "120", "--expect-body", PAGE]].concat();
    site.cluster.start_load(url, &flags)
}

/// Lines that are not in the sidecar's output, of how many, and both sidecars' CPU, in ms per 1,000 requests.
fn rotations(site: &Site<'_>, pod: &Pod, way: &Way) -> Result<(usize, u64, [f64; 2]), String> {
    let log = site.follow_logs(pod, way.sidecars[1].0)?;
    let cpu = || -> Result<[u64; 2], String> {
        let [proxy, log] = way.sidecars.map(|(name, _)| figures(site, pod, name));
        Ok([proxy?.cpu_us, log?.cpu_us])
    };
    let before = cpu()?;
    let load = load(site, "new", ROTATIONS_RATE, &site.url("/")?)?;
    std::thread::sleep(ROTATIONS);
    let report = load.finish()?;
    report.expect_clean("while the log is rotated", ROTATIONS_RATE)?;
    std::thread::sleep(Duration::from_secs(3));
    let after = cpu()?;
    let (lost, _) = compare(&log.printed(), report.requests);
    let per = |one: usize| after[one].saturating_sub(before[one]) as f64 / report.requests as f64;
    Ok((lost, report.requests, [per(0), per(1)]))
}

/// Kills the log's sidecar under load: lines lost, lines written again, and all there were. The requests go to the
/// pod itself, which Kubernetes takes out of its Service as long as one of its containers is away.
fn killed(site: &Site<'_>, pod: &Pod, name: &str) -> Result<(usize, u64, u64), String> {
    let first = site.follow_logs(pod, name)?;
    let load = load(site, "new", ROTATIONS_RATE, &format!("http://{}:8080/killed/", pod.host()))?;
    std::thread::sleep(ROTATIONS / 4);
    site.kill(pod, name)?;
    let first = first.finish(Duration::from_secs(30))?.success("kubectl logs --follow")?;
    std::thread::sleep(ROTATIONS / 4);
    let report = load.finish()?;
    std::thread::sleep(Duration::from_secs(3));
    let log = format!("{first}{}", site.logs(pod, name)?);
    let own: Vec<&str> = log.lines().filter(|line| line.contains("/killed/")).collect();
    let (lost, again) = compare(&own.join("\n"), report.requests);
    Ok((lost, again, report.requests))
}

/// Numbers up to `requests` that are not in a log, and how often one is in it once more.
fn compare(log: &str, requests: u64) -> (usize, u64) {
    let seen = numbers(log);
    let lost = (1..=requests).filter(|number| !seen.contains_key(number)).count();
    (lost, seen.values().map(|times| times - 1).sum())
}

/// What fails while the pods are restarted, of new and of kept connections.
fn rollout(site: &Site<'_>) -> Result<[String; 2], String> {
    let old = site.pod()?;
    let url = site.url("/")?;
    let (new, kept) = (load(site, "new", 100, &url)?, load(site, "keep-alive", 100, &url)?);
    std::thread::sleep(Duration::from_secs(2));
    site.restart()?;
    site.wait_for_end(&old)?;
    std::thread::sleep(Duration::from_secs(1));
    let told = |LoadReport { requests, failed, .. }| format!("{failed} of {requests}");
    Ok([told(new.finish()?), told(kept.finish()?)])
}

/// Seconds that the deletion of a pod takes.
fn delete(site: &Site<'_>) -> Result<f64, String> {
    let pod = site.pod()?;
    let started = Instant::now();
    site.delete(&format!("pod/{}", pod.name))?;
    Ok(started.elapsed().as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_lost_and_what_comes_again_is_counted() {
        assert_eq!(compare("GET /?n=1 200\nGET /?n=3 200\nGET /?n=3 200\n", 4), (2, 1));
        assert_eq!(compare("", 2), (2, 0));
    }
}
