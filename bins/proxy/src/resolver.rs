//! Names looked up at the name servers that the file names (nginx: `resolver`).
//!
//! What is known of names is shared by all workers. Each look-up has a thread of its own, of which
//! there are as many as [`Names`] lets be at a time: no worker waits for one. What is asked of whom
//! and when, and what an answer says, is the core's to decide.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use proxy_core::config::model::Resolver;
use proxy_core::resolver::lookup::{Found, Lookup, Next};
use proxy_core::resolver::names::{Asked, Names};
use proxy_core::resolver::wire::NameFault;
use proxy_core::upstream::address::Address;

use crate::config;

/// What a name came to: its addresses, at least one.
pub type Outcome = Result<Vec<IpAddr>, NameFault>;

/// Who waits for a name, told once.
type Tell = Box<dyn FnOnce(Outcome) + Send>;

/// Longest packet that is taken: what servers send without being told of more is shorter.
const PACKET_BYTES_MAX: usize = 4 << 10;
/// How long a server that is asked by TCP may take for each step.
const TCP_STEP: Duration = Duration::from_secs(2);
/// A look-up needs no more of a stack.
const STACK_BYTES: usize = 128 << 10;

/// The names of each resolver that somebody has asked.
static KNOWN: Mutex<Vec<(Arc<Resolver>, Names<Tell>)>> = Mutex::new(Vec::new());

fn known() -> MutexGuard<'static, Vec<(Arc<Resolver>, Names<Tell>)>> {
    KNOWN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Milliseconds since somebody asked first.
fn now_ms() -> u64 {
    static ORIGIN: OnceLock<Instant> = OnceLock::new();
    u64::try_from(ORIGIN.get_or_init(Instant::now).elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// What a name comes to, if that is known at once; `tell` is called otherwise, on another thread.
pub fn ask(
    resolver: &Arc<Resolver>,
    name: &str,
    tell: impl FnOnce(Outcome) + Send + 'static,
) -> Option<Outcome> {
    let name = name.to_ascii_lowercase();
    let asked = {
        let mut known = known();
        let names = names_of(&mut known, resolver);
        names.ask(&name, Box::new(tell), now_ms())
    };
    match asked {
        Asked::Known(addresses) => return Some(Ok(addresses)),
        Asked::Full(_) => return Some(Err(NameFault::Server)),
        Asked::Waits => return None,
        Asked::LookUp => {}
    }
    let (its, own) = (Arc::clone(resolver), name.clone());
    let thread = std::thread::Builder::new().name("resolver".into()).stack_size(STACK_BYTES);
    if thread.spawn(move || told(&its, &own, look_up(&its, &own))).is_err() {
        told(resolver, &name, Err(NameFault::Server));
    }
    None
}

fn names_of<'k>(
    known: &'k mut Vec<(Arc<Resolver>, Names<Tell>)>,
    resolver: &Arc<Resolver>,
) -> &'k mut Names<Tell> {
    let at = known.iter().position(|(one, _)| Arc::ptr_eq(one, resolver) || one == resolver);
    let at = at.unwrap_or_else(|| {
        // Those of configurations that are gone go, unless somebody waits for them.
        known.retain(|(one, _)| Arc::strong_count(one) > 1);
        known.push((Arc::clone(resolver), Names::default()));
        known.len() - 1
    });
    &mut known[at].1
}

fn told(resolver: &Arc<Resolver>, name: &str, outcome: Result<Found, NameFault>) {
    let waiting = {
        let mut known = known();
        names_of(&mut known, resolver).told(name, &outcome, resolver.valid_ms, now_ms())
    };
    let outcome = outcome.map(|found| found.addresses);
    waiting.into_iter().for_each(|tell| tell(outcome.clone()));
}

/// Looks a name up, however long that takes.
fn look_up(resolver: &Resolver, name: &str) -> Result<Found, NameFault> {
    let servers: Vec<Option<SocketAddr>> =
        resolver.servers.iter().map(|(host, port)| server(host, *port)).collect();
    let random = RandomState::new().build_hasher().finish();
    let mut lookup = Lookup::new(resolver, name, random, now_ms());
    let mut socket: Option<UdpSocket> = None;
    let mut buffer = [0; PACKET_BYTES_MAX];
    loop {
        match lookup.next(now_ms()) {
            Next::Done(outcome) => return outcome,
            Next::Send { server, by_tcp, bytes } => {
                // A server without an address is one that does not answer.
                let Some(server) = servers.get(server).copied().flatten() else { continue };
                if by_tcp {
                    if let Ok(answer) = ask_by_tcp(server, &bytes) {
                        lookup.take(&answer, now_ms());
                    }
                } else if let Ok(ready) = socket_for(server, socket.take()) {
                    // What is not sent is not answered.
                    let _ = ready.send_to(&bytes, server);
                    socket = Some(ready);
                }
            }
            Next::Wait(until_ms) => {
                let wait = Duration::from_millis(until_ms.saturating_sub(now_ms()).max(1));
                let Some(socket) = &socket else {
                    std::thread::sleep(wait);
                    continue;
                };
                let _ = socket.set_read_timeout(Some(wait));
                if let Ok((bytes, from)) = socket.recv_from(&mut buffer)
                    && servers.contains(&Some(from))
                {
                    lookup.take(&buffer[..bytes], now_ms());
                }
            }
        }
    }
}

fn server(host: &str, port: u16) -> Option<SocketAddr> {
    let tcp = |address| match address {
        Address::Tcp(address) => Some(address),
        Address::Unix(_) => None,
    };
    config::resolve(host, port).into_iter().find_map(tcp)
}

/// A socket of the server's family, on a port that the system draws.
fn socket_for(server: SocketAddr, socket: Option<UdpSocket>) -> io::Result<UdpSocket> {
    let is_fit =
        |socket: &UdpSocket| socket.local_addr().is_ok_and(|own| own.is_ipv4() == server.is_ipv4());
    match socket.filter(is_fit) {
        Some(socket) => Ok(socket),
        None if server.is_ipv4() => UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)),
        None => UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0)),
    }
}

/// RFC 1035 §4.2.2: the length goes before the message.
fn ask_by_tcp(server: SocketAddr, question: &[u8]) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect_timeout(&server, TCP_STEP)?;
    stream.set_read_timeout(Some(TCP_STEP))?;
    stream.set_write_timeout(Some(TCP_STEP))?;
    let length = u16::try_from(question.len()).map_err(io::Error::other)?;
    stream.write_all(&[&length.to_be_bytes()[..], question].concat())?;
    let mut length = [0; 2];
    stream.read_exact(&mut length)?;
    let mut answer = vec![0; u16::from_be_bytes(length).into()];
    stream.read_exact(&mut answer)?;
    Ok(answer)
}

#[cfg(test)]
pub(crate) mod tests;
