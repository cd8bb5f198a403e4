//! Copying memory, where musl's own way is slow.
//!
//! Owns `memcpy` and `memmove` of the static programs on x86-64. musl's begins a string instruction for
//! however few bytes, which costs more than most copies of a header field or of a log line: here up to
//! 128 bytes are loaded into registers at once and stored from there, and more in a loop of 64. For
//! arm64 musl has as much.
//!
//! Everything that is loaded before the first store may lie beneath it, so that one way serves memory
//! that overlaps and memory that does not.

/// Defines a copy under its names (System V ABI: rdi to, rsi from, rdx bytes; returns rdi).
macro_rules! copy {
    ($($name:literal),*) => {
        core::arch::global_asm!(
            ".p2align 4",
            $(concat!(".globl ", $name, "\n.type ", $name, ",@function\n", $name, ":"),)*
            "mov rax, rdi",
            "cmp rdx, 16",
            "jb 30f",
            "movups xmm0, [rsi]",
            "movups xmm1, [rsi + rdx - 16]",
            "cmp rdx, 32",
            "ja 10f",
            "movups [rdi], xmm0",
            "movups [rdi + rdx - 16], xmm1",
            "ret",
            // 33 to 64: both ends again, one step further in.
            "10: movups xmm2, [rsi + 16]",
            "movups xmm3, [rsi + rdx - 32]",
            "cmp rdx, 64",
            "ja 11f",
            "movups [rdi], xmm0",
            "movups [rdi + 16], xmm2",
            "movups [rdi + rdx - 32], xmm3",
            "movups [rdi + rdx - 16], xmm1",
            "ret",
            // 65 to 128: and two steps further.
            "11: movups xmm4, [rsi + 32]",
            "movups xmm5, [rsi + 48]",
            "movups xmm6, [rsi + rdx - 64]",
            "movups xmm7, [rsi + rdx - 48]",
            "cmp rdx, 128",
            "ja 20f",
            "movups [rdi], xmm0",
            "movups [rdi + 16], xmm2",
            "movups [rdi + 32], xmm4",
            "movups [rdi + 48], xmm5",
            "movups [rdi + rdx - 64], xmm6",
            "movups [rdi + rdx - 48], xmm7",
            "movups [rdi + rdx - 32], xmm3",
            "movups [rdi + rdx - 16], xmm1",
            "ret",
            // More: forwards, unless the end of `from` is overwritten by that.
            "20: mov rcx, rdi",
            "sub rcx, rsi",
            "cmp rcx, rdx",
            "jb 22f",
            // The last 64 bytes wait in registers; r8 is where they go.
            "lea r8, [rdi + rdx - 64]",
            "21: movups xmm0, [rsi]",
            "movups xmm2, [rsi + 16]",
            "movups xmm4, [rsi + 32]",
            "movups xmm5, [rsi + 48]",
            "movups [rdi], xmm0",
            "movups [rdi + 16], xmm2",
            "movups [rdi + 32], xmm4",
            "movups [rdi + 48], xmm5",
            "add rsi, 64",
            "add rdi, 64",
            "cmp rdi, r8",
            "jb 21b",
            "movups [r8], xmm6",
            "movups [r8 + 16], xmm7",
            "movups [r8 + 32], xmm3",
            "movups [r8 + 48], xmm1",
            "ret",
            // Backwards; the first 64 bytes wait in registers.
            "22: movups xmm1, [rsi + rdx - 16]",
            "movups xmm3, [rsi + rdx - 32]",
            "movups xmm7, [rsi + rdx - 48]",
            "movups xmm6, [rsi + rdx - 64]",
            "movups [rdi + rdx - 16], xmm1",
            "movups [rdi + rdx - 32], xmm3",
            "movups [rdi + rdx - 48], xmm7",
            "movups [rdi + rdx - 64], xmm6",
            "sub rdx, 64",
            "cmp rdx, 64",
            "ja 22b",
            "movups [rdi], xmm0",
            "movups [rdi + 16], xmm2",
            "movups [rdi + 32], xmm4",
            "movups [rdi + 48], xmm5",
            "ret",
            // Fewer than 16: two words, halves or quarters that meet or overlap, or one byte, or none.
            "30: cmp edx, 8",
            "jb 31f",
            "mov rcx, [rsi]",
            "mov r8, [rsi + rdx - 8]",
            "mov [rdi], rcx",
            "mov [rdi + rdx - 8], r8",
            "ret",
            "31: cmp edx, 4",
            "jb 32f",
            "mov ecx, [rsi]",
            "mov r8d, [rsi + rdx - 4]",
            "mov [rdi], ecx",
            "mov [rdi + rdx - 4], r8d",
            "ret",
            "32: cmp edx, 2",
            "jb 33f",
            "movzx ecx, word ptr [rsi]",
            "movzx r8d, byte ptr [rsi + rdx - 1]",
            "mov [rdi], cx",
            "mov [rdi + rdx - 1], r8b",
            "ret",
            "33: test edx, edx",
            "jz 34f",
            "movzx ecx, byte ptr [rsi]",
            "mov [rdi], cl",
            "34: ret",
            $(concat!(".size ", $name, ", . - ", $name),)*
        );
    };
}

// Both are defined here, so that the linker takes neither from musl.
#[cfg(target_env = "musl")]
copy!("memcpy", "memmove");
#[cfg(all(test, not(target_env = "musl")))]
copy!("sys_copy_of_test");

#[cfg(all(test, not(target_env = "musl")))]
mod tests {
    unsafe extern "C" {
        fn sys_copy_of_test(to: *mut u8, from: *const u8, bytes: usize) -> *mut u8;
    }

    /// Copies within one piece of memory, and compares with what the standard library does.
    fn check(to: usize, from: usize, bytes: usize) {
        let before: Vec<u8> = (0..1024_u32).map(|place| (place * 7 % 251) as u8).collect();
        let (mut expected, mut seen) = (before.clone(), before);
        expected.copy_within(from..from + bytes, to);
        let memory = seen.as_mut_ptr();
        assert!(to + bytes <= seen.len() && from + bytes <= seen.len());
        // SAFETY: both ranges are within `seen`, as was just asserted, and may overlap.
        let returned = unsafe { sys_copy_of_test(memory.add(to), memory.add(from), bytes) };
        assert_eq!(returned, memory.wrapping_add(to));
        assert!(seen == expected, "{bytes} bytes from {from} to {to}");
    }

    #[test]
    fn any_number_of_bytes_is_copied_and_none_beside_them() {
        for bytes in 0..400 {
            for place in [0, 1, 7, 16, 33] {
                check(512 + place, 3, bytes);
                check(place, 512 + place % 3, bytes);
            }
        }
    }

    #[test]
    fn memory_that_overlaps_is_copied_as_it_was() {
        for bytes in 0..400 {
            for shift in [0, 1, 5, 8, 15, 16, 17, 31, 48, 63, 64, 65, 100, 130, 200] {
                check(300 + shift, 300, bytes);
                check(300 - shift, 300, bytes);
            }
        }
    }
}
