//! Files: what tells one from another, reads and writes at a place, and locks.
//!
//! Owns no position and no cache. Everything is one system call, repeated when a signal cut it
//! short before it did anything.

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;

use rustix::fs::{
    AtFlags, CWD, FallocateFlags, FileType, FlockOperation, Mode, OFlags, Statx, StatxFlags,
};
use rustix::io::{Errno, retry_on_intr};
use rustix::process::{Flock, FlockType, fcntl_getlk};

/// One look at a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Probe {
    /// Device number.
    pub dev: u64,
    /// Inode number.
    pub ino: u64,
    /// Time of birth in nanoseconds since 1970; 0 where the file system has none.
    pub born_ns: u64,
    /// Time of the last write in nanoseconds since 1970.
    pub written_ns: u64,
    /// Time of the last change to the file or its names in nanoseconds since 1970.
    pub changed_ns: u64,
    /// Size in bytes.
    pub size: u64,
    /// Names that lead to it.
    pub links: u32,
    /// Whether it is a regular file.
    pub regular: bool,
}

/// Looks at what a path leads to, symbolic links followed.
///
/// # Errors
/// As statx(2).
pub fn probe_path(path: &Path) -> io::Result<Probe> {
    let seen = retry_on_intr(|| rustix::fs::statx(CWD, path, AtFlags::empty(), WANTED))?;
    Ok(probe_of(&seen))
}

/// Looks at an open file.
///
/// # Errors
/// As statx(2).
pub fn probe(fd: impl AsFd) -> io::Result<Probe> {
    let fd = fd.as_fd();
    let seen = retry_on_intr(|| rustix::fs::statx(fd, c"", AtFlags::EMPTY_PATH, WANTED))?;
    Ok(probe_of(&seen))
}

const WANTED: StatxFlags = StatxFlags::BASIC_STATS.union(StatxFlags::BTIME);

fn probe_of(seen: &Statx) -> Probe {
    let nanos = |seconds: i64, nanos: u32| {
        u64::try_from(seconds).unwrap_or(0).saturating_mul(1_000_000_000) + u64::from(nanos)
    };
    let has_birth = seen.stx_mask & StatxFlags::BTIME.bits() != 0;
    Probe {
        dev: rustix::fs::makedev(seen.stx_dev_major, seen.stx_dev_minor),
        ino: seen.stx_ino,
        born_ns: if has_birth { nanos(seen.stx_btime.tv_sec, seen.stx_btime.tv_nsec) } else { 0 },
        written_ns: nanos(seen.stx_mtime.tv_sec, seen.stx_mtime.tv_nsec),
        changed_ns: nanos(seen.stx_ctime.tv_sec, seen.stx_ctime.tv_nsec),
        size: seen.stx_size,
        links: seen.stx_nlink,
        regular: FileType::from_raw_mode(seen.stx_mode.into()) == FileType::RegularFile,
    }
}

/// Opens for reading, without ever waiting (a FIFO has no writer to wait for).
///
/// # Errors
/// As open(2).
pub fn open(path: &Path) -> io::Result<OwnedFd> {
    Ok(retry_on_intr(|| rustix::fs::open(path, READING, Mode::empty()))?)
}

pub(crate) const READING: OFlags =
    OFlags::RDONLY.union(OFlags::CLOEXEC).union(OFlags::NONBLOCK).union(OFlags::NOCTTY);

/// Opens for reading and writing; creates it, readable and writable by its owner alone.
///
/// # Errors
/// As open(2).
pub fn open_or_create(path: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::RDWR | OFlags::CLOEXEC | OFlags::CREATE | OFlags::NOCTTY;
    Ok(retry_on_intr(|| rustix::fs::open(path, flags, Mode::from_raw_mode(0o600)))?)
}

/// Reads at `offset`; 0 at or behind the end.
///
/// # Errors
/// As pread(2).
pub fn read_at(fd: impl AsFd, buf: &mut [u8], offset: u64) -> io::Result<usize> {
    let fd = fd.as_fd();
    Ok(retry_on_intr(|| rustix::io::pread(fd, &mut *buf, offset))?)
}

