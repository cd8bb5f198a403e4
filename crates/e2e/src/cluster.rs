//! The cluster under test: its kubectl, helm and node, and the pod that requests are sent from.
//!
//! Requests come from a pod in the cluster, so that they take the way that other pods' do, and so
//! that a machine whose Docker runs elsewhere can run the tests too. It judges nothing.

use std::path::PathBuf;
use std::time::Duration;

use crate::command::{self, Background};

/// Longest run of one kubectl or docker command that has no limit of its own.
const COMMAND_LIMIT: Duration = Duration::from_secs(60);
/// Longest run of one helm command: it waits for pods itself, for less than this.
const HELM_LIMIT: Duration = Duration::from_secs(150);
/// Namespace and name of the pod that requests are sent from.
pub(crate) const CLIENT_NAMESPACE: &str = "e2e-client";
const CLIENT: &str = "client";

/// Where the tests run, and with what.
#[derive(Clone, Debug)]
pub(crate) struct Cluster {
    /// kind's name of it.
    pub(crate) name: String,
    pub(crate) helm: String,
    pub(crate) chart: PathBuf,
    /// Tag of the images.
    pub(crate) version: String,
}

/// One response, as `e2e get` printed it.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Lines of `name: value`, names in lower case.
    head: String,
    pub(crate) body: String,
}

impl Answer {
    fn parse(text: &str) -> Result<Answer, String> {
        let (head, body) = text.split_once("\n\n").ok_or("a response without a head")?;
        let (status, head) = head.split_once('\n').unwrap_or((head, ""));
        let status = status.parse().map_err(|_| format!("status `{status}`"))?;
        Ok(Answer { status, head: head.to_owned(), body: body.to_owned() })
    }

    /// The first value of a header named in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head
            .lines()
            .find_map(|line| line.strip_prefix(name).and_then(|rest| rest.strip_prefix(": ")))
    }
}

impl Cluster {
    /// Runs kubectl; its standard output, or its complaint.
    pub(crate) fn kubectl(&self, arguments: &[&str]) -> Result<String, String> {
        self.kubectl_within(arguments, COMMAND_LIMIT)
    }

    /// Runs kubectl with a limit of its own.
    pub(crate) fn kubectl_within(
        &self,
        arguments: &[&str],
        limit: Duration,
    ) -> Result<String, String> {
        let context = format!("--context=kind-{}", self.name);
        let all: Vec<&str> =
            std::iter::once(context.as_str()).chain(arguments.iter().copied()).collect();
        command::run("kubectl", &all, limit)?.success(&format!("kubectl {}", arguments.join(" ")))
    }

    /// Starts a kubectl that goes on beside the test.
    pub(crate) fn kubectl_background(&self, arguments: &[&str]) -> Result<Background, String> {
        let context = format!("--context=kind-{}", self.name);
        let all: Vec<&str> =
            std::iter::once(context.as_str()).chain(arguments.iter().copied()).collect();
        Background::start("kubectl", &all)
    }

    /// Has kubectl apply a manifest.
    pub(crate) fn apply(&self, manifest: &str) -> Result<(), String> {
        let mut kubectl = self.kubectl_background(&["apply", "-f", "-"])?;
        kubectl.feed(manifest.as_bytes())?;
        kubectl.finish(COMMAND_LIMIT)?.success("kubectl apply").map(drop)
    }

    /// Runs helm; its standard output, or its complaint.
    pub(crate) fn helm(&self, arguments: &[&str]) -> Result<String, String> {
        let context = format!("--kube-context=kind-{}", self.name);
        let all: Vec<&str> = arguments.iter().copied().chain([context.as_str()]).collect();
        command::run(&self.helm, &all, HELM_LIMIT)?.success(&format!(
            "{} {}",
            self.helm,
            arguments.join(" ")
        ))
    }

    /// Runs a shell script on the node; kind's nodes are containers of their nodes' names.
    pub(crate) fn node_script(&self, script: &str) -> Result<String, String> {
        let node = format!("{}-control-plane", self.name);
        command::run("docker", &["exec", &node, "sh", "-c", script], COMMAND_LIMIT)?
            .success("docker exec on the node")
    }

    /// What an image takes where it was built; without a tag it is one of this version.
    pub(crate) fn image_bytes(&self, image: &str) -> Result<u64, String> {
        let name = if image.contains(':') {
            image.to_owned()
        } else {
            format!("{image}:{}", self.version)
        };
        let ask = ["image", "inspect", "--format", "{{.Size}}", &name];
        let size = command::run("docker", &ask, COMMAND_LIMIT)?.success("docker image inspect")?;
        size.trim().parse().map_err(|_| format!("{name} has the size {size:?}"))
    }

