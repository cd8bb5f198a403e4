//! inotify over directories: which of them changed, and how.
//!
//! Owns the watches. It does not say what a file's new state is: events tell that it is worth a
//! look, nothing more, so they may be lost, merged or come late without harm.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use rustix::io::Errno;

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The file at this path was written to or cut.
    Data(PathBuf),
    /// A name came, went or moved in a watched directory, or the directory itself did.
    Names,
    /// Events were lost.
    Overflow,
}

/// Watches directories.
#[derive(Debug)]
pub struct Inotify {
    fd: OwnedFd,
    watches: BTreeMap<i32, PathBuf>,
}

impl Inotify {
    /// A watcher of nothing.
    ///
    /// # Errors
    /// When the system has no instance left (`fs.inotify.max_user_instances`).
    pub fn new() -> io::Result<Inotify> {
        let fd = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?;
        Ok(Inotify { fd, watches: BTreeMap::new() })
    }

    /// Watches exactly these directories, as their paths lead now: one that was replaced is
    /// watched anew. Returns whether anything is newly watched, so that what happened before is
    /// worth a look.
    ///
    /// # Errors
    /// The first failure, after all were tried; what failed is not watched.
    pub fn watch(&mut self, dirs: &[PathBuf]) -> io::Result<bool> {
        let mut now = BTreeMap::new();
        let mut first_error = None;
        let flags = WatchFlags::CREATE
            | WatchFlags::MOVE
            | WatchFlags::DELETE
            | WatchFlags::MODIFY
            | WatchFlags::ATTRIB
            | WatchFlags::DELETE_SELF
            | WatchFlags::MOVE_SELF
            | WatchFlags::ONLYDIR;
        for dir in dirs {
            // The same directory gives the same number again, at the price of one call.
            match inotify::add_watch(&self.fd, dir, flags) {
                Ok(watch) => {
                    now.insert(watch, dir.clone());
                }
                Err(errno) => {
                    first_error.get_or_insert(errno);
                }
            }
        }
        for watch in self.watches.keys().filter(|watch| !now.contains_key(watch)) {
            // It may be gone by itself, with its directory.
            let _ = inotify::remove_watch(&self.fd, *watch);
        }
        let fresh = now.keys().any(|watch| !self.watches.contains_key(watch));
        self.watches = now;
        match first_error {
            None => Ok(fresh),
            Some(errno) => Err(errno.into()),
        }
    }

    /// Takes all events that are there. The same event several times in a row comes once.
    ///
    /// # Errors
    /// When reading fails for another reason than that nothing is there.
    pub fn drain(&mut self, mut handle: impl FnMut(Event)) -> io::Result<()> {
        let mut buf = [MaybeUninit::uninit(); 4096];
        let mut reader = inotify::Reader::new(&self.fd, &mut buf);
        let mut last = None;
        loop {
            let event = match reader.next() {
                Ok(event) => event,
                Err(Errno::AGAIN) => return Ok(()),
                Err(Errno::INTR) => continue,
                Err(errno) => return Err(errno.into()),
            };
            let dir = self.watches.get(&event.wd());
            let event = match (event.events(), event.file_name(), dir) {
                (events, ..) if events.contains(ReadFlags::QUEUE_OVERFLOW) => Event::Overflow,
                (events, Some(name), Some(dir)) if events == ReadFlags::MODIFY => {
                    Event::Data(dir_entry(dir, OsStr::from_bytes(name.to_bytes())))
                }
                // A watch that was given up still has its last word in the queue.
                (events, ..) if events.contains(ReadFlags::IGNORED) => continue,
                _ => Event::Names,
            };
            if last.as_ref() != Some(&event) {
                handle(event.clone());
                last = Some(event);
            }
        }
    }
}

/// Names in the current directory are followed without `./` before them.
fn dir_entry(dir: &Path, name: &OsStr) -> PathBuf {
    if dir == Path::new(".") { PathBuf::from(name) } else { dir.join(name) }
}

impl AsFd for Inotify {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn events(inotify: &mut Inotify) -> Vec<Event> {
        let mut events = Vec::new();
        inotify.drain(|event| events.push(event)).unwrap();
        events
    }

    #[test]
    fn writes_name_their_file_and_moves_say_that_names_changed() {
        let dir = std::env::temp_dir().join(format!("sys-inotify-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        let mut inotify = Inotify::new().unwrap();
        assert!(inotify.watch(std::slice::from_ref(&dir)).unwrap());
        assert!(!inotify.watch(std::slice::from_ref(&dir)).unwrap(), "nothing new");
        assert_eq!(events(&mut inotify), []);

        let file = dir.join("a");
        fs::write(&file, "x").unwrap();
        assert_eq!(events(&mut inotify), [Event::Names, Event::Data(file.clone())]);
        fs::rename(&file, dir.join("b")).unwrap();
        assert_eq!(events(&mut inotify), [Event::Names]);

        let away = dir.with_extension("away");
        fs::rename(&dir, &away).unwrap();
        fs::create_dir(&dir).unwrap();
        assert!(inotify.watch(std::slice::from_ref(&dir)).unwrap(), "a new directory");
        assert_eq!(events(&mut inotify), [Event::Names]);
        fs::write(dir.join("c"), "").unwrap();
        assert_eq!(events(&mut inotify), [Event::Names]);

        fs::remove_dir_all(&dir).unwrap();
        fs::remove_dir_all(&away).unwrap();
        assert!(inotify.watch(&[dir]).is_err());
    }
}
