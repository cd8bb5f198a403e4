//! nginx: `map`, `geo` and `split_clients`: variables that are looked up by others.

use std::collections::HashMap;
use std::net::Ipv4Addr;

use super::{Expression, Template, Variable};
use crate::config::network::{Network, Networks};

/// nginx: `map`.
#[derive(Debug, Default)]
pub struct Map {
    /// What is looked up.
    pub subject: Template,
    /// nginx: `volatile`: the value is not kept for the rest of the request.
    pub is_volatile: bool,
    /// nginx: `hostnames`: a dot at the end of what is looked up does not count.
    pub has_hostnames: bool,
    /// Texts in lower case; nginx looks no closer.
    pub exact: HashMap<Vec<u8>, usize>,
    /// nginx: `*.example.com` as `.example.com`, longest first, lower case.
    pub suffixes: Vec<(Vec<u8>, usize)>,
    /// nginx: `www.*` as `www.`, longest first, lower case.
    pub prefixes: Vec<(Vec<u8>, usize)>,
    /// In the order of the file.
    pub expressions: Vec<(Expression, usize)>,
    /// What holds where none of them finds; empty where none is written.
    pub default: Template,
    /// What is found.
    pub values: Vec<Template>,
}

/// nginx: `geo`.
#[derive(Debug, Default)]
pub struct Geo {
    /// nginx: the variable whose text is an address; the client's where none is written.
    pub subject: Option<Variable>,
    /// nginx: `volatile`, as that of `map`.
    pub is_volatile: bool,
    /// nginx: `proxy`: whose `X-Forwarded-For` tells the address.
    pub proxies: Vec<Network>,
    /// nginx: `proxy_recursive`.
    pub is_recursive: bool,
    /// What is known of networks.
    pub networks: Networks,
    /// nginx: `ranges`: first and last address, ascending; none holds an address of another.
    pub ranges: Vec<(Ipv4Addr, Ipv4Addr, usize)>,
    /// What holds where none of them finds; empty where none is written.
    pub default: Vec<u8>,
    /// What is found.
    pub values: Vec<Vec<u8>>,
}

/// nginx: `split_clients`.
#[derive(Debug, Default)]
pub struct Split {
    /// What is hashed.
    pub subject: Template,
    /// The parts of all hashes, in order: what a hash must be less than, and its value; `*` takes
    /// all.
    pub parts: Vec<(Option<u32>, Vec<u8>)>,
}
