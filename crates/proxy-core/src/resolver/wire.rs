//! DNS on the wire (RFC 1035, RFC 3596): a question, and what an answer to it says.
//!
//! Owns: bytes and their bounds. An answer comes from anybody who can send a packet: whatever is
//! in it, reading it ends after as many steps as it has bytes, times [`LINKS_MAX`].

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Longest name in bytes, dots included (RFC 1035 §2.3.4).
pub const NAME_BYTES_MAX: usize = 253;
/// Longest part of a name in bytes.
const LABEL_BYTES_MAX: usize = 63;
/// Aliases that are followed in one answer.
const LINKS_MAX: usize = 16;
/// Addresses taken of one answer.
const ADDRESSES_MAX: usize = 64;
/// The head of a packet.
const HEAD_BYTES: usize = 12;

const ALIAS: u16 = 5;
const INTERNET: u16 = 1;

/// Which addresses are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Of IPv4: records of type A.
    V4,
    /// Of IPv6: records of type AAAA.
    V6,
}

impl Family {
    fn kind(self) -> u16 {
        match self {
            Family::V4 => 1,
            Family::V6 => 28,
        }
    }

    fn address(self, data: &[u8]) -> Option<IpAddr> {
        match self {
            Family::V4 => <[u8; 4]>::try_from(data).ok().map(|ip| Ipv4Addr::from(ip).into()),
            Family::V6 => <[u8; 16]>::try_from(data).ok().map(|ip| Ipv6Addr::from(ip).into()),
        }
    }
}

/// Why a name has no address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameFault {
    /// The server did not understand the question.
    Format,
    /// The server has failed.
    Server,
    /// There is no such name, or it has no address.
    NotFound,
    /// The server knows no such questions, or says what nobody knows.
    Unimplemented,
    /// The server does not answer this one.
    Refused,
    /// Nobody has answered in time.
    TimedOut,
}

impl NameFault {
    fn of(code: u8) -> Option<NameFault> {
        Some(match code {
            0 => return None,
            1 => NameFault::Format,
            2 => NameFault::Server,
            3 => NameFault::NotFound,
            5 => NameFault::Refused,
            _ => NameFault::Unimplemented,
        })
    }
}

impl std::fmt::Display for NameFault {
    /// nginx: its number, or that of the system, and its words.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            NameFault::Format => "1: Format error",
            NameFault::Server => "2: Server failure",
            NameFault::NotFound => "3: Host not found",
            NameFault::Unimplemented => "4: Unimplemented",
            NameFault::Refused => "5: Operation refused",
            NameFault::TimedOut => "110: Operation timed out",
        })
    }
}

/// What an answer says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// At least one address, and for how many seconds they hold.
    Found(Vec<IpAddr>, u32),
    /// The name stands for another one, which the answer tells no address of.
    Alias(String),
    /// There is none.
    Fault(NameFault),
    /// It was too long for a packet: it is to be asked for by TCP.
    Cut,
}

/// Whether a name can be asked for: its parts are there and as long as they may be.
pub fn is_name(name: &str) -> bool {
    let is_label = |label: &str| (1..=LABEL_BYTES_MAX).contains(&label.len());
    let name = name.strip_suffix('.').unwrap_or(name);
    name.len() <= NAME_BYTES_MAX && name.split('.').all(is_label)
}

