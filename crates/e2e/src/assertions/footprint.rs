//! What the images weigh and what an idle container takes: no more than `footprint.json` of the chart
//! says, and a tenth.

use super::{Stop, ensure};
use crate::site::{Pod, Site};

/// Bound of each container's working set, in bytes: 4 MB of 1,000,000.
const WORKING_SET_MAX: u64 = 4_000_000;
/// How long an idle container's processor time is watched.
const WATCHED: std::time::Duration = std::time::Duration::from_secs(10);
/// Containers in the order of the report, and their images.
const CONTAINERS: [(&str, &str); 3] =
    [("app", "hello-app"), ("proxy", "proxy"), ("log-scraper", "log-scraper")];

/// Figures of one container's cgroups: memory in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Figures {
    /// All that is charged: anonymous memory, page cache, kernel.
    usage: u64,
    /// Usage without the page cache that is not in active use: what the kubelet goes by.
    pub(crate) working_set: u64,
    /// Anonymous memory. The pages of its file are charged to whoever read them first.
    anonymous: u64,
    /// Processor time so far, in microseconds.
    pub(crate) cpu_us: u64,
}

/// Reads each container's cgroup on the node, version 1 or 2, after a few idle seconds and once more.
pub(super) fn footprint(site: &Site<'_>) -> Result<String, Stop> {
    let path = site.cluster.chart.join("footprint.json");
    let contract =
        std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    site.ensure_installed()?;
    site.get_ok("/")?;
    std::thread::sleep(std::time::Duration::from_secs(3));
    let pod = site.pod()?;
    let look = |name| figures(site, &pod, name);
    let first = CONTAINERS.iter().map(|(name, _)| look(name)).collect::<Result<Vec<_>, _>>()?;
    std::thread::sleep(WATCHED);
    let (mut seen, mut over) = (Vec::new(), Vec::new());
    for ((name, image), first) in CONTAINERS.into_iter().zip(first) {
        let memory = look(name)?;
        let cpu_us = memory.cpu_us.saturating_sub(first.cpu_us) / WATCHED.as_secs();
        let image_bytes = site.cluster.image_bytes(&format!("sidecar-kit/{image}"))?;
        for (what, key, figure) in [
            ("image_bytes", image, image_bytes),
            ("idle_anonymous_bytes", name, memory.anonymous),
            ("idle_cpu_us_per_second", name, cpu_us),
        ] {
            let agreed = agreed(&contract, what, key)
                .ok_or_else(|| format!("{}: no {what} of {key}", path.display()))?;
            if figure > agreed + agreed / 10 {
                over.push(format!("{what} of {key}: {figure}, agreed are {agreed} and a tenth"));
            }
        }
        if memory.working_set > WORKING_SET_MAX {
            over.push(format!("working set of {name}: {}", memory.working_set));
        }
        let mb = |bytes: u64| bytes as f64 / 1e6;
        seen.push(format!(
            "{name} {:.2} MB (anonymous {:.3}), {cpu_us} µs of CPU a second, image {image_bytes} bytes",
            mb(memory.working_set),
            mb(memory.anonymous)
        ));
    }
    let seen = seen.join("; ");
    ensure(over.is_empty(), || format!("{}; {seen}", over.join("; ")))?;
    Ok(seen)
}

/// What a container takes at this moment.
pub(crate) fn figures(site: &Site<'_>, pod: &Pod, container: &str) -> Result<Figures, String> {
    let text = site.node_script(&site.container(pod, container)?, SCRIPT)?;
    Figures::parse(&text).ok_or_else(|| format!("{container}: no figures: {text}"))
}

/// A figure of the contract: `"what": {"key": 123}`.
fn agreed(contract: &str, what: &str, key: &str) -> Option<u64> {
    let behind = |text: &'_ str, name: &str| {
        text.split_once(&format!("\"{name}\":")).map(|(_, rest)| rest.to_owned())
    };
    let figures = behind(contract, what)?;
    let figure = behind(figures.split_once('}')?.0, key)?;
    figure.trim_start().split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// Prints `usage BYTES` and the lines of memory.stat of the cgroup of `$pid`.
const SCRIPT: &str = r#"
if [ -d /sys/fs/cgroup/memory ]; then
  dir=/sys/fs/cgroup/memory$(sed -n 's/^[0-9]*:memory://p' "/proc/$pid/cgroup")
  echo "usage $(cat "$dir/memory.usage_in_bytes")"
else
  dir=/sys/fs/cgroup$(sed -n 's/^0:://p' "/proc/$pid/cgroup")
  echo "usage $(cat "$dir/memory.current")"
fi
cat "$dir/memory.stat"
if [ -f "$dir/cpu.stat" ]; then
  cat "$dir/cpu.stat"
else
  dir=/sys/fs/cgroup/cpuacct$(sed -n 's/^[0-9]*:[^:]*cpuacct[^:]*://p' "/proc/$pid/cgroup")
  echo "usage_usec $(($(cat "$dir/cpuacct.usage") / 1000))"
fi
"#;

impl Figures {
    /// Version 1 has the figures of the whole cgroup under `total_`, version 2 without it.
    fn parse(text: &str) -> Option<Figures> {
        let figure = |name: &str| {
            let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?;
            value.trim().parse::<u64>().ok()
        };
        let usage = figure("usage")?;
        let inactive = figure("total_inactive_file").or_else(|| figure("inactive_file"))?;
        let anonymous = figure("total_rss").or_else(|| figure("anon"))?;
        let cpu_us = figure("usage_usec")?;
        Some(Figures { usage, working_set: usage.saturating_sub(inactive), anonymous, cpu_us })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_versions_of_memory_stat_are_read() {
        let first = "usage 100\nrss 7\ninactive_file 1\ntotal_rss 20\ntotal_inactive_file 30\n\
                     usage_usec 5\n";
        let expected = Figures { usage: 100, working_set: 70, anonymous: 20, cpu_us: 5 };
        assert_eq!(Figures::parse(first), Some(expected));
        let second = "usage 100\nanon 20\nanon_thp 0\ninactive_file 30\nusage_usec 5\n";
        assert_eq!(Figures::parse(second), Some(expected));
        assert_eq!(Figures::parse("usage 100\n"), None);
    }

    #[test]
    fn the_contract_is_read() {
        let contract = "{\"a\": {\"x\": 1}, \"b\": {\"x\": 22, \"y\": 3}}";
        assert_eq!(agreed(contract, "b", "x"), Some(22));
        assert_eq!(agreed(contract, "a", "y"), None);
    }
}
