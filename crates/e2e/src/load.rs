//! A steady load of GETs from several clients, and what became of each of them.
//!
//! A request has failed when no connection came about, when the connection ended or stalled before
//! the whole response, or when the response is not the expected one. Nothing is tried again: what
//! a user would have seen is what is counted. A server may close a connection between two requests
//! (RFC 9112 §9.5); a client that sees this before it sends has lost nothing, and it is counted
//! apart. Bounded in time, and in what it remembers.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::client::{Connection, Fault, Idle, Response, Target};

/// Longest wait for one connection or one response.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
/// Failures told one by one; the rest are only counted.
const FAILURES_TOLD_MAX: usize = 20;
/// Longest sleep between two looks at the stop sign.
const NAP: Duration = Duration::from_millis(50);

/// Whether a client keeps its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Mode {
    /// A new connection for each request.
    New,
    /// One connection for as long as the server keeps it.
    KeepAlive,
}

/// What to ask for, how often, by whom.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) target: Target,
    pub(crate) address: SocketAddr,
    pub(crate) clients: u32,
    pub(crate) duration: Duration,
    pub(crate) mode: Mode,
    /// Requests per second, of all clients together.
    pub(crate) rate: u32,
    /// Adds `n=1`, `n=2`, … to the query, so that each request can be found in a log.
    pub(crate) numbered: bool,
    /// A response with another body has failed.
    pub(crate) expect_body: Option<String>,
}

/// One request that failed.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    /// Since the start of the load.
    pub(crate) at: Duration,
    pub(crate) number: u64,
    pub(crate) why: String,
}

/// What became of a load.
#[derive(Clone, Debug, Default)]
pub(crate) struct Summary {
    pub(crate) requests: u64,
    pub(crate) failures: Vec<Failure>,
    pub(crate) connections: u64,
    /// Closes that the response had announced, and closes seen between two requests.
    pub(crate) announced_closes: u64,
    pub(crate) silent_closes: u64,
    /// Of each whole response, in microseconds.
    latencies_us: Vec<u32>,
    /// The longest latency, and when its request began.
    slowest: (u32, Duration),
}

impl Summary {
    fn add(&mut self, other: Summary) {
        self.requests += other.requests;
        self.failures.extend(other.failures);
        self.connections += other.connections;
        self.announced_closes += other.announced_closes;
        self.silent_closes += other.silent_closes;
        self.latencies_us.extend(other.latencies_us);
        self.slowest = self.slowest.max(other.slowest);
    }

    /// The first failures, one line each, then the failed numbers, then the one line of figures.
    pub(crate) fn text(&mut self) -> String {
        self.failures.sort_by_key(|failure| failure.at);
        self.latencies_us.sort_unstable();
        let mut text = String::new();
        for Failure { at, number, why } in self.failures.iter().take(FAILURES_TOLD_MAX) {
            text.push_str(&format!("failed n={number} at {:.3} s: {why}\n", at.as_secs_f64()));
        }
        let numbers: Vec<_> = self.failures.iter().map(|one| one.number.to_string()).collect();
        text.push_str(&format!("failed_numbers={}\n", numbers.join(",")));
        text.push_str(&format!(
            "requests={} failed={} connections={} announced_closes={} silent_closes={} \
             p50_ms={:.1} p99_ms={:.1} max_ms={:.1} slowest_at_s={:.1}\n",
            self.requests,
            self.failures.len(),
            self.connections,
            self.announced_closes,
            self.silent_closes,
            self.percentile_ms(50),
            self.percentile_ms(99),
            self.percentile_ms(100),
            self.slowest.1.as_secs_f64(),
        ));
        text
    }

    fn percentile_ms(&self, percent: usize) -> f64 {
        let last = self.latencies_us.len().saturating_sub(1);
        self.latencies_us.get(last * percent / 100).map_or(0.0, |us| f64::from(*us) / 1000.0)
    }
}

