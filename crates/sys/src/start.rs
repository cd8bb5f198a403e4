//! Memory that only the start of a program has needed: given back, for what runs on is small.

use std::ffi::c_void;

use rustix::mm::{Advice, madvise};

#[expect(unsafe_code, reason = "names that the linker defines")]
// SAFETY: every linker of ELF defines both where they are asked for; only their addresses are taken.
unsafe extern "C" {
    static __executable_start: u8;
    static etext: u8;
}

/// The largest page of the systems that the kit is built for. What is left out of smaller ones at
/// both ends does not matter.
const PAGE_BYTES: usize = 64 << 10;
/// So much of the stack below this function's own frame is left to it and to what it calls.
const FRAMES_BYTES: usize = 8 << 10;
/// So far below reaches what is given back of the stack. The system keeps as much and more free
/// below a stack, so that nobody else's memory is there.
const DEPTH_BYTES: usize = 256 << 10;

/// Gives back the program's code and constants, so that only what is run from now on counts as
/// this process's memory. The system takes each page up again, from its cache of the program's
/// file, when it is next run. A refusal leaves all as it was.
pub fn forget_code() {
    let start = (&raw const __executable_start).addr();
    let end = (&raw const etext).addr();
    // Pages of the program's file, mapped to be read and run: nothing ever writes there, so that
    // what is read anew is what was there.
    advise(start.next_multiple_of(PAGE_BYTES), end / PAGE_BYTES * PAGE_BYTES);
}

/// Gives back what lies below on this stack, if it is the main thread's: others may lie close to
/// what is somebody else's.
pub fn forget_stack() {
    if rustix::thread::gettid() != rustix::process::getpid() {
        return;
    }
    let local = 0_u8;
    let top =
        (std::ptr::from_ref(std::hint::black_box(&local)).addr() - FRAMES_BYTES) / STACK_PAGE_BYTES;
    // Below every frame that is in use.
    advise(top * STACK_PAGE_BYTES - DEPTH_BYTES, top * STACK_PAGE_BYTES);
}

/// The stack's pages, of which there are few; advice about larger ones is refused.
const STACK_PAGE_BYTES: usize = 4 << 10;

fn advise(start: usize, end: usize) {
    let Some(bytes) = end.checked_sub(start) else { return };
    #[expect(unsafe_code, reason = "advice about memory that is not one's own")]
    // SAFETY: what was written there is read by nobody, as each caller says of its range.
    let _ = unsafe { madvise(start as *mut c_void, bytes, Advice::LinuxDontNeed) };
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_was_forgotten_runs_on() {
        let text = format!("{:?}", std::time::Duration::from_millis(1_500));
        super::forget_code();
        super::forget_stack();
        assert_eq!(format!("{:?}", std::time::Duration::from_millis(1_500)), text);
    }
}
