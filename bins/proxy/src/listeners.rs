//! Listening sockets of the process: bound once, kept over reloads, shared by the workers.

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use rustix::io::Errno;
use sys::socket;

use crate::worker::ListenSocket;
use proxy_core::config::model::{Config, Listen};

/// The sockets that are bound now.
#[derive(Default)]
pub struct Listeners {
    bound: Vec<(SocketAddr, Arc<OwnedFd>)>,
}

impl Listeners {
    /// Binds what the configuration asks for, keeping what is bound already. Nothing changes when
    /// one of them cannot be bound; the error says which and why.
    pub fn update(&mut self, config: &Config) -> Result<Vec<ListenSocket>, String> {
        let mut sockets = Vec::new();
        for (index, listen) in config.listens.iter().enumerate() {
            if listen.bound_by.is_some() {
                // nginx: a wildcard socket of the same port takes its connections.
                continue;
            }
            let known = self.bound.iter().find(|(address, _)| *address == listen.address);
            let socket = match known {
                Some((_, socket)) => Arc::clone(socket),
                None => match socket::listen(listen.address, listen.ipv6_only, listen.backlog) {
                    Ok(socket) => Arc::new(socket),
                    Err(error) if is_family_missing(&error) && listen.address.is_ipv6() => {
                        log::warn!(
                            "{}: this host has no IPv6, {} is left out",
                            listen.origin,
                            listen.address
                        );
                        continue;
                    }
                    Err(error) => return Err(explain(listen, &error)),
                },
            };
            sockets.push(ListenSocket { address: listen.address, socket, listen: index });
        }
        if sockets.is_empty() {
            return Err("no address to listen on is left".into());
        }
        self.bound = sockets.iter().map(|one| (one.address, Arc::clone(&one.socket))).collect();
        Ok(sockets)
    }
}

fn is_family_missing(error: &io::Error) -> bool {
    let is = |errno: Errno| error.raw_os_error() == Some(errno.raw_os_error());
    is(Errno::AFNOSUPPORT) || is(Errno::ADDRNOTAVAIL)
}

fn explain(listen: &Listen, error: &io::Error) -> String {
    let (origin, address) = (&listen.origin, listen.address);
    let hint = match error.kind() {
        io::ErrorKind::PermissionDenied if address.port() < 1024 => {
            "; ports below 1024 need net.ipv4.ip_unprivileged_port_start=0 in the pod, \
             or a listen of 8080 behind the Service's port 80"
        }
        io::ErrorKind::AddrInUse => "; another process listens there",
        _ => "",
    };
    format!("{origin}: cannot listen on {address}: {error}{hint}")
}
