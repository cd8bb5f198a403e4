//! Frees connections that tiny_http has put behind a busy thread.
//!
//! tiny_http gives each connection a thread, and takes a waiting one if it believes that there is
//! one; when connections come quicker than a woken thread can say that it waits no more, several
//! are queued for it. All but the first then stay unanswered until some connection ends, with
//! keep-alive for ever: of 8 opened together, 1 to 4 did. A connection that ends at once is what
//! sets one of them free, so this thread makes such connections: some in short order whenever a
//! client is new, and one a second otherwise, which bounds how long anybody can be stuck.

use std::collections::HashSet;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, Thread};
use std::time::Duration;

/// Pauses after a new client has been seen; the last one repeats.
const PAUSES_MS: [u64; 9] = [5, 5, 5, 10, 20, 50, 100, 300, 1000];
/// Shortest time between two of these connections, however many clients are new.
const PAUSE_MIN: Duration = Duration::from_millis(5);
/// No longer than the listener's queue can be full.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(500);
/// Clients remembered as known. Past it all are forgotten, which costs some connections more.
const KNOWN_MAX: usize = 4096;

/// The thread that makes the connections, and the clients it knows.
#[derive(Debug)]
pub(crate) struct Nudge {
    thread: Thread,
    has_news: Arc<AtomicBool>,
    known: Mutex<HashSet<SocketAddr>>,
}

impl Nudge {
    /// Starts the thread for a listener bound to `bound`. It runs until the process ends.
    ///
    /// # Errors
    /// When there is no thread to be had.
    pub(crate) fn start(bound: SocketAddr) -> io::Result<Nudge> {
        let target = reachable(bound);
        let has_news = Arc::new(AtomicBool::new(false));
        let news = Arc::clone(&has_news);
        let run = move || {
            let mut step = 0;
            loop {
                // Refused or out of descriptors: the next try comes soon enough.
                drop(TcpStream::connect_timeout(&target, CONNECT_TIMEOUT));
                thread::sleep(PAUSE_MIN);
                if !news.swap(false, Ordering::SeqCst) {
                    let pause = Duration::from_millis(PAUSES_MS[step.min(PAUSES_MS.len() - 1)]);
                    thread::park_timeout(pause.saturating_sub(PAUSE_MIN));
                    step += 1;
                }
                if news.swap(false, Ordering::SeqCst) {
                    step = 0;
                }
            }
        };
        let handle = thread::Builder::new().name("nudge".into()).spawn(run)?;
        Ok(Nudge { thread: handle.thread().clone(), has_news, known: Mutex::default() })
    }

    /// Says that a request of `client` has come. One from a new client means new connections.
    pub(crate) fn seen(&self, client: Option<&SocketAddr>) {
        let Some(client) = client else { return };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.contains(client) {
            return;
        }
        if known.len() >= KNOWN_MAX {
            known.clear();
        }
        known.insert(*client);
        drop(known);
        self.has_news.store(true, Ordering::SeqCst);
        self.thread.unpark();
    }
}

/// The address at which a listener bound to `bound` can be reached from here.
fn reachable(bound: SocketAddr) -> SocketAddr {
    let ip = match bound.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, bound.port())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;
    use std::time::Instant;

    fn check(bound: &str, expected: &str) {
        assert_eq!(reachable(bound.parse().unwrap()), expected.parse().unwrap());
    }

    #[test]
    fn every_address_is_reached_by_loopback_of_its_family() {
        check("0.0.0.0:5000", "127.0.0.1:5000");
        check("[::]:5000", "[::1]:5000");
        check("127.0.0.2:5000", "127.0.0.2:5000");
    }

    #[test]
    fn a_new_client_brings_connections_at_once_and_a_known_one_none() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let nudge = Nudge::start(listener.local_addr().unwrap()).unwrap();
        listener.set_nonblocking(true).unwrap();
        // Connections until none has come for `quiet`; at most `count_max` are waited for.
        let accept = |count_max: usize, quiet: Duration| {
            let (mut last, mut count) = (Instant::now(), 0);
            while count < count_max && last.elapsed() < quiet {
                if listener.accept().is_ok() {
                    (last, count) = (Instant::now(), count + 1);
                } else {
                    thread::sleep(Duration::from_millis(1));
                }
            }
            count
        };
        let settled = Duration::from_millis(500);
        assert!(accept(usize::MAX, settled) >= 4);
        let client = "127.0.0.1:1".parse().unwrap();
        nudge.seen(Some(&client));
        assert_eq!(accept(4, Duration::from_millis(250)), 4);
        accept(usize::MAX, settled);
        nudge.seen(Some(&client));
        assert!(accept(4, Duration::from_millis(250)) <= 1);
    }
}
