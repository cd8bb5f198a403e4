//! Listening sockets of the process: bound once, kept over reloads, shared by the workers.
//!
//! Which sockets stay is the core's to say; here they are bound and closed.

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use proxy_core::config::model::{Config, Listen};
use proxy_core::listeners::{Binding, ListenerId, Table};
use rustix::io::Errno;
use sys::socket;

use crate::net::{ListenSocket, Mailbox};

/// The sockets that are bound now.
#[derive(Default)]
pub struct Listeners {
    table: Table,
    sockets: Vec<(ListenerId, SocketAddr, Arc<OwnedFd>)>,
}

impl Listeners {
    /// Binds what the configuration asks for, keeping what is bound already, and has every worker
    /// watch it. Nothing changes when one of them cannot be bound or watched; the error says which
    /// and why.
    pub fn update(
        &mut self,
        config: &Config,
        workers: &[Arc<Mailbox>],
    ) -> Result<Vec<ListenSocket>, String> {
        let plan = self.table.plan(config);
        let mut sockets: Vec<ListenSocket> = Vec::new();
        for binding in &plan.keep {
            if let Some((_, _, socket)) = self.sockets.iter().find(|one| one.0 == binding.id) {
                sockets.push(ListenSocket { socket: Arc::clone(socket), binding: *binding });
            }
        }
        let kept = sockets.len();
        let mut left_out = Vec::new();
        for binding in &plan.open {
            let Some(listen) = config.listens.get(binding.listen) else { continue };
            match self.bind(listen, &plan.close) {
                Ok(socket) => {
                    sockets.push(ListenSocket { socket: Arc::new(socket), binding: *binding });
                }
                Err(error) if is_family_missing(&error) && listen.address.is_ipv6() => {
                    let (origin, address) = (&listen.origin, listen.address);
                    log::warn!("{origin}: this host has no IPv6, {address} is left out");
                    left_out.push(binding.id);
                }
                Err(error) => return Err(explain(listen, &error)),
            }
        }
        if sockets.is_empty() {
            return Err("no address to listen on is left".into());
        }
        watch_all(sockets.get(kept..).unwrap_or_default(), config, workers)?;
        self.table.commit(config, &plan, &left_out);
        let address = |binding: Binding| config.listens.get(binding.listen).map(|one| one.address);
        self.sockets = sockets
            .iter()
            .filter_map(|one| {
                Some((one.binding.id, address(one.binding)?, Arc::clone(&one.socket)))
            })
            .collect();
        Ok(sockets)
    }

    /// The addresses that are listened on.
    pub fn addresses(&self) -> impl Iterator<Item = SocketAddr> {
        self.sockets.iter().map(|(_, address, _)| *address)
    }

    /// Linux binds a wildcard and an address of its port one after the other only. Where one of
    /// them is to go, the two share the port for the moment in which both are there.
    fn bind(&self, listen: &Listen, closing: &[ListenerId]) -> io::Result<OwnedFd> {
        let (address, ipv6_only, backlog) = (listen.address, listen.ipv6_only, listen.backlog);
        let error = match socket::listen(address, ipv6_only, backlog) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => error,
            done => return done,
        };
        let in_the_way: Vec<&OwnedFd> = self
            .sockets
            .iter()
            .filter(|(id, at, _)| closing.contains(id) && at.port() == address.port())
            .map(|(_, _, socket)| &**socket)
            .collect();
        if in_the_way.is_empty() {
            return Err(error);
        }
        for socket in &in_the_way {
            socket::share_port(socket, true)?;
        }
        let done = socket::listen_beside(address, ipv6_only, backlog);
        for socket in in_the_way.into_iter().chain(done.as_ref()) {
            socket::share_port(socket, false)?;
        }
        done
    }
}

/// Each new socket is watched by each worker, or none by any.
fn watch_all(
    new: &[ListenSocket],
    config: &Config,
    workers: &[Arc<Mailbox>],
) -> Result<(), String> {
    for ListenSocket { socket, binding } in new {
        for worker in workers {
            if let Err(error) = worker.watch(socket, binding.id) {
                for ListenSocket { socket, .. } in new {
                    workers.iter().for_each(|worker| worker.unwatch(socket));
                }
                let listen = config.listens.get(binding.listen);
                let (origin, address) = listen
                    .map(|listen| (listen.origin.as_str(), listen.address.to_string()))
                    .unwrap_or_default();
                return Err(format!("{origin}: cannot watch {address}: {error}"));
            }
        }
    }
    Ok(())
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
