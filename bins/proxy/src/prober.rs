//! Asks whether the pod's own application takes connections, again and again, in a thread of its
//! own. What runs in other pods has a readiness of its own and is not asked.

use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use proxy_core::upstream::address::Address;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use sys::socket;

use crate::admin::Status;
use crate::logs::notice;
use crate::net::Runtime;
use crate::net::socket::connect;
use crate::readiness::{Found, Line, Told};

/// How long the application may take to accept: all of its servers together.
const CONNECT_MAX: Duration = Duration::from_millis(500);
/// How often it is asked while all is well.
const INTERVAL: Duration = Duration::from_secs(1);
/// How often otherwise, so that a pod that comes up is ready soon.
const INTERVAL_NOT_READY: Duration = Duration::from_millis(100);

/// Starts asking.
///
/// # Errors
/// When no thread can be had.
pub fn start(status: Arc<Status>) -> io::Result<()> {
    let prober = std::thread::Builder::new().name("prober".into());
    prober.spawn(move || {
        let mut told = Told::default();
        loop {
            let found = ask(&groups(&status.runtime()));
            let now = Instant::now();
            status.readiness.set(&found, now);
            let is_ready = found == Found::Ready;
            // Once it ends, the application does too.
            if !status.is_ending() {
                match told.observe(status.readiness.fault(now), now) {
                    Some(Line::NotReady(fault)) => log::warn!("not ready: {fault}"),
                    Some(Line::ReadyAgain) => notice!("ready again"),
                    None => {}
                }
            }
            status.readiness.wait(if is_ready { INTERVAL } else { INTERVAL_NOT_READY });
        }
    })?;
    Ok(())
}

/// An upstream of the pod's own, with the addresses of its servers here.
#[derive(Debug)]
struct Group {
    name: String,
    addresses: Vec<Address>,
}

/// Upstreams with servers on this pod's loopback, or at sockets in its file system.
fn groups(runtime: &Runtime) -> Vec<Group> {
    let upstreams = runtime.config.upstreams.iter().enumerate();
    let groups = upstreams.map(|(index, upstream)| {
        let servers = upstream.servers.iter().enumerate().filter(|(_, server)| !server.down);
        let lists = servers.map(|(server, _)| runtime.addresses.list(index, server));
        let is_own = |list: &Vec<Address>| list.iter().all(Address::is_local);
        let addresses = lists.filter(is_own).flatten().collect();
        Group { name: String::from_utf8_lossy(&upstream.name).into_owned(), addresses }
    });
    groups.filter(|group| !group.addresses.is_empty()).collect()
}

/// Asks one upstream after the other; the first that has no server that accepts is the verdict.
fn ask(groups: &[Group]) -> Found {
    let end = Instant::now() + CONNECT_MAX;
    for group in groups {
        match ask_one(group, end) {
            Found::Ready => {}
            other => return other,
        }
    }
    Found::Ready
}

/// Asks all servers of an upstream side by side: one that hangs does not hide one that accepts.
fn ask_one(group: &Group, end: Instant) -> Found {
    let mut faults: Vec<(&Address, io::Error)> = Vec::new();
    let mut waiting: Vec<(&Address, OwnedFd)> = Vec::new();
    for address in &group.addresses {
        match connect(address) {
            Ok(socket) => waiting.push((address, socket)),
            Err(error) => faults.push((address, error)),
        }
    }
    while !waiting.is_empty() {
        let left = end.saturating_duration_since(Instant::now());
        let ready = match wait_any(&waiting, left) {
            Ok(ready) => ready,
            Err(error) => return Found::Unknown(words(&error)),
        };
        if !ready.contains(&true) && left.is_zero() {
            break;
        }
        for index in (0..waiting.len()).rev().filter(|index| ready[*index]) {
            let (address, socket) = waiting.swap_remove(index);
            match socket::connect_result(&socket) {
                Ok(()) => return Found::Ready,
                Err(error) => faults.push((address, error)),
            }
        }
    }
    faults.extend(waiting.iter().map(|(address, _)| (*address, ErrorKind::TimedOut.into())));
    judge(&group.name, &group.addresses, faults)
}

/// Which of them have something to tell, waited for no longer than `left`.
fn wait_any(waiting: &[(&Address, OwnedFd)], left: Duration) -> io::Result<Vec<bool>> {
    let mut watched: Vec<PollFd<'_>> =
        waiting.iter().map(|(_, socket)| PollFd::new(socket, PollFlags::OUT)).collect();
    let left = Timespec {
        tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(left.subsec_nanos()),
    };
    match poll(&mut watched, Some(&left)) {
        Ok(_) | Err(Errno::INTR) => {}
        Err(errno) => return Err(errno.into()),
    }
    Ok(watched.iter().map(|socket| !socket.revents().is_empty()).collect())
}

/// Nobody accepts: whose fault it is, and the words for it. Told is the first address that exists.
fn judge(name: &str, addresses: &[Address], mut faults: Vec<(&Address, io::Error)>) -> Found {
    if let Some((_, error)) = faults.iter().find(|(address, error)| is_own_want(address, error)) {
        return Found::Unknown(words(error));
    }
    let rank = |address: &Address| addresses.iter().position(|known| known == address);
    faults.sort_by_key(|(address, error)| (is_family_missing(error), rank(address)));
    match faults.first() {
        Some((address, error)) => {
            Found::NotReady(format!("upstream {name} ({address}): {}", words(error)))
        }
        None => Found::Ready,
    }
}

