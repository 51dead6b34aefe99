//! The one place with unsafe code.

use std::io;
use std::os::fd::OwnedFd;

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
