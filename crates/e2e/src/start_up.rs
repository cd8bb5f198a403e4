//! How soon a new pod answers, and when its containers start: two ways in turn, so that a busy machine
//! is as busy for both.

use std::time::{Duration, Instant, SystemTime};

use crate::site::Site;

/// One start. Seconds, since the node's kubelet took the pod up but for `since_command`.
#[derive(Clone, Debug)]
pub(crate) struct Start {
    /// From the command that installs to the first answer.
    pub(crate) since_command: f64,
    /// The first answer with status 200 through the Service.
    pub(crate) answer: f64,
    /// When the first process of each container began.
    containers: Vec<(String, f64)>,
}

/// Installs by `install`, and waits for the first answer.
pub(crate) fn start(
    site: &Site<'_>,
    install: fn(&Site<'_>) -> Result<(), String>,
) -> Result<Start, String> {
    let account = ["wait", "--for=create", "--timeout=30s", "serviceaccount/default"];
    site.kubectl(&account)?;
    let command = Instant::now();
    install(site)?;
    site.cluster.get_until(&site.url("/")?, 200, 60)?;
    let since_command = command.elapsed().as_secs_f64();
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let now = now.map_err(|error| error.to_string())?.as_secs_f64();

    // Of the times that Kubernetes itself keeps none is finer than a second.
    let pod = site.pod()?;
    let taken_up = format!("stat -c %.3W /var/lib/kubelet/pods/{}", pod.uid);
    let taken_up = number(&site.cluster.node_script(&taken_up)?)?;
    let mut containers = Vec::new();
    for container in site.containers(&pod)? {
        // The 22nd field of stat is in ticks of 10 ms since the start of the machine.
        let began =
            "echo $(date +%s.%N) $(cut -d' ' -f1 /proc/uptime) $(cut -d' ' -f22 /proc/$pid/stat)";
        let text = site.node_script(&container, began)?;
        let parts: Vec<f64> = text.split_whitespace().map(number).collect::<Result<_, _>>()?;
        let [now, uptime, ticks] = parts[..] else {
            return Err(format!("no three numbers: {text}"));
        };
        containers.push((container.name, now - uptime + ticks / 100.0 - taken_up));
    }
    containers.sort_by(|(_, one), (_, other)| one.total_cmp(other));
    Ok(Start { since_command, answer: now - taken_up, containers })
}

/// Takes the namespace away without a wait for what does not hear SIGTERM.
pub(crate) fn remove(site: &Site<'_>) -> Result<(), String> {
    site.cluster.kubectl(&["delete", "namespace", &site.namespace, "--wait=false"])?;
    site.kubectl(&["delete", "pods", "--all", "--grace-period=1"])?;
    // What is left to do of it is not to be in the next one's way.
    std::thread::sleep(Duration::from_secs(2));
    Ok(())
}

fn number(text: &str) -> Result<f64, String> {
    text.trim().parse().map_err(|_| format!("no number: {text:?}"))
}

/// The middle one of the values, and the least and the greatest.
pub(crate) fn spread(starts: &[Start], value: fn(&Start) -> f64) -> String {
    let mut values: Vec<f64> = starts.iter().map(value).collect();
    values.sort_by(f64::total_cmp);
    match (values.get(values.len() / 2), values.first(), values.last()) {
        (Some(middle), Some(least), Some(most)) => format!("{middle:.1} s ({least:.1}–{most:.1})"),
        _ => String::new(),
    }
}

/// When each container starts, the middle one of all starts.
pub(crate) fn containers(starts: &[Start]) -> String {
    let mut names = Vec::new();
    for (name, _) in starts.iter().flat_map(|start| &start.containers) {
        if !names.contains(name) {
            names.push(name.clone());
        }
    }
    let of = |name: &String| {
        let all = starts.iter().flat_map(|start| &start.containers);
        let mut times: Vec<f64> = all.filter(|(own, _)| own == name).map(|(_, at)| *at).collect();
        times.sort_by(f64::total_cmp);
        format!("{name} {:.1}", times.get(times.len() / 2).copied().unwrap_or_default())
    };
    names.iter().map(of).collect::<Vec<_>>().join(", ") + " s"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_of_the_starts_is_told() {
        let start = |answer, app| Start {
            since_command: 0.0,
            answer,
            containers: vec![("tail".to_owned(), 0.5), ("app".to_owned(), app)],
        };
        let starts = [start(3.0, 1.0), start(1.04, 2.0), start(2.0, 9.0)];
        assert_eq!(spread(&starts, |start| start.answer), "2.0 s (1.0–3.0)");
        assert_eq!(containers(&starts), "tail 0.5, app 2.0 s");
        assert_eq!(spread(&[], |start| start.answer), "");
    }
}
