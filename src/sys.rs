//! The one place with unsafe code.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Registers a descriptor with the runtime's reactor, for reading.
///
/// # Errors
/// What `epoll_ctl` returns.
#[expect(
    unsafe_code,
    reason = "AsyncFd asks for a promise that every OwnedFd keeps"
)]
pub fn watch(descriptor: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an OwnedFd owns its descriptor, returns the same number each time, and keeps it open until it is dropped, which the
    // AsyncFd does only after it has deregistered it.
    let registered = unsafe { AsyncFd::register_with_interest(descriptor, Interest::READABLE) };
    registered.map_err(|error| error.into_parts().1)
}

/// How many frames a packet socket has dropped since it was last asked (`PACKET_STATISTICS`, packet(7)).
///
/// # Errors
/// What `getsockopt` returns.
#[expect(unsafe_code, reason = "no safe crate has this socket option")]
pub fn packets_dropped(socket: &OwnedFd) -> io::Result<u32> {
    // struct tpacket_stats: packets, drops.
    let mut statistics = [0_u32; 2];
    let mut size = size_of_val(&statistics) as nix::libc::socklen_t;
    // SAFETY: the kernel writes at most `size` bytes, which is the size of the array, and any bytes make a u32.
    let result = unsafe {
        nix::libc::getsockopt(
            socket.as_raw_fd(),
            nix::libc::SOL_PACKET,
            nix::libc::PACKET_STATISTICS,
            statistics.as_mut_ptr().cast(),
            &raw mut size,
        )
    };
    if result == 0 {
        Ok(statistics[1])
    } else {
        Err(io::Error::last_os_error())
    }
}
