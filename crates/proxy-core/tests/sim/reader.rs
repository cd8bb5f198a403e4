//! An independent reader of HTTP/1 messages, strict in what it takes: what the proxy writes has one
//! form only. Shares nothing with the one that is tested.

/// Which messages are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Requests,
    Answers,
}

/// A head as it stood on the wire.
#[derive(Clone, Debug, Default)]
pub struct Head {
    /// The first line.
    pub line: String,
    pub fields: Vec<(String, String)>,
    /// Where it begins and ends in the stream.
    pub start: u64,
    pub end: u64,
}

impl Head {
    /// Every value of a field.
    pub fn all<'h>(&'h self, name: &'h str) -> impl Iterator<Item = &'h str> + 'h {
        let named = self.fields.iter().filter(move |(known, _)| known.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.as_str())
    }

    /// The value of a field that may be there once.
    pub fn one<'h>(&'h self, name: &'h str) -> Result<Option<&'h str>, String> {
        let mut all = self.all(name);
        let first = all.next();
        if all.next().is_some() {
            return Err(format!("two fields {name} in {self:?}"));
        }
        Ok(first)
    }

    /// The words of the first line.
    pub fn words(&self) -> Vec<&str> {
        self.line.splitn(3, ' ').collect()
    }

    /// The status of an answer; 0 where there is none.
    pub fn status(&self) -> u16 {
        self.words().get(1).and_then(|word| word.parse().ok()).unwrap_or(0)
    }
}

/// How the end of a body is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    None,
    Length(u64),
    Chunked,
    UntilClose,
}

/// What was read.
#[derive(Debug)]
pub enum Item {
    Head(Head, Framing),
    /// Content, and the place in it.
    Data(u64, Vec<u8>),
    /// The message is whole; where that is in the stream.
    End(u64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Head,
    Length(u64),
    ChunkSize,
    Chunk(u64),
    ChunkEnd,
    LastLine,
    UntilClose,
    End,
}

/// Follows one stream.
pub struct Reader {
    role: Role,
    state: State,
    buffer: Vec<u8>,
    /// Place in the stream of the first byte in the buffer.
    offset: u64,
    /// Content of the message so far.
    content: u64,
}

impl Reader {
    pub fn new(role: Role) -> Reader {
        Reader { role, state: State::Head, buffer: Vec::new(), offset: 0, content: 0 }
    }

    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Whether a message has begun and is not over.
    pub fn is_within(&self) -> bool {
        self.state != State::Head || !self.buffer.is_empty()
    }

    /// Whether the message ends with the stream.
    pub fn ends_with_stream(&self) -> bool {
        self.state == State::UntilClose
    }

    /// Bytes that are no part of a message yet.
    pub fn rest(&self) -> &[u8] {
        &self.buffer
    }

    /// From here on all is content.
    pub fn leave_http(&mut self) {
        self.state = State::UntilClose;
        self.content = 0;
    }

    fn use_up(&mut self, count: usize) -> Vec<u8> {
        self.offset += count as u64;
        self.buffer.drain(..count).collect()
    }

    fn data(&mut self, count: usize) -> Item {
        let at = self.content;
        self.content += count as u64;
        Item::Data(at, self.use_up(count))
    }

    /// The next thing that is there. `without_body` says whether the answer is one to HEAD.
    pub fn next(&mut self, without_body: bool) -> Result<Option<Item>, String> {
        loop {
            match self.state {
                State::Head => return self.head(without_body),
                State::End => {
                    self.state = State::Head;
                    return Ok(Some(Item::End(self.offset)));
                }
                State::Length(0) => self.state = State::End,
                _ if self.buffer.is_empty() => return Ok(None),
                State::UntilClose => return Ok(Some(self.data(self.buffer.len()))),
                State::Length(left) | State::Chunk(left) => {
                    let count = (self.buffer.len() as u64).min(left);
                    let left = left - count;
                    self.state = match self.state {
                        State::Length(_) => State::Length(left),
                        _ if left > 0 => State::Chunk(left),
                        _ => State::ChunkEnd,
                    };
                    return Ok(Some(self.data(count as usize)));
                }
                State::ChunkSize => {
                    let Some(line) = self.line()? else { return Ok(None) };
                    let is_hex = !line.is_empty() && line.bytes().all(|b| b.is_ascii_hexdigit());
                    let size = u64::from_str_radix(&line, 16).ok().filter(|_| is_hex);
                    let size = size.ok_or(format!("no size of a chunk: {line:?}"))?;
                    self.state = if size == 0 { State::LastLine } else { State::Chunk(size) };
                }
                State::ChunkEnd | State::LastLine => {
                    let Some(line) = self.line()? else { return Ok(None) };
                    if !line.is_empty() {
                        return Err(format!("{line:?} where a chunk or the body ends"));
                    }
                    let is_last = self.state == State::LastLine;
                    self.state = if is_last { State::End } else { State::ChunkSize };
                }
            }
        }
    }

