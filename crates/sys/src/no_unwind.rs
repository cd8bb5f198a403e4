//! In the place of the library that walks the stack: programs that abort on a panic.
//!
//! The static programs have no tables for unwinding (`scripts/layout.ld`), so that nothing can
//! be walked there. The standard library's trace of a panic would call that library all the same;
//! told here at once that there is no frame, it needs neither the library nor the readers of debug
//! information that would name one: 200 KB of each program. Where panics unwind, as in tests, none
//! of this is compiled.

use std::ffi::{c_int, c_void};

/// `unwind.h`: `_URC_END_OF_STACK`.
const END_OF_STACK: c_int = 5;

/// Nobody is called back: there is no frame.
#[expect(unsafe_code, reason = "the name by which the standard library asks")]
// SAFETY: the only definition of this name in a program, for the library's is linked only where it
// is missed; it takes the arguments that `unwind.h` says and looks at none.
#[unsafe(no_mangle)]
extern "C" fn _Unwind_Backtrace(_visit: *const c_void, _argument: *mut c_void) -> c_int {
    END_OF_STACK
}

/// What is asked for, or done, within a frame, which nobody ever has.
macro_rules! within_a_frame {
    ($($name:ident),*) => {$(
        #[expect(unsafe_code, reason = "the name by which the standard library asks")]
        // SAFETY: as above; whatever its arguments are, it ends the process.
        #[unsafe(no_mangle)]
        extern "C" fn $name() -> usize {
            std::process::abort()
        }
    )*};
}

within_a_frame!(
    _Unwind_DeleteException,
    _Unwind_FindEnclosingFunction,
    _Unwind_GetCFA,
    _Unwind_GetDataRelBase,
    _Unwind_GetIP,
    _Unwind_GetIPInfo,
    _Unwind_GetLanguageSpecificData,
    _Unwind_GetRegionStart,
    _Unwind_GetTextRelBase,
    _Unwind_RaiseException,
    _Unwind_Resume,
    _Unwind_SetGR,
    _Unwind_SetIP
);
