//! The real program between a real client and a recording upstream, on loopback.

#![allow(dead_code, reason = "each test file uses its own part of it")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on ends there")]

#[path = "../../../../crates/sidecar/tests/common/free_port.rs"]
mod free_port;

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

pub use free_port::free_port;

/// Longer than anything here takes, even on a busy machine.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// The program.
pub fn program() -> Command {
    Command::new(env!("CARGO_BIN_EXE_proxy"))
}

/// Runs the program to its end.
pub fn output(arguments: &[&str]) -> Output {
    program().args(arguments).output().unwrap()
}

/// A folder of the test's own, removed at its end.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new() -> Folder {
        static SERIAL: AtomicU32 = AtomicU32::new(0);
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        // The letter keeps the number from being taken for a port where texts are compared.
        let name = format!("proxy-test-p{}-{serial}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, text).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Waits until something holds.
pub fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + DEADLINE;
    while !holds() {
        assert!(Instant::now() < end, "waited in vain until {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// A running proxy.
pub struct Proxy {
    pub child: Child,
    pub port: u16,
    pub admin: u16,
    pub folder: Folder,
}

impl Proxy {
    /// Starts with `conf`, in which `PORT` is the proxy's port; the folder holds `nginx.conf`.
    pub fn start(conf: &str) -> Proxy {
        Proxy::start_with(conf, &[])
    }

    pub fn start_with(conf: &str, arguments: &[&str]) -> Proxy {
        let folder = Folder::new();
        Proxy::start_in(folder, [free_port(), free_port()], conf, arguments)
    }

    /// Kills it and starts it again with another file, and arguments, where it was.
    pub fn start_again(mut self, conf: &str, arguments: &[&str]) -> Proxy {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        let folder = std::mem::replace(&mut self.folder, Folder::new());
        Proxy::start_in(folder, [self.port, self.admin], conf, arguments)
    }

    fn start_in(folder: Folder, [port, admin]: [u16; 2], conf: &str, arguments: &[&str]) -> Proxy {
        let path = folder.write("nginx.conf", conf.replace("PORT", &port.to_string()));
        let log = fs::File::create(folder.path().join("stderr.log")).unwrap();
        let access = fs::File::create(folder.path().join("stdout.log")).unwrap();
        let child = program()
            .args(["-c", path.to_str().unwrap(), "--workers=1"])
            .arg(format!("--admin-listen=127.0.0.1:{admin}"))
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(access)
            .stderr(log)
            .spawn()
            .unwrap();
        let mut proxy = Proxy { child, port, admin, folder };
        wait_until("the proxy listens", || {
            if let Some(status) = proxy.child.try_wait().unwrap() {
                panic!("the proxy ended with {status}: {}", proxy.stderr());
            }
            [port, admin].iter().all(|port| TcpStream::connect(("127.0.0.1", *port)).is_ok())
        });
        proxy
    }

    /// In front of `origin`, with these directives in the location `/`.
    pub fn before(origin: &Origin, location: &str) -> Proxy {
        let upstream = origin.address;
        Proxy::start(&format!(
            "events {{}} http {{ upstream app {{ server {upstream}; keepalive 8; }} server {{ \
             listen 127.0.0.1:PORT; location / {{ proxy_pass http://app; {location} }} }} }}"
        ))
    }

    pub fn stderr(&self) -> String {
        fs::read_to_string(self.folder.path().join("stderr.log")).unwrap()
    }

    pub fn stdout(&self) -> String {
        fs::read_to_string(self.folder.path().join("stdout.log")).unwrap()
    }

    pub fn connect(&self) -> Client {
        Client::connect(self.port)
    }

    /// One request on a connection of its own; returns the whole answer.
    pub fn ask(&self, request: &str) -> String {
        let mut client = self.connect();
        client.send(request.as_bytes());
        client.answer()
    }

    pub fn get(&self, path: &str) -> String {
        self.ask(&format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"))
    }

    pub fn admin(&self, path: &str) -> String {
        let mut client = Client::connect(self.admin);
        client.send(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes());
        client.rest()
    }

    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// Waits for the end of the process.
    pub fn wait(&mut self) -> ExitStatus {
        let end = Instant::now() + DEADLINE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < end, "the proxy does not end: {}", self.stderr());
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Resident memory in bytes.
    pub fn resident_bytes(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A client's connection.
pub struct Client {
    pub stream: TcpStream,
    buffer: Vec<u8>,
}

impl Client {
    pub fn connect(port: u16) -> Client {
        let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream.set_write_timeout(Some(DEADLINE)).unwrap();
        Client { stream, buffer: Vec::new() }
    }

    /// The proxy may have closed already: what it answered is what counts.
    pub fn send(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes);
    }

    fn fill(&mut self) -> bool {
        let mut bytes = [0; 16 << 10];
        match self.stream.read(&mut bytes) {
            Ok(count) => {
                self.buffer.extend_from_slice(&bytes[..count]);
                count > 0
            }
            Err(error) if error.kind() == ErrorKind::ConnectionReset => false,
            // A read with a time limit is not begun again by the system.
            Err(error) if error.kind() == ErrorKind::Interrupted => true,
            Err(error) => panic!("no answer: {error}; so far {:?}", lossy(&self.buffer)),
        }
    }

    /// One whole answer, by Content-Length or chunks or to the end.
    pub fn answer(&mut self) -> String {
        loop {
            if let Some(end) = whole_message(&self.buffer) {
                let answer: Vec<u8> = self.buffer.drain(..end).collect();
                return lossy(&answer);
            }
            if !self.fill() {
                return lossy(&std::mem::take(&mut self.buffer));
            }
        }
    }

    /// Everything until the proxy closes.
    pub fn rest(&mut self) -> String {
        while self.fill() {}
        lossy(&std::mem::take(&mut self.buffer))
    }

    /// Whether the proxy closes, without another byte.
    pub fn is_closed(&mut self) -> bool {
        self.buffer.is_empty() && !self.fill()
    }
}

pub fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Where the message at the start of the buffer ends, if it is whole and says where.
fn whole_message(buffer: &[u8]) -> Option<usize> {
    let head_end = buffer.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let head = lossy(&buffer[..head_end]).to_ascii_lowercase();
    if head.contains("transfer-encoding: chunked") {
        let mut reader = http1::BodyReader::new(http1::BodyLength::Chunked);
        let mut at = head_end;
        loop {
            let part = reader.read(&buffer[at..]).ok()?;
            at += part.used;
            if reader.is_done() {
                return Some(at);
            }
            if part.used == 0 {
                return None;
            }
        }
    }
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .map(|value| value.trim().parse::<usize>().unwrap());
    let bodiless = head.starts_with("http/1.1 204") || head.starts_with("http/1.1 304");
    match length {
        Some(length) => (buffer.len() >= head_end + length).then_some(head_end + length),
        None if bodiless || !head.starts_with("http/") => Some(head_end),
        None => None,
    }
}

/// An upstream that records what it gets and answers each request by a function of it.
pub struct Origin {
    pub address: SocketAddr,
    pub requests: Arc<Mutex<Vec<String>>>,
    pub connections: Arc<AtomicU32>,
}

/// What an [`Origin`] does with a request.
pub enum Reply {
    /// Sends this and goes on.
    Say(Vec<u8>),
    /// Sends this and closes.
    SayAndClose(Vec<u8>),
    /// Closes without a word.
    Close,
    /// Sends these with a pause before each.
    Slowly(Vec<(Duration, Vec<u8>)>),
}

pub fn hello() -> Reply {
    Reply::Say(b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\nHello, World!".to_vec())
}

impl Origin {
    pub fn hello() -> Origin {
        Origin::new(|_| hello())
    }

    pub fn new(reply: impl Fn(&str) -> Reply + Send + Sync + 'static) -> Origin {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let connections = Arc::new(AtomicU32::new(0));
        let (recorded, counted, reply) =
            (Arc::clone(&requests), Arc::clone(&connections), Arc::new(reply));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (recorded, reply) = (Arc::clone(&recorded), Arc::clone(&reply));
                let counted = Arc::clone(&counted);
                thread::spawn(move || {
                    // One without a byte is one that asks whether anybody listens.
                    if matches!(stream.peek(&mut [0]), Ok(count) if count > 0) {
                        counted.fetch_add(1, Ordering::SeqCst);
                        serve(stream, &recorded, &*reply);
                    }
                });
            }
        });
        Origin { address, requests, connections }
    }

    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

fn serve(mut stream: TcpStream, requests: &Mutex<Vec<String>>, reply: &dyn Fn(&str) -> Reply) {
    let mut buffer = Vec::new();
    let mut bytes = [0; 64 << 10];
    loop {
        let end = loop {
            if let Some(end) = whole_message(&buffer) {
                break end;
            }
            match stream.read(&mut bytes) {
                Ok(0) | Err(_) => return,
                Ok(count) => buffer.extend_from_slice(&bytes[..count]),
            }
        };
        let request: Vec<u8> = buffer.drain(..end).collect();
        let request = lossy(&request);
        requests.lock().unwrap().push(request.clone());
        let sent = match reply(&request) {
            Reply::Say(answer) => stream.write_all(&answer).is_ok(),
            Reply::SayAndClose(answer) => {
                let _ = stream.write_all(&answer);
                false
            }
            Reply::Close => false,
            Reply::Slowly(pieces) => pieces.into_iter().all(|(pause, piece)| {
                thread::sleep(pause);
                stream.write_all(&piece).is_ok()
            }),
        };
        if !sent {
            return;
        }
    }
}
