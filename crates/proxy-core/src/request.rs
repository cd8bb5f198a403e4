//! One request as it is known: its head, what its target means, and where it belongs.
//!
//! It reads and remembers; it decides nothing about the answer.

mod client;
mod sub;

use std::cell::RefCell;

use http1::target::{self, Target};
use http1::{FieldClass, Reject, RequestHead, Span, Version};

use crate::clock::Moment;
use crate::config::model::PassUrl;
use crate::course::{CHANGES_MAX, Course, Passing, Role, TheBody};
use crate::generation::{At, Place};
use crate::values::Values;

pub use client::ClientInfo;
pub use sub::Main;

/// What the request's target and Host mean. The vectors keep their room from request to request.
#[derive(Debug, Default)]
pub struct Uri {
    /// nginx: `$host`: lower case, without port; the server's name where the client told none.
    pub host: Vec<u8>,
    /// Whether the client told it.
    pub is_host_told: bool,
    /// nginx: `$uri`: decoded and resolved.
    pub path: Vec<u8>,
    /// nginx: `$args`.
    pub args: Vec<u8>,
    /// nginx: a query that was put in the place of another is there, even if it is empty.
    pub has_new_args: bool,
    /// The target in origin form as the client wrote it, for an upstream that gets it unchanged;
    /// empty once something else is asked for than what the client wrote.
    pub target: Vec<u8>,
    /// What the variables of a `proxy_pass` have come to.
    pub made: Option<Box<PassUrl>>,
    /// The part of the head's target that follows the authority.
    origin: Span,
}

impl Uri {
    fn clear(&mut self) {
        for part in [&mut self.host, &mut self.path, &mut self.args, &mut self.target] {
            part.clear();
        }
        (self.is_host_told, self.has_new_args) = (false, false);
        self.origin = Span::default();
        self.made = None;
    }

    /// Puts another query in the place of the client's.
    pub fn set_args(&mut self, args: &[u8]) {
        self.args.clear();
        self.args.extend_from_slice(args);
        self.has_new_args = true;
        self.target.clear();
    }
}

/// One request.
pub struct Request {
    /// The configuration it began with; it keeps that one to its end.
    pub at: At,
    /// The server and location that it belongs to.
    pub place: Place,
    /// Its connection.
    pub client: ClientInfo,
    /// When its first byte came.
    pub began: Moment,
    /// The head's bytes; spans of `head` point into it.
    pub bytes: Vec<u8>,
    /// The head.
    pub head: RequestHead,
    /// What its target means.
    pub uri: Uri,
    /// What variables remember of it; to look at one may make it.
    pub values: RefCell<Values>,
    /// What was made of it here.
    pub course: Course,
    /// Bytes of its body's content so far.
    pub body_bytes: u64,
    /// The same with the framing around them; not what was read to be thrown away.
    pub body_wire_bytes: u64,
    /// Makes its identifier.
    seed: u64,
}

/// For the access log, so much is kept of what is not a head.
const SCRAPS_BYTES_MAX: usize = 1_024;

impl Request {
    /// A request of which nothing is known yet.
    pub fn new(at: At, client: ClientInfo) -> Request {
        let place = at.default_place();
        Request {
            at,
            place,
            client,
            began: Moment::default(),
            bytes: Vec::new(),
            head: RequestHead::default(),
            uri: Uri::default(),
            values: RefCell::default(),
            course: Course::default(),
            body_bytes: 0,
            body_wire_bytes: 0,
            seed: 0,
        }
    }

    /// Forgets the last request. The parsed head is left, for it is parsed into beforehand.
    pub fn begin(&mut self, at: At, client: ClientInfo, seed: u64, began: Moment) {
        self.place = at.default_place();
        self.at = at;
        self.client = client;
        self.began = began;
        self.bytes.clear();
        self.uri.clear();
        self.values.get_mut().clear();
        self.course.clear();
        self.body_bytes = 0;
        self.body_wire_bytes = 0;
        self.seed = seed;
    }

