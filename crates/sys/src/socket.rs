//! Non-blocking stream sockets: listening, accepting, connecting, reading and writing.
//!
//! Every call returns at once; `WouldBlock` is an answer, not an error. No retries and no timeouts.

use std::ffi::{c_int, c_void};
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{self, AddressFamily, SocketAddrUnix, SocketFlags, SocketType, sockopt};

/// What a read or a write came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// That many bytes went.
    Bytes(usize),
    /// The peer has ended its stream (reads only).
    End,
    /// Nothing now: wait for the next readiness.
    WouldBlock,
    /// The connection is gone (reset, broken pipe, timed out …).
    Gone(Errno),
}

fn family(address: SocketAddr) -> AddressFamily {
    if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 }
}

fn new_socket(address: SocketAddr) -> io::Result<OwnedFd> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    Ok(net::socket_with(family(address), SocketType::STREAM, flags, None)?)
}

/// A listening socket. `ipv6_only` matters to IPv6 addresses only.
pub fn listen(address: SocketAddr, ipv6_only: bool, backlog: i32) -> io::Result<OwnedFd> {
    let socket = new_socket(address)?;
    start_listening(socket, address, ipv6_only, backlog)
}

/// The same beside a socket that is in its way, for both of which [`share_port`] holds.
pub fn listen_beside(address: SocketAddr, ipv6_only: bool, backlog: i32) -> io::Result<OwnedFd> {
    let socket = new_socket(address)?;
    share_port(&socket, true)?;
    start_listening(socket, address, ipv6_only, backlog)
}

fn start_listening(
    socket: OwnedFd,
    address: SocketAddr,
    ipv6_only: bool,
    backlog: i32,
) -> io::Result<OwnedFd> {
    sockopt::set_socket_reuseaddr(&socket, true)?;
    if address.is_ipv6() {
        sockopt::set_ipv6_v6only(&socket, ipv6_only)?;
    }
    // Accepted sockets inherit it.
    set_nodelay(&socket);
    net::bind(&socket, &address)?;
    net::listen(&socket, backlog)?;
    Ok(socket)
}

/// Lets a second socket be bound where this one is, or no longer. Both need it while the second one
/// is bound; nothing else may be bound there in between (Linux: `SO_REUSEPORT`, same user only).
pub fn share_port(socket: impl AsFd, is_shared: bool) -> io::Result<()> {
    Ok(sockopt::set_socket_reuseport(socket, is_shared)?)
}

/// The address a socket is bound to.
pub fn local_address(socket: impl AsFd) -> io::Result<SocketAddr> {
    let address = net::getsockname(socket)?;
    SocketAddr::try_from(address)
        .map_err(|errno| io::Error::from_raw_os_error(errno.raw_os_error()))
}

/// Takes one waiting connection; `None` when none waits or the client has left again.
pub fn accept(listener: impl AsFd) -> io::Result<Option<(OwnedFd, SocketAddr)>> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    match net::acceptfrom_with(listener, flags) {
        Ok((socket, Some(address))) => {
            let address = SocketAddr::try_from(address)
                .map_err(|errno| io::Error::from_raw_os_error(errno.raw_os_error()))?;
            Ok(Some((socket, address)))
        }
        Ok((_, None)) | Err(Errno::AGAIN | Errno::CONNABORTED | Errno::INTR) => Ok(None),
        Err(errno) => Err(errno.into()),
    }
}

/// Begins to connect. The socket becomes writable when it is done; `connect_result` then tells.
pub fn connect(address: SocketAddr) -> io::Result<OwnedFd> {
    let socket = new_socket(address)?;
    begin_connect(&socket, address)?;
    Ok(socket)
}

/// A socket for connecting to `to` that comes from an address of this host. Where that has no port
/// the system chooses one when it connects, so that each peer has all ports.
pub fn bound(to: SocketAddr, from: SocketAddr) -> io::Result<OwnedFd> {
    let socket = new_socket(to)?;
    match from.port() {
        0 => bind_address_no_port(&socket),
        _ => sockopt::set_socket_reuseaddr(&socket, true)?,
    }
    net::bind(&socket, &from)?;
    Ok(socket)
}

