//! What clients send: byte streams, made from tables, each with a name that says what is odd.

mod drawn;
mod fields;
mod framing;
mod limits;
mod lines;
mod sequences;
mod targets;

pub use framing::CHUNKS;
pub use lines::LINE_ENDS;

use crate::lane::{After, Piece, Talk};

/// A client's bytes.
pub struct Stream {
    pub name: String,
    bytes: Vec<u8>,
    /// From there on only after this.
    wait: Option<(usize, After)>,
    end: End,
    /// Fields that the client declares to be of its connection only; nginx does not look.
    pub nominated: &'static [&'static str],
}

/// How the end of a conversation is made out without waiting for silence.
#[derive(Clone, Copy)]
enum End {
    /// By one more request behind the bytes, after which the connection is to be closed: whether
    /// it is answered tells whether the connection was still open, and where the bytes ended.
    Sentinel,
    /// The bytes stop short, and the client closes its side after so many answers.
    Early(usize),
}

const SENTINEL: &[u8] = b"GET /sentinel HTTP/1.1\r\nHost: sentinel\r\nConnection: close\r\n\r\n";

impl Stream {
    fn new(name: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Stream {
        let (name, bytes) = (name.into(), bytes.into());
        Stream { name, bytes, wait: None, end: End::Sentinel, nominated: &[] }
    }

    fn waiting(self, at: usize, after: After) -> Stream {
        Stream { wait: Some((at, after)), ..self }
    }

    fn ending_early(self, answers: usize) -> Stream {
        Stream { end: End::Early(answers), ..self }
    }

    fn nominating(self, nominated: &'static [&'static str]) -> Stream {
        Stream { nominated, ..self }
    }

    pub fn ends_early(&self) -> bool {
        matches!(self.end, End::Early(_))
    }

    /// In one write, and cut in two at a place drawn from its name.
    pub fn ways(&self) -> impl Iterator<Item = Talk> {
        let cut = drawn::Draw::from(&self.name).below(self.bytes.len());
        let whole = self.wait.unwrap_or((0, After::Nothing));
        let cut = self.wait.is_none().then_some((cut + 1, After::Pause));
        [Some(whole), cut].into_iter().flatten().map(|(at, after)| self.talk(at, after))
    }

    fn talk(&self, at: usize, after: After) -> Talk {
        let (front, back) = self.bytes.split_at(at);
        let (mut back, half_close_after) = match self.end {
            End::Sentinel => ([back, SENTINEL].concat(), None),
            End::Early(answers) => (back.to_vec(), Some(answers)),
        };
        back.shrink_to_fit();
        let pieces = vec![
            Piece { after: After::Nothing, bytes: front.to_vec() },
            Piece { after, bytes: back },
        ];
        Talk { pieces, half_close_after }
    }
}

/// Every stream, always the same.
pub fn all() -> Vec<Stream> {
    let mut streams = Vec::new();
    lines::add(&mut streams);
    targets::add(&mut streams);
    fields::add(&mut streams);
    framing::add(&mut streams);
    sequences::add(&mut streams);
    limits::add(&mut streams);
    drawn::add(&mut streams);
    streams
}

/// `GET / HTTP/1.1` with these fields, each with its line end, between Host and the empty line.
fn get_with(fields: &str) -> Vec<u8> {
    format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n").into_bytes()
}

/// A request of that first line.
fn request(line: &str) -> Vec<u8> {
    format!("{line}\r\nHost: a\r\n\r\n").into_bytes()
}

/// `POST / HTTP/1.1` with these fields, and what follows the head.
fn post(fields: &str, rest: &str) -> Vec<u8> {
    format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n{rest}").into_bytes()
}

/// As it stands in a name: on one line, and short.
pub fn slug(bytes: &[u8]) -> String {
    const BYTES_MAX: usize = 48;
    let text = bytes.escape_ascii().to_string();
    match text.get(..BYTES_MAX) {
        Some(front) if text.len() > BYTES_MAX => format!("{front}...{}", bytes.len()),
        _ => text,
    }
}
