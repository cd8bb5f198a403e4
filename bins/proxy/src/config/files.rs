//! The configuration's files: the main file, what `include` names, and what stands in for them.
//!
//! Owns: paths and patterns. Reads, and never writes. All that it looks at it looks at through a
//! [`Watch`], which remembers it.

use std::fs;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use nginx_conf::parse::BYTES_MAX;
use nginx_conf::{IncludeError, Included, stock};

use super::watch::Watch;

/// Where the container's ConfigMap is mounted, as in nginx's image.
pub(super) const FOLDER: &str = "/etc/nginx";
/// Most files of one pattern; more are refused by the parser's own limit.
const MATCHES_MAX: usize = 2 * nginx_conf::parse::FILES_MAX;

/// Reads a whole file, with nginx's words for what goes wrong.
pub(super) fn read_whole(path: &Path) -> Result<Vec<u8>, String> {
    let shown = path.display();
    let failed = |error: &std::io::Error| match error.kind() {
        ErrorKind::NotFound => missing(path),
        ErrorKind::PermissionDenied => format!("open() \"{shown}\" failed (permission denied)"),
        _ => format!("open() \"{shown}\" failed ({error})"),
    };
    if fs::metadata(path).map_err(|error| failed(&error))?.is_dir() {
        return Err(format!("\"{shown}\" is a folder, expected a file"));
    }
    let file = fs::File::open(path).map_err(|error| failed(&error))?;
    let mut bytes = Vec::new();
    // One byte more than is taken tells a file that is too large.
    let bound = u64::try_from(BYTES_MAX).unwrap_or(u64::MAX).saturating_add(1);
    file.take(bound).read_to_end(&mut bytes).map_err(|error| failed(&error))?;
    Ok(bytes)
}

/// nginx's words for a file that is not there.
pub(super) fn missing(path: &Path) -> String {
    format!("open() \"{}\" failed (no such file)", path.display())
}

/// The files of `include PATTERN`, relative ones from `folder`. A plain name that is not there is
/// stood in for by the kit's own file of that name, if it has one.
pub(super) fn include(
    pattern: &str,
    folder: &Path,
    watch: &mut Watch,
) -> Result<Vec<Included>, IncludeError> {
    let path = folder.join(pattern);
    if is_pattern(pattern) {
        let (mut files, mut bytes) = (Vec::new(), 0);
        for path in watch.glob(&path) {
            // The parser refuses what goes beyond this; more of it would only fill the memory.
            if bytes > BYTES_MAX {
                break;
            }
            let file = included(&path, watch)?;
            bytes += file.bytes.len();
            files.push(file);
        }
        return Ok(files);
    }
    let file = included(&path, watch);
    if let (true, false, Some(text)) = (file.is_err(), watch.exists(&path), built_in(&path)) {
        let name = path.display().to_string();
        return Ok(vec![Included { name, bytes: text.into(), is_stock: true }]);
    }
    Ok(vec![file?])
}

fn included(path: &Path, watch: &mut Watch) -> Result<Included, IncludeError> {
    let bytes = watch.read(path).map_err(|message| IncludeError { message })?;
    Ok(Included { name: watch.name_of(path).display().to_string(), bytes, is_stock: false })
}

/// Whether a path is one that a pattern finds.
pub(super) fn is_found(pattern: &Path, path: &Path) -> bool {
    let mut pairs = pattern.components().zip(path.components());
    let is_alike = pairs.all(|(wanted, part)| {
        let (wanted, part) = (wanted.as_os_str(), part.as_os_str());
        wanted == part || matches(&wanted.to_string_lossy(), &part.to_string_lossy())
    });
    is_alike && pattern.components().count() == path.components().count()
}

fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?', '['])
}

fn built_in(path: &Path) -> Option<&'static str> {
    stock::file(path.file_name()?.to_str()?)
}

/// The paths that match, sorted, as glob(3): a leading dot is matched only by a dot, so that the
/// `..data` of a mounted ConfigMap stays out.
pub(super) fn glob(pattern: &Path) -> Vec<PathBuf> {
    let mut found = vec![PathBuf::new()];
    for part in pattern.components() {
        let part = part.as_os_str();
        if !part.to_str().is_some_and(is_pattern) {
            found.iter_mut().for_each(|path| path.push(part));
            continue;
        }
        let wanted = part.to_string_lossy();
        let mut deeper = Vec::new();
        for folder in &found {
            let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
            let Ok(entries) = fs::read_dir(folder) else { continue };
            let names = entries.flatten().map(|entry| entry.file_name());
            let matching = names.filter(|name| name.to_str().is_some_and(|n| matches(&wanted, n)));
            deeper.extend(matching.map(|name| folder.join(name)).take(MATCHES_MAX));
        }
        found = deeper;
        found.truncate(MATCHES_MAX);
    }
    found.retain(|path| path.exists());
    found.sort_unstable();
    found
}

