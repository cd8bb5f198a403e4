//! The Service's types, seen from outside the cluster where this machine reaches the node.

use std::time::Duration;

use super::{PAGE, Stop, ensure};
use crate::client::{self, Target};
use crate::site::{Site, wait};

/// NodePort first, then LoadBalancer, on the same release.
pub(super) fn service_types(site: &Site<'_>) -> Result<String, Stop> {
    site.ensure_installed()?;
    let node = site.cluster.node_address()?;

    site.upgrade(&["--set", "service.type=NodePort"])?;
    let port = site.field("service", ".spec.ports[0].nodePort")?;
    let node_url = format!("http://{}:{port}/", bracketed(&node));
    page(site, &node_url)?;

    // Helm's --wait waits for the address, which the test may have to give.
    site.upgrade_at_once(&["--set", "service.type=LoadBalancer"])?;
    let (address, giver) = external_address(site, &node)?;
    let external_url = format!("http://{}/", bracketed(&address));
    page(site, &external_url)?;

    site.upgrade(&["--set", "service.type=ClusterIP"])?;
    site.get_ok("/")?;
    Ok(format!("{node_url} and {external_url} (address given by {giver})"))
}

/// The Service's external address, from the cluster's load balancer or, without one, from here:
/// the node's own, for which kube-proxy then answers as for any other.
fn external_address(site: &Site<'_>, node: &str) -> Result<(String, &'static str), String> {
    if !site.load_balancer {
        let service = site.field("service", ".metadata.name")?;
        let status =
            format!(r#"{{"status":{{"loadBalancer":{{"ingress":[{{"ip":"{node}"}}]}}}}}}"#);
        let patch = ["--subresource=status", "--type=merge", "-p", &status];
        site.kubectl(&[&["patch", "service", &service], patch.as_slice()].concat())?;
    }
    let address = wait(Duration::from_secs(40), || {
        let address = site.field("service", ".status.loadBalancer.ingress[0].ip")?;
        Ok(Some(address).filter(|address| !address.is_empty()))
    })?;
    let giver = if site.load_balancer { "the load balancer" } else { "this test" };
    Ok((address.ok_or("no external address after 40 s")?, giver))
}

/// Expects the demo's page, from this machine where the node's network reaches it: elsewhere
/// Docker runs in a machine of its own, and a pod asks.
fn page(site: &Site<'_>, url: &str) -> Result<(), String> {
    if !cfg!(target_os = "linux") {
        let answer = site.cluster.get_until(url, 200, 20)?;
        return ensure(answer.body == PAGE, || format!("GET {url} is {:?}", answer.body));
    }
    let target = Target::parse(url)?;
    let last = std::cell::RefCell::new(String::new());
    let found = wait(Duration::from_secs(20), || {
        let seen = match client::get(&target, &[], Duration::from_secs(2)) {
            Ok(response) if response.status == 200 && response.body == PAGE.as_bytes() => {
                return Ok(Some(()));
            }
            Ok(response) => format!("status {}", response.status),
            Err(fault) => fault.to_string(),
        };
        last.replace(seen);
        Ok(None)
    })?;
    found.ok_or_else(|| format!("GET {url} from this machine: {}", last.borrow()))
}

fn bracketed(address: &str) -> String {
    if address.contains(':') { format!("[{address}]") } else { address.to_owned() }
}
