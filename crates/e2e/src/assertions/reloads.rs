//! Reloads under load: listens and servers come and go, and no client notices.
//!
//! The kubelet brings a changed ConfigMap into a pod once a minute. So that sixty changes do not
//! take an hour, the file that changes is in a volume that the node's shell writes, and the proxy
//! looks for changes ten times a second.

use std::cell::RefCell;
use std::time::Duration;

use super::config::{metric, same_pod};
use super::{PAGE, Stop, ensure};
use crate::cluster::LoadReport;
use crate::site::{Container, Pod, Site, wait};

/// Changes of the configuration.
const CHANGES: usize = 60;
/// Ports of the listens that come and go. The one that the Service leads to stays.
const PORTS: [u16; 2] = [8081, 8082];
/// What each client kind has asked at least when all changes are done.
const REQUESTS_MIN: u64 = 500;
/// How long a change may take until it is in force.
const TAKES_EFFECT: Duration = Duration::from_secs(10);

const SUCCESSES: &str = "sidecar_proxy_config_reloads_total{result=\"success\"}";
const FAILURES: &str = "sidecar_proxy_config_reloads_total{result=\"failure\"}";

/// What is included comes before the listen that stays, so that each change moves that one to
/// another place in the table of listens.
const CONFIG: &str = "events {}
http {
    include /etc/changing/*.conf;
    server {
        listen 8080 default_server;
        location / { proxy_pass http://127.0.0.1:5000; }
    }
}
";

const VALUES: &str = "extraVolumes:
  - name: changing
    emptyDir: {}
proxy:
  extraVolumeMounts:
    - name: changing
      mountPath: /etc/changing
  env:
    - name: PROXY_RELOAD_INTERVAL
      value: 100ms
";

/// Sixty changes, each seen to be in force before the next, under both kinds of clients.
pub(super) fn reloads_under_load(site: &Site<'_>) -> Result<String, Stop> {
    let (values, config) = (site.file("values.yaml", VALUES)?, site.file("nginx.conf", CONFIG)?);
    site.install(&["-f", &values, "--set-file", &format!("proxy.config={config}")])?;
    site.get_ok("/")?;
    let pod = site.pod()?;
    let proxy = site.container(&pod, "proxy")?;
    begin(site, &pod, &proxy)?;
    let before = (metric(site, &pod, SUCCESSES)?, metric(site, &pod, FAILURES)?);

    let url = site.url("/")?;
    let load = |mode, rate| {
        let flags = ["--mode", mode, "--clients", "8", "--rate", rate, "--seconds", "300"];
        site.cluster.start_load(&url, &[flags.as_slice(), &["--expect-body", PAGE]].concat())
    };
    // Few new connections, as in the rollout under load: a source port is not to come twice.
    let (new, keep_alive) = (load("new", "15")?, load("keep-alive", "100")?);
    for change in 1..=CHANGES {
        apply(site, &pod, &proxy, change).map_err(|why| format!("change {change}: {why}"))?;
    }
    let (new, keep_alive) = (new.finish()?, keep_alive.finish()?);

    let successes = metric(site, &pod, SUCCESSES)? - before.0;
    let failures = metric(site, &pod, FAILURES)? - before.1;
    ensure(successes >= CHANGES as f64, || format!("only {successes} reloads in {CHANGES}"))?;
    ensure(failures == 0.0, || format!("{failures} reloads were refused"))?;
    same_pod(site, &pod)?;
    clean(&new, "new connections")?;
    clean(&keep_alive, "keep-alive")?;
    Ok(format!("{successes} reloads; new: {}; keep-alive: {}", new.line, keep_alive.line))
}

fn clean(report: &LoadReport, what: &str) -> Result<(), String> {
    report.expect_clean(what, REQUESTS_MIN)
}

/// Puts the file there. It is new, so the proxy is told by a signal as `nginx -s reload` does.
fn begin(site: &Site<'_>, pod: &Pod, proxy: &Container) -> Result<(), String> {
    let before = metric(site, pod, SUCCESSES)?;
    write(site, proxy, 0, "kill -HUP $pid")?;
    wait(TAKES_EFFECT, || Ok((metric(site, pod, SUCCESSES)? > before).then_some(())))?
        .ok_or_else(|| format!("{SUCCESSES} stays {before} after SIGHUP"))
}

/// Makes one change and waits until it is in force: the listens that it has serve by it, and those
/// that it has not are refused.
fn apply(site: &Site<'_>, pod: &Pod, proxy: &Container, change: usize) -> Result<(), String> {
    write(site, proxy, change, "")?;
    let host = pod.host();
    for port in PORTS {
        let url = format!("http://{host}:{port}/");
        let wanted = ports(change).contains(&port).then(|| page(port, change));
        let seen = RefCell::new(String::new());
        wait(TAKES_EFFECT, || {
            let answer = site.cluster.get(&url).map(|answer| answer.body);
            let holds = match (&answer, &wanted) {
                (Ok(body), Some(page)) => body == page,
                (Err(why), None) => why.contains("refused"),
                _ => false,
            };
            seen.replace(answer.unwrap_or_else(|why| why));
            Ok(holds.then_some(()))
        })?
        .ok_or_else(|| {
            let wanted = wanted.as_deref().unwrap_or("refused");
            format!("{url} should be {wanted:?} and is {:?}", seen.borrow())
        })?;
    }
    Ok(())
}

/// Has the node write the included file whole at once, then run `after` with the proxy's `$pid`.
fn write(site: &Site<'_>, proxy: &Container, change: usize, after: &str) -> Result<(), String> {
    let folder = "/proc/$pid/root/etc/changing";
    let script = format!(
        "cat >{folder}/new <<'END' && mv {folder}/new {folder}/listens.conf\n{}END\n{after}",
        included(change)
    );
    site.node_script(proxy, &script).map(drop)
}

/// The listens of a change beside the one that stays: none, one, both, in another order.
fn ports(change: usize) -> &'static [u16] {
    match change % 5 {
        0 => &[],
        1 => &[8081],
        2 => &[8082, 8081],
        3 => &[8082],
        _ => &[8081, 8082],
    }
}

fn page(port: u16, change: usize) -> String {
    format!("port {port} by change {change}")
}

/// The included file: a server for each port, and a further one of the listen that stays.
fn included(change: usize) -> String {
    let named = format!("server {{ listen 8080; server_name change-{change}; return 204; }}\n");
    let server = |port: &u16| {
        let page = page(*port, change);
        format!("server {{ listen {port}; location / {{ return 200 \"{page}\"; }} }}\n")
    };
    ports(change).iter().map(server).chain([named]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_change_adds_or_removes_a_listen_or_moves_one() {
        for change in 1..=CHANGES {
            assert_ne!(ports(change), ports(change - 1), "{change}");
        }
        for port in PORTS {
            let has: Vec<_> = (0..=5).map(|change| ports(change).contains(&port)).collect();
            assert!(has.windows(2).any(|two| two == [false, true]), "{port} never comes");
            assert!(has.windows(2).any(|two| two == [true, false]), "{port} never goes");
        }
    }

    #[test]
    fn included_file_has_a_server_for_each_port() {
        let text = included(2);
        assert!(text.contains("listen 8081;") && text.contains("listen 8082;"), "{text}");
        assert!(text.contains("\"port 8081 by change 2\""), "{text}");
        assert_eq!(included(0).lines().count(), 1);
    }
}
