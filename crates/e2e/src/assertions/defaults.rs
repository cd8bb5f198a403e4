//! What the chart does without any value set.

use std::time::Instant;

use super::{PAGE, Stop, ensure};
use crate::site::Site;

/// The first minute of a new user.
pub(super) fn install(site: &Site<'_>) -> Result<String, Stop> {
    let started = Instant::now();
    site.install(&[])?;
    let ready = started.elapsed().as_secs_f64();
    let answer = site.get_ok("/")?;
    ensure(answer.body == PAGE, || format!("GET / is {:?}", answer.body))?;

    let pod = site.pod()?;
    let path = "/?seen=by-both-logs";
    let answer = site.get_ok(path)?;
    let server = answer.header("server").unwrap_or_default();
    ensure(server.starts_with("sidecar-kit"), || format!("not the proxy's Server: {server:?}"))?;
    ensure(answer.body == PAGE, || format!("GET {path} is {:?}", answer.body))?;
    let access = format!("\"GET {path} HTTP/1.1\" 200");
    site.wait_for_log(&pod, "proxy", &access, |line| line.contains(&access))?;
    // The app is asked over loopback; only the proxy can have told it of another client.
    let client = site.cluster.client_address()?;
    let line = site.wait_for_log(&pod, "log-scraper", "the request", |line| {
        line.contains("GET") && line.contains(path)
    })?;
    ensure(line.contains(&client), || format!("the app did not learn of {client}: {line}"))?;
    let names: Vec<_> = site.containers(&pod)?.into_iter().map(|one| one.name).collect();
    ensure(names == ["log-scraper", "proxy", "app"], || format!("containers {names:?}"))?;
    Ok(format!("ready {ready:.1} s after helm install"))
}

/// The chart's own tests, with the images that are there.
pub(super) fn helm_test(site: &Site<'_>) -> Result<String, Stop> {
    site.ensure_installed()?;
    let timeout = ["test", crate::site::RELEASE, "--timeout=60s", "-n", &site.namespace];
    let said = site.cluster.helm(&timeout)?;
    let succeeded = said.lines().filter(|line| line.contains("Succeeded")).count();
    // The Service that leads to the log scraper is the fourth.
    ensure(succeeded == 4, || format!("not four tests have run: {said}"))?;
    let left = site.names("pods,services")?;
    ensure(!left.iter().any(|name| name.contains("-test-")), || format!("left over: {left:?}"))?;
    Ok(format!("{succeeded} succeeded"))
}

/// The way around the proxy.
pub(super) fn app_port_refused(site: &Site<'_>) -> Result<String, Stop> {
    site.ensure_installed()?;
    let pod = site.pod()?;
    let host = pod.host();
    let proxy = site.cluster.get(&format!("http://{host}:8080/"))?;
    ensure(proxy.status == 200, || format!("the proxy's port answers {}", proxy.status))?;
    match site.cluster.get(&format!("http://{host}:5000/")) {
        Err(why) if why.contains("refused") => Ok(format!("{host}:5000 refused, :8080 is 200")),
        Err(why) => Err(Stop::Failed(format!("{host}:5000 fails in another way: {why}"))),
        Ok(answer) => Err(Stop::Failed(format!("{host}:5000 answers {}", answer.status))),
    }
}
