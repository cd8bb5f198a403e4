//! Reads HTTP/1 messages as plainly as can be, for both ends of the proxies under test. It shares
//! nothing with the proxy's own parser, so that the two cannot be wrong in the same way, and it
//! judges nothing but what it needs to find a message's end.

/// A request as the application got it, whole.
#[derive(Clone, PartialEq, Eq)]
pub struct Request {
    pub method: Vec<u8>,
    pub target: Vec<u8>,
    /// In the order of arrival; names in lower case.
    pub fields: Fields,
    pub body: Vec<u8>,
    /// Why an application could take it for something else than this.
    pub odd: Option<&'static str>,
}

pub type Fields = Vec<(String, Vec<u8>)>;

/// How a message ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// As its framing says.
    Whole,
    /// Not as its framing says, and nothing more is to come.
    Broken,
}

/// An answer as the client got it.
#[derive(Clone, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    pub reason: Vec<u8>,
    /// In the order of arrival; names in lower case.
    pub fields: Fields,
    pub body: Vec<u8>,
    pub end: End,
    /// Bytes that it took.
    pub used: usize,
}

impl Request {
    pub fn is_head(&self) -> bool {
        self.method == b"HEAD"
    }

    fn odd(head: &[u8], why: &'static str) -> Request {
        let (method, target) = (Vec::new(), head.to_vec());
        Request { method, target, fields: Vec::new(), body: Vec::new(), odd: Some(why) }
    }
}

/// The value of the only field of that name.
pub fn find<'f>(fields: &'f Fields, name: &str) -> Option<&'f [u8]> {
    fields.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_slice())
}

/// The request at the start of `bytes` and how many of them it takes; None until it is whole.
pub fn read_request(bytes: &[u8]) -> Option<(Request, usize)> {
    let head_end = head_end(bytes)?;
    let head = &bytes[..head_end];
    match read_request_head(head) {
        Err(why) => Some((Request::odd(head, why), bytes.len())),
        Ok(mut request) => match request_body(&request.fields, &bytes[head_end..]) {
            Err(why) => Some((Request::odd(head, why), bytes.len())),
            Ok(None) => None,
            Ok(Some((body, used))) => {
                request.body = body;
                Some((request, head_end + used))
            }
        },
    }
}

fn read_request_head(head: &[u8]) -> Result<Request, &'static str> {
    let (line, fields) = split_head(head)?;
    let words: Vec<&[u8]> = line.split(|&byte| byte == b' ').collect();
    match words[..] {
        [method, target, b"HTTP/1.1" | b"HTTP/1.0"] if !method.is_empty() && !target.is_empty() => {
            let (method, target) = (method.to_vec(), target.to_vec());
            Ok(Request { method, target, fields, body: Vec::new(), odd: None })
        }
        _ => Err("its first line is not three words"),
    }
}

/// The body in `rest` and the bytes it takes.
fn request_body(fields: &Fields, rest: &[u8]) -> Result<Option<(Vec<u8>, usize)>, &'static str> {
    let count = |name: &str| fields.iter().filter(|(found, _)| found == name).count();
    if count("content-length") + count("transfer-encoding") > 1 {
        return Err("it says more than once how long it is");
    }
    match (find(fields, "content-length"), find(fields, "transfer-encoding")) {
        (Some(length), _) => {
            let length = decimal(length).ok_or("its length is no number")?;
            Ok(rest.get(..length).map(|body| (body.to_vec(), length)))
        }
        (_, Some(b"chunked")) => match read_chunks(rest) {
            (data, Chunks::Whole(used)) => Ok(Some((data, used))),
            (_, Chunks::Open) => Ok(None),
            (_, Chunks::Bad) => Err("its chunks are broken"),
        },
        (_, Some(_)) => Err("it has an unknown coding"),
        _ => Ok(Some((Vec::new(), 0))),
    }
}

/// The answer at the start of `bytes`, after which the other side closed or reset the connection
/// if `closed` says so. Interim answers before it belong to it. None until it is whole.
pub fn read_answer(bytes: &[u8], to_head: bool, closed: Option<End>) -> Option<Answer> {
    let mut at = 0;
    loop {
        let rest = &bytes[at..];
        let Some(head_end) = head_end(rest) else {
            return closed.filter(|_| !rest.is_empty()).map(|_| garbage(bytes));
        };
        let (head, rest) = rest.split_at(head_end);
        let Some(mut answer) = read_status(head) else {
            return Some(garbage(bytes));
        };
        at += head_end;
        if answer.status < 200 && answer.status != 101 && rest.starts_with(b"HTTP/1.") {
            continue;
        }
        let (body, end, used) = answer_body(&answer, rest, to_head, closed)?;
        (answer.body, answer.end, answer.used) = (body, end, at + used);
        return Some(answer);
    }
}

/// What is no answer at all: status 0, and all that is there.
fn garbage(bytes: &[u8]) -> Answer {
    Answer {
        status: 0,
        reason: Vec::new(),
        fields: Vec::new(),
        body: bytes.to_vec(),
        end: End::Broken,
        used: bytes.len(),
    }
}

