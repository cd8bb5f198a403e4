//! One namespace with one release of the chart in it, and the questions that assertions ask of it.
//!
//! Names of objects are read from the cluster by label, so that a test says nothing about how the
//! chart calls them.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::cluster::{Answer, Cluster};
use crate::command::Background;

/// Name of the release, as in the README.
pub(crate) const RELEASE: &str = "sidecar-demo";
/// Label of all that belongs to the release.
const SELECTOR: &str = "app.kubernetes.io/instance=sidecar-demo";
/// Pause between two looks at something that changes by itself.
const POLL: Duration = Duration::from_millis(200);

/// A namespace that enforces `restricted`, with at most one release.
#[derive(Clone, Debug)]
pub(crate) struct Site<'a> {
    pub(crate) cluster: &'a Cluster,
    pub(crate) namespace: String,
    /// Folder for files that helm and kubectl read.
    pub(crate) scratch: PathBuf,
    /// Whether the cluster gives Services of type LoadBalancer an address by itself.
    pub(crate) load_balancer: bool,
}

/// A pod of the release that has not been told to end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pod {
    pub(crate) name: String,
    pub(crate) uid: String,
    pub(crate) ip: String,
}

impl Pod {
    /// Its address as a host in a URL.
    pub(crate) fn host(&self) -> String {
        if self.ip.contains(':') { format!("[{}]", self.ip) } else { self.ip.clone() }
    }
}

/// A container of a pod, native sidecars included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Container {
    pub(crate) name: String,
    pub(crate) restarts: u32,
    pub(crate) ready: bool,
    /// Without the runtime's prefix; empty while there is none.
    pub(crate) id: String,
}

