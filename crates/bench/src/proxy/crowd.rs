//! Owns the case of a crowd: thousands of requests at once that all wait for their answers, before
//! a proxy with a container's memory.

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use sys::poller::{Events, Interest, Poller, Readiness};
use sys::socket::{self, Outcome};

use super::{Bench, Conf, wait_first_answer};
use crate::answer::{Answer, LastHead};
use crate::cgroup::Cgroup;
use crate::report::{Bar, Figures, Shape};
use crate::stats::Side;
use crate::upstream::{LATE, WAIT};
use crate::{Fault, http};

pub(super) const SHAPE: [Shape; 5] = [
    ("7,000 waiting in 64 MiB, ends of the process", Bar::AtMost(0.0), 0),
    ("7,000 waiting in 64 MiB, served", Bar::AtLeast(3000.0), 0),
    ("7,000 waiting in 64 MiB, answered 503", Bar::Told, 0),
    ("7,000 waiting in 64 MiB, refused, cut off or never answered", Bar::Told, 0),
    ("7,000 waiting in 64 MiB, peak of the cgroup, MB", Bar::Told, 1),
];

const REQUESTS: usize = 7000;
/// The chart's limit of the proxy's container.
const LIMIT_BYTES: u64 = 64 * 1024 * 1024;
/// Room in the configuration for two connections of each request, so that memory is the limit.
const CONNECTIONS: usize = 16_384;
/// What a browser sends along, some 700 bytes, for the proxy holds each head while it waits.
const FIELDS: &str = "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 \
    Firefox/128.0\r\nAccept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,\
    image/webp,image/png,image/svg+xml,*/*;q=0.8\r\nAccept-Language: en-US,en;q=0.5\r\n\
    Accept-Encoding: gzip, deflate, br, zstd\r\nReferer: http://bench.example/a/page/of/it\r\n\
    Cookie: session=0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef; \
    consent=all; theme=dark; visited=0123456789abcdef0123456789abcdef0123456789abcdef; \
    seen=0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\r\n\
    Upgrade-Insecure-Requests: 1\r\nSec-Fetch-Dest: document\r\nSec-Fetch-Mode: navigate";
/// How long the crowd stays. Those that the proxy takes late wait as long after that.
const PATIENCE: Duration = Duration::from_secs(4 * WAIT.as_secs());
/// How long the proxy may take to its next answer after the crowd.
const CALM_TIME: Duration = Duration::from_secs(5);
const TICK: Duration = Duration::from_millis(50);
const EVENTS_MAX: usize = 512;

/// What became of the requests.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Crowd {
    served: u32,
    turned_away: u32,
    broken: u32,
}

struct Visitor {
    socket: OwnedFd,
    is_asked: bool,
    answer: Answer,
}

impl Bench<'_> {
    /// What becomes of a crowd and of the proxy.
    pub(super) fn crowd(&self) -> Result<Vec<Figures>, Fault> {
        let ours = self.crowd_before(Side::Ours)?;
        let peer = self.crowd_before(Side::Peer)?;
        Ok(ours.into_iter().zip(peer).map(Figures::from).collect())
    }

    fn crowd_before(&self, side: Side) -> Result<[f64; 5], Fault> {
        let cgroup = Cgroup::new(LIMIT_BYTES)?;
        let mut proxy = self.start(side, Conf::Tuned(CONNECTIONS), Some(&cgroup))?;
        let address = self.address(side);
        wait_first_answer(&mut proxy, address)?;
        let crowd = visit(address, REQUESTS, PATIENCE)?;
        let kills = cgroup.kills()?;
        let is_well = http::first_answer(address, Instant::now() + CALM_TIME).is_ok();
        let ends = kills.max(u64::from(proxy.has_ended() || !is_well));
        let peak = cgroup.peak_megabytes().unwrap_or(0.0);
        eprintln!(
            "crowd: {side:?} {crowd:?}, {kills} killed by the kernel, peak {peak:.1} MB, {} after",
            if is_well { "well" } else { "DEAF" }
        );
        let Crowd { served, turned_away, broken } = crowd;
        Ok([ends as f64, served.into(), turned_away.into(), broken.into(), peak])
    }
}