/// Writes all of `bytes` at `offset`.
///
/// # Errors
/// As pwrite(2); a first part may be written then.
pub fn write_all_at(fd: impl AsFd, mut bytes: &[u8], mut offset: u64) -> io::Result<()> {
    let fd = fd.as_fd();
    while !bytes.is_empty() {
        match retry_on_intr(|| rustix::io::pwrite(fd, bytes, offset))? {
            0 => return Err(Errno::NOSPC.into()),
            count => {
                bytes = &bytes[count..];
                offset += count as u64;
            }
        }
    }
    Ok(())
}

/// Has what was written reach the disk, and as much about the file as is needed to find it.
///
/// # Errors
/// As fdatasync(2).
pub fn sync_data(fd: impl AsFd) -> io::Result<()> {
    let fd = fd.as_fd();
    Ok(retry_on_intr(|| rustix::fs::fdatasync(fd))?)
}

/// The same for a folder's names.
///
/// # Errors
/// As fsync(2).
pub fn sync_all(fd: impl AsFd) -> io::Result<()> {
    let fd = fd.as_fd();
    Ok(retry_on_intr(|| rustix::fs::fsync(fd))?)
}

/// Who has a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lock {
    /// This process, until it closes any descriptor of that file, or ends.
    Ours,
    /// Another one, if it can be seen from here: its process id.
    Held(Option<u32>),
}

/// Locks a whole file that is open for writing (POSIX record lock), or says who has done so.
///
/// # Errors
/// When the file system has no locks.
pub fn lock(fd: impl AsFd) -> io::Result<Lock> {
    let fd = fd.as_fd();
    match rustix::fs::fcntl_lock(fd, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Lock::Ours),
        Err(Errno::AGAIN | Errno::ACCESS) => {
            let holder = fcntl_getlk(fd, &Flock::from(FlockType::WriteLock)).ok().flatten();
            let pid = holder.and_then(|lock| lock.pid).map(|pid| pid.as_raw_nonzero().get());
            Ok(Lock::Held(pid.and_then(|pid| u32::try_from(pid).ok())))
        }
        Err(errno) => Err(errno.into()),
    }
}

/// Where data begins at or after `offset`, holes passed over; `None` if there is none up to the
/// file's end. Where the file system cannot tell, that is `offset` itself.
pub fn data_from(fd: impl AsFd, offset: u64) -> Option<u64> {
    match rustix::fs::seek(fd, rustix::fs::SeekFrom::Data(offset)) {
        Ok(at) => Some(at.max(offset)),
        Err(Errno::NXIO) => None,
        Err(_) => Some(offset),
    }
}

/// Gives the space of the bytes from `from` to `to` back; NULs are read there from then on, and the
/// file's size stays. The descriptor may be for reading: this opens the file anew, by
/// `/proc/self/fd`, for this alone.
///
/// # Errors
/// As open(2) for writing, and as fallocate(2): `EOPNOTSUPP` where the file system cannot do it.
pub fn free(fd: impl AsFd, from: u64, to: u64) -> io::Result<()> {
    let path = format!("/proc/self/fd/{}", fd.as_fd().as_raw_fd());
    let flags = OFlags::WRONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let fd = retry_on_intr(|| rustix::fs::open(&path, flags, Mode::empty()))?;
    let hole = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    let len = to.saturating_sub(from);
    Ok(retry_on_intr(|| rustix::fs::fallocate(&fd, hole, from, len))?)
}

/// Removes a name from a folder if a regular file has it, itself and not by a link, that is the one
/// meant. False if another one has it.
///
/// # Errors
/// As statx(2) and unlink(2).
pub fn remove(
    folder: impl AsFd,
    name: &OsStr,
    is_it: impl FnOnce(&Probe) -> bool,
) -> io::Result<bool> {
    let folder = folder.as_fd();
    let look = || rustix::fs::statx(folder, name, AtFlags::SYMLINK_NOFOLLOW, WANTED);
    let seen = probe_of(&retry_on_intr(look)?);
    if !seen.regular || !is_it(&seen) {
        return Ok(false);
    }
    retry_on_intr(|| rustix::fs::unlinkat(folder, name, AtFlags::empty()))?;
    Ok(true)
}

