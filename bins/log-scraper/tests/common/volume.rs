//! File systems to test on: the one of the folder for temporary files, one in memory, an overlay,
//! a small one, and one that may be made read-only.
//!
//! Some of them have to be mounted. Where that is not allowed the test says so on standard error,
//! past the test runner, and in continuous integration it fails.

#![allow(dead_code, reason = "each test binary uses its own part")]

use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

/// What `statfs` says of an overlay.
const OVERLAY_MAGIC: u64 = 0x794c_7630;

/// A fresh folder on some file system; at the end it is gone, and unmounted if it was mounted.
#[derive(Debug)]
pub struct Volume {
    /// Removed at the end.
    folder: PathBuf,
    /// Where files are made: the folder, or what is mounted in it.
    root: PathBuf,
    is_mounted: bool,
}

impl Volume {
    /// On the file system of the folder for temporary files: ext4 as a rule, an overlay in a
    /// container.
    pub fn usual() -> Volume {
        Volume::within(&std::env::temp_dir())
    }

    /// In memory.
    pub fn memory() -> Volume {
        Volume::within(Path::new("/dev/shm"))
    }

    /// An overlay, with `lower` files in its lower layer, as an image's files are.
    pub fn overlay(lower: &[(&str, &str)]) -> Option<Volume> {
        let mut volume = Volume::usual();
        for (name, text) in lower {
            fs::create_dir_all(volume.folder.join("lower")).unwrap();
            fs::write(volume.folder.join("lower").join(name), text).unwrap();
        }
        if lower.is_empty() && is_overlay(&volume.folder) {
            return Some(volume);
        }
        for part in ["lower", "upper", "work", "root"] {
            fs::create_dir_all(volume.folder.join(part)).unwrap();
        }
        let part = |name: &str| volume.folder.join(name).display().to_string();
        let options = format!(
            "lowerdir={},upperdir={},workdir={}",
            part("lower"),
            part("upper"),
            part("work")
        );
        volume.mount("overlay", &options).then_some(volume)
    }

    /// A file system in memory of its own, of this many bytes.
    pub fn small(bytes: u64) -> Option<Volume> {
        let mut volume = Volume::usual();
        fs::create_dir(volume.folder.join("root")).unwrap();
        let user = (rustix::process::geteuid(), rustix::process::getegid());
        let options =
            format!("size={bytes},mode=755,uid={},gid={}", user.0.as_raw(), user.1.as_raw());
        volume.mount("tmpfs", &options).then_some(volume)
    }

    /// In memory, where no space of a file can be freed.
    pub fn without_holes() -> Option<Volume> {
        let mut volume = Volume::usual();
        fs::create_dir(volume.folder.join("root")).unwrap();
        volume.mount("ramfs", "mode=777").then_some(volume)
    }

    fn within(parent: &Path) -> Volume {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = parent.join(format!("scraper-volume-{}-{number}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        Volume { root: folder.clone(), folder, is_mounted: false }
    }

    fn mount(&mut self, kind: &str, options: &str) -> bool {
        let root = self.folder.join("root");
        let arguments = ["-t", kind, "-o", options, kind].map(OsStr::new);
        self.is_mounted = as_root("mount", &[&arguments[..], &[root.as_os_str()]].concat());
        self.root = root;
        if !self.is_mounted {
            cannot(&format!("a mount of {kind}"));
        }
        self.is_mounted
    }

    /// Makes it read-only, or writable again. Nothing in it may be open for writing.
    pub fn set_read_only(&self, is_read_only: bool) {
        let options = if is_read_only { "remount,ro" } else { "remount,rw" };
        let done = as_root("mount", &["-o".as_ref(), options.as_ref(), self.root.as_os_str()]);
        assert!(done, "what was mounted is mounted anew");
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    pub fn argument(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    /// Fills it up to the last byte. Returns the file that does.
    pub fn fill(&self) -> PathBuf {
        let path = self.path("filler");
        let mut file = fs::File::create(&path).unwrap();
        for piece in [&[0; 4096][..], &[0; 1]] {
            while file.write_all(piece).is_ok() {}
        }
        path
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        if self.is_mounted {
            as_root("umount", &["-l".as_ref(), self.root.as_os_str()]);
        }
        let removed = fs::remove_dir_all(&self.folder);
        if removed.is_err() {
            // An overlay's working folder belongs to root.
            as_root("rm", &["-rf".as_ref(), self.folder.as_os_str()]);
        }
    }
}

fn is_overlay(path: &Path) -> bool {
    rustix::fs::statfs(path).is_ok_and(|seen| seen.f_type as u64 == OVERLAY_MAGIC)
}

/// Runs a command as root, which this process is or `sudo` makes it without a question. Returns
/// whether it was done.
pub fn as_root(program: &str, arguments: &[&OsStr]) -> bool {
    let mut command = match rustix::process::geteuid().is_root() {
        true => Command::new(program),
        false => Command::new("sudo"),
    };
    if !rustix::process::geteuid().is_root() {
        command.args(["-n", program]);
    }
    command.args(arguments).output().is_ok_and(|output| output.status.success())
}

/// Says what is not tested here; in continuous integration that is a failure.
pub fn cannot(what: &str) {
    let test = std::thread::current().name().unwrap_or_default().to_owned();
    let _ = writeln!(std::io::stderr(), "NOT TESTED: {test}: {what} is not to be had here");
    assert!(std::env::var_os("CI").is_none(), "{what} is not to be had");
}