fn is_any(error: &io::Error, known: &[Errno]) -> bool {
    known.iter().any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

/// No descriptor, memory or port of our own is left. (`EADDRNOTAVAIL` for `::1` is a host without
/// IPv6.)
fn is_own_want(address: &Address, error: &io::Error) -> bool {
    is_any(error, &[Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM])
        || matches!(address, Address::Tcp(address) if address.is_ipv4())
            && is_any(error, &[Errno::ADDRNOTAVAIL])
}

fn is_family_missing(error: &io::Error) -> bool {
    is_any(error, &[Errno::AFNOSUPPORT, Errno::ADDRNOTAVAIL])
}

/// An error in the words of a log line: lower case, without its number.
fn words(error: &io::Error) -> String {
    if error.kind() == ErrorKind::TimedOut && error.raw_os_error().is_none() {
        return format!("no connection within {} ms", CONNECT_MAX.as_millis());
    }
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or(&text);
    let mut letters = text.chars();
    letters.next().map_or(String::new(), |first| first.to_lowercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{SocketAddr, TcpListener};

    fn group(addresses: &[SocketAddr]) -> Group {
        Group {
            name: "app".into(),
            addresses: addresses.iter().copied().map(Address::Tcp).collect(),
        }
    }

    fn listening() -> (TcpListener, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        (listener, address)
    }

    /// An application that hangs: its queue is full, and a connect to it stays unanswered.
    fn hanging() -> (OwnedFd, Vec<OwnedFd>, SocketAddr) {
        let listener = socket::listen("127.0.0.1:0".parse().unwrap(), true, 0).unwrap();
        let address = socket::local_address(&listener).unwrap();
        let queued = (0..4).map(|_| socket::connect(address).unwrap()).collect();
        (listener, queued, address)
    }

    fn closed() -> SocketAddr {
        listening().1
    }

    #[test]
    fn one_server_that_accepts_is_enough_for_an_upstream() {
        let (_listener, open) = listening();
        let (_hanging, _queued, full) = hanging();
        assert_eq!(ask(&[]), Found::Ready);
        assert_eq!(ask(&[group(&[open])]), Found::Ready);
        assert_eq!(ask(&[group(&[closed(), open])]), Found::Ready);
        let begun = Instant::now();
        assert_eq!(ask(&[group(&[full, full, open])]), Found::Ready);
        assert!(begun.elapsed() < CONNECT_MAX, "one that hangs is not waited for");
    }

    #[test]
    fn an_upstream_without_one_is_told_with_address_and_error() {
        let (_listener, open) = listening();
        let shut = closed();
        let expected = format!("upstream app ({shut}): connection refused");
        assert_eq!(ask(&[group(&[open]), group(&[shut])]), Found::NotReady(expected));
    }

    #[test]
    fn a_socket_in_the_file_system_is_asked_like_a_port() {
        let path = std::env::temp_dir().join(format!("prober-{}.sock", std::process::id()));
        let address = Address::Unix(path.to_str().unwrap().into());
        let group = || [Group { name: "app".into(), addresses: vec![address.clone()] }];
        let not_ready = |why: &str| Found::NotReady(format!("upstream app ({address}): {why}"));
        assert_eq!(ask(&group()), not_ready("no such file or directory"));
        let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        assert_eq!(ask(&group()), Found::Ready);
        drop(listener);
        assert_eq!(ask(&group()), not_ready("connection refused"));
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn many_servers_that_hang_take_no_longer_than_one() {
        let apps: Vec<_> = (0..4).map(|_| hanging()).collect();
        let addresses: Vec<SocketAddr> = apps.iter().map(|app| app.2).collect();
        let begun = Instant::now();
        let expected = format!("upstream app ({}): no connection within 500 ms", addresses[0]);
        assert_eq!(ask(&[group(&addresses), group(&addresses)]), Found::NotReady(expected));
        assert!(begun.elapsed() < CONNECT_MAX * 2, "{:?}", begun.elapsed());
    }

    #[test]
    fn what_fails_for_want_of_our_own_is_no_verdict() {
        let check = |address: &str, errno: Errno, expected: Found| {
            let asked = [address, "127.0.0.1:1"].map(|text| Address::Tcp(text.parse().unwrap()));
            let faults = vec![(&asked[0], errno.into()), (&asked[1], Errno::CONNREFUSED.into())];
            assert_eq!(judge("app", &asked, faults), expected, "{errno}");
        };
        let refused = || Found::NotReady("upstream app (127.0.0.1:1): connection refused".into());
        check("127.0.0.2:2", Errno::MFILE, Found::Unknown("too many open files".into()));
        let no_port = Found::Unknown("cannot assign requested address".into());
        check("127.0.0.2:2", Errno::ADDRNOTAVAIL, no_port);
        // A host without IPv6: what counts is 127.0.0.1.
        check("[::1]:1", Errno::ADDRNOTAVAIL, refused());
        check("[::1]:1", Errno::AFNOSUPPORT, refused());
    }
}
