//! Owns a memory cgroup of a run: making it, starting a program in it, what it says afterwards,
//! and removing it. Version 2 of cgroups, and version 1 where that has the memory controller.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use crate::Fault;

/// Where the kernel's cgroups are mounted.
const ROOT: &str = "/sys/fs/cgroup";
/// How often the removal is tried, which fails until the last process is gone.
const REMOVALS: u32 = 200;

/// Names of the files of one version.
#[derive(Debug, PartialEq)]
struct Names {
    limit: &'static str,
    /// Limit that must be the same (or nothing) so that memory is not swapped out.
    swap: (&'static str, Option<&'static str>),
    /// Has a line `oom_kill COUNT`.
    events: &'static str,
    peak: &'static str,
}

const VERSION_1: Names = Names {
    limit: "memory.limit_in_bytes",
    swap: ("memory.memsw.limit_in_bytes", None),
    events: "memory.oom_control",
    peak: "memory.max_usage_in_bytes",
};
const VERSION_2: Names = Names {
    limit: "memory.max",
    swap: ("memory.swap.max", Some("0")),
    events: "memory.events",
    peak: "memory.peak",
};

/// A memory cgroup with a limit. Dropped, it is removed; its programs must be gone by then.
#[derive(Debug)]
pub(crate) struct Cgroup {
    folder: PathBuf,
    names: &'static Names,
}

impl Cgroup {
    /// Makes one whose processes together may use `limit_bytes`, swap included.
    ///
    /// # Errors
    /// If this machine has no memory cgroups or this process may not make one.
    pub(crate) fn new(limit_bytes: u64) -> Result<Self, Fault> {
        let (top, names) = layout(Path::new(ROOT))
            .ok_or_else(|| Fault::new(format!("no memory cgroups under {ROOT}")))?;
        if names == &VERSION_2 {
            // Children have the controller only where their parent says so; it may do so already.
            let _ = fs::write(top.join("cgroup.subtree_control"), "+memory");
        }
        let folder = top.join(format!("sidecar-bench-{}", std::process::id()));
        let told = |error| {
            Fault::new(format!("cannot make the cgroup {} (root?): {error}", folder.display()))
        };
        fs::create_dir(&folder).map_err(told)?;
        let cgroup = Self { folder: folder.clone(), names };
        let limit = limit_bytes.to_string();
        fs::write(folder.join(names.limit), &limit).map_err(told)?;
        let (swap, value) = names.swap;
        if folder.join(swap).exists() {
            fs::write(folder.join(swap), value.unwrap_or(&limit)).map_err(told)?;
        }
        Ok(cgroup)
    }

    /// `command`, but in this cgroup from its first instruction on.
    pub(crate) fn wrap(&self, command: &Command) -> Command {
        let mut wrapped = Command::new("sh");
        wrapped.args(["-c", "echo $$ >\"$0\" && exec \"$@\""]);
        wrapped.arg(self.folder.join("cgroup.procs"));
        wrapped.arg(command.get_program()).args(command.get_args()).stdout(Stdio::null());
        wrapped
    }

    /// How many of its processes the kernel has ended for want of memory.
    ///
    /// # Errors
    /// If the kernel does not tell.
    pub(crate) fn kills(&self) -> Result<u64, Fault> {
        let text = self.read(self.names.events)?;
        parse_kills(&text)
            .ok_or_else(|| Fault::new(format!("{} has no oom_kill: {text}", self.names.events)))
    }

    /// Most that its processes ever held, in MB, the kernel's share for sockets included as far as
    /// it counts that. Nothing where the kernel keeps no such figure.
    pub(crate) fn peak_megabytes(&self) -> Option<f64> {
        let text = self.read(self.names.peak).ok()?;
        Some(text.trim().parse::<f64>().ok()? / 1e6)
    }

    fn read(&self, file: &str) -> Result<String, Fault> {
        let path = self.folder.join(file);
        fs::read_to_string(&path)
            .map_err(|error| Fault::new(format!("cannot read {}: {error}", path.display())))
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        for _ in 0..REMOVALS {
            if fs::remove_dir(&self.folder).is_ok() {
                return;
            }
            thread::sleep(Duration::from_millis(10));
        }
        eprintln!("bench: the cgroup {} is left behind", self.folder.display());
    }
}

/// Where cgroups with the memory controller can be made below `root`, and how their files are
/// called.
fn layout(root: &Path) -> Option<(PathBuf, &'static Names)> {
    let controllers = fs::read_to_string(root.join("cgroup.controllers")).unwrap_or_default();
    if controllers.split_whitespace().any(|name| name == "memory") {
        return Some((root.to_owned(), &VERSION_2));
    }
    let memory = root.join("memory");
    memory.join(VERSION_1.limit).exists().then_some((memory, &VERSION_1))
}

/// The count of the line `oom_kill COUNT`.
fn parse_kills(text: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix("oom_kill "))?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kills_are_read_from_the_files_of_both_versions() {
        let first = "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n";
        let second = "low 0\nhigh 0\nmax 17\noom 2\noom_kill 1\noom_group_kill 0\n";
        assert_eq!(parse_kills(first), Some(3));
        assert_eq!(parse_kills(second), Some(1));
        assert_eq!(parse_kills("oom 2\n"), None);
    }

    #[test]
    fn version_is_known_by_where_the_memory_controller_is() {
        let root = std::env::temp_dir().join(format!("bench-cgroup-{}", std::process::id()));
        fs::create_dir_all(root.join("memory")).unwrap();
        assert_eq!(layout(&root), None);
        fs::write(root.join("memory").join(VERSION_1.limit), "").unwrap();
        assert_eq!(layout(&root), Some((root.join("memory"), &VERSION_1)));
        // A hybrid machine: version 2 is there, but has not the controller.
        fs::write(root.join("cgroup.controllers"), "cpu io\n").unwrap();
        assert_eq!(layout(&root), Some((root.join("memory"), &VERSION_1)));
        fs::write(root.join("cgroup.controllers"), "cpu memory\n").unwrap();
        assert_eq!(layout(&root), Some((root.clone(), &VERSION_2)));
        fs::remove_dir_all(root).unwrap();
    }
}