/// A question as it is sent; nothing where [`is_name`] is false.
pub fn question(id: u16, name: &str, family: Family) -> Option<Vec<u8>> {
    if !is_name(name) {
        return None;
    }
    let mut out = Vec::with_capacity(HEAD_BYTES + name.len() + 6);
    // Recursion is wanted; one question.
    out.extend_from_slice(&id.to_be_bytes());
    out.extend_from_slice(&[1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    for label in name.strip_suffix('.').unwrap_or(name).split('.') {
        out.push(u8::try_from(label.len()).ok()?);
        out.extend_from_slice(label.as_bytes());
    }
    out.push(0);
    out.extend_from_slice(&family.kind().to_be_bytes());
    out.extend_from_slice(&INTERNET.to_be_bytes());
    Some(out)
}

/// What a packet says to a question; nothing where it is no answer to it.
pub fn read(packet: &[u8], (id, name, family): (u16, &str, Family)) -> Option<Reply> {
    let mut reader = Reader { packet, at: 0 };
    let (told_id, flags) = (reader.short()?, reader.short()?);
    let (questions, records) = (reader.short()?, reader.short()?);
    reader.at = HEAD_BYTES;
    let is_answer = flags & 0x8000 != 0 && flags & 0x7800 == 0;
    if told_id != id || !is_answer || questions != 1 {
        return None;
    }
    let asked = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    let is_same = reader.name()? == asked.as_bytes();
    if !is_same || reader.short()? != family.kind() || reader.short()? != INTERNET {
        return None;
    }
    if flags & 0x0200 != 0 {
        return Some(Reply::Cut);
    }
    let code = u8::try_from(flags & 15).unwrap_or(4);
    if let Some(fault) = NameFault::of(code) {
        return Some(Reply::Fault(fault));
    }
    Some(follow(&reader.records(records), asked.into_bytes(), family))
}

/// From alias to alias, to the addresses.
fn follow(records: &[Record<'_>], mut name: Vec<u8>, family: Family) -> Reply {
    let mut seconds = u32::MAX;
    for links in 0..LINKS_MAX {
        let own = |record: &&Record<'_>| record.owner == name;
        let found = records.iter().filter(own).filter(|record| record.kind == family.kind());
        let mut addresses = Vec::new();
        for record in found.take(ADDRESSES_MAX) {
            if let Some(address) = family.address(record.data).filter(|ip| !addresses.contains(ip))
            {
                addresses.push(address);
                seconds = seconds.min(record.seconds);
            }
        }
        if !addresses.is_empty() {
            return Reply::Found(addresses, seconds);
        }
        let alias = records.iter().filter(own).find(|record| record.kind == ALIAS);
        match alias.and_then(|record| Some((record.target.clone()?, record.seconds))) {
            Some((target, own_seconds)) => {
                (name, seconds) = (target, seconds.min(own_seconds));
            }
            None if links == 0 => break,
            None => {
                let name = String::from_utf8(name).ok().filter(|name| is_name(name));
                return name.map_or(Reply::Fault(NameFault::NotFound), Reply::Alias);
            }
        }
    }
    Reply::Fault(NameFault::NotFound)
}

/// A record of an answer.
struct Record<'p> {
    owner: Vec<u8>,
    kind: u16,
    seconds: u32,
    data: &'p [u8],
    /// What an alias stands for.
    target: Option<Vec<u8>>,
}

struct Reader<'p> {
    packet: &'p [u8],
    at: usize,
}

impl<'p> Reader<'p> {
    fn take(&mut self, bytes: usize) -> Option<&'p [u8]> {
        let taken = self.packet.get(self.at..self.at.checked_add(bytes)?)?;
        self.at += bytes;
        Some(taken)
    }

    fn short(&mut self) -> Option<u16> {
        self.take(2)?.try_into().ok().map(u16::from_be_bytes)
    }

    /// A name in lower case, its parts between dots. RFC 1035 §4.1.4: its end may stand at an
    /// earlier place, which is only ever further to the front, so that no name goes in a circle.
    fn name(&mut self) -> Option<Vec<u8>> {
        let (mut name, mut at, mut behind) = (Vec::new(), self.at, None);
        loop {
            let length = usize::from(*self.packet.get(at)?);
            match length {
                0 => {
                    at += 1;
                    break;
                }
                1..=LABEL_BYTES_MAX => {
                    let label = self.packet.get(at + 1..at + 1 + length)?;
                    if !name.is_empty() {
                        name.push(b'.');
                    }
                    name.extend(label.iter().map(u8::to_ascii_lowercase));
                    at += 1 + length;
                }
                0xc0.. => {
                    let low = usize::from(*self.packet.get(at + 1)?);
                    let earlier = (length & 0x3f) << 8 | low;
                    behind.get_or_insert(at + 2);
                    if earlier >= at {
                        return None;
                    }
                    at = earlier;
                }
                _ => return None,
            }
            if name.len() > NAME_BYTES_MAX {
                return None;
            }
        }
        self.at = behind.unwrap_or(at);
        Some(name)
    }

    /// The records as far as they can be read.
    fn records(mut self, count: u16) -> Vec<Record<'p>> {
        (0..count).map_while(|_| self.record()).collect()
    }

    fn record(&mut self) -> Option<Record<'p>> {
        let owner = self.name()?;
        let (kind, class) = (self.short()?, self.short()?);
        let seconds = self.take(4)?.try_into().ok().map(u32::from_be_bytes)?;
        let bytes = usize::from(self.short()?);
        let start = self.at;
        let data = self.take(bytes)?;
        let mut target = None;
        if kind == ALIAS {
            let mut inner = Reader { packet: self.packet, at: start };
            target = inner.name();
        }
        // RFC 2181 §8: a time with the first bit set is none.
        let seconds = if seconds > i32::MAX as u32 { 0 } else { seconds };
        let kind = if class == INTERNET { kind } else { 0 };
        Some(Record { owner, kind, seconds, data, target })
    }
}

#[cfg(test)]
mod tests;
