//! Sidecars switched off and on again on a running release, and native ones turned into plain ones.

use super::{PAGE, Stop, ensure};
use crate::site::{Pod, Site};

/// Sidecars that a state of the release has.
#[derive(Clone, Copy)]
struct State {
    proxy: bool,
    scraper: bool,
    native: bool,
}

/// Each step changes one value of the state before it; together they meet all four combinations
/// of the two sidecars, and each switch in both directions.
const STEPS: [(&str, State); 8] = [
    ("logScraper.enabled=false", State { proxy: true, scraper: false, native: true }),
    ("logScraper.enabled=true", State { proxy: true, scraper: true, native: true }),
    ("proxy.enabled=false", State { proxy: false, scraper: true, native: true }),
    ("logScraper.enabled=false", State { proxy: false, scraper: false, native: true }),
    ("proxy.enabled=true", State { proxy: true, scraper: false, native: true }),
    ("logScraper.enabled=true", State { proxy: true, scraper: true, native: true }),
    ("nativeSidecars=false", State { proxy: true, scraper: true, native: false }),
    ("nativeSidecars=true", State { proxy: true, scraper: true, native: true }),
];

/// Every step under a small load, since a person toggles a sidecar of a service in use.
pub(super) fn toggles(site: &Site<'_>) -> Result<String, Stop> {
    site.ensure_installed()?;
    site.get_ok("/")?;
    let flags = [
        "--mode",
        "new",
        "--clients",
        "2",
        "--rate",
        "20",
        "--seconds",
        "300",
        "--expect-body",
        PAGE,
    ];
    let load = site.cluster.start_load(&site.url("/")?, &flags)?;
    for (index, (value, state)) in STEPS.iter().enumerate() {
        step(site, index, value, *state).map_err(|why| format!("after {value}: {why}"))?;
    }
    let report = load.finish()?;
    report.expect_clean("requests during the toggles", 100)?;
    Ok(format!("{} steps, {}", STEPS.len(), report.line))
}

fn step(site: &Site<'_>, index: usize, value: &str, state: State) -> Result<(), String> {
    site.upgrade(&["--set", value])?;
    let answer = site.get_ok("/")?;
    ensure(answer.body == PAGE, || format!("GET / is {:?}", answer.body))?;
    containers(site, state)?;
    nothing_left(site, state)?;
    let pod = site.pod()?;
    // To the new pod itself: for a moment the Service still leads to the old one too.
    let host = pod.host();
    let path = format!("/?toggle={index}");
    let ask = |port| site.cluster.get(&format!("http://{host}:{port}{path}"));
    let around = ask(5000);
    let answer = match (state.proxy, around) {
        (true, Ok(_)) => return Err("the app is reached around the proxy".to_owned()),
        (true, Err(_)) => ask(8080)?,
        (false, answer) => answer?,
    };
    ensure(answer.status == 200, || format!("GET {path} is {}", answer.status))?;
    logs(site, &pod, state, &path)
}

/// The containers are those of the state, where they belong.
fn containers(site: &Site<'_>, state: State) -> Result<(), String> {
    let names = |list: &str| {
        let names = site.field("deployment", &format!(".spec.template.spec.{list}[*].name"))?;
        Ok::<_, String>(names.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    };
    let sidecars: Vec<&str> = [("log-scraper", state.scraper), ("proxy", state.proxy)]
        .iter()
        .filter_map(|(name, on)| on.then_some(*name))
        .collect();
    let (mut init, mut plain) = (names("initContainers")?, names("containers")?);
    let found = format!("init containers {init:?}, containers {plain:?}");
    init.sort();
    plain.sort();
    let mut beside = vec!["app"];
    let before = if state.native {
        sidecars
    } else {
        beside.extend(sidecars);
        Vec::new()
    };
    beside.sort_unstable();
    ensure(init == before && plain == beside, || found)
}

/// What is off has left no ConfigMap, mount, port or word behind.
fn nothing_left(site: &Site<'_>, state: State) -> Result<(), String> {
    let spec = site.field("deployment", ".spec.template.spec")?;
    let left = |words: &[&str]| {
        let found = words.iter().find(|word| spec.contains(*word));
        found.map_or(Ok(()), |word| Err(format!("`{word}` is left in the pod's template")))
    };
    if !state.scraper {
        left(&["log-scraper", "scraper-admin", "9181"])?;
    }
    if !state.proxy {
        left(&["proxy", "9180", "/etc/nginx", "nginx", "configMap"])?;
    }
    let maps = site.names("configmap")?;
    ensure(maps.len() == usize::from(state.proxy), || format!("ConfigMaps {maps:?}"))
}

/// The request is in the log of each sidecar that is on.
fn logs(site: &Site<'_>, pod: &Pod, state: State, path: &str) -> Result<(), String> {
    let wanted = |line: &str| line.contains(path);
    if state.scraper {
        site.wait_for_log(pod, "log-scraper", path, wanted)?;
    }
    if state.proxy {
        site.wait_for_log(pod, "proxy", path, wanted)?;
    }
    Ok(())
}
