//! The assertions: one named function each, and the table of all of them.
//!
//! An assertion gets a namespace with at most one release in it, leaves the release as it found
//! it unless it is the last of its lane, and returns what it saw for the report. It prints nothing.

mod bad_input;
mod changes;
mod config;
mod defaults;
mod families;
mod footprint;
mod independence;
mod lifecycle;
mod log_stores;
mod metrics;
mod reloads;
mod revisions;
mod scenarios;
mod services;
mod toggles;
mod ways_in;

pub(crate) use footprint::figures;

use crate::site::Site;

/// One assertion.
pub(crate) struct Assertion {
    pub(crate) name: &'static str,
    /// What holds when it passes.
    pub(crate) what: &'static str,
    /// Assertions of one lane share a release.
    pub(crate) lane: &'static str,
    /// It does not hang on helm's version, so that one run with one helm is enough.
    pub(crate) once: bool,
    pub(crate) run: fn(&Site<'_>) -> Result<String, Stop>,
}

/// Why an assertion did not pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    Failed(String),
    /// The cluster lacks what the assertion needs.
    Skipped(String),
}

impl From<String> for Stop {
    fn from(why: String) -> Stop {
        Stop::Failed(why)
    }
}

/// The lane that runs when all others have ended.
pub(crate) const ALONE: &str = "alone";

/// All assertions. The longest lanes come first, for the shortest run.
pub(crate) const ALL: &[Assertion] = &[
    Assertion {
        name: "config_change",
        what: "proxy.config takes effect in the same pod, a broken one does not, whatever \
               restarts, reload=rollout makes a new pod",
        lane: "config",
        once: false,
        run: config::config_change,
    },
    Assertion {
        name: "install",
        what: "defaults become ready and serve through the proxy, both logs show the request",
        lane: "defaults",
        once: false,
        run: defaults::install,
    },
    Assertion {
        name: "victoria_logs",
        what: "lines go to VictoriaLogs, which is away for a minute, and back to stdout: none is lost",
        lane: "victoria-logs",
        once: true,
        run: log_stores::victoria_logs,
    },
    Assertion {
        name: "loki",
        what: "lines go to Loki, which is away for a minute, and back to stdout: none is lost",
        lane: "loki",
        once: true,
        run: log_stores::loki,
    },
    Assertion {
        name: "scenarios",
        what: "the API server takes what each set of values in ci renders, and its pods as restricted \
               ones; those that need nothing else are installed",
        lane: "scenarios",
        once: true,
        run: scenarios::scenarios,
    },
    Assertion {
        name: "helm_test",
        what: "helm test passes: the page, by the proxy, its configuration, and the log scraper's count",
        lane: "defaults",
        once: false,
        run: defaults::helm_test,
    },
    Assertion {
        name: "metrics",
        what: "the sidecars have every metric that the chart's alerts and its dashboard ask for",
        lane: "defaults",
        once: true,
        run: metrics::metrics,
    },
    Assertion {
        name: "app_port_refused",
        what: "the app's port is refused at the pod's address while the proxy is on",
        lane: "defaults",
        once: false,
        run: defaults::app_port_refused,
    },
    Assertion {
        name: "bad_values",
        what: "helm refuses unknown keys and wrong types by their path",
        lane: "defaults",
        once: false,
        run: bad_input::bad_values,
    },
    Assertion {
        name: "toggles",
        what: "each sidecar goes and comes back, native or plain, without a failed request",
        lane: "toggles",
        once: false,
        run: toggles::toggles,
    },
    Assertion {
        name: "independence",
        what: "killing a sidecar restarts it alone, no log line is lost, and no request for the scraper's end",
        lane: "independence",
        once: true,
        run: independence::independence,
    },
    Assertion {
        name: "reloads_under_load",
        what: "60 reloads under load that add and remove listens fail no request",
        lane: "reloads",
        once: true,
        run: reloads::reloads_under_load,
    },
    Assertion {
        name: "service_types",
        what: "NodePort answers at the node, LoadBalancer at its external address",
        lane: "services",
        once: true,
        run: services::service_types,
    },
    Assertion {
        name: "blog_config",
        what: "the blog's own ConfigMap (listen 80) serves by existingConfigMap",
        lane: "blog",
        once: false,
        run: config::blog_config,
    },
    Assertion {
        name: "own_config",
        what: "files out of volumes, passwords, rewriting and limits of one's own nginx.conf",
        lane: "own-config",
        once: true,
        run: families::own_config,
    },
    Assertion {
        name: "config_check",
        what: "with proxy.check a broken nginx.conf stops helm upgrade before anything changes",
        lane: "check",
        once: false,
        run: config::config_check,
    },
    Assertion {
        name: "bad_config",
        what: "a broken nginx.conf ends the proxy with its place, an unresolvable upstream is a 502",
        lane: "bad-config",
        once: true,
        run: bad_input::bad_config,
    },
    Assertion {
        name: "parent_chart",
        what: "a chart with pods of its own takes the sidecars in by one dependency",
        lane: "ways-in",
        once: false,
        run: ways_in::parent_chart,
    },
    Assertion {
        name: "kustomize",
        what: "kubectl apply -k puts the sidecars into what has the label, and into nothing else",
        lane: "ways-in",
        once: true,
        run: ways_in::kustomize,
    },
    Assertion {
        name: "job",
        what: "the pods of a Job end with their application",
        lane: "ways-in",
        once: false,
        run: ways_in::job,
    },
    Assertion {
        name: "migration",
        what: "the chart takes the place of hand-written manifests without a failed request",
        lane: "ways-in",
        once: false,
        run: ways_in::migration,
    },
    Assertion {
        name: "rollback_uninstall",
        what: "upgrade and rollback between two revisions, uninstall leaves nothing",
        lane: "revisions",
        once: false,
        run: revisions::rollback_uninstall,
    },
    Assertion {
        name: "first_chart",
        what: "an upgrade from the first chart and the way back fail no request",
        lane: "first-chart",
        once: false,
        run: revisions::first_chart,
    },
    Assertion {
        name: "footprint",
        what: "images and idle containers take no more than footprint.json says, and a tenth",
        lane: ALONE,
        once: true,
        run: footprint::footprint,
    },
    Assertion {
        name: "last_line",
        what: "the line that the app writes while it ends reaches the scraper's output",
        lane: ALONE,
        once: true,
        run: lifecycle::last_line,
    },
    Assertion {
        name: "pod_delete",
        what: "kubectl delete pod ends within 10 s, drain included, and with a second pod no request fails",
        lane: ALONE,
        once: false,
        run: lifecycle::pod_delete,
    },
    Assertion {
        name: "changes",
        what: "an application of another kind goes on while its pods are replaced, moved and \
               reconfigured: no request, line or stream is lost",
        lane: ALONE,
        once: true,
        run: changes::changes,
    },
    Assertion {
        name: "rollout_under_load",
        what: "a rollout restart under load fails no request",
        lane: ALONE,
        once: false,
        run: lifecycle::rollout_under_load,
    },
];

/// An error with this reason unless the condition holds.
fn ensure(holds: bool, why: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(why()) }
}

/// The demo's page.
const PAGE: &str = "Hello, World!";

/// The shortest nginx.conf that serves the app on the chart's default ports, with more locations.
fn nginx_conf(locations: &str) -> String {
    format!(
        "events {{}}\nhttp {{\n  server {{\n    listen 8080;\n    \
         location / {{ proxy_pass http://127.0.0.1:5000; }}\n    {locations}\n  }}\n}}\n"
    )
}
