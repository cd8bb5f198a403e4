//! Path patterns: `*`, `?` and `[…]` within one path component, `**` for any number of them, and
//! `{a,b}`, as a shell has them.
//!
//! Owns matching and the walk that finds what matches. A leading dot is matched only by a dot, and
//! `**` follows no links. Directories are listed through [`Folders`].

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use crate::compressed::{is_compressed, without_ending};
use crate::folder::{Folders, join};
use crate::fs::{Fault, Fs};

/// How many patterns one with braces may stand for.
pub const ALTERNATIVES_MAX: usize = 1024;

/// Whether the path has to be looked for in directories.
pub fn is_pattern(path: &Path) -> bool {
    path.as_os_str().as_bytes().iter().any(|byte| matches!(byte, b'*' | b'?' | b'['))
}

/// Whether `name`, one path component, is what `pattern` describes.
pub fn matches(pattern: &[u8], name: &[u8]) -> bool {
    if name.first() == Some(&b'.') && pattern.first() != Some(&b'.') {
        return false;
    }
    let (mut at, mut from) = (0, 0);
    // Where to go on after the last star, should what follows it not fit: each star costs one
    // retry per byte of the name, never more.
    let mut retry: Option<(usize, usize)> = None;
    while from < name.len() {
        if pattern.get(at) == Some(&b'*') {
            retry = Some((at + 1, from));
            at += 1;
        } else if let Some(used) = matches_one(&pattern[at..], name[from]) {
            at += used;
            from += 1;
        } else if let Some((after_star, start)) = retry {
            retry = Some((after_star, start + 1));
            (at, from) = (after_star, start + 1);
        } else {
            return false;
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

/// Matches one byte against the pattern's first element; returns the element's length.
fn matches_one(pattern: &[u8], byte: u8) -> Option<usize> {
    match *pattern.first()? {
        b'?' => Some(1),
        b'[' => match set_end(pattern) {
            Some(end) => set_contains(&pattern[1..end], byte).then_some(end + 1),
            None => (byte == b'[').then_some(1),
        },
        literal => (literal == byte).then_some(1),
    }
}

/// Index of the bracket that closes the set; one directly after the opening is a member.
fn set_end(pattern: &[u8]) -> Option<usize> {
    let first = if matches!(pattern.get(1), Some(b'!' | b'^')) { 2 } else { 1 };
    (first + 1..pattern.len()).find(|at| pattern[*at] == b']')
}

fn set_contains(set: &[u8], byte: u8) -> bool {
    let (negated, mut rest) = match set.first() {
        Some(b'!' | b'^') => (true, &set[1..]),
        _ => (false, set),
    };
    let mut found = false;
    while let Some(low) = rest.first() {
        if rest.len() >= 3 && rest[1] == b'-' {
            found |= (*low..=rest[2]).contains(&byte);
            rest = &rest[3..];
        } else {
            found |= *low == byte;
            rest = &rest[1..];
        }
    }
    found != negated
}

/// The bytes as a pattern that matches only them.
pub fn literal(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    for byte in bytes {
        match byte {
            b'*' | b'?' | b'[' => out.extend_from_slice(&[b'[', *byte, b']']),
            _ => out.push(*byte),
        }
    }
    out
}

/// What a pattern led to.
#[derive(Debug, Default)]
pub struct Expansion {
    /// Paths whose last component matches, in no order; they need not be regular files.
    pub paths: Vec<PathBuf>,
    /// Directories that were listed: a change in one of them may change the expansion.
    pub dirs: BTreeSet<PathBuf>,
    /// A directory that could not be listed, for another reason than that it is not there.
    pub fault: Option<(PathBuf, Fault)>,
    /// Directories that were not listed, for there were too many.
    pub dirs_left_out: usize,
}

/// Finds the paths that match, in at most `dirs_max` directories.
pub(crate) fn expand(
    fs: &mut dyn Fs,
    folders: &mut Folders,
    pattern: &Path,
    dirs_max: usize,
) -> Expansion {
    let mut expansion = Expansion::default();
    let mut found: Vec<PathBuf> = vec![PathBuf::new()];
    for component in pattern.components() {
        let name = match component {
            Component::Normal(name) if is_pattern(Path::new(name)) => name.as_bytes(),
            literal => {
                found.iter_mut().for_each(|path| path.push(literal));
                continue;
            }
        };
        let mut next = Vec::new();
        let mut dirs = found;
        while let Some(dir) = dirs.pop() {
            let listed = if dir.as_os_str().is_empty() { Path::new(".") } else { &dir };
            if expansion.dirs.len() >= dirs_max && !expansion.dirs.contains(listed) {
                expansion.dirs_left_out += 1;
                continue;
            }
            let names = match folders.names(fs, listed) {
                Ok(names) => names,
                Err(Fault::Missing | Fault::NotAFile) => continue,
                Err(fault) => {
                    expansion.fault = Some((dir, fault));
                    continue;
                }
            };
            expansion.dirs.insert(listed.to_owned());
            let fitting = names.iter().filter(|found| matches(name, found.as_bytes()));
            let fitting: Vec<_> = fitting.map(|found| join(listed, found)).collect();
            if name == ANY_DEPTH {
                let below = fitting.into_iter().filter(|path| {
                    fs.probe_path(path) == Err(Fault::NotAFile) && !fs.is_link(path)
                });
                dirs.extend(below);
                next.push(dir);
            } else {
                next.extend(fitting);
            }
        }
        found = next;
    }
    expansion.paths = found;
    expansion
}

/// Stands for any number of directories.
const ANY_DEPTH: &[u8] = b"**";

/// Whether a path is one that the pattern describes.
pub fn matches_path(pattern: &Path, path: &Path) -> bool {
    let pattern: Vec<_> = pattern.components().map(|one| one.as_os_str().as_bytes()).collect();
    let path: Vec<_> = path.components().map(|one| one.as_os_str().as_bytes()).collect();
    matches_components(&pattern, &path)
}

fn matches_components(pattern: &[&[u8]], path: &[&[u8]]) -> bool {
    match (pattern.first(), path.first()) {
        (None, None) => true,
        (Some(&ANY_DEPTH), _) if pattern.len() > 1 => {
            matches_components(&pattern[1..], path)
                || path.first().is_some_and(|name| matches(b"*", name))
                    && matches_components(pattern, &path[1..])
        }
        (Some(ours), Some(theirs)) => {
            (ours == theirs || matches(ours, theirs))
                && matches_components(&pattern[1..], &path[1..])
        }
        _ => false,
    }
}

/// The patterns that one with `{a,b}` stands for. Braces without a comma, or without an end, are
/// plain text. What goes beyond [`ALTERNATIVES_MAX`] stays as it is.
pub fn alternatives(pattern: &Path) -> Vec<PathBuf> {
    let mut done = Vec::new();
    let mut left = vec![pattern.as_os_str().as_bytes().to_vec()];
    while let Some(next) = left.pop() {
        match braces(&next) {
            Some((start, end, parts))
                if done.len() + left.len() + parts.len() <= ALTERNATIVES_MAX =>
            {
                let parts = parts.into_iter().rev();
                left.extend(parts.map(|part| [&next[..start], part, &next[end + 1..]].concat()));
            }
            _ => done.push(PathBuf::from(OsStr::from_bytes(&next))),
        }
    }
    done
}

/// The first braces with a comma of their own: where they begin and end, and their parts.
fn braces(pattern: &[u8]) -> Option<(usize, usize, Vec<&[u8]>)> {
    let starts = (0..pattern.len()).filter(|at| pattern[*at] == b'{');
    starts.into_iter().find_map(|start| {
        let (mut depth, mut from, mut parts) = (0, start + 1, Vec::new());
        for at in start..pattern.len() {
            match pattern[at] {
                b'{' => depth += 1,
                b',' if depth == 1 => {
                    parts.push(&pattern[from..at]);
                    from = at + 1;
                }
                b'}' if depth == 1 => {
                    let whole = !parts.is_empty();
                    parts.push(&pattern[from..at]);
                    return whole.then_some((start, at, parts));
                }
                b'}' => depth -= 1,
                _ => {}
            }
        }
        None
    })
}

/// The names a path's rotated generations may have: one directory, one pattern in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RotatedNames {
    /// Where they are.
    pub dir: PathBuf,
    name: Vec<u8>,
}

impl RotatedNames {
    /// From a template in which `{path}` stands for the followed path, `{dir}` for its directory,
    /// `{stem}` and `{ext}` for its name before and from its last dot on. Wildcards count only in
    /// the last component. `None` if the template names no file.
    pub fn new(template: &str, path: &Path) -> Option<RotatedNames> {
        let name = path.file_name().unwrap_or_default().as_bytes();
        let stem_len = name.iter().rposition(|byte| *byte == b'.').filter(|at| *at > 0);
        let (stem, ext) = name.split_at(stem_len.unwrap_or(name.len()));
        let dir = match path.parent() {
            Some(dir) if !dir.as_os_str().is_empty() => dir.as_os_str().as_bytes(),
            _ => b".",
        };
        let (mut plain, mut pattern) = (Vec::new(), Vec::new());
        let mut rest = template;
        while !rest.is_empty() {
            let words: [(&str, &[u8]); 4] = [
                ("{path}", path.as_os_str().as_bytes()),
                ("{dir}", dir),
                ("{stem}", stem),
                ("{ext}", ext),
            ];
            if let Some((word, value)) = words.iter().find(|(word, _)| rest.starts_with(word)) {
                plain.extend_from_slice(value);
                pattern.extend_from_slice(&literal(value));
                rest = &rest[word.len()..];
                continue;
            }
            let next = rest.char_indices().skip(1).find(|(_, letter)| *letter == '{');
            let next = next.map_or(rest.len(), |(at, _)| at);
            plain.extend_from_slice(&rest.as_bytes()[..next]);
            pattern.extend_from_slice(&rest.as_bytes()[..next]);
            rest = &rest[next..];
        }
        let dir = Path::new(OsStr::from_bytes(&plain)).parent()?.to_owned();
        let dir = if dir.as_os_str().is_empty() { PathBuf::from(".") } else { dir };
        let name = Path::new(OsStr::from_bytes(&pattern)).file_name()?.as_bytes().to_vec();
        Some(RotatedNames { dir, name })
    }

    /// The bytes that all of the names begin with.
    pub fn prefix(&self) -> &[u8] {
        let wild = |byte: &u8| matches!(byte, b'*' | b'?' | b'[');
        &self.name[..self.name.iter().position(wild).unwrap_or(self.name.len())]
    }

    /// Whether a name in the directory is one of them. What was compressed is none: its bytes are
    /// not the log's, and it was a plain rotated file before.
    pub fn contains(&self, name: &OsStr) -> bool {
        matches(&self.name, name.as_bytes()) && !is_compressed(name)
    }

    /// Whether a name is one of them that was compressed.
    pub fn contains_packed(&self, name: &OsStr) -> bool {
        let plain = without_ending(name);
        plain.is_some_and(|plain| {
            [name, plain].iter().any(|one| matches(&self.name, one.as_bytes()))
        })
    }

    /// Whether a path is one of them.
    pub fn contains_path(&self, path: &Path) -> bool {
        // The name first: it tells most paths apart, and a parent is dear to find.
        if !path.file_name().is_some_and(|name| self.contains(name)) {
            return false;
        }
        match path.parent() {
            Some(parent) if parent.as_os_str().is_empty() => self.dir == Path::new("."),
            Some(parent) => parent == self.dir,
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pattern: &str, fits: &[&str], not: &[&str]) {
        for name in fits {
            assert!(matches(pattern.as_bytes(), name.as_bytes()), "{pattern} fits {name}");
        }
        for name in not {
            assert!(!matches(pattern.as_bytes(), name.as_bytes()), "{pattern} not {name}");
        }
    }

    #[test]
    fn patterns_match_as_in_a_shell() {
        check("*.log", &["a.log", "a.b.log"], &[".log", ".a.log", "a.log.1", "log"]);
        check("a?c", &["abc", "a.c"], &["ac", "abbc"]);
        check("[a-c]x", &["ax", "cx"], &["dx", "x", "-x"]);
        check("[!a-c]x", &["dx", "-x"], &["ax"]);
        check("[]a]", &["]", "a"], &["b"]);
        check("a[", &["a["], &["a", "ab"]);
        check("*a*b*c", &["abc", "xaxbxc", "aabbcc"], &["acb", "ab"]);
        check("app.log.*", &["app.log.1", "app.log."], &["app.log", "app-log.1"]);
        check(".*", &[".a"], &["a"]);
    }

    #[test]
    fn two_stars_stand_for_any_number_of_directories() {
        let check = |pattern: &str, path: &str, expected: bool| {
            let seen = matches_path(Path::new(pattern), Path::new(path));
            assert_eq!(seen, expected, "{pattern} {path}");
        };
        check("/a/**/*.log", "/a/0.log", true);
        check("/a/**/*.log", "/a/b/c/0.log", true);
        check("/a/**/*.log", "/a/.b/0.log", false);
        check("/a/**/*.log", "/b/0.log", false);
        check("/a/**/c/*.log", "/a/b/c/0.log", true);
        check("/a/**/c/*.log", "/a/b/0.log", false);
        check("/a/*", "/a/b/c", false);
        check("/a/b", "/a/b", true);
    }

    #[test]
    fn braces_stand_for_each_of_their_parts() {
        let check = |pattern: &str, expected: &[&str]| {
            let expected: Vec<_> = expected.iter().map(PathBuf::from).collect();
            assert_eq!(alternatives(Path::new(pattern)), expected, "{pattern}");
        };
        check("/a/{b,c}.log", &["/a/b.log", "/a/c.log"]);
        check("{a,b}/{c,d}", &["a/c", "a/d", "b/c", "b/d"]);
        check("{a{b,c},d}", &["ab", "ac", "d"]);
        check("/a/{x}.log", &["/a/{x}.log"]);
        check("/a/{b,c", &["/a/{b,c"]);
        check("{x}{,y}", &["{x}", "{x}y"]);
        let many = alternatives(Path::new(&"{a,b}".repeat(20)));
        assert!(many.len() <= ALTERNATIVES_MAX, "bounded");
    }

    #[test]
    fn many_stars_do_not_take_for_ever() {
        assert!(!matches("*a".repeat(60).as_bytes(), &b"a".repeat(59)));
        assert!(matches("*a".repeat(60).as_bytes(), &b"ab".repeat(60)[..119]));
    }

    #[test]
    fn literal_makes_wildcards_plain() {
        check("[*]", &["*"], &["a"]);
        let name = b"a*[1]?.log";
        assert!(matches(&literal(name), name));
        assert!(!matches(&literal(name), b"ab[1]c.log"));
    }

    #[test]
    fn rotated_names_come_from_the_template() {
        let names = RotatedNames::new("{path}.*", Path::new("/logs/a[1].log")).unwrap();
        assert_eq!(names.dir, Path::new("/logs"));
        assert!(names.contains(OsStr::new("a[1].log.1")));
        assert!(!names.contains(OsStr::new("a1.log.1")));
        assert!(!names.contains(OsStr::new("a[1].log.2.gz")));
        assert!(names.contains_path(Path::new("/logs/a[1].log.old")));
        assert!(!names.contains_path(Path::new("/other/a[1].log.old")));
        let bare = RotatedNames::new("{path}-*", Path::new("x.log")).unwrap();
        assert_eq!(bare.dir, Path::new("."));
        assert!(bare.contains_path(Path::new("x.log-20260101")));
        assert!(RotatedNames::new("/", Path::new("x")).is_none());
        let stem = RotatedNames::new("{dir}/{stem}-[0-9]*{ext}", Path::new("/l/a.b.log")).unwrap();
        assert_eq!((stem.dir.as_path(), stem.prefix()), (Path::new("/l"), &b"a.b-"[..]));
        assert!(stem.contains(OsStr::new("a.b-2026-11-25.log")));
        assert!(!stem.contains(OsStr::new("a.b-error.log")));
        let bare = RotatedNames::new("{dir}/old/{stem}.*{ext}", Path::new("x")).unwrap();
        assert_eq!((bare.dir.as_path(), bare.prefix()), (Path::new("./old"), &b"x."[..]));
    }
}
