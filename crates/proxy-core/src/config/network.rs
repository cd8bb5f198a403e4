//! Networks of addresses, and what is known of the one that holds an address.
//!
//! Owns: nginx's way of writing them. An IPv4 address in IPv6 is the IPv4 address.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Addresses with the same first bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    /// The first of them.
    first: IpAddr,
    /// How many bits they have in common.
    bits: u8,
}

/// What is not written as nginx wants it.
#[derive(Debug, PartialEq, Eq)]
pub struct NotANetwork;

impl Network {
    /// One address alone.
    pub fn of(address: IpAddr) -> Network {
        let first = address.to_canonical();
        Network { first, bits: width(first) }
    }

    /// `ADDRESS` or `ADDRESS/BITS`, and whether bits of the address have no meaning, which nginx
    /// warns of.
    ///
    /// # Errors
    /// What is neither.
    pub fn parse(text: &str) -> Result<(Network, bool), NotANetwork> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| NotANetwork)?;
        let most = width(address);
        let bits = match bits {
            Some(bits) if bits.bytes().all(|byte| byte.is_ascii_digit()) => {
                bits.parse::<u8>().ok().filter(|bits| *bits <= most).ok_or(NotANetwork)?
            }
            Some(_) => return Err(NotANetwork),
            None => most,
        };
        let first = masked(address, bits);
        Ok((Network { first, bits }, first != address))
    }

    /// Whether it holds an address.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.first.is_ipv4() && masked(address, self.bits) == self.first
    }
}

fn width(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// The address with its first bits alone.
fn masked(address: IpAddr, bits: u8) -> IpAddr {
    match address {
        IpAddr::V4(ip) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(bits.min(32))).unwrap_or(0);
            Ipv4Addr::from_bits(ip.to_bits() & mask).into()
        }
        IpAddr::V6(ip) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(bits.min(128))).unwrap_or(0);
            Ipv6Addr::from_bits(ip.to_bits() & mask).into()
        }
    }
}

/// What is known of networks: of those that hold an address the smallest counts.
#[derive(Debug, Default)]
pub struct Networks {
    /// By length in bits, longest first.
    by_bits: Vec<(u8, HashMap<IpAddr, usize>)>,
}

impl Networks {
    /// Makes something known of a network; returns what was known before.
    pub fn insert(&mut self, network: Network, value: usize) -> Option<usize> {
        let at = self.by_bits.iter().position(|(bits, _)| *bits <= network.bits);
        let at = at.unwrap_or(self.by_bits.len());
        if self.by_bits.get(at).is_none_or(|(bits, _)| *bits != network.bits) {
            self.by_bits.insert(at, (network.bits, HashMap::new()));
        }
        self.by_bits.get_mut(at)?.1.insert(network.first, value)
    }

    /// Forgets a network; whether it was known.
    pub fn remove(&mut self, network: Network) -> bool {
        let mut all = self.by_bits.iter_mut();
        let of_bits = all.find(|(bits, _)| *bits == network.bits);
        of_bits.is_some_and(|(_, networks)| networks.remove(&network.first).is_some())
    }

    /// What is known of the smallest network that holds an address.
    pub fn find(&self, address: IpAddr) -> Option<usize> {
        let address = address.to_canonical();
        let most = width(address);
        let fitting = self.by_bits.iter().filter(|(bits, _)| *bits <= most);
        fitting.into_iter().find_map(|(bits, all)| all.get(&masked(address, *bits)).copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(text: &str) -> Network {
        Network::parse(text).unwrap_or_else(|error| panic!("{text}: {error:?}")).0
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_network_holds_the_addresses_with_its_first_bits() {
        for (text, inside, outside) in [
            ("10.0.0.0/8", "10.255.1.2", "11.0.0.0"),
            ("10.0.0.1", "10.0.0.1", "10.0.0.2"),
            ("10.0.0.0/31", "::ffff:10.0.0.1", "10.0.0.2"),
            ("0.0.0.0/0", "255.255.255.255", "::"),
            ("2001:db8::/33", "2001:db8:7fff::1", "2001:db8:8000::"),
            ("::/0", "::1", "1.2.3.4"),
        ] {
            assert!(network(text).contains(ip(inside)), "{text} {inside}");
            assert!(!network(text).contains(ip(outside)), "{text} {outside}");
        }
        assert_eq!(Network::parse("10.0.0.1/8"), Ok((network("10.0.0.0/8"), true)));
        for text in ["", "10.0.0", "10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0.0/+8", "a/8"] {
            assert_eq!(Network::parse(text), Err(NotANetwork), "{text}");
        }
    }

    #[test]
    fn of_several_networks_the_smallest_counts() {
        let mut networks = Networks::default();
        for (value, text) in
            ["10.0.0.0/8", "10.1.0.0/16", "0.0.0.0/0", "::/0", "10.1.2.3"].into_iter().enumerate()
        {
            assert_eq!(networks.insert(network(text), value), None);
        }
        for (address, expected) in [
            ("10.9.9.9", 0),
            ("10.1.9.9", 1),
            ("10.1.2.3", 4),
            ("::ffff:10.1.2.3", 4),
            ("9.9.9.9", 2),
            ("::9", 3),
        ] {
            assert_eq!(networks.find(ip(address)), Some(expected), "{address}");
        }
        assert_eq!(networks.insert(network("10.1.2.3"), 7), Some(4));
        assert!(networks.remove(network("10.1.2.3")) && !networks.remove(network("10.1.2.3")));
        assert_eq!(networks.find(ip("10.1.2.3")), Some(1));
        assert_eq!(Networks::default().find(ip("10.1.2.3")), None);
    }
}
