//! Ports for the programs that tests start.

use std::net::TcpListener;
use std::sync::atomic::{AtomicU32, Ordering};

/// A port of 127.0.0.1 that was free a moment ago, and that the kernel gives to nobody who asks for
/// any: a client's own port must not be taken for a program's.
pub fn free_port() -> u16 {
    const BELOW_EPHEMERAL: u32 = 20_000;
    static NEXT: AtomicU32 = AtomicU32::new(0);
    loop {
        let serial = NEXT.fetch_add(1, Ordering::Relaxed);
        let offset = (std::process::id().wrapping_mul(97) + serial) % BELOW_EPHEMERAL;
        let port = u16::try_from(12_000 + offset).unwrap();
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
