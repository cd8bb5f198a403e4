//! Owns the load generator `wrk`: how it is run and what its report says.
//! It does not judge figures and knows nothing of the program behind the address.

use std::net::SocketAddr;
use std::process::Command;

use crate::Fault;

/// What one run of wrk did.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Load {
    /// Answers received.
    pub(crate) requests: u64,
    /// Answers per second of wall time, wrk's own figure.
    pub(crate) per_second: f64,
    /// Answers of status 400 and above, plus socket errors. Anything but 0 spoils the run.
    pub(crate) failures: u64,
}

/// Loads `address` over `connections` keep-alive connections for `seconds`, from one thread.
///
/// The child inherits the processor that the caller is pinned to.
///
/// # Errors
/// If wrk cannot be run, fails, or reports what cannot be read.
pub(crate) fn run(address: SocketAddr, connections: u32, seconds: u32) -> Result<Load, Fault> {
    let output = Command::new("wrk")
        .arg("--threads=1")
        .arg(format!("--connections={connections}"))
        .arg(format!("--duration={seconds}s"))
        .arg(format!("http://{address}/"))
        .output()
        .map_err(|error| Fault::new(format!("cannot run wrk: {error}")))?;
    let text = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        return Err(Fault::new(format!("wrk failed ({}): {text}{stderr}", output.status)));
    }
    parse(&text).ok_or_else(|| Fault::new(format!("wrk reported what cannot be read: {text}")))
}

/// Reads wrk's report. The two lines about failures are only there when there were any.
fn parse(report: &str) -> Option<Load> {
    let mut requests = None;
    let mut per_second = None;
    let mut failures = 0;
    for line in report.lines().map(str::trim) {
        if let Some((count, _)) = line.split_once(" requests in ") {
            requests = Some(count.parse().ok()?);
        } else if let Some(rate) = line.strip_prefix("Requests/sec:") {
            per_second = Some(rate.trim().parse().ok()?);
        } else if let Some(count) = line.strip_prefix("Non-2xx or 3xx responses:") {
            failures += count.trim().parse::<u64>().ok()?;
        } else if let Some(kinds) = line.strip_prefix("Socket errors:") {
            for kind in kinds.split(',') {
                failures += kind.trim().rsplit(' ').next()?.parse::<u64>().ok()?;
            }
        }
    }
    Some(Load { requests: requests?, per_second: per_second?, failures })
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLEAN: &str = "Running 2s test @ http://127.0.0.1:18080/
  1 threads and 32 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency   712.11us  150.02us   4.10ms   91.27%
    Req/Sec    44.71k     1.02k   46.12k    85.00%
  93424 requests in 2.10s, 14.97MB read
Requests/sec:  44487.62
Transfer/sec:      7.13MB
";

    fn check(report: &str, expected: Option<(u64, f64, u64)>) {
        let expected = expected.map(|(requests, per_second, failures)| Load {
            requests,
            per_second,
            failures,
        });
        assert_eq!(parse(report), expected);
    }

    #[test]
    fn clean_report_has_no_failures() {
        check(CLEAN, Some((93424, 44487.62, 0)));
    }

    #[test]
    fn refused_answers_and_socket_errors_are_added_up() {
        let spoiled = CLEAN.replace(
            "Requests/sec:",
            "  Socket errors: connect 1, read 20, write 300, timeout 4000\n  \
             Non-2xx or 3xx responses: 50000\nRequests/sec:",
        );
        check(&spoiled, Some((93424, 44487.62, 54321)));
    }

    #[test]
    fn report_without_its_figures_is_refused() {
        check("", None);
        check("unable to connect to 127.0.0.1:18080 Connection refused\n", None);
        check(&CLEAN.replace("93424", "many"), None);
    }
}
