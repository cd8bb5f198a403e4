//! Who may ask for what, and who somebody is.

use std::net::IpAddr;
use std::sync::Arc;

use super::{Guard, Shared};
use crate::config::network::Network;

/// Who may ask for what of a location.
#[derive(Clone, Debug, Default)]
pub struct Access {
    /// nginx: `allow` and `deny`, in the order of the file.
    pub rules: Shared<AccessRule>,
    /// nginx: `limit_except`.
    pub limit_except: Option<Box<LimitExcept>>,
    /// nginx: `set_real_ip_from` and what belongs to it.
    pub real_ip: RealIp,
    /// What else stands before it.
    pub guard: Option<Arc<Guard>>,
}

/// nginx: `allow` or `deny`.
#[derive(Clone, Copy, Debug)]
pub struct AccessRule {
    /// Whom it is about.
    pub whom: Whom,
    /// Whether they are let in.
    pub is_allowed: bool,
}

/// Whom a rule is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whom {
    /// nginx: `all`.
    All,
    /// Addresses.
    Network(Network),
    /// nginx: `unix:`: clients on sockets of a kind that is not listened on here.
    Nobody,
}

impl Access {
    /// Whether a client is let in by the first rule that is about it, if there is one.
    pub fn lets_in(&self, address: IpAddr) -> Option<bool> {
        let is_about = |rule: &&AccessRule| match rule.whom {
            Whom::All => true,
            Whom::Network(network) => network.contains(address),
            Whom::Nobody => false,
        };
        self.rules.iter().find(is_about).map(|rule| rule.is_allowed)
    }
}

/// nginx: `limit_except`.
#[derive(Clone, Debug)]
pub struct LimitExcept {
    /// Methods whose requests stay in the location; `HEAD` goes with `GET`.
    pub methods: Vec<Vec<u8>>,
    /// nginx: the hidden location that others go to, an index into `Server::locations`.
    pub location: usize,
}

/// nginx: whose word on who the client is counts.
#[derive(Clone, Debug)]
pub struct RealIp {
    /// nginx: `set_real_ip_from`; where there is none, nobody's.
    pub from: Shared<Network>,
    /// nginx: `real_ip_header`, `X-Real-IP`: the field that tells it, lower case. That of
    /// [`RealIp::PROXY_PROTOCOL`] is none: the protocol tells.
    pub field: Shared<u8>,
    /// nginx: `real_ip_recursive`, off: whether those in the list who are trusted are passed over.
    pub is_recursive: bool,
}

impl RealIp {
    /// nginx: `real_ip_header proxy_protocol`.
    pub const PROXY_PROTOCOL: &[u8] = b"proxy_protocol";
}

impl Default for RealIp {
    fn default() -> Self {
        RealIp { from: Shared::default(), field: b"x-real-ip".to_vec().into(), is_recursive: false }
    }
}