/// `IP_BIND_ADDRESS_NO_PORT` of `linux/in.h`, for IPv6 too: the port is chosen with the peer known.
/// Where that fails it is chosen at once, and each is used for one peer.
fn bind_address_no_port(socket: &OwnedFd) {
    #[expect(unsafe_code, reason = "no crate in use has this option")]
    unsafe extern "C" {
        fn setsockopt(
            fd: c_int,
            level: c_int,
            name: c_int,
            value: *const c_void,
            len: u32,
        ) -> c_int;
    }
    const IPPROTO_IP: c_int = 0;
    const IP_BIND_ADDRESS_NO_PORT: c_int = 24;
    let on: c_int = 1;
    let (fd, value) = (socket.as_raw_fd(), (&raw const on).cast());
    #[expect(unsafe_code, reason = "no crate in use has this option")]
    // SAFETY: the descriptor is open, and the value is an int that lives beyond the call.
    unsafe {
        setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, value, size_of::<c_int>() as u32);
    }
}

/// Begins to connect a socket.
pub fn begin_connect(socket: impl AsFd, address: SocketAddr) -> io::Result<()> {
    set_nodelay(&socket);
    match net::connect(&socket, &address) {
        Ok(()) | Err(Errno::INPROGRESS) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

/// Begins to connect to a socket in the file system, which ends at once. `EAGAIN`, where the queue
/// of who listens there is full, is an error: nothing tells when to try again.
pub fn connect_unix(path: &[u8]) -> io::Result<OwnedFd> {
    let address = SocketAddrUnix::new(path)?;
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    net::connect(&socket, &address)?;
    Ok(socket)
}

/// How a begun connect has ended.
pub fn connect_result(socket: impl AsFd) -> io::Result<()> {
    sockopt::socket_error(socket)??;
    Ok(())
}

/// Small writes leave at once. A failure costs latency only.
pub fn set_nodelay(socket: impl AsFd) {
    let _ = sockopt::set_tcp_nodelay(socket, true);
}

/// Reads into `buffer`.
pub fn read(socket: impl AsFd, buffer: &mut [u8]) -> Outcome {
    loop {
        match net::recv(&socket, &mut *buffer, net::RecvFlags::empty()) {
            Ok((0, _)) => return Outcome::End,
            Ok((count, _)) => return Outcome::Bytes(count),
            Err(Errno::AGAIN) => return Outcome::WouldBlock,
            Err(Errno::INTR) => {}
            Err(errno) => return Outcome::Gone(errno),
        }
    }
}

/// Writes from `bytes`, without SIGPIPE.
pub fn write(socket: impl AsFd, bytes: &[u8]) -> Outcome {
    send(socket, bytes, net::SendFlags::NOSIGNAL)
}

/// The same where more is written at once: the last of it waits for that (`MSG_MORE`), but not for
/// longer than 200 ms.
pub fn write_before_more(socket: impl AsFd, bytes: &[u8]) -> Outcome {
    send(socket, bytes, net::SendFlags::NOSIGNAL | net::SendFlags::MORE)
}

#[inline]
fn send(socket: impl AsFd, bytes: &[u8], flags: net::SendFlags) -> Outcome {
    loop {
        match net::send(&socket, bytes, flags) {
            Ok(count) => return Outcome::Bytes(count),
            Err(Errno::AGAIN) => return Outcome::WouldBlock,
            Err(Errno::INTR) => {}
            Err(errno) => return Outcome::Gone(errno),
        }
    }
}

/// Writes bytes of a file from `offset` on, `End` where it has none there.
pub fn send_file(socket: impl AsFd, file: impl AsFd, offset: u64, bytes: usize) -> Outcome {
    loop {
        let mut from = offset;
        match rustix::fs::sendfile(&socket, &file, Some(&mut from), bytes) {
            Ok(0) => return Outcome::End,
            Ok(count) => return Outcome::Bytes(count),
            Err(Errno::AGAIN) => return Outcome::WouldBlock,
            Err(Errno::INTR) => {}
            Err(errno) => return Outcome::Gone(errno),
        }
    }
}

/// Whether nothing has come and the peer has not closed, as far as is known at this moment.
pub fn is_quiet(socket: impl AsFd) -> bool {
    let mut byte = [0];
    matches!(net::recv(socket, &mut byte, net::RecvFlags::PEEK), Err(Errno::AGAIN))
}

/// Whether the peer's system has acknowledged all that was written (Linux: `SIOCOUTQ`).
pub fn is_delivered(socket: impl AsFd) -> bool {
    type OutQueue = rustix::ioctl::Getter<{ SIOCOUTQ }, c_int>;
    #[expect(unsafe_code, reason = "no crate in use has this call")]
    // SAFETY: SIOCOUTQ writes one int for a TCP socket, and changes nothing.
    let waiting = unsafe { rustix::ioctl::ioctl(socket, OutQueue::new()) };
    waiting == Ok(0)
}

/// What the system knows of the way to the peer, as `tcp_info` of `linux/tcp.h` counts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Path {
    /// Time to the peer and back, smoothed, in microseconds.
    pub rtt_us: u32,
    /// How much that varies, in microseconds.
    pub rttvar_us: u32,
    /// Window of what may be under way, in segments.
    pub snd_cwnd: u32,
    /// Room for what comes, in bytes.
    pub rcv_space: u32,
}

/// What the system knows of the way to the peer; nothing of what is no socket of TCP.
pub fn path(socket: impl AsFd) -> Option<Path> {
    #[expect(unsafe_code, reason = "no crate in use has this call")]
    // SAFETY: as POSIX declares it.
    unsafe extern "C" {
        fn getsockopt(
            socket: c_int,
            level: c_int,
            name: c_int,
            value: *mut c_void,
            bytes: *mut u32,
        ) -> c_int;
    }
    const IPPROTO_TCP: c_int = 6;
    const TCP_INFO: c_int = 11;
    // Eight bytes, then numbers of 32 bits, up to the last one that is read.
    let mut info = [0_u32; 25];
    let mut bytes = size_of_val(&info) as u32;
    #[expect(unsafe_code, reason = "no crate in use has this call")]
    // SAFETY: the system writes `bytes` bytes at most, which the array has; any value is a `u32`.
    let done = unsafe {
        getsockopt(
            socket.as_fd().as_raw_fd(),
            IPPROTO_TCP,
            TCP_INFO,
            info.as_mut_ptr().cast(),
            &raw mut bytes,
        )
    };
    let is_whole = done == 0 && bytes as usize == size_of_val(&info);
    is_whole.then(|| Path {
        rtt_us: info[17],
        rttvar_us: info[18],
        snd_cwnd: info[20],
        rcv_space: info[24],
    })
}

/// `linux/sockios.h`; the same number as `TIOCOUTQ`.
const SIOCOUTQ: rustix::ioctl::Opcode = 0x5411;

/// Has the connection reset when it is closed, so that the peer does not take what it got for all.
pub fn reset_on_close(socket: impl AsFd) {
    let _ = sockopt::set_socket_linger(socket, Some(std::time::Duration::ZERO));
}

/// Ends the sending side; the peer reads an end of stream. A failure means it is gone already.
pub fn shutdown_write(socket: impl AsFd) {
    let _ = net::shutdown(socket, net::Shutdown::Write);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on ends there")]

    use std::net::{TcpListener, TcpStream, UdpSocket};

    #[test]
    fn the_way_to_a_peer_is_known_of_tcp_alone() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let path = super::path(&stream).unwrap();
        assert!(path.snd_cwnd > 0 && path.rcv_space > 0, "{path:?}");
        assert_eq!(super::path(UdpSocket::bind("127.0.0.1:0").unwrap()), None);
    }
}
