//! `upstream` blocks, and the groups that a `proxy_pass` to a host makes by itself.
//!
//! Owns: servers and their parameters. Looks no name up.

use std::collections::HashMap;

use nginx_conf::{Directive, Span, units};

use super::Lower;
use super::balance::Balance;
use super::scope::{millis, set};
use crate::config::address::HostPort;
use crate::config::model::{Method, Upstream, UpstreamServer};
use crate::config::url::{self, UNIX_PORT};
use crate::upstream::address::Address;

/// Groups by name.
#[derive(Default)]
pub(super) struct Upstreams {
    /// By lower-case name: nginx compares so.
    written: HashMap<String, usize>,
    /// By lower-case host and port.
    implicit: HashMap<(String, u16), usize>,
}

/// Idle connections kept where the file says nothing, as nginx since 1.29.7.
const KEEPALIVE: usize = 32;
/// How long they are kept where the file says nothing: less than the 5 s of Node's server, the
/// shortest among common ones, so that no request meets a connection that is being closed.
const KEEPALIVE_TIMEOUT_MS: u64 = 4_000;
/// nginx: default of `keepalive_requests`.
const KEEPALIVE_REQUESTS: u64 = 1_000;
/// nginx: default of `keepalive_time`.
const KEEPALIVE_TIME_MS: u64 = 3_600_000;
/// Port of a server without one.
const HTTP_PORT: u16 = 80;

impl Lower<'_> {
    /// nginx: `upstream NAME { … }`.
    pub(super) fn upstream(&mut self, directive: &Directive) {
        let name = directive.arg(0).unwrap_or_default();
        let key = name.to_ascii_lowercase();
        if self.upstreams.written.contains_key(&key) {
            return self.error(directive.arg_span(0), format!("duplicate upstream \"{name}\""));
        }
        let mut upstream = empty(name);
        let block = directive.block.as_deref().unwrap_or_default();
        let mut balance = Balance::default();
        let mut has_server_line = false;
        for line in block {
            let number = || line.arg(0).and_then(units::number);
            match line.name.text.as_str() {
                "server" => {
                    has_server_line = true;
                    upstream.servers.extend(self.upstream_server(line, &balance));
                }
                "keepalive" => {
                    let count = number().unwrap_or(0).min(KEEPALIVE_MAX);
                    upstream.keepalive = usize::try_from(count).unwrap_or(0);
                }
                "keepalive_timeout" => {
                    upstream.keepalive_timeout_ms = millis(line).unwrap_or(KEEPALIVE_TIMEOUT_MS);
                }
                "keepalive_requests" => {
                    upstream.keepalive_requests = number().unwrap_or(KEEPALIVE_REQUESTS);
                }
                // Who is asked is `resolver`'s to say.
                "resolver" | "resolver_timeout" => {}
                "keepalive_time" => set(&mut upstream.keepalive_time_ms, millis(line)),
                _ => balance.take(self, line),
            }
        }
        self.ask_by(block, &mut upstream);
        balance.finish(self, directive, &mut upstream);
        if !has_server_line {
            let message = format!("no servers are inside upstream \"{name}\"");
            self.error(directive.name.span, message);
        } else if !upstream.servers.is_empty() && upstream.servers.iter().all(|one| one.backup) {
            // nginx takes its list of ordinary servers to be there.
            let message = format!("all servers inside upstream \"{name}\" are \"backup\"");
            self.error(directive.name.span, message);
        }
        self.upstreams.written.insert(key, self.config.upstreams.len());
        self.config.upstreams.push(upstream);
    }

    /// nginx: `server ADDRESS [parameters]` of an upstream.
    fn upstream_server(&mut self, line: &Directive, balance: &Balance) -> Option<UpstreamServer> {
        let text = line.arg(0)?;
        let span = line.arg_span(0);
        let HostPort { host, port } = match url::place(text) {
            Ok(place) => place,
            Err(message) => {
                self.error(span, message);
                return None;
            }
        };
        let mut server = server(host, port.unwrap_or(HTTP_PORT));
        for index in 1..line.args.len() {
            let parameter = line.arg(index).unwrap_or_default();
            let taken = match parameter {
                "backup" if !balance.takes_backup() => {
                    Err(format!("balancing method does not support parameter \"{parameter}\""))
                }
                _ => take_parameter(&mut server, parameter),
            };
            if let Err(problem) = taken {
                self.error(line.arg_span(index), problem);
            }
        }
        Some(server)
    }

    /// Whether a group of that name is written.
    pub(super) fn is_upstream(&self, name: &str) -> bool {
        self.upstreams.written.contains_key(&name.to_ascii_lowercase())
    }

    /// The group for the host of a `proxy_pass`: the written one of that name, else one of its own
    /// that every `proxy_pass` to the same host and port shares.
    pub(super) fn upstream_of(&mut self, host: &str, port: Option<u16>, span: Span) -> usize {
        // A path is not the same in other letters (nginx takes it to be).
        let is_path = port == Some(UNIX_PORT);
        let key = if is_path { host.to_owned() } else { host.to_ascii_lowercase() };
        if let Some(index) = self.upstreams.written.get(&key).copied() {
            if let Some(port) = port {
                self.error(span, format!("upstream \"{host}\" may not have port {port}"));
            }
            return index;
        }
        let port = port.unwrap_or(HTTP_PORT);
        if let Some(index) = self.upstreams.implicit.get(&(key.clone(), port)) {
            return *index;
        }
        let index = self.config.upstreams.len();
        let mut upstream = empty(host);
        upstream.port = Some(port);
        upstream.servers.push(server(host, port));
        self.config.upstreams.push(upstream);
        self.upstreams.implicit.insert((key, port), index);
        index
    }
}