/// Sends `count` requests for the late answer at once and waits until all are over, at most
/// `patience`.
fn visit(address: SocketAddr, count: usize, patience: Duration) -> Result<Crowd, Fault> {
    let broken = |error| Fault::new(format!("the crowd cannot be made: {error}"));
    let poller = Poller::new().map_err(broken)?;
    let (mut crowd, mut last) = (Crowd::default(), LastHead::default());
    let mut visitors = Vec::with_capacity(count);
    for _ in 0..count {
        match socket::connect(address) {
            Ok(socket) => {
                let key = visitors.len() as u64;
                poller.add(&socket, key, Interest::Edges).map_err(broken)?;
                visitors.push(Some(Visitor { socket, is_asked: false, answer: Answer::default() }));
            }
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => crowd.broken += 1,
            Err(error) => return Err(broken(error)),
        }
    }
    let request = format!("GET {LATE} HTTP/1.1\r\nHost: {address}\r\n{FIELDS}\r\n\r\n");
    let mut events = Events::with_capacity(EVENTS_MAX);
    let mut waiting = visitors.len();
    let deadline = Instant::now() + patience;
    while waiting > 0 && Instant::now() < deadline {
        poller.wait(&mut events, Some(TICK)).map_err(broken)?;
        for report in events.iter() {
            let Some(place) = visitors.get_mut(report.key as usize) else {
                continue;
            };
            let Some(visitor) = place else {
                continue;
            };
            match visitor.go_on(report, request.as_bytes(), &mut last) {
                Ok(None) => continue,
                Ok(Some(200)) => crowd.served += 1,
                Ok(Some(503)) => crowd.turned_away += 1,
                Ok(Some(_)) | Err(_) => crowd.broken += 1,
            }
            *place = None;
            waiting -= 1;
        }
    }
    crowd.broken += u32::try_from(waiting).unwrap_or(u32::MAX);
    Ok(crowd)
}

impl Visitor {
    /// Sends the request once the connection is there, and reads what has come. Gives the status
    /// of a whole answer.
    fn go_on(
        &mut self,
        report: Readiness,
        request: &[u8],
        last: &mut LastHead,
    ) -> Result<Option<u16>, Fault> {
        if !self.is_asked && report.writable {
            socket::connect_result(&self.socket)
                .map_err(|error| Fault::new(format!("no connection: {error}")))?;
            self.is_asked = socket::write(&self.socket, request) == Outcome::Bytes(request.len());
        }
        if !report.readable {
            return Ok(None);
        }
        let mut buffer = [0; 4096];
        loop {
            match socket::read(&self.socket, &mut buffer) {
                Outcome::Bytes(count) => {
                    let bytes = buffer.get(..count).unwrap_or_default();
                    if let Some(whole) = self.answer.take(bytes, last)? {
                        return Ok(Some(whole.status));
                    }
                }
                Outcome::WouldBlock => return Ok(None),
                Outcome::End | Outcome::Gone(_) => return Err(Fault::new("cut off")),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::{Ipv4Addr, TcpListener};
    use std::thread;

    #[test]
    fn each_of_the_crowd_is_counted_by_what_became_of_it() {
        let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = server.local_addr().unwrap();
        thread::spawn(move || {
            let answers = [
                "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
                "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
                "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n",
                "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n",
                "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nHe",
            ];
            let mut held = Vec::new();
            for answer in answers {
                let (mut stream, _) = server.accept().unwrap();
                assert!(stream.read(&mut [0; 1024]).unwrap() > 0);
                stream.write_all(answer.as_bytes()).unwrap();
                held.push(stream);
            }
            // The last answer is cut off; one more request is never answered.
            held.pop();
            thread::sleep(Duration::from_secs(5));
        });
        let crowd = visit(address, 6, Duration::from_secs(1)).unwrap();
        assert_eq!(crowd, Crowd { served: 2, turned_away: 1, broken: 3 });
    }

    #[test]
    fn crowd_that_nobody_listens_to_is_broken_at_once() {
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let began = Instant::now();
        let crowd = visit(address, 3, Duration::from_secs(5)).unwrap();
        assert_eq!(crowd.broken, 3);
        assert!(began.elapsed() < Duration::from_secs(5));
    }
}