    /// Takes over the bytes of a head that was parsed, and finds out what its target means.
    pub fn take_head(&mut self, bytes: &[u8]) -> Result<(), Reject> {
        self.bytes.extend_from_slice(bytes);
        let split = self.take_target()?;
        self.take_host(&split);
        Ok(())
    }

    fn take_target(&mut self) -> Result<Target, Reject> {
        let raw = self.head.target.of(&self.bytes);
        let split = target::split(self.method(), raw)?;
        self.uri.origin = split.origin;
        self.uri.origin.start += self.head.target.start;
        target::push_origin_form(raw, &split, &mut self.uri.target);
        if let Some(query) = split.query {
            self.uri.args.extend_from_slice(query.of(raw));
        }
        let path = split.path.of(raw);
        if path == b"*" {
            self.uri.path.push(b'*');
        } else {
            // nginx: what the listen's default server says, for the Host is not looked at yet.
            let merges = self.at.server(self.at.default_place()).client.merges_slashes;
            http1::path::normalize_with(path, merges, &mut self.uri.path)?;
        }
        Ok(split)
    }

    /// nginx: `$request_port`: the port that the client told with the host; empty where it is none.
    pub fn told_port(&self) -> &[u8] {
        let raw = self.head.target.of(&self.bytes);
        let Ok(split) = target::split(self.method(), raw) else { return &[] };
        let value = told_host(&self.head, &self.bytes, &split);
        let port = value.get(end_of_host(value)..).and_then(|rest| rest.strip_prefix(b":"));
        port.filter(|port| port.iter().all(u8::is_ascii_digit)).unwrap_or_default()
    }

    /// nginx: from the request line, else the Host field, in lower case without port.
    fn take_host(&mut self, split: &Target) {
        let value = told_host(&self.head, &self.bytes, split);
        let bare = value.get(..end_of_host(value)).unwrap_or(value);
        let bare = bare.strip_suffix(b".").unwrap_or(bare);
        self.uri.host.extend_from_slice(bare);
        self.uri.host.make_ascii_lowercase();
        let server = self.at.listen().server(&self.uri.host, self.values.get_mut());
        self.place = Place { server, location: None };
        self.uri.is_host_told = !self.uri.host.is_empty();
        if !self.uri.is_host_told {
            let name = &self.at.server(self.place).name;
            self.uri.host.extend(name.iter().map(u8::to_ascii_lowercase));
        }
    }

    /// What came is no head. For the access log what was understood of it is kept, or the first
    /// line as far as it came; what follows cannot be told apart, so that nothing more is read as
    /// a request. nginx: the request line holds once it is whole, and each field up to the bad one.
    pub fn take_scraps(&mut self, bytes: &[u8], reject: Option<Reject>) {
        let target = self.head.target;
        let after = (target.start + target.len) as usize + b" HTTP/1.1".len();
        let has_line = reject != Some(Reject::TargetTooLong)
            && !target.is_empty()
            && bytes.get(after..).is_some_and(|rest| rest.starts_with(b"\r\n"));
        if has_line {
            let last = self
                .head
                .fields
                .last()
                .map_or(after, |field| (field.value.start + field.value.len) as usize);
            let rest = bytes.get(last..).unwrap_or_default();
            let end = rest.iter().position(|&b| b == b'\n').map_or(bytes.len(), |at| last + at + 1);
            self.bytes.extend_from_slice(bytes.get(..end).unwrap_or(bytes));
            // What the target means is known then, if it means something.
            let _ = self.take_target();
        } else {
            let line = bytes.split(|&b| b == b'\r' || b == b'\n').find(|line| !line.is_empty());
            let line = line.unwrap_or_default();
            self.bytes.extend_from_slice(line.get(..SCRAPS_BYTES_MAX).unwrap_or(line));
            self.head = RequestHead::default();
        }
        self.head.connection.close = true;
        let name = &self.at.server(self.place).name;
        self.uri.host.extend(name.iter().map(u8::to_ascii_lowercase));
    }

