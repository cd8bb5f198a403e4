//! Variables of connections: this one, and all of them.

use std::net::IpAddr;

use super::{View, push_found, push_ip, push_number};
use crate::clock;
use crate::config::model::{ErrorLevel, Variable};
use crate::counters::Totals;
use crate::proxy_protocol::Told;
use crate::proxy_protocol::extensions::{self, Missing};

impl View<'_> {
    pub(super) fn push_connection_variable(&self, variable: &Variable, out: &mut Vec<u8>) {
        use Variable as V;
        let (client, at) = (&self.request.client, &self.request.at);
        let peer = self.request.course.peer.unwrap_or(client.remote);
        match variable {
            V::BinaryRemoteAddr => match client.remote.ip() {
                IpAddr::V4(ip) => out.extend_from_slice(&ip.octets()),
                IpAddr::V6(ip) => out.extend_from_slice(&ip.octets()),
            },
            V::ConnectionsActive => push_number(self.totals().active, out),
            V::ConnectionsReading => push_number(self.totals().reading, out),
            V::ConnectionsWaiting => push_number(self.totals().waiting, out),
            V::ConnectionsWriting => push_number(self.totals().writing(), out),
            V::Connection => push_number(client.serial, out),
            V::ConnectionTime => {
                clock::push_seconds(self.now.ms.saturating_sub(client.since_ms), out);
            }
            V::ConnectionRequests => push_number(client.requests, out),
            V::RemoteAddr => push_ip(client.remote.ip(), out),
            V::RealipRemoteAddr => push_ip(peer.ip(), out),
            V::RealipRemotePort => push_number(u64::from(peer.port()), out),
            // nginx: one that nobody has told is empty.
            V::RemotePort if client.remote.port() == 0 => {}
            V::RemotePort => push_number(u64::from(client.remote.port()), out),
            V::Scheme => out.extend_from_slice(b"http"),
            V::ServerAddr => push_ip(client.local.ip(), out),
            V::ServerPort => push_number(u64::from(client.local.port()), out),
            V::ServerName => out.extend_from_slice(&at.server(self.request.place).name),
            V::Pipe => out.push(if client.is_pipelined { b'p' } else { b'.' }),
            V::Hostname => out.extend_from_slice(&at.generation().host().name),
            V::NginxVersion => out.extend_from_slice(env!("CARGO_PKG_VERSION").as_bytes()),
            V::Pid => push_number(u64::from(at.generation().host().pid), out),
            _ => {}
        }
    }

    /// False where nobody said anything before the first request.
    pub(super) fn push_proxied_variable(&self, variable: &Variable, out: &mut Vec<u8>) -> bool {
        let Some(told) = &self.request.client.proxied else { return false };
        let ends = &told.ends;
        match variable {
            Variable::ProxyProtocolTlv(name) => return self.push_extension(told, name, out),
            Variable::ProxyProtocolAddr => push_ip(ends.source.ip(), out),
            Variable::ProxyProtocolPort => push_number(ends.source.port().into(), out),
            Variable::ProxyProtocolServerAddr => push_ip(ends.destination.ip(), out),
            _ => push_number(ends.destination.port().into(), out),
        }
        true
    }

    /// nginx: a name that is none is told when it is asked for, and has no value.
    fn push_extension(&self, told: &Told, name: &[u8], out: &mut Vec<u8>) -> bool {
        let shown = || String::from_utf8_lossy(name);
        let line = match extensions::named(&told.extensions, name) {
            Ok(value) => return push_found(value.as_deref(), out),
            Err(Missing::Broken) => "broken PROXY protocol TLV".to_owned(),
            Err(Missing::Unknown) => format!("unknown PROXY protocol TLV \"{}\"", shown()),
            Err(Missing::Invalid) => format!("invalid PROXY protocol TLV \"{}\"", shown()),
        };
        self.request.values.borrow_mut().note(ErrorLevel::Error, line);
        false
    }

    /// False where the system tells nothing.
    pub(super) fn push_path_variable(&self, variable: &Variable, out: &mut Vec<u8>) -> bool {
        let Some(path) = self.request.client.path else { return false };
        let value = match variable {
            Variable::TcpinfoRtt => path.rtt_us,
            Variable::TcpinfoRttvar => path.rttvar_us,
            Variable::TcpinfoSndCwnd => path.snd_cwnd,
            _ => path.rcv_space,
        };
        push_number(value.into(), out);
        true
    }

    /// What all workers count.
    fn totals(&self) -> Totals {
        self.request.at.generation().host().boards.totals()
    }
}
