//! Values and configurations that cannot be: who refuses them, and in which words.

use std::time::Duration;

use super::{Stop, ensure};
use crate::site::{RELEASE, Site, wait};

/// A flag of helm, and the words of the path that the refusal has to name.
const BAD_VALUES: [(&str, &[&str]); 8] = [
    ("--set=logScrapper.enabled=false", &["logScrapper"]),
    ("--set=proxy.enable=true", &["proxy", "enable"]),
    ("--set=service.loadBalancerIp=10.0.0.1", &["service", "loadBalancerIp"]),
    ("--set=app.image.repo=x", &["app", "image", "repo"]),
    ("--set=replicas=two", &["replicas"]),
    ("--set-string=proxy.enabled=true", &["proxy", "enabled"]),
    ("--set=service.type=Fancy", &["service", "type"]),
    ("--set=proxy.port=70000", &["proxy", "port"]),
];

/// Helm refuses before anything reaches the cluster.
pub(super) fn bad_values(site: &Site<'_>) -> Result<String, Stop> {
    let chart = site.chart();
    for (flag, path) in BAD_VALUES {
        let refused =
            site.cluster.helm(&["install", "refused", &chart, "-n", &site.namespace, flag]);
        let why = match refused {
            Ok(_) => return Err(Stop::Failed(format!("helm takes {flag}"))),
            Err(why) => why,
        };
        // The complaint begins with the command, which names the path too.
        let complaint = why.split_once(flag).map_or(why.as_str(), |(_, complaint)| complaint);
        let named = path.iter().all(|word| complaint.contains(word));
        ensure(named, || format!("the refusal of {flag} does not name {path:?}: {complaint}"))?;
    }
    Ok(format!("{} wrong values refused", BAD_VALUES.len()))
}

/// A file that cannot be read as nginx.conf, then one whose upstream has no address.
pub(super) fn bad_config(site: &Site<'_>) -> Result<String, Stop> {
    let broken = "events {}\nhttp {\n  server {\n    listen 8080\n    location / {}\n  }\n}\n";
    let file = site.file("broken.conf", broken)?;
    let chart = site.chart();
    let config = format!("proxy.config={file}");
    let namespace = &site.namespace;
    site.cluster.helm(&["install", RELEASE, &chart, "-n", namespace, "--set-file", &config])?;
    let ended = wait(Duration::from_secs(60), || {
        let code = ".status.initContainerStatuses[?(@.name==\"proxy\")]";
        let code = |state| site.field("pods", &format!("{code}.{state}.terminated.exitCode"));
        let code = format!("{}{}", code("state")?, code("lastState")?);
        Ok(Some(code).filter(|code| !code.is_empty()))
    })?
    .ok_or_else(|| "the proxy goes on with a broken file".to_owned())?;
    ensure(ended.starts_with("78"), || format!("the proxy ended with {ended}, not 78"))?;
    let pod = site.pod()?;
    let place = |line: &str| line.contains("nginx.conf:4:") || line.contains("nginx.conf:5:");
    let line = site.wait_for_log(&pod, "proxy", "nginx.conf:4: or :5:", place)?;

    let text = "events {}\nhttp {\n  server {\n    listen 8080;\n    \
                location / { proxy_pass http://no-such-host.invalid:5000; }\n  }\n}\n";
    let file = site.file("unresolvable.conf", text)?;
    let config = format!("proxy.config={file}");
    site.upgrade(&["--set=proxy.reload=rollout", "--set-file", &config])?;
    site.cluster.get_until(&site.url("/")?, 502, 15)?;
    let pod = site.pod()?;
    let proxy = site.container(&pod, "proxy")?;
    ensure(proxy.restarts == 0, || format!("the proxy restarted {} times", proxy.restarts))?;
    Ok(format!("`{line}`; then 502"))
}