    /// Whether the node has an image of this name.
    pub(crate) fn has_image(&self, name: &str) -> Result<bool, String> {
        let command =
            format!("ctr --namespace k8s.io images list -q name==docker.io/{name}:latest");
        Ok(!self.node_script(&command)?.trim().is_empty())
    }

    /// Gives images of the kit one more tag on the node.
    pub(crate) fn tag_images(&self, images: &[&str], tag: &str) -> Result<(), String> {
        for image in images {
            let name = format!("docker.io/sidecar-kit/{image}");
            let version = &self.version;
            let command =
                format!("ctr --namespace k8s.io images tag --force {name}:{version} {name}:{tag}");
            self.node_script(&command)?;
        }
        Ok(())
    }

    /// The node's address, as the cluster knows it.
    pub(crate) fn node_address(&self) -> Result<String, String> {
        let address = r#"jsonpath={.items[0].status.addresses[?(@.type=="InternalIP")].address}"#;
        // A dual-stack node has two; the first is of the cluster's first family.
        let addresses = self.kubectl(&["get", "nodes", "-o", address])?;
        addresses.split_whitespace().next().map(str::to_owned).ok_or("no node address".to_owned())
    }

    /// Makes a namespace that enforces the restricted Pod Security Standard.
    pub(crate) fn create_namespace(&self, name: &str) -> Result<(), String> {
        self.kubectl(&["create", "namespace", name])?;
        let enforce = "pod-security.kubernetes.io/enforce=restricted";
        self.kubectl(&["label", "namespace", name, enforce])?;
        // Without it no pod may be made there; it comes a little later, on a busy machine much.
        let account =
            ["wait", "--for=create", "--timeout=60s", "-n", name, "serviceaccount/default"];
        self.kubectl_within(&account, Duration::from_secs(70)).map(drop)
    }

    /// Starts the pod that requests are sent from, and waits for it.
    pub(crate) fn start_client(&self) -> Result<(), String> {
        self.create_namespace(CLIENT_NAMESPACE)?;
        self.apply(&format!(
            "apiVersion: v1
kind: Pod
metadata: {{name: {CLIENT}, namespace: {CLIENT_NAMESPACE}}}
spec:
  automountServiceAccountToken: false
  enableServiceLinks: false
  terminationGracePeriodSeconds: 0
  securityContext:
    runAsNonRoot: true
    runAsUser: 65532
    seccompProfile: {{type: RuntimeDefault}}
  containers:
    - name: client
      image: sidecar-kit/e2e:{version}
      imagePullPolicy: Never
      command: [/e2e, serve-idle]
      securityContext:
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities: {{drop: [ALL]}}
",
            version = self.version
        ))?;
        let pod = format!("pod/{CLIENT}");
        let wait = ["wait", "--for=condition=Ready", "--timeout=60s", "-n", CLIENT_NAMESPACE, &pod];
        self.kubectl_within(&wait, Duration::from_secs(70)).map(drop)
    }

    /// Address of the pod that requests are sent from.
    pub(crate) fn client_address(&self) -> Result<String, String> {
        let output = "jsonpath={.status.podIP}";
        self.kubectl(&["get", "pod", CLIENT, "-n", CLIENT_NAMESPACE, "-o", output])
    }