fn read_status(head: &[u8]) -> Option<Answer> {
    let (line, fields) = split_head(head).ok()?;
    let rest = line.strip_prefix(b"HTTP/1.1 ").or(line.strip_prefix(b"HTTP/1.0 "))?;
    let status = rest.get(..3).and_then(decimal).filter(|&status| status >= 100)?;
    if !matches!(rest.get(3), None | Some(b' ')) {
        return None;
    }
    let reason = rest.get(4..).unwrap_or_default().to_vec();
    let status = u16::try_from(status).ok()?;
    Some(Answer { status, reason, fields, body: Vec::new(), end: End::Whole, used: 0 })
}

fn answer_body(
    answer: &Answer,
    rest: &[u8],
    to_head: bool,
    closed: Option<End>,
) -> Option<(Vec<u8>, End, usize)> {
    if to_head || matches!(answer.status, 100..=199 | 204 | 304) {
        return Some((Vec::new(), End::Whole, 0));
    }
    if find(&answer.fields, "transfer-encoding").is_some() {
        return match read_chunks(rest) {
            (data, Chunks::Whole(used)) => Some((data, End::Whole, used)),
            (data, Chunks::Bad) => Some((data, End::Broken, rest.len())),
            (data, Chunks::Open) => closed.map(|_| (data, End::Broken, rest.len())),
        };
    }
    let Some(length) = find(&answer.fields, "content-length").and_then(decimal) else {
        return closed.map(|how| (rest.to_vec(), how, rest.len()));
    };
    match rest.get(..length) {
        Some(body) => Some((body.to_vec(), End::Whole, length)),
        None => closed.map(|_| (rest.to_vec(), End::Broken, rest.len())),
    }
}

/// Where the first head in `bytes` ends.
fn head_end(bytes: &[u8]) -> Option<usize> {
    bytes.windows(4).position(|window| window == b"\r\n\r\n").map(|at| at + 4)
}

/// The first line and the fields of a head.
fn split_head(head: &[u8]) -> Result<(&[u8], Fields), &'static str> {
    let head = head.strip_suffix(b"\r\n\r\n").unwrap_or(head);
    let mut lines = Vec::new();
    let mut rest = head;
    while let Some(end) = rest.windows(2).position(|window| window == b"\r\n") {
        lines.push(&rest[..end]);
        rest = &rest[end + 2..];
    }
    lines.push(rest);
    if lines.iter().any(|line| line.iter().any(|byte| b"\r\n\0".contains(byte))) {
        return Err("a byte in its head ends a line for some");
    }
    let fields: Option<Fields> = lines[1..]
        .iter()
        .map(|line| {
            let colon = line.iter().position(|&byte| byte == b':')?;
            let name = String::from_utf8_lossy(&line[..colon]).to_ascii_lowercase();
            Some((name, line[colon + 1..].trim_ascii().to_vec()))
        })
        .collect();
    fields.map(|fields| (lines[0], fields)).ok_or("a line of its head has no colon")
}

/// How far a chunked body has come.
enum Chunks {
    /// It ends after so many bytes.
    Whole(usize),
    Open,
    Bad,
}

fn read_chunks(bytes: &[u8]) -> (Vec<u8>, Chunks) {
    let mut data = Vec::new();
    let mut at = 0;
    loop {
        let Some(line) = line_at(bytes, at) else { return (data, Chunks::Open) };
        let digits = line.split(|&byte| byte == b';').next().unwrap_or_default();
        let size = std::str::from_utf8(digits).ok().and_then(|d| usize::from_str_radix(d, 16).ok());
        let Some(size) = size.filter(|_| !digits.starts_with(b"+")) else {
            return (data, Chunks::Bad);
        };
        at += line.len() + 2;
        if size == 0 {
            break;
        }
        let Some(chunk) = bytes.get(at..at.saturating_add(size)) else {
            data.extend_from_slice(bytes.get(at..).unwrap_or_default());
            return (data, Chunks::Open);
        };
        data.extend_from_slice(chunk);
        at += size;
        match bytes.get(at..at + 2) {
            Some(b"\r\n") => at += 2,
            Some(_) => return (data, Chunks::Bad),
            None => return (data, Chunks::Open),
        }
    }
    while let Some(line) = line_at(bytes, at) {
        at += line.len() + 2;
        if line.is_empty() {
            return (data, Chunks::Whole(at));
        }
    }
    (data, Chunks::Open)
}

/// The line that starts at `at`, without its end.
fn line_at(bytes: &[u8], at: usize) -> Option<&[u8]> {
    let rest = bytes.get(at..)?;
    rest.windows(2).position(|window| window == b"\r\n").map(|end| &rest[..end])
}

fn decimal(bytes: &[u8]) -> Option<usize> {
    if bytes.is_empty() || !bytes.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(bytes).ok()?.parse().ok()
}
