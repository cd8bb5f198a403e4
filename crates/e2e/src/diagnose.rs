//! What a person needs to see of a namespace whose assertion failed.
//!
//! It asks and prints; a question that fails is itself part of the answer.

use std::fmt::Write;
use std::time::Duration;

use crate::command::{self, Ended};
use crate::site::{RELEASE, Site};

/// Longest wait for one answer.
const LIMIT: Duration = Duration::from_secs(20);
/// Last lines of each log that are shown.
const LOG_LINES: &str = "--tail=80";

/// Events, pods, the manifest and the logs of every container, the ended ones' too.
pub(crate) fn text(site: &Site<'_>) -> String {
    let mut text = String::new();
    let namespace = ["-n", site.namespace.as_str()];
    let mut kubectl = |arguments: &[&str]| {
        let context = format!("--context=kind-{}", site.cluster.name);
        let all: Vec<&str> =
            [context.as_str()].iter().chain(arguments).chain(&namespace).copied().collect();
        show(&mut text, &format!("kubectl {}", arguments.join(" ")), "kubectl", &all)
    };
    kubectl(&["get", "all,configmap", "-o", "wide"]);
    kubectl(&["get", "events", "--sort-by=.lastTimestamp"]);
    kubectl(&["describe", "pods"]);
    let pods = kubectl(&["get", "pods", "-o", "jsonpath={.items[*].metadata.name}"]);
    for pod in pods.split_whitespace() {
        for container in ["app", "proxy", "log-scraper"] {
            kubectl(&["logs", pod, "-c", container, LOG_LINES]);
            kubectl(&["logs", pod, "-c", container, LOG_LINES, "--previous"]);
        }
    }
    let context = format!("--kube-context=kind-{}", site.cluster.name);
    let helm = &site.cluster.helm;
    for part in ["manifest", "values"] {
        let all = ["get", part, RELEASE, &context, "-n", &site.namespace];
        show(&mut text, &format!("{helm} get {part} {RELEASE}"), helm, &all);
    }
    text
}

/// Adds a command and what it printed, and returns its standard output. A container that has no
/// such log is passed over.
fn show(text: &mut String, title: &str, program: &str, arguments: &[&str]) -> String {
    let ended = command::run(program, arguments, LIMIT).unwrap_or_else(|why| Ended {
        code: None,
        stdout: String::new(),
        stderr: why,
    });
    let absent = ["previous terminated container", "is not valid for pod"];
    if ended.code != Some(0) && absent.iter().any(|words| ended.stderr.contains(words)) {
        return String::new();
    }
    // Writing to a String cannot fail.
    let _ = writeln!(text, "--- {title}\n{}{}", ended.stdout.trim_end(), ended.stderr.trim_end());
    ended.stdout
}
