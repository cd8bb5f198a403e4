//! Path patterns: `*`, `?` and `[…]` within one path component, as a shell has them.
//!
//! Owns matching and the walk that finds what matches. It follows no `**`, and a leading dot is
//! matched only by a dot. Directories are listed through [`Fs`].

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use crate::fs::{Fault, Fs};

/// Paths one pattern may lead to; a limit against a pattern that names half the disk.
pub const MATCHES_MAX: usize = 4096;

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

/// Whether each component of `path` is what the one of `pattern` is, or describes.
pub fn matches_path(pattern: &Path, path: &Path) -> bool {
    let (mut ours, mut theirs) = (pattern.components(), path.components());
    loop {
        match (ours.next(), theirs.next()) {
            (None, None) => return true,
            (Some(ours), Some(theirs)) => {
                let (ours, theirs) = (ours.as_os_str().as_bytes(), theirs.as_os_str().as_bytes());
                if ours != theirs && !matches(ours, theirs) {
                    return false;
                }
            }
            _ => return false,
        }
    }
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
    /// Paths whose last component matches, in byte order; they need not be regular files.
    pub paths: BTreeSet<PathBuf>,
    /// Directories that were listed: a change in one of them may change the expansion.
    pub dirs: BTreeSet<PathBuf>,
    /// A directory that could not be listed, for another reason than that it is not there.
    pub fault: Option<(PathBuf, Fault)>,
}

/// Finds the paths that match.
pub fn expand(fs: &mut dyn Fs, pattern: &Path) -> Expansion {
    let mut expansion = Expansion::default();
    let mut found: Vec<PathBuf> = vec![PathBuf::new()];
    for component in pattern.components() {
        let name = match component {
            Component::Normal(name) if is_pattern(Path::new(name)) => name,
            literal => {
                found.iter_mut().for_each(|path| path.push(literal));
                continue;
            }
        };
        let mut next = Vec::new();
        for dir in found {
            let listed = if dir.as_os_str().is_empty() { Path::new(".") } else { &dir };
            match fs.list(listed) {
                Ok(names) => {
                    expansion.dirs.insert(listed.to_owned());
                    let names =
                        names.iter().filter(|found| matches(name.as_bytes(), found.as_bytes()));
                    next.extend(names.map(|name| dir.join(name)).take(MATCHES_MAX - next.len()));
                }
                Err(Fault::Missing | Fault::NotAFile) => {}
                Err(fault) => expansion.fault = Some((dir, fault)),
            }
        }
        found = next;
    }
    expansion.paths = found.into_iter().collect();
    expansion
}

/// The names a path's rotated generations may have: one directory, one pattern in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RotatedNames {
    /// Where they are.
    pub dir: PathBuf,
    name: Vec<u8>,
}

impl RotatedNames {
    /// From a template in which `{path}` stands for the followed path; wildcards count only in
    /// the last component. `None` if the template names no file.
    pub fn new(template: &str, path: &Path) -> Option<RotatedNames> {
        let bytes = path.as_os_str().as_bytes();
        let escaped = literal(bytes);
        let (mut plain, mut pattern) = (Vec::new(), Vec::new());
        for (i, piece) in template.split("{path}").enumerate() {
            if i > 0 {
                plain.extend_from_slice(bytes);
                pattern.extend_from_slice(&escaped);
            }
            plain.extend_from_slice(piece.as_bytes());
            pattern.extend_from_slice(piece.as_bytes());
        }
        let dir = Path::new(OsStr::from_bytes(&plain)).parent()?.to_owned();
        let dir = if dir.as_os_str().is_empty() { PathBuf::from(".") } else { dir };
        let name = Path::new(OsStr::from_bytes(&pattern)).file_name()?.as_bytes().to_vec();
        Some(RotatedNames { dir, name })
    }

    /// Whether a name in the directory is one of them. What was compressed is none: its bytes are
    /// not the log's, and it was a plain rotated file before.
    pub fn contains(&self, name: &OsStr) -> bool {
        const COMPRESSED: [&[u8]; 6] = [b".gz", b".bz2", b".xz", b".zst", b".lz4", b".zip"];
        let name = name.as_bytes();
        matches(&self.name, name) && !COMPRESSED.iter().any(|suffix| name.ends_with(suffix))
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
    }
}
