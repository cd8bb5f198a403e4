//! Holding signals back from a thread (pthread_sigmask(3)). It handles none.

use std::io;
use std::mem::MaybeUninit;
use std::ptr;

/// Runs `work` while `signals` are held back from this thread; what comes meanwhile is delivered
/// afterwards, even if `work` panics. Other threads of the program are still given them.
///
/// # Errors
/// When a number is that of no signal.
pub fn hold<T>(signals: &[i32], work: impl FnOnce() -> T) -> io::Result<T> {
    let held = Held::new(signals)?;
    let result = work();
    drop(held);
    Ok(result)
}

/// The mask as it was, which comes back at the end.
struct Held(libc::sigset_t);

#[allow(unsafe_code, reason = "signal sets are filled in by the C library alone")]
impl Held {
    fn new(signals: &[i32]) -> io::Result<Held> {
        let (mut set, mut former) = (MaybeUninit::uninit(), MaybeUninit::uninit());
        // SAFETY: sigemptyset fills the set in before it is read; all pointers are to locals.
        unsafe {
            libc::sigemptyset(set.as_mut_ptr());
            for &signal in signals {
                if libc::sigaddset(set.as_mut_ptr(), signal) != 0 {
                    return Err(io::Error::last_os_error());
                }
            }
            match libc::pthread_sigmask(libc::SIG_BLOCK, set.as_ptr(), former.as_mut_ptr()) {
                // SAFETY: without an error it has filled in the former mask.
                0 => Ok(Held(former.assume_init())),
                code => Err(io::Error::from_raw_os_error(code)),
            }
        }
    }
}

#[allow(unsafe_code, reason = "the mask is set by the C library alone")]
impl Drop for Held {
    fn drop(&mut self) {
        // SAFETY: the mask is one that the C library has filled in; nothing is written back.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &self.0, ptr::null_mut()) };
    }
}
