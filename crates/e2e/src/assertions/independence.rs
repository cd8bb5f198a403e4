//! One sidecar killed: the others go on, and the log stays whole.

use std::time::Duration;

use super::{Stop, ensure};
use crate::cluster::LoadReport;
use crate::numbers::{Counts, numbers};
use crate::site::{Pod, Site, wait};

/// Requests per second while the sidecars are killed.
const RATE: u64 = 50;
/// Requests that were answered while a sidecar was killed and came back, at least.
const ANSWERED_MIN: u64 = 100;
/// The scraper saves its position once a second; what it wrote after the last save is written
/// again. A second more for a machine that is busy.
const DOUBLED_SECONDS_MAX: u64 = 2;

/// Kills the proxy, then the scraper, as the kernel would when memory runs out.
pub(super) fn independence(site: &Site<'_>) -> Result<String, Stop> {
    site.ensure_installed()?;
    site.get_ok("/")?;
    let pod = site.pod()?;
    let rate = RATE.to_string();
    let flags = ["--mode", "new", "--clients", "4", "--rate", &rate, "--seconds", "120"];
    let load = site.cluster.start_load(&site.url("/")?, &flags)?;
    std::thread::sleep(Duration::from_secs(2));
    site.kill(&pod, "proxy")?;
    std::thread::sleep(Duration::from_secs(2));
    let without_proxy = load.finish()?;
    let answered = without_proxy.requests.saturating_sub(without_proxy.failed);
    ensure(answered >= ANSWERED_MIN, || format!("{answered} answers beside the proxy's end"))?;

    // At the pod's own address: as long as one of its containers restarts, Kubernetes takes the
    // whole pod out of the Service.
    let flags = [&["--numbered"], flags.as_slice()].concat();
    let host = pod.host();
    let load = site.cluster.start_load(&format!("http://{host}:8080/"), &flags)?;
    std::thread::sleep(Duration::from_secs(2));
    // Not `logs --previous` afterwards: the kubelet keeps no promise to keep a container that ended.
    let first_log = site.follow_logs(&pod, "log-scraper")?;
    std::thread::sleep(Duration::from_secs(1));
    site.kill(&pod, "log-scraper")?;
    let first_log = first_log.finish(Duration::from_secs(30))?.success("kubectl logs --follow")?;
    std::thread::sleep(Duration::from_secs(2));
    let report = load.finish()?;
    report.expect_clean("while the scraper came back", ANSWERED_MIN)?;

    let restarts: Vec<_> =
        site.containers(&pod)?.into_iter().map(|one| (one.name, one.restarts)).collect();
    let expected = [("log-scraper", 1), ("proxy", 1), ("app", 0)];
    let as_expected = restarts.iter().map(|(name, count)| (name.as_str(), *count)).eq(expected);
    ensure(as_expected, || format!("restarts {restarts:?}"))?;
    ensure(site.pod()? == pod, || "the pod was replaced".to_owned())?;
    let doubled = whole_log(site, &pod, &report, &first_log)?;
    Ok(format!(
        "{} of {} requests failed while the proxy was down, 0 of {} while the scraper was; 0 lines \
         lost, {doubled} doubled",
        without_proxy.failed, without_proxy.requests, report.requests
    ))
}

/// Expects every line of the app's own file in the logs of both scrapers, the one that was killed
/// and the one that runs, and every request that was answered in the file. Returns how many lines
/// came more often than the app wrote them.
fn whole_log(
    site: &Site<'_>,
    pod: &Pod,
    report: &LoadReport,
    first_log: &str,
) -> Result<u64, String> {
    let app = site.container(pod, "app")?;
    let written = numbers(&site.node_script(&app, "cat /proc/$pid/root/var/log/app/logs.txt")?);
    let answered = (1..=report.requests).filter(|number| !report.failed_numbers.contains(number));
    let unwritten = answered.filter(|number| !written.contains_key(number)).count();
    ensure(unwritten == 0, || format!("the app has not logged {unwritten} requests"))?;

    let scraped = || {
        let second_log = site.logs(pod, "log-scraper")?;
        Ok::<_, String>(numbers(&format!("{first_log}{second_log}")))
    };
    let lost = |scraped: &Counts| written.keys().filter(|one| !scraped.contains_key(one)).count();
    let all =
        wait(
            Duration::from_secs(10),
            || Ok(Some(scraped()?).filter(|scraped| lost(scraped) == 0)),
        )?;
    let Some(scraped) = all else {
        let lost = lost(&scraped()?);
        return Err(format!("{lost} of {} lines are not in the scraper's log", written.len()));
    };
    let more = |(number, count): (&u64, &u64)| {
        count.saturating_sub(written.get(number).copied().unwrap_or(0))
    };
    let doubled = scraped.iter().map(more).sum();
    ensure(doubled <= RATE * DOUBLED_SECONDS_MAX, || {
        format!("{doubled} lines doubled, more than {DOUBLED_SECONDS_MAX} s of them")
    })?;
    Ok(doubled)
}
