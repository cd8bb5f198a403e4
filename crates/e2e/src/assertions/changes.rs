//! An application that was not written for the kit, and all that is done to its pods in their life.
//!
//! Clients with new and with kept connections, an event stream and a WebSocket go on all the while.
//! None of them may notice more than that a stream ends with its pod, and every request that was
//! answered is a line of a scraper.

use std::collections::BTreeSet;
use std::time::Duration;

use super::{Stop, ensure};
use crate::cluster::Load;
use crate::command::Background;
use crate::foreign;
use crate::site::{Pod, Site, wait};

/// Longest that all changes take together.
const SECONDS_MAX: u64 = 420;
/// Requests per second of each of the two loads.
const RATE: &str = "40";
/// Requests of each load, and messages of each stream, at least.
const ANSWERED_MIN: u64 = 1000;
/// Tag that the kit's images get on the node, for an upgrade to other images.
const NEXT: &str = "next";

/// As a person writes them who has such an application: it does not end on SIGTERM as the first
/// process of its container.
const VALUES: &str = "shareProcessNamespace: true
app:
  image:
    repository: sidecar-kit/e2e
  args: [serve, '--listen=127.0.0.1:{{ .Values.app.port }}', --log=/var/log/shop/shop.log]
  port: 3000
  logPath: /var/log/shop/shop.log
podDisruptionBudget:
  enabled: true
";

/// What is done, each on what the one before it left.
const STEPS: [(&str, Step); 8] = [
    ("more pods", Step::Upgrade(&["replicas=3"])),
    ("eviction", Step::Evict),
    ("fewer pods", Step::Upgrade(&["replicas=1"])),
    ("images", Step::Images),
    ("configuration", Step::Configuration),
    ("ports", Step::Upgrade(&["proxy.config=null", "app.port=3001", "proxy.port=8090"])),
    ("plain sidecars", Step::Upgrade(&["nativeSidecars=false"])),
    ("native sidecars", Step::Upgrade(&["nativeSidecars=true"])),
];

#[derive(Clone, Copy)]
enum Step {
    /// `helm upgrade` with these values.
    Upgrade(&'static [&'static str]),
    /// The cluster takes a pod away, as when its node is drained.
    Evict,
    /// Other images of both sidecars.
    Images,
    /// Another configuration in the pods that run.
    Configuration,
}

pub(super) fn changes(site: &Site<'_>) -> Result<String, Stop> {
    site.ensure_none()?;
    site.install(&["-f", &site.file("foreign.yaml", VALUES)?])?;
    let answer = site.get_ok("/")?;
    ensure(answer.body == foreign::PAGE, || format!("GET / is {:?}", answer.body))?;
    let clients = Clients::start(site)?;
    let mut pods = Followed::default();
    for (what, step) in STEPS {
        take(site, step, &mut pods).map_err(|why| format!("{what}: {why}"))?;
    }
    std::thread::sleep(Duration::from_secs(1));
    let (asked, told) = clients.finish(pods.ended.len() as u64)?;
    let lines = asked.len();
    pods.expect_lines(site, &asked)?;
    site.ensure_none()?;
    Ok(format!("{} pods ended; {told}; {lines} lines, none lost", pods.ended.len()))
}

fn take(site: &Site<'_>, step: Step, pods: &mut Followed) -> Result<(), String> {
    let old = site.pods()?;
    match step {
        Step::Upgrade(values) => {
            pods.follow(site)?;
            let flags: Vec<_> = values.iter().map(|value| format!("--set={value}")).collect();
            site.upgrade(&flags.iter().map(String::as_str).collect::<Vec<_>>())?;
        }
        Step::Evict => {
            pods.follow(site)?;
            evict(site, old.first().ok_or("no pod")?)?;
        }
        Step::Images => {
            pods.follow(site)?;
            site.cluster.tag_images(&["proxy", "log-scraper"], NEXT)?;
            let [proxy, scraper] =
                ["proxy", "logScraper"].map(|one| format!("--set={one}.image.tag={NEXT}"));
            site.upgrade(&[&proxy, &scraper])?;
        }
        Step::Configuration => {
            let text =
                super::nginx_conf("location = /changed { return 204; }").replace("5000", "3000");
            let file = site.file("foreign.conf", &text)?;
            site.upgrade(&["--set-file", &format!("proxy.config={file}")])?;
            for pod in &old {
                // A changed annotation makes the kubelet look at the pod now.
                site.kubectl(&["annotate", "pod", &pod.name, "e2e/look=now"])?;
            }
            site.cluster.get_until(&site.url("/changed")?, 204, 90)?;
        }
    }
    pods.settle(site)
}

