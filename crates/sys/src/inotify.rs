//! inotify over directories: which of them changed, and how.
//!
//! Owns the watches. It does not say what a file's new state is: events tell that it is worth a
//! look, nothing more, so they may be lost, merged or come late without harm.

use std::collections::BTreeMap;
use std::ffi::{CStr, OsStr};
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
    /// This name came, went, moved, or leads to a file with other rights now.
    Name(PathBuf),
    /// Many names may have changed: a folder came or went, or the watched one did.
    Names,
    /// Events were lost.
    Overflow,
}

/// Watches directories.
#[derive(Debug)]
pub struct Inotify {
    fd: OwnedFd,
    /// The directories of each watch, by all the names they were given by.
    watches: BTreeMap<i32, Vec<PathBuf>>,
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
    pub fn watch<'a>(&mut self, dirs: impl IntoIterator<Item = &'a PathBuf>) -> io::Result<bool> {
        let mut now: BTreeMap<i32, Vec<PathBuf>> = BTreeMap::new();
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
                    let names = now.entry(watch).or_default();
                    if !names.contains(dir) {
                        names.push(dir.clone());
                    }
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
        let fresh = now.iter().any(|(watch, names)| self.watches.get(watch) != Some(names));
        self.watches = now;
        match first_error {
            None => Ok(fresh),
            Some(errno) => Err(errno.into()),
        }
    }

    /// Takes the events that are there, or a first part of very many. The same event several times
    /// in a row comes once.
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
            let seen = (event.wd(), event.events(), event.file_name().map(CStr::to_owned));
            if last.as_ref() != Some(&seen) {
                let (watch, events, name) = &seen;
                self.tell(*watch, *events, name.as_deref(), &mut handle);
                last = Some(seen);
            }
            if reader.is_buffer_empty() {
                // What is left is readable still.
                return Ok(());
            }
        }
    }

    fn tell(
        &self,
        watch: i32,
        events: ReadFlags,
        name: Option<&CStr>,
        handle: &mut impl FnMut(Event),
    ) {
        let dirs = self.watches.get(&watch);
        match (name, dirs) {
            _ if events.contains(ReadFlags::QUEUE_OVERFLOW) => handle(Event::Overflow),
            // A watch that was given up still has its last word in the queue.
            _ if events.contains(ReadFlags::IGNORED) => {}
            (Some(name), Some(dirs)) if !events.contains(ReadFlags::ISDIR) => {
                for dir in dirs {
                    let path = dir_entry(dir, OsStr::from_bytes(name.to_bytes()));
                    handle(match events == ReadFlags::MODIFY {
                        true => Event::Data(path),
                        false => Event::Name(path),
                    });
                }
            }
            _ => handle(Event::Names),
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
        assert!(inotify.watch([&dir]).unwrap());
        assert!(!inotify.watch([&dir]).unwrap(), "nothing new");
        assert_eq!(events(&mut inotify), []);

        let file = dir.join("a");
        fs::write(&file, "x").unwrap();
        assert_eq!(events(&mut inotify), [Event::Name(file.clone()), Event::Data(file.clone())]);
        let other = dir.join("b");
        fs::rename(&file, &other).unwrap();
        assert_eq!(events(&mut inotify), [Event::Name(file), Event::Name(other)]);

        let away = dir.with_extension("away");
        fs::rename(&dir, &away).unwrap();
        fs::create_dir(&dir).unwrap();
        assert!(inotify.watch([&dir]).unwrap(), "a new directory");
        assert_eq!(events(&mut inotify), [Event::Names]);
        fs::write(dir.join("c"), "").unwrap();
        assert_eq!(events(&mut inotify), [Event::Name(dir.join("c"))]);
        fs::create_dir(dir.join("d")).unwrap();
        assert_eq!(events(&mut inotify), [Event::Names]);

        // By a second name of the same directory, too.
        let alias = dir.with_extension("alias");
        std::os::unix::fs::symlink(&dir, &alias).unwrap();
        assert!(inotify.watch([&dir, &alias]).unwrap());
        fs::write(dir.join("c"), "x").unwrap();
        let both = [Event::Data(dir.join("c")), Event::Data(alias.join("c"))];
        assert_eq!(events(&mut inotify), both);
        fs::remove_file(&alias).unwrap();

        fs::remove_dir_all(&dir).unwrap();
        fs::remove_dir_all(&away).unwrap();
        assert!(inotify.watch([&dir]).is_err());
    }
}
