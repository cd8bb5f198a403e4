//! What an idle container's memory cgroup holds.

use super::{Stop, ensure};
use crate::site::Site;

/// Bound of each container's working set, in bytes: 4 MB of 1,000,000.
const WORKING_SET_MAX: u64 = 4_000_000;
/// Containers in the order of the report.
const CONTAINERS: [&str; 3] = ["app", "proxy", "log-scraper"];

/// Figures of one memory cgroup, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Memory {
    /// All that is charged: anonymous memory, page cache, kernel.
    usage: u64,
    /// Usage without the page cache that is not in active use: what the kubelet goes by.
    working_set: u64,
    /// Anonymous memory.
    anonymous: u64,
}

/// Reads each container's cgroup on the node, version 1 or 2, after a few idle seconds.
pub(super) fn idle_memory(site: &Site<'_>) -> Result<String, Stop> {
    site.ensure_installed()?;
    site.get_ok("/")?;
    std::thread::sleep(std::time::Duration::from_secs(3));
    let pod = site.pod()?;
    let mut seen = Vec::new();
    let mut over = Vec::new();
    for name in CONTAINERS {
        let text = site.node_script(&site.container(&pod, name)?, SCRIPT)?;
        let memory = Memory::parse(&text).ok_or_else(|| format!("{name}: no figures: {text}"))?;
        if memory.working_set > WORKING_SET_MAX {
            over.push(name);
        }
        let mb = |bytes: u64| bytes as f64 / 1e6;
        seen.push(format!(
            "{name} {:.2} MB (usage {:.2}, anonymous {:.2})",
            mb(memory.working_set),
            mb(memory.usage),
            mb(memory.anonymous)
        ));
    }
    let seen = seen.join(", ");
    ensure(over.is_empty(), || format!("over the bound: {}: {seen}", over.join(" and ")))?;
    Ok(seen)
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
"#;

impl Memory {
    /// Version 1 has the figures of the whole cgroup under `total_`, version 2 without it.
    fn parse(text: &str) -> Option<Memory> {
        let figure = |name: &str| {
            let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?;
            value.trim().parse::<u64>().ok()
        };
        let usage = figure("usage")?;
        let inactive = figure("total_inactive_file").or_else(|| figure("inactive_file"))?;
        let anonymous = figure("total_rss").or_else(|| figure("anon"))?;
        Some(Memory { usage, working_set: usage.saturating_sub(inactive), anonymous })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_versions_of_memory_stat_are_read() {
        let first = "usage 100\nrss 7\ninactive_file 1\ntotal_rss 20\ntotal_inactive_file 30\n";
        let expected = Memory { usage: 100, working_set: 70, anonymous: 20 };
        assert_eq!(Memory::parse(first), Some(expected));
        let second = "usage 100\nanon 20\nanon_thp 0\ninactive_file 30\n";
        assert_eq!(Memory::parse(second), Some(expected));
        assert_eq!(Memory::parse("usage 100\n"), None);
    }
}
