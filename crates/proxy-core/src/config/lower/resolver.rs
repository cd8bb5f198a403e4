//! `resolver` and `resolver_timeout`: who is asked for names.
//!
//! Owns: their parameters and messages. Asks nobody.

use std::sync::Arc;

use nginx_conf::{Directive, units};

use super::Lower;
use super::scope::{millis, set};
use crate::config::address::{HostPort, host_port};
use crate::config::model::{Resolver, Resolving, Upstream};

/// The port of a name server.
const DNS_PORT: u16 = 53;
/// Name servers of one resolver.
const SERVERS_MAX: usize = 64;

impl Lower<'_> {
    /// Takes a directive of these, if it is one.
    pub(super) fn take_resolver(&mut self, directive: &Directive, to: &mut Resolving) -> bool {
        match directive.name.text.as_str() {
            "resolver" => to.resolver = self.resolver(directive).map(Arc::new),
            "resolver_timeout" => set(&mut to.timeout_ms, millis(directive)),
            _ => return false,
        }
        true
    }

    /// nginx: who is asked for the names of servers that say `resolve`: the group's own resolver, or
    /// that of `http`.
    pub(super) fn ask_by(&mut self, block: &[Directive], upstream: &mut Upstream) {
        let mut resolving = self.resolving.clone();
        for directive in block {
            self.take_resolver(directive, &mut resolving);
        }
        for server in upstream.servers.iter_mut().filter(|server| server.is_watched) {
            server.resolver.clone_from(&resolving.resolver);
        }
    }

    /// nginx: `resolver ADDRESS ... [valid=TIME] [ipv4=on|off] [ipv6=on|off] [status_zone=ZONE]`.
    fn resolver(&mut self, directive: &Directive) -> Option<Resolver> {
        let (servers, valid_ms) = (Vec::new(), None);
        let mut resolver = Resolver { servers, valid_ms, ipv4: true, ipv6: true };
        let mut is_good = true;
        for index in 0..directive.args.len() {
            let text = directive.arg(index).unwrap_or_default();
            if let Err(problem) = take_parameter(&mut resolver, text) {
                self.error(directive.arg_span(index), problem);
                is_good = false;
            }
        }
        let span = directive.name.span;
        if !resolver.ipv4 && !resolver.ipv6 {
            self.error(span, "\"ipv4\" and \"ipv6\" cannot both be \"off\"");
            return None;
        }
        if is_good && resolver.servers.is_empty() {
            self.error(span, "no name servers defined");
            return None;
        }
        is_good.then_some(resolver)
    }
}

fn take_parameter(resolver: &mut Resolver, text: &str) -> Result<(), String> {
    let invalid = || format!("invalid parameter: {text}");
    let flag = |value: &str| match value {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err(invalid()),
    };
    match text.split_once('=') {
        Some(("valid", time)) => {
            let seconds = units::seconds(time).ok_or_else(invalid)?;
            resolver.valid_ms = Some(seconds.as_secs().saturating_mul(1_000));
        }
        Some(("ipv4", value)) => resolver.ipv4 = flag(value)?,
        Some(("ipv6", value)) => resolver.ipv6 = flag(value)?,
        // Nothing is counted by it.
        Some(("status_zone", _)) => {}
        _ => {
            let told = |problem| format!("{problem} in resolver \"{text}\"");
            let HostPort { host, port } = host_port(text).map_err(told)?;
            if resolver.servers.len() >= SERVERS_MAX {
                return Err(format!("more than {SERVERS_MAX} name servers"));
            }
            resolver.servers.push((host.to_owned(), port.unwrap_or(DNS_PORT)));
        }
    }
    Ok(())
}