impl Site<'_> {
    /// Installs the chart with these further flags of helm, and waits until it is ready.
    pub(crate) fn install(&self, flags: &[&str]) -> Result<(), String> {
        let chart = self.chart();
        let mut arguments = vec!["install", RELEASE, &chart, "-n", &self.namespace];
        arguments.extend_from_slice(&["--wait", "--timeout=90s"]);
        arguments.extend_from_slice(flags);
        self.cluster.helm(&arguments).map(drop)
    }

    /// Installs the chart with defaults unless a release is there.
    pub(crate) fn ensure_installed(&self) -> Result<(), String> {
        let listed = self.cluster.helm(&["list", "-q", "-n", &self.namespace])?;
        if listed.lines().any(|name| name == RELEASE) {
            return Ok(());
        }
        self.install(&[])
    }

    /// Takes the release away, if there is one.
    pub(crate) fn ensure_none(&self) -> Result<(), String> {
        let away = ["uninstall", RELEASE, "--ignore-not-found", "-n", &self.namespace];
        let waits = ["--wait", "--timeout=90s"];
        self.cluster.helm(&[&away[..], &waits[..]].concat()).map(drop)
    }

    /// Upgrades as the README says: earlier overrides stay, new defaults come in.
    pub(crate) fn upgrade(&self, flags: &[&str]) -> Result<(), String> {
        self.upgrade_at_once(&[&["--wait", "--timeout=90s"], flags].concat())
    }

    /// The same, without waiting for anything to become ready.
    pub(crate) fn upgrade_at_once(&self, flags: &[&str]) -> Result<(), String> {
        let chart = self.chart();
        let mut arguments = vec!["upgrade", RELEASE, &chart, "-n", &self.namespace];
        arguments.push("--reset-then-reuse-values");
        arguments.extend_from_slice(flags);
        self.cluster.helm(&arguments).map(drop)
    }

    /// The chart's folder, as an argument of helm.
    pub(crate) fn chart(&self) -> String {
        self.cluster.chart.display().to_string()
    }

    /// Writes a file for helm or kubectl to read, and returns its path.
    pub(crate) fn file(&self, name: &str, text: &str) -> Result<String, String> {
        let path = self.scratch.join(format!("{}-{name}", self.namespace));
        std::fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(path.display().to_string())
    }

    /// Runs kubectl in the namespace.
    pub(crate) fn kubectl(&self, arguments: &[&str]) -> Result<String, String> {
        let mut all = arguments.to_vec();
        // Behind a `--` it would be the other program's argument.
        let end = all.iter().position(|one| *one == "--").unwrap_or(all.len());
        all.splice(end..end, ["-n", &self.namespace]);
        self.cluster.kubectl(&all)
    }

    /// Deletes something of the namespace and waits until it is gone.
    pub(crate) fn delete(&self, what: &str) -> Result<(), String> {
        self.kubectl(&["delete", what, "--wait=true", "--timeout=45s"]).map(drop)
    }

    /// Waits until this pod is gone.
    pub(crate) fn wait_for_end(&self, pod: &Pod) -> Result<(), String> {
        let pod = format!("pod/{}", pod.name);
        self.kubectl(&["wait", "--for=delete", &pod, "--timeout=45s"]).map(drop)
    }

    /// What a field of the release's only object of a kind holds.
    pub(crate) fn field(&self, kind: &str, path: &str) -> Result<String, String> {
        let output = format!("jsonpath={{.items[0]{path}}}");
        self.kubectl(&["get", kind, "-l", SELECTOR, "-o", &output])
    }

    /// Names of the release's objects of some kinds, `kind/name` each.
    pub(crate) fn names(&self, kinds: &str) -> Result<Vec<String>, String> {
        let names = self.kubectl(&["get", kinds, "-l", SELECTOR, "-o", "name"])?;
        Ok(names.lines().map(str::to_owned).collect())
    }

    /// URL of a path through the Service.
    pub(crate) fn url(&self, path: &str) -> Result<String, String> {
        let service = self.field("service", ".metadata.name")?;
        Ok(format!("http://{service}.{}.svc{path}", self.namespace))
    }

    /// GET of a path through the Service, once it answers at all with 200: the cluster takes a
    /// moment to learn of a new endpoint.
    pub(crate) fn get_ok(&self, path: &str) -> Result<Answer, String> {
        self.cluster.get_until(&self.url(path)?, 200, 10)
    }

    /// The release's pods that have not been told to end; helm's test pods and the check's are none of them.
    pub(crate) fn pods(&self) -> Result<Vec<Pod>, String> {
        const TEMPLATE: &str = "go-template={{range .items}}{{if and .metadata.ownerReferences \
            (not .metadata.deletionTimestamp)}}{{.metadata.name}} {{.metadata.uid}} \
            {{or .status.podIP \"-\"}}{{\"\\n\"}}{{end}}{{end}}";
        let selector = format!("{SELECTOR},app.kubernetes.io/component!=check");
        let text = self.kubectl(&["get", "pods", "-l", &selector, "-o", TEMPLATE])?;
        Ok(text
            .lines()
            .filter_map(|line| match line.split(' ').collect::<Vec<_>>().as_slice() {
                [name, uid, ip] => {
                    let own = |text: &str| text.to_owned();
                    Some(Pod { name: own(name), uid: own(uid), ip: own(ip) })
                }
                _ => None,
            })
            .collect())
    }

    /// The release's only pod.
    pub(crate) fn pod(&self) -> Result<Pod, String> {
        let mut pods = self.pods()?;
        match (pods.pop(), pods.len()) {
            (Some(pod), 0) => Ok(pod),
            (last, others) => {
                let count = others + usize::from(last.is_some());
                Err(format!("{count} pods where there should be one"))
            }
        }
    }

    /// A pod by its name, whoever made it.
    pub(crate) fn pod_named(&self, name: &str) -> Result<Pod, String> {
        let fields = "jsonpath={.metadata.uid} {.status.podIP}";
        let text = self.kubectl(&["get", "pod", name, "-o", fields])?;
        let (uid, ip) = text.split_once(' ').ok_or_else(|| format!("pod {name}: {text}"))?;
        Ok(Pod { name: name.to_owned(), uid: uid.to_owned(), ip: ip.to_owned() })
    }

    /// The containers of a pod, sidecars first.
    pub(crate) fn containers(&self, pod: &Pod) -> Result<Vec<Container>, String> {
        const LINE: &str = "{{.name}} {{.restartCount}} {{.ready}} {{.containerID}}{{\"\\n\"}}";
        let template = format!(
            "go-template={{{{range .status.initContainerStatuses}}}}{LINE}{{{{end}}}}\
             {{{{range .status.containerStatuses}}}}{LINE}{{{{end}}}}"
        );
        let text = self.kubectl(&["get", "pod", &pod.name, "-o", &template])?;
        Ok(text.lines().filter_map(parse_container).collect())
    }

    /// One container of a pod.
    pub(crate) fn container(&self, pod: &Pod, name: &str) -> Result<Container, String> {
        let containers = self.containers(pod)?;
        let found = containers.into_iter().find(|container| container.name == name);
        found.ok_or_else(|| format!("no container {name} in pod {}", pod.name))
    }

    /// What a container has logged since it last started.
    pub(crate) fn logs(&self, pod: &Pod, container: &str) -> Result<String, String> {
        self.kubectl(&["logs", &pod.name, "-c", container])
    }

    /// Starts to read all that a container logs until it ends.
    pub(crate) fn follow_logs(&self, pod: &Pod, container: &str) -> Result<Background, String> {
        let arguments = ["logs", "--follow", &pod.name, "-c", container, "-n", &self.namespace];
        self.cluster.kubectl_background(&arguments)
    }

    /// Waits until a container's log has a line that `wanted` takes, and returns the line.
    pub(crate) fn wait_for_log(
        &self,
        pod: &Pod,
        container: &str,
        what: &str,
        wanted: impl Fn(&str) -> bool,
    ) -> Result<String, String> {
        wait(Duration::from_secs(10), || {
            let log = self.logs(pod, container)?;
            Ok(log.lines().find(|line| wanted(line)).map(str::to_owned))
        })?
        .ok_or_else(|| format!("no line with {what} in the log of {container} within 10 s"))
    }

    /// Runs a script on the node with `$pid` set to a container's first process.
    pub(crate) fn node_script(
        &self,
        container: &Container,
        script: &str,
    ) -> Result<String, String> {
        // A process's cgroup names its container, with every runtime and both cgroup versions.
        self.cluster.node_script(&format!(
            "pid=$(grep -l '{}' /proc/[0-9]*/cgroup 2>/dev/null | cut -d/ -f3 | sort -n | head -1); \
             test -n \"$pid\" || {{ echo 'no process of {}' >&2; exit 1; }}; {script}",
            container.id, container.name
        ))
    }

    /// Ends a container's process and waits until the container is back.
    pub(crate) fn kill(&self, pod: &Pod, name: &str) -> Result<(), String> {
        let before = self.container(pod, name)?;
        self.node_script(&before, "kill -9 $pid")?;
        wait(Duration::from_secs(30), || {
            let now = self.container(pod, name)?;
            Ok((now.restarts > before.restarts && now.ready).then_some(()))
        })?
        .ok_or_else(|| format!("{name} is not back 30 s after its end"))
    }

    /// Waits until the release's Deployment has the pods it wants, for at most so many seconds.
    pub(crate) fn wait_for_rollout(&self, seconds: u32) -> Result<(), String> {
        let deployment = self.names("deployment")?.join("");
        let timeout = format!("--timeout={seconds}s");
        self.kubectl(&["rollout", "status", &deployment, &timeout]).map(drop)
    }

    /// Has the release's Deployment replace its pods, and waits for the new ones.
    pub(crate) fn restart(&self) -> Result<(), String> {
        let deployment = self.names("deployment")?.join("");
        self.kubectl(&["rollout", "restart", &deployment])?;
        self.wait_for_rollout(55)
    }
}

