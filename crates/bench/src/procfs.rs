//! Owns what `/proc` says of programs under test: processor time and memory. Parsing is pure and
//! apart from reading. It starts and ends no process.

use std::fs;

use crate::Fault;

/// Processor time and parent of one process, from `/proc/PID/stat`.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Stat {
    /// Process that started it.
    parent: u32,
    /// Ticks in user and kernel mode, of all its threads and of the children it has waited for.
    ticks: u64,
}

/// Memory figure to read.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Memory {
    /// Largest resident set so far of each process, added up.
    Peak,
    /// Resident memory, what is shared with other processes divided among them.
    Proportional,
}

/// Processor seconds that `root`, its threads and everything it started have used so far.
///
/// `stat` counts ended threads and children but is rounded down to a tick, while `schedstat` is
/// exact but knows only the living; neither overstates, so the larger one is the better one.
///
/// # Errors
/// If the process is gone.
pub(crate) fn cpu_seconds(root: u32) -> Result<f64, Fault> {
    let mut ticks = 0;
    let mut nanoseconds = 0;
    for pid in family(root)? {
        // A member may end between the listing and here; its parent then has its time.
        let Some(stat) = read(pid, "stat").ok().and_then(|text| parse_stat(&text)) else {
            continue;
        };
        ticks += stat.ticks;
        nanoseconds += living_nanoseconds(pid);
    }
    let exact = nanoseconds as f64 / 1e9;
    Ok(exact.max(ticks as f64 / rustix::param::clock_ticks_per_second() as f64))
}

/// Memory of `root` and everything it started, in MB (1,000,000 bytes).
///
/// # Errors
/// If the process is gone or the kernel does not tell.
pub(crate) fn megabytes(root: u32, memory: Memory) -> Result<f64, Fault> {
    let (file, key) = match memory {
        Memory::Peak => ("status", "VmHWM:"),
        Memory::Proportional => ("smaps_rollup", "Pss:"),
    };
    let mut kibibytes = 0;
    for pid in family(root)? {
        match read(pid, file).map(|text| parse_kibibytes(&text, key)) {
            Ok(Some(more)) => kibibytes += more,
            // What it started may have ended since the listing; itself it may not.
            _ if pid != root => {}
            Ok(None) => return Err(Fault::new(format!("/proc/{pid}/{file} has no {key}"))),
            Err(fault) => return Err(fault),
        }
    }
    Ok((kibibytes * 1024) as f64 / 1e6)
}

/// How often the threads of `pid` have gone to sleep so far, and so were woken.
///
/// # Errors
/// If the process is gone.
pub(crate) fn wake_ups(pid: u32) -> Result<u64, Fault> {
    let folder = format!("/proc/{pid}/task");
    let tasks = fs::read_dir(&folder).map_err(|error| Fault::new(format!("{folder}: {error}")))?;
    let count = |task: fs::DirEntry| {
        let text = fs::read_to_string(task.path().join("status")).ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"))?;
        line.trim().parse::<u64>().ok()
    };
    Ok(tasks.flatten().filter_map(count).sum())
}

/// `root` and all living descendants.
///
/// # Errors
/// If the process is gone.
pub(crate) fn family(root: u32) -> Result<Vec<u32>, Fault> {
    let entries =
        fs::read_dir("/proc").map_err(|error| Fault::new(format!("cannot list /proc: {error}")))?;
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let parents: Vec<(u32, u32)> =
        pids.filter_map(|pid| Some((pid, parse_stat(&read(pid, "stat").ok()?)?.parent))).collect();
    if !parents.iter().any(|(pid, _)| *pid == root) {
        return Err(Fault::new(format!("process {root} is gone")));
    }
    Ok(descendants(root, &parents))
}

/// `root` and whatever `parents` (process, its parent) says was started by it, directly or not.
fn descendants(root: u32, parents: &[(u32, u32)]) -> Vec<u32> {
    let mut found = vec![root];
    let mut next = 0;
    while let Some(parent) = found.get(next).copied() {
        found.extend(parents.iter().filter(|(_, of)| *of == parent).map(|(pid, _)| *pid));
        next += 1;
    }
    found
}

/// Run time of the living threads of `pid`; 0 where the kernel keeps no such figure.
fn living_nanoseconds(pid: u32) -> u64 {
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else {
        return 0;
    };
    threads
        .flatten()
        .filter_map(|thread| {
            let text = fs::read_to_string(thread.path().join("schedstat")).ok()?;
            text.split_whitespace().next()?.parse::<u64>().ok()
        })
        .sum()
}

fn read(pid: u32, file: &str) -> Result<String, Fault> {
    fs::read_to_string(format!("/proc/{pid}/{file}"))
        .map_err(|error| Fault::new(format!("cannot read /proc/{pid}/{file}: {error}")))
}

/// Reads `/proc/PID/stat` (proc(5)). The second field is the program's name in parentheses and may
/// itself hold spaces and parentheses, so counting starts behind the last one.
fn parse_stat(text: &str) -> Option<Stat> {
    let (_, rest) = text.rsplit_once(')')?;
    let mut fields = rest.split_whitespace();
    let parent = fields.nth(1)?.parse().ok()?;
    // Field 4 was the parent; utime, stime, cutime and cstime are fields 14 to 17.
    let times: Vec<u64> = fields.skip(9).take(4).filter_map(|field| field.parse().ok()).collect();
    (times.len() == 4).then(|| Stat { parent, ticks: times.iter().sum() })
}

/// The number on the line that starts with `key`, whose unit must be `kB` (1,024 bytes).
fn parse_kibibytes(text: &str, key: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAT: &str = "412 (nginx: (x) y) S 17 412 17 0 -1 4194624 900 0 3 0 20 30 4 5 20 0 1 0 \
                        7612 11689984 1423 18446744073709551615 1 1 0 0 0 0 0 1073746048 402745863";

    fn check(text: &str, expected: Option<(u32, u64)>) {
        let expected = expected.map(|(parent, ticks)| Stat { parent, ticks });
        assert_eq!(parse_stat(text), expected);
    }

    #[test]
    fn stat_adds_own_time_and_that_of_waited_children() {
        check(STAT, Some((17, 59)));
    }

    #[test]
    fn stat_cut_short_or_without_a_name_is_refused() {
        check("", None);
        check("412 nginx S 17", None);
        check("412 (nginx) S 17 412 17 0 -1 4194624 900 0 3 0 20 30", None);
    }

    #[test]
    fn memory_is_read_from_its_own_line() {
        let text = "VmPeak:\t   11416 kB\nVmHWM:\t    5692 kB\nVmRSS:\t    5600 kB\n";
        assert_eq!(parse_kibibytes(text, "VmHWM:"), Some(5692));
        assert_eq!(parse_kibibytes(text, "Pss:"), None);
        assert_eq!(parse_kibibytes("Pss: 12 pages\n", "Pss:"), None);
    }

    #[test]
    fn descendants_are_found_at_any_depth_and_order() {
        assert_eq!(descendants(2, &[(9, 5), (5, 2), (2, 1), (7, 1)]), [2, 5, 9]);
    }

    #[test]
    fn this_process_has_used_time_and_memory() {
        let own = std::process::id();
        assert!(cpu_seconds(own).unwrap() > 0.0);
        assert!(megabytes(own, Memory::Peak).unwrap() > 0.1);
        assert!(megabytes(own, Memory::Proportional).unwrap() > 0.05);
    }
}