/// Whether one name matches one part of a pattern: `*`, `?`, `[a-z]`, `[!a-z]`.
fn matches(pattern: &str, name: &str) -> bool {
    if name.starts_with('.') && !pattern.starts_with('.') {
        return false;
    }
    let pattern: Vec<char> = pattern.chars().collect();
    let name: Vec<char> = name.chars().collect();
    let (mut p, mut n) = (0, 0);
    // Where to go on when what follows the last `*` does not match: one more character for it.
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        let step = match pattern.get(p) {
            Some('*') => {
                star = Some((p + 1, n));
                p += 1;
                continue;
            }
            Some('?') => Some(p + 1),
            Some('[') => class(&pattern, p, name[n]),
            Some(c) if *c == name[n] => Some(p + 1),
            _ => None,
        };
        match (step, star) {
            (Some(next), _) => (p, n) = (next, n + 1),
            (None, Some((after, from))) => {
                star = Some((after, from + 1));
                (p, n) = (after, from + 1);
            }
            (None, None) => return false,
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

/// The place behind `[…]` at `at`, if the character is in it. Without `]` it is a plain `[`.
fn class(pattern: &[char], at: usize, c: char) -> Option<usize> {
    let is_negated = matches!(pattern.get(at + 1), Some('!' | '^'));
    let first = at + 1 + usize::from(is_negated);
    // A `]` right at the start is one of the characters.
    let end = (first + 1..pattern.len()).find(|index| pattern[*index] == ']');
    let Some(end) = end else { return (c == '[').then_some(at + 1) };
    let mut is_in = false;
    let mut index = first;
    while index < end {
        if index + 2 < end && pattern[index + 1] == '-' {
            is_in |= (pattern[index]..=pattern[index + 2]).contains(&c);
            index += 3;
        } else {
            is_in |= pattern[index] == c;
            index += 1;
        }
    }
    (is_in != is_negated).then_some(end + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pattern: &str, name: &str, expected: bool) {
        assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
    }

    #[test]
    fn patterns_match_as_the_shell_does() {
        check("*.conf", "a.conf", true);
        check("*.conf", ".conf", false);
        check("*.conf", "a.conf.bak", false);
        check("*", "..data", false);
        check(".*", "..data", true);
        check("a?c", "abc", true);
        check("a?c", "ac", false);
        check("a*b*c", "axxbyyc", true);
        check("a*b*c", "axxbyy", false);
        check("[a-c]1", "b1", true);
        check("[!a-c]1", "b1", false);
        check("[^a]1", "b1", true);
        check("[]a]", "]", true);
        check("[", "[", true);
        check("**", "a", true);
        check(&"*a".repeat(30), &"a".repeat(200), true);
        check(&format!("{}b", "*a".repeat(30)), &"a".repeat(200), false);
    }

    #[test]
    fn a_glob_is_sorted_and_leaves_hidden_names_out() {
        let folder = std::env::temp_dir().join(format!("glob-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        for inner in ["x", "y", "..data"] {
            fs::create_dir_all(folder.join(inner)).unwrap();
            fs::write(folder.join(inner).join("b.conf"), "b;").unwrap();
            fs::write(folder.join(inner).join("a.conf"), "a;").unwrap();
        }
        let found = glob(&folder.join("*/*.conf"));
        let wanted: Vec<_> =
            ["x/a.conf", "x/b.conf", "y/a.conf", "y/b.conf"].map(|n| folder.join(n)).to_vec();
        assert_eq!(found, wanted);
        assert_eq!(include("none/*.conf", &folder, &mut Watch::default()), Ok(vec![]));
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_glob_reads_no_more_than_a_configuration_may_have() {
        let folder = std::env::temp_dir().join(format!("glob-large-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        let check = |each: usize, expected: usize| {
            for name in ["a", "b", "c"] {
                let file = fs::File::create(folder.join(name)).unwrap();
                file.set_len(each as u64).unwrap();
            }
            let found = include("*", &folder, &mut Watch::default()).unwrap();
            assert_eq!(found.len(), expected, "{each}");
        };
        check(BYTES_MAX / 2, 3);
        check(BYTES_MAX / 2 + 1, 2);
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn what_is_not_there_is_told_or_stood_in_for() {
        let include = |name| include(name, Path::new("/no/such/folder"), &mut Watch::default());
        let missing = include("nope.conf").unwrap_err();
        assert_eq!(missing.message, "open() \"/no/such/folder/nope.conf\" failed (no such file)");
        let types = include("mime.types").unwrap();
        assert!(types[0].is_stock && !types[0].bytes.is_empty());
        let read = |path| read_whole(Path::new(path));
        assert!(read("/etc").unwrap_err().ends_with("is a folder, expected a file"));
        assert!(read("/etc/passwd/x").is_err());
    }
}
