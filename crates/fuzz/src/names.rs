//! Answers of name servers.

use std::net::{IpAddr, Ipv4Addr};

use proxy_core::config::model::Resolver;
use proxy_core::resolver::lookup::{LOOKUP_MS, Lookup, Next};
use proxy_core::resolver::wire::{Family, Reply, is_name, question, read};

const ASKED: (u16, &str, Family) = (0x0102, "app.test", Family::V4);
/// As many as a look-up may send: to each server, again after silence, for each alias, and by TCP.
const QUESTIONS_MAX: usize = 64;

/// Reads `data` as an answer, and as answers one after the other to a look-up. Holds what is found
/// against the bytes, and the look-up to its bounds.
pub fn names(data: &[u8]) {
    check_answer(data);
    let mut made = question(ASKED.0, ASKED.1, ASKED.2).unwrap_or_default();
    made[2] |= 0x80;
    // What follows a question that is the right one.
    made[7] = data.first().copied().unwrap_or(0);
    made.extend_from_slice(data.get(1..).unwrap_or_default());
    check_answer(&made);
    check_lookup(data);
}

fn check_answer(packet: &[u8]) {
    let Some(reply) = read(packet, ASKED) else { return };
    assert_eq!(packet[..2], ASKED.0.to_be_bytes());
    assert!(packet[2] & 0x80 != 0, "a question is no answer");
    match reply {
        Reply::Found(addresses, seconds) => {
            assert!(!addresses.is_empty() && addresses.len() <= 64 && seconds <= i32::MAX as u32);
            for (at, address) in addresses.iter().enumerate() {
                let is_there = |ip: &Ipv4Addr| packet.windows(4).any(|four| four == ip.octets());
                assert!(matches!(address, IpAddr::V4(ip) if is_there(ip)), "{address}");
                assert!(!addresses[..at].contains(address), "each is told once");
            }
        }
        Reply::Alias(name) => assert!(is_name(&name) && name != ASKED.1),
        Reply::Fault(_) | Reply::Cut => {}
    }
}

/// The pieces of `data`, each behind its length, answer what is asked, with the right number.
fn check_lookup(data: &[u8]) {
    let servers = vec![("a".to_owned(), 53), ("b".to_owned(), 53)];
    let resolver =
        Resolver { servers, valid_ms: None, ipv4: true, ipv6: data.len().is_multiple_of(2) };
    let mut lookup = Lookup::new(&resolver, ASKED.1, 0x0102, 0);
    let (mut now, mut rest, mut questions) = (0, data, 0);
    loop {
        match lookup.next(now) {
            Next::Send { server, bytes, .. } => {
                questions += 1;
                assert!(questions <= QUESTIONS_MAX && server < 2, "{questions} questions");
                let Some((length, behind)) = rest.split_first() else { continue };
                let (piece, behind) = behind.split_at(usize::from(*length).min(behind.len()));
                rest = behind;
                let mut answer = bytes;
                answer[2] |= 0x80;
                answer[3] = piece.first().copied().unwrap_or(0);
                answer[2] |= piece.first().map_or(0, |byte| byte >> 6 & 2);
                answer[7] = u8::from(piece.len() > 1);
                answer.extend_from_slice(piece.get(1..).unwrap_or_default());
                lookup.take(&answer, now);
            }
            Next::Wait(until) => {
                assert!(until > now && until <= LOOKUP_MS, "time goes on, and ends");
                now = until;
            }
            Next::Done(outcome) => {
                return assert!(
                    outcome.is_ok_and(|found| !found.addresses.is_empty()) || now <= LOOKUP_MS
                );
            }
        }
    }
}