    /// nginx: `$request_length`: what was read of the request, without empty lines before it.
    pub fn length(&self) -> u64 {
        let empty = self.bytes.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        (self.bytes.len() - empty) as u64 + self.body_wire_bytes
    }

    /// The method; an internal redirect may have changed it.
    pub fn method(&self) -> &[u8] {
        match (self.course.role, self.head.method.of(&self.bytes)) {
            (Role::Client | Role::Mirror { is_get: false }, method) => method,
            (Role::Get | Role::Mirror { is_get: true }, b"HEAD") => b"HEAD",
            (Role::Get | Role::Mirror { is_get: true } | Role::Sub | Role::Part { .. }, _) => {
                b"GET"
            }
        }
    }

    /// nginx: `$request_method`: a subrequest tells that of the request.
    pub fn told_method(&self) -> &[u8] {
        match self.course.role {
            Role::Sub | Role::Part { .. } => self.head.method.of(&self.bytes),
            _ => self.method(),
        }
    }

    /// Whether the answer is one without its body.
    pub fn is_head(&self) -> bool {
        !matches!(self.course.role, Role::Sub | Role::Part { .. })
            && self.head.method.of(&self.bytes) == b"HEAD"
    }

    /// Goes to another place of the same server.
    pub fn redirect(&mut self, path: &[u8], args: &[u8]) {
        debug_assert!(path.first() == Some(&b'/') && self.course.changes <= CHANGES_MAX);
        let course = &mut self.course;
        course.redirects += 1;
        course.changes += 1;
        (course.is_internal, course.has_prefix, course.follows_alias) = (true, true, false);
        course.passing = Passing::No;
        self.place.location = None;
        let uri = &mut self.uri;
        uri.path.clear();
        uri.path.extend_from_slice(path);
        uri.args.clear();
        uri.args.extend_from_slice(args);
        uri.has_new_args = false;
        uri.target.clear();
    }

    /// Goes to a named location of the same server. nginx: where there is none the request stays.
    pub fn go_to_named(&mut self, location: Option<usize>) {
        let course = &mut self.course;
        course.redirects += 1;
        course.changes += 1;
        if location.is_some() {
            (course.is_internal, course.passing) = (true, Passing::No);
            self.place.location = location;
        }
    }

    /// The body that goes to an upstream: what an internal redirect makes a GET has none, and what
    /// was read for another place is gone, unless it is held.
    pub fn body(&self) -> http1::BodyLength {
        let Course { role, body, redirects, .. } = self.course;
        let is_gone = redirects > 0 && self.body_wire_bytes > 0;
        match (role, body) {
            (Role::Get | Role::Sub | Role::Part { .. } | Role::Mirror { is_get: true }, _)
            | (_, TheBody::Left | TheBody::Gone { .. }) => http1::BodyLength::None,
            (_, TheBody::Held(bytes)) => http1::BodyLength::Exact(bytes),
            _ if is_gone => http1::BodyLength::None,
            _ => self.head.body,
        }
    }

    /// Whether the client asks to leave HTTP on this connection, and the protocols it would go
    /// to. `h2c` is not offered on: the upstream's HTTP/2 would pass unread.
    pub fn upgrade(&self) -> Option<Vec<u8>> {
        let is_possible = self.head.version == Version::Http11 && !self.course.is_sub();
        if !is_possible || !self.head.connection.upgrade {
            return None;
        }
        let mut kept = Vec::new();
        let offered = self.head.upgrade?.of(&self.bytes).split(|&b| b == b',');
        for protocol in offered.map(<[u8]>::trim_ascii) {
            let name = protocol.split(|&b| b == b'/').next().unwrap_or_default();
            if name.is_empty() || name.eq_ignore_ascii_case(b"h2c") {
                continue;
            }
            if !kept.is_empty() {
                kept.extend_from_slice(b", ");
            }
            kept.extend_from_slice(protocol);
        }
        (!kept.is_empty()).then_some(kept)
    }

