//! Files of users and passwords, read whole whenever somebody asks: what changes in them holds at
//! once.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;

use proxy_core::net::Cause;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

/// A larger file is none of users.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Reads a file. One that would make the reader wait, a pipe say, is refused.
pub(super) fn read(path: &[u8]) -> Result<Vec<u8>, Cause> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
    let cause = |errno: Errno| Cause(errno.raw_os_error());
    let file = rustix::fs::open(OsStr::from_bytes(path), flags, Mode::empty()).map_err(cause)?;
    let file = File::from(file);
    let other = |error: std::io::Error| Cause(error.raw_os_error().unwrap_or(0));
    let metadata = file.metadata().map_err(other)?;
    if !metadata.is_file() {
        let errno = if metadata.is_dir() { Errno::ISDIR } else { Errno::INVAL };
        return Err(cause(errno));
    }
    let mut text = Vec::new();
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut text).map_err(other)?;
    if text.len() as u64 > FILE_BYTES_MAX { Err(cause(Errno::FBIG)) } else { Ok(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, expected: Result<usize, Errno>) {
        let found = read(path.as_bytes()).map(|text| text.len());
        assert_eq!(found, expected.map_err(|errno| Cause(errno.raw_os_error())), "{path}");
    }

    #[test]
    fn a_file_is_read_whole_and_nothing_else_is() {
        let folder = std::env::temp_dir().join(format!("user-file-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("users");
        let shown = path.display().to_string();
        for (bytes, expected) in
            [(0, Ok(0)), (1 << 20, Ok(1 << 20)), ((1 << 20) + 1, Err(Errno::FBIG))]
        {
            std::fs::write(&path, vec![b'a'; bytes]).unwrap();
            check(&shown, expected);
        }
        check(&folder.display().to_string(), Err(Errno::ISDIR));
        check(&format!("{shown}-not"), Err(Errno::NOENT));
        check("/dev/null", Err(Errno::INVAL));
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
