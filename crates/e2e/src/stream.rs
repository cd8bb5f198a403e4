//! Streams that last: Server-Sent Events and a WebSocket, each opened again when it has ended.
//!
//! What a person with such a page open would notice is what counts. A stream may end between two
//! messages, as it must when its pod does; a connection that is refused, a message that is missing,
//! torn or late is a failure. It judges the kit's proxy by the foreign application's two paths.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tungstenite::handshake::client::Response;
use tungstenite::{Message, WebSocket};

use crate::client::Target;
use crate::foreign::EVENT_EVERY;

/// Longest wait for a connection, and for the next message.
const SILENCE_MAX: Duration = Duration::from_secs(3);
/// Pause after a failure, so that one outage is not counted a thousand times.
const AFTER_FAILURE: Duration = Duration::from_millis(200);
/// Failures told one by one; the rest are only counted.
const FAILURES_TOLD_MAX: usize = 20;

/// What kind of stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Kind {
    /// `text/event-stream`, numbered events.
    Events,
    /// A WebSocket whose messages come back.
    WebSocket,
}

/// What became of the streams.
#[derive(Clone, Debug, Default)]
pub(crate) struct Summary {
    messages: u64,
    /// Times that a stream ended between two messages.
    ends: u64,
    connections: u64,
    failures: Vec<String>,
}

impl Summary {
    /// The first failures, one line each, and the line of figures; a message counts as a request.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        for why in self.failures.iter().take(FAILURES_TOLD_MAX) {
            text.push_str(&format!("{why}\n"));
        }
        let Summary { messages, ends, connections, failures } = self;
        let failed = failures.len();
        text.push_str(&format!(
            "requests={messages} failed={failed} connections={connections} ends={ends}\n"
        ));
        text
    }
}

/// Keeps one stream open until the time is over or `stop` is set.
pub(crate) fn run(
    kind: Kind,
    target: &Target,
    address: SocketAddr,
    duration: Duration,
    stop: &AtomicBool,
) -> Summary {
    let started = Instant::now();
    let over = || stop.load(Ordering::Relaxed) || started.elapsed() >= duration;
    let mut seen = Summary::default();
    while !over() {
        seen.connections += 1;
        let ended = match open(kind, target, address) {
            Ok(mut stream) => follow(stream.as_mut(), &mut seen.messages, &over),
            Err(why) => Err(why),
        };
        match ended {
            Ok(()) => seen.ends += u64::from(!over()),
            Err(why) => {
                let at = started.elapsed().as_secs_f64();
                seen.failures.push(format!("failed at {at:.3} s: {why}"));
                std::thread::sleep(AFTER_FAILURE);
            }
        }
    }
    seen
}

/// A stream of numbers, each one more than that before it.
trait Numbers {
    /// The next one; nothing where the stream has ended between two.
    fn next(&mut self) -> Result<Option<u64>, String>;
}

fn open(kind: Kind, target: &Target, address: SocketAddr) -> Result<Box<dyn Numbers>, String> {
    let stream = TcpStream::connect_timeout(&address, SILENCE_MAX)
        .and_then(|stream| {
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(SILENCE_MAX))?;
            Ok(stream)
        })
        .map_err(|error| format!("connect: {error}"))?;
    Ok(match kind {
        Kind::Events => Box::new(Events::open(target, stream)?),
        Kind::WebSocket => Box::new(Echo::open(target, stream)?),
    })
}

/// Reads a stream to its end, or to the end of the run.
fn follow(
    stream: &mut dyn Numbers,
    messages: &mut u64,
    over: &dyn Fn() -> bool,
) -> Result<(), String> {
    let mut expected = 1;
    while !over() {
        match stream.next()? {
            Some(number) if number == expected => *messages += 1,
            Some(number) => return Err(format!("message {number} where {expected} comes next")),
            None => return Ok(()),
        }
        expected += 1;
    }
    Ok(())
}

/// Server-Sent Events, as they come out of a chunked body.
struct Events {
    stream: TcpStream,
    /// Bytes as they came.
    raw: Vec<u8>,
    /// Bytes of the body that are no whole event yet.
    text: Vec<u8>,
}

impl Events {
    fn open(target: &Target, mut stream: TcpStream) -> Result<Events, String> {
        let accept = "Accept: text/event-stream".to_owned();
        let request = target.request(&target.path, &[accept]);
        stream.write_all(&request).map_err(|error| format!("request: {error}"))?;
        let mut events = Events { stream, raw: Vec::new(), text: Vec::new() };
        loop {
            let mut fields = [httparse::EMPTY_HEADER; 64];
            let mut head = httparse::Response::new(&mut fields);
            let parsed = head.parse(&events.raw).map_err(|error| error.to_string())?;
            if let httparse::Status::Complete(length) = parsed {
                let status = head.code.unwrap_or(0);
                events.raw.drain(..length);
                return if status == 200 { Ok(events) } else { Err(format!("status {status}")) };
            }
            if !events.read()? {
                return Err("ended before the head of the response".to_owned());
            }
        }
    }

    /// Reads more; false at the end of the connection.
    fn read(&mut self) -> Result<bool, String> {
        let mut piece = [0; 4096];
        match self.stream.read(&mut piece) {
            Ok(0) => Ok(false),
            Ok(count) => {
                self.raw.extend_from_slice(&piece[..count]);
                Ok(true)
            }
            Err(error) if error.kind() == ErrorKind::ConnectionReset => Ok(false),
            Err(error) => Err(format!("no event for {SILENCE_MAX:?}: {error}")),
        }
    }

