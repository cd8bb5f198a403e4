//! Every set of values in the chart's `ci` folder: judged by the API server, and installed.
//!
//! Pods are judged by themselves too: the admission that enforces `restricted` refuses no workload,
//! only the pods that it would make.

use std::time::Duration;

use super::{Stop, ensure};
use crate::cluster::Cluster;
use crate::site::{RELEASE, Site};

/// Kinds that a cluster without their operators does not know.
const FOREIGN: [&str; 2] = ["monitoring.coreos.com/", "gateway.networking.k8s.io/"];
/// Sets that need something of the cluster which is not there: a ConfigMap of the user's, an operator, a
/// metrics server, ids of OpenShift's, a parent chart, a log store, a load balancer, manifests to take over,
/// somebody who makes volumes.
const NOT_INSTALLED: [&str; 10] = [
    "autoscaling",
    "everything",
    "existing-configmap",
    "loadbalancer",
    "log-store",
    "migration",
    "no-workload",
    "openshift",
    "platform",
    "statefulset",
];
/// Sets that are installed, at least.
const INSTALLED_MIN: usize = 16;

pub(super) fn scenarios(site: &Site<'_>) -> Result<String, Stop> {
    let folder = site.cluster.chart.join("ci");
    let files = std::fs::read_dir(&folder).map_err(|error| format!("{folder:?}: {error}"))?;
    let mut sets: Vec<String> = files
        .filter_map(|file| file.ok()?.file_name().into_string().ok())
        .filter_map(|name| name.strip_suffix("-values.yaml").map(str::to_owned))
        .collect();
    sets.sort();
    let (mut pods, mut installed) = (0, 0);
    // What they render is the same with every helm, which scripts/test sees to.
    let installs = site.cluster.helm == "helm";
    for set in &sets {
        let values = folder.join(format!("{set}-values.yaml")).display().to_string();
        pods += judged(site, &values).map_err(|why| format!("{set}: {why}"))?;
        if installs && !NOT_INSTALLED.contains(&set.as_str()) {
            let install = if set == "quota" { install_within_quota } else { install };
            install(site, &values).map_err(|why| format!("{set}: {why}"))?;
            installed += 1;
        }
    }
    ensure(pods >= INSTALLED_MIN, || format!("{pods} pods were judged"))?;
    ensure(installed >= INSTALLED_MIN || !installs, || format!("{installed} were installed"))?;
    Ok(format!("{} sets and {pods} bare pods judged, {installed} installed", sets.len()))
}

/// Has the API server judge what is rendered, and its pods by themselves; how many these were.
fn judged(site: &Site<'_>, values: &str) -> Result<usize, String> {
    let chart = site.chart();
    let arguments = ["template", RELEASE, &chart, "-n", &site.namespace, "-f", values];
    let rendered = site.cluster.helm(&arguments)?;
    let is_known = |object: &&str| !FOREIGN.iter().any(|group| object.contains(group));
    let known: Vec<&str> = rendered.split("\n---\n").filter(is_known).collect();
    let apply = ["apply", "--dry-run=server", "--validate=strict", "-n", &site.namespace];
    let templates = concat!(
        "jsonpath={range .items[*]}{.spec.template}{\"\\n\"}",
        "{.spec.jobTemplate.spec.template}{\"\\n\"}{end}"
    );
    let output = ["-f", "-", "-o", templates];
    let seen = feed(site.cluster, &[&apply[..], &output].concat(), &known.join("\n---\n"))?;
    let mut pods = 0;
    // A claim of a StatefulSet becomes a volume of the pod's only there.
    let templates = seen.lines().filter(|line| line.contains("\"containers\""));
    for template in templates.filter(|_| !rendered.contains("\n  volumeClaimTemplates:")) {
        // Admission looks for the account, and this one is there.
        let template = ["serviceAccountName", "serviceAccount"]
            .iter()
            .fold(template.to_owned(), |template, key| with_text(&template, key, "default"));
        let pod = template.replacen('{', "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",", 1).replacen(
            "\"metadata\":{",
            "\"metadata\":{\"generateName\":\"judged-\",",
            1,
        );
        let create = ["create", "--dry-run=server", "--validate=strict", "-n", &site.namespace];
        feed(site.cluster, &[&create[..], &["-f", "-"]].concat(), &pod)?;
        pods += 1;
    }
    Ok(pods)
}

/// JSON with another text for a key, where it has that.
fn with_text(json: &str, key: &str, text: &str) -> String {
    let key = format!("\"{key}\":\"");
    match json.split_once(&key).and_then(|(before, rest)| Some((before, rest.split_once('"')?.1))) {
        Some((before, after)) => format!("{before}{key}{text}\"{after}"),
        None => json.to_owned(),
    }
}

fn feed(cluster: &Cluster, arguments: &[&str], text: &str) -> Result<String, String> {
    let mut kubectl = cluster.kubectl_background(arguments)?;
    kubectl.feed(text.as_bytes())?;
    kubectl.finish(Duration::from_secs(30))?.success("kubectl --dry-run=server")
}

/// Installs a set, which becomes ready, and takes it away again.
fn install(site: &Site<'_>, values: &str) -> Result<(), String> {
    site.install(&["-f", values])?;
    site.ensure_none()
}

/// The same where a quota takes only containers that say what they need, with the release's own tests.
fn install_within_quota(site: &Site<'_>, values: &str) -> Result<(), String> {
    let hard = "--hard=requests.cpu=2,requests.memory=2Gi,limits.cpu=4,limits.memory=4Gi";
    site.kubectl(&["create", "quota", "all", hard])?;
    // Nothing else is wrong with it.
    let spec = r#"{"securityContext": {"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [{"name": "bare", "image": "none", "securityContext":
            {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}}}]}"#;
    let overrides = format!("--overrides={{\"spec\": {spec}}}");
    let bare = ["run", "bare", "--image=none", "--dry-run=server", &overrides];
    let refused = site.kubectl(&bare).err().unwrap_or_default();
    ensure(refused.contains("must specify"), || format!("the quota refuses nothing: {refused}"))?;
    site.install(&["-f", values])?;
    site.cluster.helm(&["test", RELEASE, "--timeout=60s", "-n", &site.namespace])?;
    site.ensure_none()?;
    site.delete("quota/all")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_replaced_where_its_key_is() {
        assert_eq!(with_text(r#"{"a":"b","c":1}"#, "a", "x"), r#"{"a":"x","c":1}"#);
        assert_eq!(with_text(r#"{"c":1}"#, "a", "x"), r#"{"c":1}"#);
    }
}