    fn in_client<'a>(arguments: &[&'a str]) -> Vec<&'a str> {
        let mut all = vec!["exec", "-i", "-n", CLIENT_NAMESPACE, CLIENT, "--", "/e2e"];
        all.extend_from_slice(arguments);
        all
    }

    /// One GET from inside the cluster.
    pub(crate) fn get(&self, url: &str) -> Result<Answer, String> {
        self.get_with(url, &[])
    }

    /// One GET with more flags of `e2e get`.
    pub(crate) fn get_with(&self, url: &str, flags: &[&str]) -> Result<Answer, String> {
        let mut arguments = vec!["get", url];
        arguments.extend_from_slice(flags);
        let limit = Duration::from_secs(120);
        Answer::parse(&self.kubectl_within(&Self::in_client(&arguments), limit)?)
    }

    /// Asks until the status is this one, for at most so many seconds.
    pub(crate) fn get_until(&self, url: &str, status: u16, seconds: u64) -> Result<Answer, String> {
        let (wanted, within) = (status.to_string(), seconds.to_string());
        let answer = self.get_with(url, &["--until-status", &wanted, "--within", &within])?;
        if answer.status == status {
            return Ok(answer);
        }
        Err(format!("GET {url} is {} after {seconds} s, not {status}", answer.status))
    }

    /// Starts a load inside the cluster.
    pub(crate) fn start_load(&self, url: &str, flags: &[&str]) -> Result<Load, String> {
        let mut arguments = vec!["load", "--until-eof", "--url", url];
        arguments.extend_from_slice(flags);
        Ok(Load { kubectl: self.kubectl_background(&Self::in_client(&arguments))? })
    }

    /// Opens a stream of the foreign application inside the cluster, and again when it ends.
    pub(crate) fn start_stream(&self, url: &str, kind: &str, seconds: u64) -> Result<Load, String> {
        let seconds = seconds.to_string();
        let arguments = ["stream", "--url", url, "--kind", kind, "--seconds", &seconds];
        Ok(Load { kubectl: self.kubectl_background(&Self::in_client(&arguments))? })
    }
}

/// A load that runs inside the cluster.
pub(crate) struct Load {
    kubectl: Background,
}

/// What became of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct LoadReport {
    pub(crate) requests: u64,
    pub(crate) failed: u64,
    /// Numbers of the failed requests, of a numbered load.
    pub(crate) failed_numbers: Vec<u64>,
    /// The line of figures.
    pub(crate) line: String,
    /// The first failures, with their reasons.
    pub(crate) failures: Vec<String>,
}

impl Load {
    /// Ends it and reads its report.
    pub(crate) fn finish(self) -> Result<LoadReport, String> {
        let text = self.kubectl.finish(Duration::from_secs(30))?.success("e2e load")?;
        LoadReport::parse(&text)
    }
}

impl LoadReport {
    fn parse(text: &str) -> Result<LoadReport, String> {
        let mut report = LoadReport::default();
        for line in text.lines() {
            if let Some(numbers) = line.strip_prefix("failed_numbers=") {
                report.failed_numbers = numbers.split(',').filter_map(|n| n.parse().ok()).collect();
            } else if line.starts_with("requests=") {
                line.clone_into(&mut report.line);
            } else {
                report.failures.push(line.to_owned());
            }
        }
        let figure = |name: &str| report.figure(name).ok_or(format!("no {name} in: {text}"));
        (report.requests, report.failed) = (figure("requests=")?, figure("failed=")?);
        Ok(report)
    }

    /// A figure of the line, by its name with the `=` behind.
    pub(crate) fn figure(&self, name: &str) -> Option<u64> {
        self.line.split(' ').find_map(|one| one.strip_prefix(name))?.parse().ok()
    }

    /// An error unless every one of at least `requests_min` requests was answered well.
    pub(crate) fn expect_clean(&self, what: &str, requests_min: u64) -> Result<(), String> {
        if self.failed > 0 {
            let failures = self.failures.iter().take(5).cloned().collect::<Vec<_>>().join("; ");
            return Err(format!("{what}: {}: {failures}", self.line));
        }
        if self.requests < requests_min {
            return Err(format!("{what}: fewer than {requests_min} requests: {}", self.line));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_load_report_is_read_back() {
        let text = "failed n=3 at 0.1 s: connect: refused\nfailed_numbers=3,9\n\
                    requests=10 failed=2 connections=4\n";
        let report = LoadReport::parse(text).unwrap();
        assert_eq!((report.requests, report.failed), (10, 2));
        assert_eq!(report.failed_numbers, [3, 9]);
        let why = report.expect_clean("it", 1).unwrap_err();
        assert!(why.contains("connect: refused"), "{why}");
        assert!(LoadReport::parse("nothing\n").is_err());
    }

    #[test]
    fn a_load_that_hardly_ran_is_no_proof() {
        let report = LoadReport::parse("failed_numbers=\nrequests=1 failed=0\n").unwrap();
        assert!(report.expect_clean("it", 2).is_err());
        assert_eq!(report.expect_clean("it", 1), Ok(()));
    }

    #[test]
    fn a_printed_response_is_read_back() {
        let answer = Answer::parse("200\nserver: x\nvia: y\n\na\n\nb").unwrap();
        assert_eq!((answer.status, answer.body.as_str()), (200, "a\n\nb"));
        assert_eq!(answer.header("via"), Some("y"));
        assert_eq!(answer.header("vi"), None);
        assert!(Answer::parse("").is_err());
    }
}