    /// Moves a whole chunk from the raw bytes to the text, if there is one; false at the last.
    fn dechunk(&mut self) -> Result<bool, String> {
        let parsed = httparse::parse_chunk_size(&self.raw)
            .map_err(|_| "a chunk size that is none".to_owned())?;
        let httparse::Status::Complete((used, size)) = parsed else {
            return Ok(true);
        };
        let end = used + usize::try_from(size).map_err(|error| error.to_string())?;
        if let Some(chunk) = self.raw.get(used..end).filter(|_| self.raw.len() >= end + 2) {
            self.text.extend_from_slice(chunk);
            self.raw.drain(..end + 2);
        }
        Ok(size > 0)
    }
}

impl Numbers for Events {
    fn next(&mut self) -> Result<Option<u64>, String> {
        loop {
            let goes_on = self.dechunk()?;
            if let Some(end) = self.text.windows(2).position(|two| two == b"\n\n") {
                let event: Vec<u8> = self.text.drain(..end + 2).collect();
                let event = String::from_utf8_lossy(&event).into_owned();
                let number = event.trim().strip_prefix("data: ").and_then(|n| n.parse().ok());
                return number.map(Some).ok_or_else(|| format!("an event {event:?}"));
            }
            if goes_on && self.read()? {
                continue;
            }
            if self.text.is_empty() {
                return Ok(None);
            }
            return Err(format!(
                "ended inside an event: {:?}",
                String::from_utf8_lossy(&self.text)
            ));
        }
    }
}

/// A WebSocket that is sent numbers, and sends them back.
struct Echo {
    socket: WebSocket<TcpStream>,
    sent: u64,
}

impl Echo {
    fn open(target: &Target, stream: TcpStream) -> Result<Echo, String> {
        let Target { host, port, path } = target;
        let url = format!("ws://{host}:{port}{path}");
        let (socket, _): (_, Response) =
            tungstenite::client(url, stream).map_err(|error| format!("handshake: {error}"))?;
        Ok(Echo { socket, sent: 0 })
    }
}

impl Numbers for Echo {
    fn next(&mut self) -> Result<Option<u64>, String> {
        std::thread::sleep(EVENT_EVERY);
        self.sent += 1;
        if self.socket.send(Message::text(self.sent.to_string())).is_err() {
            return Ok(None);
        }
        match self.socket.read() {
            Ok(Message::Text(text)) => {
                text.parse().map(Some).map_err(|_| format!("a message {text:?}"))
            }
            Ok(Message::Close(_)) => Ok(None),
            Ok(other) => Err(format!("a message {other:?}")),
            Err(tungstenite::Error::Io(error)) if error.kind() == ErrorKind::WouldBlock => {
                Err(format!("no message for {SILENCE_MAX:?}"))
            }
            // What was sent last has not come back; to send it again is the page's business.
            Err(_) => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    /// Serves each connection the bytes after its first read, and expects these figures of half a second.
    fn check(kind: Kind, answer: &'static str, expect: impl Fn(&Summary)) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let _ = stream.read(&mut [0; 4096]);
                let _ = stream.write_all(answer.as_bytes());
            }
        });
        let target = Target::parse(&format!("http://{address}/events")).unwrap();
        let never = AtomicBool::new(false);
        expect(&run(kind, &target, address, Duration::from_millis(500), &never));
    }

    #[test]
    fn an_end_between_two_events_is_no_failure() {
        const TWO: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
                           9\r\ndata: 1\n\n\r\n9\r\ndata: 2\n\n\r\n";
        check(Kind::Events, TWO, |seen| {
            assert!(seen.failures.is_empty(), "{}", seen.text());
            assert!(seen.ends > 0 && seen.messages >= 2 * seen.ends, "{}", seen.text());
        });
    }

    #[test]
    fn a_torn_or_missing_event_and_another_status_are_failures() {
        const TORN: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\ndata:\r\n";
        const MISSING: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
                               9\r\ndata: 2\n\n\r\n";
        const BUSY: &str = "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n";
        for (answer, why) in [(TORN, "inside an event"), (MISSING, "message 2"), (BUSY, "503")] {
            check(Kind::Events, answer, |seen| {
                assert!(seen.ends == 0 && seen.failures[0].contains(why), "{}", seen.text());
            });
        }
        check(Kind::WebSocket, BUSY, |seen| {
            assert!(seen.failures[0].contains("handshake"), "{}", seen.text());
        });
    }

    #[test]
    fn the_foreign_application_is_followed_on_both_paths() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let log = std::env::temp_dir().join(format!("e2e-foreign-{}", std::process::id()));
        let flags = ["--listen", &address.to_string(), "--log", &log.display().to_string()];
        let flags = flags.map(str::to_owned);
        std::thread::spawn(move || {
            #[derive(clap::Parser)]
            struct Alone {
                #[command(flatten)]
                arguments: crate::foreign::Arguments,
            }
            let alone: Alone =
                clap::Parser::parse_from(std::iter::once("serve".to_owned()).chain(flags));
            crate::foreign::serve(&alone.arguments)
        });
        while TcpStream::connect(address).is_err() {
            std::thread::sleep(Duration::from_millis(10));
        }
        // Its events are not chunked; the proxy's are, as a client of HTTP/1.1 may expect.
        let path = format!("http://{address}{}", crate::foreign::ECHO);
        let target = Target::parse(&path).unwrap();
        let never = AtomicBool::new(false);
        let seen = run(Kind::WebSocket, &target, address, Duration::from_secs(1), &never);
        assert!(seen.messages > 2 && seen.failures.is_empty(), "{}", seen.text());
        assert!(std::fs::read_to_string(&log).unwrap().contains("GET /echo\n"));
        std::fs::remove_file(&log).unwrap();
    }
}
