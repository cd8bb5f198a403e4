//! A store that does what a script says: it answers, or does not, and remembers every request.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Request {
    /// From the first byte of the store's life.
    pub at: Duration,
    pub target: String,
    /// By their names in lower case.
    pub fields: BTreeMap<String, String>,
    /// Inflated, if it was compressed.
    pub body: String,
}

impl Request {
    /// Numbers of the lines in it.
    pub fn numbers(&self) -> Vec<u64> {
        let starts = self.body.match_indices("line 0");
        starts.map(|(at, _)| self.body[at + 5..at + 14].parse().unwrap()).collect()
    }
}

/// What becomes of a request.
#[derive(Clone, Debug)]
pub enum Reply {
    /// A status, further fields, and a body.
    Says(u16, &'static str, String),
    /// Nothing, and the connection is cut.
    Resets,
    /// Nothing for so long.
    Hangs(Duration),
    /// That all is well, after so long.
    Late(Duration),
    /// Half of a head.
    HalfHead,
    /// A head, and less than the body that it announces.
    HalfBody(u16),
    /// A body without an end.
    Endless(u16),
    /// These bytes, and whether the connection goes on.
    Bytes(&'static str, bool),
}

impl Reply {
    pub fn status(status: u16) -> Reply {
        Reply::Says(status, "", String::new())
    }
}

/// The script: which request it is, from 0, and what becomes of it.
pub type Script = Box<dyn FnMut(usize, &Request) -> Reply + Send>;

/// The store.
pub struct Store {
    pub address: String,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Store {
    pub fn start(script: impl FnMut(usize, &Request) -> Reply + Send + 'static) -> Store {
        Store::start_at("127.0.0.1:0", Box::new(script))
    }

    pub fn start_at(address: &str, script: Script) -> Store {
        let listener = TcpListener::bind(address).unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (script, theirs) = (Arc::new(Mutex::new(script)), Arc::clone(&requests));
        let start = Instant::now();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (script, requests) = (Arc::clone(&script), Arc::clone(&theirs));
                std::thread::spawn(move || serve(stream, start, &script, &requests));
            }
        });
        Store { address, requests }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    pub fn count(&self) -> usize {
        self.requests.lock().unwrap().len()
    }
}

fn serve(
    stream: TcpStream,
    start: Instant,
    script: &Mutex<Script>,
    requests: &Mutex<Vec<Request>>,
) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut stream = stream;
    while let Some(request) = read(&mut reader, start) {
        let number = {
            let mut requests = requests.lock().unwrap();
            requests.push(request.clone());
            requests.len() - 1
        };
        let reply = script.lock().unwrap()(number, &request);
        if !answer(&mut stream, reply) {
            return;
        }
    }
}

fn read(reader: &mut BufReader<TcpStream>, start: Instant) -> Option<Request> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|count| *count > 0)?;
    let at = start.elapsed();
    let target = line.split(' ').nth(1).unwrap().to_owned();
    let mut fields = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|count| *count > 0)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        fields.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    // A request says how long it is.
    let len = fields.get("content-length").unwrap();
    let mut body = vec![0; len.parse().unwrap()];
    reader.read_exact(&mut body).ok()?;
    if fields.get("content-encoding").is_some_and(|coding| coding == "gzip") {
        body = miniz_oxide::inflate::decompress_to_vec(&body[10..body.len() - 8]).unwrap();
    }
    // Of protocol buffers the lines are of interest.
    Some(Request { at, target, fields, body: String::from_utf8_lossy(&body).into_owned() })
}

/// False if the connection is over.
fn answer(stream: &mut TcpStream, reply: Reply) -> bool {
    let whole = |status: u16, fields: &str, body: &str| {
        format!("HTTP/1.1 {status} X\r\n{fields}Content-Length: {}\r\n\r\n{body}", body.len())
    };
    match reply {
        Reply::Says(status @ (204 | 304), fields, _) => {
            stream.write_all(format!("HTTP/1.1 {status} X\r\n{fields}\r\n").as_bytes()).is_ok()
        }
        Reply::Says(status, fields, body) => {
            stream.write_all(whole(status, fields, &body).as_bytes()).is_ok()
        }
        Reply::Resets => {
            // With bytes unread or not, what is closed at once without an answer is cut.
            let _ = rustix::net::sockopt::set_socket_linger(&*stream, Some(Duration::ZERO));
            false
        }
        Reply::Hangs(time) => {
            std::thread::sleep(time);
            let _ = stream.write_all(whole(200, "", "").as_bytes());
            false
        }
        Reply::Late(time) => {
            std::thread::sleep(time);
            stream.write_all(whole(200, "", "").as_bytes()).is_ok()
        }
        Reply::HalfHead => {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Le");
            false
        }
        Reply::HalfBody(status) => {
            let text = whole(status, "", "half of what it is");
            let _ = stream.write_all(&text.as_bytes()[..text.len() - 9]);
            false
        }
        Reply::Bytes(text, goes_on) => stream.write_all(text.as_bytes()).is_ok() && goes_on,
        Reply::Endless(status) => {
            let head = format!("HTTP/1.1 {status} X\r\nTransfer-Encoding: chunked\r\n\r\n");
            let _ = stream.write_all(head.as_bytes());
            while stream.write_all(b"5\r\nagain\r\n").is_ok() {}
            false
        }
    }
}
