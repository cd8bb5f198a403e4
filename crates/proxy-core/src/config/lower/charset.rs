//! `charset_map`, and what is wrong with charsets that the levels name.
//!
//! Owns: the lines of a map. What becomes of bytes by it is `body::recode`'s.

use nginx_conf::{Directive, Span};

use super::Lower;
use super::scope::Scope;
use crate::body::recode::Tables;
use crate::config::model::{Charset, CharsetMap, CharsetName, Part};

/// All charsets that the directives name, each once, by the spelling that comes first.
fn known_charsets(directives: &[Directive], known: &mut Vec<Vec<u8>>) {
    for directive in directives {
        let is_name = |name: &&str| match directive.name.text.as_str() {
            "charset_map" => true,
            "charset" => *name != "off" && !name.starts_with('$'),
            "source_charset" => !name.starts_with('$'),
            _ => false,
        };
        let words = directive.args.iter().map(|word| word.text.as_str());
        for name in words.filter(is_name).map(str::as_bytes) {
            if !known.iter().any(|other| other.eq_ignore_ascii_case(name)) {
                known.push(name.to_vec());
            }
        }
        known_charsets(directive.block.as_deref().unwrap_or_default(), known);
    }
}

/// The two charsets where both are named, and are two.
fn pair(charset: &Charset) -> Option<(&[u8], &[u8])> {
    match (&charset.source, &charset.told) {
        (Some(CharsetName::Is(source)), Some(CharsetName::Is(told))) => {
            (!source.eq_ignore_ascii_case(told)).then_some((source, told))
        }
        _ => None,
    }
}

impl Lower<'_> {
    /// Gives `http`, and so all below it, what its file says of charsets.
    pub(super) fn charsets(&mut self, http: &[Directive], scope: &mut Scope) -> Charset {
        let mut known = Vec::new();
        known_charsets(http, &mut known);
        let mut maps = Vec::new();
        for directive in http.iter().filter(|directive| directive.name.text == "charset_map") {
            if let Some(map) = self.charset_map(directive, &maps) {
                maps.push(map);
            }
        }
        let charset = scope.charset_mut();
        (charset.known, charset.maps) = (known.into(), maps.into());
        charset.clone()
    }

    /// nginx: `charset_map CHARSET CHARSET { … }`.
    fn charset_map(&mut self, directive: &Directive, others: &[CharsetMap]) -> Option<CharsetMap> {
        let (one, other) = (directive.arg(0)?, directive.arg(1)?);
        if one.eq_ignore_ascii_case(other) {
            let message =
                format!("\"charset_map\" between the same charsets \"{one}\" and \"{other}\"");
            self.error(directive.arg_span(1), message);
            return None;
        }
        // nginx takes it, and reads memory that is not its own where it is used.
        if one.eq_ignore_ascii_case("utf-8") {
            let help = format!("write it as \"charset_map {other} {one}\", with its lines turned");
            let message = "\"utf-8\" is the second charset of a \"charset_map\"";
            self.error_with_help(directive.arg_span(0), message, help);
            return None;
        }
        let has = |map: &CharsetMap, name: &str| {
            map.names.iter().any(|known| known.eq_ignore_ascii_case(name.as_bytes()))
        };
        if others.iter().any(|map| has(map, one) && has(map, other)) {
            let message = format!("duplicate \"charset_map\" between \"{one}\" and \"{other}\"");
            self.error(directive.name.span, message);
            return None;
        }
        let is_to_utf8 = other.eq_ignore_ascii_case("utf-8");
        let mut tables = Tables::new(is_to_utf8);
        for line in directive.block.iter().flatten() {
            let [value] = line.args.as_slice() else {
                self.error(line.name.span, "invalid parameters number");
                continue;
            };
            let Some(byte) = byte(&line.name.text) else {
                self.error(line.name.span, format!("invalid value \"{}\"", line.name.text));
                continue;
            };
            let bytes = match is_to_utf8 {
                true => bytes(&value.text),
                false => byte_of(&value.text),
            };
            if line.block.is_some() || !bytes.is_some_and(|bytes| tables.add(byte, &bytes)) {
                self.error(value.span, format!("invalid value \"{}\"", value.text));
            }
        }
        Some(CharsetMap::new([one, other].map(|name| name.as_bytes().to_vec()), tables))
    }

    /// nginx: what is to be converted has to have a `charset_map`. That of `http` is a question only
    /// where a server has it from there: it knows no names yet.
    pub(super) fn check_charsets(&mut self, span: Span, charset: &Charset) {
        let Some((source, told)) = pair(charset).filter(|_| !charset.known.is_empty()) else {
            return;
        };
        if charset.table(source, told).is_none() {
            let name = |name| String::from_utf8_lossy(charset.known(name).unwrap_or(name));
            let [source, told] = [source, told].map(name);
            let message =
                format!("no \"charset_map\" between the charsets \"{source}\" and \"{told}\"");
            self.error(span, message);
        }
    }

    /// Checks the charsets of `http` itself, once the servers are known.
    pub(super) fn check_http_charsets(&mut self, http: &[Directive], charset: &Charset) {
        let is_named =
            |line: &&Directive| matches!(line.name.text.as_str(), "charset" | "source_charset");
        let Some(line) = http.iter().rfind(is_named) else { return };
        let mut servers = self.config.servers.iter();
        let is_used = servers.any(|server| {
            let inherited = pair(&server.fallback.client.bodies.charset);
            inherited.is_some() && inherited == pair(charset)
        });
        if is_used {
            self.check_charsets(line.arg_span(0), charset);
        }
    }

    /// nginx: a name, or a variable as a whole.
    pub(super) fn charset_name(&mut self, directive: &Directive) -> Option<CharsetName> {
        let text = directive.arg(0)?;
        if !text.starts_with('$') {
            return Some(CharsetName::Is(text.as_bytes().to_vec()));
        }
        match self.template(directive, 0)?.0.as_slice() {
            [Part::Variable(variable)] => Some(CharsetName::Of(variable.clone())),
            _ => {
                let message = format!("invalid variable name \"{text}\"");
                self.error(directive.arg_span(0), message);
                None
            }
        }
    }
}

/// nginx: hexadecimal digits, at least one, of a number below 256.
fn byte(text: &str) -> Option<u8> {
    let is_hex = text.bytes().all(|digit| digit.is_ascii_hexdigit());
    let digits = text.trim_start_matches('0');
    match (is_hex && !text.is_empty(), digits) {
        (true, "") => Some(0),
        (true, digits) => u8::from_str_radix(digits, 16).ok(),
        (false, _) => None,
    }
}

fn byte_of(text: &str) -> Option<Vec<u8>> {
    byte(text).map(|byte| vec![byte])
}

/// nginx: two hexadecimal digits a byte.
fn bytes(text: &str) -> Option<Vec<u8>> {
    let pairs = text.as_bytes().chunks(2);
    let byte = |digits: &[u8]| {
        std::str::from_utf8(digits).ok().filter(|digits| digits.len() == 2).and_then(byte)
    };
    pairs.map(byte).collect()
}
