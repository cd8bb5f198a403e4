//! Standard output as the program was given it, and writes to it that do not wait.
//!
//! Owns no buffer and no knowledge of who reads. Which of the ways to write is right for what
//! stdout is, the caller decides.

use std::io::IoSlice;
use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::OFlags;
use rustix::io::{Errno, ReadWriteFlags, retry_on_intr};
use rustix::net::SendFlags;

static CLOSED: AtomicBool = AtomicBool::new(false);

/// Looks before anything else runs: the standard library opens `/dev/null` in the place of a
/// stdout that is not there, and from then on the two cannot be told apart.
extern "C" fn look_at_start() {
    let gone = rustix::io::fcntl_getfd(rustix::stdio::stdout()) == Err(Errno::BADF);
    CLOSED.store(gone, Ordering::Relaxed);
}

#[used]
#[expect(unsafe_code, reason = "the one place that is early enough")]
// SAFETY: the C runtime calls every function of this section once, in the only thread, and ignores
// arguments it does not declare; this one makes a system call and stores a flag, no more.
#[unsafe(link_section = ".init_array")]
static LOOK_AT_START: extern "C" fn() = look_at_start;

/// Whether the program was started with stdout closed, or open for reading alone.
pub fn is_unusable() -> bool {
    let flags = rustix::fs::fcntl_getfl(fd());
    let is_read_only = flags.is_ok_and(|flags| flags & OFlags::RWMODE == OFlags::RDONLY);
    CLOSED.load(Ordering::Relaxed) || is_read_only
}

/// Standard output.
pub fn fd() -> BorrowedFd<'static> {
    rustix::stdio::stdout()
}

/// Writes what there is room for, whether or not the descriptor is non-blocking (Linux 6.4 for
/// pipes); [`Errno::OPNOTSUPP`] where that cannot be had.
///
/// # Errors
/// As pwritev2(2): [`Errno::AGAIN`] if there is no room.
pub fn write_now(bytes: &[u8]) -> Result<usize, Errno> {
    let bytes = [IoSlice::new(bytes)];
    retry_on_intr(|| rustix::io::pwritev2(fd(), &bytes, u64::MAX, ReadWriteFlags::NOWAIT))
}

/// The same for a socket.
///
/// # Errors
/// As send(2): [`Errno::AGAIN`] if there is no room.
pub fn send_now(bytes: &[u8]) -> Result<usize, Errno> {
    let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
    retry_on_intr(|| rustix::net::send(fd(), bytes, flags))
}
