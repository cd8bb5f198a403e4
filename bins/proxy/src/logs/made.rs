//! Lines for files that requests had a part in naming: each batch opens its file, and closes it.
//!
//! So there is one open file however many names there are, and a file that was moved away is left
//! at once. nginx does the same, line by line, where `open_log_file_cache` is not written.

use std::fs;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use proxy_core::config::model::MadeFile;

use super::{count_lines, writer};

/// The lines behind the names that they belong to, so that one queue has those of all files. The
/// sizes are digits, for a line end would be counted as one of a line.
pub(super) fn packed(file: &MadeFile, lines: &[u8]) -> Vec<u8> {
    let parts = [file.root.as_os_str().as_bytes(), file.path.as_os_str().as_bytes(), lines];
    let mut out = Vec::with_capacity(64 + parts.iter().map(|part| part.len()).sum::<usize>());
    for part in parts {
        out.extend_from_slice(part.len().to_string().as_bytes());
        out.push(b':');
        out.extend_from_slice(part);
    }
    out
}

/// Writes all that is packed. Gives the number of lines that are lost, and the last reason.
pub(super) fn write(mut rest: &[u8]) -> (u64, Option<(PathBuf, io::Error)>) {
    let (mut lost, mut failure) = (0, None);
    while let (Some(root), Some(path), Some(lines)) =
        (part(&mut rest), part(&mut rest), part(&mut rest))
    {
        let path = Path::new(std::ffi::OsStr::from_bytes(path));
        let root = Path::new(std::ffi::OsStr::from_bytes(root));
        if let Err(error) = append(root, path, lines) {
            lost += count_lines(lines);
            failure = Some((path.to_owned(), error));
        }
    }
    (lost, failure)
}

/// nginx: no line is written for a request whose root is not there.
fn append(root: &Path, path: &Path, lines: &[u8]) -> io::Result<()> {
    if !fs::metadata(root)?.is_dir() {
        return Err(io::ErrorKind::NotADirectory.into());
    }
    writer::open_file(path)?.write_all(lines)
}

fn part<'b>(rest: &mut &'b [u8]) -> Option<&'b [u8]> {
    let colon = rest.iter().position(|&byte| byte == b':')?;
    let size = std::str::from_utf8(rest.get(..colon)?).ok()?.parse().ok()?;
    let (part, behind) = rest.get(colon + 1..)?.split_at_checked(size)?;
    *rest = behind;
    Some(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_is_found_again_and_has_no_line_ends_of_its_own() {
        let file = |name: &str| MadeFile { path: name.into(), root: "/no:such".into() };
        let mut all = packed(&file("12:34"), b"one\ntwo\n");
        all.extend(packed(&file(""), b""));
        all.extend(packed(&file("b"), b"3\n"));
        assert_eq!(count_lines(&all), 3);
        let mut rest = &all[..];
        let parts: Vec<&[u8]> = std::iter::from_fn(|| part(&mut rest)).collect();
        let root = &b"/no:such"[..];
        assert_eq!(parts, [root, b"12:34", b"one\ntwo\n", root, b"", b"", root, b"b", b"3\n"]);
        let (lost, failure) = write(&all);
        assert_eq!((lost, failure.map(|(path, _)| path)), (3, Some("b".into())));
    }

    #[test]
    fn lines_are_added_to_files_where_the_root_is_there() {
        let folder = std::env::temp_dir().join(format!("made-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        let file =
            |name: &str, root: &str| MadeFile { path: folder.join(name), root: folder.join(root) };
        let mut all = packed(&file("a", ""), b"one\n");
        all.extend(packed(&file("b", ""), b"two\n"));
        all.extend(packed(&file("a", ""), b"three\n"));
        all.extend(packed(&file("c", "none"), b"four\nfive\n"));
        all.extend(packed(&file("c", "a"), b"six\n"));
        all.extend(packed(&file("none/c", ""), b"seven\n"));
        assert_eq!(write(&all).0, 4);
        let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap_or_default();
        assert_eq!(
            (read("a"), read("b"), read("c")),
            ("one\nthree\n".into(), "two\n".into(), "".into())
        );
        fs::remove_dir_all(&folder).unwrap();
    }
}
