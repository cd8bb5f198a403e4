//! An application that was not written for the kit, for the chart to be tried with: it answers GETs,
//! sends events without end, echoes over a WebSocket, and logs a line before each answer.
//!
//! It knows nothing of the kit, and as people's applications do it ignores what it is not told:
//! it has no signal handler, keeps connections, and takes any path. It is for `scripts/e2e` only.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tungstenite::WebSocket;
use tungstenite::handshake::derive_accept_key;
use tungstenite::protocol::Role;

/// Pause between two events, and the longest that a client of a stream may see nothing.
pub(crate) const EVENT_EVERY: Duration = Duration::from_millis(100);
/// Path of the events.
pub(crate) const EVENTS: &str = "/events";
/// Path of the WebSocket.
pub(crate) const ECHO: &str = "/echo";
/// Body of every other path.
pub(crate) const PAGE: &str = "not written for the kit";
/// Longest head of a request.
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// Most header fields of a request.
const HEADERS_MAX: usize = 64;

/// Arguments of `e2e serve`.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Address and port to listen on.
    #[arg(long)]
    listen: SocketAddr,
    /// File that each request is logged to.
    #[arg(long)]
    log: PathBuf,
}

/// Serves until the process is ended. The error says why it cannot begin.
pub(crate) fn serve(arguments: &Arguments) -> Result<(), String> {
    let log = OpenOptions::new().create(true).append(true).open(&arguments.log);
    let log = log.map_err(|error| format!("{}: {error}", arguments.log.display()))?;
    let listener = TcpListener::bind(arguments.listen)
        .map_err(|error| format!("{}: {error}", arguments.listen))?;
    let log = Arc::new(log);
    for stream in listener.incoming().flatten() {
        let log = Arc::clone(&log);
        // A connection that ends is the client's business.
        std::thread::spawn(move || connection(stream, &log));
    }
    Ok(())
}

/// One request's path, and its key where it asks for a WebSocket.
struct Request {
    path: String,
    key: Option<String>,
}

/// Answers the requests of a connection one after the other, until it ends or becomes a stream.
fn connection(mut stream: TcpStream, mut log: &File) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = Vec::new();
    while let Some(request) = next_request(&mut stream, &mut buffer)? {
        log.write_all(format!("GET {}\n", request.path).as_bytes())?;
        match (request.path.as_str(), request.key) {
            (EVENTS, _) => return events(stream),
            (ECHO, Some(key)) => return echo(stream, &key),
            _ => write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{PAGE}", PAGE.len())?,
        }
    }
    Ok(())
}

/// The next request, without a body; nothing at the end of the connection, or of anything that is no request.
fn next_request(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> std::io::Result<Option<Request>> {
    loop {
        let mut fields = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let mut head = httparse::Request::new(&mut fields);
        match head.parse(buffer) {
            Ok(httparse::Status::Complete(length)) => {
                let key = head
                    .headers
                    .iter()
                    .find(|field| field.name.eq_ignore_ascii_case("sec-websocket-key"));
                let key = key.map(|field| String::from_utf8_lossy(field.value).into_owned());
                let path = head.path.unwrap_or("/").to_owned();
                buffer.drain(..length);
                return Ok(Some(Request { path, key }));
            }
            Ok(httparse::Status::Partial) if buffer.len() < HEAD_BYTES_MAX => {}
            _ => return Ok(None),
        }
        let mut piece = [0; 4096];
        match stream.read(&mut piece)? {
            0 => return Ok(None),
            count => buffer.extend_from_slice(&piece[..count]),
        }
    }
}

/// Numbered events until the client is gone; the end of the connection is the end of the response.
fn events(mut stream: TcpStream) -> std::io::Result<()> {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n";
    stream.write_all(head.as_bytes())?;
    for number in 1_u64.. {
        stream.write_all(format!("data: {number}\n\n").as_bytes())?;
        std::thread::sleep(EVENT_EVERY);
    }
    Ok(())
}

/// Sends each message back until the client is gone.
fn echo(mut stream: TcpStream, key: &str) -> std::io::Result<()> {
    let accept = derive_accept_key(key.as_bytes());
    write!(
        stream,
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n"
    )?;
    let mut socket = WebSocket::from_raw_socket(stream, Role::Server, None);
    while let Ok(message) = socket.read() {
        if (message.is_text() || message.is_binary()) && socket.send(message).is_err() {
            break;
        }
    }
    Ok(())
}