    /// The client's fields that this server's settings let be seen: nginx leaves out those with
    /// odd names, and those with underscores unless told otherwise.
    pub fn fields(&self) -> impl Iterator<Item = (&[u8], &[u8], FieldClass)> {
        let limits = &self.at.server(self.place).client;
        let all = !limits.ignore_invalid_headers;
        let underscored = all || limits.underscores_in_headers;
        let is_seen = move |class: FieldClass| match class {
            FieldClass::EndToEnd | FieldClass::Hop => true,
            FieldClass::Underscored => underscored,
            FieldClass::Odd => all,
        };
        let bytes = &self.bytes;
        let fields = self.head.fields.iter().filter(move |field| is_seen(field.class));
        fields.map(move |field| (field.name.of(bytes), field.value.of(bytes), field.class))
    }

    /// The path as the client wrote it.
    fn raw_path(&self) -> &[u8] {
        let raw = self.raw_uri();
        let end = raw.iter().position(|&byte| byte == b'?');
        end.and_then(|end| raw.get(..end)).unwrap_or(raw)
    }

    /// nginx encodes what it sends only where the client had encoded something, or where it was
    /// changed here.
    pub fn is_escaping(&self) -> bool {
        self.course.is_internal || http1::path::has_escapes(self.raw_path())
    }

    /// nginx encodes groups in texts only where the client had encoded something, or wrote a plus.
    pub fn is_quoted(&self) -> bool {
        self.raw_path().iter().any(|byte| matches!(byte, b'%' | b'+'))
    }

    /// nginx: `$request`.
    pub fn line(&self) -> &[u8] {
        let lines = self.bytes.split(|&b| b == b'\r' || b == b'\n');
        lines.into_iter().find(|line| !line.is_empty()).unwrap_or_default()
    }

    /// nginx: `$request_id`, 16 bytes in hexadecimal, the same whenever it is asked for.
    pub fn id(&self) -> [u8; 32] {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        let mut id = [0; 32];
        let mut state = self.seed ^ self.client.serial.rotate_left(32) ^ self.began.unix_ms;
        for pair in id.chunks_mut(16) {
            state = split_mix(state.wrapping_add(self.client.requests));
            let mut bits = state;
            for digit in pair {
                let value = usize::try_from(bits & 15).unwrap_or(0);
                *digit = HEX.get(value).copied().unwrap_or(b'0');
                bits >>= 4;
            }
        }
        id
    }

    /// nginx: `$request_uri`, as the client wrote it, but for the authority; `/` where nothing
    /// follows that.
    pub fn raw_uri(&self) -> &[u8] {
        match self.uri.origin.of(&self.bytes) {
            b"" if !self.uri.path.is_empty() => b"/",
            origin => origin,
        }
    }
}

/// SplitMix64: one step of a 64-bit generator whose outputs do not repeat within 2^64 steps.
pub fn split_mix(state: u64) -> u64 {
    let mut z = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The host that the client told, by the request line, else the Host field; with the port.
fn told_host<'b>(head: &RequestHead, bytes: &'b [u8], split: &Target) -> &'b [u8] {
    let authority = split.authority.map(|authority| authority.of(head.target.of(bytes)));
    authority.or(head.host.map(|host| host.of(bytes))).unwrap_or_default()
}

/// Where the port begins, or the text ends: `:` stands in an address of IPv6 too.
fn end_of_host(value: &[u8]) -> usize {
    let at = |wanted: u8| value.iter().position(|&byte| byte == wanted);
    let end = if value.starts_with(b"[") { at(b']').map(|at| at + 1) } else { at(b':') };
    end.unwrap_or(value.len())
}

#[cfg(test)]
mod tests;
