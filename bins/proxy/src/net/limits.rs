//! What a worker may take of the container's memory.
//!
//! Reads the cgroup's limit; decides how it is shared. Without a limit the bounds are generous.

use std::fs;

use proxy_core::engine::Limits;

/// What heads under way may take where there is no limit on memory.
const HEADS_BYTES: usize = 64 << 20;
/// Connections of a process where neither the file nor memory bounds them.
const CONNECTIONS: usize = 1 << 20;
/// The share of the limit that heads under way may take: one part in so many.
const HEADS_SHARE: usize = 8;
/// The program, its buffers and its logs.
const BASE_BYTES: usize = 12 << 20;
/// What a connection with a request under way takes of the container's memory at most, the
/// system's part (socket, descriptor, queues) included; measured by `scripts/bench proxy crowd`.
const CONNECTION_BYTES: usize = 7 << 10;

/// The share of one worker of `workers`.
pub fn of_worker(workers: usize) -> Limits {
    share(memory_limit_bytes(), workers.max(1))
}

fn share(memory_bytes: Option<usize>, workers: usize) -> Limits {
    let Some(memory_bytes) = memory_bytes else {
        return Limits {
            heads_bytes_max: HEADS_BYTES / workers,
            connections_max: CONNECTIONS / workers,
        };
    };
    let heads = memory_bytes / HEADS_SHARE;
    let left = memory_bytes.saturating_sub(heads).saturating_sub(BASE_BYTES);
    let connections = (left / CONNECTION_BYTES).clamp(64, CONNECTIONS);
    Limits { heads_bytes_max: heads / workers, connections_max: (connections / workers).max(32) }
}

/// The limit of this process's cgroup, of version 2 or 1.
fn memory_limit_bytes() -> Option<usize> {
    let places = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"]
        .map(String::from);
    let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let candidates = own_places(&own).into_iter().chain(places);
    let limits = candidates.filter_map(|path| parse(&fs::read_to_string(path).ok()?));
    limits.min()
}

/// Where the limit stands by what `/proc/self/cgroup` says; inside a container the cgroup is most
/// often mounted as the root.
fn own_places(own: &str) -> Vec<String> {
    let place = |line: &str| {
        let mut parts = line.splitn(3, ':');
        let (controllers, path) = (parts.nth(1)?, parts.next()?);
        if controllers.is_empty() {
            return Some(format!("/sys/fs/cgroup{path}/memory.max"));
        }
        let is_memory = controllers.split(',').any(|one| one == "memory");
        is_memory.then(|| format!("/sys/fs/cgroup/memory{path}/memory.limit_in_bytes"))
    };
    own.lines().filter_map(place).collect()
}

/// `max`, or so many that no machine has them, is no limit.
fn parse(text: &str) -> Option<usize> {
    let bytes: u64 = text.trim().parse().ok()?;
    usize::try_from(bytes).ok().filter(|bytes| *bytes < 1 << 50)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_shared_among_heads_connections_and_workers() {
        let one = share(Some(64 << 20), 1);
        assert_eq!(one.heads_bytes_max, 8 << 20);
        assert!((6_000..7_000).contains(&one.connections_max), "{}", one.connections_max);
        let two = share(Some(64 << 20), 2);
        assert_eq!(two.heads_bytes_max, 4 << 20);
        assert!(two.connections_max * 2 <= one.connections_max);
    }

    #[test]
    fn a_tiny_limit_leaves_some_connections_and_none_leaves_many() {
        assert_eq!(share(Some(1 << 20), 1).connections_max, 64);
        assert_eq!(share(None, 2).connections_max, CONNECTIONS / 2);
    }

    #[test]
    fn both_versions_of_cgroups_are_read() {
        assert_eq!(own_places("0::/pod/a\n"), ["/sys/fs/cgroup/pod/a/memory.max"]);
        let v1 = "4:memory:/x\n3:cpu,cpuacct:/y\n";
        assert_eq!(own_places(v1), ["/sys/fs/cgroup/memory/x/memory.limit_in_bytes"]);
        assert_eq!(parse("67108864\n"), Some(64 << 20));
        assert_eq!((parse("max\n"), parse("9223372036854771712")), (None, None));
    }
}
