//! A case: a piece of configuration, requests, and what the upstreams answer, as one block of text.
//! It owns the format and knows nothing of processes and sockets.
//!
//! ```text
//! == proxy_pass with a URI replaces the prefix
//! location /api/ { proxy_pass http://$APP/v1/; }
//! upstream: 201
//!   X-Made: yes
//!   body: done
//! > POST /api/users?x=1
//!   Content-Type: text/plain
//!   body: ann
//! + GET /api/next
//! differs: field X-Made because of a reason
//! ```
//!
//! * The configuration is text of any level: whole (`http { … }`), of `http` (`server`, `upstream`,
//!   `log_format` …) or of a server. `conf` says how it is completed and which `$TOKENS` it has.
//! * `upstream:` is what the next request that reaches `$APP` gets (`upstream2:` for `$APP2`); the
//!   last one goes on for ever, and where there is none it is a 200 with the text `hello`. A status,
//!   a whole status line, or `raw TEXT`, `close`, `reset`, `hang`.
//! * To an upstream that is asked by FastCGI the words of `fastcgi` apply.
//! * `>` asks on a new connection, `+` on the one before; `> raw TEXT` sends just that, and `+ raw`
//!   waits for the next answer to it.
//! * Indented lines are fields. `body:` and `chunks: a, b` are bodies, `to close: text` one that the
//!   end of the connection ends, `to: ADDRESS` is where the request goes if not to
//!   `127.0.0.1:$PORT`, `leaves: after the upstream saw it` lets the client go without an answer,
//!   `reach: 2` waits until so many requests have reached the upstreams, in whatever order.
//! * `differs: WHAT because WHY` is a difference that is meant, and that has to be there. WHAT is the
//!   second column of the table that a failure prints, or its first words; a number before it, or
//!   in its place, means that request alone. `differs before 1.23: …` is for older nginx only, and
//!   `differs from 1.23: …` for that one and newer.
//! * `$WWW` is the root of a tree of files, which `tree` tells, and `$TOP` the folder around it.
//! * In fields and raw text `\r`, `\n`, `\t`, `\\`, `\xHH` and `\(text*100)` are what they look like.
//! * A line that begins with `#` is a comment.

/// One block.
#[derive(Debug, Default)]
pub struct Case {
    pub title: String,
    /// Of the title.
    pub line: usize,
    pub conf: String,
    /// By upstream.
    pub answers: [Vec<Message>; UPSTREAMS],
    pub requests: Vec<Request>,
    pub differs: Vec<Differs>,
}

/// How many upstreams a case may have.
pub const UPSTREAMS: usize = 3;

/// What a client sends.
#[derive(Debug)]
pub struct Request {
    pub message: Message,
    /// On the connection of the request before.
    pub follows: bool,
}

/// A request or an answer as written.
#[derive(Clone, Debug, Default)]
pub struct Message {
    pub start: String,
    pub fields: Vec<(String, String)>,
}

/// A difference that is meant.
#[derive(Debug)]
pub struct Differs {
    pub request: Option<usize>,
    pub what: String,
    /// What stands behind `because`.
    pub why: String,
    /// Which nginx differs.
    pub nginx: Versions,
}

/// Some versions of nginx.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Versions {
    All,
    /// Those that are older than this one.
    Before(Vec<u32>),
    /// This one, and newer.
    From(Vec<u32>),
}

impl Versions {
    pub fn have(&self, own: &[u32]) -> bool {
        match self {
            Versions::All => true,
            Versions::Before(version) => own < version.as_slice(),
            Versions::From(version) => own >= version.as_slice(),
        }
    }
}

/// All cases of a file.
pub fn parse(file: &str, text: &str) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    let mut last = Last::Conf;
    for (index, line) in text.lines().enumerate() {
        if line.starts_with('#') {
            continue;
        }
        if let Some(title) = line.strip_prefix("== ") {
            last = Last::Conf;
            cases.push(Case { title: title.into(), line: index + 1, ..Case::default() });
            continue;
        }
        let Some(case) = cases.last_mut() else {
            assert!(line.is_empty(), "{file}:{}: before the first case: {line}", index + 1);
            continue;
        };
        last = case.take(line, last).unwrap_or_else(|problem| {
            panic!("{file}:{}: {problem}: {line}", index + 1);
        });
    }
    for case in &cases {
        assert!(!case.requests.is_empty(), "{file}:{}: asks for nothing", case.line);
    }
    cases
}

/// What an indented line belongs to.
#[derive(Clone, Copy)]
enum Last {
    Conf,
    Answer(usize),
    Request,
    Other,
}

