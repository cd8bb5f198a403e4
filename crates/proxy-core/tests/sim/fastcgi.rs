//! FastCGI in front of an upstream server that speaks HTTP: a gateway that reads records as a
//! request, strictly, and makes records of an answer, so that all that is checked of the one
//! protocol is checked of the other.

use std::collections::{BTreeMap, VecDeque};

use crate::plan::Piece;
use crate::reader::{Framing, Item, Reader, Role};

/// Reads records as requests.
#[derive(Default)]
pub struct Gateway {
    buffer: Vec<u8>,
    /// Place in the stream of the first byte in the buffer.
    offset: u64,
    /// Where the requests begin that nobody has asked for.
    starts: VecDeque<u64>,
    request: Option<Request>,
}

#[derive(Default)]
struct Request {
    params: Vec<u8>,
    is_told: bool,
    length: Option<u64>,
    body: u64,
}

const BEGIN: u8 = 1;
const END: u8 = 3;
const PARAMS: u8 = 4;
const STDIN: u8 = 5;
const STDOUT: u8 = 6;
const STDERR: u8 = 7;

impl Gateway {
    /// The same as HTTP.
    pub fn push(&mut self, bytes: &[u8]) -> Result<Vec<u8>, String> {
        self.buffer.extend_from_slice(bytes);
        let mut http = Vec::new();
        while let [version, kind, high, low, long, short, padding, _, ..] = self.buffer[..] {
            let length = usize::from(long) * 256 + usize::from(short);
            let whole = 8 + length + usize::from(padding);
            if self.buffer.len() < whole {
                break;
            }
            let record: Vec<u8> = self.buffer.drain(..whole).collect();
            let start = self.offset;
            self.offset += whole as u64;
            if (version, high, low) != (1, 0, 1) || whole % 8 != 0 {
                return Err(format!("a record that begins with {:?}", &record[..8]));
            }
            self.record(kind, &record[8..8 + length], start, &mut http)?;
        }
        Ok(http)
    }

    fn record(
        &mut self,
        kind: u8,
        content: &[u8],
        start: u64,
        http: &mut Vec<u8>,
    ) -> Result<(), String> {
        match (kind, &mut self.request) {
            (BEGIN, None) if content == [0, 1, 1, 0, 0, 0, 0, 0] => {
                self.starts.push_back(start);
                self.request = Some(Request::default());
            }
            (PARAMS, Some(request)) if !request.is_told && !content.is_empty() => {
                request.params.extend_from_slice(content);
            }
            (PARAMS, Some(request)) if !request.is_told => {
                request.is_told = true;
                let params = pairs(&request.params).ok_or("parameters that are none")?;
                let get = |name: &str| params.get(name).map_or("", String::as_str);
                let length = get("CONTENT_LENGTH");
                let told = if length.is_empty() { "" } else { "Content-Length: " };
                let end = if length.is_empty() { "" } else { "\r\n" };
                request.length = length.parse().ok();
                let head = format!(
                    "{} {} HTTP/1.1\r\nHost: {}\r\nX-Id: {}\r\n{told}{length}{end}\r\n",
                    get("REQUEST_METHOD"),
                    get("TARGET"),
                    get("UP"),
                    get("HTTP_X_ID"),
                );
                http.extend_from_slice(head.as_bytes());
            }
            (STDIN, Some(request)) if request.is_told && !content.is_empty() => {
                request.body += content.len() as u64;
                if request.body > request.length.unwrap_or(0) {
                    return Err(format!("more content than {:?} bytes", request.length));
                }
                http.extend_from_slice(content);
            }
            (STDIN, Some(request)) if request.is_told => {
                if request.body != request.length.unwrap_or(0) {
                    let told = request.length;
                    return Err(format!("{} bytes of content, {told:?} are told", request.body));
                }
                self.request = None;
            }
            _ => return Err(format!("a record of kind {kind} where none is due")),
        }
        Ok(())
    }

    /// Where the next request began.
    pub fn take_start(&mut self) -> Option<u64> {
        self.starts.pop_front()
    }
}

fn pairs(mut rest: &[u8]) -> Option<BTreeMap<String, String>> {
    let mut all = BTreeMap::new();
    while !rest.is_empty() {
        let mut lengths = [0; 2];
        for length in &mut lengths {
            let (first, after) = rest.split_first()?;
            (*length, rest) = match first {
                0..=127 => (usize::from(*first), after),
                _ => {
                    let (four, after) = rest.split_first_chunk::<4>()?;
                    (usize::try_from(u32::from_be_bytes(*four) & !(1 << 31)).ok()?, after)
                }
            };
        }
        let (name, after) = rest.split_at_checked(lengths[0])?;
        let (value, after) = after.split_at_checked(lengths[1])?;
        rest = after;
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).ok();
        if all.insert(text(name)?, text(value)?).is_some() {
            return None;
        }
    }
    Some(all)
}

fn record(kind: u8, content: &[u8]) -> Vec<u8> {
    let [long, short] = u16::try_from(content.len()).expect("a bounded record").to_be_bytes();
    let padding = short % 9;
    let mut out = vec![1, kind, 0, 1, long, short, padding, 0];
    out.extend_from_slice(content);
    out.resize(out.len() + usize::from(padding), 0xff);
    out
}

/// An answer's pieces as FastCGI has them. What is no HTTP stays what it is, and is no FastCGI.
pub fn answer(pieces: VecDeque<Piece>, is_head: bool) -> VecDeque<Piece> {
    let mut reader = Reader::new(Role::Answers);
    let (mut has_begun, mut is_raw) = (false, false);
    let mut out = VecDeque::new();
    for piece in pieces {
        match piece {
            Piece::Bytes(bytes) if is_raw => out.push_back(Piece::Bytes(bytes)),
            Piece::Bytes(bytes) => {
                reader.push(&bytes);
                let mut records = Vec::new();
                loop {
                    match reader.next(is_head) {
                        Ok(Some(Item::Head(head, framing))) => {
                            has_begun = true;
                            records.extend(head_records(&head, framing));
                        }
                        Ok(Some(Item::Data(_, data))) => {
                            let parts = data.chunks(40_000);
                            records.extend(parts.flat_map(|part| record(STDOUT, part)));
                        }
                        Ok(Some(Item::End(_)) | None) => break,
                        Err(_) => {
                            is_raw = true;
                            records = bytes;
                            break;
                        }
                    }
                }
                out.push_back(Piece::Bytes(records));
            }
            Piece::Whole(_) | Piece::Answered => {
                if has_begun && !is_raw {
                    is_raw = true;
                    out.push_back(Piece::Bytes(record(END, &[0; 8])));
                }
                out.push_back(piece);
            }
            piece => out.push_back(piece),
        }
    }
    out
}

fn head_records(head: &crate::reader::Head, framing: Framing) -> Vec<u8> {
    let (_, status) = head.line.split_once(' ').unwrap_or_default();
    let mut text = format!("Status: {status}\r\n");
    let is_framing = |name: &str| matches!(name, "Transfer-Encoding" | "Connection");
    for (name, value) in head.fields.iter().filter(|(name, _)| !is_framing(name)) {
        text += &format!("{name}: {value}\r\n");
    }
    text += "\r\n";
    // The head of some is cut within a word, and others begin with a warning.
    let cut = if framing == Framing::Chunked { text.len() / 2 } else { 0 };
    let (first, second) = text.as_bytes().split_at(cut);
    let mut out = if framing == Framing::None { record(STDERR, b"odd") } else { Vec::new() };
    if !first.is_empty() {
        out.extend(record(STDOUT, first));
    }
    out.extend(record(STDOUT, second));
    out
}