fn parse_container(line: &str) -> Option<Container> {
    let mut fields = line.split(' ');
    let (name, restarts, ready) = (fields.next()?, fields.next()?, fields.next()?);
    let id = fields.next().unwrap_or("");
    let id = id.split_once("://").map_or("", |(_, id)| id);
    Some(Container {
        name: name.to_owned(),
        restarts: restarts.parse().ok()?,
        ready: ready == "true",
        id: id.to_owned(),
    })
}

/// Asks again until there is an answer, for at most `limit`; nothing when the time is over.
pub(crate) fn wait<T>(
    limit: Duration,
    ask: impl Fn() -> Result<Option<T>, String>,
) -> Result<Option<T>, String> {
    let deadline = Instant::now() + limit;
    loop {
        let answer = ask()?;
        if answer.is_some() || Instant::now() >= deadline {
            return Ok(answer);
        }
        std::thread::sleep(POLL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn container_lines_are_read() {
        let container = parse_container("proxy 1 true containerd://ab12").unwrap();
        assert_eq!((container.restarts, container.ready), (1, true));
        assert_eq!((container.name.as_str(), container.id.as_str()), ("proxy", "ab12"));
        assert_eq!(parse_container("app 0 false <no value>").unwrap().id, "");
        assert_eq!(parse_container(""), None);
    }

    #[test]
    fn waiting_ends_with_the_first_answer_or_the_time() {
        let asked = std::cell::Cell::new(0);
        let answer = wait(Duration::from_secs(5), || {
            asked.set(asked.get() + 1);
            Ok((asked.get() == 2).then_some(7))
        });
        assert_eq!((answer, asked.get()), (Ok(Some(7)), 2));
        assert_eq!(wait(Duration::ZERO, || Ok(None::<u8>)), Ok(None));
    }
}