/// Asks for the eviction of a pod, which its PodDisruptionBudget has to allow, and waits for another one.
fn evict(site: &Site<'_>, pod: &Pod) -> Result<(), String> {
    let Pod { name, .. } = pod;
    let namespace = &site.namespace;
    let path = format!("/api/v1/namespaces/{namespace}/pods/{name}/eviction");
    let eviction = format!(
        r#"{{"apiVersion":"policy/v1","kind":"Eviction","metadata":{{"name":"{name}","namespace":"{namespace}"}}}}"#
    );
    let mut kubectl = site.cluster.kubectl_background(&["create", "--raw", &path, "-f", "-"])?;
    kubectl.feed(eviction.as_bytes())?;
    kubectl.finish(Duration::from_secs(20))?.success("eviction")?;
    site.wait_for_end(pod)?;
    site.wait_for_rollout(45)
}

/// The clients that go on all the while.
struct Clients {
    loads: [(&'static str, Load); 2],
    streams: [(&'static str, Load); 2],
}

impl Clients {
    fn start(site: &Site<'_>) -> Result<Clients, String> {
        let seconds = SECONDS_MAX.to_string();
        let load = |mode: &'static str| {
            let flags = ["--numbered", "--mode", mode, "--clients", "4", "--rate", RATE];
            let flags = [&flags[..], &["--seconds", &seconds, "--expect-body", foreign::PAGE]];
            let load = site.cluster.start_load(&site.url(&format!("/{mode}"))?, &flags.concat());
            Ok::<_, String>((mode, load?))
        };
        let stream = |kind: &'static str, path| {
            let stream = site.cluster.start_stream(&site.url(path)?, kind, SECONDS_MAX);
            Ok::<_, String>((kind, stream?))
        };
        Ok(Clients {
            loads: [load("new")?, load("keep-alive")?],
            streams: [stream("events", foreign::EVENTS)?, stream("web-socket", foreign::ECHO)?],
        })
    }

    /// The paths that were asked for, and all figures. A stream has ended at most once with each pod.
    fn finish(self, pods_ended: u64) -> Result<(BTreeSet<String>, String), String> {
        let (mut asked, mut told) = (BTreeSet::new(), Vec::new());
        for (mode, load) in self.loads {
            let report = load.finish()?;
            report.expect_clean(mode, ANSWERED_MIN)?;
            asked.extend((1..=report.requests).map(|number| format!("/{mode}?n={number}")));
            told.push(format!("{mode}: {}", report.line));
        }
        for (kind, stream) in self.streams {
            let report = stream.finish()?;
            report.expect_clean(kind, ANSWERED_MIN / 2)?;
            let ends = report.figure("ends=").ok_or("no number of ends")?;
            ensure(ends <= pods_ended, || format!("{kind}: more ends than pods: {}", report.line))?;
            told.push(format!("{kind}: {}", report.line));
        }
        Ok((asked, told.join("; ")))
    }
}

/// The scrapers' logs of all pods there were.
#[derive(Default)]
pub(super) struct Followed {
    running: Vec<(Pod, Background)>,
    /// Logs of pods that have ended.
    ended: Vec<String>,
}

impl Followed {
    /// Begins to read the logs of the pods that are new.
    pub(super) fn follow(&mut self, site: &Site<'_>) -> Result<(), String> {
        for pod in site.pods()? {
            if !self.running.iter().any(|(known, _)| *known == pod) {
                let log = site.follow_logs(&pod, "log-scraper")?;
                self.running.push((pod, log));
            }
        }
        Ok(())
    }

    /// Waits for the end of the pods that a step has taken away, and follows those that it brought.
    pub(super) fn settle(&mut self, site: &Site<'_>) -> Result<(), String> {
        let left = site.pods()?;
        let (stay, go) =
            std::mem::take(&mut self.running).into_iter().partition(|(pod, _)| left.contains(pod));
        self.running = stay;
        for (pod, log) in go {
            site.wait_for_end(&pod)?;
            let log = log.finish(Duration::from_secs(30))?.success("kubectl logs --follow")?;
            self.ended.push(log);
        }
        self.follow(site)
    }

    /// All logs, of pods that have ended and of those that run.
    pub(super) fn logs(&self, site: &Site<'_>) -> Result<Vec<String>, String> {
        let mut logs = self.ended.clone();
        for (pod, _) in &self.running {
            logs.push(site.logs(pod, "log-scraper")?);
        }
        Ok(logs)
    }

    /// An error unless each path is in the log of a scraper.
    fn expect_lines(&self, site: &Site<'_>, asked: &BTreeSet<String>) -> Result<(), String> {
        let missing = || {
            let mut missing: BTreeSet<&str> = asked.iter().map(String::as_str).collect();
            for log in self.logs(site)? {
                for path in log.lines().filter_map(|line| line.strip_prefix("GET ")) {
                    missing.remove(path);
                }
            }
            Ok::<_, String>(missing.into_iter().map(str::to_owned).collect::<Vec<_>>())
        };
        wait(Duration::from_secs(10), || Ok(missing()?.is_empty().then_some(())))?.ok_or_else(
            || {
                let missing = missing().unwrap_or_default();
                let some = missing.iter().take(5).cloned().collect::<Vec<_>>().join(" ");
                format!("{} of {} lines are lost: {some}", missing.len(), asked.len())
            },
        )
    }
}
