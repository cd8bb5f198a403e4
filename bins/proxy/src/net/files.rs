//! The system's files as the core asks for them.
//!
//! It looks and opens, and follows links as it is told; which file it is the core decides.

use std::any::Any;
use std::ffi::OsStr;
use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use proxy_core::files::{Facts, File, Files, Kind, LinkRule, Links, Opened};
use proxy_core::net::Cause;
use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, Stat};
use rustix::io::{Errno, retry_on_intr};

/// The files of this host.
#[derive(Debug)]
pub struct SystemFiles;

/// One of them, open for reading.
#[derive(Debug)]
pub struct SystemFile(pub OwnedFd);

impl File for SystemFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize, Cause> {
        retry_on_intr(|| rustix::io::pread(&self.0, &mut *buffer, offset)).map_err(cause)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// Names of a folder that are told at most.
const LISTED_MAX: usize = 100_000;

/// A pipe without a writer must not be waited for.
const READING: OFlags =
    OFlags::RDONLY.union(OFlags::CLOEXEC).union(OFlags::NONBLOCK).union(OFlags::NOCTTY);

impl Files for SystemFiles {
    fn open(&self, path: &[u8], links: Links) -> Result<Opened, Cause> {
        let fd = open(path, links, READING).map_err(cause)?;
        let stat = retry_on_intr(|| rustix::fs::fstat(&fd)).map_err(cause)?;
        Ok(Opened { facts: facts(&stat), file: Box::new(SystemFile(fd)) })
    }

    fn look(&self, path: &[u8], links: Links) -> Result<Facts, Cause> {
        if links.rule == LinkRule::All {
            let stat = retry_on_intr(|| rustix::fs::stat(path)).map_err(cause)?;
            return Ok(facts(&stat));
        }
        let fd = open(path, links, OFlags::PATH | OFlags::CLOEXEC).map_err(cause)?;
        let stat = retry_on_intr(|| rustix::fs::fstat(&fd)).map_err(cause)?;
        Ok(facts(&stat))
    }

    fn list(&self, path: &[u8]) -> Result<Vec<(Vec<u8>, Facts)>, Cause> {
        let os = |error: std::io::Error| Cause(error.raw_os_error().unwrap_or(5));
        let path = Path::new(OsStr::from_bytes(path));
        let mut found = Vec::new();
        for entry in fs::read_dir(path).map_err(os)?.take(LISTED_MAX) {
            let name = entry.map_err(os)?.file_name();
            let full = path.join(&name);
            let own = |_| rustix::fs::lstat(&full);
            if let Ok(stat) = rustix::fs::stat(&full).or_else(own) {
                found.push((name.as_bytes().to_vec(), facts(&stat)));
            }
        }
        Ok(found)
    }

    fn real_path(&self, path: &[u8]) -> Result<Vec<u8>, Cause> {
        let path = if path.is_empty() { b"/" } else { path };
        match fs::canonicalize(OsStr::from_bytes(path)) {
            Ok(path) => Ok(path.into_os_string().as_bytes().to_vec()),
            Err(error) => Err(Cause(error.raw_os_error().unwrap_or(5))),
        }
    }
}

fn cause(errno: Errno) -> Cause {
    Cause(errno.raw_os_error())
}

fn facts(stat: &Stat) -> Facts {
    let kind = match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => Kind::File,
        FileType::Directory => Kind::Folder,
        _ => Kind::Other,
    };
    Facts {
        kind,
        bytes: u64::try_from(stat.st_size).unwrap_or(0),
        modified_s: stat.st_mtime,
        is_executable: stat.st_mode & Mode::XUSR.bits() != 0,
    }
}

/// nginx: `ngx_open_file_wrapper`: where not all links are followed every step is one of its own.
fn open(path: &[u8], links: Links, flags: OFlags) -> Result<OwnedFd, Errno> {
    if links.rule == LinkRule::All {
        return retry_on_intr(|| rustix::fs::open(path, flags, Mode::empty()));
    }
    let (before, behind) = path.split_at_checked(links.from).unwrap_or((path, b""));
    let folder = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let start: &[u8] = match before {
        b"" if behind.starts_with(b"/") => b"/",
        b"" => b".",
        before => before,
    };
    let mut here = retry_on_intr(|| rustix::fs::openat(CWD, start, folder, Mode::empty()))?;
    let mut names = behind.split(|byte| *byte == b'/').filter(|name| !name.is_empty()).peekable();
    while let Some(name) = names.next() {
        // A slash at the end says that the last one is a folder.
        let is_last = names.peek().is_none() && !behind.ends_with(b"/");
        here = step(&here, name, links.rule, if is_last { flags } else { folder })?;
    }
    match behind.ends_with(b"/") || behind.is_empty() {
        true => retry_on_intr(|| rustix::fs::openat(&here, ".", flags, Mode::empty())),
        false => Ok(here),
    }
}