/// Opens a folder, to look up names in.
///
/// # Errors
/// As open(2).
pub fn open_folder(path: &Path) -> io::Result<OwnedFd> {
    Ok(retry_on_intr(|| rustix::fs::open(path, FOLDER, Mode::empty()))?)
}

pub(crate) const FOLDER: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_file_keeps_its_identity_through_a_rename_and_loses_its_link_when_deleted() {
        let path = std::env::temp_dir().join(format!("sys-file-{}", std::process::id()));
        let moved = path.with_extension("moved");
        let fd = open_or_create(&path).unwrap();
        write_all_at(&fd, b"hello", 3).unwrap();
        let first = probe(&fd).unwrap();
        assert!(first.regular && first.size == 8 && first.links == 1);
        fs::rename(&path, &moved).unwrap();
        let found = probe_path(&moved).unwrap();
        assert_eq!(Probe { changed_ns: first.changed_ns, ..found }, first);
        assert_eq!(probe_path(&path).unwrap_err().kind(), io::ErrorKind::NotFound);
        fs::remove_file(&moved).unwrap();
        assert_eq!(probe(&fd).unwrap().links, 0);

        let mut buf = [9; 16];
        assert_eq!(read_at(&fd, &mut buf, 0).unwrap(), 8);
        assert_eq!(&buf[..8], b"\0\0\0hello");
        assert_eq!(read_at(&fd, &mut buf, 8).unwrap(), 0);
        assert!(!probe_path(Path::new("/")).unwrap().regular);
    }

    #[test]
    fn space_that_is_freed_is_nuls_and_the_size_stays() {
        let path = std::env::temp_dir().join(format!("sys-free-{}", std::process::id()));
        write_all_at(open_or_create(&path).unwrap(), &[b'x'; 64 << 10], 0).unwrap();
        let blocks = || std::os::unix::fs::MetadataExt::blocks(&fs::metadata(&path).unwrap());
        sync_all(open(&path).unwrap()).unwrap();
        let before = blocks();
        let fd = open(&path).unwrap();
        match free(&fd, 5000, 60_000) {
            Err(error) => assert_eq!(Errno::from_io_error(&error), Some(Errno::OPNOTSUPP)),
            Ok(()) => {
                let mut seen = vec![1; 64 << 10];
                assert_eq!(read_at(&fd, &mut seen, 0).unwrap(), 64 << 10);
                assert!(seen[5000..60_000].iter().all(|byte| *byte == 0));
                assert!(seen[..5000].iter().chain(&seen[60_000..]).all(|byte| *byte == b'x'));
                assert!(blocks() + 96 <= before, "{} of {before} are left", blocks());
            }
        }
        assert_eq!(probe(&fd).unwrap().size, 64 << 10);
        // The descriptor itself is for reading, and stays so.
        assert!(write_all_at(&fd, b"y", 0).is_err());
        fs::remove_file(&path).unwrap();
    }

    #[test]
    fn only_the_file_that_is_meant_is_removed_and_no_link() {
        let folder = std::env::temp_dir().join(format!("sys-remove-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("file"), "x").unwrap();
        std::os::unix::fs::symlink("file", folder.join("link")).unwrap();
        let fd = open_folder(&folder).unwrap();
        let id = probe_path(&folder.join("file")).unwrap().ino;
        assert!(!remove(&fd, OsStr::new("link"), |seen| seen.ino == id).unwrap());
        assert!(!remove(&fd, OsStr::new("file"), |seen| seen.ino != id).unwrap());
        assert!(remove(&fd, OsStr::new("file"), |seen| seen.ino == id).unwrap());
        let gone = remove(&fd, OsStr::new("file"), |_| true).unwrap_err();
        assert_eq!(gone.kind(), io::ErrorKind::NotFound);
        assert!(folder.join("link").is_symlink());
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_hole_is_passed_over() {
        let path = std::env::temp_dir().join(format!("sys-hole-{}", std::process::id()));
        let fd = open_or_create(&path).unwrap();
        write_all_at(&fd, b"x", 1 << 20).unwrap();
        assert!(data_from(&fd, 0).is_some_and(|at| at <= 1 << 20), "never past data");
        assert_eq!(data_from(&fd, (1 << 20) + 1), None);
        fs::remove_file(&path).unwrap();
    }
}