impl Case {
    fn take(&mut self, line: &str, last: Last) -> Result<Last, &'static str> {
        let message = |start: &str| Message { start: start.trim().into(), fields: Vec::new() };
        if let Some((upstream, start)) = upstream_line(line) {
            self.answers[upstream].push(message(start));
            return Ok(Last::Answer(upstream));
        }
        if let Some(start) = line.strip_prefix("> ").or_else(|| line.strip_prefix("+ ")) {
            let follows = line.starts_with('+');
            self.requests.push(Request { message: message(start), follows });
            return Ok(Last::Request);
        }
        if line.starts_with("differs") {
            self.differs.push(differs(line).ok_or("not: differs: WHAT because WHY")?);
            return Ok(Last::Other);
        }
        let message = match last {
            Last::Conf => {
                self.conf.push_str(line);
                self.conf.push('\n');
                return Ok(Last::Conf);
            }
            Last::Answer(upstream) => self.answers[upstream].last_mut(),
            Last::Request => self.requests.last_mut().map(|request| &mut request.message),
            Last::Other => None,
        };
        if line.trim().is_empty() {
            return Ok(last);
        }
        let field = line.strip_prefix("  ").and_then(|line| line.split_once(':'));
        let (name, value) = field.ok_or("neither a field nor anything known")?;
        let value = value.strip_prefix(' ').unwrap_or(value);
        message.ok_or("a field of nothing")?.fields.push((name.into(), value.into()));
        Ok(last)
    }
}

fn upstream_line(line: &str) -> Option<(usize, &str)> {
    let rest = line.strip_prefix("upstream")?;
    let (number, start) = rest.split_once(": ")?;
    match number {
        "" => Some((0, start)),
        _ => number.parse().ok().filter(|n| (2..=UPSTREAMS).contains(n)).map(|n| (n - 1, start)),
    }
}

fn differs(line: &str) -> Option<Differs> {
    let (head, rest) = line.split_once(": ")?;
    let nginx = match head.split(' ').collect::<Vec<_>>().as_slice() {
        ["differs"] => Versions::All,
        ["differs", "before", text] => Versions::Before(version(text)?),
        ["differs", "from", text] => Versions::From(version(text)?),
        _ => return None,
    };
    let (what, why) = rest.split_once(" because ")?;
    let (first, behind) = what.split_once(' ').unwrap_or((what, ""));
    let (first, what) = match first.parse() {
        Ok(request) => (Some(request), behind),
        Err(_) => (None, what),
    };
    let why = why.trim();
    (!why.is_empty()).then(|| Differs { request: first, what: what.into(), why: why.into(), nginx })
}

/// `1.22.1` as numbers that compare as versions do.
pub fn version(text: &str) -> Option<Vec<u32>> {
    text.split('.').map(|part| part.parse().ok()).collect()
}

impl Message {
    /// What stands behind one of our own words (`body`, `to` …).
    pub fn own(&self, word: &str) -> Option<&str> {
        let found = self.fields.iter().find(|(name, _)| name == word);
        found.map(|(_, value)| value.as_str())
    }

    fn raw(&self) -> Option<&str> {
        self.start
            .strip_prefix("raw")
            .filter(|text| text.is_empty() || text.starts_with(' '))
            .map(str::trim_start)
    }

    fn has(&self, name: &str) -> bool {
        self.fields.iter().any(|(known, _)| known.eq_ignore_ascii_case(name))
    }

    /// The same with every text replaced.
    pub fn map(&self, with: &dyn Fn(&str) -> String) -> Message {
        let field = |(name, value): &(String, String)| (name.clone(), with(value));
        Message { start: with(&self.start), fields: self.fields.iter().map(field).collect() }
    }

    /// A request's head and body.
    pub fn request(&self) -> (Vec<u8>, Vec<u8>) {
        if let Some(text) = self.raw() {
            return (unescape(text), Vec::new());
        }
        let mut head = unescape(&self.start);
        let has_version =
            self.start.rsplit(' ').next().is_some_and(|word| word.starts_with("HTTP/"));
        head.extend_from_slice(if has_version { b"\r\n" } else { b" HTTP/1.1\r\n" });
        if !self.has("Host") {
            head.extend_from_slice(b"Host: a.test\r\n");
        }
        (self.finish(head, false), self.body())
    }

    /// An answer's bytes, and whether the connection ends after it. To HEAD there is no body.
    pub fn answer(&self, is_head: bool) -> (Vec<u8>, bool) {
        if let Some(text) = self.raw() {
            return (unescape(text), true);
        }
        let mut head = unescape(&self.start);
        if let Ok(status) = self.start.parse::<u16>() {
            head = format!("HTTP/1.1 {status} {}", http1::reason(status)).into_bytes();
        }
        head.extend_from_slice(b"\r\n");
        let status = String::from_utf8_lossy(head.get(9..12).unwrap_or(&[])).into_owned();
        let has_length = !matches!(status.as_str(), "204" | "304") && !status.starts_with('1');
        let body = self.body();
        let told = self.own("Content-Length").and_then(|told| told.parse().ok());
        // What has no body may tell the length of another answer.
        let is_short = has_length && told.is_some_and(|told: usize| told > body.len());
        let mut bytes = self.finish(head, has_length);
        if !is_head {
            bytes.extend_from_slice(&body);
        }
        (bytes, self.own("to close").is_some() || (is_short && !is_head))
    }