    fn line(&mut self) -> Result<Option<String>, String> {
        let Some(end) = self.buffer.windows(2).position(|two| two == b"\r\n") else {
            let is_long = self.buffer.len() > 20;
            return if is_long { Err("a long line of framing".to_owned()) } else { Ok(None) };
        };
        let line = self.use_up(end + 2);
        String::from_utf8(line[..end].to_vec()).map(Some).map_err(|_| "framing is no text".into())
    }

    fn head(&mut self, without_body: bool) -> Result<Option<Item>, String> {
        let Some(end) = self.buffer.windows(4).position(|four| four == b"\r\n\r\n") else {
            return Ok(None);
        };
        let start = self.offset;
        let bytes = self.use_up(end + 4);
        let text = String::from_utf8_lossy(&bytes[..end]).into_owned();
        if text.bytes().any(|byte| byte == 0) || text.replace("\r\n", "").contains(['\r', '\n']) {
            return Err(format!("a head with a bare line end or NUL: {text:?}"));
        }
        let mut lines = text.split("\r\n");
        let line = lines.next().unwrap_or_default().to_owned();
        let mut fields = Vec::new();
        for line in lines {
            let (name, value) = line
                .split_once(": ")
                .or(line.strip_suffix(':').map(|name| (name, "")))
                .ok_or(format!("a line of a head that is no field: {line:?}"))?;
            if name.is_empty() || name.contains([' ', '\t']) {
                return Err(format!("a field's name: {name:?}"));
            }
            fields.push((name.to_owned(), value.to_owned()));
        }
        let head = Head { line, fields, start, end: self.offset };
        let framing = self.framing(&head, without_body)?;
        self.content = 0;
        self.state = match framing {
            Framing::None => State::End,
            Framing::Length(length) => State::Length(length),
            Framing::Chunked => State::ChunkSize,
            Framing::UntilClose => State::UntilClose,
        };
        Ok(Some(Item::Head(head, framing)))
    }

    fn framing(&self, head: &Head, without_body: bool) -> Result<Framing, String> {
        let length = head.one("Content-Length")?;
        let coding = head.one("Transfer-Encoding")?;
        if length.is_some() && coding.is_some() {
            return Err(format!("a length and a coding: {head:?}"));
        }
        let words = head.words();
        if self.role == Role::Answers {
            let is_good = words.len() == 3 && words[0] == "HTTP/1.1" && words[1].len() == 3;
            if !is_good || head.status() < 100 {
                return Err(format!("no status line: {:?}", head.line));
            }
            let status = head.status();
            if status < 200 && (length.is_some() || coding.is_some()) {
                return Err(format!("{status} with a body"));
            }
            if status < 200 || without_body || matches!(status, 204 | 304) {
                return Ok(Framing::None);
            }
        } else if words.len() != 3 || !words[2].starts_with("HTTP/1.") {
            return Err(format!("no request line: {:?}", head.line));
        }
        match (length, coding) {
            (Some(length), _) => {
                let length = length.parse().map_err(|_| format!("length {length:?}"))?;
                Ok(Framing::Length(length))
            }
            (None, Some("chunked")) => Ok(Framing::Chunked),
            (None, Some(coding)) => Err(format!("coding {coding:?}")),
            (None, None) if self.role == Role::Answers => Ok(Framing::UntilClose),
            (None, None) => Ok(Framing::None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(role: Role, input: &[u8], cut: usize) -> Result<String, String> {
        let mut reader = Reader::new(role);
        let mut out = String::new();
        for piece in input.chunks(cut) {
            reader.push(piece);
            while let Some(item) = reader.next(false)? {
                match item {
                    Item::Head(head, framing) => out += &format!("[{} {framing:?}]", head.line),
                    Item::Data(_, data) => out += &String::from_utf8_lossy(&data),
                    Item::End(at) => out += &format!("({at})"),
                }
            }
        }
        Ok(out)
    }

    fn check(role: Role, input: &[u8], expected: Option<&str>) {
        for cut in 1..=input.len() {
            assert_eq!(shown(role, input, cut).ok().as_deref(), expected, "cut {cut}");
        }
    }

    #[test]
    fn messages_are_told_apart_however_they_are_cut() {
        check(
            Role::Answers,
            b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcHTTP/1.1 204 x\r\nA: b\r\n\r\n",
            Some("[HTTP/1.1 200 OK Length(3)]abc(41)[HTTP/1.1 204 x None](65)"),
        );
        check(
            Role::Answers,
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n",
            Some("[HTTP/1.1 200 OK Chunked]abcd(66)"),
        );
        check(Role::Requests, b"GET / HTTP/1.1\r\n\r\n", Some("[GET / HTTP/1.1 None](18)"));
    }

    #[test]
    fn what_has_two_meanings_is_refused() {
        let both = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n";
        check(Role::Answers, both, None);
        check(
            Role::Requests,
            b"POST / HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\n",
            None,
        );
        check(Role::Answers, b"HTTP/1.1 200 OK\r\nA: b\nC: d\r\n\r\n", None);
    }
}