/// Carries the plan out, until its time is over or `stop` is set.
pub(crate) fn run(plan: &Plan, stop: &AtomicBool) -> Summary {
    let started = Instant::now();
    let numbers = AtomicU64::new(0);
    let total = Mutex::new(Summary::default());
    std::thread::scope(|scope| {
        for index in 0..plan.clients {
            let (numbers, total) = (&numbers, &total);
            scope.spawn(move || {
                let mut client =
                    Client { plan, numbers, started, kept: None, seen: Summary::default() };
                client.work(index, stop);
                total.lock().unwrap_or_else(PoisonError::into_inner).add(client.seen);
            });
        }
    });
    total.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// One client: at most one connection, at most one request at a time.
struct Client<'a> {
    plan: &'a Plan,
    numbers: &'a AtomicU64,
    started: Instant,
    kept: Option<Connection>,
    seen: Summary,
}

impl Client<'_> {
    /// Sends at a fixed pace. A client that has fallen behind goes on from now: a load that hits a
    /// server harder after each stall would not be a steady one.
    fn work(&mut self, index: u32, stop: &AtomicBool) {
        let end = self.started + self.plan.duration;
        let every = Duration::from_secs(1) / self.plan.rate.max(1);
        let period = every * self.plan.clients;
        let mut due = self.started + every * index;
        loop {
            while Instant::now() < due.min(end) && !stop.load(Ordering::Relaxed) {
                let left = due.min(end).saturating_duration_since(Instant::now());
                std::thread::sleep(left.min(NAP));
            }
            if stop.load(Ordering::Relaxed) || Instant::now() >= end {
                return;
            }
            self.request();
            due += period;
            if Instant::now() > due + period {
                due = Instant::now();
            }
        }
    }

    fn request(&mut self) {
        let number = self.numbers.fetch_add(1, Ordering::Relaxed) + 1;
        let began = Instant::now();
        self.seen.requests += 1;
        let wrong = match self.answer(number) {
            Ok(response) => self.judge(&response),
            Err(fault) => Some(fault.to_string()),
        };
        match wrong {
            None => {
                let us = u32::try_from(began.elapsed().as_micros()).unwrap_or(u32::MAX);
                self.seen.latencies_us.push(us);
                self.seen.slowest = self.seen.slowest.max((us, began - self.started));
            }
            Some(why) => {
                let at = began - self.started;
                self.seen.failures.push(Failure { at, number, why });
            }
        }
    }

    /// Sends one request on the kept connection or a new one, and keeps it if both sides may.
    fn answer(&mut self, number: u64) -> Result<Response, Fault> {
        let plan = self.plan;
        let (mut connection, reused) = match self.kept.take().map(|kept| (kept.idle(), kept)) {
            Some((Idle::Open, kept)) => (kept, true),
            Some((Idle::Unasked, _)) => {
                return Err(Fault::Malformed("bytes that answer no request".to_owned()));
            }
            Some((Idle::Closed, _)) => {
                self.seen.silent_closes += 1;
                (self.connect()?, false)
            }
            None => (self.connect()?, false),
        };
        let path = match (plan.numbered, plan.target.path.contains('?')) {
            (false, _) => plan.target.path.clone(),
            (true, false) => format!("{}?n={number}", plan.target.path),
            (true, true) => format!("{}&n={number}", plan.target.path),
        };
        let request = plan.target.request(&path, &[]);
        let response =
            connection.exchange(&request, REQUEST_TIMEOUT).map_err(|fault| match fault {
                Fault::EndedEarly { bytes, how } if reused => {
                    Fault::EndedEarly { bytes, how: format!("{how}, on a kept connection") }
                }
                fault => fault,
            })?;
        match (plan.mode, response.closes) {
            (Mode::KeepAlive, true) => self.seen.announced_closes += 1,
            (Mode::KeepAlive, false) => self.kept = Some(connection),
            (Mode::New, _) => {}
        }
        Ok(response)
    }

    fn connect(&mut self) -> Result<Connection, Fault> {
        self.seen.connections += 1;
        Connection::open(self.plan.address, REQUEST_TIMEOUT)
    }

    fn judge(&self, response: &Response) -> Option<String> {
        if response.status != 200 {
            return Some(format!("status {}", response.status));
        }
        match &self.plan.expect_body {
            Some(body) if body.as_bytes() != response.body.as_slice() => Some(format!(
                "another body of {} bytes: {:?}",
                response.body.len(),
                String::from_utf8_lossy(&response.body).chars().take(80).collect::<String>()
            )),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::{Shutdown, TcpListener, TcpStream};

    const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
    const LAST: &str = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi";

    /// Answers each connection with the script's responses, one per request, then closes it
    /// once a further request has come (`cut`) or at once.
    fn serve(script: &'static [&'static str], cut: bool) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                std::thread::spawn(move || {
                    for answer in script {
                        if !request_came(&mut stream) {
                            return;
                        }
                        stream.write_all(answer.as_bytes()).unwrap();
                    }
                    if cut {
                        request_came(&mut stream);
                    }
                    let _ = stream.shutdown(Shutdown::Both);
                });
            }
        });
        address
    }

    fn request_came(stream: &mut TcpStream) -> bool {
        let mut seen = Vec::new();
        let mut byte = [0];
        while !seen.ends_with(b"\r\n\r\n") {
            match stream.read(&mut byte) {
                Ok(1) => seen.push(byte[0]),
                _ => return false,
            }
        }
        true
    }

    /// Runs eight requests of one client, far enough apart for a close to arrive between two, and
    /// expects these counts.
    fn check(address: SocketAddr, mode: Mode, expect: impl Fn(&Summary)) {
        let plan = Plan {
            target: Target::parse(&format!("http://{address}/")).unwrap(),
            address,
            clients: 1,
            duration: Duration::from_millis(800),
            mode,
            rate: 10,
            numbered: true,
            expect_body: Some("hi".to_owned()),
        };
        let mut summary = run(&plan, &AtomicBool::new(false));
        assert!((3..=9).contains(&summary.requests), "{}", summary.text());
        expect(&summary);
    }

    #[test]
    fn a_close_that_was_announced_is_no_failure() {
        check(serve(&[OK, OK, LAST], false), Mode::KeepAlive, |seen| {
            assert_eq!(seen.failures.len(), 0);
            assert_eq!(seen.announced_closes, seen.requests / 3);
            assert_eq!(seen.silent_closes, 0);
        });
    }

    #[test]
    fn a_close_seen_before_sending_is_no_failure() {
        check(serve(&[OK], false), Mode::KeepAlive, |seen| {
            assert_eq!(seen.failures.len(), 0);
            assert!(seen.silent_closes > 0);
        });
    }

    #[test]
    fn a_close_after_sending_is_a_failure() {
        check(serve(&[OK], true), Mode::KeepAlive, |seen| {
            assert_eq!(seen.failures.len() as u64, seen.requests / 2);
            assert!(seen.failures[0].why.contains("kept connection"), "{:?}", seen.failures);
        });
        check(serve(&[], true), Mode::New, |seen| {
            assert_eq!(seen.failures.len() as u64, seen.requests);
        });
    }

    #[test]
    fn another_status_or_body_is_a_failure() {
        const BUSY: &str = "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n";
        check(serve(&[BUSY], false), Mode::New, |seen| {
            assert_eq!(seen.failures.len() as u64, seen.requests);
            assert_eq!(seen.failures[0].why, "status 503");
        });
        const OTHER: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nho";
        check(serve(&[OTHER], false), Mode::New, |seen| {
            assert!(seen.failures[0].why.contains("another body"));
        });
    }

    #[test]
    fn a_refused_connection_is_a_failure() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        check(address, Mode::New, |seen| {
            assert_eq!(seen.failures.len() as u64, seen.requests);
            assert!(seen.failures[0].why.starts_with("connect: "));
        });
    }

    #[test]
    fn a_load_ends_when_it_is_told_to() {
        let address = serve(&[LAST], false);
        let plan = Plan {
            target: Target::parse(&format!("http://{address}/")).unwrap(),
            address,
            clients: 4,
            duration: Duration::from_secs(60),
            mode: Mode::New,
            rate: 1,
            numbered: false,
            expect_body: None,
        };
        let began = Instant::now();
        run(&plan, &AtomicBool::new(true));
        assert!(began.elapsed() < Duration::from_secs(10));
    }
}
