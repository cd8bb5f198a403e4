//! What is different in every run, made the same: ports, times, ids, and each program's own name.
//! Nothing else is touched, so that whatever differs after this differs.

use std::cell::{Cell, RefCell};

use crate::conf::Tokens;
use crate::program::Side;

/// One case on one side.
pub struct Plain<'a> {
    side: Side,
    version: &'a str,
    /// Digits and what they are called.
    ports: Vec<(String, String)>,
    /// By request, the ids in the order in which they were met: the same one keeps its number.
    ids: RefCell<Vec<Vec<String>>>,
    request: Cell<usize>,
}

/// What a log line says of an exchange in numbers that the programs' names make different.
#[derive(Clone, Copy, Default)]
pub struct Sizes<'a> {
    pub bytes: usize,
    pub body_bytes: usize,
    /// Of each request that reached an upstream.
    pub seen_bytes: &'a [usize],
}

/// `9` is a digit, `h` one of hexadecimal, `a` a letter.
const SHAPES: [(&str, &str); 6] = [
    ("99999999999999999999", "<boundary>"),
    ("99/aaa/9999:99:99:99 +9999", "<time>"),
    ("9999-99-99T99:99:99+99:99", "<time>"),
    ("hhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhh", "<id>"),
    ("9999999999.999", "<time>"),
    ("9.999", "<seconds>"),
];
const DATE: &str = "aaa, 99 aaa 9999 99:99:99 GMT";
/// Dates that cases make up are older.
const YEAR_OF_NOW_MIN: &str = "2024";

impl<'a> Plain<'a> {
    pub fn new(side: Side, nginx_version: &'a str, tokens: &Tokens) -> Plain<'a> {
        let version = match side {
            Side::Nginx => nginx_version,
            Side::Ours => env!("CARGO_PKG_VERSION"),
        };
        let port = |(name, value): (&String, &String)| {
            let digits = value.rsplit(':').next().unwrap_or_default();
            let is_port = digits.len() == 5 && digits.bytes().all(|byte| byte.is_ascii_digit());
            is_port.then(|| (digits.to_owned(), format!("${name}")))
        };
        let ports = tokens.iter().filter_map(port).collect();
        Plain { side, version, ports, ids: RefCell::new(vec![Vec::new()]), request: Cell::new(0) }
    }

    /// What comes now is of this request.
    pub fn of_request(&self, index: usize) {
        self.request.set(index);
        let mut ids = self.ids.borrow_mut();
        let count = ids.len().max(index + 1);
        ids.resize(count, Vec::new());
    }

    fn product(&self) -> &'static str {
        match self.side {
            Side::Nginx => "nginx",
            Side::Ours => "sidecar-kit",
        }
    }

    /// Text in which only what follows from the run is replaced.
    pub fn text(&self, text: &str) -> String {
        let bytes = text.as_bytes();
        let mut out = String::new();
        let mut rest = 0;
        for (at, c) in text.char_indices() {
            if at < rest {
                continue;
            }
            let before = at.checked_sub(1).map(|at| bytes[at]);
            match self.replaced(&text[at..], before) {
                Some((used, with)) => {
                    out.push_str(&with);
                    rest = at + used;
                }
                None => out.push(c),
            }
        }
        out
    }

    fn replaced(&self, rest: &str, before: Option<u8>) -> Option<(usize, String)> {
        let is_edge = |byte: Option<&u8>| {
            byte.is_none_or(|byte| !byte.is_ascii_alphanumeric() && *byte != b'.')
        };
        if !is_edge(before.as_ref()) {
            return None;
        }
        let ends = |length: usize| is_edge(rest.as_bytes().get(length));
        if has_shape(rest, DATE) && &rest[12..16] >= YEAR_OF_NOW_MIN {
            return Some((DATE.len(), "<date>".into()));
        }
        // Behind anything else, as in a page's "<td>20736</td>", it is a number by chance.
        if let Some((digits, name)) = self.ports.iter().find(|(digits, _)| rest.starts_with(digits))
            && ends(digits.len())
            && matches!(before, None | Some(b':' | b' ' | b'|'))
        {
            return Some((digits.len(), name.clone()));
        }
        let found = SHAPES.iter().find(|(shape, _)| has_shape(rest, shape) && ends(shape.len()));
        let (shape, name) = found?;
        if *name == "<id>" {
            return Some((shape.len(), self.id(&rest[..shape.len()])));
        }
        Some((shape.len(), (*name).into()))
    }

    fn id(&self, id: &str) -> String {
        let mut all = self.ids.borrow_mut();
        let request = self.request.get();
        let is_known = |ids: &Vec<String>| ids.iter().any(|known| known == id);
        if all.iter().enumerate().any(|(of, ids)| of != request && is_known(ids)) {
            return "<id of another request>".to_owned();
        }
        let own = &mut all[request];
        let known = own.iter().position(|known| known == id);
        let index = known.unwrap_or_else(|| {
            own.push(id.to_owned());
            own.len() - 1
        });
        format!("<id {}>", index + 1)
    }