/// Whether a host is a name that is looked up.
pub(super) fn is_name(host: &str, port: Option<u16>) -> bool {
    port != Some(UNIX_PORT) && Address::literal(host, port.unwrap_or(HTTP_PORT)).is_none()
}

/// Idle connections that one worker keeps at most, whatever the file says.
const KEEPALIVE_MAX: u64 = 65_536;

fn empty(name: &str) -> Upstream {
    Upstream {
        name: name.into(),
        port: None,
        servers: Vec::new(),
        keepalive: KEEPALIVE,
        keepalive_timeout_ms: KEEPALIVE_TIMEOUT_MS,
        keepalive_requests: KEEPALIVE_REQUESTS,
        keepalive_time_ms: KEEPALIVE_TIME_MS,
        method: Method::default(),
    }
}

fn server(host: &str, port: u16) -> UpstreamServer {
    UpstreamServer {
        host: host.to_owned(),
        port,
        addresses: Address::literal(host, port).into_iter().collect(),
        weight: 1,
        max_fails: 1,
        fail_timeout_ms: 10_000,
        max_conns: 0,
        load: None,
        is_watched: false,
        resolver: None,
        backup: false,
        down: false,
    }
}

const SLOW_START: &str = "is of the commercial NGINX Plus; leave it out: a server that comes back \
                          gets its share at once";
const STICKY: &str = "belongs to \"sticky\", which is not supported: \"hash $cookie_NAME \
                      consistent\" keeps clients at their servers, and \"down\" takes one out";
const SERVICE: &str = "is not supported: no SRV records are asked for; write the port";

fn refused(parameter: &str, why: &str) -> String {
    format!("parameter \"{parameter}\" {why}")
}

fn take_parameter(server: &mut UpstreamServer, parameter: &str) -> Result<(), String> {
    let invalid = || format!("invalid parameter \"{parameter}\"");
    let number = |text: &str| units::number(text).and_then(|number| u32::try_from(number).ok());
    match parameter.split_once('=') {
        None if parameter == "backup" => server.backup = true,
        None if parameter == "down" => server.down = true,
        Some(("weight", text)) => {
            server.weight = number(text).filter(|weight| *weight > 0).ok_or_else(invalid)?;
        }
        Some(("max_fails", text)) => server.max_fails = number(text).ok_or_else(invalid)?,
        Some(("fail_timeout", text)) => {
            let time = units::seconds(text).ok_or_else(invalid)?;
            server.fail_timeout_ms = time.as_secs().saturating_mul(1000);
        }
        Some(("max_conns", text)) => server.max_conns = number(text).ok_or_else(invalid)?,
        None if parameter == "resolve" => server.is_watched = true,
        Some(("slow_start", _)) => return Err(refused(parameter, SLOW_START)),
        Some(("route", _)) => return Err(refused(parameter, STICKY)),
        Some(("service", _)) => return Err(refused(parameter, SERVICE)),
        None if parameter == "drain" => return Err(refused(parameter, STICKY)),
        _ => return Err(invalid()),
    }
    Ok(())
}