    /// Adds the fields, that of the body's length too, and the end of the head.
    fn finish(&self, mut head: Vec<u8>, even_without_body: bool) -> Vec<u8> {
        const OWN: [&str; 6] = ["body", "chunks", "to close", "to", "leaves", "reach"];
        for (name, value) in self.fields.iter().filter(|(name, _)| !OWN.contains(&name.as_str())) {
            head.extend_from_slice(name.as_bytes());
            head.extend_from_slice(b": ");
            head.extend_from_slice(&unescape(value));
            head.extend_from_slice(b"\r\n");
        }
        let says_it = self.has("Content-Length") || self.has("Transfer-Encoding");
        if self.own("chunks").is_some() && !says_it {
            head.extend_from_slice(b"Transfer-Encoding: chunked\r\n");
        } else if (self.own("body").is_some() || even_without_body)
            && self.own("to close").is_none()
            && !says_it
        {
            let length = self.body().len();
            head.extend_from_slice(format!("Content-Length: {length}\r\n").as_bytes());
        }
        head.extend_from_slice(b"\r\n");
        head
    }

    fn body(&self) -> Vec<u8> {
        if let Some(text) = self.own("body").or(self.own("to close")) {
            return unescape(text);
        }
        let Some(chunks) = self.own("chunks") else { return Vec::new() };
        let mut body = Vec::new();
        for chunk in chunks.split(", ").map(unescape) {
            body.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
            body.extend_from_slice(&chunk);
            body.extend_from_slice(b"\r\n");
        }
        body.extend_from_slice(b"0\r\n\r\n");
        body
    }
}

/// `\r \n \t \\ \xHH \(text*100)`.
pub fn unescape(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out.extend_from_slice(&rest.as_bytes()[..at]);
        rest = &rest[at + 1..];
        let used = match rest.as_bytes().first() {
            Some(b'r') => push(&mut out, b'\r'),
            Some(b'n') => push(&mut out, b'\n'),
            Some(b't') => push(&mut out, b'\t'),
            Some(b'\\') => push(&mut out, b'\\'),
            Some(b'x') => push(&mut out, u8::from_str_radix(&rest[1..3], 16).unwrap()) + 2,
            Some(b'(') => {
                let end = rest.find(')').unwrap();
                let (repeated, count) = rest[1..end].rsplit_once('*').unwrap();
                out.extend(unescape(repeated).repeat(count.parse().unwrap()));
                end + 1
            }
            _ => panic!("unknown escape in {text}"),
        };
        rest = &rest[used..];
    }
    out.extend_from_slice(rest.as_bytes());
    out
}

fn push(out: &mut Vec<u8>, byte: u8) -> usize {
    out.push(byte);
    1
}

#[test]
fn a_case_is_read_as_it_is_documented() {
    let text = "# about\n\n== one\nlocation / {\n  return 200;\n}\nupstream: 201\n  A: b\n  body: x\\ty\n\
                upstream2: close\n> POST /a\n  chunks: ab, \\(c*3)\n+ GET /b HTTP/1.0\n  Host: h\n\
                differs: 2 field X because it is so\ndiffers before 1.23: log because old\n\
                differs from 1.23: body because new\n";
    let cases = parse("file", text);
    let [case] = cases.as_slice() else { panic!("{cases:?}") };
    assert_eq!((case.title.as_str(), case.line), ("one", 3));
    assert_eq!(case.conf, "location / {\n  return 200;\n}\n");
    let (answer, closes) = case.answers[0][0].answer(false);
    assert_eq!(answer, b"HTTP/1.1 201 Created\r\nA: b\r\nContent-Length: 3\r\n\r\nx\ty");
    assert!(!closes && case.answers[1][0].start == "close");
    let (head, body) = case.requests[0].message.request();
    assert_eq!(
        head,
        b"POST /a HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec()
    );
    assert_eq!(body, b"2\r\nab\r\n3\r\nccc\r\n0\r\n\r\n".to_vec());
    assert!(case.requests[1].follows);
    assert_eq!(case.requests[1].message.request().0, b"GET /b HTTP/1.0\r\nHost: h\r\n\r\n");
    let told: Vec<_> = case.differs.iter().map(|one| (one.request, one.what.as_str())).collect();
    assert_eq!(told, [(Some(2), "field X"), (None, "log"), (None, "body")]);
    let versions: Vec<_> = case.differs.iter().map(|one| one.nginx.clone()).collect();
    for wrong in ["differsx: a because b", "differs since 1.23: a because b", "differs: a"] {
        assert!(differs(wrong).is_none(), "{wrong}");
    }
    let newer = vec![1, 23];
    assert_eq!(versions, [Versions::All, Versions::Before(newer.clone()), Versions::From(newer)]);
}
