//! Opening a file whose links must not lead out of a folder.
//!
//! Owns the proof, one system call where there is openat2(2), and one step per component where
//! there is not or a link is absolute. Which folder it is, the caller says.

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Component, Path, PathBuf};

use rustix::fs::{CWD, FileType, Mode, OFlags, ResolveFlags};
use rustix::io::{Errno, retry_on_intr};

use crate::file::{FOLDER, READING};

/// Links in one path, as the system counts.
const LINKS_MAX: usize = 40;

/// Opens `path`, relative to `root`, for reading, without ever waiting. Links are followed as long
/// as they stay beneath `root`, absolute ones too if they begin with it.
///
/// # Errors
/// As open(2), and `EXDEV` for a link that leads out.
pub fn open(root: &Path, path: &Path) -> io::Result<OwnedFd> {
    open_as(root, path, Wanted::File)
}

/// The same for a folder, to look up names in; the root itself for an empty path.
///
/// # Errors
/// As open(2), and `EXDEV` for a link that leads out.
pub fn open_folder(root: &Path, path: &Path) -> io::Result<OwnedFd> {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    open_as(root, path, Wanted::Folder)
}

/// What is to be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    File,
    Folder,
}

fn open_as(root: &Path, path: &Path, wanted: Wanted) -> io::Result<OwnedFd> {
    let base = retry_on_intr(|| rustix::fs::openat(CWD, root, FOLDER, Mode::empty()))?;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    let flags = if wanted == Wanted::File { READING } else { FOLDER };
    match rustix::fs::openat2(&base, path, flags, Mode::empty(), resolve) {
        Ok(file) => Ok(file),
        // A link that is absolute or leads out; no such call; a filter that does not know it.
        Err(
            Errno::XDEV | Errno::LOOP | Errno::AGAIN | Errno::INTR | Errno::NOSYS | Errno::PERM,
        ) => Ok(walk(base, root, path, wanted)?),
        Err(errno) => Err(errno.into()),
    }
}

/// The same step by step: no step follows a link by itself, and one upwards goes back on the way
/// that was come.
fn walk(base: OwnedFd, root: &Path, path: &Path, wanted: Wanted) -> Result<OwnedFd, Errno> {
    let mut ahead: Vec<OsString> = Vec::new();
    push(&mut ahead, path);
    let mut way: Vec<OwnedFd> = Vec::new();
    let mut links = 0;
    while let Some(name) = ahead.pop() {
        match name.as_bytes() {
            b"." => continue,
            b".." => {
                way.pop().ok_or(Errno::XDEV)?;
                continue;
            }
            _ => {}
        }
        let here = way.last().unwrap_or(&base);
        let look = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let entry = retry_on_intr(|| rustix::fs::openat(here, &name, look, Mode::empty()))?;
        match FileType::from_raw_mode(rustix::fs::fstat(&entry)?.st_mode) {
            FileType::Symlink => {
                links += 1;
                if links > LINKS_MAX {
                    return Err(Errno::LOOP);
                }
                let target = rustix::fs::readlinkat(&entry, c"", Vec::new())?;
                let target = PathBuf::from(OsString::from_vec(target.into_bytes()));
                if target.is_absolute() {
                    way.clear();
                    push(&mut ahead, &within(root, &target)?);
                } else {
                    push(&mut ahead, &target);
                }
            }
            FileType::Directory => way.push(entry),
            _ if ahead.is_empty() && wanted == Wanted::File => {
                let flags = READING | OFlags::NOFOLLOW;
                let file =
                    retry_on_intr(|| rustix::fs::openat(here.as_fd(), &name, flags, Mode::empty()));
                return file;
            }
            _ => return Err(Errno::NOTDIR),
        }
    }
    match wanted {
        Wanted::File => Err(Errno::ISDIR),
        Wanted::Folder => Ok(way.pop().unwrap_or(base)),
    }
}

/// What is ahead of the way, the next component last. What ends with a slash, or a dot behind one, is
/// a folder.
fn push(ahead: &mut Vec<OsString>, path: &Path) {
    let bytes = path.as_os_str().as_bytes();
    if bytes.ends_with(b"/") || bytes.ends_with(b"/.") {
        ahead.push(".".into());
    }
    let names = path.components().rev().filter_map(|component| match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        Component::CurDir | Component::RootDir | Component::Prefix(_) => None,
    });
    ahead.extend(names);
}