/// nginx: `ngx_openat_file_owner`, or without any link.
fn step(here: &OwnedFd, name: &[u8], rule: LinkRule, flags: OFlags) -> Result<OwnedFd, Errno> {
    if rule == LinkRule::Nothing {
        let flags = flags | OFlags::NOFOLLOW;
        let next = retry_on_intr(|| rustix::fs::openat(here, name, flags, Mode::empty()))?;
        // O_PATH opens a link itself.
        let is_link = flags.contains(OFlags::PATH)
            && FileType::from_raw_mode(rustix::fs::fstat(&next)?.st_mode) == FileType::Symlink;
        return if is_link { Err(Errno::LOOP) } else { Ok(next) };
    }
    let next = retry_on_intr(|| rustix::fs::openat(here, name, flags, Mode::empty()))?;
    let entry = rustix::fs::statat(here, name, AtFlags::SYMLINK_NOFOLLOW)?;
    if FileType::from_raw_mode(entry.st_mode) == FileType::Symlink {
        let target = rustix::fs::fstat(&next)?;
        if target.st_uid != entry.st_uid {
            return Err(Errno::LOOP);
        }
    }
    Ok(next)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    const NONE: LinkRule = LinkRule::Nothing;
    const OWN: LinkRule = LinkRule::SameOwner;

    fn bytes(path: &Path) -> &[u8] {
        path.as_os_str().as_bytes()
    }

    /// By opening and by looking, with the content of a file.
    fn check(path: &Path, rule: LinkRule, from: usize, expected: Result<&str, i32>) {
        let (links, path) = (Links { rule, from }, bytes(path));
        let opened = SystemFiles.open(path, links).map(|opened| {
            let mut content = [0; 16];
            let count = opened.file.read_at(&mut content, 0).unwrap();
            String::from_utf8_lossy(&content[..count]).into_owned()
        });
        let shown = String::from_utf8_lossy(path);
        let opened = opened.as_deref().map_err(|cause| cause.0);
        assert_eq!(opened, expected, "{shown} {rule:?} {from}");
        let seen = SystemFiles.look(path, links).map(|facts| facts.bytes);
        assert_eq!(
            seen.map_err(|cause| cause.0),
            expected.map(|text| text.len() as u64),
            "{shown}"
        );
    }

    #[test]
    fn links_are_followed_as_the_rule_says() {
        let top = std::env::temp_dir().join(format!("net-files-{}", std::process::id()));
        let top = { fs::create_dir_all(&top).map(|()| fs::canonicalize(&top)) }.unwrap().unwrap();
        fs::create_dir_all(top.join("real")).unwrap();
        fs::write(top.join("real/a"), "ours").unwrap();
        symlink("real", top.join("folder")).unwrap();
        symlink("a", top.join("real/link")).unwrap();
        symlink("nowhere", top.join("dangling")).unwrap();
        let at = |path: &str| top.join(path);
        let folder = bytes(&at("folder")).len();
        for rule in [LinkRule::All, OWN] {
            check(&at("folder/link"), rule, 0, Ok("ours"));
            check(&at("dangling"), rule, 0, Err(2));
        }
        check(&at("real/a"), NONE, 0, Ok("ours"));
        check(&at("real/none"), NONE, 0, Err(2));
        check(&at("real/a/x"), NONE, 0, Err(20));
        check(&at("real/link"), NONE, 0, Err(40));
        check(&at("dangling"), NONE, 0, Err(40));
        // nginx: a link in the way is no folder.
        check(&at("folder/a"), NONE, 0, Err(20));
        check(&at("folder/a"), NONE, folder, Ok("ours"));
        check(&at("folder/link"), NONE, folder, Err(40));
        let links = Links { rule: NONE, from: 0 };
        assert_eq!(SystemFiles.open(bytes(&at("real/")), links).unwrap().facts.kind, Kind::Folder);
        assert_eq!(SystemFiles.look(b"/", links).unwrap().kind, Kind::Folder);
        fs::remove_dir_all(&top).unwrap();
    }

    #[test]
    fn a_folders_names_are_told_with_what_they_lead_to() {
        let top = std::env::temp_dir().join(format!("net-list-{}", std::process::id()));
        fs::create_dir_all(top.join("folder")).unwrap();
        fs::write(top.join("a"), "ours").unwrap();
        symlink("a", top.join("link")).unwrap();
        symlink("nowhere", top.join("dangling")).unwrap();
        let mut found = SystemFiles.list(bytes(&top)).unwrap();
        found.sort();
        let found: Vec<(&[u8], Kind)> =
            found.iter().map(|(name, facts)| (name.as_slice(), facts.kind)).collect();
        let expected: [(&[u8], Kind); 4] = [
            (b"a", Kind::File),
            (b"dangling", Kind::Other),
            (b"folder", Kind::Folder),
            (b"link", Kind::File),
        ];
        assert_eq!(found, expected);
        assert_eq!(SystemFiles.list(bytes(&top.join("a"))), Err(Cause::NO_FOLDER));
        let real = SystemFiles.real_path(bytes(&top.join("folder/..")));
        assert_eq!(real, Ok(bytes(&fs::canonicalize(&top).unwrap()).to_vec()));
        assert_eq!(SystemFiles.real_path(bytes(&top.join("none"))), Err(Cause::NO_ENTRY));
        fs::remove_dir_all(&top).unwrap();
    }

    #[test]
    fn a_pipe_is_not_waited_for() {
        let path = std::env::temp_dir().join(format!("net-pipe-{}", std::process::id()));
        let mode = Mode::from_raw_mode(0o600);
        rustix::fs::mknodat(CWD, &path, FileType::Fifo, mode, 0).unwrap();
        let opened = SystemFiles.open(bytes(&path), Links::FOLLOWED).unwrap();
        assert_eq!(opened.facts.kind, Kind::Other);
        fs::remove_file(&path).unwrap();
    }
}