    /// Text of an answer, in which the program may name itself.
    pub fn answer_text(&self, text: &str) -> String {
        let product = self.product();
        let named = text.replace(&format!("{product}/{}", self.version), "PRODUCT/VERSION");
        let named = match named == product {
            true => "PRODUCT".to_owned(),
            false => {
                named.replace(&format!("<center>{product}</center>"), "<center>PRODUCT</center>")
            }
        };
        self.text(&named)
    }

    /// A line of the access log; the columns of `name=value` text have their own rules.
    pub fn log_line(&self, line: &str, sizes: &[Sizes<'_>]) -> String {
        let column = |column: &str| match column.split_once('=') {
            Some((name, value)) => format!("{name}={}", self.log_value(name, value, sizes)),
            None => self.text(column),
        };
        line.split('\t').map(column).collect::<Vec<_>>().join("\t")
    }

    fn log_value(&self, name: &str, value: &str, sizes: &[Sizes<'_>]) -> String {
        let is = |size: usize| value.parse() == Ok(size);
        match name {
            "bytes_sent" if sizes.iter().any(|one| is(one.bytes)) => "<all>".into(),
            "body_bytes_sent" | "sent_http_content_length"
                if sizes.iter().any(|one| is(one.body_bytes)) =>
            {
                "<body>".into()
            }
            "upstream_bytes_sent" => {
                let seen = |size: &str| {
                    let all = sizes.iter().flat_map(|one| one.seen_bytes);
                    all.into_iter().any(|seen| size.parse() == Ok(*seen))
                };
                let group = |group: &str| {
                    let one = |size| if seen(size) { "<seen>" } else { size };
                    group.split(", ").map(one).collect::<Vec<_>>().join(", ")
                };
                value.split(" : ").map(group).collect::<Vec<_>>().join(" : ")
            }
            "pid" | "connection" | "remote_port" | "realip_remote_port"
                if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) =>
            {
                "<number>".into()
            }
            // nginx knows only what others say: what it sends of its own in these two is not in
            // its variables. In ours it is, as all that is sent.
            "sent_http_server" | "sent_http_date" if sizes.iter().any(|one| one.bytes > 0) => {
                match (self.side, self.answer_text(value).as_str()) {
                    (Side::Nginx, "-") | (Side::Ours, "PRODUCT/VERSION" | "PRODUCT" | "<date>") => {
                        "<own>".into()
                    }
                    (_, value) => value.into(),
                }
            }
            "nginx_version" if value == self.version => "VERSION".into(),
            _ => self.answer_text(value),
        }
    }
}

fn has_shape(text: &str, shape: &str) -> bool {
    let fits = |(byte, wanted): (u8, u8)| match wanted {
        b'9' => byte.is_ascii_digit(),
        b'a' => byte.is_ascii_alphabetic(),
        b'h' => byte.is_ascii_hexdigit() && !byte.is_ascii_uppercase(),
        _ => byte == wanted,
    };
    text.len() >= shape.len() && text.bytes().zip(shape.bytes()).all(fits)
}

#[test]
fn only_what_changes_from_run_to_run_is_replaced() {
    let tokens: Tokens =
        [("APP".into(), "127.0.0.1:20001".into()), ("N".into(), "3".into())].into();
    let plain = Plain::new(Side::Nginx, "1.22.1", &tokens);
    let id = "0123456789abcdef0123456789abcdef";
    for (text, expected) in [
        ("http://127.0.0.1:20001/x 120001 200011", "http://127.0.0.1:$APP/x 120001 200011"),
        ("20001 20001|20001 <td>20001</td>", "$APP $APP|$APP <td>20001</td>"),
        ("0.001, 0.100 : 127.0.0.100 1.2345", "<seconds>, <seconds> : 127.0.0.100 1.2345"),
        ("[02/Jan/2030:03:04:05 +0000]", "[<time>]"),
        ("Wed, 02 Jan 2030 03:04:05 GMT", "<date>"),
        ("Sat, 02 Jan 1999 03:04:05 GMT", "Sat, 02 Jan 1999 03:04:05 GMT"),
        (&format!("{id} {}0 {id}", &id[..31]), "<id 1> <id 2> <id 1>"),
        ("1790000000.123", "<time>"),
    ] {
        assert_eq!(plain.text(text), expected);
    }
    plain.of_request(1);
    assert_eq!(plain.text(id), "<id of another request>");
    assert_eq!(plain.answer_text("nginx/1.22.1"), "PRODUCT/VERSION");
    assert_eq!(plain.answer_text("nginx of old"), "nginx of old");
}

#[test]
fn sizes_in_a_log_line_must_be_those_of_the_exchange() {
    let plain = Plain::new(Side::Ours, "1.22.1", &Tokens::new());
    let sizes = [Sizes { bytes: 200, body_bytes: 5, seen_bytes: &[77] }];
    let line = "bytes_sent=200\tbody_bytes_sent=6\tupstream_bytes_sent=0, 77 : 77\tpid=12\tpid=-";
    let expected = "bytes_sent=<all>\tbody_bytes_sent=6\tupstream_bytes_sent=0, <seen> : <seen>\t\
                    pid=<number>\tpid=-";
    assert_eq!(plain.log_line(line, &sizes), expected);
}
