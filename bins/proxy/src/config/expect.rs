//! Whether the proxy will be heard where clients are led to.
//!
//! Owns the check of `--expect-listen`. A configuration that listens elsewhere is good in itself,
//! and an outage all the same: nobody comes where it listens.

use nginx_conf::{Diag, Severity};
use proxy_core::config::model::Config;

/// Listens that a message names.
const SHOWN_MAX: usize = 5;

/// Each of the ports has a listen that hears more than this host: what listens on loopback is not
/// reached from outside of the pod.
///
/// # Errors
/// One finding for each port without one; `file` is the main file.
pub(super) fn check(config: &Config, ports: &[u16], file: &str) -> Result<(), Vec<Diag>> {
    let is_heard = |port: u16| {
        let mut at = config.listens.iter().map(|listen| listen.address);
        at.any(|address| address.port() == port && !address.ip().is_loopback())
    };
    let at = config.listens.iter().take(SHOWN_MAX);
    let at: Vec<_> = at.map(|listen| format!("{} ({})", listen.address, listen.origin)).collect();
    let at = if at.is_empty() { "nowhere".to_owned() } else { format!("on {}", at.join(", ")) };
    let missing = ports.iter().filter(|port| !is_heard(**port));
    let findings: Vec<_> = missing
        .map(|port| {
            let problem = format!(
                "nothing listens on port {port}, where clients are led to (--expect-listen); \
                 the configuration listens {at}"
            );
            let help = Some(format!("expected \"listen {port};\" in a server"));
            Diag { help, ..Diag::without_place(Severity::Error, file, problem) }
        })
        .collect();
    if findings.is_empty() { Ok(()) } else { Err(findings) }
}
