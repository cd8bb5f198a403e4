//! `fastcgi_pass` and what is its alone; what it shares with `proxy_pass` is `pass`'s.

use std::sync::Arc;

use super::{Shared, Template};
use crate::config::pattern::{Captures, Pattern};

/// How an upstream is spoken to.
#[derive(Clone, Debug)]
pub enum Scheme {
    /// nginx: `proxy_pass http://…`.
    Http,
    /// nginx: `fastcgi_pass`.
    FastCgi(Arc<FastCgi>),
}

/// What a FastCGI application is told, and what of it is listened to.
#[derive(Clone, Debug, Default)]
pub struct FastCgi {
    /// nginx: `fastcgi_param`, in file order.
    pub params: Shared<Param>,
    /// nginx: `fastcgi_keep_conn`, off: whether the application is asked to keep the connection.
    pub keep_conn: bool,
    /// nginx: `fastcgi_catch_stderr`: texts that make an answer a bad one.
    pub caught: Shared<Vec<u8>>,
}

/// nginx: one `fastcgi_param`.
#[derive(Clone, Debug)]
pub struct Param {
    /// As written.
    pub name: Vec<u8>,
    /// Evaluated for each request.
    pub value: Template,
    /// nginx: `if_not_empty`.
    pub if_not_empty: bool,
}

/// How a path is taken apart into a script and what follows it.
#[derive(Clone, Debug, Default)]
pub struct Script {
    /// nginx: `fastcgi_split_path_info`, an expression of two groups.
    pub split: Option<Pattern>,
    /// nginx: `fastcgi_index`: what stands for a folder.
    pub index: Vec<u8>,
}

impl Script {
    /// nginx: `$fastcgi_script_name`.
    pub fn push_name(&self, path: &[u8], out: &mut Vec<u8>) {
        match self.parts(path) {
            Some(parts) => out.extend_from_slice(parts.group(1).unwrap_or_default()),
            None => out.extend_from_slice(path),
        }
        if out.last() == Some(&b'/') {
            out.extend_from_slice(&self.index);
        }
    }

    /// nginx: `$fastcgi_path_info`.
    pub fn push_rest(&self, path: &[u8], out: &mut Vec<u8>) {
        if let Some(parts) = self.parts(path) {
            out.extend_from_slice(parts.group(2).unwrap_or_default());
        }
    }

    fn parts(&self, path: &[u8]) -> Option<Captures> {
        let mut captures = Captures::default();
        self.split.as_ref()?.captures(path, &mut captures).then_some(captures)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(script: &Script, path: &str, expected: (&str, &str)) {
        let (mut name, mut rest) = (Vec::new(), Vec::new());
        script.push_name(path.as_bytes(), &mut name);
        script.push_rest(path.as_bytes(), &mut rest);
        let text = |bytes| String::from_utf8(bytes).unwrap();
        assert_eq!((text(name).as_str(), text(rest).as_str()), expected, "{path:?}");
    }

    #[test]
    fn a_path_is_a_script_with_an_index_for_folders() {
        check(&Script::default(), "/a/", ("/a/", ""));
        let script = Script { index: b"index.php".to_vec(), split: None };
        check(&script, "/a/", ("/a/index.php", ""));
        check(&script, "/a.php/b", ("/a.php/b", ""));
    }

    #[test]
    fn what_follows_a_script_is_split_off_by_pcres_rules() {
        let split = |text| Script {
            split: Some(Pattern::new(text, false).unwrap()),
            index: b"i.php".to_vec(),
        };
        let usual = split(r"^(.+?\.php)(/.*)$");
        check(&usual, "/a.php/b/c", ("/a.php", "/b/c"));
        check(&usual, "/a.php", ("/a.php", ""));
        check(&usual, "/x/", ("/x/i.php", ""));
        // PCRE: no dot is a line's end, and `$` is before the last one too (CVE-2019-11043).
        check(&usual, "/a.php/b\nc", ("/a.php/b\nc", ""));
        check(&usual, "/a.php/b\n", ("/a.php", "/b"));
        check(&split(r"^(.*/)(\w*)$"), "/a/b", ("/a/i.php", "b"));
        check(&split(r"^(/a)?(.*)"), "/b", ("", "/b"));
    }
}