/// An absolute path as one beneath `root`, by the name it was given or the one it really has.
fn within(root: &Path, target: &Path) -> Result<PathBuf, Errno> {
    if let Ok(path) = target.strip_prefix(root) {
        return Ok(path.to_owned());
    }
    let real = std::fs::canonicalize(root).map_err(|_| Errno::XDEV)?;
    target.strip_prefix(real).map(Path::to_owned).map_err(|_| Errno::XDEV)
}

#[cfg(test)]
mod drawn;

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    /// By the system's call where there is one, and step by step.
    fn check(root: &Path, path: &str, expected: Result<&str, Errno>) {
        let base = crate::file::open_folder(root).unwrap();
        let by_call = open(root, Path::new(path));
        let by_call = by_call.map_err(|error| Errno::from_io_error(&error).unwrap());
        for opened in [by_call, walk(base, root, Path::new(path), Wanted::File)] {
            let content = opened.map(|fd| {
                let mut buf = [0; 16];
                let count = crate::file::read_at(fd, &mut buf, 0).unwrap();
                String::from_utf8_lossy(&buf[..count]).into_owned()
            });
            assert_eq!(content.as_deref().map_err(|errno| *errno), expected, "{path}");
        }
    }

    /// Whether a folder is opened, both ways, and is the one at `expected`.
    fn check_folder(root: &Path, path: &str, expected: Result<&str, Errno>) {
        let base = crate::file::open_folder(root).unwrap();
        let by_call = open_folder(root, Path::new(path));
        let by_call = by_call.map_err(|error| Errno::from_io_error(&error).unwrap());
        for opened in [by_call, walk(base, root, Path::new(path), Wanted::Folder)] {
            let number = opened.map(|fd| crate::file::probe(fd).unwrap().ino);
            let expected =
                expected.map(|path| crate::file::probe_path(&root.join(path)).unwrap().ino);
            assert_eq!(number, expected, "{path}");
        }
    }

    #[test]
    fn links_are_followed_within_the_folder_and_not_beyond() {
        let top = std::env::temp_dir().join(format!("sys-beneath-{}", std::process::id()));
        let root = top.join("root");
        fs::create_dir_all(root.join("logs/old")).unwrap();
        fs::write(top.join("secret"), "secret").unwrap();
        fs::write(root.join("logs/old/app.log"), "ours").unwrap();
        let link = |target: &Path, name: &str| symlink(target, root.join(name)).unwrap();
        link(Path::new("logs/old"), "current");
        link(Path::new("../logs/./old/../old/app.log"), "logs/up.log");
        link(&root.join("logs/old/app.log"), "absolute.log");
        link(Path::new("/proc/self/environ"), "environ.log");
        link(Path::new("../secret"), "secret.log");
        link(&top.join("root/../secret"), "sly.log");
        link(Path::new("../../.."), "logs/out");
        link(Path::new("loop.log"), "loop.log");
        link(Path::new("nowhere"), "dangling.log");

        check(&root, "logs/old/app.log", Ok("ours"));
        check(&root, "current/app.log", Ok("ours"));
        check(&root, "current/../old/app.log", Ok("ours"));
        check(&root, "logs/up.log", Ok("ours"));
        check(&root, "absolute.log", Ok("ours"));
        check(&root, "environ.log", Err(Errno::XDEV));
        check(&root, "secret.log", Err(Errno::XDEV));
        check(&root, "sly.log", Err(Errno::XDEV));
        check(&root, "logs/out/secret", Err(Errno::XDEV));
        check(&root, "../secret", Err(Errno::XDEV));
        check(&root, "loop.log", Err(Errno::LOOP));
        check(&root, "dangling.log", Err(Errno::NOENT));
        check(&root, "logs/old/app.log/x", Err(Errno::NOTDIR));
        check_folder(&root, "", Ok(""));
        check_folder(&root, "logs/old", Ok("logs/old"));
        check_folder(&root, "current", Ok("logs/old"));
        check_folder(&root, "logs/out", Err(Errno::XDEV));
        check_folder(&root, "logs/old/app.log", Err(Errno::NOTDIR));
        // By another name of the folder.
        symlink(&root, top.join("alias")).unwrap();
        check(&top.join("alias"), "absolute.log", Ok("ours"));
        fs::remove_dir_all(&top).unwrap();
    }
}
