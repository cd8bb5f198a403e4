//! Copying few bytes.
//!
//! musl's `memcpy` for x86_64 moves bytes one by one up to an aligned place and then by a string
//! instruction, either of which takes longer to begin than most copies here take as a whole: names
//! and values of fields. These two take its place in the static programs. They have no loop, which
//! the compiler would turn into a call of one of them.

/// Copies `len` bytes, at least `N` and at most twice as many: the first `N` and the last, both
/// read before either is written.
///
/// # Safety
/// So many can be read at `from` and written at `to`.
#[inline(always)]
#[expect(unsafe_code, reason = "a copy between raw places")]
// SAFETY: the caller's.
unsafe fn both_ends<const N: usize>(to: *mut u8, from: *const u8, len: usize) {
    debug_assert!((N..=2 * N).contains(&len));
    // SAFETY: neither word begins before the range, nor ends behind it; bytes have no alignment.
    unsafe {
        let first = from.cast::<[u8; N]>().read_unaligned();
        let last = from.add(len - N).cast::<[u8; N]>().read_unaligned();
        to.cast::<[u8; N]>().write_unaligned(first);
        to.add(len - N).cast::<[u8; N]>().write_unaligned(last);
    }
}

/// Copies up to 32 bytes between places that may overlap, or leaves more to `many`.
///
/// # Safety
/// So many can be read at `from` and written at `to`.
#[inline(always)]
#[expect(unsafe_code, reason = "a copy between raw places")]
// SAFETY: the caller's.
unsafe fn copy(to: *mut u8, from: *const u8, len: usize) {
    // SAFETY: each arm keeps to `len` bytes, as its function asks for.
    unsafe {
        match len {
            0 => {}
            1 => to.write(from.read()),
            2..4 => both_ends::<2>(to, from, len),
            4..8 => both_ends::<4>(to, from, len),
            8..16 => both_ends::<8>(to, from, len),
            16..=32 => both_ends::<16>(to, from, len),
            _ => many(to, from, len),
        }
    }
}

/// The same for any number, by the instruction that is made for many: downwards where the front
/// of what is read would else be written over.
///
/// # Safety
/// As `copy`'s.
#[expect(unsafe_code, reason = "a copy between raw places")]
// SAFETY: the caller's.
unsafe fn many(to: *mut u8, from: *const u8, len: usize) {
    let is_upwards = to.addr().wrapping_sub(from.addr()) >= len;
    // By the ABI the direction flag is clear, and has to be so again at the end.
    // SAFETY: each reads and writes `len` bytes, of which there is one at least downwards.
    unsafe {
        if is_upwards {
            std::arch::asm!("rep movsb", inout("rcx") len => _, inout("rdi") to => _,
                inout("rsi") from => _, options(nostack, preserves_flags));
        } else {
            std::arch::asm!("std", "rep movsb", "cld", inout("rcx") len => _,
                inout("rdi") to.add(len - 1) => _, inout("rsi") from.add(len - 1) => _,
                options(nostack));
        }
    }
}

/// C's, which may be called as if it were `memmove`.
#[cfg(target_env = "musl")]
#[expect(unsafe_code, reason = "the name by which compiled code copies")]
// SAFETY: the only definition of this name in a program, for musl's is linked only where it is
// missed; it does what C says of it, and the caller keeps to what C asks for.
#[unsafe(no_mangle)]
unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, len: usize) -> *mut u8 {
    // SAFETY: the caller's.
    unsafe { copy(to, from, len) };
    to
}

/// C's. musl's own would bring its `memcpy` along.
#[cfg(target_env = "musl")]
#[expect(unsafe_code, reason = "the name by which compiled code copies")]
// SAFETY: as above.
#[unsafe(no_mangle)]
unsafe extern "C" fn memmove(to: *mut u8, from: *const u8, len: usize) -> *mut u8 {
    // SAFETY: the caller's.
    unsafe { copy(to, from, len) };
    to
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Copies within one row of bytes, as `copy_within` does it.
    fn check(from: usize, to: usize, len: usize) {
        let before: Vec<u8> = (0..=255).cycle().take(1_500).collect();
        let (mut copied, mut expected) = (before.clone(), before);
        expected.copy_within(from..from + len, to);
        assert!(copied.len() >= from.max(to) + len);
        let start = copied.as_mut_ptr();
        #[expect(unsafe_code, reason = "what is tested")]
        // SAFETY: both ranges are within the row, as was just asserted.
        unsafe {
            copy(start.add(to), start.add(from), len);
        }
        assert!(copied == expected, "{len} bytes from {from} to {to}");
    }

    #[test]
    fn as_many_bytes_are_copied_as_asked_for_and_no_more() {
        for len in (0..300).chain([511, 512, 600]) {
            for (from, to) in [(0, 700), (701, 3), (805, 100), (8, 807)] {
                check(from, to, len);
            }
        }
    }

    #[test]
    fn what_overlaps_is_read_before_it_is_written() {
        for len in 0..200 {
            for distance in 0..70 {
                check(100, 100 + distance, len);
                check(100 + distance, 100, len);
            }
        }
    }
}
